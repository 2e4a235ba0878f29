/* millrace-relay: takes connections and passes their bytes to one of several upstreams, and back.
 *
 * THEORY OF OPERATION
 *
 * One struct relay a core, and nothing shared: each core listens, chooses and connects by itself.
 * A client and the connection that was opened for it are a pair of sides; each side's bytes go to
 * the other one.
 *
 *         client                                    upstream
 *     --slices--> [side 0] --waiting--> give --> [side 1] --slices-->
 *     <--slices-- [side 0] <-- give <--waiting-- [side 1] <--slices--
 *
 * A received slice is given to the other side's send queue where it lies and released when the
 * peer there has acknowledged it; only small ones are copied, which is cheaper than keeping
 * account of them and does not hold a packet's memory for a few bytes.  The first slice that is
 * refused waits, and nothing more is taken until the send queue has room (MR_EV_WRITABLE).  What
 * is not taken, and what is lent, counts against the receive window: a slow reader holds back the
 * one who writes, and a pair holds at most two buffers each way.
 *
 * The directions end by themselves: an end of stream becomes a shutdown of the other side, behind
 * everything before it.  When both sides have finished in order the pair is over.  An error of one
 * side resets the other: a stream that was cut must not look complete.
 *
 *     accept --> CONNECTING --established--> OPEN --both finished--> over
 *                  |    ^                      \--error, idle------> reset
 *     refused, too late |
 *                  \----/ another upstream, each once; none left: the client is reset
 *
 * An upstream that does not answer is down for a while: it is not chosen.  Clients' bytes are not
 * read before there is a connection to pass them to, so another upstream can be tried as long as
 * none is established. */
#pragma once

#include "tools/tool_pool.h"

#include <millrace/millrace.h>

#define RELAY_UPSTREAMS_MAX 64u

enum relay_balance {
    RELAY_ROUND_ROBIN,
    RELAY_LEAST, /* fewest connections of this core */
    RELAY_HASH,  /* the client's address decides */
};

struct relay_options {
    struct mr_addr listen;
    struct mr_addr upstream[RELAY_UPSTREAMS_MAX];
    size_t upstreams; /* at least 1 */
    enum relay_balance balance;
    uint32_t connect_ms, idle_ms;
    uint32_t down_ms;                 /* an upstream that failed is not tried for so long */
    uint32_t pairs_max;               /* of a core */
    uint32_t buffer;                  /* send and receive buffer of each socket; 0: as they grow */
    uint32_t copy_max;                /* slices up to so many bytes are copied */
    struct relay *core[MR_CORES_MAX]; /* owned: slices come back until the contexts are gone */
};

/* Everything but addresses has a value that works. */
void relay_options_init(struct relay_options *o);

/* The entries of struct mr_app; its arg is a struct relay_options that outlives mr_run, and
 * relay_fini_all, called after it, frees what the cores had. */
int relay_init(struct mr *m, void *arg, void **core_state);
void relay_event(struct mr *m, void *core_state, const struct mr_event *ev);
void relay_fini(struct mr *m, void *core_state);
size_t relay_status(void *core_state, char *buf, size_t n);
void relay_fini_all(struct relay_options *o);

/* ---- upstreams (relay_balance.c) -------------------------------------------------- */

struct relay_upstream {
    struct mr_addr addr;
    uint32_t now;           /* pairs that it has */
    uint64_t total;         /* connections that were established */
    uint64_t failures;      /* opens that failed */
    uint64_t down_until_us; /* mr_now_us; in the past: it is up */
};

struct relay_balancer {
    enum relay_balance how;
    unsigned n, next; /* next: where the next round begins */
    struct relay_upstream up[RELAY_UPSTREAMS_MAX];
};

#define RELAY_NO_UPSTREAM RELAY_UPSTREAMS_MAX

/* The upstream for this client that is up and not among tried (a bit for each), or
 * RELAY_NO_UPSTREAM. */
unsigned relay_choose(struct relay_balancer *b, const struct mr_addr *client, uint64_t tried,
                      uint64_t now_us);

/* ---- pairs (relay_pair.c) --------------------------------------------------------- */

enum relay_state { RELAY_CONNECTING, RELAY_OPEN, RELAY_STATES };

/* A slice on its way; it refers to no pair, because it may outlive it. */
struct relay_slice {
    struct mr_slice slice;
    struct relay *relay;      /* borrowed */
    struct relay_slice *next; /* waiting behind it */
    uint32_t off;             /* bytes of it that were copied already */
};

struct relay_side {
    mr_sock sock; /* none: not open */
    struct relay_pair *pair;
    struct relay_slice *waiting, *last; /* owned: received here, refused by the other side */
    bool ended;                         /* its end of stream was read */
    bool shut;                          /* no more will be sent to it */
    bool closed;                        /* it finished in order, both ways */
};

struct relay_pair {
    struct relay *relay;       /* borrowed */
    struct relay_side side[2]; /* 0: the client's, 1: the upstream's */
    enum relay_state state;
    unsigned upstream;
    uint64_t tried; /* a bit for each upstream */
    struct mr_addr client;
    uint64_t linked_us;             /* when it went to the end of its queue */
    int64_t unacked;                /* what was unacknowledged when its time was up */
    struct relay_pair *prev, *next; /* in the queue of its state */
};

/* Pairs in the order of their time limits. */
struct relay_queue {
    struct relay_pair *first, *last;
};

struct relay_counters {
    uint64_t accepted, refused, no_upstream, no_memory, aborted, finished;
    uint64_t timeouts[RELAY_STATES], retries, blocked;
    uint64_t bytes[2];  /* from the clients, from the upstreams */
    uint64_t copied[2]; /* of these, copied */
};

struct relay {
    struct mr *m;
    const struct relay_options *opt; /* borrowed */
    mr_sock listener;
    struct tool_pool slices, pairs;
    struct relay_queue queue[RELAY_STATES];
    uint64_t limit_us[RELAY_STATES];
    uint32_t open;
    bool ticking;
    struct relay_balancer balancer;
    struct relay_counters count;
};

void relay_accept(struct relay *r);
void relay_side_event(struct relay *r, struct relay_side *s, const struct mr_event *ev);
void relay_tick(struct relay *r);
/* reset: RST to both sides, but for one that has finished. */
void relay_pair_free(struct relay_pair *p, bool reset);

/* ---- bytes (relay_splice.c) ------------------------------------------------------- */

/* Pass on what `from` has received, as far as the other side takes it.  False: there is no memory
 * to go on. */
bool relay_splice(struct relay_side *from);
void relay_slice_put(struct relay_slice *s);
