/* px_peer: the other side of a program under test, on the kernel's sockets: an origin and clients
 * that check every byte.
 *
 *      px_peer origin ADDR PORT [FDS]
 *      px_peer get    ADDR PORT CONNECTIONS MS SIZES SEEDS [close|up|hold]
 *
 * What /o/SIZE/SEED names is told by its name: byte i is pattern[(SEED + i) % PERIOD].  No two that
 * are on their way at once are alike, so that a byte of another answer, a byte too few, or one that
 * came twice is seen.  The origin checks what is posted to it in the same way, and answers 400 if a
 * byte is wrong; it keeps connections, unless asked not to.
 *
 *      close   a connection for every request
 *      up      half of the requests post what the others get
 *      hold    all connections are open before the first request, and until the last answer; one
 *              that is closed after its answer and before that is counted ("early")
 *
 * A request that was sent on a used connection and met its end before a byte of the answer came is
 * sent again, as any client does (RFC 9112 9.3.1), and counted.  One line of JSON tells the
 * rest: of those that failed how many had no answer in time ("late"), and how many a wrong one.  A
 * proxy's 502 is a failure, and no wrong answer: it says that the connection behind it was lost. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PERIOD 65521u
#define PIECE 65536u
#define HEAD_MAX 4096u
#define ANSWER_MS 10000u
#define LIST_MAX 32

static uint8_t pattern[PERIOD + PIECE];

static void pattern_make(void)
{
    uint64_t x = 1;

    for (uint32_t i = 0; i < PERIOD; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        pattern[i] = (uint8_t)(x >> 40);
    }
    for (uint32_t i = PERIOD; i < sizeof(pattern); i++)
        pattern[i] = pattern[i - PERIOD];
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

struct body {
    uint64_t seed, size, at;
};

static bool body_matches(struct body *b, const uint8_t *p, size_t n)
{
    if (n > b->size - b->at)
        return false;
    while (n > 0) {
        size_t part = n < PIECE ? n : PIECE;
        if (memcmp(p, pattern + (b->seed + b->at) % PERIOD, part) != 0)
            return false;
        b->at += part;
        p += part;
        n -= part;
    }
    return true;
}

/* What is left of a head and of a body goes out; false: the connection is broken. */
static bool push(int fd, const char *head, size_t head_n, size_t *head_at, struct body *b)
{
    while (*head_at < head_n || b->at < b->size) {
        bool in_head = *head_at < head_n;
        size_t n = in_head ? head_n - *head_at : b->size - b->at < PIECE ? b->size - b->at : PIECE;
        const void *p =
            in_head ? (const void *)(head + *head_at) : pattern + (b->seed + b->at) % PERIOD;
        ssize_t r =
            send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT | (in_head && b->size > 0 ? MSG_MORE : 0));
        if (r < 0)
            return errno == EAGAIN || errno == EINTR;
        if (in_head)
            *head_at += (size_t)r;
        else
            b->at += (size_t)r;
    }
    return true;
}

/* One end of a connection: what it reads, and what it is sending. */
struct end {
    int fd;
    bool client, connecting, in_body, used, closing, watch_out;
    bool good; /* origin: nothing wrong was posted yet */
    char in[HEAD_MAX];
    size_t in_n;
    struct body rx;
    char out[HEAD_MAX];
    size_t out_n, out_at;
    struct body tx;
    uint64_t began, size, seed; /* client: of its request */
    uint64_t opened;            /* client: when it called connect */
    bool posting, again;
};

static int epfd;

static void watch(struct end *e, int op, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = e};

    if (op == EPOLL_CTL_MOD && e->watch_out == out)
        return;
    e->watch_out = out;
    if (epoll_ctl(epfd, op, e->fd, &ev) < 0)
        die("epoll_ctl");
}

static bool owes(const struct end *e)
{
    return e->out_at < e->out_n || e->tx.at < e->tx.size;
}

