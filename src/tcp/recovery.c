/* Loss recovery: fast retransmit with SACK (RFC 6675) and without (RFC 6582), retransmission
 * time-outs (RFC 6298 5, RFC 5681 3.1).  RACK-TLP and PRR will stand beside them. */
#include "tcp/tcp_int.h"

const struct cc_ops *tcp_cc(const struct tcp_conn *c)
{
    return cc_ops((enum cc_kind)c->cc_kind);
}

/* RFC 6928 2; one segment if the SYN was lost (RFC 5681 3.1). */
uint32_t tcp_initial_window(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t segs = t->config.initial_window_segs;

    return min_u32(segs * c->mss, max_u32(2 * c->mss, segs * 1460));
}

/* RFC 9438 5.8, RFC 7661 4: a window that was not used is no evidence.  It was the limit if what
 * was out before this ACK came within two segments of it; in slow start, where it doubles, if half
 * was. */
bool tcp_app_limited(const struct tcp_conn *c, uint32_t acked)
{
    uint32_t out = tcp_in_flight(c) + acked;

    return (c->cc.cwnd < c->cc.ssthresh ? 2 * out : out + 2u * c->mss) < c->cc.cwnd;
}

struct cc_info tcp_cc_info(const struct tcp *t, const struct tcp_conn *c, uint32_t acked)
{
    uint32_t flight = tcp_in_flight(c);

    return (struct cc_info){
        .mss = c->mss,
        .flight = flight,
        .acked = acked,
        .srtt_us = c->srtt >> 3,
        .now_ms = t->now_ms,
        .app_limited = tcp_app_limited(c, acked),
    };
}

struct tcp_loss *tcp_loss_get(struct tcp *t, struct tcp_conn *c)
{
    if (c->loss)
        return tcp_loss(t, c);
    struct tcp_loss *l = pool_get(&t->losses);
    if (!l) {
        t->stats.no_scoreboard++;
        return NULL;
    }
    l->high_rxt = c->snd_una;
    l->rescue_done = l->has_dsack = false;
    l->nranges = l->nrecent = 0;
    l->sacked = 0;
    c->loss = mem_ref_of(t->arena, l);
    return l;
}

void tcp_loss_release(struct tcp *t, struct tcp_conn *c)
{
    if (c->loss)
        pool_put(&t->losses, tcp_loss(t, c));
    c->loss = MEM_NONE;
}

/* RFC 6675 5 (4), RFC 6582 3.2 (2): one reduction, then the first hole at once. */
static void recovery_enter(struct tcp *t, struct tcp_conn *c)
{
    struct cc_info i = tcp_cc_info(t, c, 0);
    struct tcp_loss *l = tcp_loss(t, c);
    bool sack = (c->flags & TF_SACK) && l && l->nranges;

    t->stats.fast_recoveries++;
    t->stats.sack_recoveries += sack;
    c->recover = c->snd_max;
    c->flags |= TF_RECOVERY | TF_REXMT_ONE;
    c->flags &= ~(uint32_t)TF_RTT_TIMING;
    tcp_cc(c)->loss(&c->cc, &i);
    if (sack) {
        l->high_rxt = c->snd_una;
        l->rescue_done = false;
    } else {
        c->cc.cwnd += TCP_DUP_THRESH * c->mss;
    }
    tcp_rexmt_arm(t, c);
    tcp_mark_output(t, c);
}

/* RFC 6582 3.2 (2): without SACK, duplicate ACKs that do not cover more than recover may be answers
 * to what was retransmitted needlessly. */
static bool may_enter(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_loss *l = tcp_loss(t, c);

    if (tcp_in_recovery(c))
        return false;
    if ((c->flags & TF_SACK) && l && tcp_sack_first_lost(c, l))
        return true;
    return c->dupacks >= TCP_DUP_THRESH &&
           (((c->flags & TF_SACK) && l) || seq_gt(c->snd_una, c->recover));
}

void tcp_dup_ack(struct tcp *t, struct tcp_conn *c)
{
    t->stats.dup_acks_in++;
    if (c->dupacks < UINT8_MAX)
        c->dupacks++;
    if (c->flags & TF_RECOVERY) {
        /* Without SACK each duplicate says that a segment has left the network: RFC 6582 3.2 (3).
         * At most what is outstanding: a peer that divides or repeats ACKs gains nothing. */
        const struct tcp_loss *l = tcp_loss(t, c);
        if (!(l && l->nranges) && c->cc.cwnd < tcp_in_flight(c) + c->cc.ssthresh)
            c->cc.cwnd += c->mss;
        tcp_mark_output(t, c);
        return;
    }
    if (may_enter(t, c))
        recovery_enter(t, c);
    else if (!tcp_in_recovery(c))
        tcp_mark_output(t, c); /* limited transmit, RFC 3042 */
}

