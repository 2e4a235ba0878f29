/* The janitor's life. */
#include "posix/janitor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "base/bits.h"
#include "os/os.h"
#include "posix/file.h"
#include "posix/janitor_int.h"

#define NEWS_MAX 32

static struct janitor janitor;

/* ---- becoming ----------------------------------------------------------------------------- */

/* A process of its own, in nobody's way: no terminal, no directory, no descriptor but the session's
 * and, until it has begun, where to complain. */
void janitor_withdraw(const char *name)
{
    unsigned lo = (unsigned)px_session->hidden_lo, hi = (unsigned)px_session->hidden_hi;
    struct rlimit limit;

    sys_setsid();
    sys_call3(SYS_chdir, (long)"/", 0, 0);
    sys_call4(SYS_prctl, PR_SET_NAME, (long)name, 0, 0);
    sys_close_range(3, lo - 1, 0);
    sys_close_range(hi + 1, UINT_MAX, 0);
    int null = sys_open("/dev/null", O_RDWR, 0);
    sys_dup3(null, 0, 0);
    sys_dup3(null, 1, 0);
    if (null > 2)
        sys_close(null);
    if (sys_prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        sys_prlimit(0, RLIMIT_NOFILE, &limit, NULL);
    }
}

/* No handler ever runs: those that end it are read, the others wait for ever. */
static int catch_signals(void)
{
    uint64_t faults = 1u << (SIGSEGV - 1) | 1u << (SIGBUS - 1) | 1u << (SIGILL - 1) |
                      1u << (SIGFPE - 1) | 1u << (SIGABRT - 1);
    uint64_t all = ~faults, stop = 1u << (SIGTERM - 1) | 1u << (SIGINT - 1);

    sys_rt_sigprocmask(SIG_SETMASK, &all, NULL);
    return (int)sys_call4(SYS_signalfd4, -1, (long)&stop, SYS_SIGSET_BYTES,
                          SFD_NONBLOCK | SFD_CLOEXEC);
}

