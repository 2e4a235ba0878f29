/* Sending: headers, checksums, fragments, loopback, and every way it can fail. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static uint8_t b[NET_FRAME_MAX];
static const uint8_t *const sent_ip = b + ETH_HLEN;

static void start(void)
{
    net_start(&h);
    net_know_peer(&h);
}

static struct ip_flow flow(uint8_t proto)
{
    return (struct ip_flow){.src = net_us(), .dst = net_peer(), .proto = proto};
}

static struct pkt *packet(uint32_t n)
{
    struct pkt *p = pkt_get(n > 2048 ? &h.ip.jumbo : &h.tx);

    for (uint32_t i = 0; i < n; i++)
        p->data[i] = (uint8_t)(i * 31 + (i >> 8));
    p->len = n;
    return p;
}

static void a_packet_gets_its_header(void **state)
{
    struct ip_flow f = flow(IPPROTO_TCP_);
    struct ipv4_hdr ip;
    struct pkt *p;
    size_t n;

    (void)state;
    start();
    f.tos = 0x28;
    f.df = true;
    for (unsigned known = 0; known < 2; known++) {
        p = packet(100);
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
        assert_int_equal(p->l4_off, p->l3_off + IPV4_HLEN);
        n = net_sent(&h, b);
        assert_int_equal(n, ETH_HLEN + 120);
        assert_int_equal(ipv4_parse(&ip, sent_ip, n - ETH_HLEN), WIRE_OK);
        assert_int_equal(csum_fold(csum_add_portable(sent_ip, 20, 0)), 0xffff);
        assert_true(ip.src.raw == f.src.w[3] && ip.dst.raw == f.dst.w[3]);
        assert_true(ip.tos == 0x28 && ip.ttl == 64 && ip.proto == IPPROTO_TCP_);
        assert_true(ip.flags == IPV4_DF && ip.frag_off == 0 && ip.id == 0);
        /* The second time the neighbour is known and the way is short. */
        assert_int_not_equal(f.nh, NEIGH_NONE);
    }
    net_end(&h);
}

/* RFC 6864, RFC 7739; CVE-2019-10638, CVE-2020-36516. */
static void ids_of_packets_that_may_be_fragmented_are_apart_and_unguessable(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_), g = flow(IPPROTO_UDP_);
    static bool seen[65536];
    unsigned plus_one = 0;
    uint16_t last = 0, id;

    (void)state;
    start();
    g.dst = ip4_of(10, 0, 0, 9);
    eth_neigh_add_permanent(&h.eth, h.netif, &g.dst, &net_peer_mac);
    for (unsigned i = 0; i < 10000; i++) {
        ip_output(&h.ip, packet(8), &f, h.now);
        net_sent(&h, b);
        id = load_be16(sent_ip + 4);
        assert_false(seen[id]);
        seen[id] = true;
        plus_one += (uint16_t)(id - last) == 1;
        last = id;
    }
    assert_true(plus_one < 5000);
    ip_output(&h.ip, packet(8), &g, h.now);
    net_sent(&h, b);
    id = load_be16(sent_ip + 4);
    assert_true((uint16_t)(id - last) > 10);
    net_end(&h);
}

static void the_checksum_is_finished_where_the_port_does_not(void **state)
{
    (void)state;
    start();
    for (unsigned udp = 0; udp < 2; udp++) {
        for (unsigned offload = 0; offload < 2; offload++) {
            struct ip_flow f = flow(udp ? IPPROTO_UDP_ : IPPROTO_TCP_);
            uint64_t pseudo = ipv4_pseudo_sum(ip_v4(&f.src), ip_v4(&f.dst), f.proto, 60);
            uint16_t part = csum_fold(pseudo);
            struct pkt *p = packet(60);
            uint16_t sum;
            h.eth.netif[h.netif].tx_csum = offload;
            memcpy(p->data + (udp ? 6 : 16), &part, 2);
            p->flags = PKT_CSUM_PARTIAL;
            ip_output(&h.ip, p, &f, h.now);
            assert_int_equal(h.eth.txq.head->flags, offload ? PKT_CSUM_PARTIAL : 0);
            net_sent(&h, b);
            sum = csum_fold(csum_add_portable(sent_ip + 20, 60, pseudo));
            assert_int_equal(sum == 0xffff, !offload);
        }
    }
    net_end(&h);
}

