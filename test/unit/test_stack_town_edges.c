/* Hosts of several cores where letters cross, are refused, or speak of a port only by half. */
#include "lib/cmocka_first.h"

#include "lib/town.h"
#include "tcp/tcp_int.h"

#define LPORT 7000u

static struct town t;

static mr_sock listen_at(unsigned core, uint8_t last)
{
    struct mr_addr at = mr_addr4(10, 0, 0, last, TOWN_PORT);
    mr_sock l;

    assert_int_equal(mr_listen(town_mr(&t, 1, core), &at, NULL, &l), 0);
    return l;
}

/* Of host 0, from a fixed port. */
static mr_sock connect_from_port(unsigned core, uint16_t port)
{
    struct mr_addr to = town_addr(1, TOWN_PORT), from = town_addr(0, port);
    mr_sock s;

    assert_int_equal(mr_connect(town_mr(&t, 0, core), &from, &to, NULL, &s), 0);
    return s;
}

static mr_sock connect_from(unsigned core)
{
    return connect_from_port(core, LPORT);
}

static unsigned home_of_port(uint16_t port)
{
    struct ip_addr us = town_ip(0), peer = town_ip(1);

    return home_of_flow(&stack_cores(t.host[0].core[0].stack)->home, ip_v4(&peer), ip_v4(&us),
                        TOWN_PORT, port);
}

static unsigned home_of_lport(void)
{
    return home_of_port(LPORT);
}

static struct tcp_conn *conn_of(unsigned core, mr_sock s)
{
    return pool_at(&town_tcp(&t, 0, core)->conns, (uint32_t)s.v);
}

static unsigned aways(void)
{
    unsigned n = 0;

    for (unsigned c = 0; c < t.cores[0]; c++)
        n += town_tcp(&t, 0, c)->aways.used;
    return n;
}

/* ---- one port, several addresses ----------------------------------------------------------- */

static void second_address(void)
{
    struct ip_addr second = ip4_of(10, 0, 0, 3);

    for (unsigned c = 0; c < t.cores[1]; c++)
        assert_int_equal(stack_addr_add(t.host[1].core[c].stack, 1, &second, 24, false), 0);
    for (unsigned c = 0; c < t.cores[0]; c++)
        assert_int_equal(stack_neigh_add(t.host[0].core[c].stack, 1, &second, &t.host[1].nic.mac),
                         0);
}

static void a_core_with_the_port_at_another_address_is_not_asked(void **state)
{
    mr_sock s, l[2];
    unsigned up = 0;

    (void)state;
    town_start(&t, 1, 2);
    second_address();
    l[0] = listen_at(0, 2);
    l[1] = listen_at(1, 3);
    town_run(&t, 1000);
    for (unsigned i = 0; i < 32; i++) {
        struct mr_addr to = mr_addr4(10, 0, 0, i % 2 ? 2 : 3, TOWN_PORT);
        assert_int_equal(mr_connect(town_mr(&t, 0, 0), NULL, &to, NULL, &s), 0);
    }
    town_run(&t, USEC_PER_SEC);
    while (town_take(&t, 0, 0, MR_EV_CONNECTED, NULL))
        up++;
    assert_int_equal(up, 32);
    assert_true(town_passed(&t, 1) > 0);
    assert_int_equal(town_rsts(&t, 1), 0);
    (void)l;
    town_end(&t);
}

static void a_datagram_finds_the_core_that_has_the_port_at_its_address(void **state)
{
    struct mr_addr at[2] = {mr_addr4(10, 0, 0, 2, 5300), mr_addr4(10, 0, 0, 3, 5300)};
    mr_sock server[2], client;
    unsigned got = 0;
    char b[8];

    (void)state;
    town_start(&t, 1, 2);
    second_address();
    for (unsigned c = 0; c < 2; c++)
        assert_int_equal(mr_udp_open(town_mr(&t, 1, c), &at[c], NULL, &server[c]), 0);
    town_run(&t, 1000);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(mr_udp_open(town_mr(&t, 0, 0), NULL, NULL, &client), 0);
        assert_int_equal(mr_sendto(town_mr(&t, 0, 0), client, "x", 1, &at[i % 2]), 0);
    }
    town_run(&t, 100000);
    for (unsigned c = 0; c < 2; c++)
        while (mr_recvfrom(town_mr(&t, 1, c), server[c], b, sizeof(b), NULL) == 1)
            got++;
    assert_int_equal(got, 32);
    town_end(&t);
}

/* ---- letters about flows away from home ------------------------------------------------------ */

