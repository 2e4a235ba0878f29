/* DPDK's ports on other virtual devices: what each of them offers, and what is said when it does
 * not. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/dev.h"
#include "os/os.h"

#define ARENA ((size_t)64 << 20)
#define PATIENCE_US 5000000u

static char why[300];

struct end {
    struct mem m;
    struct nic *nic;
    struct pkt_pool pool;
};

static bool open_end(struct end *e, const char *spec, const struct dev_config *wanted)
{
    struct dev_config c = *wanted;

    mem_init(&e->m, os_reserve(ARENA, false), ARENA);
    const struct dev_kind *kind = dev_find(spec, &c.name, why, sizeof(why));
    assert_non_null(kind);
    e->nic = kind->open(&e->m, &c, why, sizeof(why));
    assert_true(e->m.used <= kind->bytes(&c));
    if (e->nic)
        pkt_pool_init(&e->pool, &e->m, "sending", 64, 4096, PKT_HEADROOM, NULL);
    return e->nic != NULL;
}

static void close_end(struct end *e)
{
    if (e->nic)
        e->nic->ops->close(e->nic);
    os_release(e->m.base, ARENA);
    e->nic = NULL;
}

/* ---- RSS -------------------------------------------------------------------------------- */

/* net_null takes a key and a table, and tells them; frames it makes out of nothing. */
static void a_device_with_rss_is_given_our_law_and_asked_what_it_took(void **state)
{
    struct rss law;
    struct dev_config c = {.queues = 4, .steer = &law, .eal = "--no-huge"};
    uint16_t table[128];
    struct end e;

    (void)state;
    for (unsigned i = 0; i < 128; i++)
        table[i] = (uint16_t)(i * 7 % 4);
    rss_init(&law, rss_key_symmetric, 128, 4);
    rss_set_table(&law, table, 128);
    if (!open_end(&e, "dpdk:net_null0", &c))
        fail_msg("%s", why);
    assert_int_equal(e.nic->caps.queues, 4);
    assert_int_equal(e.nic->spread, NIC_SPREAD_RSS);
    assert_memory_equal(e.nic->rss->key, law.key, RSS_KEY_BYTES);
    for (uint32_t h = 0; h < 1000; h++)
        assert_int_equal(rss_queue(e.nic->rss, h * 2654435761u), rss_queue(&law, h * 2654435761u));
    close_end(&e);
}

static void a_device_without_rss_is_said_to_spread_as_nobody_knows(void **state)
{
    struct dev_config c = {.queues = 2, .eal = "--no-huge"};
    struct end e;

    (void)state;
    assert_true(open_end(&e, "dpdk:net_ring0", &c));
    assert_int_equal(e.nic->spread, NIC_SPREAD_UNKNOWN);
    assert_null(e.nic->rss);
    close_end(&e);
}

static void a_device_with_fewer_queues_is_opened_with_those(void **state)
{
    struct dev_config c = {.queues = 4, .eal = "--no-huge"};
    struct end e;

    (void)state;
    if (!open_end(&e, "dpdk:net_pcap0,iface=lo", &c))
        fail_msg("%s", why);
    assert_int_equal(e.nic->caps.queues, 1);
    assert_int_equal(e.nic->spread, NIC_SPREAD_NONE);
    close_end(&e);
}

/* ---- an interface of the kernel's ---------------------------------------------------------- */

static int run(const char *command)
{
    char line[300];

    snprintf(line, sizeof(line), "PATH=$PATH:/sbin:/usr/sbin; { %s; } >/dev/null 2>&1", command);
    return system(line);
}

