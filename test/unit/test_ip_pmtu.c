/* Path MTUs (RFC 1191): only lowered, never below the floor, forgotten after ten minutes. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;

static struct ip_addr far(unsigned i)
{
    return ip4_of(192, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
}

static void a_path_is_as_wide_as_the_interface_until_told_otherwise(void **state)
{
    struct ip_addr a = far(1), b = far(2);

    (void)state;
    net_start(&h);
    assert_int_equal(ip_pmtu(&h.ip, &a, 1500), 1500);
    assert_int_equal(ip_pmtu_update(&h.ip, &a, 1300, h.now), 1300);
    assert_int_equal(ip_pmtu(&h.ip, &a, 1500), 1300);
    assert_int_equal(ip_pmtu(&h.ip, &a, 1200), 1200);
    assert_int_equal(ip_pmtu(&h.ip, &b, 1500), 1500);
    net_end(&h);
}

static void an_mtu_is_never_raised(void **state)
{
    struct ip_addr a = far(1);

    (void)state;
    net_start(&h);
    ip_pmtu_update(&h.ip, &a, 1300, h.now);
    assert_int_equal(ip_pmtu_update(&h.ip, &a, 1400, h.now), 1300);
    assert_int_equal(ip_pmtu_update(&h.ip, &a, 1200, h.now), 1200);
    assert_int_equal(ip_pmtu(&h.ip, &a, 1500), 1200);
    assert_int_equal(h.ip.stats.pmtu_lowered, 2);
    net_end(&h);
}

/* RFC 5927 7: driving the MTU to 68 is an attack. */
static void nobody_is_believed_below_the_floor(void **state)
{
    struct ip_addr a = far(1);

    (void)state;
    net_start(&h);
    for (uint32_t mtu = 0; mtu < 552; mtu++)
        assert_int_equal(ip_pmtu_update(&h.ip, &a, mtu, h.now), 552);
    net_end(&h);
}

/* RFC 1191 6.3 */
static void a_path_is_tried_again_after_ten_minutes(void **state)
{
    struct ip_addr a = far(1), b = far(2);

    (void)state;
    net_start(&h);
    ip_pmtu_update(&h.ip, &a, 1300, h.now);
    net_pass(&h, 300 * USEC_PER_SEC);
    ip_pmtu_update(&h.ip, &b, 1300, h.now);
    net_pass(&h, 290 * USEC_PER_SEC);
    assert_int_equal(ip_pmtu(&h.ip, &a, 1500), 1300);
    net_pass(&h, 75 * USEC_PER_SEC);
    assert_int_equal(ip_pmtu(&h.ip, &a, 1500), 1500);
    assert_int_equal(ip_pmtu(&h.ip, &b, 1500), 1300);
    net_pass(&h, 400 * USEC_PER_SEC);
    assert_int_equal(h.ip.pmtu_n, 0);
    assert_true(wheel_deadline(&h.wheel) == INSTANT_NEVER);
    net_end(&h);
}

static void a_flood_of_destinations_is_bounded(void **state)
{
    (void)state;
    net_limits(&h);
    h.ip_limits.pmtu = 64;
    net_start_limited(&h);
    for (unsigned i = 0; i < 10000; i++) {
        struct ip_addr a = far(i);
        assert_int_equal(ip_pmtu_update(&h.ip, &a, 1000, h.now), 1000);
        assert_int_equal(ip_pmtu(&h.ip, &a, 1500), 1000);
        assert_true(h.ip.pmtu_n <= 64);
    }
    net_pass(&h, 700 * USEC_PER_SEC);
    assert_int_equal(h.ip.pmtu_n, 0);
    net_end(&h);
}

static void a_large_datagram_is_cut_to_the_path(void **state)
{
    struct ip_flow f = {.src = net_us(), .dst = net_peer(), .proto = IPPROTO_UDP_};
    uint8_t b[NET_FRAME_MAX];
    struct pkt *p;
    unsigned n = 0;

    (void)state;
    net_start(&h);
    net_know_peer(&h);
    ip_pmtu_update(&h.ip, &f.dst, 600, h.now);
    for (unsigned again = 0; again < 2; again++) {
        p = pkt_get(&h.tx);
        p->len = 1480;
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
    }
    for (size_t len; (len = net_sent(&h, b)); n++)
        assert_true(len <= ETH_HLEN + 600);
    assert_int_equal(n, 6);
    f.df = true;
    p = pkt_get(&h.tx);
    p->len = 600;
    assert_int_equal(ip_output(&h.ip, p, &f, h.now), MR_EMSGSIZE);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_as_wide_as_the_interface_until_told_otherwise),
        cmocka_unit_test(an_mtu_is_never_raised),
        cmocka_unit_test(nobody_is_believed_below_the_floor),
        cmocka_unit_test(a_path_is_tried_again_after_ten_minutes),
        cmocka_unit_test(a_flood_of_destinations_is_bounded),
        cmocka_unit_test(a_large_datagram_is_cut_to_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
