/* The packet port on one end of a veth; the test holds the other end with a packet socket, and the
 * kernel is host 10.9.0.1 on ours. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include "lib/packet_port.h"

#include "base/rng.h"
#include "drv/dev.h"
#include "drv/ours.h"
#include "os/os.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what cannot be ---------------- */

static void what_cannot_be_a_packet_port_is_explained(void **state)
{
    (void)state;
    assert_null(open_plain("nosuch0", 1));
    assert_string_equal(why, "there is no network device 'nosuch0'");
    close_port(NULL);
    assert_null(open_plain("lo", 1));
    assert_string_equal(why, "network device 'lo' is no Ethernet");
    close_port(NULL);
    assert_null(open_plain("sixteen_is_toolong", 1));
    assert_non_null(strstr(why, "cannot be the name"));
    close_port(NULL);
    assert_null(open_plain("mrp0,rss=best", 1));
    assert_non_null(strstr(why, "no option 'rss=best'"));
    close_port(NULL);
    assert_int_equal(run("ip link set mrp0 down"), 0);
    assert_null(open_plain("mrp0", 1));
    assert_string_equal(why, "network device 'mrp0' is down: 'ip link set mrp0 up'");
    close_port(NULL);
}

/* It may be the one by which somebody works on the machine. */
static void the_hosts_own_address_is_not_taken_from_it(void **state)
{
    struct dev_config c = config_of("mrp0", 1);

    (void)state;
    c.addr = ip4_addr(be32_of(KERNELS));
    assert_null(open_port(&c));
    assert_non_null(strstr(why, "host's own on 'mrp0'"));
    close_port(NULL);
    assert_true(is_answered(&syn_to_kernel));
}

static void a_port_knows_its_interface(void **state)
{
    struct nic *n = open_plain("mrp0", 1);
    struct dev_config other = config_of("mrp0", 1);

    (void)state;
    assert_non_null(n);
    assert_string_equal(n->name, "mrp0");
    assert_memory_equal(n->mac.b, station, 6);
    assert_int_equal(n->caps.mtu, 1500);
    assert_true(n->ops->link_is_up(n));
    close_port(n);
    other.mac = (struct mac_addr){{2, 1, 2, 3, 4, 5}};
    n = open_port(&other);
    assert_memory_equal(n->mac.b, other.mac.b, 6);
    memcpy(station, other.mac.b, 6);
    uint8_t f[200];
    peer_sends(f, tcp_frame(f, &syn_to_us), 0, false);
    struct pkt *p = gets(n, 0);
    assert_non_null(p);
    pkt_put(p);
    close_port(n);
}

/* ---- frames both ways ---------------- */

static void frames_arrive_in_order_and_wake_the_descriptor(void **state)
{
    struct nic *n = open_plain("mrp0", 1);
    struct os_wait w = {.fd = n->ops->wait_fd(n, 0)};
    struct tell t = syn_to_us;
    struct pkt *p[BURST_MAX];
    uint8_t f[2000];
    unsigned found = 0;

    (void)state;
    assert_false(n->ops->wait_prepare(n, 0));
    assert_int_equal(os_wait(&w, 1, 0), 0);
    /* Some more than the ring has slots, in bursts. */
    for (unsigned turn = 0; turn < 50; turn++) {
        for (unsigned i = 0; i < 50; i++) {
            t.sport = (uint16_t)(1000 + turn * 50 + i);
            t.payload = (uint16_t)(i * 29);
            peer_sends(f, tcp_frame(f, &t), 0, false);
        }
        assert_int_equal(os_wait(&w, 1, 1000000), 1);
        for (unsigned got = 0, k; got < 50; got += k) {
            k = nic_rx_burst(n, 0, p, BURST_MAX);
            assert_true(k > 0);
            for (unsigned i = 0; i < k; i++, found++) {
                t.sport = (uint16_t)(1000 + found);
                t.payload = (uint16_t)(found % 50 * 29);
                assert_int_equal(p[i]->len, tcp_frame(f, &t));
                assert_memory_equal(p[i]->data, f, p[i]->len);
                pkt_put(p[i]);
            }
        }
    }
    assert_int_equal(n->stats->rx_packets, 2500);
    assert_int_equal(nic_rx_pool(n, 0)->descs.used, 0);
    assert_int_equal(os_wait(&w, 1, 0), 0);
    close_port(n);
}

