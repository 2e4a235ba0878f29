#define _GNU_SOURCE
#include "bench_pair.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define PORT_BYTES ((size_t)16 << 20)

const struct memwire_config bench_small_wire = {.queues = 1,
                                                .buffers = 256,
                                                .buf_size = 2048,
                                                .mtu = 1500,
                                                .tso_max = 0,
                                                .csum_offload = false};

instant bench_now_us(const struct bench_pair *p)
{
    return 1000000 + (instant)((double)(__rdtsc() - p->tsc0) / p->tsc_per_us);
}

static void *map(size_t bytes, bool huge)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        bench_die("bench: no memory");
    madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return p;
}

static void side_init(struct bench_pair *p, const struct bench_pair_config *pc, unsigned n)
{
    struct bench_side *s = n ? &p->server : &p->client;
    struct ip_addr a = ip4_of(10, 0, 0, (uint8_t)(n + 1));
    struct stack_config c;
    struct mem pm;

    stack_config_default(&c);
    stack_limits_for(&c.limits, pc->conns + 64);
    c.limits.tcp.time_wait = n ? 1024 : pc->client_tw;
    c.limits.tcp.syns = 4096;
    for (unsigned i = 0; i < 4; i++)
        c.secret[i] = 0x1234567 * (i + 1) + n;
    s->bytes = stack_bytes(&c.limits);
    s->memory = map(s->bytes, pc->huge);
    s->port_memory = map(PORT_BYTES, pc->huge);
    struct stack *stack = stack_init(s->memory, s->bytes, &c, bench_now_us(p));
    mem_init(&pm, s->port_memory, PORT_BYTES);
    struct nic *nic = memwire_nic(memwire_open(&pm, p->wire, p->wire_bytes, n));
    int netif = stack_port_add(stack, nic, 0, 0, 0);
    stack_addr_add(stack, (unsigned)netif, &a, 24, false);
    struct native *native = native_init(aligned_alloc(64, align_up(native_bytes(), 64)), stack);
    s->shard = (struct shard){.stack = stack,
                              .native = native,
                              .app = n ? pc->server : pc->client,
                              .core_state = n ? pc->server_state : pc->client_state,
                              .netifs = 1};
    s->shard.nic[1] = nic;
    s->m = native_mr(native);
    s->addr = mr_addr4(10, 0, 0, (uint8_t)(n + 1), 0);
}

void bench_pair_init(struct bench_pair *p, const struct bench *b, const struct bench_pair_config *c)
{
    p->tsc0 = __rdtsc();
    p->tsc_per_us = b->tsc_ghz * 1000;
    p->wire_bytes = memwire_bytes(c->wire);
    p->wire = map(p->wire_bytes, c->huge);
    memwire_format(p->wire, c->wire);
    side_init(p, c, 0);
    side_init(p, c, 1);
}

static void side_fini(struct bench_side *s)
{
    munmap(s->port_memory, PORT_BYTES);
    munmap(s->memory, s->bytes);
    free(s->shard.native);
}

void bench_pair_fini(struct bench_pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
    munmap(p->wire, p->wire_bytes);
}

__attribute__((noinline)) void bench_client_turn(struct bench_pair *p)
{
    shard_turn(&p->client.shard, bench_now_us(p));
}

__attribute__((noinline)) void bench_server_turn(struct bench_pair *p)
{
    shard_turn(&p->server.shard, bench_now_us(p));
}
