/* Datagrams that arrive at the wrong core. */
#include "lib/cmocka_first.h"

#include "lib/town_ways.h"

/* A server with a socket on every core.  Each client's datagrams come to the same core, the home of
 * the flow, whatever the port does. */
static void a_flow_always_meets_the_same_cores_socket(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        mr_sock server[CORES], client[CLIENTS];
        int core_of[CLIENTS];
        struct mr_addr to = town_addr(1, PORT), from;
        uint32_t v;

        start(&ways[w], 1, CORES);
        for (unsigned c = 0; c < CORES; c++)
            server[c] = udp_open_at(1, c, PORT);
        for (unsigned i = 0; i < CLIENTS; i++) {
            client[i] = udp_open_at(0, 0, 0);
            core_of[i] = -1;
        }
        settle();
        for (unsigned round = 0; round < 5; round++) {
            for (unsigned i = 0; i < CLIENTS; i++)
                send_n(0, 0, client[i], &to, i, 100);
            town_run(&t, 10000);
            for (unsigned c = 0; c < CORES; c++) {
                while (take(1, c, server[c], &v, 100, &from)) {
                    assert_true(core_of[v] == -1 || core_of[v] == (int)c);
                    core_of[v] = (int)c;
                    send_n(1, c, server[c], &from, v + 1000, 50);
                }
            }
            town_run(&t, 10000);
            for (unsigned i = 0; i < CLIENTS; i++) {
                assert_true(take(0, 0, client[i], &v, 50, NULL));
                assert_int_equal(v, i + 1000);
            }
        }
        if (&ways[w] == BY_LAW)
            assert_int_equal(town_passed(&t, 1), 0);
        else
            assert_true(town_passed(&t, 1) > 0);
        expect_no_leaks(&ways[w]);
    }
}

static void a_port_that_one_core_has_is_found_from_all(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        mr_sock server, client[CLIENTS];
        struct mr_addr to = town_addr(1, PORT);
        uint32_t v, got = 0;

        start(&ways[w], 1, CORES);
        server = udp_open_at(1, 2, PORT);
        settle();
        for (unsigned i = 0; i < CLIENTS; i++) {
            client[i] = udp_open_at(0, 0, 0);
            send_n(0, 0, client[i], &to, i, 10);
        }
        town_run(&t, 10000);
        while (take(1, 2, server, &v, 10, NULL))
            got++;
        assert_int_equal(got, CLIENTS);
        /* Closed: every core says so. */
        mr_close(town_mr(&t, 1, 2), server);
        settle();
        for (unsigned i = 0; i < CLIENTS; i++)
            send_n(0, 0, client[i], &to, i, 10);
        town_run(&t, 10000);
        uint64_t no_port = 0;
        for (unsigned c = 0; c < CORES; c++)
            no_port += udp_at(1, c)->drop_no_port;
        assert_int_equal(no_port, CLIENTS);
        expect_no_leaks(&ways[w]);
    }
}

/* Clients on every core of host 0 ask a server of one core; answers find who asked.  With correct
 * RSS they land there. */
static void the_answer_to_who_asked_first_lands_where_it_is_wanted(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        mr_sock client[CORES][CLIENTS], server;
        uint8_t taken[65536 / 8] = {0};
        struct mr_addr to = town_addr(1, PORT), from;
        uint32_t v;

        start(&ways[w], CORES, 1);
        server = udp_open_at(1, 0, PORT);
        settle();
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned c = 0; c < CORES; c++) {
                for (unsigned i = 0; i < CLIENTS; i++) {
                    if (round == 0)
                        client[c][i] = udp_open_at(0, c, 0);
                    send_n(0, c, client[c][i], &to, c * 100 + i, 20);
                }
            }
            town_run(&t, 20000);
            while (take(1, 0, server, &v, 20, &from)) {
                /* No two cores have chosen the same port. */
                if (round == 0) {
                    assert_false(taken[from.port / 8] >> from.port % 8 & 1);
                    taken[from.port / 8] |= (uint8_t)(1u << from.port % 8);
                    assert_int_equal(from.port % CORES, v / 100);
                }
                send_n(1, 0, server, &from, v, 30);
            }
            town_run(&t, 20000);
            for (unsigned c = 0; c < CORES; c++) {
                for (unsigned i = 0; i < CLIENTS; i++) {
                    assert_true(take(0, c, client[c][i], &v, 30, NULL));
                    assert_int_equal(v, c * 100 + i);
                }
            }
        }
        if (&ways[w] == BY_LAW)
            assert_int_equal(town_passed(&t, 0), 0);
        expect_no_leaks(&ways[w]);
    }
}

