/* A world is drawn: how many hosts, who talks to whom, how, and over what. */
#include "sim/sim_int.h"

#define TOTAL_CORES_MAX 10u

static uint32_t between(struct rng *r, uint32_t lo, uint32_t hi)
{
    return lo + rng_below(r, hi - lo + 1);
}

/* Small numbers more often than large ones: uniform in the logarithm. */
static uint32_t spread(struct rng *r, uint32_t lo, uint32_t hi)
{
    uint32_t top = between(r, lo, hi);

    return between(r, lo, max_u32(lo, top >> rng_below(r, 8)));
}

/* A third of the worlds has hosts of one core only. */
static void draw_cores(struct rng *r, struct sim_plan *p)
{
    bool many = rng_chance(r, 2, 3);
    unsigned left = TOTAL_CORES_MAX - p->hosts;

    for (unsigned i = 0; i < p->hosts; i++) {
        unsigned n = many && rng_chance(r, 3, 4) ? between(r, 2, SIM_CORES_MAX) : 1;
        p->cores[i] = (uint8_t)min_u32(n, 1 + left);
        left -= p->cores[i] - 1u;
    }
}

void sim_draw_plan(struct sim_world *w)
{
    struct rng *r = &w->rng;
    struct sim_plan *p = &w->plan;

    p->hosts = rng_chance(r, 2, 3) ? 2 : between(r, 3, SIM_HOSTS_MAX);
    draw_cores(r, p);
    p->routed = rng_chance(r, 1, 2);
    p->calm = rng_chance(r, 1, 10);
    p->level = p->calm ? 0 : between(r, 1, 3);
    p->quits = rng_chance(r, 1, 3);
    p->toggles = rng_chance(r, 1, 8);
    p->tiny = rng_chance(r, 1, 3);
    p->shrinks = !p->calm && rng_chance(r, 1, 3);
    p->starves = rng_chance(r, 1, 4);
    p->attacked = rng_chance(r, 1, 4);
    p->udp_datagrams = rng_chance(r, 1, 3) ? between(r, 1, 30) : 0;
    p->heal_ns = (uint64_t)between(r, 1000, p->level == 3 ? 30000 : 12000) * SIM_NS_PER_MSEC;
    p->patient = p->level < 3;
    p->bound_ns = p->heal_ns + 1800 * SIM_NS_PER_SEC;
    p->check_every = rng_chance(r, 1, 2) ? 1 : between(r, 2, 40);
    p->pings = rng_chance(r, 1, 3);
    p->moves = mix64(w->options.seed + 0x6d6f) % 5 < 2;
    if (mix64(w->options.seed + 0x6461) % 6 == 0)
        p->defer_s = (uint8_t)(1 + mix64(w->options.seed + 0x6463) % 8);
    if (w->options.check_every)
        p->check_every = w->options.check_every;
    switch (rng_below(r, 4)) {
    case 0: /* a few large ones */
        p->conns = between(r, 1, 4);
        break;
    case 1: /* many short ones */
        p->conns = between(r, 60, SIM_CONNS_MAX);
        break;
    default:
        p->conns = between(r, 4, 24);
        break;
    }
}

/* ---- connections ------------------------------------------------------------------ */

static void draw_buffers(struct rng *r, struct sim_manner *m)
{
    if (rng_chance(r, 1, 4))
        m->sndbuf = spread(r, 2048, 65536);
    if (rng_chance(r, 1, 4))
        m->rcvbuf = spread(r, 2048, 65536);
    if (rng_chance(r, 1, 8))
        m->maxseg = between(r, 88, 1460);
}

static void draw_manner(struct sim_world *w, struct rng *r, struct sim_manner *m, uint32_t size)
{
    *m = (struct sim_manner){
        .total = rng_chance(r, 1, 6) ? 0 : spread(r, 1, size),
        .chunk_max = rng_chance(r, 1, 4) ? between(r, 1, 200) : spread(r, 200, 16384),
        .pause_us = spread(r, 10, 400000),
        .quit_at = SIM_NOT,
        .give = rng_chance(r, 1, 2) ? (uint8_t)between(r, 0, 100) : 0,
        .slice = rng_chance(r, 1, 2) ? (uint8_t)between(r, 0, 100) : 0,
        .oob = rng_chance(r, 1, 10) ? 5 : 0,
        .more = rng_chance(r, 1, 5) ? 30 : 0,
        .pause = rng_chance(r, 1, 3) ? (uint8_t)between(r, 1, 15) : 0,
        .peek = rng_chance(r, 1, 5) ? 20 : 0,
        .nodelay = rng_chance(r, 1, 3),
        .cork = rng_chance(r, 1, 20),
        .quickack = rng_chance(r, 1, 10),
        .cc = (uint8_t)rng_below(r, 2),
    };
    draw_buffers(r, m);
    if (w->plan.quits && rng_chance(r, 1, 5)) {
        m->quit = (enum sim_quit)rng_below(r, 3);
        m->quit_at = rng_below(r, size + 1);
    }
    if (w->plan.quits && rng_chance(r, 1, 20))
        m->user_timeout_ms = between(r, 1000, 20000);
}

