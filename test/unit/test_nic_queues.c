/* The in-memory wire with many queues: a frame lands where the receiver's rule says, whoever sent
 * it, and no queue harms another. */
#include "lib/cmocka_first.h"

#include <pthread.h>
#include <sched.h>

#include "base/rng.h"
#include "nic/memwire_int.h"

#define ARENA ((size_t)64 << 20)
#define TX_PKTS 512u
#define FRAME 60u

struct world {
    struct memwire_config config;
    void *shared, *base;
    size_t bytes;
    struct mem m;
    struct memwire_port *end[2];
    struct pkt_pool tx[2][MEMWIRE_QUEUES_MAX];
};

static void world_start(struct world *w, uint32_t queues0, uint32_t queues1, uint32_t buffers)
{
    w->config = (struct memwire_config){
        .queues = queues0, .queues1 = queues1, .buffers = buffers, .buf_size = 2048, .mtu = 1500};
    w->bytes = align_up(memwire_bytes(&w->config), 4096);
    w->shared = aligned_alloc(4096, w->bytes);
    memset(w->shared, 0, w->bytes);
    memwire_format(w->shared, &w->config);
    size_t arena = ARENA;
    for (unsigned side = 0; side < 2; side++)
        arena += align_up(memwire_port_bytes(&w->config, side), 4096);
    w->base = aligned_alloc(4096, arena);
    memset(w->base, 0, arena);
    mem_init(&w->m, w->base, arena);
    for (unsigned side = 0; side < 2; side++) {
        size_t before = w->m.used;
        w->end[side] = memwire_open(&w->m, w->shared, w->bytes, side);
        assert_non_null(w->end[side]);
        assert_true(w->m.used - before <= memwire_port_bytes(&w->config, side));
        unsigned queues = memwire_nic(w->end[side])->caps.queues;
        for (unsigned q = 0; q < queues; q++)
            pkt_pool_init(&w->tx[side][q], &w->m, "tx", TX_PKTS, 256, PKT_HEADROOM, NULL);
    }
}

static void world_end(struct world *w)
{
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned q = 0; q < memwire_nic(w->end[side])->caps.queues; q++) {
            struct pkt_pool *rx = memwire_rx_pool(w->end[side], q);
            assert_int_equal(rx->descs.used, rx->posted);
            assert_int_equal(w->tx[side][q].descs.used, 0);
        }
    }
    free(w->base);
    free(w->shared);
}

/* A TCP frame of one of 65536 flows; its sequence number tells which frame of the flow it is. */
static void fill(uint8_t *f, uint16_t flow, uint32_t seq)
{
    memset(f, 0, FRAME);
    store_be16(f + 12, 0x0800);
    f[14] = 0x45;
    f[14 + 9] = 6;
    store_be32(f + 26, 0x0a000001);
    store_be32(f + 30, 0x0a000002);
    store_be16(f + 34, flow);
    store_be16(f + 36, 80);
    store_be32(f + 38, seq);
}

static struct pkt *frame(struct pkt_pool *pool, uint16_t flow, uint32_t seq)
{
    struct pkt *p = pkt_get(pool);

    assert_non_null(p);
    fill(p->data, flow, seq);
    p->len = FRAME;
    return p;
}

static uint16_t flow_of(const struct pkt *p)
{
    return load_be16(p->data + 34);
}

static uint32_t number_of(const struct pkt *p)
{
    return load_be32(p->data + 38);
}

static unsigned send_one(struct world *w, unsigned side, unsigned queue, uint16_t flow,
                         uint32_t seq)
{
    struct pkt *p = frame(&w->tx[side][queue], flow, seq);
    unsigned n = nic_tx_burst(memwire_nic(w->end[side]), queue, &p, 1);

    if (n == 0)
        pkt_put(p);
    return n;
}

static unsigned receive(struct world *w, unsigned side, unsigned queue, struct pkt **out)
{
    return nic_rx_burst(memwire_nic(w->end[side]), queue, out, BURST_MAX);
}

static void put_all(struct pkt **p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        pkt_put(p[i]);
}

static unsigned queue_by(const struct rss *r, uint16_t flow)
{
    uint8_t f[FRAME];
    uint32_t hash;

    fill(f, flow, 0);
    assert_true(rss_frame_hash(r, f, FRAME, &hash));
    return rss_queue(r, hash);
}

