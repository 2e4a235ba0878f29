/* Every parser of the http room, each with its law: bytes cut anywhere mean the
 * same, what was parsed points into the input, what was accepted is plain. */
#include "http/http.h"
#include "lib/fuzz_target.h"

#define LAW(fact)                                                                                  \
    do {                                                                                           \
        if (!(fact))                                                                               \
            __builtin_trap();                                                                      \
    } while (0)

static void law_inside(struct http_str s, const uint8_t *b, size_t n)
{
    const char *p = (const char *)b;

    if (s.n > 1)
        LAW(s.p >= p && s.p + s.n <= p + n);
}

static void fuzz_request(const uint8_t *b, size_t n)
{
    struct http_resource f = {.etag = "\"x\"", .mtime_s = 784111777, .size = n};
    struct http_request r;
    size_t seen = 0, cut_seen = 0, cut = n / 2, end = http_head_find(b, n, &seen);
    size_t early = http_head_find(b, cut, &cut_seen);

    LAW(end == (early != 0 ? early : http_head_find(b, n, &cut_seen)));
    if (http_request_parse(&r, b, end != 0 ? end : n) != 200)
        return;
    LAW(end != 0);
    law_inside(r.path, b, end);
    law_inside(r.query, b, end);
    law_inside(r.host, b, end);
    law_inside(r.range, b, end);
    LAW(!r.chunked || r.content_length == 0);
    struct http_verdict v = http_judge(&r, &f, 1700000000);
    LAW(v.first + v.count <= n);
    LAW(v.status != 206 || v.count > 0);
}

static void fuzz_response(const uint8_t *b, size_t n)
{
    struct http_response r;

    if (http_response_parse(&r, b, n))
        LAW(r.status >= 100 && r.status < 600 && !(r.chunked && r.has_length));
}

static size_t feed(const uint8_t *b, size_t n, size_t step, enum http_progress *end)
{
    struct http_body body;
    size_t used = 0, hash = 5381;

    http_body_init(&body, HTTP_BODY_CHUNKED, 0);
    *end = HTTP_MORE;
    while (*end == HTTP_MORE && used < n) {
        size_t part = n - used < step ? n - used : step, took;
        struct http_str data;
        *end = http_body_feed(&body, b + used, part, &took, &data);
        LAW(took <= part && (took > 0 || *end != HTTP_MORE));
        law_inside(data, b + used, part);
        for (size_t i = 0; i < data.n; i++)
            hash = hash * 33 + (uint8_t)data.p[i];
        used += took;
    }
    return hash * 31 + used;
}

static void fuzz_body(const uint8_t *b, size_t n)
{
    enum http_progress whole_end, byte_end;
    size_t whole = feed(b, n, n, &whole_end);
    size_t byte = feed(b, n, 1, &byte_end);

    LAW(whole_end == byte_end && whole == byte);
}

static void fuzz_date(const uint8_t *b, size_t n)
{
    char text[HTTP_DATE_SIZE];
    uint64_t t, back;

    if (!http_date_parse(http_str_of((const char *)b, n), 1700000000, &t))
        return;
    http_date_emit(text, t);
    LAW(http_date_parse(http_str_z(text), 1700000000, &back) && back == t);
}

static void fuzz_path(const uint8_t *b, size_t n)
{
    char plain[300], text[1000], again[300];

    if (http_path_decode(plain, sizeof(plain), http_str_of((const char *)b, n)) != 0)
        return;
    LAW(plain[0] == '/');
    for (const char *p = plain; *p != '\0'; p++) {
        LAW(p[0] != '/' || p[1] != '/');
        LAW(p[0] != '/' || p[1] != '.' || (p[2] != '/' && p[2] != '\0'));
        LAW(p[0] != '/' || p[1] != '.' || p[2] != '.' || (p[3] != '/' && p[3] != '\0'));
    }
    LAW(http_path_encode(text, sizeof(text), plain) > 0);
    LAW(http_path_decode(again, sizeof(again), http_str_z(text)) == 0);
    LAW(http_str_eq(http_str_z(plain), http_str_z(again)));
    LAW(http_mime(plain) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 5) {
    case 0:
        fuzz_request(data + 1, size - 1);
        break;
    case 1:
        fuzz_response(data + 1, size - 1);
        break;
    case 2:
        fuzz_body(data + 1, size - 1);
        break;
    case 3:
        fuzz_date(data + 1, size - 1);
        break;
    default:
        fuzz_path(data + 1, size - 1);
        break;
    }
    return 0;
}
