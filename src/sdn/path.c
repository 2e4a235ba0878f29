/* Shortest paths, hop by hop.
 *
 * For a destination that somebody wants to reach, a table says how far every switch is from it; the
 * next hops of a switch are its neighbours that are one nearer.  A table is made when it is first
 * asked for and kept.  When a pair of links comes or goes, most tables need no more than a look at
 * its two ends: equally far from the destination, and nothing has changed; one farther, and it has
 * gained or lost one next hop.  Only where distances may differ is the table made anew.
 *
 * What a change took from a next-hop set is told to reroute.c: flows that stay behind then all lead
 * nearer to where they go, by the new distances, so there is no loop whatever is still
 * installed. */
#include "base/hash.h"
#include "sdn/sdn_int.h"

struct path {
    uint16_t *far; /* [to * switches + from] */
    uint16_t *old; /* one table: what it was */
    bool *valid;   /* of tables */
};

void path_carve(struct sdn *s)
{
    size_t n = s->config.switches;
    struct path *p = mem_carve(&s->mem, sizeof(*p), CACHE_LINE);
    uint16_t *far = mem_carve(&s->mem, n * n * sizeof(uint16_t), CACHE_LINE);
    uint16_t *old = mem_carve(&s->mem, n * sizeof(uint16_t), CACHE_LINE);
    bool *valid = mem_carve(&s->mem, n * sizeof(bool), CACHE_LINE);

    s->net->path = p;
    if (p)
        *p = (struct path){.far = far, .old = old, .valid = valid};
}

static uint16_t *table_of(const struct net *n, uint32_t to)
{
    return n->path->far + (size_t)to * n->switches;
}

/* Breadth first from the destination; links are there both ways. */
static void table_make(struct net *n, uint32_t to)
{
    uint16_t *far = table_of(n, to);
    uint32_t head = 0, tail = 0;

    memset(far, 0xff, n->switches * sizeof(*far));
    far[to] = 0;
    n->queue[tail++] = to;
    while (head < tail) {
        uint32_t at = n->queue[head++];
        for (uint32_t i = n->sw[at].out; i != NET_NONE; i = n->link[i].next_out) {
            const struct net_link *l = &n->link[i];
            if (!net_link_is_usable(l) || far[l->to] != PATH_FAR)
                continue;
            far[l->to] = (uint16_t)(far[at] + 1);
            n->queue[tail++] = l->to;
        }
    }
    n->path->valid[to] = true;
}

static const uint16_t *table_for(struct net *n, uint32_t to)
{
    if (!n->path->valid[to])
        table_make(n, to);
    return table_of(n, to);
}

void path_forget(struct sdn *s, uint32_t to)
{
    s->net->path->valid[to] = false;
}

uint32_t path_hops(struct sdn *s, uint32_t from, uint32_t to)
{
    return table_for(s->net, to)[from];
}

static bool is_next(const uint16_t *far, const struct net_link *l)
{
    return net_link_is_usable(l) && far[l->from] != PATH_FAR && far[l->to] + 1 == far[l->from];
}

uint32_t path_links(struct sdn *s, uint32_t from, uint32_t to, uint32_t *link, uint32_t max)
{
    struct net *n = s->net;
    const uint16_t *far = table_for(n, to);
    uint32_t k = 0;

    for (uint32_t i = n->sw[from].out; i != NET_NONE && k < max; i = n->link[i].next_out)
        if (is_next(far, &n->link[i]))
            link[k++] = i;
    return k;
}

uint64_t path_hash(const struct sdn *s, const struct mac_addr *src, const struct mac_addr *dst,
                   uint16_t vlan)
{
    uint64_t a = (uint64_t)load_be32(src->b) << 16 | load_be16(src->b + 4);
    uint64_t b = (uint64_t)load_be32(dst->b) << 16 | load_be16(dst->b + 4);

    return mix64(mix64(a ^ s->config.secret[0]) + b + ((uint64_t)vlan << 48));
}

uint32_t path_port(struct sdn *s, uint32_t from, uint32_t to, uint64_t hash, uint32_t not_port)
{
    struct net *n = s->net;
    const uint16_t *far = table_for(n, to);
    uint32_t k = 0, pick;

    for (uint32_t i = n->sw[from].out; i != NET_NONE; i = n->link[i].next_out)
        k += is_next(far, &n->link[i]) && n->link[i].from_port != not_port;
    if (k == 0)
        return 0;
    /* Not the same choice at every hop, or half the ways are never taken. */
    pick = (uint32_t)((mix64(hash ^ n->sw[from].dpid) >> 32) * k >> 32);
    for (uint32_t i = n->sw[from].out; i != NET_NONE; i = n->link[i].next_out)
        if (is_next(far, &n->link[i]) && n->link[i].from_port != not_port && pick-- == 0)
            return n->link[i].from_port;
    return 0;
}

/* ---- changes ---- */

static void lost(struct sdn *s, uint32_t from, uint32_t port, uint32_t to)
{
    struct sdn_switch *sw = net_local(s, from);

    if (sw)
        reroute_lost(s, sw, to, port);
}

