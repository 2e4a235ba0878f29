#include "nic/memwire_int.h"

void memwire_write_rule(struct shared_spread *s, enum spread_kind kind, const struct rss *r)
{
    uint64_t key[KEY_WORDS];

    memcpy(key, r->key, sizeof(key));
    for (unsigned i = 0; i < KEY_WORDS; i++)
        atomic_store_explicit(&s->key[i], key[i], memory_order_relaxed);
    for (unsigned i = 0; i <= r->mask; i++)
        atomic_store_explicit(&s->table[i], r->table[i], memory_order_relaxed);
    atomic_store_explicit(&s->entries, r->mask + 1, memory_order_relaxed);
    atomic_store_explicit(&s->kind, kind, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->generation, 1, memory_order_release);
}

enum spread_kind memwire_read_rule(struct shared_spread *s, uint32_t queues, struct rss *r)
{
    uint32_t entries = atomic_load_explicit(&s->entries, memory_order_relaxed);
    uint32_t kind = atomic_load_explicit(&s->kind, memory_order_relaxed);
    uint16_t table[RSS_TABLE_MAX];
    uint64_t key[KEY_WORDS];

    for (unsigned i = 0; i < KEY_WORDS; i++)
        key[i] = atomic_load_explicit(&s->key[i], memory_order_relaxed);
    entries = is_pow2(entries) && entries <= RSS_TABLE_MAX ? entries : 1;
    for (unsigned i = 0; i < entries; i++) {
        uint16_t queue = atomic_load_explicit(&s->table[i], memory_order_relaxed);
        table[i] = queue < queues ? queue : 0;
    }
    /* A change of the table alone is common, and computing the parts of a key is not quick. */
    if (r->mask == 0 || memcmp(r->key, key, sizeof(key)) != 0)
        rss_init(r, (const uint8_t *)key, entries, queues);
    rss_set_table(r, table, entries);
    return kind <= SPREAD_RANDOM ? (enum spread_kind)kind : SPREAD_ONE;
}

void memwire_set_rss(struct memwire_port *p, const struct rss *r)
{
    if (p->queues == 1) {
        if (p->few)
            memwire_write_rule(p->spread, SPREAD_ONE, r);
        return;
    }
    for (unsigned i = 0; i <= r->mask; i++)
        MR_ASSERT(r->table[i] < p->queues);
    /* Others may be reading it: of two rules with one key only the table differs. */
    if (p->told->mask == r->mask && memcmp(p->told->key, r->key, sizeof(r->key)) == 0)
        rss_set_table(p->told, r->table, r->mask + 1);
    else
        *p->told = *r;
    p->nic.rss = p->told;
    p->nic.spread = NIC_SPREAD_RSS;
    memwire_write_rule(p->spread, SPREAD_HASH, r);
}

static void tell(struct memwire_port *p, enum nic_spread spread)
{
    p->nic.spread = spread;
    p->nic.rss = NULL;
}

void memwire_set_spread(struct memwire_port *p, enum memwire_spread how, uint64_t seed)
{
    struct rng rng;
    struct rss r = {0};
    uint8_t key[RSS_KEY_BYTES];
    enum spread_kind kind = memwire_read_rule(p->spread, p->queues, &r);

    rng_init(&rng, seed);
    switch (how) {
    case MEMWIRE_ALL_TO_ONE:
        tell(p, NIC_SPREAD_NONE);
        kind = SPREAD_ONE;
        break;
    case MEMWIRE_SECRET_KEY:
        for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
            key[i] = (uint8_t)rng_u64(&rng);
        rss_init(&r, key, r.mask + 1, p->queues);
        tell(p, p->queues > 1 ? NIC_SPREAD_UNKNOWN : NIC_SPREAD_NONE);
        kind = SPREAD_HASH;
        break;
    case MEMWIRE_ANYWHERE:
        tell(p, NIC_SPREAD_NONE);
        kind = SPREAD_RANDOM;
        break;
    case MEMWIRE_REPROGRAMMED:
        for (unsigned i = 0; i <= r.mask; i++)
            r.table[i] = (uint16_t)rng_below(&rng, p->queues);
        break;
    }
    memwire_write_rule(p->spread, kind, &r);
}
