/* The programs at both ends, written against the public API as an application would be. */
#include "scale.h"

#include <stdlib.h>

#define OPENING 64u /* connections being opened at one time */

/* ---- the server: answers 64 bytes with 64 bytes, or swallows ------------------------- */

static void echo(struct mr *m, mr_sock s)
{
    char buf[BENCH_RR_BYTES];
    int64_t n;

    while ((n = mr_recv(m, s, buf, sizeof(buf), 0)) > 0)
        mr_send(m, s, buf, (size_t)n, 0);
    if (n == 0)
        mr_close(m, s);
}

static void swallow(struct mr *m, mr_sock s, struct scale_server *st)
{
    struct mr_slice v[16];
    int64_t n;

    while ((n = mr_recv_slices(m, s, v, 16)) > 0)
        for (int i = 0; i < n; i++) {
            st->bytes += v[i].len;
            mr_slice_release(m, &v[i]);
        }
    if (n == 0)
        mr_close(m, s);
}

/* state NULL: an upstream, which answers. */
static void server_event(struct mr *m, void *state, const struct mr_event *ev)
{
    struct scale_server *st = state;
    mr_sock s;

    switch (ev->type) {
    case MR_EV_ACCEPT:
        while (mr_accept(m, ev->sock, &s, NULL) == 0) {
        }
        break;
    case MR_EV_READABLE:
        if (st && st->work == SCALE_BULK)
            swallow(m, ev->sock, st);
        else
            echo(m, ev->sock);
        break;
    case MR_EV_CLOSED:
        mr_close(m, ev->sock);
        break;
    case MR_EV_CONNECTED:
    case MR_EV_WRITABLE:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
    case MR_EV_TIMER:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        break;
    }
}

/* ---- the client ---------------------------------------------------------------------- */

static void client_open(struct scale_client *c, uint32_t i)
{
    struct mr_addr to = many_addr(1, (uint16_t)(SCALE_PORT + c->port_next++ % c->ports));
    int r = mr_connect(c->m, NULL, &to, (void *)(uintptr_t)i, &c->conn[i]);

    if (r != 0)
        bench_die("bench_scale: connect refused: %s", mr_strerror(r));
}

static void client_request(struct scale_client *c)
{
    uint32_t i = c->order[c->at++ % c->conns];

    c->left--;
    mr_send(c->m, c->conn[i], c->payload, BENCH_RR_BYTES, 0);
}

static void client_answer(struct scale_client *c, const struct mr_event *ev)
{
    char buf[BENCH_RR_BYTES];

    if (mr_recv(c->m, ev->sock, buf, sizeof(buf), 0) != BENCH_RR_BYTES)
        return;
    c->done++;
    if (c->work != SCALE_RR)
        mr_close(c->m, ev->sock);
    if (c->left == 0)
        return;
    if (c->work == SCALE_RR) {
        client_request(c);
    } else {
        c->left--;
        client_open(c, (uint32_t)(uintptr_t)ev->user);
    }
}

static void client_bulk(struct scale_client *c, mr_sock s)
{
    while (c->left && mr_send_give(c->m, s, c->payload, SCALE_GIVE, 0, NULL, NULL) == 0)
        c->left -= c->left < SCALE_GIVE ? c->left : SCALE_GIVE;
}

static void client_connected(struct scale_client *c, mr_sock s)
{
    c->opened++;
    if (c->started < c->conns)
        client_open(c, c->started++);
    if (c->work == SCALE_CRR || c->work == SCALE_RELAY)
        mr_send(c->m, s, c->payload, BENCH_RR_BYTES, 0);
}

static void client_event(struct mr *m, void *state, const struct mr_event *ev)
{
    struct scale_client *c = state;

    /* The upstreams' listeners and what they accept. */
    if (ev->user == c) {
        server_event(m, NULL, ev);
        return;
    }
    switch (ev->type) {
    case MR_EV_CONNECTED:
        client_connected(c, ev->sock);
        break;
    case MR_EV_READABLE:
        client_answer(c, ev);
        break;
    case MR_EV_WRITABLE:
        client_bulk(c, ev->sock);
        break;
    case MR_EV_CLOSED:
        bench_die("bench_scale: a connection ended: %s", mr_strerror(ev->err));
    case MR_EV_ACCEPT:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
    case MR_EV_TIMER:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        break;
    }
}

