/* Hosts of several cores: whose a TCP connection is, and that every packet finds it. */
#include "lib/cmocka_first.h"

#include "lib/town.h"

static struct town t;

/* ---- a conversation ------------------------------------------------------------------- */

#define TALKS_MAX 96
#define TALK_BYTES 3000

/* A connection that a core of host 0 opens to host 1; each end sends TALK_BYTES and closes. */
struct talk {
    unsigned core; /* of host 0 */
    mr_sock sock;
    uint32_t got;
    bool up, over;
    int err;
};

static struct talk talks[TALKS_MAX];
static unsigned ntalks;
static mr_sock listener[TOWN_CORES_MAX];
static uint32_t served[TOWN_CORES_MAX]; /* by each core of host 1, whole ones */
static uint8_t payload[TALK_BYTES];

static struct talk *talk_of(void *user)
{
    return user;
}

static void listen_on(unsigned side, unsigned core, mr_sock *out)
{
    struct mr_addr at = town_addr(side, TOWN_PORT);

    assert_int_equal(mr_listen(town_mr(&t, side, core), &at, NULL, out), 0);
}

static void listen_everywhere(void)
{
    for (unsigned c = 0; c < t.cores[1]; c++)
        listen_on(1, c, &listener[c]);
}

static int talk_from(unsigned core, uint16_t lport, uint16_t port)
{
    struct mr_addr to = town_addr(1, port), local = town_addr(0, lport);
    struct talk *k = &talks[ntalks];

    *k = (struct talk){.core = core};
    int rc = mr_connect(town_mr(&t, 0, core), lport ? &local : NULL, &to, k, &k->sock);
    if (rc == 0)
        ntalks++;
    return rc;
}

static void client_event(struct mr *m, const struct mr_event *ev)
{
    struct talk *k = talk_of(ev->user);
    uint8_t b[4096];
    int64_t n;

    if (ev->type == MR_EV_CONNECTED) {
        k->up = true;
        assert_int_equal(mr_send(m, k->sock, payload, sizeof(payload), 0), TALK_BYTES);
        mr_shutdown(m, k->sock);
    }
    if (ev->type == MR_EV_READABLE)
        while ((n = mr_recv(m, k->sock, b, sizeof(b), 0)) > 0)
            k->got += (uint32_t)n;
    if (ev->type == MR_EV_CLOSED) {
        k->err = ev->err;
        k->over = true;
        mr_close(m, k->sock);
    }
}

static void server_event(unsigned core, struct mr *m, const struct mr_event *ev)
{
    uint8_t b[4096];
    mr_sock s;
    int64_t n;

    if (ev->type == MR_EV_ACCEPT)
        while (mr_accept(m, ev->sock, &s, NULL) == 0)
            assert_int_equal(mr_send(m, s, payload, sizeof(payload), 0), TALK_BYTES);
    if (ev->type == MR_EV_READABLE) {
        while ((n = mr_recv(m, ev->sock, b, sizeof(b), 0)) > 0)
            ;
        if (n == 0)
            mr_shutdown(m, ev->sock);
    }
    if (ev->type == MR_EV_CLOSED) {
        served[core] += ev->err == 0;
        mr_close(m, ev->sock);
    }
}

/* The applications look at their events every millisecond. */
static void run(uint64_t us)
{
    instant until = t.now + us;

    while (t.now < until) {
        town_run(&t, 500);
        for (unsigned side = 0; side < 2; side++) {
            for (unsigned c = 0; c < t.cores[side]; c++) {
                struct town_core *k = &t.host[side].core[c];
                for (unsigned i = 0; i < k->nev && !k->stalled; i++) {
                    if (side == 0)
                        client_event(k->m, &k->ev[i]);
                    else
                        server_event(c, k->m, &k->ev[i]);
                }
                k->nev = k->stalled ? k->nev : 0;
            }
        }
    }
}

