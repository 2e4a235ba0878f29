/* Private to the room flow: the walk over a peer's ports. */
#pragma once

#include "flow/choose.h"

static inline uint16_t walk_port(const struct flow_chooser *c, const struct flow_peer *p)
{
    return p->shared ? flow_class_shared(&c->class, p->column)
                     : c->class.port[p->begin + p->column];
}

/* Stand at a place of the class (rows after rows), or behind it if it is a hole.  False: the class
 * has no port. */
bool walk_enter(const struct flow_class *class, struct flow_peer *p, uint32_t place);
/* To the next row that has a port; there must be one. */
void walk_next_row(struct flow_chooser *c, struct flow_peer *p);

static inline void walk_step(struct flow_chooser *c, struct flow_peer *p)
{
    c->counter[p->counter]++;
    if (++p->column >= p->length)
        walk_next_row(c, p);
}

/* k without its local port, addr from flow_hash_addr; NULL: not remembered. */
struct flow_peer *peer_find(const struct flow_chooser *c, const struct flow_key *k, uint64_t addr);

/* Does anybody listen there, on any core? */
static inline bool port_is_listened(const struct flow_chooser *c, uint16_t port)
{
    const uint64_t *others = c->others->any[PORT_TCP];

    return flow_port_bit(c->ports->taken, port) || (others && flow_port_bit(others, port));
}

/* Who has k? NULL: nobody. */
static inline struct flow_node *flow_of(const struct flow_chooser *c, const struct flow_key *k,
                                        uint64_t addr)
{
    return flow_find(c->flows, k, flow_hash_rest(c->flows, addr, k));
}

/* learn.c */
void learnt_init(struct flow_chooser *c, struct mem *m);
/* Choose from what is known of p; false: nothing there, take any. */
bool learnt_choose(struct flow_chooser *c, struct flow_peer *p, struct flow_key *k, uint64_t addr);
void learnt_forget(struct flow_chooser *c, struct flow_peer *p);
