/* The content oracle: byte i of stream s is a function of (seed, s, i), so any receiver can check
 * any byte without having seen the sender.
 *
 * Bytes come in words of eight; word k of a stream is a bijective hash of the stream's key and k,
 * so that no two places look alike and a shift by one byte does not go unseen. */
#pragma once

#include "base/hash.h"

struct sim_oracle {
    uint64_t seed;
};

static inline uint64_t sim_oracle_word(const struct sim_oracle *o, uint64_t stream, uint64_t k)
{
    return mix64(mix64(o->seed ^ stream * UINT64_C(0x9e3779b97f4a7c15)) + k);
}

/* Write bytes [pos, pos + n) of the stream to dst. */
void sim_oracle_fill(const struct sim_oracle *o, uint64_t stream, uint64_t pos, uint8_t *dst,
                     size_t n);
/* How many of the n bytes at b agree with the stream at pos, up to the first that does not. */
size_t sim_oracle_check(const struct sim_oracle *o, uint64_t stream, uint64_t pos,
                        const uint8_t *b, size_t n);
