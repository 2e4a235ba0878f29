#include "base/csum.h"

#include <immintrin.h>

/* Add with the carry brought back in: one's complement in 64 bits. */
static uint64_t add_carry(uint64_t a, uint64_t b)
{
    uint64_t s = a + b;
    return s + (s < b);
}

#if defined(__x86_64__)
/* Four words with the carry kept in the flags from one to the next. */
static uint64_t add_32_bytes(const uint8_t *p, uint64_t sum)
{
    __asm__("addq 0(%1), %0\n\tadcq 8(%1), %0\n\tadcq 16(%1), %0\n\tadcq 24(%1), %0\n\tadcq $0, %0"
            : "+r"(sum)
            : "r"(p), "m"(*(const uint8_t(*)[32])p)
            : "cc");
    return sum;
}
#else
static uint64_t add_32_bytes(const uint8_t *p, uint64_t sum)
{
    uint64_t w[4];
    memcpy(w, p, 32);
    return add_carry(add_carry(add_carry(add_carry(sum, w[0]), w[1]), w[2]), w[3]);
}
#endif

static uint64_t add_tail(const uint8_t *p, size_t n, uint64_t sum)
{
    uint64_t last = 0;

    while (n >= 32) {
        sum = add_32_bytes(p, sum);
        p += 32;
        n -= 32;
    }
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        sum = add_carry(sum, w);
        p += 8;
        n -= 8;
    }
    if (n & 4) {
        uint32_t w;
        memcpy(&w, p, 4);
        last = w;
        p += 4;
    }
    sum = add_carry(sum, last);
    last = 0;
    if (n & 2) {
        uint16_t w;
        memcpy(&w, p, 2);
        last = w;
        p += 2;
    }
    if (n & 1)
        last += *p;
    return add_carry(sum, last);
}

uint64_t csum_add_portable(const void *data, size_t n, uint64_t sum)
{
    const uint8_t *p = data;
    uint64_t a = 0, b = 0;

    /* Two chains of 32-bit words in 64-bit lanes: no carry to wait for. */
    while (n >= 32) {
        uint32_t w[8];
        memcpy(w, p, 32);
        a += (uint64_t)w[0] + w[1] + w[2] + w[3];
        b += (uint64_t)w[4] + w[5] + w[6] + w[7];
        p += 32;
        n -= 32;
    }
    sum = add_carry(sum, a);
    return add_tail(p, n, add_carry(sum, b));
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static uint64_t fold_lanes(__m256i v)
{
    uint64_t w[4];
    _mm256_storeu_si256((__m256i *)(void *)w, v);
    return add_carry(add_carry(w[0], w[1]), add_carry(w[2], w[3]));
}

/* 128 bytes a turn: each 32-bit word is widened by masking the even words and
 * shifting the odd ones down, so no lane overflows before 2^32 turns. */
AVX2 static uint64_t csum_add_avx2(const void *data, size_t n, uint64_t sum)
{
    const uint8_t *p = data;
    const __m256i low = _mm256_set1_epi64x(0xffffffff);
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;

    if (n < 128)
        return add_tail(p, n, sum);
    do {
        __m256i v0 = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i v1 = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
        __m256i v2 = _mm256_loadu_si256((const __m256i *)(const void *)(p + 64));
        __m256i v3 = _mm256_loadu_si256((const __m256i *)(const void *)(p + 96));
        a = _mm256_add_epi64(a, _mm256_and_si256(v0, low));
        b = _mm256_add_epi64(b, _mm256_srli_epi64(v0, 32));
        c = _mm256_add_epi64(c, _mm256_and_si256(v1, low));
        d = _mm256_add_epi64(d, _mm256_srli_epi64(v1, 32));
        a = _mm256_add_epi64(a, _mm256_and_si256(v2, low));
        b = _mm256_add_epi64(b, _mm256_srli_epi64(v2, 32));
        c = _mm256_add_epi64(c, _mm256_and_si256(v3, low));
        d = _mm256_add_epi64(d, _mm256_srli_epi64(v3, 32));
        p += 128;
        n -= 128;
    } while (n >= 128);
    a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
    return add_tail(p, n, add_carry(sum, fold_lanes(a)));
}

/* CPUID leaf 7, EBX bit 5 is AVX2; leaf 1, ECX bit 27 says that the OS saves its registers. */
static bool has_avx2(void)
{
    uint32_t a, b, c, d, xcr0, high;

    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
    if (!(c & (1u << 27)))
        return false;
    __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    if ((xcr0 & 6) != 6)
        return false;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    return (b & (1u << 5)) != 0;
}

csum_fn csum_select(void)
{
    return has_avx2() ? csum_add_avx2 : csum_add_portable;
}
