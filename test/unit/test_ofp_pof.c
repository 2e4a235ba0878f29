/* Both dialects of POF, byte by byte. */
#include "lib/pof_drawing.h"

/* ---- lengths ------------------------------------------------------------------------- */

static void every_message_has_its_one_length(void **state)
{
    static const struct {
        uint8_t type;
        enum ofp_from from;
        uint16_t len[2]; /* 0: the dialect has none */
    } fixed[] = {
        {1, OFP_FROM_SWITCH, {272, 280}},      {5, OFP_FROM_CONTROLLER, {8, 8}},
        {6, OFP_FROM_SWITCH, {216, 216}},      {7, OFP_FROM_CONTROLLER, {8, 8}},
        {8, OFP_FROM_SWITCH, {12, 16}},        {9, OFP_FROM_CONTROLLER, {12, 16}},
        {12, OFP_FROM_SWITCH, {136, 136}},     {13, OFP_FROM_SWITCH, {88, 88}},
        {14, OFP_FROM_CONTROLLER, {0, 2360}},  {15, OFP_FROM_CONTROLLER, {1200, 2192}},
        {16, OFP_FROM_CONTROLLER, {216, 216}}, {17, OFP_FROM_CONTROLLER, {136, 136}},
        {18, OFP_FROM_CONTROLLER, {152, 152}}, {30, OFP_FROM_CONTROLLER, {16, 24}},
        {31, OFP_FROM_CONTROLLER, {24, 32}},   {32, OFP_FROM_CONTROLLER, {24, 32}},
        {33, OFP_FROM_SWITCH, {24, 32}},       {34, OFP_FROM_CONTROLLER, {0, 16}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        for (size_t k = 0; k < 2; k++) {
            uint16_t len = fixed[i].len[k];
            struct drawing w;
            struct ofp_msg m;
            uint32_t need;

            draw(&w, fixed[i].type, len ? len : 8, 7);
            if (len == 0) {
                assert_int_equal(ofp_frame(dialects[k], fixed[i].from, w.b, 8, &m, &need),
                                 OFP_BAD_TYPE);
                continue;
            }
            frame(dialects[k], fixed[i].from, w.b, len);
            for (uint32_t cut = 0; cut < len; cut++) {
                assert_int_equal(ofp_frame(dialects[k], fixed[i].from, w.b, cut, &m, &need),
                                 OFP_MORE);
                assert_int_equal(need, cut < 8 ? 8 : len);
            }
            for (int by = len == 8 ? 1 : -1; by <= 1; by += 2) {
                draw(&w, fixed[i].type, (uint16_t)(len + by), 7);
                assert_int_equal(
                    ofp_frame(dialects[k], fixed[i].from, w.b, (size_t)(len + by), &m, &need),
                    OFP_BAD_LEN);
            }
        }
    }
}

static void what_a_switch_refuses_is_no_message(void **state)
{
    static const uint8_t none[] = {11, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 36, 255};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < ARRAY_LEN(none); i++) {
            struct drawing w;
            struct ofp_msg m;
            uint32_t need;

            draw(&w, none[i], 8, 1);
            assert_int_equal(ofp_frame(dialects[k], OFP_FROM_SWITCH, w.b, 8, &m, &need),
                             OFP_BAD_TYPE);
            assert_int_equal(ofp_frame(dialects[k], OFP_FROM_CONTROLLER, w.b, 8, &m, &need),
                             OFP_BAD_TYPE);
        }
        assert_false(ofp_can(dialects[k], OFP_FROM_CONTROLLER, OFP_BARRIER_REQUEST));
        assert_false(ofp_can(dialects[k], OFP_FROM_CONTROLLER, OFP_ROLE_REQUEST));
        assert_false(ofp_can(dialects[k], OFP_FROM_CONTROLLER, OFP_MULTIPART_REQUEST));
        assert_true(ofp_can(dialects[k], OFP_FROM_CONTROLLER, OFP_FLOW_MOD));
        assert_false(ofp_can(dialects[k], OFP_FROM_SWITCH, OFP_FEATURES_REQUEST));
    }
    assert_false(ofp_can(POF_HUAWEI, OFP_FROM_CONTROLLER, OFP_PACKET_OUT));
    assert_true(ofp_can(POF_USTC, OFP_FROM_CONTROLLER, OFP_PACKET_OUT));
}

