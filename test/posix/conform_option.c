/* Facts about socket options: every one on every kind of socket. */
#include "conform.h"

#include <sys/sendfile.h>

struct option {
    const char *name;
    int level, number;
    int values[4]; /* to set; the first 0 that is not first ends */
};

static const struct option options[] = {
    {"REUSEADDR", SOL_SOCKET, SO_REUSEADDR, {1, 7}},
    {"REUSEPORT", SOL_SOCKET, SO_REUSEPORT, {1}},
    {"KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, {1, -1}},
    {"BROADCAST", SOL_SOCKET, SO_BROADCAST, {1}},
    {"OOBINLINE", SOL_SOCKET, SO_OOBINLINE, {1}},
    {"DONTROUTE", SOL_SOCKET, SO_DONTROUTE, {1, 0}},
    {"SNDBUF", SOL_SOCKET, SO_SNDBUF, {50000, 1, 100000}},
    {"RCVBUF", SOL_SOCKET, SO_RCVBUF, {50000, 1, 100000}},
    {"RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, {5, -1, 1}},
    {"SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, {5}},
    {"PRIORITY", SOL_SOCKET, SO_PRIORITY, {3}},
    {"ERROR", SOL_SOCKET, SO_ERROR, {1}},
    {"TYPE", SOL_SOCKET, SO_TYPE, {1}},
    {"ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, {1}},
    {"TIMESTAMP", SOL_SOCKET, SO_TIMESTAMP, {0}},
    {"MARK", SOL_SOCKET, SO_MARK, {0}},
    {"BUSY_POLL", SOL_SOCKET, SO_BUSY_POLL, {0}},
    {"ZEROCOPY", SOL_SOCKET, SO_ZEROCOPY, {0}},
    {"unknown", SOL_SOCKET, 9999, {1}},
    {"NODELAY", IPPROTO_TCP, TCP_NODELAY, {1, 5}},
    {"CORK", IPPROTO_TCP, TCP_CORK, {1, 0}},
    {"QUICKACK", IPPROTO_TCP, TCP_QUICKACK, {0, 1}},
    {"KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, {10, 0, 40000}},
    {"KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, {10, 0, 40000}},
    {"KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, {5, 0, 128}},
    {"SYNCNT", IPPROTO_TCP, TCP_SYNCNT, {3, 0, 128}},
    {"USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, {5000, -1}},
    {"LINGER2", IPPROTO_TCP, TCP_LINGER2, {5, 0, 121, -3}},
    {"DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, {1, 2, 8, -1}},
    {"MAXSEG", IPPROTO_TCP, TCP_MAXSEG, {1000, 10, 70000}},
    {"WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, {0, 100, 4000, -1}},
    {"NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, {16384, -1, 1, 1 << 30}},
    {"unknown of TCP", IPPROTO_TCP, 9999, {1}},
    {"TOS", IPPROTO_IP, IP_TOS, {16}},
    {"TTL", IPPROTO_IP, IP_TTL, {33, 0, 256}},
    {"MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, {IP_PMTUDISC_DO, 77}},
    {"RECVERR", IPPROTO_IP, IP_RECVERR, {0}},
    {"FREEBIND", IPPROTO_IP, IP_FREEBIND, {0}},
    {"TRANSPARENT", IPPROTO_IP, IP_TRANSPARENT, {0}},
    {"unknown of IP", IPPROTO_IP, 9999, {1}},
    {"unknown level", 9999, 1, {1}},
};

static void all_of(int fd, const char *kind)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const struct option *o = &options[i];
        char line[200];
        int n = sprintf(line, "%s %s: was ", kind, o->name), value = 0;
        socklen_t size = sizeof value;

        n += sprintf(line + n, "%s",
                     getsockopt(fd, o->level, o->number, &value, &size) < 0 ? error_name(errno)
                     : o->number == SO_SNDBUF && o->level == SOL_SOCKET     ? "*"
                     : o->number == SO_RCVBUF && o->level == SOL_SOCKET
                         ? "*"
                         : result(value & 0x7fffffff));
        for (int k = 0; k < 4 && (k == 0 || o->values[k] != 0 || o->values[k - 1] == 1 ||
                                  (k < 3 && o->values[k + 1] != 0));
             k++) {
            int set = o->values[k];

            n += sprintf(line + n, "; %d %s", set,
                         setsockopt(fd, o->level, o->number, &set, sizeof set) < 0
                             ? error_name(errno)
                             : "ok");
            value = 0;
            size = sizeof value;
            if (getsockopt(fd, o->level, o->number, &value, &size) == 0)
                n += sprintf(line + n, " %d", value);
        }
        fact("%s", line);
    }
}

static void of_fresh(void)
{
    all_of(tcp(), "fresh");
}

static void of_listener(void)
{
    all_of(listener(next_port()), "listener");
}

static void of_connected(void)
{
    int id;

    all_of(pair_in(&id), "connected");
}

static void of_udp(void)
{
    int fd = udp();

    bind_to(fd, our_ip, next_port());
    all_of(fd, "datagram");
}

static void lengths_on(int fd, const char *kind)
{
    static const struct {
        const char *name;
        int level, number;
    } few[] = {{"KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
               {"SNDBUF", SOL_SOCKET, SO_SNDBUF},
               {"NODELAY", IPPROTO_TCP, TCP_NODELAY},
               {"KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE},
               {"TOS", IPPROTO_IP, IP_TOS},
               {"TTL", IPPROTO_IP, IP_TTL},
               {"ERROR", SOL_SOCKET, SO_ERROR}};

    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
        int value = 1;
        unsigned char room[16];
        char line[200];
        int n = sprintf(line, "%s %s, set", kind, few[i].name);

        for (int size = -1; size <= 8; size = size < 4 ? size + 1 : size + 4)
            n += sprintf(line + n, " %d:%s", size,
                         setsockopt(fd, few[i].level, few[i].number, &value, (socklen_t)size) < 0
                             ? error_name(errno)
                             : "ok");
        fact("%s", line);
        n = sprintf(line, "%s %s, get", kind, few[i].name);
        for (int size = -1; size <= 8; size = size < 4 ? size + 1 : size + 4) {
            socklen_t told = (socklen_t)size;

            memset(room, 0x5a, sizeof room);
            if (getsockopt(fd, few[i].level, few[i].number, room, &told) < 0)
                n += sprintf(line + n, " %d:%s", size, error_name(errno));
            else
                n += sprintf(line + n, " %d:%u", size, told);
        }
        fact("%s", line);
    }
}

static void lengths(void)
{
    int id;

    lengths_on(tcp(), "fresh");
    lengths_on(pair_in(&id), "connected");
    lengths_on(listener(next_port()), "listener");
}

static void structs(void)
{
    int id, fd = pair_in(&id), err;
    struct linger lg = {1, 5};
    struct tcp_info info;
    char name[16] = "";
    socklen_t n = sizeof lg;

    say("LINGER set", setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg));
    memset(&lg, 0, sizeof lg);
    say("LINGER get", getsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, &n));
    fact("linger: %d %d", lg.l_onoff, lg.l_linger);
    say("LINGER set, 4 bytes", setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, 4));
    lg.l_onoff = 0;
    say("LINGER off", setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg));
    n = sizeof lg;
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, &n);
    fact("linger: %d", lg.l_onoff);
    n = sizeof info;
    memset(&info, 0, sizeof info);
    say("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n));
    fact("state %u, mss %d, rtt %d, mtu %d", info.tcpi_state, info.tcpi_snd_mss > 500,
         info.tcpi_rtt<1000000, info.tcpi_pmtu> 1000 && info.tcpi_pmtu <= 1500);
    n = 1;
    say("TCP_INFO, 1 byte", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n));
    fact("length told: %u", n);
    say("TCP_INFO set", setsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, sizeof info));
    n = sizeof name;
    say("CONGESTION", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n));
    say("CONGESTION reno", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    n = sizeof name;
    memset(name, 0, sizeof name);
    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n);
    fact("congestion control: %s, length told %u", name, n);
    say("CONGESTION nonsense", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8));
    say("CONGESTION, length 0", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0));
    shutdown(fd, SHUT_WR);
    peer("drain %d 0", id);
    rest(QUIET_MS);
    n = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n);
    fact("state after our FIN: %u", info.tcpi_state);
    peer("close %d", id);
    receive(fd, 1, 0, &err);
    rest(2);
    n = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n);
    fact("state after both: %u", info.tcpi_state);
    fd = pair_in(&id);
    peer("close %d", id);
    await(fd, POLLRDHUP);
    n = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n);
    fact("state after the peer's FIN: %u", info.tcpi_state);
}

