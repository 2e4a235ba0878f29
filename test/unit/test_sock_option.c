/* Options: what may be set, on what, and that it comes back. */
#include "lib/cmocka_first.h"

#include "lib/duo.h"

static struct duo w;
static mr_sock l, h[2], u;

static void start(void)
{
    duo_start(&w);
    l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    assert_int_equal(mr_udp_open(w.end[1].m, NULL, NULL, &u), 0);
}

struct range {
    enum mr_opt opt;
    int64_t lo, hi;
};

static const struct range ranges[] = {
    {MR_NODELAY, 0, 1},        {MR_CORK, 0, 1},         {MR_KEEPALIVE, 0, 1},
    {MR_KEEPIDLE, 1, 32767},   {MR_KEEPINTVL, 1, 32767}, {MR_KEEPCNT, 1, 127},
    {MR_LINGER, -1, 65535},    {MR_USER_TIMEOUT_MS, 0, 86400000},
    {MR_SNDBUF, 2048, 1 << 30}, {MR_RCVBUF, 2048, 1 << 30},
    {MR_MAXSEG, 64, 65495},    {MR_TTL, 1, 255},        {MR_TOS, 0, 255},
    {MR_CONGESTION, 0, 1},     {MR_QUICKACK, 0, 1},     {MR_SNDLOWAT, 1, 1 << 30},
    {MR_LINGER2, -1, 120},
    {MR_SYN_RETRIES, 0, 127},
    {MR_NOTSENT_LOWAT, 0, 1 << 30}, {MR_WINDOW_CLAMP, 1152, 1 << 30},
};

static void a_connection_takes_what_is_in_range_and_gives_it_back(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
        const struct range *r = &ranges[i];
        const int64_t in[] = {r->hi, r->lo};
        for (unsigned k = 0; k < 2; k++) {
            int64_t v = -7;
            assert_int_equal(mr_setopt(w.end[1].m, h[1], r->opt, in[k]), 0);
            assert_int_equal(mr_getopt(w.end[1].m, h[1], r->opt, &v), 0);
            if (r->opt != MR_MAXSEG)
                assert_int_equal(v, in[k]);
        }
    }
    duo_end(&w);
}

static void what_is_out_of_range_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
        const struct range *r = &ranges[i];
        const int64_t out[] = {r->lo - 1, r->hi + 1, INT64_MIN, INT64_MAX};
        int64_t before = 0, after = 0;
        mr_getopt(w.end[1].m, h[1], r->opt, &before);
        for (unsigned k = 0; k < 4; k++) {
            assert_int_equal(mr_setopt(w.end[1].m, h[1], r->opt, out[k]), MR_EINVAL);
            assert_int_equal(mr_setopt(w.end[1].m, l, r->opt, out[k]), MR_EINVAL);
        }
        mr_getopt(w.end[1].m, h[1], r->opt, &after);
        assert_int_equal(before, after);
    }
    duo_end(&w);
}

static void an_option_that_does_not_exist_is_none(void **state)
{
    static const int none[] = {0, -1, MR_OPT_LAST + 1, 1000};
    int64_t v;

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(none); i++) {
        enum mr_opt opt = (enum mr_opt)none[i];
        assert_int_equal(mr_setopt(w.end[1].m, h[1], opt, 1), MR_ENOPROTOOPT);
        assert_int_equal(mr_setopt(w.end[1].m, l, opt, 1), MR_ENOPROTOOPT);
        assert_int_equal(mr_setopt(w.end[1].m, u, opt, 1), MR_ENOPROTOOPT);
        assert_int_equal(mr_getopt(w.end[1].m, h[1], opt, &v), MR_ENOPROTOOPT);
        assert_int_equal(mr_getopt(w.end[1].m, l, opt, &v), MR_ENOPROTOOPT);
        assert_int_equal(mr_getopt(w.end[1].m, u, opt, &v), MR_ENOPROTOOPT);
    }
    duo_end(&w);
}

static void facts_cannot_be_set(void **state)
{
    static const enum mr_opt facts[] = {MR_ERROR, MR_RCVQ, MR_SNDQ, MR_URGENT_LEFT};

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(facts); i++)
        assert_int_equal(mr_setopt(w.end[1].m, h[1], facts[i], 0), MR_ENOPROTOOPT);
    duo_end(&w);
}

