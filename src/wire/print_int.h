/* The printers' pieces: each adds its words to f, from bytes that may be anything. */
#pragma once

#include "base/fmt.h"
#include "wire/wire.h"

/* What stands behind an IPv4 header that was parsed, n bytes at b. */
void tcp_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n);
void udp_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n);
void icmp_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n);

/* "a > b: ", and the same with ports. */
void addrs_print(struct fmt *f, const struct ipv4_hdr *ip);
void ports_print(struct fmt *f, const struct ipv4_hdr *ip, unsigned sport, unsigned dport);
