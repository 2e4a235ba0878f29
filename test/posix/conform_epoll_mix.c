/* Facts about epoll sets: what is in them, sets in sets, many sets, many descriptors. */
#include "conform.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static struct epoll_event got[64];

static int add(int ep, int fd, uint32_t ev)
{
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ev, {.fd = fd}});
}

/* One wait; which of n descriptors came. */
static void who_came(const char *what, int ep, int ms, const int *fds, const char *const *names,
                     int n)
{
    char line[300];
    int r = epoll_wait(ep, got, 64, ms), k = snprintf(line, sizeof line, "%s: %s", what, result(r));

    for (int i = 0; i < n; i++)
        for (int j = 0; j < r; j++)
            if (got[j].data.fd == fds[i])
                k += snprintf(line + k, sizeof line - (size_t)k, " %s:%s", names[i],
                              events(got[j].events));
    fact("%s", line);
}

static void kinds(void)
{
    static const char *const names[] = {"tcp",  "pipe", "eventfd", "timerfd",    "signalfd",
                                        "pair", "unix", "udp",     "kernel udp", "listener"};
    int ep = epoll_create1(0), id, p[2], sv[2], fd[10], n = 10, port = next_port();
    int u = (int)peer("udp %d", port);
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = ""};
    struct sockaddr_in lo = at("127.0.0.1", port);
    sigset_t mask;
    uint64_t one = 1;
    char room[200];

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    if (pipe(p) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
        return;
    fd[0] = pair_in(&id);
    fd[1] = p[0];
    fd[2] = eventfd(0, 0);
    fd[3] = timerfd_create(CLOCK_MONOTONIC, 0);
    fd[4] = signalfd(-1, &mask, 0);
    fd[5] = sv[0];
    fd[6] = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "conform-%d", (int)getpid());
    bind(fd[6], (void *)&un, sizeof un);
    listen(fd[6], 4);
    fd[7] = udp();
    bind_to(fd[7], our_ip, port);
    fd[8] = udp();
    bind_to(fd[8], "127.0.0.1", port);
    fd[9] = listener(port);
    for (int i = 0; i < n; i++)
        say(names[i], add(ep, fd[i], EPOLLIN));
    who_came("nothing", ep, 0, fd, names, n);
    peer("send %d 5 0", id);
    await(fd[0], POLLIN);
    who_came("tcp", ep, PATIENCE_MS, fd, names, n);
    recv(fd[0], room, 5, 0);
    if (write(p[1], "x", 1) == 1)
        who_came("pipe", ep, PATIENCE_MS, fd, names, n);
    peer("send %d 5 0", id);
    await(fd[0], POLLIN);
    who_came("both", ep, PATIENCE_MS, fd, names, n);
    if (write(fd[2], &one, 8) != 8 || write(sv[1], "x", 1) != 1)
        return;
    timerfd_settime(fd[3], 0, &soon, NULL);
    kill(getpid(), SIGUSR1);
    connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof un);
    peer("sendto %d %d 10", u, port);
    sendto(udp(), "x", 1, 0, (void *)&lo, sizeof lo);
    peer("connect %d", port);
    for (int i = 0; i < n; i++)
        await(fd[i], POLLIN);
    who_came("all", ep, PATIENCE_MS, fd, names, n);
    rest(2); /* the kernel's side may be left alone for some microseconds */
    who_came("all again", ep, 0, fd, names, n);
    for (int i = 0; i < n; i += 2)
        say(names[i], epoll_ctl(ep, EPOLL_CTL_DEL, fd[i], NULL));
    rest(2);
    who_came("half", ep, 0, fd, names, n);
    close(fd[1]);
    close(fd[9]);
    who_came("two were closed", ep, 0, fd, names, n);
}

/* Sleeping on both kinds: each wakes. */
static void wakes(void)
{
    static const char *const names[] = {"tcp", "pipe"};
    int ep = epoll_create1(0), id, p[2], fd[2];
    char room[200];

    if (pipe(p) < 0)
        return;
    fd[0] = pair_in(&id);
    fd[1] = p[0];
    add(ep, fd[0], EPOLLIN);
    add(ep, fd[1], EPOLLIN);
    peer("after 30 send %d 5 0", id);
    who_came("tcp wakes", ep, -1, fd, names, 2);
    recv(fd[0], room, 5, 0);
    if (fork() == 0) {
        rest(30);
        _exit(write(p[1], "x", 1) != 1);
    }
    who_came("pipe wakes", ep, -1, fd, names, 2);
    wait(NULL);
    if (read(p[0], room, 1) == 1)
        who_came("nobody wakes", ep, 40, fd, names, 2);
}

