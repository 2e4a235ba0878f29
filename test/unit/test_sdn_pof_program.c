/* Programs of POF switches: their words, their errors, and changes while they run. */
#include "lib/pof_net.h"

#include "sdn/pof_int.h"

static struct pof_rule room[64];
static struct pof_program program;
static char text[200];
static struct fmt why;

static void words(void)
{
    fmt_init(&why, text, sizeof(text));
}

/* eth, label behind it, two tables. */
static void declare(void)
{
    words();
    pof_program_init(&program, room, ARRAY_LEN(room));
    assert_true(pof_program_metadata(&program, "mine", 32, &why));
    assert_true(pof_program_field(&program, "id", -1, 16, &why));
    assert_true(pof_program_protocol(&program, "eth", 0, &why));
    assert_true(pof_program_field(&program, "dst", -1, 48, &why));
    assert_true(pof_program_field(&program, "src", -1, 48, &why));
    assert_true(pof_program_field(&program, "type", -1, 16, &why));
    assert_true(pof_program_protocol(&program, "label", 112, &why));
    assert_true(pof_program_field(&program, "id", -1, 16, &why));
    assert_true(pof_program_field(&program, "ttl", 16, 8, &why));
    assert_true(pof_program_table(&program, "first", "MM", 16, &why));
    assert_true(pof_program_key(&program, "eth.type", &why));
    assert_true(pof_program_table(&program, "labels", "EM", 16, &why));
    assert_true(pof_program_key(&program, "label.id", &why));
    assert_true(pof_program_check(&program, &why));
}

static struct pof_rule rule(const char *table, uint32_t priority, const char *field,
                            const char *value, const char *const *steps)
{
    struct pof_rule r;

    words();
    assert_true(pof_rule_begin(&program, &r, table, priority, 0, &why));
    if (field && !pof_rule_match(&program, &r, field, value, &why))
        fail_msg("%s", text);
    for (; *steps; steps++)
        if (!pof_rule_step(&program, &r, *steps, &why))
            fail_msg("%s", text);
    return r;
}
#define STEPS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* ---- words --------------------------------------------------------------------------- */

static void values_come_from_the_left(void **state)
{
    static const struct {
        const char *field, *value;
        uint8_t v[6], m[6];
    } is[] = {
        {"eth.type", "2048", {8, 0}, {255, 255}},
        {"eth.type", "0x88b5/0xff00", {0x88, 0xb5}, {255, 0}},
        {"eth.dst",
         "00:11:22:33:44:55",
         {0, 0x11, 0x22, 0x33, 0x44, 0x55},
         {255, 255, 255, 255, 255, 255}},
        {"eth.dst", "01:00:00:00:00:00/01:00:00:00:00:00", {1}, {1}},
        {"ip.dst", "10.1.2.3", {10, 1, 2, 3}, {255, 255, 255, 255}},
        {"ip.dst", "10.0.0.0/9", {10, 0, 0, 0}, {255, 128, 0, 0}},
        {"ip.dst", "10.0.0.0/255.0.0.255", {10, 0, 0, 0}, {255, 0, 0, 255}},
        {"odd.bits", "5", {0xa0}, {0xe0}},
        {"odd.bits", "0x7/2", {0xe0}, {0x40}},
    };
    struct pof_rule r;

    (void)state;
    declare();
    assert_true(pof_program_protocol(&program, "ip", 112, &why));
    assert_true(pof_program_field(&program, "dst", 128, 32, &why));
    assert_true(pof_program_protocol(&program, "odd", 113, &why));
    assert_true(pof_program_field(&program, "bits", 0, 3, &why));
    for (size_t i = 0; i < ARRAY_LEN(is); i++) {
        char name[16];

        snprintf(name, sizeof(name), "t%zu", i);
        assert_true(pof_program_table(&program, name, "MM", 16, &why));
        assert_true(pof_program_key(&program, is[i].field, &why));
        assert_true(pof_rule_begin(&program, &r, name, 1, 0, &why));
        if (!pof_rule_match(&program, &r, is[i].field, is[i].value, &why))
            fail_msg("%s", text);
        assert_memory_equal(r.value[0], is[i].v, 6);
        assert_memory_equal(r.mask[0], is[i].m, 6);
    }
}

