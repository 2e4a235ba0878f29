/* flow/home: which core a flow belongs to.
 *
 * THEORY OF OPERATION
 *
 * Every flow has one home core, by a law that all cores know:
 *
 *     home(flow) = rss.table[Toeplitz(peer -> us) & mask]
 *
 * A NIC whose key and table are those of the law delivers every packet at home, and no core ever
 * hears of another.  That is the fast case, and an optimisation only: the law is ours, what the NIC
 * does is a guess at it.  A packet that lands elsewhere and finds no connection there is passed on
 * to its home by mail, whether the NIC's hash is unknown, wrong, absent, or was changed a second
 * ago.
 *
 * The table may change while the program runs (cores take part, and leave), and each core learns of
 * it at a turn of its own.  It has a copy, and remembers of every entry whose it was before and
 * when that changed: for a while (HOME_GRACE_US) what is not found at the new home is looked for
 * at the old one, and nobody says that it does not exist, or that it may begin.  Whoever sees all
 * cores may know that they are through with it, and says so: then flows begin (home_settle).
 *
 * Who lives away from home (a connection bound to a port that hashes elsewhere, or accepted by the
 * only core that listens) is registered at its home, which passes packets on (tcp/away.c).
 *
 * `ports` says for every TCP and UDP port which cores have a listener (an endpoint) there; every
 * core has its own copy, kept up by mail. */
#pragma once

#include "base/addr.h"
#include "mail/mail.h"
#include "mem/mem.h"
#include "nic/rss.h"
#include "time/time.h"

#define CORES_MAX MAIL_CORES_MAX

/* So long after an entry has changed its core, a flow may be known only to the core before. */
#define HOME_GRACE_US USEC_PER_SEC

struct home_law {
    struct rss rss;                  /* table entries are cores */
    uint16_t was[RSS_TABLE_MAX];     /* by entry: its core before the last change, */
    instant came_at[RSS_TABLE_MAX];  /* to which it had come then, */
    instant moved_at[RSS_TABLE_MAX]; /* and when that was */
};

struct home {
    const struct rss *law; /* borrowed, until home_init: then our own copy */
    unsigned self, cores;
    unsigned entries;          /* of the table, that are ours */
    struct home_law *own;      /* owned; NULL: alone */
    instant moving_until;      /* until then entries may have changed so lately that it matters */
    bool settled;              /* not to who begins a flow: home_settle */
    const instant *changed_at; /* borrowed, by entry: when it came to its core, by who writes the
                                * law, for one who begins later; NULL: long ago */
};

/* h->law, self and cores are given: the law is copied.  Carves nothing with one core. */
void home_init(struct home *h, struct mem *m);
/* Key and number of entries are as before; law may be written meanwhile by another thread, entry by
 * entry, if we are called again afterwards.  False: nothing has changed for us; others may have
 * acted on a table that we never saw. */
bool home_set_law(struct home *h, const struct rss *law, instant now);

/* Every core has read the table as it is, and who lives away has been registered by it: whoever is
 * home can say who may begin a flow.  What is under way is looked for as before. */
void home_settle(struct home *h);

/* Is there anybody else? */
static inline bool home_is_shared(const struct home *h)
{
    return h->cores > 1;
}

/* raddr:rport is the peer, laddr:lport ours. */
static inline unsigned home_of_flow(const struct home *h, be32 raddr, be32 laddr, uint16_t rport,
                                    uint16_t lport)
{
    return rss_queue(h->law, rss_hash_flow(h->law, raddr, laddr, rport, lport));
}
static inline uint32_t home_hash(const struct home *h, be32 raddr, be32 laddr, uint16_t rport,
                                 uint16_t lport)
{
    return rss_hash_flow(h->law, raddr, laddr, rport, lport);
}
/* The core that was home to the flows of this hash before the present one; the present one, if that
 * did not change lately. */
static inline unsigned home_was(const struct home *h, uint32_t hash, instant now)
{
    uint32_t e = hash & h->law->mask;

    if (likely(now >= h->moving_until) || now - h->own->moved_at[e] >= HOME_GRACE_US)
        return h->law->table[e];
    return h->own->was[e];
}
/* How long that core was home. */
static inline uint64_t home_stay(const struct home *h, uint32_t hash)
{
    uint32_t e = hash & h->law->mask;

    return h->own->moved_at[e] - h->own->came_at[e];
}
/* Fragments meet here. */
static inline unsigned home_of_pair(const struct home *h, be32 raddr, be32 laddr)
{
    return rss_queue(h->law, rss_hash_pair(h->law, raddr, laddr));
}

/* ---- who has a port ------------------------------------------------------------------ */

enum port_kind {
    PORT_TCP,        /* listens */
    PORT_TCP_PAUSED, /* would listen, and takes no SYN now */
    PORT_UDP,        /* has an endpoint without a peer */
    PORT_UDP_AWAY,   /* has one with a peer, and the flow's home is another core */
    PORT_KINDS
};

struct port_cores {
    uint64_t *mask[PORT_KINDS]; /* by port: bit c: core c has it; 512 KB each, nearly all untouched;
                                 * NULL when there is one core */
    uint64_t *any[PORT_KINDS];  /* bit by port: its mask is not 0 */
    uint32_t freed;             /* ports that nobody has any more */
    /* What each other core must still be told: bit by port, and how many bits are set.  Ours is
     * not used. */
    uint64_t *news[CORES_MAX][PORT_KINDS];
    uint32_t news_n[CORES_MAX];
    uint64_t untold; /* bit c: there is something to tell core c */
    unsigned self, cores;
};

/* Carves nothing with one core. */
void port_cores_init(struct port_cores *p, struct mem *m, const struct home *h);
/* We have it now, or no longer; every other core is to be told.  Nothing changes: nothing said. */
void port_cores_set_own(struct port_cores *p, enum port_kind kind, uint16_t port, bool have);
/* Core says so. */
void port_cores_set(struct port_cores *p, unsigned core, enum port_kind kind, uint16_t port,
                    bool have);
/* What to tell core next; false: nothing.  Stays until port_cores_told. */
bool port_cores_news(const struct port_cores *p, unsigned core, enum port_kind *kind,
                     uint16_t *port, bool *have);
void port_cores_told(struct port_cores *p, unsigned core, enum port_kind kind, uint16_t port);

/* Core has begun anew: forget what it had, and tell it again what we have. */
void port_cores_reborn(struct port_cores *p, unsigned core);

/* The first of the cores that have the port, from `from` on, that is neither we nor `but`;
 * CORES_MAX: none. */
unsigned port_cores_next(const struct port_cores *p, enum port_kind kind, uint16_t port,
                         unsigned from, unsigned but);
/* One of the other cores that have the port, the same for the same hash; self if none has.  Who
 * asks has looked at home: its own bit says only that it has the port at another address. */
unsigned port_cores_pick(const struct port_cores *p, enum port_kind kind, uint16_t port,
                         uint32_t hash);
static inline bool port_cores_elsewhere(const struct port_cores *p, enum port_kind kind,
                                        uint16_t port)
{
    return p->mask[kind] && (p->mask[kind][port] & ~(UINT64_C(1) << p->self)) != 0;
}

/* ---- all a stack knows of the others --------------------------------------------------- */

struct cores {
    struct home home;
    struct mail *mail;       /* borrowed; NULL: alone */
    struct port_cores ports; /* ours, kept up by mail */
    uint64_t unannounced;    /* bit c: core c must first hear that we have begun anew */
    instant quiet_until;     /* until then we may not know what others have */
};
