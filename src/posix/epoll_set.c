/* Epoll sets: which files they watch, and which of those may be ready.
 *
 * Locks.  A file's lock guards the list of its watches, a set's lock the list of the set's and
 * which are ready.  News climb: a file's lock, then for a moment a set's, which is let go before
 * the lock of the set's own file, and so on (a set in a set).  Questions descend: an outer set's
 * lock, then an inner set's; they take no file's lock.  So there is no circle. */
#include "posix/epoll_int.h"

#include <string.h>

static uint32_t *next_watch(uint32_t index)
{
    return &watch_of(index)->next_of_file;
}

static uint32_t *next_set(uint32_t index)
{
    return &px_session->pools->set[index].next_free;
}

struct px_set *set_new(uint32_t file)
{
    bool fresh;
    uint32_t index = pools_get(&px_session->pools->sets, PX_SETS, next_set, &fresh);
    struct px_set *s = &px_session->pools->set[index];

    if (index == 0)
        return NULL;
    if (!fresh)
        memset(s, 0, sizeof *s);
    s->file = file;
    return s;
}

void set_free(struct px_set *s)
{
    pools_put(&px_session->pools->sets, (uint32_t)(s - px_session->pools->set), next_set);
}

struct px_watch *watch_new(void)
{
    bool fresh;
    uint32_t index = pools_get(&px_session->pools->watches, PX_WATCHES, next_watch, &fresh);
    struct px_watch *w = watch_of(index);

    if (index == 0)
        return NULL;
    if (!fresh)
        memset(w, 0, sizeof *w);
    return w;
}

