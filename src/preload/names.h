/* preload/names: wrappers that others of ours call: by our own names, for libc's mean the next. */
#pragma once

#include "preload/call.h"

int preload_socket(int domain, int type, int protocol);
int preload_bind(int fd, const struct sockaddr *a, socklen_t n);
int preload_listen(int fd, int backlog);
int preload_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags);
int preload_accept(int fd, struct sockaddr *a, socklen_t *n);
int preload_connect(int fd, const struct sockaddr *a, socklen_t n);
int preload_shutdown(int fd, int how);
int preload_getsockname(int fd, struct sockaddr *a, socklen_t *n);
int preload_getpeername(int fd, struct sockaddr *a, socklen_t *n);
int preload_getsockopt(int fd, int level, int name, void *value, socklen_t *n);
int preload_setsockopt(int fd, int level, int name, const void *value, socklen_t n);
ssize_t preload_read(int fd, void *p, size_t n);
ssize_t preload_readv(int fd, const struct iovec *v, int count);
ssize_t preload_recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *a,
                         socklen_t *length);
ssize_t preload_recvmsg(int fd, struct msghdr *m, int flags);
int preload_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t);
ssize_t preload_write(int fd, const void *p, size_t n);
ssize_t preload_writev(int fd, const struct iovec *v, int count);
ssize_t preload_sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *a,
                       socklen_t length);
ssize_t preload_sendmsg(int fd, const struct msghdr *m, int flags);
int preload_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
ssize_t preload_sendfile(int out, int in, off_t *offset, size_t n);
ssize_t preload_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t n,
                       unsigned flags);
int preload_epoll_create1(int flags);
int preload_epoll_create(int size);
int preload_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);
int preload_epoll_pwait(int ep, struct epoll_event *ev, int max, int timeout, const sigset_t *mask);
int preload_epoll_wait(int ep, struct epoll_event *ev, int max, int timeout);
int preload_epoll_pwait2(int ep, struct epoll_event *ev, int max, const struct timespec *t,
                         const sigset_t *mask);
int preload_poll(struct pollfd *p, nfds_t n, int timeout);
int preload_ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *mask);
int preload_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t);
int preload_pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *t,
                    const sigset_t *mask);
int preload_close(int fd);
int preload_close_range(unsigned first, unsigned last, int flags);
int preload_dup(int fd);
int preload_dup2(int fd, int to);
int preload_dup3(int fd, int to, int flags);
int preload_fcntl(int fd, int cmd, ...);
int preload_ioctl(int fd, unsigned long request, ...);
pid_t preload_fork(void);
int preload_execve(const char *path, char *const argv[], char *const envp[]);
int preload_execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags);
ssize_t preload_send(int fd, const void *p, size_t n, int flags);
int preload_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
