/* The wire between two processes: what its ends must agree on. */
#include "lib/cmocka_first.h"

#include <glob.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/wire_shm.h"
#include "os/os.h"

#define ARENA ((size_t)64 << 20)

static char path[64], why[300];

struct end {
    struct mem m;
    struct wire_shm *w;
};

static struct wire_shm *open_end(struct end *e, const char *side, uint32_t queues,
                                 const struct rss *rss)
{
    char spec[80];

    snprintf(spec, sizeof(spec), "%s:%s", path, side);
    mem_init(&e->m, os_reserve(ARENA, false), ARENA);
    struct wire_shm_config c = {.spec = spec, .queues = queues, .rss = rss};
    e->w = wire_shm_open(&e->m, &c, why, sizeof(why));
    if (e->w)
        assert_true(e->m.used <= wire_shm_bytes(&c));
    return e->w;
}

static void close_end(struct end *e)
{
    if (e->w)
        wire_shm_close(e->w);
    os_release(e->m.base, ARENA);
}

/* A packet that belongs to neither end. */
static struct pkt *own_packet(void)
{
    static MR_ALIGNED(4096) uint8_t memory[64 << 10];
    static struct pkt_pool pool;
    struct mem m;

    if (!pool.bufs) {
        mem_init(&m, memory, sizeof(memory));
        pkt_pool_init(&pool, &m, "test", 4, 2048, PKT_HEADROOM, NULL);
    }
    struct pkt *p = pkt_get(&pool);
    assert_non_null(p);
    p->len = 60;
    memset(p->data, 0, p->len);
    return p;
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
    assert_non_null(open_end(&a, "0", 2, NULL));
    assert_non_null(open_end(&b, "1", 2, &law));
    struct nic *one = wire_shm_nic(a.w), *two = wire_shm_nic(b.w);
    assert_int_equal(one->caps.queues, 2);
    assert_int_equal(one->spread, NIC_SPREAD_RSS);
    assert_memory_equal(one->rss->key, rss_key_default, RSS_KEY_BYTES);
    assert_int_equal(two->spread, NIC_SPREAD_RSS);
    assert_memory_equal(two->rss, &law, sizeof(law));
    close_end(&b);
    close_end(&a);
}

/* Frames of many connections from one end to the other, all queues of which are looked at; how many
 * arrived at each. */
static void send_many(struct end *from, struct end *to, unsigned got[MEMWIRE_QUEUES_MAX])
{
    struct nic *out = wire_shm_nic(from->w), *in = wire_shm_nic(to->w);
    struct pkt *p[BURST_MAX];

    memset(got, 0, MEMWIRE_QUEUES_MAX * sizeof(got[0]));
    for (unsigned i = 0; i < 64; i++) {
        struct pkt *f = own_packet();
        store_be16(f->data + 12, 0x0800);
        f->data[14] = 0x45;
        f->data[23] = 6;
        store_be16(f->data + 34, (uint16_t)(i * 517));
        assert_int_equal(nic_tx_burst(out, i % out->caps.queues, &f, 1), 1);
        for (unsigned q = 0; q < in->caps.queues; q++) {
            unsigned n = nic_rx_burst(in, q, p, BURST_MAX);
            got[q] += n;
            for (unsigned k = 0; k < n; k++)
                pkt_put(p[k]);
        }
    }
}

static unsigned sum(const unsigned got[MEMWIRE_QUEUES_MAX], unsigned queues)
{
    unsigned all = 0;

    for (unsigned q = 0; q < queues; q++)
        all += got[q];
    return all;
}

static void side_1_may_have_fewer_queues_than_the_wire(void **state)
{
    struct end a, b;
    unsigned got[MEMWIRE_QUEUES_MAX];

    (void)state;
    assert_non_null(open_end(&a, "0", 4, NULL));
    for (unsigned queues = 1; queues <= 4; queues += 1) {
        assert_non_null(open_end(&b, "1", queues, NULL));
        assert_int_equal(wire_shm_nic(b.w)->caps.queues, queues);
        send_many(&a, &b, got);
        assert_int_equal(sum(got, queues), 64);
        for (unsigned q = 0; q < queues; q++)
            assert_true(got[q] > 0);
        send_many(&b, &a, got);
        assert_int_equal(sum(got, 4), 64);
        close_end(&b);
    }
    assert_non_null(open_end(&b, "1", 1, NULL));
    send_many(&a, &b, got);
    assert_int_equal(got[0], 64);
    close_end(&b);
    close_end(&a);
}

