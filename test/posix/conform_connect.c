/* Facts about connecting. */
#include "conform.h"

static void blocking(void)
{
    int port = next_port(), fd = tcp(), l = (int)peer("listen %d 8", port);

    say("connect", connect_to(fd, peer_ip, port));
    fact("name: %s", name_of(fd));
    fact("peer: %s", peer_of(fd));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("connect again", connect_to(fd, peer_ip, port));
    say("connect elsewhere", connect_to(fd, peer_ip, port + 1));
    say("bind", bind_to(fd, our_ip, port));
    say("listen", listen(fd, 1));
    say_ok("peer's accept", peer("accept %d", l));
    /* Bound before. */
    fd = tcp();
    say("bind", bind_to(fd, our_ip, port));
    say("connect, bound", connect_to(fd, peer_ip, port));
    fact("name: %s", name_of(fd));
    int second = tcp();
    set_int(second, SOL_SOCKET, SO_REUSEADDR, 1);
    say("bind of another to that", bind_to(second, our_ip, port));
    close(second);
    fd = tcp();
    say("bind to any", bind_to(fd, "0.0.0.0", next_port()));
    fact("name: %s", name_of(fd));
    say("connect, bound to any", connect_to(fd, peer_ip, port));
    fact("name: %s", name_of(fd));
    fd = tcp();
    say("bind to port 0", bind_to(fd, our_ip, 0));
    say("connect, bound to port 0", connect_to(fd, peer_ip, port));
    fact("name: %s", name_of(fd));
}

