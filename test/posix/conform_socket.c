/* Facts about making sockets, binding them, and what a fresh one answers. */
#include "conform.h"

#include <sys/mman.h>

static void creation(void)
{
    static const struct {
        const char *what;
        int domain, type, protocol;
    } tries[] = {
        {"stream", AF_INET, SOCK_STREAM, 0},
        {"stream, tcp", AF_INET, SOCK_STREAM, IPPROTO_TCP},
        {"stream, udp", AF_INET, SOCK_STREAM, IPPROTO_UDP},
        {"stream, protocol 300", AF_INET, SOCK_STREAM, 300},
        {"stream, protocol -1", AF_INET, SOCK_STREAM, -1},
        {"stream, protocol 250", AF_INET, SOCK_STREAM, 250},
        {"datagram", AF_INET, SOCK_DGRAM, 0},
        {"datagram, udp", AF_INET, SOCK_DGRAM, IPPROTO_UDP},
        {"datagram, tcp", AF_INET, SOCK_DGRAM, IPPROTO_TCP},
        {"raw, 0", AF_INET, SOCK_RAW, 0},
        {"rdm", AF_INET, SOCK_RDM, 0},
        {"type 0", AF_INET, 0, 0},
        {"type 99", AF_INET, 99, 0},
        {"stream with unknown flags", AF_INET, SOCK_STREAM | 0x8000, 0},
        {"family 99", 99, SOCK_STREAM, 0},
        {"family -1", -1, SOCK_STREAM, 0},
        {"family 0", 0, SOCK_STREAM, 0},
        {"inet6 stream", AF_INET6, SOCK_STREAM, 0},
        {"inet6 datagram", AF_INET6, SOCK_DGRAM, 0},
        {"inet6 stream, udp", AF_INET6, SOCK_STREAM, IPPROTO_UDP},
        {"unix stream", AF_UNIX, SOCK_STREAM, 0},
        {"unix rdm", AF_UNIX, SOCK_RDM, 0},
    };

    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        int fd = socket(tries[i].domain, tries[i].type, tries[i].protocol);

        say(tries[i].what, fd);
        if (fd >= 0)
            close(fd);
    }
    int sv[2];
    say("socketpair of inet", socketpair(AF_INET, SOCK_STREAM, 0, sv));
    say("socketpair of unix", socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    fact("its numbers: %d %d", sv[0], sv[1]);
}

static void flags(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int plain = tcp();

    fact("F_GETFL of SOCK_NONBLOCK: %o", fcntl(fd, F_GETFL));
    fact("F_GETFD of SOCK_CLOEXEC: %d", fcntl(fd, F_GETFD));
    fact("F_GETFL of plain: %o", fcntl(plain, F_GETFL));
    fact("F_GETFD of plain: %d", fcntl(plain, F_GETFD));
    fact("type without flags: %d", get_int(fd, SOL_SOCKET, SO_TYPE));
    fact("domain: %d", get_int(fd, SOL_SOCKET, SO_DOMAIN));
    fact("protocol: %d", get_int(fd, SOL_SOCKET, SO_PROTOCOL));
    fact("udp's type and protocol: %d %d", get_int(udp(), SOL_SOCKET, SO_TYPE),
         get_int(udp(), SOL_SOCKET, SO_PROTOCOL));
}

/* What is no call on sockets. */
static void as_file(int fd)
{
    struct stat st;
    char c;

    say("fstat", fstat(fd, &st));
    fact("is a socket: %d", S_ISSOCK(st.st_mode));
    say("lseek", lseek(fd, 0, SEEK_SET));
    say("pread", pread(fd, &c, 1, 0));
    say("pwrite", pwrite(fd, &c, 1, 0));
    say("ftruncate", ftruncate(fd, 0));
    say("fsync", fsync(fd));
    say("isatty", isatty(fd) ? 0 : -1);
    say("mmap", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    say("fchdir", fchdir(fd));
}

static void fresh(void)
{
    int fd = tcp(), n = -1;
    char c = 'x';
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    signal(SIGPIPE, SIG_IGN);
    as_file(fd);
    fact("getsockname: %s", name_of(fd));
    fact("getpeername: %s", peer_of(fd));
    say("recv", recv(fd, &c, 1, 0));
    say("recv DONTWAIT", recv(fd, &c, 1, MSG_DONTWAIT));
    say("recv of nothing", recv(fd, &c, 0, 0));
    say("read", read(fd, &c, 1));
    say("recvmsg", recvmsg(fd, &m, 0));
    say("recv OOB", recv(fd, &c, 1, MSG_OOB));
    say("send", send(fd, &c, 1, 0));
    say("send NOSIGNAL", send(fd, &c, 1, MSG_NOSIGNAL));
    say("send of nothing", send(fd, &c, 0, MSG_NOSIGNAL));
    say("write", write(fd, &c, 1));
    say("sendmsg", sendmsg(fd, &m, MSG_NOSIGNAL));
    fact("poll before shutdown: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI)));
    say("shutdown", shutdown(fd, SHUT_RDWR));
    say("shutdown 9", shutdown(fd, 9));
    say("accept", accept(fd, NULL, NULL));
    say("FIONREAD", ioctl(fd, FIONREAD, &n));
    fact("bytes: %d", n);
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("SO_ACCEPTCONN", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI)));
    fact("poll for nothing: %s", events(polled(fd, 0)));
    say("close", close(fd));
    say("close again", close(fd));
}

