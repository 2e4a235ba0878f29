/* The choice of a local port: RFC 6056 3.3.4, over the ports whose replies come home. */
#define _GNU_SOURCE
#include "lib/flow_world.h"

/* ---- one core ------------------------------------------------------------------------ */

static void every_port_is_found_once_and_then_there_is_none(void **state)
{
    struct world w;
    bool seen[RANGE] = {false};

    (void)state;
    start(&w, 7);
    for (unsigned i = 0; i < RANGE; i++) {
        struct flow_key k = to(1);
        assert_true(choose(&w, &k));
        assert_in_range(k.lport, LO, HI);
        assert_false(seen[k.lport - LO]);
        seen[k.lport - LO] = true;
        take(&w, &k);
    }
    struct flow_key k = to(1), other = to(2);
    assert_false(choose(&w, &k));
    assert_true(choose(&w, &other)); /* the same ports serve another peer */
    end(&w);
}

static void a_listeners_port_is_never_chosen(void **state)
{
    struct world w;

    (void)state;
    start(&w, 8);
    for (unsigned port = LO; port <= HI; port += 2)
        listen_on(&w, port, true);
    for (unsigned i = 0; i < RANGE / 2; i++) {
        struct flow_key k = to(1);
        assert_true(choose(&w, &k));
        assert_int_equal(k.lport % 2, 1);
        take(&w, &k);
    }
    struct flow_key k = to(1);
    assert_false(choose(&w, &k));
    listen_on(&w, LO + 4, false);
    assert_true(choose(&w, &k));
    assert_int_equal(k.lport, LO + 4);
    end(&w);
}

static void a_range_of_one_port_works(void **state)
{
    struct world w;
    struct flow_key k = to(1);

    (void)state;
    start_core(&w, 1, 0, 65535, 65535, 9);
    assert_true(choose(&w, &k));
    assert_int_equal(k.lport, 65535);
    take(&w, &k);
    assert_false(choose(&w, &k));
    end(&w);
}

/* A peer that is no longer remembered begins where its counter says. */
static void forget_all(struct world *w)
{
    memset(w->c.peers, 0, FLOW_PEERS * sizeof(struct flow_peer));
}

/* The counter and the secret's offset are 32 bits wide, and the range does not divide 2^32: where
 * their sum wraps round, no port may be left out. */
static void the_last_free_port_is_found_wherever_the_counter_stands(void **state)
{
    struct world w;
    struct flow_key k = to(1);

    (void)state;
    start(&w, 10);
    uint32_t offset = (uint32_t)siphash(&w.c.key, &k, sizeof(k));
    for (unsigned port = LO; port <= HI; port++)
        listen_on(&w, port, port != HI - 1);
    for (uint32_t before = 0; before < 2 * RANGE; before++) {
        forget_all(&w);
        for (unsigned i = 0; i < FLOW_COUNTERS; i++)
            w.c.counter[i] = (before & 1 ? 0 : 0 - offset) - before / 2;
        k.lport = 0;
        assert_true(choose(&w, &k));
        assert_int_equal(k.lport, HI - 1);
    }
    end(&w);
}

/* What one peer sees tells it nothing about where another one starts. */
static void the_start_differs_between_peers_and_secrets(void **state)
{
    struct world w;
    unsigned same = 0, pairs = 0, first[50];

    (void)state;
    for (unsigned seed = 0; seed < 50; seed++) {
        start(&w, 100 + seed);
        struct flow_key k = to(1);
        assert_true(choose(&w, &k));
        first[seed] = k.lport;
        end(&w);
    }
    for (unsigned i = 0; i < 50; i++)
        for (unsigned j = 0; j < i; j++, pairs++)
            same += first[i] == first[j];
    assert_true(same < pairs / 50);
    start(&w, 1);
    same = 0;
    for (unsigned host = 1; host < 101; host++) {
        struct flow_key a = to((uint8_t)host), b = to((uint8_t)(host + 100));
        assert_true(choose(&w, &a) && choose(&w, &b));
        same += a.lport == b.lport;
    }
    assert_true(same < 6);
    end(&w);
}

