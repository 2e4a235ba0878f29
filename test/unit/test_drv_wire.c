/* The wire between two processes: what its ends must agree on. */
#include "lib/cmocka_first.h"

#include <unistd.h>

#include "drv/wire_shm.h"
#include "os/os.h"

#define ARENA ((size_t)64 << 20)

static char path[64], why[300];

struct end {
    struct mem m;
    struct wire_shm *w;
};

static struct wire_shm *open_end(struct end *e, unsigned side, uint32_t queues,
                                 const struct rss *rss)
{
    char spec[80];

    snprintf(spec, sizeof(spec), "%s:%u", path, side);
    mem_init(&e->m, os_reserve(ARENA, false), ARENA);
    e->w =
        wire_shm_open(&e->m, &(struct wire_shm_config){.spec = spec, .queues = queues, .rss = rss},
                      why, sizeof(why));
    if (e->w)
        assert_true(e->m.used <= wire_shm_bytes(queues));
    return e->w;
}

static void close_end(struct end *e)
{
    if (e->w)
        wire_shm_close(e->w);
    os_release(e->m.base, ARENA);
}

static void both_ends_spread_over_as_many_queues_as_they_were_given(void **state)
{
    struct end a, b;
    struct rss law;
    uint16_t table[128] = {0};

    (void)state;
    rss_init(&law, rss_key_symmetric, 128, 2);
    table[5] = 1;
    rss_set_table(&law, table, 128);
    assert_non_null(open_end(&a, 0, 2, NULL));
    assert_non_null(open_end(&b, 1, 2, &law));
    struct nic *one = wire_shm_nic(a.w), *two = wire_shm_nic(b.w);
    assert_int_equal(one->caps.queues, 2);
    assert_int_equal(one->spread, NIC_SPREAD_RSS);
    assert_memory_equal(one->rss->key, rss_key_default, RSS_KEY_BYTES);
    assert_int_equal(two->spread, NIC_SPREAD_RSS);
    assert_memory_equal(two->rss, &law, sizeof(law));
    close_end(&b);
    close_end(&a);
}

static void an_end_with_another_number_of_queues_is_told_both(void **state)
{
    struct end a, b;

    (void)state;
    assert_non_null(open_end(&a, 0, 4, NULL));
    assert_null(open_end(&b, 1, 1, NULL));
    assert_non_null(strstr(why, "was made with 4 queues, and this end has 1"));
    close_end(&b);
    close_end(&a);
    assert_non_null(open_end(&a, 0, 1, NULL));
    assert_null(open_end(&b, 1, 16, NULL));
    assert_non_null(strstr(why, "was made with 1 queue, and this end has 16"));
    close_end(&b);
    close_end(&a);
}

static void a_file_that_is_no_wire_is_said_to_be_none(void **state)
{
    struct end e;
    FILE *f = fopen(path, "w");

    (void)state;
    for (int i = 0; i < 10000; i++)
        fputc(i, f);
    fclose(f);
    assert_null(open_end(&e, 1, 1, NULL));
    assert_non_null(strstr(why, "is not a wire of this version"));
    close_end(&e);
    unlink(path);
}

static void an_end_that_goes_removes_its_own_file_not_the_next_ones(void **state)
{
    struct end first, next, other;

    (void)state;
    assert_non_null(open_end(&first, 0, 1, NULL));
    assert_non_null(open_end(&next, 0, 1, NULL));
    close_end(&first);
    assert_int_equal(access(path, F_OK), 0);
    assert_non_null(open_end(&other, 1, 1, NULL));
    close_end(&other);
    close_end(&next);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_spread_over_as_many_queues_as_they_were_given),
        cmocka_unit_test(an_end_with_another_number_of_queues_is_told_both),
        cmocka_unit_test(a_file_that_is_no_wire_is_said_to_be_none),
        cmocka_unit_test(an_end_that_goes_removes_its_own_file_not_the_next_ones),
    };

    snprintf(path, sizeof(path), "/tmp/millrace-wire-%d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
