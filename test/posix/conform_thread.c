/* Facts about threads that share sockets. */
#include "conform.h"

#include <pthread.h>
#include <stdatomic.h>

#define BULK 2000000

static void *sends(void *arg)
{
    static unsigned char room[50000];
    int fd = *(int *)arg;

    for (uint64_t sent = 0; sent < BULK;) {
        size_t n = BULK - sent < sizeof room ? (size_t)(BULK - sent) : sizeof room;
        fill(room, n, sent);
        ssize_t r = send(fd, room, n, MSG_NOSIGNAL);
        if (r <= 0)
            break;
        sent += (uint64_t)r;
    }
    return NULL;
}

static void both_ways(void)
{
    int id, twin, fd = pair_in(&id), out = pair_out(&twin), err;
    pthread_t t;

    peer("after 0 send %d %d 0", id, BULK);
    pthread_create(&t, NULL, sends, &out);
    fact("received: %ld", receive(fd, BULK, 0, &err));
    peer("after 0 recv %d %d 0", twin, BULK);
    pthread_join(t, NULL);
    close(out);
    told("the rest", peer("drain %d %d", twin, BULK));
    /* One connection, the peer echoes nothing: this thread reads what that one writes. */
    int port = next_port(), l = listener(port), a = tcp(), b;
    connect_to(a, our_ip, port);
    b = accept(l, NULL, NULL);
    pthread_create(&t, NULL, sends, &a);
    fact("between two of ours: %ld", receive(b, BULK, 0, &err));
    pthread_join(t, NULL);
}

struct acceptor {
    int l;
    _Atomic int accepted, served, ended;
};

static void *accepts(void *arg)
{
    struct acceptor *a = arg;
    char c;

    for (;;) {
        int fd = accept(a->l, NULL, NULL);
        if (fd < 0)
            break;
        atomic_fetch_add(&a->accepted, 1);
        if (recv(fd, &c, 1, 0) == 1 && send(fd, &c, 1, 0) == 1)
            atomic_fetch_add(&a->served, 1);
        close(fd);
    }
    atomic_fetch_add(&a->ended, 1);
    return NULL;
}

static void many_accept(void)
{
    int port = next_port(), good = 0;
    struct acceptor a = {.l = listener(port)};
    pthread_t t[6];

    for (int i = 0; i < 6; i++)
        pthread_create(&t[i], NULL, accepts, &a);
    for (int i = 0; i < 40; i++) {
        int id = (int)peer("connect %d", port);
        peer("send %d 1 0", id);
        good += peer("recv %d 1 0", id) == 1;
        peer("close %d", id);
    }
    fact("served: %d", good);
    say("shutdown of the listener", shutdown(a.l, SHUT_RDWR));
    for (int i = 0; i < 6; i++)
        pthread_join(t[i], NULL);
    fact("all threads woke: %d", a.ended);
}

/* late: when all threads listen already, or before any does. */
static void deferred(bool late)
{
    int port = next_port(), good = 0, id[12];
    struct acceptor a = {.l = tcp()};
    pthread_t t[4];

    bind_to(a.l, our_ip, port);
    if (!late)
        set_int(a.l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 8);
    listen(a.l, 16);
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, accepts, &a);
    rest(4 * QUIET_MS);
    if (late)
        set_int(a.l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 8);
    for (int i = 0; i < 12; i++)
        id[i] = (int)peer("connect %d", port);
    rest(QUIET_MS);
    fact("before data: %d", a.accepted);
    for (int i = 0; i < 12; i++) {
        peer("send %d 1 0", id[i]);
        good += peer("recv %d 1 0", id[i]) == 1;
    }
    fact("served: %d", good);
    shutdown(a.l, SHUT_RDWR);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

static void many_deferred(void)
{
    deferred(false);
    deferred(true);
}

struct reader {
    int fd;
    long r;
    int error;
    _Atomic bool over;
};

static void *reads(void *arg)
{
    struct reader *r = arg;
    char c;

    r->r = recv(r->fd, &c, 1, 0);
    r->error = errno;
    r->over = true;
    return NULL;
}

static void *polls(void *arg)
{
    struct reader *r = arg;

    r->r = (long)await(r->fd, POLLIN | POLLRDHUP);
    r->over = true;
    return NULL;
}

static void shut_wakes(void)
{
    int id, fd = pair_in(&id);
    struct reader r = {.fd = fd};
    pthread_t t;

    pthread_create(&t, NULL, reads, &r);
    rest(QUIET_MS);
    say("shutdown RD", shutdown(fd, SHUT_RD));
    pthread_join(t, NULL);
    fact("recv woke with: %ld", r.r);
    fd = pair_in(&id);
    r = (struct reader){.fd = fd};
    pthread_create(&t, NULL, polls, &r);
    rest(QUIET_MS);
    shutdown(fd, SHUT_RDWR);
    pthread_join(t, NULL);
    fact("poll woke with: %s", events((uint32_t)r.r));
    fd = pair_in(&id);
    r = (struct reader){.fd = fd};
    pthread_create(&t, NULL, reads, &r);
    rest(QUIET_MS);
    peer("rst %d", id);
    pthread_join(t, NULL);
    fact("recv woke with: %s", (errno = r.error, result(r.r)));
    /* A close wakes nobody; data does, by the description that the call still holds. */
    fd = pair_in(&id);
    r = (struct reader){.fd = fd};
    pthread_create(&t, NULL, reads, &r);
    rest(QUIET_MS);
    say("close under a reader", close(fd));
    rest(QUIET_MS);
    fact("it sleeps on: %d", !r.over);
    fact("and there is no FIN: %s", events((uint32_t)peer("poll %d %d", id, POLLOUT | POLLRDHUP)));
    peer("send %d 1 0", id);
    pthread_join(t, NULL);
    fact("then it has: %s", (errno = r.error, result(r.r)));
    peer("drain %d 0", id);
    fact("the peer sees: %s", peer_text());
}

