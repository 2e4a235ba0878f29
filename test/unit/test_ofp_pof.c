/* Both dialects of POF, byte by byte: offsets are those of shared/reference/pof.md, from the end of the
 * header. */
#include "lib/cmocka_first.h"

#include "ofp/pof.h"

static const enum ofp_dialect dialects[] = {POF_HUAWEI, POF_USTC};

/* A message drawn by hand: zeros, and n bytes at offsets of the body. */
struct drawing {
    uint8_t b[2400];
    size_t n;
};

static void draw(struct drawing *w, uint8_t type, uint16_t len, uint32_t xid)
{
    *w = (struct drawing){.n = len};
    w->b[0] = 4;
    w->b[1] = type;
    w->b[2] = (uint8_t)(len >> 8);
    w->b[3] = (uint8_t)len;
    w->b[4] = (uint8_t)(xid >> 24);
    w->b[5] = (uint8_t)(xid >> 16);
    w->b[6] = (uint8_t)(xid >> 8);
    w->b[7] = (uint8_t)xid;
}

/* v in n bytes, big-endian, at body offset `at`. */
static void put(struct drawing *w, size_t at, size_t n, uint64_t v)
{
    for (size_t i = 0; i < n; i++)
        w->b[8 + at + i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static void put_bytes(struct drawing *w, size_t at, const void *p, size_t n)
{
    memcpy(w->b + 8 + at, p, n);
}

static struct ofp_msg frame(enum ofp_dialect d, enum ofp_from from, const uint8_t *b, size_t n)
{
    struct ofp_msg m;
    uint32_t need;

    assert_int_equal(ofp_frame(d, from, b, n, &m, &need), OFP_OK);
    assert_int_equal(m.len, n);
    return m;
}

static void same(const struct drawing *w, const uint8_t *b, size_t n)
{
    assert_int_equal(n, w->n);
    for (size_t i = 0; i < n; i++)
        if (b[i] != w->b[i])
            fail_msg("body offset %zd: %02x, not %02x", (ssize_t)i - 8, b[i], w->b[i]);
}

/* ---- lengths ---------------------------------------------------------------------------------- */

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

/* ---- handshake -------------------------------------------------------------------------------- */

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

/* ---- tables and entries --------------------------------------------------------------------------- */

static void table_mod_is_144_bytes_with_eight_places(void **state)
{
    struct pof_table t = {.command = POF_TABLE_ADD,
                          .id = 1,
                          .type = POF_EM,
                          .fields = 2,
                          .size = 128,
                          .key_bits = 64,
                          .slot = 5,
                          .name = "labels",
                          .field = {{1, 0, 48}, {POF_METADATA, 16, 16}}},
                     u;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[160];

        draw(&w, 18, 152, 0x01020304);
        put(&w, 1, 1, 1);
        put(&w, 2, 1, 2);
        put(&w, 3, 1, 2);
        put(&w, 4, 4, 128);
        put(&w, 8, 2, 64);
        if (dialects[k] == POF_USTC)
            put(&w, 10, 2, 5);
        put_bytes(&w, 16, "labels", 6);
        put(&w, 80, 6, 0x000100000030);
        put(&w, 88, 6, 0xffff00100010);
        same(&w, b, pof_emit_table_mod(dialects[k], b, sizeof(b), 0x01020304, &t));
        m = frame(dialects[k], OFP_FROM_CONTROLLER, b, 152);
        assert_int_equal(pof_parse_table_mod(dialects[k], &m, &u), OFP_OK);
        u.slot = 5;
        assert_memory_equal(&t, &u, sizeof(t));
        w.b[8 + 3] = 9;
        m = frame(dialects[k], OFP_FROM_CONTROLLER, w.b, 152);
        assert_int_equal(pof_parse_table_mod(dialects[k], &m, &u), OFP_TOO_MANY);
        assert_int_equal(pof_emit_table_mod(dialects[k], b, 151, 1, &t), 0);
    }
    t.key_bits = 321;
    assert_int_equal(pof_emit_table_mod(POF_HUAWEI, (uint8_t[160]){0}, 160, 1, &t), 0);
}

/* The miss entry that yields the port, as a user of Huawei's would draw it. */
static void flow_mod_lies_as_both_dialects_have_it(void **state)
{
    struct pof_entry e = {
        .command = POF_ENTRY_ADD,
        .fields = 1,
        .instructions = 1,
        .table = 2,
        .type = POF_LPM,
        .slot = 1,
        .idle_timeout = 3,
        .hard_timeout = 4,
        .priority = 0x0506,
        .counter = 7,
        .index = 0x08090a0b,
        .cookie = 0x1112131415161718,
        .cookie_mask = 0x2122232425262728,
        .match = {{{2, 96, 16}, {0x12, 0x34}, {0xff, 0xff}}},
        .instruction =
            {{.type = POFI_APPLY_ACTIONS,
              .actions = 3,
              .action =
                  {{.type = POFA_ADD_FIELD, .arg = 9, .at = {0, 0, 16}, .value = {0xab, 0xcd}},
                   {.type = POFA_SET_FIELD_FROM_METADATA, .at = {1, 8, 8}, .metadata_offset = 16},
                   {.type = POFA_PACKET_IN, .arg = 1}}}},
    };
    static struct pof_entry again;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool ustc = dialects[k] == POF_USTC;
        struct drawing w;
        struct ofp_msg m;
        uint8_t b[2200];
        size_t a;

        draw(&w, 15, ustc ? 2192 : 1200, 5);
        put(&w, 1, 1, 1);
        put(&w, 2, 1, 1);
        put(&w, 4, 4, 7);
        put(&w, 8, 8, 0x1112131415161718);
        put(&w, 16, 8, 0x2122232425262728);
        put(&w, 24, 1, 2);
        put(&w, 25, 1, 1);
        put(&w, 26, 2, 3);
        put(&w, 28, 2, 4);
        put(&w, 30, 2, 0x0506);
        put(&w, 32, 4, 0x08090a0b);
        if (ustc)
            put(&w, 36, 2, 1);
        put(&w, 40, 6, 0x000200600010); /* field 2, offset 96, 16 bits */
        put(&w, 48, 2, 0x1234);
        put(&w, 64, 2, 0xffff);
        put(&w, 360, 2, 4); /* APPLY_ACTIONS */
        put(&w, 362, 2, 8 + 8 + 3 * 48);
        put(&w, 368, 1, 3);
        a = 376;
        put(&w, a, 2, 4); /* ADD_FIELD */
        put(&w, a + 2, 2, ustc ? 28 : 20);
        put(&w, a + 4, 2, 9);
        put(&w, a + 6, 2, 0);
        put(&w, a + 8, 4, 16);
        if (ustc)
            put(&w, a + 12, 2, 0xabcd); /* 16 bytes, from the left */
        else
            put(&w, a + 12, 8, 0xabcd); /* a number */
        a += 48;
        put(&w, a, 2, 2); /* SET_FIELD_FROM_METADATA */
        put(&w, a + 2, 2, 20);
        put(&w, a + 4, 6, 0x000100080008);
        put(&w, a + 12, 2, 16);
        a += 48;
        put(&w, a, 2, 9); /* PACKET_IN */
        put(&w, a + 2, 2, 12);
        put(&w, a + 4, 4, 1);
        same(&w, b, pof_emit_entry(dialects[k], b, sizeof(b), 5, &e));
        m = frame(dialects[k], OFP_FROM_CONTROLLER, b, w.n);
        assert_int_equal(pof_parse_entry(dialects[k], &m, &again), OFP_OK);
        again.slot = 1;
        assert_memory_equal(&e, &again, sizeof(e));
        for (size_t cap = 0; cap < w.n; cap += 37)
            assert_int_equal(pof_emit_entry(dialects[k], b, cap, 5, &e), 0);
    }
}

