/* OpenFlow 1.0's actions.  OpenFlow 1.0.0, 5.2.4. */
#include "ofp/of_int.h"

enum {
    A10_OUTPUT,
    A10_SET_VLAN_VID,
    A10_SET_VLAN_PCP,
    A10_STRIP_VLAN,
    A10_SET_DL_SRC,
    A10_SET_DL_DST,
    A10_SET_NW_SRC,
    A10_SET_NW_DST,
    A10_SET_NW_TOS,
    A10_SET_TP_SRC,
    A10_SET_TP_DST,
    A10_ENQUEUE,
    A10_TYPES,
    A10_VENDOR = 0xffff,
};

static const uint8_t lengths[A10_TYPES] = {8, 8, 8, 8, 16, 16, 8, 8, 8, 8, 8, 16};

static enum ofp_field tp_field(uint8_t proto, bool dst)
{
    if (proto == 17)
        return dst ? OFPF_UDP_DST : OFPF_UDP_SRC;
    if (proto == 132)
        return dst ? OFPF_SCTP_DST : OFPF_SCTP_SRC;
    return dst ? OFPF_TCP_DST : OFPF_TCP_SRC;
}

static void parse_set(const uint8_t *p, unsigned type, uint8_t proto, struct ofp_tlv *t)
{
    switch (type) {
    case A10_SET_VLAN_VID:
        ofp_tlv_set_u64(t, OFPF_VLAN_VID, OFP_VLAN_PRESENT | (load_be16(p + 4) & 0xfffu));
        break;
    case A10_SET_VLAN_PCP:
        ofp_tlv_set_u64(t, OFPF_VLAN_PCP, p[4] & 7u);
        break;
    case A10_SET_DL_SRC:
    case A10_SET_DL_DST:
        ofp_tlv_set(t, type == A10_SET_DL_SRC ? OFPF_ETH_SRC : OFPF_ETH_DST, p + 4, NULL);
        break;
    case A10_SET_NW_SRC:
    case A10_SET_NW_DST:
        ofp_tlv_set(t, type == A10_SET_NW_SRC ? OFPF_IPV4_SRC : OFPF_IPV4_DST, p + 4, NULL);
        break;
    case A10_SET_NW_TOS:
        ofp_tlv_set_u64(t, OFPF_IP_DSCP, p[4] >> 2);
        break;
    default:
        ofp_tlv_set(t, tp_field(proto, type == A10_SET_TP_DST), p + 4, NULL);
        break;
    }
}

static void parse_vendor(const uint8_t *p, size_t len, struct ofp_action *a)
{
    a->type = OFPA_EXPERIMENTER;
    a->id = load_be32(p + 4);
    a->raw = p + 8;
    a->raw_len = (uint16_t)(len - 8);
}

/* One action whose length is proven. */
static enum ofp_err parse_one(const uint8_t *p, size_t len, uint8_t proto, struct ofp_action *a)
{
    unsigned type = load_be16(p);

    *a = (struct ofp_action){0};
    if (type == A10_VENDOR) {
        parse_vendor(p, len, a);
        return OFP_OK;
    }
    if (type >= A10_TYPES || len != lengths[type])
        return OFP_BAD_ACTION;
    switch (type) {
    case A10_OUTPUT:
        a->type = OFPA_OUTPUT;
        a->port = ofp10_port(load_be16(p + 4));
        a->max_len = load_be16(p + 6);
        break;
    case A10_ENQUEUE:
        a->type = OFPA_SET_QUEUE;
        a->port = ofp10_port(load_be16(p + 4));
        a->id = load_be32(p + 12);
        break;
    case A10_STRIP_VLAN:
        a->type = OFPA_POP_VLAN;
        break;
    default:
        a->type = OFPA_SET_FIELD;
        parse_set(p, type, proto, &a->field);
        break;
    }
    return OFP_OK;
}

enum ofp_err ofp10_parse_actions(const uint8_t *p, size_t n, uint8_t proto, struct ofp_actions *out)
{
    out->n = 0;
    for (size_t at = 0, len; at < n; at += len) {
        if (n - at < 8)
            return OFP_BAD_ACTION;
        len = load_be16(p + at + 2);
        if (len < 8 || len % 8 != 0 || len > n - at)
            return OFP_BAD_ACTION;
        if (out->n == OFP_ACTIONS_MAX)
            return OFP_TOO_MANY;
        enum ofp_err e = parse_one(p + at, len, proto, &out->a[out->n]);
        if (e != OFP_OK)
            return e;
        out->n++;
    }
    return OFP_OK;
}

