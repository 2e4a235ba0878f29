/* nic/rss: receive-side scaling: which queue a frame belongs on.
 *
 * THEORY OF OPERATION
 *
 * The Toeplitz hash over addresses and ports, and an indirection table that turns its low bits into
 * a queue, as Microsoft's specification and every NIC since have it.  Key and table are data.
 *
 *     input   source address, destination address, source port, destination port; network order
 *     hash    the exclusive or of one 32-bit window of the key for every bit of input that is set
 *     queue   table[hash & mask]
 *
 * The hash is linear over GF(2): it is the exclusive or of what each byte of the input contributes
 * by itself.  `part` holds these contributions, so a hash is twelve lookups, and the choice of a
 * port that gives a wanted hash needs no search (flow/home.h).
 *
 * TCP and UDP over IPv4 are hashed with their ports; fragments and everything else over IPv4 by
 * addresses alone; what is not IPv4 has no hash and goes to queue 0.
 *
 * A struct rss is written by rss_init and rss_set_table and only read by everybody else; many
 * threads may share one. */
#pragma once

#include "base/bits.h"
#include "base/types.h"
#include "wire/wire.h"

#define RSS_KEY_BYTES 40u
#define RSS_TABLE_MAX 512u
#define RSS_ENTRIES 128u /* of a table of our own */
#define RSS_INPUT_BYTES 12u
/* Where in the input the fields begin. */
#define RSS_AT_SRC 0u
#define RSS_AT_DST 4u
#define RSS_AT_SPORT 8u
#define RSS_AT_DPORT 10u

struct rss {
    uint32_t part[RSS_INPUT_BYTES][256];
    uint16_t table[RSS_TABLE_MAX]; /* queue by hash & mask */
    uint32_t mask;                 /* entries - 1; entries a power of two */
    uint8_t key[RSS_KEY_BYTES];
};

/* The key of Microsoft's test vectors, which most drivers ship. */
extern const uint8_t rss_key_default[RSS_KEY_BYTES];
/* A key of period 16 bits: both directions of a flow have the same hash. */
extern const uint8_t rss_key_symmetric[RSS_KEY_BYTES];

/* entries: a power of two, at most RSS_TABLE_MAX; entry i is queue i % queues. */
void rss_init(struct rss *r, const uint8_t key[RSS_KEY_BYTES], unsigned entries, unsigned queues);

/* entries: as above; a table that is in use by other threads may not be changed. */
void rss_set_table(struct rss *r, const uint16_t *queue, unsigned entries);

/* What `bytes` contribute at offset `at` of the input. */
static inline uint32_t rss_part16(const struct rss *r, unsigned at, uint16_t v)
{
    return r->part[at][v >> 8] ^ r->part[at + 1][v & 255];
}
static inline uint32_t rss_part32(const struct rss *r, unsigned at, be32 v)
{
    uint32_t h = be32_get(v);

    return rss_part16(r, at, (uint16_t)(h >> 16)) ^ rss_part16(r, at + 2, (uint16_t)h);
}

/* Of a fragment, or a transport without ports. */
static inline uint32_t rss_hash_pair(const struct rss *r, be32 src, be32 dst)
{
    return rss_part32(r, RSS_AT_SRC, src) ^ rss_part32(r, RSS_AT_DST, dst);
}
/* Ports in host order. */
static inline uint32_t rss_hash_flow(const struct rss *r, be32 src, be32 dst, uint16_t sport,
                                     uint16_t dport)
{
    return rss_hash_pair(r, src, dst) ^ rss_part16(r, RSS_AT_SPORT, sport) ^
           rss_part16(r, RSS_AT_DPORT, dport);
}
static inline unsigned rss_queue(const struct rss *r, uint32_t hash)
{
    return r->table[hash & r->mask];
}

/* The hash of an Ethernet frame, one VLAN tag allowed.  False: it has none. */
bool rss_frame_hash(const struct rss *r, const uint8_t *frame, uint32_t len, uint32_t *hash);
