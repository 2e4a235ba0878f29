/* CUBIC's integers against RFC 9438 in floating point. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "cc/cc.h"

#define C 0.4
#define BETA 0.7

static struct cc fresh(uint32_t cwnd, uint32_t ssthresh)
{
    struct cc c = {.cwnd = cwnd, .ssthresh = ssthresh};

    cc_ops(CC_CUBIC)->init(&c);
    return c;
}

/* Cube root by bisection: no libm here. */
static double cube_root(double v)
{
    double lo = 0, hi = 1e7;

    for (unsigned i = 0; i < 100; i++) {
        double mid = (lo + hi) / 2;
        if (mid * mid * mid < v)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

struct path {
    uint32_t mss, rtt_ms;
    uint32_t now_ms;
    uint32_t acked; /* bytes an ACK */
};

/* One round trip: a window's worth of ACKs, spread over it. */
static void round_trip(struct cc *c, struct path *p)
{
    uint32_t left = c->cwnd, begin = p->now_ms, done = 0, window = c->cwnd;

    while (left) {
        uint32_t n = min_u32(left, p->acked);
        done += n;
        left -= n;
        p->now_ms = begin + (uint32_t)((uint64_t)p->rtt_ms * done / window);
        struct cc_info i = {.mss = p->mss,
                            .flight = window,
                            .acked = n,
                            .srtt_us = p->rtt_ms * 1000,
                            .now_ms = p->now_ms};
        cc_ops(CC_CUBIC)->ack(c, &i);
    }
}

static void lose(struct cc *c, const struct path *p)
{
    struct cc_info i = {.mss = p->mss, .flight = c->cwnd, .now_ms = p->now_ms};

    cc_ops(CC_CUBIC)->loss(c, &i);
}

static void assert_near(double got, double want, double tolerance)
{
    if (got < want * (1 - tolerance) || got > want * (1 + tolerance))
        fail_msg("%.0f is not within %.1f %% of %.0f", got, tolerance * 100, want);
}

/* RFC 9438 4.6. */
static void a_loss_leaves_seven_tenths_and_remembers_the_window(void **state)
{
    struct path p = {1000, 50, 1000, 2000};
    struct cc c = fresh(1000000, UINT32_MAX);

    (void)state;
    lose(&c, &p);
    assert_int_equal(c.ssthresh, 700000);
    assert_int_equal(c.cwnd, 700000);
    assert_int_equal(c.cubic.w_max, 1000000);
}

static void two_segments_are_the_least(void **state)
{
    struct path p = {1000, 50, 1000, 2000};
    struct cc c = fresh(2000, UINT32_MAX);

    (void)state;
    lose(&c, &p);
    assert_int_equal(c.ssthresh, 2000);
}

/* RFC 9438 4.7. */
static void a_loss_below_the_last_maximum_releases_bandwidth(void **state)
{
    struct path p = {1000, 50, 1000, 2000};
    struct cc c = fresh(1000000, UINT32_MAX);

    (void)state;
    lose(&c, &p);
    lose(&c, &p); /* at 700000, below 1000000 */
    assert_int_equal(c.cubic.w_max, 595000);
    assert_int_equal(c.cwnd, 490000);
}

/* RFC 9438 4.2, figure 2: K = cbrt((W_max - cwnd_epoch) / C). */
static void k_is_the_cube_root_of_the_gap(void **state)
{
    static const uint32_t windows[] = {20000, 200000, 2000000, 20000000, 2000000000};
    static const uint32_t mss[] = {64, 536, 1460, 8960, 65495};

    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(windows); w++)
        for (unsigned m = 0; m < ARRAY_LEN(mss); m++) {
            struct path p = {mss[m], 100, 1000, mss[m]};
            struct cc c = fresh(windows[w], UINT32_MAX);
            lose(&c, &p);
            if (c.cwnd >= windows[w])
                continue;
            double gap = (double)(windows[w] - c.cwnd) / mss[m];
            struct cc_info i = {.mss = mss[m], .acked = 1, .now_ms = 5000, .srtt_us = 100000};
            cc_ops(CC_CUBIC)->ack(&c, &i);
            assert_near(c.cubic.k_ms + 0.5, 1000 * cube_root(gap / C), 0.002);
        }
}

/* On a long path the window follows figure 1: W_cubic(t) = C (t - K)^3 + W_max. */
static void on_a_long_path_the_window_follows_the_cubic(void **state)
{
    static const uint32_t maxima[] = {1000000, 5000000, 50000000};

    (void)state;
    for (unsigned n = 0; n < ARRAY_LEN(maxima); n++) {
        struct path p = {1000, 200, 1000, 2000};
        struct cc c = fresh(maxima[n], UINT32_MAX);
        lose(&c, &p);
        double k = cube_root(maxima[n] / 1000.0 * (1 - BETA) / C);
        uint32_t begin = p.now_ms;
        while (p.now_ms - begin < 1.5 * k * 1000) {
            round_trip(&c, &p);
            double t = (p.now_ms - begin) / 1000.0 - k;
            double w = (C * t * t * t + maxima[n] / 1000.0) * 1000;
            if (c.cwnd != c.cubic.w_est)
                assert_near(c.cwnd, w, 0.05);
        }
        assert_true(c.cwnd > maxima[n]);
    }
}

/* RFC 9438 4.3, figure 4: W_est += alpha * segments_acked / cwnd, alpha 0.53 up to the window
 * before the loss and 1 from there on. */
static void on_a_short_path_the_window_is_renos(void **state)
{
    static const uint32_t maxima[] = {50000, 200000, 2000000, 8000000};
    static const uint32_t acked[] = {1000, 2000, 16000};

    (void)state;
    for (unsigned n = 0; n < ARRAY_LEN(maxima); n++)
        for (unsigned a = 0; a < ARRAY_LEN(acked); a++) {
            struct path p = {1000, 1, 1000, acked[a]};
            struct cc c = fresh(maxima[n], UINT32_MAX);
            lose(&c, &p);
            double est = c.cwnd;
            for (unsigned round = 0; round < 300; round++) {
                est += (est < maxima[n] ? 3 * (1 - BETA) / (1 + BETA) : 1) * p.mss;
                round_trip(&c, &p);
            }
            assert_near(c.cwnd, est, 0.02);
        }
}

/* RFC 9438 4.2: the target is at most half as much again, however late it is. */
static void a_round_trip_adds_at_most_half(void **state)
{
    struct path p = {1000, 100, 1000, 1000};
    struct cc c = fresh(100000, UINT32_MAX);

    (void)state;
    lose(&c, &p);
    round_trip(&c, &p);
    p.now_ms += 3600 * 1000;
    uint32_t was = c.cwnd;
    round_trip(&c, &p);
    assert_true(c.cwnd <= was + was / 2 + p.mss);
    assert_true(c.cwnd > was + was / 4);
}

static void slow_start_is_renos(void **state)
{
    struct path p = {1000, 100, 1000, 1000};
    struct cc c = fresh(10000, UINT32_MAX);

    (void)state;
    round_trip(&c, &p);
    assert_int_equal(c.cwnd, 20000);
}

/* RFC 9438 5.8: neither growth, nor growth saved up. */
static void time_without_a_full_window_is_not_time_of_growth(void **state)
{
    struct path p = {1000, 100, 1000, 1000};
    struct cc c = fresh(1000000, UINT32_MAX);

    (void)state;
    lose(&c, &p);
    round_trip(&c, &p);
    uint32_t was = c.cwnd;
    struct cc_info idle = {.mss = 1000, .acked = 1000, .srtt_us = 100000, .app_limited = true};
    for (unsigned i = 0; i < 100; i++) {
        idle.now_ms = p.now_ms += 1000;
        cc_ops(CC_CUBIC)->ack(&c, &idle);
    }
    assert_int_equal(c.cwnd, was);
    round_trip(&c, &p);
    assert_true(c.cwnd < was + was / 8);
}

static void a_time_out_leaves_one_segment_and_seven_tenths(void **state)
{
    struct cc c = fresh(1000000, UINT32_MAX);
    struct cc_info i = {.mss = 1000, .flight = 1000000, .now_ms = 1000};

    (void)state;
    cc_ops(CC_CUBIC)->timeout(&c, &i, true);
    assert_int_equal(c.ssthresh, 700000);
    assert_int_equal(c.cwnd, 1000);
    cc_ops(CC_CUBIC)->timeout(&c, &i, false);
    assert_int_equal(c.ssthresh, 700000);
}

/* RFC 9438 4.8: K is 0 and W_max the window with which congestion avoidance begins. */
static void after_a_time_out_congestion_avoidance_begins_on_the_plateau(void **state)
{
    struct path p = {1000, 100, 1000, 1000};
    struct cc c = fresh(1000000, UINT32_MAX);
    struct cc_info i = {.mss = 1000, .flight = 1000000, .now_ms = 1000};

    (void)state;
    cc_ops(CC_CUBIC)->timeout(&c, &i, true);
    while (c.cwnd < c.ssthresh)
        round_trip(&c, &p);
    round_trip(&c, &p);
    assert_int_equal(c.cubic.k_ms, 0);
    assert_in_range(c.cubic.w_max, 700000, 701000);
    assert_in_range(c.cwnd, 700000, 703000);
}

static void the_clock_may_begin_anywhere_and_wrap(void **state)
{
    static const uint32_t starts[] = {0, 1, 77, UINT32_MAX - 1000, UINT32_MAX - 5000, 1u << 31};
    uint32_t first = 0;

    (void)state;
    for (unsigned n = 0; n < ARRAY_LEN(starts); n++) {
        struct path p = {1000, 100, starts[n], 1000};
        struct cc c = fresh(1000000, UINT32_MAX);
        lose(&c, &p);
        for (unsigned round = 0; round < 100; round++)
            round_trip(&c, &p);
        first = n ? first : c.cwnd;
        assert_near(c.cwnd, first, 0.005);
    }
}

static void nothing_overflows_however_large_or_late(void **state)
{
    static const uint32_t mss[] = {64, 536, 1460, 8960, 65495};
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (unsigned n = 0; n < 100000; n++) {
        uint32_t m = mss[rng_below(&r, ARRAY_LEN(mss))];
        struct cc c = fresh(max_u32(rng_u32(&r) >> (1 + rng_below(&r, 20)), m), 0);
        struct path p = {m, 1 + rng_below(&r, 10000), rng_u32(&r), m};
        if (rng_chance(&r, 1, 2))
            lose(&c, &p);
        c.ssthresh = c.cwnd;
        for (unsigned k = 0; k < 4; k++) {
            uint32_t was = c.cwnd;
            struct cc_info i = {.mss = m,
                                .flight = c.cwnd,
                                .acked = 1 + rng_below(&r, c.cwnd),
                                .srtt_us = p.rtt_ms * 1000,
                                .now_ms = p.now_ms += rng_u32(&r) >> rng_below(&r, 32)};
            cc_ops(CC_CUBIC)->ack(&c, &i);
            assert_true(c.cwnd >= was && c.cwnd <= INT32_MAX);
            assert_true(c.cwnd - was <= was / 2 + m);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_leaves_seven_tenths_and_remembers_the_window),
        cmocka_unit_test(two_segments_are_the_least),
        cmocka_unit_test(a_loss_below_the_last_maximum_releases_bandwidth),
        cmocka_unit_test(k_is_the_cube_root_of_the_gap),
        cmocka_unit_test(on_a_long_path_the_window_follows_the_cubic),
        cmocka_unit_test(on_a_short_path_the_window_is_renos),
        cmocka_unit_test(a_round_trip_adds_at_most_half),
        cmocka_unit_test(slow_start_is_renos),
        cmocka_unit_test(time_without_a_full_window_is_not_time_of_growth),
        cmocka_unit_test(a_time_out_leaves_one_segment_and_seven_tenths),
        cmocka_unit_test(after_a_time_out_congestion_avoidance_begins_on_the_plateau),
        cmocka_unit_test(the_clock_may_begin_anywhere_and_wrap),
        cmocka_unit_test(nothing_overflows_however_large_or_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
