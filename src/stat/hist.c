#include "stat/hist.h"

void hist_init(struct hist *h)
{
    memset(h, 0, sizeof(*h));
    h->min = UINT64_MAX;
}

void hist_record_corrected(struct hist *h, uint64_t value, uint64_t interval)
{
    hist_record(h, value);
    if (interval == 0)
        return;
    while (value / 2 >= interval) {
        value -= interval;
        hist_record(h, value);
    }
}

/* The greatest value that counts in a slot: the inverse of hist_slot. */
static uint64_t slot_end(unsigned slot)
{
    unsigned octave = slot >> HIST_SUB_BITS;
    unsigned shift = octave > 0 ? octave - 1 : 0;
    uint64_t first = (uint64_t)(slot - (shift << HIST_SUB_BITS)) << shift;

    return first + (UINT64_C(1) << shift) - 1;
}

/* ceil(n * num / den) without the product overflowing where n * num does not fit. */
static uint64_t part_of(uint64_t n, uint64_t num, uint64_t den)
{
    return n / den * num + (n % den * num + den - 1) / den;
}

uint64_t hist_percentile(const struct hist *h, uint64_t num, uint64_t den)
{
    MR_ASSERT(num <= den && den > 0);
    if (h->count == 0)
        return 0;

    uint64_t rank = max_u64(part_of(h->count, num, den), 1);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_SLOTS - 1; i++) {
        seen += h->slot[i];
        if (seen >= rank)
            return min_u64(slot_end(i), h->max);
    }
    return h->max; /* the last slot holds whatever is too great */
}

uint64_t hist_mean(const struct hist *h)
{
    return h->count != 0 ? h->sum / h->count : 0;
}

void hist_merge(struct hist *to, const struct hist *from)
{
    to->count += from->count;
    to->sum += from->sum;
    to->min = min_u64(to->min, from->min);
    to->max = max_u64(to->max, from->max);
    for (unsigned i = 0; i < HIST_SLOTS; i++)
        to->slot[i] += from->slot[i];
}