/* How the two sides depend on each other; whoever waits for the other's end of stream must get
 * one. */
static void draw_pattern(struct rng *r, struct sim_conn *c)
{
    struct sim_manner *up = &c->manner[0], *down = &c->manner[1];

    switch (rng_below(r, 4)) {
    case 0: {
        uint32_t rounds = between(r, 1, 20);
        c->request = spread(r, 1, 2000);
        c->response = spread(r, 1, 4000);
        up->total = SIM_HELLO + c->request * rounds;
        down->total = c->response * rounds;
        up->leaves_early = rng_chance(r, 1, 2);
        down->leaves_early = !up->leaves_early && rng_chance(r, 1, 4);
        break;
    }
    case 1:
        down->waits_eof = true;
        break;
    case 2:
        up->waits_eof = true;
        break;
    default:
        up->leaves_early = rng_chance(r, 1, 3);
        down->leaves_early = rng_chance(r, 1, 3);
        break;
    }
}

static void draw_conn(struct sim_world *w, struct rng *r, uint32_t id, uint32_t size)
{
    struct sim_conn *c = &w->conn[id];
    uint32_t span = (uint32_t)(w->plan.heal_ns / SIM_NS_PER_USEC);

    *c = (struct sim_conn){.tag = SIM_TAG_START, .id = id};
    c->client = (uint8_t)rng_below(r, w->plan.hosts);
    c->server = (uint8_t)((c->client + 1 + rng_below(r, w->plan.hosts - 1)) % w->plan.hosts);
    if (rng_chance(r, 1, 16))
        c->server = c->client;
    c->port = (uint16_t)(SIM_PORT_FIRST + rng_below(r, SIM_LISTENERS));
    c->start_us = rng_chance(r, 1, 2) ? between(r, 1, 20000) : between(r, 1, span);
    for (unsigned side = 0; side < 2; side++) {
        draw_manner(w, r, &c->manner[side], size);
        c->end[side] = (struct sim_end){
            .tag = SIM_TAG_END,
            .host = side == 0 ? c->client : c->server,
            .side = (uint8_t)side,
            .conn = c,
        };
        c->end[side].core = (uint8_t)rng_below(r, w->plan.cores[c->end[side].host]);
    }
    draw_pattern(r, c);
    if (rng_chance(r, 1, 12))
        c->local_port = (uint16_t)(SIM_LOCAL_PORT + rng_below(r, 3));
    c->twin = c->client != c->server && rng_chance(r, 1, 16);
    if (c->twin)
        c->port = c->local_port = (uint16_t)(SIM_TWIN_PORT + id);
    c->manner[0].total = max_u32(c->manner[0].total, SIM_HELLO);
    /* Tiny pieces of a large stream cost the world a step each. */
    for (unsigned side = 0; side < 2; side++)
        c->manner[side].chunk_max =
            max_u32(c->manner[side].chunk_max, c->manner[side].total / 400);
    if (!c->request)
        c->manner[0].quit_at = max_u32(c->manner[0].quit_at, 1);
}

void sim_draw_conns(struct sim_world *w)
{
    uint32_t size = w->plan.conns < 5 ? 120000 : w->plan.conns < 30 ? 20000 : 1500;

    for (uint32_t i = 0; i < w->plan.conns; i++)
        draw_conn(w, &w->rng, i, size);
    for (uint32_t i = 0; i < w->plan.conns; i++)
        w->unfinished += w->conn[i].twin ? 2 : 1;
}

/* ---- links ------------------------------------------------------------------------ */

static void draw_link(struct sim_world *w, struct sim_link *l)
{
    struct rng *r = &w->rng;

    *l = (struct sim_link){
        .delay_ns = (uint64_t)spread(r, 1, 150000) * SIM_NS_PER_USEC,
        .mtu = SIM_MTU_MAX,
    };
    if (rng_chance(r, 1, 2)) {
        /* 8,000 ns a byte is 1 Mbit/s. */
        l->ns_per_byte = spread(r, 8, 8000);
        l->queue_bytes = spread(r, 3000, 200000);
    }
}

void sim_draw_links(struct sim_world *w)
{
    for (unsigned i = 0; i < w->plan.hosts; i++)
        for (unsigned k = 0; k < w->plan.hosts; k++)
            draw_link(w, &w->net.link[i][k]);
    w->net.routed = w->plan.routed;
    w->net.old_router = rng_chance(&w->rng, 1, 6);
}
