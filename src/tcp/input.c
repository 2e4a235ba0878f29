/* A burst of segments: everything that needs no connection first, for all of them, so that the
 * table's cache misses overlap. */
#include "tcp/tcp_int.h"

struct arrival {
    struct tcp_in in;
    struct flow_key key;
    uint32_t hash;
};

static bool checksum_is_right(const struct tcp *t, const struct tcp_in *in)
{
    const struct pkt *p = in->p;

    if (p->flags & PKT_CSUM_OK)
        return true;
    uint64_t sum = ipv4_pseudo_sum(ip_v4(&in->ip->src), ip_v4(&in->ip->dst), IPPROTO_TCP_, p->len);
    return csum_fold(t->csum(p->data, p->len, sum)) == 0xffff;
}

/* False: dropped.  RFC 9293 3.10.7, before any state is looked at; MUST-3, MUST-57, MUST-63 (ip has
 * judged the source). */
static bool arrival_init(struct tcp *t, struct arrival *a, struct pkt *p)
{
    struct ip_info *ip = ip_info(p);
    struct tcp_seg *s = seg_info(p);

    a->in = (struct tcp_in){s, p, ip, false};
    t->stats.segs_in++;
    if (unlikely(ip->lidx == IP_LIDX_NONE)) {
        tcp_drop(&a->in, &t->stats.drop_broadcast);
        return false;
    }
    if (unlikely(tcp_parse(s, p->data, p->len) != WIRE_OK || s->sport == 0 || s->dport == 0)) {
        tcp_drop(&a->in, &t->stats.drop_malformed);
        return false;
    }
    if (unlikely(!checksum_is_right(t, &a->in))) {
        tcp_drop(&a->in, &t->stats.drop_checksum);
        return false;
    }
    /* LAND (CVE-1999-0016): a segment to ourselves from ourselves can only come over loopback. */
    if (unlikely(s->sport == s->dport && ip_eq(&ip->src, &ip->dst) && !(p->flags & PKT_LOOPBACK))) {
        tcp_drop(&a->in, &t->stats.drop_source);
        return false;
    }
    pkt_pull(p, s->hlen);
    a->key.raddr = ip->src;
    flow_key_set_rest(&a->key, s->sport, s->dport, ip->lidx);
    a->hash = flow_hash(&t->flows, &a->key);
    return true;
}

/* Nobody's connection: a listener's, or a reset.  RFC 9293 3.10.7.1. */
static void input_no_conn(struct tcp *t, struct arrival *a)
{
    if (home_is_shared(&t->ip->eth->cores->home) && tcp_stray_input(t, &a->key, &a->in))
        return;
    struct tcp_listener *l = tcp_listener_find(t, a->key.lidx, a->key.lport);
    if (l) {
        tcp_listen_input(t, l, &a->key, &a->in);
    } else if (a->in.s->flags & TH_RST) {
        tcp_drop(&a->in, &t->stats.drop_rst_no_conn);
    } else if (tcp_begins(a->in.s) &&
               port_cores_elsewhere(&t->ip->eth->cores->ports, PORT_TCP_PAUSED, a->key.lport)) {
        tcp_drop(&a->in, &t->stats.drop_paused);
    } else {
        tcp_reset_answer(t, &a->in);
        tcp_drop(&a->in, &t->stats.drop_no_conn);
    }
}

static void input_time_wait(struct tcp *t, struct tcp_tw *w, struct arrival *a)
{
    if (unlikely(w->past) && tcp_past_input(t, w, &a->in))
        return;
    /* Its home has moved, and has perhaps begun the next one of this four-tuple: not if it asks
     * us. */
    if (unlikely(w->away) && !(a->in.p->flags & PKT_MOVED) && tcp_away_asks(t, &w->key)) {
        tcp_early_input(t, &a->key, &a->in, true);
        return;
    }
    /* Sent again it finds who has it, or a RST. */
    if (unlikely(home_is_shared(&t->ip->eth->cores->home) && tcp_tw_is_outlived(w, a->in.s))) {
        tcp_tw_free(t, w);
        tcp_drop(&a->in, &t->stats.drop_time_wait_old);
        return;
    }
    if (tcp_tw_input(t, w, &a->in, &t->iss_min))
        input_no_conn(t, a);
    t->iss_min = seq_of(0);
}

static void input_syn_sent(struct tcp *t, struct tcp_conn *c, struct arrival *a)
{
    if (c->flags & TF_AWAY && tcp_away_waits(t, &c->key))
        tcp_early_input(t, &c->key, &a->in, false);
    else
        tcp_syn_sent_input(t, c, &a->in);
}

static inline void input_conn(struct tcp *t, struct tcp_conn *c, struct arrival *a)
{
    if (unlikely(a->in.ip->src_route_n) && c->state != TCPS_SYN_SENT)
        tcp_segment_input(t, c, &a->in);
    else if (likely(tcp_fast_input(t, c, &a->in)))
        return;
    else if (likely(c->state != TCPS_SYN_SENT))
        tcp_segment_steps(t, c, &a->in);
    else
        input_syn_sent(t, c, a);
}

static void input_away(struct tcp *t, struct tcp_away *w, struct arrival *a)
{
    if (unlikely(tcp_away_stale(t, w, &a->in)))
        input_no_conn(t, a);
    else
        tcp_away_input(t, w, &a->in);
}

static void input_one(struct tcp *t, struct arrival *a)
{
    struct flow_node *node = flow_find(&t->flows, &a->key, a->hash);

    if (!node) {
        input_no_conn(t, a);
    } else if (likely(node->kind == FLOW_CONN)) {
        input_conn(t, (struct tcp_conn *)(void *)node, a);
    } else if (node->kind == FLOW_TIME_WAIT) {
        input_time_wait(t, (struct tcp_tw *)(void *)node, a);
    } else if (node->kind == FLOW_SYN) {
        tcp_syn_input(t, (struct tcp_syn *)(void *)node, &a->in);
    } else {
        input_away(t, (struct tcp_away *)(void *)node, a);
    }
    if (a->in.p)
        pkt_put(a->in.p);
}

void tcp_input(struct tcp *t, struct burst *segs, instant now)
{
    struct arrival a[BURST_MAX];
    unsigned n = 0;

    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    for (unsigned i = 0; i < segs->n; i++) {
        if (arrival_init(t, &a[n], segs->p[i])) {
            flow_prefetch(&t->flows, a[n].hash);
            n++;
        }
    }
    segs->n = 0;
    if (n > 1)
        for (unsigned i = 0; i < n; i++)
            flow_prefetch_node(&t->flows, a[i].hash);
    for (unsigned i = 0; i < n; i++)
        input_one(t, &a[i]);
}
