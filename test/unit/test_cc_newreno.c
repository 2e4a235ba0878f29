/* NewReno against the arithmetic of RFC 5681. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "cc/cc.h"

static const struct cc_ops *ops;

static struct cc fresh(uint32_t cwnd, uint32_t ssthresh)
{
    struct cc c = {.cwnd = cwnd, .ssthresh = ssthresh};

    ops = cc_ops(CC_NEWRENO);
    ops->init(&c);
    return c;
}

static void ack(struct cc *c, uint32_t mss, uint32_t acked)
{
    struct cc_info i = {.mss = mss, .flight = c->cwnd, .acked = acked, .now_ms = 1};

    ops->ack(c, &i);
}

static void it_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(cc_ops(CC_NEWRENO)->name, "newreno");
    assert_string_equal(cc_ops(CC_CUBIC)->name, "cubic");
}

/* RFC 5681 3.1: by the bytes acknowledged, at most two segments an ACK (RFC 3465). */
static void slow_start_grows_by_what_is_acknowledged_and_two_segments_at_most(void **state)
{
    struct cc c = fresh(10000, UINT32_MAX);

    (void)state;
    ack(&c, 1000, 1000);
    assert_int_equal(c.cwnd, 11000);
    ack(&c, 1000, 300);
    assert_int_equal(c.cwnd, 11300);
    ack(&c, 1000, 2000);
    assert_int_equal(c.cwnd, 13300);
    ack(&c, 1000, 64000);
    assert_int_equal(c.cwnd, 15300);
}

static void slow_start_doubles_in_a_round_trip(void **state)
{
    struct cc c = fresh(10000, UINT32_MAX);

    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        uint32_t segments = c.cwnd / 1000, was = c.cwnd;
        for (unsigned i = 0; i < segments; i++)
            ack(&c, 1000, 1000);
        assert_int_equal(c.cwnd, 2 * was);
    }
}

static void slow_start_stops_at_ssthresh_and_the_rest_counts_for_what_follows(void **state)
{
    struct cc c = fresh(9500, 10000);

    (void)state;
    ack(&c, 1000, 2000);
    assert_int_equal(c.cwnd, 10000);
    assert_int_equal(c.acked, 1500);
}

/* RFC 5681 3.1 (2): count the bytes; a window of them is worth one segment. */
static void congestion_avoidance_adds_a_segment_a_window(void **state)
{
    struct cc c = fresh(10000, 10000);

    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        uint32_t was = c.cwnd, left = c.cwnd;
        while (left) {
            assert_int_equal(c.cwnd, was);
            uint32_t n = min_u32(left, 1000);
            ack(&c, 1000, n);
            left -= n;
        }
        assert_int_equal(c.cwnd, was + 1000);
        assert_int_equal(c.acked, 0);
    }
}

static void an_ack_of_many_bytes_counts_them_all(void **state)
{
    struct cc a = fresh(100000, 100000), b = a;

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        ack(&a, 1000, 1000);
    ack(&b, 1000, 64000);
    assert_memory_equal(&a, &b, sizeof(a));
}

static void an_application_that_sends_little_earns_no_window(void **state)
{
    struct cc c = fresh(10000, UINT32_MAX), was = c;
    struct cc_info i = {.mss = 1000, .acked = 1000, .now_ms = 1, .app_limited = true};

    (void)state;
    ops->ack(&c, &i);
    assert_memory_equal(&c, &was, sizeof(c));
    c = was = fresh(10000, 5000);
    ops->ack(&c, &i);
    assert_memory_equal(&c, &was, sizeof(c));
}

/* RFC 5681 eqn. (4): half of the flight, not of the window. */
static void a_loss_halves_the_flight(void **state)
{
    struct cc c = fresh(100000, UINT32_MAX);
    struct cc_info i = {.mss = 1000, .flight = 40000, .now_ms = 1};

    (void)state;
    c.acked = 77;
    ops->loss(&c, &i);
    assert_int_equal(c.ssthresh, 20000);
    assert_int_equal(c.cwnd, 20000);
    assert_int_equal(c.acked, 0);
}

