#include "sim/watch.h"

#include "base/fmt.h"
#include "base/hash.h"

#define MSS_DEFAULT 536u
#define FLOW_PLACES 8u

void sim_watch_init(struct sim_watch *w, struct mem *m)
{
    *w = (struct sim_watch){.csum = csum_select()};
    w->flow = mem_carve(m, SIM_FLOWS * sizeof(*w->flow), CACHE_LINE);
    memset(w->flow, 0, SIM_FLOWS * sizeof(*w->flow));
}

static void accuse(struct sim_watch *w, const char *what, const uint8_t *b, uint32_t n)
{
    if (w->wrong)
        return;
    w->wrong = what;
    frame_print(w->detail, sizeof(w->detail), b, n);
}

/* ---- flows ------------------------------------------------------------------------ */

static bool key_eq(const struct sim_flow_key *a, const struct sim_flow_key *b)
{
    return a->src.raw == b->src.raw && a->dst.raw == b->dst.raw && a->sport == b->sport &&
           a->dport == b->dport;
}

/* The flow's place, one of a few; when they are all taken somebody is forgotten. */
static struct sim_flow *flow_find(struct sim_watch *w, const struct sim_flow_key *k)
{
    uint64_t h = mix64((uint64_t)k->src.raw << 32 | k->dst.raw);
    struct sim_flow *f, *place = NULL;

    h = mix64(h ^ ((uint64_t)k->sport << 16 | k->dport));
    for (unsigned i = 0; i < FLOW_PLACES; i++) {
        f = &w->flow[(h + i) & (SIM_FLOWS - 1)];
        if (key_eq(&f->key, k))
            return f;
        if (!place && f->key.sport == 0)
            place = f;
    }
    f = place ? place : &w->flow[h & (SIM_FLOWS - 1)];
    *f = (struct sim_flow){.key = *k};
    return f;
}

static struct sim_flow_key key_back(const struct sim_flow_key *k)
{
    return (struct sim_flow_key){k->dst, k->src, k->dport, k->sport};
}

/* ---- what a host sends ------------------------------------------------------------- */

static void sent_syn(struct sim_watch *w, struct sim_flow *f, struct sim_flow *g,
                     const struct tcp_seg *s)
{
    /* A SYN behind other segments is a new one, even if it has the number of the old. */
    if (!f->active || f->begun || !seq_eq(f->iss, s->seq)) {
        bool varies = f->active && !f->begun;
        *f = (struct sim_flow){
            .key = f->key, .active = true, .iss = s->seq, .iss_varies = varies};
        f->snd_max = seq_add(s->seq, 1);
        /* Whoever has sent a SYN only is beginning the same one. */
        g->peer_anew = g->active && g->begun;
        w->segments++;
    }
    f->has_wscale = s->has_wscale;
    f->wscale = s->wscale > 14 ? 14 : s->wscale;
    f->mss = s->has_mss ? s->mss : MSS_DEFAULT;
    f->snd_max = seq_max(f->snd_max, seq_add(s->seq, 1 + s->len));
    if (s->flags & TH_ACK && !f->begun) {
        f->has_ack = f->has_edge = true;
        f->ack = s->ack;
        f->edge = seq_add(s->ack, s->wnd);
    }
}

static const char *judge_seq(struct sim_watch *w, struct sim_flow *f, const struct sim_flow *g,
                             const struct tcp_seg *s, bool leaky)
{
    tcp_seq end = seq_add(s->seq, s->len);
    uint32_t room = g->mss ? g->mss : MSS_DEFAULT;

    if (!f->begun) {
        /* Behind SYN cookies the number may be that of an earlier SYN-ACK.  A keepalive probe
         * begins one octet early. */
        f->begun = true;
        if (seq_diff(s->seq, f->iss) > 1)
            f->snd_max = s->seq;
    }
    if (seq_gt(s->seq, f->snd_max) && !leaky)
        return "a segment leaves a gap behind what was sent before";
    if (!f->peer_anew && s->len + s->hlen - TCP_HLEN > room)
        return "a segment is larger than the peer's MSS allows";
    if (s->len > 0 && f->has_room && seq_gt(end, f->room)) {
        if (s->len != 1 || !seq_eq(s->seq, f->room))
            return "data was sent beyond the window";
        w->probes++;
    }
    if (f->fin && s->len > 0 && seq_gt(end, f->fin_seq))
        return "data was sent behind the FIN";
    if (s->flags & TH_FIN) {
        if (f->fin && !seq_eq(end, f->fin_seq))
            return "the FIN has moved";
        f->fin = true;
        f->fin_seq = end;
        end = seq_add(end, 1);
    }
    w->retransmitted += s->len > 0 && seq_lt(s->seq, f->snd_max);
    f->snd_max = seq_max(f->snd_max, end);
    return NULL;
}

