/* Facts about fork, exit, and descriptors that travel. */
#include "conform.h"

#include <sys/prctl.h>

static int status;

static const char *ended(void)
{
    static char room[40];

    if (WIFEXITED(status))
        snprintf(room, sizeof room, "exit %d", WEXITSTATUS(status));
    else
        snprintf(room, sizeof room, "signal %d", WTERMSIG(status));
    return room;
}

static void forks(void)
{
    int id, fd = pair_in(&id), err;
    char room[10];
    pid_t pid;

    fill(room, sizeof room, 0);
    pid = fork();
    if (pid == 0) {
        fact("child: send %ld", (long)send(fd, room, 10, 0));
        fact("child: name %s, peer %s", name_of(fd), peer_of(fd));
        _exit(7);
    }
    wait(&status);
    fact("child: %s", ended());
    fact("the peer received: %ld", peer("recv %d 10 0", id));
    rest(QUIET_MS);
    fact("no FIN: %s", events((uint32_t)peer("poll %d %d", id, POLLOUT | POLLRDHUP)));
    say("the parent sends", send(fd, room, 10, 0));
    fact("the peer received: %ld", peer("recv %d 10 0", id));
    /* The parent closes, the child goes on. */
    pid = fork();
    if (pid == 0) {
        fact("child received: %ld", receive(fd, 20, 0, &err));
        send(fd, room, 10, 0);
        exit(0);
    }
    close(fd);
    peer("send %d 20 0", id);
    fact("the peer received: %ld", peer("drain %d 0", id));
    fact("and then: %s", peer_text());
    wait(&status);
    fact("child: %s", ended());
    /* Both read: each byte comes to one of them. */
    fd = pair_in(&id);
    int p[2];
    if (pipe(p) < 0)
        return;
    pid = fork();
    if (pid == 0) {
        char c;
        uint32_t n = 0;
        while (recv(fd, &c, 1, 0) == 1)
            n++;
        _exit(write(p[1], &n, sizeof n) != sizeof n);
    }
    char c;
    uint32_t mine = 0, its = 0;
    peer("send %d 5000 0", id);
    peer("shut %d 1", id);
    while (recv(fd, &c, 1, 0) == 1)
        mine++;
    wait(&status);
    if (read(p[0], &its, sizeof its) == sizeof its)
        fact("both together read: %u", mine + its);
    /* shutdown is for all. */
    pid = fork();
    if (pid == 0) {
        shutdown(fd, SHUT_WR);
        _exit(0);
    }
    wait(&status);
    say("send after the child's shutdown", send(fd, room, 10, MSG_NOSIGNAL));
    peer("drain %d 0", id);
    fact("the peer sees: %s", peer_text());
}

/* A server whose children accept. */
static void workers(void)
{
    int port = next_port(), l = listener(port);
    pid_t pid[3];

    for (int i = 0; i < 3; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            for (;;) {
                char room[100];
                int fd = accept(l, NULL, NULL);
                ssize_t n = fd < 0 ? -1 : recv(fd, room, sizeof room, 0);
                if (n > 0)
                    send(fd, room, (size_t)n, 0);
                close(fd);
            }
    }
    close(l);
    int served = 0;
    for (int i = 0; i < 30; i++) {
        int id = (int)peer("connect %d", port);
        peer("send %d 50 0", id);
        served += peer("recv %d 50 0", id) == 50;
        peer("close %d", id);
    }
    fact("served by three children: %d", served);
    kill(pid[0], SIGKILL);
    waitpid(pid[0], &status, 0);
    fact("one is killed: %s", ended());
    served = 0;
    for (int i = 0; i < 20; i++) {
        int id = (int)peer("connect %d", port);
        peer("send %d 50 0", id);
        served += peer("recv %d 50 0", id) == 50;
        peer("close %d", id);
    }
    fact("served by two: %d", served);
    kill(pid[1], SIGTERM);
    kill(pid[2], SIGTERM);
    while (wait(&status) > 0)
        continue;
    long r = 0;
    for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end && r >= 0; rest(50))
        r = peer("connect %d", port);
    errno = ECONNREFUSED;
    say("connect when all are gone", r);
}

/* A listener that was inherited, and the child ends: the parent still has it. */
static void inherited(void)
{
    int port = next_port(), l = listener(port);

    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            int fd = accept(l, NULL, NULL);
            send(fd, "x", 1, 0);
            _exit(0);
        }
        int id = (int)peer("connect %d", port);
        told("the peer reads", peer("drain %d 120", id));
        wait(&status);
    }
    int id = (int)peer("connect %d", port), fd = accept(l, NULL, NULL);
    say_ok("the parent accepts", fd);
    say("send", send(fd, "x", 1, 0));
    told("the peer received", peer("recv %d 1 120", id));
}