static bool send_on(struct end *e)
{
    if (!push(e->fd, e->out, e->out_n, &e->out_at, &e->tx))
        return false;
    watch(e, EPOLL_CTL_MOD, owes(e));
    return true;
}

static void say(struct end *e, const char *how, ...) __attribute__((format(printf, 2, 3)));
static void say(struct end *e, const char *how, ...)
{
    va_list args;

    va_start(args, how);
    e->out_n = (size_t)vsnprintf(e->out, sizeof(e->out), how, args);
    va_end(args);
    e->out_at = 0;
}

/* The end of a whole head in e->in, or 0. */
static size_t head_end(struct end *e)
{
    char *p = memmem(e->in, e->in_n, "\r\n\r\n", 4);

    return p ? (size_t)(p - e->in) + 4 : 0;
}

static bool field(const char *head, const char *name, uint64_t *value)
{
    const char *p = strcasestr(head, name);

    if (!p)
        return false;
    *value = strtoull(p + strlen(name), NULL, 10);
    return true;
}

/* ---- the origin ---------------------------------------------------------------------------- */

static uint64_t requests, wrong;

static void answer(struct end *e, bool found)
{
    requests++;
    wrong += !e->good;
    if (!found || !e->good || e->posting)
        e->tx = (struct body){0, 0, 0};
    say(e, "HTTP/1.1 %s\r\nContent-Length: %llu\r\n%s\r\n",
        !found    ? "404 Not Found"
        : e->good ? "200 OK"
                  : "400 Bad Request",
        (unsigned long long)e->tx.size, e->closing ? "Connection: close\r\n" : "");
}

/* A request's head, n bytes at e->in. */
static void take_request(struct end *e, size_t n)
{
    unsigned long long size = 0, seed = 0;
    uint64_t length = 0;
    const char *path = strstr(e->in, "/o/");
    bool found;

    e->in[n - 1] = '\0';
    found = path && path - e->in < 8 && sscanf(path, "/o/%llu/%llu", &size, &seed) == 2;
    e->posting = strncmp(e->in, "POST", 4) == 0;
    e->closing = strcasestr(e->in, "connection: close") != NULL;
    e->good = true;
    field(e->in, "content-length:", &length);
    e->rx = (struct body){seed, length, 0};
    e->tx = (struct body){seed, size, 0};
    e->in_body = length > 0;
    if (e->posting && length != size)
        e->good = false;
    if (!e->in_body)
        answer(e, found);
    else
        e->out_n = e->out_at = 0, e->tx.size = 0;
}

static bool origin_input(struct end *e, const char *p, size_t n)
{
    while (n > 0) {
        size_t part = n, end;
        if (e->in_body) {
            part = e->rx.size - e->rx.at < n ? e->rx.size - e->rx.at : n;
            if (e->good && !body_matches(&e->rx, (const uint8_t *)p, part))
                e->good = false, e->rx.at += part;
            else if (!e->good)
                e->rx.at += part;
            if (e->rx.at >= e->rx.size) {
                e->in_body = false;
                answer(e, true);
            }
        } else {
            size_t before = e->in_n;
            if (owes(e)) /* no pipelining: nothing that we test sends it */
                return false;
            part = part < HEAD_MAX - before ? part : HEAD_MAX - before;
            if (part == 0)
                return false;
            memcpy(e->in + before, p, part);
            e->in_n += part;
            end = head_end(e);
            if (end != 0) {
                part = end - before;
                take_request(e, end);
                e->in_n = 0;
            }
        }
        p += part;
        n -= part;
        if (owes(e) && !send_on(e))
            return false;
    }
    return true;
}

static void origin_event(struct end *e, uint32_t events)
{
    char room[PIECE];
    ssize_t r = 1;
    bool well = true;

    if (events & EPOLLOUT)
        well = send_on(e);
    if (well && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !owes(e)) {
        r = recv(e->fd, room, sizeof(room), MSG_DONTWAIT);
        if (r > 0)
            well = origin_input(e, room, (size_t)r);
        else
            well = r < 0 && (errno == EAGAIN || errno == EINTR);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        well = false;
    }
    if (well && e->closing && !e->in_body && !owes(e) && requests > 0)
        well = false;
    if (!well) {
        close(e->fd);
        free(e);
    }
}

