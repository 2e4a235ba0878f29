/* What a socket is ready for: as poll(2) would say on Linux. */
#include "lib/cmocka_first.h"

#include "lib/duo.h"

static struct duo w;
static mr_sock l, h[2];

static unsigned ready(unsigned side)
{
    return mr_poll(w.end[side].m, h[side]);
}

static void start(void)
{
    duo_start(&w);
    l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
}

static void a_fresh_connection_can_send_and_has_nothing_to_read(void **state)
{
    (void)state;
    start();
    assert_int_equal(ready(0), MR_CAN_SEND);
    assert_int_equal(ready(1), MR_CAN_SEND);
    duo_end(&w);
}

static void a_connection_is_ready_for_nothing_before_it_is_one(void **state)
{
    struct mr_addr to = duo_addr(1, DUO_PORT);

    (void)state;
    duo_start(&w);
    l = duo_listen(&w, 1);
    assert_int_equal(mr_poll(w.end[1].m, l), 0);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &to, NULL, &h[0]), 0);
    assert_int_equal(ready(0), 0);
    duo_run(&w, 10000);
    assert_int_equal(ready(0), MR_CAN_SEND);
    assert_int_equal(mr_poll(w.end[1].m, l), MR_CAN_RECV);
    assert_int_equal(mr_accept(w.end[1].m, l, &h[1], NULL), 0);
    assert_int_equal(mr_poll(w.end[1].m, l), 0);
    duo_end(&w);
}

static void data_is_there_until_it_is_read(void **state)
{
    char b[8];

    (void)state;
    start();
    assert_int_equal(mr_send(w.end[0].m, h[0], "abcd", 4, 0), 4);
    duo_run(&w, 1000);
    assert_int_equal(ready(1), MR_CAN_SEND | MR_CAN_RECV);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 2, 0), 2);
    assert_int_equal(ready(1), MR_CAN_SEND | MR_CAN_RECV);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 2, 0), 2);
    assert_int_equal(ready(1), MR_CAN_SEND);
    duo_end(&w);
}

/* Also where the last send took just what was left and nothing was refused. */
static void who_finds_no_room_is_told_when_a_third_is_free(void **state)
{
    static char big[12000];
    (void)state;
    start();
    assert_int_equal(mr_setopt(w.end[0].m, h[0], MR_SNDBUF, sizeof(big)), 0);
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_RCVBUF, 4000), 0);
    while (mr_send(w.end[0].m, h[0], big, 1500, 0) == 1500)
        duo_run(&w, 1000);
    while (mr_recv(w.end[1].m, h[1], big, 100, 0) > 0)
        ;
    duo_run(&w, USEC_PER_SEC);
    while (duo_take(&w, 0, MR_EV_WRITABLE, NULL))
        ;
    int64_t sndq = 0;
    while (ready(0) & MR_CAN_SEND)
        assert_true(mr_send(w.end[0].m, h[0], big, 100, 0) > 0);
    mr_getopt(w.end[0].m, h[0], MR_SNDQ, &sndq);
    assert_in_range(sndq, 8000, 8100);
    assert_false(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    while (!duo_take(&w, 0, MR_EV_WRITABLE, NULL)) {
        assert_false(ready(0) & MR_CAN_SEND);
        mr_recv(w.end[1].m, h[1], big, 4000, 0);
        duo_run(&w, USEC_PER_SEC);
    }
    assert_true(ready(0) & MR_CAN_SEND);
    duo_end(&w);
}

#define LOWAT 3000

static uint32_t unsent(void)
{
    struct mr_tcp_info info;

    assert_int_equal(mr_tcp_info(w.end[0].m, h[0], &info), 0);
    return info.sndq - info.in_flight;
}

/* The peer does not read: its window closes, and then no more than that is queued. */
static void fill_unsent(void)
{
    static char big[50000];

    assert_int_equal(mr_setopt(w.end[0].m, h[0], MR_NOTSENT_LOWAT, LOWAT), 0);
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_RCVBUF, 4000), 0);
    for (int64_t r = 1; r > 0;) {
        do
            r = mr_send(w.end[0].m, h[0], big, sizeof(big), 0);
        while (mr_send(w.end[0].m, h[0], big, sizeof(big), 0) > 0);
        duo_run(&w, USEC_PER_SEC);
    }
    while (duo_take(&w, 0, MR_EV_WRITABLE, NULL))
        ;
}

