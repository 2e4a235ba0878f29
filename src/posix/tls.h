/* posix/tls: what a thread keeps.
 *
 * SIGNALS.  A handler of the program's never runs while its thread is inside a call of ours: it may
 * never come back (iperf3 leaves its handler by longjmp), and what the call holds would be held for
 * ever.  While `call` or `depth` is not 0 ours blocks the signal, sends it to the thread once more,
 * and says so in `deferred`; when the outermost call returns it is let in.
 *
 * A thread that waits inside a call therefore looks at `deferred` before it sleeps and after, and
 * ends the wait with -EINTR; its bell has been rung.  Whether the call begins again is decided
 * where it began (preload/call.h). */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct px_thread {
    uint32_t depth;        /* locks held */
    uint32_t call;         /* calls of the program that have not returned */
    uint32_t deferred;     /* handlers that wait for them; */
    bool hard;             /* one of them without SA_RESTART */
    uint64_t held;         /* signals that are blocked for it, */
    uint64_t masked;       /* and those that the program blocked itself but while it waited */
    uint32_t handled;      /* handlers that ran or were deferred, counted; */
    uint32_t interrupting; /* of those, without SA_RESTART, or deferred */
    int waiter;            /* index + 1 of its px_waiter; 0: none */
    int slot;              /* index + 1 of the slot it has claimed; 0: none */
    uint64_t listens;      /* slots of others for which its epoll sets watch listeners */
    int tid;               /* 0: not asked yet */
    uint64_t round_us; /* when its last wait for many files (epoll_wait, poll) returned: until it
                        * waits again what it sends may wait for company (inst.c); 0: it blocks,
                        * each call sends at once */
    bool round_empty;  /* that wait found nothing */
};
extern _Thread_local struct px_thread px_thread __attribute__((tls_model("initial-exec")));

/* signal.c: let in what was deferred, if neither a lock is held nor a call under way. */
void px_signals_run(void);
/* What sigaction does to the program's eyes: its handler is called through ours.  0 or an error. */
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
