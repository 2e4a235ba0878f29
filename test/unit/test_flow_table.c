/* The table of flows against a plain array. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "flow/flow.h"

#define NODES 4096u

struct object {
    struct flow_node node;
    uint8_t rest[64 - sizeof(struct flow_node)];
};

struct world {
    uint8_t *memory;
    struct mem m;
    struct flow_table t;
    struct object *object; /* NODES of them, twice: the second half replaces the first */
    bool in[2 * NODES];
};

static const uint64_t secret[2] = {11, 22};

static void start(struct world *w, uint32_t entries_max)
{
    size_t size = 4u << 20;

    memset(w, 0, sizeof(*w));
    w->memory = aligned_alloc(4096, size);
    memset(w->memory, 0, size);
    mem_init(&w->m, w->memory, size);
    w->object = mem_carve(&w->m, 2 * NODES * sizeof(struct object), CACHE_LINE);
    flow_table_init(&w->t, &w->m, entries_max, secret);
}

/* Every key once: i tells it from all others. */
static struct flow_key key(uint32_t i)
{
    return (struct flow_key){.raddr = ip4_of(10, 0, (uint8_t)(i >> 8), (uint8_t)i),
                             .rport = (uint16_t)(1000 + i / 3),
                             .lport = 80,
                             .lidx = 1};
}

static struct flow_node *find(struct world *w, uint32_t i)
{
    struct flow_key k = key(i);

    return flow_find(&w->t, &k, flow_hash(&w->t, &k));
}

static void link_node(struct world *w, uint32_t i)
{
    w->object[i].node = (struct flow_node){key(i % NODES), FLOW_CONN};
    assert_true(flow_link(&w->t, &w->object[i].node));
    w->in[i] = true;
}

static void unlink_node(struct world *w, uint32_t i)
{
    flow_unlink(&w->t, &w->object[i].node);
    w->in[i] = false;
}

/* The array says which of the two objects of a key is in, if any. */
static struct flow_node *expected(struct world *w, uint32_t i)
{
    if (w->in[i])
        return &w->object[i].node;
    return w->in[NODES + i] ? &w->object[NODES + i].node : NULL;
}

static void compare(struct world *w)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < NODES; i++) {
        assert_ptr_equal(find(w, i), expected(w, i));
        used += expected(w, i) != NULL;
    }
    assert_int_equal(w->t.used, used);
}

static void change(struct world *w, uint32_t i, bool replace)
{
    uint32_t at = w->in[i] ? i : NODES + i, to = w->in[i] ? NODES + i : i;

    if (!expected(w, i)) {
        link_node(w, i);
    } else if (replace) {
        w->object[to].node = w->object[at].node;
        flow_replace(&w->t, &w->object[at].node, &w->object[to].node);
        w->in[at] = false;
        w->in[to] = true;
    } else {
        unlink_node(w, at);
    }
}

static void it_holds_what_a_plain_array_holds(void **state)
{
    struct world w;
    struct rng r;

    (void)state;
    start(&w, NODES);
    rng_init(&r, 1);
    for (unsigned step = 0; step < 60000; step++) {
        uint32_t i = rng_below(&r, step < 30000 ? NODES : NODES / 8);
        change(&w, i, rng_chance(&r, 1, 4));
        assert_ptr_equal(find(&w, i), expected(&w, i));
        if (step % 5000 == 0)
            compare(&w);
    }
    compare(&w);
    for (uint32_t i = 0; i < 2 * NODES; i++)
        if (w.in[i])
            unlink_node(&w, i);
    assert_int_equal(w.t.used, 0);
    assert_int_equal(w.t.overflow.used, 0);
    free(w.memory);
}

static void it_grows_by_one_bucket_at_a_time(void **state)
{
    struct world w;

    (void)state;
    start(&w, NODES);
    for (uint32_t i = 0, was; i < NODES; i++) {
        was = w.t.buckets;
        link_node(&w, i);
        assert_in_range(w.t.buckets - was, 0, 1);
        assert_true(w.t.buckets <= w.t.mask + 1 && 2 * w.t.buckets > w.t.mask + 1);
        assert_true(w.t.buckets <= w.t.buckets_max);
        if (i % 61 == 0)
            compare(&w);
    }
    assert_in_range(w.t.buckets, NODES / 4, NODES / 4 + 1);
    compare(&w);
    free(w.memory);
}

