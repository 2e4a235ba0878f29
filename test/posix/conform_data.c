/* Facts about sending and receiving. */
#include "conform.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void receive_flags(void)
{
    int id, fd = pair_in(&id);
    char room[64];

    say("recv DONTWAIT of nothing", recv(fd, room, 1, MSG_DONTWAIT));
    peer("send %d 30 0", id);
    await_bytes(fd, 30);
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI)));
    say("PEEK", recv(fd, room, 10, MSG_PEEK));
    say("PEEK again", recv(fd, room, sizeof room, MSG_PEEK));
    fact("right bytes: %d", is_pattern(room, 30, 0));
    say("recv of 0 bytes", recv(fd, room, 0, 0));
    say("recv part", recv(fd, room, 10, 0));
    fact("right bytes: %d", is_pattern(room, 10, 0));
    say("TRUNC drops", recv(fd, NULL, 5, MSG_TRUNC));
    say("recv after TRUNC", recv(fd, room, 5, 0));
    fact("right bytes: %d", is_pattern(room, 5, 15));
    say("PEEK|TRUNC", recv(fd, room, 5, MSG_PEEK | MSG_TRUNC));
    say("read the rest", read(fd, room, sizeof room));
    fact("right bytes: %d", is_pattern(room, 10, 20));
    say("recv DONTWAIT", recv(fd, room, 1, MSG_DONTWAIT));
    say("PEEK DONTWAIT", recv(fd, room, 1, MSG_DONTWAIT | MSG_PEEK));
    peer("send %d 10 0", id);
    peer("after 40 send %d 10 10", id);
    say("WAITALL", recv(fd, room, 20, MSG_WAITALL));
    fact("right bytes: %d", is_pattern(room, 20, 0));
    peer("send %d 10 0", id);
    await_bytes(fd, 10);
    say("WAITALL|DONTWAIT", recv(fd, room, 20, MSG_WAITALL | MSG_DONTWAIT));
    peer("send %d 10 0", id);
    await_bytes(fd, 10);
    nonblock(fd);
    say("WAITALL, O_NONBLOCK", recv(fd, room, 20, MSG_WAITALL));
    say("recv, O_NONBLOCK", recv(fd, room, 20, 0));
    say("recv of 0 bytes, O_NONBLOCK", recv(fd, room, 0, 0));
    fcntl(fd, F_SETFL, 0);
    peer("after 20 send %d 4 0", id);
    say("recv blocks", recv(fd, room, 20, 0));
    peer("send %d 7 0", id);
    peer("after 20 close %d", id);
    say("WAITALL to the end", recv(fd, room, 20, MSG_WAITALL));
    say("recv at the end", recv(fd, room, 20, 0));
    say("and again", recv(fd, room, 20, MSG_DONTWAIT));
    say("PEEK at the end", recv(fd, room, 20, MSG_PEEK));
}

static void receive_many(void)
{
    int id, fd = pair_in(&id);
    char a[10], b[20], whole[30];
    struct iovec iov[3] = {{a, sizeof a}, {NULL, 0}, {b, sizeof b}};
    struct sockaddr_in from;
    char control[64];
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = iov,
                       .msg_iovlen = 3,
                       .msg_control = control,
                       .msg_controllen = sizeof control,
                       .msg_flags = 0x55};
    socklen_t n = sizeof from;

    peer("send %d 200 0", id);
    await_bytes(fd, 200);
    say("readv", readv(fd, iov, 3));
    fact("right bytes: %d %d", is_pattern(a, 10, 0), is_pattern(b, 20, 10));
    say("recvmsg", recvmsg(fd, &m, 0));
    fact("right bytes: %d %d", is_pattern(a, 10, 30), is_pattern(b, 20, 40));
    fact("name's length %u, control's %zu, flags %x", m.msg_namelen, m.msg_controllen, m.msg_flags);
    say("recvfrom", recvfrom(fd, whole, 10, 0, (void *)&from, &n));
    fact("name's length: %u", n);
    say("readv of none", readv(fd, iov, 0));
    say("readv of 2000", readv(fd, iov, 2000));
    say("readv of -1", readv(fd, iov, -1));
    iov[0].iov_len = (size_t)-1;
    say("readv of a negative length", readv(fd, iov, 1));
    iov[0].iov_len = 10;
    m.msg_iovlen = 2000;
    say("recvmsg of 2000", recvmsg(fd, &m, 0));
    m.msg_iovlen = 0;
    say("recvmsg of none", recvmsg(fd, &m, MSG_DONTWAIT));
    say("recv MSG_ERRQUEUE", recv(fd, whole, 1, MSG_ERRQUEUE));
    say("recv OOB, none there", recv(fd, whole, 1, MSG_OOB));
    struct mmsghdr mm[3] = {0};
    for (int i = 0; i < 3; i++) {
        mm[i].msg_hdr.msg_iov = &iov[2];
        mm[i].msg_hdr.msg_iovlen = 1;
    }
    say("recvmmsg", recvmmsg(fd, mm, 3, MSG_DONTWAIT, NULL));
    fact("lengths: %u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
    fact("right bytes: %d", is_pattern(b, 20, 110));
    say("preadv", preadv(fd, iov, 1, 0));
}

