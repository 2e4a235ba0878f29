/* Socket options, queues, readiness, and the events of the public API. */
#include <inttypes.h>
#include <string.h>

#include "base/types.h"
#include "calls_int.h"

static const struct {
    int level, name;
    enum mr_opt opt;
} options[] = {
    {SCN_SOL_SOCKET, SCN_SO_REUSEADDR, MR_REUSEADDR},
    {SCN_SOL_SOCKET, SCN_SO_ERROR, MR_ERROR},
    {SCN_SOL_SOCKET, SCN_SO_BROADCAST, MR_BROADCAST},
    {SCN_SOL_SOCKET, SCN_SO_SNDBUF, MR_SNDBUF},
    {SCN_SOL_SOCKET, SCN_SO_RCVBUF, MR_RCVBUF},
    {SCN_SOL_SOCKET, SCN_SO_KEEPALIVE, MR_KEEPALIVE},
    {SCN_SOL_SOCKET, SCN_SO_OOBINLINE, MR_OOBINLINE},
    {SCN_SOL_SOCKET, SCN_SO_LINGER, MR_LINGER},
    {SCN_SOL_TCP, SCN_TCP_NODELAY, MR_NODELAY},
    {SCN_SOL_TCP, SCN_TCP_MAXSEG, MR_MAXSEG},
    {SCN_SOL_TCP, SCN_TCP_CORK, MR_CORK},
    {SCN_SOL_TCP, SCN_TCP_KEEPIDLE, MR_KEEPIDLE},
    {SCN_SOL_TCP, SCN_TCP_KEEPINTVL, MR_KEEPINTVL},
    {SCN_SOL_TCP, SCN_TCP_KEEPCNT, MR_KEEPCNT},
    {SCN_SOL_TCP, SCN_TCP_SYNCNT, MR_SYN_RETRIES},
    {SCN_SOL_TCP, SCN_TCP_LINGER2, MR_LINGER2},
    {SCN_SOL_TCP, SCN_TCP_DEFER_ACCEPT, MR_DEFER_ACCEPT},
    {SCN_SOL_TCP, SCN_TCP_WINDOW_CLAMP, MR_WINDOW_CLAMP},
    {SCN_SOL_TCP, SCN_TCP_QUICKACK, MR_QUICKACK},
    {SCN_SOL_TCP, SCN_TCP_CONGESTION, MR_CONGESTION},
    {SCN_SOL_TCP, SCN_TCP_USER_TIMEOUT, MR_USER_TIMEOUT_MS},
    {SCN_SOL_TCP, SCN_TCP_NOTSENT_LOWAT, MR_NOTSENT_LOWAT},
    {SCN_SOL_TCP, SCN_URGENT_LEFT, MR_URGENT_LEFT},
    {SCN_SOL_IP, SCN_IP_TOS, MR_TOS},
    {SCN_SOL_IP, SCN_IP_TTL, MR_TTL},
};

static int find_option(const struct call_spec *c, enum mr_opt *out)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i].level == arg_number(c, 1) && options[i].name == arg_number(c, 2)) {
            *out = options[i].opt;
            return 0;
        }
    }
    return MR_ENOPROTOOPT;
}

static int option_value(const struct call_spec *c, enum mr_opt opt, int64_t *out)
{
    const struct call_arg *v = &c->args[3];

    *out = arg_value(c, 3);
    /* {onoff=1, linger=5} is 5 s; {onoff=0, ...} is off, -1. */
    if (opt == MR_LINGER && v->kind == ARG_LIST && v->nlist == 2)
        *out = v->list[0] != 0 ? v->list[1] : -1;
    if (v->kind != ARG_TEXT)
        return 0;
    if (opt == MR_CONGESTION && (strcmp(v->text, "reno") == 0 || strcmp(v->text, "cubic") == 0))
        *out = v->text[0] == 'r' ? MR_CC_NEWRENO : MR_CC_CUBIC;
    else
        return MR_EINVAL;
    return 0;
}

enum call_status call_setsockopt(struct app *a, struct fd *f, const struct call_spec *c,
                                 struct call_state *st, struct call_result *r)
{
    enum mr_opt opt = MR_NODELAY;
    int64_t value;
    int e = find_option(c, &opt);

    (void)st;
    if (e == 0)
        e = option_value(c, opt, &value);
    if (e != 0)
        return call_done(r, e);
    if (f->has_sock)
        return call_done(r, mr_setopt(a->m, f->sock, opt, value));
    if (f->nopts == FD_OPTS_MAX)
        return call_bad(a, "too many options");
    f->opts[f->nopts++] = (struct fd_opt){opt, value};
    return call_done(r, 0);
}

