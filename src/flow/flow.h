/* flow: who a packet belongs to.
 *
 * THEORY OF OPERATION
 *
 * The flow table maps a connection's key to the object that holds its state: a
 * connection, one in TIME_WAIT, or a half-open one.  All three begin with a
 * struct flow_node, so one lookup finds any of them.
 *
 * The table is made for millions of entries.  A bucket is one cache line of
 * seven (hash, reference) pairs: a lookup reads the bucket, compares 32-bit
 * hashes, and touches an object only when its hash is equal.  The three steps
 * are separate calls, so that a burst can take each step for all its packets
 * and let the memory latencies overlap:
 *
 *     h = flow_hash(key)      flow_prefetch(t, h)        bucket on its way
 *     flow_prefetch_node(t, h)                           object on its way
 *     n = flow_find(t, key, h)
 *
 * It grows one bucket at a time (linear hashing, Litwin 1980): no pause, and
 * memory in proportion to the entries there are, not to the limit.
 *
 * The hash is keyed with a secret; flooding one bucket needs the secret.
 *
 * Listeners are few and found by port: an array of 65,536 references. */
#pragma once

#include <emmintrin.h>

#include "base/addr.h"
#include "base/hash.h"
#include "mem/mem.h"

struct flow_key {
    struct ip_addr raddr;
    uint16_t rport, lport; /* host order */
    uint16_t lidx;         /* index of the local address */
    uint16_t zone;         /* always 0: room for a routing domain */
};
_Static_assert(sizeof(struct flow_key) == 24, "six words to hash and compare");

enum flow_kind { FLOW_CONN = 1, FLOW_TIME_WAIT, FLOW_SYN, FLOW_AWAY };

struct flow_node {
    struct flow_key key;
    uint8_t kind; /* enum flow_kind; the rest of the line is the owner's */
};

#define FLOW_WAYS 7u
#define FLOW_FREED 256u

struct flow_bucket {
    uint32_t hash[FLOW_WAYS];
    mem_ref node[FLOW_WAYS];
    mem_ref overflow; /* struct flow_bucket */
    uint32_t n;       /* ways in use, from the front */
};
_Static_assert(sizeof(struct flow_bucket) == CACHE_LINE, "a bucket is one cache line");

struct flow_table {
    uint8_t *arena;
    struct flow_bucket *bucket; /* owned: buckets_max of them, touched as the table grows */
    struct nh_key key;
    uint32_t buckets; /* in use */
    uint32_t mask;    /* of the larger address space: buckets <= mask + 1 < 2 * buckets */
    uint32_t buckets_max;
    uint32_t used; /* entries */
    struct pool overflow;
    uint32_t freed[FLOW_FREED]; /* entries taken out, by peer's address: flow_freed_of */
};

/* entries_max: the most there will ever be (all kinds). */
void flow_table_init(struct flow_table *t, struct mem *m, uint32_t entries_max,
                     const uint64_t secret[2]);

