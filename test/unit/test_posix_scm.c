/* Descriptors of ours in messages of UNIX sockets. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "os/os.h"
#include "posix_session.h"

static int pair[2];

static int setup(void **state)
{
    int rc = session_setup(state);

    return rc ? rc : socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static void give(const int *fd, unsigned n, bool as_if_refused)
{
    _Alignas(16) uint8_t control[CMSG_SPACE(8 * sizeof(int))] = {0}, room[SCM_ROOM];
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control}, copy;
    struct cmsghdr *c;

    m.msg_controllen = CMSG_SPACE(n * sizeof(int));
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fd, n * sizeof(int));
    assert_int_equal(scm_before_send(&m, &copy, room, sizeof(room)), 0);
    if (!as_if_refused)
        assert_int_equal(sendmsg(pair[0], &copy, 0), 1);
    scm_after_send(&copy, !as_if_refused);
}

static unsigned take(int *fd, int flags)
{
    _Alignas(16) uint8_t control[CMSG_SPACE(8 * sizeof(int))] = {0};
    char byte;
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *c;
    unsigned n;

    m.msg_controllen = sizeof(control);
    assert_int_equal(recvmsg(pair[1], &m, flags), 1);
    scm_received(&m);
    c = CMSG_FIRSTHDR(&m);
    n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fd, CMSG_DATA(c), n * sizeof(int));
    return n;
}

static void a_connection_arrives_as_another_name_of_the_same_file(void **state)
{
    struct px_file *f;
    int sent = session_fake(&f), got;

    (void)state;
    give(&sent, 1, false);
    assert_int_equal(take(&got, MSG_CMSG_CLOEXEC), 1);
    assert_int_not_equal(got, sent);
    assert_ptr_equal(file_peek(got), f);
    assert_int_equal(px_proc->fd[got].cloexec, 1);
    assert_int_equal(atomic_load(&f->refs), 2);
    px_close(sent);
    assert_int_equal(f->kind, PX_CONN);
    px_close(got);
    assert_int_equal(f->kind, PX_FREE);
}

static void a_socket_of_its_own_travels_itself_among_others(void **state)
{
    int own = socket(AF_INET, SOCK_STREAM, 0), plain = open("/dev/null", O_RDONLY), got[3];
    struct px_file *f = file_new(PX_FRESH), *g;
    int sent[3] = {plain, own, session_fake(&g)}, type = 0;
    socklen_t n = sizeof(type);

    (void)state;
    f->fd_is_own = true;
    desc_set(own, f, false);
    give(sent, 3, false);
    assert_int_equal(take(got, 0), 3);
    assert_null(file_peek(got[0]));
    assert_ptr_equal(file_peek(got[1]), f);
    assert_ptr_equal(file_peek(got[2]), g);
    assert_int_equal(getsockopt(got[1], SOL_SOCKET, SO_DOMAIN, &type, &n), 0);
    assert_int_equal(type, AF_INET);
    for (int k = 0; k < 3; k++) {
        px_close(sent[k]);
        px_close(got[k]);
    }
    assert_int_equal(f->kind, PX_FREE);
    assert_int_equal(g->kind, PX_FREE);
}

static void another_process_of_the_session_finds_it(void **state)
{
    struct px_file *f;
    int sent, got, status;
    pid_t pid;

    (void)state;
    session_forking();
    pid = fork();
    if (pid == 0) {
        session_forked();
        _exit(take(&got, 0) == 1 && file_peek(got) && atomic_load(&file_peek(got)->level) == 5 ? 0
                                                                                               : 1);
    }
    session_fork_over(pid);
    sent = session_fake(&f);
    atomic_store(&f->level, 5);
    give(&sent, 1, false);
    px_close(sent);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void what_was_refused_or_lost_is_given_up(void **state)
{
    struct px_file *f;
    int sent = session_fake(&f), got;
    uint64_t now = os_now_us();

    (void)state;
    give(&sent, 1, true);
    assert_int_equal(atomic_load(&f->refs), 1);
    assert_true(scm_next() == UINT64_MAX);
    give(&sent, 1, false);
    assert_int_equal(atomic_load(&f->refs), 2);
    /* It is asked for at once, then ever less often, for it may be a long way. */
    assert_in_range(scm_next(), now + 4000, os_now_us() + 4000);
    for (unsigned k = 0; k < 100; k++) {
        now = scm_next();
        scm_age(now);
        assert_in_range(scm_next() - now, 4000, 10000000);
    }
    assert_int_equal(scm_next() - now, 10000000);
    assert_int_equal(atomic_load(&f->refs), 2);
    close(pair[0]);
    close(pair[1]);
    scm_age(scm_next() - 1);
    assert_int_equal(atomic_load(&f->refs), 2);
    scm_age(scm_next());
    assert_int_equal(atomic_load(&f->refs), 1);
    assert_true(scm_next() == UINT64_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (unsigned k = 0; k < PX_SENT + 3; k++)
        give(&sent, 1, false);

    assert_int_equal(atomic_load(&f->refs), 1 + PX_SENT);
    for (unsigned k = 0; k < PX_SENT + 3; k++) {
        take(&got, 0);
        assert_true(k < 3 ? !file_peek(got) : file_peek(got) == f);
        px_close(got);
    }
    assert_int_equal(atomic_load(&f->refs), 1);
    px_close(sent);
}

static void what_the_session_hides_cannot_be_sent(void **state)
{
    _Alignas(16) uint8_t control[CMSG_SPACE(2 * sizeof(int))] = {0}, room[SCM_ROOM];
    struct px_file *f;
    int fd[2] = {session_fake(&f), px_session->memory_fd};
    struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)}, copy;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    (void)state;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(c), fd, sizeof(fd));
    assert_int_equal(scm_before_send(&m, &copy, room, sizeof(room)), -EBADF);
    assert_int_equal(atomic_load(&f->refs), 1);
    px_close(fd[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_arrives_as_another_name_of_the_same_file),
        cmocka_unit_test(a_socket_of_its_own_travels_itself_among_others),
        cmocka_unit_test(another_process_of_the_session_finds_it),
        cmocka_unit_test(what_was_refused_or_lost_is_given_up),
        cmocka_unit_test(what_the_session_hides_cannot_be_sent),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, session_teardown);
}
