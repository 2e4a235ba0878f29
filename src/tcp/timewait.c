/* TIME-WAIT: RFC 9293 3.10.7.4 for this state, RFC 6191, RFC 1337.
 *
 * 64 bytes a connection, on one list in order of expiry: every stay is 2 MSL long, so the order of
 * entering is the order of leaving, and one timer serves all. */
#include "tcp/tcp_int.h"

static struct tcp_tw *tw_at(const struct tcp *t, mem_ref r)
{
    return mem_ptr(t->arena, r);
}

static void tw_append(struct tcp *t, struct tcp_tw *w)
{
    mem_ref r = mem_ref_of(t->arena, w);

    w->expires = tick_ceil(t->now) + ticks_of_us(UINT64_C(2000) * t->config.msl_ms); /* MUST-13 */
    w->next = MEM_NONE;
    w->prev = t->tw_tail;
    if (t->tw_tail)
        tw_at(t, t->tw_tail)->next = r;
    else
        t->tw_head = r;
    t->tw_tail = r;
    if (!timer_is_armed(&t->tw_timer))
        wheel_arm(t->wheel, &t->tw_timer, tw_at(t, t->tw_head)->expires);
}

static void tw_remove(struct tcp *t, struct tcp_tw *w)
{
    if (w->prev)
        tw_at(t, w->prev)->next = w->next;
    else
        t->tw_head = w->next;
    if (w->next)
        tw_at(t, w->next)->prev = w->prev;
    else
        t->tw_tail = w->prev;
}

void tcp_tw_free(struct tcp *t, struct tcp_tw *w)
{
    tw_remove(t, w);
    flow_unlink(&t->flows, (struct flow_node *)(void *)w);
    if (w->away)
        tcp_away_end(t, &w->key);
    pool_put(&t->tws, w);
}

void tcp_tw_timer(struct tcp *t)
{
    tick now = tick_floor(t->now);

    while (t->tw_head && tick_leq(tw_at(t, t->tw_head)->expires, now))
        tcp_tw_free(t, tw_at(t, t->tw_head));
    if (t->tw_head)
        wheel_arm(t->wheel, &t->tw_timer, tw_at(t, t->tw_head)->expires);
}

static struct tcp_tw *tw_get(struct tcp *t)
{
    if (pool_available(&t->tws) == 0 && t->tw_head) {
        t->stats.time_wait_evicted++;
        tcp_tw_free(t, tw_at(t, t->tw_head));
    }
    return pool_get(&t->tws);
}

static void tw_reply(struct tcp *t, const struct tcp_tw *w)
{
    struct tcp_seg s = {
        .seq = w->snd_nxt,
        .ack = w->rcv_nxt,
        .sport = w->key.lport,
        .dport = w->key.rport,
        .flags = TH_ACK,
        .wnd = (uint16_t)w->rcv_wnd,
        .has_ts = w->has_ts,
        .ts_val = t->now_ms + w->ts_offset,
        .ts_ecr = w->ts_recent,
    };

    tcp_reply(t, &w->key, &s, w->tos);
    t->stats.acks_out++;
}

/* The connection becomes 64 bytes; the last ACK it owed is sent from them. Its handle, unless
 * closed already, sees an orderly end. */
void tcp_tw_enter(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_tw *w = tw_get(t);
    bool owes_ack = c->flags & (TF_ACKNOW | TF_DELACK);

    tcp_set_state(t, c, TCPS_TIME_WAIT);
    t->stats.time_waits++;
    t->stats.closed++;
    if (w) {
        *w = (struct tcp_tw){
            .key = c->key,
            .kind = FLOW_TIME_WAIT,
            .rcv_scale = (uint8_t)tcp_rcv_scale(c),
            .has_ts = (c->flags & TF_TS) != 0,
            .away = (c->flags & TF_AWAY) != 0,
            .tos = c->tos,
            .snd_nxt = c->snd_max,
            .rcv_nxt = c->rcv_nxt,
            .rcv_wnd = min_u32(tcp_rcv_wnd(c) >> tcp_rcv_scale(c), 65535),
            .ts_recent = c->ts_recent,
            .ts_offset = c->ts_offset,
        };
    }
    if (w && w->away)
        tcp_away_waiting(t, &c->key);
    if (w)
        c->flags &= ~TF_AWAY; /* it stays away, as w */
    tcp_conn_end(t, c, 0);
    if (!w)
        return;
    if (!flow_link(&t->flows, (struct flow_node *)(void *)w)) {
        if (w->away)
            tcp_away_end(t, &w->key);
        pool_put(&t->tws, w);
        return;
    }
    tw_append(t, w);
    if (owes_ack)
        tw_reply(t, w);
}

