/* A port of one process, used by several: the pump on one end of a veth, a packet socket on the
 * other. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <errno.h>
#include <glob.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/pump.h"
#include "os/os.h"

#define SLOTS 4u
#define AREA ((size_t)2 << 30)
#define PORTS 40u

static char why[300];
static struct {
    uint8_t *at;
    size_t used;
} area;

static void *reserve(void *arg, size_t bytes)
{
    void *p = area.at + area.used;

    (void)arg;
    area.used += align_up(bytes, 4096);
    return area.used <= AREA ? p : NULL;
}

static struct nic *open_pump(const char *spec, const struct rss *law)
{
    const struct dev_memory memory = {.reserve = reserve};
    struct dev_config c = {.queues = SLOTS, .steer = law, .memory = &memory};
    const struct dev_kind *kind = dev_find(spec, &c.name, why, sizeof(why));
    struct mem m;

    area.used = 0;
    area.at =
        mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(area.at, MAP_FAILED);
    assert_non_null(kind);
    assert_false(kind->shared);
    mem_init(&m, reserve(NULL, pump_bytes(&c)), pump_bytes(&c));
    return pump_open(&m, kind, &c, why, sizeof(why));
}

static void close_pump(struct nic *n)
{
    if (n)
        n->ops->close(n);
    munmap(area.at, AREA);
}

/* ---- the other end of the cable ---------------------------------------------------------- */

static int far_end(void)
{
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = be16_of(ETHTYPE_IPV4).raw,
                            .sll_ifindex = (int)if_nametoindex("pump1")};

    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    return s;
}

static void make_frame(uint8_t *f, uint16_t port)
{
    memset(f, 0, 60);
    memset(f, 2, 12);
    store_be16(f + 12, ETHTYPE_IPV4);
    f[14] = 0x45;
    f[16 + 1] = 46;
    f[14 + 8] = 64;
    f[14 + 9] = 6;
    store_be32(f + 26, 0x0a090807);
    store_be32(f + 30, 0x0a090806);
    store_be16(f + 34, port);
    store_be16(f + 36, 80);
}

static void send_from_far(int s)
{
    uint8_t f[60];

    for (unsigned i = 0; i < PORTS; i++) {
        make_frame(f, (uint16_t)(1000 + i));
        assert_int_equal(send(s, f, sizeof(f), 0), sizeof(f));
    }
}

/* Every queue, sleeping, in a child of its own; how many frames of ours it had, one for each of the
 * test's. */