/* ---- handshake ----------------------------------------------------------------------- */

static void features_and_configuration_lie_where_each_dialect_has_them(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool ustc = dialects[k] == POF_USTC;
        struct ofp_features f, again;
        struct ofp_config c = {.flags = 1, .miss_send_len = 0x1234, .dev_id = 0xa1b2c3d4}, c2;
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[256];

        draw(&w, 6, 216, 2);
        put(&w, 0, 4, 0xa1b2c3d4);
        put(&w, ustc ? 6 : 4, 2, 5);
        put(&w, ustc ? 8 : 6, 2, 14);
        put(&w, ustc ? 12 : 8, 4, 0x177);
        put_bytes(&w, 16, "Huawei", 6);
        put_bytes(&w, 80, "FE", 2);
        put_bytes(&w, 144, "LK\x01", 3);
        m = frame(dialects[k], OFP_FROM_SWITCH, w.b, w.n);
        assert_int_equal(ofp_parse_features(dialects[k], &m, &f), OFP_OK);
        assert_int_equal(f.dpid, 0xa1b2c3d4);
        assert_int_equal(f.ports, 5);
        assert_int_equal(f.tables, 14);
        assert_int_equal(f.capabilities, 0x177);
        assert_string_equal(f.vendor, "Huawei");
        assert_string_equal(f.firmware, "FE");
        assert_string_equal(f.lookup, "LK?");
        assert_int_equal(ofp_emit_features_reply(dialects[k], b, sizeof(b), 2, &f, NULL, 0), 216);
        m = frame(dialects[k], OFP_FROM_SWITCH, b, 216);
        assert_int_equal(ofp_parse_features(dialects[k], &m, &again), OFP_OK);
        assert_memory_equal(&f, &again, sizeof(f));

        draw(&w, 9, ustc ? 16 : 12, 3);
        if (ustc)
            put(&w, 0, 4, 0xa1b2c3d4);
        put(&w, ustc ? 4 : 0, 2, 1);
        put(&w, ustc ? 6 : 2, 2, 0x1234);
        same(&w, b, ofp_emit_set_config(dialects[k], b, sizeof(b), 3, &c));
        w.b[1] = 8;
        m = frame(dialects[k], OFP_FROM_SWITCH, w.b, w.n);
        assert_int_equal(ofp_parse_config(dialects[k], &m, &c2), OFP_OK);
        assert_int_equal(c2.miss_send_len, 0x1234);
        assert_int_equal(c2.flags, 1);
        assert_int_equal(c2.dev_id, ustc ? 0xa1b2c3d4 : 0);
        for (size_t cap = 0; cap < w.n; cap++)
            assert_int_equal(ofp_emit_set_config(dialects[k], b, cap, 3, &c), 0);
    }
}

static void a_port_is_120_bytes_in_status_and_modification(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool ustc = dialects[k] == POF_USTC;
        enum ofp_port_reason reason;
        struct ofp_port p, q;
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[256];

        draw(&w, 12, 136, 9);
        put(&w, 0, 1, 2);
        if (ustc)
            put(&w, 8, 2, 3); /* slot */
        put(&w, 10, 2, 7);
        put(&w, 12, 4, 0x11223344);
        put(&w, 16, 6, 0x020304050607);
        put_bytes(&w, 24, "eth7", 4);
        put(&w, 88, 4, 1);
        put(&w, 92, 4, 5);
        put(&w, 96, 4, 0x21);
        put(&w, 100, 4, 0x22);
        put(&w, 104, 4, 0x23);
        put(&w, 108, 4, 0x24);
        put(&w, 112, 4, 1000);
        put(&w, 116, 4, 2000);
        put(&w, 120, 1, 1);
        m = frame(dialects[k], OFP_FROM_SWITCH, w.b, w.n);
        assert_int_equal(ofp_parse_port_status(dialects[k], &m, &reason, &p), OFP_OK);
        assert_int_equal(reason, OFPPR_MODIFY);
        assert_int_equal(p.no, 7);
        assert_int_equal(p.pof_slot, ustc ? 3 : 0);
        assert_int_equal(p.pof_dev, 0x11223344);
        assert_int_equal(p.mac.b[5], 7);
        assert_string_equal(p.name, "eth7");
        assert_true(p.down && p.link_down && !p.blocked && p.pof_enabled);
        assert_int_equal(p.supported, 0x23);
        assert_int_equal(p.curr_kbps, 1000);
        same(&w, b, ofp_emit_port_status(dialects[k], b, sizeof(b), 9, OFPPR_MODIFY, &p));

        w.b[1] = 17;
        same(&w, b, ofp_emit_port_mod(dialects[k], b, sizeof(b), 9, &p, 0, 0));
        m = frame(dialects[k], OFP_FROM_CONTROLLER, b, 136);
        assert_int_equal(pof_parse_port_mod(dialects[k], &m, &q), OFP_OK);
        assert_int_equal(q.no, 7);
        assert_true(q.pof_enabled);
        w.b[8] = 3;
        w.b[1] = 12;
        m = frame(dialects[k], OFP_FROM_SWITCH, w.b, w.n);
        assert_int_equal(ofp_parse_port_status(dialects[k], &m, &reason, &p), OFP_BAD_FIELD);
    }
}

