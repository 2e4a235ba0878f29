/* A controller and a few simulated POF switches in virtual time: links between ports, hosts at the
 * others. */
#pragma once

#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/pof_switch.h"
#include "sdn/sdn.h"

enum { SECOND = 1000000, MILLI = 1000 };
#define NODES 4u
#define FLIGHT 4096u

struct pof_net {
    struct sdn *s;
    struct sdn_config config;
    void *memory;
    instant now;
    unsigned nodes;
    struct node {
        struct pof_switch w;
        sdn_conn c; /* 0: not connected */
        enum sdn_speech speech;
        struct {
            unsigned node, port; /* node NODES: nothing is plugged in */
            bool down;
        } peer[POF_SWITCH_PORTS + 1];
        /* On their way to the switch, where the network cuts them. */
        uint8_t *wire;
        size_t wire_n;
    } node[NODES];
    bool cuts; /* bytes come in pieces, with time between */
    struct rng rng;
    struct flight { /* frames between switches */
        unsigned node, port;
        size_t n;
        uint8_t b[1600];
    } * flight;
    size_t flights;
    /* What came out at ports where no switch is, since the last net_clear. */
    struct arrival {
        unsigned node, port;
        size_t n;
        uint8_t b[256];
    } got[256];
    unsigned arrivals;
    uint64_t hops;
};

static inline void net_sent(void *context, uint32_t port, const uint8_t *frame, size_t n);
static struct pof_net net;

static inline void net_sent(void *context, uint32_t port, const uint8_t *frame, size_t n)
{
    struct node *from = context;
    unsigned to = from->peer[port].node;

    net.hops++;
    assert_true(net.hops < 10000); /* no storm */
    if (from->peer[port].down)
        return;
    if (to < NODES) {
        assert_true(net.flights < FLIGHT);
        struct flight *f = &net.flight[net.flights++];
        f->node = to;
        f->port = from->peer[port].port;
        f->n = n;
        memcpy(f->b, frame, n);
        return;
    }
    if (net.arrivals == ARRAY_LEN(net.got) || n > sizeof(net.got[0].b))
        return;
    /* Probes of the controller are no hosts' business. */
    if (n > 14 && frame[12] == 0x88 && frame[13] == 0xcc)
        return;
    struct arrival *a = &net.got[net.arrivals++];
    a->node = (unsigned)(from - net.node);
    a->port = port;
    a->n = n;
    memcpy(a->b, frame, n);
}

static inline void net_gone(struct node *n)
{
    pof_switch_disconnected(&n->w, net.now);
    if (n->c)
        sdn_closed(net.s, n->c, net.now);
    n->c = 0;
    n->wire_n = 0;
}

/* Whole as the controller hands it over, or into the wire that cuts. */
static inline void net_to_switch(struct node *n, const uint8_t *p, size_t len)
{
    if (!net.cuts) {
        pof_switch_input(&n->w, p, len, net.now);
        return;
    }
    n->wire = realloc(n->wire, n->wire_n + len);
    memcpy(n->wire + n->wire_n, p, len);
    n->wire_n += len;
}

static inline bool net_pump_controller(void)
{
    sdn_conn c = sdn_next_ready(net.s);
    struct sdn_out out;
    struct node *n = net.node;

    if (!c)
        return false;
    while (n->c != c)
        n++;
    while (sdn_output(net.s, c, &out)) {
        assert_true(out.alone);
        net_to_switch(n, out.p, out.n);
        sdn_output_done(net.s, &out);
    }
    if (sdn_do(net.s, c) != SDN_DO_NOTHING)
        net_gone(n);
    return true;
}

static inline bool net_pump_node(struct node *n)
{
    size_t len;
    const uint8_t *p = pof_switch_output(&n->w, &len);

    if (n->c && n->w.state == POF_SWITCH_DOWN) {
        net_gone(n);
        return true;
    }
    if (!n->c || len == 0)
        return false;
    len = sdn_input(net.s, n->c, p, len, net.now);
    pof_switch_output_done(&n->w, len);
    return len > 0;
}

static inline void net_pump(void)
{
    bool busy = true;

    while (busy) {
        busy = false;
        while (net_pump_controller())
            busy = true;
        for (unsigned i = 0; i < net.nodes; i++)
            busy |= net_pump_node(&net.node[i]);
        if (net.flights > 0) {
            struct flight f = net.flight[0];

            memmove(net.flight, net.flight + 1, --net.flights * sizeof(f));
            pof_switch_packet(&net.node[f.node].w, f.port, f.b, f.n);
            busy = true;
        }
    }
}

static inline void net_connect(struct node *n)
{
    pof_switch_connected(&n->w, net.now);
    n->c = sdn_open(net.s, n->speech, &(struct sdn_peer){0}, net.now);
    assert_true(n->c != 0);
}