static void recovery_leave(struct tcp_conn *c)
{
    if (c->flags & TF_RECOVERY) {
        /* RFC 6582 3.2 (3), full acknowledgment: no burst after the inflation. */
        c->cc.cwnd = min_u32(c->cc.ssthresh, max_u32(tcp_in_flight(c), c->mss) + c->mss);
        c->cc.cwnd = max_u32(c->cc.cwnd, 2 * c->mss);
    }
    c->flags &= ~(uint32_t)(TF_RECOVERY | TF_RTO_RECOVERY | TF_REXMT_ONE);
    c->dupacks = 0;
}

/* New data was acknowledged during a recovery. */
void tcp_recovery_ack(struct tcp *t, struct tcp_conn *c, uint32_t acked)
{
    if (c->flags & TF_RTO_RECOVERY) {
        /* RFC 3465 2.3: L=1 in the slow start that follows a time-out. */
        struct cc_info i = tcp_cc_info(t, c, min_u32(acked, c->mss));
        i.app_limited = false;
        tcp_cc(c)->ack(&c->cc, &i);
    }
    if (seq_geq(c->snd_una, c->recover)) {
        recovery_leave(c);
        return;
    }
    if (c->flags & TF_RTO_RECOVERY)
        return;
    /* A partial acknowledgment: the next hole is lost too (RFC 6582 3.2 (4)); with SACK, NextSeg
     * decides, but the hole at snd_una goes first if it was not retransmitted. */
    const struct tcp_loss *l = tcp_loss(t, c);
    if (l && l->nranges) {
        if (seq_leq(l->high_rxt, c->snd_una))
            c->flags |= TF_REXMT_ONE;
    } else {
        c->flags |= TF_REXMT_ONE;
        c->cc.cwnd = max_u32(c->cc.cwnd - min_u32(acked, c->cc.cwnd), c->mss);
        if (acked >= c->mss)
            c->cc.cwnd += c->mss;
    }
    tcp_rexmt_arm(t, c);
    tcp_mark_output(t, c);
}

/* The black hole test of RFC 2923 2.1, RFC 4821 7.7: full segments vanish while small ones pass.
 * After the second time-out of a full-sized segment try with less; if that gets through it stays.
 */
static void suspect_blackhole(struct tcp *t, struct tcp_conn *c)
{
    if (c->rxtshift < 2 || c->rxtshift > 4 || (c->flags & TF_SYN_QUEUED) ||
        c->mss <= TCP_MSS_DEFAULT || c->sndq.cc < c->mss)
        return;
    uint16_t less = c->rxtshift == 2 && c->mss > 1200 ? 1200 : TCP_MSS_DEFAULT;
    if (less < c->mss) {
        c->mss = less;
        t->stats.pmtu_blackholes++;
    }
}

/* RFC 9293 3.8.3 (b), MUST-20, SHLD-10: look for another next hop, and tell the application
 * (SHLD-9). */
#define R1 3u

static void r1_reached(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_cold *cold = tcp_cold_get(t, c);

    c->nh = NEIGH_NONE;
    if (!cold)
        return;
    if (!cold->soft_err)
        cold->soft_err = MR_ETIMEDOUT;
    tcp_mark_event(t, c, TCP_EV_SOFT_ERROR);
}

/* MUST-19, with cc: exponential back-off (tcp_rto_us), slow start and congestion avoidance.
 * RFC 6298 5.4-5.6; RFC 5681 3.1 (5): ssthresh only at a segment's first time-out, the loss window
 * is one segment. What was SACKed is forgotten (RFC 2018 8): the receiver may have taken it back.
 */
void tcp_rto_fired(struct tcp *t, struct tcp_conn *c)
{
    bool first = c->rxtshift == 0;
    struct tcp_loss *l = tcp_loss(t, c);

    t->stats.rto_fired++;
    if (c->rxtshift < RXTSHIFT_MAX)
        c->rxtshift++;
    suspect_blackhole(t, c);
    struct cc_info i = tcp_cc_info(t, c, 0);
    if (!(c->flags & TF_SYN_QUEUED))
        tcp_cc(c)->timeout(&c->cc, &i, first);
    c->flags &= ~(uint32_t)(TF_RECOVERY | TF_RTT_TIMING | TF_REXMT_ONE);
    c->flags |= TF_RTO_RECOVERY;
    c->recover = c->snd_max;
    c->snd_nxt = c->snd_una;
    c->dupacks = 0;
    if (l) {
        l->nranges = 0;
        l->sacked = 0;
        l->high_rxt = c->snd_una;
    }
    if (c->rxtshift == R1)
        r1_reached(t, c);
    tcp_rexmt_arm(t, c);
    tcp_mark_output(t, c);
}
