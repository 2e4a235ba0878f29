/* Is an answer the right one? */
#include <string.h>

#include "tools/ofload.h"

/* Offsets in a FLOW_MOD: the match begins at 8. */
enum {
    FM_WILDCARDS = 8,
    FM_IN_PORT = 12,
    FM_SRC = 14,
    FM_DST = 20,
    FM_VLAN = 26,
    FM_PCP = 28,
    FM_ETHERTYPE = 30,
    FM_TOS = 32,
    FM_PROTO = 33,
    FM_NW_SRC = 36,
    FM_NW_DST = 40,
    FM_COMMAND = 56,
    FM_BUFFER = 64,
    FM_ACTIONS = 72,
};

enum {
    W_IN_PORT = 1 << 0,
    W_VLAN = 1 << 1,
    W_SRC = 1 << 2,
    W_DST = 1 << 3,
    W_ETHERTYPE = 1 << 4,
    W_PROTO = 1 << 5,
    W_NW_SRC_SHIFT = 8,
    W_NW_DST_SHIFT = 14,
    W_PCP = 1 << 20,
    W_TOS = 1 << 21,
};

#define TIME_MASK ((UINT64_C(1) << 40) - 1)
#define FRAME 18u /* where it begins in ofl_probes.frame */

/* A wildcard of so many low bits; 32 and more: all. */
static bool address_holds(const uint8_t *have, const uint8_t *want, uint32_t bits)
{
    return bits >= 32 || (load_be32(have) ^ load_be32(want)) >> bits == 0;
}

static bool source_is(const struct ofl_probes *p, const uint8_t *mac, uint64_t sent)
{
    uint32_t host = (uint32_t)(sent >> 40) & (OFL_HOSTS_MAX - 1), have;

    memcpy(&have, mac + 1, 4);
    return mac[0] == 0 && mac[5] == p->mac_low && have == (host | (uint32_t)p->mac_high << 24);
}

/* Every field that the flow names must be the packet's, and the destination must be named: a flow
 * without it sends all to one host. */
static bool match_holds(const struct ofl_probes *p, const uint8_t *msg, uint64_t sent)
{
    uint32_t w = load_be32(msg + FM_WILDCARDS);
    const uint8_t *frame = p->frame + FRAME, *ip = frame + 14;

    return (w & W_DST) == 0 && memcmp(msg + FM_DST, frame, 6) == 0 &&
           ((w & W_SRC) != 0 || source_is(p, msg + FM_SRC, sent)) &&
           ((w & W_IN_PORT) != 0 || load_be16(msg + FM_IN_PORT) == OFL_HOST_PORT) &&
           ((w & W_VLAN) != 0 || load_be16(msg + FM_VLAN) == 0xffff) &&
           ((w & W_PCP) != 0 || msg[FM_PCP] == 0) &&
           ((w & W_ETHERTYPE) != 0 || load_be16(msg + FM_ETHERTYPE) == 0x0800) &&
           ((w & W_TOS) != 0 || msg[FM_TOS] == 0) &&
           ((w & W_PROTO) != 0 || msg[FM_PROTO] == ip[9]) &&
           address_holds(msg + FM_NW_SRC, ip + 12, w >> W_NW_SRC_SHIFT & 63) &&
           address_holds(msg + FM_NW_DST, ip + 16, w >> W_NW_DST_SHIFT & 63);
}

/* Where a list of actions sends the packet: one output, and to the right port. */
static enum ofl_verdict judge_actions(const uint8_t *a, size_t n)
{
    unsigned outputs = 0;
    uint16_t port = 0;

    while (n > 0) {
        size_t len = n < 8 ? 0 : load_be16(a + 2);
        if (len < 8 || len % 8 != 0 || len > n)
            return OFL_BAD_FORM;
        if (load_be16(a) == 0) {
            port = load_be16(a + 4);
            outputs++;
        }
        a += len;
        n -= len;
    }
    if (outputs == 1 && (port == OFP_FLOOD || port == OFP_ALL))
        return OFL_FLOODED;
    return outputs == 1 && port == OFL_TOLD_PORT ? OFL_RIGHT : OFL_BAD_PORT;
}

/* The packet-in of a buffer id is answered.  OFL_RIGHT, or why it is not one that waits. */
static enum ofl_verdict answered(struct ofl_probes *p, uint32_t id, uint64_t *sent)
{
    if (id == 0 || id > p->buffers || p->sent[id] == 0)
        return OFL_BAD_UNKNOWN;
    *sent = p->sent[id];
    if ((int64_t)*sent >= 0)
        return OFL_BAD_DUPLICATE;
    p->sent[id] &= INT64_MAX;
    p->in_flight -= p->in_flight > 0;
    return OFL_RIGHT;
}

static void keep(struct ofl_judge *j, const uint8_t *msg)
{
    memcpy(j->last, msg, sizeof(j->last));
    j->has_src = (load_be32(msg + FM_WILDCARDS) & W_SRC) == 0;
    j->any = true;
}

