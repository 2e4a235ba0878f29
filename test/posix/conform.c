/* The conformance program: topics, the transcript, and what all topics use. */
#include "conform.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <time.h>

#define TOPIC_SECONDS 8
#define TRANSCRIPT_FD 901
#define PORT_FIRST 10000
#define PORTS_OF_TOPIC 150

const char *our_ip, *peer_ip, *self;

static const struct topic *const lists[] = {
    topics_socket, topics_accept, topics_connect, topics_data,      topics_half,   topics_option,
    topics_fd,     topics_poll,   topics_epoll,   topics_epoll_mix, topics_signal, topics_process,
    topics_exec,   topics_thread, topics_udp,     topics_file,      topics_local,
};
static const char *topic_name;
static int topic_port;

/* ---- the transcript -------------------------------------------------------------------------- */

void fact(const char *format, ...)
{
    char line[600];
    int error = errno, n = snprintf(line, sizeof line, "%s: ", topic_name);
    va_list ap;

    va_start(ap, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, ap);
    va_end(ap);
    if (n > (int)sizeof line - 2)
        n = (int)sizeof line - 2;
    line[n++] = '\n';
    if (write(TRANSCRIPT_FD, line, (size_t)n) != n)
        _exit(99);
    errno = error;
}

const char *error_name(int error)
{
    const char *name = strerrorname_np(error);

    return error == 0 ? "0" : name ? name : "?";
}

const char *result(long r)
{
    static char rooms[8][24];
    static unsigned next;
    char *room = rooms[next++ % 8];

    snprintf(room, sizeof rooms[0], "%ld", r);
    return r < 0 ? error_name(errno) : room;
}

void say(const char *what, long r)
{
    fact("%s: %s", what, result(r));
}

void told(const char *what, long r)
{
    fact("%s: %s %s", what, result(r), peer_text());
}

void say_ok(const char *what, long r)
{
    fact("%s: %s", what, r < 0 ? error_name(errno) : "ok");
}

const char *events(uint32_t ev)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{POLLIN, "IN"},    {POLLPRI, "PRI"}, {POLLOUT, "OUT"},
                 {POLLERR, "ERR"},  {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"},
                 {0x2000, "RDHUP"}, {0x40, "RDNORM"}, {0x100, "WRNORM"}};
    static char rooms[8][64];
    static unsigned next;
    char *room = rooms[next++ % 8], *to = room;

    *to = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ev & names[i].bit)
            to += sprintf(to, "%s%s", to == room ? "" : "|", names[i].name);
    return *room ? room : "-";
}

static const char *host_name(uint32_t a)
{
    return a == inet_addr(our_ip)        ? "us"
           : a == inet_addr(peer_ip)     ? "peer"
           : a == 0                      ? "any"
           : a == htonl(INADDR_LOOPBACK) ? "lo"
                                         : "other";
}

const char *who(const void *a, socklen_t n)
{
    static char rooms[8][80];
    static unsigned next;
    char *room = rooms[next++ % 8];
    const struct sockaddr_in *in = a;
    const struct sockaddr_in6 *in6 = a;
    const char *host = "?";
    unsigned port = ntohs(in->sin_port);
    char text[INET6_ADDRSTRLEN + 4];

    if (n < sizeof *in)
        return "short";
    if (in->sin_family == AF_INET) {
        host = host_name(in->sin_addr.s_addr);
    } else if (in->sin_family == AF_INET6) {
        uint32_t mapped;

        memcpy(&mapped, &in6->sin6_addr.s6_addr[12], 4);
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            snprintf(text, sizeof text, "mapped-%s", host_name(mapped));
        host = text;
    }
    if (port >= 32768)
        snprintf(room, sizeof rooms[0], "%s:eph", host);
    else
        snprintf(room, sizeof rooms[0], "%s:%u", host, port);
    return room;
}

const char *name_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;

    return getsockname(fd, (void *)&a, &n) < 0 ? error_name(errno) : who(&a, n);
}

const char *peer_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;

    return getpeername(fd, (void *)&a, &n) < 0 ? error_name(errno) : who(&a, n);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void must(bool good, const char *what)
{
    if (good)
        return;
    fact("CANNOT GO ON: %s: %s", what, error_name(errno));
    exit(3);
}

