/* Epoll sets of descriptors that are ours and the kernel's.  What each test says of ours was seen
 * of the kernel's: where it can be, one function is run on both. */
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

static struct epoll_event got[64];

static int ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};

    return px_epoll_ctl(ep, op, fd, &ev);
}

static int look(int ep)
{
    memset(got, 0, sizeof(got));
    return px_epoll_wait(ep, got, 64, 0, NULL);
}

/* The next look finds one descriptor, so. */
static void finds(int ep, uint32_t events, uint64_t data)
{
    assert_int_equal(look(ep), 1);
    assert_int_equal(got[0].events, events);
    assert_int_equal(got[0].data.u64, data);
}

static int set_of_one(int *fd, struct px_file **f, uint32_t events)
{
    int ep = px_epoll_create1(0);

    *fd = session_fake(f);
    assert_true(ep >= 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, *fd, events, 7), 0);
    return ep;
}

static void shut(int ep, int fd)
{
    assert_int_equal(px_close(fd), 0);
    assert_int_equal(px_close(ep), 0);
}

static void level_is_told_as_long_as_it_lasts(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN);

    (void)state;
    assert_int_equal(look(ep), 0);
    session_level(f, EPOLLIN | EPOLLOUT);
    finds(ep, EPOLLIN, 7);
    finds(ep, EPOLLIN, 7);
    session_level(f, EPOLLOUT);
    assert_int_equal(look(ep), 0);
    session_level(f, EPOLLHUP | EPOLLERR);
    finds(ep, EPOLLHUP | EPOLLERR, 7);
    shut(ep, fd);
}

static void an_edge_is_told_once_with_all_that_is(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);

    (void)state;
    session_level(f, EPOLLOUT);
    finds(ep, EPOLLOUT, 7);
    assert_int_equal(look(ep), 0);
    session_level(f, EPOLLOUT | EPOLLIN);
    finds(ep, EPOLLOUT | EPOLLIN, 7);
    assert_int_equal(look(ep), 0);
    /* More of what was there is an edge, too. */
    wait_notify(f, EPOLLIN, -1);
    finds(ep, EPOLLOUT | EPOLLIN, 7);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 8), 0);
    finds(ep, EPOLLIN, 8);
    assert_int_equal(look(ep), 0);
    wait_notify(f, EPOLLOUT, -1);
    assert_int_equal(look(ep), 0);
    shut(ep, fd);
}

static void what_was_asked_once_is_silent_until_it_is_modified(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN | EPOLLONESHOT);

    (void)state;
    session_level(f, EPOLLIN);
    finds(ep, EPOLLIN, 7);
    session_level(f, EPOLLIN | EPOLLHUP);
    assert_int_equal(look(ep), 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 9), 0);
    finds(ep, EPOLLIN | EPOLLHUP, 9);
    assert_int_equal(look(ep), 0);
    shut(ep, fd);
}

static void what_is_added_late_is_ready_at_once(void **state)
{
    struct px_file *f;
    int fd = session_fake(&f), ep = px_epoll_create1(EPOLL_CLOEXEC);

    (void)state;
    session_level(f, EPOLLIN);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 1), 0);
    finds(ep, EPOLLIN, 1);
    assert_int_equal(look(ep), 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0), 0);
    wait_notify(f, EPOLLIN, -1);
    assert_int_equal(look(ep), 0);
    shut(ep, fd);
}

