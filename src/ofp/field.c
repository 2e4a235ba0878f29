/* The fields of a match: their names, widths and prerequisites.  OpenFlow 1.3.5, 7.2.3.7. */
#include "ofp/ofp_int.h"

const struct ofp_field_info *ofp_field_info(enum ofp_field f)
{
    /* clang-format off */
    static const struct ofp_field_info info[OFPF_FIELDS] = {
        [OFPF_IN_PORT]        = {"in_port", NULL, 4, 32, false},
        [OFPF_IN_PHY_PORT]    = {"in_phy_port", NULL, 4, 32, false},
        [OFPF_METADATA]       = {"metadata", NULL, 8, 64, true},
        [OFPF_ETH_DST]        = {"eth_dst", "dl_dst", 6, 48, true},
        [OFPF_ETH_SRC]        = {"eth_src", "dl_src", 6, 48, true},
        [OFPF_ETH_TYPE]       = {"eth_type", "dl_type", 2, 16, false},
        [OFPF_VLAN_VID]       = {"vlan_vid", "dl_vlan", 2, 13, true},
        [OFPF_VLAN_PCP]       = {"vlan_pcp", "dl_vlan_pcp", 1, 3, false},
        [OFPF_IP_DSCP]        = {"ip_dscp", NULL, 1, 6, false},
        [OFPF_IP_ECN]         = {"ip_ecn", "nw_ecn", 1, 2, false},
        [OFPF_IP_PROTO]       = {"ip_proto", "nw_proto", 1, 8, false},
        [OFPF_IPV4_SRC]       = {"ipv4_src", "nw_src", 4, 32, true},
        [OFPF_IPV4_DST]       = {"ipv4_dst", "nw_dst", 4, 32, true},
        [OFPF_TCP_SRC]        = {"tcp_src", "tp_src", 2, 16, false},
        [OFPF_TCP_DST]        = {"tcp_dst", "tp_dst", 2, 16, false},
        [OFPF_UDP_SRC]        = {"udp_src", NULL, 2, 16, false},
        [OFPF_UDP_DST]        = {"udp_dst", NULL, 2, 16, false},
        [OFPF_SCTP_SRC]       = {"sctp_src", NULL, 2, 16, false},
        [OFPF_SCTP_DST]       = {"sctp_dst", NULL, 2, 16, false},
        [OFPF_ICMPV4_TYPE]    = {"icmpv4_type", "icmp_type", 1, 8, false},
        [OFPF_ICMPV4_CODE]    = {"icmpv4_code", "icmp_code", 1, 8, false},
        [OFPF_ARP_OP]         = {"arp_op", NULL, 2, 16, false},
        [OFPF_ARP_SPA]        = {"arp_spa", NULL, 4, 32, true},
        [OFPF_ARP_TPA]        = {"arp_tpa", NULL, 4, 32, true},
        [OFPF_ARP_SHA]        = {"arp_sha", NULL, 6, 48, true},
        [OFPF_ARP_THA]        = {"arp_tha", NULL, 6, 48, true},
        [OFPF_IPV6_SRC]       = {"ipv6_src", NULL, 16, 128, true},
        [OFPF_IPV6_DST]       = {"ipv6_dst", NULL, 16, 128, true},
        [OFPF_IPV6_FLABEL]    = {"ipv6_flabel", "ipv6_label", 4, 20, true},
        [OFPF_ICMPV6_TYPE]    = {"icmpv6_type", NULL, 1, 8, false},
        [OFPF_ICMPV6_CODE]    = {"icmpv6_code", NULL, 1, 8, false},
        [OFPF_IPV6_ND_TARGET] = {"ipv6_nd_target", "nd_target", 16, 128, false},
        [OFPF_IPV6_ND_SLL]    = {"ipv6_nd_sll", "nd_sll", 6, 48, false},
        [OFPF_IPV6_ND_TLL]    = {"ipv6_nd_tll", "nd_tll", 6, 48, false},
        [OFPF_MPLS_LABEL]     = {"mpls_label", NULL, 4, 20, false},
        [OFPF_MPLS_TC]        = {"mpls_tc", NULL, 1, 3, false},
        [OFPF_MPLS_BOS]       = {"mpls_bos", NULL, 1, 1, false},
        [OFPF_PBB_ISID]       = {"pbb_isid", NULL, 3, 24, true},
        [OFPF_TUNNEL_ID]      = {"tunnel_id", "tun_id", 8, 64, true},
        [OFPF_IPV6_EXTHDR]    = {"ipv6_exthdr", NULL, 2, 9, true},
    };
    /* clang-format on */

    return (unsigned)f < OFPF_FIELDS ? &info[f] : NULL;
}

