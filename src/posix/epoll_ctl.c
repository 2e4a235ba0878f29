/* epoll_create(2), epoll_ctl(2). */
#include "posix/epoll_int.h"

/* The only bits that go with EPOLLEXCLUSIVE. */
#define EXCLUSIVE_BITS                                                                             \
    (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

/* A kernel's set of which we know nothing yet gets ours beside it.  Its file, held; NULL: there is
 * no room. */
static struct px_file *set_beside(int ep, bool cloexec)
{
    struct px_file *f = (unsigned)ep < PX_FDS ? file_new(PX_EPOLL) : NULL;

    if (!f)
        return NULL;
    f->epoll = set_new(file_index(f));
    if (!f->epoll) {
        file_put(f);
        return NULL;
    }
    f->fd_is_own = true;
    desc_set(ep, f, cloexec);
    return file_get(ep);
}

int px_epoll_create1(int flags)
{
    struct px_file *f;
    int ep;

    if (!px_session)
        return PX_PASS;
    ep = sys_epoll_create1(flags);
    if (ep < 0)
        return ep;
    f = set_beside(ep, flags & EPOLL_CLOEXEC);
    if (f)
        file_put(f);
    else
        desc_set_why(ep, PX_WHY_FULL);
    return ep;
}

/* The set's last descriptor has gone; no other set has it any more.  A file that it watches is
 * found under the set's lock and taken under its own, which comes first: so look again. */
void epoll_closed(struct px_file *sf)
{
    struct px_set *s = set_of(sf);

    while (s) {
        struct px_watch *w;
        struct px_file *f;

        pools_lock(&s->lock);
        w = watch_of(s->watches);
        f = s->watches ? file_of(w->file) : NULL;
        px_unlock(&s->lock);
        if (!f)
            break;
        pools_lock(&f->lock);
        pools_lock(&s->lock);
        if (watch_of(s->watches) == w && s->watches && w->file == file_index(f))
            watch_unlink(s, f, w);
        else
            w = NULL;
        px_unlock(&s->lock);
        px_unlock(&f->lock);
        if (w) {
            listener_alone(f, w->slot, false);
            watch_free(w);
        }
    }
    if (s)
        set_free(s);
    sf->epoll = NULL;
}

/* ---- control -------------------------------------------------------------------------------- */

/* A thread that watches a listener, or what may become one, has connections come to its slot; -1:
 * it has none, and shares one of those that it turns. */
static int slot_for(struct px_file *f, uint64_t *turns)
{
    struct px_inst *i;

    if (f->kind != PX_LISTENER && f->kind != PX_FRESH && f->kind != PX_DGRAM)
        return px_thread.slot - 1;
    i = session_mine();
    if (f->kind == PX_LISTENER)
        listener_open(f, i);
    *turns |= UINT64_C(1) << i->slot;
    return px_thread.slot - 1;
}

static int add(int ep, struct px_set *s, struct px_file *f, int fd, const struct epoll_event *ev)
{
    struct px_watch *w = watch_new(), *had;
    uint64_t turns = 0;
    int slot = slot_for(f, &turns), rc = 0;

    if (!w)
        return -ENOSPC;
    *w = (struct px_watch){.fd = fd, .slot = slot, .want = *ev, .armed = true};
    pools_lock(&f->lock);
    had = watch_find(s, f, fd);
    if (!had) {
        pools_lock(&s->lock);
        watch_link(s, f, w);
        px_unlock(&s->lock);
        if (f->both || f->kind == PX_EPOLL)
            rc = kernel_add(ep, w);
        if (rc < 0) {
            pools_lock(&s->lock);
            watch_unlink(s, f, w);
            px_unlock(&s->lock);
        }
    }
    px_unlock(&f->lock);
    if (had || rc < 0) {
        watch_free(w);
        return had ? -EEXIST : rc;
    }
    if (f->kind == PX_CONN || f->kind == PX_DGRAM)
        atomic_fetch_or(&s->slots, UINT64_C(1) << f->slot);
    if (slot >= 0)
        turns |= UINT64_C(1) << slot;
    atomic_fetch_or(&s->slots, turns);
    listener_alone(f, slot, true);
    watch_check(s, f, w);
    wait_kick(atomic_load(&file_of(s->file)->waiters));
    return 0;
}

static int modify(int ep, struct px_set *s, struct px_file *f, int fd, const struct epoll_event *ev)
{
    struct px_watch *w;
    int rc = -ENOENT;

    pools_lock(&f->lock);
    w = watch_find(s, f, fd);
    if (w && w->want.events & EPOLLEXCLUSIVE) {
        rc = -EINVAL;
    } else if (w) {
        pools_lock(&s->lock);
        w->want = *ev;
        w->armed = true;
        px_unlock(&s->lock);
        rc = w->kernel ? kernel_mod(ep, w) : 0;
    }
    px_unlock(&f->lock);
    if (rc == 0)
        watch_check(s, f, w);
    return rc;
}

static int delete (int ep, struct px_set *s, struct px_file *f, int fd)
{
    struct epoll_event none = {0};
    struct px_watch *w;

    pools_lock(&f->lock);
    w = watch_find(s, f, fd);
    if (w) {
        pools_lock(&s->lock);
        watch_unlink(s, f, w);
        px_unlock(&s->lock);
        if (w->kernel && sys_epoll_ctl(ep, EPOLL_CTL_DEL, fd, &none) == 0)
            atomic_fetch_sub(&s->kernel, 1);
    }
    px_unlock(&f->lock);
    if (!w)
        return -ENOENT;
    listener_alone(f, w->slot, false);
    watch_free(w);
    return 0;
}

/* In the order in which the kernel looks. */
static int ctl_ours(int ep, struct px_file *sf, int op, int fd, struct px_file *f,
                    const struct epoll_event *ev)
{
    struct px_set *s = set_of(sf);

    if (f == sf)
        return -EINVAL;
    if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE &&
        (op == EPOLL_CTL_MOD || f->kind == PX_EPOLL || ev->events & ~(uint32_t)EXCLUSIVE_BITS))
        return -EINVAL;
    switch (op) {
    case EPOLL_CTL_ADD:
        return add(ep, s, f, fd, ev);
    case EPOLL_CTL_MOD:
        return modify(ep, s, f, fd, ev);
    case EPOLL_CTL_DEL:
        return delete (ep, s, f, fd);
    default:
        return -EINVAL;
    }
}