/* Everything that can be set on a connection can be set on a listener, for what it accepts. */
static void what_a_listener_was_given_its_connections_have(void **state)
{
    static const struct range given[] = {
        {MR_NODELAY, 1, 0},  {MR_CORK, 1, 0},     {MR_KEEPALIVE, 1, 0}, {MR_KEEPIDLE, 77, 0},
        {MR_KEEPINTVL, 8, 0}, {MR_KEEPCNT, 9, 0}, {MR_LINGER, 5, 0},
        {MR_USER_TIMEOUT_MS, 4444, 0},
        {MR_SNDBUF, 5000, 0}, {MR_RCVBUF, 6000, 0}, {MR_MAXSEG, 500, 0}, {MR_TTL, 33, 0},
        {MR_TOS, 8, 0},      {MR_CONGESTION, 0, 0}, {MR_QUICKACK, 1, 0},
        {MR_LINGER2, -1, 0}, {MR_NOTSENT_LOWAT, 5000, 0}, {MR_WINDOW_CLAMP, 3000, 0},
    };
    mr_sock x[2];
    int64_t v;

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(given); i++) {
        assert_int_equal(mr_setopt(w.end[1].m, l, given[i].opt, given[i].lo), 0);
        assert_int_equal(mr_getopt(w.end[1].m, l, given[i].opt, &v), 0);
        assert_int_equal(v, given[i].lo);
    }
    duo_connect(&w, l, x);
    for (unsigned i = 0; i < ARRAY_LEN(given); i++) {
        assert_int_equal(mr_getopt(w.end[1].m, x[1], given[i].opt, &v), 0);
        assert_int_equal(v, given[i].opt == MR_MAXSEG ? 488 : given[i].lo);
    }
    duo_end(&w);
}

/* Each alone: none needs another to be inherited. */
static void keepalive_settings_are_inherited_without_keepalive(void **state)
{
    mr_sock x[2];
    int64_t v;

    (void)state;
    start();
    assert_int_equal(mr_setopt(w.end[1].m, l, MR_KEEPIDLE, 77), 0);
    duo_connect(&w, l, x);
    assert_int_equal(mr_getopt(w.end[1].m, x[1], MR_KEEPIDLE, &v), 0);
    assert_int_equal(v, 77);
    duo_end(&w);
}

static void a_listeners_defaults_can_be_read(void **state)
{
    static const struct range defaults[] = {
        {MR_NODELAY, 0, 0},   {MR_KEEPALIVE, 0, 0}, {MR_KEEPIDLE, 7200, 0}, {MR_KEEPINTVL, 75, 0},
        {MR_KEEPCNT, 8, 0},   {MR_LINGER, -1, 0},   {MR_TTL, 64, 0},        {MR_TOS, 0, 0},
        {MR_CONGESTION, 1, 0}, {MR_USER_TIMEOUT_MS, 0, 0}, {MR_OOBINLINE, 1, 0},
        {MR_LINGER2, 60, 0}, {MR_NOTSENT_LOWAT, 0, 0}, {MR_WINDOW_CLAMP, 0, 0},
    };
    int64_t v;

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(defaults); i++) {
        assert_int_equal(mr_getopt(w.end[1].m, l, defaults[i].opt, &v), 0);
        assert_int_equal(v, defaults[i].lo);
        assert_int_equal(mr_getopt(w.end[1].m, h[1], defaults[i].opt, &v), 0);
        assert_int_equal(v, defaults[i].lo);
    }
    duo_end(&w);
}

