/* Descriptors: made, named, connected, closed. */
#include <string.h>

#include "calls_int.h"

#define SERVER_PORT 8080
#define FD_UNNAMED 999 /* accept() = ... */

enum call_status call_socket(struct app *a, struct fd *f, const struct call_spec *c,
                             struct call_state *st, struct call_result *r)
{
    int64_t type = arg_number(c, 1);

    (void)f, (void)st;
    if (c->result <= 0 || app_fd(a, c->result) != NULL)
        return call_bad(a, "socket() must return a new descriptor number");
    for (int i = 0; i < FDS_MAX; i++) {
        if (a->fds[i].number != 0)
            continue;
        a->fds[i] = (struct fd){
            .number = (int)c->result,
            .is_udp = (type & 3) == 2,
            .nonblock = (type & SCN_O_NONBLOCK) != 0,
        };
        return call_done(r, c->result);
    }
    return call_bad(a, "too many descriptors");
}

static struct mr_addr addr_of(const struct call_spec *c, int i, struct mr_addr dflt)
{
    const struct call_arg *arg = &c->args[i];

    if (i >= c->nargs || arg->kind != ARG_ADDR)
        return dflt;
    return mr_addr4((uint8_t)(arg->ip >> 24), (uint8_t)(arg->ip >> 16), (uint8_t)(arg->ip >> 8),
                    (uint8_t)arg->ip, arg->port);
}

void fd_apply_opts(struct app *a, struct fd *f)
{
    for (int i = 0; i < f->nopts; i++)
        (void)mr_setopt(a->m, f->sock, f->opts[i].opt, f->opts[i].value);
    f->nopts = 0;
}

bool fd_open_udp(struct app *a, struct fd *f, struct call_result *r)
{
    int e;

    if (f->has_sock)
        return true;
    e = mr_udp_open(a->m, f->bound ? &f->local : NULL, NULL, &f->sock);
    if (e != 0)
        return call_done(r, e), false;
    f->has_sock = true;
    fd_apply_opts(a, f);
    return true;
}

enum call_status call_bind(struct app *a, struct fd *f, const struct call_spec *c,
                           struct call_state *st, struct call_result *r)
{
    struct mr_addr any = a->local;

    (void)st;
    any.port = SERVER_PORT;
    f->local = addr_of(c, 1, any);
    f->bound = true;
    if (!f->is_udp)
        return call_done(r, 0);
    if (!fd_open_udp(a, f, r))
        return CALL_DONE;
    a->listened_port = f->local.port;
    a->listened_udp = true;
    return call_done(r, 0);
}

enum call_status call_listen(struct app *a, struct fd *f, const struct call_spec *c,
                             struct call_state *st, struct call_result *r)
{
    struct mr_listen_opts opts = {.backlog = (uint32_t)arg_number(c, 1)};
    int e;

    (void)st;
    if (!f->bound)
        return call_bad(a, "listen() without bind()");
    e = mr_listen(a->m, &f->local, &opts, &f->sock);
    if (e != 0)
        return call_done(r, e);
    f->has_sock = f->listening = true;
    fd_apply_opts(a, f);
    a->listened_port = f->local.port;
    a->listened_udp = false;
    return call_done(r, 0);
}

enum call_status call_accept(struct app *a, struct fd *f, const struct call_spec *c,
                             struct call_state *st, struct call_result *r)
{
    struct mr_addr peer;
    struct call_spec made = {.result = c->any_result ? FD_UNNAMED : c->result};
    struct call_result number;
    struct fd *n;
    mr_sock s;
    int e;

    if (!f->listening)
        return call_done(r, MR_EINVAL);
    e = mr_accept(a->m, f->sock, &s, &peer);
    if (e == MR_EAGAIN) {
        f->accept_ready = false;
        return call_again(f, c, r);
    }
    if (e != 0)
        return call_done(r, e);
    if (!c->any_result && c->result <= 0)
        return call_bad(a, "accept() found a connection");
    if (call_socket(a, NULL, &made, st, &number) != CALL_DONE)
        return CALL_BAD;
    n = app_fd(a, made.result);
    n->sock = s;
    n->has_sock = n->connected = true;
    n->peer = peer;
    a->last = n;
    return call_done(r, made.result);
}

static enum call_status connect_start(struct app *a, struct fd *f, const struct call_spec *c,
                                      struct call_result *r)
{
    struct mr_addr any = a->remote;
    int e;

    any.port = SERVER_PORT;
    f->peer = addr_of(c, 1, any);
    if (f->is_udp) {
        f->connected = fd_open_udp(a, f, r);
        return f->connected ? call_done(r, 0) : CALL_DONE;
    }
    e = mr_connect(a->m, f->bound ? &f->local : NULL, &f->peer, NULL, &f->sock);
    if (e != 0)
        return call_done(r, e);
    f->has_sock = f->connecting = true;
    a->connected_now = true;
    a->last = f;
    fd_apply_opts(a, f);
    return f->nonblock ? call_done(r, MR_EINPROGRESS) : CALL_WAIT;
}

enum call_status call_connect(struct app *a, struct fd *f, const struct call_spec *c,
                              struct call_state *st, struct call_result *r)
{
    if (st->done == 0 && f->connecting)
        return call_done(r, MR_EALREADY);
    if (st->done == 0 && f->connected)
        return call_done(r, MR_EISCONN);
    if (st->done == 0) {
        st->done = 1;
        return connect_start(a, f, c, r);
    }
    if (f->connecting)
        return CALL_WAIT;
    return call_done(r, f->closed && !f->connected ? f->closed_err : 0);
}

enum call_status call_close(struct app *a, struct fd *f, const struct call_spec *c,
                            struct call_state *st, struct call_result *r)
{
    int e = f->has_sock ? mr_close(a->m, f->sock) : 0;

    (void)c, (void)st;
    if (a->last == f)
        a->last = NULL;
    f->number = 0;
    return call_done(r, e);
}

enum call_status call_abort(struct app *a, struct fd *f, const struct call_spec *c,
                            struct call_state *st, struct call_result *r)
{
    int e = f->has_sock ? mr_abort(a->m, f->sock) : 0;

    (void)c, (void)st;
    if (a->last == f)
        a->last = NULL;
    f->number = 0;
    return call_done(r, e);
}

enum call_status call_shutdown(struct app *a, struct fd *f, const struct call_spec *c,
                               struct call_state *st, struct call_result *r)
{
    int64_t how = arg_number(c, 1);

    (void)st;
    if (!f->has_sock)
        return call_done(r, MR_ENOTCONN);
    /* Closing the reading half is between a program and its socket: nothing is sent. */
    if (how != 1)
        f->read_shut = true;
    return call_done(r, how != 0 ? mr_shutdown(a->m, f->sock) : 0);
}
