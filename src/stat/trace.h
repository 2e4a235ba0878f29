/* A trace ring: the last events of one thread, as fixed-size records in memory that the caller
 * hands in.  Writing costs one line of cache; nobody waits, the oldest record is overwritten.
 *
 * What a kind means, and its three numbers, is the writer's to say.  One thread writes and
 * reads; a debugger, or mr_panic, may read the memory of a stopped one. */
#pragma once

#include "base/types.h"

struct trace_rec {
    uint64_t instant; /* when, in the writer's unit */
    uint16_t kind;
    uint32_t a, b, c;
};
_Static_assert(sizeof(struct trace_rec) == 24, "three words a record");

struct trace {
    struct trace_rec *rec; /* borrowed until the trace is given up; NULL: tracing is off */
    uint32_t mask;
    uint64_t count; /* records ever written */
};

/* n: a power of two, records at rec; rec NULL (n is then not read) turns tracing off. */
void trace_init(struct trace *t, struct trace_rec *rec, uint32_t n);

static inline void trace_put(struct trace *t, uint64_t instant, uint16_t kind, uint32_t a,
                             uint32_t b, uint32_t c)
{
    if (t->rec != NULL)
        t->rec[t->count++ & t->mask] = (struct trace_rec){instant, kind, a, b, c};
}

/* Records there still are. */
uint32_t trace_held(const struct trace *t);

/* Record i of them, 0 the oldest; valid until it is overwritten. */
const struct trace_rec *trace_at(const struct trace *t, uint32_t i);
