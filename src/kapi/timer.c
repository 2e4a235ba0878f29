/* Timers: a binary heap over slots, so that a handle finds its place and a
 * cancelled timer leaves at once. */
#include <stdlib.h>

#include "kapi/kapi_int.h"

#define NO_SLOT UINT32_MAX

static bool before(const struct ktimer *a, const struct ktimer *b)
{
    return a->deadline_us != b->deadline_us ? a->deadline_us < b->deadline_us : a->order < b->order;
}

static void place(struct kapi *k, uint32_t pos, struct ktimer t)
{
    k->heap[pos] = t;
    k->timers[t.slot].pos = pos;
}

static void sift_up(struct kapi *k, uint32_t pos, struct ktimer t)
{
    while (pos > 0 && before(&t, &k->heap[(pos - 1) / 2])) {
        place(k, pos, k->heap[(pos - 1) / 2]);
        pos = (pos - 1) / 2;
    }
    place(k, pos, t);
}

static void sift_down(struct kapi *k, uint32_t pos, struct ktimer t)
{
    for (;;) {
        uint32_t child = 2 * pos + 1;
        if (child + 1 < k->heap_n && before(&k->heap[child + 1], &k->heap[child]))
            child++;
        if (child >= k->heap_n || !before(&k->heap[child], &t))
            break;
        place(k, pos, k->heap[child]);
        pos = child;
    }
    place(k, pos, t);
}

static void take_out(struct kapi *k, uint32_t pos)
{
    uint32_t slot = k->heap[pos].slot;
    struct ktimer last = k->heap[--k->heap_n];

    if (pos < k->heap_n) {
        if (pos > 0 && before(&last, &k->heap[(pos - 1) / 2]))
            sift_up(k, pos, last);
        else
            sift_down(k, pos, last);
    }
    k->timers[slot].armed = false;
    k->timers[slot].gen++;
    k->timers[slot].next_free = k->free_timer;
    k->free_timer = slot;
}

static bool grow(struct kapi *k)
{
    uint32_t cap = k->heap_cap == 0 ? 64 : k->heap_cap * 2;
    struct ktimer *heap = realloc(k->heap, cap * sizeof(*heap));
    struct ktimer_slot *timers;

    if (heap == NULL)
        return false;
    k->heap = heap;
    timers = realloc(k->timers, cap * sizeof(*timers));
    if (timers == NULL)
        return false;
    k->timers = timers;
    k->heap_cap = cap;
    return true;
}

static int start(struct kapi *k, uint64_t delay_us, void *user, mr_sock linger, mr_timer *out)
{
    uint32_t slot = k->free_timer;
    /* Not before the next turn: a timer restarted from its own event would
     * otherwise keep this one busy for ever. */
    uint64_t delay = delay_us == 0 ? 1 : delay_us;

    if (slot != NO_SLOT) {
        k->free_timer = k->timers[slot].next_free;
    } else {
        if (k->used_timers == k->heap_cap && !grow(k))
            return MR_ENOMEM;
        slot = k->used_timers++;
        k->timers[slot].gen = 1;
    }
    k->timers[slot].user = user;
    k->timers[slot].linger = linger;
    k->timers[slot].armed = true;
    sift_up(k, k->heap_n++,
            (struct ktimer){.deadline_us =
                                delay > UINT64_MAX - k->now_us ? UINT64_MAX : k->now_us + delay,
                            .order = k->timer_order++,
                            .slot = slot});
    if (out != NULL)
        out->v = (uint64_t)k->timers[slot].gen << 32 | (slot + 1);
    return MR_OK;
}

int kapi_timer_start(struct mr *m, uint64_t delay_us, void *user, mr_timer *out)
{
    return start(kapi_of(m), delay_us, user, MR_SOCK_NONE, out);
}

int ktimer_linger(struct kapi *k, uint64_t delay_us, mr_sock linger)
{
    return start(k, delay_us, NULL, linger, NULL);
}

void kapi_timer_stop(struct mr *m, mr_timer t)
{
    struct kapi *k = kapi_of(m);
    uint32_t slot = (uint32_t)t.v - 1;

    if ((uint32_t)t.v == 0 || slot >= k->used_timers)
        return;
    if (k->timers[slot].armed && k->timers[slot].gen == t.v >> 32)
        take_out(k, k->timers[slot].pos);
}

bool ktimer_pop(struct kapi *k, struct ktimer_slot *out)
{
    if (k->heap_n == 0 || k->heap[0].deadline_us > k->now_us)
        return false;
    *out = k->timers[k->heap[0].slot];
    take_out(k, 0);
    return true;
}

uint64_t ktimer_wait_us(const struct kapi *k, uint64_t max_us)
{
    uint64_t left;

    if (k->heap_n == 0)
        return max_us;
    left = k->heap[0].deadline_us > k->now_us ? k->heap[0].deadline_us - k->now_us : 0;
    return left < max_us ? left : max_us;
}
