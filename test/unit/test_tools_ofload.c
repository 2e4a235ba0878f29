/* millrace-ofload against a controller of the tests' own, which answers rightly, or wrongly in
 * every way there is.
 *
 *     end 0: the load, a few switches  ----->  end 1: the controller, 10.0.0.2:80 */
#include "lib/cmocka_first.h"

#include "lib/duo.h"
#include "tools/ofload_check.c"
#include "tools/ofload_count.c"
#include "tools/ofload_probe.c"
#include "tools/ofload_report.c"
#include "tools/ofload_run.c"
#include "tools/ofload_send.c"
#include "tools/ofload_switch.c"

#include "lib/of_answer.h"

#define EVERY 7u /* so many answers are right before one is wrong */
#define CONNS 8u

/* ---- the world */

struct ctl_conn {
    mr_sock sock;
    uint8_t in[65536];
    size_t n;
    unsigned hellos, features, arps, barriers, echoes, configs, stats, errors;
    uint64_t packet_ins, answered;
};

static struct duo w;
static struct ofl_options opt;
static struct ofl_total total;
static struct ofload *l;
static struct ctl_conn conn[CONNS];
static unsigned conns;
static mr_sock listener;
static enum way way;
static bool mute; /* the controller listens and says nothing */

static void say(struct ctl_conn *c, const void *b, size_t n)
{
    if (n > 0 && !mute)
        assert_int_equal(mr_send(w.end[1].m, c->sock, b, n, 0), n);
}

static void ask(struct ctl_conn *c, uint8_t type, uint32_t xid, size_t n)
{
    uint8_t b[64] = {1, type, 0, (uint8_t)n};

    store_be32(b + 4, xid);
    say(c, b, n);
}

static void on_packet_in(struct ctl_conn *c, const uint8_t *msg)
{
    uint8_t b[2 * FM];
    bool wrong;

    if (load_be32(msg + 8) == OFL_NO_BUFFER) {
        assert_int_equal(load_be16(msg + 14), 2);
        assert_int_equal(load_be16(msg + 18 + 12), 0x0806);
        c->arps++;
        return;
    }
    assert_int_equal(load_be16(msg + 2), 82);
    wrong = way == LAST_FORGOTTEN ? c->packet_ins == 0 : c->packet_ins % EVERY == EVERY - 1;
    c->packet_ins++;
    say(c, b, answer_in(b, msg, !wrong ? GOOD : way == LAST_FORGOTTEN ? SILENT : way));
}

static void on_message(struct ctl_conn *c, const uint8_t *msg, size_t n)
{
    assert_int_equal(msg[0], 1);
    switch (msg[1]) {
    case OFT_HELLO:
        assert_int_equal(load_be32(msg + 4), 1);
        c->hellos++;
        ask(c, OFT_HELLO, 0, 8);
        ask(c, OFT_FEATURES_REQUEST, 9, 8);
        break;
    case OFT_FEATURES_REPLY:
        assert_int_equal(n, 224);
        c->features++;
        break;
    case OFT_PACKET_IN:
        on_packet_in(c, msg);
        break;
    case OFT_BARRIER_REPLY:
        c->barriers++;
        break;
    case OFT_ECHO_REPLY:
        assert_int_equal(n, 8);
        c->echoes++;
        break;
    case OFT_GET_CONFIG_REPLY:
        assert_int_equal(n, 12);
        c->configs++;
        break;
    case OFT_STATS_REPLY:
        assert_int_equal(n, 1068);
        c->stats++;
        break;
    case OFT_ERROR:
        assert_int_equal(load_be16(msg + 8), 1);
        assert_int_equal(load_be16(msg + 10), 3);
        c->errors++;
        break;
    default:
        fail_msg("a message of type %u", msg[1]);
    }
}

static void controller_reads(struct ctl_conn *c)
{
    for (;;) {
        int64_t r = mr_recv(w.end[1].m, c->sock, c->in + c->n, sizeof(c->in) - c->n, 0);
        size_t at = 0;
        if (r <= 0)
            return;
        c->n += (size_t)r;
        while (c->n - at >= 8 && load_be16(c->in + at + 2) <= c->n - at) {
            on_message(c, c->in + at, load_be16(c->in + at + 2));
            at += load_be16(c->in + at + 2);
        }
        memmove(c->in, c->in + at, c->n - at);
        c->n -= at;
    }
}

static void controller(struct mr_event *ev)
{
    if (ev->type == MR_EV_ACCEPT)
        while (conns < CONNS && mr_accept(w.end[1].m, listener, &conn[conns].sock, NULL) == 0) {
            mr_set_user(w.end[1].m, conn[conns].sock, &conn[conns]);
            mr_setopt(w.end[1].m, conn[conns].sock, MR_SNDBUF, 1 << 20);
            controller_reads(&conn[conns++]);
        }
    else if (ev->type == MR_EV_READABLE)
        controller_reads(ev->user);
}

