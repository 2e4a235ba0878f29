/* world: one stack on a port that records, in virtual time.
 *
 * The port takes every frame the stack sends and keeps a copy with its time; frames for the stack
 * come from the script.  The next hop's hardware address is known from the start, so scripts live
 * at the IP level. */
#pragma once

#include "api/native.h"
#include "knobs.h"

struct capture {
    instant at;
    uint32_t len;
    uint8_t *bytes; /* owned: the IP packet */
};

struct world {
    void *memory;
    size_t memory_bytes;
    struct stack *stack;
    struct native *native;
    struct mr *m;
    struct nic nic;
    struct pkt_pool rx;
    unsigned netif;
    instant now, start;
    bool verbose;
    struct capture *sent; /* owned: [sent_head, sent_n) wait to be expected */
    size_t sent_head, sent_n, sent_cap;
};

/* False: out of memory, or the stack refused; why[]. */
bool world_init(struct world *w, const struct run_options *o, const struct stack_config *c,
                char *why, size_t whylen);
void world_fini(struct world *w);
/* Microseconds since the script's start. */
int64_t world_us(const struct world *w);
/* Hand an IP packet to the stack now. */
void world_inject(struct world *w, const uint8_t *ip, uint32_t n, bool broadcast);
/* One turn of the core without the application: frames out are recorded.  True if any were. */
bool world_flush(struct world *w);
const struct capture *world_next_sent(const struct world *w);
void world_pop_sent(struct world *w);
