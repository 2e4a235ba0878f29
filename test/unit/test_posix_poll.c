/* poll(2) and select(2) of descriptors that are ours and the kernel's. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "os/os.h"
#include "posix_session.h"

static void without_ours_it_is_the_kernels(void **state)
{
    struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = -1}};
    fd_set r;

    (void)state;
    FD_ZERO(&r);
    FD_SET(0, &r);
    assert_int_equal(px_poll(p, 2, 0, NULL), PX_PASS);
    assert_int_equal(px_poll(NULL, 0, 0, NULL), PX_PASS);
    assert_int_equal(px_select(1, &r, NULL, NULL, 0, NULL), PX_PASS);
    assert_int_equal(px_select(-1, NULL, NULL, NULL, 0, NULL), PX_PASS);
}

static void both_kinds_are_in_one_answer(void **state)
{
    struct px_file *f;
    int ours = session_fake(&f), ev = eventfd(1, 0);
    struct pollfd p[6] = {
        {.fd = ours, .events = POLLIN},
        {.fd = ev, .events = POLLIN | POLLOUT},
        {.fd = -7, .events = POLLIN, .revents = 77},
        {.fd = 4000, .events = POLLIN},
        {.fd = ours, .events = POLLOUT},
        {.fd = px_session->memory_fd, .events = POLLIN},
    };

    (void)state;
    session_level(f, EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
    assert_int_equal(px_poll(p, 6, -1, NULL), 5);
    assert_int_equal(p[0].revents, POLLHUP);
    assert_int_equal(p[1].revents, POLLIN | POLLOUT);
    assert_int_equal(p[2].revents, 0);
    assert_int_equal(p[3].revents, POLLNVAL);
    assert_int_equal(p[4].revents, POLLOUT | POLLHUP);
    assert_int_equal(p[5].revents, POLLNVAL);
    p[0].events = POLLIN | POLLRDHUP | POLLWRNORM;
    assert_int_equal(px_poll(p, 1, 0, NULL), 1);
    assert_int_equal(p[0].revents, POLLHUP | POLLRDHUP | POLLWRNORM);
    close(ev);
    px_close(ours);
}

struct later {
    struct px_file *f;
    int ev;
};

static void *bring(void *arg)
{
    const struct later *l = arg;
    uint64_t one = 1;

    usleep(20000);
    if (l->f)
        session_level(l->f, EPOLLIN);
    else
        assert_int_equal(write(l->ev, &one, 8), 8);
    return NULL;
}

/* As many as need memory of their own, too. */
static void a_sleeper_wakes_for_either_side(void **state)
{
    struct px_file *f;
    int ours = session_fake(&f), ev = eventfd(0, 0);
    struct later l[2] = {{f, -1}, {NULL, ev}};
    static struct pollfd p[500];
    pthread_t t;

    (void)state;
    for (int k = 0; k < 500; k++)
        p[k] = (struct pollfd){.fd = k == 0 ? ours : k == 499 ? ev : -1, .events = POLLIN};
    for (int k = 0; k < 2; k++) {
        pthread_create(&t, NULL, bring, &l[k]);
        assert_int_equal(px_poll(p, 500, 5000000, NULL), 1);
        assert_int_equal(p[k ? 499 : 0].revents, POLLIN);
        pthread_join(t, NULL);
        session_level(f, 0);
    }
    assert_int_equal(atomic_load(&f->waiters), 0);
    close(ev);
    px_close(ours);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

/* A call as the program makes it: what comes in it, before it waits and while it does, ends it. */
static int poll_in_a_call(struct pollfd *p, int64_t timeout_us, const sigset_t *mask)
{
    int rc = px_poll(p, 1, timeout_us, mask);

    if (--px_thread.call == 0 && px_thread.deferred)
        px_signals_run();
    return rc;
}

static void time_and_signals_end_it(void **state)
{
    struct px_file *f;
    int ours = session_fake(&f);
    struct pollfd p = {.fd = ours, .events = POLLIN};
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, old;
    struct itimerval t = {.it_value.tv_usec = 20000};
    sigset_t none, alarm_only;
    uint64_t at = os_now_us();

    (void)state;
    assert_int_equal(px_poll(&p, 1, 3000, NULL), 0);
    assert_true(os_now_us() - at >= 3000);
    assert_int_equal(px_sigaction(SIGALRM, &act, &old), 0);
    px_thread.call++;
    setitimer(ITIMER_REAL, &t, NULL);
    assert_int_equal(poll_in_a_call(&p, 5000000, NULL), -EINTR);
    assert_int_equal(alarms, 1);
    px_thread.call++;
    raise(SIGALRM);
    assert_int_equal(alarms, 1);
    assert_int_equal(poll_in_a_call(&p, 5000000, NULL), -EINTR);
    assert_int_equal(alarms, 2);
    /* With a mask that lets it in, even a poll that does not wait. */
    sigemptyset(&none);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
    raise(SIGALRM);
    assert_int_equal(px_poll(&p, 1, 1000, NULL), 0);
    px_thread.call++;
    assert_int_equal(poll_in_a_call(&p, 0, &none), -EINTR);
    assert_int_equal(alarms, 3);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    assert_int_equal(alarms, 3);
    px_sigaction(SIGALRM, &old, NULL);
    px_close(ours);
}

static void select_counts_bits(void **state)
{
    struct px_file *f;
    int ours = session_fake(&f), ev = eventfd(1, 0), n = (ours > ev ? ours : ev) + 1;
    fd_set r, w, x;

    (void)state;
    session_level(f, EPOLLIN | EPOLLOUT | EPOLLHUP);
    FD_ZERO(&r);
    FD_SET(ours, &r);
    FD_SET(ev, &r);
    w = x = r;
    assert_int_equal(px_select(n, &r, &w, &x, -1, NULL), 4);
    assert_true(FD_ISSET(ours, &r) && FD_ISSET(ev, &r));
    assert_true(FD_ISSET(ours, &w) && FD_ISSET(ev, &w));
    assert_false(FD_ISSET(ours, &x) || FD_ISSET(ev, &x));
    /* A hang-up is something to read, and no urgent data. */
    session_level(f, EPOLLHUP);
    FD_ZERO(&r);
    FD_ZERO(&x);
    FD_SET(ours, &r);
    FD_SET(ours, &x);
    assert_int_equal(px_select(n, &r, NULL, &x, -1, NULL), 1);
    FD_ZERO(&x);
    FD_SET(ours, &x);
    assert_int_equal(px_select(n, NULL, NULL, &x, 1000, NULL), 0);
    assert_false(FD_ISSET(ours, &x));
    session_level(f, 0);
    FD_SET(ours, &r);
    FD_SET(900, &r);
    assert_int_equal(px_select(901, &r, NULL, NULL, 0, NULL), -EBADF);
    assert_true(FD_ISSET(ours, &r)); /* an error leaves the sets as they were */
    close(ev);
    px_close(ours);
}

static void select_takes_more_than_FD_SETSIZE(void **state)
{
    struct px_file *f;
    int ours = session_fake(&f), high = desc_fcntl(ours, F_DUPFD, 3000);
    unsigned long r[64] = {0};

    (void)state;
    if (high < 0)
        skip();
    session_level(f, EPOLLIN);
    r[high / 64] |= 1ul << high % 64;
    assert_int_equal(px_select(high + 1, (fd_set *)(void *)r, NULL, NULL, -1, NULL), 1);
    assert_int_equal(r[high / 64], 1ul << high % 64);
    px_close(high);
    px_close(ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_ours_it_is_the_kernels),
        cmocka_unit_test(both_kinds_are_in_one_answer),
        cmocka_unit_test(a_sleeper_wakes_for_either_side),
        cmocka_unit_test(time_and_signals_end_it),
        cmocka_unit_test(select_counts_bits),
        cmocka_unit_test(select_takes_more_than_FD_SETSIZE),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, session_setup, session_teardown);
}
