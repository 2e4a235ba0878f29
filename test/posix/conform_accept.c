/* Facts about listening and accepting. */
#include "conform.h"

static void listening(void)
{
    int port = next_port(), fd = tcp(), n = 5;
    char c = 'x';

    signal(SIGPIPE, SIG_IGN);
    bind_to(fd, our_ip, port);
    say("listen", listen(fd, 4));
    say("listen again", listen(fd, 8));
    say("listen, backlog 0", listen(fd, 0));
    say("listen, backlog -1", listen(fd, -1));
    fact("getsockname: %s", name_of(fd));
    fact("getpeername: %s", peer_of(fd));
    say("ACCEPTCONN", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    say("recv", recv(fd, &c, 1, 0));
    say("send", send(fd, &c, 1, 0));
    say("FIONREAD", ioctl(fd, FIONREAD, &n));
    say("connect", connect_to(fd, peer_ip, port));
    say("bind", bind_to(fd, our_ip, port + 50));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    nonblock(fd);
    say("accept, nobody there", accept(fd, NULL, NULL));
    say("accept4, nobody there", accept4(fd, NULL, NULL, SOCK_CLOEXEC));
    say("accept4, unknown flags", accept4(fd, NULL, NULL, 1));
    say("listen on datagram", listen(udp(), 4));
    say("accept on datagram", accept(udp(), NULL, NULL));
    say("accept on a fresh one", accept(tcp(), NULL, NULL));
    int other = tcp();
    bind_to(other, our_ip, next_port());
    say("accept on a bound one", accept(other, NULL, NULL));
    say("accept on a file", accept(open("/dev/null", O_RDONLY), NULL, NULL));
    say("accept on nothing", accept(99, NULL, NULL));
    say("listen on nothing", listen(99, 1));
    say("listen on a file", listen(open("/dev/null", O_RDONLY), 1));
    other = tcp();
    say("listen on an unbound one", listen(other, 4));
    fact("getsockname: %s", name_of(other));
}

static void accepting(void)
{
    int port = next_port(), l = listener(port), fd;
    struct sockaddr_in a = {0};
    socklen_t n = sizeof a;
    unsigned char room[40];

    fact("before anybody: %s", events(polled(l, POLLIN | POLLOUT)));
    peer("connect %d %d", port, port);
    fact("connected before accept: %s", events(await(l, POLLIN)));
    fd = accept(l, (void *)&a, &n);
    say_ok("accept", fd);
    fact("from: %s, length %u", who(&a, n), n);
    fact("its name: %s", name_of(fd));
    fact("its peer: %s", peer_of(fd));
    fact("its poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("ACCEPTCONN of it", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    say("listen on it", listen(fd, 1));
    say("accept on it", accept(fd, NULL, NULL));
    say("bind of it", bind_to(fd, our_ip, next_port()));
    say("connect of it", connect_to(fd, peer_ip, port));
    memset(room, 0xaa, sizeof room);
    peer("connect %d", port);
    n = 6;
    fd = accept(l, (void *)room, &n);
    say_ok("accept, 6 bytes of room", fd);
    fact("length told: %u, next byte: %x, ip's: %d", n, room[6], room[4] == 10);
    peer("connect %d", port);
    n = 0;
    fd = accept(l, (void *)room, &n);
    say_ok("accept, no bytes of room", fd);
    fact("length told: %u", n);
    peer("connect %d", port);
    n = (socklen_t)-5;
    say_ok("accept, negative room", accept(l, (void *)room, &n));
    n = sizeof room;
    peer("connect %d", port);
    say_ok("accept, room of 40", accept(l, (void *)room, &n));
    fact("length told: %u", n);
    peer("connect %d", port);
    say_ok("accept, address without length", accept(l, (void *)room, NULL));
}

static void inherit(void)
{
    int port = next_port(), l = tcp(), fd, r;
    struct timeval t = {1, 500000};
    struct linger lg = {1, 7};
    socklen_t n = sizeof t;

    set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(l, IPPROTO_TCP, TCP_KEEPIDLE, 33);
    set_int(l, IPPROTO_TCP, TCP_USER_TIMEOUT, 4321);
    set_int(l, IPPROTO_TCP, TCP_SYNCNT, 5);
    set_int(l, SOL_SOCKET, SO_REUSEADDR, 1);
    set_int(l, SOL_SOCKET, SO_RCVBUF, 50000);
    set_int(l, SOL_SOCKET, SO_OOBINLINE, 1);
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(l, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
    bind_to(l, our_ip, port);
    listen(l, 8);
    fcntl(l, F_SETFD, FD_CLOEXEC);
    peer("connect %d", port);
    await(l, POLLIN);
    nonblock(l);
    fd = accept(l, NULL, NULL);
    say_ok("accept", fd);
    fact("F_GETFL: %o", fcntl(fd, F_GETFL));
    fact("F_GETFD: %d", fcntl(fd, F_GETFD));
    fact("NODELAY: %d", get_int(fd, IPPROTO_TCP, TCP_NODELAY));
    fact("KEEPALIVE: %d", get_int(fd, SOL_SOCKET, SO_KEEPALIVE));
    fact("KEEPIDLE: %d", get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE));
    fact("USER_TIMEOUT: %d", get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT));
    fact("SYNCNT: %d", get_int(fd, IPPROTO_TCP, TCP_SYNCNT));
    fact("REUSEADDR: %d", get_int(fd, SOL_SOCKET, SO_REUSEADDR));
    fact("RCVBUF: %d", get_int(fd, SOL_SOCKET, SO_RCVBUF));
    fact("OOBINLINE: %d", get_int(fd, SOL_SOCKET, SO_OOBINLINE));
    r = getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &n);
    fact("RCVTIMEO: %d, %ld.%06ld", r, (long)t.tv_sec, (long)t.tv_usec);
    n = sizeof lg;
    r = getsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, &n);
    fact("LINGER: %d, %d %d", r, lg.l_onoff, lg.l_linger);
}

