/* ICMP and UDP headers. */
#include "lib/cmocka_first.h"
#include "lib/exact.h"

#include "base/rng.h"
#include "wire/wire.h"

/* What each message's second word holds, and nothing else of it. */
static struct icmp_hdr random_icmp(struct rng *r, uint8_t type, uint8_t code)
{
    struct icmp_hdr h = {.type = type, .code = code, .csum = (uint16_t)rng_u64(r)};

    switch (type) {
    case ICMP_ECHO:
    case ICMP_ECHO_REPLY:
    case ICMP_TIMESTAMP:
    case ICMP_TIMESTAMP_REPLY:
        h.id = (uint16_t)rng_u64(r);
        h.seq = (uint16_t)rng_u64(r);
        break;
    case ICMP_UNREACH:
        h.mtu = code == ICMP_UNREACH_NEEDFRAG ? (uint16_t)rng_u64(r) : 0;
        break;
    case ICMP_PARAM_PROBLEM:
        h.pointer = (uint8_t)rng_u64(r);
        break;
    default:
        break;
    }
    return h;
}

static void check_same(const struct icmp_hdr *got, const struct icmp_hdr *want)
{
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->code, want->code);
    assert_int_equal(got->csum, want->csum);
    assert_int_equal(got->id, want->id);
    assert_int_equal(got->seq, want->seq);
    assert_int_equal(got->mtu, want->mtu);
    assert_int_equal(got->pointer, want->pointer);
}

static void every_type_and_code_parses_to_what_was_emitted(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned code = 0; code < 256; code++) {
            struct icmp_hdr back, h = random_icmp(&r, (uint8_t)type, (uint8_t)code);
            uint8_t b[ICMP_HLEN];

            memset(b, 0xa5, sizeof(b));
            assert_int_equal(icmp_emit(b, &h), ICMP_HLEN);
            assert_int_equal(icmp_parse(&back, b, ICMP_HLEN), WIRE_OK);
            check_same(&back, &h);
        }
    }
}

/* CVE-2003-0001: bytes of the message that nobody wrote. */
static void the_unused_word_of_an_error_is_zero(void **state)
{
    static const uint8_t zeros[4];
    struct icmp_hdr h = {ICMP_UNREACH, ICMP_UNREACH_PORT, 0, 1, 2, 3, 4};
    uint8_t b[ICMP_HLEN];

    (void)state;
    memset(b, 0xa5, sizeof(b));
    icmp_emit(b, &h);
    assert_memory_equal(b + 4, zeros, 4);
}

static void the_next_hop_mtu_lies_in_the_last_two_bytes(void **state)
{
    static const uint8_t b[ICMP_HLEN] = {3, 4, 0, 0, 0xff, 0xff, 0x05, 0x78};
    struct icmp_hdr h;

    (void)state;
    assert_int_equal(icmp_parse(&h, b, sizeof(b)), WIRE_OK);
    assert_int_equal(h.mtu, 1400);
}

static void an_icmp_header_cut_anywhere_is_short(void **state)
{
    static const uint8_t b[ICMP_HLEN] = {8};
    struct icmp_hdr h;

    (void)state;
    for (size_t n = 0; n < ICMP_HLEN; n++) {
        uint8_t *cut = exact_copy(b, n);
        assert_int_equal(icmp_parse(&h, cut, n), WIRE_SHORT);
        free(cut);
    }
}

static void an_emitted_udp_header_parses_to_itself(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    for (int i = 0; i < 2000; i++) {
        struct udp_hdr back, h = {
            .sport = (uint16_t)rng_u64(&r),
            .dport = (uint16_t)rng_u64(&r),
            .len = (uint16_t)(8 + rng_below(&r, 65528)),
            .csum = (uint16_t)rng_u64(&r),
        };
        uint8_t b[UDP_HLEN];

        assert_int_equal(udp_emit(b, &h), UDP_HLEN);
        assert_int_equal(udp_parse(&back, b, h.len), WIRE_OK);
        assert_memory_equal(&back, &h, sizeof(h));
    }
}

/* RFC 768: the length counts the header; CVE-2020-17441: and no more than there is. */
static void every_udp_length_is_judged(void **state)
{
    struct udp_hdr h;

    (void)state;
    for (unsigned len = 0; len <= 0xffff; len++) {
        uint8_t b[40] = {0, 1, 0, 2, (uint8_t)(len >> 8), (uint8_t)len};
        enum wire_err want = len < 8 || len > sizeof(b) ? WIRE_LEN : WIRE_OK;

        assert_int_equal(udp_parse(&h, b, sizeof(b)), want);
    }
}

static void a_datagram_cut_anywhere_is_refused(void **state)
{
    static const uint8_t b[20] = {0, 1, 0, 2, 0, 20};
    struct udp_hdr h;

    (void)state;
    for (size_t n = 0; n < sizeof(b); n++) {
        uint8_t *cut = exact_copy(b, n);
        assert_int_equal(udp_parse(&h, cut, n), n < 8 ? WIRE_SHORT : WIRE_LEN);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_code_parses_to_what_was_emitted),
        cmocka_unit_test(the_unused_word_of_an_error_is_zero),
        cmocka_unit_test(the_next_hop_mtu_lies_in_the_last_two_bytes),
        cmocka_unit_test(an_icmp_header_cut_anywhere_is_short),
        cmocka_unit_test(an_emitted_udp_header_parses_to_itself),
        cmocka_unit_test(every_udp_length_is_judged),
        cmocka_unit_test(a_datagram_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests_name("wire_icmp", tests, NULL, NULL);
}
