/* Facts about datagrams. */
#include "conform.h"

static void basics(void)
{
    int port = next_port(), fd = udp(), id = (int)peer("udp %d", port), n = -1;
    struct sockaddr_in to = at(peer_ip, port), from;
    socklen_t size = sizeof from;
    unsigned char room[3000];

    fill(room, sizeof room, 0);
    fact("name: %s", name_of(fd));
    fact("peer: %s", peer_of(fd));
    fact("poll, fresh: %s", events(polled(fd, POLLIN | POLLOUT)));
    say("send without a peer", send(fd, room, 1, 0));
    say("write without a peer", write(fd, room, 1));
    say("recv DONTWAIT", recv(fd, room, 1, MSG_DONTWAIT));
    say("shutdown", shutdown(fd, SHUT_RD));
    say("sendto", sendto(fd, room, 100, 0, (void *)&to, sizeof to));
    fact("name: %s", name_of(fd));
    fact("the peer received: %ld", peer("recvfrom %d", id));
    fd = udp();
    say("bind", bind_to(fd, our_ip, port));
    say("bind again", bind_to(fd, our_ip, port + 50));
    fact("name: %s", name_of(fd));
    say("sendto", sendto(fd, room, 0, 0, (void *)&to, sizeof to));
    told("the peer received", peer("recvfrom %d", id));
    say("sendto, large", sendto(fd, room, 3000, 0, (void *)&to, sizeof to));
    fact("the peer received: %ld", peer("recvfrom %d", id));
    say("sendto, too short an address", sendto(fd, room, 1, 0, (void *)&to, 8));
    to.sin_port = 0;
    say("sendto port 0", sendto(fd, room, 1, 0, (void *)&to, sizeof to));
    to = at("255.255.255.255", port);
    say("sendto broadcast", sendto(fd, room, 1, 0, (void *)&to, sizeof to));
    to = at("10.77.0.255", port);
    say("sendto our broadcast", sendto(fd, room, 1, 0, (void *)&to, sizeof to));
    to = at("192.0.2.1", port);
    say("sendto, no route", sendto(fd, room, 1, 0, (void *)&to, sizeof to));
    static unsigned char huge[70000];
    to = at(peer_ip, port);
    say("sendto, 65507", sendto(fd, huge, 65507, 0, (void *)&to, sizeof to));
    say("sendto, 65508", sendto(fd, huge, 65508, 0, (void *)&to, sizeof to));
    say("sendto, 70000", sendto(fd, huge, 70000, 0, (void *)&to, sizeof to));
    peer("recvfrom %d", id);
    peer("sendto %d %d 200", id, port);
    fact("poll: %s", events(await(fd, POLLIN)));
    say("FIONREAD", ioctl(fd, FIONREAD, &n));
    fact("bytes: %d", n);
    say("PEEK", recvfrom(fd, room, 50, MSG_PEEK, (void *)&from, &size));
    fact("from: %s", who(&from, size));
    say("TRUNC", recv(fd, room, 50, MSG_PEEK | MSG_TRUNC));
    say("recvfrom, cut", recvfrom(fd, room, 50, 0, (void *)&from, &size));
    fact("right bytes: %d", is_pattern(room, 50, 0));
    say("the rest is gone", recv(fd, room, 50, MSG_DONTWAIT));
    peer("sendto %d %d 0", id, port);
    fact("an empty one: %s", events(await(fd, POLLIN)));
    ioctl(fd, FIONREAD, &n);
    fact("FIONREAD: %d", n);
    say("recv", recv(fd, room, 50, 0));
    say("SIOCOUTQ", ioctl(fd, SIOCOUTQ, &n));
    fact("queued: %d", n);
}