static void what_is_wrong_is_said_in_words(void **state)
{
    static const char *const values[] = {"",          "x",     "0x",        "65536",
                                         "0x10000",   "1/",    "1/0x10000", "10.0.0",
                                         "1.2.3.256", "00:11", "-1",        "1 2"};
    static const char *const steps[] = {"",
                                        "output",
                                        "output x",
                                        "output 1 2",
                                        "jump",
                                        "goto nowhere",
                                        "goto first",
                                        "set label.nothing 1",
                                        "set label.ttl 256",
                                        "set label.ttl from label.id",
                                        "set label.ttl from meta.len",
                                        "set mine.id 1",
                                        "add eth.dst 1",
                                        "add label.ttl x",
                                        "insert nothing 1",
                                        "insert label 0x1000000",
                                        "insert meta 1",
                                        "write label.id 1",
                                        "write mine.id from meta.len",
                                        "checksum label.id over label"};
    struct pof_rule r;

    (void)state;
    declare();
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        words();
        assert_true(pof_rule_begin(&program, &r, "labels", 1, 0, &why));
        if (pof_rule_match(&program, &r, "label.id", values[i], &why))
            fail_msg("'%s' was taken for a value", values[i]);
        assert_true(why.len > 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        words();
        if (pof_rule_step(&program, &r, steps[i], &why))
            fail_msg("'%s' was taken for a step", steps[i]);
        assert_true(why.len > 0);
    }
    words();
    assert_false(pof_rule_begin(&program, &r, "labels", 0, 0, &why));
    assert_false(pof_rule_begin(&program, &r, "labels", 65536, 0, &why));
    assert_false(pof_rule_begin(&program, &r, "nowhere", 1, 0, &why));
    assert_false(pof_program_table(&program, "labels", "MM", 16, &why));
    assert_false(pof_program_table(&program, "x", "HASH", 16, &why));
    assert_false(pof_program_table(&program, "x", "MM", 1, &why));
    assert_false(pof_program_protocol(&program, "eth", 0, &why));
    assert_false(pof_program_protocol(&program, "a b", 0, &why));
    assert_false(pof_program_field(&program, "id", -1, 8, &why));
    assert_false(pof_program_field(&program, "long", -1, 129, &why));
    assert_false(pof_program_metadata(&program, "early", 16, &why));
    pof_program_init(&program, room, ARRAY_LEN(room));
    assert_false(pof_program_table(&program, "x", "EM", 16, &why));
    assert_false(pof_program_check(&program, &why));
}

static void steps_are_printed_as_they_were_said(void **state)
{
    static const char *const steps[] = {"output 3",
                                        "controller",
                                        "set label.id 0x22",
                                        "set label.ttl from meta.in_port",
                                        "add label.ttl -1",
                                        "insert label 0x110a00",
                                        "remove label",
                                        "checksum label.ttl over label",
                                        "count 5",
                                        "meter 2",
                                        "write mine.id 0x12",
                                        "write mine.id from label.id",
                                        "goto labels",
                                        "forward",
                                        "drop"};

    (void)state;
    declare();
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct pof_rule r = rule("first", 1, NULL, NULL, STEPS(steps[i]));
        char said[100];
        struct fmt f;

        fmt_init(&f, said, sizeof(said));
        pof_step_print(&f, &program, &r.step[0]);
        assert_string_equal(said, steps[i]);
    }
}

static void steps_are_packed_into_a_dialects_blocks(void **state)
{
    static const uint8_t global[POF_TABLES_MAX + 1] = {0, 12, [POF_TABLES_MAX] = 3};
    static struct pof_entry e;
    struct pof_rule r;

    (void)state;
    declare();
    r = rule("first", 7, "eth.type", "0x88b5",
             STEPS("set label.id 1", "set label.id 2", "set label.id 3", "set label.id 4",
                   "add label.ttl -1", "write mine.id 9", "goto labels"));
    assert_true(pof_rule_build(&program, &r, POF_HUAWEI, global, &e));
    assert_int_equal(e.instructions, 4);
    assert_int_equal(e.instruction[0].actions, 4);
    assert_int_equal(e.instruction[1].actions, 1);
    assert_int_equal(e.instruction[2].type, POFI_WRITE_METADATA);
    assert_int_equal(e.instruction[3].table, 12);
    assert_int_equal(e.match[0].at.offset, 96);
    assert_true(pof_rule_build(&program, &r, POF_USTC, global, &e));
    assert_int_equal(e.instructions, 3);
    assert_int_equal(e.instruction[0].actions, 5);

    r = rule("first", 7, NULL, NULL,
             STEPS("count 1", "meter 1", "count 1", "meter 1", "count 1", "forward"));
    assert_false(pof_rule_check(&program, &r, POF_HUAWEI, &why));
    assert_true(pof_rule_check(&program, &r, POF_USTC, &why));
    assert_true(pof_rule_check(&program, &r, OFP_NONE, &why));
    assert_true(pof_rule_build(&program, &r, POF_USTC, global, &e));
    assert_int_equal(e.instruction[5].table, 3);
}

