/* Two hosts of several cores each, mail between the cores of a host, and time that is what the
 * tests say.
 *
 * Host 0 is 10.0.0.1, host 1 is 10.0.0.2.  Every core is a whole shard: stack, context, loop.  A
 * frame that a core sends arrives at the other host on the queue that `steer` chooses: the law's
 * (as a NIC with RSS would), or whatever a test puts there.  town_run lets all cores of both hosts
 * turn, in order or in one drawn from `order`, until nothing happens before the given time; a core
 * that is `stalled` does not turn.  Frames are seen by `lose`, which may drop them. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/rng.h"
#include "shard/shard.h"
#include "stack/stack_int.h"

#define TOWN_START (100 * USEC_PER_SEC)
#define TOWN_STEP 10u /* microseconds a round of all cores takes */
#define TOWN_CORES_MAX 8u
#define TOWN_EVENTS 4096u
#define TOWN_PORT 80
#define TOWN_BUFS 512u
#define TOWN_MTU 1500u

struct town;

struct town_core {
    uint8_t *memory;
    size_t bytes;
    struct stack *stack;
    struct native *native;
    struct mr *m;
    struct mail mail;
    struct shard shard;
    struct pkt_pool rx_pool;
    struct pkt_list rx;
    struct town_host *host;
    bool stalled;
    struct mr_event ev[TOWN_EVENTS];
    unsigned nev;
};

struct town_host {
    struct nic nic; /* first */
    struct nic_stats stats[TOWN_CORES_MAX];
    struct town *town;
    unsigned side, cores;
    struct rss law;
    void *mail;
    size_t mail_bytes;
    struct town_core core[TOWN_CORES_MAX];
};

struct town {
    struct stack_config config; /* of every core */
    unsigned cores[2];
    uint32_t ring_bytes;
    const uint8_t *key[2]; /* of the law of each host */
    /* The queue on which a frame arrives at host `to`. */
    unsigned (*steer)(struct town *t, unsigned to, const uint8_t *frame, uint32_t len);
    bool (*lose)(struct town *t, unsigned to, const uint8_t *frame, uint32_t len);
    void *arg;
    struct rng *order; /* NULL: cores turn in order */
    bool arp;          /* neighbours must be asked for; else every core knows the other host */
    struct town_host host[2];
    instant now;
    uint64_t frames, lost;
};

static inline struct mr_addr town_addr(unsigned side, uint16_t port)
{
    return mr_addr4(10, 0, 0, (uint8_t)(1 + side), port);
}
static inline struct ip_addr town_ip(unsigned side)
{
    return ip4_of(10, 0, 0, (uint8_t)(1 + side));
}
static inline struct mr *town_mr(struct town *t, unsigned side, unsigned core)
{
    return t->host[side].core[core].m;
}
static inline struct tcp *town_tcp(struct town *t, unsigned side, unsigned core)
{
    return stack_tcp(t->host[side].core[core].stack);
}

/* ---- steering ----------------------------------------------------------------------- */

/* RSS that agrees with the law. */
static inline unsigned town_by_law(struct town *t, unsigned to, const uint8_t *frame, uint32_t len)
{
    uint32_t hash;

    return rss_frame_hash(&t->host[to].law, frame, len, &hash) ? rss_queue(&t->host[to].law, hash)
                                                               : 0;
}
/* One queue gets everything. */
static inline unsigned town_to_first(struct town *t, unsigned to, const uint8_t *frame,
                                     uint32_t len)
{
    (void)t, (void)to, (void)frame, (void)len;
    return 0;
}
/* By flow, but not by the law: every packet of a flow lands on the core behind its home. */
static inline unsigned town_beside(struct town *t, unsigned to, const uint8_t *frame, uint32_t len)
{
    return (town_by_law(t, to, frame, len) + 1) % t->host[to].cores;
}
/* Frame by frame, as it comes. */
static inline unsigned town_anywhere(struct town *t, unsigned to, const uint8_t *frame,
                                     uint32_t len)
{
    (void)frame, (void)len;
    return (unsigned)(mix64(t->frames) % t->host[to].cores);
}

/* ---- the port ----------------------------------------------------------------------- */

static inline unsigned town_rx(struct nic *n, unsigned queue, struct pkt **out, unsigned max)
{
    struct town_core *c = &((struct town_host *)(void *)n)->core[queue];
    unsigned got = 0;

    while (got < max && (out[got] = pkt_list_pop(&c->rx)))
        got++;
    n->stats[queue].rx_packets += got;
    return got;
}

