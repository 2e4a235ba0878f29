/* A thread that was stopped (SIGSTOP, a terminal, a freezer) inside an instance holds it, and with
 * it the connections of everybody else there.  It cannot be taken from it; but it can be let run
 * as far as the door: ptrace(2) lets one thread of a stopped process go on while the process stays
 * stopped, and leaves it stopped again.  Neither the program nor who stopped it sees a difference.
 */
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "os/os.h"
#include "posix/janitor_int.h"

#define OUT_US 50000u  /* a call is not longer inside */
#define STOP_US 10000u /* a thread stops at once */

/* proc(5): the state follows the name. */
static bool is_stopped(uint32_t tid)
{
    char text[PX_STAT_BYTES];
    const char *end = session_proc_stat((int)tid, text);

    return end && end[1] == ' ' && end[2] == 'T';
}

static long trace(long request, uint32_t tid, long data)
{
    return sys_call4(SYS_ptrace, request, (long)tid, 0, data);
}

/* The signal that it was about to be given, 0 for none; -1: it has not stopped in time. */
static int stopped(uint32_t tid, uint64_t us)
{
    uint64_t until = os_now_us() + us;
    int status = 0;

    do {
        if (sys_call4(SYS_wait4, (long)tid, (long)&status, __WALL | WNOHANG, 0) == (long)tid &&
            WIFSTOPPED(status))
            return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
    } while (os_now_us() < until);
    return -1;
}

static bool is_inside(const _Atomic uint32_t *lock, uint32_t tid)
{
    return (atomic_load(lock) & ~PX_LOCK_WAITED) == tid;
}

void janitor_let_out(const _Atomic uint32_t *lock)
{
    uint32_t tid = atomic_load(lock) & ~PX_LOCK_WAITED;
    uint64_t until = os_now_us() + OUT_US;

    if (!tid || !is_stopped(tid) || trace(PTRACE_SEIZE, tid, 0) < 0)
        return;
    int sig = stopped(tid, STOP_US);
    while (sig >= 0 && is_inside(lock, tid) && os_now_us() < until) {
        trace(PTRACE_CONT, tid, sig);
        do
            sig = stopped(tid, 0);
        while (sig < 0 && is_inside(lock, tid) && os_now_us() < until);
    }
    if (sig < 0 && trace(PTRACE_INTERRUPT, tid, 0) == 0)
        sig = stopped(tid, STOP_US);
    trace(PTRACE_DETACH, tid, sig > 0 ? sig : 0);
}
