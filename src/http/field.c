/* Lines and fields of a head, and what requests and responses share. */
#include "base/bits.h"
#include "http/http_int.h"

static size_t skip_empty_lines(const uint8_t *b, size_t n)
{
    size_t i = 0;

    while (i + 1 < n && b[i] == '\r' && b[i + 1] == '\n')
        i += 2;
    return i;
}

static bool ends_head(const uint8_t *b, size_t i)
{
    return memcmp(b + i - 3, "\r\n\r\n", 4) == 0;
}

/* Where the head ends among the 16 bytes at `at`, of which the first skip do not count; 0: not
 * there. */
static inline size_t find_in_16(const uint8_t *b, size_t at, size_t skip)
{
    __m128i lf = _mm_cmpeq_epi8(http_load16(b + at), _mm_set1_epi8('\n'));
    unsigned m = (unsigned)_mm_movemask_epi8(lf) >> skip << skip;

    for (; m != 0; m &= m - 1)
        if (ends_head(b, at + lowest_bit(m)))
            return at + lowest_bit(m) + 1;
    return 0;
}

/* The empty line is CR LF CR LF; a head cannot begin with one, because empty
 * lines in front are skipped first. */
size_t http_head_find(const uint8_t *b, size_t n, size_t *seen)
{
    size_t begin = skip_empty_lines(b, n), end = 0;
    size_t i = *seen > begin + 3 ? *seen : begin + 3;

    for (; i + 16 <= n && end == 0; i += 16)
        end = find_in_16(b, i, 0);
    if (end == 0 && i < n && n >= 16)
        end = find_in_16(b, n - 16, i - (n - 16));
    for (; end == 0 && i < n; i++)
        if (ends_head(b, i))
            end = i + 1;
    if (end == 0)
        *seen = n;
    return end;
}

/* RFC 9112 5.1: no white space between name and colon, and 5.2: a line that
 * begins with white space continues nothing here. */
bool http_field_split(struct http_str line, struct http_str *name, struct http_str *value)
{
    size_t i = 0;

    while (i < line.n && http_is_token_char((uint8_t)line.p[i]))
        i++;
    if (i == 0 || i == line.n || line.p[i] != ':')
        return false;
    *name = http_str_of(line.p, i);
    *value = http_trim(http_str_of(line.p + i + 1, line.n - i - 1));
    return true;
}

static int take_length(struct http_framing *f, struct http_str value)
{
    uint64_t n;

    if (f->has_length)
        return 400;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < '0' || value.p[i] > '9')
            return 400;
    if (value.n == 0)
        return 400;
    if (!http_str_u64(value, &n) || n > INT64_MAX)
        return 413;
    f->has_length = true;
    f->length = n;
    return 200;
}

/* RFC 9112 6.1: chunked, once and last.  Nothing else is understood here. */
static int take_coding(struct http_framing *f, struct http_str value)
{
    struct http_str item;
    int items = 0;

    while (http_list_next(&value, &item)) {
        if (f->chunked)
            return 400;
        if (http_str_ieq(item, HTTP_STR("chunked")))
            f->chunked = true;
        else
            f->other_coding = true;
        items++;
    }
    return items > 0 ? 200 : 400;
}

static void take_connection(struct http_framing *f, struct http_str value)
{
    struct http_str item;

    while (http_list_next(&value, &item)) {
        if (http_str_ieq(item, HTTP_STR("close")))
            f->close = true;
        else if (http_str_ieq(item, HTTP_STR("keep-alive")))
            f->keep_alive = true;
    }
}

int http_framing_take(struct http_framing *f, struct http_str name, struct http_str value)
{
    if (http_name_is(name, HTTP_STR("content-length")))
        return take_length(f, value);
    if (http_name_is(name, HTTP_STR("transfer-encoding")))
        return take_coding(f, value);
    if (http_name_is(name, HTTP_STR("connection")))
        take_connection(f, value);
    return 200;
}

bool http_framing_persists(const struct http_framing *f, unsigned minor)
{
    if (f->close)
        return false;
    return minor >= 1 || f->keep_alive;
}
