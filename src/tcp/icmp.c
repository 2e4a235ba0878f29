/* ICMP errors: RFC 9293 3.9.2.2, RFC 5927, RFC 1191. MUST-54. */
#include "tcp/tcp_int.h"

/* Only a router that has seen a segment of ours in flight can quote its number: RFC 5927 4.1. */
static bool quotes_flight(const struct tcp_conn *c, tcp_seq seq)
{
    return seq_leq(c->snd_una, seq) && seq_lt(seq, c->snd_max);
}

/* RFC 1191 6.5: smaller segments from now on, and what was too large again, without blaming
 * congestion. */
static void needfrag(struct tcp *t, struct tcp_conn *c, const struct ip_error *e)
{
    uint32_t before = c->mss;

    ip_pmtu_update(t->ip, &e->remote, e->mtu, t->now);
    tcp_mss_set(t, c);
    if (c->mss >= before)
        return;
    t->stats.pmtu_lowered++;
    if (c->flags & TF_SYN_QUEUED)
        return;
    c->flags &= ~(uint32_t)(TF_RTT_TIMING | TF_RECOVERY);
    c->flags |= TF_RTO_RECOVERY;
    c->recover = c->snd_max;
    c->snd_nxt = c->snd_una;
    c->dupacks = 0;
    c->cc.cwnd = max_u32(c->cc.cwnd / before * c->mss, 2u * c->mss);
    tcp_mark_output(t, c);
}

/* MUST-56, SHLD-25: soft errors are told and remembered; should the connection time out, they are
 * the reason. */
static void soft_error(struct tcp *t, struct tcp_conn *c, int err)
{
    struct tcp_cold *cold = tcp_cold_get(t, c);

    t->stats.icmp_soft++;
    if (!cold)
        return;
    cold->soft_err = (int16_t)err;
    tcp_mark_event(t, c, TCP_EV_SOFT_ERROR);
}

static bool is_hard(const struct ip_error *e)
{
    return e->type == ICMP_UNREACH &&
           (e->code == ICMP_UNREACH_PROTO || e->code == ICMP_UNREACH_PORT ||
            e->code == ICMP_UNREACH_ADMIN || e->code == 9 || e->code == 10);
}

static int error_of(const struct ip_error *e)
{
    if (e->type == ICMP_UNREACH && (e->code == ICMP_UNREACH_PROTO || e->code == ICMP_UNREACH_PORT))
        return MR_ECONNREFUSED;
    if (e->type == ICMP_UNREACH && e->code == ICMP_UNREACH_NET)
        return MR_ENETUNREACH;
    return MR_EHOSTUNREACH;
}

/* SHLD-26 aborts on hard errors; RFC 5927 5.2 confines that to connections that are not established
 * yet. */
static void conn_error(struct tcp *t, struct tcp_conn *c, const struct ip_error *e)
{
    if (e->type == ICMP_UNREACH && e->code == ICMP_UNREACH_NEEDFRAG) {
        needfrag(t, c, e);
    } else if (is_hard(e) && c->state == TCPS_SYN_SENT) {
        t->stats.icmp_hard++;
        tcp_conn_end(t, c, error_of(e));
    } else {
        soft_error(t, c, error_of(e));
    }
}

void tcp_icmp(struct tcp *t, const struct ip_error *e, instant now)
{
    struct flow_key k = {e->remote, e->rport, e->lport, e->lidx, 0};
    struct flow_node *node = flow_find(&t->flows, &k, flow_hash(&t->flows, &k));

    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    if (!node || node->kind != FLOW_CONN || e->type == ICMP_SOURCE_QUENCH /* MUST-55 */) {
        t->stats.icmp_ignored++;
        return;
    }
    struct tcp_conn *c = (struct tcp_conn *)(void *)node;
    if (!quotes_flight(c, e->seq)) {
        t->stats.icmp_ignored++;
        return;
    }
    conn_error(t, c, e);
}
