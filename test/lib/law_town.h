/* A town in which the law's table changes while connections live: cores take part, and leave.  One
 * in a program. */
#pragma once

#include "town.h"

#include "tcp/tcp_int.h"

static struct town t;
static struct rng r;

/* ---- a table for each host, and cores that learn of it one by one ------------------------- */

static uint64_t stale[2]; /* cores that have not read it yet */

static inline void tell(unsigned side, unsigned core)
{
    struct town_host *h = &t.host[side];

    native_law_changed(h->core[core].native, &h->law, t.now);
    stale[side] &= ~(UINT64_C(1) << core);
}

static inline void tell_all(unsigned side)
{
    for (unsigned c = 0; c < t.cores[side]; c++)
        tell(side, c);
}

/* Only the cores in `mask` are in the table; as few entries move as must. */
static inline void table(unsigned side, uint64_t mask)
{
    struct town_host *h = &t.host[side];
    uint16_t next[RSS_ENTRIES];
    unsigned members[TOWN_CORES_MAX], n = 0, owns[TOWN_CORES_MAX] = {0};

    for (unsigned c = 0; c < h->cores; c++)
        if (mask >> c & 1)
            members[n++] = c;
    unsigned share = (RSS_ENTRIES + n - 1) / n;
    for (unsigned e = 0; e < RSS_ENTRIES; e++) {
        unsigned c = h->law.table[e];
        bool stays = mask >> c & 1 && owns[c] < share;
        next[e] = stays ? (uint16_t)c : UINT16_MAX;
        owns[c] += stays;
    }
    for (unsigned e = 0, m = 0; e < RSS_ENTRIES; e++) {
        if (next[e] != UINT16_MAX)
            continue;
        while (owns[members[m % n]] >= share)
            m++;
        next[e] = (uint16_t)members[m++ % n];
        owns[next[e]]++;
    }
    rss_set_table(&h->law, next, RSS_ENTRIES);
    stale[side] = (UINT64_C(1) << h->cores) - 1;
}

/* ---- conversations ------------------------------------------------------------------------ */

#define TALKS_MAX 600
#define PIECE 700u
#define PIECES 40u

/* The client sends a piece each time it is asked to, the server sends all back. */
struct talk {
    unsigned core;
    mr_sock sock;
    uint32_t sent, got;
    bool up, over;
    int err;
};

static bool hurried; /* the server closes first, as soon as somebody is there */
static struct talk talks[TALKS_MAX];
static unsigned ntalks, accepted[TOWN_CORES_MAX];
static mr_sock listener[TOWN_CORES_MAX];

static inline void server_event(unsigned core, struct mr *m, const struct mr_event *ev)
{
    uint8_t b[4096];
    mr_sock s;
    int64_t n;

    if (ev->type == MR_EV_ACCEPT)
        while (mr_accept(m, ev->sock, &s, NULL) == 0) {
            accepted[core]++;
            if (hurried)
                mr_shutdown(m, s);
        }
    if (ev->type == MR_EV_READABLE) {
        while ((n = mr_recv(m, ev->sock, b, sizeof(b), 0)) > 0)
            assert_int_equal(mr_send(m, ev->sock, b, (size_t)n, 0), n);
        if (n == 0)
            mr_shutdown(m, ev->sock);
    }
    if (ev->type == MR_EV_CLOSED)
        mr_close(m, ev->sock);
}

static inline void client_event(struct mr *m, const struct mr_event *ev)
{
    struct talk *k = ev->user;
    uint8_t b[4096];
    int64_t n;

    if (ev->type == MR_EV_CONNECTED)
        k->up = true;
    if (ev->type == MR_EV_READABLE) {
        while ((n = mr_recv(m, k->sock, b, sizeof(b), 0)) > 0)
            k->got += (uint32_t)n;
        if (n == 0 && hurried)
            mr_shutdown(m, k->sock);
    }
    if (ev->type == MR_EV_CLOSED) {
        k->err = ev->err;
        k->over = true;
        mr_close(m, k->sock);
    }
}