static void nested(void)
{
    static const char *const names[] = {"inner", "tcp"};
    int outer = epoll_create1(0), inner = epoll_create1(0), third = epoll_create1(0), id;
    int fd[2] = {inner, pair_in(&id)}, p[2];
    char c[10];

    add(inner, fd[1], EPOLLIN);
    say("ADD of a set", add(outer, inner, EPOLLIN));
    say("the other way is a loop", add(inner, outer, EPOLLIN));
    say("third", add(third, outer, EPOLLIN));
    say("and its loop", add(inner, third, EPOLLIN));
    who_came("nothing", outer, 0, fd, names, 2);
    fact("poll: %s", events(polled(outer, POLLIN | POLLOUT)));
    peer("send %d 5 0", id);
    await(fd[1], POLLIN);
    who_came("outer", outer, PATIENCE_MS, fd, names, 2);
    who_came("outer again", outer, 0, fd, names, 2);
    fact("poll of outer: %s, inner: %s, third: %s", events(polled(outer, POLLIN)),
         events(polled(inner, POLLIN)), events(polled(third, POLLIN)));
    who_came("inner", inner, 0, fd, names, 2);
    recv(fd[1], c, 10, 0);
    who_came("outer, data was read", outer, 0, fd, names, 2);
    peer("after 30 send %d 5 0", id);
    who_came("outer wakes", outer, -1, fd, names, 2);
    recv(fd[1], c, 10, 0);
    peer("after 30 send %d 5 0", id);
    fact("poll of third wakes: %s", events(await(third, POLLIN)));
    recv(fd[1], c, 10, 0);
    if (pipe(p) == 0 && add(inner, p[0], EPOLLIN) == 0 && write(p[1], "x", 1) == 1)
        who_came("a pipe in inner", outer, PATIENCE_MS, fd, names, 2);
    close(inner);
    who_came("inner was closed", outer, 0, fd, names, 2);
    /* Too deep. */
    int deep[8], r = 0;
    for (int i = 0; i < 8; i++)
        deep[i] = epoll_create1(0);
    for (int i = 0; i < 7 && r == 0; i++) {
        r = add(deep[i + 1], deep[i], EPOLLIN);
        fact("depth %d: %s", i + 1, result(r));
    }
}

/* A set holds descriptions: a dup keeps one in it, a close of the last takes it out. */
static void lifetime(void)
{
    static const char *const names[] = {"fd", "dup"};
    int ep = epoll_create1(0), id, fd[2] = {pair_in(&id), 0}, old = fd[0], ep2;
    char c[10];

    add(ep, fd[0], EPOLLIN);
    fd[1] = dup(fd[0]);
    say("ADD of the dup", add(ep, fd[1], EPOLLIN));
    peer("send %d 5 0", id);
    await(fd[0], POLLIN);
    who_came("both", ep, 0, fd, names, 2);
    close(fd[0]);
    who_came("after close of the first", ep, 0, fd, names, 2);
    say("DEL of the closed number", epoll_ctl(ep, EPOLL_CTL_DEL, old, NULL));
    int again = tcp();
    fact("the number is used again: %d", again == old);
    say("ADD of the new one", add(ep, again, EPOLLIN));
    who_came("now", ep, 0, fd, names, 2);
    close(again);
    recv(fd[1], c, 10, 0);
    who_came("read", ep, 0, fd, names, 2);
    close(fd[1]);
    peer("drain %d 0", id);
    who_came("all closed", ep, 0, fd, names, 2);
    /* The set itself is dup'ed. */
    fd[0] = pair_in(&id);
    add(ep, fd[0], EPOLLIN);
    ep2 = dup(ep);
    close(ep);
    peer("send %d 5 0", id);
    await(fd[0], POLLIN);
    who_came("by the set's dup", ep2, 0, fd, names, 1);
    /* dup2 over a member. */
    fd[1] = pair_in(&id);
    dup2(fd[1], fd[0]);
    who_came("dup2 over a member", ep2, 0, fd, names, 1);
    say("ADD of what it is now", add(ep2, fd[0], EPOLLIN));
    peer("send %d 5 0", id);
    await(fd[0], POLLIN);
    who_came("its data", ep2, 0, fd, names, 1);
}