static inline unsigned town_tx(struct nic *n, unsigned queue, struct pkt **p, unsigned count)
{
    struct town_host *h = (struct town_host *)(void *)n;
    struct town *t = h->town;
    unsigned to = !h->side;
    uint8_t frame[TOWN_MTU + 64];

    for (unsigned i = 0; i < count; i++) {
        uint32_t len = pkt_total(p[i]);
        MR_ASSERT(len <= sizeof(frame));
        pkt_copy_out(p[i], frame);
        pkt_put(p[i]);
        t->frames++;
        struct town_core *c = &t->host[to].core[t->steer(t, to, frame, len)];
        struct pkt *q = t->lose && t->lose(t, to, frame, len) ? NULL : pkt_get(&c->rx_pool);
        if (!q) {
            t->lost++;
            continue;
        }
        memcpy(q->data, frame, len);
        q->len = len;
        q->flags = 0;
        pkt_list_append(&c->rx, q);
    }
    n->stats[queue].tx_packets += count;
    return count;
}

static const struct nic_ops town_ops = {.rx_burst = town_rx, .tx_burst = town_tx};

/* ---- building ----------------------------------------------------------------------- */

static inline void *town_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    MR_ASSERT(p != MAP_FAILED);
    return p;
}

static inline void town_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct town_core *c = core_state;

    (void)m;
    MR_ASSERT(c->nev < TOWN_EVENTS);
    c->ev[c->nev++] = *ev;
}

static const struct mr_app town_app = {.name = "town", .event = town_event};

static inline void town_core_start(struct town *t, unsigned side, unsigned core)
{
    struct town_host *h = &t->host[side];
    struct town_core *c = &h->core[core];
    struct stack_config config = t->config;
    struct ip_addr a = town_ip(side);
    struct mem m;

    config.limits.cores = h->cores;
    config.home = (struct home){.law = &h->law, .self = core, .cores = h->cores};
    config.mail = h->cores > 1 ? &c->mail : NULL;
    for (unsigned i = 0; i < 4; i++)
        config.secret[i] = mix64(t->config.secret[i] + 64 * side + 4 * core + i + 1);
    size_t stack_size = stack_bytes(&config.limits);
    size_t port_size = align_up((size_t)TOWN_BUFS * (2048 + 512) + 65536, 4096);
    c->host = h;
    c->bytes = stack_size + port_size + align_up(native_bytes(), 4096);
    c->memory = town_map(c->bytes);
    if (config.mail)
        mail_open(&c->mail, h->mail, core);
    c->stack = stack_init(c->memory, stack_size, &config, t->now);
    mem_init(&m, c->memory + stack_size, port_size);
    pkt_pool_init(&c->rx_pool, &m, "rx", TOWN_BUFS, 2048, PKT_HEADROOM, NULL);
    c->rx_pool.low_water = TOWN_BUFS / 4;
    c->native = native_init(c->memory + stack_size + port_size, c->stack);
    c->m = native_mr(c->native);
    MR_ASSERT(stack_port_add(c->stack, &h->nic, core, 0, 0) == 1);
    MR_ASSERT(stack_addr_add(c->stack, 1, &a, 24, false) == 0);
    struct ip_addr other = town_ip(!side);
    if (!t->arp)
        MR_ASSERT(stack_neigh_add(c->stack, 1, &other, &t->host[!side].nic.mac) == 0);
    c->shard = (struct shard){.stack = c->stack,
                              .native = c->native,
                              .app = &town_app,
                              .core_state = c,
                              .netifs = 1,
                              .mail = config.mail};
    c->shard.nic[1] = &h->nic;
    c->shard.queue[1] = (uint16_t)core;
}

/* Small limits, correct RSS, `cores` cores on host 0 and on host 1. */
static inline void town_defaults(struct town *t, unsigned cores0, unsigned cores1)
{
    memset(t, 0, sizeof(*t));
    stack_config_default(&t->config);
    stack_limits_for(&t->config.limits, 64);
    t->cores[0] = cores0;
    t->cores[1] = cores1;
    t->ring_bytes = 65536;
    t->key[0] = t->key[1] = rss_key_default;
    t->steer = town_by_law;
    t->now = TOWN_START;
}

static inline void town_start_with(struct town *t)
{
    for (unsigned side = 0; side < 2; side++) {
        struct town_host *h = &t->host[side];
        h->town = t;
        h->side = side;
        h->cores = t->cores[side];
        rss_init(&h->law, t->key[side], RSS_ENTRIES, h->cores);
        h->nic = (struct nic){.ops = &town_ops,
                              .caps = {.mtu = TOWN_MTU, .queues = (uint16_t)h->cores},
                              .mac = {{0x02, 0, 0, 0, 1, (uint8_t)(1 + side)}},
                              .name = "town",
                              .spread = t->steer == town_by_law ? NIC_SPREAD_RSS
                                                                : NIC_SPREAD_UNKNOWN,
                              .rss = t->steer == town_by_law ? &h->law : NULL,
                              .stats = h->stats};
        if (h->cores > 1) {
            h->mail_bytes = align_up(mail_bytes(h->cores, t->ring_bytes), 4096);
            h->mail = town_map(h->mail_bytes);
            mail_format(h->mail, h->cores, t->ring_bytes);
        }
    }
    for (unsigned side = 0; side < 2; side++)
        for (unsigned c = 0; c < t->cores[side]; c++)
            town_core_start(t, side, c);
}

