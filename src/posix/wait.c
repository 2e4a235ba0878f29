/* Sleeping and waking.
 *
 * No wake-up is lost.  A thread that wants to sleep and one that has news for it each write a word
 * and then read the other's:
 *
 *      sleeper                              bringer of news
 *      kicked = 0                           level = ...
 *      f->waiters |= bit          (1)       ---- full fence
 *      ---- full fence                      w = f->waiters             (2)
 *      reads level                          of each in w: had = exchange(kicked, 1)
 *      sleeping = 1               (3)          if !had && sleeping: ring its bell
 *      ---- full fence
 *      if kicked: does not sleep  (4)
 *      poll(bell)
 *
 * If (2) does not see (1), the level was written before the sleeper read it.  If it does, kicked
 * is 1: either (4) sees it, or it came after (3) and the bringer sees `sleeping`, and rings.  had
 * = 1 says that an earlier bringer has seen to that, and nobody has cleared it since.
 * (test_posix_order goes through all interleavings, store buffers included.) */
#include "posix/session_int.h"
#include "posix/wait_int.h"

#include <string.h>

#include "os/os.h"

#define LOOK_US 50   /* while it spins the kernel is asked so often */
#define NAP_US 1000u /* without a waiter's place */

/* ---- places --------------------------------------------------------------------------------- */

static int place_take(bool of_dead)
{
    for (unsigned k = 0; k < PX_WAITERS; k++) {
        struct px_waiter *p = &px_session->waiter[k];
        int32_t tid = atomic_load_explicit(&p->tid, memory_order_relaxed);

        if (tid != 0 && !(of_dead && px_tid_is_dead((uint32_t)tid)))
            continue;
        if (!atomic_compare_exchange_strong(&p->tid, &tid, (int32_t)px_tid()))
            continue;
        atomic_store(&p->pid, atomic_load(&px_proc->pid));
        atomic_store(&p->slot, px_thread.slot - 1);
        atomic_store(&p->sleeping, 0);
        session_unattend(k);
        px_thread.waiter = (int)k + 1;
        session_thread_keeps();
        return (int)k;
    }
    return -1;
}

/* The calling thread's; -1: all 64 are taken. */
static int place(void)
{
    int k = px_thread.waiter - 1;

    if (likely(k >= 0 && atomic_load_explicit(&px_session->waiter[k].tid, memory_order_relaxed) ==
                             (int32_t)px_tid()))
        return k;
    k = place_take(false);
    return k >= 0 ? k : place_take(true);
}

static void ring(int bell)
{
    uint64_t one = 1;

    sys_write(bell, &one, sizeof one);
}

static void silence(int bell)
{
    uint64_t count;

    sys_read(bell, &count, sizeof count);
}

void wait_kick(uint64_t waiters)
{
    while (waiters) {
        struct px_waiter *p = &px_session->waiter[__builtin_ctzll(waiters)];

        waiters &= waiters - 1;
        if (atomic_exchange(&p->kicked, 1) == 0 && atomic_load(&p->sleeping) &&
            atomic_exchange(&p->sleeping, 0))
            ring(p->bell);
    }
}

/* ---- one wait ------------------------------------------------------------------------------- */

static uint32_t signals(const struct px_wait *w)
{
    return w->restarts ? px_thread.interrupting : px_thread.handled;
}

/* A handler has run, or one waits for this call to end: it may have come before the wait began. */
static bool is_interrupted(const struct px_wait *w)
{
    return px_thread.deferred || signals(w) != w->signals;
}

static bool is_kicked(const struct px_wait *w)
{
    return w->waiter >= 0 &&
           atomic_load_explicit(&px_session->waiter[w->waiter].kicked, memory_order_acquire);
}

void wait_begin(struct px_wait *w, int64_t timeout_us, bool restarts)
{
    *w = (struct px_wait){.waiter = place(), .until_us = UINT64_MAX, .restarts = restarts};
    if (timeout_us >= 0 && timeout_us < INT64_MAX / 2)
        w->until_us = os_now_us() + (uint64_t)timeout_us;
    w->signals = signals(w);
    if (w->waiter >= 0)
        atomic_store(&px_session->waiter[w->waiter].kicked, 0);
    if (px_thread.slot)
        w->slots = UINT64_C(1) << (px_thread.slot - 1);
}

void wait_arm(struct px_wait *w, struct px_file *f)
{
    if (f->kind == PX_CONN || (f->kind == PX_DGRAM && !mr_sock_eq(f->sock, MR_SOCK_NONE)))
        w->slots |= UINT64_C(1) << f->slot;
    if (w->waiter >= 0)
        atomic_fetch_or(&f->waiters, UINT64_C(1) << w->waiter);
}

void wait_disarm(struct px_wait *w, struct px_file *f)
{
    if (w->waiter >= 0)
        atomic_fetch_and(&f->waiters, ~(UINT64_C(1) << w->waiter));
}

