#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/types.h"
#include "calls_int.h"
#include "parse.h"

static const struct {
    const char *name;
    call_fn fn;
    bool needs_fd;
} calls[] = {
    {"socket", call_socket, false},
    {"bind", call_bind, true},
    {"listen", call_listen, true},
    {"accept", call_accept, true},
    {"connect", call_connect, true},
    {"close", call_close, true},
    {"mr_abort", call_abort, true},
    {"shutdown", call_shutdown, true},
    {"read", call_recv, true},
    {"readv", call_recv, true},
    {"recv", call_recv, true},
    {"recvfrom", call_recv, true},
    {"recvmsg", call_recv, true},
    {"write", call_send, true},
    {"writev", call_send, true},
    {"send", call_send, true},
    {"sendto", call_send, true},
    {"sendmsg", call_send, true},
    {"mr_give", call_give, true},
    {"mr_released", call_released, false},
    {"setsockopt", call_setsockopt, true},
    {"getsockopt", call_getsockopt, true},
    {"fcntl", call_fcntl, true},
    {"ioctl", call_ioctl, true},
    {"poll", call_poll, false},
    {"mr_event", call_event, true},
};

enum call_status call_bad(struct app *a, const char *how, ...)
{
    va_list args;

    va_start(args, how);
    vsnprintf(a->why, sizeof(a->why), how, args);
    va_end(args);
    return CALL_BAD;
}

enum call_status call_done(struct call_result *r, int64_t value)
{
    *r = value < 0 ? (struct call_result){.value = -1, .err = (int)-value}
                   : (struct call_result){.value = value};
    return CALL_DONE;
}

enum call_status call_again(const struct fd *f, const struct call_spec *c, struct call_result *r)
{
    bool dontwait = c->nargs > 3 && c->args[3].kind == ARG_NUMBER &&
                    (c->args[3].number & SCN_MSG_DONTWAIT) != 0;

    return f->nonblock || dontwait ? call_done(r, MR_EAGAIN) : CALL_WAIT;
}

int64_t arg_number(const struct call_spec *c, int i)
{
    return i < c->nargs && c->args[i].kind == ARG_NUMBER ? c->args[i].number : 0;
}

int64_t arg_value(const struct call_spec *c, int i)
{
    if (i < c->nargs && c->args[i].kind == ARG_LIST && c->args[i].nlist > 0)
        return c->args[i].list[0];
    return arg_number(c, i);
}

struct fd *app_fd(struct app *a, int64_t number)
{
    for (int i = 0; i < FDS_MAX && number > 0; i++)
        if (a->fds[i].number == number)
            return &a->fds[i];
    return NULL;
}

enum call_status call_try(struct app *a, const struct call_spec *c, struct call_state *st,
                          struct call_result *r)
{
    struct fd *f = app_fd(a, arg_number(c, 0));

    if (!st->started) {
        st->started = true;
        st->start_us = mr_now_us(a->m);
    }
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (strcmp(c->name, calls[i].name) != 0)
            continue;
        if (calls[i].needs_fd && f == NULL)
            return call_done(r, MR_EBADF);
        return calls[i].fn(a, f, c, st, r);
    }
    return call_bad(a, "unknown call '%s'", c->name);
}

void app_event(struct app *a, const struct mr_event *ev)
{
    for (int i = 0; i < FDS_MAX; i++) {
        struct fd *f = &a->fds[i];

        if (f->number == 0 || !f->has_sock || !mr_sock_eq(f->sock, ev->sock))
            continue;
        f->events |= 1u << ev->type;
        f->accept_ready |= ev->type == MR_EV_ACCEPT;
        f->readable |= ev->type == MR_EV_READABLE;
        f->connected |= ev->type == MR_EV_CONNECTED;
        if (ev->type == MR_EV_WRITABLE)
            f->write_blocked = false;
        if (ev->type == MR_EV_SOFT_ERROR)
            f->soft_err = ev->err;
        if (ev->type == MR_EV_CLOSED) {
            f->closed = true;
            f->closed_err = ev->err;
        }
        if (ev->type == MR_EV_CONNECTED || ev->type == MR_EV_CLOSED)
            f->connecting = false;
    }
}
