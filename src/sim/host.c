/* A host: a clock, a port, a stack, the loop around it, an application. */
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

/* One core: its stack, its port and its context, carved one after another. */
static void core_init(struct sim_world *w, unsigned host, struct sim_core *core, struct rng *r,
                      bool tiny, struct mem *m)
{
    struct sim_host *h = &w->host[host];
    struct sim_port_wire wire = {.send = wire_send, .arg = w};
    struct sim_port_config port;
    struct stack_config c;
    size_t bytes;
    uint8_t *memory;

    sim_draw_limits(w, r, host, tiny, &c);
    sim_draw_port(w, r, tiny, &port);
    bytes = align_up(stack_bytes(&c.limits), 4096);
    memory = mem_carve(m, bytes, 4096);
    memset(memory, 0, bytes);
    core->stack = stack_init(memory, bytes, &c, sim_clock_read(&h->clock, 0));
    sim_stack_fill(core->stack, w->options.fill);
    h->port = sim_port_init(m, host, &port, &wire);
    h->seen = (struct sim_watch_host){
        .mac = h->port->nic.mac, .addr = sim_net_addr(&w->net, host), .mtu = port.mtu};
    set_up_addresses(w, host, core->stack, stack_port_add(core->stack, &h->port->nic, 0, 0, 0));
    memory = mem_carve(m, native_bytes(), 4096);
    memset(memory, 0, native_bytes());
    core->native = native_init(memory, core->stack);
    core->shard = (struct shard){
        .stack = core->stack,
        .native = core->native,
        .app = &h->mr_app,
        .netifs = 1,
        .burst = rng_chance(r, 1, 3) ? 1 + rng_below(r, 8) : 0,
    };
    core->shard.nic[1] = &h->port->nic;
}

void sim_host_init(struct sim_world *w, unsigned host, struct mem *m)
{
    struct sim_host *h = &w->host[host];
    struct rng r;
    bool tiny = w->plan.tiny && rng_chance(&w->rng, 2, 3);

    rng_init(&r, rng_u64(&w->rng));
    draw_clock(w, &r, &h->clock);
    h->nap_us = rng_chance(&r, 1, 2) ? rng_below(&r, 500) : 0;
    h->txdone_us = 1 + rng_below(&r, 300);
    h->app = (struct sim_app){.world = w, .host = host};
    rng_init(&h->app.rng, rng_u64(&r));
    h->mr_app = (struct mr_app){
        .name = "sim", .arg = &h->app, .init = sim_app_init, .event = sim_app_event};
    h->cores = 1;
    core_init(w, host, &h->core[0], &r, tiny, m);
    sim_app_init(native_mr(h->core[0].native), &h->app, &h->core[0].shard.core_state);
    h->wake_ns = 0;
}

void sim_host_wake(struct sim_world *w, unsigned host, uint64_t ns)
{
    struct sim_host *h = &w->host[host];

    h->wake_ns = min_u64(h->wake_ns, ns);
}

/* The next turn by itself: what the stack asks for, but never twice in the same microsecond. */
static uint64_t next_turn(const struct sim_world *w, const struct sim_host *h)
{
    uint64_t at = SIM_NEVER;

    for (unsigned i = 0; i < h->cores; i++)
        at = min_u64(at, sim_clock_find(&h->clock, shard_deadline(&h->core[i].shard)));
    return at == SIM_NEVER ? at : max_u64(at, w->now + SIM_NS_PER_USEC);
}

void sim_host_txdone(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];

    h->txdone_due = sim_port_complete(h->port, 4) > 0;
    if (h->txdone_due)
        sim_queue_add(&w->queue, w->now + h->txdone_us * SIM_NS_PER_USEC, SIM_EV_TXDONE, host);
    sim_host_wake(w, host, w->now);
}

void sim_host_turn(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];
    instant now = sim_clock_read(&h->clock, w->now);

    h->wake_ns = SIM_NEVER;
    h->turns++;
    sim_app_poll(&h->app);
    for (unsigned i = 0; i < h->cores && !w->over; i++) {
        shard_turn(&h->core[i].shard, now);
        if (++w->turns % w->plan.check_every == 0)
            stack_check(h->core[i].stack);
    }
    if (h->port->held_n && !h->txdone_due) {
        h->txdone_due = true;
        sim_queue_add(&w->queue, w->now + h->txdone_us * SIM_NS_PER_USEC, SIM_EV_TXDONE, host);
    }
    sim_host_wake(w, host, next_turn(w, h));
    if (h->port->rx.n)
        sim_host_wake(w, host, w->now + 10 * SIM_NS_PER_USEC);
    if (h->app.poll)
        sim_host_wake(w, host, w->now + 40 * SIM_NS_PER_MSEC);
}
