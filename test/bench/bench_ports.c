#define _GNU_SOURCE
#include "bench_ports.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "base/rng.h"
#include "flow/choose.h"

enum {
    CONNS = 10000,
    PEERS = 1000,
    BATCH = 64,         /* choices between two looks at the counter, where there is one peer */
    CHOICES = 10000,    /* a run: a few milliseconds, for which others often leave us alone */
    RUNS = 30
};

static const size_t memory_bytes = 16u << 20;
static const be32 us = { 0x0a00000a };

/* How connections come and go. */
struct load {
    const char *name;
    unsigned peers;
    bool oldest_first;    /* the oldest connection ends, or any */
};

static const struct load loads[] = {
    { "1000 peers", PEERS, true },
    { "1 peer", 1, true },
    { "1000 peers, any", PEERS, false },
    { "1 peer, any", 1, false },
};
enum { LOADS = sizeof loads / sizeof loads[0] };

static const unsigned cores_of[] = { 1, 2, 4, 16, 64 };
enum { CORES = sizeof cores_of / sizeof cores_of[0] };

/* Cycles a choice, and to look up once what was chosen. */
struct figure {
    double cycles, find;
};

/* One core of so many, and its connections. */
struct core {
    uint8_t *memory;
    struct mem m;
    struct rss law;
    struct cores cores;
    struct flow_table flows;
    struct flow_ports ports;
    struct flow_chooser chooser;
    struct rng rng;
    struct flow_key peer[PEERS];
    struct flow_node *node[CONNS];
    unsigned conns, next;
};

static void core_start(struct core *c, unsigned cores)
{
    static const uint64_t secret[2] = { 17, 4 };

    memset(c, 0, sizeof *c);
    c->memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0);
    if (c->memory == MAP_FAILED)
        bench_die("bench_ports: no memory");
    rng_init(&c->rng, 1);
    mem_init(&c->m, c->memory, memory_bytes);
    rss_init(&c->law, rss_key_default, RSS_ENTRIES, cores);
    c->cores = (struct cores){ .home = { .law = &c->law, .self = cores / 2, .cores = cores } };
    port_cores_init(&c->cores.ports, &c->m, &c->cores.home);
    flow_table_init(&c->flows, &c->m, 4 * CONNS, secret);
    flow_ports_init(&c->ports, &c->m);
    flow_chooser_init(&c->chooser, &c->m, &c->flows, &c->ports, &c->cores, 32768, 60999, secret);
    for (unsigned i = 0; i < CONNS; i++)
        c->node[i] = mem_carve(&c->m, 256, CACHE_LINE);
    for (unsigned i = 0; i < PEERS; i++)
        c->peer[i] = (struct flow_key){ .raddr = ip4_of(10, 1, (uint8_t)(i >> 8), (uint8_t)i),
                                        .rport = 443,
                                        .lidx = 1 };
}

static void choose(struct core *c, struct flow_key *k)
{
    if (flow_choose_port(&c->chooser, k, us) != FLOW_PORT_FREE)
        bench_die("bench_ports: no port");
}

static void link_node(struct core *c, unsigned i, const struct flow_key *k)
{
    c->node[i]->key = *k;
    c->node[i]->kind = FLOW_CONN;
    flow_link(&c->flows, c->node[i]);
}

/* As many as there are to be; one peer's class may be smaller than that, and is filled to three
 * quarters. */
static void connections_fill(struct core *c, unsigned peers)
{
    unsigned at_once = CONNS;

    if (peers == 1 && c->chooser.class.rows) {
        const struct flow_class *class = &c->chooser.class;
        uint32_t fixed = flow_class_fixed(class, ip_v4(&c->peer[0].raddr), us, 443);
        at_once = (unsigned)min_u32(CONNS, flow_class_size(class, fixed) * 3 / 4);
    }
    for (; c->conns < at_once; c->conns++) {
        struct flow_key k = c->peer[c->conns % peers];
        choose(c, &k);
        link_node(c, c->conns, &k);
    }
}

