/* Letters and knocks on stacks of our own: real threads that sleep. */
#include "lib/post.h"

#include "host/host.h"

static void run(unsigned cores, unsigned spin_us)
{
    struct post_program p = {.cores = cores};
    const struct mr_app app = post_app(&p);
    char net[80], control[64];
    struct mr_config c;

    snprintf(net, sizeof(net), "shm:/dev/shm/test_host_post_%d:0", (int)getpid());
    snprintf(control, sizeof(control), "none");
    mr_config_init(&c);
    c.dev = net;
    c.addr = mr_addr4(10, 0, 0, 1, 0);
    c.prefix_len = 24;
    c.control = control;
    c.cores = cores;
    c.max_conns = 100;
    c.spin_us = spin_us;
    assert_int_equal(host_run(&c, &app), MR_OK);
    post_expect_all(&p);
}

static void letters_reach_every_core_in_order_and_wake_it(void **state)
{
    (void)state;
    run(2, 0);
    run(POST_CORES_MAX, 0);
    run(3, 100);
}

static void one_core_hears_knocks(void **state)
{
    (void)state;
    run(1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_reach_every_core_in_order_and_wake_it),
        cmocka_unit_test(one_core_hears_knocks),
    };

    return cmocka_run_group_tests_name("host_post", tests, NULL, NULL);
}
