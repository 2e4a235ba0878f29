/* The ring between two cores: what goes in comes out, once, in order. */
#include "lib/cmocka_first.h"

#include <pthread.h>
#include <sched.h>

#include "base/ring.h"
#include "base/rng.h"
#include "lib/expect_panic.h"

#define SIZE 8
#define BURST_MAX 13
#define MANY 1000000u

static struct ring_u32 *ring_get(uint32_t size)
{
    size_t bytes = align_up(ring_u32_bytes(size), CACHE_LINE);
    struct ring_u32 *r = aligned_alloc(CACHE_LINE, bytes);

    assert_non_null(r);
    ring_u32_init(r, size);
    return r;
}

static void a_new_ring_is_empty(void **state)
{
    struct ring_u32 *r = ring_get(SIZE);
    uint32_t v;

    (void)state;
    assert_int_equal(ring_u32_count(r), 0);
    assert_int_equal(ring_u32_pop(r, &v, 1), 0);
    free(r);
}

static void a_full_ring_takes_only_what_fits(void **state)
{
    struct ring_u32 *r = ring_get(SIZE);
    const uint32_t in[SIZE + 2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    uint32_t out[SIZE + 2];

    (void)state;
    assert_int_equal(ring_u32_push(r, in, SIZE + 2), SIZE);
    assert_int_equal(ring_u32_push(r, in, 1), 0);
    assert_int_equal(ring_u32_count(r), SIZE);
    assert_int_equal(ring_u32_pop(r, out, SIZE + 2), SIZE);
    assert_memory_equal(out, in, SIZE * sizeof(in[0]));
    free(r);
}

static void a_ring_of_one_works(void **state)
{
    struct ring_u32 *r = ring_get(1);
    uint32_t out;

    (void)state;
    for (uint32_t v = 0; v < 10; v++) {
        assert_int_equal(ring_u32_push(r, &v, 1), 1);
        assert_int_equal(ring_u32_push(r, &v, 1), 0);
        assert_int_equal(ring_u32_pop(r, &out, 1), 1);
        assert_int_equal(out, v);
    }
    free(r);
}

static void a_size_that_is_no_power_of_two_is_our_own_error(void **state)
{
    struct ring_u32 *r = ring_get(SIZE);

    (void)state;
    expect_panic(ring_u32_init(r, 6));
    expect_panic(ring_u32_init(r, 0));
    free(r);
}

/* Indices run freely; where they pass 2^32 nothing may change. */
static void bursts_keep_their_order_where_the_indices_wrap(void **state)
{
    struct ring_u32 *r = ring_get(SIZE);
    uint32_t pushed = 0, popped = 0, values[BURST_MAX];
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    r->head_seen = r->tail_seen = UINT32_MAX - 1000;
    atomic_store(&r->head, UINT32_MAX - 1000);
    atomic_store(&r->tail, UINT32_MAX - 1000);
    for (unsigned turn = 0; turn < 10000; turn++) {
        uint32_t n = rng_below(&rng, BURST_MAX + 1), room = SIZE - (pushed - popped);

        for (uint32_t i = 0; i < n; i++)
            values[i] = pushed + i;
        n = ring_u32_push(r, values, n);
        assert_true(n <= room);
        pushed += n;
        assert_int_equal(ring_u32_count(r), pushed - popped);

        n = ring_u32_pop(r, values, rng_below(&rng, BURST_MAX + 1));
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(values[i], popped + i);
        popped += n;
    }
    assert_true(pushed > 3000);
    free(r);
}

static void *produce(void *arg)
{
    struct ring_u32 *r = arg;
    uint32_t next = 0, values[BURST_MAX];

    while (next < MANY) {
        uint32_t n = min_u32(1 + next % BURST_MAX, MANY - next);
        for (uint32_t i = 0; i < n; i++)
            values[i] = next + i;
        n = ring_u32_push(r, values, n);
        if (n == 0)
            sched_yield();
        next += n;
    }
    return NULL;
}

static void two_threads_lose_and_double_nothing(void **state)
{
    struct ring_u32 *r = ring_get(64);
    uint32_t next = 0, wrong = 0, values[BURST_MAX];
    pthread_t producer;

    (void)state;
    assert_int_equal(pthread_create(&producer, NULL, produce, r), 0);
    while (next < MANY) {
        uint32_t n = ring_u32_pop(r, values, BURST_MAX);
        for (uint32_t i = 0; i < n; i++)
            wrong += values[i] != next + i;
        if (n == 0)
            sched_yield();
        next += n;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(ring_u32_count(r), 0);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_ring_is_empty),
        cmocka_unit_test(a_full_ring_takes_only_what_fits),
        cmocka_unit_test(a_ring_of_one_works),
        cmocka_unit_test(a_size_that_is_no_power_of_two_is_our_own_error),
        cmocka_unit_test(bursts_keep_their_order_where_the_indices_wrap),
        cmocka_unit_test(two_threads_lose_and_double_nothing),
    };
    return cmocka_run_group_tests_name("base_ring", tests, NULL, NULL);
}
