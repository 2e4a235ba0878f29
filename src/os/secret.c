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

/* Whole before it has its name: who finds the name reads all of it. */
static int make(const char *path)
{
    char fresh[PATH_BYTES + 16];
    uint8_t bits[OS_SECRET_BYTES];

    snprintf(fresh, sizeof(fresh), "%s.%ld", path, (long)getpid());
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    os_random(bits, sizeof(bits));
    int rc = os_write_all(fd, bits, sizeof(bits));
    os_close(fd);
    if (rc == 0 && link(fresh, path) < 0 && errno != EEXIST)
        rc = -errno;
    unlink(fresh);
    return rc;
}

int os_secret_at(const char *path, uint64_t out[3])
{
    int rc = strlen(path) < PATH_BYTES ? take(path, out, OS_SECRET_BYTES) : -ENAMETOOLONG;

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

    if (dir && dir[0] == '/' && strlen(dir) < sizeof(path) - 32) {
        snprintf(path, sizeof(path), "%s/millrace-secret", dir);
        os_secret_at(path, out);
    } else {
        os_random(out, OS_SECRET_BYTES);
    }
}
