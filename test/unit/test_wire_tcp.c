/* TCP headers as they come in: RFC 9293 3.1 and 3.2, honest and hostile. */
#include "lib/cmocka_first.h"
#include "lib/exact.h"

#include "base/rng.h"
#include "wire/wire.h"

#define PACKET_MAX (TCP_HLEN_MAX + 8)

/* Header with these option bytes (padded with EOL to a whole word), then n - header bytes of
 * payload; returns what tcp_parse says about an exact copy of it. */
static enum wire_err parse_with(struct tcp_seg *out, const uint8_t *opt, size_t optlen)
{
    uint8_t b[TCP_HLEN_MAX] = {0};
    size_t hlen = TCP_HLEN + (optlen + 3) / 4 * 4;

    memcpy(b + TCP_HLEN, opt, optlen);
    b[12] = (uint8_t)(hlen / 4 << 4);
    uint8_t *pkt = exact_copy(b, hlen);
    enum wire_err e = tcp_parse(out, pkt, hlen);
    free(pkt);
    return e;
}

#define PARSE_WITH(out, ...)                                                                       \
    parse_with(out, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void a_header_parses_field_by_field(void **state)
{
    static const uint8_t b[23] = {
        0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24,
        0x5f, 0xff, 0x31, 0x32, 0x41, 0x42, 0x51, 0x52, 'a',  'b',  'c',
    };
    struct tcp_seg s;

    (void)state;
    memset(&s, 0xa5, sizeof(s));
    assert_int_equal(tcp_parse(&s, b, sizeof(b)), WIRE_OK);
    assert_int_equal(s.sport, 0x0102);
    assert_int_equal(s.dport, 0x0304);
    assert_int_equal(s.seq.v, 0x11121314);
    assert_int_equal(s.ack.v, 0x21222324);
    assert_int_equal(s.flags, 0x1ff); /* the three reserved bits are ignored */
    assert_int_equal(s.wnd, 0x3132);
    assert_memory_equal(&s.csum, b + 16, 2);
    assert_int_equal(s.urp, 0x5152);
    assert_int_equal(s.hlen, 20);
    assert_int_equal(s.len, 3);
    assert_false(s.has_mss || s.has_wscale || s.has_sack_ok || s.has_ts);
    assert_int_equal(s.nsack, 0);
    assert_int_equal(s.mss | s.wscale, 0);
    assert_int_equal(s.ts_val | s.ts_ecr, 0);
}

/* CVE-2018-16601, CVE-2021-31401: a data offset below five words, or past the segment. */
static void every_data_offset_is_judged_against_every_length(void **state)
{
    (void)state;
    for (unsigned words = 0; words < 16; words++) {
        for (size_t n = 0; n <= PACKET_MAX; n++) {
            uint8_t b[PACKET_MAX] = {[12] = (uint8_t)(words << 4)};
            uint8_t *pkt = exact_copy(b, n);
            struct tcp_seg s;
            enum wire_err want = n < 20                           ? WIRE_SHORT
                                 : words < 5 || words * 4 > n ? WIRE_HLEN
                                                              : WIRE_OK;
            assert_int_equal(tcp_parse(&s, pkt, n), want);
            if (want == WIRE_OK)
                assert_int_equal(s.hlen + s.len, n);
            free(pkt);
        }
    }
}

/* MUST-4: a TCP understands EOL, NOP and MSS; MUST-5: in any segment, not only in a SYN. */
static void the_required_options_are_read_from_any_segment(void **state)
{
    struct tcp_seg s;

    (void)state;
    assert_int_equal(PARSE_WITH(&s, TCPOPT_NOP, TCPOPT_MSS, 4, 0x05, 0xb4, TCPOPT_EOL), WIRE_OK);
    assert_int_equal(s.flags, 0);
    assert_true(s.has_mss);
    assert_int_equal(s.mss, 1460);
}

/* MUST-64: options begin on any byte. */
static void every_known_option_is_read_at_every_offset(void **state)
{
    static const uint8_t known[] = {
        TCPOPT_MSS,  4,  0x01, 0x02, TCPOPT_WSCALE, 3, 9, TCPOPT_SACK_OK, 2,
        TCPOPT_TS,   10, 1,    2,    3,             4, 5, 6,              7, 8,
        TCPOPT_SACK, 10, 1,    1,    1,             1, 2, 2,              2, 2,
    };

    (void)state;
    for (size_t nops = 0; nops + sizeof(known) <= 40; nops++) {
        uint8_t opt[40];
        struct tcp_seg s;

        memset(opt, TCPOPT_NOP, nops);
        memcpy(opt + nops, known, sizeof(known));
        assert_int_equal(parse_with(&s, opt, nops + sizeof(known)), WIRE_OK);
        assert_int_equal(s.mss, 0x0102);
        assert_int_equal(s.wscale, 9);
        assert_true(s.has_mss && s.has_wscale && s.has_sack_ok && s.has_ts);
        assert_int_equal(s.ts_val, 0x01020304);
        assert_int_equal(s.ts_ecr, 0x05060708);
        assert_int_equal(s.nsack, 1);
        assert_int_equal(s.sack[0].start.v, 0x01010101);
        assert_int_equal(s.sack[0].end.v, 0x02020202);
    }
}

/* The words of the specification, apart from the code: is an option of this kind and length, the
 * first of 'room' bytes, well formed? */
static bool well_formed(unsigned kind, unsigned len, unsigned room)
{
    if (kind == TCPOPT_EOL || kind == TCPOPT_NOP)
        return true;
    if (len < 2 || len > room)
        return false;
    switch (kind) {
    case TCPOPT_MSS:
        return len == 4;
    case TCPOPT_WSCALE:
        return len == 3;
    case TCPOPT_SACK_OK:
        return len == 2;
    case TCPOPT_TS:
        return len == 10;
    case TCPOPT_SACK:
        return len == 10 || len == 18 || len == 26 || len == 34;
    default:
        return true;
    }
}

/* MUST-7: an illegal option length, zero among them, is survived.  MUST-6: an unknown option is
 * passed over by its length.  MUST-68: so every kind but EOL and NOP has one.
 * CVE-2020-24337, CVE-2020-13988, CVE-2021-31889. */
static void every_kind_with_every_length_is_judged(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned len = 0; len < 256; len++) {
            for (unsigned room = 4; room <= 40; room += 4) {
                uint8_t opt[40] = {(uint8_t)kind, (uint8_t)len};
                struct tcp_seg s;

                /* What follows a NOP here is the length byte taken for a kind. */
                if (kind == TCPOPT_NOP)
                    opt[1] = TCPOPT_EOL;
                assert_int_equal(parse_with(&s, opt, room),
                                 well_formed(kind, len, room) ? WIRE_OK : WIRE_OPTION);
            }
        }
    }
}

