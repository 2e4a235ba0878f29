/* The public calls on two whole stacks: back-pressure, half close, abort, urgent data, datagrams in
 * fragments, loopback. */
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

static void a_reader_that_does_not_read_holds_the_writer_back(void **state)
{
    uint64_t sent = 0, got = 0;

    (void)state;
    start();
    mr_setopt(w.end[0].m, h[0], MR_SNDBUF, 65536);
    mr_setopt(w.end[1].m, h[1], MR_RCVBUF, 65536);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(duo_offer(&w, 0, h[0], &sent, UINT64_MAX), MR_EAGAIN);
        duo_run(&w, 100000);
    }
    assert_in_range(sent, 100000, 65536 + 2 * 65536);
    w.end[0].nev = 0;
    duo_run(&w, 10 * USEC_PER_SEC);
    assert_false(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    while (got < sent) {
        uint64_t was = got;
        duo_drain(&w, 1, h[1], &got);
        duo_run(&w, USEC_PER_SEC);
        assert_true(got > was || got == sent);
    }
    assert_true(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    assert_true(mr_send(w.end[0].m, h[0], "x", 1, 0) == 1);
    duo_run(&w, 1000);
    mr_recv(w.end[1].m, h[1], &(uint8_t){0}, 1, 0);
    finish();
}

static void a_writer_is_told_once_that_there_is_room(void **state)
{
    uint64_t sent = 0, got = 0;

    (void)state;
    start();
    assert_int_equal(duo_offer(&w, 0, h[0], &sent, UINT64_MAX), MR_EAGAIN);
    for (unsigned i = 0; i < 100 && got < sent; i++) {
        duo_run(&w, 10000);
        duo_drain(&w, 1, h[1], &got);
    }
    assert_int_equal(got, sent);
    assert_true(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    assert_false(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    finish();
}

static void after_a_half_close_the_other_half_goes_on(void **state)
{
    uint64_t sent = 0, got = 0;

    (void)state;
    start();
    assert_int_equal(mr_shutdown(w.end[0].m, h[0]), 0);
    assert_int_equal(mr_send(w.end[0].m, h[0], "x", 1, 0), MR_EPIPE);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 1, MR_EV_READABLE, NULL));
    assert_int_equal(duo_drain(&w, 1, h[1], &got), 0);
    while (got < 300000) {
        duo_offer(&w, 1, h[1], &sent, 300000);
        duo_run(&w, 1000);
        duo_drain(&w, 0, h[0], &got);
    }
    assert_int_equal(mr_shutdown(w.end[1].m, h[1]), 0);
    duo_run(&w, 1000);
    assert_int_equal(duo_drain(&w, 0, h[0], &got), 0);
    struct mr_event ev = {0};
    assert_true(duo_take(&w, 0, MR_EV_CLOSED, &ev) && ev.err == 0);
    assert_true(duo_take(&w, 1, MR_EV_CLOSED, &ev) && ev.err == 0);
    finish();
}

static void what_was_queued_is_sent_before_the_end(void **state)
{
    uint64_t sent = 0, got = 0;

    (void)state;
    start();
    duo_offer(&w, 0, h[0], &sent, 100000);
    assert_int_equal(sent, 100000);
    assert_int_equal(mr_close(w.end[0].m, h[0]), 0);
    int64_t r = MR_EAGAIN;
    for (unsigned i = 0; i < 100 && r == MR_EAGAIN; i++) {
        duo_run(&w, 10000);
        r = duo_drain(&w, 1, h[1], &got);
    }
    assert_int_equal(r, 0);
    assert_int_equal(got, sent);
    finish();
}

static void closing_with_unread_data_resets(void **state)
{
    struct mr_event ev = {0};

    (void)state;
    start();
    mr_send(w.end[0].m, h[0], "unread", 6, 0);
    duo_run(&w, 1000);
    mr_close(w.end[1].m, h[1]);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 0, MR_EV_CLOSED, &ev));
    assert_int_equal(ev.err, MR_ECONNRESET);
    finish();
}

/* Data that came before the reset can still be read; then the error is told. */
static void an_abort_is_told_after_the_data_before_it(void **state)
{
    uint64_t got = 0, sent = 0;

    (void)state;
    start();
    duo_offer(&w, 0, h[0], &sent, 1000);
    duo_run(&w, 1000);
    mr_abort(w.end[0].m, h[0]);
    duo_run(&w, 1000);
    assert_int_equal(duo_drain(&w, 1, h[1], &got), MR_ECONNRESET);
    assert_int_equal(got, 1000);
    finish();
}

static void a_port_nobody_listens_on_refuses(void **state)
{
    struct mr_addr to = duo_addr(1, 9);
    struct mr_event ev = {0};
    mr_sock s;

    (void)state;
    start();
    assert_int_equal(mr_connect(w.end[0].m, NULL, &to, NULL, &s), 0);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 0, MR_EV_CLOSED, &ev));
    assert_int_equal(ev.err, MR_ECONNREFUSED);
    assert_true(mr_sock_eq(ev.sock, s));
    mr_close(w.end[0].m, s);
    finish();
}

