/* The packet port where it does what others left to hardware: checksums and cutting. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include "lib/packet_port.h"

#include <sched.h>

static void peer_sends_tagged(const uint8_t *f, uint32_t len, uint16_t vlan)
{
    struct virtio_net_hdr h = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 38, .csum_offset = 16};
    uint8_t tag[4];
    struct iovec v[] = {{&h, sizeof(h)},
                        {(void *)(uintptr_t)f, 12},
                        {tag, sizeof(tag)},
                        {(void *)(uintptr_t)(f + 12), len - 12}};

    store_be16(tag, ETHTYPE_VLAN);
    store_be16(tag + 2, vlan);
    assert_int_equal(writev(peer, v, 4), sizeof(h) + len + 4);
}

static void without_offloads_checksums_are_finished_here(void **state)
{
    struct nic *n = open_plain("mrp0,no-offload", 1);
    struct tell t = syn_to_us;
    uint8_t f[2000];

    (void)state;
    assert_int_equal(n->caps.tso_max, 0);
    assert_false(n->caps.tx_csum);
    t.payload = 333;
    uint32_t len = tcp_frame(f, &t);
    make_partial(f, len);
    peer_sends(f, len, 0, true);
    struct pkt *p = gets(n, 0);
    assert_non_null(p);
    assert_int_equal(p->flags, 0);
    assert_true(l4_sum_is_right(p->data));
    pkt_put(p);
    close_port(n);
}

/* What is left to be done is told from the frame as it was without its tag. */
static void the_checksum_of_a_tagged_frame_is_finished_where_it_is(void **state)
{
    struct dev_config c = config_of("mrp0,no-offload", 1);
    struct tell t = syn_to_us;
    uint8_t f[2000];

    (void)state;
    c.vlan = 7;
    t.payload = 333;
    struct nic *n = open_port(&c);
    uint32_t len = tcp_frame(f, &t);
    make_partial(f, len);
    peer_sends_tagged(f, len, 7);
    struct pkt *p = gets(n, 0);
    assert_non_null(p);
    assert_int_equal(p->len, len + 4);
    assert_int_equal(load_be16(p->data + 14), 7);
    memmove(p->data + 4, p->data, 12); /* the tag out again */
    assert_true(l4_sum_is_right(p->data + 4));
    pkt_put(p);
    close_port(n);
}

static void without_offloads_a_segment_of_many_is_cut_here(void **state)
{
    struct nic *n = open_plain("mrp0,no-offload", 1);
    struct tell t = {PEERS, OURS, 4000, 81, 20000, TH_ACK | TH_PUSH};
    static uint8_t f[65536];
    uint32_t len = tcp_frame(f, &t);

    (void)state;
    store_be32(f + 38, 0xfffff000u);
    make_partial(f, len);
    peer_sends(f, len, 1448, true);
    gets_pieces(n, f, 54, len, 1448);
    assert_int_equal(nic_rx_pool(n, 0)->descs.used, 0);
    assert_int_equal(n->stats->rx_packets, 14);
    close_port(n);
}

static void datagrams_in_one_frame_are_cut_with_and_without_offloads(void **state)
{
    static const char *const name[] = {"mrp0", "mrp0,no-offload"};
    static uint8_t f[65536];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct nic *n = open_plain(name[i], 1);
        struct tell t = {PEERS, OURS, 4000, 53, 20000 - 12, 0};
        uint32_t len = tcp_frame(f, &t);
        f[23] = 17;
        store_be16(f + 24, 0);
        uint16_t sum = csum_finish(csum_add_portable(f + 14, 20, 0));
        memcpy(f + 24, &sum, 2);
        store_be16(f + 38, (uint16_t)(len - 34));
        make_partial(f, len);
        if (!peer_may_send_many(f, len, 1200)) {
            close_port(n);
            skip();
        }
        gets_pieces(n, f, 42, len, 1200);
        assert_int_equal(n->stats->rx_error, 0);
        close_port(n);
    }
}

#define WITH_NETWORK(f) cmocka_unit_test_setup_teardown(f, make_network, drop_network)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NETWORK(without_offloads_checksums_are_finished_here),
        WITH_NETWORK(the_checksum_of_a_tagged_frame_is_finished_where_it_is),
        WITH_NETWORK(without_offloads_a_segment_of_many_is_cut_here),
        WITH_NETWORK(datagrams_in_one_frame_are_cut_with_and_without_offloads),
    };

    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        run("ip link add mrp0 type veth peer name mrp1 && ip link del mrp0") != 0) {
        printf("1..0 # SKIP no network namespace, or no veth devices, to be had\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