static void a_second_instruction_begins_208_or_304_bytes_later(void **state)
{
    static struct pof_entry e = {.instructions = 4,
                                 .instruction = {{.type = POFI_METER, .arg = 1},
                                                 {.type = POFI_METER, .arg = 2},
                                                 {.type = POFI_METER, .arg = 3},
                                                 {.type = POFI_METER, .arg = 4}}};
    uint8_t b[2200];

    (void)state;
    assert_int_equal(pof_emit_entry(POF_HUAWEI, b, sizeof(b), 1, &e), 1200);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(load_be32(b + 8 + 360 + 208 * i + 8), i + 1);
    assert_int_equal(pof_emit_entry(POF_USTC, b, sizeof(b), 1, &e), 2192);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(load_be32(b + 8 + 360 + 304 * i + 8), i + 1);
}

/* ---- every instruction, every action ------------------------------------------------------------- */

/* The bytes of one action of both dialects, its head included. */
struct action_case {
    struct pof_action a;
    uint8_t bytes[2][28];
};
#define B(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const struct action_case actions[] = {
    {{.type = POFA_OUTPUT,
      .arg = 0x0203,
      .metadata_offset = 4,
      .metadata_len = 5,
      .packet_offset = 6},
     {B(0, 0, 0, 20, 0, 0, 2, 3, 0, 4, 0, 5, 0, 6),
      B(0, 0, 0, 20, 0, 0, 0, 4, 0, 5, 0, 6, 0, 0, 2, 3)}},
    {{.type = POFA_MODIFY_FIELD, .at = {1, 2, 8}, .arg = 0xffffffff},
     {B(0, 3, 0, 20, 0, 1, 0, 2, 0, 8, 0, 0, 255, 255, 255, 255),
      B(0, 3, 0, 20, 0, 1, 0, 2, 0, 8, 0, 0, 255, 255, 255, 255)}},
    {{.type = POFA_DELETE_FIELD, .at = {0, 112, 32}},
     {B(0, 5, 0, 12, 0, 112, 0, 0, 0, 0, 0, 32),
      B(0, 5, 0, 20, 0, 112, 0, 0, 0, 0, 0, 32, 0, 0, 0, 32)}},
    {{.type = POFA_CALCULATE_CHECKSUM, .at = {0, 80, 16}, .over = 112, .over_len = 160},
     {B(0, 6, 0, 12, 0, 80, 0, 16, 0, 112, 0, 160),
      B(0, 6, 0, 20, 0, 0, 0, 80, 0, 16, 0, 112, 0, 160)}},
    {{.type = POFA_GROUP, .arg = 3}, {B(0, 7, 0, 12, 0, 0, 0, 3), B(0, 7, 0, 12, 0, 0, 0, 3)}},
    {{.type = POFA_DROP, .arg = 1}, {B(0, 8, 0, 12, 0, 0, 0, 1), B(0, 8, 0, 12, 0, 0, 0, 1)}},
    {{.type = POFA_PACKET_IN, .arg = 2}, {B(0, 9, 0, 12, 0, 0, 0, 2), B(0, 9, 0, 12, 0, 0, 0, 2)}},
    {{.type = POFA_COUNTER, .arg = 4}, {B(0, 10, 0, 12, 0, 0, 0, 4), B(0, 10, 0, 12, 0, 0, 0, 4)}},
};

