/* The TAP driver against the kernel's end of the device, seen through a packet socket. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drv/tap.h"
#include "os/os.h"

#define ARENA ((size_t)8 << 20)

static struct mem arena;
static char why[200];

static struct tap *open_tap(const char *name, uint32_t queues)
{
    struct tap_config c = {.name = name, .queues = queues, .buffers = 64};

    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    assert_true(tap_bytes(&c) < ARENA);
    return tap_open(&arena, &c, why, sizeof(why));
}

static void close_tap(struct tap *t)
{
    if (t)
        tap_nic(t)->ops->close(tap_nic(t));
    os_release(arena.base, ARENA);
}

static void set_up_link(const char *name, bool up)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    strcpy(r.ifr_name, name);
    r.ifr_flags = up ? IFF_UP | IFF_NOARP : 0;
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    close(s);
}

static int packet_socket(const char *name)
{
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0x0300);
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET, .sll_protocol = 0x0300, .sll_ifindex = (int)if_nametoindex(name)};

    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    return s;
}

/* A frame of a protocol nobody speaks, so that the kernel does nothing with it. */
static void fill(uint8_t *f, uint32_t len, uint8_t seed)
{
    memset(f, 0xff, 6);
    memset(f + 6, 2, 6);
    store_be16(f + 12, 0x88b5);
    for (uint32_t i = 14; i < len; i++)
        f[i] = (uint8_t)(i * 3 + seed);
}

/* The next frame of our protocol on the socket; its length. */
static ssize_t next_frame(int s, uint8_t *buf, size_t n)
{
    for (int i = 0; i < 200; i++) {
        ssize_t got = recv(s, buf, n, 0);
        if (got > 14 && load_be16(buf + 12) == 0x88b5)
            return got;
        if (got < 0)
            usleep(1000);
    }
    return -1;
}

static void a_device_that_is_not_there_is_made_and_goes_away_again(void **state)
{
    struct tap *t = open_tap("mrt0", 1);

    (void)state;
    assert_non_null(t);
    assert_int_not_equal(if_nametoindex("mrt0"), 0);
    assert_int_equal(tap_nic(t)->caps.mtu, 1500);
    close_tap(t);
    assert_int_equal(if_nametoindex("mrt0"), 0);
}

static void a_device_in_use_is_said_to_be(void **state)
{
    struct tap *t = open_tap("mrt0", 1);
    struct mem mine = arena;

    (void)state;
    assert_non_null(t);
    assert_null(open_tap("mrt0", 1));
    assert_string_equal(why, "TAP device 'mrt0' is in use by another program");
    close_tap(NULL);
    arena = mine;
    close_tap(t);
}

static void what_cannot_be_a_tap_is_explained(void **state)
{
    (void)state;
    assert_null(open_tap("lo", 1));
    assert_string_equal(why, "network device 'lo' is not a TAP device");
    close_tap(NULL);
    assert_null(open_tap("sixteen_is_toolong", 1));
    assert_non_null(strstr(why, "cannot be the name of a network device"));
    close_tap(NULL);
    assert_null(open_tap("a/b", 1));
    close_tap(NULL);
}

static void a_device_has_as_many_queues_as_were_asked_for(void **state)
{
    struct tap *t = open_tap("mrt0", 2);
    struct nic *n = tap_nic(t);

    (void)state;
    assert_non_null(t);
    assert_int_equal(n->caps.queues, 2);
    assert_int_not_equal(n->ops->wait_fd(n, 0), n->ops->wait_fd(n, 1));
    assert_ptr_not_equal(tap_rx_pool(t, 0), tap_rx_pool(t, 1));
    close_tap(t);
}

static void a_device_made_with_one_queue_is_opened_with_one_and_says_so(void **state)
{
    (void)state;
    if (system("PATH=$PATH:/sbin:/usr/sbin ip tuntap add mrt1 mode tap") != 0)
        skip();
    struct tap *t = open_tap("mrt1", 4);
    assert_non_null(t);
    assert_int_equal(tap_nic(t)->caps.queues, 1);
    assert_int_equal(tap_nic(t)->spread, NIC_SPREAD_NONE);
    assert_non_null(strstr(tap_steering_why(t), "has one queue"));
    close_tap(t);
    t = open_tap("mrt1", 1);
    assert_string_equal(tap_steering_why(t), "");
    close_tap(t);
    assert_int_equal(system("PATH=$PATH:/sbin:/usr/sbin ip link del mrt1"), 0);
}

