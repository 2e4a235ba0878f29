/* POF switches under the controller: handshake, learning, shortest paths. */
#include "lib/pof_net.h"

#include "sdn/pof_int.h"

static const enum ofp_dialect huawei[NODES] = {POF_HUAWEI, POF_HUAWEI, POF_HUAWEI, POF_HUAWEI};
static const enum ofp_dialect ustc[NODES] = {POF_USTC, POF_USTC, POF_USTC, POF_USTC};
static const enum ofp_dialect *const both[] = {huawei, ustc};

/* ---- connections --------------------------------------------------------------------- */

static void the_handshake_is_in_order_and_every_port_is_enabled(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        net_begin(SDN_LEARN, 1, both[k & 1], 5);
        if (k >= 2)
            net.node[0].speech = SDN_SPEAKS_POF; /* which one has to be found */
        net_start();
        net_run(4 * SECOND);
        net_sound();
        assert_int_equal(sdn_stats(net.s)->handshakes, 1);
        assert_int_equal(net.node[0].w.port_mods, 5);
        for (int i = 0; i < 5; i++)
            assert_true(net.node[0].w.port[i].pof_enabled);
        assert_int_equal(net.node[0].w.table_mods, 2);
        assert_true(net.node[0].w.table[POF_MM][0].there);
        assert_int_equal(sdn_stats(net.s)->bad_messages, 0);
        net_run(20 * SECOND);
        net_sound(); /* echoes in both directions */
    }
}

static void a_switch_without_echo_gets_everything_too(void **state)
{
    (void)state;
    net_begin(SDN_LEARN, 1, huawei, 8);
    net.config.echo_us = 60 * SECOND;
    net.node[0].w.drops_control = true;
    net_start();
    net_run(10 * SECOND);
    net_sound();
    for (int i = 0; i < 8; i++)
        assert_true(net.node[0].w.port[i].pof_enabled);
    assert_int_equal(pof_switch_entries(&net.node[0].w), 3 + 8);
}

static void bytes_cut_anywhere_reset_no_connection(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        net_begin(SDN_LEARN, 1, both[k], 12);
        net.cuts = true;
        net_start();
        net_run(5 * SECOND);
        net_sound();
        for (uint8_t i = 1; i < 60; i++) {
            net_frame(0, 1 + i % 12, 0xff, i, i);
            net_run(20 * MILLI);
        }
        net_run(2 * SECOND);
        net_sound();
        assert_int_equal(net.node[0].w.table[POF_MM][1].used, 1 + 12 + 2 * 59);
    }
}

static void what_connects_again_is_told_everything_again(void **state)
{
    uint32_t entries;

    (void)state;
    net_begin(SDN_NETWORK, 1, huawei, 4);
    net_start();
    net_run(5 * SECOND);
    net_frame(0, 1, 0xff, 1, 1);
    net_frame(0, 2, 0xff, 2, 2);
    net_run(SECOND);
    net_sound();
    entries = pof_switch_entries(&net.node[0].w);
    for (int i = 0; i < 50; i++) {
        net_gone(&net.node[0]);
        assert_int_equal(pof_switch_entries(&net.node[0].w), 0);
        net_run(7 * SECOND);
        net_sound();
        assert_int_equal(pof_switch_entries(&net.node[0].w), entries);
    }
    assert_int_equal(net.s->pof->switches.used, 1);
    assert_int_equal(net.s->switches.used, 1);
}

static void the_interface_that_leads_to_us_is_left_alone(void **state)
{
    (void)state;
    net_begin(SDN_LEARN, 1, huawei, 3);
    net.node[0].w.dev = 0x11223344;
    net.node[0].w.port[1].mac = (struct mac_addr){{2, 0, 0x11, 0x22, 0x33, 0x44}};
    net_start();
    net_run(4 * SECOND);
    net_sound();
    assert_true(net.node[0].w.port[0].pof_enabled);
    assert_false(net.node[0].w.port[1].pof_enabled);
    assert_true(net.node[0].w.port[2].pof_enabled);
}

