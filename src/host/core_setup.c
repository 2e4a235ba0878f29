/* A core's memory, stack and interface. */
#include <stdio.h>

#include "host/host_int.h"

#define PAGE 4096u

static int fail(struct core *c, int err)
{
    if (!c->why[0])
        snprintf(c->why, sizeof(c->why), "%s", mr_strerror(err));
    return err;
}

static struct ip_addr to_ip(const struct mr_addr *a)
{
    struct ip_addr ip;

    memcpy(ip.w, a->ip, sizeof(ip.w));
    return ip;
}

/* Connections spread by a hash are never spread evenly: each core has room for twice its share. */
static uint32_t conns_of_a_core(const struct mr_config *c)
{
    if (c->cores == 1)
        return c->max_conns;
    return min_u32(c->max_conns, c->max_conns / c->cores * 2 + 64);
}

static void config_fill(struct stack_config *sc, struct core *c)
{
    const struct host *h = c->host;

    stack_config_default(sc);
    if (h->config->max_conns)
        stack_limits_for(&sc->limits, conns_of_a_core(h->config));
    sc->limits.cores = h->cores;
    sc->tcp.cc = h->config->congestion == MR_CC_NEWRENO ? CC_NEWRENO : CC_CUBIC;
    memcpy(sc->secret, h->secret, sizeof(sc->secret));
    memcpy(sc->tcp.isn_secret, h->isn_secret, sizeof(sc->tcp.isn_secret));
    if (h->cores > 1) {
        mail_open(&c->mail, h->mail, c->index);
        sc->mail = c->shard.mail = &c->mail;
        sc->home = (struct home){.law = h->port.law, .self = c->index, .cores = h->cores};
    }
}

/* Address space first touched here, after the thread was pinned: it lies on its node. */
static int memory_setup(struct core *c, size_t stack, size_t more)
{
    c->bytes = stack + align_up(more, PAGE);
    c->memory = os_reserve(c->bytes, false);
    c->text = os_reserve(CTL_ANSWER_MAX, false);
    c->copy = os_reserve(sizeof(*c->copy), false);
    if (c->memory && c->text && c->copy)
        return 0;
    snprintf(c->why, sizeof(c->why), "no address space for %zu MB; lower --max-conns",
             c->bytes >> 20);
    return MR_ENOMEM;
}

/* Who sends through whom where there are fewer queues than cores. */
static void via_setup(struct core *c, struct mem *m)
{
    const struct host_port *p = &c->host->port;

    if (c->index >= p->queues) {
        c->via = mem_carve(m, sizeof(*c->via), CACHE_LINE);
        via_init(c->via, p->nic, &c->mail, c->index % p->queues);
    } else if (p->queues < c->host->cores) {
        c->frames = mem_carve(m, sizeof(*c->frames), CACHE_LINE);
        via_pool_init(c->frames, m, p->nic->caps.mtu);
        c->shard.frames = c->frames;
    }
}

static int stack_setup(struct core *c, instant now)
{
    const struct host_port *p = &c->host->port;
    struct stack_config sc;
    struct mem m;

    config_fill(&sc, c);
    size_t need = align_up(stack_bytes(&sc.limits), PAGE);
    size_t more = align_up(native_bytes(), CACHE_LINE) + align_up(sizeof(struct via), CACHE_LINE) +
                  align_up(sizeof(struct pkt_pool), CACHE_LINE) + via_pool_bytes(p->nic->caps.mtu);
    int rc = memory_setup(c, need, more);
    if (rc < 0)
        return rc;
    c->shard.stack = stack_init(c->memory, need, &sc, now);
    mem_init(&m, c->memory + need, c->bytes - need);
    c->shard.native = native_init(mem_carve(&m, native_bytes(), CACHE_LINE), c->shard.stack);
    native_post_init(c->shard.native, c->host->post, (struct post_bell){core_ring, c});
    via_setup(c, &m);
    return 0;
}

/* The queue is this thread's from now on. */
static int queue_setup(struct core *c)
{
    struct nic *nic = c->host->port.nic;
    int rc = 0;

    if (!c->via && nic->ops->attach)
        rc = nic->ops->attach(nic, c->index);
    if (rc < 0)
        snprintf(c->why, sizeof(c->why), "%s: queue %u: %s", nic->name, c->index, mr_strerror(rc));
    else
        c->attached = !c->via;
    return rc;
}

void core_detach(struct core *c)
{
    struct nic *nic = c->host->port.nic;

    if (c->attached && nic->ops->detach)
        nic->ops->detach(nic, c->index);
    c->attached = false;
}

static int net_setup(struct core *c)
{
    const struct mr_config *config = c->host->config;
    struct ip_addr addr = to_ip(&config->addr), gateway = to_ip(&config->gateway);
    struct nic *nic = c->via ? &c->via->nic : c->host->port.nic;
    unsigned queue = c->via ? 0 : c->index;
    struct stack *s = c->shard.stack;

    int netif = stack_port_add(s, nic, queue, config->vlan, config->mtu);
    int rc =
        netif < 0 ? netif : stack_addr_add(s, (unsigned)netif, &addr, config->prefix_len, false);
    if (rc == 0 && !ip_is_any(&gateway)) {
        struct ip_addr all = ip4_of(0, 0, 0, 0);
        rc = stack_route_add(s, &all, 0, &gateway, (unsigned)netif);
    }
    if (rc < 0) {
        snprintf(c->why, sizeof(c->why), "address or gateway: %s", mr_strerror(rc));
        return rc;
    }
    c->shard.netifs = (unsigned)netif;
    c->shard.nic[netif] = nic;
    c->shard.queue[netif] = (uint16_t)queue;
    return 0;
}

int core_setup(struct core *c)
{
    if (c->cpu >= 0 && os_pin(c->cpu) < 0) {
        snprintf(c->why, sizeof(c->why), "--cpus: there is no processor %d for us", c->cpu);
        return MR_EINVAL;
    }
    os_exact_timeouts();
    c->shard.app = c->host->app;
    c->shard.ring = core_ring;
    c->shard.ring_arg = c;
    if (c->capture)
        c->shard.tap = (struct shard_tap){capture_frame, c->capture};
    int rc = stack_setup(c, os_now_us());
    if (rc == 0)
        rc = queue_setup(c);
    if (rc == 0)
        rc = net_setup(c);
    c->ready = rc == 0;
    return rc < 0 ? fail(c, rc) : 0;
}

void core_release(struct core *c)
{
    os_release(c->memory, c->bytes);
    os_release(c->text, CTL_ANSWER_MAX);
    os_release(c->copy, sizeof(*c->copy));
    os_close(c->bell);
}
