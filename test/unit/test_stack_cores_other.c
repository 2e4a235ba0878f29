/* What is not TCP and arrives at the wrong core: fragments, ICMP errors, ARP, datagrams.
 *
 * Host 0 has one core and asks, host 1 has four and is asked, or the other way round.  Each test
 * runs with RSS that agrees with the law, with another key, with one queue that gets everything,
 * and frame by frame anywhere. */
#include "lib/cmocka_first.h"

#include "lib/town.h"

#define CORES 4u
#define PORT 5300u
#define CLIENTS 24u

static struct town t;
static struct rss other_law;

/* RSS with another key than the law's. */
static unsigned by_another_key(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    uint32_t hash;

    (void)w;
    return rss_frame_hash(&other_law, frame, len, &hash)
               ? rss_queue(&other_law, hash) % w->host[to].cores
               : 0;
}

struct way {
    const char *name;
    unsigned (*steer)(struct town *t, unsigned to, const uint8_t *frame, uint32_t len);
};
static const struct way ways[] = {{"law", town_by_law},
                                  {"another key", by_another_key},
                                  {"all to core 0", town_to_first},
                                  {"beside", town_beside},
                                  {"anywhere", town_anywhere}};
#define BY_LAW (&ways[0])

static void start(const struct way *way, unsigned cores0, unsigned cores1)
{
    uint8_t key[RSS_KEY_BYTES];

    for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
        key[i] = (uint8_t)(i * 37 + 11);
    rss_init(&other_law, key, RSS_ENTRIES, CORES);
    town_defaults(&t, cores0, cores1);
    t.ring_bytes = 1 << 18;
    t.steer = way->steer;
    town_start_with(&t);
}

static struct stack *stack_at(unsigned side, unsigned core)
{
    return t.host[side].core[core].stack;
}
static struct udp_stats *udp_at(unsigned side, unsigned core)
{
    return &stack_udp(stack_at(side, core))->stats;
}
static struct ip_stats *ip_at(unsigned side, unsigned core)
{
    return &stack_ip(stack_at(side, core))->stats;
}
static struct eth *eth_at(unsigned side, unsigned core)
{
    return stack_eth(stack_at(side, core));
}

/* All cores of a host know each other's ports, and where the other host is. */
static void settle(void)
{
    for (unsigned side = 0; side < 2; side++) {
        struct ip_addr peer = town_ip(!side);
        for (unsigned c = 0; c < t.cores[side]; c++)
            assert_int_equal(stack_neigh_add(stack_at(side, c), 1, &peer, &t.host[!side].nic.mac),
                             0);
    }
    town_run(&t, 5 * USEC_PER_SEC);
}

static mr_sock udp_open_at(unsigned side, unsigned core, uint16_t port)
{
    struct mr_addr at = town_addr(side, port);
    mr_sock s;

    assert_int_equal(mr_udp_open(town_mr(&t, side, core), port ? &at : NULL, NULL, &s), 0);
    return s;
}

static void send_n(unsigned side, unsigned core, mr_sock s, const struct mr_addr *to, uint32_t v,
                   size_t n)
{
    static uint8_t b[20000];

    memset(b, (int)v, n);
    memcpy(b, &v, sizeof(v));
    assert_int_equal(mr_sendto(town_mr(&t, side, core), s, b, n, to), 0);
}

/* True: a datagram of n bytes that says v came, from `from`. */
static bool take(unsigned side, unsigned core, mr_sock s, uint32_t *v, size_t n,
                 struct mr_addr *from)
{
    static uint8_t b[20000];
    int64_t got = mr_recvfrom(town_mr(&t, side, core), s, b, sizeof(b), from);

    if (got < 0)
        return false;
    assert_int_equal(got, n);
    memcpy(v, b, sizeof(*v));
    for (size_t i = sizeof(*v); i < n; i++)
        assert_int_equal(b[i], (uint8_t)*v);
    return true;
}

