/* Connections of OpenFlow switches: handshakes, wrong orders, cuts, silence, floods. */
#include "lib/sdn_dialogue.h"

/* ---- handshakes ---- */

static void openflow_1_0_is_up_with_its_features(void **state)
{
    struct sdn_who who;
    const uint8_t *m;

    (void)state;
    line_open(&l, &w, OFP_10);
    m = expect(&l, HELLO);
    assert_int_equal(m[0], OFP_VERSION_13);
    assert_null(line_next(&l));
    say_hello(OFP_10);
    m = expect(&l, FEATURES_REQUEST);
    assert_int_equal(m[0], OFP_VERSION_10);
    m = expect(&l, SET_CONFIG);
    assert_int_equal(load_be16(m + 10), 192);
    assert_true(sdn_is_new(w.s, l.conn));
    assert_false(sdn_who(w.s, l.conn, &who));
    say_features(0xabc);
    m = expect(&l, STATS10); /* DESC, and nobody waits for it */
    assert_int_equal(load_be16(m + 8), 0);
    assert_false(sdn_is_new(w.s, l.conn));
    assert_true(sdn_who(w.s, l.conn, &who));
    assert_int_equal(who.dpid, 0xabc);
    assert_int_equal(who.dialect, OFP_10);
    assert_int_equal(who.ports, 4);
    assert_true(who.up);
    assert_ptr_equal(sdn_switch_find(w.s, 0xabc), sdn_switch_of(w.s, l.conn));
    line_close(&l);
    assert_null(sdn_switch_find(w.s, 0xabc));
}

static void openflow_1_3_is_up_with_the_last_part_of_its_ports(void **state)
{
    struct ofp_port ports[2] = {a_port(1), a_port(2)};
    uint8_t b[512];
    uint32_t xid;
    const uint8_t *m;
    size_t n;

    (void)state;
    line_open(&l, &w, OFP_13);
    expect(&l, HELLO);
    say_hello(OFP_13);
    assert_int_equal(expect(&l, FEATURES_REQUEST)[0], OFP_VERSION_13);
    expect(&l, SET_CONFIG);
    say_features(5);
    expect(&l, MULTIPART);
    m = expect(&l, MULTIPART);
    assert_int_equal(load_be16(m + 8), 13);
    xid = load_be32(m + 4);
    n = ofp_emit_port_desc_reply(OFP_13, b, sizeof(b), xid, ports, 1);
    b[11] = 1; /* more follow */
    line_say(&l, b, n);
    assert_true(sdn_is_new(w.s, l.conn));
    line_say(&l, b, ofp_emit_port_desc_reply(OFP_13, b, sizeof(b), xid, ports + 1, 1));
    assert_false(sdn_is_new(w.s, l.conn));
    m = expect(&l, FLOW_MOD); /* the miss entry: table 0, priority 0, to the controller */
    assert_int_equal(m[24], 0);
    assert_int_equal(load_be16(m + 30), 0);
    assert_int_equal(load_be16(m + 48), 1);
    assert_int_equal(load_be32(m + 68), OFPP_CONTROLLER);
    assert_int_equal(sdn_switch_of(w.s, l.conn)->n_ports, 2);
    line_close(&l);
}

static void versions_are_chosen_as_the_specification_says(void **state)
{
    static const struct {
        uint8_t hello[16];
        uint8_t n;
        int version; /* 0: refused */
    } row[] = {
        {{1, 0, 0, 8}, 8, 1},
        {{4, 0, 0, 8}, 8, 4},
        {{6, 0, 0, 8}, 8, 4},
        {{2, 0, 0, 8}, 8, 0},
        {{3, 0, 0, 8}, 8, 0},
        {{4, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x02}, 16, 1},
        {{6, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x52}, 16, 4},
        {{5, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x20}, 16, 0},
        {{0x47, 0x45, 0x54, 0x20, 0x2f, 0x20, 0x48, 0x54}, 8, 0}, /* GET / HT */
        {{1, 10, 0, 8}, 8, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        line_open(&l, &w, OFP_10);
        expect(&l, HELLO);
        assert_int_equal(line_say(&l, row[i].hello, row[i].n), row[i].n);
        if (row[i].version) {
            assert_int_equal(expect(&l, FEATURES_REQUEST)[0], row[i].version);
        } else {
            const uint8_t *m = expect(&l, ERROR);
            assert_int_equal(load_be32(m + 8), 0); /* HELLO_FAILED, INCOMPATIBLE */
            assert_memory_equal(m + 12, "this controller", 15);
            assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_CLOSE);
            assert_true(sdn_why(w.s, l.conn)[0] != 0);
            assert_int_equal(line_say(&l, row[i].hello, 8), 0);
        }
        line_close(&l);
    }
}

