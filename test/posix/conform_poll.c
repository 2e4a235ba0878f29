/* Facts about poll and select in each state of a socket's life. */
#include "conform.h"

#include <sys/eventfd.h>
#include <sys/select.h>

#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM)

static void states(void)
{
    int fd = tcp(), id, l, port = next_port();
    char c[20];

    fact("fresh: %s", events(polled(fd, ALL)));
    bind_to(fd, our_ip, port);
    fact("bound: %s", events(polled(fd, ALL)));
    listen(fd, 4);
    fact("listening: %s", events(polled(fd, ALL)));
    id = (int)peer("connect %d", port);
    await(fd, POLLIN);
    fact("somebody waits: %s", events(polled(fd, ALL)));
    l = fd;
    fd = accept(l, NULL, NULL);
    fact("accepted all: %s", events(polled(l, ALL)));
    fact("connected: %s", events(polled(fd, ALL)));
    fact("asked for IN only: %s", events(polled(fd, POLLIN)));
    peer("send %d 10 0", id);
    await(fd, POLLIN);
    fact("data: %s", events(polled(fd, ALL)));
    fact("asked for nothing: %s", events(polled(fd, 0)));
    fact("asked for RDNORM: %s", events(polled(fd, POLLRDNORM)));
    recv(fd, c, 20, 0);
    fact("data taken: %s", events(polled(fd, ALL)));
    peer("shut %d 1", id);
    await(fd, POLLRDHUP);
    fact("peer's FIN: %s", events(polled(fd, ALL)));
    fact("asked for OUT: %s", events(polled(fd, POLLOUT)));
    shutdown(fd, SHUT_WR);
    await(fd, POLLHUP);
    fact("both: %s", events(polled(fd, ALL)));
    fact("asked for nothing: %s", events(polled(fd, 0)));
    fd = pair_in(&id);
    shutdown(fd, SHUT_WR);
    fact("our FIN: %s", events(polled(fd, ALL)));
    fd = pair_in(&id);
    shutdown(fd, SHUT_RD);
    fact("we read no more: %s", events(polled(fd, ALL)));
    fd = pair_in(&id);
    peer("rst %d", id);
    await(fd, POLLHUP);
    fact("reset: %s", events(polled(fd, ALL)));
    fact("asked for nothing: %s", events(polled(fd, 0)));
    recv(fd, c, 1, 0);
    fact("reset, error told: %s", events(polled(fd, ALL)));
}

static void set_of_many(void)
{
    int a, b, fd = pair_in(&a), other = pair_in(&b), p[2], ev = eventfd(0, 0);
    uint64_t one = 1, began;
    struct pollfd set[6] = {{fd, POLLIN, 0},  {other, POLLIN | POLLOUT, 0},
                            {-1, POLLIN, 77}, {99, POLLIN, 77},
                            {-5, POLLIN, 77}, {ev, POLLIN, 0}};

    say("poll", poll(set, 6, -1));
    for (int i = 0; i < 6; i++)
        fact("revents %d: %s", i, events((uint32_t)set[i].revents));
    set[1].events = POLLIN;
    set[3].fd = -1;
    say("poll, nothing there", poll(set, 6, 0));
    began = now_ms();
    say("poll 50 ms", poll(set, 6, 50));
    fact("it waited: %d", now_ms() - began >= 49);
    peer("after 20 send %d 1 0", b);
    say("poll, something comes", poll(set, 6, -1));
    fact("revents: %s", events((uint32_t)set[1].revents));
    say("write to eventfd", write(ev, &one, sizeof one));
    say("poll, both", poll(set, 6, -1));
    fact("revents: %s", events((uint32_t)set[5].revents));
    began = now_ms();
    say("poll of none", poll(NULL, 0, 30));
    fact("it waited: %d", now_ms() - began >= 29);
    set[0] = (struct pollfd){fd, POLLIN, 0};
    set[1] = (struct pollfd){fd, POLLOUT, 0};
    say("the same twice", poll(set, 2, 0));
    if (pipe(p) == 0) {
        set[0] = (struct pollfd){p[0], POLLIN, 0};
        set[1] = (struct pollfd){fd, POLLIN, 0};
        peer("after 20 send %d 1 0", a);
        say("pipe and socket: the socket", poll(set, 2, -1));
        fact("revents: %s %s", events((uint32_t)set[0].revents), events((uint32_t)set[1].revents));
        recv(fd, &one, 8, 0);
        if (fork() == 0) {
            rest(20);
            _exit(write(p[1], "x", 1) != 1);
        }
        say("pipe and socket: the pipe", poll(set, 2, -1));
        fact("revents: %s %s", events((uint32_t)set[0].revents), events((uint32_t)set[1].revents));
        wait(NULL);
    }
    struct timespec t = {0, 30000000}, wrong = {0, 2000000000};
    set[0] = (struct pollfd){fd, POLLIN, 0};
    say("ppoll", ppoll(set, 1, &t, NULL));
    say("ppoll, wrong time", ppoll(set, 1, &wrong, NULL));
    wrong = (struct timespec){-1, 0};
    say("ppoll, negative time", ppoll(set, 1, &wrong, NULL));
    say("poll -7", (peer("after 20 send %d 1 0", a), poll(set, 1, -7)));
}

