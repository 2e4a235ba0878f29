/* tls: TLS on bytes that somebody else carries.
 *
 * THEORY OF OPERATION
 *
 * OpenSSL is given memory instead of sockets.  What the network brought is put in, what the network
 * shall take is taken out, and in between lies plain text:
 *
 *      network --tls_input-->  [ records in  ] --tls_read-->  plain text
 *      network <--tls_output-- [ records out ] <--tls_write-- plain text
 *
 * Any call may leave records to send, a read too: the handshake is made by reading.  So the
 * caller's order is: tls_input, tls_read until TLS_AGAIN, tls_write, and then tls_output until it
 * is empty.
 *
 * LIMITS.  What is put in is read before more is put in, and nothing is written while records wait
 * to go out, so that a connection holds about a record of each kind; tls_input and tls_write refuse
 * more than that.  Renegotiation is off, TLS 1.2 is the oldest version.
 *
 * A struct tls_context is shared by all cores and not changed after tls_context_open; a struct tls
 * is its thread's.  Errors are sentences. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls;

struct tls_config {
    const char *cert; /* PEM file: ours, and what leads to a root */
    const char *key;  /* PEM file; NULL: it is in cert */
    const char
        *ca;     /* PEM file: who may sign the peers' certificates, which are then demanded; NULL:
                       * no certificate is asked for */
    bool client; /* we connect; ca judges the server, cert may be NULL */
};

/* NULL, and one line in why, which names the file. */
struct tls_context *tls_context_open(const struct tls_config *c, char *why, size_t n);
void tls_context_close(struct tls_context *x);

/* NULL: no memory. */
struct tls *tls_open(struct tls_context *x);
/* Nothing is said to the peer any more. */
void tls_close(struct tls *t);

#define TLS_AGAIN (-1)  /* nothing now: bring or take records */
#define TLS_FAILED (-2) /* tls_why; an alert may be waiting in the output */

/* Records from the network; how many bytes were taken: all, unless records wait to be read. */
size_t tls_input(struct tls *t, const void *p, size_t n);
/* Plain text, > 0; 0: the peer has closed in order; TLS_AGAIN; TLS_FAILED.  Makes the handshake. */
int64_t tls_read(struct tls *t, void *buf, size_t n);
/* Plain text to send: how much was taken, or TLS_AGAIN (the handshake is not over, or records
 * wait to go out), or TLS_FAILED. */
int64_t tls_write(struct tls *t, const void *p, size_t n);
/* We send no more: says so to the peer, in the output. */
void tls_shutdown(struct tls *t);
/* Records to send, lent until the next call; their length, 0: none.  tls_sent: the network has
 * taken n of them. */
size_t tls_output(struct tls *t, const uint8_t **p);
void tls_sent(struct tls *t, size_t n);

/* The handshake is over. */
bool tls_is_up(const struct tls *t);
/* The subject of the peer's certificate as "CN=switch1,O=..."; "" if it has shown none. */
const char *tls_subject(struct tls *t);
/* What failed, in words; "" if nothing has. */
const char *tls_why(const struct tls *t);
