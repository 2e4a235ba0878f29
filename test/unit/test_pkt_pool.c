/* Packets, their buffers, fragments and checksums; send buffers and their references. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/expect_panic.h"
#include "pkt/pkt.h"

#define ARENA 65536u

struct world {
    struct mem m;
    struct pkt_pool pool;
    struct sbuf_pool sbufs;
    void *base;
};

static void world_start(struct world *w)
{
    w->base = aligned_alloc(4096, ARENA);
    memset(w->base, 0, ARENA);
    mem_init(&w->m, w->base, ARENA);
    pkt_pool_init(&w->pool, &w->m, "test", 8, 512, 128, NULL);
    sbuf_pool_init(&w->sbufs, &w->m, 16, 8, 256);
    w->pool.sbufs = &w->sbufs;
}

static void a_fresh_packet_is_empty_behind_its_headroom(void **state)
{
    struct world w;
    struct pkt *p;

    (void)state;
    world_start(&w);
    p = pkt_get(&w.pool);
    assert_int_equal(pkt_headroom(p), 128);
    assert_int_equal(pkt_tailroom(p), 512 - 128);
    assert_int_equal(pkt_total(p), 0);
    assert_int_equal(p->flags, 0);
    pkt_put(p);
    assert_int_equal(w.pool.descs.used, 0);
    free(w.base);
}

static void buffers_do_not_overlap(void **state)
{
    struct world w;
    struct pkt *p[8];

    (void)state;
    world_start(&w);
    for (unsigned i = 0; i < 8; i++) {
        p[i] = pkt_get(&w.pool);
        memset(p[i]->buf, (int)i, 512);
    }
    assert_null(pkt_get(&w.pool));
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned k = 0; k < 512; k++)
            assert_int_equal(p[i]->buf[k], i);
        pkt_put(p[i]);
    }
    free(w.base);
}

static void pushing_past_the_headroom_is_our_error(void **state)
{
    struct world w;
    struct pkt *p;

    (void)state;
    world_start(&w);
    p = pkt_get(&w.pool);
    pkt_push(p, 128);
    expect_panic(pkt_push(p, 1));
    pkt_pull(p, 128);
    expect_panic(pkt_pull(p, 1));
    free(w.base);
}

static void fragments_hold_their_buffers(void **state)
{
    struct world w;
    struct pkt *p;
    struct sbuf *b;

    (void)state;
    world_start(&w);
    p = pkt_get(&w.pool);
    b = sbuf_get(&w.sbufs);
    b->refs++;
    p->frags[p->nfrags++] = (struct pkt_frag){b->ptr, 10, mem_ref_of(w.base, b)};
    p->frag_len = 10;
    sbuf_put(&w.sbufs, b);
    assert_int_equal(w.sbufs.chunks.used, 1);
    pkt_put(p);
    assert_int_equal(w.sbufs.chunks.used, 0);
    assert_int_equal(w.sbufs.bufs.used, 0);
    free(w.base);
}

/* Two are out, one waits in the port: only that one stays there. */
static void what_a_dead_owner_had_is_free_again(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    struct pkt *a = pkt_get(&w.pool), *b = pkt_get(&w.pool);
    assert_ptr_not_equal(a, b);
    b->next = b;
    pkt_pool_reclaim(&w.pool);
    assert_int_equal(w.pool.descs.used, 1);
    assert_int_equal(w.pool.posted, 1);
    for (uint32_t i = 1; i < w.pool.descs.capacity; i++) {
        struct pkt *p = pkt_get(&w.pool);
        assert_non_null(p);
        assert_ptr_not_equal(p, b);
    }
    assert_null(pkt_get(&w.pool));
    free(w.base);
}

static void released(void *arg, const void *ptr, size_t n)
{
    (void)arg;
    (void)ptr;
    (void)n;
}

static void a_given_range_waits_until_its_owner_asks(void **state)
{
    struct world w;
    static const uint8_t data[3] = {1, 2, 3};
    struct sbuf *b, *c;

    (void)state;
    world_start(&w);
    b = sbuf_get_given(&w.sbufs, data, 3, released, &w);
    c = sbuf_get_given(&w.sbufs, data, 2, released, &w);
    sbuf_put(&w.sbufs, b);
    sbuf_put(&w.sbufs, c);
    assert_ptr_equal(sbuf_pop_released(&w.sbufs), b);
    assert_ptr_equal(sbuf_pop_released(&w.sbufs), c);
    assert_null(sbuf_pop_released(&w.sbufs));
    sbuf_free(&w.sbufs, b);
    sbuf_free(&w.sbufs, c);
    assert_int_equal(w.sbufs.bufs.used, 0);
    free(w.base);
}

