/* The AF_XDP port beside the host: what is the kernel's stays the kernel's, and nothing is left
 * behind. */
#define _GNU_SOURCE 1
#include "lib/xdp_net.h"

#include <netinet/in.h>

static uint8_t frame[2000], seen[2000];

static bool peer_pings(const char *address)
{
    enter(there);
    int rc = shell("ping -q -n -c 3 -i 0.05 -W 1 %s >/dev/null 2>&1", address);
    enter(here);
    return rc == 0;
}

/* Does the interface carry a program?  It may go a moment after its process. */
static bool is_clean(void)
{
    for (int i = 0; i < 100; i++) {
        if (shell("ip link show xa | grep -q prog/xdp") != 0)
            return true;
        usleep(10000);
    }
    return false;
}

/* ARP over IPv4, padded to 60 bytes. */
static void make_arp(uint8_t *f, uint16_t op, struct ip_addr from, struct ip_addr about)
{
    const struct arp_pkt a = {.op = op, .sha = {{2}}, .spa = ip_v4(&from), .tpa = ip_v4(&about)};

    memset(f, 0, 60);
    memset(f, 0xff, 6);
    f[6] = 2;
    store_be16(f + 12, ETHTYPE_ARP);
    arp_emit(f + 14, &a);
}

static void the_kernel_is_reached_on_its_own_address_while_ours_is_served(void **state)
{
    struct pkt *p[8];
    struct nic_counter c[NIC_COUNTERS_MAX];
    int s;

    (void)state;
    pair_up(1, 1500);
    assert_true(peer_pings("10.1.0.1"));
    struct nic *n = port_open("xa", 1);
    s = peer_socket();
    assert_true(peer_pings("10.1.0.1"));
    assert_int_equal(nic_rx_burst(n, 0, p, 8), 0);
    make_udp(frame, 100, &n->mac, OURS, 53, 1);
    peer_send(s, frame, 100);
    make_arp(frame, ARP_REQUEST, ip4_of(10, 1, 0, 77), OURS);
    peer_send(s, frame, 60);
    make_arp(frame, ARP_REQUEST, ip4_of(10, 1, 0, 77), HOSTS);
    peer_send(s, frame, 60);
    make_arp(frame, ARP_REPLY, OURS, PEERS);
    peer_send(s, frame, 60);
    assert_true(peer_pings("10.1.0.1"));
    /* Ours, asked of us, and somebody who says that our address is his. */
    assert_int_equal(gather(n, 0, p, 8), 3);
    put_all(p, 3);
    assert_true(n->ops->counters(n, c, NIC_COUNTERS_MAX) >= 8);
    assert_string_equal(c[0].name, "xdp_taken");
    assert_int_equal(c[0].value, 3);
    assert_string_equal(c[1].name, "xdp_passed_to_kernel");
    assert_true(c[1].value >= 7);
    close(s);
    port_close(n);
    assert_true(peer_pings("10.1.0.1"));
}

static int host_listens(uint16_t port)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = be16_of(port).raw};

    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s, 1), 0);
    return s;
}

static bool peer_connects(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = be16_of(port).raw,
                            .sin_addr = {be32_of(0x0a010001).raw}};

    enter(there);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_usec = 300000};
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    bool good = connect(s, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(s);
    enter(here);
    return good;
}

static bool is_tcp_to(const struct pkt *p, uint16_t port)
{
    return load_be16(p->data + 12) == ETHTYPE_IPV4 && p->data[23] == IPPROTO_TCP_ &&
           load_be16(p->data + 36) == port;
}

static bool is_arp(const struct pkt *p)
{
    return load_be16(p->data + 12) == ETHTYPE_ARP;
}

static void of_the_hosts_own_address_only_chosen_ports_are_taken(void **state)
{
    struct pkt *p[16];

    (void)state;
    pair_up(1, 1500);
    int listener = host_listens(22);
    struct nic *n = port_open_at(HOSTS, "xa,port=80,port=8000-8100", 1);
    if (!n)
        fail_msg("%s", why);
    assert_true(peer_pings("10.1.0.1"));
    assert_true(peer_connects(22));
    put_all(p, gather(n, 0, p, 16));
    /* Nobody answers: nobody's stack is there. */
    static const uint16_t ours[] = {80, 8000, 8050, 8100};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        assert_false(peer_connects(ours[i]));
        unsigned got = gather(n, 0, p, 1), tcp = 0;
        for (unsigned k = 0; k < got; k++)
            tcp += is_tcp_to(p[k], ours[i]);
        assert_int_equal(tcp, 1);
        put_all(p, got);
        put_all(p, nic_rx_burst(n, 0, p, 16));
    }
    static const uint16_t others[] = {79, 81, 7999, 8101};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_false(peer_connects(others[i]));
        unsigned got = nic_rx_burst(n, 0, p, 16);
        for (unsigned k = 0; k < got; k++)
            assert_true(is_arp(p[k]));
        put_all(p, got);
    }
    close(listener);
    port_close(n);
}

