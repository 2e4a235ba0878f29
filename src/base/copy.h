/* Short copies.
 *
 * A copy of a length that is not known beforehand is a call, or a string instruction, and either
 * takes longer than moving the few dozen bytes that most messages have. */
#pragma once

#include "base/types.h"

/* The same as memcpy, for lengths of up to a few hundred bytes: sixteen at a time, the last ones
 * together with some that are copied already. */
static inline void copy_short(uint8_t *dst, const uint8_t *src, size_t n)
{
    struct {
        uint64_t w[2];
    } a;
    uint64_t first, last;

    if (likely(n >= sizeof(a))) {
        for (size_t i = 0; i + sizeof(a) <= n; i += sizeof(a)) {
            memcpy(&a, src + i, sizeof(a));
            memcpy(dst + i, &a, sizeof(a));
        }
        memcpy(&a, src + n - sizeof(a), sizeof(a));
        memcpy(dst + n - sizeof(a), &a, sizeof(a));
    } else if (n >= 8) {
        memcpy(&first, src, 8);
        memcpy(&last, src + n - 8, 8);
        memcpy(dst, &first, 8);
        memcpy(dst + n - 8, &last, 8);
    } else {
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i];
    }
}
