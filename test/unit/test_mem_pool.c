/* The arena and its pools: measured before it is reserved, every object apart, none lost. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/expect_panic.h"
#include "mem/mem.h"

#define ARENA 65536u

static void *arena_get(struct mem *m)
{
    void *base = aligned_alloc(4096, ARENA);

    memset(base, 0, ARENA);
    mem_init(m, base, ARENA);
    return base;
}

static void measuring_and_carving_add_up_to_the_same(void **state)
{
    static const size_t size[] = {1, 16, 17, 4000, 64, 3}, align[] = {1, 64, 16, 4096, 16, 128};
    struct mem measure, m;
    void *base = arena_get(&m);

    (void)state;
    mem_init(&measure, NULL, 0);
    for (unsigned i = 0; i < ARRAY_LEN(size); i++) {
        assert_null(mem_carve(&measure, size[i], align[i]));
        uint8_t *p = mem_carve(&m, size[i], align[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align[i], 0);
        assert_int_equal((uintptr_t)p % MEM_UNIT, 0);
    }
    assert_int_equal(measure.used, m.used);
    assert_true(mem_is_measuring(&measure));
    assert_false(mem_is_measuring(&m));
    free(base);
}

static void carving_more_than_the_arena_is_our_error(void **state)
{
    struct mem m;
    void *base = arena_get(&m);

    (void)state;
    expect_panic(mem_carve(&m, ARENA, 16));
    free(base);
}

static void a_reference_comes_back_as_the_same_pointer(void **state)
{
    struct mem m;
    uint8_t *base = arena_get(&m);
    void *p = mem_carve(&m, 100, 16);

    (void)state;
    assert_true(mem_ref_of(base, p) != MEM_NONE);
    assert_ptr_equal(mem_ptr(base, mem_ref_of(base, p)), p);
    assert_int_equal(mem_ref_of(base, NULL), MEM_NONE);
    assert_null(mem_ptr(base, MEM_NONE));
    free(base);
}

static void an_empty_pool_refuses_and_counts(void **state)
{
    struct pool p;
    struct mem m;
    void *base = arena_get(&m), *a, *b;

    (void)state;
    pool_init(&p, &m, 2, 40, 16);
    a = pool_get(&p);
    b = pool_get(&p);
    assert_null(pool_get(&p));
    assert_int_equal(p.failures, 1);
    assert_int_equal(p.used_max, 2);
    pool_put(&p, a);
    assert_ptr_equal(pool_get(&p), a);
    pool_put(&p, a);
    pool_put(&p, b);
    assert_int_equal(pool_available(&p), 2);
    free(base);
}

static void the_last_returned_is_the_first_reused(void **state)
{
    struct pool p;
    struct mem m;
    void *base = arena_get(&m), *a, *b;

    (void)state;
    pool_init(&p, &m, 10, 32, 16);
    a = pool_get(&p);
    b = pool_get(&p);
    pool_put(&p, a);
    pool_put(&p, b);
    assert_ptr_equal(pool_get(&p), b);
    assert_ptr_equal(pool_get(&p), a);
    assert_int_equal(p.fresh, 2);
    free(base);
}

static void putting_back_what_was_never_out_is_our_error(void **state)
{
    struct pool p;
    struct mem m;
    void *base = arena_get(&m);

    (void)state;
    pool_init(&p, &m, 4, 32, 16);
    expect_panic(pool_put(&p, pool_at(&p, 0)));
    pool_get(&p);
    expect_panic(pool_put(&p, pool_at(&p, 1)));
    free(base);
}

/* Against an array of flags: an object is out once, and its bytes are its own. */
static void random_gets_and_puts_agree_with_a_model(void **state)
{
    enum { N = 64 };
    struct pool p;
    struct mem m;
    struct rng rng;
    void *base = arena_get(&m), *out[N];
    unsigned n = 0;

    (void)state;
    rng_init(&rng, 7);
    pool_init(&p, &m, N, 24, 16);
    for (unsigned step = 0; step < 100000; step++) {
        if (rng_chance(&rng, 1, 2)) {
            void *o = pool_get(&p);
            assert_int_equal(o == NULL, n == N);
            if (!o)
                continue;
            for (unsigned i = 0; i < n; i++)
                assert_ptr_not_equal(out[i], o);
            memset(o, (int)pool_index(&p, o), 24);
            out[n++] = o;
        } else if (n > 0) {
            unsigned i = rng_below(&rng, n);
            uint8_t *o = out[i];
            for (unsigned k = 0; k < 24; k++)
                assert_int_equal(o[k], (uint8_t)pool_index(&p, o));
            pool_put(&p, o);
            out[i] = out[--n];
        }
        assert_int_equal(p.used, n);
    }
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measuring_and_carving_add_up_to_the_same),
        cmocka_unit_test(carving_more_than_the_arena_is_our_error),
        cmocka_unit_test(a_reference_comes_back_as_the_same_pointer),
        cmocka_unit_test(an_empty_pool_refuses_and_counts),
        cmocka_unit_test(the_last_returned_is_the_first_reused),
        cmocka_unit_test(putting_back_what_was_never_out_is_our_error),
        cmocka_unit_test(random_gets_and_puts_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
