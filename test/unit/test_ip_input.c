/* Which packets come in (RFC 1122 3.2.1), and why the others do not. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static const uint8_t payload[8] = {0x12, 0x34, 0x00, 0x35, 0, 8, 0, 0};

static void start(void)
{
    net_start(&h);
    net_know_peer(&h);
}

/* One UDP packet from the peer, its header changed by the test. */
static unsigned input(struct ipv4_hdr ip)
{
    net_ip_frame(&h, &ip, payload, sizeof(payload));
    return h.got.udp.n;
}

static be32 v4(uint32_t a)
{
    return be32_of(a);
}

static void a_packet_for_us_is_delivered_at_its_transport_header(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    struct ip_addr us = net_us(), peer = net_peer();
    struct ip_info *info;
    struct pkt *p;

    (void)state;
    start();
    ip.tos = 0x10;
    ip.ttl = 7;
    assert_int_equal(input(ip), 1);
    p = h.got.udp.p[0];
    info = ip_info(p);
    assert_memory_equal(p->data, payload, 8);
    assert_int_equal(p->len, 8);
    assert_true(ip_eq(&info->src, &peer) && ip_eq(&info->dst, &us));
    assert_int_equal(info->lidx, ip_lidx(&h.ip, &us));
    assert_int_equal(info->payload_len, 8);
    assert_true(info->proto == IPPROTO_UDP_ && info->tos == 0x10 && info->ttl == 7);
    assert_int_equal(info->src_route_n, 0);
    assert_ptr_equal(p->buf + p->l4_off, p->data);
    assert_ptr_equal(p->buf + p->l3_off, p->data - IPV4_HLEN);
    net_end(&h);
}

static void tcp_and_udp_are_sorted_apart(void **state)
{
    (void)state;
    start();
    input(net_ip_hdr(IPPROTO_TCP_));
    assert_int_equal(h.got.tcp.n, 1);
    assert_int_equal(h.got.udp.n, 0);
    net_end(&h);
}

/* RFC 894: short packets come with padding. */
static void padding_behind_the_packet_is_cut_off(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    memset(frame + n, 0xee, 60);
    net_frame(&h, frame, n + 60);
    assert_int_equal(h.got.udp.n, 1);
    assert_int_equal(h.got.udp.p[0]->len, 8);
    net_end(&h);
}

/* Ripple20 class: CVE-2020-11896, CVE-2020-17441. */
static void a_total_length_beyond_the_frame_is_refused(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    for (size_t cut = 1; cut <= n - ETH_HLEN; cut++)
        net_frame(&h, frame, n - cut);
    assert_int_equal(h.got.udp.n, 0);
    assert_int_equal(h.ip.stats.drop_length, 8);
    assert_int_equal(h.ip.stats.drop_short, 20);
    net_end(&h);
}

static void a_total_length_below_the_header_is_refused(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    uint16_t csum;
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    store_be16(frame + ETH_HLEN + 2, 19);
    memset(frame + ETH_HLEN + 10, 0, 2);
    csum = csum_finish(csum_add_portable(frame + ETH_HLEN, 20, 0));
    memcpy(frame + ETH_HLEN + 10, &csum, 2);
    net_frame(&h, frame, n);
    assert_int_equal(h.ip.stats.drop_length, 1);
    net_end(&h);
}

/* CVE-2018-16601 class. */
static void a_header_length_below_five_or_past_the_packet_is_refused(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    for (unsigned ihl = 0; ihl < 5; ihl++) {
        frame[ETH_HLEN] = (uint8_t)(0x40 | ihl);
        net_frame(&h, frame, n);
    }
    frame[ETH_HLEN] = 0x4f;
    net_frame(&h, frame, n);
    assert_int_equal(h.ip.stats.drop_hlen, 6);
    net_end(&h);
}

