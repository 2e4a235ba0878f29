#define _GNU_SOURCE
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATH_BYTES 108u

struct client {
    int fd; /* -1: free */
    uint32_t question_n;
    size_t answer_n, sent;
    char question[CTL_QUESTION_MAX];
    char *answer; /* owned: CTL_ANSWER_MAX bytes of address space */
};

struct ctl {
    int listener;
    struct ctl_answerer answerer;
    struct client client[CTL_CLIENTS_MAX];
    char path[PATH_BYTES];
};

void ctl_default_path(char *buf, size_t n, const char *program)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    if (!dir || dir[0] != '/' || access(dir, W_OK) < 0)
        dir = "/tmp";
    snprintf(buf, n, "%s/millrace-%s-%d.sock", dir,
             strncmp(program, "millrace-", 9) == 0 ? program + 9 : program, (int)getpid());
}

struct ctl *ctl_open(const char *path, const struct ctl_answerer *a, char *why, size_t n)
{
    struct ctl *c = os_reserve(sizeof(*c), false);

    if (!c) {
        snprintf(why, n, "no memory for the control socket");
        return NULL;
    }
    c->answerer = *a;
    for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
        c->client[i].fd = -1;
    c->listener = os_unix_listen(path);
    if (c->listener < 0) {
        snprintf(why, n, "control socket %s: %s", path, strerror(-c->listener));
        os_release(c, sizeof(*c));
        return NULL;
    }
    snprintf(c->path, sizeof(c->path), "%s", path);
    return c;
}

static void drop(struct client *k)
{
    os_close(k->fd);
    k->fd = -1;
    os_release(k->answer, CTL_ANSWER_MAX);
    k->answer = NULL;
}

static bool take(struct client *k, int fd)
{
    char *answer = os_reserve(CTL_ANSWER_MAX, false);

    if (!answer)
        return false;
    *k = (struct client){.fd = fd, .answer = answer};
    return true;
}

static void accept_clients(struct ctl *c)
{
    int fd;

    while ((fd = os_unix_accept(c->listener)) >= 0) {
        struct client *k = c->client;
        while (k < c->client + CTL_CLIENTS_MAX && k->fd >= 0)
            k++;
        if (k == c->client + CTL_CLIENTS_MAX || !take(k, fd))
            os_close(fd);
    }
}

/* False: the client is done for. */
static bool send_answer(struct client *k)
{
    while (k->sent < k->answer_n) {
        ssize_t n = send(k->fd, k->answer + k->sent, k->answer_n - k->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        k->sent += (size_t)n;
    }
    k->answer_n = k->sent = 0;
    return true;
}

static void answer(struct ctl *c, struct client *k)
{
    static const char sorry[] = "{\"error\":\"the answer is too long\"}";
    size_t room = CTL_ANSWER_MAX - 1;
    size_t n = c->answerer.answer(c->answerer.arg, k->question, k->answer, room);

    if (n == 0) {
        n = sizeof(sorry) - 1;
        memcpy(k->answer, sorry, n);
    }
    k->answer[n] = '\n';
    k->answer_n = n + 1;
    k->sent = 0;
}

/* Answer the first whole line there is.  True: there was one. */
static bool next_question(struct ctl *c, struct client *k)
{
    char *end = memchr(k->question, '\n', k->question_n);

    if (!end)
        return false;
    uint32_t used = (uint32_t)(end - k->question) + 1;
    *end = '\0';
    answer(c, k);
    memmove(k->question, k->question + used, k->question_n - used);
    k->question_n -= used;
    return true;
}

/* One question at a time: the next is read when the answer is out. */
static bool serve_client(struct ctl *c, struct client *k)
{
    for (unsigned turn = 0; turn < 4; turn++) {
        if (!send_answer(k))
            return false;
        if (k->answer_n > 0)
            return true;
        if (next_question(c, k))
            continue;
        if (k->question_n == CTL_QUESTION_MAX)
            return false;
        ssize_t n = read(k->fd, k->question + k->question_n, CTL_QUESTION_MAX - k->question_n);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        k->question_n += (uint32_t)n;
    }
    return true;
}

void ctl_serve(struct ctl *c)
{
    accept_clients(c);
    for (struct client *k = c->client; k < c->client + CTL_CLIENTS_MAX; k++)
        if (k->fd >= 0 && !serve_client(c, k))
            drop(k);
}

unsigned ctl_wait(const struct ctl *c, struct os_wait *w)
{
    unsigned n = 0;

    w[n++] = (struct os_wait){.fd = c->listener};
    for (const struct client *k = c->client; k < c->client + CTL_CLIENTS_MAX; k++)
        if (k->fd >= 0)
            w[n++] = (struct os_wait){.fd = k->fd, .for_write = k->answer_n > 0};
    return n;
}

void ctl_close(struct ctl *c)
{
    for (struct client *k = c->client; k < c->client + CTL_CLIENTS_MAX; k++)
        if (k->fd >= 0)
            drop(k);
    /* In this order: who finds a file that nobody listens to takes its place, and that file would
     * not be ours. */
    unlink(c->path);
    os_close(c->listener);
    os_release(c, sizeof(*c));
}
