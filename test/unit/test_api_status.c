/* A core tells everything it counts, or nothing. */
#include "lib/cmocka_first.h"

#include "api/status.h"

#define ROOM 131072u

struct world {
    void *memory;
    struct status_source source;
    char *text;
};

static size_t app_status(void *core_state, char *buf, size_t n)
{
    return (size_t)snprintf(buf, n, "{\"served\":%d}", *(int *)core_state);
}

static const struct mr_app app = {.name = "test", .status = app_status};
static int served = 42;

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct stack_config c;

    stack_config_default(&c);
    stack_limits_for(&c.limits, 16);
    size_t bytes = align_up(stack_bytes(&c.limits), 4096);
    w->memory = aligned_alloc(4096, bytes);
    memset(w->memory, 0, bytes);
    w->source = (struct status_source){
        .stack = stack_init(w->memory, bytes, &c, 1000), .app = &app, .core_state = &served};
    w->text = malloc(ROOM);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    free(w->text);
    free(w->memory);
    free(w);
    return 0;
}

static void expect_every_name(const struct world *w, const struct stat_group *g)
{
    char name[80];

    for (unsigned i = 0; i < g->n; i++) {
        snprintf(name, sizeof(name), "\"%s\":0", g->fields[i].name);
        assert_non_null(strstr(w->text, name));
    }
}

static void every_counter_of_every_layer_is_there_although_it_is_zero(void **state)
{
    struct world *w = *state;

    size_t len = status_print(&w->source, w->text, ROOM);
    assert_int_equal(len, strlen(w->text));
    expect_every_name(w, &eth_stat_group);
    expect_every_name(w, &ip_stat_group);
    expect_every_name(w, &udp_stat_group);
    expect_every_name(w, &tcp_stat_group);
    expect_every_name(w, &sock_stat_group);
    expect_every_name(w, &mail_stat_group);
    expect_every_name(w, &post_stat_group);
}

static void the_application_has_its_own_member(void **state)
{
    struct world *w = *state;

    assert_true(status_print(&w->source, w->text, ROOM) > 0);
    assert_non_null(strstr(w->text, "\"app\":{\"served\":42}"));
    w->source.app = NULL;
    assert_true(status_print(&w->source, w->text, ROOM) > 0);
    assert_non_null(strstr(w->text, "\"app\":null"));
}

static void what_does_not_fit_is_not_there_at_all(void **state)
{
    struct world *w = *state;
    size_t whole = status_print(&w->source, w->text, ROOM);

    for (size_t n = 1; n <= whole; n += 37)
        assert_int_equal(status_print(&w->source, w->text, n), 0);
    assert_int_equal(status_print(&w->source, w->text, whole + 1), whole);
}

