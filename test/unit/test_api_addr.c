/* Addresses and errors as text. */
#include "lib/cmocka_first.h"

#include <millrace/millrace.h>

static void assert_parses(const char *text, struct mr_addr want)
{
    struct mr_addr a;

    assert_true(mr_addr_parse(&a, text));
    assert_memory_equal(a.ip, want.ip, 16);
    assert_int_equal(a.port, want.port);
}

static void every_accepted_form_is_parsed(void **state)
{
    (void)state;
    assert_parses("10.0.0.1:80", mr_addr4(10, 0, 0, 1, 80));
    assert_parses("10.0.0.1", mr_addr4(10, 0, 0, 1, 0));
    assert_parses("255.255.255.255:65535", mr_addr4(255, 255, 255, 255, 65535));
    assert_parses(":80", mr_addr4(0, 0, 0, 0, 80));
    assert_parses("80", mr_addr4(0, 0, 0, 0, 80));
    assert_parses("0.0.0.0:0", mr_addr4(0, 0, 0, 0, 0));
}

static void malformed_text_is_refused_and_leaves_the_result_alone(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        ".",
        "a",
        "10.0.0",
        "10.0.0.1.2",
        "10.0.0.",
        "10.0.0.256",
        "10.0.0.1:",
        "10.0.0.1:x",
        "10.0.0.1:65536",
        "10.0.0.01",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10..0.1",
        "-1",
        "80x",
        "::80",
        "[::1]:80",
        "4294967376",
        "1.2.3.4:99999999999",
        "10.0.0.1:80:80",
        "1.2.3.-4",
        "+80",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mr_addr a, before;
        memset(&a, 0x5a, sizeof(a));
        before = a;
        assert_false(mr_addr_parse(&a, bad[i]));
        assert_memory_equal(&a, &before, sizeof(a));
    }
}

static void what_is_printed_parses_back(void **state)
{
    char text[MR_ADDR_TEXT];
    struct mr_addr a, b;

    (void)state;
    for (unsigned i = 0; i < 70000; i += 7) {
        a = mr_addr4((uint8_t)i, (uint8_t)(i >> 3), (uint8_t)(i >> 5), (uint8_t)(i * 31),
                     (uint16_t)i);
        assert_true(mr_addr_parse(&b, mr_addr_print(&a, text)));
        assert_memory_equal(a.ip, b.ip, 16);
        assert_int_equal(a.port, b.port);
    }
}

static void the_longest_address_fits_its_buffer(void **state)
{
    char text[MR_ADDR_TEXT];
    struct mr_addr a;

    (void)state;
    memset(a.ip, 0xff, 16);
    a.port = 65535;
    assert_string_equal(mr_addr_print(&a, text), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void every_error_has_a_sentence_of_its_own(void **state)
{
    static const int errors[] = {
        MR_OK,          MR_EINTR,       MR_EIO,          MR_EBADF,        MR_EAGAIN,
        MR_ENOMEM,      MR_EACCES,      MR_EINVAL,       MR_EPIPE,        MR_EMSGSIZE,
        MR_ENOPROTOOPT, MR_EOPNOTSUPP,  MR_EAFNOSUPPORT, MR_EADDRINUSE,   MR_EADDRNOTAVAIL,
        MR_ENETDOWN,    MR_ENETUNREACH, MR_ECONNABORTED, MR_ECONNRESET,   MR_ENOBUFS,
        MR_EISCONN,     MR_ENOTCONN,    MR_ETIMEDOUT,    MR_ECONNREFUSED, MR_EHOSTUNREACH,
        MR_EALREADY,    MR_EINPROGRESS,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_string_not_equal(mr_strerror(errors[i]), "unknown error");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(mr_strerror(errors[i]), mr_strerror(errors[k]));
    }
    assert_string_equal(mr_strerror(-12345), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_form_is_parsed),
        cmocka_unit_test(malformed_text_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(what_is_printed_parses_back),
        cmocka_unit_test(the_longest_address_fits_its_buffer),
        cmocka_unit_test(every_error_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests_name("api_addr", tests, NULL, NULL);
}
