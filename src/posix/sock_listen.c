/* Listeners: listen(2), and their presence in the instances.
 *
 * listen() opens it in one instance.  Each other opens its own mr_listen when a thread that polls
 * by it wants what arrives there; flows are spread over the instances by their home, so each
 * thread has its share and none wakes for another's.  A slot whose thread has gone, or whose
 * process has dropped the file, is an orphan: it is paused if another listens, and what waits in
 * it anybody may accept. */
#include "posix/sock_int.h"

#define BACKLOG_MAX 4096u /* as Linux's net.core.somaxconn */
#define BIT(slot) (UINT64_C(1) << (slot))

/* Once it has one it keeps it to its end: threads may be in the middle of an accept. */
static bool listen_get(struct px_file *f)
{
    for (uint32_t k = 0; k < PX_LISTENS && !f->listen; k++) {
        struct px_listen *l = &px_session->listens[k];
        uint32_t none = 0;
        if (!atomic_load_explicit(&l->used, memory_order_relaxed) &&
            atomic_compare_exchange_strong(&l->used, &none, file_index(f)))
            f->listen = l;
    }
    return f->listen != NULL;
}

void listen_put(struct px_file *f)
{
    struct px_listen *l = f->listen;

    if (!l)
        return;
    f->listen = NULL;
    atomic_store(&l->open, 0);
    atomic_store(&l->pending, 0);
    atomic_store(&l->orphan, 0);
    atomic_store(&l->alone, 0);
    memset(l->sock, 0, sizeof(l->sock));
    atomic_store(&l->used, 0);
}

/* ---- one instance --------------------------------------------------------------------------- */

static void is_open(struct px_file *f, unsigned slot, mr_sock s, bool orphan)
{
    struct px_listen *l = f->listen;

    l->sock[slot] = s;
    if (orphan)
        atomic_fetch_or(&l->orphan, BIT(slot));
    else
        atomic_fetch_and(&l->orphan, ~BIT(slot));
    atomic_fetch_or(&l->open, BIT(slot));
}

int listener_open_in(struct px_file *f, struct px_inst *i, bool orphan)
{
    struct mr_listen_opts o = {.backlog = f->listen->backlog, .user = f};
    struct mr_addr at = f->local;
    mr_sock s;
    int rc = mr_listen(inst_mr(i), &at, &o, &s);

    if (rc)
        return rc;
    opts_apply(f, inst_mr(i), s);
    is_open(f, i->slot, s, orphan);
    return 0;
}

/* A connection that one thread is told of, that thread must be able to take, or it is told of it
 * for ever and nobody takes it (haproxy reloads, more threads than slots, 2026-11-23). */
uint64_t listener_slots(const struct px_file *f)
{
    const struct px_listen *l = f->listen;

    /* Without a slot of its own a thread listens in another's (session_mine). */
    if (!px_thread.slot)
        return UINT64_MAX;
    return atomic_load(&l->orphan) | ~atomic_load(&px_session->claimed) | ~atomic_load(&l->alone) |
           px_thread.listens | BIT(px_thread.slot - 1);
}

static bool is_alone(const struct px_listen *l, unsigned slot)
{
    return atomic_load(&l->alone) & ~atomic_load(&l->orphan) & BIT(slot);
}

void listener_pending(struct px_file *f, unsigned slot)
{
    atomic_fetch_or(&f->listen->pending, BIT(slot));
    wait_notify(f, EPOLLIN | EPOLLRDNORM, is_alone(f->listen, slot) ? (int)slot : -1);
}

void listener_alone(struct px_file *f, int slot, bool alone)
{
    struct px_listen *l = f->listen;

    if (slot < 0 || f->kind != PX_LISTENER || !l)
        return;
    if (alone)
        atomic_fetch_or(&l->alone, BIT(slot));
    else if (atomic_fetch_and(&l->alone, ~BIT(slot)) & atomic_load(&l->pending) & BIT(slot))
        wait_notify(f, EPOLLIN | EPOLLRDNORM, -1);
}

void listener_news(struct px_file *f, unsigned slot)
{
    if (f->kind != PX_LISTENER || !(atomic_load(&f->listen->open) & BIT(slot)))
        return;
    listener_pending(f, slot);
    port_tell_sharers(f, slot);
}