int janitor_watch(struct janitor *j, int fd, enum news what, unsigned index)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)what << 32 | index};

    return sys_epoll_ctl(j->epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* It is no process of the session's: an empty table stands for its descriptors. */
static int forget_process(void)
{
    static struct px_proc self;

    self.pid = sys_getpid();
    if (!self.fd)
        self.fd = os_reserve(PX_FDS * sizeof(struct px_fd), false);
    if (!self.fd)
        return -ENOMEM;
    px_proc = &self;
    px_thread.tid = px_thread.slot = px_thread.waiter = 0;
    return 0;
}

static int set_up(struct janitor *j)
{
    j->now_us = j->quiet_us = j->calm_us = os_now_us();
    j->tick_us = TICK_MIN_US;
    j->unguarded = true;
    int rc = forget_process();
    if (rc < 0)
        return rc;
    j->epoll = sys_epoll_create1(EPOLL_CLOEXEC);
    sys_dup3(0, 2, 0);
    rc = j->epoll < 0 ? j->epoll : janitor_watch(j, px_session->janitor_bell, NEWS_BELL, 0);
    if (rc == 0)
        rc = janitor_watch(j, px_session->door_fd, NEWS_DOOR, 0);
    return rc;
}

/* What an epoll set has of a signalfd is whose signals it asked for: not before the last fork. */
static void begin(struct janitor *j)
{
    px_thread.tid = 0;
    px_proc->pid = sys_getpid();
    j->signals = catch_signals();
    janitor_watch(j, j->signals, NEWS_SIGNAL, 0);
}

/* The guard goes on where the janitor was killed.  Without its control socket it can live. */
static void take_over(struct janitor *j)
{
    struct status_core *copy = j->copy;

    *j = (struct janitor){.copy = copy, .claims = atomic_load(&px_session->claims) - 1};
    atomic_fetch_add(&px_session->janitors, 1);
    atomic_store(&px_session->janitor_sleeps, 0);
    janitor_withdraw("mr-janitor");
    (void)janitor_ctl_open(j);
    (void)set_up(j);
    begin(j);
    janitor_refs_go_on();
    for (unsigned k = 0; k < px_session->slots; k++)
        if (!atomic_load(&px_session->inst[k].tid))
            listeners_left(k);
}

/* ---- news --------------------------------------------------------------------------------- */

static void read_news(struct janitor *j)
{
    struct epoll_event ev[NEWS_MAX];
    int n = sys_epoll_wait(j->epoll, ev, NEWS_MAX, 0);

    for (int i = 0; i < n; i++) {
        unsigned index = (uint32_t)ev[i].data.u64;
        switch ((enum news)(ev[i].data.u64 >> 32)) {
        case NEWS_BELL:
            os_bell_quiet(px_session->janitor_bell);
            j->tick_us = TICK_MIN_US;
            j->calm_us = j->now_us;
            j->seldom = j->now_us - j->rung_us > SELDOM_US;
            j->rung_us = j->now_us;
            break;
        case NEWS_SIGNAL:
            j->told = true;
            break;
        case NEWS_DOOR:
            session_door_serve();
            break;
        case NEWS_GUARD:
            j->unguarded = true;
            break;
        case NEWS_PROC:
            janitor_process_died(j, index);
            break;
        case NEWS_INST:
            j->inst[index].news = true;
            j->inst[index].broken = ev[i].events & (EPOLLERR | EPOLLHUP);
            j->quiet_us = j->now_us;
            j->tick_us = TICK_MIN_US;
            break;
        }
    }
}

/* ---- sleeping ----------------------------------------------------------------------------- */

/* Until when, while there are ticks. */
static uint64_t next_tick(struct janitor *j)
{
    uint64_t most = TICK_BUSY_US, calm_us = j->seldom ? CALM_SELDOM_US : CALM_US;

    if (!j->calm)
        j->calm_us = j->now_us;
    else if (j->now_us - j->calm_us > calm_us)
        most = TICK_MAX_US;
    if (most == TICK_MAX_US && j->seldom)
        j->tick_us = most;
    uint64_t at = j->now_us + min_u64(j->tick_us, most);
    j->tick_us = min_u64(j->tick_us * 2, most);
    return at;
}

/* Who leaves an instance unattended writes that first, and then looks whether we sleep; here it is
 * the other way round. */
static bool somebody_left(void)
{
    atomic_store(&px_session->janitor_sleeps, 1);
    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        const struct look *l = &janitor.inst[k];
        bool left = atomic_load(&i->tid) && !atomic_load(&i->attendant) && !l->ours;
        bool missed = l->ours && janitor_has_missed(i, l);
        if (atomic_load(&i->live) && (left || missed || i->unsent))
            return true;
    }
    return false;
}

static uint64_t sleep_until(struct janitor *j)
{
    uint64_t quiet_us = j->seldom ? QUIET_SELDOM_US : QUIET_US;
    bool quiet = j->now_us - j->quiet_us > quiet_us && j->calm;
    uint64_t at = quiet ? UINT64_MAX : next_tick(j);

    if (j->ending_us)
        return min_u64(j->next_us, j->now_us + TICK_BUSY_US);
    if (quiet || at - j->now_us > TICK_BUSY_US) {
        if (somebody_left())
            return j->now_us + TICK_MIN_US;
        if (quiet)
            janitor_watch_all(j);
    }
    return min_u64(min_u64(at, j->next_us), scm_next());
}

static void doze(struct janitor *j)
{
    struct os_wait w[1 + CTL_CLIENTS_MAX + 1] = {{.fd = j->epoll}};
    uint64_t until = sleep_until(j);
    unsigned n = 1;

    if (j->ctl)
        n += ctl_wait(j->ctl, w + n);
    j->now_us = os_now_us();
    os_wait(w, n, until == UINT64_MAX ? UINT64_MAX : until > j->now_us ? until - j->now_us : 0);
    atomic_store(&px_session->janitor_sleeps, 0);
    j->now_us = os_now_us();
}

