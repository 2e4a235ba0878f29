/* fcntl(2) and ioctl(2) of sockets. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "posix/sock_int.h"

/* Of F_SETFL.  The others say nothing to a socket; O_ASYNC would send SIGIO, which nobody here
 * does. */
#define FLAGS_KEPT (O_NONBLOCK | O_APPEND | O_NOATIME)

/* A socket that is the kernel's as well has its own: what is undecided may become the kernel's. */
static bool has_kernels_flags(const struct px_file *f)
{
    return f->fd_is_own && (f->kind == PX_FRESH || f->kind == PX_DGRAM);
}

static int set_flags(struct px_file *f, int fd, long arg)
{
    if (arg & O_ASYNC)
        return -EINVAL;
    if (has_kernels_flags(f)) {
        int rc = sys_fcntl(fd, F_SETFL, arg);
        if (rc < 0)
            return rc;
    }
    atomic_store(&f->flags, (uint32_t)(arg & FLAGS_KEPT));
    return 0;
}

int px_fcntl(int fd, int cmd, long arg)
{
    struct px_file *f;
    int rc = PX_PASS;

    if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD)
        return desc_fcntl(fd, cmd, arg);
    if (!(f = file_get(fd)))
        return PX_PASS;
    if (f->kind != PX_EPOLL && cmd == F_GETFL)
        rc = O_RDWR | (int)file_flags(f);
    else if (f->kind != PX_EPOLL && cmd == F_SETFL)
        rc = set_flags(f, fd, arg);
    file_put(f);
    return rc;
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static int64_t asked(struct px_file *f, enum mr_opt opt)
{
    struct px_inst *i = file_inst(f);
    int64_t v = 0;

    if (!f->sock.v)
        return 0;
    inst_enter(i);
    if (opt == MR_RCVQ || opt == MR_URGENT_LEFT)
        (void)inst_turn(i);
    if (mr_getopt(inst_mr(i), f->sock, opt, &v))
        v = 0;
    inst_leave(i);
    return v;
}

/* udp(7): the bytes of the next datagram, of whichever world. */
static int next_datagram(struct px_file *f, int fd, int *out)
{
    struct px_inst *i = file_inst(f);
    struct sock_dgram d = {0};

    if (f->sock.v) {
        inst_enter(i);
        if (sock_udp_peek(inst_sock(i), f->sock, &d))
            d.len = 0;
        inst_leave(i);
    }
    *out = (int)d.len;
    return *out == 0 && f->both ? sys_ioctl(fd, FIONREAD, out) : 0;
}

static int unsent(struct px_file *f)
{
    struct px_inst *i = file_inst(f);
    struct mr_tcp_info info = {0};

    if (!f->sock.v)
        return 0;
    inst_enter(i);
    (void)mr_tcp_info(inst_mr(i), f->sock, &info);
    inst_leave(i);
    return info.sndq > info.in_flight ? (int)(info.sndq - info.in_flight) : 0;
}

static int queue_bytes(struct px_file *f, int fd, unsigned long request, int *out)
{
    if (f->kind == PX_LISTENER)
        return -EINVAL;
    if (!out)
        return -EFAULT;
    *out = 0;
    if (request == FIONREAD && f->kind == PX_DGRAM)
        return next_datagram(f, fd, out);
    if (f->kind == PX_CONN)
        *out = request == SIOCOUTQNSD ? unsent(f)
                                      : (int)asked(f, request == FIONREAD ? MR_RCVQ : MR_SNDQ);
    return 0;
}

static int set_nonblock(struct px_file *f, int fd, const int *on)
{
    if (!on)
        return -EFAULT;
    uint32_t flags = file_flags(f) & ~(uint32_t)O_NONBLOCK;
    return set_flags(f, fd, (long)(flags | (*on ? O_NONBLOCK : 0)));
}

/* Linux's mark lies at the urgent byte, ours behind it (RFC 6093). */
static int at_mark(struct px_file *f, int *out)
{
    if (f->kind == PX_DGRAM)
        return -ENOTTY;
    if (!out)
        return -EFAULT;
    *out = f->kind == PX_CONN && asked(f, MR_URGENT_LEFT) == 1;
    return 0;
}

static int ioctl_file(struct px_file *f, int fd, unsigned long request, void *arg)
{
    switch (request) {
    case FIONBIO:
        return set_nonblock(f, fd, arg);
    case FIOASYNC:
        if (!arg)
            return -EFAULT;
        return *(const int *)arg ? -EINVAL : 0;
    case FIONREAD:
    case SIOCOUTQ:
    case SIOCOUTQNSD:
        return queue_bytes(f, fd, request, arg);
    case SIOCATMARK:
        return at_mark(f, arg);
    case SIOCGSTAMP_OLD:
    case SIOCGSTAMPNS_OLD:
        return -ENOENT; /* no packet with a time yet */
    default:
        return PX_PASS; /* interfaces, which the kernel has */
    }
}

int px_ioctl(int fd, unsigned long request, void *arg)
{
    struct px_file *f = file_get(fd);

    if (request == FIOCLEX || request == FIONCLEX)
        desc_set_cloexec(fd, request == FIOCLEX);
    if (!f)
        return PX_PASS;
    int rc = f->kind == PX_EPOLL ? PX_PASS : ioctl_file(f, fd, request, arg);
    file_put(f);
    return rc;
}