/* Other cores hear by mail of who listens, and pass on what arrives at them. */
static void news_travels(void)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned slot = 0; slot < px_session->slots; slot++) {
            struct px_inst *i = &px_session->inst[slot];
            if (!atomic_load(&i->live))
                continue;
            inst_enter(i);
            inst_settle(i);
            inst_leave(i);
        }
}

/* Who begins to rest has read first who does not, and passes SYNs there from then on. */
static void pause_in(struct px_file *f, unsigned slot, bool pause)
{
    struct px_listen *l = f->listen;
    struct px_inst *i = &px_session->inst[slot];

    inst_enter(i);
    if (pause)
        inst_settle(i);
    if ((atomic_load(&l->open) & BIT(slot)) && !port_shared(f, slot, false).v)
        (void)mr_setopt(inst_mr(i), l->sock[slot], MR_PAUSED, pause);
    inst_turn(i);
    inst_leave(i);
}

/* Slots from whom nobody accepts rest while there is one from whom somebody does; first those who
 * are to listen do. */
static void repause(struct px_file *f)
{
    struct px_listen *l = f->listen;
    uint64_t open = atomic_load(&l->open), orphan = atomic_load(&l->orphan);
    bool good = (open & ~orphan & atomic_load(&px_session->claimed)) != 0;
    uint64_t rest = good ? open & orphan : 0;

    for (uint64_t left = open & ~rest; left; left &= left - 1)
        pause_in(f, (unsigned)__builtin_ctzll(left), false);
    for (uint64_t left = rest; left; left &= left - 1)
        pause_in(f, (unsigned)__builtin_ctzll(left), true);
    if (atomic_load(&l->pending) & orphan)
        wait_notify(f, EPOLLIN | EPOLLRDNORM, -1);
    news_travels();
}

static void open_or_share(struct px_file *f, struct px_inst *i, bool orphan)
{
    if (f->kind != PX_LISTENER)
        return; /* shut down meanwhile */
    if (!(atomic_load(&f->listen->open) & BIT(i->slot))) {
        int rc = listener_open_in(f, i, orphan);
        mr_sock s = rc == MR_EADDRINUSE ? port_inherit(f, i->slot) : MR_SOCK_NONE;
        if (s.v)
            is_open(f, i->slot, s, orphan);
    } else if (!orphan) {
        (void)mr_setopt(inst_mr(i), f->listen->sock[i->slot], MR_PAUSED, 0);
        atomic_fetch_and(&f->listen->orphan, ~BIT(i->slot));
    }
}

/* A thread that found no slot of its own is content with what others listen to, and if nobody does
 * has it opened for everybody. */
void listener_open(struct px_file *f, struct px_inst *i)
{
    struct px_listen *l = f->listen;
    bool guest = px_thread.slot != (int)i->slot + 1;
    uint64_t open, orphan;

    if (f->kind != PX_LISTENER)
        return;
    open = atomic_load_explicit(&l->open, memory_order_acquire);
    orphan = atomic_load_explicit(&l->orphan, memory_order_relaxed);
    if (guest ? open != 0 : (open & ~orphan & BIT(i->slot)) != 0)
        return;
    inst_enter(i);
    open_or_share(f, i, guest);
    inst_turn(i);
    inst_leave(i);
    if (atomic_load(&l->orphan) && !guest)
        repause(f);
}

static void slots_left(struct px_file *f, uint64_t slots)
{
    slots &= atomic_load(&f->listen->open);
    if (!slots)
        return;
    atomic_fetch_or(&f->listen->orphan, slots);
    atomic_fetch_and(&f->listen->alone, ~slots);
    repause(f);
}

void listener_left(struct px_file *f, int32_t pid)
{
    uint64_t slots = 0;

    if (f->kind != PX_LISTENER)
        return;
    for (unsigned slot = 0; slot < px_session->slots; slot++)
        if (atomic_load(&px_session->inst[slot].pid) == pid)
            slots |= BIT(slot);
    slots_left(f, slots);
}

void listeners_left(unsigned slot)
{
    for (uint32_t k = 0; k < PX_LISTENS; k++) {
        uint32_t index = atomic_load(&px_session->listens[k].used);
        struct px_file *f = index ? &px_session->file[index] : NULL;
        if (!f || !(atomic_load(&px_session->listens[k].open) & BIT(slot)) || !file_hold(f))
            continue;
        if (f->kind == PX_LISTENER)
            slots_left(f, BIT(slot));
        file_put(f);
    }
}

