/* The reassembly queue against a map with a flag for every byte: segments come in any order,
 * overlapping, repeated, and the stream is read as it was sent. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"
#include "tcp/tcp_int.h"

#define BYTES 3000u

static struct duo w;
static mr_sock h[2];
static struct tcp_conn *c;
static struct tcp_seg from_peer; /* next segment of end 0, as end 1 expects it */
static tcp_seq base;
static bool map[BYTES];
static uint64_t got;

static bool lose_all(void *arg, unsigned from, const struct pkt *p)
{
    (void)arg;
    (void)from;
    (void)p;
    return true;
}

/* A real connection, whose peer falls silent: the test speaks for it. */
static void start_with(uint32_t isn)
{
    w.config.tcp.timestamps = false;
    w.config.tcp.isn_fixed = true;
    w.config.tcp.isn_offset = isn;
    duo_start_with(&w);
    duo_connect(&w, duo_listen(&w, 1), h);
    w.lose = lose_all;
    c = duo_conn(&w, 1, h[1]);
    base = c->rcv_nxt;
    from_peer = (struct tcp_seg){.seq = base,
                                 .ack = c->snd_nxt,
                                 .sport = c->key.rport,
                                 .dport = c->key.lport,
                                 .flags = TH_ACK,
                                 .wnd = 65535};
    memset(map, 0, sizeof(map));
    got = 0;
}

static void start(uint32_t isn)
{
    duo_defaults(&w);
    start_with(isn);
}

static void end(void)
{
    mr_abort(w.end[1].m, h[1]);
    duo_run(&w, 1000);
    assert_int_equal(w.end[1].forged.descs.used, 0);
    assert_int_equal(duo_tcp(&w, 1)->ooo_packets, 0);
    duo_end(&w);
}

/* Bytes [from, to) of the stream. */
static void segment(uint32_t from, uint32_t to, uint16_t flags)
{
    uint8_t b[BYTES];
    struct tcp_seg s = from_peer;

    for (uint32_t i = from; i < to; i++) {
        b[i - from] = duo_byte(i);
        map[i] = true;
    }
    s.seq = seq_add(base, from);
    s.flags |= flags;
    duo_segment(&w, 1, &s, b, to - from);
    stack_check(w.end[1].stack);
}

static uint32_t contiguous(void)
{
    uint32_t n = 0;

    while (n < BYTES && map[n])
        n++;
    return n;
}

/* Each block is a whole run of the map, and no two are the same (but the first, a duplicate's). */
static void blocks_are_runs_of_the_map(void)
{
    struct tcp_sack b[TCP_SACK_MAX];
    const struct tcp_loss *l = tcp_loss(duo_tcp(&w, 1), c);
    unsigned first = l && l->has_dsack ? 1 : 0;
    unsigned n = tcp_reass_blocks(duo_tcp(&w, 1), c, b, TCP_SACK_MAX), runs = 0;

    for (uint32_t i = contiguous(); i < BYTES; i++)
        runs += map[i] && !map[i - 1];
    assert_true(n >= min_u32(runs + first, TCP_SACK_MAX) || !l);
    for (unsigned i = first; i < n; i++) {
        uint32_t from = seq_diff(b[i].start, base), to = seq_diff(b[i].end, base);
        assert_true(from > contiguous() && from < to && to <= BYTES);
        assert_true(!map[from - 1] && (to == BYTES || !map[to]));
        for (uint32_t k = from; k < to; k++)
            assert_true(map[k]);
        for (unsigned k = first; k < i; k++)
            assert_false(seq_eq(b[k].start, b[i].start));
    }
}

static void compare(void)
{
    assert_int_equal(seq_diff(c->rcv_nxt, base), contiguous());
    blocks_are_runs_of_the_map();
}

static void random_segments_make_the_same_stream(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (unsigned round = 0; round < 40; round++) {
        start(round % 2 ? rng_u32(&r) : 0u - BYTES / 2);
        for (unsigned step = 0; step < 400 && contiguous() < BYTES; step++) {
            uint32_t from = rng_below(&r, BYTES / 10) * 10;
            uint32_t to = min_u32(from + 10 * (1 + rng_below(&r, 1 + (step & 31))), BYTES);
            segment(from, to, 0);
            compare();
            if (rng_chance(&r, 1, 4))
                duo_drain(&w, 1, h[1], &got);
        }
        segment(0, BYTES / 2, 0);
        segment(BYTES / 2, BYTES, 0);
        compare();
        duo_drain(&w, 1, h[1], &got);
        assert_int_equal(got, BYTES);
        end();
    }
}

static void single_bytes_backwards_come_out_forwards(void **state)
{
    (void)state;
    start(0xfffffff0);
    for (uint32_t i = 120; i-- > 0;) {
        segment(i, i + 1, 0);
        compare();
    }
    duo_drain(&w, 1, h[1], &got);
    assert_int_equal(got, 120);
    end();
}

/* RFC 2018 4: the block with the segment that has just come is the first. */
static void the_newest_block_is_first(void **state)
{
    struct tcp_sack b[TCP_SACK_MAX];

    (void)state;
    start(100);
    for (uint32_t i = 1; i <= 3; i++)
        segment(1000 * i - 500, 1000 * i - 400, 0);
    segment(600, 700, 0);
    assert_int_equal(tcp_reass_blocks(duo_tcp(&w, 1), c, b, 4), 3);
    assert_int_equal(seq_diff(b[0].start, base), 500);
    assert_int_equal(seq_diff(b[0].end, base), 700);
    assert_int_equal(seq_diff(b[1].start, base), 2500);
    assert_int_equal(seq_diff(b[2].start, base), 1500);
    end();
}

