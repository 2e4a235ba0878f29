/* Ending TCP connections. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "kapi/kapi_int.h"

static bool has_unread(const struct ksock *s)
{
    int n = 0;

    return !s->eof && !s->drained && ioctl(s->fd, SIOCINQ, &n) == 0 && n > 0;
}

static bool has_unacked(const struct ksock *s)
{
    int n = 0;

    return ioctl(s->fd, SIOCOUTQ, &n) == 0 && n > 0;
}

void ksock_reset(struct kapi *k, struct ksock *s)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ksock_free(k, s);
}

int kapi_shutdown(struct mr *m, mr_sock h)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_TCP);

    if (s == NULL)
        return MR_EBADF;
    if (s->err != MR_OK)
        return s->err;
    if (s->fin_asked)
        return MR_EPIPE;
    s->fin_asked = true;
    ksock_mark_dirty(k, s);
    return MR_OK;
}

/* The kernel's own SO_LINGER would block this thread, so waiting is done here:
 * the socket stays as an orphan until everything is written (and, with a
 * linger time, acknowledged). */
int kapi_close_sock(struct mr *m, mr_sock h)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_FREE);

    if (s == NULL)
        return MR_EBADF;
    if (s->every != 0)
        ktown_close(k, s);
    if (s->kind != KSOCK_TCP || s->closed_said || s->connecting) {
        ksock_free(k, s);
    } else if (s->linger_s == 0 || has_unread(s)) {
        ksock_reset(k, s);
    } else if (s->out == NULL && s->linger_s < 0) {
        ksock_free(k, s);
    } else {
        s->orphan = true;
        s->pending = 0;
        if (s->linger_s > 0) {
            s->fin_asked = true;
            ktimer_linger(k, (uint64_t)s->linger_s * 1000000u, h);
        }
        if (!s->blocked)
            ksock_mark_dirty(k, s);
    }
    return MR_OK;
}

int kapi_abort(struct mr *m, mr_sock h)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_FREE);

    if (s == NULL)
        return MR_EBADF;
    if (s->every != 0)
        ktown_close(k, s);
    ksock_reset(k, s);
    return MR_OK;
}

bool ksock_reap(struct kapi *k, struct ksock *s)
{
    bool finished = s->closed_said;

    if (!finished && s->out == NULL)
        finished = s->linger_s < 0 || !has_unacked(s);
    if (finished)
        ksock_free(k, s);
    return finished;
}
