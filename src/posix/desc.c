/* Descriptors: calls that make them, move them and close them.  The number is the kernel's, and so
 * is every rule about it; beside it goes our entry.
 *
 * An entry is cleared before the kernel closes the number: from the moment it is closed another
 * thread may be given it, and its entry is that thread's. */
#include "posix/pools.h"

#include <errno.h>
#include <linux/close_range.h>

static bool is_table(int fd)
{
    return px_session && (unsigned)fd < PX_FDS;
}

/* The kernel has given out fd: it names f (whose reference goes with it; NULL: the kernel's). */
static int named(int fd, struct px_file *f, bool cloexec)
{
    if (fd < 0) {
        if (f)
            file_put(f);
        return fd;
    }
    if (f && !is_table(fd)) {
        sys_close(fd);
        file_put(f);
        return -EMFILE;
    }
    if (f)
        desc_set(fd, f, cloexec);
    else if (is_table(fd) && atomic_load_explicit(&px_proc->fd[fd].file, memory_order_relaxed))
        desc_clear(fd, PX_WHY_NOTHING); /* was closed behind our back (fclose) */
    return fd;
}

int desc_placeholder(bool cloexec)
{
    int fd = sys_fcntl(px_session->placeholder_fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);

    if (fd >= 0 && !is_table(fd)) {
        sys_close(fd);
        return -EMFILE;
    }
    return named(fd, NULL, cloexec);
}

int px_close(int fd)
{
    struct px_file *f = NULL;
    uint32_t index;
    int rc;

    if (session_hides(fd))
        return -EBADF;
    if (is_table(fd)) {
        index = atomic_load_explicit(&px_proc->fd[fd].file, memory_order_relaxed);
        if (index)
            index = atomic_exchange(&px_proc->fd[fd].file, 0);
        if (index)
            f = file_of(index);
        px_proc->fd[fd].why = PX_WHY_NOTHING;
    }
    rc = sys_close(fd);
    if (f)
        entry_gone(f);
    return rc;
}

int px_dup(int fd)
{
    struct px_file *f;

    if (session_hides(fd))
        return -EBADF;
    f = file_get(fd);
    return named(sys_dup(fd), f, false);
}

/* dup2(2), dup3(2).  A number that the session hides is, to the program, one that it has never
 * opened and cannot have: EBADF, as above its limit. */
int px_dup3(int fd, int to, int flags, bool dup2)
{
    struct px_file *f;

    if (fd == to)
        return !dup2 ? -EINVAL : session_hides(fd) || sys_fcntl(fd, F_GETFD, 0) < 0 ? -EBADF : fd;
    if (session_hides(fd) || session_hides(to))
        return flags & ~O_CLOEXEC ? -EINVAL : -EBADF;
    f = file_get(fd);
    if (f && !is_table(to)) {
        file_put(f);
        return -EBADF;
    }
    return named(sys_dup3(fd, to, flags), f, flags & O_CLOEXEC);
}

static int set_fd_flags(int fd, long arg)
{
    int rc = sys_fcntl(fd, F_SETFD, arg);

    if (rc >= 0)
        desc_set_cloexec(fd, arg & FD_CLOEXEC);
    return rc;
}

void desc_set_cloexec(int fd, bool cloexec)
{
    if (is_table(fd))
        px_proc->fd[fd].cloexec = cloexec;
}

int desc_fcntl(int fd, int cmd, long arg)
{
    if (session_hides(fd))
        return -EBADF;
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
        struct px_file *f = file_get(fd);

        return named(sys_fcntl(fd, cmd, arg), f, cmd == F_DUPFD_CLOEXEC);
    }
    case F_GETFD:
        return sys_fcntl(fd, F_GETFD, 0);
    case F_SETFD:
        return set_fd_flags(fd, arg);
    default:
        return PX_PASS;
    }
}

void desc_after_exec(void)
{
    uint32_t n = atomic_load(&px_proc->fds);

    for (uint32_t fd = 0; fd < n; fd++)
        if (px_proc->fd[fd].why && sys_fcntl((int)fd, F_GETFD, 0) < 0)
            desc_clear((int)fd, PX_WHY_NOTHING);
}

/* ---- close_range(2) -------------------------------------------------------------------------- */

/* Does another thread use this process's table?  Asked of the kernel: kcmp would want a second
 * thread's number, and the tables of two threads are one unless somebody has unshared. */
static bool is_alone(void)
{
    struct stat st;
    int fd = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return false;
    rc = sys_fstat(fd, &st);
    sys_close(fd);
    return rc == 0 && st.st_nlink == 3; /* ., .. and one thread */
}

/* The entries of a part; the kernel has not closed it yet. */
static void range_entries(unsigned first, unsigned last, unsigned flags)
{
    uint32_t n = px_session ? atomic_load(&px_proc->fds) : 0;

    for (unsigned fd = first; fd < n && fd <= last; fd++)
        if (flags & CLOSE_RANGE_CLOEXEC)
            px_proc->fd[fd].cloexec = 1;
        else if (px_proc->fd[fd].why)
            desc_clear((int)fd, PX_WHY_NOTHING);
}

static int close_part(unsigned first, unsigned last, unsigned flags, bool entries)
{
    if (first > last)
        return 0;
    if (entries)
        range_entries(first, last, flags);
    return sys_close_range(first, last, flags);
}

/* Around what the session hides.  With CLOSE_RANGE_UNSHARE and other threads, theirs stay open:
 * so do the entries, of which the process has one set only; exec looks what is left. */
int px_close_range(unsigned first, unsigned last, unsigned flags)
{
    unsigned lo, hi;
    bool entries;
    int rc;

    if (!px_session || first > last || flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
        return sys_close_range(first, last, flags);
    lo = (unsigned)px_session->hidden_lo;
    hi = (unsigned)px_session->hidden_hi;
    entries = !(flags & CLOSE_RANGE_UNSHARE) || is_alone();
    if (last < lo || first > hi)
        return close_part(first, last, flags, entries);
    rc = first < lo ? close_part(first, lo - 1, flags, entries) : 0;
    return rc == 0 && last > hi ? close_part(hi + 1, last, flags, entries) : rc;
}
