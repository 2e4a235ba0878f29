/* ICMP (RFC 792, RFC 1122 3.2.2): what is answered, which errors are sent, which are believed. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static uint8_t b[NET_FRAME_MAX];
static const uint8_t *const sent_ip = b + ETH_HLEN;
static const uint8_t *const sent_icmp = b + ETH_HLEN + IPV4_HLEN;

static void start(void)
{
    net_start(&h);
    net_know_peer(&h);
    /* The bucket of tokens is full, as it is after a second of life. */
    h.now += USEC_PER_SEC;
}

static void echo(const void *data, size_t n)
{
    struct icmp_hdr icmp = {.type = ICMP_ECHO, .id = 0x1234, .seq = 7};

    net_icmp_frame(&h, &icmp, data, n);
}

static void an_echo_request_comes_back_with_its_data(void **state)
{
    struct ipv4_hdr ip;
    struct icmp_hdr icmp;
    uint8_t data[300];
    size_t n;

    (void)state;
    start();
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof(data); len++) {
        echo(data, len);
        n = net_sent(&h, b);
        assert_int_equal(n, ETH_HLEN + IPV4_HLEN + ICMP_HLEN + len);
        assert_int_equal(ipv4_parse(&ip, sent_ip, n - ETH_HLEN), WIRE_OK);
        assert_int_equal(csum_fold(csum_add_portable(sent_ip, 20, 0)), 0xffff);
        assert_int_equal(csum_fold(csum_add_portable(sent_icmp, ICMP_HLEN + len, 0)), 0xffff);
        assert_int_equal(icmp_parse(&icmp, sent_icmp, ICMP_HLEN + len), WIRE_OK);
        assert_true(icmp.type == ICMP_ECHO_REPLY && icmp.id == 0x1234 && icmp.seq == 7);
        assert_memory_equal(sent_icmp + ICMP_HLEN, data, len);
        assert_int_equal(ip.src.raw, net_us().w[3]);
        assert_int_equal(ip.ttl, IP_TTL_DEFAULT);
    }
    assert_int_equal(h.ip.stats.icmp_echo_replied, sizeof(data) + 1);
    net_end(&h);
}

/* Simulator, seed 29250: an updated sum was 0, which over nothing but zeros does not hold. */
static void a_ping_of_zeros_is_answered_by_a_sum_that_holds(void **state)
{
    static const uint8_t zeros[8];
    struct icmp_hdr icmp = {.type = ICMP_ECHO};

    (void)state;
    start();
    for (size_t len = 0; len <= sizeof(zeros); len++) {
        net_icmp_frame(&h, &icmp, zeros, len);
        assert_int_equal(net_sent(&h, b), ETH_HLEN + IPV4_HLEN + ICMP_HLEN + len);
        assert_int_equal(csum_fold(csum_add_portable(sent_icmp, ICMP_HLEN + len, 0)), 0xffff);
    }
    net_end(&h);
}

/* 65,507 bytes: reassembled, turned around, fragmented. */
static void the_largest_ping_is_answered_in_fragments(void **state)
{
    static uint8_t message[65515], back[65515];
    struct icmp_hdr icmp = {.type = ICMP_ECHO, .id = 1};
    uint32_t total = sizeof(message), got = 0;
    struct ipv4_hdr ip;
    size_t n;

    (void)state;
    start();
    net_put_icmp(message, &icmp, back, total - ICMP_HLEN);
    for (uint32_t off = 0; off < total; off += 1480) {
        uint32_t len = min_u32(1480, total - off);
        ip = net_ip_hdr(IPPROTO_ICMP_);
        ip.id = 5;
        ip.frag_off = (uint16_t)off;
        ip.flags = off + len < total ? IPV4_MF : 0;
        net_ip_frame(&h, &ip, message + off, len);
    }
    while ((n = net_sent(&h, b))) {
        assert_int_equal(ipv4_parse(&ip, sent_ip, n - ETH_HLEN), WIRE_OK);
        assert_true(n - ETH_HLEN <= 1500);
        memcpy(back + ip.frag_off, b + ETH_HLEN + IPV4_HLEN, ip.total_len - 20u);
        got += ip.total_len - 20u;
    }
    assert_int_equal(got, total);
    assert_int_equal(back[0], ICMP_ECHO_REPLY);
    assert_int_equal(csum_fold(csum_add_portable(back, total, 0)), 0xffff);
    assert_memory_equal(back + 4, message + 4, total - 4);
    net_end(&h);
}