static void a_switch_that_refuses_our_hello_is_let_go(void **state)
{
    const uint8_t error[12] = {1, 1, 0, 12};

    (void)state;
    line_open(&l, &w, OFP_10);
    line_say(&l, error, sizeof(error));
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_CLOSE);
    line_close(&l);
}

static void packet_ins_count_from_features_on(void **state)
{
    uint8_t frame[64], b[128], mac[6] = {2, 0, 0, 0, 0, 1};
    size_t n;

    (void)state;
    a_frame(frame, mac, mac);
    n = packet_in_bytes(OFP_10, b, sizeof(b), 1, 1, frame, 64);
    line_open(&l, &w, OFP_10);
    say_hello(OFP_10);
    line_say(&l, b, n);
    assert_int_equal(w.s->stats.packet_ins_dropped, 1);
    assert_int_equal(w.s->macs.used, 0);
    say_features(1);
    line_say(&l, b, n);
    assert_int_equal(w.s->macs.used, 1);
    line_close(&l);
}

/* ---- cuts ---- */

/* Control messages may pass answers to packet-ins; each lane's order is the same. */
static void a_conversation_may_be_cut_anywhere(void **state)
{
    static const enum ofp_dialect dialects[] = {OFP_10, OFP_13};
    static uint8_t b[2048], whole[4096];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        size_t n = conversation(dialects[i], b, sizeof(b)), expected = 0;
        for (size_t cut = n; cut > 0; cut--) {
            line_open(&l, &w, dialects[i]);
            for (size_t at = 0; at < n; at += cut)
                line_say(&l, b + at, cut < n - at ? cut : n - at);
            sdn_check(w.s);
            line_read(&l);
            cookies_forget(&l);
            if (cut == n) {
                memcpy(whole, l.got, l.n);
                expected = l.n;
            }
            assert_int_equal(l.n, expected);
            assert_memory_equal(l.got, whole, l.n);
            line_close(&l);
        }
        assert_true(expected > 200);
        assert_int_equal(w.s->partials.used, 0);
    }
}

/* ---- malformed ---- */

static void wrong_messages_are_answered_by_the_right_error(void **state)
{
    uint8_t b[128] = {1, 0x63, 0, 100, 1, 2, 3, 4, 0xaa};

    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    line_say(&l, b, 100);
    expect_error(&l, 0x01020304, 1, 1, b, 64); /* BAD_REQUEST, BAD_TYPE */
    b[0] = 4;
    line_say(&l, b, 100);
    expect_error(&l, 0x01020304, 1, 0, b, 64); /* BAD_VERSION */
    b[0] = 1;
    b[1] = 14; /* FLOW_MOD: a controller's */
    line_say(&l, b, 100);
    expect_error(&l, 0x01020304, 1, 1, b, 64);
    b[1] = 10; /* PACKET_IN without its fixed part */
    b[3] = 12;
    line_say(&l, b, 12);
    expect_error(&l, 0x01020304, 1, 6, b, 12); /* BAD_LEN */
    b[1] = 6;                                  /* FEATURES_REPLY again */
    say_features(1);
    expect_error(&l, 2, 1, 1, NULL, 0);
    b[1] = 1; /* an ERROR too short is not answered by one */
    b[3] = 8;
    line_say(&l, b, 8);
    assert_null(line_next(&l));
    assert_int_equal(w.s->stats.bad_messages, 6);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_NOTHING);
    b[3] = 7; /* shorter than its header: nobody knows where the next one begins */
    line_say(&l, b, 8);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_CLOSE);
    line_close(&l);
}

static void a_flood_of_wrong_messages_ends_the_connection(void **state)
{
    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    for (unsigned i = 0; i < 64; i++)
        say_type(1, 0x70, i);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_NOTHING);
    say_type(1, 0x70, 65);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_ABORT);
    assert_int_equal(sdn_next_ready(w.s), l.conn);
    line_close(&l);
}

/* ---- silence ---- */

static void echo_is_answered_with_what_it_carried(void **state)
{
    uint8_t b[64];
    const uint8_t *m;

    (void)state;
    line_open(&l, &w, OFP_13);
    line_up(&l, 1);
    line_say(&l, b, ofp_emit(OFP_13, b, sizeof(b), OFP_ECHO_REQUEST, 0x5555, "payload", 7));
    m = expect(&l, ECHO_REPLY);
    assert_int_equal(load_be32(m + 4), 0x5555);
    assert_int_equal(load_be16(m + 2), 15);
    assert_memory_equal(m + 8, "payload", 7);
    line_close(&l);
}