static void accept_flags(void)
{
    int port = next_port(), l = listener(port);
    static const int flags[] = {0, SOCK_NONBLOCK, SOCK_CLOEXEC, SOCK_NONBLOCK | SOCK_CLOEXEC};

    for (int i = 0; i < 4; i++) {
        peer("connect %d", port);
        int fd = accept4(l, NULL, NULL, flags[i]);
        fact("accept4 %d: F_GETFL %o, F_GETFD %d", i, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
        close(fd);
    }
}

static void queued(void)
{
    int port = next_port(), l = listener(port), fd, id[5], err;

    for (int i = 0; i < 5; i++) {
        id[i] = (int)peer("connect %d %d", port, 20000 + i);
        peer("send %d 100 %d", id[i], i * 100);
    }
    peer("close %d", id[1]);
    for (int i = 0; i < 5; i++) {
        struct sockaddr_in a;
        socklen_t n = sizeof a;

        fact("poll before accept %d: %s", i, events(await(l, POLLIN)));
        fd = accept(l, (void *)&a, &n);
        fact("accepted %d: %s", i, who(&a, n));
        await_bytes(fd, 100);
        fact("its data: %ld", receive(fd, 100, (uint64_t)i * 100, &err));
        fact("its poll: %s", events(await(fd, i == 1 ? POLLRDHUP : POLLOUT)));
        close(fd);
    }
    fact("poll when all are accepted: %s", events(polled(l, POLLIN)));
}

/* What happened to a connection while it waited to be accepted. */
static void queued_reset(void)
{
    int port = next_port(), l = listener(port), id = (int)peer("connect %d", port), fd;
    char room[10];

    peer("send %d 10 0", id);
    peer("rst %d", id);
    rest(QUIET_MS);
    nonblock(l);
    fd = accept(l, NULL, NULL);
    say_ok("accept of one that was reset", fd);
    fact("getpeername: %s", peer_of(fd));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("received", recv(fd, room, sizeof room, 0));
    say("again", recv(fd, room, sizeof room, 0));
    say("and again", recv(fd, room, sizeof room, 0));
    /* The listener closes with one waiting: it is reset. */
    id = (int)peer("connect %d", port);
    rest(QUIET_MS);
    close(l);
    peer("drain %d 0", id);
    fact("one that waited when the listener closed: %s", peer_text());
    say("connect afterwards", peer("connect %d", port));
    /* Closed with shutdown. */
    port = next_port();
    l = listener(port);
    say("shutdown RD of a listener", shutdown(l, SHUT_RD));
    fact("poll: %s", events(polled(l, POLLIN | POLLOUT | POLLRDHUP)));
    say("accept", accept(l, NULL, NULL));
    say("ACCEPTCONN", get_int(l, SOL_SOCKET, SO_ACCEPTCONN));
    say("connect to it", peer("connect %d", port));
    say("listen again", listen(l, 4));
    say_ok("connect to it", peer("connect %d", port));
    say_ok("accept", accept(l, NULL, NULL));
    say("shutdown WR", shutdown(l, SHUT_WR));
    say_ok("connect to it", peer("connect %d", port));
    say_ok("accept", accept(l, NULL, NULL));
}

static void reuseport(void)
{
    int port = next_port(), l[2], got[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        l[i] = tcp();
        set_int(l[i], SOL_SOCKET, SO_REUSEPORT, 1);
        bind_to(l[i], our_ip, port);
        say("listen", listen(l[i], 64));
        nonblock(l[i]);
    }
    for (int i = 0; i < 20; i++)
        peer("connect %d", port);
    rest(QUIET_MS);
    for (int i = 0; i < 2; i++)
        for (int fd; (fd = accept(l[i], NULL, NULL)) >= 0; close(fd))
            got[i]++;
    fact("both together accepted: %d", got[0] + got[1]);
    close(l[0]);
    for (int i = 0; i < 5; i++)
        peer("connect %d", port);
    rest(QUIET_MS);
    got[1] = 0;
    for (int fd; (fd = accept(l[1], NULL, NULL)) >= 0; close(fd))
        got[1]++;
    fact("the one that is left accepted: %d", got[1]);
}

static void defer(void)
{
    int port = next_port(), l = tcp(), id;
    char c;

    set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 8);
    fact("DEFER_ACCEPT: %d", get_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT));
    bind_to(l, our_ip, port);
    listen(l, 8);
    id = (int)peer("connect %d", port);
    rest(QUIET_MS);
    fact("before data: %s", events(polled(l, POLLIN)));
    peer("send %d 10 0", id);
    fact("with data: %s", events(await(l, POLLIN)));
    int fd = accept(l, NULL, NULL);
    fact("accepted: %s", events(polled(fd, POLLIN | POLLOUT)));
    fact("DEFER_ACCEPT of it: %d", get_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT));
    id = (int)peer("connect %d", port);
    rest(QUIET_MS);
    fact("before the end: %s", events(polled(l, POLLIN)));
    peer("close %d", id);
    fact("with the end: %s", events(await(l, POLLIN)));
    fd = accept(l, NULL, NULL);
    say("recv", recv(fd, &c, 1, 0));
    id = (int)peer("connect %d", port);
    rest(QUIET_MS);
    peer("rst %d", id);
    rest(QUIET_MS);
    fact("after a reset: %s", events(polled(l, POLLIN)));
    id = (int)peer("connect %d", port);
    rest(QUIET_MS);
    close(l);
    peer("send %d 10 0", id);
    told("the listener closed", peer("drain %d 0", id));
}