/* RFC 2883. */
static void a_duplicate_is_reported_once_and_first(void **state)
{
    struct tcp_sack b[TCP_SACK_MAX];

    (void)state;
    start(100);
    segment(500, 600, 0);
    segment(520, 560, 0);
    assert_int_equal(tcp_reass_blocks(duo_tcp(&w, 1), c, b, 4), 2);
    assert_int_equal(seq_diff(b[0].start, base), 520);
    assert_int_equal(seq_diff(b[0].end, base), 560);
    assert_int_equal(seq_diff(b[1].start, base), 500);
    duo_run(&w, 1000); /* the ACK with the report leaves */
    assert_int_equal(tcp_reass_blocks(duo_tcp(&w, 1), c, b, 4), 1);
    assert_int_equal(duo_tcp(&w, 1)->stats.dsacks_out, 1);
    end();
}

/* CVE-2018-5390: runs are bounded; what does not fit is dropped and counted, and what fills the
 * first gap is always taken. */
static void more_gaps_than_allowed_cost_nothing(void **state)
{
    const struct tcp_stats *stats;

    (void)state;
    duo_defaults(&w);
    w.config.limits.tcp.ooo_runs = 8;
    start_with(7);
    stats = &duo_tcp(&w, 1)->stats;
    for (uint32_t i = 0; i < 20; i++)
        segment(10 + 20 * i, 20 + 20 * i, 0);
    assert_int_equal(stats->drop_ooo_full, 12);
    assert_int_equal(duo_tcp(&w, 1)->ooo_packets, 8);
    segment(0, 10, 0);
    assert_int_equal(seq_diff(c->rcv_nxt, base), 20);
    end();
}

static void the_packets_of_all_queues_are_bounded(void **state)
{
    (void)state;
    duo_defaults(&w);
    w.config.limits.tcp.ooo_packets = 5;
    start_with(7);
    for (uint32_t i = 0; i < 20; i++)
        segment(10 + 10 * i, 20 + 10 * i, 0);
    assert_int_equal(duo_tcp(&w, 1)->ooo_packets, 5);
    assert_int_equal(duo_tcp(&w, 1)->stats.drop_ooo_full, 15);
    end();
}

/* A port without buffers to spare: all is copied, and what came early leaves room for what fills
 * its gaps. */
static void what_came_early_does_not_keep_out_what_is_next(void **state)
{
    const struct tcp_stats *stats;

    (void)state;
    duo_defaults(&w);
    w.config.limits.copy_packets = 8;
    start_with(7);
    stats = &duo_tcp(&w, 1)->stats;
    w.end[1].forged.low_water = UINT32_MAX;
    for (uint32_t i = 0; i < 20; i++)
        segment(10 + 20 * i, 20 + 20 * i, 0);
    assert_int_equal(duo_tcp(&w, 1)->ooo_packets, 4);
    assert_int_equal(stats->drop_ooo_full, 16);
    segment(0, 10, 0);
    assert_int_equal(seq_diff(c->rcv_nxt, base), 20);
    assert_int_equal(stats->drop_rcv_memory, 0);
    end();
}

static void a_fin_behind_a_gap_ends_the_stream_when_the_gap_is_filled(void **state)
{
    (void)state;
    start(0xfffffff0);
    segment(100, 200, TH_FIN);
    segment(150, 250, 0); /* nothing may follow a FIN */
    memset(map + 200, 0, 50);
    assert_int_equal(seq_diff(c->rcv_nxt, base), 0);
    segment(0, 120, 0);
    assert_int_equal(seq_diff(c->rcv_nxt, base), 201);
    assert_int_equal(c->state, TCPS_CLOSE_WAIT);
    assert_int_equal(duo_drain(&w, 1, h[1], &got), 0);
    assert_int_equal(got, 200);
    end();
}

/* The bytes that came first stay, unless a segment covers the whole run. */
static void a_segment_that_overlaps_a_run_does_not_rewrite_it(void **state)
{
    uint8_t other[100];
    struct tcp_seg s;

    (void)state;
    start(9);
    segment(50, 100, 0);
    s = from_peer;
    s.seq = seq_add(base, 40);
    memset(other, 0xee, sizeof(other));
    for (uint32_t i = 0; i < 10; i++)
        other[i] = duo_byte(40 + i);
    duo_segment(&w, 1, &s, other, 50); /* 50..90 again, different */
    segment(0, 40, 0);
    duo_drain(&w, 1, h[1], &got);
    assert_int_equal(got, 100);
    end();
}

static void what_waits_goes_back_when_the_connection_is_aborted(void **state)
{
    (void)state;
    start(9);
    for (uint32_t i = 0; i < 50; i++)
        segment(10 + 20 * i, 20 + 20 * i, 0);
    assert_int_equal(w.end[1].forged.descs.used, 50);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_segments_make_the_same_stream),
        cmocka_unit_test(single_bytes_backwards_come_out_forwards),
        cmocka_unit_test(the_newest_block_is_first),
        cmocka_unit_test(a_duplicate_is_reported_once_and_first),
        cmocka_unit_test(more_gaps_than_allowed_cost_nothing),
        cmocka_unit_test(the_packets_of_all_queues_are_bounded),
        cmocka_unit_test(what_came_early_does_not_keep_out_what_is_next),
        cmocka_unit_test(a_fin_behind_a_gap_ends_the_stream_when_the_gap_is_filled),
        cmocka_unit_test(a_segment_that_overlaps_a_run_does_not_rewrite_it),
        cmocka_unit_test(what_waits_goes_back_when_the_connection_is_aborted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
