/* What OpenFlow can say comes back as it was said: random things, both versions, both
 * directions. */
#include "lib/cmocka_first.h"

#include "lib/ofp_random.h"

enum { ROUNDS = 3000 };

static const enum ofp_dialect dialects[] = {OFP_10, OFP_13};
static uint8_t b[OFP_MSG_MAX];

/* The message at b, whole and proven. */
static struct ofp_msg framed(enum ofp_dialect d, enum ofp_from from, size_t n)
{
    struct ofp_msg m;
    uint32_t need;

    assert_true(n > 0);
    assert_int_equal(ofp_frame(d, from, b, n, &m, &need), OFP_OK);
    assert_int_equal(m.len, n);
    return m;
}

static bool instructions_eq(const struct ofp_instructions *x, const struct ofp_instructions *y)
{
    return ofp_actions_eq(&x->apply, &y->apply) && ofp_actions_eq(&x->write, &y->write) &&
           x->clear == y->clear && x->has_goto == y->has_goto && x->has_meter == y->has_meter &&
           x->has_metadata == y->has_metadata && x->goto_table == y->goto_table &&
           x->meter == y->meter && x->metadata == y->metadata &&
           x->metadata_mask == y->metadata_mask;
}

/* 1.0 does not say whose port SET_TP_SRC sets: TCP's, unless the match does. */
static void as_1_0_means(struct ofp_flow *f)
{
    const struct ofp_tlv *proto = ofp_match_find(&f->match, OFPF_IP_PROTO);
    uint64_t v = proto != NULL ? ofp_tlv_u64(proto) : 0;

    for (uint32_t i = 0; i < f->do_.apply.n; i++) {
        struct ofp_tlv *t = &f->do_.apply.a[i].field;
        if (f->do_.apply.a[i].type == OFPA_SET_FIELD && t->field >= OFPF_TCP_SRC &&
            t->field <= OFPF_TCP_DST && (v == 17 || v == 132))
            t->field = (uint8_t)(t->field + (v == 17 ? 2 : 4));
    }
}

static void flows_eq(const struct ofp_flow *x, const struct ofp_flow *y)
{
    assert_int_equal(x->command, y->command);
    assert_int_equal(x->table, y->table);
    assert_int_equal(x->idle_timeout, y->idle_timeout);
    assert_int_equal(x->hard_timeout, y->hard_timeout);
    assert_int_equal(x->priority, y->priority);
    assert_int_equal(x->flags, y->flags);
    assert_int_equal(x->buffer_id, y->buffer_id);
    assert_int_equal(x->out_port, y->out_port);
    assert_int_equal(x->out_group, y->out_group);
    assert_int_equal(x->cookie, y->cookie);
    assert_int_equal(x->cookie_mask, y->cookie_mask);
    assert_true(ofp_match_eq(&x->match, &y->match));
    assert_true(instructions_eq(&x->do_, &y->do_));
}

static void flows_come_back(void **state)
{
    struct rng r;
    struct ofp_flow f, got;

    (void)state;
    rng_init(&r, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        enum ofp_dialect d = dialects[i & 1];
        rnd_flow(&r, &f, d);
        assert_null(ofp_match_check(&f.match));
        if (d == OFP_10)
            as_1_0_means(&f);
        size_t n = ofp_emit_flow_mod(d, b, sizeof(b), i, &f);
        struct ofp_msg m = framed(d, OFP_FROM_CONTROLLER, n);
        assert_int_equal(m.kind, OFP_FLOW_MOD);
        assert_int_equal(m.xid, i);
        memset(&got, 0xa5, sizeof(got));
        assert_int_equal(ofp_parse_flow_mod(d, &m, &got), OFP_OK);
        flows_eq(&f, &got);
        /* Room for every byte, and not one less. */
        assert_int_equal(ofp_emit_flow_mod(d, b, n, i, &f), n);
        for (size_t cap = 0; i < 40 && cap < n; cap++)
            assert_int_equal(ofp_emit_flow_mod(d, b, cap, i, &f), 0);
    }
}

