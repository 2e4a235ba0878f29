/* The SACK scoreboard against a map with a flag for every byte. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"
#include "tcp/tcp_int.h"

#define BYTES 2000u

static struct duo w;
static struct tcp *t;
static struct tcp_conn c;
static bool sacked[BYTES]; /* from base on */
static uint32_t base;

/* A connection with BYTES in flight from `at` on, in a stack that gives scoreboards. */
static void start(uint32_t at)
{
    duo_start(&w);
    t = duo_tcp(&w, 0);
    c = (struct tcp_conn){.mss = 100, .flags = TF_SACK};
    base = at;
    c.snd_una = seq_of(at);
    c.snd_nxt = c.snd_max = seq_of(at + BYTES);
    memset(sacked, 0, sizeof(sacked));
}

static void end(void)
{
    duo_end(&w);
}

static bool on_map(struct tcp_sack b, uint32_t una)
{
    int32_t from = (int32_t)(b.start.v - base), to = (int32_t)(b.end.v - base);

    return from >= (int32_t)una && to <= (int32_t)BYTES && from < to;
}

/* Blocks from an ACK for snd_una; the map learns what is true of them. */
static bool report(const struct tcp_sack *b, unsigned n)
{
    struct tcp_seg s = {.ack = c.snd_una, .nsack = (uint8_t)n};
    uint32_t una = c.snd_una.v - base;

    for (unsigned i = 0; i < n; i++) {
        s.sack[i] = b[i];
        if (!on_map(b[i], una))
            continue;
        for (uint32_t k = b[i].start.v - base; k < b[i].end.v - base; k++)
            sacked[k] = true;
    }
    return tcp_sack_input(t, &c, &s);
}

static void advance(uint32_t n)
{
    c.snd_una = seq_add(c.snd_una, n);
    tcp_sack_advance(&c, tcp_loss(t, &c));
}

static void compare(void)
{
    const struct tcp_loss *l = tcp_loss(t, &c);
    uint32_t una = c.snd_una.v - base, sum = 0, r = 0;

    for (uint32_t i = una; i < BYTES; i++) {
        while (r < l->nranges && l->range[r].end.v - base <= i)
            r++;
        bool in = r < l->nranges && l->range[r].start.v - base <= i;
        assert_int_equal(in, sacked[i]);
        sum += in;
        assert_int_equal(tcp_sack_below(l, seq_of(base + i + 1)), sum);
    }
    assert_int_equal(l->sacked, sum);
    for (uint32_t i = 1; i < l->nranges; i++)
        assert_true(seq_gt(l->range[i].start, l->range[i - 1].end));
}

/* Blocks begin and end at multiples of 40, so that they meet often and are never more than the
 * scoreboard holds. */
static struct tcp_sack any_block(struct rng *r, bool hostile)
{
    uint32_t a = rng_below(r, BYTES / 40) * 40, n = (1 + rng_below(r, 4)) * 40;
    struct tcp_sack b = {seq_of(base + a), seq_of(base + min_u32(a + n, BYTES))};

    if (!hostile)
        return b;
    switch (rng_below(r, 6)) {
    case 0:
        return (struct tcp_sack){b.end, b.start};
    case 1:
        return (struct tcp_sack){b.start, b.start};
    case 2:
        return (struct tcp_sack){b.start, seq_of(base + BYTES + 1 + rng_below(r, 1u << 30))};
    case 3:
        return (struct tcp_sack){seq_sub(c.snd_una, 1 + rng_below(r, 1u << 30)), b.end};
    case 4:
        return (struct tcp_sack){seq_add(b.start, 1u << 31), seq_add(b.end, 1u << 31)};
    default:
        return (struct tcp_sack){seq_of(rng_u32(r)), seq_of(base + BYTES + 1)};
    }
}

static void random_blocks_give_the_same_map(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (unsigned round = 0; round < 60; round++) {
        start(round % 3 == 0 ? 0u - BYTES / 2 : rng_u32(&r));
        assert_non_null(tcp_loss_get(t, &c));
        for (unsigned step = 0; step < 60; step++) {
            struct tcp_sack b[4];
            unsigned n = 1 + rng_below(&r, 4);
            for (unsigned i = 0; i < n; i++)
                b[i] = any_block(&r, rng_chance(&r, 1, 5));
            report(b, n);
            compare();
            uint32_t left = seq_diff(c.snd_max, c.snd_una);
            if (rng_chance(&r, 1, 6) && left > 100)
                advance(rng_below(&r, 3) * 20);
            compare();
        }
        end();
    }
}

static void only_what_is_new_is_news(void **state)
{
    struct tcp_sack b = {seq_of(500), seq_of(700)};

    (void)state;
    start(0);
    assert_true(report(&b, 1));
    assert_false(report(&b, 1));
    b.start = seq_of(600);
    assert_false(report(&b, 1));
    b.end = seq_of(701);
    assert_true(report(&b, 1));
    end();
}

/* More gaps than the scoreboard has room for: what does not fit is forgotten, not misplaced. */
static void a_full_scoreboard_forgets_and_stays_in_order(void **state)
{
    (void)state;
    start(0xfffffc00);
    for (uint32_t i = 0; i < 100; i++) {
        struct tcp_sack b = {seq_of(base + 20 * i + 10), seq_of(base + 20 * i + 20)};
        assert_int_equal(report(&b, 1), i < TCP_SACK_RANGES);
    }
    const struct tcp_loss *l = tcp_loss(t, &c);
    assert_int_equal(l->nranges, TCP_SACK_RANGES);
    assert_int_equal(l->sacked, TCP_SACK_RANGES * 10);
    struct tcp_sack all = {seq_of(base + 10), seq_of(base + BYTES)};
    assert_true(report(&all, 1));
    assert_int_equal(l->nranges, 1);
    assert_int_equal(l->sacked, BYTES - 10);
    end();
}

