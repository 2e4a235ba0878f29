/* epoll, poll, select. */
#include "os/os.h"
#include "posix/sys.h"
#include "preload/call.h"

#include <limits.h>

/* Microseconds of a time-out, rounded up; -1: for ever; INT64_MIN: none is so. */
static int64_t micros(const struct timespec *t)
{
    if (!t)
        return -1;
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= 1000000000)
        return INT64_MIN;
    if (t->tv_sec > INT64_MAX / 2000000)
        return INT64_MAX / 2;
    return (int64_t)t->tv_sec * 1000000 + (t->tv_nsec + 999) / 1000;
}

static int64_t millis(int ms)
{
    return ms < 0 ? -1 : (int64_t)ms * 1000;
}

/* A mask holds for the whole of the call: what it blocks is blocked while we look, too, and what it
 * lets in comes when the kernel sleeps (wait.c).  The bits to be given back. */
static uint64_t block(const sigset_t *mask)
{
    uint64_t want, old;

    if (!mask)
        return 0;
    __builtin_memcpy(&want, mask, sizeof(want));
    sys_rt_sigprocmask(SIG_BLOCK, &want, &old);
    return want & ~old;
}

static ssize_t unblock(uint64_t bits, ssize_t rc)
{
    if (bits)
        sys_rt_sigprocmask(SIG_UNBLOCK, &bits, NULL);
    return rc;
}

/* CALL for those with a mask. */
#define CALL_MASKED(mask, what)                                                                    \
    __extension__({                                                                                \
        call_begin();                                                                              \
        uint64_t bits_ = block(mask);                                                              \
        ssize_t rc_ = unblock(bits_, (what));                                                      \
        call_end();                                                                                \
        rc_;                                                                                       \
    })

/* ---- epoll --------------------------------------------------------------------------------- */

WRAPPER(int, epoll_create1, (int flags))
{
    ssize_t rc = px_session ? CALL(px_epoll_create1(flags)) : PX_PASS;

    return rc == PX_PASS ? NEXT(epoll_create1)(flags) : (int)answer(rc);
}

WRAPPER(int, epoll_create, (int size))
{
    return size <= 0 ? (int)answer(-EINVAL) : preload_epoll_create1(0);
}

WRAPPER(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *ev))
{
    ssize_t rc = file_peek(ep) ? CALL(px_epoll_ctl(ep, op, fd, ev)) : PX_PASS;

    return rc == PX_PASS ? NEXT(epoll_ctl)(ep, op, fd, ev) : (int)answer(rc);
}

WRAPPER(int, epoll_pwait,
        (int ep, struct epoll_event *ev, int max, int timeout, const sigset_t *mask))
{
    ssize_t rc = file_peek(ep)
                     ? CALL_MASKED(mask, px_epoll_wait(ep, ev, max, millis(timeout), mask))
                     : PX_PASS;

    return rc == PX_PASS ? NEXT(epoll_pwait)(ep, ev, max, timeout, mask) : (int)answer(rc);
}

WRAPPER(int, epoll_wait, (int ep, struct epoll_event *ev, int max, int timeout))
{
    ssize_t rc = file_peek(ep) ? CALL(px_epoll_wait(ep, ev, max, millis(timeout), NULL)) : PX_PASS;

    return rc == PX_PASS ? NEXT(epoll_wait)(ep, ev, max, timeout) : (int)answer(rc);
}

WRAPPER(int, epoll_pwait2,
        (int ep, struct epoll_event *ev, int max, const struct timespec *t, const sigset_t *mask))
{
    int64_t us = micros(t);
    ssize_t rc = PX_PASS;

    if (file_peek(ep) && us != INT64_MIN)
        rc = CALL_MASKED(mask, px_epoll_wait(ep, ev, max, us, mask));
    return rc == PX_PASS ? NEXT(epoll_pwait2)(ep, ev, max, t, mask) : (int)answer(rc);
}

/* ---- poll ---------------------------------------------------------------------------------- */

static bool any_of_ours(const struct pollfd *p, nfds_t n)
{
    for (nfds_t i = 0; px_session && i < n; i++)
        if (file_peek(p[i].fd))
            return true;
    return false;
}

WRAPPER(int, poll, (struct pollfd * p, nfds_t n, int timeout))
{
    ssize_t rc = any_of_ours(p, n) ? CALL(px_poll(p, n, millis(timeout), NULL)) : PX_PASS;

    return rc == PX_PASS ? NEXT(poll)(p, n, timeout) : (int)answer(rc);
}

WRAPPER(int, ppoll, (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *mask))
{
    int64_t us = micros(t);
    ssize_t rc = PX_PASS;

    if (us != INT64_MIN && any_of_ours(p, n))
        rc = CALL_MASKED(mask, px_poll(p, n, us, mask));
    return rc == PX_PASS ? NEXT(ppoll)(p, n, t, mask) : (int)answer(rc);
}

WRAPPER(int, __poll_chk, (struct pollfd * p, nfds_t n, int timeout, size_t room))
{
    if (room / sizeof(*p) < n)
        __chk_fail();
    return preload_poll(p, n, timeout);
}

WRAPPER(int, __ppoll_chk,
        (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *mask, size_t room))
{
    if (room / sizeof(*p) < n)
        __chk_fail();
    return preload_ppoll(p, n, t, mask);
}

/* ---- select -------------------------------------------------------------------------------- */

/* Sets may be larger than fd_set says: the kernel reads as many words as n needs. */
static bool any_in(int n, const fd_set *s)
{
    const unsigned long *word = (const unsigned long *)(const void *)s;
    const int bits = (int)(8 * sizeof(*word));

    for (int i = 0; s && i < n; i += bits)
        for (unsigned long w = word[i / bits]; w; w &= w - 1)
            if (i + __builtin_ctzl(w) < n && file_peek(i + __builtin_ctzl(w)))
                return true;
    return false;
}

static bool any_selected(int n, const fd_set *r, const fd_set *w, const fd_set *x)
{
    return px_session && n > 0 && (any_in(n, r) || any_in(n, w) || any_in(n, x));
}

/* Linux tells how much of the time was left. */
static void tell_rest(struct timeval *t, int64_t us, uint64_t began)
{
    int64_t rest = us - (int64_t)(os_now_us() - began);

    if (rest < 0)
        rest = 0;
    t->tv_sec = rest / 1000000;
    t->tv_usec = rest % 1000000;
}

WRAPPER(int, select, (int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t))
{
    ssize_t rc = PX_PASS;

    if (any_selected(n, r, w, x)) {
        bool good = !t || (t->tv_sec >= 0 && t->tv_usec >= 0);
        const struct timespec whole = {t && good ? t->tv_sec + t->tv_usec / 1000000 : 0,
                                       t && good ? t->tv_usec % 1000000 * 1000 : 0};
        uint64_t began = t ? os_now_us() : 0;
        int64_t us = t ? micros(&whole) : -1;
        rc = good ? CALL(px_select(n, r, w, x, us, NULL)) : -EINVAL;
        if (t && good)
            tell_rest(t, us, began);
    }
    return rc == PX_PASS ? NEXT(select)(n, r, w, x, t) : (int)answer(rc);
}

WRAPPER(int, pselect,
        (int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *t, const sigset_t *mask))
{
    int64_t us = micros(t);
    ssize_t rc = PX_PASS;

    if (us != INT64_MIN && any_selected(n, r, w, x))
        rc = CALL_MASKED(mask, px_select(n, r, w, x, us, mask));
    return rc == PX_PASS ? NEXT(pselect)(n, r, w, x, t, mask) : (int)answer(rc);
}
