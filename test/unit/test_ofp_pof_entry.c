/* POF's tables and entries, byte by byte in both dialects. */
#include "lib/pof_drawing.h"

/* ---- tables and entries -------------------------------------------------------------- */

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

/* ---- every instruction, every action ------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_mod_is_144_bytes_with_eight_places),
        cmocka_unit_test(flow_mod_lies_as_both_dialects_have_it),
        cmocka_unit_test(a_second_instruction_begins_208_or_304_bytes_later),
        cmocka_unit_test(every_action_lies_as_each_dialect_has_it),
        cmocka_unit_test(every_instruction_lies_as_each_dialect_has_it),
        cmocka_unit_test(what_a_dialect_has_no_room_for_is_not_said),
    };

    return cmocka_run_group_tests_name("ofp_pof_entry", tests, NULL, NULL);
}