/* How a process may end, with data queued: the peer receives all of it and then the end. */
static void ends(const char *what, int how, int bytes)
{
    static unsigned char room[1 << 20];
    int id, fd = pair_in(&id), go[2];
    pid_t pid;

    fill(room, sizeof room, 0);
    if (pipe(go) < 0)
        return;
    pid = fork();
    if (pid == 0) {
        ssize_t n = send(fd, room, (size_t)bytes, 0);
        if (write(go[1], "x", 1) != 1 || n != bytes)
            _exit(9);
        if (how == 0)
            exit(3);
        if (how == 1)
            _exit(4);
        if (how == 2)
            abort();
        pause();
    }
    close(fd);
    if (read(go[0], room, 1) == 1 && how == 3)
        kill(pid, SIGKILL);
    wait(&status);
    fact("%s, %d bytes: %s; the peer reads %ld", what, bytes, ended(), peer("drain %d 0", id));
    fact("and then: %s", peer_text());
}

static void endings(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    for (int bytes = 10; bytes <= 200000; bytes += 199990) {
        ends("exit", 0, bytes);
        ends("_exit", 1, bytes);
        ends("abort", 2, bytes);
        ends("kill -9", 3, bytes);
    }
    /* With unread data it is a reset. */
    int id, fd = pair_in(&id);
    pid_t pid = fork();
    if (pid == 0) {
        peer("send %d 10 0", id);
        await_bytes(fd, 10);
        _exit(0);
    }
    close(fd);
    wait(&status);
    fact("with unread data: %ld", peer("drain %d 0", id));
    fact("and then: %s", peer_text());
    /* A listener goes with its process. */
    int port = next_port();
    pid = fork();
    if (pid == 0) {
        listener(port);
        say_ok("connect to the child", peer("connect %d", port));
        _exit(0);
    }
    wait(&status);
    rest(QUIET_MS);
    say("connect when it has gone", peer("connect %d", port));
    fd = tcp();
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    say("bind to its port", bind_to(fd, our_ip, port));
}

static void pass(int by, const int *fds, int n)
{
    char room[CMSG_SPACE(sizeof(int) * 4)] = {0}, c = 'x';
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = room,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
    memcpy(CMSG_DATA(h), fds, sizeof(int) * (size_t)n);
    if (sendmsg(by, &m, 0) != 1)
        fact("sendmsg with descriptors: %s", error_name(errno));
}

static int take(int by, int *fds, int flags)
{
    char room[CMSG_SPACE(sizeof(int) * 4)] = {0}, c;
    struct iovec iov = {&c, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};

    if (recvmsg(by, &m, flags) != 1)
        return -1;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    int n = h ? (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
    if (h)
        memcpy(fds, CMSG_DATA(h), sizeof(int) * (size_t)n);
    return n;
}

static void rights(void)
{
    int sv[2], id, fds[4], err, port = next_port();

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
        return;
    /* To a process that was there before. */
    pid_t pid = fork();
    if (pid == 0) {
        close(sv[0]);
        int n = take(sv[1], fds, 0);
        fact("child has: %d", n);
        fact("child: F_GETFD %d, ACCEPTCONN %d, name %s", fcntl(fds[0], F_GETFD),
             get_int(fds[0], SOL_SOCKET, SO_ACCEPTCONN), name_of(fds[0]));
        fact("child: received %ld", receive(fds[1], 10, 0, &err));
        send(fds[1], "x", 1, 0);
        int one = (int)peer("connect %d", port), fd = accept(fds[0], NULL, NULL);
        say_ok("child accepts", fd);
        peer("send %d 10 0", one);
        fact("child: received %ld", receive(fd, 10, 0, &err));
        n = take(sv[1], fds, MSG_CMSG_CLOEXEC);
        fact("child: F_GETFD with CMSG_CLOEXEC %d", fcntl(fds[0], F_GETFD));
        fact("child: a fresh one connects: %s",
             connect_to(fds[0], our_ip, port) < 0 ? error_name(errno) : "ok");
        _exit(0);
    }
    close(sv[1]);
    fds[0] = listener(port);
    fds[1] = pair_in(&id);
    fds[2] = open("/dev/null", O_RDONLY);
    peer("send %d 10 0", id);
    pass(sv[0], fds, 3);
    close(fds[0]);
    close(fds[1]);
    fds[0] = tcp();
    pass(sv[0], fds, 1);
    wait(&status);
    fact("child: %s", ended());
    fact("the peer reads: %ld", peer("drain %d 120", id));
    fact("and then: %s", peer_text());
    /* In flight, and nobody takes it: it goes with the socket pair. */
    close(sv[0]);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
        return;
    fds[0] = pair_in(&id);
    pass(sv[0], fds, 1);
    close(fds[0]);
    rest(QUIET_MS);
    fact("in flight: %s", events((uint32_t)peer("poll %d %d", id, POLLOUT | POLLRDHUP)));
    close(sv[0]);
    close(sv[1]);
    fact("nobody has taken it: %s", events((uint32_t)peer("poll %d %d", id, POLLRDHUP)));
    /* To itself. */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
        return;
    fds[0] = pair_in(&id);
    pass(sv[0], fds, 1);
    int first = fds[0];
    take(sv[1], fds, 0);
    close(first);
    say("to itself: send", send(fds[0], "x", 1, 0));
    fact("the peer received: %ld", peer("recv %d 1 120", id));
}

const struct topic topics_process[] = {
    {"fork", forks},      {"workers", workers},   {"inherited listener", inherited},
    {"endings", endings}, {"SCM_RIGHTS", rights}, {0},
};
