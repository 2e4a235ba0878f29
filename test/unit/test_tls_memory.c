/* TLS between a server and a client in memory.  Keys and certificates are made here. */
#include "lib/cmocka_first.h"

#include <stdlib.h>

#include "lib/identity.h"
#include "tls/tls.h"

static char dir[] = "/tmp/test_tls_XXXXXX";

static struct identity authority, server, client, stranger;

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    identity_make(&authority, dir, "authority", NULL, 1);
    identity_make(&server, dir, "controller", &authority, 2);
    identity_make(&client, dir, "switch1", &authority, 3);
    identity_make(&stranger, dir, "stranger", NULL, 4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    identity_forget(&authority);
    identity_forget(&server);
    identity_forget(&client);
    identity_forget(&stranger);
    rmdir(dir);
    return 0;
}

/* ---- a pair --------------------------------------------------------------------------- */

struct pair {
    struct tls_context *context[2];
    struct tls *end[2]; /* 0: the server */
    int64_t last[2];    /* what the last read of the pumping said */
};

static struct tls_context *context(const struct identity *own, const char *ca, bool is_client)
{
    struct tls_config c = {.ca = ca, .client = is_client};
    char why[200] = "";

    if (own) {
        c.cert = own->cert_file;
        c.key = own->key_file;
    }
    struct tls_context *x = tls_context_open(&c, why, sizeof(why));
    assert_string_equal(why, "");
    assert_non_null(x);
    return x;
}

static void pair_open(struct pair *p, const struct identity *who, bool demand)
{
    p->context[0] = context(&server, demand ? authority.cert_file : NULL, false);
    p->context[1] = context(who, authority.cert_file, true);
    for (unsigned i = 0; i < 2; i++)
        p->end[i] = tls_open(p->context[i]);
    assert_true(p->end[0] && p->end[1]);
}

static void pair_close(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        tls_close(p->end[i]);
        tls_context_close(p->context[i]);
    }
}

/* Carry records both ways, `step` bytes at a time, until nothing moves; what is read goes to
 * got[to]. */
static void pump(struct pair *p, size_t step, char *got[2], size_t got_n[2])
{
    char room[4096];
    bool moved = true;

    while (moved) {
        moved = false;
        for (unsigned to = 0; to < 2; to++) {
            const uint8_t *records;
            size_t n = tls_output(p->end[!to], &records);
            n = tls_input(p->end[to], records, n < step ? n : step);
            tls_sent(p->end[!to], n);
            moved |= n > 0;
            while ((p->last[to] = tls_read(p->end[to], room, sizeof(room))) > 0) {
                moved = true;
                if (got && got[to]) {
                    memcpy(got[to] + got_n[to], room, (size_t)p->last[to]);
                    got_n[to] += (size_t)p->last[to];
                }
            }
            moved |= tls_output(p->end[to], &records) > 0 && p->last[!to] == TLS_AGAIN;
        }
    }
}

/* ---- the tests ------------------------------------------------------------------------ */

static void a_handshake_is_made_however_the_records_are_cut(void **state)
{
    static const size_t steps[] = {1, 7, 100, 100000};

    (void)state;
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct pair p;
        pair_open(&p, NULL, false);
        assert_int_equal(tls_write(p.end[0], "early", 5), TLS_AGAIN);
        pump(&p, steps[i], NULL, NULL);
        assert_true(tls_is_up(p.end[0]) && tls_is_up(p.end[1]));
        assert_string_equal(tls_subject(p.end[0]), "");
        assert_string_equal(tls_subject(p.end[1]), "CN=controller");
        pair_close(&p);
    }
}

static void plain_text_arrives_whole_in_both_directions(void **state)
{
    size_t n = 300000, at[2] = {0}, got_n[2] = {0};
    char *text = malloc(n), *got[2] = {malloc(n), malloc(n)};
    struct pair p;

    (void)state;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i * 31 >> 3);
    pair_open(&p, NULL, false);
    pump(&p, 100000, NULL, NULL);
    while (got_n[0] < n || got_n[1] < n) {
        for (unsigned i = 0; i < 2; i++) {
            int64_t r = at[i] < n ? tls_write(p.end[i], text + at[i], n - at[i]) : TLS_AGAIN;
            at[i] += r > 0 ? (size_t)r : 0;
        }
        pump(&p, 5000, got, got_n);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(got_n[i], n);
        assert_memory_equal(got[i], text, n);
        free(got[i]);
    }
    free(text);
    pair_close(&p);
}