void listeners_again(void)
{
    for (uint32_t k = 0; k < PX_LISTENS; k++) {
        uint32_t index = atomic_load(&px_session->listens[k].used);
        struct px_file *f = index ? &px_session->file[index] : NULL;
        if (!f || !atomic_load(&px_session->listens[k].pending) || !file_hold(f))
            continue;
        if (f->kind == PX_LISTENER)
            wait_notify(f, EPOLLIN | EPOLLRDNORM, -1);
        file_put(f);
    }
}

/* ---- listen(2) and its end ------------------------------------------------------------------- */

static uint32_t backlog_of(int backlog)
{
    uint32_t n = (unsigned)backlog < BACKLOG_MAX ? (uint32_t)backlog : BACKLOG_MAX;

    return n + 1; /* Linux's queue is full when it has more than the backlog */
}

static int listen_both(struct px_file *f, int fd, int backlog)
{
    int rc = f->kernel_bound ? 0 : bind_any(f, fd, 0);

    if (rc)
        return rc;
    /* We ask the kernel's socket, and wait elsewhere. */
    (void)sys_fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    rc = sys_listen(fd, backlog);
    f->both = rc == 0;
    return rc;
}

/* From now on connections may come, though nobody accepts yet: some instance takes them, as an
 * orphan, until a thread wants them in its own. */
static void listener_seed(struct px_file *f)
{
    struct px_inst *i = session_mine_if();

    i = i ? i : &px_session->inst[px_session->law->table[0]];
    inst_enter(i);
    open_or_share(f, i, true);
    inst_leave(i);
    news_travels();
}

/* It was bound to our address without a port (IP_BIND_ADDRESS_NO_PORT). */
static int port_late(struct px_file *f)
{
    struct mr_addr a = f->local;

    return port_take_any(f, &a);
}

static int listen_begin(struct px_file *f, int fd, int backlog)
{
    int rc = f->port ? port_take(f, &f->local) : 0;

    if (rc)
        return rc;
    if (!listen_get(f))
        return -ENOBUFS;
    f->listen->backlog = backlog_of(backlog);
    if (f->kernel_bound || !f->bound)
        rc = listen_both(f, fd, backlog);
    else if (!f->port)
        rc = port_late(f);
    if (rc)
        return rc;
    word_lock(&f->lock);
    f->kind = PX_LISTENER;
    atomic_store(&f->level, 0);
    px_unlock(&f->lock);
    listener_seed(f);
    if (f->both)
        wait_kernel_too(f);
    desc_set_why(fd, f->both ? PX_WHY_BOTH : PX_WHY_OURS);
    return 0;
}

static int listen_file(struct px_file *f, int fd, int backlog)
{
    switch ((enum px_kind)f->kind) {
    case PX_FRESH:
        return listen_begin(f, fd, backlog);
    case PX_LISTENER:
        f->listen->backlog = backlog_of(backlog);
        return f->both ? sys_listen(fd, backlog) : 0;
    case PX_CONN:
        return -EINVAL;
    case PX_DGRAM:
        return -EOPNOTSUPP;
    case PX_FREE:
    case PX_EPOLL:
        break;
    }
    return PX_PASS;
}

int px_listen(int fd, int backlog)
{
    struct px_file *f = file_get(fd);

    if (!f)
        return PX_PASS;
    int rc = listen_file(f, fd, backlog);
    file_put(f);
    return rc;
}

/* What others share is theirs, with its connections. */
static void close_in(struct px_file *f, unsigned slot)
{
    struct px_inst *i = &px_session->inst[slot];
    mr_sock s;

    inst_enter(i);
    s = f->listen->sock[slot];
    if ((atomic_fetch_and(&f->listen->open, ~BIT(slot)) & BIT(slot)) &&
        !port_shared(f, slot, true).v)
        (void)mr_close(inst_mr(i), s);
    inst_leave(i);
}

void listener_close(struct px_file *f)
{
    for (unsigned slot = 0; slot < px_session->slots; slot++)
        if (atomic_load(&f->listen->open) & BIT(slot))
            close_in(f, slot);
}
