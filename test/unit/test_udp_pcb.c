/* UDP's local and remote ends, sending, and the errors that come back. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static uint8_t b[NET_FRAME_MAX];
static const uint8_t *const sent_udp = b + ETH_HLEN + IPV4_HLEN;

static void start(void)
{
    net_start(&h);
    net_know_peer(&h);
    h.now += USEC_PER_SEC;
}

static struct udp_addr peer(uint16_t port)
{
    return (struct udp_addr){net_peer(), port};
}

static void a_datagram_sent_is_right_in_every_field(void **state)
{
    struct udp_pcb *pcb;
    struct udp_addr to = peer(53);
    struct udp_hdr u;
    struct ipv4_hdr ip;
    size_t n;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    assert_int_equal(udp_bind(&h.udp, &h.ip, pcb, NULL, 1234), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "hello", 5, &to, h.now), 5);
        n = net_sent(&h, b);
        assert_int_equal(n, ETH_HLEN + IPV4_HLEN + UDP_HLEN + 5);
        assert_int_equal(ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN), WIRE_OK);
        assert_int_equal(udp_parse(&u, sent_udp, 13), WIRE_OK);
        assert_true(u.sport == 1234 && u.dport == 53 && u.len == 13);
        assert_int_equal(
            csum_fold(csum_add_portable(sent_udp, 13,
                                        ipv4_pseudo_sum(ip.src, ip.dst, IPPROTO_UDP_, 13))),
            0xffff);
        assert_memory_equal(sent_udp + 8, "hello", 5);
    }
    pcb->options |= UDP_NO_CSUM;
    udp_send(&h.udp, &h.ip, pcb, "hello", 5, &to, h.now);
    net_sent(&h, b);
    assert_int_equal(load_be16(sent_udp + 6), 0);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

static void the_largest_datagram_is_sent_in_fragments(void **state)
{
    static uint8_t data[65508], got[65535];
    struct udp_pcb *pcb;
    struct udp_addr to = peer(53);
    struct ipv4_hdr ip = {0};
    uint32_t total = 0;
    size_t n;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 5 + (i >> 9));
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, data, 65508, &to, h.now), MR_EMSGSIZE);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, data, 65507, &to, h.now), 65507);
    while ((n = net_sent(&h, b))) {
        assert_int_equal(ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN), WIRE_OK);
        memcpy(got + ip.frag_off, sent_udp, ip.total_len - 20u);
        total += ip.total_len - 20u;
    }
    assert_int_equal(total, 65515);
    assert_memory_equal(got + 8, data, 65507);
    assert_int_equal(csum_fold(csum_add_portable(
                         got, 65515, ipv4_pseudo_sum(ip.src, ip.dst, IPPROTO_UDP_, 65515))),
                     0xffff);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

static void a_datagram_to_ourselves_arrives(void **state)
{
    struct udp_pcb *a, *c;
    struct udp_addr to = {ip4_of(127, 0, 0, 1), 53};
    struct pkt *p;

    (void)state;
    start();
    a = udp_open(&h.udp);
    c = udp_open(&h.udp);
    assert_int_equal(udp_bind(&h.udp, &h.ip, a, NULL, 53), 0);
    assert_int_equal(udp_send(&h.udp, &h.ip, c, "local", 5, &to, h.now), 5);
    net_loop(&h);
    net_udp_input(&h);
    p = udp_recv(a);
    assert_non_null(p);
    assert_memory_equal(p->data, "local", 5);
    assert_int_equal(udp_info(p)->sport, c->lport);
    pkt_put(p);
    /* Nobody there: the error comes back to the connected one. */
    to.port = 54;
    assert_int_equal(udp_connect(&h.udp, &h.ip, c, &to), 0);
    assert_int_equal(udp_send(&h.udp, &h.ip, c, "local", 5, NULL, h.now), 5);
    net_loop(&h);
    net_udp_input(&h);
    net_loop(&h);
    struct ip_error e;
    assert_true(ip_next_error(&h.ip, &e));
    assert_true(udp_icmp_error(&h.udp, &h.ip, &e, h.now));
    assert_int_equal(c->err, MR_ECONNREFUSED);
    udp_close(&h.udp, a);
    udp_close(&h.udp, c);
    net_end(&h);
}

