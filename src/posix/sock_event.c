/* News of the stack, as level and edges of files. */
#include "posix/sock_int.h"

#define NEWS_IN (EPOLLIN | EPOLLRDNORM)
#define NEWS_OUT (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* The level as it is, and `bits` are news even if they were there before: a further segment is an
 * edge.  Linux wakes with the bits of what happened. */
static void tell(struct px_file *f, uint32_t bits)
{
    uint32_t was = atomic_load_explicit(&f->level, memory_order_relaxed);
    uint32_t is = level_of(f);

    if (was != is)
        atomic_store_explicit(&f->level, is, memory_order_release);
    bits = (bits | (is & ~was)) & is;
    if (bits)
        wait_notify(f, bits, -1);
}

static void connected(struct px_file *f, struct mr *m)
{
    if (f->state != PX_CONNECTING)
        return;
    f->state = PX_CONNECTED;
    (void)mr_local_addr(m, f->sock, &f->local);
    tell(f, UINT32_MAX);
}

static void closed(struct px_file *f, int err)
{
    if (f->state == PX_CONNECTING) {
        f->state = PX_FAILED;
        f->err = err ? -err : ECONNABORTED;
    } else if (f->state == PX_CONNECTED) {
        conn_over(f, err);
    }
    tell(f, UINT32_MAX);
}

void file_event(struct mr *m, void *inst, const struct mr_event *ev)
{
    struct px_inst *i = inst;
    struct px_file *f = ev->user;

    if (!f)
        return;
    if (ev->type == MR_EV_ACCEPT) {
        listener_news(f, i->slot);
        return;
    }
    if (!mr_sock_eq(f->sock, ev->sock) || f->slot != i->slot)
        return;
    switch (ev->type) {
    case MR_EV_CONNECTED:
        connected(f, m);
        break;
    case MR_EV_READABLE:
        tell(f, NEWS_IN | EPOLLRDHUP);
        break;
    case MR_EV_WRITABLE:
        tell(f, NEWS_OUT);
        break;
    case MR_EV_URGENT:
        tell(f, EPOLLPRI);
        break;
    case MR_EV_SOFT_ERROR:
        if (f->kind == PX_DGRAM)
            tell(f, EPOLLERR | NEWS_IN | NEWS_OUT);
        break;
    case MR_EV_CLOSED:
        closed(f, ev->err);
        break;
    case MR_EV_ACCEPT:
    case MR_EV_TIMER:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        break;
    }
}

uint32_t file_level(const struct px_file *f)
{
    if (f->kind != PX_LISTENER)
        return atomic_load_explicit(&f->level, memory_order_acquire);
    const struct px_listen *l = f->listen;
    uint64_t pending = atomic_load_explicit(&l->pending, memory_order_acquire);
    if (!pending)
        return 0;
    return pending & listener_slots(f) ? NEWS_IN : 0;
}

/* ---- an instance that was made anew ---------------------------------------------------------- */

static void listener_lost(struct px_file *f, unsigned slot)
{
    uint64_t bit = UINT64_C(1) << slot;
    bool was = atomic_load(&f->listen->open) & bit, orphan = atomic_load(&f->listen->orphan) & bit;

    f->listen->sock[slot] = MR_SOCK_NONE;
    atomic_fetch_and(&f->listen->open, ~bit);
    atomic_fetch_and(&f->listen->pending, ~bit);
    atomic_fetch_and(&f->listen->orphan, ~bit);
    if (was)
        (void)listener_open_in(f, &px_session->inst[slot], orphan);
}

static void sock_lost(struct px_file *f)
{
    f->sock = MR_SOCK_NONE;
    if (f->kind == PX_CONN && f->state != PX_IDLE) {
        f->state = f->state == PX_CONNECTING ? PX_FAILED : PX_OVER;
        f->err = ECONNRESET;
    } else if (f->kind == PX_DGRAM) {
        (void)udp_reopen_in(f);
    }
    file_refresh(f);
}

void file_lost(unsigned slot)
{
    uint32_t n = files_used();

    for (uint32_t k = 1; k < n; k++) {
        struct px_file *f = &px_session->file[k];
        if (f->kind == PX_LISTENER && f->listen)
            listener_lost(f, slot);
        else if ((f->kind == PX_CONN || f->kind == PX_DGRAM) && f->slot == slot && f->sock.v)
            sock_lost(f);
    }
}
