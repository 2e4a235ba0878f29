/* What to send next: RFC 9293 3.7.4, 3.8.6; RFC 5681; RFC 6675 NextSeg.
 *
 * tcp_conn_output asks for one segment after another until there is nothing that may be sent now.
 * Each `plan_` function below is one reason to send. */
#include "tcp/tcp_int.h"

/* What the network may hold of ours: RFC 5681 3.1; two more on the first duplicate ACKs (RFC 3042,
 * limited transmit). */
static uint32_t cwnd_now(const struct tcp_conn *c)
{
    uint32_t cwnd = c->cc.cwnd;

    if (c->dupacks && !tcp_in_recovery(c))
        cwnd += min_u32(c->dupacks, 2) * c->mss;
    return cwnd;
}

/* Bytes between snd_una and snd_nxt that are still in the network, as far as we know. */
static uint32_t outstanding(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_loss *l = tcp_loss(t, c);
    uint32_t off = seq_diff(c->snd_nxt, c->snd_una);

    if (!l || !l->nranges)
        return off;
    if (c->flags & TF_RECOVERY)
        return tcp_sack_pipe(c, l);
    return off - min_u32(off, tcp_sack_below(l, c->snd_nxt));
}

static bool fin_is_due(const struct tcp_conn *c, tcp_seq seq)
{
    return (c->flags & TF_FIN_QUEUED) && seq_eq(seq, tcp_data_end(c));
}

static uint16_t ack_flag(const struct tcp_conn *c)
{
    return c->state == TCPS_SYN_SENT ? 0 : TH_ACK;
}

/* SYN, or SYN,ACK of a simultaneous open: first, and alone. */
static bool plan_syn(const struct tcp_conn *c, struct tcp_plan *pl)
{
    if (!seq_eq(c->snd_nxt, c->snd_una))
        return false;
    *pl = (struct tcp_plan){
        .seq = c->snd_una, .flags = (uint16_t)(TH_SYN | ack_flag(c)), .kind = TCP_SEND_NEW};
    return true;
}

/* Finish a plan for data at pl->seq: PSH with the last byte there is (MUST-60, MUST-61, SHLD-27),
 * FIN with the last of all. */
static void plan_flags(const struct tcp_conn *c, struct tcp_plan *pl)
{
    tcp_seq end = seq_add(pl->seq, pl->len);

    pl->flags = TH_ACK;
    if (pl->len && seq_eq(end, tcp_data_end(c)))
        pl->flags |= TH_PUSH;
    if (fin_is_due(c, end))
        pl->flags |= TH_FIN;
}

/* One segment that is thought lost, at snd_una: fast retransmit, partial ACK. */
static bool plan_rexmt_one(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl)
{
    struct tcp_loss *l = tcp_loss(t, c);
    uint32_t sent_len = min_u32(tcp_in_flight(c), c->sndq.cc);
    tcp_seq at = c->snd_una;

    if (!(c->flags & TF_REXMT_ONE))
        return false;
    c->flags &= ~(uint32_t)TF_REXMT_ONE;
    uint32_t hole = l && l->nranges ? tcp_sack_skip(l, &at) : UINT32_MAX;
    if (!seq_eq(at, c->snd_una) || !tcp_in_flight(c))
        return false;
    *pl = (struct tcp_plan){
        .seq = c->snd_una, .len = min_u32(min_u32(sent_len, c->mss), hole), .kind = TCP_SEND_REXMT};
    plan_flags(c, pl);
    if (pl->len == 0 && !(pl->flags & TH_FIN))
        return false;
    if (l)
        l->high_rxt = seq_max(l->high_rxt, seq_add(pl->seq, pl->len));
    return true;
}

static bool plan_hole(struct tcp_conn *c, struct tcp_loss *l, bool lost_only, struct tcp_plan *pl)
{
    if (!tcp_sack_next(c, l, lost_only, &pl->seq, &pl->len))
        return false;
    l->high_rxt = seq_add(pl->seq, pl->len);
    pl->len = min_u32(pl->len, seq_diff(tcp_data_end(c), pl->seq));
    pl->kind = TCP_SEND_REXMT;
    plan_flags(c, pl);
    return pl->len > 0;
}

/* RFC 6675 4, NextSeg (4): the last segment sent may be lost with nothing above it to tell. */
static bool plan_rescue(struct tcp_conn *c, struct tcp_loss *l, struct tcp_plan *pl)
{
    tcp_seq top = l->range[l->nranges - 1].end;
    tcp_seq end = seq_min(c->snd_max, tcp_data_end(c));

    if (l->rescue_done || !seq_lt(top, end) || seq_gt(l->high_rxt, top))
        return false;
    l->rescue_done = true;
    uint32_t len = min_u32(seq_diff(end, top), c->mss);
    *pl = (struct tcp_plan){.seq = seq_sub(end, len), .len = len, .kind = TCP_SEND_REXMT};
    plan_flags(c, pl);
    return true;
}

