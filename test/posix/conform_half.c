/* Facts about megabytes, full buffers, half-close, linger, urgent data, and time-outs. */
#include "conform.h"

#include <pthread.h>
#include <stdatomic.h>

#define BULK 3000000

static void bulk(void)
{
    static unsigned char room[100000];
    int id, fd = pair_in(&id), err, odd = 0;
    uint64_t sent = 0;

    peer("after 0 send %d %d 0", id, BULK);
    fact("received: %ld", receive(fd, BULK, 0, &err));
    peer("after 0 recv %d %d 0", id, BULK);
    while (sent < BULK) {
        size_t n = BULK - sent < sizeof room ? (size_t)(BULK - sent) : sizeof room;

        fill(room, n, sent);
        ssize_t r = send(fd, room, n, 0);
        odd += r != (ssize_t)n;
        if (r < 0)
            break;
        sent += (uint64_t)r;
    }
    fact("sent: %lu, partial sends of a blocking socket: %d", sent, odd);
    say("then", send(fd, room, 10, 0));
    fact("the peer got what came after: %ld", peer("peek %d", id) >= 0 ? 1L : 0L);
    /* Both ways at once, without blocking. */
    fd = pair_in(&id);
    nonblock(fd);
    peer("after 0 send %d %d 0", id, BULK);
    uint64_t got = 0;
    bool right = true;
    sent = 0;
    while (got < BULK) {
        ssize_t r = recv(fd, room, sizeof room, 0);
        if (r < 0 && errno == EAGAIN)
            await(fd, POLLIN);
        else if (r <= 0)
            break;
        else
            right = right && is_pattern(room, (size_t)r, got), got += (uint64_t)r;
        if (sent < 500000) {
            fill(room, 5000, sent);
            r = send(fd, room, 5000, 0);
            sent += r > 0 ? (uint64_t)r : 0;
        }
    }
    fact("non-blocking: received all %d, right %d", got == BULK, right);
    fact("the peer received what was sent: %d", peer("recv %d %lu 0", id, sent) == (long)sent);
}

static void full(void)
{
    char room[1] = "";
    int id, fd = pair_in(&id), queued = 0;
    long sent;

    set_int(fd, SOL_SOCKET, SO_SNDBUF, 200000);
    nonblock(fd);
    sent = fill_up(fd, -1);
    say("send into a full buffer", send(fd, room, 1, 0));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT)));
    ioctl(fd, SIOCOUTQ, &queued);
    fact("SIOCOUTQ is more than nothing: %d", queued > 0);
    struct timeval t = {0, 60000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    fcntl(fd, F_SETFL, 0);
    uint64_t began = now_ms();
    say("blocking, SNDTIMEO", send(fd, room, 1, 0));
    fact("it waited: %d", now_ms() - began >= 55);
    say("DONTWAIT", send(fd, room, 1, MSG_DONTWAIT));
    fact("the peer reads: %d", peer("recv %d %ld 0", id, sent) == sent);
    fact("poll: %s", events(await(fd, POLLOUT)));
    close(fd);
    fact("the peer reads to the end: %ld", peer("drain %d %ld", id, sent));
    fact("which is: %s", peer_text());
}

