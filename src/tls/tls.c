/* One connection. */
#include "tls/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls/tls_int.h"

/* A record is 16 KB of plain text and some; a handshake's flight is less than this, too. */
#define WAITING_MAX (32u << 10)

struct tls {
    SSL *ssl; /* owned, with both */
    BIO *in, *out;
    bool failed, closed;
    char subject[128];
    char why[200];
};

struct tls *tls_open(struct tls_context *x)
{
    struct tls *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->ssl = SSL_new(x->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return NULL;
    }
    /* An empty memory is not its end. */
    BIO_set_mem_eof_return(t->in, -1);
    SSL_set_bio(t->ssl, t->in, t->out);
    if (x->client)
        SSL_set_connect_state(t->ssl);
    else
        SSL_set_accept_state(t->ssl);
    return t;
}

void tls_close(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

/* ---- the network's side --------------------------------------------------------------- */

size_t tls_input(struct tls *t, const void *p, size_t n)
{
    size_t waits = BIO_ctrl_pending(t->in);
    int put;

    if (waits >= WAITING_MAX || n == 0)
        return 0;
    if (n > WAITING_MAX - waits)
        n = WAITING_MAX - waits;
    put = BIO_write(t->in, p, (int)n);
    return put > 0 ? (size_t)put : 0;
}

size_t tls_output(struct tls *t, const uint8_t **p)
{
    char *at;
    long n = BIO_get_mem_data(t->out, &at);

    *p = (const uint8_t *)at;
    return n > 0 ? (size_t)n : 0;
}

void tls_sent(struct tls *t, size_t n)
{
    char gone[4096];

    while (n > 0) {
        int r = BIO_read(t->out, gone, (int)(n < sizeof(gone) ? n : sizeof(gone)));
        if (r <= 0)
            return;
        n -= (size_t)r;
    }
}

/* ---- the plain side --------------------------------------------------------------------- */

/* A certificate that is refused has a reason of its own. */
static void say_why(struct tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);
    char text[120];

    if (t->why[0] == '\0') {
        tls_error_take(text, sizeof(text));
        if (verdict != X509_V_OK)
            snprintf(t->why, sizeof(t->why), "%s: %s", text,
                     X509_verify_cert_error_string(verdict));
        else
            snprintf(t->why, sizeof(t->why), "%s", text);
    }
    ERR_clear_error();
}

/* What a call that returned r <= 0 has met. */
static int64_t met(struct tls *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        t->closed = true;
        return 0;
    default:
        t->failed = true;
        say_why(t);
        return TLS_FAILED;
    }
}

static int of_int(size_t n)
{
    return n < (1u << 30) ? (int)n : 1 << 30;
}

int64_t tls_read(struct tls *t, void *buf, size_t n)
{
    if (t->failed)
        return TLS_FAILED;
    if (t->closed)
        return 0;
    ERR_clear_error();
    int r = SSL_read(t->ssl, buf, of_int(n));
    return r > 0 ? r : met(t, r);
}

int64_t tls_write(struct tls *t, const void *p, size_t n)
{
    if (t->failed)
        return TLS_FAILED;
    if (!tls_is_up(t) || BIO_ctrl_pending(t->out) >= WAITING_MAX)
        return TLS_AGAIN;
    ERR_clear_error();
    int r = SSL_write(t->ssl, p, of_int(n < WAITING_MAX ? n : WAITING_MAX));
    /* A peer that has closed its direction takes ours still. */
    if (r <= 0) {
        int64_t what = met(t, r);
        return what == 0 ? TLS_FAILED : what;
    }
    return r;
}

void tls_shutdown(struct tls *t)
{
    if (t->failed || !tls_is_up(t))
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* ---- facts --------------------------------------------------------------------------------- */

bool tls_is_up(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

const char *tls_subject(struct tls *t)
{
    X509 *cert = t->subject[0] == '\0' ? SSL_get1_peer_certificate(t->ssl) : NULL;
    BIO *text = cert ? BIO_new(BIO_s_mem()) : NULL;

    if (text) {
        X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
        int n = BIO_read(text, t->subject, (int)sizeof(t->subject) - 1);
        t->subject[n > 0 ? n : 0] = '\0';
    }
    BIO_free(text);
    X509_free(cert);
    return t->subject;
}

const char *tls_why(const struct tls *t)
{
    return t->why;
}