enum call_status call_getsockopt(struct app *a, struct fd *f, const struct call_spec *c,
                                 struct call_state *st, struct call_result *r)
{
    enum mr_opt opt = MR_NODELAY;
    int64_t value = 0, wanted = 0;
    int e = find_option(c, &opt);

    (void)st;
    if (e == 0 && !f->has_sock)
        e = MR_ENOTCONN;
    if (e == 0)
        e = mr_getopt(a->m, f->sock, opt, &value);
    if (e == 0 && c->args[3].kind != ARG_ANY) {
        /* The API's errors are negative, the script's are not. */
        if (opt == MR_ERROR && value < 0)
            value = -value;
        (void)option_value(c, opt, &wanted);
        if (value != wanted)
            return call_bad(a, "the option's value is %" PRId64 ", expected %" PRId64, value,
                            wanted);
    }
    return call_done(r, e);
}

enum call_status call_fcntl(struct app *a, struct fd *f, const struct call_spec *c,
                            struct call_state *st, struct call_result *r)
{
    (void)a, (void)st;
    if (arg_number(c, 1) == 4)
        f->nonblock = (arg_number(c, 2) & SCN_O_NONBLOCK) != 0;
    else
        return call_done(r, 2 | (f->nonblock ? SCN_O_NONBLOCK : 0));
    return call_done(r, 0);
}

enum call_status call_ioctl(struct app *a, struct fd *f, const struct call_spec *c,
                            struct call_state *st, struct call_result *r)
{
    int64_t what = arg_number(c, 1), value = 0;
    int e;

    (void)st;
    if (what != SCN_SIOCINQ && what != SCN_SIOCOUTQ)
        return call_bad(a, "unknown ioctl");
    e = mr_getopt(a->m, f->sock, what == SCN_SIOCINQ ? MR_RCVQ : MR_SNDQ, &value);
    if (e == 0 && c->args[2].kind != ARG_ANY && value != arg_value(c, 2))
        return call_bad(a, "the queue holds %" PRId64 " bytes, expected %" PRId64, value,
                        arg_value(c, 2));
    return call_done(r, e);
}

static int64_t poll_bits(struct app *a, struct fd *f)
{
    int64_t bits = 0, urgent = 0;
    uint8_t byte;

    if (f->listening)
        return f->accept_ready ? SCN_POLLIN : 0;
    if (!f->has_sock)
        return SCN_POLLOUT | SCN_POLLHUP;
    if (f->is_udp)
        return (f->readable ? SCN_POLLIN : 0) | SCN_POLLOUT;
    if (f->connecting)
        return 0;
    if (mr_recv(a->m, f->sock, &byte, 1, MR_PEEK) != MR_EAGAIN)
        bits |= SCN_POLLIN;
    if (!f->write_blocked || f->closed)
        bits |= SCN_POLLOUT;
    if (mr_getopt(a->m, f->sock, MR_URGENT_LEFT, &urgent) == 0 && urgent > 0)
        bits |= SCN_POLLPRI;
    if (f->closed)
        bits |= SCN_POLLHUP | (f->closed_err != 0 ? SCN_POLLERR : 0);
    return bits;
}

/* poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1 */
enum call_status call_poll(struct app *a, struct fd *f, const struct call_spec *c,
                           struct call_state *st, struct call_result *r)
{
    const struct call_arg *list = &c->args[0];
    int64_t timeout = arg_number(c, 2), bits;

    if (list->kind != ARG_LIST || list->nlist != 3 || (f = app_fd(a, list->list[0])) == NULL)
        return call_bad(a, "poll() takes one {fd=, events=, revents=}");
    bits = poll_bits(a, f) & (list->list[1] | SCN_POLLERR | SCN_POLLHUP);
    if (bits == 0 && timeout != 0 &&
        (timeout < 0 || mr_now_us(a->m) - st->start_us < (uint64_t)timeout * 1000))
        return CALL_WAIT;
    if (bits != list->list[2])
        return call_bad(a, "revents is 0x%" PRIx64 ", expected 0x%" PRIx64, bits, list->list[2]);
    return call_done(r, bits != 0);
}

/* mr_event(4, EV_SOFT_ERROR, EHOSTUNREACH) = 1: the event came since it was last asked for, with
 * that error; 0: it did not. */
enum call_status call_event(struct app *a, struct fd *f, const struct call_spec *c,
                            struct call_state *st, struct call_result *r)
{
    unsigned bit = 1u << (unsigned)arg_number(c, 1);
    int64_t wanted = arg_number(c, 2);
    bool came = (f->events & bit) != 0;
    int err = arg_number(c, 1) == MR_EV_SOFT_ERROR ? f->soft_err : f->closed_err;

    (void)st;
    f->events &= ~bit;
    if (came && c->nargs > 2 && wanted != -err)
        return call_bad(a, "the event's error is %d, expected %" PRId64, -err, wanted);
    return call_done(r, came);
}
