/* Neighbours: asking, learning, forgetting, and what an attacker cannot do to the table. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static uint8_t frame[NET_FRAME_MAX];

static struct pkt *packet(uint8_t mark)
{
    struct pkt *p = pkt_get(&h.tx);

    p->len = 20;
    memset(p->data, mark, p->len);
    return p;
}

static neigh_id ask_peer(void)
{
    struct ip_addr peer = net_peer();

    return eth_neigh_get(&h.eth, h.netif, &peer);
}

static void send_to_peer(uint8_t mark)
{
    eth_output(&h.eth, packet(mark), h.netif, ask_peer(), h.now);
}

/* The next frame sent, which must be ARP. */
static bool sent_arp(struct arp_pkt *a, struct eth_hdr *e)
{
    size_t n = net_sent(&h, frame);

    return n >= ETH_HLEN + ARP_LEN && eth_parse(e, frame, n) == WIRE_OK &&
           e->ethertype == ETHTYPE_ARP && arp_parse(a, frame + e->hlen, n - e->hlen) == WIRE_OK;
}

static void a_packet_waits_while_its_neighbour_is_asked_for(void **state)
{
    struct ip_addr us = net_us(), peer = net_peer();
    struct arp_pkt a;
    struct eth_hdr e;

    (void)state;
    net_start(&h);
    send_to_peer(1);
    assert_true(sent_arp(&a, &e));
    assert_true(mac_is_broadcast(&e.dst));
    assert_int_equal(a.op, ARP_REQUEST);
    assert_int_equal(a.spa.raw, ip_v4(&us).raw);
    assert_int_equal(a.tpa.raw, ip_v4(&peer).raw);
    assert_int_equal(net_sent(&h, frame), 0);
    net_peer_answers(&h);
    assert_int_equal(net_sent(&h, frame), ETH_HLEN + 20);
    assert_memory_equal(frame, net_peer_mac.b, 6);
    assert_memory_equal(frame + 6, net_mac.b, 6);
    assert_int_equal(frame[ETH_HLEN], 1);
    net_end(&h);
}

static void a_known_neighbour_costs_no_question(void **state)
{
    (void)state;
    net_start(&h);
    net_know_peer(&h);
    send_to_peer(1);
    assert_int_equal(net_sent(&h, frame), ETH_HLEN + 20);
    assert_int_equal(net_sent(&h, frame), 0);
    net_end(&h);
}

/* RFC 1122 2.3.2.2: the latest packet is kept; here the latest 64. */
static void waiting_packets_are_bounded_and_the_oldest_goes(void **state)
{
    (void)state;
    net_start(&h);
    for (uint8_t i = 0; i < 68; i++)
        send_to_peer(i);
    assert_int_equal(h.eth.stats.drop_pending, 4);
    net_drop_sent(&h);
    net_peer_answers(&h);
    for (uint8_t i = 4; i < 68; i++) {
        assert_int_equal(net_sent(&h, frame), ETH_HLEN + 20);
        assert_int_equal(frame[ETH_HLEN], i);
    }
    assert_int_equal(h.eth.pending, 0);
    net_end(&h);
}

static void waiting_packets_are_bounded_over_all_neighbours(void **state)
{
    (void)state;
    net_limits(&h);
    h.eth_limits.pending = 10;
    net_start_limited(&h);
    for (uint8_t i = 0; i < 30; i++) {
        struct ip_addr a = ip4_of(10, 0, 0, (uint8_t)(100 + i));
        eth_output(&h.eth, packet(i), h.netif, eth_neigh_get(&h.eth, h.netif, &a), h.now);
    }
    assert_int_equal(h.eth.pending, 10);
    assert_int_equal(h.eth.stats.drop_pending, 20);
    net_end(&h);
}

/* RFC 1122 2.3.2.1: at most one request a second and destination. */
static void an_absent_neighbour_is_asked_three_times_a_second_apart(void **state)
{
    struct pkt *p;

    (void)state;
    net_start(&h);
    net_pass(&h, 5 * USEC_PER_SEC);
    net_drop_sent(&h);
    h.eth.stats.arp_requests_sent = 0;
    for (unsigned i = 0; i < 10; i++)
        send_to_peer(1);
    assert_int_equal(h.eth.stats.arp_requests_sent, 1);
    net_pass(&h, 1100 * USEC_PER_MSEC);
    assert_int_equal(h.eth.stats.arp_requests_sent, 2);
    net_pass(&h, 5 * USEC_PER_SEC);
    assert_int_equal(h.eth.stats.arp_requests_sent, 3);
    assert_int_equal(h.eth.stats.neigh_failed, 1);
    assert_int_equal(h.eth.stats.drop_unresolved, 10);
    for (unsigned i = 0; i < 10; i++) {
        p = eth_next_failed(&h.eth);
        assert_int_equal(p->len, 20);
        pkt_put(p);
    }
    assert_null(eth_next_failed(&h.eth));
    net_end(&h);
}