static void expect_no_leaks(const struct way *way)
{
    /* Neighbours and half datagrams are forgotten. */
    town_run(&t, 100 * USEC_PER_SEC);
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned c = 0; c < t.cores[side]; c++) {
            struct stack *s = stack_at(side, c);
            if (s->tx.descs.used || s->mailed.descs.used || s->ip.jumbo.descs.used ||
                s->ip.chunk_pool.used || t.host[side].core[c].rx_pool.descs.used)
                fail_msg("%s: packets are out", way->name);
        }
    }
    town_end(&t);
}

/* ---- datagrams ----------------------------------------------------------------------- */

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

/* Where the fragments from host 0 meet. */
static unsigned meeting_core(void)
{
    struct ip_addr from = town_ip(0), to = town_ip(1);

    return home_of_pair(&stack_cores(stack_at(1, 0))->home, ip_v4(&from), ip_v4(&to));
}

/* ---- fragments ----------------------------------------------------------------------- */

static void a_datagram_in_fragments_comes_whole_to_its_flows_home(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        mr_sock server[CORES], client[CLIENTS];
        int core_of[CLIENTS];
        struct mr_addr to = town_addr(1, PORT);
        uint32_t v;

        start(&ways[w], 1, CORES);
        for (unsigned c = 0; c < CORES; c++)
            server[c] = udp_open_at(1, c, PORT);
        for (unsigned i = 0; i < CLIENTS; i++) {
            client[i] = udp_open_at(0, 0, 0);
            core_of[i] = -1;
        }
        settle();
        /* Small ones show where home is. */
        for (unsigned round = 0; round < 3; round++) {
            size_t size = round == 0 ? 100 : 9000;
            for (unsigned i = 0; i < CLIENTS; i++) {
                send_n(0, 0, client[i], &to, i, size);
                town_run(&t, 2000);
            }
            unsigned got = 0;
            for (unsigned c = 0; c < CORES; c++) {
                while (take(1, c, server[c], &v, size, NULL)) {
                    assert_true(core_of[v] == -1 || core_of[v] == (int)c);
                    core_of[v] = (int)c;
                    got++;
                }
            }
            assert_int_equal(got, CLIENTS);
        }
        unsigned meet = meeting_core();
        for (unsigned c = 0; c < CORES; c++)
            assert_int_equal(ip_at(1, c)->reass_whole, c == meet ? 2 * CLIENTS : 0);
        expect_no_leaks(&ways[w]);
    }
}

static void a_datagram_too_long_for_a_ring_is_dropped_and_counted(void **state)
{
    struct mr_addr to = town_addr(1, PORT);
    uint64_t dropped = 0;
    mr_sock server, client;
    uint32_t v;

    (void)state;
    start(BY_LAW, 1, CORES);
    town_end(&t);
    town_defaults(&t, 1, CORES);
    t.ring_bytes = 8192;
    town_start_with(&t);
    unsigned meet = meeting_core();
    server = udp_open_at(1, (meet + 1) % CORES, PORT);
    client = udp_open_at(0, 0, 0);
    settle();
    send_n(0, 0, client, &to, 1, 9000);
    town_run(&t, 10000);
    assert_false(take(1, (meet + 1) % CORES, server, &v, 9000, NULL));
    for (unsigned c = 0; c < CORES; c++)
        dropped += t.host[1].core[c].mail.stats.drop_packet_full;
    assert_int_equal(dropped, 1);
    send_n(0, 0, client, &to, 2, 1000);
    town_run(&t, 10000);
    assert_true(take(1, (meet + 1) % CORES, server, &v, 1000, NULL));
    expect_no_leaks(BY_LAW);
}

/* ---- ICMP errors --------------------------------------------------------------------- */

