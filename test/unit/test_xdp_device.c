/* The AF_XDP port on interfaces of many sorts: large frames, generic XDP, busy polling, a station
 * address of our own; down, up, and gone. */
#define _GNU_SOURCE 1
#include "lib/xdp_net.h"

static uint8_t frame[70000], seen[70000];

static void expect_frame(struct nic *n, int s, uint32_t len, uint32_t seed)
{
    struct pkt *p;

    make_udp(frame, len, &n->mac, OURS, 7, seed);
    peer_send(s, frame, len);
    if (gather(n, 0, &p, 1) != 1)
        fail_msg("a frame of %u bytes does not come", len);
    assert_int_equal(p->len, len);
    assert_memory_equal(p->data, frame, len);
    pkt_put(p);
}

/* In a packet and two fragments of odd lengths. */
static void expect_sent(struct nic *n, struct pkt_pool *pool, int s, uint32_t len, uint32_t seed)
{
    struct pkt *p = pkt_get(pool);
    uint32_t half = 42 + (len - 42) / 3;

    assert_non_null(p);
    make_udp(frame, len, &n->mac, PEERS, 7, seed);
    memcpy(p->data, frame, 42);
    p->len = 42;
    p->frags[0] = (struct pkt_frag){frame + 42, half - 42, MEM_NONE};
    p->frags[1] = (struct pkt_frag){frame + half, len - half, MEM_NONE};
    p->frag_len = len - 42;
    p->nfrags = 2;
    for (int i = 0; i < 1000 && nic_tx_burst(n, 0, &p, 1) == 0; i++)
        usleep(100);
    assert_int_equal(peer_receive(s, seen, sizeof(seen)), len);
    assert_memory_equal(seen, frame, len);
}

static void frames_go_both_ways(struct nic *n, uint32_t largest)
{
    struct pkt_pool pool;
    struct mem m;
    int s = peer_socket();

    mem_init(&m, os_reserve(1 << 20, false), 1 << 20);
    pkt_pool_init(&pool, &m, "to send", 256, 2048, PKT_HEADROOM, NULL);
    for (uint32_t i = 0; i <= 600; i++) {
        uint32_t len = 60 + (largest - 60) * i / 600;
        expect_frame(n, s, len, i);
        expect_sent(n, &pool, s, len, i);
    }
    assert_int_equal(pool.descs.used, 0);
    const struct pkt_pool *rx = nic_rx_pool(n, 0);
    assert_int_equal(rx->descs.used, rx->posted);
    assert_int_equal(n->stats[0].rx_error + n->stats[0].rx_nobuf + n->stats[0].tx_error, 0);
    os_release(m.base, m.size);
    close(s);
}

static void frames_of_half_a_page_and_more_fit_a_larger_chunk(void **state)
{
    (void)state;
    pair_up(1, 3500);
    struct nic *n = port_open("xa", 1);
    assert_int_equal(n->caps.mtu, 3500);
    frames_go_both_ways(n, 3514);
    port_close(n);
}

static void frames_of_9000_bytes_come_and_go_in_pieces(void **state)
{
    struct nic *n;

    (void)state;
    pair_up(1, 9000);
    n = port_open_at(OURS, "xa", 1);
    if (!n && strstr(why, "an MTU of at most 3818 would work"))
        skip(); /* Linux before 6.6 */
    if (!n)
        fail_msg("%s", why);
    assert_int_equal(n->caps.mtu, 9000);
    frames_go_both_ways(n, 9014);
    port_close(n);
}

static void generic_xdp_does_the_same(void **state)
{
    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa,attach=generic", 1);
    assert_true(n->facts > 0 && n->fact[0].slow);
    assert_non_null(strstr(n->fact[0].text, "generic XDP"));
    assert_int_equal(shell("ip link show xa | grep -q xdpgeneric"), 0);
    frames_go_both_ways(n, 1514);
    port_close(n);
}

static void busy_polling_does_the_same(void **state)
{
    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa,busy-poll=20,mode=copy,frames=512", 1);
    frames_go_both_ways(n, 1514);
    port_close(n);
}