static void side_0_may_make_the_wire_for_more(void **state)
{
    static const char *const bad[] = {"0,peer=65", "0,pear=6", "0,peer=0", "1,peer=6", "0,"};
    struct end a, b;
    unsigned got[MEMWIRE_QUEUES_MAX];

    (void)state;
    assert_non_null(open_end(&a, "0,peer=16", 1, NULL));
    assert_non_null(open_end(&b, "1", 16, NULL));
    send_many(&a, &b, got);
    assert_int_equal(sum(got, 16), 64);
    send_many(&b, &a, got);
    assert_int_equal(got[0], 64);
    close_end(&b);
    close_end(&a);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(open_end(&a, bad[i], 1, NULL));
        close_end(&a);
    }
}

static void side_1_with_more_queues_than_the_wire_is_told_both(void **state)
{
    struct end a, b;

    (void)state;
    assert_non_null(open_end(&a, "0", 1, NULL));
    assert_null(open_end(&b, "1", 16, NULL));
    assert_non_null(strstr(why, "was made with 1 queue for this side, and this end has 16"));
    close_end(&b);
    close_end(&a);
}

/* ---- one after the other ---------------------------------------------------------------- */

static void a_side_1_that_was_killed_is_followed_by_another(void **state)
{
    struct end a, b;
    unsigned got[MEMWIRE_QUEUES_MAX];
    int status;

    (void)state;
    assert_non_null(open_end(&a, "0", 2, NULL));
    for (unsigned i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct pkt *p[BURST_MAX];
            struct pkt *f = own_packet();
            open_end(&b, "1", 1 + i % 2, NULL);
            nic_rx_burst(wire_shm_nic(b.w), 0, p, BURST_MAX);
            nic_tx_burst(wire_shm_nic(b.w), 0, &f, 1);
            kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, SIGKILL);
        struct pkt *p[BURST_MAX], *f = own_packet();
        unsigned n = nic_rx_burst(wire_shm_nic(a.w), 0, p, BURST_MAX);
        while (n > 0)
            pkt_put(p[--n]);
        assert_int_equal(nic_tx_burst(wire_shm_nic(a.w), 0, &f, 1), 1);
    }
    assert_non_null(open_end(&b, "1", 2, NULL));
    send_many(&b, &a, got);
    assert_int_equal(sum(got, 2), 64);
    send_many(&a, &b, got);
    assert_true(sum(got, 2) >= 64); /* and what was on its way to the others */
    close_end(&b);
    close_end(&a);
}

static void two_that_want_to_be_side_1_are_not_both_let_in(void **state)
{
    struct end a, b, c;

    (void)state;
    assert_non_null(open_end(&a, "0", 2, NULL));
    assert_non_null(open_end(&b, "1", 2, NULL));
    assert_null(open_end(&c, "1", 2, NULL));
    assert_non_null(strstr(why, "another program is its side 1"));
    close_end(&c);
    close_end(&b);
    assert_non_null(open_end(&c, "1", 2, NULL));
    close_end(&c);
    close_end(&a);
}

/* ---- sleeping --------------------------------------------------------------------------- */

static void send_one(struct nic *n)
{
    struct pkt *f = own_packet();

    assert_int_equal(nic_tx_burst(n, 0, &f, 1), 1);
}

static void receive_one(struct nic *n)
{
    struct pkt *p[BURST_MAX];

    assert_int_equal(nic_rx_burst(n, 0, p, BURST_MAX), 1);
    pkt_put(p[0]);
}

static void a_sleeping_end_is_woken_by_a_frame_and_by_nothing_else(void **state)
{
    struct end a, b;
    struct pkt *p[BURST_MAX];

    (void)state;
    for (unsigned queues = 1; queues <= 2; queues++) {
        assert_non_null(open_end(&a, "0", queues, NULL));
        assert_non_null(open_end(&b, "1", queues, NULL));
        struct nic *one = wire_shm_nic(a.w), *two = wire_shm_nic(b.w);
        struct os_wait w = {.fd = one->ops->wait_fd(one, 0)};
        assert_int_equal(nic_rx_burst(one, 0, p, BURST_MAX), 0);
        for (unsigned round = 0; round < 3; round++) {
            assert_false(one->ops->wait_prepare(one, 0));
            assert_int_equal(os_wait(&w, 1, 2000), 0);
            send_one(two);
            assert_int_equal(os_wait(&w, 1, 1000000), 1);
            receive_one(one);
            assert_false(one->ops->wait_prepare(one, 0));
            assert_int_equal(os_wait(&w, 1, 2000), 0);
            /* Another process looks meanwhile: the sleeper is rung for all the same, and once. */
            assert_int_equal(nic_rx_burst(one, 0, p, BURST_MAX), 0);
            send_one(two);
            assert_int_equal(os_wait(&w, 1, 1000000), 1);
            os_bell_quiet(w.fd);
            send_one(two);
            assert_int_equal(os_wait(&w, 1, 2000), 0);
            assert_true(one->ops->wait_prepare(one, 0));
            assert_int_equal(nic_rx_burst(one, 0, p, BURST_MAX), 2);
            pkt_put(p[0]);
            pkt_put(p[1]);
        }
        close_end(&b);
        close_end(&a);
    }
}

