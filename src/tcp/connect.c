/* Active open, and SYN-SENT: RFC 9293 3.10.1, 3.10.7.3. */
#include "tcp/tcp_int.h"

#define TRIES_ENOUGH 16u  /* entries, to find one that has not moved; */
#define TRIES_MOVING 128u /* and one whose last home can give leave */

/* Ports that others have, one after the other: the rest are probably taken, too, and each costs two
 * letters (simulator, seed 1438). */
#define TRIES_REFUSED 1024u

/* Its home has not moved; or whose it was can give leave at once: he had it for long. */
static bool is_settled(const struct tcp *t, const struct flow_key *k, bool *at_once)
{
    const struct home *h = &t->ip->eth->cores->home;
    uint32_t hash = tcp_home_hash(t, k);

    *at_once = home_stay(h, hash) >= HOME_GRACE_US;
    return home_was(h, hash, t->now) == rss_queue(h->law, hash);
}

/* While homes move: one whose home has not, which costs no waiting for leave, or at least not for
 * long, if it is found soon.  Of one entry of the table all ports are alike: one each is tried. */
static enum flow_choice port_choose(struct tcp *t, struct flow_key *k, be32 laddr)
{
    const struct home *h = &t->ip->eth->cores->home;
    bool moving = t->now < h->moving_until && !h->settled, at_once = false;
    enum flow_choice choice;
    uint16_t second = 0;

    k->lport = 0;
    choice = flow_choose_port(&t->chooser, k, laddr);
    for (unsigned i = 0; unlikely(moving) && choice == FLOW_PORT_FREE && i < TRIES_MOVING; i++) {
        if (is_settled(t, k, &at_once))
            return choice;
        if (at_once && !second)
            second = k->lport;
        if (second && i >= TRIES_ENOUGH)
            break;
        flow_choose_elsewhere(&t->chooser, k);
        k->lport = 0;
        choice = flow_choose_port(&t->chooser, k, laddr);
    }
    if (second) {
        k->lport = second;
        choice = FLOW_PORT_FREE;
    }
    return choice;
}

/* MUST-46: no broadcast, multicast or unspecified peer. MUST-44, MUST-45, MUST-43: the local
 * address is the caller's, or ip's choice. */
static int ends_choose(struct tcp *t, struct flow_key *k, const struct ip_addr *laddr,
                       uint16_t lport, const struct ip_addr *raddr, uint16_t rport, bool *taken)
{
    struct ip_route_info r;

    *taken = true;
    if (rport == 0 || ip_is_any(raddr))
        return MR_EINVAL;
    if (laddr && !ip_is_any(laddr) && ip_lidx(t->ip, laddr) == IP_LIDX_NONE)
        return MR_EADDRNOTAVAIL;
    if (!ip_route(t->ip, raddr, laddr, &r))
        return MR_ENETUNREACH;
    if (r.broadcast || r.multicast)
        return MR_EACCES;
    *k = (struct flow_key){*raddr, rport, lport, r.lidx, 0};
    if (lport != 0)
        return 0;
    enum flow_choice choice = port_choose(t, k, ip_v4(&r.src));
    *taken = choice == FLOW_PORT_REUSE;
    return choice == FLOW_PORT_NONE ? MR_EADDRNOTAVAIL : 0;
}

/* For the choice of a port: the one that has waited longest is the greatest. */
uint32_t tcp_tw_reuse(const void *tcp, const struct flow_node *node)
{
    const struct tcp *t = tcp;
    const struct tcp_tw *w = (const struct tcp_tw *)(const void *)node;

    return tcp_tw_may_be_reused(t, w) ? max_u32(tick_floor(t->now) + TICKS_MAX - w->expires, 1) : 0;
}

/* RFC 6191, the active side of MAY-2: a local port still in TIME-WAIT may be used again if
 * timestamps tell the old connection's segments from the new one's. */
static int pair_claim(struct tcp *t, const struct flow_key *k)
{
    struct flow_node *node = flow_find(&t->flows, k, flow_hash(&t->flows, k));

    if (!node)
        return 0;
    struct tcp_tw *w = (struct tcp_tw *)(void *)node;
    if (node->kind != FLOW_TIME_WAIT || !tcp_tw_may_be_reused(t, w))
        return MR_EADDRINUSE;
    struct tcp_in none = {0};
    (void)tcp_tw_input(t, w, &none, &t->iss_min);
    return 0;
}

