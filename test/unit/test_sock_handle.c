/* Handles, timers, slices, given buffers: what an application holds, and what becomes of it. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"

static struct duo w;
static mr_sock l, h[2];

static void start(void)
{
    duo_start(&w);
    l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
}

static void nothing_is_left(void)
{
    duo_run(&w, 200 * USEC_PER_SEC);
    for (unsigned side = 0; side < 2; side++)
        if (duo_leak(&w, side))
            fail_msg("end %u: %s", side, duo_leak(&w, side));
    duo_end(&w);
}

static void finish(void)
{
    mr_close(w.end[1].m, l);
    mr_close(w.end[0].m, h[0]);
    duo_run(&w, 10000);
    mr_close(w.end[1].m, h[1]);
    nothing_is_left();
}

/* ---- handles ------------------------------------------------------------------------- */

enum { AS_CONN = 1, AS_LISTENER = 2, AS_UDP = 4 };

/* Every call that takes a handle says MR_EBADF, but those for the kinds in `but`. */
static void every_call_refuses(unsigned side, mr_sock s, unsigned but)
{
    struct mr *m = w.end[side].m;
    struct mr_addr a = duo_addr(0, 99);
    struct mr_slice slice;
    struct mr_tcp_info info;
    uint8_t b[4] = {0};
    mr_sock out;
    int64_t v;

    if (!(but & AS_LISTENER))
        assert_int_equal(mr_accept(m, s, &out, NULL), MR_EBADF);
    if (!(but & AS_CONN)) {
        assert_int_equal(mr_recv(m, s, b, 4, 0), MR_EBADF);
        assert_int_equal(mr_recv_slices(m, s, &slice, 1), MR_EBADF);
        assert_int_equal(mr_send(m, s, b, 4, 0), MR_EBADF);
        assert_int_equal(mr_send(m, s, b, 0, 0), MR_EBADF);
        assert_int_equal(mr_send_give(m, s, b, 4, 0, NULL, NULL), MR_EBADF);
        assert_int_equal(mr_shutdown(m, s), MR_EBADF);
        assert_int_equal(mr_tcp_info(m, s, &info), MR_EBADF);
    }
    if (!(but & AS_UDP)) {
        assert_int_equal(mr_sendto(m, s, b, 4, &a), MR_EBADF);
        assert_int_equal(mr_recvfrom(m, s, b, 4, NULL), MR_EBADF);
        assert_int_equal(mr_recvfrom_slice(m, s, &slice, NULL), MR_EBADF);
    }
    if (but)
        return;
    for (int opt = MR_NODELAY; opt <= MR_OPT_LAST; opt++) {
        int r = mr_setopt(m, s, (enum mr_opt)opt, 1);
        assert_int_equal(r, MR_EBADF);
        assert_int_equal(mr_getopt(m, s, (enum mr_opt)opt, &v), MR_EBADF);
    }
    mr_set_user(m, s, b);
    assert_int_equal(mr_local_addr(m, s, &a), MR_EBADF);
    assert_int_equal(mr_peer_addr(m, s, &a), MR_EBADF);
    assert_int_equal(mr_close(m, s), MR_EBADF);
    assert_int_equal(mr_abort(m, s), MR_EBADF);
}

static void what_was_never_a_handle_is_refused(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    start();
    every_call_refuses(0, MR_SOCK_NONE, 0);
    for (uint64_t kind = 0; kind < 16; kind++)
        every_call_refuses(0, (mr_sock){kind << 60 | 0xffffffff}, 0);
    for (unsigned i = 0; i < 2000; i++)
        every_call_refuses(0, (mr_sock){rng_u64(&r)}, 0);
    every_call_refuses(0, (mr_sock){h[0].v + (UINT64_C(1) << 32)}, 0); /* another generation */
    every_call_refuses(0, (mr_sock){h[0].v + 1}, 0);                   /* another index */
    finish();
}

static void a_handle_of_another_kind_is_refused(void **state)
{
    mr_sock u;

    (void)state;
    start();
    assert_int_equal(mr_udp_open(w.end[1].m, NULL, NULL, &u), 0);
    every_call_refuses(1, h[1], AS_CONN);
    every_call_refuses(1, l, AS_LISTENER);
    every_call_refuses(1, u, AS_UDP);
    assert_int_equal(mr_close(w.end[1].m, u), 0);
    finish();
}

