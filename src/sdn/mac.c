#include "sdn/mac.h"

#define MAC_IDS 65536u
#define FIRST_BUCKETS 64u
/* The table doubles when so many sixteenths of its places are used; each new entry then splits so
 * many buckets, so that it is through long before it must double again. */
#define FULL_16THS 13u
#define SPLIT_STEP 4u
#define SWEEP_STEP 4096u

struct mac_ids {
    uint64_t used[MAC_IDS / 64];
    uint64_t gone[MAC_IDS / 64];     /* given up since the sweep began */
    uint64_t sweeping[MAC_IDS / 64]; /* given up before */
    uint32_t next, n_gone, n_sweeping;
    uint32_t swept; /* buckets */
};

static bool bit_get(const uint64_t *set, uint32_t i)
{
    return (set[i / 64] >> i % 64 & 1) != 0;
}
static void bit_set(uint64_t *set, uint32_t i)
{
    set[i / 64] |= UINT64_C(1) << i % 64;
}
static void bit_clear(uint64_t *set, uint32_t i)
{
    set[i / 64] &= ~(UINT64_C(1) << i % 64);
}

void mac_carve(struct mac_table *t, struct mem *m, uint32_t max, uint64_t seed)
{
    uint64_t buckets = ceil_pow2(((uint64_t)max * 16 / FULL_16THS + MAC_WAYS - 1) / MAC_WAYS);

    buckets = buckets < FIRST_BUCKETS ? FIRST_BUCKETS : buckets;
    *t = (struct mac_table){.seed = seed, .mask = FIRST_BUCKETS - 1};
    t->buckets_max = (uint32_t)buckets;
    t->entry = mem_carve(m, buckets * MAC_WAYS * sizeof(struct mac_entry), 4096);
    t->ids = mem_carve(m, sizeof(struct mac_ids), CACHE_LINE);
}

static bool is_gone(const struct mac_table *t, uint64_t key)
{
    uint32_t id = (uint16_t)key;

    return bit_get(t->ids->gone, id) || bit_get(t->ids->sweeping, id);
}

/* ---- growing ---- */

/* Bucket `split` becomes two: what one more bit of its hash says moves up.  Its other half has
 * never been used: all its places are free. */
static void split_one(struct mac_table *t)
{
    uint32_t i = t->split, both = t->mask << 1 | 1;
    struct mac_entry *low = t->entry + (size_t)i * MAC_WAYS;
    struct mac_entry *high = low + (size_t)(t->mask + 1) * MAC_WAYS;

    for (unsigned w = 0; w < MAC_WAYS; w++) {
        if (low[w].key == 0)
            continue;
        uint64_t h = mac_hash(t, low[w].key, (uint16_t)(low[w].seen >> MAC_SEEN_BITS));
        uint32_t mine = ((uint32_t)h & t->mask) == i ? (uint32_t)h : (uint32_t)(h >> 32);
        if ((mine & both) != i) {
            high[w] = low[w];
            low[w].key = 0;
        }
    }
    if (++t->split > t->mask) {
        t->mask = both;
        t->split = 0;
    }
}

static void grow(struct mac_table *t)
{
    uint64_t places = (uint64_t)(t->mask + 1) * MAC_WAYS;

    if (t->split == 0 &&
        (t->used * UINT64_C(16) < places * FULL_16THS || t->mask + 1 >= t->buckets_max))
        return;
    for (unsigned n = 0; n < SPLIT_STEP && (n == 0 || t->split > 0); n++)
        split_one(t);
}

/* ---- places ---- */

/* A place nobody needs, or NULL. */
static struct mac_entry *free_place(struct mac_table *t, struct mac_entry *b)
{
    for (unsigned w = 0; w < MAC_WAYS; w++) {
        if (b[w].key == 0)
            return &b[w];
        if (t->ids->n_gone + t->ids->n_sweeping > 0 && is_gone(t, b[w].key)) {
            b[w].key = 0;
            t->used--;
            return &b[w];
        }
    }
    return NULL;
}

/* An entry of the full bucket b moves to its other bucket; where that is full too, one of those
 * moves first, `deep` times. */
static struct mac_entry *make_place(struct mac_table *t, struct mac_entry *b, unsigned deep)
{
    for (unsigned w = 0; w < MAC_WAYS; w++) {
        uint64_t h = mac_hash(t, b[w].key, (uint16_t)(b[w].seen >> MAC_SEEN_BITS));
        struct mac_entry *bucket = mac_bucket(t, (uint32_t)h), *to;

        bucket = bucket == b ? mac_bucket(t, (uint32_t)(h >> 32)) : bucket;
        if (bucket == b)
            continue;
        to = free_place(t, bucket);
        if (!to && deep > 0)
            to = make_place(t, bucket, deep - 1);
        if (to) {
            *to = b[w];
            b[w].key = 0;
            return &b[w];
        }
    }
    return NULL;
}

static struct mac_entry *oldest(struct mac_entry *a, struct mac_entry *b, uint32_t now_s)
{
    struct mac_entry *old = a;

    for (unsigned w = 0; w < 2 * MAC_WAYS; w++) {
        struct mac_entry *e = w < MAC_WAYS ? &a[w] : &b[w - MAC_WAYS];
        if (mac_age(e, now_s) > mac_age(old, now_s))
            old = e;
    }
    return old;
}

uint32_t mac_find(const struct mac_table *t, uint64_t key, uint16_t vlan)
{
    const struct mac_entry *e = mac_lookup(t, mac_hash(t, key, vlan), key, vlan);

    return e ? e->port : 0;
}

