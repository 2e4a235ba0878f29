/* lib/many: two hosts of N cores each on one in-memory wire, 2 N shards in one process.
 *
 *     host 0   shard 0  shard 1  ..  shard N-1        each shard: stack, native context, state of
 *                 |        |            |             its program, in memory of its own
 *     the wire  queue 0  queue 1 ..  queue N-1        stands for the NICs: shared
 *                 |        |            |
 *     host 1   shard 0  shard 1  ..  shard N-1
 *
 * Host h is 10.0.0.<h+1>, and knows its neighbour from the start.  The wire spreads frames by the
 * law of both hosts, so nothing is ever at the wrong core; or it is straight, queue i to queue i,
 * which is where the law would put them if its key is symmetric.  Who turns which shard, in how
 * many threads and by which clock is the caller's business. */
#pragma once

#include "nic/memwire.h"
#include "shard/shard.h"

struct many_config {
    unsigned cores;              /* 1..CORES_MAX */
    const uint8_t *key;          /* static: of the law and of the wire */
    bool straight;               /* key is symmetric, and the wire need not compute what it says */
    struct memwire_config wire;  /* queues are filled in; buffers: for each queue that sends */
    struct stack_limits limits;  /* cores is filled in */
    const struct mr_app *app[2]; /* of each host */
    size_t state_bytes;          /* of the program, a shard; begins zeroed */
    bool huge;                   /* large pages for what is mapped */
};

/* The beginning of a shard's memory; everything of its own follows in the same range. */
struct many_shard {
    struct shard shard;
    struct mail mail;
    struct mr *m;
    void *state; /* of the program: config.state_bytes */
    unsigned side, core;
    size_t bytes; /* of the whole range */
};

struct many_wire {
    void *memory, *port_memory[2]; /* owned; NULL: there is no such wire */
    size_t bytes, port_bytes;
    struct memwire_port *port[2];
};

struct many {
    struct many_config config;
    struct rss law;
    void *mail[2]; /* owned */
    size_t mail_bytes;
    struct many_wire wire[CORES_MAX]; /* the first is the only one, unless they are straight */
    struct many_shard *shard[2][CORES_MAX]; /* owned; NULL: not opened */
};

/* Maps what is shared.  Exits with one line when there is no memory. */
struct many *many_open(const struct many_config *c);
/* Maps and formats one shard, and a straight wire with the first of its two: by the thread that
 * will turn both, so that the memory is near it. */
struct many_shard *many_shard_open(struct many *w, unsigned side, unsigned core, instant now);
void many_close(struct many *w);

/* Address of a host. */
struct mr_addr many_addr(unsigned side, uint16_t port);
/* Packets that any shard of the world has written to another core. */
uint64_t many_mail_packets(const struct many *w);