/* Somebody whom it did not ask answers: the flow's home is elsewhere, and knows who has the
 * port. */
static void an_answer_from_another_peer_finds_the_socket(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        struct mr_addr to = town_addr(1, PORT), ask;
        uint32_t v;
        mr_sock client, server;

        start(&ways[w], CORES, 1);
        client = udp_open_at(0, 3, 0);
        assert_int_equal(mr_local_addr(town_mr(&t, 0, 3), client, &ask), 0);
        assert_int_equal(ask.port % CORES, 3);
        ask = town_addr(0, ask.port);
        send_n(0, 3, client, &to, 1, 10);
        settle();
        for (uint16_t i = 0; i < 20; i++) {
            server = udp_open_at(1, 0, (uint16_t)(7000 + i));
            send_n(1, 0, server, &ask, i, 10);
            town_run(&t, 5000);
            assert_true(take(0, 3, client, &v, 10, NULL));
            assert_int_equal(v, i);
        }
        expect_no_leaks(&ways[w]);
    }
}

/* A fixed port that every core has bound, and one of them connected: its datagrams are its. */
static void who_is_connected_away_from_home_gets_its_datagrams(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        unsigned away = 0;
        for (uint16_t peer = 6000; peer < 6012; peer++) {
            struct udp_addr to = {town_ip(1), peer};
            struct mr_addr back = town_addr(0, PORT);
            struct udp *udp;
            struct udp_pcb *pcb, *second;
            struct pkt *p;
            mr_sock server, bound[CORES];
            uint32_t v;

            start(&ways[w], CORES, 1);
            for (unsigned c = 0; c < CORES; c++)
                if (c != 1)
                    bound[c] = udp_open_at(0, c, PORT);
            udp = stack_udp(stack_at(0, 1));
            pcb = udp_open(udp);
            assert_int_equal(udp_bind(udp, stack_ip(stack_at(0, 1)), pcb, NULL, PORT), 0);
            assert_int_equal(udp_connect(udp, stack_ip(stack_at(0, 1)), pcb, &to), 0);
            away += pcb->away;
            settle();
            server = udp_open_at(1, 0, peer);
            send_n(1, 0, server, &back, 7, 10);
            town_run(&t, 5000);
            p = udp_recv(pcb);
            assert_non_null(p);
            pkt_put(p);
            /* Strangers go to whoever has the port without a peer. */
            mr_sock stranger = udp_open_at(1, 0, 9999);
            send_n(1, 0, stranger, &back, 8, 10);
            town_run(&t, 5000);
            assert_null(udp_recv(pcb));
            unsigned got = 0;
            for (unsigned c = 0; c < CORES; c++)
                if (c != 1)
                    got += take(0, c, bound[c], &v, 10, NULL);
            assert_int_equal(got, 1);
            /* A second one elsewhere, away as well, could not be told from it. */
            struct udp *udp2 = stack_udp(stack_at(0, 2));
            struct udp_addr to2 = to;
            second = udp_open(udp2);
            second->options = UDP_REUSE;
            assert_int_equal(udp_connect(udp2, stack_ip(stack_at(0, 2)), second, &to2), 0);
            assert_false(second->away);
            udp_close(udp2, second);
            udp_close(udp, pcb);
            expect_no_leaks(&ways[w]);
        }
        assert_true(away > 0);
    }
}

