/* Millrace against itself: two stacks in one process on one in-memory wire, both ends counted.
 *
 *     client app - native - stack - [wire] - stack - native - server app
 *
 * Programs are written against the public API only, as an application would be. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "bench_pair.h"
#include "bench_requests.h"

#define SERVER_PORT 5000u
#define SERVER_PORTS 64u /* one address pair has 28,000 client ports for each */

struct world {
    struct bench_pair pair;
    /* the client application */
    mr_sock *conn;
    uint32_t conns, opened, port_next;
    uint32_t *order; /* random permutation of the connections */
    uint64_t at, left, done, in_flight;
    uint64_t bytes_in;
    bool closing; /* crr: close when the answer is there */
    bool bulk;
};

/* ---- the server: answers 64 bytes with 64 bytes, or swallows ------------------------- */

static void server_read(struct mr *m, mr_sock s, struct world *w)
{
    char buf[BENCH_RR_BYTES];
    struct mr_slice v[16];
    int64_t n;

    if (w->bulk) {
        while ((n = mr_recv_slices(m, s, v, 16)) > 0)
            for (int i = 0; i < n; i++) {
                w->bytes_in += v[i].len;
                mr_slice_release(m, &v[i]);
            }
    } else {
        while ((n = mr_recv(m, s, buf, sizeof(buf), 0)) > 0)
            mr_send(m, s, buf, (size_t)n, 0);
    }
    if (n == 0)
        mr_close(m, s);
}

static void server_event(struct mr *m, void *state, const struct mr_event *ev)
{
    mr_sock s;

    switch (ev->type) {
    case MR_EV_ACCEPT:
        while (mr_accept(m, ev->sock, &s, NULL) == 0) {
        }
        break;
    case MR_EV_READABLE:
        server_read(m, ev->sock, state);
        break;
    case MR_EV_CLOSED:
        mr_close(m, ev->sock);
        break;
    default:
        break;
    }
}

/* ---- the client ---------------------------------------------------------------------- */

static char payload[1 << 20];

static void client_open(struct mr *m, struct world *w, uint32_t i)
{
    struct mr_addr to = w->pair.server.addr;

    to.port = (uint16_t)(SERVER_PORT + w->port_next++ % SERVER_PORTS);
    if (mr_connect(m, NULL, &to, (void *)(uintptr_t)i, &w->conn[i]) != 0) {
        fprintf(stderr, "bench_millrace: connect refused\n");
        exit(1);
    }
}

static void client_request(struct mr *m, struct world *w)
{
    uint32_t i = w->closing ? 0 : w->order[w->at++ % w->conns];

    w->left--;
    w->in_flight++;
    mr_send(m, w->conn[i], payload, BENCH_RR_BYTES, 0);
}

static void client_answer(struct mr *m, struct world *w, const struct mr_event *ev)
{
    char buf[BENCH_RR_BYTES];
    uint32_t i = (uint32_t)(uintptr_t)ev->user;

    if (mr_recv(m, ev->sock, buf, sizeof(buf), 0) != BENCH_RR_BYTES)
        return;
    w->done++;
    w->in_flight--;
    if (w->closing) {
        mr_close(m, ev->sock);
        if (w->left) {
            w->left--;
            w->in_flight++;
            client_open(m, w, i);
        }
    } else if (w->left) {
        client_request(m, w);
    }
}

static void client_bulk(struct mr *m, struct world *w)
{
    while (w->left && mr_send_give(m, w->conn[0], payload, 65536, 0, NULL, NULL) == 0)
        w->left -= w->left < 65536 ? w->left : 65536;
}

static void client_event(struct mr *m, void *state, const struct mr_event *ev)
{
    struct world *w = state;

    switch (ev->type) {
    case MR_EV_CONNECTED:
        w->opened++;
        if (w->closing)
            mr_send(m, ev->sock, payload, BENCH_RR_BYTES, 0);
        break;
    case MR_EV_READABLE:
        client_answer(m, w, ev);
        break;
    case MR_EV_WRITABLE:
        client_bulk(m, w);
        break;
    case MR_EV_CLOSED:
        fprintf(stderr, "bench_millrace: a connection ended: %s\n", mr_strerror(ev->err));
        exit(1);
    default:
        break;
    }
}

/* ---- the world ----------------------------------------------------------------------- */

static const struct mr_app client_app = {.name = "client", .event = client_event};
static const struct mr_app server_app = {.name = "server", .event = server_event};

static struct world *world_new(const struct bench *b, uint32_t conns, uint32_t tw,
                               const struct memwire_config *wire, bool huge)
{
    struct world *w = calloc(1, sizeof(*w));
    struct mr_listen_opts o = {.backlog = 4096};
    struct bench_pair_config c = {.conns = conns,
                                  .client_tw = tw,
                                  .wire = wire,
                                  .huge = huge,
                                  .client = &client_app,
                                  .server = &server_app,
                                  .client_state = w,
                                  .server_state = w};

    bench_pair_init(&w->pair, b, &c);
    w->conns = conns;
    w->conn = calloc(conns, sizeof(*w->conn));
    w->order = calloc(conns, sizeof(*w->order));
    for (unsigned i = 0; i < SERVER_PORTS; i++) {
        struct mr_addr a = w->pair.server.addr;
        mr_sock l;
        a.port = (uint16_t)(SERVER_PORT + i);
        if (mr_listen(w->pair.server.m, &a, &o, &l) != 0)
            exit(1);
    }
    bench_order(w->order, conns);
    return w;
}

static void world_free(struct world *w)
{
    bench_pair_fini(&w->pair);
    free(w->conn);
    free(w->order);
    free(w);
}