static void info_of(void)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    int l = listener(next_port()), fd = tcp();

    getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &n);
    fact("state of a listener: %u", info.tcpi_state);
    n = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n);
    fact("state of a fresh one: %u", info.tcpi_state);
    nonblock(fd);
    connect_to(fd, "10.77.0.99", 9);
    n = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n);
    fact("state of one that connects: %u", info.tcpi_state);
    n = sizeof info;
    say("of a datagram socket", getsockopt(udp(), IPPROTO_TCP, TCP_INFO, &info, &n));
    say("set on nothing", setsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &info, 4));
    say("get on nothing", getsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &info, &n));
    say("get on a file", getsockopt(open("/dev/null", O_RDONLY), SOL_SOCKET, SO_TYPE, &info, &n));
}

static void low_water(void)
{
    int id, fd = pair_in(&id);
    char room[20];

    set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 10);
    peer("send %d 5 0", id);
    await_bytes(fd, 5);
    fact("5 of 10: %s", events(polled(fd, POLLIN)));
    peer("send %d 5 5", id);
    fact("10 of 10: %s", events(await(fd, POLLIN)));
    say("recv", recv(fd, room, 20, 0));
    peer("send %d 5 10", id);
    peer("shut %d 1", id);
    fact("5 and the end: %s", events(await(fd, POLLIN | POLLRDHUP)));
}

