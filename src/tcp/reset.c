/* Segments that answer for no connection, and the RST that ends one. */
#include "tcp/tcp_int.h"

/* Replies waiting for the next output; beyond, a flood of strays costs us nothing more. */
#define REPLIES_MAX 256u

static void flow_fill(const struct tcp *t, struct ip_flow *f, const struct flow_key *k, uint8_t ttl,
                      uint8_t tos)
{
    f->src = *ip_laddr(t->ip, k->lidx);
    f->dst = k->raddr;
    f->nh = NEIGH_NONE;
    f->proto = IPPROTO_TCP_;
    f->tos = tos;
    f->ttl = ttl;
    f->df = true;
    f->src_route_n = 0;
}

void tcp_reply(struct tcp *t, const struct flow_key *k, const struct tcp_seg *s, uint8_t tos)
{
    struct pkt *p = t->replies.n < REPLIES_MAX ? pkt_get(t->tx) : NULL;
    struct ip_flow f;

    if (!p) {
        t->stats.tx_stalled++;
        return;
    }
    flow_fill(t, &f, k, t->config.ttl, tos);
    size_t hlen = tcp_emit(p->data, s, t->config.opt_order);
    p->len = (uint32_t)hlen;
    p->flags |= PKT_CSUM_PARTIAL;
    uint16_t sum =
        csum_fold(ipv4_pseudo_sum(ip_v4(&f.src), ip_v4(&f.dst), IPPROTO_TCP_, (uint32_t)hlen));
    memcpy(p->data + 16, &sum, 2);
    _Static_assert(sizeof(f) <= PKT_INFO_BYTES, "a reply carries its flow");
    memcpy(p->info, &f, sizeof(f));
    pkt_list_append(&t->replies, p);
    t->stats.segs_out++;
}

/* RFC 9293 3.10.7.1: <SEQ=SEG.ACK><CTL=RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. Never in
 * answer to a RST, nor to a broadcast. */
void tcp_reset_answer(struct tcp *t, struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;
    struct flow_key k = {in->ip->src, s->sport, s->dport, in->ip->lidx, 0};
    struct tcp_seg r = {.sport = s->dport, .dport = s->sport, .flags = TH_RST};

    if ((s->flags & TH_RST) || in->ip->lidx == IP_LIDX_NONE)
        return;
    if (s->flags & TH_ACK) {
        r.seq = s->ack;
    } else {
        uint32_t len = s->len + (s->flags & TH_SYN ? 1 : 0) + (s->flags & TH_FIN ? 1 : 0);
        r.ack = seq_add(s->seq, len);
        r.flags |= TH_ACK;
    }
    tcp_reply(t, &k, &r, 0);
    t->stats.rsts_out++;
}

/* RFC 9293 3.10.5: <SEQ=SND.NXT><CTL=RST>, with the ACK that all implementations add. */
void tcp_reset_send(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_seg r = {
        .sport = c->key.lport,
        .dport = c->key.rport,
        .seq = c->snd_max,
        .ack = c->rcv_nxt,
        .flags = TH_RST | TH_ACK,
    };

    if (c->state == TCPS_SYN_SENT || c->state == TCPS_CLOSED)
        return;
    tcp_reply(t, &c->key, &r, c->tos);
    t->stats.rsts_out++;
    t->stats.aborted++;
}

/* ---- a stack that is no more ---------------------------------------------------------------- */

static bool had_peer(const struct tcp_conn *c)
{
    return c->state > TCPS_SYN_SENT && c->state < TCPS_TIME_WAIT && c->key.lidx < IP_ADDRS_MAX &&
           c->key.rport != 0;
}

unsigned tcp_past_list(const struct tcp *t, struct tcp_past *out, unsigned n)
{
    unsigned found = 0;

    for (uint32_t i = 0; i < t->conns.fresh && i < t->conns.capacity && found < n; i++) {
        const struct tcp_conn *c = pool_at(&t->conns, i);
        if (had_peer(c))
            out[found++] = (struct tcp_past){.key = c->key,
                                             .snd_una = c->snd_una,
                                             .snd_max = c->snd_max,
                                             .rcv_nxt = c->rcv_nxt,
                                             .ts_recent = c->ts_recent,
                                             .has_ts = c->flags & TF_TS};
    }
    for (uint32_t i = 0; i < t->syns.fresh && i < t->syns.capacity && found < n; i++) {
        const struct tcp_syn *y = pool_at(&t->syns, i);
        tcp_seq next = seq_of(y->iss_v + 1);
        if (y->listener && y->kind == FLOW_SYN && y->key.lidx < IP_ADDRS_MAX && y->key.rport != 0)
            out[found++] = (struct tcp_past){.key = y->key,
                                             .snd_una = next,
                                             .snd_max = next,
                                             .rcv_nxt = seq_of(y->irs_v + 1),
                                             .ts_recent = y->ts_recent,
                                             .has_ts = y->flags & TSYN_TS,
                                             .half_open = true};
    }
    return found;
}

/* RFC 5961 3.2: a RST is believed at exactly the number that is awaited: what was sent last, unless
 * that was lost; then it is what was acknowledged last.  What was half open may not have had its
 * SYN,ACK: then it is to ask again, and a RST without an ACK says nothing to it. */
bool tcp_past_reset(struct tcp *t, const struct tcp_past *p)
{
    struct tcp_seg r = {
        .sport = p->key.lport,
        .dport = p->key.rport,
        .seq = p->snd_max,
        .ack = p->rcv_nxt,
        .flags = TH_RST | TH_ACK,
    };

    if (t->replies.n + 2 > REPLIES_MAX)
        return false;
    if (p->half_open)
        r.flags = TH_RST;
    tcp_reply(t, &p->key, &r, 0);
    t->stats.rsts_out++;
    if (seq_eq(p->snd_una, p->snd_max))
        return true;
    r.seq = p->snd_una;
    tcp_reply(t, &p->key, &r, 0);
    t->stats.rsts_out++;
    return true;
}
