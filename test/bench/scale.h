/* scale: what the benchmarks of many cores share.
 *
 *     thread of core i:   client shard i  ==[ wire, queue i ]==  server shard i
 *
 * Every core turns one shard of each host (lib/many.h), both ends counted.  All threads run the
 * same work for the same time, each reads its own clock and its own counter at both ends of the
 * measured span, and no thread writes what another reads but the phase, which changes four times a
 * run. */
#ifndef SCALE_H
#define SCALE_H

#include "bench_frame.h"
#include "lib/many.h"

#define SCALE_PORT 5000u
#define SCALE_PORTS 64u /* one address pair has 28,000 client ports for each */
#define SCALE_UPSTREAM_PORT 7000u
#define SCALE_UPSTREAMS 8u
#define SCALE_CONNS 1000u /* a core, in rr64 */
#define SCALE_BULKS 4u    /* connections a core, in bulk */
#define SCALE_GIVE 65536u

enum scale_work {
    SCALE_RR,
    SCALE_CRR,
    SCALE_BULK,
    SCALE_RELAY, /* crr64 through a relay to an upstream */
};

/* What the wire does, and what a frame costs the core that sends it. */
enum scale_wire {
    SCALE_STRAIGHT, /* symmetric key; queue i to queue i, which is where the hash would put every
                     * frame: were it not so, there would be mail.  As with a NIC, the hash is
                     * free */
    SCALE_HASHED,   /* symmetric key; the sending core computes the hash in software */
    SCALE_CROSSING, /* usual key, in software: most frames go from core to core */
};

/* The client of a core.  Lies in its shard's own memory. */
struct scale_client {
    enum scale_work work;
    struct mr *m;
    uint32_t conns, opened, started;
    uint32_t ports, port_next; /* of the servers */
    uint64_t left;             /* operations still to begin */
    uint64_t done;             /* finished ones; bulk counts at the server */
    uint64_t at;               /* in order[] */
    mr_sock conn[SCALE_CONNS];
    uint32_t order[SCALE_CONNS]; /* random permutation */
    char payload[SCALE_GIVE];
};

struct scale_server {
    enum scale_work work;
    uint64_t bytes;
};

extern const struct mr_app scale_client_app, scale_server_app, scale_relay_app;

/* Room for the state of either program. */
#define SCALE_STATE_BYTES sizeof(struct scale_client)

/* How the two hosts are built for a work. */
struct many_config scale_config(enum scale_work work, enum scale_wire wire, unsigned cores);

/* Both ends of a core: listeners are open, connections are being opened. */
/* conns: that rr64 keeps open, at most SCALE_CONNS. */
void scale_start(struct many_shard *client, struct many_shard *server, enum scale_work work,
                 uint32_t conns);
/* By the thread of the core, when nothing is turned any more. */
void scale_stop(struct many_shard *server, enum scale_work work);
/* The relay in the server's place; scale_start and scale_stop do it. */
void scale_relay_start(struct many_shard *s);
void scale_relay_stop(struct many_shard *s);
/* All connections that the work keeps are open. */
bool scale_is_ready(const struct many_shard *client);
/* So many operations from now on (bulk: bytes), as many at once as the work has. */
void scale_begin(struct many_shard *client, uint64_t operations);
/* Operations finished since the start. */
uint64_t scale_done(const struct many_shard *client, const struct many_shard *server);

/* Runs a work for so many operations a core on simulated cores, one after the other in this thread,
 * time being what the rounds say; prints what it did.  Under callgrind only what is steady is
 * counted.  False: a packet went by mail. */
bool scale_simulate(enum scale_work work, enum scale_wire wire, unsigned cores,
                    uint64_t operations);

/* What one run of a work on so many cores gave. */
struct scale_result {
    double rate;        /* operations a second of all cores, wall clock */
    double least, most; /* of one core */
    double cpu_ns;      /* CPU time an operation */
    double busy;        /* CPU time to wall time, of the core with the least */
    uint64_t mails;     /* packets by mail */
};

struct scale_plan {
    enum scale_work work;
    enum scale_wire wire;
    unsigned cores;
    const int *cpus; /* processors to pin to, borrowed */
    double seconds;  /* measured span */
    double tsc_ghz;
};

struct scale_result scale_run(const struct scale_plan *p);
/* The same threads do nothing but add: what the machine itself gives. */
struct scale_result scale_run_adds(const struct scale_plan *p);

#endif
