/* The janitor, seen from the other end of a wire: somebody answers while the program does not. */
#define _GNU_SOURCE
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "drv/dev.h"
#include "os/os.h"
#include "posix/janitor.h"
#include "posix/pools.h"
#include "posix/session_int.h"

#define SLOTS 2u
#define PATIENCE_US 3000000u

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
__attribute__((weak)) void listeners_left(unsigned slot)
{
    (void)slot;
}
__attribute__((weak)) void listeners_again(void)
{
}

__attribute__((weak)) void listener_open(struct px_file *f, struct px_inst *i)
{
    (void)f;
    (void)i;
}
__attribute__((weak)) uint32_t file_level(const struct px_file *f)
{
    (void)f;
    return 0;
}

/* ---- the program ------------------------------------------------------------------------- */

/* Between the processes of a test. */
static struct shared {
    _Atomic int32_t ready, janitor, guard, file, done;
    char path[64], control[100], pcap[100];
} * shared;

static int create(uint8_t last, char *why, size_t n)
{
    struct px_session_config c = {.slots = SLOTS};
    char dev[80];

    mr_config_init(&c.net);
    snprintf(dev, sizeof(dev), "shm:%s:0", shared->path);
    c.net.dev = dev;
    c.net.control = shared->control;
    c.net.pcap = shared->pcap[0] ? shared->pcap : NULL;
    c.net.addr = mr_addr4(10, 9, 0, last, 0);
    c.net.max_conns = 256;
    return session_create(&c, why, n);
}

static void begin(void)
{
    char why[200] = "";
    int status;

    if (create(2, why, sizeof(why)) < 0) {
        fprintf(stderr, "%s\n", why);
        _exit(1);
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(session_janitor() < 0);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        _exit(2);
    shared->janitor = px_session->janitor_pid;
}

static void run_idle(void)
{
    begin();
    shared->ready = 1;
    for (;;)
        pause();
}

/* It has turned its instance, and then computes. */
static void run_computing(void)
{
    begin();
    struct px_inst *i = session_mine();
    inst_enter(i);
    inst_settle(i);
    inst_leave(i);
    shared->ready = 1;
    while (!shared->done)
        os_relax();
    pause();
}

/* It is stopped in the midst of a turn, and was not told to go on before it is killed. */
static void run_and_stop_inside(void)
{
    begin();
    struct px_inst *i = session_mine();
    inst_enter(i);
    shared->ready = 1;
    raise(SIGSTOP);
    inst_settle(i);
    inst_leave(i);
    shared->done = 1;
    for (;;)
        pause();
}

/* A worker is killed inside; its master never looks at the network. */
static void run_and_die_inside(void)
{
    begin();
    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        struct px_inst *i = session_mine();
        inst_enter(i);
        inst_settle(i);
        raise(SIGKILL);
    }
    session_fork_over(pid);
    while (!px_tid_is_dead((uint32_t)pid))
        usleep(1000);
    shared->ready = 1;
    for (;;)
        pause();
}

/* A worker is killed in calls on two files, of which its master has one, too. */
static void run_and_die_in_calls(void)
{
    begin();
    struct px_file *both = file_new(PX_FRESH), *own = file_new(PX_FRESH);
    desc_set(7, both, false);
    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        desc_set(8, own, false);
        if (file_get(7) == both && file_get(8) == own)
            raise(SIGKILL);
        _exit(0);
    }
    session_fork_over(pid);
    shared->ready = 1;
    while (atomic_load(&own->refs) || atomic_load(&both->refs) != 1)
        usleep(1000);
    shared->done = 1;
    pause();
}

/* A worker is killed in accept: what it was about to have has no descriptor yet. */
static void run_and_die_making(void)
{
    begin();
    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        shared->file = (int32_t)file_index(file_new(PX_CONN));
        raise(SIGKILL);
    }
    session_fork_over(pid);
    shared->ready = 1;
    while (!shared->file || atomic_load(&px_session->file[shared->file].refs))
        usleep(1000);
    shared->done = 1;
    pause();
}

