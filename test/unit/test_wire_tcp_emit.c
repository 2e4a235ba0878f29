/* TCP headers as they go out: each system's layout, and back through the parser. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "wire/wire.h"

static void check_options(const struct tcp_seg *s, enum tcp_opt_order order, const uint8_t *want,
                          size_t n)
{
    uint8_t b[TCP_HLEN_MAX];

    memset(b, 0xa5, sizeof(b));
    assert_int_equal(tcp_emit(b, s, order), TCP_HLEN + n);
    assert_int_equal(b[12] >> 4, (TCP_HLEN + n) / 4);
    if (n > 0)
        assert_memory_equal(b + TCP_HLEN, want, n);
}

#define CHECK_OPTIONS(s, order, ...)                                                               \
    check_options(s, order, (const uint8_t[]){__VA_ARGS__},                                        \
                  sizeof((const uint8_t[]){__VA_ARGS__}))

static const struct tcp_seg full_syn = {
    .flags = TH_SYN,
    .has_mss = true,
    .mss = 1460,
    .has_wscale = true,
    .wscale = 6,
    .has_sack_ok = true,
    .has_ts = true,
    .ts_val = 0x01020304,
};

static void a_header_without_options_is_twenty_bytes(void **state)
{
    static const uint8_t want[20] = {
        0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22,
        0x23, 0x24, 0x51, 0xff, 0x31, 0x32, 0x41, 0x42, 0x51, 0x52,
    };
    struct tcp_seg s = {
        .sport = 0x0102,
        .dport = 0x0304,
        .seq = {0x11121314},
        .ack = {0x21222324},
        .flags = 0x1ff,
        .wnd = 0x3132,
        .urp = 0x5152,
    };
    uint8_t b[TCP_HLEN_MAX];

    (void)state;
    memcpy(&s.csum, want + 16, 2);
    assert_int_equal(tcp_emit(b, &s, TCP_ORDER_LINUX), 20);
    assert_memory_equal(b, want, 20);
}

static void a_syn_as_linux_lays_it_out(void **state)
{
    (void)state;
    CHECK_OPTIONS(&full_syn, TCP_ORDER_LINUX, 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1,
                  3, 3, 6);
}

static void a_syn_as_freebsd_lays_it_out(void **state)
{
    (void)state;
    CHECK_OPTIONS(&full_syn, TCP_ORDER_FREEBSD, 2, 4, 5, 0xb4, 1, 3, 3, 6, 4, 2, 8, 10, 1, 2, 3, 4,
                  0, 0, 0, 0);
}

static void a_syn_without_timestamps_as_each_lays_it_out(void **state)
{
    struct tcp_seg s = full_syn;

    (void)state;
    s.has_ts = false;
    CHECK_OPTIONS(&s, TCP_ORDER_LINUX, 2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 6);
    /* MUST-69: the padding after the end of the list is zero. */
    CHECK_OPTIONS(&s, TCP_ORDER_FREEBSD, 2, 4, 5, 0xb4, 1, 3, 3, 6, 4, 2, 0, 0);
}

static void timestamps_alone_stand_behind_two_nops_in_both(void **state)
{
    struct tcp_seg s = {.has_ts = true, .ts_val = 1, .ts_ecr = 2};

    (void)state;
    CHECK_OPTIONS(&s, TCP_ORDER_LINUX, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2);
    CHECK_OPTIONS(&s, TCP_ORDER_FREEBSD, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2);
}

static void one_sack_block_follows_the_timestamps(void **state)
{
    struct tcp_seg s = {.has_ts = true, .nsack = 1, .sack = {{{3}, {4}}}};

    (void)state;
    CHECK_OPTIONS(&s, TCP_ORDER_LINUX, 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 5, 10, 0, 0, 0, 3,
                  0, 0, 0, 4);
}

/* RFC 2018 3: four blocks, or three beside timestamps. */
static void as_many_sack_blocks_go_out_as_fit(void **state)
{
    struct tcp_seg back, s = {.nsack = 4};
    uint8_t b[TCP_HLEN_MAX];

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        s.sack[i] = (struct tcp_sack){seq_of(i * 10), seq_of(i * 10 + 5)};
    assert_int_equal(tcp_parse(&back, b, tcp_emit(b, &s, TCP_ORDER_LINUX)), WIRE_OK);
    assert_int_equal(back.nsack, 4);
    s.has_ts = true;
    assert_int_equal(tcp_parse(&back, b, tcp_emit(b, &s, TCP_ORDER_LINUX)), WIRE_OK);
    assert_int_equal(back.nsack, 3);
    assert_int_equal(back.sack[0].start.v, 0);
    assert_int_equal(back.sack[2].end.v, 25);
}