/* Whatever a switch says: nothing is believed, nothing is leaked. */
static void bytes_of_any_kind_harm_nobody(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 5);
    for (int k = 0; k < 60; k++) {
        net_begin(k & 2 ? SDN_NETWORK : SDN_LEARN, 1, both[k & 1], 4);
        net.node[0].speech = k % 3 == 0 ? SDN_SPEAKS_POF : net.node[0].speech;
        net_start();
        for (int i = 0; i < 60; i++) {
            size_t n;

            net_run(50 * MILLI);
            if (net.node[0].w.state != POF_SWITCH_RUN)
                continue;
            net_frame(0, 1 + rng_below(&r, 4), 0xff, (uint8_t)rng_u32(&r), 1);
            pof_switch_link(&net.node[0].w, 1 + rng_below(&r, 4), rng_chance(&r, 1, 2));
            pof_switch_output(&net.node[0].w, &n);
            /* Behind the header mostly: the length is what keeps us in step. */
            for (uint32_t flips = rng_below(&r, 4); n > 8 && flips > 0; flips--)
                net.node[0].w.out[8 + rng_below(&r, (uint32_t)n - 8)] = (uint8_t)rng_u32(&r);
            net_pump();
        }
        net_gone(&net.node[0]);
        sdn_check(net.s);
        assert_int_equal(net.s->pof->switches.used, 0);
        assert_int_equal(net.s->switches.used, 0);
    }
}

/* ---- one switch ---------------------------------------------------------------------- */

/* It is told nothing, whatever it says and whatever becomes of the network. */
static void a_switch_of_too_few_tables_is_left_alone(void **state)
{
    struct sdn_switch *sw;
    uint8_t frame[64] = {0, 1, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8};

    (void)state;
    for (uint8_t tables = 0; tables < 2; tables++) {
        net_begin(SDN_NETWORK, 1, huawei, 4);
        memset(net.node[0].w.tables, tables, sizeof(net.node[0].w.tables));
        net_start();
        net_run(4 * SECOND);
        sw = net.s->first;
        assert_non_null(sw);
        assert_int_equal(pof_on(sw)->tables, 0);
        const struct ofp_packet_in p = {
            .buffer_id = OFP_NO_BUFFER, .table = 1, .frame = frame, .frame_len = sizeof(frame)};
        forward_packet(net.s, sw, &p);
        host_seen(net.s, sw, sw->ports, &(struct mac_addr){{2, 0, 0, 0, 0, 9}}, 0, (be32){0},
                  net.s->now);
        net_run(SECOND);
        pof_topology_changed(net.s, sw, net.s->now);
        net_run(SECOND);
        assert_int_equal(pof_switch_entries(&net.node[0].w), 0);
    }
}

static void a_switch_learns_and_loses_no_packet(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        net_begin(SDN_LEARN, 1, both[k], 4);
        net_start();
        net_run(4 * SECOND);
        net_clear();
        net_frame(0, 1, 2, 1, 1); /* nobody knows 2: to all others */
        assert_int_equal(net.arrivals, 3);
        assert_int_equal(net_got(0, 1, 1), 0);
        net_run(SECOND);
        net_frame(0, 2, 1, 2, 2); /* 1 is known: to it alone */
        assert_int_equal(net.arrivals, 4);
        assert_int_equal(net_got(0, 1, 2), 1);
        net_run(SECOND);
        net_clear();
        net_frame(0, 1, 2, 1, 3);
        assert_int_equal(net.arrivals, 1);
        assert_int_equal(net_got(0, 2, 3), 1);
        uint64_t told = net.node[0].w.packet_ins;
        for (int i = 0; i < 20; i++)
            net_frame(0, 1, 2, 1, 4);
        assert_int_equal(net.node[0].w.packet_ins, told); /* both are known: no word to us */
        net_frame(0, 1, 1, 1, 5);                         /* to where it came from */
        assert_int_equal(net_got(0, 1, 5), 0);
        net_sound();
    }
}

static void a_host_that_moves_is_found_at_its_new_port(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        net_begin(SDN_LEARN, 1, both[k], 4);
        net_start();
        net_run(4 * SECOND);
        net_frame(0, 1, 0xff, 1, 1);
        net_frame(0, 2, 0xff, 2, 1);
        net_run(SECOND);
        for (unsigned port = 3; port < 20; port++) {
            unsigned at = 1 + port % 4;

            if (at == 2)
                continue;
            net_frame(0, at, 0xff, 1, 2);
            net_run(SECOND);
            net_clear();
            net_frame(0, 2, 1, 2, 3);
            assert_int_equal(net.arrivals, 1);
            assert_int_equal(net_got(0, at, 3), 1);
        }
        net_sound();
    }
}

