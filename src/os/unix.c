#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address(struct sockaddr_un *a, const char *path)
{
    size_t n = __builtin_strlen(path);

    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n == 0 || n >= sizeof(a->sun_path))
        return -ENAMETOOLONG;
    memcpy(a->sun_path, path, n);
    return 0;
}

int os_unix_connect(const char *path)
{
    struct sockaddr_un a;
    int rc = address(&a, path);

    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* A socket file whose process is gone refuses connections: only then is it ours to remove. */
static int clear_the_way(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    int fd = os_unix_connect(path);
    if (fd >= 0) {
        close(fd);
        return -EADDRINUSE;
    }
    return fd == -ECONNREFUSED && unlink(path) < 0 ? -errno : 0;
}

int os_unix_listen(const char *path)
{
    struct sockaddr_un a;
    int rc = address(&a, path);

    if (rc == 0)
        rc = clear_the_way(path);
    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    mode_t mask = umask(0177);
    rc = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0 ? -errno : 0;
    umask(mask);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int os_unix_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    return fd < 0 ? -errno : fd;
}