static void two_sets(void)
{
    static const char *const names[] = {"fd"};
    int one = epoll_create1(0), two = epoll_create1(0), id, fd = pair_in(&id);
    char c[10];

    add(one, fd, EPOLLIN | EPOLLET);
    add(two, fd, EPOLLIN);
    peer("send %d 5 0", id);
    await(fd, POLLIN);
    who_came("one", one, 0, &fd, names, 1);
    who_came("two", two, 0, &fd, names, 1);
    who_came("one again", one, 0, &fd, names, 1);
    who_came("two again", two, 0, &fd, names, 1);
    epoll_ctl(two, EPOLL_CTL_DEL, fd, NULL);
    recv(fd, c, 10, 0);
    peer("send %d 5 0", id);
    await(fd, POLLIN);
    who_came("one", one, 0, &fd, names, 1);
    who_came("two, deleted", two, 0, &fd, names, 1);
}

/* More are ready than are asked for: nobody is forgotten. */
static void fairness(void)
{
    int ep = epoll_create1(0), fd[12], id[12], seen[12] = {0}, all = 0;

    for (int i = 0; i < 12; i++) {
        fd[i] = pair_in(&id[i]);
        add(ep, fd[i], EPOLLIN);
        peer("send %d 1 0", id[i]);
        await(fd[i], POLLIN);
    }
    for (int round = 0; round < 4; round++) {
        int r = epoll_wait(ep, got, 3, 0);
        for (int j = 0; j < r; j++)
            for (int i = 0; i < 12; i++)
                seen[i] += got[j].data.fd == fd[i];
        fact("round %d: %d", round, r);
    }
    for (int i = 0; i < 12; i++)
        all += seen[i] == 1;
    fact("each was told once: %d", all);
}

static void of_child(void)
{
    static const char *const names[] = {"fd"};
    int ep = epoll_create1(0), id, fd = pair_in(&id), status;
    char c[10];

    add(ep, fd, EPOLLIN);
    peer("send %d 5 0", id);
    await(fd, POLLIN);
    if (fork() == 0) {
        who_came("in the child", ep, PATIENCE_MS, &fd, names, 1);
        recv(fd, c, 10, 0);
        who_came("read", ep, 0, &fd, names, 1);
        epoll_ctl(ep, EPOLL_CTL_MOD, fd, &(struct epoll_event){EPOLLOUT, {.fd = fd}});
        close(fd);
        _exit(0);
    }
    wait(&status);
    who_came("the parent has what the child set", ep, 0, &fd, names, 1);
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}});
    if (fork() == 0) {
        peer("after 30 send %d 5 0", id);
        who_came("a child sleeps", ep, -1, &fd, names, 1);
        _exit(0);
    }
    wait(&status);
    close(fd);
    rest(QUIET_MS); /* whoever has died is buried */
    who_came("the parent closed", ep, 0, &fd, names, 1);
}

static void *adds(void *arg)
{
    int *v = arg;

    rest(30);
    add(v[0], v[1], EPOLLIN);
    return NULL;
}

/* What changes while a thread sleeps in the set. */
static void changes(void)
{
    static const char *const names[] = {"fd"};
    int id, v[2] = {epoll_create1(0), pair_in(&id)};
    pthread_t t;

    peer("send %d 5 0", id);
    await(v[1], POLLIN);
    pthread_create(&t, NULL, adds, v);
    who_came("added while it slept", v[0], PATIENCE_MS, &v[1], names, 1);
    pthread_join(t, NULL);
    epoll_ctl(v[0], EPOLL_CTL_DEL, v[1], NULL);
    v[1] = tcp();
    pthread_create(&t, NULL, adds, v);
    who_came("a fresh one, added while it slept", v[0], PATIENCE_MS, &v[1], names, 1);
    pthread_join(t, NULL);
}

const struct topic topics_epoll_mix[] = {
    {"epoll kinds", kinds},       {"epoll wakes", wakes},       {"epoll nested", nested},
    {"epoll lifetime", lifetime}, {"epoll two sets", two_sets}, {"epoll fairness", fairness},
    {"epoll fork", of_child},     {"epoll changes", changes},   {0},
};