/* The driver would give it our address, or have it receive everything, for good. */
static void the_kernels_interface_keeps_its_address_and_is_asked_for(void **state)
{
    struct dev_config c = {.queues = 1, .eal = "--no-huge", .mac = {{2, 0, 0, 0, 0, 0x77}}};
    struct end e;

    (void)state;
    if (run("ip link add mrd0 address 02:00:00:00:00:11 type veth peer name mrd1 && "
            "ip link set mrd0 up && ip link set mrd1 up") != 0)
        skip();
    if (!open_end(&e, "dpdk:net_af_packet0,iface=mrd0", &c))
        fail_msg("%s", why);
    assert_memory_equal(&e.nic->mac, &c.mac, sizeof(c.mac));
    assert_int_equal(run("ip link show mrd0 | grep 02:00:00:00:00:11"), 0);
    assert_true(e.nic->ops->link_is_up(e.nic));
    run("ip link set mrd1 down");
    assert_false(e.nic->ops->link_is_up(e.nic));
    run("ip link set mrd1 up");
    close_end(&e);
    assert_int_equal(run("ip link show mrd0 | grep 02:00:00:00:00:11"), 0);
    assert_int_not_equal(run("ip link show mrd0 | grep PROMISC"), 0);
    assert_true(open_end(&e, "dpdk:net_af_packet0,iface=mrd0", &c));
    assert_false(nic_is_gone(e.nic));
    run("ip link set mrd0 name mrd2");
    assert_true(e.nic->ops->link_is_up(e.nic));
    assert_int_equal(run("ip link del mrd2"), 0);
    assert_true(nic_is_gone(e.nic));
    assert_false(e.nic->ops->link_is_up(e.nic));
    close_end(&e);
}

/* ---- frames that a driver passes on ------------------------------------------------------ */

/* net_ring's receive queue is its send queue: mbufs come back that are not of the receive pool. */
static void a_foreign_mbuf_is_received_by_a_copy(void **state)
{
    struct dev_config c = {.queues = 1, .eal = "--no-huge"};
    struct end e;
    struct pkt *p;

    (void)state;
    assert_true(open_end(&e, "dpdk:net_ring0", &c));
    assert_int_equal(e.nic->ops->attach(e.nic, 0), 0);
    for (unsigned i = 0; i < 5000; i++) {
        p = pkt_get(&e.pool);
        assert_non_null(p);
        p->len = 60 + i % 1400;
        memset(p->data, (int)i, p->len);
        assert_int_equal(nic_tx_burst(e.nic, 0, &p, 1), 1);
        assert_int_equal(nic_rx_burst(e.nic, 0, &p, 1), 1);
        assert_int_equal(p->len, 60 + i % 1400);
        assert_int_equal(p->data[p->len - 1], (uint8_t)i);
        pkt_put(p);
    }
    assert_int_equal(e.pool.descs.used, 0);
    e.nic->ops->detach(e.nic, 0);
    close_end(&e);
}

/* ---- memif ------------------------------------------------------------------------------ */

static void memif_between_two_ports_of_one_program(void **state)
{
    struct dev_config c = {.queues = 1, .eal = "--no-huge"};
    struct end a, b;
    char spec[200];
    struct pkt *p;

    (void)state;
    snprintf(spec, sizeof(spec), "dpdk:net_memif0,role=server,id=7,socket=millrace-%d",
             (int)getpid());
    if (!open_end(&a, spec, &c))
        fail_msg("%s", why);
    snprintf(spec, sizeof(spec), "dpdk:net_memif1,role=client,id=7,socket=millrace-%d",
             (int)getpid());
    if (!open_end(&b, spec, &c))
        fail_msg("%s", why);
    assert_int_equal(a.nic->ops->attach(a.nic, 0), 0);
    assert_int_equal(b.nic->ops->attach(b.nic, 0), 0);
    for (uint64_t end = os_now_us() + PATIENCE_US; os_now_us() < end;)
        if (a.nic->ops->link_is_up(a.nic) && b.nic->ops->link_is_up(b.nic))
            break;
    for (unsigned i = 0; i < 5000; i++) {
        struct end *from = i & 1 ? &a : &b, *to = i & 1 ? &b : &a;
        p = pkt_get(&from->pool);
        assert_non_null(p);
        p->len = 60 + i % 1400;
        memset(p->data, (int)i, p->len);
        uint64_t end = os_now_us() + PATIENCE_US;
        struct pkt *early;
        /* A client's ring is filled when it first looks into it. */
        while (nic_tx_burst(from->nic, 0, &p, 1) == 0) {
            assert_int_equal(nic_rx_burst(to->nic, 0, &early, 1), 0);
            assert_true(os_now_us() < end);
        }
        while (nic_rx_burst(to->nic, 0, &p, 1) == 0)
            assert_true(os_now_us() < end);
        assert_int_equal(p->len, 60 + i % 1400);
        assert_int_equal(p->data[p->len - 1], (uint8_t)i);
        pkt_put(p);
    }
    assert_int_equal(a.pool.descs.used, 0);
    assert_int_equal(b.pool.descs.used, 0);
    a.nic->ops->detach(a.nic, 0);
    b.nic->ops->detach(b.nic, 0);
    close_end(&b);
    close_end(&a);
}