/* Home says no; is asked again before that was read; and then says yes. */
static void a_yes_that_nobody_waits_for_leaves_nothing_at_home(void **state)
{
    struct mr_event ev;

    (void)state;
    town_start(&t, 2, 1);
    listen_at(0, 2);
    town_run(&t, 1000);
    unsigned home = home_of_lport(), away = !home;
    struct town_core *h = &t.host[0].core[home], *a = &t.host[0].core[away];
    mr_sock first = connect_from(home);
    town_run(&t, 1000);
    assert_true(town_take(&t, 0, home, MR_EV_CONNECTED, NULL));
    connect_from(away);
    town_core_turn(&t, h);
    t.now += 60 * USEC_PER_MSEC;
    native_flush(a->native, t.now);
    mr_abort(h->m, first);
    town_core_turn(&t, h);
    town_run(&t, 200000);
    assert_true(town_take(&t, 0, away, MR_EV_CLOSED, &ev));
    assert_int_equal(ev.err, MR_EADDRINUSE);
    assert_int_equal(aways(), 0);
    connect_from(home);
    town_run(&t, 200000);
    assert_true(town_take(&t, 0, home, MR_EV_CONNECTED, NULL));
    town_end(&t);
}

/* Fill core `from`'s ring to `to` with letters that change nothing. */
static void fill_ring(unsigned from, unsigned to)
{
    struct {
        uint16_t port;
        uint8_t kind;
        bool have;
    } nothing = {9, PORT_TCP, false};

    while (mail_send(&t.host[0].core[from].mail, to, MAIL_PORT, &nothing, sizeof(nothing), NULL))
        ;
}

/* The YES that did not fit in the ring said from where the numbers may go on. */
static void a_yes_said_again_still_says_above_which_number_to_begin(void **state)
{
    (void)state;
    town_start(&t, 2, 1);
    listen_at(0, 2);
    town_run(&t, 1000);
    unsigned home = home_of_lport(), away = !home;
    struct town_core *h = &t.host[0].core[home], *a = &t.host[0].core[away];
    mr_sock s = connect_from(home), server;
    struct mr_event ev;
    town_run(&t, 1000);
    assert_true(town_take(&t, 1, 0, MR_EV_ACCEPT, &ev));
    assert_int_equal(mr_accept(town_mr(&t, 1, 0), ev.sock, &server, NULL), 0);
    mr_close(h->m, s);
    town_run(&t, 1000);
    mr_close(town_mr(&t, 1, 0), server);
    town_run(&t, 1000);
    struct tcp *tcp = town_tcp(&t, 0, home);
    assert_int_equal(tcp->tws.used, 1);
    s = connect_from(away);
    struct tcp_tw *w = mem_ptr(tcp->arena, tcp->tw_head);
    tcp_seq last = w->snd_nxt = seq_add(conn_of(away, s)->snd_una, 1000000);
    fill_ring(home, away);
    town_core_turn(&t, h);
    assert_int_equal(tcp->tws.used, 0);
    town_core_turn(&t, a);
    assert_true(tcp_away_waits(town_tcp(&t, 0, away), &conn_of(away, s)->key));
    town_run(&t, 200000);
    assert_true(town_take(&t, 0, away, MR_EV_CONNECTED, NULL));
    assert_true(seq_gt(conn_of(away, s)->snd_una, last));
    town_end(&t);
}

/* ---- what was done once ---------------------------------------------------------------------- */

static unsigned sums;

static uint64_t counting_csum(const void *p, size_t n, uint64_t sum)
{
    sums++;
    return csum_add_portable(p, n, sum);
}

static void a_segment_that_is_passed_on_is_summed_once(void **state)
{
    (void)state;
    sums = 0;
    town_defaults(&t, 1, 4);
    t.steer = town_to_first;
    town_start_with(&t);
    for (unsigned c = 0; c < 4; c++) {
        listen_at(c, 2);
        if (c > 0)
            town_tcp(&t, 1, c)->csum = counting_csum;
    }
    town_run(&t, 1000);
    for (unsigned i = 0; i < 16; i++)
        connect_from_port(0, (uint16_t)(LPORT + i));
    town_run(&t, USEC_PER_SEC);
    assert_true(town_passed(&t, 1) >= 16);
    assert_int_equal(sums, 0);
    town_end(&t);
}

/* ---- a core that stands still ---------------------------------------------------------------- */

static bool usable(unsigned core, const struct ip_addr *a)
{
    return ip_lidx(stack_ip(t.host[0].core[core].stack), a) != IP_LIDX_NONE;
}

static void a_core_that_does_not_read_keeps_no_address_from_the_others(void **state)
{
    struct ip_addr second = ip4_of(10, 0, 0, 9);

    (void)state;
    town_start(&t, 3, 1);
    town_run(&t, 1000);
    t.host[0].core[1].stalled = true;
    fill_ring(0, 1);
    for (unsigned c = 0; c < 3; c++)
        assert_int_equal(stack_addr_add(t.host[0].core[c].stack, 1, &second, 24, true), 0);
    town_run(&t, 12 * USEC_PER_SEC);
    for (unsigned c = 0; c < 3; c++)
        assert_int_equal(usable(c, &second), c != 1);
    t.host[0].core[1].stalled = false;
    town_run(&t, USEC_PER_SEC);
    assert_true(usable(1, &second));
    town_end(&t);
}

