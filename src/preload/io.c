/* Reading and writing.
 *
 * Also the names that programs compiled with _FORTIFY_SOURCE use: they say how large the buffer
 * is. */
#include "preload/call.h"

#include "posix/sys.h"

/* ---- reading ------------------------------------------------------------------------------- */

WRAPPER(ssize_t, recv, (int fd, void *p, size_t n, int flags))
{
    ssize_t rc = ours(fd) ? CALL_AGAIN(fd, WAITS_READ, px_recv(fd, p, n, flags)) : PX_PASS;

    return rc == PX_PASS ? NEXT(recv)(fd, p, n, flags) : answer(rc);
}

WRAPPER(ssize_t, read, (int fd, void *p, size_t n))
{
    ssize_t rc = PX_PASS;

    /* A read of nothing is 0 at once, which a receive of nothing is not. */
    if (ours(fd) && n > 0)
        rc = CALL_AGAIN(fd, WAITS_READ, px_recv(fd, p, n, 0));
    return rc == PX_PASS ? NEXT(read)(fd, p, n) : answer(rc);
}

/* What readv and writev refuse, and recvmsg does not in the same way; and PX_PASS: go on. */
static ssize_t refuse(const struct iovec *v, int count)
{
    size_t sum = 0;

    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(sum, v[i].iov_len, &sum) || sum > SSIZE_MAX)
            return -EINVAL;
    return count == 0 ? 0 : PX_PASS;
}

WRAPPER(ssize_t, readv, (int fd, const struct iovec *v, int count))
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)count};

    if (!ours(fd))
        return NEXT(readv)(fd, v, count);
    ssize_t rc = refuse(v, count);
    if (rc == PX_PASS)
        rc = count == 1 ? CALL_AGAIN(fd, WAITS_READ, px_recv(fd, v->iov_base, v->iov_len, 0))
                        : CALL_AGAIN(fd, WAITS_READ, px_recvmsg(fd, &m, 0));
    return rc == PX_PASS ? NEXT(readv)(fd, v, count) : answer(rc);
}

/* An address goes out as recvfrom and accept give it: cut to what fits, its full length told. */
WRAPPER(ssize_t, recvfrom,
        (int fd, void *p, size_t n, int flags, struct sockaddr *a, socklen_t *length))
{
    struct sockaddr_storage from;
    struct iovec v = {p, n};
    struct msghdr m = {.msg_name = &from, .msg_iov = &v, .msg_iovlen = 1};
    ssize_t rc;

    if (!ours(fd))
        return NEXT(recvfrom)(fd, p, n, flags, a, length);
    if (!a) {
        rc = CALL_AGAIN(fd, WAITS_READ, px_recv(fd, p, n, flags));
    } else {
        rc = CALL_AGAIN(fd, WAITS_READ, (m.msg_namelen = sizeof(from), px_recvmsg(fd, &m, flags)));
    }
    if (rc == PX_PASS)
        return NEXT(recvfrom)(fd, p, n, flags, a, length);
    if (rc >= 0 && a) {
        if (!length)
            return answer(-EFAULT);
        if ((int)*length < 0)
            return answer(-EINVAL);
        __builtin_memcpy(a, &from, *length < m.msg_namelen ? *length : m.msg_namelen);
        *length = m.msg_namelen;
    }
    return answer(rc);
}

/* Without file of ours a message may carry one (SCM_RIGHTS). */
WRAPPER(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags))
{
    ssize_t rc = PX_PASS;

    if (ours(fd))
        rc = CALL_AGAIN(fd, WAITS_READ, px_recvmsg(fd, m, flags));
    if (rc != PX_PASS)
        return answer(rc);
    rc = NEXT(recvmsg)(fd, m, flags);
    if (rc >= 0 && px_session && m->msg_controllen > 0) {
        call_begin();
        scm_received(m);
        call_end();
    }
    return rc;
}

WRAPPER(int, recvmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t))
{
    ssize_t rc = PX_PASS;

    if (ours(fd))
        rc = CALL_AGAIN(fd, WAITS_READ, px_recvmmsg(fd, m, n, flags, t));
    if (rc != PX_PASS)
        return (int)answer(rc);
    rc = NEXT(recvmmsg)(fd, m, n, flags, t);
    for (ssize_t i = 0; i < rc && px_session; i++)
        if (m[i].msg_hdr.msg_controllen > 0) {
            call_begin();
            scm_received(&m[i].msg_hdr);
            call_end();
        }
    return (int)rc;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* A stream that cannot be written any more says so by a signal, too. */
static ssize_t sent(int fd, ssize_t rc, int flags)
{
    const struct px_file *f = file_peek(fd);

    if (unlikely(rc == -EPIPE) && !(flags & MSG_NOSIGNAL) && (!f || f->type == SOCK_STREAM))
        sys_tgkill(sys_getpid(), sys_gettid(), SIGPIPE);
    return answer(rc);
}

WRAPPER(ssize_t, send, (int fd, const void *p, size_t n, int flags))
{
    ssize_t rc = ours(fd) ? CALL_AGAIN(fd, WAITS_WRITE, px_send(fd, p, n, flags)) : PX_PASS;

    return rc == PX_PASS ? NEXT(send)(fd, p, n, flags) : sent(fd, rc, flags);
}

WRAPPER(ssize_t, write, (int fd, const void *p, size_t n))
{
    ssize_t rc = ours(fd) ? CALL_AGAIN(fd, WAITS_WRITE, px_send(fd, p, n, 0)) : PX_PASS;

    return rc == PX_PASS ? NEXT(write)(fd, p, n) : sent(fd, rc, 0);
}

WRAPPER(ssize_t, writev, (int fd, const struct iovec *v, int count))
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)count};

    if (!ours(fd))
        return NEXT(writev)(fd, v, count);
    ssize_t rc = refuse(v, count);
    if (rc == PX_PASS)
        rc = count == 1 ? CALL_AGAIN(fd, WAITS_WRITE, px_send(fd, v->iov_base, v->iov_len, 0))
                        : CALL_AGAIN(fd, WAITS_WRITE, px_sendmsg(fd, &m, 0));
    return rc == PX_PASS ? NEXT(writev)(fd, v, count) : sent(fd, rc, 0);
}

