/* Sending an answer as far as the connection takes it. */
#include <string.h>

#include "tools/httpd.h"

#define PIECE_BYTES ((uint64_t)64 << 10) /* a file is given away in pieces of this size */

static void on_piece_done(void *arg, const void *ptr, size_t n)
{
    (void)ptr;
    (void)n;
    file_put(arg);
}

static void on_ready_done(void *arg, const void *ptr, size_t n)
{
    (void)ptr;
    (void)n;
    ready_put(arg);
}

static int push_ready(struct conn *c)
{
    struct answer *a = &c->out;
    int err = mr_send_give(c->h->m, c->sock, a->ready->text, a->ready->n,
                           a->body_left > 0 ? MR_MORE : 0, on_ready_done, a->ready);

    if (err == MR_OK)
        a->ready = NULL;
    return err;
}

static int push_text(struct conn *c)
{
    struct answer *a = &c->out;

    while (a->text_off < a->text_n) {
        int64_t r = mr_send(c->h->m, c->sock, a->text + a->text_off, a->text_n - a->text_off,
                            a->body_left > 0 ? MR_MORE : 0);
        if (r < 0)
            return (int)r;
        a->text_off += (size_t)r;
    }
    tool_pool_put(&c->h->texts, a->text);
    a->text = NULL;
    return MR_OK;
}

static int push_body(struct conn *c)
{
    struct answer *a = &c->out;

    while (a->body_left > 0) {
        uint64_t n = a->body_left < PIECE_BYTES ? a->body_left : PIECE_BYTES;
        int err = mr_send_give(c->h->m, c->sock, a->body, n, n < a->body_left ? MR_MORE : 0,
                               on_piece_done, a->file);
        if (err != MR_OK)
            return err;
        a->file->refs++;
        a->body += n;
        a->body_left -= n;
        c->h->count.bytes += n;
    }
    return MR_OK;
}

int reply_push(struct conn *c)
{
    int err = c->out.ready != NULL ? push_ready(c) : c->out.text != NULL ? push_text(c) : MR_OK;

    if (err == MR_OK)
        err = push_body(c);
    if (err == MR_OK && c->out.file != NULL) {
        file_put(c->out.file);
        c->out.file = NULL;
    }
    c->out.pending = err != MR_OK;
    return err;
}

void reply_drop(struct conn *c)
{
    ready_put(c->out.ready);
    if (c->out.text != NULL)
        tool_pool_put(&c->h->texts, c->out.text);
    if (c->out.file != NULL)
        file_put(c->out.file);
    c->out = (struct answer){0};
}