static enum ofl_verdict judge_flow_mod(struct ofl_judge *j, struct ofl_probes *p,
                                       const uint8_t *msg, size_t n, uint64_t *sent)
{
    uint32_t id = load_be32(msg + FM_BUFFER);
    uint16_t command = load_be16(msg + FM_COMMAND);
    enum ofl_verdict v;

    if (id == OFL_NO_BUFFER || (command != OFC_ADD && command != OFC_MODIFY_STRICT))
        return OFL_NO_ANSWER;
    v = answered(p, id, sent);
    if (v != OFL_RIGHT)
        return v;
    v = judge_actions(msg + FM_ACTIONS, n - FM_ACTIONS);
    if (v == OFL_BAD_FORM)
        return v;
    if (!match_holds(p, msg, *sent))
        return OFL_BAD_MATCH;
    if (v == OFL_RIGHT && n == sizeof(j->last))
        keep(j, msg);
    return v;
}

/* Any ethertype but LLDP's; a packet-out of a buffered packet has no frame. */
static bool is_lldp(const uint8_t *msg, size_t n)
{
    size_t frame = OFL_PACKET_OUT_MIN + load_be16(msg + 14);

    return n >= frame + 14 && load_be16(msg + frame + 12) == 0x88cc;
}

static enum ofl_verdict judge_packet_out(struct ofl_probes *p, const uint8_t *msg, size_t n,
                                         uint64_t *sent)
{
    size_t actions = load_be16(msg + 14);
    enum ofl_verdict v;

    if (actions > n - OFL_PACKET_OUT_MIN)
        return OFL_BAD_FORM;
    if (load_be32(msg + 8) == OFL_NO_BUFFER)
        return OFL_NO_ANSWER;
    v = answered(p, load_be32(msg + 8), sent);
    return v == OFL_RIGHT ? judge_actions(msg + OFL_PACKET_OUT_MIN, actions) : v;
}

/* Nearly every answer is the last one again, but for the transaction, the source, the cookie and
 * the buffer: a bit of `same` is set where nothing may differ. */
static inline bool is_last_again(const struct ofl_judge *j, const uint8_t *msg)
{
    static const uint8_t same[sizeof(j->last)] = {
        255, 255, 255, 255, 0,   0,   0,   0,   255, 255, 255, 255, 255, 255, 0,   0,
        0,   0,   0,   0,   255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        0,   0,   0,   0,   0,   0,   0,   0,   255, 255, 255, 255, 255, 255, 255, 255,
        0,   0,   0,   0,   255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };
    typedef uint64_t words __attribute__((vector_size(16)));
    words differs = {0, 0};

    for (unsigned i = 0; i < sizeof(j->last); i += sizeof(words)) {
        words a, b, mask;
        memcpy(&a, msg + i, sizeof(a));
        memcpy(&b, j->last + i, sizeof(b));
        memcpy(&mask, same + i, sizeof(mask));
        differs |= (a ^ b) & mask;
    }
    return (differs[0] | differs[1]) == 0;
}

uint32_t ofl_judge_run(const struct ofl_judge *j, struct ofl_probes *p, const uint8_t *msg,
                       size_t n, uint64_t *sent_ns)
{
    uint64_t first = 0, *sent = p->sent, buffers = p->buffers;
    uint32_t count = 0;

    if (!j->any || sent == NULL)
        return 0;
    for (; n >= sizeof(j->last) && is_last_again(j, msg); n -= sizeof(j->last)) {
        uint32_t id = load_be32(msg + FM_BUFFER);
        uint64_t e;
        if (id - 1u >= buffers)
            break;
        e = sent[id];
        if (count == 0)
            first = e;
        if ((int64_t)e >= 0 || ((e ^ first) & TIME_MASK) != 0 ||
            (j->has_src && !source_is(p, msg + FM_SRC, e)))
            break;
        sent[id] = e & INT64_MAX;
        msg += sizeof(j->last);
        count++;
    }
    p->in_flight -= min_u32(p->in_flight, count);
    *sent_ns = first & TIME_MASK;
    return count;
}

enum ofl_verdict ofl_judge(struct ofl_judge *j, struct ofl_probes *p, const uint8_t *msg, size_t n,
                           uint64_t *sent_ns)
{
    uint64_t sent = 0;
    enum ofl_verdict v;

    if (n < (msg[1] == OFT_FLOW_MOD ? OFL_FLOW_MOD_MIN : OFL_PACKET_OUT_MIN)) {
        return OFL_BAD_FORM;
    } else if (msg[1] == OFT_FLOW_MOD) {
        v = judge_flow_mod(j, p, msg, n, &sent);
    } else {
        v = judge_packet_out(p, msg, n, &sent);
    }
    *sent_ns = sent & TIME_MASK;
    return v;
}

bool ofl_cbench_counts(const uint8_t *msg, size_t n)
{
    if (msg[1] == OFT_FLOW_MOD)
        return n >= OFL_FLOW_MOD_MIN && (load_be16(msg + FM_COMMAND) == OFC_ADD ||
                                         load_be16(msg + FM_COMMAND) == OFC_MODIFY_STRICT);
    return n >= OFL_PACKET_OUT_MIN && !is_lldp(msg, n);
}
