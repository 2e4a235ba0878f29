/* The rings under every order in which the steps of two cores can happen.
 *
 * mail.c is compiled into this test with its atomic operations replaced by steps of a model.  Each
 * core is a coroutine that stops before every step; a scheduler goes on with one of them, or lets
 * the oldest entry of a core's store buffer reach memory:
 *
 *     core --store--> [buffer] --later--> memory <--load-- core       (x86's memory order: a store
 *                                                                      that is not sequentially
 *                                                                      consistent may be late)
 *
 * What a core does next depends only on what it has seen, so a state is memory, buffers, and the
 * hash of each core's past; the search goes once into each state there is.  Longer programs are run
 * in orders drawn from seeds. */
#include "lib/cmocka_first.h"

#include <stdatomic.h>
#include <ucontext.h>

#include "base/hash.h"
#include "base/rng.h"
#include "mail/mail.h"

#define CORES_TRIED 4u
#define RING 1024u
#define STACK (64u << 10)
#define BUFFERED 8u
#define DEPTH_MAX 4096u
#define STATES (1u << 22)

struct late_store {
    void *at;
    uint64_t value;
    size_t size;
};

struct coroutine {
    ucontext_t context;
    void (*program)(unsigned self);
    uint64_t past;
    struct late_store late[BUFFERED];
    unsigned nlate;
    bool done, sleeps, kicked;
    struct mail mail;
    uint32_t sent[CORES_TRIED], refused, got[CORES_TRIED];
    unsigned to_send;
    uint32_t body;
};

static struct {
    ucontext_t scheduler;
    struct coroutine core[CORES_TRIED];
    unsigned cores, running;
    uint8_t *memory;
    size_t bytes;
    const char *wrong;
    uint8_t stack[CORES_TRIED][STACK];
} w;

/* ---- steps -------------------------------------------------------------------------- */

static void step(void)
{
    struct coroutine *c = &w.core[w.running];

    c->past = mix64(c->past + 1);
    swapcontext(&c->context, &w.scheduler);
}

static void see(uint64_t v)
{
    struct coroutine *c = &w.core[w.running];

    c->past = mix64(c->past ^ mix64(v + 77));
}

static void to_memory(void *at, uint64_t value, size_t size)
{
    uint32_t v = (uint32_t)value;

    __builtin_memcpy(at, size == 8 ? (void *)&value : (void *)&v, size);
}

static void late_arrives(struct coroutine *c)
{
    to_memory(c->late[0].at, c->late[0].value, c->late[0].size);
    c->nlate--;
    memmove(&c->late[0], &c->late[1], c->nlate * sizeof(c->late[0]));
}

static uint64_t from_memory(const void *at, size_t size)
{
    const struct coroutine *c = &w.core[w.running];
    uint64_t v = 0;

    for (unsigned i = c->nlate; i-- > 0;)
        if (c->late[i].at == at)
            return c->late[i].value;
    __builtin_memcpy(&v, at, size);
    return v;
}

/* A relaxed load of 32 bits is of a count that the core itself writes: no step. */
static uint64_t model_load(const void *at, size_t size, bool relaxed)
{
    if (!relaxed || size == 8)
        step();
    uint64_t v = from_memory(at, size);
    see(v);
    return v;
}

static void model_store(void *at, size_t size, uint64_t v, bool late)
{
    struct coroutine *c = &w.core[w.running];

    step();
    if (!late || c->nlate == BUFFERED) {
        while (c->nlate)
            late_arrives(c);
        if (!late) {
            to_memory(at, v, size);
            return;
        }
    }
    c->late[c->nlate++] = (struct late_store){at, v, size};
}

enum change { CHANGE_OR, CHANGE_SET };

static uint64_t model_change(void *at, size_t size, enum change what, uint64_t v)
{
    struct coroutine *c = &w.core[w.running];

    step();
    while (c->nlate)
        late_arrives(c);
    uint64_t was = from_memory(at, size);
    to_memory(at, what == CHANGE_OR ? was | v : v, size);
    see(was);
    return was;
}

/* A copy into shared memory that is seen half done. */
static void torn_copy(void *to, const void *from, size_t n)
{
    __builtin_memcpy(to, from, n / 2);
    step();
    __builtin_memcpy((uint8_t *)to + n / 2, (const uint8_t *)from + n / 2, n - n / 2);
}

#undef memcpy
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_fetch_or
#undef atomic_exchange
#define memcpy(to, from, n) torn_copy(to, from, n)
#define PLAIN(p) ((void *)(uintptr_t)(p))
#define atomic_load(p) model_load(PLAIN(p), sizeof(*(p)), false)
/* Counts and bits are narrower than the model's values. */
#define atomic_load_explicit(p, order)                                                             \
    ((uint32_t)model_load(PLAIN(p), sizeof(*(p)), (order) == memory_order_relaxed))
#define atomic_store(p, v) model_store(PLAIN(p), sizeof(*(p)), (v), false)
#define atomic_store_explicit(p, v, order)                                                         \
    model_store(PLAIN(p), sizeof(*(p)), (v), (order) != memory_order_seq_cst)
