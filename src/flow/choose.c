#include "flow/choose_int.h"

/* So many ports are looked at briefly before one looks at who has them. */
#define WALK_BRIEF 16u
/* With so many ports looked at, a flow in TIME_WAIT is as good as a free port that may be far. */
#define WALK_SHORT 64u
/* A class found full is walked to its end again when so many flows (a share of its size) ended. */
#define FULL_FOR 8u

void flow_chooser_init(struct flow_chooser *c, struct mem *m, const struct flow_table *flows,
                       const struct flow_ports *ports, const struct cores *cores, uint16_t lo,
                       uint16_t hi, const uint64_t secret[2])
{
    *c = (struct flow_chooser){
        .flows = flows,
        .ports = ports,
        .others = &cores->ports,
        .key = {{secret[0], secret[1]}},
    };
    flow_class_init(&c->class, m, &cores->home, lo, hi);
    c->peers = mem_carve(m, FLOW_PEERS * sizeof(struct flow_peer), CACHE_LINE);
    learnt_init(c, m);
}

/* Peers that were never used are not written to: their memory is not there yet. */
void flow_chooser_law_changed(struct flow_chooser *c)
{
    static const struct flow_key unused;

    flow_class_law_changed(&c->class);
    for (uint32_t i = 0; i < FLOW_PEERS; i++)
        if (!flow_key_eq(&c->peers[i].key, &unused))
            memset(&c->peers[i], 0, sizeof(c->peers[i]));
    learnt_begin(c);
}

/* ---- the walk ------------------------------------------------------------------------ */

/* Holes are counted as if they had been tried, so that the counter alone says where we are. */
void walk_next_row(struct flow_chooser *c, struct flow_peer *p)
{
    p->column = 0;
    if (p->shared)
        return;
    do {
        c->counter[p->counter] += c->class.columns - p->length;
        p->row = p->row + 1u == c->class.rows ? 0 : (uint16_t)(p->row + 1);
        p->length = flow_class_row(&c->class, p->fixed, p->row, &p->begin);
    } while (p->length == 0);
}

bool walk_enter(const struct flow_class *class, struct flow_peer *p, uint32_t place)
{
    p->row = (uint16_t)(place / class->columns);
    p->column = (uint16_t)(place % class->columns);
    for (uint32_t rows = 0; rows <= class->rows; rows++) {
        p->length = flow_class_row(class, p->fixed, p->row, &p->begin);
        if (p->column < p->length)
            return true;
        p->row = p->row + 1u == class->rows ? 0 : (uint16_t)(p->row + 1);
        p->column = 0;
    }
    return false;
}

/* Where the secret and the counter say.  Reduced before they are added: a sum that wraps at 2^32
 * would leave ports out. */
static void walk_begin(struct flow_chooser *c, struct flow_peer *p)
{
    const struct flow_class *class = &c->class;
    uint64_t hash = siphash(&c->key, &p->key, sizeof(p->key));
    uint32_t secret = (uint32_t)hash, places = class->rows * class->columns;

    p->counter = (uint8_t)(hash >> 32);
    uint32_t come = c->counter[p->counter];
    if (places && walk_enter(class, p, (secret % places + come % places) % places))
        return;
    p->shared = true;
    p->row = 0;
    p->length = class->share;
    if (p->length)
        p->column = (uint16_t)((secret % p->length + come % p->length) % p->length);
}

/* ---- peers --------------------------------------------------------------------------- */

static MR_NO_INLINE struct flow_peer *peer_new(struct flow_chooser *c, const struct flow_key *k,
                                               be32 laddr)
{
    struct sought s = sought_of(c, k);
    struct flow_peer *p = peer_find(c, &s);

    if (!p) {
        p = peer_set(c, &s);
        if ((int32_t)(p[0].used_at - p[1].used_at) > 0)
            p++;
    }
    learnt_forget(c, p);
    *p = (struct flow_peer){
        .laddr = laddr,
        .fixed = (uint16_t)flow_class_fixed(&c->class, ip_v4(&k->raddr), laddr, k->rport),
    };
    memcpy(&p->key, s.word, sizeof(p->key));
    walk_begin(c, p);
    return p;
}

