/* Connections: reading requests, time limits, the end. */
#include <string.h>
#include <time.h>

#include "tools/httpd.h"

#define TICK_US 250000u

/* ---- queues and time limits */

static void queue_unlink(struct conn *c)
{
    struct conn_queue *q = &c->h->queue[c->state];

    *(c->prev != NULL ? &c->prev->next : &q->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &q->last) = c->prev;
}

static void queue_link(struct conn *c)
{
    struct conn_queue *q = &c->h->queue[c->state];

    c->next = NULL;
    c->prev = q->last;
    *(q->last != NULL ? &q->last->next : &q->first) = c;
    q->last = c;
}

/* A limit counts from the moment a state is entered, or entered again. */
void conn_set_state(struct conn *c, enum conn_state state)
{
    queue_unlink(c);
    c->state = state;
    c->deadline_us = mr_now_us(c->h->m) + c->h->limit_us[state];
    queue_link(c);
}

static void start_ticking(struct httpd *h)
{
    mr_timer tick;

    if (h->ticking || h->open == 0)
        return;
    h->ticking = mr_timer_start(h->m, TICK_US, NULL, &tick) == MR_OK;
}

static void read_date(struct httpd *h)
{
    struct timespec t;
    uint64_t now = mr_now_us(h->m);

    if (h->date[0] != '\0' && now - h->date_us < 100000)
        return;
    h->date_us = now;
    clock_gettime(CLOCK_REALTIME, &t);
    if ((uint64_t)t.tv_sec == h->unix_s)
        return;
    h->unix_s = (uint64_t)t.tv_sec;
    http_date_emit(h->date, h->unix_s);
}

static void out_of_time(struct conn *c)
{
    c->h->count.timeouts[c->state]++;
    switch (c->state) {
    case CONN_HEAD:
    case CONN_BODY:
        /* RFC 9110 15.5.9: tell it before closing. */
        read_date(c->h);
        c->unread = true;
        reply_error(c, 408);
        conn_set_state(c, CONN_SEND);
        conn_pump(c);
        break;
    case CONN_IDLE:
    case CONN_LINGER:
        conn_free(c, false);
        break;
    case CONN_SEND:
    case CONN_STATES:
        conn_free(c, true);
        break;
    }
}

void httpd_tick(struct httpd *h)
{
    uint64_t now = mr_now_us(h->m);

    h->ticking = false;
    for (int s = 0; s < CONN_STATES; s++)
        while (h->queue[s].first != NULL && h->queue[s].first->deadline_us <= now)
            out_of_time(h->queue[s].first);
    start_ticking(h);
}

/* ---- beginning and end */

void httpd_accept(struct httpd *h)
{
    mr_sock sock;
    int err;

    while ((err = mr_accept(h->m, h->listener, &sock, NULL)) == MR_OK) {
        struct conn *c = tool_pool_get(&h->conns);
        if (c == NULL) {
            h->count.refused++;
            mr_abort(h->m, sock);
            continue;
        }
        memset(c, 0, sizeof(*c));
        c->sock = sock;
        c->h = h;
        c->state = CONN_HEAD;
        /* Counted from the start, so that a client that never asks is slow too. */
        c->deadline_us = mr_now_us(h->m) + h->limit_us[CONN_HEAD];
        queue_link(c);
        h->count.accepted++;
        h->open++;
        mr_set_user(h->m, sock, c);
        mr_setopt(h->m, sock, MR_NODELAY, 1);
    }
    h->count.refused += err == MR_ENOMEM;
    start_ticking(h);
}

static void drop_buf(struct conn *c)
{
    if (c->buf != NULL)
        tool_pool_put(&c->h->bufs, c->buf);
    c->buf = NULL;
    c->buf_n = c->seen = 0;
}

static void drop_slice(struct conn *c)
{
    if (c->slice.token != NULL)
        mr_slice_release(c->h->m, &c->slice);
    c->slice = (struct mr_slice){0};
    c->slice_off = 0;
}

void conn_free(struct conn *c, bool reset)
{
    struct httpd *h = c->h;

    queue_unlink(c);
    drop_buf(c);
    drop_slice(c);
    reply_drop(c);
    if (reset)
        mr_abort(h->m, c->sock);
    else
        mr_close(h->m, c->sock);
    tool_pool_put(&h->conns, c);
    h->open--;
}

/* After the last answer.  Closing with unread data would reset the connection and
 * could take the answer with it (RFC 9112 9.6), so then the peer finishes first.
 * False: the connection is gone. */
