/* Socket options. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kapi/kapi_int.h"

#define TCP_ONLY (1u << KSOCK_TCP | 1u << KSOCK_LISTENER)
#define UDP_ONLY (1u << KSOCK_UDP)
#define EVERY (TCP_ONLY | UDP_ONLY)

/* Options that are one integer for us and for the kernel. */
struct plain_opt {
    int level, name;
    unsigned kinds; /* bit per enum ksock_kind; 0: not a plain option */
    int64_t min, max;
};

static const struct plain_opt plain[] = {
    [MR_NODELAY] = {IPPROTO_TCP, TCP_NODELAY, TCP_ONLY, 0, 1},
    [MR_CORK] = {IPPROTO_TCP, TCP_CORK, TCP_ONLY, 0, 1},
    [MR_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE, TCP_ONLY, 0, 1},
    [MR_KEEPIDLE] = {IPPROTO_TCP, TCP_KEEPIDLE, TCP_ONLY, 1, 32767},
    [MR_KEEPINTVL] = {IPPROTO_TCP, TCP_KEEPINTVL, TCP_ONLY, 1, 32767},
    [MR_KEEPCNT] = {IPPROTO_TCP, TCP_KEEPCNT, TCP_ONLY, 1, 127},
    [MR_USER_TIMEOUT_MS] = {IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_ONLY, 0, INT32_MAX},
    [MR_SNDBUF] = {SOL_SOCKET, SO_SNDBUF, EVERY, 1, INT32_MAX / 2},
    [MR_RCVBUF] = {SOL_SOCKET, SO_RCVBUF, EVERY, 1, INT32_MAX / 2},
    [MR_MAXSEG] = {IPPROTO_TCP, TCP_MAXSEG, TCP_ONLY, 88, 32767},
    [MR_TTL] = {IPPROTO_IP, IP_TTL, EVERY, 1, 255},
    [MR_TOS] = {IPPROTO_IP, IP_TOS, EVERY, 0, 255},
    [MR_QUICKACK] = {IPPROTO_TCP, TCP_QUICKACK, TCP_ONLY, 0, 1},
    [MR_BROADCAST] = {SOL_SOCKET, SO_BROADCAST, UDP_ONLY, 0, 1},
    [MR_OOBINLINE] = {SOL_SOCKET, SO_OOBINLINE, TCP_ONLY, 0, 1},
    [MR_URGENT_LEFT] = {0},
    [MR_LINGER2] = {IPPROTO_TCP, TCP_LINGER2, TCP_ONLY, -1, 120},
    [MR_SYN_RETRIES] = {IPPROTO_TCP, TCP_SYNCNT, TCP_ONLY, 1, 127},
    [MR_NOTSENT_LOWAT] = {IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_ONLY, 0, 1 << 30},
    [MR_WINDOW_CLAMP] = {IPPROTO_TCP, TCP_WINDOW_CLAMP, TCP_ONLY, 1152, 1 << 30},
    [MR_DEFER_ACCEPT] = {IPPROTO_TCP, TCP_DEFER_ACCEPT, 1u << KSOCK_LISTENER, 0, 32767},
};

static int set_plain(struct ksock *s, enum mr_opt opt, int64_t value)
{
    const struct plain_opt *o = &plain[opt];
    int v = (int)value;

    if (!(o->kinds & 1u << s->kind))
        return MR_ENOPROTOOPT;
    if (value < o->min || value > o->max)
        return MR_EINVAL;
    /* Inherited from the listener, so setting it on every connection is free. */
    if (opt == MR_NODELAY && s->nodelay == (v != 0))
        return MR_OK;
    if (setsockopt(s->fd, o->level, o->name, &v, sizeof(v)) != 0)
        return kapi_err(errno);
    if (opt == MR_NODELAY)
        s->nodelay = v != 0;
    if (opt == MR_SNDBUF)
        s->outq_max = (size_t)value;
    return MR_OK;
}

static int set_congestion(const struct ksock *s, int64_t value)
{
    const char *name = value == MR_CC_CUBIC ? "cubic" : "reno";

    if (!(TCP_ONLY & 1u << s->kind))
        return MR_ENOPROTOOPT;
    if (value != MR_CC_CUBIC && value != MR_CC_NEWRENO)
        return MR_EINVAL;
    if (setsockopt(s->fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) != 0)
        return kapi_err(errno);
    return MR_OK;
}

int kapi_setopt(struct mr *m, mr_sock h, enum mr_opt opt, int64_t value)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_FREE);
    int err;

    if (s == NULL)
        return MR_EBADF;
    err = ksock_setopt(s, opt, value);
    if (err == MR_OK && s->every != 0)
        ktown_setopt(k, s, opt, value);
    return err;
}