static void a_port_is_given_once(void **state)
{
    struct ip_addr us = net_us(), second = ip4_of(10, 0, 0, 3), foreign = ip4_of(10, 0, 0, 9);
    struct udp_pcb *p[4];

    (void)state;
    start();
    ip_addr_add(&h.ip, h.netif, &second, 24, false, h.now);
    for (unsigned i = 0; i < 4; i++)
        p[i] = udp_open(&h.udp);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[0], &foreign, 53), MR_EADDRNOTAVAIL);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[0], &us, 53), 0);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[0], &us, 54), MR_EINVAL);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[1], &us, 53), MR_EADDRINUSE);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[1], NULL, 53), MR_EADDRINUSE);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[1], &second, 53), 0);
    p[2]->options = p[3]->options = UDP_REUSE;
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[2], NULL, 53), MR_EADDRINUSE);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[2], NULL, 60), 0);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[3], NULL, 60), 0);
    udp_close(&h.udp, p[0]);
    p[0] = udp_open(&h.udp);
    assert_int_equal(udp_bind(&h.udp, &h.ip, p[0], &us, 53), 0);
    for (unsigned i = 0; i < 4; i++)
        udp_close(&h.udp, p[i]);
    net_end(&h);
}

/* RFC 6056; CVE-2022-1012 class. */
static void ephemeral_ports_are_apart_in_range_and_not_in_sequence(void **state)
{
    struct udp_pcb *p[20];
    unsigned steps = 0;

    (void)state;
    net_limits(&h);
    h.udp_limits.port_lo = 50000;
    h.udp_limits.port_hi = 50019;
    net_start_limited(&h);
    for (unsigned i = 0; i < 20; i++) {
        p[i] = udp_open(&h.udp);
        assert_int_equal(udp_bind(&h.udp, &h.ip, p[i], NULL, 0), 0);
        assert_true(p[i]->lport >= 50000 && p[i]->lport <= 50019);
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(p[i]->lport, p[k]->lport);
        steps += i && p[i]->lport == p[i - 1]->lport + 1;
    }
    assert_true(steps < 10);
    struct udp_pcb *one_more = udp_open(&h.udp);
    assert_int_equal(udp_bind(&h.udp, &h.ip, one_more, NULL, 0), MR_EADDRINUSE);
    for (unsigned i = 0; i < 20; i++)
        udp_close(&h.udp, p[i]);
    udp_close(&h.udp, one_more);
    net_end(&h);
}

static void pcbs_are_bounded_and_each_has_its_generation(void **state)
{
    struct udp_pcb *p[64];
    uint32_t generation;

    (void)state;
    start();
    for (unsigned i = 0; i < 64; i++)
        p[i] = udp_open(&h.udp);
    assert_null(udp_open(&h.udp));
    generation = p[5]->generation;
    udp_close(&h.udp, p[5]);
    assert_ptr_equal(udp_open(&h.udp), p[5]);
    assert_int_not_equal(p[5]->generation, generation);
    for (unsigned i = 0; i < 64; i++)
        udp_close(&h.udp, p[i]);
    net_end(&h);
}

static void calls_that_make_no_sense_are_refused(void **state)
{
    struct udp_addr to = peer(0), broadcast = {ip4_of(10, 0, 0, 255), 5};
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "x", 1, NULL, h.now), MR_ENOTCONN);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "x", 1, &to, h.now), MR_EINVAL);
    assert_int_equal(udp_connect(&h.udp, &h.ip, pcb, &to), MR_EINVAL);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "x", 1, &broadcast, h.now), MR_EACCES);
    assert_int_equal(udp_connect(&h.udp, &h.ip, pcb, &broadcast), MR_EACCES);
    pcb->options = UDP_BROADCAST;
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "x", 1, &broadcast, h.now), 1);
    assert_int_equal(net_sent(&h, b), ETH_HLEN + 29);
    assert_memory_equal(b, net_broadcast.b, 6);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

