/* peer_lwip: Debian's lwIP, raw API, both ends on a wire in memory. */
#define _GNU_SOURCE
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_frame.h"
#include "peer_lwip_end.h"

enum {
    CONNS_MAX = 10000,
    CRR_DRAIN_EVERY = 2 * BENCH_CRR_BURST,   /* TIME_WAIT is emptied this often in crr64 */
    TIMEWAIT_EXTRA = 10000,
    BULK_CHUNK = 16 * 1024
};

struct pair {
    struct end client;
    struct end server;
    struct tcp_pcb *conns[CONNS_MAX];   /* the client's; owned by its stack */
    uint32_t order[CONNS_MAX];
    uint32_t conns_count;
    uint32_t next;                      /* where the walk through 'order' stands */
    uint64_t left;                      /* bytes or events still awaited */
    bool drain;                         /* empty TIME_WAIT now and then in crr64 */
    uint8_t data[BULK_CHUNK];
};

static struct pair pair_sum;
static struct pair pair_nosum;

static void awaited(struct pair *p, uint64_t n)
{
    p->left -= n < p->left ? n : p->left;
}

/* The server: answers every 64 bytes with 64 bytes, and closes when the client has. */
static err_t server_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err)
{
    struct pair *p = arg;
    struct end *e = &p->server;

    (void)err;
    if (data == NULL)
        return e->tcp_close(pcb);
    uint16_t size = data->tot_len;
    e->tcp_recved(pcb, size);
    e->pbuf_free(data);
    return e->tcp_write(pcb, p->data, size, TCP_WRITE_FLAG_COPY);
}

static err_t server_recv_bulk(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err)
{
    struct pair *p = arg;

    (void)err;
    if (data == NULL)
        return p->server.tcp_close(pcb);
    uint16_t size = data->tot_len;
    p->server.tcp_recved(pcb, size);
    p->server.pbuf_free(data);
    awaited(p, size);
    return ERR_OK;
}

static err_t server_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct pair *p = arg;

    (void)err;
    p->server.tcp_arg(pcb, p);
    p->server.tcp_recv(pcb, server_recv);
    return ERR_OK;
}

static err_t server_accept_bulk(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct pair *p = arg;

    (void)err;
    p->server.tcp_arg(pcb, p);
    p->server.tcp_recv(pcb, server_recv_bulk);
    return ERR_OK;
}

static void server_listen(struct pair *p, uint16_t port, tcp_accept_fn accept)
{
    struct end *e = &p->server;
    struct tcp_pcb *pcb = e->tcp_new();

    if (pcb == NULL || e->tcp_bind(pcb, NULL, port) != ERR_OK)
        bench_die("lwip: cannot bind");
    pcb = e->tcp_listen_with_backlog_and_err(pcb, 255, NULL);
    if (pcb == NULL)
        bench_die("lwip: cannot listen");
    e->tcp_arg(pcb, p);
    e->tcp_accept(pcb, accept);
}

/* The client of rr64: counts the bytes of the answers. */
static err_t client_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err)
{
    struct pair *p = arg;

    (void)err;
    if (data == NULL)
        return ERR_OK;
    awaited(p, data->tot_len);
    p->client.tcp_recved(pcb, data->tot_len);
    p->client.pbuf_free(data);
    return ERR_OK;
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)pcb, (void)err;
    awaited(arg, 1);
    return ERR_OK;
}

static struct tcp_pcb *client_connect(struct pair *p, uint16_t port, tcp_recv_fn recv,
                                      tcp_connected_fn connected)
{
    struct end *e = &p->client;
    ip_addr_t to = IPADDR4_INIT(p->server.addr.addr);
    struct tcp_pcb *pcb = e->tcp_new();

    if (pcb == NULL)
        bench_die("lwip: no pcb");
    e->tcp_arg(pcb, p);
    e->tcp_recv(pcb, recv);
    if (e->tcp_connect(pcb, &to, port, connected) != ERR_OK)
        bench_die("lwip: cannot connect");
    return pcb;
}

