/* syscall(): the numbers of calls that concern us mean what their names do.  What libc itself does
 * for the others, clone and exit among them, needs no help. */
#include "preload/names.h"

#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/preload.h"

#define KERNEL_SIGSET 8u /* bytes of the kernel's sets of signals; libc's are larger */

/* Not a call that concerns us. */
#define ELSEWHERE (-4096L)

/* io_uring passes libc by: a program that finds none does without. */
static long no_io_uring(void)
{
    static _Atomic bool said;

    atomic_store(&px_proc->note, PX_NOTE_IO_URING);
    if (!atomic_exchange(&said, true))
        preload_say("%s %s", program_invocation_short_name, px_note_text[PX_NOTE_IO_URING]);
    errno = ENOSYS;
    return -1;
}

#define FD ((int)a[0])
#define INT(i) ((int)a[i])
#define U32(i) ((unsigned)a[i])
#define N(i) ((size_t)a[i])
#define P(i) ((void *)a[i])

static long sockets(long number, const long *a)
{
    switch (number) {
    case SYS_socket:
        return preload_socket(INT(0), INT(1), INT(2));
    case SYS_bind:
        return preload_bind(FD, P(1), U32(2));
    case SYS_listen:
        return preload_listen(FD, INT(1));
    case SYS_accept:
        return preload_accept(FD, P(1), P(2));
    case SYS_accept4:
        return preload_accept4(FD, P(1), P(2), INT(3));
    case SYS_connect:
        return preload_connect(FD, P(1), U32(2));
    case SYS_shutdown:
        return preload_shutdown(FD, INT(1));
    case SYS_getsockname:
        return preload_getsockname(FD, P(1), P(2));
    case SYS_getpeername:
        return preload_getpeername(FD, P(1), P(2));
    case SYS_getsockopt:
        return preload_getsockopt(FD, INT(1), INT(2), P(3), P(4));
    case SYS_setsockopt:
        return preload_setsockopt(FD, INT(1), INT(2), P(3), U32(4));
    default:
        return ELSEWHERE;
    }
}

static long data(long number, const long *a)
{
    switch (number) {
    case SYS_read:
        return preload_read(FD, P(1), N(2));
    case SYS_write:
        return preload_write(FD, P(1), N(2));
    case SYS_readv:
        return preload_readv(FD, P(1), INT(2));
    case SYS_writev:
        return preload_writev(FD, P(1), INT(2));
    case SYS_recvfrom:
        return preload_recvfrom(FD, P(1), N(2), INT(3), P(4), P(5));
    case SYS_sendto:
        return preload_sendto(FD, P(1), N(2), INT(3), P(4), U32(5));
    case SYS_recvmsg:
        return preload_recvmsg(FD, P(1), INT(2));
    case SYS_sendmsg:
        return preload_sendmsg(FD, P(1), INT(2));
    case SYS_recvmmsg:
        return preload_recvmmsg(FD, P(1), U32(2), INT(3), P(4));
    case SYS_sendmmsg:
        return preload_sendmmsg(FD, P(1), U32(2), INT(3));
    case SYS_sendfile:
        return preload_sendfile(FD, INT(1), P(2), N(3));
    case SYS_splice:
        return preload_splice(FD, P(1), INT(2), P(3), N(4), U32(5));
    default:
        return ELSEWHERE;
    }
}

static long descriptors(long number, const long *a)
{
    switch (number) {
    case SYS_close:
        return preload_close(FD);
    case SYS_close_range:
        return preload_close_range(U32(0), U32(1), INT(2));
    case SYS_dup:
        return preload_dup(FD);
    case SYS_dup2:
        return preload_dup2(FD, INT(1));
    case SYS_dup3:
        return preload_dup3(FD, INT(1), INT(2));
    case SYS_fcntl:
        return preload_fcntl(FD, INT(1), a[2]);
    case SYS_ioctl:
        return preload_ioctl(FD, (unsigned long)a[1], P(2));
    default:
        return ELSEWHERE;
    }
}

/* The kernel's set of signals, as libc's; NULL stays NULL. */
static const sigset_t *whole(const void *kernels, sigset_t *set)
{
    if (!kernels)
        return NULL;
    sigemptyset(set);
    memcpy(set, kernels, KERNEL_SIGSET);
    return set;
}

static long polls(long number, const long *a)
{
    sigset_t set;

    switch (number) {
    case SYS_epoll_create:
        return preload_epoll_create(INT(0));
    case SYS_epoll_create1:
        return preload_epoll_create1(INT(0));
    case SYS_epoll_ctl:
        return preload_epoll_ctl(FD, INT(1), INT(2), P(3));
    case SYS_epoll_wait:
        return preload_epoll_wait(FD, P(1), INT(2), INT(3));
    case SYS_epoll_pwait:
        return preload_epoll_pwait(FD, P(1), INT(2), INT(3), whole(P(4), &set));
    case SYS_epoll_pwait2:
        return preload_epoll_pwait2(FD, P(1), INT(2), P(3), whole(P(4), &set));
    case SYS_poll:
        return preload_poll(P(0), (nfds_t)a[1], INT(2));
    case SYS_ppoll:
        return preload_ppoll(P(0), (nfds_t)a[1], P(2), whole(P(3), &set));
    case SYS_select:
        return preload_select(INT(0), P(1), P(2), P(3), P(4));
    case SYS_pselect6:
        return preload_pselect(INT(0), P(1), P(2), P(3), P(4),
                               whole(P(5) ? *(void **)P(5) : NULL, &set));
    default:
        return ELSEWHERE;
    }
}

static long processes(long number, const long *a)
{
    switch (number) {
    case SYS_fork:
    case SYS_vfork:
        return preload_fork();
    case SYS_execve:
        return preload_execve(P(0), P(1), P(2));
    case SYS_execveat:
        return preload_execveat(FD, P(1), P(2), P(3), INT(4));
    case SYS_io_uring_setup:
        return no_io_uring();
    default:
        return ELSEWHERE;
    }
}

WRAPPER(long, syscall, (long number, ...))
{
    static long (*const groups[])(long, const long *) = {sockets, data, descriptors, polls,
                                                         processes};
    long a[6], rc;
    va_list args;

    va_start(args, number);
    for (unsigned i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    /* What threads and locks are made of comes first, and is nobody's business here. */
    if (px_session && number != SYS_futex)
        for (unsigned i = 0; i < ARRAY_LEN(groups); i++)
            if ((rc = groups[i](number, a)) != ELSEWHERE)
                return rc;
    return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