static inline void town_start(struct town *t, unsigned cores0, unsigned cores1)
{
    town_defaults(t, cores0, cores1);
    town_start_with(t);
}

static inline void town_end(struct town *t)
{
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned c = 0; c < t->cores[side]; c++)
            munmap(t->host[side].core[c].memory, t->host[side].core[c].bytes);
        if (t->host[side].mail)
            munmap(t->host[side].mail, t->host[side].mail_bytes);
    }
}

/* ---- time --------------------------------------------------------------------------- */

static inline bool town_core_turn(struct town *t, struct town_core *c)
{
    unsigned events = c->nev;

    if (c->stalled)
        return false;
    bool busy = shard_turn(&c->shard, t->now);
    c->shard.wake = 0;
    stack_check(c->stack);
    return busy || c->nev != events;
}

/* One turn of every core.  True if anything was done. */
static inline bool town_round(struct town *t)
{
    struct town_core *all[2 * TOWN_CORES_MAX];
    unsigned n = 0;
    bool busy = false;

    for (unsigned side = 0; side < 2; side++)
        for (unsigned c = 0; c < t->cores[side]; c++)
            all[n++] = &t->host[side].core[c];
    for (unsigned i = n; t->order && i > 1; i--) {
        unsigned k = rng_below(t->order, i);
        struct town_core *swap = all[i - 1];
        all[i - 1] = all[k];
        all[k] = swap;
    }
    for (unsigned i = 0; i < n; i++)
        busy |= town_core_turn(t, all[i]);
    return busy;
}

static inline instant town_deadline(const struct town *t)
{
    instant at = INSTANT_NEVER;

    for (unsigned side = 0; side < 2; side++)
        for (unsigned c = 0; c < t->cores[side]; c++)
            if (!t->host[side].core[c].stalled)
                at = min_u64(at, shard_deadline(&t->host[side].core[c].shard));
    return at;
}

/* Until us have passed. */
static inline void town_run(struct town *t, uint64_t us)
{
    instant until = t->now + us;

    for (;;) {
        bool busy = town_round(t);
        if (t->now >= until)
            return;
        instant next = busy ? t->now : town_deadline(t);
        t->now = min_u64(max_u64(next, t->now + TOWN_STEP), until);
    }
}

/* The first event of that type at a core that was not taken before. */
static inline bool town_take(struct town *t, unsigned side, unsigned core, enum mr_event_type type,
                             struct mr_event *ev)
{
    struct town_core *c = &t->host[side].core[core];

    for (unsigned i = 0; i < c->nev; i++) {
        if (c->ev[i].type != type)
            continue;
        if (ev)
            *ev = c->ev[i];
        c->nev--;
        memmove(&c->ev[i], &c->ev[i + 1], (c->nev - i) * sizeof(c->ev[0]));
        return true;
    }
    return false;
}

/* ---- sums ---------------------------------------------------------------------------- */

/* Packets that a host's cores passed on to each other. */
static inline uint64_t town_passed(const struct town *t, unsigned side)
{
    uint64_t n = 0;

    for (unsigned c = 0; c < t->cores[side]; c++)
        n += t->host[side].core[c].mail.stats.packets_sent;
    return n;
}
static inline uint64_t town_letters(const struct town *t, unsigned side)
{
    uint64_t n = 0;

    for (unsigned c = 0; c < t->cores[side]; c++)
        n += t->host[side].core[c].mail.stats.sent;
    return n;
}
static inline uint64_t town_rsts(struct town *t, unsigned side)
{
    uint64_t n = 0;

    for (unsigned c = 0; c < t->cores[side]; c++)
        n += town_tcp(t, side, c)->stats.rsts_out;
    return n;
}

/* The first pool of a host that has objects out, or NULL. */
static inline const char *town_leak(struct town *t, unsigned side)
{
    struct stack_pool rows[40];

    for (unsigned c = 0; c < t->cores[side]; c++) {
        unsigned n = stack_pools(t->host[side].core[c].stack, rows, ARRAY_LEN(rows));
        for (unsigned i = 0; i < n; i++)
            if (rows[i].used)
                return rows[i].name;
        if (t->host[side].core[c].rx_pool.descs.used)
            return "rx";
    }
    return NULL;
}
