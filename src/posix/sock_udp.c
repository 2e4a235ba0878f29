/* Datagram sockets: bound, connected, closed.
 *
 * One that is bound to any address is in both worlds: what our stack has and what the kernel has
 * are received, and each peer is reached by the world its address belongs to.  One that is
 * connected is in its peer's. */
#include "posix/sock_int.h"

static uint8_t options_of(const struct px_file *f)
{
    int df = opt_value(f, OPT_MTU_DISCOVER, IP_PMTUDISC_WANT);
    unsigned o = 0;

    if (opt_value(f, OPT_REUSEADDR, 0) || opt_value(f, OPT_REUSEPORT, 0))
        o |= UDP_REUSE;
    if (opt_value(f, OPT_BROADCAST, 0))
        o |= UDP_BROADCAST;
    if (df == IP_PMTUDISC_DO || df == IP_PMTUDISC_PROBE)
        o |= UDP_DF;
    return (uint8_t)o;
}

/* Inside. */
static int open_in(struct px_file *f, struct px_inst *i, const struct mr_addr *a)
{
    mr_sock s;
    int rc = sock_udp_open_with(inst_sock(i), a, options_of(f), f, &s);

    if (rc)
        return rc == MR_ENOMEM ? -ENOBUFS : rc;
    f->slot = i->slot;
    f->sock = s;
    atomic_fetch_add_explicit(&i->files, 1, memory_order_relaxed);
    opts_apply(f, inst_mr(i), s);
    file_refresh(f);
    return 0;
}

int udp_reopen_in(struct px_file *f)
{
    struct px_inst *i = file_inst(f);
    int rc = open_in(f, i, &f->local);

    if (rc == 0 && f->peer.port)
        rc = sock_udp_connect(inst_sock(i), f->sock, &f->peer);
    return rc;
}

int udp_bind_ours(struct px_file *f, const struct mr_addr *a, bool both)
{
    struct px_inst *i = session_mine();

    inst_enter(i);
    int rc = f->sock.v ? 0 : open_in(f, i, a);
    if (rc == 0) {
        f->both = both;
        inst_say(i); /* to the others, before anybody else can send to the port */
    }
    inst_leave(i);
    if (rc)
        port_give(f);
    else if (both)
        wait_kernel_too(f);
    return rc;
}

void udp_close_file(struct px_file *f)
{
    struct px_inst *i = file_inst(f);

    if (!f->sock.v)
        return;
    inst_enter(i);
    (void)mr_close(inst_mr(i), f->sock);
    f->sock = MR_SOCK_NONE;
    atomic_fetch_sub_explicit(&i->files, 1, memory_order_relaxed);
    inst_leave(i);
}

int udp_autobind(struct px_file *f, int fd)
{
    if (f->sock.v)
        return 0;
    int rc = bind_any(f, fd, 0);
    return rc ? rc : udp_bind_ours(f, &f->local, true);
}

/* ---- connect --------------------------------------------------------------------------------- */

static int connect_ours(struct px_file *f, int fd, const struct mr_addr *to)
{
    struct mr_addr any = addr_any(0);
    struct px_inst *i;
    int rc = f->sock.v ? 0 : udp_bind_ours(f, &any, false);

    if (rc)
        return rc;
    i = file_inst(f);
    inst_enter(i);
    rc = sock_udp_connect(inst_sock(i), f->sock, to);
    if (rc == 0) {
        f->peer = *to;
        f->err = 0;
        f->both = false;
        (void)mr_local_addr(inst_mr(i), f->sock, &f->local);
        inst_say(i);
    }
    file_refresh(f);
    inst_leave(i);
    if (rc == 0)
        desc_set_why(fd, PX_WHY_OURS);
    return rc;
}

static int disconnect(struct px_file *f, int fd)
{
    struct px_inst *i = file_inst(f);

    if (!f->peer.port)
        return 0;
    inst_enter(i);
    (void)sock_udp_connect(inst_sock(i), f->sock, NULL);
    f->peer = addr_any(0);
    f->both = f->kernel_bound;
    (void)mr_local_addr(inst_mr(i), f->sock, &f->local);
    if (!f->bound) /* __udp_disconnect: a port that was chosen goes */
        f->local = addr_any(0);
    file_refresh(f);
    inst_leave(i);
    if (!f->bound && !f->both) {
        udp_close_file(f);
        port_give(f);
    }
    desc_set_why(fd, f->both ? PX_WHY_BOTH : PX_WHY_NOTHING);
    return 0;
}

static int to_kernel(struct px_file *f, enum px_why why)
{
    if (f->bound && !f->kernel_bound)
        return -ENETUNREACH;
    udp_close_file(f);
    file_to_kernel(f, why);
    return PX_PASS;
}

int udp_connect_file(struct px_file *f, int fd, const struct sockaddr *a, socklen_t n)
{
    struct mr_addr to;
    enum addr_kind kind = addr_parse(f, a, n, &to);
    enum px_why why = PX_WHY_FAMILY;

    if (kind == ADDR_UNSPEC)
        return disconnect(f, fd);
    if (kind == ADDR_BAD)
        return !a                                                      ? -EFAULT
               : n >= sizeof(sa_family_t) && a->sa_family != f->family ? -EAFNOSUPPORT
                                                                       : -EINVAL;
    if (kind == ADDR_OURS)
        why = PX_WHY_OURS;
    else if (kind == ADDR_V4)
        why = session_route(addr_v4(&to));
    else if (kind == ADDR_WILDCARD)
        why = PX_WHY_LOOPBACK;
    /* A port of 0 is the kernel's to judge: it lets it be, and no datagram can be sent there. */
    if (why != PX_WHY_OURS || to.port == 0)
        return to_kernel(f, why);
    return connect_ours(f, fd, &to);
}

/* inet_shutdown: one that is not connected is told so, and wakes who polls it. */
int udp_shutdown(struct px_file *f, int fd, int how)
{
    struct px_inst *i = file_inst(f);

    if (f->both)
        (void)sys_shutdown(fd, how);
    inst_enter(i);
    if (f->peer.port)
        f->shut |= (uint8_t)(how + 1);
    file_refresh(f);
    wait_notify(f, atomic_load(&f->level), -1);
    inst_leave(i);
    return f->peer.port ? 0 : -ENOTCONN;
}
