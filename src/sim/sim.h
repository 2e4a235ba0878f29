/* sim: a whole world of hosts, links and applications from one number, in virtual time.
 *
 * THEORY OF OPERATION
 *
 * A world is drawn from a seed: two to six hosts, each with one to four cores, a stack for each, a
 * drifting clock and limits that may be tiny; links that lose, repeat, reorder, damage, delay and
 * shrink; and applications that talk over them through the public API.  It runs as a chain of
 * events ordered by (time, order of adding); between two events nothing happens, so virtual time
 * jumps.
 *
 *      application     application        bytes from the oracle, checked at the other end
 *      -----------     -----------
 *      stacks of 0     stacks of 1        the real code, a drifting clock a host; mail between
 *        port 0          port 1           struct nic: small rings, offloads, refusals, spreading
 *          \               /
 *           links, a router                faults, drawn anew every few moments
 *              watch                       judges every frame that is sent
 *
 * The cores of a host take their turns in an order that is drawn anew each time, and a core that
 * has nothing to do sleeps until its deadline, a frame, or a wake-up by another.  The law by which
 * flows belong to cores is drawn for each host, and what its port does with the frames is drawn
 * besides: the same, the same until its table is re-programmed, something else, nothing at all.
 * Now and then a core stands still for a while; its frames and its mail wait, or overflow.
 *
 * At a drawn time everything is healed; from then on every transfer must come to an end in bounded
 * time, every connection must go away and every pool must be full again.
 *
 * What is judged, at every event: the stack's own stack_check; on the wire the laws that an
 * outsider can see (sim/watch.h); in the applications every byte, the place of the end of stream,
 * and that every error had a cause (sim/app.h).
 *
 * The digest covers every frame with its time and every event an application saw.  The same seed
 * gives the same digest in every build.
 *
 * Nothing here is allocated: the caller hands in one range of memory, zeroed or not, and may hand
 * it to the next world. */
#pragma once

#include "base/types.h"

#define SIM_HOSTS_MAX 6u
#define SIM_CORES_MAX 4u
#define SIM_MEMORY_BYTES ((size_t)384 << 20) /* committed on touch; most worlds touch a few MB */
#define SIM_TEXT_BYTES 256u

/* Sees what happens; any member may be NULL.  Times are world time. */
struct sim_observer {
    /* A frame leaves a host's port (out), or arrives there.  note: what befell it, or NULL. */
    void (*frame)(void *arg, uint64_t ns, unsigned host, bool out, const uint8_t *frame, size_t n,
                  const char *note);
    void (*note)(void *arg, uint64_t ns, unsigned host, const char *text);
    void *arg;
};

struct sim_options {
    uint64_t seed;
    uint8_t fill;        /* fresh packet memory is filled with this; must not change the digest */
    uint32_t check_every; /* stack_check after every n-th turn; 0: drawn */
    bool settles; /* where homes move, cores learn that all have heard of it; else by time */
    struct sim_observer observer;
};

struct sim_result {
    uint64_t seed;
    uint64_t digest;
    uint64_t ns;                            /* virtual time passed */
    uint64_t steps, frames, delivered, bytes_checked;
    uint32_t conns, conns_whole;            /* planned; ended in order on both sides */
    uint32_t hosts;
    bool failed;
    char text[SIM_TEXT_BYTES];              /* why it failed; empty if it did not */
};

struct sim_world;

/* Draw a world into memory (aligned to 4096, SIM_MEMORY_BYTES, kept until the world is over). */
struct sim_world *sim_init(void *memory, size_t bytes, const struct sim_options *o);

/* Let the next thing happen.  False: the world is over (sim_result tells how). */
bool sim_step(struct sim_world *w);

const struct sim_result *sim_result(struct sim_world *w);

/* One line about what was drawn, for people; returns the length. */
size_t sim_print(const struct sim_world *w, char *buf, size_t n);
