/* The replica and its one writer: whatever letters do, every core knows the same in the end. */
#include "lib/cmocka_first.h"

#include "lib/sdn_desk.h"

/* ---- replicas ---- */

static void replicas_are_equal(const struct desk *d)
{
    const struct net *n = d->core[0]->net;

    for (unsigned c = 0; c < d->config.cores; c++)
        net_check(d->core[c]);
    for (unsigned c = 1; c < d->config.cores; c++) {
        const struct net *o = d->core[c]->net;
        assert_int_equal(o->links_n, n->links_n);
        assert_int_equal(o->hosts_n, n->hosts_n);
        for (uint32_t i = 0; i < n->switches; i++) {
            assert_int_equal(o->sw[i].known, n->sw[i].known);
            assert_int_equal(o->sw[i].dpid, n->sw[i].dpid);
            assert_int_equal(o->sw[i].connected, n->sw[i].connected);
            assert_int_equal(o->sw[i].core, n->sw[i].core);
        }
        for (uint32_t i = 0; i < n->links; i++) {
            assert_int_equal(o->link[i].known, n->link[i].known);
            if (!n->link[i].known)
                continue;
            assert_int_equal(o->link[i].from, n->link[i].from);
            assert_int_equal(o->link[i].to, n->link[i].to);
            assert_int_equal(o->link[i].from_port, n->link[i].from_port);
            assert_int_equal(o->link[i].to_port, n->link[i].to_port);
            assert_int_equal(net_link_is_usable(&o->link[i]), net_link_is_usable(&n->link[i]));
        }
        for (uint32_t i = 0; i < n->host_used; i++) {
            if (i >= o->host_used) {
                assert_int_equal(n->host[i].at, NET_NONE);
                continue;
            }
            assert_int_equal(o->host[i].at, n->host[i].at);
            if (n->host[i].at == NET_NONE)
                continue;
            assert_int_equal(o->host[i].port, n->host[i].port);
            assert_int_equal(o->host[i].ip.raw, n->host[i].ip.raw);
            assert_int_equal(o->host[i].held_s, n->host[i].held_s);
            assert_memory_equal(&o->host[i].mac, &n->host[i].mac, 6);
        }
    }
}

#define CROWD 24u

struct crowd {
    unsigned core;
    struct sdn_switch *sw;
    sdn_conn conn;
};

static void crowd_step(struct desk *d, struct crowd *m, unsigned i)
{
    unsigned other = rng_below(&d->rng, CROWD);
    struct sdn *s = d->core[m[i].core];

    /* It may have been closed by the controller. */
    if (m[i].sw && (sdn_switch_of(s, m[i].conn) != m[i].sw || m[i].sw->phase != PHASE_UP)) {
        sdn_closed(s, m[i].conn, d->now);
        m[i].sw = NULL;
    }
    if (!m[i].sw) {
        m[i].core = rng_below(&d->rng, d->config.cores);
        m[i].sw = desk_switch(d, m[i].core, 1 + i / 2, 8); /* each dpid twice */
        m[i].conn = m[i].sw ? m[i].sw->conn : 0;
        return;
    }
    struct sdn_port *p = port_find(m[i].sw, 1 + rng_below(&d->rng, 8));
    struct mac_addr mac = {{2, 0, 0, 0, (uint8_t)rng_below(&d->rng, 8), (uint8_t)rng_u32(&d->rng)}};
    switch (rng_below(&d->rng, 16)) {
    case 0:
        if (rng_chance(&d->rng, 3, 4))
            break;
        sdn_closed(s, m[i].conn, d->now);
        m[i].sw = NULL;
        break;
    case 1:
    case 2:
        if (m[other].sw)
            desk_probe(d, m[other].sw, 1 + rng_below(&d->rng, 8), s, m[i].sw, p->desc.no);
        break;
    case 3:
        p->desc.link_down = true;
        net_port_changed(s, m[i].sw, p, OFPPR_MODIFY, d->now);
        p->desc.link_down = false;
        net_port_changed(s, m[i].sw, p, OFPPR_MODIFY, d->now);
        break;
    default:
        for (unsigned k = 0; k < 40; k++) {
            mac.b[5] = (uint8_t)(mac.b[5] + k);
            host_seen(s, m[i].sw, p, &mac, 0, be32_of(0x0a000000u + rng_below(&d->rng, 900)),
                      d->now);
        }
    }
}

