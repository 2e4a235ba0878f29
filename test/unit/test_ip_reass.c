/* Reassembly (RFC 791, RFC 815), against fragments that were made to hurt. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;
static uint8_t datagram[NET_FRAME_MAX];

static void start(void)
{
    net_start(&h);
    net_know_peer(&h);
    for (unsigned i = 0; i < sizeof(datagram); i++)
        datagram[i] = (uint8_t)(i * 2654435761u >> 11);
}

/* Bytes [off, end) of datagram number id, from host 10.0.0.src. */
static unsigned piece_from(uint8_t src, uint16_t id, uint32_t off, uint32_t end, bool more)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    ip.src = be32_of(0x0a000000u | src);
    ip.id = id;
    ip.frag_off = (uint16_t)off;
    ip.flags = more ? IPV4_MF : 0;
    net_ip_frame(&h, &ip, datagram + off, end - off);
    return h.got.udp.n;
}

static unsigned piece(uint32_t off, uint32_t end, bool more)
{
    return piece_from(2, 77, off, end, more);
}

static void content(uint32_t n)
{
    assert_int_equal(h.got.udp.n, 1);
    assert_int_equal(h.got.udp.p[0]->len, n);
    assert_int_equal(ip_info(h.got.udp.p[0])->payload_len, n);
    assert_memory_equal(h.got.udp.p[0]->data, datagram, n);
}

static void whole(uint32_t n)
{
    content(n);
    assert_int_equal(h.ip.reass_pool.used, 0);
    assert_int_equal(h.ip.chunk_pool.used, 0);
}

static void fragments_in_order_become_the_datagram(void **state)
{
    (void)state;
    start();
    assert_int_equal(piece(0, 1480, true), 0);
    assert_int_equal(piece(1480, 2960, true), 0);
    assert_int_equal(piece(2960, 3000, false), 1);
    whole(3000);
    net_end(&h);
}

/* Five fragments in each of their 120 orders. */
static void fragments_in_any_order_become_the_datagram(void **state)
{
    static const uint32_t at[] = {0, 800, 1608, 2400, 3200, 3333};
    unsigned order[5], count = 0;

    (void)state;
    start();
    for (unsigned code = 0; code < 3125; code++) {
        unsigned used = 0, c = code, got = 0;
        for (unsigned i = 0; i < 5; i++, c /= 5) {
            order[i] = c % 5;
            used |= 1u << order[i];
        }
        if (used != 31)
            continue;
        for (unsigned i = 0; i < 5; i++)
            got += piece(at[order[i]], at[order[i] + 1], order[i] != 4);
        assert_int_equal(got, 1);
        whole(3333);
        count++;
    }
    assert_int_equal(count, 120);
    net_end(&h);
}

static void the_largest_datagram_is_reassembled(void **state)
{
    uint32_t total = 65515;

    (void)state;
    start();
    for (uint32_t off = 0; off < total; off += 1480)
        piece(off, min_u32(off + 1480, total), off + 1480 < total);
    whole(total);
    net_end(&h);
}

/* Held fragments must not keep a port from receiving. */
static void a_fragment_that_waits_holds_no_buffer_of_a_port(void **state)
{
    (void)state;
    start();
    for (uint16_t id = 0; id < 60; id++)
        piece_from(2, id, 0, 1480, true);
    assert_int_equal(h.rx.descs.used, 0);
    assert_int_equal(h.ip.reass_pool.used, 60);
    net_end(&h);
}

static void an_exact_copy_of_a_fragment_is_ignored(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 5; i++) {
        piece(0, 1600, true);
        piece(3200, 3300, false);
    }
    piece(1600, 3200, true);
    assert_int_equal(h.ip.stats.reass_duplicate, 8);
    whole(3300);
    net_end(&h);
}

/* Teardrop (CVE-1999-0015) and its kin; RFC 5722:
 *      [0 ........ 1480)
 *              [1400 ...... 2000)   whoever is right, the datagram is not trusted */