static const char *judge_ack(struct sim_flow *f, const struct sim_flow *g, const struct tcp_seg *s)
{
    uint8_t shift = f->has_wscale && g->has_wscale ? f->wscale : 0;
    tcp_seq edge = seq_add(s->ack, (uint32_t)s->wnd << shift);

    if (f->has_ack && seq_lt(s->ack, f->ack))
        return "the acknowledgment number went back";
    /* Which of several SYNs it was, its sender's next segment tells. */
    bool is_known = !f->peer_anew && (g->begun || !g->iss_varies);
    if (is_known && seq_gt(s->ack, g->snd_max))
        return "an acknowledgment covers what was never sent";
    /* Behind the peer's FIN a window says nothing any more. */
    bool ended = g->fin && seq_gt(s->ack, g->fin_seq);
    if (f->has_edge && !f->peer_anew && !ended && seq_lt(edge, f->edge))
        return "the window's right edge went back";
    f->has_ack = f->has_edge = true;
    f->ack = s->ack;
    f->edge = edge;
    return NULL;
}

static const char *judge_ts(struct sim_flow *f, const struct tcp_seg *s)
{
    if (!s->has_ts)
        return NULL;
    if (f->has_ts && (int32_t)(s->ts_val - f->ts_val) < 0)
        return "the timestamp went back";
    f->has_ts = true;
    f->ts_val = s->ts_val;
    return NULL;
}

/* Both sides had finished, but a late copy of a segment has brought the connection to life again,
 * for it looked like a SYN cookie coming back. */
static bool is_ghost(const struct sim_flow *f, const struct sim_flow *g, const struct tcp_seg *s)
{
    tcp_seq end = seq_add(s->seq, s->len);

    return f->fin && (g->fin || f->peer_anew) &&
           (seq_lt(s->ack, f->ack) || (s->len > 0 && seq_gt(end, f->fin_seq)) ||
            (s->flags & TH_FIN && !seq_eq(end, f->fin_seq)));
}

static const char *judge_tcp(struct sim_watch *w, const struct sim_watch_host *h,
                             const struct ipv4_hdr *ip, const uint8_t *l4, uint32_t n)
{
    struct tcp_seg s;
    const char *wrong;

    if (tcp_parse(&s, l4, n) != WIRE_OK)
        return "a TCP header does not parse";
    w->segments++;
    struct sim_flow_key key = {ip->src, ip->dst, s.sport, s.dport}, back = key_back(&key);
    struct sim_flow *f = flow_find(w, &key), *g = flow_find(w, &back);
    if (s.flags & TH_RST || !key_eq(&f->key, &key))
        return NULL;
    if (s.flags & TH_SYN) {
        sent_syn(w, f, g, &s);
        return NULL;
    }
    if (!(s.flags & TH_ACK))
        return "a segment without ACK, SYN and RST";
    if (!f->active || !g->active)
        return NULL;
    if (h->ghosts && is_ghost(f, g, &s)) {
        f->active = false;
        return NULL;
    }
    wrong = judge_seq(w, f, g, &s, h->leaky);
    if (!wrong)
        wrong = judge_ack(f, g, &s);
    return wrong ? wrong : judge_ts(f, &s);
}

static bool sum_is_right(const struct sim_watch *w, const uint8_t *p, uint32_t n, uint64_t start)
{
    return csum_fold(w->csum(p, n, start)) == 0xffff;
}

