/* Private to http. */
#pragma once

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
};

/* The next line without its CR LF; false at the empty line that ends the head,
 * or (bad set) where the bytes are not a head. */
bool http_line_next(struct http_lines *l, struct http_str *line, bool *bad);
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
