/* The SYN queue: connections in SYN-RECEIVED after a passive open, small and bounded. */
#include "tcp/tcp_int.h"

static struct tcp_syn *syn_at(const struct tcp *t, mem_ref r)
{
    return mem_ptr(t->arena, r);
}
static struct tcp_listener *listener_of(const struct tcp *t, const struct tcp_syn *y)
{
    return mem_ptr(t->arena, y->listener);
}

static void mark_output(struct tcp *t, struct tcp_syn *y)
{
    if (y->on_output)
        return;
    mem_ref r = mem_ref_of(t->arena, y);
    y->on_output = true;
    y->out_next = MEM_NONE;
    if (t->syn_out_tail)
        syn_at(t, t->syn_out_tail)->out_next = r;
    else
        t->syn_out_head = r;
    t->syn_out_tail = r;
}

static void listener_link(struct tcp *t, struct tcp_listener *l, struct tcp_syn *y)
{
    y->next = l->syn_head;
    y->prev = MEM_NONE;
    if (l->syn_head)
        syn_at(t, l->syn_head)->prev = mem_ref_of(t->arena, y);
    l->syn_head = mem_ref_of(t->arena, y);
    l->syns++;
}

static void listener_unlink(struct tcp *t, struct tcp_syn *y)
{
    struct tcp_listener *l = listener_of(t, y);

    if (y->prev)
        syn_at(t, y->prev)->next = y->next;
    else
        l->syn_head = y->next;
    if (y->next)
        syn_at(t, y->next)->prev = y->prev;
    l->syns--;
}

/* Out of everything but the flow table. One on the output list is freed when it comes off
 * (listener: none). */
static void syn_retire(struct tcp *t, struct tcp_syn *y)
{
    listener_unlink(t, y);
    wheel_disarm(t->wheel, &y->timer);
    y->listener = MEM_NONE;
    if (!y->on_output)
        pool_put(&t->syns, y);
}

void tcp_syn_free(struct tcp *t, struct tcp_syn *y)
{
    flow_unlink(&t->flows, (struct flow_node *)(void *)y);
    if (y->flags & TSYN_AWAY)
        tcp_away_end(t, &y->key);
    syn_retire(t, y);
}

/* What the SYN offered and we accept. RFC 7323 2.3: a shift above 14 counts as 14. */
void tcp_syn_fill(struct tcp *t, struct tcp_syn *y, struct tcp_listener *l,
                  const struct flow_key *k, const struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;
    const struct tcp_config *cf = &t->config;

    *y = (struct tcp_syn){.key = *k, .kind = FLOW_SYN, .irs_v = s->seq.v, .wnd = s->wnd};
    y->mss = tcp_mss_clamp(s);
    y->ts_offset = tcp_ts_offset(t, k);
    if (s->has_ts && cf->timestamps) {
        y->flags |= TSYN_TS;
        y->ts_recent = s->ts_val;
    }
    if (s->has_sack_ok && cf->sack)
        y->flags |= TSYN_SACK;
    if (s->has_wscale && cf->window_scaling) {
        y->flags |= TSYN_WSCALE;
        y->snd_scale = (uint8_t)min_u32(s->wscale, 14);
        y->rcv_scale = (uint8_t)tcp_wscale_wanted(
            t, l->inherit.rcv_buf, l->inherit.flags & TF_RCVBUF_FIXED, l->inherit.window_clamp);
    }
    y->src_route_n = in->ip->src_route_n;
    if (y->src_route_n) /* MUST-53 */
        memcpy(y->src_route, in->ip->src_route, sizeof(y->src_route));
    y->listener = mem_ref_of(t->arena, l);
}

/* A connection request. The queue is bounded; what does not fit gets a cookie (RFC 4987 3.6), or
 * nothing. */
void tcp_syn_received(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                      struct tcp_in *in)
{
    bool cookie = t->config.cookies == TCP_COOKIES_ALWAYS;
    struct tcp_syn *y = cookie || l->syns >= max_u32(l->backlog, 8) ? NULL : pool_get(&t->syns);

    if (!y) {
        if (t->config.cookies == TCP_COOKIES_OFF) {
            tcp_drop(in, &t->stats.drop_syn_flood);
            return;
        }
        tcp_cookie_send(t, l, k, in);
        return;
    }
    tcp_syn_fill(t, y, l, k, in);
    y->iss_v = tcp_isn(t, k).v;
    timer_init(&y->timer, TIMER_TCP_SYN);
    if (!flow_link(&t->flows, (struct flow_node *)(void *)y)) {
        pool_put(&t->syns, y);
        tcp_drop(in, &t->stats.drop_syn_flood);
        return;
    }
    if (tcp_passive_away(t, k, in))
        y->flags |= TSYN_AWAY;
    listener_link(t, l, y);
    wheel_arm(t->wheel, &y->timer, tick_ceil(t->now) + ticks_of_us(t->config.rto_initial_us));
    mark_output(t, y);
}

