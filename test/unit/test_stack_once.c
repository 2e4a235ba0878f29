/* A four-tuple is one connection's, whatever becomes of its home meanwhile. */
#include "lib/cmocka_first.h"

#include "lib/law_town.h"

#define MANY 60u

/* What is in TIME-WAIT asked its new home again and again, which stood still, and has ended at the
 * first of the answers; the others are none to what begins anew (simulator, seed 16063). */
static void leave_for_what_has_ended_is_none_for_what_comes_after(void **state)
{
    struct town_core *asks = &t.host[0].core[0], *home = &t.host[0].core[1];

    (void)state;
    town_defaults(&t, 2, 1);
    start(1);
    table(0, 1);
    tell_all(0);
    run(2 * USEC_PER_SEC);
    talk_from_same_ports(MANY);
    for (unsigned i = 0; i < 3 * PIECES; i++) {
        say();
        run(2000);
    }
    assert_int_equal(town_tcp(&t, 0, 0)->tws.used, MANY);
    run(2 * USEC_PER_SEC);
    home->stalled = true;
    table(0, 2);
    tell(0, 0);
    run(250000);
    tell(0, 1);
    home->stalled = false;
    for (unsigned i = 0; i < 3; i++)
        town_core_turn(&t, home);
    home->stalled = true;
    town_core_turn(&t, asks); /* reads some */
    talk_from_same_ports(MANY);
    uint64_t frames = t.frames;
    run(20000);
    assert_int_equal(t.frames, frames);
    home->stalled = false;
    all_end_well();
    finish();
}

/* ---- what begins with a cookie, whose copy is the first data ------------------------------- */

static unsigned lands; /* on this core of the server */

static unsigned steer_there(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    (void)w, (void)frame, (void)len;
    return to ? lands : 0;
}

/* Connections that have said nothing yet, on the first of the server's cores, their home. */
static void start_silent(void)
{
    town_defaults(&t, 1, 3);
    t.config.tcp.cookies = TCP_COOKIES_ALWAYS;
    t.steer = steer_there;
    lands = 0;
    start(1);
    /* As the cores of one program, all of which have sent cookies. */
    for (unsigned c = 0; c < 3; c++) {
        struct tcp *tcp = town_tcp(&t, 1, c);
        struct tcp_listener *l = pool_at(&tcp->listeners, 0);
        tcp->cookie_key = town_tcp(&t, 1, 0)->cookie_key;
        l->overflow_at = t.now;
    }
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    for (unsigned k = 0; k < MANY; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(10000);
    assert_int_equal(accepted[0], MANY);
}

static void end_on_the_first(void)
{
    tell_all(1);
    all_end_well();
    assert_int_equal(accepted[0], MANY);
    assert_int_equal(accepted[1] + accepted[2], 0);
    finish();
}

/* Home takes a third's word for that of the old home, which it has not asked (simulator, seed
 * 17711). */
static void a_third_does_not_say_that_nobody_has_it(void **state)
{
    (void)state;
    start_silent();
    table(1, 2);
    tell(1, 1);
    tell(1, 2);
    lands = 2;
    say();
    run(1000);
    end_on_the_first();
}

/* And who was home for a moment does not know (simulator, seeds 13333, 6564, 17887). */
static void who_was_home_for_a_moment_does_not_say_it(void **state)
{
    (void)state;
    start_silent();
    for (unsigned mask = 4; mask >= 2; mask >>= 1) {
        table(1, mask);
        tell(1, 1);
        tell(1, 2);
        run(1000);
    }
    lands = 1;
    say();
    run(1000);
    end_on_the_first();
}

/* Who was it for long has just heard that they have moved on, and the new home not yet. */
static void the_old_home_remembers_what_has_moved_on(void **state)
{
    struct town_core *old = &t.host[1].core[1];

    (void)state;
    start_silent();
    table(1, 2);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    table(1, 4);
    tell(1, 2);
    lands = 2;
    old->stalled = true;
    say();
    run(100);
    t.host[1].core[2].stalled = true;
    tell(1, 0);
    tell(1, 1);
    run(100);
    old->stalled = false;
    run(100);
    t.host[1].core[2].stalled = false;
    end_on_the_first();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leave_for_what_has_ended_is_none_for_what_comes_after),
        cmocka_unit_test(a_third_does_not_say_that_nobody_has_it),
        cmocka_unit_test(who_was_home_for_a_moment_does_not_say_it),
        cmocka_unit_test(the_old_home_remembers_what_has_moved_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
