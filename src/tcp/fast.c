/* Header prediction: the next segment in order of an undisturbed connection, which is nearly every
 * segment.  It takes the same steps as segment.c, through the same functions; it only knows
 * beforehand how most of them end. */
#include "tcp/tcp_int.h"

#define DISTURBED (TF_RECOVERY | TF_RTO_RECOVERY)

static bool is_predicted(const struct tcp_conn *c, const struct tcp_seg *s)
{
    if (c->state != TCPS_ESTABLISHED || (c->flags & DISTURBED) || c->ooo || c->loss || s->nsack ||
        (s->flags & (TH_SYN | TH_FIN | TH_RST | TH_URG | TH_ACK)) != TH_ACK)
        return false;
    if (!seq_eq(s->seq, c->rcv_nxt) || s->len > tcp_rcv_wnd(c) || !seq_eq(c->snd_nxt, c->snd_max))
        return false;
    if (seq_lt(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_max))
        return false;
    /* An ACK that moves nothing may be a duplicate: the long way. */
    return s->len || !seq_eq(s->ack, c->snd_una);
}

/* data.c's steps for a payload that stays where it lies and joins nothing. */
static inline void data_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct pkt *p = in->p;
    uint32_t len = in->s->len;

    if (unlikely(pkt_pool_is_low(p->pool) || (p->flags & PKT_COPIED))) {
        tcp_data_input(t, c, in);
        return;
    }
    in->p = NULL;
    tcp_rcv_tune(t, c, in->s, len);
    c->rcv_nxt = seq_add(c->rcv_nxt, len);
    t->stats.bytes_in += len;
    rcvq_append(&c->rcvq, p);
    tcp_mark_event(t, c, TCP_EV_READABLE);
    tcp_ack_data(t, c, len);
}

bool tcp_fast_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;

    if (!is_predicted(c, s))
        return false;
    if (c->flags & TF_TS) {
        if (!s->has_ts || seq_lt(seq_of(s->ts_val), seq_of(c->ts_recent)))
            return false;
        tcp_ts_update(c, s);
    }
    t->stats.fast_path++;
    c->rcv_time_ms = t->now_ms;
    bool una_moves = !seq_eq(s->ack, c->snd_una);
    if (una_moves)
        tcp_ack_new(t, c, s);
    tcp_wnd_update(t, c, s);
    if (s->len)
        data_input(t, c, in);
    return true;
}
