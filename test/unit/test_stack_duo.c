/* Two stacks on a wire: connect, transfer, close, and everything back in its pool; also when pools
 * run dry. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"

static struct duo w;

static void finish(mr_sock l, mr_sock h[2])
{
    mr_close(w.end[0].m, h[0]);
    duo_run(&w, 1000);
    mr_close(w.end[1].m, h[1]);
    if (l.v)
        mr_close(w.end[1].m, l);
    duo_run(&w, 200 * USEC_PER_SEC);
    for (unsigned side = 0; side < 2; side++)
        if (duo_leak(&w, side))
            fail_msg("end %u: %s", side, duo_leak(&w, side));
    duo_end(&w);
}

static void what_is_measured_is_what_is_carved(void **state)
{
    static const uint32_t conns[] = {1, 64, 1000, 65536};
    struct stack_config c;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(conns); i++) {
        stack_config_default(&c);
        stack_limits_for(&c.limits, conns[i]);
        size_t n = stack_bytes(&c.limits);
        void *memory = duo_map(n);
        struct stack *s = stack_init(memory, n, &c, DUO_START);
        assert_int_equal(align_up(s->mem.used, 4096), n);
        assert_int_equal(stack_now(s), DUO_START);
        munmap(memory, n);
    }
}

static void a_limit_is_printed_for_every_pool(void **state)
{
    struct stack_limits l;
    struct stack_pool rows[32];
    char text[4096];
    struct stack scratch = {0};
    struct mem m;

    (void)state;
    stack_limits_default(&l);
    size_t n = stack_limits_print(&l, text, sizeof(text));
    assert_int_equal(n, strlen(text));
    stack_measure(&scratch, &m, &l);
    unsigned count = stack_pools(&scratch, rows, 32);
    assert_in_range(count, 1, 32);
    for (unsigned i = 0; i < count; i++)
        assert_non_null(strstr(text, rows[i].name));
    assert_non_null(strstr(text, "tcp connections 65536 x 256 = 16777216\n"));
    assert_true(stack_limits_print(&l, text, 20) <= 20);
}

static void a_connection_carries_bytes_both_ways_and_leaves_nothing(void **state)
{
    mr_sock h[2];

    (void)state;
    duo_start(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    assert_true(duo_transfer(&w, 0, h, 1000000, 10 * USEC_PER_SEC));
    assert_true(duo_transfer(&w, 1, h, 1000000, 10 * USEC_PER_SEC));
    assert_int_equal(duo_tcp(&w, 0)->stats.rexmit_segs, 0);
    assert_int_equal(duo_tcp(&w, 1)->stats.rexmit_segs, 0);
    finish(l, h);
}

static bool lose_some(void *arg, unsigned from, const struct pkt *p)
{
    (void)from;
    (void)p;
    return rng_chance(arg, 1, 20);
}

static void a_lossy_wire_changes_no_byte(void **state)
{
    struct rng r;
    mr_sock h[2];

    (void)state;
    rng_init(&r, 5);
    duo_start(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    w.lose = lose_some;
    w.arg = &r;
    assert_true(duo_transfer(&w, 0, h, 500000, 300 * USEC_PER_SEC));
    assert_true(duo_transfer(&w, 1, h, 500000, 300 * USEC_PER_SEC));
    w.lose = NULL;
    assert_true(w.lost > 10);
    finish(l, h);
}

static bool lose_all(void *arg, unsigned from, const struct pkt *p)
{
    (void)arg;
    (void)from;
    (void)p;
    return true;
}

/* RFC 2018 8.
 *      una      1 MSS      2 MSS
 *       |--------|##########|          '#' SACKed; then the ACK stops where it begins
 */
