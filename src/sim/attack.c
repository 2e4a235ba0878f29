/* A stranger who can send to both ends of a connection but sees nothing (RFC 5961, RFC 5927): what
 * it sends must change nothing, whatever it guesses short of the exact number.
 *
 *     RST, SYN or data at the last octet of the window: inside, but not at its edge
 *     RST, data or SYN anywhere else
 *
 * Acknowledgments it makes up lie far behind what was ever sent. */
#include "sim/sim_int.h"

#define TRIES 64u

/* A flow that is under way and has announced some window. */
static const struct sim_flow *draw_victim(struct sim_world *w)
{
    for (unsigned i = 0; i < TRIES; i++) {
        const struct sim_flow *f = &w->watch.flow[rng_below(&w->net.rng, SIM_FLOWS)];
        if (f->active && f->begun && f->has_ack && seq_diff(f->edge, f->ack) > 100 &&
            sim_net_host_of(&w->net, f->key.src) != SIM_NET_NONE)
            return f;
    }
    return NULL;
}

/* A segment as if from the victim's peer. */
static size_t forge(struct sim_world *w, const struct sim_flow *f, uint8_t *b)
{
    static const uint16_t kinds[] = {TH_RST, TH_RST | TH_ACK, TH_SYN, TH_ACK, TH_ACK | TH_FIN};
    struct rng *r = &w->net.rng;
    unsigned dst = sim_net_host_of(&w->net, f->key.src), src = sim_net_host_of(&w->net, f->key.dst);
    struct mac_addr from = w->net.routed ? sim_router_mac(dst) : sim_net_mac(src);
    struct eth_hdr eth = {.dst = sim_net_mac(dst), .src = from, .ethertype = ETHTYPE_IPV4};
    struct tcp_seg s = {
        .sport = f->key.dport,
        .dport = f->key.sport,
        .flags = kinds[rng_below(r, ARRAY_LEN(kinds))],
        .seq = rng_chance(r, 1, 2) ? seq_sub(f->edge, 1) : seq_add(f->edge, rng_u32(r) >> 1),
        .ack = seq_sub(f->snd_max, 0x50000000),
        .wnd = 1000,
    };
    uint32_t len = s.flags & (TH_RST | TH_SYN) ? 0 : rng_below(r, 20);
    struct ipv4_hdr ip = {.src = f->key.dst,
                          .dst = f->key.src,
                          .total_len = (uint16_t)(IPV4_HLEN + TCP_HLEN + len),
                          .ttl = 60,
                          .proto = IPPROTO_TCP_};

    size_t at = eth_emit(b, &eth);
    at += ipv4_emit(b + at, &ip);
    uint8_t *tcp = b + at;
    tcp_emit(tcp, &s, TCP_ORDER_LINUX);
    memset(tcp + TCP_HLEN, 0x66, len);
    uint16_t sum = csum_finish(csum_add_portable(
        tcp, TCP_HLEN + len, ipv4_pseudo_sum(ip.src, ip.dst, IPPROTO_TCP_, TCP_HLEN + len)));
    memcpy(tcp + 16, &sum, 2);
    return at + TCP_HLEN + len;
}

/* What arrives while a core stands still may be read when its victim has long been another. */
static bool is_awake(const struct sim_world *w, const struct sim_host *h)
{
    bool awake = true;

    for (unsigned i = 0; i < h->cores; i++)
        awake &= h->core[i].stall_ns <= w->now;
    return awake;
}

void sim_attack(struct sim_world *w)
{
    uint8_t b[ETH_HLEN_MAX + IPV4_HLEN + TCP_HLEN_MAX + 32];
    const struct sim_flow *f = draw_victim(w);

    if (!f || !is_awake(w, &w->host[sim_net_host_of(&w->net, f->key.src)]))
        return;
    size_t n = forge(w, f, b);
    unsigned dst = sim_net_host_of(&w->net, f->key.src), src = sim_net_host_of(&w->net, f->key.dst);
    if (src == SIM_NET_NONE || src == dst)
        return;
    sim_note(w, dst, "an attack on port %u", f->key.sport);
    sim_net_forged(w, src, dst, b, (uint32_t)n);
}