static void resources_name_four_kinds_of_tables(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct pof_resources r;
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[128];

        draw(&w, 13, 88, 4);
        put(&w, 4, 4, 512);
        put(&w, 8, 4, 256);
        put(&w, 12, 4, 1024);
        for (size_t t = 0; t < 4; t++) {
            put(&w, 16 + 16 * t, 4, 0xdd);
            put(&w, 20 + 16 * t, 1, t);
            put(&w, 21 + 16 * t, 1, 10 - t);
            put(&w, 22 + 16 * t, 2, 160);
            put(&w, 24 + 16 * t, 4, 8000 + t);
        }
        m = frame(dialects[k], OFP_FROM_SWITCH, w.b, w.n);
        assert_int_equal(pof_parse_resources(dialects[k], &m, &r), OFP_OK);
        assert_int_equal(r.counters, 512);
        assert_int_equal(r.meters, 256);
        assert_int_equal(r.groups, 1024);
        assert_int_equal(r.table[POF_LINEAR].tables, 7);
        assert_int_equal(r.table[POF_EM].size, 8002);
        assert_int_equal(r.table[POF_LPM].key_bits, 160);
        same(&w, b, pof_emit_resources(dialects[k], b, sizeof(b), 4, &r));
    }
}

/* ---- the rest ------------------------------------------------------------------------ */

static void packet_in_and_packet_out_carry_frames(void **state)
{
    static const uint8_t frame_bytes[60] = {1, 2, 3, 4, 5, 6};
    struct ofp_packet_in in = {.buffer_id = OFP_NO_BUFFER,
                               .in_port = 7,
                               .total_len = 60,
                               .reason = 1,
                               .table = 3,
                               .cookie = 0x0102030405060708,
                               .pof_dev = 0x55,
                               .frame = frame_bytes,
                               .frame_len = 60},
                         got;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool ustc = dialects[k] == POF_USTC;
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[2400];

        draw(&w, 10, 8 + 24 + 60, 1);
        put(&w, 0, 4, 0xffffffff);
        put(&w, 4, 2, 60);
        put(&w, 6, 1, 1);
        put(&w, 7, 1, 3);
        put(&w, 8, 8, 0x0102030405060708);
        put(&w, 16, 4, 0x55);
        if (ustc)
            put(&w, 22, 2, 7);
        put_bytes(&w, 24, frame_bytes, 60);
        same(&w, b, ofp_emit_packet_in(dialects[k], b, sizeof(b), 1, &in));
        m = frame(dialects[k], OFP_FROM_SWITCH, b, w.n);
        assert_int_equal(ofp_parse_packet_in(dialects[k], &m, &got), OFP_OK);
        assert_int_equal(got.in_port, ustc ? 7 : OFPP_ANY);
        assert_int_equal(got.frame_len, 60);
        assert_memory_equal(got.frame, frame_bytes, 60);

        size_t n = ofp_emit_packet_out_ports(dialects[k], b, sizeof(b), 2, OFP_NO_BUFFER, 9,
                                             (const uint32_t[]){1, 2}, 2, frame_bytes, 60);
        if (!ustc) {
            assert_int_equal(n, 0);
            continue;
        }
        draw(&w, 14, 2360, 2);
        put(&w, 0, 4, 0xffffffff);
        put(&w, 4, 4, 9);
        put(&w, 8, 1, 2);
        put(&w, 12, 4, 60);
        put(&w, 16, 4, 20); /* OUTPUT, length 20 */
        put(&w, 16 + 4 + 8, 4, 1);
        put(&w, 64, 4, 20);
        put(&w, 64 + 4 + 8, 4, 2);
        put_bytes(&w, 304, frame_bytes, 60);
        same(&w, b, n);
        struct ofp_packet_out out;
        m = frame(POF_USTC, OFP_FROM_CONTROLLER, b, n);
        assert_int_equal(ofp_parse_packet_out(POF_USTC, &m, &out), OFP_OK);
        assert_int_equal(out.actions.n, 2);
        assert_int_equal(out.actions.a[1].port, 2);
        assert_int_equal(out.in_port, 9);
        assert_memory_equal(out.frame, frame_bytes, 60);
        b[8 + 12 + 2] = 8; /* 2,048 and more */
        assert_int_equal(ofp_parse_packet_out(POF_USTC, &m, &out), OFP_BAD_FIELD);
    }
}

