/* Random things that OpenFlow can say, from a seed: valid ones, with their prerequisites. */
#pragma once

#include "base/rng.h"
#include "ofp/ofp.h"

static inline uint64_t rnd_bits(struct rng *r, unsigned bits)
{
    return bits >= 64 ? rng_u64(r) : rng_u64(r) & ((1ull << bits) - 1);
}

static inline uint32_t rnd_port(struct rng *r)
{
    return rng_chance(r, 1, 8) ? OFPP_LOCAL : 1 + rng_below(r, 0xfeff);
}

static inline void rnd_bytes(struct rng *r, uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_u32(r);
}

/* A random value of a field; masked if it may be and `prefix` or the dice say so. */
static inline void rnd_tlv(struct rng *r, struct ofp_tlv *t, enum ofp_field f, bool masks,
                           bool prefix)
{
    const struct ofp_field_info *i = ofp_field_info(f);
    uint8_t value[OFP_VALUE_MAX], mask[OFP_VALUE_MAX];

    rnd_bytes(r, value, i->bytes);
    for (unsigned k = 0; k < i->bytes * 8u - i->bits; k++)
        value[k / 8] &= (uint8_t) ~(0x80u >> k % 8);
    ofp_tlv_set(t, f, value, NULL);
    if (!masks || !i->maskable || !rng_chance(r, 1, 2) || f == OFPF_VLAN_VID)
        return;
    rnd_bytes(r, mask, i->bytes);
    if (prefix) {
        uint32_t bits = 1 + rng_below(r, i->bits - 1u);
        for (unsigned k = 0; k < i->bits; k++) {
            uint8_t bit = (uint8_t)(0x80u >> k % 8);
            mask[k / 8] = (uint8_t)(k < bits ? mask[k / 8] | bit : mask[k / 8] & ~bit);
        }
    } else {
        mask[i->bytes - 1] |= 1;
        mask[i->bytes - 1] &= 0xfd; /* neither all nor nothing */
        for (unsigned k = 0; k < i->bytes * 8u - i->bits; k++)
            mask[k / 8] &= (uint8_t) ~(0x80u >> k % 8);
    }
    for (unsigned k = 0; k < i->bytes; k++)
        value[k] &= mask[k];
    ofp_tlv_set(t, f, value, mask);
}

static inline void rnd_field(struct rng *r, struct ofp_match *m, enum ofp_dialect d,
                             enum ofp_field f)
{
    bool v10 = d == OFP_10;
    bool address =
        f == OFPF_IPV4_SRC || f == OFPF_IPV4_DST || f == OFPF_ARP_SPA || f == OFPF_ARP_TPA;

    if (rng_chance(r, 1, 2))
        rnd_tlv(r, &m->f[m->n++], f, !v10 || address, v10);
}

static inline void rnd_fields(struct rng *r, struct ofp_match *m, enum ofp_dialect d,
                              enum ofp_field first, enum ofp_field last)
{
    for (unsigned f = first; f <= last; f++)
        rnd_field(r, m, d, (enum ofp_field)f);
}

static inline void rnd_ip(struct rng *r, struct ofp_match *m, enum ofp_dialect d, bool v6)
{
    static const uint8_t protos[] = {6, 17, 132, 1};
    static const enum ofp_field first[] = {OFPF_TCP_SRC, OFPF_UDP_SRC, OFPF_SCTP_SRC,
                                           OFPF_ICMPV4_TYPE, OFPF_ICMPV6_TYPE};
    uint32_t which = rng_below(r, 4);

    rnd_field(r, m, d, OFPF_IP_DSCP);
    if (d != OFP_10)
        rnd_field(r, m, d, OFPF_IP_ECN);
    if (v6)
        rnd_fields(r, m, d, OFPF_IPV6_SRC, OFPF_IPV6_FLABEL);
    else
        rnd_fields(r, m, d, OFPF_IPV4_SRC, OFPF_IPV4_DST);
    if (rng_chance(r, 1, 4))
        return;
    ofp_match_set_u64(m, OFPF_IP_PROTO, v6 && which == 3 ? 58 : protos[which]);
    enum ofp_field f = first[v6 && which == 3 ? 4 : which];
    rnd_fields(r, m, d, f, (enum ofp_field)(f + 1));
}

