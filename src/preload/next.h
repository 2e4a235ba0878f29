/* preload/next: the functions that ours stand before. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/types.h"

struct termios;
struct winsize;
typedef void (*preload_handler)(int);

/* Those that the stack itself calls, too: there `name` means the next one (linker's --wrap, see
 * meson.build), so that a call of our own is never taken for the program's. */
#define NEXT_INNER(X)                                                                              \
    X(int, socket, (int a, int b, int c), (a, b, c))                                               \
    X(int, bind, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))                        \
    X(int, listen, (int a, int b), (a, b))                                                         \
    X(int, accept4, (int a, struct sockaddr *b, socklen_t *c, int d), (a, b, c, d))                \
    X(int, connect, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))                     \
    X(int, shutdown, (int a, int b), (a, b))                                                       \
    X(int, getsockname, (int a, struct sockaddr *b, socklen_t *c), (a, b, c))                      \
    X(int, getpeername, (int a, struct sockaddr *b, socklen_t *c), (a, b, c))                      \
    X(int, getsockopt, (int a, int b, int c, void *d, socklen_t *e), (a, b, c, d, e))              \
    X(int, setsockopt, (int a, int b, int c, const void *d, socklen_t e), (a, b, c, d, e))         \
    X(ssize_t, read, (int a, void *b, size_t c), (a, b, c))                                        \
    X(ssize_t, write, (int a, const void *b, size_t c), (a, b, c))                                 \
    X(ssize_t, readv, (int a, const struct iovec *b, int c), (a, b, c))                            \
    X(ssize_t, writev, (int a, const struct iovec *b, int c), (a, b, c))                           \
    X(ssize_t, recv, (int a, void *b, size_t c, int d), (a, b, c, d))                              \
    X(ssize_t, send, (int a, const void *b, size_t c, int d), (a, b, c, d))                        \
    X(ssize_t, recvfrom, (int a, void *b, size_t c, int d, struct sockaddr *e, socklen_t *f),      \
      (a, b, c, d, e, f))                                                                          \
    X(ssize_t, sendto,                                                                             \
      (int a, const void *b, size_t c, int d, const struct sockaddr *e, socklen_t f),              \
      (a, b, c, d, e, f))                                                                          \
    X(ssize_t, recvmsg, (int a, struct msghdr *b, int c), (a, b, c))                               \
    X(ssize_t, sendmsg, (int a, const struct msghdr *b, int c), (a, b, c))                         \
    X(int, recvmmsg, (int a, struct mmsghdr *b, unsigned c, int d, struct timespec *e),            \
      (a, b, c, d, e))                                                                             \
    X(int, sendmmsg, (int a, struct mmsghdr *b, unsigned c, int d), (a, b, c, d))                  \
    X(int, close, (int a), (a))                                                                    \
    X(int, dup, (int a), (a))                                                                      \
    X(int, dup2, (int a, int b), (a, b))                                                           \
    X(int, dup3, (int a, int b, int c), (a, b, c))                                                 \
    X(int, fcntl, (int a, int b, long c), (a, b, c))                                               \
    X(int, fcntl64, (int a, int b, long c), (a, b, c))                                             \
    X(int, ioctl, (int a, unsigned long b, void *c), (a, b, c))                                    \
    X(int, epoll_create1, (int a), (a))                                                            \
    X(int, epoll_ctl, (int a, int b, int c, struct epoll_event *d), (a, b, c, d))                  \
    X(int, epoll_wait, (int a, struct epoll_event *b, int c, int d), (a, b, c, d))                 \
    X(int, epoll_pwait2,                                                                           \
      (int a, struct epoll_event *b, int c, const struct timespec *d, const sigset_t *e),          \
      (a, b, c, d, e))                                                                             \
    X(int, poll, (struct pollfd * a, nfds_t b, int c), (a, b, c))                                  \
    X(int, ppoll, (struct pollfd * a, nfds_t b, const struct timespec *c, const sigset_t *d),      \
      (a, b, c, d))                                                                                \
    X(int, sigaction, (int a, const struct sigaction *b, struct sigaction *c), (a, b, c))          \
    X(long, syscall, (long a, long b, long c, long d, long e, long f, long g),                     \
      (a, b, c, d, e, f, g))                                                                       \
    X(pid_t, fork, (void), ())                                                                     \
    X(int, execve, (const char *a, char *const b[], char *const c[]), (a, b, c))