static void replicas_are_equal_whatever_letters_do(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct desk d;
        struct crowd m[CROWD] = {0};
        uint64_t full = 0;

        desk_config(&d, 2 + (unsigned)(seed % 3));
        rng_init(&d.rng, seed);
        d.config.host_us = 2 * USEC_PER_SEC;
        d.config.switches = 10; /* fewer than there are dpids: they give way to each other */
        desk_start(&d);
        for (unsigned step = 0; step < 5000; step++) {
            crowd_step(&d, m, rng_below(&d.rng, CROWD));
            if (rng_chance(&d.rng, 1, 4))
                d.now += rng_below(&d.rng, 20000);
            for (unsigned c = 0; c < d.config.cores; c++)
                if (rng_chance(&d.rng, 1, 3))
                    sdn_advance(d.core[c], d.now);
            /* For a while nobody takes letters; then some do. */
            if (step / 1000 % 2 == 0 && rng_chance(&d.rng, 1, 2))
                desk_letters(&d, rng_u64(&d.rng));
            desk_mute(&d);
        }
        for (unsigned c = 0; c < d.config.cores; c++)
            full += d.core[c]->stats.letters_full;
        assert_true(full > 0);
        desk_pass(&d, 6 * USEC_PER_SEC);
        replicas_are_equal(&d);
        /* Everybody whom the seat knows as connected is, and the other way round. */
        for (unsigned i = 0; i < CROWD; i++)
            if (m[i].sw && sdn_switch_of(d.core[m[i].core], m[i].conn) == m[i].sw &&
                m[i].sw->accepted) {
                const struct net_switch *w = &d.core[0]->net->sw[m[i].sw->net];
                assert_int_equal(w->conn, m[i].conn);
                assert_int_equal(w->core, m[i].core);
            }
        desk_end(&d);
    }
}

/* ---- datapath ids ---- */

static const uint8_t echo[] = {4, 2, 0, 8, 0, 0, 0, 9};

static void a_second_connection_is_refused_while_the_first_one_answers(void **state)
{
    struct desk d;

    (void)state;
    desk_config(&d, 3);
    desk_start(&d);
    struct sdn_switch *a = desk_switch(&d, 1, 7, 2);
    desk_pass(&d, 100 * USEC_PER_MSEC);
    assert_true(a->accepted);
    struct sdn_switch *b = desk_switch(&d, 2, 7, 2);
    desk_pass(&d, 50 * USEC_PER_MSEC);
    assert_false(b->accepted);
    sdn_input(d.core[1], a->conn, echo, sizeof(echo), d.now);
    desk_pass(&d, 700 * USEC_PER_MSEC);
    assert_int_equal(sdn_do(d.core[2], b->conn), SDN_DO_CLOSE);
    assert_non_null(strstr(sdn_why(d.core[2], b->conn), "datapath id"));
    assert_int_equal(d.core[2]->stats.duplicates, 1);
    assert_true(a->accepted);
    assert_int_equal(a->phase, PHASE_UP);
    desk_end(&d);
}

static void a_second_connection_replaces_a_first_one_that_is_silent(void **state)
{
    struct desk d;

    (void)state;
    for (unsigned other = 0; other < 3; other++) {
        desk_config(&d, 3);
        desk_start(&d);
        struct sdn_switch *a = desk_switch(&d, 1, 7, 2);
        desk_pass(&d, 100 * USEC_PER_MSEC);
        uint32_t net = a->net;
        struct sdn_switch *b = desk_switch(&d, other, 7, 2);
        desk_pass(&d, 1600 * USEC_PER_MSEC);
        assert_true(b->accepted);
        assert_int_equal(b->net, net);
        assert_int_not_equal(sdn_do(d.core[1], a->conn), SDN_DO_NOTHING);
        for (unsigned c = 0; c < 3; c++)
            assert_int_equal(d.core[c]->net->sw[net].conn, b->conn);
        desk_end(&d);
    }
}

static void a_place_stays_with_its_datapath_until_others_need_it(void **state)
{
    struct desk d;
    sdn_conn c[4];

    (void)state;
    desk_config(&d, 1);
    d.config.switches = 4;
    desk_start(&d);
    for (unsigned i = 0; i < 4; i++) {
        struct sdn_switch *sw = desk_switch(&d, 0, 100 + i, 2);
        assert_int_equal(sw->net, i);
        c[i] = sw->conn;
    }
    /* Full, and all are connected. */
    struct sdn_switch *more = desk_switch(&d, 0, 200, 2);
    assert_false(more->accepted);
    assert_int_equal(sdn_do(d.core[0], more->conn), SDN_DO_CLOSE);
    sdn_closed(d.core[0], more->conn, d.now);
    sdn_closed(d.core[0], c[2], d.now);
    desk_pass(&d, 100 * USEC_PER_MSEC);
    sdn_closed(d.core[0], c[1], d.now);
    assert_int_equal(desk_switch(&d, 0, 102, 2)->net, 2);
    assert_int_equal(desk_switch(&d, 0, 200, 2)->net, 1);
    desk_end(&d);
}

/* ---- hosts ---- */

