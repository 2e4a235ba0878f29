/* ctl: the control socket.
 *
 * THEORY OF OPERATION
 *
 * A Unix stream socket that answers one line with one line: the question is words, the answer is a
 * JSON document.  What the questions mean is the answerer's business; ctl carries them:
 *
 *     status                    everything but connections
 *     conns FROM                a page of connections; "next" says where to go on
 *
 * A client may ask again on the same connection.  Clients are few and so is what each may ask, so a
 * mad one costs little: the core serves them between turns and never waits for one. */
#pragma once

#include "os/os.h"

#define CTL_CLIENTS_MAX 8u
#define CTL_QUESTION_MAX 128u
#define CTL_ANSWER_MAX (512u << 10)

struct ctl;

struct ctl_answerer {
    /* Write the answer to question (a string without its newline) into buf; its length, or 0 if
     * it does not fit in n bytes. */
    size_t (*answer)(void *arg, const char *question, char *buf, size_t n);
    void *arg;
};

/* The path where a program's socket is found without being told:
 * $XDG_RUNTIME_DIR (or /tmp) /millrace-PROGRAM-PID.sock. */
void ctl_default_path(char *buf, size_t n, const char *program);

/* NULL, and one line about the reason in why. */
struct ctl *ctl_open(const char *path, const struct ctl_answerer *a, char *why, size_t n);
/* What to sleep on; returns how many of at most CTL_CLIENTS_MAX + 1 were filled in. */
unsigned ctl_wait(const struct ctl *c, struct os_wait *w);
/* Accept, read, answer, as far as goes without waiting. */
void ctl_serve(struct ctl *c);
/* Removes the socket's file. */
void ctl_close(struct ctl *c);
