/* Open file descriptions: where they come from, and who holds them. */
#include "posix/pools.h"

#include <stddef.h>
#include <string.h>

#include "os/os.h"

size_t pools_bytes(void)
{
    return sizeof(struct px_pools);
}

void pools_init(struct px_pools *p)
{
    uint64_t t = os_now_us();

    p->files.used = p->watches.used = p->sets.used = 1;
    /* Nothing a program stores in an epoll_event is likely to begin like this. */
    p->token = (uint32_t)(t * 2654435761u) | 0x80000001u;
}

uint32_t pools_get(struct px_pool *p, uint32_t limit, uint32_t *(*next)(uint32_t), bool *fresh)
{
    uint32_t index;

    pools_lock(&p->lock);
    index = p->free;
    *fresh = index == 0;
    if (index)
        p->free = *next(index);
    else if (p->used < limit)
        index = p->used++;
    p->taken += index != 0;
    px_unlock(&p->lock);
    return index;
}

void pools_put(struct px_pool *p, uint32_t index, uint32_t *(*next)(uint32_t))
{
    pools_lock(&p->lock);
    *next(index) = p->free;
    p->free = index;
    p->taken--;
    px_unlock(&p->lock);
}

static uint32_t *next_file(uint32_t index)
{
    return &file_of(index)->next_free;
}

/* A file that was given back may still be looked at by file_get in another thread, which counts it
 * up from anything but 0 and finds afterwards that no descriptor names it: refs is never written
 * but by atomic operations, and is last. */
struct px_file *file_new(enum px_kind kind)
{
    bool fresh;
    uint32_t index = pools_get(&px_session->pools->files, PX_FILES, next_file, &fresh);
    struct px_file *f;

    if (index == 0)
        return NULL;
    f = file_of(index);
    if (!fresh)
        memset((uint8_t *)f + offsetof(struct px_file, kind), 0,
               sizeof *f - offsetof(struct px_file, kind));
    atomic_fetch_add_explicit(&f->born, 1, memory_order_relaxed);
    f->kind = (uint8_t)kind;
    f->opts.linger = -1;
    f->maker = atomic_load_explicit(&px_proc->pid, memory_order_relaxed);
    atomic_store_explicit(&f->named, -1, memory_order_relaxed);
    atomic_store_explicit(&f->refs, 1, memory_order_release);
    return f;
}

/* One more reference, unless the last has gone. */
static bool hold(struct px_file *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);

    do {
        if (refs == 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&f->refs, &refs, refs + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    return true;
}

/* The file that an entry names, held.  Between the look at the entry and the count another thread
 * may have closed the descriptor, and the file may be another's by now: then the entry does not
 * name it any more, and the count was a guest's. */
static struct px_file *hold_entry(struct px_fd *e)
{
    for (;;) {
        uint32_t index = atomic_load_explicit(&e->file, memory_order_acquire);
        struct px_file *f;

        if (index == 0)
            return NULL;
        f = file_of(index);
        if (!hold(f))
            continue;
        if (likely(atomic_load_explicit(&e->file, memory_order_acquire) == index))
            return f;
        file_put(f);
    }
}

struct px_file *file_get(int fd)
{
    if (!px_session || (unsigned)fd >= PX_FDS)
        return NULL;
    return hold_entry(&px_proc->fd[fd]);
}

void file_put(struct px_file *f)
{
    uint32_t refs = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);

    MR_ASSERT(refs != 0);
    if (refs != 1)
        return;
    wait_forget(f, false);
    if (f->kind == PX_EPOLL)
        epoll_closed(f);
    else
        file_closed(f);
    f->kind = PX_FREE;
    pools_put(&px_session->pools->files, file_index(f), next_file);
}

/* ---- entries --------------------------------------------------------------------------------- */

static void entry_used(struct px_proc *p, uint32_t fds)
{
    uint32_t had = atomic_load_explicit(&p->fds, memory_order_relaxed);

    while (had < fds && !atomic_compare_exchange_weak_explicit(
                            &p->fds, &had, fds, memory_order_release, memory_order_relaxed))
        ;
}

/* What it named, whose reference is the caller's now; or NULL. */
static struct px_file *entry_take(struct px_fd *e)
{
    uint32_t index = 0;

    if (atomic_load_explicit(&e->file, memory_order_relaxed))
        index = atomic_exchange_explicit(&e->file, 0, memory_order_acq_rel);
    return index ? file_of(index) : NULL;
}