/* Run on a descriptor of ours and on one of the kernel's. */
static void refusals(int ep, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN};
    int other = px_epoll_create1(0), file = open("/proc/self/exe", O_RDONLY);

    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 0), -ENOENT);
    assert_int_equal(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0), -ENOENT);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0), 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0), -EEXIST);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE, 0), -EINVAL);
    assert_int_equal(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0), 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLPRI | EPOLLEXCLUSIVE, 0), -EINVAL);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE, 0),
                     -EINVAL);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 0), 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 0), -EINVAL);
    assert_int_equal(px_epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), 0);
    assert_int_equal(px_epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL), -EFAULT);
    assert_int_equal(px_epoll_ctl(ep, 77, fd, &ev), -EINVAL);
    assert_int_equal(ctl(fd, EPOLL_CTL_ADD, fd, EPOLLIN, 0), -EINVAL);
    assert_int_equal(ctl(fd, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
    assert_int_equal(ctl(4000, EPOLL_CTL_ADD, fd, EPOLLIN, 0), -EBADF);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, 4000, EPOLLIN, 0), -EBADF);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 0), -EPERM);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, other, EPOLLIN | EPOLLEXCLUSIVE, 0), -EINVAL);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, other, EPOLLIN, 0), 0);
    assert_int_equal(ctl(other, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -ELOOP);
    assert_int_equal(px_epoll_wait(ep, got, 0, 0, NULL), -EINVAL);
    assert_int_equal(px_epoll_wait(ep, got, -1, 0, NULL), -EINVAL);
    px_close(other);
    close(file);
}

static void both_kinds_are_refused_the_same(void **state)
{
    int ep = px_epoll_create1(0), ours = session_fake(NULL), kernels = eventfd(0, 0);

    (void)state;
    refusals(ep, ours);
    refusals(ep, kernels);
    assert_int_equal(px_epoll_wait(ours, got, 1, 0, NULL), -EINVAL);
    assert_int_equal(px_epoll_create1(12345), -EINVAL);
    close(kernels);
    shut(ep, ours);
}

static void a_closed_descriptor_leaves_with_its_last_name(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN), copy = px_dup(fd);

    (void)state;
    session_level(f, EPOLLIN);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, copy, EPOLLIN, 8), 0);
    assert_int_equal(look(ep), 2);
    px_close(copy);
    assert_int_equal(look(ep), 2); /* as the kernel: it goes with the file, not with the number */
    px_close(fd);
    assert_int_equal(look(ep), 0);
    px_close(ep);
}

static void all_have_their_turn_however_few_are_asked_for(void **state)
{
    int ep = px_epoll_create1(0), fd[10], seen[10] = {0};
    struct px_file *f;

    (void)state;
    for (int k = 0; k < 10; k++) {
        fd[k] = session_fake(&f);
        session_level(f, EPOLLIN);
        assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd[k], EPOLLIN, (uint64_t)k), 0);
    }
    for (int k = 0; k < 10; k++) {
        assert_int_equal(px_epoll_wait(ep, got, 3, 0, NULL), 3);
        for (int j = 0; j < 3; j++)
            seen[got[j].data.u64]++;
    }
    for (int k = 0; k < 10; k++) {
        assert_int_equal(seen[k], 3);
        px_close(fd[k]);
    }
    px_close(ep);
}

static void neither_side_starves_the_other(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN), ev = eventfd(1, 0), seen[2] = {0, 0};

    (void)state;
    session_level(f, EPOLLIN);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN, 1), 0);
    for (uint64_t until = os_now_us() + 20000; os_now_us() < until;) {
        assert_int_equal(px_epoll_wait(ep, got, 1, 0, NULL), 1);
        seen[got[0].data.u64 == 7]++;
    }
    assert_true(seen[0] > 10);
    assert_true(seen[1] > 10);
    close(ev);
    shut(ep, fd);
}

static void the_kernels_are_told_beside_ours(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN), ev = eventfd(0, 0);
    uint64_t one = 1;

    (void)state;
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLONESHOT, UINT64_MAX), 0);
    assert_int_equal(look(ep), 0);
    assert_int_equal(write(ev, &one, 8), 8);
    finds(ep, EPOLLIN, UINT64_MAX);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, ev, EPOLLIN, 5), 0);
    session_level(f, EPOLLIN);
    usleep(100); /* the kernel's side is looked at every 50 us while ours are busy */
    assert_int_equal(look(ep), 2);
    assert_int_equal(got[0].data.u64, 7);
    assert_int_equal(got[1].data.u64, 5);
    close(ev);
    shut(ep, fd);
}

