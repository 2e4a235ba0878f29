/* Signal handlers of a program wait until no call of ours is under way in their thread. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include "posix/tls.h"

#define SEEN_MAX 64

static struct {
    unsigned n;
    int sig[SEEN_MAX], value[SEEN_MAX];
    uint32_t call[SEEN_MAX];
} seen;
static sigjmp_buf away;

static void note(int sig, siginfo_t *info, void *uc)
{
    (void)uc;
    if (seen.n == SEEN_MAX)
        return;
    seen.sig[seen.n] = sig;
    seen.value[seen.n] = info->si_value.sival_int;
    seen.call[seen.n] = px_thread.call;
    seen.n++;
}

static void note_plain(int sig)
{
    seen.sig[seen.n++] = sig;
}

static void leave(int sig)
{
    (void)sig;
    siglongjmp(away, 1);
}

static void handle(int sig, int flags)
{
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};

    assert_int_equal(px_sigaction(sig, &act, NULL), 0);
}

static void handle_by(int sig, void (*handler)(int), int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

    assert_int_equal(px_sigaction(sig, &act, NULL), 0);
}

static void queue(int sig, int value)
{
    assert_int_equal(sigqueue(getpid(), sig, (union sigval){.sival_int = value}), 0);
}

static void begin(void)
{
    px_thread.call++;
}

static void end(void)
{
    if (--px_thread.call == 0 && px_thread.deferred)
        px_signals_run();
}

static int fresh(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static bool is_blocked(int sig)
{
    sigset_t now;

    sigprocmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, sig);
}

static void outside_of_calls_a_handler_runs_at_once(void **state)
{
    (void)state;
    handle(SIGUSR1, 0);
    queue(SIGUSR1, 5);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.value[0], 5);
}

static void a_handler_waits_until_the_outermost_call_returns(void **state)
{
    (void)state;
    handle(SIGUSR1, SA_RESTART);
    begin();
    begin();
    queue(SIGUSR1, 7);
    assert_int_equal(seen.n, 0);
    assert_int_equal(px_thread.deferred, 1);
    assert_false(px_thread.hard);
    end();
    assert_int_equal(seen.n, 0);
    end();
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.sig[0], SIGUSR1);
    assert_int_equal(seen.value[0], 7);
    assert_int_equal(seen.call[0], 0);
    assert_int_equal(px_thread.deferred, 0);
    assert_false(is_blocked(SIGUSR1));
}

static void a_lock_puts_it_off_and_giving_it_back_lets_it_in(void **state)
{
    (void)state;
    handle(SIGUSR2, 0);
    px_lock_depth();
    queue(SIGUSR2, 1);
    assert_int_equal(seen.n, 0);
    assert_true(px_thread.hard);
    px_unlock_depth();
    assert_int_equal(seen.n, 1);
}

static void a_lock_within_a_call_lets_nothing_in(void **state)
{
    (void)state;
    handle(SIGUSR2, 0);
    begin();
    px_lock_depth();
    queue(SIGUSR2, 1);
    px_unlock_depth();
    assert_int_equal(seen.n, 0);
    end();
    assert_int_equal(seen.n, 1);
}

static void queued_signals_all_come_and_in_order(void **state)
{
    (void)state;
    handle(SIGRTMIN + 1, 0);
    begin();
    for (int i = 0; i < 40; i++)
        queue(SIGRTMIN + 1, i);
    end();
    assert_int_equal(seen.n, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(seen.value[i], i);
}

static void what_a_wait_let_in_is_blocked_again_afterwards(void **state)
{
    struct timespec soon = {1, 0};
    sigset_t some, none;

    (void)state;
    handle(SIGUSR1, 0);
    sigemptyset(&none);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigprocmask(SIG_BLOCK, &some, NULL);
    queue(SIGUSR1, 3);
    begin();
    assert_int_equal(ppoll(NULL, 0, &soon, &none), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(seen.n, 0);
    end();
    assert_int_equal(seen.n, 1);
    assert_true(is_blocked(SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &some, NULL);
    assert_int_equal(seen.n, 1);
}

static void a_handler_may_leave_by_longjmp(void **state)
{
    (void)state;
    handle_by(SIGUSR1, leave, 0);
    if (sigsetjmp(away, 1) == 0) {
        begin();
        queue(SIGUSR1, 0);
        end();
        fail();
    }
    assert_int_equal(px_thread.call, 0);
    assert_int_equal(px_thread.deferred, 0);
    assert_int_equal(px_thread.held, 0);
    /* And the next one comes as if nothing had been. */
    handle(SIGUSR1, 0);
    begin();
    queue(SIGUSR1, 0);
    end();
    assert_int_equal(seen.n, 1);
}

