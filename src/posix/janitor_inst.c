/* Instances that nobody turns. */
#include "base/bits.h"
#include "os/os.h"
#include "posix/janitor_int.h"

#define ENTER_US 20000u /* an instance whose thread was stopped inside is not waited for longer */

bool janitor_enter(struct px_inst *i)
{
    uint64_t until = os_now_us() + ENTER_US;

    if (px_lock_is_mine(&i->lock))
        return false;
    while (!inst_try_enter(i)) {
        uint32_t owner = atomic_load(&i->lock) & ~PX_LOCK_WAITED;
        if (owner && px_tid_is_dead(owner)) {
            inst_enter(i);
            return true;
        }
        if (os_now_us() >= until) {
            janitor_let_out(&i->lock);
            return inst_try_enter(i);
        }
        sys_nanosleep_us(50);
    }
    return true;
}

/* ---- sleeping for an instance ------------------------------------------------------------- */

static int port_fd(unsigned slot)
{
    struct nic *nic = px_session->nic;

    if (nic_is_gone(nic))
        return -1;
    return nic->ops->wait_fd ? nic->ops->wait_fd(nic, slot) : -1;
}

/* Its port and its bell wake us once. */
static void arm(struct janitor *j, unsigned k)
{
    struct look *l = &j->inst[k];
    int op = l->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int fd[2] = {l->broken ? -1 : port_fd(k), px_session->slot_bell[k]};

    if (l->broken)
        l->due_us = min_u64(l->due_us, j->now_us + TICK_MAX_US);
    l->broken = false;
    for (unsigned i = 0; i < 2; i++) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT,
                                 .data.u64 = (uint64_t)NEWS_INST << 32 | k};
        if (fd[i] >= 0)
            sys_epoll_ctl(j->epoll, op, fd[i], &ev);
    }
    l->known = true;
}

/* Frames wait, or its bell was rung: there is mail. */
static bool is_called(unsigned k)
{
    struct pollfd p[2] = {{.fd = port_fd(k), .events = POLLIN},
                          {.fd = px_session->slot_bell[k], .events = POLLIN}};
    struct timespec now = {0};

    return sys_ppoll(p, 2, &now, NULL) > 0;
}

/* Turn it until nothing is left, and sleep for it. */
static void attend(struct janitor *j, unsigned k)
{
    struct px_inst *i = &px_session->inst[k];
    struct look *l = &j->inst[k];
    uint64_t patience = UINT64_MAX;
    int fd;

    l->news = false;
    l->armed = true;
    if (!janitor_enter(i)) {
        l->due_us = j->now_us + TICK_MAX_US;
        l->visits = atomic_load(&i->visits);
        return;
    }
    os_bell_quiet(px_session->slot_bell[k]);
    inst_awake(i);
    inst_settle(i);
    uint64_t due = inst_deadline(i), now = os_now_us();
    bool may = inst_asleep(i, &fd, &patience);
    l->visits = atomic_load(&i->visits) + 1;
    inst_leave(i);
    l->turns = atomic_load(&i->turns);
    l->due_us = may ? due : now;
    if (patience < UINT64_MAX - now)
        l->due_us = min_u64(l->due_us, now + patience);
    arm(j, k);
}

/* ---- whose is it? ------------------------------------------------------------------------- */

/* Somebody sleeps for it who does not come when he is called: his thread was stopped, or killed a
 * moment ago. */
static bool attendant_is_gone(struct janitor *j, unsigned k)
{
    struct look *l = &j->inst[k];
    uint64_t due = atomic_load_explicit(&px_session->inst[k].due_us, memory_order_relaxed);

    if (due != UINT64_MAX && j->now_us > due + LATE_US)
        return true;
    if (!is_called(k))
        l->waiting_us = 0;
    else if (!l->waiting_us)
        l->waiting_us = j->now_us;
    return l->waiting_us && j->now_us - l->waiting_us > TICK_MIN_US;
}

