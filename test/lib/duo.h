/* Two whole stacks on one in-memory wire, and time that is what the tests say.
 *
 * End 0 is 10.0.0.1, end 1 is 10.0.0.2; each has its memory, its stack, a native context (m) and
 * its end of the wire.  duo_run moves frames and time on until both ends have nothing to do before
 * the given time has passed.  Events are kept in order until duo_take takes them.  `lose` sees each
 * frame on its way and may drop it; duo_segment puts a forged one in. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "api/native.h"
#include "nic/memwire.h"
#include "stack/stack_int.h"

#define DUO_START (100 * USEC_PER_SEC)
#define DUO_STEP 10u /* microseconds a round of both ends takes */
#define DUO_EVENTS 4096u
#define DUO_PORT 80

struct duo_end {
    uint8_t *memory;
    size_t bytes;
    struct stack *stack;
    struct native *native;
    struct mr *m;
    struct memwire_port *port;
    struct pkt_pool forged;
    struct mr_event ev[DUO_EVENTS];
    unsigned nev;
};

struct duo {
    struct memwire_config wire;
    struct stack_config config; /* of both */
    void *shared;
    size_t shared_bytes;
    struct duo_end end[2];
    instant now;
    bool (*lose)(void *arg, unsigned from, const struct pkt *p);
    void *arg;
    uint64_t frames, lost;
};

static inline struct mr_addr duo_addr(unsigned side, uint16_t port)
{
    return mr_addr4(10, 0, 0, (uint8_t)(1 + side), port);
}
static inline struct ip_addr duo_ip(unsigned side)
{
    return ip4_of(10, 0, 0, (uint8_t)(1 + side));
}
static inline struct tcp *duo_tcp(struct duo *w, unsigned side)
{
    return stack_tcp(w->end[side].stack);
}

/* Small limits: an end is some MB, nearly all untouched. */
static inline void duo_defaults(struct duo *w)
{
    memset(w, 0, sizeof(*w));
    stack_config_default(&w->config);
    stack_limits_for(&w->config.limits, 64);
    w->wire = (struct memwire_config){.queues = 1, .buffers = 256, .buf_size = 2048, .mtu = 1500};
    w->now = DUO_START;
}

static inline void *duo_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MR_ASSERT(p != MAP_FAILED);
    return p;
}

/* Descriptors of received packets lie behind the stack's memory: sockets refer to them from its
 * start. */
static inline void duo_end_start(struct duo *w, unsigned side)
{
    struct duo_end *e = &w->end[side];
    struct stack_config config = w->config;
    size_t stack_size = stack_bytes(&config.limits);
    size_t port_size = align_up((size_t)w->wire.buffers * 512 + (1 << 20), 4096);
    struct ip_addr a = duo_ip(side);
    struct mem m;

    for (unsigned i = 0; i < 4; i++)
        config.secret[i] = mix64(w->config.secret[i] + 4 * side + i + 1);
    e->bytes = stack_size + port_size + align_up(native_bytes(), 4096);
    e->memory = duo_map(e->bytes);
    e->stack = stack_init(e->memory, stack_size, &config, w->now);
    mem_init(&m, e->memory + stack_size, port_size);
    e->port = memwire_open(&m, w->shared, w->shared_bytes, side);
    MR_ASSERT(e->port != NULL);
    pkt_pool_init(&e->forged, &m, "forged", 128, 2048, PKT_HEADROOM, NULL);
    e->native = native_init(e->memory + stack_size + port_size, e->stack);
    e->m = native_mr(e->native);
    MR_ASSERT(stack_port_add(e->stack, memwire_nic(e->port), 0, 0, 0) == 1);
    MR_ASSERT(stack_addr_add(e->stack, 1, &a, 24, false) == 0);
}

/* With the limits and knobs that duo_defaults put in, and the test changed. */
static inline void duo_start_with(struct duo *w)
{
    w->shared_bytes = align_up(memwire_bytes(&w->wire), 4096);
    w->shared = duo_map(w->shared_bytes);
    memwire_format(w->shared, &w->wire);
    for (unsigned side = 0; side < 2; side++)
        duo_end_start(w, side);
}

