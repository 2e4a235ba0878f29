/* packet: a packet line to bytes, bytes to a packet line, and two lines compared. */
#pragma once

#include <stdio.h>

#include "flow_map.h"

#define IP_PACKET_MAX 65535u

/* Bytes of an IP packet for p, in numbers of the wire; returns the length.  out has room for
 * IP_PACKET_MAX bytes. */
uint32_t packet_build(const struct pkt_spec *p, const struct flow_map *f, uint8_t *out);

/* What is on the wire, in numbers of the wire: flow addresses, and all members of pkt_spec.  False
 * and why[] if it is not a packet that a correct host sends (lengths, checksums, padding). */
struct observed {
    struct pkt_spec spec;
    uint32_t src, dst;
    uint16_t sport, dport;
    const uint8_t *payload; /* in the bytes given */
    uint32_t payload_len;
};
bool packet_observe(const uint8_t *b, uint32_t n, struct observed *o, char *why, size_t whylen);

/* Turn the numbers of the wire into the script's. */
void packet_to_script(struct observed *o, const struct flow_map *f);
/* Learn what the flow does not know yet from o, which the script calls p.  Numbers of the wire.
 * True if it is a SYN of ours that begins a connection. */
bool packet_learn(struct flow_map *f, const struct observed *o, const struct pkt_spec *p);

/* Whether o, in the script's numbers, is what p expects; else why. */
bool packet_match(const struct pkt_spec *p, const struct observed *o, uint32_t ts_tolerance,
                  char *why, size_t whylen);

/* As a script would write it. */
void packet_print(char *out, size_t n, const struct pkt_spec *p);