/* ---- the choice ---------------------------------------------------------------------- */

/* Of all that ends with the peer's address, or lets go of a port: what a full class waits for. */
static uint32_t freed(const struct flow_chooser *c, uint64_t addr)
{
    return c->flows->freed[flow_freed_of(addr)] + c->ports->freed + c->others->freed;
}

static uint32_t ports_of(const struct flow_chooser *c, struct flow_peer *p)
{
    if (p->size == 0)
        p->size = p->shared ? p->length : flow_class_size(&c->class, p->fixed);
    return p->size;
}

static inline bool walk_briefly(struct flow_chooser *c, struct flow_peer *p, struct flow_key *k)
{
    struct sought s = sought_of(c, k);

    for (uint32_t tries = 0; tries < WALK_BRIEF; tries++) {
        uint16_t port = walk_port(c, p);
        walk_step(c, p);
        if (port_is_free(c, &s, port)) {
            k->lport = port;
            return true;
        }
    }
    return false;
}

/* Over all ports of the class, and in k the oldest that may be reused, 0 if there is none.  True: a
 * free one instead.  Short: only until there is something to reuse. */
static bool walk_all(struct flow_chooser *c, struct flow_peer *p, struct flow_key *k, uint32_t n,
                     bool is_short)
{
    struct sought s = sought_of(c, k);
    uint32_t oldest = 0;
    uint16_t reuse = 0;

    for (uint32_t tries = 0; tries < n && !(is_short && reuse && tries >= WALK_SHORT); tries++) {
        k->lport = walk_port(c, p);
        walk_step(c, p);
        if (port_is_listened(c, k->lport))
            continue;
        const struct flow_node *node = flow_find(c->flows, k, hash_of_port(c, &s, k->lport));
        if (!node)
            return true;
        uint32_t age = node->kind == FLOW_TIME_WAIT && c->reuse ? c->reuse(c->reuse_arg, node) : 0;
        if (age > oldest) {
            oldest = age;
            reuse = k->lport;
        }
    }
    k->lport = reuse;
    return false;
}

/* The first port was taken. */
static MR_NO_INLINE enum flow_choice walk(struct flow_chooser *c, struct flow_peer *p,
                                          struct flow_key *k)
{
    uint32_t now = freed(c, flow_hash_addr(c->flows, k));

    if (p->length == 0 || (p->none && now == p->full_at))
        return FLOW_PORT_NONE;
    if (walk_briefly(c, p, k))
        return FLOW_PORT_FREE;
    uint32_t n = ports_of(c, p);
    bool lately = p->full && now - p->full_at < n / FULL_FOR;
    if (walk_all(c, p, k, n, lately))
        return FLOW_PORT_FREE;
    p->full = true;
    p->none = k->lport == 0;
    if (!lately || p->none)
        p->full_at = now;
    return p->none ? FLOW_PORT_NONE : FLOW_PORT_REUSE;
}

enum flow_choice flow_choose_port(struct flow_chooser *c, struct flow_key *k, be32 laddr)
{
    struct sought s = sought_of(c, k);
    struct flow_peer *p = peer_find(c, &s);

    if (unlikely(!p || p->laddr.raw != laddr.raw))
        p = peer_new(c, k, laddr);
    p->used_at = ++c->clock;
    if (unlikely(c->learns) && learnt_choose(c, p, k))
        return FLOW_PORT_FREE;
    if (likely(p->length && !p->none)) {
        uint16_t port = walk_port(c, p);
        walk_step(c, p);
        if (port_is_free(c, &s, port)) {
            k->lport = port;
            return FLOW_PORT_FREE;
        }
    }
    return walk(c, p, k);
}

void flow_choose_elsewhere(struct flow_chooser *c, const struct flow_key *k)
{
    struct sought s = sought_of(c, k);
    struct flow_peer *p = peer_find(c, &s);

    if (!p || p->shared || p->length == 0)
        return;
    c->counter[p->counter] += p->length - p->column;
    walk_next_row(c, p);
}