static void bad(void)
{
    struct sockaddr_in a = at(our_ip, next_port()), six = a, b;
    struct sockaddr_in unspec = at("0.0.0.0", next_port());
    int fd = tcp();
    socklen_t n = sizeof b;

    six.sin_family = AF_UNIX;
    say("bind, too short", bind(fd, (void *)&a, sizeof a - 1));
    say("bind, length 0", bind(fd, (void *)&a, 0));
    say("bind, length -1", bind(fd, (void *)&a, (socklen_t)-1));
    say("bind, length 200", bind(fd, (void *)&a, 200));
    say("bind, wrong family", bind(fd, (void *)&six, sizeof six));
    say("bind, no address", bind(fd, NULL, sizeof a));
    a = at("10.77.0.99", next_port());
    say("bind, not our address", bind(fd, (void *)&a, sizeof a));
    unspec.sin_family = AF_UNSPEC;
    say("bind, AF_UNSPEC and any", bind(fd, (void *)&unspec, sizeof unspec));
    fact("getsockname: %s", name_of(fd));
    fd = tcp();
    unspec.sin_addr.s_addr = inet_addr(our_ip);
    say("bind, AF_UNSPEC and an address", bind(fd, (void *)&unspec, sizeof unspec));
    say("getsockname, no room", getsockname(fd, NULL, &n));
    say("getsockname, no length", getsockname(fd, (void *)&b, NULL));
    n = (socklen_t)-1;
    say("getsockname, length -1", getsockname(fd, (void *)&b, &n));
    n = 4;
    say("getsockname, 4 bytes of room", getsockname(fd, (void *)&b, &n));
    fact("length told: %u", n);
    n = 0;
    say("getsockname, no bytes of room", getsockname(fd, (void *)&b, &n));
    fact("length told: %u", n);
    say("bind of a closed one", bind_to(77, our_ip, 1));
    say("bind of a pipe", bind_to(open("/dev/null", O_RDONLY), our_ip, 1));
}

static int with(int option)
{
    int fd = tcp();

    if (option)
        set_int(fd, SOL_SOCKET, option, 1);
    return fd;
}

struct side {
    const char *ip;
    int option, listens;
};

/* Two sockets on one port. */
static void two(const char *what, struct side first, struct side second)
{
    int port = next_port(), a = with(first.option), b = with(second.option);

    bind_to(a, first.ip, port);
    if (first.listens)
        listen(a, 4);
    say(what, bind_to(b, second.ip, port));
    if (second.listens) {
        char more[80];
        snprintf(more, sizeof more, "%s, listen", what);
        say(more, listen(b, 4));
    }
    close(a);
    close(b);
}

static void binds(void)
{
    const char *us = our_ip, *any = "0.0.0.0", *lo = "127.0.0.1";
    int fd = tcp(), port = next_port();

    say("bind", bind_to(fd, us, port));
    fact("getsockname: %s", name_of(fd));
    say("second bind", bind_to(fd, us, port + 50));
    fact("getsockname: %s", name_of(fd));
    fact("poll, bound: %s", events(polled(fd, POLLIN | POLLOUT)));
    fd = tcp();
    say("bind to port 0", bind_to(fd, us, 0));
    fact("getsockname: %s", name_of(fd));
    fd = tcp();
    say("bind to any, port 0", bind_to(fd, any, 0));
    fact("getsockname: %s", name_of(fd));
    two("same address", (struct side){us, 0, 0}, (struct side){us, 0, 0});
    two("same, first listens", (struct side){us, 0, 1}, (struct side){us, 0, 0});
    two("same, REUSEADDR both", (struct side){us, SO_REUSEADDR, 0},
        (struct side){us, SO_REUSEADDR, 1});
    two("same, REUSEADDR both, first listens", (struct side){us, SO_REUSEADDR, 1},
        (struct side){us, SO_REUSEADDR, 0});
    two("same, REUSEADDR second", (struct side){us, 0, 0}, (struct side){us, SO_REUSEADDR, 0});
    two("same, REUSEPORT both", (struct side){us, SO_REUSEPORT, 1},
        (struct side){us, SO_REUSEPORT, 1});
    two("same, REUSEPORT first", (struct side){us, SO_REUSEPORT, 1}, (struct side){us, 0, 0});
    two("same, REUSEPORT second", (struct side){us, 0, 1}, (struct side){us, SO_REUSEPORT, 0});
    two("any, then ours", (struct side){any, 0, 0}, (struct side){us, 0, 0});
    two("ours, then any", (struct side){us, 0, 1}, (struct side){any, 0, 0});
    two("any, then lo", (struct side){any, 0, 1}, (struct side){lo, 0, 0});
    two("ours, then lo", (struct side){us, 0, 1}, (struct side){lo, 0, 1});
    two("any, then ours, REUSEADDR both, first listens", (struct side){any, SO_REUSEADDR, 1},
        (struct side){us, SO_REUSEADDR, 0});
    two("any, then ours, REUSEADDR both", (struct side){any, SO_REUSEADDR, 0},
        (struct side){us, SO_REUSEADDR, 1});
    two("any, then ours, REUSEPORT both", (struct side){any, SO_REUSEPORT, 1},
        (struct side){us, SO_REUSEPORT, 1});
    two("any twice, REUSEPORT both", (struct side){any, SO_REUSEPORT, 1},
        (struct side){any, SO_REUSEPORT, 1});
}