static void a_closed_handle_is_refused(void **state)
{
    mr_sock u;

    (void)state;
    start();
    assert_int_equal(mr_udp_open(w.end[1].m, NULL, NULL, &u), 0);
    mr_close(w.end[1].m, u);
    every_call_refuses(1, u, 0);
    mr_close(w.end[1].m, h[1]); /* FIN-WAIT-1: the connection lives on without its handle */
    every_call_refuses(1, h[1], 0);
    mr_abort(w.end[0].m, h[0]);
    every_call_refuses(0, h[0], 0);
    mr_close(w.end[1].m, l);
    every_call_refuses(1, l, 0);
    duo_run(&w, USEC_PER_SEC);
    every_call_refuses(0, h[0], 0);
    every_call_refuses(1, h[1], 0);
    nothing_is_left();
}

static void a_reused_slot_has_another_handle(void **state)
{
    mr_sock old = {0}, fresh;

    (void)state;
    start();
    for (unsigned i = 0; i < 100; i++) {
        struct mr_addr at = duo_addr(1, 81);
        assert_int_equal(mr_listen(w.end[1].m, &at, NULL, &fresh), 0);
        if (i)
            every_call_refuses(1, old, 0);
        assert_int_equal(mr_close(w.end[1].m, fresh), 0);
        old = fresh;
        assert_int_equal(mr_udp_open(w.end[1].m, NULL, NULL, &fresh), 0);
        assert_int_equal(mr_close(w.end[1].m, fresh), 0);
        every_call_refuses(1, fresh, 0);
    }
    finish();
}

static void a_dead_connection_keeps_its_handle_until_it_is_closed(void **state)
{
    struct mr_event ev = {0};
    uint8_t b;

    (void)state;
    start();
    mr_abort(w.end[0].m, h[0]);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 1, MR_EV_CLOSED, &ev));
    assert_int_equal(ev.err, MR_ECONNRESET);
    assert_int_equal(mr_recv(w.end[1].m, h[1], &b, 1, 0), MR_ECONNRESET);
    assert_int_equal(mr_send(w.end[1].m, h[1], &b, 1, 0), MR_ECONNRESET);
    assert_int_equal(mr_close(w.end[1].m, h[1]), 0);
    every_call_refuses(1, h[1], 0);
    mr_close(w.end[1].m, l);
    nothing_is_left();
}

static void addresses_are_told(void **state)
{
    struct mr_addr a, b;

    (void)state;
    start();
    assert_int_equal(mr_local_addr(w.end[0].m, h[0], &a), 0);
    assert_int_equal(mr_peer_addr(w.end[1].m, h[1], &b), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(mr_peer_addr(w.end[0].m, h[0], &a), 0);
    b = duo_addr(1, DUO_PORT);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(mr_peer_addr(w.end[1].m, l, &a), MR_ENOTCONN);
    assert_int_equal(mr_local_addr(w.end[1].m, l, &a), 0);
    assert_int_equal(a.port, DUO_PORT);
    finish();
}

static void the_user_pointer_is_inherited_until_it_is_set(void **state)
{
    struct mr_listen_opts o = {.user = &l};
    struct mr_addr at = duo_addr(1, 81);
    struct mr_event ev = {0};
    mr_sock l2, a[2];
    uint8_t b;

    (void)state;
    start();
    assert_int_equal(mr_listen(w.end[1].m, &at, &o, &l2), 0);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &at, &w, &a[0]), 0);
    duo_run(&w, 1000);
    while (duo_take(&w, 1, MR_EV_ACCEPT, &ev) && !mr_sock_eq(ev.sock, l2))
        ;
    assert_ptr_equal(ev.user, &l);
    assert_int_equal(mr_accept(w.end[1].m, l2, &a[1], NULL), 0);
    mr_send(w.end[0].m, a[0], "x", 1, 0);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 1, MR_EV_READABLE, &ev));
    assert_ptr_equal(ev.user, &l);
    while (mr_recv(w.end[1].m, a[1], &b, 1, 0) > 0)
        ;
    mr_set_user(w.end[1].m, a[1], a);
    mr_send(w.end[0].m, a[0], "y", 1, 0);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 1, MR_EV_READABLE, &ev));
    assert_ptr_equal(ev.user, a);
    mr_abort(w.end[0].m, a[0]);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 1, MR_EV_CLOSED, &ev));
    assert_ptr_equal(ev.user, a);
    mr_close(w.end[1].m, a[1]);
    mr_close(w.end[1].m, l2);
    finish();
}

