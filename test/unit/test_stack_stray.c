/* A segment that finds no connection while homes move: who is asked, and who may answer. */
#include "lib/cmocka_first.h"

#include "lib/law_town.h"

/* The third core of the server is nobody's home, and gets all frames. */
#define BYSTANDER 2u

static unsigned to_bystander(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    (void)w, (void)frame, (void)len;
    return to == 1 ? BYSTANDER : 0;
}

static bool lose_answers(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    (void)w, (void)frame, (void)len;
    return to == 0;
}

/* Its home has moved from the first core to the second, and the first has not read of it; a
 * bystander that has says so with the SYN that comes again, which is no word of the first one's: a
 * second half-open connection had another ISS, and when one gave way to the other the peer that
 * had believed the wrong one was reset (simulator, seed 13417). */
static void a_bystander_does_not_speak_for_the_old_home(void **state)
{
    (void)state;
    town_defaults(&t, 1, 3);
    t.steer = to_bystander;
    start(1);
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    t.lose = lose_answers;
    assert_int_equal(talk_from(0, 0), 0);
    run(900000);
    assert_int_equal(town_tcp(&t, 1, 0)->syns.used, 1);
    table(1, 2);
    tell(1, 1);
    tell(1, BYSTANDER);
    run(200000); /* the SYN again */
    assert_int_equal(town_tcp(&t, 1, 1)->syns.used, 0);
    t.lose = NULL;
    tell(1, 0);
    all_end_well();
    assert_int_equal(accepted[0], 1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bystander_does_not_speak_for_the_old_home),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