static bool is_named(struct px_proc *p, const struct px_file *f)
{
    uint32_t n = atomic_load_explicit(&p->fds, memory_order_acquire);

    for (uint32_t fd = 0; fd < n; fd++)
        if (atomic_load_explicit(&p->fd[fd].file, memory_order_relaxed) == file_index(f))
            return true;
    return false;
}

void entry_gone(struct px_file *f)
{
    if (f->kind == PX_LISTENER && atomic_load(&f->refs) > 1 && !is_named(px_proc, f))
        listener_left(f, atomic_load(&px_proc->pid));
    file_put(f);
}

void desc_set(int fd, struct px_file *f, bool cloexec)
{
    struct px_fd *e = &px_proc->fd[fd];
    uint32_t had;

    MR_ASSERT((unsigned)fd < PX_FDS);
    e->cloexec = cloexec;
    e->why = f->both ? PX_WHY_BOTH : PX_WHY_OURS;
    atomic_store_explicit(&f->named, fd, memory_order_relaxed);
    entry_used(px_proc, (uint32_t)fd + 1);
    had = atomic_exchange_explicit(&e->file, file_index(f), memory_order_acq_rel);
    if (had)
        entry_gone(file_of(had));
}

void desc_clear(int fd, enum px_why why)
{
    struct px_file *f;

    if ((unsigned)fd >= PX_FDS)
        return;
    f = entry_take(&px_proc->fd[fd]);
    px_proc->fd[fd].why = (uint8_t)why;
    if (f)
        entry_gone(f);
}

void desc_set_why(int fd, enum px_why why)
{
    if ((unsigned)fd >= PX_FDS)
        return;
    entry_used(px_proc, (uint32_t)fd + 1);
    px_proc->fd[fd].why = (uint8_t)why;
}

/* Every entry of p that names f goes; how many did. */
static uint32_t entries_clear(struct px_proc *p, struct px_file *f, enum px_why why)
{
    uint32_t n = atomic_load_explicit(&p->fds, memory_order_acquire), gone = 0;

    for (uint32_t fd = 0; fd < n; fd++) {
        uint32_t index = file_index(f);

        if (atomic_load_explicit(&p->fd[fd].file, memory_order_relaxed) != index)
            continue;
        p->fd[fd].why = (uint8_t)why;
        gone += atomic_compare_exchange_strong(&p->fd[fd].file, &index, 0);
    }
    return gone;
}

void file_to_kernel(struct px_file *f, enum px_why why)
{
    int32_t fd = atomic_load_explicit(&f->named, memory_order_relaxed);
    uint32_t index = file_index(f), gone = 0;

    wait_forget(f, true);
    /* Nearly always one descriptor names it: the one that was given to it. */
    if (fd >= 0 && atomic_compare_exchange_strong(&px_proc->fd[fd].file, &index, 0)) {
        px_proc->fd[fd].why = (uint8_t)why;
        if (atomic_fetch_sub(&f->refs, 1) == 2)
            return;
    }
    for (unsigned k = 0; k < atomic_load(&px_session->procs); k++)
        if (atomic_load(&px_session->proc[k].pid))
            gone += entries_clear(&px_session->proc[k], f, why);
    while (gone--)
        file_put(f);
}

void desc_bury(struct px_proc *p)
{
    uint32_t n = atomic_load_explicit(&p->fds, memory_order_acquire);

    for (uint32_t fd = 0; fd < n; fd++) {
        struct px_file *f = entry_take(&p->fd[fd]);

        if (f)
            file_put(f);
        p->fd[fd].why = PX_WHY_NOTHING;
        p->fd[fd].cloexec = 0;
    }
    atomic_store(&p->fds, 0);
}

void desc_copy(struct px_proc *to, struct px_proc *from)
{
    uint32_t n = atomic_load_explicit(&from->fds, memory_order_acquire);

    entry_used(to, n);
    for (uint32_t fd = 0; fd < n; fd++) {
        struct px_file *f = hold_entry(&from->fd[fd]);

        to->fd[fd].cloexec = from->fd[fd].cloexec;
        to->fd[fd].why = from->fd[fd].why;
        if (f)
            atomic_store_explicit(&to->fd[fd].file, file_index(f), memory_order_release);
    }
}