/* A worker is killed in a call, and then the janitor, who was about to look for what it used. */
static void run_and_kill_both(void)
{
    begin();
    struct px_file *both = file_new(PX_FRESH);
    desc_set(7, both, false);
    int32_t janitor = px_session->janitor_pid;
    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        if (file_get(7) == both)
            raise(SIGKILL);
        _exit(0);
    }
    session_fork_over(pid);
    while (!px_tid_is_dead((uint32_t)pid))
        os_relax();
    usleep(5000); /* it has buried the worker, and looks */
    kill(janitor, SIGKILL);
    shared->ready = 1;
    while (atomic_load(&both->refs) != 1 || px_session->janitor_pid == janitor)
        usleep(1000);
    shared->janitor = px_session->janitor_pid;
    shared->done = 1;
    pause();
}

/* Somebody sleeps for its second instance who does not come; there is mail, but no frame. */
static void run_and_sleep_through(void)
{
    begin();
    struct px_inst *i = &px_session->inst[1];
    inst_enter(i);
    inst_settle(i);
    inst_leave(i);
    i->due_us = UINT64_MAX;
    i->attendant = PX_WAITERS;
    usleep(50000); /* it is not ours any more, as the janitor sees it */
    uint64_t turns = i->turns;
    os_bell_ring(px_session->slot_bell[1]);
    shared->ready = 1;
    while (i->turns == turns)
        usleep(1000);
    shared->done = 1;
    pause();
}

/* Long after it has turned its instance it sets a timer there, and turns nothing. */
static void run_and_set_a_timer(void)
{
    begin();
    struct px_inst *i = session_mine();
    mr_timer t;
    inst_enter(i);
    inst_settle(i);
    inst_leave(i);
    while (!px_session->janitor_sleeps || shard_deadline(&i->shard) != UINT64_MAX)
        usleep(1000);
    inst_enter(i);
    uint64_t turns = i->turns;
    mr_timer_start(inst_mr(i), 20000, NULL, &t);
    inst_leave(i);
    shared->ready = 1;
    while (i->turns == turns)
        usleep(1000);
    shared->done = 1;
    pause();
}

/* It tells who looks after it. */
static void run_and_tell(void)
{
    begin();
    for (;;) {
        shared->janitor = px_session->janitor_pid;
        shared->guard = px_session->guard_pid;
        shared->ready = shared->guard != 0;
        usleep(1000);
    }
}

/* Its first process ends; another goes on. */
static void run_forking(void)
{
    begin();
    session_forking();
    pid_t pid = fork();
    if (pid == 0) {
        session_forked();
        shared->ready = 1;
        while (!shared->done)
            usleep(1000);
        _exit(0);
    }
    session_fork_over(pid);
    _exit(0);
}

/* ---- the other end ------------------------------------------------------------------------ */

static struct nic *wire;
static struct pkt_pool frames;
static uint8_t memory[32 << 20] MR_ALIGNED(4096);

static void open_wire(void)
{
    char name[80], why[200];
    struct dev_config c = {.queues = SLOTS};
    struct mem m;

    snprintf(name, sizeof(name), "shm:%s:1", shared->path);
    const struct dev_kind *kind = dev_find(name, &c.name, why, sizeof(why));
    memset(memory, 0, sizeof(memory));
    mem_init(&m, memory, sizeof(memory));
    pkt_pool_init(&frames, &m, "frames", 16, 2048, PKT_HEADROOM, NULL);
    wire = kind->open(&m, &c, why, sizeof(why));
    if (!wire)
        fail_msg("%s", why);
}

/* RFC 826: who has 10.9.0.2? */
static void ask(void)
{
    static const uint8_t frame[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  9, 8, 6,
                                      0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 9,
                                      10,   9,    0,    1,    0,    0,    0, 0, 0, 0, 10, 9, 0, 2};
    struct pkt *p = pkt_get(&frames);

    memcpy(p->data, frame, sizeof(frame));
    p->len = sizeof(frame);
    assert_int_equal(nic_tx_burst(wire, 0, &p, 1), 1);
}

static bool is_answer(const struct pkt *p)
{
    return p->len >= 42 && load_be16(p->data + 12) == 0x806 && p->data[21] == 2 &&
           load_be32(p->data + 28) == 0x0a090002;
}

static bool is_answered(void)
{
    uint64_t until = os_now_us() + PATIENCE_US;
    bool got = false;

    ask();
    while (!got && os_now_us() < until)
        for (unsigned q = 0; q < SLOTS; q++) {
            struct pkt *p[BURST_MAX];
            unsigned n = nic_rx_burst(wire, q, p, BURST_MAX);
            for (unsigned i = 0; i < n; i++) {
                got |= is_answer(p[i]);
                pkt_put(p[i]);
            }
        }
    return got;
}