static inline bool flow_key_eq(const struct flow_key *a, const struct flow_key *b)
{
    uint64_t x[3], y[3];
    memcpy(x, a, sizeof(x));
    memcpy(y, b, sizeof(y));
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

/* The hash in two steps: what the peer's address gives, and the rest, which is the key's last eight
 * bytes.  Who tries many ports for one peer takes the first step once. */
static inline uint64_t flow_hash_addr(const struct flow_table *t, const struct flow_key *k)
{
    uint32_t w[4];
    memcpy(w, k, sizeof(w));
    return nh_hash(&t->key, w, 4);
}
static inline uint32_t flow_hash_rest(const struct flow_table *t, uint64_t addr, uint64_t rest)
{
    uint32_t a = (uint32_t)rest + t->key.k[4], b = (uint32_t)(rest >> 32) + t->key.k[5];

    return (uint32_t)(mix64(addr + (uint64_t)a * b) >> 32);
}
/* Ports and index in one store, which the load of flow_key_rest need not wait for. */
static inline void flow_key_set_rest(struct flow_key *k, uint16_t rport, uint16_t lport,
                                     uint16_t lidx)
{
    uint64_t rest = rport | (uint64_t)lport << 16 | (uint64_t)lidx << 32;

    memcpy(&k->rport, &rest, sizeof(rest));
}
static inline uint64_t flow_key_rest(const struct flow_key *k)
{
    uint64_t rest;
    memcpy(&rest, &k->rport, sizeof(rest));
    return rest;
}
static inline uint32_t flow_hash(const struct flow_table *t, const struct flow_key *k)
{
    return flow_hash_rest(t, flow_hash_addr(t, k), flow_key_rest(k));
}
/* Where t->freed counts for this peer's address (others may share it): as long as it stands still,
 * no flow with the peer has ended. */
static inline unsigned flow_freed_of(uint64_t addr)
{
    return (unsigned)((addr * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static inline struct flow_bucket *flow_home(const struct flow_table *t, uint32_t hash)
{
    uint32_t i = hash & t->mask, highest = (t->mask >> 1) + 1;

    /* Buckets that are not yet are still part of the one they will be split from, which has not the
     * highest bit.  No branch: nobody can guess which it is. */
    return &t->bucket[i - (highest & (0u - (i >= t->buckets)))];
}

static inline void flow_prefetch(const struct flow_table *t, uint32_t hash)
{
    prefetch(flow_home(t, hash));
}

/* The ways whose hash is equal, bit by way.  How many are in use is nobody's guess, so there is no
 * branch on it: in a table that fits the cache a wrong guess would be half of what a lookup
 * costs. */
static inline uint32_t flow_ways_equal(const struct flow_bucket *b, uint32_t hash)
{
    const __m128i *line = (const __m128i *)(const void *)b;
    __m128i h = _mm_set1_epi32((int)hash);
    int first = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_load_si128(line), h)));
    int rest = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_load_si128(line + 1), h)));

    /* The eighth word is no hash, and n at most seven. */
    return (uint32_t)(first | rest << 4) & ((1u << b->n) - 1);
}

/* Start loading the first object whose hash is equal (two lines of it). */
void flow_prefetch_node(const struct flow_table *t, uint32_t hash);

/* The rest of a lookup: the ways left in b, and what b has overflowed to. */
struct flow_node *flow_find_on(const struct flow_table *t, const struct flow_key *k, uint32_t hash,
                               const struct flow_bucket *b, uint32_t equal);
/* NULL: nobody's. */
static inline struct flow_node *flow_find(const struct flow_table *t, const struct flow_key *k,
                                          uint32_t hash)
{
    const struct flow_bucket *b = flow_home(t, hash);
    uint32_t equal = flow_ways_equal(b, hash);

    if (likely(equal)) {
        struct flow_node *node = mem_ptr(t->arena, b->node[lowest_bit(equal)]);
        if (likely(flow_key_eq(&node->key, k)))
            return node;
        equal &= equal - 1;
    }
    return flow_find_on(t, k, hash, b, equal);
}

/* Whether any entry may have this hash.  False: flow_find would find nobody; true: it nearly always
 * would find somebody.  Touches no object. */
static inline bool flow_may_have(const struct flow_table *t, uint32_t hash)
{
    const struct flow_bucket *b = flow_home(t, hash);

    while (likely(!flow_ways_equal(b, hash))) {
        if (likely(!b->overflow))
            return false;
        b = mem_ptr(t->arena, b->overflow);
    }
    return true;
}

/* Put node (aligned to 16 in the arena, its key not in the table) in.  False when the table cannot
 * grow to hold it: a named limit too small for its buckets' luck, counted by the caller. */
bool flow_link(struct flow_table *t, struct flow_node *node);
/* Take node out; it must be in. */
void flow_unlink(struct flow_table *t, struct flow_node *node);
/* Put `to` in the place of `from`, whose key it shares. */
void flow_replace(struct flow_table *t, struct flow_node *from, struct flow_node *to);

/* ---- local ports ------------------------------------------------------------------- */

#define FLOW_PORTS 65536u

struct flow_ports {
    mem_ref *listener; /* by port: first of a chain the owner links; MEM_NONE */
    uint64_t *taken;   /* bit by port: listener is not MEM_NONE.  8 KB, where listener is 256 */
    uint32_t freed;    /* ports that lost their last listener */
};
void flow_ports_init(struct flow_ports *p, struct mem *m);
/* The owner has changed listener[port]. */
void flow_ports_changed(struct flow_ports *p, uint16_t port);

static inline bool flow_port_bit(const uint64_t *bits, uint16_t port)
{
    return bits[port / 64] >> port % 64 & 1;
}
