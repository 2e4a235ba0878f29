/* The timer wheel against an array that is searched. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "time/time.h"

#define TIMERS 200u
#define TICK_US (UINT64_C(1) << TICK_SHIFT)

struct model {
    struct mem m;
    struct wheel w;
    struct timer *t;            /* TIMERS */
    bool armed[TIMERS];
    uint64_t expires[TIMERS]; /* full ticks */
    uint64_t now_tick;
    struct rng rng;
    void *memory;
};

static void model_start(struct model *md, instant now, uint64_t seed)
{
    memset(md, 0, sizeof(*md));
    md->memory = aligned_alloc(4096, 65536);
    memset(md->memory, 0, 65536);
    mem_init(&md->m, md->memory, 65536);
    md->t = mem_carve(&md->m, sizeof(struct timer) * TIMERS, 16);
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&md->t[i], (uint8_t)i);
    wheel_init(&md->w, md->memory, now);
    md->now_tick = now >> TICK_SHIFT;
    rng_init(&md->rng, seed);
}

static void model_arm(struct model *md, unsigned i, uint64_t at)
{
    wheel_arm(&md->w, &md->t[i], (tick)at);
    md->armed[i] = true;
    md->expires[i] = at;
}

static void model_disarm(struct model *md, unsigned i)
{
    wheel_disarm(&md->w, &md->t[i]);
    md->armed[i] = false;
}

static uint64_t model_first(const struct model *md)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < TIMERS; i++)
        if (md->armed[i] && md->expires[i] < first)
            first = md->expires[i];
    return first;
}

/* Everything due fires, nothing else, and never one that expires later before one that expires a
 * slot earlier. */
static void model_advance(struct model *md, instant now)
{
    uint64_t tick_now = now >> TICK_SHIFT;
    struct timer *t;

    wheel_advance(&md->w, now);
    if (tick_now > md->now_tick)
        md->now_tick = tick_now;
    while ((t = wheel_pop(&md->w))) {
        unsigned i = t->kind;
        assert_ptr_equal(t, &md->t[i]);
        assert_true(md->armed[i]);
        assert_true(md->expires[i] <= md->now_tick);
        assert_false(timer_is_armed(t));
        md->armed[i] = false;
    }
    for (unsigned i = 0; i < TIMERS; i++) {
        assert_int_equal(timer_is_armed(&md->t[i]), md->armed[i]);
        if (md->armed[i])
            assert_true(md->expires[i] > md->now_tick);
    }
}

static void check_deadline(struct model *md)
{
    uint64_t first = model_first(md);
    instant d = wheel_deadline(&md->w);

    if (first == UINT64_MAX)
        assert_true(d == INSTANT_NEVER);
    else if (first <= md->now_tick)
        assert_true(d == 0);
    else
        assert_true(d <= first << TICK_SHIFT && d > md->now_tick << TICK_SHIFT);
}

static uint64_t random_span(struct rng *r)
{
    return rng_u64(r) & ((UINT64_C(1) << rng_below(r, 30)) - 1);
}

static void run_random(instant start, uint64_t seed, unsigned steps)
{
    struct model md;

    model_start(&md, start, seed);
    for (unsigned s = 0; s < steps; s++) {
        unsigned i = rng_below(&md.rng, TIMERS);
        switch (rng_below(&md.rng, 4)) {
        case 0:
        case 1:
            model_arm(&md, i, md.now_tick + random_span(&md.rng));
            break;
        case 2:
            model_disarm(&md, i);
            break;
        default:
            model_advance(&md, ((md.now_tick + random_span(&md.rng) / 8) << TICK_SHIFT) +
                                   rng_below(&md.rng, TICK_US));
        }
        check_deadline(&md);
    }
    free(md.memory);
}

static void random_timers_fire_when_an_array_says(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        run_random(1000 * seed, seed, 3000);
}

static void random_timers_fire_across_the_wrap_of_the_tick(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        run_random(((UINT64_C(1) << 32) - 5000 * seed) << TICK_SHIFT, seed, 3000);
}

