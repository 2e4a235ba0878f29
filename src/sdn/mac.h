/* Learnt addresses of one core's switches: (switch, MAC) -> port.
 *
 * One table for all switches of the core; an entry is 16 bytes, its key the switch's id and the
 * address in one word, beside it the VLAN.  A bucket is one cache line of four entries.  An address
 * lies in the first of its two buckets, or, that one full, in the second (an entry moves to its
 * other bucket to make room for a new one), so that four fifths of the places can be filled and
 * four of five addresses are found in one line.  A lookup is two steps (prefetch, then find or
 * learn), so a burst of packet-ins overlaps its cache misses.
 *
 * The table grows with its entries: when four fifths are used the number of buckets doubles, and
 * every new entry then splits a few of them, so that nobody waits for it.  It is bounded: at its
 * largest, the entry unheard for the longest of its two buckets gives way. */
#pragma once

#include "base/addr.h"
#include "base/hash.h"
#include "mem/mem.h"

struct mac_entry {
    uint64_t key; /* mac << 16 | id; 0: free */
    uint32_t port;
    uint32_t seen; /* when it was last heard, seconds, MAC_SEEN_BITS of them; above, the VLAN */
};
#define MAC_SEEN_BITS 20u /* twelve days */
#define MAC_SEEN_MASK ((1u << MAC_SEEN_BITS) - 1)

struct mac_table {
    struct mac_entry *entry; /* buckets of MAC_WAYS */
    uint64_t seed;
    uint32_t mask;    /* buckets before the doubling under way, less 1 */
    uint32_t split;   /* of those, so many have been split already */
    uint32_t buckets_max, used;
    struct mac_ids *ids;
};
#define MAC_WAYS 4u

/* A switch's id from its connection to its end.  What it has learnt is forgotten with the id: at
 * once for whoever looks, and its places are swept up step by step before the id is used again. */
uint16_t mac_id_get(struct mac_table *t);
void mac_id_put(struct mac_table *t, uint16_t id);
/* A step of sweeping; false: nothing is left to be swept. */
bool mac_sweep(struct mac_table *t);
void mac_check(const struct mac_table *t);

enum mac_news { MAC_SAME, MAC_NEW, MAC_MOVED, MAC_NEW_EVICTED };

void mac_carve(struct mac_table *t, struct mem *m, uint32_t max, uint64_t seed);
static inline uint64_t mac_key(const uint8_t mac[6], uint16_t id)
{
    return (uint64_t)load_be32(mac) << 32 | (uint64_t)mac[4] << 24 | (uint64_t)mac[5] << 16 | id;
}
/* Seconds since an entry was heard. */
static inline uint32_t mac_age(const struct mac_entry *e, uint32_t now_s)
{
    return (now_s - e->seen) & MAC_SEEN_MASK;
}

/* A hash is two of 32 bits: one for each bucket of an address. */
static inline uint64_t mac_hash(const struct mac_table *t, uint64_t key, uint16_t vlan)
{
    return mix64((key + vlan * t->seed) ^ t->seed);
}
static inline struct mac_entry *mac_bucket(const struct mac_table *t, uint32_t hash)
{
    uint32_t i = hash & t->mask;

    if (i < t->split) /* it has been split in two: one more bit decides */
        i = hash & (t->mask << 1 | 1);
    return t->entry + (size_t)i * MAC_WAYS;
}
static inline void mac_prefetch(const struct mac_table *t, uint32_t hash)
{
    prefetch(mac_bucket(t, hash));
}
static inline struct mac_entry *mac_in_bucket(struct mac_entry *b, uint64_t key, uint16_t vlan)
{
    for (unsigned w = 0; w < MAC_WAYS; w++)
        if (b[w].key == key && b[w].seen >> MAC_SEEN_BITS == vlan)
            return &b[w];
    return NULL;
}
/* The entry, or NULL: unknown. */
static inline struct mac_entry *mac_lookup(const struct mac_table *t, uint64_t hash, uint64_t key,
                                           uint16_t vlan)
{
    struct mac_entry *e = mac_in_bucket(mac_bucket(t, (uint32_t)hash), key, vlan);

    return likely(e != NULL) ? e : mac_in_bucket(mac_bucket(t, (uint32_t)(hash >> 32)), key, vlan);
}

/* The port, or 0: unknown.  vlan: 12 bits, 0: untagged. */
uint32_t mac_find(const struct mac_table *t, uint64_t key, uint16_t vlan);
enum mac_news mac_learn(struct mac_table *t, uint64_t key, uint16_t vlan, uint32_t port,
                        uint32_t now_s);
void mac_forget(struct mac_table *t, uint64_t key, uint16_t vlan);
/* All of a switch; or those at one port (port not 0).  Walks the whole table. */
void mac_forget_switch(struct mac_table *t, uint16_t id, uint32_t port);
/* Walk the entries of a switch: *cursor begins at 0. */
bool mac_next(const struct mac_table *t, uint16_t id, uint64_t *cursor, struct mac_entry *out);
