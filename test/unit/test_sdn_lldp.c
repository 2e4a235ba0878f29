/* sdn: probes of links say where they left, and nobody else can say it. */
#include "lib/cmocka_first.h"

#include "base/sha256.h"
#include "sdn/sdn_int.h"

static const struct lldp probe = {
    .dpid = 0x0123456789abcdef, .port = 0xfffffffe, .nonce = 0xfedcba9876543210};
static const struct mac_addr port_mac = {{2, 0, 0, 0, 0, 9}};

static size_t make(uint8_t b[LLDP_LEN])
{
    struct hmac_key key;

    hmac_key_init(&key, "the network's secret", 20);
    return lldp_emit(b, &probe, &port_mac, &key);
}

static bool read_with(const char *secret, const uint8_t *b, size_t n, struct lldp *out)
{
    struct hmac_key key;

    hmac_key_init(&key, secret, 20);
    return lldp_parse(b, n, &key, out);
}

static void a_probe_says_where_and_when_it_left(void **state)
{
    struct lldp got = {0};
    uint8_t b[LLDP_LEN];
    size_t n = make(b);

    (void)state;
    assert_int_equal(n, LLDP_LEN);
    assert_memory_equal(b, "\x01\x80\xc2\x00\x00\x0e\x02\x00\x00\x00\x00\x09\x88\xcc", 14);
    assert_memory_equal(b + 14,
                        "\x02\x11\x07"
                        "0123456789abcdef"
                        "\x04\x09\x07"
                        "fffffffe",
                        30);
    assert_true(read_with("the network's secret", b, n, &got));
    assert_int_equal(got.dpid, probe.dpid);
    assert_int_equal(got.port, probe.port);
    assert_int_equal(got.nonce, probe.nonce);
}

static void a_probe_of_another_secret_is_not_believed(void **state)
{
    struct lldp got;
    uint8_t b[LLDP_LEN];
    size_t n = make(b);

    (void)state;
    assert_false(read_with("a stranger's secret!", b, n, &got));
}

static void a_probe_with_any_signed_byte_changed_is_not_believed(void **state)
{
    struct lldp got;
    uint8_t b[LLDP_LEN];
    size_t n = make(b), signed_at = n - 2 - 16 - 20;

    (void)state;
    for (size_t i = signed_at; i < n - 2; i++) {
        b[i] ^= 1;
        assert_false(read_with("the network's secret", b, n, &got));
        b[i] ^= 1;
    }
    assert_true(read_with("the network's secret", b, n, &got));
}

static void a_probe_cut_anywhere_is_not_believed(void **state)
{
    struct lldp got;
    uint8_t b[LLDP_LEN];
    size_t n = make(b);

    (void)state;
    for (size_t i = 0; i < n - 2; i++)
        assert_false(read_with("the network's secret", b, i, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_says_where_and_when_it_left),
        cmocka_unit_test(a_probe_of_another_secret_is_not_believed),
        cmocka_unit_test(a_probe_with_any_signed_byte_changed_is_not_believed),
        cmocka_unit_test(a_probe_cut_anywhere_is_not_believed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