static void an_unreachable_port_is_reported_to_who_sent(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        start(&ways[w], CORES, 1);
        for (unsigned i = 0; i < 4 * CORES; i++) {
            unsigned c = i % CORES;
            struct udp_addr to = {town_ip(1), (uint16_t)(4000 + i)};
            struct udp *udp = stack_udp(stack_at(0, c));
            struct ip *ip = stack_ip(stack_at(0, c));
            struct udp_pcb *pcb = udp_open(udp);
            /* Every second one at a port that was not chosen for its home. */
            if (i / CORES % 2)
                assert_int_equal(udp_bind(udp, ip, pcb, NULL, (uint16_t)(2000 + i)), 0);
            assert_int_equal(udp_connect(udp, ip, pcb, &to), 0);
            town_run(&t, 1000);
            assert_int_equal(udp_send(udp, ip, pcb, "x", 1, NULL, t.now), 1);
            town_run(&t, 20000);
            assert_int_equal(pcb->err, MR_ECONNREFUSED);
            udp_close(udp, pcb);
            town_run(&t, 1000);
        }
        expect_no_leaks(&ways[w]);
    }
}

/* What a router on the way says, put into the frames that arrive at host 0. */
static void router_says(uint8_t code, uint16_t mtu, uint16_t lport, uint16_t rport, unsigned queue)
{
    uint8_t quote[IPV4_HLEN + 8], b[256];
    struct ip_addr us = town_ip(0), peer = town_ip(1), router = ip4_of(10, 0, 0, 77);
    struct ipv4_hdr q = {.src = ip_v4(&us),
                         .dst = ip_v4(&peer),
                         .ttl = 60,
                         .proto = IPPROTO_UDP_,
                         .flags = IPV4_DF,
                         .total_len = 1400};
    struct ipv4_hdr h = {
        .src = ip_v4(&router), .dst = ip_v4(&us), .ttl = 64, .proto = IPPROTO_ICMP_};
    struct icmp_hdr icmp = {.type = ICMP_UNREACH, .code = code, .mtu = mtu};
    struct eth_hdr e = {
        .dst = t.host[0].nic.mac, .src = t.host[1].nic.mac, .ethertype = ETHTYPE_IPV4};
    struct udp_hdr u = {.sport = lport, .dport = rport, .len = 1380};
    struct town_core *c = &t.host[0].core[queue];
    struct pkt *p = pkt_get(&c->rx_pool);
    size_t at, n = ICMP_HLEN + sizeof(quote);

    ipv4_emit(quote, &q);
    udp_emit(quote + IPV4_HLEN, &u);
    h.total_len = (uint16_t)(IPV4_HLEN + n);
    at = eth_emit(b, &e);
    at += ipv4_emit(b + at, &h);
    memcpy(b + at + ICMP_HLEN, quote, sizeof(quote));
    icmp_emit(b + at, &icmp);
    icmp.csum = csum_finish(csum_add_portable(b + at, n, 0));
    icmp_emit(b + at, &icmp);
    memcpy(p->data, b, at + n);
    p->len = (uint32_t)(at + n);
    pkt_list_append(&c->rx, p);
}

static void a_path_mtu_is_learnt_by_the_core_that_sends(void **state)
{
    struct udp_addr to = {town_ip(1), PORT};
    struct ip_addr peer = town_ip(1);

    (void)state;
    for (unsigned fixed = 0; fixed < 2; fixed++) {
        for (unsigned c = 0; c < CORES; c++) {
            for (unsigned queue = 0; queue < CORES; queue++) {
                start(BY_LAW, CORES, 1);
                struct udp *udp = stack_udp(stack_at(0, c));
                struct ip *ip = stack_ip(stack_at(0, c));
                struct udp_pcb *pcb = udp_open(udp);
                pcb->options = UDP_DF;
                if (fixed)
                    assert_int_equal(udp_bind(udp, ip, pcb, NULL, 2001), 0);
                assert_int_equal(udp_connect(udp, ip, pcb, &to), 0);
                settle();
                router_says(ICMP_UNREACH_NEEDFRAG, 1000, pcb->lport, PORT, queue);
                town_run(&t, 1000);
                for (unsigned k = 0; k < CORES; k++)
                    assert_int_equal(ip_pmtu(stack_ip(stack_at(0, k)), &peer, 1500),
                                     k == c ? 1000 : 1500);
                assert_int_equal(pcb->err, MR_EMSGSIZE);
                /* Nobody's: dropped after as many cores as it takes, and no more. */
                router_says(ICMP_UNREACH_PORT, 0, 3333, PORT, queue);
                town_run(&t, 1000);
                uint64_t dropped = 0;
                for (unsigned k = 0; k < CORES; k++)
                    dropped += udp_at(0, k)->drop_error;
                assert_int_equal(dropped, 1);
                udp_close(udp, pcb);
                expect_no_leaks(BY_LAW);
            }
        }
    }
}