static void groups_meters_counters_and_errors_lie_as_each_dialect_has_them(void **state)
{
    struct pof_group g = {.command = 1,
                          .type = 0,
                          .actions = 2,
                          .id = 3,
                          .counter = 4,
                          .slot = 6,
                          .action = {{.type = POFA_OUTPUT, .arg = 1},
                                     {.type = POFA_OUTPUT, .arg = 2}}},
                     g2;
    struct pof_meter t = {.command = 2, .slot = 6, .id = 5, .rate = 1000}, t2;
    struct pof_counter c = {.command = 3,
                            .slot = 6,
                            .id = 9,
                            .value = 0x0102030405060708,
                            .bytes = 99},
                       c2;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool ustc = dialects[k] == POF_USTC;
        struct ofp_error_msg e;
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[400];

        draw(&w, 16, 216, 1);
        put(&w, 0, 1, 1);
        put(&w, 2, 1, 2);
        put(&w, 4, 4, 3);
        put(&w, 8, 4, 4);
        if (ustc)
            put(&w, 12, 2, 6);
        put(&w, 16, 4, 20);
        put(&w, ustc ? 28 : 20, 4, 1);
        put(&w, 64, 4, 20);
        put(&w, ustc ? 76 : 68, 4, 2);
        same(&w, b, pof_emit_group(dialects[k], b, sizeof(b), 1, &g));
        m = frame(dialects[k], OFP_FROM_CONTROLLER, b, 216);
        assert_int_equal(pof_parse_group(dialects[k], &m, &g2), OFP_OK);
        assert_int_equal(g2.action[1].arg, 2);

        draw(&w, 30, ustc ? 24 : 16, 1);
        put(&w, 0, 1, 2);
        put(&w, 2, 2, ustc ? 6 : 1000);
        put(&w, 4, 4, 5);
        if (ustc)
            put(&w, 8, 4, 1000);
        same(&w, b, pof_emit_meter(dialects[k], b, sizeof(b), 1, &t));
        m = frame(dialects[k], OFP_FROM_CONTROLLER, b, w.n);
        assert_int_equal(pof_parse_meter(dialects[k], &m, &t2), OFP_OK);
        assert_int_equal(t2.rate, 1000);
        assert_int_equal(t2.id, 5);

        draw(&w, 33, ustc ? 32 : 24, 1);
        put(&w, 0, 1, 3);
        put(&w, 4, 4, 9);
        put(&w, 8, 8, 0x0102030405060708);
        if (ustc) {
            put(&w, 2, 2, 6);
            put(&w, 16, 8, 99);
        }
        same(&w, b, pof_emit_counter(dialects[k], b, sizeof(b), 1, POF_COUNTER_REPLY, &c));
        m = frame(dialects[k], OFP_FROM_SWITCH, b, w.n);
        assert_int_equal(pof_parse_counter(dialects[k], &m, &c2), OFP_OK);
        assert_int_equal(c2.value, 0x0102030405060708);
        assert_int_equal(c2.bytes, ustc ? 99 : 0);

        draw(&w, 1, ustc ? 280 : 272, 77);
        put(&w, 0, 2, 5);
        put(&w, 2, 2, 8);
        put(&w, 4, 4, 0xd);
        put_bytes(&w, ustc ? 16 : 8, "ENTRY_EXIST", 11);
        same(&w, b, pof_emit_error(dialects[k], b, sizeof(b), 77, 5, 8, 0xd, "ENTRY_EXIST"));
        m = frame(dialects[k], OFP_FROM_SWITCH, b, w.n);
        assert_int_equal(ofp_parse_error(dialects[k], &m, &e), OFP_OK);
        assert_int_equal(e.type, 5);
        assert_int_equal(e.code, 8);
        assert_int_equal(e.pof_dev, 0xd);
        assert_int_equal(e.data_len, 11);
        assert_memory_equal(e.data, "ENTRY_EXIST", 11);
    }
    t.rate = 65536;
    assert_int_equal(pof_emit_meter(POF_HUAWEI, (uint8_t[24]){0}, 24, 1, &t), 0);
    assert_int_equal(pof_emit_queryall(POF_HUAWEI, (uint8_t[24]){0}, 24, 1, 0xffff), 0);
    assert_int_equal(pof_emit_queryall(POF_USTC, (uint8_t[24]){0}, 24, 1, 0xffff), 16);
}

