/* posix/sys: system calls, bare.
 *
 * A wrapper of libc's may be one of ours, sets the program's errno, and may be a cancellation
 * point; none of that may happen inside a call that the program made.  These return what the kernel
 * says: a result, or a negative errno.  The clock is os_now_us, which asks no kernel. */
#pragma once

#if !defined(__x86_64__)
#error "posix/sys knows x86-64's system calls only"
#endif

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

/* The kernel's own set of signals, whatever libc's is. */
#define SYS_SIGSET_BYTES 8u

static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return rc;
}
static inline long sys_call4(long nr, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return rc;
}
static inline long sys_call3(long nr, long a, long b, long c)
{
    long rc;

    __asm__ volatile("syscall"
                     : "=a"(rc)
                     : "0"(nr), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return rc;
}

/* ---- descriptors --------------------------------------------------------------------------- */

static inline ssize_t sys_read(int fd, void *p, size_t n)
{
    return sys_call3(SYS_read, fd, (long)p, (long)n);
}
static inline ssize_t sys_write(int fd, const void *p, size_t n)
{
    return sys_call3(SYS_write, fd, (long)p, (long)n);
}
static inline ssize_t sys_pread(int fd, void *p, size_t n, off_t at)
{
    return sys_call4(SYS_pread64, fd, (long)p, (long)n, at);
}
static inline int sys_open(const char *path, int flags, int mode)
{
    return (int)sys_call4(SYS_openat, AT_FDCWD, (long)path, flags, mode);
}
static inline int sys_close(int fd)
{
    return (int)sys_call3(SYS_close, fd, 0, 0);
}
static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)sys_call3(SYS_close_range, (long)first, (long)last, (long)flags);
}
static inline int sys_dup(int fd)
{
    return (int)sys_call3(SYS_dup, fd, 0, 0);
}
static inline int sys_dup3(int fd, int to, int flags)
{
    return (int)sys_call3(SYS_dup3, fd, to, flags);
}
static inline int sys_fcntl(int fd, int cmd, long arg)
{
    return (int)sys_call3(SYS_fcntl, fd, cmd, arg);
}
static inline int sys_ioctl(int fd, unsigned long request, void *arg)
{
    return (int)sys_call3(SYS_ioctl, fd, (long)request, (long)arg);
}
static inline off_t sys_lseek(int fd, off_t at, int whence)
{
    return sys_call3(SYS_lseek, fd, at, whence);
}
static inline int sys_fstat(int fd, struct stat *st)
{
    return (int)sys_call3(SYS_fstat, fd, (long)st, 0);
}
static inline int sys_ftruncate(int fd, off_t n)
{
    return (int)sys_call3(SYS_ftruncate, fd, n, 0);
}
static inline int sys_eventfd(unsigned count, int flags)
{
    return (int)sys_call3(SYS_eventfd2, (long)count, flags, 0);
}
static inline int sys_memfd_create(const char *name, unsigned flags)
{
    return (int)sys_call3(SYS_memfd_create, (long)name, (long)flags, 0);
}
/* ---- sockets ------------------------------------------------------------------------------- */

static inline int sys_socket(int domain, int type, int protocol)
{
    return (int)sys_call3(SYS_socket, domain, type, protocol);
}
static inline int sys_bind(int fd, const struct sockaddr *a, socklen_t n)
{
    return (int)sys_call3(SYS_bind, fd, (long)a, (long)n);
}
static inline int sys_listen(int fd, int backlog)
{
    return (int)sys_call3(SYS_listen, fd, backlog, 0);
}
static inline int sys_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
    return (int)sys_call4(SYS_accept4, fd, (long)a, (long)n, flags);
}
static inline int sys_connect(int fd, const struct sockaddr *a, socklen_t n)
{
    return (int)sys_call3(SYS_connect, fd, (long)a, (long)n);
}
static inline int sys_shutdown(int fd, int how)
{
    return (int)sys_call3(SYS_shutdown, fd, how, 0);
}
static inline int sys_getsockname(int fd, struct sockaddr *a, socklen_t *n)
{
    return (int)sys_call3(SYS_getsockname, fd, (long)a, (long)n);
}
static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
    return (int)sys_call6(SYS_getsockopt, fd, level, name, (long)value, (long)n, 0);
}
static inline int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    return (int)sys_call6(SYS_setsockopt, fd, level, name, (long)value, (long)n, 0);
}
static inline ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
    return sys_call3(SYS_sendmsg, fd, (long)m, flags);
}
static inline ssize_t sys_recvmsg(int fd, struct msghdr *m, int flags)
{
    return sys_call3(SYS_recvmsg, fd, (long)m, flags);
}
/* ---- waiting ------------------------------------------------------------------------------- */

