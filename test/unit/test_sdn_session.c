/* Connections of OpenFlow switches: handshakes, wrong orders, cuts, silence, floods, ends. */
#include "lib/sdn_world.h"

#include "base/rng.h"

enum {
    HELLO = 0,
    ERROR = 1,
    ECHO_REQUEST = 2,
    ECHO_REPLY = 3,
    FEATURES_REQUEST = 5,
    SET_CONFIG = 9
};
enum { FLOW_MOD = 14, STATS10 = 16, MULTIPART = 18, ROLE13 = 24 };

static struct sdn_world w;
static struct sdn_line l;

static int begin(void **state)
{
    struct sdn_config c = world_config();

    (void)state;
    world_open(&w, &c);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static const uint8_t *expect(struct sdn_line *from, unsigned type)
{
    const uint8_t *m = line_next(from);

    assert_non_null(m);
    assert_int_equal(m[1], type);
    return m;
}

/* The same, behind whatever else it is told or asked meanwhile. */
static const uint8_t *await(struct sdn_line *from, unsigned type)
{
    const uint8_t *m;

    while ((m = line_next(from)) != NULL && m[1] != type)
        ;
    assert_non_null(m);
    return m;
}

static void expect_error(struct sdn_line *from, uint32_t xid, unsigned type, unsigned code,
                         const uint8_t *data, size_t n)
{
    const uint8_t *m = expect(from, ERROR);

    assert_int_equal(load_be32(m + 4), xid);
    assert_int_equal(load_be16(m + 8), type);
    assert_int_equal(load_be16(m + 10), code);
    if (data) {
        assert_int_equal(load_be16(m + 2), 12 + n);
        assert_memory_equal(m + 12, data, n);
    }
}

static void say_hello(enum ofp_dialect d)
{
    uint8_t b[64];

    line_say(&l, b, hello_bytes(d, b, sizeof(b)));
}

static void say_features(uint64_t dpid)
{
    uint8_t b[512];

    line_say(&l, b, features_bytes(l.dialect, dpid, 2, b, sizeof(b)));
}

static void say_type(uint8_t version, uint8_t type, uint32_t xid)
{
    uint8_t b[8] = {version, type, 0, 8};

    store_be32(b + 4, xid);
    line_say(&l, b, sizeof(b));
}

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

static size_t conversation(enum ofp_dialect d, uint8_t *b, size_t cap)
{
    struct ofp_port ports[4];
    uint8_t frame[64], mac[6] = {2, 0, 0, 0, 0, 1}, other[6] = {2, 0, 0, 0, 0, 2};
    size_t n = hello_bytes(d, b, cap);

    n += features_bytes(d, 9, 2, b + n, cap - n);
    for (uint32_t i = 0; i < 4; i++)
        ports[i] = a_port(i + 1);
    if (d == OFP_13) /* our numbers: 1 HELLO, 2 FEATURES_REQUEST, 3 SET_CONFIG, 4 DESC, 5 */
        n += ofp_emit_port_desc_reply(OFP_13, b + n, cap - n, 5, ports, 4);
    a_frame(frame, other, mac);
    n += packet_in_bytes(d, b + n, cap - n, 1, 1, frame, 64);
    n += ofp_emit(d, b + n, cap - n, OFP_ECHO_REQUEST, 77, "echo", 4);
    a_frame(frame, mac, other);
    n += packet_in_bytes(d, b + n, cap - n, 2, 2, frame, 64);
    n += ofp_emit_port_status(d, b + n, cap - n, 0, OFPPR_ADD, &(struct ofp_port){.no = 9});
    b[n] = d == OFP_10 ? OFP_VERSION_10 : OFP_VERSION_13; /* no such type */
    memcpy(b + n + 1, "\x63\0\x0a\0\0\0\x4d??", 9);
    n += 10;
    n += packet_in_bytes(d, b + n, cap - n, 3, 2, frame, 64);
    return n;
}

/* Flows say which connection of their switch they are of; here that makes no difference. */
static void cookies_forget(struct sdn_line *line)
{
    for (size_t at = 0; at + 8 <= line->n; at += load_be16(line->got + at + 2))
        if (line->got[at + 1] == 14)
            memset(line->got + at + (line->dialect == OFP_10 ? 48 : 8), 0, 8);
}

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
    line_close(&l);
    line_say(&aux, b, packet_in_bytes(OFP_13, b, sizeof(b), 7, 1, frame, 64));
    assert_int_equal(w.s->stats.packet_ins_dropped, 1);
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
        A_TEST(control_messages_leave_before_answers),
        A_TEST(ten_thousand_reconnections_leave_nothing_behind),
        A_TEST(an_old_connection_number_means_nothing),
        A_TEST(a_role_is_asked_for_with_the_next_generation),
        A_TEST(port_counters_give_rates),
        A_TEST(an_auxiliary_connection_speaks_for_the_main_one),
        A_TEST(the_first_connection_keeps_its_datapath_while_it_lives),
        A_TEST(a_silent_connection_loses_its_datapath_to_another),
        A_TEST(the_last_events_are_kept_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
