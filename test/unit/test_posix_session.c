/* A session on a wire in shared memory: its memory, slots, forks and deaths. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "posix/janitor.h"
#include "posix/pools.h"
#include "posix/session_int.h"
#include "posix/wait.h"

#define SLOTS 4u

/* What other files of the room do, for a test that has no sockets. */
__attribute__((weak)) void file_event(struct mr *m, void *inst, const struct mr_event *ev)
{
    (void)m;
    (void)inst;
    (void)ev;
}
__attribute__((weak)) void file_lost(unsigned slot)
{
    (void)slot;
}
__attribute__((weak)) void file_closed(struct px_file *f)
{
    (void)f;
}
__attribute__((weak)) void wait_forget(struct px_file *f, bool kernel)
{
    (void)f;
    (void)kernel;
}
__attribute__((weak)) void epoll_closed(struct px_file *f)
{
    (void)f;
}
__attribute__((weak)) void listeners_left(unsigned slot)
{
    (void)slot;
}
__attribute__((weak)) void listeners_again(void)
{
}

static char path[64];

static int make(unsigned slots)
{
    struct px_session_config c = {.slots = slots};
    char dev[80], why[200] = "";

    mr_config_init(&c.net);
    snprintf(path, sizeof(path), "/tmp/px-session-%d", (int)getpid());
    snprintf(dev, sizeof(dev), "shm:%s:0", path);
    c.net.dev = dev;
    c.net.addr = mr_addr4(10, 9, 0, 2, 0);
    c.net.prefix_len = 24;
    c.net.max_conns = 256;
    c.kernel[0] = "10.9.0.128/25";
    int rc = session_create(&c, why, sizeof(why));
    if (rc < 0)
        fail_msg("%s", why);
    return rc;
}

/* What a process that goes on alone does: the test's next session is another. */
static int unmake(void **state)
{
    int fd[2] = {px_session->hidden_lo, px_session->hidden_hi};

    (void)state;
    session_thread_ends();
    px_session->nic->ops->close(px_session->nic);
    for (unsigned i = 0; i < session_own()->maps; i++)
        sys_munmap((void *)session_own()->map[i].at, session_own()->map[i].bytes);
    sys_munmap(px_session, session_own()->bytes);
    sys_close_range((unsigned)fd[0], (unsigned)fd[1], 0);
    px_session = NULL;
    unlink(path);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return make(SLOTS);
}

