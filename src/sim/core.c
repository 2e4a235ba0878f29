/* One core of a host: its stack, its context, its turns. */
#include "sim/sim_int.h"

static void set_up_addresses(struct sim_world *w, unsigned host, struct stack *s, int netif)
{
    struct ip_addr own = ip4_addr(sim_net_addr(&w->net, host));
    struct ip_addr gateway = ip4_addr(sim_net_gateway(&w->net, host));
    struct ip_addr any = ip4_of(0, 0, 0, 0);

    int rc;

    MR_ASSERT(netif == 1);
    rc = stack_addr_add(s, 1, &own, 24, false);
    MR_ASSERT(rc >= 0);
    rc = w->plan.routed ? stack_route_add(s, &any, 0, &gateway, 1) : 0;
    MR_ASSERT(rc >= 0);
}

/* Its queue of the port, or a way to that of another core. */
static void set_up_port(struct sim_core *k, struct sim_host *h, unsigned core, struct mem *m)
{
    struct nic *nic = &h->port->nic;

    if (core >= h->queues) {
        via_init(&k->via, nic, &k->mail, rng_below(&h->rng, h->queues));
        k->shard.nic[1] = &k->via.nic;
        return;
    }
    k->shard.nic[1] = nic;
    k->shard.queue[1] = (uint16_t)core;
    if (h->queues == h->cores)
        return;
    via_pool_init(&k->frames, m, nic->caps.mtu);
    k->shard.frames = &k->frames;
}

void sim_core_init(struct sim_world *w, unsigned host, unsigned core, const struct stack_config *c,
                   void *mail, struct mem *m)
{
    struct sim_host *h = &w->host[host];
    struct sim_core *k = &h->core[core];
    struct stack_config mine = *c;
    size_t bytes = align_up(stack_bytes(&c->limits), 4096);
    uint8_t *memory = mem_carve(m, bytes, 4096);

    memset(memory, 0, bytes);
    if (h->law) {
        mail_open(&k->mail, mail, core);
        mine.home = (struct home){.law = h->law, .self = core, .cores = h->cores};
        mine.mail = &k->mail;
    }
    k->stack = stack_init(memory, bytes, &mine, sim_clock_read(&h->clock, 0));
    sim_stack_fill(k->stack, w->options.fill);
    memory = mem_carve(m, native_bytes(), 4096);
    memset(memory, 0, native_bytes());
    k->native = native_init(memory, k->stack);
    k->shard = (struct shard){
        .stack = k->stack,
        .native = k->native,
        .app = &h->mr_app,
        .netifs = 1,
        .burst = rng_chance(&h->rng, 1, 3) ? 1 + rng_below(&h->rng, 8) : 0,
        .mail = mine.mail,
    };
    set_up_port(k, h, core, m);
    set_up_addresses(w, host, k->stack,
                     stack_port_add(k->stack, k->shard.nic[1], k->shard.queue[1], 0, 0));
    k->app = (struct sim_app){.world = w, .host = host, .core = core};
    rng_init(&k->app.rng, rng_u64(&h->rng));
}

/* ---- turns ------------------------------------------------------------------------ */

void sim_core_wake(struct sim_world *w, unsigned host, unsigned core, uint64_t ns)
{
    struct sim_core *c = &w->host[host].core[core];

    c->wake_ns = min_u64(c->wake_ns, ns);
}

uint64_t sim_core_next(const struct sim_core *c)
{
    return c->wake_ns == SIM_NEVER ? SIM_NEVER : max_u64(c->wake_ns, c->stall_ns);
}

static void txdone_later(struct sim_world *w, struct sim_host *h, unsigned core)
{
    struct sim_core *c = &h->core[core];

    c->txdone_due = core < h->queues && h->port->queue[core].held_n > 0;
    if (c->txdone_due)
        sim_queue_add(&w->queue, w->now + h->txdone_us * SIM_NS_PER_USEC, SIM_EV_TXDONE,
                      c->app.host * SIM_CORES_MAX + core);
}

void sim_core_txdone(struct sim_world *w, unsigned host, unsigned core)
{
    sim_port_complete(w->host[host].port, core, 4);
    txdone_later(w, &w->host[host], core);
    sim_core_wake(w, host, core, w->now);
}

/* Whom the turn has woken. */
static void wake_others(struct sim_world *w, struct sim_host *h, struct sim_core *c)
{
    uint64_t wake = c->shard.wake;

    c->shard.wake = 0;
    for (unsigned i = 0; i < h->cores; i++)
        if (wake >> i & 1)
            sim_core_wake(w, c->app.host, i,
                          w->now + (1 + rng_below(&h->rng, h->wake_us + 1)) * SIM_NS_PER_USEC);
}

/* The next turn by itself: what the stack asks for, but never twice in the same microsecond. */
static uint64_t next_turn(const struct sim_world *w, const struct sim_host *h, struct sim_core *c)
{
    uint64_t at = sim_clock_find(&h->clock, shard_deadline(&c->shard));

    /* A core that has been told that there is mail does not go to sleep. */
    if (h->law && !mail_asleep(&c->mail))
        at = w->now;
    if (c->app.core < h->queues && h->port->queue[c->app.core].rx.n)
        at = min_u64(at, w->now + 10 * SIM_NS_PER_USEC);
    if (c->app.poll)
        at = min_u64(at, c->app.poll_ns);
    return at == SIM_NEVER ? at : max_u64(at, w->now + SIM_NS_PER_USEC);
}

void sim_core_turn(struct sim_world *w, unsigned host, unsigned core)
{
    struct sim_host *h = &w->host[host];
    struct sim_core *c = &h->core[core];

    c->wake_ns = SIM_NEVER;
    if (h->law)
        mail_awake(&c->mail);
    if (h->law && w->plan.moves)
        sim_law_read(w, host, core);
    sim_app_poll(&c->app);
    shard_turn(&c->shard, sim_clock_read(&h->clock, w->now));
    if (h->law && w->plan.moves)
        sim_law_turned(w, host, core);
    if (++w->turns % w->plan.check_every == 0) {
        stack_check(c->stack);
        if (h->law)
            sim_judge_homes(w, c);
    }
    if (!c->txdone_due)
        txdone_later(w, h, core);
    wake_others(w, h, c);
    sim_core_wake(w, host, core, next_turn(w, h, c));
}