static unsigned whole(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ntalks; i++)
        n += talks[i].over && talks[i].err == 0 && talks[i].got == TALK_BYTES;
    return n;
}

static uint32_t served_all(void)
{
    uint32_t n = 0;

    for (unsigned c = 0; c < TOWN_CORES_MAX; c++)
        n += served[c];
    return n;
}

static void defaults(unsigned cores0, unsigned cores1)
{
    town_defaults(&t, cores0, cores1);
    ntalks = 0;
    memset(served, 0, sizeof(served));
}

static void finish(void)
{
    for (unsigned c = 0; c < t.cores[1]; c++)
        if (listener[c].v)
            mr_close(town_mr(&t, 1, c), listener[c]);
    memset(listener, 0, sizeof(listener));
    run(150 * USEC_PER_SEC); /* TIME-WAIT and all */
    for (unsigned side = 0; side < 2; side++)
        if (town_leak(&t, side))
            fail_msg("host %u: %s", side, town_leak(&t, side));
    town_end(&t);
}

static void talk_from_all(unsigned each)
{
    for (unsigned i = 0; i < each; i++)
        for (unsigned c = 0; c < t.cores[0]; c++)
            assert_int_equal(talk_from(c, 0, TOWN_PORT), 0);
}

static void all_are_served(void)
{
    run(20 * USEC_PER_SEC);
    assert_int_equal(whole(), ntalks);
    assert_int_equal(served_all(), ntalks);
}

/* ---- a NIC that does as the law says ---------------------------------------------------- */

static void with_correct_rss_no_core_hears_of_another(void **state)
{
    static const unsigned cores[][2] = {{1, 1}, {1, 4}, {4, 1}, {2, 2}, {4, 3}, {8, 8}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cores); i++) {
        defaults(cores[i][0], cores[i][1]);
        town_start_with(&t);
        listen_everywhere();
        run(5 * USEC_PER_SEC); /* who listens where is said once, and whose the address is */
        uint64_t before = town_letters(&t, 0) + town_letters(&t, 1);
        talk_from_all(8);
        all_are_served();
        assert_int_equal(town_passed(&t, 0) + town_passed(&t, 1), 0);
        assert_int_equal(town_letters(&t, 0) + town_letters(&t, 1) - before, 0);
        assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
        finish();
    }
}

static void connections_spread_over_all_listeners(void **state)
{
    (void)state;
    defaults(4, 4);
    town_start_with(&t);
    listen_everywhere();
    talk_from_all(16);
    all_are_served();
    for (unsigned c = 0; c < 4; c++)
        assert_in_range(served[c], 4, 32);
    finish();
}

/* ---- NICs that do something else -------------------------------------------------------- */

static void whatever_the_nic_does_every_connection_is_whole(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *, uint32_t) = {
        town_to_first, town_beside, town_anywhere};
    struct rng order;

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(steer); i++) {
        defaults(3, 4);
        rng_init(&order, i);
        t.order = i < ARRAY_LEN(steer) ? NULL : &order;
        t.steer = steer[i % ARRAY_LEN(steer)];
        town_start_with(&t);
        listen_everywhere();
        talk_from_all(8);
        all_are_served();
        assert_true(town_passed(&t, 0) > 0 && town_passed(&t, 1) > 0);
        assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
        finish();
    }
}

static void a_table_changed_in_mid_flow_breaks_nothing(void **state)
{
    (void)state;
    defaults(4, 4);
    town_start_with(&t);
    listen_everywhere();
    talk_from_all(8);
    run(600); /* SYNs are out */
    t.steer = town_beside;
    all_are_served();
    assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
    finish();
}

static void rings_that_overflow_lose_packets_and_no_connection(void **state)
{
    (void)state;
    defaults(4, 4);
    t.steer = town_beside;
    t.ring_bytes = 4096;
    town_start_with(&t);
    listen_everywhere();
    talk_from_all(8);
    run(60 * USEC_PER_SEC);
    all_are_served();
    uint64_t lost = 0;
    for (unsigned side = 0; side < 2; side++)
        for (unsigned c = 0; c < 4; c++)
            lost += t.host[side].core[c].mail.stats.drop_packet_full;
    assert_true(lost > 0);
    finish();
}

