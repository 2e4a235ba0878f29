/* Letters between threads.  Built twice: as it is, and under ThreadSanitizer. */
#include "lib/cmocka_first.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "mail/mail.h"

#define CORES_MAX_HERE 4u
#define RING 4096u
#define RUN_NS 700000000u

/* Byte i of the body of letter n from core `from`. */
static uint8_t byte_of(unsigned from, uint32_t n, uint32_t i)
{
    return (uint8_t)(from * 31 + n * 7 + i * 3);
}

struct town {
    unsigned cores;
    void *memory;
    _Atomic bool stop;
    _Atomic unsigned writing;
    _Atomic uint32_t kicks[CORES_MAX_HERE]; /* wake-ups given, as an eventfd counts them */
};

struct core {
    struct town *town;
    unsigned self;
    void *pool_memory;
    struct pkt_pool pool;
    struct mail mail;
    uint32_t sent[CORES_MAX_HERE], got[CORES_MAX_HERE], wrong, slept;
};

static void write_some(struct core *c)
{
    struct town *t = c->town;

    for (unsigned to = 0; to < t->cores; to++) {
        if (to == c->self)
            continue;
        uint32_t n = c->sent[to];
        struct pkt *p = pkt_get(&c->pool);
        p->len = n * 13 % 1500;
        for (uint32_t i = 0; i < p->len; i++)
            p->data[i] = byte_of(c->self, n, i);
        c->sent[to] += mail_send(&c->mail, to, MAIL_PACKET, &n, sizeof(n), p);
        pkt_put(p);
    }
    uint64_t wakes = mail_take_wakes(&c->mail);
    for (unsigned to = 0; to < t->cores; to++)
        if (wakes >> to & 1)
            atomic_fetch_add(&t->kicks[to], 1);
}

static bool read_some(struct core *c)
{
    struct letter l;
    bool any = false;

    mail_waits(&c->mail);
    while (mail_next(&c->mail, &l)) {
        uint32_t n;
        memcpy(&n, l.head, sizeof(n));
        c->wrong += n != c->got[l.from] || l.body_len != n * 13 % 1500;
        for (uint32_t i = 0; i < l.body_len; i++)
            c->wrong += l.body[i] != byte_of(l.from, n, i);
        c->got[l.from]++;
        mail_done(&c->mail, &l);
        any = true;
    }
    return any;
}

/* Sleep as the host does: a kick ends it.  That none is lost is test_mail_order's business. */
static void sleep_some(struct core *c)
{
    struct town *t = c->town;

    if (mail_asleep(&c->mail)) {
        c->slept++;
        while (atomic_load(&t->kicks[c->self]) == 0 && !atomic_load(&t->stop))
            sched_yield();
        atomic_store(&t->kicks[c->self], 0);
    }
    mail_awake(&c->mail);
}

static void *core_run(void *arg)
{
    struct core *c = arg;
    struct town *t = c->town;
    uint32_t turn = 0;

    while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
        if (turn++ % 7 < 5)
            write_some(c);
        /* Core 0 never sleeps, so that somebody always kicks. */
        if (!read_some(c) && c->self != 0)
            sleep_some(c);
    }
    atomic_fetch_sub(&t->writing, 1);
    while (atomic_load(&t->writing) > 0)
        sched_yield();
    /* One look more: a letter may have come between the last look and now. */
    read_some(c);
    return NULL;
}

static void core_open(struct core *c, struct town *t, unsigned self)
{
    struct mem m;

    *c = (struct core){.town = t, .self = self};
    c->pool_memory = aligned_alloc(4096, 65536);
    memset(c->pool_memory, 0, 65536);
    mem_init(&m, c->pool_memory, 65536);
    pkt_pool_init(&c->pool, &m, "test", 4, 2048, 128, NULL);
    mail_open(&c->mail, t->memory, self);
}

static void cores_run(unsigned cores)
{
    struct core *core[CORES_MAX_HERE];
    pthread_t thread[CORES_MAX_HERE];
    struct town t = {.cores = cores};
    size_t bytes = align_up(mail_bytes(cores, RING), 4096);

    t.memory = aligned_alloc(4096, bytes);
    memset(t.memory, 0, bytes);
    mail_format(t.memory, cores, RING);
    atomic_store(&t.writing, cores);
    for (unsigned i = 0; i < cores; i++) {
        core[i] = malloc(sizeof(struct core));
        core_open(core[i], &t, i);
    }
    for (unsigned i = 0; i < cores; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, core_run, core[i]), 0);
    nanosleep(&(struct timespec){.tv_nsec = RUN_NS}, NULL);
    atomic_store(&t.stop, true);
    for (unsigned i = 0; i < cores; i++)
        pthread_join(thread[i], NULL);
    for (unsigned to = 0; to < cores; to++) {
        assert_int_equal(core[to]->wrong, 0);
        for (unsigned from = 0; from < cores; from++)
            assert_int_equal(core[to]->got[from], core[from]->sent[to]);
        assert_true(core[to]->sent[!to] > 0);
    }
    for (unsigned i = 0; i < cores; i++) {
        free(core[i]->pool_memory);
        free(core[i]);
    }
    free(t.memory);
}

static void two_threads_read_what_the_other_wrote(void **state)
{
    (void)state;
    cores_run(2);
}

static void four_threads_read_what_the_others_wrote(void **state)
{
    (void)state;
    cores_run(4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_read_what_the_other_wrote),
        cmocka_unit_test(four_threads_read_what_the_others_wrote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
