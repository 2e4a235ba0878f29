/* Facts about IPv6 sockets, loopback, and listeners on the wildcard address. */
#include "conform.h"

static struct sockaddr_in6 at6(const char *ip, int port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    inet_pton(AF_INET6, ip, &a.sin6_addr);
    return a;
}

static struct sockaddr_in6 mapped(const char *ip, int port)
{
    char text[60];

    snprintf(text, sizeof text, "::ffff:%s", ip);
    return at6(text, port);
}

static int bind6(int fd, struct sockaddr_in6 a)
{
    return bind(fd, (void *)&a, sizeof a);
}

static int connect6(int fd, struct sockaddr_in6 a)
{
    return connect(fd, (void *)&a, sizeof a);
}

static void mapped_addresses(void)
{
    int port = next_port(), l = socket(AF_INET6, SOCK_STREAM, 0), fd, id, err;
    struct sockaddr_in6 a;
    struct sockaddr_in four = at(our_ip, next_port());
    socklen_t n = sizeof a;

    fact("domain: %d", get_int(l, SOL_SOCKET, SO_DOMAIN) == AF_INET6);
    fact("V6ONLY: %d", get_int(l, IPPROTO_IPV6, IPV6_V6ONLY));
    fact("name of a fresh one: %s", name_of(l));
    say("bind to ::", bind6(l, at6("::", port)));
    say("listen", listen(l, 8));
    fact("name: %s", name_of(l));
    id = (int)peer("connect %d %d", port, port);
    fd = accept(l, (void *)&a, &n);
    say_ok("accept", fd);
    fact("from: %s, length %u", who(&a, n), n);
    fact("name: %s, peer: %s", name_of(fd), peer_of(fd));
    fact("domain of it: %d", get_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6);
    peer("send %d 10 0", id);
    fact("received: %ld", receive(fd, 10, 0, &err));
    say("bind of IPv4 to its port", bind_to(tcp(), our_ip, port));
    port = next_port();
    peer("listen %d 8", port);
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    say("connect to a mapped address", connect6(fd, mapped(peer_ip, port)));
    fact("name: %s, peer: %s", name_of(fd), peer_of(fd));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    say("bind to a mapped address", bind6(fd, mapped(our_ip, port)));
    fact("name: %s", name_of(fd));
    say("listen", listen(fd, 4));
    say_ok("connect to it", peer("connect %d", port));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    fact("V6ONLY: %d", get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY));
    say("V6ONLY, bind to a mapped address", bind6(fd, mapped(our_ip, next_port())));
    say("V6ONLY, connect to a mapped address", connect6(fd, mapped(peer_ip, port)));
    port = next_port();
    say("V6ONLY, bind to ::", bind6(fd, at6("::", port)));
    say("listen", listen(fd, 4));
    say("connect to it by IPv4", peer("connect %d", port));
    say("V6ONLY when bound", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, 4));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    say("bind of an IPv4 address", bind(fd, (void *)&four, sizeof four));
    say("connect to an IPv4 address", connect(fd, (void *)&four, sizeof four));
    say("connect, refused", connect6(fd, mapped(peer_ip, next_port())));
    fd = tcp();
    a = mapped(our_ip, next_port());
    say("IPv6 address on IPv4", bind(fd, (void *)&a, sizeof a));
    say("an option of IPv6 on IPv4", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, 4));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    say("an option of IP on IPv6", setsockopt(fd, IPPROTO_IP, IP_TOS, &(int){16}, 4));
    say("connect to ::1, refused", connect6(fd, at6("::1", next_port())));
}

static void mapped_datagrams(void)
{
    int port = next_port(), fd = socket(AF_INET6, SOCK_DGRAM, 0), id = (int)peer("udp %d", port);
    struct sockaddr_in6 to = mapped(peer_ip, port), from;
    socklen_t n = sizeof from;
    char room[100];

    fill(room, sizeof room, 0);
    say("bind to ::", bind6(fd, at6("::", port)));
    say("sendto", sendto(fd, room, 30, 0, (void *)&to, sizeof to));
    told("the peer received", peer("recvfrom %d", id));
    peer("sendto %d %d 40", id, port);
    await(fd, POLLIN);
    say("recvfrom", recvfrom(fd, room, 100, MSG_DONTWAIT, (void *)&from, &n));
    fact("from: %s", who(&from, n));
    say("connect", connect6(fd, to));
    fact("name: %s, peer: %s", name_of(fd), peer_of(fd));
}