/* A flow that lands on the queue. */
static uint16_t flow_for(const struct rss *r, unsigned queue)
{
    uint16_t flow = 1;

    while (queue_by(r, flow) != queue)
        flow++;
    return flow;
}

/* Receives on every queue of the side; each frame must lie where r says.  How many. */
static unsigned expect_by_rule(struct world *w, unsigned side, const struct rss *r)
{
    struct pkt *out[BURST_MAX];
    unsigned total = 0;

    for (unsigned q = 0; q < memwire_nic(w->end[side])->caps.queues; q++) {
        unsigned n = receive(w, side, q, out);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(queue_by(r, flow_of(out[i])), q);
        put_all(out, n);
        total += n;
    }
    return total;
}

static void a_frame_lands_on_the_queue_that_rss_says_from_wherever_it_comes(void **state)
{
    static const uint8_t queues[][2] = {{2, 2}, {2, 4}, {4, 3}, {1, 3}, {5, 1}, {64, 64}};
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (unsigned k = 0; k < ARRAY_LEN(queues); k++) {
        struct world w;
        world_start(&w, queues[k][0], queues[k][1], 512);
        for (unsigned side = 0; side < 2; side++) {
            struct rss law;
            unsigned here = queues[k][side], there = queues[k][!side];
            rss_init(&law, rss_key_default, RSS_ENTRIES, there);
            for (unsigned i = 0; i < 1000; i++) {
                uint16_t flow = (uint16_t)rng_u32(&rng);
                assert_int_equal(send_one(&w, side, rng_below(&rng, here), flow, i), 1);
                assert_int_equal(expect_by_rule(&w, !side, &law), 1);
            }
        }
        world_end(&w);
    }
}

static void a_port_tells_how_it_spreads(void **state)
{
    struct rss law;
    struct world w;

    (void)state;
    world_start(&w, 2, 1, 64);
    struct nic *many = memwire_nic(w.end[0]), *one = memwire_nic(w.end[1]);
    assert_int_equal(many->spread, NIC_SPREAD_RSS);
    assert_memory_equal(many->rss->key, rss_key_default, RSS_KEY_BYTES);
    assert_int_equal(many->caps.queues, 2);
    assert_int_equal(one->spread, NIC_SPREAD_NONE);
    assert_null(one->rss);
    rss_init(&law, rss_key_symmetric, 64, 2);
    memwire_set_rss(w.end[0], &law);
    assert_int_equal(many->spread, NIC_SPREAD_RSS);
    assert_memory_equal(many->rss, &law, sizeof(law));
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(send_one(&w, 1, 0, (uint16_t)i, i), 1);
        assert_int_equal(expect_by_rule(&w, 0, &law), 1);
    }
    memwire_set_spread(w.end[0], MEMWIRE_REPROGRAMMED, 1);
    assert_memory_equal(many->rss, &law, sizeof(law));
    memwire_set_spread(w.end[0], MEMWIRE_SECRET_KEY, 1);
    assert_int_equal(many->spread, NIC_SPREAD_UNKNOWN);
    assert_null(many->rss);
    memwire_set_spread(w.end[0], MEMWIRE_ANYWHERE, 1);
    assert_int_equal(many->spread, NIC_SPREAD_NONE);
    memwire_set_rss(w.end[0], &law);
    memwire_set_spread(w.end[0], MEMWIRE_ALL_TO_ONE, 1);
    assert_int_equal(many->spread, NIC_SPREAD_NONE);
    world_end(&w);
}

/* Sends each of 256 flows twice to side 1; by flow: a bit for every queue it was seen on. */
static void sample(struct world *w, uint64_t seen[256])
{
    struct pkt *out[BURST_MAX];

    memset(seen, 0, 256 * sizeof(*seen));
    for (unsigned i = 0; i < 512; i++) {
        assert_int_equal(send_one(w, 0, 0, (uint16_t)(i % 256), i), 1);
        for (unsigned q = 0; q < 4; q++) {
            unsigned n = receive(w, 1, q, out);
            for (unsigned k = 0; k < n; k++)
                seen[flow_of(out[k])] |= UINT64_C(1) << q;
            put_all(out, n);
        }
    }
}

