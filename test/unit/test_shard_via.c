/* A core without a queue: its frames come out of another core's letters as they went in, and wait
 * where a ring is full. */
#include "lib/cmocka_first.h"

#include "shard/via.h"

#define RING 4096u
#define MTU 1500u

struct world {
    void *mail_memory, *memory;
    struct mail from, to; /* core 1 has no queue, core 0 has */
    struct nic port;
    struct via via;
    struct pkt_pool tx, frames;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    size_t bytes = 1 << 20;
    struct mem m;

    w->mail_memory = aligned_alloc(64, align_up(mail_bytes(2, RING), 64));
    memset(w->mail_memory, 0, mail_bytes(2, RING));
    mail_format(w->mail_memory, 2, RING);
    mail_open(&w->to, w->mail_memory, 0);
    mail_open(&w->from, w->mail_memory, 1);
    w->memory = aligned_alloc(4096, bytes);
    memset(w->memory, 0, bytes);
    mem_init(&m, w->memory, bytes);
    pkt_pool_init(&w->tx, &m, "tx", 16, 2048, PKT_HEADROOM, NULL);
    via_pool_init(&w->frames, &m, MTU);
    w->port = (struct nic){.caps = {.mtu = MTU, .tso_max = 60000, .tx_csum = true, .queues = 1}};
    via_init(&w->via, &w->port, &w->from, 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    free(w->mail_memory);
    free(w->memory);
    free(w);
    return 0;
}

static struct pkt *frame(struct world *w, uint32_t len, uint8_t mark)
{
    struct pkt *p = pkt_get(&w->tx);

    assert_non_null(p);
    p->len = len;
    memset(p->data, mark, len);
    p->l3_off = (uint16_t)(p->data - p->buf + 14);
    p->l4_off = (uint16_t)(p->data - p->buf + 34);
    p->flags = PKT_CSUM_PARTIAL;
    p->netif = 1;
    return p;
}

static void a_port_by_mail_is_the_port_without_segmentation(void **state)
{
    struct world *w = *state;
    struct pkt *p;

    assert_int_equal(w->via.nic.caps.mtu, MTU);
    assert_int_equal(w->via.nic.caps.tso_max, 0);
    assert_true(w->via.nic.caps.tx_csum);
    assert_int_equal(nic_rx_burst(&w->via.nic, 0, &p, 1), 0);
}

static void a_frame_comes_out_as_it_went_in(void **state)
{
    struct world *w = *state;
    static const uint8_t more[] = "and a fragment";
    struct pkt *p = frame(w, 100, 7);
    struct letter l;

    p->frags[0] = (struct pkt_frag){more, sizeof(more), MEM_NONE};
    p->nfrags = 1;
    p->frag_len = sizeof(more);
    assert_int_equal(nic_tx_burst(&w->via.nic, 0, &p, 1), 1);
    assert_int_equal(w->tx.descs.used, 0);
    assert_true(mail_waits(&w->to) && mail_next(&w->to, &l));
    assert_int_equal(l.kind, MAIL_FRAME);
    p = via_frame(&w->frames, &l);
    mail_done(&w->to, &l);
    assert_int_equal(p->len, 100 + sizeof(more));
    assert_int_equal(p->data[99], 7);
    assert_memory_equal(p->data + 100, more, sizeof(more));
    assert_int_equal(p->buf + p->l3_off - p->data, 14);
    assert_int_equal(p->buf + p->l4_off - p->data, 34);
    assert_int_equal(p->flags, PKT_CSUM_PARTIAL);
    assert_int_equal(p->netif, 1);
    pkt_put(p);
    assert_int_equal(w->via.stats.tx_packets, 1);
    assert_int_equal(w->via.stats.tx_bytes, 100 + sizeof(more));
}

static void a_full_ring_takes_the_first_and_leaves_the_rest(void **state)
{
    struct world *w = *state;
    struct pkt *p[8];
    struct letter l;
    unsigned sent, got = 0;

    for (unsigned i = 0; i < ARRAY_LEN(p); i++)
        p[i] = frame(w, 1000, (uint8_t)i);
    sent = nic_tx_burst(&w->via.nic, 0, p, ARRAY_LEN(p));
    assert_true(sent > 0 && sent < ARRAY_LEN(p));
    assert_int_equal(w->via.stats.tx_full, 1);
    assert_int_equal(w->tx.descs.used, ARRAY_LEN(p) - sent);
    assert_true(mail_waits(&w->to));
    for (; mail_next(&w->to, &l); got++) {
        struct pkt *out = via_frame(&w->frames, &l);
        mail_done(&w->to, &l);
        assert_int_equal(out->data[0], got);
        pkt_put(out);
    }
    assert_int_equal(got, sent);
    assert_true(nic_tx_burst(&w->via.nic, 0, p + sent, 1) == 1);
}

static void without_a_packet_a_frame_is_not_taken(void **state)
{
    struct world *w = *state;
    struct pkt *p = frame(w, 60, 1), *held;
    struct letter l;

    assert_int_equal(nic_tx_burst(&w->via.nic, 0, &p, 1), 1);
    while ((held = pkt_get(&w->frames)) != NULL)
        continue;
    assert_true(mail_waits(&w->to) && mail_next(&w->to, &l));
    assert_null(via_frame(&w->frames, &l));
    mail_done(&w->to, &l);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_port_by_mail_is_the_port_without_segmentation),
        IN_WORLD(a_frame_comes_out_as_it_went_in),
        IN_WORLD(a_full_ring_takes_the_first_and_leaves_the_rest),
        IN_WORLD(without_a_packet_a_frame_is_not_taken),
    };

    return cmocka_run_group_tests_name("shard_via", tests, NULL, NULL);
}