static void nonblocking(void)
{
    int port = next_port(), fd = tcp(), l = (int)peer("listen %d 8", port);
    char c = 'x';

    signal(SIGPIPE, SIG_IGN);
    nonblock(fd);
    say("connect", connect_to(fd, peer_ip, port));
    fact("then: %s", events(await(fd, POLLOUT)));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("connect again", connect_to(fd, peer_ip, port));
    say("and again", connect_to(fd, peer_ip, port));
    say_ok("peer's accept", peer("accept %d", l));
    say("recv", recv(fd, &c, 1, 0));
    /* Nobody answers: 10.77.0.99 is no machine. */
    fd = tcp();
    nonblock(fd);
    say("connect to nobody", connect_to(fd, "10.77.0.99", port));
    fact("poll while connecting: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("connect again", connect_to(fd, "10.77.0.99", port));
    say("connect elsewhere", connect_to(fd, peer_ip, port));
    say("recv", recv(fd, &c, 1, 0));
    say("send", send(fd, &c, 1, 0));
    fact("getpeername: %s", peer_of(fd));
    fact("name: %s", name_of(fd));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("listen", listen(fd, 1));
    say("shutdown", shutdown(fd, SHUT_RDWR));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("connect afterwards", connect_to(fd, peer_ip, port));
    fact("then: %s", events(await(fd, POLLOUT)));
}

static void refused(void)
{
    int port = next_port(), fd = tcp();
    char c = 'x';

    signal(SIGPIPE, SIG_IGN);
    say("connect", connect_to(fd, peer_ip, port));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    fact("name: %s", name_of(fd));
    fact("peer: %s", peer_of(fd));
    say("recv", recv(fd, &c, 1, 0));
    say("send", send(fd, &c, 1, 0));
    say("connect again", connect_to(fd, peer_ip, port));
    peer("listen %d 8", port);
    say("connect when somebody listens", connect_to(fd, peer_ip, port));
    fact("name: %s", name_of(fd));
    /* Without blocking. */
    port = next_port();
    fd = tcp();
    nonblock(fd);
    say("non-blocking", connect_to(fd, peer_ip, port));
    fact("then: %s", events(await(fd, POLLOUT)));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("SO_ERROR again", get_int(fd, SOL_SOCKET, SO_ERROR));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    fd = tcp();
    nonblock(fd);
    say("another", connect_to(fd, peer_ip, port));
    await(fd, POLLOUT);
    say("connect tells it", connect_to(fd, peer_ip, port));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    fd = tcp();
    nonblock(fd);
    connect_to(fd, peer_ip, port);
    await(fd, POLLOUT);
    say("recv tells it", recv(fd, &c, 1, 0));
    say("recv", recv(fd, &c, 1, 0));
    say("send", send(fd, &c, 1, 0));
    fd = tcp();
    nonblock(fd);
    connect_to(fd, peer_ip, port);
    await(fd, POLLOUT);
    say("send tells it", send(fd, &c, 1, 0));
    say("send", send(fd, &c, 1, 0));
}

static void bad_target(void)
{
    int port = next_port(), fd = tcp();
    struct sockaddr_in a = at(peer_ip, port), un = a;

    say("too short", connect(fd, (void *)&a, 8));
    say("length 1", connect(fd, (void *)&a, 1));
    say("length 0", connect(fd, (void *)&a, 0));
    say("length -1", connect(fd, (void *)&a, (socklen_t)-1));
    say("no address", connect(fd, NULL, sizeof a));
    un.sin_family = AF_UNIX;
    say("wrong family", connect(fd, (void *)&un, sizeof un));
    say("broadcast", connect_to(fd, "255.255.255.255", port));
    say("our network's broadcast", connect_to(fd, "10.77.0.255", port));
    say("multicast", connect_to(fd, "224.0.0.1", port));
    say("port 0", connect_to(tcp(), peer_ip, 0));
    say("no route", connect_to(tcp(), "192.0.2.1", port));
    say("of nothing", connect_to(98, peer_ip, port));
    say("of a file", connect_to(open("/dev/null", O_RDONLY), peer_ip, port));
}

static void unspec(void)
{
    int port = next_port(), fd = tcp(), l = (int)peer("listen %d 8", port), id;
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    say("AF_UNSPEC of a fresh one", connect(fd, &none, sizeof none));
    say("connect", connect_to(fd, peer_ip, port));
    id = (int)peer("accept %d", l);
    say("AF_UNSPEC", connect(fd, &none, sizeof none));
    fact("name: %s", name_of(fd));
    fact("peer: %s", peer_of(fd));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    peer("drain %d 0", id);
    fact("the peer sees: %s", peer_text());
    say("connect again", connect_to(fd, peer_ip, port));
    fd = listener(next_port());
    say("AF_UNSPEC of a listener", connect(fd, &none, sizeof none));
    say("ACCEPTCONN", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    fact("name: %s", name_of(fd));
}

static void to_self(void)
{
    int port = next_port(), l = listener(port), fd = tcp(), in, err;
    char room[100];

    say("connect to our own listener", connect_to(fd, our_ip, port));
    fact("name: %s", name_of(fd));
    in = accept(l, NULL, NULL);
    say_ok("accept", in);
    fact("it comes from: %s", peer_of(in));
    fill(room, sizeof room, 0);
    say("send", send(fd, room, sizeof room, 0));
    fact("received: %ld", receive(in, 100, 0, &err));
    close(fd);
    fact("end: %ld", receive(in, 1, 0, &err));
    close(in);
    say("refused by ourselves", connect_to(tcp(), our_ip, next_port()));
    /* One socket with itself. */
    port = next_port();
    fd = tcp();
    bind_to(fd, our_ip, port);
    say("connect to itself", connect_to(fd, our_ip, port));
    fact("name: %s peer: %s", name_of(fd), peer_of(fd));
    say("send", send(fd, room, sizeof room, 0));
    fact("received: %ld", receive(fd, 100, 0, &err));
}

static void timeouts(void)
{
    int fd = tcp();
    struct timeval t = {0, 60000};
    uint64_t began = now_ms();

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    say("SNDTIMEO passes", connect_to(fd, "10.77.0.99", 9));
    fact("it took its time: %s", now_ms() - began >= 55 && now_ms() - began < 1500 ? "yes" : "no");
    say("connect again", connect_to(fd, "10.77.0.99", 9));
    close(fd);
}

/* The peer's queue of connections is full: it says nothing to a SYN. */
static void tried_once_more(void)
{
    int port = next_port(), fd = tcp();

    peer("listen %d 0", port);
    say("connect", connect_to(tcp(), peer_ip, port));
    rest(QUIET_MS);
    set_int(fd, IPPROTO_TCP, TCP_SYNCNT, 1);
    uint64_t began = now_ms();
    say("connect of which nobody hears", connect_to(fd, peer_ip, port));
    fact("it waited for the second SYN's answer: %s", now_ms() - began >= 2000 ? "yes" : "no");
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("SYNCNT", get_int(fd, IPPROTO_TCP, TCP_SYNCNT));
}

const struct topic topics_connect[] = {
    {"connect", blocking},
    {"connect later", nonblocking},
    {"refused", refused},
    {"bad target", bad_target},
    {"unspec", unspec},
    {"to self", to_self},
    {"connect timeout", timeouts},
    {"syn count", tried_once_more},
    {0},
};
