/* shard: one core's loop: poll the port, read mail, run the stack, deliver events, send.
 *
 * A turn takes frames from the port, then reads what other cores have written, then looks at the
 * frames: see mail/mail.h for why in this order.
 *
 * The loop is pure: the host room calls shard_turn with the time and decides how to wait when there
 * was nothing to do.  The observer (capture) sees every frame in and out; it is a function because
 * capturing is the host's business. */
#pragma once

#include "api/native.h"

struct shard_tap { /* sees frames; may be NULL */
    void (*frame)(void *arg, const struct pkt *p, bool out, instant now);
    void *arg;
};

struct shard {
    struct stack *stack;   /* borrowed */
    struct native *native; /* borrowed */
    const struct mr_app *app;
    void *core_state;
    unsigned netifs;             /* interfaces 1..netifs are polled */
    unsigned burst;              /* frames a poll, 1..BURST_MAX; 0: BURST_MAX */
    struct nic *nic[NETIFS_MAX]; /* by netif index */
    uint16_t queue[NETIFS_MAX];
    unsigned refused[NETIFS_MAX]; /* frames at the front of the transmit queue that the port did
                                   * not take, and the observer has seen */
    struct mail *mail; /* borrowed; NULL: alone */
    struct shard_tap tap;
    struct pkt_pool *frames; /* borrowed: for frames of cores without a queue (shard/via.h); NULL:
                              * every core has one */
    uint64_t frames_dropped; /* of those: the port was full, or there was no packet for it */
    uint64_t turns, busy_turns;
    /* Wakes sleeping cores (bit by core), called before the application gets its events and at the
     * end of a turn: a slow handler keeps nobody asleep.  NULL: they gather in wake. */
    void (*ring)(void *arg, uint64_t cores);
    void *ring_arg;
    uint64_t wake;
};

/* One turn.  True if anything was done (packets in, events, packets out): call again soon. */
bool shard_turn(struct shard *sh, instant now);
/* Its halves, for a loop whose application answers between them: packets in and events; packets
 * out. */
bool shard_hear(struct shard *sh, instant now);
bool shard_say(struct shard *sh, instant now);
/* Events alone: of what came round by loopback while it said. */
bool shard_tell(struct shard *sh);
/* When the next turn must come if no packet arrives. */
instant shard_deadline(const struct shard *sh);
