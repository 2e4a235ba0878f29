/* The shell around the controller, on the kernel's sockets.
 *
 * The controller here is a toy (lib/toy_sdn.h), so the shell is tested alone, whatever sdn does. */
#define _GNU_SOURCE 1
#include "lib/kapi_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/identity.h"
#include "lib/toy_sdn.h"
#include "ofd/ofd.h"
#include "os/os.h"

/* ---- the program and its peers -------------------------------------------------------- */

#define PORT 6653
#define TAP "tofd0"

static bool own_stack;

static struct ofd *ofd;
static struct os_thread thread;
static char status[16384];
static struct mr_app app;
static _Atomic bool stopping;
static unsigned cores;

static void run(void *arg)
{
    struct mr_config c;

    mr_config_init(&c);
    c.cores = cores;
    c.max_conns = 1000;
    if (own_stack) {
        c.dev = "tap:" TAP;
        c.addr = mr_addr4(10, 9, 0, 2, 0);
        c.prefix_len = 24;
        c.control = "none";
    }
    *(int *)arg = mr_run(&c, &app);
}

static void event(struct mr *m, void *state, const struct mr_event *ev)
{
    ofd_app(ofd).event(m, state, ev);
    if (stopping && mr_core(m) == 0) {
        ofd_app(ofd).status(state, status, sizeof(status));
        mr_stop(m);
    }
}

static int rc;

static void begin(unsigned n, const struct tls_config *tls)
{
    struct ofd_config c = {.name = "test",
                           .listener = {{.at = mr_addr4(0, 0, 0, 0, PORT)}},
                           .listeners = 1,
                           .cores = n,
                           .quiet = true};
    char why[200];

    sdn_config_init(&c.sdn);
    if (tls) {
        c.tls = *tls;
        c.listener[0].tls = true;
    }
    cores = n;
    stopping = false;
    toy_letters_in = 0;
    toy_lent = 0; /* what another test has lost is told there */
    toy_keeps_questions = false;
    ofd = ofd_open(&c, why, sizeof(why));
    assert_non_null(ofd);
    app = ofd_app(ofd);
    app.event = event;
    assert_int_equal(os_thread_start(&thread, run, &rc), 0);
}

static void end_run(void)
{
    stopping = true;
    os_thread_join(&thread);
    assert_int_equal(rc, MR_OK);
    ofd_refuse_all(ofd);
}

static void end(void)
{
    end_run();
    ofd_close(ofd);
    assert_int_equal(toy_lent, 0);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(PORT),
                             .sin_addr.s_addr = htonl(own_stack ? 0x0a090002 : INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 10};

    for (int i = 0; i < 2000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            return fd;
        }
        close(fd);
        usleep(1000);
    }
    fail_msg("nobody listens");
    return -1;
}

static void expect_echo(int fd, const char *text, size_t n)
{
    char back[4096];
    size_t got = 0;

    assert_int_equal(os_write_all(fd, text, n), 0);
    while (got < n) {
        ssize_t r = read(fd, back + got, sizeof(back) - got);
        assert_true(r > 0);
        got += (size_t)r;
    }
    assert_memory_equal(back, text, n);
}

static uint64_t counter(const char *name)
{
    char key[80];

    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(status, key);
    assert_non_null(at);
    return strtoull(at + strlen(key), NULL, 10);
}

/* ---- the tests ------------------------------------------------------------------------ */

static void what_comes_is_given_to_the_controller_and_its_answers_go_back(void **state)
{
    (void)state;
    begin(1, NULL);
    int a = dial(), b = dial();
    for (int i = 0; i < 50; i++) {
        expect_echo(a, "hello", 5);
        expect_echo(b, "a switch of another kind", 24);
    }
    close(a);
    expect_echo(b, "is still there", 14);
    close(b);
    end();
    assert_int_equal(counter("accepted"), 2);
    assert_true(toy_advanced > 0);
}

struct flood {
    int fd;
    size_t n, sent;
};

static void writer(void *arg)
{
    struct flood *f = arg;
    char text[8192];

    while (f->sent < f->n) {
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = (char)((f->sent + i) * 7 >> 4);
        assert_int_equal(os_write_all(f->fd, text, sizeof(text)), 0);
        f->sent += sizeof(text);
    }
}

/* It writes 16 MB and reads nothing for a while: what the controller cannot say is not read, others
 * are served meanwhile, and then everything comes, once and in order. */
