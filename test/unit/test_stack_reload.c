/* Workers are replaced under load: listeners begin and pause, the law's table changes, and nobody
 * waits a second for it. */
#include "lib/cmocka_first.h"

#include "lib/town.h"
#include "tcp/tcp_int.h"

#define CORES 4u
#define CALLS 1200u
#define AT_ONCE 24u
#define SOON_US (40 * USEC_PER_MSEC) /* nothing that was lost is sent again so soon */

static struct town t;
static struct rng r;

/* The server answers by closing, so that TIME-WAIT is its own. */
struct call {
    mr_sock sock;
    struct mr_addr at;
    instant began, up;
    bool over;
    int err;
};

static struct call calls[CALLS];
static unsigned ncalls, open_calls;
static mr_sock listener[CORES];
static bool paused[CORES];
static uint64_t stale; /* cores that have not read the table */
static uint64_t seed_now, seed_from, seed_to;

static void server_events(unsigned core)
{
    struct town_core *k = &t.host[1].core[core];
    mr_sock s;

    for (unsigned i = 0; i < k->nev; i++) {
        struct mr_event *ev = &k->ev[i];
        if (ev->type == MR_EV_ACCEPT)
            while (mr_accept(k->m, ev->sock, &s, NULL) == 0)
                mr_shutdown(k->m, s);
        if (ev->type == MR_EV_CLOSED)
            mr_close(k->m, ev->sock);
    }
    k->nev = 0;
}

static void client_events(void)
{
    struct town_core *k = &t.host[0].core[0];
    char b[8];

    for (unsigned i = 0; i < k->nev; i++) {
        struct mr_event *ev = &k->ev[i];
        struct call *c = ev->user;
        if (ev->type == MR_EV_CONNECTED)
            c->up = t.now;
        if (ev->type == MR_EV_READABLE && mr_recv(k->m, c->sock, b, sizeof(b), 0) == 0)
            mr_shutdown(k->m, c->sock);
        if (ev->type == MR_EV_CLOSED) {
            c->over = true;
            c->err = ev->err;
            open_calls--;
            mr_close(k->m, c->sock);
        }
    }
    k->nev = 0;
}

static void run(uint64_t us)
{
    instant until = t.now + us;

    while (t.now < until) {
        town_run(&t, min_u64(50, until - t.now));
        client_events();
        for (unsigned c = 0; c < CORES; c++)
            server_events(c);
    }
}

static void call(void)
{
    struct mr_addr to = town_addr(1, TOWN_PORT);
    struct call *c = &calls[ncalls];

    *c = (struct call){.began = t.now};
    if (mr_connect(town_mr(&t, 0, 0), NULL, &to, c, &c->sock) != 0)
        return; /* all ports are in use at this moment */
    mr_local_addr(town_mr(&t, 0, 0), c->sock, &c->at);
    ncalls++;
    open_calls++;
}

static void pause_those(unsigned mask, bool pause)
{
    for (unsigned c = 0; c < CORES; c++) {
        if (!(mask >> c & 1) || paused[c] == pause)
            continue;
        assert_int_equal(mr_setopt(town_mr(&t, 1, c), listener[c], MR_PAUSED, pause), 0);
        paused[c] = pause;
    }
}

/* Those in `mask` listen.  Who pauses has heard of who begins; that he does the others hear when
 * they do. */
static void listen_by(unsigned mask)
{
    pause_those(mask, false);
    run(50);
    pause_those(~mask, true);
}

static void table_of(unsigned mask)
{
    struct rss *law = &t.host[1].law;
    uint16_t next[RSS_ENTRIES];

    for (unsigned e = 0; e < RSS_ENTRIES; e++) {
        next[e] = law->table[e];
        while (!(mask >> next[e] & 1))
            next[e] = (uint16_t)rng_below(&r, CORES);
    }
    rss_set_table(law, next, RSS_ENTRIES);
    stale = (1u << CORES) - 1;
}

static void tell_some(unsigned of_three)
{
    for (unsigned c = 0; c < CORES; c++)
        if (stale >> c & 1 && rng_chance(&r, of_three, 3)) {
            native_law_changed(t.host[1].core[c].native, &t.host[1].law, t.now);
            stale &= ~(UINT64_C(1) << c);
        }
}

static void start(uint64_t seed)
{
    rng_init(&r, seed);
    seed_now = seed;
    town_defaults(&t, 1, CORES);
    t.order = &r;
    t.config.tcp.port_lo = 40000;
    t.config.tcp.port_hi = 40063; /* four-tuples come again while TIME-WAIT has them */
    stack_limits_for(&t.config.limits, 512);
    town_start_with(&t);
    memset(paused, 0, sizeof(paused));
    ncalls = open_calls = 0;
    stale = 0;
    for (unsigned c = 0; c < CORES; c++) {
        struct mr_addr at = town_addr(1, TOWN_PORT);
        assert_int_equal(mr_listen(town_mr(&t, 1, c), &at, NULL, &listener[c]), 0);
    }
    run(1000);
}

static void finish(void)
{
    for (unsigned i = 0; i < 100 && open_calls; i++)
        run(100000);
    for (unsigned i = 0; i < ncalls; i++) {
        struct call *c = &calls[i];
        if (!c->over || c->err || !c->up || c->up - c->began > SOON_US)
            fail_msg("seed %u: call %u of %u, at %lu from port %u: over %d err %d up after %ld us",
                     (unsigned)seed_now, i, ncalls, (unsigned long)c->began, c->at.port, c->over,
                     c->err, (long)(c->up - c->began));
    }
    assert_int_equal(town_rsts(&t, 1), 0);
    for (unsigned c = 0; c < CORES; c++)
        mr_close(town_mr(&t, 1, c), listener[c]);
    run(USEC_PER_SEC);
    town_run(&t, 150 * USEC_PER_SEC);
    assert_null(town_leak(&t, 1));
    town_end(&t);
}

static void replace_workers(uint64_t seed)
{
    start(seed);
    while (ncalls < CALLS) {
        if (rng_chance(&r, 1, 12))
            listen_by(1 + rng_below(&r, (1u << CORES) - 1));
        if (rng_chance(&r, 1, 40) && !stale)
            table_of(1 + rng_below(&r, (1u << CORES) - 1));
        tell_some(2);
        for (unsigned n = rng_below(&r, 8); n > 0 && ncalls < CALLS && open_calls < AT_ONCE; n--)
            call();
        run(rng_below(&r, 300));
        /* Often the grace is over. */
        if (rng_chance(&r, 1, 100))
            run(2 * USEC_PER_SEC);
    }
    tell_some(3);
    finish();
}

static void no_syn_is_sent_twice_while_workers_are_replaced(void **state)
{
    /* 94: who ends a TIME-WAIT and who takes the next SYN write to its home, which reads the second
     * first. */
    static const uint64_t seeds[] = {0, 1, 94};

    (void)state;
    for (unsigned i = 0; seed_to == 0 && i < ARRAY_LEN(seeds); i++)
        replace_workers(seeds[i]);
    for (uint64_t seed = seed_from; seed < seed_to; seed++)
        replace_workers(seed);
}

/* [first seed [one behind the last]] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_syn_is_sent_twice_while_workers_are_replaced),
    };

    if (argc > 1)
        seed_to = (seed_from = strtoull(argv[1], NULL, 10)) + 1;
    if (argc > 2)
        seed_to = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
