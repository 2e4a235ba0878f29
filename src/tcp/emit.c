/* One segment: header, payload, and what sending it changes. */
#include "tcp/tcp_int.h"

/* RFC 9293 3.7.1, SHLD-5: every SYN has an MSS. RFC 7323 2.2: its window is never scaled. The first
 * one settles our shift, and what it promises stands, whatever becomes of the buffer.  So does what
 * an ACK has promised before it, in a simultaneous open, even if that was more than fits here. */
static void syn_options(struct tcp *t, struct tcp_conn *c, struct tcp_seg *s)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    uint32_t clamp = cold ? cold->window_clamp : 0;
    bool synack = c->state == TCPS_SYN_RECEIVED;

    s->has_mss = true;
    s->mss = tcp_mss_to_announce(t, &c->key.raddr, c->key.lidx, cold ? cold->maxseg : 0);
    s->has_sack_ok = synack ? (c->flags & TF_SACK) != 0 : t->config.sack;
    s->has_wscale = synack ? (c->flags & TF_WSCALE) != 0 : t->config.window_scaling;
    if (s->has_wscale && seq_eq(c->snd_una, c->snd_max))
        c->scales =
            (uint8_t)(tcp_snd_scale(c) |
                      tcp_wscale_wanted(t, c->rcv_buf, c->flags & TF_RCVBUF_FIXED, clamp) << 4);
    s->wscale = (uint8_t)tcp_rcv_scale(c);
    s->has_ts = synack ? (c->flags & TF_TS) != 0 : t->config.timestamps;
    uint32_t wnd = max_u32(tcp_syn_wnd(tcp_rcv_space(c), clamp), tcp_rcv_wnd(c));
    s->wnd = (uint16_t)min_u32(wnd, 65535);
    c->rcv_adv = seq_add(c->rcv_nxt, wnd);
}

/* RFC 9293 3.8.5: the pointer is the distance to the octet after the urgent data (MUST-62); what is
 * too far points as far as it can. */
static void urgent_set(const struct tcp *t, const struct tcp_conn *c, struct tcp_seg *s)
{
    tcp_seq up = tcp_cold(t, c)->snd_up;

    if (seq_leq(up, s->seq))
        return;
    s->flags |= TH_URG;
    s->urp = (uint16_t)min_u32(seq_diff(up, s->seq), 65535);
}

static void sack_set(struct tcp *t, struct tcp_conn *c, struct tcp_seg *s)
{
    unsigned max = c->flags & TF_TS ? 3 : 4;
    struct tcp_loss *l = tcp_loss(t, c);

    s->nsack = (uint8_t)tcp_reass_blocks(t, c, s->sack, max);
    if (l && l->has_dsack) {
        t->stats.dsacks_out++;
        l->has_dsack = false;
    }
    /* A connection that only receives gets no ACKs that would retire it. */
    if (l && !l->nranges && !c->ooo && !tcp_in_recovery(c))
        tcp_loss_release(t, c);
}

/* RFC 9293 3.1. MUST-65: an MSS option, and the others that negotiate, only with a SYN. */
static void header_fill(struct tcp *t, struct tcp_conn *c, const struct tcp_plan *pl,
                        struct tcp_seg *s)
{
    s->seq = pl->seq;
    s->ack = c->rcv_nxt;
    s->sport = c->key.lport;
    s->dport = c->key.rport;
    s->flags = pl->flags;
    s->urp = 0;
    s->csum = 0;
    s->has_mss = s->has_wscale = s->has_sack_ok = false;
    s->has_ts = (c->flags & TF_TS) != 0;
    s->ts_val = t->now_ms + c->ts_offset;
    s->ts_ecr = pl->flags & TH_ACK ? c->ts_recent : 0;
    if (unlikely(pl->flags & TH_SYN)) {
        syn_options(t, c, s);
    } else {
        s->wnd = unlikely(c->cold) ? tcp_wnd_announce_own(t, c) : tcp_wnd_announce(t, c);
        if (unlikely(c->flags & TF_URG_SND))
            urgent_set(t, c, s);
    }
    if (!(pl->flags & TH_ACK))
        s->ack = seq_of(0);
}

/* RFC 9293 3.1, MUST-2: the pseudo-header's part; the NIC adds the segment, or ip_output does. */
static void csum_start(struct pkt *p, const struct ip_flow *f)
{
    uint16_t sum =
        csum_fold(ipv4_pseudo_sum(ip_v4(&f->src), ip_v4(&f->dst), IPPROTO_TCP_, pkt_total(p)));

    memcpy(p->data + 16, &sum, 2);
    p->flags |= PKT_CSUM_PARTIAL;
}

static void plan_cut(struct tcp_plan *pl, uint32_t len)
{
    if (len >= pl->len)
        return;
    pl->len = len;
    pl->flags &= (uint16_t) ~(TH_FIN | TH_PUSH);
}

/* RFC 6691: options take their room from the payload; SACK blocks come and go, so mss does not
 * count them. */
static void payload_attach(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl, struct pkt *p,
                           unsigned nsack)
{
    uint32_t off = seq_diff(pl->seq, tcp_data_start(c));
    uint32_t mss = nsack ? max_u32(c->mss, 8 * nsack + 4 + 8) - (8 * nsack + 4) : c->mss;

    if (pl->len > mss)
        plan_cut(pl, pl->len > c->mss ? pl->len - pl->len % mss : mss);
    plan_cut(pl, sndq_gather(&c->sndq, t->sbufs, off, pl->len, p, TCP_COPY_MAX));
    if (pl->len > mss)
        p->gso_size = (uint16_t)mss;
}

