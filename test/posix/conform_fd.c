/* Facts about descriptors: numbers, flags, dup, close, limits. */
#include "conform.h"

#include <sys/resource.h>

static void numbers(void)
{
    int a = tcp(), b = tcp(), c = udp(), id, l, fd;

    fact("first three: %d %d %d", a, b, c);
    close(b);
    fact("the lowest that is free: %d", tcp());
    close(a);
    fact("a file takes it, too: %d", open("/dev/null", O_RDONLY));
    fact("an epoll: %d", epoll_create1(0));
    fact("a dup: %d", dup(c));
    fact("F_DUPFD from 40: %d", fcntl(c, F_DUPFD, 40));
    fact("and again: %d", fcntl(c, F_DUPFD, 40));
    fact("F_DUPFD_CLOEXEC: %d", fcntl(c, F_DUPFD_CLOEXEC, 40));
    fact("its F_GETFD: %d", fcntl(42, F_GETFD));
    fact("dup2 to 60: %d", dup2(c, 60));
    l = listener(next_port());
    fact("a listener: %d", l);
    close(4);
    fd = pair_in(&id);
    fact("an accepted one, after 4 was free for its listener: %d", fd);
    say("F_DUPFD, negative", fcntl(fd, F_DUPFD, -1));
    say("F_DUPFD, beyond the limit", fcntl(fd, F_DUPFD, 100000000));
    say("F_DUPFD of nothing", fcntl(99, F_DUPFD, 0));
}

