#include "flow/class.h"

#define PORTS 65536u

static uint32_t group_of(const struct rss *law, uint32_t port)
{
    return rss_part16(law, RSS_AT_DPORT, (uint16_t)port) & law->mask;
}

/* Sorted by counting: start[g + 1] first holds the length of group g, and then moves on as the
 * group is filled. */
static void group_ports(struct flow_class *c)
{
    const struct rss *law = c->home->law;
    uint32_t groups = law->mask + 1, at = 0;

    for (uint32_t port = c->lo; port <= c->hi; port++)
        c->start[group_of(law, port) + 1]++;
    for (uint32_t g = 1; g <= groups; g++) {
        uint32_t n = c->start[g];
        c->columns = max_u32(c->columns, n);
        c->start[g] = at;
        at += n;
    }
    for (uint32_t port = c->lo; port <= c->hi; port++)
        c->port[c->start[group_of(law, port) + 1]++] = (uint16_t)port;
}

void flow_class_init(struct flow_class *c, struct mem *m, const struct home *home, uint16_t lo,
                     uint16_t hi)
{
    uint32_t range = (uint32_t)hi - lo + 1, cores = max_u32(home->cores, 1);

    MR_ASSERT(lo > 0 && lo <= hi);
    *c = (struct flow_class){.home = home, .lo = lo, .hi = hi};
    c->share = range > home->self ? (range - home->self + cores - 1) / cores : 0;
    if (!home_is_shared(home))
        return;
    /* As large as any range and any table need: the sizes are measured without them. */
    c->port = mem_carve(m, PORTS * sizeof(uint16_t), CACHE_LINE);
    c->start = mem_carve(m, (RSS_TABLE_MAX + 1) * sizeof(uint32_t), CACHE_LINE);
    c->own = mem_carve(m, RSS_TABLE_MAX * sizeof(uint16_t), CACHE_LINE);
    if (mem_is_measuring(m))
        return;
    flow_class_law_changed(c);
    group_ports(c);
}

void flow_class_law_changed(struct flow_class *c)
{
    const struct home *h = c->home;

    c->rows = 0;
    for (uint32_t e = 0; e <= h->law->mask; e++)
        if (h->law->table[e] == h->self)
            c->own[c->rows++] = (uint16_t)e;
}

uint32_t flow_class_size(const struct flow_class *c, uint32_t fixed)
{
    uint32_t n = 0, begin;

    for (uint32_t row = 0; row < c->rows; row++)
        n += flow_class_row(c, fixed, row, &begin);
    return n;
}

bool flow_class_find(const struct flow_class *c, uint32_t fixed, uint16_t port, uint32_t *row,
                     uint32_t *column)
{
    uint32_t begin, lo = 0, hi;

    if (!c->port || port < c->lo || port > c->hi)
        return false;
    uint32_t entry = fixed ^ group_of(c->home->law, port);
    for (*row = 0; *row < c->rows && c->own[*row] != entry; ++*row) {
    }
    if (*row == c->rows)
        return false;
    hi = flow_class_row(c, fixed, *row, &begin);
    while (lo + 1 < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (c->port[begin + mid] <= port)
            lo = mid;
        else
            hi = mid;
    }
    *column = lo;
    return true;
}
