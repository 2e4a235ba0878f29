/* What is neither TCP nor a whole datagram and arrives at the wrong core: fragments, ICMP errors,
 * ARP. */
#include "lib/cmocka_first.h"

#include "lib/town_ways.h"

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
    t.arp = true;
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

/* What a router on the way says of a packet of host 0, put into the frames that arrive there. */
struct says {
    uint8_t code, proto;
    uint16_t mtu, lport, rport;
    uint32_t seq;
};

static size_t put_quote(uint8_t *b, const struct says *s)
{
    struct ip_addr us = town_ip(0), peer = town_ip(1);
    struct ipv4_hdr h = {.src = ip_v4(&us),
                         .dst = ip_v4(&peer),
                         .ttl = 60,
                         .proto = s->proto,
                         .flags = IPV4_DF,
                         .total_len = 1400};

    ipv4_emit(b, &h);
    store_be16(b + IPV4_HLEN, s->lport);
    store_be16(b + IPV4_HLEN + 2, s->rport);
    store_be32(b + IPV4_HLEN + 4, s->seq);
    return IPV4_HLEN + 8;
}

static void router_says(const struct says *s, unsigned queue)
{
    struct ip_addr us = town_ip(0), router = ip4_of(10, 0, 0, 77);
    struct ipv4_hdr h = {
        .src = ip_v4(&router), .dst = ip_v4(&us), .ttl = 64, .proto = IPPROTO_ICMP_};
    struct icmp_hdr icmp = {.type = ICMP_UNREACH, .code = s->code, .mtu = s->mtu};
    struct eth_hdr e = {
        .dst = t.host[0].nic.mac, .src = t.host[1].nic.mac, .ethertype = ETHTYPE_IPV4};
    struct town_core *c = &t.host[0].core[queue];
    struct pkt *p = pkt_get(&c->rx_pool);
    uint8_t *message = p->data + eth_emit(p->data, &e) + IPV4_HLEN;
    size_t n = ICMP_HLEN + put_quote(message + ICMP_HLEN, s);

    h.total_len = (uint16_t)(IPV4_HLEN + n);
    ipv4_emit(message - IPV4_HLEN, &h);
    icmp_emit(message, &icmp);
    icmp.csum = csum_finish(csum_add_portable(message, n, 0));
    icmp_emit(message, &icmp);
    p->len = (uint32_t)(message + n - p->data);
    pkt_list_append(&c->rx, p);
}

static void says_of_udp(uint8_t code, uint16_t mtu, uint16_t lport, uint16_t rport, unsigned queue)
{
    router_says(
        &(struct says){
            .code = code, .proto = IPPROTO_UDP_, .mtu = mtu, .lport = lport, .rport = rport},
        queue);
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
                says_of_udp(ICMP_UNREACH_NEEDFRAG, 1000, pcb->lport, PORT, queue);
                town_run(&t, 1000);
                for (unsigned k = 0; k < CORES; k++)
                    assert_int_equal(ip_pmtu(stack_ip(stack_at(0, k)), &peer, 1500),
                                     k == c ? 1000 : 1500);
                assert_int_equal(pcb->err, MR_EMSGSIZE);
                /* Nobody's: dropped after as many cores as it takes, and no more. */
                says_of_udp(ICMP_UNREACH_PORT, 0, 3333, PORT, queue);
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

/* An established connection with data in flight, at home and away from it. */
static void a_connections_path_mtu_is_learnt_wherever_the_error_lands(void **state)
{
    struct mr_addr to = town_addr(1, TOWN_PORT), from = town_addr(0, 2001);
    struct ip_addr peer = town_ip(1);
    uint8_t data[4000] = {0};
    unsigned away = 0;

    (void)state;
    for (unsigned fixed = 0; fixed < 2; fixed++) {
        for (unsigned c = 0; c < CORES; c++) {
            for (unsigned queue = 0; queue < CORES; queue++) {
                mr_sock listener, s;
                start(BY_LAW, CORES, 1);
                settle();
                assert_int_equal(mr_listen(town_mr(&t, 1, 0), &to, NULL, &listener), 0);
                assert_int_equal(mr_connect(town_mr(&t, 0, c), fixed ? &from : NULL, &to, NULL, &s),
                                 0);
                town_run(&t, 200000);
                assert_true(town_take(&t, 0, c, MR_EV_CONNECTED, NULL));
                t.host[1].core[0].stalled = true;
                assert_int_equal(mr_send(town_mr(&t, 0, c), s, data, sizeof(data), 0),
                                 sizeof(data));
                town_run(&t, 1000);
                struct tcp_conn *conn = pool_at(&town_tcp(&t, 0, c)->conns, (uint32_t)s.v);
                struct home h = stack_cores(stack_at(0, c))->home;
                away += home_of_flow(&h, ip_v4(&peer),
                                     ip_v4(ip_laddr(stack_ip(stack_at(0, c)), conn->key.lidx)),
                                     TOWN_PORT, conn->key.lport) != c;
                struct says says = {.code = ICMP_UNREACH_NEEDFRAG,
                                    .proto = IPPROTO_TCP_,
                                    .mtu = 1000,
                                    .lport = conn->key.lport,
                                    .rport = TOWN_PORT,
                                    .seq = conn->snd_una.v};
                router_says(&says, queue);
                town_run(&t, 1000);
                for (unsigned k = 0; k < CORES; k++)
                    assert_int_equal(ip_pmtu(stack_ip(stack_at(0, k)), &peer, 1500),
                                     k == c ? 1000 : 1500);
                assert_true(conn->mss <= 960);
                /* Of a connection that nobody has. */
                says.lport = 999;
                router_says(&says, queue);
                town_run(&t, 1000);
                uint64_t ignored = 0;
                for (unsigned k = 0; k < CORES; k++)
                    ignored += town_tcp(&t, 0, k)->stats.icmp_ignored;
                assert_int_equal(ignored, 1);
                town_end(&t);
            }
        }
    }
    assert_in_range(away, 1, CORES * CORES);
}

static void an_icmp_error_for_a_core_whose_ring_is_full_is_counted(void **state)
{
    struct udp_addr to = {town_ip(1), PORT};

    (void)state;
    town_defaults(&t, 2, 1);
    t.ring_bytes = 1024;
    t.arp = true;
    town_start_with(&t);
    struct udp *udp = stack_udp(stack_at(0, 1));
    struct udp_pcb *pcb = udp_open(udp);
    assert_int_equal(udp_connect(udp, stack_ip(stack_at(0, 1)), pcb, &to), 0);
    t.host[0].core[1].stalled = true;
    for (unsigned i = 0; i < 50; i++)
        says_of_udp(ICMP_UNREACH_PORT, 0, pcb->lport, PORT, 0);
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
            t.arp = true;
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
    t.arp = true;
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
        cmocka_unit_test(a_datagram_in_fragments_comes_whole_to_its_flows_home),
        cmocka_unit_test(a_datagram_too_long_for_a_ring_is_dropped_and_counted),
        cmocka_unit_test(an_unreachable_port_is_reported_to_who_sent),
        cmocka_unit_test(a_path_mtu_is_learnt_by_the_core_that_sends),
        cmocka_unit_test(a_connections_path_mtu_is_learnt_wherever_the_error_lands),
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
