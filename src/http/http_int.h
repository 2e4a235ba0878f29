/* Private to http. */
#pragma once

#include <emmintrin.h>

#include "base/bits.h"
#include "http/http.h"

/* Classes of characters, one bit each. */
enum {
    HTTP_C_TOKEN = 1,  /* RFC 9110 5.6.2: what a method or a field name is made of */
    HTTP_C_TARGET = 2, /* of a request target: visible, and no '#' */
    HTTP_C_PATH = 4,   /* the same without '?' */
    HTTP_C_HOST = 8,   /* of uri-host [":" port], by its alphabet only */
    HTTP_C_LINE = 16,  /* inside a line: RFC 9110 5.5, of the controls only TAB */
};
extern const uint8_t http_classes[256];

static inline bool http_is(uint8_t c, unsigned classes)
{
    return (http_classes[c] & classes) != 0;
}
static inline bool http_is_token_char(uint8_t c)
{
    return http_is(c, HTTP_C_TOKEN);
}
/* Is this name of a field, a token, the one of which `lower` is the lower case?  That is letters
 * and '-', and no other character of a token becomes one of them by the bit that makes them lower
 * case. */
static inline bool http_name_is(struct http_str name, struct http_str lower)
{
    const uint64_t bits = 0x2020202020202020u;
    uint64_t a, b;
    size_t i = 0;

    if (name.n != lower.n)
        return false;
    for (; i + 8 <= lower.n; i += 8) {
        memcpy(&a, name.p + i, 8);
        memcpy(&b, lower.p + i, 8);
        if ((a | bits) != b)
            return false;
    }
    for (; i < lower.n; i++)
        if ((name.p[i] | 0x20) != lower.p[i])
            return false;
    return true;
}
bool http_is_token(struct http_str s);
struct http_str http_trim(struct http_str s); /* spaces and tabs at both ends */

/* A reader of the lines of a complete head. */
struct http_lines {
    const uint8_t *p, *end;
    const uint8_t *begin; /* of the head: bytes from here to the end may be read */
};

static inline __m128i http_load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Which of 16 bytes cannot be inside a line; as HTTP_C_LINE says. */
static inline unsigned http_line_ends(const uint8_t *p)
{
    __m128i v = http_load16(p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}

/* The first byte at or behind l->p that cannot be inside a line, or the end.  The last 16 bytes are
 * looked at together; what lies in front of l->p among them is not counted. */
static inline const uint8_t *http_line_end(const struct http_lines *l)
{
    const uint8_t *p = l->p;
    unsigned m;

    for (; l->end - p >= 16; p += 16) {
        m = http_line_ends(p);
        if (m != 0)
            return p + lowest_bit(m);
    }
    if (l->end - l->begin >= 16) {
        m = http_line_ends(l->end - 16) >> (p - (l->end - 16));
        return m != 0 ? p + lowest_bit(m) : l->end;
    }
    while (p < l->end && http_is(*p, HTTP_C_LINE))
        p++;
    return p;
}

/* The next line without its CR LF; false at the empty line that ends the head,
 * or (bad set) where the bytes are not a head. */
static inline bool http_line_next(struct http_lines *l, struct http_str *line, bool *bad)
{
    const uint8_t *p = http_line_end(l);

    if (l->end - p < 2 || p[0] != '\r' || p[1] != '\n') {
        *bad = true;
        return false;
    }
    *line = http_str_of((const char *)l->p, (size_t)(p - l->p));
    l->p = p + 2;
    return line->n > 0;
}
/* Split "name: value" (RFC 9112 5.1); false if it is malformed. */
bool http_field_split(struct http_str line, struct http_str *name, struct http_str *value);

/* What the fields say about the message's framing and connection. */
struct http_framing {
    bool has_length, chunked;
    bool other_coding; /* a transfer coding that is not chunked */
    bool close, keep_alive;
    uint64_t length;
};

/* Take a field if it is one of the framing fields.  200, or the status it deserves. */
int http_framing_take(struct http_framing *f, struct http_str name, struct http_str value);
/* RFC 9112 9.3. */
bool http_framing_persists(const struct http_framing *f, unsigned minor);