static unsigned flows_off_the_law(const uint64_t seen[256], const struct rss *law, unsigned *torn)
{
    unsigned off = 0;

    *torn = 0;
    for (unsigned f = 0; f < 256; f++) {
        assert_int_not_equal(seen[f], 0);
        off += (seen[f] >> queue_by(law, (uint16_t)f) & 1) == 0;
        *torn += !is_pow2(seen[f]);
    }
    return off;
}

static void a_port_can_be_as_unhelpful_as_nics_are(void **state)
{
    struct world w;
    struct rss law;
    uint64_t seen[256];
    unsigned torn;

    (void)state;
    rss_init(&law, rss_key_default, RSS_ENTRIES, 4);
    world_start(&w, 2, 4, 64);
    sample(&w, seen);
    assert_int_equal(flows_off_the_law(seen, &law, &torn), 0);
    assert_int_equal(torn, 0);
    memwire_set_spread(w.end[1], MEMWIRE_SECRET_KEY, 7);
    sample(&w, seen);
    assert_in_range(flows_off_the_law(seen, &law, &torn), 128, 250);
    assert_int_equal(torn, 0);
    memwire_set_rss(w.end[1], &law);
    memwire_set_spread(w.end[1], MEMWIRE_REPROGRAMMED, 7);
    sample(&w, seen);
    assert_in_range(flows_off_the_law(seen, &law, &torn), 128, 250);
    assert_int_equal(torn, 0);
    memwire_set_spread(w.end[1], MEMWIRE_ANYWHERE, 7);
    sample(&w, seen);
    flows_off_the_law(seen, &law, &torn);
    assert_in_range(torn, 128, 256);
    memwire_set_spread(w.end[1], MEMWIRE_ALL_TO_ONE, 7);
    sample(&w, seen);
    for (unsigned f = 0; f < 256; f++)
        assert_int_equal(seen[f], 1);
    world_end(&w);
}

static void an_exhausted_lane_does_not_stop_the_others(void **state)
{
    struct world w;
    struct pkt *p[40], *out[BURST_MAX];
    struct rss law;

    (void)state;
    world_start(&w, 2, 2, 16); /* 8 buffers a lane */
    rss_init(&law, rss_key_default, RSS_ENTRIES, 2);
    uint16_t flow[2] = {flow_for(&law, 0), flow_for(&law, 1)};
    for (uint32_t i = 0; i < 12; i++)
        p[i] = frame(&w.tx[0][0], flow[0], i);
    for (uint32_t i = 12; i < 20; i++)
        p[i] = frame(&w.tx[0][0], flow[1], i);
    /* Four wait, the eight behind them do not. */
    assert_int_equal(nic_tx_burst(memwire_nic(w.end[0]), 0, p, 20), 16);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(number_of(p[16 + i]), 8 + i);
    /* Another sender has a lane of its own. */
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(send_one(&w, 0, 1, flow[0], 100 + i), 1);
    assert_int_equal(send_one(&w, 0, 1, flow[0], 0), 0);
    assert_int_equal(receive(&w, 1, 1, out), 8);
    put_all(out, 8);
    assert_int_equal(receive(&w, 1, 0, out), 16);
    put_all(out, 16);
    assert_int_equal(receive(&w, 1, 0, out), 0); /* refills */
    assert_int_equal(nic_tx_burst(memwire_nic(w.end[0]), 0, p + 16, 4), 4);
    assert_int_equal(receive(&w, 1, 0, out), 4);
    put_all(out, 4);
    world_end(&w);
}

