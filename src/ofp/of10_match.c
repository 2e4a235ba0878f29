/* OpenFlow 1.0's match: 40 bytes and a word of wildcards.  OpenFlow 1.0.0, 5.2.3.
 *
 *      0 wildcards  4 in_port  6 dl_src  12 dl_dst  18 dl_vlan  20 pcp  22 dl_type
 *     24 nw_tos    25 nw_proto  28 nw_src  32 nw_dst  36 tp_src  38 tp_dst
 *
 * One layout serves several protocols: nw_src is ARP's sender, tp_src ICMP's type.  What a switch
 * would ignore, because the protocol that gives it a meaning is not matched, is left out. */
#include "ofp/of_int.h"

enum {
    W_IN_PORT = 1 << 0,
    W_DL_VLAN = 1 << 1,
    W_DL_SRC = 1 << 2,
    W_DL_DST = 1 << 3,
    W_DL_TYPE = 1 << 4,
    W_NW_PROTO = 1 << 5,
    W_TP_SRC = 1 << 6,
    W_TP_DST = 1 << 7,
    W_NW_SRC_SHIFT = 8,
    W_NW_DST_SHIFT = 14,
    W_DL_VLAN_PCP = 1 << 20,
    W_NW_TOS = 1 << 21,
    W_ALL = (1 << 22) - 1,
    VLAN_NONE = 0xffff,
    ETH_IP = 0x0800,
    ETH_ARP = 0x0806,
};

/* The fields that hold tp_src and tp_dst of a protocol; OFPF_FIELDS: it has none in 1.0. */
static enum ofp_field tp_field(uint8_t proto, bool dst)
{
    switch (proto) {
    case 1:
        return dst ? OFPF_ICMPV4_CODE : OFPF_ICMPV4_TYPE;
    case 6:
        return dst ? OFPF_TCP_DST : OFPF_TCP_SRC;
    case 17:
        return dst ? OFPF_UDP_DST : OFPF_UDP_SRC;
    case 132:
        return dst ? OFPF_SCTP_DST : OFPF_SCTP_SRC;
    default:
        return OFPF_FIELDS;
    }
}

static void parse_vlan(const uint8_t *p, uint32_t w, struct ofp_match *m)
{
    uint16_t vlan = load_be16(p + 18);

    if ((w & W_DL_VLAN) == 0)
        ofp_match_set_u64(m, OFPF_VLAN_VID,
                          vlan == VLAN_NONE ? 0 : OFP_VLAN_PRESENT | (vlan & 0xfffu));
    if ((w & W_DL_VLAN_PCP) == 0 && ((w & W_DL_VLAN) != 0 || vlan != VLAN_NONE))
        ofp_match_set_u64(m, OFPF_VLAN_PCP, p[20] & 7u);
}

static void parse_address(struct ofp_match *m, enum ofp_field f, const uint8_t *p, unsigned wild)
{
    uint8_t value[4], mask[4];

    if (wild >= 32)
        return;
    uint32_t bits = UINT32_MAX << wild;
    store_be32(mask, bits);
    store_be32(value, load_be32(p) & bits);
    ofp_match_set(m, f, value, wild == 0 ? NULL : mask);
}

static void parse_transport(const uint8_t *p, uint32_t w, struct ofp_match *m)
{
    for (unsigned dst = 0; dst < 2; dst++) {
        enum ofp_field f = tp_field(p[25], dst != 0);
        if (f == OFPF_FIELDS || (w & (unsigned)W_TP_SRC << dst) != 0)
            continue;
        uint16_t v = load_be16(p + 36 + 2 * dst);
        ofp_match_set_u64(m, f, p[25] == 1 ? v & 0xffu : v);
    }
}

static void parse_network(const uint8_t *p, uint32_t w, struct ofp_match *m)
{
    uint16_t type = load_be16(p + 22);
    bool arp = type == ETH_ARP;

    if ((w & W_DL_TYPE) != 0 || (type != ETH_IP && !arp))
        return;
    if ((w & W_NW_TOS) == 0 && !arp)
        ofp_match_set_u64(m, OFPF_IP_DSCP, p[24] >> 2);
    if ((w & W_NW_PROTO) == 0)
        ofp_match_set_u64(m, arp ? OFPF_ARP_OP : OFPF_IP_PROTO, p[25]);
    parse_address(m, arp ? OFPF_ARP_SPA : OFPF_IPV4_SRC, p + 28, w >> W_NW_SRC_SHIFT & 63);
    parse_address(m, arp ? OFPF_ARP_TPA : OFPF_IPV4_DST, p + 32, w >> W_NW_DST_SHIFT & 63);
    if ((w & W_NW_PROTO) == 0 && !arp)
        parse_transport(p, w, m);
}

void ofp10_parse_match(const uint8_t *p, struct ofp_match *m)
{
    uint32_t w = load_be32(p);

    m->n = 0;
    m->others = 0;
    if ((w & W_IN_PORT) == 0)
        ofp_match_set_u64(m, OFPF_IN_PORT, ofp10_port(load_be16(p + 4)));
    if ((w & W_DL_DST) == 0)
        ofp_match_set(m, OFPF_ETH_DST, p + 12, NULL);
    if ((w & W_DL_SRC) == 0)
        ofp_match_set(m, OFPF_ETH_SRC, p + 6, NULL);
    if ((w & W_DL_TYPE) == 0)
        ofp_match_set_u64(m, OFPF_ETH_TYPE, load_be16(p + 22));
    parse_vlan(p, w, m);
    parse_network(p, w, m);
}

