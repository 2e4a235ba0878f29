/* The relay between two stacks: end 0 is the clients and the upstreams, end 1 is the relay.
 *
 *     end 0                        end 1
 *     client   ----------------->  10.0.0.2:80
 *     upstream 10.0.0.1:9001 <---  relay
 *              10.0.0.1:9002 <---
 */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"
#include "tools/relay.c"
#include "tools/relay_balance.c"
#include "tools/relay_pair.c"
#include "tools/relay_splice.c"
#include "tools/tool_pool.c"

#define UP_PORT 9001
#define BUFFER 65536u

static struct duo w;
static struct relay_options opt;
static struct relay *r;
static mr_sock up_listener[2];

/* As duo_run, with the relay on end 1. */
static void run(uint64_t us)
{
    instant until = w.now + us;
    struct duo_end *e = &w.end[1];

    for (;;) {
        bool busy = duo_turn(&w, 0);
        busy |= duo_turn(&w, 1);
        for (unsigned i = 0; i < e->nev; i++)
            relay_event(e->m, r, &e->ev[i]);
        busy |= e->nev > 0;
        e->nev = 0;
        if (w.now >= until)
            return;
        instant next = busy ? w.now : duo_deadline(&w);
        w.now = min_u64(max_u64(next, w.now + DUO_STEP), until);
    }
}

static void run_s(unsigned s)
{
    run((uint64_t)s * USEC_PER_SEC);
}

static int prepare(void **state)
{
    (void)state;
    relay_options_init(&opt);
    opt.listen = duo_addr(1, DUO_PORT);
    opt.upstream[0] = duo_addr(0, UP_PORT);
    opt.upstream[1] = duo_addr(0, UP_PORT + 1);
    opt.upstreams = 2;
    opt.buffer = BUFFER;
    opt.copy_max = 500;
    duo_defaults(&w);
    return 0;
}

static void upstream_up(unsigned i)
{
    struct mr_addr at = duo_addr(0, (uint16_t)(UP_PORT + i));

    assert_int_equal(mr_listen(w.end[0].m, &at, NULL, &up_listener[i]), MR_OK);
}

static void upstream_down(unsigned i)
{
    if (up_listener[i].v)
        mr_close(w.end[0].m, up_listener[i]);
    up_listener[i] = MR_SOCK_NONE;
}

/* The first `up` upstreams listen. */
static void start(unsigned up)
{
    void *core = NULL;

    duo_start_with(&w);
    for (unsigned i = 0; i < up; i++)
        upstream_up(i);
    assert_int_equal(relay_init(w.end[1].m, &opt, &core), MR_OK);
    r = core;
}

/* Everything is over and everything went back. */
static void finish(void)
{
    run_s(200);
    assert_int_equal(r->open, 0);
    for (unsigned i = 0; i < r->balancer.n; i++)
        assert_int_equal(r->balancer.up[i].now, 0);
    upstream_down(0);
    upstream_down(1);
    relay_fini(w.end[1].m, r);
    run_s(200);
    for (unsigned side = 0; side < 2; side++)
        if (duo_leak(&w, side))
            fail_msg("end %u: %s", side, duo_leak(&w, side));
    relay_fini_all(&opt);
    duo_end(&w);
}

/* rcvbuf 0: the default. */
static mr_sock client_open_with(int64_t rcvbuf)
{
    struct mr_addr to = duo_addr(1, DUO_PORT);
    mr_sock s;

    assert_int_equal(mr_connect(w.end[0].m, NULL, &to, NULL, &s), MR_OK);
    if (rcvbuf)
        mr_setopt(w.end[0].m, s, MR_RCVBUF, rcvbuf);
    run(50000);
    return s;
}

static mr_sock client_open(void)
{
    return client_open_with(0);
}

/* What the relay has opened to upstream i. */
static mr_sock upstream_accept(unsigned i)
{
    mr_sock s;

    assert_int_equal(mr_accept(w.end[0].m, up_listener[i], &s, NULL), MR_OK);
    return s;
}

static void open_through(mr_sock h[2])
{
    h[0] = client_open();
    h[1] = upstream_accept(0);
}

static void close_both(const mr_sock h[2])
{
    mr_close(w.end[0].m, h[0]);
    mr_close(w.end[0].m, h[1]);
}

/* n bytes from one to the other, in pieces that take a turn each. */
static void transfer(mr_sock from, mr_sock to, uint64_t n, uint64_t piece)
{
    uint64_t sent = 0, got = 0;

    for (unsigned i = 0; got < n && i < 100000; i++) {
        duo_offer(&w, 0, from, &sent, min_u64(n, sent + piece));
        run(1000);
        duo_drain(&w, 0, to, &got);
    }
    assert_int_equal(got, n);
}