/* 127.0.0.1 beside our address. */
static void loopback(void)
{
    int port = next_port(), l = tcp(), fd = tcp(), in, err;
    char room[100];
    struct pollfd p[2];

    fill(room, sizeof room, 0);
    say("bind", bind_to(l, "127.0.0.1", port));
    say("listen", listen(l, 4));
    say("connect", connect_to(fd, "127.0.0.1", port));
    fact("name: %s, peer: %s", name_of(fd), peer_of(fd));
    in = accept(l, NULL, NULL);
    say("send", send(fd, room, 100, 0));
    fact("received: %ld", receive(in, 100, 0, &err));
    say("by our address", peer("connect %d", port));
    int id, ours = pair_in(&id);
    p[0] = (struct pollfd){in, POLLIN, 0};
    p[1] = (struct pollfd){ours, POLLIN, 0};
    send(fd, room, 1, 0);
    say("poll of both kinds", poll(p, 2, PATIENCE_MS));
    fact("revents: %s %s", events((uint32_t)p[0].revents), events((uint32_t)p[1].revents));
    close(fd);
    recv(in, room, 100, 0);
    fact("end: %ld", receive(in, 1, 0, &err));
    say("refused", connect_to(tcp(), "127.0.0.1", next_port()));
    say("127.0.0.2, too", bind_to(tcp(), "127.0.0.2", next_port()));
    /* Options set before it was known which stack it is. */
    fd = tcp();
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, SOL_SOCKET, SO_RCVBUF, 50000);
    nonblock(fd);
    connect_to(fd, "127.0.0.1", port);
    fact("connected: %s", events(await(fd, POLLOUT)));
    fact("NODELAY %d, KEEPALIVE %d, RCVBUF %d, F_GETFL %o", get_int(fd, IPPROTO_TCP, TCP_NODELAY),
         get_int(fd, SOL_SOCKET, SO_KEEPALIVE), get_int(fd, SOL_SOCKET, SO_RCVBUF),
         fcntl(fd, F_GETFL));
    /* Added to a set before it was known. */
    int ep = epoll_create1(0);
    struct epoll_event ev = {EPOLLOUT | EPOLLET, {.u32 = 7}};
    fd = tcp();
    nonblock(fd);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    say("fresh in a set", epoll_wait(ep, &ev, 1, 0));
    connect_to(fd, "127.0.0.1", port);
    say("connected in a set", epoll_wait(ep, &ev, 1, PATIENCE_MS));
    fact("events: %s, data %u", events(ev.events), ev.data.u32);
}

/* A listener on all addresses serves by both. */
static void wildcard(void)
{
    int port = next_port(), l = tcp(), fd, in, ep = epoll_create1(0), err;
    struct epoll_event ev = {EPOLLIN, {.u32 = 7}};

    bind_to(l, "0.0.0.0", port);
    say("listen", listen(l, 8));
    fact("name: %s", name_of(l));
    epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
    nonblock(l);
    say("nobody", epoll_wait(ep, &ev, 1, 0));
    int id = (int)peer("connect %d", port);
    say("by our address", epoll_wait(ep, &ev, 1, PATIENCE_MS));
    in = accept(l, NULL, NULL);
    fact("name: %s, peer: %s", name_of(in), peer_of(in));
    peer("send %d 10 0", id);
    fact("received: %ld", receive(in, 10, 0, &err));
    say("accept, nobody", accept(l, NULL, NULL));
    fd = tcp();
    say("connect by 127.0.0.1", connect_to(fd, "127.0.0.1", port));
    say("epoll_wait", epoll_wait(ep, &ev, 1, PATIENCE_MS));
    in = accept(l, NULL, NULL);
    fact("name: %s, peer: %s", name_of(in), peer_of(in));
    say("send", send(fd, "x", 1, 0));
    say("recv", recv(in, &ev, 1, 0));
    /* A blocking accept hears both. */
    fcntl(l, F_SETFL, 0);
    peer("after 30 connect %d", port);
    say_ok("accept blocks for our address", accept(l, NULL, NULL));
    if (fork() == 0) {
        rest(30);
        _exit(connect_to(tcp(), "127.0.0.1", port) < 0);
    }
    say_ok("accept blocks for 127.0.0.1", accept(l, NULL, NULL));
    wait(NULL);
    fact("poll: %s", events(polled(l, POLLIN | POLLOUT)));
    if (fork() == 0) {
        rest(30);
        _exit(connect_to(tcp(), "127.0.0.1", port) < 0);
    }
    fact("poll hears it, too: %s", events(await(l, POLLIN)));
    say_ok("accept", accept(l, NULL, NULL));
    wait(NULL);
    close(l);
    say("closed: connect", peer("connect %d", port));
    say("closed: connect by 127.0.0.1", connect_to(tcp(), "127.0.0.1", port));
}

const struct topic topics_local[] = {
    {"mapped", mapped_addresses},
    {"mapped datagrams", mapped_datagrams},
    {"loopback", loopback},
    {"wildcard", wildcard},
    {0},
};