static void with_a_station_address_of_our_own_the_hosts_stays(void **state)
{
    const char *rest;
    const struct dev_kind *kind = dev_find("xdp:x", &rest, why, sizeof(why));
    struct dev_config c = {
        .name = "xa", .queues = 1, .addr = OURS, .mac = {{2, 0, 0, 0x12, 0x34, 0x56}}};

    (void)state;
    pair_up(1, 1500);
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    struct nic *n = kind->open(&arena, &c, why, sizeof(why));
    assert_non_null(n);
    assert_memory_equal(n->mac.b, c.mac.b, 6);
    assert_int_equal(shell("ip -d link show xa | grep -qi promiscuity.1"), 0);
    frames_go_both_ways(n, 1514);
    port_close(n);
    assert_int_equal(shell("ip -d link show xa | grep -qi promiscuity.0"), 0);
}

static void an_interface_that_is_down_is_not_gone_and_serves_again(void **state)
{
    struct pkt *p[8];

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa", 1);
    assert_int_equal(shell("ip link set xa down"), 0);
    assert_false(n->ops->link_is_up(n));
    assert_int_equal(nic_rx_burst(n, 0, p, 8), 0);
    n->ops->wait_prepare(n, 0);
    assert_int_equal(nic_rx_burst(n, 0, p, 8), 0);
    assert_false(nic_is_gone(n));
    assert_int_equal(shell("ip link set xa up"), 0);
    for (int i = 0; i < 200 && !n->ops->link_is_up(n); i++)
        usleep(5000);
    assert_true(n->ops->link_is_up(n));
    frames_go_both_ways(n, 1514);
    assert_false(nic_is_gone(n));
    port_close(n);
}

static void what_is_offered_while_the_interface_is_down_is_lost_and_counted(void **state)
{
    struct pkt_pool pool;
    struct mem m;
    struct pkt *p;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa", 1);
    int s = peer_socket();
    mem_init(&m, os_reserve(1 << 20, false), 1 << 20);
    pkt_pool_init(&pool, &m, "to send", 256, 2048, PKT_HEADROOM, NULL);
    assert_int_equal(shell("ip link set xa down"), 0);
    for (int i = 0; i < 5000; i++) {
        p = pkt_get(&pool);
        make_udp(p->data, 100, &n->mac, PEERS, 7, 1);
        p->len = 100;
        assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    }
    /* The first one told us. */
    assert_int_equal(n->stats[0].tx_error, 4999);
    assert_int_equal(pool.descs.used, 0);
    assert_false(nic_is_gone(n));
    /* Nothing to do for it but to wait for the interface. */
    assert_false(n->ops->wait_prepare(n, 0));
    assert_int_equal(shell("ip link set xa up"), 0);
    nic_tx_burst(n, 0, &p, 0);
    assert_int_equal(peer_receive(s, seen, sizeof(seen)), 100);
    n->stats[0].tx_error = 0;
    frames_go_both_ways(n, 1514);
    close(s);
    os_release(m.base, m.size);
    port_close(n);
}

static void a_removed_interface_is_gone_and_wakes_the_sleeper(void **state)
{
    struct pkt *p[8];

    (void)state;
    pair_up(2, 1500);
    struct nic *n = port_open("xa", 2);
    struct pollfd w = {.fd = n->ops->wait_fd(n, 0), .events = POLLIN};
    nic_rx_burst(n, 0, p, 8);
    assert_false(n->ops->wait_prepare(n, 0));
    assert_int_equal(shell("ip link del xa"), 0);
    assert_int_equal(poll(&w, 1, 1000), 1);
    n->ops->wait_prepare(n, 0);
    nic_rx_burst(n, 0, p, 8);
    assert_true(nic_is_gone(n));
    assert_false(n->ops->link_is_up(n));
    port_close(n);
}

#define TEST(f) cmocka_unit_test_teardown(f, pair_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_of_half_a_page_and_more_fit_a_larger_chunk),
        TEST(frames_of_9000_bytes_come_and_go_in_pieces),
        TEST(generic_xdp_does_the_same),
        TEST(busy_polling_does_the_same),
        TEST(with_a_station_address_of_our_own_the_hosts_stays),
        TEST(an_interface_that_is_down_is_not_gone_and_serves_again),
        TEST(what_is_offered_while_the_interface_is_down_is_lost_and_counted),
        TEST(a_removed_interface_is_gone_and_wakes_the_sleeper),
    };

    return NET_RUN(tests);
}
