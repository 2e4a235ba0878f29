/* Requests and responses: what is taken, what is refused, and why. */
#include "lib/cmocka_first.h"

#include "http/http.h"

/* Parse exactly n bytes on the heap, so that a sanitizer sees the first too far. */
static int parse_n(struct http_request *r, const char *text, size_t n)
{
    static uint8_t *copy;

    free(copy);
    copy = malloc(n != 0 ? n : 1);
    memcpy(copy, text, n);
    return http_request_parse(r, copy, n);
}

static int parse(struct http_request *r, const char *text)
{
    return parse_n(r, text, strlen(text));
}

static void assert_text(struct http_str s, const char *want)
{
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

static void a_plain_request_is_parsed(void **state)
{
    struct http_request r;

    (void)state;
    assert_int_equal(parse(&r, "GET /a/b?x=1&y HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\n\r\n"),
                     200);
    assert_int_equal(r.method, HTTP_GET);
    assert_int_equal(r.minor, 1);
    assert_true(r.keep_alive);
    assert_text(r.path, "/a/b");
    assert_text(r.query, "x=1&y");
    assert_text(r.host, "h:80");
    assert_false(r.chunked);
    assert_int_equal(r.content_length, 0);
}

static void fields_are_found_in_either_case_and_trimmed(void **state)
{
    struct http_request r;

    (void)state;
    assert_int_equal(parse(&r, "HEAD / HTTP/1.1\r\nhOsT:h\r\nRANGE: \t bytes=0-1 \t\r\n"
                               "If-None-Match: \"a\", W/\"b\"\r\nIf-Modified-Since: x\r\n"
                               "If-Range: y\r\nIf-Match: *\r\nIf-Unmodified-Since: z\r\n\r\n"),
                     200);
    assert_int_equal(r.method, HTTP_HEAD);
    assert_text(r.range, "bytes=0-1");
    assert_text(r.if_none_match, "\"a\", W/\"b\"");
    assert_text(r.if_modified_since, "x");
    assert_text(r.if_range, "y");
    assert_text(r.if_match, "*");
    assert_text(r.if_unmodified_since, "z");
}

static void empty_lines_before_a_request_are_skipped(void **state)
{
    struct http_request r;

    (void)state;
    assert_int_equal(parse(&r, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_text(r.path, "/");
}

static void an_absolute_target_names_the_host(void **state)
{
    struct http_request r;

    (void)state;
    assert_int_equal(parse(&r, "GET http://other:8/x?q HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_text(r.host, "other:8");
    assert_text(r.path, "/x");
    assert_text(r.query, "q");
    assert_int_equal(parse(&r, "GET HTTP://other HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_text(r.path, "/");
    assert_int_equal(parse(&r, "GET http://other?q HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_text(r.path, "/");
    assert_int_equal(parse(&r, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    assert_text(r.path, "*");
}

static void persistence_follows_version_and_connection(void **state)
{
    struct http_request r;

    (void)state;
    assert_int_equal(parse(&r, "GET / HTTP/1.0\r\n\r\n"), 200);
    assert_false(r.keep_alive);
    assert_int_equal(parse(&r, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 200);
    assert_true(r.keep_alive);
    assert_int_equal(parse(&r, "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, CLOSE\r\n\r\n"), 200);
    assert_false(r.keep_alive);
    assert_int_equal(parse(&r, "GET / HTTP/1.9\r\nHost: h\r\n\r\n"), 200);
    assert_true(r.keep_alive);
}

static void a_body_is_announced_by_length_or_chunks(void **state)
{
    struct http_request r;

    (void)state;
    assert_int_equal(parse(&r, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 42\r\n"
                               "Expect: 100-continue\r\n\r\n"),
                     200);
    assert_int_equal(r.content_length, 42);
    assert_true(r.expect_continue);
    assert_int_equal(parse(&r, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"),
                     200);
    assert_true(r.chunked);
}

#define H "GET / HTTP/1.1\r\nHost: h\r\n"

static void what_parsers_could_disagree_about_is_refused(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n\r\n",                       /* no Host */
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", /* two */
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",          /* not a host */
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", /* two framings */
        H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        H "Transfer-Encoding: chunked, chunked\r\n\r\n",
        H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        H "Transfer-Encoding: chunked, gzip\r\n\r\n",
        H "Transfer-Encoding:\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        H "Content-Length: 1, 1\r\n\r\n",
        H "Content-Length: +1\r\n\r\n",
        H "Content-Length: -1\r\n\r\n",
        H "Content-Length: 0x1\r\n\r\n",
        H "Content-Length: 1 \t 2\r\n\r\n",
        H "Content-Length:\r\n\r\n",
        H "X : y\r\n\r\n", /* white space before the colon */
        H " X: y\r\n\r\n", /* a folded line */
        H "X: y\r\n z\r\n\r\n",
        H "X: y\r\n\tz\r\n\r\n",
        H ": y\r\n\r\n",        /* no name */
        H "X\r\n\r\n",          /* no colon */
        H "X: a\rb\r\n\r\n",    /* bare CR */
        H "X: a\nb: c\r\n\r\n", /* bare LF */
        H "X: a\x7f\r\n\r\n",   /* controls */
        H "X: a\x01\r\n\r\n",
        H "X(: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: h\n\n", /* lines without CR */
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / a HTTP/1.1\r\nHost: h\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET / http/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/11\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1x\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.\r\nHost: h\r\n\r\n",
        "GET /\r\nHost: h\r\n\r\n", /* HTTP/0.9 */
        "GET  HTTP/1.1\r\nHost: h\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\n\r\n",
        "",
        "GET / HTTP/1.1\r\nHost: h\r\n", /* not complete */
        H "\r\nGET / HTTP/1.1",          /* more than a head */
    };
    struct http_request r;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(&r, bad[i]) != 400)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(parse_n(&r, H "X: a\0b\r\n\r\n", sizeof(H "X: a\0b\r\n\r\n") - 1), 400);
}

static void what_is_not_supported_gets_its_own_status(void **state)
{
    static char big[20000];
    struct http_request r;
    size_t n;

    (void)state;
    assert_int_equal(parse(&r, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
    assert_int_equal(parse(&r, "PRI * HTTP/2.0\r\n\r\n"), 505);
    assert_int_equal(parse(&r, H "Transfer-Encoding: gzip\r\n\r\n"), 501);
    assert_int_equal(parse(&r, H "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
    assert_int_equal(parse(&r, H "Expect: tea\r\n\r\n"), 417);
    assert_int_equal(parse(&r, H "Content-Length: 99999999999999999999999\r\n\r\n"), 413);
    assert_int_equal(parse(&r, H "Content-Length: 9223372036854775808\r\n\r\n"), 413);
    memset(big, 'a', 9000);
    memcpy(big, "GET /", 5);
    strcpy(big + 9000, " HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(parse(&r, big), 414);
    n = (size_t)sprintf(big, "%s", H);
    for (int i = 0; i < 101; i++)
        n += (size_t)sprintf(big + n, "X: %d\r\n", i);
    strcpy(big + n, "\r\n");
    assert_int_equal(parse(&r, big), 431);
}

static void every_prefix_of_a_head_is_incomplete(void **state)
{
    static const char text[] = "\r\nGET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    struct http_request r;

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        size_t seen = 0;
        assert_int_equal(http_head_find((const uint8_t *)text, n, &seen), 0);
        assert_int_equal(parse_n(&r, text, n), 400);
    }
}

/* However the bytes are cut, the head ends where it ends when they come at once. */
static void a_head_is_found_however_it_is_cut(void **state)
{
    static const char text[] = "\r\nGET /x HTTP/1.1\r\nHost: h\r\nAb: c\r\r\n\n\r\n\r\nrest";
    const uint8_t *b = (const uint8_t *)text;
    size_t total = sizeof(text) - 1, seen = 0, whole = http_head_find(b, total, &seen);

    (void)state;
    assert_int_equal(whole, total - 4);
    for (size_t cut = 0; cut < total; cut++) {
        size_t first = 0, end;
        seen = 0;
        first = http_head_find(b, cut, &seen);
        end = first != 0 ? first : http_head_find(b, total, &seen);
        assert_int_equal(end, whole);
    }
    seen = 0;
    for (size_t n = 1; n <= total; n++) {
        size_t end = http_head_find(b, n, &seen);
        assert_int_equal(end != 0, n >= whole);
        if (end != 0)
            break;
    }
}

/* ---- responses */

static bool respond(struct http_response *r, const char *text)
{
    return http_response_parse(r, (const uint8_t *)text, strlen(text));
}

static void an_emitted_head_parses_back(void **state)
{
    char buf[1024], date[HTTP_DATE_SIZE];
    struct http_head h = {.status = 206,
                          .type = "text/plain",
                          .etag = "\"x\"",
                          .accept_ranges = true,
                          .has_length = true,
                          .length = 12345678901234u,
                          .has_range = true,
                          .range_first = 1,
                          .range_last = 2,
                          .range_size = 3};
    struct http_response r;
    size_t n;

    (void)state;
    http_date_emit(date, 784111777);
    h.date = h.last_modified = date;
    n = http_head_emit(buf, sizeof(buf), &h);
    assert_true(n > 0);
    assert_non_null(strstr(buf, "\r\nContent-Range: bytes 1-2/3\r\n"));
    assert_true(http_response_parse(&r, (uint8_t *)buf, n));
    assert_int_equal(r.status, 206);
    assert_true(r.has_length && r.content_length == h.length && r.keep_alive);
    h.close = true;
    n = http_head_emit(buf, sizeof(buf), &h);
    assert_true(http_response_parse(&r, (uint8_t *)buf, n));
    assert_false(r.keep_alive);
    for (size_t size = 1; size <= n; size++)
        assert_int_equal(http_head_emit(buf, size, &h), 0);
    assert_int_equal(http_head_emit(buf, n + 1, &h), n);
}

static void malformed_responses_are_refused(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "",
    };
    struct http_response r;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (respond(&r, bad[i]))
            fail_msg("taken: %s", bad[i]);
    assert_true(respond(&r, "HTTP/1.1 200\r\n\r\n"));
    assert_true(respond(&r, "HTTP/1.0 404 \r\nConnection: keep-alive\r\n\r\n"));
    assert_true(r.keep_alive);
}

static void the_date_of_a_200_is_where_it_is_said_to_be(void **state)
{
    char date[HTTP_DATE_SIZE], buf[256];
    struct http_head h = {.status = 200, .date = date, .type = "text/plain"};

    (void)state;
    http_date_emit(date, 784111777);
    assert_true(http_head_emit(buf, sizeof(buf), &h) > 0);
    assert_memory_equal(buf + HTTP_OK_DATE_OFFSET, date, HTTP_DATE_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request_is_parsed),
        cmocka_unit_test(fields_are_found_in_either_case_and_trimmed),
        cmocka_unit_test(empty_lines_before_a_request_are_skipped),
        cmocka_unit_test(an_absolute_target_names_the_host),
        cmocka_unit_test(persistence_follows_version_and_connection),
        cmocka_unit_test(a_body_is_announced_by_length_or_chunks),
        cmocka_unit_test(what_parsers_could_disagree_about_is_refused),
        cmocka_unit_test(what_is_not_supported_gets_its_own_status),
        cmocka_unit_test(every_prefix_of_a_head_is_incomplete),
        cmocka_unit_test(a_head_is_found_however_it_is_cut),
        cmocka_unit_test(an_emitted_head_parses_back),
        cmocka_unit_test(malformed_responses_are_refused),
        cmocka_unit_test(the_date_of_a_200_is_where_it_is_said_to_be),
    };
    return cmocka_run_group_tests_name("http_request", tests, NULL, NULL);
}