/* ---- listeners on some cores ------------------------------------------------------------ */

static void a_listener_on_one_core_gets_everything(void **state)
{
    (void)state;
    for (unsigned only = 0; only < 4; only++) {
        defaults(2, 4);
        town_start_with(&t);
        listen_on(1, only, &listener[only]);
        run(1000);
        talk_from_all(16);
        all_are_served();
        assert_int_equal(served[only], ntalks);
        assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
        finish();
    }
}

static void connections_outlive_the_listeners_elsewhere(void **state)
{
    (void)state;
    defaults(2, 4);
    t.steer = town_anywhere;
    town_start_with(&t);
    listen_on(1, 2, &listener[2]);
    run(1000);
    talk_from_all(16);
    run(1000);
    /* Now home would choose another core for what it does not know. */
    for (unsigned c = 0; c < 4; c++)
        if (c != 2)
            listen_on(1, c, &listener[c]);
    all_are_served();
    assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
    finish();
}

static void a_port_nobody_has_is_refused_by_its_home(void **state)
{
    (void)state;
    defaults(2, 4);
    town_start_with(&t);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(talk_from(i % 2, 0, 81), 0);
    run(1000000);
    for (unsigned i = 0; i < ntalks; i++)
        assert_true(talks[i].over && talks[i].err == MR_ECONNREFUSED);
    assert_int_equal(town_passed(&t, 1), 0);
    finish();
}

static void pause_on(unsigned core, bool paused)
{
    assert_int_equal(mr_setopt(town_mr(&t, 1, core), listener[core], MR_PAUSED, paused), 0);
}

/* Also those that were half open there when it began, with cookies or without. */
static void who_pauses_leaves_new_connections_to_the_others(void **state)
{
    (void)state;
    for (unsigned cookies = 0; cookies < 2; cookies++) {
        defaults(2, 4);
        t.steer = cookies ? town_anywhere : town_by_law;
        t.config.tcp.cookies = cookies ? TCP_COOKIES_ALWAYS : TCP_COOKIES_OVERFLOW;
        town_start_with(&t);
        listen_everywhere();
        run(1000);
        talk_from_all(16);
        town_run(&t, 20);
        pause_on(0, true);
        pause_on(3, true);
        run(20 * USEC_PER_SEC);
        uint32_t early[] = {served[0], served[3]};
        assert_true(early[0] && early[1]);
        talk_from_all(16);
        all_are_served();
        assert_int_equal(served[0], early[0]);
        assert_int_equal(served[3], early[1]);
        pause_on(3, false);
        run(1000);
        talk_from_all(16);
        all_are_served();
        assert_int_equal(served[0], early[0]);
        assert_true(served[3] > early[1]);
        assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
        finish();
    }
}

static void while_all_pause_nobody_is_refused(void **state)
{
    (void)state;
    defaults(2, 4);
    town_start_with(&t);
    for (unsigned c = 1; c < 3; c++)
        listen_on(1, c, &listener[c]);
    pause_on(1, true);
    pause_on(2, true);
    run(1000);
    talk_from_all(16);
    run(USEC_PER_SEC / 2);
    assert_int_equal(whole(), 0);
    uint64_t dropped = 0;
    for (unsigned c = 0; c < 4; c++)
        dropped += town_tcp(&t, 1, c)->stats.drop_paused;
    assert_int_equal(dropped, ntalks);
    pause_on(2, false);
    all_are_served();
    assert_int_equal(served[2], ntalks);
    assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
    finish();
}