#define atomic_fetch_or(p, v) model_change(PLAIN(p), sizeof(*(p)), CHANGE_OR, (v))
#define atomic_exchange(p, v) model_change(PLAIN(p), sizeof(*(p)), CHANGE_SET, (v))
#include "mail/mail.c"
#undef memcpy

/* ---- what the cores do ---------------------------------------------------------------- */

static void say_wrong(const char *what)
{
    if (!w.wrong)
        w.wrong = what;
}

static void write_letter(unsigned self, unsigned to)
{
    static uint8_t bytes[RING];
    struct coroutine *c = &w.core[self];
    struct pkt p = {.data = bytes, .len = c->body};
    uint32_t head[2] = {c->sent[to], ~c->sent[to]};

    if (mail_send(&c->mail, to, MAIL_PACKET, head, sizeof(head), c->body ? &p : NULL))
        c->sent[to]++;
    else
        c->refused++;
}

/* What the host does with the wakes of a turn. */
static void wake_others(unsigned self)
{
    uint64_t wakes = mail_take_wakes(&w.core[self].mail);

    for (unsigned to = 0; to < w.cores; to++) {
        if (!(wakes >> to & 1))
            continue;
        step();
        w.core[to].kicked = true;
    }
}

static void read_letters(unsigned self)
{
    struct coroutine *c = &w.core[self];
    struct letter l;

    mail_waits(&c->mail);
    while (mail_next(&c->mail, &l)) {
        uint32_t head[2];
        __builtin_memcpy(head, l.head, sizeof(head));
        if (l.kind != MAIL_PACKET || l.head_len != sizeof(head) ||
            l.body_len != w.core[l.from].body || head[1] != ~head[0])
            say_wrong("a letter is torn");
        else if (head[0] != c->got[l.from])
            say_wrong("a letter is lost, doubled or out of order");
        if (w.wrong)
            return;
        c->got[l.from]++;
        mail_done(&c->mail, &l);
    }
}

/* Core 0 sleeps when there is no mail; nobody else can end that but by a kick. */
static void program_reader(unsigned self)
{
    struct coroutine *c = &w.core[self];

    while (!w.wrong) {
        read_letters(self);
        if (mail_asleep(&c->mail)) {
            c->sleeps = true;
            step();
            c->sleeps = c->kicked = false;
        }
        mail_awake(&c->mail);
    }
}

/* All letters in one turn: wakes go out at its end. */
static void program_writer(unsigned self)
{
    for (unsigned i = 0; i < w.core[self].to_send; i++)
        write_letter(self, 0);
    wake_others(self);
}

/* A turn a letter. */
static void program_writer_of_turns(unsigned self)
{
    for (unsigned i = 0; i < w.core[self].to_send; i++) {
        write_letter(self, 0);
        wake_others(self);
    }
}

/* ---- the search ----------------------------------------------------------------------- */

static void enter(unsigned self)
{
    w.core[self].program(self);
    w.core[self].done = true;
    swapcontext(&w.core[self].context, &w.scheduler);
}

static void world_start(void)
{
    w.wrong = NULL;
    memset(w.memory, 0, w.bytes);
    mail_format(w.memory, w.cores, RING);
    for (unsigned i = 0; i < w.cores; i++) {
        struct coroutine *c = &w.core[i];
        *c = (struct coroutine){
            .program = c->program, .to_send = c->to_send, .body = c->body, .past = i};
        mail_open(&c->mail, w.memory, i);
        getcontext(&c->context);
        c->context.uc_stack.ss_sp = w.stack[i];
        c->context.uc_stack.ss_size = STACK;
        c->context.uc_link = NULL;
        makecontext(&c->context, (void (*)(void))(uintptr_t)enter, 1, i);
    }
}

/* Choice 2 i: core i takes a step; 2 i + 1: its oldest late store arrives. */
static unsigned choices(unsigned out[2 * CORES_TRIED])
{
    unsigned n = 0;

    for (unsigned i = 0; i < w.cores; i++) {
        const struct coroutine *c = &w.core[i];
        if (!c->done && (!c->sleeps || c->kicked))
            out[n++] = 2 * i;
        if (c->nlate)
            out[n++] = 2 * i + 1;
    }
    return n;
}

static void choose(unsigned choice)
{
    w.running = choice / 2;
    if (choice % 2)
        late_arrives(&w.core[w.running]);
    else
        swapcontext(&w.scheduler, &w.core[w.running].context);
}

/* Nothing can happen any more: whatever was taken has been read. */
static void judge_end(void)
{
    for (unsigned i = 1; i < w.cores; i++)
        if (w.core[0].got[i] != w.core[i].sent[0])
            say_wrong("the reader sleeps before mail");
}