/* RFC 1122 3.2.2.6 */
static void record_route_and_timestamp_come_back_with_our_entry(void **state)
{
    static const uint8_t opt[24] = {IPOPT_RR, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0,
                                    IPOPT_TS, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t message[16];
    struct icmp_hdr icmp = {.type = ICMP_ECHO};
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_ICMP_);

    (void)state;
    start();
    ip.opt = opt;
    ip.optlen = 24;
    net_ip_frame(&h, &ip, message, net_put_icmp(message, &icmp, NULL, 0));
    assert_int_equal(net_sent(&h, b), ETH_HLEN + 44 + 8);
    assert_int_equal(sent_ip[22], 12);
    assert_memory_equal(sent_ip + 27, ((uint8_t[]){10, 0, 0, 1}), 4);
    assert_int_equal(sent_ip[31 + 2], 13);
    assert_memory_equal(sent_ip + 35, ((uint8_t[]){10, 0, 0, 1}), 4);
    assert_true(sent_ip[39] & 0x80);
    assert_int_equal(csum_fold(csum_add_portable(sent_ip, 44, 0)), 0xffff);
    net_end(&h);
}

/* RFC 791 3.1: who finds no room counts itself in the overflow, which stops at fifteen. */
static void a_full_timestamp_option_counts_us_among_the_missed(void **state)
{
    uint8_t opt[8] = {IPOPT_TS, 8, 9, 0xd0, 1, 2, 3, 4}, message[16];

    (void)state;
    start();
    for (unsigned i = 0; i < 4; i++) {
        struct icmp_hdr icmp = {.type = ICMP_ECHO};
        struct ipv4_hdr ip = net_ip_hdr(IPPROTO_ICMP_);
        ip.opt = opt;
        ip.optlen = 8;
        net_ip_frame(&h, &ip, message, net_put_icmp(message, &icmp, NULL, 0));
        assert_int_equal(net_sent(&h, b), ETH_HLEN + 28 + 8);
        assert_int_equal(sent_ip[23], min_u32(0xd0 + 0x10 * (i + 1), 0xf0));
        memcpy(opt, sent_ip + 20, 8);
    }
    assert_memory_equal(opt + 4, ((uint8_t[]){1, 2, 3, 4}), 4);
    net_end(&h);
}

static void an_answer_to_a_source_routed_ping_goes_back_the_same_way(void **state)
{
    static const uint8_t opt[8] = {IPOPT_LSRR, 7, 8, 10, 0, 0, 9, IPOPT_EOL};
    struct ip_addr router = ip4_of(10, 0, 0, 9);
    uint8_t message[16];
    struct icmp_hdr icmp = {.type = ICMP_ECHO};
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_ICMP_);

    (void)state;
    start();
    eth_neigh_add_permanent(&h.eth, h.netif, &router, &net_peer_mac);
    ip.opt = opt;
    ip.optlen = 8;
    net_ip_frame(&h, &ip, message, net_put_icmp(message, &icmp, NULL, 0));
    assert_int_equal(net_sent(&h, b), ETH_HLEN + 28 + 8);
    assert_memory_equal(sent_ip + 16, ((uint8_t[]){10, 0, 0, 9}), 4);
    assert_memory_equal(sent_ip + 20, ((uint8_t[]){IPOPT_LSRR, 7, 4, 10, 0, 0, 2, 0}), 8);
    net_end(&h);
}

/* Smurf. */
static void requests_to_a_broadcast_address_are_not_answered(void **state)
{
    static const uint32_t group[] = {0xffffffff, 0x0a0000ff, 0xe0000001};
    uint8_t message[16];

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(group); i++) {
        struct icmp_hdr icmp = {.type = ICMP_ECHO};
        struct ipv4_hdr ip = net_ip_hdr(IPPROTO_ICMP_);
        ip.dst = be32_of(group[i]);
        net_ip_frame(&h, &ip, message, net_put_icmp(message, &icmp, NULL, 0));
    }
    assert_int_equal(h.eth.txq.n, 0);
    assert_int_equal(h.ip.stats.drop_icmp_broadcast, 3);
    net_end(&h);
}

