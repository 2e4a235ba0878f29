/* The hot path's messages are the plain codecs', byte for byte. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "ofp/fast.h"

static void flow_by_the_plain_way(struct ofp_flow *f, const struct ofp_flow *like, uint32_t in_port,
                                  const uint8_t *frame, uint16_t vlan, uint32_t out_port)
{
    *f = *like;
    ofp_match_set_u64(&f->match, OFPF_IN_PORT, in_port);
    ofp_match_set(&f->match, OFPF_ETH_DST, frame, NULL);
    ofp_match_set(&f->match, OFPF_ETH_SRC, frame + 6, NULL);
    if (vlan != OFP_FAST_ANY_VLAN)
        ofp_match_set_u64(&f->match, OFPF_VLAN_VID, vlan);
    f->do_.apply.n = 1;
    f->do_.apply.a[0] = (struct ofp_action){.type = OFPA_OUTPUT, .port = out_port};
}

static void a_learned_flow_is_what_the_plain_emitter_writes(void **state)
{
    static const enum ofp_dialect dialects[] = {OFP_10, OFP_13};
    struct rng r;
    struct ofp_flow like, f;
    struct ofp_fast_flow t;

    (void)state;
    rng_init(&r, 5);
    for (unsigned i = 0; i < 4000; i++) {
        enum ofp_dialect d = dialects[i & 1];
        uint8_t frame[12], plain[200], fast[OFP_FAST_MAX + 8];
        uint16_t vlans[] = {OFP_FAST_ANY_VLAN, 0, (uint16_t)(0x1000 | rng_below(&r, 4096))};
        uint16_t vlan = vlans[i % 3];
        uint32_t in_port = rng_below(&r, 0xff00), out_port = rng_below(&r, 0xff00);
        uint32_t xid = rng_u32(&r), buffer = rng_u32(&r);

        ofp_flow_init(&like);
        like.priority = (uint16_t)rng_u32(&r);
        like.idle_timeout = (uint16_t)rng_u32(&r);
        like.hard_timeout = (uint16_t)rng_u32(&r);
        like.cookie = rng_u64(&r);
        like.flags = OFPFF_SEND_FLOW_REM;
        for (unsigned k = 0; k < 12; k++)
            frame[k] = (uint8_t)rng_u32(&r);
        assert_true(ofp_fast_flow_init(&t, d, &like));
        flow_by_the_plain_way(&f, &like, in_port, frame, vlan, out_port);
        f.buffer_id = buffer;
        size_t n = ofp_emit_flow_mod(d, plain, sizeof(plain), xid, &f);
        assert_true(n > 0 && n <= OFP_FAST_MAX);
        memset(fast, 0xa5, sizeof(fast));
        assert_int_equal(ofp_fast_flow_mod(&t, fast, xid, buffer, in_port, frame, vlan, out_port),
                         n);
        assert_memory_equal(fast, plain, n);
        assert_int_equal(fast[OFP_FAST_MAX], 0xa5);
    }
    assert_false(ofp_fast_flow_init(&t, POF_HUAWEI, &like));
}

static void a_packet_in_is_read_as_by_the_plain_parser(void **state)
{
    static const enum ofp_dialect dialects[] = {OFP_10, OFP_13};
    uint8_t frame[60] = {1, 2, 3}, b[200];
    struct ofp_msg m;
    uint32_t need;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ofp_packet_in in = {.buffer_id = 77,
                                   .in_port = i == 0 ? OFPP_LOCAL : 70000,
                                   .total_len = 60,
                                   .frame = frame,
                                   .frame_len = 60};
        struct ofp_packet_in plain;
        struct ofp_fast_in fast;
        size_t n = ofp_emit_packet_in(dialects[i], b, sizeof(b), 9, &in);
        assert_int_equal(n, i == 0 ? 78 : 102);
        assert_int_equal(ofp_frame(dialects[i], OFP_FROM_SWITCH, b, n, &m, &need), OFP_OK);
        assert_int_equal(ofp_parse_packet_in(dialects[i], &m, &plain), OFP_OK);
        assert_true(ofp_fast_packet_in(dialects[i], &m, &fast));
        assert_int_equal(fast.in_port, in.in_port);
        assert_int_equal(plain.in_port, in.in_port);
        assert_int_equal(fast.buffer_id, 77);
        assert_int_equal(fast.len, 60);
        assert_ptr_equal(fast.frame, plain.frame);
        assert_memory_equal(fast.frame, frame, 60);
    }
}

static void a_packet_in_of_another_shape_is_left_to_the_plain_parser(void **state)
{
    uint8_t b[64] = {4, 10, 0, 42, 0, 0, 0, 1};
    struct ofp_fast_in fast;
    struct ofp_msg m;
    uint32_t need;

    (void)state;
    /* No in_port at all, and six bytes of frame. */
    b[25] = 1;
    b[27] = 4;
    assert_int_equal(ofp_frame(OFP_13, OFP_FROM_SWITCH, b, 42, &m, &need), OFP_OK);
    assert_false(ofp_fast_packet_in(OFP_13, &m, &fast));
    /* The in_port, and not a byte behind its pad: one of two bytes is missing. */
    static const uint8_t match[] = {0, 1, 0, 12, 0x80, 0, 0, 4};
    memcpy(b + 24, match, sizeof(match));
    b[3] = 41;
    assert_int_equal(ofp_frame(OFP_13, OFP_FROM_SWITCH, b, 41, &m, &need), OFP_OK);
    assert_false(ofp_fast_packet_in(OFP_13, &m, &fast));
    struct ofp_packet_in plain;
    assert_int_equal(ofp_parse_packet_in(OFP_13, &m, &plain), OFP_BAD_LEN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learned_flow_is_what_the_plain_emitter_writes),
        cmocka_unit_test(a_packet_in_is_read_as_by_the_plain_parser),
        cmocka_unit_test(a_packet_in_of_another_shape_is_left_to_the_plain_parser),
    };

    return cmocka_run_group_tests_name("ofp_fast", tests, NULL, NULL);
}