static void open_all(struct world *w)
{
    uint32_t next = 0;

    while (w->opened < w->conns) {
        while (next < w->conns && next - w->opened < 64)
            client_open(w->pair.client.m, w, next), next++;
        bench_turn(&w->pair);
    }
    for (unsigned i = 0; i < 100; i++)
        bench_turn(&w->pair);
}

/* ---- benches --------------------------------------------------------------------------- */

static uint64_t run_rr(void *ctx, uint64_t units, struct bench_watch *watch)
{
    struct world *w = ctx;

    (void)watch;
    w->left = units;
    w->done = 0;
    uint64_t burst = w->conns < BENCH_RR_BURST ? w->conns : BENCH_RR_BURST;
    for (uint64_t i = 0; i < burst && w->left; i++)
        client_request(w->pair.client.m, w);
    while (w->done < units)
        bench_turn(&w->pair);
    return units;
}

static void bench_rr(struct bench *b, const char *name, uint32_t conns, uint64_t units)
{
    if (!bench_wants(b, name))
        return;
    struct world *w = world_new(b, conns, 1024, &bench_small_wire, true);
    open_all(w);
    bench_measure(b, name, "transaction", run_rr, w, units);
    world_free(w);
}

static uint64_t run_crr(void *ctx, uint64_t units, struct bench_watch *watch)
{
    struct world *w = ctx;

    (void)watch;
    w->left = units;
    w->done = 0;
    w->closing = true;
    for (uint32_t i = 0; i < BENCH_CRR_BURST && w->left; i++) {
        w->left--;
        w->in_flight++;
        client_open(w->pair.client.m, w, i);
    }
    while (w->done < units)
        bench_turn(&w->pair);
    return units;
}

/* Fills TIME-WAIT first; the stop watch does not run then. */
static void bench_crr(struct bench *b, const char *name, uint32_t fill, uint64_t units)
{
    struct bench_watch unused = {0};

    if (!bench_wants(b, name))
        return;
    struct world *w = world_new(b, BENCH_CRR_BURST, fill ? fill : 4096, &bench_small_wire, true);
    if (fill)
        run_crr(w, fill, &unused);
    bench_measure(b, name, "transaction", run_crr, w, units);
    printf("  %s: %u connections in TIME-WAIT at the end\n", name,
           stack_tcp(w->pair.client.shard.stack)->tws.used);
    world_free(w);
}

static uint64_t run_bulk(void *ctx, uint64_t units, struct bench_watch *watch)
{
    struct world *w = ctx;

    (void)watch;
    w->left = units;
    w->bytes_in = 0;
    client_bulk(w->pair.client.m, w);
    while (w->bytes_in < units)
        bench_turn(&w->pair);
    return units;
}

static void bench_bulk(struct bench *b, const char *name, bool csum, uint64_t units)
{
    struct memwire_config wire = {.queues = 1,
                                  .buffers = 16,
                                  .buf_size = 33024,
                                  .mtu = 1500,
                                  .tso_max = 32580,
                                  .csum_offload = !csum};

    if (!bench_wants(b, name))
        return;
    struct world *w = world_new(b, 1, 1024, &wire, true);
    w->bulk = true;
    open_all(w);
    bench_measure(b, name, "byte", run_bulk, w, units & ~UINT64_C(65535));
    world_free(w);
}

static size_t resident(const struct bench_side *s)
{
    size_t pages = s->bytes / 4096, n = 0;
    unsigned char *v = malloc(pages);

    if (mincore(s->memory, s->bytes, v) == 0)
        for (size_t i = 0; i < pages; i++)
            n += v[i] & 1;
    free(v);
    return n * 4096;
}

/* The server's resident memory with this many connections that have been used once and are idle. */
static size_t idle_resident(const struct bench *b, uint32_t conns)
{
    struct world *w = world_new(b, conns, 1024, &bench_small_wire, false);
    open_all(w);
    /* In portions, each followed by the delayed ACKs: what only a burst needs is not idle memory.
     */
    for (uint32_t used = 0; used < conns; used += 2000) {
        run_rr(w, 2000, NULL);
        for (instant end = bench_now_us(&w->pair) + 60000; bench_now_us(&w->pair) < end;)
            bench_turn(&w->pair);
    }
    size_t bytes = resident(&w->pair.server);
    world_free(w);
    return bytes;
}

/* What each further connection costs: what a stack needs anyway is in both figures. */
static void bench_idle(struct bench *b, uint32_t conns)
{
    if (!bench_wants(b, "idle"))
        return;
    double more = (double)idle_resident(b, 2 * conns) - (double)idle_resident(b, conns);
    bench_record(b, "idle", "memory", "bytes/connection", more / conns);
}

int main(int argc, char **argv)
{
    struct bench b;

    bench_init(&b, "millrace", argc, argv);
    bench_rr(&b, "rr64/1", 1, b.quick ? 50000 : 500000);
    bench_rr(&b, "rr64/1000", 1000, b.quick ? 50000 : 500000);
    bench_rr(&b, "rr64/8000", 8000, b.quick ? 50000 : 500000);
    bench_rr(&b, "rr64/1000000", 1000000, b.quick ? 100000 : 1000000);
    bench_crr(&b, "crr64", 0, b.quick ? 20000 : 100000);
    bench_crr(&b, "crr64/timewait", 1000000, b.quick ? 20000 : 100000);
    bench_bulk(&b, "bulk/csum", true, b.quick ? UINT64_C(1) << 28 : UINT64_C(1) << 31);
    bench_bulk(&b, "bulk/nocsum", false, b.quick ? UINT64_C(1) << 28 : UINT64_C(1) << 31);
    bench_idle(&b, 100000);
    bench_requests(&b);
    return 0;
}
