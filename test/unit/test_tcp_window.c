/* The receive window: what was announced is never taken back, whatever happens in between. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"
#include "tcp/tcp_int.h"

static struct duo w;
static struct tcp *t;
static struct tcp_conn c;

static void start(uint32_t rcv_buf, unsigned scale)
{
    c = (struct tcp_conn){.mss = 1000, .rcv_buf = rcv_buf, .state = TCPS_ESTABLISHED};
    c.scales = (uint8_t)(scale << 4);
    c.rcv_nxt = c.last_ack_sent = seq_of(0xfffff000);
    c.rcv_adv = seq_add(c.rcv_nxt, min_u32(rcv_buf, 65535));
    c.flags = TF_ON_OUTPUT; /* marking has no effect: it is on no list */
}

static tcp_seq announced(void)
{
    uint32_t field = tcp_wnd_announce(t, &c);

    return seq_add(c.rcv_nxt, field << tcp_rcv_scale(&c));
}

static void what_was_announced_is_never_taken_back(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 1);
    duo_start(&w);
    t = duo_tcp(&w, 0);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned scale = rng_below(&r, 15);
        start(2048 + rng_below(&r, 60000u << rng_below(&r, scale + 1)), scale);
        tcp_seq edge = c.rcv_adv;
        for (unsigned step = 0; step < 60; step++) {
            uint32_t room = seq_diff(edge, c.rcv_nxt);
            uint32_t n = rng_chance(&r, 1, 4) ? room : rng_below(&r, room + 1);
            switch (rng_below(&r, 5)) {
            case 0:
            case 1: /* data comes, within what was promised */
                c.rcv_nxt = seq_add(c.rcv_nxt, n);
                c.rcvq.cc += n;
                break;
            case 2: /* the application takes some, or borrows it */
                n = rng_below(&r, c.rcvq.cc + 1);
                c.rcvq.cc -= n;
                c.rcvq.lent += rng_chance(&r, 1, 2) ? n : 0;
                break;
            case 3: /* and gives it back */
                c.rcvq.lent -= rng_below(&r, c.rcvq.lent + 1);
                tcp_received(t, &c, w.now);
                break;
            default: /* another buffer size */
                c.rcv_buf = 2048 + rng_below(&r, 200000);
            }
            if (rng_chance(&r, 1, 2))
                continue;
            tcp_seq now = announced();
            assert_true(seq_geq(now, edge));
            assert_true(seq_geq(c.rcv_adv, now));
            edge = now;
        }
    }
    duo_end(&w);
}

/* MR_WINDOW_CLAMP: but for what was promised before, and for one unit of the scale that is needed
 * to say that; and the peer never waits for ever. */
static void no_more_is_announced_than_the_clamp_says(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 3);
    duo_start(&w);
    t = duo_tcp(&w, 0);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned scale = rng_below(&r, 15), unit = 1u << scale;
        start(2048 + rng_below(&r, 60000u << rng_below(&r, scale + 1)), scale);
        struct tcp_cold *cold = tcp_cold_get(t, &c);
        tcp_seq edge = c.rcv_adv;
        for (unsigned step = 0; step < 60; step++) {
            uint32_t room = seq_diff(edge, c.rcv_nxt), n = rng_below(&r, room + 1);
            if (rng_chance(&r, 1, 8))
                cold->window_clamp = 1152 + rng_below(&r, 60000);
            c.rcv_nxt = seq_add(c.rcv_nxt, n);
            c.rcvq.cc += n;
            c.rcvq.cc -= rng_below(&r, c.rcvq.cc + 1);
            uint32_t promised = seq_diff(edge, c.rcv_nxt);
            uint32_t most = cold->window_clamp ? max_u32(cold->window_clamp, unit) : UINT32_MAX;
            uint32_t wnd = (uint32_t)tcp_wnd_announce_own(t, &c) << scale;
            assert_true(wnd >= promised);
            assert_true(wnd <= max_u32(most, promised + unit - 1));
            edge = seq_add(c.rcv_nxt, wnd);
        }
        c.rcvq.cc = 0;
        c.rcv_nxt = edge;
        if (c.rcv_buf >= unit)
            assert_true(tcp_wnd_announce_own(t, &c) > 0);
        pool_put(&t->colds, cold);
    }
    duo_end(&w);
}

/* Nor more than there is room for, but for the rounding of one unit and for promises kept. */
static void no_more_is_announced_than_there_is_room_for(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    duo_start(&w);
    t = duo_tcp(&w, 0);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned scale = rng_below(&r, 15);
        start(2048 + rng_below(&r, 1u << 24), scale);
        c.rcvq.cc = rng_below(&r, c.rcv_buf + 1);
        c.rcv_adv = c.rcv_nxt;
        assert_true(seq_diff(announced(), c.rcv_nxt) <= c.rcv_buf - c.rcvq.cc);
    }
    duo_end(&w);
}

/* MUST-39, RFC 9293 3.8.6.2.2. */
static void a_window_does_not_open_by_crumbs(void **state)
{
    (void)state;
    duo_start(&w);
    t = duo_tcp(&w, 0);
    start(10000, 0);
    c.rcv_nxt = c.rcv_adv;
    c.rcvq.cc = 10000;
    assert_int_equal(tcp_wnd_announce(t, &c), 0);
    c.rcvq.cc -= 999;
    assert_int_equal(tcp_wnd_announce(t, &c), 0);
    c.rcvq.cc -= 1;
    assert_int_equal(tcp_wnd_announce(t, &c), 1000);
    c.rcvq.cc = 8500;
    assert_int_equal(tcp_wnd_announce(t, &c), 1000);
    duo_end(&w);
}

static void a_zero_window_is_counted(void **state)
{
    (void)state;
    duo_start(&w);
    t = duo_tcp(&w, 0);
    start(10000, 3);
    c.rcv_nxt = c.rcv_adv;
    c.rcvq.cc = 10000;
    assert_int_equal(tcp_wnd_announce(t, &c), 0);
    assert_int_equal(t->stats.zero_window_sent, 1);
    duo_end(&w);
}

/* The peer hears of it when two segments or half of the buffer have become free. */
static void a_reader_tells_the_peer_when_it_is_worth_it(void **state)
{
    (void)state;
    duo_start(&w);
    t = duo_tcp(&w, 0);
    start(10000, 0);
    c.rcv_nxt = seq_add(c.rcv_nxt, 10000);
    c.rcvq.cc = 9500;
    tcp_received(t, &c, w.now);
    assert_int_equal(c.flags & TF_ACKNOW, 0);
    c.rcvq.cc = 9000;
    tcp_received(t, &c, w.now);
    assert_int_equal(c.flags & TF_ACKNOW, TF_ACKNOW);
    duo_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_announced_is_never_taken_back),
        cmocka_unit_test(no_more_is_announced_than_the_clamp_says),
        cmocka_unit_test(no_more_is_announced_than_there_is_room_for),
        cmocka_unit_test(a_window_does_not_open_by_crumbs),
        cmocka_unit_test(a_zero_window_is_counted),
        cmocka_unit_test(a_reader_tells_the_peer_when_it_is_worth_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