static void who_does_not_read_is_not_read_and_loses_nothing(void **state)
{
    struct flood f = {.n = 16u << 20};
    struct os_thread t;
    char text[8192];
    size_t got = 0;

    (void)state;
    begin(1, NULL);
    f.fd = dial();
    int other = dial();
    uint64_t before = toy_in;
    assert_int_equal(os_thread_start(&t, writer, &f), 0);
    for (int i = 0; i < 100; i++) {
        expect_echo(other, "meanwhile", 9);
        usleep(1000);
    }
    assert_true(toy_in - before < f.n);
    while (got < f.n) {
        ssize_t r = read(f.fd, text, sizeof(text));
        assert_true(r > 0);
        for (ssize_t i = 0; i < r; i++, got++)
            assert_int_equal(text[i], (char)(got * 7 >> 4));
    }
    os_thread_join(&t);
    close(f.fd);
    close(other);
    end();
    assert_true(counter("stalls") > 0 && counter("gives") > 0);
}

/* Twelve connections with less than a quantum each: after every half megabyte of all together the
 * core turns, or answers to the first would wait for the last (256 switches of millrace-ofload had
 * none for a second, and then all). */
static void a_turn_ends_after_a_bound_of_all_connections(void **state)
{
    enum { N = 12, BYTES = 96 << 10 };
    static char text[BYTES];
    int fd[N];

    (void)state;
    memset(text, 'a', sizeof(text));
    begin(1, NULL);
    for (int i = 0; i < N; i++) {
        fd[i] = dial();
        expect_echo(fd[i], "hello", 5);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(os_write_all(fd[i], text, sizeof(text)), 0);
        for (size_t got = 0; got < sizeof(text);) {
            static char back[BYTES];
            ssize_t r = read(fd[i], back, sizeof(back));
            assert_true(r > 0);
            got += (size_t)r;
        }
    }
    for (int i = 0; i < N; i++)
        close(fd[i]);
    end();
    assert_in_range(counter("put_off"), 1, 100);
}

static void what_the_controller_wants_closed_is_closed_after_its_last_words(void **state)
{
    char back[16];

    (void)state;
    begin(1, NULL);
    int a = dial();
    expect_echo(a, "C", 1);
    assert_int_equal(read(a, back, sizeof(back)), 0);
    close(a);
    a = dial();
    assert_int_equal(os_write_all(a, "A", 1), 0);
    assert_int_equal(read(a, back, sizeof(back)), -1);
    assert_int_equal(errno, ECONNRESET);
    close(a);
    end();
}

static void there_are_no_more_connections_than_there_may_be_and_places_come_free(void **state)
{
    int fd[16];
    char back[4];

    (void)state;
    begin(1, NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 16; i++) {
            fd[i] = dial();
            expect_echo(fd[i], "x", 1);
        }
        int more = dial();
        assert_int_equal(read(more, back, 1), -1);
        close(more);
        for (int i = 0; i < 16; i++)
            close(fd[i]);
        usleep(20000);
    }
    end();
    assert_true(counter("refused") >= 3); /* a dialler that is reset at once tries again */
}

/* Closed in order, reset, cut off in the middle of an answer, wanted closed by both. */
static void nothing_is_left_of_two_thousand_connections(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    static char big[100000];

    (void)state;
    begin(2, NULL);
    for (int i = 0; i < 2000; i++) {
        int fd = dial();
        if (i % 4 == 1)
            expect_echo(fd, "C", 1);
        if (i % 4 == 2)
            assert_int_equal(os_write_all(fd, big, sizeof(big)), 0);
        if (i % 4 == 3)
            assert_int_equal(os_write_all(fd, "A", 1), 0);
        if (i % 3)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
    }
    /* Some may not have been accepted yet: until there is nothing for a while. */
    for (int i = 0, still = 0; i < 2000 && still < 40; i++, usleep(10000))
        still = toy_open > 0 || toy_lent > 0 ? 0 : still + 1;
    assert_int_equal(toy_open, 0);
    assert_int_equal(toy_lent, 0);
    end();
}

static void letters_go_round_and_none_is_lost_when_a_ring_is_full(void **state)
{
    (void)state;
    begin(3, NULL);
    int a = dial();
    expect_echo(a, "L", 1);
    for (int i = 0; i < 5000 && toy_letters_in < 3 + 600; i++)
        usleep(1000);
    assert_int_equal(toy_letters_in, 603);
    close(a);
    end();
}

static void asker(void *arg)
{
    for (unsigned i = 0; i < 300; i++) {
        char text[32], want[32];
        struct sdn_ask q = {.buf = text, .cap = sizeof(text), .owner = arg};
        struct north_source s = ofd_source(ofd);
        assert_true(s.ask(s.arg, i % cores, &q));
        snprintf(want, sizeof(want), "core %u", i % cores);
        assert_string_equal(text, want);
        assert_int_equal(q.status, 200);
        assert_ptr_equal(q.owner, arg);
    }
}

