/* The in-memory wire: what one end sends is what the other receives, and a bad neighbour in the
 * shared memory cannot make us touch what is not ours. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "nic/memwire_int.h"

#define ARENA (1u << 20)

struct world {
    struct memwire_config config;
    void *shared, *base;
    struct mem m;
    struct memwire_port *end[2];
    struct pkt_pool tx;
};

static void world_start(struct world *w, uint32_t buffers, uint32_t tso_max, bool csum)
{
    w->config = (struct memwire_config){.queues = 1,
                                        .buffers = buffers,
                                        .buf_size = tso_max ? 8192 : 2048,
                                        .mtu = 1500,
                                        .tso_max = tso_max,
                                        .csum_offload = csum};
    size_t bytes = align_up(memwire_bytes(&w->config), 4096);
    w->shared = aligned_alloc(4096, bytes);
    memset(w->shared, 0, bytes);
    memwire_format(w->shared, &w->config);
    w->base = aligned_alloc(4096, ARENA);
    memset(w->base, 0, ARENA);
    mem_init(&w->m, w->base, ARENA);
    for (unsigned side = 0; side < 2; side++) {
        w->end[side] = memwire_open(&w->m, w->shared, bytes, side);
        assert_non_null(w->end[side]);
    }
    pkt_pool_init(&w->tx, &w->m, "tx", 64, 8192, PKT_HEADROOM, NULL);
}

static void world_end(struct world *w)
{
    assert_int_equal(w->tx.descs.used, 0);
    for (unsigned side = 0; side < 2; side++) {
        struct pkt_pool *rx = memwire_rx_pool(w->end[side], 0);
        assert_int_equal(rx->descs.used, rx->posted);
    }
    free(w->base);
    free(w->shared);
}

static struct pkt *frame(struct world *w, uint32_t n, uint8_t fill)
{
    struct pkt *p = pkt_get(&w->tx);

    memset(p->data, fill, n);
    p->len = n;
    return p;
}

static unsigned send_one(struct world *w, unsigned side, struct pkt *p)
{
    return nic_tx_burst(memwire_nic(w->end[side]), 0, &p, 1);
}

static unsigned receive(struct world *w, unsigned side, struct pkt **out)
{
    return nic_rx_burst(memwire_nic(w->end[side]), 0, out, BURST_MAX);
}

static void frames_arrive_in_order_and_whole_both_ways(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    world_start(&w, 16, 0, false);
    for (unsigned round = 0; round < 1000; round++) {
        unsigned side = round & 1, n = 1 + rng_below(&rng, 10);
        uint32_t len[16];
        for (unsigned i = 0; i < n; i++) {
            len[i] = 1 + rng_below(&rng, 1514);
            assert_int_equal(send_one(&w, side, frame(&w, len[i], (uint8_t)(round + i))), 1);
        }
        assert_int_equal(receive(&w, !side, out), n);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(out[i]->len, len[i]);
            assert_int_equal(out[i]->data[0], (uint8_t)(round + i));
            assert_int_equal(out[i]->data[len[i] - 1], (uint8_t)(round + i));
            pkt_put(out[i]);
        }
        assert_int_equal(receive(&w, !side, out), 0); /* refills */
    }
    world_end(&w);
}

static void fragments_arrive_as_one_contiguous_frame(void **state)
{
    static const uint8_t tail[5] = "tail";
    struct world w;
    struct pkt *p, *out[BURST_MAX];

    (void)state;
    world_start(&w, 16, 0, false);
    p = frame(&w, 10, 'h');
    p->frags[p->nfrags++] = (struct pkt_frag){tail, 4, MEM_NONE};
    p->frag_len = 4;
    send_one(&w, 0, p);
    assert_int_equal(receive(&w, 1, out), 1);
    assert_int_equal(out[0]->len, 14);
    assert_memory_equal(out[0]->data + 10, "tail", 4);
    pkt_put(out[0]);
    world_end(&w);
}

