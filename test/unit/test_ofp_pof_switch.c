/* The simulated POF switch is as strict as the real ones: what others are judged by is judged
 * here. */
#include "lib/cmocka_first.h"

#include "lib/pof_switch.h"

enum { SECOND = 1000000 };

struct rig {
    struct pof_switch w;
    enum ofp_dialect d;
    instant now;
    uint8_t got[4096]; /* the last frame that left */
    size_t got_n;
    uint32_t got_port, frames;
};
static struct rig rig;
static uint8_t b[4096];

static void sent(void *context, uint32_t port, const uint8_t *frame, size_t n)
{
    struct rig *r = context;

    memcpy(r->got, frame, n);
    r->got_n = n;
    r->got_port = port;
    r->frames++;
}

static void say(size_t n)
{
    assert_true(n > 0);
    pof_switch_input(&rig.w, b, n, rig.now);
}

static void plain(enum ofp_kind k)
{
    say(ofp_emit(rig.d, b, sizeof(b), k, 1, NULL, 0));
}

/* Connected, its HELLO taken. */
static void connect_rig(enum ofp_dialect d, uint32_t ports)
{
    pof_switch_fini(&rig.w);
    rig = (struct rig){.d = d, .now = SECOND};
    pof_switch_init(&rig.w, d, 0xd1, ports);
    rig.w.tx = sent;
    rig.w.context = &rig;
    pof_switch_connected(&rig.w, rig.now);
}

static void set_config(void)
{
    struct ofp_config c = {.miss_send_len = 0xffff};

    say(ofp_emit_set_config(rig.d, b, sizeof(b), 1, &c));
}

static void handshake(enum ofp_dialect d, uint32_t ports)
{
    size_t n;

    connect_rig(d, ports);
    plain(OFP_HELLO);
    plain(OFP_FEATURES_REQUEST);
    set_config();
    plain(OFP_GET_CONFIG_REQUEST);
    rig.now += SECOND;
    pof_switch_advance(&rig.w, rig.now);
    assert_int_equal(rig.w.state, POF_SWITCH_RUN);
    pof_switch_output(&rig.w, &n);
    assert_int_equal(n, 8 + 216 + (d == POF_USTC ? 16 : 12) + 88 + 136 * ports + 8);
    pof_switch_output_done(&rig.w, n);
}

static void enable(uint32_t ports)
{
    for (uint32_t i = 1; i <= ports; i++)
        say(ofp_emit_port_mod(rig.d, b, sizeof(b), 1,
                              &(struct ofp_port){.no = i, .pof_enabled = true}, 0, 0));
}

static void table(uint8_t type, uint8_t id, uint8_t fields, const struct pof_match *m)
{
    struct pof_table t = {.id = id, .type = type, .fields = fields, .size = 16};

    for (uint8_t i = 0; i < fields; i++) {
        t.field[i] = m[i];
        t.key_bits = (uint16_t)(t.key_bits + m[i].len);
    }
    say(pof_emit_table_mod(rig.d, b, sizeof(b), 1, &t));
}

static void entry(const struct pof_entry *e)
{
    say(pof_emit_entry(rig.d, b, sizeof(b), 1, e));
}

/* ---- the control side ---------------------------------------------------------------- */

static void the_handshake_has_one_order(void **state)
{
    static const enum ofp_kind wrong[] = {OFP_HELLO, OFP_ECHO_REQUEST, OFP_GET_CONFIG_REQUEST};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        connect_rig(POF_HUAWEI, 2);
        plain(OFP_HELLO);
        plain(wrong[i]);
        assert_int_equal(rig.w.state, POF_SWITCH_DOWN);
        assert_non_null(rig.w.why);
    }
    connect_rig(POF_HUAWEI, 2);
    plain(OFP_FEATURES_REQUEST);
    assert_int_equal(rig.w.state, POF_SWITCH_DOWN);
    assert_int_equal(pof_switch_deadline(&rig.w), rig.now + 2 * SECOND);
    /* USTC's SET_CONFIG is longer. */
    connect_rig(POF_HUAWEI, 2);
    plain(OFP_HELLO);
    plain(OFP_FEATURES_REQUEST);
    rig.d = POF_USTC;
    set_config();
    assert_int_equal(rig.w.state, POF_SWITCH_DOWN);
    handshake(POF_HUAWEI, 3);
    handshake(POF_USTC, 3);
}

