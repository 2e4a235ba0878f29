/* The two messages of the hot path, inline: what a packet-in says, and the flow that answers it.
 *
 * Both are the plain codecs' results by a shorter way (test_ofp_fast compares them); what they do
 * not cover goes through ofp.h.  POF has no such way.
 * Thread: any; a template is read only after ofp_fast_flow_init. */
#pragma once

#include "ofp/ofp.h"

struct ofp_fast_in {
    uint32_t buffer_id, in_port;
    const uint8_t *frame; /* borrowed from the message */
    uint32_t len;
};

/* A PACKET_IN behind ofp_frame.  false: not in its usual shape, use ofp_parse_packet_in. */
static inline bool ofp_fast_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                      struct ofp_fast_in *out)
{
    const uint8_t *p = m->p;

    out->buffer_id = load_be32(p + 8);
    if (likely(d == OFP_10)) {
        uint16_t port = load_be16(p + 14);
        out->in_port = port >= 0xff00 ? 0xffff0000u | port : port;
        out->frame = p + 18;
        out->len = m->len - 18u;
        return true;
    }
    /* 1.3: a match of the in_port alone, as every switch writes it without metadata. */
    if (d != OFP_13 || m->len < 42 || load_be32(p + 24) != 0x0001000c ||
        load_be32(p + 28) != 0x80000004)
        return false;
    out->in_port = load_be32(p + 32);
    out->frame = p + 42;
    out->len = m->len - 42u;
    return true;
}

/* ---- the learning FLOW_MOD ------------------------------------------------------------ */

enum {
    OFP_FAST_MAX = 112,         /* bytes an emitter may write */
    OFP_FAST_ANY_VLAN = 0xffff, /* the VLAN is not matched */
};

/* ADD of in_port + eth_dst + eth_src [+ vlan_vid] -> output: the whole message but for what differs
 * from flow to flow, without and with a VLAN. */
struct ofp_fast_flow {
    enum ofp_dialect dialect;
    uint16_t len[2];
    uint8_t bytes[2][OFP_FAST_MAX];
};

/* like: table, priority, timeouts, flags and cookie are taken from it, its match and actions are
 * not.  false: the dialect has no such message. */
bool ofp_fast_flow_init(struct ofp_fast_flow *t, enum ofp_dialect d, const struct ofp_flow *like);

static inline uint64_t ofp_fast_load(const void *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}
static inline void ofp_fast_store(void *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

/* Words are little-endian: what stands first in the message is lowest.  The frame begins with
 * the destination (6 bytes) and the source (6). */
static inline size_t ofp_fast_flow_mod10(const struct ofp_fast_flow *t, uint8_t *b, uint32_t xid,
                                         uint32_t buffer_id, uint32_t in_port, const uint8_t *frame,
                                         uint16_t vlan, uint32_t out_port)
{
    bool tagged = vlan != OFP_FAST_ANY_VLAN;
    const uint8_t *from = t->bytes[tagged];
    uint64_t a = ofp_fast_load(frame);     /* dst0-5 src0-1 */
    uint64_t c = ofp_fast_load(frame + 4); /* dst4-5 src0-5 */
    uint64_t vid = tagged ? vlan == 0 ? 0xffffu : be16_of(vlan & 0xfffu).raw : 0;

    memcpy(b, from, 80);
    store_be32(b + 4, xid);
    ofp_fast_store(b + 8, (ofp_fast_load(from + 8) & 0xffffffffu) |
                              (uint64_t)be16_of((uint16_t)in_port).raw << 32 | (a >> 48) << 48);
    ofp_fast_store(b + 16, c >> 32 | a << 32);
    ofp_fast_store(b + 24, (a >> 32 & 0xffff) | vid << 16);
    store_be32(b + 64, buffer_id);
    store_be16(b + 76, (uint16_t)out_port);
    return 80;
}

static inline size_t ofp_fast_flow_mod13(const struct ofp_fast_flow *t, uint8_t *b, uint32_t xid,
                                         uint32_t buffer_id, uint32_t in_port, const uint8_t *frame,
                                         uint16_t vlan, uint32_t out_port)
{
    bool tagged = vlan != OFP_FAST_ANY_VLAN;
    const uint8_t *from = t->bytes[tagged];
    uint64_t a = ofp_fast_load(frame);     /* dst0-5 src0-1 */
    uint64_t c = ofp_fast_load(frame + 4); /* dst4-5 src0-5 */

    memcpy(b, from, OFP_FAST_MAX);
    store_be32(b + 4, xid);
    store_be32(b + 32, buffer_id);
    store_be32(b + 56, in_port);
    /* 64: dst0-5 and the first half of eth_src's OXM header, 0x80000806. */
    ofp_fast_store(b + 64, (a & 0xffffffffffffu) | 0x0080ull << 48);
    ofp_fast_store(b + 72, (c & ~0xffffull) | 0x0608);
    if (tagged)
        store_be16(b + 84, vlan);
    store_be32(b + (tagged ? 100 : 92), out_port);
    return t->len[tagged];
}

/* Writes at most OFP_FAST_MAX bytes at b, which must be there; reads 12 bytes of the frame.  vlan:
 * a neutral vlan_vid (0: no tag; OFP_VLAN_PRESENT | id) or OFP_FAST_ANY_VLAN. */
static inline size_t ofp_fast_flow_mod(const struct ofp_fast_flow *t, uint8_t *b, uint32_t xid,
                                       uint32_t buffer_id, uint32_t in_port, const uint8_t *frame,
                                       uint16_t vlan, uint32_t out_port)
{
    if (likely(t->dialect == OFP_10))
        return ofp_fast_flow_mod10(t, b, xid, buffer_id, in_port, frame, vlan, out_port);
    return ofp_fast_flow_mod13(t, b, xid, buffer_id, in_port, frame, vlan, out_port);
}
