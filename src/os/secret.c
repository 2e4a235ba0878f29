/* Random bits that outlive a process. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

#define PATH_BYTES 4096

/* As somebody else cannot have written or read it. */
static bool is_ours_alone(const struct stat *st, size_t n)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & 077) &&
           st->st_size == (off_t)n;
}

static int take(const char *path, void *out, size_t n)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !is_ours_alone(&st, n) || read(fd, out, n) != (ssize_t)n)
        rc = -EACCES;
    os_close(fd);
    return rc;
}

/* Whole before it has its name: who finds the name reads all of it, and who is killed here leaves
 * nothing. */
static int make(const char *path)
{
    char dir[PATH_BYTES], fresh[32];
    uint8_t bits[OS_SECRET_BYTES];

    snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = 0;
    int fd = open(dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    os_random(bits, sizeof(bits));
    int rc = os_write_all(fd, bits, sizeof(bits));
    snprintf(fresh, sizeof(fresh), "/proc/self/fd/%d", fd);
    if (rc == 0 && linkat(AT_FDCWD, fresh, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 &&
        errno != EEXIST)
        rc = -errno;
    os_close(fd);
    return rc;
}

int os_secret_at(const char *path, uint64_t out[3])
{
    bool fits = path[0] == '/' && path[1] && strlen(path) < PATH_BYTES;
    int rc = fits ? take(path, out, OS_SECRET_BYTES) : -EINVAL;

    if (rc == -ENOENT && (rc = make(path)) == 0)
        rc = take(path, out, OS_SECRET_BYTES);
    if (rc < 0)
        os_random(out, OS_SECRET_BYTES);
    return rc;
}

void os_secret(uint64_t out[3])
{
    char path[PATH_BYTES];
    const char *dir = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");

    if (dir && (size_t)snprintf(path, sizeof(path), "%s/millrace-secret", dir) < sizeof(path))
        os_secret_at(path, out);
    else
        os_random(out, OS_SECRET_BYTES);
}
