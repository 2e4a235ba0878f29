/* Packet-ins on the short way, in learn mode. */
#include "lib/sdn_world.h"

static const uint8_t told[6] = {0x80, 0, 0, 0, 0, 1}; /* cbench's destination */
static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void host(uint8_t mac[6], uint32_t i)
{
    const uint8_t m[6] = {0, (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16), (uint8_t)(i >> 24),
                          1};

    memcpy(mac, m, 6);
}

static void say_probe(struct sdn_line *l, uint32_t buffer, uint32_t port, const uint8_t *dst,
                      const uint8_t *src)
{
    uint8_t frame[64], b[256];
    size_t n;

    a_frame(frame, dst, src);
    n = packet_in_bytes(l->dialect, b, sizeof(b), buffer, port, frame, sizeof(frame));
    assert_int_equal(line_say(l, b, n), n);
}

/* The next message that answers a packet-in. */
static const uint8_t *answer(struct sdn_line *l)
{
    const uint8_t *m;

    while ((m = line_next(l)) != NULL) {
        bool add = m[1] == 14 && (l->dialect == OFP_10 ? load_be16(m + 56) : m[25]) == OFPFC_ADD;
        if (m[1] == 13 || add)
            break;
    }
    return m;
}

/* The next message answers a flood: a PACKET_OUT to everybody. */
static void expect_flood(struct sdn_line *l, uint32_t buffer)
{
    const uint8_t *m = answer(l);

    assert_non_null(m);
    assert_int_equal(m[1], 13);
    assert_int_equal(load_be32(m + 8), buffer);
}

static struct ofp_flow expected_flow(uint32_t buffer, uint32_t in, const uint8_t *dst,
                                     const uint8_t *src, uint16_t vlan, uint32_t out)
{
    struct sdn_config c = world_config();
    struct ofp_flow f;

    ofp_flow_init(&f);
    f.command = OFPFC_ADD;
    f.buffer_id = buffer;
    f.idle_timeout = c.flow_idle_s;
    f.hard_timeout = c.flow_hard_s;
    f.priority = c.flow_priority;
    ofp_match_set_u64(&f.match, OFPF_IN_PORT, in);
    ofp_match_set(&f.match, OFPF_ETH_DST, dst, NULL);
    ofp_match_set(&f.match, OFPF_ETH_SRC, src, NULL);
    ofp_match_set_u64(&f.match, OFPF_VLAN_VID, vlan);
    f.do_.apply.n = 1;
    f.do_.apply.a[0] = (struct ofp_action){.type = OFPA_OUTPUT, .port = out};
    return f;
}

static void expect_flow(struct sdn_line *l, const struct ofp_flow *f)
{
    const uint8_t *m = answer(l), *cookie = m + (l->dialect == OFP_10 ? 48 : 8);
    struct ofp_flow ours = *f;
    uint8_t b[256];

    /* Whose it is; the rest of the cookie is this connection's. */
    assert_non_null(m);
    assert_int_equal(load_be16(cookie), FLOW_MAGIC);
    ours.cookie = (uint64_t)load_be32(cookie) << 32 | load_be32(cookie + 4);
    size_t n = ofp_emit_flow_mod(l->dialect, b, sizeof(b), load_be32(m + 4), &ours);
    assert_int_equal(load_be16(m + 2), n);
    assert_memory_equal(m, b, n);
}

static void in_both_dialects(void (*body)(struct sdn_line *l))
{
    static const enum ofp_dialect dialects[] = {OFP_10, OFP_13};
    static struct sdn_line l;

    for (unsigned i = 0; i < 2; i++) {
        struct sdn_world w;
        struct sdn_config c = world_config();

        world_open(&w, &c);
        line_open(&l, &w, dialects[i]);
        line_up(&l, 1);
        body(&l);
        assert_null(answer(&l));
        line_close(&l);
        world_close(&w);
    }
}

static void probe_body(struct sdn_line *l)
{
    uint8_t mac[6];

    say_probe(l, OFP_NO_BUFFER, 2, all, told);
    expect_flood(l, OFP_NO_BUFFER);
    for (uint32_t i = 1; i < 200; i++) {
        host(mac, i % 50);
        say_probe(l, i, 1, told, mac);
        struct ofp_flow f = expected_flow(i, 1, told, mac, 0, 2);
        expect_flow(l, &f);
        if (l->dialect == OFP_10)
            assert_int_equal(l->got[l->at - 77], 80);
    }
    assert_int_equal(l->w->s->stats.macs_learnt, 51);
    assert_int_equal(l->w->s->stats.packet_ins, 200);
    assert_int_equal(l->w->s->stats.packet_ins_fast, 149);
}

