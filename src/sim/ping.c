/* Echo requests (RFC 792, RFC 1122 3.2.2.6): what comes back is what was sent, to the byte. */
#include "sim/sim_int.h"

#define PING_BYTES_MAX 1400u

static uint64_t stream_of(uint16_t seq)
{
    return UINT64_C(3) << 62 | seq;
}

/* The size, too, is a function of the number. */
static uint32_t size_of(const struct sim_world *w, uint16_t seq)
{
    return (uint32_t)(sim_oracle_word(&w->oracle, stream_of(seq), UINT32_MAX) % PING_BYTES_MAX);
}

void sim_ping(struct sim_world *w)
{
    uint8_t f[ETH_HLEN_MAX + IPV4_HLEN + ICMP_HLEN + PING_BYTES_MAX];
    unsigned host = rng_below(&w->rng, w->plan.hosts);
    uint16_t seq = w->pings++;
    uint32_t n = min_u32(size_of(w, seq), w->host[host].seen.mtu - IPV4_HLEN - ICMP_HLEN);
    struct eth_hdr eth = {
        .dst = sim_net_mac(host), .src = sim_router_mac(host), .ethertype = ETHTYPE_IPV4};
    struct ipv4_hdr ip = {.src = sim_net_gateway(&w->net, host),
                          .dst = sim_net_addr(&w->net, host),
                          .total_len = (uint16_t)(IPV4_HLEN + ICMP_HLEN + n),
                          .id = w->net.ip_id++,
                          .ttl = 64,
                          .proto = IPPROTO_ICMP_};
    struct icmp_hdr icmp = {.type = ICMP_ECHO, .id = (uint16_t)host, .seq = seq};
    size_t at = eth_emit(f, &eth);

    at += ipv4_emit(f + at, &ip);
    uint8_t *msg = f + at;
    at += icmp_emit(msg, &icmp);
    sim_oracle_fill(&w->oracle, stream_of(seq), 0, f + at, n);
    uint16_t sum = csum_finish(csum_add_portable(msg, ICMP_HLEN + n, 0));
    memcpy(msg + 2, &sum, 2);
    sim_net_carry(w, host, host, f, (uint32_t)at + n);
}

const char *sim_ping_judge(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n)
{
    struct ipv4_hdr ip;
    struct icmp_hdr icmp;

    if (load_be16(b + 12) != ETHTYPE_IPV4 ||
        ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK || ip.proto != IPPROTO_ICMP_ ||
        ip.frag_off || ip.flags & IPV4_MF)
        return NULL;
    const uint8_t *msg = b + ETH_HLEN + ip.hlen;
    uint32_t len = (uint32_t)ip.total_len - ip.hlen;
    if (icmp_parse(&icmp, msg, len) != WIRE_OK || icmp.type != ICMP_ECHO_REPLY)
        return NULL;
    if (icmp.id != host || icmp.seq >= w->pings)
        return "an echo reply that nobody asked for";
    len -= ICMP_HLEN;
    if (len != min_u32(size_of(w, icmp.seq), w->host[host].seen.mtu - IPV4_HLEN - ICMP_HLEN) ||
        sim_oracle_check(&w->oracle, stream_of(icmp.seq), 0, msg + ICMP_HLEN, len) != len)
        return "an echo reply is not what was sent";
    return NULL;
}