static bool has_next(const struct net *n, const uint16_t *far, uint32_t from)
{
    for (uint32_t i = n->sw[from].out; i != NET_NONE; i = n->link[i].next_out)
        if (is_next(far, &n->link[i]))
            return true;
    return false;
}

/* Make the table anew and say what next hops of this core's switches it has lost.  Where there is a
 * nearer way the old one still leads there, and who has no flow of ours has lost nothing. */
static void table_renew(struct sdn *s, uint32_t to, bool nearer)
{
    struct net *n = s->net;
    uint16_t *far = table_of(n, to), *old = n->path->old;

    memcpy(old, far, n->switches * sizeof(*far));
    table_make(n, to);
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        if (sw->net == NET_NONE || (nearer && !reroute_has_said(s, sw, to)))
            continue;
        for (uint32_t i = n->sw[sw->net].out; i != NET_NONE; i = n->link[i].next_out)
            if (is_next(old, &n->link[i]) && !is_next(far, &n->link[i]))
                reroute_lost(s, sw, to, n->link[i].from_port);
    }
}

/* ---- a lost next hop, mended ----
 *
 * A switch that has lost its last next hop is farther away now, and with it those that were near
 * only by it: in a network with many ways they are few.  Only their distances are made anew. */

#define FEW 32u

struct few {
    uint32_t n, at[FEW];
    uint16_t was[FEW];
};

static bool is_few(const struct few *f, uint32_t at)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->at[i] == at)
            return true;
    return false;
}

/* It has a next hop that is none of the few. */
static bool is_held(const struct net *n, const uint16_t *far, const struct few *f, uint32_t at)
{
    for (uint32_t i = n->sw[at].out; i != NET_NONE; i = n->link[i].next_out)
        if (is_next(far, &n->link[i]) && !is_few(f, n->link[i].to))
            return true;
    return false;
}

/* Who is farther away now; false: too many. */
static bool few_find(const struct net *n, const uint16_t *far, uint32_t deep, struct few *f)
{
    *f = (struct few){.n = 1, .at = {deep}, .was = {far[deep]}};
    for (uint32_t k = 0; k < f->n; k++)
        for (uint32_t i = n->sw[f->at[k]].out; i != NET_NONE; i = n->link[i].next_out) {
            const struct net_link *l = &n->link[i];
            if (!net_link_is_usable(l) || far[l->to] != far[l->from] + 1 || is_few(f, l->to) ||
                is_held(n, far, f, l->to))
                continue;
            if (f->n == FEW)
                return false;
            f->was[f->n] = far[l->to];
            f->at[f->n++] = l->to;
        }
    return true;
}

static bool table_mend(struct sdn *s, uint32_t to, uint32_t deep)
{
    struct net *n = s->net;
    uint16_t *far = table_of(n, to);
    struct few f;
    bool again = true;

    if (!few_find(n, far, deep, &f))
        return false;
    for (uint32_t k = 0; k < f.n; k++)
        far[f.at[k]] = PATH_FAR;
    while (again) {
        again = false;
        for (uint32_t k = 0; k < f.n; k++)
            for (uint32_t i = n->sw[f.at[k]].out; i != NET_NONE; i = n->link[i].next_out) {
                const struct net_link *l = &n->link[i];
                if (!net_link_is_usable(l) || far[l->to] == PATH_FAR ||
                    far[l->to] + 1 >= far[l->from])
                    continue;
                far[l->from] = (uint16_t)(far[l->to] + 1);
                again = true;
            }
    }
    /* Around the few: who was one farther than one of them has lost it. */
    for (uint32_t k = 0; k < f.n; k++)
        for (uint32_t i = n->sw[f.at[k]].out; i != NET_NONE; i = n->link[i].next_out) {
            const struct net_link *l = &n->link[i];
            if (!net_link_is_usable(l))
                continue;
            uint32_t before = far[l->to];
            for (uint32_t j = 0; j < f.n; j++)
                if (f.at[j] == l->to)
                    before = f.was[j];
            if (before == f.was[k] + 1u)
                lost(s, l->to, l->to_port, to);
        }
    return true;
}

void path_edge_changed(struct sdn *s, const struct net_link *l, bool up)
{
    struct net *n = s->net;

    for (uint32_t to = 0; to < n->sw_used; to++) {
        const uint16_t *far = table_of(n, to);
        if (!n->path->valid[to] || far[l->from] == far[l->to])
            continue;
        bool from_deep = far[l->from] > far[l->to];
        uint32_t deep = from_deep ? l->from : l->to;
        uint32_t apart =
            from_deep ? (uint32_t)far[l->from] - far[l->to] : (uint32_t)far[l->to] - far[l->from];
        if (!up && apart == 1) {
            lost(s, deep, from_deep ? l->from_port : l->to_port, to);
            if (!has_next(n, far, deep) && !table_mend(s, to, deep))
                table_renew(s, to, false);
        } else if (up && apart > 1) {
            table_renew(s, to, true);
        }
    }
}
