/* --origin: the program is also what its load is proxied to.
 *
 * A proxy that has one address on one wire has its clients and its origin at the other end of it,
 * in one process, which is this.  Every request is answered with the same bytes; while an answer
 * does not fit the send queue the connection is not read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/load.h"
#include "tools/tool.h"

#define HEAD_ROOM 2048u
#define ANSWER_HEAD 128u

struct oconn {
    struct load_end end;
    bool closing; /* after the answer */
    mr_sock sock;
    size_t answer_n, answer_off; /* of the answer that is being sent */
    const uint8_t *answer;
    struct mr_slice slice; /* lent; token NULL: none */
    uint32_t slice_off;
    uint32_t head_n; /* of a head that came in pieces */
    uint8_t head[HEAD_ROOM];
};

struct load_origin {
    struct load_end end; /* the listener's user pointer points here */
    struct load *l;      /* borrowed */
    mr_sock listener;
    struct tool_pool conns;
    uint8_t last[HEAD_ROOM]; /* one request is like the other: what the last one said is kept */
    size_t last_n;
    bool last_keep_alive;
    size_t keep_n, close_n;
    uint8_t *keep, *close; /* owned: the two answers */
};

static uint8_t *make_answer(size_t body, const char *field, size_t *n)
{
    uint8_t *p = malloc(ANSWER_HEAD + body);
    int head;

    if (p == NULL)
        return NULL;
    head = snprintf((char *)p, ANSWER_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n",
                    body, field);
    for (size_t i = 0; i < body; i++)
        p[(size_t)head + i] = (uint8_t)('a' + i % 26);
    *n = (size_t)head + body;
    return p;
}

int load_origin_open(struct load *l)
{
    struct mr_addr at = mr_addr4(0, 0, 0, 0, (uint16_t)l->opt->origin_port);
    struct load_origin *o = calloc(1, sizeof(*o));
    struct mr_listen_opts how = {.backlog = 4096, .user = o};
    int err;

    if (o == NULL)
        return MR_ENOMEM;
    l->origin = o;
    o->end.of_origin = true;
    o->l = l;
    tool_pool_init(&o->conns, sizeof(struct oconn));
    o->keep = make_answer(l->opt->origin_bytes, "", &o->keep_n);
    o->close = make_answer(l->opt->origin_bytes, "Connection: close\r\n", &o->close_n);
    if (o->keep == NULL || o->close == NULL)
        return MR_ENOMEM;
    err = mr_listen(l->m, &at, &how, &o->listener);
    if (err == MR_OK)
        mr_setopt(l->m, o->listener, MR_NODELAY, 1);
    return err;
}

void load_origin_free(struct load_origin *o)
{
    if (o == NULL)
        return;
    tool_pool_fini(&o->conns);
    free(o->keep);
    free(o->close);
    free(o);
}

static void drop(struct load_origin *o, struct oconn *c)
{
    if (c->slice.token != NULL)
        mr_slice_release(o->l->m, &c->slice);
    mr_close(o->l->m, c->sock);
    tool_pool_put(&o->conns, c);
}

/* False: the answer is not out, or never will be. */
static bool send_on(struct load_origin *o, struct oconn *c)
{
    while (c->answer_off < c->answer_n) {
        int64_t r =
            mr_send(o->l->m, c->sock, c->answer + c->answer_off, c->answer_n - c->answer_off, 0);
        if (r < 0)
            return false;
        c->answer_off += (size_t)r;
    }
    return true;
}

/* A whole head.  False: it is no request. */
static bool answer(struct load_origin *o, struct oconn *c, const uint8_t *b, size_t n)
{
    if (n != o->last_n || memcmp(b, o->last, n) != 0) {
        struct http_request r;
        if (n > HEAD_ROOM || http_request_parse(&r, b, n) != 200 || r.content_length != 0)
            return false;
        memcpy(o->last, b, n);
        o->last_n = n;
        o->last_keep_alive = r.keep_alive;
    }
    c->closing = !o->last_keep_alive;
    c->answer = c->closing ? o->close : o->keep;
    c->answer_n = c->closing ? o->close_n : o->keep_n;
    c->answer_off = 0;
    return true;
}

/* Some bytes of requests, up to the end of the first head in them; how many were used, or 0: it is
 * no request. */
static size_t take(struct load_origin *o, struct oconn *c, const uint8_t *p, size_t n)
{
    size_t seen = 0, before = c->head_n, end;

    if (before == 0) {
        end = n >= o->last_n && o->last_n > 0 && memcmp(p, o->last, o->last_n) == 0
                  ? o->last_n
                  : http_head_find(p, n, &seen);
        if (end != 0)
            return answer(o, c, p, end) ? end : 0;
    }
    if (n > HEAD_ROOM - before)
        n = HEAD_ROOM - before;
    memcpy(c->head + before, p, n);
    c->head_n += (uint32_t)n;
    end = http_head_find(c->head, c->head_n, &seen);
    if (end == 0)
        return n;
    c->head_n = 0;
    return answer(o, c, c->head, end) ? end - before : 0;
}

/* False: it is over. */
static bool use_slice(struct load_origin *o, struct oconn *c)
{
    while (c->slice_off < c->slice.len) {
        size_t n = take(o, c, c->slice.ptr + c->slice_off, c->slice.len - c->slice_off);
        if (n == 0)
            return false;
        c->slice_off += (uint32_t)n;
        if (!send_on(o, c))
            return true;
        if (c->closing && c->answer_n != 0)
            return false;
    }
    mr_slice_release(o->l->m, &c->slice);
    c->slice.token = NULL;
    return true;
}

static void pump(struct load_origin *o, struct oconn *c)
{
    for (;;) {
        int r;
        if (!send_on(o, c))
            return;
        if (c->closing && c->answer_n != 0) {
            drop(o, c);
            return;
        }
        if (c->slice.token == NULL) {
            r = mr_recv_slices(o->l->m, c->sock, &c->slice, 1);
            if (r == MR_EAGAIN)
                return;
            if (r != 1) {
                c->slice.token = NULL;
                drop(o, c);
                return;
            }
            c->slice_off = 0;
        }
        if (!use_slice(o, c)) {
            drop(o, c);
            return;
        }
    }
}

static void accept_all(struct load_origin *o)
{
    mr_sock sock;

    while (mr_accept(o->l->m, o->listener, &sock, NULL) == MR_OK) {
        struct oconn *c = tool_pool_get(&o->conns);
        if (c == NULL) {
            mr_abort(o->l->m, sock);
            continue;
        }
        memset(c, 0, offsetof(struct oconn, head));
        c->end.of_origin = true;
        c->sock = sock;
        mr_set_user(o->l->m, sock, c);
    }
}

void load_origin_event(struct load_origin *o, const struct mr_event *ev)
{
    struct oconn *c = ev->user;

    if (ev->type == MR_EV_ACCEPT) {
        accept_all(o);
    } else if (ev->user == (void *)o) {
        return;
    } else if (ev->type == MR_EV_CLOSED) {
        drop(o, c);
    } else if (ev->type == MR_EV_READABLE || ev->type == MR_EV_WRITABLE) {
        pump(o, c);
    }
}
