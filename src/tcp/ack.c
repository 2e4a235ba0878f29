/* Acknowledgements: RFC 9293 3.10.7.4 fifth, RFC 5681, RFC 5961 5. */
#include "tcp/tcp_int.h"

/* RFC 9293 3.10.7.4: SND.WL1 and SND.WL2 keep old segments from updating the window.  An ACK below
 * snd_una is older than the segment that moved it; one at snd_una is not older than SND.WL2.
 * MUST-1: the window is unsigned; MUST-34: it may shrink. */
void tcp_wnd_update(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    uint32_t wnd = (uint32_t)s->wnd << tcp_snd_scale(c);
    uint32_t was = c->snd_wnd;

    if (seq_gt(c->snd_wl1, s->seq) || seq_lt(s->ack, c->snd_una))
        return;
    c->snd_wl1 = s->seq;
    c->snd_wnd = wnd;
    if (s->wnd > c->wnd_max)
        c->wnd_max = s->wnd;
    if (was < wnd && (c->sndq.cc || (c->flags & TF_FIN_QUEUED))) {
        if (c->flags & TF_PERSIST) {
            tcp_timer_clear(c, TCPT_REXMT);
            c->flags &= ~(uint32_t)TF_PERSIST;
            c->rxtshift = 0;
        }
        tcp_mark_output(t, c);
    }
}

/* Send buffer auto-tuning: a buffer that is full while the window it serves is not will only hold
 * the connection back. */
static void snd_tune(struct tcp *t, struct tcp_conn *c)
{
    if ((c->flags & TF_SNDBUF_FIXED) || c->snd_buf >= t->config.sndbuf_max)
        return;
    if (c->sndq.cc >= c->snd_buf - c->snd_buf / 8 && c->cc.cwnd >= c->snd_buf / 2 &&
        c->snd_wnd >= c->snd_buf / 2)
        c->snd_buf = min_u32(c->snd_buf * 2, t->config.sndbuf_max);
}

/* Everything acknowledged up to s->ack: the queue, the timers.  RFC 6298 5.2, 5.3. */
static void una_advance(struct tcp *t, struct tcp_conn *c, tcp_seq ack)
{
    uint32_t acked = seq_diff(ack, c->snd_una);
    uint32_t data = acked;

    if (c->flags & TF_SYN_QUEUED) {
        c->flags &= ~(uint32_t)TF_SYN_QUEUED;
        data--;
    }
    data = min_u32(data, c->sndq.cc); /* one more is the FIN */
    if (data)
        sndq_drop(&c->sndq, t->sbufs, data);
    c->snd_una = ack;
    c->snd_wnd -= min_u32(acked, c->snd_wnd); /* the right edge stays until an update moves it */
    if (!tcp_in_recovery(c) && seq_diff(ack, c->recover) > 1u << 30)
        c->recover = seq_sub(ack, 1); /* long behind: it must not seem ahead when numbers wrap */
    if (seq_lt(c->snd_nxt, ack))
        c->snd_nxt = ack;
    if ((c->flags & TF_URG_SND) && seq_leq(tcp_cold(t, c)->snd_up, ack))
        c->flags &= ~(uint32_t)TF_URG_SND;
    c->rxtshift = 0;
    if (seq_eq(ack, c->snd_max))
        tcp_timer_clear(c, TCPT_REXMT);
    else
        tcp_rexmt_arm(t, c);
    struct tcp_cold *cold = tcp_cold(t, c);
    bool lingers = cold && (c->flags & TF_DETACHED) && cold->linger_s > 0;
    if (unlikely(cold && cold->user_timeout_ms && !lingers)) {
        tcp_timer_clear(c, TCPT_USER);
        if (!seq_eq(ack, c->snd_max))
            tcp_timer_set(t, c, TCPT_USER, (uint64_t)cold->user_timeout_ms * 1000);
    }
}

/* The scoreboard is worth its memory only while there is something on it. */
static void loss_retire(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_loss *l = tcp_loss(t, c);

    if (l->nranges == 0 && !tcp_in_recovery(c) && !c->ooo && !l->has_dsack)
        tcp_loss_release(t, c);
}

/* A range that begins where the ACK ends should have been acknowledged with it: the receiver has
 * taken a SACK back (RFC 2018 8). Only counted: the time-out forgets the scoreboard. */
static void scoreboard_advance(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_loss *l = tcp_loss(t, c);

    tcp_sack_advance(c, l);
    if (l->nranges && seq_eq(l->range[0].start, c->snd_una))
        t->stats.sack_reneged++;
}

