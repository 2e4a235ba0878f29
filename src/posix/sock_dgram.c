/* Datagrams in and out: recvmsg(2) and sendmsg(2) of UDP. */
#include "posix/sock_iov.h"

/* ---- in -------------------------------------------------------------------------------------- */

struct udp_taking {
    int fd, flags;
    struct msghdr *m;
    socklen_t namelen;
    size_t controllen;
};

static bool cmsg_add(struct msghdr *m, size_t room, int type, const void *data, size_t n)
{
    struct cmsghdr h = {.cmsg_len = CMSG_LEN(n), .cmsg_level = IPPROTO_IP, .cmsg_type = type};
    uint8_t *at = (uint8_t *)m->msg_control + m->msg_controllen;

    if (!m->msg_control || m->msg_controllen + CMSG_LEN(n) > room) {
        m->msg_flags |= MSG_CTRUNC;
        return false;
    }
    memcpy(at, &h, sizeof(h));
    memcpy(at + CMSG_LEN(0), data, n);
    m->msg_controllen += m->msg_controllen + CMSG_SPACE(n) <= room ? CMSG_SPACE(n) : CMSG_LEN(n);
    return true;
}

/* The interface has no number that the kernel knows. */
static void add_control(const struct px_file *f, struct msghdr *m, size_t room,
                        const struct sock_dgram *d)
{
    struct in_pktinfo info = {0};
    int ttl = d->ttl;

    m->msg_controllen = 0;
    if (opt_value(f, OPT_PKTINFO, 0)) {
        memcpy(&info.ipi_addr, d->to.ip + 12, 4);
        memcpy(&info.ipi_spec_dst, px_session->net.addr.ip + 12, 4);
        cmsg_add(m, room, IP_PKTINFO, &info, sizeof(info));
    }
    if (opt_value(f, OPT_RECVTTL, 0))
        cmsg_add(m, room, IP_TTL, &ttl, sizeof(ttl));
    if (opt_value(f, OPT_RECVTOS, 0))
        cmsg_add(m, room, IP_TOS, &d->tos, sizeof(d->tos));
}

static ssize_t give(const struct px_file *f, struct udp_taking *x, const struct sock_dgram *d)
{
    struct msghdr *m = x->m;
    size_t got = iov_scatter(m, d->data, d->len);

    m->msg_flags = got < d->len ? MSG_TRUNC : 0;
    if (m->msg_name) {
        m->msg_namelen = x->namelen;
        (void)addr_give(f, &d->from, m->msg_name, &m->msg_namelen);
    }
    add_control(f, m, x->controllen, d);
    return (ssize_t)(x->flags & MSG_TRUNC ? d->len : got);
}

static ssize_t take_ours(struct px_file *f, struct udp_taking *x)
{
    struct px_inst *i = file_inst(f);
    struct sock_dgram d;
    ssize_t rc;

    if (f->err)
        return -err_take(f);
    if (!f->sock.v)
        return -EAGAIN;
    rc = sock_udp_peek(inst_sock(i), f->sock, &d);
    if (rc == 0) {
        rc = give(f, x, &d);
        if (!(x->flags & MSG_PEEK))
            sock_udp_drop(inst_sock(i), f->sock);
    }
    file_refresh(f);
    return rc;
}

static ssize_t enter_and_take(struct px_file *f, struct udp_taking *x, bool turn)
{
    struct px_inst *i = file_inst(f);

    inst_enter(i);
    ssize_t rc = take_ours(f, x);
    if (rc == -EAGAIN && turn && inst_turn(i))
        rc = take_ours(f, x);
    inst_leave(i);
    return rc;
}

static ssize_t take_attempt(struct px_file *f, void *arg)
{
    struct udp_taking *x = arg;
    ssize_t rc = enter_and_take(f, x, false);

    if (rc == -EAGAIN && f->both)
        rc = sys_recvmsg(x->fd, x->m, x->flags | MSG_DONTWAIT);
    if (rc == -EAGAIN && (f->shut & 1))
        rc = 0;
    return rc;
}

ssize_t udp_recvmsg(struct px_file *f, int fd, struct msghdr *m, int flags)
{
    struct udp_taking x = {fd, flags, m, m->msg_namelen, m->msg_controllen};
    ssize_t all = iov_bytes(m, false);

    if (all < 0)
        return all;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (flags & MSG_ERRQUEUE)
        return f->sock.v ? -EAGAIN : PX_PASS;
    /* Nothing comes before it has a port: what is waited for, another thread may bring about. */
    bool nonblock = file_nonblock(f, flags);
    if (f->sock.v && nonblock) {
        ssize_t rc = enter_and_take(f, &x, true);
        if (rc != -EAGAIN)
            return rc;
    }
    return wait_both(fd, f, POLLIN, nonblock, timeout_of(f->opts.rcvtimeo_us), take_attempt, &x);
}