static void the_choice_is_spread_over_the_range(void **state)
{
    struct world w;
    unsigned count[10] = {0};

    (void)state;
    start(&w, 3);
    for (unsigned i = 0; i < 10000; i++) {
        struct flow_key k = to((uint8_t)i);
        k.rport = (uint16_t)i;
        assert_true(choose(&w, &k));
        count[(k.lport - LO) / (RANGE / 10)]++;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(count[i], 800, 1200);
    end(&w);
}

/* More peers than are remembered: each goes on from its counter, and no port comes again before
 * most others have been used. */
static void a_peer_forgotten_goes_on_where_it_was(void **state)
{
    struct world w;
    unsigned again = 0;
    static uint16_t last[20000];

    (void)state;
    start_core(&w, 1, 0, 32768, 60999, 4);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 20000; i++) {
            struct flow_key k = to((uint8_t)i);
            k.rport = (uint16_t)(1 + i / 256);
            assert_true(choose(&w, &k));
            again += round > 0 && k.lport == last[i];
            last[i] = k.lport;
        }
    }
    assert_int_equal(again, 0);
    end(&w);
}

/* ---- a class of one's own --------------------------------------------------------------- */

/* Each core takes all it can get; every one is at home; nobody takes another's; none is left. */
static void classes_cover(unsigned which, unsigned entries, unsigned cores, uint16_t lo,
                          uint16_t hi)
{
    static struct world w;
    static uint8_t owner[2][65536];

    memset(owner, 0, sizeof(owner));
    for (unsigned self = 0; self < cores; self++) {
        law_init(&w.law, which, entries, cores);
        start_core(&w, cores, self, lo, hi, 20 + which);
        for (unsigned peer = 0; peer < 2; peer++) {
            struct flow_key k = to((uint8_t)(77 * peer + cores));
            uint32_t size = flow_class_size(
                &w.c.class, flow_class_fixed(&w.c.class, ip_v4(&k.raddr), us, k.rport));
            for (uint32_t i = 0; i < size; i++) {
                assert_true(choose(&w, &k));
                assert_in_range(k.lport, lo, hi);
                assert_true(is_home(&w, &k));
                assert_int_equal(owner[peer][k.lport], 0);
                owner[peer][k.lport] = (uint8_t)(self + 1);
                take(&w, &k);
            }
            if (size)
                assert_false(choose(&w, &k));
        }
        end(&w);
    }
    for (unsigned port = lo; port <= hi; port++)
        assert_true(owner[0][port] && owner[1][port]);
}

static void the_classes_of_all_cores_are_disjoint_and_cover_the_range(void **state)
{
    static const unsigned cores[] = {2, 3, 8, 17, 64};

    (void)state;
    for (unsigned which = 0; which < KEYS; which++)
        for (unsigned i = 0; i < ARRAY_LEN(cores); i++)
            classes_cover(which, 128, cores[i], 32768, 60999);
    classes_cover(KEY_DEFAULT, 512, 64, 1, 65535);
    classes_cover(KEY_RANDOM, 64, 64, 1024, 2222);
    classes_cover(KEY_SYMMETRIC, 16, 3, 50000, 50003);
}

/* Take the whole class; nodes in the order of taking. */
static uint32_t fill(struct world *w, struct flow_key *k, struct flow_node **node)
{
    uint32_t size = class_size(w, k);

    for (uint32_t i = 0; i < size; i++) {
        assert_true(choose(w, k));
        node[i] = take(w, k);
    }
    return size;
}

static struct flow_node *node[32768];

static void when_the_class_is_full_each_port_freed_is_found_again(void **state)
{
    struct world w;
    struct flow_key k = to(5);
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    start_class(&w, 64, 11);
    uint32_t size = fill(&w, &k, node);
    assert_in_range(size, 300, 600);
    for (unsigned i = 0; i < 1000; i++) {
        struct flow_node *n = node[rng_below(&r, size)];
        assert_int_equal(flow_choose_port(&w.c, &k, us), FLOW_PORT_NONE);
        flow_unlink(&w.t, n);
        assert_true(choose(&w, &k));
        assert_int_equal(k.lport, n->key.lport);
        assert_true(flow_link(&w.t, n));
    }
    end(&w);
}