static void an_id_is_stale_when_its_entry_is_another(void **state)
{
    struct ip_addr peer = net_peer();
    neigh_id id;

    (void)state;
    net_start(&h);
    id = ask_peer();
    assert_true(eth_neigh_is(&h.eth, id, h.netif, &peer));
    send_to_peer(1);
    net_pass(&h, 10 * USEC_PER_SEC);
    assert_null(eth_neigh(&h.eth, id));
    assert_null(eth_neigh(&h.eth, NEIGH_NONE));
    assert_null(eth_neigh(&h.eth, UINT32_MAX));
    id = ask_peer();
    eth_neigh_renew(&h.eth);
    assert_null(eth_neigh(&h.eth, id));
    assert_non_null(eth_neigh(&h.eth, ask_peer()));
    net_end(&h);
}

/* REACHABLE --30 s--> STALE --used--> PROBE (unicast) --answered--> REACHABLE */
static void a_quiet_neighbour_is_asked_again_by_unicast_and_stays_in_use(void **state)
{
    struct arp_pkt a;
    struct eth_hdr e;

    (void)state;
    net_start(&h);
    send_to_peer(1);
    net_peer_answers(&h);
    net_pass(&h, 40 * USEC_PER_SEC);
    net_drop_sent(&h);
    assert_int_equal(eth_neigh(&h.eth, ask_peer())->state, NEIGH_STALE);
    send_to_peer(2);
    assert_true(sent_arp(&a, &e));
    assert_true(mac_eq(&e.dst, &net_peer_mac));
    assert_int_equal(net_sent(&h, frame), ETH_HLEN + 20);
    assert_int_equal(eth_neigh(&h.eth, ask_peer())->state, NEIGH_PROBE);
    net_peer_answers(&h);
    assert_int_equal(eth_neigh(&h.eth, ask_peer())->state, NEIGH_REACHABLE);
    net_end(&h);
}

static void a_neighbour_gone_silent_is_asked_for_by_broadcast_then_given_up(void **state)
{
    (void)state;
    net_start(&h);
    send_to_peer(1);
    net_peer_answers(&h);
    net_pass(&h, 40 * USEC_PER_SEC);
    send_to_peer(2);
    net_pass(&h, 3500 * USEC_PER_MSEC);
    assert_int_equal(eth_neigh(&h.eth, ask_peer())->state, NEIGH_INCOMPLETE);
    net_drop_sent(&h);
    send_to_peer(3);
    assert_int_equal(h.eth.pending, 1);
    net_pass(&h, 5 * USEC_PER_SEC);
    assert_int_equal(h.eth.stats.neigh_failed, 1);
    assert_int_equal(h.eth.incomplete, 0);
    net_end(&h);
}

/* RFC 1122 2.3.2.1 (4): progress above saves the question. */
static void progress_above_keeps_a_neighbour_reachable(void **state)
{
    neigh_id id;

    (void)state;
    net_start(&h);
    send_to_peer(1);
    net_peer_answers(&h);
    id = ask_peer();
    for (unsigned i = 0; i < 10; i++) {
        net_pass(&h, 20 * USEC_PER_SEC);
        eth_neigh_confirm(&h.eth, id, h.now);
        assert_int_equal(eth_neigh(&h.eth, id)->state, NEIGH_REACHABLE);
    }
    net_pass(&h, 40 * USEC_PER_SEC);
    assert_int_equal(eth_neigh(&h.eth, id)->state, NEIGH_STALE);
    eth_neigh_confirm(&h.eth, id, h.now);
    assert_int_equal(eth_neigh(&h.eth, id)->state, NEIGH_REACHABLE);
    net_end(&h);
}