static void an_icmp_error_for_a_core_whose_ring_is_full_is_counted(void **state)
{
    struct udp_addr to = {town_ip(1), PORT};

    (void)state;
    town_defaults(&t, 2, 1);
    t.ring_bytes = 1024;
    town_start_with(&t);
    struct udp *udp = stack_udp(stack_at(0, 1));
    struct udp_pcb *pcb = udp_open(udp);
    assert_int_equal(udp_connect(udp, stack_ip(stack_at(0, 1)), pcb, &to), 0);
    t.host[0].core[1].stalled = true;
    for (unsigned i = 0; i < 50; i++)
        router_says(ICMP_UNREACH_PORT, 0, pcb->lport, PORT, 0);
    town_run(&t, 1000);
    struct ip_stats *s = ip_at(0, 0);
    assert_true(s->drop_icmp_passed > 0);
    assert_int_equal(s->icmp_errors_passed + s->drop_icmp_passed, 50);
    t.host[0].core[1].stalled = false;
    town_run(&t, 1000);
    assert_int_equal(udp->stats.rx_errors, s->icmp_errors_passed);
    udp_close(udp, pcb);
    town_end(&t);
}

/* ---- ARP ----------------------------------------------------------------------------- */

static void an_arp_reply_reaches_the_core_that_asked(void **state)
{
    (void)state;
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++) {
        struct mr_addr to = town_addr(1, PORT);
        mr_sock server, client[CORES];
        uint32_t v;

        start(&ways[w], CORES, 1);
        server = udp_open_at(1, 0, PORT);
        for (unsigned c = 0; c < CORES; c++) {
            client[c] = udp_open_at(0, c, 0);
            send_n(0, c, client[c], &to, c, 10);
        }
        town_run(&t, 10000);
        for (unsigned c = 0; c < CORES; c++) {
            assert_true(take(1, 0, server, &v, 10, NULL));
            assert_int_equal(eth_at(0, c)->stats.neigh_failed, 0);
        }
        expect_no_leaks(&ways[w]);
    }
}

static void arp_frame(unsigned side, unsigned queue, const struct arp_pkt *a)
{
    struct eth_hdr e = {
        .dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, .src = a->sha, .ethertype = ETHTYPE_ARP};
    struct town_core *c = &t.host[side].core[queue];
    struct pkt *p = pkt_get(&c->rx_pool);
    size_t at = eth_emit(p->data, &e);

    p->len = (uint32_t)(at + arp_emit(p->data + at, a));
    pkt_list_append(&c->rx, p);
}

static struct arp_pkt announcement(uint8_t last)
{
    struct ip_addr a = ip4_of(10, 0, 0, last);

    return (struct arp_pkt){
        .op = ARP_REQUEST, .sha = {{2, 0, 0, 0, 9, last}}, .spa = ip_v4(&a), .tpa = ip_v4(&a)};
}

/* The peer moves to another Ethernet address and says so once, to one queue. */
static void a_gratuitous_arp_is_learnt_by_every_core(void **state)
{
    struct mr_addr to = town_addr(1, PORT);
    struct arp_pkt a = announcement(2);

    (void)state;
    for (unsigned queue = 0; queue < CORES; queue++) {
        start(BY_LAW, CORES, 1);
        for (unsigned c = 0; c < CORES; c++)
            send_n(0, c, udp_open_at(0, c, 0), &to, c, 10);
        town_run(&t, 2 * USEC_PER_SEC);
        arp_frame(0, queue, &a);
        town_run(&t, 1000);
        for (unsigned c = 0; c < CORES; c++)
            assert_int_equal(eth_at(0, c)->stats.neigh_changed, 1);
        town_end(&t);
    }
}