static void send_flags(void)
{
    int id, fd = pair_in(&id), left = -1;
    char room[100], a[10], b[20];
    struct iovec iov[3] = {{a, sizeof a}, {NULL, 0}, {b, sizeof b}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 3};
    struct sockaddr_in elsewhere = at("10.77.0.99", 9);

    fill(room, sizeof room, 0);
    fill(a, sizeof a, 40);
    fill(b, sizeof b, 50);
    say("send", send(fd, room, 10, 0));
    say("send of 0 bytes", send(fd, room, 0, 0));
    say("send MORE", send(fd, room + 10, 10, MSG_MORE));
    say("send DONTWAIT", send(fd, room + 20, 10, MSG_DONTWAIT));
    say("write", write(fd, room + 30, 10));
    say("writev", writev(fd, iov, 3));
    fill(a, sizeof a, 70);
    fill(b, sizeof b, 80);
    say("sendmsg", sendmsg(fd, &m, MSG_NOSIGNAL));
    fact("the peer received: %ld", peer("recv %d 100 0", id));
    say("sendto with an address", sendto(fd, room, 10, 0, (void *)&elsewhere, sizeof elsewhere));
    say("writev of none", writev(fd, iov, 0));
    say("writev of 2000", writev(fd, iov, 2000));
    m.msg_iovlen = 2000;
    say("sendmsg of 2000", sendmsg(fd, &m, 0));
    m.msg_iovlen = 0;
    say("sendmsg of none", sendmsg(fd, &m, 0));
    struct mmsghdr mm[2] = {0};
    for (int i = 0; i < 2; i++) {
        mm[i].msg_hdr.msg_iov = &iov[2 * i];
        mm[i].msg_hdr.msg_iovlen = 1;
    }
    fill(a, sizeof a, 10);
    fill(b, sizeof b, 20);
    say("sendmmsg", sendmmsg(fd, mm, 2, 0));
    fact("lengths: %u %u", mm[0].msg_len, mm[1].msg_len);
    fact("the peer received: %ld", peer("recv %d 40 0", id));
    for (int i = 0; i < 100 && (left != 0 || i == 0); i++, rest(1))
        ioctl(fd, SIOCOUTQ, &left);
    fact("SIOCOUTQ when all is acknowledged: %d", left);
}

static void corked(void)
{
    int id, fd = pair_in(&id);
    char room[100];

    fill(room, sizeof room, 0);
    set_int(fd, IPPROTO_TCP, TCP_CORK, 1);
    fact("CORK: %d", get_int(fd, IPPROTO_TCP, TCP_CORK));
    say("send, corked", send(fd, room, 50, 0));
    rest(QUIET_MS);
    fact("arrived: %ld", peer("peek %d", id));
    set_int(fd, IPPROTO_TCP, TCP_CORK, 0);
    fact("the peer received: %ld", peer("recv %d 50 0", id));
    say("send MORE", send(fd, room, 50, MSG_MORE));
    rest(QUIET_MS);
    fact("arrived: %ld", peer("peek %d", id));
    say("send", send(fd, room + 50, 50, 0));
    fact("the peer received: %ld", peer("recv %d 100 0", id));
    set_int(fd, IPPROTO_TCP, TCP_CORK, 1);
    send(fd, room, 50, 0);
    say("shutdown, corked", shutdown(fd, SHUT_WR));
    fact("the peer received: %ld", peer("drain %d 0", id));
    fact("and then: %s", peer_text());
}

/* What the kernel would find in the middle of a copy. */
static void no_memory(void)
{
    int id, fd = pair_in(&id), err, status;
    char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), room[40];
    struct iovec iov[2] = {{room, 10}, {NULL, 10}};

    fill(room, sizeof room, 0);
    say("send from null", send(fd, NULL, 10, 0));
    say("write from null", write(fd, NULL, 10));
    say("writev, second piece null", writev(fd, iov, 2));
    peer("send %d 20 0", id);
    await_bytes(fd, 20);
    say("recv to null", recv(fd, NULL, 10, 0));
    say("read to null", read(fd, NULL, 10));
    fact("nothing is lost: %ld", receive(fd, 20, 0, &err));
    say("bind from null", bind(tcp(), NULL, 16));
    say("connect from null", connect(tcp(), NULL, 16));
    say("setsockopt from null", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
    say("FIONREAD to null", ioctl(fd, FIONREAD, NULL));
    say("FIONBIO from null", ioctl(fd, FIONBIO, NULL));
    if (fork() == 0) {
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        _exit(send(fd, none, 10, 0) < 0 ? errno : 0);
    }
    wait(&status);
    fact("send from what is no memory: %s",
         WIFSIGNALED(status) ? "SIGSEGV" : error_name(WEXITSTATUS(status)));
    fact("others go on: %ld", (long)send(fd, room, 10, 0));
    fact("the peer received: %ld", peer("recv %d 10 0", id));
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
    (void)sig;
    pipes++;
}