static int64_t read_byte(mr_sock s)
{
    uint8_t b;

    return mr_recv(w.end[0].m, s, &b, 1, 0);
}

static void bytes_pass_both_ways(void **state)
{
    mr_sock h[2];

    (void)state;
    start(2);
    open_through(h);
    transfer(h[0], h[1], 1000000, 100000);
    transfer(h[1], h[0], 1000000, 100000);
    assert_int_equal(r->count.bytes[0], 1000000);
    assert_int_equal(r->count.bytes[1], 1000000);
    close_both(h);
    finish();
}

static void small_slices_are_copied_and_large_ones_given(void **state)
{
    mr_sock h[2];

    (void)state;
    start(1);
    open_through(h);
    mr_setopt(w.end[0].m, h[0], MR_NODELAY, 1);
    transfer(h[0], h[1], 50000, 100);
    assert_int_equal(r->count.copied[0], 50000);
    assert_int_equal(stack_sock(w.end[1].stack)->stats.gives, 0);
    transfer(h[1], h[0], 500000, 100000);
    assert_in_range(r->count.copied[1], 0, 5000);
    assert_true(stack_sock(w.end[1].stack)->stats.gives > 300);
    close_both(h);
    finish();
}

static bool lose_some(void *arg, unsigned from, const struct pkt *p)
{
    (void)from;
    (void)p;
    return rng_chance(arg, 1, 20);
}

static void a_lossy_wire_changes_no_byte(void **state)
{
    struct rng rng;
    mr_sock h[2];

    (void)state;
    rng_init(&rng, 7);
    start(1);
    open_through(h);
    w.lose = lose_some;
    w.arg = &rng;
    transfer(h[0], h[1], 200000, 3000);
    transfer(h[1], h[0], 200000, 333);
    w.lose = NULL;
    assert_true(w.lost > 10);
    close_both(h);
    finish();
}

static void what_a_client_sends_before_the_upstream_answers_is_passed_on(void **state)
{
    struct mr_addr to = duo_addr(1, DUO_PORT);
    uint64_t sent = 0, got = 0;
    mr_sock h[2];

    (void)state;
    start(1);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &to, NULL, &h[0]), MR_OK);
    duo_offer(&w, 0, h[0], &sent, 5000);
    while (!duo_take(&w, 0, MR_EV_CONNECTED, NULL))
        run(1);
    assert_int_equal(mr_shutdown(w.end[0].m, h[0]), MR_OK);
    run(100000);
    h[1] = upstream_accept(0);
    assert_int_equal(duo_drain(&w, 0, h[1], &got), 0);
    assert_int_equal(got, 5000);
    close_both(h);
    finish();
}

static void a_client_that_finished_still_gets_its_answer(void **state)
{
    mr_sock h[2];

    (void)state;
    start(1);
    open_through(h);
    mr_shutdown(w.end[0].m, h[0]);
    run(10000);
    assert_int_equal(read_byte(h[1]), 0);
    transfer(h[1], h[0], 300000, 50000);
    assert_int_equal(r->open, 1);
    mr_shutdown(w.end[0].m, h[1]);
    run(10000);
    assert_int_equal(read_byte(h[0]), 0);
    assert_int_equal(r->count.finished, 1);
    close_both(h);
    finish();
}

static void an_upstream_that_finished_still_gets_the_request(void **state)
{
    mr_sock h[2];

    (void)state;
    start(1);
    open_through(h);
    mr_shutdown(w.end[0].m, h[1]);
    run(10000);
    assert_int_equal(read_byte(h[0]), 0);
    transfer(h[0], h[1], 300000, 50000);
    mr_shutdown(w.end[0].m, h[0]);
    run(10000);
    assert_int_equal(read_byte(h[1]), 0);
    assert_int_equal(r->count.finished, 1);
    close_both(h);
    finish();
}

/* The end of the stream stands behind everything that waits for room. */
static void an_end_of_stream_waits_for_what_is_before_it(void **state)
{
    uint64_t sent = 0, got = 0;
    mr_sock h[2];

    (void)state;
    start(1);
    h[0] = client_open_with(8192);
    h[1] = upstream_accept(0);
    for (unsigned i = 0; i < 300; i++) {
        duo_offer(&w, 0, h[1], &sent, UINT64_MAX);
        run(1000);
    }
    assert_in_range(sent, 2 * BUFFER, 1000000);
    mr_close(w.end[0].m, h[1]);
    run_s(1);
    for (unsigned i = 0; i < 10000 && duo_drain(&w, 0, h[0], &got) != 0; i++)
        run(1000);
    assert_int_equal(got, sent);
    mr_close(w.end[0].m, h[0]);
    finish();
}