static void addresses_that_cannot_be_are_refused_at_once(void **state)
{
    struct mr_addr other = mr_addr4(10, 9, 9, 9, 0), to = duo_addr(1, 80), a;
    mr_sock s;

    (void)state;
    start();
    assert_int_equal(mr_connect(w.end[0].m, &other, &to, NULL, &s), MR_EADDRNOTAVAIL);
    a = mr_addr4(192, 0, 2, 1, 80);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &a, NULL, &s), MR_ENETUNREACH);
    a = mr_addr4(10, 0, 0, 255, 80);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &a, NULL, &s), MR_EACCES);
    a = mr_addr4(224, 0, 0, 1, 80);
    assert_true(mr_connect(w.end[0].m, NULL, &a, NULL, &s) < 0);
    other.port = 81;
    assert_int_equal(mr_listen(w.end[1].m, &other, NULL, &s), MR_EADDRNOTAVAIL);
    assert_int_equal(mr_listen(w.end[1].m, &to, NULL, &s), MR_EADDRINUSE);
    other = mr_addr4(0, 0, 0, 0, 80); /* any address is another listener: the specific one wins */
    assert_int_equal(mr_listen(w.end[1].m, &other, NULL, &s), 0);
    assert_int_equal(mr_close(w.end[1].m, s), 0);
    finish();
}

static void urgent_data_stays_in_its_place_and_is_announced(void **state)
{
    uint8_t b[16];
    int64_t v;

    (void)state;
    start();
    assert_int_equal(mr_send(w.end[0].m, h[0], "abc", 3, 0), 3);
    assert_int_equal(mr_send(w.end[0].m, h[0], "de!", 3, MR_OOB), 3);
    assert_int_equal(mr_send(w.end[0].m, h[0], "fg", 2, 0), 2);
    duo_run(&w, 300000);
    assert_true(duo_take(&w, 1, MR_EV_URGENT, NULL));
    assert_int_equal(mr_getopt(w.end[1].m, h[1], MR_URGENT_LEFT, &v), 0);
    assert_int_equal(v, 6);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 4, 0), 4);
    mr_getopt(w.end[1].m, h[1], MR_URGENT_LEFT, &v);
    assert_int_equal(v, 2);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 16, 0), 4);
    assert_memory_equal(b, "e!fg", 4);
    mr_getopt(w.end[1].m, h[1], MR_URGENT_LEFT, &v);
    assert_int_equal(v, 0);
    finish();
}

static void peeking_leaves_the_data(void **state)
{
    uint8_t b[16];

    (void)state;
    start();
    mr_send(w.end[0].m, h[0], "abcdef", 6, 0);
    duo_run(&w, 1000);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 4, MR_PEEK), 4);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 16, 0), 6);
    assert_memory_equal(b, "abcdef", 6);
    finish();
}

/* ---- datagrams ----------------------------------------------------------------------- */

static void datagrams_of_every_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 1472, 1473, 2960, 2961, 10000, 40000, 65507};
    static uint8_t out[65507], in[65507];
    struct mr_addr at = duo_addr(1, 53), from;
    mr_sock a, b;

    (void)state;
    start();
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = duo_byte(i);
    assert_int_equal(mr_udp_open(w.end[0].m, NULL, NULL, &a), 0);
    assert_int_equal(mr_udp_open(w.end[1].m, &at, NULL, &b), 0);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_int_equal(mr_sendto(w.end[0].m, a, out, sizes[i], &at), 0);
        duo_run(&w, 10000);
        assert_true(duo_take(&w, 1, MR_EV_READABLE, NULL));
        memset(in, 0, sizeof(in));
        assert_int_equal(mr_recvfrom(w.end[1].m, b, in, sizeof(in), &from), sizes[i]);
        assert_memory_equal(in, out, sizes[i]);
        /* And back to where it came from. */
        assert_int_equal(mr_sendto(w.end[1].m, b, in, sizes[i], &from), 0);
        duo_run(&w, 10000);
        assert_int_equal(mr_recvfrom(w.end[0].m, a, in, sizeof(in), NULL), sizes[i]);
        assert_memory_equal(in, out, sizes[i]);
        assert_int_equal(mr_recvfrom(w.end[0].m, a, in, sizeof(in), NULL), MR_EAGAIN);
    }
    assert_int_equal(mr_sendto(w.end[0].m, a, out, 65508, &at), MR_EMSGSIZE);
    mr_close(w.end[0].m, a);
    mr_close(w.end[1].m, b);
    finish();
}