static inline void run(uint64_t us)
{
    instant until = t.now + us;

    while (t.now < until) {
        town_run(&t, min_u64(500, until - t.now));
        for (unsigned side = 0; side < 2; side++) {
            for (unsigned c = 0; c < t.cores[side]; c++) {
                struct town_core *k = &t.host[side].core[c];
                for (unsigned i = 0; i < k->nev; i++) {
                    if (side == 0)
                        client_event(k->m, &k->ev[i]);
                    else
                        server_event(c, k->m, &k->ev[i]);
                }
                k->nev = 0;
            }
        }
    }
}

static inline int talk_from(unsigned core, uint16_t lport)
{
    struct mr_addr to = town_addr(1, TOWN_PORT), local = town_addr(0, lport);
    struct talk *k = &talks[ntalks];

    *k = (struct talk){.core = core};
    int rc = mr_connect(town_mr(&t, 0, core), lport ? &local : NULL, &to, k, &k->sock);
    ntalks += rc == 0;
    return rc;
}

/* The talks are these now: from n ports of the first core, each time the same ones. */
static inline void talk_from_same_ports(unsigned n)
{
    ntalks = 0;
    for (unsigned k = 0; k < n; k++)
        assert_int_equal(talk_from(0, (uint16_t)(40000 + k)), 0);
}

static inline void talk_from_all(unsigned each)
{
    for (unsigned i = 0; i < each; i++)
        for (unsigned c = 0; c < t.cores[0]; c++)
            assert_int_equal(talk_from(c, 0), 0);
}

/* A piece from each; the last one ends the talk. */
static inline void say(void)
{
    static const uint8_t piece[PIECE];

    for (unsigned i = 0; i < ntalks; i++) {
        struct talk *k = &talks[i];
        struct mr *m = town_mr(&t, 0, k->core);
        if (!k->up || k->over || k->sent == PIECES)
            continue;
        if (mr_send(m, k->sock, piece, PIECE, 0) == PIECE && ++k->sent == PIECES)
            mr_shutdown(m, k->sock);
    }
}

static inline void listen_on(unsigned core)
{
    struct mr_addr at = town_addr(1, TOWN_PORT);

    assert_int_equal(mr_listen(town_mr(&t, 1, core), &at, NULL, &listener[core]), 0);
}

static inline void start(uint64_t seed)
{
    rng_init(&r, seed);
    ntalks = 0;
    hurried = false;
    memset(accepted, 0, sizeof(accepted));
    memset(stale, 0, sizeof(stale));
    t.order = &r;
    for (unsigned i = 0; i < 4; i++)
        t.config.secret[i] = 1;
    stack_limits_for(&t.config.limits, 256);
    town_start_with(&t);
    for (unsigned c = 0; c < t.cores[1]; c++)
        listen_on(c);
    run(1000);
}

static inline void all_end_well(void)
{
    for (unsigned i = 0; i < 3 * PIECES; i++) {
        say();
        run(i < PIECES ? 2000 : 100000);
    }
    for (unsigned i = 0; i < 300; i++) {
        town_run(&t, 100000);
        run(1);
    }
    for (unsigned i = 0; i < ntalks; i++) {
        if (!talks[i].over || talks[i].err || talks[i].got != PIECE * PIECES)
            fail_msg("talk %u of core %u: up %d over %d err %d sent %u got %u", i, talks[i].core,
                     talks[i].up, talks[i].over, talks[i].err, talks[i].sent, talks[i].got);
    }
    assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
}

static inline void finish(void)
{
    for (unsigned c = 0; c < t.cores[1]; c++)
        if (listener[c].v)
            mr_close(town_mr(&t, 1, c), listener[c]);
    memset(listener, 0, sizeof(listener));
    run(USEC_PER_SEC);
    town_run(&t, 150 * USEC_PER_SEC); /* TIME-WAIT and all */
    for (unsigned side = 0; side < 2; side++)
        if (town_leak(&t, side))
            fail_msg("host %u: %s", side, town_leak(&t, side));
    town_end(&t);
}