static void every_action_lies_as_each_dialect_has_it(void **state)
{
    static struct pof_entry e, again;
    uint8_t b[2200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        for (size_t k = 0; k < 2; k++) {
            size_t n;
            struct ofp_msg m;

            e = (struct pof_entry){.instructions = 1,
                                   .instruction = {{.type = POFI_APPLY_ACTIONS, .actions = 1}}};
            e.instruction[0].action[0] = actions[i].a;
            n = pof_emit_entry(dialects[k], b, sizeof(b), 1, &e);
            assert_true(n > 0);
            assert_memory_equal(b + 8 + 376, actions[i].bytes[k], 28);
            m = frame(dialects[k], OFP_FROM_CONTROLLER, b, n);
            assert_int_equal(pof_parse_entry(dialects[k], &m, &again), OFP_OK);
            assert_memory_equal(&e, &again, sizeof(e));
        }
    }
}

static const struct {
    struct pof_instruction i;
    uint8_t bytes[2][32]; /* behind the head of 8; all 0: cannot be said */
} instructions[] = {
    {{.type = POFI_GOTO_TABLE,
      .table = 10,
      .fields = 2,
      .packet_offset = 14,
      .field = {{1, 0, 16}, {2, 16, 8}}},
     {B(10, 2, 0, 14, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 2, 0, 16, 0, 8),
      B(10, 2, 0, 14, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 2, 0, 16, 0, 8)}},
    {{.type = POFI_WRITE_METADATA, .metadata_offset = 32, .len = 12, .value = {0xab, 0xc0}},
     {B(0, 32, 0, 12, 0, 0, 0x0a, 0xbc), B(0, 32, 0, 12, 0xab, 0xc0)}},
    {{.type = POFI_METER, .arg = 7}, {B(0, 0, 0, 7), B(0, 0, 0, 7)}},
    {{.type = POFI_WRITE_METADATA_FROM_PACKET,
      .metadata_offset = 32,
      .packet_offset = 96,
      .len = 16},
     {B(0, 32, 0, 96, 0, 16), B(0, 32, 0, 96, 0, 16)}},
    {{.type = POFI_GOTO_DIRECT_TABLE, .table = 9, .packet_offset = 2, .arg = 5},
     {B(9, 0, 0, 2, 0, 0, 0, 5), B(9, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5)}},
    {{.type = POFI_CALCULATE_FIELD, .arg = 1, .at = {1, 8, 8}, .operand = {{.number = 3}}},
     {B(0), B(0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 8, 0, 0, 0, 0, 0, 3)}},
    {{.type = POFI_MOVE_PACKET_OFFSET, .operand = {{.backward = true, .number = 14}}},
     {B(0), B(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14)}},
    {{.type = POFI_CONDITIONAL_JUMP,
      .at = {0, 0, 8},
      .operand = {{.number = 1},
                  {.number = 2},
                  {.by_field = true, .at = {4, 5, 6}},
                  {.backward = true, .number = 3}}},
     {B(0), B(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0,
              0, 0, 0)}},
};