static void all_four_may_come_in_one_piece(void **state)
{
    uint8_t all[64];
    size_t n = 0;
    struct ofp_config c = {0};

    (void)state;
    connect_rig(POF_HUAWEI, 1);
    n += ofp_emit(rig.d, all + n, 16, OFP_HELLO, 0, NULL, 0);
    n += ofp_emit(rig.d, all + n, 16, OFP_FEATURES_REQUEST, 1, NULL, 0);
    n += ofp_emit_set_config(rig.d, all + n, 16, 2, &c);
    n += ofp_emit(rig.d, all + n, 16, OFP_GET_CONFIG_REQUEST, 3, NULL, 0);
    pof_switch_input(&rig.w, all, n, rig.now);
    assert_int_equal(rig.w.state, POF_SWITCH_SLEEP);
    plain(OFP_ECHO_REQUEST); /* waits until it has slept */
    assert_int_equal(rig.w.messages, 4);
    pof_switch_advance(&rig.w, rig.now + SECOND);
    assert_int_equal(rig.w.messages, 5);
}

static void an_entry_cut_in_pieces_resets_the_connection(void **state)
{
    static struct pof_entry e = {.index = 0};
    size_t n;

    (void)state;
    handshake(POF_HUAWEI, 1);
    table(POF_MM, 0, 0, NULL);
    /* Whole entries, any number, one at a time or two in one piece. */
    for (uint32_t i = 0; i < 8; i++) {
        e.index = i;
        e.priority = (uint16_t)i;
        entry(&e);
    }
    assert_int_equal(rig.w.state, POF_SWITCH_RUN);
    assert_int_equal(pof_switch_entries(&rig.w), 8);
    /* A third begins behind two others, is cut, and reaches the end of the buffer. */
    e.index = 8;
    e.priority = 8;
    n = pof_emit_entry(rig.d, b, sizeof(b), 1, &e);
    e.index = 9;
    e.priority = 9;
    n += pof_emit_entry(rig.d, b + n, sizeof(b) - n, 1, &e);
    e.index = 10;
    e.priority = 10;
    n += pof_emit_entry(rig.d, b + n, sizeof(b) - n, 1, &e);
    pof_switch_input(&rig.w, b, 2450, rig.now);
    assert_int_equal(rig.w.state, POF_SWITCH_RUN);
    pof_switch_input(&rig.w, b + 2450, n - 2450, rig.now);
    assert_int_equal(rig.w.state, POF_SWITCH_DOWN);
    assert_string_equal(rig.w.why, "a message reached the end of the receive buffer");
    assert_int_equal(pof_switch_entries(&rig.w), 0);
}

static void what_lies_in_the_buffer_together_may_be_cut_anywhere(void **state)
{
    static struct pof_entry e;

    (void)state;
    for (size_t cut = 4; cut < 2400; cut += 97) {
        size_t n;

        handshake(POF_HUAWEI, 1);
        table(POF_MM, 0, 0, NULL);
        for (uint32_t round = 0; round < 3; round++) {
            e.index = 2 * round;
            e.priority = (uint16_t)e.index;
            n = pof_emit_entry(rig.d, b, sizeof(b), 1, &e);
            e.index++;
            e.priority++;
            n += pof_emit_entry(rig.d, b + n, sizeof(b) - n, 1, &e);
            pof_switch_input(&rig.w, b, cut, rig.now);
            pof_switch_input(&rig.w, b + cut, n - cut, rig.now);
        }
        assert_int_equal(rig.w.state, POF_SWITCH_RUN);
        assert_int_equal(pof_switch_entries(&rig.w), 6);
    }
}

static void refused(uint16_t type, uint16_t code)
{
    assert_int_equal(rig.w.errors, 1);
    assert_int_equal(rig.w.error_type, type);
    assert_int_equal(rig.w.error_code, code);
    rig.w.errors = 0;
}

static void a_used_slot_is_not_given_twice(void **state)
{
    static struct pof_entry e;

    (void)state;
    for (int k = 0; k < 2; k++) {
        handshake(k ? POF_USTC : POF_HUAWEI, 1);
        e = (struct pof_entry){.index = 3, .priority = 1};
        entry(&e);
        refused(5, 2); /* no table yet */
        table(POF_MM, 0, 0, NULL);
        entry(&e);
        assert_int_equal(rig.w.errors, 0);
        entry(&e);
        refused(5, 8);
        e.index = 4;
        entry(&e);
        refused(5, 8); /* the same match and priority elsewhere */
        e.command = POF_ENTRY_MODIFY;
        entry(&e);
        refused(5, 9);
        e.index = 16;
        entry(&e);
        refused(5, 11);
        e = (struct pof_entry){.index = 3, .command = POF_ENTRY_DELETE};
        entry(&e);
        assert_int_equal(rig.w.errors, 0);
        entry(&e);
        refused(5, 9);
        table(POF_MM, 0, 0, NULL);
        refused(8, 4);
        table(POF_MM, 8, 0, NULL);
        refused(8, 3);
        table(7, 0, 0, NULL);
        refused(8, 2);
    }
}

