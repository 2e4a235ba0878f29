/* The law's table changes while connections live: cores take part, and leave. */
#include "lib/cmocka_first.h"

#include "lib/law_town.h"

static uint64_t moved(unsigned side)
{
    uint64_t n = 0;

    for (unsigned c = 0; c < t.cores[side]; c++)
        n += town_tcp(&t, side, c)->stats.flows_moved;
    return n;
}

static const unsigned some[] = {1, 3, 2, 7, 15, 8, 12, 6, 5, 15};

static void connections_live_on_when_cores_take_part_and_leave(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *, uint32_t) = {
        town_by_law, town_to_first, town_beside, town_anywhere};

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(steer); i++) {
        town_defaults(&t, 4, 4);
        t.steer = steer[i % ARRAY_LEN(steer)];
        start(i);
        for (unsigned k = 0; k < ARRAY_LEN(some); k++) {
            talk_from_all(1);
            run(i < ARRAY_LEN(steer) ? 2000 : 300);
            for (unsigned side = 0; side < 2; side++) {
                table(side, some[(k + side) % ARRAY_LEN(some)]);
                tell_all(side);
            }
            say();
        }
        all_end_well();
        assert_true(moved(0) > 0 && moved(1) > 0);
        finish();
    }
}

/* Also while the NIC is steered by a table that only some have read. */
static void each_core_may_learn_at_its_own_time(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 12; seed++) {
        town_defaults(&t, 4, 4);
        start(seed);
        for (unsigned k = 0; k < 60; k++) {
            if (k % 6 == 0)
                talk_from_all(1);
            for (unsigned side = 0; side < 2; side++) {
                if (rng_chance(&r, 1, 4))
                    table(side, 1 + rng_below(&r, 15));
                for (unsigned c = 0; c < 4; c++)
                    if (stale[side] >> c & 1 && rng_chance(&r, 1, 3))
                        tell(side, c);
            }
            say();
            run(rng_below(&r, 400));
        }
        tell_all(0);
        tell_all(1);
        all_end_well();
        finish();
    }
}

/* It still opens, accepts, and closes. */
static void a_core_that_is_in_no_table_keeps_working(void **state)
{
    (void)state;
    town_defaults(&t, 4, 4);
    start(1);
    talk_from_all(8);
    run(5000);
    for (unsigned side = 0; side < 2; side++) {
        table(side, 1u << (1 + side));
        tell_all(side);
    }
    say();
    run(5000);
    talk_from_all(8);
    all_end_well();
    for (unsigned c = 0; c < 4; c++)
        assert_true(accepted[c] > 0);
    finish();
}

/* A core that has just taken part chooses among ports of which many are in use on the core that was
 * home to them before. */
static void two_cores_never_have_one_four_tuple(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        town_defaults(&t, 4, 1);
        t.config.tcp.port_lo = 40000;
        t.config.tcp.port_hi = 40199;
        start(i);
        table(0, 1);
        tell_all(0);
        run(2 * USEC_PER_SEC);
        for (unsigned k = 0; k < 120; k++)
            assert_int_equal(talk_from(0, 0), 0);
        run(10000);
        table(0, 15);
        if (i & 1)
            tell_all(0);
        for (unsigned c = 1; c < 4; c++) {
            tell(0, c);
            for (unsigned k = 0; k < 8; k++)
                assert_int_equal(talk_from(c, 0), 0);
        }
        run(i < 4 ? 100 : 0);
        tell(0, 0);
        all_end_well();
        finish();
    }
}

static void what_small_rings_refuse_is_asked_again(void **state)
{
    (void)state;
    town_defaults(&t, 2, 1);
    t.ring_bytes = 4096;
    start(3);
    table(0, 1);
    tell_all(0);
    run(2 * USEC_PER_SEC);
    for (unsigned k = 0; k < 200; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(10000);
    table(0, 2);
    tell_all(0);
    run(200000);
    assert_int_equal(town_tcp(&t, 0, 1)->aways.used, 200);
    assert_true(t.host[0].core[0].mail.stats.full > 0);
    table(0, 1);
    tell_all(0);
    run(200000 + HOME_GRACE_US);
    assert_int_equal(town_tcp(&t, 0, 1)->aways.used, 0);
    all_end_well();
    finish();
}

static void what_nobody_knows_is_refused_when_the_grace_is_over(void **state)
{
    struct talk *k = &talks[0];

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    /* The server's core forgets it without a word. */
    for (unsigned c = 0; c < 4; c++) {
        struct tcp *tcp = town_tcp(&t, 1, c);
        if (accepted[c])
            tcp_conn_end(tcp, pool_at(&tcp->conns, 0), MR_ECONNABORTED);
    }
    for (unsigned mask = 1; mask < 16; mask <<= 1) {
        table(1, mask);
        tell_all(1);
        run(100);
    }
    say();
    run(USEC_PER_SEC / 2);
    assert_false(k->over);
    run(3 * USEC_PER_SEC);
    assert_true(k->over);
    assert_int_equal(k->err, MR_ECONNRESET);
    finish();
}

/* In the first moments the new home asks the old one, which says that it is no flow of its own; it
 * is asked again as who listens, by whatever way the SYN came (a socat that forks, 2026-11-23). */
static void who_listens_at_the_old_home_only_is_found_at_once(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *, uint32_t) = {
        town_by_law, town_to_first, town_beside, town_anywhere};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(steer); i++) {
        town_defaults(&t, 1, 2);
        t.steer = steer[i];
        start(i);
        mr_close(town_mr(&t, 1, 1), listener[1]);
        listener[1] = MR_SOCK_NONE;
        table(1, 1);
        tell_all(1);
        run(2 * USEC_PER_SEC);
        table(1, 2);
        tell_all(1);
        for (unsigned k = 0; k < 20; k++)
            assert_int_equal(talk_from(0, 0), 0);
        run(50000);
        for (unsigned k = 0; k < ntalks; k++)
            assert_true(talks[k].up);
        assert_int_equal(accepted[0], 20);
        all_end_well();
        finish();
    }
}