/* Linux's secs_to_retrans and retrans_to_secs. */
static void the_time_to_wait_for_data_is_one_of_time_outs(void **state)
{
    static const int64_t said[][2] = {{1, 1},         {2, 3},         {3, 3},     {4, 7},
                                      {8, 15},        {127, 127},     {128, 247}, {300, 367},
                                      {29888, 29887}, {32767, 29887}, {0, 0}};
    int64_t v = -1;

    (void)state;
    start();
    assert_int_equal(mr_getopt(w.end[1].m, l, MR_DEFER_ACCEPT, &v), 0);
    assert_int_equal(v, 0);
    for (unsigned i = 0; i < ARRAY_LEN(said); i++) {
        assert_int_equal(mr_setopt(w.end[1].m, l, MR_DEFER_ACCEPT, said[i][0]), 0);
        assert_int_equal(mr_getopt(w.end[1].m, l, MR_DEFER_ACCEPT, &v), 0);
        assert_int_equal(v, said[i][1]);
    }
    assert_int_equal(mr_setopt(w.end[1].m, l, MR_DEFER_ACCEPT, -1), MR_EINVAL);
    assert_int_equal(mr_setopt(w.end[1].m, l, MR_DEFER_ACCEPT, 32768), MR_EINVAL);
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_DEFER_ACCEPT, 1), MR_ENOPROTOOPT);
    assert_int_equal(mr_getopt(w.end[1].m, h[1], MR_DEFER_ACCEPT, &v), MR_ENOPROTOOPT);
    assert_int_equal(mr_setopt(w.end[1].m, u, MR_DEFER_ACCEPT, 1), MR_ENOPROTOOPT);
    duo_end(&w);
}

static void a_udp_socket_has_its_own_few(void **state)
{
    static const struct range has[] = {
        {MR_RCVBUF, 5000, 0}, {MR_TTL, 9, 0}, {MR_TOS, 4, 0}, {MR_BROADCAST, 1, 0}};
    static const enum mr_opt has_not[] = {MR_NODELAY, MR_CORK, MR_KEEPIDLE, MR_MAXSEG, MR_LINGER};
    int64_t v;

    (void)state;
    start();
    for (unsigned i = 0; i < ARRAY_LEN(has); i++) {
        assert_int_equal(mr_setopt(w.end[1].m, u, has[i].opt, has[i].lo), 0);
        assert_int_equal(mr_getopt(w.end[1].m, u, has[i].opt, &v), 0);
        assert_int_equal(v, has[i].lo);
    }
    for (unsigned i = 0; i < ARRAY_LEN(has_not); i++) {
        assert_int_equal(mr_setopt(w.end[1].m, u, has_not[i], 64), i < 2 ? MR_EINVAL
                                                                         : MR_ENOPROTOOPT);
        assert_int_equal(mr_getopt(w.end[1].m, u, has_not[i], &v), MR_ENOPROTOOPT);
    }
    duo_end(&w);
}

static void urgent_data_cannot_be_taken_out_of_the_stream(void **state)
{
    (void)state;
    start();
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_OOBINLINE, 1), 0);
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_OOBINLINE, 0), MR_EOPNOTSUPP);
    duo_end(&w);
}

static void the_queues_are_told(void **state)
{
    int64_t v;

    (void)state;
    start();
    mr_send(w.end[0].m, h[0], "hello", 5, 0);
    assert_int_equal(mr_getopt(w.end[0].m, h[0], MR_SNDQ, &v), 0);
    assert_int_equal(v, 5);
    duo_run(&w, 100000);
    mr_getopt(w.end[0].m, h[0], MR_SNDQ, &v);
    assert_int_equal(v, 0);
    mr_getopt(w.end[1].m, h[1], MR_RCVQ, &v);
    assert_int_equal(v, 5);
    duo_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_takes_what_is_in_range_and_gives_it_back),
        cmocka_unit_test(what_is_out_of_range_is_refused_and_changes_nothing),
        cmocka_unit_test(an_option_that_does_not_exist_is_none),
        cmocka_unit_test(facts_cannot_be_set),
        cmocka_unit_test(what_a_listener_was_given_its_connections_have),
        cmocka_unit_test(keepalive_settings_are_inherited_without_keepalive),
        cmocka_unit_test(a_listeners_defaults_can_be_read),
        cmocka_unit_test(the_time_to_wait_for_data_is_one_of_time_outs),
        cmocka_unit_test(a_udp_socket_has_its_own_few),
        cmocka_unit_test(urgent_data_cannot_be_taken_out_of_the_stream),
        cmocka_unit_test(the_queues_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
