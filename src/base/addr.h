/* Network addresses, family-neutral: every address is 128 bits, IPv4 as an
 * IPv4-mapped IPv6 address (::ffff:a.b.c.d, RFC 4291 2.5.5.2).  One type, one
 * comparison, no tag to forget. */
#pragma once

#include "base/types.h"

struct ip_addr {
    uint32_t w[4]; /* network order, as on the wire */
};

struct mac_addr {
    uint8_t b[6];
};

static inline struct ip_addr ip4_addr(be32 a)
{
    return (struct ip_addr){{0, 0, be32_of(0xffff).raw, a.raw}};
}
static inline struct ip_addr ip4_of(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return ip4_addr(be32_of((uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)c << 8 | d));
}
static inline bool ip_is_v4(const struct ip_addr *a)
{
    return (a->w[0] | a->w[1]) == 0 && a->w[2] == be32_of(0xffff).raw;
}
/* The IPv4 address inside; only for addresses that are one. */
static inline be32 ip_v4(const struct ip_addr *a)
{
    return (be32){a->w[3]};
}
static inline bool ip_eq(const struct ip_addr *a, const struct ip_addr *b)
{
    return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) |
            (a->w[3] ^ b->w[3])) == 0;
}
/* The unspecified address of either family: 0.0.0.0 or ::. */
static inline bool ip_is_any(const struct ip_addr *a)
{
    return (a->w[0] | a->w[1] | a->w[3]) == 0 &&
           (a->w[2] == 0 || a->w[2] == be32_of(0xffff).raw);
}
static inline bool ip4_is_multicast(be32 a)
{
    return (be32_get(a) >> 28) == 0xe;
}
static inline bool ip4_is_loopback(be32 a)
{
    return (be32_get(a) >> 24) == 127;
}

static inline bool mac_eq(const struct mac_addr *a, const struct mac_addr *b)
{
    return memcmp(a->b, b->b, 6) == 0;
}
static inline bool mac_is_multicast(const struct mac_addr *a)
{
    return a->b[0] & 1;
}
static inline bool mac_is_broadcast(const struct mac_addr *a)
{
    return (a->b[0] & a->b[1] & a->b[2] & a->b[3] & a->b[4] & a->b[5]) == 0xff;
}
