/* Counters from a list. */
#include "lib/cmocka_first.h"
#include "lib/expect_panic.h"

#include "stat/stat.h"

#define TOY_STATS(X)                                                                               \
    X(rx_frames, "frames received")                                                                \
    X(rx_bytes, "bytes received")                                                                  \
    X(drops, "frames dropped")

struct toy_stats {
    STAT_FIELDS(TOY_STATS)
};

extern const struct stat_group toy_stat_group;
STAT_GROUP(toy_stat_group, "toy", TOY_STATS);

static void the_table_names_every_member_in_order(void **state)
{
    const struct stat_group *g = &toy_stat_group;

    (void)state;
    assert_string_equal(g->name, "toy");
    assert_int_equal(g->n, 3);
    assert_int_equal(g->n, STAT_COUNT(TOY_STATS));
    assert_int_equal(g->n * sizeof(uint64_t), sizeof(struct toy_stats));
    assert_string_equal(g->fields[0].name, "rx_frames");
    assert_string_equal(g->fields[2].help, "frames dropped");
}

static void a_value_is_read_by_its_place_in_the_table(void **state)
{
    const struct toy_stats s = {.rx_frames = 1, .rx_bytes = UINT64_MAX, .drops = 3};

    (void)state;
    assert_true(stat_value(&toy_stat_group, &s, 0) == 1);
    assert_true(stat_value(&toy_stat_group, &s, 1) == UINT64_MAX);
    assert_true(stat_value(&toy_stat_group, &s, 2) == 3);
    expect_panic(stat_value(&toy_stat_group, &s, 3));
}

static void shards_add_up(void **state)
{
    const struct toy_stats a = {1, 2, 3}, b = {10, 20, 30};
    struct toy_stats sum = {0};

    (void)state;
    stat_sum(&toy_stat_group, &sum, &a);
    stat_sum(&toy_stat_group, &sum, &b);
    assert_int_equal(sum.rx_frames, 11);
    assert_int_equal(sum.rx_bytes, 22);
    assert_int_equal(sum.drops, 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_names_every_member_in_order),
        cmocka_unit_test(a_value_is_read_by_its_place_in_the_table),
        cmocka_unit_test(shards_add_up),
    };
    return cmocka_run_group_tests_name("stat_counter", tests, NULL, NULL);
}