/* The kernel writes the time that is left into *t.  mask: NULL leaves it. */
static inline int sys_ppoll(struct pollfd *p, unsigned n, struct timespec *t, const sigset_t *mask)
{
    return (int)sys_call6(SYS_ppoll, (long)p, (long)n, (long)t, (long)mask, SYS_SIGSET_BYTES, 0);
}
static inline int sys_epoll_create1(int flags)
{
    return (int)sys_call3(SYS_epoll_create1, flags, 0, 0);
}
static inline int sys_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    return (int)sys_call4(SYS_epoll_ctl, ep, op, fd, (long)ev);
}
/* timeout in milliseconds, for kernels without epoll_pwait2 (5.11). */
static inline int sys_epoll_pwait(int ep, struct epoll_event *ev, int max, int timeout_ms,
                                  const sigset_t *mask)
{
    return (int)sys_call6(SYS_epoll_pwait, ep, (long)ev, max, timeout_ms, (long)mask,
                          SYS_SIGSET_BYTES);
}
static inline int sys_epoll_wait(int ep, struct epoll_event *ev, int max, int timeout_ms)
{
    return sys_epoll_pwait(ep, ev, max, timeout_ms, NULL);
}
/* op: FUTEX_WAIT, FUTEX_WAKE ... of linux/futex.h; t: relative. */
static inline int sys_futex(void *word, int op, uint32_t value, const struct timespec *t)
{
    return (int)sys_call6(SYS_futex, (long)word, op, (long)value, (long)t, 0, 0);
}
static inline int sys_nanosleep_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

    return (int)sys_call3(SYS_nanosleep, (long)&t, 0, 0);
}

/* ---- processes, signals, memory -------------------------------------------------------------- */

static inline int sys_gettid(void)
{
    return (int)sys_call3(SYS_gettid, 0, 0, 0);
}
static inline int sys_getpid(void)
{
    return (int)sys_call3(SYS_getpid, 0, 0, 0);
}
static inline int sys_getppid(void)
{
    return (int)sys_call3(SYS_getppid, 0, 0, 0);
}
static inline int sys_tgkill(int pid, int tid, int sig)
{
    return (int)sys_call3(SYS_tgkill, pid, tid, sig);
}
static inline int sys_tkill(int tid, int sig)
{
    return (int)sys_call3(SYS_tkill, tid, sig, 0);
}
static inline int sys_pidfd_open(int pid, unsigned flags)
{
    return (int)sys_call3(SYS_pidfd_open, pid, (long)flags, 0);
}
static inline int sys_setsid(void)
{
    return (int)sys_call3(SYS_setsid, 0, 0, 0);
}
static inline _Noreturn void sys_exit_group(int status)
{
    for (;;)
        sys_call3(SYS_exit_group, status, 0, 0);
}
static inline int sys_prlimit(int pid, int what, const struct rlimit *set, struct rlimit *old)
{
    return (int)sys_call4(SYS_prlimit64, pid, what, (long)set, (long)old);
}
/* The kernel's 64 signals, one bit each. */
static inline int sys_rt_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
    return (int)sys_call4(SYS_rt_sigprocmask, how, (long)set, (long)old, SYS_SIGSET_BYTES);
}
static inline void *sys_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    return (void *)sys_call6(SYS_mmap, (long)at, (long)n, prot, flags, fd, offset);
}
static inline bool sys_mmap_failed(const void *p)
{
    return (uintptr_t)p > (uintptr_t)-4096;
}
static inline int sys_munmap(void *at, size_t n)
{
    return (int)sys_call3(SYS_munmap, (long)at, (long)n, 0);
}
static inline int sys_madvise(void *at, size_t n, int advice)
{
    return (int)sys_call3(SYS_madvise, (long)at, (long)n, advice);
}
