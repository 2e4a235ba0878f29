/* ARP for our own addresses: answers (RFC 826), probes, announcements and defence (RFC 5227). */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static const struct mac_addr rival = {{2, 0, 0, 0, 9, 9}};

static be32 v4(uint8_t last)
{
    return be32_of(0x0a000000u | last);
}

static bool sent_arp(struct arp_pkt *a, struct eth_hdr *e)
{
    uint8_t b[256];
    size_t n = net_sent(&h, b);

    return n >= ETH_HLEN + ARP_LEN && eth_parse(e, b, n) == WIRE_OK &&
           e->ethertype == ETHTYPE_ARP && arp_parse(a, b + e->hlen, n - e->hlen) == WIRE_OK;
}

static void arp(uint16_t op, const struct mac_addr *sha, be32 spa, be32 tpa)
{
    struct arp_pkt a = {.op = op, .sha = *sha, .spa = spa, .tpa = tpa};

    net_arp_frame(&h, &net_broadcast, &a);
}

static int add(uint8_t last, bool probe)
{
    struct ip_addr a = ip4_addr(v4(last));

    return ip_addr_add(&h.ip, h.netif, &a, 24, probe, h.now);
}

static void a_request_for_our_address_is_answered_by_unicast(void **state)
{
    struct arp_pkt a;
    struct eth_hdr e;

    (void)state;
    net_start(&h);
    arp(ARP_REQUEST, &net_peer_mac, v4(2), v4(1));
    assert_true(sent_arp(&a, &e));
    assert_int_equal(a.op, ARP_REPLY);
    assert_true(mac_eq(&e.dst, &net_peer_mac) && mac_eq(&a.tha, &net_peer_mac));
    assert_true(mac_eq(&a.sha, &net_mac));
    assert_int_equal(a.spa.raw, v4(1).raw);
    assert_int_equal(a.tpa.raw, v4(2).raw);
    net_end(&h);
}

