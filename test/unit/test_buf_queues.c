/* The byte queues of a stream socket against a plain array of bytes. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "buf/buf.h"

#define ARENA (4u << 20)
#define STREAM (1u << 22)

struct world {
    struct mem m;
    struct pkt_pool pool;
    struct sbuf_pool sbufs;
    struct rng rng;
    uint8_t *base;
};

static void world_start(struct world *w, uint64_t seed)
{
    w->base = aligned_alloc(4096, ARENA);
    memset(w->base, 0, ARENA);
    mem_init(&w->m, w->base, ARENA);
    pkt_pool_init(&w->pool, &w->m, "test", 64, 2048, 128, NULL);
    sbuf_pool_init(&w->sbufs, &w->m, 128, 32, 1000);
    w->pool.sbufs = &w->sbufs;
    rng_init(&w->rng, seed);
}

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static uint8_t *stream(void)
{
    static uint8_t bytes[STREAM];

    if (bytes[1] == 0)
        for (uint32_t i = 0; i < STREAM; i++)
            bytes[i] = byte_at(i);
    return bytes;
}

static unsigned releases;
static void release(void *arg, const void *ptr, size_t n)
{
    (void)arg;
    (void)ptr;
    (void)n;
    releases++;
}

static void hand_back(struct world *w)
{
    struct sbuf *b;

    while ((b = sbuf_pop_released(&w->sbufs))) {
        b->release(b->arg, b->ptr, b->len);
        sbuf_free(&w->sbufs, b);
    }
}

/* One gather at a random place: the bytes are the stream's from there on. */
static void gather_somewhere(struct world *w, struct sndq *q, uint32_t una)
{
    uint8_t flat[16384];
    uint32_t off, n, got;
    struct pkt *k;

    if (q->cc == 0)
        return;
    off = rng_below(&w->rng, q->cc);
    n = 1 + rng_below(&w->rng, min_u32(q->cc - off, 8000));
    k = pkt_get(&w->pool);
    got = sndq_gather(q, &w->sbufs, off, n, k, rng_chance(&w->rng, 1, 2) ? 256 : 0);
    assert_true(got <= n && (got == n || k->nfrags == PKT_FRAGS));
    assert_int_equal(pkt_total(k), got);
    pkt_copy_out(k, flat);
    assert_memory_equal(flat, stream() + una + off, got);
    pkt_put(k);
}

/*      una                          nxt
 *  ----|=============================|        dropped | queued | to come */
static void sndq_holds_the_stream_between_una_and_nxt(void **state)
{
    struct world w;
    struct sndq q = {0};
    uint32_t una = 0, nxt = 0, n;
    unsigned given = 0;

    (void)state;
    world_start(&w, 1);
    releases = 0;
    for (unsigned step = 0; step < 50000 && nxt < STREAM - 10000; step++) {
        switch (rng_below(&w.rng, 4)) {
        case 0:
            nxt += sndq_append_copy(&q, &w.sbufs, stream() + nxt, rng_below(&w.rng, 3000));
            break;
        case 1:
            n = 1 + rng_below(&w.rng, 5000);
            if (sndq_append_given(&q, &w.sbufs, stream() + nxt, n, release, NULL)) {
                nxt += n;
                given++;
            }
            break;
        case 2:
            n = rng_below(&w.rng, q.cc + 1);
            sndq_drop(&q, &w.sbufs, n);
            una += n;
            hand_back(&w);
            break;
        default:
            gather_somewhere(&w, &q, una);
        }
        assert_int_equal(q.cc, nxt - una);
    }
    sndq_clear(&q, &w.sbufs);
    hand_back(&w);
    assert_int_equal(releases, given);
    assert_int_equal(w.sbufs.bufs.used, 0);
    assert_int_equal(w.sbufs.chunks.used, 0);
    assert_int_equal(q.head | q.tail | q.head_off | q.cc, 0);
    free(w.base);
}

/* Bytes that were dropped live on while a packet still carries them. */
static void a_gathered_packet_outlives_the_queue(void **state)
{
    struct world w;
    struct sndq q = {0};
    uint8_t flat[4000];
    struct pkt *k;

    (void)state;
    world_start(&w, 2);
    assert_int_equal(sndq_append_copy(&q, &w.sbufs, stream(), 4000), 4000);
    k = pkt_get(&w.pool);
    assert_int_equal(sndq_gather(&q, &w.sbufs, 0, 4000, k, 0), 4000);
    sndq_clear(&q, &w.sbufs);
    assert_int_equal(sndq_append_copy(&q, &w.sbufs, stream() + 9000, 4000), 4000);
    pkt_copy_out(k, flat);
    assert_memory_equal(flat, stream(), 4000);
    pkt_put(k);
    sndq_clear(&q, &w.sbufs);
    assert_int_equal(w.sbufs.chunks.used, 0);
    free(w.base);
}

static void sndq_takes_what_fits_when_chunks_run_out(void **state)
{
    struct world w;
    struct sndq q = {0};

    (void)state;
    world_start(&w, 3);
    assert_int_equal(sndq_append_copy(&q, &w.sbufs, stream(), 100000), 32000);
    assert_int_equal(q.cc, 32000);
    sndq_drop(&q, &w.sbufs, 1500);
    assert_int_equal(sndq_append_copy(&q, &w.sbufs, stream(), 100000), 1000);
    sndq_clear(&q, &w.sbufs);
    assert_int_equal(w.sbufs.chunks.used, 0);
    free(w.base);
}

static void rcvq_gives_the_bytes_of_its_packets_in_order(void **state)
{
    struct world w;
    struct rcvq q = {0};
    static uint8_t out[20000];
    uint32_t rd = 0, wr = 0;

    (void)state;
    world_start(&w, 4);
    for (unsigned step = 0; step < 50000 && wr < STREAM - 4000; step++) {
        struct pkt *k;
        uint32_t n = 1 + rng_below(&w.rng, 1500), got;
        switch (rng_below(&w.rng, 4)) {
        case 0:
        case 1:
            k = pkt_get(&w.pool);
            if (!k)
                break;
            memcpy(k->data, stream() + wr, n);
            k->len = n;
            rcvq_append(&q, k);
            wr += n;
            break;
        case 2:
            got = rcvq_copy(&q, out, n * 3, true);
            assert_memory_equal(out, stream() + rd, got);
            got = rcvq_copy(&q, out, n, false);
            assert_int_equal(got, min_u32(n, wr - rd));
            assert_memory_equal(out, stream() + rd, got);
            rd += got;
            break;
        default:
            k = rcvq_pop(&q);
            if (!k)
                break;
            assert_memory_equal(k->data, stream() + rd, k->len);
            rd += k->len;
            pkt_put(k);
        }
        assert_int_equal(q.cc, wr - rd);
    }
    rcvq_clear(&q);
    assert_int_equal(q.cc, 0);
    assert_null(q.tail);
    assert_int_equal(w.pool.descs.used, 0);
    free(w.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sndq_holds_the_stream_between_una_and_nxt),
        cmocka_unit_test(a_gathered_packet_outlives_the_queue),
        cmocka_unit_test(sndq_takes_what_fits_when_chunks_run_out),
        cmocka_unit_test(rcvq_gives_the_bytes_of_its_packets_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