static void bits_are_copied_from_any_place_to_any_place(void **state)
{
    uint8_t src[8] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};

    (void)state;
    for (uint32_t from = 0; from < 24; from++) {
        for (uint32_t to = 0; to < 24; to++) {
            for (uint32_t len = 0; len <= 40; len++) {
                uint8_t dst[8] = {0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0};
                uint64_t want = pof_bits_get(dst, 0, 64);
                uint64_t mask = len == 0 ? 0 : ((UINT64_C(1) << len) - 1) << (64 - to - len);

                pof_bits_copy(dst, to, src, from, len);
                want = (want & ~mask) |
                       (len == 0 ? 0 : pof_bits_get(src, from, len) << (64 - to - len));
                assert_true(pof_bits_get(dst, 0, 64) == want);
                pof_bits_set(dst, to, len, 0);
                assert_true(pof_bits_get(dst, 0, 64) == (want & ~mask));
            }
        }
    }
}

static void an_entry_is_a_line_for_people(void **state)
{
    struct pof_entry e = {
        .fields = 1,
        .instructions = 1,
        .index = 4,
        .priority = 5,
        .match = {{{2, 96, 16}, {0x12, 0x34}, {0xff, 0xff}}},
        .instruction = {{.type = POFI_APPLY_ACTIONS,
                         .actions = 2,
                         .action = {{.type = POFA_MODIFY_FIELD, .at = {0, 8, 8}, .arg = 0xffffffff},
                                    {.type = POFA_OUTPUT, .arg = 3}}}}};
    char text[400];
    struct fmt f;

    (void)state;
    fmt_init(&f, text, sizeof(text));
    pof_entry_print(&f, &e);
    assert_non_null(strstr(text, "ADD table=MM0 slot=4 priority=5 match={96,16}=0x1234 "
                                 "APPLY_ACTIONS(MODIFY_FIELD:{8,8}-1,OUTPUT:3)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_its_one_length),
        cmocka_unit_test(what_a_switch_refuses_is_no_message),
        cmocka_unit_test(features_and_configuration_lie_where_each_dialect_has_them),
        cmocka_unit_test(a_port_is_120_bytes_in_status_and_modification),
        cmocka_unit_test(resources_name_four_kinds_of_tables),
        cmocka_unit_test(packet_in_and_packet_out_carry_frames),
        cmocka_unit_test(groups_meters_counters_and_errors_lie_as_each_dialect_has_them),
        cmocka_unit_test(bits_are_copied_from_any_place_to_any_place),
        cmocka_unit_test(an_entry_is_a_line_for_people),
    };

    return cmocka_run_group_tests_name("ofp_pof", tests, NULL, NULL);
}
