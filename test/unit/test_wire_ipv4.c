/* IPv4 headers and their options, honest and hostile. */
#include "lib/cmocka_first.h"
#include "lib/exact.h"
#include "lib/expect_panic.h"

#include "base/csum.h"
#include "base/rng.h"
#include "wire/wire.h"

#define ROUNDS 2000
#define PACKET_MAX 128

static struct ipv4_hdr random_header(struct rng *r, uint8_t *opt)
{
    struct ipv4_hdr h = {.src = {rng_u32(r)}, .dst = {rng_u32(r)}};

    h.optlen = (uint8_t)(rng_chance(r, 1, 2) ? 0 : 4 * rng_below(r, 11));
    h.hlen = (uint8_t)(20 + h.optlen);
    h.total_len = (uint16_t)(h.hlen + rng_below(r, PACKET_MAX - IPV4_HLEN_MAX));
    h.id = (uint16_t)rng_u64(r);
    h.flags = (uint16_t)(rng_below(r, 8) << 13);
    h.frag_off = (uint16_t)(rng_below(r, 8192) * 8);
    h.tos = (uint8_t)rng_u64(r);
    h.ttl = (uint8_t)rng_u64(r);
    h.proto = (uint8_t)rng_u64(r);
    for (unsigned i = 0; i < h.optlen; i++)
        opt[i] = (uint8_t)rng_u64(r);
    h.opt = h.optlen != 0 ? opt : NULL;
    return h;
}

static void check_same(const struct ipv4_hdr *a, const struct ipv4_hdr *b)
{
    assert_int_equal(a->src.raw, b->src.raw);
    assert_int_equal(a->dst.raw, b->dst.raw);
    assert_int_equal(a->total_len, b->total_len);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->frag_off, b->frag_off);
    assert_int_equal(a->hlen, b->hlen);
    assert_int_equal(a->tos, b->tos);
    assert_int_equal(a->ttl, b->ttl);
    assert_int_equal(a->proto, b->proto);
    assert_int_equal(a->optlen, b->optlen);
    if (a->optlen != 0)
        assert_memory_equal(a->opt, b->opt, a->optlen);
    else
        assert_null(b->opt);
}

static void an_emitted_header_parses_to_itself_and_its_checksum_is_right(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t opt[40], b[PACKET_MAX] = {0};
        struct ipv4_hdr back, h = random_header(&r, opt);

        assert_int_equal(ipv4_emit(b, &h), h.hlen);
        assert_int_equal(csum_fold(csum_add_portable(b, h.hlen, 0)), 0xffff);
        uint8_t *pkt = exact_copy(b, h.total_len);
        assert_int_equal(ipv4_parse(&back, pkt, h.total_len), WIRE_OK);
        check_same(&h, &back);
        assert_memory_equal(&back.csum, b + 10, 2);
        free(pkt);
    }
}

static void a_header_looks_like_the_picture_in_the_rfc(void **state)
{
    static const uint8_t want[20] = {
        0x45, 0x10, 0x00, 0x54, 0x12, 0x34, 0x60, 0xb9, 0x40, 0x06,
        0x00, 0x00, 10,   0,    0,    1,    10,   0,    0,    2,
    };
    const struct ipv4_hdr h = {
        .src = be32_of(0x0a000001),
        .dst = be32_of(0x0a000002),
        .total_len = 0x54,
        .id = 0x1234,
        .flags = IPV4_DF | IPV4_MF,
        .frag_off = 0xb9 * 8,
        .tos = 0x10,
        .ttl = 64,
        .proto = IPPROTO_TCP_,
    };
    uint8_t b[20];

    (void)state;
    assert_int_equal(ipv4_emit(b, &h), 20);
    assert_memory_equal(b, want, 10);
    assert_memory_equal(b + 12, want + 12, 8);
}

/* CVE-2020-11896 and its kin: bytes that the header claims and the frame has not. */
static void a_packet_cut_anywhere_is_refused(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 3);
    for (int i = 0; i < 200; i++) {
        uint8_t opt[40], b[PACKET_MAX] = {0};
        struct ipv4_hdr out, h = random_header(&r, opt);

        ipv4_emit(b, &h);
        for (size_t n = 0; n < h.total_len; n++) {
            uint8_t *cut = exact_copy(b, n);
            enum wire_err want = n < 20 ? WIRE_SHORT : n < h.hlen ? WIRE_HLEN : WIRE_LEN;
            assert_int_equal(ipv4_parse(&out, cut, n), want);
            free(cut);
        }
    }
}

/* CVE-2018-16601: a header length below five words, or past the packet. */
static void every_first_byte_but_a_possible_one_is_refused(void **state)
{
    struct ipv4_hdr out;

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (size_t n = 20; n <= 64; n++) {
            uint8_t b[64] = {(uint8_t)first, 0, 0, (uint8_t)n};
            uint8_t *pkt = exact_copy(b, n);
            unsigned hlen = (first & 15) * 4;
            enum wire_err want = first >> 4 != 4          ? WIRE_VERSION
                                 : hlen < 20 || hlen > n ? WIRE_HLEN
                                                         : WIRE_OK;
            assert_int_equal(ipv4_parse(&out, pkt, n), want);
            free(pkt);
        }
    }
}

static void every_total_length_outside_header_and_frame_is_refused(void **state)
{
    struct ipv4_hdr out;

    (void)state;
    for (unsigned total = 0; total <= 0xffff; total++) {
        uint8_t b[48] = {0x46, 0, (uint8_t)(total >> 8), (uint8_t)total};
        enum wire_err want = total < 24 || total > sizeof(b) ? WIRE_LEN : WIRE_OK;

        assert_int_equal(ipv4_parse(&out, b, sizeof(b)), want);
    }
}

