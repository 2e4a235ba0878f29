/* Processes: who has come, who has gone. */
#include <errno.h>

#include "posix/file.h"
#include "posix/janitor_int.h"

static void forget(struct watch *w)
{
    if (w->pid && w->pidfd >= 0)
        sys_close(w->pidfd);
    w->pid = 0;
    w->pidfd = -1;
    w->nascent_us = 0;
}

/* Instances that it was inside of are made anew before its files are closed in them. */
static void bury(struct px_proc *p)
{
    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        uint32_t owner = atomic_load(&i->lock) & ~PX_LOCK_WAITED;
        if (owner && px_tid_is_dead(owner)) {
            inst_enter(i);
            inst_leave(i);
        }
    }
    janitor_refs_suspect(p);
    session_proc_bury(p);
}

void janitor_process_died(struct janitor *j, unsigned index)
{
    struct watch *w = &j->proc[index];
    struct px_proc *p = &px_session->proc[index];

    if (w->pid && atomic_load(&p->pid) == w->pid)
        bury(p);
    forget(w);
}

static void watch(struct janitor *j, unsigned index, int32_t pid)
{
    struct watch *w = &j->proc[index];

    forget(w);
    w->pid = pid;
    w->pidfd = sys_pidfd_open(pid, 0);
    if (w->pidfd == -ESRCH)
        janitor_process_died(j, index);
    else if (w->pidfd >= 0)
        janitor_watch(j, w->pidfd, NEWS_PROC, index);
}

/* A record that waits for the child of a fork.  Its parent has died: before the fork, or just
 * after. */
static void wait_for_child(struct janitor *j, unsigned index, int32_t parent)
{
    struct watch *w = &j->proc[index];

    if (!px_tid_is_dead((uint32_t)parent))
        w->nascent_us = 0;
    else if (!w->nascent_us)
        w->nascent_us = j->now_us;
    else if (j->now_us - w->nascent_us > NASCENT_US)
        session_proc_bury(&px_session->proc[index]);
}

bool janitor_processes(struct janitor *j)
{
    bool any = false;

    for (unsigned k = 0; k < atomic_load(&px_session->procs); k++) {
        int32_t pid = atomic_load(&px_session->proc[k].pid);
        if (pid < 0)
            wait_for_child(j, k, -pid);
        else if (pid != j->proc[k].pid)
            pid ? watch(j, k, pid) : forget(&j->proc[k]);
        any |= atomic_load(&px_session->proc[k].pid) != 0;
    }
    return any;
}