/* A file that is ours and the kernel's, its kernel's socket being an eventfd. */
static int both_fake(struct px_file **f)
{
    int fd = eventfd(0, EFD_NONBLOCK);

    *f = file_new(PX_CONN);
    (*f)->both = (*f)->fd_is_own = true;
    desc_set(fd, *f, false);
    return fd;
}

static void what_is_both_is_told_once(void **state)
{
    int ep = px_epoll_create1(0);
    struct px_file *f;
    int fd = both_fake(&f);
    uint64_t one = 1;

    (void)state;
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
    assert_int_equal(look(ep), 0);
    assert_int_equal(write(fd, &one, 8), 8);
    finds(ep, EPOLLIN, 3);
    session_level(f, EPOLLIN | EPOLLHUP);
    usleep(100);
    finds(ep, EPOLLIN | EPOLLHUP, 3);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 4), 0);
    usleep(100);
    finds(ep, EPOLLIN | EPOLLHUP, 4);
    usleep(100);
    assert_int_equal(look(ep), 0);
    assert_int_equal(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0), 0);
    usleep(100);
    assert_int_equal(look(ep), 0);
    shut(ep, fd);
}

static void what_becomes_the_kernels_stays_in_the_set(void **state)
{
    int ep = px_epoll_create1(0), fd = eventfd(1, 0);
    struct px_file *f = file_new(PX_CONN);

    (void)state;
    desc_set(fd, f, false);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
    assert_int_equal(look(ep), 0);
    file_get(fd);
    file_to_kernel(f, PX_WHY_ROUTE);
    file_put(f);
    finds(ep, EPOLLIN, 3);
    assert_int_equal(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 4), 0);
    finds(ep, EPOLLIN, 4);
    /* One that becomes both. */
    assert_int_equal(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0), 0);
    f = file_new(PX_CONN);
    desc_set(fd, f, false);
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 5), 0);
    assert_int_equal(look(ep), 0);
    f->both = true;
    wait_kernel_too(f);
    finds(ep, EPOLLIN, 5);
    shut(ep, fd);
}

static void a_set_in_a_set_is_ready_when_what_it_has_is(void **state)
{
    struct px_file *f;
    int fd, in = set_of_one(&fd, &f, EPOLLIN), out = px_epoll_create1(0), ev = eventfd(0, 0);
    struct pollfd p = {.fd = out, .events = POLLIN};
    uint64_t one = 1;

    (void)state;
    assert_int_equal(ctl(out, EPOLL_CTL_ADD, in, EPOLLIN, 11), 0);
    assert_int_equal(look(out), 0);
    assert_int_equal(px_poll(&p, 1, 0, NULL), 0);
    session_level(f, EPOLLIN);
    finds(out, EPOLLIN, 11);
    assert_int_equal(px_poll(&p, 1, 0, NULL), 1);
    assert_int_equal(p.revents, POLLIN);
    finds(in, EPOLLIN, 7);
    session_level(f, 0);
    assert_int_equal(look(out), 0);
    assert_int_equal(px_poll(&p, 1, 0, NULL), 0);
    assert_int_equal(ctl(in, EPOLL_CTL_ADD, ev, EPOLLIN, 12), 0);
    assert_int_equal(write(ev, &one, 8), 8);
    finds(out, EPOLLIN, 11);
    assert_int_equal(px_poll(&p, 1, 0, NULL), 1);
    finds(in, EPOLLIN, 12);
    assert_int_equal(px_close(in), 0);
    assert_int_equal(look(out), 0);
    close(ev);
    shut(out, fd);
}

/* ---- sleeping ------------------------------------------------------------------------------- */

struct later {
    struct px_file *f;
    int ev;
    unsigned us;
};

static void *bring(void *arg)
{
    const struct later *l = arg;
    uint64_t one = 1;

    usleep(l->us);
    if (l->f)
        session_level(l->f, EPOLLIN);
    else
        assert_int_equal(write(l->ev, &one, 8), 8);
    return NULL;
}

