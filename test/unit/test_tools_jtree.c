/* millrace-stat's reader takes JSON, finds its way in it, and refuses everything else. */
#include "lib/cmocka_first.h"

#include "tools/jtree.c"

static const char sample[] = "{\"a\": [1, {\"b\": \"x\\\"y\"}, []], \"n\": 18446744073709551615,\n"
                             " \"t\": true, \"z\": null, \"o\": {}, \"s\": \"end\"}";

static void members_and_elements_are_found_in_order(void **state)
{
    struct jtree t;
    int n;

    (void)state;
    assert_true(jtree_parse(&t, sample, sizeof(sample) - 1));
    uint32_t a = jtree_member(&t, 0, "a"), i = jtree_first(&t, a);
    assert_int_equal(t.node[a].type, J_ARRAY);
    assert_int_equal(t.node[i].type, J_NUMBER);
    i = jtree_next(&t, a, i);
    assert_memory_equal(jtree_str(&t, i, "b", &n), "x\\\"y", 4);
    assert_int_equal(n, 4);
    i = jtree_next(&t, a, i);
    assert_int_equal(t.node[i].type, J_ARRAY);
    assert_int_equal(jtree_first(&t, i), 0);
    assert_int_equal(jtree_next(&t, a, i), 0);
    assert_true(jtree_u64(&t, 0, "n") == UINT64_MAX);
    assert_int_equal(t.node[jtree_member(&t, 0, "t")].type, J_BOOL);
    assert_int_equal(t.node[jtree_member(&t, 0, "z")].type, J_NULL);
    assert_memory_equal(jtree_str(&t, 0, "s", &n), "end", 3);
    jtree_fini(&t);
}

static void what_is_not_there_is_zero_or_empty(void **state)
{
    struct jtree t;
    int n;

    (void)state;
    assert_true(jtree_parse(&t, sample, sizeof(sample) - 1));
    assert_int_equal(jtree_member(&t, 0, "b"), 0);
    assert_int_equal(jtree_member(&t, 0, "aa"), 0);
    assert_int_equal(jtree_u64(&t, 0, "s"), 0);
    assert_string_equal(jtree_str(&t, 0, "n", &n), "");
    jtree_fini(&t);
}

static void a_text_cut_anywhere_is_refused_and_not_read_past(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(sample) - 1; n++) {
        char *cut = malloc(n ? n : 1);
        struct jtree t;
        memcpy(cut, sample, n);
        assert_false(jtree_parse(&t, cut, n));
        assert_null(t.node);
        free(cut);
    }
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const bad[] = {"", "}", "{]", "[1,]", "{\"a\"}", "{\"a\":}", "[1 2]", "[1]x",
                                      "{1:2}", "\"", "@"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct jtree t;
        assert_false(jtree_parse(&t, bad[i], strlen(bad[i])));
    }
}

static void nesting_without_end_is_refused(void **state)
{
    char deep[1000];
    struct jtree t;

    (void)state;
    memset(deep, '[', sizeof(deep));
    assert_false(jtree_parse(&t, deep, sizeof(deep)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_elements_are_found_in_order),
        cmocka_unit_test(what_is_not_there_is_zero_or_empty),
        cmocka_unit_test(a_text_cut_anywhere_is_refused_and_not_read_past),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(nesting_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