static void a_flood_of_arp_is_not_told_to_everybody(void **state)
{
    struct arp_pkt a = announcement(99);
    uint64_t letters = 0;

    (void)state;
    start(BY_LAW, CORES, 1);
    settle();
    letters = town_letters(&t, 0);
    for (unsigned i = 0; i < 5000; i++) {
        arp_frame(0, 1, &a);
        if (i % 64 == 63)
            town_run(&t, 20);
    }
    town_run(&t, 1000);
    struct eth_stats *s = &eth_at(0, 1)->stats;
    assert_in_range(s->arp_told, 1000, 1010);
    assert_int_equal(s->arp_told + s->arp_not_told_rate, 5000);
    assert_int_equal(town_letters(&t, 0) - letters, 3 * s->arp_told);
    /* What third parties ask each other is not told at all. */
    a.tpa = be32_of(0x0a000033);
    arp_frame(0, 1, &a);
    town_run(&t, 2 * USEC_PER_SEC);
    assert_in_range(s->arp_told, 1000, 1010);
    town_end(&t);
}

static uint64_t announced(unsigned core)
{
    return eth_at(0, core)->stats.arp_requests_sent;
}

static void only_core_0_announces_an_address(void **state)
{
    (void)state;
    start(BY_LAW, CORES, 1);
    town_run(&t, 5 * USEC_PER_SEC);
    assert_int_equal(announced(0), 2);
    for (unsigned c = 1; c < CORES; c++)
        assert_int_equal(announced(c), 0);
    town_end(&t);
}

static struct ip_addr probed(void)
{
    return ip4_of(10, 0, 0, 50);
}
static enum eth_addr_state state_at(unsigned core)
{
    return eth_addr_state(eth_at(0, core), 2); /* behind the loopback's and the host's */
}
static void add_probed(unsigned core)
{
    struct ip_addr a = probed();

    assert_int_equal(stack_addr_add(stack_at(0, core), 1, &a, 24, true), 0);
    assert_int_equal(state_at(core), ETH_ADDR_PROBING);
}

static void an_address_is_usable_when_core_0_has_probed_it(void **state)
{
    struct ip_addr a = probed();

    (void)state;
    start(BY_LAW, CORES, 1);
    town_run(&t, 5 * USEC_PER_SEC);
    uint64_t before = announced(0);
    for (unsigned c = 0; c < CORES - 1; c++)
        add_probed(c);
    while (state_at(0) == ETH_ADDR_PROBING) {
        for (unsigned c = 1; c < CORES - 1; c++)
            assert_int_equal(state_at(c), ETH_ADDR_PROBING);
        town_run(&t, 10000);
    }
    town_run(&t, 1000);
    for (unsigned c = 0; c < CORES - 1; c++) {
        assert_int_equal(state_at(c), ETH_ADDR_ACTIVE);
        assert_int_not_equal(ip_lidx(stack_ip(stack_at(0, c)), &a), IP_LIDX_NONE);
    }
    /* One that comes late asks. */
    town_run(&t, 5 * USEC_PER_SEC);
    assert_int_equal(announced(0) - before, 3 + 2);
    add_probed(CORES - 1);
    town_run(&t, 600000);
    assert_int_equal(state_at(CORES - 1), ETH_ADDR_ACTIVE);
    for (unsigned c = 1; c < CORES; c++)
        assert_int_equal(announced(c), 0);
    town_end(&t);
}