static void icmp_that_is_short_or_damaged_is_dropped(void **state)
{
    struct icmp_hdr icmp = {.type = ICMP_ECHO};
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_ICMP_);
    uint8_t message[64];
    size_t n = net_put_icmp(message, &icmp, "hello", 5);

    (void)state;
    start();
    for (size_t cut = 0; cut < ICMP_HLEN; cut++)
        net_ip_frame(&h, &ip, message, cut);
    assert_int_equal(h.ip.stats.drop_icmp_short, ICMP_HLEN);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        net_ip_frame(&h, &ip, message, n);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(h.ip.stats.drop_icmp_csum, 8 * n);
    net_end(&h);
}

static void echo_replies_are_rate_limited(void **state)
{
    (void)state;
    net_limits(&h);
    h.ip_limits.echo_rate = 5;
    net_start_limited(&h);
    net_know_peer(&h);
    for (unsigned i = 0; i < 20; i++)
        echo("x", 1);
    assert_int_equal(h.ip.stats.icmp_echo_replied, 5);
    assert_int_equal(h.ip.stats.drop_icmp_rate, 15);
    net_end(&h);
}

static void timestamp_requests_are_answered_only_if_asked_to(void **state)
{
    struct icmp_hdr icmp = {.type = ICMP_TIMESTAMP, .id = 3, .seq = 4};
    uint8_t times[12] = {0, 0, 0, 9};

    (void)state;
    start();
    net_icmp_frame(&h, &icmp, times, 12);
    assert_int_equal(h.eth.txq.n, 0);
    h.ip.limits.icmp_timestamp = true;
    net_icmp_frame(&h, &icmp, times, 4);
    assert_int_equal(h.eth.txq.n, 0);
    net_icmp_frame(&h, &icmp, times, 12);
    assert_int_equal(net_sent(&h, b), ETH_HLEN + IPV4_HLEN + 20);
    assert_int_equal(sent_icmp[0], ICMP_TIMESTAMP_REPLY);
    assert_int_equal(sent_icmp[11], 9);
    assert_int_equal(csum_fold(csum_add_portable(sent_icmp, 20, 0)), 0xffff);
    net_end(&h);
}