static int ctl_kernel(int ep, struct px_file *sf, int op, int fd, struct epoll_event *ev)
{
    int rc = sys_epoll_ctl(ep, op, fd, ev);

    if (rc == 0 && sf && sf->kind == PX_EPOLL && op != EPOLL_CTL_MOD) {
        atomic_fetch_add(&set_of(sf)->kernel, op == EPOLL_CTL_ADD ? 1 : -1);
        if (op == EPOLL_CTL_ADD)
            wait_kick(atomic_load(&sf->waiters));
    }
    return rc;
}

/* The set's file; what is not known as one may be the kernel's, made before the session was joined
 * or come in a message.  NULL: it is no set, *rc says how the kernel puts it. */
static struct px_file *set_get(int ep, int fd, int *rc)
{
    struct epoll_event none = {0};
    struct px_file *sf = file_get(ep);

    if (sf && sf->kind == PX_EPOLL)
        return sf;
    *rc = -EINVAL;
    if (sf) {
        file_put(sf);
        return NULL;
    }
    *rc = sys_epoll_ctl(ep, EPOLL_CTL_MOD, fd, &none);
    if (*rc == -ENOENT)
        sf = set_beside(ep, sys_fcntl(ep, F_GETFD, 0) & FD_CLOEXEC);
    return sf;
}

int px_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    struct px_file *f, *sf;
    struct epoll_event copy = {0};
    int rc = -EBADF;

    if (!px_session)
        return PX_PASS;
    if (op != EPOLL_CTL_DEL && !ev)
        return -EFAULT;
    if (session_hides(fd) || session_hides(ep))
        return -EBADF;
    f = file_get(fd);
    if (!f) {
        sf = file_get(ep);
        rc = ctl_kernel(ep, sf, op, fd, ev);
        if (sf)
            file_put(sf);
        return rc;
    }
    if (op != EPOLL_CTL_DEL)
        copy = *ev;
    sf = set_get(ep, fd, &rc);
    if (sf) {
        rc = ctl_ours(ep, sf, op, fd, f, &copy);
        file_put(sf);
    }
    file_put(f);
    return rc;
}
