/* Fixed types for freestanding code.
 *
 * Big-endian numbers are types of their own: a be16 cannot be compared with,
 * or assigned to, a host number without saying so, and the conversion compiles
 * to one instruction or none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <string.h> /* outer rooms include it too: let it come before the macros below */
#endif

#include "base/panic.h"

/* The four functions every C compiler may call on its own behalf. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
#define memcpy(d, s, n) __builtin_memcpy(d, s, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memset(d, c, n) __builtin_memset(d, c, n)
#define memcmp(a, b, n) __builtin_memcmp(a, b, n)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member)                                                            \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define CACHE_LINE 64
#define MR_ALIGNED(n) __attribute__((aligned(n)))
#define MR_NO_INLINE __attribute__((noinline))
#define MR_MUST_CHECK __attribute__((warn_unused_result))

static inline void prefetch(const void *p)
{
    __builtin_prefetch(p);
}

typedef struct be16 {
    uint16_t raw;
} be16;
typedef struct be32 {
    uint32_t raw;
} be32;

static inline be16 be16_of(uint16_t host)
{
    return (be16){__builtin_bswap16(host)};
}
static inline be32 be32_of(uint32_t host)
{
    return (be32){__builtin_bswap32(host)};
}
static inline uint16_t be16_get(be16 b)
{
    return __builtin_bswap16(b.raw);
}
static inline uint32_t be32_get(be32 b)
{
    return __builtin_bswap32(b.raw);
}

/* Unaligned loads and stores of numbers in network order. */
static inline uint16_t load_be16(const void *p)
{
    be16 b;
    memcpy(&b, p, sizeof(b));
    return be16_get(b);
}
static inline uint32_t load_be32(const void *p)
{
    be32 b;
    memcpy(&b, p, sizeof(b));
    return be32_get(b);
}
static inline void store_be16(void *p, uint16_t host)
{
    be16 b = be16_of(host);
    memcpy(p, &b, sizeof(b));
}
static inline void store_be32(void *p, uint32_t host)
{
    be32 b = be32_of(host);
    memcpy(p, &b, sizeof(b));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "be16/be32 assume a little-endian host");
