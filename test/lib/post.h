/* A program whose cores write to each other and to whom a thread knocks, for every back end.
 *
 * Each core posts LETTERS numbered letters of growing length to each other core; what is refused is
 * posted again by a timer or when letters come.  It checks what it gets, and sleeps in between.
 * A thread of its own knocks at core 0 and waits each time until it has been heard.  Core 0
 * stops all when every core has everything and every knock was heard. */
#pragma once

#include "lib/cmocka_first.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <millrace/millrace.h>

#include "os/os.h"

#define POST_CORES_MAX 4u
#define POST_LETTERS 400u
#define POST_KNOCKS 50u

struct post_core {
    struct post_program *program;
    uint32_t sent[POST_CORES_MAX], got[POST_CORES_MAX];
    bool counted;
};

struct post_program {
    unsigned cores;
    struct post_core core[POST_CORES_MAX];
    struct mr *m; /* core 0's */
    struct os_thread thread;
    _Atomic unsigned through, knocked, heard;
    _Atomic unsigned refused; /* letters, and posted again */
};

static inline size_t post_length(uint32_t i)
{
    return 4 + (size_t)i * 977 % (MR_LETTER_MAX - 3);
}

static inline void post_more(struct mr *m, struct post_core *c)
{
    static _Thread_local uint8_t buf[MR_LETTER_MAX];
    bool left = false;

    for (unsigned to = 0; to < mr_cores(m); to++) {
        while (to != mr_core(m) && c->sent[to] < POST_LETTERS) {
            size_t n = post_length(c->sent[to]);
            memset(buf, (int)(n & 255), n);
            memcpy(buf, &c->sent[to], 4);
            int rc = mr_post(m, to, buf, n);
            if (rc == MR_EAGAIN) {
                atomic_fetch_add(&c->program->refused, 1);
                left = true;
                break;
            }
            assert_int_equal(rc, MR_OK);
            c->sent[to]++;
        }
    }
    if (left)
        assert_int_equal(mr_timer_start(m, 1000, NULL, NULL), MR_OK);
}

static inline void post_read(struct mr *m, struct post_core *c)
{
    static _Thread_local uint8_t buf[MR_LETTER_MAX];
    unsigned from, all = 0;
    int64_t n;

    while ((n = mr_letter(m, buf, sizeof(buf), &from)) > 0) {
        assert_int_not_equal(from, mr_core(m));
        assert_memory_equal(buf, &c->got[from], 4);
        assert_int_equal(n, post_length(c->got[from]));
        assert_true(n == 4 || buf[n - 1] == (n & 255));
        c->got[from]++;
    }
    assert_int_equal(n, MR_EAGAIN);
    for (unsigned i = 0; i < mr_cores(m); i++)
        all += c->got[i];
    if (all == (mr_cores(m) - 1) * POST_LETTERS && !c->counted) {
        c->counted = true;
        atomic_fetch_add(&c->program->through, 1);
    }
}

static inline void post_knocker(void *arg)
{
    struct post_program *p = arg;

    for (unsigned i = 1; i <= POST_KNOCKS; i++) {
        p->knocked = i;
        mr_knock(p->m);
        while (p->heard < i)
            usleep(50);
        usleep(i % 5 ? 0 : 1500); /* long enough to be asleep by then */
    }
    while (p->through < p->cores)
        usleep(500);
    p->knocked = POST_KNOCKS + 1;
    mr_knock(p->m);
}

static inline int post_init_core(struct mr *m, void *arg, void **core_state)
{
    struct post_program *p = arg;
    struct post_core *c = &p->core[mr_core(m)];
    char byte = 0;

    *core_state = c;
    c->program = p;
    assert_int_equal(mr_cores(m), p->cores);
    assert_int_equal(mr_post(m, mr_core(m), &byte, 1), MR_EINVAL);
    assert_int_equal(mr_post(m, p->cores, &byte, 1), MR_EINVAL);
    assert_int_equal(mr_post(m, !mr_core(m), &byte, 0), MR_EINVAL);
    assert_int_equal(mr_post(m, !mr_core(m), &byte, MR_LETTER_MAX + 1), MR_EINVAL);
    if (p->cores == 1) {
        unsigned from;
        assert_int_equal(mr_letter(m, &byte, 1, &from), MR_EAGAIN);
        p->through = 1;
    }
    post_more(m, c);
    if (mr_core(m) == 0) {
        p->m = m;
        assert_int_equal(os_thread_start(&p->thread, post_knocker, p), 0);
    }
    return MR_OK;
}

static inline void post_on_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct post_core *c = core_state;

    if (ev->type == MR_EV_LETTER)
        post_read(m, c);
    if (ev->type == MR_EV_LETTER || ev->type == MR_EV_TIMER)
        post_more(m, c);
    if (ev->type == MR_EV_KNOCK) {
        c->program->heard = c->program->knocked;
        if (c->program->heard > POST_KNOCKS)
            mr_stop(m);
    }
}

static inline struct mr_app post_app(struct post_program *p)
{
    return (struct mr_app){
        .name = "test", .arg = p, .init = post_init_core, .event = post_on_event};
}

static inline void post_expect_all(struct post_program *p)
{
    os_thread_join(&p->thread);
    assert_int_equal(p->heard, POST_KNOCKS + 1);
    for (unsigned a = 0; a < p->cores; a++)
        for (unsigned b = 0; b < p->cores; b++)
            assert_int_equal(p->core[a].got[b], a == b ? 0 : POST_LETTERS);
    printf("# %u cores: %u letters, %u refused and posted again\n", p->cores,
           p->cores * (p->cores - 1) * POST_LETTERS, (unsigned)p->refused);
}