const struct mr_app scale_client_app = {.name = "client", .event = client_event};
const struct mr_app scale_server_app = {.name = "server", .event = server_event};

/* ---- the world ----------------------------------------------------------------------- */

struct many_config scale_config(enum scale_work work, enum scale_wire wire, unsigned cores)
{
    struct many_config c = {.cores = cores,
                            .key = wire == SCALE_CROSSING ? rss_key_default : rss_key_symmetric,
                            .straight = wire == SCALE_STRAIGHT,
                            .app = {&scale_client_app, &scale_server_app},
                            .state_bytes = SCALE_STATE_BYTES,
                            .wire = {.buffers = 128, .buf_size = 2048, .mtu = 1500}};

    if (work == SCALE_BULK)
        c.wire = (struct memwire_config){
            .buffers = 16, .buf_size = 33024, .mtu = 1500, .tso_max = 32580, .csum_offload = true};
    if (work == SCALE_RELAY)
        c.app[1] = &scale_relay_app;
    stack_limits_for(&c.limits, SCALE_CONNS + 64);
    c.limits.tcp.time_wait = 1024;
    c.limits.tcp.syns = 1024;
    return c;
}

static void listen_all(struct many_shard *s, uint16_t port, unsigned ports, void *user)
{
    struct mr_listen_opts o = {.backlog = 1024, .user = user};

    for (unsigned i = 0; i < ports; i++) {
        struct mr_addr a = many_addr(s->side, (uint16_t)(port + i));
        mr_sock l;
        if (mr_listen(s->m, &a, &o, &l) != 0)
            bench_die("bench_scale: listen refused");
    }
}

static void server_start(struct many_shard *s, enum scale_work work)
{
    struct scale_server *st = s->state;

    st->work = work;
    listen_all(s, SCALE_PORT, SCALE_PORTS, NULL);
}

static uint32_t conns_kept(enum scale_work work, uint32_t conns)
{
    switch (work) {
    case SCALE_RR:
        return conns;
    case SCALE_BULK:
        return SCALE_BULKS;
    case SCALE_CRR:
    case SCALE_RELAY:
        break;
    }
    return 0;
}

void scale_start(struct many_shard *client, struct many_shard *server, enum scale_work work,
                 uint32_t conns)
{
    struct scale_client *c = client->state;

    c->work = work;
    c->m = client->m;
    c->conns = conns_kept(work, conns);
    c->ports = work == SCALE_RELAY ? 1 : SCALE_PORTS;
    if (work == SCALE_RELAY) {
        listen_all(client, SCALE_UPSTREAM_PORT, SCALE_UPSTREAMS, c);
        scale_relay_start(server);
    } else {
        server_start(server, work);
    }
    bench_order(c->order, c->conns);
    while (c->started < c->conns && c->started < OPENING)
        client_open(c, c->started++);
}

void scale_stop(struct many_shard *server, enum scale_work work)
{
    if (work == SCALE_RELAY)
        scale_relay_stop(server);
}

bool scale_is_ready(const struct many_shard *client)
{
    const struct scale_client *c = client->state;

    return c->opened >= c->conns;
}

void scale_begin(struct many_shard *client, uint64_t operations)
{
    struct scale_client *c = client->state;

    c->left += operations;
    switch (c->work) {
    case SCALE_RR:
        for (unsigned i = 0; i < BENCH_RR_BURST && c->left; i++)
            client_request(c);
        break;
    case SCALE_CRR:
    case SCALE_RELAY:
        for (uint32_t i = 0; i < BENCH_CRR_BURST && c->left; i++) {
            c->left--;
            client_open(c, i);
        }
        break;
    case SCALE_BULK:
        for (unsigned i = 0; i < SCALE_BULKS; i++)
            client_bulk(c, c->conn[i]);
        break;
    }
}

uint64_t scale_done(const struct many_shard *client, const struct many_shard *server)
{
    const struct scale_client *c = client->state;
    const struct scale_server *s = server->state;

    return c->work == SCALE_BULK ? s->bytes : c->done;
}
