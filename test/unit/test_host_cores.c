/* Many cores in one program: begun and ended in order, each on its own thread and processor; woken
 * by letters; asked for their numbers. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/host.h"
#include "mail/mail.h"
#include "os/os.h"

#define CORES 3u

struct program {
    char order[64];   /* of inits and finis */
    unsigned fail_at; /* whose init fails; CORES: nobody's */
    unsigned stop_at; /* who stops all, by a timer; CORES: nobody */
    pthread_t thread[CORES];
    int processors[CORES]; /* that the thread may run on */
    char control[64], wire[64], net[80];
};

static int init(struct mr *m, void *arg, void **core_state)
{
    struct program *p = arg;
    unsigned core = mr_core(m);
    cpu_set_t set;

    *core_state = p;
    assert_int_equal(mr_cores(m), CORES);
    p->thread[core] = pthread_self();
    sched_getaffinity(0, sizeof(set), &set);
    p->processors[core] = CPU_COUNT(&set);
    snprintf(p->order + strlen(p->order), 8, "i%u ", core);
    if (core == p->stop_at)
        assert_int_equal(mr_timer_start(m, 20000, NULL, NULL), MR_OK);
    return core == p->fail_at ? MR_EINVAL : MR_OK;
}

static void event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    (void)core_state;
    if (ev->type == MR_EV_TIMER)
        mr_stop(m);
}

static void fini(struct mr *m, void *core_state)
{
    struct program *p = core_state;

    snprintf(p->order + strlen(p->order), 8, "f%u ", mr_core(m));
}

static struct program program_of(unsigned fail_at, unsigned stop_at)
{
    struct program p = {.fail_at = fail_at, .stop_at = stop_at};

    snprintf(p.control, sizeof(p.control), "/tmp/test_host_cores_%d.sock", (int)getpid());
    snprintf(p.wire, sizeof(p.wire), "/dev/shm/test_host_cores_%d", (int)getpid());
    snprintf(p.net, sizeof(p.net), "wire:%s:0", p.wire);
    return p;
}

/* What it says on stderr is not TAP's, and not this test's, either. */
static int run_cores(struct program *p, unsigned cores)
{
    const struct mr_app app = {
        .name = "test", .arg = p, .init = init, .event = event, .fini = fini};
    struct mr_config c;

    mr_config_init(&c);
    c.dev = p->net;
    c.addr = mr_addr4(10, 0, 0, 1, 0);
    c.control = p->control;
    c.cores = cores;
    c.max_conns = 1000;
    return host_run(&c, &app);
}

static int run(struct program *p)
{
    return run_cores(p, CORES);
}

static void expect_clean(const struct program *p)
{
    assert_int_not_equal(access(p->control, F_OK), 0);
    assert_int_not_equal(access(p->wire, F_OK), 0);
}

static void one_stop_ends_all_in_order(void **state)
{
    (void)state;
    for (unsigned stop_at = 0; stop_at < CORES; stop_at++) {
        struct program p = program_of(CORES, stop_at);
        assert_int_equal(run(&p), MR_OK);
        assert_string_equal(p.order, "i0 i1 i2 f0 f1 f2 ");
        expect_clean(&p);
    }
}

static void more_cores_than_there_may_be_are_refused(void **state)
{
    struct program p = program_of(CORES, CORES);

    (void)state;
    assert_int_equal(run_cores(&p, 1000000), MR_EINVAL);
    assert_string_equal(p.order, "");
    expect_clean(&p);
}

static void each_core_has_a_thread_and_a_processor(void **state)
{
    struct program p = program_of(CORES, 0);

    (void)state;
    assert_int_equal(run(&p), MR_OK);
    for (unsigned i = 0; i < CORES; i++) {
        assert_int_equal(p.processors[i], 1);
        assert_false(pthread_equal(p.thread[i], pthread_self()));
        assert_false(pthread_equal(p.thread[i], p.thread[(i + 1) % CORES]));
    }
}

static void an_init_that_fails_ends_those_before_it(void **state)
{
    static const char *const order[] = {"i0 ", "i0 i1 f0 ", "i0 i1 i2 f0 f1 "};

    (void)state;
    for (unsigned i = 0; i < CORES; i++) {
        struct program p = program_of(i, CORES);
        assert_int_equal(run(&p), MR_EINVAL);
        assert_string_equal(p.order, order[i]);
        expect_clean(&p);
    }
}