/* RFC 6298 5.5: twice as long each time, at most two minutes. */
#define RTO_MAX_S 120u

static uint64_t backed_off(uint64_t first, unsigned timeouts, uint64_t most)
{
    return min_u64(first << min_u32(timeouts, 7), most);
}

uint8_t tcp_syn_timeouts(uint32_t seconds)
{
    uint64_t s = 0;
    unsigned n = 0;

    while (s < seconds && n < UINT8_MAX)
        s += backed_off(1, n++, RTO_MAX_S);
    return (uint8_t)n;
}

uint32_t tcp_syn_seconds(uint8_t timeouts)
{
    uint64_t s = 0;

    for (unsigned n = 0; n < timeouts; n++)
        s += backed_off(1, n, RTO_MAX_S);
    return (uint32_t)s;
}

/* Back off, and give up in the end (MUST-22).  One that waits for data is not given up before its
 * time; at the end of it the SYN,ACK is sent again, whose ACK opens it without. */
void tcp_syn_timer(struct tcp *t, struct tcp_syn *y)
{
    const struct tcp_listener *l = listener_of(t, y);
    uint32_t most = l->syn_retries ? l->syn_retries : t->config.synack_retries;
    bool acked = y->flags & TSYN_ACKED;

    if (y->timeouts >= most && !(acked && y->timeouts < l->defer)) {
        t->stats.timed_out++;
        tcp_syn_free(t, y);
        return;
    }
    y->timeouts++;
    uint64_t rto = backed_off(t->config.rto_initial_us, y->timeouts, RTO_MAX_S * USEC_PER_SEC);
    wheel_arm(t->wheel, &y->timer, tick_ceil(t->now) + ticks_of_us(rto));
    if (acked && y->timeouts < l->defer)
        return;
    y->retries = (uint8_t)(y->retries + !acked);
    t->stats.syn_rexmits++;
    mark_output(t, y);
}

void tcp_syn_output(struct tcp *t)
{
    while (t->syn_out_head) {
        struct tcp_syn *y = syn_at(t, t->syn_out_head);
        mem_ref next = y->out_next;
        if (y->listener && !tcp_syn_ack_send(t, y, seq_of(y->iss_v))) {
            t->stats.tx_stalled++;
            return;
        }
        if (!y->sent_us && !(y->flags & TSYN_ACKED))
            y->sent_us = (uint32_t)t->now | 1;
        y->on_output = false;
        if (!y->listener)
            pool_put(&t->syns, y);
        t->syn_out_head = next;
        if (!next)
            t->syn_out_tail = MEM_NONE;
    }
}

/* Neither data nor a FIN, and none was lost before it. */
static bool is_bare(const struct tcp_syn *y, const struct tcp_seg *s)
{
    return s->len == 0 && !(s->flags & TH_FIN) && s->seq.v == y->irs_v + 1;
}

/* Linux's TCP_DEFER_ACCEPT: the handshake's last ACK says that our SYN,ACK has arrived, and how
 * long the way is; the connection comes with what follows. */
static void data_awaited(struct tcp *t, struct tcp_syn *y, struct tcp_in *in)
{
    if (y->flags & TSYN_TS)
        y->ts_recent = in->s->ts_val;
    if (!(y->flags & TSYN_ACKED)) {
        bool timed = y->sent_us && y->retries == 0; /* Karn: MUST-18 */
        y->sent_us = timed ? ((uint32_t)t->now | 1) - y->sent_us : 0;
    }
    y->flags |= TSYN_ACKED;
    tcp_drop(in, &t->stats.drop_deferred);
}

/* The last ACK of the handshake: a connection comes of it, and takes the segment. */
static void syn_acked(struct tcp *t, struct tcp_syn *y, struct tcp_in *in)
{
    struct tcp_listener *l = listener_of(t, y);

    if (y->timeouts < l->defer && is_bare(y, in->s)) {
        data_awaited(t, y, in);
        return;
    }
    if (l->accept_n >= l->backlog) {
        tcp_drop(in, &t->stats.drop_accept_full);
        return;
    }
    struct tcp_conn *c = tcp_passive_conn(t, l, y, (struct flow_node *)(void *)y, in);
    if (!c) {
        tcp_drop(in, &t->stats.drop_accept_full);
        return;
    }
    syn_retire(t, y);
    tcp_segment_input(t, c, in);
}

