/* bench_port: the packet rate of a port, with no stack on it.
 *
 *   bench_port reflect --dev DEVICE --addr ADDRESS [--seconds N]
 *   bench_port blast   --dev DEVICE --addr ADDRESS --to ADDRESS [--size 64] [--seconds 3]
 *
 * `reflect` sends every datagram back by the way it came, addresses swapped: what a port can do
 * when nobody thinks.  `blast` keeps a window of datagrams on their way to an echo server (reflect,
 * or millrace-echo) and counts those that come back; it prints one JSON object.  Both answer ARP
 * for their address and do nothing else.  Sizes are of whole frames, without the FCS.
 *
 * A datagram that was lost would keep its place in the window for ever: when nothing has come back
 * for LOST_US the window is taken to be empty. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/csum.h"
#include "host/port.h"
#include "os/os.h"
#include "time/time.h"
#include "wire/wire.h"

#define WINDOW 512u
#define LOST_US 5000u
#define ASK_US 100000u
#define BUFFERS 4096u
#define BUF_SIZE 2048u
#define FLOWS 16u
#define PORT 7u
#define FLOW_PORT 20000u
#define HEADERS (14u + 20u + 8u)

struct bench {
    struct host_port port;
    struct mr_config config;
    be32 own, peer;
    struct mac_addr peer_mac;
    bool peer_known;
    struct pkt_pool pool; /* ours, to send */
    uint32_t size;
    uint64_t seconds;
    uint64_t sent, received, lost;
};

/* ---- frames ------------------------------------------------------------------------------- */

static void send_one(struct bench *b, struct pkt *p)
{
    if (nic_tx_burst(b->port.nic, 0, &p, 1) == 0)
        pkt_put(p);
}

static void send_arp(struct bench *b, uint16_t op, const struct mac_addr *to, be32 addr)
{
    struct pkt *p = pkt_get(&b->pool);
    const struct mac_addr all = {{255, 255, 255, 255, 255, 255}};
    struct eth_hdr eth = {.dst = to ? *to : all, .src = b->port.nic->mac, .ethertype = ETHTYPE_ARP};
    struct arp_pkt arp = {.op = op, .sha = b->port.nic->mac, .spa = b->own, .tpa = addr};

    if (!p)
        return;
    if (to)
        arp.tha = *to;
    p->len = (uint32_t)eth_emit(p->data, &eth);
    p->len += (uint32_t)arp_emit(p->data + p->len, &arp);
    memset(p->data + p->len, 0, 60 - p->len);
    p->len = 60;
    send_one(b, p);
}

static void take_arp(struct bench *b, const uint8_t *frame, uint32_t len)
{
    struct arp_pkt arp;

    if (arp_parse(&arp, frame + 14, len - 14) != WIRE_OK || arp.tpa.raw != b->own.raw)
        return;
    if (arp.op == ARP_REQUEST)
        send_arp(b, ARP_REPLY, &arp.sha, arp.spa);
    if (arp.spa.raw == b->peer.raw) {
        b->peer_mac = arp.sha;
        b->peer_known = true;
    }
}

/* A datagram to us, in a frame of at least its headers. */
static bool is_datagram(struct bench *b, const struct pkt *p)
{
    const uint8_t *f = p->data;

    if (p->len < HEADERS)
        return false;
    if (load_be16(f + 12) == ETHTYPE_ARP)
        take_arp(b, f, p->len);
    return load_be16(f + 12) == ETHTYPE_IPV4 && f[14] == 0x45 && f[23] == IPPROTO_UDP_ &&
           load_be32(f + 30) == be32_get(b->own);
}

/* ---- reflect ------------------------------------------------------------------------------ */

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
    uint8_t keep[8];

    memcpy(keep, a, n);
    memcpy(a, b, n);
    memcpy(b, keep, n);
}

static void turn_round(struct pkt *p)
{
    uint8_t *f = p->data;

    swap(f, f + 6, 6);
    swap(f + 26, f + 30, 4);
    swap(f + 34, f + 36, 2);
    p->l3_off = (uint16_t)(f + 14 - p->buf);
    p->l4_off = (uint16_t)(f + 34 - p->buf);
}

