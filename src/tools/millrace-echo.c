/* millrace-echo: sends back what it receives, over TCP and UDP.
 *
 * Nothing is copied: a received slice is given back as a send and released when
 * the peer has acknowledged it.  While the send queue is full the connection is
 * not read, so the peer is held back by its own window. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat/json.h"
#include "tools/tool.h"
#include "tools/tool_pool.h"

/* A slice on its way back; refers to no connection, because it may outlive it. */
struct echo_slice {
    struct mr_slice slice;
    struct core *core; /* borrowed */
};

struct conn {
    mr_sock sock;
    struct echo_slice *waiting; /* owned: received, refused by the send queue */
    bool ended;                 /* the peer will send no more */
};

struct core {
    struct mr *m;
    struct core *next; /* the options' list */
    mr_sock listener, udp;
    struct tool_pool slices, conns;
    uint64_t accepted, open, bytes, datagrams, datagrams_dropped, aborted;
};

struct options {
    uint32_t port;
    bool no_udp;
    struct core *cores; /* owned, a list: slices come back until the contexts are gone */
};

static void cores_free(struct core *c)
{
    while (c != NULL) {
        struct core *next = c->next;
        tool_pool_fini(&c->slices);
        tool_pool_fini(&c->conns);
        free(c);
        c = next;
    }
}

static void slice_put(struct echo_slice *s)
{
    mr_slice_release(s->core->m, &s->slice);
    tool_pool_put(&s->core->slices, s);
}

static void on_release(void *arg, const void *ptr, size_t n)
{
    (void)ptr;
    (void)n;
    slice_put(arg);
}

static void conn_put(struct core *c, struct conn *x)
{
    if (x->waiting != NULL)
        slice_put(x->waiting);
    mr_close(c->m, x->sock);
    tool_pool_put(&c->conns, x);
    c->open--;
}

/* Send one slice back.  False: not now, or not ever (the connection is gone). */
static bool give_back(struct core *c, struct conn *x, struct echo_slice *s)
{
    uint32_t n = s->slice.len;
    int err = mr_send_give(c->m, x->sock, s->slice.ptr, n, 0, on_release, s);

    if (err == MR_OK) {
        c->bytes += n;
        return true;
    }
    /* An error is also told by MR_EV_CLOSED, which frees what waits. */
    x->waiting = s;
    return false;
}

static void pump(struct core *c, struct conn *x)
{
    struct echo_slice *s = x->waiting;

    x->waiting = NULL;
    if (s != NULL && !give_back(c, x, s))
        return;
    while (!x->ended) {
        int r;
        s = tool_pool_get(&c->slices);
        if (s == NULL)
            return;
        s->core = c;
        r = mr_recv_slices(c->m, x->sock, &s->slice, 1);
        if (r == 1) {
            if (!give_back(c, x, s))
                return;
            continue;
        }
        tool_pool_put(&c->slices, s);
        if (r == MR_EAGAIN)
            return;
        x->ended = true;
    }
    /* What is queued is still sent, and then our FIN. */
    conn_put(c, x);
}

static void accept_all(struct core *c)
{
    mr_sock sock;

    while (mr_accept(c->m, c->listener, &sock, NULL) == MR_OK) {
        struct conn *x = tool_pool_get(&c->conns);
        if (x == NULL) {
            mr_abort(c->m, sock);
            continue;
        }
        *x = (struct conn){.sock = sock};
        c->accepted++;
        c->open++;
        mr_set_user(c->m, sock, x);
        mr_setopt(c->m, sock, MR_NODELAY, 1);
    }
}

static void echo_datagrams(struct core *c)
{
    struct mr_slice s;
    struct mr_addr from;

    while (mr_recvfrom_slice(c->m, c->udp, &s, &from) == MR_OK) {
        /* As in the network: what there is no room for is lost. */
        if (mr_sendto(c->m, c->udp, s.ptr, s.len, &from) == MR_OK)
            c->datagrams++;
        else
            c->datagrams_dropped++;
        mr_slice_release(c->m, &s);
    }
}

static void echo_event(struct mr *m, void *core, const struct mr_event *ev)
{
    struct core *c = core;

    (void)m;
    switch (ev->type) {
    case MR_EV_ACCEPT:
        accept_all(c);
        break;
    case MR_EV_READABLE:
        if (mr_sock_eq(ev->sock, c->udp))
            echo_datagrams(c);
        else if (ev->user != NULL)
            pump(c, ev->user);
        break;
    case MR_EV_WRITABLE:
        if (ev->user != NULL)
            pump(c, ev->user);
        break;
    case MR_EV_CLOSED:
        c->aborted += ev->err != MR_OK;
        if (ev->user != NULL)
            conn_put(c, ev->user);
        break;
    case MR_EV_CONNECTED:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
    case MR_EV_TIMER:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        break;
    }
}

static int echo_init(struct mr *m, void *arg, void **core_state)
{
    struct options *o = arg;
    struct mr_addr at = mr_addr4(0, 0, 0, 0, (uint16_t)o->port);
    struct core *c = calloc(1, sizeof(*c));
    int err;

    if (c == NULL)
        return MR_ENOMEM;
    c->m = m;
    tool_pool_init(&c->slices, sizeof(struct echo_slice));
    tool_pool_init(&c->conns, sizeof(struct conn));
    c->next = o->cores;
    o->cores = c;
    err = mr_listen(m, &at, NULL, &c->listener);
    if (err == MR_OK)
        mr_setopt(m, c->listener, MR_NODELAY, 1);
    if (err == MR_OK && !o->no_udp)
        err = mr_udp_open(m, &at, NULL, &c->udp);
    if (err != MR_OK) {
        tool_refuse("millrace-echo", "port %u: %s", o->port, mr_strerror(err));
        return err;
    }
    *core_state = c;
    return MR_OK;
}

static void echo_fini(struct mr *m, void *core)
{
    struct core *c = core;

    mr_close(m, c->listener);
    mr_close(m, c->udp);
}

static size_t echo_status(void *core, char *buf, size_t n)
{
    const struct core *c = core;
    struct json j;

    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_u64(&j, "accepted", c->accepted);
    json_u64(&j, "open", c->open);
    json_u64(&j, "bytes", c->bytes);
    json_u64(&j, "datagrams", c->datagrams);
    json_u64(&j, "datagrams_dropped", c->datagrams_dropped);
    json_u64(&j, "aborted", c->aborted);
    json_end(&j);
    return json_fini(&j);
}

static const char usage[] = "usage: millrace-echo [--port N] [--no-udp] [network options]\n"
                            "Sends back what it receives, over TCP and UDP.\n"
                            "  --port N               port of both (default 7)\n"
                            "  --no-udp               TCP only\n";

int main(int argc, char **argv)
{
    struct options o = {.port = 7};
    const struct tool_opt opts[] = {
        {"--port", TOOL_U32, &o.port, 1, 65535},
        {"--no-udp", TOOL_FLAG, &o.no_udp, 0, 0},
    };
    const struct mr_app app = {
        .name = "millrace-echo",
        .arg = &o,
        .init = echo_init,
        .event = echo_event,
        .fini = echo_fini,
        .status = echo_status,
    };
    struct mr_config c;
    int status;

    mr_config_init(&c);
    status = tool_options(&c, argc, argv, opts, sizeof(opts) / sizeof(opts[0]), usage, NULL, NULL);
    if (status != TOOL_GO_ON)
        return status;
    status = tool_exit_code(mr_run(&c, &app));
    cores_free(o.cores);
    return status;
}
