/* sigaction and the older names for it.
 *
 * SIGCANCEL and SIGSETXID are libc's own and are refused by its sigaction. */
#include "preload/call.h"

WRAPPER(int, sigaction, (int sig, const struct sigaction *act, struct sigaction *old))
{
    return px_session ? (int)answer(px_sigaction(sig, act, old)) : NEXT(sigaction)(sig, act, old);
}

/* signals that siginterrupt has named: signal() asks for no SA_RESTART then. */
static _Atomic uint64_t interrupting;

static uint64_t bit(int sig)
{
    return sig > 0 && sig <= 64 ? UINT64_C(1) << (sig - 1) : 0;
}

static preload_handler set(int sig, preload_handler handler, int flags, uint64_t mask)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags}, old;

    if (handler == SIG_ERR || sig < 1 || sig >= NSIG) {
        answer(-EINVAL);
        return SIG_ERR;
    }
    __builtin_memcpy(&act.sa_mask, &mask, sizeof(mask));
    if (answer(px_sigaction(sig, &act, &old)) < 0)
        return SIG_ERR;
    return old.sa_handler;
}

WRAPPER(preload_handler, signal, (int sig, preload_handler handler))
{
    if (!px_session)
        return NEXT(signal)(sig, handler);
    return set(sig, handler, interrupting & bit(sig) ? 0 : SA_RESTART, bit(sig));
}

WRAPPER(preload_handler, bsd_signal, (int sig, preload_handler handler))
{
    return preload_signal(sig, handler);
}

WRAPPER(preload_handler, __sysv_signal, (int sig, preload_handler handler))
{
    return px_session ? set(sig, handler, (int)(SA_RESETHAND | SA_NODEFER), 0)
                      : NEXT(__sysv_signal)(sig, handler);
}

WRAPPER(preload_handler, sysv_signal, (int sig, preload_handler handler))
{
    return preload___sysv_signal(sig, handler);
}

WRAPPER(int, sigignore, (int sig))
{
    if (!px_session)
        return NEXT(sigignore)(sig);
    return set(sig, SIG_IGN, 0, 0) == SIG_ERR ? -1 : 0;
}

WRAPPER(int, siginterrupt, (int sig, int interrupt))
{
    struct sigaction act;

    if (!px_session)
        return NEXT(siginterrupt)(sig, interrupt);
    if (answer(px_sigaction(sig, NULL, &act)) < 0)
        return -1;
    if (interrupt) {
        interrupting |= bit(sig);
        act.sa_flags &= ~SA_RESTART;
    } else {
        interrupting &= ~bit(sig);
        act.sa_flags |= SA_RESTART;
    }
    return (int)answer(px_sigaction(sig, &act, NULL));
}

/* sigset(3): SIG_HOLD blocks; anything else is set, and unblocked. */
WRAPPER(preload_handler, sigset, (int sig, preload_handler handler))
{
    struct sigaction before;
    sigset_t just, blocked;

    if (!px_session)
        return NEXT(sigset)(sig, handler);
    sigemptyset(&just);
    if (sigaddset(&just, sig) < 0 || answer(px_sigaction(sig, NULL, &before)) < 0)
        return SIG_ERR;
    if (handler != SIG_HOLD && set(sig, handler, 0, 0) == SIG_ERR)
        return SIG_ERR;
    if (sigprocmask(handler == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, &just, &blocked) < 0)
        return SIG_ERR;
    return sigismember(&blocked, sig) ? SIG_HOLD : before.sa_handler;
}
