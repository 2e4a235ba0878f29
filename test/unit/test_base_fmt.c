/* The text formatter, against the C library's. */
#include "lib/cmocka_first.h"
#include "lib/expect_panic.h"

#include "base/fmt.h"

#define LINE_MAX 200

/* Both write the same line; a macro, so that both see literal formats. */
#define CHECK_LIKE_LIBC(...)                                                                       \
    do {                                                                                           \
        char ours[LINE_MAX], theirs[LINE_MAX];                                                     \
        int n = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                     \
        assert_int_equal(fmt_print(ours, sizeof(ours), __VA_ARGS__), n);                           \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void numbers_are_written_as_the_c_library_does(void **state)
{
    (void)state;
    CHECK_LIKE_LIBC("%d %d %d %d", 0, -1, INT32_MAX, INT32_MIN);
    CHECK_LIKE_LIBC("%u %x %u %x", 0u, 0u, UINT32_MAX, 0xdeadbeefu);
    CHECK_LIKE_LIBC("%llu %lld %llx", UINT64_MAX + 0ull, INT64_MIN + 0ll, 0x123456789abcdefull);
    CHECK_LIKE_LIBC("%lu %ld %zu", 7ul, -7l, sizeof(int));
}

static void widths_and_padding_are_as_the_c_library_has_them(void **state)
{
    (void)state;
    CHECK_LIKE_LIBC("|%5d|%-5d|%05d|%5d|%05d|", 42, 42, 42, -42, -42);
    CHECK_LIKE_LIBC("|%02x|%08x|%2x|%-4x|%04x|", 7u, 0xabcu, 0x12345u, 0xau, 0xfffffu);
    CHECK_LIKE_LIBC("|%8s|%-8s|%2s|%3c|%-3c|", "abc", "abc", "abc", 'x', 'y');
}

static void strings_stop_at_the_precision(void **state)
{
    static const char no_end[3] = {'a', 'b', 'c'};

    (void)state;
    CHECK_LIKE_LIBC("<%.3s><%.*s><%.2s><%6.2s>", no_end, 2, no_end, "x", "xyz");
}

static void a_percent_sign_and_plain_text_pass(void **state)
{
    (void)state;
    CHECK_LIKE_LIBC("100%% of %s%c", "it", '!');
    CHECK_LIKE_LIBC("%s", "");
}

static void output_is_cut_at_any_size_and_always_a_string(void **state)
{
    static const char whole[] = "abc -42 00ff end";

    (void)state;
    for (size_t size = 1; size <= sizeof(whole) + 2; size++) {
        char *buf = malloc(size);
        struct fmt f;

        fmt_init(&f, buf, size);
        fmt_add(&f, "%s %d %04x %s", "abc", -42, 0xffu, "end");
        size_t want = size < sizeof(whole) ? size - 1 : sizeof(whole) - 1;
        assert_int_equal(f.len, want);
        assert_memory_equal(buf, whole, want);
        assert_int_equal(buf[want], '\0');
        assert_int_equal(f.cut, size < sizeof(whole));
        free(buf);
    }
}

static void addresses_are_written_as_people_do(void **state)
{
    struct mac_addr mac = {{0x02, 0, 0xff, 0x0a, 0xb0, 0x01}};
    char buf[FMT_IP4_SIZE + FMT_MAC_SIZE];
    struct fmt f;

    (void)state;
    fmt_init(&f, buf, sizeof(buf));
    fmt_ip4(&f, be32_of(0xfffefd00));
    fmt_char(&f, ' ');
    fmt_mac(&f, &mac);
    assert_string_equal(buf, "255.254.253.0 02:00:ff:0a:b0:01");
    assert_false(f.cut);
}

static void a_directive_it_does_not_know_stops_the_program(void **state)
{
    char buf[20];

    (void)state;
    expect_panic(fmt_print(buf, sizeof(buf), "%o", 1u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_the_c_library_does),
        cmocka_unit_test(widths_and_padding_are_as_the_c_library_has_them),
        cmocka_unit_test(strings_stop_at_the_precision),
        cmocka_unit_test(a_percent_sign_and_plain_text_pass),
        cmocka_unit_test(output_is_cut_at_any_size_and_always_a_string),
        cmocka_unit_test(addresses_are_written_as_people_do),
        cmocka_unit_test(a_directive_it_does_not_know_stops_the_program),
    };
    return cmocka_run_group_tests_name("base_fmt", tests, NULL, NULL);
}
