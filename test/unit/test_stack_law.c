/* The law's table changes while connections live: cores take part, and leave. */
#include "lib/cmocka_first.h"

#include "lib/town.h"
#include "tcp/tcp_int.h"

static struct town t;
static struct rng r;

/* ---- a table for each host, and cores that learn of it one by one ------------------------- */

static uint64_t stale[2]; /* cores that have not read it yet */

static void tell(unsigned side, unsigned core)
{
    struct town_host *h = &t.host[side];

    native_law_changed(h->core[core].native, &h->law, t.now);
    stale[side] &= ~(UINT64_C(1) << core);
}

static void tell_all(unsigned side)
{
    for (unsigned c = 0; c < t.cores[side]; c++)
        tell(side, c);
}

/* Only the cores in `mask` are in the table; as few entries move as must. */
static void table(unsigned side, uint64_t mask)
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

static void server_event(unsigned core, struct mr *m, const struct mr_event *ev)
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

static void client_event(struct mr *m, const struct mr_event *ev)
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

static void run(uint64_t us)
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

static int talk_from(unsigned core, uint16_t lport)
{
    struct mr_addr to = town_addr(1, TOWN_PORT), local = town_addr(0, lport);
    struct talk *k = &talks[ntalks];

    *k = (struct talk){.core = core};
    int rc = mr_connect(town_mr(&t, 0, core), lport ? &local : NULL, &to, k, &k->sock);
    ntalks += rc == 0;
    return rc;
}

static void talk_from_all(unsigned each)
{
    for (unsigned i = 0; i < each; i++)
        for (unsigned c = 0; c < t.cores[0]; c++)
            assert_int_equal(talk_from(c, 0), 0);
}

/* A piece from each; the last one ends the talk. */
static void say(void)
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

static void listen_on(unsigned core)
{
    struct mr_addr at = town_addr(1, TOWN_PORT);

    assert_int_equal(mr_listen(town_mr(&t, 1, core), &at, NULL, &listener[core]), 0);
}

static void start(uint64_t seed)
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

static void all_end_well(void)
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

static void finish(void)
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

static uint64_t moved(unsigned side)
{
    uint64_t n = 0;

    for (unsigned c = 0; c < t.cores[side]; c++)
        n += town_tcp(&t, side, c)->stats.flows_moved;
    return n;
}

static const unsigned some[] = {1, 3, 2, 7, 15, 8, 12, 6, 5, 15};

static void connections_live_on_when_cores_take_part_and_leave(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *, uint32_t) = {
        town_by_law, town_to_first, town_beside, town_anywhere};

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(steer); i++) {
        town_defaults(&t, 4, 4);
        t.steer = steer[i % ARRAY_LEN(steer)];
        start(i);
        for (unsigned k = 0; k < ARRAY_LEN(some); k++) {
            talk_from_all(1);
            run(i < ARRAY_LEN(steer) ? 2000 : 300);
            for (unsigned side = 0; side < 2; side++) {
                table(side, some[(k + side) % ARRAY_LEN(some)]);
                tell_all(side);
            }
            say();
        }
        all_end_well();
        assert_true(moved(0) > 0 && moved(1) > 0);
        finish();
    }
}

/* Also while the NIC is steered by a table that only some have read. */
static void each_core_may_learn_at_its_own_time(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 12; seed++) {
        town_defaults(&t, 4, 4);
        start(seed);
        for (unsigned k = 0; k < 60; k++) {
            if (k % 6 == 0)
                talk_from_all(1);
            for (unsigned side = 0; side < 2; side++) {
                if (rng_chance(&r, 1, 4))
                    table(side, 1 + rng_below(&r, 15));
                for (unsigned c = 0; c < 4; c++)
                    if (stale[side] >> c & 1 && rng_chance(&r, 1, 3))
                        tell(side, c);
            }
            say();
            run(rng_below(&r, 400));
        }
        tell_all(0);
        tell_all(1);
        all_end_well();
        finish();
    }
}

/* It still opens, accepts, and closes. */
static void a_core_that_is_in_no_table_keeps_working(void **state)
{
    (void)state;
    town_defaults(&t, 4, 4);
    start(1);
    talk_from_all(8);
    run(5000);
    for (unsigned side = 0; side < 2; side++) {
        table(side, 1u << (1 + side));
        tell_all(side);
    }
    say();
    run(5000);
    talk_from_all(8);
    all_end_well();
    for (unsigned c = 0; c < 4; c++)
        assert_true(accepted[c] > 0);
    finish();
}

