#include "base/hash.h"

static uint64_t rotl(uint64_t v, unsigned n)
{
    return (v << n) | (v >> (64 - n));
}

struct sip_state {
    uint64_t a, b, c, d;
};

static void sip_rounds(struct sip_state *s, unsigned n)
{
    while (n--) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotl(s->b, 13) ^ s->a;
        s->d = rotl(s->d, 16) ^ s->c;
        s->a = rotl(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotl(s->b, 17) ^ s->c;
        s->d = rotl(s->d, 21) ^ s->a;
        s->c = rotl(s->c, 32);
    }
}

static void sip_block(struct sip_state *s, uint64_t m)
{
    s->d ^= m;
    sip_rounds(s, 2);
    s->a ^= m;
}

uint64_t siphash(const struct sip_key *key, const void *data, size_t n)
{
    struct sip_state s = {
        key->k[0] ^ UINT64_C(0x736f6d6570736575),
        key->k[1] ^ UINT64_C(0x646f72616e646f6d),
        key->k[0] ^ UINT64_C(0x6c7967656e657261),
        key->k[1] ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *p = data;
    uint64_t last = (uint64_t)n << 56;
    size_t whole = n & ~(size_t)7;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m;
        memcpy(&m, p + i, 8);
        sip_block(&s, m);
    }
    for (size_t i = 0; i < (n & 7); i++)
        last |= (uint64_t)p[whole + i] << (8 * i);
    sip_block(&s, last);
    s.c ^= 0xff;
    sip_rounds(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