static void what_waits_to_be_sent_is_bounded_and_half_of_it_is_told(void **state)
{
    char b[100];

    (void)state;
    start();
    fill_unsent();
    assert_in_range(unsent(), LOWAT, LOWAT + duo_conn(&w, 0, h[0])->mss);
    assert_false(ready(0) & MR_CAN_SEND);
    assert_int_equal(mr_send_give(w.end[0].m, h[0], b, 1, 0, NULL, NULL), MR_EAGAIN);
    for (unsigned n = 0; !duo_take(&w, 0, MR_EV_WRITABLE, NULL); n++) {
        assert_true(n < 1000);
        assert_false(ready(0) & MR_CAN_SEND);
        mr_recv(w.end[1].m, h[1], b, sizeof(b), 0);
        duo_run(&w, USEC_PER_SEC);
    }
    assert_true(unsent() < LOWAT / 2);
    assert_true(ready(0) & MR_CAN_SEND);
    assert_true(mr_send(w.end[0].m, h[0], b, 1, 0) == 1);
    duo_end(&w);
}

/* Room that the network has at once is told at once: no ACK has come by then. */
static void what_is_sent_makes_room_without_an_ack(void **state)
{
    static char big[50000];

    (void)state;
    start();
    assert_int_equal(mr_setopt(w.end[0].m, h[0], MR_NOTSENT_LOWAT, LOWAT), 0);
    assert_int_equal(mr_send(w.end[0].m, h[0], big, sizeof(big), 0), LOWAT);
    assert_false(ready(0) & MR_CAN_SEND);
    assert_int_equal(mr_send(w.end[0].m, h[0], big, 1, 0), MR_EAGAIN);
    duo_turn(&w, 0);
    assert_int_equal(duo_conn(&w, 0, h[0])->sndq.cc, LOWAT);
    assert_true(unsent() < LOWAT / 2);
    duo_turn(&w, 0);
    assert_true(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    assert_true(ready(0) & MR_CAN_SEND);
    duo_end(&w);
}

static void who_waits_for_what_is_unsent_is_told_when_the_limit_goes(void **state)
{
    (void)state;
    start();
    fill_unsent();
    assert_false(ready(0) & MR_CAN_SEND);
    assert_int_equal(mr_setopt(w.end[0].m, h[0], MR_NOTSENT_LOWAT, 0), 0);
    duo_run(&w, 1000);
    assert_true(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    assert_true(ready(0) & MR_CAN_SEND);
    duo_end(&w);
}

static void each_way_ends_by_itself_and_both_make_it_over(void **state)
{
    char b[8];

    (void)state;
    start();
    mr_send(w.end[0].m, h[0], "x", 1, 0);
    assert_int_equal(mr_shutdown(w.end[0].m, h[0]), 0);
    assert_int_equal(ready(0), MR_SEND_END);
    duo_run(&w, 1000);
    assert_int_equal(ready(1), MR_CAN_SEND | MR_CAN_RECV | MR_RECV_END);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 8, 0), 1);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 8, 0), 0);
    assert_int_equal(ready(1), MR_CAN_SEND | MR_CAN_RECV | MR_RECV_END);
    assert_int_equal(mr_shutdown(w.end[1].m, h[1]), 0);
    assert_int_equal(ready(1), MR_CAN_RECV | MR_RECV_END | MR_SEND_END | MR_OVER);
    duo_run(&w, 1000);
    for (unsigned side = 0; side < 2; side++)
        assert_int_equal(ready(side), MR_CAN_RECV | MR_RECV_END | MR_SEND_END | MR_OVER);
    duo_end(&w);
}

static void what_the_peer_aborted_is_over_and_says_why(void **state)
{
    int64_t err;

    (void)state;
    start();
    mr_abort(w.end[0].m, h[0]);
    assert_int_equal(ready(0), MR_OVER); /* a stale handle */
    duo_run(&w, 1000);
    assert_int_equal(ready(1), MR_CAN_RECV | MR_RECV_END | MR_SEND_END | MR_OVER | MR_HAS_ERROR);
    assert_int_equal(mr_getopt(w.end[1].m, h[1], MR_ERROR, &err), 0);
    assert_int_equal(err, MR_ECONNRESET);
    duo_end(&w);
}

static void urgent_data_is_announced_until_it_is_read(void **state)
{
    char b[8];

    (void)state;
    start();
    assert_int_equal(mr_send(w.end[0].m, h[0], "abc!", 4, MR_OOB), 4);
    duo_run(&w, 1000);
    assert_true(ready(1) & MR_URGENT_IN);
    assert_int_equal(mr_recv(w.end[1].m, h[1], b, 8, 0), 4);
    assert_int_equal(ready(1), MR_CAN_SEND);
    duo_end(&w);
}