static inline void duo_start(struct duo *w)
{
    duo_defaults(w);
    duo_start_with(w);
}

static inline void duo_end(struct duo *w)
{
    for (unsigned side = 0; side < 2; side++)
        munmap(w->end[side].memory, w->end[side].bytes);
    munmap(w->shared, w->shared_bytes);
}

/* What `side` has queued goes to the wire, or is lost.  True: something went. */
static inline bool duo_send(struct duo *w, unsigned side)
{
    struct duo_end *e = &w->end[side];
    struct pkt *out[BURST_MAX];
    unsigned n = stack_tx(e->stack, 1, out, BURST_MAX), kept = 0;

    w->frames += n;
    for (unsigned i = 0; i < n; i++) {
        if (w->lose && w->lose(w->arg, side, out[i])) {
            pkt_put(out[i]);
            w->lost++;
        } else {
            out[kept++] = out[i];
        }
    }
    unsigned taken = kept ? nic_tx_burst(memwire_nic(e->port), 0, out, kept) : 0;
    stack_tx_return(e->stack, 1, out + taken, kept - taken);
    w->frames -= kept - taken;
    return n > kept || taken;
}

/* One turn of an end.  True if anything was done. */
static inline bool duo_turn(struct duo *w, unsigned side)
{
    struct duo_end *e = &w->end[side];
    struct pkt *in[BURST_MAX];
    unsigned n = nic_rx_burst(memwire_nic(e->port), 0, in, BURST_MAX), events = e->nev;

    if (n)
        stack_input(e->stack, 1, in, n, w->now);
    native_advance(e->native, w->now);
    while (e->nev < DUO_EVENTS && native_event(e->native, &e->ev[e->nev]))
        e->nev++;
    native_flush(e->native, w->now);
    bool sent = duo_send(w, side);
    stack_check(e->stack);
    return n || sent || e->nev != events;
}

static inline instant duo_deadline(const struct duo *w)
{
    return min_u64(native_deadline(w->end[0].native), native_deadline(w->end[1].native));
}

/* Until us have passed. */
static inline void duo_run(struct duo *w, uint64_t us)
{
    instant until = w->now + us;

    for (;;) {
        bool busy = duo_turn(w, 0);
        busy |= duo_turn(w, 1);
        if (w->now >= until)
            return;
        instant next = busy ? w->now : duo_deadline(w);
        w->now = min_u64(max_u64(next, w->now + DUO_STEP), until);
    }
}

/* The first event of that type at `side` that was not taken before. */
static inline bool duo_take(struct duo *w, unsigned side, enum mr_event_type type,
                            struct mr_event *ev)
{
    struct duo_end *e = &w->end[side];

    for (unsigned i = 0; i < e->nev; i++) {
        if (e->ev[i].type != type)
            continue;
        if (ev)
            *ev = e->ev[i];
        e->nev--;
        memmove(&e->ev[i], &e->ev[i + 1], (e->nev - i) * sizeof(e->ev[0]));
        return true;
    }
    return false;
}

/* ---- connections ------------------------------------------------------------------- */

static inline mr_sock duo_listen(struct duo *w, unsigned side)
{
    struct mr_addr at = duo_addr(side, DUO_PORT);
    mr_sock l;

    MR_ASSERT(mr_listen(w->end[side].m, &at, NULL, &l) == 0);
    return l;
}

/* End 0 opens, end 1 accepts from listener l; both are ESTABLISHED. */
static inline void duo_connect(struct duo *w, mr_sock l, mr_sock out[2])
{
    struct mr_addr to = duo_addr(1, DUO_PORT);

    MR_ASSERT(mr_connect(w->end[0].m, NULL, &to, NULL, &out[0]) == 0);
    duo_run(w, 10000);
    MR_ASSERT(duo_take(w, 0, MR_EV_CONNECTED, NULL));
    MR_ASSERT(mr_accept(w->end[1].m, l, &out[1], NULL) == 0);
}

