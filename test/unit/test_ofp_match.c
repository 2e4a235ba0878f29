/* Neutral matches and what the two versions make of them. */
#include "lib/cmocka_first.h"

#include "ofp/of_int.h"

/* A match of 1.3 from OXM TLVs in hex. */
static enum ofp_err oxm(const char *hex, struct ofp_match *m)
{
    uint8_t b[256] = {0, 1};
    size_t n = 0, used;

    for (; hex[2 * n] != '\0'; n++) {
        char pair[3] = {hex[2 * n], hex[2 * n + 1], '\0'};
        b[4 + n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    store_be16(b + 2, (uint16_t)(4 + n));
    return ofp13_parse_match(b, (4 + n + 7) & ~(size_t)7, m, &used);
}

static const char *text(const struct ofp_match *m)
{
    static char buf[512];
    struct fmt f;

    fmt_init(&f, buf, sizeof(buf));
    ofp_match_print(&f, m);
    return buf;
}

static void oxm_tlvs_are_read(void **state)
{
    static const struct {
        const char *hex, *text;
    } good[] = {
        {"", "any"},
        {"8000000400000007", "in_port=7"},
        {"80000004fffffffe80000a020800", "in_port=LOCAL,eth_type=0x800"},
        {"8000070c020000000001ff0000000000", "eth_dst=02:00:00:00:00:00/ff:00:00:00:00:00"},
        {"800017080a010203ffff0000", "ipv4_src=10.1.0.0/16"},
        {"800017080a010203ffffffff", "ipv4_src=10.1.2.3"},
        {"800017080a01020300000000", "any"},
        {"80000c021005", "vlan_vid=0x1005"},
        {"80000d0410001000", "vlan_vid=0x1000/0x1000"},
        {"8000341020010db8000000000000000000000001", "ipv6_src=2001:db8::1"},
        {"80004b06abcdefffffff", "pbb_isid=11259375"},
        {"0001280400000009", "+1 unknown fields"},
        {"ffff00084f4e460000000000", "+1 unknown fields"},
        {"80005c01018000140106", "ip_proto=6,+1 unknown fields"},
    };
    struct ofp_match m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(oxm(good[i].hex, &m), OFP_OK);
        assert_string_equal(text(&m), good[i].text);
    }
}

static void bad_oxm_tlvs_are_refused(void **state)
{
    static const char *const bad[] = {
        "80000004000000070000",                     /* two bytes are no TLV */
        "800000080000000700000001",                 /* in_port has no mask */
        "8000000300000700",                         /* too short for its field */
        "80000006000000070000",                     /* too long */
        "80000e0108",                               /* a priority of four bits */
        "80000c022001",                             /* a VLAN of 14 bits */
        "800048040010000000",                       /* a label of 21 bits, and a byte */
        "80000a02080080000a020800",                 /* twice */
        "800017080a010203ffff0000800016040a010203", /* twice, once masked */
        "ffff00024f4e",                             /* an experimenter without an id */
        "8000000400",                               /* overruns */
    };
    struct ofp_match m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(oxm(bad[i], &m), OFP_BAD_MATCH);
}

static void prerequisites_are_named_where_they_are_missing(void **state)
{
    struct ofp_match m = {0};

    (void)state;
    assert_null(ofp_match_check(&m));
    ofp_match_set_u64(&m, OFPF_TCP_DST, 80);
    assert_string_equal(ofp_match_check(&m), "ip_proto=6");
    ofp_match_set_u64(&m, OFPF_IP_PROTO, 6);
    assert_string_equal(ofp_match_check(&m), "eth_type=0x800 or 0x86dd");
    ofp_match_set_u64(&m, OFPF_ETH_TYPE, 0x86dd);
    assert_null(ofp_match_check(&m));
    ofp_match_set_u64(&m, OFPF_IPV4_SRC, 1);
    assert_string_equal(ofp_match_check(&m), "eth_type=0x800");
    ofp_match_set_u64(&m, OFPF_ETH_TYPE, 0x0800);
    assert_null(ofp_match_check(&m));
    ofp_match_set_u64(&m, OFPF_VLAN_PCP, 1);
    ofp_match_set_u64(&m, OFPF_VLAN_VID, 0);
    assert_string_equal(ofp_match_check(&m), "vlan_vid with a tag");
    ofp_match_set_u64(&m, OFPF_VLAN_VID, OFP_VLAN_PRESENT | 4);
    assert_null(ofp_match_check(&m));
    ofp_match_set_u64(&m, OFPF_IN_PHY_PORT, 4);
    assert_string_equal(ofp_match_check(&m), "in_port");
}

static void fields_have_names_and_are_found_by_them(void **state)
{
    (void)state;
    for (unsigned f = 0; f < OFPF_FIELDS; f++) {
        const struct ofp_field_info *i = ofp_field_info((enum ofp_field)f);
        assert_true(i->bits <= i->bytes * 8u && i->bits + 16u > i->bytes * 8u && i->bytes <= 16);
        assert_int_equal(ofp_field_find(i->name, strlen(i->name)), f);
        if (i->alias != NULL)
            assert_int_equal(ofp_field_find(i->alias, strlen(i->alias)), f);
    }
    assert_int_equal(ofp_field_find("eth_dst_", 8), OFPF_FIELDS);
    assert_int_equal(ofp_field_find("eth_ds", 6), OFPF_FIELDS);
    assert_int_equal(ofp_field_find("", 0), OFPF_FIELDS);
    assert_null(ofp_field_info(OFPF_FIELDS));
}

static void the_order_of_fields_does_not_matter_and_their_masks_do(void **state)
{
    static const uint8_t net[4] = {10, 0, 0, 0}, mask[4] = {255, 0, 0, 0};
    struct ofp_match a = {0}, b = {0};

    (void)state;
    ofp_match_set_u64(&a, OFPF_IN_PORT, 1);
    ofp_match_set(&a, OFPF_IPV4_SRC, net, mask);
    ofp_match_set(&b, OFPF_IPV4_SRC, net, mask);
    ofp_match_set_u64(&b, OFPF_IN_PORT, 1);
    assert_true(ofp_match_eq(&a, &b));
    ofp_match_set(&b, OFPF_IPV4_SRC, net, NULL);
    assert_int_equal(b.n, 2);
    assert_false(ofp_match_eq(&a, &b));
    assert_int_equal(ofp_tlv_mask_u64(ofp_match_find(&a, OFPF_IPV4_SRC)), 0xff000000);
    assert_int_equal(ofp_tlv_mask_u64(ofp_match_find(&b, OFPF_IPV4_SRC)), 0xffffffff);
}

/* What version 1.0 has no bits for. */
static void what_1_0_cannot_match_is_refused(void **state)
{
    static const uint8_t value[16] = {2}, odd[16] = {0xff, 0, 0xff, 0}, none[16];
    static const struct {
        enum ofp_field f;
        const uint8_t *mask;
        uint16_t type;
    } cases[] = {
        {OFPF_ETH_DST, odd, 0},      {OFPF_METADATA, NULL, 0},        {OFPF_IP_ECN, NULL, 0x800},
        {OFPF_IPV4_SRC, odd, 0x800}, {OFPF_IPV6_SRC, NULL, 0x86dd},   {OFPF_IPV4_SRC, NULL, 0},
        {OFPF_TCP_DST, NULL, 0x800}, {OFPF_ARP_SHA, NULL, 0x806},     {OFPF_ARP_SPA, NULL, 0x800},
        {OFPF_VLAN_VID, none, 0},    {OFPF_MPLS_LABEL, NULL, 0x8847},
    };
    uint8_t b[40];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ofp_match m = {0};
        if (cases[i].type != 0)
            ofp_match_set_u64(&m, OFPF_ETH_TYPE, cases[i].type);
        assert_true(ofp10_emit_match(b, &m));
        ofp_match_set(&m, cases[i].f, value, cases[i].mask);
        assert_false(ofp10_emit_match(b, &m));
    }
    struct ofp_match m = {0};
    ofp_match_set_u64(&m, OFPF_IN_PORT, 0xff00);
    assert_false(ofp10_emit_match(b, &m));
}

