/* Links: what is believed, what is not, and how long. */
#include "lib/cmocka_first.h"

#include "lib/sdn_desk.h"

struct pair {
    struct desk d;
    struct sdn *s;
    struct sdn_switch *a, *b;
};

static void pair_make(struct pair *p)
{
    desk_config(&p->d, 1);
    desk_start(&p->d);
    p->s = p->d.core[0];
    p->a = desk_switch(&p->d, 0, 0xa, 4);
    p->b = desk_switch(&p->d, 0, 0xb, 4);
}

/* a.1 and b.1 hear each other. */
static void pair_hear(struct pair *p)
{
    desk_probe(&p->d, p->a, 1, p->s, p->b, 1);
    desk_probe(&p->d, p->b, 1, p->s, p->a, 1);
}

static bool pair_is_linked(const struct pair *p)
{
    uint32_t i = net_link_out(p->s, p->a->net, 1);

    return i != NET_NONE && net_link_is_usable(&p->s->net->link[i]);
}

static enum sdn_port_is port_is(const struct sdn_switch *sw, uint32_t no)
{
    return port_find(sw, no)->is;
}

static void a_link_is_used_when_both_ends_hear_each_other(void **state)
{
    struct pair p;

    (void)state;
    pair_make(&p);
    desk_probe(&p.d, p.a, 1, p.s, p.b, 1);
    assert_int_equal(p.s->net->links_n, 1);
    assert_false(pair_is_linked(&p));
    assert_int_equal(port_is(p.b, 1), PORT_LINK);
    desk_probe(&p.d, p.b, 1, p.s, p.a, 1);
    assert_true(pair_is_linked(&p));
    desk_end(&p.d);
}

static void a_silent_link_is_lost_within_a_second_and_one_that_is_heard_never(void **state)
{
    struct pair p;

    (void)state;
    pair_make(&p);
    for (unsigned k = 0; k < 20; k++) {
        pair_hear(&p);
        desk_pass(&p.d, 300 * USEC_PER_MSEC);
        assert_true(pair_is_linked(&p));
    }
    desk_pass(&p.d, 500 * USEC_PER_MSEC);
    assert_true(pair_is_linked(&p));
    desk_pass(&p.d, 150 * USEC_PER_MSEC);
    assert_false(pair_is_linked(&p));
    assert_int_equal(p.s->net->links_n, 0);
    /* No host's port before it goes down and up: a broadcast into it could close a loop. */
    desk_pass(&p.d, 5 * USEC_PER_SEC);
    assert_int_equal(port_is(p.a, 1), PORT_QUIET);
    assert_int_equal(port_is(p.a, 2), PORT_EDGE);
    desk_end(&p.d);
}

static void probes_leave_every_port_at_once_and_again(void **state)
{
    struct pair p;

    (void)state;
    pair_make(&p);
    assert_int_equal(p.s->stats.lldp_out, 8);
    desk_pass(&p.d, 3 * USEC_PER_SEC);
    assert_in_range(p.s->stats.lldp_out, 8 * 10, 8 * 14);
    desk_end(&p.d);
}

static void what_is_forged_or_replayed_or_foreign_is_refused(void **state)
{
    struct pair p;
    struct lldp l = {.dpid = 0xa, .port = 1};
    const struct mac_addr mac = {{2}};
    struct hmac_key key;
    uint8_t b[LLDP_LEN];

    (void)state;
    pair_make(&p);
    desk_pass(&p.d, 100 * USEC_PER_MSEC);
    hmac_key_init(&key, p.d.config.secret, sizeof(p.d.config.secret));
    l.nonce = p.d.now - USEC_PER_SEC; /* three rounds old */
    lldp_emit(b, &l, &mac, &key);
    discover_input(p.s, p.b, 1, b, sizeof(b), p.d.now);
    l.nonce = p.d.now + USEC_PER_SEC; /* from the future */
    lldp_emit(b, &l, &mac, &key);
    discover_input(p.s, p.b, 1, b, sizeof(b), p.d.now);
    l.nonce = p.d.now;
    lldp_emit(b, &l, &mac, &key);
    b[50] ^= 1; /* in what is signed */
    discover_input(p.s, p.b, 1, b, sizeof(b), p.d.now);
    b[50] ^= 1;
    discover_input(p.s, p.b, 1, b, 40, p.d.now); /* cut */
    assert_int_equal(p.s->stats.lldp_refused, 4);
    assert_int_equal(p.s->stats.lldp_in, 0);
    discover_input(p.s, p.b, 1, b, sizeof(b), p.d.now);
    assert_int_equal(p.s->stats.lldp_in, 1);
    discover_input(p.s, p.b, 1, b, sizeof(b), p.d.now); /* the same once more */
    assert_int_equal(p.s->stats.lldp_refused, 5);
    assert_int_equal(p.s->net->links_n, 1);
    desk_end(&p.d);
}