static void connected(void)
{
    int port = next_port(), fd = udp(), id = (int)peer("udp %d", port), n;
    int stranger = (int)peer("udp %d", port + 1);
    struct sockaddr_in to = at(peer_ip, port + 1);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char room[100];

    next_port();
    fill(room, sizeof room, 0);
    bind_to(fd, our_ip, port);
    say("connect", connect_to(fd, peer_ip, port));
    fact("name: %s, peer: %s", name_of(fd), peer_of(fd));
    say("send", send(fd, room, 10, 0));
    told("the peer received", peer("recvfrom %d", id));
    say("sendto elsewhere", sendto(fd, room, 20, 0, (void *)&to, sizeof to));
    fact("the stranger received: %ld", peer("recvfrom %d", stranger));
    peer("sendto %d %d 30", stranger, port);
    peer("sendto %d %d 40", id, port);
    await(fd, POLLIN);
    say("recv hears the peer only", recv(fd, room, 100, 0));
    say("and nothing else", recv(fd, room, 100, MSG_DONTWAIT));
    say("connect elsewhere", connect_to(fd, peer_ip, port + 1));
    fact("peer: %s", peer_of(fd));
    say("AF_UNSPEC", connect(fd, &none, sizeof none));
    fact("name: %s, peer: %s", name_of(fd), peer_of(fd));
    peer("sendto %d %d 30", stranger, port);
    await(fd, POLLIN);
    say("recv", recv(fd, room, 100, 0));
    /* Nobody there. */
    fd = udp();
    connect_to(fd, peer_ip, next_port());
    say("send to a closed port", send(fd, room, 1, 0));
    await(fd, POLLERR);
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT)));
    say("recv", recv(fd, room, 1, MSG_DONTWAIT));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT)));
    say("recv again", recv(fd, room, 1, MSG_DONTWAIT));
    send(fd, room, 1, 0);
    await(fd, POLLERR);
    say("send tells it, too", send(fd, room, 1, 0));
    send(fd, room, 1, 0);
    await(fd, POLLERR);
    say("SO_ERROR tells it, too", get_int(fd, SOL_SOCKET, SO_ERROR));
    fd = udp();
    to = at(peer_ip, next_port());
    sendto(fd, room, 1, 0, (void *)&to, sizeof to);
    rest(QUIET_MS);
    say("unconnected: nothing is told", recv(fd, room, 1, MSG_DONTWAIT));
    fd = udp();
    connect_to(fd, peer_ip, port);
    say("shutdown RD", shutdown(fd, SHUT_RD));
    say("recv", recv(fd, room, 1, 0));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("shutdown WR", shutdown(fd, SHUT_WR));
    say("send", send(fd, room, 1, MSG_NOSIGNAL));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    n = 0;
    (void)n;
}