/* ---- life --------------------------------------------------------------------------------- */

static void keep_house(struct janitor *j)
{
    if (j->now_us - j->house_us < HOUSE_US)
        return;
    j->house_us = j->now_us;
    j->unguarded |= j->guard_fd <= 0;
    for (unsigned k = 0; k < px_session->slots; k++) {
        int32_t tid = atomic_load(&px_session->inst[k].tid);
        if (tid && px_tid_is_dead((uint32_t)tid))
            session_slot_release(k);
    }
}

static void follow_claims(struct janitor *j)
{
    uint32_t claims = atomic_load(&px_session->claims);

    if (claims == j->claims)
        return;
    j->claims = claims;
    janitor_rebalance();
}

/* The session is over when nobody is left and all is said, or for too long not. */
static bool is_over(struct janitor *j, bool anybody)
{
    if (j->told)
        return true;
    if (anybody) {
        j->ending_us = 0;
        return false;
    }
    if (!j->ending_us)
        j->ending_us = j->now_us;
    return nic_is_gone(px_session->nic) || janitor_all_is_said() ||
           j->now_us - j->ending_us > OWED_US;
}

/* Who comes after this is told so; who came just before it is let in. */
static bool close_door(struct janitor *j)
{
    atomic_store(&session_own()->closed, 1);
    if (j->told || !janitor_processes(j))
        return true;
    atomic_store(&session_own()->closed, 0);
    return false;
}

static void live(struct janitor *j)
{
    for (;;) {
        /* It returns twice: in the guard, much later, when the janitor was killed. */
        if (j->unguarded && janitor_guard_make(j))
            take_over(j);
        if (j->unguarded)
            continue;
        read_news(j);
        bool anybody = janitor_processes(j);
        follow_claims(j);
        janitor_instances(j);
        keep_house(j);
        scm_age(j->now_us);
        if (!j->lost && nic_is_gone(px_session->nic)) {
            j->lost = true;
            janitor_port_lost();
        }
        if (janitor_lets_out())
            j->next_us = min_u64(j->next_us, j->now_us + TICK_MIN_US);
        if (janitor_refs_look(j->now_us))
            j->next_us = min_u64(j->next_us, j->now_us + TICK_BUSY_US);
        if (is_over(j, anybody) && close_door(j))
            return;
        if (j->ctl)
            ctl_serve(j->ctl);
        doze(j);
    }
}

static void end(struct janitor *j)
{
    janitor_reset_the_rest();
    if (session_own()->capture)
        capture_close(session_own()->capture);
    if (j->ctl)
        ctl_close(j->ctl);
    atomic_store(&px_session->janitor_pid, 0);
    px_session->nic->ops->close(px_session->nic);
}

int session_janitor(void)
{
    struct janitor *j = &janitor;
    int32_t other = atomic_load(&px_session->janitor_pid);

    if (session_is_looked_after() ||
        !atomic_compare_exchange_strong(&px_session->janitor_pid, &other, sys_getpid()))
        return 0;
    janitor_withdraw("mr-janitor");
    int rc = janitor_ctl_open(j) ? set_up(j) : -EADDRINUSE;
    long pid = rc < 0 ? rc : sys_call3(SYS_fork, 0, 0, 0);
    if (pid < 0) {
        atomic_store(&px_session->janitor_pid, 0);
        return (int)pid;
    }
    if (pid > 0) {
        atomic_store(&px_session->janitor_pid, (int32_t)pid);
        sys_exit_group(0);
    }
    atomic_store(&px_session->janitor_pid, sys_getpid());
    begin(j);
    live(j);
    end(j);
    return 0;
}
