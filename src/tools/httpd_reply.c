/* What a request is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "stat/json.h"
#include "tools/httpd.h"

#define COPY_BYTES_MAX 1024u /* smaller bodies are copied behind the head */
#define LOCATION_MAX 1100u
#define STATUS_BYTES_MAX ((size_t)64 << 10)

static void count_answer(struct httpd *h, int status)
{
    h->count.requests++;
    h->count.by_class[status / 100 % 6]++;
}

/* Start an answer with this head and text behind it. */
static void begin(struct conn *c, struct http_head *head, const char *text, size_t text_n)
{
    struct httpd *h = c->h;
    char *buf = tool_pool_get(&h->texts);
    size_t n = 0;

    head->date = h->date;
    head->close = !c->keep_alive;
    if (buf != NULL)
        n = http_head_emit(buf, TEXT_BYTES_MAX, head);
    count_answer(h, head->status);
    c->out = (struct answer){.pending = true, .text = buf, .text_n = n};
    if (n == 0 || n + text_n > TEXT_BYTES_MAX) {
        /* No memory: there is nothing to say it with. */
        c->out.text_n = 0;
        c->keep_alive = false;
        if (buf == NULL)
            return;
    } else if (text_n > 0) {
        memcpy(buf + n, text, text_n);
        c->out.text_n += text_n;
    }
    h->count.bytes += c->out.text_n;
}

/* A small page; bodies of 204 and of answers to HEAD stay away. */
static void page(struct conn *c, const struct http_request *r, struct http_head *head)
{
    char text[256];
    size_t n =
        fmt_print(text, sizeof(text), "<!doctype html><title>%d %s</title><h1>%d %s</h1>\n",
                  head->status, http_reason(head->status), head->status, http_reason(head->status));

    if (head->status != 204) {
        head->type = "text/html; charset=utf-8";
        head->has_length = true;
        head->length = n;
    }
    begin(c, head, text, head->status == 204 || (r != NULL && r->method == HTTP_HEAD) ? 0 : n);
}

void reply_error(struct conn *c, int status)
{
    struct http_head head = {.status = status};

    c->keep_alive = false;
    page(c, NULL, &head);
}

static void redirect(struct conn *c, const struct http_request *r, const char *path)
{
    char location[LOCATION_MAX];
    size_t n = http_path_encode(location, sizeof(location) - 1, path);
    struct http_head head = {.status = 301, .location = location};

    /* The query goes along; it is what it was, so it needs no encoding. */
    if (n == 0 || n + r->query.n + 3 > sizeof(location)) {
        head = (struct http_head){.status = 404};
    } else {
        location[n++] = '/';
        if (r->query.p != NULL) {
            location[n++] = '?';
            memcpy(location + n, r->query.p, r->query.n);
            n += r->query.n;
        }
        location[n] = '\0';
    }
    page(c, r, &head);
}

/* What is asked most: all of a file, without conditions, on a connection that stays. */
static bool is_plain(const struct conn *c, const struct http_request *r)
{
    return r->method == HTTP_GET && r->minor >= 1 && c->keep_alive && r->range.p == NULL &&
           r->if_match.p == NULL && r->if_none_match.p == NULL && r->if_modified_since.p == NULL &&
           r->if_unmodified_since.p == NULL;
}

/* A body that is copied here is as old as the last look at the file, like its tag. */
static struct ready *make_ready(const struct httpd *h, const struct file *x)
{
    char buf[TEXT_BYTES_MAX - COPY_BYTES_MAX];
    struct http_head head = {
        .status = 200,
        .date = h->date,
        .type = x->type,
        .last_modified = x->last_modified,
        .etag = x->etag,
        .accept_ranges = true,
        .has_length = true,
        .length = x->size,
    };
    size_t n = http_head_emit(buf, sizeof(buf), &head);
    size_t body = x->size <= COPY_BYTES_MAX ? x->size : 0;
    struct ready *r = n > 0 ? malloc(sizeof(*r) + n + body) : NULL;

    if (r == NULL)
        return NULL;
    *r = (struct ready){.refs = 1, .n = (uint32_t)(n + body), .unix_s = h->unix_s};
    memcpy(r->text, buf, n);
    if (body > 0)
        memcpy(r->text + n, x->map, body);
    return r;
}

/* The file's ready answer with today's date, or NULL: no memory. */
static struct ready *get_ready(const struct httpd *h, struct file *x)
{
    struct ready *r = x->ready;

    if (r != NULL && r->unix_s == h->unix_s)
        return r;
    if (r != NULL && r->refs == 1) {
        memcpy(r->text + HTTP_OK_DATE_OFFSET, h->date, HTTP_DATE_SIZE - 1);
        r->unix_s = h->unix_s;
        return r;
    }
    ready_put(r);
    x->ready = make_ready(h, x);
    return x->ready;
}

/* The same bytes that reply_file would send.  False: compose them. */
static bool reply_ready(struct conn *c, struct file *x)
{
    struct httpd *h = c->h;
    struct ready *r = get_ready(h, x);

    if (r == NULL)
        return false;
    r->refs++;
    count_answer(h, 200);
    h->count.bytes += r->n;
    c->out = (struct answer){.pending = true, .ready = r, .file = x};
    if (x->size > COPY_BYTES_MAX) {
        c->out.body = x->map;
        c->out.body_left = x->size;
    }
    return true;
}