/* A batch is chosen, and then takes the place of as many old connections. */
static struct figure run(struct core *c, const struct load *l)
{
    static uint32_t order[PEERS];
    static struct flow_key chosen[PEERS];
    unsigned batch = l->peers == 1 ? BATCH : l->peers;
    uint64_t cycles = 0, find_cycles = 0, done = 0;
    uintptr_t found = 0;

    bench_order(order, l->peers);
    while (done < CHOICES) {
        uint64_t start = __rdtsc();
        for (unsigned i = 0; i < batch; i++) {
            chosen[i] = c->peer[l->peers == 1 ? 0 : order[i]];
            choose(c, &chosen[i]);
        }
        cycles += __rdtsc() - start;
        start = __rdtsc();
        for (unsigned i = 0; i < batch; i++)
            found |= (uintptr_t)flow_find(&c->flows, &chosen[i], flow_hash(&c->flows, &chosen[i]));
        find_cycles += __rdtsc() - start;
        for (unsigned i = 0; i < batch; i++) {
            unsigned at = l->oldest_first ? c->next++ % c->conns : rng_below(&c->rng, c->conns);
            flow_unlink(&c->flows, c->node[at]);
            link_node(c, at, &chosen[i]);
        }
        done += batch;
    }
    if (found)
        bench_die("bench_ports: a port in use was chosen");
    return (struct figure){ (double)cycles / (double)done, (double)find_cycles / (double)done };
}

/* The least of several runs, and of what *least is: whatever else the machine does can only add to
 * it. */
static void measure(struct core *c, unsigned cores, const struct load *l, struct figure *least)
{
    core_start(c, cores);
    connections_fill(c, l->peers);
    for (unsigned r = 0; r < RUNS; r++) {
        struct figure f = run(c, l);
        if (least->cycles == 0 || f.cycles < least->cycles)
            least->cycles = f.cycles;
        if (least->find == 0 || f.find < least->find)
            least->find = f.find;
    }
    munmap(c->memory, memory_bytes);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void table_print(const struct bench *b, struct figure f[CORES][LOADS])
{
    printf("port-choice, TSC cycles (of which to look the flow up); an addition costs %.2f:\n%-6s",
           bench_gauge(b), "cores");
    for (unsigned l = 0; l < LOADS; l++)
        printf("%20s", loads[l].name);
    putchar('\n');
    for (unsigned i = 0; i < CORES; i++) {
        printf("%-6u", cores_of[i]);
        for (unsigned l = 0; l < LOADS; l++)
            printf("%13.1f (%4.1f)", f[i][l].cycles, f[i][l].find);
        putchar('\n');
    }
}

void bench_ports(const struct bench *b)
{
    static struct core c;
    struct figure f[CORES][LOADS] = { 0 };
    double worst = 0, worst_any = 0;
    char name[32];

    /* Once round all of them for each repetition: a busy moment meets each only once. */
    for (unsigned r = 0; r < b->reps; r++)
        for (unsigned i = 0; i < CORES; i++)
            for (unsigned l = 0; l < LOADS; l++)
                measure(&c, cores_of[i], &loads[l], &f[i][l]);
    table_print(b, f);
    for (unsigned i = 0; i < CORES; i++) {
        double here = 0;
        for (unsigned l = 0; l < LOADS; l++) {
            if (loads[l].oldest_first)
                here = larger(here, f[i][l].cycles);
            else
                worst_any = larger(worst_any, f[i][l].cycles);
        }
        snprintf(name, sizeof name, "port-choice/%u", cores_of[i]);
        bench_record(b, name, "cycles", "cycles/choice", here);
        worst = larger(worst, here);
    }
    bench_record(b, "port-choice", "cycles", "cycles/choice", worst);
    bench_record(b, "port-choice/any", "cycles", "cycles/choice", worst_any);
}
