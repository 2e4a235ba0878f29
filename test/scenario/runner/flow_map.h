/* flow_map: a script's numbers against those on the wire.
 *
 * THEORY OF OPERATION
 *
 * Scripts count sequence numbers from 0 on both sides.  On the wire the stack's numbers begin at
 * its ISN, learnt from its SYN, and the peer's at an offset of the runner's choosing: near the
 * wrap, so that every script crosses it.  The stack's timestamps are counted from the value that
 * the script gives the first one.
 *
 * Every payload byte is a function of its side and its distance from the SYN, so that whoever gets
 * it can tell whether it is the right one. */
#pragma once

#include "script.h"

#define FLOWS_MAX 64

struct flow_map {
    enum spec_proto proto;
    uint32_t local_ip, remote_ip; /* host order */
    uint16_t lport, rport;
    bool has_local;      /* local_off is known */
    bool may_relearn;    /* the next SYN of ours may begin anew */
    uint32_t local_off;  /* on the wire = in the script + offset */
    uint32_t remote_off;
    uint32_t local_isn, remote_isn; /* in the script */
    uint32_t isn_wire;              /* the stack's, as it was sent */
    bool has_ts;
    uint32_t ts_off;
};

struct flow_maps {
    struct flow_map maps[FLOWS_MAX];
    int n;
    struct flow_map *tcp, *udp; /* what a packet without ports belongs to; NULL: none yet */
    uint32_t local_ip, remote_ip, remote_off;
};

enum side { SIDE_LOCAL, SIDE_REMOTE };

/* Byte `at` of a side's stream; byte 0 follows the SYN. */
uint8_t oracle(enum side s, uint32_t at);
void oracle_fill(uint8_t *out, uint32_t n, enum side s, uint32_t at);
/* The offset of the first wrong byte, or n. */
uint32_t oracle_check(const uint8_t *in, uint32_t n, enum side s, uint32_t at);

/* The flow of these addresses, made if it is new; NULL: too many. */
struct flow_map *flow_get(struct flow_maps *f, enum spec_proto proto, uint32_t local_ip,
                          uint16_t lport, uint32_t remote_ip, uint16_t rport);
/* The flow that a packet line means: the current one, changed by its attributes. */
struct flow_map *flow_of_spec(struct flow_maps *f, const struct pkt_spec *p, bool outgoing);
