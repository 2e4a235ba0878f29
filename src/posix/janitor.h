/* posix/janitor: who looks after what processes leave: inside session*.c and janitor*.c.
 *
 * THEORY OF OPERATION
 *
 * The janitor sleeps until one of these has something for it:
 *
 *      its bell            a process came, a slot was claimed or given up, an instance was left
 *      a process (pidfd)   has died: its descriptors are closed, its slots go
 *      an instance         of nobody: the janitor attends it, on its port, its bell, its deadline
 *      the control socket  a question
 *
 * Instances of others it only watches.  Each tick it looks at every one:
 *
 *      attended            a thread sleeps for it: well, unless its port has had something for two
 *                          ticks, or it is long past its deadline: then its thread was stopped
 *      turned since        its thread polls
 *      else                its thread computes: the janitor turns it
 *
 * Ticks are a millisecond apart while it finds instances that wait for it, and twice as long each
 * time when it does not.  When nobody has turned anything for a second it sleeps on all ports,
 * once, and without a tick: an idle session costs nothing. */
#pragma once

#include "posix/session.h"

/* Give what is not some claimed slot's to claimed ones, and each about as much, moving as few
 * entries as can be; how many were moved.  claimed 0: none. */
unsigned janitor_share(uint16_t *table, unsigned entries, uint64_t claimed);

/* The law follows the claims, then the instances, then the port.  By the janitor; where there is
 * none, by whoever claims. */
void janitor_rebalance(void);
/* The law gives the slot something. */
bool janitor_law_names(unsigned slot);