static void run_ms(unsigned ms)
{
    instant until = w.now + ms * 1000;

    while (w.now < until) {
        bool busy = duo_turn(&w, 0);
        busy |= duo_turn(&w, 1);
        for (unsigned i = 0; i < w.end[0].nev; i++)
            ofl_event(w.end[0].m, l, &w.end[0].ev[i]);
        for (unsigned i = 0; i < w.end[1].nev; i++)
            controller(&w.end[1].ev[i]);
        busy |= w.end[0].nev + w.end[1].nev > 0;
        w.end[0].nev = w.end[1].nev = 0;
        w.now = min_u64(max_u64(busy ? w.now : duo_deadline(&w), w.now + DUO_STEP), until);
    }
}

static uint64_t virtual_ns(struct mr *m)
{
    (void)m;
    return w.now * 1000;
}

static int prepare(void **state)
{
    (void)state;
    duo_defaults(&w);
    way = GOOD;
    mute = false;
    opt = (struct ofl_options){.to = duo_addr(1, DUO_PORT),
                               .quiet = true,
                               .switches = 2,
                               .hosts = 50,
                               .loops = 2,
                               .loop_ms = 20,
                               .in_flight = 40,
                               .buffers = 500,
                               .dpid_first = 1,
                               .cores = 1,
                               .clock = virtual_ns,
                               .total = &total};
    return 0;
}

static void start(enum way how)
{
    struct mr_addr at = duo_addr(1, DUO_PORT);

    way = how;
    conns = 0;
    memset(conn, 0, sizeof(conn));
    memset(&total, 0, sizeof(total));
    total.running = 1;
    duo_start_with(&w);
    assert_int_equal(mr_listen(w.end[1].m, &at, NULL, &listener), MR_OK);
    l = calloc(1, sizeof(*l));
    l->m = w.end[0].m;
    l->opt = &opt;
    assert_true(ofl_make(l));
    ofl_start(l);
}

/* Until the load says that it is over, and all is back. */
static void finish(void)
{
    for (unsigned i = 0; i < 600 && l->phase != OFL_OVER; i++)
        run_ms(10);
    assert_int_equal(l->phase, OFL_OVER);
    assert_true(native_is_stopped(w.end[0].native));
    for (unsigned i = 0; i < conns; i++)
        mr_abort(w.end[1].m, conn[i].sock);
    mr_close(w.end[1].m, listener);
    run_ms(100);
    for (uint32_t i = 0; i < l->n; i++)
        assert_int_equal(l->sw[i].free, (1u << OFL_CHUNKS) - 1);
    for (unsigned side = 0; side < 2; side++)
        if (duo_leak(&w, side))
            fail_msg("end %u: %s", side, duo_leak(&w, side));
    duo_end(&w);
}

static void drop(void)
{
    ofl_free(l);
    free(l);
}

/* Nothing but e is wrong; e about once in EVERY. */
static void only_error(int e)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < conns; i++)
        seen += conn[i].packet_ins;
    for (int i = 0; i < OFL_ERRORS; i++)
        if (i != e && l->errors[i] != 0)
            fail_msg("%s %llu", ofl_error_names[i], (unsigned long long)l->errors[i]);
    if (e >= 0)
        assert_in_range(l->errors[e], seen / EVERY - 2, seen / EVERY + 2);
    assert_true(seen > 20);
}

/* ---- tests: the run */

static void every_packet_in_is_answered_and_counted_once(void **state)
{
    uint64_t seen = 0;

    (void)state;
    start(GOOD);
    finish();
    only_error(-1);
    for (unsigned i = 0; i < conns; i++) {
        assert_int_equal(conn[i].hellos, 1);
        assert_int_equal(conn[i].features, 1);
        assert_int_equal(conn[i].arps, 1);
        seen += conn[i].packet_ins;
    }
    assert_int_equal(conns, 2);
    assert_int_equal(l->sent, seen);
    assert_int_equal(l->right_flow_mods, seen);
    assert_int_equal(l->per_loop[0] + l->per_loop[1] + l->discarded, seen);
    assert_int_equal(l->per_loop[0], l->cbench_loop[0]);
    assert_int_equal(l->latency.count, l->per_loop[0] + l->per_loop[1]);
    assert_int_equal(l->handshakes, 2);
    drop();
}

