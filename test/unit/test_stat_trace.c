/* The trace ring. */
#include "lib/cmocka_first.h"
#include "lib/expect_panic.h"

#include "stat/trace.h"

#define RECORDS 8u

static struct trace_rec memory[RECORDS];

static void records_come_back_in_order(void **state)
{
    struct trace t;

    (void)state;
    trace_init(&t, memory, RECORDS);
    assert_int_equal(trace_held(&t), 0);
    for (uint32_t i = 0; i < 5; i++)
        trace_put(&t, 100 + i, (uint16_t)i, i, 2 * i, 3 * i);
    assert_int_equal(trace_held(&t), 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct trace_rec *r = trace_at(&t, i);
        assert_int_equal(r->instant, 100 + i);
        assert_int_equal(r->kind, i);
        assert_int_equal(r->a, i);
        assert_int_equal(r->b, 2 * i);
        assert_int_equal(r->c, 3 * i);
    }
}

static void the_oldest_is_overwritten(void **state)
{
    struct trace t;

    (void)state;
    trace_init(&t, memory, RECORDS);
    for (uint32_t i = 0; i < 3 * RECORDS + 3; i++)
        trace_put(&t, i, 0, 0, 0, 0);
    assert_int_equal(trace_held(&t), RECORDS);
    assert_int_equal(t.count, 3 * RECORDS + 3);
    for (uint32_t i = 0; i < RECORDS; i++)
        assert_int_equal(trace_at(&t, i)->instant, 2 * RECORDS + 3 + i);
    expect_panic(trace_at(&t, RECORDS));
}

static void without_memory_nothing_is_kept(void **state)
{
    struct trace t;

    (void)state;
    trace_init(&t, NULL, 0);
    trace_put(&t, 1, 2, 3, 4, 5);
    assert_int_equal(trace_held(&t), 0);
    expect_panic(trace_at(&t, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order),
        cmocka_unit_test(the_oldest_is_overwritten),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests_name("stat_trace", tests, NULL, NULL);
}