/* Those that only programs call. */
#define NEXT_OUTER(X)                                                                              \
    X(int, accept, (int a, struct sockaddr *b, socklen_t *c), ())                                  \
    X(ssize_t, sendfile, (int a, int b, off_t *c, size_t d), ())                                   \
    X(ssize_t, splice, (int a, off_t *b, int c, off_t *d, size_t e, unsigned f), ())               \
    X(int, closefrom, (int a), ())                                                                 \
    X(int, close_range, (unsigned a, unsigned b, int c), ())                                       \
    X(int, epoll_create, (int a), ())                                                              \
    X(int, epoll_pwait, (int a, struct epoll_event *b, int c, int d, const sigset_t *e), ())       \
    X(int, select, (int a, fd_set *b, fd_set *c, fd_set *d, struct timeval *e), ())                \
    X(int, pselect,                                                                                \
      (int a, fd_set *b, fd_set *c, fd_set *d, const struct timespec *e, const sigset_t *f), ())   \
    X(FILE *, fdopen, (int a, const char *b), ())                                                  \
    X(int, vdprintf, (int a, const char *b, va_list c), ())                                        \
    X(preload_handler, signal, (int a, preload_handler b), ())                                     \
    X(preload_handler, __sysv_signal, (int a, preload_handler b), ())                              \
    X(preload_handler, sigset, (int a, preload_handler b), ())                                     \
    X(int, sigignore, (int a), ())                                                                 \
    X(int, siginterrupt, (int a, int b), ())                                                       \
    X(pid_t, _Fork, (void), ())                                                                    \
    X(int, daemon, (int a, int b), ())                                                             \
    X(int, execvpe, (const char *a, char *const b[], char *const c[]), ())                         \
    X(int, fexecve, (int a, char *const b[], char *const c[]), ())                                 \
    X(int, execveat, (int a, const char *b, char *const c[], char *const d[], int e), ())          \
    X(pid_t, forkpty, (int *a, char *b, const struct termios *c, const struct winsize *d), ())     \
    X(int, posix_spawn,                                                                            \
      (pid_t * a, const char *b, const posix_spawn_file_actions_t *c, const posix_spawnattr_t *d,  \
       char *const e[], char *const f[]),                                                          \
      ())                                                                                          \
    X(int, posix_spawnp,                                                                           \
      (pid_t * a, const char *b, const posix_spawn_file_actions_t *c, const posix_spawnattr_t *d,  \
       char *const e[], char *const f[]),                                                          \
      ())

struct preload_next {
#define NEXT_MEMBER(type, name, params, args) type(*name) params;
    NEXT_INNER(NEXT_MEMBER)
    NEXT_OUTER(NEXT_MEMBER)
#undef NEXT_MEMBER
};
extern struct preload_next preload_next;

/* Find them all; before the constructor has run, because another's calls us. */
void preload_find(void);

/* Called as a function. */
#define NEXT(name)                                                                                 \
    (*(unlikely(!preload_next.name) ? (preload_find(), preload_next.name) : preload_next.name))

/* Defines preload_NAME, which programs find under libc's name.  Not under that name here: libc's
 * headers declare some with types that only they may use, and a call of it would mean the next. */
#define WRAPPER(type, name, params)                                                                \
    type preload_##name params;                                                                    \
    extern type preload_as_##name params __asm__(#name)                                            \
        __attribute__((visibility("default"), alias("preload_" #name)));                           \
    type preload_##name params
