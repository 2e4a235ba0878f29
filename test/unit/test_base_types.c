/* Numbers, bits and addresses. */
#include "lib/cmocka_first.h"

#include "base/addr.h"
#include "base/bits.h"
#include "base/copy.h"
#include "base/types.h"

static void network_order_is_most_significant_byte_first(void **state)
{
    uint8_t b[6] = {0};
    be32 n = be32_of(0x01020304);

    (void)state;
    assert_memory_equal(&n, "\1\2\3\4", 4);
    assert_int_equal(be32_get(n), 0x01020304);
    assert_int_equal(be16_get(be16_of(0xabcd)), 0xabcd);
    store_be32(b + 1, 0x0a0b0c0d);
    assert_memory_equal(b, "\0\x0a\x0b\x0c\x0d\0", 6);
    assert_int_equal(load_be32(b + 1), 0x0a0b0c0d);
    store_be16(b + 3, 0xfffe);
    assert_int_equal(load_be16(b + 3), 0xfffe);
}

static void powers_of_two_round_up_and_not_past(void **state)
{
    (void)state;
    assert_int_equal(ceil_pow2(0), 1);
    for (unsigned k = 2; k < 63; k++) {
        uint64_t p = UINT64_C(1) << k;
        assert_true(ceil_pow2(p) == p);
        assert_true(ceil_pow2(p - 1) == p);
        assert_true(ceil_pow2(p + 1) == 2 * p);
        assert_true(is_pow2(p) && !is_pow2(p + 1) && !is_pow2(p - 1));
        assert_int_equal(lowest_bit(p | UINT64_C(1) << 63), k);
        assert_int_equal(highest_bit(p | 1), k);
    }
    assert_false(is_pow2(0));
    assert_int_equal(align_up(0, 64), 0);
    assert_int_equal(align_up(1, 64), 64);
    assert_int_equal(align_up(64, 64), 64);
}

/* RFC 4291 2.5.5.2 */
static void an_ipv4_address_lies_mapped_in_an_ipv6_one(void **state)
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
    struct ip_addr a = ip4_of(192, 0, 2, 1), six = a;

    (void)state;
    six.w[0] = be32_of(0x20010db8).raw;
    assert_memory_equal(&a, mapped, sizeof(mapped));
    assert_true(ip_is_v4(&a));
    assert_false(ip_is_v4(&six));
    assert_int_equal(be32_get(ip_v4(&a)), 0xc0000201);
    assert_true(ip_eq(&a, &a));
    assert_false(ip_eq(&a, &six));
}

static void both_families_have_an_unspecified_address(void **state)
{
    struct ip_addr v6_any = {{0}}, v4_any = ip4_of(0, 0, 0, 0), one = ip4_of(0, 0, 0, 1);
    struct ip_addr v6_loopback = {{0, 0, 0, be32_of(1).raw}};

    (void)state;
    assert_true(ip_is_any(&v6_any));
    assert_true(ip_is_any(&v4_any));
    assert_false(ip_is_any(&one));
    assert_false(ip_is_any(&v6_loopback));
}

static void special_ipv4_addresses_are_told_by_their_first_bits(void **state)
{
    (void)state;
    assert_true(ip4_is_multicast(be32_of(0xe0000000)));
    assert_true(ip4_is_multicast(be32_of(0xefffffff)));
    assert_false(ip4_is_multicast(be32_of(0xdfffffff)));
    assert_false(ip4_is_multicast(be32_of(0xf0000000)));
    assert_true(ip4_is_loopback(be32_of(0x7f000001)));
    assert_false(ip4_is_loopback(be32_of(0x80000001)));
}

static void special_ethernet_addresses_are_told_apart(void **state)
{
    const struct mac_addr all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const struct mac_addr group = {{0x01, 0, 0x5e, 0, 0, 1}};
    const struct mac_addr own = {{0x02, 0, 0, 0, 0, 1}};

    (void)state;
    assert_true(mac_is_broadcast(&all) && mac_is_multicast(&all));
    assert_true(mac_is_multicast(&group) && !mac_is_broadcast(&group));
    assert_false(mac_is_multicast(&own) || mac_is_broadcast(&own));
    assert_true(mac_eq(&own, &own) && !mac_eq(&own, &group));
}

static void a_short_copy_copies_just_what_it_should(void **state)
{
    uint8_t src[600], dst[600], was[600];

    (void)state;
    for (unsigned i = 0; i < sizeof(src); i++)
        src[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= 512; n++) {
        memset(dst, 0, sizeof(dst));
        memset(was, 0, sizeof(was));
        memcpy(was + 9, src + 3, n);
        copy_short(dst + 9, src + 3, n);
        assert_memory_equal(dst, was, sizeof(dst));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_order_is_most_significant_byte_first),
        cmocka_unit_test(powers_of_two_round_up_and_not_past),
        cmocka_unit_test(an_ipv4_address_lies_mapped_in_an_ipv6_one),
        cmocka_unit_test(both_families_have_an_unspecified_address),
        cmocka_unit_test(special_ipv4_addresses_are_told_by_their_first_bits),
        cmocka_unit_test(special_ethernet_addresses_are_told_apart),
        cmocka_unit_test(a_short_copy_copies_just_what_it_should),
    };
    return cmocka_run_group_tests_name("base_types", tests, NULL, NULL);
}