static void no_connections_are_one_empty_page(void **state)
{
    struct world *w = *state;
    struct status_question q = status_question("conns 0 100");

    assert_int_equal(q.ask, STATUS_ASK_CONNS);
    assert_int_equal(q.count, 100);
    assert_true(status_conns(w->source.stack, &q, 1, w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":null}");
    q = status_question("conns 4294967295");
    assert_int_equal(q.slot, UINT32_MAX);
    assert_true(status_conns(w->source.stack, &q, 1, w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":null}");
}

static void a_page_leads_on_to_the_next_core(void **state)
{
    struct world *w = *state;
    struct status_question q = status_question("conns 0");

    assert_true(status_conns(w->source.stack, &q, 2, w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":4294967296}");
    q = status_question("conns 4294967303 5");
    assert_int_equal(q.core, 1);
    assert_int_equal(q.slot, 7);
    assert_true(status_conns(w->source.stack, &q, 2, w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":null}");
    q = status_question("conns 0");
    assert_true(status_conns(NULL, &q, 2, w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":4294967296}");
}

static void a_strange_question_gets_an_answer_that_says_so(void **state)
{
    static const char *const strange[] = {"", " ", "statuss", "stat", "connss 1", "\x01\xff"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(strange); i++)
        assert_int_equal(status_question(strange[i]).ask, STATUS_ASK_STRANGE);
    assert_int_equal(status_question("status").ask, STATUS_ASK_STATUS);
    assert_true(status_sorry(w->text, ROOM) > 0);
    assert_non_null(strstr(w->text, "\"error\""));
}

/* Two cores, and one that says nothing: counters, connections and pools are added up, and each has
 * a row of its own. */
static void what_cores_count_is_added_up_and_shown_for_each(void **state)
{
    static const struct status_program p = {.name = "test", .spread = "unknown", .why = "because"};
    struct world *w = *state;
    struct status_core *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    const struct status_core *cores[3] = {a, NULL, b};

    w->source.cpu = 3;
    status_take(&w->source, a);
    status_take(&w->source, b);
    a->connections = 5;
    b->connections = 7;
    a->tcp.segs_in = 100;
    b->tcp.segs_in = 11;
    a->turns = 3;
    b->turns = 4;
    b->mail.packets_sent = 9;
    a->pool[1].used = 2;
    b->pool[1].used = 3;
    assert_true(status_merge(&p, cores, 3, w->text, ROOM) > 0);
    assert_non_null(strstr(w->text, "\"connections\":12"));
    assert_non_null(strstr(w->text, "\"segs_in\":111"));
    assert_non_null(strstr(w->text, "\"turns\":7"));
    assert_non_null(strstr(w->text, "\"core\":1,\"answers\":false"));
    assert_non_null(strstr(w->text, "\"core\":2,\"answers\":true,\"cpu\":3,\"connections\":7"));
    assert_non_null(strstr(w->text, "\"name\":\"copied packets\",\"used\":5"));
    assert_non_null(strstr(w->text, "\"spread\":{\"port\":\"unknown\",\"agrees\":false"));
    assert_non_null(strstr(w->text, "\"app\":{\"served\":42}"));
    assert_non_null(strstr(w->text, "\"app\":null,\"cores\""));
    cores[0] = cores[2] = NULL;
    assert_true(status_merge(&p, cores, 3, w->text, ROOM) > 0);
    free(a);
    free(b);
}

static void a_port_shows_what_is_fast_what_is_slow_and_what_its_driver_counts(void **state)
{
    static const struct nic_ops ops = {0};
    static const struct nic_counter counter[] = {{"imissed", 12}, {"rx_nombuf", 0}};
    struct world *w = *state;
    struct nic nic = {.ops = &ops, .caps = {.queues = 4, .mtu = 1500, .tx_csum = true}};
    const struct status_port port = {"dpdk:x", &nic, true, ARRAY_LEN(counter), counter};
    const struct status_program p = {.name = "test", .spread = "rss", .why = "", .port = &port};
    struct status_core *a = calloc(1, sizeof(*a));
    const struct status_core *cores[1] = {a};

    strcpy(nic_fact_add(&nic, false), "zero-copy");
    strcpy(nic_fact_add(&nic, true), "no huge pages");
    status_take(&w->source, a);
    assert_true(status_merge(&p, cores, 1, w->text, ROOM) > 0);
    assert_non_null(strstr(w->text, "\"port\":{\"dev\":\"dpdk:x\",\"link_up\":true,\"queues\":4"));
    assert_non_null(strstr(w->text, "\"tx_csum\":true,\"rx_csum\":false"));
    assert_non_null(strstr(w->text, "\"fast\":[\"zero-copy\"],\"slow\":[\"no huge pages\"]"));
    assert_non_null(strstr(w->text, "\"counters\":{\"imissed\":12,\"rx_nombuf\":0}"));
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_counter_of_every_layer_is_there_although_it_is_zero,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_application_has_its_own_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_not_there_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_leads_on_to_the_next_core, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cores_count_is_added_up_and_shown_for_each, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_port_shows_what_is_fast_what_is_slow_and_what_its_driver_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_connections_are_one_empty_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_strange_question_gets_an_answer_that_says_so, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