/* An empty datagram is one. */
static void the_length_of_the_next_datagram_is_told(void **state)
{
    struct mr_addr at = duo_addr(1, 53);
    mr_sock u[2];
    int64_t n = -1;
    char b[8];

    (void)state;
    duo_start(&w);
    assert_int_equal(mr_udp_open(w.end[1].m, &at, NULL, &u[1]), 0);
    assert_int_equal(mr_udp_open(w.end[0].m, NULL, NULL, &u[0]), 0);
    assert_int_equal(mr_poll(w.end[1].m, u[1]), MR_CAN_SEND);
    mr_sendto(w.end[0].m, u[0], "", 0, &at);
    mr_sendto(w.end[0].m, u[0], "abc", 3, &at);
    mr_sendto(w.end[0].m, u[0], "defgh", 5, &at);
    duo_run(&w, 10000);
    for (int64_t i = 0; i < 3; i++) {
        static const int64_t len[] = {0, 3, 5};
        assert_int_equal(mr_poll(w.end[1].m, u[1]), MR_CAN_SEND | MR_CAN_RECV);
        assert_int_equal(mr_getopt(w.end[1].m, u[1], MR_RCVQ, &n), 0);
        assert_int_equal(n, len[i]);
        assert_int_equal(mr_recvfrom(w.end[1].m, u[1], b, sizeof(b), NULL), n);
    }
    assert_int_equal(mr_getopt(w.end[1].m, u[1], MR_RCVQ, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(mr_poll(w.end[1].m, u[1]), MR_CAN_SEND);
    duo_end(&w);
}

/* Nobody connects to it meanwhile; who was half open is accepted. */
static void a_paused_listener_completes_and_begins_nothing(void **state)
{
    struct mr_addr to = duo_addr(1, DUO_PORT);
    mr_sock later;
    int64_t v = -1;

    (void)state;
    duo_start(&w);
    l = duo_listen(&w, 1);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &to, NULL, &h[0]), 0);
    while (duo_tcp(&w, 1)->syns.used == 0)
        duo_run(&w, DUO_STEP);
    assert_int_equal(mr_setopt(w.end[1].m, l, MR_PAUSED, 1), 0);
    assert_int_equal(mr_getopt(w.end[1].m, l, MR_PAUSED, &v), 0);
    assert_int_equal(v, 1);
    duo_run(&w, 10000);
    assert_int_equal(mr_connect(w.end[0].m, NULL, &to, NULL, &later), 0);
    duo_run(&w, USEC_PER_SEC / 2);
    assert_int_equal(mr_accept(w.end[1].m, l, &h[1], NULL), 0);
    assert_int_equal(mr_accept(w.end[1].m, l, &h[1], NULL), MR_EAGAIN);
    assert_int_equal(duo_tcp(&w, 1)->stats.drop_paused, 1);
    assert_int_equal(duo_tcp(&w, 1)->stats.rsts_out, 0);
    assert_int_equal(mr_poll(w.end[0].m, later), 0);
    assert_int_equal(mr_setopt(w.end[1].m, l, MR_PAUSED, 0), 0);
    duo_run(&w, 4 * USEC_PER_SEC); /* the SYN comes again */
    assert_int_equal(mr_accept(w.end[1].m, l, &h[1], NULL), 0);
    assert_int_equal(mr_poll(w.end[0].m, later), MR_CAN_SEND);
    duo_end(&w);
}

static void only_listeners_pause(void **state)
{
    mr_sock u;

    (void)state;
    start();
    assert_int_equal(mr_udp_open(w.end[1].m, NULL, NULL, &u), 0);
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_PAUSED, 1), MR_ENOPROTOOPT);
    assert_int_equal(mr_setopt(w.end[1].m, u, MR_PAUSED, 1), MR_ENOPROTOOPT);
    assert_int_equal(mr_setopt(w.end[1].m, l, MR_PAUSED, 2), MR_EINVAL);
    duo_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_connection_can_send_and_has_nothing_to_read),
        cmocka_unit_test(a_connection_is_ready_for_nothing_before_it_is_one),
        cmocka_unit_test(data_is_there_until_it_is_read),
        cmocka_unit_test(who_finds_no_room_is_told_when_a_third_is_free),
        cmocka_unit_test(what_waits_to_be_sent_is_bounded_and_half_of_it_is_told),
        cmocka_unit_test(what_is_sent_makes_room_without_an_ack),
        cmocka_unit_test(who_waits_for_what_is_unsent_is_told_when_the_limit_goes),
        cmocka_unit_test(each_way_ends_by_itself_and_both_make_it_over),
        cmocka_unit_test(what_the_peer_aborted_is_over_and_says_why),
        cmocka_unit_test(urgent_data_is_announced_until_it_is_read),
        cmocka_unit_test(the_length_of_the_next_datagram_is_told),
        cmocka_unit_test(a_paused_listener_completes_and_begins_nothing),
        cmocka_unit_test(only_listeners_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