static void an_option_with_no_byte_left_for_its_length_is_refused(void **state)
{
    struct tcp_seg s;

    (void)state;
    for (unsigned kind = 2; kind < 256; kind++)
        assert_int_equal(PARSE_WITH(&s, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_NOP, (uint8_t)kind),
                         WIRE_OPTION);
}

static void what_follows_an_unknown_option_is_read(void **state)
{
    struct tcp_seg s;

    (void)state;
    assert_int_equal(PARSE_WITH(&s, 254, 5, 0xaa, 0xbb, 0xcc, TCPOPT_WSCALE, 3, 7), WIRE_OK);
    assert_true(s.has_wscale);
    assert_int_equal(s.wscale, 7);
}

/* MUST-69 has the sender pad with zeros; the receiver must not look. */
static void whatever_follows_the_end_of_the_list_is_ignored(void **state)
{
    struct tcp_seg s;

    (void)state;
    assert_int_equal(PARSE_WITH(&s, TCPOPT_EOL, TCPOPT_MSS, 0, 0), WIRE_OK);
    assert_false(s.has_mss);
}

static void of_a_repeated_option_the_last_counts(void **state)
{
    struct tcp_seg s;

    (void)state;
    assert_int_equal(PARSE_WITH(&s, TCPOPT_MSS, 4, 0, 1, TCPOPT_MSS, 4, 0, 2), WIRE_OK);
    assert_int_equal(s.mss, 2);
}

