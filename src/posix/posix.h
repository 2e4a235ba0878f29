/* posix: BSD sockets on Millrace: what an unmodified program calls.
 *
 * THEORY OF OPERATION
 *
 * A SESSION is what `millrace run` makes: one range of memory, shared by every process of the
 * session and lying at one address in all of them (PX_BASE).  In it lie
 *
 *      instances   stacks, one a slot; a slot is a queue of the port and a core of the stack's
 *      files       open file descriptions: what descriptors name, counted as the kernel counts them
 *      processes   one a process: its table from descriptor to file
 *      waiters     one a thread that sleeps, each with a bell (an eventfd that all inherit)
 *      the law     whose flow is whose (flow/home.h); its table names claimed slots only
 *
 *      process A                          process B (a fork, or exec'd)          janitor
 *      thread 1   thread 2                thread 1                               every instance
 *         |          |                       |                                   that nobody
 *      [instance 0][instance 1]           [instance 2]   [instance 3: free]      attends
 *         |          |                       |              |
 *       queue 0    queue 1                 queue 2        queue 3       of one port, opened once,
 *                                                                       before the program began
 *
 * Whatever the kernel does with sockets at fork, exec, exit, dup and SCM_RIGHTS therefore needs no
 * imitation: a connection lives in its instance, and any process that has a descriptor of it may
 * use it.  An instance is entered under its lock (inst.h), which is nearly always free: a thread
 * claims a slot when it first polls, accepts or connects, and its connections live there.
 *
 * Code and constant data are at one address in all processes of a session, too (the library is
 * linked to a base; session_join refuses a process where it could not have it), so that the few
 * pointers to code that lie in an instance (struct nic_ops, struct mr_backend) hold everywhere.
 *
 * THE JANITOR is a process made with the session.  It takes what processes leave behind: closes the
 * descriptors of those that have died, turns instances that nobody has turned for a millisecond
 * (a program that computes, a worker that was stopped), sends the FINs that are owed, and ends with
 * the session's last process.  While everybody sleeps it sleeps.
 *
 * DESCRIPTORS are kernel numbers.  socket() makes a kernel socket, which is the descriptor; a
 * connection that was accepted is a dup of the session's placeholder.  Beside it stands an entry in
 * the process's table, or none: then it is the kernel's and every call on it goes there.
 *
 * WHICH STACK.  A socket is fresh until it is bound to our address, connects, or listens.  A peer
 * that our routes lead to (struct px_net) makes it ours; any other makes it the kernel's, for good:
 * its entry goes, with a reason that `millrace why` tells.  A listener on the wildcard address, and
 * a datagram socket bound to it, is both: the kernel's socket listens, too.
 *
 * ERRORS: functions return a result or a negative errno; PX_PASS: not ours, let the kernel do it on
 * the same descriptor.
 *
 *      preload    names of libc; signals; fork and exec                        src/preload
 *      px_*       a call: this file                    sock_*.c  epoll.c  poll.c
 *      wait.h     sleeping and waking, readiness
 *      file.h     files and descriptors
 *      inst.h     instances, their lock, their turn
 *      session.h  memory, slots, processes, the law's table
 *      sys.h      system calls, bare: errno and our own wrappers stay out of it */
#pragma once

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Not ours: the caller asks the kernel. */
#define PX_PASS INT_MIN

/* ---- sock_*.c: sockets.  As the calls of their names, but for how they fail ---------------- */

int px_socket(int domain, int type, int protocol); /* PX_PASS: of no family or type that we have */
int px_bind(int fd, const struct sockaddr *a, socklen_t n);
int px_listen(int fd, int backlog);
int px_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags);
int px_connect(int fd, const struct sockaddr *a, socklen_t n);
int px_shutdown(int fd, int how);
int px_getsockname(int fd, struct sockaddr *a, socklen_t *n);
int px_getpeername(int fd, struct sockaddr *a, socklen_t *n);
int px_getsockopt(int fd, int level, int name, void *value, socklen_t *n);
int px_setsockopt(int fd, int level, int name, const void *value, socklen_t n);
/* read, recv and the like come here, as do write and send: flags as of recvmsg and sendmsg; SIGPIPE
 * is the caller's to raise, on -EPIPE without MSG_NOSIGNAL. */
ssize_t px_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t px_sendmsg(int fd, const struct msghdr *m, int flags);
/* The common cases of the two: connected, one piece, no control data. */
ssize_t px_recv(int fd, void *p, size_t n, int flags);
ssize_t px_send(int fd, const void *p, size_t n, int flags);
int px_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout);
int px_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
ssize_t px_sendfile(int out, int in, off_t *offset, size_t n);
ssize_t px_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t n, unsigned flags);
/* cmd: F_GETFL, F_SETFL, and those about descriptors; others pass.  ioctl: FIONBIO, FIONREAD,
 * SIOCOUTQ, SIOCATMARK ... */
int px_fcntl(int fd, int cmd, long arg);
int px_ioctl(int fd, unsigned long request, void *arg);

/* ---- desc.c: descriptors.  All of them are told, ours or not ------------------------------- */

int px_close(int fd);
int px_dup(int fd);
int px_dup3(int fd, int to, int flags, bool dup2); /* dup2: equal numbers are no error */
int px_close_range(unsigned first, unsigned last, unsigned flags);

/* ---- epoll.c, poll.c ----------------------------------------------------------------------- */

int px_epoll_create1(int flags);
int px_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);
/* timeout_us < 0: for ever. */
int px_epoll_wait(int ep, struct epoll_event *ev, int max, int64_t timeout_us,
                  const sigset_t *mask);
int px_poll(struct pollfd *p, nfds_t n, int64_t timeout_us, const sigset_t *mask);
int px_select(int n, fd_set *r, fd_set *w, fd_set *x, int64_t timeout_us, const sigset_t *mask);
