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
        tcp_data_input(t, c, in);
    return true;
}
