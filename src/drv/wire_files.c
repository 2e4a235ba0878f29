#define _GNU_SOURCE
#include "drv/wire_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drv/dev.h"
#include "drv/wire_bell.h"
#include "os/os.h"

#define NAME_BYTES (WIRE_PATH_BYTES + 40)
#define PEER ",peer="

/* ---- names ------------------------------------------------------------------------------ */

bool wire_spec_read(const char *text, struct wire_spec *out)
{
    const char *colon = strrchr(text, ':');
    const char *rest = colon ? colon + 2 : NULL;
    size_t len = colon ? (size_t)(colon - text) : 0;

    *out = (struct wire_spec){.side = 0};
    if (len == 0 || len >= WIRE_PATH_BYTES - 8 || (colon[1] != '0' && colon[1] != '1'))
        return false;
    memcpy(out->path, text, len);
    out->side = (unsigned)(colon[1] - '0');
    if (!rest[0])
        return true;
    return out->side == 0 && strncmp(rest, PEER, strlen(PEER)) == 0 &&
           dev_number(rest + strlen(PEER), 1, MEMWIRE_QUEUES_MAX, &out->peer);
}

static void bell_name(char *out, const char *path, ino_t inode, unsigned side, unsigned queue)
{
    snprintf(out, NAME_BYTES, "%s.%llx.%u.%u", path, (unsigned long long)inode, side, queue);
}

void wire_bells_remove(const char *path, ino_t inode)
{
    char name[NAME_BYTES];

    for (unsigned side = 0; side < 2; side++)
        for (unsigned q = 0; q < MEMWIRE_QUEUES_MAX; q++) {
            bell_name(name, path, inode, side, q);
            if (unlink(name) < 0)
                break;
        }
}

void wire_files_remove(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0)
        wire_bells_remove(path, st.st_ino);
    unlink(path);
}

int wire_file_put(const char *fresh, const char *path)
{
    struct stat st;
    bool replaces = stat(path, &st) == 0;

    if (rename(fresh, path) < 0)
        return -errno;
    if (replaces)
        wire_bells_remove(path, st.st_ino);
    return 0;
}

/* ---- bells ------------------------------------------------------------------------------ */

/* For reading and writing, so that it never ends. */
static int open_bell(const char *path, ino_t inode, unsigned side, unsigned queue, bool make)
{
    char name[NAME_BYTES];

    bell_name(name, path, inode, side, queue);
    if (make) {
        unlink(name); /* of a wire long gone, whose inode is in use again */
        if (mkfifo(name, 0600) < 0)
            return -errno;
    }
    int fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_side(int *out, unsigned *count, unsigned want, const char *path, ino_t inode,
                     unsigned side, bool make)
{
    for (*count = 0; *count < want; ++*count) {
        int fd = open_bell(path, inode, side, *count, make);
        if (fd < 0)
            return fd;
        out[*count] = fd;
    }
    return 0;
}

static int open_both(struct wire_bell *b, const char *path, int fd, unsigned owns, unsigned peers,
                     unsigned side)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    int rc = open_side(b->own, &b->owns, owns, path, st.st_ino, side, side == 0);
    if (rc == 0)
        rc = open_side(b->peer, &b->peers, peers, path, st.st_ino, side ^ 1, side == 0);
    if (rc < 0) {
        wire_bell_close(b);
        if (side == 0)
            wire_bells_remove(path, st.st_ino);
    }
    return rc;
}

int wire_bells_make(struct wire_bell *b, const char *path, int fd, unsigned owns, unsigned peers)
{
    return open_both(b, path, fd, owns, peers, 0);
}

int wire_bells_find(struct wire_bell *b, const char *path, int fd, unsigned owns, unsigned peers)
{
    return open_both(b, path, fd, owns, peers, 1);
}

/* fcntl(2): the lock is the open file description's. */
int wire_lock(int fd)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};

    if (fcntl(fd, F_OFD_SETLK, &l) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EAGAIN : 0;
}
