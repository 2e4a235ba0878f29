/* A host of the rooms eth, ip and udp on one port that is no port: tests put frames in and take
 * frames out, and time is what they say.
 *
 * The host is 10.0.0.1/24 (MAC ..:01) with a gateway 10.0.0.254; the peer is 10.0.0.2 (..:02). */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "udp/udp.h"

#define NET_START (100 * USEC_PER_SEC)
#define NET_FRAME_MAX 70000u

struct net_host {
    void *memory;
    struct mem m;
    struct nic nic;
    struct wheel wheel;
    struct pkt_pool rx, tx;
    struct eth eth;
    struct ip ip;
    struct udp udp;
    struct eth_limits eth_limits;
    struct ip_limits ip_limits;
    struct udp_limits udp_limits;
    struct ip_result got; /* what the last input left: owned by the test */
    uint32_t packets; /* in each of rx and tx */
    uint8_t netif;
    instant now;
};

static const struct mac_addr net_mac = {{2, 0, 0, 0, 0, 1}};
static const struct mac_addr net_peer_mac = {{2, 0, 0, 0, 0, 2}};
static const struct mac_addr net_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static inline struct ip_addr net_us(void)
{
    return ip4_of(10, 0, 0, 1);
}
static inline struct ip_addr net_peer(void)
{
    return ip4_of(10, 0, 0, 2);
}

static inline void net_carve(struct net_host *h)
{
    pkt_pool_init(&h->rx, &h->m, "rx", h->packets, PKT_HEADROOM + 2048, PKT_HEADROOM, NULL);
    pkt_pool_init(&h->tx, &h->m, "tx", h->packets, PKT_HEADROOM + 2048, PKT_HEADROOM, NULL);
    eth_init(&h->eth, &h->m, &h->eth_limits, &h->wheel, &h->tx, 1, csum_add_portable);
    ip_init(&h->ip, &h->m, &h->ip_limits, &h->eth, &h->wheel, 2);
    udp_init(&h->udp, &h->m, &h->udp_limits, 3);
}

static inline void net_limits(struct net_host *h)
{
    memset(h, 0, sizeof(*h));
    h->eth_limits = eth_limits_default;
    h->ip_limits = ip_limits_default;
    h->udp_limits = udp_limits_default;
    h->ip_limits.jumbo = 8;
    h->udp_limits.pcbs = 64;
    h->udp_limits.copies = 64;
    h->packets = 256;
}

/* With the limits that net_limits put in, and the test changed; without an address. */
static inline void net_start_bare(struct net_host *h)
{
    mem_init(&h->m, NULL, 0);
    net_carve(h);
    size_t size = align_up(h->m.used, 4096);
    h->memory = aligned_alloc(4096, size);
    memset(h->memory, 0, size);
    mem_init(&h->m, h->memory, size);
    h->now = NET_START;
    wheel_init(&h->wheel, h->memory, h->now);
    net_carve(h);
    h->nic = (struct nic){.caps = {.mtu = 1500, .rx_buf_size = 2048, .queues = 1}, .mac = net_mac};
    h->netif = (uint8_t)eth_netif_add(&h->eth, &h->nic, &net_mac, 0, 0, 0);
}

static inline void net_drop_sent(struct net_host *h)
{
    pkt_list_put_all(&h->eth.txq);
}

static inline void net_start_limited(struct net_host *h)
{
    struct ip_addr us = net_us(), any = ip4_of(0, 0, 0, 0), gateway = ip4_of(10, 0, 0, 254);

    net_start_bare(h);
    MR_ASSERT(ip_addr_add(&h->ip, h->netif, &us, 24, false, h->now) > 0);
    MR_ASSERT(ip_route_add(&h->ip, &any, 0, &gateway, h->netif) == 0);
    net_drop_sent(h);
}

static inline void net_start(struct net_host *h)
{
    net_limits(h);
    net_start_limited(h);
}

static inline void net_drop_got(struct net_host *h)
{
    for (unsigned i = 0; i < h->got.tcp.n; i++)
        pkt_put(h->got.tcp.p[i]);
    for (unsigned i = 0; i < h->got.udp.n; i++)
        pkt_put(h->got.udp.p[i]);
    h->got.tcp.n = h->got.udp.n = 0;
}

/* A frame into eth and ip; what ip delivers is in h->got. */
static inline void net_frame(struct net_host *h, const void *bytes, size_t n)
{
    struct burst frames = {.n = 0}, packets;
    struct pkt *p = pkt_get(&h->rx);

    net_drop_got(h);
    MR_ASSERT(p && n <= pkt_tailroom(p));
    memcpy(p->data, bytes, n);
    p->len = (uint32_t)n;
    p->netif = h->netif;
    burst_add(&frames, p);
    eth_input(&h->eth, &frames, &packets, h->now);
    ip_input(&h->ip, &packets, &h->got, h->now);
}

/* What is looped back goes in again, once. */
static inline void net_loop(struct net_host *h)
{
    struct burst b;

    net_drop_got(h);
    if (ip_loop_burst(&h->ip, &b))
        ip_input(&h->ip, &b, &h->got, h->now);
}

static inline void net_udp_input(struct net_host *h)
{
    udp_input(&h->udp, &h->ip, &h->got.udp, h->now);
}

/* Time passes, and timers fire when they are due. */
static inline void net_pass(struct net_host *h, uint64_t us)
{
    instant end = h->now + us;

    for (;;) {
        instant next = wheel_deadline(&h->wheel);
        struct timer *t;
        h->now = next < end ? (next > h->now ? next : h->now) : end;
        wheel_advance(&h->wheel, h->now);
        while ((t = wheel_pop(&h->wheel))) {
            if (t->kind == TIMER_NEIGH || t->kind == TIMER_ARP_PROBE)
                eth_timer(&h->eth, t, h->now);
            else
                ip_timer(&h->ip, t, h->now);
        }
        if (h->now >= end)
            return;
    }
}

