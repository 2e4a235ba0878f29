#include "lib/cmocka_first.h"

#include "base/sha256.h"

static void hex_is(const uint8_t *b, size_t n, const char *hex)
{
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        for (unsigned j = 0; j < 2; j++) {
            char c = hex[2 * i + j];
            v = v * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        assert_int_equal(b[i], v);
    }
}

/* FIPS 180-4's examples, and the million a. */
static void digests_are_those_of_the_standard(void **state)
{
    static const struct {
        const char *text;
        unsigned times;
        const char *hex;
    } t[] = {
        {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {"aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct sha256 s;
        uint8_t out[SHA256_LEN];
        sha256_init(&s);
        for (unsigned k = 0; k < t[i].times; k++)
            sha256_add(&s, t[i].text, strlen(t[i].text));
        sha256_end(&s, out);
        hex_is(out, sizeof(out), t[i].hex);
    }
}

static void a_digest_does_not_depend_on_how_its_text_is_cut(void **state)
{
    uint8_t text[200], whole[SHA256_LEN], cut[SHA256_LEN];
    struct sha256 s;

    (void)state;
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n <= sizeof(text); n++) {
        sha256_init(&s);
        sha256_add(&s, text, n);
        sha256_end(&s, whole);
        sha256_init(&s);
        for (size_t i = 0; i < n; i++)
            sha256_add(&s, text + i, 1);
        sha256_end(&s, cut);
        assert_memory_equal(whole, cut, SHA256_LEN);
    }
}

/* RFC 4231, 4.2 to 4.8 (4.6 shows a truncated one). */
static void macs_are_those_of_rfc_4231(void **state)
{
    struct {
        uint8_t key[131];
        size_t key_n;
        const char *text;
        uint8_t fill; /* text NULL: fifty of it */
        size_t out_n;
        const char *hex;
    } t[] = {
        {{0},
         20,
         "Hi There",
         0,
         32,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?", 0, 32,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{0},
         20,
         NULL,
         0xdd,
         32,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {{0},
         25,
         NULL,
         0xcd,
         32,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {{0}, 20, "Test With Truncation", 0, 16, "a3b6167473100ee06e0c796c2955552b"},
        {{0},
         131,
         "Test Using Larger Than Block-Size Key - Hash Key First",
         0,
         32,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {{0},
         131,
         "This is a test using a larger than block-size key and a larger than block-size data. The "
         "key needs to be hashed before being used by the HMAC algorithm.",
         0,
         32,
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    static const uint8_t fill[] = {0x0b, 0, 0xaa, 0, 0x0c, 0xaa, 0xaa};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct hmac_key k;
        uint8_t out[SHA256_LEN], fifty[50];
        memset(fifty, t[i].fill, sizeof(fifty));
        if (fill[i])
            memset(t[i].key, fill[i], t[i].key_n);
        for (unsigned b = 0; i == 3 && b < 25; b++)
            t[i].key[b] = (uint8_t)(b + 1);
        hmac_key_init(&k, t[i].key, t[i].key_n);
        hmac_sha256(&k, t[i].text ? (const void *)t[i].text : fifty,
                    t[i].text ? strlen(t[i].text) : sizeof(fifty), out);
        hex_is(out, t[i].out_n, t[i].hex);
    }
}

static void a_comparison_of_secrets_sees_every_byte(void **state)
{
    uint8_t a[16] = {1, 2, 3}, b[16] = {1, 2, 3};

    (void)state;
    assert_true(bytes_eq_secret(a, b, sizeof(a)));
    for (unsigned i = 0; i < sizeof(a); i++) {
        b[i] ^= 0x80;
        assert_false(bytes_eq_secret(a, b, sizeof(a)));
        b[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(a_digest_does_not_depend_on_how_its_text_is_cut),
        cmocka_unit_test(macs_are_those_of_rfc_4231),
        cmocka_unit_test(a_comparison_of_secrets_sees_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
