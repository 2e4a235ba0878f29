/* Private to http. */
#pragma once

#include "http/http.h"

/* RFC 9110 5.6.2: what a method or a field name is made of. */
bool http_is_token_char(uint8_t c);
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