static void a_queue_that_has_stopped_loses_its_own_frames_only(void **state)
{
    struct world w;
    struct rss law;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 1, 2, 16);
    struct nic_stats *st = memwire_nic(w.end[0])->stats;
    rss_init(&law, rss_key_default, RSS_ENTRIES, 2);
    uint16_t dead = flow_for(&law, 0), alive = flow_for(&law, 1);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(send_one(&w, 0, 0, dead, i), 1);
    for (unsigned i = 0; i < MEMWIRE_PATIENCE; i++)
        assert_int_equal(send_one(&w, 0, 0, dead, 16), 0);
    assert_int_equal(st->tx_error, 0);
    /* From here on they are taken and lost. */
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(send_one(&w, 0, 0, dead, 16), 1);
        assert_int_equal(send_one(&w, 0, 0, alive, i), 1);
        assert_int_equal(receive(&w, 1, 1, out), 1);
        put_all(out, 1);
    }
    assert_int_equal(st->tx_error, 100);
    /* It comes to life again. */
    for (unsigned i = 0; i < 2; i++)
        put_all(out, receive(&w, 1, 0, out));
    assert_int_equal(send_one(&w, 0, 0, dead, 17), 1);
    assert_int_equal(receive(&w, 1, 0, out), 1);
    assert_int_equal(number_of(out[0]), 17);
    put_all(out, 1);
    assert_int_equal(st->tx_error, 100);
    world_end(&w);
}

/* A sender that keeps what is refused, as a stack does. */
struct sender {
    struct pkt *kept[BURST_MAX];
    unsigned n;
    uint32_t next[64]; /* by flow: the sequence number of its next frame */
};

/* Offers a burst of frames of flows first..first + 31. */
static void sender_turn(struct world *w, struct sender *s, unsigned queue, struct rng *rng,
                        uint16_t first, unsigned fresh)
{
    for (; fresh > 0 && s->n < BURST_MAX; fresh--) {
        unsigned f = rng_below(rng, 32);
        s->kept[s->n++] = frame(&w->tx[0][queue], (uint16_t)(first + f), s->next[f]++);
    }
    unsigned sent = nic_tx_burst(memwire_nic(w->end[0]), queue, s->kept, s->n);
    memmove(s->kept, s->kept + sent, (s->n - sent) * sizeof(s->kept[0]));
    s->n -= sent;
}

static void the_frames_of_a_flow_stay_in_order(void **state)
{
    struct world w;
    struct rng rng;
    struct sender s[2] = {0};
    uint32_t want[64] = {0}, total = 0;
    struct pkt *out[BURST_MAX];

    (void)state;
    rng_init(&rng, 3);
    world_start(&w, 2, 3, 16);
    for (unsigned round = 0; round < 4000; round++) {
        unsigned from = rng_below(&rng, 2), to = rng_below(&rng, 3);
        unsigned fresh = round < 3900 ? rng_below(&rng, 20) : 0;
        sender_turn(&w, &s[from], from, &rng, (uint16_t)(32 * from), fresh);
        unsigned n = receive(&w, 1, to, out);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(number_of(out[i]), want[flow_of(out[i])]++);
        put_all(out, n);
        total += n;
    }
    assert_int_equal(s[0].n + s[1].n, 0);
    assert_true(total > 10000);
    for (unsigned f = 0; f < 64; f++)
        assert_int_equal(want[f], s[f / 32].next[f % 32]);
    world_end(&w);
}

static void reprogramming_in_mid_flow_loses_nothing(void **state)
{
    struct world w;
    struct rng rng;
    struct rss law;
    struct sender s = {0};
    uint32_t got = 0, sent = 0;
    struct pkt *out[BURST_MAX];

    (void)state;
    rng_init(&rng, 4);
    world_start(&w, 2, 4, 64);
    for (unsigned round = 0; round < 3000; round++) {
        switch (rng_below(&rng, 40)) {
        case 0:
            rss_init(&law, rss_key_symmetric, 128, 1 + rng_below(&rng, 4));
            memwire_set_rss(w.end[1], &law);
            break;
        case 1:
        case 2:
            memwire_set_spread(w.end[1], (enum memwire_spread)rng_below(&rng, 4), round);
            break;
        }
        sender_turn(&w, &s, 1, &rng, 0, round < 2900 ? 10 : 0);
        unsigned n = receive(&w, 1, round % 4, out);
        put_all(out, n);
        got += n;
    }
    for (unsigned f = 0; f < 32; f++)
        sent += s.next[f];
    assert_int_equal(got, sent);
    assert_int_equal(memwire_nic(w.end[0])->stats[1].tx_error, 0);
    /* And in the end the last word counts. */
    rss_init(&law, rss_key_default, 256, 4);
    memwire_set_rss(w.end[1], &law);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(send_one(&w, 0, 0, (uint16_t)i, i), 1);
        assert_int_equal(expect_by_rule(&w, 1, &law), 1);
    }
    world_end(&w);
}

