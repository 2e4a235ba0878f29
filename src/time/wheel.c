#include "time/time.h"

static struct timer *timer_at(const struct wheel *w, mem_ref r)
{
    return mem_ptr(w->base, r);
}

void wheel_init(struct wheel *w, uint8_t *arena_base, instant now)
{
    memset(w, 0, sizeof(*w));
    w->base = arena_base;
    w->now_tick = now >> TICK_SHIFT;
    w->next_tick = UINT64_MAX;
}

static void due_append(struct wheel *w, struct timer *t)
{
    mem_ref r = mem_ref_of(w->base, t);

    t->level = WHEEL_LEVELS;
    t->next = MEM_NONE;
    t->prev = w->due_tail;
    if (w->due_tail)
        timer_at(w, w->due_tail)->next = r;
    else
        w->due_head = r;
    w->due_tail = r;
}

static void due_remove(struct wheel *w, struct timer *t)
{
    if (t->prev)
        timer_at(w, t->prev)->next = t->next;
    else
        w->due_head = t->next;
    if (t->next)
        timer_at(w, t->next)->prev = t->prev;
    else
        w->due_tail = t->prev;
}

static void slot_insert(struct wheel *w, struct timer *t, unsigned level, unsigned slot)
{
    mem_ref r = mem_ref_of(w->base, t);
    mem_ref head = w->slot[level][slot];

    t->level = (uint8_t)level;
    t->slot = (uint8_t)slot;
    t->prev = MEM_NONE;
    t->next = head;
    if (head)
        timer_at(w, head)->prev = r;
    w->slot[level][slot] = r;
    w->occupied[level] |= UINT64_C(1) << slot;
}

static void slot_remove(struct wheel *w, struct timer *t)
{
    if (t->prev)
        timer_at(w, t->prev)->next = t->next;
    else
        w->slot[t->level][t->slot] = t->next;
    if (t->next)
        timer_at(w, t->next)->prev = t->prev;
    if (!w->slot[t->level][t->slot])
        w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
}

/* The full tick of a 32-bit one, which lies less than half a circle from now. */
static uint64_t full_tick(const struct wheel *w, tick at)
{
    return w->now_tick + (uint64_t)(int64_t)(int32_t)(at - (tick)w->now_tick);
}

static void place(struct wheel *w, struct timer *t)
{
    uint64_t at = full_tick(w, t->expires);

    if ((int64_t)(at - w->now_tick) <= 0) {
        due_append(w, t);
        return;
    }
    unsigned level = highest_bit(at ^ w->now_tick) / WHEEL_BITS;
    level = level < WHEEL_LEVELS ? level : WHEEL_LEVELS - 1;
    unsigned shift = level * WHEEL_BITS;
    slot_insert(w, t, level, (at >> shift) & (WHEEL_SLOTS - 1));
    w->next_tick = min_u64(w->next_tick, at >> shift << shift);
}

void wheel_arm(struct wheel *w, struct timer *t, tick at)
{
    /* Anywhere else a reference would name something before it. */
    MR_ASSERT((uintptr_t)t % MEM_UNIT == 0);
    if (timer_is_armed(t))
        wheel_disarm(w, t);
    t->expires = at;
    w->armed++;
    place(w, t);
}

void wheel_disarm(struct wheel *w, struct timer *t)
{
    if (!timer_is_armed(t))
        return;
    if (t->level == WHEEL_LEVELS)
        due_remove(w, t);
    else
        slot_remove(w, t);
    t->level = TIMER_IDLE;
    w->armed--;
}

/* The first tick at which an occupied slot of this level begins, or UINT64_MAX.
 *
 * Occupied slots lie ahead of the current one (on the top level, modulo the
 * circle): everything at or behind it has moved down or is due. */
static uint64_t level_next(const struct wheel *w, unsigned level)
{
    unsigned shift = level * WHEEL_BITS;
    uint64_t digit = w->now_tick >> shift;
    unsigned cur = digit & (WHEEL_SLOTS - 1);
    uint64_t bits = w->occupied[level];

    if (!bits)
        return UINT64_MAX;
    uint64_t turned = bits >> cur | (cur ? bits << (WHEEL_SLOTS - cur) : 0);
    unsigned ahead = lowest_bit(turned);
    /* A timer one whole turn of the top level ahead shares the current slot. */
    return (digit + (ahead ? ahead : WHEEL_SLOTS)) << shift;
}

static uint64_t next_slot_tick(const struct wheel *w)
{
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < WHEEL_LEVELS; i++)
        best = min_u64(best, level_next(w, i));
    return best;
}

/* Empty the slot that begins now; its timers become due or move down. */
static void cascade(struct wheel *w, unsigned level)
{
    unsigned slot = (w->now_tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
    mem_ref r = w->slot[level][slot];

    w->slot[level][slot] = MEM_NONE;
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    while (r) {
        struct timer *t = timer_at(w, r);
        r = t->next;
        place(w, t);
    }
}

void wheel_advance(struct wheel *w, instant now)
{
    uint64_t target = now >> TICK_SHIFT;

    if (target <= w->now_tick)
        return;
    while (w->next_tick <= target) {
        /* It may be stale: timers that would have made it were disarmed. */
        uint64_t at = next_slot_tick(w);
        w->next_tick = at;
        if (at > target)
            break;
        w->now_tick = at;
        for (unsigned level = WHEEL_LEVELS; level-- > 0;)
            if ((at & ((UINT64_C(1) << (level * WHEEL_BITS)) - 1)) == 0)
                cascade(w, level);
        w->next_tick = next_slot_tick(w);
    }
    w->now_tick = target;
}

struct timer *wheel_pop(struct wheel *w)
{
    if (!w->due_head)
        return NULL;
    struct timer *t = timer_at(w, w->due_head);
    due_remove(w, t);
    t->level = TIMER_IDLE;
    w->armed--;
    return t;
}

instant wheel_deadline(const struct wheel *w)
{
    if (w->due_head)
        return 0;
    if (!w->armed)
        return INSTANT_NEVER;
    return next_slot_tick(w) << TICK_SHIFT;
}
