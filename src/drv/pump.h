/* drv/pump: a port that several processes use, in front of one that only one process can.
 *
 *      programs                          the pump, a process
 *      slot 0 <--> queue 0 \                                        \
 *      slot 1 <--> queue 1  } side 1 == in-memory wire == side 0 <--> } the real port
 *      slot 2 <--> queue 2 /                                        /
 *
 * AF_XDP's memory, DPDK's and a packet socket's ring belong to the process that opened them, and
 * their drivers may be modules that others do not have.  So a process of its own opens the real
 * port, with one queue, and moves frames between it and a wire, in memory that all share; to
 * programs the port is side 1 of that wire, with a queue for each slot and a rule for spreading
 * that holds from the next frame on.  It costs one copy and one process in between; offloads are
 * what the real port has, both ways.
 *
 * The pump begins as a grandchild of who opens the port, so that no program has it as a child.
 * It ends when the port is closed or the last descriptor of its control is; asleep it costs
 * nothing.  A second process waits for its end and tells programs, however it came. */
#pragma once

#include "drv/dev.h"

/* Bytes of m that pump_open carves at most. */
size_t pump_bytes(const struct dev_config *c);
/* c: as for the real kind, but queues is how many slots there are, steer how frames are to be
 * spread over them, and memory is needed: of a mapping that is shared with children already, as
 * m's.  The calling process has one thread.  NULL, and one line in why. */
struct nic *pump_open(struct mem *m, const struct dev_kind *real, const struct dev_config *c,
                      char *why, size_t n);