void watch_free(struct px_watch *w)
{
    w->epoll = 0;
    pools_put(&px_session->pools->watches, watch_index(w), next_watch);
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* The set's lock. */
static void ready_add(struct px_set *s, struct px_watch *w)
{
    uint32_t index = watch_index(w);

    if (w->ready)
        return;
    w->ready = true;
    w->next_ready = 0;
    w->prev_ready = s->last;
    if (s->last)
        watch_of(s->last)->next_ready = index;
    else
        s->first = index;
    s->last = index;
    atomic_store_explicit(&s->ready, s->ready + 1, memory_order_relaxed);
}

static void ready_remove(struct px_set *s, struct px_watch *w)
{
    if (!w->ready)
        return;
    w->ready = false;
    if (w->prev_ready)
        watch_of(w->prev_ready)->next_ready = w->next_ready;
    else
        s->first = w->next_ready;
    if (w->next_ready)
        watch_of(w->next_ready)->prev_ready = w->prev_ready;
    else
        s->last = w->prev_ready;
    atomic_store_explicit(&s->ready, s->ready - 1, memory_order_relaxed);
}

/* The file's lock and the set's. */
void watch_link(struct px_set *s, struct px_file *f, struct px_watch *w)
{
    uint32_t index = watch_index(w), head = atomic_load_explicit(&f->watches, memory_order_relaxed);

    w->file = file_index(f);
    w->epoll = s->file;
    w->prev_of_file = w->prev_of_epoll = 0;
    w->next_of_file = head;
    if (head)
        watch_of(head)->prev_of_file = index;
    w->next_of_epoll = s->watches;
    if (s->watches)
        watch_of(s->watches)->prev_of_epoll = index;
    s->watches = index;
    atomic_store(&f->watches, index);
}

void watch_unlink(struct px_set *s, struct px_file *f, struct px_watch *w)
{
    ready_remove(s, w);
    if (w->prev_of_file)
        watch_of(w->prev_of_file)->next_of_file = w->next_of_file;
    else
        atomic_store_explicit(&f->watches, w->next_of_file, memory_order_relaxed);
    if (w->next_of_file)
        watch_of(w->next_of_file)->prev_of_file = w->prev_of_file;
    if (w->prev_of_epoll)
        watch_of(w->prev_of_epoll)->next_of_epoll = w->next_of_epoll;
    else
        s->watches = w->next_of_epoll;
    if (w->next_of_epoll)
        watch_of(w->next_of_epoll)->prev_of_epoll = w->prev_of_epoll;
}

struct px_watch *watch_find(const struct px_set *s, const struct px_file *f, int fd)
{
    uint32_t k = atomic_load_explicit(&f->watches, memory_order_relaxed);

    while (k && (watch_of(k)->epoll != s->file || watch_of(k)->fd != fd))
        k = watch_of(k)->next_of_file;
    return k ? watch_of(k) : NULL;
}

/* ---- news ----------------------------------------------------------------------------------- */

/* Bits of poll(2) that say the same in more words. */
static uint32_t in_full(uint32_t level)
{
    return level | (level & EPOLLIN ? EPOLLRDNORM : 0) | (level & EPOLLOUT ? EPOLLWRNORM : 0);
}

uint32_t watch_wants(const struct px_watch *w)
{
    return w->armed ? (w->want.events & ~EP_PRIVATE) | EPOLLERR | EPOLLHUP : 0;
}

uint32_t watch_level(const struct px_file *f, int slot)
{
    if (f->kind == PX_EPOLL)
        return epoll_is_ready(set_of(f)) ? EPOLLIN | EPOLLRDNORM : 0;
    if (f->kind == PX_LISTENER && slot >= 0)
        px_thread.listens |= UINT64_C(1) << slot;
    return in_full(file_level(f));
}

/* One watch of a file with news; the file's lock.  Its set's waiters. */
static uint64_t watch_news(struct px_watch *w)
{
    struct px_file *sf = file_of(w->epoll);
    struct px_set *s = set_of(sf);

    pools_lock(&s->lock);
    ready_add(s, w);
    px_unlock(&s->lock);
    /* A waiter says that it waits, then looks what is ready; here it is made ready, then asked who
     * waits.  The same with a set that is put into another. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&sf->watches, memory_order_relaxed))
        wait_notify(sf, EPOLLIN, -1);
    return atomic_load_explicit(&sf->waiters, memory_order_relaxed);
}

void wait_notify(struct px_file *f, uint32_t bits, int slot)
{
    bool mine = px_lock_is_mine(&f->lock), one = false;
    uint64_t kick = 0;

    if (!mine)
        pools_lock(&f->lock);
    bits = in_full(bits);
    for (uint32_t k = atomic_load_explicit(&f->watches, memory_order_relaxed); k;
         k = watch_of(k)->next_of_file) {
        struct px_watch *w = watch_of(k);
        bool exclusive = w->want.events & EPOLLEXCLUSIVE;
        uint64_t waiters;

        if ((slot >= 0 && w->slot >= 0 && w->slot != slot) || !(watch_wants(w) & bits) ||
            (exclusive && one))
            continue;
        waiters = watch_news(w);
        one |= exclusive && waiters;
        kick |= waiters;
    }
    kick |= atomic_load(&f->waiters);
    if (!mine)
        px_unlock(&f->lock);
    wait_kick(kick);
}

/* Something was added or re-armed: is it ready at once?  Outside of locks. */
void watch_check(struct px_set *s, struct px_file *f, struct px_watch *w)
{
    pools_lock(&f->lock);
    if (w->file == file_index(f) && w->epoll == s->file &&
        (watch_level(f, w->slot) & watch_wants(w)))
        wait_kick(watch_news(w));
    px_unlock(&f->lock);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Whoever waits for the set turns the instances of what it watches, if nobody else does. */
static void see_slot(struct px_set *s, const struct px_file *f)
{
    uint64_t bit = UINT64_C(1) << f->slot;

    if (f->kind == PX_CONN && !(atomic_load_explicit(&s->slots, memory_order_relaxed) & bit))
        atomic_fetch_or_explicit(&s->slots, bit, memory_order_relaxed);
}

/* From the front of the ready list; what stays ready (level-triggered) goes to the back, so that
 * all have their turn however few are asked for.  Levels are read here, after the watch has left
 * the list: news that come later put it there again. */
int set_gather(struct px_set *s, struct epoll_event *ev, int max, uint32_t *round)
{
    uint32_t left;
    int n = 0;

    pools_lock(&s->lock);
    *round = ++s->round;
    left = atomic_load_explicit(&s->ready, memory_order_relaxed);
    while (left-- && n < max && s->first) {
        struct px_watch *w = watch_of(s->first);
        uint32_t level;

        ready_remove(s, w);
        level = watch_level(file_of(w->file), w->slot) & watch_wants(w);
        if (level == 0)
            continue;
        see_slot(s, file_of(w->file));
        w->round = *round;
        w->at = (uint32_t)n;
        ev[n].events = level;
        ev[n++].data = w->want.data;
        if (w->want.events & EPOLLONESHOT)
            w->armed = false;
        else if (!(w->want.events & EPOLLET))
            ready_add(s, w);
    }
    px_unlock(&s->lock);
    return n;
}

bool epoll_is_ready(struct px_set *s)
{
    bool is = false;

    if (atomic_load(&s->ready) == 0)
        return false;
    pools_lock(&s->lock);
    for (uint32_t left = atomic_load(&s->ready); left-- && !is && s->first;) {
        struct px_watch *w = watch_of(s->first);

        ready_remove(s, w);
        is = watch_level(file_of(w->file), w->slot) & watch_wants(w);
        if (is)
            ready_add(s, w);
    }
    px_unlock(&s->lock);
    return is;
}