static void a_sack_taken_back_is_counted(void **state)
{
    static const uint8_t data[4000];
    mr_sock h[2];

    (void)state;
    duo_start(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    struct tcp *t = duo_tcp(&w, 0);
    const struct tcp_conn *c = pool_at(&t->conns, 0);
    w.lose = lose_all;
    assert_int_equal(mr_send(w.end[0].m, h[0], data, sizeof(data), 0), sizeof(data));
    duo_run(&w, 1000);
    tcp_seq first = seq_add(c->snd_una, c->mss);
    struct tcp_seg s = {
        .seq = c->rcv_nxt,
        .ack = c->snd_una,
        .sport = c->key.rport,
        .dport = c->key.lport,
        .flags = TH_ACK,
        .wnd = 1000,
        .has_ts = true,
        .ts_val = c->ts_recent,
        .nsack = 1,
        .sack = {{first, seq_add(first, c->mss)}},
    };
    duo_segment(&w, 0, &s, NULL, 0);
    assert_int_equal(t->stats.sack_reneged, 0);
    s.ack = first;
    s.nsack = 0;
    duo_segment(&w, 0, &s, NULL, 0);
    assert_int_equal(t->stats.sack_reneged, 1);
    duo_end(&w);
}

static void the_side_that_closes_last_need_not_wait(void **state)
{
    mr_sock h[2];

    (void)state;
    duo_start(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    mr_close(w.end[1].m, h[1]);
    duo_run(&w, 1000);
    mr_close(w.end[0].m, h[0]);
    duo_run(&w, 1000);
    assert_int_equal(duo_tcp(&w, 0)->tws.used, 0);
    assert_int_equal(duo_tcp(&w, 1)->tws.used, 1);
    mr_close(w.end[1].m, l);
    duo_run(&w, 61 * USEC_PER_SEC);
    assert_null(duo_leak(&w, 0));
    assert_null(duo_leak(&w, 1));
    duo_end(&w);
}

static void a_sender_without_packets_to_send_in_goes_on_when_there_are_some(void **state)
{
    mr_sock h[2];

    (void)state;
    duo_defaults(&w);
    w.config.limits.tx_packets = 3;
    duo_start_with(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    assert_true(duo_transfer(&w, 0, h, 300000, 60 * USEC_PER_SEC));
    assert_true(duo_tcp(&w, 0)->stats.tx_stalled > 0);
    finish(l, h);
}

static void a_receiver_that_holds_every_buffer_loses_nothing(void **state)
{
    struct mr_slice held[512];
    mr_sock h[2];
    uint64_t sent = 0, got = 0;
    int n = 0;

    (void)state;
    duo_defaults(&w);
    w.wire.buffers = 16;
    duo_start_with(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    for (unsigned i = 0; i < 200; i++) {
        duo_offer(&w, 0, h[0], &sent, 200000);
        duo_run(&w, 10000);
        int r = mr_recv_slices(w.end[1].m, h[1], held + n, 512 - n);
        n += r > 0 ? r : 0;
    }
    assert_true(n > 16);
    for (int i = 0; i < n; i++) {
        for (uint32_t k = 0; k < held[i].len; k++)
            assert_int_equal(held[i].ptr[k], duo_byte(got + k));
        got += held[i].len;
        mr_slice_release(w.end[1].m, &held[i]);
    }
    for (unsigned i = 0; i < 1000 && got < 200000; i++) {
        duo_offer(&w, 0, h[0], &sent, 200000);
        duo_run(&w, 10000);
        duo_drain(&w, 1, h[1], &got);
    }
    assert_int_equal(got, 200000);
    finish(l, h);
}

static void without_chunks_a_sender_is_told_and_woken(void **state)
{
    mr_sock h[2];

    (void)state;
    duo_defaults(&w);
    w.config.limits.snd_chunks = 4;
    duo_start_with(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    assert_true(duo_transfer(&w, 0, h, 300000, 60 * USEC_PER_SEC));
    assert_true(stack_sock(w.end[0].stack)->stats.send_starved > 0);
    assert_true(duo_take(&w, 0, MR_EV_WRITABLE, NULL));
    finish(l, h);
}

/* The other connection holds all the memory and sends nothing: only time can help. */
static void a_starved_writer_with_nothing_in_flight_is_woken(void **state)
{
    mr_sock a[2], b[2];
    uint64_t sent = 0, got = 0;
    uint8_t byte = duo_byte(0);

    (void)state;
    duo_defaults(&w);
    w.config.limits.snd_chunks = 4;
    duo_start_with(&w);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, a);
    duo_connect(&w, l, b);
    mr_setopt(w.end[1].m, a[1], MR_RCVBUF, 2048);
    memwire_set_down(w.end[0].port, true);
    duo_offer(&w, 0, a[0], &sent, 100000);
    assert_int_equal(mr_send(w.end[0].m, b[0], &byte, 1, 0), MR_EAGAIN);
    int64_t r = MR_EAGAIN;
    for (unsigned i = 0; i < 1000 && r == MR_EAGAIN; i++) {
        struct mr_event ev = {0};
        duo_run(&w, 10000);
        if (i == 10)
            memwire_set_down(w.end[0].port, false);
        while (duo_take(&w, 0, MR_EV_WRITABLE, &ev))
            if (mr_sock_eq(ev.sock, b[0]))
                r = mr_send(w.end[0].m, b[0], &byte, 1, 0);
    }
    assert_int_equal(r, 1);
    duo_run(&w, 1000);
    assert_int_equal(duo_drain(&w, 1, b[1], &got), MR_EAGAIN);
    assert_int_equal(got, 1);
    got = 0;
    duo_drain(&w, 1, a[1], &got);
    assert_int_equal(got, sent);
    mr_abort(w.end[0].m, b[0]);
    duo_run(&w, 1000);
    mr_close(w.end[1].m, b[1]);
    finish(l, a);
}

static void a_full_connection_table_refuses_and_recovers(void **state)
{
    mr_sock h[70], x[2];
    struct mr_addr to = duo_addr(1, DUO_PORT);
    unsigned n = 0;

    (void)state;
    duo_start(&w);
    mr_sock l = duo_listen(&w, 1);
    while (n < 70 && mr_connect(w.end[0].m, NULL, &to, NULL, &h[n]) == 0)
        n++;
    assert_int_equal(n, 64);
    assert_int_equal(duo_tcp(&w, 0)->stats.no_conn_memory, 1);
    duo_run(&w, USEC_PER_SEC);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(mr_abort(w.end[0].m, h[i]), 0);
    duo_run(&w, USEC_PER_SEC);
    while (mr_accept(w.end[1].m, l, &x[1], NULL) == 0)
        mr_close(w.end[1].m, x[1]);
    w.end[0].nev = w.end[1].nev = 0;
    duo_run(&w, USEC_PER_SEC);
    duo_connect(&w, l, x);
    finish(l, x);
}

static void time_never_goes_back(void **state)
{
    (void)state;
    duo_start(&w);
    stack_advance(w.end[0].stack, DUO_START + 1000);
    stack_advance(w.end[0].stack, DUO_START);
    assert_int_equal(stack_now(w.end[0].stack), DUO_START + 1000);
    duo_end(&w);
}

static void an_idle_stack_has_no_deadline(void **state)
{
    (void)state;
    duo_start(&w);
    duo_run(&w, 60 * USEC_PER_SEC);
    assert_true(duo_deadline(&w) == INSTANT_NEVER);
    duo_end(&w);
}

static void uninitialised_memory_never_reaches_the_peer(void **state)
{
    mr_sock h[2];

    (void)state;
    duo_start(&w);
    stack_fill(w.end[0].stack, 0xa5);
    stack_fill(w.end[1].stack, 0x5a);
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    assert_true(duo_transfer(&w, 0, h, 100000, 10 * USEC_PER_SEC));
    finish(l, h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_measured_is_what_is_carved),
        cmocka_unit_test(a_limit_is_printed_for_every_pool),
        cmocka_unit_test(a_connection_carries_bytes_both_ways_and_leaves_nothing),
        cmocka_unit_test(a_lossy_wire_changes_no_byte),
        cmocka_unit_test(a_sack_taken_back_is_counted),
        cmocka_unit_test(the_side_that_closes_last_need_not_wait),
        cmocka_unit_test(a_sender_without_packets_to_send_in_goes_on_when_there_are_some),
        cmocka_unit_test(a_receiver_that_holds_every_buffer_loses_nothing),
        cmocka_unit_test(without_chunks_a_sender_is_told_and_woken),
        cmocka_unit_test(a_starved_writer_with_nothing_in_flight_is_woken),
        cmocka_unit_test(a_full_connection_table_refuses_and_recovers),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(an_idle_stack_has_no_deadline),
        cmocka_unit_test(uninitialised_memory_never_reaches_the_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
