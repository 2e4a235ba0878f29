/* A histogram with a bounded relative error, in fixed memory.
 *
 * Values below 256 are counted exactly; above, every octave is cut into 128 equal slots, so a
 * value read back is at most 1/128 (0.8 %) too high and never too low.  A value of 2^40 or more
 * counts in the last slot (max stays exact).  The unit is the caller's.
 *
 *     slot   0 ... 255 | 256 ... 383 | 384 ... 511 | ... 4351
 *     value  0 ... 255 | 256 ... 511 | 512 .. 1023 | ... 2^40 - 1
 *     width      1     |      2      |      4      | */
#pragma once

#include "base/bits.h"
#include "base/types.h"

#define HIST_SUB_BITS 7u
#define HIST_VALUE_BITS 40u
#define HIST_SLOTS ((HIST_VALUE_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
    uint64_t count;
    uint64_t sum; /* wraps: hist_mean holds while it is below 2^64 */
    uint64_t min; /* UINT64_MAX while count is 0 */
    uint64_t max;
    uint64_t slot[HIST_SLOTS];
};

void hist_init(struct hist *h);

static inline unsigned hist_slot(uint64_t value)
{
    uint64_t v = min_u64(value, (UINT64_C(1) << HIST_VALUE_BITS) - 1);
    unsigned shift = highest_bit(v | 1u << HIST_SUB_BITS) - HIST_SUB_BITS;

    return (shift << HIST_SUB_BITS) + (unsigned)(v >> shift);
}

static inline void hist_record_n(struct hist *h, uint64_t value, uint64_t n)
{
    h->count += n;
    h->sum += value * n;
    h->min = min_u64(h->min, value);
    h->max = max_u64(h->max, value);
    h->slot[hist_slot(value)] += n;
}

static inline void hist_record(struct hist *h, uint64_t value)
{
    hist_record_n(h, value, 1);
}

/* For a load that sends one request per 'interval': a response that took longer than that kept
 * the following ones from being sent, and their latencies from being seen (coordinated
 * omission).  Records value, value - interval, value - 2 * interval, ... down to interval.
 * interval 0: only value.  Takes value / interval steps. */
void hist_record_corrected(struct hist *h, uint64_t value, uint64_t interval);

/* The least recorded value (rounded up to its slot's end, at most max) such that num out of den
 * of all values are not greater: (99, 100) is the 99th percentile.  0 <= num <= den.  0 while
 * nothing is recorded. */
uint64_t hist_percentile(const struct hist *h, uint64_t num, uint64_t den);

/* Rounded down; 0 while nothing is recorded. */
uint64_t hist_mean(const struct hist *h);

/* Adds all of 'from' to 'to'. */
void hist_merge(struct hist *to, const struct hist *from);
