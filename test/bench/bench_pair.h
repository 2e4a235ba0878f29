/* Two stacks in one process on one in-memory wire.  Their turns alternate in one thread, as two
 * cores would run side by side. */
#pragma once

#include "bench_frame.h"
#include "nic/memwire.h"
#include "shard/shard.h"

struct bench_side {
    struct shard shard;
    struct mr *m;
    struct mr_addr addr;
    void *memory, *port_memory;
    size_t bytes;
};

struct bench_pair {
    struct bench_side client, server;
    void *wire;
    size_t wire_bytes;
    uint64_t tsc0;
    double tsc_per_us;
};

struct bench_pair_config {
    uint32_t conns, client_tw;
    const struct memwire_config *wire;
    bool huge; /* pages */
    const struct mr_app *client, *server;
    void *client_state, *server_state;
};

extern const struct memwire_config bench_small_wire;

/* Ends the program where there is no memory. */
void bench_pair_init(struct bench_pair *p, const struct bench *b,
                     const struct bench_pair_config *c);
void bench_pair_fini(struct bench_pair *p);

instant bench_now_us(const struct bench_pair *p);

/* Functions of their own, so that a profile tells the two ends apart. */
void bench_client_turn(struct bench_pair *p);
void bench_server_turn(struct bench_pair *p);

static inline void bench_turn(struct bench_pair *p)
{
    bench_client_turn(p);
    bench_server_turn(p);
}