static void a_probe_is_answered_by_one_flow_mod_with_its_buffer(void **state)
{
    (void)state;
    in_both_dialects(probe_body);
}

static void no_buffer_body(struct sdn_line *l)
{
    const uint8_t src[6] = {2, 0, 0, 0, 0, 9};
    uint8_t frame[64];
    const uint8_t *m;

    say_probe(l, 7, 2, all, told);
    expect_flood(l, 7);
    say_probe(l, OFP_NO_BUFFER, 1, told, src);
    struct ofp_flow f = expected_flow(OFP_NO_BUFFER, 1, told, src, 0, 2);
    expect_flow(l, &f);
    m = answer(l);
    assert_non_null(m);
    assert_int_equal(m[1], 13);
    a_frame(frame, told, src);
    assert_memory_equal(m + load_be16(m + 2) - 64, frame, 64);
}

static void without_a_buffer_the_frame_follows_the_flow(void **state)
{
    (void)state;
    in_both_dialects(no_buffer_body);
}

static void moved_body(struct sdn_line *l)
{
    const uint8_t src[6] = {2, 0, 0, 0, 0, 9};

    say_probe(l, 1, 2, all, told);
    expect_flood(l, 1);
    say_probe(l, 2, 1, told, src);
    struct ofp_flow f = expected_flow(2, 1, told, src, 0, 2);
    expect_flow(l, &f);
    say_probe(l, 3, 3, all, told);
    expect_flood(l, 3);
    say_probe(l, 4, 1, told, src);
    f = expected_flow(4, 1, told, src, 0, 3);
    expect_flow(l, &f);
    assert_int_equal(l->w->s->stats.macs_moved, 1);
}

static void a_host_that_moved_is_found_at_its_new_port(void **state)
{
    (void)state;
    in_both_dialects(moved_body);
}

static void down_body(struct sdn_line *l)
{
    const uint8_t src[6] = {2, 0, 0, 0, 0, 9};
    struct ofp_port p = a_port(2);
    uint8_t b[256];

    say_probe(l, 1, 2, all, told);
    expect_flood(l, 1);
    p.link_down = true;
    p.state = 1;
    line_say(l, b, ofp_emit_port_status(l->dialect, b, sizeof(b), 0, OFPPR_MODIFY, &p));
    say_probe(l, 2, 1, told, src);
    expect_flood(l, 2);
    p.link_down = false;
    p.state = 0;
    line_say(l, b, ofp_emit_port_status(l->dialect, b, sizeof(b), 0, OFPPR_MODIFY, &p));
    say_probe(l, 3, 1, told, src);
    struct ofp_flow f = expected_flow(3, 1, told, src, 0, 2);
    expect_flow(l, &f);
    line_say(l, b, ofp_emit_port_status(l->dialect, b, sizeof(b), 0, OFPPR_DELETE, &p));
    say_probe(l, 4, 1, told, src);
    expect_flood(l, 4);
}

static void nothing_is_sent_to_a_port_that_is_down_or_gone(void **state)
{
    (void)state;
    in_both_dialects(down_body);
}

static void vlan_body(struct sdn_line *l)
{
    const uint8_t src[6] = {2, 0, 0, 0, 0, 9};
    uint8_t frame[64], b[256];

    say_probe(l, 1, 2, all, told);
    expect_flood(l, 1);
    a_frame(frame, told, src);
    store_be16(frame + 12, 0x8100);
    store_be16(frame + 14, 0xe005);
    line_say(l, b, packet_in_bytes(l->dialect, b, sizeof(b), 2, 1, frame, 64));
    expect_flood(l, 2); /* in VLAN 5 nobody has heard of it */
    a_frame(frame, all, told);
    store_be16(frame + 12, 0x8100);
    store_be16(frame + 14, 5);
    line_say(l, b, packet_in_bytes(l->dialect, b, sizeof(b), 3, 4, frame, 64));
    expect_flood(l, 3);
    a_frame(frame, told, src);
    store_be16(frame + 12, 0x8100);
    store_be16(frame + 14, 0xe005);
    line_say(l, b, packet_in_bytes(l->dialect, b, sizeof(b), 4, 1, frame, 64));
    struct ofp_flow f = expected_flow(4, 1, told, src, OFP_VLAN_PRESENT | 5, 4);
    expect_flow(l, &f);
    say_probe(l, 5, 1, told, src);
    f = expected_flow(5, 1, told, src, 0, 2);
    expect_flow(l, &f);
}