/* ---- timers -------------------------------------------------------------------------- */

static void timers_fire_in_their_order_and_not_early(void **state)
{
    static const uint64_t delay[] = {500, 0, 100000, 70000, 3600 * USEC_PER_SEC, 1000};
    uint64_t due[ARRAY_LEN(delay)];
    struct mr_event ev = {0};

    (void)state;
    start();
    instant begin = mr_now_us(w.end[0].m);
    for (unsigned i = 0; i < ARRAY_LEN(delay); i++) {
        due[i] = begin + delay[i];
        assert_int_equal(mr_timer_start(w.end[0].m, delay[i], &due[i], NULL), 0);
    }
    uint64_t last = 0;
    for (unsigned n = 0; n < ARRAY_LEN(delay);) {
        duo_run(&w, n < 5 ? 50 : 100000000);
        while (duo_take(&w, 0, MR_EV_TIMER, &ev)) {
            uint64_t at = *(uint64_t *)ev.user;
            assert_true(at >= last && at <= w.now);
            assert_true(n == 5 || w.now - at < 1000);
            last = at;
            n++;
        }
    }
    finish();
}

static void a_timer_of_days_does_not_fire_after_hours(void **state)
{
    mr_timer never;

    (void)state;
    start();
    mr_timer_start(w.end[0].m, 100 * 3600 * USEC_PER_SEC, NULL, NULL);
    mr_timer_start(w.end[0].m, UINT64_MAX, NULL, &never);
    duo_run(&w, 99 * 3600 * USEC_PER_SEC);
    assert_false(duo_take(&w, 0, MR_EV_TIMER, NULL));
    duo_run(&w, 2 * 3600 * USEC_PER_SEC);
    assert_true(duo_take(&w, 0, MR_EV_TIMER, NULL));
    assert_false(duo_take(&w, 0, MR_EV_TIMER, NULL));
    mr_timer_stop(w.end[0].m, never);
    finish();
}

static void a_stopped_timer_says_nothing_however_late_it_is_stopped(void **state)
{
    struct mr *m;
    mr_timer a, b;

    (void)state;
    start();
    m = w.end[0].m;
    mr_timer_start(m, 1000, NULL, &a);
    mr_timer_start(m, 1000, NULL, &b);
    mr_timer_stop(m, a);
    stack_advance(w.end[0].stack, w.now += 5000); /* b has fired and waits to be pulled */
    mr_timer_stop(m, b);
    mr_timer_stop(m, b);
    duo_run(&w, 10000);
    assert_false(duo_take(&w, 0, MR_EV_TIMER, NULL));
    finish();
}

static void an_old_timers_handle_does_not_stop_a_new_one(void **state)
{
    struct mr *m;
    mr_timer old, fresh;

    (void)state;
    start();
    m = w.end[0].m;
    mr_timer_start(m, 1000, NULL, &old);
    duo_run(&w, 5000);
    assert_true(duo_take(&w, 0, MR_EV_TIMER, NULL));
    mr_timer_start(m, 1000, NULL, &fresh);
    mr_timer_stop(m, old);
    mr_timer_stop(m, (mr_timer){0});
    mr_timer_stop(m, (mr_timer){UINT64_MAX});
    mr_timer_stop(m, (mr_timer){h[0].v});
    duo_run(&w, 5000);
    assert_true(duo_take(&w, 0, MR_EV_TIMER, NULL));
    finish();
}

static void too_many_timers_are_refused(void **state)
{
    mr_timer t[8];

    (void)state;
    duo_defaults(&w);
    w.config.limits.sock.timers = 4;
    duo_start_with(&w);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(mr_timer_start(w.end[0].m, 1000, NULL, &t[i]), i < 4 ? 0 : MR_ENOMEM);
    assert_int_equal(stack_sock(w.end[0].stack)->stats.timers_full, 4);
    mr_timer_stop(w.end[0].m, t[0]);
    assert_int_equal(mr_timer_start(w.end[0].m, 1000, NULL, &t[0]), 0);
    nothing_is_left();
}

