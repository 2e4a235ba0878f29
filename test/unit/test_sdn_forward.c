/* Packet-ins on the long way, and the flows of earlier days. */
#include "lib/cmocka_first.h"

#include "lib/sdn_desk.h"

/* Two switches with a link between their ports 1; host 2 at port 2 of a, host 3 at port 3 of b. */
struct yard {
    struct desk d;
    struct sdn *s;
    struct sdn_switch *a, *b;
    /* What was said to a switch: the last of each, and how many. */
    struct ofp_flow flow;
    struct ofp_packet_out out;
    uint8_t frame[256];
    unsigned flows, outs, deletes;
};

static const struct mac_addr mac2 = {{2, 0, 0, 0, 0, 2}}, mac3 = {{2, 0, 0, 0, 0, 3}},
                             mac4 = {{2, 0, 0, 0, 0, 4}},
                             broadcast = {{255, 255, 255, 255, 255, 255}};

static void message(struct yard *y, const uint8_t *p, size_t n)
{
    struct ofp_msg m;
    uint32_t need;

    assert_int_equal(ofp_frame(OFP_13, OFP_FROM_CONTROLLER, p, n, &m, &need), OFP_OK);
    if (m.kind == OFP_FLOW_MOD) {
        assert_int_equal(ofp_parse_flow_mod(OFP_13, &m, &y->flow), OFP_OK);
        y->flows += y->flow.command == OFPFC_ADD;
        y->deletes += y->flow.command != OFPFC_ADD;
    } else if (m.kind == OFP_PACKET_OUT) {
        struct ofp_packet_out o;
        assert_int_equal(ofp_parse_packet_out(OFP_13, &m, &o), OFP_OK);
        if (o.frame_len >= 14 && load_be16(o.frame + 12) == 0x88cc)
            return;
        y->out = o;
        memcpy(y->frame, o.frame, o.frame_len < sizeof(y->frame) ? o.frame_len : 0);
        y->outs++;
    }
}

/* Everything that is said to sw. */
static void listen(struct yard *y, const struct sdn_switch *sw)
{
    struct sdn_out out;

    y->flows = y->outs = y->deletes = 0;
    while (sdn_output(y->s, sw->conn, &out)) {
        for (uint32_t at = 0; at < out.n; at += load_be16(out.p + at + 2))
            message(y, out.p + at, out.n - at);
        sdn_output_done(y->s, &out);
    }
}

static void yard_make(struct yard *y)
{
    memset(y, 0, sizeof(*y));
    desk_config(&y->d, 1);
    y->d.config.link_us = 3600 * USEC_PER_SEC / 2;
    desk_start(&y->d);
    y->s = y->d.core[0];
    y->a = desk_switch(&y->d, 0, 0xa, 4);
    y->b = desk_switch(&y->d, 0, 0xb, 4);
    desk_probe(&y->d, y->a, 1, y->s, y->b, 1);
    desk_probe(&y->d, y->b, 1, y->s, y->a, 1);
    desk_pass(&y->d, 2 * USEC_PER_SEC);
    host_seen(y->s, y->a, port_find(y->a, 2), &mac2, 0, be32_of(0x0a000002), y->d.now);
    host_seen(y->s, y->b, port_find(y->b, 3), &mac3, 0, be32_of(0x0a000003), y->d.now);
}

static void arrive(struct yard *y, struct sdn_switch *sw, uint32_t port, const uint8_t *f, size_t n,
                   uint32_t buffer)
{
    const struct ofp_packet_in p = {.buffer_id = buffer,
                                    .in_port = port,
                                    .total_len = (uint16_t)n,
                                    .frame = f,
                                    .frame_len = (uint32_t)n};

    forward_slow(y->s, sw, &p, y->d.now);
    listen(y, sw);
}

static size_t frame(uint8_t *b, const struct mac_addr *from, const struct mac_addr *to,
                    uint16_t vlan, uint16_t type)
{
    const struct eth_hdr h = {
        .src = *from, .dst = *to, .vlan = vlan, .has_vlan = vlan != 0, .ethertype = type};

    memset(b, 0, 64);
    eth_emit(b, &h);
    return 64;
}

static uint64_t match_of(const struct yard *y, enum ofp_field f)
{
    const struct ofp_tlv *t = ofp_match_find(&y->flow.match, f);

    assert_non_null(t);
    return ofp_tlv_u64(t);
}