/* A tag that carries a priority and no VLAN (IEEE 802.1Q, 9.6) is a tag. */
static void priority_body(struct sdn_line *l)
{
    const uint8_t src[6] = {2, 0, 0, 0, 0, 9};
    uint8_t frame[64], b[256];

    say_probe(l, 1, 2, all, told);
    expect_flood(l, 1);
    a_frame(frame, told, src);
    store_be16(frame + 12, 0x8100);
    store_be16(frame + 14, 0xe000);
    line_say(l, b, packet_in_bytes(l->dialect, b, sizeof(b), 2, 1, frame, 64));
    struct ofp_flow f = expected_flow(2, 1, told, src, OFP_VLAN_PRESENT, 2);
    expect_flow(l, &f);
}

static void a_frame_with_a_priority_and_no_vlan_gets_a_flow_that_it_matches(void **state)
{
    (void)state;
    in_both_dialects(priority_body);
}

static void each_vlan_has_addresses_of_its_own(void **state)
{
    (void)state;
    in_both_dialects(vlan_body);
}

static void odd_body(struct sdn_line *l)
{
    const uint8_t src[6] = {2, 0, 0, 0, 0, 9}, lldp[6] = {1, 0x80, 0xc2, 0, 0, 14};
    const uint8_t group[6] = {3, 0, 0, 0, 0, 9};
    uint8_t b[256];
    const uint8_t *m;

    say_probe(l, 1, 1, src, told); /* unknown: flooded; then its neighbour at the same port */
    expect_flood(l, 1);
    say_probe(l, 2, 1, told, src);
    m = answer(l);
    assert_non_null(m); /* a PACKET_OUT without actions lets the buffer go */
    assert_int_equal(m[1], 13);
    assert_int_equal(load_be16(m + 2), l->dialect == OFP_10 ? 16 : 24);
    say_probe(l, OFP_NO_BUFFER, 1, told, src);
    say_probe(l, OFP_NO_BUFFER, 1, lldp, src);
    line_say(l, b, packet_in_bytes(l->dialect, b, sizeof(b), 3, 1, src, 6));
    assert_null(answer(l));
    assert_int_equal(l->w->s->stats.packet_ins_dropped, 1);
    say_probe(l, 4, 1, all, group); /* a group is nobody's source */
    expect_flood(l, 4);
    say_probe(l, 5, 999, all, all + 0);
    expect_flood(l, 5);
    assert_int_equal(l->w->s->macs.used, 2);
}

static void odd_frames_are_dropped_or_flooded(void **state)
{
    (void)state;
    in_both_dialects(odd_body);
}

/* Many packet-ins in one call, cut at any byte, give the same answers. */
static void burst_body(struct sdn_line *l)
{
    enum { N = 100 };
    static uint8_t b[N * 128];
    uint8_t mac[6], frame[64];
    size_t n = 0;

    say_probe(l, 1, 2, all, told);
    expect_flood(l, 1);
    for (uint32_t i = 0; i < N; i++) {
        host(mac, i);
        a_frame(frame, told, mac);
        n += packet_in_bytes(l->dialect, b + n, sizeof(b) - n, i, 1, frame, 64);
    }
    for (size_t cut = 1; cut < 300; cut += cut < 180 ? 1 : 37) {
        for (size_t at = 0; at < n; at += cut)
            assert_int_equal(line_say(l, b + at, cut < n - at ? cut : n - at),
                             cut < n - at ? cut : n - at);
        for (uint32_t i = 0; i < N; i++) {
            host(mac, i);
            struct ofp_flow f = expected_flow(i, 1, told, mac, 0, 2);
            expect_flow(l, &f);
        }
        assert_null(answer(l));
    }
    assert_int_equal(l->w->s->macs.used, N + 1);
}

static void bursts_cut_anywhere_give_the_same_answers(void **state)
{
    (void)state;
    in_both_dialects(burst_body);
}

/* A switch that does not read its answers is not read either; nothing is lost when it reads
 * again. */
static void full_body(struct sdn_line *l)
{
    enum { N = 3000 };
    static uint8_t b[N * 128];
    uint8_t mac[6], frame[64];
    size_t n = 0, at = 0, k;
    uint32_t next = 0;
    const uint8_t *m;

    say_probe(l, 1, 2, all, told);
    expect_flood(l, 1);
    for (uint32_t i = 0; i < N; i++) {
        host(mac, i % 100);
        a_frame(frame, told, mac);
        n += packet_in_bytes(l->dialect, b + n, sizeof(b) - n, i, 1, frame, 64);
    }
    for (unsigned round = 0; at < n; round++) {
        k = line_say(l, b + at, n - at);
        assert_true(k > 0 || round > 0);
        at += k;
        assert_true(sdn_takes_input(l->w->s, l->conn) == (at == n));
        assert_int_equal(line_say(l, b + at, n - at), 0);
        while ((m = answer(l)) != NULL) {
            assert_int_equal(m[1], 14);
            assert_int_equal(load_be32(m + (l->dialect == OFP_10 ? 64 : 32)), next++);
        }
        assert_true(sdn_takes_input(l->w->s, l->conn));
        assert_true(at == n || sdn_next_ready(l->w->s) == l->conn);
    }
    assert_int_equal(next, N);
    assert_true(l->w->s->stats.chunks_full > 0);
}

