/* Limits and knobs of one host, small or tiny, from its own random stream. */
#include "sim/sim_int.h"

static uint32_t between(struct rng *r, uint32_t lo, uint32_t hi)
{
    return lo + rng_below(r, hi - lo + 1);
}

/* Enough for every plan of the world, and not more than must be zeroed before it. */
static void small_limits(struct stack_limits *l)
{
    l->eth.neighbours = 32;
    l->eth.neigh_incomplete = 8;
    l->eth.pending = 64;
    l->eth.txq = 512;
    l->ip.routes = 8;
    l->ip.reass_datagrams = 16;
    l->ip.reass_chunks = 96;
    l->ip.jumbo = 6;
    l->ip.loop = 64;
    l->ip.loopq = 128;
    l->ip.errors = 32;
    l->ip.pmtu = 32;
    l->udp.pcbs = 8;
    l->udp.copies = 32;
    l->tcp.conns = 2 * SIM_CONNS_MAX;
    l->tcp.time_wait = 2 * SIM_CONNS_MAX;
    l->tcp.syns = 128;
    l->tcp.listeners = 8;
    l->tcp.cold = 2 * SIM_CONNS_MAX;
    l->tcp.loss = 64;
    l->tcp.ooo_packets = 256;
    l->sock.timers = 2 * SIM_CONNS_MAX;
    l->tx_packets = 512;
    l->copy_packets = 512;
    l->snd_chunks = 512;
    l->snd_bufs = 1024;
    l->mailed = 128;
}

/* Connections this host opens: as a server it needs some more, or hosts that all open connections
 * to each other wait for each other. */
static uint32_t opens(const struct sim_world *w, unsigned host)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->plan.conns; i++)
        n += w->conn[i].client == host || (w->conn[i].twin && w->conn[i].server == host);
    return n;
}

/* So little that something is always used up.  What a lone connection needs stays. */
static void tiny_limits(struct sim_world *w, struct rng *r, unsigned host, struct stack_limits *l)
{
    if (rng_chance(r, 1, 2))
        l->tx_packets = between(r, 8, 40);
    if (rng_chance(r, 1, 2))
        l->eth.txq = between(r, 8, 40);
    if (rng_chance(r, 1, 2))
        l->snd_chunks = between(r, 6, 40);
    if (rng_chance(r, 1, 2))
        l->snd_bufs = l->snd_chunks + between(r, 4, 40);
    if (rng_chance(r, 1, 2))
        l->copy_packets = between(r, 8, 40);
    if (rng_chance(r, 1, 2))
        l->tcp.syns = between(r, 1, 6);
    if (rng_chance(r, 1, 2))
        l->tcp.conns = opens(w, host) + between(r, 4, 20);
    if (rng_chance(r, 1, 2))
        l->tcp.time_wait = between(r, 1, 20);
    if (rng_chance(r, 1, 2))
        l->tcp.cold = between(r, 1, 10);
    if (rng_chance(r, 1, 2))
        l->tcp.loss = between(r, 1, 4);
    if (rng_chance(r, 1, 2))
        l->tcp.ooo_packets = between(r, 1, 20);
    if (rng_chance(r, 1, 4))
        l->sock.timers = between(r, 4, 40);
    l->tcp.ooo_runs = between(r, 1, 8);
    l->tcp.sack_ranges = between(r, 1, l->tcp.sack_ranges);
    if (rng_chance(r, 1, 2))
        l->mailed = between(r, 8, 40);
    l->ip.reass_datagrams = between(r, 1, 4);
    l->ip.jumbo = between(r, 2, 4);
    l->eth.neigh_pending = between(r, 1, 4);
}

static void draw_knobs(struct sim_world *w, struct rng *r, bool tiny, bool many,
                       struct tcp_config *c)
{
    c->opt_order = rng_chance(r, 1, 4) ? TCP_ORDER_FREEBSD : TCP_ORDER_LINUX;
    c->window_scaling = rng_chance(r, 4, 5);
    c->timestamps = rng_chance(r, 3, 4);
    c->sack = rng_chance(r, 3, 4);
    c->delack = rng_chance(r, 4, 5);
    c->cookies = rng_chance(r, 1, 6)   ? TCP_COOKIES_ALWAYS
                 : rng_chance(r, 1, 8) ? TCP_COOKIES_OFF
                                       : TCP_COOKIES_OVERFLOW;
    c->sndbuf = 16384u << rng_below(r, 4);
    c->rcvbuf = 16384u << rng_below(r, 4);
    c->sndbuf_max = max_u32(c->sndbuf, 262144);
    c->rcvbuf_max = max_u32(c->rcvbuf, 262144);
    if (rng_chance(r, 1, 5)) {
        c->rcvbuf = between(r, 2048, 8192);
        c->rcvbuf_max = c->rcvbuf;
    }
    if (rng_chance(r, 1, 6))
        c->mss_max = between(r, 88, 1400);
    if (rng_chance(r, 1, 4))
        c->initial_window_segs = between(r, 1, 10);
    c->msl_ms = between(r, 500, 15000);
    if (tiny) {
        c->port_lo = 40000;
        c->port_hi = (uint16_t)(40000 + between(r, 16, 400));
    }
    /* Near the wrap of sequence numbers in half of the worlds. */
    if (w->options.seed & 1) {
        /* Where segments wait for a core that stands still, a number must not come again. */
        c->isn_fixed = rng_chance(r, 1, 3) && !many;
        c->isn_offset = UINT32_MAX - rng_below(r, 20000);
    }
}

void sim_draw_limits(struct sim_world *w, struct rng *r, unsigned host, bool tiny,
                     struct stack_config *c)
{
    stack_config_default(c);
    small_limits(&c->limits);
    if (tiny)
        tiny_limits(w, r, host, &c->limits);
    draw_knobs(w, r, tiny, w->plan.cores[host] > 1, &c->tcp);
    c->limits.cores = w->plan.cores[host];
    /* One for all cores: a flow's sequence numbers go on where it ended on another core. */
    for (unsigned i = 0; i < ARRAY_LEN(c->secret); i++)
        c->secret[i] = rng_u64(r);
}

void sim_draw_port(struct sim_world *w, struct rng *r, bool tiny, struct sim_port_config *c)
{
    *c = (struct sim_port_config){
        .mtu = rng_chance(r, 1, 4) ? between(r, 576, 1500) : 1500,
        .rx_packets = rng_chance(r, tiny ? 2 : 1, 4) ? between(r, 12, 64) : 512,
        .tx_slots = rng_chance(r, 1, 3) ? between(r, 1, SIM_TX_HELD_MAX) : 0,
        .tx_csum = rng_chance(r, 1, 2),
        .rx_csum = rng_chance(r, 1, 2),
        .fill = w->options.fill,
    };
    if (rng_chance(r, 1, 10))
        c->mtu = between(r, 1500, 4000);
    if (rng_chance(r, 1, 3))
        c->tso_max = between(r, 2 * c->mtu, 65000);
    if (rng_chance(r, 1, 4))
        c->coalesce_max = between(r, 2 * c->mtu, 16000);
    c->rx_low_water = between(r, 2, c->rx_packets * 3 / 4);
}