static void cookies_come_back_to_whoever_listens(void **state)
{
    (void)state;
    defaults(2, 4);
    t.steer = town_anywhere;
    t.config.tcp.cookies = TCP_COOKIES_ALWAYS;
    town_start_with(&t);
    listen_on(1, 1, &listener[1]);
    run(1000);
    talk_from_all(8);
    all_are_served();
    assert_int_equal(served[1], ntalks);
    finish();
}

/* ---- fixed local ports ------------------------------------------------------------------ */

static void a_fixed_port_works_from_every_core(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *, uint32_t) = {
        town_by_law, town_to_first, town_anywhere};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(steer); i++) {
        defaults(4, 2);
        t.steer = steer[i];
        town_start_with(&t);
        listen_everywhere();
        for (unsigned k = 0; k < 32; k++)
            assert_int_equal(talk_from(k % 4, (uint16_t)(7000 + k), TOWN_PORT), 0);
        all_are_served();
        assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
        finish();
    }
}

static void two_cores_never_have_one_four_tuple(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        defaults(4, 1);
        town_start_with(&t);
        listen_everywhere();
        unsigned refused = 0;
        for (unsigned c = 0; c < 4; c++)
            refused += talk_from(c, (uint16_t)(7000 + k), TOWN_PORT) == MR_EADDRINUSE;
        run(20 * USEC_PER_SEC);
        for (unsigned i = 0; i < ntalks; i++)
            refused += talks[i].over && talks[i].err == MR_EADDRINUSE;
        assert_int_equal(whole(), 1);
        assert_int_equal(refused, 3);
        finish();
    }
}

static void another_core_may_use_a_four_tuple_in_time_wait(void **state)
{
    (void)state;
    defaults(4, 1);
    town_start_with(&t);
    listen_everywhere();
    for (unsigned round = 0; round < 12; round++) {
        /* At home it is in TIME-WAIT when the next core asks, or home says no: then nothing is
         * lost but the attempt. */
        int rc = talk_from(round % 4, 7000, TOWN_PORT);
        assert_true(rc == 0 || rc == MR_EADDRINUSE);
        run(2 * USEC_PER_SEC);
        struct talk *k = &talks[ntalks - 1];
        assert_true(k->over && (k->err == 0 || k->err == MR_EADDRINUSE));
        assert_true(k->err != 0 || k->got == TALK_BYTES);
    }
    assert_true(whole() >= 3);
    finish();
}

static void a_stalled_home_holds_up_only_what_needs_it(void **state)
{
    unsigned waiting = 0;

    (void)state;
    defaults(4, 1);
    town_start_with(&t);
    listen_everywhere();
    run(1000);
    t.host[0].core[3].stalled = true;
    for (unsigned k = 0; k < 32; k++)
        assert_int_equal(talk_from(k % 3, (uint16_t)(7000 + k), TOWN_PORT), 0);
    run(10 * USEC_PER_SEC);
    for (unsigned i = 0; i < ntalks; i++)
        waiting += !talks[i].up;
    assert_in_range(waiting, 1, 20);
    assert_int_equal(whole(), ntalks - waiting);
    t.host[0].core[3].stalled = false;
    all_are_served();
    finish();
}

/* ---- to ourselves ----------------------------------------------------------------------- */

static void own_event(unsigned core)
{
    struct town_core *k = &t.host[0].core[core];

    for (unsigned i = 0; i < k->nev; i++) {
        if (k->ev[i].user)
            client_event(k->m, &k->ev[i]);
        else
            server_event(core, k->m, &k->ev[i]);
    }
    k->nev = 0;
}

