/* Parts of tcp that are plain arithmetic: the acceptability test, the state edges, the round-trip
 * estimator, initial sequence numbers, the window scale, segment sizes. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"
#include "tcp/tcp_int.h"

static struct duo w;

/* RFC 9293 3.10.7.4, Table 6, octet by octet on the circle. */
static bool table_6(uint32_t seq, uint32_t len, uint32_t nxt, uint32_t wnd)
{
    if (wnd == 0)
        return len == 0 && seq == nxt;
    for (uint32_t i = 0; i < wnd; i++)
        if (seq == nxt + i || (len && seq + len - 1 == nxt + i))
            return true;
    return false;
}

static void a_segment_is_acceptable_as_table_6_says(void **state)
{
    static const uint32_t nxts[] = {0, 1, 1000, 0x7ffffff8, 0x80000004, 0xfffffff8, 0xffffffff};

    (void)state;
    for (unsigned n = 0; n < ARRAY_LEN(nxts); n++)
        for (uint32_t wnd = 0; wnd <= 10; wnd++)
            for (uint32_t len = 0; len <= 20; len++)
                for (int32_t off = -24; off <= 24; off++) {
                    uint32_t seq = nxts[n] + (uint32_t)off;
                    assert_int_equal(tcp_acceptable(seq_of(seq), len, seq_of(nxts[n]), wnd),
                                     table_6(seq, len, nxts[n], wnd));
                }
}

/* RFC 9293 3.3.2, figure 5; any state but LISTEN ends in CLOSED when aborted or reset; and a
 * passive open's connection begins where its SYN-RECEIVED record ended. */
static void the_state_edges_are_those_of_the_picture(void **state)
{
    static const uint8_t edge[][2] = {
        {TCPS_CLOSED, TCPS_SYN_SENT},          {TCPS_CLOSED, TCPS_ESTABLISHED},
        {TCPS_SYN_SENT, TCPS_SYN_RECEIVED},    {TCPS_SYN_SENT, TCPS_ESTABLISHED},
        {TCPS_SYN_SENT, TCPS_CLOSED},          {TCPS_SYN_RECEIVED, TCPS_ESTABLISHED},
        {TCPS_SYN_RECEIVED, TCPS_FIN_WAIT_1},  {TCPS_SYN_RECEIVED, TCPS_CLOSE_WAIT},
        {TCPS_SYN_RECEIVED, TCPS_CLOSED},      {TCPS_ESTABLISHED, TCPS_FIN_WAIT_1},
        {TCPS_ESTABLISHED, TCPS_CLOSE_WAIT},   {TCPS_ESTABLISHED, TCPS_CLOSED},
        {TCPS_CLOSE_WAIT, TCPS_LAST_ACK},      {TCPS_CLOSE_WAIT, TCPS_CLOSED},
        {TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2},    {TCPS_FIN_WAIT_1, TCPS_CLOSING},
        {TCPS_FIN_WAIT_1, TCPS_TIME_WAIT},     {TCPS_FIN_WAIT_1, TCPS_CLOSED},
        {TCPS_CLOSING, TCPS_TIME_WAIT},        {TCPS_CLOSING, TCPS_CLOSED},
        {TCPS_LAST_ACK, TCPS_CLOSED},          {TCPS_FIN_WAIT_2, TCPS_TIME_WAIT},
        {TCPS_FIN_WAIT_2, TCPS_CLOSED},        {TCPS_TIME_WAIT, TCPS_CLOSED},
    };

    (void)state;
    for (unsigned from = 0; from <= TCPS_COUNT; from++)
        for (unsigned to = 0; to <= TCPS_COUNT; to++) {
            bool want = false;
            for (unsigned i = 0; i < ARRAY_LEN(edge); i++)
                want |= edge[i][0] == from && edge[i][1] == to;
            assert_int_equal(tcp_edge_is_legal((enum tcp_state)from, (enum tcp_state)to), want);
        }
}

static void every_state_has_its_rfc_name(void **state)
{
    (void)state;
    assert_string_equal(tcp_state_name(TCPS_SYN_RECEIVED), "SYN-RECEIVED");
    assert_string_equal(tcp_state_name(TCPS_TIME_WAIT), "TIME-WAIT");
    assert_string_equal(tcp_state_name(TCPS_COUNT), "?");
}

/* ---- RFC 6298 ------------------------------------------------------------------------ */

static struct tcp timing(void)
{
    struct tcp t;

    memset(&t, 0, sizeof(t));
    tcp_config_default(&t.config);
    return t;
}

