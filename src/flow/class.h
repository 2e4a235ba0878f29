/* flow/class: the local ports whose replies come home.
 *
 * THEORY OF OPERATION
 *
 * The hash of a reply is linear (nic/rss.h): the exclusive or of what the two addresses and the
 * peer's port contribute, `fixed`, and of what our port contributes.  So the ports are grouped once
 * by their contribution, and for any peer the ports that lead to entry e of the law's table are the
 * group e ^ fixed, whole:
 *
 *                      columns: the ports of a group, by number
 *     entry 3   group 3 ^ fixed  | 32779 32910 33033 ...   60921 |
 *     entry 7   group 7 ^ fixed  | 32768 32897 ...   60934 ######|    # hole
 *     entry 11  group 11 ^ fixed | ...                           |
 *     rows: the entries that are ours
 *
 * The classes of two cores have no entry in common and therefore no port, and together they are all
 * ports.  Any port of a class is found by two reads: where the group begins, and the port.
 *
 * A key may be so poor that some class is empty for some peer (all ports in one group, say).  Who
 * needs a port then takes one of a share that depends on no peer: every cores-th port.  It is no
 * other core's share, but its replies come home only by a detour (tcp/away.c). With one core the
 * share is all there is. */
#pragma once

#include "flow/home.h"

struct flow_class {
    const struct home *home; /* borrowed */
    uint16_t *port;          /* owned: lo..hi by group, then by number; NULL: one core */
    uint32_t *start;         /* owned: by group, where it begins in port; one more for the end */
    uint16_t *own;           /* owned: the entries of the law's table that are ours */
    uint32_t rows;           /* how many */
    uint32_t columns;        /* ports of the largest group */
    uint32_t share;          /* ports lo + self, lo + self + cores, ... */
    uint16_t lo, hi;
};

/* Ports lo..hi, lo > 0.  home outlives the class; it may lack its law while m measures. */
void flow_class_init(struct flow_class *c, struct mem *m, const struct home *home, uint16_t lo,
                     uint16_t hi);

/* The law's table has changed: which entries are ours. */
void flow_class_law_changed(struct flow_class *c);

/* What a peer contributes to the hash. */
static inline uint32_t flow_class_fixed(const struct flow_class *c, be32 raddr, be32 laddr,
                                        uint16_t rport)
{
    return c->port ? (rss_hash_pair(c->home->law, raddr, laddr) ^
                      rss_part16(c->home->law, RSS_AT_SPORT, rport)) &
                         c->home->law->mask
                   : 0;
}

/* A row for a peer: where it begins in c->port, and its length. */
static inline uint32_t flow_class_row(const struct flow_class *c, uint32_t fixed, uint32_t row,
                                      uint32_t *begin)
{
    uint32_t group = fixed ^ c->own[row];

    *begin = c->start[group];
    return c->start[group + 1] - *begin;
}

/* The ports of the class for a peer: how many. */
uint32_t flow_class_size(const struct flow_class *c, uint32_t fixed);
/* The i-th port of our share; i < c->share. */
static inline uint16_t flow_class_shared(const struct flow_class *c, uint32_t i)
{
    return (uint16_t)(c->lo + c->home->self + i * max_u32(c->home->cores, 1));
}
/* Where a port lies in the class for a peer; false: it is not in it. */
bool flow_class_find(const struct flow_class *c, uint32_t fixed, uint16_t port, uint32_t *row,
                     uint32_t *column);
