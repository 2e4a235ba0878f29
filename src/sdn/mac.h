/* Learnt addresses of one core's switches: (switch, MAC) -> port.
 *
 * One table for all switches of the core; an entry is 16 bytes, its key the switch's id and the
 * address in one word, a bucket one cache line.  A lookup is three steps (prefetch, find, learn), so a
 * burst of packet-ins overlaps its cache misses.  The table is bounded: where a new address finds no
 * room the one unheard for the longest gives way. */
#pragma once

#include "base/addr.h"
#include "mem/mem.h"

struct mac_entry {
    uint64_t key; /* mac << 16 | id; 0: free */
    uint32_t port;
    uint32_t seen_s; /* when it was last heard, seconds */
};

struct mac_table {
    struct mac_entry *entry; /* buckets of four */
    uint64_t seed;
    uint32_t buckets; /* in use; grows with its entries up to the limit */
    uint32_t max, used;
};

enum mac_news { MAC_SAME, MAC_NEW, MAC_MOVED, MAC_NEW_EVICTED };

void mac_carve(struct mac_table *t, struct mem *m, uint32_t max, uint64_t seed);
static inline uint64_t mac_key(const uint8_t mac[6], uint16_t id)
{
    return (uint64_t)load_be32(mac) << 32 | (uint64_t)mac[4] << 24 | (uint64_t)mac[5] << 16 | id;
}
void mac_prefetch(const struct mac_table *t, uint64_t key);
/* The port, or 0: unknown. */
uint32_t mac_find(const struct mac_table *t, uint64_t key);
enum mac_news mac_learn(struct mac_table *t, uint64_t key, uint32_t port, uint32_t now_s);
void mac_forget(struct mac_table *t, uint64_t key);
/* All of a switch; or those at one port (port not 0). */
void mac_forget_switch(struct mac_table *t, uint16_t id, uint32_t port);
/* Walk the entries of a switch: *cursor begins at 0. */
bool mac_next(const struct mac_table *t, uint16_t id, uint64_t *cursor, struct mac_entry *out);