static void without_buffers_frames_wait_and_without_slots_they_are_counted(void **state)
{
    struct nic *n = open_plain("mrp0", 1);
    struct pkt *held[256], *p;
    uint8_t f[200];

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        held[i] = pkt_get(nic_rx_pool(n, 0));
    for (unsigned i = 0; i < 2148; i++)
        peer_sends(f, tcp_frame(f, &syn_to_us), 0, false);
    usleep(10000);
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    assert_int_equal(n->stats->rx_nobuf, 1);
    for (unsigned i = 0; i < 256; i++)
        pkt_put(held[i]);
    for (unsigned i = 0; i < 2048; i++) {
        assert_int_equal(nic_rx_burst(n, 0, &p, 1), 1);
        pkt_put(p);
    }
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    /* The kernel's count begins again with every reading; ours does not. */
    assert_int_equal(counter(n, "q0_ring_full"), 100);
    assert_int_equal(counter(n, "q0_ring_full"), 100);
    assert_int_equal(counter(n, "device_rx_errors"), 0);
    close_port(n);
}

/* A segment with fragments, checksum and cutting left to the port. */
static struct pkt *big_segment(struct nic *n, const uint8_t *f, uint32_t len, uint16_t gso)
{
    struct pkt *p = pkt_get(nic_rx_pool(n, 0));

    memcpy(p->data, f, 54);
    p->len = 54;
    p->frags[0] = (struct pkt_frag){f + 54, 700, MEM_NONE};
    p->frags[1] = (struct pkt_frag){f + 754, len - 754, MEM_NONE};
    p->frag_len = len - 54;
    p->nfrags = 2;
    p->l3_off = (uint16_t)(p->data - p->buf + 14);
    p->l4_off = (uint16_t)(p->data - p->buf + 34);
    p->flags = PKT_CSUM_PARTIAL;
    p->gso_size = gso;
    return p;
}

static void what_is_left_to_the_port_is_done_before_the_peer_has_it(void **state)
{
    struct nic *n = open_plain("mrp0", 1);
    struct tell t = {OURS, PEERS, 81, 4000, 20000, TH_ACK};
    struct virtio_net_hdr h;
    static uint8_t f[65536], got[65536];
    uint32_t len = tcp_frame(f, &t), bytes = 0, k;

    (void)state;
    make_partial(f, len);
    set_offload("mrp0", false);
    struct pkt *p = big_segment(n, f, len, 1400);
    assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    while ((k = peer_gets(got, sizeof(got), &h)) > 0) {
        assert_true(k <= 1454);
        assert_int_equal(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
        assert_true(l4_sum_is_right(got));
        assert_memory_equal(got + 54, f + 54 + bytes, k - 54);
        bytes += k - 54;
    }
    assert_int_equal(bytes, 20000);
    set_offload("mrp0", true);
    p = big_segment(n, f, len, 1400);
    assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    assert_int_equal(peer_gets(got, sizeof(got), &h), len);
    assert_int_equal(h.gso_size, 1400);
    assert_int_equal(n->stats->tx_packets, 2);
    assert_int_equal(nic_rx_pool(n, 0)->descs.used, 0);
    close_port(n);
}

static void a_segment_longer_than_a_slot_arrives_whole_and_in_its_place(void **state)
{
    struct nic *n = open_plain("mrp0", 1);
    struct tell t = syn_to_us;
    static uint8_t f[3][65536];
    uint32_t len[3];

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        t.payload = (uint16_t)(i % 3 ? i * 2000 : 100);
        t.flags = TH_ACK;
        t.sport = (uint16_t)i;
        len[i % 3] = tcp_frame(f[i % 3], &t);
        make_partial(f[i % 3], len[i % 3]);
        peer_sends(f[i % 3], len[i % 3], i % 3 ? 1448 : 0, true);
        for (unsigned k = 0; i % 3 == 2 && k < 3; k++) {
            struct pkt *p = gets(n, 0);
            assert_non_null(p);
            assert_int_equal(p->len, len[k]);
            assert_memory_equal(p->data, f[k], len[k]);
            assert_int_equal(p->flags, PKT_CSUM_OK | PKT_CSUM_PARTIAL);
            assert_int_equal(p->gso_size, k ? 1448 : 0);
            assert_int_equal(p->l4_off, p->data - p->buf + 34);
            pkt_put(p);
        }
    }
    assert_int_equal(counter(n, "q0_longer_than_slot"), 20);
    assert_int_equal(n->stats->rx_error, 0);
    close_port(n);
}

