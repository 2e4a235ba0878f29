/* The peer: sockets of the kernel's in another network namespace, told what to do by one-line
 * commands; and the conformance program's end of that. */
#include "conform.h"

#include <stdarg.h>
#include <sys/prctl.h>

#define CONTROL_FD 900
#define IDS 256

/* ---- the program's end ----------------------------------------------------------------------- */

static char answer[256];

void peer_open(const char *control)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", control);
    if (fd < 0 || connect(fd, (void *)&a, sizeof a) < 0 ||
        dup3(fd, CONTROL_FD, O_CLOEXEC) != CONTROL_FD) {
        fact("no peer: %s", error_name(errno));
        exit(3);
    }
    close(fd);
}

void peer_close(void)
{
    close(CONTROL_FD);
}

static ssize_t read_line(int fd, char *room, size_t n)
{
    size_t have = 0;

    while (have + 1 < n) {
        ssize_t r = read(fd, room + have, 1);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return -1;
        if (room[have] == '\n')
            break;
        have++;
    }
    room[have] = '\0';
    return (ssize_t)have;
}

long peer(const char *format, ...)
{
    char line[256];
    va_list ap;
    long r;

    va_start(ap, format);
    int n = vsnprintf(line, sizeof line - 1, format, ap);
    va_end(ap);
    line[n++] = '\n';
    if (write(CONTROL_FD, line, (size_t)n) != n ||
        read_line(CONTROL_FD, answer, sizeof answer) < 0) {
        fact("the peer is gone, asked: %s", line);
        exit(3);
    }
    r = strtol(answer, NULL, 10);
    if (r < 0)
        errno = (int)-r;
    return r;
}

const char *peer_text(void)
{
    const char *space = strchr(answer, ' ');

    return space ? space + 1 : "";
}

/* ---- the peer's ------------------------------------------------------------------------------ */

static int sockets[IDS], socket_count;

static long new_id(int fd)
{
    if (fd < 0)
        return -errno;
    sockets[socket_count] = fd;
    return socket_count++;
}

static int of_id(long id)
{
    return id >= 0 && id < socket_count ? sockets[id] : -1;
}

