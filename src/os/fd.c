#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX 32u

void os_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int os_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

int os_write_all(int fd, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

int os_wait(struct os_wait *w, unsigned n, uint64_t timeout_us)
{
    struct pollfd p[WAIT_MAX];
    struct timespec t = {(time_t)(timeout_us / 1000000), (long)(timeout_us % 1000000) * 1000};

    MR_ASSERT(n <= WAIT_MAX);
    for (unsigned i = 0; i < n; i++)
        p[i] = (struct pollfd){.fd = w[i].fd, .events = w[i].for_write ? POLLOUT : POLLIN};
    /* ppoll, because poll counts in milliseconds and rounds a timer of 200 us up to five times
     * that. */
    int ready = ppoll(p, n, timeout_us == UINT64_MAX ? NULL : &t, NULL);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    for (unsigned i = 0; i < n; i++) {
        w[i].ready = (p[i].revents & (POLLIN | POLLOUT)) != 0;
        w[i].broken = (p[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    }
    return ready;
}