static void a_tag_that_the_kernel_took_out_is_in_its_place_again(void **state)
{
    struct dev_config c = config_of("mrp0", 1);
    uint8_t f[2000], tagged[2000];

    (void)state;
    c.vlan = 7;
    struct nic *n = open_port(&c);
    uint32_t len = tcp_frame(f, &syn_to_us);
    peer_sends(f, len, 0, false); /* untagged: not ours */
    memcpy(tagged, f, 12);
    store_be16(tagged + 12, ETHTYPE_VLAN);
    store_be16(tagged + 14, 0xa007);
    memcpy(tagged + 16, f + 12, len - 12);
    peer_sends(tagged, len + 4, 0, false);
    struct pkt *p = gets(n, 0);
    assert_non_null(p);
    assert_int_equal(p->len, len + 4);
    assert_memory_equal(p->data, tagged, len + 4);
    pkt_put(p);
    assert_null(gets(n, 0));
    close_port(n);
}

/* ---- the kernel beside us ---------------- */

/* Its lo has our address: it would answer. */
static void the_kernel_answers_nothing_for_our_address_and_lives_on_itself(void **state)
{
    (void)state;
    assert_true(is_answered(&syn_to_us));
    struct nic *n = open_plain("mrp0", 1);
    if (!says(n, "does not reach it")) {
        assert_true(says(n, "needs Linux 6.6"));
        close_port(n);
        skip();
    }
    assert_false(is_answered(&syn_to_us));
    assert_true(is_answered(&syn_to_kernel));
    struct pkt *p = gets(n, 0);
    assert_non_null(p);
    assert_int_equal(load_be32(p->data + 30), OURS);
    pkt_put(p);
    assert_null(gets(n, 0));
    close_port(n);
    assert_true(is_answered(&syn_to_us));
}