static void before_a_sample_the_time_out_is_a_second(void **state)
{
    struct tcp t = timing();
    struct tcp_conn c = {0};

    (void)state;
    assert_int_equal(tcp_rto_us(&t, &c), 1000000);
}

/* 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR. */
static void the_first_sample_gives_three_times_itself(void **state)
{
    struct tcp t = timing();
    struct tcp_conn c = {0};

    (void)state;
    tcp_rtt_sample(&t, &c, 100000);
    assert_int_equal(c.srtt >> 3, 100000);
    assert_int_equal(c.rttvar >> 2, 50000);
    assert_int_equal(tcp_rto_us(&t, &c), 300000);
}

/* 2.3, in floating point beside it. */
static void later_samples_are_smoothed(void **state)
{
    struct tcp t = timing();
    struct tcp_conn c = {0};
    struct rng r;
    double srtt = 0, rttvar = 0;

    (void)state;
    rng_init(&r, 1);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t sample = 1 + rng_below(&r, i < 50000 ? 5000000 : 300);
        double d = srtt > sample ? srtt - sample : sample - srtt;
        rttvar = i ? 0.75 * rttvar + 0.25 * d : sample / 2.0;
        srtt = i ? 0.875 * srtt + 0.125 * sample : sample;
        tcp_rtt_sample(&t, &c, sample);
        assert_in_range(c.srtt, srtt * 8 - 12 > 0 ? srtt * 8 - 12 : 0, srtt * 8 + 12);
        assert_in_range(c.rttvar, rttvar * 4 - 16 > 0 ? rttvar * 4 - 16 : 0, rttvar * 4 + 16);
    }
}

/* 5.5, 2.4 (200 ms here, for a reason DESIGN gives) and 2.5. */
static void the_time_out_backs_off_within_its_bounds(void **state)
{
    struct tcp t = timing();
    struct tcp_conn c = {0};

    (void)state;
    tcp_rtt_sample(&t, &c, 100);
    assert_int_equal(tcp_rto_us(&t, &c), 200000);
    for (c.rxtshift = 0; c.rxtshift < 30; c.rxtshift++)
        assert_int_equal(tcp_rto_us(&t, &c),
                         min_u64(UINT64_C(200000) << c.rxtshift, 60000000));
}

static void absurd_samples_stay_in_range(void **state)
{
    static const uint32_t samples[] = {0, UINT32_MAX, 1, UINT32_MAX, 0, 0, 1u << 31};
    struct tcp t = timing();
    struct tcp_conn c = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        tcp_rtt_sample(&t, &c, samples[i % ARRAY_LEN(samples)]);
        assert_in_range(c.srtt, 1, 8u * 60000000);
        assert_in_range(tcp_rto_us(&t, &c), 200000, 60000000);
    }
}

/* ---- initial sequence numbers: RFC 6528 ----------------------------------------------- */

static struct flow_key pair(uint16_t rport)
{
    return (struct flow_key){.raddr = ip4_of(10, 0, 0, 2), .rport = rport, .lport = 80, .lidx = 1};
}

static void the_isn_is_a_four_microsecond_clock_for_one_pair(void **state)
{
    struct tcp t = timing();
    struct flow_key k = pair(1000);

    (void)state;
    tcp_seq first = tcp_isn(&t, &k);
    for (t.now = 0; t.now < 100000000; t.now += 9998)
        assert_int_equal(seq_diff(tcp_isn(&t, &k), first), t.now / 4);
    t.now = UINT64_C(4) << 32; /* 4.77 hours: once round */
    assert_true(seq_eq(tcp_isn(&t, &k), first));
}

static void every_pair_has_an_isn_and_a_timestamp_offset_of_its_own(void **state)
{
    struct tcp t = timing();
    unsigned near = 0;

    (void)state;
    t.isn_key = (struct sip_key){{1, 2}};
    t.ts_key = (struct sip_key){{3, 4}};
    for (uint16_t port = 1; port < 1000; port++) {
        struct flow_key a = pair(port), b = pair((uint16_t)(port + 1));
        uint32_t d = tcp_isn(&t, &a).v - tcp_isn(&t, &b).v;
        near += d + 1000000 < 2000000;
        assert_int_not_equal(tcp_ts_offset(&t, &a), tcp_ts_offset(&t, &b));
    }
    assert_true(near < 8);
}

static void the_isn_depends_on_the_secret(void **state)
{
    struct tcp t = timing(), u = timing();
    struct flow_key k = pair(1000);

    (void)state;
    u.isn_key.k[0] = 1;
    assert_false(seq_eq(tcp_isn(&t, &k), tcp_isn(&u, &k)));
}

