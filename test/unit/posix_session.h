/* A session in one process, on a wire in shared memory that nobody else is at: for tests of what
 * needs one.  Connections to our own address stay inside the stack. */
#pragma once

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posix/pools.h"
#include "posix/session_int.h"

#ifndef SESSION_WITH_SOCKETS
/* In a test that has no sockets: what sock_*.c would do. */
__attribute__((weak)) void file_event(struct mr *m, void *inst, const struct mr_event *ev)
{
    (void)m;
    (void)inst;
    (void)ev;
}
__attribute__((weak)) void file_lost(unsigned slot)
{
    (void)slot;
}
__attribute__((weak)) void file_closed(struct px_file *f)
{
    (void)f;
}
__attribute__((weak)) void listeners_left(unsigned slot)
{
    (void)slot;
}
__attribute__((weak)) void listeners_again(void)
{
}
__attribute__((weak)) void listener_left(struct px_file *f, int32_t pid)
{
    (void)f;
    (void)pid;
}
__attribute__((weak)) void listener_open(struct px_file *f, struct px_inst *i)
{
    (void)f;
    (void)i;
}
__attribute__((weak)) uint32_t file_level(const struct px_file *f)
{
    return atomic_load(&f->level);
}

#endif

static char session_path[64];

static inline int session_setup(void **state)
{
    struct px_session_config c = {.slots = 4};
    char dev[80], why[200] = "";

    (void)state;
    mr_config_init(&c.net);
    snprintf(session_path, sizeof(session_path), "/tmp/px-session-%d", (int)getpid());
    snprintf(dev, sizeof(dev), "shm:%s:0", session_path);
    c.net.dev = dev;
    c.net.addr = mr_addr4(10, 9, 0, 2, 0);
    c.net.prefix_len = 24;
    c.net.max_conns = 256;
    if (session_create(&c, why, sizeof(why)) < 0) {
        printf("# %s\n", why);
        return -1;
    }
    return 0;
}

static inline int session_teardown(void **state)
{
    int fd[2] = {px_session->hidden_lo, px_session->hidden_hi};

    (void)state;
    session_thread_ends();
    for (unsigned i = 0; i < session_own()->maps; i++)
        sys_munmap((void *)session_own()->map[i].at, session_own()->map[i].bytes);
    sys_munmap(px_session, session_own()->bytes);
    sys_close_range((unsigned)fd[0], (unsigned)fd[1], 0);
    px_session = NULL;
    unlink(session_path);
    return 0;
}

/* A descriptor that names a file of ours which says of itself what the test says: no socket of the
 * stack is behind it. */
static inline int session_fake(struct px_file **out)
{
    int fd = desc_placeholder(false);
    struct px_file *f = file_new(PX_CONN);

    desc_set(fd, f, false);
    if (out)
        *out = f;
    return fd;
}

static inline void session_level(struct px_file *f, uint32_t level)
{
    uint32_t was = atomic_exchange(&f->level, level);

    if (level & ~was)
        wait_notify(f, level & ~was, -1);
}
