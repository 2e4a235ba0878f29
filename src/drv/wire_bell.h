/* drv/wire_bell: an in-memory wire whose ends sleep on descriptors, one for each queue.
 *
 * A bell is anything that is readable once it was written to: an eventfd, or a FIFO that both sides
 * have open for reading and writing. */
#pragma once

#include "nic/memwire.h"

struct wire_bell {
    struct nic_ops ops; /* the wire's, and these */
    struct nic *nic;
    int own[MEMWIRE_QUEUES_MAX];  /* queue k sleeps on own[k] */
    int peer[MEMWIRE_QUEUES_MAX]; /* the other side's */
    unsigned owns, peers;
};

/* Around an end of a wire: the descriptors are there already; none, if it has no bells.
 * nic.owner is b from now on. */
void wire_bell_init(struct wire_bell *b, struct memwire_port *p);
/* As nic_ops.descriptors. */
unsigned wire_bell_descriptors(struct wire_bell *b, int **fds, unsigned max);
/* Close all of them. */
void wire_bell_close(struct wire_bell *b);