static enum mac_news add(struct mac_table *t, uint64_t h, uint64_t key, uint32_t port,
                         uint32_t seen, uint32_t now_s)
{
    grow(t);
    struct mac_entry *a = mac_bucket(t, (uint32_t)h), *b = mac_bucket(t, (uint32_t)(h >> 32));
    struct mac_entry *e = free_place(t, a);
    enum mac_news news = MAC_NEW;

    if (!e)
        e = free_place(t, b);
    for (unsigned deep = 0; !e && deep < 3; deep++) {
        e = make_place(t, a, deep);
        if (!e)
            e = make_place(t, b, deep);
    }
    if (!e) {
        e = oldest(a, b, now_s);
        t->used--;
        news = MAC_NEW_EVICTED;
    }
    *e = (struct mac_entry){.key = key, .port = port, .seen = seen};
    t->used++;
    return news;
}

enum mac_news mac_learn(struct mac_table *t, uint64_t key, uint16_t vlan, uint32_t port,
                        uint32_t now_s)
{
    uint64_t h = mac_hash(t, key, vlan);
    struct mac_entry *e = mac_lookup(t, h, key, vlan);
    uint32_t seen = (uint32_t)vlan << MAC_SEEN_BITS | (now_s & MAC_SEEN_MASK);

    if (!e)
        return add(t, h, key, port, seen, now_s);
    e->seen = seen;
    if (e->port == port)
        return MAC_SAME;
    e->port = port;
    return MAC_MOVED;
}

/* ---- forgetting ---- */

static void drop(struct mac_table *t, struct mac_entry *e)
{
    e->key = 0;
    t->used--;
}

static uint32_t buckets_in_use(const struct mac_table *t)
{
    return t->mask + 1 + t->split;
}

void mac_forget(struct mac_table *t, uint64_t key, uint16_t vlan)
{
    struct mac_entry *e = mac_lookup(t, mac_hash(t, key, vlan), key, vlan);

    if (e)
        drop(t, e);
}

void mac_forget_switch(struct mac_table *t, uint16_t id, uint32_t port)
{
    struct mac_entry *end = t->entry + (size_t)buckets_in_use(t) * MAC_WAYS;

    for (struct mac_entry *e = t->entry; e < end; e++)
        if (e->key != 0 && (uint16_t)e->key == id && (port == 0 || e->port == port))
            drop(t, e);
}

bool mac_next(const struct mac_table *t, uint16_t id, uint64_t *cursor, struct mac_entry *out)
{
    uint64_t n = (uint64_t)buckets_in_use(t) * MAC_WAYS;

    for (uint64_t i = *cursor; i < n; i++)
        if (t->entry[i].key != 0 && (uint16_t)t->entry[i].key == id) {
            *out = t->entry[i];
            *cursor = i + 1;
            return true;
        }
    *cursor = n;
    return false;
}

/* ---- ids ---- */

uint16_t mac_id_get(struct mac_table *t)
{
    struct mac_ids *ids = t->ids;

    for (;;) {
        for (uint32_t n = 0; n < MAC_IDS; n++) {
            ids->next = (ids->next + 1) % MAC_IDS;
            if (ids->next != 0 && !bit_get(ids->used, ids->next) && !is_gone(t, ids->next)) {
                bit_set(ids->used, ids->next);
                return (uint16_t)ids->next;
            }
        }
        /* There are fewer connections than ids: some wait to be swept. */
        mac_sweep(t);
    }
}

void mac_id_put(struct mac_table *t, uint16_t id)
{
    MR_ASSERT(bit_get(t->ids->used, id));
    bit_clear(t->ids->used, id);
    bit_set(t->ids->gone, id);
    t->ids->n_gone++;
}

bool mac_sweep(struct mac_table *t)
{
    struct mac_ids *ids = t->ids;

    if (ids->n_sweeping == 0) {
        if (ids->n_gone == 0)
            return false;
        memcpy(ids->sweeping, ids->gone, sizeof(ids->gone));
        memset(ids->gone, 0, sizeof(ids->gone));
        ids->n_sweeping = ids->n_gone;
        ids->n_gone = 0;
        ids->swept = 0;
    }
    /* Entries that move meanwhile (split_one, make_place) move up, or are of living switches. */
    uint32_t end = min_u32(ids->swept + SWEEP_STEP, buckets_in_use(t));
    for (; ids->swept < end; ids->swept++)
        for (unsigned w = 0; w < MAC_WAYS; w++) {
            struct mac_entry *e = &t->entry[(size_t)ids->swept * MAC_WAYS + w];
            if (e->key != 0 && bit_get(ids->sweeping, (uint16_t)e->key))
                drop(t, e);
        }
    if (ids->swept >= buckets_in_use(t)) {
        memset(ids->sweeping, 0, sizeof(ids->sweeping));
        ids->n_sweeping = 0;
    }
    return ids->n_sweeping + ids->n_gone > 0;
}

void mac_check(const struct mac_table *t)
{
    uint32_t used = 0, n = buckets_in_use(t);

    MR_ASSERT(n <= t->buckets_max && is_pow2(t->mask + 1));
    for (uint32_t i = 0; i < n; i++)
        for (unsigned w = 0; w < MAC_WAYS; w++) {
            const struct mac_entry *e = &t->entry[(size_t)i * MAC_WAYS + w];
            uint16_t vlan = (uint16_t)(e->seen >> MAC_SEEN_BITS);

            if (e->key == 0)
                continue;
            used++;
            MR_ASSERT(mac_lookup(t, mac_hash(t, e->key, vlan), e->key, vlan) == e);
        }
    MR_ASSERT(used == t->used);
}