/* Two buffers at the relay, and what the two ends have themselves. */
static void a_slow_reader_holds_the_writer_back(void **state)
{
    uint64_t sent = 0, got = 0, before;
    mr_sock h[2];

    (void)state;
    start(1);
    h[0] = client_open_with(BUFFER);
    h[1] = upstream_accept(0);
    mr_setopt(w.end[0].m, h[1], MR_SNDBUF, BUFFER);
    for (unsigned i = 0; i < 2000; i++) {
        duo_offer(&w, 0, h[1], &sent, UINT64_MAX);
        run(1000);
    }
    assert_in_range(sent, 3 * BUFFER, 5 * BUFFER);
    before = stack_sock(w.end[1].stack)->stats.slices_lent;
    assert_in_range(before - stack_sock(w.end[1].stack)->stats.slices_back, 1, 3 * BUFFER / 1000);
    run_s(10);
    assert_int_equal(stack_sock(w.end[1].stack)->stats.slices_lent, before);
    for (unsigned i = 0; got < sent && i < 10000; i++) {
        duo_drain(&w, 0, h[0], &got);
        run(1000);
    }
    assert_int_equal(got, sent);
    close_both(h);
    finish();
}

static void a_reset_goes_on_to_the_other_side(void **state)
{
    mr_sock h[2];

    (void)state;
    start(2);
    open_through(h);
    mr_abort(w.end[0].m, h[0]);
    run(10000);
    assert_int_equal(read_byte(h[1]), MR_ECONNRESET);
    mr_close(w.end[0].m, h[1]);
    h[0] = client_open();
    h[1] = upstream_accept(1);
    uint64_t sent = 0;
    duo_offer(&w, 0, h[0], &sent, 50000);
    run(10000);
    mr_abort(w.end[0].m, h[1]);
    run(10000);
    assert_int_equal(read_byte(h[0]), MR_ECONNRESET);
    mr_close(w.end[0].m, h[0]);
    assert_int_equal(r->count.aborted, 2);
    finish();
}

/* Slices that were given and lie in the queue of a connection that is reset come back. */
static void a_reset_in_the_middle_leaves_nothing_behind(void **state)
{
    uint64_t sent = 0;
    mr_sock h[2];

    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        prepare(state);
        start(1);
        open_through(h);
        for (unsigned i = 0; i < 500; i++) {
            duo_offer(&w, 0, h[1], &sent, UINT64_MAX);
            run(1000);
        }
        mr_abort(w.end[0].m, h[which]);
        run(10000);
        mr_abort(w.end[0].m, h[!which]);
        finish();
    }
}

static void a_client_that_resets_during_the_open_takes_the_upstream_along(void **state)
{
    mr_sock s;

    (void)state;
    opt.upstream[0] = mr_addr4(10, 0, 0, 9, UP_PORT);
    opt.upstreams = 1;
    start(0);
    s = client_open();
    assert_int_equal(r->open, 1);
    mr_abort(w.end[0].m, s);
    run(10000);
    assert_int_equal(r->open, 0);
    assert_int_equal(r->balancer.up[0].failures, 0);
    finish();
}

static void a_refused_open_goes_to_the_next_upstream(void **state)
{
    mr_sock h[2];

    (void)state;
    start(2);
    upstream_down(0);
    h[0] = client_open();
    h[1] = upstream_accept(1);
    transfer(h[0], h[1], 5000, 5000);
    assert_int_equal(r->balancer.up[0].failures, 1);
    assert_int_equal(r->count.retries, 1);
    close_both(h);
    run(100000);
    /* Down: not even tried. */
    h[0] = client_open();
    h[1] = upstream_accept(1);
    close_both(h);
    assert_int_equal(r->balancer.up[0].failures, 1);
    run_s(opt.down_ms / 1000 + 1);
    upstream_up(0);
    h[0] = client_open();
    h[1] = upstream_accept(0);
    close_both(h);
    finish();
}