static void rtt_begin(struct tcp *t, struct tcp_conn *c, const struct tcp_plan *pl)
{
    if (c->flags & TF_RTT_TIMING)
        return;
    c->flags |= TF_RTT_TIMING;
    c->rtt_seq = pl->seq;
    c->rtt_start_us = (uint32_t)t->now;
}

/* What has been sent has changed the connection's state: RFC 9293 3.3.1's variables, RFC 6298 5.1.
 */
static void sent(struct tcp *t, struct tcp_conn *c, const struct tcp_plan *pl)
{
    uint32_t span = pl->len + (pl->flags & TH_SYN ? 1 : 0) + (pl->flags & TH_FIN ? 1 : 0);
    tcp_seq end = seq_add(pl->seq, span);

    c->last_ack_sent = c->rcv_nxt;
    c->flags &= ~(uint32_t)(TF_ACKNOW | TF_DELACK);
    tcp_timer_clear(c, TCPT_DELACK);
    if (span == 0) {
        t->stats.acks_out++;
        return;
    }
    if (pl->kind == TCP_SEND_PROBE) {
        /* The byte may be refused: when the window opens, sending begins with it again. */
        c->snd_max = seq_max(c->snd_max, end);
        c->snd_nxt = c->snd_una;
        tcp_persist_arm(t, c);
        return;
    }
    bool again = seq_lt(pl->seq, c->snd_max);
    if (again) {
        struct tcp_cold *own = tcp_cold_get(t, c);
        if (own)
            own->rexmits++;
        t->stats.rexmit_segs++;
        t->stats.rexmit_bytes += pl->len;
        c->flags &= ~(uint32_t)TF_RTT_TIMING; /* Karn: MUST-18 */
    } else {
        rtt_begin(t, c, pl);
    }
    if (pl->flags & TH_FIN)
        c->flags |= TF_FIN_SENT;
    if (pl->kind == TCP_SEND_NEW && seq_gt(end, c->snd_nxt))
        c->snd_nxt = end;
    if (seq_gt(end, c->snd_max))
        c->snd_max = end;
    if (unlikely(c->dupacks && !again && !tcp_in_recovery(c) && tcp_in_flight(c) > c->cc.cwnd))
        t->stats.limited_transmits++;
    if (!tcp_timer_is_set(c, TCPT_REXMT) || (c->flags & TF_PERSIST))
        tcp_rexmt_arm(t, c);
    const struct tcp_cold *cold = tcp_cold(t, c);
    if (unlikely(cold && cold->user_timeout_ms && !tcp_timer_is_set(c, TCPT_USER)))
        tcp_timer_set(t, c, TCPT_USER, (uint64_t)cold->user_timeout_ms * 1000);
}

/* The interface's MTU has shrunk below what we thought, or the route is gone: believe it;
 * retransmission will repeat what was lost. */
static void output_failed(struct tcp *t, struct tcp_conn *c, int err)
{
    if (err == MR_EMSGSIZE)
        tcp_mss_set(t, c);
    struct tcp_cold *cold = err == MR_ENETUNREACH ? tcp_cold_get(t, c) : NULL;
    if (cold)
        cold->soft_err = (int16_t)err;
}

/* In front of the payload; its length is known before it is written, except that of a SYN, which
 * carries no payload. */
static void header_emit(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *s,
                        struct pkt *p)
{
    if (unlikely(s->flags & TH_SYN)) {
        p->len = (uint32_t)tcp_emit(p->data, s, t->config.opt_order);
        return;
    }
    uint32_t hlen =
        TCP_HLEN + (c->flags & TF_TS ? TCP_TS_OPTLEN : 0) + (s->nsack ? 4 + 8u * s->nsack : 0);
    size_t written = tcp_emit(pkt_push(p, hlen), s, t->config.opt_order);
    MR_ASSERT(written == hlen);
}

void tcp_emit_segment(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl)
{
    struct pkt *p = pkt_get(t->tx);
    const struct tcp_cold *cold = tcp_cold(t, c);
    struct tcp_seg s;
    struct ip_flow f;

    MR_ASSERT(p != NULL);
    /* The payload goes behind the longest header there can be; the header in front of it, when its
     * length is known. */
    p->data += TCP_HLEN_MAX;
    s.nsack = 0;
    if (unlikely(c->loss && (c->flags & TF_SACK) && !(pl->flags & TH_SYN)))
        sack_set(t, c, &s);
    if (pl->len)
        payload_attach(t, c, pl, p, s.nsack);
    header_fill(t, c, pl, &s);
    header_emit(t, c, &s, p);
    f.src = *ip_laddr(t->ip, c->key.lidx);
    f.dst = c->key.raddr;
    f.nh = c->nh;
    f.proto = IPPROTO_TCP_;
    f.tos = c->tos;
    f.ttl = c->ttl;
    f.df = true;
    f.src_route_n = 0;
    if (unlikely(cold && cold->src_route_n)) {
        f.src_route_n = cold->src_route_n;
        memcpy(f.src_route, cold->src_route, sizeof(f.src_route));
    }
    csum_start(p, &f);
    t->stats.segs_out++;
    t->stats.bytes_out += pl->len;
    int err = ip_output(t->ip, p, &f, t->now);
    c->nh = f.nh;
    sent(t, c, pl);
    if (unlikely(err))
        output_failed(t, c, err);
}