static void a_sleeper_wakes_for_either_side(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN), ev = eventfd(0, 0);
    struct later l[2] = {{f, -1, 20000}, {NULL, ev, 20000}};
    pthread_t t;

    (void)state;
    assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN, 1), 0);
    for (int k = 0; k < 2; k++) {
        pthread_create(&t, NULL, bring, &l[k]);
        assert_int_equal(px_epoll_wait(ep, got, 64, 5000000, NULL), 1);
        assert_int_equal(got[0].data.u64, k ? 1 : 7);
        pthread_join(t, NULL);
        session_level(f, 0);
    }
    close(ev);
    shut(ep, fd);
}

static void a_time_out_is_never_short(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN);

    (void)state;
    for (int64_t us = 1; us <= 30000; us *= 9) {
        uint64_t at = os_now_us();

        assert_int_equal(px_epoll_wait(ep, got, 64, us, NULL), 0);
        assert_true(os_now_us() - at >= (uint64_t)us);
    }
    shut(ep, fd);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

/* A call as the program makes it: what comes in it, before it waits and while it does, ends it. */
static int wait_in_a_call(int ep, const sigset_t *mask)
{
    int rc = px_epoll_wait(ep, got, 64, 5000000, mask);

    if (--px_thread.call == 0 && px_thread.deferred)
        px_signals_run();
    return rc;
}

static void a_handler_ends_the_wait_whatever_its_flags(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN);
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, old;
    struct itimerval t = {.it_value.tv_usec = 20000};
    sigset_t none, alarm_only;

    (void)state;
    assert_int_equal(px_sigaction(SIGALRM, &act, &old), 0);
    px_thread.call++;
    setitimer(ITIMER_REAL, &t, NULL);
    assert_int_equal(wait_in_a_call(ep, NULL), -EINTR);
    assert_int_equal(alarms, 1);
    /* Blocked but while it waits. */
    sigemptyset(&none);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
    raise(SIGALRM);
    assert_int_equal(px_epoll_wait(ep, got, 64, 1000, NULL), 0);
    session_level(f, EPOLLIN);
    assert_int_equal(px_epoll_wait(ep, got, 64, 5000000, &none), 1);
    session_level(f, 0);
    assert_int_equal(alarms, 1);
    px_thread.call++;
    assert_int_equal(wait_in_a_call(ep, &none), -EINTR);
    assert_int_equal(alarms, 2);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    px_sigaction(SIGALRM, &old, NULL);
    shut(ep, fd);
}

struct ping {
    int ep;
    struct px_file *mine, *other;
    unsigned rounds;
};

static void *player(void *arg)
{
    struct ping *p = arg;
    struct epoll_event ev[2];

    for (unsigned k = 0; k < p->rounds; k++) {
        assert_int_equal(px_epoll_wait(p->ep, ev, 2, 10000000, NULL), 1);
        session_level(p->mine, 0);
        session_level(p->other, EPOLLIN);
    }
    return NULL;
}

static void no_wake_up_is_lost_between_two_threads(void **state)
{
    struct px_file *f, *g;
    int a, b, p = set_of_one(&a, &f, EPOLLIN), q = set_of_one(&b, &g, EPOLLIN | EPOLLET);
    struct ping one = {p, f, g, 3000}, two = {q, g, f, 3000};
    pthread_t t[2];

    (void)state;
    for (int spin = 0; spin < 2; spin++) {
        px_session->spin_us = spin ? 20 : 0;
        pthread_create(&t[0], NULL, player, &one);
        pthread_create(&t[1], NULL, player, &two);
        session_level(f, EPOLLIN);
        pthread_join(t[0], NULL);
        pthread_join(t[1], NULL);
        session_level(f, 0);
        session_level(g, 0);
        assert_int_equal(look(p) + look(q), 0);
    }
    shut(p, a);
    shut(q, b);
}