/* The connection behind a handle. */
static inline struct tcp_conn *duo_conn(struct duo *w, unsigned side, mr_sock h)
{
    return pool_at(&duo_tcp(w, side)->conns, (uint32_t)h.v);
}

/* Byte i of the stream that tests send. */
static inline uint8_t duo_byte(uint64_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* Offer bytes [*at, until) of the stream; *at moves by what was taken.  The last answer. */
static inline int64_t duo_offer(struct duo *w, unsigned side, mr_sock h, uint64_t *at,
                                uint64_t until)
{
    uint8_t b[8192];
    int64_t r = 0;

    while (*at < until) {
        size_t n = min_size(sizeof(b), until - *at);
        for (size_t i = 0; i < n; i++)
            b[i] = duo_byte(*at + i);
        r = mr_send(w->end[side].m, h, b, n, 0);
        if (r <= 0)
            break;
        *at += (uint64_t)r;
    }
    return r;
}

/* Read all there is and compare it with the stream; the last answer (0: end of stream). */
static inline int64_t duo_drain(struct duo *w, unsigned side, mr_sock h, uint64_t *at)
{
    uint8_t b[8192];
    int64_t r;

    while ((r = mr_recv(w->end[side].m, h, b, sizeof(b), 0)) > 0) {
        for (int64_t i = 0; i < r; i++)
            MR_ASSERT(b[i] == duo_byte(*at + (uint64_t)i));
        *at += (uint64_t)r;
    }
    return r;
}

/* n bytes from h[from] to the other end, whole, within `us`. */
static inline bool duo_transfer(struct duo *w, unsigned from, const mr_sock h[2], uint64_t n,
                                uint64_t us)
{
    uint64_t sent = 0, got = 0;
    instant until = w->now + us;

    while (got < n && w->now < until) {
        duo_offer(w, from, h[from], &sent, n);
        duo_run(w, 1000);
        duo_drain(w, !from, h[!from], &got);
    }
    return got == n;
}

/* ---- forged segments --------------------------------------------------------------- */

/* A segment to end `to`, as if from the other one, with a correct checksum as far as the port could
 * tell.  What it causes is seen after the next turn. */
static inline void duo_segment(struct duo *w, unsigned to, const struct tcp_seg *s,
                               const uint8_t *payload, size_t n)
{
    struct duo_end *e = &w->end[to];
    struct ip_addr src = duo_ip(!to), dst = duo_ip(to);
    struct pkt *p = pkt_get(&e->forged);
    struct eth_hdr eth = {.dst = memwire_nic(e->port)->mac,
                          .src = memwire_nic(w->end[!to].port)->mac,
                          .ethertype = ETHTYPE_IPV4};
    struct ipv4_hdr ip = {
        .src = ip_v4(&src), .dst = ip_v4(&dst), .ttl = 64, .proto = IPPROTO_TCP_};

    MR_ASSERT(p != NULL);
    size_t at = eth_emit(p->data, &eth);
    size_t hlen = tcp_emit(p->data + at + IPV4_HLEN, s, TCP_ORDER_LINUX);
    ip.total_len = (uint16_t)(IPV4_HLEN + hlen + n);
    ipv4_emit(p->data + at, &ip);
    at += IPV4_HLEN + hlen;
    if (n)
        memcpy(p->data + at, payload, n);
    p->len = (uint32_t)(at + n);
    p->flags = PKT_CSUM_OK;
    stack_input(e->stack, 1, &p, 1, w->now);
}

/* ---- nothing may be left ------------------------------------------------------------ */

/* The first pool of `side` that has objects out, or NULL.  Listeners and endpoints are the test's
 * to close. */
static inline const char *duo_leak(struct duo *w, unsigned side)
{
    struct stack_pool rows[32];
    unsigned n = stack_pools(w->end[side].stack, rows, 32);
    struct pkt_pool *rx = memwire_rx_pool(w->end[side].port, 0);

    for (unsigned i = 0; i < n; i++)
        if (rows[i].used)
            return rows[i].name;
    if (w->end[side].forged.descs.used)
        return "forged";
    return rx->descs.used == rx->posted ? NULL : "rx";
}
