/* Small memory in the session, in powers of two. */
#include "base/bits.h"
#include "posix/session_int.h"

#define SMALLEST 64u
_Static_assert(SMALLEST << (HEAP_CLASSES - 1) == SESSION_GET_MAX, "the last class is the largest");

static unsigned class_of(size_t bytes)
{
    return bytes <= SMALLEST ? 0 : highest_bit(bytes - 1) + 1 - highest_bit(SMALLEST);
}

/* What its owner's death may have left is sound: a piece is lost at most. */
static void enter(struct session_heap *h)
{
    if (px_lock(&h->lock))
        atomic_thread_fence(memory_order_seq_cst);
}

static void *take(struct session_heap *h, unsigned class)
{
    size_t bytes = (size_t)SMALLEST << class;
    void *p = h->free[class];

    if (p) {
        memcpy(&h->free[class], p, sizeof(p));
        memset(p, 0, bytes);
        return p;
    }
    if (h->bytes - h->used < bytes)
        return NULL;
    p = h->at + h->used;
    h->used += bytes;
    return p;
}

void *session_get(size_t bytes)
{
    struct session_heap *h = &session_own()->heap;

    MR_ASSERT(bytes <= SESSION_GET_MAX);
    enter(h);
    void *p = take(h, class_of(bytes));
    px_unlock(&h->lock);
    return p;
}

void session_put(void *p, size_t bytes)
{
    struct session_heap *h = &session_own()->heap;
    unsigned class = class_of(bytes);

    if (!p)
        return;
    enter(h);
    memcpy(p, &h->free[class], sizeof(p));
    h->free[class] = p;
    px_unlock(&h->lock);
}
