/* The choice of a local port (RFC 6056 3.3.4). */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "flow/flow.h"

#define LO 40000
#define HI 40299
#define RANGE (HI - LO + 1u)

struct world {
    uint8_t *memory;
    struct mem m;
    struct flow_table t;
    struct flow_ports p;
    struct flow_port_chooser c;
    struct flow_node *node; /* RANGE of them, 64 bytes apart */
};

static void start(struct world *w, uint64_t seed)
{
    static const uint64_t secret[2] = {1, 2};
    size_t size = 1u << 20;

    w->memory = aligned_alloc(4096, size);
    memset(w->memory, 0, size);
    mem_init(&w->m, w->memory, size);
    flow_table_init(&w->t, &w->m, 4 * RANGE, secret);
    flow_ports_init(&w->p, &w->m);
    w->c = (struct flow_port_chooser){
        .key = {{{seed, 3}}, {{seed, 4}}}, .lo = LO, .hi = HI};
}

static struct flow_key to(uint8_t host)
{
    return (struct flow_key){.raddr = ip4_of(192, 0, 2, host), .rport = 80, .lidx = 1};
}

static bool choose(struct world *w, struct flow_key *k)
{
    return flow_choose_port(&w->c, &w->t, &w->p, k);
}

static void take(struct world *w, const struct flow_key *k)
{
    struct flow_node *n = mem_carve(&w->m, 64, CACHE_LINE);

    *n = (struct flow_node){*k, FLOW_CONN};
    assert_true(flow_link(&w->t, n));
}

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
    free(w.memory);
}

static void a_listeners_port_is_never_chosen(void **state)
{
    struct world w;

    (void)state;
    start(&w, 8);
    for (unsigned port = LO; port <= HI; port += 2)
        w.p.listener[port] = 1;
    for (unsigned i = 0; i < RANGE / 2; i++) {
        struct flow_key k = to(1);
        assert_true(choose(&w, &k));
        assert_int_equal(k.lport % 2, 1);
        take(&w, &k);
    }
    struct flow_key k = to(1);
    assert_false(choose(&w, &k));
    free(w.memory);
}

static void a_range_of_one_port_works(void **state)
{
    struct world w;
    struct flow_key k = to(1);

    (void)state;
    start(&w, 9);
    w.c.lo = w.c.hi = 65535;
    assert_true(choose(&w, &k));
    assert_int_equal(k.lport, 65535);
    take(&w, &k);
    assert_false(choose(&w, &k));
    free(w.memory);
}

/* The counter and the secret's offset are 32 bits wide, and the range does not divide 2^32: where
 * their sum wraps round, no port may be left out. */
static void the_last_free_port_is_found_wherever_the_counter_stands(void **state)
{
    struct world w;
    struct flow_key k = to(1);

    (void)state;
    start(&w, 10);
    uint32_t offset = (uint32_t)siphash(&w.c.key[0], &k, sizeof(k));
    for (unsigned port = LO; port <= HI; port++)
        w.p.listener[port] = port != HI - 1;
    for (uint32_t before = 0; before < 2 * RANGE; before++) {
        for (unsigned i = 0; i < FLOW_PORT_COUNTERS; i++)
            w.c.table[i] = (before & 1 ? 0 : 0 - offset) - before / 2;
        k.lport = 0;
        assert_true(choose(&w, &k));
        assert_int_equal(k.lport, HI - 1);
    }
    free(w.memory);
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
        free(w.memory);
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
    free(w.memory);
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
    free(w.memory);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
