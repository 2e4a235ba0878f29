/* wire_bytes: the little that building and judging packets need, written apart from the stack. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline void put16(uint8_t *b, uint16_t v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}
static inline void put32(uint8_t *b, uint32_t v)
{
    put16(b, (uint16_t)(v >> 16));
    put16(b + 2, (uint16_t)v);
}
static inline uint16_t get16(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}
static inline uint32_t get32(const uint8_t *b)
{
    return (uint32_t)get16(b) << 16 | get16(b + 2);
}

/* RFC 1071, the slow way; returns the field's value. */
static inline uint16_t inet_sum(const uint8_t *b, uint32_t n, uint32_t sum)
{
    for (uint32_t i = 0; i < n; i++)
        sum += i % 2 == 0 ? (uint32_t)b[i] << 8 : b[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
static inline uint32_t pseudo_sum(uint32_t src, uint32_t dst, uint8_t proto, uint32_t n)
{
    return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + n;
}

struct ip_fields {
    uint8_t hlen, csum_words; /* words; 0: 5 */
    uint8_t tos, ttl, proto;
    uint16_t total, id, off; /* off in bytes */
    bool df, mf;
    uint32_t src, dst;
};

/* Fill in the fixed part; options are there already. */
static inline void put_ip_header(uint8_t *b, const struct ip_fields *f)
{
    b[0] = (uint8_t)(0x40 | (f->hlen != 0 ? f->hlen : 5));
    b[1] = f->tos;
    put16(b + 2, f->total);
    put16(b + 4, f->id);
    put16(b + 6, (uint16_t)((f->df ? 0x4000 : 0) | (f->mf ? 0x2000 : 0) | f->off / 8));
    b[8] = f->ttl;
    b[9] = f->proto;
    put16(b + 10, 0);
    put32(b + 12, f->src);
    put32(b + 16, f->dst);
    put16(b + 10, inet_sum(b, 4u * (f->csum_words != 0 ? f->csum_words : 5), 0));
}
