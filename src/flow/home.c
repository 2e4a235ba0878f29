#include "flow/home.h"

#define PORTS 65536u
#define WORDS (PORTS / 64)

static unsigned entries_of(const struct home *h)
{
    unsigned n = 0;

    for (uint32_t e = 0; e <= h->law->mask; e++)
        n += h->law->table[e] == h->self;
    return n;
}

void home_init(struct home *h, struct mem *m)
{
    if (!home_is_shared(h))
        return;
    h->own = mem_carve(m, sizeof(*h->own), CACHE_LINE);
    if (mem_is_measuring(m))
        return;
    h->own->rss = *h->law;
    memcpy(h->own->was, h->law->table, sizeof(h->own->was));
    if (h->changed_at)
        memcpy(h->own->moved_at, h->changed_at, sizeof(h->own->moved_at));
    h->law = &h->own->rss;
    h->entries = entries_of(h);
}

bool home_set_law(struct home *h, const struct rss *law, instant now)
{
    struct home_law *own = h->own;
    bool changed = false;

    MR_ASSERT(law->mask == own->rss.mask && memcmp(law->key, own->rss.key, sizeof(law->key)) == 0);
    for (uint32_t e = 0; e <= law->mask; e++) {
        uint16_t core = __atomic_load_n(&law->table[e], __ATOMIC_RELAXED);
        MR_ASSERT(core < h->cores);
        if (core == own->rss.table[e])
            continue;
        own->was[e] = own->rss.table[e];
        own->came_at[e] = own->moved_at[e];
        own->moved_at[e] = now;
        own->rss.table[e] = core;
        changed = true;
    }
    h->moving_until = now + HOME_GRACE_US;
    h->settled = false;
    h->entries = entries_of(h);
    return changed;
}

void home_settle(struct home *h)
{
    h->settled = true;
}

void port_cores_init(struct port_cores *p, struct mem *m, const struct home *h)
{
    MR_ASSERT(h->cores <= CORES_MAX && h->self < max_u32(h->cores, 1));
    *p = (struct port_cores){.self = h->self, .cores = h->cores};
    if (!home_is_shared(h))
        return;
    for (unsigned k = 0; k < PORT_KINDS; k++) {
        p->mask[k] = mem_carve(m, PORTS * sizeof(uint64_t), CACHE_LINE);
        p->any[k] = mem_carve(m, WORDS * sizeof(uint64_t), CACHE_LINE);
        for (unsigned c = 0; c < h->cores; c++)
            p->news[c][k] = mem_carve(m, WORDS * sizeof(uint64_t), CACHE_LINE);
    }
}

void port_cores_set(struct port_cores *p, unsigned core, enum port_kind kind, uint16_t port,
                    bool have)
{
    uint64_t bit = UINT64_C(1) << core, *mask = &p->mask[kind][port];
    uint64_t *any = &p->any[kind][port / 64], any_bit = UINT64_C(1) << port % 64;

    if (have)
        *mask |= bit;
    else
        *mask &= ~bit;
    if (*mask) {
        *any |= any_bit;
    } else if (*any & any_bit) {
        *any &= ~any_bit;
        p->freed++;
    }
}

static void port_cores_owe(struct port_cores *p, unsigned core, enum port_kind kind, uint16_t port)
{
    uint64_t bit = UINT64_C(1) << port % 64, *word = &p->news[core][kind][port / 64];

    if (core == p->self || *word & bit)
        return;
    *word |= bit;
    p->news_n[core]++;
    p->untold |= UINT64_C(1) << core;
}

void port_cores_set_own(struct port_cores *p, enum port_kind kind, uint16_t port, bool have)
{
    if (!p->mask[kind] || (p->mask[kind][port] >> p->self & 1) == have)
        return;
    port_cores_set(p, p->self, kind, port, have);
    for (unsigned c = 0; c < p->cores; c++)
        port_cores_owe(p, c, kind, port);
}

void port_cores_reborn(struct port_cores *p, unsigned core)
{
    for (unsigned k = 0; k < PORT_KINDS; k++) {
        for (unsigned w = 0; w < WORDS; w++) {
            for (uint64_t left = p->any[k][w]; left; left &= left - 1) {
                uint16_t port = (uint16_t)(64 * w + lowest_bit(left));
                port_cores_set(p, core, (enum port_kind)k, port, false);
                if (p->mask[k][port] >> p->self & 1)
                    port_cores_owe(p, core, (enum port_kind)k, port);
            }
        }
    }
}

bool port_cores_news(const struct port_cores *p, unsigned core, enum port_kind *kind,
                     uint16_t *port, bool *have)
{
    if (p->news_n[core] == 0)
        return false;
    for (unsigned k = 0; k < PORT_KINDS; k++) {
        for (unsigned w = 0; w < WORDS; w++) {
            uint64_t word = p->news[core][k][w];
            if (word == 0)
                continue;
            *kind = (enum port_kind)k;
            *port = (uint16_t)(64 * w + (unsigned)__builtin_ctzll(word));
            *have = p->mask[k][*port] >> p->self & 1;
            return true;
        }
    }
    mr_panic(__FILE__, __LINE__, "news were counted that are not there");
}

void port_cores_told(struct port_cores *p, unsigned core, enum port_kind kind, uint16_t port)
{
    p->news[core][kind][port / 64] &= ~(UINT64_C(1) << port % 64);
    if (--p->news_n[core] == 0)
        p->untold &= ~(UINT64_C(1) << core);
}

unsigned port_cores_next(const struct port_cores *p, enum port_kind kind, uint16_t port,
                         unsigned from, unsigned but)
{
    uint64_t mask = p->mask[kind] ? p->mask[kind][port] : 0;

    mask &= ~(UINT64_C(1) << p->self | UINT64_C(1) << but);
    mask = from < CORES_MAX ? mask >> from << from : 0;
    return mask ? lowest_bit(mask) : CORES_MAX;
}

unsigned port_cores_pick(const struct port_cores *p, enum port_kind kind, uint16_t port,
                         uint32_t hash)
{
    uint64_t mask = p->mask[kind] ? p->mask[kind][port] & ~(UINT64_C(1) << p->self) : 0;
    unsigned n = 0;

    if (mask == 0)
        return p->self;
    for (uint64_t rest = mask; rest; rest &= rest - 1)
        n++;
    for (unsigned skip = hash % n; skip > 0; skip--)
        mask &= mask - 1;
    return (unsigned)__builtin_ctzll(mask);
}