WRAPPER(ssize_t, sendto,
        (int fd, const void *p, size_t n, int flags, const struct sockaddr *a, socklen_t length))
{
    struct iovec v = {(void *)(uintptr_t)p, n};
    struct msghdr m = {
        .msg_name = (void *)(uintptr_t)a, .msg_namelen = length, .msg_iov = &v, .msg_iovlen = 1};
    ssize_t rc = PX_PASS;

    if (ours(fd))
        rc = a ? CALL_AGAIN(fd, WAITS_WRITE, px_sendmsg(fd, &m, flags))
               : CALL_AGAIN(fd, WAITS_WRITE, px_send(fd, p, n, flags));
    return rc == PX_PASS ? NEXT(sendto)(fd, p, n, flags, a, length) : sent(fd, rc, flags);
}

/* Room for the control data of a message whose descriptors are replaced. */
#define CONTROL_BYTES SCM_ROOM

static ssize_t send_descriptors(int fd, const struct msghdr *m, int flags)
{
    _Alignas(struct cmsghdr) char room[CONTROL_BYTES];
    struct msghdr copy;
    int rc = (int)CALL(scm_before_send(m, &copy, room, sizeof(room)));

    if (rc < 0)
        return answer(rc);
    ssize_t gone = NEXT(sendmsg)(fd, &copy, flags);
    int error = errno;
    call_begin();
    scm_after_send(&copy, gone >= 0);
    call_end();
    errno = error;
    return gone;
}

static bool carries(const struct msghdr *m)
{
    return px_session && m && m->msg_control && m->msg_controllen >= sizeof(struct cmsghdr);
}

WRAPPER(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags))
{
    ssize_t rc = PX_PASS;

    if (ours(fd))
        rc = CALL_AGAIN(fd, WAITS_WRITE, px_sendmsg(fd, m, flags));
    if (rc != PX_PASS)
        return sent(fd, rc, flags);
    return carries(m) ? send_descriptors(fd, m, flags) : NEXT(sendmsg)(fd, m, flags);
}

WRAPPER(int, sendmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags))
{
    bool any = false;

    if (ours(fd)) {
        ssize_t rc = CALL_AGAIN(fd, WAITS_WRITE, px_sendmmsg(fd, m, n, flags));
        if (rc != PX_PASS)
            return (int)sent(fd, rc, flags);
    }
    for (unsigned i = 0; i < n && px_session; i++)
        any |= carries(&m[i].msg_hdr);
    if (!any)
        return NEXT(sendmmsg)(fd, m, n, flags);
    for (unsigned i = 0; i < n; i++) {
        ssize_t rc = preload_sendmsg(fd, &m[i].msg_hdr, flags);
        if (rc < 0)
            return i > 0 ? (int)i : -1;
        m[i].msg_len = (unsigned)rc;
    }
    return (int)n;
}

/* ---- from file to socket --------------------------------------------------------------------- */

WRAPPER(ssize_t, sendfile, (int out, int in, off_t *offset, size_t n))
{
    ssize_t rc =
        ours(out) ? CALL_AGAIN(out, WAITS_WRITE, px_sendfile(out, in, offset, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(sendfile)(out, in, offset, n) : sent(out, rc, 0);
}

WRAPPER(ssize_t, sendfile64, (int out, int in, off_t *offset, size_t n))
{
    return preload_sendfile(out, in, offset, n);
}

WRAPPER(ssize_t, splice,
        (int in, off_t *in_offset, int out, off_t *out_offset, size_t n, unsigned flags))
{
    bool to = ours(out) != NULL;
    ssize_t rc = PX_PASS;

    if (to || ours(in))
        rc = CALL_AGAIN(to ? out : in, to ? WAITS_WRITE : WAITS_READ,
                        px_splice(in, in_offset, out, out_offset, n, flags));
    return rc == PX_PASS ? NEXT(splice)(in, in_offset, out, out_offset, n, flags)
                         : sent(out, rc, 0);
}

/* ---- fortified ------------------------------------------------------------------------------- */

WRAPPER(ssize_t, __read_chk, (int fd, void *p, size_t n, size_t room))
{
    if (n > room)
        __chk_fail();
    return preload_read(fd, p, n);
}

WRAPPER(ssize_t, __recv_chk, (int fd, void *p, size_t n, size_t room, int flags))
{
    if (n > room)
        __chk_fail();
    return preload_recv(fd, p, n, flags);
}

WRAPPER(ssize_t, __recvfrom_chk,
        (int fd, void *p, size_t n, size_t room, int flags, struct sockaddr *a, socklen_t *length))
{
    if (n > room)
        __chk_fail();
    return preload_recvfrom(fd, p, n, flags, a, length);
}
