/* Frames into a live host of eth, ip and udp: nothing breaks, and when all is drained every packet
 * is back in its pool.
 *
 * An input is a list of steps: a byte that says what to do, and where it needs bytes, a length
 * and the bytes.  Steps that carry packets make the headers consistent (lengths, checksums,
 * addresses) unless the step says not to, so that the fuzzer gets past the first check. */
#include "lib/fuzz_target.h"
#include "lib/net_host.h"

enum step { RAW_FRAME, IP_BYTES, IP_PACKET, UDP_DATAGRAM, ICMP_MESSAGE, ARP_PACKET, TIME, CALL };
#define STEPS 8

struct input {
    const uint8_t *p;
    size_t left;
};

static uint8_t next(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static size_t take(struct input *in, uint8_t *to, size_t max)
{
    size_t n = (size_t)next(in) * (next(in) % 8 == 0 ? 6 : 1);

    n = min_size(n, min_size(in->left, max));
    if (n > 0)
        memcpy(to, in->p, n);
    in->p += n;
    in->left -= n;
    return n;
}

/* Whatever came up is looked at like its owner would, then given back. */
static void consume(struct net_host *h)
{
    struct udp_pcb *pcb;
    struct ip_error e;
    struct pkt *p;

    for (unsigned i = 0; i < h->got.tcp.n; i++) {
        struct pkt *t = h->got.tcp.p[i];
        MR_ASSERT(ip_info(t)->payload_len == t->len);
        MR_ASSERT(t->data >= t->buf && t->data + t->len <= t->buf + t->pool->buf_size);
    }
    net_udp_input(h);
    while ((pcb = udp_next_ready(&h->udp)))
        while ((p = udp_recv(pcb))) {
            MR_ASSERT(p->len <= UDP_PAYLOAD_MAX);
            pkt_put(p);
        }
    while (ip_next_error(&h->ip, &e)) {
        MR_ASSERT(e.lidx != IP_LIDX_NONE);
        if (e.proto == IPPROTO_UDP_)
            udp_icmp_error(&h->udp, &h->ip, &e, h->now);
        else if (e.mtu)
            MR_ASSERT(ip_pmtu_update(&h->ip, &e.remote, e.mtu, h->now) >= 552);
    }
}

static void step_ip_packet(struct net_host *h, struct input *in, uint8_t proto)
{
    static const uint32_t addr[] = {0x0a000001, 0x0a000002, 0x0a000003, 0x0a0000ff,
                                    0xffffffff, 0xe0000001, 0x7f000001, 0xc0000201};
    struct ipv4_hdr ip = net_ip_hdr(proto);
    uint8_t opt[40], body[1600], how = next(in);
    size_t n;

    if (how & 1)
        ip.src = be32_of(addr[next(in) % 8]);
    if (how & 2)
        ip.dst = be32_of(addr[next(in) % 8]);
    if (how & 4) {
        ip.id = next(in) % 4;
        ip.frag_off = (uint16_t)((next(in) << 8 | next(in)) % 8192 * 8);
        ip.flags = how & 8 ? IPV4_MF : 0;
    }
    if (how & 16) {
        ip.optlen = (uint8_t)(next(in) % 11 * 4);
        for (unsigned i = 0; i < ip.optlen; i++)
            opt[i] = next(in);
        ip.opt = opt;
    }
    n = take(in, body, 1400);
    if (proto == IPPROTO_ICMP_ && n >= 4 && !(how & 4)) {
        uint16_t sum;
        memset(body + 2, 0, 2);
        sum = csum_finish(csum_add_portable(body, n, 0));
        memcpy(body + 2, &sum, 2);
    }
    net_ip_frame(h, &ip, body, n);
}

static void step_call(struct net_host *h, struct udp_pcb *pcb, struct input *in)
{
    static uint8_t data[9000];
    uint8_t what = next(in);
    struct udp_addr to = {ip4_of(10, 0, 0, (uint8_t)(1 + what % 4)), (uint16_t)(50 + what % 5)};
    struct ip_addr second = ip4_of(10, 0, 0, 3);

    switch (what >> 5) {
    case 0:
        udp_send(&h->udp, &h->ip, pcb, data, (size_t)next(in) * 30, &to, h->now);
        break;
    case 1:
        udp_connect(&h->udp, &h->ip, pcb, &to);
        break;
    case 2:
        udp_disconnect(&h->udp, pcb);
        break;
    case 3:
        ip_addr_add(&h->ip, h->netif, &second, 24, what & 1, h->now);
        break;
    case 4:
        ip_addr_del(&h->ip, &second);
        break;
    case 5:
        pcb->options = next(in) % 16;
        break;
    default:
        net_loop(h);
        break;
    }
}

static void step(struct net_host *h, struct udp_pcb *pcb, struct input *in)
{
    uint8_t frame[1700], what = next(in);
    size_t n;

    switch ((enum step)(what % STEPS)) {
    case RAW_FRAME:
        net_frame(h, frame, take(in, frame, 1600));
        break;
    case IP_BYTES:
        n = net_put_eth(frame, &net_mac, ETHTYPE_IPV4);
        net_frame(h, frame, n + take(in, frame + n, 1500));
        break;
    case IP_PACKET:
        step_ip_packet(h, in, next(in));
        break;
    case UDP_DATAGRAM:
        n = take(in, frame, 1400);
        net_udp_frame(h, 53, (uint16_t)(50 + what / STEPS % 5), frame, n);
        break;
    case ICMP_MESSAGE:
        step_ip_packet(h, in, IPPROTO_ICMP_);
        break;
    case ARP_PACKET:
        n = net_put_eth(frame, what & 8 ? &net_mac : &net_broadcast, ETHTYPE_ARP);
        memcpy(frame + n, "\0\1\10\0\6\4\0", 7);
        net_frame(h, frame, n + 7 + take(in, frame + n + 7, 100));
        break;
    case TIME:
        net_pass(h, (uint64_t)next(in) * (what & 128 ? 200000 : 500));
        break;
    case CALL:
        step_call(h, pcb, in);
        break;
    }
    consume(h);
    if (h->tx.descs.used > 12)
        net_drop_sent(h);
}

static void small_limits(struct net_host *h)
{
    net_limits(h);
    h->eth_limits.neighbours = 8;
    h->eth_limits.neigh_incomplete = 4;
    h->eth_limits.neigh_pending = 3;
    h->eth_limits.txq = 100;
    h->ip_limits.reass_datagrams = 4;
    h->ip_limits.reass_chunks = 16;
    h->ip_limits.reass_per_source = 3;
    h->ip_limits.jumbo = 3;
    h->ip_limits.loop = 8;
    h->ip_limits.loopq = 10;
    h->ip_limits.errors = 4;
    h->ip_limits.pmtu = 8;
    h->ip_limits.icmp_timestamp = true;
    h->udp_limits.pcbs = 4;
    h->udp_limits.copies = 8;
    h->packets = 24;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct net_host h;
    struct input in = {data, size};
    struct udp_pcb *pcb;

    small_limits(&h);
    net_start_limited(&h);
    h.now += USEC_PER_SEC;
    if (next(&in) & 1)
        net_know_peer(&h);
    h.rx.low_water = next(&in) % 24;
    pcb = udp_open(&h.udp);
    udp_bind(&h.udp, &h.ip, pcb, NULL, 53);
    while (in.left > 0)
        step(&h, pcb, &in);
    udp_close(&h.udp, pcb);
    net_end(&h);
    return 0;
}
