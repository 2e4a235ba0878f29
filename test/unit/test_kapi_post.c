/* Letters and knocks on the kernel's sockets. */
#include "lib/post.h"

#include "kapi/kapi.h"

static void run(unsigned cores)
{
    struct post_program p = {.cores = cores};
    const struct mr_app app = post_app(&p);
    struct mr_config c;

    mr_config_init(&c);
    c.cores = cores;
    c.max_conns = 100;
    assert_int_equal(kapi_run(&c, &app), MR_OK);
    post_expect_all(&p);
}

static void letters_reach_every_core_in_order_and_wake_it(void **state)
{
    (void)state;
    run(2);
    run(POST_CORES_MAX);
}

static void one_core_hears_knocks(void **state)
{
    (void)state;
    run(1);
}

/* A loop of the program's own around kapi_turn. */
static void a_context_without_a_loop_hears_knocks_too(void **state)
{
    struct mr_config c;
    struct mr_event ev;

    (void)state;
    mr_config_init(&c);
    c.max_conns = 100;
    struct mr *m = kapi_open(&c);
    assert_non_null(m);
    mr_knock(m);
    assert_int_equal(kapi_turn(m, 10000000), MR_OK);
    assert_true(kapi_next_event(m, &ev));
    assert_int_equal(ev.type, MR_EV_KNOCK);
    assert_false(kapi_next_event(m, &ev));
    kapi_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_reach_every_core_in_order_and_wake_it),
        cmocka_unit_test(one_core_hears_knocks),
        cmocka_unit_test(a_context_without_a_loop_hears_knocks_too),
    };

    return cmocka_run_group_tests_name("kapi_post", tests, NULL, NULL);
}