/* All chains but their last buckets are full, and none is empty, whatever left from the middle. */
static void chains_stay_packed(void **state)
{
    struct world w;
    struct rng r;

    (void)state;
    start(&w, 64); /* few buckets: long chains */
    rng_init(&r, 2);
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t i = rng_below(&r, 200);
        if (w.in[i])
            unlink_node(&w, i);
        else
            change(&w, i, false);
        for (uint32_t b = 0; b < w.t.buckets; b++)
            for (struct flow_bucket *at = &w.t.bucket[b]; at;) {
                struct flow_bucket *more = mem_ptr(w.t.arena, at->overflow);
                assert_true(!more || (at->n == FLOW_WAYS && more->n > 0));
                at = more;
            }
    }
    compare(&w);
    free(w.memory);
}

static void a_table_without_room_refuses_and_loses_nothing(void **state)
{
    struct world w;
    uint32_t n = 0;

    (void)state;
    start(&w, 64);
    for (uint32_t i = 0; i < NODES; i++) {
        w.object[i].node = (struct flow_node){key(i), FLOW_CONN};
        if (!flow_link(&w.t, &w.object[i].node))
            continue;
        w.in[i] = true;
        n++;
    }
    assert_true(n >= 64 && n < NODES);
    compare(&w);
    for (uint32_t i = 0; i < NODES; i++)
        if (w.in[i])
            unlink_node(&w, i);
    assert_int_equal(w.t.overflow.used, 0);
    for (uint32_t i = 0; i < 64; i++)
        link_node(&w, i);
    compare(&w);
    free(w.memory);
}

static void what_it_promises_to_hold_it_holds(void **state)
{
    struct world w;

    (void)state;
    for (uint32_t max = 1; max <= NODES; max *= 4) {
        start(&w, max);
        for (uint32_t i = 0; i < max; i++)
            link_node(&w, i);
        compare(&w);
        free(w.memory);
    }
}

static void every_part_of_a_key_counts(void **state)
{
    struct world w;

    (void)state;
    start(&w, NODES);
    link_node(&w, 5);
    for (size_t bit = 0; bit < 8 * sizeof(struct flow_key); bit++) {
        struct flow_key k = key(5);
        ((uint8_t *)&k)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint32_t h = flow_hash(&w.t, &k);
        assert_null(flow_find(&w.t, &k, h));
        assert_int_not_equal(h, flow_hash(&w.t, &w.object[5].node.key));
    }
    free(w.memory);
}

/* The kind is the owner's: any of the three is found by the same key. */
static void all_kinds_are_found_by_one_lookup(void **state)
{
    struct world w;

    (void)state;
    start(&w, NODES);
    for (uint32_t i = 0; i < 3; i++) {
        link_node(&w, i);
        w.object[i].node.kind = (uint8_t)(FLOW_CONN + i);
        assert_int_equal(find(&w, i)->kind, FLOW_CONN + i);
    }
    free(w.memory);
}

static void the_hash_depends_on_the_secret(void **state)
{
    static const uint64_t other[2] = {11, 23};
    struct world w;
    struct flow_table t;
    unsigned same = 0;

    (void)state;
    start(&w, NODES);
    flow_table_init(&t, &w.m, 64, other);
    for (uint32_t i = 0; i < 1000; i++) {
        struct flow_key k = key(i);
        same += (flow_hash(&w.t, &k) & 15) == (flow_hash(&t, &k) & 15);
    }
    assert_in_range(same, 20, 120); /* one in sixteen by chance */
    free(w.memory);
}

/* Keys that differ in the port only, as from a load generator, fill buckets evenly. */
static void neighbouring_keys_spread(void **state)
{
    struct world w;
    unsigned count[64] = {0};

    (void)state;
    start(&w, NODES);
    for (unsigned port = 0; port < 6400; port++) {
        struct flow_key k = key(0);
        k.rport = (uint16_t)port;
        count[flow_hash(&w.t, &k) & 63]++;
    }
    for (unsigned i = 0; i < 64; i++)
        assert_in_range(count[i], 50, 160);
    free(w.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_a_plain_array_holds),
        cmocka_unit_test(it_grows_by_one_bucket_at_a_time),
        cmocka_unit_test(chains_stay_packed),
        cmocka_unit_test(a_table_without_room_refuses_and_loses_nothing),
        cmocka_unit_test(what_it_promises_to_hold_it_holds),
        cmocka_unit_test(every_part_of_a_key_counts),
        cmocka_unit_test(all_kinds_are_found_by_one_lookup),
        cmocka_unit_test(the_hash_depends_on_the_secret),
        cmocka_unit_test(neighbouring_keys_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