static const char *judge_l4(struct sim_watch *w, const struct sim_watch_host *h,
                            const struct ipv4_hdr *ip, const uint8_t *l4, uint32_t n)
{
    struct udp_hdr udp;

    switch (ip->proto) {
    case IPPROTO_ICMP_:
        return n < ICMP_HLEN || !sum_is_right(w, l4, n, 0) ? "an ICMP checksum is wrong" : NULL;
    case IPPROTO_UDP_:
        if (udp_parse(&udp, l4, n) != WIRE_OK || udp.len != n)
            return "a UDP header does not parse";
        if (udp.csum == 0)
            return "a UDP packet has no checksum";
        break;
    case IPPROTO_TCP_:
        break;
    default:
        return "a protocol nobody speaks here";
    }
    if (!sum_is_right(w, l4, n, ipv4_pseudo_sum(ip->src, ip->dst, ip->proto, n)))
        return "a TCP or UDP checksum is wrong";
    return ip->proto == IPPROTO_TCP_ ? judge_tcp(w, h, ip, l4, n) : NULL;
}

static const char *judge_ipv4(struct sim_watch *w, const struct sim_watch_host *h,
                              const uint8_t *b, uint32_t n)
{
    struct ipv4_hdr ip;

    if (ipv4_parse(&ip, b, n) != WIRE_OK)
        return "an IPv4 header does not parse";
    if (ip.total_len != n)
        return "an IPv4 packet's length is not the frame's";
    if (n > h->mtu)
        return "a packet is larger than the interface's MTU";
    if (!sum_is_right(w, b, ip.hlen, 0))
        return "an IPv4 header's checksum is wrong";
    if (ip.src.raw != h->addr.raw)
        return "a packet's source is not the host's address";
    if (ip.frag_off || ip.flags & IPV4_MF)
        return NULL;
    return judge_l4(w, h, &ip, b + ip.hlen, n - ip.hlen);
}

void sim_watch_sent(struct sim_watch *w, const struct sim_watch_host *h, const uint8_t *b,
                    uint32_t n)
{
    struct eth_hdr eth;
    struct arp_pkt arp;
    const char *wrong = NULL;

    if (eth_parse(&eth, b, n) != WIRE_OK || eth.has_vlan)
        wrong = "an Ethernet header does not parse";
    else if (!mac_eq(&eth.src, &h->mac))
        wrong = "a frame's source is not the port's address";
    else if (eth.ethertype == ETHTYPE_IPV4)
        wrong = judge_ipv4(w, h, b + ETH_HLEN, n - ETH_HLEN);
    else if (eth.ethertype != ETHTYPE_ARP)
        wrong = "a frame is neither IPv4 nor ARP";
    else if (n != ETH_HLEN + ARP_LEN || arp_parse(&arp, b + ETH_HLEN, ARP_LEN) != WIRE_OK ||
             !mac_eq(&arp.sha, &h->mac))
        wrong = "an ARP packet is malformed";
    if (wrong)
        accuse(w, wrong, b, n);
}

/* ---- what a host is told ------------------------------------------------------------ */

void sim_watch_delivered(struct sim_watch *w, const uint8_t *b, uint32_t n)
{
    struct eth_hdr eth;
    struct ipv4_hdr ip;
    struct tcp_seg s;

    if (eth_parse(&eth, b, n) != WIRE_OK || eth.ethertype != ETHTYPE_IPV4 ||
        ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK || ip.proto != IPPROTO_TCP_ ||
        ip.frag_off)
        return;
    const uint8_t *l4 = b + ETH_HLEN + ip.hlen;
    uint32_t len = (uint32_t)ip.total_len - ip.hlen;
    if (!(ip.flags & IPV4_MF) &&
        !sum_is_right(w, l4, len, ipv4_pseudo_sum(ip.src, ip.dst, IPPROTO_TCP_, len)))
        return;
    if (!sum_is_right(w, b + ETH_HLEN, ip.hlen, 0) || tcp_parse(&s, l4, len) != WIRE_OK ||
        !(s.flags & TH_ACK) || s.flags & TH_RST)
        return;
    struct sim_flow_key key = {ip.src, ip.dst, s.sport, s.dport}, back = key_back(&key);
    struct sim_flow *f = flow_find(w, &key), *g = flow_find(w, &back);
    if (!g->active || !f->active || !key_eq(&f->key, &key) || seq_leq(s.ack, g->iss) ||
        seq_gt(s.ack, g->snd_max))
        return;
    uint8_t shift = s.flags & TH_SYN || !f->has_wscale || !g->has_wscale ? 0 : f->wscale;
    tcp_seq edge = seq_add(s.ack, (uint32_t)s.wnd << shift);
    if (!g->has_room || seq_gt(edge, g->room))
        g->room = edge;
    g->has_room = true;
}