static void with_every_upstream_down_the_client_is_reset(void **state)
{
    mr_sock s;

    (void)state;
    start(0);
    for (unsigned i = 1; i <= 2; i++) {
        s = client_open();
        assert_int_equal(read_byte(s), MR_ECONNRESET);
        mr_close(w.end[0].m, s);
        assert_int_equal(r->count.no_upstream, i);
    }
    assert_int_equal(r->balancer.up[0].failures, 1);
    assert_int_equal(r->balancer.up[1].failures, 1);
    finish();
}

static void an_upstream_that_does_not_answer_in_time_is_left(void **state)
{
    mr_sock h[2];

    (void)state;
    opt.upstream[0] = mr_addr4(10, 0, 0, 9, UP_PORT);
    opt.connect_ms = 1000;
    start(2);
    h[0] = client_open();
    run_s(2);
    h[1] = upstream_accept(1);
    transfer(h[0], h[1], 5000, 5000);
    assert_int_equal(r->count.timeouts[RELAY_CONNECTING], 1);
    assert_int_equal(r->balancer.up[0].failures, 1);
    close_both(h);
    finish();
}

static void an_idle_pair_is_reset_and_a_busy_one_is_not(void **state)
{
    mr_sock idle[2], busy[2];

    (void)state;
    opt.idle_ms = 10000;
    opt.upstreams = 1;
    start(1);
    open_through(idle);
    open_through(busy);
    for (unsigned i = 0; i < 30; i++) {
        transfer(busy[0], busy[1], 10, 10);
        run_s(1);
    }
    assert_int_equal(r->open, 1);
    assert_int_equal(r->count.timeouts[RELAY_OPEN], 1);
    assert_int_equal(read_byte(idle[0]), MR_ECONNRESET);
    assert_int_equal(read_byte(idle[1]), MR_ECONNRESET);
    close_both(idle);
    close_both(busy);
    finish();
}

/* Everything is queued for it; it takes a little every second and no event tells. */
static void one_who_reads_slowly_is_not_idle(void **state)
{
    uint64_t sent = 0, got = 0;
    mr_sock h[2];
    uint8_t b[2000];

    (void)state;
    opt.idle_ms = 5000;
    start(1);
    h[0] = client_open_with(4096);
    h[1] = upstream_accept(0);
    duo_offer(&w, 0, h[1], &sent, 60000);
    mr_shutdown(w.end[0].m, h[1]);
    for (unsigned i = 0; i < 40 && got < sent; i++) {
        int64_t n = mr_recv(w.end[0].m, h[0], b, sizeof(b), 0);
        got += n > 0 ? (uint64_t)n : 0;
        run_s(1);
    }
    assert_int_equal(got, sent);
    assert_int_equal(r->count.timeouts[RELAY_OPEN], 0);
    close_both(h);
    finish();
}

static void beyond_the_limit_clients_are_refused(void **state)
{
    mr_sock h[2], s;

    (void)state;
    opt.pairs_max = 1;
    start(1);
    open_through(h);
    s = client_open();
    assert_int_equal(read_byte(s), MR_ECONNRESET);
    mr_close(w.end[0].m, s);
    assert_int_equal(r->count.refused, 1);
    close_both(h);
    run(10000);
    open_through(h);
    close_both(h);
    finish();
}

static void the_end_of_the_relay_looks_like_no_end_of_stream(void **state)
{
    mr_sock h[2];

    (void)state;
    start(1);
    open_through(h);
    relay_fini(w.end[1].m, r);
    r->listener = MR_SOCK_NONE;
    run(10000);
    assert_int_equal(read_byte(h[0]), MR_ECONNRESET);
    assert_int_equal(read_byte(h[1]), MR_ECONNRESET);
    close_both(h);
    finish();
}

static void status_is_an_object_with_every_upstream(void **state)
{
    char text[16384];

    (void)state;
    start(0);
    mr_sock s = client_open();
    mr_close(w.end[0].m, s);
    size_t n = relay_status(r, text, sizeof(text));
    assert_int_equal(n, strlen(text));
    assert_non_null(strstr(text,
                           "{\"address\":\"10.0.0.1:9001\",\"up\":false,\"now\":0,\"total\":0,"
                           "\"failures\":1}"));
    assert_non_null(strstr(text, "\"no_upstream\":1"));
    r->balancer.n = RELAY_UPSTREAMS_MAX;
    for (unsigned i = 0; i < r->balancer.n; i++)
        r->balancer.up[i] = (struct relay_upstream){.addr = mr_addr4(255, 255, 255, 255, 65535),
                                                    .now = UINT32_MAX,
                                                    .total = UINT64_MAX,
                                                    .failures = UINT64_MAX};
    assert_true(relay_status(r, text, sizeof(text)) > 0);
    r->balancer = (struct relay_balancer){.n = 2};
    finish();
}