/* ---- out ------------------------------------------------------------------------------------- */

struct udp_putting {
    const uint8_t *p;
    size_t n;
    const struct mr_addr *to;
};

static ssize_t put_attempt(struct px_file *f, void *arg)
{
    struct udp_putting *x = arg;
    struct px_inst *i = file_inst(f);
    int rc;

    if (f->err)
        return -err_take(f);
    /* Who has bound a port has written so to everybody before his bind() has returned. */
    if (i->shard.mail && mail_waits(i->shard.mail))
        inst_hear(i);
    rc = mr_sendto(inst_mr(i), f->sock, x->p, x->n, x->to);
    if (rc == 0)
        i->unsent = true;
    file_refresh(f);
    return rc ? rc : (ssize_t)x->n;
}

/* A peer of ours; msg_name or the one it is connected to. */
static ssize_t put_ours(struct px_file *f, const struct msghdr *m, int flags,
                        const struct mr_addr *to, size_t n)
{
    struct udp_putting x = {NULL, n, to};
    uint8_t room[UDP_PAYLOAD_MAX + 1];

    if (n > UDP_PAYLOAD_MAX)
        return -EMSGSIZE;
    if (flags & MSG_MORE) /* one datagram of many calls: we have no place for a part */
        return -EOPNOTSUPP;
    if (m->msg_iovlen == 1) {
        x.p = m->msg_iov->iov_base;
    } else {
        iov_gather(m, room, n);
        x.p = room;
    }
    return wait_for(f, file_nonblock(f, flags), timeout_of(f->opts.sndtimeo_us), put_attempt, &x);
}

static ssize_t put_connected(struct px_file *f, const struct msghdr *m, int flags, size_t n)
{
    if (!f->peer.port)
        return -EDESTADDRREQ;
    return put_ours(f, m, flags, NULL, n);
}

static ssize_t bad_name(const struct px_file *f, const struct msghdr *m)
{
    const struct sockaddr *a = m->msg_name;

    if (m->msg_namelen >= sizeof(sa_family_t) && a->sa_family != f->family)
        return -EAFNOSUPPORT;
    return -EINVAL;
}

/* To everybody, or to everybody of our network (udp(7): SO_BROADCAST allows it). */
static bool is_broadcast(const struct mr_addr *to)
{
    const struct px_net *net = &px_session->net;
    uint32_t hosts = net->prefix_len < 31 ? UINT32_MAX >> net->prefix_len : 0, a = addr_v4(to);

    return a == UINT32_MAX ||
           (hosts && (a & hosts) == hosts && ((a ^ addr_v4(&net->addr)) & ~hosts) == 0);
}

ssize_t udp_sendmsg(struct px_file *f, int fd, const struct msghdr *m, int flags)
{
    struct mr_addr to;
    ssize_t all = iov_bytes(m, false);
    enum px_why why = PX_WHY_FAMILY;

    if (all < 0)
        return all;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (f->shut & 2)
        return -EPIPE;
    if (!m->msg_name)
        return put_connected(f, m, flags, (size_t)all);
    enum addr_kind kind = addr_parse(f, m->msg_name, m->msg_namelen, &to);
    if (kind == ADDR_UNSPEC && f->peer.port && f->family == AF_INET6)
        return put_connected(f, m, flags, (size_t)all);
    if (kind == ADDR_BAD)
        return bad_name(f, m);
    if (kind == ADDR_OURS)
        why = PX_WHY_OURS;
    else if (kind == ADDR_V4)
        why = session_route(addr_v4(&to));
    if (is_broadcast(&to)) {
        if (!opt_value(f, OPT_BROADCAST, 0))
            return -EACCES;
        if (f->bound && !f->kernel_bound)
            why = PX_WHY_OURS;
    }
    if (f->bound && !f->kernel_bound && why != PX_WHY_OURS)
        return -ENETUNREACH;
    int rc = udp_autobind(f, fd);
    if (rc)
        return rc;
    if (why != PX_WHY_OURS)
        return sys_sendmsg(fd, m, flags);
    return to.port ? put_ours(f, m, flags, &to, (size_t)all) : -EINVAL;
}