static struct tcp_seg random_segment(struct rng *r)
{
    struct tcp_seg s = {
        .seq = {rng_u32(r)},
        .ack = {rng_u32(r)},
        .sport = (uint16_t)rng_u64(r),
        .dport = (uint16_t)rng_u64(r),
        .flags = (uint16_t)rng_below(r, 0x200),
        .wnd = (uint16_t)rng_u64(r),
        .urp = (uint16_t)rng_u64(r),
        .csum = (uint16_t)rng_u64(r),
        .has_mss = rng_chance(r, 1, 2),
        .has_wscale = rng_chance(r, 1, 2),
        .has_sack_ok = rng_chance(r, 1, 2),
        .has_ts = rng_chance(r, 1, 2),
        .nsack = (uint8_t)rng_below(r, 5),
    };

    s.mss = s.has_mss ? (uint16_t)rng_u64(r) : 0;
    s.wscale = s.has_wscale ? (uint8_t)rng_u64(r) : 0;
    s.ts_val = s.has_ts ? rng_u32(r) : 0;
    s.ts_ecr = s.has_ts ? rng_u32(r) : 0;
    for (unsigned i = 0; i < s.nsack; i++)
        s.sack[i] = (struct tcp_sack){seq_of(rng_u32(r)), seq_of(rng_u32(r))};
    return s;
}

static void check_same(const struct tcp_seg *got, const struct tcp_seg *want)
{
    assert_int_equal(got->seq.v, want->seq.v);
    assert_int_equal(got->ack.v, want->ack.v);
    assert_int_equal(got->sport, want->sport);
    assert_int_equal(got->dport, want->dport);
    assert_int_equal(got->flags, want->flags);
    assert_int_equal(got->wnd, want->wnd);
    assert_int_equal(got->urp, want->urp);
    assert_int_equal(got->csum, want->csum);
    assert_int_equal(got->has_mss, want->has_mss);
    assert_int_equal(got->has_wscale, want->has_wscale);
    assert_int_equal(got->has_sack_ok, want->has_sack_ok);
    assert_int_equal(got->has_ts, want->has_ts);
    assert_int_equal(got->mss, want->mss);
    assert_int_equal(got->wscale, want->wscale);
    assert_int_equal(got->ts_val, want->ts_val);
    assert_int_equal(got->ts_ecr, want->ts_ecr);
}

/* How many blocks there is room for beside what stands before them. */
static unsigned blocks_that_fit(const struct tcp_seg *s)
{
    unsigned used = (s->has_mss ? 4 : 0) + (s->has_wscale ? 4 : 0);

    if (s->has_ts)
        used += 12;
    else if (s->has_sack_ok)
        used += 4;
    unsigned fit = (40 - used) < 12 ? 0 : (40 - used - 4) / 8;
    return s->nsack < fit ? s->nsack : fit;
}

static void an_emitted_header_parses_to_itself_in_either_order(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (int i = 0; i < 20000; i++) {
        struct tcp_seg back, s = random_segment(&r);
        uint8_t b[TCP_HLEN_MAX];
        size_t n = tcp_emit(b, &s, i % 2 ? TCP_ORDER_LINUX : TCP_ORDER_FREEBSD);

        assert_int_equal(tcp_parse(&back, b, n), WIRE_OK);
        check_same(&back, &s);
        assert_int_equal(back.hlen, n);
        assert_int_equal(back.len, 0);
        assert_int_equal(back.nsack, blocks_that_fit(&s));
        for (unsigned k = 0; k < back.nsack; k++) {
            assert_int_equal(back.sack[k].start.v, s.sack[k].start.v);
            assert_int_equal(back.sack[k].end.v, s.sack[k].end.v);
        }
    }
}

/* CVE-2020-7451: bytes of a header that nobody wrote. */
static void no_byte_of_a_header_is_left_unwritten(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    for (int i = 0; i < 5000; i++) {
        struct tcp_seg s = random_segment(&r);
        enum tcp_opt_order order = i % 2 ? TCP_ORDER_LINUX : TCP_ORDER_FREEBSD;
        uint8_t a[TCP_HLEN_MAX], b[TCP_HLEN_MAX];

        memset(a, 0x00, sizeof(a));
        memset(b, 0xff, sizeof(b));
        size_t n = tcp_emit(a, &s, order);
        assert_int_equal(tcp_emit(b, &s, order), n);
        assert_memory_equal(a, b, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_without_options_is_twenty_bytes),
        cmocka_unit_test(a_syn_as_linux_lays_it_out),
        cmocka_unit_test(a_syn_as_freebsd_lays_it_out),
        cmocka_unit_test(a_syn_without_timestamps_as_each_lays_it_out),
        cmocka_unit_test(timestamps_alone_stand_behind_two_nops_in_both),
        cmocka_unit_test(one_sack_block_follows_the_timestamps),
        cmocka_unit_test(as_many_sack_blocks_go_out_as_fit),
        cmocka_unit_test(an_emitted_header_parses_to_itself_in_either_order),
        cmocka_unit_test(no_byte_of_a_header_is_left_unwritten),
    };
    return cmocka_run_group_tests_name("wire_tcp_emit", tests, NULL, NULL);
}