/* ---- writing -------------------------------------------------------------------------- */

static uint8_t *put(struct ofp_out *o, unsigned type)
{
    uint8_t *p = out_take(o, lengths[type]);

    if (p == NULL)
        return NULL;
    store_be16(p, (uint16_t)type);
    store_be16(p + 2, lengths[type]);
    return p;
}

/* The action that sets a field; A10_TYPES: none does. */
static unsigned set_type(const struct ofp_tlv *t)
{
    switch ((int)t->field) {
    case OFPF_ETH_SRC:
        return A10_SET_DL_SRC;
    case OFPF_ETH_DST:
        return A10_SET_DL_DST;
    case OFPF_VLAN_VID:
        return (t->value[0] & OFP_VLAN_PRESENT >> 8) != 0 ? A10_SET_VLAN_VID : A10_TYPES;
    case OFPF_VLAN_PCP:
        return A10_SET_VLAN_PCP;
    case OFPF_IPV4_SRC:
        return A10_SET_NW_SRC;
    case OFPF_IPV4_DST:
        return A10_SET_NW_DST;
    case OFPF_IP_DSCP:
        return A10_SET_NW_TOS;
    case OFPF_TCP_SRC:
    case OFPF_UDP_SRC:
    case OFPF_SCTP_SRC:
        return A10_SET_TP_SRC;
    case OFPF_TCP_DST:
    case OFPF_UDP_DST:
    case OFPF_SCTP_DST:
        return A10_SET_TP_DST;
    default:
        return A10_TYPES;
    }
}

static bool emit_set(struct ofp_out *o, const struct ofp_tlv *t)
{
    unsigned type = set_type(t);
    uint8_t *p = type == A10_TYPES || t->masked ? NULL : put(o, type);

    if (p == NULL)
        return false;
    if (type == A10_SET_VLAN_VID)
        store_be16(p + 4, load_be16(t->value) & 0xfff);
    else if (type == A10_SET_NW_TOS)
        p[4] = (uint8_t)(t->value[0] << 2);
    else
        memcpy(p + 4, t->value, ofp_field_info((enum ofp_field)t->field)->bytes);
    return true;
}

static bool emit_vendor(struct ofp_out *o, const struct ofp_action *a)
{
    uint8_t *p = a->raw_len % 8 != 0 ? NULL : out_take(o, 8);

    if (p == NULL)
        return false;
    store_be16(p, A10_VENDOR);
    store_be16(p + 2, (uint16_t)(8 + a->raw_len));
    store_be32(p + 4, a->id);
    out_bytes(o, a->raw, a->raw_len);
    return true;
}

static bool emit_port(struct ofp_out *o, const struct ofp_action *a)
{
    bool queue = a->type == OFPA_SET_QUEUE;
    uint8_t *p = put(o, queue ? A10_ENQUEUE : A10_OUTPUT);

    if (p == NULL)
        return false;
    if (queue)
        store_be32(p + 12, a->id);
    else
        store_be16(p + 6, a->max_len);
    return ofp10_port_emit(p + 4, a->port) && (!queue || a->port != 0);
}

static bool emit_one(struct ofp_out *o, const struct ofp_action *a)
{
    switch (a->type) {
    case OFPA_OUTPUT:
    case OFPA_SET_QUEUE:
        return emit_port(o, a);
    case OFPA_SET_FIELD:
        return emit_set(o, &a->field);
    case OFPA_POP_VLAN:
        return put(o, A10_STRIP_VLAN) != NULL;
    case OFPA_EXPERIMENTER:
        return emit_vendor(o, a);
    case OFPA_GROUP:
    case OFPA_PUSH_VLAN:
    case OFPA_PUSH_MPLS:
    case OFPA_POP_MPLS:
    case OFPA_PUSH_PBB:
    case OFPA_POP_PBB:
    case OFPA_SET_MPLS_TTL:
    case OFPA_DEC_MPLS_TTL:
    case OFPA_SET_NW_TTL:
    case OFPA_DEC_NW_TTL:
    case OFPA_COPY_TTL_OUT:
    case OFPA_COPY_TTL_IN:
    case OFPA_TYPES:
        break;
    }
    return false;
}

void ofp10_emit_actions(struct ofp_out *o, const struct ofp_actions *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        o->bad |= !emit_one(o, &a->a[i]);
}