static void connecting_twice_and_disconnecting_leave_the_port(void **state)
{
    struct udp_addr a = peer(53), c = peer(54);
    struct udp_pcb *pcb;
    uint16_t port;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    assert_int_equal(udp_connect(&h.udp, &h.ip, pcb, &a), 0);
    port = pcb->lport;
    assert_int_equal(udp_connect(&h.udp, &h.ip, pcb, &c), 0);
    assert_true(pcb->lport == port && pcb->rport == 54);
    net_udp_frame(&h, 53, port, "old", 3);
    net_udp_input(&h);
    assert_int_equal(pcb->rcvq.n, 0);
    net_udp_frame(&h, 54, port, "new", 3);
    net_udp_input(&h);
    assert_int_equal(pcb->rcvq.n, 1);
    udp_disconnect(&h.udp, pcb);
    assert_true(pcb->lport == port && ip_is_any(&pcb->laddr) && pcb->rport == 0);
    net_udp_frame(&h, 53, port, "any", 3);
    net_udp_input(&h);
    assert_int_equal(pcb->rcvq.n, 2);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

static bool icmp(struct udp_pcb *pcb, uint8_t type, uint8_t code, uint32_t mtu, uint16_t rport)
{
    struct ip_error e = {.local = net_us(),
                         .remote = net_peer(),
                         .lport = pcb->lport,
                         .rport = rport,
                         .proto = IPPROTO_UDP_,
                         .type = type,
                         .code = code,
                         .mtu = mtu};

    return udp_icmp_error(&h.udp, &h.ip, &e, h.now);
}

static void an_icmp_error_is_reported_to_who_is_connected(void **state)
{
    static const struct {
        uint8_t type, code;
        int err;
    } want[] = {{ICMP_UNREACH, 0, MR_ENETUNREACH},  {ICMP_UNREACH, 1, MR_EHOSTUNREACH},
                {ICMP_UNREACH, 2, MR_ECONNREFUSED}, {ICMP_UNREACH, 3, MR_ECONNREFUSED},
                {ICMP_UNREACH, 13, MR_EHOSTUNREACH}, {ICMP_TIME_EXCEEDED, 0, MR_EHOSTUNREACH}};
    struct udp_addr to = peer(53);
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    udp_connect(&h.udp, &h.ip, pcb, &to);
    for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
        pcb->err = 0;
        icmp(pcb, want[i].type, want[i].code, 0, 53);
        assert_int_equal(pcb->err, want[i].err);
        assert_ptr_equal(udp_next_ready(&h.udp), pcb);
        assert_true(pcb->ready & UDP_ERROR);
    }
    pcb->err = 0;
    assert_false(icmp(pcb, ICMP_UNREACH, 3, 0, 99));
    assert_int_equal(pcb->err, 0);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

/* RFC 5927: who does not forbid fragmentation cannot have caused this. */
static void needfrag_is_believed_only_where_fragmentation_is_forbidden(void **state)
{
    static const uint8_t data[1400];
    struct ip_addr dst = net_peer();
    struct udp_addr to = peer(53);
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    udp_connect(&h.udp, &h.ip, pcb, &to);
    icmp(pcb, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 53);
    assert_int_equal(ip_pmtu(&h.ip, &dst, 1500), 1500);
    pcb->options = UDP_DF;
    icmp(pcb, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 53);
    assert_int_equal(ip_pmtu(&h.ip, &dst, 1500), 1000);
    assert_int_equal(pcb->err, MR_EMSGSIZE);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, data, 973, NULL, h.now), MR_EMSGSIZE);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, data, 972, NULL, h.now), 972);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

static void without_packets_a_send_says_try_later(void **state)
{
    struct pkt_list taken = {NULL, NULL, 0};
    struct udp_addr to = peer(53);
    struct udp_pcb *pcb;
    struct pkt *p;

    (void)state;
    start();
    pcb = udp_open(&h.udp);
    while ((p = pkt_get(&h.tx)))
        pkt_list_append(&taken, p);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "x", 1, &to, h.now), MR_ENOBUFS);
    assert_int_equal(h.udp.stats.tx_nobuf, 1);
    pkt_list_put_all(&taken);
    assert_int_equal(udp_send(&h.udp, &h.ip, pcb, "x", 1, &to, h.now), 1);
    udp_close(&h.udp, pcb);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_sent_is_right_in_every_field),
        cmocka_unit_test(the_largest_datagram_is_sent_in_fragments),
        cmocka_unit_test(a_datagram_to_ourselves_arrives),
        cmocka_unit_test(a_port_is_given_once),
        cmocka_unit_test(ephemeral_ports_are_apart_in_range_and_not_in_sequence),
        cmocka_unit_test(pcbs_are_bounded_and_each_has_its_generation),
        cmocka_unit_test(calls_that_make_no_sense_are_refused),
        cmocka_unit_test(connecting_twice_and_disconnecting_leave_the_port),
        cmocka_unit_test(an_icmp_error_is_reported_to_who_is_connected),
        cmocka_unit_test(needfrag_is_believed_only_where_fragmentation_is_forbidden),
        cmocka_unit_test(without_packets_a_send_says_try_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