static struct sockaddr_in address(char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};

    if (inet_pton(AF_INET, argv[2], &a.sin_addr) != 1)
        die(argv[2]);
    return a;
}

static void no_delay(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static int origin(char **argv)
{
    struct sockaddr_in a = address(argv);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct end listener = {.fd = l};

    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4096) < 0)
        die("listen");
    watch(&listener, EPOLL_CTL_ADD, false);
    for (;;) {
        struct epoll_event ev[64];
        int n = epoll_wait(epfd, ev, 64, -1), fd;
        for (int i = 0; i < n; i++) {
            struct end *e = ev[i].data.ptr;
            if (e != &listener) {
                origin_event(e, ev[i].events);
                continue;
            }
            while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                e = calloc(1, sizeof(*e));
                if (!e)
                    die("calloc");
                e->fd = fd;
                no_delay(fd);
                watch(e, EPOLL_CTL_ADD, false);
            }
        }
    }
}

/* ---- clients ------------------------------------------------------------------------------- */

static struct client {
    struct sockaddr_in to;
    struct end *end;
    unsigned n, sizes, seeds;
    uint64_t size[LIST_MAX], stop_us, begin_us;
    bool close, up, hold, started;
    unsigned open, idle, most;
    uint64_t done, bytes, failed, late, wrong, retried, early, turn, longest, connect;
    char why[200];
} cl;

static void fail(struct end *e, const char *what, int error)
{
    if (cl.failed++ == 0)
        snprintf(cl.why, sizeof(cl.why),
                 "%s%s%s after %llu us, %llu of %llu bytes, at %llu ms: %.60s", what,
                 error ? ": " : "", error ? strerror(error) : "",
                 (unsigned long long)(now_us() - e->began), (unsigned long long)e->rx.at,
                 (unsigned long long)e->rx.size,
                 (unsigned long long)(now_us() - cl.begin_us) / 1000, e->in_n ? e->in : "");
}

static void client_close(struct end *e)
{
    if (e->fd < 0)
        return;
    cl.open -= !e->connecting;
    close(e->fd);
    e->fd = -1;
}

static void client_open(struct end *e)
{
    e->used = e->connecting = e->in_body = false;
    e->in_n = e->out_n = e->out_at = 0;
    e->tx = e->rx = (struct body){0, 0, 0};
    e->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (e->fd < 0)
        die("socket");
    no_delay(e->fd);
    e->connecting = true;
    e->opened = now_us();
    if (connect(e->fd, (struct sockaddr *)&cl.to, sizeof(cl.to)) < 0 && errno != EINPROGRESS)
        die("connect");
    watch(e, EPOLL_CTL_ADD, true);
}

static void ask(struct end *e)
{
    if (!e->again) {
        e->size = cl.size[cl.turn % cl.sizes];
        e->seed = cl.turn / cl.sizes % cl.seeds;
        e->posting = cl.up && cl.turn / 7 % 2 == 1;
        e->began = now_us();
        cl.turn++;
    }
    e->in_n = 0;
    e->in_body = false;
    e->tx = (struct body){e->seed, e->posting ? e->size : 0, 0};
    e->rx = (struct body){e->seed, e->posting ? 0 : e->size, 0};
    say(e, "%s /o/%llu/%llu HTTP/1.1\r\nHost: lab\r\nContent-Length: %llu\r\n%s\r\n",
        e->posting ? "POST" : "GET", (unsigned long long)e->size, (unsigned long long)e->seed,
        (unsigned long long)e->tx.size, cl.close ? "Connection: close\r\n" : "");
}

