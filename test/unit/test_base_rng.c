/* Random streams: the published generators, and no more bias than stated. */
#include "lib/cmocka_first.h"

#include "base/rng.h"

/* The first values of xoshiro256** from the state 1, 2, 3, 4. */
static void the_stream_is_xoshiro256_starstar(void **state)
{
    struct rng r = {{1, 2, 3, 4}};
    const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_true(rng_u64(&r) == expected[i]);
}

/* The first values of splitmix64 from the seed 0. */
static void the_seed_goes_through_splitmix64(void **state)
{
    const uint64_t expected[] = {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
                                 UINT64_C(0x06c45d188009454f), UINT64_C(0xf88bb8a8724c81ec)};
    struct rng r;

    (void)state;
    rng_init(&r, 0);
    assert_memory_equal(r.s, expected, sizeof(expected));
}

static void one_seed_gives_one_stream_and_another_seed_another(void **state)
{
    struct rng a, b, c;
    unsigned equal = 0;

    (void)state;
    rng_init(&a, 77);
    rng_init(&b, 77);
    rng_init(&c, 78);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t v = rng_u64(&a);
        assert_true(v == rng_u64(&b));
        equal += v == rng_u64(&c);
    }
    assert_int_equal(equal, 0);
}

static void below_n_is_below_n_and_reaches_every_value(void **state)
{
    uint32_t seen[10] = {0};
    struct rng r;

    (void)state;
    rng_init(&r, 5);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t v = rng_below(&r, 10);
        assert_true(v < 10);
        seen[v]++;
        assert_int_equal(rng_below(&r, 1), 0);
    }
    /* Five standard deviations (95 each) about 10,000. */
    for (unsigned v = 0; v < 10; v++)
        assert_in_range(seen[v], 9500, 10500);
}

static void a_chance_is_taken_as_often_as_it_says(void **state)
{
    unsigned taken = 0;
    struct rng r;

    (void)state;
    rng_init(&r, 6);
    for (unsigned i = 0; i < 100000; i++) {
        taken += rng_chance(&r, 1, 4);
        assert_false(rng_chance(&r, 0, 4));
        assert_true(rng_chance(&r, 4, 4));
    }
    assert_in_range(taken, 24300, 25700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_is_xoshiro256_starstar),
        cmocka_unit_test(the_seed_goes_through_splitmix64),
        cmocka_unit_test(one_seed_gives_one_stream_and_another_seed_another),
        cmocka_unit_test(below_n_is_below_n_and_reaches_every_value),
        cmocka_unit_test(a_chance_is_taken_as_often_as_it_says),
    };
    return cmocka_run_group_tests_name("base_rng", tests, NULL, NULL);
}
