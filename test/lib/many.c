#define _GNU_SOURCE
#include "lib/many.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096u
#define MAIL_RING (64u << 10)

static void *map(size_t bytes, bool huge)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED) {
        perror("many: mmap");
        exit(1);
    }
    madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return p;
}

static void wire_open(struct many *w, struct many_wire *wire, unsigned queues)
{
    struct memwire_config c = w->config.wire;
    struct mem m;

    c.queues = queues;
    c.buffers *= (uint32_t)ceil_pow2(queues);
    wire->bytes = memwire_bytes(&c);
    wire->memory = map(wire->bytes, w->config.huge);
    memwire_format(wire->memory, &c);
    wire->port_bytes = align_up(memwire_port_bytes(&c, 0), PAGE) + PAGE;
    for (unsigned side = 0; side < 2; side++) {
        wire->port_memory[side] = map(wire->port_bytes, w->config.huge);
        mem_init(&m, wire->port_memory[side], wire->port_bytes);
        wire->port[side] = memwire_open(&m, wire->memory, wire->bytes, side);
        MR_ASSERT(wire->port[side]);
        if (queues > 1)
            memwire_set_rss(wire->port[side], &w->law);
        /* A queue of its own, on which nothing else than by the law arrives. */
        memwire_nic(wire->port[side])->spread = NIC_SPREAD_RSS;
        memwire_nic(wire->port[side])->rss = &w->law;
    }
}

struct many *many_open(const struct many_config *c)
{
    struct many *w = map(align_up(sizeof(*w), PAGE), false);

    w->config = *c;
    w->config.limits.cores = c->cores;
    rss_init(&w->law, c->key, RSS_ENTRIES, c->cores);
    if (!c->straight)
        wire_open(w, &w->wire[0], c->cores);
    w->mail_bytes = mail_bytes(c->cores, MAIL_RING);
    for (unsigned side = 0; side < 2; side++) {
        w->mail[side] = map(w->mail_bytes, false);
        mail_format(w->mail[side], c->cores, MAIL_RING);
    }
    return w;
}

struct mr_addr many_addr(unsigned side, uint16_t port)
{
    return mr_addr4(10, 0, 0, (uint8_t)(side + 1), port);
}

/* Where the parts of a shard's memory begin. */
struct parts {
    size_t native, state, stack, end;
};

static struct parts parts_of(const struct many_config *c)
{
    struct parts p;

    p.native = align_up(sizeof(struct many_shard), CACHE_LINE);
    p.state = align_up(p.native + native_bytes(), PAGE);
    p.stack = align_up(p.state + c->state_bytes, PAGE);
    p.end = align_up(p.stack + stack_bytes(&c->limits), PAGE);
    return p;
}

static struct stack *stack_open(struct many *w, struct many_shard *s, void *memory, size_t bytes,
                                instant now)
{
    struct stack_config c;

    stack_config_default(&c);
    c.limits = w->config.limits;
    if (w->config.cores > 1) {
        mail_open(&s->mail, w->mail[s->side], s->core);
        c.mail = &s->mail;
        c.home = (struct home){.law = &w->law, .self = s->core, .cores = w->config.cores};
    }
    /* Of a host's cores, not of one core: cookies and ISNs go on wherever a flow is. */
    for (unsigned i = 0; i < 4; i++)
        c.secret[i] = 0x1234567 * (i + 1) + s->side;
    return stack_init(memory, bytes, &c, now);
}

static void attach(struct many *w, struct many_shard *s, struct stack *stack)
{
    const struct many_wire *wire = &w->wire[w->config.straight ? s->core : 0];
    unsigned queue = w->config.straight ? 0 : s->core;
    struct nic *nic = memwire_nic(wire->port[s->side]);
    const struct mac_addr *peer_mac = &memwire_nic(wire->port[s->side ^ 1])->mac;
    struct ip_addr us = ip4_of(10, 0, 0, (uint8_t)(s->side + 1));
    struct ip_addr peer = ip4_of(10, 0, 0, (uint8_t)((s->side ^ 1) + 1));
    int netif = stack_port_add(stack, nic, queue, 0, 0);

    MR_ASSERT(netif == 1);
    stack_addr_add(stack, 1, &us, 24, false);
    stack_neigh_add(stack, 1, &peer, peer_mac);
    s->shard.nic[1] = nic;
    s->shard.queue[1] = (uint16_t)queue;
    s->shard.netifs = 1;
}

struct many_shard *many_shard_open(struct many *w, unsigned side, unsigned core, instant now)
{
    struct parts p = parts_of(&w->config);
    uint8_t *memory = map(p.end, w->config.huge);
    struct many_shard *s = (struct many_shard *)(void *)memory;

    if (w->config.straight && !w->wire[core].memory)
        wire_open(w, &w->wire[core], 1);
    s->side = side;
    s->core = core;
    s->bytes = p.end;
    s->state = memory + p.state;
    struct stack *stack = stack_open(w, s, memory + p.stack, p.end - p.stack, now);
    struct native *native = native_init(memory + p.native, stack);
    s->m = native_mr(native);
    s->shard.stack = stack;
    s->shard.native = native;
    s->shard.app = w->config.app[side];
    s->shard.core_state = s->state;
    s->shard.mail = w->config.cores > 1 ? &s->mail : NULL;
    attach(w, s, stack);
    w->shard[side][core] = s;
    return s;
}

uint64_t many_mail_packets(const struct many *w)
{
    uint64_t n = 0;

    for (unsigned side = 0; side < 2; side++)
        for (unsigned c = 0; c < w->config.cores; c++)
            n += w->shard[side][c] ? w->shard[side][c]->mail.stats.packets_sent : 0;
    return n;
}

static void wire_close(struct many_wire *wire)
{
    if (!wire->memory)
        return;
    for (unsigned side = 0; side < 2; side++)
        munmap(wire->port_memory[side], wire->port_bytes);
    munmap(wire->memory, wire->bytes);
}

void many_close(struct many *w)
{
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned c = 0; c < w->config.cores; c++)
            if (w->shard[side][c])
                munmap(w->shard[side][c], w->shard[side][c]->bytes);
        munmap(w->mail[side], w->mail_bytes);
    }
    for (unsigned i = 0; i < w->config.cores; i++)
        wire_close(&w->wire[i]);
    munmap(w, align_up(sizeof(*w), PAGE));
}
