/* posix/pools: what the session's memory keeps for files, watches and epoll sets: inside file.c,
 * epoll*.c, scm.c.
 *
 * A pool is a list of what was given back and a mark up to which memory was ever used: the rest was
 * never touched, and costs nothing.  Whoever dies in the midst loses one element at most: each list
 * is changed by one store. */
#pragma once

#include "posix/file.h"
#include "posix/lock.h"
#include "posix/wait.h"

#define PX_WATCHES (1u << 18)
#define PX_SETS 4096u
#define PX_SENT 256u /* descriptors of ours in messages that nobody has received yet */

struct px_pool {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t lock;
    uint32_t free;  /* index of the first; 0: none */
    uint32_t used;  /* one more than the highest ever taken */
    uint32_t taken; /* now */
};

/* An epoll set, beside the kernel's. */
struct px_set {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t lock;
    uint32_t file;              /* the one it is of */
    uint32_t watches;           /* list of all, by next_of_epoll */
    uint32_t first, last;       /* those that may be ready */
    _Atomic uint32_t ready;     /* how many; read without the lock */
    _Atomic int32_t kernel;     /* what the kernel's set watches: no less than that */
    _Atomic uint64_t looked_us; /* when somebody last asked the kernel's; 0: it had
                                 * something then, and is asked again at once */
    uint32_t round;             /* counts answers */
    _Atomic uint64_t slots;     /* bit: files that it watches were seen in this instance */
    uint32_t next_free;
};

struct px_sent {
    uint64_t cookie; /* of the kernel's socket that travels; 0: free */
    uint64_t at_us;
    uint64_t asked_us; /* when somebody last asked for a stand-in; at_us: never */
    uint32_t file;
    bool stand_in; /* the socket was made for the journey, */
    char name[6];  /* and answers to this */
};

struct px_pools {
    struct px_pool files, watches, sets;
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t sent_lock;
    _Atomic uint32_t sents;
    uint32_t token; /* upper half of what the kernel's sets tell of files that are ours, too */
    struct px_sent sent[PX_SENT];
    struct px_set set[PX_SETS];        /* 0: none */
    struct px_watch watch[PX_WATCHES]; /* 0: none */
};

/* A lock whose owner may have died: what these guard is sound after every store. */
static inline void pools_lock(_Atomic uint32_t *word)
{
    if (unlikely(px_lock(word)))
        atomic_thread_fence(memory_order_acquire);
}

static inline struct px_watch *watch_of(uint32_t index)
{
    return &px_session->pools->watch[index];
}
static inline uint32_t watch_index(const struct px_watch *w)
{
    return (uint32_t)(w - px_session->pools->watch);
}
static inline struct px_file *file_of(uint32_t index)
{
    return &px_session->file[index];
}
static inline struct px_set *set_of(const struct px_file *f)
{
    return f->epoll;
}

/* Index of an element, or 0; *fresh: it was never used before (its memory is zero). */
uint32_t pools_get(struct px_pool *p, uint32_t limit, uint32_t *(*next)(uint32_t), bool *fresh);
void pools_put(struct px_pool *p, uint32_t index, uint32_t *(*next)(uint32_t));

/* An entry of this process named f no more: its reference goes. */
void entry_gone(struct px_file *f);
/* The last reference of an epoll set's file went. */
void epoll_closed(struct px_file *f);
/* Is something of ours ready in the set?  What the kernel's side has is not in it. */
bool epoll_is_ready(struct px_set *s);
/* What poll would say of f, of ours; for a listener, to one who polls by that slot. */
uint32_t watch_level(const struct px_file *f, int slot);