/* What came to one from another, and a moment later to the next, nobody can give leave for until a
 * second has passed: a port of another entry is chosen (squid's workers begin, 2026-11-23). */
static void who_has_just_come_connects_at_once(void **state)
{
    (void)state;
    town_defaults(&t, 4, 1);
    start(1);
    table(0, 1);
    tell_all(0);
    run(2 * USEC_PER_SEC);
    for (unsigned core = 1; core < 4; core++) {
        table(0, (UINT64_C(2) << core) - 1);
        tell_all(0);
        run(6000);
        for (unsigned k = 0; k < 20; k++)
            assert_int_equal(talk_from(core, 0), 0);
        run(20000);
    }
    for (unsigned k = 0; k < ntalks; k++)
        assert_true(talks[k].up);
    all_end_well();
    finish();
}

static unsigned talks_up(void)
{
    unsigned n = 0;

    for (unsigned k = 0; k < ntalks; k++)
        n += talks[k].up;
    return n;
}

static bool all_are_told(unsigned side)
{
    bool all = true;

    for (unsigned c = 0; c < t.cores[side]; c++)
        all &= stack_law_is_told(t.host[side].core[c].stack);
    return all;
}

static void settle(unsigned side)
{
    for (unsigned c = 0; c < t.cores[side]; c++)
        native_law_settled(t.host[side].core[c].native, t.now);
}

/* Every entry has come to a core from one to which it had just come: by time alone nobody may give
 * leave for a second (threads of Python that connect all at once, 2026-11-23). */
static void when_homes_are_settled_nobody_waits(void **state)
{
    (void)state;
    for (unsigned settled = 0; settled < 2; settled++) {
        town_defaults(&t, 4, 1);
        start(1);
        talk_from_all(2);
        run(20000);
        for (unsigned core = 0; core < 4; core++) {
            table(0, 1u << core);
            tell_all(0);
            assert_false(all_are_told(0));
            run(1000);
            assert_true(all_are_told(0));
        }
        talk_from_all(5);
        run(20000);
        assert_true(talks_up() < ntalks);
        if (settled)
            settle(0);
        run(5000);
        assert_int_equal(talks_up() == ntalks, settled);
        all_end_well();
        finish();
    }
}

/* For whom there is no record its new home does not know, and nothing is settled. */
static void what_cannot_be_told_settles_nothing(void **state)
{
    (void)state;
    town_defaults(&t, 4, 1);
    start(1);
    talk_from_all(2);
    run(20000);
    struct tcp *tcp = town_tcp(&t, 0, 0);
    while (pool_available(&tcp->aways))
        assert_non_null(pool_get(&tcp->aways));
    table(0, 2);
    tell_all(0);
    run(20000);
    assert_false(stack_law_is_told(t.host[0].core[0].stack));
    run(HOME_GRACE_US);
    assert_true(stack_law_is_told(t.host[0].core[0].stack));
    town_end(&t);
}

/* The first core has asked the second, which stands still, and wants it no more; when the second
 * reads the letter, and the law, neither is home, and it says nothing: it may be early (simulator,
 * seed 15879). */
static void who_waits_no_more_asks_nobody(void **state)
{
    (void)state;
    town_defaults(&t, 4, 1);
    start(1);
    table(0, 2);
    tell_all(0);
    run(2 * USEC_PER_SEC);
    t.host[0].core[1].stalled = true;
    assert_int_equal(talk_from(0, 40000), 0);
    run(1000);
    assert_int_equal(mr_abort(town_mr(&t, 0, 0), talks[0].sock), 0);
    table(0, 4);
    tell_all(0);
    table(0, 8);
    tell_all(0);
    t.host[0].core[1].stalled = false;
    run(2 * USEC_PER_SEC);
    assert_int_equal(town_tcp(&t, 0, 0)->aways.used, 0);
    finish();
}

/* The client's, and nothing else that it sends. */
static bool lose_acks(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    (void)w;
    return to == 1 && len >= 48 && frame[23] == IPPROTO_TCP_ && frame[47] == TH_ACK;
}

#define ANEW 20u