static size_t ask(int fd, const char *question, char *buf, size_t n)
{
    size_t got = 0;

    assert_int_equal(os_write_all(fd, question, strlen(question)), 0);
    while (got == 0 || buf[got - 1] != '\n') {
        ssize_t r = read(fd, buf + got, n - got - 1);
        assert_true(r > 0);
        got += (size_t)r;
    }
    buf[got] = '\0';
    return got;
}

/* Ask, then end it as a user would. */
static void ask_and_stop(void *arg)
{
    struct program *p = arg;
    char *buf = malloc(1 << 20);
    int fd;

    while ((fd = os_unix_connect(p->control)) < 0)
        usleep(1000);
    ask(fd, "status\n", buf, 1 << 20);
    for (unsigned i = 0; i < CORES; i++) {
        char row[40];
        snprintf(row, sizeof(row), "{\"core\":%u,\"answers\":true", i);
        assert_non_null(strstr(buf, row));
    }
    ask(fd, "conns 0\n", buf, 1 << 20);
    assert_string_equal(buf, "{\"connections\":[],\"next\":4294967296}\n");
    ask(fd, "conns 8589934592\n", buf, 1 << 20);
    assert_string_equal(buf, "{\"connections\":[],\"next\":null}\n");
    close(fd);
    free(buf);
    kill(getpid(), SIGTERM);
}

static void every_core_answers_and_a_signal_ends_all(void **state)
{
    struct program p = program_of(CORES, CORES);
    struct os_thread t;

    (void)state;
    assert_int_equal(os_thread_start(&t, ask_and_stop, &p), 0);
    assert_int_equal(run(&p), MR_OK);
    os_thread_join(&t);
    assert_string_equal(p.order, "i0 i1 i2 f0 f1 f2 ");
    expect_clean(&p);
}

/* ---- being woken ------------------------------------------------------------------------ */

#define LETTERS 300

struct pair {
    void *memory;
    int bell;
    uint64_t took[LETTERS];
    _Atomic unsigned read;
};

/* A core that sleeps whenever there is nothing to read, as host/core.c does. */
static void sleeper(void *arg)
{
    struct pair *p = arg;
    struct os_wait w = {.fd = p->bell};
    struct mail mail;
    struct letter l;
    uint64_t sent;

    mail_open(&mail, p->memory, 1);
    while (p->read < LETTERS) {
        while (mail_waits(&mail) && mail_next(&mail, &l)) {
            memcpy(&sent, l.head, sizeof(sent));
            p->took[p->read] = os_now_us() - sent;
            mail_done(&mail, &l);
            p->read++;
        }
        if (mail_asleep(&mail) && p->read < LETTERS && os_wait(&w, 1, UINT64_MAX) > 0)
            os_bell_quiet(p->bell);
        mail_awake(&mail);
    }
}

static int smaller(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void a_letter_wakes_a_core_that_sleeps(void **state)
{
    size_t bytes = mail_bytes(2, 4096);
    struct pair p = {.memory = os_reserve(bytes, false), .bell = os_bell_make()};
    struct os_thread t;
    struct mail mail;

    (void)state;
    mail_format(p.memory, 2, 4096);
    mail_open(&mail, p.memory, 0);
    assert_int_equal(os_thread_start(&t, sleeper, &p), 0);
    for (unsigned i = 0; i < LETTERS; i++) {
        usleep(i % 2 ? 300 : 0);
        uint64_t now = os_now_us();
        assert_true(mail_send(&mail, 1, MAIL_PORT, &now, sizeof(now), NULL));
        if (mail_take_wakes(&mail))
            os_bell_ring(p.bell);
        while (p.read <= i)
            sched_yield();
    }
    os_thread_join(&t);
    qsort(p.took, LETTERS, sizeof(p.took[0]), smaller);
    printf("# a core that sleeps reads a letter after %llu us (median), %llu at best; woken %llu "
           "times\n",
           (unsigned long long)p.took[LETTERS / 2], (unsigned long long)p.took[0],
           (unsigned long long)mail.stats.wakes);
    os_close(p.bell);
    os_release(p.memory, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stop_ends_all_in_order),
        cmocka_unit_test(more_cores_than_there_may_be_are_refused),
        cmocka_unit_test(each_core_has_a_thread_and_a_processor),
        cmocka_unit_test(an_init_that_fails_ends_those_before_it),
        cmocka_unit_test(every_core_answers_and_a_signal_ends_all),
        cmocka_unit_test(a_letter_wakes_a_core_that_sleeps),
    };

    return cmocka_run_group_tests_name("host_cores", tests, NULL, NULL);
}
