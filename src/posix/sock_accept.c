/* accept4(2): from the own slot, then from slots that nobody accepts from, then from the kernel. */
#include "posix/sock_int.h"

struct accepting {
    int fd, flags;
    struct sockaddr *a; /* the program's; may be NULL */
    socklen_t *n;
};

/* Is there something to take?  Before a descriptor is made for it. */
static uint64_t slots_pending(const struct px_file *f)
{
    return atomic_load(&f->listen->pending) & listener_slots(f);
}

static void still_pending(struct px_file *f, unsigned slot)
{
    int64_t left = 0;

    if (mr_getopt(inst_mr(&px_session->inst[slot]), f->listen->sock[slot], MR_RCVQ, &left) ||
        left == 0)
        atomic_fetch_and(&f->listen->pending, ~(UINT64_C(1) << slot));
}

static bool take_in(struct px_file *f, struct px_file *conn, unsigned slot)
{
    struct px_inst *i = &px_session->inst[slot];
    mr_sock s = MR_SOCK_NONE;
    bool got = false;

    inst_enter(i);
    if (atomic_load(&f->listen->open) >> slot & 1) {
        got = mr_accept(inst_mr(i), f->listen->sock[slot], &s, &conn->peer) == 0;
        still_pending(f, slot);
    }
    if (got) {
        opts_inherit(conn, f);
        conn->told = true;
        conn_attach(conn, i, s, PX_CONNECTED);
        port_count(conn);
    }
    inst_leave(i);
    return got;
}

static bool take_any(struct px_file *f, struct px_file *conn)
{
    unsigned mine = px_thread.slot ? (unsigned)px_thread.slot - 1 : PX_SLOTS_MAX;
    uint64_t slots = slots_pending(f);

    if (mine < PX_SLOTS_MAX && (slots >> mine & 1) && take_in(f, conn, mine))
        return true;
    for (unsigned slot = 0; slot < px_session->slots; slot++)
        if (slot != mine && (slots >> slot & 1) && take_in(f, conn, slot))
            return true;
    return false;
}

static int give_address(const struct px_file *conn, const struct accepting *x)
{
    return x->a ? addr_give(conn, &conn->peer, x->a, x->n) : 0;
}

/* The descriptor and the file come first: for want of them nothing is taken off the queue. */
static ssize_t take_ours(struct px_file *f, const struct accepting *x)
{
    int fd = desc_placeholder(x->flags & SOCK_CLOEXEC), rc;

    if (fd < 0)
        return fd;
    struct px_file *conn = file_new(PX_CONN);
    if (!conn) {
        sys_close(fd);
        return -ENFILE;
    }
    conn->family = f->family;
    conn->type = SOCK_STREAM;
    conn->protocol = IPPROTO_TCP;
    atomic_store(&conn->flags, x->flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    if (!take_any(f, conn)) {
        sys_close(fd);
        file_put(conn);
        return -EAGAIN;
    }
    rc = give_address(conn, x);
    desc_set(fd, conn, x->flags & SOCK_CLOEXEC);
    if (rc)
        px_close(fd);
    return rc ? rc : fd;
}

static ssize_t take_kernels(const struct accepting *x)
{
    int fd = sys_accept4(x->fd, x->a, x->n, x->flags);

    if (fd >= 0)
        desc_set_why(fd, PX_WHY_LOCAL);
    return fd;
}

static ssize_t attempt(struct px_file *f, void *arg)
{
    struct accepting *x = arg;
    ssize_t rc = -EAGAIN;

    if (f->kind != PX_LISTENER)
        return -EINVAL; /* shut down meanwhile */
    if (slots_pending(f))
        rc = take_ours(f, x);
    if (rc == -EAGAIN && f->both)
        rc = take_kernels(x);
    return rc;
}

ssize_t wait_both(int fd, struct px_file *f, short events, bool nonblock, int64_t timeout_us,
                  ssize_t (*try_it)(struct px_file *f, void *arg), void *arg)
{
    ssize_t rc = try_it(f, arg);
    struct px_wait w;

    if (rc != -EAGAIN || nonblock)
        return rc;
    wait_begin(&w, timeout_us, timeout_us < 0);
    wait_arm(&w, f);
    while ((rc = try_it(f, arg)) == -EAGAIN) {
        struct pollfd p = {.fd = fd, .events = events};
        int kernel = 0, err = wait_sleep(&w, -1, f->both ? &p : NULL, f->both, &kernel);
        if (err) {
            rc = err == -ETIMEDOUT ? -EAGAIN : err;
            break;
        }
    }
    wait_disarm(&w, f);
    wait_end(&w);
    return rc;
}

/* What the port has for us may not have been looked at yet. */
static void look(struct px_file *f, struct px_inst *i)
{
    listener_open(f, i);
    if (slots_pending(f))
        return;
    inst_enter(i);
    inst_settle(i);
    inst_leave(i);
}

static int accept_file(struct px_file *f, struct accepting *x)
{
    if (f->kind == PX_EPOLL)
        return PX_PASS;
    if (x->flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (f->kind == PX_DGRAM)
        return -EOPNOTSUPP;
    if (f->kind != PX_LISTENER)
        return -EINVAL;
    if (x->a && !x->n)
        return -EFAULT;
    look(f, session_mine());
    return (int)wait_both(x->fd, f, POLLIN, file_nonblock(f, 0), timeout_of(f->opts.rcvtimeo_us),
                          attempt, x);
}

int px_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
    struct accepting x = {fd, flags, a, n};
    struct px_file *f = file_get(fd);

    if (!f)
        return PX_PASS;
    int rc = accept_file(f, &x);
    file_put(f);
    return rc;
}
