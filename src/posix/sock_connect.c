/* connect(2): whose a connection is, and how it begins. */
#include "posix/sock_int.h"

static enum px_why why_of(enum addr_kind kind, const struct mr_addr *to)
{
    switch (kind) {
    case ADDR_OURS:
        return PX_WHY_OURS;
    case ADDR_V4:
        return session_route(addr_v4(to));
    case ADDR_WILDCARD: /* Linux: this host, by its loopback */
        return PX_WHY_LOOPBACK;
    case ADDR_V6:
    case ADDR_UNSPEC:
    case ADDR_BAD:
        break;
    }
    return PX_WHY_FAMILY;
}

/* ---- the kernel's ---------------------------------------------------------------------------- */

/* Bound to our address it cannot reach what is not ours: there is no way from here to there. */
static int leave(struct px_file *f, enum px_why why)
{
    if (f->bound && !f->kernel_bound && !addr_is_any(&f->local))
        return -ENETUNREACH;
    file_to_kernel(f, why);
    return PX_PASS;
}

/* ---- ours ------------------------------------------------------------------------------------ */

static int begin_in(struct px_file *f, struct px_inst *i, const struct mr_addr *to)
{
    struct mr_addr from = f->bound ? f->local : addr_any(0);
    mr_sock s;

    if (addr_v4(to) == addr_v4(&px_session->net.addr))
        port_open_for(to, i);
    int rc = mr_connect(inst_mr(i), &from, to, f, &s);
    if (rc)
        return rc == MR_ENOMEM ? -EADDRNOTAVAIL : rc;
    opts_apply(f, inst_mr(i), s);
    f->peer = *to;
    f->shut = 0;
    f->err = 0;
    f->told = false;
    conn_attach(f, i, s, PX_CONNECTING);
    return 0;
}

static void forget_socket(struct px_file *f)
{
    struct px_inst *i = file_inst(f);

    if (!f->sock.v)
        return;
    (void)mr_abort(inst_mr(i), f->sock);
    f->sock = MR_SOCK_NONE;
    atomic_fetch_sub_explicit(&i->files, 1, memory_order_relaxed);
}

/* Bound if it was bound.  A port that was chosen is still shown. */
void conn_disconnect(struct px_file *f)
{
    bool open = f->state == PX_CONNECTING || f->state == PX_CONNECTED;

    forget_socket(f);
    f->state = PX_IDLE;
    f->shut = 0;
    f->err = open ? ECONNRESET : 0;
    f->peer = addr_any(0);
    if (!f->bound || f->kernel_bound)
        f->local = addr_any(f->port ? f->port : f->local.port);
    file_refresh(f);
}

static int begin(struct px_file *f, int fd, const struct mr_addr *to)
{
    /* A second attempt stays where the first was made, unless that has gone. */
    struct px_inst *i = f->kind == PX_CONN ? file_inst(f) : session_any();
    int rc;

    inst_enter(i);
    if (f->kind == PX_CONN && f->state != PX_IDLE)
        rc = -EALREADY; /* another thread was first */
    else
        rc = begin_in(f, i, to);
    if (rc == 0)
        i->unsent = true;
    inst_leave(i);
    if (rc == 0)
        desc_set_why(fd, PX_WHY_OURS);
    return rc;
}

static ssize_t attempt(struct px_file *f, void *arg)
{
    (void)arg;
    switch ((enum px_state)f->state) {
    case PX_CONNECTING:
        return -EAGAIN;
    case PX_CONNECTED:
        f->told = true;
        return 0;
    case PX_FAILED: {
        int err = err_take(f);
        conn_disconnect(f);
        f->err = 0;
        return err ? -err : -ECONNABORTED;
    }
    case PX_OVER: /* came, and has gone already: what it brought is there to be read, then why */
        f->told = true;
        return 0;
    case PX_IDLE:
        break;
    }
    return -ECONNABORTED;
}

static int wait_connected(struct px_file *f, int late)
{
    ssize_t rc = wait_for(f, false, timeout_of(f->opts.sndtimeo_us), attempt, NULL);

    return rc == -EAGAIN ? late : (int)rc;
}

/* ---- by state, as __inet_stream_connect ------------------------------------------------------ */

static int again(struct px_file *f)
{
    struct px_inst *i = file_inst(f);
    int rc = 0;

    switch ((enum px_state)f->state) {
    case PX_CONNECTING:
        return file_nonblock(f, 0) ? -EALREADY : wait_connected(f, -EALREADY);
    case PX_FAILED:
        inst_enter(i);
        rc = (int)attempt(f, NULL);
        inst_leave(i);
        return rc;
    case PX_CONNECTED:
        if (f->told)
            break;
        f->told = true; /* the first to ask hears of it */
        return 0;
    case PX_OVER:
    case PX_IDLE:
        break;
    }
    return -EISCONN;
}

static int unspec(struct px_file *f, int fd)
{
    struct px_inst *i;

    if (f->kind == PX_LISTENER)
        return listener_stop(f, fd);
    if (f->kind != PX_CONN)
        return 0;
    i = file_inst(f);
    inst_enter(i);
    conn_disconnect(f);
    inst_leave(i);
    return 0;
}

static int connect_stream(struct px_file *f, int fd, const struct sockaddr *a, socklen_t n)
{
    struct mr_addr to;
    enum addr_kind kind = addr_parse(f, a, n, &to);
    int rc;

    if (kind == ADDR_BAD && (!a || n < sizeof(sa_family_t)))
        return a ? -EINVAL : -EFAULT;
    if (kind == ADDR_UNSPEC)
        return unspec(f, fd);
    if (f->kind == PX_LISTENER)
        return -EISCONN;
    if (f->kind == PX_CONN && f->state != PX_IDLE)
        return again(f);
    if (kind == ADDR_BAD)
        return a->sa_family == f->family ? -EINVAL : -EAFNOSUPPORT;
    if (f->family == AF_INET6 && a->sa_family == AF_INET)
        return n < SIN6_BYTES_MIN ? -EINVAL : -EAFNOSUPPORT; /* tcp_v6_connect */
    enum px_why why = is_v6_only(f) ? PX_WHY_FAMILY : why_of(kind, &to);
    if (why == PX_WHY_OURS && to.port == 0)
        return -ECONNREFUSED; /* nobody listens there, on any machine */
    if (why != PX_WHY_OURS)
        return f->kind == PX_FRESH ? leave(f, why) : -ENETUNREACH;
    rc = begin(f, fd, &to);
    if (rc)
        return rc;
    return file_nonblock(f, 0) ? -EINPROGRESS : wait_connected(f, -EINPROGRESS);
}

int px_connect(int fd, const struct sockaddr *a, socklen_t n)
{
    struct px_file *f = file_get(fd);
    int rc;

    if (!f)
        return PX_PASS;
    if (f->kind == PX_EPOLL)
        rc = PX_PASS;
    else if (f->kind == PX_DGRAM)
        rc = udp_connect_file(f, fd, a, n);
    else
        rc = connect_stream(f, fd, a, n);
    file_put(f);
    return rc;
}
