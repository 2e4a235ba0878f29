#include "stat/trace.h"

#include "base/bits.h"

void trace_init(struct trace *t, struct trace_rec *rec, uint32_t n)
{
    MR_ASSERT(rec == NULL || is_pow2(n));
    *t = (struct trace){.rec = rec, .mask = rec != NULL ? n - 1 : 0};
}

uint32_t trace_held(const struct trace *t)
{
    return t->rec != NULL ? (uint32_t)min_u64(t->count, (uint64_t)t->mask + 1) : 0;
}

const struct trace_rec *trace_at(const struct trace *t, uint32_t i)
{
    MR_ASSERT(i < trace_held(t));
    return &t->rec[(t->count - trace_held(t) + i) & t->mask];
}