static void reply_file(struct conn *c, const struct http_request *r, struct file *x)
{
    struct http_resource res = {.etag = x->etag, .mtime_s = x->mtime_s, .size = x->size};
    struct http_verdict v = http_judge(r, &res, c->h->unix_s);
    bool whole = v.status == 200 || v.status == 206;
    struct http_head head = {
        .status = v.status,
        .type = whole ? x->type : NULL,
        .last_modified = x->last_modified,
        .etag = x->etag,
        .accept_ranges = whole,
        .has_length = whole,
        .length = v.count,
        .has_range = v.status == 206,
        .unsatisfied = v.status == 416,
        .range_first = v.first,
        .range_last = v.first + v.count - 1,
        .range_size = x->size,
        .keep_alive = c->keep_alive && r->minor == 0,
    };
    bool body = whole && r->method == HTTP_GET && v.count > 0;

    if (v.status == 412 || v.status == 416) {
        page(c, r, &head);
    } else if (body && v.count <= COPY_BYTES_MAX) {
        begin(c, &head, (const char *)x->map + v.first, v.count);
    } else {
        begin(c, &head, NULL, 0);
        if (body && c->out.text_n > 0) {
            c->out.file = x;
            c->out.body = x->map + v.first;
            c->out.body_left = v.count;
            return;
        }
    }
    file_put(x);
}

/* The status text is longer than a text buffer: it is given like a file. */
static void reply_status(struct conn *c, const struct http_request *r)
{
    struct file *x = calloc(1, sizeof(*x) + 1);
    char *text = malloc(STATUS_BYTES_MAX), app[4096];
    struct http_head head = {.status = 200, .type = "application/json", .has_length = true};
    size_t n;

    if (x == NULL || text == NULL) {
        free(x);
        free(text);
        reply_error(c, 503);
        return;
    }
    httpd_status(c->h, app, sizeof(app));
    n = fmt_print(text, STATUS_BYTES_MAX, "{\"stack\":%s,\"app\":%s}\n", mr_status_json(c->h->m),
                  app);
    x->text = text;
    x->refs = 1;
    head.length = n;
    head.keep_alive = c->keep_alive && r->minor == 0;
    begin(c, &head, NULL, 0);
    if (r->method == HTTP_HEAD || c->out.text_n == 0) {
        file_put(x);
        return;
    }
    c->out.file = x;
    c->out.body = (const uint8_t *)text;
    c->out.body_left = n;
}

static void refuse_method(struct conn *c, const struct http_request *r)
{
    struct http_head head = {.status = r->method == HTTP_OPTIONS ? 204 : 405,
                             .allow = "GET, HEAD, OPTIONS"};

    page(c, r, &head);
}

static void no_file(struct conn *c, const struct http_request *r, int status, const char *path)
{
    struct http_head head = {.status = status, .keep_alive = c->keep_alive && r->minor == 0};

    if (status == 301)
        redirect(c, r, path);
    else
        page(c, r, &head);
}

static void find_file(struct conn *c, const struct http_request *r)
{
    char path[FILE_PATH_MAX];
    struct file *x;
    int status = http_path_decode(path, sizeof(path), r->path);

    if (status == 0)
        status = files_get(&c->h->files, path, mr_now_us(c->h->m), &x);
    if (status != 200)
        no_file(c, r, status, path);
    else if (!is_plain(c, r) || !reply_ready(c, x))
        reply_file(c, r, x);
}

void reply_request(struct conn *c, const struct http_request *r)
{
    bool has_body = r->chunked || r->content_length > 0;

    http_request_body(&c->body, r);
    c->keep_alive = r->keep_alive;
    c->expect_more = has_body;
    /* A client that waits for 100 (Continue) gets the final answer instead
     * (RFC 9110 10.1.1), and what it may send all the same is not waited for. */
    if (has_body && (r->expect_continue || r->content_length > c->h->opt->body_max)) {
        c->keep_alive = false;
        c->expect_more = false;
        c->unread = true;
    }
    if (has_body && r->content_length > c->h->opt->body_max)
        reply_error(c, 413);
    else if (r->method != HTTP_GET && r->method != HTTP_HEAD)
        refuse_method(c, r);
    else if (http_str_eq(r->path, HTTP_STR("/status")))
        reply_status(c, r);
    else
        find_file(c, r);
}

size_t httpd_status(void *core, char *buf, size_t n)
{
    static const char *const state_names[CONN_STATES] = {"idle", "head", "body", "send", "linger"};
    const struct httpd *h = core;
    struct json j;

    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_u64(&j, "connections", h->open);
    json_u64(&j, "accepted", h->count.accepted);
    json_u64(&j, "refused", h->count.refused);
    json_u64(&j, "requests", h->count.requests);
    json_u64(&j, "bytes", h->count.bytes);
    json_object(&j, "answers");
    json_u64(&j, "2xx", h->count.by_class[2]);
    json_u64(&j, "3xx", h->count.by_class[3]);
    json_u64(&j, "4xx", h->count.by_class[4]);
    json_u64(&j, "5xx", h->count.by_class[5]);
    json_end(&j);
    json_object(&j, "timeouts");
    for (int s = 0; s < CONN_STATES; s++)
        json_u64(&j, state_names[s], h->count.timeouts[s]);
    json_end(&j);
    json_u64(&j, "aborted", h->count.aborted);
    json_u64(&j, "blocked", h->count.blocked);
    json_object(&j, "files");
    json_u64(&j, "cached", h->files.count);
    json_u64(&j, "hits", h->files.hits);
    json_u64(&j, "misses", h->files.misses);
    json_u64(&j, "changed", h->files.changed);
    json_u64(&j, "evicted", h->files.evicted);
    json_end(&j);
    json_end(&j);
    return json_fini(&j);
}
