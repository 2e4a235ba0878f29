/* Dates, paths, conditions and ranges. */
#include "lib/cmocka_first.h"

#include <time.h>

#include "http/http.h"

#define NOW 1700000000u

static bool date(const char *text, uint64_t *t)
{
    return http_date_parse(http_str_z(text), NOW, t);
}

static void dates_agree_with_the_c_library(void **state)
{
    char ours[HTTP_DATE_SIZE], theirs[64];
    uint64_t back;

    (void)state;
    for (uint64_t t = 0; t < 253402300800u; t += 86400u * 29 + 12347) {
        time_t tt = (time_t)t;
        struct tm tm;
        http_date_emit(ours, t);
        strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&tt, &tm));
        assert_string_equal(ours, theirs);
        assert_true(date(ours, &back));
        assert_int_equal(back, t);
    }
}

static void all_three_forms_of_a_date_are_read(void **state)
{
    uint64_t t = 0;

    (void)state;
    assert_true(date("Sun, 06 Nov 1994 08:49:37 GMT", &t));
    assert_int_equal(t, 784111777);
    t = 0;
    assert_true(date("Sunday, 06-Nov-94 08:49:37 GMT", &t));
    assert_int_equal(t, 784111777);
    t = 0;
    assert_true(date("Sun Nov  6 08:49:37 1994", &t));
    assert_int_equal(t, 784111777);
    assert_true(date("Thu, 29 Feb 2024 00:00:60 GMT", &t));
    assert_true(date("Friday, 01-Jan-60 00:00:00 GMT", &t));
    assert_int_equal(t, 2840140800u);
}

static void impossible_dates_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Xun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
    };
    uint64_t t;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (date(bad[i], &t))
            fail_msg("taken: %s", bad[i]);
}

/* ---- paths */

static void assert_path(const char *raw, const char *want)
{
    char out[64];
    int status = http_path_decode(out, sizeof(out), http_str_z(raw));

    if (status != 0 || strcmp(out, want) != 0)
        fail_msg("%s: %d, %s, not %s", raw, status, status == 0 ? out : "-", want);
}

static void paths_are_decoded_and_made_plain(void **state)
{
    (void)state;
    assert_path("/", "/");
    assert_path("/a", "/a");
    assert_path("/a/", "/a/");
    assert_path("//a///b//", "/a/b/");
    assert_path("/./a/./b/.", "/a/b/");
    assert_path("/a/../b", "/b");
    assert_path("/a/b/..", "/a/");
    assert_path("/a/b/../../c/../d", "/d");
    assert_path("/a/..", "/");
    assert_path("/%41%2f%2e%2E/%62", "/b");
    assert_path("/a%20b%c3%a4", "/a b\xc3\xa4");
    assert_path("/...", "/...");
    assert_path("/..a", "/..a");
    assert_path("/a+b", "/a+b");
    assert_path("/a\\..\\b", "/a\\..\\b");
}

