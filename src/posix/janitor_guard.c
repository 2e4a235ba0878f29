/* The janitor's guard.
 *
 * What the janitor knows lies in the session's memory, or can be asked for anew: so another may
 * take its place when it is killed.  The guard is that other: a process that the janitor forks when
 * it begins, and again when its guard has died.  It sleeps until the janitor is dead; if it went in
 * order so does the guard, else it is the janitor from then on.  It has the janitor's rights, which
 * the programs of the session may not have (they give up root, change the root directory, bar
 * system calls), and costs no program a look.
 *
 * Who kills both at once leaves a session that works, but where nobody looks after what processes
 * leave behind; whoever sees that first says so (session_look_for_janitor). */
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "os/os.h"
#include "posix/janitor_int.h"

#define SHORT_LIFE_US 300000u /* a janitor that dies so young will die again: not in a hurry */

static void sleep_while_it_lives(int32_t janitor)
{
    int fd = sys_pidfd_open(janitor, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (fd >= 0 && sys_ppoll(&p, 1, NULL, NULL) <= 0)
        continue;
    if (fd >= 0)
        sys_close(fd);
}

/* Returns when the janitor has died before its time and we are in its place. */
static void guard(int32_t janitor)
{
    int32_t expected = janitor;
    uint64_t since = os_now_us();

    janitor_withdraw("mr-guard");
    px_thread.tid = 0;
    sleep_while_it_lives(janitor);
    if (atomic_load(&px_session->janitor_pid) == janitor && os_now_us() - since < SHORT_LIFE_US)
        sys_nanosleep_us(SHORT_LIFE_US);
    if (!atomic_compare_exchange_strong(&px_session->janitor_pid, &expected, sys_getpid()))
        sys_exit_group(0);
}

bool janitor_guard_make(struct janitor *j)
{
    int32_t self = sys_getpid();

    if (j->guard_fd > 0) {
        sys_close(j->guard_fd);
        sys_call4(SYS_wait4, -1, 0, __WALL | WNOHANG, 0);
    }
    j->guard_fd = 0;
    j->unguarded = false;
    long pid = sys_call3(SYS_fork, 0, 0, 0);
    if (pid == 0) {
        guard(self);
        return true;
    }
    if (pid < 0)
        return false;
    atomic_store(&px_session->guard_pid, (int32_t)pid);
    j->guard_fd = sys_pidfd_open((int)pid, 0);
    if (j->guard_fd >= 0)
        janitor_watch(j, j->guard_fd, NEWS_GUARD, 0);
    return false;
}