static void the_oldest_gives_way_when_a_table_is_full(void **state)
{
    (void)state;
    net_begin(SDN_LEARN, 1, huawei, 2);
    net.node[0].w.table_size = 32;
    net_start();
    net_run(4 * SECOND);
    for (unsigned i = 1; i < 250; i++) {
        net_frame(0, 1, 0xff, (uint8_t)i, 1);
        net_run(100 * MILLI);
        assert_true(net.node[0].w.table[POF_MM][1].used <= 32);
    }
    net_sound();
    net_clear();
    net_frame(0, 2, 249, 1, 2); /* the last is known */
    assert_int_equal(net_got(0, 1, 2), 1);
}

/* ---- networks ------------------------------------------------------------------------ */

/*   0 ---- 1      ports 1 and 2 of each; hosts at ports 3
 *    \    /
 *      2          */
static const struct sdn_static_link ring_links[] = {
    {{0x10, 0x11}, {1, 2}}, {{0x11, 0x12}, {1, 2}}, {{0x12, 0x10}, {1, 2}}};

static void ring(const enum ofp_dialect *d, bool told)
{
    net_begin(SDN_NETWORK, 3, d, 4);
    net_plug(0, 1, 1, 2);
    net_plug(1, 1, 2, 2);
    net_plug(2, 1, 0, 2);
    if (told) {
        net.config.link = ring_links;
        net.config.n_link = 3;
    }
    net_start();
    net_run(12 * SECOND);
    net_sound();
}

static void everybody_is_reached_once(void)
{
    for (unsigned a = 0; a < 3; a++) {
        net_clear();
        net_frame(a, 3, 0xff, (uint8_t)(a + 1), 9);
        net_run(SECOND);
        for (unsigned b = 0; b < 3; b++) {
            assert_int_equal(net_got(b, 3, 9), a != b);
            assert_int_equal(net_got(b, 4, 9), 1);
        }
    }
    for (unsigned a = 0; a < 3; a++) {
        for (unsigned b = 0; b < 3; b++) {
            net_clear();
            net_frame(a, 3, (uint8_t)(b + 1), (uint8_t)(a + 1), 8);
            assert_int_equal(net.arrivals, a != b);
            assert_int_equal(net_got(b, 3, 8), a != b);
        }
    }
}

static void links_that_are_told_make_a_network(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        ring(both[k], true);
        everybody_is_reached_once();
        /* The shortest way is one link. */
        net_clear();
        net_frame(0, 3, 2, 1, 7);
        assert_int_equal(net.hops, 2);
        net_sound();
    }
}

static void ustc_finds_its_links(void **state)
{
    (void)state;
    ring(ustc, false);
    assert_int_equal(sdn_stats(net.s)->links_up, 6);
    everybody_is_reached_once();
    net_sound();
}

static void traffic_goes_another_way_when_a_cable_is_cut(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        ring(both[k], true);
        everybody_is_reached_once();
        net_cable(0, 1, false);
        net_run(2 * SECOND);
        everybody_is_reached_once();
        net_clear();
        net_frame(0, 3, 2, 1, 7);
        assert_int_equal(net.hops, 3);
        net_cable(0, 1, true);
        net_run(5 * SECOND);
        everybody_is_reached_once();
        net_sound();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handshake_is_in_order_and_every_port_is_enabled),
        cmocka_unit_test(a_switch_without_echo_gets_everything_too),
        cmocka_unit_test(bytes_cut_anywhere_reset_no_connection),
        cmocka_unit_test(what_connects_again_is_told_everything_again),
        cmocka_unit_test(the_interface_that_leads_to_us_is_left_alone),
        cmocka_unit_test(bytes_of_any_kind_harm_nobody),
        cmocka_unit_test(a_switch_of_too_few_tables_is_left_alone),
        cmocka_unit_test(a_switch_learns_and_loses_no_packet),
        cmocka_unit_test(a_host_that_moves_is_found_at_its_new_port),
        cmocka_unit_test(the_oldest_gives_way_when_a_table_is_full),
        cmocka_unit_test(links_that_are_told_make_a_network),
        cmocka_unit_test(ustc_finds_its_links),
        cmocka_unit_test(traffic_goes_another_way_when_a_cable_is_cut),
    };
    int r = cmocka_run_group_tests_name("sdn_pof", tests, NULL, NULL);

    net_end();
    return r;
}