/* Two threads that each sleep until the other has answered: a ring that is lost ends it. */
#define TURNS 20000u

struct player {
    struct end end;
    unsigned side;
    bool failed;
};

static void play(void *arg)
{
    struct player *me = arg;
    struct nic *n = wire_shm_nic(me->end.w);
    struct os_wait w = {.fd = n->ops->wait_fd(n, 0)};
    static MR_ALIGNED(4096) uint8_t memory[2][64 << 10];
    struct pkt_pool pool;
    struct mem m;
    struct pkt *p[BURST_MAX];

    mem_init(&m, memory[me->side], sizeof(memory[0]));
    pkt_pool_init(&pool, &m, "test", 4, 2048, PKT_HEADROOM, NULL);
    for (unsigned turn = 0; turn < TURNS && !me->failed; turn++) {
        struct pkt *f = pkt_get(&pool);
        f->len = 60;
        memset(f->data, 0, f->len);
        while (me->side == 0 && nic_tx_burst(n, 0, &f, 1) == 0)
            os_relax();
        unsigned got = 0;
        for (unsigned spin = 0; spin < turn % 50 && !got; spin++)
            got = nic_rx_burst(n, 0, p, BURST_MAX);
        while (got == 0 && !me->failed) {
            me->failed = !n->ops->wait_prepare(n, 0) && os_wait(&w, 1, 10000000) == 0;
            got = nic_rx_burst(n, 0, p, BURST_MAX);
        }
        if (got)
            pkt_put(p[0]);
        while (me->side == 1 && nic_tx_burst(n, 0, &f, 1) == 0)
            os_relax();
    }
}

static void no_ring_is_lost_between_two_that_sleep_for_each_other(void **state)
{
    (void)state;
    for (unsigned queues = 1; queues <= 2; queues++) {
        struct player player[2] = {{.side = 0}, {.side = 1}};
        struct os_thread t[2];
        assert_non_null(open_end(&player[0].end, "0", queues, NULL));
        assert_non_null(open_end(&player[1].end, "1", queues, NULL));
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(os_thread_start(&t[i], play, &player[i]), 0);
        for (unsigned i = 0; i < 2; i++) {
            os_thread_join(&t[i]);
            assert_false(player[i].failed);
        }
        close_end(&player[1].end);
        close_end(&player[0].end);
    }
}

/* ---- files ------------------------------------------------------------------------------ */

static void a_file_that_is_no_wire_is_said_to_be_none(void **state)
{
    struct end e;
    FILE *f = fopen(path, "w");

    (void)state;
    for (int i = 0; i < 10000; i++)
        fputc(i, f);
    fclose(f);
    assert_null(open_end(&e, "1", 1, NULL));
    assert_non_null(strstr(why, "is not a wire of this version"));
    close_end(&e);
    unlink(path);
}

/* Of this wire, bells too. */
static int files_left(void)
{
    char pattern[80];
    glob_t g;

    snprintf(pattern, sizeof(pattern), "%s*", path);
    int n = glob(pattern, 0, NULL, &g) == 0 ? (int)g.gl_pathc : 0;
    if (n)
        globfree(&g);
    return n;
}

static void an_end_that_goes_removes_its_own_file_not_the_next_ones(void **state)
{
    struct end first, next, other;

    (void)state;
    assert_non_null(open_end(&first, "0", 1, NULL));
    assert_non_null(open_end(&next, "0", 1, NULL));
    close_end(&first);
    assert_int_equal(access(path, F_OK), 0);
    assert_non_null(open_end(&other, "1", 1, NULL));
    close_end(&other);
    close_end(&next);
    assert_int_equal(files_left(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_spread_over_as_many_queues_as_they_were_given),
        cmocka_unit_test(side_1_may_have_fewer_queues_than_the_wire),
        cmocka_unit_test(side_0_may_make_the_wire_for_more),
        cmocka_unit_test(side_1_with_more_queues_than_the_wire_is_told_both),
        cmocka_unit_test(a_side_1_that_was_killed_is_followed_by_another),
        cmocka_unit_test(two_that_want_to_be_side_1_are_not_both_let_in),
        cmocka_unit_test(a_sleeping_end_is_woken_by_a_frame_and_by_nothing_else),
        cmocka_unit_test(no_ring_is_lost_between_two_that_sleep_for_each_other),
        cmocka_unit_test(a_file_that_is_no_wire_is_said_to_be_none),
        cmocka_unit_test(an_end_that_goes_removes_its_own_file_not_the_next_ones),
    };

    snprintf(path, sizeof(path), "/tmp/millrace-wire-%d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