static void packets_come_back(void **state)
{
    static uint8_t frame[1500];
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    rnd_bytes(&r, frame, sizeof(frame));
    for (unsigned i = 0; i < ROUNDS; i++) {
        enum ofp_dialect d = dialects[i & 1];
        struct ofp_packet_in in = {.buffer_id = rng_u32(&r),
                                   .in_port = rnd_port(&r),
                                   .total_len = (uint16_t)rng_u32(&r),
                                   .reason = (uint8_t)rng_below(&r, 3),
                                   .frame = frame,
                                   .frame_len = rng_below(&r, sizeof(frame))};
        struct ofp_packet_in got;
        struct ofp_packet_out out;
        struct ofp_actions actions;
        if (d == OFP_13) {
            in.table = (uint8_t)rng_u32(&r);
            in.cookie = rng_u64(&r);
        }
        struct ofp_msg m = framed(d, OFP_FROM_SWITCH, ofp_emit_packet_in(d, b, sizeof(b), i, &in));
        assert_int_equal(ofp_parse_packet_in(d, &m, &got), OFP_OK);
        assert_int_equal(got.buffer_id, in.buffer_id);
        assert_int_equal(got.in_port, in.in_port);
        assert_int_equal(got.total_len, in.total_len);
        assert_int_equal(got.reason, in.reason);
        assert_int_equal(got.table, in.table);
        assert_int_equal(got.cookie, in.cookie);
        assert_int_equal(got.frame_len, in.frame_len);
        assert_memory_equal(got.frame, frame, in.frame_len);

        rnd_actions(&r, &actions, d);
        size_t n = ofp_emit_packet_out(d, b, sizeof(b), i, in.buffer_id, in.in_port, &actions,
                                       frame, in.frame_len);
        m = framed(d, OFP_FROM_CONTROLLER, n);
        assert_int_equal(ofp_parse_packet_out(d, &m, &out), OFP_OK);
        assert_int_equal(out.buffer_id, in.buffer_id);
        assert_int_equal(out.in_port, in.in_port);
        assert_true(ofp_actions_eq(&out.actions, &actions));
        assert_int_equal(out.frame_len, in.frame_len);
        assert_memory_equal(out.frame, frame, in.frame_len);
    }
}

static void outputs_alone_are_written_like_actions(void **state)
{
    static const uint32_t ports[] = {1, 7, OFPP_FLOOD, OFPP_CONTROLLER};
    struct ofp_actions a = {.n = 4};
    uint8_t other[300];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        a.a[i] = (struct ofp_action){.type = OFPA_OUTPUT,
                                     .port = ports[i],
                                     .max_len = ports[i] == OFPP_CONTROLLER ? 0xffff : 0};
    for (unsigned i = 0; i < 2; i++) {
        enum ofp_dialect d = dialects[i];
        size_t n = ofp_emit_packet_out(d, b, sizeof(b), 5, OFP_NO_BUFFER, 3, &a, "frame", 5);
        assert_int_equal(ofp_emit_packet_out_ports(d, other, sizeof(other), 5, OFP_NO_BUFFER, 3,
                                                   ports, 4, "frame", 5),
                         n);
        assert_memory_equal(b, other, n);
    }
}

/* 1.0.0, 5.3.6: OFPP_NONE; 1.3.5, 7.3.7: OFPP_CONTROLLER. */
static void a_packet_from_no_port_says_so_as_its_version_does(void **state)
{
    static const uint32_t nowhere[] = {OFPP_ANY, OFPP_CONTROLLER}, port = 1;
    struct ofp_packet_out out;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        enum ofp_dialect d = dialects[i & 1];
        size_t n = ofp_emit_packet_out_ports(d, b, sizeof(b), 1, OFP_NO_BUFFER, nowhere[i / 2],
                                             &port, 1, "frame", 5);
        struct ofp_msg m = framed(d, OFP_FROM_CONTROLLER, n);
        assert_int_equal(ofp_parse_packet_out(d, &m, &out), OFP_OK);
        assert_int_equal(out.in_port, d == OFP_10 ? OFPP_ANY : OFPP_CONTROLLER);
    }
}

static void removed_flows_come_back(void **state)
{
    struct rng r;
    struct ofp_flow_removed f, got;

    (void)state;
    rng_init(&r, 3);
    for (unsigned i = 0; i < ROUNDS; i++) {
        enum ofp_dialect d = dialects[i & 1];
        memset(&f, 0, sizeof(f));
        rnd_match(&r, &f.match, d);
        f.cookie = rng_u64(&r);
        f.priority = (uint16_t)rng_u32(&r);
        f.idle_timeout = (uint16_t)rng_u32(&r);
        f.reason = (uint8_t)rng_below(&r, 3);
        f.duration_s = rng_u32(&r);
        f.duration_ns = rng_u32(&r);
        f.packets = rng_u64(&r);
        f.bytes = rng_u64(&r);
        if (d == OFP_13) {
            f.hard_timeout = (uint16_t)rng_u32(&r);
            f.table = (uint8_t)rng_u32(&r);
        }
        struct ofp_msg m =
            framed(d, OFP_FROM_SWITCH, ofp_emit_flow_removed(d, b, sizeof(b), i, &f));
        memset(&got, 0xa5, sizeof(got));
        assert_int_equal(ofp_parse_flow_removed(d, &m, &got), OFP_OK);
        assert_true(ofp_match_eq(&f.match, &got.match));
        size_t from = offsetof(struct ofp_flow_removed, cookie);
        assert_memory_equal((uint8_t *)&f + from, (uint8_t *)&got + from,
                            offsetof(struct ofp_flow_removed, table) + 1 - from);
        assert_int_equal(got.duration_s, f.duration_s);
        assert_int_equal(got.duration_ns, f.duration_ns);
        assert_int_equal(got.packets, f.packets);
        assert_int_equal(got.bytes, f.bytes);
    }
}

