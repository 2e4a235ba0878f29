/* Bytes in and out, each one checked against the oracle. */
#include <stdlib.h>

#include "calls_int.h"
#include "flow_map.h"

#define DATAGRAM_MAX 65507

static enum call_status recv_datagram(struct app *a, struct fd *f, const struct call_spec *c,
                                      size_t want, struct call_result *r)
{
    static uint8_t buf[DATAGRAM_MAX];
    struct mr_addr from;
    int64_t n;
    uint32_t have;

    if (!fd_open_udp(a, f, r))
        return CALL_DONE;
    n = mr_recvfrom(a->m, f->sock, buf, want < sizeof(buf) ? want : sizeof(buf), &from);
    if (n == MR_EAGAIN) {
        f->readable = false;
        return call_again(f, c, r);
    }
    if (n < 0)
        return call_done(r, n);
    have = (uint32_t)((size_t)n < want ? (size_t)n : want);
    if (oracle_check(buf, have, SIDE_REMOTE, 0) != have)
        return call_bad(a, "byte %u of the datagram is wrong",
                        oracle_check(buf, have, SIDE_REMOTE, 0));
    return call_done(r, have);
}

static enum call_status recv_stream(struct app *a, struct fd *f, const struct call_spec *c,
                                    size_t want, int64_t flags, struct call_result *r)
{
    unsigned api_flags = (flags & SCN_MSG_PEEK ? MR_PEEK : 0) | (flags & SCN_MSG_OOB ? MR_OOB : 0);
    uint8_t *buf = malloc(want + 1);
    int64_t n = mr_recv(a->m, f->sock, buf, want, api_flags);
    uint32_t good = 0;

    if (n > 0 && (api_flags & MR_OOB) == 0) {
        good = oracle_check(buf, (uint32_t)n, SIDE_REMOTE, f->rx_at);
        if (good != n) {
            free(buf);
            return call_bad(a, "byte %u of the stream is wrong", f->rx_at + good);
        }
        if ((api_flags & MR_PEEK) == 0)
            f->rx_at += (uint32_t)n;
    }
    free(buf);
    if (n != MR_EAGAIN)
        return call_done(r, n);
    f->readable = false;
    return f->read_shut ? call_done(r, 0) : call_again(f, c, r);
}

enum call_status call_recv(struct app *a, struct fd *f, const struct call_spec *c,
                           struct call_state *st, struct call_result *r)
{
    size_t want = (size_t)arg_number(c, 2);

    (void)st;
    if (f->is_udp)
        return recv_datagram(a, f, c, want, r);
    if (!f->has_sock)
        return call_done(r, MR_ENOTCONN);
    return recv_stream(a, f, c, want, arg_number(c, 3), r);
}

static enum call_status send_datagram(struct app *a, struct fd *f, const struct call_spec *c,
                                      size_t n, struct call_result *r)
{
    static uint8_t buf[DATAGRAM_MAX + 1000];
    struct mr_addr to = f->connected ? f->peer : a->remote;
    int e;

    if (n > sizeof(buf))
        return call_bad(a, "at most %zu bytes", sizeof(buf));
    if (!fd_open_udp(a, f, r))
        return CALL_DONE;
    if (!f->connected)
        to.port = 8080;
    if (c->nargs > 4 && c->args[4].kind == ARG_ADDR) {
        uint32_t ip = c->args[4].ip;

        to = mr_addr4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip,
                      c->args[4].port);
    }
    oracle_fill(buf, (uint32_t)n, SIDE_LOCAL, 0);
    e = mr_sendto(a->m, f->sock, buf, n, &to);
    return call_done(r, e == 0 ? (int64_t)n : e);
}

static enum call_status send_stream(struct app *a, struct fd *f, const struct call_spec *c,
                                    struct call_state *st, size_t n, struct call_result *r)
{
    int64_t flags = arg_number(c, 3);
    size_t left = n - (size_t)st->done;
    uint8_t *buf = malloc(left + 1);
    int64_t took;

    oracle_fill(buf, (uint32_t)left, SIDE_LOCAL, f->tx_at);
    took = mr_send(a->m, f->sock, buf, left,
                   (flags & SCN_MSG_MORE ? MR_MORE : 0) | (flags & SCN_MSG_OOB ? MR_OOB : 0));
    free(buf);
    if (took < 0 && took != MR_EAGAIN)
        return call_done(r, st->done > 0 ? st->done : took);
    if (took > 0) {
        st->done += took;
        f->tx_at += (uint32_t)took;
    }
    if (st->done == (int64_t)n)
        return call_done(r, st->done);
    f->write_blocked = true;
    if (st->done > 0 && f->nonblock)
        return call_done(r, st->done);
    return call_again(f, c, r);
}

enum call_status call_send(struct app *a, struct fd *f, const struct call_spec *c,
                           struct call_state *st, struct call_result *r)
{
    size_t n = (size_t)arg_number(c, 2);

    if (f->is_udp)
        return send_datagram(a, f, c, n, r);
    if (!f->has_sock)
        return call_done(r, MR_ENOTCONN);
    return send_stream(a, f, c, st, n, r);
}

/* The application's memory, given back. */
static void released(void *arg, const void *ptr, size_t n)
{
    struct app *a = arg;

    a->released += n;
    free((void *)(uintptr_t)ptr);
}

enum call_status call_give(struct app *a, struct fd *f, const struct call_spec *c,
                           struct call_state *st, struct call_result *r)
{
    size_t n = (size_t)arg_number(c, 2);
    uint8_t *buf = malloc(n + 1);
    int e;

    (void)st;
    oracle_fill(buf, (uint32_t)n, SIDE_LOCAL, f->tx_at);
    e = mr_send_give(a->m, f->sock, buf, n, (unsigned)arg_number(c, 3), released, a);
    if (e == 0) {
        f->tx_at += (uint32_t)n;
        a->given += n;
    } else {
        free(buf);
    }
    return call_done(r, e);
}

enum call_status call_released(struct app *a, struct fd *f, const struct call_spec *c,
                               struct call_state *st, struct call_result *r)
{
    (void)f, (void)c, (void)st;
    return call_done(r, (int64_t)a->released);
}
