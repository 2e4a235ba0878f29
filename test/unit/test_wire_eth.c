/* Ethernet and ARP: what goes out comes back, and no wrong length is believed. */
#include "lib/cmocka_first.h"
#include "lib/exact.h"

#include "base/rng.h"
#include "wire/wire.h"

#define ROUNDS 2000

static struct mac_addr random_mac(struct rng *r)
{
    struct mac_addr a;

    for (int i = 0; i < 6; i++)
        a.b[i] = (uint8_t)rng_u64(r);
    return a;
}

static void an_emitted_ethernet_header_parses_to_itself(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (int i = 0; i < ROUNDS; i++) {
        struct eth_hdr h = {.dst = random_mac(&r), .src = random_mac(&r), .has_vlan = i % 2};
        struct eth_hdr back;
        uint8_t b[ETH_HLEN_MAX];

        h.ethertype = (uint16_t)rng_u64(&r);
        h.vlan = h.has_vlan ? (uint16_t)rng_u64(&r) : 0;
        if (h.ethertype == ETHTYPE_VLAN)
            continue;
        size_t n = eth_emit(b, &h);
        assert_int_equal(n, h.has_vlan ? 18 : 14);
        assert_int_equal(eth_parse(&back, b, n), WIRE_OK);
        assert_true(mac_eq(&back.dst, &h.dst));
        assert_true(mac_eq(&back.src, &h.src));
        assert_int_equal(back.ethertype, h.ethertype);
        assert_int_equal(back.has_vlan, h.has_vlan);
        assert_int_equal(back.vlan, h.vlan);
        assert_int_equal(back.hlen, n);
    }
}

static void an_ethernet_header_cut_anywhere_is_short(void **state)
{
    static const struct eth_hdr plain = {.ethertype = ETHTYPE_IPV4};
    static const struct eth_hdr tagged = {.ethertype = ETHTYPE_IPV4, .has_vlan = true};

    (void)state;
    for (int i = 0; i < 2; i++) {
        uint8_t b[ETH_HLEN_MAX];
        size_t whole = eth_emit(b, i == 0 ? &plain : &tagged);

        for (size_t n = 0; n < whole; n++) {
            struct eth_hdr h;
            uint8_t *cut = exact_copy(b, n);
            assert_int_equal(eth_parse(&h, cut, n), WIRE_SHORT);
            free(cut);
        }
    }
}

static void only_one_vlan_tag_is_taken_off(void **state)
{
    static const uint8_t b[22] = {[12] = 0x81, 0x00, 0x20, 0x05, 0x81, 0x00, 0x00, 0x06, 8, 0};
    struct eth_hdr h;

    (void)state;
    assert_int_equal(eth_parse(&h, b, sizeof(b)), WIRE_OK);
    assert_int_equal(h.hlen, 18);
    assert_int_equal(h.vlan, 0x2005);
    assert_int_equal(h.ethertype, ETHTYPE_VLAN);
}

static void an_802_3_length_is_returned_as_it_is(void **state)
{
    static const uint8_t b[14] = {[12] = 0x05, 0xdc};
    struct eth_hdr h;

    (void)state;
    assert_int_equal(eth_parse(&h, b, sizeof(b)), WIRE_OK);
    assert_int_equal(h.ethertype, 1500);
}

static void an_emitted_arp_packet_parses_to_itself(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    for (int i = 0; i < ROUNDS; i++) {
        struct arp_pkt back, a = {.sha = random_mac(&r), .tha = random_mac(&r)};
        uint8_t b[ARP_LEN];

        a.op = (uint16_t)rng_u64(&r);
        a.spa = be32_of(rng_u32(&r));
        a.tpa = be32_of(rng_u32(&r));
        assert_int_equal(arp_emit(b, &a), ARP_LEN);
        assert_int_equal(arp_parse(&back, b, ARP_LEN), WIRE_OK);
        assert_int_equal(back.op, a.op);
        assert_true(mac_eq(&back.sha, &a.sha));
        assert_true(mac_eq(&back.tha, &a.tha));
        assert_int_equal(back.spa.raw, a.spa.raw);
        assert_int_equal(back.tpa.raw, a.tpa.raw);
    }
}

/* The layout of RFC 826, byte by byte. */
static void an_arp_request_looks_like_the_picture_in_the_rfc(void **state)
{
    static const uint8_t want[ARP_LEN] = {
        0, 1, 8, 0, 6, 4, 0, 1,   2, 0, 0, 0, 0, 1, 10, 0, 0, 1,
        0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
    };
    struct arp_pkt a = {
        .op = ARP_REQUEST,
        .sha = {{2, 0, 0, 0, 0, 1}},
        .spa = be32_of(0x0a000001),
        .tpa = be32_of(0x0a000002),
    };
    uint8_t b[ARP_LEN];

    (void)state;
    arp_emit(b, &a);
    assert_memory_equal(b, want, ARP_LEN);
}

/* CVE-2020-11914: a short ARP packet was read past its end. */
static void an_arp_packet_cut_anywhere_is_short(void **state)
{
    struct arp_pkt a = {.op = ARP_REPLY}, out;
    uint8_t b[ARP_LEN];

    (void)state;
    arp_emit(b, &a);
    for (size_t n = 0; n < ARP_LEN; n++) {
        uint8_t *cut = exact_copy(b, n);
        assert_int_equal(arp_parse(&out, cut, n), WIRE_SHORT);
        free(cut);
    }
}

static void arp_for_other_networks_is_refused_whatever_byte_says_so(void **state)
{
    struct arp_pkt a = {.op = ARP_REPLY}, out;
    uint8_t b[ARP_LEN];

    (void)state;
    arp_emit(b, &a);
    for (size_t at = 0; at < 6; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            b[at] ^= (uint8_t)flip;
            assert_int_equal(arp_parse(&out, b, ARP_LEN), WIRE_FORMAT);
            b[at] ^= (uint8_t)flip;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emitted_ethernet_header_parses_to_itself),
        cmocka_unit_test(an_ethernet_header_cut_anywhere_is_short),
        cmocka_unit_test(only_one_vlan_tag_is_taken_off),
        cmocka_unit_test(an_802_3_length_is_returned_as_it_is),
        cmocka_unit_test(an_emitted_arp_packet_parses_to_itself),
        cmocka_unit_test(an_arp_request_looks_like_the_picture_in_the_rfc),
        cmocka_unit_test(an_arp_packet_cut_anywhere_is_short),
        cmocka_unit_test(arp_for_other_networks_is_refused_whatever_byte_says_so),
    };
    return cmocka_run_group_tests_name("wire_eth", tests, NULL, NULL);
}