static void one_is_on_its_way_in_latency_mode_and_late_switches_join(void **state)
{
    (void)state;
    opt.in_flight = 1;
    opt.switches = 4;
    opt.late = 2;
    opt.warmup = 1;
    start(GOOD);
    run_ms(10);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(l->sw[i].probes.in_flight, 0);
    run_ms(20);
    for (unsigned i = 0; i < 2; i++)
        assert_in_range(l->sw[i].probes.in_flight, 0, 1);
    assert_int_equal(conns, 2);
    finish();
    only_error(-1);
    assert_int_equal(conns, 4);
    assert_int_equal(l->late_handshakes, 2);
    assert_true(l->late_handshake_ns < 10000000);
    assert_in_range(share(l, l->least), 900, 1000);
    assert_in_range(share(l, l->most), 1000, 1100);
    drop();
}

static void a_full_send_buffer_is_waited_for(void **state)
{
    (void)state;
    opt.in_flight = 3000;
    opt.buffers = 4000;
    opt.switches = 1;
    start(GOOD);
    finish();
    only_error(-1);
    assert_true(l->sent > 3000);
    drop();
}

/* 20,000 a second for 40 ms; the controller is deaf for 10 of them. */
static void a_rate_is_kept_and_latency_counts_from_when_it_was_due(void **state)
{
    (void)state;
    opt.rate = 20000;
    opt.in_flight = 0;
    start(GOOD);
    while (l->phase != OFL_RUNS)
        run_ms(1);
    run_ms(5);
    mr_now_us(w.end[0].m);
    w.now += 10000;
    finish();
    only_error(-1);
    assert_in_range(l->sent, 790, 801);
    assert_in_range(l->latency.max, 9000000, 11000000);
    assert_in_range(hist_percentile(&l->latency, 20, 100), 0, 300000);
    assert_in_range(hist_percentile(&l->latency, 90, 100), 2000000, 10000000);
    drop();
}

static void cbenchs_pause_throws_answers_and_requests_away(void **state)
{
    (void)state;
    opt.cbench = true;
    opt.dpid_first = 0x1234;
    start(GOOD);
    while (!l->discards)
        run_ms(1);
    assert_int_equal(l->sw[0].probes.frame[18 + 4], 0);
    assert_int_equal(l->sw[0].probes.frame[18 + 5], 0x34);
    run_ms(2);
    ask(&conn[0], OFT_ECHO_REQUEST, 5, 8);
    run_ms(80);
    assert_true(l->discards);
    assert_int_equal(conn[0].echoes, 0);
    assert_true(l->discarded > 0);
    finish();
    only_error(-1);
    assert_true(l->per_loop[1] > 0);
    drop();
}

static void only_what_cbench_answers_is_answered(void **state)
{
    (void)state;
    start(GOOD);
    run_ms(10);
    ask(&conn[0], OFT_ECHO_REQUEST, 5, 32);
    ask(&conn[0], OFT_BARRIER_REQUEST, 6, 8);
    ask(&conn[0], OFT_GET_CONFIG_REQUEST, 7, 8);
    ask(&conn[0], OFT_STATS_REQUEST, 8, 12);
    ask(&conn[0], OFT_VENDOR, 10, 12);
    ask(&conn[0], OFT_ECHO_REPLY, 11, 8);
    say(&conn[0], (uint8_t[12]){1, OFT_STATS_REQUEST, 0, 12, 0, 0, 0, 0, 0, 3}, 12);
    finish();
    assert_int_equal(conn[0].echoes, 1);
    assert_int_equal(conn[0].barriers, 1);
    assert_int_equal(conn[0].configs, 1);
    assert_int_equal(conn[0].stats, 1);
    assert_int_equal(conn[0].errors, 1);
    only_error(-1);
    drop();
}

static void packet_outs_and_floods_answer_and_are_told_apart(void **state)
{
    static const enum way ways[] = {PACKET_OUT, FLOOD, BOTH};

    for (unsigned i = 0; i < 3; i++) {
        prepare(state);
        start(ways[i]);
        finish();
        only_error(-1);
        assert_in_range(i == 1 ? l->floods : l->right_packet_outs, l->sent / EVERY - 2,
                        l->sent / EVERY);
        assert_int_equal(i == 1 ? l->right_packet_outs : l->floods, 0);
        assert_int_equal(i == 2, l->others > 0);
        assert_int_equal(i == 2, l->cbench_loop[0] > l->per_loop[0] + 5);
        drop();
    }
}

static void every_wrong_answer_is_found(void **state)
{
    static const struct {
        enum way way;
        enum ofl_error error;
    } wrong[] = {{TWICE, OFL_DUPLICATE},      {OTHER_DESTINATION, OFL_MATCH},
                 {NO_DESTINATION, OFL_MATCH}, {OTHER_SOURCE, OFL_MATCH},
                 {OTHER_IN_PORT, OFL_MATCH},  {OTHER_ADDRESS, OFL_MATCH},
                 {OTHER_PORT, OFL_PORT},      {NOWHERE, OFL_PORT},
                 {CUT_ACTION, OFL_PROTOCOL}};

    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        prepare(state);
        start(wrong[i].way);
        finish();
        only_error((int)wrong[i].error);
        assert_true(l->first_wrong[0] != '\0');
        drop();
    }
}