static void lanes_with_frames_take_turns(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];
    struct nic *n;

    (void)state;
    world_start(&w, 3, 1, 128); /* 42 buffers a lane */
    n = memwire_nic(w.end[1]);
    for (unsigned q = 0; q < 3; q++)
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(send_one(&w, 0, q, (uint16_t)q, i), 1);
    for (unsigned round = 0; round < 15; round++) {
        assert_int_equal(nic_rx_burst(n, 0, out, 8), 8);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(flow_of(out[i]), round % 3);
        put_all(out, 8);
    }
    assert_int_equal(nic_rx_burst(n, 0, out, 8), 0);
    world_end(&w);
}

static void a_receiver_looks_only_at_lanes_that_were_announced(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 64, 1, 128);
    _Atomic uint64_t *pending = &memwire_find_queue(w.shared, &w.config, 1, 0).state->pending;
    assert_int_equal(*pending, 0);
    assert_int_equal(send_one(&w, 0, 63, 0, 1), 1);
    assert_true(*pending == UINT64_C(1) << 63);
    *pending = 1;
    assert_int_equal(receive(&w, 1, 0, out), 0);
    *pending = UINT64_MAX;
    assert_int_equal(receive(&w, 1, 0, out), 1);
    put_all(out, 1);
    world_end(&w);
}

static void readers_are_asked_to_copy_before_a_lane_runs_dry(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 4, 1, 64); /* 16 buffers a lane */
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(send_one(&w, 0, 2, 0, i), 1);
    assert_int_equal(receive(&w, 1, 0, out), 12);
    assert_false(pkt_pool_is_low(memwire_rx_pool(w.end[1], 0)));
    assert_int_equal(send_one(&w, 0, 2, 0, 12), 1);
    assert_int_equal(receive(&w, 1, 0, out + 12), 1);
    assert_true(pkt_pool_is_low(memwire_rx_pool(w.end[1], 0)));
    put_all(out, 13);
    world_end(&w);
}

static void buffers_that_are_scarce_go_to_every_lane_in_turn(void **state)
{
    struct world w;
    struct pkt *held[32], *out[BURST_MAX];
    unsigned n = 0, sent[4] = {0};

    (void)state;
    world_start(&w, 4, 1, 32); /* 8 buffers a lane */
    for (unsigned q = 0; q < 4; q++)
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(send_one(&w, 0, q, 0, i), 1);
    while (n < 32)
        n += receive(&w, 1, 0, held + n);
    /* One is left to go round. */
    pkt_put(held[--n]);
    for (unsigned round = 0; round < 40; round++) {
        assert_int_equal(receive(&w, 1, 0, out), 0);
        for (unsigned q = 0; q < 4; q++)
            sent[q] += send_one(&w, 0, q, 0, round);
        put_all(out, receive(&w, 1, 0, out));
    }
    for (unsigned q = 0; q < 4; q++)
        assert_int_equal(sent[q], 10);
    put_all(held, n);
    world_end(&w);
}

static void a_buffer_said_in_the_wrong_lane_is_refused(void **state)
{
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 2, 1, 8);
    struct wire_queue q = memwire_find_queue(w.shared, &w.config, 1, 0);
    struct ring_end e = {.r = memwire_find_ring(&q, &w.config, 1, 0, true), .size = 4};
    ring_put(&e, 5); /* 4 to 7 were given to lane 1 */
    ring_publish(&e);
    q.state->pending = 1;
    assert_int_equal(receive(&w, 1, 0, out), 0);
    assert_int_equal(memwire_nic(w.end[1])->stats->rx_error, 1);
    world_end(&w);
}

static void a_rule_that_cannot_be_leads_to_some_queue(void **state)
{
    static const uint32_t entries[] = {0, 3, 1024, 0x80000000, UINT32_MAX, 128};
    struct world w;
    struct pkt *out[BURST_MAX];

    (void)state;
    world_start(&w, 1, 3, 64);
    struct shared_spread *s = memwire_find_spread(w.shared, 1);
    for (unsigned k = 0; k < ARRAY_LEN(entries); k++) {
        s->entries = entries[k];
        s->kind = k % 2 ? 77 : SPREAD_HASH;
        for (unsigned i = 0; i < RSS_TABLE_MAX; i++)
            s->table[i] = (uint16_t)(3 + i);
        s->generation++;
        for (unsigned i = 0; i < 50; i++) {
            assert_int_equal(send_one(&w, 0, 0, (uint16_t)i, i), 1);
            assert_int_equal(receive(&w, 1, 0, out), 1);
            put_all(out, 1);
        }
    }
    world_end(&w);
}