/* A core that has just taken part chooses among ports of which many are in use on the core that was
 * home to them before. */
static void two_cores_never_have_one_four_tuple(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        town_defaults(&t, 4, 1);
        t.config.tcp.port_lo = 40000;
        t.config.tcp.port_hi = 40199;
        start(i);
        table(0, 1);
        tell_all(0);
        run(2 * USEC_PER_SEC);
        for (unsigned k = 0; k < 120; k++)
            assert_int_equal(talk_from(0, 0), 0);
        run(10000);
        table(0, 15);
        if (i & 1)
            tell_all(0);
        for (unsigned c = 1; c < 4; c++) {
            tell(0, c);
            for (unsigned k = 0; k < 8; k++)
                assert_int_equal(talk_from(c, 0), 0);
        }
        run(i < 4 ? 100 : 0);
        tell(0, 0);
        all_end_well();
        finish();
    }
}

static void what_small_rings_refuse_is_asked_again(void **state)
{
    (void)state;
    town_defaults(&t, 2, 1);
    t.ring_bytes = 4096;
    start(3);
    table(0, 1);
    tell_all(0);
    run(2 * USEC_PER_SEC);
    for (unsigned k = 0; k < 200; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(10000);
    table(0, 2);
    tell_all(0);
    run(200000);
    assert_int_equal(town_tcp(&t, 0, 1)->aways.used, 200);
    assert_true(t.host[0].core[0].mail.stats.full > 0);
    table(0, 1);
    tell_all(0);
    run(200000);
    assert_int_equal(town_tcp(&t, 0, 1)->aways.used, 0);
    all_end_well();
    finish();
}

static void what_nobody_knows_is_refused_when_the_grace_is_over(void **state)
{
    struct talk *k = &talks[0];

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    /* The server's core forgets it without a word. */
    for (unsigned c = 0; c < 4; c++) {
        struct tcp *tcp = town_tcp(&t, 1, c);
        if (accepted[c])
            tcp_conn_end(tcp, pool_at(&tcp->conns, 0), MR_ECONNABORTED);
    }
    for (unsigned mask = 1; mask < 16; mask <<= 1) {
        table(1, mask);
        tell_all(1);
        run(100);
    }
    say();
    run(USEC_PER_SEC / 2);
    assert_false(k->over);
    run(3 * USEC_PER_SEC);
    assert_true(k->over);
    assert_int_equal(k->err, MR_ECONNRESET);
    finish();
}

/* In the first moments the new home asks the old one, which says that it is no flow of its own; it
 * is asked again as who listens, by whatever way the SYN came (a socat that forks, 2026-11-23). */
static void who_listens_at_the_old_home_only_is_found_at_once(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *, uint32_t) = {
        town_by_law, town_to_first, town_beside, town_anywhere};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(steer); i++) {
        town_defaults(&t, 1, 2);
        t.steer = steer[i];
        start(i);
        mr_close(town_mr(&t, 1, 1), listener[1]);
        listener[1] = MR_SOCK_NONE;
        table(1, 1);
        tell_all(1);
        run(2 * USEC_PER_SEC);
        table(1, 2);
        tell_all(1);
        for (unsigned k = 0; k < 20; k++)
            assert_int_equal(talk_from(0, 0), 0);
        run(50000);
        for (unsigned k = 0; k < ntalks; k++)
            assert_true(talks[k].up);
        assert_int_equal(accepted[0], 20);
        all_end_well();
        finish();
    }
}

/* What came to one from another, and a moment later to the next, nobody can give leave for until a
 * second has passed: a port of another entry is chosen (squid's workers begin, 2026-11-23). */
static void who_has_just_come_connects_at_once(void **state)
{
    (void)state;
    town_defaults(&t, 4, 1);
    start(1);
    table(0, 1);
    tell_all(0);
    run(2 * USEC_PER_SEC);
    for (unsigned core = 1; core < 4; core++) {
        table(0, (UINT64_C(2) << core) - 1);
        tell_all(0);
        run(6000);
        for (unsigned k = 0; k < 20; k++)
            assert_int_equal(talk_from(core, 0), 0);
        run(20000);
    }
    for (unsigned k = 0; k < ntalks; k++)
        assert_true(talks[k].up);
    all_end_well();
    finish();
}

/* The client's, and nothing else that it sends. */
static bool lose_acks(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    (void)w;
    return to == 1 && len >= 48 && frame[23] == IPPROTO_TCP_ && frame[47] == TH_ACK;
}

