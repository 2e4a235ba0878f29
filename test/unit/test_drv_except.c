/* The exception path: a wire in memory is the port, the test is the peer on its other side, and the
 * kernel is host 10.9.0.1 behind the TAP. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include "drv/except.h"
#include "drv/tap.h"
#include "lib/veth.h"
#include "nic/memwire.h"
#include "os/os.h"

#include <sched.h>

#define ARENA ((size_t)32 << 20)
#define QUEUES 2u

static struct mem arena;
static char why[200];
static struct nic *inner, *port, *far;
static struct memwire_port *near_end;
static struct pkt_pool far_pool;
static const struct mac_addr our_mac = {{2, 1, 1, 1, 1, 1}};

static int open_all(void **state)
{
    static const struct memwire_config wire = {.queues = QUEUES,
                                               .queues1 = 1,
                                               .buffers = 128,
                                               .buf_size = 4096,
                                               .mtu = 1500,
                                               .tso_max = 3000,
                                               .csum_offload = true};
    size_t bytes = memwire_bytes(&wire);
    struct except_config c = {.name = "mrx0", .addr = ip4_addr(be32_of(OURS))};

    (void)state;
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    void *shared = mem_carve(&arena, bytes, 4096);
    memwire_format(shared, &wire);
    near_end = memwire_open(&arena, shared, bytes, 0);
    inner = memwire_nic(near_end);
    far = memwire_nic(memwire_open(&arena, shared, bytes, 1));
    pkt_pool_init(&far_pool, &arena, "peer", 64, 4096, PKT_HEADROOM, NULL);
    inner->mac = our_mac;
    memcpy(station, our_mac.b, 6);
    size_t before = arena.used;
    port = except_open(&arena, inner, &c, why, sizeof(why));
    if (!port || arena.used - before > except_bytes(QUEUES) + 8192)
        return -1;
    return run("ip addr add 10.9.0.1/24 dev mrx0 && ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 "
               "dev mrx0");
}

static int close_all(void **state)
{
    (void)state;
    port->ops->close(port);
    os_release(arena.base, ARENA);
    return if_nametoindex("mrx0") == 0 ? 0 : -1;
}

/* ---- the peer ---------------- */

/* A packet of the far end's own pool with these bytes. */
static struct pkt *far_packet(const uint8_t *f, uint32_t len)
{
    struct pkt *p = pkt_get(&far_pool);
    memcpy(p->data, f, len);
    p->len = len;
    return p;
}

static void far_sends(const uint8_t *f, uint32_t len, uint8_t flags, uint16_t gso)
{
    struct pkt *p = far_packet(f, len);

    p->flags = flags;
    p->gso_size = gso;
    p->l3_off = (uint16_t)(PKT_HEADROOM + 14);
    p->l4_off = (uint16_t)(PKT_HEADROOM + 34);
    assert_int_equal(nic_tx_burst(far, 0, &p, 1), 1);
}

/* All queues of the port once; what is ours, at most one packet. */
static struct pkt *turn(void)
{
    struct pkt *p = NULL, *got;

    for (unsigned q = 0; q < QUEUES; q++)
        if (nic_rx_burst(port, q, &got, 1) == 1) {
            assert_null(p);
            p = got;
        }
    return p;
}

/* The next frame at the peer, within some time, while the port turns and nothing is ours. */
static uint32_t far_gets(uint8_t *f)
{
    struct pkt *p;

    for (int i = 0; i < 200; i++) {
        assert_null(turn());
        if (nic_rx_burst(far, 0, &p, 1) == 1) {
            uint32_t len = p->len;
            memcpy(f, p->data, len);
            pkt_put(p);
            return len;
        }
        usleep(500);
    }
    return 0;
}