static int peer_socket(int type, int port)
{
    int fd = socket(AF_INET, type, 0);

    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (port && bind_to(fd, peer_ip, port) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static long peer_listen(int port, int backlog)
{
    int fd = peer_socket(SOCK_STREAM, port);

    if (fd >= 0 && listen(fd, backlog) < 0)
        return -errno;
    return new_id(fd);
}

/* What it sends goes out when it is said, not when something else is acknowledged. */
static int at_once(int fd)
{
    int on = 1;

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static long peer_accept(int fd)
{
    if (!(await(fd, POLLIN) & POLLIN))
        return -ETIMEDOUT;
    return new_id(at_once(accept(fd, NULL, NULL)));
}

/* As connect, but for no longer than PATIENCE_MS. */
static long peer_connect(int port, int local)
{
    int fd = peer_socket(SOCK_STREAM, local);
    struct timeval patience = {PATIENCE_MS / 1000, 0};
    long r;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    r = connect_to(fd, our_ip, port);
    if (r < 0) {
        r = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        close(fd);
        return r;
    }
    patience.tv_sec = 10;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return new_id(at_once(fd));
}

static long peer_send(int fd, long n, long offset, int flags)
{
    static unsigned char room[65536];
    long sent = 0;

    while (sent < n) {
        size_t part = n - sent < (long)sizeof room ? (size_t)(n - sent) : sizeof room;

        fill(room, part, (uint64_t)(offset + sent));
        ssize_t r = send(fd, room, part, flags | MSG_NOSIGNAL);
        if (r < 0)
            return sent ? sent : -errno;
        sent += r;
    }
    return sent;
}

static long peer_recv(int fd, long n, long offset, const char **how)
{
    int error;
    long got = receive(fd, (uint64_t)n, (uint64_t)offset, &error);

    *how = got < 0 ? "wrong bytes" : error ? error_name(error) : got < n ? "end" : "full";
    return got;
}

static long peer_rst(int fd)
{
    struct linger l = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    return close(fd);
}

static long peer_sendto(int fd, int port, long n)
{
    static unsigned char room[65536];
    struct sockaddr_in to = at(our_ip, port);

    fill(room, (size_t)n, 0);
    return sendto(fd, room, (size_t)n, 0, (void *)&to, sizeof to);
}

/* A datagram; "text" is who sent it. */
static long peer_recvfrom(int fd, const char **from)
{
    static unsigned char room[65536];
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    ssize_t r;

    if (!(await(fd, POLLIN) & POLLIN))
        return -ETIMEDOUT;
    r = recvfrom(fd, room, sizeof room, 0, (void *)&a, &n);
    *from = r < 0 ? "" : who(&a, n);
    return r >= 0 && !is_pattern(room, (size_t)r, 0) ? -EBADMSG : r;
}

static long file_bytes(int fd)
{
    int n = 0;

    return ioctl(fd, FIONREAD, &n) < 0 ? -errno : n;
}

/* tcpi_snd_wnd of <linux/tcp.h>, which does not go together with libc's. */
#define TCPI_SND_WND 228

static long send_window(int fd)
{
    unsigned char info[TCPI_SND_WND + 4] = {0};
    socklen_t n = sizeof info;
    uint32_t wnd;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &n) < 0)
        return -errno;
    memcpy(&wnd, info + TCPI_SND_WND, sizeof wnd);
    return n == sizeof info ? (long)wnd : -ENOSYS;
}

static long call(long r)
{
    return r < 0 ? -errno : r;
}

static long command(char *line, const char **text)
{
    char verb[16] = "";
    long a = 0, b = 0, c = 0, d = 0;
    int fd, n = sscanf(line, "%15s %ld %ld %ld %ld", verb, &a, &b, &c, &d);

    (void)n;
    fd = of_id(a);
    if (strcmp(verb, "listen") == 0)
        return peer_listen((int)a, (int)b);
    if (strcmp(verb, "accept") == 0)
        return peer_accept(fd);
    if (strcmp(verb, "connect") == 0)
        return peer_connect((int)a, (int)b);
    if (strcmp(verb, "send") == 0)
        return peer_send(fd, b, c, (int)d);
    if (strcmp(verb, "recv") == 0)
        return peer_recv(fd, b, c, text);
    if (strcmp(verb, "drain") == 0)
        return peer_recv(fd, INT64_MAX, b, text);
    if (strcmp(verb, "shut") == 0)
        return call(shutdown(fd, (int)b));
    if (strcmp(verb, "close") == 0)
        return call(close(fd));
    if (strcmp(verb, "rst") == 0)
        return call(peer_rst(fd));
    if (strcmp(verb, "opt") == 0) {
        int value = (int)d;
        return call(setsockopt(fd, (int)b, (int)c, &value, sizeof value));
    }
    if (strcmp(verb, "udp") == 0)
        return new_id(peer_socket(SOCK_DGRAM, (int)a));
    if (strcmp(verb, "sendto") == 0)
        return call(peer_sendto(fd, (int)b, c));
    if (strcmp(verb, "recvfrom") == 0)
        return peer_recvfrom(fd, text);
    if (strcmp(verb, "poll") == 0)
        return await(fd, (int)b);
    if (strcmp(verb, "peek") == 0)
        return file_bytes(fd);
    if (strcmp(verb, "wnd") == 0)
        return send_window(fd);
    return -ENOSYS;
}

static void serve(int control)
{
    char line[256], reply[256];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read_line(control, line, sizeof line) >= 0) {
        const char *text = "";
        char *what = line;
        int ms = 0, skip = 0;

        if (sscanf(line, "after %d %n", &ms, &skip) == 1) {
            what = line + skip;
            if (write(control, "0\n", 2) != 2)
                return;
            rest(ms);
            command(what, &text);
            continue;
        }
        long r = command(what, &text);
        int n = snprintf(reply, sizeof reply, "%ld %s\n", r, text);
        if (write(control, reply, (size_t)n) != n)
            return;
    }
}

int peer_main(const char *control)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int l = socket(AF_UNIX, SOCK_STREAM, 0);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", control);
    if (l < 0 || bind(l, (void *)&a, sizeof a) < 0 || listen(l, 64) < 0) {
        perror(control);
        return 1;
    }
    for (;;) {
        int fd = accept(l, NULL, NULL);

        if (fd < 0)
            continue;
        if (fork() == 0) {
            close(l);
            serve(fd);
            _exit(0);
        }
        close(fd);
    }
}