static void who_does_not_take_records_is_not_written_to(void **state)
{
    static char text[65536];
    size_t taken = 0;
    struct pair p;
    int64_t r;

    (void)state;
    pair_open(&p, NULL, false);
    pump(&p, 100000, NULL, NULL);
    while ((r = tls_write(p.end[0], text, sizeof(text))) > 0)
        taken += (size_t)r;
    assert_int_equal(r, TLS_AGAIN);
    assert_true(taken < sizeof(text) * 2);
    /* Nor are records taken that nobody reads. */
    static uint8_t junk[200000];
    assert_true(tls_input(p.end[0], junk, sizeof(junk)) < 70000);
    assert_int_equal(tls_input(p.end[0], junk, 1), 0);
    pair_close(&p);
}

static void a_certificate_that_is_demanded_is_shown_and_named(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, &client, true);
    pump(&p, 1000, NULL, NULL);
    assert_true(tls_is_up(p.end[0]));
    assert_string_equal(tls_subject(p.end[0]), "CN=switch1");
    assert_string_equal(tls_why(p.end[0]), "");
    pair_close(&p);
}

static void who_shows_none_or_a_strangers_is_refused_in_words_and_told(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, NULL, true);
    pump(&p, 1000, NULL, NULL);
    assert_int_equal(p.last[0], TLS_FAILED);
    assert_non_null(strstr(tls_why(p.end[0]), "peer did not return a certificate"));
    assert_int_equal(p.last[1], TLS_FAILED); /* the alert has reached it */
    pair_close(&p);

    pair_open(&p, &stranger, true);
    pump(&p, 1000, NULL, NULL);
    assert_int_equal(p.last[0], TLS_FAILED);
    assert_non_null(strstr(tls_why(p.end[0]), "self-signed certificate"));
    assert_int_equal(tls_write(p.end[0], "x", 1), TLS_FAILED);
    pair_close(&p);
}

/* What comes first on this port if it is configured wrong. */
static void openflow_in_the_clear_is_refused_in_words(void **state)
{
    static const uint8_t hello[] = {4, 0, 0, 8, 0, 0, 0, 1};
    struct pair p;
    char room[100];

    (void)state;
    pair_open(&p, NULL, false);
    assert_int_equal(tls_input(p.end[0], hello, sizeof(hello)), sizeof(hello));
    assert_int_equal(tls_read(p.end[0], room, sizeof(room)), TLS_FAILED);
    assert_true(strlen(tls_why(p.end[0])) > 5);
    assert_int_equal(tls_read(p.end[0], room, sizeof(room)), TLS_FAILED);
    pair_close(&p);
}

static void a_close_in_order_is_an_end(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, NULL, false);
    pump(&p, 1000, NULL, NULL);
    assert_int_equal(tls_write(p.end[1], "last", 4), 4);
    tls_shutdown(p.end[1]);
    char *got[2] = {malloc(100), NULL};
    size_t got_n[2] = {0};
    pump(&p, 1000, got, got_n);
    assert_int_equal(got_n[0], 4);
    assert_int_equal(p.last[0], 0);
    free(got[0]);
    pair_close(&p);
}

static void expect_refused(const struct tls_config *c, const char *words)
{
    char why[200] = "";

    assert_null(tls_context_open(c, why, sizeof(why)));
    if (!strstr(why, words))
        fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void a_file_that_is_no_use_is_named(void **state)
{
    char none[100];

    (void)state;
    snprintf(none, sizeof(none), "%s/none.pem", dir);
    expect_refused(&(struct tls_config){.cert = none}, "none.pem: cannot be read");
    expect_refused(&(struct tls_config){.cert = server.key_file}, "controller.key: ");
    expect_refused(&(struct tls_config){.cert = server.cert_file}, "key ");
    expect_refused(&(struct tls_config){.cert = server.cert_file, .key = client.key_file},
                   "does not belong to certificate");
    expect_refused(
        &(struct tls_config){.cert = server.cert_file, .key = server.key_file, .ca = none},
        "authority");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_is_made_however_the_records_are_cut),
        cmocka_unit_test(plain_text_arrives_whole_in_both_directions),
        cmocka_unit_test(who_does_not_take_records_is_not_written_to),
        cmocka_unit_test(a_certificate_that_is_demanded_is_shown_and_named),
        cmocka_unit_test(who_shows_none_or_a_strangers_is_refused_in_words_and_told),
        cmocka_unit_test(openflow_in_the_clear_is_refused_in_words),
        cmocka_unit_test(a_close_in_order_is_an_end),
        cmocka_unit_test(a_file_that_is_no_use_is_named),
    };

    return cmocka_run_group_tests_name("tls_memory", tests, setup, teardown);
}
