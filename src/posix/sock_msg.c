/* recvmsg(2), sendmsg(2), and the calls that do many of them. */
#include "os/os.h"
#include "posix/sock_int.h"

#define MMSG_MAX 1024u /* Linux's UIO_MAXIOV: more are cut */

ssize_t px_recvmsg(int fd, struct msghdr *m, int flags)
{
    struct px_file *f = file_get(fd);
    ssize_t rc;

    if (!f)
        return PX_PASS;
    if (f->kind == PX_EPOLL)
        rc = PX_PASS;
    else if (f->kind == PX_DGRAM)
        rc = udp_recvmsg(f, fd, m, flags);
    else
        rc = stream_recvmsg(f, m, flags);
    file_put(f);
    return rc;
}

ssize_t px_sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct px_file *f = file_get(fd);
    ssize_t rc;

    if (!f)
        return PX_PASS;
    if (f->kind == PX_EPOLL)
        rc = PX_PASS;
    else if (f->kind == PX_DGRAM)
        rc = udp_sendmsg(f, fd, m, flags);
    else
        rc = stream_sendmsg(f, m, flags);
    file_put(f);
    return rc;
}

/* Linux looks at the time after each message, and never interrupts a wait for it. */
int px_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
    uint64_t until = UINT64_MAX;
    unsigned done = 0;
    ssize_t rc = 0;

    if (!file_peek(fd))
        return PX_PASS;
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)
            return -EINVAL;
        until =
            os_now_us() + (uint64_t)timeout->tv_sec * 1000000 + (uint64_t)timeout->tv_nsec / 1000;
    }
    while (done < n && done < MMSG_MAX) {
        rc = px_recvmsg(fd, &m[done].msg_hdr, flags & ~MSG_WAITFORONE);
        if (rc < 0)
            break;
        m[done++].msg_len = (unsigned)rc;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (os_now_us() >= until)
            break;
    }
    return done || rc >= 0 ? (int)done : (int)rc;
}

int px_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
    unsigned done = 0;
    ssize_t rc = 0;

    if (!file_peek(fd))
        return PX_PASS;
    while (done < n && done < MMSG_MAX) {
        rc = px_sendmsg(fd, &m[done].msg_hdr, flags);
        if (rc < 0)
            break;
        m[done++].msg_len = (unsigned)rc;
    }
    return done || rc >= 0 ? (int)done : (int)rc;
}