static void a_known_destination_takes_one_flow_with_the_buffer(void **state)
{
    struct yard y;
    uint8_t b[64];
    size_t n = frame(b, &mac2, &mac3, 0, 0x800);

    (void)state;
    yard_make(&y);
    arrive(&y, y.a, 2, b, n, 77);
    assert_int_equal(y.flows, 1);
    assert_int_equal(y.outs, 0);
    assert_int_equal(y.flow.buffer_id, 77);
    assert_int_equal(match_of(&y, OFPF_IN_PORT), 2);
    assert_int_equal(match_of(&y, OFPF_VLAN_VID), 0);
    assert_int_equal(y.flow.do_.apply.a[0].port, 1);
    assert_int_equal(y.flow.cookie >> 48, FLOW_MAGIC);
    assert_int_equal(y.flow.cookie & FLOW_TO_MASK, y.b->net);
    arrive(&y, y.b, 1, b, n, OFP_NO_BUFFER);
    assert_int_equal(y.flows, 1);
    assert_int_equal(y.outs, 1);
    assert_int_equal(y.flow.do_.apply.a[0].port, 3);
    assert_int_equal(y.out.actions.a[0].port, 3);
    assert_memory_equal(y.frame, b, n);
    desk_end(&y.d);
}

static void nothing_leaves_by_the_port_it_came_in_by(void **state)
{
    struct yard y;
    uint8_t b[64];

    (void)state;
    yard_make(&y);
    arrive(&y, y.b, 3, b, frame(b, &mac4, &mac3, 0, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.flows + y.outs, 0);
    arrive(&y, y.b, 1, b, frame(b, &mac4, &mac2, 0, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.flows + y.outs, 0);
    assert_int_equal(y.s->stats.no_path, 1);
    desk_end(&y.d);
}

static void a_broadcast_takes_the_tree_and_every_edge_but_where_it_came_from(void **state)
{
    struct yard y;
    uint8_t b[64];

    (void)state;
    yard_make(&y);
    arrive(&y, y.a, 2, b, frame(b, &mac2, &broadcast, 0, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.outs, 1);
    assert_int_equal(y.out.actions.n, 3);
    assert_int_equal(y.out.actions.a[0].port, 1);
    assert_int_equal(y.out.actions.a[1].port, 3);
    assert_int_equal(y.out.actions.a[2].port, 4);
    /* The same by another port: it has gone in a circle. */
    arrive(&y, y.a, 4, b, 64, OFP_NO_BUFFER);
    assert_int_equal(y.outs, 0);
    assert_int_equal(y.s->net->hosts_n, 2);
    /* For the switch itself: never forwarded. */
    const struct mac_addr bridge = {{1, 0x80, 0xc2, 0, 0, 0}};
    arrive(&y, y.a, 2, b, frame(b, &mac2, &bridge, 0, 0x27), OFP_NO_BUFFER);
    assert_int_equal(y.outs, 0);
    desk_end(&y.d);
}

static void vlans_are_told_apart(void **state)
{
    struct yard y;
    uint8_t b[64];

    (void)state;
    yard_make(&y);
    /* The same address in VLAN 7 lives elsewhere. */
    arrive(&y, y.a, 3, b, frame(b, &mac3, &broadcast, 7, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.s->net->hosts_n, 3);
    arrive(&y, y.b, 2, b, frame(b, &mac4, &mac3, 0x2007, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.flows, 1);
    assert_int_equal(y.flow.do_.apply.a[0].port, 1);
    assert_int_equal(match_of(&y, OFPF_VLAN_VID), 0x1007);
    arrive(&y, y.b, 2, b, frame(b, &mac4, &mac3, 0, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.flow.do_.apply.a[0].port, 3);
    desk_end(&y.d);
}

static size_t arp(uint8_t *b, const struct mac_addr *from, uint32_t spa, uint32_t tpa,
                  uint16_t vlan)
{
    const struct arp_pkt a = {
        .op = ARP_REQUEST, .sha = *from, .spa = be32_of(spa), .tpa = be32_of(tpa)};

    frame(b, from, &broadcast, vlan, ETHTYPE_ARP);
    arp_emit(b + (vlan ? 18 : 14), &a);
    return 64;
}

static void a_request_for_a_known_address_is_answered_and_others_are_passed_on(void **state)
{
    struct yard y;
    struct arp_pkt got;
    uint8_t b[64];

    (void)state;
    yard_make(&y);
    arrive(&y, y.a, 2, b, arp(b, &mac2, 0x0a000002, 0x0a000003, 0), OFP_NO_BUFFER);
    assert_int_equal(y.outs, 1);
    assert_int_equal(y.out.actions.n, 1);
    assert_int_equal(y.out.actions.a[0].port, 2);
    assert_memory_equal(y.frame, mac2.b, 6);
    assert_memory_equal(y.frame + 6, mac3.b, 6);
    assert_int_equal(arp_parse(&got, y.frame + 14, 28), WIRE_OK);
    assert_int_equal(got.op, ARP_REPLY);
    assert_int_equal(be32_get(got.spa), 0x0a000003);
    assert_int_equal(be32_get(got.tpa), 0x0a000002);
    assert_memory_equal(got.sha.b, mac3.b, 6);
    assert_int_equal(y.s->stats.arp_answered, 1);
    /* Unknown; of another VLAN; for itself. */
    arrive(&y, y.a, 2, b, arp(b, &mac2, 0x0a000002, 0x0a000009, 0), OFP_NO_BUFFER);
    assert_int_equal(y.out.actions.n, 3);
    arrive(&y, y.a, 2, b, arp(b, &mac2, 0x0a000002, 0x0a000003, 5), OFP_NO_BUFFER);
    assert_int_equal(y.out.actions.n, 3);
    arrive(&y, y.a, 2, b, arp(b, &mac2, 0x0a000002, 0x0a000002, 0), OFP_NO_BUFFER);
    assert_int_equal(y.out.actions.n, 3);
    assert_int_equal(y.s->stats.arp_answered, 1);
    desk_end(&y.d);
}

static void a_moved_host_is_led_to_where_it_is_and_old_flows_are_deleted(void **state)
{
    struct yard y;
    uint8_t b[64];

    (void)state;
    yard_make(&y);
    listen(&y, y.b);
    /* Host 3 speaks at a.4.  Its new port is asked first who is there. */
    arrive(&y, y.a, 4, b, frame(b, &mac3, &broadcast, 0, 0x800), OFP_NO_BUFFER);
    assert_int_equal(y.s->stats.hosts_moved, 0);
    y.d.now += 60 * USEC_PER_MSEC;
    sdn_advance(y.s, y.d.now);
    assert_int_equal(y.s->stats.hosts_moved, 1);
    listen(&y, y.b);
    assert_int_equal(y.deletes, 2);
    assert_memory_equal(ofp_match_find(&y.flow.match, OFPF_ETH_SRC)->value, mac3.b, 6);
    assert_int_equal(y.flow.cookie_mask, FLOW_OURS_MASK);
    listen(&y, y.a);
    arrive(&y, y.a, 2, b, frame(b, &mac2, &mac3, 0, 0x800), 5);
    assert_int_equal(y.flow.do_.apply.a[0].port, 4);
    desk_end(&y.d);
}

/* A flow of another run or connection is met by some of the deletions, one of ours by none. */
static void flows_of_earlier_runs_and_connections_are_swept_and_no_others(void **state)
{
    struct yard y;
    struct ofp_flow sweep[64];
    struct sdn_out out;
    unsigned n = 0;

    (void)state;
    yard_make(&y);
    sdn_closed(y.s, y.b->conn, y.d.now);
    y.b = desk_switch(&y.d, 0, 0xb, 4);
    for (unsigned ms = 0; ms < 8000; ms += 50) {
        y.d.now += 50 * USEC_PER_MSEC;
        sdn_advance(y.s, y.d.now);
        while (sdn_output(y.s, y.b->conn, &out)) {
            for (uint32_t at = 0; at < out.n; at += load_be16(out.p + at + 2)) {
                y.deletes = 0;
                message(&y, out.p + at, out.n - at);
                if (y.deletes && y.flow.match.n == 0 && y.flow.out_port == OFPP_ANY && n < 64)
                    sweep[n++] = y.flow;
            }
            sdn_output_done(y.s, &out);
        }
        if (ms == 400)
            assert_int_equal(n, 0);
        if (ms == 2000)
            assert_int_equal(n, 16);
    }
    assert_int_equal(n, 32);
    for (unsigned k = 0; k < 1000; k++) {
        uint64_t ours = flow_cookie(y.s, y.b, k), other = ours, foreign = rng_u64(&y.d.rng) >> 8;
        unsigned hit[3] = {0};
        other ^= (uint64_t)(1 + rng_below(&y.d.rng, 0xfffe)) << (k % 2 ? 16 : 32);
        for (unsigned i = 0; i < n; i++) {
            hit[0] += ((ours ^ sweep[i].cookie) & sweep[i].cookie_mask) == 0;
            hit[1] += ((other ^ sweep[i].cookie) & sweep[i].cookie_mask) == 0;
            hit[2] += ((foreign ^ sweep[i].cookie) & sweep[i].cookie_mask) == 0;
        }
        assert_int_equal(hit[0], 0);
        assert_true(hit[1] > 0);
        assert_int_equal(hit[2], 0);
    }
    desk_end(&y.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_destination_takes_one_flow_with_the_buffer),
        cmocka_unit_test(nothing_leaves_by_the_port_it_came_in_by),
        cmocka_unit_test(a_broadcast_takes_the_tree_and_every_edge_but_where_it_came_from),
        cmocka_unit_test(vlans_are_told_apart),
        cmocka_unit_test(a_request_for_a_known_address_is_answered_and_others_are_passed_on),
        cmocka_unit_test(a_moved_host_is_led_to_where_it_is_and_old_flows_are_deleted),
        cmocka_unit_test(flows_of_earlier_runs_and_connections_are_swept_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