static void recv_timeout(void)
{
    int id, fd = pair_in(&id), l = listener(next_port());
    struct timeval t = {0, 60000}, got;
    char c[10];
    socklen_t n = sizeof got;
    uint64_t began;

    say("set RCVTIMEO", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &n);
    fact("RCVTIMEO: %ld.%06ld, %u bytes", (long)got.tv_sec, (long)got.tv_usec, n);
    began = now_ms();
    say("recv", recv(fd, c, 1, 0));
    fact("it waited: %d", now_ms() - began >= 55);
    peer("send %d 4 0", id);
    say("WAITALL with part", recv(fd, c, 10, MSG_WAITALL));
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    say("accept", accept(l, NULL, NULL));
    t.tv_usec = 2000000;
    say("usec too large", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    t.tv_usec = 0;
    t.tv_sec = -1;
    say("negative", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &n);
    fact("RCVTIMEO: %ld.%06ld", (long)got.tv_sec, (long)got.tv_usec);
    say("too short", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, 8));
    t.tv_sec = 0;
    say("zero", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    peer("after 80 send %d 4 0", id);
    say("zero is for ever", recv(fd, c, 10, 0));
}

/* We end first. */
static void we_shut(void)
{
    int id, fd = pair_in(&id), err;
    char room[20];

    fill(room, sizeof room, 0);
    send(fd, room, 20, 0);
    say("shutdown WR", shutdown(fd, SHUT_WR));
    say("again", shutdown(fd, SHUT_WR));
    fact("the peer received: %ld", peer("drain %d 0", id));
    fact("and then: %s", peer_text());
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    peer("send %d 500 0", id);
    fact("we still receive: %ld", receive(fd, 500, 0, &err));
    peer("close %d", id);
    fact("poll at the end: %s", events(await(fd, POLLHUP)));
    fact("all events: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("recv", recv(fd, room, 1, 0));
    say("shutdown RD", shutdown(fd, SHUT_RD));
    fact("getpeername: %s", peer_of(fd));
    /* Reading. */
    fd = pair_in(&id);
    peer("send %d 10 0", id);
    await_bytes(fd, 10);
    say("shutdown RD", shutdown(fd, SHUT_RD));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("recv what was there", recv(fd, room, 20, 0));
    say("recv the end", recv(fd, room, 20, 0));
    peer("send %d 10 0", id);
    rest(QUIET_MS);
    say("recv what came later", recv(fd, room, 20, 0));
    say("send still works", send(fd, room, 20, 0));
    fact("the peer received: %ld", peer("recv %d 20 0", id));
    say("shutdown RDWR", shutdown(fd, SHUT_RDWR));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    peer("drain %d 0", id);
    fact("the peer sees: %s", peer_text());
    say("shutdown 3", shutdown(fd, 3));
    say("shutdown -1", shutdown(fd, -1));
}

/* The peer ends first. */
static void peer_shuts(void)
{
    int id, fd = pair_in(&id), err;
    char room[500];

    fill(room, sizeof room, 0);
    peer("send %d 10 0", id);
    peer("shut %d 1", id);
    fact("poll: %s", events(await(fd, POLLRDHUP)));
    fact("received: %ld", receive(fd, 100, 0, &err));
    say("send", send(fd, room, 500, 0));
    fact("the peer received: %ld", peer("recv %d 500 0", id));
    say("shutdown", shutdown(fd, SHUT_WR));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    peer("drain %d 0", id);
    fact("the peer sees: %s", peer_text());
    say("send", send(fd, room, 1, MSG_NOSIGNAL));
    close(fd);
}

static void close_with(const char *what, int unread, int on, int seconds, int queued)
{
    static unsigned char room[65536];
    int id, fd = pair_in(&id);
    struct linger lg = {on, seconds};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
    if (unread) {
        peer("send %d %d 0", id, unread);
        await_bytes(fd, unread);
    }
    if (queued) {
        fill(room, sizeof room, 0);
        send(fd, room, (size_t)queued, 0);
    }
    say(what, close(fd));
    rest(2);
    long r = peer("drain %d 0", id);
    /* What a RST overtakes is not told: it depends on who is faster. */
    fact("%s: the peer reads %s, %s", what, r == queued ? "all" : "less", peer_text());
    peer("close %d", id);
}

struct resetter {
    int port;
    _Atomic bool listens;
};

static void *says_and_resets(void *arg)
{
    struct resetter *r = arg;
    struct linger lg = {1, 0};
    struct pollfd p = {listener(r->port), POLLIN, 0};

    atomic_store(&r->listens, true);
    poll(&p, 1, PATIENCE_MS);
    int fd = accept(p.fd, NULL, NULL);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
    send(fd, "reset", 6, 0);
    close(fd);
    close(p.fd);
    return NULL;
}

/* What a thread that polls has said before it resets the connection is heard, and so is the reset,
 * by who knows that it was closed. */
static void resets(void)
{
    int known = 0, heard = 0;

    for (int i = 0; i < 20; i++) {
        struct resetter r = {.port = next_port()};
        int fd = tcp();
        char room[20];
        pthread_t t;
        pthread_create(&t, NULL, says_and_resets, &r);
        while (!r.listens)
            rest(1);
        connect_to(fd, our_ip, r.port);
        pthread_join(t, NULL);
        known += strcmp(peer_of(fd), "ENOTCONN") == 0;
        heard += recv(fd, room, sizeof room, MSG_DONTWAIT) == 6 &&
                 recv(fd, room, sizeof room, MSG_DONTWAIT) == -1 && errno == ECONNRESET;
        close(fd);
    }
    fact("known %d, heard %d", known, heard);
}

static void lingers(void)
{
    close_with("close", 0, 0, 0, 0);
    close_with("close with data queued", 0, 0, 0, 20000);
    close_with("close with unread data", 10, 0, 0, 0);
    close_with("linger 0", 0, 1, 0, 0);
    close_with("linger 5", 0, 1, 5, 0);
    close_with("linger 5 with data queued", 0, 1, 5, 20000);
    close_with("linger 0 with unread data", 10, 1, 0, 0);
    close_with("linger 0 with data queued", 0, 1, 0, 100);
    close_with("close with unread data and data queued", 10, 0, 0, 100);
    /* The peer does not read: a close that lingers waits. */
    static unsigned char room[4 << 20];
    int id, fd = pair_in(&id);
    struct linger lg = {1, 1};
    uint64_t began, took;

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
    set_int(fd, SOL_SOCKET, SO_SNDBUF, 4 << 20);
    nonblock(fd);
    for (long r = 1; r > 0;)
        r = send(fd, room, sizeof room, 0);
    fcntl(fd, F_SETFL, 0);
    began = now_ms();
    say("close, the peer does not read", close(fd));
    took = now_ms() - began;
    fact("it waited for its second: %d", took >= 900 && took < 2500);
    peer("rst %d", id);
}

/* After our close: what the peer is told when it sends its FIN after `later_ms`; or, if that is
 * negative, nothing. */
static void close_linger2(const char *what, int seconds, bool shut, int later_ms)
{
    int id, fd = pair_in(&id);
    bool reset = false;

    set_int(fd, IPPROTO_TCP, TCP_LINGER2, seconds);
    if (shut) {
        shutdown(fd, SHUT_WR);
        await_state(fd, 5); /* FIN-WAIT-2 */
    }
    say(what, close(fd));
    if (later_ms >= 0) {
        peer("poll %d %d", id, POLLRDHUP);
        rest(later_ms);
        peer("shut %d 1", id);
    }
    for (int ms = 0; ms < 1000 && !reset; ms += QUIET_MS, rest(QUIET_MS))
        reset = peer("poll %d %d", id, POLLERR | POLLRDHUP) & POLLERR;
    fact("%s: the peer is told %s", what, reset ? "of a reset" : "nothing");
    peer("close %d", id);
}

static void linger2(void)
{
    close_linger2("linger2 1, FIN at once", 1, false, 0);
    close_linger2("linger2 1, FIN too late", 1, false, 2500);
    close_linger2("linger2 60, FIN late", 60, false, 2500);
    close_linger2("linger2 -1", -1, false, -1);
    close_linger2("linger2 -1, shut before", -1, true, -1);
}

/* As far as Linux goes: one byte, in line or not. */
static void urgent(void)
{
    int id, fd = pair_in(&id), mark = -1;
    char room[20];

    set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    peer("send %d 3 0", id);
    peer("send %d 1 3 1", id);
    peer("send %d 3 4", id);
    await_bytes(fd, 7);
    fact("poll: %s", events(polled(fd, POLLIN | POLLPRI)));
    say("SIOCATMARK", ioctl(fd, SIOCATMARK, &mark));
    fact("at the mark: %d", mark);
    say("recv stops at the mark", recv(fd, room, 20, MSG_DONTWAIT));
    ioctl(fd, SIOCATMARK, &mark);
    fact("at the mark: %d", mark);
    say("recv past it", recv(fd, room, 20, MSG_DONTWAIT));
    fact("right bytes: %d", is_pattern(room, 4, 3));
    say("recv OOB, in line", recv(fd, room, 1, MSG_OOB));
    say("send OOB", send(fd, "u", 1, MSG_OOB));
    fd = pair_in(&id);
    peer("send %d 3 0", id);
    peer("send %d 1 3 1", id);
    rest(QUIET_MS);
    fact("out of line, poll: %s", events(polled(fd, POLLIN | POLLPRI)));
    say("recv", recv(fd, room, 20, MSG_DONTWAIT));
    say("recv OOB", recv(fd, room, 1, MSG_OOB));
    say("recv OOB again", recv(fd, room, 1, MSG_OOB));
    say("recv", recv(fd, room, 20, MSG_DONTWAIT));
}

const struct topic topics_half[] = {
    {"bulk", bulk},
    {"full", full},
    {"receive timeout", recv_timeout},
    {"we shut", we_shut},
    {"peer shuts", peer_shuts},
    {"linger", lingers},
    {"reset by a thread", resets},
    {"linger2", linger2},
    {"urgent", urgent},
    {0},
};
