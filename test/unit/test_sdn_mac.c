/* The table of learnt addresses. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "sdn/mac.h"

static void *memory;

static void open_table(struct mac_table *t, uint32_t max)
{
    struct mem m;

    mem_init(&m, NULL, 0);
    mac_carve(t, &m, max, 1);
    size_t bytes = align_up(m.used, 4096);
    memory = aligned_alloc(4096, bytes);
    memset(memory, 0, bytes);
    mem_init(&m, memory, bytes);
    mac_carve(t, &m, max, 0x123456789abcdefu);
}

static uint64_t key_of(uint32_t i, uint16_t id)
{
    const uint8_t mac[6] = {0, (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16), 0, (uint8_t)id};

    return mac_key(mac, id);
}

static void an_address_is_found_moves_and_is_forgotten(void **state)
{
    struct mac_table t;
    uint64_t k = key_of(1, 7);

    (void)state;
    open_table(&t, 100);
    assert_int_equal(mac_find(&t, k, 0), 0);
    assert_int_equal(mac_learn(&t, k, 0, 3, 10), MAC_NEW);
    assert_int_equal(mac_learn(&t, k, 0, 3, 11), MAC_SAME);
    assert_int_equal(mac_find(&t, k, 0), 3);
    assert_int_equal(mac_learn(&t, k, 0, 4, 12), MAC_MOVED);
    assert_int_equal(mac_find(&t, k, 0), 4);
    assert_int_equal(mac_find(&t, key_of(1, 8), 0), 0);
    assert_int_equal(mac_learn(&t, k, 9, 5, 12), MAC_NEW);
    assert_int_equal(mac_find(&t, k, 0), 4);
    assert_int_equal(mac_find(&t, k, 9), 5);
    mac_forget(&t, k, 0);
    assert_int_equal(mac_find(&t, k, 0), 0);
    assert_int_equal(mac_find(&t, k, 9), 5);
    assert_int_equal(t.used, 1);
    mac_check(&t);
    free(memory);
}

static void the_age_of_an_entry_comes_round_with_its_bits(void **state)
{
    struct mac_entry e = {.seen = MAC_SEEN_MASK};

    (void)state;
    assert_int_equal(mac_age(&e, MAC_SEEN_MASK + 5), 5);
    assert_int_equal(mac_age(&e, MAC_SEEN_MASK), 0);
}

/* While it grows nothing is lost, whatever the moment. */
static void all_that_the_limit_allows_is_kept(void **state)
{
    enum { N = 200000 };
    struct mac_table t;

    (void)state;
    open_table(&t, N);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(mac_learn(&t, key_of(i, (uint16_t)(1 + i % 3)), 0, 1 + i % 5, i / 1000),
                         MAC_NEW);
        if (i % 50021 == 0 || i == 5000 || i == 5100)
            mac_check(&t);
    }
    assert_int_equal(t.used, N);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(mac_find(&t, key_of(i, (uint16_t)(1 + i % 3)), 0), 1 + i % 5);
    mac_check(&t);
    free(memory);
}

static void hosts_cost_so_many_bytes(void **state)
{
    struct mac_table t;
    struct mem m;

    (void)state;
    /* cbench -s 16 -M 100000: 1.6 million hosts in 32 MiB, 21 bytes each. */
    mem_init(&m, NULL, 0);
    mac_carve(&t, &m, 1600016, 1);
    assert_true(m.used <= (32u << 20) + (1u << 16));
}

static void at_the_limit_the_oldest_of_a_bucket_gives_way(void **state)
{
    enum { N = 4000 };
    struct mac_table t;
    uint32_t evicted = 0, young = 0;

    (void)state;
    open_table(&t, 200);
    for (uint32_t i = 0; i < N; i++)
        evicted += mac_learn(&t, key_of(i, 1), 0, 1, i) == MAC_NEW_EVICTED;
    mac_check(&t);
    assert_int_equal(t.used, N - evicted);
    assert_true(t.used >= 200 && t.used <= t.buckets_max * MAC_WAYS);
    for (uint32_t i = N - 100; i < N; i++)
        young += mac_find(&t, key_of(i, 1), 0) != 0;
    assert_true(young >= 95);
    assert_int_equal(mac_find(&t, key_of(0, 1), 0), 0);
    free(memory);
}

static void a_port_or_a_switch_is_forgotten_and_its_neighbours_are_not(void **state)
{
    struct mac_table t;
    struct mac_entry e;
    uint64_t cursor = 0;
    unsigned n = 0;

    (void)state;
    open_table(&t, 10000);
    for (uint32_t i = 0; i < 3000; i++)
        mac_learn(&t, key_of(i, (uint16_t)(1 + i % 3)), 0, 1 + i % 2, 1);
    mac_forget_switch(&t, 1, 2);
    while (mac_next(&t, 1, &cursor, &e)) {
        assert_int_equal(e.port, 1);
        n++;
    }
    assert_int_equal(n, 500);
    mac_forget_switch(&t, 2, 0);
    cursor = 0;
    assert_false(mac_next(&t, 2, &cursor, &e));
    assert_int_equal(t.used, 1500);
    mac_check(&t);
    free(memory);
}

static void what_a_gone_switch_has_learnt_is_swept_up(void **state)
{
    struct mac_table t;
    uint16_t a, b;

    (void)state;
    open_table(&t, 20000);
    a = mac_id_get(&t);
    b = mac_id_get(&t);
    assert_int_not_equal(a, b);
    for (uint32_t i = 0; i < 10000; i++)
        mac_learn(&t, key_of(i, i % 2 ? a : b), 0, 1, 1);
    mac_id_put(&t, a);
    while (mac_sweep(&t))
        ;
    assert_int_equal(t.used, 5000);
    mac_check(&t);
    free(memory);
}

/* The room of the gone is taken before it is swept, and an id comes back only afterwards. */
static void ids_come_round_and_never_show_what_was_before(void **state)
{
    struct mac_table t;
    struct mac_entry e;
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    open_table(&t, 500);
    for (unsigned round = 0; round < 70000; round++) {
        uint16_t id = mac_id_get(&t);
        uint64_t cursor = 0;
        assert_int_not_equal(id, 0);
        if (round % 64 == 0)
            assert_false(mac_next(&t, id, &cursor, &e));
        for (unsigned i = 0; i < 8; i++)
            mac_learn(&t, key_of(rng_below(&r, 1000), id), 0, 1 + rng_below(&r, 9), round);
        mac_id_put(&t, id);
        if (round % 7 == 0)
            mac_sweep(&t);
    }
    while (mac_sweep(&t))
        ;
    assert_int_equal(t.used, 0);
    mac_check(&t);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_found_moves_and_is_forgotten),
        cmocka_unit_test(the_age_of_an_entry_comes_round_with_its_bits),
        cmocka_unit_test(all_that_the_limit_allows_is_kept),
        cmocka_unit_test(hosts_cost_so_many_bytes),
        cmocka_unit_test(at_the_limit_the_oldest_of_a_bucket_gives_way),
        cmocka_unit_test(a_port_or_a_switch_is_forgotten_and_its_neighbours_are_not),
        cmocka_unit_test(what_a_gone_switch_has_learnt_is_swept_up),
        cmocka_unit_test(ids_come_round_and_never_show_what_was_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