static void an_overlap_discards_the_datagram_and_what_still_comes(void **state)
{
    static const uint32_t cut[][2] = {{1472, 2952}, {8, 16},     {0, 8},      {0, 1600},
                                      {1408, 1480}, {2952, 3000}, {1480, 3000}};

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(cut); i++) {
        uint16_t id = (uint16_t)(100 + i);
        piece_from(2, id, 0, 1480, true);
        piece_from(2, id, 2960, 3000, false);
        piece_from(2, id, cut[i][0], cut[i][1], true);
        assert_int_equal(piece_from(2, id, 1480, 2960, true), 0);
        assert_int_equal(h.ip.stats.drop_frag_overlap + h.ip.stats.drop_frag_end, i + 1);
    }
    assert_true(h.ip.stats.drop_frag_poisoned >= ARRAY_LEN(cut));
    assert_int_equal(h.ip.chunk_pool.used, 0);
    net_end(&h);
}

static void the_same_place_with_other_bytes_is_an_overlap(void **state)
{
    (void)state;
    start();
    piece(0, 800, true);
    datagram[9] ^= 1;
    piece(0, 800, true);
    assert_int_equal(h.ip.stats.drop_frag_overlap, 1);
    assert_int_equal(piece(800, 900, false), 0);
    net_end(&h);
}

/* The ping of death. */
static void a_fragment_that_ends_past_65535_is_refused(void **state)
{
    (void)state;
    start();
    piece(65512, 65520, false);
    piece(65528, 65536, true);
    piece(65000, 65520, true);
    assert_int_equal(h.ip.stats.drop_frag_length, 3);
    assert_int_equal(h.ip.reass_pool.used, 0);
    net_end(&h);
}

/* Each fragment fits, and the options of fragment zero make the whole too long. */
static void options_that_push_the_datagram_past_65535_are_refused(void **state)
{
    static const uint8_t opt[40] = {IPOPT_NOP};
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    (void)state;
    start();
    h.ip.limits.reass_fragments = 1000;
    for (uint32_t off = 1480; off < 65500; off += 1480)
        piece(off, min_u32(off + 1480, 65500), off + 1480 < 65500);
    ip.id = 77;
    ip.flags = IPV4_MF;
    ip.opt = opt;
    ip.optlen = 40;
    net_ip_frame(&h, &ip, datagram, 1480);
    assert_int_equal(h.got.udp.n, 0);
    assert_int_equal(h.ip.stats.drop_frag_length, 1);
    assert_int_equal(h.ip.chunk_pool.used, 0);
    net_end(&h);
}

static void fragments_of_no_or_odd_length_are_refused(void **state)
{
    (void)state;
    start();
    piece(0, 0, true);
    piece(0, 13, true);
    piece(8, 8, false);
    assert_int_equal(h.ip.stats.drop_frag_length, 3);
    net_end(&h);
}

static void two_ends_that_disagree_discard_the_datagram(void **state)
{
    (void)state;
    start();
    piece_from(2, 1, 1600, 1700, false);
    piece_from(2, 1, 2400, 2500, false);
    piece_from(2, 2, 2400, 2500, true);
    piece_from(2, 2, 800, 900, false);
    piece_from(2, 3, 800, 900, false);
    piece_from(2, 3, 1600, 2400, true);
    assert_int_equal(h.ip.stats.drop_frag_end, 2);
    /* 2400..2500 has an odd length and is refused by itself; then 800..900 ends it well. */
    assert_int_equal(h.ip.stats.drop_frag_length, 1);
    net_end(&h);
}

/* FragmentSmack (CVE-2018-5391): a datagram in 8-byte pieces costs us a bounded walk. */
static void a_datagram_in_tiny_pieces_is_given_up(void **state)
{
    (void)state;
    start();
    for (uint32_t off = 16000; off > 0; off -= 16)
        piece(off, off + 8, true);
    assert_int_equal(h.ip.stats.drop_frag_many, 1);
    assert_int_equal(h.ip.chunk_pool.used, 0);
    net_end(&h);
}

static void one_source_gets_only_its_share(void **state)
{
    (void)state;
    start();
    for (uint16_t id = 0; id < 200; id++)
        piece_from(2, id, 0, 8, true);
    assert_int_equal(h.ip.reass_pool.used, 64);
    assert_int_equal(h.ip.stats.drop_frag_source, 136);
    assert_int_equal(piece_from(9, 1, 0, 800, true), 0);
    assert_int_equal(piece_from(9, 1, 800, 900, false), 1);
    net_end(&h);
}

