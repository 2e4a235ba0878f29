/* One call opens a listener on every core, and one closes it. */
#include "lib/cmocka_first.h"

#include "lib/town.h"

static struct town t;
static int tag;

static mr_sock open_everywhere(unsigned core)
{
    struct mr_addr at = town_addr(1, TOWN_PORT);
    struct mr_listen_opts o = {.user = &tag, .every_core = true};
    mr_sock l;

    assert_int_equal(mr_listen(town_mr(&t, 1, core), &at, &o, &l), 0);
    return l;
}

static mr_sock connect_one(void)
{
    struct mr_addr to = town_addr(1, TOWN_PORT);
    mr_sock s;

    assert_int_equal(mr_connect(town_mr(&t, 0, 0), NULL, &to, NULL, &s), 0);
    return s;
}

static unsigned listeners(void)
{
    unsigned n = 0;

    for (unsigned c = 0; c < t.cores[1]; c++)
        n += town_tcp(&t, 1, c)->listeners.used;
    return n;
}

static void every_core_accepts_with_the_same_user_pointer(void **state)
{
    unsigned cores = 0;
    struct mr_event ev;

    (void)state;
    town_start(&t, 1, 4);
    open_everywhere(2);
    town_run(&t, 1000);
    assert_int_equal(listeners(), 4);
    for (unsigned i = 0; i < 32; i++)
        connect_one();
    town_run(&t, 100000);
    for (unsigned c = 0; c < 4; c++) {
        if (!town_take(&t, 1, c, MR_EV_ACCEPT, &ev))
            continue;
        mr_sock s;
        assert_ptr_equal(ev.user, &tag);
        assert_int_equal(mr_accept(town_mr(&t, 1, c), ev.sock, &s, NULL), 0);
        cores++;
    }
    assert_int_equal(cores, 4);
    assert_int_equal(town_passed(&t, 1), 0);
    town_end(&t);
}

static void options_hold_for_all(void **state)
{
    struct mr_event ev;
    int64_t v;

    (void)state;
    town_start(&t, 1, 4);
    mr_sock l = open_everywhere(0);
    assert_int_equal(mr_setopt(town_mr(&t, 1, 0), l, MR_NODELAY, 1), 0);
    town_run(&t, 1000);
    for (unsigned i = 0; i < 32; i++)
        connect_one();
    town_run(&t, 100000);
    for (unsigned c = 0; c < 4; c++) {
        mr_sock s;
        assert_true(town_take(&t, 1, c, MR_EV_ACCEPT, &ev));
        assert_int_equal(mr_accept(town_mr(&t, 1, c), ev.sock, &s, NULL), 0);
        assert_int_equal(mr_getopt(town_mr(&t, 1, c), s, MR_NODELAY, &v), 0);
        assert_int_equal(v, 1);
    }
    town_end(&t);
}

static void closing_it_closes_all_and_the_port_is_free(void **state)
{
    struct mr_event ev;

    (void)state;
    town_start(&t, 1, 4);
    for (unsigned round = 0; round < 100; round++) {
        mr_sock l = open_everywhere(round % 4);
        town_run(&t, 1000);
        assert_int_equal(listeners(), 4);
        assert_int_equal(mr_close(town_mr(&t, 1, round % 4), l), 0);
        town_run(&t, 1000);
        assert_int_equal(listeners(), 0);
    }
    connect_one();
    town_run(&t, 100000);
    assert_true(town_take(&t, 0, 0, MR_EV_CLOSED, &ev));
    assert_int_equal(ev.err, MR_ECONNREFUSED);
    town_end(&t);
}

static void a_core_that_stands_still_hears_of_it_later(void **state)
{
    (void)state;
    town_defaults(&t, 1, 4);
    t.ring_bytes = 1024;
    town_start_with(&t);
    t.host[1].core[3].stalled = true;
    for (unsigned i = 0; i < 40; i++) {
        mr_sock l = open_everywhere(0);
        if (i < 39)
            mr_close(town_mr(&t, 1, 0), l);
        town_run(&t, 1000);
    }
    assert_int_equal(listeners(), 3);
    t.host[1].core[3].stalled = false;
    town_run(&t, 100000);
    assert_int_equal(listeners(), 4);
    town_end(&t);
}

static void a_core_that_has_the_port_already_keeps_its_own(void **state)
{
    struct mr_addr at = town_addr(1, TOWN_PORT);
    mr_sock own;

    (void)state;
    town_start(&t, 1, 4);
    assert_int_equal(mr_listen(town_mr(&t, 1, 1), &at, NULL, &own), 0);
    mr_sock l = open_everywhere(0);
    town_run(&t, 1000);
    assert_int_equal(listeners(), 4);
    assert_int_equal(mr_close(town_mr(&t, 1, 0), l), 0);
    town_run(&t, 1000);
    assert_int_equal(listeners(), 1);
    town_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_core_accepts_with_the_same_user_pointer),
        cmocka_unit_test(options_hold_for_all),
        cmocka_unit_test(closing_it_closes_all_and_the_port_is_free),
        cmocka_unit_test(a_core_that_stands_still_hears_of_it_later),
        cmocka_unit_test(a_core_that_has_the_port_already_keeps_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