/* What the router would say about a packet of ours from port `from`. */
static size_t make_error(uint8_t *f, const struct mac_addr *to, uint8_t type, uint16_t from)
{
    size_t at = make_ip(f, 34 + 8 + 28, to, HOSTS, IPPROTO_ICMP_);
    const struct ip_addr host = HOSTS, peer = PEERS;
    const struct ipv4_hdr quoted = {
        .src = ip_v4(&host), .dst = ip_v4(&peer), .total_len = 28, .ttl = 1, .proto = IPPROTO_UDP_};

    f[at] = type;
    ipv4_emit(f + at + 8, &quoted);
    store_be16(f + at + 28, from);
    store_be16(f + at + 30, 9);
    return 34 + 8 + 28;
}

static void errors_about_chosen_ports_are_taken_too(void **state)
{
    struct pkt *p[16];

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open_at(HOSTS, "xa,port=80", 1);
    int s = peer_socket();
    assert_non_null(n);
    static const struct {
        uint8_t type;
        uint16_t port;
        unsigned taken;
    } say[] = {{3, 80, 1}, {11, 80, 1}, {12, 80, 1}, {3, 81, 0}, {5, 80, 0}, {8, 80, 0}};
    for (size_t i = 0; i < ARRAY_LEN(say); i++) {
        size_t len = make_error(frame, &n->mac, say[i].type, say[i].port);
        peer_send(s, frame, len);
        usleep(20000);
        unsigned got = nic_rx_burst(n, 0, p, 16);
        assert_int_equal(got, say[i].taken);
        put_all(p, got);
    }
    /* A fragment has no ports. */
    make_udp(frame, 100, &n->mac, HOSTS, 80, 1);
    frame[20] = 0x20;
    peer_send(s, frame, 100);
    usleep(20000);
    assert_int_equal(nic_rx_burst(n, 0, p, 16), 0);
    close(s);
    port_close(n);
}

static void in_port_mode_the_neighbours_arp_is_heard(void **state)
{
    struct pkt *p[16];

    (void)state;
    pair_up(2, 1500);
    struct nic *n = port_open_at(HOSTS, "xa,port=80", 2);
    int s = peer_socket();
    assert_non_null(n);
    put_all(p, gather(n, 0, p, 1));
    struct pollfd w = {.fd = n->ops->wait_fd(n, 0), .events = POLLIN};
    assert_false(n->ops->wait_prepare(n, 0));
    make_arp(frame, ARP_REPLY, PEERS, HOSTS);
    peer_send(s, frame, 60);
    assert_int_equal(poll(&w, 1, 1000), 1);
    assert_int_equal(nic_rx_burst(n, 0, p, 16), 1);
    assert_memory_equal(p[0]->data, frame, 42);
    put_all(p, 1);
    /* It spins, and hears of it all the same. */
    peer_send(s, frame, 60);
    unsigned got = 0;
    for (int i = 0; i < 100000 && got == 0; i++)
        got = nic_rx_burst(n, 0, p, 16);
    assert_int_equal(got, 1);
    put_all(p, got);
    close(s);
    port_close(n);
}

static void under_load_the_neighbours_arp_is_heard_as_well(void **state)
{
    struct pkt *p[2];
    unsigned heard = 0;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open_at(HOSTS, "xa,port=80", 1);
    int s = peer_socket();
    assert_non_null(n);
    make_arp(frame, ARP_REPLY, PEERS, HOSTS);
    peer_send(s, frame, 60);
    make_udp(frame, 100, &n->mac, HOSTS, 80, 1);
    peer_send(s, frame, 100);
    for (unsigned i = 0; i < 2000 && !heard; i++) {
        peer_send(s, frame, 100);
        unsigned got = nic_rx_burst(n, 0, p, 2);
        for (unsigned k = 0; k < got; k++)
            heard += is_arp(p[k]);
        put_all(p, got);
    }
    assert_int_equal(heard, 1);
    close(s);
    port_close(n);
}