static void offload_flags_cross_the_wire(void **state)
{
    struct world w;
    struct pkt *p, *out[BURST_MAX];

    (void)state;
    world_start(&w, 16, 4096, true);
    p = frame(&w, 4000, 1);
    p->flags = PKT_CSUM_PARTIAL;
    p->gso_size = 1448;
    send_one(&w, 0, p);
    p = frame(&w, 100, 1);
    send_one(&w, 0, p);
    assert_int_equal(receive(&w, 1, out), 2);
    assert_int_equal(out[0]->flags, PKT_CSUM_OK | PKT_CSUM_PARTIAL);
    assert_int_equal(out[0]->gso_size, 1448);
    assert_int_equal(out[1]->flags, 0);
    assert_int_equal(out[1]->gso_size, 0);
    pkt_put(out[0]);
    pkt_put(out[1]);
    world_end(&w);
}

static void a_slow_receiver_makes_the_sender_wait_and_loses_nothing(void **state)
{
    struct world w;
    struct pkt *p[20], *out[BURST_MAX];
    struct nic *a;

    (void)state;
    world_start(&w, 8, 0, false);
    a = memwire_nic(w.end[0]);
    for (unsigned i = 0; i < 20; i++)
        p[i] = frame(&w, 60, (uint8_t)i);
    assert_int_equal(nic_tx_burst(a, 0, p, 20), 8);
    assert_int_equal(a->stats->tx_full, 1);
    assert_int_equal(nic_tx_burst(a, 0, p + 8, 12), 0);
    assert_int_equal(receive(&w, 1, out), 8);
    for (unsigned i = 0; i < 8; i++)
        pkt_put(out[i]);
    assert_int_equal(nic_tx_burst(a, 0, p + 8, 12), 0);
    assert_int_equal(receive(&w, 1, out), 0); /* refills */
    assert_int_equal(nic_tx_burst(a, 0, p + 8, 12), 8);
    assert_int_equal(receive(&w, 1, out), 8);
    assert_int_equal(out[0]->data[0], 8);
    for (unsigned i = 0; i < 8; i++)
        pkt_put(out[i]);
    for (unsigned i = 16; i < 20; i++)
        pkt_put(p[i]);
    world_end(&w);
}

static void a_pulled_cable_loses_frames_and_counts_them(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 8, 0, false);
    memwire_set_down(w.end[0], true);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(send_one(&w, 0, frame(&w, 60, 1)), 1);
    assert_int_equal(receive(&w, 1, out), 0);
    assert_int_equal(memwire_nic(w.end[0])->stats->tx_error, 50);
    memwire_set_down(w.end[0], false);
    assert_int_equal(send_one(&w, 0, frame(&w, 60, 1)), 1);
    assert_int_equal(receive(&w, 1, out), 1);
    pkt_put(out[0]);
    world_end(&w);
}

static void a_frame_too_long_for_the_buffer_is_lost_and_its_buffer_is_not(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 8, 0, false);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(send_one(&w, 0, frame(&w, 4000, 1)), 1);
        assert_int_equal(receive(&w, 1, out), 0);
    }
    assert_int_equal(memwire_nic(w.end[0])->stats->tx_error, 100);
    assert_int_equal(send_one(&w, 0, frame(&w, 60, 1)), 1);
    assert_int_equal(receive(&w, 1, out), 1);
    pkt_put(out[0]);
    world_end(&w);
}

/* The `full` ring of side 0's only queue as the other process sees it. */
static struct ring_end full_of_side_0(struct world *w)
{
    struct wire_queue q = memwire_find_queue(w->shared, &w->config, 0, 0);
    struct ring_end e = {.r = memwire_find_ring(&q, &w->config, 0, 0, true), .size = 8};

    e.mine = e.r->tail;
    e.theirs = e.r->head;
    return e;
}