static void reflect_burst(struct bench *b)
{
    struct pkt *in[BURST_MAX], *out[BURST_MAX];
    unsigned n = nic_rx_burst(b->port.nic, 0, in, BURST_MAX), k = 0;

    for (unsigned i = 0; i < n; i++) {
        if (is_datagram(b, in[i])) {
            turn_round(in[i]);
            out[k++] = in[i];
        } else {
            pkt_put(in[i]);
        }
    }
    unsigned sent = k ? nic_tx_burst(b->port.nic, 0, out, k) : 0;
    b->received += k;
    b->sent += sent;
    for (unsigned i = sent; i < k; i++)
        pkt_put(out[i]);
}

static void reflect(struct bench *b)
{
    uint64_t until = os_now_us() + b->seconds * USEC_PER_SEC;

    printf("ready\n");
    fflush(stdout);
    while (!os_stop_asked() && os_now_us() < until)
        for (unsigned i = 0; i < 256; i++)
            reflect_burst(b);
}

/* ---- blast -------------------------------------------------------------------------------- */

/* All that a datagram is but its place: a port may write into its headroom only. */
static void fill(struct bench *b, uint8_t *f, unsigned flow)
{
    const uint16_t len = (uint16_t)(b->size - 34);
    struct eth_hdr eth = {.dst = b->peer_mac, .src = b->port.nic->mac, .ethertype = ETHTYPE_IPV4};
    struct ipv4_hdr ip = {.src = b->own,
                          .dst = b->peer,
                          .total_len = (uint16_t)(b->size - 14),
                          .flags = IPV4_DF,
                          .ttl = 64,
                          .proto = IPPROTO_UDP_};
    struct udp_hdr udp = {.sport = (uint16_t)(FLOW_PORT + flow), .dport = PORT, .len = len};

    eth_emit(f, &eth);
    ipv4_emit(f + 14, &ip);
    udp_emit(f + 34, &udp);
    memset(f + HEADERS, 0x5a, b->size - HEADERS);
    uint16_t sum = csum_finish(
        csum_add_portable(f + 34, len, ipv4_pseudo_sum(b->own, b->peer, IPPROTO_UDP_, len)));
    memcpy(f + 40, &sum, sizeof(sum));
}

/* Every buffer is written once; afterwards a datagram costs taking and giving back. */
static void fill_all(struct bench *b)
{
    static struct pkt *p[BUFFERS];

    for (unsigned i = 0; i < BUFFERS; i++) {
        p[i] = pkt_get(&b->pool);
        if (!p[i])
            abort();
        fill(b, p[i]->data, i % FLOWS);
    }
    for (unsigned i = 0; i < BUFFERS; i++)
        pkt_put(p[i]);
}

static unsigned take_answers(struct bench *b)
{
    struct pkt *in[BURST_MAX];
    unsigned n = nic_rx_burst(b->port.nic, 0, in, BURST_MAX), mine = 0;

    for (unsigned i = 0; i < n; i++) {
        mine += is_datagram(b, in[i]) && in[i]->len == b->size;
        pkt_put(in[i]);
    }
    return mine;
}

static unsigned send_some(struct bench *b, uint64_t room)
{
    struct pkt *out[BURST_MAX];
    unsigned n = 0, sent;

    while (n < BURST_MAX && n < room && (out[n] = pkt_get(&b->pool))) {
        out[n]->len = b->size;
        out[n]->l3_off = (uint16_t)(out[n]->data + 14 - out[n]->buf);
        out[n]->l4_off = (uint16_t)(out[n]->data + 34 - out[n]->buf);
        n++;
    }
    sent = n ? nic_tx_burst(b->port.nic, 0, out, n) : 0;
    for (unsigned i = sent; i < n; i++)
        pkt_put(out[i]);
    return sent;
}

static bool find_peer(struct bench *b)
{
    uint64_t until = os_now_us() + 10 * USEC_PER_SEC, next = 0;

    while (!b->peer_known && !os_stop_asked() && os_now_us() < until) {
        if (os_now_us() >= next) {
            send_arp(b, ARP_REQUEST, NULL, b->peer);
            next = os_now_us() + ASK_US;
        }
        take_answers(b);
    }
    return b->peer_known;
}