static void messages(void)
{
    int port = next_port(), fd = udp(), id = (int)peer("udp %d", port);
    unsigned char a[4][50], control[64];
    struct sockaddr_in name[4];
    struct iovec iov[4];
    struct mmsghdr mm[4];

    bind_to(fd, our_ip, port);
    memset(mm, 0, sizeof mm);
    for (int i = 0; i < 4; i++) {
        fill(a[i], 50, 0);
        iov[i] = (struct iovec){a[i], 50};
        name[i] = at(peer_ip, port);
        mm[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
                                        .msg_iovlen = 1,
                                        .msg_name = &name[i],
                                        .msg_namelen = sizeof name[i]};
        iov[i].iov_len = 10u * (unsigned)(i + 1);
    }
    say("sendmmsg", sendmmsg(fd, mm, 4, 0));
    for (int i = 0; i < 4; i++)
        fact("length %u; the peer received: %ld", mm[i].msg_len, peer("recvfrom %d", id));
    for (int i = 1; i <= 3; i++)
        peer("sendto %d %d %d", id, port, i * 20);
    await(fd, POLLIN);
    rest(2);
    for (int i = 0; i < 4; i++)
        iov[i].iov_len = 50, mm[i].msg_hdr.msg_namelen = sizeof name[i];
    mm[1].msg_hdr.msg_control = control;
    mm[1].msg_hdr.msg_controllen = sizeof control;
    say("recvmmsg", recvmmsg(fd, mm, 4, MSG_WAITFORONE, NULL));
    for (int i = 0; i < 3; i++)
        fact("length %u, from %s, flags %x, control %zu", mm[i].msg_len,
             who(&name[i], mm[i].msg_hdr.msg_namelen), mm[i].msg_hdr.msg_flags,
             mm[i].msg_hdr.msg_controllen);
    say("recvmmsg, nothing there", recvmmsg(fd, mm, 4, MSG_DONTWAIT, NULL));
    struct timespec t = {0, 50000000};
    peer("sendto %d %d %d", id, port, 20);
    peer("after 70 sendto %d %d %d", id, port, 20);
    say("recvmmsg, with a time", recvmmsg(fd, mm, 4, 0, &t));
    struct iovec two[2] = {{a[0], 5}, {a[1], 45}};
    struct msghdr m = {.msg_iov = two, .msg_iovlen = 2, .msg_name = &name[0], .msg_namelen = 4};
    peer("sendto %d %d 30", id, port);
    say("recvmsg, two pieces", recvmsg(fd, &m, 0));
    fact("name's length: %u", m.msg_namelen);
    peer("sendto %d %d 30", id, port);
    say("readv", readv(fd, two, 2));
    peer("after 20 sendto %d %d 30", id, port);
    say("recv blocks", recv(fd, a[0], 50, 0));
    struct timeval tv = {0, 50000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    say("RCVTIMEO", recv(fd, a[0], 50, 0));
    nonblock(fd);
    say("O_NONBLOCK", recv(fd, a[0], 50, 0));
}

static void two_on_port(int first_option, int second_option, const char *ip_a, const char *ip_b,
                        const char *what)
{
    int port = next_port(), a = udp(), b = udp();

    if (first_option)
        set_int(a, SOL_SOCKET, first_option, 1);
    if (second_option)
        set_int(b, SOL_SOCKET, second_option, 1);
    bind_to(a, ip_a, port);
    say(what, bind_to(b, ip_b, port));
    close(a);
    close(b);
}

static void binds(void)
{
    const char *any = "0.0.0.0";
    int port = next_port(), fd = udp(), id = (int)peer("udp %d", port);
    char room[100];

    two_on_port(0, 0, our_ip, our_ip, "same");
    two_on_port(SO_REUSEADDR, SO_REUSEADDR, our_ip, our_ip, "same, REUSEADDR both");
    two_on_port(SO_REUSEADDR, 0, our_ip, our_ip, "same, REUSEADDR first");
    two_on_port(SO_REUSEPORT, SO_REUSEPORT, our_ip, our_ip, "same, REUSEPORT both");
    two_on_port(0, 0, any, our_ip, "any, then ours");
    two_on_port(0, 0, our_ip, "127.0.0.1", "ours, then lo");
    say("bind, not ours", bind_to(fd, "10.77.0.99", port));
    say("bind to any", bind_to(fd, any, port));
    peer("sendto %d %d 30", id, port);
    await(fd, POLLIN);
    say("by our address", recv(fd, room, 100, 0));
    struct sockaddr_in lo = at("127.0.0.1", port);
    say("sendto lo", sendto(udp(), room, 20, 0, (void *)&lo, sizeof lo));
    await(fd, POLLIN);
    say("by 127.0.0.1", recv(fd, room, 100, MSG_DONTWAIT));
    fd = udp();
    say("bind to port 0", bind_to(fd, our_ip, 0));
    fact("name: %s", name_of(fd));
    struct sockaddr_in us = at(our_ip, port);
    say("sendto ourselves", sendto(fd, room, 20, 0, (void *)&us, sizeof us));
}

const struct topic topics_udp[] = {
    {"udp", basics},
    {"udp connected", connected},
    {"udp messages", messages},
    {"udp bind", binds},
    {0},
};