static void buffer_numbers_out_of_range_are_refused(void **state)
{
    static const uint32_t bad[] = {8, 9, 0x7fffffff, UINT32_MAX};
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 8, 0, false);
    struct ring_end e = full_of_side_0(&w);
    for (unsigned i = 0; i < 4; i++)
        ring_put(&e, bad[i]);
    ring_publish(&e);
    assert_int_equal(receive(&w, 0, out), 0);
    assert_int_equal(memwire_nic(w.end[0])->stats->rx_error, 4);
    world_end(&w);
}

static void a_buffer_number_said_twice_is_refused_the_second_time(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 8, 0, false);
    send_one(&w, 1, frame(&w, 60, 7));
    struct ring_end e = full_of_side_0(&w);
    ring_put(&e, e.r->slot[0]);
    ring_publish(&e);
    assert_int_equal(receive(&w, 0, out), 1);
    assert_int_equal(memwire_nic(w.end[0])->stats->rx_error, 1);
    pkt_put(out[0]);
    world_end(&w);
}

static void indices_that_cannot_be_are_not_believed(void **state)
{
    static const uint32_t bad[] = {9, 1000, 0x80000000, UINT32_MAX};
    struct world w;
    struct pkt *out[BURST_MAX], *p;

    (void)state;
    world_start(&w, 8, 0, false);
    struct shared_ring *full = full_of_side_0(&w).r;
    for (unsigned i = 0; i < 4; i++) {
        full->tail = bad[i];
        assert_int_equal(receive(&w, 0, out), 0);
    }
    full->tail = 0;
    struct wire_queue q = memwire_find_queue(w.shared, &w.config, 0, 0);
    struct shared_ring *fill = memwire_find_ring(&q, &w.config, 0, 0, false);
    for (unsigned i = 0; i < 4; i++) {
        fill->tail = bad[i];
        p = frame(&w, 60, 1);
        assert_int_equal(send_one(&w, 1, p), 0);
        pkt_put(p);
    }
    fill->tail = 8;
    assert_int_equal(send_one(&w, 1, frame(&w, 60, 1)), 1);
    assert_int_equal(receive(&w, 0, out), 1);
    pkt_put(out[0]);
    world_end(&w);
}

static void a_wire_whose_numbers_cannot_be_is_not_opened(void **state)
{
    struct world w;
    struct shared_head good, *h;
    size_t bytes;

    (void)state;
    world_start(&w, 8, 0, false);
    bytes = memwire_bytes(&w.config);
    h = w.shared;
    good = *h;
    for (unsigned field = 0; field < 6; field++) {
        static const uint32_t bad[] = {0, 3, 0x10000, 0x80000000, UINT32_MAX};
        for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
            uint32_t *at[] = {&h->queues[0], &h->queues[1], &h->buffers,
                              &h->buf_size,  &h->mtu,       &h->tso_max};
            if (field >= 4 && bad[i] < 0x10000)
                continue; /* these may be small */
            *h = good;
            *at[field] = bad[i];
            if (memwire_open(&w.m, w.shared, bytes, 0))
                fail_msg("opened with field %u = %u", field, bad[i]);
        }
    }
    *h = good;
    assert_true(memwire_read_config(w.shared, bytes, &w.config));
    world_end(&w);
}

/* ---- an end that goes and comes again ------------------------------------------------------ */

/* A side that ends where it stands, and another in its place. */
static void take_over(struct world *w, unsigned side)
{
    w->end[side] = memwire_open(&w->m, w->shared, memwire_bytes(&w->config), side);
    assert_non_null(w->end[side]);
}

static void talk(struct world *w, unsigned rounds)
{
    struct pkt *out[BURST_MAX];

    for (unsigned round = 0; round < rounds; round++) {
        unsigned side = round & 1;
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(send_one(w, side, frame(w, 60 + i, (uint8_t)i)), 1);
        struct pkt *late = frame(w, 60, 0);
        assert_int_equal(send_one(w, side, late), 0);
        pkt_put(late);
        assert_int_equal(receive(w, !side, out), 8);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(out[i]->len, 60 + i);
            pkt_put(out[i]);
        }
        assert_int_equal(receive(w, !side, out), 0);
    }
}