static bool finish(struct conn *c)
{
    if (!c->unread && (c->slice.token == NULL || c->slice_off == c->slice.len)) {
        conn_free(c, false);
        return false;
    }
    mr_shutdown(c->h->m, c->sock);
    drop_buf(c);
    conn_set_state(c, CONN_LINGER);
    return true;
}

/* ---- reading */

/* Parse the head in b[0..n) and begin its answer. */
static void take_head(struct conn *c, const uint8_t *b, size_t n)
{
    struct http_request r;
    int status;

    read_date(c->h);
    status = http_request_parse(&r, b, n);
    if (status == 200) {
        reply_request(c, &r);
        return;
    }
    c->unread = true;
    reply_error(c, status);
}

static void head_too_long(struct conn *c)
{
    read_date(c->h);
    c->unread = true;
    reply_error(c, 431);
}

/* Collect a head that came in pieces; b[0..n) is what follows.  How many bytes
 * were used; the rest belongs to what comes after the head. */
static size_t collect(struct conn *c, const uint8_t *b, size_t n)
{
    size_t before = c->buf_n, part = HTTP_HEAD_BYTES_MAX - before, end;

    if (c->buf == NULL)
        c->buf = tool_pool_get(&c->h->bufs);
    if (c->buf == NULL) {
        c->unread = true;
        reply_error(c, 503);
        return n;
    }
    part = part < n ? part : n;
    memcpy(c->buf + before, b, part);
    c->buf_n += part;
    end = http_head_find(c->buf, c->buf_n, &c->seen);
    if (end == 0) {
        if (c->buf_n == HTTP_HEAD_BYTES_MAX)
            head_too_long(c);
        return part;
    }
    take_head(c, c->buf, end);
    drop_buf(c);
    return end - before;
}

/* One step through the bytes at hand: some of a head or of a body. */
static size_t take_bytes(struct conn *c, const uint8_t *b, size_t n)
{
    struct http_str data;
    enum http_progress p;
    size_t end, used;

    switch (c->state) {
    case CONN_IDLE:
    case CONN_HEAD:
        if (c->buf == NULL) {
            size_t seen = 0;
            end = http_head_find(b, n, &seen);
            if (end != 0 && end <= HTTP_HEAD_BYTES_MAX) {
                take_head(c, b, end);
                return end;
            }
        }
        if (c->state == CONN_IDLE)
            conn_set_state(c, CONN_HEAD);
        return collect(c, b, n);
    case CONN_BODY:
        p = http_body_feed(&c->body, b, n, &used, &data);
        if (p == HTTP_BAD || c->body.decoded > c->h->opt->body_max) {
            c->unread = true;
            reply_error(c, p == HTTP_BAD ? 400 : 413);
        } else if (p == HTTP_DONE) {
            conn_set_state(c, CONN_IDLE);
        }
        return used;
    case CONN_SEND:
    case CONN_LINGER:
    case CONN_STATES:
        break;
    }
    return n;
}

/* Where a connection is after its answer has been queued.  False: it is gone. */
static bool answered(struct conn *c)
{
    if (!c->keep_alive)
        return finish(c);
    conn_set_state(c, c->expect_more ? CONN_BODY : CONN_IDLE);
    c->expect_more = false;
    return true;
}

/* Send what is composed.  False: wait for an event, or the connection is gone. */
static bool send_on(struct conn *c)
{
    int err = reply_push(c);

    if (err == MR_OK)
        return answered(c);
    if (err == MR_EAGAIN) {
        c->h->count.blocked += c->state != CONN_SEND;
        conn_set_state(c, CONN_SEND);
    }
    /* Any other error is told by MR_EV_CLOSED too. */
    return false;
}

/* Make sure there are bytes at hand.  False: none now, or the connection is gone. */
static bool refill(struct conn *c)
{
    int r;

    if (c->slice.token != NULL && c->slice_off < c->slice.len)
        return true;
    drop_slice(c);
    r = mr_recv_slices(c->h->m, c->sock, &c->slice, 1);
    if (r == 1)
        return true;
    c->slice = (struct mr_slice){0};
    if (r == 0)
        conn_free(c, false);
    return false;
}

void conn_pump(struct conn *c)
{
    for (;;) {
        if (c->out.pending) {
            if (!send_on(c))
                return;
            continue;
        }
        if (!refill(c))
            return;
        c->slice_off +=
            (uint32_t)take_bytes(c, c->slice.ptr + c->slice_off, c->slice.len - c->slice_off);
    }
}