#define FEW 20000
#define MANY 120000

static int unsent(int fd)
{
    int n = -1;

    ioctl(fd, SIOCOUTQNSD, &n);
    return n;
}

/* A connection whose peer does not read, and which has taken what it takes. */
static int stuffed(int *id, int lowat, long *sent)
{
    int fd = pair_in(id);

    set_int(fd, SOL_SOCKET, SO_SNDBUF, 200000);
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, lowat);
    nonblock(fd);
    *sent = fill_up(fd, -1);
    return fd;
}

/* By how much waits to be sent, not by how much is in flight. */
static void notsent_lowat(void)
{
    struct epoll_event ev = {.events = EPOLLOUT | EPOLLET};
    int id, ep = epoll_create1(0), fd = stuffed(&id, 0, &(long){0});
    long sent;

    fact("without: much waits %d", unsent(fd) > MANY);
    fd = stuffed(&id, FEW, &sent);
    fact("with: little waits %d, not too little %d", unsent(fd) < MANY, unsent(fd) >= FEW);
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT)));
    say("send", send(fd, "x", 1, 0));
    say("add", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    fact("edges: %d", epoll_wait(ep, &ev, 1, QUIET_MS));
    fact("the peer reads: %d", peer("recv %d %ld 0", id, sent) == sent);
    fact("edges: %d %s", epoll_wait(ep, &ev, 1, PATIENCE_MS), events(ev.events));
    fact("waits: %d, poll: %s", unsent(fd), events(polled(fd, POLLIN | POLLOUT)));
    fact("a blocking send takes all: %d", fcntl(fd, F_SETFL, 0) == 0 && send(fd, "y", 1, 0) == 1);
    close(fd);
    fd = stuffed(&id, FEW, &sent);
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT)));
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0);
    fact("without the limit: %s", events(await(fd, POLLIN | POLLOUT)));
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
    fact("with a smaller one: %s", events(polled(fd, POLLIN | POLLOUT)));
    say("send", send(fd, "x", 1, 0));
    /* Where the network takes all there is always room. */
    fd = pair_in(&id);
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
    nonblock(fd);
    say("send 2000", send(fd, (char[2000]){0}, 2000, 0));
    fact("poll: %s", events(await(fd, POLLOUT)));
    say("send 2000", send(fd, (char[2000]){0}, 2000, 0));
}

/* A large send of a blocking socket, and a file's. */
static void notsent_bulk(void)
{
    static unsigned char room[1000000];
    int id, fd = pair_in(&id), file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    off_t start = 0;

    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, FEW);
    fill(room, sizeof room, 0);
    say("write the file", write(file, room, sizeof room));
    peer("after 0 recv %d %d 0", id, (int)sizeof room);
    say("send", send(fd, room, sizeof room, 0));
    peer("after 0 recv %d %d 0", id, (int)sizeof room);
    say("sendfile", sendfile(fd, file, &start, sizeof room));
    close(fd);
    fact("and the end: %ld", peer("drain %d 0", id));
    fact("which is: %s", peer_text());
}

/* Linux goes by it until it has seen what its packets weigh (tcp_measure_rcv_mss). */
static void window_clamp(void)
{
    int port = next_port(), l = listener(port), fd, err, before;
    long id, to, wnd;

    set_int(l, IPPROTO_TCP, TCP_WINDOW_CLAMP, 4000);
    id = peer("connect %d", port);
    fd = accept(l, NULL, NULL);
    fact("accepted: %d", get_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP));
    wnd = peer("wnd %ld", id);
    fact("the peer may send something: %d, no more than that: %d", wnd > 0, wnd <= 4000);
    before = get_int(fd, SOL_SOCKET, SO_RCVBUF);
    set_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 3000);
    fact("the buffer is what it was: %d", get_int(fd, SOL_SOCKET, SO_RCVBUF) == before);
    peer("after 0 send %ld %d 0", id, MANY);
    fact("received: %ld", receive(fd, MANY, 0, &err));
    /* One that we open. */
    port = next_port();
    to = peer("listen %d 5", port);
    fd = tcp();
    set_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000);
    say("connect", connect_to(fd, peer_ip, port));
    id = peer("accept %ld", to);
    wnd = peer("wnd %ld", id);
    fact("the peer may send something: %d, no more than that: %d", wnd > 0, wnd <= 5000);
    /* What is not read does not count. */
    peer("after 0 send %ld 20000 0", id);
    await_bytes(fd, 20000);
    fact("received: %ld", receive(fd, 20000, 0, &err));
}

const struct topic topics_option[] = {
    {"options fresh", of_fresh},
    {"options listener", of_listener},
    {"options connected", of_connected},
    {"options datagram", of_udp},
    {"option lengths", lengths},
    {"option structs", structs},
    {"tcp info", info_of},
    {"low water", low_water},
    {"window clamp", window_clamp},
    {"notsent lowat", notsent_lowat},
    {"notsent bulk", notsent_bulk},
    {0},
};
