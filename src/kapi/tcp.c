/* TCP: listening, accepting, connecting, and what epoll says about them. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kapi/kapi_int.h"

#define BACKLOG_DEFAULT 1024

static void set_on(int fd, int level, int name)
{
    int on = 1;

    setsockopt(fd, level, name, &on, sizeof(on));
}

/* A TCP socket bound to local, if there is one; shared: other cores have one there, too.  The
 * descriptor, or an error. */
static int tcp_socket(const struct mr_addr *local, const struct mr_addr *family_of, bool shared)
{
    struct sockaddr_storage a;
    socklen_t n = kapi_to_sockaddr(&a, local != NULL ? local : family_of);
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return kapi_err(errno);
    set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    if (shared)
        set_on(fd, SOL_SOCKET, SO_REUSEPORT);
    set_on(fd, SOL_SOCKET, SO_OOBINLINE);
    if (local == NULL)
        return fd;
    if (local->port == 0)
        set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (bind(fd, (struct sockaddr *)&a, n) != 0) {
        int err = kapi_err(errno);
        close(fd);
        return err;
    }
    return fd;
}

int kapi_listen(struct mr *m, const struct mr_addr *local, const struct mr_listen_opts *opts,
                mr_sock *out)
{
    struct kapi *k = kapi_of(m);
    uint32_t backlog = opts != NULL && opts->backlog != 0 ? opts->backlog : BACKLOG_DEFAULT;
    struct ksock *s;
    int fd, err;

    if (local->port == 0)
        return MR_EINVAL;
    if (m->cores > 1 && ktown_has(k, local))
        return MR_EADDRINUSE;
    fd = tcp_socket(local, NULL, m->cores > 1);
    if (fd < 0)
        return fd;
    if (listen(fd, backlog > INT32_MAX ? INT32_MAX : (int)backlog) != 0) {
        err = kapi_err(errno);
        close(fd);
        return err;
    }
    err = ksock_new(k, fd, KSOCK_LISTENER, opts != NULL ? opts->user : NULL, &s);
    if (err != MR_OK)
        return err;
    s->listen = *local;
    *out = ksock_handle(k, s);
    return m->cores > 1 && opts != NULL && opts->every_core ? ktown_listen(k, s, opts) : MR_OK;
}

/* No edge will come for connections that already wait, so the listener is told
 * again when a slot comes free. */
static int starve(struct kapi *k, struct ksock *l)
{
    if (!l->starved)
        kqueue_push(&k->starved, ksock_handle(k, l).v);
    l->starved = true;
    return MR_ENOMEM;
}

int kapi_accept(struct mr *m, mr_sock listener, mr_sock *out, struct mr_addr *peer)
{
    struct kapi *k = kapi_of(m);
    struct ksock *l = ksock_get(k, listener, KSOCK_LISTENER);
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    struct ksock *s;
    int fd, err;

    if (l == NULL)
        return MR_EBADF;
    if (k->live_socks == k->max_socks)
        return starve(k, l);
    do {
        fd = accept4(l->fd, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == ECONNABORTED || errno == EINTR || errno == EPROTO));
    if (fd < 0) {
        err = kapi_err(errno);
        return err == MR_ENOMEM || err == MR_ENOBUFS ? starve(k, l) : err;
    }
    err = ksock_new(k, fd, KSOCK_TCP, l->user, &s);
    if (err != MR_OK)
        return err;
    s->nodelay = l->nodelay;
    k->count.accepts++;
    if (peer != NULL)
        kapi_from_sockaddr(peer, &a);
    *out = ksock_handle(k, s);
    return MR_OK;
}

int kapi_connect(struct mr *m, const struct mr_addr *local, const struct mr_addr *remote,
                 void *user, mr_sock *out)
{
    struct kapi *k = kapi_of(m);
    struct sockaddr_storage a;
    socklen_t n = kapi_to_sockaddr(&a, remote);
    int fd = tcp_socket(local, remote, false);
    struct ksock *s;
    int err;

    if (fd < 0)
        return fd;
    if (connect(fd, (struct sockaddr *)&a, n) != 0 && errno != EINPROGRESS) {
        err = kapi_err(errno);
        /* Over loopback the refusal is there at once; elsewhere it comes as an event. */
        if (err != MR_ECONNREFUSED) {
            close(fd);
            return err;
        }
    } else {
        err = MR_OK;
    }
    n = (socklen_t)ksock_new(k, fd, KSOCK_TCP, user, &s);
    if ((int)n != MR_OK)
        return (int)n;
    k->count.connects++;
    s->connecting = true;
    if (err != MR_OK)
        ksock_fail(k, s, err);
    *out = ksock_handle(k, s);
    return MR_OK;
}

static void connecting_event(struct kapi *k, struct ksock *s, uint32_t mask)
{
    if (mask & (EPOLLERR | EPOLLHUP)) {
        int err = ksock_pending_error(s);
        ksock_fail(k, s, err != MR_OK ? err : MR_ECONNRESET);
    } else if (mask & EPOLLOUT) {
        s->connecting = false;
        ksock_note(k, s, MR_EV_CONNECTED);
        if (s->out != NULL || s->fin_asked)
            ksock_mark_dirty(k, s);
    }
}

static void urgent_event(struct kapi *k, struct ksock *s, uint32_t mask)
{
    if ((mask & EPOLLPRI) && !s->urgent)
        ksock_note(k, s, MR_EV_URGENT);
    s->urgent = (mask & EPOLLPRI) != 0;
    s->oob = s->oob || s->urgent;
}

void ksock_tcp_event(struct kapi *k, struct ksock *s, uint32_t mask)
{
    if (s->closed_said)
        return;
    if (s->connecting)
        connecting_event(k, s, mask);
    if (s->connecting || s->closed_said)
        return;
    urgent_event(k, s, mask);
    s->rdhup = s->rdhup || (mask & EPOLLRDHUP) != 0;
    s->drained = false;
    if ((mask & EPOLLIN) && !s->eof && !s->orphan)
        ksock_note(k, s, MR_EV_READABLE);
    if ((mask & EPOLLOUT) && s->blocked) {
        s->blocked = false;
        ksock_mark_dirty(k, s);
    }
    if (mask & EPOLLERR) {
        int err = ksock_pending_error(s);
        if (err != MR_OK)
            ksock_fail(k, s, err);
    }
    if (mask & EPOLLHUP)
        ksock_check_finished(k, s);
    if (s->orphan)
        ksock_mark_dirty(k, s);
}
