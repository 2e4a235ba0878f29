/* The AF_XDP port: frames both ways, whose buffers are whose, what is refused and why. */
#define _GNU_SOURCE 1
#include "lib/xdp_net.h"

#define SEND_PKTS 256u

static uint8_t frame[70000], seen[70000];

static void frames_come_whole_and_in_order(void **state)
{
    struct pkt *p[64];
    int s;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa", 1);
    s = peer_socket();
    assert_int_equal(n->caps.queues, 1);
    assert_int_equal(n->caps.mtu, 1500);
    assert_int_equal(n->spread, NIC_SPREAD_NONE);
    assert_true(n->ops->link_is_up(n));
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < 64; i++) {
            make_udp(frame, 60 + (round * 64 + i) % 1455, &n->mac, OURS, 7, round * 64 + i);
            peer_send(s, frame, 60 + (round * 64 + i) % 1455);
        }
        assert_int_equal(gather(n, 0, p, 64), 64);
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t len = 60 + (round * 64 + i) % 1455;
            make_udp(frame, len, &n->mac, OURS, 7, round * 64 + i);
            assert_int_equal(p[i]->len, len);
            assert_memory_equal(p[i]->data, frame, len);
        }
        put_all(p, 64);
    }
    assert_int_equal(n->stats[0].rx_packets, 6400);
    close(s);
    port_close(n);
}

static struct pkt_pool *make_pool(struct mem *m, size_t buf)
{
    static struct pkt_pool pool;
    const size_t bytes = (SEND_PKTS + 1) * (buf + sizeof(struct pkt)) + 8192;

    mem_init(m, os_reserve(bytes, false), bytes);
    pkt_pool_init(&pool, m, "to send", SEND_PKTS, (uint32_t)buf, PKT_HEADROOM, NULL);
    return &pool;
}

/* Offer one packet until it is taken. */
static void send_one(struct nic *n, struct pkt *p)
{
    for (int i = 0; i < 1000; i++) {
        if (nic_tx_burst(n, 0, &p, 1) == 1)
            return;
        usleep(100);
    }
    fail_msg("the port takes nothing");
}

static void what_is_sent_arrives_and_the_packets_go_home(void **state)
{
    struct mem m;
    int s;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa", 1);
    struct pkt_pool *pool = make_pool(&m, 2048);
    s = peer_socket();
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t len = 60 + i % 1455;
        struct pkt *p = pkt_get(pool);
        assert_non_null(p);
        make_udp(frame, len, &n->mac, PEERS, 7, i);
        /* The first part in the packet, the rest in a fragment. */
        memcpy(p->data, frame, 42);
        p->len = 42;
        p->frags[0] = (struct pkt_frag){frame + 42, len - 42, MEM_NONE};
        p->frag_len = len - 42;
        p->nfrags = 1;
        send_one(n, p);
        assert_int_equal(peer_receive(s, seen, sizeof(seen)), len);
        assert_memory_equal(seen, frame, len);
    }
    assert_int_equal(pool->descs.used, 0);
    assert_int_equal(n->stats[0].tx_packets, 5000);
    close(s);
    port_close(n);
    os_release(m.base, m.size);
}

static void a_received_packet_is_sent_as_it_lies(void **state)
{
    struct pkt *p[64];
    int s;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa,frames=256", 1);
    const struct pkt_pool *pool = nic_rx_pool(n, 0);
    s = peer_socket();
    for (uint32_t i = 0; i < 2000; i++) {
        make_udp(frame, 300, &n->mac, OURS, 7, i);
        peer_send(s, frame, 300);
        assert_int_equal(gather(n, 0, p, 1), 1);
        send_one(n, p[0]);
        assert_int_equal(peer_receive(s, seen, sizeof(seen)), 300);
        assert_memory_equal(seen, frame, 300);
    }
    assert_int_equal(gather(n, 0, p, 1), 0);
    nic_tx_burst(n, 0, p, 0);
    assert_int_equal(pool->descs.used, pool->posted);
    close(s);
    port_close(n);
}