static void status_flags(void)
{
    int id, fd = pair_in(&id), on = 1, off = 0, twin;
    char c;

    fact("F_GETFL: %o", fcntl(fd, F_GETFL));
    say("F_SETFL O_NONBLOCK", fcntl(fd, F_SETFL, O_NONBLOCK));
    fact("F_GETFL: %o", fcntl(fd, F_GETFL));
    twin = dup(fd);
    fact("of its dup: %o", fcntl(twin, F_GETFL));
    fcntl(twin, F_SETFL, 0);
    fact("after the dup was set: %o", fcntl(fd, F_GETFL));
    say("FIONBIO on", ioctl(fd, FIONBIO, &on));
    fact("F_GETFL of the dup: %o", fcntl(twin, F_GETFL));
    say("recv by the dup", recv(twin, &c, 1, 0));
    say("FIONBIO off", ioctl(twin, FIONBIO, &off));
    fact("F_GETFL: %o", fcntl(fd, F_GETFL));
    say("F_SETFL of access modes", fcntl(fd, F_SETFL, O_RDONLY | O_APPEND));
    fact("F_GETFL: %o", fcntl(fd, F_GETFL));
    fcntl(fd, F_SETFL, 0);
    say("FIOCLEX", ioctl(fd, FIOCLEX));
    fact("F_GETFD: %d, of the dup %d", fcntl(fd, F_GETFD), fcntl(twin, F_GETFD));
    say("FIONCLEX", ioctl(fd, FIONCLEX));
    fact("F_GETFD: %d", fcntl(fd, F_GETFD));
    say("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC));
    fact("F_GETFD: %d", fcntl(fd, F_GETFD));
    fact("F_GETFD of dup3 O_CLOEXEC: %d", fcntl(dup3(fd, 50, O_CLOEXEC), F_GETFD));
    fact("F_GETFD of a dup: %d", fcntl(dup(fd), F_GETFD));
    say("fcntl, unknown", fcntl(fd, 9999, 0));
    say("ioctl, unknown", ioctl(fd, 0x12345678, &on));
    say("TCGETS", ioctl(fd, 0x5401, &on));
    say("F_GETOWN", fcntl(fd, F_GETOWN));
    say("F_GETLK", fcntl(fd, F_GETLK, &(struct flock){.l_type = F_RDLCK}));
    say("SIOCATMARK", ioctl(fd, SIOCATMARK, &on));
    fact("at the mark: %d", on);
    say("SIOCOUTQ", ioctl(fd, SIOCOUTQ, &on));
    fact("queued: %d", on);
    int l = listener(next_port());
    say("SIOCOUTQ of a listener", ioctl(l, SIOCOUTQ, &on));
    say("SIOCATMARK of a listener", ioctl(l, SIOCATMARK, &on));
}

static void dups(void)
{
    int id, fd = pair_in(&id), err, other, second;
    char room[30];

    fill(room, sizeof room, 0);
    say("dup2 to itself", dup2(fd, fd) == fd ? 0 : -1);
    say("dup3 to itself", dup3(fd, fd, 0));
    say("dup3, unknown flags", dup3(fd, 30, 1));
    say("dup2 to -1", dup2(fd, -1));
    say("dup2 of nothing", dup2(99, 30));
    say("dup2 of nothing to itself", dup2(99, 99));
    say("dup of nothing", dup(99));
    other = dup(fd);
    say("send by one", send(fd, room, 10, 0));
    say("send by the other", send(other, room + 10, 10, 0));
    close(fd);
    say("after close of one", send(other, room + 20, 10, 0));
    fact("the peer received: %ld", peer("recv %d 30 0", id));
    peer("send %d 20 0", id);
    fact("received: %ld", receive(other, 20, 0, &err));
    rest(QUIET_MS);
    fact("no FIN as yet: %s", events((uint32_t)peer("poll %d %d", id, POLLOUT | POLLRDHUP)));
    /* dup2 over a connection closes it. */
    second = open("/dev/null", O_RDWR);
    say_ok("dup2 over it", dup2(second, other));
    say("write to what it is now", write(other, room, 5));
    peer("drain %d 0", id);
    fact("the peer sees: %s", peer_text());
    /* And a connection over a file. */
    fd = pair_in(&id);
    say_ok("dup2 over a file", dup2(fd, second));
    close(fd);
    say("send by the file's number", send(second, room, 10, 0));
    fact("the peer received: %ld", peer("recv %d 10 0", id));
    /* Over a listener. */
    int port = next_port(), l = listener(port);
    fd = dup(l);
    close(l);
    say_ok("connect to a dup'ed listener", peer("connect %d", port));
    say_ok("accept", accept(fd, NULL, NULL));
    dup2(second, fd);
    say("connect after dup2 over it", peer("connect %d", port));
}

static void bad_numbers(int fd, const char *kind)
{
    char c = 'x', what[80];
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    int v = 0;
    socklen_t size = sizeof v;
    struct {
        const char *name;
        long r;
        int error;
    } all[] = {
#define TRY(call) {#call, (errno = 0, call), errno}
        TRY(recv(fd, &c, 1, MSG_DONTWAIT)),
        TRY(send(fd, &c, 1, MSG_NOSIGNAL)),
        TRY(recvfrom(fd, &c, 1, MSG_DONTWAIT, (void *)&a, &n)),
        TRY(recvmsg(fd, &m, MSG_DONTWAIT)),
        TRY(sendmsg(fd, &m, MSG_NOSIGNAL)),
        TRY(listen(fd, 1)),
        TRY(accept4(fd, NULL, NULL, SOCK_NONBLOCK)),
        TRY(shutdown(fd, SHUT_RD)),
        TRY(getsockname(fd, (void *)&a, &n)),
        TRY(getpeername(fd, (void *)&a, &n)),
        TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &size)),
        TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v)),
        TRY(bind_to(fd, our_ip, 9)),
        TRY(connect_to(fd, peer_ip, 9)),
#undef TRY
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        snprintf(what, sizeof what, "%s: %.*s", kind, (int)strcspn(all[i].name, "("), all[i].name);
        errno = all[i].error;
        say(what, all[i].r);
    }
}