static void a_host_that_moves_without_end_costs_a_bounded_number_of_moves(void **state)
{
    struct desk d;
    const struct mac_addr mac = {{2, 0, 0, 0, 0, 9}};
    struct sdn_switch *sw[4];

    (void)state;
    desk_config(&d, 2);
    desk_start(&d);
    for (unsigned i = 0; i < 4; i++)
        sw[i] = desk_switch(&d, i % 2, 1 + i, 4);
    desk_pass(&d, 2 * USEC_PER_SEC);
    uint64_t before = d.core[1]->stats.letters_out + d.core[0]->stats.letters_out;
    for (unsigned k = 0; k < 60000; k++) {
        unsigned i = k % 4;
        host_seen(d.core[i % 2], sw[i], port_find(sw[i], 1), &mac, 0, be32_of(0x0a000001), d.now);
        if (k % 100 == 0)
            desk_pass(&d, 100 * USEC_PER_MSEC);
    }
    /* A minute: 1 + 2 + 4 + 8 + 16 + 16 ... seconds apart. */
    assert_in_range(d.core[0]->stats.hosts_moved, 3, 10);
    assert_true(d.core[1]->stats.letters_out + d.core[0]->stats.letters_out - before < 3000);
    assert_int_equal(d.core[0]->net->hosts_n, 1);
    replicas_are_equal(&d);
    desk_end(&d);
}

static void hosts_beyond_the_limit_are_not_tracked_and_come_when_others_are_forgotten(void **state)
{
    struct desk d;
    struct mac_addr mac = {{2, 0, 0, 0, 0, 0}};

    (void)state;
    desk_config(&d, 1);
    d.config.hosts = 16;
    d.config.host_us = 5 * USEC_PER_SEC;
    desk_start(&d);
    struct sdn_switch *sw = desk_switch(&d, 0, 1, 4);
    desk_pass(&d, 2 * USEC_PER_SEC);
    for (unsigned i = 0; i < 20; i++) {
        mac.b[5] = (uint8_t)i;
        host_seen(d.core[0], sw, port_find(sw, 1), &mac, 0, (be32){0}, d.now);
    }
    assert_int_equal(d.core[0]->net->hosts_n, 16);
    assert_int_equal(d.core[0]->stats.hosts_full, 4);
    desk_pass(&d, 7 * USEC_PER_SEC);
    assert_int_equal(d.core[0]->net->hosts_n, 0);
    host_seen(d.core[0], sw, port_find(sw, 1), &mac, 0, (be32){0}, d.now);
    assert_int_equal(d.core[0]->net->hosts_n, 1);
    /* Also where its switch is gone for as long. */
    sdn_closed(d.core[0], sw->conn, d.now);
    desk_pass(&d, 7 * USEC_PER_SEC);
    assert_int_equal(d.core[0]->net->hosts_n, 0);
    net_check(d.core[0]);
    desk_end(&d);
}

/* ---- reconnections ---- */

static void nothing_is_left_after_ten_thousand_reconnections(void **state)
{
    struct desk d;

    (void)state;
    desk_config(&d, 2);
    desk_start(&d);
    for (unsigned i = 0; i < 10000; i++) {
        unsigned core = rng_below(&d.rng, 2);
        struct sdn_switch *sw = desk_switch(&d, core, 1 + i % 5, 4);
        assert_non_null(sw);
        if (i % 3 == 0)
            desk_probe(&d, sw, 1, d.core[core], sw, 2);
        d.now += 500;
        while (desk_letters(&d, 0))
            ;
        if (i % 16 == 0)
            sdn_advance(d.core[core], d.now);
        desk_mute(&d);
        sdn_closed(d.core[core], sw->conn, d.now);
    }
    desk_pass(&d, 3 * USEC_PER_SEC);
    for (unsigned c = 0; c < 2; c++) {
        const struct sdn *s = d.core[c];
        sdn_check(s);
        assert_int_equal(s->switches.used, 0);
        assert_int_equal(s->ports.used, 0);
        assert_int_equal(s->partials.used, 0);
        assert_int_equal(s->xids.used, 0);
        assert_int_equal(s->net->links_n, 0);
        for (uint32_t i = 0; i < s->net->sw_used; i++)
            assert_false(s->net->sw[i].connected);
    }
    replicas_are_equal(&d);
    desk_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_are_equal_whatever_letters_do),
        cmocka_unit_test(a_second_connection_is_refused_while_the_first_one_answers),
        cmocka_unit_test(a_second_connection_replaces_a_first_one_that_is_silent),
        cmocka_unit_test(a_place_stays_with_its_datapath_until_others_need_it),
        cmocka_unit_test(a_host_that_moves_without_end_costs_a_bounded_number_of_moves),
        cmocka_unit_test(hosts_beyond_the_limit_are_not_tracked_and_come_when_others_are_forgotten),
        cmocka_unit_test(nothing_is_left_after_ten_thousand_reconnections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