/* ---- with threads ------------------------------------------------------------------------- */

#define THREAD_FRAMES 20000u

struct thread_job {
    struct world *w;
    unsigned queue;
    pthread_t thread;
    bool ok;
    uint32_t frames; /* receivers: taken */
    _Atomic uint32_t *arrived;
};

static void *send_thread(void *arg)
{
    struct thread_job *j = arg;
    struct sender s = {0};
    struct rng rng;

    rng_init(&rng, j->queue);
    for (uint32_t sent = 0; sent < THREAD_FRAMES || s.n > 0;) {
        unsigned before = s.n;
        unsigned fresh = min_u32(1 + rng_below(&rng, 16), THREAD_FRAMES - sent);
        fresh = min_u32(fresh, BURST_MAX - s.n);
        sender_turn(j->w, &s, j->queue, &rng, (uint16_t)(32 * j->queue), fresh);
        sent += fresh;
        if (s.n >= before + fresh)
            sched_yield();
    }
    return NULL;
}

static void *receive_thread(void *arg)
{
    struct thread_job *j = arg;
    uint32_t want[64] = {0};
    struct pkt *out[BURST_MAX];

    j->ok = true;
    while (*j->arrived < 2 * THREAD_FRAMES) {
        unsigned n = receive(j->w, 1, j->queue, out);
        for (unsigned i = 0; i < n; i++)
            j->ok &= number_of(out[i]) == want[flow_of(out[i])]++;
        put_all(out, n);
        j->frames += n;
        *j->arrived += n;
        if (n == 0)
            sched_yield();
    }
    return NULL;
}

static void threads_need_no_lock(void **state)
{
    static struct world w;
    struct thread_job tx[2], rx[3];
    _Atomic uint32_t arrived = 0;
    uint64_t lost = 0;

    (void)state;
    world_start(&w, 2, 3, 64);
    for (unsigned i = 0; i < 3; i++) {
        rx[i] = (struct thread_job){.w = &w, .queue = i, .arrived = &arrived};
        assert_int_equal(pthread_create(&rx[i].thread, NULL, receive_thread, &rx[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        tx[i] = (struct thread_job){.w = &w, .queue = i};
        assert_int_equal(pthread_create(&tx[i].thread, NULL, send_thread, &tx[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(tx[i].thread, NULL);
        lost += memwire_nic(w.end[0])->stats[i].tx_error;
    }
    atomic_fetch_add(&arrived, (uint32_t)lost); /* a receiver that the scheduler forgot */
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(rx[i].thread, NULL);
        assert_true(rx[i].ok || lost > 0);
        assert_true(rx[i].frames > 0);
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_lands_on_the_queue_that_rss_says_from_wherever_it_comes),
        cmocka_unit_test(a_port_tells_how_it_spreads),
        cmocka_unit_test(a_port_can_be_as_unhelpful_as_nics_are),
        cmocka_unit_test(an_exhausted_lane_does_not_stop_the_others),
        cmocka_unit_test(a_queue_that_has_stopped_loses_its_own_frames_only),
        cmocka_unit_test(the_frames_of_a_flow_stay_in_order),
        cmocka_unit_test(reprogramming_in_mid_flow_loses_nothing),
        cmocka_unit_test(lanes_with_frames_take_turns),
        cmocka_unit_test(a_receiver_looks_only_at_lanes_that_were_announced),
        cmocka_unit_test(readers_are_asked_to_copy_before_a_lane_runs_dry),
        cmocka_unit_test(buffers_that_are_scarce_go_to_every_lane_in_turn),
        cmocka_unit_test(a_buffer_said_in_the_wrong_lane_is_refused),
        cmocka_unit_test(a_rule_that_cannot_be_leads_to_some_queue),
        cmocka_unit_test(threads_need_no_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