/* A 1.0 match says what it means even where it sets bytes that mean nothing. */
static void bytes_of_1_0_without_a_meaning_are_left_out(void **state)
{
    uint8_t b[40] = {0};
    struct ofp_match m;

    (void)state;
    /* Nothing wild: all is 0, which is no IP: addresses and ports mean nothing. */
    ofp10_parse_match(b, &m);
    assert_string_equal(text(&m), "in_port=0,eth_dst=00:00:00:00:00:00,"
                                  "eth_src=00:00:00:00:00:00,eth_type=0x0,vlan_vid=0x1000,"
                                  "vlan_pcp=0");
    store_be16(b + 22, 0x0806);
    store_be16(b + 18, 0xffff);
    b[25] = 2;
    b[24] = 0xff;
    ofp10_parse_match(b, &m);
    assert_string_equal(text(&m), "in_port=0,eth_dst=00:00:00:00:00:00,"
                                  "eth_src=00:00:00:00:00:00,eth_type=0x806,vlan_vid=0x0,"
                                  "arp_op=2,arp_spa=0.0.0.0,arp_tpa=0.0.0.0");
    store_be32(b, 0xffffffff);
    ofp10_parse_match(b, &m);
    assert_string_equal(text(&m), "any");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(oxm_tlvs_are_read),
        cmocka_unit_test(bad_oxm_tlvs_are_refused),
        cmocka_unit_test(prerequisites_are_named_where_they_are_missing),
        cmocka_unit_test(fields_have_names_and_are_found_by_them),
        cmocka_unit_test(the_order_of_fields_does_not_matter_and_their_masks_do),
        cmocka_unit_test(what_1_0_cannot_match_is_refused),
        cmocka_unit_test(bytes_of_1_0_without_a_meaning_are_left_out),
    };

    return cmocka_run_group_tests_name("ofp_match", tests, NULL, NULL);
}
