/* Facts about epoll: its calls, level, edge, one shot, exclusive. */
#include "conform.h"

static struct epoll_event got[8];

static int add(int ep, int fd, uint32_t ev)
{
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ev, {.fd = fd}});
}

static int mod(int ep, int fd, uint32_t ev)
{
    return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &(struct epoll_event){ev, {.fd = fd}});
}

static int del(int ep, int fd)
{
    return epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
}

/* One wait, told as a fact: what there is, or nothing. */
static void waits(const char *what, int ep, int ms)
{
    char line[200];
    int r = epoll_wait(ep, got, 8, ms), n = snprintf(line, sizeof line, "%s: %s", what, result(r));

    for (int i = 0; i < r; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, " %s", events(got[i].events));
    fact("%s", line);
}

/* Wait for what is to come, and for nothing that is not. */
static void soon(const char *what, int ep)
{
    waits(what, ep, PATIENCE_MS);
}

static void calls(void)
{
    int ep = epoll_create1(0), id, fd = pair_in(&id), p[2];
    struct epoll_event ev = {EPOLLIN, {.u64 = 0x123456789abcdef}};

    fact("epoll's number: %d", ep);
    fact("F_GETFL: %o, F_GETFD: %d", fcntl(ep, F_GETFL), fcntl(ep, F_GETFD));
    fact("F_GETFD with CLOEXEC: %d", fcntl(epoll_create1(EPOLL_CLOEXEC), F_GETFD));
    say("unknown flags", epoll_create1(1));
    say("epoll_create 0", epoll_create(0));
    say_ok("epoll_create 5", epoll_create(5));
    say("ADD", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    say("ADD again", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    say("MOD", epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
    say("MOD of a stranger", epoll_ctl(ep, EPOLL_CTL_MOD, tcp(), &ev));
    say("DEL of a stranger", epoll_ctl(ep, EPOLL_CTL_DEL, tcp(), &ev));
    say("DEL", epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
    say("DEL again", epoll_ctl(ep, EPOLL_CTL_DEL, fd, &ev));
    say("unknown operation", epoll_ctl(ep, 9, fd, &ev));
    say("ADD, no event", epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL));
    say("ADD of nothing", epoll_ctl(ep, EPOLL_CTL_ADD, 99, &ev));
    say("ADD to nothing", epoll_ctl(99, EPOLL_CTL_ADD, fd, &ev));
    say("ADD to a socket", epoll_ctl(fd, EPOLL_CTL_ADD, ep, &ev));
    say("ADD to itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    say("ADD of a file", epoll_ctl(ep, EPOLL_CTL_ADD, open("/etc/passwd", O_RDONLY), &ev));
    say("ADD of a directory", epoll_ctl(ep, EPOLL_CTL_ADD, open("/", O_RDONLY), &ev));
    say("wait, maxevents 0", epoll_wait(ep, got, 0, 0));
    volatile int minus = -1; /* so that the compiler does not object */
    say("wait, maxevents -1", epoll_wait(ep, got, minus, 0));
    say("wait on a socket", epoll_wait(fd, got, 8, 0));
    say("wait on nothing", epoll_wait(99, got, 8, 0));
    say("wait on a pipe", pipe(p) == 0 ? epoll_wait(p[0], got, 8, 0) : 0);
    say("wait, empty", epoll_wait(ep, got, 8, 0));
    uint64_t began = now_ms();
    say("wait 40 ms", epoll_wait(ep, got, 8, 40));
    fact("it waited: %d", now_ms() - began >= 39);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    peer("send %d 1 0", id);
    soon("data", ep);
    fact("its data: %lx", (unsigned long)got[0].data.u64);
    struct timespec t = {0, 1000000};
    say("epoll_pwait2", epoll_pwait2(ep, got, 8, &t, NULL));
    say("epoll_pwait", epoll_pwait(ep, got, 8, 0, NULL));
    say("recv from an epoll", recv(ep, &t, 1, 0));
    say("read from an epoll", read(ep, &t, 1));
    fact("poll of it: %s", events(polled(ep, POLLIN | POLLOUT)));
    say("close", close(ep));
    say("wait on a closed one", epoll_wait(ep, got, 8, 0));
}

static void level(void)
{
    int ep = epoll_create1(0), id, fd = pair_in(&id);
    char c[10];

    add(ep, fd, EPOLLIN);
    waits("nothing there", ep, 0);
    peer("send %d 10 0", id);
    soon("data", ep);
    waits("still", ep, 0);
    recv(fd, c, 5, 0);
    waits("part was read", ep, 0);
    recv(fd, c, 5, 0);
    waits("all was read", ep, 0);
    mod(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    waits("OUT, too", ep, 0);
    mod(ep, fd, 0);
    waits("nothing wanted", ep, 0);
    peer("send %d 3 0", id);
    await_bytes(fd, 3);
    waits("nothing wanted, data", ep, 0);
    mod(ep, fd, EPOLLIN);
    waits("wanted again", ep, 0);
    peer("shut %d 1", id);
    await(fd, POLLRDHUP);
    waits("FIN, RDHUP not wanted", ep, 0);
    mod(ep, fd, EPOLLRDHUP);
    waits("RDHUP wanted", ep, 0);
    mod(ep, fd, 0);
    shutdown(fd, SHUT_WR);
    soon("HUP is always told", ep);
    waits("and again", ep, 0);
    close(fd);
    waits("closed", ep, 0);
    fd = pair_in(&id);
    add(ep, fd, 0);
    peer("rst %d", id);
    soon("ERR is always told", ep);
    recv(fd, c, 1, 0);
    waits("error taken", ep, 0);
}

static void edge(void)
{
    static unsigned char room[65536];
    int ep = epoll_create1(0), id, fd = pair_in(&id);

    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    waits("after ADD", ep, 0);
    waits("told once", ep, 0);
    peer("send %d 10 0", id);
    soon("data", ep);
    waits("told once", ep, 0);
    peer("send %d 10 10", id);
    soon("more data, the first unread", ep);
    recv(fd, room, 5, 0);
    waits("part was read", ep, 0);
    recv(fd, room, 100, 0);
    waits("all was read", ep, 0);
    peer("send %d 5 20", id);
    soon("new data", ep);
    mod(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    waits("MOD arms it anew", ep, 0);
    waits("once", ep, 0);
    send(fd, room, 10, 0);
    rest(QUIET_MS);
    waits("a send is no edge", ep, 0);
    recv(fd, room, 100, 0);
    peer("shut %d 1", id);
    await(fd, POLLRDHUP);
    soon("FIN", ep);
    waits("told once", ep, 0);
    recv(fd, room, 100, 0);
    waits("end was read", ep, 0);
    shutdown(fd, SHUT_WR);
    await_state(fd, TCP_CLOSE); /* an edge of its own, if one has waited between the two */
    soon("our FIN", ep);
    waits("told once", ep, 0);
    close(fd);
    fd = pair_in(&id);
    add(ep, fd, EPOLLIN | EPOLLET);
    waits("another, nothing there", ep, 0);
    peer("rst %d", id);
    soon("RST", ep);
    waits("told once", ep, 0);
}

/* Room again after EAGAIN. */
static void edge_out(void)
{
    int ep = epoll_create1(0), id, fd = pair_in(&id);
    long sent;

    nonblock(fd);
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET);
    waits("after ADD", ep, 0);
    sent = fill_up(fd, -1);
    epoll_wait(ep, got, 8, 0);
    say("full", send(fd, "", 1, 0));
    waits("full", ep, 0);
    peer("recv %d %ld 0", id, sent);
    soon("room again", ep);
    rest(QUIET_MS);
    epoll_wait(ep, got, 8, 0);
    waits("told", ep, 0);
    fact("poll: %s", events(polled(fd, POLLOUT)));
    /* A connect's edge. */
    int port = next_port(), l = (int)peer("listen %d 8", port);
    fd = tcp();
    nonblock(fd);
    connect_to(fd, peer_ip, port);
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    soon("connected", ep);
    waits("told once", ep, 0);
    id = (int)peer("accept %d", l);
    peer("send %d 1 0", id);
    soon("data", ep);
    /* Added before connect, as nginx does. */
    fd = tcp();
    nonblock(fd);
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    waits("fresh", ep, 0);
    waits("fresh, once", ep, 0);
    connect_to(fd, peer_ip, port);
    soon("connected", ep);
    waits("told once", ep, 0);
    /* Refused. */
    fd = tcp();
    nonblock(fd);
    add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    epoll_wait(ep, got, 8, 0);
    connect_to(fd, peer_ip, next_port());
    soon("refused", ep);
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    waits("told once", ep, 0);
}

/* What the kernel would leave is found by the next wait. */
static void edge_listener(void)
{
    int ep = epoll_create1(0), port = next_port(), l = listener(port);

    nonblock(l);
    add(ep, l, EPOLLIN | EPOLLET);
    waits("nobody", ep, 0);
    peer("connect %d", port);
    soon("one", ep);
    waits("told once", ep, 0);
    peer("connect %d", port);
    soon("another, the first waits still", ep);
    say_ok("accept", accept(l, NULL, NULL));
    waits("one is left", ep, 0);
    say_ok("accept", accept(l, NULL, NULL));
    say("accept", accept(l, NULL, NULL));
    mod(ep, l, EPOLLIN);
    waits("level, nobody", ep, 0);
    peer("connect %d", port);
    soon("one", ep);
    waits("still", ep, 0);
    say_ok("accept", accept(l, NULL, NULL));
    waits("none", ep, 0);
    /* A listener that was added before it listened. */
    l = tcp();
    port = next_port();
    bind_to(l, our_ip, port);
    add(ep, l, EPOLLIN);
    waits("bound", ep, 0);
    listen(l, 4);
    waits("listens", ep, 0);
    peer("connect %d", port);
    soon("one", ep);
}

static void oneshot(void)
{
    int ep = epoll_create1(0), id, fd = pair_in(&id);
    char c[20];

    add(ep, fd, EPOLLIN | EPOLLONESHOT);
    peer("send %d 5 0", id);
    soon("data", ep);
    waits("disabled", ep, 0);
    peer("send %d 5 5", id);
    await_bytes(fd, 10);
    waits("still", ep, 0);
    mod(ep, fd, EPOLLIN | EPOLLONESHOT);
    waits("MOD", ep, 0);
    waits("once", ep, 0);
    recv(fd, c, 20, 0);
    mod(ep, fd, EPOLLIN | EPOLLONESHOT | EPOLLET);
    waits("MOD, nothing there", ep, 0);
    peer("send %d 5 10", id);
    soon("data", ep);
    peer("rst %d", id);
    await(fd, POLLHUP);
    waits("disabled: not even HUP", ep, 0);
    mod(ep, fd, EPOLLONESHOT);
    waits("MOD: HUP", ep, 0);
}

static void exclusive(void)
{
    int ep = epoll_create1(0), two = epoll_create1(0), port = next_port(), l = listener(port);

    say("ADD", add(ep, l, EPOLLIN | EPOLLEXCLUSIVE));
    say("ADD to another", add(two, l, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET));
    say("MOD of it", mod(ep, l, EPOLLIN));
    say("MOD to it", mod(ep, l, EPOLLIN | EPOLLEXCLUSIVE));
    say("DEL", del(two, l));
    say("ADD with ONESHOT", add(two, l, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    say("ADD with RDHUP", add(two, l, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP));
    say("ADD with OUT and ERR", add(two, l, EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLEXCLUSIVE));
    say("ADD of an epoll", add(two, ep, EPOLLIN | EPOLLEXCLUSIVE));
    int fd = tcp();
    add(ep, fd, EPOLLIN);
    say("MOD of a plain one to it", mod(ep, fd, EPOLLIN | EPOLLEXCLUSIVE));
    del(ep, fd);
    peer("connect %d", port);
    soon("one", ep);
    waits("still", ep, 0);
    accept(l, NULL, NULL);
    waits("accepted", ep, 0);
}

const struct topic topics_epoll[] = {
    {"epoll calls", calls},
    {"epoll level", level},
    {"epoll edge", edge},
    {"epoll edge out", edge_out},
    {"epoll listener", edge_listener},
    {"epoll oneshot", oneshot},
    {"epoll exclusive", exclusive},
    {0},
};