/* ---- who is chosen ------------------------------------------------------------------ */

static struct relay_balancer three(enum relay_balance how)
{
    struct relay_balancer b = {.how = how, .n = 3};

    for (unsigned i = 0; i < 3; i++)
        b.up[i].addr = mr_addr4(10, 0, 1, (uint8_t)i, 80);
    return b;
}

static void round_robin_takes_turns_and_passes_over_those_that_are_down(void **state)
{
    struct relay_balancer b = three(RELAY_ROUND_ROBIN);
    struct mr_addr c = mr_addr4(1, 2, 3, 4, 5);
    static const unsigned turns[] = {0, 1, 2, 0}, without_1[] = {2, 0, 2};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(turns); i++)
        assert_int_equal(relay_choose(&b, &c, 0, 100), turns[i]);
    b.up[1].down_until_us = 200;
    for (unsigned i = 0; i < ARRAY_LEN(without_1); i++)
        assert_int_equal(relay_choose(&b, &c, 0, 199), without_1[i]);
    assert_int_equal(relay_choose(&b, &c, 5, 199), RELAY_NO_UPSTREAM);
    assert_int_equal(relay_choose(&b, &c, 5, 200), 1);
}

static void least_takes_who_has_least(void **state)
{
    struct relay_balancer b = three(RELAY_LEAST);
    struct mr_addr c = mr_addr4(1, 2, 3, 4, 5);

    (void)state;
    b.up[0].now = 2;
    b.up[1].now = 1;
    b.up[2].now = 1;
    assert_int_equal(relay_choose(&b, &c, 0, 0), 1);
    assert_int_equal(relay_choose(&b, &c, 0, 0), 2);
    assert_int_equal(relay_choose(&b, &c, 0, 0), 1);
    assert_int_equal(relay_choose(&b, &c, 6, 0), 0);
}

static void a_hash_keeps_clients_and_moves_only_those_of_one_that_is_down(void **state)
{
    struct relay_balancer b = three(RELAY_HASH), cut = b;
    unsigned had[3] = {0};

    (void)state;
    cut.up[1].down_until_us = 1;
    for (unsigned i = 0; i < 3000; i++) {
        struct mr_addr c = mr_addr4(10, 1, (uint8_t)(i >> 8), (uint8_t)i, (uint16_t)(i * 7));
        unsigned before = relay_choose(&b, &c, 0, 0);
        c.port++;
        assert_int_equal(relay_choose(&b, &c, 0, 0), before);
        unsigned now = relay_choose(&cut, &c, 0, 0);
        assert_true(before == 1 ? now != 1 : now == before);
        had[before]++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(had[i], 850, 1150);
}

#define WORLD_TEST(f) cmocka_unit_test_setup(f, prepare)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(bytes_pass_both_ways),
        WORLD_TEST(small_slices_are_copied_and_large_ones_given),
        WORLD_TEST(a_lossy_wire_changes_no_byte),
        WORLD_TEST(what_a_client_sends_before_the_upstream_answers_is_passed_on),
        WORLD_TEST(a_client_that_finished_still_gets_its_answer),
        WORLD_TEST(an_upstream_that_finished_still_gets_the_request),
        WORLD_TEST(an_end_of_stream_waits_for_what_is_before_it),
        WORLD_TEST(a_slow_reader_holds_the_writer_back),
        WORLD_TEST(a_reset_goes_on_to_the_other_side),
        WORLD_TEST(a_reset_in_the_middle_leaves_nothing_behind),
        WORLD_TEST(a_client_that_resets_during_the_open_takes_the_upstream_along),
        WORLD_TEST(a_refused_open_goes_to_the_next_upstream),
        WORLD_TEST(with_every_upstream_down_the_client_is_reset),
        WORLD_TEST(an_upstream_that_does_not_answer_in_time_is_left),
        WORLD_TEST(an_idle_pair_is_reset_and_a_busy_one_is_not),
        WORLD_TEST(one_who_reads_slowly_is_not_idle),
        WORLD_TEST(beyond_the_limit_clients_are_refused),
        WORLD_TEST(the_end_of_the_relay_looks_like_no_end_of_stream),
        WORLD_TEST(status_is_an_object_with_every_upstream),
        cmocka_unit_test(round_robin_takes_turns_and_passes_over_those_that_are_down),
        cmocka_unit_test(least_takes_who_has_least),
        cmocka_unit_test(a_hash_keeps_clients_and_moves_only_those_of_one_that_is_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
