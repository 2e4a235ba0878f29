/* posix/janitor, private: inside janitor*.c. */
#pragma once

#include "api/status.h"
#include "ctl/ctl.h"
#include "posix/janitor.h"
#include "posix/session_int.h"

#define TICK_MIN_US 1000u
#define TICK_BUSY_US 8000u  /* while threads turn their instances themselves */
#define TICK_MAX_US 100000u /* while all are attended */
#define CALM_US 50000u      /* all were attended for so long: ticks become rarer, */
#define QUIET_US 1000000u   /* nobody has turned anything: none */
#define SELDOM_US 200000u   /* who wakes not more often than that is soon believed to sleep: */
#define CALM_SELDOM_US 2000u
#define QUIET_SELDOM_US 20000u
#define LATE_US 50000u      /* past its deadline an attendant was stopped, not slow */
#define NASCENT_US 5000000u /* a fork whose parent has died gets so long to say who it is */
#define OWED_US 5000000u    /* what is owed when the last process is gone gets so long */
#define HOUSE_US 1000000u

/* What an event of the epoll set is about: data.u64 is this << 32 and an index. */
enum news { NEWS_BELL, NEWS_DOOR, NEWS_SIGNAL, NEWS_PROC, NEWS_INST, NEWS_GUARD };

struct watch {
    int32_t pid; /* whose descriptor it is; 0: none */
    int pidfd;
    uint64_t nascent_us; /* since when the record waits for its process; 0: it does not */
};

/* An instance as it was seen last. */
struct look {
    uint64_t turns;
    uint64_t visits;     /* as we left it */
    uint64_t turned_us;  /* when they were seen to change last */
    uint64_t waiting_us; /* since when there is something that its attendant does not take; 0 */
    bool known;          /* its port and its bell are in the epoll set */
    bool ours;           /* the janitor attends it, */
    bool armed;          /* and sleeps for it until due_us */
    bool broken;         /* the port's descriptor had an error */
    bool news;           /* something has come since */
    uint64_t due_us;
};

struct janitor {
    int epoll, signals;
    int guard_fd;    /* 0: none */
    bool unguarded;  /* it is to have one */
    struct ctl *ctl; /* NULL: none */
    struct watch proc[PX_PROCS];
    struct look inst[PX_SLOTS_MAX];
    uint32_t claims; /* that the law follows */
    uint64_t now_us;
    uint64_t tick_us;
    uint64_t calm_us;  /* since when all are attended */
    uint64_t quiet_us; /* when somebody turned something last */
    uint64_t rung_us;  /* when somebody left an instance and rang, last */
    bool seldom;       /* and that was long after the time before */
    uint64_t house_us;
    uint64_t ending_us; /* since when there is no process; 0: there is */
    uint64_t next_us;   /* when it must look again, for what is its own */
    bool calm;          /* of this round: all are attended */
    bool lost;          /* the port is gone */
    bool told;          /* to stop */
    /* Answers. */
    struct status_core *copy; /* by slot; owned */
    char *text;               /* owned: CTL_ANSWER_MAX */
    struct nic_counter counter[NIC_COUNTERS_MAX];
    char spread[200];
};

/* ---- janitor.c --------------------------------------------------------------------------- */

/* Leave whatever the process was; it is called `name` from now on. */
void janitor_withdraw(const char *name);
/* Something to read at fd is news; index: of what. */
int janitor_watch(struct janitor *j, int fd, enum news what, unsigned index);

/* ---- janitor_guard.c --------------------------------------------------------------------- */

/* Fork it.  True: this is the guard, the janitor is dead, and its place is ours. */
bool janitor_guard_make(struct janitor *j);

/* ---- janitor_proc.c ------------------------------------------------------------------------ */

/* Watch who has come, bury who has gone.  False: there is no process any more. */
bool janitor_processes(struct janitor *j);
/* A descriptor has said that its process died. */
void janitor_process_died(struct janitor *j, unsigned index);

/* ---- janitor_refs.c ------------------------------------------------------------------------ */

/* A process has died; before its descriptors are closed: what it was using in a call is looked for
 * among the files it had. */
void janitor_refs_suspect(const struct px_proc *p);
/* Look, some times a second.  False: there is nothing to look for. */
bool janitor_refs_look(uint64_t now_us);
/* Where the janitor before us was killed. */
void janitor_refs_go_on(void);

/* ---- janitor_inst.c ------------------------------------------------------------------------ */

bool janitor_enter(struct px_inst *i);
/* Look at every instance, and turn those that nobody else does. */
void janitor_instances(struct janitor *j);
/* Somebody was inside since we were. */
bool janitor_has_missed(const struct px_inst *i, const struct look *l);
/* Before it sleeps for long: every port wakes it once.  False: something is there already. */
void janitor_watch_all(struct janitor *j);
/* Instances have sent what they owe, and were told all. */
bool janitor_all_is_said(void);
void janitor_reset_the_rest(void);
/* The port is gone: every connection is over, and its program hears of it. */
void janitor_port_lost(void);

/* ---- janitor_stop.c ------------------------------------------------------------------------ */

/* If the lock's owner was stopped while he has it, let him run until he has given it back. */
void janitor_let_out(const _Atomic uint32_t *lock);
/* Go on with who had no processor for it then.  False: there is nobody. */
bool janitor_lets_out(void);

/* ---- janitor_ask.c ------------------------------------------------------------------------- */

/* The control socket.  False, after a line on stderr. */
bool janitor_ctl_open(struct janitor *j);
