/* What operators ask for: confirmed, refused, kept, brought back; and questions that only a switch
 * can answer. */
#include "lib/sdn_world.h"

#include <stdio.h>

enum { FLOW_MOD = 14, GROUP_MOD = 15, MULTIPART = 18, BARRIER = 20, BARRIER10 = 18 };

static struct sdn_world w;
static struct sdn_line l;
static char text[65536];
static struct sdn_ask q;
static struct ofp_flow flow;
static struct ofp_group group;

static int begin(void **state)
{
    struct sdn_config c = world_config();

    (void)state;
    world_open(&w, &c);
    ofp_flow_init(&flow);
    memset(&group, 0, sizeof(group));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static void connect_switch(enum ofp_dialect d)
{
    line_open(&l, &w, d);
    line_up(&l, 7);
}

/* A question; what came back at once, or NULL: it waits. */
static struct sdn_ask *ask(enum sdn_ask_kind k, uint64_t dpid)
{
    q = (struct sdn_ask){.kind = k,
                         .dpid = dpid,
                         .flow = k == SDN_DO_FLOW ? &flow : NULL,
                         .group = k == SDN_DO_GROUP ? &group : NULL,
                         .buf = text,
                         .cap = sizeof(text)};
    sdn_ask(w.s, &q, w.now);
    return sdn_next_answered(w.s);
}

static void expect_answer(unsigned status, const char *part)
{
    struct sdn_ask *a = sdn_next_answered(w.s);

    assert_ptr_equal(a, &q);
    assert_int_equal(q.status, status);
    text[q.n] = '\0';
    if (part)
        assert_non_null(strstr(text, part));
}

static const char *stored(void)
{
    assert_non_null(ask(SDN_ASK_STORED, 0));
    text[q.n] = '\0';
    return text;
}

static void a_flow_to(uint16_t priority, uint32_t port)
{
    ofp_flow_init(&flow);
    flow.priority = priority;
    ofp_match_set_u64(&flow.match, OFPF_ETH_TYPE, 0x0800);
    ofp_match_set(&flow.match, OFPF_IPV4_DST, "\x0a\0\0\x09", "\xff\xff\xff\0");
    flow.do_.apply.n = 1;
    flow.do_.apply.a[0] = (struct ofp_action){.type = OFPA_OUTPUT, .port = port, .max_len = 0xffff};
}

/* The next messages are of these types; answers the last, a barrier. */
static uint32_t expect_and_confirm(unsigned type, bool confirm)
{
    uint8_t b[8] = {l.dialect == OFP_10 ? 1 : 4, l.dialect == OFP_10 ? 19 : 21, 0, 8};
    const uint8_t *m = line_next(&l);
    uint32_t xid;

    assert_non_null(m);
    assert_int_equal(m[1], type);
    xid = load_be32(m + 4);
    m = line_next(&l);
    assert_non_null(m);
    assert_int_equal(m[1], l.dialect == OFP_10 ? BARRIER10 : BARRIER);
    memcpy(b + 4, m + 4, 4);
    if (confirm)
        line_say(&l, b, 8);
    return xid;
}

static void add_confirmed(uint16_t priority)
{
    a_flow_to(priority, 2);
    assert_null(ask(SDN_DO_FLOW, 7));
    expect_and_confirm(FLOW_MOD, true);
    expect_answer(200, "confirmed");
}

static void a_flow_is_answered_when_the_barrier_is(void **state)
{
    (void)state;
    connect_switch(OFP_13);
    a_flow_to(5, 2);
    assert_null(ask(SDN_DO_FLOW, 7));
    assert_null(sdn_next_answered(w.s));
    expect_and_confirm(FLOW_MOD, true);
    expect_answer(200, "confirmed");
    assert_non_null(strstr(stored(), "\"installed\""));
    assert_non_null(strstr(text, "10.0.0.0/24"));
    line_close(&l);
    assert_non_null(strstr(stored(), "\"waiting\""));
}

static void a_switch_of_1_0_is_told_in_its_own_words(void **state)
{
    (void)state;
    connect_switch(OFP_10);
    add_confirmed(5);
    group.id = 1;
    assert_non_null(ask(SDN_DO_GROUP, 7));
    assert_int_equal(q.status, 501);
    assert_null(strstr(stored(), "group"));
    line_close(&l);
}

static void what_is_refused_is_told_by_name_and_forgotten(void **state)
{
    uint8_t b[128];
    uint32_t xid;

    (void)state;
    connect_switch(OFP_13);
    a_flow_to(5, 2);
    assert_null(ask(SDN_DO_FLOW, 7));
    xid = expect_and_confirm(FLOW_MOD, false);
    line_say(&l, b, ofp_emit_error(4, b, sizeof(b), xid, 5, 1, "x", 1));
    expect_answer(502, "TABLE_FULL");
    assert_string_equal(stored(), "{\"stored\":[]}");
    line_close(&l);
}

static void silence_is_answered_in_time(void **state)
{
    (void)state;
    connect_switch(OFP_13);
    a_flow_to(5, 2);
    assert_null(ask(SDN_DO_FLOW, 7));
    expect_and_confirm(FLOW_MOD, false);
    assert_true(sdn_deadline(w.s) <= w.now + 5 * USEC_PER_SEC);
    world_advance(&w, 6 * USEC_PER_SEC);
    expect_answer(504, NULL);
    line_close(&l);
}

static void without_a_switch_it_is_kept_unless_it_would_end(void **state)
{
    (void)state;
    a_flow_to(5, 2);
    assert_non_null(ask(SDN_DO_FLOW, 7));
    assert_int_equal(q.status, 202);
    flow.idle_timeout = 1;
    assert_non_null(ask(SDN_DO_FLOW, 7));
    assert_int_equal(q.status, 404);
}

static void what_is_kept_comes_back_groups_first(void **state)
{
    uint8_t b[1024];
    struct ofp_port ports[4];
    const uint8_t *m;
    unsigned seen = 0;

    (void)state;
    a_flow_to(5, 2);
    assert_non_null(ask(SDN_DO_FLOW, 7));
    group.id = 3;
    group.type = OFPGT_ALL;
    assert_non_null(ask(SDN_DO_GROUP, 7));
    assert_int_equal(q.status, 202);
    line_open(&l, &w, OFP_13);
    line_say(&l, b, hello_bytes(OFP_13, b, sizeof(b)));
    line_say(&l, b, features_bytes(OFP_13, 7, 2, b, sizeof(b)));
    for (uint32_t i = 0; i < 4; i++)
        ports[i] = a_port(i + 1);
    while ((m = line_next(&l)) != NULL) {
        if (m[1] == MULTIPART && load_be16(m + 8) == 13)
            line_say(&l, b,
                     ofp_emit_port_desc_reply(OFP_13, b, sizeof(b), load_be32(m + 4), ports, 4));
        if (m[1] == GROUP_MOD)
            seen = seen == 0 ? 1 : 99;
        if (m[1] == FLOW_MOD && load_be16(m + 30) == 5)
            seen = seen == 1 ? 2 : 99;
        if (m[1] == BARRIER && seen == 2) {
            uint8_t reply[8] = {4, 21, 0, 8};
            memcpy(reply + 4, m + 4, 4);
            line_say(&l, reply, 8);
            seen = 3;
        }
    }
    assert_int_equal(seen, 3);
    assert_null(strstr(stored(), "waiting"));
    line_close(&l);
}

static void a_delete_takes_what_it_covers(void **state)
{
    (void)state;
    connect_switch(OFP_13);
    add_confirmed(5);
    add_confirmed(6);
    add_confirmed(6); /* the same again is the same */
    a_flow_to(6, 0);
    flow.do_.apply.n = 0;
    flow.command = OFPFC_DELETE_STRICT;
    assert_null(ask(SDN_DO_FLOW, 7));
    expect_and_confirm(FLOW_MOD, true);
    expect_answer(200, NULL);
    assert_non_null(strstr(stored(), "\"priority\":5"));
    assert_null(strstr(text, "\"priority\":6"));
    ofp_flow_init(&flow);
    flow.command = OFPFC_DELETE;
    flow.table = OFP_TABLE_ALL;
    ofp_match_set_u64(&flow.match, OFPF_ETH_TYPE, 0x0800);
    assert_null(ask(SDN_DO_FLOW, 7));
    expect_and_confirm(FLOW_MOD, true);
    expect_answer(200, NULL);
    assert_string_equal(stored(), "{\"stored\":[]}");
    line_close(&l);
}

static void clearing_deletes_each_at_the_switch(void **state)
{
    const uint8_t *m;
    unsigned deleted = 0;

    (void)state;
    connect_switch(OFP_13);
    add_confirmed(5);
    add_confirmed(6);
    assert_null(ask(SDN_DO_FLOWS_CLEAR, 7));
    while ((m = line_next(&l)) != NULL) {
        uint8_t reply[8] = {4, 21, 0, 8};
        deleted += m[1] == FLOW_MOD && m[25] == 4; /* DELETE_STRICT */
        memcpy(reply + 4, m + 4, 4);
        if (m[1] == BARRIER)
            line_say(&l, reply, 8);
    }
    assert_int_equal(deleted, 2);
    expect_answer(200, "confirmed");
    assert_string_equal(stored(), "{\"stored\":[]}");
    line_close(&l);
}

static void the_limit_of_what_is_kept_holds(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 64; i++) {
        a_flow_to(i, 2);
        assert_non_null(ask(SDN_DO_FLOW, 7));
        assert_int_equal(q.status, 202);
    }
    a_flow_to(100, 2);
    assert_non_null(ask(SDN_DO_FLOW, 7));
    assert_int_equal(q.status, 503);
}

