/* posix/lock: a lock in the session's memory, between threads of any process.
 *
 * The word is its owner's thread id, 0 when it is free; bit 31 says that somebody sleeps for it.
 * Free, it costs one compare-and-exchange to take and one exchange to give back.  Who waits looks
 * at it for some microseconds, then sleeps, and asks every 10 ms whether the owner still lives:
 * a thread that was killed holds its locks for nobody.
 *
 * While a thread holds one no handler of the program's signals runs in it (tls.h). */
#pragma once

#include <stdatomic.h>

#include "base/types.h"
#include "posix/sys.h"
#include "posix/tls.h"

#define PX_LOCK_WAITED 0x80000000u

/* The calling thread's id. */
static inline uint32_t px_tid(void)
{
    if (unlikely(px_thread.tid == 0))
        px_thread.tid = sys_gettid();
    return (uint32_t)px_thread.tid;
}

/* True: the owner has died in the midst of what it did, and the lock is ours: repair what it
 * guards. */
bool px_lock_wait(_Atomic uint32_t *word) MR_MUST_CHECK;
void px_lock_wake(_Atomic uint32_t *word);
/* Is there no such thread, or is it what is left of a process that nobody has waited for? */
bool px_tid_is_dead(uint32_t tid);

/* As px_lock_wait. */
MR_MUST_CHECK static inline bool px_lock(_Atomic uint32_t *word)
{
    uint32_t none = 0;

    px_lock_depth();
    if (likely(atomic_compare_exchange_strong_explicit(word, &none, px_tid(), memory_order_acquire,
                                                       memory_order_relaxed)))
        return false;
    return px_lock_wait(word);
}
/* False: it is another's. */
MR_MUST_CHECK static inline bool px_lock_try(_Atomic uint32_t *word)
{
    uint32_t none = 0;

    px_lock_depth();
    if (atomic_compare_exchange_strong_explicit(word, &none, px_tid(), memory_order_acquire,
                                                memory_order_relaxed))
        return true;
    px_unlock_depth();
    return false;
}
static inline void px_unlock(_Atomic uint32_t *word)
{
    if (unlikely(atomic_exchange_explicit(word, 0, memory_order_release) & PX_LOCK_WAITED))
        px_lock_wake(word);
    px_unlock_depth();
}
static inline bool px_lock_is_mine(const _Atomic uint32_t *word)
{
    return (atomic_load_explicit(word, memory_order_relaxed) & ~PX_LOCK_WAITED) == px_tid();
}
