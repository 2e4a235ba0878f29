/* posix/tls: what a thread keeps. */
#pragma once

#include <signal.h>
#include <stdint.h>

#define PX_DEFERRED 16

struct px_thread {
    uint32_t depth;    /* locks held: the program's signal handlers wait until it is 0 */
    uint32_t deferred; /* signals that came meanwhile */
    siginfo_t signal[PX_DEFERRED];
    uint32_t handled;      /* handlers that have run, counted; */
    uint32_t interrupting; /* of those, without SA_RESTART */
    int waiter;            /* index + 1 of its px_waiter; 0: none */
    int slot;              /* index + 1 of the slot it has claimed; 0: none */
    int tid;               /* 0: not asked yet */
    uint64_t round_us; /* when its last wait for many files (epoll_wait, poll) returned: until it
                           * waits again, or some 200 us have passed, what it sends is sent
                           * together; 0: it blocks, each call sends at once */
};
extern _Thread_local struct px_thread px_thread __attribute__((tls_model("initial-exec")));

/* signal.c: run what was deferred; depth is 0. */
void px_signals_run(void);
/* What sigaction does to the program's eyes: its handler is called through ours, which puts it off
 * while depth is not 0, counts, and wakes a wait that was about to sleep. */
int px_sigaction(int sig, const struct sigaction *act, struct sigaction *old);

static inline void px_lock_depth(void)
{
    px_thread.depth++;
    __asm__ volatile("" ::: "memory");
}
static inline void px_unlock_depth(void)
{
    __asm__ volatile("" ::: "memory");
    if (--px_thread.depth == 0 && px_thread.deferred)
        px_signals_run();
}