static void a_connection_does_not_wait_for_ever_for_a_home_that_stands_still(void **state)
{
    struct mr_event ev;

    (void)state;
    town_start(&t, 2, 1);
    listen_at(0, 2);
    town_run(&t, 1000);
    unsigned home = home_of_lport(), away = !home;
    t.host[0].core[home].stalled = true;
    mr_sock s = connect_from(away);
    town_run(&t, (uint64_t)t.config.tcp.syn_r2_ms * USEC_PER_MSEC + USEC_PER_SEC);
    assert_true(town_take(&t, 0, away, MR_EV_CLOSED, &ev));
    assert_int_equal(ev.err, MR_ETIMEDOUT);
    mr_close(t.host[0].core[away].m, s);
    t.host[0].core[home].stalled = false;
    town_run(&t, USEC_PER_SEC);
    assert_int_equal(aways(), 0);
    connect_from(away);
    town_run(&t, 200 * USEC_PER_SEC);
    assert_true(town_take(&t, 0, away, MR_EV_CONNECTED, NULL));
    assert_false(town_take(&t, 0, away, MR_EV_CLOSED, NULL));
    town_end(&t);
}

static void many_that_wait_for_a_core_are_not_looked_at_every_turn(void **state)
{
    enum { FLOWS = 300 };
    unsigned up = 0;

    (void)state;
    town_defaults(&t, 2, 1);
    stack_limits_for(&t.config.limits, 1024);
    t.ring_bytes = 4096;
    town_start_with(&t);
    listen_at(0, 2);
    town_run(&t, 1000);
    struct town_core *a = &t.host[0].core[0];
    t.host[0].core[1].stalled = true;
    fill_ring(0, 1);
    for (unsigned port = LPORT, n = 0; n < FLOWS; port++) {
        if (home_of_port((uint16_t)port) == 0)
            continue;
        connect_from_port(0, (uint16_t)port);
        n++;
    }
    native_flush(a->native, t.now);
    uint64_t full = a->mail.stats.full;
    for (unsigned turn = 0; turn < 100; turn++)
        native_flush(a->native, t.now);
    assert_int_equal(a->mail.stats.full, full);
    t.host[0].core[1].stalled = false;
    town_run(&t, 10 * USEC_PER_SEC);
    while (town_take(&t, 0, 0, MR_EV_CONNECTED, NULL))
        up++;
    assert_int_equal(up, FLOWS);
    town_end(&t);
}

/* The peer has acknowledged the SYN,ACK and knows of no other: who asks for the four-tuple as its
 * own, since home has moved, asks for what is no more. */
static void what_waits_for_data_gives_way_to_nobody(void **state)
{
    struct mr_event ev;

    (void)state;
    town_start(&t, 1, 2);
    for (unsigned c = 0; c < 2; c++)
        assert_int_equal(mr_setopt(town_mr(&t, 1, c), listen_at(c, 2), MR_DEFER_ACCEPT, 30), 0);
    town_run(&t, 1000);
    mr_sock s = connect_from(0);
    town_run(&t, 20000);
    assert_true(town_take(&t, 0, 0, MR_EV_CONNECTED, NULL));
    unsigned at = town_tcp(&t, 1, 1)->syns.used;
    struct tcp *here = town_tcp(&t, 1, at), *other = town_tcp(&t, 1, !at);
    assert_int_equal(here->syns.used, 1);
    assert_int_equal(here->stats.drop_deferred, 1);
    struct flow_key k = ((struct tcp_syn *)pool_at(&here->syns, 0))->key;
    assert_true(tcp_away_ask(other, &k, at, AWAY_MOVED));
    town_run(&t, 500000);
    assert_int_equal(here->syns.used, 1);
    assert_false(town_take(&t, 1, at, MR_EV_ACCEPT, &ev));
    tcp_away_end(other, &k);
    assert_int_equal(mr_send(town_mr(&t, 0, 0), s, "x", 1, 0), 1);
    town_run(&t, 100000);
    assert_true(town_take(&t, 1, at, MR_EV_ACCEPT, &ev));
    assert_int_equal(here->syns.used, 0);
    assert_int_equal(town_rsts(&t, 1), 0);
    town_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_with_the_port_at_another_address_is_not_asked),
        cmocka_unit_test(a_datagram_finds_the_core_that_has_the_port_at_its_address),
        cmocka_unit_test(a_yes_that_nobody_waits_for_leaves_nothing_at_home),
        cmocka_unit_test(a_yes_said_again_still_says_above_which_number_to_begin),
        cmocka_unit_test(a_segment_that_is_passed_on_is_summed_once),
        cmocka_unit_test(a_core_that_does_not_read_keeps_no_address_from_the_others),
        cmocka_unit_test(a_connection_does_not_wait_for_ever_for_a_home_that_stands_still),
        cmocka_unit_test(what_waits_for_data_gives_way_to_nobody),
        cmocka_unit_test(many_that_wait_for_a_core_are_not_looked_at_every_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
