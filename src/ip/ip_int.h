/* Private to ip. */
#pragma once

#include "ip/ip.h"

#define IPV4_LIMITED_BROADCAST 0xffffffffu
#define IPV4_ALL_HOSTS 0xe0000001u /* RFC 1112 4: every host is a member */
#define IPV4_FRAG_BITS 0x3fffu     /* more fragments, and the offset */
#define REASS_CHUNK 1528u
#define REASS_SOURCES 256u
#define IP_ID_COUNTERS 1024u
#define ICMP_ERROR_MAX 576u /* RFC 1812 4.3.2.3 */
#define IPOPT_COPIED 0x80u  /* RFC 791 3.1: goes into every fragment */

/* ---- reassembly --------------------------------------------------------------------- */

struct chunk {
    mem_ref next; /* by offset */
    uint16_t off, len;
    uint8_t data[REASS_CHUNK];
};

struct reass {
    struct timer timer;
    be32 src, dst;
    uint16_t id;
    uint8_t proto;
    uint8_t netif, flags; /* of the packet it becomes */
    uint8_t ecn;          /* bit n: a fragment came with ECN field n */
    uint8_t hlen;         /* of header; 0: fragment zero is missing */
    bool poisoned;        /* to be discarded whole, later fragments too (RFC 5722 4) */
    uint16_t chunks;
    uint16_t source; /* index in reass_sources */
    uint32_t have;   /* payload bytes received */
    uint32_t total;  /* payload bytes in all; 0: last fragment is missing */
    mem_ref first, last;
    mem_ref hash_next, older, newer;
    uint8_t header[IPV4_HLEN_MAX]; /* of fragment zero */
};

struct pmtu_entry {
    be32 dst;
    uint32_t mtu; /* 0: free */
    tick expires;
};

struct ip_timers {
    struct timer pmtu;
};

/* Drop p for the reason whose counter this is. */
static inline void ip_drop(struct pkt *p, uint64_t *reason)
{
    (*reason)++;
    pkt_put(p);
}

/* Tokens are refilled at `rate` a second up to `burst`. */
void ip_refill(uint32_t *credit, instant *at, uint32_t rate, uint32_t burst, instant now);

/* ---- addr.c -------------------------------------------------------------------------- */

static inline uint32_t prefix_mask(unsigned len)
{
    MR_ASSERT(len <= 32);
    return len ? UINT32_MAX << (32 - len) : 0;
}

static inline unsigned laddr_slot(be32 a)
{
    return a.raw * 0x9e3779b1u >> 25;
}
_Static_assert(2 * IP_ADDRS_MAX == 128, "laddr_slot gives seven bits");

/* Index of a usable address of ours. */
static inline uint16_t lidx_of(const struct ip *ip, be32 a)
{
    for (unsigned i = laddr_slot(a);; i = (i + 1) % (2 * IP_ADDRS_MAX)) {
        unsigned at = ip->laddr_hash[i];
        if (at == 0)
            return IP_LIDX_NONE;
        if (ip->laddr[at - 1].addr.w[3] == a.raw)
            return ip->eth->addr_active >> (at - 1) & 1 ? (uint16_t)(at - 1) : IP_LIDX_NONE;
    }
}

/* The directed broadcast address of a subnet we have an address on (netif 0: on any). */
bool addr_is_subnet_broadcast(const struct ip *ip, unsigned netif, be32 a);
/* May be a host's address: not 0/8, 127/8, multicast, reserved or limited broadcast. */
static inline bool addr_is_host(be32 a)
{
    uint32_t top = be32_get(a) >> 24;

    return top - 1 < 223 && top != 127;
}

/* ---- input --------------------------------------------------------------------------- */

/* A received header, and what input found out about it. */
struct ip_rx {
    struct ipv4_hdr h;
    uint16_t lidx;
    uint8_t src_route_n;
    be32 src_route[IP_SRC_ROUTE_MAX];
};

/* The options of a packet for us (RFC 1122 3.2.1.8).  False: p was dropped. */
bool option_input(struct ip *ip, struct pkt *p, struct ip_rx *rx, instant now);
/* The options to send with the answer to a request; returns their length, a multiple of 4. */
unsigned option_reply(const uint8_t *header, be32 our, instant now, uint8_t *out);
/* A loose source route over hops[1 .. n - 1] into out; returns its length. */
unsigned option_source_route(const be32 *hops, unsigned n, uint8_t *out);
/* Those options of a packet that later fragments carry; returns their length. */
unsigned option_copied(const uint8_t *opt, unsigned optlen, uint8_t *out);

/* Takes the fragment; returns the whole datagram (data at its IP header) or NULL. */
struct pkt *reass_input(struct ip *ip, struct pkt *p, const struct ipv4_hdr *h, instant now);
void reass_timer(struct ip *ip, struct reass *r, instant now);

/* Takes p (data at the ICMP header, ip_info filled). */
void icmp_input(struct ip *ip, struct pkt *p, instant now);
/* The same as ip_icmp_error, about n bytes at an IP header; lflags: PKT_* of the frame. */
void icmp_error_about(struct ip *ip, const uint8_t *quote, size_t n, uint8_t lflags, uint8_t type,
                      uint8_t code, uint16_t word, instant now);
/* One of the error types, checksum verified; p stays the caller's. */
void icmp_input_error(struct ip *ip, const struct pkt *p, const struct icmp_hdr *h);
/* Reads a quoted packet of ours; false: it is none. */
bool icmp_quote_parse(const struct ip *ip, const uint8_t *q, size_t n, struct ip_error *out);

/* ---- output -------------------------------------------------------------------------- */

/* How to leave: a route, the neighbour, and the options of the header. */
struct ip_exit {
    struct ip_route_info route;
    neigh_id nh;
    be32 hop; /* header's destination: the flow's, or the first of its source route */
    uint8_t optlen;
    uint8_t opt[IPV4_HLEN_MAX - IPV4_HLEN];
};

int output_with_options(struct ip *ip, struct pkt *p, struct ip_flow *f, const uint8_t *opt,
                        unsigned optlen, instant now);
/* Push the header in front of p (data at its payload). */
void output_header(struct pkt *p, const struct ip_flow *f, const struct ip_exit *x, uint16_t id,
                   unsigned flags, unsigned frag_off);
/* A packet with its header into eth. */
void output_frame(struct ip *ip, struct pkt *p, const struct ip_exit *x, instant now);
int frag_output(struct ip *ip, struct pkt *p, const struct ip_flow *f, const struct ip_exit *x,
                uint32_t mtu, instant now);
int loop_output(struct ip *ip, struct pkt *p);
uint16_t ident_next(struct ip *ip, const struct ip_flow *f);

void pmtu_timer(struct ip *ip, instant now);
uint32_t pmtu_plateau_below(uint32_t total_len);
