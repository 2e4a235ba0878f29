/* The control socket answers lines with lines, whatever clients do. */
#include "lib/cmocka_first.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"

static char path[108];
static char why[200];
static size_t answer_bytes;

static size_t reply(void *arg, const char *question, char *buf, size_t n)
{
    (void)arg;
    if (strcmp(question, "big") == 0) {
        if (answer_bytes > n)
            return 0;
        memset(buf, 'x', answer_bytes);
        return answer_bytes;
    }
    return (size_t)snprintf(buf, n, "{\"you\":\"%s\"}", question);
}

static struct ctl *open_one(void)
{
    struct ctl_answerer a = {reply, NULL};
    struct ctl *c;

    snprintf(path, sizeof(path), "/tmp/test_ctl_%d.sock", (int)getpid());
    c = ctl_open(path, &a, why, sizeof(why));
    assert_non_null(c);
    return c;
}

static int connect_one(void)
{
    int fd = os_unix_connect(path);

    assert_true(fd >= 0);
    os_set_nonblocking(fd);
    return fd;
}

static void expect_line(struct ctl *c, int fd, const char *line)
{
    char buf[256] = {0};
    size_t n = 0;

    for (unsigned i = 0; i < 10 && !strchr(buf, '\n'); i++) {
        ctl_serve(c);
        ssize_t got = read(fd, buf + n, sizeof(buf) - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    assert_string_equal(buf, line);
}

static void each_line_is_answered_by_a_line(void **state)
{
    struct ctl *c = open_one();
    int fd = connect_one();

    (void)state;
    os_write_all(fd, "one\n", 4);
    expect_line(c, fd, "{\"you\":\"one\"}\n");
    os_write_all(fd, "two\n", 4);
    expect_line(c, fd, "{\"you\":\"two\"}\n");
    close(fd);
    ctl_close(c);
}

static void a_question_may_come_in_pieces(void **state)
{
    struct ctl *c = open_one();
    int fd = connect_one();

    (void)state;
    os_write_all(fd, "st", 2);
    ctl_serve(c);
    ctl_serve(c);
    os_write_all(fd, "atus\n", 5);
    expect_line(c, fd, "{\"you\":\"status\"}\n");
    close(fd);
    ctl_close(c);
}

static void a_question_without_end_loses_the_connection(void **state)
{
    struct ctl *c = open_one();
    int fd = connect_one();
    char flood[4 * CTL_QUESTION_MAX], b;

    (void)state;
    memset(flood, 'a', sizeof(flood));
    os_write_all(fd, flood, sizeof(flood));
    for (unsigned i = 0; i < 4; i++)
        ctl_serve(c);
    assert_true(read(fd, &b, 1) <= 0);
    close(fd);
    ctl_close(c);
}

static void an_answer_larger_than_the_socket_takes_comes_whole_in_the_end(void **state)
{
    struct ctl *c = open_one();
    int fd = connect_one();
    size_t got = 0;
    char buf[65536];

    (void)state;
    answer_bytes = CTL_ANSWER_MAX - 1;
    os_write_all(fd, "big\n", 4);
    for (unsigned i = 0; i < 100 && got <= answer_bytes; i++) {
        ssize_t n;
        ctl_serve(c);
        while ((n = read(fd, buf, sizeof(buf))) > 0)
            got += (size_t)n;
    }
    assert_int_equal(got, answer_bytes + 1);
    close(fd);
    ctl_close(c);
}

static void an_answer_that_does_not_fit_is_an_error_and_not_half_a_document(void **state)
{
    struct ctl *c = open_one();
    int fd = connect_one();

    (void)state;
    answer_bytes = CTL_ANSWER_MAX + 1;
    os_write_all(fd, "big\n", 4);
    expect_line(c, fd, "{\"error\":\"the answer is too long\"}\n");
    close(fd);
    ctl_close(c);
}

static void clients_beyond_the_limit_are_turned_away_and_later_ones_served(void **state)
{
    struct ctl *c = open_one();
    int fd[CTL_CLIENTS_MAX + 1];
    char b;

    (void)state;
    for (unsigned i = 0; i <= CTL_CLIENTS_MAX; i++) {
        fd[i] = connect_one();
        ctl_serve(c);
    }
    assert_int_equal(read(fd[CTL_CLIENTS_MAX], &b, 1), 0);
    for (unsigned i = 0; i <= CTL_CLIENTS_MAX; i++)
        close(fd[i]);
    ctl_serve(c);
    fd[0] = connect_one();
    os_write_all(fd[0], "again\n", 6);
    expect_line(c, fd[0], "{\"you\":\"again\"}\n");
    close(fd[0]);
    ctl_close(c);
}

static void the_file_is_for_the_owner_only_and_goes_away_at_the_end(void **state)
{
    struct ctl *c = open_one();
    struct stat st;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ctl_close(c);
    assert_int_not_equal(stat(path, &st), 0);
}

static void a_live_socket_is_not_taken_over_and_a_dead_one_is(void **state)
{
    struct ctl_answerer a = {reply, NULL};
    struct ctl *c = open_one(), *second;
    int dead;

    (void)state;
    assert_null(ctl_open(path, &a, why, sizeof(why)));
    assert_non_null(strstr(why, "Address already in use"));
    ctl_close(c);
    dead = os_unix_listen(path);
    close(dead);
    second = ctl_open(path, &a, why, sizeof(why));
    assert_non_null(second);
    ctl_close(second);
}

static void a_file_that_is_no_socket_is_not_removed(void **state)
{
    struct ctl_answerer a = {reply, NULL};
    char plain[] = "/tmp/test_ctl_XXXXXX";
    struct stat st;

    (void)state;
    close(mkstemp(plain));
    assert_null(ctl_open(plain, &a, why, sizeof(why)));
    assert_int_equal(stat(plain, &st), 0);
    unlink(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_answered_by_a_line),
        cmocka_unit_test(a_question_may_come_in_pieces),
        cmocka_unit_test(a_question_without_end_loses_the_connection),
        cmocka_unit_test(an_answer_larger_than_the_socket_takes_comes_whole_in_the_end),
        cmocka_unit_test(an_answer_that_does_not_fit_is_an_error_and_not_half_a_document),
        cmocka_unit_test(clients_beyond_the_limit_are_turned_away_and_later_ones_served),
        cmocka_unit_test(the_file_is_for_the_owner_only_and_goes_away_at_the_end),
        cmocka_unit_test(a_live_socket_is_not_taken_over_and_a_dead_one_is),
        cmocka_unit_test(a_file_that_is_no_socket_is_not_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