/* How much of the send queue may go at snd_nxt by the peer's window. */
static uint32_t room_by_peer(const struct tcp_conn *c)
{
    uint32_t off = seq_diff(c->snd_nxt, c->snd_una);

    return off < c->snd_wnd ? c->snd_wnd - off : 0;
}

/* And by the network's. It never cuts a segment (SHLD-28): the rest waits for the ACKs of what is
 * out. */
static uint32_t room_by_net(const struct tcp *t, const struct tcp_conn *c, uint32_t want)
{
    uint32_t out = outstanding(t, c);
    uint32_t cwnd = cwnd_now(c);
    uint32_t room = out < cwnd ? cwnd - out : 0;

    return room < want && out > 0 ? room - room % c->mss : room;
}

/* Sender's SWS avoidance and Nagle (MUST-38, SHLD-7, MUST-17; RFC 9293 3.8.6.2.1): a short segment
 * goes only if it is all there is and nothing is outstanding, or half of the largest window the
 * peer ever had, or again. */
static bool worth_sending(const struct tcp_conn *c, uint32_t len, bool all, bool fin)
{
    uint32_t half_wnd = ((uint32_t)c->wnd_max << tcp_snd_scale(c)) / 2;
    bool idle = seq_eq(c->snd_una, c->snd_max);

    if (len >= c->mss || seq_lt(c->snd_nxt, c->snd_max) || (c->flags & TF_PROBE))
        return true;
    if (all && fin)
        return true;
    if (all && (idle || (c->flags & TF_NODELAY)) && !(c->flags & (TF_CORK | TF_MORE)))
        return true;
    return len >= half_wnd && half_wnd > 0;
}

/* The most one packet may carry: one segment, or many for a port that cuts them. */
static uint32_t segment_max(const struct tcp *t, const struct tcp_conn *c)
{
    const struct neigh *n = c->nh ? eth_neigh(t->ip->eth, c->nh) : NULL;
    uint32_t tso = n ? t->ip->eth->netif[n->netif].tso_max : 0;

    if (tso < 2u * c->mss || (c->flags & (TF_URG_SND | TF_RTO_RECOVERY)))
        return c->mss;
    tso = min_u32(tso, 65535 - IPV4_HLEN_MAX - TCP_HLEN_MAX);
    return tso - tso % c->mss;
}

/* RFC 9293 3.8.6.1, MUST-36: data waits, nothing is outstanding, so no ACK will come: probe until
 * the window opens. */
static void wait_for_window(struct tcp *t, struct tcp_conn *c)
{
    if (!tcp_in_flight(c) && !tcp_timer_is_set(c, TCPT_REXMT))
        tcp_persist_arm(t, c);
}

/* The next bytes in order, new or after a time-out again; the FIN with or behind them. */
static bool plan_data(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl)
{
    struct tcp_loss *l = tcp_loss(t, c);
    uint32_t hole = UINT32_MAX;

    if (l && l->nranges && seq_lt(c->snd_nxt, c->snd_max))
        hole = tcp_sack_skip(l, &c->snd_nxt);
    if (seq_gt(c->snd_nxt, tcp_data_end(c)))
        return false; /* the FIN is out */
    uint32_t left = seq_diff(tcp_data_end(c), c->snd_nxt);
    uint32_t len = min_u32(min_u32(left, room_by_peer(c)), hole);
    len = min_u32(len, room_by_net(t, c, len));
    bool fin = (c->flags & TF_FIN_QUEUED) && len == left;
    if (left == 0 && !fin)
        return false;
    if (len > c->mss) {
        uint32_t most = segment_max(t, c);
        fin &= len <= most;
        len = min_u32(len, most);
        if (len < left)
            len -= len % c->mss; /* the window's edge need not cut a segment */
    }
    if ((len == 0 && left) || !worth_sending(c, len, len == left, fin)) {
        wait_for_window(t, c);
        return false;
    }
    /* A lone FIN needs no window, but is sent only once. */
    if (len == 0 && (c->flags & TF_FIN_SENT) && seq_eq(c->snd_nxt, c->snd_max))
        return false;
    *pl = (struct tcp_plan){.seq = c->snd_nxt, .len = len, .kind = TCP_SEND_NEW};
    plan_flags(c, pl);
    return true;
}

/* RFC 6675 5 (C): while the pipe has room, the best thing to send. */
static bool plan_sack_recovery(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl)
{
    struct tcp_loss *l = tcp_loss(t, c);

    if (!(c->flags & TF_RECOVERY) || !l || !l->nranges)
        return plan_data(t, c, pl);
    uint32_t pipe = tcp_sack_pipe(c, l);
    if (pipe + c->mss > c->cc.cwnd)
        return false;
    return plan_hole(c, l, true, pl) || plan_data(t, c, pl) || plan_hole(c, l, false, pl) ||
           plan_rescue(c, l, pl);
}

