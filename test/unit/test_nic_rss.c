/* Receive-side scaling against the published verification vectors, and the algebra that the choice
 * of ports rests on. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "nic/rss.h"

/* "Verifying the RSS hash calculation", Microsoft's driver documentation: source and destination,
 * then the hash with and without TCP ports. */
static const struct vector {
    uint8_t dst[4];
    uint16_t dport;
    uint8_t src[4];
    uint16_t sport;
    uint32_t pair, flow;
} vectors[] = {
    {{161, 142, 100, 80}, 1766, {66, 9, 149, 187}, 2794, 0x323e8fc2, 0x51ccc178},
    {{65, 69, 140, 83}, 4739, {199, 92, 111, 2}, 14230, 0xd718262a, 0xc626b0ea},
    {{12, 22, 207, 184}, 38024, {24, 19, 198, 95}, 12898, 0xd2d0a5de, 0x5c2b394a},
    {{209, 142, 163, 6}, 2217, {38, 27, 205, 30}, 48228, 0x82989176, 0xafc7327f},
    {{202, 188, 127, 2}, 1303, {153, 39, 163, 191}, 44251, 0x5d1809c5, 0x10e828a2},
};

static be32 addr(const uint8_t a[4])
{
    return be32_of(load_be32(a));
}

/* An Ethernet frame with an IPv4 packet of `words` words of header; its length. */
static uint32_t frame(uint8_t *f, const struct vector *v, uint8_t proto, bool vlan, unsigned words)
{
    uint32_t at = vlan ? 18 : 14;

    memset(f, 0, 128);
    if (vlan)
        store_be16(f + 12, 0x8100);
    store_be16(f + at - 2, 0x0800);
    f[at] = (uint8_t)(0x40 | words);
    f[at + 9] = proto;
    memcpy(f + at + 12, v->src, 4);
    memcpy(f + at + 16, v->dst, 4);
    store_be16(f + at + 4 * words, v->sport);
    store_be16(f + at + 4 * words + 2, v->dport);
    return at + 4 * words + 20;
}

static void the_published_vectors_are_met(void **state)
{
    struct rss r;

    (void)state;
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct vector *v = &vectors[i];
        assert_int_equal(rss_hash_pair(&r, addr(v->src), addr(v->dst)), v->pair);
        assert_int_equal(rss_hash_flow(&r, addr(v->src), addr(v->dst), v->sport, v->dport),
                         v->flow);
    }
}

static void a_frame_of_tcp_or_udp_is_hashed_with_its_ports(void **state)
{
    struct rss r;
    uint8_t f[128];
    uint32_t hash;

    (void)state;
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned i = 0; i < ARRAY_LEN(vectors); i++) {
        for (unsigned words = 5; words <= 15; words++) {
            for (unsigned kind = 0; kind < 4; kind++) {
                uint32_t n = frame(f, &vectors[i], kind & 1 ? 17 : 6, kind & 2, words);
                assert_true(rss_frame_hash(&r, f, n, &hash));
                assert_int_equal(hash, vectors[i].flow);
            }
        }
    }
}

static void what_has_no_ports_is_hashed_by_addresses(void **state)
{
    static const uint8_t others[] = {1, 2, 47, 50, 132, 255};
    struct rss r;
    uint8_t f[128];
    uint32_t hash;

    (void)state;
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        uint32_t n = frame(f, &vectors[0], others[i], false, 5);
        assert_true(rss_frame_hash(&r, f, n, &hash));
        assert_int_equal(hash, vectors[0].pair);
    }
}

static void every_fragment_is_hashed_by_addresses_the_first_too(void **state)
{
    static const uint16_t words[] = {0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff, 0x6000};
    struct rss r;
    uint8_t f[128];
    uint32_t hash;

    (void)state;
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        uint32_t n = frame(f, &vectors[1], 6, false, 5);
        store_be16(f + 14 + 6, words[i]);
        assert_true(rss_frame_hash(&r, f, n, &hash));
        assert_int_equal(hash, vectors[1].pair);
    }
    /* "Don't fragment" is no fragment. */
    uint32_t n = frame(f, &vectors[1], 6, false, 5);
    store_be16(f + 14 + 6, 0x4000);
    assert_true(rss_frame_hash(&r, f, n, &hash));
    assert_int_equal(hash, vectors[1].flow);
}

/* The frame lies at the end of its memory, so that the sanitizer sees a byte too many. */
static void a_frame_cut_short_is_hashed_by_what_is_there(void **state)
{
    struct rss r;
    uint8_t f[128];

    (void)state;
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned vlan = 0; vlan < 2; vlan++) {
        uint32_t full = frame(f, &vectors[2], 6, vlan, 7), at = vlan ? 18 : 14;
        for (uint32_t n = 0; n <= full; n++) {
            uint8_t *cut = malloc(n + !n);
            uint32_t hash = 0;
            memcpy(cut, f, n);
            bool any = rss_frame_hash(&r, cut, n, &hash);
            assert_int_equal(any, n >= at + 20);
            assert_int_equal(hash, n < at + 20       ? 0
                                   : n < at + 28 + 4 ? vectors[2].pair
                                                     : vectors[2].flow);
            free(cut);
        }
    }
}

