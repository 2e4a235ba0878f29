/* A port on one end of a veth pair, the other end in a namespace of its own:
 *
 *     this process's namespace                 the peer's
 *     port ---- xa 10.1.0.1 ---------------- xb 10.1.0.2 ---- packet socket
 *               our stack would be 10.1.0.9
 *
 * A test that may have no namespace, or has no module, is skipped. */
#pragma once

#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/dev.h"
#include "os/os.h"
#include "wire/wire.h"

#define ARENA ((size_t)64 << 20)
#define OURS ip4_of(10, 1, 0, 9)
#define HOSTS ip4_of(10, 1, 0, 1)
#define PEERS ip4_of(10, 1, 0, 2)

static char why[200];
static int here, there; /* namespaces */
static pid_t holder;    /* of the peer's */
static struct mem arena;

static inline void enter(int ns)
{
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

__attribute__((format(printf, 1, 2))) static inline int shell(const char *how, ...)
{
    char text[600];
    va_list args;

    va_start(args, how);
    vsnprintf(text, sizeof(text), how, args);
    va_end(args);
    return system(text);
}

/* Why the test cannot run; NULL: it can. */
static inline const char *net_missing(void)
{
    const char *name;
    int ready[2];
    char c, path[40];

    if (!dev_find("xdp:x", &name, why, sizeof(why)))
        return why;
    if (unshare(CLONE_NEWNET) != 0 || pipe(ready) != 0)
        return "no network namespace to be had";
    here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    holder = fork();
    if (holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        c = unshare(CLONE_NEWNET) == 0;
        if (write(ready[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    if (read(ready[0], &c, 1) != 1 || !c)
        return "no second network namespace to be had";
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)holder);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (shell("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && ip link set lo up") != 0)
        return "no sysctl, or no ip";
    enter(there);
    shell("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && ip link set lo up");
    enter(here);
    return NULL;
}

static inline void net_over(void)
{
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

static inline void pair_up(unsigned queues, unsigned mtu)
{
    assert_int_equal(shell("ip link add xa mtu %u numrxqueues %u numtxqueues %u type veth peer "
                           "name xb mtu %u numrxqueues %u numtxqueues %u netns %d",
                           mtu, queues, queues, mtu, queues, queues, (int)holder),
                     0);
    assert_int_equal(shell("ip addr add 10.1.0.1/24 dev xa && ip link set xa up"), 0);
    enter(there);
    assert_int_equal(shell("ip addr add 10.1.0.2/24 dev xb && ip link set xb up"), 0);
    enter(here);
}

/* A test's end; it may have failed anywhere. */
static inline int pair_down(void **state)
{
    (void)state;
    enter(here);
    shell("ip link del xa 2>/dev/null");
    return 0;
}

/* The port; why says what is wrong if it is NULL. */
static inline struct nic *port_open_at(struct ip_addr addr, const char *name, uint32_t queues)
{
    const char *rest;
    const struct dev_kind *kind = dev_find("xdp:x", &rest, why, sizeof(why));
    struct dev_config c = {.name = name, .queues = queues, .addr = addr, .prefix_len = 24};

    assert_non_null(kind);
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    assert_true(kind->bytes(&c) < ARENA);
    struct nic *n = kind->open(&arena, &c, why, sizeof(why));
    if (!n)
        os_release(arena.base, ARENA);
    return n;
}

static inline struct nic *port_open(const char *name, uint32_t queues)
{
    struct nic *n = port_open_at(OURS, name, queues);

    if (!n)
        fail_msg("%s", why);
    return n;
}

static inline void port_close(struct nic *n)
{
    n->ops->close(n);
    os_release(arena.base, ARENA);
}

/* ---- the peer -------------------------------------------------------------------------- */

static inline int peer_socket(void)
{
    enter(there);
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, be16_of(0x0003).raw);
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = be16_of(0x0003).raw,
                            .sll_ifindex = (int)if_nametoindex("xb")};

    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    enter(here);
    return s;
}

/* The next frame that the peer's interface received (not one that it sent); 0: none came. */
static inline size_t peer_receive(int s, uint8_t *buf, size_t n)
{
    for (int i = 0; i < 100; i++) {
        struct sockaddr_ll from;
        socklen_t size = sizeof(from);
        ssize_t got = recvfrom(s, buf, n, 0, (struct sockaddr *)&from, &size);
        if (got > 0 && from.sll_pkttype != PACKET_OUTGOING)
            return (size_t)got;
        if (got < 0)
            usleep(2000);
    }
    return 0;
}

static inline void peer_send(int s, const uint8_t *frame, size_t n)
{
    assert_int_equal(send(s, frame, n, 0), (ssize_t)n);
}

/* A frame of IPv4 to dst, `len` bytes in all, checksums right; returns where L4 begins. */
static inline size_t make_ip(uint8_t *f, size_t len, const struct mac_addr *to, struct ip_addr dst,
                             uint8_t proto)
{
    const struct ip_addr peer = PEERS;
    const struct ipv4_hdr ip = {.src = ip_v4(&peer),
                                .dst = ip_v4(&dst),
                                .total_len = (uint16_t)(len - 14),
                                .ttl = 64,
                                .proto = proto};

    memset(f, 0, len);
    memcpy(f, to->b, 6);
    f[6] = 2;
    store_be16(f + 12, ETHTYPE_IPV4);
    ipv4_emit(f + 14, &ip);
    return 34;
}

static inline uint16_t l4_sum(const uint8_t *f, size_t len, uint8_t proto)
{
    be32 src, dst;

    memcpy(&src, f + 26, sizeof(src));
    memcpy(&dst, f + 30, sizeof(dst));
    return csum_finish(
        csum_add_portable(f + 34, len - 34, ipv4_pseudo_sum(src, dst, proto, (uint32_t)len - 34)));
}

/* UDP whose payload is derived from `seed`; len >= 46. */
static inline void make_udp(uint8_t *f, size_t len, const struct mac_addr *to, struct ip_addr dst,
                            uint16_t port, uint32_t seed)
{
    make_ip(f, len, to, dst, IPPROTO_UDP_);
    store_be16(f + 34, (uint16_t)(1000 + seed % 1000));
    store_be16(f + 36, port);
    store_be16(f + 38, (uint16_t)(len - 34));
    store_be32(f + 42, seed);
    for (size_t i = 46; i < len; i++)
        f[i] = (uint8_t)(i * 7 + seed);
    uint16_t sum = l4_sum(f, len, IPPROTO_UDP_);
    memcpy(f + 40, &sum, sizeof(sum));
}

/* Up to `want` packets, given some time. */
static inline unsigned gather(struct nic *n, unsigned queue, struct pkt **out, unsigned want)
{
    unsigned got = 0;

    for (int i = 0; i < 200 && got < want; i++) {
        unsigned more = nic_rx_burst(n, queue, out + got, want - got);
        got += more;
        if (more == 0)
            usleep(1000);
    }
    return got;
}

static inline void put_all(struct pkt **p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        pkt_put(p[i]);
}

/* All of an array of tests in this network, or none and why: main's result. */
static inline bool net_can_run(void)
{
    const char *missing = net_missing();

    if (missing)
        printf("1..0 # SKIP %s\n", missing);
    return !missing;
}

static inline int net_end(int failed)
{
    net_over();
    return failed;
}
#define NET_RUN(tests)                                                                             \
    (net_can_run() ? net_end(cmocka_run_group_tests(tests, NULL, NULL)) : 0)