/* RFC 768: a UDP sum of zero goes out as ones. */
static void a_udp_checksum_of_zero_is_sent_as_ones(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_);
    struct pkt *p;
    uint64_t pseudo;
    uint16_t part;

    (void)state;
    start();
    p = packet(10);
    memset(p->data, 0, 10);
    pseudo = ipv4_pseudo_sum(ip_v4(&f.src), ip_v4(&f.dst), f.proto, 10);
    part = csum_fold(pseudo);
    memcpy(p->data + 6, &part, 2);
    part = (uint16_t)~part;
    memcpy(p->data + 8, &part, 2);
    p->flags = PKT_CSUM_PARTIAL;
    ip_output(&h.ip, p, &f, h.now);
    net_sent(&h, b);
    assert_int_equal(load_be16(sent_ip + 26), 0xffff);
    net_end(&h);
}

/* Every size around the MTU: fragments tile the packet, in multiples of eight but for the last. */
static void a_packet_larger_than_the_mtu_is_fragmented(void **state)
{
    static uint8_t whole[8000];
    struct ip_flow f = flow(IPPROTO_UDP_);
    struct ipv4_hdr ip;
    size_t n;

    (void)state;
    start();
    for (uint32_t total = 1470; total < 7000; total += 1 + total % 97) {
        uint32_t at = 0;
        uint16_t id = 0;
        bool more = true;
        struct pkt *p = packet(total);
        memcpy(whole, p->data, total);
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
        while ((n = net_sent(&h, b))) {
            assert_true(more && n <= ETH_HLEN + 1500);
            assert_int_equal(ipv4_parse(&ip, sent_ip, n - ETH_HLEN), WIRE_OK);
            assert_int_equal(csum_fold(csum_add_portable(sent_ip, 20, 0)), 0xffff);
            assert_int_equal(ip.frag_off, at);
            assert_true(at == 0 || ip.id == id);
            id = ip.id;
            more = ip.flags & IPV4_MF;
            assert_memory_equal(sent_ip + 20, whole + at, ip.total_len - 20u);
            at += ip.total_len - 20u;
        }
        assert_false(more);
        assert_int_equal(at, total);
    }
    net_end(&h);
}

static void a_packet_with_fragments_of_its_own_is_fragmented_too(void **state)
{
    static uint8_t tail[4000];
    struct ip_flow f = flow(IPPROTO_UDP_);
    struct pkt *p;
    uint32_t at = 0;
    size_t n;

    (void)state;
    start();
    for (unsigned i = 0; i < sizeof(tail); i++)
        tail[i] = (uint8_t)(i * 13);
    p = packet(100);
    p->frags[0] = (struct pkt_frag){tail, 1001, MEM_NONE};
    p->frags[1] = (struct pkt_frag){tail + 1001, 2999, MEM_NONE};
    p->nfrags = 2;
    p->frag_len = 4000;
    assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
    while ((n = net_sent(&h, b))) {
        uint32_t len = (uint32_t)n - ETH_HLEN - 20;
        for (uint32_t i = 0; i < len; i++, at++)
            assert_int_equal(sent_ip[20 + i], at < 100 ? (uint8_t)(at * 31) : tail[at - 100]);
    }
    assert_int_equal(at, 4100);
    net_end(&h);
}

/* RFC 791 3.1: the source route has its copied bit set and is in every fragment. */
static void every_fragment_of_a_source_routed_packet_carries_the_route(void **state)
{
    static const uint8_t route[12] = {IPOPT_LSRR, 11, 4, 10, 0, 0, 9, 10, 0, 0, 7, IPOPT_EOL};
    struct ip_flow f = flow(IPPROTO_UDP_);
    uint32_t total = 0;
    struct ipv4_hdr ip;
    size_t n;

    (void)state;
    start();
    f.src_route_n = 3;
    f.src_route[0] = ip_v4(&f.dst);
    memcpy(&f.src_route[1], route + 3, 8);
    assert_int_equal(ip_output(&h.ip, packet(4000), &f, h.now), 0);
    while ((n = net_sent(&h, b))) {
        assert_true(n <= ETH_HLEN + 1500);
        assert_int_equal(ipv4_parse(&ip, sent_ip, n - ETH_HLEN), WIRE_OK);
        assert_int_equal(csum_fold(csum_add_portable(sent_ip, ip.hlen, 0)), 0xffff);
        assert_int_equal(ip.optlen, 12);
        assert_memory_equal(ip.opt, route, 12);
        total += ip.total_len - ip.hlen;
    }
    assert_int_equal(total, 4000);
    net_end(&h);
}

static void what_must_not_be_fragmented_is_refused(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_);

    (void)state;
    start();
    f.df = true;
    assert_int_equal(ip_output(&h.ip, packet(1480), &f, h.now), 0);
    assert_int_equal(ip_output(&h.ip, packet(1481), &f, h.now), MR_EMSGSIZE);
    assert_int_equal(h.ip.stats.out_too_big, 1);
    f.df = false;
    assert_int_equal(ip_output(&h.ip, packet(65516), &f, h.now), MR_EMSGSIZE);
    net_end(&h);
}