/* Datagrams there and back until the time is over. */
static void pump(struct bench *b, uint64_t us)
{
    uint64_t now = os_now_us(), until = now + us, news = now, on_the_way = 0;

    while (now < until && !os_stop_asked()) {
        unsigned back = take_answers(b);
        on_the_way -= min_u64(on_the_way, back);
        b->received += back;
        unsigned sent = on_the_way < WINDOW ? send_some(b, WINDOW - on_the_way) : 0;
        on_the_way += sent;
        b->sent += sent;
        now = os_now_us();
        if (back) {
            news = now;
        } else if (now - news > LOST_US) {
            b->lost += on_the_way;
            on_the_way = 0;
            news = now;
        }
    }
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int blast(struct bench *b)
{
    if (!find_peer(b)) {
        fprintf(stderr, "bench_port: nobody answers for the address\n");
        return 1;
    }
    fill_all(b);
    pump(b, USEC_PER_SEC / 4);
    b->sent = b->received = b->lost = 0;
    uint64_t from = os_now_us();
    double cpu = cpu_seconds();
    pump(b, b->seconds * USEC_PER_SEC);
    double seconds = (double)(os_now_us() - from) / 1e6;
    printf("{\"size\": %u, \"seconds\": %.3f, \"echoed\": %llu, \"sent\": %llu, \"lost\": %llu, "
           "\"rate\": %.0f, \"cpu\": %.3f}\n",
           b->size, seconds, (unsigned long long)b->received, (unsigned long long)b->sent,
           (unsigned long long)b->lost, (double)b->received / seconds, cpu_seconds() - cpu);
    return 0;
}

/* ---- the program -------------------------------------------------------------------------- */

static bool address(const char *text, be32 *out)
{
    unsigned a[4];
    int n = 0;

    if (sscanf(text, "%3u.%3u.%3u.%3u%n", &a[0], &a[1], &a[2], &a[3], &n) != 4 || text[n])
        return false;
    *out = be32_of(a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]);
    return true;
}

static bool take(struct bench *b, const char *key, const char *value)
{
    if (strcmp(key, "--dev") == 0)
        b->config.dev = value;
    else if (strcmp(key, "--eal") == 0)
        b->config.eal = value;
    else if (strcmp(key, "--addr") == 0)
        return address(value, &b->own) && mr_addr_parse(&b->config.addr, value);
    else if (strcmp(key, "--to") == 0)
        return address(value, &b->peer);
    else if (strcmp(key, "--size") == 0)
        return dev_number(value, 60, 1514, &b->size);
    else if (strcmp(key, "--seconds") == 0)
        b->seconds = strtoull(value, NULL, 10);
    else
        return false;
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_port reflect|blast --dev DEVICE --addr ADDRESS [--to ADDRESS] "
                    "[--size N] [--seconds N] [--eal ARGS]\n");
    return 2;
}

static void pool_setup(struct bench *b)
{
    size_t bytes = BUFFERS * (sizeof(struct pkt) + BUF_SIZE) + 8192;
    struct mem m;

    mem_init(&m, os_reserve(bytes, false), bytes);
    pkt_pool_init(&b->pool, &m, "bench", BUFFERS, BUF_SIZE, PKT_HEADROOM, NULL);
}

int main(int argc, char **argv)
{
    static struct bench b = {.size = 64, .seconds = 3};
    char why[300];
    int rc = 0;

    mr_config_init(&b.config);
    bool blasts = argc > 1 && strcmp(argv[1], "blast") == 0;
    if (!blasts && (argc < 2 || strcmp(argv[1], "reflect") != 0))
        return usage();
    for (int i = 2; i + 1 < argc; i += 2)
        if (!take(&b, argv[i], argv[i + 1]))
            return usage();
    if (os_stop_catch() < 0 || host_port_open(&b.port, &b.config, why, sizeof(why)) < 0) {
        fprintf(stderr, "bench_port: %s\n", why);
        return 1;
    }
    pool_setup(&b);
    struct nic *nic = b.port.nic;
    if (nic->ops->attach && nic->ops->attach(nic, 0) < 0)
        return 1;
    if (blasts)
        rc = blast(&b);
    else
        reflect(&b);
    if (nic->ops->detach)
        nic->ops->detach(nic, 0);
    host_port_close(&b.port);
    return rc;
}