static void without_buffers_frames_are_lost_and_afterwards_they_come_again(void **state)
{
    static struct pkt *p[512];
    int s;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa,frames=128", 1);
    const struct pkt_pool *pool = nic_rx_pool(n, 0);
    s = peer_socket();
    for (int round = 0; round < 3; round++) {
        unsigned got = 0;
        for (uint32_t i = 0; i < 400; i++) {
            make_udp(frame, 100, &n->mac, OURS, 7, i);
            peer_send(s, frame, 100);
            got += nic_rx_burst(n, 0, p + got, 1);
        }
        got += gather(n, 0, p + got, 512 - got);
        assert_true(got >= 100 && got <= 128);
        assert_int_equal(pool->descs.used, got + pool->posted);
        assert_int_equal(pool_available(&pool->descs) + pool->posted, 128 - got);
        put_all(p, got);
        make_udp(frame, 100, &n->mac, OURS, 7, 1);
        assert_int_equal(gather(n, 0, p, 1), 0);
    }
    close(s);
    port_close(n);
}

static void each_of_our_queues_serves_several_of_the_nics(void **state)
{
    struct pkt *p[64];
    unsigned got;
    int s;

    (void)state;
    pair_up(4, 1500);
    for (unsigned queues = 1; queues <= 8; queues++) {
        struct nic *n = port_open("xa", queues);
        s = peer_socket();
        assert_int_equal(n->caps.queues, queues < 4 ? queues : 4);
        for (uint32_t i = 0; i < 256; i++) {
            make_udp(frame, 100, &n->mac, OURS, 7, i);
            peer_send(s, frame, 100);
        }
        got = 0;
        for (int turn = 0; turn < 1000 && got < 256; turn++) {
            for (unsigned q = 0; q < n->caps.queues; q++) {
                unsigned more = nic_rx_burst(n, q, p, 64);
                put_all(p, more);
                got += more;
            }
            usleep(100);
        }
        assert_int_equal(got, 256);
        close(s);
        port_close(n);
    }
}

static void a_sleeper_is_woken_by_a_frame(void **state)
{
    struct pkt *p[4];
    int s;

    (void)state;
    pair_up(2, 1500);
    for (unsigned queues = 1; queues <= 2; queues++) {
        struct nic *n = port_open("xa", queues);
        s = peer_socket();
        for (unsigned q = 0; q < queues; q++) {
            struct pollfd w = {.fd = n->ops->wait_fd(n, q), .events = POLLIN};
            nic_rx_burst(n, q, p, 4);
            nic_rx_burst(n, q, p, 4);
            assert_false(n->ops->wait_prepare(n, q));
            assert_int_equal(poll(&w, 1, 0), 0);
        }
        for (uint32_t i = 0; i < 64; i++) {
            make_udp(frame, 100, &n->mac, OURS, 7, i);
            peer_send(s, frame, 100);
        }
        for (unsigned q = 0; q < queues; q++) {
            struct pollfd w = {.fd = n->ops->wait_fd(n, q), .events = POLLIN};
            assert_int_equal(poll(&w, 1, 1000), 1);
            assert_true(n->ops->wait_prepare(n, q));
        }
        close(s);
        port_close(n);
    }
}

static void what_is_missing_or_misspelt_is_said(void **state)
{
    static const struct {
        const char *name, *says;
    } bad[] = {
        {"xa,mode=fast", "mode=fast: it is auto, zerocopy or copy"},
        {"xa,speed=1", "no option is called 'speed'"},
        {"xa,frames=3", "frames=3: it is receive buffers"},
        {"xa,port=9-3", "port=9-3: it is a port or FIRST-LAST"},
        {"a_name_that_is_far_too_long", "cannot be the name"},
        {"xz", "there is no network device 'xz'"},
        {"lo", "'lo' is no Ethernet device"},
        {"xa,mode=zerocopy", "the driver 'veth' has no zero-copy"},
        {"xa,port=80", "port= is for the host's own address"},
    };

    (void)state;
    pair_up(1, 1500);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(port_open_at(OURS, bad[i].name, 1));
        if (!strstr(why, bad[i].says))
            fail_msg("%s: %s", bad[i].name, why);
    }
    assert_null(port_open_at(HOSTS, "xa", 1));
    assert_non_null(strstr(why, "the address is the host's own"));
    assert_null(port_open_at(ip4_of(0, 0, 0, 0), "xa", 1));
    assert_non_null(strstr(why, "an IPv4 address of our own is needed"));
}

#define TEST(f) cmocka_unit_test_teardown(f, pair_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_come_whole_and_in_order),
        TEST(what_is_sent_arrives_and_the_packets_go_home),
        TEST(a_received_packet_is_sent_as_it_lies),
        TEST(without_buffers_frames_are_lost_and_afterwards_they_come_again),
        TEST(each_of_our_queues_serves_several_of_the_nics),
        TEST(a_sleeper_is_woken_by_a_frame),
        TEST(what_is_missing_or_misspelt_is_said),
    };

    return NET_RUN(tests);
}