/* What veth hands over when the sender's checksum offload is on. */
static void a_checksum_that_veth_left_to_hardware_is_known_for_what_it_is(void **state)
{
    struct pkt *p[4];
    uint16_t right, partial, wrong;
    be32 src, dst;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa", 1);
    int s = peer_socket();
    make_udp(frame, 200, &n->mac, OURS, 7, 5);
    memcpy(&right, frame + 40, sizeof(right));
    memcpy(&src, frame + 26, sizeof(src));
    memcpy(&dst, frame + 30, sizeof(dst));
    partial = csum_fold(ipv4_pseudo_sum(src, dst, IPPROTO_UDP_, 166));
    wrong = (uint16_t)(partial + 1);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(frame + 40, i == 0 ? &right : i == 1 ? &partial : &wrong, sizeof(right));
        peer_send(s, frame, 200);
        assert_int_equal(gather(n, 0, p, 1), 1);
        assert_int_equal(p[0]->flags, i == 1 ? PKT_CSUM_OK | PKT_CSUM_PARTIAL : 0);
        if (i == 1)
            assert_int_equal(p[0]->buf + p[0]->l4_off - p[0]->data, 34);
        put_all(p, 1);
    }
    /* And what its kernel really sends: */
    enter(there);
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = be16_of(7).raw, .sin_addr = {be32_of(0x0a010009).raw}};
    assert_int_equal(shell("ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev xb"), 0);
    assert_int_equal(sendto(udp, "hello", 5, 0, (struct sockaddr *)&a, sizeof(a)), 5);
    enter(here);
    assert_int_equal(gather(n, 0, p, 1), 1);
    assert_int_equal(p[0]->flags, PKT_CSUM_OK | PKT_CSUM_PARTIAL);
    put_all(p, 1);
    close(udp);
    close(s);
    port_close(n);
}

static void a_frame_with_a_tag_is_ours_only_on_our_vlan(void **state)
{
    const char *rest;
    const struct dev_kind *kind = dev_find("xdp:x", &rest, why, sizeof(why));
    struct dev_config c = {.name = "xa", .queues = 1, .addr = OURS, .vlan = 5};
    struct pkt *p[8];

    (void)state;
    pair_up(1, 1500);
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    struct nic *n = kind->open(&arena, &c, why, sizeof(why));
    int s = peer_socket();
    assert_non_null(n);
    make_udp(frame, 100, &n->mac, OURS, 7, 5);
    peer_send(s, frame, 100);
    for (uint16_t vlan = 4; vlan <= 6; vlan++) {
        memcpy(seen, frame, 12);
        store_be16(seen + 12, ETHTYPE_VLAN);
        store_be16(seen + 14, (uint16_t)(0xe000 | vlan));
        memcpy(seen + 16, frame + 12, 88);
        peer_send(s, seen, 104);
    }
    assert_int_equal(gather(n, 0, p, 8), 1);
    assert_int_equal(p[0]->len, 104);
    assert_int_equal(load_be16(p[0]->data + 14), 0xe005);
    put_all(p, 1);
    close(s);
    port_close(n);
}

static void nothing_is_left_on_the_interface(void **state)
{
    struct pkt *p[8];

    (void)state;
    pair_up(2, 1500);
    struct nic *n = port_open("xa", 2);
    assert_int_equal(shell("ip link show xa | grep -q prog/xdp"), 0);
    port_close(n);
    assert_true(is_clean());
    for (int i = 0; i < 5; i++) {
        int ready[2];
        char c;
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        if (child == 0) {
            n = port_open("xa", 2);
            assert_int_equal(write(ready[1], "", 1), 1);
            for (;;)
                put_all(p, nic_rx_burst(n, 0, p, 8));
        }
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_int_equal(shell("ip link show xa | grep -q prog/xdp"), 0);
        usleep(1000u * (unsigned)i);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(ready[0]);
        close(ready[1]);
        assert_true(is_clean());
        assert_true(peer_pings("10.1.0.1"));
    }
    port_close(port_open("xa", 2));
}

static void a_program_of_somebody_else_is_named_and_left_alone(void **state)
{
    struct mem mine;

    (void)state;
    pair_up(1, 1500);
    struct nic *n = port_open("xa", 1);
    mine = arena;
    assert_null(port_open_at(OURS, "xa", 1));
    assert_non_null(strstr(why, "xa has an XDP program already, 'millrace' (id"));
    arena = mine;
    assert_int_equal(shell("ip link show xa | grep -q prog/xdp"), 0);
    port_close(n);
}

#define TEST(f) cmocka_unit_test_teardown(f, pair_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_kernel_is_reached_on_its_own_address_while_ours_is_served),
        TEST(of_the_hosts_own_address_only_chosen_ports_are_taken),
        TEST(errors_about_chosen_ports_are_taken_too),
        TEST(in_port_mode_the_neighbours_arp_is_heard),
        TEST(under_load_the_neighbours_arp_is_heard_as_well),
        TEST(a_checksum_that_veth_left_to_hardware_is_known_for_what_it_is),
        TEST(a_frame_with_a_tag_is_ours_only_on_our_vlan),
        TEST(nothing_is_left_on_the_interface),
        TEST(a_program_of_somebody_else_is_named_and_left_alone),
    };

    return NET_RUN(tests);
}