/* After an answer, or a failure. */
static void next(struct end *e)
{
    /* Until all are there those who are wait for it, however late it is. */
    bool gathers = cl.hold && !cl.started;
    bool over = (now_us() >= cl.stop_us && !gathers) || (cl.hold && cl.started && e->used);

    e->again = false;
    if (over) {
        cl.idle++;
        if (!cl.hold)
            client_close(e);
        return;
    }
    if (e->fd < 0) {
        e->began = now_us();
        client_open(e);
        return;
    }
    ask(e);
    if (!send_on(e)) {
        client_close(e);
        e->again = true;
        client_open(e);
    }
}

static void lost(struct end *e, const char *what, int error)
{
    bool again = e->used && e->in_n == 0 && !e->in_body && !e->again;

    if (cl.hold && e->used) { /* it has its answer, and was to stay open */
        cl.early++;
        client_close(e);
        return;
    }
    if (!again)
        fail(e, what, error);
    client_close(e);
    if (again) {
        cl.retried++;
        e->again = true;
        client_open(e);
        return;
    }
    next(e);
}

static void answered(struct end *e)
{
    uint64_t took = now_us() - e->began;

    cl.longest = took > cl.longest ? took : cl.longest;
    cl.done++;
    cl.bytes += e->size;
    e->used = true;
    if (cl.close || e->closing)
        client_close(e);
    next(e);
}

/* False: it was lost, or a next request began. */
static bool take_head(struct end *e, size_t n)
{
    uint64_t length = UINT64_MAX;

    e->in[n - 1] = '\0';
    field(e->in, "content-length:", &length);
    e->closing = strcasestr(e->in, "connection: close") != NULL;
    bool http = strncmp(e->in, "HTTP/1.", 7) == 0;

    if (http && strncmp(e->in + 8, " 502", 4) == 0) {
        lost(e, "a bad gateway", 0);
        return false;
    }
    if (!http || strncmp(e->in + 8, " 200", 4) != 0 || length != e->rx.size) {
        cl.wrong++;
        lost(e, "a wrong head", 0);
        return false;
    }
    e->in_body = true;
    return true;
}

static void client_input(struct end *e, const char *p, size_t n)
{
    if (!e->in_body) {
        size_t before = e->in_n, end, part = n < HEAD_MAX - before ? n : HEAD_MAX - before;
        memcpy(e->in + before, p, part);
        e->in_n += part;
        end = head_end(e);
        if (end == 0)
            return;
        if (!take_head(e, end))
            return;
        p += end - before;
        n -= end - before;
    }
    if (!body_matches(&e->rx, (const uint8_t *)p, n)) {
        cl.wrong++;
        lost(e, "a wrong byte", 0);
    } else if (e->rx.at == e->rx.size)
        answered(e);
}

static void connected(struct end *e)
{
    int error = 0;

    getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
    if (error) {
        lost(e, "connect", error);
        return;
    }
    e->connecting = false;
    if (now_us() - e->opened > cl.connect)
        cl.connect = now_us() - e->opened;
    cl.most = ++cl.open > cl.most ? cl.open : cl.most;
    if (cl.hold && !cl.started) {
        watch(e, EPOLL_CTL_MOD, false);
        if (cl.open < cl.n)
            return;
        cl.started = true;
        for (unsigned i = 0; i < cl.n; i++)
            next(&cl.end[i]);
        return;
    }
    ask(e);
    if (!send_on(e))
        lost(e, "send", errno);
}

static void client_event(struct end *e, uint32_t events)
{
    char room[PIECE];
    ssize_t r;

    if (e->fd < 0)
        return;
    if (e->connecting) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            connected(e);
        return;
    }
    if (events & EPOLLOUT && !send_on(e)) {
        lost(e, "send", errno);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    r = recv(e->fd, room, sizeof(room), MSG_DONTWAIT);
    if (r > 0)
        client_input(e, room, (size_t)r);
    else if (r == 0 || (errno != EAGAIN && errno != EINTR))
        lost(e, r == 0 ? "end of stream" : "receive", r == 0 ? 0 : errno);
}