static void a_datagram_to_ourselves_prefers_its_own_core(void **state)
{
    (void)state;
    for (unsigned home = 0; home < 2; home++) {
        struct mr_addr to = town_addr(0, PORT), from;
        mr_sock server[CORES] = {0}, client;
        uint32_t v;

        start(&ways[home], CORES, 1);
        for (unsigned c = 0; c < CORES; c++)
            server[c] = udp_open_at(0, c, PORT);
        settle();
        for (unsigned c = 0; c < CORES; c++) {
            client = udp_open_at(0, c, 0);
            send_n(0, c, client, &to, 40 + c, 10);
            town_run(&t, 1000);
            assert_true(take(0, c, server[c], &v, 10, &from));
            assert_int_equal(v, 40 + c);
            send_n(0, c, server[c], &from, 50, 10);
            town_run(&t, 1000);
            assert_true(take(0, c, client, &v, 10, NULL));
        }
        assert_int_equal(town_passed(&t, 0), 0);
        /* Only core 2 has this one: it is found from every core, and answers. */
        to.port = PORT + 1;
        mr_sock one = udp_open_at(0, 2, PORT + 1);
        settle();
        for (unsigned c = 0; c < CORES; c++) {
            client = udp_open_at(0, c, 0);
            send_n(0, c, client, &to, c, 10);
            town_run(&t, 1000);
            assert_true(take(0, 2, one, &v, 10, &from));
            send_n(0, 2, one, &from, 60 + c, 10);
            town_run(&t, 1000);
            assert_true(take(0, c, client, &v, 10, NULL));
            assert_int_equal(v, 60 + c);
        }
        expect_no_leaks(&ways[home]);
    }
}

static void opening_and_closing_a_connected_socket_says_nothing(void **state)
{
    struct udp_addr to = {town_ip(1), PORT};
    uint64_t letters;

    (void)state;
    start(BY_LAW, CORES, 1);
    settle();
    letters = town_letters(&t, 0);
    for (unsigned i = 0; i < 50; i++) {
        unsigned c = i % CORES;
        struct udp *udp = stack_udp(stack_at(0, c));
        struct udp_pcb *pcb = udp_open(udp);
        assert_int_equal(udp_connect(udp, stack_ip(stack_at(0, c)), pcb, &to), 0);
        assert_false(pcb->away);
        town_run(&t, 1000);
        udp_close(udp, pcb);
        town_run(&t, 1000);
    }
    assert_int_equal(town_letters(&t, 0), letters);
    town_end(&t);
}

/* Small rings, cores that stall, cores that turn in any order: what does not arrive is counted, and
 * nothing arrives twice or at two cores. */
static void what_is_lost_between_cores_is_counted(void **state)
{
    static uint8_t seen[4096];
    uint64_t lost = 0, passed = 0;

    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        mr_sock server[CORES], client[CLIENTS];
        int core_of[CLIENTS];
        struct mr_addr to = town_addr(1, PORT);
        uint32_t v, sent = 0, got = 0, counted = 0;
        struct rng rng;

        rng_init(&rng, seed);
        town_defaults(&t, 1, CORES);
        t.ring_bytes = 4096u << rng_below(&rng, 3);
        t.steer = ways[1 + rng_below(&rng, ARRAY_LEN(ways) - 1)].steer;
        t.order = &rng;
        start_other_law();
        t.arp = true;
        town_start_with(&t);
        for (unsigned c = 0; c < CORES; c++)
            server[c] = udp_open_at(1, c, PORT);
        for (unsigned i = 0; i < CLIENTS; i++) {
            client[i] = udp_open_at(0, 0, 0);
            core_of[i] = -1;
        }
        settle();
        memset(seen, 0, sizeof(seen));
        for (unsigned round = 0; round < 20; round++) {
            for (unsigned c = 0; c < CORES; c++)
                t.host[1].core[c].stalled = rng_below(&rng, 4) == 0;
            for (unsigned i = 0; i < 5 * CLIENTS; i++)
                send_n(0, 0, client[i % CLIENTS], &to, sent++, 200);
            town_run(&t, 500);
            for (unsigned c = 0; c < CORES; c++)
                t.host[1].core[c].stalled = false;
            town_run(&t, 2000);
            for (unsigned c = 0; c < CORES; c++) {
                while (take(1, c, server[c], &v, 200, NULL)) {
                    int *core = &core_of[v % CLIENTS];
                    assert_true(*core == -1 || *core == (int)c);
                    *core = (int)c;
                    assert_int_equal(seen[v]++, 0);
                    got++;
                }
            }
        }
        for (unsigned c = 0; c < CORES; c++) {
            const struct mail_stats *m = &t.host[1].core[c].mail.stats;
            counted += (uint32_t)(m->drop_packet_full + m->drop_packet_nobuf);
            passed += m->packets_sent;
        }
        assert_int_equal(got + counted + t.lost, sent);
        lost += counted;
        expect_no_leaks(BY_LAW);
    }
    assert_true(lost > 100 && passed > 1000);
}

