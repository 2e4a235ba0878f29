/* The thin wrappers keep the promises of their header. */
#include "lib/cmocka_first.h"

#include <errno.h>
#include <signal.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back_and_is_never_zero),
        cmocka_unit_test(a_wait_of_200_us_is_no_wait_of_a_millisecond),
        cmocka_unit_test(a_wait_tells_which_descriptor_is_ready),
        cmocka_unit_test(a_stop_signal_wakes_a_sleeper_and_is_counted),
        cmocka_unit_test(reserved_memory_is_zero_and_writable),
        cmocka_unit_test(random_bits_differ),
        cmocka_unit_test(a_processor_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
