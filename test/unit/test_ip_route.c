/* Addresses and routes (RFC 1122 3.3.1, 3.3.4). */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/net_host.h"

static struct net_host h;

static bool route(struct ip_addr dst, struct ip_route_info *r)
{
    return ip_route(&h.ip, &dst, NULL, r);
}

static void on_link_and_by_gateway(void **state)
{
    struct ip_addr gateway = ip4_of(10, 0, 0, 254), peer = net_peer(), us = net_us();
    struct ip_route_info r;

    (void)state;
    net_start(&h);
    assert_true(route(peer, &r));
    assert_true(ip_eq(&r.nexthop, &peer) && ip_eq(&r.src, &us) && r.netif == h.netif);
    assert_true(r.mtu == 1500 && !r.local && !r.broadcast && !r.multicast);
    assert_int_equal(r.lidx, ip_lidx(&h.ip, &us));
    assert_true(route(ip4_of(192, 0, 2, 1), &r));
    assert_true(ip_eq(&r.nexthop, &gateway) && ip_eq(&r.src, &us));
    net_end(&h);
}

static void our_own_addresses_are_local(void **state)
{
    struct ip_addr us = net_us(), lo = ip4_of(127, 0, 0, 1);
    struct ip_route_info r;

    (void)state;
    net_start(&h);
    assert_true(route(us, &r));
    assert_true(r.local && r.netif == NETIF_LO && r.mtu == 65535 && ip_eq(&r.src, &us));
    assert_true(route(lo, &r));
    assert_true(r.local && ip_eq(&r.src, &lo) && r.lidx == IP_LIDX_LO);
    net_end(&h);
}

static void groups_are_told_apart(void **state)
{
    struct ip_route_info r;

    (void)state;
    net_start(&h);
    assert_true(route(ip4_of(255, 255, 255, 255), &r) && r.broadcast && !r.multicast);
    assert_true(route(ip4_of(10, 0, 0, 255), &r) && r.broadcast);
    assert_true(route(ip4_of(224, 0, 0, 5), &r) && r.multicast && !r.broadcast);
    assert_false(route(ip4_of(240, 0, 0, 5), &r));
    assert_false(route(ip4_of(0, 0, 0, 0), &r));
    assert_false(route(ip4_of(127, 0, 0, 2), &r));
    net_end(&h);
}

static void groups_need_no_route_but_an_interface(void **state)
{
    struct ip_addr any = ip4_of(0, 0, 0, 0), group = ip4_of(224, 0, 0, 5), us = net_us();
    struct ip_route_info r;

    (void)state;
    net_start(&h);
    assert_int_equal(ip_route_del(&h.ip, &any, 0), 0);
    assert_true(route(group, &r) && r.netif == h.netif && ip_eq(&r.src, &us));
    assert_true(ip_route(&h.ip, &group, &us, &r) && r.netif == h.netif);
    assert_true(route(ip4_of(255, 255, 255, 255), &r) && r.netif == h.netif);
    assert_false(route(ip4_of(192, 0, 2, 1), &r));
    assert_int_equal(ip_addr_del(&h.ip, &us), 0);
    assert_false(route(group, &r));
    net_end(&h);
}

/* RFC 1122 3.2.1.3 (g): 127/8 never leaves the host. */
static void a_loopback_source_cannot_leave(void **state)
{
    struct ip_addr lo = ip4_of(127, 0, 0, 1), peer = net_peer(), foreign = ip4_of(10, 0, 0, 9);
    struct ip_route_info r;

    (void)state;
    net_start(&h);
    assert_false(ip_route(&h.ip, &peer, &lo, &r));
    assert_false(ip_route(&h.ip, &peer, &foreign, &r));
    net_end(&h);
}

static void the_source_is_the_address_on_the_next_hops_subnet(void **state)
{
    struct ip_addr second = ip4_of(172, 16, 0, 1), gateway = ip4_of(172, 16, 0, 254);
    struct ip_addr net = ip4_of(198, 51, 100, 0);
    struct ip_route_info r;

    (void)state;
    net_start(&h);
    assert_true(ip_addr_add(&h.ip, h.netif, &second, 16, false, h.now) > 0);
    assert_int_equal(ip_route_add(&h.ip, &net, 24, &gateway, h.netif), 0);
    assert_true(route(ip4_of(172, 16, 9, 9), &r));
    assert_true(ip_eq(&r.src, &second));
    assert_true(route(ip4_of(198, 51, 100, 7), &r));
    assert_true(ip_eq(&r.src, &second) && ip_eq(&r.nexthop, &gateway));
    net_end(&h);
}