static void paths_out_of_the_root_are_refused(void **state)
{
    static const char *const bad[] = {
        "/..",       "/../",    "/../etc/passwd", "/a/../../b",
        "/%2e%2e/x", "/..%2fx", "/%2e./x",        "/a/%2e%2e/..",
        "/./..",     "//..",    "/a%00",          "/%",
        "/%4",       "/%g0",    "/%-1",           "a",
        "",          "*",       "/a/..%2f..%2fb",
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (http_path_decode(out, sizeof(out), http_str_z(bad[i])) != 400)
            fail_msg("taken: %s", bad[i]);
    for (size_t size = 0; size < 8; size++)
        assert_int_equal(http_path_decode(out, size, HTTP_STR("/1234567")), 414);
}

static void a_path_encoded_decodes_to_itself(void **state)
{
    char name[256], text[1024], out[300];
    size_t n = 0;

    (void)state;
    name[n++] = '/';
    for (int c = 1; c < 256; c++)
        if (c != '/')
            name[n++] = (char)c;
    name[n] = '\0';
    assert_true(http_path_encode(text, sizeof(text), name) > 0);
    assert_int_equal(http_path_decode(out, sizeof(out), http_str_z(text)), 0);
    assert_string_equal(out, name);
    assert_int_equal(http_path_encode(text, 10, name), 0);
}

static void types_follow_the_ending(void **state)
{
    (void)state;
    assert_string_equal(http_mime("/a/b.html"), "text/html; charset=utf-8");
    assert_string_equal(http_mime("/a.b/C.PNG"), "image/png");
    assert_string_equal(http_mime("/a.html/b"), "application/octet-stream");
    assert_string_equal(http_mime("/a."), "application/octet-stream");
    assert_string_equal(http_mime(""), "application/octet-stream");
}

/* ---- conditions and ranges */

#define MTIME 784111777u /* Sun, 06 Nov 1994 08:49:37 GMT */
#define TAG "\"tag\""
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static struct http_verdict judge(const char *fields)
{
    struct http_resource f = {.etag = TAG, .mtime_s = MTIME, .size = 100};
    struct http_request r;
    char text[512];

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    assert_int_equal(http_request_parse(&r, (const uint8_t *)text, strlen(text)), 200);
    return http_judge(&r, &f, NOW);
}

static void conditions_are_judged_in_order(void **state)
{
    static const struct {
        const char *fields;
        int status;
    } cases[] = {
        {"", 200},
        {"If-None-Match: " TAG "\r\n", 304},
        {"If-None-Match: \"x\", W/" TAG "\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: \"x\"\r\n", 200},
        {"If-None-Match: \"x," TAG "\"\r\n", 200},
        {"If-Modified-Since: " SAME "\r\n", 304},
        {"If-Modified-Since: " AFTER "\r\n", 304},
        {"If-Modified-Since: " BEFORE "\r\n", 200},
        {"If-Modified-Since: nonsense\r\n", 200},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " SAME "\r\n", 200},
        {"If-Match: " TAG "\r\n", 200},
        {"If-Match: *\r\n", 200},
        {"If-Match: W/" TAG "\r\n", 412},
        {"If-Match: \"x\"\r\n", 412},
        {"If-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 412},
        {"If-Unmodified-Since: " BEFORE "\r\n", 412},
        {"If-Unmodified-Since: " SAME "\r\n", 200},
        {"If-Match: " TAG "\r\nIf-Unmodified-Since: " BEFORE "\r\n", 200},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (judge(cases[i].fields).status != cases[i].status)
            fail_msg("%s: not %d", cases[i].fields, cases[i].status);
}

static void ranges_are_cut_to_the_file(void **state)
{
    static const struct {
        const char *fields;
        int status;
        uint64_t first, count;
    } cases[] = {
        {"Range: bytes=0-0\r\n", 206, 0, 1},
        {"Range: bytes=10-19\r\n", 206, 10, 10},
        {"Range: bytes=90-\r\n", 206, 90, 10},
        {"Range: bytes=90-1000\r\n", 206, 90, 10},
        {"Range: bytes=-10\r\n", 206, 90, 10},
        {"Range: bytes=-1000\r\n", 206, 0, 100},
        {"Range: bytes=0-18446744073709551615\r\n", 206, 0, 100},
        {"Range: bytes=100-\r\n", 416, 0, 0},
        {"Range: bytes=-0\r\n", 416, 0, 0},
        {"Range: bytes=5-4\r\n", 200, 0, 100},
        {"Range: bytes=\r\n", 200, 0, 100},
        {"Range: bytes=-\r\n", 200, 0, 100},
        {"Range: bytes=a-b\r\n", 200, 0, 100},
        {"Range: bytes=1-18446744073709551616\r\n", 200, 0, 100},
        {"Range: lines=1-2\r\n", 200, 0, 100},
        {"Range: bytes=0-1,5-6\r\n", 200, 0, 100},
        {"Range: bytes=0-1\r\nIf-Range: " TAG "\r\n", 206, 0, 2},
        {"Range: bytes=0-1\r\nIf-Range: W/" TAG "\r\n", 200, 0, 100},
        {"Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", 200, 0, 100},
        {"Range: bytes=0-1\r\nIf-Range: " SAME "\r\n", 206, 0, 2},
        {"Range: bytes=0-1\r\nIf-Range: " AFTER "\r\n", 200, 0, 100},
        {"Range: bytes=0-1\r\nIf-None-Match: " TAG "\r\n", 304, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_verdict v = judge(cases[i].fields);
        if (v.status != cases[i].status || v.first != cases[i].first || v.count != cases[i].count)
            fail_msg("%s: %d %d+%d", cases[i].fields, v.status, (int)v.first, (int)v.count);
    }
}

static void a_range_of_an_empty_file_is_nowhere(void **state)
{
    struct http_resource f = {.etag = TAG, .mtime_s = MTIME, .size = 0};
    struct http_request r = {.method = HTTP_GET, .range = HTTP_STR("bytes=0-")};

    (void)state;
    assert_int_equal(http_judge(&r, &f, NOW).status, 416);
    r.range = HTTP_STR("bytes=-5");
    assert_int_equal(http_judge(&r, &f, NOW).status, 416);
    r.method = HTTP_HEAD;
    assert_int_equal(http_judge(&r, &f, NOW).status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(all_three_forms_of_a_date_are_read),
        cmocka_unit_test(impossible_dates_are_refused),
        cmocka_unit_test(paths_are_decoded_and_made_plain),
        cmocka_unit_test(paths_out_of_the_root_are_refused),
        cmocka_unit_test(a_path_encoded_decodes_to_itself),
        cmocka_unit_test(types_follow_the_ending),
        cmocka_unit_test(conditions_are_judged_in_order),
        cmocka_unit_test(ranges_are_cut_to_the_file),
        cmocka_unit_test(a_range_of_an_empty_file_is_nowhere),
    };
    return cmocka_run_group_tests_name("http_resource", tests, NULL, NULL);
}
