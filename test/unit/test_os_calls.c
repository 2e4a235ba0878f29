/* The thin wrappers keep the promises of their header. */
#include "lib/cmocka_first.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

static void the_clock_never_goes_back_and_is_never_zero(void **state)
{
    uint64_t last = os_now_us();

    (void)state;
    assert_true(last > 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t now = os_now_us();
        assert_true(now >= last);
        last = now;
    }
}

static void a_wait_of_200_us_is_no_wait_of_a_millisecond(void **state)
{
    uint64_t best = UINT64_MAX;

    (void)state;
    os_exact_timeouts();
    for (int i = 0; i < 50; i++) {
        uint64_t from = os_now_us(), took;
        assert_int_equal(os_wait(NULL, 0, 200), 0);
        took = os_now_us() - from;
        assert_true(took >= 200);
        best = took < best ? took : best;
    }
    assert_true(best < 900);
}

static void a_wait_tells_which_descriptor_is_ready(void **state)
{
    int p[2];

    (void)state;
    assert_int_equal(pipe(p), 0);
    struct os_wait w[3] = {{.fd = -1}, {.fd = p[0]}, {.fd = p[1], .for_write = true}};
    assert_int_equal(os_wait(w, 3, UINT64_MAX), 1);
    assert_false(w[1].ready);
    assert_true(w[2].ready);
    assert_int_equal(os_write_all(p[1], "x", 1), 0);
    assert_int_equal(os_wait(w, 3, UINT64_MAX), 2);
    assert_true(w[1].ready);
    close(p[1]);
    close(p[0]);
}

static void a_stop_signal_wakes_a_sleeper_and_is_counted(void **state)
{
    (void)state;
    assert_int_equal(os_stop_catch(), 0);
    assert_int_equal(os_stop_asked(), 0);
    raise(SIGTERM);
    struct os_wait w = {.fd = os_stop_fd()};
    assert_int_equal(os_wait(&w, 1, UINT64_MAX), 1);
    raise(SIGINT);
    assert_int_equal(os_stop_asked(), 2);
    os_stop_release();
}

static void reserved_memory_is_zero_and_writable(void **state)
{
    size_t bytes = (size_t)1 << 36;
    uint8_t *p = os_reserve(bytes, false);

    (void)state;
    assert_non_null(p);
    assert_int_equal(p[bytes - 1], 0);
    p[bytes / 2] = 1;
    os_release(p, bytes);
}

static void random_bits_differ(void **state)
{
    uint64_t a[4], b[4];

    (void)state;
    os_random(a, sizeof(a));
    os_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void a_processor_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(os_pin(-1), -EINVAL);
    assert_true(os_pin(1023) < 0);
}

static void a_list_of_processors_is_read_in_its_order(void **state)
{
    uint16_t cpus[8];
    static const char *const bad[] = {"", "a", "1,", ",1", "1-", "2-1", "1-2-3", "1 ", "1024",
                                      "0-8", "99999999999999999999", "-1"};

    (void)state;
    assert_int_equal(os_cpus_parse("8,0-3,2", cpus, 8), 6);
    assert_memory_equal(cpus, ((uint16_t[]){8, 0, 1, 2, 3, 2}), 12);
    assert_int_equal(os_cpus_parse("0-7", cpus, 8), 8);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(os_cpus_parse(bad[i], cpus, 8), -EINVAL);
}

static void processors_are_given_out_in_order_and_again_from_the_front(void **state)
{
    int cpu[5];

    (void)state;
    assert_int_equal(os_cpus_choose(NULL, 1, cpu), (int)os_cpus_allowed((uint16_t[1024]){0}, 1024));
    assert_int_equal(cpu[0], -1);
    assert_int_equal(os_cpus_choose("7", 1, cpu), 1);
    assert_int_equal(cpu[0], 7);
    assert_int_equal(os_cpus_choose("3,1", 5, cpu), 2);
    assert_memory_equal(cpu, ((int[]){3, 1, 3, 1, 3}), sizeof(cpu));
    assert_int_equal(os_cpus_choose("x", 2, cpu), -EINVAL);
}

static void ring(void *arg)
{
    os_bell_ring(*(int *)arg);
}

static void a_bell_wakes_until_it_is_quieted(void **state)
{
    int bell = os_bell_make();
    struct os_wait w = {.fd = bell};
    struct os_thread t;

    (void)state;
    assert_true(bell >= 0);
    assert_int_equal(os_wait(&w, 1, 0), 0);
    assert_int_equal(os_thread_start(&t, ring, &bell), 0);
    assert_int_equal(os_wait(&w, 1, 5000000), 1);
    os_thread_join(&t);
    os_bell_ring(bell);
    os_bell_quiet(bell);
    assert_int_equal(os_wait(&w, 1, 0), 0);
    os_bell_quiet(bell);
    os_close(bell);
}

static void write_file(const char *path, const char *text, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0);
    assert_int_equal(os_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void a_secret_outlives_who_made_it(void **state)
{
    char dir[] = "/tmp/os-calls.XXXXXX", path[64], link[64];
    uint64_t a[3] = {0}, b[3] = {0};
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/secret", dir);
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(os_secret_at(path, a), 0);
    assert_int_equal(os_secret_at(path, b), 0);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* What others may have read, written, or put there is not taken; it is left as it is. */
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(os_secret_at(path, b), -EACCES);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(os_secret_at(link, b), -ELOOP);
    write_file(path, "short", 0600);
    assert_int_equal(os_secret_at(path, a), -EACCES);
    assert_memory_not_equal(a, b, sizeof(a));
    unlink(link);
    unlink(path);
    snprintf(path, sizeof(path), "%s/none/secret", dir);
    assert_int_equal(os_secret_at(path, a), -ENOENT);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back_and_is_never_zero),
        cmocka_unit_test(a_wait_of_200_us_is_no_wait_of_a_millisecond),
        cmocka_unit_test(a_wait_tells_which_descriptor_is_ready),
        cmocka_unit_test(a_stop_signal_wakes_a_sleeper_and_is_counted),
        cmocka_unit_test(reserved_memory_is_zero_and_writable),
        cmocka_unit_test(random_bits_differ),
        cmocka_unit_test(a_secret_outlives_who_made_it),
        cmocka_unit_test(a_processor_that_is_not_there_is_an_error),
        cmocka_unit_test(a_list_of_processors_is_read_in_its_order),
        cmocka_unit_test(processors_are_given_out_in_order_and_again_from_the_front),
        cmocka_unit_test(a_bell_wakes_until_it_is_quieted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