static void numbers_set(struct tcp *t, struct tcp_conn *c)
{
    c->snd_una = c->snd_nxt = c->snd_max = c->recover = tcp_isn(t, &c->key);
    t->iss_min = seq_of(0);
    c->ts_offset = tcp_ts_offset(t, &c->key);
}

int tcp_connect(struct tcp *t, const struct ip_addr *laddr, uint16_t lport,
                const struct ip_addr *raddr, uint16_t rport, const struct tcp_inherit *opts,
                instant now, struct tcp_conn **out)
{
    struct flow_key k;
    bool taken; /* the pair may be in use */

    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    int err = ends_choose(t, &k, laddr, lport, raddr, rport, &taken);
    if (err)
        return err;
    if (pool_available(&t->conns) == 0) { /* a TIME-WAIT is not given up for nothing */
        t->stats.no_conn_memory++;
        return MR_ENOMEM;
    }
    if (taken && (err = pair_claim(t, &k)))
        return err;
    struct tcp_conn *c = tcp_conn_new(t);
    if (!c)
        return MR_ENOMEM;
    c->key = k;
    if (!flow_link(&t->flows, (struct flow_node *)(void *)c)) {
        pool_put(&t->conns, c);
        t->iss_min = seq_of(0);
        return MR_ENOMEM;
    }
    unsigned leave = tcp_leave_core(t, &k);
    bool away = leave != t->ip->eth->cores->home.self;
    if (away && !tcp_away_ask(t, &k, leave, lport ? AWAY_BOUND : AWAY_CHOSEN)) {
        flow_unlink(&t->flows, (struct flow_node *)(void *)c);
        pool_put(&t->conns, c);
        t->iss_min = seq_of(0);
        return MR_ENOMEM;
    }
    tcp_conn_setup(t, c, opts);
    if (away) {
        c->flags |= TF_AWAY;
        /* Home may stand still, and no SYN goes out meanwhile of which one could lose patience. */
        tcp_timer_set(t, c, TCPT_USER, (uint64_t)t->config.syn_r2_ms * USEC_PER_MSEC);
    }
    c->port_tries = lport == 0;
    numbers_set(t, c);
    c->cc.cwnd = TCP_MSS_DEFAULT;
    c->snd_wnd = 1;
    c->flags |= TF_SYN_QUEUED;
    tcp_set_state(t, c, TCPS_SYN_SENT);
    t->stats.active_opens++;
    tcp_mark_output(t, c);
    *out = c;
    return 0;
}

/* Into the table under its new key, or back under the old one, for which there is room: it has just
 * left. */
static bool rename(struct tcp *t, struct tcp_conn *c, const struct flow_key *k)
{
    struct flow_node *node = (struct flow_node *)(void *)c;
    struct flow_key old = c->key;

    flow_unlink(&t->flows, node);
    c->key = *k;
    if (flow_link(&t->flows, node))
        return true;
    c->key = old;
    bool linked = flow_link(&t->flows, node);
    MR_ASSERT(linked);
    return false;
}

int tcp_connect_again(struct tcp *t, struct tcp_conn *c)
{
    struct flow_key k = c->key;
    int err = 0;

    /* Nor more often than there are ports (seed 102405). */
    uint32_t ports = (uint32_t)t->config.port_hi - t->config.port_lo + 1;
    if (c->port_tries++ >= min_u32(TRIES_REFUSED, ports))
        return MR_EADDRINUSE;
    k.lport = 0;
    enum flow_choice choice = port_choose(t, &k, ip_v4(ip_laddr(t->ip, k.lidx)));
    if (choice == FLOW_PORT_NONE)
        return MR_EADDRINUSE;
    if (choice == FLOW_PORT_REUSE && (err = pair_claim(t, &k)))
        return err;
    if (!rename(t, c, &k))
        return MR_ENOMEM;
    numbers_set(t, c);
    c->rxtshift = 0;
    c->flags &= ~(uint32_t)TF_RTT_TIMING;
    tcp_timer_clear(c, TCPT_REXMT);
    unsigned leave = tcp_leave_core(t, &k);
    if (leave != t->ip->eth->cores->home.self)
        return tcp_away_ask(t, &k, leave, AWAY_CHOSEN) ? 0 : MR_ENOMEM;
    c->flags &= ~TF_AWAY;
    tcp_timer_clear(c, TCPT_USER);
    tcp_mark_output(t, c);
    return 0;
}