static int received_in_child(struct nic *n, unsigned queue, uint64_t us)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        unsigned got = 0;
        for (uint64_t until = os_now_us() + us, now = 0; now < until; now = os_now_us()) {
            struct pkt *p[BURST_MAX];
            struct os_wait w = {.fd = n->ops->wait_fd(n, queue)};
            if (!n->ops->wait_prepare(n, queue))
                os_wait(&w, 1, until - os_now_us());
            unsigned k = nic_rx_burst(n, queue, p, BURST_MAX);
            while (k > 0) {
                k--;
                got += load_be16(p[k]->data + 36) == 80;
                pkt_put(p[k]);
            }
        }
        _exit((int)got);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void send_in_child(struct nic *n, unsigned queue)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        static MR_ALIGNED(4096) uint8_t memory[64 << 10];
        struct pkt_pool pool;
        struct mem m;
        mem_init(&m, memory, sizeof(memory));
        pkt_pool_init(&pool, &m, "test", 4, 2048, PKT_HEADROOM, NULL);
        struct pkt *p = pkt_get(&pool);
        make_frame(p->data, (uint16_t)(2000 + queue));
        p->len = 60;
        _exit(nic_tx_burst(n, queue, &p, 1) == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* The next frame that did not leave by this socket. */
static ssize_t next_frame(int s, uint8_t *f, size_t n)
{
    struct os_wait w = {.fd = s};
    struct sockaddr_ll from;

    while (os_wait(&w, 1, 1000000) > 0) {
        socklen_t len = sizeof(from);
        ssize_t got = recvfrom(s, f, n, 0, (struct sockaddr *)&from, &len);
        if (got > 0 && from.sll_pkttype != PACKET_OUTGOING && load_be16(f + 36) == 80)
            return got;
    }
    return -1;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void other_processes_send_and_receive_by_slots(void **state)
{
    struct rss law;
    uint8_t f[2048];
    int all = 0;

    (void)state;
    rss_init(&law, rss_key_symmetric, 128, SLOTS);
    struct nic *n = open_pump("packet:pump0", &law);
    if (!n)
        fail_msg("%s", why);
    assert_int_equal(n->caps.queues, SLOTS);
    assert_int_equal(n->spread, NIC_SPREAD_RSS);
    assert_true(n->caps.tso_max > 60000);
    assert_true(n->caps.tx_csum);
    int s = far_end();
    for (unsigned q = 0; q < SLOTS; q++) {
        send_in_child(n, q);
        assert_int_equal(next_frame(s, f, sizeof(f)), 60);
        assert_int_equal(load_be16(f + 34), 2000 + q);
    }
    send_from_far(s);
    for (unsigned q = 0; q < SLOTS; q++) {
        int got = received_in_child(n, q, 50000);
        assert_true(got > 0);
        all += got;
    }
    assert_int_equal(all, PORTS);
    /* Another law, from the next frame on. */
    for (unsigned i = 0; i < 128; i++)
        law.table[i] = 2;
    assert_int_equal(nic_set_rss(n, &law), 0);
    send_from_far(s);
    assert_int_equal(received_in_child(n, 0, 20000), 0);
    assert_int_equal(received_in_child(n, 2, 50000), PORTS);
    close(s);
    close_pump(n);
}

static void what_is_wrong_with_the_device_is_told(void **state)
{
    struct nic *n = open_pump("packet:nosuch", NULL);

    (void)state;
    assert_null(n);
    assert_non_null(strstr(why, "nosuch"));
    close_pump(n);
}

/* How many other processes of this name are there in this test's own network?  Each gets a signal,
 * unless that is 0. */
static unsigned others(const char *name, int sig)
{
    struct stat ours, its;
    unsigned n = 0;
    glob_t g;

    assert_int_equal(stat("/proc/self/ns/net", &ours), 0);
    assert_int_equal(glob("/proc/[0-9]*/ns/net", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        pid_t pid = atoi(g.gl_pathv[i] + strlen("/proc/"));
        char path[64], comm[32] = "";
        if (pid == getpid() || stat(g.gl_pathv[i], &its) < 0 || its.st_ino != ours.st_ino)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        FILE *f = fopen(path, "r");
        if (f && fgets(comm, sizeof(comm), f) && strncmp(comm, name, strlen(name)) == 0) {
            n++;
            kill(pid, sig);
        }
        if (f)
            fclose(f);
    }
    globfree(&g);
    return n;
}

static bool pump_ends(void)
{
    for (int i = 0; i < 200 && others("millrace-", 0) > 0; i++)
        usleep(10000);
    return others("millrace-", 0) == 0;
}

static void a_pump_that_was_killed_is_told_to_all_who_sleep(void **state)
{
    struct nic *n = open_pump("packet:pump0", NULL);
    struct os_wait w = {.fd = n->ops->wait_fd(n, 1)};

    (void)state;
    assert_false(n->ops->wait_prepare(n, 1));
    assert_false(nic_is_gone(n));
    assert_int_equal(others("millrace-pump", SIGKILL), 1);
    assert_int_equal(os_wait(&w, 1, 2000000), 1);
    assert_true(nic_is_gone(n));
    close_pump(n);
    assert_true(pump_ends());
}

static void the_pump_ends_with_the_port_or_its_last_user(void **state)
{
    struct nic *n = open_pump("packet:pump0", NULL);
    int status;

    (void)state;
    assert_non_null(n);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody's child */
    close_pump(n);
    pid_t child = fork();
    if (child == 0) {
        n = open_pump("packet:pump0", NULL);
        _exit(n ? 0 : 1); /* without a word */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(pump_ends());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_processes_send_and_receive_by_slots),
        cmocka_unit_test(what_is_wrong_with_the_device_is_told),
        cmocka_unit_test(a_pump_that_was_killed_is_told_to_all_who_sleep),
        cmocka_unit_test(the_pump_ends_with_the_port_or_its_last_user),
    };

    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        system(
            "PATH=$PATH:/sbin:/usr/sbin; ip link add pump0 type veth peer name pump1 2>/dev/null "
            "&& ip link set pump0 up && ip link set pump1 up") != 0) {
        printf("1..0 # SKIP no network namespace, or no veth, to be had\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
