/* One core's turn: packets in, events out, packets out, and each frame seen once. */
#include "lib/cmocka_first.h"

#include "shard/shard.h"

#define SEEN_MAX 256

struct port {
    struct nic nic;
    struct pkt_pool pool;
    unsigned room;          /* frames the port still takes */
    struct pkt *waiting[8]; /* to be received */
    unsigned nwaiting;
    unsigned sent;
};

struct world {
    void *memory;
    struct port port;
    struct shard shard;
    struct mr *m;
    unsigned in, out;
    uint8_t seen[SEEN_MAX]; /* by first payload byte of UDP frames out */
};

static unsigned rx(struct nic *n, unsigned queue, struct pkt **out, unsigned max)
{
    struct port *p = (struct port *)(void *)n;
    unsigned got = p->nwaiting < max ? p->nwaiting : max;

    (void)queue;
    memcpy(out, p->waiting, got * sizeof(*out));
    p->nwaiting -= got;
    return got;
}

static unsigned tx(struct nic *n, unsigned queue, struct pkt **pk, unsigned count)
{
    struct port *p = (struct port *)(void *)n;
    unsigned took = p->room < count ? p->room : count;

    (void)queue;
    for (unsigned i = 0; i < took; i++)
        pkt_put(pk[i]);
    p->room -= took;
    p->sent += took;
    return took;
}

static const struct nic_ops ops = {.rx_burst = rx, .tx_burst = tx};

static void observe(void *arg, const struct pkt *p, bool out, instant now)
{
    struct world *w = arg;
    uint8_t flat[2048];

    (void)now;
    w->in += !out;
    w->out += out;
    pkt_copy_out(p, flat);
    if (out && load_be16(flat + 12) == 0x0800 && flat[23] == 17)
        w->seen[flat[42]]++;
}

static void no_event(struct mr *m, void *state, const struct mr_event *ev)
{
    (void)m;
    (void)state;
    (void)ev;
}

static const struct mr_app app = {.name = "test", .event = no_event};
static const struct mac_addr peer_mac = {{2, 0, 0, 0, 0, 9}};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct stack_config c;
    struct ip_addr us = ip4_of(10, 0, 0, 1), peer = ip4_of(10, 0, 0, 2);
    struct mem m;

    stack_config_default(&c);
    stack_limits_for(&c.limits, 16);
    size_t bytes = align_up(stack_bytes(&c.limits), 4096), more = 1 << 20;
    w->memory = aligned_alloc(4096, bytes + more);
    memset(w->memory, 0, bytes + more);
    mem_init(&m, (uint8_t *)w->memory + bytes, more);
    pkt_pool_init(&w->port.pool, &m, "rx", 8, 2048, PKT_HEADROOM, NULL);
    w->port.nic = (struct nic){.ops = &ops, .caps = {.mtu = 1500, .queues = 1}, .name = "t0"};
    w->port.nic.mac = (struct mac_addr){{2, 0, 0, 0, 0, 1}};
    w->shard.stack = stack_init(w->memory, bytes, &c, 1000);
    w->shard.native = native_init(mem_carve(&m, native_bytes(), CACHE_LINE), w->shard.stack);
    w->shard.app = &app;
    w->shard.tap = (struct shard_tap){observe, w};
    w->m = native_mr(w->shard.native);
    int netif = stack_port_add(w->shard.stack, &w->port.nic, 0, 0, 0);
    assert_int_equal(netif, 1);
    assert_int_equal(stack_addr_add(w->shard.stack, 1, &us, 24, false), 0);
    assert_int_equal(stack_neigh_add(w->shard.stack, 1, &peer, &peer_mac), 0);
    w->shard.netifs = 1;
    w->shard.nic[1] = &w->port.nic;
    /* Whatever a new address has to say is said now. */
    w->port.room = SEEN_MAX;
    for (instant now = 2000; now < 10 * USEC_PER_SEC; now += 1000)
        shard_turn(&w->shard, now);
    w->in = w->out = w->port.sent = 0;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    free(w->memory);
    free(w);
    return 0;
}

static void send_datagrams(struct world *w, unsigned n)
{
    struct mr_addr to = mr_addr4(10, 0, 0, 2, 9);
    mr_sock s;

    assert_int_equal(mr_udp_open(w->m, NULL, NULL, &s), 0);
    for (uint8_t i = 0; i < n; i++)
        assert_int_equal(mr_sendto(w->m, s, &i, 1, &to), 0);
}

static void a_frame_refused_by_the_port_is_observed_once(void **state)
{
    struct world *w = *state;
    instant now = 11 * USEC_PER_SEC;

    send_datagrams(w, 10);
    for (unsigned i = 0; i < 20; i++) {
        w->port.room = i % 3 == 0 ? 2 : 0;
        shard_turn(&w->shard, now += 100);
    }
    assert_int_equal(w->port.sent, 10);
    assert_int_equal(w->out, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(w->seen[i], 1);
}

static void a_full_port_is_tried_again_soon(void **state)
{
    struct world *w = *state;
    instant now = 11 * USEC_PER_SEC;

    send_datagrams(w, 3);
    w->port.room = 1;
    shard_turn(&w->shard, now);
    assert_true(shard_deadline(&w->shard) <= now + 1000);
    w->port.room = 10;
    assert_true(shard_turn(&w->shard, now + 1000));
    assert_int_equal(w->port.sent, 3);
}

static void a_turn_with_nothing_to_do_says_so_and_asks_for_no_other(void **state)
{
    struct world *w = *state;
    instant now = 11 * USEC_PER_SEC;

    assert_false(shard_turn(&w->shard, now));
    assert_true(shard_deadline(&w->shard) > now + USEC_PER_SEC);
}

static void a_frame_received_is_observed_and_answered_in_the_same_turn(void **state)
{
    struct world *w = *state;
    struct pkt *p = pkt_get(&w->port.pool);
    uint8_t request[28] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 2,
                           0, 0, 0, 0, 0, 0, 10, 0, 0, 1};

    memcpy(p->data, w->port.nic.mac.b, 6);
    memcpy(p->data + 6, peer_mac.b, 6);
    store_be16(p->data + 12, 0x0806);
    memcpy(p->data + 14, request, sizeof(request));
    p->len = 42;
    w->port.waiting[w->port.nwaiting++] = p;
    assert_true(shard_turn(&w->shard, 11 * USEC_PER_SEC));
    assert_int_equal(w->in, 1);
    assert_int_equal(w->out, 1);
    assert_int_equal(w->port.pool.descs.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_refused_by_the_port_is_observed_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_port_is_tried_again_soon, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_turn_with_nothing_to_do_says_so_and_asks_for_no_other,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_frame_received_is_observed_and_answered_in_the_same_turn, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