static uint64_t steps(const struct world *w)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < FLOW_COUNTERS; i++)
        n += w->c.counter[i];
    return n;
}

static void a_full_class_is_not_walked_again_before_something_has_ended(void **state)
{
    struct world w;
    struct flow_key k = to(5), other = to(6);

    (void)state;
    start_class(&w, 2, 1);
    uint32_t size = fill(&w, &k, node);
    assert_true(choose(&w, &other));
    struct flow_node *elsewhere = take(&w, &other);
    assert_false(choose(&w, &k));
    uint64_t before = steps(&w);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(choose(&w, &k));
    flow_unlink(&w.t, elsewhere); /* another peer's */
    assert_false(choose(&w, &k));
    assert_int_equal(steps(&w), before);
    flow_unlink(&w.t, node[size / 2]);
    assert_true(choose(&w, &k));
    assert_int_equal(k.lport, node[size / 2]->key.lport);
    end(&w);
}

static void a_port_that_any_core_listens_on_is_not_chosen(void **state)
{
    struct world w;
    struct flow_key k = to(9);

    (void)state;
    start_class(&w, 64, 3);
    uint32_t size = class_size(&w, &k);
    assert_true(choose(&w, &k));
    uint16_t theirs = k.lport;
    port_cores_set(&w.cores.ports, 60, PORT_TCP, theirs, true);
    for (uint32_t i = 1; i < size; i++) {
        assert_true(choose(&w, &k));
        assert_int_not_equal(k.lport, theirs);
        take(&w, &k);
    }
    assert_false(choose(&w, &k));
    assert_false(choose(&w, &k));
    port_cores_set(&w.cores.ports, 60, PORT_TCP, theirs, false);
    assert_true(choose(&w, &k));
    assert_int_equal(k.lport, theirs);
    end(&w);
}

/* ---- TIME-WAIT (RFC 6191) ---------------------------------------------------------------- */

/* The age of a node is in its port here; odd ones may not be reused. */
static uint32_t age_by_port(const void *arg, const struct flow_node *n)
{
    const uint16_t *oldest = arg;

    return n->key.lport & 1 ? 0 : n->key.lport == *oldest ? 2 : 1;
}

static void when_no_port_is_free_the_oldest_in_time_wait_is_used_again(void **state)
{
    struct world w;
    struct flow_key k = to(5);
    uint16_t oldest = 0;

    (void)state;
    start_class(&w, 8, 2);
    w.c.reuse = age_by_port;
    w.c.reuse_arg = &oldest;
    uint32_t size = fill(&w, &k, node);
    assert_int_equal(flow_choose_port(&w.c, &k, us), FLOW_PORT_NONE);
    for (uint32_t i = 0; i < size; i++)
        if (node[i]->key.lport & 1)
            node[i]->kind = FLOW_TIME_WAIT;
    flow_unlink(&w.t, node[0]); /* as it is when a connection enters TIME-WAIT */
    assert_true(flow_link(&w.t, node[0]));
    assert_int_equal(flow_choose_port(&w.c, &k, us), FLOW_PORT_NONE);
    for (uint32_t i = 0; i < size; i += 3) {
        node[i]->kind = FLOW_TIME_WAIT;
        if (!(node[i]->key.lport & 1))
            oldest = node[i]->key.lport;
    }
    forget_all(&w);
    assert_int_equal(flow_choose_port(&w.c, &k, us), FLOW_PORT_REUSE);
    assert_int_equal(k.lport, oldest);
    end(&w);
}

/* One connection after another to one peer, each in TIME-WAIT when it ends: once the class is full
 * a port must not cost a walk over all of it. */