static void other_types_are_counted(void **state)
{
    (void)state;
    start();
    for (unsigned type = 0; type < 256; type++) {
        struct icmp_hdr icmp = {.type = (uint8_t)type};
        if (type != ICMP_ECHO)
            net_icmp_frame(&h, &icmp, "12345678901234567890", 20);
    }
    assert_int_equal(h.ip.stats.icmp_redirects, 1);
    assert_int_equal(h.ip.stats.icmp_quenches, 1);
    assert_int_equal(h.ip.stats.drop_icmp_quote, 3);
    assert_int_equal(h.ip.stats.drop_icmp_type, 250);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

/* ---- errors we send --------------------------------------------------------------------- */

static void an_error_quotes_as_much_as_576_bytes_hold(void **state)
{
    static uint8_t data[1400];

    (void)state;
    start();
    memset(data, 0x77, sizeof(data));
    for (size_t n = 0; n < 1400; n += 139) {
        size_t quoted = min_size(IPV4_HLEN + UDP_HLEN + n, 548);
        net_udp_frame(&h, 1000, 9, data, n);
        udp_input(&h.udp, &h.ip, &h.got.udp, h.now);
        assert_int_equal(net_sent(&h, b), ETH_HLEN + 28 + quoted);
        assert_int_equal(sent_icmp[0], ICMP_UNREACH);
        assert_int_equal(sent_icmp[1], ICMP_UNREACH_PORT);
        assert_int_equal(load_be32(sent_icmp + 4), 0);
        assert_int_equal(csum_fold(csum_add_portable(sent_icmp, 8 + quoted, 0)), 0xffff);
        assert_int_equal(sent_icmp[8], 0x45);
        assert_int_equal(load_be16(sent_icmp + 28), 1000);
    }
    net_end(&h);
}

static void offend(struct ipv4_hdr ip, const uint8_t *l4, size_t n, uint8_t lflags)
{
    struct pkt *p = pkt_get(&h.rx);

    ip.total_len = (uint16_t)(IPV4_HLEN + n);
    p->len = (uint32_t)ipv4_emit(p->data, &ip);
    memcpy(p->data + p->len, l4, n);
    p->len += (uint32_t)n;
    p->l3_off = (uint16_t)(p->data - p->buf);
    p->flags = lflags;
    p->netif = h.netif;
    ip_icmp_error(&h.ip, p, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, h.now);
    pkt_put(p);
}

/* RFC 1122 3.2.2: the list of what no error may be about. */
static void no_error_is_sent_about_what_none_may_be_sent_about(void **state)
{
    static const uint32_t no_host[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, 0x0a0000ff};
    static const uint8_t error[8] = {ICMP_UNREACH}, unknown[8] = {99}, request[8] = {ICMP_ECHO};
    struct ipv4_hdr ip;

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(no_host); i++) {
        ip = net_ip_hdr(IPPROTO_UDP_);
        ip.src = be32_of(no_host[i]);
        offend(ip, request, 8, 0);
    }
    ip = net_ip_hdr(IPPROTO_UDP_);
    offend(ip, request, 8, PKT_BROADCAST);
    offend(ip, request, 8, PKT_MULTICAST);
    ip.dst = be32_of(0x0a0000ff);
    offend(ip, request, 8, 0);
    ip = net_ip_hdr(IPPROTO_UDP_);
    ip.frag_off = 8;
    offend(ip, request, 8, 0);
    ip = net_ip_hdr(IPPROTO_ICMP_);
    offend(ip, error, 8, 0);
    offend(ip, unknown, 8, 0);
    offend(ip, error, 0, 0);
    assert_int_equal(h.eth.txq.n, 0);
    assert_int_equal(h.ip.stats.icmp_not_sent, ARRAY_LEN(no_host) + 7);
    offend(ip, request, 8, 0);
    assert_int_equal(h.eth.txq.n, 1);
    net_end(&h);
}

static void closed_port(void)
{
    net_udp_frame(&h, 1000, 9, NULL, 0);
    net_udp_input(&h);
}

/* CVE-2020-25705: the limit must not be a counter that others can read. */
static void errors_are_rate_limited_by_a_bucket_nobody_can_count(void **state)
{
    unsigned sent[8];
    bool same = true;

    (void)state;
    start();
    for (unsigned round = 0; round < 8; round++) {
        h.now += USEC_PER_SEC;
        net_drop_sent(&h);
        for (unsigned i = 0; i < 200; i++)
            closed_port();
        sent[round] = h.eth.txq.n;
        assert_true(sent[round] >= 25 && sent[round] <= 120);
        same = same && sent[round] == sent[0];
    }
    assert_false(same);
    assert_true(h.ip.stats.icmp_not_sent_rate > 0);
    net_end(&h);
}

/* ---- errors we are sent ------------------------------------------------------------------ */

/* A quote of a TCP segment from us, port 80 to the peer's 5000, sequence number 0x01020304. */
static size_t put_quote(uint8_t *q, struct ipv4_hdr *ip, uint16_t total)
{
    size_t n;

    ip->total_len = total;
    n = ipv4_emit(q, ip);
    store_be16(q + n, 80);
    store_be16(q + n + 2, 5000);
    store_be32(q + n + 4, 0x01020304);
    return n + 8;
}

static struct ipv4_hdr quoted_hdr(uint8_t proto)
{
    struct ipv4_hdr ip = net_ip_hdr(proto);
    be32 us = ip.dst;

    ip.dst = ip.src;
    ip.src = us;
    return ip;
}

static bool error(uint8_t type, uint8_t code, uint16_t mtu, struct ipv4_hdr ip, uint16_t total,
                  struct ip_error *e)
{
    struct icmp_hdr icmp = {.type = type, .code = code, .mtu = mtu};
    uint8_t q[128];
    size_t n = put_quote(q, &ip, total);

