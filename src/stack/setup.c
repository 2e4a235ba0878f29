#include "base/rng.h"
#include "stack/stack_int.h"

#define TX_BUF 2048u
#define COPY_BUF 2048u
#define MAILED_BUF 2048u
#define CHUNK 2048u

void stack_limits_default(struct stack_limits *l)
{
    stack_limits_for(l, 65536);
}

/* What the applications of a stack need grows with its connections, within reason. */
void stack_limits_for(struct stack_limits *l, uint32_t max_conns)
{
    uint32_t n = max_u32(max_conns, 64);

    memset(l, 0, sizeof(*l));
    l->eth = eth_limits_default;
    l->ip = ip_limits_default;
    l->udp = udp_limits_default;
    l->sock = sock_limits_default;
    tcp_limits_default(&l->tcp);
    l->tcp.conns = n;
    l->tcp.time_wait = n;
    l->tcp.cold = max_u32(n / 4, 64);
    l->tcp.loss = clamp_u32(n / 8, 64, 65536);
    l->mailed = 2048;
    l->tx_packets = 4096;
    l->copy_packets = clamp_u32(n, 4096, 65536);
    l->snd_chunks = clamp_u32(2 * n, 16384, 4u << 20);
    l->snd_bufs = l->snd_chunks + clamp_u32(n, 4096, 1u << 20);
}

void stack_config_default(struct stack_config *c)
{
    memset(c, 0, sizeof(*c));
    stack_limits_default(&c->limits);
    tcp_config_default(&c->tcp);
}

/* Carve everything; with a measuring arena, only add up. `s` is a scratch stack then. */
static void layout(struct stack *s, struct mem *m, const struct stack_config *c)
{
    const struct stack_limits *l = &c->limits;
    csum_fn csum = csum_select();
    /* The cores of a program may share a secret, but must not draw the same numbers from it. */
    uint64_t seed = c->secret[0] ^ mix64(c->secret[1]) ^ mix64(c->secret[2] + 1) ^ c->secret[3] ^
                    mix64(c->home.self);

    pkt_pool_init(&s->tx, m, "tx packets", l->tx_packets, TX_BUF, PKT_HEADROOM, NULL);
    pkt_pool_init(&s->copies, m, "copies", l->copy_packets, COPY_BUF, 0, NULL);
    s->cores = (struct cores){.home = c->home, .mail = c->mail};
    s->cores.home.cores = max_u32(l->cores, 1);
    home_init(&s->cores.home, m);
    port_cores_init(&s->cores.ports, m, &s->cores.home);
    if (home_is_shared(&s->cores.home)) {
        pkt_pool_init(&s->mailed, m, "mailed", l->mailed, MAILED_BUF, PKT_HEADROOM, NULL);
        s->mailed.low_water = l->mailed / 4;
    }
    sbuf_pool_init(&s->sbufs, m, l->snd_bufs, l->snd_chunks, CHUNK);
    s->tx.sbufs = &s->sbufs;
    eth_init(&s->eth, m, &l->eth, &s->wheel, &s->tx, seed, csum);
    s->eth.cores = &s->cores;
    ip_init(&s->ip, m, &l->ip, &s->eth, &s->wheel, mix64(seed + 1));
    udp_init(&s->udp, m, &l->udp, mix64(seed + 2));
    s->udp.cores = &s->cores;
    s->tcp.ip = &s->ip;
    s->tcp.wheel = &s->wheel;
    s->tcp.tx = &s->tx;
    s->tcp.copies = &s->copies;
    s->tcp.sbufs = &s->sbufs;
    s->tcp.csum = csum;
    struct tcp_limits tcp_limits = l->tcp;
    tcp_limits.away = home_is_shared(&s->cores.home) ? l->tcp.conns + l->tcp.time_wait : 0;
    tcp_init(&s->tcp, m, &tcp_limits, &c->tcp, c->secret);
    sock_init(&s->sock, m, &l->sock, &s->tcp, &s->udp, &s->ip, &s->wheel, &s->sbufs);
}

void stack_measure(struct stack *scratch, struct mem *m, const struct stack_limits *l)
{
    struct stack_config c = {.limits = *l};

    tcp_config_default(&c.tcp);
    mem_init(m, NULL, 0);
    mem_carve(m, sizeof(struct stack), CACHE_LINE);
    layout(scratch, m, &c);
}

size_t stack_bytes(const struct stack_limits *l)
{
    struct stack scratch = {0};
    struct mem m;

    stack_measure(&scratch, &m, l);
    return align_up(m.used, 4096);
}

struct stack *stack_init(void *memory, size_t bytes, const struct stack_config *c, instant now)
{
    struct mem m;

    MR_ASSERT(bytes >= stack_bytes(&c->limits));
    MR_ASSERT(c->limits.cores <= 1 || (c->mail && c->home.law && c->home.self < c->limits.cores));
    mem_init(&m, memory, bytes);
    struct stack *s = mem_carve(&m, sizeof(struct stack), CACHE_LINE);
    memset(s, 0, sizeof(*s));
    wheel_init(&s->wheel, memory, now);
    s->now = s->sock.now = now;
    layout(s, &m, c);
    s->mem = m;
    return s;
}

int stack_port_add(struct stack *s, struct nic *nic, unsigned queue, unsigned vlan, uint32_t mtu)
{
    int i = eth_netif_add(&s->eth, nic, &nic->mac, (uint16_t)vlan, mtu, (uint16_t)queue);

    if (nic->spread != NIC_SPREAD_RSS && home_is_shared(&s->cores.home))
        s->tcp.chooser.learns = true;
    return i < 0 ? MR_ENOMEM : i;
}

int stack_addr_add(struct stack *s, unsigned netif, const struct ip_addr *a, unsigned prefix_len,
                   bool probe)
{
    int r = ip_addr_add(&s->ip, (uint8_t)netif, a, prefix_len, probe, s->now);

    return r < 0 ? r : 0;
}

int stack_route_add(struct stack *s, const struct ip_addr *net, unsigned prefix_len,
                    const struct ip_addr *gateway, unsigned netif)
{
    return ip_route_add(&s->ip, net, prefix_len, gateway, (uint8_t)netif);
}

int stack_neigh_add(struct stack *s, unsigned netif, const struct ip_addr *a,
                    const struct mac_addr *mac)
{
    return eth_neigh_add_permanent(&s->eth, (uint8_t)netif, a, mac) == NEIGH_NONE ? MR_ENOMEM : 0;
}

const struct cores *stack_cores(const struct stack *s)
{
    return &s->cores;
}
struct sock *stack_sock(struct stack *s)
{
    return &s->sock;
}
struct tcp *stack_tcp(struct stack *s)
{
    return &s->tcp;
}
struct udp *stack_udp(struct stack *s)
{
    return &s->udp;
}
struct ip *stack_ip(struct stack *s)
{
    return &s->ip;
}
struct eth *stack_eth(struct stack *s)
{
    return &s->eth;
}
instant stack_now(const struct stack *s)
{
    return s->now;
}
