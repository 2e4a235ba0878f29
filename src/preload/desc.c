/* Descriptors. */
#include "preload/call.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

WRAPPER(int, close, (int fd))
{
    int error = errno;
    ssize_t rc = px_session ? CALL(px_close(fd)) : PX_PASS;

    /* Who closes because something has failed tells of that afterwards. */
    errno = error;
    return rc == PX_PASS ? NEXT(close)(fd) : (int)answer(rc);
}

WRAPPER(int, close_range, (unsigned first, unsigned last, int flags))
{
    ssize_t rc = px_session ? CALL(px_close_range(first, last, (unsigned)flags)) : PX_PASS;

    return rc == PX_PASS ? NEXT(close_range)(first, last, flags) : (int)answer(rc);
}

WRAPPER(void, closefrom, (int lowest))
{
    if (!px_session)
        NEXT(closefrom)(lowest);
    else
        CALL(px_close_range(lowest < 0 ? 0 : (unsigned)lowest, ~0u, 0));
}

WRAPPER(int, dup, (int fd))
{
    ssize_t rc = px_session ? CALL(px_dup(fd)) : PX_PASS;

    return rc == PX_PASS ? NEXT(dup)(fd) : (int)answer(rc);
}

WRAPPER(int, dup2, (int fd, int to))
{
    ssize_t rc = px_session ? CALL(px_dup3(fd, to, 0, true)) : PX_PASS;

    return rc == PX_PASS ? NEXT(dup2)(fd, to) : (int)answer(rc);
}

WRAPPER(int, dup3, (int fd, int to, int flags))
{
    ssize_t rc = px_session ? CALL(px_dup3(fd, to, flags, false)) : PX_PASS;

    return rc == PX_PASS ? NEXT(dup3)(fd, to, flags) : (int)answer(rc);
}

/* A duplicate of any descriptor gets a number whose entry must be empty, and none of ours is shown
 * to a program: so these are always told. */
static bool is_about_descriptors(int cmd)
{
    return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
}

static int control(int fd, int cmd, long arg)
{
    ssize_t rc = PX_PASS;

    if (file_peek(fd) || (px_session && is_about_descriptors(cmd)))
        rc = CALL(px_fcntl(fd, cmd, arg));
    return rc == PX_PASS ? NEXT(fcntl64)(fd, cmd, arg) : (int)answer(rc);
}

WRAPPER(int, fcntl, (int fd, int cmd, ...))
{
    va_list args;

    va_start(args, cmd);
    long arg = va_arg(args, long);
    va_end(args);
    return control(fd, cmd, arg);
}

WRAPPER(int, fcntl64, (int fd, int cmd, ...))
{
    va_list args;

    va_start(args, cmd);
    long arg = va_arg(args, long);
    va_end(args);
    return control(fd, cmd, arg);
}

WRAPPER(int, ioctl, (int fd, unsigned long request, ...))
{
    ssize_t rc = PX_PASS;
    va_list args;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (file_peek(fd))
        rc = CALL(px_ioctl(fd, request, arg));
    return rc == PX_PASS ? NEXT(ioctl)(fd, request, arg) : (int)answer(rc);
}