static void questions_of_many_threads_are_answered_by_the_core_they_name(void **state)
{
    struct os_thread t[4];

    (void)state;
    begin(2, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(os_thread_start(&t[i], asker, &t[i]), 0);
    for (int i = 0; i < 4; i++)
        os_thread_join(&t[i]);
    struct north_source s = ofd_source(ofd);
    struct sdn_ask q = {0};
    assert_false(s.ask(s.arg, 2, &q));
    char text[4096];
    assert_true(s.facts(s.arg, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "0.0.0.0:6653"));
    end();
}

static void waiting_asker(void *arg)
{
    char text[32];
    struct sdn_ask q = {.buf = text, .cap = sizeof(text)};

    toy_asker_waits = true;
    *(bool *)arg = ofd_source(ofd).ask(ofd, 0, &q);
    toy_asker_waits = false;
}

static void a_question_that_is_open_at_the_end_is_refused(void **state)
{
    struct os_thread t;
    bool answered = true;

    (void)state;
    begin(1, NULL);
    toy_keeps_questions = true;
    int fd = dial();
    assert_int_equal(os_thread_start(&t, waiting_asker, &answered), 0);
    usleep(20000);
    end_run();
    os_thread_join(&t);
    close(fd);
    ofd_close(ofd);
    assert_false(answered);
}

/* ---- TLS ------------------------------------------------------------------------------ */

struct secure {
    struct tls_context *context;
    struct tls *tls;
    int fd;
};

static void secure_dial(struct secure *s, const struct tls_config *c)
{
    char text[200];

    s->context = tls_context_open(c, text, sizeof(text));
    assert_non_null(s->context);
    s->tls = tls_open(s->context);
    s->fd = dial();
}

static void secure_hang_up(struct secure *s)
{
    tls_close(s->tls);
    tls_context_close(s->context);
    close(s->fd);
}

static void records_out(struct secure *s)
{
    const uint8_t *p;
    size_t n;

    while ((n = tls_output(s->tls, &p)) > 0) {
        assert_int_equal(os_write_all(s->fd, p, n), 0);
        tls_sent(s->tls, n);
    }
}

/* Plain text, 0 at its end, or TLS_FAILED. */
static int64_t secure_read(struct secure *s, char *buf, size_t n)
{
    char room[5000];
    int64_t r;

    while ((r = tls_read(s->tls, buf, n)) == TLS_AGAIN) {
        records_out(s);
        ssize_t got = read(s->fd, room, sizeof(room));
        if (got <= 0)
            return 0;
        assert_int_equal(tls_input(s->tls, room, (size_t)got), got);
    }
    records_out(s);
    return r;
}

/* The first read makes the handshake. */
static void handshake(struct secure *s)
{
    char room[5000];

    while (!tls_is_up(s->tls)) {
        assert_int_equal(tls_read(s->tls, room, 1), TLS_AGAIN);
        records_out(s);
        if (tls_is_up(s->tls))
            return;
        ssize_t got = read(s->fd, room, sizeof(room));
        assert_true(got > 0);
        assert_int_equal(tls_input(s->tls, room, (size_t)got), got);
    }
}

static void secure_echo(struct secure *s, size_t n)
{
    char *text = malloc(n), back[5000];
    size_t got = 0, sent = 0;

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i * 5 >> 3);
    handshake(s);
    while (got < n) {
        while (sent < n && sent - got < 30000) {
            int64_t r = tls_write(s->tls, text + sent, n - sent < 9000 ? n - sent : 9000);
            assert_true(r > 0);
            sent += (size_t)r;
            records_out(s);
        }
        int64_t r = secure_read(s, back, sizeof(back));
        assert_true(r > 0);
        assert_memory_equal(back, text + got, (size_t)r);
        got += (size_t)r;
    }
    free(text);
}

static void a_switch_may_come_by_tls_and_must_show_its_certificate(void **state)
{
    static char dir[] = "/tmp/test_ofd_XXXXXX";
    struct identity ca, own, sw;
    struct secure s;
    char back[10];

    (void)state;
    assert_non_null(mkdtemp(dir));
    identity_make(&ca, dir, "authority", NULL, 1);
    identity_make(&own, dir, "controller", &ca, 2);
    identity_make(&sw, dir, "switch", &ca, 3);
    begin(1, &(struct tls_config){.cert = own.cert_file, .key = own.key_file, .ca = ca.cert_file});

    const struct tls_config good = {
        .cert = sw.cert_file, .key = sw.key_file, .ca = ca.cert_file, .client = true};
    secure_dial(&s, &good);
    secure_echo(&s, 10);
    secure_echo(&s, 1000000);
    secure_hang_up(&s);

    const struct tls_config nobody = {.ca = ca.cert_file, .client = true};
    secure_dial(&s, &nobody);
    assert_true(secure_read(&s, back, sizeof(back)) <= 0);
    secure_hang_up(&s);

    /* Who does not speak TLS, and who says nothing at all. */
    int fd = dial();
    assert_int_equal(os_write_all(fd, "\4\0\0\10\0\0\0\1", 8), 0);
    while (read(fd, back, sizeof(back)) > 0)
        continue;
    close(fd);
    fd = dial();
    assert_true(read(fd, back, sizeof(back)) <= 0);
    close(fd);
    end();
    assert_int_equal(counter("tls_handshakes"), 1);
    assert_int_equal(counter("tls_failed"), 3);
    identity_forget(&ca);
    identity_forget(&own);
    identity_forget(&sw);
    rmdir(dir);
}

