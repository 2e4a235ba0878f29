/* Which ports arrive by themselves where the hash is unknown (flow/learn.c). */
#define _GNU_SOURCE
#include "lib/flow_world.h"

/* Where a function that nobody knows puts a reply. */
static bool arrives_here(const struct flow_key *k, unsigned cores, uint64_t function)
{
    return mix64(function ^ ip_v4(&k->raddr).raw ^ (uint64_t)k->lport << 40 ^
                 (uint64_t)k->rport << 20) %
               cores ==
           0;
}

/* n connections one after another to peers in turn, `at_once` of them open; returns how many
 * SYN-ACKs went astray. */
static unsigned connections(struct world *w, unsigned n, unsigned at_once, unsigned peers,
                            uint64_t function)
{
    struct flow_node *open[256] = {NULL};
    unsigned astray = 0;

    assert_true(at_once <= ARRAY_LEN(open));
    for (unsigned i = 0; i < n; i++) {
        struct flow_node *c = open[i % at_once];
        struct flow_key k = to((uint8_t)(1 + i % peers));
        if (c)
            flow_unlink(&w->t, c);
        assert_true(choose(w, &k));
        assert_true(is_home(w, &k));
        if (c)
            *c = (struct flow_node){k, FLOW_CONN};
        if (!c)
            open[i % at_once] = take(w, &k);
        else
            assert_true(flow_link(&w->t, c));
        bool here = function ? arrives_here(&k, w->cores.home.cores, function)
                             : mix64(i) % w->cores.home.cores == 0;
        astray += !here;
        flow_port_learn(&w->c, &k, here);
    }
    for (unsigned i = 0; i < at_once; i++)
        if (open[i])
            flow_unlink(&w->t, open[i]);
    return astray;
}

static void a_stable_unknown_hash_is_learnt(void **state)
{
    static const unsigned cores[] = {2, 8, 64};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cores); i++) {
        static struct world w;
        start_class(&w, cores[i], 1);
        unsigned first = connections(&w, 200, 3, 1, 99);
        assert_true(first > 5); /* they do go astray */
        connections(&w, 1000, 3, 1, 99);
        assert_int_equal(connections(&w, 10000, 3, 1, 99), 0);
        end(&w);
    }
}

static void many_connections_to_several_peers_converge_too(void **state)
{
    static struct world w;

    (void)state;
    start_class(&w, 4, 3);
    connections(&w, 20000, 200, 10, 5);
    assert_int_equal(connections(&w, 20000, 200, 10, 5), 0);
    end(&w);
}

static void a_random_spread_works_and_a_hash_that_changes_is_learnt_again(void **state)
{
    static struct world w;

    (void)state;
    start_class(&w, 4, 2);
    assert_in_range(connections(&w, 20000, 20, 2, 0), 12000, 17000);
    connections(&w, 10000, 20, 2, 7);
    assert_int_equal(connections(&w, 5000, 20, 2, 7), 0);
    connections(&w, 10000, 20, 2, 8);
    assert_int_equal(connections(&w, 5000, 20, 2, 8), 0);
    end(&w);
}

static void more_peers_than_can_be_learnt_take_turns(void **state)
{
    static struct world w;

    (void)state;
    start_class(&w, 2, 0);
    assert_in_range(w.c.learnt.capacity, 10, 249);
    connections(&w, 30000, 10, 250, 3);
    assert_int_equal(w.c.learnt.used, w.c.learnt.capacity);
    end(&w);
}

static void nothing_is_learnt_while_replies_come_home(void **state)
{
    static struct world w;
    struct flow_key k = to(1);

    (void)state;
    start_class(&w, 4, 1);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(choose(&w, &k));
        flow_port_learn(&w.c, &k, true);
    }
    assert_false(w.c.learns);
    assert_int_equal(w.c.learnt.used, 0);
    /* A port bound elsewhere's home: its replies come by mail, as they must. */
    do
        k.lport++;
    while (is_home(&w, &k));
    flow_port_learn(&w.c, &k, false);
    assert_false(w.c.learns);
    assert_int_equal(w.c.astray, 0);
    end(&w);
}

static void with_a_learnt_hash_every_port_of_the_class_is_reachable(void **state)
{
    static struct world w;
    struct flow_key k = to(1);

    (void)state;
    start_class(&w, 16, 1);
    connections(&w, 5000, 3, 1, 99);
    for (uint32_t i = 0, size = class_size(&w, &k); i < size; i++) {
        assert_true(choose(&w, &k));
        take(&w, &k);
    }
    assert_false(choose(&w, &k));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stable_unknown_hash_is_learnt),
        cmocka_unit_test(many_connections_to_several_peers_converge_too),
        cmocka_unit_test(a_random_spread_works_and_a_hash_that_changes_is_learnt_again),
        cmocka_unit_test(more_peers_than_can_be_learnt_take_turns),
        cmocka_unit_test(nothing_is_learnt_while_replies_come_home),
        cmocka_unit_test(with_a_learnt_hash_every_port_of_the_class_is_reachable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
