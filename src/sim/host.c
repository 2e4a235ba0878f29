/* A host: a clock, a port, cores, an application. */
#include "sim/sim_int.h"

/* Clocks start anywhere; half of them shortly before a 32-bit count of ticks (128 us) or of
 * milliseconds wraps. */
static void draw_clock(struct sim_world *w, struct rng *r, struct sim_clock *c)
{
    uint64_t wrap_us = rng_chance(r, 1, 2) ? UINT64_C(1) << (32 + TICK_SHIFT)
                                           : (UINT64_C(1) << 32) * USEC_PER_MSEC;

    c->ppm = (int32_t)rng_below(r, 1001) - 500;
    if (rng_chance(r, 1, 8))
        c->ppm = (int32_t)rng_below(r, 100001) - 50000;
    c->offset_us = 1 + (rng_u64(r) >> 24);
    if (rng_chance(r, 1, 2))
        c->offset_us = wrap_us - rng_below(r, (uint32_t)(w->plan.heal_ns / SIM_NS_PER_USEC));
}

static void wire_send(void *arg, unsigned host, const uint8_t *frame, uint32_t n)
{
    sim_net_send(arg, host, frame, n);
}

/* On all cores, or on some. */
static uint8_t draw_cores(const struct sim_host *h, struct rng *r)
{
    uint32_t all = (1u << h->cores) - 1;

    return (uint8_t)(rng_chance(r, 2, 3) ? all : 1 + rng_below(r, all));
}

/* A host of many cores: who belongs where, and mail between them. */
static void *cores_init(struct sim_world *w, unsigned host, struct rng *r,
                        struct sim_port_config *port, struct rss *other, struct mem *m)
{
    struct sim_host *h = &w->host[host];
    uint32_t ring = sim_draw_ring(w, host, r, port);
    void *mail = mem_carve(m, mail_bytes(h->cores, ring), CACHE_LINE);

    sim_draw_law(h, r, m);
    rng_init(&h->law_rng, mix64(w->options.seed + host + 0x6c6177));
    sim_draw_spread(h, r, port, other);
    memset(mail, 0, mail_bytes(h->cores, ring));
    mail_format(mail, h->cores, ring);
    return mail;
}

void sim_host_init(struct sim_world *w, unsigned host, struct mem *m)
{
    struct sim_host *h = &w->host[host];
    struct sim_port_wire wire = {.send = wire_send, .arg = w};
    struct sim_port_config port;
    struct stack_config c;
    struct rss other;
    struct rng r;
    bool tiny = w->plan.tiny && rng_chance(&w->rng, 2, 3);
    void *mail = NULL;

    rng_init(&r, rng_u64(&w->rng));
    draw_clock(w, &r, &h->clock);
    h->cores = w->plan.cores[host];
    h->queues = rng_chance(&r, 1, 5) ? 1 + rng_below(&r, h->cores) : h->cores;
    h->nap_us = rng_chance(&r, 1, 2) ? rng_below(&r, 500) : 0;
    h->wake_us = rng_chance(&r, 1, 2) ? rng_below(&r, 500) : 0;
    h->txdone_us = 1 + rng_below(&r, 300);
    rng_init(&h->rng, rng_u64(&r));
    for (unsigned i = 0; i < SIM_LISTENERS; i++) {
        h->listens[i] = draw_cores(h, &r);
        h->one_call[i] = rng_chance(&r, 1, 4);
        if (h->one_call[i])
            h->listens[i] = (uint8_t)(1u << rng_below(&r, h->cores));
    }
    h->udp = draw_cores(h, &r);
    sim_draw_limits(w, &r, host, tiny, &c);
    sim_draw_port(w, &r, tiny, &port);
    if (h->cores > 1)
        mail = cores_init(w, host, &r, &port, &other, m);
    h->port = sim_port_init(m, host, &port, &wire);
    h->seen = (struct sim_watch_host){
        .mac = h->port->nic.mac, .addr = sim_net_addr(&w->net, host), .mtu = port.mtu};
    h->mr_app = (struct mr_app){.name = "sim", .init = sim_app_init, .event = sim_app_event};
    for (unsigned i = 0; i < h->cores; i++)
        sim_core_init(w, host, i, &c, mail, m);
    for (unsigned i = 0; i < h->cores; i++)
        sim_app_init(native_mr(h->core[i].native), &h->core[i].app, &h->core[i].shard.core_state);
}

void sim_host_wake(struct sim_world *w, unsigned host, uint64_t ns)
{
    for (unsigned i = 0; i < w->host[host].cores; i++)
        sim_core_wake(w, host, i, ns);
}

uint64_t sim_host_next(const struct sim_host *h)
{
    uint64_t at = SIM_NEVER;

    for (unsigned i = 0; i < h->cores; i++)
        at = min_u64(at, sim_core_next(&h->core[i]));
    return at;
}

void sim_host_turn(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];
    unsigned due[SIM_CORES_MAX], n = 0;

    for (unsigned i = 0; i < h->cores; i++)
        if (sim_core_next(&h->core[i]) <= w->now)
            due[n++] = i;
    for (; n > 0 && !w->over; n--) {
        unsigned k = n > 1 ? rng_below(&h->rng, n) : 0;
        sim_core_turn(w, host, due[k]);
        due[k] = due[n - 1];
    }
    if (h->law)
        sim_judge_sleep(w, host);
}

/* ---- over all cores ---------------------------------------------------------------- */

/* Packets may wait for a neighbour, and there is room for a few only. */
bool sim_host_is_leaky(struct sim_host *h)
{
    bool leaky = false;

    for (unsigned i = 0; i < h->cores; i++) {
        const struct eth_stats *s = &stack_eth(h->core[i].stack)->stats;
        leaky |= s->drop_pending || s->drop_unresolved || s->drop_txq_full || s->drop_neigh_full ||
                 h->core[i].shard.frames_dropped;
    }
    return leaky;
}

uint64_t sim_host_tcp(const struct sim_host *h, size_t counter)
{
    uint64_t sum = 0, v;

    for (unsigned i = 0; i < h->cores; i++) {
        memcpy(&v, (const uint8_t *)&stack_tcp(h->core[i].stack)->stats + counter, sizeof(v));
        sum += v;
    }
    return sum;
}

bool sim_host_has_ghosts(const struct sim_host *h)
{
    return sim_host_tcp(h, offsetof(struct tcp_stats, syncookies_good)) > 0;
}

uint32_t sim_host_guests_lost(const struct sim_host *h)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < h->cores; i++)
        n += h->core[i].app.guests_lost;
    return n;
}

bool sim_host_loses_mail(const struct sim_host *h)
{
    bool loses = false;

    for (unsigned i = 0; i < h->cores; i++)
        loses |= h->core[i].mail.stats.drop_packet_full ||
                 h->core[i].mail.stats.drop_packet_nobuf || h->core[i].shard.frames_dropped;
    return loses;
}