static void requests_for_other_addresses_are_not_answered(void **state)
{
    (void)state;
    net_start(&h);
    arp(ARP_REQUEST, &net_peer_mac, v4(2), v4(3));
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

/* RFC 5227 2.4: a probe (sender 0.0.0.0) for our address must be answered. */
static void a_probe_for_our_address_is_answered(void **state)
{
    struct arp_pkt a;
    struct eth_hdr e;

    (void)state;
    net_start(&h);
    arp(ARP_REQUEST, &rival, (be32){0}, v4(1));
    assert_true(sent_arp(&a, &e));
    assert_int_equal(a.op, ARP_REPLY);
    assert_true(mac_eq(&a.tha, &rival));
    assert_int_equal(h.eth.stats.arp_conflicts, 0);
    net_end(&h);
}

static void malformed_arp_is_dropped(void **state)
{
    static const struct mac_addr zero, group = {{1, 0, 0, 0, 0, 0}};
    uint8_t b[64];
    size_t n = net_put_eth(b, &net_mac, ETHTYPE_ARP);
    struct arp_pkt a = {.op = ARP_REQUEST, .sha = net_peer_mac, .spa = v4(2), .tpa = v4(1)};

    (void)state;
    net_start(&h);
    arp_emit(b + n, &a);
    for (size_t cut = 0; cut < ARP_LEN; cut++)
        net_frame(&h, b, n + cut);
    assert_int_equal(h.eth.stats.drop_arp_malformed, ARP_LEN);
    b[n + 1] = 6; /* hardware type */
    net_frame(&h, b, n + ARP_LEN);
    arp(3, &net_peer_mac, v4(2), v4(1));
    arp(ARP_REQUEST, &zero, v4(2), v4(1));
    arp(ARP_REQUEST, &group, v4(2), v4(1));
    arp(ARP_REQUEST, &net_peer_mac, be32_of(0xffffffff), v4(1));
    arp(ARP_REQUEST, &net_peer_mac, be32_of(0x7f000001), v4(1));
    arp(ARP_REPLY, &net_peer_mac, (be32){0}, v4(1));
    assert_int_equal(h.eth.stats.drop_arp_malformed, ARP_LEN + 7);
    arp(ARP_REQUEST, &net_mac, v4(2), v4(1));
    assert_int_equal(h.eth.stats.drop_src_mac, 1);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

static void answers_are_rate_limited(void **state)
{
    (void)state;
    net_limits(&h);
    h.eth_limits.arp_rate = 10;
    net_start_limited(&h);
    for (unsigned i = 0; i < 100; i++)
        arp(ARP_REQUEST, &net_peer_mac, v4(2), v4(1));
    assert_int_equal(h.eth.stats.arp_replies_sent, 10);
    assert_int_equal(h.eth.stats.drop_arp_rate, 90);
    net_drop_sent(&h);
    net_pass(&h, USEC_PER_SEC / 2);
    for (unsigned i = 0; i < 100; i++)
        arp(ARP_REQUEST, &net_peer_mac, v4(2), v4(1));
    assert_int_equal(h.eth.stats.arp_replies_sent, 15);
    net_end(&h);
}

static void a_new_address_is_announced_twice(void **state)
{
    struct arp_pkt a;
    struct eth_hdr e;

    (void)state;
    net_limits(&h);
    net_start_bare(&h);
    assert_true(add(1, false) > 0);
    assert_true(sent_arp(&a, &e));
    assert_true(a.op == ARP_REQUEST && a.spa.raw == v4(1).raw && a.tpa.raw == v4(1).raw);
    assert_true(mac_is_broadcast(&e.dst));
    net_pass(&h, 3 * USEC_PER_SEC);
    assert_true(sent_arp(&a, &e));
    net_pass(&h, 30 * USEC_PER_SEC);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

/* RFC 5227 2.1.1: three probes, 1 to 2 s apart, then 2 s, then two announcements. */
static void a_probed_address_is_usable_only_after_its_probes(void **state)
{
    struct ip_addr us = net_us();
    struct arp_pkt a;
    struct eth_hdr e;
    int lidx;

    (void)state;
    net_limits(&h);
    net_start_bare(&h);
    lidx = add(1, true);
    assert_true(lidx > 0);
    assert_int_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    for (unsigned i = 0; i < 3; i++) {
        instant from = h.now;
        while (h.eth.txq.n == 0)
            net_pass(&h, 10 * USEC_PER_MSEC);
        assert_true(sent_arp(&a, &e));
        assert_true(a.op == ARP_REQUEST && a.spa.raw == 0 && a.tpa.raw == v4(1).raw);
        assert_true(h.now - from <= 2 * USEC_PER_SEC + 20 * USEC_PER_MSEC);
        assert_true(i == 0 || h.now - from >= 990 * USEC_PER_MSEC);
        assert_int_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    }
    net_pass(&h, 2100 * USEC_PER_MSEC);
    assert_int_equal(ip_lidx(&h.ip, &us), lidx);
    assert_true(sent_arp(&a, &e));
    assert_int_equal(a.spa.raw, v4(1).raw);
    net_end(&h);
}

static void an_address_that_another_host_has_is_not_taken(void **state)
{
    struct ip_addr us = net_us();
    int lidx;

    (void)state;
    net_limits(&h);
    net_start_bare(&h);
    lidx = add(1, true);
    net_pass(&h, 1500 * USEC_PER_MSEC);
    arp(ARP_REPLY, &rival, v4(1), (be32){0});
    net_pass(&h, 20 * USEC_PER_SEC);
    assert_int_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    assert_int_equal(eth_addr_state(&h.eth, (unsigned)lidx), ETH_ADDR_CONFLICT);
    assert_int_equal(h.eth.stats.arp_addr_lost, 1);
    assert_int_equal(ip_addr_del(&h.ip, &us), 0);
    net_end(&h);
}

/* RFC 5227 2.1.1: two hosts that probe for the same address at once both lose it. */
static void an_address_that_another_host_probes_for_is_not_taken(void **state)
{
    struct ip_addr us = net_us();

    (void)state;
    net_limits(&h);
    net_start_bare(&h);
    add(1, true);
    net_pass(&h, 500 * USEC_PER_MSEC);
    arp(ARP_REQUEST, &rival, (be32){0}, v4(1));
    net_pass(&h, 20 * USEC_PER_SEC);
    assert_int_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    net_end(&h);
}

/* RFC 5227 2.4 (c): one announcement in ten seconds, however often the other insists. */
static void an_address_is_defended_once_in_ten_seconds(void **state)
{
    struct ip_addr us = net_us();
    struct arp_pkt a;
    struct eth_hdr e;

    (void)state;
    net_start(&h);
    net_pass(&h, 10 * USEC_PER_SEC);
    net_drop_sent(&h);
    for (unsigned i = 0; i < 100; i++)
        arp(ARP_REQUEST, &rival, v4(1), v4(1));
    assert_int_equal(h.eth.stats.arp_conflicts, 100);
    assert_int_equal(h.eth.stats.arp_defended, 1);
    assert_true(sent_arp(&a, &e));
    assert_true(a.spa.raw == v4(1).raw && mac_eq(&a.sha, &net_mac));
    assert_int_equal(h.eth.txq.n, 0);
    net_pass(&h, 11 * USEC_PER_SEC);
    arp(ARP_REPLY, &rival, v4(1), v4(2));
    assert_int_equal(h.eth.stats.arp_defended, 2);
    assert_int_not_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    net_end(&h);
}

/* RFC 5227 2.4 (b) */
static void a_yielding_host_gives_its_address_up_at_the_second_conflict(void **state)
{
    struct ip_addr us = net_us();
    struct ip_flow f = {.src = us, .dst = net_peer(), .proto = IPPROTO_UDP_};
    struct pkt *p;

    (void)state;
    net_limits(&h);
    h.eth_limits.arp_yield = true;
    net_start_limited(&h);
    net_know_peer(&h);
    p = pkt_get(&h.tx);
    p->len = 8;
    assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
    arp(ARP_REQUEST, &rival, v4(1), v4(1));
    assert_int_not_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    arp(ARP_REQUEST, &rival, v4(1), v4(1));
    assert_int_equal(ip_lidx(&h.ip, &us), IP_LIDX_NONE);
    p = pkt_get(&h.tx);
    p->len = 8;
    assert_int_equal(ip_output(&h.ip, p, &f, h.now), MR_EADDRNOTAVAIL);
    net_end(&h);
}

static void a_deleted_address_is_no_longer_answered_for(void **state)
{
    struct ip_addr us = net_us();

    (void)state;
    net_start(&h);
    assert_int_equal(ip_addr_del(&h.ip, &us), 0);
    arp(ARP_REQUEST, &net_peer_mac, v4(2), v4(1));
    assert_int_equal(h.eth.txq.n, 0);
    net_pass(&h, 10 * USEC_PER_SEC);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

static void without_packets_arp_is_counted_not_sent(void **state)
{
    struct pkt_list taken = {NULL, NULL, 0};
    struct pkt *p;

    (void)state;
    net_start(&h);
    while ((p = pkt_get(&h.tx)))
        pkt_list_append(&taken, p);
    arp(ARP_REQUEST, &net_peer_mac, v4(2), v4(1));
    assert_int_equal(h.eth.stats.drop_arp_nobuf, 1);
    pkt_list_put_all(&taken);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_for_our_address_is_answered_by_unicast),
        cmocka_unit_test(requests_for_other_addresses_are_not_answered),
        cmocka_unit_test(a_probe_for_our_address_is_answered),
        cmocka_unit_test(malformed_arp_is_dropped),
        cmocka_unit_test(answers_are_rate_limited),
        cmocka_unit_test(a_new_address_is_announced_twice),
        cmocka_unit_test(a_probed_address_is_usable_only_after_its_probes),
        cmocka_unit_test(an_address_that_another_host_has_is_not_taken),
        cmocka_unit_test(an_address_that_another_host_probes_for_is_not_taken),
        cmocka_unit_test(an_address_is_defended_once_in_ten_seconds),
        cmocka_unit_test(a_yielding_host_gives_its_address_up_at_the_second_conflict),
        cmocka_unit_test(a_deleted_address_is_no_longer_answered_for),
        cmocka_unit_test(without_packets_arp_is_counted_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
