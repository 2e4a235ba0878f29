/* A heap copy of exactly n bytes, so that a sanitizer sees the first byte read too far.  The
 * caller frees it. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint8_t *exact_copy(const void *bytes, size_t n)
{
    uint8_t *copy = malloc(n);

    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}