/* The peer's SYN, with or without an ACK: what it offers of what we offered. */
static void options_accept(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    uint32_t promised = tcp_rcv_wnd(c); /* by our SYN */

    c->rcv_tune_ms = c->rcv_tune_seq = 0; /* port_tries was there */
    c->mss_peer = tcp_mss_clamp(s);
    if (s->has_ts && t->config.timestamps) {
        c->flags |= TF_TS;
        c->ts_recent = s->ts_val;
    }
    if (s->has_sack_ok && t->config.sack)
        c->flags |= TF_SACK;
    if (s->has_wscale && t->config.window_scaling) {
        c->flags |= TF_WSCALE;
        c->scales = (uint8_t)(min_u32(s->wscale, 14) | tcp_rcv_scale(c) << 4);
    } else {
        c->scales = 0;
    }
    c->rcv_nxt = seq_add(s->seq, 1);
    c->last_ack_sent = c->rcv_nxt;
    c->rcv_adv = seq_add(c->rcv_nxt, promised);
    c->snd_wnd = s->wnd; /* a SYN's window is never scaled: RFC 7323 2.2 */
    c->wnd_max = (uint16_t)max_u32(s->wnd >> tcp_snd_scale(c), 1);
    c->snd_wl1 = s->seq;
    c->rcv_time_ms = t->now_ms;
}

/* What came with the SYN: data (kept: RFC 9293 3.10.7.3 fourth), FIN, urgent pointer. */
static void rest_of_syn(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;

    s->flags &= (uint16_t)~TH_SYN;
    s->seq = c->rcv_nxt;
    s->urp = s->urp ? (uint16_t)(s->urp - 1) : 0;
    if (s->len > tcp_rcv_wnd(c)) {
        s->len = tcp_rcv_wnd(c);
        pkt_trim(in->p, s->len);
        s->flags &= (uint16_t)~TH_FIN;
    }
    if (s->len == 0 && !(s->flags & TH_FIN))
        return;
    tcp_urgent_input(t, c, s);
    tcp_data_input(t, c, in);
}

/* MUST-10: both ends send a SYN: SYN-RECEIVED, and our SYN goes out again with an ACK. */
static void simultaneous_open(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    options_accept(t, c, in->s);
    tcp_set_state(t, c, TCPS_SYN_RECEIVED);
    c->snd_nxt = c->snd_una;
    tcp_mark_output(t, c);
}

void tcp_syn_sent_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;
    bool ack_ok = (s->flags & TH_ACK) && seq_gt(s->ack, c->snd_una) && seq_leq(s->ack, c->snd_max);

    if ((s->flags & TH_ACK) && !ack_ok) {
        if (!(s->flags & TH_RST))
            tcp_reset_answer(t, in);
        tcp_drop(in, &t->stats.drop_syn_state);
    } else if (s->flags & TH_RST) {
        tcp_drop(in, &t->stats.drop_syn_state);
        if (ack_ok) { /* RFC 5961 3.2: only with an acceptable ACK */
            t->stats.reset_by_peer++;
            tcp_conn_end(t, c, MR_ECONNREFUSED);
        }
    } else if (!(s->flags & TH_SYN)) {
        tcp_drop(in, &t->stats.drop_syn_state);
    } else if (!ack_ok) {
        simultaneous_open(t, c, in);
    } else {
        flow_port_learn(&t->chooser, &c->key, in->p->hops == 0);
        options_accept(t, c, s);
        tcp_rtt_ack(t, c, s);
        c->snd_una = s->ack;
        if (seq_lt(c->snd_nxt, s->ack))
            c->snd_nxt = s->ack;
        c->flags &= ~(uint32_t)TF_SYN_QUEUED;
        tcp_timer_clear(c, TCPT_REXMT);
        tcp_timer_clear(c, TCPT_USER);
        tcp_established(t, c);
        c->rxtshift = 0;
        tcp_ack_now(t, c);
        rest_of_syn(t, c, in);
    }
}
