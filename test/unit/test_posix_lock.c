/* The session's lock, between threads and processes, some of which die. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "posix/lock.h"

struct shared {
    _Atomic uint32_t lock, ready;
    uint64_t a, b;
};

static struct shared *share(void)
{
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(s != MAP_FAILED);
    return s;
}

static pid_t child(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        px_thread.tid = 0;
    return pid;
}

static void reap(pid_t pid)
{
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void the_lock_names_its_owner(void **state)
{
    struct shared *s = share();

    (void)state;
    assert_false(px_lock(&s->lock));
    assert_int_equal(s->lock, (uint32_t)gettid());
    assert_true(px_lock_is_mine(&s->lock));
    assert_int_equal(px_thread.depth, 1);
    px_unlock(&s->lock);
    assert_int_equal(s->lock, 0);
    assert_int_equal(px_thread.depth, 0);
    munmap(s, 4096);
}

static void who_only_tries_does_not_wait(void **state)
{
    struct shared *s = share();

    (void)state;
    s->lock = 1; /* init's */
    assert_false(px_lock_try(&s->lock));
    assert_int_equal(px_thread.depth, 0);
    s->lock = 0;
    assert_true(px_lock_try(&s->lock));
    px_unlock(&s->lock);
    munmap(s, 4096);
}

static void two_processes_are_never_inside_at_once(void **state)
{
    struct shared *s = share();
    pid_t pid[3];

    (void)state;
    for (unsigned k = 0; k < 3; k++)
        if ((pid[k] = child()) == 0) {
            for (unsigned i = 0; i < 20000; i++) {
                if (px_lock(&s->lock))
                    _exit(1);
                s->a++;
                s->b = s->a;
                px_unlock(&s->lock);
            }
            _exit(0);
        }
    for (unsigned k = 0; k < 3; k++)
        reap(pid[k]);
    assert_int_equal(s->a, 60000);
    assert_int_equal(s->lock, 0);
    munmap(s, 4096);
}

/* Nobody has waited for it yet: its id still stands for something. */
static void the_lock_of_a_killed_process_is_taken_over(void **state)
{
    struct shared *s = share();
    pid_t pid = child();

    (void)state;
    if (pid == 0) {
        if (px_lock(&s->lock))
            _exit(1);
        s->ready = 1;
        for (;;)
            pause();
    }
    while (!s->ready)
        usleep(1000);
    kill(pid, SIGKILL);
    assert_true(px_lock(&s->lock));
    assert_true(px_lock_is_mine(&s->lock));
    px_unlock(&s->lock);
    assert_false(px_lock(&s->lock));
    px_unlock(&s->lock);
    reap(pid);
    munmap(s, 4096);
}

static void who_is_stopped_still_has_its_lock(void **state)
{
    struct shared *s = share();
    pid_t pid = child();

    (void)state;
    if (pid == 0) {
        bool dead = px_lock(&s->lock);
        s->ready = 1;
        raise(SIGSTOP);
        px_unlock(&s->lock);
        _exit(dead);
    }
    while (!s->ready)
        usleep(1000);
    usleep(1000);
    assert_false(px_tid_is_dead((uint32_t)pid));
    pid_t waker = child();
    if (waker == 0) {
        usleep(50000);
        kill(pid, SIGCONT);
        _exit(0);
    }
    assert_false(px_lock(&s->lock));
    px_unlock(&s->lock);
    reap(waker);
    reap(pid);
    munmap(s, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lock_names_its_owner),
        cmocka_unit_test(who_only_tries_does_not_wait),
        cmocka_unit_test(two_processes_are_never_inside_at_once),
        cmocka_unit_test(the_lock_of_a_killed_process_is_taken_over),
        cmocka_unit_test(who_is_stopped_still_has_its_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