/* Random pieces, odd lengths too: the sum over a packet is the sum over its bytes. */
static void the_checksum_of_a_packet_is_that_of_its_bytes(void **state)
{
    struct world w;
    struct rng rng;
    static uint8_t data[4096], flat[4096];

    (void)state;
    rng_init(&rng, 3);
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)rng_u32(&rng);
    for (unsigned round = 0; round < 2000; round++) {
        world_start(&w);
        struct pkt *p = pkt_get(&w.pool);
        uint32_t from;
        p->len = 1 + rng_below(&rng, 300);
        memcpy(p->data, data, p->len);
        for (p->nfrags = 0; p->nfrags < rng_below(&rng, PKT_FRAGS + 1); p->nfrags++) {
            uint32_t n = rng_below(&rng, 200);
            p->frags[p->nfrags] = (struct pkt_frag){data + rng_below(&rng, 1000), n, MEM_NONE};
            p->frag_len += n;
        }
        from = rng_below(&rng, p->len);
        pkt_copy_out(p, flat);
        assert_int_equal(csum_fold(pkt_csum(p, from, csum_add_portable)),
                         csum_fold(csum_add_portable(flat + from, pkt_total(p) - from, 0)));
        free(w.base);
    }
}

static void a_partial_checksum_is_finished_to_a_right_one(void **state)
{
    struct world w;
    struct pkt *p;
    uint16_t pseudo = 0x1234;

    (void)state;
    world_start(&w);
    p = pkt_get(&w.pool);
    p->len = 101;
    memset(p->data, 0x5a, p->len);
    p->l4_off = (uint16_t)(p->data - p->buf + 20);
    p->flags = PKT_CSUM_PARTIAL;
    memcpy(p->data + 20 + 16, &pseudo, 2);
    pkt_csum_finish(p, 16, csum_add_portable);
    assert_int_equal(csum_fold(csum_add_portable(p->data + 20, 81, pseudo)), 0xffff);
    assert_int_equal(p->flags, 0);
    free(w.base);
}

static void a_sum_of_zero_is_sent_as_ones_by_udp_only(void **state)
{
    static const struct {
        uint32_t off;
        uint16_t want;
    } fields[] = {{6, 0xffff}, {16, 0}};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        uint8_t ones[2] = {0xff, 0xff};
        uint16_t field;
        world_start(&w);
        struct pkt *p = pkt_get(&w.pool);
        p->len = 20;
        memset(p->data, 0, p->len);
        memcpy(p->data + fields[i].off, ones, 2);
        p->l4_off = (uint16_t)(p->data - p->buf);
        pkt_csum_finish(p, fields[i].off, csum_add_portable);
        memcpy(&field, p->data + fields[i].off, 2);
        assert_int_equal(field, fields[i].want);
        free(w.base);
    }
}

static void a_list_is_first_in_first_out(void **state)
{
    struct world w;
    struct pkt_list l = {NULL, NULL, 0};
    struct pkt *a, *b;

    (void)state;
    world_start(&w);
    assert_null(pkt_list_pop(&l));
    a = pkt_get(&w.pool);
    b = pkt_get(&w.pool);
    pkt_list_append(&l, a);
    pkt_list_append(&l, b);
    assert_ptr_equal(pkt_list_pop(&l), a);
    pkt_list_append(&l, a);
    assert_int_equal(l.n, 2);
    pkt_list_put_all(&l);
    assert_int_equal(l.n, 0);
    assert_int_equal(w.pool.descs.used, 0);
    free(w.base);
}

static void a_pool_is_low_below_its_mark_and_posted_buffers_count(void **state)
{
    struct world w;

    (void)state;
    world_start(&w);
    w.pool.low_water = 7;
    pkt_get(&w.pool);
    assert_false(pkt_pool_is_low(&w.pool));
    pkt_get(&w.pool);
    assert_true(pkt_pool_is_low(&w.pool));
    w.pool.posted = 1;
    assert_false(pkt_pool_is_low(&w.pool));
    free(w.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_packet_is_empty_behind_its_headroom),
        cmocka_unit_test(buffers_do_not_overlap),
        cmocka_unit_test(pushing_past_the_headroom_is_our_error),
        cmocka_unit_test(fragments_hold_their_buffers),
        cmocka_unit_test(what_a_dead_owner_had_is_free_again),
        cmocka_unit_test(a_given_range_waits_until_its_owner_asks),
        cmocka_unit_test(the_checksum_of_a_packet_is_that_of_its_bytes),
        cmocka_unit_test(a_partial_checksum_is_finished_to_a_right_one),
        cmocka_unit_test(a_sum_of_zero_is_sent_as_ones_by_udp_only),
        cmocka_unit_test(a_list_is_first_in_first_out),
        cmocka_unit_test(a_pool_is_low_below_its_mark_and_posted_buffers_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