static void the_largest_fragment_offset_is_not_cut(void **state)
{
    const uint8_t b[20] = {0x45, 0, 0, 20, 0, 0, 0xff, 0xff};
    struct ipv4_hdr out;

    (void)state;
    assert_int_equal(ipv4_parse(&out, b, sizeof(b)), WIRE_OK);
    assert_int_equal(out.frag_off, 65528);
    assert_int_equal(out.flags, IPV4_RESERVED | IPV4_DF | IPV4_MF);
}

static void options_are_walked_to_the_end_of_the_list(void **state)
{
    static const uint8_t opt[12] = {
        IPOPT_NOP, IPOPT_RR, 3, IPOPT_NOP, 148, 4, 0, 0, IPOPT_EOL, 0xff, 0xff, 0xff,
    };
    const uint8_t *val;
    uint8_t kind, len;
    size_t off = 0;

    (void)state;
    assert_int_equal(ipv4_opt_next(opt, 12, &off, &kind, &val, &len), 1);
    assert_int_equal(kind, IPOPT_RR);
    assert_ptr_equal(val, opt + 1);
    assert_int_equal(len, 3);
    assert_int_equal(ipv4_opt_next(opt, 12, &off, &kind, &val, &len), 1);
    assert_int_equal(kind, 148);
    assert_int_equal(len, 4);
    assert_int_equal(ipv4_opt_next(opt, 12, &off, &kind, &val, &len), 0);
    assert_int_equal(ipv4_opt_next(opt, 12, &off, &kind, &val, &len), 0);
}

/* CVE-2019-12256, CVE-2021-24074: an option whose length is a lie.  The offset of the lie is
 * what ICMP parameter problem points at. */
static void every_length_of_an_option_is_judged(void **state)
{
    (void)state;
    for (unsigned claim = 0; claim < 256; claim++) {
        for (size_t optlen = 1; optlen <= 40; optlen++) {
            uint8_t b[40] = {IPOPT_NOP, IPOPT_LSRR, (uint8_t)claim};
            uint8_t *opt = exact_copy(b, optlen);
            const uint8_t *val;
            uint8_t kind, len;
            size_t off = 0;
            int got = ipv4_opt_next(opt, optlen, &off, &kind, &val, &len);

            if (optlen == 1) {
                assert_int_equal(got, 0);
            } else if (optlen == 2) {
                assert_int_equal(got, -1);
                assert_int_equal(off, 1);
            } else if (claim < 2 || claim > optlen - 1) {
                assert_int_equal(got, -1);
                assert_int_equal(off, 2);
            } else {
                assert_int_equal(got, 1);
                assert_int_equal(off, 1 + claim);
            }
            free(opt);
        }
    }
}

static void random_options_end_the_walk_inside_themselves(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 4);
    for (int i = 0; i < ROUNDS; i++) {
        size_t optlen = rng_below(&r, 41), off = 0;
        uint8_t b[40], kind, len;
        const uint8_t *val;
        int got, steps = 0;

        for (size_t k = 0; k < optlen; k++)
            b[k] = (uint8_t)rng_below(&r, 12);
        uint8_t *opt = exact_copy(b, optlen);
        while ((got = ipv4_opt_next(opt, optlen, &off, &kind, &val, &len)) == 1) {
            assert_true(val >= opt && val + len <= opt + optlen);
            assert_true(++steps <= 20);
        }
        assert_true(off <= optlen);
        free(opt);
    }
}

/* RFC 768, RFC 9293 3.1: the sum of the twelve bytes that are never sent. */
static void the_pseudo_header_sums_as_its_bytes_do(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 5);
    for (int i = 0; i < ROUNDS; i++) {
        be32 src = {rng_u32(&r)}, dst = {rng_u32(&r)};
        uint16_t len = (uint16_t)rng_u64(&r);
        uint8_t b[12] = {[9] = (uint8_t)rng_u64(&r)};

        memcpy(b, &src, 4);
        memcpy(b + 4, &dst, 4);
        store_be16(b + 10, len);
        assert_int_equal(csum_fold(ipv4_pseudo_sum(src, dst, b[9], len)),
                         csum_fold(csum_add_portable(b, 12, 0)));
    }
}

static void a_header_that_cannot_be_is_our_own_fault(void **state)
{
    struct ipv4_hdr odd_options = {.optlen = 3, .opt = (const uint8_t *)"abc"};
    struct ipv4_hdr odd_offset = {.frag_off = 4};
    uint8_t b[IPV4_HLEN_MAX];

    (void)state;
    expect_panic(ipv4_emit(b, &odd_options));
    expect_panic(ipv4_emit(b, &odd_offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emitted_header_parses_to_itself_and_its_checksum_is_right),
        cmocka_unit_test(a_header_looks_like_the_picture_in_the_rfc),
        cmocka_unit_test(a_packet_cut_anywhere_is_refused),
        cmocka_unit_test(every_first_byte_but_a_possible_one_is_refused),
        cmocka_unit_test(every_total_length_outside_header_and_frame_is_refused),
        cmocka_unit_test(the_largest_fragment_offset_is_not_cut),
        cmocka_unit_test(options_are_walked_to_the_end_of_the_list),
        cmocka_unit_test(every_length_of_an_option_is_judged),
        cmocka_unit_test(random_options_end_the_walk_inside_themselves),
        cmocka_unit_test(the_pseudo_header_sums_as_its_bytes_do),
        cmocka_unit_test(a_header_that_cannot_be_is_our_own_fault),
    };
    return cmocka_run_group_tests_name("wire_ipv4", tests, NULL, NULL);
}