static void a_switch_that_does_not_read_waits_and_loses_nothing(void **state)
{
    (void)state;
    in_both_dialects(full_body);
}

/* The same on the long way: every packet-in is from a host nobody has seen, in network mode. */
static void new_hosts_wait_for_room_and_are_all_answered(void **state)
{
    enum { N = 3000 };
    static uint8_t b[N * 128];
    static struct sdn_line l;
    struct sdn_config c = world_config();
    struct sdn_world w;
    uint8_t mac[6], frame[64];
    size_t n = 0, at = 0;
    uint32_t next = 0;
    const uint8_t *m;

    (void)state;
    c.mode = SDN_NETWORK;
    c.hosts = c.macs = 2 * N;
    world_open(&w, &c);
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    say_probe(&l, OFP_NO_BUFFER, 2, all, told);
    while (line_next(&l) != NULL)
        continue;
    for (uint32_t i = 0; i < N; i++) {
        host(mac, i);
        a_frame(frame, told, mac);
        n += packet_in_bytes(l.dialect, b + n, sizeof(b) - n, i, 1, frame, 64);
    }
    for (unsigned round = 0; at < n; round++) {
        assert_true(round < 1000);
        at += line_say(&l, b + at, n - at);
        while ((m = answer(&l)) != NULL) {
            assert_int_equal(m[1], 14);
            assert_int_equal(load_be32(m + 64), next++);
        }
    }
    assert_int_equal(next, N);
    assert_true(w.s->stats.chunks_full > 0);
    assert_int_equal(w.s->stats.packet_ins_dropped, 0);
    assert_int_equal(w.s->stats.packet_ins, N + 1);
    line_close(&l);
    world_close(&w);
}

/* At edge ports its first word is answered as all later ones, in a burst too; one that comes from
 * elsewhere is answered before somebody is asked whether it has moved (sdn_sim, seed 25: the
 * question stood in the middle of the answers). */
static void first_words_at_edge_ports_are_answered_in_their_order(void **state)
{
    enum { N = 40 };
    static struct sdn_line l;
    struct sdn_config c = world_config();
    struct sdn_world w;
    uint8_t mac[6], frame[64], b[4 * N * 128];
    const uint8_t *m;
    size_t n = 0;

    (void)state;
    c.mode = SDN_NETWORK;
    c.hosts = c.macs = 4 * N;
    world_open(&w, &c);
    line_open(&l, &w, OFP_10);
    line_up(&l, 1);
    world_advance(&w, 2 * c.quiet_us);
    say_probe(&l, 0, 2, all, told);
    while (line_next(&l) != NULL)
        continue;
    for (uint32_t i = 0; i < 4 * N; i++) {
        host(mac, i % (2 * N));
        a_frame(frame, told, mac);
        n += packet_in_bytes(l.dialect, b + n, sizeof(b) - n, i, i < 3 * N ? 1 : 3, frame, 64);
    }
    assert_int_equal(line_say(&l, b, n), n);
    for (uint32_t i = 0; i < 4 * N; i++) {
        do
            m = answer(&l);
        while (m && m[1] == 13); /* the question */
        assert_non_null(m);
        assert_int_equal(m[1], 14);
        assert_int_equal(load_be32(m + 64), i);
    }
    assert_int_equal(w.s->net->hosts_n, 2 * N + 1);
    assert_int_equal(w.s->stats.packet_ins_fast, N);
    assert_int_equal(w.s->stats.packet_ins_dropped, 0);
    line_close(&l);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_is_answered_by_one_flow_mod_with_its_buffer),
        cmocka_unit_test(without_a_buffer_the_frame_follows_the_flow),
        cmocka_unit_test(a_host_that_moved_is_found_at_its_new_port),
        cmocka_unit_test(nothing_is_sent_to_a_port_that_is_down_or_gone),
        cmocka_unit_test(each_vlan_has_addresses_of_its_own),
        cmocka_unit_test(a_frame_with_a_priority_and_no_vlan_gets_a_flow_that_it_matches),
        cmocka_unit_test(odd_frames_are_dropped_or_flooded),
        cmocka_unit_test(bursts_cut_anywhere_give_the_same_answers),
        cmocka_unit_test(a_switch_that_does_not_read_waits_and_loses_nothing),
        cmocka_unit_test(new_hosts_wait_for_room_and_are_all_answered),
        cmocka_unit_test(first_words_at_edge_ports_are_answered_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