static void ports_eq(const struct ofp_port *x, const struct ofp_port *y)
{
    assert_int_equal(x->no, y->no);
    assert_memory_equal(x->mac.b, y->mac.b, 6);
    assert_int_equal(x->down, y->down);
    assert_int_equal(x->link_down, y->link_down);
    assert_int_equal(x->blocked, y->blocked);
    assert_int_equal(x->curr, y->curr);
    assert_int_equal(x->supported, y->supported);
    assert_int_equal(x->curr_kbps, y->curr_kbps);
    assert_int_equal(x->max_kbps, y->max_kbps);
    assert_string_equal(x->name, y->name);
}

static void switches_and_their_ports_come_back(void **state)
{
    struct rng r;
    struct ofp_port ports[5], got;
    struct ofp_multipart mp;
    struct ofp_features s;

    (void)state;
    rng_init(&r, 4);
    for (unsigned i = 0; i < 500; i++) {
        enum ofp_dialect d = dialects[i & 1];
        enum ofp_port_reason why;
        struct ofp_features f = {.dpid = rng_u64(&r),
                                 .buffers = rng_u32(&r),
                                 .tables = (uint8_t)rng_u32(&r),
                                 .capabilities = rng_u32(&r)};
        uint32_t off = 0;
        for (unsigned k = 0; k < 5; k++)
            rnd_port_of(&r, &ports[k], d);
        size_t n = ofp_emit_features_reply(d, b, sizeof(b), i, &f, ports, 5);
        struct ofp_msg m = framed(d, OFP_FROM_SWITCH, n);
        assert_int_equal(ofp_parse_features(d, &m, &s), OFP_OK);
        assert_int_equal(s.dpid, f.dpid);
        assert_int_equal(s.buffers, f.buffers);
        assert_int_equal(s.tables, f.tables);
        assert_int_equal(s.capabilities, f.capabilities);
        assert_int_equal(s.ports, d == OFP_10 ? 5 : 0);
        for (unsigned k = 0; d == OFP_10 && k < 5; k++) {
            assert_int_equal(ofp_features_port(&m, k, &got), OFP_OK);
            ports_eq(&got, &ports[k]);
        }
        assert_int_not_equal(ofp_features_port(&m, 5, &got), OFP_OK);
        n = ofp_emit_port_status(d, b, sizeof(b), i, OFPPR_DELETE, &ports[0]);
        m = framed(d, OFP_FROM_SWITCH, n);
        assert_int_equal(ofp_parse_port_status(d, &m, &why, &got), OFP_OK);
        assert_int_equal(why, OFPPR_DELETE);
        ports_eq(&got, &ports[0]);
        n = ofp_emit_port_desc_reply(d, b, sizeof(b), i, ports, 5);
        assert_int_equal(n > 0, d == OFP_13);
        if (d == OFP_10)
            continue;
        m = framed(d, OFP_FROM_SWITCH, n);
        assert_int_equal(ofp_parse_multipart(d, &m, &mp), OFP_OK);
        for (unsigned k = 0; k < 5; k++) {
            assert_int_equal(ofp_next_port(d, &mp, &off, &got), 1);
            ports_eq(&got, &ports[k]);
        }
        assert_int_equal(ofp_next_port(d, &mp, &off, &got), 0);
    }
}