static bool is_called(const char *name, const char *s, size_t n)
{
    size_t i = 0;

    if (name == NULL)
        return false;
    while (i < n && name[i] != '\0' && name[i] == s[i])
        i++;
    return i == n && name[i] == '\0';
}

enum ofp_field ofp_field_find(const char *name, size_t n)
{
    for (unsigned f = 0; f < OFPF_FIELDS; f++) {
        const struct ofp_field_info *i = ofp_field_info((enum ofp_field)f);
        if (is_called(i->name, name, n) || is_called(i->alias, name, n))
            return (enum ofp_field)f;
    }
    return OFPF_FIELDS;
}

/* OpenFlow 1.3.5, Table 11: field f needs `on` to be exactly one of these. */
static const struct need {
    uint8_t f, last; /* fields f to last */
    uint8_t on;
    uint32_t a, b;
    const char *missing;
} needs[] = {
    {OFPF_IP_DSCP, OFPF_IP_PROTO, OFPF_ETH_TYPE, 0x0800, 0x86dd, "eth_type=0x800 or 0x86dd"},
    {OFPF_IPV4_SRC, OFPF_IPV4_DST, OFPF_ETH_TYPE, 0x0800, 0x0800, "eth_type=0x800"},
    {OFPF_TCP_SRC, OFPF_TCP_DST, OFPF_IP_PROTO, 6, 6, "ip_proto=6"},
    {OFPF_UDP_SRC, OFPF_UDP_DST, OFPF_IP_PROTO, 17, 17, "ip_proto=17"},
    {OFPF_SCTP_SRC, OFPF_SCTP_DST, OFPF_IP_PROTO, 132, 132, "ip_proto=132"},
    {OFPF_ICMPV4_TYPE, OFPF_ICMPV4_CODE, OFPF_IP_PROTO, 1, 1, "ip_proto=1"},
    {OFPF_ARP_OP, OFPF_ARP_THA, OFPF_ETH_TYPE, 0x0806, 0x0806, "eth_type=0x806"},
    {OFPF_IPV6_SRC, OFPF_IPV6_FLABEL, OFPF_ETH_TYPE, 0x86dd, 0x86dd, "eth_type=0x86dd"},
    {OFPF_ICMPV6_TYPE, OFPF_ICMPV6_CODE, OFPF_IP_PROTO, 58, 58, "ip_proto=58"},
    {OFPF_IPV6_ND_TARGET, OFPF_IPV6_ND_TARGET, OFPF_ICMPV6_TYPE, 135, 136,
     "icmpv6_type=135 or 136"},
    {OFPF_IPV6_ND_SLL, OFPF_IPV6_ND_SLL, OFPF_ICMPV6_TYPE, 135, 135, "icmpv6_type=135"},
    {OFPF_IPV6_ND_TLL, OFPF_IPV6_ND_TLL, OFPF_ICMPV6_TYPE, 136, 136, "icmpv6_type=136"},
    {OFPF_MPLS_LABEL, OFPF_MPLS_BOS, OFPF_ETH_TYPE, 0x8847, 0x8848, "eth_type=0x8847 or 0x8848"},
    {OFPF_PBB_ISID, OFPF_PBB_ISID, OFPF_ETH_TYPE, 0x88e7, 0x88e7, "eth_type=0x88e7"},
    {OFPF_IPV6_EXTHDR, OFPF_IPV6_EXTHDR, OFPF_ETH_TYPE, 0x86dd, 0x86dd, "eth_type=0x86dd"},
};

static const char *check_one(const struct ofp_match *m, const struct ofp_tlv *t)
{
    if (t->field == OFPF_IN_PHY_PORT && ofp_match_find(m, OFPF_IN_PORT) == NULL)
        return "in_port";
    if (t->field == OFPF_VLAN_PCP) {
        const struct ofp_tlv *v = ofp_match_find(m, OFPF_VLAN_VID);
        if (v == NULL || (ofp_tlv_u64(v) & OFP_VLAN_PRESENT) == 0)
            return "vlan_vid with a tag";
    }
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        const struct need *n = &needs[i];
        if (t->field < n->f || t->field > n->last)
            continue;
        const struct ofp_tlv *on = ofp_match_find(m, (enum ofp_field)n->on);
        uint64_t v = on != NULL && !on->masked ? ofp_tlv_u64(on) : UINT64_MAX;
        if (v != n->a && v != n->b)
            return n->missing;
    }
    return NULL;
}

const char *ofp_match_check(const struct ofp_match *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const char *missing = check_one(m, &m->f[i]);
        if (missing != NULL)
            return missing;
    }
    return NULL;
}