static void a_datagram_is_lent_and_given_back_after_close(void **state)
{
    struct mr_addr at = duo_addr(1, 53);
    struct mr_slice s;
    mr_sock a, b;

    (void)state;
    start();
    mr_udp_open(w.end[0].m, NULL, NULL, &a);
    mr_udp_open(w.end[1].m, &at, NULL, &b);
    mr_sendto(w.end[0].m, a, "datagram", 8, &at);
    duo_run(&w, 1000);
    assert_int_equal(mr_recvfrom_slice(w.end[1].m, b, &s, NULL), 0);
    mr_close(w.end[1].m, b);
    assert_int_equal(s.len, 8);
    assert_memory_equal(s.ptr, "datagram", 8);
    mr_slice_release(w.end[1].m, &s);
    mr_close(w.end[0].m, a);
    finish();
}

/* More than there are packets: refused, then told. */
static void a_sender_of_datagrams_is_held_back_and_told(void **state)
{
    struct mr_addr at = duo_addr(1, 53);
    uint8_t b[1000] = {0};
    mr_sock a;
    int r = 0;

    (void)state;
    duo_defaults(&w);
    w.config.limits.tx_packets = 16;
    duo_start_with(&w);
    mr_udp_open(w.end[0].m, NULL, NULL, &a);
    mr_sendto(w.end[0].m, a, b, 1, &at);
    duo_run(&w, 1000); /* the peer's address is known now */
    for (unsigned i = 0; i < 100 && r == 0; i++)
        r = mr_sendto(w.end[0].m, a, b, sizeof(b), &at);
    assert_int_equal(r, MR_EAGAIN);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    assert_int_equal(mr_sendto(w.end[0].m, a, b, sizeof(b), &at), 0);
    mr_close(w.end[0].m, a);
    nothing_is_left();
}

/* ---- loopback ------------------------------------------------------------------------- */

static void talk_to_ourselves(struct mr_addr to)
{
    struct mr *m = w.end[0].m;
    struct mr_addr any = {.port = to.port};
    uint64_t sent = 0, got = 0, frames;
    mr_sock ls, a, b;

    duo_start(&w);
    duo_run(&w, 60 * USEC_PER_SEC);
    frames = w.frames;
    assert_int_equal(mr_listen(m, &any, NULL, &ls), 0);
    assert_int_equal(mr_connect(m, NULL, &to, NULL, &a), 0);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 0, MR_EV_CONNECTED, NULL));
    assert_int_equal(mr_accept(m, ls, &b, NULL), 0);
    for (unsigned i = 0; i < 2000 && got < 1000000; i++) {
        duo_offer(&w, 0, a, &sent, 1000000);
        duo_run(&w, 100);
        duo_drain(&w, 0, b, &got);
    }
    assert_int_equal(got, 1000000);
    assert_int_equal(w.frames, frames); /* nothing left the host */
    assert_int_equal(duo_tcp(&w, 0)->stats.rexmit_segs, 0);
    mr_close(m, a);
    duo_run(&w, 1000);
    mr_close(m, b);
    mr_close(m, ls);
    nothing_is_left();
}

static void a_connection_to_127_0_0_1_stays_inside(void **state)
{
    (void)state;
    talk_to_ourselves(mr_addr4(127, 0, 0, 1, 7));
}

static void a_connection_to_our_own_address_stays_inside(void **state)
{
    (void)state;
    talk_to_ourselves(duo_addr(0, 7));
}

static void a_stack_stops_when_asked(void **state)
{
    (void)state;
    start();
    assert_false(native_is_stopped(w.end[0].native));
    mr_stop(w.end[0].m);
    assert_true(native_is_stopped(w.end[0].native));
    assert_int_equal(mr_now_us(w.end[0].m), stack_now(w.end[0].stack));
    assert_int_equal(mr_status_json(w.end[0].m)[0], '{');
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_does_not_read_holds_the_writer_back),
        cmocka_unit_test(a_writer_is_told_once_that_there_is_room),
        cmocka_unit_test(after_a_half_close_the_other_half_goes_on),
        cmocka_unit_test(what_was_queued_is_sent_before_the_end),
        cmocka_unit_test(closing_with_unread_data_resets),
        cmocka_unit_test(an_abort_is_told_after_the_data_before_it),
        cmocka_unit_test(a_port_nobody_listens_on_refuses),
        cmocka_unit_test(addresses_that_cannot_be_are_refused_at_once),
        cmocka_unit_test(urgent_data_stays_in_its_place_and_is_announced),
        cmocka_unit_test(peeking_leaves_the_data),
        cmocka_unit_test(datagrams_of_every_size_arrive_whole),
        cmocka_unit_test(a_datagram_is_lent_and_given_back_after_close),
        cmocka_unit_test(a_sender_of_datagrams_is_held_back_and_told),
        cmocka_unit_test(a_connection_to_127_0_0_1_stays_inside),
        cmocka_unit_test(a_connection_to_our_own_address_stays_inside),
        cmocka_unit_test(a_stack_stops_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
