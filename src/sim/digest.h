/* A 64-bit digest of everything that was observed in a world: two builds that behave alike have
 * the same one.  Not against attackers. */
#pragma once

#include "base/hash.h"

struct sim_digest {
    uint64_t h;
};

static inline void sim_digest_u64(struct sim_digest *d, uint64_t v)
{
    d->h = mix64(d->h * UINT64_C(0x9e3779b97f4a7c15) + v);
}

static inline void sim_digest_bytes(struct sim_digest *d, const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = d->h + n, w;

    for (; n >= 8; b += 8, n -= 8) {
        memcpy(&w, b, 8);
        h = (h ^ w) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 35;
    }
    w = 0;
    memcpy(&w, b, n);
    d->h = mix64((h ^ w) * UINT64_C(0x9fb21c651e98df25));
}
