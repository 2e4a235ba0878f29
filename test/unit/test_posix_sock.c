/* Sockets of a session whose peer is the session itself: connections to our own address stay in the
 * stack.  What a program sees is Linux's; it is compared with Linux in test/posix. */
#define _GNU_SOURCE
#define SESSION_WITH_SOCKETS
#include "lib/cmocka_first.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "os/os.h"
#include "posix/janitor_int.h"
#include "posix_session.h"

#define TCP_NODELAY_ 1 /* netinet/tcp.h has names of the stack's */
#define TCP_CONGESTION_ 13
#define TCP_ULP_ 31

static struct sockaddr_in at(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static int bind_to(int fd, const char *ip, int port)
{
    struct sockaddr_in a = at(ip, port);

    return px_bind(fd, (void *)&a, sizeof(a));
}

static int connect_to(int fd, const char *ip, int port)
{
    struct sockaddr_in a = at(ip, port);

    return px_connect(fd, (void *)&a, sizeof(a));
}

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);

    assert_int_equal(px_getsockname(fd, (void *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static int tcp(int flags)
{
    int fd = px_socket(AF_INET, SOCK_STREAM | flags, 0);

    assert_true(fd >= 0);
    return fd;
}

static int listener(int *port)
{
    int fd = tcp(0);

    assert_int_equal(bind_to(fd, "10.9.0.2", 0), 0);
    assert_int_equal(px_listen(fd, 8), 0);
    *port = port_of(fd);
    return fd;
}

/* Two ends of one connection. */
static void pair(int *ours, int *theirs)
{
    int port, l = listener(&port);

    *ours = tcp(0);
    assert_int_equal(connect_to(*ours, "10.9.0.2", port), 0);
    *theirs = px_accept4(l, NULL, NULL, 0);
    assert_true(*theirs >= 0);
    px_close(l);
}

static short polled(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};

    px_poll(&p, 1, 0, NULL);
    return p.revents;
}

static void shut(int a, int b)
{
    px_close(a);
    px_close(b);
}

static int get(int fd, int level, int name)
{
    int v = -1;
    socklen_t n = sizeof(v);
    int rc = px_getsockopt(fd, level, name, &v, &n);

    return rc < 0 ? rc : v;
}

static int set(int fd, int level, int name, int v)
{
    return px_setsockopt(fd, level, name, &v, sizeof(v));
}

/* ---- connections ----------------------------------------------------------------------------- */

static void a_program_talks_to_itself(void **state)
{
    int a, b;
    char room[16];

    (void)state;
    pair(&a, &b);
    assert_int_equal(px_send(a, "hello", 5, 0), 5);
    assert_int_equal(px_recv(b, room, sizeof(room), 0), 5);
    assert_memory_equal(room, "hello", 5);
    assert_int_equal(px_recv(b, room, 1, MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(px_shutdown(a, SHUT_WR), 0);
    assert_int_equal(px_recv(b, room, 1, 0), 0);
    assert_int_equal(polled(b), POLLIN | POLLOUT | POLLRDHUP);
    assert_int_equal(px_send(b, "back", 4, 0), 4);
    assert_int_equal(px_recv(a, room, sizeof(room), 0), 4);
    assert_int_equal(px_send(a, "x", 1, MSG_NOSIGNAL), -EPIPE);
    shut(a, b);
}

static void nobody_listens_is_refused(void **state)
{
    int fd = tcp(0), later = tcp(SOCK_NONBLOCK);

    (void)state;
    assert_int_equal(connect_to(fd, "10.9.0.2", 9), -ECONNREFUSED);
    assert_int_equal(connect_to(later, "10.9.0.2", 9), -EINPROGRESS);
    struct pollfd p = {.fd = later, .events = POLLOUT};
    assert_int_equal(px_poll(&p, 1, 1000000, NULL), 1);
    assert_int_equal(p.revents, POLLOUT | POLLERR | POLLHUP);
    assert_int_equal(get(later, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(get(later, SOL_SOCKET, SO_ERROR), 0);
    shut(fd, later);
}

static void a_fresh_socket_says_so(void **state)
{
    int fd = tcp(0);
    char c;

    (void)state;
    assert_int_equal(polled(fd), POLLOUT | POLLHUP);
    assert_int_equal(px_recv(fd, &c, 1, 0), -ENOTCONN);
    assert_int_equal(px_send(fd, "x", 1, MSG_NOSIGNAL), -EPIPE);
    assert_int_equal(px_accept4(fd, NULL, NULL, 0), -EINVAL);
    px_close(fd);
}

static void peek_and_waitall_and_trunc(void **state)
{
    int a, b;
    char room[16];

    (void)state;
    pair(&a, &b);
    assert_int_equal(px_send(a, "0123456789", 10, 0), 10);
    assert_int_equal(px_recv(b, room, 4, MSG_PEEK), 4);
    assert_int_equal(px_recv(b, room, 4, MSG_TRUNC), 4);
    struct iovec v[2] = {{room, 2}, {room + 2, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    assert_int_equal(px_recvmsg(b, &m, MSG_WAITALL), 6);
    assert_memory_equal(room, "456789", 6);
    shut(a, b);
}

static void unread_data_makes_close_a_reset(void **state)
{
    int a, b;
    char c;

    (void)state;
    pair(&a, &b);
    assert_int_equal(px_send(a, "x", 1, 0), 1);
    assert_int_equal(px_recv(b, &c, 1, MSG_PEEK), 1);
    px_close(b);
    assert_int_equal(px_recv(a, &c, 1, 0), -ECONNRESET);
    assert_int_equal(px_recv(a, &c, 1, 0), 0);
    assert_int_equal(px_send(a, "x", 1, MSG_NOSIGNAL), -EPIPE);
    px_close(a);
}

static void a_full_buffer_loses_nothing(void **state)
{
    static uint8_t out[65536], in[65536];
    int a, b;
    size_t sent = 0, got = 0;
    ssize_t rc;

    (void)state;
    pair(&a, &b);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 7);
    while ((rc = px_send(a, out + sent % 256, 65536 - 256, MSG_DONTWAIT)) > 0)
        sent += (size_t)rc;
    assert_int_equal(rc, -EAGAIN);
    assert_false(polled(a) & POLLOUT);
    for (uint64_t until = os_now_us() + 1000000; got < sent && os_now_us() < until;)
        if ((rc = px_recv(b, in, sizeof(in), MSG_DONTWAIT)) > 0)
            got += (size_t)rc;
    assert_int_equal(got, sent);
    assert_true(polled(a) & POLLOUT);
    shut(a, b);
}

static void a_second_connect_hears_what_became_of_the_first(void **state)
{
    int port, l = listener(&port), fd = tcp(SOCK_NONBLOCK);
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    (void)state;
    assert_int_equal(connect_to(fd, "10.9.0.2", port), -EINPROGRESS);
    assert_int_equal(px_poll(&p, 1, 1000000, NULL), 1);
    assert_int_equal(connect_to(fd, "10.9.0.2", port), 0);
    assert_int_equal(connect_to(fd, "10.9.0.2", port), -EISCONN);
    shut(fd, l);
}

/* ---- ports ----------------------------------------------------------------------------------- */

static void a_port_is_one_listeners(void **state)
{
    int port, l = listener(&port), fd = tcp(0), reuse = tcp(0);

    (void)state;
    assert_int_equal(bind_to(fd, "10.9.0.2", port), -EADDRINUSE);
    assert_int_equal(bind_to(l, "10.9.0.2", 0), -EINVAL);
    set(reuse, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(bind_to(reuse, "10.9.0.2", port), -EADDRINUSE);
    assert_int_equal(bind_to(fd, "0.0.0.0", port), -EADDRINUSE);
    assert_int_equal(bind_to(fd, "127.0.0.1", port), 0);
    assert_null(file_peek(fd)); /* the kernel's now */
    px_close(fd);
    shut(l, reuse);
}

static void reuseport_shares_a_port_in_one_slot(void **state)
{
    int a = tcp(0), b = tcp(0), port, c, accepted;

    (void)state;
    set(a, SOL_SOCKET, SO_REUSEPORT, 1);
    set(b, SOL_SOCKET, SO_REUSEPORT, 1);
    assert_int_equal(bind_to(a, "10.9.0.2", 0), 0);
    port = port_of(a);
    assert_int_equal(bind_to(b, "10.9.0.2", port), 0);
    assert_int_equal(px_listen(a, 8), 0);
    assert_int_equal(px_listen(b, 8), 0);
    px_close(a); /* the other is left, and has the port */
    c = tcp(0);
    assert_int_equal(connect_to(c, "10.9.0.2", port), 0);
    accepted = px_accept4(b, NULL, NULL, SOCK_NONBLOCK);
    assert_true(accepted >= 0);
    shut(c, accepted);
    px_close(b);
}

static void a_listener_that_is_shut_down_may_listen_again(void **state)
{
    int port, l = listener(&port), c = tcp(0);

    (void)state;
    assert_int_equal(px_shutdown(l, SHUT_WR), 0);
    assert_int_equal(px_shutdown(l, SHUT_RD), 0);
    assert_int_equal(px_accept4(l, NULL, NULL, 0), -EINVAL);
    assert_int_equal(connect_to(c, "10.9.0.2", port), -ECONNREFUSED);
    assert_int_equal(px_listen(l, 8), 0);
    assert_int_equal(connect_to(c, "10.9.0.2", port), 0);
    shut(c, l);
}

static void a_wildcard_listener_is_in_both_worlds(void **state)
{
    int l = tcp(0), ours = tcp(0), kernels = socket(AF_INET, SOCK_STREAM, 0), a, b, port;

    (void)state;
    assert_int_equal(bind_to(l, "0.0.0.0", 0), 0);
    assert_int_equal(px_listen(l, 8), 0);
    port = port_of(l);
    struct sockaddr_in lo = at("127.0.0.1", port);
    assert_int_equal(connect(kernels, (void *)&lo, sizeof(lo)), 0);
    assert_int_equal(connect_to(ours, "10.9.0.2", port), 0);
    a = px_accept4(l, NULL, NULL, 0);
    b = px_accept4(l, NULL, NULL, 0);
    assert_true(a >= 0 && b >= 0);
    assert_true(!file_peek(a) != !file_peek(b)); /* one of each */
    shut(a, b);
    shut(ours, l);
    close(kernels);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static void datagrams_keep_their_ends(void **state)
{
    int a = px_socket(AF_INET, SOCK_DGRAM, 0), b = px_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to, from;
    char room[8];
    struct iovec v = {room, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_name = &from};

    (void)state;
    assert_int_equal(bind_to(a, "10.9.0.2", 0), 0);
    to = at("10.9.0.2", port_of(a));
    struct iovec out = {(char *)(uintptr_t) "datagram", 8};
    struct msghdr s = {
        .msg_iov = &out, .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof(to)};
    assert_int_equal(px_sendmsg(b, &s, 0), 8);
    m.msg_namelen = sizeof(from);
    assert_int_equal(px_recvmsg(a, &m, MSG_PEEK | MSG_TRUNC), 8);
    m.msg_namelen = sizeof(from);
    assert_int_equal(px_recvmsg(a, &m, 0), 4);
    assert_true(m.msg_flags & MSG_TRUNC);
    assert_int_equal(from.sin_addr.s_addr, to.sin_addr.s_addr);
    assert_int_equal(ntohs(from.sin_port), port_of(b));
    assert_int_equal(px_recvmsg(a, &m, MSG_DONTWAIT), -EAGAIN);
    shut(a, b);
}

static void a_connected_datagram_socket_hears_of_refusal(void **state)
{
    int a = px_socket(AF_INET, SOCK_DGRAM, 0);
    char c;

    (void)state;
    assert_int_equal(connect_to(a, "10.9.0.2", 9), 0);
    assert_int_equal(px_send(a, "x", 1, 0), 1);
    assert_int_equal(px_recv(a, &c, 1, 0), -ECONNREFUSED);
    assert_int_equal(px_recv(a, &c, 1, MSG_DONTWAIT), -EAGAIN);
    px_close(a);
}

static void a_wildcard_datagram_socket_hears_both_worlds(void **state)
{
    int a = px_socket(AF_INET, SOCK_DGRAM, 0), b = px_socket(AF_INET, SOCK_DGRAM, 0);
    int k = socket(AF_INET, SOCK_DGRAM, 0);
    char room[8];

    (void)state;
    assert_int_equal(bind_to(a, "0.0.0.0", 0), 0);
    struct sockaddr_in lo = at("127.0.0.1", port_of(a));
    assert_int_equal(sendto(k, "kernel", 6, 0, (void *)&lo, sizeof(lo)), 6);
    assert_int_equal(px_recv(a, room, 8, 0), 6);
    assert_int_equal(connect_to(b, "10.9.0.2", port_of(a)), 0);
    assert_int_equal(px_send(b, "ours", 4, 0), 4);
    assert_int_equal(px_recv(a, room, 8, 0), 4);
    shut(a, b);
    close(k);
}

/* ---- options --------------------------------------------------------------------------------- */

static void options_are_kept_inherited_or_refused(void **state)
{
    int port, l = listener(&port), c = tcp(0), a;
    struct timeval t = {1, 500000};

    (void)state;
    assert_int_equal(set(l, IPPROTO_TCP, TCP_NODELAY_, 1), 0);
    assert_int_equal(set(l, SOL_SOCKET, SO_RCVBUF, 50000), 0);
    assert_int_equal(px_setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
    assert_int_equal(connect_to(c, "10.9.0.2", port), 0);
    a = px_accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(get(a, IPPROTO_TCP, TCP_NODELAY_), 1);
    assert_int_equal(get(a, SOL_SOCKET, SO_RCVBUF), 100000);
    assert_int_equal(px_fcntl(a, F_GETFL, 0), O_RDWR);
    assert_int_equal(px_fcntl(a, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(get(c, IPPROTO_TCP, TCP_NODELAY_), 0);
    assert_int_equal(px_setsockopt(c, IPPROTO_TCP, TCP_CONGESTION_, "vegas", 5), -ENOENT);
    assert_int_equal(px_setsockopt(c, IPPROTO_TCP, TCP_CONGESTION_, "reno", 4), 0);
    assert_int_equal(px_setsockopt(c, IPPROTO_TCP, TCP_ULP_, "tls", 3), -ENOENT);
    assert_int_equal(set(c, SOL_SOCKET, SO_ZEROCOPY, 1), -EOPNOTSUPP);
    assert_int_equal(px_setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &port, 3), -EINVAL);
    assert_int_equal(get(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(get(a, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    shut(a, c);
    px_close(l);
}

static void a_time_out_ends_a_wait(void **state)
{
    struct timeval t = {0, 20000};
    int a, b;
    char c;

    (void)state;
    pair(&a, &b);
    assert_int_equal(px_setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
    uint64_t from = os_now_us();
    assert_int_equal(px_recv(a, &c, 1, 0), -EAGAIN);
    assert_in_range(os_now_us() - from, 19000, 500000);
    shut(a, b);
}

/* ---- files and pipes ------------------------------------------------------------------------- */

static void a_pipe_takes_no_more_than_it_has_room_for(void **state)
{
    static char block[20000];
    int a, b, p[2], left = 0;

    (void)state;
    pair(&a, &b);
    assert_int_equal(pipe2(p, O_NONBLOCK), 0);
    while (write(p[1], block, sizeof(block)) > 0)
        continue;
    assert_int_equal(px_send(a, block, 1000, 0), 1000);
    assert_int_equal(px_recv(b, block, 1, MSG_PEEK), 1);
    assert_int_equal(px_splice(b, NULL, p[1], NULL, 1000, SPLICE_F_NONBLOCK), -EAGAIN);
    assert_int_equal(px_ioctl(b, FIONREAD, &left), 0);
    assert_int_equal(left, 1000);
    while (read(p[0], block, sizeof(block)) > 0)
        continue;
    assert_int_equal(px_splice(b, NULL, p[1], NULL, 5000, SPLICE_F_NONBLOCK), 1000);
    assert_int_equal(px_splice(b, NULL, p[1], NULL, 0, 0), 0);
    assert_int_equal(px_splice(p[0], NULL, b, NULL, 5000, SPLICE_F_NONBLOCK), 1000);
    assert_int_equal(px_splice(p[0], NULL, b, NULL, 5000, SPLICE_F_NONBLOCK), -EAGAIN);
    assert_int_equal(px_recv(a, block, sizeof(block), MSG_WAITALL | MSG_DONTWAIT), 1000);
    close(p[0]);
    close(p[1]);
    shut(a, b);
}

static void a_file_is_sent_from_where_it_stands(void **state)
{
    int a, b, file = memfd_create("file", 0);
    off_t from = 5;
    char room[32];

    (void)state;
    pair(&a, &b);
    assert_int_equal(write(file, "0123456789", 10), 10);
    assert_int_equal(px_sendfile(a, file, &from, 100), 5);
    assert_int_equal(from, 10);
    lseek(file, 2, SEEK_SET);
    assert_int_equal(px_sendfile(a, file, NULL, 3), 3);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 5);
    assert_int_equal(px_recv(b, room, 8, MSG_WAITALL), 8);
    assert_memory_equal(room, "56789234", 8);
    close(file);
    shut(a, b);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void every_arrival_is_an_edge(void **state)
{
    int a, b, ep = px_epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET}, got;
    char c;

    (void)state;
    pair(&a, &b);
    assert_int_equal(px_epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev), 0);
    px_send(a, "1", 1, 0);
    assert_int_equal(px_epoll_wait(ep, &got, 1, 100000, NULL), 1);
    assert_int_equal(px_epoll_wait(ep, &got, 1, 0, NULL), 0);
    px_send(a, "2", 1, 0);
    assert_int_equal(px_epoll_wait(ep, &got, 1, 100000, NULL), 1);
    assert_int_equal(px_recv(b, &c, 1, 0), 1);
    assert_int_equal(px_epoll_wait(ep, &got, 1, 0, NULL), 0);
    shut(a, b);
    px_close(ep);
}

static int watch_alone(int l)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    int ep = px_epoll_create1(0);

    assert_int_equal(px_epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev), 0);
    return ep;
}

/* It watches the listener, too, and shares the slots of others. */
static pid_t accepting_child(int l)
{
    struct epoll_event ev;

    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        px_epoll_wait(watch_alone(l), &ev, 1, -1, NULL);
        _exit(1);
    }
    session_fork_over(pid);
    usleep(50000);
    return pid;
}

/* Of two who ask for one waiter only the dead one was told (nginx's worker, killed; 2026-11-23). */
static void what_only_the_dead_was_told_of_others_hear(void **state)
{
    struct epoll_event ev;
    int port, l = listener(&port), ep = watch_alone(l), c = tcp(SOCK_NONBLOCK);

    (void)state;
    for (unsigned k = 0; k < px_session->slots; k++) {
        int32_t none = 0;
        atomic_compare_exchange_strong(&px_session->inst[k].tid, &none, 1);
    }
    pid_t pid = accepting_child(l);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    (void)connect_to(c, "10.9.0.2", port);
    assert_int_equal(px_epoll_wait(ep, &ev, 1, 50000, NULL), 0);
    for (unsigned k = 0; k < px_session->procs; k++)
        if (px_session->proc[k].pid == pid) { /* as the janitor does */
            janitor_refs_suspect(&px_session->proc[k]);
            session_proc_bury(&px_session->proc[k]);
        }
    assert_int_equal(px_epoll_wait(ep, &ev, 1, 50000, NULL), 1);
    for (unsigned k = 0; k < px_session->slots; k++) {
        int32_t one = 1;
        atomic_compare_exchange_strong(&px_session->inst[k].tid, &one, 0);
    }
    px_close(ep);
    shut(l, c);
}

static bool within(int ms, bool (*is)(unsigned slot), unsigned slot)
{
    for (int k = 0; k < ms && !is(slot); k++)
        usleep(1000);
    return is(slot);
}

static bool is_given_up(unsigned slot)
{
    return !(px_session->claimed >> slot & 1);
}

/* It listens by a slot of its own, and gives that up when it is told to. */
static pid_t leaving_child(int l, const int *told, const int *ready)
{
    char c = 0;

    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        watch_alone(l);
        if (write(ready[1], &c, 1) == 1 && read(told[0], &c, 1) == 1)
            session_thread_ends();
        _exit(1);
    }
    session_fork_over(pid);
    assert_int_equal(read(ready[0], &c, 1), 1);
    return pid;
}

/* Who is killed while he gives up a slot has it still: else nobody would do the rest, and who comes
 * next would be taken for him. */
static void who_dies_leaving_a_slot_has_it_still(void **state)
{
    int port, told[2], ready[2], l = listener(&port), ep = watch_alone(l);
    struct px_listen *listen = file_peek(l)->listen;
    unsigned slot = 0;

    (void)state;
    assert_int_equal(pipe(told) + pipe(ready), 0);
    pid_t pid = leaving_child(l, told, ready);
    while (px_session->inst[slot].pid != pid)
        assert_true(++slot < px_session->slots);
    inst_enter(session_mine()); /* where he has to tell that it is left */
    assert_int_equal(write(told[1], "", 1), 1);
    assert_true(within(2000, is_given_up, slot));
    usleep(5000);
    assert_int_equal(px_session->inst[slot].tid, pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    inst_leave(session_mine());
    session_slots_release(pid);
    assert_int_equal(px_session->inst[slot].tid, 0);
    assert_true(listen->orphan >> slot & 1);
    for (unsigned k = 0; k < 2; k++)
        close(told[k]), close(ready[k]);
    px_close(ep);
    px_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_talks_to_itself),
        cmocka_unit_test(nobody_listens_is_refused),
        cmocka_unit_test(a_fresh_socket_says_so),
        cmocka_unit_test(peek_and_waitall_and_trunc),
        cmocka_unit_test(unread_data_makes_close_a_reset),
        cmocka_unit_test(a_full_buffer_loses_nothing),
        cmocka_unit_test(a_second_connect_hears_what_became_of_the_first),
        cmocka_unit_test(a_port_is_one_listeners),
        cmocka_unit_test(reuseport_shares_a_port_in_one_slot),
        cmocka_unit_test(a_listener_that_is_shut_down_may_listen_again),
        cmocka_unit_test(a_wildcard_listener_is_in_both_worlds),
        cmocka_unit_test(datagrams_keep_their_ends),
        cmocka_unit_test(a_connected_datagram_socket_hears_of_refusal),
        cmocka_unit_test(a_wildcard_datagram_socket_hears_both_worlds),
        cmocka_unit_test(options_are_kept_inherited_or_refused),
        cmocka_unit_test(a_time_out_ends_a_wait),
        cmocka_unit_test(a_pipe_takes_no_more_than_it_has_room_for),
        cmocka_unit_test(a_file_is_sent_from_where_it_stands),
        cmocka_unit_test(every_arrival_is_an_edge),
        cmocka_unit_test(what_only_the_dead_was_told_of_others_hear),
        cmocka_unit_test(who_dies_leaving_a_slot_has_it_still),
    };

    return cmocka_run_group_tests(tests, session_setup, session_teardown);
}