static void fragments_are_all_sent_or_none(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_);
    struct pkt_list taken = {NULL, NULL, 0};

    (void)state;
    start();
    while (pool_available(&h.tx.descs) > 3)
        pkt_list_append(&taken, pkt_get(&h.tx));
    assert_int_equal(ip_output(&h.ip, packet(6000), &f, h.now), MR_ENOBUFS);
    assert_int_equal(h.eth.txq.n, 0);
    assert_int_equal(h.ip.stats.out_nobuf, 1);
    pkt_list_put_all(&taken);
    net_end(&h);
}

static void a_segment_to_be_cut_by_the_port_may_exceed_the_mtu(void **state)
{
    struct ip_flow f = flow(IPPROTO_TCP_);
    struct pkt *p;

    (void)state;
    start();
    f.df = true;
    for (unsigned tso = 0; tso < 2; tso++) {
        h.eth.netif[h.netif].tso_max = tso ? 16384 : 0;
        p = packet(14500);
        p->gso_size = 1448;
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), tso ? 0 : MR_EMSGSIZE);
    }
    assert_int_equal(net_sent(&h, b), ETH_HLEN + 14520);
    net_end(&h);
}

static void every_failure_has_its_reason(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_);
    struct ip_addr any = ip4_of(0, 0, 0, 0);

    (void)state;
    start();
    f.src = ip4_of(10, 0, 0, 77);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), MR_EADDRNOTAVAIL);
    assert_int_equal(h.ip.stats.out_src, 1);
    ip_route_del(&h.ip, &any, 0);
    f = flow(IPPROTO_UDP_);
    f.dst = ip4_of(192, 0, 2, 1);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), MR_ENETUNREACH);
    f.dst = ip4_of(0, 0, 0, 0);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), MR_ENETUNREACH);
    f.dst = ip4_of(127, 9, 9, 9);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), MR_ENETUNREACH);
    assert_int_equal(h.ip.stats.out_no_route, 3);
    h.eth.netif[h.netif].up = false;
    f = flow(IPPROTO_UDP_);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), MR_ENETDOWN);
    assert_int_equal(h.ip.stats.out_down, 1);
    net_end(&h);
}

static void an_unset_source_is_chosen(void **state)
{
    struct ip_addr us = net_us();
    struct ip_flow f = flow(IPPROTO_UDP_);

    (void)state;
    start();
    f.src = ip4_of(0, 0, 0, 0);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), 0);
    assert_true(ip_eq(&f.src, &us));
    net_end(&h);
}

static void broadcast_and_multicast_go_to_their_ethernet_groups(void **state)
{
    static const uint8_t group_mac[6] = {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};
    struct ip_flow f = flow(IPPROTO_UDP_);

    (void)state;
    start();
    f.dst = ip4_of(10, 0, 0, 255);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), 0);
    net_sent(&h, b);
    assert_memory_equal(b, net_broadcast.b, 6);
    f.dst = ip4_of(255, 255, 255, 255);
    f.src = ip4_of(0, 0, 0, 0);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), 0);
    net_sent(&h, b);
    assert_memory_equal(b, net_broadcast.b, 6);
    f.dst = ip4_of(239, 129, 2, 3);
    assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), 0);
    net_sent(&h, b);
    assert_memory_equal(b, group_mac, 6);
    net_end(&h);
}

/* Nothing uninitialised goes on the wire (CVE-2003-0001): the same in, the same out. */
static void every_byte_sent_is_one_that_was_written(void **state)
{
    static uint8_t first[NET_FRAME_MAX];
    size_t n[2] = {0, 0};

    (void)state;
    for (unsigned fill = 0; fill < 2; fill++) {
        struct ip_flow f = flow(IPPROTO_UDP_);
        struct pkt *p;
        start();
        memset(h.tx.bufs, fill ? 0xff : 0, (size_t)h.tx.buf_size * h.tx.descs.capacity);
        p = packet(3000);
        ip_output(&h.ip, p, &f, h.now);
        net_udp_frame(&h, 5, 6, "x", 1);
        net_udp_input(&h);
        for (size_t k; (k = net_sent(&h, b));) {
            if (fill)
                assert_memory_equal(first + n[1], b, k);
            else
                memcpy(first + n[0], b, k);
            n[fill] += k;
        }
        net_end(&h);
    }
    assert_int_equal(n[0], n[1]);
}

/* ---- loopback ---------------------------------------------------------------------------- */

