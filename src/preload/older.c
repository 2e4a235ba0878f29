/* Older names of libc's for the same functions, which a few libraries still use, and what libc
 * does by a system call of its own where we would not see it. */
#include "preload/names.h"

#include <sys/ioctl.h>

WRAPPER(ssize_t, __read, (int fd, void *p, size_t n))
{
    return preload_read(fd, p, n);
}

WRAPPER(ssize_t, __write, (int fd, const void *p, size_t n))
{
    return preload_write(fd, p, n);
}

WRAPPER(ssize_t, __send, (int fd, const void *p, size_t n, int flags))
{
    return preload_send(fd, p, n, flags);
}

WRAPPER(int, __connect, (int fd, const struct sockaddr *a, socklen_t n))
{
    return preload_connect(fd, a, n);
}

WRAPPER(int, __close, (int fd))
{
    return preload_close(fd);
}

WRAPPER(int, __dup2, (int fd, int to))
{
    return preload_dup2(fd, to);
}

WRAPPER(int, __fcntl, (int fd, int cmd, ...))
{
    va_list args;

    va_start(args, cmd);
    long arg = va_arg(args, long);
    va_end(args);
    return preload_fcntl(fd, cmd, arg);
}

WRAPPER(int, __poll, (struct pollfd * p, nfds_t n, int timeout))
{
    return preload_poll(p, n, timeout);
}

WRAPPER(int, __select, (int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t))
{
    return preload_select(n, r, w, x, t);
}

WRAPPER(int, __sigaction, (int sig, const struct sigaction *act, struct sigaction *old))
{
    return preload_sigaction(sig, act, old);
}

WRAPPER(pid_t, __fork, (void))
{
    return preload_fork();
}

WRAPPER(pid_t, __vfork, (void))
{
    return preload_fork();
}

WRAPPER(int, sockatmark, (int fd))
{
    int mark;

    return preload_ioctl(fd, SIOCATMARK, &mark) < 0 ? -1 : mark;
}
