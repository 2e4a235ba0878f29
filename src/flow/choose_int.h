/* Private to the room flow: the walk over a peer's ports. */
#pragma once

#include "flow/choose.h"

/* The peer of a key.  It is to stay in registers, and is therefore given to nobody who is not
 * inlined: what was just written in pieces and is read as a whole, or half of it, stops the
 * processor for longer than all the arithmetic here takes. */
struct sought {
    uint64_t word[3]; /* the key, lport 0 */
    uint64_t addr;    /* flow_hash_addr */
};
#define LPORT_SHIFT 16u

static inline struct sought sought_of(const struct flow_chooser *c, const struct flow_key *k)
{
    struct sought s = {.addr = flow_hash_addr(c->flows, k)};

    memcpy(s.word, k, sizeof(s.word));
    s.word[2] &= ~(UINT64_C(0xffff) << LPORT_SHIFT);
    return s;
}

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

static inline struct flow_peer *peer_set(const struct flow_chooser *c, const struct sought *s)
{
    return &c->peers[flow_hash_rest(c->flows, s->addr, s->word[2]) % FLOW_PEERS & ~1u];
}

static inline bool peer_is(const struct flow_peer *p, const struct sought *s)
{
    uint64_t w[3];

    memcpy(w, &p->key, sizeof(w));
    return ((w[0] ^ s->word[0]) | (w[1] ^ s->word[1]) | (w[2] ^ s->word[2])) == 0;
}

/* NULL: not remembered. */
static inline struct flow_peer *peer_find(const struct flow_chooser *c, const struct sought *s)
{
    struct flow_peer *p = peer_set(c, s);

    if (likely(peer_is(p, s)))
        return p;
    p++;
    return peer_is(p, s) ? p : NULL;
}

/* Does anybody listen there, on any core? */
static inline bool port_is_listened(const struct flow_chooser *c, uint16_t port)
{
    const uint64_t *others = c->others->any[PORT_TCP];

    return flow_port_bit(c->ports->taken, port) || (others && flow_port_bit(others, port));
}

static inline uint32_t hash_of_port(const struct flow_chooser *c, const struct sought *s,
                                    uint16_t port)
{
    return flow_hash_rest(c->flows, s->addr, s->word[2] | (uint64_t)port << LPORT_SHIFT);
}

/* True: the port is free for this peer.  False: it is taken, or (once in 2^32) was not looked at
 * closely enough: that would mean to touch the object that has it. */
static inline bool port_is_free(const struct flow_chooser *c, const struct sought *s, uint16_t port)
{
    return likely(!port_is_listened(c, port)) &&
           likely(!flow_may_have(c->flows, hash_of_port(c, s, port)));
}

/* learn.c */
void learnt_init(struct flow_chooser *c, struct mem *m);
/* For the classes as they are now; nothing is known of any. */
void learnt_begin(struct flow_chooser *c);
/* Choose from what is known of p; false: nothing there, take any. */
bool learnt_choose(struct flow_chooser *c, struct flow_peer *p, struct flow_key *k);
void learnt_forget(struct flow_chooser *c, struct flow_peer *p);
