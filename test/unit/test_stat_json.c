/* The JSON writer. */
#include "lib/cmocka_first.h"
#include "lib/expect_panic.h"

#include "stat/json.h"

static void write_all_kinds(struct json *j)
{
    json_object(j, NULL);
    json_u64(j, "max", UINT64_MAX);
    json_i64(j, "min", INT64_MIN);
    json_array(j, "list");
    json_bool(j, NULL, true);
    json_bool(j, NULL, false);
    json_null(j, NULL);
    json_object(j, NULL);
    json_end(j);
    json_array(j, NULL);
    json_end(j);
    json_end(j);
    json_str(j, "text", "a\"b\\c\n\x01");
    json_end(j);
}

static const char all_kinds[] =
    "{\"max\":18446744073709551615,\"min\":-9223372036854775808,"
    "\"list\":[true,false,null,{},[]],\"text\":\"a\\\"b\\\\c\\u000a\\u0001\"}";

static void a_document_of_all_kinds(void **state)
{
    char buf[300];
    struct json j;

    (void)state;
    json_init(&j, buf, sizeof(buf));
    write_all_kinds(&j);
    assert_int_equal(json_fini(&j), strlen(all_kinds));
    assert_string_equal(buf, all_kinds);
}

static void half_a_document_is_reported_as_none(void **state)
{
    (void)state;
    for (size_t size = 1; size <= sizeof(all_kinds); size++) {
        char *buf = malloc(size);
        struct json j;

        json_init(&j, buf, size);
        write_all_kinds(&j);
        assert_int_equal(json_fini(&j), size < sizeof(all_kinds) ? 0 : size - 1);
        free(buf);
    }
}

static void check_string(const char *bytes, size_t n, const char *want)
{
    char buf[100];
    struct json j;

    json_init(&j, buf, sizeof(buf));
    json_str_n(&j, NULL, bytes, n);
    assert_int_equal(json_fini(&j), strlen(want));
    assert_string_equal(buf, want);
}

static void well_formed_utf8_passes(void **state)
{
    (void)state;
    check_string("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 11,
                 "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void every_other_byte_becomes_the_replacement_character(void **state)
{
    (void)state;
    check_string("\xff", 1, "\"\\ufffd\"");
    check_string("a\x80z", 3, "\"a\\ufffdz\"");
    check_string("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");             /* overlong */
    check_string("\xe0\x80\xaf", 3, "\"\\ufffd\\ufffd\\ufffd\"");  /* overlong */
    check_string("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");  /* a surrogate */
    check_string("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    check_string("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");             /* cut short */
    check_string("\0", 1, "\"\\u0000\"");
}

static void misuse_stops_the_program(void **state)
{
    char buf[100];
    struct json j;

    (void)state;
    json_init(&j, buf, sizeof(buf));
    expect_panic(json_u64(&j, "key at the top", 1));
    json_object(&j, NULL);
    expect_panic(json_u64(&j, NULL, 1));
    expect_panic((void)json_fini(&j));
    json_end(&j);
    expect_panic(json_end(&j));
    expect_panic(json_u64(&j, NULL, 1)); /* a second document */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_of_all_kinds),
        cmocka_unit_test(half_a_document_is_reported_as_none),
        cmocka_unit_test(well_formed_utf8_passes),
        cmocka_unit_test(every_other_byte_becomes_the_replacement_character),
        cmocka_unit_test(misuse_stops_the_program),
    };
    return cmocka_run_group_tests_name("stat_json", tests, NULL, NULL);
}
