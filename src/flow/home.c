#include "flow/home.h"

#define PORTS 65536u
#define WORDS (PORTS / 64)

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

void port_cores_set_own(struct port_cores *p, enum port_kind kind, uint16_t port, bool have)
{
    uint64_t bit = UINT64_C(1) << port % 64;

    if (!p->mask[kind] || (p->mask[kind][port] >> p->self & 1) == have)
        return;
    port_cores_set(p, p->self, kind, port, have);
    for (unsigned c = 0; c < p->cores; c++) {
        uint64_t *word = &p->news[c][kind][port / 64];
        if (c == p->self || *word & bit)
            continue;
        *word |= bit;
        p->news_n[c]++;
        p->untold |= UINT64_C(1) << c;
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
