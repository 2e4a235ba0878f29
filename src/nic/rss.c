#include "nic/rss.h"

#define IPV4_FRAG_MASK 0x3fffu /* more fragments, and the offset */

const uint8_t rss_key_default[RSS_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

const uint8_t rss_key_symmetric[RSS_KEY_BYTES] = {
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
};

/* The 32 bits of the key that begin at bit i: what bit i of the input contributes. */
static uint32_t window(const uint8_t *key, unsigned i)
{
    uint64_t v = 0;

    for (unsigned k = 0; k < 5; k++)
        v = v << 8 | key[i / 8 + k];
    return (uint32_t)(v >> (8 - i % 8));
}

static uint32_t byte_part(const uint8_t *key, unsigned at, unsigned byte)
{
    uint32_t h = 0;

    for (unsigned bit = 0; bit < 8; bit++)
        if (byte >> (7 - bit) & 1)
            h ^= window(key, 8 * at + bit);
    return h;
}

void rss_init(struct rss *r, const uint8_t key[RSS_KEY_BYTES], unsigned entries, unsigned queues)
{
    MR_ASSERT(is_pow2(entries) && entries <= RSS_TABLE_MAX && queues > 0);
    memcpy(r->key, key, RSS_KEY_BYTES);
    for (unsigned at = 0; at < RSS_INPUT_BYTES; at++)
        for (unsigned byte = 0; byte < 256; byte++)
            r->part[at][byte] = byte_part(key, at, byte);
    r->mask = entries - 1;
    for (unsigned i = 0; i < entries; i++)
        r->table[i] = (uint16_t)(i % queues);
}

void rss_set_table(struct rss *r, const uint16_t *queue, unsigned entries)
{
    MR_ASSERT(is_pow2(entries) && entries <= RSS_TABLE_MAX);
    memcpy(r->table, queue, entries * sizeof(*queue));
    r->mask = entries - 1;
}

bool rss_frame_hash(const struct rss *r, const uint8_t *frame, uint32_t len, uint32_t *hash)
{
    uint32_t at = 14;
    be32 src, dst;

    if (len < 18)
        return false;
    if (load_be16(frame + 12) == ETHTYPE_VLAN)
        at = 18;
    if (len < at + IPV4_HLEN || load_be16(frame + at - 2) != ETHTYPE_IPV4)
        return false;
    const uint8_t *ip = frame + at, *l4 = ip + (ip[0] & 15u) * 4;
    memcpy(&src, ip + 12, sizeof(src));
    memcpy(&dst, ip + 16, sizeof(dst));
    *hash = rss_hash_pair(r, src, dst);
    if ((ip[9] == IPPROTO_TCP_ || ip[9] == IPPROTO_UDP_) &&
        !(load_be16(ip + 6) & IPV4_FRAG_MASK) && l4 + 4 <= frame + len)
        *hash ^= rss_part16(r, RSS_AT_SPORT, load_be16(l4)) ^
                 rss_part16(r, RSS_AT_DPORT, load_be16(l4 + 2));
    return true;
}