static void other_versions_are_refused(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    for (unsigned v = 0; v < 16; v++) {
        frame[ETH_HLEN] = (uint8_t)(v << 4 | 5);
        if (v != 4)
            net_frame(&h, frame, n);
    }
    assert_int_equal(h.ip.stats.drop_version, 15);
    net_end(&h);
}

static void every_single_bit_error_in_the_header_is_caught(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    for (unsigned bit = 0; bit < 160; bit++) {
        frame[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
        net_frame(&h, frame, n);
        assert_int_equal(h.got.udp.n + h.got.tcp.n, 0);
        frame[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    net_end(&h);
}

/* Smurf, LAND (CVE-1999-0016) and forged sources. */
static void sources_that_are_no_host_are_refused(void **state)
{
    static const uint32_t bad[] = {0,          0x00010203, 0xe0000001, 0xefffffff, 0xf0000001,
                                   0xffffffff, 0x0a0000ff, 0x0a000001};
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        ip.src = v4(bad[i]);
        assert_int_equal(input(ip), 0);
    }
    assert_int_equal(h.ip.stats.drop_src, ARRAY_LEN(bad));
    net_end(&h);
}

/* RFC 1122 3.2.1.3 (g) */
static void loopback_addresses_on_the_wire_are_refused(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    (void)state;
    start();
    ip.src = v4(0x7f000001);
    input(ip);
    ip = net_ip_hdr(IPPROTO_UDP_);
    ip.dst = v4(0x7f000001);
    input(ip);
    assert_int_equal(h.ip.stats.drop_loopback_wire, 2);
    net_end(&h);
}

static void packets_for_others_are_never_forwarded(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    (void)state;
    start();
    ip.dst = v4(0x0a000003);
    assert_int_equal(input(ip), 0);
    ip.dst = v4(0xe00000fb);
    assert_int_equal(input(ip), 0);
    assert_int_equal(h.ip.stats.drop_not_ours, 2);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

static void broadcasts_are_delivered_without_an_address_of_ours(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    static const uint32_t group[] = {0xffffffff, 0x0a0000ff, 0xe0000001};

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(group); i++) {
        ip.dst = v4(group[i]);
        assert_int_equal(input(ip), 1);
        assert_int_equal(ip_info(h.got.udp.p[0])->lidx, IP_LIDX_NONE);
    }
    net_end(&h);
}

/* RFC 1122 3.3.6 */
static void a_unicast_packet_in_a_broadcast_frame_is_refused(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t frame[256];
    size_t n;

    (void)state;
    start();
    n = net_put_ip(frame, &ip, payload, sizeof(payload));
    memset(frame, 0xff, 6);
    net_frame(&h, frame, n);
    assert_int_equal(h.got.udp.n, 0);
    assert_int_equal(h.ip.stats.drop_l2_broadcast, 1);
    net_end(&h);
}

/* RFC 1122 3.2.2.1 */
static void an_unknown_transport_is_answered_with_protocol_unreachable(void **state)
{
    uint8_t b[NET_FRAME_MAX];

    (void)state;
    start();
    input(net_ip_hdr(99));
    assert_int_equal(h.ip.stats.drop_proto, 1);
    assert_true(net_sent(&h, b) > 0);
    assert_int_equal(b[ETH_HLEN + IPV4_HLEN], ICMP_UNREACH);
    assert_int_equal(b[ETH_HLEN + IPV4_HLEN + 1], ICMP_UNREACH_PROTO);
    net_end(&h);
}

/* CVE-2012-0207: a query with a response time of 0.  We are in one group that is never reported. */
static void an_igmp_query_is_dropped_in_silence(void **state)
{
    static const uint8_t router_alert[4] = {0x94, 4, 0, 0};
    struct ipv4_hdr ip = net_ip_hdr(2);
    uint8_t query[8] = {0x11, 0, 0xee, 0xff};

    (void)state;
    start();
    ip.dst = v4(0xe0000001);
    ip.ttl = 1;
    ip.opt = router_alert;
    ip.optlen = 4;
    net_ip_frame(&h, &ip, query, sizeof(query));
    assert_int_equal(h.ip.stats.drop_proto, 1);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

/* ---- options ------------------------------------------------------------------------- */

static struct ipv4_hdr with_options(const uint8_t *opt, uint8_t n)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    ip.opt = opt;
    ip.optlen = n;
    return ip;
}

static void harmless_options_are_passed_over(void **state)
{
    static const uint8_t opt[12] = {IPOPT_NOP, 0x94, 4, 0, 0, 0x82, 3, 1, IPOPT_EOL, 9, 9, 9};

    (void)state;
    start();
    assert_int_equal(input(with_options(opt, 12)), 1);
    assert_int_equal(h.got.udp.p[0]->len, 8);
    net_end(&h);
}

/* CVE-2021-24074, CVE-2019-12256 class: the sender is told where, and nothing else happens. */
static void malformed_options_are_answered_with_their_offset(void **state)
{
    static const struct {
        uint8_t opt[8], pointer;
    } bad[] = {
        {{IPOPT_RR, 0, 4, 0}, 21},        /* length 0 */
        {{IPOPT_RR, 1, 4, 0}, 21},        /* length 1 */
        {{IPOPT_RR, 9, 4, 0}, 21},        /* past the header */
        {{IPOPT_NOP, 1, 1, 1, 1, 1, 1, IPOPT_RR}, 27}, /* no length */
        {{IPOPT_RR, 7, 3, 0}, 20},        /* pointer below the data */
        {{IPOPT_RR, 6, 4, 0}, 20},        /* no whole addresses */
        {{IPOPT_TS, 8, 4, 0}, 20},        /* pointer below the data */
        {{IPOPT_NOP, IPOPT_LSRR, 6, 4}, 21}, /* no whole addresses */
    };
    uint8_t b[NET_FRAME_MAX];

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(input(with_options(bad[i].opt, 8)), 0);
        assert_true(net_sent(&h, b) > 0);
        assert_int_equal(b[ETH_HLEN + IPV4_HLEN], ICMP_PARAM_PROBLEM);
        assert_int_equal(b[ETH_HLEN + IPV4_HLEN + 4], bad[i].pointer);
    }
    assert_int_equal(h.ip.stats.drop_option, ARRAY_LEN(bad));
    net_end(&h);
}

/* RFC 1122 3.2.1.8 (c): what comes back goes the same way in reverse. */
static void a_completed_source_route_is_kept_in_reverse(void **state)
{
    static const uint8_t opt[12] = {IPOPT_LSRR, 11, 12, 10, 9, 9, 1, 10, 9, 9, 2, IPOPT_EOL};
    struct ipv4_hdr ip = with_options(opt, 12);
    const struct ip_info *info;

    (void)state;
    start();
    assert_int_equal(input(ip), 1);
    info = ip_info(h.got.udp.p[0]);
    assert_int_equal(info->src_route_n, 3);
    assert_int_equal(be32_get(info->src_route[0]), 0x0a090902);
    assert_int_equal(be32_get(info->src_route[1]), 0x0a090901);
    assert_int_equal(info->src_route[2].raw, ip.src.raw);
    net_end(&h);
}

static void a_source_route_that_goes_on_is_refused(void **state)
{
    static const uint8_t opt[12] = {IPOPT_LSRR, 11, 8, 10, 9, 9, 1, 10, 9, 9, 2, IPOPT_EOL};
    uint8_t b[NET_FRAME_MAX];

    (void)state;
    start();
    assert_int_equal(input(with_options(opt, 12)), 0);
    assert_int_equal(h.ip.stats.drop_source_route, 1);
    assert_true(net_sent(&h, b) > 0);
    assert_int_equal(b[ETH_HLEN + IPV4_HLEN + 1], ICMP_UNREACH_SRCFAIL);
    net_end(&h);
}

static void two_source_routes_are_malformed(void **state)
{
    static const uint8_t opt[16] = {IPOPT_LSRR, 7, 8, 10, 9, 9, 1,
                                    IPOPT_SSRR, 7, 8, 10, 9, 9, 2, 0, 0};

    (void)state;
    start();
    assert_int_equal(input(with_options(opt, 16)), 0);
    assert_int_equal(h.ip.stats.drop_option, 1);
    net_end(&h);
}

/* Nobody shall lead our answers to a group, or in a circle through us. */
static void a_source_route_over_no_host_is_refused(void **state)
{
    static const uint8_t hop[][4] = {{255, 255, 255, 255}, {224, 0, 0, 1}, {10, 0, 0, 255},
                                     {10, 0, 0, 1},        {127, 0, 0, 1}, {0, 0, 0, 0}};

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(hop); i++) {
        uint8_t opt[8] = {IPOPT_LSRR, 7, 8, 0, 0, 0, 0, 0};
        memcpy(opt + 3, hop[i], 4);
        assert_int_equal(input(with_options(opt, 8)), 0);
    }
    assert_int_equal(h.ip.stats.drop_option, ARRAY_LEN(hop));
    net_end(&h);
}