/* What the program does with frames is tested in test/interop/steer.py. */
static void a_steered_device_tells_the_rule_and_takes_another(void **state)
{
    struct rss law, more;
    struct tap_config c = {.name = "mrt0", .queues = 2, .buffers = 64, .steer = &law};

    (void)state;
    rss_init(&law, rss_key_default, 128, 2);
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    struct tap *t = tap_open(&arena, &c, why, sizeof(why));
    assert_non_null(t);
    assert_true(arena.used <= tap_bytes(&c));
    if (tap_nic(t)->spread != NIC_SPREAD_RSS) {
        assert_int_equal(tap_nic(t)->spread, NIC_SPREAD_UNKNOWN);
        assert_non_null(strstr(tap_steering_why(t), "takes no steering program"));
        assert_int_equal(nic_set_rss(tap_nic(t), &law), -ENOTSUP);
        close_tap(t);
        skip();
    }
    assert_memory_equal(tap_nic(t)->rss, &law, sizeof(law));
    rss_init(&law, rss_key_symmetric, 128, 1);
    assert_int_equal(nic_set_rss(tap_nic(t), &law), 0);
    assert_memory_equal(tap_nic(t)->rss, &law, sizeof(law));
    rss_init(&more, rss_key_default, 256, 2);
    assert_int_equal(nic_set_rss(tap_nic(t), &more), -EINVAL);
    assert_memory_equal(tap_nic(t)->rss, &law, sizeof(law));
    close_tap(t);
}

static void without_a_rule_the_kernel_spreads_as_it_likes(void **state)
{
    struct tap *t = open_tap("mrt0", 2);
    struct rss law;

    (void)state;
    assert_int_equal(tap_nic(t)->spread, NIC_SPREAD_UNKNOWN);
    assert_null(tap_nic(t)->rss);
    assert_string_equal(tap_steering_why(t), "");
    rss_init(&law, rss_key_default, 128, 2);
    assert_int_equal(nic_set_rss(tap_nic(t), &law), -ENOTSUP);
    close_tap(t);
}

static void each_queue_has_pages_of_its_own(void **state)
{
    struct tap *t = open_tap("mrt0", 3);

    (void)state;
    for (unsigned q = 0; q < 3; q++)
        assert_int_equal((uintptr_t)tap_rx_pool(t, q)->descs.base % 4096, 0);
    close_tap(t);
}

static void a_frame_with_fragments_reaches_the_kernel_in_one_piece(void **state)
{
    struct tap *t = open_tap("mrt0", 1);
    struct nic *n = tap_nic(t);
    uint8_t frame[600], got[2048];
    struct pkt *p = pkt_get(tap_rx_pool(t, 0));

    (void)state;
    set_up_link("mrt0", true);
    int s = packet_socket("mrt0");
    fill(frame, sizeof(frame), 1);
    memcpy(p->data, frame, 100);
    p->len = 100;
    p->frags[0] = (struct pkt_frag){frame + 100, 200, MEM_NONE};
    p->frags[1] = (struct pkt_frag){frame + 300, 300, MEM_NONE};
    p->frag_len = 500;
    p->nfrags = 2;
    assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    assert_int_equal(next_frame(s, got, sizeof(got)), sizeof(frame));
    assert_memory_equal(got, frame, sizeof(frame));
    assert_int_equal(n->stats->tx_bytes, sizeof(frame));
    assert_int_equal(tap_rx_pool(t, 0)->descs.used, 0);
    close(s);
    close_tap(t);
}

