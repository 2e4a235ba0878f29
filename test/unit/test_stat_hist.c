/* The histogram against sorted values. */
#include "lib/cmocka_first.h"
#include "lib/expect_panic.h"

#include "base/rng.h"
#include "stat/hist.h"

#define VALUES 10000

static struct hist h, other;

static int start(void **state)
{
    (void)state;
    hist_init(&h);
    hist_init(&other);
    return 0;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void an_empty_histogram_says_zero(void **state)
{
    (void)state;
    assert_int_equal(hist_percentile(&h, 99, 100), 0);
    assert_int_equal(hist_mean(&h), 0);
    assert_int_equal(h.count, 0);
    assert_int_equal(h.max, 0);
}

static void slots_are_in_order_and_none_is_skipped(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 1u << 20; v++) {
        unsigned step = hist_slot(v + 1) - hist_slot(v);
        assert_true(step <= 1);
    }
    assert_int_equal(hist_slot(0), 0);
    assert_int_equal(hist_slot((UINT64_C(1) << 40) - 1), HIST_SLOTS - 1);
    assert_int_equal(hist_slot(UINT64_MAX), HIST_SLOTS - 1);
}

static void one_value_reads_back_within_one_part_in_128(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < UINT64_C(1) << 40; v += v / 3 + 1) {
        hist_init(&h);
        hist_record(&h, v);
        hist_record(&h, UINT64_C(1) << 40); /* so that max does not help */
        uint64_t got = hist_percentile(&h, 1, 2);
        assert_true(got >= v && got - v <= v / 128);
    }
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    static const uint64_t parts[][2] = {
        {0, 1}, {1, 2}, {90, 100}, {99, 100}, {9999, 10000}, {1, 1},
    };
    static uint64_t v[VALUES];
    uint64_t sum = 0;
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    for (int i = 0; i < VALUES; i++) {
        v[i] = rng_u64(&r) >> (24 + rng_below(&r, 40));
        sum += v[i];
        hist_record(&h, v[i]);
    }
    qsort(v, VALUES, sizeof(v[0]), ascending);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t rank = (VALUES * parts[i][0] + parts[i][1] - 1) / parts[i][1];
        uint64_t want = v[rank > 0 ? rank - 1 : 0];
        uint64_t got = hist_percentile(&h, parts[i][0], parts[i][1]);
        assert_true(got >= want && got - want <= want / 128);
    }
    assert_true(h.min == v[0] && h.max == v[VALUES - 1]);
    assert_true(hist_percentile(&h, 1, 1) == h.max);
    assert_true(hist_mean(&h) == sum / VALUES);
}

static void a_value_too_great_counts_and_keeps_its_maximum(void **state)
{
    (void)state;
    hist_record(&h, 5);
    hist_record(&h, UINT64_C(1) << 50);
    assert_true(h.max == UINT64_C(1) << 50);
    assert_int_equal(hist_percentile(&h, 1, 2), 5);
    assert_true(hist_percentile(&h, 1, 1) == UINT64_C(1) << 50);
}

/* One request a millisecond, all answered in one, but one that stalls for 100: the 99 that should
 * have been sent meanwhile would have waited 99, 98, ... 1.  */
static void a_stall_counts_for_the_requests_it_kept_back(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        hist_record_corrected(&h, 1, 1);
    hist_record_corrected(&h, 100, 1);
    assert_int_equal(h.count, 200);
    assert_int_equal(hist_percentile(&h, 1, 2), 1);
    assert_int_equal(hist_percentile(&h, 75, 100), 50);
    assert_int_equal(h.sum, 100 + 5050);
}

static void correction_stops_at_the_interval(void **state)
{
    (void)state;
    hist_record_corrected(&h, 25, 10); /* 25 and 15; 5 is below the interval */
    assert_int_equal(h.count, 2);
    assert_int_equal(h.min, 15);
    hist_record_corrected(&h, 25, 0);
    assert_int_equal(h.count, 3);
    hist_record_corrected(&h, 25, UINT64_MAX);
    assert_int_equal(h.count, 4);
}

static void merging_is_recording_both(void **state)
{
    static struct hist both;
    struct rng r;

    (void)state;
    hist_init(&both);
    rng_init(&r, 2);
    for (int i = 0; i < VALUES; i++) {
        uint64_t v = rng_u32(&r);
        hist_record(i % 3 ? &h : &other, v);
        hist_record(&both, v);
    }
    hist_merge(&h, &other);
    assert_memory_equal(&h, &both, sizeof(h));
}

static void merging_an_empty_one_changes_nothing(void **state)
{
    (void)state;
    hist_record(&h, 9);
    hist_merge(&h, &other);
    assert_int_equal(h.min, 9);
    assert_int_equal(h.max, 9);
    assert_int_equal(h.count, 1);
}

static void a_percentile_above_all_is_our_own_fault(void **state)
{
    (void)state;
    expect_panic(hist_percentile(&h, 101, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_histogram_says_zero, start),
        cmocka_unit_test_setup(slots_are_in_order_and_none_is_skipped, start),
        cmocka_unit_test_setup(one_value_reads_back_within_one_part_in_128, start),
        cmocka_unit_test_setup(percentiles_are_those_of_the_sorted_values, start),
        cmocka_unit_test_setup(a_value_too_great_counts_and_keeps_its_maximum, start),
        cmocka_unit_test_setup(a_stall_counts_for_the_requests_it_kept_back, start),
        cmocka_unit_test_setup(correction_stops_at_the_interval, start),
        cmocka_unit_test_setup(merging_is_recording_both, start),
        cmocka_unit_test_setup(merging_an_empty_one_changes_nothing, start),
        cmocka_unit_test_setup(a_percentile_above_all_is_our_own_fault, start),
    };
    return cmocka_run_group_tests_name("stat_hist", tests, NULL, NULL);
}