/* Sleeping exactly until the deadline, again and again, reaches every timer on time. */
static void following_the_deadline_misses_nothing(void **state)
{
    struct model md;

    (void)state;
    model_start(&md, (UINT64_C(1) << 39) - 77, 5);
    for (unsigned i = 0; i < TIMERS; i++)
        model_arm(&md, i, md.now_tick + 1 + random_span(&md.rng));
    while (md.w.armed) {
        uint64_t first = model_first(&md);
        instant d = wheel_deadline(&md.w);
        assert_true(d <= first << TICK_SHIFT);
        model_advance(&md, d);
        assert_true(model_first(&md) > md.now_tick);
    }
    free(md.memory);
}

static void a_jump_over_many_hours_fires_everything_once(void **state)
{
    struct model md;

    (void)state;
    model_start(&md, 12345, 6);
    for (unsigned i = 0; i < TIMERS; i++)
        model_arm(&md, i, md.now_tick + random_span(&md.rng));
    model_advance(&md, UINT64_C(100) * 3600 * USEC_PER_SEC);
    assert_int_equal(md.w.armed, 0);
    assert_true(wheel_deadline(&md.w) == INSTANT_NEVER);
    free(md.memory);
}

static void a_timer_never_fires_early_and_at_most_a_tick_late(void **state)
{
    struct model md;

    (void)state;
    model_start(&md, 1000000, 1);
    for (instant wish = 1000001; wish < 1010000; wish += 37) {
        wheel_arm(&md.w, &md.t[0], tick_ceil(wish));
        wheel_advance(&md.w, wish - 1);
        assert_null(wheel_pop(&md.w));
        wheel_advance(&md.w, wish + TICK_US);
        assert_ptr_equal(wheel_pop(&md.w), &md.t[0]);
        md.now_tick = 0;
        free(md.memory);
        model_start(&md, wish, 1);
    }
    free(md.memory);
}

static void a_timer_in_the_past_fires_at_once(void **state)
{
    struct model md;

    (void)state;
    model_start(&md, 50 * TICK_US, 1);
    wheel_arm(&md.w, &md.t[0], 10);
    wheel_arm(&md.w, &md.t[1], 50);
    assert_true(wheel_deadline(&md.w) == 0);
    assert_ptr_equal(wheel_pop(&md.w), &md.t[0]);
    assert_ptr_equal(wheel_pop(&md.w), &md.t[1]);
    assert_null(wheel_pop(&md.w));
    free(md.memory);
}

static void time_never_goes_back(void **state)
{
    struct model md;

    (void)state;
    model_start(&md, 1000 * TICK_US, 1);
    wheel_arm(&md.w, &md.t[0], 1010);
    wheel_advance(&md.w, 10 * TICK_US);
    assert_int_equal(md.w.now_tick, 1000);
    wheel_advance(&md.w, 1010 * TICK_US);
    assert_ptr_equal(wheel_pop(&md.w), &md.t[0]);
    free(md.memory);
}

static void a_due_timer_can_still_be_disarmed(void **state)
{
    struct model md;

    (void)state;
    model_start(&md, 1000 * TICK_US, 1);
    for (unsigned i = 0; i < 3; i++)
        wheel_arm(&md.w, &md.t[i], 1001);
    wheel_advance(&md.w, 1001 * TICK_US);
    wheel_disarm(&md.w, &md.t[1]);
    assert_int_equal(md.w.armed, 2);
    assert_ptr_not_equal(wheel_pop(&md.w), &md.t[1]);
    assert_ptr_not_equal(wheel_pop(&md.w), &md.t[1]);
    assert_null(wheel_pop(&md.w));
    free(md.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_timers_fire_when_an_array_says),
        cmocka_unit_test(random_timers_fire_across_the_wrap_of_the_tick),
        cmocka_unit_test(following_the_deadline_misses_nothing),
        cmocka_unit_test(a_jump_over_many_hours_fires_everything_once),
        cmocka_unit_test(a_timer_never_fires_early_and_at_most_a_tick_late),
        cmocka_unit_test(a_timer_in_the_past_fires_at_once),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(a_due_timer_can_still_be_disarmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