/* Two sleep for the same bytes: one of them gets each. */
static void two_readers(void)
{
    int id, fd = pair_in(&id);
    struct reader r[2] = {{.fd = fd}, {.fd = fd}};
    pthread_t t[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, reads, &r[i]);
    rest(QUIET_MS);
    peer("send %d 1 0", id);
    for (int i = 0; i < PATIENCE_MS && !r[0].over && !r[1].over; i++)
        rest(1);
    rest(QUIET_MS);
    fact("one woke: %d", r[0].over != r[1].over);
    peer("send %d 1 0", id);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    fact("both have one: %ld %ld", r[0].r, r[1].r);
}

struct set {
    int ep;
    _Atomic int told;
};

static void *waits(void *arg)
{
    struct set *s = arg;
    struct epoll_event ev[8];
    int r = epoll_wait(s->ep, ev, 8, 300);

    if (r > 0)
        atomic_fetch_add(&s->told, r);
    return NULL;
}

/* Threads that sleep in one set: an edge and a one-shot are for one of them. */
static void one_set(void)
{
    static const uint32_t how[] = {EPOLLET, EPOLLONESHOT};
    static const char *const names[] = {"edge", "one shot"};

    for (int k = 0; k < 2; k++) {
        int id, fd = pair_in(&id);
        struct set s = {.ep = epoll_create1(0)};
        pthread_t t[4];

        epoll_ctl(s.ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN | how[k], {.fd = fd}});
        for (int i = 0; i < 4; i++)
            pthread_create(&t[i], NULL, waits, &s);
        rest(QUIET_MS);
        peer("send %d 1 0", id);
        for (int i = 0; i < 4; i++)
            pthread_join(t[i], NULL);
        fact("%s: told %d", names[k], s.told);
    }
}

static void *opens(void *arg)
{
    int port = *(int *)arg;
    intptr_t good = 0;
    char c = 'x';

    for (int i = 0; i < 25; i++) {
        int fd = tcp();
        if (connect_to(fd, our_ip, port) == 0 && send(fd, &c, 1, 0) == 1 && recv(fd, &c, 1, 0) == 1)
            good++;
        close(fd);
    }
    return (void *)good;
}

/* All at once, between threads of one program. */
static void crowd(void)
{
    int port = next_port();
    struct acceptor a = {.l = listener(port)};
    pthread_t server[3], client[4];
    intptr_t good = 0;

    for (int i = 0; i < 3; i++)
        pthread_create(&server[i], NULL, accepts, &a);
    for (int i = 0; i < 4; i++)
        pthread_create(&client[i], NULL, opens, &port);
    for (int i = 0; i < 4; i++) {
        void *r;
        pthread_join(client[i], &r);
        good += (intptr_t)r;
    }
    shutdown(a.l, SHUT_RDWR);
    for (int i = 0; i < 3; i++)
        pthread_join(server[i], NULL);
    fact("answers: %ld", (long)good);
}

/* Two sockets of ours that talk to each other, in this thread's stack. */
static void two_of_ours(bool dgram, int fd[2])
{
    int port = next_port(), other = next_port();

    if (dgram) {
        fd[0] = udp();
        fd[1] = udp();
        bind_to(fd[0], our_ip, port);
        bind_to(fd[1], our_ip, other);
        connect_to(fd[0], our_ip, other);
        connect_to(fd[1], our_ip, port);
        return;
    }
    int l = listener(port);
    fd[0] = tcp();
    connect_to(fd[0], our_ip, port);
    fd[1] = accept(l, NULL, NULL);
    close(l);
}

static void *echoes(void *arg)
{
    int fd = *(int *)arg;
    char c = 'x';

    while (recv(fd, &c, 1, 0) == 1 && c != 'q')
        send(fd, &c, 1, 0);
    return NULL;
}

/* One thread sleeps in recv for what lives in another's stack, and answers what that one polls
 * for. */
static void answers_another(bool dgram)
{
    int fd[2], good = 0;
    pthread_t t;
    char c = 'x';

    two_of_ours(dgram, fd);
    pthread_create(&t, NULL, echoes, &fd[1]);
    for (int i = 0; i < 30; i++) {
        uint64_t begun = now_ms();
        send(fd[0], &c, 1, 0);
        await(fd[0], POLLIN);
        good += recv(fd[0], &c, 1, MSG_DONTWAIT) == 1 && now_ms() - begun < PATIENCE_MS / 3;
    }
    fact("%s: answered soon: %d", dgram ? "datagrams" : "a stream", good);
    send(fd[0], "q", 1, 0);
    pthread_join(t, NULL);
}