/* Its peer may be alive, and is told when it speaks: a RST that is sent unasked must hit exactly
 * the number it awaits, of which we know only the bounds; and who is home now says nothing while
 * homes move. */
void tcp_past_keep(struct tcp *t, const struct tcp_past *p, instant now)
{
    const struct home *h = &t->ip->eth->cores->home;
    struct tcp_tw *w;

    t->now = now;
    if (flow_find(&t->flows, &p->key, flow_hash(&t->flows, &p->key)) || !(w = tw_get(t)))
        return;
    *w = (struct tcp_tw){
        .key = p->key,
        .kind = FLOW_TIME_WAIT,
        .past = true,
        .has_ts = p->has_ts,
        .snd_nxt = p->snd_max,
        .rcv_nxt = p->rcv_nxt,
        .rcv_wnd = seq_diff(p->snd_max, p->snd_una),
        .ts_recent = p->ts_recent,
    };
    if (!flow_link(&t->flows, (struct flow_node *)(void *)w)) {
        pool_put(&t->tws, w);
        return;
    }
    tw_append(t, w);
    if (home_is_shared(h) && tcp_home_core(t, &p->key) != h->self)
        w->away = tcp_away_ask(t, &p->key, tcp_home_core(t, &p->key), AWAY_WAITING);
}

bool tcp_past_input(struct tcp *t, const struct tcp_tw *w, struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;

    if ((s->flags & (TH_SYN | TH_RST | TH_ACK)) != TH_ACK ||
        (uint32_t)seq_diff(w->snd_nxt, s->ack) > w->rcv_wnd)
        return false;
    tcp_reset_answer(t, in);
    tcp_drop(in, &t->stats.drop_no_conn);
    return true;
}

/* RFC 6191 2, SHLD-4: what cannot be an old one's: a newer timestamp, or a higher sequence number
 * where there are none. */
static bool is_newer(const struct tcp_tw *w, const struct tcp_seg *s)
{
    if (w->has_ts && s->has_ts && s->ts_val != w->ts_recent)
        return seq_gt(seq_of(s->ts_val), seq_of(w->ts_recent));
    return seq_gt(s->seq, w->rcv_nxt);
}

/* Beyond its FIN the old peer had nothing to say: it has begun anew, with a core that may be lost
 * since.  An ACK of ours would be no answer to that, and the peer would ask for ever. */
bool tcp_tw_is_outlived(const struct tcp_tw *w, const struct tcp_seg *s)
{
    return (s->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_ACK && seq_gt(s->seq, w->rcv_nxt) &&
           is_newer(w, s);
}

bool tcp_tw_input(struct tcp *t, struct tcp_tw *w, struct tcp_in *in, tcp_seq *iss_min)
{
    const struct tcp_seg *s = in->s;

    if (!s || (tcp_begins(s) && is_newer(w, s))) {
        /* MAY-2 (1): above anything the old connection used. */
        *iss_min = seq_add(w->snd_nxt, 1);
        t->stats.time_wait_reused++;
        tcp_tw_free(t, w);
        return true;
    }
    if (s->flags & TH_RST) { /* RFC 1337: not even a RST ends it early */
        tcp_drop(in, &t->stats.drop_time_wait_rst);
        return false;
    }
    if ((s->flags & TH_FIN) && seq_eq(seq_add(s->seq, s->len + 1), w->rcv_nxt)) {
        /* The peer's FIN again: our ACK was lost. 2 MSL begin anew. */
        tw_remove(t, w);
        tw_append(t, w);
        tw_reply(t, w);
        tcp_drop(in, &t->stats.dup_segs);
        return false;
    }
    /* Anything else that carries data or a SYN, or is out of place, is old: an ACK tells the peer
     * where we are, at most one in a while. */
    if (s->len || (s->flags & (TH_SYN | TH_FIN)) || !seq_eq(s->seq, w->rcv_nxt)) {
        if (!w->challenge_ms || t->now_ms - w->challenge_ms >= t->config.challenge_interval_ms) {
            w->challenge_ms = t->now_ms | 1;
            tw_reply(t, w);
        }
    }
    tcp_drop(in, &t->stats.drop_time_wait_old);
    return false;
}