static void a_packet_in_without_an_answer_is_missed(void **state)
{
    (void)state;
    start(LAST_FORGOTTEN);
    finish();
    assert_int_equal(l->errors[OFL_UNANSWERED], 2);
    assert_int_equal(ofl_error_sum(l), 2);
    drop();
}

/* Each takes a place of the window for good, until its buffer comes round again. */
static void a_buffer_nobody_knows_is_no_answer(void **state)
{
    (void)state;
    start(UNKNOWN_BUFFER);
    finish();
    assert_true(l->errors[OFL_UNKNOWN] > 10);
    assert_int_equal(l->errors[OFL_UNANSWERED], l->errors[OFL_UNKNOWN]);
    assert_int_equal(ofl_error_sum(l), 2 * l->errors[OFL_UNKNOWN]);
    drop();
}

static void bytes_that_are_no_openflow_end_the_connection(void **state)
{
    static const enum way ways[] = {OTHER_VERSION, NO_LENGTH};

    for (unsigned i = 0; i < 2; i++) {
        prepare(state);
        start(ways[i]);
        finish();
        assert_int_equal(l->errors[OFL_PROTOCOL], 2);
        assert_int_equal(ofl_error_sum(l), 2);
        drop();
    }
}

static void a_controller_that_hangs_up_is_told(void **state)
{
    (void)state;
    start(GOOD);
    run_ms(30);
    mr_abort(w.end[1].m, conn[0].sock);
    conn[0] = conn[1];
    conns = 1;
    finish();
    assert_int_equal(l->errors[OFL_RESET], 1);
    assert_int_equal(ofl_error_sum(l), 1);
    drop();
}

/* It ends by itself, whatever the controller does: 10 s for the handshakes, 5 s for answers. */
static void a_controller_that_says_nothing_is_not_waited_for(void **state)
{
    (void)state;
    mute = true;
    start(GOOD);
    run_ms(9900);
    assert_int_equal(l->phase, OFL_CONNECTS);
    finish();
    assert_int_equal(l->errors[OFL_CONNECT], 2);
    drop();
}

static void a_controller_that_falls_silent_is_not_waited_for(void **state)
{
    (void)state;
    start(GOOD);
    run_ms(40);
    mute = true;
    run_ms(4900);
    assert_int_equal(l->phase, OFL_DRAINS);
    finish();
    assert_int_equal(l->errors[OFL_UNANSWERED], 2 * opt.in_flight);
    assert_int_equal(ofl_error_sum(l), 2 * opt.in_flight);
    drop();
}

static void a_rate_names_no_buffer_again_before_it_is_answered(void **state)
{
    (void)state;
    opt.rate = 20000;
    opt.buffers = 100;
    start(GOOD);
    run_ms(40);
    mute = true;
    run_ms(100);
    assert_int_equal(l->sw[0].probes.in_flight, 100);
    assert_int_equal(l->sw[0].probes.lost, 0);
    drop();
}

static void without_the_check_it_counts_as_cbench_does(void **state)
{
    (void)state;
    opt.no_check = true;
    start(TWICE);
    finish();
    assert_int_equal(ofl_error_sum(l), 0);
    assert_true(l->per_loop[0] + l->per_loop[1] + l->discarded > l->sent);
    drop();
}

#define RUN(test) cmocka_unit_test_setup(test, prepare)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(every_packet_in_is_answered_and_counted_once),
        RUN(one_is_on_its_way_in_latency_mode_and_late_switches_join),
        RUN(a_full_send_buffer_is_waited_for),
        RUN(a_rate_is_kept_and_latency_counts_from_when_it_was_due),
        RUN(cbenchs_pause_throws_answers_and_requests_away),
        RUN(only_what_cbench_answers_is_answered),
        RUN(packet_outs_and_floods_answer_and_are_told_apart),
        RUN(every_wrong_answer_is_found),
        RUN(a_packet_in_without_an_answer_is_missed),
        RUN(a_buffer_nobody_knows_is_no_answer),
        RUN(bytes_that_are_no_openflow_end_the_connection),
        RUN(a_controller_that_hangs_up_is_told),
        RUN(a_controller_that_says_nothing_is_not_waited_for),
        RUN(a_controller_that_falls_silent_is_not_waited_for),
        RUN(a_rate_names_no_buffer_again_before_it_is_answered),
        RUN(without_the_check_it_counts_as_cbench_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
