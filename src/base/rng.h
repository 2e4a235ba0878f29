/* A seeded random stream: xoshiro256**, seeded through splitmix64.
 *
 * For choices that must be reproducible (simulation) or merely spread out
 * (jitter).  Whatever an attacker must not guess (ISN, ports, IP ids, cookies)
 * goes through siphash with a secret key instead: base/hash.h. */
#pragma once

#include "base/types.h"

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);

static inline uint32_t rng_u32(struct rng *r)
{
    return (uint32_t)(rng_u64(r) >> 32);
}

/* Uniform in [0, n); n > 0.  The bias (below 2^-32) does not matter here. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((uint64_t)rng_u32(r) * n) >> 32);
}

/* True num times out of den. */
static inline bool rng_chance(struct rng *r, uint32_t num, uint32_t den)
{
    return rng_below(r, den) < num;
}
