/* Connections of OpenFlow switches: output, ends, roles, counters, two of one datapath, events. */
#include "lib/sdn_dialogue.h"

#include "base/rng.h"

/* ---- output ---- */

static void control_messages_leave_before_answers(void **state)
{
    uint8_t frame[64], b[128], all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    struct sdn_out out[2];

    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    a_frame(frame, all, mac);
    line_say(&l, b, packet_in_bytes(OFP_10, b, sizeof(b), 1, 1, frame, 64));
    line_say(&l, b, ofp_emit(OFP_10, b, sizeof(b), OFP_ECHO_REQUEST, 1, NULL, 0));
    assert_true(sdn_output(w.s, l.conn, &out[0]));
    assert_int_equal(out[0].p[1], ECHO_REPLY);
    assert_true(sdn_output(w.s, l.conn, &out[1]));
    assert_int_equal(out[1].p[1], 13);
    assert_false(out[1].alone);
    assert_false(sdn_output(w.s, l.conn, &out[0]));
    /* The transport keeps one beyond the connection's end. */
    sdn_output_done(w.s, &out[1]);
    line_close(&l);
    assert_int_equal(chunks_used(w.s), 1);
    sdn_output_done(w.s, &(struct sdn_out){.chunk = out[0].chunk, .n = 8});
    assert_int_equal(chunks_used(w.s), 0);
}

/* ---- ends ---- */

static void ten_thousand_reconnections_leave_nothing_behind(void **state)
{
    static uint8_t b[2048];
    struct rng r;
    size_t n;

    (void)state;
    rng_init(&r, 7);
    for (unsigned i = 0; i < 10000; i++) {
        enum ofp_dialect d = i & 1 ? OFP_10 : OFP_13;
        n = conversation(d, b, sizeof(b));
        line_open(&l, &w, d);
        assert_int_not_equal(l.conn, 0);
        line_say(&l, b, 1 + rng_below(&r, (uint32_t)n));
        if (rng_chance(&r, 1, 2))
            line_read(&l);
        if (rng_chance(&r, 1, 8))
            world_advance(&w, 1000);
        line_close(&l);
        while (sdn_next_ready(w.s))
            ;
    }
    for (unsigned i = 0; i < 100; i++)
        world_advance(&w, 500000);
    assert_int_equal(w.s->switches.used, 0);
    assert_int_equal(w.s->partials.used, 0);
    assert_int_equal(w.s->descs.used, 0);
    assert_int_equal(w.s->xids.used, 0);
    assert_int_equal(w.s->ports.used, 0);
    assert_int_equal(w.s->macs.used, 0);
    assert_int_equal(chunks_used(w.s), 0);
    assert_int_equal(w.s->stats.conns_closed, 10000);
}

static void an_old_connection_number_means_nothing(void **state)
{
    struct sdn_out out;
    sdn_conn old;

    (void)state;
    line_open(&l, &w, OFP_10);
    old = l.conn;
    line_close(&l);
    line_open(&l, &w, OFP_10);
    assert_int_not_equal(l.conn, old);
    assert_int_equal(sdn_input(w.s, old, (const uint8_t *)"x", 1, w.now), 1);
    assert_false(sdn_output(w.s, old, &out));
    assert_false(sdn_takes_input(w.s, old));
    sdn_closed(w.s, old, w.now);
    assert_true(sdn_takes_input(w.s, l.conn));
    line_close(&l);
}

/* ---- roles, counters, auxiliary connections ---- */

static void say_role(enum ofp_role role, uint64_t generation, uint32_t xid)
{
    const struct ofp_role_msg r = {.role = role, .generation = generation};
    uint8_t b[64];

    line_say(&l, b, ofp_emit_role_reply(OFP_13, b, sizeof(b), xid, &r));
}

static uint32_t expect_role(uint32_t role, uint64_t generation)
{
    const uint8_t *m = expect(&l, ROLE13);

    assert_int_equal(load_be32(m + 8), role);
    assert_int_equal((uint64_t)load_be32(m + 16) << 32 | load_be32(m + 20), generation);
    return load_be32(m + 4);
}

static void a_role_is_asked_for_with_the_next_generation(void **state)
{
    uint8_t b[64];
    struct sdn_switch *sw;
    uint32_t xid;

    (void)state;
    line_open(&l, &w, OFP_13);
    line_up(&l, 1);
    sw = sdn_switch_of(w.s, l.conn);
    assert_true(role_want(w.s, sw, OFP_ROLE_MASTER, 0));
    say_role(OFP_ROLE_EQUAL, 41, load_be32(expect(&l, ROLE13) + 4));
    xid = expect_role(2, 42);
    /* Another controller was quicker: STALE, and once more. */
    line_say(&l, b, ofp_emit_error(OFP_VERSION_13, b, sizeof(b), xid, 11, 0, NULL, 0));
    say_role(OFP_ROLE_SLAVE, 50, load_be32(expect(&l, ROLE13) + 4));
    assert_false(sw->master);
    say_role(OFP_ROLE_MASTER, 51, expect_role(2, 51));
    assert_true(sw->master);
    line_close(&l);
}