/* The first of the server's cores has some in TIME-WAIT, and is in no table any more; the second is
 * their home, and only it knows. */
static void start_with_time_waits(unsigned cores)
{
    town_defaults(&t, 1, cores);
    start(1);
    hurried = true;
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    talk_from_same_ports(ANEW);
    run(100000);
    assert_int_equal(town_tcp(&t, 1, 0)->tws.used, ANEW);
    hurried = false;
    table(1, 2);
    tell(1, 1);
    run(2 * USEC_PER_SEC);
}

/* Its home has moved, and did not know of it when the client began anew from the same port: a
 * reload of haproxy, whose clients then waited for a minute (2026-11-23). */
static void what_begins_anew_does_not_give_way_to_time_wait(void **state)
{
    (void)state;
    for (unsigned third = 0; third < 2; third++) {
        start_with_time_waits(3);
        talk_from_same_ports(ANEW);
        t.lose = lose_acks;
        run(1000);
        assert_int_equal(town_tcp(&t, 1, 1)->syns.used, ANEW);
        if (third)
            table(1, 4); /* both ask a third, the old one first */
        tell(1, 2);
        tell(1, 0);
        run(1000);
        tell(1, 1);
        run(1000);
        assert_int_equal(town_tcp(&t, 1, 0)->tws.used, 0);
        t.lose = NULL;
        all_end_well();
        finish();
    }
}

/* What came after it was lost with its core, without a word, and then the one in TIME-WAIT asks:
 * the client's segments are beyond all that it knows (px_soak, workers that are killed,
 * 2026-11-23). */
static void a_time_wait_does_not_answer_for_what_came_after_it(void **state)
{
    (void)state;
    start_with_time_waits(2);
    talk_from_same_ports(ANEW);
    run(5000);
    assert_int_equal(accepted[1], ANEW);
    for (unsigned k = 0; k < ANEW; k++)
        tcp_conn_end(town_tcp(&t, 1, 1), pool_at(&town_tcp(&t, 1, 1)->conns, k), MR_ECONNABORTED);
    tell(1, 0);
    run(2 * USEC_PER_SEC);
    assert_int_equal(town_tcp(&t, 1, 0)->tws.used, ANEW);
    say();
    run(2 * USEC_PER_SEC);
    for (unsigned k = 0; k < ANEW; k++) {
        assert_true(talks[k].over);
        assert_int_equal(talks[k].err, MR_ECONNRESET);
    }
    finish();
}

/* ---- datagrams ----------------------------------------------------------------------------- */

/* Several cores have endpoints with a peer on one port, and none is at home. */
static void datagrams_find_endpoints_whose_home_has_moved(void **state)
{
    struct mr_addr peer[3], own = town_addr(1, 5353);
    mr_sock u[3], far[3];
    char b[16];

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    for (unsigned i = 0; i < 3; i++) {
        struct udp_addr to = {town_ip(0), (uint16_t)(6000 + i)};
        peer[i] = town_addr(0, (uint16_t)(6000 + i));
        assert_int_equal(mr_udp_open(town_mr(&t, 0, 0), &peer[i], NULL, &far[i]), 0);
        assert_int_equal(mr_udp_open(town_mr(&t, 1, i), &own, NULL, &u[i]), 0);
        struct udp *udp = stack_udp(t.host[1].core[i].stack);
        /* Each at home in its turn. */
        table(1, 1u << i);
        tell_all(1);
        assert_int_equal(
            udp_connect(udp, stack_ip(t.host[1].core[i].stack), pool_at(&udp->pcbs, 0), &to), 0);
        run(1000);
    }
    for (unsigned home = 0; home < 4; home++) {
        table(1, 1u << home);
        tell_all(1);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(mr_sendto(town_mr(&t, 0, 0), far[i], "hello", 5, &own), 0);
            run(1000);
            assert_int_equal(mr_recvfrom(town_mr(&t, 1, i), u[i], b, sizeof(b), NULL), 5);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        mr_close(town_mr(&t, 1, i), u[i]);
        mr_close(town_mr(&t, 0, 0), far[i]);
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_live_on_when_cores_take_part_and_leave),
        cmocka_unit_test(each_core_may_learn_at_its_own_time),
        cmocka_unit_test(a_core_that_is_in_no_table_keeps_working),
        cmocka_unit_test(two_cores_never_have_one_four_tuple),
        cmocka_unit_test(what_small_rings_refuse_is_asked_again),
        cmocka_unit_test(what_nobody_knows_is_refused_when_the_grace_is_over),
        cmocka_unit_test(who_listens_at_the_old_home_only_is_found_at_once),
        cmocka_unit_test(who_has_just_come_connects_at_once),
        cmocka_unit_test(when_homes_are_settled_nobody_waits),
        cmocka_unit_test(what_cannot_be_told_settles_nothing),
        cmocka_unit_test(who_waits_no_more_asks_nobody),
        cmocka_unit_test(what_begins_anew_does_not_give_way_to_time_wait),
        cmocka_unit_test(a_time_wait_does_not_answer_for_what_came_after_it),
        cmocka_unit_test(datagrams_find_endpoints_whose_home_has_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
