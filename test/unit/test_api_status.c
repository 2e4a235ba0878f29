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
    w->source = (struct status_source){.stack = stack_init(w->memory, bytes, &c, 1000),
                                       .program = "test",
                                       .app = &app,
                                       .core_state = &served};
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

    assert_true(status_answer(&w->source, "conns 0 100", w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":null}");
    assert_true(status_answer(&w->source, "conns 4294967295", w->text, ROOM) > 0);
    assert_string_equal(w->text, "{\"connections\":[],\"next\":null}");
}

static void a_strange_question_gets_an_answer_that_says_so(void **state)
{
    static const char *const strange[] = {"", " ", "statuss", "stat", "connss 1", "\x01\xff"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        assert_true(status_answer(&w->source, strange[i], w->text, ROOM) > 0);
        assert_non_null(strstr(w->text, "\"error\""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            every_counter_of_every_layer_is_there_although_it_is_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_application_has_its_own_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_not_there_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_connections_are_one_empty_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_strange_question_gets_an_answer_that_says_so, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
