/* Messages as Open vSwitch's ovs-ofctl puts them on the wire, recorded from it, and what we make of
 * them: a line for people, and the same bytes again. */
#include "lib/cmocka_first.h"

#include "lib/ofp_again.h"

static const struct golden {
    enum ofp_dialect d;
    const char *hex, *text;
    bool loses; /* it says what we do not hold: a priority beside no VLAN, one queue of a port */
} goldens[] = {
    {OFP_10, "0110000c0000000200030000", "OFPT_MULTIPART_REQUEST (OF1.0) (xid=0x2): TABLE", false},
    {OFP_10,
     "010e005000000006003820f2000102000000000a02000000000b0000000000000000000000000000"
     "000000000000000011223344556677880000000a001e0064ffffffffffff00000000000800020000",
     "OFPT_FLOW_MOD (OF1.0) (xid=0x6): ADD priority=100,in_port=1,eth_dst=02:00:00:00:00:0b,et"
     "h_src=02:00:00:00:00:0a cookie:0x1122334455667788 idle:10 hard:30 actions=output:2",
     false},
    {OFP_10,
     "010e0098000000060006004d0000000000000000000000000000000503000800200600000a010203"
     "0a0000000000005000000000000000000000000000008000ffffffffffff00010001000800070000"
     "0005001002000000000c000000000000000600080102030400080008100000000009000800630000"
     "0003000800000000000b001000030000000000000000000700000008fffd0080",
     "OFPT_FLOW_MOD (OF1.0) (xid=0x6): ADD priority=32768,eth_type=0x800,vlan_vid=0x1005,vlan_"
     "pcp=3,ip_dscp=8,ip_proto=6,ipv4_src=10.1.2.3,ipv4_dst=10.0.0.0/8,tcp_dst=80 flags:0x1 ac"
     "tions=set_field:0x1007->vlan_vid,set_field:02:00:00:00:00:0c->eth_dst,set_field:1.2.3.4-"
     ">ipv4_src,set_field:4->ip_dscp,set_field:99->tcp_src,pop_vlan,enqueue:3:7,CONTROLLER:128",
     false},
    {OFP_10,
     "010e0050000000060028200d0000000000000000000000000000ffff000008000001000000000000"
     "000000000008000000000000000000000000000000008000ffffffffffff000000000008fffb0000",
     "OFPT_FLOW_MOD (OF1.0) (xid=0x6): ADD priority=32768,eth_type=0x800,vlan_vid=0x0,ip_proto"
     "=1,icmpv4_type=8,icmpv4_code=0 actions=FLOOD",
     true},
    {OFP_10,
     "010e005000000006003008cf0000000000000000000000000000000000000806000100000a000000"
     "0a0000010000000000000000000000000000000000008000ffffffffffff000000000008fffa0000",
     "OFPT_FLOW_MOD (OF1.0) (xid=0x6): ADD priority=32768,eth_type=0x806,arp_op=1,arp_spa=10.0"
     ".0.0/24,arp_tpa=10.0.0.1 actions=NORMAL",
     false},
    {OFP_10,
     "010e004800000006003820fefffe0000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000004000000000007ffffffff00030000",
     "OFPT_FLOW_MOD (OF1.0) (xid=0x6): DEL_STRICT priority=7,in_port=LOCAL out_port:3 actions="
     "drop",
     false},
    {OFP_10, "0104001400000006000023200000000c00000002",
     "OFPT_EXPERIMENTER (OF1.0) (xid=0x6): vendor=0x2320", false},
    {OFP_10, "0110001400000002000400000003000000000000",
     "OFPT_MULTIPART_REQUEST (OF1.0) (xid=0x2): PORT 3", false},
    {OFP_10, "010f002000000004000102000000000100000001000000010000000000000000",
     "OFPT_PORT_MOD (OF1.0) (xid=0x4): port: 1: addr:02:00:00:00:00:01 config: 0x1 mask: 0x1",
     false},
    {OFP_13, "0412001000000002000d000000000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): PORT_DESC", false},
    {OFP_13, "041200180000000200040000000000000000000300000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): PORT 3", false},
    {OFP_13, "041200180000000200050000000000000000000100000002",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): QUEUE 1", true},
    {OFP_13, "04120010000000020007000000000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): GROUP_DESC", false},
    {OFP_13, "04100028000000040000000100000000020000000001000000000000000000000000000000000000",
     "OFPT_PORT_MOD (OF1.3) (xid=0x4): port: 1: addr:02:00:00:00:00:01 config: 0x0 mask: 0x0",
     false},
    {OFP_13, "04100028000000040000000100000000020000000001000000000001000000010000000000000000",
     "OFPT_PORT_MOD (OF1.3) (xid=0x4): port: 1: addr:02:00:00:00:00:01 config: 0x1 mask: 0x1",
     false},
    {OFP_13,
     "040e007000000006112233445566778800000000000000000200000a001e0064ffffffffffffffff"
     "ffffffff000000000001002680000004000000018000080602000000000a8000070c020000000000"
     "ffff000000000000000400180000000000000010000000020000000000000000",
     "OFPT_FLOW_MOD (OF1.3) (xid=0x6): ADD table:2 priority=100,in_port=1,eth_src=02:00:00:00:"
     "00:0a,eth_dst=02:00:00:00:00:00/ff:ff:00:00:00:00 cookie:0x1122334455667788 idle:10 hard"
     ":30 actions=output:2",
     false},
    {OFP_13,
     "040e012800000006000000000000000000000000000000000000000000008000ffffffffffffffff"
     "ffffffff000000000001007480000a0286dd80000c02100580000e01038000341020010db8000000"
     "0000000000000000018000372020010db8000000000000000000000000ffffffff00000000000000"
     "00000000008000380400012345800014010680001c0201bb80000510000000000000001000000000"
     "000000ff000000000006000800000009000400580000000000110008810000000019001080000c02"
     "1006000000000000001900108000060602000000000c0000001600080000004d0015000800000003"
     "001800080000000000000010fffffffd008000000000000000020018000000000000000000000005"
     "000000000000000f0001000804000000",
     "OFPT_FLOW_MOD (OF1.3) (xid=0x6): ADD priority=32768,eth_type=0x86dd,vlan_vid=0x1005,vlan"
     "_pcp=3,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::/32,ipv6_flabel=0x12345,ip_proto=6,tcp_ds"
     "t=443,metadata=0x10/0xff actions=meter:9,push_vlan:0x8100,set_field:0x1006->vlan_vid,set"
     "_field:02:00:00:00:00:0c->eth_dst,group:77,set_queue:3,dec_ttl,CONTROLLER:128,write_meta"
     "data:0x5/0xf,goto_table:4",
     false},
    {OFP_13,
     "040e00b000000006000000000000000000000000000000000000000000008000ffffffffffffffff"
     "ffffffff000000000001003a80000a0286dd80000d0410001000800014013a80003a018780003e10"
     "fe800000000000000000000000000001800040060200000000010000000000000005000800000000"
     "0003003800000000001300088847000000190010800044040000004d00000000000f000809000000"
     "00000010000000030000000000000000",
     "OFPT_FLOW_MOD (OF1.3) (xid=0x6): ADD priority=32768,eth_type=0x86dd,vlan_vid=0x1000/0x10"
     "00,ip_proto=58,icmpv6_type=135,ipv6_nd_target=fe80::1,ipv6_nd_sll=02:00:00:00:00:01 acti"
     "ons=clear_actions,write_actions(push_mpls:0x8847,set_field:77->mpls_label,set_mpls_ttl:9"
     ",output:3)",
     false},
    {OFP_13,
     "040e006000000006000000000000000000000000000000000000000000008000ffffffffffffffff"
     "ffffffff000000000001002e80000a02080680002a02000280002d080a000000ffffff0080002e04"
     "0a000001800030060200000000010000",
     "OFPT_FLOW_MOD (OF1.3) (xid=0x6): ADD priority=32768,eth_type=0x806,arp_op=2,arp_spa=10.0"
     ".0.0/24,arp_tpa=10.0.0.1,arp_sha=02:00:00:00:00:01 actions=drop",
     false},
    {OFP_13,
     "040e004000000006000000000000000500000000000000ff0304000000000007ffffffff00000003"
     "00000008000000000001001080004c080000000000000099",
     "OFPT_FLOW_MOD (OF1.3) (xid=0x6): DEL_STRICT table:3 priority=7,tunnel_id=0x99 cookie:0x5"
     "/0xff out_port:3 out_group:8 actions=drop",
     false},
    {OFP_13,
     "041200500000000600010000000000000100000000000004ffffffff000000000000000000000000"
     "00000000000000000001001a80000a02080080001201028000140184800022020035000000000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x6): FLOW table=1,eth_type=0x800,ip_ecn=2,ip_proto="
     "132,sctp_src=53",
     false},
    {OFP_13,
     "040f006000000006000001000000000500200003ffffffffffffffff000000000000001000000001"
     "000000000000000000300004ffffffffffffffff0000000000190010800018040102030400000000"
     "00000010000000020000000000000000",
     "OFPT_GROUP_MOD (OF1.3) (xid=0x6): ADD group_id=5,type=select,bucket=weight:3,actions=out"
     "put:1,bucket=weight:4,actions=set_field:1.2.3.4->ipv4_dst,output:2",
     false},
    {OFP_13,
     "040f00300000000600000300000000060020000000000001ffffffff000000000000001000000001"
     "0000000000000000",
     "OFPT_GROUP_MOD (OF1.3) (xid=0x6): ADD group_id=6,type=ff,bucket=watch_port:1,actions=out"
     "put:1",
     false},
    {OFP_13, "040f00100000000600020000fffffffc",
     "OFPT_GROUP_MOD (OF1.3) (xid=0x6): DEL group_id=4294967292,type=all", false},
    {OFP_13,
     "04120038000000020002000000000000ff000000ffffffffffffffff000000000000000000000000"
     "00000000000000000001000400000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): AGGREGATE any", false},
    {OFP_13,
     "041d0030000000020000000d0000000300010010000003e8000000320000000000020010000001f4"
     "0000001402000000",
     "OFPT_METER_MOD (OF1.3) (xid=0x2): ADD meter=3 kbps burst stats bands= type=drop rate=100"
     "0 burst_size=50 type=dscp_remark rate=500 burst_size=20 prec_level=2",
     false},
    {OFP_13, "041200180000000200090000000000000000000300000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): METER 3", false},
    {OFP_13, "0412001800000002000a000000000000ffffffff00000000",
     "OFPT_MULTIPART_REQUEST (OF1.3) (xid=0x2): METER_CONFIG", false},
};

