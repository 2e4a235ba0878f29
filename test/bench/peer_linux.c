/* peer_linux: the kernel's TCP on the loopback of a namespace of its own.  One thread drives both
 * ends with plain non-blocking calls: it knows which descriptor is ready, so the kernel is spared
 * even the cost of epoll.  The loopback skips checksums. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_frame.h"
#include "peer_linux_net.h"

enum {
    CONNS_MAX = 8000,
    PORT = 80,
    CRR_SOURCES = 250,               /* addresses the short connections come from */
    TIMEWAIT_FILL = 1000 * 1000,
    TIMEWAIT_STEP = 10 * 1000,
    TIMEWAIT_FILL_S = 45,            /* the first of them go after 60 */
    BULK_CHUNK = 128 * 1024
};

struct conn {
    int client;
    int server;
};

struct loop {
    int listener;
    struct conn conns[CONNS_MAX];
    uint32_t order[CONNS_MAX];
    uint32_t conns_count;
    uint32_t next;        /* where the walk through 'order' stands */
    uint32_t source;      /* the address the next short connection comes from */
    char data[BULK_CHUNK];
};

static struct loop loop;

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)
    };
}

static void listen_open(struct loop *l)
{
    struct sockaddr_in a = address(INADDR_LOOPBACK, PORT);

    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->listener < 0 || bind(l->listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(l->listener, 4096) != 0)
        bench_die("linux: cannot listen: %s", strerror(errno));
}

/* client_open connects from 127.0.1.x.  On the loopback the handshake is over when connect
 * returns, so the call does not sleep. */
