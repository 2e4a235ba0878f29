/* Descriptors: the kernel's numbers, and what they name in a session. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sys/wait.h>

#include "posix_session.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_closed_number_names_nothing_and_its_file_goes_with_the_last(void **state)
{
    struct px_file *f;
    int a = session_fake(&f), b = px_dup(a), c = desc_fcntl(a, F_DUPFD_CLOEXEC, 100);

    (void)state;
    assert_ptr_equal(file_peek(b), f);
    assert_ptr_equal(file_peek(c), f);
    assert_true(c >= 100);
    assert_int_equal(desc_fcntl(c, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(atomic_load(&f->refs), 3);
    assert_int_equal(px_close(a), 0);
    assert_null(file_peek(a));
    assert_int_equal(px_close(a), -EBADF);
    assert_int_equal(px_close(b), 0);
    assert_int_equal(f->kind, PX_CONN);
    assert_int_equal(px_close(c), 0);
    assert_int_equal(f->kind, PX_FREE);
}

static void dup2_replaces_what_was_there(void **state)
{
    struct px_file *f, *g;
    int a = session_fake(&f), b = session_fake(&g), k = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(px_dup3(a, b, 0, true), b);
    assert_int_equal(g->kind, PX_FREE);
    assert_ptr_equal(file_peek(b), f);
    assert_int_equal(px_dup3(k, b, O_CLOEXEC, false), b);
    assert_null(file_peek(b));
    assert_int_equal(px_dup3(a, a, 0, true), a);
    assert_int_equal(px_dup3(a, a, 0, false), -EINVAL);
    assert_int_equal(px_dup3(a, b, 77, false), -EINVAL);
    assert_int_equal(px_dup3(4000, b, 0, true), -EBADF);
    assert_true(is_open(b));
    assert_int_equal(atomic_load(&f->refs), 1);
    px_close(a);
    px_close(b);
    close(k);
}

static void the_sessions_own_descriptors_do_not_exist_for_the_program(void **state)
{
    int h = px_session->placeholder_fd, a = session_fake(NULL);

    (void)state;
    assert_true(session_hides(h));
    assert_int_equal(px_close(h), -EBADF);
    assert_int_equal(px_dup(h), -EBADF);
    assert_int_equal(px_dup3(h, 50, 0, true), -EBADF);
    assert_int_equal(px_dup3(a, h, 0, true), -EBADF);
    assert_int_equal(px_dup3(h, h, 0, true), -EBADF);
    assert_int_equal(desc_fcntl(h, F_GETFD, 0), -EBADF);
    assert_int_equal(desc_fcntl(h, F_SETFD, 0), -EBADF);
    assert_true(is_open(h));
    px_close(a);
}

static void close_range_goes_around_what_the_session_hides(void **state)
{
    struct px_file *f;
    int a = session_fake(&f), b = desc_fcntl(a, F_DUPFD, 200);

    (void)state;
    assert_int_equal(px_close_range(150, ~0u, CLOSE_RANGE_CLOEXEC), 0);
    assert_int_equal(desc_fcntl(b, F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(px_proc->fd[b].cloexec, 1);
    assert_int_equal(px_close_range(150, ~0u, 0), 0);
    assert_false(is_open(b));
    assert_null(file_peek(b));
    assert_ptr_equal(file_peek(a), f);
    assert_int_equal(atomic_load(&f->refs), 1);
    for (int h = px_session->hidden_lo; h <= px_session->hidden_hi; h++)
        assert_true(is_open(h));
    assert_int_equal(px_close_range(9, 8, 0), -EINVAL);
    assert_int_equal(px_close_range(8, 9, 64), -EINVAL);
    px_close(a);
}

/* A thread that lost the race for a number never sees, nor keeps, another's file. */
static _Atomic bool over;
static _Atomic uint64_t looks;

static void *looker(void *arg)
{
    int fd = *(int *)arg;

    while (!atomic_load(&over)) {
        struct px_file *f = file_get(fd);

        if (!f)
            continue;
        assert_int_not_equal(f->kind, PX_FREE);
        file_put(f);
        atomic_fetch_add(&looks, 1);
    }
    return NULL;
}

static void a_number_is_closed_and_made_while_others_look_at_it(void **state)
{
    int fd = session_fake(NULL), rounds = 0;
    pthread_t t[2];

    (void)state;
    for (int k = 0; k < 2; k++)
        pthread_create(&t[k], NULL, looker, &fd);
    while (rounds < 20000 || (atomic_load(&looks) < 1000 && rounds < 5000000)) {
        struct px_file *f = file_new(PX_CONN);

        desc_set(fd, f, false);
        if (rounds++ & 1)
            desc_clear(fd, PX_WHY_NOTHING);
    }
    desc_clear(fd, PX_WHY_NOTHING);
    atomic_store(&over, true);
    for (int k = 0; k < 2; k++)
        pthread_join(t[k], NULL);
    for (uint32_t k = 1; k < px_session->pools->files.used; k++)
        assert_int_equal(atomic_load(&px_session->file[k].refs), 0);
    close(fd);
}

static void files_are_used_again(void **state)
{
    uint32_t used;

    (void)state;
    px_close(session_fake(NULL));
    used = px_session->pools->files.used;
    for (int k = 0; k < 1000; k++)
        px_close(session_fake(NULL));
    assert_int_equal(px_session->pools->files.used, used);
}

static void a_forks_copy_counts_and_its_burial_gives_back(void **state)
{
    struct px_file *f;
    int a = session_fake(&f), status;
    pid_t pid;

    (void)state;
    session_forking();
    assert_int_equal(atomic_load(&f->refs), 2);
    pid = fork();
    if (pid == 0) {
        session_forked();
        _exit(file_peek(a) == f && px_close(a) == 0 && atomic_load(&f->refs) == 1 ? 0 : 1);
    }
    session_fork_over(pid);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(atomic_load(&f->refs), 1);
    px_close(a);
}

static void what_is_left_to_the_kernel_is_plain_in_every_process(void **state)
{
    struct px_file *f;
    int a = session_fake(&f), b = px_dup(a);
    struct px_proc *other = &px_session->proc[1];

    (void)state;
    atomic_store(&px_session->procs, 2);
    desc_copy(other, px_proc);
    atomic_store(&other->pid, 0x7ffffff0);
    file_get(a);
    file_to_kernel(f, PX_WHY_ROUTE);
    assert_null(file_peek(a));
    assert_null(file_peek(b));
    assert_int_equal(atomic_load(&other->fd[a].file), 0);
    assert_int_equal(px_proc->fd[a].why, PX_WHY_ROUTE);
    assert_int_equal(atomic_load(&f->refs), 1);
    file_put(f);
    atomic_store(&other->pid, 0);
    assert_true(is_open(a));
    close(a);
    close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_number_names_nothing_and_its_file_goes_with_the_last),
        cmocka_unit_test(dup2_replaces_what_was_there),
        cmocka_unit_test(the_sessions_own_descriptors_do_not_exist_for_the_program),
        cmocka_unit_test(close_range_goes_around_what_the_session_hides),
        cmocka_unit_test(a_number_is_closed_and_made_while_others_look_at_it),
        cmocka_unit_test(files_are_used_again),
        cmocka_unit_test(a_forks_copy_counts_and_its_burial_gives_back),
        cmocka_unit_test(what_is_left_to_the_kernel_is_plain_in_every_process),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, session_setup, session_teardown);
}
