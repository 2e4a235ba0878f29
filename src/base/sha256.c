#include "base/sha256.h"

#include "base/bits.h"

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64
 * primes. */
static const uint32_t round_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

/* FIPS 180-4, 6.2.2. */
static void block_add(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64], v[8];

    for (unsigned i = 0; i < 16; i++)
        w[i] = load_be32(p + 4 * i);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, h, sizeof(v));
    for (unsigned i = 0; i < 64; i++) {
        uint32_t s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + ch + round_k[i] + w[i];
        uint32_t s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + s0 + maj;
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
    *s = (struct sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                               0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *s, const void *from, size_t n)
{
    const uint8_t *p = from;

    while (n > 0) {
        size_t have = s->n % SHA256_BLOCK, k = min_size(SHA256_BLOCK - have, n);
        memcpy(s->block + have, p, k);
        s->n += k;
        p += k;
        n -= k;
        if (have + k == SHA256_BLOCK)
            block_add(s->h, s->block);
    }
}

/* FIPS 180-4, 5.1.1. */
void sha256_end(struct sha256 *s, uint8_t out[SHA256_LEN])
{
    static const uint8_t pad[SHA256_BLOCK] = {0x80};
    uint64_t bits = s->n * 8;
    uint8_t len[8];

    store_be32(len, (uint32_t)(bits >> 32));
    store_be32(len + 4, (uint32_t)bits);
    sha256_add(s, pad, 1 + (SHA256_BLOCK + 55 - s->n % SHA256_BLOCK) % SHA256_BLOCK);
    sha256_add(s, len, sizeof(len));
    for (unsigned i = 0; i < 8; i++)
        store_be32(out + 4 * i, s->h[i]);
}

void hmac_key_init(struct hmac_key *k, const void *key, size_t n)
{
    uint8_t pad[SHA256_BLOCK] = {0};

    if (n > sizeof(pad)) {
        struct sha256 s;
        sha256_init(&s);
        sha256_add(&s, key, n);
        sha256_end(&s, pad);
    } else {
        memcpy(pad, key, n);
    }
    for (unsigned i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    sha256_init(&k->inner);
    sha256_add(&k->inner, pad, sizeof(pad));
    for (unsigned i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_init(&k->outer);
    sha256_add(&k->outer, pad, sizeof(pad));
}

void hmac_sha256(const struct hmac_key *k, const void *p, size_t n, uint8_t out[SHA256_LEN])
{
    struct sha256 s = k->inner;
    uint8_t inner[SHA256_LEN];

    sha256_add(&s, p, n);
    sha256_end(&s, inner);
    s = k->outer;
    sha256_add(&s, inner, sizeof(inner));
    sha256_end(&s, out);
}

bool bytes_eq_secret(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t diff = 0;

    for (size_t i = 0; i < n; i++)
        diff |= a[i] ^ b[i];
    return diff == 0;
}
