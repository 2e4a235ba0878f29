/* flow/choose: local ports for active opens.
 *
 * THEORY OF OPERATION
 *
 * A port is chosen so that the replies come home (flow/class.h), in a few steps whatever the number
 * of cores, connections, and peers.
 *
 * RFC 6056 3.3.4: for each peer (address, port, and our address) the ports of the class are walked
 * round and round, from a place that is a secret's function of the peer; how far the walk has come
 * is kept in one of 256 counters, chosen by the secret too.  Where the walk stands is also
 * remembered for the peers of late (struct flow_peer), with what it costs to find out: only a peer
 * that is not remembered pays for a keyed hash.  A port is skipped if anybody listens on it, or its
 * four-tuple is in the flow table in whatever role.
 *
 * Nearly always the first port will do.  Else the walk goes on, over the whole class if need be; a
 * class found full is not walked again before a flow with that address has ended, and one whose
 * ports were all taken a moment ago is not walked to its end if a flow in TIME_WAIT may be replaced
 * (RFC 6191).
 *
 * Unknown hashes.  Where a port's queues are chosen by a function nobody knows, home is still ours
 * by law, and replies that arrive elsewhere are passed on.  Then it is worth knowing which ports of
 * the class arrive here by themselves: each SYN-ACK says so of one port (flow_port_learn), and they
 * are preferred from then on (learn.c).  This begins with the first reply that went astray, or when
 * the owner sets `learns`. */
#pragma once

#include "flow/class.h"
#include "flow/flow.h"

#define FLOW_COUNTERS 256u
#define FLOW_PEERS 4096u /* remembered; sets of two */
#define FLOW_LEARNT_BYTES (256u * 1024)

struct flow_peer {
    MR_ALIGNED(CACHE_LINE)
    struct flow_key key;    /* lport 0 */
    be32 laddr;             /* what key.lidx was; the key of an unused one is all zero */
    uint32_t used_at;       /* the chooser's clock */
    uint32_t begin, length; /* the row we stand in (length 0: no port at all) ... */
    uint16_t row, column;   /* ... and where: the next port to try */
    uint16_t fixed;
    uint16_t learnt; /* index + 1 of a struct flow_learnt; 0: none */
    uint8_t counter;
    bool shared; /* the class is the share of no peer (flow_class_shared) */
    bool full;   /* a walk over all found no free port at full_at ... */
    bool none;   /* ... and none to be used again */
    uint32_t full_at;
    uint32_t size; /* of the class, ports; 0: not counted yet */
};
_Static_assert(sizeof(struct flow_peer) == CACHE_LINE, "a peer is one cache line");

/* What is known of a peer's ports, two bits each: head of the bitmaps. */
struct flow_learnt {
    uint32_t owner; /* index of the peer */
    uint32_t good;  /* bits set in the first map: arrived here */
    uint32_t open;  /* bits not set in the second: arrived elsewhere, or there is no such port */
    uint32_t reserved;
    uint64_t bits[];
};

struct flow_chooser {
    const struct flow_table *flows; /* borrowed, as all that is not owned */
    const struct flow_ports *ports;
    const struct port_cores *others;
    struct flow_class class;
    struct flow_peer *peers; /* owned */
    struct sip_key key;
    uint32_t clock;
    uint32_t counter[FLOW_COUNTERS];
    /* May the flow of this node (FLOW_TIME_WAIT) be replaced (RFC 6191)?  0: no; the greatest is
     * taken.  NULL: none may. */
    uint32_t (*reuse)(const void *arg, const struct flow_node *node);
    const void *reuse_arg;
    bool learns;
    struct pool learnt;     /* by capacity 0: nothing is learnt */
    uint8_t *learnt_memory; /* owned: FLOW_LEARNT_BYTES of it */
    uint32_t words;         /* of a bitmap */
    uint32_t hand;          /* the next to be forgotten */
    uint64_t astray;        /* replies that should have come here, and came by mail */
};

/* tcp's: all of it borrowed; cores may lack its law while m measures. */
void flow_chooser_init(struct flow_chooser *c, struct mem *m, const struct flow_table *flows,
                       const struct flow_ports *ports, const struct cores *cores, uint16_t lo,
                       uint16_t hi, const uint64_t secret[2]);

/* The law's table has changed: the classes are others. */
void flow_chooser_law_changed(struct flow_chooser *c);

enum flow_choice {
    FLOW_PORT_NONE,  /* all are taken */
    FLOW_PORT_FREE,  /* in k->lport */
    FLOW_PORT_REUSE, /* taken by a flow in TIME_WAIT that may be replaced */
};

/* A local port for an active open to k->raddr:rport from k->lidx, whose address is laddr. */
enum flow_choice flow_choose_port(struct flow_chooser *c, struct flow_key *k, be32 laddr);
/* Choose from another row of the class (flow/class.h) next time: the ports of one hash to one entry
 * of the law's table. */
void flow_choose_elsewhere(struct flow_chooser *c, const struct flow_key *k);

/* The SYN-ACK for k arrived where it should, or (not direct) went astray. */
void flow_port_learn(struct flow_chooser *c, const struct flow_key *k, bool direct);