static void a_side_takes_up_what_the_last_one_left(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    for (unsigned waiting = 0; waiting < 5; waiting++)
        for (unsigned held = 0; held <= waiting; held++) {
            world_start(&w, 8, 0, false);
            talk(&w, 5);
            for (unsigned i = 0; i < waiting; i++)
                assert_int_equal(send_one(&w, 0, frame(&w, 100 + i, 1)), 1);
            if (held)
                assert_int_equal(nic_rx_burst(memwire_nic(w.end[1]), 0, out, held), held);
            take_over(&w, 1);
            assert_int_equal(receive(&w, 1, out), waiting - held);
            for (unsigned i = 0; i < waiting - held; i++) {
                assert_int_equal(out[i]->len, 100 + held + i);
                pkt_put(out[i]);
            }
            assert_int_equal(receive(&w, 1, out), 0);
            talk(&w, 6);
            take_over(&w, 0);
            talk(&w, 6);
            world_end(&w);
        }
}

static void a_sender_that_ended_in_the_middle_loses_no_buffer(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, 8, 0, false);
    talk(&w, 5);
    /* It took three buffers, said so, and was gone before it had filled them. */
    struct wire_queue q = memwire_find_queue(w.shared, &w.config, 0, 0);
    memwire_find_ring(&q, &w.config, 0, 0, false)->head += 3;
    take_over(&w, 1);
    talk(&w, 6);
    world_end(&w);
}

static void what_the_last_one_cannot_have_left_is_refused(void **state)
{
    struct world w;
    size_t bytes;

    (void)state;
    world_start(&w, 8, 0, false);
    bytes = memwire_bytes(&w.config);
    struct wire_queue q = memwire_find_queue(w.shared, &w.config, 1, 0);
    struct shared_ring *fill = memwire_find_ring(&q, &w.config, 1, 0, false);
    fill->slot[3] = fill->slot[2];
    assert_null(memwire_open(&w.m, w.shared, bytes, 1));
    fill->slot[3] = 8;
    assert_null(memwire_open(&w.m, w.shared, bytes, 1));
    fill->tail += 9;
    assert_null(memwire_open(&w.m, w.shared, bytes, 1));
    world_end(&w);
}

static void only_a_formatted_wire_is_opened(void **state)
{
    struct world w;
    size_t bytes;

    (void)state;
    world_start(&w, 8, 0, false);
    bytes = memwire_bytes(&w.config);
    assert_null(memwire_open(&w.m, w.shared, bytes - 1, 0));
    assert_null(memwire_open(&w.m, w.shared, bytes, 2));
    memset(w.shared, 0, 8);
    assert_null(memwire_open(&w.m, w.shared, bytes, 0));
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_in_order_and_whole_both_ways),
        cmocka_unit_test(fragments_arrive_as_one_contiguous_frame),
        cmocka_unit_test(offload_flags_cross_the_wire),
        cmocka_unit_test(a_slow_receiver_makes_the_sender_wait_and_loses_nothing),
        cmocka_unit_test(a_pulled_cable_loses_frames_and_counts_them),
        cmocka_unit_test(a_frame_too_long_for_the_buffer_is_lost_and_its_buffer_is_not),
        cmocka_unit_test(buffer_numbers_out_of_range_are_refused),
        cmocka_unit_test(a_buffer_number_said_twice_is_refused_the_second_time),
        cmocka_unit_test(indices_that_cannot_be_are_not_believed),
        cmocka_unit_test(a_wire_whose_numbers_cannot_be_is_not_opened),
        cmocka_unit_test(a_side_takes_up_what_the_last_one_left),
        cmocka_unit_test(a_sender_that_ended_in_the_middle_loses_no_buffer),
        cmocka_unit_test(what_the_last_one_cannot_have_left_is_refused),
        cmocka_unit_test(only_a_formatted_wire_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
