/* socket() and what is done to a socket but reading and writing. */
#include "preload/call.h"

WRAPPER(int, socket, (int domain, int type, int protocol))
{
    ssize_t rc = px_session ? CALL(px_socket(domain, type, protocol)) : PX_PASS;

    return rc == PX_PASS ? NEXT(socket)(domain, type, protocol) : (int)answer(rc);
}

WRAPPER(int, bind, (int fd, const struct sockaddr *a, socklen_t n))
{
    ssize_t rc = ours(fd) ? CALL(px_bind(fd, a, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(bind)(fd, a, n) : (int)answer(rc);
}

WRAPPER(int, listen, (int fd, int backlog))
{
    ssize_t rc = ours(fd) ? CALL(px_listen(fd, backlog)) : PX_PASS;

    return rc == PX_PASS ? NEXT(listen)(fd, backlog) : (int)answer(rc);
}

WRAPPER(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags))
{
    ssize_t rc = ours(fd) ? CALL_AGAIN(fd, WAITS_READ, px_accept4(fd, a, n, flags)) : PX_PASS;

    return rc == PX_PASS ? NEXT(accept4)(fd, a, n, flags) : (int)answer(rc);
}

WRAPPER(int, accept, (int fd, struct sockaddr *a, socklen_t *n))
{
    ssize_t rc = ours(fd) ? CALL_AGAIN(fd, WAITS_READ, px_accept4(fd, a, n, 0)) : PX_PASS;

    return rc == PX_PASS ? NEXT(accept)(fd, a, n) : (int)answer(rc);
}

WRAPPER(int, connect, (int fd, const struct sockaddr *a, socklen_t n))
{
    ssize_t rc = ours(fd) ? CALL_AGAIN(fd, WAITS_WRITE, px_connect(fd, a, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(connect)(fd, a, n) : (int)answer(rc);
}

WRAPPER(int, shutdown, (int fd, int how))
{
    ssize_t rc = ours(fd) ? CALL(px_shutdown(fd, how)) : PX_PASS;

    return rc == PX_PASS ? NEXT(shutdown)(fd, how) : (int)answer(rc);
}

WRAPPER(int, getsockname, (int fd, struct sockaddr *a, socklen_t *n))
{
    ssize_t rc = ours(fd) ? CALL(px_getsockname(fd, a, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(getsockname)(fd, a, n) : (int)answer(rc);
}

WRAPPER(int, getpeername, (int fd, struct sockaddr *a, socklen_t *n))
{
    ssize_t rc = ours(fd) ? CALL(px_getpeername(fd, a, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(getpeername)(fd, a, n) : (int)answer(rc);
}

WRAPPER(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *n))
{
    ssize_t rc = ours(fd) ? CALL(px_getsockopt(fd, level, name, value, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(getsockopt)(fd, level, name, value, n) : (int)answer(rc);
}

WRAPPER(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t n))
{
    ssize_t rc = ours(fd) ? CALL(px_setsockopt(fd, level, name, value, n)) : PX_PASS;

    return rc == PX_PASS ? NEXT(setsockopt)(fd, level, name, value, n) : (int)answer(rc);
}