static void a_table_takes_what_it_has_slots_for_and_nothing_twice(void **state)
{
    struct pof_rule r;

    (void)state;
    declare();
    for (uint32_t i = 0; i < 15; i++) {
        char id[16];

        snprintf(id, sizeof(id), "%u", i);
        r = rule("labels", 1, "label.id", id, STEPS("output 1"));
        assert_true(pof_program_rule(&program, &r, &why));
    }
    r = rule("labels", 1, "label.id", "99", STEPS("output 1"));
    assert_false(pof_program_rule(&program, &r, &why));
    assert_string_equal(text, "table 'labels' is full: 16 slots, one of them for the miss");
    r = rule("labels", 1, "label.id", "3", STEPS("output 2"));
    assert_false(pof_program_rule(&program, &r, &why));
    r = rule("first", 1, NULL, NULL, STEPS("drop"));
    assert_true(pof_program_rule(&program, &r, &why));
    assert_int_equal(program.rule[15].id, 16);
}

/* ---- on switches --------------------------------------------------------------------- */

static void send_label(uint8_t id)
{
    uint8_t b[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 0, id, 9};

    net_clear();
    pof_switch_packet(&net.node[0].w, 1, b, sizeof(b));
    net_pump();
}

/* What is answered to a question, as text. */
static const char *ask(enum sdn_ask_kind kind, const struct pof_rule_words *r)
{
    static char buf[16384];
    static struct sdn_ask q;

    q = (struct sdn_ask){.kind = kind, .pof_entry = r, .buf = buf, .cap = sizeof(buf)};
    buf[0] = 0;
    pof_ask(net.s, &q, net.now);
    while (sdn_next_answered(net.s))
        ;
    return buf;
}

static void rules_change_while_they_run(void **state)
{
    struct pof_rule r;
    uint32_t id = 0;

    (void)state;
    for (int k = 0; k < 2; k++) {
        declare();
        r = rule("first", 1, "eth.type", "0x88b5", STEPS("goto labels"));
        assert_true(pof_program_rule(&program, &r, &why));
        net_begin(SDN_LEARN, 1, (enum ofp_dialect[]){k ? POF_USTC : POF_HUAWEI}, 4);
        net.config.pof = &program;
        net_start();
        net_run(5 * SECOND);
        net_sound();
        send_label(7);
        assert_int_equal(net.arrivals, 0);
        r = rule("labels", 5, "label.id", "7", STEPS("set label.id 8", "output 3"));
        assert_int_equal(rules_add(net.s, &r, &id, &why), 200);
        assert_int_equal(id, 2);
        assert_int_equal(rules_add(net.s, &r, &id, &why), 409);
        net_run(SECOND);
        assert_non_null(
            strstr(ask(SDN_ASK_POF, NULL), "\"do\":[\"set label.id 0x8\",\"output 3\"]"));
        send_label(7);
        assert_int_equal(net.arrivals, 1);
        assert_int_equal(net.got[0].port, 3);
        assert_int_equal(net.got[0].b[15], 8);
        /* It survives a reconnection, and goes when it is deleted. */
        net_gone(&net.node[0]);
        net_run(7 * SECOND);
        send_label(7);
        assert_int_equal(net.arrivals, 1);
        assert_int_equal(rules_delete(net.s, id, &why), 200);
        assert_int_equal(rules_delete(net.s, id, &why), 404);
        net_run(SECOND);
        send_label(7);
        assert_int_equal(net.arrivals, 0);
        for (int i = 0; i < 100; i++) { /* slots do not leak */
            r.priority = (uint16_t)(i + 1);
            assert_int_equal(rules_add(net.s, &r, &id, &why), 200);
            net_run(100 * MILLI);
            assert_int_equal(rules_delete(net.s, id, &why), 200);
            net_run(100 * MILLI);
        }
        net_sound();
        assert_int_equal(net.node[0].w.table[POF_EM][0].used, 1);
    }
}

