/* One line a frame, whatever the frame is. */
#include "lib/cmocka_first.h"
#include "lib/exact.h"

#include "base/rng.h"
#include "wire/wire.h"

#define FRAME_MAX 128

static const struct eth_hdr eth_ipv4 = {
    .dst = {{2, 0, 0, 0, 0, 2}},
    .src = {{2, 0, 0, 0, 0, 1}},
    .ethertype = ETHTYPE_IPV4,
};

/* An IPv4 header from 10.0.0.1 to 10.0.0.2 for n bytes of proto. */
static size_t ipv4_for(uint8_t *b, uint8_t proto, size_t n)
{
    const struct ipv4_hdr h = {
        .src = be32_of(0x0a000001),
        .dst = be32_of(0x0a000002),
        .total_len = (uint16_t)(20 + n),
        .ttl = 64,
        .proto = proto,
    };
    return ipv4_emit(b, &h);
}

static void check_ipv4(const uint8_t *b, size_t n, const char *want)
{
    char line[300];

    assert_int_equal(ipv4_print(line, sizeof(line), b, n), strlen(want));
    assert_string_equal(line, want);
}

static void a_syn(void **state)
{
    const struct tcp_seg s = {
        .sport = 1000,
        .dport = 80,
        .seq = {7},
        .flags = TH_SYN,
        .wnd = 65535,
        .has_mss = true,
        .mss = 1460,
        .has_sack_ok = true,
        .has_ts = true,
        .ts_val = 5,
        .has_wscale = true,
        .wscale = 6,
    };
    uint8_t b[80];
    size_t n = tcp_emit(b + 20, &s, TCP_ORDER_LINUX);

    (void)state;
    n += ipv4_for(b, IPPROTO_TCP_, n);
    check_ipv4(b, n,
               "10.0.0.1.1000 > 10.0.0.2.80: Flags [S], seq 7, win 65535, options [mss 1460,sackOK,"
               "TS val 5 ecr 0,wscale 6], length 0");
}

static void data_with_sack(void **state)
{
    const struct tcp_seg s = {
        .sport = 1,
        .dport = 2,
        .seq = {UINT32_MAX},
        .ack = {9},
        .flags = TH_ACK | TH_PUSH,
        .wnd = 10,
        .nsack = 1,
        .sack = {{{20}, {30}}},
    };
    uint8_t b[80] = {0};
    size_t n = tcp_emit(b + 20, &s, TCP_ORDER_LINUX) + 3;

    (void)state;
    n += ipv4_for(b, IPPROTO_TCP_, n);
    check_ipv4(b, n,
               "10.0.0.1.1 > 10.0.0.2.2: Flags [P.], seq 4294967295:2, ack 9, win 10, "
               "options [sack 1 {20:30}], length 3");
}

static void a_datagram(void **state)
{
    const struct udp_hdr u = {.sport = 53, .dport = 1024, .len = 8};
    uint8_t b[28];

    (void)state;
    udp_emit(b + 20, &u);
    ipv4_for(b, IPPROTO_UDP_, 8);
    check_ipv4(b, 28, "10.0.0.1.53 > 10.0.0.2.1024: UDP, length 0");
}

static void an_echo_request(void **state)
{
    const struct icmp_hdr h = {.type = ICMP_ECHO, .id = 1, .seq = 2};
    uint8_t b[28];

    (void)state;
    icmp_emit(b + 20, &h);
    ipv4_for(b, IPPROTO_ICMP_, 8);
    check_ipv4(b, 28, "10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 8");
}

static void an_arp_request_in_a_tagged_frame(void **state)
{
    const struct eth_hdr h = {
        .dst = {{255, 255, 255, 255, 255, 255}},
        .src = {{2, 0, 0, 0, 0, 1}},
        .ethertype = ETHTYPE_ARP,
        .has_vlan = true,
        .vlan = 0x6005,
    };
    const struct arp_pkt a = {
        .op = ARP_REQUEST,
        .spa = be32_of(0x0a000001),
        .tpa = be32_of(0x0a000002),
    };
    uint8_t b[46];
    char line[200];

    (void)state;
    arp_emit(b + eth_emit(b, &h), &a);
    frame_print(line, sizeof(line), b, sizeof(b));
    assert_string_equal(line, "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, vlan 5, p 3, ethertype ARP "
                              "(0x0806), length 46: Request who-has 10.0.0.2 tell 10.0.0.1");
}

static void a_line_is_cut_to_any_buffer(void **state)
{
    uint8_t b[FRAME_MAX] = {0};
    char whole[200];
    size_t n = eth_emit(b, &eth_ipv4);

    (void)state;
    n += ipv4_for(b + n, 99, 0);
    size_t want = frame_print(whole, sizeof(whole), b, n);
    for (size_t size = 1; size <= want; size++) {
        char *line = malloc(size);
        assert_int_equal(frame_print(line, size, b, n), size - 1);
        assert_memory_equal(line, whole, size - 1);
        assert_int_equal(line[size - 1], '\0');
        free(line);
    }
}

/* Each value of each byte of a frame, and each length of it. */
static void any_frame_has_a_line(void **state)
{
    const struct tcp_seg s = {.has_ts = true, .nsack = 2};
    uint8_t b[FRAME_MAX] = {0};
    char line[300];
    size_t n = eth_emit(b, &eth_ipv4);
    size_t tcp = tcp_emit(b + n + 20, &s, TCP_ORDER_LINUX);

    (void)state;
    n += ipv4_for(b + n, IPPROTO_TCP_, tcp) + tcp;
    for (size_t cut = 0; cut <= n; cut++) {
        for (size_t at = 0; at < cut; at++) {
            uint8_t *frame = exact_copy(b, cut);
            for (unsigned v = 0; v < 256; v++) {
                frame[at] = (uint8_t)v;
                assert_true(frame_print(line, sizeof(line), frame, cut) > 0);
            }
            free(frame);
        }
    }
}

static void every_reason_has_a_name(void **state)
{
    (void)state;
    for (enum wire_err e = WIRE_OK; e <= WIRE_FORMAT; e++)
        assert_string_not_equal(wire_err_name(e), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn),
        cmocka_unit_test(data_with_sack),
        cmocka_unit_test(a_datagram),
        cmocka_unit_test(an_echo_request),
        cmocka_unit_test(an_arp_request_in_a_tagged_frame),
        cmocka_unit_test(a_line_is_cut_to_any_buffer),
        cmocka_unit_test(any_frame_has_a_line),
        cmocka_unit_test(every_reason_has_a_name),
    };
    return cmocka_run_group_tests_name("wire_print", tests, NULL, NULL);
}