static void conns_open(struct pair *p, uint32_t n, uint16_t port)
{
    for (uint32_t i = 0; i < n; i++) {
        p->left = 1;
        p->conns[i] = client_connect(p, port, client_recv, client_connected);
        end_pair_pump(&p->client, &p->server, &p->left);
    }
    end_pair_settle(&p->client, &p->server);
    p->conns_count = n;
    p->next = 0;
    bench_order(p->order, n);
}

static void conns_close(struct pair *p)
{
    for (uint32_t i = 0; i < p->conns_count; i++) {
        p->client.tcp_recv(p->conns[i], NULL);
        p->client.tcp_close(p->conns[i]);
        end_pair_settle(&p->client, &p->server);
    }
    p->conns_count = 0;
    end_expire_timewait(&p->client);
    end_expire_timewait(&p->server);
}

/* rr64: bursts of requests over the connections in random order, each burst answered whole. */
static uint64_t rr_run(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct pair *p = ctx;
    struct end *e = &p->client;
    uint32_t burst = p->conns_count < BENCH_RR_BURST ? p->conns_count : BENCH_RR_BURST;
    uint64_t done = 0;

    (void)w;
    for (; done < units; done += burst) {
        p->left = (uint64_t)burst * BENCH_RR_BYTES;
        for (uint32_t i = 0; i < burst; i++) {
            struct tcp_pcb *pcb = p->conns[p->order[p->next]];
            p->next = p->next + 1 == p->conns_count ? 0 : p->next + 1;
            if (e->tcp_write(pcb, p->data, BENCH_RR_BYTES, TCP_WRITE_FLAG_COPY) != ERR_OK)
                bench_die("lwip: cannot write");
            e->tcp_output(pcb);
        }
        end_pair_pump(&p->client, &p->server, &p->left);
    }
    return done;
}

static void bench_rr(const struct bench *b, struct pair *p, const char *name, uint32_t conns,
                     uint64_t units)
{
    if (!bench_wants(b, name))
        return;
    conns_open(p, conns, END_PORT);
    bench_measure(b, name, "transaction", rr_run, p, bench_units(b, units));
    conns_close(p);
}

/* The client of crr64: sends when connected, closes when answered, done when the server's FIN
 * has come and the connection stands in TIME_WAIT. */
static err_t crr_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct pair *p = arg;

    (void)err;
    return p->client.tcp_write(pcb, p->data, BENCH_RR_BYTES, TCP_WRITE_FLAG_COPY);
}

static err_t crr_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err)
{
    struct pair *p = arg;

    (void)err;
    if (data == NULL) {
        awaited(p, 1);
        return ERR_OK;
    }
    p->client.tcp_recved(pcb, data->tot_len);
    p->client.pbuf_free(data);
    return p->client.tcp_close(pcb);
}

static uint64_t crr_run(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct pair *p = ctx;
    uint64_t done = 0;

    while (done < units) {
        p->left = BENCH_CRR_BURST;
        for (uint32_t i = 0; i < BENCH_CRR_BURST; i++)
            client_connect(p, END_PORT, crr_recv, crr_connected);
        end_pair_pump(&p->client, &p->server, &p->left);
        end_pair_settle(&p->client, &p->server);
        done += BENCH_CRR_BURST;
        if (p->drain && done % CRR_DRAIN_EVERY == 0) {
            bench_watch_stop(w);
            end_expire_timewait(&p->client);
            bench_watch_start(w);
        }
    }
    return done;
}

static void bench_crr(const struct bench *b, struct pair *p)
{
    if (bench_wants(b, "crr64")) {
        p->drain = true;
        bench_measure(b, "crr64", "transaction", crr_run, p, bench_units(b, 100000));
    }
    if (bench_wants(b, "crr64/timewait10000")) {
        struct bench_watch unused = { 0 };
        p->drain = false;
        crr_run(p, TIMEWAIT_EXTRA, &unused);
        bench_measure(b, "crr64/timewait10000", "transaction", crr_run, p,
                      BENCH_CRR_BURST * 4);
        end_expire_timewait(&p->client);
    }
    if (bench_wants(b, "crr64/timewait"))
        bench_na(b, "crr64/timewait", "every connect searches lwIP's list of TIME_WAIT "
                                      "connections for a free port; see crr64/timewait10000");
}