static void claim(uint8_t last, uint8_t mac, uint16_t op)
{
    struct arp_pkt a = {.op = op, .sha = {{2, 0, 0, 0, 1, mac}}, .tha = net_mac};
    struct ip_addr us = net_us(), who = ip4_of(10, 0, 0, last);

    a.spa = ip_v4(&who);
    a.tpa = ip_v4(&us);
    net_arp_frame(&h, &net_mac, &a);
}

/* CVE-2020-11914 class: ARP cache flood. */
static void replies_that_nobody_asked_for_cannot_fill_the_table(void **state)
{
    (void)state;
    net_start(&h);
    for (unsigned i = 2; i < 250; i++)
        claim((uint8_t)i, (uint8_t)i, ARP_REPLY);
    for (unsigned i = 0; i < h.eth.limits.neighbours; i++)
        assert_int_equal(h.eth.neigh[i].state, NEIGH_FREE);
    net_end(&h);
}

/* RFC 826: who asks for us is known, so that a burst of answers need not wait for our question. */
static void who_asks_for_us_need_not_be_asked(void **state)
{
    struct ip_addr who = ip4_of(10, 0, 0, 77);

    (void)state;
    net_start(&h);
    claim(77, 1, ARP_REQUEST);
    net_drop_sent(&h);
    eth_output(&h.eth, packet(9), h.netif, eth_neigh_get(&h.eth, h.netif, &who), h.now);
    assert_int_equal(net_sent(&h, frame), ETH_HLEN + 20);
    assert_int_equal(frame[5], 1);
    assert_int_equal(frame[ETH_HLEN], 9);
    assert_int_equal(net_sent(&h, frame), 0);
    net_end(&h);
}

static void who_asks_for_us_from_elsewhere_is_not_learnt(void **state)
{
    struct arp_pkt a = {.op = ARP_REQUEST, .sha = {{2, 0, 0, 0, 1, 1}}};
    struct ip_addr us = net_us(), who = ip4_of(192, 168, 7, 7);

    (void)state;
    net_start(&h);
    a.spa = ip_v4(&who);
    a.tpa = ip_v4(&us);
    net_arp_frame(&h, &net_mac, &a);
    assert_int_equal(h.eth.neigh[0].state, NEIGH_FREE);
    net_end(&h);
}

static void who_asks_for_us_drives_nobody_out(void **state)
{
    struct ip_addr peer = net_peer(), new = ip4_of(10, 0, 0, 251);
    neigh_id id;

    (void)state;
    net_limits(&h);
    h.eth_limits.neighbours = 8;
    net_start_limited(&h);
    send_to_peer(1);
    net_peer_answers(&h);
    id = ask_peer();
    for (unsigned i = 10; i < 250; i++)
        claim((uint8_t)i, (uint8_t)i, ARP_REQUEST);
    assert_int_equal(h.eth.free_head, 0);
    assert_non_null(eth_neigh(&h.eth, id));
    assert_int_equal(h.eth.stats.neigh_evicted, 0);
    /* Whom we want to reach takes the place of one of them, not of the peer's. */
    assert_int_not_equal(eth_neigh_get(&h.eth, h.netif, &new), NEIGH_NONE);
    assert_int_equal(h.eth.stats.neigh_evicted, 1);
    assert_int_equal(eth_neigh_get(&h.eth, h.netif, &peer), id);
    net_end(&h);
}

static void an_entry_changes_at_most_once_a_second(void **state)
{
    (void)state;
    net_start(&h);
    send_to_peer(1);
    net_peer_answers(&h);
    for (uint8_t i = 0; i < 50; i++)
        claim(2, i, ARP_REPLY);
    assert_int_equal(h.eth.stats.neigh_changed, 0);
    assert_int_equal(h.eth.stats.arp_not_learnt, 50);
    net_pass(&h, 1100 * USEC_PER_MSEC);
    claim(2, 77, ARP_REPLY);
    assert_int_equal(h.eth.stats.neigh_changed, 1);
    net_drop_sent(&h);
    send_to_peer(9);
    net_sent(&h, frame);
    assert_int_equal(frame[5], 77);
    net_end(&h);
}

static void a_permanent_entry_never_changes(void **state)
{
    (void)state;
    net_start(&h);
    net_know_peer(&h);
    net_pass(&h, 100 * USEC_PER_SEC);
    claim(2, 66, ARP_REPLY);
    net_drop_sent(&h);
    send_to_peer(1);
    net_sent(&h, frame);
    assert_memory_equal(frame, net_peer_mac.b, 6);
    net_end(&h);
}