/* Its home has moved, and did not know of it when the client began anew from the same port: a
 * reload of haproxy, whose clients then waited for a minute (2026-11-23). */
static void what_begins_anew_does_not_give_way_to_time_wait(void **state)
{
    (void)state;
    for (unsigned third = 0; third < 2; third++) {
        town_defaults(&t, 1, 3);
        start(1);
        hurried = true;
        table(1, 1);
        tell_all(1);
        run(2 * USEC_PER_SEC);
        for (unsigned k = 0; k < 20; k++)
            assert_int_equal(talk_from(0, (uint16_t)(40000 + k)), 0);
        run(100000);
        assert_int_equal(town_tcp(&t, 1, 0)->tws.used, 20);
        hurried = false;
        ntalks = 0;
        table(1, 2);
        tell(1, 1);
        run(2 * USEC_PER_SEC);
        for (unsigned k = 0; k < 20; k++)
            assert_int_equal(talk_from(0, (uint16_t)(40000 + k)), 0);
        t.lose = lose_acks;
        run(1000);
        assert_int_equal(town_tcp(&t, 1, 1)->syns.used, 20);
        if (third)
            table(1, 4); /* both ask a third, the old one first */
        tell(1, 2);
        tell(1, 0);
        run(1000);
        tell(1, 1);
        run(1000);
        t.lose = NULL;
        all_end_well();
        finish();
    }
}

/* ---- a core that begins anew ----------------------------------------------------------------- */

static void reborn(unsigned side, unsigned core)
{
    struct town_core *c = &t.host[side].core[core];

    pkt_list_put_all(&c->rx);
    munmap(c->memory, c->bytes);
    memset(c, 0, sizeof(*c));
    town_core_start(&t, side, core);
    stack_announce(c->stack);
}

/* The connections of the others live on, though their home has forgotten them, and everybody knows
 * again who listens where. */
