/* Facts about connections and the context. */
#define _GNU_SOURCE 1 /* POLLRDHUP */
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kapi/kapi_int.h"

/* The kernel numbers the states of RFC 9293 from 1. */
static const char *const state_names[] = {
    "CLOSED", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2",   "TIME-WAIT",
    "CLOSED", "CLOSE-WAIT",  "LAST-ACK", "LISTEN",       "CLOSING",    "SYN-RECEIVED",
};

static uint32_t bytes(uint64_t segments, uint32_t mss)
{
    uint64_t n = segments * mss;

    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* The kernel's queue in front of the wire, and ours in front of it. */
static bool has_room(const struct ksock *s, short revents)
{
    size_t want = s->lowat > s->outq_max / 3 ? s->lowat : s->outq_max / 3;

    return (revents & POLLOUT) && (s->outq == 0 || s->outq + want <= s->outq_max);
}

static unsigned poll_tcp(struct ksock *s, short revents)
{
    unsigned r = 0;

    if (s->closed_said)
        return MR_CAN_RECV | MR_RECV_END | MR_SEND_END | MR_OVER | (s->err ? MR_HAS_ERROR : 0u);
    if (s->connecting)
        return 0;
    if (revents & (POLLIN | POLLHUP | POLLERR))
        r |= MR_CAN_RECV;
    if (s->eof || (revents & POLLRDHUP))
        r |= MR_RECV_END | MR_CAN_RECV;
    if (s->fin_asked)
        return r | (r & MR_RECV_END ? MR_SEND_END | MR_OVER : MR_SEND_END);
    if (has_room(s, revents))
        return r | MR_CAN_SEND;
    s->want_write = true;
    return r;
}

unsigned kapi_poll(struct mr *m, mr_sock h)
{
    struct ksock *s = ksock_get(kapi_of(m), h, KSOCK_FREE);

    if (s == NULL)
        return MR_OVER;
    struct pollfd p = {.fd = s->fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};
    if (poll(&p, 1, 0) < 0)
        return 0;
    unsigned urgent = p.revents & POLLPRI ? MR_URGENT_IN : 0u;
    if (s->kind == KSOCK_TCP)
        return urgent | poll_tcp(s, p.revents);
    unsigned r = p.revents & (POLLIN | POLLERR) ? MR_CAN_RECV : 0u;
    if (p.revents & POLLERR)
        r |= MR_HAS_ERROR;
    return s->kind == KSOCK_UDP && (p.revents & POLLOUT) ? r | MR_CAN_SEND : r;
}

int kapi_tcp_info(struct mr *m, mr_sock h, struct mr_tcp_info *out)
{
    struct ksock *s = ksock_get(kapi_of(m), h, KSOCK_FREE);
    struct tcp_info ti;
    socklen_t n = sizeof(ti);
    int in = 0, outq = 0;

    if (s == NULL)
        return MR_EBADF;
    memset(&ti, 0, sizeof(ti));
    if (s->kind == KSOCK_UDP)
        return MR_EOPNOTSUPP;
    if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &ti, &n) != 0)
        return kapi_err(errno);
    if (s->kind == KSOCK_TCP) {
        ioctl(s->fd, SIOCINQ, &in);
        ioctl(s->fd, SIOCOUTQ, &outq);
    }
    *out = (struct mr_tcp_info){
        .srtt_us = ti.tcpi_rtt,
        .rttvar_us = ti.tcpi_rttvar,
        .rto_us = ti.tcpi_rto,
        .snd_cwnd = bytes(ti.tcpi_snd_cwnd, ti.tcpi_snd_mss),
        .snd_ssthresh = bytes(ti.tcpi_snd_ssthresh, ti.tcpi_snd_mss),
        .snd_wnd = ti.tcpi_snd_wnd,
        .rcv_wnd = ti.tcpi_rcv_space, /* the window itself is not told by every kernel */
        .mss = ti.tcpi_snd_mss,
        .sndq = (uint32_t)outq + (uint32_t)s->outq,
        .rcvq = (uint32_t)in,
        .in_flight = bytes(ti.tcpi_unacked, ti.tcpi_snd_mss),
        .retransmits = ti.tcpi_total_retrans,
    };
    snprintf(out->state, sizeof(out->state), "%s",
             ti.tcpi_state < ARRAY_LEN(state_names) ? state_names[ti.tcpi_state] : "?");
    return MR_OK;
}

const char *kapi_status_json(struct mr *m)
{
    struct kapi *k = kapi_of(m);
    const struct kapi_counters *c = &k->count;

    snprintf(
        k->status, sizeof(k->status),
        "{\"net\":\"kernel\",\"sockets\":%" PRIu32 ",\"sockets_max\":%" PRIu32
        ",\"timers\":%" PRIu32 ",\"turns\":%" PRIu64 ",\"events\":%" PRIu64 ",\"accepts\":%" PRIu64
        ",\"connects\":%" PRIu64 ",\"recv_calls\":%" PRIu64 ",\"send_calls\":%" PRIu64
        ",\"rx_bytes\":%" PRIu64 ",\"tx_bytes\":%" PRIu64 ",\"rx_datagrams\":%" PRIu64
        ",\"tx_datagrams\":%" PRIu64 ",\"resets_seen\":%" PRIu64 "}",
        k->live_socks, k->max_socks, k->heap_n, c->turns, c->events, c->accepts, c->connects,
        c->recvs, c->sends, c->rx_bytes, c->tx_bytes, c->rx_dgrams, c->tx_dgrams, c->resets_seen);
    return k->status;
}