static pid_t start(void (*run)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        run();
        _exit(0);
    }
    assert_true(pid > 0);
    while (!shared->ready)
        usleep(1000);
    open_wire();
    return pid;
}

static bool ends(int32_t pid)
{
    uint64_t until = os_now_us() + PATIENCE_US;

    while (!px_tid_is_dead((uint32_t)pid) && os_now_us() < until)
        usleep(1000);
    return px_tid_is_dead((uint32_t)pid);
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(ends(shared->janitor));
    assert_int_equal(access(shared->path, F_OK), -1);
    assert_int_equal(access(shared->control, F_OK), -1);
}

/* ---- tests -------------------------------------------------------------------------------- */

static int setup(void **state)
{
    static unsigned n;

    (void)state;
    memset((void *)shared, 0, sizeof(*shared));
    snprintf(shared->path, sizeof(shared->path), "/tmp/px-janitor-%d-%u", (int)getpid(), ++n);
    snprintf(shared->control, sizeof(shared->control), "%s.sock", shared->path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (wire)
        wire->ops->close(wire);
    wire = NULL;
    return 0;
}

static void a_program_that_never_polls_is_answered_for(void **state)
{
    pid_t pid = start(run_idle);

    (void)state;
    assert_true(is_answered());
    assert_true(is_answered());
    stop(pid);
}

static void a_program_that_computes_is_answered_for(void **state)
{
    pid_t pid = start(run_computing);

    (void)state;
    assert_true(is_answered());
    shared->done = 1;
    usleep(100000);
    assert_true(is_answered());
    stop(pid);
}

static void who_dies_inside_is_answered_for(void **state)
{
    pid_t pid = start(run_and_die_inside);

    (void)state;
    assert_true(is_answered());
    stop(pid);
}

/* Where it may not be traced nobody can help it. */
static void who_is_stopped_inside_is_let_out_and_stays_stopped(void **state)
{
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY);
    char scope = '0', path[40], text[200] = "";
    ssize_t n = fd < 0 ? 0 : read(fd, &scope, 1);

    (void)state;
    close(fd);
    if (n == 1 && scope != '0' && geteuid() != 0)
        skip();
    pid_t pid = start(run_and_stop_inside);
    bool answered = is_answered();
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    uint64_t until = os_now_us() + PATIENCE_US;
    while (!strstr(text, ") T ") && os_now_us() < until) {
        fd = open(path, O_RDONLY);
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    stop(pid);
    assert_true(answered);
    assert_non_null(strstr(text, ") T "));
}

/* A program that says when it has seen what it waits for. */
static bool gets_done(void (*run)(void))
{
    uint64_t until = os_now_us() + PATIENCE_US;
    pid_t pid = start(run);

    while (!shared->done && os_now_us() < until)
        usleep(1000);
    bool done = shared->done;
    stop(pid);
    return done;
}

static void mail_is_read_for_who_sleeps_through(void **state)
{
    (void)state;
    assert_true(gets_done(run_and_sleep_through));
}

static void a_timer_that_is_set_late_is_looked_after(void **state)
{
    (void)state;
    assert_true(gets_done(run_and_set_a_timer));
}

static void what_the_dead_used_in_calls_is_given_back(void **state)
{
    (void)state;
    assert_true(gets_done(run_and_die_in_calls));
}

static void what_the_dead_were_making_is_given_back(void **state)
{
    (void)state;
    assert_true(gets_done(run_and_die_making));
}

static void a_session_lasts_as_long_as_its_last_process(void **state)
{
    pid_t pid = start(run_forking);

    (void)state;
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    usleep(50000);
    assert_true(is_answered());
    shared->done = 1;
    assert_true(ends(shared->janitor));
    assert_int_equal(access(shared->path, F_OK), -1);
}

/* What a second `millrace run` finds. */
static int come_later(void)
{
    char why[200];

    if (create(3, why, sizeof(why)) != -EBUSY || px_session || !strstr(why, "another address"))
        return 1;
    if (create(2, why, sizeof(why)) < 0 || px_session->janitor_pid != shared->janitor)
        return 2;
    if (session_janitor() != 0 || px_proc->pid != getpid())
        return 3;
    struct px_inst *i = session_mine();
    inst_enter(i);
    inst_settle(i);
    inst_leave(i);
    shared->done = 1;
    for (;;)
        pause();
}

static void a_port_that_a_session_has_is_shared_by_joining_it(void **state)
{
    pid_t pid = start(run_idle), second = fork();
    int status = 0;

    (void)state;
    if (second == 0)
        _exit(come_later());
    while (!shared->done && waitpid(second, &status, WNOHANG) == 0)
        usleep(1000);
    assert_int_equal(status, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    usleep(50000);
    assert_true(is_answered());
    stop(second);
}

/* Frames of the janitor's turns, written by the last. */
static void frames_are_captured(void **state)
{
    static uint8_t text[8192];

    (void)state;
    snprintf(shared->pcap, sizeof(shared->pcap), "%s.pcapng", shared->path);
    pid_t pid = start(run_idle);
    bool answered = is_answered();
    stop(pid);
    int fd = open(shared->pcap, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    unlink(shared->pcap);
    assert_true(answered);
    assert_true(n > 200);
    assert_int_equal(load_be32(text), 0x0a0d0d0a);
    assert_non_null(memmem(text, (size_t)n, "\x08\x06\0\1\x08\0\6\4\0\2", 10));
}

/* True: another is there in time. */
static bool is_replaced(const _Atomic int32_t *who, int32_t was)
{
    uint64_t until = os_now_us() + PATIENCE_US;

    while ((*who == was || px_tid_is_dead((uint32_t)*who)) && os_now_us() < until)
        usleep(1000);
    return *who != was && !px_tid_is_dead((uint32_t)*who);
}

static bool is_there(void)
{
    uint64_t until = os_now_us() + PATIENCE_US;
    int fd = -1;

    while (fd < 0 && os_now_us() < until)
        fd = os_unix_connect(shared->control);
    close(fd);
    return fd >= 0;
}

static void who_kills_the_janitor_or_its_guard_finds_another(void **state)
{
    pid_t pid = start(run_and_tell);
    bool good = is_answered();

    (void)state;
    for (unsigned i = 0; i < 3 && good; i++) {
        int32_t janitor = shared->janitor, guard = shared->guard;
        kill(guard, SIGKILL);
        good = is_replaced(&shared->guard, guard) && shared->janitor == janitor && is_answered();
        if (!good)
            break;
        guard = shared->guard;
        kill(janitor, SIGKILL);
        good = is_replaced(&shared->janitor, janitor) && shared->janitor == guard &&
               is_replaced(&shared->guard, guard) && is_answered() && is_there();
    }
    int32_t last = shared->guard;
    stop(pid);
    assert_true(good);
    assert_true(ends(last));
}

static void what_a_killed_janitor_looked_for_the_next_one_finds(void **state)
{
    (void)state;
    assert_true(gets_done(run_and_kill_both));
}

static void told_to_stop_the_janitor_ends(void **state)
{
    pid_t pid = start(run_idle);

    (void)state;
    kill(shared->janitor, SIGTERM);
    bool over = ends(shared->janitor);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(over);
}

static void the_control_socket_answers(void **state)
{
    pid_t pid = start(run_computing);
    static char text[CTL_ANSWER_MAX];
    ssize_t n, at = 0;

    (void)state;
    int fd = os_unix_connect(shared->control);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "status\n", 7), 7);
    while (!memchr(text, '\n', (size_t)at) &&
           (n = read(fd, text + at, sizeof(text) - 1 - (size_t)at)) > 0)
        at += n;
    assert_non_null(strstr(text, "\"turns\""));
    close(fd);
    shared->done = 1;
    stop(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_that_never_polls_is_answered_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_program_that_computes_is_answered_for, setup, teardown),
        cmocka_unit_test_setup_teardown(who_dies_inside_is_answered_for, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_stopped_inside_is_let_out_and_stays_stopped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mail_is_read_for_who_sleeps_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_that_is_set_late_is_looked_after, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_dead_used_in_calls_is_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_dead_were_making_is_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_lasts_as_long_as_its_last_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_port_that_a_session_has_is_shared_by_joining_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(frames_are_captured, setup, teardown),
        cmocka_unit_test_setup_teardown(who_kills_the_janitor_or_its_guard_finds_another, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_killed_janitor_looked_for_the_next_one_finds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(told_to_stop_the_janitor_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(the_control_socket_answers, setup, teardown),
    };
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