/* RFC 6675 4, IsLost. */
static void a_hole_is_lost_below_three_ranges_or_more_than_two_segments(void **state)
{
    struct tcp_sack b = {seq_of(100), seq_of(300)};

    (void)state;
    start(0);
    const struct tcp_loss *l = tcp_loss_get(t, &c);
    report(&b, 1);
    assert_false(tcp_sack_first_lost(&c, l));
    b.end = seq_of(301);
    report(&b, 1);
    assert_true(tcp_sack_first_lost(&c, l));
    end();
    start(0);
    l = tcp_loss_get(t, &c);
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(tcp_sack_first_lost(&c, l));
        b = (struct tcp_sack){seq_of(100 + 20 * i), seq_of(101 + 20 * i)};
        report(&b, 1);
    }
    assert_true(tcp_sack_first_lost(&c, l));
    end();
}

/* RFC 6675 4: SetPipe, byte by byte. */
static bool byte_is_lost(uint32_t i)
{
    uint32_t bytes = 0, ranges = 0;

    for (uint32_t k = i; k < BYTES; k++) {
        bytes += sacked[k];
        ranges += sacked[k] && (k == i || !sacked[k - 1]);
    }
    return ranges >= 3 || bytes > 2u * c.mss;
}

static uint32_t pipe_of_the_map(void)
{
    const struct tcp_loss *l = tcp_loss(t, &c);
    uint32_t pipe = 0;

    for (uint32_t i = c.snd_una.v - base; i < BYTES; i++) {
        if (sacked[i])
            continue;
        pipe += !byte_is_lost(i);
        pipe += seq_lt(seq_of(base + i), l->high_rxt);
    }
    return pipe;
}

static void the_pipe_counts_what_rfc_6675_counts(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    for (unsigned round = 0; round < 100; round++) {
        start(rng_chance(&r, 1, 2) ? 0u - BYTES / 2 : rng_u32(&r));
        struct tcp_loss *l = tcp_loss_get(t, &c);
        l->high_rxt = c.snd_una;
        for (unsigned step = 0; step < 6; step++) {
            struct tcp_sack b = any_block(&r, false);
            report(&b, 1);
            l->high_rxt = seq_add(c.snd_una, rng_below(&r, BYTES));
            assert_int_equal(tcp_sack_pipe(&c, l), pipe_of_the_map());
        }
        end();
    }
}

/* NextSeg (1): the first byte from high_rxt on that is a hole and lost. */
static void the_next_retransmission_is_the_first_lost_hole(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 3);
    for (unsigned round = 0; round < 200; round++) {
        start(rng_chance(&r, 1, 2) ? 0u - BYTES / 2 : rng_u32(&r));
        struct tcp_loss *l = tcp_loss_get(t, &c);
        for (unsigned step = 0; step < 5; step++) {
            struct tcp_sack b = any_block(&r, false);
            report(&b, 1);
        }
        l->high_rxt = seq_add(c.snd_una, rng_below(&r, BYTES));
        uint32_t want = l->high_rxt.v - base, len = 0;
        while (want < BYTES && (sacked[want] || !byte_is_lost(want)))
            want++;
        tcp_seq seq;
        bool some = tcp_sack_next(&c, l, true, &seq, &len);
        assert_int_equal(some, want < BYTES);
        if (some) {
            assert_int_equal(seq.v - base, want);
            assert_in_range(len, 1, c.mss);
            for (uint32_t k = want; k < want + len; k++)
                assert_false(sacked[k]);
        }
        end();
    }
}

/* RFC 2883: below the ACK, or inside the second block. */
static void duplicates_are_counted(void **state)
{
    struct tcp_sack below[1] = {{seq_of(0xffffff00), seq_of(0xffffff80)}};
    struct tcp_sack inside[2] = {{seq_of(300), seq_of(400)}, {seq_of(200), seq_of(500)}};

    (void)state;
    start(0);
    report(below, 1);
    assert_int_equal(t->stats.dsacks_in, 1);
    report(inside, 2);
    assert_int_equal(t->stats.dsacks_in, 2);
    report(inside + 1, 1);
    assert_int_equal(t->stats.dsacks_in, 2);
    compare();
    end();
}

static void without_a_scoreboard_left_it_goes_on_without(void **state)
{
    struct tcp_sack b = {seq_of(500), seq_of(700)};

    (void)state;
    start(0);
    while (pool_get(&t->losses))
        ;
    assert_false(report(&b, 1));
    assert_int_equal(c.loss, MEM_NONE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_blocks_give_the_same_map),
        cmocka_unit_test(only_what_is_new_is_news),
        cmocka_unit_test(a_full_scoreboard_forgets_and_stays_in_order),
        cmocka_unit_test(a_hole_is_lost_below_three_ranges_or_more_than_two_segments),
        cmocka_unit_test(the_pipe_counts_what_rfc_6675_counts),
        cmocka_unit_test(the_next_retransmission_is_the_first_lost_hole),
        cmocka_unit_test(duplicates_are_counted),
        cmocka_unit_test(without_a_scoreboard_left_it_goes_on_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
