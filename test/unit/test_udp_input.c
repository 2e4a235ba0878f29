/* Received datagrams: which are good, who gets them, and what happens when nobody reads. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;

static struct udp_pcb *bound(uint16_t port)
{
    struct udp_pcb *pcb = udp_open(&h.udp);

    assert_int_equal(udp_bind(&h.udp, &h.ip, pcb, NULL, port), 0);
    return pcb;
}

static void start(void)
{
    net_start(&h);
    net_know_peer(&h);
    h.now += USEC_PER_SEC;
}

static void datagram(uint16_t sport, uint16_t dport, const void *data, size_t n)
{
    net_udp_frame(&h, sport, dport, data, n);
    net_udp_input(&h);
}

/* Bytes as they are, as a UDP packet. */
static void raw(const uint8_t *bytes, size_t n)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    net_ip_frame(&h, &ip, bytes, n);
    net_udp_input(&h);
}

static void finish(struct udp_pcb *pcb)
{
    udp_close(&h.udp, pcb);
    net_end(&h);
}

static void a_datagram_waits_with_its_addresses(void **state)
{
    struct ip_addr us = net_us(), peer = net_peer();
    struct udp_pcb *pcb;
    struct pkt *p;

    (void)state;
    start();
    pcb = bound(53);
    datagram(4000, 53, "question", 8);
    assert_ptr_equal(udp_next_ready(&h.udp), pcb);
    assert_null(udp_next_ready(&h.udp));
    assert_int_equal(pcb->ready, UDP_READABLE);
    p = udp_recv(pcb);
    assert_int_equal(p->len, 8);
    assert_memory_equal(p->data, "question", 8);
    assert_true(ip_eq(&ip_info(p)->src, &peer) && ip_eq(&ip_info(p)->dst, &us));
    assert_true(udp_info(p)->sport == 4000 && udp_info(p)->dport == 53);
    assert_int_equal(pcb->rcv_bytes, 0);
    assert_null(udp_recv(pcb));
    pkt_put(p);
    finish(pcb);
}

static void an_empty_datagram_is_a_datagram(void **state)
{
    struct udp_pcb *pcb;
    struct pkt *p;

    (void)state;
    start();
    pcb = bound(53);
    datagram(4000, 53, NULL, 0);
    p = udp_recv(pcb);
    assert_non_null(p);
    assert_int_equal(p->len, 0);
    pkt_put(p);
    finish(pcb);
}