static void a_file_brings_it_all_back_or_nothing(void **state)
{
    static uint8_t file[65536];
    struct sdn_config c = world_config();
    size_t n;

    (void)state;
    uint64_t version = sdn_store_version(w.s);
    a_flow_to(5, 2);
    assert_non_null(ask(SDN_DO_FLOW, 7));
    a_flow_to(6, 2);
    assert_non_null(ask(SDN_DO_FLOW, 8));
    assert_true(sdn_store_version(w.s) != version);
    n = sdn_store_save(w.s, file, sizeof(file));
    assert_int_equal(sdn_store_save(w.s, NULL, 0), n);
    free(w.memory);
    world_open(&w, &c);
    for (size_t cut = 0; cut < n; cut++) {
        int kept = sdn_store_load(w.s, file, cut);
        assert_true(kept == -1 || (kept <= 1 && cut >= 8));
        if (kept > 0)
            assert_non_null(ask(SDN_DO_FLOWS_CLEAR, 7));
        if (kept > 0)
            assert_non_null(ask(SDN_DO_FLOWS_CLEAR, 8));
    }
    assert_string_equal(stored(), "{\"stored\":[]}");
    assert_int_equal(sdn_store_load(w.s, file, n), 2);
    assert_non_null(strstr(stored(), "\"priority\":6"));
}