static void a_repeated_sack_option_does_not_outgrow_the_blocks(void **state)
{
    uint8_t opt[40] = {[0] = TCPOPT_SACK, 18, [18] = TCPOPT_SACK, 18};
    struct tcp_seg s;

    (void)state;
    assert_int_equal(parse_with(&s, opt, sizeof(opt)), WIRE_OK);
    assert_int_equal(s.nsack, 2);
}

/* RFC 7323 2.3 has the user clamp it; CVE-2018-16523, CVE-2019-11479: MSS 0 or tiny. */
static void values_are_handed_on_unjudged(void **state)
{
    struct tcp_seg s;

    (void)state;
    assert_int_equal(PARSE_WITH(&s, TCPOPT_WSCALE, 3, 255, TCPOPT_MSS, 4, 0, 0), WIRE_OK);
    assert_int_equal(s.wscale, 255);
    assert_true(s.has_mss);
    assert_int_equal(s.mss, 0);
}

/* The aligned timestamp has a branch of its own; it must not be another parser. */
static void the_aligned_timestamp_parses_as_any_other(void **state)
{
    struct tcp_seg fast, slow;

    (void)state;
    memset(&fast, 0xa5, sizeof(fast));
    assert_int_equal(PARSE_WITH(&fast, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8), WIRE_OK);
    assert_int_equal(PARSE_WITH(&slow, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1), WIRE_OK);
    assert_true(fast.has_ts && slow.has_ts);
    assert_int_equal(fast.ts_val, slow.ts_val);
    assert_int_equal(fast.ts_ecr, slow.ts_ecr);
    assert_int_equal(fast.hlen, 32);
    assert_false(fast.has_mss || fast.has_wscale || fast.has_sack_ok);
    assert_int_equal(fast.nsack | fast.mss | fast.wscale, 0);
}

static void a_segment_cut_anywhere_is_refused_or_shorter(void **state)
{
    static const uint8_t opt[12] = {1, 1, 8, 10};
    uint8_t b[PACKET_MAX] = {[12] = 8 << 4};

    (void)state;
    memcpy(b + 20, opt, sizeof(opt));
    for (size_t n = 0; n <= sizeof(b); n++) {
        uint8_t *cut = exact_copy(b, n);
        struct tcp_seg s;
        enum wire_err want = n < 20 ? WIRE_SHORT : n < 32 ? WIRE_HLEN : WIRE_OK;

        assert_int_equal(tcp_parse(&s, cut, n), want);
        if (want == WIRE_OK)
            assert_int_equal(s.len, n - 32);
        free(cut);
    }
}

static void random_bytes_never_give_more_than_there_is(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 7);
    for (int i = 0; i < 20000; i++) {
        uint8_t b[PACKET_MAX];
        size_t n = rng_below(&r, PACKET_MAX + 1);
        struct tcp_seg s;

        for (size_t k = 0; k < n; k++)
            b[k] = (uint8_t)(k < 20 ? rng_u64(&r) : rng_below(&r, 12));
        uint8_t *pkt = exact_copy(b, n);
        if (tcp_parse(&s, pkt, n) == WIRE_OK) {
            assert_int_equal(s.hlen + s.len, n);
            assert_true(s.nsack <= TCP_SACK_MAX);
        }
        free(pkt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_parses_field_by_field),
        cmocka_unit_test(every_data_offset_is_judged_against_every_length),
        cmocka_unit_test(the_required_options_are_read_from_any_segment),
        cmocka_unit_test(every_known_option_is_read_at_every_offset),
        cmocka_unit_test(every_kind_with_every_length_is_judged),
        cmocka_unit_test(an_option_with_no_byte_left_for_its_length_is_refused),
        cmocka_unit_test(what_follows_an_unknown_option_is_read),
        cmocka_unit_test(whatever_follows_the_end_of_the_list_is_ignored),
        cmocka_unit_test(of_a_repeated_option_the_last_counts),
        cmocka_unit_test(a_repeated_sack_option_does_not_outgrow_the_blocks),
        cmocka_unit_test(values_are_handed_on_unjudged),
        cmocka_unit_test(the_aligned_timestamp_parses_as_any_other),
        cmocka_unit_test(a_segment_cut_anywhere_is_refused_or_shorter),
        cmocka_unit_test(random_bytes_never_give_more_than_there_is),
    };
    return cmocka_run_group_tests_name("wire_tcp", tests, NULL, NULL);
}
