/* time: instants and the timer wheel.  Nothing here reads a clock.
 *
 * THEORY OF OPERATION
 *
 * An instant is a number of microseconds since a point the caller chose (never 0 in a running
 * stack).  Timers count in ticks of 2^7 = 128 us; an armed timer never fires early and fires at
 * most one tick late.
 *
 * The wheel has six levels of 64 slots.  A timer lies in the level of the highest 6-bit digit in
 * which its tick differs from the wheel's, so a slot of level n spans 64^n ticks; when time reaches
 * a slot of a higher level, its timers move down.  Arming, disarming: O(1).  A bitmap a level finds
 * the next occupied slot without looking at empty ones.
 *
 *   level 0   128 us a slot        level 3   33 s
 *   level 1   8 ms                 level 4   36 min
 *   level 2   0.5 s                level 5   38 h
 *
 * The wheel calls nobody: wheel_advance moves what is due to a list and the owner pulls with
 * wheel_pop, then looks at the timer's kind.  Timers link by arena references: 16 bytes each. */
#pragma once

#include "mem/mem.h"

typedef uint64_t instant; /* microseconds */
#define INSTANT_NEVER UINT64_MAX

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/* A 32-bit tick for compact deadlines; compare with tick_lt, never with <.  Half the circle is 76
 * hours: no timeout may be longer than TICKS_MAX. */
typedef uint32_t tick;
#define TICK_SHIFT 7
#define TICKS_MAX (UINT32_C(1) << 30)

/* The first tick at or after t. */
static inline tick tick_ceil(instant t)
{
    return (tick)((t + ((1u << TICK_SHIFT) - 1)) >> TICK_SHIFT);
}
static inline tick tick_floor(instant t)
{
    return (tick)(t >> TICK_SHIFT);
}
static inline bool tick_lt(tick a, tick b)
{
    return (int32_t)(a - b) < 0;
}
static inline bool tick_leq(tick a, tick b)
{
    return (int32_t)(a - b) <= 0;
}
/* A duration in ticks, rounded up, at most TICKS_MAX. */
static inline uint32_t ticks_of_us(uint64_t us)
{
    uint64_t t = (us + ((1u << TICK_SHIFT) - 1)) >> TICK_SHIFT;
    return t < TICKS_MAX ? (uint32_t)t : TICKS_MAX;
}

/* Embedded in whatever waits inside the arena. */
struct MR_ALIGNED(MEM_UNIT) timer {
    mem_ref next, prev; /* in a slot's list; prev MEM_NONE: first */
    tick expires;
    uint8_t kind;  /* the owner's; tells wheel_pop's caller what embeds it */
    uint8_t level; /* WHEEL_LEVELS: due list; TIMER_IDLE: not armed */
    uint8_t slot;
    uint8_t spare; /* the owner's */
};
_Static_assert(sizeof(struct timer) == 16, "two timers fit half a cache line");

#define WHEEL_BITS 6
#define WHEEL_SLOTS 64
#define WHEEL_LEVELS 6
#define TIMER_IDLE 0xff

struct wheel {
    uint8_t *base;      /* the arena, for references */
    uint64_t now_tick;  /* every timer due before or at this tick is on the due list */
    uint64_t next_tick; /* no occupied slot begins before it; maybe later */
    uint64_t occupied[WHEEL_LEVELS];
    mem_ref slot[WHEEL_LEVELS][WHEEL_SLOTS];
    mem_ref due_head, due_tail;
    uint32_t armed;
};

void wheel_init(struct wheel *w, uint8_t *arena_base, instant now);

static inline void timer_init(struct timer *t, uint8_t kind)
{
    *t = (struct timer){.kind = kind, .level = TIMER_IDLE};
}
static inline bool timer_is_armed(const struct timer *t)
{
    return t->level != TIMER_IDLE;
}

/* Arm, or move, t to fire at `at` (less than TICKS_MAX ahead; a tick not after the wheel's now
 * fires at the next advance). */
void wheel_arm(struct wheel *w, struct timer *t, tick at);
void wheel_disarm(struct wheel *w, struct timer *t);

/* Move everything due at `now` to the due list; `now` never goes back (an earlier one is ignored).
 */
void wheel_advance(struct wheel *w, instant now);

/* Take the next due timer off the list, in order of expiry by slot; NULL when none.  It is then not
 * armed. */
struct timer *wheel_pop(struct wheel *w);

/* When to call wheel_advance next: never later than the first expiry rounded up to a tick, maybe
 * earlier (a slot of a higher level has to move down).  INSTANT_NEVER when nothing is armed; 0 when
 * something is due already. */
instant wheel_deadline(const struct wheel *w);
