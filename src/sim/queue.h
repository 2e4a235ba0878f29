/* The event queue: what happens next in a simulated world, ordered by (time, order of adding), so
 * that two events of one instant happen in the order in which they were caused. */
#pragma once

#include "mem/mem.h"

struct sim_event {
    uint64_t at; /* world time, ns */
    uint64_t order;
    uint32_t kind;
    uint32_t arg;
};

struct sim_queue {
    struct sim_event *heap; /* borrowed from the world's memory */
    uint32_t n, capacity;
    uint64_t order;
};

void sim_queue_init(struct sim_queue *q, struct mem *m, uint32_t capacity);
/* The capacity is the caller's arithmetic: ASSERT. */
void sim_queue_add(struct sim_queue *q, uint64_t at, uint32_t kind, uint32_t arg);
/* Take the first event out; false when there is none. */
bool sim_queue_next(struct sim_queue *q, struct sim_event *out);