static void a_table_is_deleted_when_it_is_empty(void **state)
{
    static struct pof_entry e;
    struct pof_table t = {.command = POF_TABLE_DELETE};

    (void)state;
    handshake(POF_HUAWEI, 1);
    table(POF_MM, 0, 0, NULL);
    e = (struct pof_entry){0};
    entry(&e);
    say(pof_emit_table_mod(rig.d, b, sizeof(b), 1, &t));
    refused(8, 8);
    e.command = POF_ENTRY_DELETE;
    entry(&e);
    say(pof_emit_table_mod(rig.d, b, sizeof(b), 1, &t));
    assert_int_equal(rig.w.errors, 0);
    say(pof_emit_table_mod(rig.d, b, sizeof(b), 1, &t));
    refused(8, 5);
}

static void what_a_dialect_lacks_is_refused(void **state)
{
    static const uint8_t lacking[] = {14, 19, 21, 25};

    (void)state;
    handshake(POF_HUAWEI, 1);
    for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
        memcpy(b, ((uint8_t[]){4, lacking[i], 0, 8, 0, 0, 0, 1}), 8);
        say(8);
        refused(1, 1);
    }
}

static void it_echoes_every_two_seconds_and_forgets_all_when_it_is_cut_off(void **state)
{
    size_t n;

    (void)state;
    handshake(POF_HUAWEI, 2);
    enable(2);
    table(POF_MM, 0, 0, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pof_switch_deadline(&rig.w), rig.now + 2 * SECOND);
        rig.now += 2 * SECOND;
        pof_switch_advance(&rig.w, rig.now);
        assert_int_equal(pof_switch_output(&rig.w, &n)[1], 2);
        assert_int_equal(n, 8);
        pof_switch_output_done(&rig.w, n);
    }
    plain(OFP_ECHO_REQUEST);
    assert_int_equal(pof_switch_output(&rig.w, &n)[1], 3);
    assert_true(rig.w.port[1].pof_enabled);
    pof_switch_disconnected(&rig.w, rig.now);
    assert_false(rig.w.port[1].pof_enabled);
    assert_false(rig.w.table[0][0].there);
    assert_false(pof_switch_wants_connection(&rig.w));
    pof_switch_advance(&rig.w, rig.now + 2 * SECOND);
    assert_true(pof_switch_wants_connection(&rig.w));
}

/* ---- the packet side ----------------------------------------------------------------- */

static uint8_t in[64];

static void frame_of(void)
{
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
}

static void arrive(uint32_t port)
{
    rig.frames = 0;
    pof_switch_packet(&rig.w, port, in, sizeof(in));
}

static void a_port_must_be_enabled_and_a_miss_drops(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        handshake(k ? POF_USTC : POF_HUAWEI, 2);
        frame_of();
        arrive(1);
        enable(2);
        arrive(1);
        assert_int_equal(rig.w.rx, 0); /* no table */
        table(POF_MM, 0, 1, &(struct pof_match){1, 0, 8});
        arrive(1);
        assert_int_equal(rig.w.rx, 1);
        assert_int_equal(rig.w.missed, 1);
        assert_int_equal(rig.w.packet_ins, k); /* USTC's miss is a packet-in */
        assert_int_equal(rig.frames, 0);
    }
}