static void a_second_neighbour_at_a_port_is_not_believed_while_the_first_is_heard(void **state)
{
    struct pair p;

    (void)state;
    pair_make(&p);
    pair_hear(&p);
    desk_pass(&p.d, 100 * USEC_PER_MSEC);
    desk_probe(&p.d, p.b, 3, p.s, p.a, 1);
    assert_int_equal(p.s->stats.lldp_refused, 1);
    assert_true(pair_is_linked(&p));
    /* Its cable has been moved, and its port did not say so. */
    desk_pass(&p.d, 500 * USEC_PER_MSEC);
    desk_probe(&p.d, p.b, 3, p.s, p.a, 1);
    assert_int_equal(port_find(p.a, 1)->peer_port, 3);
    desk_end(&p.d);
}

static void a_hosts_port_is_no_link(void **state)
{
    struct pair p;
    const struct mac_addr mac = {{2, 0, 0, 0, 0, 7}};

    (void)state;
    pair_make(&p);
    desk_pass(&p.d, 3 * USEC_PER_SEC);
    assert_int_equal(port_is(p.b, 1), PORT_EDGE);
    host_seen(p.s, p.b, port_find(p.b, 1), &mac, 0, (be32){0}, p.d.now);
    desk_probe(&p.d, p.a, 1, p.s, p.b, 1);
    assert_int_equal(p.s->stats.lldp_refused, 1);
    assert_int_equal(p.s->net->links_n, 0);
    /* Neither broadcasts nor probes while somebody tries. */
    assert_int_equal(port_is(p.b, 1), PORT_QUIET);
    desk_pass(&p.d, 2 * USEC_PER_SEC);
    assert_int_equal(port_is(p.b, 1), PORT_EDGE);
    assert_int_equal(p.s->net->hosts_n, 1);
    desk_end(&p.d);
}

static void a_host_at_a_quiet_port_is_forgotten_when_the_port_is_a_link(void **state)
{
    struct pair p;
    const struct mac_addr mac = {{2, 0, 0, 0, 0, 7}};

    (void)state;
    pair_make(&p);
    host_seen(p.s, p.b, port_find(p.b, 1), &mac, 0, (be32){0}, p.d.now);
    assert_int_equal(p.s->net->hosts_n, 1);
    desk_probe(&p.d, p.a, 1, p.s, p.b, 1);
    assert_int_equal(p.s->net->links_n, 1);
    assert_int_equal(p.s->net->hosts_n, 0);
    host_seen(p.s, p.b, port_find(p.b, 1), &mac, 0, (be32){0}, p.d.now);
    assert_int_equal(p.s->net->hosts_n, 0);
    desk_end(&p.d);
}

static void a_switch_that_comes_back_at_once_keeps_its_links(void **state)
{
    struct pair p;

    (void)state;
    pair_make(&p);
    pair_hear(&p);
    assert_true(pair_is_linked(&p));
    sdn_closed(p.s, p.b->conn, p.d.now);
    desk_pass(&p.d, 300 * USEC_PER_MSEC);
    assert_true(pair_is_linked(&p));
    desk_probe(&p.d, p.b, 1, p.s, p.a, 1);
    p.b = desk_switch(&p.d, 0, 0xb, 4);
    desk_pass(&p.d, 500 * USEC_PER_MSEC);
    assert_true(pair_is_linked(&p));
    pair_hear(&p);
    desk_pass(&p.d, 500 * USEC_PER_MSEC);
    assert_true(pair_is_linked(&p));
    desk_end(&p.d);
}