void tcp_ack_new(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    uint32_t acked = seq_diff(s->ack, c->snd_una);

    tcp_rtt_ack(t, c, s);
    snd_tune(t, c);
    bool limited = tcp_app_limited(c, 0);
    if (!tcp_in_recovery(c) && !(limited && c->flags & TF_APP_LIMITED)) {
        struct cc_info i = tcp_cc_info(t, c, acked);
        i.flight -= acked;
        i.app_limited = limited;
        tcp_cc(c)->ack(&c->cc, &i);
    }
    c->flags = limited ? c->flags | TF_APP_LIMITED : c->flags & ~(uint32_t)TF_APP_LIMITED;
    if (!tcp_in_recovery(c))
        c->dupacks = 0;
    una_advance(t, c, s->ack);
    if (unlikely(c->loss != MEM_NONE))
        scoreboard_advance(t, c);
    if (unlikely(tcp_in_recovery(c)))
        tcp_recovery_ack(t, c, acked);
    if (unlikely(c->loss != MEM_NONE))
        loss_retire(t, c);
    eth_neigh_confirm(t->ip->eth, c->nh, t->now);
    if (unlikely(c->flags & TF_WANT_WRITE))
        tcp_writer_wake(t, c);
    if (c->sndq.cc || (c->flags & (TF_FIN_QUEUED | TF_FIN_SENT)) == TF_FIN_QUEUED)
        tcp_mark_output(t, c);
}

/* RFC 5681 2: what makes an ACK a duplicate; with SACK, one that brings news is enough (RFC 6675
 * 2). */
static bool is_duplicate(const struct tcp_conn *c, const struct tcp_seg *s, uint32_t wnd_was,
                         bool sack_news)
{
    if (!tcp_in_flight(c) || (c->flags & TF_PERSIST) || s->len || (s->flags & (TH_SYN | TH_FIN)))
        return false;
    if ((c->flags & TF_SACK) && (c->loss || !s->nsack)) /* no scoreboard left: as without SACK */
        return sack_news;
    return ((uint32_t)s->wnd << tcp_snd_scale(c)) == wnd_was;
}

/* An orphan does not wait for ever; false: it does not wait at all. */
static bool fin_wait_2_enter(struct tcp *t, struct tcp_conn *c)
{
    bool orphan = c->flags & TF_DETACHED;

    if (orphan && !tcp_may_fin_wait_2(t, c)) {
        tcp_reset_send(t, c);
        tcp_conn_end(t, c, MR_ECONNABORTED);
        return false;
    }
    tcp_set_state(t, c, TCPS_FIN_WAIT_2);
    tcp_timer_clear(c, TCPT_USER); /* the linger time: all is through */
    if (orphan)
        tcp_fin_wait_2_arm(t, c);
    return true;
}

/* Our FIN is acknowledged: RFC 9293 3.10.7.4, fifth, the closing states.  False: the connection is
 * no more. */
static bool fin_acked(struct tcp *t, struct tcp_conn *c)
{
    switch (c->state) {
    case TCPS_FIN_WAIT_1:
        return fin_wait_2_enter(t, c);
    case TCPS_CLOSING:
        tcp_tw_enter(t, c);
        return false;
    case TCPS_LAST_ACK:
        t->stats.closed++;
        tcp_conn_end(t, c, 0);
        return false;
    default:
        return true;
    }
}

bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;
    uint32_t wnd_was = c->snd_wnd;
    uint32_t wnd_max = (uint32_t)c->wnd_max << tcp_snd_scale(c);
    bool sack_news = false;

    /* RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, or it is an attack or a ghost. An
     * ACK beyond snd_max is an optimistic one (Savage 1999): it moves nothing. */
    if (seq_gt(s->ack, c->snd_max) || seq_lt(s->ack, seq_sub(c->snd_una, wnd_max))) {
        tcp_challenge_ack(t, c);
        tcp_drop(in, &t->stats.drop_bad_ack);
        return false;
    }
    if ((c->flags & TF_SACK) && s->nsack && tcp_in_flight(c))
        sack_news = tcp_sack_input(t, c, s);
    bool una_moves = seq_gt(s->ack, c->snd_una);
    if (una_moves)
        tcp_ack_new(t, c, s);
    else if (seq_eq(s->ack, c->snd_una) && is_duplicate(c, s, wnd_was, sack_news))
        tcp_dup_ack(t, c);
    else if (sack_news && tcp_in_recovery(c))
        tcp_mark_output(t, c);
    if (!in->old)
        tcp_wnd_update(t, c, s);
    if (una_moves && sack_news && !tcp_in_recovery(c) && c->loss &&
        tcp_sack_first_lost(c, tcp_loss(t, c)))
        tcp_dup_ack(t, c);
    if (una_moves && (c->flags & TF_FIN_SENT) && seq_eq(c->snd_una, c->snd_max) &&
        c->sndq.cc == 0 && !fin_acked(t, c))
        return false;
    return true;
}
