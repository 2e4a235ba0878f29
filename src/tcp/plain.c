/* What fast.c is to input: an undisturbed connection has one segment to send, which is all there
 * is, to a neighbour that is known.  The same bytes leave and the same things change as by output.c
 * and emit.c; it is only known beforehand how most questions end. */
#include "base/copy.h"
#include "tcp/tcp_int.h"

/* With one of these flags there may be another plan, or another header. */
#define DISTURBED                                                                                  \
    (TF_PROBE | TF_KEEP_PROBE | TF_REXMT_ONE | TF_RECOVERY | TF_RTO_RECOVERY | TF_SYN_QUEUED |     \
     TF_FIN_QUEUED | TF_URG_SND | TF_CORK | TF_MORE)

/* Is everything that is left one segment that may go now?  (output.c: plan_data, worth_sending,
 * restart_if_idle.) */
static inline bool may_go(const struct tcp *t, const struct tcp_conn *c, uint32_t left)
{
    uint32_t out = tcp_in_flight(c);

    if (left > c->mss || out + left > c->snd_wnd || out + left > c->cc.cwnd)
        return false;
    if (out > 0)
        return (c->flags & TF_NODELAY) || left == c->mss;
    return t->now_ms - c->rcv_time_ms < t->config.rto_min_us / 1000;
}

/* The payload, and what the checksum is so far with it; NULL: it lies in pieces. */
static inline struct pkt *payload_take(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    const uint8_t *at;
    struct sbuf *b = NULL;
    struct pkt *p;

    if (len > 0 && !(b = sndq_first(&c->sndq, t->sbufs, tcp_in_flight(c), len, &at)))
        return NULL;
    p = pkt_get(t->tx);
    MR_ASSERT(p != NULL);
    p->data += TCP_HLEN_MAX;
    if (len == 0)
        return p;
    if (len <= TCP_COPY_MAX && len <= pkt_tailroom(p)) {
        copy_short(p->data, at, len);
        p->len = len;
    } else {
        b->refs++;
        p->frags[0] = (struct pkt_frag){at, len, mem_ref_of(t->sbufs->arena, b)};
        p->nfrags = 1;
        p->frag_len = len;
    }
    return p;
}

/* RFC 9293 3.1, MUST-2: whole where the port cannot, else the pseudo-header's part. */
static inline void checksum_set(const struct tcp *t, struct pkt *p, bool offload, uint64_t header,
                                uint64_t pseudo, uint32_t hlen)
{
    uint64_t sum = pseudo;
    uint16_t field;

    if (offload) {
        field = csum_fold(pseudo);
        p->flags |= PKT_CSUM_PARTIAL;
    } else {
        sum += header;
        if (p->nfrags)
            sum = t->csum(p->frags[0].ptr, p->frag_len, sum);
        else if (p->len > hlen)
            sum = t->csum(p->data + hlen, p->len - hlen, sum);
        field = csum_finish(sum);
    }
    memcpy(p->data + 16, &field, sizeof(field));
}

static inline void emit(struct tcp *t, struct tcp_conn *c, struct pkt *p, struct neigh *n,
                        uint32_t len)
{
    struct tcp_seg s = {
        .seq = c->snd_max,
        .ack = c->rcv_nxt,
        .sport = c->key.lport,
        .dport = c->key.rport,
        .flags = len ? TH_ACK | TH_PUSH : TH_ACK,
        .wnd = tcp_wnd_announce(t, c),
        .has_ts = (c->flags & TF_TS) != 0,
        .ts_val = t->now_ms + c->ts_offset,
        .ts_ecr = c->ts_recent,
    };
    uint32_t hlen = s.has_ts ? TCP_HLEN + TCP_TS_OPTLEN : TCP_HLEN;
    be32 src = ip_v4(ip_laddr(t->ip, c->key.lidx)), dst = ip_v4(&c->key.raddr);
    uint64_t pseudo = ipv4_pseudo_sum(src, dst, IPPROTO_TCP_, hlen + len);
    uint64_t header = tcp_emit_plain(pkt_push(p, hlen), &s);

    checksum_set(t, p, t->ip->eth->netif[n->netif].tx_csum, header, pseudo, hlen);
    ip_output_plain(t->ip, p, n, IPPROTO_TCP_, c->tos, c->ttl, src, dst);
    t->stats.segs_out++;
    t->stats.bytes_out += len;
}

/* emit.c: sent. */
static inline void sent(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    c->last_ack_sent = c->rcv_nxt;
    c->flags &= ~(uint32_t)(TF_ACKNOW | TF_DELACK);
    tcp_timer_clear(c, TCPT_DELACK);
    if (len == 0) {
        t->stats.acks_out++;
        return;
    }
    if (!(c->flags & TF_RTT_TIMING)) {
        c->flags |= TF_RTT_TIMING;
        c->rtt_seq = c->snd_max;
        c->rtt_start_us = (uint32_t)t->now;
    }
    c->snd_nxt = c->snd_max = seq_add(c->snd_max, len);
    if (!tcp_timer_is_set(c, TCPT_REXMT) || (c->flags & TF_PERSIST))
        tcp_rexmt_arm(t, c);
}

/* Options that change a header or a timer; most of what is cold does neither. */
static inline bool has_own_options(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);

    return unlikely(cold) && (cold->src_route_n || cold->user_timeout_ms || cold->window_clamp);
}

bool tcp_plain_output(struct tcp *t, struct tcp_conn *c)
{
    uint32_t left;
    struct neigh *n;
    struct pkt *p;

    /* Not one expression: a compiler would load state and flags at once, and that load would wait
     * for the store of the flags just before. */
    if (c->flags & DISTURBED)
        return false;
    if (c->state != TCPS_ESTABLISHED || c->loss != MEM_NONE || c->dupacks ||
        !seq_eq(c->snd_nxt, c->snd_max) || has_own_options(t, c) || !tcp_may_transmit(t))
        return false;
    left = seq_diff(tcp_data_end(c), c->snd_nxt);
    if (left ? !may_go(t, c, left) : !(c->flags & TF_ACKNOW))
        return false;
    n = ip_plain_exit(t->ip, c->nh, left + TCP_HLEN + TCP_TS_OPTLEN + IPV4_HLEN);
    if (unlikely(!n) || !(p = payload_take(t, c, left)))
        return false;
    emit(t, c, p, n, left);
    sent(t, c, left);
    return true;
}