/* As many as there are places begin TLS and say nothing more: a switch comes in all the same. */
static void silent_peers_of_tls_give_way_to_a_switch(void **state)
{
    static char dir[] = "/tmp/test_ofd_XXXXXX";
    struct identity ca, own, sw;
    struct secure s;
    int silent[80];

    (void)state;
    assert_non_null(mkdtemp(dir));
    identity_make(&ca, dir, "authority", NULL, 1);
    identity_make(&own, dir, "controller", &ca, 2);
    identity_make(&sw, dir, "switch", &ca, 3);
    begin(1, &(struct tls_config){.cert = own.cert_file, .key = own.key_file, .ca = ca.cert_file});
    for (unsigned i = 0; i < ARRAY_LEN(silent); i++)
        silent[i] = dial();
    usleep(200000); /* they are old enough to give way, and not so old that they have ended */
    const struct tls_config good = {
        .cert = sw.cert_file, .key = sw.key_file, .ca = ca.cert_file, .client = true};
    secure_dial(&s, &good);
    secure_echo(&s, 10);
    secure_hang_up(&s);
    for (unsigned i = 0; i < ARRAY_LEN(silent); i++)
        close(silent[i]);
    end();
    assert_int_equal(counter("refused"), 0);
    identity_forget(&ca);
    identity_forget(&own);
    identity_forget(&sw);
    rmdir(dir);
}

/* The same again on Millrace, with the kernel as its peer across a TAP device. */
static void all_of_it_on_a_stack_of_our_own(void **state)
{
    if (system("ip tuntap add " TAP " mode tap && ip link set " TAP " up && "
               "ip address add 10.9.0.1/24 dev " TAP " 2>/dev/null") != 0)
        skip();
    own_stack = true;
    what_comes_is_given_to_the_controller_and_its_answers_go_back(state);
    who_does_not_read_is_not_read_and_loses_nothing(state);
    what_the_controller_wants_closed_is_closed_after_its_last_words(state);
    there_are_no_more_connections_than_there_may_be_and_places_come_free(state);
    letters_go_round_and_none_is_lost_when_a_ring_is_full(state);
    own_stack = false;
}

/* The shell of an operator's mistake: files that are not there. */
static void a_certificate_that_cannot_be_read_is_said_at_once(void **state)
{
    struct ofd_config c = {.name = "test", .listener = {{.tls = true}}, .listeners = 1};
    char why[200] = "";

    (void)state;
    c.tls.cert = "/nonexistent/cert.pem";
    sdn_config_init(&c.sdn);
    assert_null(ofd_open(&c, why, sizeof(why)));
    assert_non_null(strstr(why, "/nonexistent/cert.pem: cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_is_given_to_the_controller_and_its_answers_go_back),
        cmocka_unit_test(who_does_not_read_is_not_read_and_loses_nothing),
        cmocka_unit_test(a_turn_ends_after_a_bound_of_all_connections),
        cmocka_unit_test(what_the_controller_wants_closed_is_closed_after_its_last_words),
        cmocka_unit_test(there_are_no_more_connections_than_there_may_be_and_places_come_free),
        cmocka_unit_test(nothing_is_left_of_two_thousand_connections),
        cmocka_unit_test(letters_go_round_and_none_is_lost_when_a_ring_is_full),
        cmocka_unit_test(questions_of_many_threads_are_answered_by_the_core_they_name),
        cmocka_unit_test(a_question_that_is_open_at_the_end_is_refused),
        cmocka_unit_test(a_switch_may_come_by_tls_and_must_show_its_certificate),
        cmocka_unit_test(silent_peers_of_tls_give_way_to_a_switch),
        cmocka_unit_test(all_of_it_on_a_stack_of_our_own),
        cmocka_unit_test(a_certificate_that_cannot_be_read_is_said_at_once),
    };

    if (!world_has_namespace()) {
        printf("1..0 # SKIP may not make a network namespace\n");
        return 0;
    }
    return cmocka_run_group_tests_name("ofd_core", tests, NULL, NULL);
}