static void of_exclusive_sets_one_sleeper_is_woken(void **state)
{
    struct px_file *f, *g;
    int fd = session_fake(&f), quiet = session_fake(&g), ep[2], ready = 0;

    (void)state;
    for (int k = 0; k < 2; k++) {
        ep[k] = px_epoll_create1(0);
        assert_int_equal(ctl(ep[k], EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
        /* As if a thread waited for the set. */
        atomic_store(&file_peek(ep[k])->waiters, UINT64_C(1) << 63);
    }
    session_level(f, EPOLLIN);
    for (int k = 0; k < 2; k++)
        ready += (int)atomic_load(&set_of(file_peek(ep[k]))->ready);
    assert_int_equal(ready, 1);
    for (int k = 0; k < 2; k++) {
        atomic_store(&file_peek(ep[k])->waiters, 0);
        px_close(ep[k]);
    }
    px_close(quiet);
    px_close(fd);
}

static void a_ready_socket_is_told_in_little_time(void **state)
{
    struct px_file *f;
    int fd, ep = set_of_one(&fd, &f, EPOLLIN), many[1000];
    uint64_t at, us;

    (void)state;
    for (int k = 0; k < 1000; k++) {
        many[k] = session_fake(NULL);
        assert_int_equal(ctl(ep, EPOLL_CTL_ADD, many[k], EPOLLIN, 0), 0);
    }
    session_level(f, EPOLLIN);
    at = os_now_us();
    for (int k = 0; k < 100000; k++)
        assert_int_equal(px_epoll_wait(ep, got, 64, -1, NULL), 1);
    us = os_now_us() - at;
    print_message("# epoll_wait of one ready among 1001: %llu ns\n", (unsigned long long)us / 100);
    for (int k = 0; k < 1000; k++)
        px_close(many[k]);
    shut(ep, fd);
}

static void nothing_is_left_in_the_pools(void **state)
{
    struct px_pools *p = px_session->pools;
    uint32_t files = 1, watches = 1, sets = 1;

    (void)state;
    for (uint32_t k = p->files.free; k; k = px_session->file[k].next_free)
        files++;
    for (uint32_t k = p->watches.free; k; k = p->watch[k].next_of_file)
        watches++;
    for (uint32_t k = p->sets.free; k; k = p->set[k].next_free)
        sets++;
    assert_int_equal(files, p->files.used);
    assert_int_equal(watches, p->watches.used);
    assert_int_equal(sets, p->sets.used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_is_told_as_long_as_it_lasts),
        cmocka_unit_test(an_edge_is_told_once_with_all_that_is),
        cmocka_unit_test(what_was_asked_once_is_silent_until_it_is_modified),
        cmocka_unit_test(what_is_added_late_is_ready_at_once),
        cmocka_unit_test(both_kinds_are_refused_the_same),
        cmocka_unit_test(a_closed_descriptor_leaves_with_its_last_name),
        cmocka_unit_test(all_have_their_turn_however_few_are_asked_for),
        cmocka_unit_test(neither_side_starves_the_other),
        cmocka_unit_test(the_kernels_are_told_beside_ours),
        cmocka_unit_test(what_is_both_is_told_once),
        cmocka_unit_test(what_becomes_the_kernels_stays_in_the_set),
        cmocka_unit_test(a_set_in_a_set_is_ready_when_what_it_has_is),
        cmocka_unit_test(a_sleeper_wakes_for_either_side),
        cmocka_unit_test(a_time_out_is_never_short),
        cmocka_unit_test(a_handler_ends_the_wait_whatever_its_flags),
        cmocka_unit_test(no_wake_up_is_lost_between_two_threads),
        cmocka_unit_test(of_exclusive_sets_one_sleeper_is_woken),
        cmocka_unit_test(a_ready_socket_is_told_in_little_time),
        cmocka_unit_test(nothing_is_left_in_the_pools),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, session_setup, session_teardown);
}
