/* Ports that several processes use: memory that its opener gives, descriptors under other numbers,
 * tables that change while it runs. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/dev.h"
#include "os/os.h"

#define QUEUES 16u
#define AREA ((size_t)1 << 30)
#define DESCRIPTORS ((size_t)64 << 20)

static char why[300];

/* What a session does: all in one range that children share. */
struct area {
    uint8_t *at;
    size_t used;
};

static void *area_reserve(void *arg, size_t bytes)
{
    struct area *a = arg;
    void *p = a->at + a->used;

    if (AREA - a->used < bytes)
        return NULL;
    a->used += align_up(bytes, 4096);
    return p;
}

static int area_map_file(void *arg, int fd, size_t bytes, void **out)
{
    *out = area_reserve(arg, bytes);
    if (!*out)
        return -ENOMEM;
    if (ftruncate(fd, (off_t)bytes) < 0 ||
        mmap(*out, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
        return -errno;
    return 0;
}

static struct area area_make(void)
{
    void *p =
        mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    return (struct area){.at = p};
}

static struct nic *open_port(struct area *a, const char *spec, uint32_t queues,
                             const struct rss *law)
{
    const struct dev_memory memory = {area_reserve, area_map_file, a};
    struct dev_config c = {.queues = queues, .buffers = 64, .steer = law, .memory = &memory};
    const struct dev_kind *kind = dev_find(spec, &c.name, why, sizeof(why));
    struct mem m;

    assert_non_null(kind);
    assert_true(kind->shared);
    assert_true(kind->bytes(&c) < DESCRIPTORS);
    mem_init(&m, area_reserve(a, DESCRIPTORS), DESCRIPTORS);
    struct nic *n = kind->open(&m, &c, why, sizeof(why));
    if (!n)
        fail_msg("%s", why);
    assert_int_equal(n->caps.queues, queues);
    return n;
}

/* Under numbers that no program uses, kept over exec. */
static unsigned move_descriptors(struct nic *n, int first)
{
    int *fd[200];
    unsigned count = nic_descriptors(n, fd, ARRAY_LEN(fd));

    assert_true(count <= ARRAY_LEN(fd));
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(dup2(*fd[i], first + (int)i), first + (int)i);
        close(*fd[i]);
        *fd[i] = first + (int)i;
    }
    return count;
}

/* A packet of this process's own. */
static struct pkt *own_packet(void)
{
    static MR_ALIGNED(4096) uint8_t memory[64 << 10];
    static struct pkt_pool pool;
    struct mem m;

    mem_init(&m, memory, sizeof(memory));
    pkt_pool_init(&pool, &m, "test", 4, 2048, PKT_HEADROOM, NULL);
    return pkt_get(&pool);
}

/* In a child: one frame of len bytes by a queue. */
static void send_in_child(struct nic *n, unsigned queue, uint32_t len)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct pkt *p = own_packet();
        memset(p->data, 0x33, len);
        store_be16(p->data + 12, 0x88b5);
        p->len = len;
        _exit(nic_tx_burst(n, queue, &p, 1) == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* In a child: how many frames a queue has. */
static int received_in_child(struct nic *n, unsigned queue)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct pkt *p[BURST_MAX];
        unsigned got = nic_rx_burst(n, queue, p, BURST_MAX);
        for (unsigned i = 0; i < got; i++)
            pkt_put(p[i]);
        _exit((int)got);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- TAP ------------------------------------------------------------------------------- */

static int set_up(const char *name)
{
    struct ifreq r = {0};
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = be16_of(0x88b5).raw};

    strcpy(r.ifr_name, name);
    r.ifr_flags = IFF_UP | IFF_NOARP;
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    a.sll_ifindex = (int)if_nametoindex(name);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    return s;
}

/* A TCP segment of a connection; the driver looks no further than the hash. */
static void make_frame(uint8_t *f, uint16_t port)
{
    memset(f, 0, 60);
    memset(f, 2, 12);
    store_be16(f + 12, 0x0800);
    f[14] = 0x45;
    f[14 + 9] = 6;
    store_be32(f + 26, 0x0a090807);
    store_be32(f + 30, 0x0a090806);
    store_be16(f + 34, port);
    store_be16(f + 36, 80);
}

static uint32_t hash_of(const struct rss *law, uint16_t port)
{
    uint8_t f[60];
    uint32_t hash;

    make_frame(f, port);
    assert_true(rss_frame_hash(law, f, sizeof(f), &hash));
    return hash;
}

static void send_frames(int s, unsigned n)
{
    uint8_t f[60];

    for (unsigned i = 0; i < n; i++) {
        make_frame(f, (uint16_t)(1000 + i));
        assert_int_equal(send(s, f, sizeof(f), 0), sizeof(f));
    }
}

static void sixteen_queues_of_a_tap_are_used_by_other_processes(void **state)
{
    struct area a = area_make();
    struct rss law;
    struct nic *n;
    uint8_t got[200];

    (void)state;
    rss_init(&law, rss_key_symmetric, 128, QUEUES);
    n = open_port(&a, "tap:mrs0", QUEUES, &law);
    assert_true(move_descriptors(n, 700) >= QUEUES);
    int s = set_up("mrs0");
    for (unsigned q = 0; q < QUEUES; q++) {
        send_in_child(n, q, 60 + q);
        assert_int_equal(recv(s, got, sizeof(got), 0), 60 + q);
        assert_int_equal(n->stats[q].tx_packets, 1);
        assert_int_equal(nic_rx_pool(n, q)->descs.used, 0);
    }
    close(s);
    n->ops->close(n);
    munmap(a.at, AREA);
}

static void a_changed_table_steers_the_next_frame(void **state)
{
    struct area a = area_make();
    struct rss law, other;
    struct nic *n;
    int all = 0;

    (void)state;
    rss_init(&law, rss_key_symmetric, 128, QUEUES);
    n = open_port(&a, "tap:mrs0", QUEUES, &law);
    if (n->spread != NIC_SPREAD_RSS) {
        n->ops->close(n);
        skip();
    }
    assert_int_equal(nic_queue_enable(n, 3, false), -ENOTSUP);
    int s = set_up("mrs0");
    /* Queues 5 and 6 alone are claimed. */
    rss_init(&other, rss_key_symmetric, 128, QUEUES);
    for (unsigned i = 0; i < 128; i++)
        other.table[i] = 5 + i % 2;
    assert_int_equal(nic_set_rss(n, &other), 0);
    assert_memory_equal(n->rss->table, other.table, 128 * sizeof(other.table[0]));
    send_frames(s, 40);
    int want[2] = {0};
    for (unsigned i = 0; i < 40; i++)
        want[rss_queue(&other, hash_of(&other, (uint16_t)(1000 + i))) - 5]++;
    for (unsigned q = 0; q < QUEUES; q++) {
        int got = received_in_child(n, q);
        if (q == 5 || q == 6)
            assert_true(got >= want[q - 5]); /* and what the kernel has to say itself */
        all += got;
    }
    assert_true(all >= 40);
    close(s);
    n->ops->close(n);
    munmap(a.at, AREA);
}

static void without_steering_a_queue_that_nobody_reads_gets_nothing(void **state)
{
    struct area a = area_make();
    struct nic *n = open_port(&a, "tap:mrs0", QUEUES, NULL);
    int all = 0;

    (void)state;
    for (unsigned q = 0; q < QUEUES; q++)
        if (q != 2 && q != 9)
            assert_int_equal(nic_queue_enable(n, q, false), 0);
    assert_int_equal(nic_queue_enable(n, 3, false), 0);
    int s = set_up("mrs0");
    send_frames(s, 60);
    for (unsigned q = 0; q < QUEUES; q++) {
        int got = received_in_child(n, q);
        assert_true(got == 0 || q == 2 || q == 9);
        all += got;
    }
    assert_true(all >= 60);
    assert_int_equal(nic_queue_enable(n, 2, false), 0);
    assert_int_equal(nic_queue_enable(n, 9, false), 0);
    assert_int_equal(nic_queue_enable(n, 12, true), 0);
    send_frames(s, 30);
    assert_int_equal(received_in_child(n, 2), 0);
    assert_true(received_in_child(n, 12) >= 30);
    close(s);
    n->ops->close(n);
    munmap(a.at, AREA);
}

/* ---- the wire -------------------------------------------------------------------------- */

static void a_wires_end_in_given_memory_is_used_by_other_processes(void **state)
{
    struct area a = area_make(), b = area_make();
    char spec[2][80];
    struct rss law;

    (void)state;
    rss_init(&law, rss_key_default, 128, 1);
    for (unsigned side = 0; side < 2; side++)
        snprintf(spec[side], sizeof(spec[0]), "shm:/tmp/millrace-shared-%d:%u", (int)getpid(),
                 side);
    struct nic *one = open_port(&a, spec[0], 4, &law);
    struct nic *two = open_port(&b, spec[1], 4, &law);
    move_descriptors(one, 700);
    move_descriptors(two, 800);
    send_in_child(two, 1, 60);
    assert_int_equal(received_in_child(one, 0), 1);
    assert_int_equal(one->stats[0].rx_packets, 1);
    for (unsigned i = 0; i < 128; i++)
        law.table[i] = 2;
    assert_int_equal(nic_set_rss(one, &law), 0);
    struct pkt *p = own_packet();
    make_frame(p->data, 1000);
    p->len = 60;
    assert_int_equal(nic_tx_burst(two, 3, &p, 1), 1);
    assert_int_equal(received_in_child(one, 0), 0);
    assert_int_equal(received_in_child(one, 2), 1);
    two->ops->close(two);
    one->ops->close(one);
    munmap(a.at, AREA);
    munmap(b.at, AREA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wires_end_in_given_memory_is_used_by_other_processes),
        cmocka_unit_test(sixteen_queues_of_a_tap_are_used_by_other_processes),
        cmocka_unit_test(a_changed_table_steers_the_next_frame),
        cmocka_unit_test(without_steering_a_queue_that_nobody_reads_gets_nothing),
    };

    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        access("/dev/net/tun", R_OK | W_OK) != 0) {
        printf("1..0 # SKIP no network namespace, or no TAP devices, to be had\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
