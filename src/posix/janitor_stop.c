/* A thread that was stopped (SIGSTOP, a terminal, a freezer) inside an instance holds it, and with
 * it the connections of everybody else there.  It cannot be taken from it; but it can be let run
 * as far as the door: ptrace(2) lets one thread of a stopped process go on while the process stays
 * stopped, and leaves it stopped again.  Neither the program nor who stopped it sees a difference.
 *
 *      SEIZE -> stopped inside: CONT -> runs -> is out: INTERRUPT -> stopped outside: DETACH
 *                      ^                                   |
 *                      +------ stopped inside again <------+
 *
 * Each arrow takes until the machine has a processor for the thread, and only a thread that has
 * stopped can be let go of (else it stays traced, and nothing ever wakes it again): what takes
 * longer than we wait here goes on in the janitor's next rounds. */
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "os/os.h"
#include "posix/janitor_int.h"

#define WAIT_US 50000u       /* at once, while somebody needs the instance */
#define LOOK_US 100u         /* not so often that who is let run had no processor */
#define PATIENCE_US 1000000u /* a call is not longer inside */

/* The one who is being let out; 0: nobody. */
static struct {
    uint32_t tid;
    const _Atomic uint32_t *lock;
    uint64_t until_us;
    bool interrupted; /* he was asked to stop again */
} guest;

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

/* The signal that it was about to be given, 0 for none; -1: it has not stopped; -2: it is no more.
 */
static int stopped(uint32_t tid)
{
    int status = 0;
    long rc = sys_call4(SYS_wait4, (long)tid, (long)&status, __WALL | WNOHANG, 0);

    if (rc != (long)tid)
        return rc < 0 ? -2 : -1;
    if (!WIFSTOPPED(status))
        return -2;
    return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
}

static bool is_inside(void)
{
    return os_now_us() < guest.until_us && (atomic_load(guest.lock) & ~PX_LOCK_WAITED) == guest.tid;
}

/* One arrow, if it is time for it.  False: nobody is traced any more. */
static bool go_on(void)
{
    int sig = stopped(guest.tid);

    if (sig == -2) {
        guest.tid = 0;
    } else if (sig == -1) {
        if (!guest.interrupted && !is_inside())
            guest.interrupted = trace(PTRACE_INTERRUPT, guest.tid, 0) == 0;
    } else if (is_inside()) {
        guest.interrupted = false;
        trace(PTRACE_CONT, guest.tid, sig);
    } else {
        trace(PTRACE_DETACH, guest.tid, sig);
        guest.tid = 0;
    }
    return guest.tid != 0;
}

bool janitor_lets_out(void)
{
    return guest.tid && go_on();
}

void janitor_let_out(const _Atomic uint32_t *lock)
{
    uint32_t tid = atomic_load(lock) & ~PX_LOCK_WAITED;
    uint64_t now = os_now_us(), until = now + WAIT_US;

    if (!guest.tid) {
        if (!tid || !is_stopped(tid) || trace(PTRACE_SEIZE, tid, 0) < 0)
            return;
        guest.tid = tid;
        guest.lock = lock;
        guest.until_us = now + PATIENCE_US;
        guest.interrupted = false;
    }
    while (go_on() && os_now_us() < until)
        sys_nanosleep_us(LOOK_US);
}