static void a_port_that_goes_down_takes_its_link_and_its_hosts_along(void **state)
{
    struct pair p;
    const struct mac_addr mac = {{2, 0, 0, 0, 0, 7}};

    (void)state;
    pair_make(&p);
    pair_hear(&p);
    desk_pass(&p.d, 100 * USEC_PER_MSEC);
    host_seen(p.s, p.b, port_find(p.b, 2), &mac, 0, (be32){0}, p.d.now);
    for (uint32_t no = 1; no <= 2; no++) {
        struct sdn_port *port = port_find(p.b, no);
        port->desc.link_down = true;
        net_port_changed(p.s, p.b, port, OFPPR_MODIFY, p.d.now);
    }
    assert_false(pair_is_linked(&p));
    assert_int_equal(p.s->net->hosts_n, 0);
    desk_end(&p.d);
}

static void links_of_the_configuration_are_there_while_both_ports_are_up(void **state)
{
    const struct sdn_static_link fixed = {.dpid = {0xa, 0xb}, .port = {1, 1}};
    struct pair p;

    (void)state;
    desk_config(&p.d, 1);
    p.d.config.link = &fixed;
    p.d.config.n_link = 1;
    desk_start(&p.d);
    p.s = p.d.core[0];
    p.a = desk_switch(&p.d, 0, 0xa, 4);
    p.b = desk_switch(&p.d, 0, 0xb, 4);
    desk_pass(&p.d, 5 * USEC_PER_SEC);
    assert_true(pair_is_linked(&p));
    struct sdn_port *port = port_find(p.b, 1);
    port->desc.link_down = true;
    net_port_changed(p.s, p.b, port, OFPPR_MODIFY, p.d.now);
    assert_false(pair_is_linked(&p));
    port->desc.link_down = false;
    net_port_changed(p.s, p.b, port, OFPPR_MODIFY, p.d.now);
    desk_pass(&p.d, 500 * USEC_PER_MSEC);
    assert_true(pair_is_linked(&p));
    desk_end(&p.d);
}

static void a_storm_of_connections_probes_a_bounded_number_of_ports_a_turn(void **state)
{
    struct desk d;

    (void)state;
    desk_config(&d, 1);
    desk_start(&d);
    for (unsigned i = 0; i < 60; i++) {
        desk_switch(&d, 0, 1 + i, 60);
        desk_mute(&d);
    }
    uint64_t before = d.core[0]->stats.lldp_out;
    d.now += 400 * USEC_PER_MSEC;
    sdn_advance(d.core[0], d.now);
    assert_in_range(d.core[0]->stats.lldp_out - before, 1, 256);
    assert_true(sdn_deadline(d.core[0]) <= d.now);
    desk_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_used_when_both_ends_hear_each_other),
        cmocka_unit_test(a_silent_link_is_lost_within_a_second_and_one_that_is_heard_never),
        cmocka_unit_test(probes_leave_every_port_at_once_and_again),
        cmocka_unit_test(what_is_forged_or_replayed_or_foreign_is_refused),
        cmocka_unit_test(a_second_neighbour_at_a_port_is_not_believed_while_the_first_is_heard),
        cmocka_unit_test(a_hosts_port_is_no_link),
        cmocka_unit_test(a_host_at_a_quiet_port_is_forgotten_when_the_port_is_a_link),
        cmocka_unit_test(a_switch_that_comes_back_at_once_keeps_its_links),
        cmocka_unit_test(a_port_that_goes_down_takes_its_link_and_its_hosts_along),
        cmocka_unit_test(links_of_the_configuration_are_there_while_both_ports_are_up),
        cmocka_unit_test(a_storm_of_connections_probes_a_bounded_number_of_ports_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