int ksock_setopt(struct ksock *s, enum mr_opt opt, int64_t value)
{
    switch (opt) {
    case MR_LINGER:
        if (value < -1 || value > 32767)
            return MR_EINVAL;
        s->linger_s = (int)value;
        return MR_OK;
    case MR_SNDLOWAT:
        if (value < 0 || value > INT32_MAX)
            return MR_EINVAL;
        s->lowat = (size_t)value;
        return MR_OK;
    case MR_CONGESTION:
        return set_congestion(s, value);
    case MR_REUSEADDR:
        return MR_OK;
    case MR_PAUSED: /* the kernel cannot */
    case MR_ERROR:
    case MR_RCVQ:
    case MR_SNDQ:
    case MR_URGENT_LEFT:
        return MR_ENOPROTOOPT;
    case MR_NODELAY:
    case MR_CORK:
    case MR_KEEPALIVE:
    case MR_KEEPIDLE:
    case MR_KEEPINTVL:
    case MR_KEEPCNT:
    case MR_USER_TIMEOUT_MS:
    case MR_SNDBUF:
    case MR_RCVBUF:
    case MR_MAXSEG:
    case MR_TTL:
    case MR_TOS:
    case MR_QUICKACK:
    case MR_BROADCAST:
    case MR_OOBINLINE:
    case MR_LINGER2:
    case MR_SYN_RETRIES:
    case MR_NOTSENT_LOWAT:
    case MR_WINDOW_CLAMP:
    case MR_DEFER_ACCEPT:
        return set_plain(s, opt, value);
    }
    return MR_ENOPROTOOPT;
}

static int get_plain(const struct ksock *s, enum mr_opt opt, int64_t *value)
{
    const struct plain_opt *o = &plain[opt];
    int v = 0;
    socklen_t n = sizeof(v);

    if (!(o->kinds & 1u << s->kind))
        return MR_ENOPROTOOPT;
    if (getsockopt(s->fd, o->level, o->name, &v, &n) != 0)
        return kapi_err(errno);
    /* The kernel doubles buffer sizes for its own bookkeeping. */
    *value = opt == MR_SNDBUF || opt == MR_RCVBUF ? v / 2 : v;
    return MR_OK;
}

static int get_congestion(const struct ksock *s, int64_t *value)
{
    char name[16] = "";
    socklen_t n = sizeof(name) - 1;

    if (getsockopt(s->fd, IPPROTO_TCP, TCP_CONGESTION, name, &n) != 0)
        return MR_ENOPROTOOPT;
    *value = strcmp(name, "cubic") == 0 ? MR_CC_CUBIC : MR_CC_NEWRENO;
    return MR_OK;
}

static int get_queue(const struct ksock *s, unsigned long request, size_t more, int64_t *value)
{
    int n = 0;

    if (ioctl(s->fd, request, &n) != 0)
        return MR_ENOPROTOOPT;
    *value = (int64_t)more + n;
    return MR_OK;
}

int kapi_getopt(struct mr *m, mr_sock h, enum mr_opt opt, int64_t *value)
{
    struct ksock *s = ksock_get(kapi_of(m), h, KSOCK_FREE);

    if (s == NULL)
        return MR_EBADF;
    switch (opt) {
    case MR_LINGER:
        *value = s->linger_s;
        return MR_OK;
    case MR_SNDLOWAT:
        *value = (int64_t)s->lowat;
        return MR_OK;
    case MR_CONGESTION:
        return get_congestion(s, value);
    case MR_REUSEADDR:
        *value = 1;
        return MR_OK;
    case MR_ERROR:
        *value = s->err != MR_OK ? s->err : ksock_pending_error(s);
        return MR_OK;
    case MR_RCVQ:
        return get_queue(s, SIOCINQ, 0, value);
    case MR_SNDQ:
        return get_queue(s, SIOCOUTQ, s->outq, value);
    case MR_PAUSED:
        return MR_ENOPROTOOPT;
    case MR_URGENT_LEFT:
    case MR_NODELAY:
    case MR_CORK:
    case MR_KEEPALIVE:
    case MR_KEEPIDLE:
    case MR_KEEPINTVL:
    case MR_KEEPCNT:
    case MR_USER_TIMEOUT_MS:
    case MR_SNDBUF:
    case MR_RCVBUF:
    case MR_MAXSEG:
    case MR_TTL:
    case MR_TOS:
    case MR_QUICKACK:
    case MR_BROADCAST:
    case MR_OOBINLINE:
    case MR_LINGER2:
    case MR_SYN_RETRIES:
    case MR_NOTSENT_LOWAT:
    case MR_WINDOW_CLAMP:
    case MR_DEFER_ACCEPT:
        return get_plain(s, opt, value);
    }
    return MR_ENOPROTOOPT;
}
