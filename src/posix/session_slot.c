/* Slots: which thread has which instance. */
#include <linux/futex.h>

#include "base/bits.h"
#include "os/os.h"
#include "posix/file.h"
#include "posix/janitor.h"
#include "posix/session_int.h"

#define LAW_US 20000u /* the janitor gets so long to let a new slot have its share */

void session_ring(void)
{
    os_bell_ring(px_session->janitor_bell);
}

static void changed(void)
{
    atomic_fetch_add(&px_session->claims, 1);
    session_ring();
}

/* ---- giving back ------------------------------------------------------------------------ */

/* Nobody else may claim it before its listeners know that it was left: they would leave him, too.
 * And whoever is killed in the midst of this has it still, so that the janitor does all of it. */
void session_slot_release(unsigned slot)
{
    struct px_inst *i = &px_session->inst[slot];

    atomic_store(&i->attendant, 0);
    atomic_fetch_and(&px_session->claimed, ~(UINT64_C(1) << slot));
    listeners_left(slot);
    atomic_fetch_add(&px_session->claims, 1);
    atomic_store(&i->pid, 0);
    atomic_store(&i->tid, 0);
    session_ring();
}

void session_unattend(unsigned waiter)
{
    for (unsigned k = 0; k < px_session->slots; k++) {
        uint32_t his = waiter + 1;
        atomic_compare_exchange_strong(&px_session->inst[k].attendant, &his, 0);
    }
}

static void waiter_release(unsigned k)
{
    struct px_waiter *w = &px_session->waiter[k];

    session_unattend(k);
    atomic_store(&w->slot, -1);
    atomic_store(&w->sleeping, 0);
    atomic_store(&w->pid, 0);
    atomic_store(&w->tid, 0);
}

void session_slots_release(int pid)
{
    for (unsigned k = 0; k < px_session->slots; k++)
        if (atomic_load(&px_session->inst[k].pid) == pid)
            session_slot_release(k);
    for (unsigned k = 0; k < PX_WAITERS; k++)
        if (atomic_load(&px_session->waiter[k].pid) == pid)
            waiter_release(k);
}

void session_thread_ends(void)
{
    if (!px_session)
        return;
    if (px_thread.slot)
        session_slot_release((unsigned)px_thread.slot - 1);
    if (px_thread.waiter)
        waiter_release((unsigned)px_thread.waiter - 1);
    px_thread.slot = px_thread.waiter = 0;
}

/* ---- claiming --------------------------------------------------------------------------- */

static bool claim(unsigned slot)
{
    struct px_inst *i = &px_session->inst[slot];
    int32_t none = 0;

    if (atomic_load_explicit(&i->tid, memory_order_relaxed) ||
        !atomic_compare_exchange_strong(&i->tid, &none, (int32_t)px_tid()))
        return false;
    atomic_store(&i->pid, sys_getpid());
    atomic_fetch_or(&px_session->claimed, UINT64_C(1) << slot);
    px_thread.slot = (int)slot + 1;
    if (px_thread.waiter)
        atomic_store(&px_session->waiter[px_thread.waiter - 1].slot, (int32_t)slot);
    session_thread_keeps();
    changed();
    return true;
}

bool session_is_looked_after(void)
{
    int32_t janitor = atomic_load(&px_session->janitor_pid);
    int32_t guard = atomic_load(&px_session->guard_pid);

    if (!janitor)
        return false;
    return !px_tid_is_dead((uint32_t)janitor) || (guard && !px_tid_is_dead((uint32_t)guard));
}

void session_look_for_janitor(void)
{
    int32_t janitor = atomic_load(&px_session->janitor_pid);

    if (!janitor || session_is_looked_after() ||
        !atomic_compare_exchange_strong(&px_session->janitor_pid, &janitor, 0))
        return;
    session_say(
        "the session's janitor and its guard were killed: programs go on, but nobody answers "
        "for those that are busy or stopped, nor closes what those have that die");
}

/* Until the law names it, connections that this thread makes would live away from home. */
static void wait_for_law(unsigned slot)
{
    uint64_t until = os_now_us() + LAW_US;
    uint32_t g;

    session_look_for_janitor();
    while (g = atomic_load(&px_session->law_generation), !janitor_law_names(slot)) {
        struct timespec t = {.tv_nsec = LAW_US * 1000L};
        if (!atomic_load(&px_session->janitor_pid))
            janitor_rebalance();
        else if (os_now_us() >= until)
            return;
        else
            sys_futex(&px_session->law_generation, FUTEX_WAIT, g, &t);
    }
}

/* Of these slots, by bit, which others have: one of the process pid, else the one with the fewest
 * files.  NULL: there is none. */
static struct px_inst *share(uint64_t slots, int pid)
{
    struct px_inst *best = NULL;

    for (; slots; slots &= slots - 1) {
        struct px_inst *i = &px_session->inst[lowest_bit(slots)];
        bool ours = atomic_load(&i->pid) == pid;
        bool best_ours = best && atomic_load(&best->pid) == pid;
        if (!best || (ours && !best_ours) ||
            (ours == best_ours && atomic_load(&i->files) < atomic_load(&best->files)))
            best = i;
    }
    return best;
}

struct px_inst *session_mine(void)
{
    if (likely(px_thread.slot))
        return &px_session->inst[px_thread.slot - 1];
    for (unsigned k = 0; k < px_session->slots; k++)
        if (claim(k)) {
            wait_for_law(k);
            return &px_session->inst[k];
        }
    return share(UINT64_MAX >> (64 - px_session->slots), sys_getpid());
}

bool session_is_fork;

struct px_inst *session_any(void)
{
    struct px_inst *i = NULL;

    if (!px_thread.slot && session_is_fork)
        i = share(atomic_load(&px_session->claimed), -1);
    return i ? i : session_mine();
}

struct px_inst *session_mine_if(void)
{
    return px_thread.slot ? &px_session->inst[px_thread.slot - 1] : NULL;
}