/* REUSEADDR, both bound, both want to listen; and a port after its owner has gone. */
static void rebind(void)
{
    int port = next_port(), a = with(SO_REUSEADDR), b = with(SO_REUSEADDR), id;

    bind_to(a, our_ip, port);
    bind_to(b, our_ip, port);
    say("both bound, first listens", listen(a, 4));
    say("second listens", listen(b, 4));
    close(a);
    say("first closed, second listens", listen(b, 4));
    close(b);
    a = tcp();
    say("after close, bind", bind_to(a, our_ip, port));
    say("listen", listen(a, 4));
    /* A connection that we close first stays behind in TIME-WAIT. */
    id = (int)peer("connect %d", port);
    int fd = accept(a, NULL, NULL);
    close(a);
    close(fd);
    peer("drain %d 0", id);
    peer("close %d", id);
    rest(QUIET_MS);
    a = tcp();
    say("with one in TIME-WAIT, bind", bind_to(a, our_ip, port));
    a = with(SO_REUSEADDR);
    say("REUSEADDR, which that one had not", bind_to(a, our_ip, port));
    close(a);
    port = next_port();
    a = with(SO_REUSEADDR);
    bind_to(a, our_ip, port);
    listen(a, 4);
    id = (int)peer("connect %d", port);
    fd = accept(a, NULL, NULL);
    close(a);
    close(fd);
    peer("drain %d 0", id);
    peer("close %d", id);
    rest(QUIET_MS);
    a = tcp();
    say("with one in TIME-WAIT that had REUSEADDR, bind", bind_to(a, our_ip, port));
    close(a);
    a = with(SO_REUSEADDR);
    say("REUSEADDR", bind_to(a, our_ip, port));
    say("listen", listen(a, 4));
    id = (int)peer("connect %d", port);
    fact("and it serves: %s", id >= 0 ? "yes" : "no");
    /* A connection lives, its listener has gone. */
    fd = accept(a, NULL, NULL);
    close(a);
    a = tcp();
    say("with one connected, bind", bind_to(a, our_ip, port));
    close(a);
    a = with(SO_REUSEADDR);
    say("REUSEADDR", bind_to(a, our_ip, port));
    say("listen", listen(a, 4));
    fact("the connection is still there: %s", events(polled(fd, POLLIN | POLLOUT)));
    port = next_port();
    a = tcp();
    bind_to(a, our_ip, port);
    say("UDP on a port of TCP's", bind_to(udp(), our_ip, port));
}

/* Many ports that connections in TIME-WAIT keep, and a choice that must not hit them. */
static void choice(void)
{
    int chosen = 0, opened = 0;

    for (int i = 0; i < 400; i++) {
        struct sockaddr_in a = at(our_ip, 0);
        socklen_t n = sizeof a;
        int l = tcp(), c = tcp();
        bind_to(l, our_ip, 0);
        listen(l, 1);
        getsockname(l, (void *)&a, &n);
        opened += connect_to(c, our_ip, ntohs(a.sin_port)) == 0;
        int s = accept(l, NULL, NULL);
        close(s);
        close(c);
        close(l);
    }
    fact("opened and closed: %d", opened);
    for (int i = 0; i < 4000; i++) {
        int fd = tcp();
        chosen += bind_to(fd, our_ip, 0) == 0;
        close(fd);
    }
    fact("ports chosen: %d", chosen);
}

const struct topic topics_socket[] = {
    {"creation", creation},
    {"flags", flags},
    {"fresh", fresh},
    {"bad addresses", bad},
    {"bind", binds},
    {"rebind", rebind},
    {"port 0 beside TIME-WAIT", choice},
    {0},
};