static void addresses_that_no_host_may_have_are_refused(void **state)
{
    static const struct {
        uint8_t a[4];
        unsigned prefix;
    } bad[] = {{{0, 0, 0, 0}, 24},       {{224, 0, 0, 1}, 24},   {{255, 255, 255, 255}, 24},
               {{10, 1, 0, 0}, 24},      {{10, 1, 0, 255}, 24},  {{127, 0, 0, 2}, 8},
               {{10, 1, 0, 1}, 0},       {{10, 1, 0, 1}, 33},    {{240, 1, 2, 3}, 24}};
    struct ip_addr us = net_us(), a;

    (void)state;
    net_start(&h);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        a = ip4_of(bad[i].a[0], bad[i].a[1], bad[i].a[2], bad[i].a[3]);
        assert_int_equal(ip_addr_add(&h.ip, h.netif, &a, bad[i].prefix, false, h.now), MR_EINVAL);
    }
    assert_int_equal(ip_addr_add(&h.ip, h.netif, &us, 24, false, h.now), MR_EADDRINUSE);
    a = ip4_of(10, 1, 0, 1);
    assert_int_equal(ip_addr_add(&h.ip, 7, &a, 24, false, h.now), MR_EINVAL);
    /* RFC 3021: both addresses of a /31 are hosts. */
    a = ip4_of(10, 1, 0, 0);
    assert_true(ip_addr_add(&h.ip, h.netif, &a, 31, false, h.now) > 0);
    net_end(&h);
}

static void every_address_is_found_and_a_deleted_one_is_not(void **state)
{
    struct ip_addr a;
    unsigned n = 0;

    (void)state;
    net_start(&h);
    for (unsigned i = 0; i < 100; i++) {
        a = ip4_of(10, 9, (uint8_t)i, 1);
        n += ip_addr_add(&h.ip, h.netif, &a, 32, false, h.now) > 0;
    }
    assert_int_equal(n, IP_ADDRS_MAX - 2);
    for (unsigned i = 0; i < n; i += 2) {
        a = ip4_of(10, 9, (uint8_t)i, 1);
        assert_int_equal(ip_addr_del(&h.ip, &a), 0);
        assert_int_equal(ip_addr_del(&h.ip, &a), MR_EADDRNOTAVAIL);
    }
    for (unsigned i = 0; i < n; i++) {
        a = ip4_of(10, 9, (uint8_t)i, 1);
        uint16_t lidx = ip_lidx(&h.ip, &a);
        assert_int_equal(lidx != IP_LIDX_NONE, i % 2);
        if (i % 2)
            assert_true(ip_eq(ip_laddr(&h.ip, lidx), &a));
    }
    net_end(&h);
}

static void a_connected_route_goes_with_its_last_address(void **state)
{
    struct ip_addr a = ip4_of(172, 16, 0, 1), b = ip4_of(172, 16, 0, 2);
    struct ip_route_info r;
    uint32_t before;

    (void)state;
    net_start(&h);
    before = h.ip.nroutes;
    ip_addr_add(&h.ip, h.netif, &a, 24, false, h.now);
    ip_addr_add(&h.ip, h.netif, &b, 24, false, h.now);
    ip_addr_del(&h.ip, &a);
    assert_true(route(ip4_of(172, 16, 0, 9), &r));
    assert_true(ip_eq(&r.src, &b));
    ip_addr_del(&h.ip, &b);
    assert_int_equal(h.ip.nroutes, before);
    net_end(&h);
}