/* ---- questions to a switch ---- */

static struct ofp_flow_stats a_stat(uint16_t priority)
{
    struct ofp_flow_stats f = {.packets = 9, .bytes = 900};

    a_flow_to(priority, 2);
    f.flow = flow;
    return f;
}

static void flows_in_two_replies_are_one_list(void **state)
{
    struct ofp_flow_stats f[2];
    uint8_t b[1024];
    const uint8_t *m;
    uint32_t xid;
    size_t used, n;

    (void)state;
    connect_switch(OFP_13);
    assert_null(ask(SDN_ASK_FLOWS, 7));
    m = line_next(&l);
    assert_non_null(m);
    assert_int_equal(m[1], MULTIPART);
    xid = load_be32(m + 4);
    f[0] = a_stat(1);
    f[1] = a_stat(2);
    n = ofp_emit_flow_stats_reply(OFP_13, b, sizeof(b), xid, &f[0], 1, &used);
    b[11] |= 1; /* more */
    line_say(&l, b, n);
    assert_null(sdn_next_answered(w.s));
    n = ofp_emit_flow_stats_reply(OFP_13, b, sizeof(b), xid, &f[1], 1, &used);
    line_say(&l, b, n);
    expect_answer(200, "\"priority\":2");
    assert_non_null(strstr(text, "\"priority\":1"));
    line_close(&l);
}

static void an_answer_that_does_not_fit_is_said_to_be_so(void **state)
{
    struct ofp_flow_stats f = a_stat(1);
    uint8_t b[1024];
    const uint8_t *m;
    size_t used;

    (void)state;
    connect_switch(OFP_13);
    q = (struct sdn_ask){.kind = SDN_ASK_FLOWS, .dpid = 7, .buf = text, .cap = 100};
    sdn_ask(w.s, &q, w.now);
    m = line_next(&l);
    assert_non_null(m);
    line_say(&l, b,
             ofp_emit_flow_stats_reply(OFP_13, b, sizeof(b), load_be32(m + 4), &f, 1, &used));
    expect_answer(413, NULL);
    line_close(&l);
}

static void whoever_waits_hears_that_the_switch_has_gone(void **state)
{
    (void)state;
    connect_switch(OFP_13);
    assert_null(ask(SDN_ASK_FLOWS, 7));
    line_close(&l);
    expect_answer(504, "gone");
    assert_non_null(ask(SDN_ASK_FLOWS, 7));
    assert_int_equal(q.status, 404);
}

static void lists_go_on_where_the_buffer_was_full(void **state)
{
    unsigned rounds = 0, found = 0;
    uint64_t cursor = 0;

    (void)state;
    for (uint16_t i = 0; i < 10; i++) {
        a_flow_to(i, 2);
        assert_non_null(ask(SDN_DO_FLOW, 7));
    }
    do {
        q = (struct sdn_ask){.kind = SDN_ASK_STORED, .cursor = cursor, .buf = text, .cap = 1000};
        sdn_ask(w.s, &q, w.now);
        assert_ptr_equal(sdn_next_answered(w.s), &q);
        assert_int_equal(q.status, 200);
        text[q.n] = '\0';
        for (const char *p = text; (p = strstr(p, "\"priority\"")) != NULL; p++)
            found++;
        cursor = q.cursor;
        rounds++;
    } while (cursor != 0 && rounds < 20);
    assert_int_equal(found, 10);
    assert_true(rounds > 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_flow_is_answered_when_the_barrier_is),
        T(a_switch_of_1_0_is_told_in_its_own_words),
        T(what_is_refused_is_told_by_name_and_forgotten),
        T(silence_is_answered_in_time),
        T(without_a_switch_it_is_kept_unless_it_would_end),
        T(what_is_kept_comes_back_groups_first),
        T(a_delete_takes_what_it_covers),
        T(clearing_deletes_each_at_the_switch),
        T(the_limit_of_what_is_kept_holds),
        T(a_file_brings_it_all_back_or_nothing),
        T(flows_in_two_replies_are_one_list),
        T(an_answer_that_does_not_fit_is_said_to_be_so),
        T(whoever_waits_hears_that_the_switch_has_gone),
        T(lists_go_on_where_the_buffer_was_full),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
