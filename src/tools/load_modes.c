/* The three kinds of load: how answers are read and checked. */
#include <string.h>

#include "tools/load.h"

bool load_matches(const struct load *l, uint64_t offset, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t at = (size_t)(offset % l->period);
        size_t part = l->block_n - at < n ? l->block_n - at : n;
        if (memcmp(l->block + at, p, part) != 0)
            return false;
        offset += part;
        p += part;
        n -= part;
    }
    return true;
}

/* ---- rr and bulk: an echo returns the stream */

static bool echo_input(struct lconn *c, const uint8_t *p, size_t n)
{
    if (c->rx_off + n > c->tx_off || !load_matches(c->l, c->rx_off, p, n)) {
        load_bad(c, ERR_CONTENT);
        return false;
    }
    c->rx_off += n;
    return true;
}

/* An answer is complete with the last byte of its request.  The answer may end
 * the connection, so what is left is counted first. */
static bool rr_input(struct lconn *c, const uint8_t *p, size_t n)
{
    uint64_t size = c->l->request_n, before = c->rx_off / size;
    uint64_t answers;

    if (!echo_input(c, p, n))
        return false;
    answers = c->rx_off / size - before;
    for (; answers > 0 && c->state == LCONN_OPEN; answers--)
        load_done(c);
    return c->state == LCONN_OPEN;
}

static bool never_ends(struct lconn *c)
{
    (void)c;
    return false;
}

static void nothing(struct lconn *c)
{
    (void)c;
}

const struct load_mode load_rr = {
    .name = "rr", .input = rr_input, .end = never_ends, .reset = nothing};

const struct load_mode load_bulk = {
    .name = "bulk", .input = echo_input, .end = never_ends, .reset = nothing};

/* ---- http */

static void http_reset(struct lconn *c)
{
    if (c->head != NULL)
        tool_pool_put(&c->l->heads, c->head);
    if (c->l->reference_of == c)
        c->l->reference_of = NULL;
    c->head = NULL;
    c->head_n = c->seen = 0;
    c->in_body = false;
}

/* Every answer must be the first one again; as much of it as was kept. */
static bool check_data(struct lconn *c, struct http_str data)
{
    struct load *l = c->l;
    uint64_t at = c->body.decoded - data.n;
    size_t n = data.n;

    if (l->opt->no_verify || at >= REFERENCE_BYTES_MAX)
        return true;
    if (n > REFERENCE_BYTES_MAX - at)
        n = REFERENCE_BYTES_MAX - (size_t)at;
    if (l->reference_of == c) {
        memcpy(l->reference + at, data.p, n);
        return true;
    }
    if (!l->reference_done)
        return true;
    return at + n <= l->reference_n && memcmp(l->reference + at, data.p, n) == 0;
}

static bool check_end(struct lconn *c)
{
    struct load *l = c->l;

    if (l->reference_of == c) {
        l->reference_of = NULL;
        l->reference_done = true;
        l->reference_n = c->body.decoded;
    }
    return l->opt->no_verify || !l->reference_done || c->body.decoded == l->reference_n;
}

/* The body is complete.  False: the connection is gone. */
static bool answer_ends(struct lconn *c)
{
    c->in_body = false;
    if (!check_end(c)) {
        load_bad(c, ERR_CONTENT);
        return false;
    }
    load_done(c);
    return c->state == LCONN_OPEN;
}

/* For a second, the Date's, one head is like the other: what the last one said is kept. */
static bool read_head(struct load *l, const uint8_t *b, size_t n)
{
    l->head_n = 0;
    if (!http_response_parse(&l->response, b, n))
        return false;
    if (n <= sizeof(l->head)) {
        memcpy(l->head, b, n);
        l->head_n = n;
    }
    return true;
}

/* Does it begin with the last head again?  Then nothing need be read. */
static bool is_last_head(const struct load *l, const uint8_t *b, size_t n)
{
    return l->head_n > 0 && n >= l->head_n && memcmp(b, l->head, l->head_n) == 0;
}

/* After a head, which l->response has. */
static bool begin_body(struct lconn *c)
{
    struct load *l = c->l;
    const struct http_response *r = &l->response;

    if (c->outstanding == 0) {
        load_bad(c, ERR_CONTENT);
        return false;
    }
    if (r->status < 200)
        return true;
    if (r->status != 200) {
        load_bad(c, ERR_STATUS);
        return false;
    }
    c->keep_alive = r->keep_alive;
    c->in_body = true;
    http_response_body(&c->body, r, HTTP_GET);
    if (!l->reference_done && l->reference_of == NULL)
        l->reference_of = c;
    return true;
}

static bool take_whole_head(struct lconn *c, const uint8_t *b, size_t n)
{
    if (read_head(c->l, b, n))
        return begin_body(c);
    load_bad(c, ERR_CONTENT);
    return false;
}

/* Some of a head; how much of it was used, or 0 if the connection is gone. */
static size_t take_head(struct lconn *c, const uint8_t *p, size_t n)
{
    size_t before = c->head_n, part = HTTP_HEAD_BYTES_MAX - before, end, seen = 0;

    if (c->head == NULL) {
        if (is_last_head(c->l, p, n))
            return begin_body(c) ? c->l->head_n : 0;
        end = http_head_find(p, n, &seen);
        if (end != 0)
            return take_whole_head(c, p, end) ? end : 0;
        c->head = tool_pool_get(&c->l->heads);
    }
    part = part < n ? part : n;
    if (c->head == NULL || part == 0) {
        load_bad(c, ERR_CONTENT);
        return 0;
    }
    memcpy(c->head + before, p, part);
    c->head_n += part;
    end = http_head_find(c->head, c->head_n, &c->seen);
    if (end == 0)
        return part;
    if (!take_whole_head(c, c->head, end))
        return 0;
    tool_pool_put(&c->l->heads, c->head);
    c->head = NULL;
    c->head_n = c->seen = 0;
    return end - before;
}

static bool take_body(struct lconn *c, const uint8_t *p, size_t n, size_t *used)
{
    struct http_str data;
    enum http_progress progress = http_body_feed(&c->body, p, n, used, &data);

    if (progress == HTTP_BAD || !check_data(c, data)) {
        load_bad(c, ERR_CONTENT);
        return false;
    }
    return progress == HTTP_MORE || answer_ends(c);
}

static bool http_input(struct lconn *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t used;
        if (!c->in_body) {
            used = take_head(c, p, n);
            if (used == 0)
                return false;
            /* A body of no bytes is complete at once. */
            if (c->in_body && c->body.kind == HTTP_BODY_LENGTH && c->body.left == 0 &&
                !answer_ends(c))
                return false;
        } else if (!take_body(c, p, n, &used)) {
            return false;
        }
        p += used;
        n -= used;
    }
    return true;
}

/* A body without a length ends with the stream; between answers a server may
 * finish whenever it wants. */
static bool http_end(struct lconn *c)
{
    if (c->in_body && c->body.kind == HTTP_BODY_TO_END) {
        c->keep_alive = false;
        answer_ends(c);
        return true;
    }
    return c->outstanding == 0;
}

const struct load_mode load_http = {
    .name = "http", .input = http_input, .end = http_end, .reset = http_reset};
