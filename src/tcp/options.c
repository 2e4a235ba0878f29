/* What a SYN negotiates, and what follows from it: segment size, window scale, timestamps, initial
 * numbers. */
#include "tcp/tcp_int.h"

/* RFC 6528, MUST-8, SHLD-1, MUST-9: a 4 us clock plus a keyed PRF of the connection's identity. */
tcp_seq tcp_isn(const struct tcp *t, const struct flow_key *k)
{
    if (t->config.isn_fixed)
        return seq_of(t->config.isn_offset);
    uint32_t clock = (uint32_t)(t->now / 4);
    tcp_seq isn =
        seq_of((uint32_t)siphash(&t->isn_key, k, sizeof(*k)) + clock + t->config.isn_offset);
    return t->iss_min.v && seq_lt(isn, t->iss_min) ? t->iss_min : isn;
}

/* RFC 7323 5.4: each connection's timestamp clock starts at a number of its own; the same pair of
 * ends always has the same one, so that timestamps go on growing from one connection to the next
 * (RFC 6191). */
uint32_t tcp_ts_offset(const struct tcp *t, const struct flow_key *k)
{
    return (uint32_t)siphash(&t->ts_key, k, sizeof(*k));
}

/* RFC 9293 3.7.1, MUST-14, MUST-67: what we can receive in one segment: MTU less the fixed headers
 * (RFC 6691). An interface has one MTU for all its packets, so it is the smallest too (SHLD-6). */
uint16_t tcp_mss_to_announce(struct tcp *t, const struct ip_addr *raddr, uint16_t lidx,
                             uint16_t limit)
{
    struct ip_route_info r;
    uint32_t mss = TCP_MSS_DEFAULT;

    if (ip_route(t->ip, raddr, ip_laddr(t->ip, lidx), &r))
        mss = t->ip->eth->netif[r.netif].mtu - IPV4_HLEN - TCP_HLEN;
    if (t->config.mss_max)
        mss = min_u32(mss, t->config.mss_max);
    if (limit)
        mss = min_u32(mss, limit);
    return (uint16_t)min_u32(mss, 65495);
}

/* An option of a few bytes would make every segment mostly header, or the payload negative
 * (CVE-2018-16523, CVE-2019-11479). MUST-15: none at all means 536. */
uint16_t tcp_mss_clamp(const struct tcp_seg *s)
{
    return s->has_mss ? (uint16_t)max_u32(s->mss, TCP_MSS_MIN) : TCP_MSS_DEFAULT;
}

/* RFC 9293 3.7.1, MUST-16: Eff.snd.MSS = min(SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize. */
void tcp_mss_set(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    struct ip_route_info r;
    uint32_t mss = c->mss_peer;
    uint32_t options = c->flags & TF_TS ? TCP_TS_OPTLEN : 0;

    if (ip_route(t->ip, &c->key.raddr, ip_laddr(t->ip, c->key.lidx), &r))
        mss = min_u32(mss, r.mtu - IPV4_HLEN - TCP_HLEN);
    if (cold && cold->maxseg)
        mss = min_u32(mss, cold->maxseg);
    if (cold && cold->src_route_n)
        options +=
            (4u * (cold->src_route_n - 1) + 3 + 3) & ~3u; /* the last hop is the destination */
    c->mss = (uint16_t)max_u32(mss - min_u32(options, mss), TCP_MSS_MIN - TCP_TS_OPTLEN);
}

/* RFC 7323 2.2: the least shift with which the largest buffer can be announced. */
unsigned tcp_wscale_wanted(const struct tcp *t, uint32_t rcv_buf, bool fixed, uint32_t clamp)
{
    uint32_t most = fixed ? rcv_buf : max_u32(rcv_buf, t->config.rcvbuf_max);
    unsigned scale = 0;

    if (clamp)
        most = min_u32(most, clamp);
    while (scale < 14 && (65535u << scale) < most)
        scale++;
    return scale;
}

/* Both SYNs are acknowledged: RFC 9293's ESTABLISHED. */
void tcp_established(struct tcp *t, struct tcp_conn *c)
{
    bool syn_lost = c->rxtshift > 0;

    tcp_set_state(t, c, TCPS_ESTABLISHED);
    tcp_mss_set(t, c);
    /* RFC 5681 3.1: a lost SYN makes the initial window one segment; RFC 6298 5.7: and the RTO 3 s,
     * unless an RTT was measured. */
    c->cc.cwnd = syn_lost ? c->mss : tcp_initial_window(t, c);
    if (syn_lost && c->srtt == 0)
        c->rttvar = 3 * USEC_PER_SEC;
    c->flags &= ~(uint32_t)TF_RTO_RECOVERY;
    if (c->flags & TF_KEEPALIVE)
        tcp_keep_arm(t, c);
    if (!(c->flags & TF_ACCEPTING))
        tcp_mark_event(t, c, TCP_EV_CONNECTED);
    if ((c->flags & TF_WANT_WRITE) && c->sndq.cc == 0) {
        /* Refused for want of memory; no ACK of data will come to wake the writer. */
        c->flags &= ~(uint32_t)TF_WANT_WRITE;
        tcp_mark_event(t, c, TCP_EV_WRITABLE);
    }
    if (c->flags & TF_FIN_QUEUED) /* closed before it was open */
        tcp_set_state(t, c, TCPS_FIN_WAIT_1);
    if (c->sndq.cc || (c->flags & TF_FIN_QUEUED))
        tcp_mark_output(t, c);
}