static void a_core_that_begins_anew_learns_what_the_others_have(void **state)
{
    unsigned lost = 0;

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    table(1, 2);
    tell_all(1); /* all flows are at home on core 1 ... */
    mr_close(town_mr(&t, 1, 1), listener[1]);
    listener[1] = MR_SOCK_NONE;
    run(1000);
    for (unsigned k = 0; k < 30; k++) /* ... and none lives there */
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    reborn(1, 1);
    say();
    run(10000);
    for (unsigned k = 0; k < 30; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(2000);
    listen_on(1); /* the others hear of it */
    all_end_well();
    /* One that has connections: they are gone, and the others forget that they were there. */
    ntalks = 0;
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    for (unsigned c = 0; c < 3; c++)
        assert_int_equal(mr_setopt(town_mr(&t, 1, c == 0 ? 0 : c + 1), listener[c == 0 ? 0 : c + 1],
                                   MR_PAUSED, 1),
                         0);
    run(1000);
    for (unsigned k = 0; k < 10; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    assert_int_equal(town_tcp(&t, 1, 0)->aways.used, 10);
    reborn(1, 1);
    listener[1] = MR_SOCK_NONE;
    run(1000);
    assert_int_equal(town_tcp(&t, 1, 0)->aways.used, 0);
    say();
    run(3 * USEC_PER_SEC);
    for (unsigned k = 0; k < 10; k++)
        lost += talks[k].over && talks[k].err == MR_ECONNRESET;
    assert_int_equal(lost, 10);
    finish();
}

/* Peers that only wait hear that their connections are no more. */
static void what_a_core_had_before_is_reset(void **state)
{
    struct tcp_past past[40];
    unsigned n;

    (void)state;
    town_defaults(&t, 1, 1);
    start(1);
    for (unsigned k = 0; k < 30; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    n = tcp_past_list(town_tcp(&t, 1, 0), past, ARRAY_LEN(past));
    assert_int_equal(n, 30);
    assert_int_equal(tcp_past_list(town_tcp(&t, 1, 0), past, 7), 7);
    reborn(1, 0);
    listener[0] = MR_SOCK_NONE;
    for (unsigned round = 0; round < 2; round++) { /* the first are lost: it knows no neighbour */
        for (unsigned k = 0; k < n; k++)
            assert_true(tcp_past_reset(town_tcp(&t, 1, 0), &past[k]));
        run(10000);
    }
    for (unsigned k = 0; k < ntalks; k++)
        assert_true(talks[k].over && talks[k].err == MR_ECONNRESET);
    finish();
}

/* And those that speak hear of it at once, though the new one does not know yet what others have,
 * and homes move: what was lost half open, too (nginx's workers killed, 2026-11-23). */
static void what_a_core_had_before_is_answered_for(void **state)
{
    struct tcp *server = NULL;
    struct tcp_past past[40];
    unsigned n, opened;

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    table(1, 1);
    tell_all(1);
    run(2 * USEC_PER_SEC);
    server = town_tcp(&t, 1, 0);
    for (unsigned k = 0; k < 20; k++)
        assert_int_equal(talk_from(0, 0), 0);
    run(5000);
    opened = ntalks;
    for (unsigned k = 0; k < 5; k++)
        assert_int_equal(talk_from(0, 0), 0);
    for (unsigned k = 0; k < 100 && server->syns.used < 5; k++)
        town_run(&t, 5);
    assert_int_equal(server->syns.used, 5);
    n = tcp_past_list(server, past, ARRAY_LEN(past));
    assert_int_equal(n, 25);
    assert_true(past[24].half_open);
    reborn(1, 0);
    server = town_tcp(&t, 1, 0);
    listener[0] = MR_SOCK_NONE;
    for (unsigned k = 0; k < n; k++)
        tcp_past_keep(server, &past[k], t.now);
    table(1, 14);
    tell_all(1);
    run(10000);
    say();
    run(300000);
    for (unsigned k = 0; k < opened; k++)
        assert_true(talks[k].over && talks[k].err == MR_ECONNRESET);
    for (unsigned k = opened; k < ntalks; k++)
        assert_true(talks[k].over || talks[k].up); /* it was told, or asked again */
    run(3 * USEC_PER_SEC);
    finish();
}

/* ---- datagrams ----------------------------------------------------------------------------- */

/* Several cores have endpoints with a peer on one port, and none is at home. */
static void datagrams_find_endpoints_whose_home_has_moved(void **state)
{
    struct mr_addr peer[3], own = town_addr(1, 5353);
    mr_sock u[3], far[3];
    char b[16];

    (void)state;
    town_defaults(&t, 1, 4);
    start(1);
    for (unsigned i = 0; i < 3; i++) {
        struct udp_addr to = {town_ip(0), (uint16_t)(6000 + i)};
        peer[i] = town_addr(0, (uint16_t)(6000 + i));
        assert_int_equal(mr_udp_open(town_mr(&t, 0, 0), &peer[i], NULL, &far[i]), 0);
        assert_int_equal(mr_udp_open(town_mr(&t, 1, i), &own, NULL, &u[i]), 0);
        struct udp *udp = stack_udp(t.host[1].core[i].stack);
        /* Each at home in its turn. */
        table(1, 1u << i);
        tell_all(1);
        assert_int_equal(
            udp_connect(udp, stack_ip(t.host[1].core[i].stack), pool_at(&udp->pcbs, 0), &to), 0);
        run(1000);
    }
    for (unsigned home = 0; home < 4; home++) {
        table(1, 1u << home);
        tell_all(1);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(mr_sendto(town_mr(&t, 0, 0), far[i], "hello", 5, &own), 0);
            run(1000);
            assert_int_equal(mr_recvfrom(town_mr(&t, 1, i), u[i], b, sizeof(b), NULL), 5);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        mr_close(town_mr(&t, 1, i), u[i]);
        mr_close(town_mr(&t, 0, 0), far[i]);
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_live_on_when_cores_take_part_and_leave),
        cmocka_unit_test(each_core_may_learn_at_its_own_time),
        cmocka_unit_test(a_core_that_is_in_no_table_keeps_working),
        cmocka_unit_test(two_cores_never_have_one_four_tuple),
        cmocka_unit_test(what_small_rings_refuse_is_asked_again),
        cmocka_unit_test(what_nobody_knows_is_refused_when_the_grace_is_over),
        cmocka_unit_test(who_listens_at_the_old_home_only_is_found_at_once),
        cmocka_unit_test(who_has_just_come_connects_at_once),
        cmocka_unit_test(what_begins_anew_does_not_give_way_to_time_wait),
        cmocka_unit_test(a_core_that_begins_anew_learns_what_the_others_have),
        cmocka_unit_test(what_a_core_had_before_is_reset),
        cmocka_unit_test(what_a_core_had_before_is_answered_for),
        cmocka_unit_test(datagrams_find_endpoints_whose_home_has_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