int next_port(void)
{
    return topic_port++;
}

struct sockaddr_in at(const char *ip, int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = inet_addr(ip)};
}

int tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    must(fd >= 0, "socket");
    return fd;
}

int udp(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    must(fd >= 0, "socket");
    return fd;
}

void set_int(int fd, int level, int name, int value)
{
    must(setsockopt(fd, level, name, &value, sizeof value) == 0, "setsockopt");
}

int get_int(int fd, int level, int name)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(fd, level, name, &value, &n) < 0 ? -errno : value;
}

void nonblock(int fd)
{
    must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "O_NONBLOCK");
}

int bind_to(int fd, const char *ip, int port)
{
    struct sockaddr_in a = at(ip, port);

    return bind(fd, (void *)&a, sizeof a);
}

int connect_to(int fd, const char *ip, int port)
{
    struct sockaddr_in a = at(ip, port);

    return connect(fd, (void *)&a, sizeof a);
}

int listener(int port)
{
    int fd = tcp();

    must(bind_to(fd, our_ip, port) == 0, "bind");
    must(listen(fd, 64) == 0, "listen");
    return fd;
}

int pair_in(int *peer_id)
{
    int port = next_port(), l = listener(port), fd;
    long id = peer("connect %d", port);

    must(id >= 0, "peer's connect");
    fd = accept(l, NULL, NULL);
    must(fd >= 0, "accept");
    close(l);
    *peer_id = (int)id;
    return fd;
}

int pair_out(int *peer_id)
{
    int port = next_port(), fd = tcp();
    long l = peer("listen %d 8", port), id;

    must(l >= 0, "peer's listen");
    must(connect_to(fd, peer_ip, port) == 0, "connect");
    id = peer("accept %ld", l);
    must(id >= 0, "peer's accept");
    peer("close %ld", l);
    *peer_id = (int)id;
    return fd;
}

uint32_t await(int fd, int want)
{
    struct pollfd p = {.fd = fd, .events = (short)want};

    return poll(&p, 1, PATIENCE_MS) < 0 ? POLLNVAL : (uint32_t)p.revents & 0xffffu;
}

uint32_t polled(int fd, int want)
{
    struct pollfd p = {.fd = fd, .events = (short)want};

    return poll(&p, 1, 0) < 0 ? POLLNVAL : (uint32_t)p.revents & 0xffffu;
}

void await_bytes(int fd, int n)
{
    uint64_t end = now_ms() + PATIENCE_MS;
    int have = 0;

    while (ioctl(fd, FIONREAD, &have) == 0 && have < n && now_ms() < end)
        rest(1);
}

void await_state(int fd, int state)
{
    uint64_t end = now_ms() + PATIENCE_MS;
    struct tcp_info info = {0};
    socklen_t n = sizeof info;

    while (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state != state &&
           now_ms() < end)
        rest(1);
    must(info.tcpi_state == state, "state");
}

void rest(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

unsigned char pattern(uint64_t offset)
{
    return (unsigned char)(offset ^ (offset >> 8) * 5 ^ (offset >> 16) * 11);
}

void fill(void *p, size_t n, uint64_t offset)
{
    unsigned char *to = p;

    for (size_t i = 0; i < n; i++)
        to[i] = pattern(offset + i);
}

bool is_pattern(const void *p, size_t n, uint64_t offset)
{
    const unsigned char *from = p;

    for (size_t i = 0; i < n; i++)
        if (from[i] != pattern(offset + i))
            return false;
    return true;
}

/* What was on its way when it was full makes room when it is acknowledged, which tells nobody: an
 * edge needs a third of the buffer (sk_stream_write_space).  So may, after a time-out of 200 ms,
 * the probe of a window smaller than a segment. */
#define FULL_MS 300

long fill_up(int fd, int file)
{
    static unsigned char room[65536];
    off_t start = 0;
    long sent = 0;
    ssize_t r;

    for (int idle = 0; idle < FULL_MS / QUIET_MS; start = 0) {
        fill(room, sizeof room, (uint64_t)sent);
        r = file >= 0 ? sendfile(fd, file, &start, sizeof room) : send(fd, room, sizeof room, 0);
        sent += r > 0 ? r : 0;
        idle = r > 0 ? 0 : idle + 1;
        if (r <= 0)
            rest(QUIET_MS);
    }
    return sent;
}

long receive(int fd, uint64_t n, uint64_t offset, int *err)
{
    static _Thread_local unsigned char room[65536];
    uint64_t got = 0;

    *err = 0;
    while (got < n) {
        size_t ask = n - got < sizeof room ? (size_t)(n - got) : sizeof room;
        ssize_t r = recv(fd, room, ask, 0);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            *err = errno;
        if (r <= 0)
            break;
        if (!is_pattern(room, (size_t)r, offset + got))
            return -1;
        got += (uint64_t)r;
    }
    return (long)got;
}

/* ---- main ------------------------------------------------------------------------------------ */

static void in_child(const struct topic *t, const char *control)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(TOPIC_SECONDS);
    peer_open(control);
    t->run();
    peer_close();
    fact("end");
    exit(0);
}