static inline void rnd_match(struct rng *r, struct ofp_match *m, enum ofp_dialect d)
{
    m->n = m->others = 0;
    if (rng_chance(r, 1, 2))
        ofp_match_set_u64(m, OFPF_IN_PORT, rnd_port(r));
    rnd_fields(r, m, d, OFPF_ETH_DST, OFPF_ETH_SRC);
    if (rng_chance(r, 1, 2)) {
        bool tag = rng_chance(r, 3, 4);
        ofp_match_set_u64(m, OFPF_VLAN_VID, tag ? OFP_VLAN_PRESENT | rnd_bits(r, 12) : 0);
        if (tag)
            rnd_field(r, m, d, OFPF_VLAN_PCP);
    }
    if (d != OFP_10) {
        rnd_field(r, m, d, OFPF_METADATA);
        rnd_field(r, m, d, OFPF_TUNNEL_ID);
    }
    switch (rng_below(r, d == OFP_10 ? 4 : 6)) {
    case 0:
        break;
    case 1:
        ofp_match_set_u64(m, OFPF_ETH_TYPE, 0x88cc);
        break;
    case 2:
        ofp_match_set_u64(m, OFPF_ETH_TYPE, 0x0800);
        rnd_ip(r, m, d, false);
        break;
    case 3:
        ofp_match_set_u64(m, OFPF_ETH_TYPE, 0x0806);
        if (rng_chance(r, 1, 2))
            ofp_match_set_u64(m, OFPF_ARP_OP, 1 + rng_below(r, 2));
        rnd_fields(r, m, d, OFPF_ARP_SPA, d == OFP_10 ? OFPF_ARP_TPA : OFPF_ARP_THA);
        break;
    case 4:
        ofp_match_set_u64(m, OFPF_ETH_TYPE, 0x86dd);
        rnd_ip(r, m, d, true);
        break;
    default:
        ofp_match_set_u64(m, OFPF_ETH_TYPE, 0x8847);
        rnd_fields(r, m, d, OFPF_MPLS_LABEL, OFPF_MPLS_BOS);
        break;
    }
}

static inline struct ofp_action rnd_action10(struct rng *r)
{
    static const enum ofp_field set[] = {OFPF_ETH_DST,  OFPF_ETH_SRC, OFPF_VLAN_PCP, OFPF_IPV4_SRC,
                                         OFPF_IPV4_DST, OFPF_IP_DSCP, OFPF_TCP_SRC,  OFPF_TCP_DST};
    struct ofp_action a = {.type = OFPA_OUTPUT, .port = rnd_port(r)};

    switch (rng_below(r, 6)) {
    case 0:
        a = (struct ofp_action){.type = OFPA_OUTPUT, .port = OFPP_CONTROLLER, .max_len = 128};
        break;
    case 1:
        a = (struct ofp_action){.type = OFPA_POP_VLAN};
        break;
    case 2:
        a.type = OFPA_SET_QUEUE;
        a.port = 1 + rng_below(r, 0xfeff);
        a.id = rng_u32(r);
        break;
    case 3:
        a = (struct ofp_action){.type = OFPA_SET_FIELD};
        ofp_tlv_set_u64(&a.field, OFPF_VLAN_VID, OFP_VLAN_PRESENT | rnd_bits(r, 12));
        break;
    case 4:
        a = (struct ofp_action){.type = OFPA_SET_FIELD};
        rnd_tlv(r, &a.field, set[rng_below(r, (uint32_t)ARRAY_LEN(set))], false, false);
        break;
    default:
        break;
    }
    return a;
}

