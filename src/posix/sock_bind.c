/* socket(2), bind(2), getsockname(2), getpeername(2). */
#include "posix/sock_int.h"

#define PORT_PRIVILEGED 1024u

static bool is_ours(int domain, int kind, int protocol)
{
    if (domain != AF_INET && domain != AF_INET6)
        return false;
    if (kind == SOCK_STREAM)
        return protocol == 0 || protocol == IPPROTO_TCP;
    return kind == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP);
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof(cookie);

    (void)sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n);
    return cookie;
}

/* A kernel's socket that we have no room to stand beside is the kernel's, and works. */
int px_socket(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (!px_session || !is_ours(domain, kind, protocol))
        return PX_PASS;
    int fd = sys_socket(domain, type, protocol);
    if (fd < 0)
        return fd;
    struct px_file *f =
        (unsigned)fd < PX_FDS ? file_new(kind == SOCK_STREAM ? PX_FRESH : PX_DGRAM) : NULL;
    if (!f) {
        desc_set_why(fd, PX_WHY_FULL);
        return fd;
    }
    f->fd_is_own = true;
    f->family = (uint8_t)domain;
    f->type = (uint32_t)kind;
    f->protocol = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    f->cookie = cookie_of(fd);
    f->local = f->peer = addr_any(0);
    atomic_store(&f->flags, type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    atomic_store(&f->level, level_of(f));
    desc_set(fd, f, type & SOCK_CLOEXEC);
    desc_set_why(fd, PX_WHY_NOTHING);
    return fd;
}

bool is_v6_only(const struct px_file *f)
{
    return f->family == AF_INET6 && opt_value(f, OPT_V6ONLY, 0);
}

/* Whether this process may have a low port is asked of the kernel, whose rule it is, at an address
 * that the port is not taken at. */
static int may_have_port(const struct px_file *f, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (port >= PORT_PRIVILEGED || port == 0)
        return 0;
    in.sin_addr.s_addr = htonl(0x7fff00feu); /* 127.255.0.254 */
    int fd = sys_socket(AF_INET, (int)f->type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int rc = sys_bind(fd, (void *)&in, sizeof(in));
    sys_close(fd);
    return rc == -EACCES ? rc : 0;
}

static int bind_ours(struct px_file *f, const struct mr_addr *at)
{
    struct mr_addr a = *at;
    int rc = may_have_port(f, a.port);

    if (rc)
        return rc;
    if (a.port == 0 && f->type == SOCK_STREAM && opt_value(f, OPT_BIND_NO_PORT, 0)) {
        f->local = a; /* ip(7): the port is chosen when the peer is known */
        return 0;
    }
    return a.port ? port_take(f, &a) : port_take_any(f, &a);
}

static int bind_kernels(struct px_file *f, int fd, const struct sockaddr *a, socklen_t n,
                        const struct mr_addr *at, enum addr_kind kind)
{
    int rc = sys_bind(fd, a, n);
    enum px_why why = PX_WHY_LOCAL;

    if (rc)
        return rc;
    if (kind == ADDR_V6)
        why = PX_WHY_FAMILY;
    else if (kind == ADDR_V4 && addr_v4(at) >> 24 == 127)
        why = PX_WHY_LOOPBACK;
    file_to_kernel(f, why);
    return 0;
}

static int bind_wildcard(struct px_file *f, int fd, const struct sockaddr *a, socklen_t n,
                         const struct mr_addr *at)
{
    if (is_v6_only(f))
        return bind_kernels(f, fd, a, n, at, ADDR_V6);
    int rc = bind_any(f, fd, at->port);
    if (rc == 0 && f->kind == PX_DGRAM) {
        rc = udp_bind_ours(f, &f->local, true);
        desc_set_why(fd, PX_WHY_BOTH);
    }
    return rc;
}

static int bind_file(struct px_file *f, int fd, const struct sockaddr *a, socklen_t n)
{
    struct mr_addr at;
    enum addr_kind kind = addr_parse(f, a, n, &at);

    if (f->kind == PX_LISTENER || f->kind == PX_CONN || f->bound || f->port)
        return -EINVAL;
    if (f->family == AF_INET6 && n >= sizeof(sa_family_t) && a && a->sa_family != AF_INET6)
        kind = ADDR_BAD;
    if (is_v6_only(f) && kind == ADDR_OURS)
        kind = ADDR_V6; /* the kernel refuses it */
    if (kind == ADDR_OURS) {
        int rc = bind_ours(f, &at);
        if (rc == 0 && f->kind == PX_DGRAM)
            rc = udp_bind_ours(f, &f->local, false);
        return rc;
    }
    if (kind == ADDR_WILDCARD)
        return bind_wildcard(f, fd, a, n, &at);
    return bind_kernels(f, fd, a, n, &at, kind);
}

int px_bind(int fd, const struct sockaddr *a, socklen_t n)
{
    struct px_file *f = file_get(fd);
    int rc;

    if (!f)
        return PX_PASS;
    if (f->kind == PX_EPOLL) {
        file_put(f);
        return PX_PASS;
    }
    rc = bind_file(f, fd, a, n);
    if (rc == 0)
        f->bound = true;
    file_put(f);
    return rc;
}

int px_getsockname(int fd, struct sockaddr *a, socklen_t *n)
{
    struct px_file *f = file_get(fd);

    if (!f)
        return PX_PASS;
    int rc = f->kind == PX_EPOLL ? PX_PASS : addr_give(f, &f->local, a, n);
    file_put(f);
    return rc;
}

/* It may be over, and nobody has looked. */
static void look(const struct px_file *f)
{
    struct px_inst *i = file_inst(f);

    if (!inst_try_enter(i))
        return;
    inst_hear(i);
    inst_leave_unsent(i);
}

static bool has_peer(const struct px_file *f)
{
    if (f->kind == PX_DGRAM)
        return f->peer.port != 0;
    if (f->kind != PX_CONN)
        return false;
    if (f->state == PX_CONNECTED)
        look(f);
    return f->state == PX_CONNECTED;
}

int px_getpeername(int fd, struct sockaddr *a, socklen_t *n)
{
    struct px_file *f = file_get(fd);
    int rc;

    if (!f)
        return PX_PASS;
    if (f->kind == PX_EPOLL)
        rc = PX_PASS;
    else
        rc = has_peer(f) ? addr_give(f, &f->peer, a, n) : -ENOTCONN;
    file_put(f);
    return rc;
}