static void a_conflict_while_probing_reaches_every_core(void **state)
{
    struct arp_pkt a = announcement(50);

    (void)state;
    for (unsigned queue = 0; queue < CORES; queue++) {
        start(BY_LAW, CORES, 1);
        for (unsigned c = 0; c < CORES; c++)
            add_probed(c);
        town_run(&t, 1500000);
        arp_frame(0, queue, &a);
        town_run(&t, 1000);
        for (unsigned c = 0; c < CORES; c++) {
            assert_int_equal(state_at(c), ETH_ADDR_CONFLICT);
            assert_int_equal(eth_at(0, c)->stats.arp_conflicts, c == 0);
        }
        town_end(&t);
    }
}

static void core_0_defends_an_address_wherever_the_conflict_lands(void **state)
{
    struct arp_pkt a = announcement(1);

    (void)state;
    for (unsigned yield = 0; yield < 2; yield++) {
        for (unsigned queue = 0; queue < CORES; queue++) {
            town_defaults(&t, CORES, 1);
            t.config.limits.eth.arp_yield = yield;
            town_start_with(&t);
            town_run(&t, 5 * USEC_PER_SEC);
            uint64_t before = announced(0);
            arp_frame(0, queue, &a);
            town_run(&t, 1000);
            assert_int_equal(announced(0), before + 1);
            assert_int_equal(eth_at(0, 0)->stats.arp_defended, 1);
            arp_frame(0, queue, &a);
            town_run(&t, 1000);
            assert_int_equal(announced(0), before + 1);
            for (unsigned c = 0; c < CORES; c++) {
                assert_int_equal(eth_at(0, c)->stats.arp_addr_lost, yield);
                assert_int_equal(eth_addr_state(eth_at(0, c), 1),
                                 yield ? ETH_ADDR_CONFLICT : ETH_ADDR_ACTIVE);
                assert_int_equal(c > 0 && announced(c) > 0, 0);
            }
            town_end(&t);
        }
    }
}

/* The ring to a core that does not turn is full: it hears when there is room. */
static void what_became_of_an_address_is_told_until_it_is_heard(void **state)
{
    (void)state;
    town_defaults(&t, 2, 1);
    t.ring_bytes = 1024;
    town_start_with(&t);
    add_probed(0);
    add_probed(1);
    t.host[0].core[1].stalled = true;
    while (mail_send(&t.host[0].core[0].mail, 1, MAIL_ERROR, (uint8_t[128]){0}, 128, NULL))
        ;
    while (mail_send(&t.host[0].core[0].mail, 1, MAIL_ERROR, (uint8_t[128]){0}, 0, NULL))
        ;
    town_run(&t, 10 * USEC_PER_SEC);
    assert_int_equal(state_at(0), ETH_ADDR_ACTIVE);
    assert_int_equal(state_at(1), ETH_ADDR_PROBING);
    assert_true(eth_at(0, 0)->stats.arp_not_told_full > 0);
    t.host[0].core[1].stalled = false;
    town_run(&t, 2000);
    assert_int_equal(state_at(1), ETH_ADDR_ACTIVE);
    town_end(&t);
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
        cmocka_unit_test(a_datagram_in_fragments_comes_whole_to_its_flows_home),
        cmocka_unit_test(a_datagram_too_long_for_a_ring_is_dropped_and_counted),
        cmocka_unit_test(an_unreachable_port_is_reported_to_who_sent),
        cmocka_unit_test(a_path_mtu_is_learnt_by_the_core_that_sends),
        cmocka_unit_test(an_icmp_error_for_a_core_whose_ring_is_full_is_counted),
        cmocka_unit_test(an_arp_reply_reaches_the_core_that_asked),
        cmocka_unit_test(a_gratuitous_arp_is_learnt_by_every_core),
        cmocka_unit_test(a_flood_of_arp_is_not_told_to_everybody),
        cmocka_unit_test(only_core_0_announces_an_address),
        cmocka_unit_test(an_address_is_usable_when_core_0_has_probed_it),
        cmocka_unit_test(a_conflict_while_probing_reaches_every_core),
        cmocka_unit_test(core_0_defends_an_address_wherever_the_conflict_lands),
        cmocka_unit_test(what_became_of_an_address_is_told_until_it_is_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
