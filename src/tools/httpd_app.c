/* The server as an application: its events, its beginning and its end on one core. */
#include <stdlib.h>
#include <string.h>

#include "tools/httpd.h"
#include "tools/tool.h"

#define LINGER_US 2000000u

void httpd_event(struct mr *m, void *core, const struct mr_event *ev)
{
    struct httpd *h = core;
    struct conn *c = ev->user;

    (void)m;
    switch (ev->type) {
    case MR_EV_ACCEPT:
        httpd_accept(h);
        break;
    case MR_EV_READABLE:
        if (c != NULL && c->state != CONN_SEND)
            conn_pump(c);
        break;
    case MR_EV_WRITABLE:
        if (c != NULL)
            conn_pump(c);
        break;
    case MR_EV_CLOSED:
        if (c != NULL) {
            h->count.aborted += ev->err != MR_OK;
            conn_free(c, false);
        }
        break;
    case MR_EV_TIMER:
        httpd_tick(h);
        break;
    case MR_EV_CONNECTED:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        break;
    }
}

int httpd_init(struct mr *m, void *arg, void **core_state)
{
    struct httpd_options *o = arg;
    struct mr_addr at = mr_addr4(0, 0, 0, 0, (uint16_t)o->port);
    struct httpd *h = calloc(1, sizeof(*h));
    int err;

    if (h == NULL)
        return MR_ENOMEM;
    h->m = m;
    h->opt = o;
    h->limit_us[CONN_IDLE] = (uint64_t)o->idle_ms * 1000;
    h->limit_us[CONN_HEAD] = (uint64_t)o->header_ms * 1000;
    h->limit_us[CONN_BODY] = (uint64_t)o->body_ms * 1000;
    h->limit_us[CONN_SEND] = (uint64_t)o->send_ms * 1000;
    h->limit_us[CONN_LINGER] = LINGER_US;
    tool_pool_init(&h->conns, sizeof(struct conn));
    tool_pool_init(&h->bufs, HTTP_HEAD_BYTES_MAX);
    tool_pool_init(&h->texts, TEXT_BYTES_MAX);
    h->next = o->cores;
    o->cores = h;
    err = files_init(&h->files, o->root, o->cache_files);
    if (err != MR_OK) {
        tool_refuse(HTTPD_NAME, "%s: %s", o->root, strerror(-err));
        return MR_EINVAL;
    }
    err = mr_listen(m, &at, NULL, &h->listener);
    if (err != MR_OK) {
        tool_refuse(HTTPD_NAME, "port %u: %s", o->port, mr_strerror(err));
        return err;
    }
    mr_setopt(m, h->listener, MR_NODELAY, 1);
    *core_state = h;
    return MR_OK;
}

void httpd_fini(struct mr *m, void *core)
{
    struct httpd *h = core;

    mr_close(m, h->listener);
    for (int s = 0; s < CONN_STATES; s++)
        while (h->queue[s].first != NULL)
            conn_free(h->queue[s].first, s == CONN_SEND);
}

void httpd_free(struct httpd *h)
{
    while (h != NULL) {
        struct httpd *next = h->next;
        files_fini(&h->files);
        tool_pool_fini(&h->conns);
        tool_pool_fini(&h->bufs);
        tool_pool_fini(&h->texts);
        free(h);
        h = next;
    }
}