static pid_t child(void)
{
    session_forking();
    pid_t pid = fork();
    if (pid == 0)
        session_forked();
    else
        session_fork_over(pid);
    assert_true(pid >= 0);
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- the law --------------------------------------------------------------------------- */

static unsigned has(const uint16_t *table, unsigned entries, unsigned slot)
{
    unsigned n = 0;

    for (unsigned i = 0; i < entries; i++)
        n += table[i] == slot;
    return n;
}

static void shares_are_equal_and_few_entries_move(void **state)
{
    uint16_t t[128] = {0};

    (void)state;
    assert_int_equal(janitor_share(t, 128, 0), 0);
    assert_int_equal(janitor_share(t, 128, 1), 0);
    assert_int_equal(janitor_share(t, 128, 3), 64);
    assert_int_equal(has(t, 128, 1), 64);
    assert_int_equal(janitor_share(t, 128, 7), 42);
    assert_int_equal(has(t, 128, 2), 42);
    assert_int_equal(janitor_share(t, 128, 7), 0);
    /* Slot 0 goes: what it had, and no more, moves. */
    unsigned had = has(t, 128, 0);
    assert_int_equal(janitor_share(t, 128, 6), had);
    assert_int_equal(has(t, 128, 1), 64);
    /* A generation replaces the other. */
    assert_int_equal(janitor_share(t, 128, 0x18), 128);
    assert_int_equal(has(t, 128, 3), 64);
}

static void every_set_of_six_claims_is_served_from_every_other(void **state)
{
    (void)state;
    for (uint64_t from = 1; from < 64; from++)
        for (uint64_t to = 1; to < 64; to++) {
            uint16_t t[32] = {0}, was[32];
            janitor_share(t, 32, from);
            memcpy(was, t, sizeof(t));
            unsigned moved = janitor_share(t, 32, to), differ = 0;
            for (unsigned i = 0; i < 32; i++) {
                differ += t[i] != was[i];
                assert_true(to >> t[i] & 1);
            }
            assert_int_equal(moved, differ);
            unsigned slots = (unsigned)__builtin_popcountll(to);
            for (unsigned k = 0; k < 6; k++)
                if (to >> k & 1)
                    assert_in_range(has(t, 32, k), 32 / slots, (32 + slots - 1) / slots);
        }
}

/* ---- routes ----------------------------------------------------------------------------- */

static void routes_are_looked_at_in_order(void **state)
{
    struct px_session_config c = {.kernel = {"10.1.2.0/24"}};
    struct px_net net;
    char why[200];

    (void)state;
    mr_config_init(&c.net);
    assert_false(session_net_init(&net, &c, why, sizeof(why)));
    c.net.addr = mr_addr4(10, 1, 0, 5, 0);
    c.net.prefix_len = 16;
    assert_true(session_net_init(&net, &c, why, sizeof(why)));
    assert_int_equal(session_net_route(&net, 0x0a010005), PX_WHY_OURS);
    assert_int_equal(session_net_route(&net, 0x0a010106), PX_WHY_OURS);
    assert_int_equal(session_net_route(&net, 0x0a010206), PX_WHY_ROUTE);
    assert_int_equal(session_net_route(&net, 0x0a01ffff), PX_WHY_ROUTE);
    assert_int_equal(session_net_route(&net, 0x7f000001), PX_WHY_LOOPBACK);
    assert_int_equal(session_net_route(&net, 0x08080808), PX_WHY_ROUTE);
    assert_int_equal(session_net_route(&net, 0xe0000001), PX_WHY_ROUTE);
    c.net.gateway = mr_addr4(10, 1, 0, 1, 0);
    assert_true(session_net_init(&net, &c, why, sizeof(why)));
    assert_int_equal(session_net_route(&net, 0x08080808), PX_WHY_OURS);
    assert_int_equal(session_net_route(&net, 0x0a010206), PX_WHY_ROUTE);
    c.only[0] = "8.8.0.0/16";
    assert_true(session_net_init(&net, &c, why, sizeof(why)));
    assert_int_equal(session_net_route(&net, 0x08080808), PX_WHY_OURS);
    assert_int_equal(session_net_route(&net, 0x0a010106), PX_WHY_ROUTE);
    c.only[0] = "8.8.0/33";
    assert_false(session_net_init(&net, &c, why, sizeof(why)));
}

/* ---- a session --------------------------------------------------------------------------- */

static void descriptors_are_hidden_and_stay_through_exec(void **state)
{
    int fd = dup(0);

    (void)state;
    assert_true(fd >= 0 && fd < 20);
    close(fd);
    assert_true(session_hides(px_session->memory_fd));
    assert_true(session_hides(px_session->placeholder_fd));
    assert_true(session_hides(session_own()->map[0].fd));
    for (int i = px_session->hidden_lo; i <= px_session->hidden_hi; i++)
        assert_int_equal(fcntl(i, F_GETFD), 0);
    assert_true(px_session->hidden_lo > 1000);
}

static void an_instance_is_formatted_by_who_enters_first(void **state)
{
    struct px_inst *i = &px_session->inst[2];

    (void)state;
    assert_int_equal(i->live, 0);
    inst_enter(i);
    assert_int_equal(i->live, 1);
    assert_false(inst_turn(i));
    assert_true(inst_deadline(i) > os_now_us());
    struct mr_listen_opts o = {.backlog = 1};
    struct mr_addr a = mr_addr4(0, 0, 0, 0, 80);
    mr_sock l;
    assert_int_equal(mr_listen(inst_mr(i), &a, &o, &l), 0);
    inst_leave(i);
    assert_int_equal(px_thread.depth, 0);
}

/* Between two polls what is sent goes together, but only where the thread itself turns it next: who
 * sleeps for another's instance would not hear of it (sshd's child, in a ppoll without end). */
static void what_is_queued_elsewhere_is_sent_at_once(void **state)
{
    struct px_inst *own = session_mine(), *other = &px_session->inst[1];

    (void)state;
    inst_enter(own);
    for (unsigned i = 0; i < 1000 && !own->unsent; i++) { /* a round lasts for 200 us */
        px_thread.round_us = os_now_us();
        own->unsent = true;
        inst_leave(own);
        inst_enter(own);
    }
    assert_true(own->unsent);
    inst_leave(own);
    for (unsigned i = 0; i < 100; i++) {
        inst_enter(other);
        px_thread.round_us = os_now_us();
        other->unsent = true;
        inst_leave(other);
        assert_false(other->unsent);
    }
    px_thread.round_us = 0;
}

static void a_thread_claims_a_slot_and_the_law_follows(void **state)
{
    (void)state;
    assert_null(session_mine_if());
    struct px_inst *i = session_mine();
    assert_ptr_equal(i, &px_session->inst[0]);
    assert_ptr_equal(session_mine(), i);
    assert_int_equal(i->pid, getpid());
    assert_int_equal(px_session->claimed, 1);
    pid_t pid = child();
    if (pid == 0) {
        struct px_inst *own = session_mine();
        _exit(own == &px_session->inst[1] && janitor_law_names(1) ? 0 : 1);
    }
    assert_int_equal(status_of(pid), 0);
    assert_true(janitor_law_names(1));
    assert_int_equal(has(px_session->law->table, 128, 1), 64);
    session_slots_release(pid);
    assert_int_equal(px_session->claimed, 1);
    janitor_rebalance();
    assert_false(janitor_law_names(1));
}

static void without_a_free_slot_one_is_shared(void **state)
{
    pid_t pid[SLOTS];

    (void)state;
    for (unsigned k = 0; k < SLOTS; k++)
        if ((pid[k] = child()) == 0) {
            session_mine();
            pause();
        }
    while (__builtin_popcountll(px_session->claimed) < (int)SLOTS)
        usleep(1000);
    px_session->inst[0].files = px_session->inst[1].files = px_session->inst[3].files = 5;
    assert_ptr_equal(session_mine(), &px_session->inst[2]);
    assert_null(session_mine_if());
    for (unsigned k = 0; k < SLOTS; k++) {
        kill(pid[k], SIGKILL);
        status_of(pid[k]);
        session_slots_release(pid[k]);
    }
    assert_int_equal(px_session->claimed, 0);
}

/* ---- fork and death ----------------------------------------------------------------------- */

static void a_fork_has_its_parents_entries(void **state)
{
    struct px_file *f = file_new(PX_FRESH);

    (void)state;
    desc_set(7, f, false);
    pid_t pid = child();
    if (pid == 0) {
        bool good = px_proc->pid == getpid() && file_peek(7) == f && f->refs == 2;
        session_proc_bury(px_proc);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(f->refs, 1);
    desc_clear(7, PX_WHY_NOTHING);
}

static void a_parent_may_end_before_its_child_has_begun(void **state)
{
    struct px_file *f = file_new(PX_FRESH);
    int fd[2];
    char c = 0;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    desc_set(7, f, false);
    pid_t pid = child();
    if (pid == 0) {
        session_forking();
        pid_t second = fork();
        if (second == 0) {
            usleep(20000); /* its parent is dead and buried by now */
            session_forked();
            c = file_peek(7) == f && f->refs == 2;
            _exit(write(fd[1], &c, 1) != 1);
        }
        session_proc_bury(px_proc);
        _exit(0);
    }
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(read(fd[0], &c, 1), 1);
    assert_int_equal(c, 1);
    close(fd[0]);
    close(fd[1]);
}

/* A child for which there is no record. */
static void turned_away(int out)
{
    dup2(out, 2);
    session_forked();
    _exit(px_session != NULL);
}

static void who_finds_no_room_is_told_and_counted(void **state)
{
    char line[200] = "";
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    for (unsigned k = 0; k < PX_PROCS; k++) {
        int32_t none = 0;
        atomic_compare_exchange_strong(&px_session->proc[k].pid, &none, 0x7ffffff0);
    }
    session_forking();
    pid_t pid = fork();
    if (pid == 0)
        turned_away(fd[1]);
    session_fork_over(pid);
    for (unsigned k = 0; k < PX_PROCS; k++)
        if (px_session->proc[k].pid == 0x7ffffff0)
            atomic_store(&px_session->proc[k].pid, 0);
    assert_int_equal(status_of(pid), 0);
    assert_true(read(fd[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "the session has room for 1024 processes"));
    assert_int_equal(px_session->turned_away, 1);
    close(fd[0]);
    close(fd[1]);
}

/* It goes on, and writes the law itself. */
static void who_finds_no_janitor_says_so_once(void **state)
{
    char line[400] = "";
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    pid_t pid = child();
    if (pid == 0) {
        dup2(fd[1], 2);
        atomic_store(&px_session->janitor_pid, (int32_t)gone);
        atomic_store(&px_session->guard_pid, (int32_t)gone);
        unsigned slot = session_mine()->slot;
        session_look_for_janitor();
        _exit(!janitor_law_names(slot));
    }
    assert_int_equal(status_of(pid), 0);
    assert_int_equal(px_session->janitor_pid, 0);
    ssize_t n = read(fd[0], line, sizeof(line) - 1);
    assert_true(n > 0);
    assert_non_null(strstr(line, "janitor and its guard were killed"));
    assert_ptr_equal(memchr(line, '\n', (size_t)n), line + n - 1);
    close(fd[0]);
    close(fd[1]);
}

static void who_dies_inside_leaves_an_instance_that_is_made_anew(void **state)
{
    struct px_inst *i = &px_session->inst[1];
    struct mr_addr a = mr_addr4(0, 0, 0, 0, 80);
    mr_sock l;

    (void)state;
    pid_t pid = child();
    if (pid == 0) {
        inst_enter(i);
        if (mr_listen(inst_mr(i), &a, NULL, &l) == 0)
            raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(status_of(pid), SIGKILL);
    assert_int_equal(i->lock, (uint32_t)pid);
    inst_enter(i);
    assert_int_equal(i->broken, 1);
    assert_int_equal(mr_listen(inst_mr(i), &a, NULL, &l), 0);
    assert_int_equal(mr_listen(inst_mr(i), &a, NULL, &l), MR_EADDRINUSE);
    inst_leave(i);
}

static void who_is_killed_asleep_attends_nothing(void **state)
{
    struct px_inst *i = &px_session->inst[2];
    struct px_wait w;

    (void)state;
    pid_t pid = child();
    if (pid == 0) {
        wait_begin(&w, -1, false);
        i->attendant = (uint32_t)w.waiter + 1;
        raise(SIGKILL);
    }
    assert_int_equal(status_of(pid), SIGKILL);
    assert_int_not_equal(i->attendant, 0);
    session_slots_release(pid);
    assert_int_equal(i->attendant, 0);
}

static void a_law_that_who_died_has_written_is_told(void **state)
{
    uint32_t generation = px_session->law_generation;

    (void)state;
    px_session->claimed = 3;
    pid_t pid = child();
    if (pid == 0) {
        if (!px_lock(&session_own()->law_lock) &&
            janitor_share(session_own()->law.table, 128, px_session->claimed) > 0)
            raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(status_of(pid), SIGKILL);
    janitor_rebalance();
    assert_true(janitor_law_names(1));
    assert_int_not_equal(px_session->law_generation / 2, generation / 2);
    assert_int_equal(px_session->law_generation % 2, 1); /* settled */
    px_session->claimed = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_equal_and_few_entries_move),
        cmocka_unit_test(every_set_of_six_claims_is_served_from_every_other),
        cmocka_unit_test(routes_are_looked_at_in_order),
        cmocka_unit_test_setup_teardown(descriptors_are_hidden_and_stay_through_exec, setup,
                                        unmake),
        cmocka_unit_test_setup_teardown(an_instance_is_formatted_by_who_enters_first, setup,
                                        unmake),
        cmocka_unit_test_setup_teardown(what_is_queued_elsewhere_is_sent_at_once, setup, unmake),
        cmocka_unit_test_setup_teardown(a_thread_claims_a_slot_and_the_law_follows, setup, unmake),
        cmocka_unit_test_setup_teardown(without_a_free_slot_one_is_shared, setup, unmake),
        cmocka_unit_test_setup_teardown(a_fork_has_its_parents_entries, setup, unmake),
        cmocka_unit_test_setup_teardown(a_parent_may_end_before_its_child_has_begun, setup, unmake),
        cmocka_unit_test_setup_teardown(who_finds_no_room_is_told_and_counted, setup, unmake),
        cmocka_unit_test_setup_teardown(who_finds_no_janitor_says_so_once, setup, unmake),
        cmocka_unit_test_setup_teardown(who_dies_inside_leaves_an_instance_that_is_made_anew, setup,
                                        unmake),
        cmocka_unit_test_setup_teardown(who_is_killed_asleep_attends_nothing, setup, unmake),
        cmocka_unit_test_setup_teardown(a_law_that_who_died_has_written_is_told, setup, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
