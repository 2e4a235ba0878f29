/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104); in plain C, for a few short messages. */
#pragma once

#include "base/types.h"

#define SHA256_LEN 32u
#define SHA256_BLOCK 64u

struct sha256 {
    uint32_t h[8];
    uint64_t n; /* bytes taken */
    uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_LEN]); /* s is used up */

/* A key made ready: what every message under it begins with is done once. */
struct hmac_key {
    struct sha256 inner, outer;
};
void hmac_key_init(struct hmac_key *k, const void *key, size_t n);
void hmac_sha256(const struct hmac_key *k, const void *p, size_t n, uint8_t out[SHA256_LEN]);

/* a == b, in a time that does not tell where they differ. */
bool bytes_eq_secret(const uint8_t *a, const uint8_t *b, size_t n);