static void two_segments_are_the_least(void **state)
{
    struct cc c = fresh(3000, UINT32_MAX);
    struct cc_info i = {.mss = 1000, .flight = 3000, .now_ms = 1};

    (void)state;
    ops->loss(&c, &i);
    assert_int_equal(c.ssthresh, 2000);
}

static void a_time_out_leaves_one_segment(void **state)
{
    struct cc c = fresh(100000, UINT32_MAX);
    struct cc_info i = {.mss = 1000, .flight = 40000, .now_ms = 1};

    (void)state;
    ops->timeout(&c, &i, true);
    assert_int_equal(c.ssthresh, 20000);
    assert_int_equal(c.cwnd, 1000);
}

/* RFC 5681 3.1: a segment that was retransmitted by the timer already lowers ssthresh once only. */
static void a_second_time_out_of_a_segment_keeps_ssthresh(void **state)
{
    struct cc c = fresh(100000, UINT32_MAX);
    struct cc_info i = {.mss = 1000, .flight = 40000, .now_ms = 1};

    (void)state;
    ops->timeout(&c, &i, true);
    i.flight = 1000;
    ops->timeout(&c, &i, false);
    assert_int_equal(c.ssthresh, 20000);
    assert_int_equal(c.cwnd, 1000);
}

/* RFC 5681 4.1. */
static void idleness_takes_the_window_back_to_the_initial_one_and_not_up_to_it(void **state)
{
    struct cc c = fresh(100000, 50000);
    struct cc_info i = {.mss = 1000, .now_ms = 1};

    (void)state;
    ops->restart(&c, &i, 10000);
    assert_int_equal(c.cwnd, 10000);
    assert_int_equal(c.ssthresh, 50000);
    c.cwnd = 4000;
    ops->restart(&c, &i, 10000);
    assert_int_equal(c.cwnd, 4000);
}

static void nothing_overflows_however_large(void **state)
{
    static const uint32_t mss[] = {64, 536, 1460, 8960, 65495};
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (unsigned n = 0; n < 200000; n++) {
        uint32_t m = mss[rng_below(&r, ARRAY_LEN(mss))];
        struct cc c = fresh(max_u32(rng_u32(&r) >> (1 + rng_below(&r, 20)), m), 0);
        c.ssthresh = rng_chance(&r, 1, 2) ? c.cwnd : c.cwnd - c.cwnd / 2;
        c.acked = rng_below(&r, c.cwnd);
        uint32_t was = c.cwnd;
        ack(&c, m, 1 + rng_below(&r, c.cwnd));
        assert_true(c.cwnd >= was && c.cwnd - was <= m && c.cwnd <= UINT32_MAX / 2);
        struct cc_info i = {.mss = m, .flight = c.cwnd, .now_ms = rng_u32(&r)};
        ops->loss(&c, &i);
        assert_true(c.cwnd >= 2 * m && (c.cwnd <= was || c.cwnd == 2 * m));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_a_name),
        cmocka_unit_test(slow_start_grows_by_what_is_acknowledged_and_two_segments_at_most),
        cmocka_unit_test(slow_start_doubles_in_a_round_trip),
        cmocka_unit_test(slow_start_stops_at_ssthresh_and_the_rest_counts_for_what_follows),
        cmocka_unit_test(congestion_avoidance_adds_a_segment_a_window),
        cmocka_unit_test(an_ack_of_many_bytes_counts_them_all),
        cmocka_unit_test(an_application_that_sends_little_earns_no_window),
        cmocka_unit_test(a_loss_halves_the_flight),
        cmocka_unit_test(two_segments_are_the_least),
        cmocka_unit_test(a_time_out_leaves_one_segment),
        cmocka_unit_test(a_second_time_out_of_a_segment_keeps_ssthresh),
        cmocka_unit_test(idleness_takes_the_window_back_to_the_initial_one_and_not_up_to_it),
        cmocka_unit_test(nothing_overflows_however_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