/* What a thread sends that polls no more, be it at once after it has polled, is heard. */
static void hears_another(bool dgram, int rest_ms)
{
    int good = 0, times = rest_ms < 1000 ? 8 : 1;

    for (int i = 0; i < times; i++) {
        int fd[2];
        pthread_t t;
        two_of_ours(dgram, fd);
        struct reader r = {.fd = fd[1]};
        if (rest_ms < 1000)
            polled(fd[0], POLLIN);
        pthread_create(&t, NULL, reads, &r);
        rest(rest_ms);
        uint64_t begun = now_ms();
        send(fd[0], "x", 1, 0);
        while (!r.over && now_ms() - begun < PATIENCE_MS / 3)
            usleep(1000);
        good += r.over;
        /* Whoever polls now hears for all. */
        for (int k = 0; k < PATIENCE_MS && !r.over; k++)
            polled(fd[0], POLLIN), rest(1);
        pthread_join(t, NULL);
        close(fd[0]);
        close(fd[1]);
    }
    fact("%s, after %d ms: heard soon: %d", dgram ? "datagrams" : "a stream", rest_ms, good);
}

static void between(void)
{
    for (int dgram = 0; dgram < 2; dgram++) {
        answers_another(dgram);
        hears_another(dgram, 3);
        hears_another(dgram, 1700);
    }
}

#define TALKS 8
#define LATE_MS 30 /* nobody is so late often, however busy the machine is */

struct talk {
    int fd;
    _Atomic uint64_t said_ms; /* the last one, then */
};

static void *says(void *arg)
{
    struct talk *t = arg;
    char c = 'x';

    for (int i = 0; i < TALKS; i++) {
        rest(5 * LATE_MS);
        atomic_store(&t->said_ms, now_ms());
        send(t->fd, &c, 1, MSG_NOSIGNAL);
    }
    return NULL;
}

struct ear {
    int fd;
    struct talk *talk;
    int heard, late;
};

static void *hears(void *arg)
{
    struct ear *e = arg;
    char c;

    while (e->heard < TALKS && recv(e->fd, &c, 1, 0) == 1) {
        e->heard++;
        e->late += now_ms() - atomic_load(&e->talk->said_ms) > LATE_MS;
    }
    return NULL;
}

/* a and b are one connection, or know each other's address.  Who opened them polls for one of them,
 * and somebody else, who has polled for nothing, has the other. */
static void talk(int a, int b)
{
    struct timeval patience = {.tv_sec = 1};
    struct talk t = {.fd = b};
    struct ear first = {.fd = a, .talk = &t}, second = first;
    pthread_t other;

    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    pthread_create(&other, NULL, says, &t);
    hears(&first);
    pthread_join(other, NULL);
    fact("who opened it sleeps: heard %d, late %s", first.heard, first.late > 2 ? "often" : "no");
    pthread_create(&other, NULL, hears, &second);
    says(&t);
    pthread_join(other, NULL);
    fact("who opened it sends: heard %d, late %s", second.heard, second.late > 2 ? "often" : "no");
}

static void one_sleeps(void)
{
    int port = next_port(), l = listener(port), a = tcp();

    connect_to(a, our_ip, port);
    talk(a, accept(l, NULL, NULL));
}

static void one_sleeps_udp(void)
{
    int port = next_port(), a = udp(), b = udp();

    bind_to(a, our_ip, port);
    connect_to(b, our_ip, port);
    talk(a, b);
}

#define SENDERS 300

static void *sends_one(void *arg)
{
    struct sockaddr_in to = *(const struct sockaddr_in *)arg;
    int fd = udp();

    sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    close(fd);
    return NULL;
}

/* What was bound is so for all threads, one that begins now, sends and ends, too. */
static void new_senders(void)
{
    struct timeval patience = {.tv_sec = 1};
    int heard = 0;

    for (int i = 0; i < SENDERS; i++) {
        struct sockaddr_in at;
        socklen_t n = sizeof at;
        int fd = udp();
        pthread_t t;
        char c;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        bind_to(fd, our_ip, 0);
        getsockname(fd, (struct sockaddr *)&at, &n);
        pthread_create(&t, NULL, sends_one, &at);
        pthread_join(t, NULL);
        heard += recv(fd, &c, 1, 0) == 1;
        close(fd);
    }
    fact("heard: %d", heard);
}

const struct topic topics_thread[] = {
    {"both ways", both_ways},
    {"many accept", many_accept},
    {"many deferred", many_deferred},
    {"shutdown wakes", shut_wakes},
    {"two readers", two_readers},
    {"one sleeps", one_sleeps},
    {"one sleeps, datagrams", one_sleeps_udp},
    {"one set", one_set},
    {"crowd", crowd},
    {"between threads", between},
    {"new senders", new_senders},
    {0},
};