static void the_route_table_is_bounded_and_checked(void **state)
{
    struct ip_addr net = ip4_of(192, 0, 2, 0), bad = ip4_of(224, 0, 0, 1);
    unsigned n = 0;

    (void)state;
    net_start(&h);
    assert_int_equal(ip_route_add(&h.ip, &net, 33, NULL, h.netif), MR_EINVAL);
    assert_int_equal(ip_route_add(&h.ip, &net, 24, NULL, NETIF_LO), MR_EINVAL);
    assert_int_equal(ip_route_add(&h.ip, &net, 24, NULL, 9), MR_EINVAL);
    assert_int_equal(ip_route_add(&h.ip, &net, 24, &bad, h.netif), MR_EINVAL);
    assert_int_equal(ip_route_del(&h.ip, &net, 24), MR_EINVAL);
    for (unsigned i = 0; i < 100; i++) {
        struct ip_addr a = ip4_of(192, 0, (uint8_t)i, 0);
        n += ip_route_add(&h.ip, &a, 24, NULL, h.netif) == 0;
    }
    assert_int_equal(n, h.ip.limits.routes - 2);
    assert_int_equal(ip_route_add(&h.ip, &net, 24, NULL, h.netif), 0); /* replaces */
    net_end(&h);
}

/* Random prefixes against a search of all of them. */
static void the_longest_prefix_wins(void **state)
{
    enum { N = 50 };
    struct {
        uint32_t addr, mask, gateway;
    } model[N];
    struct rng rng;

    (void)state;
    net_start(&h);
    rng_init(&rng, 9);
    for (unsigned i = 0; i < N; i++) {
        unsigned len = 1 + rng_below(&rng, 20);
        model[i].mask = UINT32_MAX << (32 - len);
        model[i].addr = (0xc0000000u | (rng_u32(&rng) >> 4 << 4 & 0x1fffffff)) & model[i].mask;
        model[i].gateway = 0x0a000002 + i;
        struct ip_addr a = ip4_addr(be32_of(model[i].addr));
        struct ip_addr g = ip4_addr(be32_of(model[i].gateway));
        assert_int_equal(ip_route_add(&h.ip, &a, len, &g, h.netif), 0);
        for (unsigned k = 0; k < i; k++)
            if (model[k].addr == model[i].addr && model[k].mask == model[i].mask)
                model[k].gateway = model[i].gateway;
    }
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t dst = 0xc0000000u | (rng_u32(&rng) & 0x1fffffff), want = 0x0a0000fe, best = 0;
        struct ip_route_info r;
        for (unsigned k = 0; k < N; k++)
            if ((dst & model[k].mask) == model[k].addr && model[k].mask > best) {
                best = model[k].mask;
                want = model[k].gateway;
            }
        assert_true(route(ip4_addr(be32_of(dst)), &r));
        assert_int_equal(be32_get(ip_v4(&r.nexthop)), want);
    }
    net_end(&h);
}

/* A cached next hop must not outlive the route it came from. */
static void a_changed_route_is_followed_by_flows_that_know_another(void **state)
{
    struct ip_addr dst = ip4_of(192, 0, 2, 1), other = ip4_of(10, 0, 0, 7);
    struct ip_flow f = {.src = net_us(), .dst = dst, .proto = IPPROTO_UDP_};
    struct ip_addr gateway = ip4_of(10, 0, 0, 254);
    static const struct mac_addr mac_b = {{2, 0, 0, 0, 0, 7}};
    uint8_t b[NET_FRAME_MAX];

    (void)state;
    net_start(&h);
    eth_neigh_add_permanent(&h.eth, h.netif, &gateway, &net_peer_mac);
    eth_neigh_add_permanent(&h.eth, h.netif, &other, &mac_b);
    for (unsigned i = 0; i < 2; i++) {
        struct pkt *p = pkt_get(&h.tx);
        p->len = 8;
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
        net_sent(&h, b);
        assert_memory_equal(b, i ? mac_b.b : net_peer_mac.b, 6);
        ip_route_add(&h.ip, &dst, 32, &other, h.netif);
    }
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_link_and_by_gateway),
        cmocka_unit_test(our_own_addresses_are_local),
        cmocka_unit_test(groups_are_told_apart),
        cmocka_unit_test(groups_need_no_route_but_an_interface),
        cmocka_unit_test(a_loopback_source_cannot_leave),
        cmocka_unit_test(the_source_is_the_address_on_the_next_hops_subnet),
        cmocka_unit_test(addresses_that_no_host_may_have_are_refused),
        cmocka_unit_test(every_address_is_found_and_a_deleted_one_is_not),
        cmocka_unit_test(a_connected_route_goes_with_its_last_address),
        cmocka_unit_test(the_route_table_is_bounded_and_checked),
        cmocka_unit_test(the_longest_prefix_wins),
        cmocka_unit_test(a_changed_route_is_followed_by_flows_that_know_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
