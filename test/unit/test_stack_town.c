/* Hosts of several cores: who gets which packet of a TCP connection. */
#include "lib/cmocka_first.h"

#include "lib/town.h"

static struct town t;

static void one_core_a_host_is_two_stacks_on_a_wire(void **state)
{
    struct mr_addr at = town_addr(1, TOWN_PORT);
    mr_sock l, c, s;

    (void)state;
    town_start(&t, 1, 1);
    assert_int_equal(mr_listen(town_mr(&t, 1, 0), &at, NULL, &l), 0);
    assert_int_equal(mr_connect(town_mr(&t, 0, 0), NULL, &at, NULL, &c), 0);
    town_run(&t, 10000);
    assert_true(town_take(&t, 0, 0, MR_EV_CONNECTED, NULL));
    assert_int_equal(mr_accept(town_mr(&t, 1, 0), l, &s, NULL), 0);
    town_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_core_a_host_is_two_stacks_on_a_wire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