static void a_memif_socket_that_a_killed_process_left_is_replaced(void **state)
{
    struct dev_config c = {.queues = 1, .eal = "--no-huge"};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char spec[200];
    struct end e;

    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/millrace-memif-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    close(fd);
    snprintf(spec, sizeof(spec), "dpdk:net_memif2,role=server,id=8,socket=%s,socket-abstract=no",
             a.sun_path);
    if (!open_end(&e, spec, &c))
        fail_msg("%s", why);
    close_end(&e);
    unlink(a.sun_path);
}

/* ---- what a person must be told ---------------------------------------------------------- */

/* In a process of its own: the environment begins once. */
static void expect_told(const char *spec, const char *eal, const char *because)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct dev_config c = {.queues = 1, .eal = eal};
        struct end e;
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO); /* DPDK explains its options there */
        bool good = !open_end(&e, spec, &c) && strstr(why, because) && !strchr(why, '\n');
        if (!good)
            fprintf(stderr, "# said: %s\n", why);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void what_is_missing_is_said_in_one_line(void **state)
{
    (void)state;
    expect_told("dpdk:net_null0", "--no-huge 'open", "a quote is not closed");
    expect_told("dpdk:net_null0", "--nonsense", "DPDK does not start");
    expect_told("dpdk:0000:99:00.0", "--no-huge", "vfio-pci");
    expect_told("dpdk:net_null0", "--no-huge -m 8", "the port needs");
    expect_told("dpdk:net_af_packet0,iface=nonsense9", "--no-huge", "net_af_packet0");
    expect_told("dpdk:net_af_packet0", "--no-huge", "net_af_packet0");
}

/* In a process of its own. */
static void a_device_that_the_environment_was_told_of_is_taken_as_it_is(void **state)
{
    struct dev_config c = {.queues = 1, .eal = "--no-huge --vdev 'net_null3,size=100'"};
    pid_t child = fork();
    struct end a, b;
    int status;

    (void)state;
    if (child == 0) {
        bool good = open_end(&a, "dpdk:net_null3", &c) && !open_end(&b, "dpdk:net_null3", &c) &&
                    strstr(why, "already open in this program");
        close_end(&a);
        _exit(good && open_end(&a, "dpdk:net_null3", &c) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void the_caller_keeps_its_processors_and_no_file_is_left(void **state)
{
    struct dev_config c = {.queues = 1, .eal = "--no-huge"};
    cpu_set_t before, after;
    struct end e;
    char dir[64];

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_true(open_end(&e, "dpdk:net_null0", &c));
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_memory_equal(&before, &after, sizeof(before));
    snprintf(dir, sizeof(dir), "/var/run/dpdk/millrace-%d", (int)getpid());
    assert_int_not_equal(access(dir, F_OK), 0);
    close_end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_said_in_one_line),
        cmocka_unit_test(a_device_that_the_environment_was_told_of_is_taken_as_it_is),
        cmocka_unit_test(the_caller_keeps_its_processors_and_no_file_is_left),
        cmocka_unit_test(a_device_with_rss_is_given_our_law_and_asked_what_it_took),
        cmocka_unit_test(a_device_without_rss_is_said_to_spread_as_nobody_knows),
        cmocka_unit_test(a_device_with_fewer_queues_is_opened_with_those),
        cmocka_unit_test(the_kernels_interface_keeps_its_address_and_is_asked_for),
        cmocka_unit_test(a_foreign_mbuf_is_received_by_a_copy),
        cmocka_unit_test(a_memif_socket_that_a_killed_process_left_is_replaced),
        /* The last: DPDK hears of the other end's farewell on its own thread, in its own time. */
        cmocka_unit_test(memif_between_two_ports_of_one_program),
    };
    const char *name;

    if (!dev_find("dpdk:net_null0", &name, why, sizeof(why))) {
        printf("1..0 # SKIP %s\n", why);
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