/* Ours from now on, until somebody else turns it. */
static bool is_left(struct janitor *j, unsigned k)
{
    struct px_inst *i = &px_session->inst[k];
    struct look *l = &j->inst[k];
    uint64_t turns = atomic_load_explicit(&i->turns, memory_order_relaxed);
    bool attended = atomic_load(&i->attendant) != 0;

    if (turns != l->turns) {
        l->turns = turns;
        l->turned_us = j->quiet_us = j->now_us;
        l->waiting_us = 0;
        l->ours = false;
    }
    if (l->ours)
        return true;
    if (attended)
        return attendant_is_gone(j, k);
    if (j->now_us - l->turned_us >= TICK_MIN_US)
        return true;
    j->calm = false;
    return false;
}

/* Who has no thread is ours from the start; and so is what the law names when nobody is there. */
static bool concerns_us(unsigned k)
{
    struct px_inst *i = &px_session->inst[k];

    return atomic_load(&i->live) || (!atomic_load(&i->tid) && janitor_law_names(k));
}

/* A timer that was set and a window that has opened are due although nothing was turned: a reader
 * that left half of what there was told its peer by the next probe of his (RFC 9293 3.8.6.1). */
bool janitor_has_missed(const struct px_inst *i, const struct look *l)
{
    return atomic_load(&i->visits) != l->visits;
}

/* There is something to do, or somebody else has done something since: its deadline is another. */
static bool is_due(const struct janitor *j, unsigned k)
{
    const struct px_inst *i = &px_session->inst[k];
    const struct look *l = &j->inst[k];

    return !l->armed || l->news || j->now_us >= l->due_us || i->unsent || janitor_has_missed(i, l);
}

static void look_at(struct janitor *j, unsigned k)
{
    struct px_inst *i = &px_session->inst[k];
    struct look *l = &j->inst[k];
    bool orphan = !atomic_load(&i->tid) && !atomic_load(&i->attendant);

    if (!orphan && !is_left(j, k)) {
        l->armed = false;
        return;
    }
    bool fresh = !l->ours;
    l->ours = true;
    if (is_due(j, k)) {
        uint64_t was = i->shard.busy_turns;
        attend(j, k);
        /* It waited for us: the next will not have to wait long. */
        if (i->shard.busy_turns != was) {
            j->quiet_us = j->now_us;
            if (fresh && !orphan)
                j->tick_us = TICK_MIN_US;
        }
    }
    j->next_us = min_u64(j->next_us, l->due_us);
}

void janitor_instances(struct janitor *j)
{
    j->calm = true;
    j->next_us = UINT64_MAX;
    for (unsigned k = 0; k < px_session->slots; k++)
        if (concerns_us(k))
            look_at(j, k);
}

/* What others attend is looked at again when it is long past its time. */
void janitor_watch_all(struct janitor *j)
{
    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        uint64_t due = atomic_load(&i->due_us);
        if (!atomic_load(&i->live) || j->inst[k].ours)
            continue;
        arm(j, k);
        if (due != UINT64_MAX)
            j->next_us = min_u64(j->next_us, due + 2 * LATE_US);
    }
}

/* ---- the end ------------------------------------------------------------------------------ */

/* In FIN-WAIT-2 the peer has acknowledged all there was, our FIN too. */
static bool owes(const struct tcp_conn *c)
{
    return c->state != TCPS_CLOSED && c->state != TCPS_FIN_WAIT_2;
}

static bool is_said(struct px_inst *i)
{
    const struct tcp *t = stack_tcp(i->shard.stack);

    for (uint32_t c = 0; c < t->conns.fresh; c++)
        if (owes(pool_at(&t->conns, c)))
            return false;
    return true;
}

bool janitor_all_is_said(void)
{
    for (unsigned k = 0; k < px_session->slots; k++)
        if (atomic_load(&px_session->inst[k].live) && !is_said(&px_session->inst[k]))
            return false;
    return true;
}

void janitor_reset_the_rest(void)
{
    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        if (!atomic_load(&i->live) || !janitor_enter(i))
            continue;
        struct tcp *t = stack_tcp(i->shard.stack);
        for (uint32_t c = 0; c < t->conns.fresh; c++)
            if (owes(pool_at(&t->conns, c)))
                tcp_abort(t, pool_at(&t->conns, c), os_now_us());
        inst_settle(i);
        inst_leave(i);
    }
}

void janitor_port_lost(void)
{
    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        if (!atomic_load(&i->live) || !janitor_enter(i))
            continue;
        inst_make_anew(i);
        inst_leave(i);
    }
}