    net_icmp_frame(&h, &icmp, q, n);
    return ip_next_error(&h.ip, e);
}

static void an_error_about_our_segment_is_handed_on(void **state)
{
    struct ip_addr us = net_us(), peer = net_peer();
    struct ip_error e;

    (void)state;
    start();
    assert_true(error(ICMP_UNREACH, ICMP_UNREACH_PORT, 0, quoted_hdr(IPPROTO_TCP_), 1500, &e));
    assert_true(ip_eq(&e.local, &us) && ip_eq(&e.remote, &peer));
    assert_true(e.lport == 80 && e.rport == 5000 && e.seq.v == 0x01020304);
    assert_true(e.proto == IPPROTO_TCP_ && e.type == ICMP_UNREACH && e.code == ICMP_UNREACH_PORT);
    assert_int_equal(e.lidx, ip_lidx(&h.ip, &us));
    assert_false(ip_next_error(&h.ip, &e));
    assert_true(error(ICMP_TIME_EXCEEDED, 0, 0, quoted_hdr(IPPROTO_UDP_), 100, &e));
    assert_int_equal(e.seq.v, 0);
    assert_true(error(ICMP_PARAM_PROBLEM, 0, 0, quoted_hdr(IPPROTO_UDP_), 100, &e));
    net_end(&h);
}

/* CVE-2004-0790 class; RFC 5927. */
static void errors_that_quote_nothing_of_ours_are_dropped(void **state)
{
    struct ipv4_hdr ip = quoted_hdr(IPPROTO_TCP_);
    struct ip_error e;

    (void)state;
    start();
    ip.src = be32_of(0x0a000005);
    assert_false(error(ICMP_UNREACH, 1, 0, ip, 100, &e));
    ip = quoted_hdr(IPPROTO_TCP_);
    ip.frag_off = 8;
    assert_false(error(ICMP_UNREACH, 1, 0, ip, 100, &e));
    ip = quoted_hdr(IPPROTO_TCP_);
    ip.dst = be32_of(0xe0000005);
    assert_false(error(ICMP_UNREACH, 1, 0, ip, 100, &e));
    assert_false(error(ICMP_UNREACH, 1, 0, quoted_hdr(IPPROTO_ICMP_), 100, &e));
    ip = quoted_hdr(IPPROTO_TCP_);
    ip.src = be32_of(0x7f000001);
    assert_false(error(ICMP_UNREACH, 1, 0, ip, 100, &e));
    assert_int_equal(h.ip.stats.drop_icmp_quote, 5);
    net_end(&h);
}

static void every_truncated_quote_is_dropped(void **state)
{
    struct ipv4_hdr ip = quoted_hdr(IPPROTO_TCP_);
    uint8_t q[64];
    size_t n = put_quote(q, &ip, 1500);
    struct ip_error e;

    (void)state;
    start();
    for (size_t cut = 0; cut < n; cut++) {
        struct icmp_hdr icmp = {.type = ICMP_UNREACH, .code = 1};
        net_icmp_frame(&h, &icmp, q, cut);
        assert_false(ip_next_error(&h.ip, &e));
    }
    q[0] = 0x4f;
    struct icmp_hdr icmp = {.type = ICMP_UNREACH, .code = 1};
    net_icmp_frame(&h, &icmp, q, n);
    assert_false(ip_next_error(&h.ip, &e));
    net_end(&h);
}

/* RFC 1191 5, 7.1: MTU 0 means the next plateau below the packet. */
static void needfrag_without_an_mtu_means_the_next_plateau(void **state)
{
    static const uint16_t total[] = {65535, 32000, 9000, 1500, 1492, 1400, 600, 500, 290};
    static const uint16_t mtu[] = {32000, 17914, 8166, 1492, 1006, 1006, 508, 296, 68};
    struct ip_error e;

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(total); i++) {
        assert_true(error(ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 0, quoted_hdr(IPPROTO_TCP_),
                          total[i], &e));
        assert_int_equal(e.mtu, mtu[i]);
    }
    assert_true(error(ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1280, quoted_hdr(IPPROTO_TCP_), 1500,
                      &e));
    assert_int_equal(e.mtu, 1280);
    net_end(&h);
}

