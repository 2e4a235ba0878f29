/* Local ports of active opens, through whole stacks: exhaustion, TIME-WAIT used again (RFC 6191),
 * and hashes that nobody knows. */
#include "lib/cmocka_first.h"

#include "lib/town.h"

#define LO 40000u
#define RANGE 32u

static struct town t;
static struct rss other_law;

/* Each flow somewhere, but always there. */
static unsigned by_another_key(struct town *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    uint32_t hash;

    return rss_frame_hash(&other_law, frame, len, &hash)
               ? rss_queue(&other_law, hash) % w->host[to].cores
               : 0;
}

/* Host 0 opens, with so many cores; host 1 has one, which listens. */
static void defaults(unsigned cores)
{
    town_defaults(&t, cores, 1);
    t.ring_bytes = 1 << 18;
    t.config.tcp.port_lo = LO;
    t.config.tcp.port_hi = LO + RANGE - 1;
}

static mr_sock begin(void)
{
    struct mr_addr at = town_addr(1, TOWN_PORT);
    mr_sock l;

    town_start_with(&t);
    for (unsigned side = 0; side < 2; side++) {
        struct ip_addr peer = town_ip(!side);
        for (unsigned c = 0; c < t.cores[side]; c++)
            assert_int_equal(
                stack_neigh_add(t.host[side].core[c].stack, 1, &peer, &t.host[!side].nic.mac), 0);
    }
    assert_int_equal(mr_listen(town_mr(&t, 1, 0), &at, NULL, &l), 0);
    town_run(&t, USEC_PER_SEC);
    return l;
}

static int open_one(unsigned core, mr_sock *h)
{
    struct mr_addr to = town_addr(1, TOWN_PORT);

    return mr_connect(town_mr(&t, 0, core), NULL, &to, NULL, h);
}

static uint16_t port_of(unsigned core, mr_sock h)
{
    struct mr_addr a;

    assert_int_equal(mr_local_addr(town_mr(&t, 0, core), h, &a), 0);
    return a.port;
}

/* Each core opens as many as it can: together they have the whole range, nobody twice; then one
 * ends, and there is room for one. */
static void cores_share_the_range(unsigned cores)
{
    bool used[RANGE] = {false};
    mr_sock h[TOWN_CORES_MAX][RANGE + 1], again;
    unsigned n = 0;

    defaults(cores);
    begin();
    for (unsigned c = 0; c < cores; c++) {
        unsigned i = 0;
        int err;
        while ((err = open_one(c, &h[c][i])) == 0) {
            uint16_t port = port_of(c, h[c][i++]);
            assert_in_range(port, LO, LO + RANGE - 1);
            assert_false(used[port - LO]);
            used[port - LO] = true;
        }
        assert_int_equal(err, MR_EADDRNOTAVAIL);
        assert_true(i > 0);
        n += i;
    }
    assert_int_equal(n, RANGE);
    town_run(&t, USEC_PER_SEC);
    for (unsigned c = 0; c < cores; c++) {
        uint16_t freed = port_of(c, h[c][0]);
        assert_int_equal(open_one(c, &again), MR_EADDRNOTAVAIL);
        assert_int_equal(mr_abort(town_mr(&t, 0, c), h[c][0]), 0);
        town_run(&t, 1000);
        assert_int_equal(open_one(c, &again), 0);
        assert_int_equal(port_of(c, again), freed);
        assert_int_equal(open_one(c, &again), MR_EADDRNOTAVAIL);
    }
    town_run(&t, USEC_PER_SEC);
    assert_int_equal(town_passed(&t, 0), 0);
    assert_int_equal(town_rsts(&t, 1), 0);
    town_end(&t);
}

static void every_port_is_used_once_by_one_core(void **state)
{
    (void)state;
    cores_share_the_range(1);
    cores_share_the_range(2);
    cores_share_the_range(4);
}

/* Host 1 takes what waits, and closes it. */
static void accept_and_close(mr_sock l)
{
    mr_sock s;

    assert_int_equal(mr_accept(town_mr(&t, 1, 0), l, &s, NULL), 0);
    mr_close(town_mr(&t, 1, 0), s);
}