static inline struct ofp_action rnd_action13(struct rng *r)
{
    struct ofp_action a = {.type = (enum ofp_action_type)rng_below(r, OFPA_EXPERIMENTER)};

    switch (a.type) {
    case OFPA_OUTPUT:
        a.port = rnd_port(r);
        break;
    case OFPA_GROUP:
    case OFPA_SET_QUEUE:
        a.id = rng_below(r, 1000);
        break;
    case OFPA_SET_FIELD:
        rnd_tlv(r, &a.field, rng_chance(r, 1, 2) ? OFPF_ETH_DST : OFPF_TUNNEL_ID, false, false);
        break;
    case OFPA_PUSH_VLAN:
        a.ethertype = 0x8100;
        break;
    case OFPA_PUSH_MPLS:
        a.ethertype = 0x8847;
        break;
    case OFPA_POP_MPLS:
        a.ethertype = 0x0800;
        break;
    case OFPA_PUSH_PBB:
        a.ethertype = 0x88e7;
        break;
    case OFPA_SET_MPLS_TTL:
    case OFPA_SET_NW_TTL:
        a.ttl = (uint8_t)rng_u32(r);
        break;
    case OFPA_POP_VLAN:
    case OFPA_POP_PBB:
    case OFPA_DEC_MPLS_TTL:
    case OFPA_DEC_NW_TTL:
    case OFPA_COPY_TTL_OUT:
    case OFPA_COPY_TTL_IN:
    case OFPA_EXPERIMENTER:
    case OFPA_TYPES:
        break;
    }
    return a;
}

static inline void rnd_actions(struct rng *r, struct ofp_actions *a, enum ofp_dialect d)
{
    a->n = rng_below(r, 5);
    for (uint32_t i = 0; i < a->n; i++)
        a->a[i] = d == OFP_10 ? rnd_action10(r) : rnd_action13(r);
}

static inline void rnd_flow(struct rng *r, struct ofp_flow *f, enum ofp_dialect d)
{
    ofp_flow_init(f);
    f->command = (enum ofp_command)rng_below(r, 5);
    f->idle_timeout = (uint16_t)rng_u32(r);
    f->hard_timeout = (uint16_t)rng_u32(r);
    f->priority = (uint16_t)rng_u32(r);
    f->cookie = rng_u64(r);
    f->buffer_id = rng_chance(r, 1, 2) ? OFP_NO_BUFFER : rng_u32(r);
    f->out_port = rng_chance(r, 1, 2) ? OFPP_ANY : rnd_port(r);
    rnd_match(r, &f->match, d);
    rnd_actions(r, &f->do_.apply, d);
    f->flags = (uint16_t)rng_below(r, d == OFP_10 ? 4 : 32);
    if (d == OFP_10)
        return;
    f->cookie_mask = rng_u64(r);
    f->table = (uint8_t)rng_below(r, 254);
    f->out_group = rng_chance(r, 1, 2) ? OFPP_ANY : rng_below(r, 1000);
    rnd_actions(r, &f->do_.write, d);
    f->do_.clear = rng_chance(r, 1, 4);
    f->do_.has_goto = f->table < 253 && rng_chance(r, 1, 4);
    f->do_.goto_table = f->do_.has_goto ? (uint8_t)(f->table + 1) : 0;
    f->do_.has_meter = rng_chance(r, 1, 4);
    f->do_.meter = f->do_.has_meter ? 1 + rng_below(r, 1000) : 0;
    f->do_.has_metadata = rng_chance(r, 1, 4);
    f->do_.metadata_mask = f->do_.has_metadata ? rng_u64(r) : 0;
    f->do_.metadata = rng_u64(r) & f->do_.metadata_mask;
}

static inline void rnd_port_of(struct rng *r, struct ofp_port *p, enum ofp_dialect d)
{
    *p = (struct ofp_port){.no = 1 + rng_below(r, 0xfeff), .name = "s1-eth7"};
    rnd_bytes(r, p->mac.b, 6);
    p->mac.b[0] &= 0xfe;
    p->down = rng_chance(r, 1, 2);
    p->link_down = rng_chance(r, 1, 2);
    p->config = p->down;
    p->state = p->link_down;
    p->curr = (uint32_t)rnd_bits(r, 7);
    p->supported = (uint32_t)rnd_bits(r, 7);
    if (d == OFP_13) {
        p->curr_kbps = rng_u32(r);
        p->max_kbps = rng_u32(r);
    }
}