static void a_command_is_said_in_words(void **state)
{
    struct pof_rule_words w = {.table = "labels",
                               .priority = 5,
                               .matches = 1,
                               .match = {{"label.id", "7"}},
                               .steps = 1,
                               .step = {"output 2"}};

    (void)state;
    declare();
    net_begin(SDN_LEARN, 0, NULL, 0);
    net.config.pof = &program;
    net_start();
    ask(SDN_DO_POF_ADD, &w);
    assert_int_equal(net.s->pof->program.rules, 1);
    ask(SDN_DO_POF_ADD, &w); /* 409 */
    w.step[0] = "output everywhere";
    ask(SDN_DO_POF_ADD, &w); /* 400 */
    assert_int_equal(net.s->pof->program.rules, 1);
    w.steps = 0;
    ask(SDN_DO_POF_DELETE, &w);
    assert_int_equal(net.s->pof->program.rules, 0);
    ask(SDN_DO_POF_DELETE, &w); /* 404 */
    w = (struct pof_rule_words){0};
    ask(SDN_DO_POF_DELETE, &w); /* 400 */
}

static void a_switch_with_too_few_tables_is_left_without(void **state)
{
    (void)state;
    declare();
    net_begin(SDN_LEARN, 1, (enum ofp_dialect[]){POF_HUAWEI}, 2);
    net.config.pof = &program;
    net.node[0].w.tables[POF_EM] = 0;
    net_start();
    net_run(10 * SECOND);
    net_sound();
    assert_int_equal(net.node[0].w.table_mods, 0);
}

/* Other cores hear of changes by letters, and of everything anew when letters were full. */
static void other_cores_have_the_same_rules(void **state)
{
    struct sdn_config c;
    struct sdn *core[2];
    void *memory[2];
    struct sdn_letter l;
    uint32_t id[60];
    size_t n;

    (void)state;
    declare();
    net_begin(SDN_LEARN, 0, NULL, 0);
    c = net.config;
    c.pof = &program;
    c.cores = 2;
    for (unsigned i = 0; i < 2; i++) {
        c.core = i;
        n = sdn_bytes(&c, NULL);
        memory[i] = aligned_alloc(4096, n);
        memset(memory[i], 0, n);
        core[i] = sdn_init(memory[i], &c, SECOND);
    }
    for (uint32_t i = 0; i < 60; i++) {
        struct pof_rule r = rule("first", i + 1, NULL, NULL, STEPS("output 1"));

        assert_int_equal(rules_add(core[0], &r, &id[i], &why), 200);
        if (i >= 10)
            assert_int_equal(rules_delete(core[0], id[i - 10], &why), 200);
    }
    assert_int_not_equal(core[0]->pof->behind, 0);
    for (int i = 0; i < 20; i++) {
        while (sdn_letter_next(core[0], 0, &l)) {
            assert_int_equal(l.to, 1);
            sdn_letter(core[1], 0, l.p, l.n, SECOND);
            sdn_letter_done(core[0], 1);
        }
        sdn_advance(core[0], SECOND);
    }
    assert_int_equal(core[0]->pof->behind, 0);
    assert_int_equal(core[1]->pof->program.rules, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_non_null(rule_by_id(core[1]->pof, core[0]->pof->program.rule[i].id));
    free(memory[0]);
    free(memory[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_from_the_left),
        cmocka_unit_test(what_is_wrong_is_said_in_words),
        cmocka_unit_test(steps_are_printed_as_they_were_said),
        cmocka_unit_test(steps_are_packed_into_a_dialects_blocks),
        cmocka_unit_test(a_table_takes_what_it_has_slots_for_and_nothing_twice),
        cmocka_unit_test(rules_change_while_they_run),
        cmocka_unit_test(a_command_is_said_in_words),
        cmocka_unit_test(a_switch_with_too_few_tables_is_left_without),
        cmocka_unit_test(other_cores_have_the_same_rules),
    };
    int r = cmocka_run_group_tests_name("sdn_pof_program", tests, NULL, NULL);

    net_end();
    return r;
}