static uint64_t bulk_run(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct pair *p = ctx;
    struct end *e = &p->client;
    struct tcp_pcb *pcb = p->conns[0];
    uint64_t unsent = units;

    (void)w;
    p->left = units;
    while (p->left != 0) {
        uint64_t size = unsent < BULK_CHUNK ? unsent : BULK_CHUNK;
        if (size > tcp_sndbuf(pcb))
            size = tcp_sndbuf(pcb);
        if (size != 0 &&
            e->tcp_write(pcb, p->data, (uint16_t)size, TCP_WRITE_FLAG_COPY) == ERR_OK) {
            unsent -= size;
            e->tcp_output(pcb);
        }
        if (end_pump(&p->server) + end_pump(e) == 0)
            end_pair_pump(e, &p->server, &p->left);
    }
    return units;
}

static void bench_bulk(const struct bench *b, struct pair *p, const char *name)
{
    if (!bench_wants(b, name))
        return;
    server_listen(p, END_PORT + 1, server_accept_bulk);
    conns_open(p, 1, END_PORT + 1);
    bench_measure(b, name, "byte", bulk_run, p, bench_units(b, 1000 * 1000 * 1000));
    conns_close(p);
}

static void bench_idle(const struct bench *b, struct pair *p)
{
    if (!bench_wants(b, "idle"))
        return;
    const uint32_t n = 8000;
    size_t before = end_heap_bytes(&p->server);
    conns_open(p, n, END_PORT);
    size_t after = end_heap_bytes(&p->server);
    conns_close(p);
    bench_record(b, "idle", "memory", "bytes/connection", (double)(after - before) / n);
}

static void nocsum_path(char path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0)
        bench_die("lwip: cannot read /proc/self/exe");
    self[n] = '\0';
    if (snprintf(path, PATH_MAX, "%s/libpeer_lwip_nocsum.so", dirname(self)) >= PATH_MAX)
        bench_die("lwip: the path of this program is too long");
}

/* pair_open loads two stacks and has them learn each other's address: lwIP keeps only a few
 * packets for an address it is still asking for. */
static void pair_open(struct pair *p, const char *library)
{
    end_pair_init(&p->client, &p->server, library);
    server_listen(p, END_PORT, server_accept);
    conns_open(p, 1, END_PORT);
    conns_close(p);
}

static void describe(const struct bench *b)
{
    bench_note(b, "lwIP %s of Debian, raw API without its thread, two stacks, Ethernet frames on "
                  "a wire in memory (one copy), checksums in software",
               LWIP_VERSION_STRING);
    bench_note(b, "its build: MSS %d, window %d, send buffer %d, no limit on connections but "
                  "malloc; TIME_WAIT emptied outside the "
                  "count in crr64",
               TCP_MSS, TCP_WND, TCP_SND_BUF);
}

int main(int argc, char **argv)
{
    struct bench b;
    char library[PATH_MAX];

    bench_init(&b, "lwip", argc, argv);
    describe(&b);
    pair_open(&pair_sum, "liblwip.so.0");
    bench_idle(&b, &pair_sum);
    bench_rr(&b, &pair_sum, "rr64/1", 1, 500000);
    bench_rr(&b, &pair_sum, "rr64/1000", 1000, 30000);
    bench_rr(&b, &pair_sum, "rr64/8000", 8000, 2000);
    if (bench_wants(&b, "rr64/1000000"))
        bench_na(&b, "rr64/1000000", "lwIP finds a connection by walking a list: opening a "
                                     "million takes a million times half a million steps");
    bench_crr(&b, &pair_sum);
    bench_bulk(&b, &pair_sum, "bulk/csum");
    if (bench_wants(&b, "bulk/nocsum")) {
        nocsum_path(library);
        pair_open(&pair_nosum, library);
        bench_bulk(&b, &pair_nosum, "bulk/nocsum");
        bench_note(&b, "lwIP has no switch for checksums: its checksum functions were replaced "
                       "for bulk/nocsum");
    }
    return 0;
}