static void port_counters_give_rates(void **state)
{
    struct ofp_port_stats st = {.port = 2, .rx_bytes = 1000, .tx_packets = UINT64_MAX};
    struct sdn_switch *sw;
    struct sdn_port *p;
    uint8_t b[256];
    size_t used;
    const uint8_t *m;

    (void)state;
    w.s->config.stats_us = 1000000;
    line_open(&l, &w, OFP_13);
    line_up(&l, 1);
    sw = sdn_switch_of(w.s, l.conn);
    for (unsigned i = 0; i < 2; i++) {
        world_advance(&w, 1000000);
        m = expect(&l, MULTIPART);
        assert_int_equal(load_be16(m + 8), 4);
        line_say(&l, b,
                 ofp_emit_port_stats_reply(OFP_13, b, sizeof(b), load_be32(m + 4), &st, 1, &used));
        st.rx_bytes += 125000;
    }
    p = port_find(sw, 2);
    assert_int_equal(p->rate.rx_bps, 1000000);
    assert_int_equal(p->rate.tx_pps, 0);
    /* A switch that refuses is not asked again. */
    world_advance(&w, 1000000);
    m = expect(&l, MULTIPART);
    line_say(&l, b, ofp_emit_error(OFP_VERSION_13, b, sizeof(b), load_be32(m + 4), 1, 2, NULL, 0));
    for (unsigned i = 0; i < 3; i++)
        world_advance(&w, 1000000);
    while ((m = line_next(&l)) != NULL)
        assert_false(m[1] == MULTIPART && load_be16(m + 8) == 4);
    line_close(&l);
}

/* A counter that is not kept is all ones; a reader of JSON that takes no more than 2^63 - 1 refused
 * the whole list of switches for it. */
static void counters_of_all_ones_can_be_read(void **state)
{
    struct ofp_port_stats st;
    static char text[16384];
    struct sdn_ask q = {.kind = SDN_ASK_SWITCH, .dpid = 1, .buf = text, .cap = sizeof(text) - 1};
    uint8_t b[256];
    const uint8_t *m;
    size_t used;

    (void)state;
    memset(&st, 0xff, sizeof(st));
    st.port = 2;
    w.s->config.stats_us = 1000000;
    line_open(&l, &w, OFP_13);
    line_up(&l, 1);
    world_advance(&w, 1000000);
    m = expect(&l, MULTIPART);
    line_say(&l, b,
             ofp_emit_port_stats_reply(OFP_13, b, sizeof(b), load_be32(m + 4), &st, 1, &used));
    sdn_ask(w.s, &q, w.now);
    assert_ptr_equal(sdn_next_answered(w.s), &q);
    assert_int_equal(q.status, 200);
    text[q.n] = '\0';
    assert_non_null(strstr(text, "\"rx_bytes\":9223372036854775807"));
    assert_null(strstr(text, "18446744073709551615"));
    line_close(&l);
}

/* One switch takes all the ports there are, and says so much about them that nothing else is read
 * in the list of events: another one has its own ports all the same, and is heard of. */
static void a_switch_of_too_many_ports_leaves_others_theirs(void **state)
{
    static struct sdn_line other;
    struct ofp_port p = {.name = "p"};
    const struct event *e;
    unsigned notes = 0;
    struct sdn_switch *sw;

    (void)state;
    line_open(&l, &w, OFP_13);
    line_up(&l, 1);
    sw = sdn_switch_of(w.s, l.conn);
    for (p.no = 10; p.no < 2000; p.no++)
        session_port(w.s, sw, OFPPR_ADD, &p);
    assert_int_equal(sw->n_ports, w.s->config.ports);
    /* A number of an earlier run begins anew. */
    assert_ptr_equal(event_after(w.s, UINT64_MAX), event_after(w.s, 0));
    for (e = event_after(w.s, 0); e; e = event_after(w.s, e->no))
        notes += e->kind == EVENT_PORT || e->kind == EVENT_REFUSED;
    assert_in_range(notes, 1, 32);
    line_open(&other, &w, OFP_10);
    line_up(&other, 2);
    assert_int_equal(sdn_switch_of(w.s, other.conn)->n_ports, 4);
    line_close(&other);
    line_close(&l);
    assert_int_equal(w.s->ports.used, 0);
}

