/* Facts about signals that come while a call waits. */
#include "conform.h"

#include <setjmp.h>
#include <sys/select.h>
#include <sys/time.h>

#define BULK 2000000
#define AGAIN_MS 150 /* an alarm that came before the call had begun is not the last */

static volatile sig_atomic_t came;
static volatile sig_atomic_t answers; /* a socket that the handler sends by */

static void on_signal(int sig)
{
    (void)sig;
    came++;
    if (answers > 0)
        send((int)answers, "", 1, MSG_NOSIGNAL);
}

static void handle(int sig, int flags)
{
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = flags};

    sigaction(sig, &a, NULL);
}

/* A SIGALRM in ms, and then every ms_again. */
static void ring(int ms, int ms_again)
{
    struct itimerval t = {{0, ms_again * 1000}, {0, ms * 1000}};

    came = 0;
    setitimer(ITIMER_REAL, &t, NULL);
}

/* Where a connect waits: the peer's backlog is full. */
static int full_port(void)
{
    int port = next_port();

    peer("listen %d 0", port);
    connect_to(tcp(), peer_ip, port);
    rest(QUIET_MS);
    return port;
}

static void interrupts(void)
{
    int id, fd = pair_in(&id), l = listener(next_port()), ep = epoll_create1(0), full;
    struct pollfd p = {fd, POLLIN, 0};
    struct epoll_event ev = {EPOLLIN, {0}};
    fd_set in;
    char c[10];

    handle(SIGALRM, 0);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    ring(30, AGAIN_MS);
    say("recv", recv(fd, c, 1, 0));
    fact("handler ran: %d", came > 0);
    ring(30, AGAIN_MS);
    say("read", read(fd, c, 1));
    ring(30, AGAIN_MS);
    say("accept", accept(l, NULL, NULL));
    full = full_port(); /* which takes its time: the alarm is for what follows */
    ring(30, AGAIN_MS);
    say("connect", connect_to(tcp(), peer_ip, full));
    ring(30, AGAIN_MS);
    say("poll", poll(&p, 1, 1000));
    ring(30, AGAIN_MS);
    say("epoll_wait", epoll_wait(ep, &ev, 1, 1000));
    ring(30, AGAIN_MS);
    FD_ZERO(&in);
    FD_SET(fd, &in);
    say("select", select(fd + 1, &in, NULL, NULL, NULL));
    ring(30, AGAIN_MS);
    peer("send %d 3 0", id);
    await_bytes(fd, 3);
    say("WAITALL with part", recv(fd, c, 10, MSG_WAITALL));
    ring(30, AGAIN_MS);
    say("recvfrom on datagram", recv(udp(), c, 10, 0));
    /* With SA_RESTART only some go on. */
    handle(SIGALRM, SA_RESTART);
    ring(20, AGAIN_MS);
    peer("after 60 send %d 3 0", id);
    say("recv, SA_RESTART", recv(fd, c, 10, 0));
    fact("handler ran: %d", came > 0);
    ring(20, AGAIN_MS);
    say("poll, SA_RESTART", poll(&p, 1, 1000));
    ring(20, AGAIN_MS);
    say("epoll_wait, SA_RESTART", epoll_wait(ep, &ev, 1, 1000));
    ring(20, AGAIN_MS);
    FD_SET(fd, &in);
    say("select, SA_RESTART", select(fd + 1, &in, NULL, NULL, &(struct timeval){1, 0}));
    struct timeval t = {0, 200000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    ring(20, AGAIN_MS);
    say("recv with a time-out, SA_RESTART", recv(fd, c, 10, 0));
    /* Ignored signals interrupt nothing. */
    signal(SIGALRM, SIG_IGN);
    t = (struct timeval){0, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    ring(20, AGAIN_MS);
    peer("after 60 send %d 3 0", id);
    say("recv, ignored", recv(fd, c, 10, 0));
    ring(20, AGAIN_MS);
    say("epoll_wait, ignored", epoll_wait(ep, &ev, 1, 60));
    ring(0, 0);
}

static void masks(void)
{
    int id, fd = pair_in(&id), ep = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN, {0}};
    struct pollfd p = {fd, POLLIN, 0};
    struct timespec t = {0, 300000000};
    sigset_t block, none, now;
    fd_set in;

    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    handle(SIGUSR1, 0);
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    kill(getpid(), SIGUSR1);
    fact("blocked: %d", (int)came);
    say("poll, blocked", poll(&p, 1, 20));
    say("ppoll lets it in", ppoll(&p, 1, &t, &none));
    fact("handler ran: %d", (int)came);
    sigprocmask(SIG_SETMASK, NULL, &now);
    fact("the mask is as before: %d", sigismember(&now, SIGUSR1));
    kill(getpid(), SIGUSR1);
    FD_ZERO(&in);
    FD_SET(fd, &in);
    say("pselect lets it in", pselect(fd + 1, &in, NULL, NULL, &t, &none));
    kill(getpid(), SIGUSR1);
    say("epoll_pwait lets it in", epoll_pwait(ep, &ev, 1, 300, &none));
    kill(getpid(), SIGUSR1);
    say("epoll_pwait2 lets it in", epoll_pwait2(ep, &ev, 1, &t, &none));
    fact("handlers ran: %d", (int)came);
    kill(getpid(), SIGUSR1);
    peer("send %d 1 0", id);
    await(fd, POLLIN);
    say("ppoll, pending and ready", ppoll(&p, 1, &t, &none));
    say("epoll_pwait, pending and ready", epoll_pwait(ep, &ev, 1, 300, &none));
    sigprocmask(SIG_SETMASK, &none, NULL);
    fact("handlers ran: %d", (int)came);
    /* A mask that blocks for the wait only. */
    recv(fd, &t, 1, 0);
    handle(SIGALRM, 0);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    ring(20, 0);
    say("epoll_pwait that blocks it", epoll_pwait(ep, &ev, 1, 60, &block));
    fact("it ran afterwards: %d", (int)came);
}

static sigjmp_buf out;

static void jumps(int sig)
{
    came++;
    siglongjmp(out, sig);
}

/* As iperf3 ends. */
static void long_jump(void)
{
    static unsigned char room[30000];
    int id, fd = pair_in(&id), err;
    struct sigaction a = {.sa_handler = jumps};
    char c;

    sigaction(SIGALRM, &a, NULL);
    ring(30, 0);
    if (sigsetjmp(out, 1) == 0)
        say("recv returned", recv(fd, &c, 1, 0));
    else
        fact("out of recv");
    ring(30, 0);
    if (sigsetjmp(out, 1) == 0)
        say("poll returned", (long)await(fd, POLLIN));
    else
        fact("out of poll");
    peer("send %d 10 0", id);
    fact("the connection is whole: %ld", receive(fd, 10, 0, &err));
    /* Out of a loop that sends; the peer reads all, whatever was sent. */
    for (volatile int round = 0; round < 5; round++) {
        peer("after 0 recv %d 20000000 0", id);
        ring(15, 0);
        fill(room, sizeof room, 0);
        if (sigsetjmp(out, 1) == 0)
            for (;;) {
                (void)!send(fd, room, sizeof room, 0);
            }
        close(fd);
        fact("round %d: out of send, peer goes on: %d", round, peer("peek %d", id) != -ENOSYS);
        fd = pair_in(&id);
        peer("send %d 10 0", id);
        fact("another connection: %ld", receive(fd, 10, 0, &err));
    }
}

/* Signals all the time, in the middle of everything. */
static void storm(void)
{
    static unsigned char room[60000];
    int id, fd = pair_in(&id), other, twin;
    uint64_t sent = 0, got = 0;
    bool right = true;

    handle(SIGALRM, SA_RESTART);
    other = pair_in(&twin);
    answers = other;
    ring(1, 1);
    peer("after 0 recv %d %d 0", id, BULK);
    while (sent < BULK) {
        size_t n = BULK - sent < sizeof room ? (size_t)(BULK - sent) : sizeof room;
        fill(room, n, sent);
        ssize_t r = send(fd, room, n, 0);
        if (r < 0 && errno != EINTR)
            break;
        sent += r > 0 ? (uint64_t)r : 0;
    }
    fact("sent: %lu", sent);
    peer("after 0 send %d %d 0", id, BULK);
    while (got < BULK) {
        ssize_t r = recv(fd, room, sizeof room, 0);
        if (r == 0 || (r < 0 && errno != EINTR))
            break;
        right = right && (r < 0 || is_pattern(room, (size_t)r, got));
        got += r > 0 ? (uint64_t)r : 0;
    }
    ring(0, 0);
    answers = 0;
    fact("received: %lu, right: %d", got, right);
    close(other);
    fact("what the handlers sent: %d", peer("peek %d", twin) > 0);
    close(fd);
}

const struct topic topics_signal[] = {
    {"EINTR", interrupts},
    {"signal masks", masks},
    {"siglongjmp", long_jump},
    {"storm", storm},
    {0},
};
