#include "flow/flow.h"

#include "base/rng.h"

/* A bucket holds this many on average before the table grows: 16 bytes an
 * entry, and one bucket in twenty overflows its seven ways. */
#define LOAD 4u
#define BUCKETS_MIN 16u

static struct flow_bucket *overflow_of(const struct flow_table *t, const struct flow_bucket *b)
{
    return mem_ptr(t->arena, b->overflow);
}

void flow_table_init(struct flow_table *t, struct mem *m, uint32_t entries_max,
                     const uint64_t secret[2])
{
    struct rng r;

    *t = (struct flow_table){.arena = m->base, .buckets = BUCKETS_MIN, .mask = BUCKETS_MIN - 1};
    rng_init(&r, secret[0] ^ mix64(secret[1]));
    for (unsigned i = 0; i < NH_WORDS_MAX; i++)
        t->key.k[i] = rng_u32(&r);
    t->buckets_max = max_u32(entries_max / LOAD + 1, BUCKETS_MIN);
    t->bucket = mem_carve(m, (size_t)t->buckets_max * sizeof(*t->bucket), CACHE_LINE);
    /* Room for many more overflows than a random hash ever makes. */
    pool_init(&t->overflow, m, t->buckets_max / 2 + BUCKETS_MIN, sizeof(struct flow_bucket),
              CACHE_LINE);
}

void flow_prefetch_node(const struct flow_table *t, uint32_t hash)
{
    const struct flow_bucket *b = flow_home(t, hash);
    uint32_t equal = flow_ways_equal(b, hash);

    if (!equal)
        return;
    const uint8_t *object = mem_ptr(t->arena, b->node[lowest_bit(equal)]);
    prefetch(object);
    prefetch(object + CACHE_LINE);
    prefetch(object + 2 * CACHE_LINE);
    prefetch(object + 3 * CACHE_LINE);
}

struct flow_node *flow_find_on(const struct flow_table *t, const struct flow_key *k, uint32_t hash,
                               const struct flow_bucket *b, uint32_t equal)
{
    for (;;) {
        for (; equal; equal &= equal - 1) {
            struct flow_node *node = mem_ptr(t->arena, b->node[lowest_bit(equal)]);
            if (likely(flow_key_eq(&node->key, k)))
                return node;
        }
        b = overflow_of(t, b);
        if (likely(!b))
            return NULL;
        equal = flow_ways_equal(b, hash);
    }
}

/* The bucket of the chain at b with a free way, extended if need be. */
static struct flow_bucket *bucket_with_room(struct flow_table *t, struct flow_bucket *b)
{
    while (b->n == FLOW_WAYS) {
        if (!b->overflow) {
            struct flow_bucket *more = pool_get(&t->overflow);
            if (!more)
                return NULL;
            memset(more, 0, sizeof(*more));
            b->overflow = mem_ref_of(t->arena, more);
        }
        b = overflow_of(t, b);
    }
    return b;
}

static bool bucket_add(struct flow_table *t, struct flow_bucket *b, uint32_t hash, mem_ref node)
{
    b = bucket_with_room(t, b);
    if (!b)
        return false;
    b->hash[b->n] = hash;
    b->node[b->n++] = node;
    return true;
}

/* Split the next bucket in order: its entries with the new address bit set move to the new last
 * bucket.  A chain is emptied from a copy of its links, so nothing is lost when the pool of
 * overflow buckets is used up: a split only ever frees them first. */
static void grow(struct flow_table *t)
{
    struct flow_bucket chain, *b;
    uint32_t split = t->buckets & (t->mask >> 1);

    if (t->buckets > t->mask) {
        t->mask = t->mask * 2 + 1;
        split = 0;
    }
    chain = t->bucket[split];
    memset(&t->bucket[split], 0, sizeof(chain));
    memset(&t->bucket[t->buckets], 0, sizeof(chain));
    t->buckets++;
    for (b = &chain; b;) {
        struct flow_bucket part = *b;
        if (b != &chain)
            pool_put(&t->overflow, b);
        for (uint32_t i = 0; i < part.n; i++) {
            bool ok = bucket_add(t, flow_home(t, part.hash[i]), part.hash[i], part.node[i]);
            MR_ASSERT(ok);
        }
        b = overflow_of(t, &part);
    }
}

bool flow_link(struct flow_table *t, struct flow_node *node)
{
    uint32_t hash = flow_hash(t, &node->key);

    if (t->used >= t->buckets * LOAD && t->buckets < t->buckets_max)
        grow(t);
    if (!bucket_add(t, flow_home(t, hash), hash, mem_ref_of(t->arena, node)))
        return false;
    t->used++;
    return true;
}

/* Where in the table node is; its bucket and way. */
static struct flow_bucket *locate(const struct flow_table *t, const struct flow_node *node,
                                  struct flow_bucket *home, uint32_t *way)
{
    mem_ref r = mem_ref_of(t->arena, node);
    struct flow_bucket *b = home;

    for (; b; b = overflow_of(t, b))
        for (*way = 0; *way < b->n; ++*way)
            if (b->node[*way] == r)
                return b;
    MR_ASSERT(b != NULL);
    return NULL;
}

/* The last bucket of the chain gives its last entry for the hole, so that all but the last are
 * always full; emptied, it goes back to its pool. */
void flow_unlink(struct flow_table *t, struct flow_node *node)
{
    uint32_t way;
    uint64_t addr = flow_hash_addr(t, &node->key);
    struct flow_bucket *last = flow_home(t, flow_hash_rest(t, addr, flow_key_rest(&node->key))),
                       *before = NULL;
    struct flow_bucket *b = locate(t, node, last, &way);

    t->freed[flow_freed_of(addr)]++;
    while (last->overflow) {
        before = last;
        last = overflow_of(t, last);
    }
    last->n--;
    b->hash[way] = last->hash[last->n];
    b->node[way] = last->node[last->n];
    t->used--;
    if (last->n == 0 && before) {
        before->overflow = MEM_NONE;
        pool_put(&t->overflow, last);
    }
}

void flow_replace(struct flow_table *t, struct flow_node *from, struct flow_node *to)
{
    uint32_t way;
    struct flow_bucket *home = flow_home(t, flow_hash(t, &from->key));

    locate(t, from, home, &way)->node[way] = mem_ref_of(t->arena, to);
}