/* A topic's process; what it says goes to its memory file. */
static pid_t start_topic(const struct topic *t, int index, const char *control, int *out)
{
    pid_t pid;

    topic_name = t->name;
    topic_port = PORT_FIRST + index * PORTS_OF_TOPIC;
    *out = memfd_create("transcript", MFD_CLOEXEC);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(*out, TRANSCRIPT_FD);
        closefrom(TRANSCRIPT_FD + 1);
        close_range(3, TRANSCRIPT_FD - 1, 0);
        in_child(t, control);
    }
    return pid;
}

static void end_topic(const struct topic *t, pid_t pid, int out)
{
    char room[4096];
    ssize_t n;
    int status;

    if (waitpid(pid, &status, 0) != pid)
        status = -1;
    kill(-pid, SIGKILL); /* children that it has left behind */
    lseek(out, 0, SEEK_SET);
    while ((n = read(out, room, sizeof room)) > 0)
        fwrite(room, 1, (size_t)n, stdout);
    close(out);
    if (WIFSIGNALED(status))
        printf("%s: DIED of signal %d\n", t->name, WTERMSIG(status));
    else if (status != 0)
        printf("%s: exit status %d\n", t->name, WEXITSTATUS(status));
    fflush(stdout);
}

static bool is_asked(const char *name, int n, char **args)
{
    for (int i = 0; i < n; i++)
        if (strcmp(args[i], name) == 0)
            return true;
    return n == 0;
}

#define TOPICS_MAX 128

/* All topics that are asked for, `together` at once, told in order. */
static void run_topics(int together, const char *control, int n, char **args)
{
    const struct topic *of[TOPICS_MAX];
    int index[TOPICS_MAX], out[TOPICS_MAX], count = 0, started = 0, at_all = 0;
    pid_t pid[TOPICS_MAX];

    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++)
        for (const struct topic *t = lists[l]; t->name; t++, at_all++)
            if (count < TOPICS_MAX && is_asked(t->name, n, args)) {
                index[count] = at_all;
                of[count++] = t;
            }
    for (int i = 0; i < count; i++) {
        for (; started < count && started < i + together; started++)
            pid[started] = start_topic(of[started], index[started], control, &out[started]);
        end_topic(of[i], pid[i], out[i]);
    }
}

int main(int argc, char **argv)
{
    int together = 1;

    signal(SIGPIPE, SIG_DFL);
    self = argv[0];
    if (argc > 2 && strcmp(argv[1], "--exec") == 0)
        return exec_main(argc - 2, argv + 2);
    if (argc > 2 && strcmp(argv[1], "--together") == 0) {
        together = atoi(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc == 5 && strcmp(argv[1], "--peer") == 0) {
        our_ip = argv[2];
        peer_ip = argv[3];
        return peer_main(argv[4]);
    }
    if (argc < 4) {
        fputs("usage: conform [--together N] [--peer] US PEER CONTROL [topic...]\n", stderr);
        return 2;
    }
    our_ip = argv[1];
    peer_ip = argv[2];
    run_topics(together, argv[3], argc - 4, argv + 4);
    return 0;
}
