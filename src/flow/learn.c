/* Which ports of a peer's class arrive here by themselves.
 *
 * For each of a bounded number of peers two bitmaps over the places of its class, row by row:
 *
 *     good   the last SYN-ACK for it arrived here
 *     shut   it arrived elsewhere, or the place is a hole
 *
 * Places in neither have not been tried.  While few are known to be good, whatever is not shut is
 * tried in its turn; later the good ones alone, as long as they are free.  A hash that is stable is
 * so learnt within one round over the class at most, whatever it is; if it changes, the good ones
 * are found to be good no longer; and when all are shut it begins anew. */
#include "flow/choose_int.h"

/* Enough of them to go round without using one again at once. */
#define GOOD_ENOUGH 16u
/* Candidates that may turn out to be in use before we take what comes. */
#define TRIES 8u
/* A poor key makes rectangles that are nearly all holes: nothing is learnt of such ones. */
#define PLACES_MAX 65536u

static uint32_t places(const struct flow_chooser *c)
{
    return c->class.rows * c->class.columns;
}

void learnt_init(struct flow_chooser *c, struct mem *m)
{
    if (!home_is_shared(c->class.home))
        return;
    c->learnt_memory = mem_carve(m, FLOW_LEARNT_BYTES, CACHE_LINE);
    if (!mem_is_measuring(m))
        learnt_begin(c);
}

void learnt_begin(struct flow_chooser *c)
{
    c->learnt = (struct pool){0};
    c->words = c->hand = 0;
    if (!c->learnt_memory || places(c) == 0 || places(c) > PLACES_MAX)
        return;
    c->words = (places(c) + 63) / 64;
    size_t size = sizeof(struct flow_learnt) + (size_t)2 * c->words * sizeof(uint64_t);
    size = align_up(size, CACHE_LINE);
    struct mem part = {.base = c->learnt_memory, .size = FLOW_LEARNT_BYTES};
    pool_init(&c->learnt, &part, (uint32_t)(FLOW_LEARNT_BYTES / size), size, CACHE_LINE);
}

static uint64_t *good_of(struct flow_learnt *l)
{
    return l->bits;
}
static uint64_t *shut_of(const struct flow_chooser *c, struct flow_learnt *l)
{
    return l->bits + c->words;
}

static struct flow_learnt *learnt_of(const struct flow_chooser *c, const struct flow_peer *p)
{
    return p->learnt ? pool_at(&c->learnt, p->learnt - 1u) : NULL;
}

void learnt_forget(struct flow_chooser *c, struct flow_peer *p)
{
    if (p->learnt)
        pool_put(&c->learnt, learnt_of(c, p));
    p->learnt = 0;
}

static void clear(const struct flow_chooser *c, struct flow_learnt *l, const struct flow_peer *p)
{
    uint64_t *shut = shut_of(c, l);

    memset(l->bits, 0, (size_t)2 * c->words * sizeof(uint64_t));
    l->good = l->open = 0;
    for (uint32_t row = 0; row < c->class.rows; row++) {
        uint32_t begin, length = flow_class_row(&c->class, p->fixed, row, &begin);
        l->open += length;
        for (uint32_t i = length; i < c->class.columns; i++) {
            uint32_t at = row * c->class.columns + i;
            shut[at / 64] |= UINT64_C(1) << at % 64;
        }
    }
    for (uint32_t at = places(c); at < 64 * c->words; at++)
        shut[at / 64] |= UINT64_C(1) << at % 64;
}

/* With none left, the one that the hand points at is given up for it. */
static struct flow_learnt *learnt_new(struct flow_chooser *c, struct flow_peer *p)
{
    if (c->learnt.capacity == 0)
        return NULL;
    if (pool_available(&c->learnt) == 0) {
        const struct flow_learnt *old = pool_at(&c->learnt, c->hand++ % c->learnt.capacity);
        learnt_forget(c, &c->peers[old->owner]);
    }
    struct flow_learnt *l = pool_get(&c->learnt);
    l->owner = (uint32_t)(p - c->peers);
    p->learnt = (uint16_t)(pool_index(&c->learnt, l) + 1);
    clear(c, l, p);
    return l;
}

/* ---- choosing ------------------------------------------------------------------------ */

enum among { AMONG_GOOD, AMONG_OPEN, AMONG_UNTRIED };

static uint64_t word_of(const struct flow_chooser *c, struct flow_learnt *l, enum among among,
                        uint32_t w)
{
    switch (among) {
    case AMONG_GOOD:
        return good_of(l)[w];
    case AMONG_OPEN:
        return ~shut_of(c, l)[w];
    case AMONG_UNTRIED:
        return ~shut_of(c, l)[w] & ~good_of(l)[w];
    }
    return 0;
}

/* The first place at or behind `from`, round and round; places: there is none. */
static uint32_t next_place(const struct flow_chooser *c, struct flow_learnt *l, enum among among,
                           uint32_t from)
{
    uint32_t w = from / 64;
    uint64_t word = word_of(c, l, among, w) & ~UINT64_C(0) << from % 64;

    for (uint32_t n = 0; n <= c->words; n++) {
        if (word)
            return w * 64 + lowest_bit(word);
        w = w + 1 == c->words ? 0 : w + 1;
        word = word_of(c, l, among, w);
    }
    return places(c);
}

static bool choose_among(struct flow_chooser *c, struct flow_peer *p, struct flow_learnt *l,
                         enum among among, struct flow_key *k)
{
    struct sought s = sought_of(c, k);

    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint32_t at = next_place(c, l, among, p->row * c->class.columns + p->column);
        if (at == places(c))
            return false;
        (void)walk_enter(&c->class, p, at);
        uint16_t port = walk_port(c, p);
        walk_step(c, p);
        if (port_is_free(c, &s, port)) {
            k->lport = port;
            return true;
        }
    }
    return false;
}

bool learnt_choose(struct flow_chooser *c, struct flow_peer *p, struct flow_key *k)
{
    struct flow_learnt *l = learnt_of(c, p);

    if (!l || p->shared)
        return false;
    if (l->good < GOOD_ENOUGH)
        return choose_among(c, p, l, AMONG_OPEN, k);
    return choose_among(c, p, l, AMONG_GOOD, k) || choose_among(c, p, l, AMONG_UNTRIED, k);
}

/* ---- learning ------------------------------------------------------------------------ */

static void mark(struct flow_chooser *c, struct flow_learnt *l, uint32_t place, bool direct)
{
    uint64_t *good = &good_of(l)[place / 64], *shut = &shut_of(c, l)[place / 64];
    uint64_t bit = UINT64_C(1) << place % 64;

    l->good -= *good & bit ? 1 : 0;
    l->open += *shut & bit ? 1 : 0;
    *good &= ~bit;
    *shut &= ~bit;
    if (direct) {
        *good |= bit;
        l->good++;
    } else {
        *shut |= bit;
        l->open--;
    }
}

void flow_port_learn(struct flow_chooser *c, const struct flow_key *k, bool direct)
{
    uint32_t row, column;

    if (direct && likely(!c->learns))
        return;
    struct sought s = sought_of(c, k);
    struct flow_peer *p = peer_find(c, &s);
    /* A port of another class is away from home and its replies come by mail: nothing new. */
    if (!p || p->shared || !flow_class_find(&c->class, p->fixed, k->lport, &row, &column))
        return;
    c->astray += !direct;
    c->learns = true;
    struct flow_learnt *l = learnt_of(c, p);
    if (!l)
        l = learnt_new(c, p);
    if (!l)
        return;
    mark(c, l, row * c->class.columns + column, direct);
    if (l->open == 0)
        clear(c, l, p);
}
