/* The kernel's side of an epoll set. */
#include "posix/epoll_int.h"

static bool is_token(uint64_t data)
{
    return data >> 32 == px_session->pools->token;
}

static struct epoll_event kernel_event(const struct px_watch *w)
{
    struct epoll_event ev = {.events = w->want.events & ~(uint32_t)EPOLLWAKEUP};

    ev.data.u64 = (uint64_t)px_session->pools->token << 32 | watch_index(w);
    return ev;
}

int kernel_add(int ep, struct px_watch *w)
{
    struct epoll_event ev = kernel_event(w);
    int rc = sys_epoll_ctl(ep, EPOLL_CTL_ADD, w->fd, &ev);

    if (rc == 0) {
        w->kernel = true;
        atomic_fetch_add(&set_of(file_of(w->epoll))->kernel, 1);
    }
    return rc;
}

int kernel_mod(int ep, struct px_watch *w)
{
    struct epoll_event ev = kernel_event(w);

    return sys_epoll_ctl(ep, EPOLL_CTL_MOD, w->fd, &ev);
}

/* A descriptor of this process that names the file, or -1. */
static int fd_of(const struct px_file *f)
{
    int fd = atomic_load_explicit(&f->named, memory_order_relaxed);
    uint32_t n = atomic_load(&px_proc->fds);

    if (fd >= 0 && file_peek(fd) == f)
        return fd;
    for (fd = 0; (uint32_t)fd < n; fd++)
        if (file_peek(fd) == f)
            return fd;
    return -1;
}

/* The watch becomes the kernel's alone, with the program's data. */
static void hand_over(struct px_watch *w)
{
    struct px_file *sf = file_of(w->epoll);
    struct epoll_event ev = w->want;
    int ep = fd_of(sf);

    if (ep < 0)
        return;
    if (!w->armed)
        ev.events &= EP_PRIVATE; /* told once: silent until it is modified */
    if (w->kernel)
        sys_epoll_ctl(ep, EPOLL_CTL_DEL, w->fd, &ev);
    if (sys_epoll_ctl(ep, EPOLL_CTL_ADD, w->fd, &ev) == 0 && !w->kernel)
        atomic_fetch_add(&set_of(sf)->kernel, 1);
    wait_kick(atomic_load(&sf->waiters));
}

void wait_forget(struct px_file *f, bool kernel)
{
    bool mine = px_lock_is_mine(&f->lock);

    if (!mine)
        pools_lock(&f->lock);
    for (;;) {
        uint32_t k = atomic_load_explicit(&f->watches, memory_order_relaxed);
        struct px_watch *w = watch_of(k);
        struct px_set *s;

        if (k == 0)
            break;
        s = set_of(file_of(w->epoll));
        pools_lock(&s->lock);
        watch_unlink(s, f, w);
        px_unlock(&s->lock);
        if (kernel)
            hand_over(w);
        else if (w->kernel)
            atomic_fetch_sub(&s->kernel, 1);
        watch_free(w);
    }
    if (!mine)
        px_unlock(&f->lock);
}

void wait_kernel_too(struct px_file *f)
{
    bool mine = px_lock_is_mine(&f->lock);

    if (!mine)
        pools_lock(&f->lock);
    for (uint32_t k = atomic_load_explicit(&f->watches, memory_order_relaxed); k;
         k = watch_of(k)->next_of_file) {
        struct px_watch *w = watch_of(k);
        int ep = w->kernel ? -1 : fd_of(file_of(w->epoll));

        if (ep >= 0 && kernel_add(ep, w) == 0)
            wait_kick(atomic_load(&file_of(w->epoll)->waiters));
    }
    if (!mine)
        px_unlock(&f->lock);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The kernel's word on a descriptor that is both.  What ours said of it in the same answer gets the
 * bits; one that was told once (EPOLLONESHOT) is silent on both sides.  True: ev[n] is to stay. */
static bool merge(struct px_set *s, struct epoll_event *ev, int n, int ours, uint32_t round)
{
    uint32_t k = (uint32_t)ev[n].data.u64;
    struct px_watch *w = watch_of(k);
    bool stays = false;

    if (k == 0 || k >= PX_WATCHES)
        return false;
    pools_lock(&s->lock);
    if (w->epoll == s->file && w->kernel) {
        if (w->round == round && w->at < (uint32_t)ours) {
            ev[w->at].events |= ev[n].events;
        } else if (w->armed) {
            ev[n].data = w->want.data;
            stays = true;
        }
        if (w->want.events & EPOLLONESHOT)
            w->armed = false;
    }
    px_unlock(&s->lock);
    return stays;
}

int kernel_gather(struct px_set *s, int ep, struct epoll_event *ev, int n, int max, uint32_t round)
{
    int got = sys_epoll_wait(ep, ev + n, max - n, 0), ours = n;

    if (got < 0)
        return n ? n : got == -EINTR ? 0 : got;
    for (int k = 0; k < got; k++) {
        ev[n] = ev[ours + k];
        if (!is_token(ev[n].data.u64) || merge(s, ev, n, ours, round))
            n++;
    }
    return n;
}