static void a_process_that_is_killed_leaves_nothing(void **state)
{
    int ready[2];
    char c;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct nic *n = open_plain("mrp0", 2);
        c = n && says(n, "does not reach it");
        if (write(ready[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    if (c)
        assert_false(is_answered(&syn_to_us));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(is_answered(&syn_to_us));
    close(ready[0]);
    close(ready[1]);
}

static void a_port_without_an_address_takes_the_whole_interface(void **state)
{
    struct dev_config c = config_of("mrp0", 1);

    (void)state;
    c.addr = (struct ip_addr){{0}};
    struct nic *n = open_port(&c);
    if (!says(n, "receives nothing")) {
        close_port(n);
        skip();
    }
    assert_false(is_answered(&syn_to_kernel));
    struct pkt *p = gets(n, 0);
    assert_non_null(p);
    assert_int_equal(load_be32(p->data + 30), KERNELS);
    pkt_put(p);
    close_port(n);
}

/* Whether this thread may load programs into the kernel. */
static void may_load(bool yes)
{
    static struct __user_cap_data_struct was[2];
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2];

    if (!yes)
        assert_int_equal(syscall(SYS_capget, &h, was), 0);
    memcpy(now, was, sizeof(now));
    if (!yes) {
        now[0].effective &= ~(1u << CAP_SYS_ADMIN);
        now[1].effective &= ~(1u << (CAP_BPF - 32));
    }
    assert_int_equal(syscall(SYS_capset, &h, now), 0);
}

static void where_the_kernel_takes_no_program_every_frame_is_looked_at_here(void **state)
{
    struct dev_config c = config_of("mrp0", 2);
    struct rss law;
    struct pkt *p;
    uint8_t f[200];

    (void)state;
    rss_init(&law, rss_key_default, 128, 2);
    c.steer = &law;
    may_load(false);
    struct nic *n = open_port(&c);
    may_load(true);
    assert_non_null(n);
    if (!says(n, "takes no filter")) {
        close_port(n);
        skip(); /* everybody may: net.core.unprivileged_bpf_disabled is 0 */
    }
    assert_true(says(n, "passed on between cores") && says(n, "kernel sees our packets, too"));
    assert_int_equal(n->spread, NIC_SPREAD_UNKNOWN);
    for (unsigned i = 0; i < 10; i++) {
        peer_sends(f, tcp_frame(f, &syn_to_kernel), 0, false);
        peer_sends(f, tcp_frame(f, &syn_to_us), 0, false);
    }
    for (unsigned got = 0, turn = 0; got < 10; turn++) {
        assert_true(turn < 1000);
        if (nic_rx_burst(n, turn % 2, &p, 1) == 1) {
            assert_int_equal(load_be32(p->data + 30), OURS);
            pkt_put(p);
            got++;
        } else {
            usleep(1000);
        }
    }
    assert_null(gets(n, 0));
    assert_null(gets(n, 1));
    assert_true(is_answered(&syn_to_kernel));
    close_port(n);
}

static uint32_t any_frame(struct rng *r, uint8_t *f)
{
    static const uint32_t addrs[] = {OURS, KERNELS, PEERS, 0xe0000001u, 0x0a0900ffu};
    static const uint16_t types[] = {ETHTYPE_IPV4, ETHTYPE_ARP, 0x88b5};
    struct tell t = {addrs[rng_below(r, 5)], addrs[rng_below(r, 5)], 1, 2, 10, TH_RST};
    uint32_t len = tcp_frame(f, &t);
    unsigned station_kind = rng_below(r, 4);

    f[5] ^= station_kind == 0;
    if (station_kind == 1)
        memset(f, 0xff, 6);
    store_be16(f + 12, types[rng_below(r, 3)]);
    if (load_be16(f + 12) == ETHTYPE_ARP) {
        store_be16(f + 20, (uint16_t)(1 + rng_below(r, 2)));
        store_be32(f + 28, t.src);
        store_be32(f + 38, t.dst);
        len = rng_below(r, 10) ? 42 : 41;
    }
    if (rng_below(r, 3) == 0) {
        memmove(f + 16, f + 12, len - 12);
        store_be16(f + 12, ETHTYPE_VLAN);
        store_be16(f + 14, (uint16_t)(rng_below(r, 3) * 0x1001));
        len += 4;
    }
    return len;
}

static void the_kernels_filter_takes_what_the_rule_says(void **state)
{
    struct dev_config c = config_of("mrp0", 1);
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    run("ip link set mrp0 promisc on");
    for (unsigned vlan = 0; vlan < 2; vlan++) {
        c.vlan = (uint16_t)vlan;
        struct nic *n = open_port(&c);
        struct ours law = {false, be32_of(OURS), n->mac, (uint16_t)vlan};
        unsigned kept = 0;
        struct pkt *p;
        for (unsigned i = 0; i < 3000; i++) {
            uint8_t f[200];
            uint32_t len = any_frame(&r, f);
            peer_sends(f, len, 0, false);
            bool keep = ours_judge(&law, f, len) != WHOSE_KERNELS;
            unsigned got = nic_rx_burst(n, 0, &p, 1);
            for (unsigned turn = 0; keep && !got && turn < 100; turn++) {
                usleep(100);
                got = nic_rx_burst(n, 0, &p, 1);
            }
            assert_int_equal(got, keep);
            if (got) {
                assert_int_equal(p->len, len);
                assert_memory_equal(p->data, f, len);
                pkt_put(p);
            }
            kept += keep;
        }
        assert_true(kept > 30 && kept < 2000);
        close_port(n);
    }
}

/* ---- many queues ---------------- */

static void every_frame_is_on_the_queue_that_the_rule_says(void **state)
{
    struct dev_config c = config_of("mrp0", 4);
    struct rss law;
    struct tell t = syn_to_us;
    unsigned on[4] = {0};
    uint8_t f[200];

    (void)state;
    rss_init(&law, rss_key_default, 128, 4);
    c.steer = &law;
    struct nic *n = open_port(&c);
    assert_non_null(n);
    assert_int_equal(n->caps.queues, 4);
    if (n->spread != NIC_SPREAD_RSS) {
        assert_int_equal(n->spread, NIC_SPREAD_UNKNOWN);
        close_port(n);
        skip();
    }
    assert_memory_equal(n->rss, &law, sizeof(law));
    /* Down and up again: the sockets leave the group and come back. */
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 400; i++) {
            uint32_t hash = 0;
            struct pkt *p;
            t.sport = (uint16_t)(1024 + i * 7);
            t.src = PEERS + i % 5;
            uint32_t len = tcp_frame(f, &t);
            assert_true(rss_frame_hash(&law, f, len, &hash));
            peer_sends(f, len, 0, false);
            p = gets(n, rss_queue(&law, hash));
            assert_non_null(p);
            assert_memory_equal(p->data, f, len);
            on[rss_queue(&law, hash)]++;
            pkt_put(p);
        }
        run("ip link set mrp0 down; ip link set mrp0 up");
    }
    for (unsigned q = 0; q < 4; q++)
        assert_true(on[q] > 100);
    close_port(n);
    n = open_plain("mrp0,rss=hash", 2);
    assert_int_equal(n->spread, NIC_SPREAD_UNKNOWN);
    close_port(n);
}