static void every_instruction_lies_as_each_dialect_has_it(void **state)
{
    static struct pof_entry e, again;
    uint8_t b[2200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
        for (size_t k = 0; k < 2; k++) {
            size_t n;
            struct ofp_msg m;

            e = (struct pof_entry){.instructions = 1};
            e.instruction[0] = instructions[i].i;
            n = pof_emit_entry(dialects[k], b, sizeof(b), 1, &e);
            if (dialects[k] == POF_HUAWEI && e.instruction[0].type > POFI_GOTO_DIRECT_TABLE) {
                assert_int_equal(n, 0);
                continue;
            }
            assert_true(n > 0);
            assert_int_equal(load_be16(b + 8 + 360), e.instruction[0].type);
            assert_memory_equal(b + 8 + 368, instructions[i].bytes[k], 32);
            m = frame(dialects[k], OFP_FROM_CONTROLLER, b, n);
            assert_int_equal(pof_parse_entry(dialects[k], &m, &again), OFP_OK);
            assert_memory_equal(&e, &again, sizeof(e));
        }
    }
}

static void what_a_dialect_has_no_room_for_is_not_said(void **state)
{
    static struct pof_entry e;
    uint8_t b[2400];
    struct ofp_msg m;

    (void)state;
    e = (struct pof_entry){.instructions = 5};
    for (int i = 0; i < 5; i++)
        e.instruction[i].type = POFI_METER;
    assert_int_equal(pof_emit_entry(POF_HUAWEI, b, sizeof(b), 1, &e), 0);
    assert_int_equal(pof_emit_entry(POF_USTC, b, sizeof(b), 1, &e), 2192);
    b[8 + 2] = 7;
    m = frame(POF_USTC, OFP_FROM_CONTROLLER, b, 2192);
    assert_int_equal(pof_parse_entry(POF_USTC, &m, &e), OFP_TOO_MANY);

    e = (struct pof_entry){.instructions = 1,
                           .instruction = {{.type = POFI_APPLY_ACTIONS, .actions = 5}}};
    for (int i = 0; i < 5; i++)
        e.instruction[0].action[i].type = POFA_DROP;
    assert_int_equal(pof_emit_entry(POF_HUAWEI, b, sizeof(b), 1, &e), 0);
    assert_int_equal(pof_emit_entry(POF_USTC, b, sizeof(b), 1, &e), 2192);
    b[8 + 368] = 7;
    m = frame(POF_USTC, OFP_FROM_CONTROLLER, b, 2192);
    assert_int_equal(pof_parse_entry(POF_USTC, &m, &e), OFP_BAD_INSTRUCTION);
    b[8 + 368] = 1;
    b[8 + 377] = 11;
    assert_int_equal(pof_parse_entry(POF_USTC, &m, &e), OFP_BAD_ACTION);

    e = (struct pof_entry){
        .instructions = 1,
        .instruction = {{.type = POFI_APPLY_ACTIONS,
                         .actions = 1,
                         .action = {{.type = POFA_ADD_FIELD, .at = {0, 0, 65}}}}}};
    assert_int_equal(pof_emit_entry(POF_HUAWEI, b, sizeof(b), 1, &e), 0);
    assert_int_equal(pof_emit_entry(POF_USTC, b, sizeof(b), 1, &e), 2192);
}

/* ---- the rest -------------------------------------------------------------------------------------- */

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
        cmocka_unit_test(table_mod_is_144_bytes_with_eight_places),
        cmocka_unit_test(flow_mod_lies_as_both_dialects_have_it),
        cmocka_unit_test(a_second_instruction_begins_208_or_304_bytes_later),
        cmocka_unit_test(every_action_lies_as_each_dialect_has_it),
        cmocka_unit_test(every_instruction_lies_as_each_dialect_has_it),
        cmocka_unit_test(what_a_dialect_has_no_room_for_is_not_said),
        cmocka_unit_test(packet_in_and_packet_out_carry_frames),
        cmocka_unit_test(groups_meters_counters_and_errors_lie_as_each_dialect_has_them),
        cmocka_unit_test(bits_are_copied_from_any_place_to_any_place),
        cmocka_unit_test(an_entry_is_a_line_for_people),
    };

    return cmocka_run_group_tests_name("ofp_pof", tests, NULL, NULL);
}