static void a_flood_from_many_sources_evicts_the_oldest(void **state)
{
    (void)state;
    start();
    h.ip.limits.reass_per_source = 60000;
    for (unsigned i = 0; i < 2000; i++)
        piece_from((uint8_t)(2 + i % 200), (uint16_t)i, 0, 1480, true);
    assert_int_equal(h.ip.reass_pool.used, 256);
    assert_int_equal(h.ip.stats.reass_evicted, 2000 - 256);
    piece_from(2, 1999, 0, 1480, true);
    assert_int_equal(piece_from((uint8_t)(2 + 1999 % 200), 1999, 1480, 1500, false), 1);
    net_end(&h);
}

static void without_chunks_the_oldest_datagram_goes(void **state)
{
    (void)state;
    net_limits(&h);
    h.ip_limits.reass_chunks = 4;
    net_start_limited(&h);
    for (uint16_t id = 1; id <= 3; id++) {
        piece_from(2, id, 0, 1480, true);
        piece_from(2, id, 1480, 2960, true);
    }
    assert_int_equal(h.ip.stats.reass_evicted, 1);
    assert_int_equal(piece_from(2, 3, 2960, 3000, false), 1);
    net_end(&h);
}

/* RFC 1122 3.3.2, RFC 792: time exceeded, code 1, quoting fragment zero. */
static void a_datagram_that_stays_incomplete_is_reported_after_30_seconds(void **state)
{
    uint8_t b[NET_FRAME_MAX];
    const uint8_t *icmp = b + ETH_HLEN + IPV4_HLEN;
    size_t n;

    (void)state;
    start();
    piece(0, 1480, true);
    net_drop_sent(&h);
    net_pass(&h, 29900 * USEC_PER_MSEC);
    assert_int_equal(h.ip.reass_pool.used, 1);
    net_drop_sent(&h);
    net_pass(&h, 300 * USEC_PER_MSEC);
    assert_int_equal(h.ip.reass_pool.used, 0);
    n = net_sent(&h, b);
    assert_int_equal(n, ETH_HLEN + 576);
    assert_int_equal(icmp[0], ICMP_TIME_EXCEEDED);
    assert_int_equal(icmp[1], ICMP_TIME_EXCEEDED_REASS);
    assert_int_equal(csum_fold(csum_add_portable(icmp, 576 - IPV4_HLEN, 0)), 0xffff);
    assert_int_equal(load_be16(icmp + 8 + 4), 77);
    assert_memory_equal(icmp + 8 + 20, datagram, 528);
    net_end(&h);
}

static void without_fragment_zero_nothing_is_reported(void **state)
{
    (void)state;
    start();
    net_pass(&h, 5 * USEC_PER_SEC);
    net_drop_sent(&h);
    piece(1480, 2960, true);
    net_pass(&h, 60 * USEC_PER_SEC);
    assert_int_equal(h.ip.stats.reass_timeout, 1);
    assert_int_equal(h.eth.txq.n, 0);
    net_end(&h);
}

/* Same id, other protocol or source: another datagram. */
static void fragments_of_different_datagrams_do_not_mix(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_TCP_);

    (void)state;
    start();
    piece_from(2, 5, 0, 800, true);
    assert_int_equal(piece_from(3, 5, 800, 900, false), 0);
    assert_int_equal(piece_from(2, 6, 800, 900, false), 0);
    ip.id = 5;
    ip.frag_off = 800;
    net_ip_frame(&h, &ip, datagram + 800, 100);
    assert_int_equal(h.got.tcp.n, 0);
    assert_int_equal(piece_from(2, 5, 800, 900, false), 1);
    net_end(&h);
}

/* RFC 3168 5.3 */
static void congestion_experienced_by_one_fragment_marks_the_datagram(void **state)
{
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    (void)state;
    start();
    for (unsigned first = 0; first < 2; first++) {
        ip.id = (uint16_t)(9 + first);
        ip.flags = IPV4_MF;
        ip.frag_off = 0;
        ip.tos = first ? 0 : 2;
        net_ip_frame(&h, &ip, datagram, 800);
        ip.flags = 0;
        ip.frag_off = 800;
        ip.tos = 3;
        net_ip_frame(&h, &ip, datagram + 800, 8);
        if (first == 0)
            assert_int_equal(ip_info(h.got.udp.p[0])->tos & 3, 3);
    }
    assert_int_equal(h.got.udp.n, 0);
    assert_int_equal(h.ip.stats.drop_frag_ecn, 1);
    net_end(&h);
}

