/* A four-tuple is one connection's, whatever becomes of its home meanwhile. */
#include "lib/cmocka_first.h"

#include "lib/law_town.h"

#define MANY 60u

static void talk_from_same_ports(void)
{
    ntalks = 0;
    for (unsigned k = 0; k < MANY; k++)
        assert_int_equal(talk_from(0, (uint16_t)(40000 + k)), 0);
}

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
    talk_from_same_ports();
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
    talk_from_same_ports();
    uint64_t frames = t.frames;
    run(20000);
    assert_int_equal(t.frames, frames);
    home->stalled = false;
    all_end_well();
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leave_for_what_has_ended_is_none_for_what_comes_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
