#define _GNU_SOURCE
#include "posix/lock.h"

#include <errno.h>
#include <linux/futex.h>

#include "os/os.h"

#define SPINS 60u
#define ASK_NS 10000000L /* an owner is asked so often whether it lives */

bool px_tid_is_dead(uint32_t tid)
{
    if (sys_tkill((int)tid, 0) == -ESRCH)
        return true;
    /* A process that was killed stays until its parent has waited for it; its descriptor says
     * whether it runs.  Of a thread that is not its process's first there is none, and none is
     * needed: it goes at once. */
    int fd = sys_pidfd_open((int)tid, 0);
    if (fd < 0)
        return fd == -ESRCH;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec now = {0};
    bool over = sys_ppoll(&p, 1, &now, NULL) > 0;
    sys_close(fd);
    return over;
}

static bool spin(_Atomic uint32_t *word)
{
    for (unsigned i = 0; i < SPINS; i++) {
        uint32_t none = 0;
        if (atomic_load_explicit(word, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_weak_explicit(word, &none, px_tid(), memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
        os_relax();
    }
    return false;
}

/* Sleep while the word is seen.  True: it was so for long. */
static bool sleep_while(_Atomic uint32_t *word, uint32_t seen)
{
    struct timespec t = {.tv_nsec = ASK_NS};

    return sys_futex(word, FUTEX_WAIT, seen, &t) == -ETIMEDOUT;
}

bool px_lock_wait(_Atomic uint32_t *word)
{
    const uint32_t mine = px_tid() | PX_LOCK_WAITED;

    if (spin(word))
        return false;
    for (;;) {
        uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
        /* Others may sleep for it, too: whoever has slept leaves the bit. */
        if (seen == 0) {
            if (atomic_compare_exchange_strong_explicit(word, &seen, mine, memory_order_acquire,
                                                        memory_order_relaxed))
                return false;
            continue;
        }
        if (!(seen & PX_LOCK_WAITED) &&
            !atomic_compare_exchange_strong_explicit(word, &seen, seen | PX_LOCK_WAITED,
                                                     memory_order_relaxed, memory_order_relaxed))
            continue;
        seen |= PX_LOCK_WAITED;
        if (sleep_while(word, seen) && px_tid_is_dead(seen & ~PX_LOCK_WAITED) &&
            atomic_compare_exchange_strong_explicit(word, &seen, mine, memory_order_acquire,
                                                    memory_order_relaxed))
            return true;
    }
}

void px_lock_wake(_Atomic uint32_t *word)
{
    sys_futex(word, FUTEX_WAKE, 1, NULL);
}