static void a_connection_to_ones_own_address_finds_the_listener(void **state)
{
    (void)state;
    for (unsigned only = 0; only <= 4; only++) {
        defaults(4, 1);
        town_start_with(&t);
        mr_sock l[4];
        for (unsigned c = 0; c < 4; c++)
            if (only == c || only == 4)
                listen_on(0, c, &l[c]);
        town_run(&t, 5 * USEC_PER_SEC);
        uint64_t frames = t.frames; /* announcements of the address */
        for (unsigned i = 0; i < 16; i++) {
            struct mr_addr to = town_addr(0, TOWN_PORT);
            struct talk *k = &talks[ntalks++];
            *k = (struct talk){.core = i % 4};
            assert_int_equal(mr_connect(town_mr(&t, 0, i % 4), NULL, &to, k, &k->sock), 0);
        }
        for (unsigned ms = 0; ms < 4000; ms++) {
            town_run(&t, 1000);
            for (unsigned c = 0; c < 4; c++)
                own_event(c);
        }
        assert_int_equal(whole(), ntalks);
        assert_int_equal(served_all(), ntalks);
        assert_int_equal(t.frames, frames);
        if (only == 4) /* everybody serves himself */
            assert_int_equal(town_passed(&t, 0), 0);
        for (unsigned c = 0; c < 4; c++)
            if (only == c || only == 4)
                mr_close(town_mr(&t, 0, c), l[c]);
        finish();
    }
}

/* ---- sleepers --------------------------------------------------------------------------- */

static unsigned steps, rung_at, event_at;

static void note_ring(void *arg, uint64_t cores)
{
    (void)arg;
    assert_int_equal(cores, 2); /* core 1 */
    if (!rung_at)
        rung_at = ++steps;
}

static void note_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    (void)m, (void)core_state, (void)ev;
    if (!event_at)
        event_at = ++steps;
}

/* One turn has something for the application of core 0 and packets for core 1. */
static void a_sleeper_is_woken_before_a_slow_handler_begins(void **state)
{
    static const struct mr_app app = {.name = "slow", .event = note_event};
    struct town_core *k;

    (void)state;
    defaults(1, 2);
    t.steer = town_to_first;
    town_start_with(&t);
    listen_everywhere();
    talk_from_all(16);
    town_run(&t, 10000); /* established, nothing sent */
    for (unsigned i = 0; i < ntalks; i++)
        assert_int_equal(mr_send(town_mr(&t, 0, 0), talks[i].sock, payload, 100, 0), 100);
    shard_turn(&t.host[0].core[0].shard, t.now);
    k = &t.host[1].core[0];
    k->shard.app = &app;
    k->shard.ring = note_ring;
    steps = rung_at = event_at = 0;
    assert_int_equal(mr_timer_start(k->m, 100, NULL, NULL), 0);
    t.now += 1000;
    assert_true(mail_asleep(&t.host[1].core[1].mail));
    shard_turn(&k->shard, t.now);
    assert_int_equal(rung_at, 1);
    assert_int_equal(event_at, 2);
    town_end(&t);
    memset(listener, 0, sizeof(listener));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_correct_rss_no_core_hears_of_another),
        cmocka_unit_test(connections_spread_over_all_listeners),
        cmocka_unit_test(whatever_the_nic_does_every_connection_is_whole),
        cmocka_unit_test(a_table_changed_in_mid_flow_breaks_nothing),
        cmocka_unit_test(rings_that_overflow_lose_packets_and_no_connection),
        cmocka_unit_test(a_listener_on_one_core_gets_everything),
        cmocka_unit_test(connections_outlive_the_listeners_elsewhere),
        cmocka_unit_test(a_port_nobody_has_is_refused_by_its_home),
        cmocka_unit_test(who_pauses_leaves_new_connections_to_the_others),
        cmocka_unit_test(while_all_pause_nobody_is_refused),
        cmocka_unit_test(cookies_come_back_to_whoever_listens),
        cmocka_unit_test(a_fixed_port_works_from_every_core),
        cmocka_unit_test(two_cores_never_have_one_four_tuple),
        cmocka_unit_test(another_core_may_use_a_four_tuple_in_time_wait),
        cmocka_unit_test(a_stalled_home_holds_up_only_what_needs_it),
        cmocka_unit_test(a_sleeper_is_woken_before_a_slow_handler_begins),
        cmocka_unit_test(a_connection_to_ones_own_address_finds_the_listener),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
