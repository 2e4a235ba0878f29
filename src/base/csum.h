/* The Internet checksum (RFC 1071, 1624).
 *
 * A running sum is kept unfolded in 64 bits and in memory order (not swapped):
 * the one's complement sum is indifferent to byte order as long as every part
 * begins at an even offset.  A part at an odd offset is added with
 * csum_add_odd.
 *
 * csum_add picks AVX2 code at run time through the caller's csum_fn (chosen
 * once by csum_select and kept in the stack: no globals here). */
#pragma once

#include "base/types.h"

/* Adds n bytes at p to sum; returns the new unfolded sum. */
typedef uint64_t (*csum_fn)(const void *p, size_t n, uint64_t sum);

uint64_t csum_add_portable(const void *p, size_t n, uint64_t sum);

/* The fastest csum_fn of this processor. */
csum_fn csum_select(void);

/* Fold an unfolded sum to 16 bits, memory order, not complemented.  A number added to itself with
 * its halves exchanged has the sum of both, with the carry come round, in its upper half. */
static inline uint16_t csum_fold(uint64_t sum)
{
    uint32_t s = (uint32_t)((sum + (sum >> 32 | sum << 32)) >> 32);

    return (uint16_t)((s + (s >> 16 | s << 16)) >> 16);
}

/* The checksum field's value: what is stored, as it lies in memory. */
static inline uint16_t csum_finish(uint64_t sum)
{
    return (uint16_t)~csum_fold(sum);
}

/* Add the sum of a part that starts at an odd offset: its bytes change places. */
static inline uint64_t csum_add_odd(uint64_t sum, uint64_t part)
{
    /* The sum may be close to 2^64; its carry comes round like any other. */
    uint64_t s = sum + __builtin_bswap16(csum_fold(part));
    return s + (s < sum);
}

/* RFC 1624 eqn. 3: the new checksum field when a 16-bit word changes from 'was' to 'is'
 * (all as they lie in memory). */
static inline uint16_t csum_update16(uint16_t field, uint16_t was, uint16_t is)
{
    return csum_finish((uint64_t)(uint16_t)~field + (uint16_t)~was + is);
}

static inline uint16_t csum_update32(uint16_t field, uint32_t was, uint32_t is)
{
    return csum_finish((uint64_t)(uint16_t)~field + (uint64_t)(uint32_t)~was + is);
}