/* ---- slices -------------------------------------------------------------------------- */

static void slices_go_back_in_any_order_and_after_close(void **state)
{
    struct mr_slice s[64];
    uint64_t sent = 0;
    struct rng r;
    int n = 0, left;

    (void)state;
    rng_init(&r, 1);
    start();
    while (sent < 40000) {
        duo_offer(&w, 0, h[0], &sent, 40000);
        duo_run(&w, 1000);
        int got = mr_recv_slices(w.end[1].m, h[1], s + n, 64 - n);
        n += max_u32((uint32_t)got, 0) < 64 ? got : 0;
    }
    assert_true(n > 20);
    mr_close(w.end[1].m, h[1]);
    mr_close(w.end[0].m, h[0]);
    duo_run(&w, 200 * USEC_PER_SEC);
    assert_int_equal(duo_tcp(&w, 1)->conns.used, 0);
    duo_connect(&w, l, h); /* the slot is another connection's now */
    uint64_t at = 0;
    for (int i = 0; i < n; i++)
        for (uint32_t k = 0; k < s[i].len; k++)
            assert_int_equal(s[i].ptr[k], duo_byte(at++));
    for (left = n; left; left--) {
        int i = (int)rng_below(&r, (uint32_t)left);
        mr_slice_release(w.end[1].m, &s[i]);
        mr_slice_release(w.end[1].m, &s[i]); /* the second time does nothing */
        s[i] = s[left - 1];
    }
    assert_int_equal(duo_conn(&w, 1, h[1])->rcvq.lent, 0);
    const struct sock_stats *stats = &stack_sock(w.end[1].stack)->stats;
    assert_int_equal(stats->slices_lent, n);
    assert_int_equal(stats->slices_back, n);
    finish();
}

static void what_is_lent_counts_against_the_window(void **state)
{
    struct mr_slice s[64];
    uint64_t sent = 0;
    uint32_t lent = 0;

    (void)state;
    start();
    mr_setopt(w.end[1].m, h[1], MR_RCVBUF, 16384);
    for (unsigned i = 0; i < 100; i++) {
        duo_offer(&w, 0, h[0], &sent, 500000);
        duo_run(&w, 100000);
        int n = mr_recv_slices(w.end[1].m, h[1], s, 1);
        if (n == 1)
            lent += s[0].len;
        if (n == 1 && i >= 50) {
            lent -= s[0].len;
            mr_slice_release(w.end[1].m, &s[0]);
        }
        if (n == 1 && i < 50)
            s[i % 50 + 1] = s[0];
    }
    assert_true(lent <= 65535 + 2 * 1460); /* what the SYN had promised, at most */
    assert_int_equal(duo_conn(&w, 1, h[1])->rcvq.lent, lent);
    for (unsigned i = 1; i <= 50; i++)
        if (s[i].token && lent) {
            lent -= s[i].len;
            mr_slice_release(w.end[1].m, &s[i]);
        }
    mr_abort(w.end[0].m, h[0]);
    duo_run(&w, 1000);
    mr_close(w.end[1].m, h[1]);
    mr_close(w.end[1].m, l);
    nothing_is_left();
}

/* ---- given buffers --------------------------------------------------------------------- */

#define GIVES 8u
static unsigned released[GIVES];
static uint8_t given[GIVES][5000];

static void release(void *arg, const void *ptr, size_t n)
{
    unsigned *count = arg;

    assert_ptr_equal(ptr, given[count - released]);
    assert_int_equal(n, sizeof(given[0]));
    ++*count;
}

static void give_all(void)
{
    memset(released, 0, sizeof(released));
    for (unsigned i = 0; i < GIVES; i++) {
        for (unsigned k = 0; k < sizeof(given[0]); k++)
            given[i][k] = duo_byte(i * sizeof(given[0]) + k);
        assert_int_equal(mr_send_give(w.end[0].m, h[0], given[i], sizeof(given[0]), 0, release,
                                      &released[i]),
                         0);
    }
}

static void each_was_released(unsigned times)
{
    for (unsigned i = 0; i < GIVES; i++)
        assert_int_equal(released[i], times);
}