/* pof.md, "What a controller must know". */
static void the_miss_entry_yields_the_port(void **state)
{
    static struct pof_entry e = {
        .instructions = 1,
        .cookie = 5,
        .cookie_mask = 0xff,
        .instruction = {
            {.type = POFI_APPLY_ACTIONS,
             .actions = 4,
             .action = {
                 {.type = POFA_ADD_FIELD, .at = {0, 0, 16}},
                 {.type = POFA_SET_FIELD_FROM_METADATA, .at = {1, 8, 8}, .metadata_offset = 16},
                 {.type = POFA_PACKET_IN, .arg = 1},
                 {.type = POFA_DELETE_FIELD, .at = {0, 0, 16}}}}}};
    struct ofp_packet_in p;
    struct ofp_msg m;
    uint32_t need;
    size_t n;

    (void)state;
    handshake(POF_HUAWEI, 7);
    enable(7);
    table(POF_MM, 0, 0, NULL);
    entry(&e);
    frame_of();
    arrive(7);
    const uint8_t *out = pof_switch_output(&rig.w, &n);
    assert_int_equal(ofp_frame(rig.d, OFP_FROM_SWITCH, out, n, &m, &need), OFP_OK);
    assert_int_equal(ofp_parse_packet_in(rig.d, &m, &p), OFP_OK);
    assert_int_equal(p.in_port, OFPP_ANY);
    assert_int_equal(p.cookie, 5);
    assert_int_equal(p.frame_len, 66);
    assert_int_equal(p.frame[0], 0);
    assert_int_equal(p.frame[1], 7);
    assert_memory_equal(p.frame + 2, in, 64);
}

static void run_actions(uint32_t n, const struct pof_action *a)
{
    static struct pof_entry e;

    e = (struct pof_entry){.instructions = 2,
                           .instruction = {{.type = POFI_APPLY_ACTIONS, .actions = (uint8_t)n},
                                           {.type = POFI_APPLY_ACTIONS,
                                            .actions = 1,
                                            .action = {{.type = POFA_OUTPUT, .arg = 2}}}}};
    memcpy(e.instruction[0].action, a, n * sizeof(*a));
    handshake(rig.d, 2);
    enable(2);
    table(POF_MM, 0, 0, NULL);
    entry(&e);
    frame_of();
    arrive(1);
}

static void actions_change_bits(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        rig.d = k ? POF_USTC : POF_HUAWEI;
        run_actions(2,
                    (struct pof_action[]){
                        {.type = POFA_SET_FIELD, .at = {1, 4, 8}, .value = {0xab}, .mask = {0xff}},
                        {.type = POFA_MODIFY_FIELD, .at = {1, 16, 8}, .arg = 0xffffffff}});
        assert_int_equal(rig.frames, 1);
        assert_int_equal(rig.got_port, 2);
        assert_int_equal(rig.got[0], 0x0a);
        assert_int_equal(rig.got[1], 0xb1);
        assert_int_equal(rig.got[2], 1);

        run_actions(1, &(struct pof_action){
                           .type = POFA_ADD_FIELD, .at = {0, 12, 12}, .value = {0xab, 0xc0}});
        assert_int_equal(rig.got_n, 66);
        assert_memory_equal(rig.got, ((uint8_t[]){0x00, 0x0a, 0xbc, 0x10, 0x20, 0x30}), 4);

        run_actions(1, &(struct pof_action){.type = POFA_DELETE_FIELD, .at = {0, 16, 32}});
        assert_int_equal(rig.got_n, 60);
        assert_memory_equal(rig.got, ((uint8_t[]){0, 1, 6, 7}), 4);

        run_actions(
            1, &(struct pof_action){
                   .type = POFA_CALCULATE_CHECKSUM, .at = {0, 80, 16}, .over = 0, .over_len = 160});
        {
            uint32_t sum = 0;
            for (int i = 0; i < 20; i += 2)
                sum += (uint32_t)rig.got[i] << 8 | rig.got[i + 1];
            assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
        }

        run_actions(1, &(struct pof_action){.type = POFA_DROP});
        assert_int_equal(rig.frames, 0);

        run_actions(1, &(struct pof_action){.type = POFA_OUTPUT,
                                            .arg = 2,
                                            .metadata_offset = 16,
                                            .metadata_len = 8,
                                            .packet_offset = 60});
        assert_int_equal(rig.frames, 2);
        run_actions(1, &(struct pof_action){.type = POFA_SET_FIELD, .at = {0, 505, 8}});
        assert_int_equal(rig.frames, 0);
        refused(14, 0x1001);
    }
}

