/* A controller of one core, and connections whose other ends are the test. */
#pragma once

#include "lib/cmocka_first.h"

#include "sdn/sdn_int.h"

struct sdn_world {
    struct sdn *s;
    void *memory;
    instant now;
    struct sdn_world *seat; /* of core 1 of two: core 0; else NULL */
    bool mute;              /* what core 1 writes to the seat is lost */
};

/* One connection and all it was sent that has not been looked at. */
struct sdn_line {
    struct sdn_world *w;
    sdn_conn conn;
    enum ofp_dialect dialect;
    uint8_t got[1 << 18];
    size_t n, at;
};

static inline void world_open(struct sdn_world *w, const struct sdn_config *c)
{
    size_t bytes = sdn_bytes(c, NULL);

    w->seat = NULL;
    w->mute = false;
    w->memory = aligned_alloc(4096, bytes);
    memset(w->memory, 0, bytes);
    w->now = 1000000;
    w->s = sdn_init(w->memory, c, w->now);
}

static inline void world_close(struct sdn_world *w)
{
    sdn_check(w->s);
    free(w->memory);
}

/* A small one, in learn mode. */
static inline struct sdn_config world_config(void)
{
    struct sdn_config c;

    sdn_config_init(&c);
    c.mode = SDN_LEARN;
    c.conns = 8;
    c.ports = 64;
    c.macs = 1000;
    c.hosts = 64;
    c.switches = 16;
    c.links = 64;
    c.stored = 64;
    c.chunks = 8;
    c.conn_chunks = 2;
    c.stats_us = 0;
    for (unsigned i = 0; i < 4; i++)
        c.secret[i] = 0x9e3779b97f4a7c15u * (i + 1);
    return c;
}

static inline void world_post(struct sdn_world *from, unsigned core, struct sdn_world *to,
                              bool lost)
{
    struct sdn_letter letter;
    uint8_t copy[SDN_LETTER_MAX];

    while (sdn_letter_next(from->s, 0, &letter)) {
        memcpy(copy, letter.p, letter.n);
        sdn_letter_done(from->s, letter.to);
        if (!lost)
            sdn_letter(to->s, core, copy, letter.n, to->now);
    }
}

/* Letters to itself arrive at once; of two cores, once each way. */
static inline void world_pump(struct sdn_world *w)
{
    if (!w->seat) {
        world_post(w, 0, w, false);
        return;
    }
    world_post(w, 1, w->seat, w->mute);
    world_post(w->seat, 0, w, false);
}

static inline void world_advance(struct sdn_world *w, instant us)
{
    w->now += us;
    sdn_advance(w->s, w->now);
    world_pump(w);
}

static inline void line_open(struct sdn_line *l, struct sdn_world *w, enum ofp_dialect d)
{
    const struct sdn_peer peer = {.port = 1};

    l->w = w;
    l->dialect = d;
    l->n = l->at = 0;
    l->conn = sdn_open(w->s, SDN_SPEAKS_OPENFLOW, &peer, w->now);
}

/* Takes all that the controller has for it. */
static inline void line_read(struct sdn_line *l)
{
    struct sdn_out out;

    world_pump(l->w);
    while (sdn_output(l->w->s, l->conn, &out)) {
        assert_true(l->n + out.n <= sizeof(l->got));
        memcpy(l->got + l->n, out.p, out.n);
        l->n += out.n;
        sdn_output_done(l->w->s, &out);
    }
}

/* The next message that the switch was sent; NULL: none. */
static inline const uint8_t *line_next(struct sdn_line *l)
{
    const uint8_t *p;

    line_read(l);
    if (l->at == l->n) {
        l->at = l->n = 0;
        return NULL;
    }
    p = l->got + l->at;
    assert_true(l->n - l->at >= OFP_HLEN && load_be16(p + 2) <= l->n - l->at);
    l->at += load_be16(p + 2);
    return p;
}

static inline size_t line_say(struct sdn_line *l, const void *p, size_t n)
{
    return sdn_input(l->w->s, l->conn, p, n, l->w->now);
}

static inline void line_close(struct sdn_line *l)
{
    sdn_closed(l->w->s, l->conn, l->w->now);
    world_pump(l->w);
}

static inline struct ofp_port a_port(uint32_t no)
{
    struct ofp_port p = {.no = no, .mac = {{2, 0, 0, 0, 0, (uint8_t)no}}};

    fmt_print(p.name, sizeof(p.name), "eth%u", no);
    return p;
}

/* HELLO, FEATURES_REPLY (four ports) and what else belongs to a handshake, as bytes. */
static inline size_t hello_bytes(enum ofp_dialect d, uint8_t *b, size_t cap)
{
    return d == OFP_13 ? ofp_emit_hello(b, cap, 1, 1u << OFP_VERSION_13)
                       : ofp_emit(OFP_10, b, cap, OFP_HELLO, 1, NULL, 0);
}

static inline size_t features_bytes(enum ofp_dialect d, uint64_t dpid, uint32_t xid, uint8_t *b,
                                    size_t cap)
{
    struct ofp_features f = {.dpid = dpid, .buffers = 256, .tables = 2, .ports = 4};
    struct ofp_port ports[4];

    for (uint32_t i = 0; i < 4; i++)
        ports[i] = a_port(i + 1);
    return ofp_emit_features_reply(d, b, cap, xid, &f, ports, d == OFP_10 ? 4 : 0);
}

/* The whole handshake; everything that was sent meanwhile is thrown away. */
static inline void line_up(struct sdn_line *l, uint64_t dpid)
{
    uint8_t b[1024];
    struct ofp_port ports[4];
    const uint8_t *m;

    assert_true(line_say(l, b, hello_bytes(l->dialect, b, sizeof(b))) > 0);
    assert_true(line_say(l, b, features_bytes(l->dialect, dpid, 2, b, sizeof(b))) > 0);
    for (uint32_t i = 0; i < 4; i++)
        ports[i] = a_port(i + 1);
    while ((m = line_next(l)) != NULL)
        if (l->dialect == OFP_13 && m[1] == 18 && load_be16(m + 8) == 13)
            line_say(l, b,
                     ofp_emit_port_desc_reply(OFP_13, b, sizeof(b), load_be32(m + 4), ports, 4));
    while (line_next(l))
        ;
}

/* cbench's frame: 64 bytes of IPv4 between two addresses. */
static inline void a_frame(uint8_t f[64], const uint8_t dst[6], const uint8_t src[6])
{
    memset(f, 0, 64);
    memcpy(f, dst, 6);
    memcpy(f + 6, src, 6);
    store_be16(f + 12, 0x0800);
    f[14] = 0x45;
}

static inline size_t packet_in_bytes(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t buffer,
                                     uint32_t port, const uint8_t *frame, uint32_t n)
{
    const struct ofp_packet_in p = {.buffer_id = buffer,
                                    .in_port = port,
                                    .total_len = (uint16_t)n,
                                    .frame = frame,
                                    .frame_len = n};

    return ofp_emit_packet_in(d, b, cap, 0, &p);
}
