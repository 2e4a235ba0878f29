/* Bodies: by length, by chunks, to the end of the stream. */
#include "http/http_int.h"

#define EXTRA_BYTES_MAX 8192u /* chunk extensions and trailers of one body */
#define SIZE_DIGITS_MAX 15u   /* 2^60 bytes in one chunk is plenty */

/* RFC 9112 7.1:
 *
 *     chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *     last-chunk   = 1*"0" [ chunk-ext ] CRLF
 *     chunked-body = *chunk last-chunk trailer-section CRLF */
enum {
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START,
    TRAILER_LINE,
    TRAILER_LF,
    LAST_LF,
    BODY_DONE,
    BODY_BAD,
};

void http_body_init(struct http_body *b, enum http_body_kind kind, uint64_t length)
{
    *b = (struct http_body){.kind = kind, .left = kind == HTTP_BODY_LENGTH ? length : 0};
}

void http_request_body(struct http_body *b, const struct http_request *r)
{
    http_body_init(b, r->chunked ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH, r->content_length);
}

void http_response_body(struct http_body *b, const struct http_response *r, enum http_method method)
{
    if (method == HTTP_HEAD || r->status < 200 || r->status == 204 || r->status == 304)
        http_body_init(b, HTTP_BODY_LENGTH, 0);
    else if (r->chunked)
        http_body_init(b, HTTP_BODY_CHUNKED, 0);
    else if (r->has_length)
        http_body_init(b, HTTP_BODY_LENGTH, r->content_length);
    else
        http_body_init(b, HTTP_BODY_TO_END, 0);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint8_t size_byte(struct http_body *b, uint8_t c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (b->digits == SIZE_DIGITS_MAX)
            return BODY_BAD;
        b->digits++;
        b->left = b->left << 4 | (unsigned)digit;
        return CHUNK_SIZE;
    }
    if (b->digits == 0)
        return BODY_BAD;
    if (c == '\r')
        return CHUNK_SIZE_LF;
    return c == ';' || c == ' ' || c == '\t' ? CHUNK_EXT : BODY_BAD;
}

/* A byte of a line whose content is not kept; the line must still be clean,
 * because a bare LF or CR in it is where parsers disagree (RFC 9112 7.1.1). */
static uint8_t ignored_byte(struct http_body *b, uint8_t c, uint8_t stay, uint8_t after_cr)
{
    if (++b->extra > EXTRA_BYTES_MAX)
        return BODY_BAD;
    if (c == '\r')
        return after_cr;
    return c >= ' ' || c == '\t' ? stay : BODY_BAD;
}

static uint8_t next_chunk(struct http_body *b)
{
    b->digits = 0;
    b->left = 0;
    return CHUNK_SIZE;
}

static uint8_t framing_byte(struct http_body *b, uint8_t c)
{
    switch (b->state) {
    case CHUNK_SIZE:
        return size_byte(b, c);
    case CHUNK_EXT:
        return ignored_byte(b, c, CHUNK_EXT, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        if (c != '\n')
            return BODY_BAD;
        return b->left > 0 ? CHUNK_DATA : TRAILER_START;
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : BODY_BAD;
    case CHUNK_DATA_LF:
        return c == '\n' ? next_chunk(b) : BODY_BAD;
    case TRAILER_START:
        return c == '\r' ? LAST_LF : ignored_byte(b, c, TRAILER_LINE, BODY_BAD);
    case TRAILER_LINE:
        return ignored_byte(b, c, TRAILER_LINE, TRAILER_LF);
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : BODY_BAD;
    case LAST_LF:
        return c == '\n' ? BODY_DONE : BODY_BAD;
    default:
        return BODY_BAD;
    }
}

/* Payload is taken in one piece. */
static size_t take_data(struct http_body *b, const uint8_t *p, size_t n, struct http_str *data)
{
    size_t part = b->kind == HTTP_BODY_TO_END || b->left > n ? n : (size_t)b->left;

    *data = http_str_of((const char *)p, part);
    b->decoded += part;
    if (b->kind != HTTP_BODY_TO_END)
        b->left -= part;
    return part;
}

static enum http_progress feed_chunked(struct http_body *b, const uint8_t *p, size_t n,
                                       size_t *used, struct http_str *data)
{
    size_t i = 0;

    while (i < n && b->state != CHUNK_DATA && b->state < BODY_DONE)
        b->state = framing_byte(b, p[i++]);
    if (i < n && b->state == CHUNK_DATA) {
        i += take_data(b, p + i, n - i, data);
        if (b->left == 0)
            b->state = CHUNK_DATA_CR;
    }
    *used = i;
    if (b->state == BODY_DONE)
        return HTTP_DONE;
    return b->state == BODY_BAD ? HTTP_BAD : HTTP_MORE;
}

enum http_progress http_body_feed(struct http_body *b, const uint8_t *p, size_t n, size_t *used,
                                  struct http_str *data)
{
    *data = http_str_of((const char *)p, 0);
    switch (b->kind) {
    case HTTP_BODY_CHUNKED:
        return feed_chunked(b, p, n, used, data);
    case HTTP_BODY_LENGTH:
        *used = take_data(b, p, n, data);
        return b->left == 0 ? HTTP_DONE : HTTP_MORE;
    case HTTP_BODY_TO_END:
        *used = take_data(b, p, n, data);
        return HTTP_MORE;
    }
    return HTTP_BAD;
}
