/* HTTP/1.1 as pure functions: RFC 9110 (semantics) and 9112 (messages).
 *
 * THEORY OF OPERATION
 *
 * A message is a head and a body.  http_head_find looks for the end of a head
 * in bytes that come in pieces and never looks at a byte twice; a complete head
 * is parsed in one pass by http_request_parse or http_response_parse, whose
 * results point into the caller's bytes.  struct http_body then follows the
 * body, by length, by chunks or to the end of the stream.
 *
 * Whoever parses more liberally than the next in line can be talked into seeing
 * other messages (RFC 9112 11.2), so a head is taken only if it is well formed:
 * lines end in CR LF, no CR or NUL elsewhere, no white space before a colon, no
 * folded lines, one Content-Length at most and never beside Transfer-Encoding.
 *
 * Every function is stateless or works on memory the caller owns. */
#pragma once

#include "base/types.h"

/* Text that is not ended by 0; borrowed from the bytes it was parsed from. */
struct http_str {
    const char *p; /* NULL: absent */
    size_t n;
};

#define HTTP_STR(literal) ((struct http_str){(literal), sizeof(literal) - 1})

static inline struct http_str http_str_of(const char *p, size_t n)
{
    return (struct http_str){p, n};
}
/* Text that is ended by 0. */
static inline struct http_str http_str_z(const char *text)
{
    size_t n = 0;

    while (text[n] != '\0')
        n++;
    return (struct http_str){text, n};
}
bool http_str_eq(struct http_str a, struct http_str b);
bool http_str_ieq(struct http_str a, struct http_str b); /* ASCII letters in either case */
/* Decimal digits only, no overflow. */
bool http_str_u64(struct http_str s, uint64_t *out);
/* One element of a comma-separated list, trimmed; false at the end.  *list moves on. */
bool http_list_next(struct http_str *list, struct http_str *item);

/* ---- heads ------------------------------------------------------------------------ */

#define HTTP_HEAD_BYTES_MAX 16384u /* more is answered 431 (RFC 6585) */
#define HTTP_FIELDS_MAX 100u

/* Look for the end of the head in b[0..n), of which the first *seen bytes were
 * looked at before; *seen is moved on (0 at first).  Returns the length of the
 * head with its empty line, or 0: not complete.  Empty lines before the head
 * count as part of it (RFC 9112 2.2). */
size_t http_head_find(const uint8_t *b, size_t n, size_t *seen);

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_OTHER };

struct http_request {
    enum http_method method;
    uint8_t minor; /* HTTP/1.minor */
    bool keep_alive;
    bool chunked;
    bool expect_continue;
    uint64_t content_length; /* 0 if absent */
    struct http_str path;    /* as sent, without query; "*" for the asterisk form */
    struct http_str query;
    struct http_str host; /* of the target if that is absolute, else of the field */
    struct http_str range, if_range, if_match, if_none_match;
    struct http_str if_modified_since, if_unmodified_since;
};

/* Parse one complete head of n bytes.  200, or the status to answer before
 * closing: 400, 413 (length beyond 2^63), 414, 417, 431, 501, 505. */
int http_request_parse(struct http_request *out, const uint8_t *b, size_t n);

struct http_response {
    int status;
    uint8_t minor;
    bool keep_alive;
    bool chunked;
    bool has_length;
    uint64_t content_length;
};

/* False if it is malformed. */
bool http_response_parse(struct http_response *out, const uint8_t *b, size_t n);

/* ---- bodies ----------------------------------------------------------------------- */

enum http_body_kind { HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_TO_END };

enum http_progress { HTTP_MORE, HTTP_DONE, HTTP_BAD };

struct http_body {
    enum http_body_kind kind;
    uint8_t state;
    uint8_t digits;   /* of the chunk size */
    uint32_t extra;   /* bytes of extensions and trailers so far */
    uint64_t left;    /* of the body or of the chunk */
    uint64_t decoded; /* payload so far */
};

void http_body_init(struct http_body *b, enum http_body_kind kind, uint64_t length);
void http_request_body(struct http_body *b, const struct http_request *r);
/* The body that follows a response to `method` (RFC 9112 6.3). */
void http_response_body(struct http_body *b, const struct http_response *r,
                        enum http_method method);

/* Take bytes of the body from p[0..n): *used of them belong to it, and *data is
 * the payload among them (empty while framing is read).  Call again with the
 * rest until HTTP_DONE, HTTP_BAD, or HTTP_MORE with everything used.  A body to
 * the end of the stream is never done. */
enum http_progress http_body_feed(struct http_body *b, const uint8_t *p, size_t n, size_t *used,
                                  struct http_str *data);

/* ---- emitting --------------------------------------------------------------------- */

#define HTTP_DATE_SIZE 30u /* "Sun, 06 Nov 1994 08:49:37 GMT" and a final 0 */

/* Seconds since 1970, up to the year 9999. */
void http_date_emit(char out[HTTP_DATE_SIZE], uint64_t unix_s);
/* All three forms of RFC 9110 5.6.7; now_s resolves years of two digits. */
bool http_date_parse(struct http_str text, uint64_t now_s, uint64_t *unix_s);

#define HTTP_ETAG_SIZE 40u
/* A strong validator of a file from its time and size. */
void http_etag_emit(char out[HTTP_ETAG_SIZE], uint64_t mtime_ns, uint64_t size);

const char *http_reason(int status);

/* What a head says; absent parts are NULL. */
struct http_head {
    int status;
    const char *date; /* 29 characters */
    const char *type;
    const char *last_modified;
    const char *etag;
    const char *location;
    const char *allow;
    bool accept_ranges;
    bool has_length;
    uint64_t length;
    bool has_range;   /* Content-Range: bytes first-last/size */
    bool unsatisfied; /* Content-Range: bytes and only the size */
    uint64_t range_first, range_last, range_size;
    bool close;      /* Connection: close */
    bool keep_alive; /* Connection: keep-alive, for HTTP/1.0 */
};

/* Where the date is in a head with status 200, for whoever keeps one and only changes the date. */
#define HTTP_OK_DATE_OFFSET 23u

/* Returns the length; 0 if it does not fit. */
size_t http_head_emit(char *buf, size_t size, const struct http_head *h);

/* ---- resources -------------------------------------------------------------------- */

/* Decode percent signs and resolve dot segments of a request's path into out: it
 * begins with '/', has no empty, "." or ".." segment and keeps a final slash.
 * 0, or the status: 400 (malformed, NUL, out of the root), 414 (does not fit). */
int http_path_decode(char *out, size_t size, struct http_str path);
/* Encode for a Location field.  0 if it does not fit. */
size_t http_path_encode(char *out, size_t size, const char *path);

const char *http_mime(const char *path);

struct http_resource {
    const char *etag; /* strong */
    uint64_t mtime_s;
    uint64_t size;
};

struct http_verdict {
    int status;            /* 200, 206, 304, 412 or 416 */
    uint64_t first, count; /* bytes to send for 200 and 206 */
};

/* Judge the preconditions of a GET or HEAD in the order of RFC 9110 13.2.2, then
 * its range.  Several ranges in one request are answered with the whole. */
struct http_verdict http_judge(const struct http_request *r, const struct http_resource *f,
                               uint64_t now_s);