static void closed(void)
{
    int id, fd = pair_in(&id), other = pair_in(&id), p[2];
    char c;

    close(fd);
    bad_numbers(fd, "closed");
    bad_numbers(-1, "-1");
    if (pipe(p) == 0)
        bad_numbers(p[0], "pipe");
    say("read", read(99, &c, 1));
    say("write", write(99, &c, 1));
    say("fcntl", fcntl(99, F_GETFL));
    say("ioctl", ioctl(99, FIONREAD, &fd));
    say("close", close(99));
    say("close -1", close(-1));
    say("fstat", fstat(99, &(struct stat){0}));
    fact("the other one lives: %s", events(polled(other, POLLOUT)));
    /* A number is used again at once. */
    for (int i = 0; i < 3; i++) {
        int again = tcp();
        fact("round %d: %d, %s, %s", i, again, name_of(again), peer_of(again));
        close(again);
    }
}

static void ranges(void)
{
    int id[3], fd[3], spare;

    for (int i = 0; i < 3; i++)
        fd[i] = pair_in(&id[i]);
    spare = tcp();
    say("close_range, wrong order", close_range(9, 5, 0));
    say("close_range, unknown flags", close_range(fd[0], fd[0], 64));
    say("close_range CLOEXEC", close_range((unsigned)fd[0], (unsigned)fd[1], CLOSE_RANGE_CLOEXEC));
    fact("F_GETFD: %d %d %d", fcntl(fd[0], F_GETFD), fcntl(fd[1], F_GETFD), fcntl(fd[2], F_GETFD));
    say("close_range", close_range((unsigned)fd[0], (unsigned)fd[1], 0));
    told("the peers see", peer("drain %d 0", id[0]));
    told("the peers see", peer("drain %d 0", id[1]));
    say("send by a closed one", send(fd[0], "x", 1, MSG_NOSIGNAL));
    say("send by the third", send(fd[2], "x", 1, 0));
    fact("the next number: %d", tcp());
    say("close_range to the end of numbers", close_range((unsigned)fd[2], 800, 0));
    say("spare", close(spare));
    told("the third's peer sees", peer("recv %d 2 120", id[2]));
    fd[0] = pair_in(&id[0]);
    closefrom(902);
    say("closefrom beyond it: send", send(fd[0], "x", 1, 0));
}

static void limits(void)
{
    struct rlimit all, few;
    int fd[40], n = 0, id, port = next_port(), l = listener(port), epfd = epoll_create1(0);

    getrlimit(RLIMIT_NOFILE, &all);
    few = all;
    few.rlim_cur = 20;
    say("setrlimit", setrlimit(RLIMIT_NOFILE, &few));
    getrlimit(RLIMIT_NOFILE, &few);
    fact("getrlimit: %lu", (unsigned long)few.rlim_cur);
    while (n < 40 && (fd[n] = socket(AF_INET, SOCK_STREAM, 0)) >= 0)
        n++;
    fact("sockets: %d, then %s, the last %d", n, error_name(errno), fd[n - 1]);
    say("dup", dup(l));
    say("F_DUPFD", fcntl(l, F_DUPFD, 0));
    say("F_DUPFD from 30", fcntl(l, F_DUPFD, 30));
    say("dup2 to 30", dup2(l, 30));
    say("epoll_create1", epoll_create1(0));
    say("open", open("/dev/null", O_RDONLY));
    id = (int)peer("connect %d", port);
    await(l, POLLIN);
    say("accept", accept(l, NULL, NULL));
    fact("it still waits: %s", events(polled(l, POLLIN)));
    say("select and poll work",
        epoll_ctl(epfd, EPOLL_CTL_ADD, l, &(struct epoll_event){.events = EPOLLIN}));
    struct pollfd many[40];
    memset(many, 0xff, sizeof many);
    say("poll of more than the limit", poll(many, 40, 0));
    close(fd[3]);
    n = accept(l, NULL, NULL);
    fact("accept when one is free: %s", n == fd[3] ? "that number" : result(n));
    peer("send %d 5 0", id);
    await_bytes(n, 5);
    fact("it works: %s", events(polled(n, POLLIN)));
    setrlimit(RLIMIT_NOFILE, &all);
    say_ok("with the old limit", tcp());
}

const struct topic topics_fd[] = {
    {"numbers", numbers},
    {"status flags", status_flags},
    {"dup", dups},
    {"closed", closed},
    {"close_range", ranges},
    {"EMFILE", limits},
    {0},
};