static uint64_t counter(const char *name)
{
    struct nic_counter c[NIC_COUNTERS_MAX];
    unsigned n = port->ops->counters(port, c, NIC_COUNTERS_MAX);

    for (unsigned i = 0; i < n; i++)
        if (strcmp(c[i].name, name) == 0)
            return c[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

static uint32_t arp_frame(uint8_t *f, unsigned op, uint32_t spa, uint32_t tpa)
{
    memset(f, 0, 42);
    memset(f, 0xff, 6);
    if (op == 2)
        memcpy(f, station, 6);
    f[6] = 2;
    f[11] = 9;
    store_be16(f + 12, ETHTYPE_ARP);
    store_be16(f + 14, 1);
    store_be16(f + 16, ETHTYPE_IPV4);
    f[18] = 6;
    f[19] = 4;
    store_be16(f + 20, (uint16_t)op);
    memcpy(f + 22, f + 6, 6);
    store_be32(f + 28, spa);
    store_be32(f + 38, tpa);
    return 42;
}

static uint32_t ping_frame(uint8_t *f, uint32_t dst)
{
    struct tell t = {PEERS, dst, 0, 0, 0, 0};
    uint32_t len = tcp_frame(f, &t);
    uint16_t sum;

    f[23] = 1;
    store_be16(f + 24, 0);
    sum = csum_finish(csum_add_portable(f + 14, 20, 0));
    memcpy(f + 24, &sum, 2);
    memset(f + 34, 0, 20);
    f[34] = 8;
    sum = csum_finish(csum_add_portable(f + 34, 20, 0));
    memcpy(f + 36, &sum, 2);
    return len;
}

/* ---- whose is what ---------------- */

static void the_kernel_behind_it_answers_arp_and_ping_under_the_ports_address(void **state)
{
    uint8_t f[2000], got[4096];

    (void)state;
    far_sends(f, arp_frame(f, 1, PEERS, KERNELS), 0, 0);
    assert_int_equal(far_gets(got), 42);
    assert_int_equal(load_be16(got + 20), 2);
    assert_memory_equal(got + 22, our_mac.b, 6);
    assert_int_equal(load_be32(got + 28), KERNELS);
    far_sends(f, ping_frame(f, KERNELS), 0, 0);
    assert_int_equal(far_gets(got), 54);
    assert_int_equal(got[34], 0);
    assert_int_equal(load_be32(got + 26), KERNELS);
    assert_int_equal(counter("exception_to_kernel"), 2);
    assert_int_equal(counter("exception_from_kernel"), 2);
    assert_int_equal(counter("exception_dropped"), 0);
}

static void what_is_ours_does_not_reach_the_kernel(void **state)
{
    uint8_t f[2000], got[4096];
    struct pkt *p;

    (void)state;
    /* The kernel would answer for this address, too. */
    assert_int_equal(run("ip link set lo up; ip addr add 10.9.0.2/32 dev lo"), 0);
    uint32_t len = ping_frame(f, OURS);
    far_sends(f, len, 0, 0);
    p = turn();
    assert_non_null(p);
    assert_int_equal(p->len, len);
    assert_memory_equal(p->data, f, len);
    pkt_put(p);
    far_sends(f, arp_frame(f, 1, PEERS, OURS), 0, 0);
    p = turn();
    assert_non_null(p);
    pkt_put(p);
    assert_int_equal(far_gets(got), 0);
    assert_int_equal(counter("exception_to_kernel"), 0);
    run("ip addr del 10.9.0.2/32 dev lo");
}

static void a_reply_to_the_one_hardware_address_goes_to_both(void **state)
{
    uint8_t f[2000], got[4096];
    struct pkt *p;

    (void)state;
    run("ip neigh del 10.9.0.9 dev mrx0; (ping -c 1 -W 1 10.9.0.9 >/dev/null 2>&1 &)");
    assert_int_equal(far_gets(got), 42); /* the kernel asks */
    assert_int_equal(load_be16(got + 20), 1);
    far_sends(f, arp_frame(f, 2, PEERS, KERNELS), 0, 0);
    p = turn();
    assert_non_null(p);
    assert_int_equal(p->len, 42);
    pkt_put(p);
    assert_true(far_gets(got) >= 42); /* and pings */
    assert_int_equal(got[34], 8);
    assert_int_equal(counter("exception_to_kernel"), 1);
    assert_int_equal(nic_rx_pool(port, 0)->descs.used - nic_rx_pool(port, 0)->posted, 0);
}

static void what_the_port_left_undone_is_right_when_the_kernel_has_it(void **state)
{
    struct tell t = {PEERS, KERNELS, 4000, 81, 0, TH_SYN};
    uint8_t f[4000], got[4096];

    (void)state;
    uint32_t len = tcp_frame(f, &t);
    make_partial(f, len);
    far_sends(f, len, PKT_CSUM_PARTIAL, 0);
    assert_int_equal(far_gets(got), 54);
    assert_int_equal(got[47] & TH_RST, TH_RST);
    assert_true(l4_sum_is_right(got));
    t.payload = 2800;
    t.flags = TH_ACK;
    len = tcp_frame(f, &t);
    make_partial(f, len);
    far_sends(f, len, PKT_CSUM_PARTIAL, 1400);
    assert_int_equal(far_gets(got), 54);
    assert_int_equal(got[47] & TH_RST, TH_RST);
    assert_int_equal(counter("exception_dropped"), 0);
}

/* ---- when somebody is slow or gone ---------------- */

static void what_the_port_refuses_of_the_kernels_waits_and_in_the_end_is_lost(void **state)
{
    uint8_t f[2000], got[4096];
    struct pkt *p;

    (void)state;
    /* The peer's buffers are all taken. */
    while (true) {
        uint32_t len = ping_frame(f, PEERS);
        struct pkt *mine = pkt_get(nic_rx_pool(port, 0));
        if (!mine)
            break;
        memcpy(mine->data, f, len);
        mine->len = len;
        if (nic_tx_burst(port, 0, &mine, 1) == 0) {
            pkt_put(mine);
            break;
        }
    }
    far_sends(f, ping_frame(f, KERNELS), 0, 0);
    for (int i = 0; i < 20; i++) {
        assert_null(turn());
        usleep(100);
    }
    assert_int_equal(counter("exception_to_kernel"), 1);
    uint64_t out = counter("exception_from_kernel");
    /* Our own is received all the same. */
    far_sends(f, ping_frame(f, OURS), 0, 0);
    p = turn();
    assert_non_null(p);
    pkt_put(p);
    /* It goes as soon as there is room. */
    while (nic_rx_burst(far, 0, &p, 1) == 1)
        pkt_put(p);
    assert_int_equal(far_gets(got) > 0 || out > 0, 1);
    assert_int_equal(counter("exception_dropped"), 0);
}

static void without_the_device_our_own_traffic_goes_on(void **state)
{
    uint8_t f[2000];

    (void)state;
    assert_int_equal(run("ip link del mrx0"), 0);
    far_sends(f, ping_frame(f, KERNELS), 0, 0);
    assert_null(turn());
    assert_int_equal(counter("exception_dropped"), 1);
    assert_false(nic_is_gone(port));
    far_sends(f, ping_frame(f, OURS), 0, 0);
    struct pkt *p = turn();
    assert_non_null(p);
    pkt_put(p);
}

static void a_device_that_cannot_be_had_is_explained(void **state)
{
    struct except_config c = {.name = "lo"};

    (void)state;
    assert_null(except_open(&arena, inner, &c, why, sizeof(why)));
    assert_string_equal(why, "network device 'lo' is not a TAP device");
    run("ip tuntap add mrx1 mode tap");
    c.name = "mrx1";
    assert_null(except_open(&arena, inner, &c, why, sizeof(why)));
    assert_non_null(strstr(why, "has one queue"));
    run("ip link del mrx1");
}

/* ---- sleeping ---------------- */

static void either_side_wakes_the_one_descriptor(void **state)
{
    struct tap_config tc = {.name = "mri0", .queues = 1, .buffers = 64};
    struct except_config c = {.name = "mrx0", .addr = ip4_addr(be32_of(OURS))};
    struct pkt *p;
    uint8_t f[200];

    (void)state;
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    struct tap *t = tap_open(&arena, &tc, why, sizeof(why));
    struct nic *n = tap_nic(t);
    n->mac = our_mac;
    memcpy(station, our_mac.b, 6);
    n = except_open(&arena, n, &c, why, sizeof(why));
    assert_non_null(n);
    run("ip link set mri0 up; ip link set mri0 arp off; ip link set mrx0 arp off");
    struct os_wait w = {.fd = n->ops->wait_fd(n, 0)};
    assert_int_equal(n->ops->wait_fd(n, 0), w.fd);
    for (int i = 0; i < 50; i++) {
        while (nic_rx_burst(n, 0, &p, 1) == 1)
            pkt_put(p);
        usleep(100);
    }
    assert_false(n->ops->wait_prepare(n, 0));
    assert_int_equal(os_wait(&w, 1, 0), 0);
    peer = packet_socket("mri0");
    peer_sends(f, ping_frame(f, OURS), 0, false);
    assert_int_equal(os_wait(&w, 1, 1000000), 1);
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 1);
    pkt_put(p);
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    assert_int_equal(os_wait(&w, 1, 0), 0);
    close(peer);
    peer = packet_socket("mrx0");
    peer_sends(f, ping_frame(f, PEERS), 0, false);
    assert_int_equal(os_wait(&w, 1, 1000000), 1);
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    assert_int_equal(os_wait(&w, 1, 0), 0);
    /* A device that is taken away does not wake for ever. */
    assert_int_equal(run("ip link del mrx0"), 0);
    nic_rx_burst(n, 0, &p, 1);
    nic_rx_burst(n, 0, &p, 1);
    assert_false(n->ops->wait_prepare(n, 0));
    assert_int_equal(os_wait(&w, 1, 0), 0);
    close(peer);
    n->ops->close(n);
    os_release(arena.base, ARENA);
}

#define WITH_PORT(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PORT(the_kernel_behind_it_answers_arp_and_ping_under_the_ports_address),
        WITH_PORT(what_is_ours_does_not_reach_the_kernel),
        WITH_PORT(a_reply_to_the_one_hardware_address_goes_to_both),
        WITH_PORT(what_the_port_left_undone_is_right_when_the_kernel_has_it),
        WITH_PORT(what_the_port_refuses_of_the_kernels_waits_and_in_the_end_is_lost),
        WITH_PORT(without_the_device_our_own_traffic_goes_on),
        WITH_PORT(a_device_that_cannot_be_had_is_explained),
        cmocka_unit_test(either_side_wakes_the_one_descriptor),
    };

    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        access("/dev/net/tun", R_OK | W_OK) != 0) {
        printf("1..0 # SKIP no network namespace, or no TAP devices, to be had\n");
        return 0;
    }
    run("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
