/* Small integer arithmetic. */
#pragma once

#include "base/types.h"

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}
static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}
static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline uint32_t clamp_u32(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static inline bool is_pow2(uint64_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

/* The least power of two that is >= v; 1 for 0.  v <= 2^63. */
static inline uint64_t ceil_pow2(uint64_t v)
{
    return v <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(v - 1));
}

/* Index of the lowest set bit; v must not be 0. */
static inline unsigned lowest_bit(uint64_t v)
{
    return (unsigned)__builtin_ctzll(v);
}

/* Index of the highest set bit (floor of log2); v must not be 0. */
static inline unsigned highest_bit(uint64_t v)
{
    return 63u - (unsigned)__builtin_clzll(v);
}

static inline size_t align_up(size_t v, size_t pow2)
{
    return (v + pow2 - 1) & ~(pow2 - 1);
}