static void broken(void)
{
    int id, fd = pair_in(&id);
    char c = 'x';
    struct iovec iov = {&c, 1};

    signal(SIGPIPE, on_pipe);
    say("shutdown WR", shutdown(fd, SHUT_WR));
    say("send", send(fd, &c, 1, 0));
    fact("signals: %d", (int)pipes);
    say("send NOSIGNAL", send(fd, &c, 1, MSG_NOSIGNAL));
    fact("signals: %d", (int)pipes);
    say("write", write(fd, &c, 1));
    say("writev", writev(fd, &iov, 1));
    fact("signals: %d", (int)pipes);
    say("send of nothing", send(fd, &c, 0, 0));
    fact("signals: %d", (int)pipes);
    close(fd);
    if (fork() == 0) {
        fd = pair_in(&id);
        signal(SIGPIPE, SIG_DFL);
        shutdown(fd, SHUT_WR);
        if (write(fd, &c, 1) < 0)
            fact("SIGPIPE did not come");
        _exit(0);
    }
    int status;
    wait(&status);
    fact("killed by SIGPIPE: %d", WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

/* The peer closes, or resets; in every order of what we do then. */
static void after_reset(void)
{
    int id, fd = pair_in(&id);
    char c[8] = "xxxxxxx";

    signal(SIGPIPE, on_pipe);
    peer("rst %d", id);
    await(fd, POLLHUP);
    fact("poll after RST: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("recv", recv(fd, c, 8, 0));
    say("recv again", recv(fd, c, 8, 0));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("send", send(fd, c, 1, 0));
    fact("signals: %d", (int)pipes);
    fact("getpeername: %s", peer_of(fd));
    fact("name: %s", name_of(fd));
    say("shutdown", shutdown(fd, SHUT_WR));
    fd = pair_in(&id);
    peer("rst %d", id);
    await(fd, POLLHUP);
    say("send after RST", send(fd, c, 1, 0));
    fact("signals: %d", (int)pipes);
    say("send again", send(fd, c, 1, 0));
    fact("signals: %d", (int)pipes);
    say("recv", recv(fd, c, 1, 0));
    fd = pair_in(&id);
    peer("rst %d", id);
    await(fd, POLLHUP);
    say("SO_ERROR after RST", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("SO_ERROR again", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("recv", recv(fd, c, 1, 0));
    /* Data before the RST is gone. */
    fd = pair_in(&id);
    peer("send %d 8 0", id);
    await_bytes(fd, 8);
    peer("rst %d", id);
    await(fd, POLLHUP);
    say("recv with data before RST", recv(fd, c, 8, 0));
    say("recv again", recv(fd, c, 8, 0));
}

static void after_close(void)
{
    int id, fd = pair_in(&id);
    char c[8] = "xxxxxxx";

    signal(SIGPIPE, on_pipe);
    peer("send %d 8 0", id);
    peer("close %d", id);
    await(fd, POLLRDHUP);
    fact("poll after FIN: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("recv", recv(fd, c, 5, 0));
    fact("poll: %s", events(polled(fd, POLLIN | POLLOUT | POLLRDHUP)));
    say("recv rest", recv(fd, c, 8, 0));
    say("recv end", recv(fd, c, 8, 0));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("send, the peer has closed", send(fd, c, 1, 0));
    fact("then comes RST: %s", events(await(fd, POLLHUP)));
    say("SO_ERROR", get_int(fd, SOL_SOCKET, SO_ERROR));
    say("send", send(fd, c, 1, 0));
    fact("signals: %d", (int)pipes);
    say("recv", recv(fd, c, 8, 0));
    fd = pair_in(&id);
    peer("close %d", id);
    await(fd, POLLRDHUP);
    send(fd, c, 1, 0);
    await(fd, POLLHUP);
    say("recv after that RST", recv(fd, c, 8, 0));
    say("send", send(fd, c, 1, 0));
    fact("signals: %d", (int)pipes);
}

const struct topic topics_data[] = {
    {"receive", receive_flags}, {"receive many", receive_many}, {"send", send_flags},
    {"cork", corked},           {"EFAULT", no_memory},          {"EPIPE", broken},
    {"after RST", after_reset}, {"after FIN", after_close},     {0},
};
