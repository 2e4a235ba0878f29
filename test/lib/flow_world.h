/* A chooser of ports with what it needs, as one of many cores. */
#pragma once

#include "lib/cmocka_first.h"

#include <sys/mman.h>

#include "base/rng.h"
#include "flow/choose.h"

#define LO 40000
#define HI 40299
#define RANGE (HI - LO + 1u)
#define MEMORY (16u << 20)

/* One core of so many. */
struct world {
    uint8_t *memory;
    struct mem m;
    struct rss law;
    struct cores cores;
    struct flow_table t;
    struct flow_ports p;
    struct flow_chooser c;
};

static const be32 us = {0x0a00000a};

/* The law is w->law. */
static inline void start_core(struct world *w, unsigned cores, unsigned self, uint16_t lo,
                              uint16_t hi, uint64_t seed)
{
    static const uint64_t secret[2] = {1, 2};

    w->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(w->memory, MAP_FAILED);
    mem_init(&w->m, w->memory, MEMORY);
    w->cores = (struct cores){.home = {.law = &w->law, .self = self, .cores = cores}};
    port_cores_init(&w->cores.ports, &w->m, &w->cores.home);
    flow_table_init(&w->t, &w->m, 65536, secret);
    flow_ports_init(&w->p, &w->m);
    flow_chooser_init(&w->c, &w->m, &w->t, &w->p, &w->cores, lo, hi, (uint64_t[2]){seed, 3});
}

static inline void end(struct world *w)
{
    munmap(w->memory, MEMORY);
}

static inline void start(struct world *w, uint64_t seed)
{
    start_core(w, 1, 0, LO, HI, seed);
}

static inline struct flow_key to(uint8_t host)
{
    return (struct flow_key){.raddr = ip4_of(192, 0, 2, host), .rport = 80, .lidx = 1};
}

static inline bool choose(struct world *w, struct flow_key *k)
{
    return flow_choose_port(&w->c, k, us) == FLOW_PORT_FREE;
}

static inline struct flow_node *take(struct world *w, const struct flow_key *k)
{
    struct flow_node *n = mem_carve(&w->m, 64, CACHE_LINE);

    *n = (struct flow_node){*k, FLOW_CONN};
    assert_true(flow_link(&w->t, n));
    return n;
}

static inline void listen_on(struct world *w, unsigned port, bool on)
{
    w->p.listener[port] = on;
    flow_ports_changed(&w->p, (uint16_t)port);
}

/* Is our core the home of what k's peer sends? */
static inline bool is_home(const struct world *w, const struct flow_key *k)
{
    return home_of_flow(&w->cores.home, ip_v4(&k->raddr), us, k->rport, k->lport) ==
           w->cores.home.self;
}

enum { KEY_DEFAULT, KEY_SYMMETRIC, KEY_RANDOM, KEY_RANDOM_2, KEY_RANDOM_3, KEYS };

static inline void law_init(struct rss *law, unsigned which, unsigned entries, unsigned cores)
{
    uint8_t key[RSS_KEY_BYTES];
    struct rng r;

    rng_init(&r, which);
    for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
        key[i] = (uint8_t)rng_u32(&r);
    rss_init(law,
             which == KEY_DEFAULT     ? rss_key_default
             : which == KEY_SYMMETRIC ? rss_key_symmetric
                                      : key,
             entries, cores);
}

static inline void start_class(struct world *w, unsigned cores, unsigned self)
{
    law_init(&w->law, KEY_DEFAULT, 128, cores);
    start_core(w, cores, self, 32768, 60999, 30 + self);
}

static inline uint32_t class_size(const struct world *w, const struct flow_key *k)
{
    return flow_class_size(&w->c.class,
                           flow_class_fixed(&w->c.class, ip_v4(&k->raddr), us, k->rport));
}
