/* Sequence numbers, exhaustively where the circle closes and where it is halved. */
#include "lib/cmocka_first.h"

#include "base/seq.h"

#define SPAN 40

static const uint32_t near[] = {0, 0x7fffffec, 0x80000000, 0xffffffec};

/* Two numbers less than half the circle apart are ordered as their places are. */
static void order_is_that_of_the_places_across_every_wrap(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(near); k++)
        for (uint32_t i = 0; i < SPAN; i++)
            for (uint32_t j = 0; j < SPAN; j++) {
                tcp_seq a = seq_of(near[k] + i), b = seq_of(near[k] + j);
                assert_int_equal(seq_lt(a, b), i < j);
                assert_int_equal(seq_leq(a, b), i <= j);
                assert_int_equal(seq_gt(a, b), i > j);
                assert_int_equal(seq_geq(a, b), i >= j);
                assert_int_equal(seq_eq(a, b), i == j);
                assert_true(seq_eq(seq_min(a, b), i < j ? a : b));
                assert_true(seq_eq(seq_max(a, b), i < j ? b : a));
            }
}

static void less_than_turns_round_at_half_the_circle(void **state)
{
    const uint32_t half = 0x80000000;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(near); k++) {
        tcp_seq a = seq_of(near[k]);
        for (uint32_t d = 1; d < SPAN; d++) {
            assert_true(seq_lt(a, seq_add(a, half - d)));
            assert_false(seq_lt(a, seq_add(a, half + d)));
            assert_true(seq_gt(a, seq_add(a, half + d)));
        }
    }
}

static void adding_and_taking_away_undo_each_other(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(near); k++)
        for (uint32_t n = 0; n < SPAN; n++) {
            tcp_seq a = seq_of(near[k] + 7);
            assert_true(seq_eq(seq_sub(seq_add(a, n), n), a));
            assert_int_equal(seq_diff(seq_add(a, n), a), n);
        }
}

/*  lo              lo+n
 *   |================|       every place against every window */
static void a_number_is_in_a_window_from_its_left_edge_to_before_its_right(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(near); k++)
        for (uint32_t lo = 0; lo < SPAN; lo++)
            for (uint32_t n = 0; lo + n < SPAN; n++)
                for (uint32_t s = 0; s < SPAN; s++)
                    assert_int_equal(seq_in(seq_of(near[k] + s), seq_of(near[k] + lo), n),
                                     lo <= s && s < lo + n);
}

static void nothing_is_in_an_empty_window(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(near); k++)
        assert_false(seq_in(seq_of(near[k]), seq_of(near[k]), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_the_places_across_every_wrap),
        cmocka_unit_test(less_than_turns_round_at_half_the_circle),
        cmocka_unit_test(adding_and_taking_away_undo_each_other),
        cmocka_unit_test(a_number_is_in_a_window_from_its_left_edge_to_before_its_right),
        cmocka_unit_test(nothing_is_in_an_empty_window),
    };
    return cmocka_run_group_tests_name("base_seq", tests, NULL, NULL);
}
