/* Streams on a descriptor of ours: libc's own read and write the kernel's socket, which nobody has
 * connected. */
#include "preload/names.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posix/sys.h"
#include "preload/preload.h"

static int number(void *cookie)
{
    return (int)(intptr_t)cookie - 1;
}

static ssize_t cookie_read(void *cookie, char *p, size_t n)
{
    return preload_read(number(cookie), p, n);
}

/* 0 says that it failed. */
static ssize_t cookie_write(void *cookie, const char *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t rc = preload_write(number(cookie), p + done, n - done);
        if (rc <= 0)
            break;
        done += (size_t)rc;
    }
    return (ssize_t)done;
}

static int cookie_close(void *cookie)
{
    return preload_close(number(cookie));
}

static int cookie_seek(void *cookie, off64_t *offset, int whence)
{
    (void)cookie;
    (void)offset;
    (void)whence;
    errno = ESPIPE;
    return -1;
}

static FILE *stream(int fd, const char *mode)
{
    const cookie_io_functions_t calls = {
        .read = cookie_read, .write = cookie_write, .seek = cookie_seek, .close = cookie_close};
    FILE *f = fopencookie((void *)(intptr_t)(fd + 1), mode, calls);

    /* fileno() tells it; nothing else in such a stream looks at it. */
    if (f)
        f->_fileno = fd;
    return f;
}

WRAPPER(FILE *, fdopen, (int fd, const char *mode))
{
    return ours(fd) ? stream(fd, mode) : NEXT(fdopen)(fd, mode);
}

/* A program that was started with a socket of ours for its input and output (inetd). */
void preload_streams(void)
{
    if (ours(STDIN_FILENO))
        stdin = stream(STDIN_FILENO, "r");
    if (ours(STDOUT_FILENO))
        stdout = stream(STDOUT_FILENO, "w");
    if (ours(STDERR_FILENO)) {
        stderr = stream(STDERR_FILENO, "w");
        setvbuf(stderr, NULL, _IONBF, 0);
    }
}

/* ---- dprintf --------------------------------------------------------------------------------- */

#define SHORT_TEXT 1024

static int write_all(int fd, const char *text, int n)
{
    for (int done = 0; done < n;) {
        ssize_t rc = preload_write(fd, text + done, (size_t)(n - done));
        if (rc < 0)
            return -1;
        done += (int)rc;
    }
    return n;
}

WRAPPER(int, vdprintf, (int fd, const char *how, va_list args))
{
    char few[SHORT_TEXT];
    va_list again;

    if (!ours(fd))
        return NEXT(vdprintf)(fd, how, args);
    va_copy(again, args);
    int n = vsnprintf(few, sizeof(few), how, args);
    if (n >= SHORT_TEXT) {
        size_t bytes = (size_t)n + 1;
        char *text =
            sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (sys_mmap_failed(text)) {
            n = (int)answer(-ENOMEM);
        } else {
            vsnprintf(text, bytes, how, again);
            n = write_all(fd, text, n);
            sys_munmap(text, bytes);
        }
    } else if (n > 0) {
        n = write_all(fd, few, n);
    }
    va_end(again);
    return n;
}

WRAPPER(int, dprintf, (int fd, const char *how, ...))
{
    va_list args;

    va_start(args, how);
    int n = preload_vdprintf(fd, how, args);
    va_end(args);
    return n;
}

WRAPPER(int, __vdprintf_chk, (int fd, int flag, const char *how, va_list args))
{
    (void)flag;
    return preload_vdprintf(fd, how, args);
}

WRAPPER(int, __dprintf_chk, (int fd, int flag, const char *how, ...))
{
    va_list args;

    (void)flag;
    va_start(args, how);
    int n = preload_vdprintf(fd, how, args);
    va_end(args);
    return n;
}
