/* Private to wait*.c, epoll.c, poll.c, select.c. */
#pragma once

#include "posix/pools.h"

#include <errno.h>
#include <sys/mman.h>

#define WAIT_EXTRA (2 + 2 * PX_SLOTS_MAX) /* what is slept on besides the caller's */
#define WAIT_ROOM (WAIT_EXTRA + 64)       /* pollfds on the stack */
#define WAIT_FOREIGN_US 200 /* an instance turned within so long has somebody who turns it */

/* Turn the calling thread's instance, and of `slots` those that nobody turns.  goes_on: what its
 * round has queued may wait for more.  The time. */
uint64_t wait_turn(uint64_t slots, bool goes_on);
/* A wait for many files is over: what is sent until the next one, or for a while, goes together.
 * empty: it found nothing. */
void wait_round(uint64_t now, bool empty);
/* A program that looks without waiting has more to do in this round, unless it only looks. */
bool wait_goes_on(int64_t timeout_us);

/* poll.c: poll, for select: HUP and ERR of those that are listed only where `always` says so. */
struct poll_call {
    struct pollfd *p;
    unsigned n;
    uint32_t *file; /* by index into p: of ours; 0: the kernel's */
    struct pollfd *kernel;
    uint32_t *back; /* of each in kernel: index into p */
    unsigned kernels;
    bool select;
};
/* Bytes of memory for n descriptors, and its parts. */
size_t poll_bytes(unsigned n);
void poll_parts(struct poll_call *c, void *memory, unsigned n);
int poll_run(struct poll_call *c, int64_t timeout_us, const sigset_t *mask);
/* Is it one that the kernel does not know everything of? */
static inline bool poll_is_ours(int fd)
{
    return file_peek(fd) || session_hides(fd);
}