static void a_packet_to_ourselves_comes_back_without_a_copy(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_);
    struct ip_addr lo = ip4_of(127, 0, 0, 1);

    (void)state;
    start();
    for (unsigned i = 0; i < 2; i++) {
        struct pkt *p = packet(200);
        f.src = f.dst = i ? lo : net_us();
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
        assert_int_equal(h.eth.txq.n, 0);
        assert_true(ip_loop_waits(&h.ip));
        net_loop(&h);
        assert_int_equal(h.got.udp.n, 1);
        assert_ptr_equal(h.got.udp.p[0], p);
        assert_int_equal(p->flags & (PKT_LOOPBACK | PKT_CSUM_OK), PKT_LOOPBACK | PKT_CSUM_OK);
        assert_int_equal(p->netif, NETIF_LO);
        assert_int_equal(p->len, 200);
        assert_int_equal(ip_info(p)->lidx, ip_lidx(&h.ip, &f.dst));
    }
    net_end(&h);
}

static void packets_with_fragments_come_back_contiguous_or_wait(void **state)
{
    static uint8_t tail[40000];
    struct ip_flow f = flow(IPPROTO_TCP_);
    unsigned got = 0;

    (void)state;
    start();
    f.dst = f.src;
    for (unsigned i = 0; i < 12; i++) {
        struct pkt *p = packet(20);
        p->frags[p->nfrags++] = (struct pkt_frag){tail, i % 2 ? 40000 : 100, MEM_NONE};
        p->frag_len = i % 2 ? 40000 : 100;
        assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
    }
    while (ip_loop_waits(&h.ip)) {
        struct burst in;
        assert_true(ip_loop_burst(&h.ip, &in));
        for (unsigned i = 0; i < in.n; i++) {
            assert_int_equal(in.p[i]->nfrags, 0);
            assert_int_equal(in.p[i]->len, IPV4_HLEN + 20 + ((got + i) % 2 ? 40000 : 100));
            pkt_put(in.p[i]);
        }
        got += in.n;
    }
    assert_int_equal(got, 12);
    net_end(&h);
}

/* Where buffers are missing, the queue waits; it does not lose. */
static void loopback_without_buffers_waits(void **state)
{
    static uint8_t tail[40000];
    struct ip_flow f = flow(IPPROTO_TCP_);
    struct burst in;

    (void)state;
    start();
    f.dst = f.src;
    for (unsigned i = 0; i < 10; i++) {
        struct pkt *p = packet(20);
        p->frags[p->nfrags++] = (struct pkt_frag){tail, 40000, MEM_NONE};
        p->frag_len = 40000;
        ip_output(&h.ip, p, &f, h.now);
    }
    assert_true(ip_loop_burst(&h.ip, &in));
    assert_int_equal(in.n, 8);
    struct burst none;
    assert_false(ip_loop_burst(&h.ip, &none));
    assert_int_equal(h.ip.loopq.n, 2);
    for (unsigned i = 0; i < in.n; i++)
        pkt_put(in.p[i]);
    assert_true(ip_loop_burst(&h.ip, &in));
    assert_int_equal(in.n, 2);
    pkt_put(in.p[0]);
    pkt_put(in.p[1]);
    net_end(&h);
}

static void the_loopback_queue_is_bounded(void **state)
{
    struct ip_flow f = flow(IPPROTO_UDP_);

    (void)state;
    net_limits(&h);
    h.ip_limits.loopq = 5;
    net_start_limited(&h);
    f.dst = f.src;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(ip_output(&h.ip, packet(8), &f, h.now), i < 5 ? 0 : MR_ENOBUFS);
    assert_int_equal(h.ip.stats.out_loop_full, 3);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_gets_its_header),
        cmocka_unit_test(ids_of_packets_that_may_be_fragmented_are_apart_and_unguessable),
        cmocka_unit_test(the_checksum_is_finished_where_the_port_does_not),
        cmocka_unit_test(a_udp_checksum_of_zero_is_sent_as_ones),
        cmocka_unit_test(a_packet_larger_than_the_mtu_is_fragmented),
        cmocka_unit_test(a_packet_with_fragments_of_its_own_is_fragmented_too),
        cmocka_unit_test(every_fragment_of_a_source_routed_packet_carries_the_route),
        cmocka_unit_test(what_must_not_be_fragmented_is_refused),
        cmocka_unit_test(fragments_are_all_sent_or_none),
        cmocka_unit_test(a_segment_to_be_cut_by_the_port_may_exceed_the_mtu),
        cmocka_unit_test(every_failure_has_its_reason),
        cmocka_unit_test(an_unset_source_is_chosen),
        cmocka_unit_test(broadcast_and_multicast_go_to_their_ethernet_groups),
        cmocka_unit_test(every_byte_sent_is_one_that_was_written),
        cmocka_unit_test(a_packet_to_ourselves_comes_back_without_a_copy),
        cmocka_unit_test(packets_with_fragments_come_back_contiguous_or_wait),
        cmocka_unit_test(loopback_without_buffers_waits),
        cmocka_unit_test(the_loopback_queue_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