static void frames_of_the_kernel_arrive_in_order_and_wake_the_descriptor(void **state)
{
    struct tap *t = open_tap("mrt0", 1);
    struct nic *n = tap_nic(t);
    struct os_wait w = {.fd = n->ops->wait_fd(n, 0)};
    uint8_t frame[200];
    unsigned found = 0;

    (void)state;
    set_up_link("mrt0", true);
    int s = packet_socket("mrt0");
    for (uint8_t i = 0; i < 10; i++) {
        fill(frame, sizeof(frame), i);
        assert_int_equal(send(s, frame, sizeof(frame), 0), sizeof(frame));
    }
    assert_int_equal(os_wait(&w, 1, 1000000), 1);
    for (int turn = 0; turn < 20; turn++) {
        struct pkt *p[BURST_MAX];
        unsigned got = nic_rx_burst(n, 0, p, BURST_MAX);
        for (unsigned i = 0; i < got; i++) {
            if (load_be16(p[i]->data + 12) == 0x88b5) {
                fill(frame, sizeof(frame), (uint8_t)found++);
                assert_int_equal(p[i]->len, sizeof(frame));
                assert_memory_equal(p[i]->data, frame, sizeof(frame));
            }
            pkt_put(p[i]);
        }
    }
    assert_int_equal(found, 10);
    close(s);
    close_tap(t);
}

static void without_buffers_frames_wait_and_the_lack_is_counted(void **state)
{
    struct tap *t = open_tap("mrt0", 1);
    struct nic *n = tap_nic(t);
    struct pkt *held[64], *p;
    uint8_t frame[100];

    (void)state;
    set_up_link("mrt0", true);
    int s = packet_socket("mrt0");
    for (unsigned i = 0; i < 64; i++)
        held[i] = pkt_get(tap_rx_pool(t, 0));
    fill(frame, sizeof(frame), 0);
    assert_int_equal(send(s, frame, sizeof(frame), 0), sizeof(frame));
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    assert_int_equal(n->stats->rx_nobuf, 1);
    for (unsigned i = 0; i < 64; i++)
        pkt_put(held[i]);
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 1);
    pkt_put(p);
    close(s);
    close_tap(t);
}

static void a_device_that_is_down_loses_frames_and_they_are_counted(void **state)
{
    struct tap *t = open_tap("mrt0", 1);
    struct nic *n = tap_nic(t);
    struct pkt *p = pkt_get(tap_rx_pool(t, 0));

    (void)state;
    fill(p->data, 100, 0);
    p->len = 100;
    assert_int_equal(nic_tx_burst(n, 0, &p, 1), 1);
    assert_int_equal(n->stats->tx_error, 1);
    assert_int_equal(n->stats->tx_packets, 0);
    assert_false(tap_is_gone(t));
    close_tap(t);
}

static void a_device_removed_under_us_is_gone(void **state)
{
    struct tap *t = open_tap("mrt0", 1);
    struct nic *n = tap_nic(t);
    struct pkt *p;

    (void)state;
    if (system("ip link del mrt0 2>/dev/null || /sbin/ip link del mrt0") != 0) {
        close_tap(t);
        skip();
    }
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    assert_true(tap_is_gone(t));
    assert_int_equal(nic_rx_burst(n, 0, &p, 1), 0);
    close_tap(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_is_not_there_is_made_and_goes_away_again),
        cmocka_unit_test(a_device_in_use_is_said_to_be),
        cmocka_unit_test(what_cannot_be_a_tap_is_explained),
        cmocka_unit_test(a_device_has_as_many_queues_as_were_asked_for),
        cmocka_unit_test(a_device_made_with_one_queue_is_opened_with_one_and_says_so),
        cmocka_unit_test(a_steered_device_tells_the_rule_and_takes_another),
        cmocka_unit_test(without_a_rule_the_kernel_spreads_as_it_likes),
        cmocka_unit_test(each_queue_has_pages_of_its_own),
        cmocka_unit_test(a_frame_with_fragments_reaches_the_kernel_in_one_piece),
        cmocka_unit_test(frames_of_the_kernel_arrive_in_order_and_wake_the_descriptor),
        cmocka_unit_test(without_buffers_frames_wait_and_the_lack_is_counted),
        cmocka_unit_test(a_device_that_is_down_loses_frames_and_they_are_counted),
        cmocka_unit_test(a_device_removed_under_us_is_gone),
    };

    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        access("/dev/net/tun", R_OK | W_OK) != 0) {
        printf("1..0 # SKIP no network namespace, or no TAP devices, to be had\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