static void options_of_fragment_zero_are_the_datagrams(void **state)
{
    static const uint8_t opt[8] = {IPOPT_LSRR, 7, 8, 10, 9, 9, 1, IPOPT_EOL};
    struct ipv4_hdr ip = net_ip_hdr(IPPROTO_UDP_);

    (void)state;
    start();
    ip.id = 3;
    ip.frag_off = 1600;
    net_ip_frame(&h, &ip, datagram + 1600, 40);
    ip.frag_off = 0;
    ip.flags = IPV4_MF;
    ip.opt = opt;
    ip.optlen = 8;
    net_ip_frame(&h, &ip, datagram, 1600);
    assert_int_equal(h.got.udp.n, 1);
    assert_int_equal(ip_info(h.got.udp.p[0])->src_route_n, 2);
    assert_int_equal(h.got.udp.p[0]->len, 1640);
    net_end(&h);
}

static void without_a_jumbo_packet_the_datagram_is_dropped_and_counted(void **state)
{
    struct pkt_list taken = {NULL, NULL, 0};
    struct pkt *p;

    (void)state;
    start();
    while ((p = pkt_get(&h.ip.jumbo)))
        pkt_list_append(&taken, p);
    piece(0, 800, true);
    assert_int_equal(piece(800, 900, false), 0);
    assert_int_equal(h.ip.stats.drop_jumbo, 1);
    pkt_list_put_all(&taken);
    net_end(&h);
}

/* Random cuts, order and copies: what comes out is always the datagram, or nothing. */
static void random_fragments_never_give_a_wrong_datagram(void **state)
{
    struct rng rng;
    unsigned good = 0;

    (void)state;
    start();
    rng_init(&rng, 4);
    for (uint16_t id = 0; id < 3000; id++) {
        uint32_t units = 2 + rng_below(&rng, 400), total = units * 8 - rng_below(&rng, 8);
        for (unsigned tries = 0; tries < 40; tries++) {
            uint32_t off = rng_below(&rng, 4) * (units / 4) * 8, end = off + (units / 4) * 8;
            bool last = end + units / 4 * 8 > total;
            if (rng_chance(&rng, 1, 50))
                off += 8;
            if (last)
                end = total;
            if (off >= end || !piece_from(2, id, off, end, !last))
                continue;
            content(total);
            good++;
            break;
        }
        net_drop_sent(&h);
        if (h.ip.reass_pool.used > 50)
            net_pass(&h, 31 * USEC_PER_SEC);
    }
    assert_true(good > 1000);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_in_order_become_the_datagram),
        cmocka_unit_test(fragments_in_any_order_become_the_datagram),
        cmocka_unit_test(the_largest_datagram_is_reassembled),
        cmocka_unit_test(a_fragment_that_waits_holds_no_buffer_of_a_port),
        cmocka_unit_test(an_exact_copy_of_a_fragment_is_ignored),
        cmocka_unit_test(an_overlap_discards_the_datagram_and_what_still_comes),
        cmocka_unit_test(the_same_place_with_other_bytes_is_an_overlap),
        cmocka_unit_test(a_fragment_that_ends_past_65535_is_refused),
        cmocka_unit_test(options_that_push_the_datagram_past_65535_are_refused),
        cmocka_unit_test(fragments_of_no_or_odd_length_are_refused),
        cmocka_unit_test(two_ends_that_disagree_discard_the_datagram),
        cmocka_unit_test(a_datagram_in_tiny_pieces_is_given_up),
        cmocka_unit_test(one_source_gets_only_its_share),
        cmocka_unit_test(a_flood_from_many_sources_evicts_the_oldest),
        cmocka_unit_test(without_chunks_the_oldest_datagram_goes),
        cmocka_unit_test(a_datagram_that_stays_incomplete_is_reported_after_30_seconds),
        cmocka_unit_test(without_fragment_zero_nothing_is_reported),
        cmocka_unit_test(fragments_of_different_datagrams_do_not_mix),
        cmocka_unit_test(congestion_experienced_by_one_fragment_marks_the_datagram),
        cmocka_unit_test(options_of_fragment_zero_are_the_datagrams),
        cmocka_unit_test(without_a_jumbo_packet_the_datagram_is_dropped_and_counted),
        cmocka_unit_test(random_fragments_never_give_a_wrong_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