static void an_auxiliary_connection_speaks_for_the_main_one(void **state)
{
    static struct sdn_line aux;
    struct ofp_features f = {.dpid = 1, .buffers = 1, .tables = 1, .auxiliary = 1};
    uint8_t b[256], frame[64], mac[6] = {2, 0, 0, 0, 0, 1};

    (void)state;
    line_open(&l, &w, OFP_13);
    line_up(&l, 1);
    line_open(&aux, &w, OFP_13);
    line_say(&aux, b, hello_bytes(OFP_13, b, sizeof(b)));
    line_say(&aux, b, ofp_emit_features_reply(OFP_13, b, sizeof(b), 2, &f, NULL, 0));
    assert_false(sdn_is_new(w.s, aux.conn));
    assert_ptr_equal(sdn_switch_find(w.s, 1), sdn_switch_of(w.s, l.conn));
    a_frame(frame, mac, mac);
    line_say(&aux, b, packet_in_bytes(OFP_13, b, sizeof(b), 7, 1, frame, 64));
    assert_int_equal(mac_find(&w.s->macs, mac_key(mac, sdn_switch_of(w.s, l.conn)->mac_id), 0), 1);
    /* Whoever calls from elsewhere speaks for nobody. */
    sdn_switch_of(w.s, aux.conn)->peer.ip.w[3] ^= 1;
    mac[5] = 9;
    a_frame(frame, mac, mac);
    line_say(&aux, b, packet_in_bytes(OFP_13, b, sizeof(b), 7, 1, frame, 64));
    assert_int_equal(mac_find(&w.s->macs, mac_key(mac, sdn_switch_of(w.s, l.conn)->mac_id), 0), 0);
    assert_int_equal(w.s->stats.packet_ins_dropped, 1);
    line_close(&l);
    line_say(&aux, b, packet_in_bytes(OFP_13, b, sizeof(b), 7, 1, frame, 64));
    assert_int_equal(w.s->stats.packet_ins_dropped, 2);
    line_close(&aux);
}

/* ---- one datapath, two connections ---- */

/* A second connection claims the datapath of the first, which is asked whether it lives. */
static void a_second_claim(struct sdn_line *first, struct sdn_line *second)
{
    line_open(first, &w, OFP_10);
    line_up(first, 1);
    world_advance(&w, 100000);
    line_open(second, &w, OFP_10);
    line_up(second, 1);
    world_advance(&w, 100000);
    await(first, ECHO_REQUEST);
    assert_ptr_equal(sdn_switch_find(w.s, 1), sdn_switch_of(w.s, first->conn));
}

static void the_first_connection_keeps_its_datapath_while_it_lives(void **state)
{
    static struct sdn_line first, second;
    struct sdn_who who;
    uint8_t reply[8] = {1, ECHO_REPLY, 0, 8};

    (void)state;
    a_second_claim(&first, &second);
    line_say(&first, reply, 8);
    for (unsigned i = 0; i < 30 && sdn_do(w.s, second.conn) == SDN_DO_NOTHING; i++)
        world_advance(&w, 100000);
    assert_int_not_equal(sdn_do(w.s, second.conn), SDN_DO_NOTHING);
    assert_int_equal(sdn_do(w.s, first.conn), SDN_DO_NOTHING);
    assert_true(sdn_who(w.s, first.conn, &who) && who.up);
    assert_true(w.s->stats.duplicates > 0);
    line_close(&second);
    line_close(&first);
}

static void a_silent_connection_loses_its_datapath_to_another(void **state)
{
    static struct sdn_line first, second;
    struct sdn_who who;

    (void)state;
    a_second_claim(&first, &second);
    for (unsigned i = 0; i < 30 && sdn_do(w.s, first.conn) == SDN_DO_NOTHING; i++)
        world_advance(&w, 100000);
    assert_int_equal(sdn_do(w.s, first.conn), SDN_DO_ABORT);
    line_close(&first);
    for (unsigned i = 0; i < 10; i++)
        world_advance(&w, 100000);
    assert_int_equal(sdn_do(w.s, second.conn), SDN_DO_NOTHING);
    assert_true(sdn_who(w.s, second.conn, &who) && who.up);
    line_close(&second);
}

static void the_last_events_are_kept_by_number(void **state)
{
    const struct event *e;
    uint64_t no = 0;
    unsigned n = 0;

    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 0x77);
    line_close(&l);
    e = event_after(w.s, 0);
    assert_non_null(e);
    assert_string_equal(event_kind_name(e->kind), "switch_up");
    assert_int_equal(e->dpid, 0x77);
    for (unsigned i = 0; i < 3000; i++)
        event_note(w.s, EVENT_COMMAND, i, 0, "text");
    for (; (e = event_after(w.s, no)) != NULL; no = e->no, n++)
        assert_true(e->no > no);
    assert_int_equal(n, 1024);
    assert_int_equal(no, w.s->stats.conns_closed + 3000 + 1);
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(control_messages_leave_before_answers),
        A_TEST(ten_thousand_reconnections_leave_nothing_behind),
        A_TEST(an_old_connection_number_means_nothing),
        A_TEST(a_role_is_asked_for_with_the_next_generation),
        A_TEST(port_counters_give_rates),
        A_TEST(counters_of_all_ones_can_be_read),
        A_TEST(a_switch_of_too_many_ports_leaves_others_theirs),
        A_TEST(an_auxiliary_connection_speaks_for_the_main_one),
        A_TEST(the_first_connection_keeps_its_datapath_while_it_lives),
        A_TEST(a_silent_connection_loses_its_datapath_to_another),
        A_TEST(the_last_events_are_kept_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
