/* What must hold between the cores of a host. */
#include "sim/sim_int.h"

/* It has been heard of: not one that still waits for its home's leave. */
static bool has_begun(const struct flow_node *node)
{
    const struct tcp_conn *c = (const struct tcp_conn *)(const void *)node;

    return node->kind == FLOW_CONN &&
           (c->state != TCPS_SYN_SENT || !seq_eq(c->snd_max, c->snd_una));
}

/* The connection a core has for a four-tuple; NULL: none. */
static const struct tcp_conn *find(struct sim_core *c, const struct flow_key *k)
{
    const struct flow_table *t = &stack_tcp(c->stack)->flows;
    const struct flow_node *node = flow_find(t, k, flow_hash(t, k));

    return node && has_begun(node) ? (const struct tcp_conn *)(const void *)node : NULL;
}

/* RFC 9293 3.5.2: a reset is for what belongs to no connection.  The segment that this one answers
 * belonged to one: a SYN,ACK to one that waits for it, another to one that is open. */
static bool answers(const struct tcp_conn *c, const struct tcp_seg *s)
{
    return seq_gt(s->seq, c->snd_una) && seq_leq(s->seq, c->snd_max);
}

/* Of a frame that host sends: the connection of one of its cores that it resets; NULL: none. */
static const struct tcp_conn *reset_by(struct sim_host *h, const uint8_t *b, uint32_t n)
{
    const struct tcp_conn *c = NULL;
    struct ipv4_hdr ip;
    struct tcp_seg s;

    if (load_be16(b + 12) != ETHTYPE_IPV4 ||
        ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK || ip.proto != IPPROTO_TCP_)
        return NULL;
    if (tcp_parse(&s, b + ETH_HLEN + ip.hlen, (uint32_t)ip.total_len - ip.hlen) != WIRE_OK ||
        (s.flags & (TH_RST | TH_ACK)) != TH_RST)
        return NULL;
    struct ip_addr own = ip4_addr(ip.src);
    struct flow_key k = {.raddr = ip4_addr(ip.dst), .rport = s.dport, .lport = s.sport};
    for (unsigned i = 0; i < h->cores && !c; i++) {
        k.lidx = ip_lidx(stack_ip(h->core[i].stack), &own);
        c = find(&h->core[i], &k);
        if (c && !answers(c, &s))
            c = NULL;
    }
    return c;
}

void sim_judge_reset(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n)
{
    struct sim_host *h = &w->host[host];
    const struct tcp_conn *c = h->law ? reset_by(h, b, n) : NULL;

    if (c)
        sim_fail(w, "host %u port %u: %s", host, c->key.lport,
                 c->state == TCPS_SYN_SENT ? "a SYN,ACK that was waited for is answered with RST"
                                           : "a connection that lives is reset by another core");
}

void sim_judge_sleep(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];
    uint64_t soon = w->now + (h->wake_us + 2) * SIM_NS_PER_USEC;

    for (unsigned i = 0; i < h->cores; i++)
        if (mail_waits(&h->core[i].mail) && h->core[i].wake_ns > soon)
            sim_fail(w, "host %u: core %u has mail and nobody has woken it", host, i);
}

/* The far end of a connection to ourselves lives on the same core.  It has given up waiting for
 * this one's FIN, and its ports may be used again, on any core: leave was asked for its side alone.
 * A stack of one core would end by a challenge ACK what is left over here; on another core the new
 * connection does not meet it, and its segments are older than any window (seed 73772). */
static bool is_left_over(struct sim_core *c, const struct tcp_conn *conn)
{
    struct ip *ip = stack_ip(c->stack);
    const struct flow_table *t = &stack_tcp(c->stack)->flows;
    const struct flow_key *k = &conn->key;
    struct flow_key far = {*ip_laddr(ip, k->lidx), k->lport, k->rport, ip_lidx(ip, &k->raddr), 0};

    return (conn->flags & TF_FIN_RCVD) && far.lidx != IP_LIDX_NONE &&
           !flow_find(t, &far, flow_hash(t, &far));
}

static void judge_node(struct sim_world *w, struct sim_core *c, const struct flow_node *node)
{
    struct sim_host *h = &w->host[c->app.host];
    const struct tcp_conn *other, *conn = (const struct tcp_conn *)(const void *)node;

    if (!has_begun(node) || is_left_over(c, conn))
        return;
    for (unsigned i = 0; i < h->cores; i++)
        if (i != c->app.core && (other = find(&h->core[i], &node->key)) &&
            !is_left_over(&h->core[i], other))
            sim_fail(w, "host %u: the connection of port %u to %u lives on cores %u and %u",
                     c->app.host, node->key.lport, node->key.rport, c->app.core, i);
}

void sim_judge_homes(struct sim_world *w, struct sim_core *c)
{
    const struct flow_table *t = &stack_tcp(c->stack)->flows;

    for (uint32_t i = 0; i < t->buckets; i++) {
        const struct flow_bucket *b = &t->bucket[i];
        for (; b; b = b->overflow ? mem_ptr(t->arena, b->overflow) : NULL)
            for (uint32_t k = 0; k < b->n; k++)
                judge_node(w, c, mem_ptr(t->arena, b->node[k]));
    }
}