static void every_single_bit_error_is_caught(void **state)
{
    uint8_t d[64];
    size_t n = net_put_udp(d, 4000, 53, "some payload", 12);
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = bound(53);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        d[bit / 8] ^= (uint8_t)(1u << bit % 8);
        raw(d, n);
        d[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_null(udp_recv(pcb));
    assert_int_equal(h.udp.stats.drop_csum + h.udp.stats.drop_length + h.udp.stats.drop_short,
                     8 * n);
    finish(pcb);
}

/* RFC 768, RFC 1122 4.1.3.4 */
static void no_checksum_is_accepted_and_counted(void **state)
{
    uint8_t d[64];
    size_t n = net_put_udp(d, 4000, 53, "x", 1);
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = bound(53);
    d[6] = d[7] = 0;
    d[8] = 'y';
    raw(d, n);
    assert_int_equal(pcb->rcvq.n, 1);
    assert_int_equal(h.udp.stats.rx_no_csum, 1);
    finish(pcb);
}

static void lengths_that_lie_are_refused(void **state)
{
    uint8_t d[64];
    size_t n = net_put_udp(d, 4000, 53, "0123456789", 10);
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = bound(53);
    d[6] = d[7] = 0;
    for (size_t cut = 0; cut < UDP_HLEN; cut++)
        raw(d, cut);
    assert_int_equal(h.udp.stats.drop_short, UDP_HLEN);
    for (uint16_t len = 0; len < 8; len++) {
        store_be16(d + 4, len);
        raw(d, n);
    }
    store_be16(d + 4, (uint16_t)(n + 1));
    raw(d, n);
    store_be16(d + 4, 65535);
    raw(d, n);
    assert_int_equal(h.udp.stats.drop_length, 10);
    /* Shorter than the packet is allowed: the rest is padding. */
    store_be16(d + 4, 12);
    raw(d, n);
    assert_int_equal(pcb->rcvq.n, 1);
    assert_int_equal(pcb->rcvq.head->len, 4);
    finish(pcb);
}

static void port_zero_is_nobodys(void **state)
{
    (void)state;
    start();
    datagram(4000, 0, "x", 1);
    assert_int_equal(h.udp.stats.drop_port_zero, 1);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

/* RFC 1122 4.1.3.1, and 3.2.2: not for broadcasts. */
static void a_port_nobody_has_is_unreachable(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t d[16] = {0, 9, 0, 9, 0, 8, 0, 0}, b[NET_FRAME_MAX];

    (void)state;
    start();
    ip.dst = be32_of(0x0a0000ff);
    net_ip_frame(&h, &ip, d, 8);
    net_udp_input(&h);
    assert_int_equal(h.eth.txq.n, 0);
    datagram(4000, 9, "x", 1);
    assert_int_equal(h.udp.stats.drop_no_port, 2);
    assert_true(net_sent(&h, b) > 0);
    assert_int_equal(b[ETH_HLEN + IPV4_HLEN + 1], ICMP_UNREACH_PORT);
    net_end(&h);
}

static void the_most_specific_pcb_gets_the_datagram(void **state)
{
    struct ip_addr us = net_us();
    struct udp_addr to = {net_peer(), 4000}, other = {net_peer(), 4001};
    struct udp_pcb *wild, *mine, *conn, *conn2;

    (void)state;
    start();
    wild = udp_open(&h.udp);
    mine = udp_open(&h.udp);
    conn = udp_open(&h.udp);
    conn2 = udp_open(&h.udp);
    wild->options = mine->options = conn->options = conn2->options = UDP_REUSE;
    assert_int_equal(udp_bind(&h.udp, &h.ip, conn, NULL, 53), 0);
    assert_int_equal(udp_connect(&h.udp, &h.ip, conn, &to), 0);
    assert_int_equal(udp_bind(&h.udp, &h.ip, conn2, NULL, 53), 0);
    assert_int_equal(udp_connect(&h.udp, &h.ip, conn2, &other), 0);
    assert_int_equal(udp_bind(&h.udp, &h.ip, mine, &us, 53), 0);
    assert_int_equal(udp_bind(&h.udp, &h.ip, wild, NULL, 53), 0);
    datagram(4000, 53, "a", 1);
    assert_int_equal(conn->rcvq.n, 1);
    datagram(4002, 53, "a", 1);
    assert_int_equal(mine->rcvq.n, 1);
    udp_close(&h.udp, mine);
    datagram(4002, 53, "a", 1);
    assert_int_equal(wild->rcvq.n, 1);
    udp_disconnect(&h.udp, conn);
    datagram(4000, 53, "a", 1);
    assert_int_equal(wild->rcvq.n + conn->rcvq.n, 3);
    assert_int_equal(conn2->rcvq.n, 0);
    udp_close(&h.udp, conn);
    udp_close(&h.udp, conn2);
    finish(wild);
}

static void a_broadcast_reaches_a_wildcard_pcb(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);
    uint8_t d[16] = {0, 9, 0, 53, 0, 9, 0, 0, 'x'};
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = bound(53);
    ip.dst = be32_of(0xffffffff);
    net_ip_frame(&h, &ip, d, 9);
    net_udp_input(&h);
    assert_int_equal(pcb->rcvq.n, 1);
    finish(pcb);
}

static void a_queue_is_bounded_in_datagrams_and_in_bytes(void **state)
{
    static const uint8_t data[1000];
    struct udp_pcb *pcb;

    (void)state;
    start();
    pcb = bound(53);
    pcb->rcv_pkts_max = 5;
    for (unsigned i = 0; i < 8; i++)
        datagram(4000, 53, NULL, 0);
    assert_int_equal(pcb->rcvq.n, 5);
    pkt_list_put_all(&pcb->rcvq);
    pcb->rcv_pkts_max = 100;
    pcb->rcv_bytes_max = 3500;
    for (unsigned i = 0; i < 8; i++)
        datagram(4000, 53, data, 1000);
    assert_int_equal(pcb->rcvq.n, 3);
    assert_int_equal(pcb->rcv_dropped, 3 + 5);
    assert_int_equal(h.udp.stats.drop_full, 8);
    finish(pcb);
}

/* A socket that is never read must not keep the port from receiving. */
static void payload_moves_off_a_ports_buffers_when_they_run_low(void **state)
{
    struct udp_pcb *pcb;
    struct pkt *p;

    (void)state;
    start();
    h.rx.low_water = 200;
    pcb = bound(53);
    for (unsigned i = 0; i < 150; i++) {
        uint8_t n = (uint8_t)i;
        datagram(4000, 53, &n, 1);
    }
    /* 56 stay where they were, 64 were copied, and then there is no room. */
    assert_true(pool_available(&h.rx.descs) >= 199);
    assert_int_equal(h.udp.stats.rx_copied, 64);
    assert_int_equal(h.udp.stats.drop_nobuf, 150 - pcb->rcvq.n);
    for (unsigned i = 0; (p = udp_recv(pcb)); i++) {
        assert_int_equal(p->data[0], i);
        assert_int_equal(udp_info(p)->sport, 4000);
        assert_int_equal(!!(p->flags & PKT_COPIED), i >= 56);
        pkt_put(p);
    }
    assert_int_equal(h.udp.copies.descs.used, 0);
    finish(pcb);
}

static void a_pcb_closed_while_ready_is_not_ready(void **state)
{
    struct udp_pcb *a, *b, *c;

    (void)state;
    start();
    a = bound(1001);
    b = bound(1002);
    c = bound(1003);
    datagram(4000, 1001, "x", 1);
    datagram(4000, 1002, "x", 1);
    datagram(4000, 1003, "x", 1);
    datagram(4000, 1001, "x", 1);
    udp_close(&h.udp, b);
    assert_ptr_equal(udp_next_ready(&h.udp), a);
    assert_ptr_equal(udp_next_ready(&h.udp), c);
    assert_null(udp_next_ready(&h.udp));
    udp_close(&h.udp, a);
    finish(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_waits_with_its_addresses),
        cmocka_unit_test(an_empty_datagram_is_a_datagram),
        cmocka_unit_test(every_single_bit_error_is_caught),
        cmocka_unit_test(no_checksum_is_accepted_and_counted),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(port_zero_is_nobodys),
        cmocka_unit_test(a_port_nobody_has_is_unreachable),
        cmocka_unit_test(the_most_specific_pcb_gets_the_datagram),
        cmocka_unit_test(a_broadcast_reaches_a_wildcard_pcb),
        cmocka_unit_test(a_queue_is_bounded_in_datagrams_and_in_bytes),
        cmocka_unit_test(payload_moves_off_a_ports_buffers_when_they_run_low),
        cmocka_unit_test(a_pcb_closed_while_ready_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