static void given_buffers_are_released_once_when_acknowledged(void **state)
{
    uint64_t got = 0;

    (void)state;
    start();
    give_all();
    each_was_released(0);
    for (unsigned i = 0; i < 100; i++) {
        duo_run(&w, 10000);
        duo_drain(&w, 1, h[1], &got);
    }
    assert_int_equal(got, sizeof(given));
    each_was_released(1);
    finish();
    each_was_released(1);
}

static void given_buffers_are_released_once_on_abort(void **state)
{
    (void)state;
    start();
    give_all();
    duo_run(&w, 10);
    mr_abort(w.end[0].m, h[0]);
    duo_run(&w, 1000);
    each_was_released(1);
    mr_close(w.end[1].m, h[1]);
    mr_close(w.end[1].m, l);
    nothing_is_left();
    each_was_released(1);
}

static void given_buffers_are_released_when_the_peer_resets(void **state)
{
    (void)state;
    start();
    memwire_set_down(w.end[0].port, true);
    give_all();
    duo_run(&w, 1000);
    mr_abort(w.end[1].m, h[1]);
    duo_run(&w, 1000);
    each_was_released(1);
    assert_true(duo_take(&w, 0, MR_EV_CLOSED, NULL));
    mr_close(w.end[0].m, h[0]);
    mr_close(w.end[1].m, l);
    nothing_is_left();
    each_was_released(1);
}

/* Closed, the connection goes on sending them. */
static void given_buffers_outlive_the_handle(void **state)
{
    uint64_t got = 0;

    (void)state;
    start();
    give_all();
    mr_close(w.end[0].m, h[0]);
    for (unsigned i = 0; i < 100; i++) {
        duo_run(&w, 10000);
        duo_drain(&w, 1, h[1], &got);
    }
    assert_int_equal(got, sizeof(given));
    each_was_released(1);
    mr_close(w.end[1].m, h[1]);
    mr_close(w.end[1].m, l);
    nothing_is_left();
}

static void a_give_is_all_or_nothing(void **state)
{
    static uint8_t large[300000];

    (void)state;
    start();
    assert_int_equal(mr_send_give(w.end[0].m, h[0], large, 0, 0, NULL, NULL), MR_EINVAL);
    assert_int_equal(mr_send_give(w.end[0].m, h[0], large, ((size_t)1 << 30) + 1, 0, NULL, NULL),
                     MR_EINVAL);
    assert_int_equal(mr_send_give(w.end[0].m, h[0], large, sizeof(large), 0, NULL, NULL), 0);
    assert_int_equal(mr_send_give(w.end[0].m, h[0], large, 1, 0, NULL, NULL), MR_EAGAIN);
    assert_int_equal(duo_conn(&w, 0, h[0])->sndq.cc, sizeof(large));
    mr_abort(w.end[0].m, h[0]);
    mr_abort(w.end[1].m, h[1]);
    mr_close(w.end[1].m, l);
    nothing_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_a_handle_is_refused),
        cmocka_unit_test(a_handle_of_another_kind_is_refused),
        cmocka_unit_test(a_closed_handle_is_refused),
        cmocka_unit_test(a_reused_slot_has_another_handle),
        cmocka_unit_test(a_dead_connection_keeps_its_handle_until_it_is_closed),
        cmocka_unit_test(addresses_are_told),
        cmocka_unit_test(the_user_pointer_is_inherited_until_it_is_set),
        cmocka_unit_test(timers_fire_in_their_order_and_not_early),
        cmocka_unit_test(a_timer_of_days_does_not_fire_after_hours),
        cmocka_unit_test(a_stopped_timer_says_nothing_however_late_it_is_stopped),
        cmocka_unit_test(an_old_timers_handle_does_not_stop_a_new_one),
        cmocka_unit_test(too_many_timers_are_refused),
        cmocka_unit_test(slices_go_back_in_any_order_and_after_close),
        cmocka_unit_test(what_is_lent_counts_against_the_window),
        cmocka_unit_test(given_buffers_are_released_once_when_acknowledged),
        cmocka_unit_test(given_buffers_are_released_once_on_abort),
        cmocka_unit_test(given_buffers_are_released_when_the_peer_resets),
        cmocka_unit_test(given_buffers_outlive_the_handle),
        cmocka_unit_test(a_give_is_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