static bool syn_paws_rejects(const struct tcp_syn *y, const struct tcp_seg *s)
{
    return (y->flags & TSYN_TS) && (!s->has_ts || seq_lt(seq_of(s->ts_val), seq_of(y->ts_recent)));
}

/* The first SYN may have been answered with a cookie and only its copy found room in the queue:
 * then the peer acknowledges the cookie (simulator, seed 1173). Anything else is reset, unless
 * cookies make that a guess. */
static void syn_bad_ack(struct tcp *t, struct tcp_syn *y, struct tcp_in *in)
{
    struct tcp_listener *l = listener_of(t, y);
    struct flow_key k = y->key;

    if (tcp_cookie_is_ours(t, l, &k, in->s)) {
        tcp_syn_free(t, y);
        tcp_cookie_input(t, l, &k, in);
        return;
    }
    if (tcp_moved_input(t, &k, in))
        return;
    if (!tcp_cookies_live(t, l))
        tcp_reset_answer(t, in);
    tcp_drop(in, &t->stats.drop_bad_ack);
}

/* A segment in SYN-RECEIVED: RFC 9293 3.10.7.4 for this state, RFC 5961 3 and 4. */
void tcp_syn_input(struct tcp *t, struct tcp_syn *y, struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;
    tcp_seq rcv_nxt = seq_of(y->irs_v + 1);
    const struct tcp_inherit *i = &listener_of(t, y)->inherit;
    uint32_t wnd = tcp_syn_wnd(i->rcv_buf, i->window_clamp);

    if (s->flags & TH_RST) {
        if (seq_eq(s->seq,
                   rcv_nxt)) { /* back to LISTEN: the passive open goes on, nobody is told */
            t->stats.reset_by_peer++;
            tcp_syn_free(t, y);
        } else {
            mark_output(t, y);
        }
        tcp_drop(in, &t->stats.drop_rst_challenged);
    } else if (s->flags & TH_SYN) {
        /* The SYN again: the SYN,ACK again.  Another one: a challenge, which our SYN,ACK is too. */
        if (y->irs_v == s->seq.v && s->has_ts && (y->flags & TSYN_TS))
            y->ts_recent = seq_max(seq_of(s->ts_val), seq_of(y->ts_recent)).v;
        mark_output(t, y);
        tcp_drop(in, &t->stats.dup_segs);
    } else if (!(s->flags & TH_ACK)) {
        tcp_drop(in, &t->stats.drop_no_ack);
    } else if (s->ack.v != y->iss_v + 1) {
        syn_bad_ack(t, y, in);
    } else if (!tcp_acceptable(s->seq, s->len, rcv_nxt, wnd) || syn_paws_rejects(y, s)) {
        mark_output(t, y);
        tcp_drop(in, &t->stats.drop_seq);
    } else {
        syn_acked(t, y, in);
    }
}

/* SYN,ACK: MUST-14, and the options the peer offered too. RFC 7323 2.2: its window is never scaled.
 */
bool tcp_syn_ack_send(struct tcp *t, struct tcp_syn *y, tcp_seq iss)
{
    const struct tcp_listener *l = listener_of(t, y);
    struct tcp_seg s = {
        .seq = iss,
        .ack = seq_of(y->irs_v + 1),
        .sport = y->key.lport,
        .dport = y->key.rport,
        .flags = TH_SYN | TH_ACK,
        .wnd = (uint16_t)tcp_syn_wnd(l->inherit.rcv_buf, l->inherit.window_clamp),
        .has_mss = true,
        .mss = tcp_mss_to_announce(t, &y->key.raddr, y->key.lidx, l->inherit.maxseg),
        .has_ts = y->flags & TSYN_TS,
        .ts_val = t->now_ms + y->ts_offset,
        .ts_ecr = y->ts_recent,
        .has_sack_ok = y->flags & TSYN_SACK,
        .has_wscale = y->flags & TSYN_WSCALE,
        .wscale = y->rcv_scale,
    };
    struct pkt_list others = t->replies; /* a cookie is sent while others wait */
    struct ip_flow f;

    t->replies = (struct pkt_list){0};
    tcp_reply(t, &y->key, &s, l->inherit.tos);
    struct pkt *p = pkt_list_pop(&t->replies);
    t->replies = others;
    if (!p)
        return false;
    memcpy(&f, p->info, sizeof(f));
    f.ttl = l->inherit.ttl;
    f.src_route_n = y->src_route_n;
    memcpy(f.src_route, y->src_route, sizeof(y->src_route));
    ip_output(t->ip, p, &f, t->now);
    return true;
}
