/* Blocking in a call on one socket. */
#include "posix/wait_int.h"

/* A connection and a datagram socket live in an instance, which is entered around the attempt;
 * others guard themselves. */
static struct px_inst *home_of(const struct px_file *f)
{
    bool is = f->kind == PX_CONN || (f->kind == PX_DGRAM && !mr_sock_eq(f->sock, MR_SOCK_NONE));

    return is ? &px_session->inst[f->slot] : NULL;
}

static ssize_t attempt_in(struct px_file *f, ssize_t (*attempt)(struct px_file *, void *),
                          void *arg, bool turn)
{
    struct px_inst *i = home_of(f);
    ssize_t rc;

    if (!i) {
        rc = attempt(f, arg);
        if (rc != -EAGAIN || !turn)
            return rc;
        wait_turn(0, false);
        return attempt(f, arg);
    }
    inst_enter(i);
    rc = attempt(f, arg);
    if (rc == -EAGAIN && turn) {
        inst_turn(i);
        rc = attempt(f, arg);
    }
    inst_leave(i);
    return rc;
}

/* signal(7): a handler with SA_RESTART does not end a call on a socket, unless a time-out was set
 * on the socket. */
ssize_t wait_for(struct px_file *f, bool nonblock, int64_t timeout_us,
                 ssize_t (*attempt)(struct px_file *f, void *arg), void *arg)
{
    ssize_t rc = attempt_in(f, attempt, arg, true);
    struct px_wait w;
    int slept = 0, kernel;

    if (rc != -EAGAIN || nonblock)
        return rc;
    px_thread.round_us = 0;
    wait_begin(&w, timeout_us, timeout_us < 0);
    wait_arm(&w, f);
    for (;;) {
        rc = attempt_in(f, attempt, arg, false);
        if (rc != -EAGAIN || slept < 0)
            break;
        slept = wait_sleep(&w, -1, NULL, 0, &kernel);
    }
    wait_disarm(&w, f);
    wait_end(&w);
    return rc == -EAGAIN && slept != -ETIMEDOUT ? slept : rc;
}