/* A reply takes as many as fit; the rest goes into the next. */
static void statistics_of_flows_come_back_over_several_replies(void **state)
{
    static struct ofp_flow_stats all[100];
    struct ofp_flow_stats got;
    struct rng r;

    (void)state;
    rng_init(&r, 5);
    for (unsigned v = 0; v < 2; v++) {
        enum ofp_dialect d = dialects[v];
        size_t done = 0, replies = 0;
        for (size_t i = 0; i < 100; i++) {
            struct ofp_flow *f = &all[i].flow;
            rnd_flow(&r, f, d);
            if (d == OFP_10)
                as_1_0_means(f);
            f->command = OFPFC_ADD;
            f->buffer_id = OFP_NO_BUFFER;
            f->out_port = f->out_group = OFPP_ANY;
            f->cookie_mask = 0;
            f->table = (uint8_t)i;
            if (d == OFP_10)
                f->flags = 0;
            all[i].duration_s = rng_u32(&r);
            all[i].duration_ns = rng_u32(&r);
            all[i].packets = rng_u64(&r);
            all[i].bytes = rng_u64(&r);
        }
        while (done < 100) {
            struct ofp_multipart mp;
            uint32_t off = 0;
            size_t used;
            size_t n = ofp_emit_flow_stats_reply(d, b, 4000, 1, all + done, 100 - done, &used);
            struct ofp_msg m = framed(d, OFP_FROM_SWITCH, n);
            assert_int_equal(ofp_parse_multipart(d, &m, &mp), OFP_OK);
            assert_int_equal(mp.more, done + used < 100);
            for (size_t i = 0; i < used; i++) {
                const struct ofp_flow_stats *want = &all[done + i];
                assert_int_equal(ofp_next_flow_stats(d, &mp, &off, &got), 1);
                flows_eq(&want->flow, &got.flow);
                assert_int_equal(got.packets, want->packets);
                assert_int_equal(got.bytes, want->bytes);
                assert_int_equal(got.duration_s, want->duration_s);
                assert_int_equal(got.duration_ns, want->duration_ns);
            }
            assert_int_equal(ofp_next_flow_stats(d, &mp, &off, &got), 0);
            done += used;
            replies++;
        }
        assert_true(replies > 2);
    }
}

static void groups_and_meters_come_back(void **state)
{
    static struct ofp_group g, got;
    struct ofp_meter t, back;
    struct rng r;

    (void)state;
    rng_init(&r, 6);
    for (unsigned i = 0; i < 500; i++) {
        g.command = (enum ofp_mod_command)rng_below(&r, 3);
        g.type = (enum ofp_group_type)rng_below(&r, 4);
        g.id = rng_u32(&r);
        g.buckets = rng_below(&r, OFP_BUCKETS_MAX + 1);
        for (uint32_t k = 0; k < g.buckets; k++) {
            g.bucket[k].weight = (uint16_t)rng_u32(&r);
            g.bucket[k].watch_port = rng_u32(&r);
            g.bucket[k].watch_group = rng_u32(&r);
            rnd_actions(&r, &g.bucket[k].actions, OFP_13);
        }
        struct ofp_msg m =
            framed(OFP_13, OFP_FROM_CONTROLLER, ofp_emit_group_mod(OFP_13, b, sizeof(b), i, &g));
        assert_int_equal(ofp_parse_group_mod(OFP_13, &m, &got), OFP_OK);
        assert_int_equal(got.command, g.command);
        assert_int_equal(got.type, g.type);
        assert_int_equal(got.id, g.id);
        assert_int_equal(got.buckets, g.buckets);
        for (uint32_t k = 0; k < g.buckets; k++) {
            assert_int_equal(got.bucket[k].weight, g.bucket[k].weight);
            assert_int_equal(got.bucket[k].watch_port, g.bucket[k].watch_port);
            assert_int_equal(got.bucket[k].watch_group, g.bucket[k].watch_group);
            assert_true(ofp_actions_eq(&got.bucket[k].actions, &g.bucket[k].actions));
        }
        memset(&t, 0, sizeof(t));
        t.command = (enum ofp_mod_command)rng_below(&r, 3);
        t.flags = (uint16_t)rng_below(&r, 16);
        t.id = rng_u32(&r);
        t.bands = rng_below(&r, OFP_BANDS_MAX + 1);
        for (uint32_t k = 0; k < t.bands; k++)
            t.band[k] = (struct ofp_band){.type = (uint16_t)(1 + k % 2),
                                          .rate = rng_u32(&r),
                                          .burst = rng_u32(&r),
                                          .prec_level = k % 2};
        m = framed(OFP_13, OFP_FROM_CONTROLLER, ofp_emit_meter_mod(OFP_13, b, sizeof(b), i, &t));
        memset(&back, 0, sizeof(back));
        assert_int_equal(ofp_parse_meter_mod(OFP_13, &m, &back), OFP_OK);
        assert_memory_equal(&back, &t, sizeof(t));
    }
}