static void a_reused_pair_begins_above_the_old_connection(void **state)
{
    struct tcp t = timing();
    struct flow_key k = pair(1000);

    (void)state;
    t.iss_min = seq_add(tcp_isn(&t, &k), 5);
    assert_true(seq_eq(tcp_isn(&t, &k), t.iss_min));
    t.iss_min = seq_sub(t.iss_min, 10);
    assert_true(seq_gt(tcp_isn(&t, &k), t.iss_min));
}

/* ---- window scale and segment size ------------------------------------------------------ */

/* RFC 7323 2.2, 2.3. */
static void the_window_scale_is_the_least_that_covers_the_buffer(void **state)
{
    struct tcp t = timing();

    (void)state;
    for (unsigned scale = 0; scale < 14; scale++) {
        assert_int_equal(tcp_wscale_wanted(&t, 65535u << scale, true, 0), scale);
        assert_int_equal(tcp_wscale_wanted(&t, (65535u << scale) + 1, true, 0), scale + 1);
    }
    assert_int_equal(tcp_wscale_wanted(&t, UINT32_MAX, true, 0), 14);
    assert_int_equal(tcp_wscale_wanted(&t, UINT32_MAX, true, 65536), 1);
    t.config.rcvbuf_max = 1 << 20;
    assert_int_equal(tcp_wscale_wanted(&t, 4096, false, 0), 5);
    assert_int_equal(tcp_wscale_wanted(&t, 4096, false, 4000), 0);
    assert_int_equal(tcp_wscale_wanted(&t, 4096, true, 0), 0);
}

static void a_peer_without_the_option_gets_536_and_a_silly_one_64(void **state)
{
    struct tcp_seg s = {.mss = 9000};

    (void)state;
    assert_int_equal(tcp_mss_clamp(&s), 536);
    s.has_mss = true;
    assert_int_equal(tcp_mss_clamp(&s), 9000);
    s.mss = 1;
    assert_int_equal(tcp_mss_clamp(&s), 64);
}

/* MUST-14, MUST-16: what is announced is the MTU less 40; what is sent also leaves room for the
 * options. */
static void segments_leave_room_for_their_options(void **state)
{
    mr_sock h[2];

    (void)state;
    for (unsigned ts = 0; ts < 2; ts++) {
        duo_defaults(&w);
        w.config.tcp.timestamps = ts;
        duo_start_with(&w);
        mr_sock l = duo_listen(&w, 1);
        duo_connect(&w, l, h);
        for (unsigned side = 0; side < 2; side++) {
            struct tcp_conn *c = duo_conn(&w, side, h[side]);
            assert_int_equal(c->mss_peer, 1460);
            assert_int_equal(c->mss, ts ? 1448 : 1460);
        }
        duo_end(&w);
    }
}

static void the_smaller_of_both_ends_wishes_holds(void **state)
{
    mr_sock h[2];

    (void)state;
    duo_start(&w);
    duo_tcp(&w, 1)->config.mss_max = 700;
    mr_sock l = duo_listen(&w, 1);
    duo_connect(&w, l, h);
    assert_int_equal(duo_conn(&w, 0, h[0])->mss, 688);
    assert_int_equal(duo_conn(&w, 1, h[1])->mss, 1448);
    assert_int_equal(mr_setopt(w.end[1].m, h[1], MR_MAXSEG, 512), 0);
    assert_int_equal(duo_conn(&w, 1, h[1])->mss, 500);
    duo_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_acceptable_as_table_6_says),
        cmocka_unit_test(the_state_edges_are_those_of_the_picture),
        cmocka_unit_test(every_state_has_its_rfc_name),
        cmocka_unit_test(before_a_sample_the_time_out_is_a_second),
        cmocka_unit_test(the_first_sample_gives_three_times_itself),
        cmocka_unit_test(later_samples_are_smoothed),
        cmocka_unit_test(the_time_out_backs_off_within_its_bounds),
        cmocka_unit_test(absurd_samples_stay_in_range),
        cmocka_unit_test(the_isn_is_a_four_microsecond_clock_for_one_pair),
        cmocka_unit_test(every_pair_has_an_isn_and_a_timestamp_offset_of_its_own),
        cmocka_unit_test(the_isn_depends_on_the_secret),
        cmocka_unit_test(a_reused_pair_begins_above_the_old_connection),
        cmocka_unit_test(the_window_scale_is_the_least_that_covers_the_buffer),
        cmocka_unit_test(a_peer_without_the_option_gets_536_and_a_silly_one_64),
        cmocka_unit_test(segments_leave_room_for_their_options),
        cmocka_unit_test(the_smaller_of_both_ends_wishes_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