/* Some of what is on the way arrives. */
static inline void net_arrive(struct node *n)
{
    size_t k = n->wire_n == 0 ? 0 : 4 + rng_below(&net.rng, 700);

    if (k > n->wire_n)
        k = n->wire_n;
    if (k == 0)
        return;
    pof_switch_input(&n->w, n->wire, k, net.now);
    memmove(n->wire, n->wire + k, n->wire_n - k);
    n->wire_n -= k;
}

static inline void net_run(instant us)
{
    instant end = net.now + us;

    while (net.now < end) {
        net.now += net.cuts ? MILLI : 10 * MILLI;
        for (unsigned i = 0; i < net.nodes; i++) {
            struct node *n = &net.node[i];

            if (net.cuts)
                net_arrive(n);
            pof_switch_advance(&n->w, net.now);
            if (!n->c && pof_switch_wants_connection(&n->w))
                net_connect(n);
        }
        sdn_advance(net.s, net.now);
        net_pump();
    }
    sdn_check(net.s);
}

static inline void net_end(void)
{
    for (unsigned i = 0; i < net.nodes; i++) {
        pof_switch_fini(&net.node[i].w);
        free(net.node[i].wire);
    }
    free(net.memory);
    free(net.flight);
    net = (struct pof_net){0};
}

/* Switches with so many ports each; nothing is plugged together yet, nothing has run. */
static inline void net_begin(enum sdn_mode mode, unsigned nodes, const enum ofp_dialect *d,
                             unsigned ports)
{
    net_end();
    net.now = SECOND;
    net.nodes = nodes;
    net.flight = calloc(FLIGHT, sizeof(*net.flight));
    rng_init(&net.rng, 7);
    sdn_config_init(&net.config);
    net.config.mode = mode;
    net.config.conns = 8;
    net.config.ports = 256;
    net.config.macs = 1024;
    net.config.hosts = 256;
    net.config.switches = 16;
    net.config.links = 64;
    net.config.stored = 16;
    net.config.chunks = 16;
    net.config.secret[0] = 1;
    for (unsigned i = 0; i < nodes; i++) {
        struct node *n = &net.node[i];

        pof_switch_init(&n->w, d[i], 0x10 + i, ports);
        n->w.tx = net_sent;
        n->w.context = n;
        n->speech = d[i] == POF_USTC ? SDN_SPEAKS_USTC : SDN_SPEAKS_HUAWEI;
        for (unsigned k = 0; k <= ports; k++)
            n->peer[k].node = NODES;
    }
}

static inline void net_plug(unsigned a, unsigned ap, unsigned b, unsigned bp)
{
    net.node[a].peer[ap].node = b;
    net.node[a].peer[ap].port = bp;
    net.node[b].peer[bp].node = a;
    net.node[b].peer[bp].port = ap;
}

/* A cable is cut, or whole again; both ends notice. */
static inline void net_cable(unsigned a, unsigned ap, bool up)
{
    unsigned b = net.node[a].peer[ap].node, bp = net.node[a].peer[ap].port;

    net.node[a].peer[ap].down = net.node[b].peer[bp].down = !up;
    pof_switch_link(&net.node[a].w, ap, up);
    pof_switch_link(&net.node[b].w, bp, up);
}

static inline void net_start(void)
{
    size_t n = sdn_bytes(&net.config, NULL);

    net.memory = aligned_alloc(4096, n);
    memset(net.memory, 0, n);
    net.s = sdn_init(net.memory, &net.config, net.now);
}

static inline void net_clear(void)
{
    net.arrivals = 0;
    net.hops = 0;
}

/* A frame of 60 bytes from a host: to and from are the last bytes of addresses, 0xff: all. */
static inline void net_frame(unsigned node, unsigned port, uint8_t to, uint8_t from, uint8_t mark)
{
    uint8_t b[60] = {2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x08, 0x00, mark};

    if (to == 0xff)
        memset(b, 0xff, 6);
    pof_switch_packet(&net.node[node].w, port, b, sizeof(b));
    net_pump();
}

/* How often a frame with this mark came out there. */
static inline unsigned net_got(unsigned node, unsigned port, uint8_t mark)
{
    unsigned n = 0;

    for (unsigned i = 0; i < net.arrivals; i++)
        n += net.got[i].node == node && net.got[i].port == port && net.got[i].b[14] == mark;
    return n;
}

static inline void net_sound(void)
{
    for (unsigned i = 0; i < net.nodes; i++) {
        if (net.node[i].w.errors)
            fail_msg("switch %u: %u errors, the last %u/%u", i, (unsigned)net.node[i].w.errors,
                     net.node[i].w.error_type, net.node[i].w.error_code);
        if (net.node[i].w.why)
            fail_msg("switch %u closed: %s", i, net.node[i].w.why);
        assert_int_equal(net.node[i].w.state, POF_SWITCH_RUN);
    }
}