static int client_open(uint32_t source)
{
    struct sockaddr_in from = address(INADDR_LOOPBACK + 256 + source, 0);
    struct sockaddr_in to = address(INADDR_LOOPBACK, PORT);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        bench_die("linux: no socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die("linux: cannot connect: %s", strerror(errno));
    return fd;
}

static int server_open(struct loop *l)
{
    int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        bench_die("linux: cannot accept: %s", strerror(errno));
    return fd;
}

static void conns_open(struct loop *l, uint32_t n)
{
    int on = 1;

    for (uint32_t i = 0; i < n; i++) {
        l->conns[i].client = client_open(i % CRR_SOURCES);
        l->conns[i].server = server_open(l);
        setsockopt(l->conns[i].client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(l->conns[i].server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    l->conns_count = n;
    l->next = 0;
    bench_order(l->order, n);
}

static void conns_close(struct loop *l)
{
    for (uint32_t i = 0; i < l->conns_count; i++) {
        close(l->conns[i].client);
        close(l->conns[i].server);
    }
    l->conns_count = 0;
}

static void send_64(struct loop *l, int fd)
{
    if (send(fd, l->data, BENCH_RR_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL) != BENCH_RR_BYTES)
        bench_die("linux: send: %s", strerror(errno));
}

/* The data is there already, but for the rare moment when the kernel has put its packet work off
 * to a thread of its own: then this call sleeps until it has caught up. */
static void recv_64(struct loop *l, int fd)
{
    if (recv(fd, l->data, BENCH_RR_BYTES, 0) != BENCH_RR_BYTES)
        bench_die("linux: recv: %s", strerror(errno));
}

/* rr64: a burst of requests in random order, then their answers, then the reading of them. */
static uint64_t rr_run(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct loop *l = ctx;
    const struct conn *burst[BENCH_RR_BURST];
    uint32_t n = l->conns_count < BENCH_RR_BURST ? l->conns_count : BENCH_RR_BURST;
    uint64_t done = 0;

    (void)w;
    for (; done < units; done += n) {
        for (uint32_t i = 0; i < n; i++) {
            burst[i] = &l->conns[l->order[l->next]];
            l->next = l->next + 1 == l->conns_count ? 0 : l->next + 1;
            send_64(l, burst[i]->client);
        }
        for (uint32_t i = 0; i < n; i++) {
            recv_64(l, burst[i]->server);
            send_64(l, burst[i]->server);
        }
        for (uint32_t i = 0; i < n; i++)
            recv_64(l, burst[i]->client);
    }
    return done;
}

static void bench_rr(const struct bench *b, const char *name, uint32_t conns, uint64_t units)
{
    if (!bench_wants(b, name))
        return;
    conns_open(&loop, conns);
    bench_measure(b, name, "transaction", rr_run, &loop, bench_units(b, units));
    conns_close(&loop);
}

/* crr64: the client closes first, so TIME_WAIT stays on its side, as with the other peers. */
static uint64_t crr_run(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct loop *l = ctx;

    (void)w;
    for (uint64_t done = 0; done < units; done++) {
        int client = client_open(l->source);
        l->source = l->source + 1 == CRR_SOURCES ? 0 : l->source + 1;
        send_64(l, client);
        int server = server_open(l);
        recv_64(l, server);
        send_64(l, server);
        recv_64(l, client);
        close(client);
        if (recv(server, l->data, BENCH_RR_BYTES, 0) != 0)
            bench_die("linux: no end of stream");
        close(server);
    }
    return units;
}

static long timewait_count(void)
{
    char line[256];
    long count = 0;
    FILE *f = fopen("/proc/self/net/sockstat", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "TCP: inuse %*d orphan %*d tw %ld", &count) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return count;
}

/* timewait_fill opens and closes connections until there are 'n' in TIME_WAIT, or until the first
 * of them are about to leave it. */
static void timewait_fill(struct loop *l, long n)
{
    struct bench_watch w = { 0 };

    while (timewait_count() < n && w.wall_ns < TIMEWAIT_FILL_S * UINT64_C(1000000000)) {
        bench_watch_start(&w);
        crr_run(l, TIMEWAIT_STEP, &w);
        bench_watch_stop(&w);
    }
}

static void bench_crr(const struct bench *b)
{
    if (bench_wants(b, "crr64"))
        bench_measure(b, "crr64", "transaction", crr_run, &loop, bench_units(b, 20000));
    if (bench_wants(b, "crr64/timewait")) {
        timewait_fill(&loop, (long)bench_units(b, TIMEWAIT_FILL));
        long before = timewait_count();
        bench_measure(b, "crr64/timewait", "transaction", crr_run, &loop, bench_units(b, 20000));
        bench_note(b, "crr64/timewait: %ld connections in TIME_WAIT before, %ld after", before,
                   timewait_count());
    }
}

static uint64_t bulk_run(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct loop *l = ctx;
    const struct conn *c = &l->conns[0];
    uint64_t sent = 0;
    uint64_t received = 0;

    (void)w;
    while (received < units) {
        ssize_t n = send(c->client, l->data, BULK_CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (uint64_t)n : 0;
        while (received < sent) {
            n = recv(c->server, l->data, BULK_CHUNK, MSG_DONTWAIT);
            if (n <= 0)
                break;
            received += (uint64_t)n;
        }
    }
    while (received < sent) {
        ssize_t n = recv(c->server, l->data, BULK_CHUNK, 0);
        if (n <= 0)
            bench_die("linux: recv: %s", strerror(errno));
        received += (uint64_t)n;
    }
    return received;
}

static void bench_bulk(const struct bench *b)
{
    if (bench_wants(b, "bulk/csum"))
        bench_na(b, "bulk/csum", "the loopback never computes a checksum");
    if (!bench_wants(b, "bulk/nocsum"))
        return;
    conns_open(&loop, 1);
    bench_measure(b, "bulk/nocsum", "byte", bulk_run, &loop, bench_units(b, 4000u * 1000 * 1000));
    conns_close(&loop);
}

/* idle: what the kernel's slabs grow by, sockets, inodes and descriptors in all, for one end. */
static void bench_idle(const struct bench *b)
{
    double before, after;

    if (!bench_wants(b, "idle"))
        return;
    if (!net_slab_bytes(&before)) {
        bench_na(b, "idle", "/proc/slabinfo is for root");
        return;
    }
    conns_open(&loop, CONNS_MAX);
    net_slab_bytes(&after);
    conns_close(&loop);
    bench_record(b, "idle", "memory", "bytes/connection", (after - before) / (2.0 * CONNS_MAX));
}

static void describe(const struct bench *b, unsigned long files)
{
    char congestion[64];

    net_setting("tcp_congestion_control", congestion, sizeof congestion);
    bench_note(b, "the kernel's loopback, one thread, plain calls without epoll, congestion "
                  "control %s, %lu descriptors at most", congestion, files);
}

int main(int argc, char **argv)
{
    struct bench b;

    bench_init(&b, "linux", argc, argv);
    unsigned long files = net_files_max();
    net_enter();
    describe(&b, files);
    listen_open(&loop);
    bench_idle(&b);
    bench_rr(&b, "rr64/1", 1, 100000);
    bench_rr(&b, "rr64/1000", 1000, 100000);
    bench_rr(&b, "rr64/8000", CONNS_MAX, 100000);
    if (bench_wants(&b, "rr64/1000000"))
        bench_na(&b, "rr64/1000000", "two million descriptors are more than the limit lets "
                                     "one process open; see rr64/8000");
    bench_crr(&b);
    bench_bulk(&b);
    return 0;
}
