/* Keyed hashes against what their authors published. */
#include "lib/cmocka_first.h"

#include "base/hash.h"
#include "base/rng.h"

/* SipHash-2-4 of the first n of the bytes 00 01 02 ... under the key 00 .. 0f:
 * the authors' table, and for 15 bytes the example of their paper, appendix A. */
static void siphash_gives_the_published_vectors(void **state)
{
    static const struct {
        size_t n;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
        {4, UINT64_C(0xcf2794e0277187b7)},  {5, UINT64_C(0x18765564cd99a68d)},
        {6, UINT64_C(0xcbc9466e58fee3ce)},  {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)},  {9, UINT64_C(0x9e0082df0ba9e4b0)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    const struct sip_key key = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    uint8_t input[16];

    (void)state;
    for (unsigned i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        assert_true(siphash(&key, input, vectors[i].n) == vectors[i].hash);
}

static void siphash_does_not_depend_on_alignment(void **state)
{
    const struct sip_key key = {{1, 2}};
    uint8_t buffer[64 + 8];
    uint64_t expected = 0;

    (void)state;
    for (unsigned at = 0; at < 8; at++) {
        for (unsigned i = 0; i < 61; i++)
            buffer[at + i] = (uint8_t)(i * 37);
        if (at == 0)
            expected = siphash(&key, buffer, 61);
        assert_true(siphash(&key, buffer + at, 61) == expected);
    }
}

/* RFC 4418 5.2.2: the 32-bit sums wrap, the products are 64 bits and so is their sum. */
static void nh_multiplies_wrapped_sums(void **state)
{
    const struct nh_key key = {{0xffffffff, 2, 3, 4}};
    const uint32_t words[] = {5, 6, 0xffffffff, 0xfffffffb};

    (void)state;
    assert_true(nh_hash(&key, words, 0) == 0);
    assert_true(nh_hash(&key, words, 2) == 4 * 8);
    assert_true(nh_hash(&key, words, 4) == 4 * 8 + 2 * UINT64_C(0xffffffff));
}

/* Over the choice of the secret two keys collide once in 2^32; 20,000 secrets
 * and any collision at all means the law does not hold. */
static void nh_of_neighbouring_keys_does_not_collide(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 7);
    for (unsigned turn = 0; turn < 20000; turn++) {
        struct nh_key key;
        uint32_t a[NH_WORDS_MAX], b[NH_WORDS_MAX];

        for (unsigned i = 0; i < NH_WORDS_MAX; i++) {
            key.k[i] = rng_u32(&r);
            a[i] = b[i] = rng_u32(&r);
        }
        b[rng_below(&r, NH_WORDS_MAX)] ^= 1u << rng_below(&r, 32);
        assert_true(nh_hash(&key, a, NH_WORDS_MAX) != nh_hash(&key, b, NH_WORDS_MAX));
    }
}

/* Newton: each turn doubles the number of right bits. */
static uint64_t inverse_of(uint64_t odd)
{
    uint64_t x = odd;

    for (unsigned i = 0; i < 6; i++)
        x *= 2 - odd * x;
    return x;
}

static uint64_t unmix64(uint64_t v)
{
    v = (v ^ (v >> 33)) * inverse_of(UINT64_C(0xc4ceb9fe1a85ec53));
    v = (v ^ (v >> 33)) * inverse_of(UINT64_C(0xff51afd7ed558ccd));
    return v ^ (v >> 33);
}

static void mixing_can_be_undone_so_it_loses_nothing(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 8);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t v = i < 64 ? UINT64_C(1) << i : rng_u64(&r);
        assert_true(unmix64(mix64(v)) == v);
    }
    assert_true(mix64(0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_vectors),
        cmocka_unit_test(siphash_does_not_depend_on_alignment),
        cmocka_unit_test(nh_multiplies_wrapped_sums),
        cmocka_unit_test(nh_of_neighbouring_keys_does_not_collide),
        cmocka_unit_test(mixing_can_be_undone_so_it_loses_nothing),
    };
    return cmocka_run_group_tests_name("base_hash", tests, NULL, NULL);
}