static uint64_t state_hash(void)
{
    uint64_t h = 1, word;

    for (size_t at = 0; at < w.bytes; at += sizeof(word)) {
        __builtin_memcpy(&word, w.memory + at, sizeof(word));
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    for (unsigned i = 0; i < w.cores; i++) {
        const struct coroutine *c = &w.core[i];
        h = mix64(h ^ c->past) + c->done + 2u * c->sleeps + 4u * c->kicked;
        for (unsigned k = 0; k < c->nlate; k++)
            h = mix64(h ^ (uintptr_t)c->late[k].at ^ mix64(c->late[k].value + 1));
    }
    return h ? h : 1;
}

static uint64_t *seen;

/* True: this state is new. */
static bool remember(uint64_t h)
{
    uint32_t at = (uint32_t)(h % STATES);

    for (; seen[at]; at = (at + 1) % STATES)
        if (seen[at] == h)
            return false;
    seen[at] = h;
    return true;
}

static unsigned path[DEPTH_MAX];

/* Every order; the number of states.  `ends` counts the orders that came to an end in a state that
 * was not met before. */
static uint32_t search(uint32_t *ends)
{
    unsigned depth = 0; /* of the path that is given; the rest is chosen first come */
    uint32_t states = 0;

    *ends = 0;
    memset(seen, 0, STATES * sizeof(*seen));
    for (;;) {
        unsigned can[2 * CORES_TRIED], width[DEPTH_MAX], at = 0, n;
        world_start();
        while ((n = choices(can)) > 0 && !w.wrong) {
            if (at >= depth) {
                if (!remember(state_hash()))
                    break;
                states++;
                path[at] = 0;
            }
            width[at] = n;
            choose(can[path[at++]]);
            assert_true(at < DEPTH_MAX && states < STATES / 2);
        }
        if (n == 0) {
            judge_end();
            ++*ends;
        }
        if (w.wrong)
            return states;
        while (at > 0 && path[at - 1] + 1 == width[at - 1])
            at--;
        if (at == 0)
            return states;
        path[at - 1]++;
        depth = at;
    }
}

static void run_seeds(uint32_t seeds)
{
    for (uint32_t seed = 1; seed <= seeds && !w.wrong; seed++) {
        unsigned can[2 * CORES_TRIED], n;
        struct rng rng;

        rng_init(&rng, seed);
        world_start();
        while ((n = choices(can)) > 0 && !w.wrong)
            choose(can[rng_below(&rng, n)]);
        if (!w.wrong)
            judge_end();
        if (w.wrong)
            print_message("# seed %u\n", seed);
    }
}

static void world_make(unsigned writers, unsigned letters, uint32_t body,
                       void (*writer)(unsigned self))
{
    w.cores = 1 + writers;
    w.bytes = mail_bytes(w.cores, RING);
    w.memory = aligned_alloc(64, w.bytes);
    w.core[0].program = program_reader;
    for (unsigned i = 1; i < w.cores; i++) {
        w.core[i].program = writer;
        w.core[i].to_send = letters;
        w.core[i].body = body;
    }
}

static void search_all(unsigned writers, unsigned letters, uint32_t body,
                       void (*writer)(unsigned self))
{
    uint32_t states, ends;

    world_make(writers, letters, body, writer);
    seen = malloc(STATES * sizeof(*seen));
    states = search(&ends);
    free(seen);
    free(w.memory);
    if (w.wrong)
        fail_msg("%s", w.wrong);
    print_message("# %u states, %u ends\n", states, ends);
    assert_true(states > 30 && ends > 0);
}

static void one_writer_and_a_sleeper_in_every_order(void **state)
{
    (void)state;
    for (unsigned letters = 1; letters <= 2; letters++)
        search_all(1, letters, 0, program_writer_of_turns);
}

static void a_turn_of_several_letters_in_every_order(void **state)
{
    (void)state;
    search_all(1, 2, 0, program_writer);
    search_all(1, 3, 0, program_writer);
}

/* Two of the first kind leave room that the third does not fit in: a filler; two of the second are
 * a ring. */
static void a_ring_that_fills_and_wraps_in_every_order(void **state)
{
    (void)state;
    search_all(1, 3, 400, program_writer);
    search_all(1, 3, 480, program_writer);
}

static void two_writers_and_a_sleeper_in_every_order(void **state)
{
    (void)state;
    search_all(2, 1, 0, program_writer_of_turns);
}

static void three_writers_in_orders_drawn_from_seeds(void **state)
{
    static const uint32_t body[] = {0, 100, 400, 480};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(body); i++) {
        world_make(3, 20, body[i], i % 2 ? program_writer : program_writer_of_turns);
        run_seeds(400);
        free(w.memory);
        if (w.wrong)
            fail_msg("%s", w.wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_writer_and_a_sleeper_in_every_order),
        cmocka_unit_test(a_turn_of_several_letters_in_every_order),
        cmocka_unit_test(a_ring_that_fills_and_wraps_in_every_order),
        cmocka_unit_test(two_writers_and_a_sleeper_in_every_order),
        cmocka_unit_test(three_writers_in_orders_drawn_from_seeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