/* The next frame sent, copied to out (NET_FRAME_MAX bytes); its length, 0: none. */
static inline size_t net_sent(struct net_host *h, uint8_t *out)
{
    struct pkt *p = pkt_list_pop(&h->eth.txq);
    size_t n;

    if (!p)
        return 0;
    n = pkt_total(p);
    pkt_copy_out(p, out);
    pkt_put(p);
    return n;
}

/* ---- frames --------------------------------------------------------------------------- */

static inline size_t net_put_eth(uint8_t *b, const struct mac_addr *dst, uint16_t type)
{
    struct eth_hdr h = {.dst = *dst, .src = net_peer_mac, .ethertype = type};

    return eth_emit(b, &h);
}

/* Ethernet, IP and n bytes of payload from the peer to us, with *h changed by the caller. */
static inline struct ipv4_hdr net_ip_hdr(uint8_t proto)
{
    struct ip_addr us = net_us(), peer = net_peer();

    return (struct ipv4_hdr){.src = ip_v4(&peer), .dst = ip_v4(&us), .ttl = 64, .proto = proto};
}
static inline size_t net_put_ip(uint8_t *b, struct ipv4_hdr *h, const void *payload, size_t n)
{
    size_t at = net_put_eth(b, &net_mac, ETHTYPE_IPV4);

    h->total_len = (uint16_t)(IPV4_HLEN + h->optlen + n);
    at += ipv4_emit(b + at, h);
    if (n > 0)
        memcpy(b + at, payload, n);
    return at + n;
}
static inline void net_ip_frame(struct net_host *h, struct ipv4_hdr *ip, const void *payload,
                                size_t n)
{
    static uint8_t frame[NET_FRAME_MAX];

    net_frame(h, frame, net_put_ip(frame, ip, payload, n));
}

/* A UDP datagram (header and payload) with its checksum, from the peer to us, into b. */
static inline size_t net_put_udp(uint8_t *b, uint16_t sport, uint16_t dport, const void *payload,
                                 size_t n)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    struct udp_hdr u = {.sport = sport, .dport = dport, .len = (uint16_t)(UDP_HLEN + n)};
    uint16_t sum;

    udp_emit(b, &u);
    if (n > 0)
        memcpy(b + UDP_HLEN, payload, n);
    sum = csum_finish(csum_add_portable(b, UDP_HLEN + n,
                                        ipv4_pseudo_sum(ip.src, ip.dst, IPPROTO_UDP_, u.len)));
    if (sum == 0)
        sum = 0xffff;
    memcpy(b + 6, &sum, 2);
    return UDP_HLEN + n;
}
static inline void net_udp_frame(struct net_host *h, uint16_t sport, uint16_t dport,
                                 const void *payload, size_t n)
{
    static uint8_t datagram[NET_FRAME_MAX];
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    net_ip_frame(h, &ip, datagram, net_put_udp(datagram, sport, dport, payload, n));
}

/* An ICMP message with its checksum into b. */
static inline size_t net_put_icmp(uint8_t *b, struct icmp_hdr *h, const void *payload, size_t n)
{
    h->csum = 0;
    icmp_emit(b, h);
    if (n > 0)
        memcpy(b + ICMP_HLEN, payload, n);
    h->csum = csum_finish(csum_add_portable(b, ICMP_HLEN + n, 0));
    icmp_emit(b, h);
    return ICMP_HLEN + n;
}
static inline void net_icmp_frame(struct net_host *h, struct icmp_hdr *icmp, const void *payload,
                                  size_t n)
{
    static uint8_t message[NET_FRAME_MAX];
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_ICMP_);

    net_ip_frame(h, &ip, message, net_put_icmp(message, icmp, payload, n));
}

static inline void net_arp_frame(struct net_host *h, const struct mac_addr *dst,
                                 const struct arp_pkt *a)
{
    uint8_t frame[64];
    size_t at = net_put_eth(frame, dst, ETHTYPE_ARP);

    net_frame(h, frame, at + arp_emit(frame + at, a));
}

/* The peer's ARP answer to us. */
static inline void net_peer_answers(struct net_host *h)
{
    struct ip_addr us = net_us(), peer = net_peer();
    struct arp_pkt a = {.op = ARP_REPLY,
                        .sha = net_peer_mac,
                        .spa = ip_v4(&peer),
                        .tha = net_mac,
                        .tpa = ip_v4(&us)};

    net_arp_frame(h, &net_mac, &a);
}

/* The peer is resolved from here on. */
static inline void net_know_peer(struct net_host *h)
{
    struct ip_addr peer = net_peer();

    eth_neigh_add_permanent(&h->eth, h->netif, &peer, &net_peer_mac);
}

/* Everything back where it came from: then every pool is full. */
static inline void net_drain(struct net_host *h)
{
    struct ip_error e;

    for (unsigned i = 0; i < 4; i++) {
        net_drop_got(h);
        net_drop_sent(h);
        net_loop(h);
        net_udp_input(h);
        net_pass(h, 60 * USEC_PER_SEC);
        while (ip_next_error(&h->ip, &e))
            ;
    }
    net_drop_got(h);
    net_drop_sent(h);
}
static inline uint32_t net_packets_out(const struct net_host *h)
{
    return h->rx.descs.used + h->tx.descs.used + h->ip.jumbo.descs.used + h->ip.loop.descs.used +
           h->udp.copies.descs.used + h->ip.chunk_pool.used + h->ip.reass_pool.used;
}

static inline void net_end(struct net_host *h)
{
    net_drain(h);
    MR_ASSERT(net_packets_out(h) == 0);
    free(h->memory);
}