/* What there is more of than we hold is refused, not cut. */
static void more_than_we_hold_is_said_to_be_too_many(void **state)
{
    static struct ofp_group g;
    static struct ofp_flow f;
    struct ofp_msg m;

    (void)state;
    for (unsigned v = 0; v < 2; v++) {
        size_t step = dialects[v] == OFP_10 ? 8 : 16;
        ofp_flow_init(&f);
        f.do_.apply.n = OFP_ACTIONS_MAX;
        for (unsigned i = 0; i < OFP_ACTIONS_MAX; i++)
            f.do_.apply.a[i] = (struct ofp_action){.type = OFPA_OUTPUT, .port = 1};
        size_t n = ofp_emit_flow_mod(dialects[v], b, sizeof(b), 0, &f);
        m = framed(dialects[v], OFP_FROM_CONTROLLER, n);
        assert_int_equal(ofp_parse_flow_mod(dialects[v], &m, &f), OFP_OK);
        memcpy(b + n, b + n - step, step);
        store_be16(b + 2, (uint16_t)(n + step));
        if (dialects[v] == OFP_13)
            store_be16(b + 56 + 2, (uint16_t)(n + step - 56));
        m = framed(dialects[v], OFP_FROM_CONTROLLER, n + step);
        assert_int_equal(ofp_parse_flow_mod(dialects[v], &m, &f), OFP_TOO_MANY);
    }
    g = (struct ofp_group){.buckets = OFP_BUCKETS_MAX};
    size_t n = ofp_emit_group_mod(OFP_13, b, sizeof(b), 0, &g);
    m = framed(OFP_13, OFP_FROM_CONTROLLER, n);
    assert_int_equal(ofp_parse_group_mod(OFP_13, &m, &g), OFP_OK);
    memcpy(b + n, b + n - 16, 16);
    store_be16(b + 2, (uint16_t)(n + 16));
    m = framed(OFP_13, OFP_FROM_CONTROLLER, n + 16);
    assert_int_equal(ofp_parse_group_mod(OFP_13, &m, &g), OFP_TOO_MANY);
}

/* A flow of 1.3 that 1.0 has no words for becomes no message at all. */
static void what_1_0_cannot_do_is_not_said_by_halves(void **state)
{
    static struct ofp_flow f;
    static const enum ofp_action_type not10[] = {OFPA_GROUP, OFPA_PUSH_VLAN, OFPA_DEC_NW_TTL};

    (void)state;
    ofp_flow_init(&f);
    assert_int_equal(ofp_emit_flow_mod(OFP_10, b, sizeof(b), 0, &f), 72);
    f.do_.has_goto = true;
    assert_int_equal(ofp_emit_flow_mod(OFP_10, b, sizeof(b), 0, &f), 0);
    for (unsigned i = 0; i < 3; i++) {
        ofp_flow_init(&f);
        f.do_.apply.n = 1;
        f.do_.apply.a[0] = (struct ofp_action){.type = not10[i]};
        assert_int_equal(ofp_emit_flow_mod(OFP_10, b, sizeof(b), 0, &f), 0);
    }
    ofp_flow_init(&f);
    f.table = 3;
    assert_int_equal(ofp_emit_flow_mod(OFP_10, b, sizeof(b), 0, &f), 0);
    f.table = OFP_TABLE_ALL;
    assert_int_equal(ofp_emit_flow_mod(OFP_10, b, sizeof(b), 0, &f), 72);
    f.cookie_mask = 1;
    assert_int_equal(ofp_emit_flow_mod(OFP_10, b, sizeof(b), 0, &f), 0);
    assert_false(ofp_can(OFP_10, OFP_FROM_CONTROLLER, OFP_GROUP_MOD));
    assert_true(ofp_can(OFP_13, OFP_FROM_CONTROLLER, OFP_GROUP_MOD));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_come_back),
        cmocka_unit_test(packets_come_back),
        cmocka_unit_test(outputs_alone_are_written_like_actions),
        cmocka_unit_test(a_packet_from_no_port_says_so_as_its_version_does),
        cmocka_unit_test(removed_flows_come_back),
        cmocka_unit_test(switches_and_their_ports_come_back),
        cmocka_unit_test(statistics_of_flows_come_back_over_several_replies),
        cmocka_unit_test(groups_and_meters_come_back),
        cmocka_unit_test(more_than_we_hold_is_said_to_be_too_many),
        cmocka_unit_test(what_1_0_cannot_do_is_not_said_by_halves),
    };

    return cmocka_run_group_tests_name("ofp_round", tests, NULL, NULL);
}