static void show(const char *what, int r, const fd_set *in, const fd_set *out, const fd_set *ex,
                 int fd)
{
    int error = errno;

    fact("%s: %s, in %d out %d ex %d", what, (errno = error, result(r)), in && FD_ISSET(fd, in),
         out && FD_ISSET(fd, out), ex && FD_ISSET(fd, ex));
}

static int select_of(const char *what, int fd, int ms)
{
    fd_set in, out, ex;
    struct timeval t = {0, ms * 1000};
    int r;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&ex);
    FD_SET(fd, &in);
    FD_SET(fd, &out);
    FD_SET(fd, &ex);
    r = select(fd + 1, &in, &out, &ex, &t);
    show(what, r, &in, &out, &ex, fd);
    return r;
}

static void selects(void)
{
    int id, fd = tcp(), other, port = next_port();
    fd_set in;
    struct timeval t = {0, 40000};
    struct timespec ts = {0, 30000000};

    select_of("fresh", fd, 0);
    bind_to(fd, our_ip, port);
    listen(fd, 4);
    select_of("listener", fd, 0);
    id = (int)peer("connect %d", port);
    await(fd, POLLIN);
    select_of("listener, somebody waits", fd, 0);
    fd = accept(fd, NULL, NULL);
    select_of("connected", fd, 0);
    peer("send %d 1 0", id);
    await(fd, POLLIN);
    select_of("data", fd, 0);
    peer("shut %d 1", id);
    recv(fd, &in, 1, 0);
    await(fd, POLLRDHUP);
    select_of("peer's FIN", fd, 0);
    shutdown(fd, SHUT_WR);
    select_of("both", fd, 0);
    other = pair_in(&id);
    FD_ZERO(&in);
    FD_SET(other, &in);
    uint64_t began = now_ms();
    show("nothing comes", select(other + 1, &in, NULL, NULL, &t), &in, NULL, NULL, other);
    fact("it waited: %d; what is left: %ld", now_ms() - began >= 39, (long)t.tv_usec);
    FD_SET(other, &in);
    peer("after 20 send %d 1 0", id);
    show("something comes", select(other + 1, &in, NULL, NULL, NULL), &in, NULL, NULL, other);
    recv(other, &began, 1, 0);
    FD_ZERO(&in);
    FD_SET(other, &in);
    show("n is too small", select(other, &in, NULL, NULL, &(struct timeval){0, 0}), &in, NULL, NULL,
         other);
    show("pselect", pselect(other + 1, &in, NULL, NULL, &ts, NULL), &in, NULL, NULL, other);
    FD_ZERO(&in);
    FD_SET(99, &in);
    say("closed descriptor", select(100, &in, NULL, NULL, &(struct timeval){0, 0}));
    say("n negative", select(-1, &in, NULL, NULL, &(struct timeval){0, 0}));
    say("n huge", select(1000000, NULL, NULL, NULL, &(struct timeval){0, 0}));
    say("negative time", select(0, NULL, NULL, NULL, &(struct timeval){-1, 0}));
    say("no sets", select(0, NULL, NULL, NULL, &(struct timeval){0, 1000}));
    other = pair_in(&id);
    peer("rst %d", id);
    await(other, POLLHUP);
    select_of("reset", other, 0);
    other = pair_in(&id);
    set_int(other, SOL_SOCKET, SO_OOBINLINE, 1);
    peer("send %d 1 0 1", id);
    await_bytes(other, 1);
    select_of("urgent", other, 0);
}

const struct topic topics_poll[] = {
    {"poll states", states},
    {"poll set", set_of_many},
    {"select", selects},
    {0},
};