/* ---- the device's fate ---------------- */

static void a_link_that_goes_down_and_comes_up_is_the_same_port(void **state)
{
    struct nic *n = open_plain("mrp0", 1);
    struct os_wait w = {.fd = n->ops->wait_fd(n, 0)};
    struct pkt *p = pkt_get(nic_rx_pool(n, 0));
    uint8_t f[200];

    (void)state;
    p->len = tcp_frame(p->data, &syn_to_kernel);
    assert_int_equal(run("ip link set mrp0 down"), 0);
    assert_false(n->ops->link_is_up(n));
    assert_false(nic_is_gone(n));
    assert_int_equal(os_wait(&w, 1, 0), 1);
    assert_false(n->ops->wait_prepare(n, 0));
    assert_int_equal(os_wait(&w, 1, 0), 0);
    assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    assert_int_equal(n->stats->tx_error, 1);
    assert_int_equal(run("ip link set mrp0 up; ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 "
                         "dev mrp0"),
                     0);
    /* The kernel tells of carriers in its own time. */
    for (unsigned i = 0; i < 2000 && !n->ops->link_is_up(n); i++)
        usleep(1000);
    assert_true(n->ops->link_is_up(n));
    if (run("ip link set mrp0 name mrp5") == 0) {
        assert_true(n->ops->link_is_up(n));
        assert_int_equal(run("ip link set mrp5 name mrp0"), 0);
    }
    peer_sends(f, tcp_frame(f, &syn_to_us), 0, false);
    p = gets(n, 0);
    assert_non_null(p);
    pkt_put(p);
    assert_int_equal(nic_rx_pool(n, 0)->descs.used, 0);
    close_port(n);
}

static void a_device_removed_under_us_is_gone(void **state)
{
    struct nic *n = open_plain("mrp0", 2);
    struct pkt *p = pkt_get(nic_rx_pool(n, 0));

    (void)state;
    p->len = tcp_frame(p->data, &syn_to_kernel);
    assert_int_equal(run("ip link del mrp0"), 0);
    assert_true(nic_is_gone(n));
    assert_false(n->ops->link_is_up(n));
    assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    assert_int_equal(n->stats->tx_error, 1);
    assert_int_equal(nic_rx_burst(n, 1, &p, 1), 0);
    close_port(n);
}

#define WITH_NETWORK(f) cmocka_unit_test_setup_teardown(f, make_network, drop_network)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NETWORK(what_cannot_be_a_packet_port_is_explained),
        WITH_NETWORK(a_port_knows_its_interface),
        WITH_NETWORK(frames_arrive_in_order_and_wake_the_descriptor),
        WITH_NETWORK(without_buffers_frames_wait_and_without_slots_they_are_counted),
        WITH_NETWORK(what_is_left_to_the_port_is_done_before_the_peer_has_it),
        WITH_NETWORK(a_segment_longer_than_a_slot_arrives_whole_and_in_its_place),
        WITH_NETWORK(the_hosts_own_address_is_not_taken_from_it),
        WITH_NETWORK(a_tag_that_the_kernel_took_out_is_in_its_place_again),
        WITH_NETWORK(the_kernel_answers_nothing_for_our_address_and_lives_on_itself),
        WITH_NETWORK(a_process_that_is_killed_leaves_nothing),
        WITH_NETWORK(a_port_without_an_address_takes_the_whole_interface),
        WITH_NETWORK(where_the_kernel_takes_no_program_every_frame_is_looked_at_here),
        WITH_NETWORK(the_kernels_filter_takes_what_the_rule_says),
        WITH_NETWORK(every_frame_is_on_the_queue_that_the_rule_says),
        WITH_NETWORK(a_link_that_goes_down_and_comes_up_is_the_same_port),
        WITH_NETWORK(a_device_removed_under_us_is_gone),
    };

    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        run("ip link add mrp0 type veth peer name mrp1 && ip link del mrp0") != 0) {
        printf("1..0 # SKIP no network namespace, or no veth devices, to be had\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