static void overdue(void)
{
    uint64_t now = now_us();

    for (unsigned i = 0; i < cl.n; i++) {
        struct end *e = &cl.end[i];
        if (e->fd < 0 || (cl.hold && e->used) || now - e->began < ANSWER_MS * 1000u)
            continue;
        cl.late++;
        fail(e, e->connecting ? "no connection in time" : "no answer in time", 0);
        client_close(e);
        if (cl.hold)
            cl.stop_us = 0, cl.idle = cl.n;
        else
            next(e);
    }
}

static void client_take(char **argv, int argc)
{
    struct client c = {.n = (unsigned)atoi(argv[4]), .seeds = (unsigned)atoi(argv[7])};

    cl = c;
    cl.to = address(argv);
    cl.begin_us = now_us();
    cl.stop_us = cl.begin_us + (uint64_t)atoi(argv[5]) * 1000u;
    for (char *p = strtok(argv[6], ","); p && cl.sizes < LIST_MAX; p = strtok(NULL, ","))
        cl.size[cl.sizes++] = strtoull(p, NULL, 10);
    for (int i = 8; i < argc; i++) {
        cl.close |= strcmp(argv[i], "close") == 0;
        cl.up |= strcmp(argv[i], "up") == 0;
        cl.hold |= strcmp(argv[i], "hold") == 0;
    }
    cl.end = calloc(cl.n, sizeof(*cl.end));
    if (!cl.end || cl.n == 0 || cl.sizes == 0 || cl.seeds == 0)
        die("what to get");
}

static int get(char **argv, int argc)
{
    uint64_t looked = now_us();

    client_take(argv, argc);
    for (unsigned i = 0; i < cl.n; i++) {
        cl.end[i].client = true;
        cl.end[i].began = now_us();
        client_open(&cl.end[i]);
    }
    while (cl.idle < cl.n) {
        struct epoll_event ev[64];
        int n = epoll_wait(epfd, ev, 64, 100);
        for (int i = 0; i < n; i++)
            client_event(ev[i].data.ptr, ev[i].events);
        if (now_us() - looked > 100000u) {
            looked = now_us();
            overdue();
        }
    }
    printf("{\"done\": %llu, \"bytes\": %llu, \"failed\": %llu, \"late\": %llu, "
           "\"wrong\": %llu, \"retried\": %llu, \"early\": %llu, \"most\": %u, "
           "\"longest_us\": %llu, "
           "\"connect_us\": %llu, \"took_ms\": %llu, \"why\": \"",
           (unsigned long long)cl.done, (unsigned long long)cl.bytes, (unsigned long long)cl.failed,
           (unsigned long long)cl.late, (unsigned long long)cl.wrong,
           (unsigned long long)cl.retried, (unsigned long long)cl.early, cl.most,
           (unsigned long long)cl.longest, (unsigned long long)cl.connect,
           (unsigned long long)(now_us() - cl.begin_us) / 1000u);
    for (const char *p = cl.why; *p; p++)
        putchar(*p < ' ' || *p == '"' || *p == '\\' ? ' ' : *p);
    puts("\"}");
    return cl.failed || cl.done == 0;
}

int main(int argc, char **argv)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
        most.rlim_cur = most.rlim_max;
        setrlimit(RLIMIT_NOFILE, &most);
    }
    pattern_make();
    epfd = epoll_create1(0);
    if (epfd >= 0 && argc >= 4 && strcmp(argv[1], "origin") == 0)
        return origin(argv);
    if (epfd >= 0 && argc >= 8 && strcmp(argv[1], "get") == 0)
        return get(argv, argc);
    fputs("usage: px_peer origin ADDR PORT | "
          "px_peer get ADDR PORT CONNECTIONS MS SIZES SEEDS [close|up|hold]\n",
          stderr);
    return 2;
}
