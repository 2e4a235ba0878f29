/* Faults come and go until the world is healed. */
#include "sim/sim_int.h"

#define STALL_US_MAX 1500000u
/* Where homes move, no core stands still for longer than they are looked for: HOME_GRACE_US. */
#define STALL_MOVES 4u
/* Not before all cores know of each other's listeners. */
#define STALL_FIRST_NS (20 * SIM_NS_PER_MSEC)

static uint32_t sometimes(struct rng *r, uint32_t one_in, uint32_t max)
{
    return rng_below(r, one_in) == 0 ? rng_below(r, max + 1) : 0;
}

/* Chances out of 10,000; level 3 is a link that hardly works. */
static void draw_faults(struct rng *r, uint32_t level, struct sim_faults *f)
{
    static const uint32_t loss_max[4] = {0, 100, 500, 2000};

    *f = (struct sim_faults){
        .loss = sometimes(r, 2, loss_max[level]),
        .copy = sometimes(r, 3, 100 * level),
        .late = sometimes(r, 3, 300 * level),
        .damage = sometimes(r, 3, 100 * level),
        .cut = sometimes(r, 4, 50 * level),
        .late_us = 1 + rng_below(r, 50000 * level + 1),
        .jitter_us = sometimes(r, 2, 5000 * level),
    };
    if (level > 1 && rng_below(r, 4) == 0) {
        f->burst_begin = 1 + rng_below(r, 100);
        f->burst_end = 500 + rng_below(r, 5000);
    }
}

/* A link's MTU changes in mid-flow; the router says so, or not. */
static void shrink(struct sim_world *w, struct sim_link *l)
{
    struct rng *r = &w->rng;

    l->mtu = rng_below(r, 2) ? SIM_MTU_MAX : 576 + rng_below(r, 1000);
    l->black_hole = w->plan.level > 1 && rng_below(r, 3) == 0;
}

static void strike_link(struct sim_world *w)
{
    struct rng *r = &w->rng;
    struct sim_link *l = &w->net.link[rng_below(r, w->plan.hosts)][rng_below(r, w->plan.hosts)];

    draw_faults(r, w->plan.level, &l->faults);
    if (w->plan.shrinks)
        shrink(w, l);
    if (rng_below(r, 6) == 0)
        l->delay_ns = (uint64_t)(1 + rng_below(r, 200000)) * SIM_NS_PER_USEC;
    /* Partition, and its end. */
    l->down = !l->down && w->plan.level > 1 && rng_below(r, 8) == 0;
}

static void strike_host(struct sim_world *w)
{
    struct rng *r = &w->rng;
    struct sim_port *p = w->host[rng_below(r, w->plan.hosts)].port;

    p->starved = rng_below(r, 5) == 0;
    p->refuse = rng_below(r, 3) == 0 ? 1 + rng_below(r, 8) : 0;
}

/* A core stands still; the table by which its port spreads frames changes, or the law does. */
static void strike_cores(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];
    struct rng *r = &w->rng;
    struct sim_core *c = &h->core[rng_below(r, h->cores)];

    if (h->port->spread == SIM_SPREAD_MOVED && rng_chance(r, 1, 2))
        sim_port_move(h->port, r);
    if (w->now > STALL_FIRST_NS && rng_chance(r, 1, 6)) {
        uint64_t us = rng_below(r, STALL_US_MAX) / (w->plan.moves ? STALL_MOVES : 1);
        c->stall_ns = w->now + us * SIM_NS_PER_USEC;
        sim_note(w, c->app.host, "core %u stands still", c->app.core);
    }
    if (w->plan.moves && rng_chance(&h->law_rng, 1, 2))
        sim_law_move(w, host);
}

void sim_fault_next(struct sim_world *w)
{
    uint32_t span_ms = (uint32_t)(w->plan.heal_ns / SIM_NS_PER_MSEC);

    if (w->healed)
        return;
    if (!w->plan.calm)
        for (unsigned n = 1 + rng_below(&w->rng, 3); n > 0; n--)
            strike_link(w);
    if (w->plan.starves)
        strike_host(w);
    for (unsigned i = 0; i < w->plan.hosts; i++)
        if (w->host[i].law)
            strike_cores(w, i);
    if (w->plan.attacked)
        sim_attack(w);
    if (w->plan.pings)
        sim_ping(w);
    uint64_t in_ms = 1 + rng_below(&w->rng, span_ms / 8 + 1);
    sim_queue_add(&w->queue, w->now + in_ms * SIM_NS_PER_MSEC, SIM_EV_FAULT, 0);
}

void sim_fault_heal(struct sim_world *w)
{
    w->healed = true;
    sim_note(w, 0, "healed");
    for (unsigned i = 0; i < w->plan.hosts; i++) {
        for (unsigned k = 0; k < w->plan.hosts; k++) {
            struct sim_link *l = &w->net.link[i][k];
            l->faults = (struct sim_faults){0};
            l->down = l->in_burst = l->black_hole = false;
            /* Where the MTU has come down it stays, but now the router says so. */
            l->queue_bytes = max_u32(l->queue_bytes, 20000);
        }
        w->host[i].port->starved = false;
        w->host[i].port->refuse = 0;
        for (unsigned k = 0; k < w->host[i].cores; k++)
            w->host[i].core[k].stall_ns = 0;
        sim_host_wake(w, i, w->now);
    }
}