static void a_class_full_of_time_wait_is_not_walked_to_its_end_each_time(void **state)
{
    struct world w;
    struct flow_key k = to(5);
    uint16_t oldest = 0;

    (void)state;
    start_class(&w, 2, 0);
    w.c.reuse = age_by_port;
    w.c.reuse_arg = &oldest;
    uint32_t size = fill(&w, &k, node);
    for (uint32_t i = 0; i < size; i++)
        node[i]->kind = FLOW_TIME_WAIT;
    uint64_t before = steps(&w);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(flow_choose_port(&w.c, &k, us), FLOW_PORT_REUSE);
        struct flow_node *n = flow_find(&w.t, &k, flow_hash(&w.t, &k));
        flow_unlink(&w.t, n);
        assert_true(flow_link(&w.t, n));
    }
    /* 17 and 64 at a time, and over all once when so many have ended as are an eighth of it. */
    assert_true(steps(&w) - before < 10000 * (17 + 64 + 8) + size * 2);
    end(&w);
}

/* ---- poor keys, few entries ----------------------------------------------------------------- */

/* All ports have one hash: a peer's class is all of them or none.  Who has none takes a share that
 * is nobody else's. */
static void a_class_without_any_port_falls_back_to_a_share_of_the_core(void **state)
{
    static const uint8_t key[RSS_KEY_BYTES] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};
    static struct world w;
    uint8_t owner[RANGE] = {0};
    unsigned homes = 0;

    (void)state;
    for (unsigned self = 0; self < 4; self++) {
        struct flow_key k = to(1);
        rss_init(&w.law, key, 128, 4);
        start_core(&w, 4, self, LO, HI, 50);
        uint32_t size = class_size(&w, &k);
        assert_true(size == 0 || size == RANGE);
        homes += size == RANGE;
        for (unsigned i = 0; i < (size ? size : RANGE / 4); i++) {
            assert_true(choose(&w, &k));
            assert_int_equal(is_home(&w, &k), size != 0);
            if (!size) {
                assert_int_equal(owner[k.lport - LO], 0);
                owner[k.lport - LO] = 1;
            }
            take(&w, &k);
        }
        assert_false(choose(&w, &k));
        end(&w);
    }
    assert_int_equal(homes, 1);
}

static void a_core_that_no_entry_leads_to_has_its_share(void **state)
{
    static struct world w;
    struct flow_key k = to(1);

    (void)state;
    rss_init(&w.law, rss_key_default, 16, 16);
    start_core(&w, 64, 40, LO, HI, 51);
    assert_int_equal(class_size(&w, &k), 0);
    for (unsigned i = 0; i < 5; i++) { /* 40040, 40104, ... 40296 */
        assert_true(choose(&w, &k));
        assert_int_equal((k.lport - LO) % 64, 40);
        take(&w, &k);
    }
    assert_false(choose(&w, &k));
    end(&w);
    start_core(&w, 64, 63, LO, LO + 9, 52); /* not even a share */
    assert_false(choose(&w, &k));
    assert_false(choose(&w, &k));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_found_once_and_then_there_is_none),
        cmocka_unit_test(a_listeners_port_is_never_chosen),
        cmocka_unit_test(a_range_of_one_port_works),
        cmocka_unit_test(the_last_free_port_is_found_wherever_the_counter_stands),
        cmocka_unit_test(the_start_differs_between_peers_and_secrets),
        cmocka_unit_test(the_choice_is_spread_over_the_range),
        cmocka_unit_test(a_peer_forgotten_goes_on_where_it_was),
        cmocka_unit_test(the_classes_of_all_cores_are_disjoint_and_cover_the_range),
        cmocka_unit_test(when_the_class_is_full_each_port_freed_is_found_again),
        cmocka_unit_test(a_full_class_is_not_walked_again_before_something_has_ended),
        cmocka_unit_test(a_port_that_any_core_listens_on_is_not_chosen),
        cmocka_unit_test(when_no_port_is_free_the_oldest_in_time_wait_is_used_again),
        cmocka_unit_test(a_class_full_of_time_wait_is_not_walked_to_its_end_each_time),
        cmocka_unit_test(a_class_without_any_port_falls_back_to_a_share_of_the_core),
        cmocka_unit_test(a_core_that_no_entry_leads_to_has_its_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
