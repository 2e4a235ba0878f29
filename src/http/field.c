/* Lines and fields of a head, and what requests and responses share. */
#include <emmintrin.h>

#include "base/bits.h"
#include "http/http_int.h"

static size_t skip_empty_lines(const uint8_t *b, size_t n)
{
    size_t i = 0;

    while (i + 1 < n && b[i] == '\r' && b[i + 1] == '\n')
        i += 2;
    return i;
}

static __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static bool ends_head(const uint8_t *b, size_t i)
{
    return b[i] == '\n' && b[i - 1] == '\r' && b[i - 2] == '\n' && b[i - 3] == '\r';
}

/* The empty line is CR LF CR LF; a head cannot begin with one, because empty
 * lines in front are skipped first. */
size_t http_head_find(const uint8_t *b, size_t n, size_t *seen)
{
    size_t begin = skip_empty_lines(b, n);
    size_t i = *seen > begin + 3 ? *seen : begin + 3;

    for (; i + 16 <= n; i += 16) {
        __m128i lf = _mm_cmpeq_epi8(load16(b + i), _mm_set1_epi8('\n'));
        for (unsigned m = (unsigned)_mm_movemask_epi8(lf); m != 0; m &= m - 1)
            if (ends_head(b, i + lowest_bit(m)))
                return i + lowest_bit(m) + 1;
    }
    for (; i < n; i++)
        if (ends_head(b, i))
            return i + 1;
    *seen = n;
    return 0;
}

/* Which of 16 bytes cannot be inside a line; as HTTP_C_LINE says. */
static unsigned line_ends(const uint8_t *p)
{
    __m128i v = load16(p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}

static const uint8_t *line_end(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 16; p += 16) {
        unsigned m = line_ends(p);
        if (m != 0)
            return p + lowest_bit(m);
    }
    while (p < end && http_is(*p, HTTP_C_LINE))
        p++;
    return p;
}

bool http_line_next(struct http_lines *l, struct http_str *line, bool *bad)
{
    const uint8_t *p = line_end(l->p, l->end);

    if (l->end - p < 2 || p[0] != '\r' || p[1] != '\n') {
        *bad = true;
        return false;
    }
    *line = http_str_of((const char *)l->p, (size_t)(p - l->p));
    l->p = p + 2;
    return line->n > 0;
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
