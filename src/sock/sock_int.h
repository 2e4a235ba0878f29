/* Private to the room sock. */
#pragma once

#include "sock/sock.h"

/* In the info area of a packet whose payload is lent. */
struct sock_hold {
    mem_ref conn; /* MEM_NONE: a datagram */
    uint16_t gen;
    uint32_t len;
};

enum { SOCK_BIT_WANT_WRITE = 1 };

static inline mr_sock sock_handle(enum sock_kind kind, uint32_t gen, uint32_t index)
{
    return (mr_sock){(uint64_t)kind << 60 | (uint64_t)(gen & 0xffff) << 32 | index};
}

/* The object of a handle, or NULL (counted). */
struct tcp_conn *sock_conn(struct sock *s, mr_sock h);
struct tcp_listener *sock_listener(struct sock *s, mr_sock h);
struct udp_pcb *sock_udp(struct sock *s, mr_sock h);
mr_sock sock_conn_handle(const struct sock *s, const struct tcp_conn *c);

static inline struct ip_addr sock_ip(const struct mr_addr *a)
{
    struct ip_addr ip;
    memcpy(&ip, a->ip, sizeof(ip));
    return ip;
}
static inline bool sock_family_ok(const struct ip_addr *a)
{
    return ip_is_any(a) || ip_is_v4(a);
}
static inline void sock_addr_fill(struct mr_addr *out, const struct ip_addr *ip, uint16_t port)
{
    memcpy(out->ip, ip, sizeof(out->ip));
    out->port = port;
}