/* ---- writing -------------------------------------------------------------------------- */

/* Wildcard bits of an address; 64: its mask is no prefix. */
static unsigned wild_bits(const struct ofp_tlv *t)
{
    uint32_t mask = t->masked ? load_be32(t->mask) : UINT32_MAX;
    unsigned wild = mask == 0 ? 32 : (unsigned)__builtin_ctz(mask);

    return wild == 32 || mask == UINT32_MAX << wild ? wild : 64;
}

static bool emit_address(uint8_t *p, const struct ofp_tlv *t, bool dst, uint32_t *w)
{
    unsigned shift = dst ? W_NW_DST_SHIFT : W_NW_SRC_SHIFT, wild = wild_bits(t);

    memcpy(p + (dst ? 32 : 28), t->value, 4);
    *w = (*w & ~(63u << shift)) | wild << shift;
    return wild <= 32;
}

static bool emit_tp(uint8_t *p, const struct ofp_match *m, const struct ofp_tlv *t, uint32_t *w)
{
    const struct ofp_tlv *proto = ofp_match_find(m, OFPF_IP_PROTO);

    for (unsigned dst = 0; proto != NULL && dst < 2; dst++) {
        if (tp_field(proto->value[0], dst != 0) != (enum ofp_field)t->field)
            continue;
        store_be16(p + 36 + 2 * dst, (uint16_t)ofp_tlv_u64(t));
        *w &= ~((unsigned)W_TP_SRC << dst);
        return true;
    }
    return false;
}

static bool has_type(const struct ofp_match *m, uint16_t type)
{
    const struct ofp_tlv *t = ofp_match_find(m, OFPF_ETH_TYPE);

    return t != NULL && ofp_tlv_u64(t) == type;
}

/* Fields that mean something only beside another one. */
static bool emit_network(uint8_t *p, const struct ofp_match *m, const struct ofp_tlv *t,
                         uint32_t *w)
{
    bool ip = has_type(m, ETH_IP), arp = has_type(m, ETH_ARP);
    uint64_t v = ofp_field_info((enum ofp_field)t->field)->bytes <= 8 ? ofp_tlv_u64(t) : 0;

    switch ((int)t->field) {
    case OFPF_IP_DSCP:
        p[24] = (uint8_t)(v << 2);
        *w &= ~(uint32_t)W_NW_TOS;
        return ip;
    case OFPF_IP_PROTO:
    case OFPF_ARP_OP:
        p[25] = (uint8_t)v;
        *w &= ~(uint32_t)W_NW_PROTO;
        return (t->field == OFPF_IP_PROTO ? ip : arp) && v <= 0xff;
    case OFPF_IPV4_SRC:
    case OFPF_IPV4_DST:
        return ip && emit_address(p, t, t->field == OFPF_IPV4_DST, w);
    case OFPF_ARP_SPA:
    case OFPF_ARP_TPA:
        return arp && emit_address(p, t, t->field == OFPF_ARP_TPA, w);
    default:
        return ip && emit_tp(p, m, t, w);
    }
}

static bool emit_vlan(uint8_t *p, const struct ofp_tlv *t, uint32_t *w)
{
    uint16_t v = load_be16(t->value);

    store_be16(p + 18, v == 0 ? VLAN_NONE : v & 0xfff);
    *w &= ~(uint32_t)W_DL_VLAN;
    return v == 0 || (v & OFP_VLAN_PRESENT) != 0;
}

static bool emit_field(uint8_t *p, const struct ofp_match *m, const struct ofp_tlv *t, uint32_t *w)
{
    const struct ofp_tlv *vid;

    if (t->masked)
        return emit_network(p, m, t, w) &&
               (t->field == OFPF_IPV4_SRC || t->field == OFPF_IPV4_DST ||
                t->field == OFPF_ARP_SPA || t->field == OFPF_ARP_TPA);
    switch ((int)t->field) {
    case OFPF_IN_PORT:
        *w &= ~(uint32_t)W_IN_PORT;
        return ofp10_port_emit(p + 4, load_be32(t->value));
    case OFPF_ETH_DST:
        memcpy(p + 12, t->value, 6);
        *w &= ~(uint32_t)W_DL_DST;
        return true;
    case OFPF_ETH_SRC:
        memcpy(p + 6, t->value, 6);
        *w &= ~(uint32_t)W_DL_SRC;
        return true;
    case OFPF_ETH_TYPE:
        memcpy(p + 22, t->value, 2);
        *w &= ~(uint32_t)W_DL_TYPE;
        return true;
    case OFPF_VLAN_VID:
        return emit_vlan(p, t, w);
    case OFPF_VLAN_PCP:
        vid = ofp_match_find(m, OFPF_VLAN_VID);
        p[20] = t->value[0];
        *w &= ~(uint32_t)W_DL_VLAN_PCP;
        return vid == NULL || ofp_tlv_u64(vid) != 0;
    default:
        return emit_network(p, m, t, w);
    }
}

bool ofp10_emit_match(uint8_t *p, const struct ofp_match *m)
{
    uint32_t w = W_ALL & ~(63u << W_NW_SRC_SHIFT) & ~(63u << W_NW_DST_SHIFT);
    bool ok = true;

    w |= 32u << W_NW_SRC_SHIFT | 32u << W_NW_DST_SHIFT;
    memset(p, 0, 40);
    for (uint32_t i = 0; ok && i < m->n; i++)
        ok = emit_field(p, m, &m->f[i], &w);
    store_be32(p, w);
    return ok;
}