/* RFC 5927 7.2: a packet of 576 bytes cannot have been too large for an MTU of 576. */
static void an_mtu_not_below_the_quoted_packet_is_refused(void **state)
{
    struct ip_error e;

    (void)state;
    start();
    assert_false(
        error(ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1500, quoted_hdr(IPPROTO_TCP_), 1500, &e));
    assert_false(
        error(ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 9000, quoted_hdr(IPPROTO_TCP_), 1500, &e));
    assert_int_equal(h.ip.stats.drop_icmp_mtu, 2);
    net_end(&h);
}

static void a_flood_of_errors_is_bounded(void **state)
{
    struct ip_error e;
    struct ipv4_hdr ip = quoted_hdr(IPPROTO_TCP_);
    uint8_t q[64];
    size_t n = put_quote(q, &ip, 1500);
    unsigned count = 0;

    (void)state;
    start();
    for (unsigned i = 0; i < 1000; i++) {
        struct icmp_hdr icmp = {.type = ICMP_UNREACH, .code = 1};
        net_icmp_frame(&h, &icmp, q, n);
    }
    while (ip_next_error(&h.ip, &e))
        count++;
    assert_int_equal(count, h.ip.limits.errors);
    assert_int_equal(h.ip.stats.drop_icmp_full, 1000 - count);
    net_end(&h);
}

/* A neighbour that never answers is reported like a router would. */
static void an_absent_neighbour_is_host_unreachable(void **state)
{
    struct ip_addr ghost = ip4_of(10, 0, 0, 66);
    struct ip_flow f = {.src = net_us(), .dst = ghost, .proto = IPPROTO_TCP_};
    struct ip_error e;
    struct pkt *p;

    (void)state;
    start();
    p = pkt_get(&h.tx);
    p->len = 20;
    memset(p->data, 0, 20);
    store_be16(p->data, 1234);
    store_be16(p->data + 2, 80);
    assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
    assert_false(ip_next_error(&h.ip, &e));
    net_pass(&h, 5 * USEC_PER_SEC);
    assert_true(ip_next_error(&h.ip, &e));
    assert_true(e.type == ICMP_UNREACH && e.code == ICMP_UNREACH_HOST);
    assert_true(e.lport == 1234 && e.rport == 80 && ip_eq(&e.remote, &ghost));
    assert_false(ip_next_error(&h.ip, &e));
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_request_comes_back_with_its_data),
        cmocka_unit_test(a_ping_of_zeros_is_answered_by_a_sum_that_holds),
        cmocka_unit_test(the_largest_ping_is_answered_in_fragments),
        cmocka_unit_test(record_route_and_timestamp_come_back_with_our_entry),
        cmocka_unit_test(a_full_timestamp_option_counts_us_among_the_missed),
        cmocka_unit_test(an_answer_to_a_source_routed_ping_goes_back_the_same_way),
        cmocka_unit_test(requests_to_a_broadcast_address_are_not_answered),
        cmocka_unit_test(icmp_that_is_short_or_damaged_is_dropped),
        cmocka_unit_test(echo_replies_are_rate_limited),
        cmocka_unit_test(timestamp_requests_are_answered_only_if_asked_to),
        cmocka_unit_test(other_types_are_counted),
        cmocka_unit_test(an_error_quotes_as_much_as_576_bytes_hold),
        cmocka_unit_test(no_error_is_sent_about_what_none_may_be_sent_about),
        cmocka_unit_test(errors_are_rate_limited_by_a_bucket_nobody_can_count),
        cmocka_unit_test(an_error_about_our_segment_is_handed_on),
        cmocka_unit_test(errors_that_quote_nothing_of_ours_are_dropped),
        cmocka_unit_test(every_truncated_quote_is_dropped),
        cmocka_unit_test(needfrag_without_an_mtu_means_the_next_plateau),
        cmocka_unit_test(an_mtu_not_below_the_quoted_packet_is_refused),
        cmocka_unit_test(a_flood_of_errors_is_bounded),
        cmocka_unit_test(an_absent_neighbour_is_host_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
