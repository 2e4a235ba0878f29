/* Is a sleeper told of the last thing that a bringer of news does?  posix/wait.c in the memory
 * order of x86-TSO, all interleavings: each thread's stores wait in its store buffer, in order,
 * and reach memory at any later moment; it reads its own newest first; a full fence, and an
 * exchange, wait until the buffer is empty.
 *
 *      sleeper                                     bringer
 *      0  kicked = 0                               0  level = 1
 *      1  waiters = 1, fence (fetch_or)            1  fence (the file's lock)
 *      2  level?          news: awake              2  waiters?         none: done
 *      3  sleeping = 1                             3  kicked = 1, and what was it?  1: done
 *      4  fence                                    4  sleeping?        no: done
 *      5  kicked?         yes: awake               5  ring the bell
 *      6  asleep until the bell rings
 *
 * Asleep for good, with the bringer done, is a lost wake-up.  Without either of the sleeper's
 * fences there is one, and the test says so. */
#include "lib/cmocka_first.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum word { KICKED, WAITERS, LEVEL, SLEEPING, WORDS };
enum { BUFFER = 4, THREADS = 2, AWAKE = 100, DONE = 101 };

struct state {
    uint8_t memory[WORDS];
    struct {
        uint8_t pc, n;
        uint8_t word[BUFFER], value[BUFFER];
    } t[THREADS];
    uint8_t bell;
};

struct law {
    bool arm_fence, sleep_fence, bring_fence;
};

static struct state seen[1 << 16];
static unsigned seens, lost, awakes;
static struct law law;

static uint8_t read_word(const struct state *s, int t, enum word w)
{
    for (int k = s->t[t].n; k-- > 0;)
        if (s->t[t].word[k] == w)
            return s->t[t].value[k];
    return s->memory[w];
}

static void store(struct state *s, int t, enum word w, uint8_t value)
{
    assert_true(s->t[t].n < BUFFER);
    s->t[t].word[s->t[t].n] = (uint8_t)w;
    s->t[t].value[s->t[t].n++] = value;
}

static bool drain(struct state *s, int t)
{
    if (s->t[t].n == 0)
        return false;
    s->memory[s->t[t].word[0]] = s->t[t].value[0];
    s->t[t].n--;
    memmove(s->t[t].word, s->t[t].word + 1, BUFFER - 1);
    memmove(s->t[t].value, s->t[t].value + 1, BUFFER - 1);
    s->t[t].word[s->t[t].n] = s->t[t].value[s->t[t].n] = 0;
    return true;
}

/* One step of the sleeper.  False: it cannot go on now. */
static bool sleeper(struct state *s)
{
    uint8_t *pc = &s->t[0].pc;

    switch (*pc) {
    case 0:
        store(s, 0, KICKED, 0);
        break;
    case 1:
        if (law.arm_fence && s->t[0].n)
            return false;
        store(s, 0, WAITERS, 1);
        if (law.arm_fence)
            drain(s, 0);
        break;
    case 2:
        if (read_word(s, 0, LEVEL)) {
            *pc = AWAKE;
            return true;
        }
        break;
    case 3:
        store(s, 0, SLEEPING, 1);
        break;
    case 4:
        if (law.sleep_fence && s->t[0].n)
            return false;
        break;
    case 5:
        if (read_word(s, 0, KICKED)) {
            *pc = AWAKE;
            return true;
        }
        break;
    case 6:
        if (!s->bell)
            return false;
        *pc = AWAKE;
        return true;
    default:
        return false;
    }
    (*pc)++;
    return true;
}

static bool bringer(struct state *s)
{
    uint8_t *pc = &s->t[1].pc;

    switch (*pc) {
    case 0:
        store(s, 1, LEVEL, 1);
        break;
    case 1:
        if (law.bring_fence && s->t[1].n)
            return false;
        break;
    case 2:
        if (!read_word(s, 1, WAITERS)) {
            *pc = DONE;
            return true;
        }
        break;
    case 3: {
        uint8_t had = s->memory[KICKED];

        if (s->t[1].n)
            return false;
        s->memory[KICKED] = 1;
        if (had) {
            *pc = DONE;
            return true;
        }
        break;
    }
    case 4:
        if (!read_word(s, 1, SLEEPING)) {
            *pc = DONE;
            return true;
        }
        break;
    case 5:
        s->bell = 1;
        *pc = DONE;
        return true;
    default:
        return false;
    }
    (*pc)++;
    return true;
}

static bool is_new(const struct state *s)
{
    for (unsigned k = 0; k < seens; k++)
        if (memcmp(&seen[k], s, sizeof(*s)) == 0)
            return false;
    assert_true(seens < sizeof(seen) / sizeof(seen[0]));
    seen[seens++] = *s;
    return true;
}

static void walk(struct state s)
{
    struct state next;
    bool moved = false;

    if (!is_new(&s))
        return;
    for (int move = 0; move < 4; move++) {
        next = s;
        if (move < 2 ? drain(&next, move) : move == 2 ? sleeper(&next) : bringer(&next)) {
            moved = true;
            walk(next);
        }
    }
    if (moved)
        return;
    if (s.t[0].pc == AWAKE)
        awakes++;
    else
        lost++;
}

static void all_ways(struct law l)
{
    struct state s;

    memset(&s, 0, sizeof(s));
    law = l;
    seens = lost = awakes = 0;
    /* A kick of before: whoever had brought it saw nobody asleep. */
    for (uint8_t kicked = 0; kicked < 2; kicked++) {
        s.memory[KICKED] = kicked;
        walk(s);
    }
    assert_true(awakes > 0);
}

static void no_wake_up_is_lost_in_any_order(void **state)
{
    (void)state;
    all_ways((struct law){true, true, true});
    print_message("# %u states\n", seens);
    assert_int_equal(lost, 0);
}

static void each_fence_is_needed(void **state)
{
    (void)state;
    all_ways((struct law){false, true, true});
    assert_true(lost > 0);
    all_ways((struct law){true, false, true});
    assert_true(lost > 0);
    all_ways((struct law){true, true, false});
    assert_true(lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_up_is_lost_in_any_order),
        cmocka_unit_test(each_fence_is_needed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
