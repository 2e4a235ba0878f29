/* TCP sequence numbers: a circle of 2^32, as a type of its own.
 *
 * RFC 9293 3.4: all arithmetic is modulo 2^32, and "less than" means "nearer
 * than half the circle".  `a < b` on two tcp_seq does not compile. */
#pragma once

#include "base/types.h"

typedef struct tcp_seq {
    uint32_t v;
} tcp_seq;

static inline tcp_seq seq_of(uint32_t v)
{
    return (tcp_seq){v};
}
static inline tcp_seq seq_add(tcp_seq a, uint32_t n)
{
    return (tcp_seq){a.v + n};
}
static inline tcp_seq seq_sub(tcp_seq a, uint32_t n)
{
    return (tcp_seq){a.v - n};
}
/* a - b, for a at or after b. */
static inline uint32_t seq_diff(tcp_seq a, tcp_seq b)
{
    return a.v - b.v;
}
static inline bool seq_eq(tcp_seq a, tcp_seq b)
{
    return a.v == b.v;
}
static inline bool seq_lt(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) < 0;
}
static inline bool seq_leq(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) <= 0;
}
static inline bool seq_gt(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) > 0;
}
static inline bool seq_geq(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) >= 0;
}
static inline tcp_seq seq_min(tcp_seq a, tcp_seq b)
{
    return seq_lt(a, b) ? a : b;
}
static inline tcp_seq seq_max(tcp_seq a, tcp_seq b)
{
    return seq_gt(a, b) ? a : b;
}
/* lo <= s < lo + n on the circle. */
static inline bool seq_in(tcp_seq s, tcp_seq lo, uint32_t n)
{
    return s.v - lo.v < n;
}
