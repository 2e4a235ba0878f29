/* A core begins anew: its memory is lost, and the others have connections that it was home to. */
#include "lib/cmocka_first.h"

#include "lib/law_town.h"

static void reborn(unsigned side, unsigned core)
{
    struct town_core *c = &t.host[side].core[core];

    pkt_list_put_all(&c->rx);
    munmap(c->memory, c->bytes);
    memset(c, 0, sizeof(*c));
    town_core_start(&t, side, core);
    stack_announce(c->stack);
}

/* The connections of the others live on, though their home has forgotten them, and everybody knows
 * again who listens where. */
static void a_core_that_begins_anew_learns_what_the_others_have(void **state)
{
    unsigned lost = 0;

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    table(1, 2);
    tell_all(1); /* all flows are at home on core 1 ... */
    mr_close(town_mr(&t, 1, 1), listener[1]);
    listener[1] = MR_SOCK_NONE;
    run(1000);
    for (unsigned k = 0; k < 30; k++) /* ... and none lives there */
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    reborn(1, 1);
    say();
    run(10000);
    for (unsigned k = 0; k < 30; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(2000);
    listen_on(1); /* the others hear of it */
    all_end_well();
    /* One that has connections: they are gone, and the others forget that they were there. */
    ntalks = 0;
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    for (unsigned c = 0; c < 3; c++)
        assert_int_equal(mr_setopt(town_mr(&t, 1, c == 0 ? 0 : c + 1), listener[c == 0 ? 0 : c + 1],
                                   MR_PAUSED, 1),
                         0);
    run(1000);
    for (unsigned k = 0; k < 10; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    assert_int_equal(town_tcp(&t, 1, 0)->aways.used, 10);
    reborn(1, 1);
    listener[1] = MR_SOCK_NONE;
    run(1000);
    assert_int_equal(town_tcp(&t, 1, 0)->aways.used, 0);
    say();
    run(3 * USEC_PER_SEC);
    for (unsigned k = 0; k < 10; k++)
        lost += talks[k].over && talks[k].err == MR_ECONNRESET;
    assert_int_equal(lost, 10);
    finish();
}

/* Peers that only wait hear that their connections are no more. */
static void what_a_core_had_before_is_reset(void **state)
{
    struct tcp_past past[40];
    unsigned n;

    (void)state;
    town_defaults(&t, 1, 1);
    start(1);
    for (unsigned k = 0; k < 30; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    n = tcp_past_list(town_tcp(&t, 1, 0), past, ARRAY_LEN(past));
    assert_int_equal(n, 30);
    assert_int_equal(tcp_past_list(town_tcp(&t, 1, 0), past, 7), 7);
    reborn(1, 0);
    listener[0] = MR_SOCK_NONE;
    for (unsigned round = 0; round < 2; round++) { /* the first are lost: it knows no neighbour */
        for (unsigned k = 0; k < n; k++)
            assert_true(tcp_past_reset(town_tcp(&t, 1, 0), &past[k]));
        run(10000);
    }
    for (unsigned k = 0; k < ntalks; k++)
        assert_true(talks[k].over && talks[k].err == MR_ECONNRESET);
    finish();
}

/* And those that speak hear of it at once, though the new one does not know yet what others have,
 * and homes move: what was lost half open, too (nginx's workers killed, 2026-11-23). */
static void what_a_core_had_before_is_answered_for(void **state)
{
    struct tcp *server = NULL;
    struct tcp_past past[40];
    unsigned n, opened;

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    server = town_tcp(&t, 1, 0);
    for (unsigned k = 0; k < 20; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    opened = ntalks;
    for (unsigned k = 0; k < 5; k++)
        assert_int_equal(talk_from(0, 0), 0);
    for (unsigned k = 0; k < 100 && server->syns.used < 5; k++)
        town_run(&t, 5);
    assert_int_equal(server->syns.used, 5);
    n = tcp_past_list(server, past, ARRAY_LEN(past));
    assert_int_equal(n, 25);
    assert_true(past[24].half_open);
    reborn(1, 0);
    server = town_tcp(&t, 1, 0);
    listener[0] = MR_SOCK_NONE;
    for (unsigned k = 0; k < n; k++)
        tcp_past_keep(server, &past[k], t.now);
    table(1, 14);
    tell_all(1);
    run(10000);
    say();
    run(300000);
    for (unsigned k = 0; k < opened; k++)
        assert_true(talks[k].over && talks[k].err == MR_ECONNRESET);
    for (unsigned k = opened; k < ntalks; k++)
        assert_true(talks[k].over || talks[k].up); /* it was told, or asked again */
    run(3 * USEC_PER_SEC);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_that_begins_anew_learns_what_the_others_have),
        cmocka_unit_test(what_a_core_had_before_is_reset),
        cmocka_unit_test(what_a_core_had_before_is_answered_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