/* Forty bytes of options, all of them random: whatever comes, nothing breaks and nothing leaks. */
static void random_options_do_no_harm(void **state)
{
    struct rng rng;
    uint8_t opt[40];

    (void)state;
    start();
    rng_init(&rng, 11);
    for (unsigned i = 0; i < 100000; i++) {
        struct ipv4_hdr ip;
        uint8_t n = (uint8_t)(4 * (1 + rng_below(&rng, 10)));
        static const uint8_t kinds[] = {0, 1, 7, 68, 131, 137, 148};
        for (unsigned k = 0; k < n; k++)
            opt[k] = (uint8_t)rng_below(&rng, rng_chance(&rng, 1, 2) ? 45 : 256);
        opt[0] = kinds[rng_below(&rng, ARRAY_LEN(kinds))];
        ip = with_options(opt, n);
        if (rng_chance(&rng, 1, 3))
            ip.proto = IPPROTO_ICMP_;
        input(ip);
        net_drop_sent(&h);
        h.now += 1000;
    }
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_for_us_is_delivered_at_its_transport_header),
        cmocka_unit_test(tcp_and_udp_are_sorted_apart),
        cmocka_unit_test(padding_behind_the_packet_is_cut_off),
        cmocka_unit_test(a_total_length_beyond_the_frame_is_refused),
        cmocka_unit_test(a_total_length_below_the_header_is_refused),
        cmocka_unit_test(a_header_length_below_five_or_past_the_packet_is_refused),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(every_single_bit_error_in_the_header_is_caught),
        cmocka_unit_test(sources_that_are_no_host_are_refused),
        cmocka_unit_test(loopback_addresses_on_the_wire_are_refused),
        cmocka_unit_test(packets_for_others_are_never_forwarded),
        cmocka_unit_test(broadcasts_are_delivered_without_an_address_of_ours),
        cmocka_unit_test(a_unicast_packet_in_a_broadcast_frame_is_refused),
        cmocka_unit_test(an_unknown_transport_is_answered_with_protocol_unreachable),
        cmocka_unit_test(an_igmp_query_is_dropped_in_silence),
        cmocka_unit_test(harmless_options_are_passed_over),
        cmocka_unit_test(malformed_options_are_answered_with_their_offset),
        cmocka_unit_test(a_completed_source_route_is_kept_in_reverse),
        cmocka_unit_test(a_source_route_that_goes_on_is_refused),
        cmocka_unit_test(two_source_routes_are_malformed),
        cmocka_unit_test(a_source_route_over_no_host_is_refused),
        cmocka_unit_test(random_options_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
