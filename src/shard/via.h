/* shard/via: a port for a core that has no queue of its own.
 *
 * Where a port has fewer queues than there are cores, what a core without one sends goes as letters
 * to a core that has one, which puts the frames out through its own; what it receives comes as
 * every packet does that arrived at the wrong core.
 *
 *     core 2: stack -> via -- MAIL_FRAME --> core 0: shard -> its queue of the port
 *
 * A full ring refuses frames as a full queue does; they wait.  Letters hold no segments larger than
 * the MTU: what is cut up is cut before. */
#pragma once

#include "mail/mail.h"
#include "nic/nic.h"

struct via {
    struct nic nic;
    struct nic_stats stats;
    struct mail *mail; /* borrowed */
    unsigned to;       /* the core whose queue is used */
};

/* port: the one whose queues the others have. */
void via_init(struct via *v, const struct nic *port, struct mail *mail, unsigned to);

/* ---- where the queue is -------------------------------------------------------------- */

/* Bytes of memory for via_pool_init. */
size_t via_pool_bytes(uint32_t mtu);
/* Packets for frames out of letters. */
void via_pool_init(struct pkt_pool *p, struct mem *m, uint32_t mtu);
/* The frame of a MAIL_FRAME letter, ready for a port; its netif is the sender's.  NULL: no packet
 * for it. */
struct pkt *via_frame(struct pkt_pool *p, const struct letter *l);