static void silence_is_asked_about_and_then_ends_it(void **state)
{
    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 12; k++)
            world_advance(&w, 500000);
        await(&l, ECHO_REQUEST);
        say_type(1, ECHO_REPLY, 1);
    }
    for (unsigned k = 0; k < 30; k++)
        world_advance(&w, 500000);
    await(&l, ECHO_REQUEST);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_ABORT);
    assert_string_equal(sdn_why(w.s, l.conn), "no answer to an echo request");
    assert_int_equal(w.s->stats.echo_timeouts, 1);
    line_close(&l);
}

static void a_probed_connection_has_a_second_to_answer(void **state)
{
    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    session_probe(w.s, sdn_switch_of(w.s, l.conn));
    expect(&l, ECHO_REQUEST);
    world_advance(&w, 400000);
    say_type(1, ECHO_REPLY, 1);
    world_advance(&w, 700000);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_NOTHING);
    session_probe(w.s, sdn_switch_of(w.s, l.conn));
    world_advance(&w, 1100000);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_ABORT);
    line_close(&l);
}

static void a_handshake_has_its_time(void **state)
{
    (void)state;
    line_open(&l, &w, OFP_10);
    say_hello(OFP_10);
    for (unsigned k = 0; k < 19; k++)
        world_advance(&w, 500000);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_NOTHING);
    world_advance(&w, 500000);
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_ABORT);
    assert_int_equal(w.s->stats.handshake_timeouts, 1);
    line_close(&l);
}

/* ---- limits ---- */

static void connections_and_ports_have_limits(void **state)
{
    static struct sdn_line many[9];
    struct sdn_peer peer = {.port = 1};
    uint8_t b[128];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        line_open(&many[i], &w, OFP_10);
        assert_int_not_equal(many[i].conn, 0);
    }
    assert_int_equal(sdn_open(w.s, SDN_SPEAKS_OPENFLOW, &peer, w.now), 0);
    assert_int_equal(w.s->stats.conns_refused, 1);
    line_up(&many[0], 1);
    /* One that says nothing gives way to those who come later; who has just come does not, nor
     * does a switch. */
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(sdn_do(w.s, many[i].conn), SDN_DO_NOTHING);
    world_advance(&w, 1000000);
    assert_int_equal(sdn_open(w.s, SDN_SPEAKS_OPENFLOW, &peer, w.now), 0);
    unsigned gone = 0;
    for (unsigned i = 1; i < 8; i++)
        gone += sdn_do(w.s, many[i].conn) == SDN_DO_ABORT;
    assert_int_equal(gone, 1);
    assert_int_equal(sdn_do(w.s, many[0].conn), SDN_DO_NOTHING);
    for (uint32_t i = 5; i < 100; i++) {
        struct ofp_port p = a_port(i);
        line_say(&many[0], b, ofp_emit_port_status(OFP_10, b, sizeof(b), 0, OFPPR_ADD, &p));
    }
    assert_int_equal(w.s->ports.used, 64);
    sdn_check(w.s);
    for (unsigned i = 0; i < 8; i++)
        line_close(&many[i]);
    assert_int_equal(w.s->ports.used, 0);
    assert_int_equal(w.s->switches.used, 0);
}

static void who_does_not_read_control_messages_is_cut_off(void **state)
{
    static uint8_t b[60000];
    unsigned n = 0;

    (void)state;
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    memcpy(b, "\1\2\xea\x60\0\0\0\1", 8);
    while (sdn_do(w.s, l.conn) == SDN_DO_NOTHING && n++ < 100)
        line_say(&l, b, sizeof(b));
    assert_int_equal(sdn_do(w.s, l.conn), SDN_DO_ABORT);
    assert_true(n < 10);
    line_close(&l);
    assert_int_equal(chunks_used(w.s), 0);
}

#define A_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(openflow_1_0_is_up_with_its_features),
        A_TEST(openflow_1_3_is_up_with_the_last_part_of_its_ports),
        A_TEST(versions_are_chosen_as_the_specification_says),
        A_TEST(a_switch_that_refuses_our_hello_is_let_go),
        A_TEST(packet_ins_count_from_features_on),
        A_TEST(a_conversation_may_be_cut_anywhere),
        A_TEST(wrong_messages_are_answered_by_the_right_error),
        A_TEST(a_flood_of_wrong_messages_ends_the_connection),
        A_TEST(echo_is_answered_with_what_it_carried),
        A_TEST(silence_is_asked_about_and_then_ends_it),
        A_TEST(a_probed_connection_has_a_second_to_answer),
        A_TEST(a_handshake_has_its_time),
        A_TEST(connections_and_ports_have_limits),
        A_TEST(who_does_not_read_control_messages_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