static void what_is_not_ipv4_has_no_hash(void **state)
{
    static const uint16_t types[] = {0x0806, 0x86dd, 0x88b5, 0x0000, 0x88a8};
    struct rss r;
    uint8_t f[128];
    uint32_t hash;

    (void)state;
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        uint32_t n = frame(f, &vectors[0], 6, false, 5);
        store_be16(f + 12, types[i]);
        assert_false(rss_frame_hash(&r, f, n, &hash));
        n = frame(f, &vectors[0], 6, true, 5);
        store_be16(f + 16, types[i]);
        assert_false(rss_frame_hash(&r, f, n, &hash));
    }
}

static void the_hash_is_linear(void **state)
{
    struct rss r;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    rss_init(&r, rss_key_default, 128, 4);
    for (unsigned i = 0; i < 10000; i++) {
        uint32_t a[3] = {rng_u32(&rng), rng_u32(&rng), rng_u32(&rng)};
        uint32_t b[3] = {rng_u32(&rng), rng_u32(&rng), rng_u32(&rng)}, h[3];
        for (unsigned k = 0; k < 3; k++) {
            uint32_t x[3];
            for (unsigned w = 0; w < 3; w++)
                x[w] = k == 0 ? a[w] : k == 1 ? b[w] : a[w] ^ b[w];
            h[k] = rss_hash_flow(&r, be32_of(x[0]), be32_of(x[1]), (uint16_t)(x[2] >> 16),
                                 (uint16_t)x[2]);
        }
        assert_int_equal(h[0] ^ h[1], h[2]);
    }
    assert_int_equal(rss_hash_flow(&r, be32_of(0), be32_of(0), 0, 0), 0);
}

static void with_the_symmetric_key_both_directions_are_one(void **state)
{
    struct rss r;
    struct rng rng;

    (void)state;
    rng_init(&rng, 2);
    rss_init(&r, rss_key_symmetric, 128, 4);
    for (unsigned i = 0; i < 10000; i++) {
        be32 a = be32_of(rng_u32(&rng)), b = be32_of(rng_u32(&rng));
        uint16_t p = (uint16_t)rng_u32(&rng), q = (uint16_t)rng_u32(&rng);
        assert_int_equal(rss_hash_flow(&r, a, b, p, q), rss_hash_flow(&r, b, a, q, p));
        assert_int_equal(rss_hash_pair(&r, a, b), rss_hash_pair(&r, b, a));
    }
}

/* What a NIC's data sheet says of a symmetric key: ports spread over all queues all the same. */
static void flows_are_spread_evenly(void **state)
{
    static const uint8_t *keys[] = {rss_key_default, rss_key_symmetric};

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        unsigned count[16] = {0};
        struct rss r;
        rss_init(&r, keys[k], 128, 16);
        for (uint32_t port = 0; port < 65536; port++)
            count[rss_queue(&r, rss_hash_flow(&r, be32_of(0x0a000001), be32_of(0x0a000002),
                                              (uint16_t)port, 80))]++;
        for (unsigned i = 0; i < 16; i++)
            assert_in_range(count[i], 65536 / 16 * 9 / 10, 65536 / 16 * 11 / 10);
    }
}

static void the_table_says_which_queue(void **state)
{
    struct rss r;
    uint16_t table[RSS_TABLE_MAX];

    (void)state;
    rss_init(&r, rss_key_default, 128, 3);
    for (uint32_t h = 0; h < 1000; h++)
        assert_int_equal(rss_queue(&r, h), h % 128 % 3);
    for (unsigned i = 0; i < RSS_TABLE_MAX; i++)
        table[i] = (uint16_t)(i * 7 % 64);
    rss_set_table(&r, table, RSS_TABLE_MAX);
    for (uint32_t h = 0; h < 10000; h++)
        assert_int_equal(rss_queue(&r, h * 2654435761u), table[h * 2654435761u % RSS_TABLE_MAX]);
    rss_set_table(&r, table, 1);
    assert_int_equal(rss_queue(&r, 0xffffffff), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_are_met),
        cmocka_unit_test(a_frame_of_tcp_or_udp_is_hashed_with_its_ports),
        cmocka_unit_test(what_has_no_ports_is_hashed_by_addresses),
        cmocka_unit_test(every_fragment_is_hashed_by_addresses_the_first_too),
        cmocka_unit_test(a_frame_cut_short_is_hashed_by_what_is_there),
        cmocka_unit_test(what_is_not_ipv4_has_no_hash),
        cmocka_unit_test(the_hash_is_linear),
        cmocka_unit_test(with_the_symmetric_key_both_directions_are_one),
        cmocka_unit_test(flows_are_spread_evenly),
        cmocka_unit_test(the_table_says_which_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