static void a_fault_is_not_put_off(void **state)
{
    volatile uintptr_t nowhere = 16; /* the compiler must not see that it is */

    (void)state;
    handle_by(SIGSEGV, leave, 0);
    begin();
    if (sigsetjmp(away, 1) == 0) {
        *(volatile int *)nowhere = 1;
        fail();
    }
    end();
    handle_by(SIGSEGV, SIG_DFL, 0);
}

static void one_that_is_sent_is_no_fault(void **state)
{
    (void)state;
    handle_by(SIGSEGV, note_plain, 0);
    begin();
    kill(getpid(), SIGSEGV);
    assert_int_equal(seen.n, 0);
    end();
    assert_int_equal(seen.n, 1);
    handle_by(SIGSEGV, SIG_DFL, 0);
}

static void a_program_is_shown_what_it_had_set(void **state)
{
    struct sigaction act = {.sa_handler = note_plain, .sa_flags = (int)SA_RESETHAND}, old;

    (void)state;
    sigaddset(&act.sa_mask, SIGHUP);
    assert_int_equal(px_sigaction(SIGUSR2, &act, NULL), 0);
    assert_int_equal(px_sigaction(SIGUSR2, NULL, &old), 0);
    assert_ptr_equal(old.sa_handler, note_plain);
    assert_true(old.sa_flags & (int)SA_RESETHAND);
    assert_false(old.sa_flags & SA_SIGINFO);
    assert_true(sigismember(&old.sa_mask, SIGHUP));
    act.sa_handler = SIG_IGN;
    assert_int_equal(px_sigaction(SIGUSR2, &act, &old), 0);
    assert_ptr_equal(old.sa_handler, note_plain);
    assert_int_equal(px_sigaction(SIGUSR2, NULL, &old), 0);
    assert_ptr_equal(old.sa_handler, SIG_IGN);
    queue(SIGUSR2, 0);
    assert_int_equal(seen.n, 0);
    handle_by(SIGUSR2, SIG_DFL, 0);
    assert_int_equal(px_sigaction(SIGUSR2, NULL, &old), 0);
    assert_ptr_equal(old.sa_handler, SIG_DFL);
}

/* Put off in between: the kernel must not have reset it at its first delivery. */
static void a_handler_for_once_runs_once(void **state)
{
    struct sigaction old;

    (void)state;
    handle(SIGUSR1, (int)SA_RESETHAND);
    begin();
    queue(SIGUSR1, 1);
    end();
    assert_int_equal(seen.n, 1);
    assert_int_equal(px_sigaction(SIGUSR1, NULL, &old), 0);
    assert_ptr_equal(old.sa_handler, SIG_DFL);
}

static void its_mask_holds_while_a_handler_runs(void **state)
{
    struct sigaction act = {.sa_handler = note_plain};

    (void)state;
    handle(SIGUSR2, 0);
    sigaddset(&act.sa_mask, SIGUSR2);
    assert_int_equal(px_sigaction(SIGUSR1, &act, NULL), 0);
    begin();
    queue(SIGUSR2, 0);
    queue(SIGUSR1, 0);
    end();
    assert_int_equal(seen.n, 2);
    assert_false(is_blocked(SIGUSR1));
    assert_false(is_blocked(SIGUSR2));
}

static void what_cannot_be_handled_is_refused(void **state)
{
    struct sigaction act = {.sa_handler = note_plain}, old;

    (void)state;
    assert_int_equal(px_sigaction(0, &act, NULL), -EINVAL);
    assert_int_equal(px_sigaction(65, &act, NULL), -EINVAL);
    assert_int_equal(px_sigaction(SIGKILL, &act, NULL), -EINVAL);
    assert_int_equal(px_sigaction(SIGSTOP, &act, NULL), -EINVAL);
    assert_int_equal(px_sigaction(SIGKILL, NULL, &old), 0);
    assert_ptr_equal(old.sa_handler, SIG_DFL);
}

#define UNIT(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(outside_of_calls_a_handler_runs_at_once),
        UNIT(a_handler_waits_until_the_outermost_call_returns),
        UNIT(a_lock_puts_it_off_and_giving_it_back_lets_it_in),
        UNIT(a_lock_within_a_call_lets_nothing_in),
        UNIT(queued_signals_all_come_and_in_order),
        UNIT(what_a_wait_let_in_is_blocked_again_afterwards),
        UNIT(a_handler_may_leave_by_longjmp),
        UNIT(a_fault_is_not_put_off),
        UNIT(one_that_is_sent_is_no_fault),
        UNIT(a_program_is_shown_what_it_had_set),
        UNIT(a_handler_for_once_runs_once),
        UNIT(its_mask_holds_while_a_handler_runs),
        UNIT(what_cannot_be_handled_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