static void tables_lead_to_tables_by_global_numbers(void **state)
{
    static struct pof_entry e;

    (void)state;
    for (int k = 0; k < 2; k++) {
        handshake(k ? POF_USTC : POF_HUAWEI, 2);
        enable(2);
        table(POF_MM, 0, 1, &(struct pof_match){POF_METADATA, 16, 8});
        table(POF_EM, 1, 1, &(struct pof_match){1, 0, 16});
        /* Port 1 only; on from byte 4, with metadata read from the packet. */
        e = (struct pof_entry){
            .fields = 1,
            .match = {{{POF_METADATA, 16, 8}, {1}, {0xff}}},
            .instructions = 2,
            .instruction = {{.type = POFI_WRITE_METADATA_FROM_PACKET,
                             .metadata_offset = 32,
                             .packet_offset = 8,
                             .len = 8},
                            {.type = POFI_GOTO_TABLE, .table = 8 + 4 + 1, .packet_offset = 4}}};
        entry(&e);
        e = (struct pof_entry){.table = 1,
                               .type = POF_EM,
                               .index = 9,
                               .fields = 1,
                               .match = {{{1, 0, 16}, {4, 5}, {0xff, 0xff}}},
                               .instructions = 1,
                               .instruction = {{.type = POFI_APPLY_ACTIONS,
                                                .actions = 2,
                                                .action = {{.type = POFA_SET_FIELD_FROM_METADATA,
                                                            .at = {1, 0, 8},
                                                            .metadata_offset = 32},
                                                           {.type = POFA_OUTPUT, .arg = 2}}}}};
        entry(&e);
        frame_of();
        arrive(2);
        assert_int_equal(rig.frames, 0);
        arrive(1);
        assert_int_equal(rig.frames, 1);
        assert_int_equal(rig.got[k ? 0 : 4], 1);
        assert_int_equal(rig.got_n, k ? 60 : 64); /* USTC sends from where it counts */
    }
}

static void the_highest_priority_wins_and_groups_count(void **state)
{
    static struct pof_entry e;
    struct pof_group g = {
        .id = 3,
        .counter = 9,
        .actions = 2,
        .action = {{.type = POFA_OUTPUT, .arg = 1}, {.type = POFA_OUTPUT, .arg = 2}}};

    (void)state;
    handshake(POF_HUAWEI, 2);
    enable(2);
    table(POF_MM, 0, 1, &(struct pof_match){1, 0, 8});
    e = (struct pof_entry){
        .fields = 1,
        .match = {{.at = {1, 0, 8}}},
        .instructions = 1,
        .instruction = {
            {.type = POFI_APPLY_ACTIONS, .actions = 1, .action = {{.type = POFA_DROP}}}}};
    entry(&e);
    e.index = 1;
    e.priority = 7;
    e.counter = 4;
    e.instruction[0].action[0] = (struct pof_action){.type = POFA_GROUP, .arg = 3};
    entry(&e);
    say(pof_emit_group(rig.d, b, sizeof(b), 1, &g));
    frame_of();
    arrive(1);
    arrive(1);
    assert_int_equal(rig.frames, 2);
    assert_int_equal(rig.w.counter[4], 2);
    assert_int_equal(rig.w.counter[9], 2);
    say(pof_emit_group(rig.d, b, sizeof(b), 1, &g));
    refused(6, 0);
}

static void packet_out_is_ustcs(void **state)
{
    size_t n;

    (void)state;
    handshake(POF_USTC, 3);
    frame_of();
    n = ofp_emit_packet_out_ports(POF_USTC, b, sizeof(b), 1, OFP_NO_BUFFER, OFPP_CONTROLLER,
                                  (uint32_t[]){1, 3}, 2, in, sizeof(in));
    say(n);
    assert_int_equal(rig.frames, 2);
    assert_int_equal(rig.got_port, 3);
    assert_memory_equal(rig.got, in, sizeof(in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handshake_has_one_order),
        cmocka_unit_test(all_four_may_come_in_one_piece),
        cmocka_unit_test(an_entry_cut_in_pieces_resets_the_connection),
        cmocka_unit_test(what_lies_in_the_buffer_together_may_be_cut_anywhere),
        cmocka_unit_test(a_used_slot_is_not_given_twice),
        cmocka_unit_test(a_table_is_deleted_when_it_is_empty),
        cmocka_unit_test(what_a_dialect_lacks_is_refused),
        cmocka_unit_test(it_echoes_every_two_seconds_and_forgets_all_when_it_is_cut_off),
        cmocka_unit_test(a_port_must_be_enabled_and_a_miss_drops),
        cmocka_unit_test(the_miss_entry_yields_the_port),
        cmocka_unit_test(actions_change_bits),
        cmocka_unit_test(tables_lead_to_tables_by_global_numbers),
        cmocka_unit_test(the_highest_priority_wins_and_groups_count),
        cmocka_unit_test(packet_out_is_ustcs),
    };
    int r = cmocka_run_group_tests_name("ofp_pof_switch", tests, NULL, NULL);

    pof_switch_fini(&rig.w);
    return r;
}