static void defer_over(void)
{
    int port = next_port(), l = tcp(), late = tcp();

    set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
    bind_to(l, our_ip, port);
    listen(l, 8);
    peer("connect %d", port);
    rest(QUIET_MS);
    fact("before the time is over: %s", events(polled(l, POLLIN)));
    fact("afterwards: %s", events(await(l, POLLIN)));
    say_ok("accept", accept(l, NULL, NULL));
    port = next_port();
    bind_to(late, our_ip, port);
    listen(late, 8);
    peer("connect %d", port);
    fact("without: %s", events(await(late, POLLIN)));
    say_ok("accept", accept(late, NULL, NULL));
    set_int(late, IPPROTO_TCP, TCP_DEFER_ACCEPT, 8);
    peer("connect %d", port);
    rest(QUIET_MS);
    fact("set late: %s", events(polled(late, POLLIN)));
    set_int(late, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
    peer("connect %d", port);
    fact("unset: %s", events(await(late, POLLIN)));
}

const struct topic topics_accept[] = {
    {"listen", listening},
    {"accept", accepting},
    {"inherit", inherit},
    {"accept flags", accept_flags},
    {"queued", queued},
    {"queued reset", queued_reset},
    {"reuseport", reuseport},
    {"defer accept", defer},
    {"defer accept over", defer_over},
    {0},
};