/* Asking for a thousand hosts that do not exist leaves what works alone. */
static void a_scan_does_not_evict_neighbours_that_answer(void **state)
{
    neigh_id id;

    (void)state;
    net_limits(&h);
    h.eth_limits.neighbours = 16;
    h.eth_limits.neigh_incomplete = 8;
    net_start_limited(&h);
    send_to_peer(1);
    net_peer_answers(&h);
    id = ask_peer();
    for (unsigned i = 0; i < 1000; i++) {
        struct ip_addr a = ip4_of(10, 0, (uint8_t)(1 + i / 250), (uint8_t)(1 + i % 250));
        eth_output(&h.eth, packet(1), h.netif, eth_neigh_get(&h.eth, h.netif, &a), h.now);
        net_drop_sent(&h);
        pkt_list_put_all(&h.eth.failed);
        assert_true(h.eth.incomplete <= 8);
    }
    assert_non_null(eth_neigh(&h.eth, id));
    net_end(&h);
}

static void a_full_table_evicts_what_was_not_used_lately(void **state)
{
    neigh_id kept = NEIGH_NONE;

    (void)state;
    net_limits(&h);
    h.eth_limits.neighbours = 8;
    h.eth_limits.neigh_incomplete = 4;
    net_start_limited(&h);
    for (uint8_t i = 10; i < 100; i++) {
        struct ip_addr a = ip4_of(10, 0, 0, i);
        neigh_id id = eth_neigh_get(&h.eth, h.netif, &a);
        assert_int_not_equal(id, NEIGH_NONE);
        eth_output(&h.eth, packet(1), h.netif, id, h.now);
        claim(i, i, ARP_REPLY);
        /* From when the hand has gone round once, this one stays in use. */
        if (i == 30)
            kept = id;
        if (i >= 30) {
            assert_non_null(eth_neigh(&h.eth, kept));
            eth_output(&h.eth, packet(1), h.netif, kept, h.now);
        }
        net_drop_sent(&h);
    }
    assert_true(h.eth.stats.neigh_evicted >= 80);
    net_end(&h);
}

static void a_table_full_of_permanent_entries_refuses(void **state)
{
    struct ip_addr a;

    (void)state;
    net_limits(&h);
    h.eth_limits.neighbours = 4;
    net_start_limited(&h);
    for (uint8_t i = 0; i < 4; i++) {
        a = ip4_of(10, 0, 0, (uint8_t)(10 + i));
        assert_int_not_equal(eth_neigh_add_permanent(&h.eth, h.netif, &a, &net_peer_mac), 0);
    }
    assert_int_equal(ask_peer(), NEIGH_NONE);
    eth_output(&h.eth, packet(1), h.netif, NEIGH_NONE, h.now);
    assert_int_equal(h.eth.stats.drop_neigh_full, 1);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_waits_while_its_neighbour_is_asked_for),
        cmocka_unit_test(a_known_neighbour_costs_no_question),
        cmocka_unit_test(waiting_packets_are_bounded_and_the_oldest_goes),
        cmocka_unit_test(waiting_packets_are_bounded_over_all_neighbours),
        cmocka_unit_test(an_absent_neighbour_is_asked_three_times_a_second_apart),
        cmocka_unit_test(an_id_is_stale_when_its_entry_is_another),
        cmocka_unit_test(a_quiet_neighbour_is_asked_again_by_unicast_and_stays_in_use),
        cmocka_unit_test(a_neighbour_gone_silent_is_asked_for_by_broadcast_then_given_up),
        cmocka_unit_test(progress_above_keeps_a_neighbour_reachable),
        cmocka_unit_test(replies_that_nobody_asked_for_cannot_fill_the_table),
        cmocka_unit_test(who_asks_for_us_need_not_be_asked),
        cmocka_unit_test(who_asks_for_us_from_elsewhere_is_not_learnt),
        cmocka_unit_test(who_asks_for_us_drives_nobody_out),
        cmocka_unit_test(an_entry_changes_at_most_once_a_second),
        cmocka_unit_test(a_permanent_entry_never_changes),
        cmocka_unit_test(a_scan_does_not_evict_neighbours_that_answer),
        cmocka_unit_test(a_full_table_evicts_what_was_not_used_lately),
        cmocka_unit_test(a_table_full_of_permanent_entries_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
