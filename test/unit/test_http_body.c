/* Bodies, cut at every place. */
#include "lib/cmocka_first.h"

#include "http/http.h"

struct result {
    enum http_progress end;
    size_t used;
    char data[256];
    size_t n;
};

/* Feed text in pieces of `step` bytes. */
static struct result feed(struct http_body b, const char *text, size_t total, size_t step)
{
    struct result r = {.end = HTTP_MORE};

    while (r.end == HTTP_MORE && r.used < total) {
        size_t part = total - r.used < step ? total - r.used : step, used;
        struct http_str data;
        r.end = http_body_feed(&b, (const uint8_t *)text + r.used, part, &used, &data);
        memcpy(r.data + r.n, data.p, data.n);
        r.n += data.n;
        r.used += used;
        assert_true(used <= part);
        assert_true(used > 0 || r.end != HTTP_MORE);
    }
    assert_int_equal(b.decoded, r.n);
    return r;
}

static struct http_body chunked(void)
{
    struct http_body b;

    http_body_init(&b, HTTP_BODY_CHUNKED, 0);
    return b;
}

static void chunks_are_decoded_however_they_are_cut(void **state)
{
    static const char text[] = "5\r\nhello\r\n0001;ext=\"a\"\r\n \r\nA\r\n0123456789\r\n"
                               "00\r\nTrailer: x\r\nMore: y\r\n\r\nNEXT";
    size_t total = sizeof(text) - 1;

    (void)state;
    for (size_t step = 1; step <= total; step++) {
        struct result r = feed(chunked(), text, total, step);
        assert_int_equal(r.end, HTTP_DONE);
        assert_int_equal(r.used, total - 4);
        assert_int_equal(r.n, 16);
        assert_memory_equal(r.data, "hello 0123456789", 16);
    }
}

static void malformed_chunks_are_refused(void **state)
{
    static const char *const bad[] = {
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "5\r\nhello\rX",
        "5\rX",
        ";a\r\n",
        "5;a\nhello\r\n",
        "0\r\n\n",
        "0\r\nA\n\r\n",
        "0\r\nA: b\rX",
        "0\r\n\rX",
        "5;\x01\r\n",
        "10000000000000000\r\n",
        "0000000000000000\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct result whole = feed(chunked(), bad[i], strlen(bad[i]), 1000);
        struct result single = feed(chunked(), bad[i], strlen(bad[i]), 1);
        if (whole.end != HTTP_BAD || single.end != HTTP_BAD)
            fail_msg("taken: %s", bad[i]);
    }
}

static void endless_extensions_and_trailers_are_refused(void **state)
{
    static char text[10000];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "1;", 2);
    assert_int_equal(feed(chunked(), text, sizeof(text), 100).end, HTTP_BAD);
    memcpy(text, "0\r\n", 3);
    assert_int_equal(feed(chunked(), text, sizeof(text), 100).end, HTTP_BAD);
}

static void a_length_is_counted(void **state)
{
    struct http_body b;

    (void)state;
    http_body_init(&b, HTTP_BODY_LENGTH, 5);
    for (size_t step = 1; step < 9; step++) {
        struct result r = feed(b, "helloNEXT", 9, step);
        assert_int_equal(r.end, HTTP_DONE);
        assert_int_equal(r.used, 5);
        assert_memory_equal(r.data, "hello", 5);
    }
    http_body_init(&b, HTTP_BODY_LENGTH, 0);
    assert_int_equal(
        http_body_feed(&b, (const uint8_t *)"x", 1, &(size_t){0}, &(struct http_str){0}),
        HTTP_DONE);
}

static void a_body_to_the_end_of_the_stream_is_never_done(void **state)
{
    struct http_body b;

    (void)state;
    http_body_init(&b, HTTP_BODY_TO_END, 0);
    assert_int_equal(feed(b, "anything", 8, 3).end, HTTP_MORE);
}

static void responses_without_a_body_have_none(void **state)
{
    static const struct {
        int status;
        enum http_method method;
        enum http_body_kind kind;
        uint64_t left;
    } cases[] = {
        {200, HTTP_GET, HTTP_BODY_LENGTH, 7}, {200, HTTP_HEAD, HTTP_BODY_LENGTH, 0},
        {304, HTTP_GET, HTTP_BODY_LENGTH, 0}, {204, HTTP_GET, HTTP_BODY_LENGTH, 0},
        {100, HTTP_GET, HTTP_BODY_LENGTH, 0},
    };
    struct http_body b;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_response r = {
            .status = cases[i].status, .has_length = true, .content_length = 7};
        http_response_body(&b, &r, cases[i].method);
        assert_int_equal(b.kind, cases[i].kind);
        assert_int_equal(b.left, cases[i].left);
    }
    http_response_body(&b, &(struct http_response){.status = 200}, HTTP_GET);
    assert_int_equal(b.kind, HTTP_BODY_TO_END);
    http_response_body(&b, &(struct http_response){.status = 200, .chunked = true}, HTTP_GET);
    assert_int_equal(b.kind, HTTP_BODY_CHUNKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_decoded_however_they_are_cut),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(endless_extensions_and_trailers_are_refused),
        cmocka_unit_test(a_length_is_counted),
        cmocka_unit_test(a_body_to_the_end_of_the_stream_is_never_done),
        cmocka_unit_test(responses_without_a_body_have_none),
    };
    return cmocka_run_group_tests_name("http_body", tests, NULL, NULL);
}
