/* Keyed hashes.
 *
 * siphash: SipHash-2-4 (Aumasson, Bernstein), a PRF.  For whatever an attacker
 * must not predict: ISN (RFC 6528), SYN cookies, IP ids, port choice.
 *
 * nh_hash: the NH almost-universal hash of UMAC (RFC 4418) over 32-bit words
 * with a secret key: two different keys collide with probability 2^-32 over
 * the choice of the secret, so hash-flooding a flow table needs the secret.
 * An order of magnitude cheaper than a PRF, and enough where the result is
 * never seen outside. */
#pragma once

#include "base/types.h"

struct sip_key {
    uint64_t k[2];
};

uint64_t siphash(const struct sip_key *key, const void *data, size_t n);

#define NH_WORDS_MAX 12
struct nh_key {
    uint32_t k[NH_WORDS_MAX];
};

/* words: an even number of words, at most NH_WORDS_MAX. */
static inline uint64_t nh_hash(const struct nh_key *key, const uint32_t *w, unsigned words)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < words; i += 2)
        sum += (uint64_t)(w[i] + key->k[i]) * (uint32_t)(w[i + 1] + key->k[i + 1]);
    return sum;
}

/* Spread a 64-bit value over all bits (the finaliser of MurmurHash3); bijective. */
static inline uint64_t mix64(uint64_t v)
{
    v = (v ^ (v >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    v = (v ^ (v >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return v ^ (v >> 33);
}