/* While the wait lasts, the mask holds in all of it: what the mask blocks and the program does not
 * is blocked here; what it lets in comes while the thread sleeps. */
void wait_mask(struct px_wait *w, const sigset_t *mask)
{
    uint64_t want, old;

    w->mask = mask;
    if (!mask)
        return;
    memcpy(&want, mask, sizeof(want));
    if (sys_rt_sigprocmask(SIG_BLOCK, &want, &old) == 0)
        w->blocked = want & ~old;
    w->signals = signals(w);
}

/* To the program: the instances it slept for have nobody now.  The janitor says that it sleeps,
 * then looks who attends them; here it is the other way round. */
void wait_end(struct px_wait *w)
{
    bool left = false;

    if (w->blocked)
        sys_rt_sigprocmask(SIG_UNBLOCK, &w->blocked, NULL);
    w->blocked = 0;
    for (uint64_t rest = w->attends; rest; rest &= rest - 1) {
        struct px_inst *i = &px_session->inst[__builtin_ctzll(rest)];
        uint32_t me = (uint32_t)w->waiter + 1;

        left |= atomic_compare_exchange_strong(&i->attendant, &me, 0);
    }
    w->attends = 0;
    if (left && atomic_load(&px_session->janitor_sleeps) &&
        atomic_exchange(&px_session->janitor_sleeps, 0))
        ring(px_session->janitor_bell);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* Its own instance; another's only if nobody sleeps for it nor has turned it lately.  What has come
 * is answered when the program has had its say (inst.h). */
static void turn_slots(uint64_t slots, uint64_t attends, uint64_t now, bool goes_on)
{
    for (uint64_t left = slots; left; left &= left - 1) {
        unsigned k = (unsigned)__builtin_ctzll(left);
        struct px_inst *i = &px_session->inst[k];

        if ((int)k != px_thread.slot - 1 && !(attends >> k & 1) &&
            (atomic_load_explicit(&i->attendant, memory_order_relaxed) ||
             i->now_us + WAIT_FOREIGN_US > now))
            continue;
        if (!inst_try_enter(i))
            continue;
        if (goes_on)
            inst_say_due(i);
        else
            inst_say(i);
        inst_hear(i);
        inst_leave_unsent(i);
    }
}

uint64_t wait_turn(uint64_t slots, bool goes_on)
{
    uint64_t now = os_now_us();

    if (px_thread.slot)
        slots |= UINT64_C(1) << (px_thread.slot - 1);
    if (slots)
        turn_slots(slots, 0, now, goes_on);
    return now;
}

void wait_round(uint64_t now, bool empty)
{
    px_thread.round_us = now;
    px_thread.round_empty = empty;
}

bool wait_goes_on(int64_t timeout_us)
{
    return timeout_us == 0 && !px_thread.round_empty;
}

static int kernel_look(int epfd, struct pollfd *fds, unsigned n)
{
    struct timespec none = {0, 0};
    struct pollfd ep = {epfd, POLLIN, 0};
    int rc = n ? sys_ppoll(fds, n, &none, NULL) : 0;

    if (epfd >= 0 && rc == 0)
        rc = sys_ppoll(&ep, 1, &none, NULL);
    return rc > 0 ? rc : 0;
}

/* The caller has just looked; who cannot sleep for instances turns them here.  1: nothing came. */
static int spin(struct px_wait *w, int epfd, struct pollfd *fds, unsigned n, int *kernel)
{
    uint64_t begun = os_now_us(), now = begun, looked = begun;

    if (w->waiter < 0)
        turn_slots(w->slots, w->attends, now, false);
    for (;;) {
        if (is_interrupted(w))
            return -EINTR;
        if (is_kicked(w))
            return 0;
        if (now >= w->until_us)
            return -ETIMEDOUT;
        if ((epfd >= 0 || n) && now - looked >= LOOK_US) {
            looked = now;
            *kernel = kernel_look(epfd, fds, n);
            if (*kernel)
                return 0;
        }
        if (now - begun >= px_session->spin_us)
            return 1;
        __builtin_ia32_pause();
        now = os_now_us();
        turn_slots(w->slots, w->attends, now, false);
    }
}

/* ---- sleeping ------------------------------------------------------------------------------- */

/* What the kernel is to watch, beside the caller's. */
struct bed {
    struct pollfd *p;
    unsigned n, callers;
    uint64_t until_us;
    uint64_t slots; /* instances that were told of it */
};

static void bed_add(struct bed *b, int fd)
{
    if (fd >= 0)
        b->p[b->n++] = (struct pollfd){fd, POLLIN, 0};
}

/* Sleep for an instance, too.  False: it has news. */
static bool attend(struct px_wait *w, struct bed *b, unsigned k)
{
    struct px_inst *i = &px_session->inst[k];
    uint32_t me = (uint32_t)w->waiter + 1, had = 0;
    uint64_t patience = UINT64_MAX, deadline, now;
    int port = -1;
    bool may;

    if ((int)k == px_thread.slot - 1)
        atomic_store(&i->attendant, me);
    else if (!atomic_compare_exchange_strong(&i->attendant, &had, me) && had != me)
        return true; /* somebody else does */
    w->attends |= UINT64_C(1) << k;
    b->slots |= UINT64_C(1) << k;
    inst_enter(i);
    inst_say(i);
    may = inst_asleep(i, &port, &patience);
    deadline = inst_deadline(i);
    inst_leave_unsent(i);
    now = os_now_us();
    if (patience != UINT64_MAX && now + patience < deadline)
        deadline = now + patience;
    if (deadline < b->until_us)
        b->until_us = deadline;
    bed_add(b, px_session->slot_bell[k]);
    bed_add(b, port);
    return may;
}

/* Who has an instance may have come to sleep for it himself meanwhile: it is his, and so is what we
 * have heard on its bell. */
static void rise(const struct px_wait *w, const struct bed *b)
{
    for (uint64_t left = b->slots; left; left &= left - 1) {
        struct px_inst *i = &px_session->inst[__builtin_ctzll(left)];

        inst_enter(i);
        uint32_t who = atomic_load(&i->attendant);
        bool his = who && who != (uint32_t)w->waiter + 1;
        if (!his) {
            inst_awake(i);
            inst_say(i);
            inst_hear(i);
        }
        inst_leave_unsent(i);
        if (his)
            ring(px_session->slot_bell[i->slot]);
    }
}

/* The kernel's answer goes where it belongs. */
static int answers(struct px_wait *w, struct bed *b, int epfd, struct pollfd *fds)
{
    int kernel = 0;

    for (unsigned k = 0; k < b->callers; k++) {
        fds[k].revents = b->p[k].revents;
        kernel += fds[k].revents != 0;
    }
    for (unsigned k = b->callers; k < b->n; k++) {
        if (!b->p[k].revents)
            continue;
        if (b->p[k].fd == epfd)
            kernel++;
        else if (w->waiter >= 0 && b->p[k].fd == px_session->waiter[w->waiter].bell)
            silence(b->p[k].fd);
        for (uint64_t left = b->slots; left; left &= left - 1)
            if (b->p[k].fd == px_session->slot_bell[__builtin_ctzll(left)])
                silence(b->p[k].fd);
    }
    return kernel;
}

static int doze(struct px_wait *w, struct bed *b)
{
    _Atomic uint32_t *sleeping = w->waiter >= 0 ? &px_session->waiter[w->waiter].sleeping : NULL;
    uint64_t now = os_now_us(), us = b->until_us > now ? b->until_us - now : 0;
    bool ever = b->until_us == UINT64_MAX;
    struct timespec t;
    int rc;

    if (sleeping) {
        atomic_store(sleeping, 1);
    } else if (us > NAP_US) {
        us = NAP_US;
        ever = false;
    }
    if (is_kicked(w) || is_interrupted(w)) {
        us = 0;
        ever = false;
    }
    t = (struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    rc = sys_ppoll(b->p, b->n, ever ? NULL : &t, w->mask);
    if (sleeping)
        atomic_store(sleeping, 0);
    return rc;
}

static int sleep_in(struct px_wait *w, struct bed *b, int epfd, struct pollfd *fds, int *kernel)
{
    bool may = true;
    int rc = 0;

    b->until_us = w->until_us;
    for (unsigned k = 0; k < b->callers; k++)
        b->p[k] = fds[k];
    b->n = b->callers;
    bed_add(b, epfd);
    if (w->waiter >= 0)
        bed_add(b, px_session->waiter[w->waiter].bell);
    for (uint64_t left = w->slots; left && may && w->waiter >= 0; left &= left - 1)
        may = attend(w, b, (unsigned)__builtin_ctzll(left));
    if (may) {
        rc = doze(w, b);
        if (rc > 0)
            *kernel = answers(w, b, epfd, fds);
    }
    rise(w, b);
    if (rc == -EINTR)
        return w->restarts && !is_interrupted(w) ? 0 : -EINTR;
    return rc < 0 ? rc : 0;
}

int wait_sleep(struct px_wait *w, int epfd, struct pollfd *fds, unsigned n, int *kernel)
{
    struct pollfd room[WAIT_ROOM];
    struct bed b = {.p = room, .callers = n};
    size_t bytes = (n + WAIT_EXTRA) * sizeof *fds;
    int rc;

    *kernel = 0;
    rc = spin(w, epfd, fds, n, kernel);
    if (rc == 1) {
        if (n + WAIT_EXTRA > WAIT_ROOM) {
            b.p = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (sys_mmap_failed(b.p))
                return -ENOMEM;
        }
        rc = sleep_in(w, &b, epfd, fds, kernel);
        if (b.p != room)
            sys_munmap(b.p, bytes);
    }
    if (w->waiter >= 0 && rc == 0)
        atomic_store(&px_session->waiter[w->waiter].kicked, 0);
    return rc;
}