static void a_range_in_time_wait_is_used_again_with_timestamps(bool timestamps)
{
    mr_sock h;

    defaults(2);
    t.config.tcp.timestamps = timestamps;
    mr_sock l = begin();
    unsigned n = 0;
    while (open_one(1, &h) == 0 && n < 3 * RANGE) {
        n++;
        town_run(&t, 1000);
        mr_close(town_mr(&t, 0, 1), h);
        town_run(&t, 1000);
        accept_and_close(l);
        town_run(&t, 1000);
    }
    const struct tcp *tcp = town_tcp(&t, 0, 1);
    if (timestamps) {
        assert_int_equal(n, 3 * RANGE);
        assert_int_equal(tcp->stats.time_wait_reused, n - tcp->tws.used);
    } else {
        assert_true(n < RANGE);
        assert_int_equal(tcp->tws.used, n);
        assert_int_equal(open_one(1, &h), MR_EADDRNOTAVAIL);
        town_run(&t, 61 * USEC_PER_SEC);
        assert_int_equal(open_one(1, &h), 0);
    }
    assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
    town_end(&t);
}

static void time_wait_is_replaced_when_no_port_is_free(void **state)
{
    (void)state;
    a_range_in_time_wait_is_used_again_with_timestamps(true);
}

static void without_timestamps_time_wait_is_waited_for(void **state)
{
    (void)state;
    a_range_in_time_wait_is_used_again_with_timestamps(false);
}

/* n connections from each core, one after another, closed by host 1; returns the packets passed on
 * between the cores of host 0. */
static uint64_t connections(mr_sock l, unsigned n)
{
    uint64_t before = town_passed(&t, 0);

    for (unsigned i = 0; i < n; i++) {
        for (unsigned c = 0; c < t.cores[0]; c++) {
            mr_sock h;
            assert_int_equal(open_one(c, &h), 0);
            town_run(&t, 200);
            assert_true(town_take(&t, 0, c, MR_EV_CONNECTED, NULL));
            accept_and_close(l);
            town_run(&t, 200);
            mr_close(town_mr(&t, 0, c), h);
            town_run(&t, 200);
        }
        for (unsigned c = 0; c < t.cores[0]; c++)
            t.host[0].core[c].nev = 0;
        t.host[1].core[0].nev = 0;
    }
    return town_passed(&t, 0) - before;
}

static void where_the_hash_is_unknown_the_ports_that_arrive_are_learnt(void **state)
{
    uint8_t key[RSS_KEY_BYTES];

    (void)state;
    for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
        key[i] = (uint8_t)(i * 37 + 11);
    rss_init(&other_law, key, RSS_ENTRIES, 4);
    defaults(4);
    t.config.tcp.port_hi = LO + 4095;
    t.config.tcp.msl_ms = 10; /* what host 1 keeps of them */
    t.steer = by_another_key;
    mr_sock l = begin();
    assert_true(connections(l, 20) > 50);
    connections(l, 100);
    assert_int_equal(connections(l, 100), 0);
    assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
    town_end(&t);
}

/* Nothing to be learnt: a reply lands anywhere, always on one core, or never at home. */
static void without_any_order_connections_work_all_the_same(void **state)
{
    static unsigned (*const steer[])(struct town *, unsigned, const uint8_t *,
                                     uint32_t) = {town_anywhere, town_to_first, town_beside};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(steer); i++) {
        defaults(4);
        t.config.tcp.port_hi = LO + 4095;
        t.config.tcp.msl_ms = 10;
        t.steer = steer[i];
        mr_sock l = begin();
        connections(l, 100);
        assert_int_equal(town_rsts(&t, 0) + town_rsts(&t, 1), 0);
        town_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_used_once_by_one_core),
        cmocka_unit_test(time_wait_is_replaced_when_no_port_is_free),
        cmocka_unit_test(without_timestamps_time_wait_is_waited_for),
        cmocka_unit_test(where_the_hash_is_unknown_the_ports_that_arrive_are_learnt),
        cmocka_unit_test(without_any_order_connections_work_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