static size_t bytes_of(const char *hex, uint8_t *b)
{
    size_t n = 0;

    for (; hex[2 * n] != '\0'; n++) {
        char pair[3] = {hex[2 * n], hex[2 * n + 1], '\0'};
        b[n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void the_tools_messages_are_printed_as_what_they_say(void **state)
{
    uint8_t b[512];
    char text[1024];
    struct fmt f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        size_t n = bytes_of(goldens[i].hex, b);
        fmt_init(&f, text, sizeof(text));
        ofp_print(&f, goldens[i].d, b, n);
        assert_string_equal(text, goldens[i].text);
    }
}

static void the_tools_messages_are_written_as_it_wrote_them(void **state)
{
    uint8_t b[512], again[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        size_t n = bytes_of(goldens[i].hex, b);
        if (goldens[i].loses)
            continue;
        size_t m = ofp_again(goldens[i].d, OFP_FROM_CONTROLLER, b, n, again, sizeof(again));
        assert_int_equal(m, n);
        assert_memory_equal(again, b, n);
    }
}

/* Every message ends somewhere: a byte less is not yet one, and what follows belongs to the
 * next. */
static void a_stream_of_them_is_cut_where_they_end(void **state)
{
    static uint8_t stream[8192];

    (void)state;
    for (unsigned v = 0; v < 2; v++) {
        enum ofp_dialect d = v == 0 ? OFP_10 : OFP_13;
        size_t n = 0, at = 0, count = 0;
        for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
            if (goldens[i].d == d)
                n += bytes_of(goldens[i].hex, stream + n);
        }
        while (at < n) {
            struct ofp_msg m;
            uint32_t need = 0;
            size_t have = 0;
            enum ofp_err e;
            do {
                have = need == 0 ? 1 : need;
                e = ofp_frame(d, OFP_FROM_CONTROLLER, stream + at, have, &m, &need);
            } while (e == OFP_MORE);
            assert_int_equal(e, OFP_OK);
            assert_int_equal(m.len, have);
            for (size_t cut = 0; cut < m.len; cut++)
                assert_int_equal(ofp_frame(d, OFP_FROM_CONTROLLER, stream + at, cut, &m, &need),
                                 OFP_MORE);
            at += have;
            count++;
        }
        assert_int_equal(at, n);
        assert_true(count > 8);
    }
}

/* No message is too broken to be printed, and none reads beyond its end. */
static void a_message_with_any_byte_changed_is_still_printed(void **state)
{
    char text[200];
    struct fmt f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        uint8_t whole[512];
        size_t n = bytes_of(goldens[i].hex, whole);
        uint8_t *b = malloc(n);
        assert_non_null(b);
        for (size_t k = 0; k < n; k++) {
            for (unsigned x = 1; x < 256; x = x * 2 + 1) {
                memcpy(b, whole, n);
                b[k] ^= (uint8_t)x;
                fmt_init(&f, text, sizeof(text));
                ofp_print(&f, goldens[i].d, b, n);
                assert_true(f.len > 0);
            }
        }
        free(b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tools_messages_are_printed_as_what_they_say),
        cmocka_unit_test(the_tools_messages_are_written_as_it_wrote_them),
        cmocka_unit_test(a_stream_of_them_is_cut_where_they_end),
        cmocka_unit_test(a_message_with_any_byte_changed_is_still_printed),
    };

    return cmocka_run_group_tests_name("ofp_golden", tests, NULL, NULL);
}