/* Host 0's two cores, a ring between them; a socket on core 1. */
static mr_sock start_pair(uint32_t ring_bytes)
{
    town_defaults(&t, 2, 1);
    t.ring_bytes = ring_bytes;
    t.steer = town_by_law;
    t.arp = true;
    town_start_with(&t);
    mr_sock s = udp_open_at(0, 1, PORT);
    settle();
    return s;
}

static uint64_t dropped_by_mail(void)
{
    uint64_t n = 0;

    for (unsigned c = 0; c < 2; c++)
        n += t.host[0].core[c].mail.stats.drop_packet_full;
    return n;
}

/*   core 0: 60 datagrams --> [ring: 7] --> core 1, which begins to read 2 ms later */
static void what_we_send_to_another_core_of_ours_waits_for_room(void **state)
{
    struct mr_addr to = town_addr(0, PORT);
    mr_sock server = start_pair(8192), client = udp_open_at(0, 0, 0);
    uint32_t v, got = 0;

    (void)state;
    t.host[0].core[1].stalled = true;
    for (unsigned i = 0; i < 60; i++)
        send_n(0, 0, client, &to, i, 1000);
    town_run(&t, 2000);
    t.host[0].core[1].stalled = false;
    for (unsigned k = 0; k < 100; k++) {
        town_run(&t, 1000);
        while (take(0, 1, server, &v, 1000, NULL))
            assert_int_equal(v, got++);
    }
    assert_int_equal(got, 60);
    assert_int_equal(dropped_by_mail(), 0);
    expect_no_leaks(BY_LAW);
}

/* What waits for a core that has stopped is given up, and meanwhile keeps nothing else for long. */
static void a_core_of_ours_that_has_stopped_holds_nobody_up(void **state)
{
    struct mr_addr to = town_addr(0, PORT), here = town_addr(0, PORT + 1);
    mr_sock server = start_pair(8192), client = udp_open_at(0, 0, 0);
    mr_sock beside = udp_open_at(0, 0, PORT + 1);
    uint32_t v, got = 0;

    (void)state;
    t.host[0].core[1].stalled = true;
    for (unsigned i = 0; i < 60; i++)
        send_n(0, 0, client, &to, i, 1000);
    send_n(0, 0, client, &here, 99, 100);
    town_run(&t, 60000);
    assert_true(take(0, 0, beside, &v, 100, NULL));
    assert_int_equal(v, 99);
    t.host[0].core[1].stalled = false;
    town_run(&t, 10000);
    while (take(0, 1, server, &v, 1000, NULL))
        assert_int_equal(v, got++);
    assert_in_range(got, 5, 10);
    assert_int_equal(got + dropped_by_mail(), 60);
    expect_no_leaks(BY_LAW);
}

/* More of them than there are large buffers. */
static void large_ones_that_are_read_at_once_find_buffers(void **state)
{
    struct mr_addr to = town_addr(0, PORT);
    mr_sock server = start_pair(1 << 20), client = udp_open_at(0, 0, 0);
    uint32_t v, got = 0;

    (void)state;
    t.host[0].core[1].stalled = true;
    for (unsigned i = 0; i < 90; i++) {
        send_n(0, 0, client, &to, i, 9000);
        town_run(&t, 100);
    }
    t.host[0].core[1].stalled = false;
    town_run(&t, 10000);
    while (take(0, 1, server, &v, 9000, NULL))
        got++;
    assert_true(got > 0);
    assert_int_equal(t.host[0].core[1].mail.stats.packets_received, 90);
    assert_int_equal(t.host[0].core[1].mail.stats.drop_packet_nobuf, 0);
    expect_no_leaks(BY_LAW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_always_meets_the_same_cores_socket),
        cmocka_unit_test(a_port_that_one_core_has_is_found_from_all),
        cmocka_unit_test(the_answer_to_who_asked_first_lands_where_it_is_wanted),
        cmocka_unit_test(an_answer_from_another_peer_finds_the_socket),
        cmocka_unit_test(who_is_connected_away_from_home_gets_its_datagrams),
        cmocka_unit_test(a_datagram_to_ourselves_prefers_its_own_core),
        cmocka_unit_test(opening_and_closing_a_connected_socket_says_nothing),
        cmocka_unit_test(what_is_lost_between_cores_is_counted),
        cmocka_unit_test(what_we_send_to_another_core_of_ours_waits_for_room),
        cmocka_unit_test(a_core_of_ours_that_has_stopped_holds_nobody_up),
        cmocka_unit_test(large_ones_that_are_read_at_once_find_buffers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