/* A window probe: the next byte, whether the window allows it or not (MUST-35); a corked or
 * SWS-held segment as it is. */
static bool plan_probe(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl)
{
    bool keep = c->flags & TF_KEEP_PROBE;
    uint32_t off = seq_diff(c->snd_nxt, c->snd_una);

    if (!(c->flags & (TF_PROBE | TF_KEEP_PROBE)))
        return false;
    if (keep) {
        /* RFC 9293 3.8.4, SHLD-12: no data, a number that is surely old, so that an ACK must come.
         */
        c->flags &= ~(uint32_t)TF_KEEP_PROBE;
        t->stats.keep_probes++;
        *pl =
            (struct tcp_plan){.seq = seq_sub(c->snd_una, 1), .flags = TH_ACK, .kind = TCP_SEND_ACK};
        return true;
    }
    c->flags &= ~(uint32_t)(TF_PROBE | TF_MORE);
    if (c->sndq.cc == 0)
        return false;
    if (c->snd_wnd == 0) {
        t->stats.persist_probes++;
        *pl =
            (struct tcp_plan){.seq = c->snd_una, .len = 1, .flags = TH_ACK, .kind = TCP_SEND_PROBE};
        return true;
    }
    uint32_t left = c->sndq.cc > off ? c->sndq.cc - off : 0;
    uint32_t room = c->snd_wnd > off ? c->snd_wnd - off : 0;
    *pl = (struct tcp_plan){
        .seq = c->snd_nxt, .len = min_u32(min_u32(left, room), c->mss), .kind = TCP_SEND_NEW};
    plan_flags(c, pl);
    return pl->len > 0;
}

static bool plan_ack(const struct tcp_conn *c, struct tcp_plan *pl)
{
    if (!(c->flags & TF_ACKNOW))
        return false;
    *pl = (struct tcp_plan){.seq = c->snd_max, .flags = TH_ACK, .kind = TCP_SEND_ACK};
    return true;
}

/* RFC 5681 4.1: idle so long that no ACKs are left to clock us: restart slowly. */
static void restart_if_idle(struct tcp *t, struct tcp_conn *c)
{
    if (!seq_eq(c->snd_una, c->snd_max) || c->sndq.cc == 0 ||
        t->now_ms - c->rcv_time_ms < t->config.rto_min_us / 1000)
        return;
    if ((uint64_t)(t->now_ms - c->rcv_time_ms) * 1000 < tcp_rto_us(t, c))
        return;
    struct cc_info i = tcp_cc_info(t, c, 0);
    tcp_cc(c)->restart(&c->cc, &i, tcp_initial_window(t, c));
}

static bool plan_next(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl)
{
    const uint32_t special = TF_PROBE | TF_KEEP_PROBE | TF_REXMT_ONE | TF_RECOVERY | TF_SYN_QUEUED;

    if (likely(!(c->flags & special)))
        return plan_data(t, c, pl) || plan_ack(c, pl);
    if (c->flags & TF_SYN_QUEUED)
        return plan_syn(c, pl) || (c->state == TCPS_FIN_WAIT_1 && plan_data(t, c, pl)) ||
               plan_ack(c, pl);
    return plan_probe(t, c, pl) || plan_rexmt_one(t, c, pl) || plan_sack_recovery(t, c, pl) ||
           plan_ack(c, pl);
}

/* All that was queued is sent and nothing special is asked for: there can be no other plan. */
static bool is_quiet(const struct tcp_conn *c)
{
    return seq_eq(c->snd_nxt, tcp_data_end(c)) &&
           !(c->flags & (TF_ACKNOW | TF_PROBE | TF_KEEP_PROBE | TF_REXMT_ONE | TF_RECOVERY |
                         TF_RTO_RECOVERY | TF_FIN_QUEUED | TF_SYN_QUEUED));
}

bool tcp_may_transmit(const struct tcp *t)
{
    return pool_available(&t->tx->descs) > 0 && t->ip->eth->txq.n < t->ip->eth->limits.txq;
}

/* True: nothing more to send now. False: its share of this turn, or the packets, are used up; call
 * again. */
bool tcp_conn_output(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_plan pl;
    /* One turn sends no more than this of one connection: the others have a right to the queue too.
     */
    unsigned burst = BURST_MAX;

    if (likely(tcp_plain_output(t, c)))
        return true;
    if (unlikely(c->flags & TF_AWAY) && c->state == TCPS_SYN_SENT && tcp_away_waits(t, &c->key))
        return true; /* home's answer marks it again */
    restart_if_idle(t, c);
    for (;;) {
        /* Making a plan uses it up: ask for room first. */
        if (burst-- == 0 || !tcp_may_transmit(t))
            return false;
        if (!plan_next(t, c, &pl))
            return true;
        tcp_emit_segment(t, c, &pl);
        if (likely(is_quiet(c)))
            return true;
    }
}
