/* The program's signal handlers, called through one of ours; tls.h says when. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <ucontext.h>

#include "posix/sys.h"
#include "posix/tls.h"
#include "posix/wait.h"

#define SIGNALS 65u
#define SA_LIBC_RESTORER 0x04000000

/* The program's actions as it gave them.  A process has its own: they are not in the segment. */
static struct {
    _Atomic uint32_t lock;
    _Atomic uint64_t ours; /* bit sig - 1: the kernel has our handler for it */
    struct sigaction act[SIGNALS];
} table;

static uint64_t bit(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

/* sigaction may be called in handlers; none runs while `call` is not 0. */
static void table_lock(void)
{
    px_thread.call++;
    while (atomic_exchange_explicit(&table.lock, 1, memory_order_acquire))
        __builtin_ia32_pause();
}

static void table_unlock(void)
{
    atomic_store_explicit(&table.lock, 0, memory_order_release);
    if (--px_thread.call == 0 && px_thread.deferred)
        px_signals_run();
}

/* ---- a signal arrives ------------------------------------------------------------------------ */

/* Faults of what the thread is doing this moment cannot wait, nor can abort(). */
static bool is_synchronous(int sig, const siginfo_t *info)
{
    switch (sig) {
    case SIGABRT:
    case SIGTRAP:
        return true;
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSYS:
        return info->si_code > 0;
    default:
        return false;
    }
}

/* What the kernel does with a call of its own on return from this handler, ours is told by the
 * bell: the wait it is in, or is about to begin, ends. */
static void defer(int sig, siginfo_t *info, ucontext_t *uc, int flags)
{
    uint64_t blocked;

    __builtin_memcpy(&blocked, &uc->uc_sigmask, sizeof(blocked));
    /* Blocked there although it was delivered: ppoll and its like, which restore the mask. */
    if (blocked & bit(sig))
        px_thread.masked |= bit(sig);
    else
        px_thread.held |= bit(sig);
    blocked |= bit(sig);
    __builtin_memcpy(&uc->uc_sigmask, &blocked, sizeof(blocked));
    /* Blocked now, too: with SA_NODEFER it would come at once. */
    blocked = bit(sig);
    sys_rt_sigprocmask(SIG_BLOCK, &blocked, NULL);
    sys_call4(SYS_rt_tgsigqueueinfo, sys_getpid(), sys_gettid(), sig, (long)info);
    if (!(flags & SA_RESTART))
        px_thread.hard = true;
    px_thread.deferred++;
    px_thread.handled++;
    px_thread.interrupting++;
    if (px_thread.waiter)
        wait_kick(UINT64_C(1) << (px_thread.waiter - 1));
}

/* SA_RESETHAND is kept from the kernel, which would reset at a delivery that we put off. */
static struct sigaction take_action(int sig)
{
    struct sigaction act;

    table_lock();
    act = table.act[sig];
    if (act.sa_flags & (int)SA_RESETHAND) {
        struct sigaction none = {.sa_handler = SIG_DFL};
        atomic_fetch_and(&table.ours, ~bit(sig));
        table.act[sig].sa_handler = SIG_DFL;
        sigaction(sig, &none, NULL);
    }
    table_unlock();
    return act;
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
    struct sigaction act;

    if ((px_thread.depth || px_thread.call) && !is_synchronous(sig, info)) {
        defer(sig, info, uc, table.act[sig].sa_flags);
        return;
    }
    if (px_thread.depth || px_thread.call)
        act = table.act[sig];
    else
        act = take_action(sig);
    px_thread.handled++;
    if (!(act.sa_flags & SA_RESTART))
        px_thread.interrupting++;
    if (act.sa_flags & SA_SIGINFO)
        act.sa_sigaction(sig, info, uc);
    else if (act.sa_handler != SIG_DFL && act.sa_handler != SIG_IGN)
        act.sa_handler(sig);
}

void px_signals_run(void)
{
    uint64_t held = px_thread.held, masked = px_thread.masked, both = held | masked;

    if (px_thread.call || px_thread.depth)
        return;
    px_thread.held = px_thread.masked = 0;
    px_thread.deferred = 0;
    px_thread.hard = false;
    /* They are pending for this thread: their handlers run before this returns. */
    sys_rt_sigprocmask(SIG_UNBLOCK, &both, NULL);
    if (masked)
        sys_rt_sigprocmask(SIG_BLOCK, &masked, NULL);
}

/* ---- sigaction ------------------------------------------------------------------------------- */

static bool is_handler(const struct sigaction *a)
{
    return (a->sa_flags & SA_SIGINFO) || (a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN);
}

static int ask_kernel(int sig, const struct sigaction *act, struct sigaction *old)
{
    int saved = errno, rc = sigaction(sig, act, old) == 0 ? 0 : -errno;

    errno = saved;
    return rc;
}

static int set_handler(int sig, const struct sigaction *act, struct sigaction *kernels)
{
    struct sigaction our = *act, before = table.act[sig];
    int rc;

    our.sa_sigaction = on_signal;
    our.sa_flags = (act->sa_flags | SA_SIGINFO) & ~(int)SA_RESETHAND;
    table.act[sig] = *act;
    rc = ask_kernel(sig, &our, kernels);
    if (rc == 0)
        atomic_fetch_or(&table.ours, bit(sig));
    else
        table.act[sig] = before;
    return rc;
}

/* libc tells of its own flag and of the mask that the kernel made of the program's. */
static void show(struct sigaction *kernels, const struct sigaction *shown)
{
    kernels->sa_sigaction = shown->sa_sigaction;
    kernels->sa_flags = shown->sa_flags | (kernels->sa_flags & SA_LIBC_RESTORER);
}

int px_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    struct sigaction kernels = {0}, given = {0}, shown;
    int rc;

    if (sig < 1 || sig >= (int)SIGNALS)
        return -EINVAL;
    if (act)
        given = *act; /* act and old may be one */
    table_lock();
    shown = table.act[sig];
    if (act && is_handler(&given)) {
        rc = set_handler(sig, &given, &kernels);
    } else {
        rc = ask_kernel(sig, act ? &given : NULL, &kernels);
        if (rc == 0 && act)
            atomic_fetch_and(&table.ours, ~bit(sig));
    }
    table_unlock();
    if (rc == 0 && old) {
        *old = kernels;
        if (kernels.sa_sigaction == on_signal)
            show(old, &shown);
    }
    return rc;
}
