/* drv/cut, private: a received frame that holds many, cut into them again: TCP segments or UDP
 * datagrams that a receive offload, or a sender on this machine, has put into one. */
#pragma once

#include "pkt/pkt.h"

struct cut {
    struct pkt *whole;        /* owned; NULL: nothing is being cut */
    uint32_t l3, l4, payload; /* where they begin, from data */
    uint32_t at;              /* of the next piece */
    uint16_t pieces;          /* so far */
    bool tcp, v6;
};

/* whole has gso_size > 0 and no fragments; it is owned by c until the last piece is out.  False: it
 * is neither TCP nor UDP, and the caller's. */
bool cut_begin(struct cut *c, struct pkt *whole);
/* The next piece, in a packet of the same pool, every length and checksum right; c->whole is NULL
 * after the last.  NULL: the pool has none; ask again. */
struct pkt *cut_next(struct cut *c, csum_fn add);
