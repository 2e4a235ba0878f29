/* SYN cookies: what they carry comes back, for a while, and nothing else does. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "lib/duo.h"
#include "sock/sock_int.h"
#include "tcp/tcp_int.h"

static struct duo w;
static mr_sock listener;
static struct tcp_seg syn_ack; /* the last one end 1 sent */
static uint8_t ttl_of_reset, ttl_of_syn_ack;

/* The test is end 0: end 1's frames are read and go no further. */
static bool catch(void *arg, unsigned from, const struct pkt *p)
{
    uint8_t b[2048];
    struct ipv4_hdr ip;
    struct tcp_seg s;

    (void)arg;
    pkt_copy_out(p, b);
    size_t n = pkt_total(p);
    if (from == 1 && ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) == WIRE_OK &&
        ip.proto == IPPROTO_TCP_ &&
        tcp_parse(&s, b + ETH_HLEN + ip.hlen, ip.total_len - ip.hlen) == WIRE_OK) {
        syn_ack = s;
        *(s.flags & TH_RST ? &ttl_of_reset : &ttl_of_syn_ack) = ip.ttl;
    }
    return true;
}

static void start(void)
{
    struct ip_addr peer = duo_ip(0);

    duo_defaults(&w);
    w.config.tcp.cookies = TCP_COOKIES_ALWAYS;
    duo_start_with(&w);
    listener = duo_listen(&w, 1);
    duo_run(&w, 10 * USEC_PER_SEC);
    stack_neigh_add(w.end[1].stack, 1, &peer, &memwire_nic(w.end[0].port)->mac);
    w.lose = catch;
}

static struct tcp_seg syn(uint16_t port, uint32_t isn)
{
    return (struct tcp_seg){
        .seq = seq_of(isn), .sport = port, .dport = DUO_PORT, .flags = TH_SYN, .wnd = 1000};
}

static void ask(const struct tcp_seg *s)
{
    syn_ack = (struct tcp_seg){0};
    duo_segment(&w, 1, s, NULL, 0);
    duo_run(&w, 1000);
    assert_int_equal(syn_ack.flags, TH_SYN | TH_ACK);
    assert_int_equal(duo_tcp(&w, 1)->conns.used, 0);
    assert_int_equal(duo_tcp(&w, 1)->syns.used, 0);
}

static struct tcp_seg third(const struct tcp_seg *s)
{
    return (struct tcp_seg){.seq = seq_add(s->seq, 1),
                            .ack = seq_add(syn_ack.seq, 1),
                            .sport = s->sport,
                            .dport = DUO_PORT,
                            .flags = TH_ACK,
                            .wnd = 1000};
}

/* The connection that `s` makes, or NULL. */
static struct tcp_conn *answer(const struct tcp_seg *s)
{
    uint64_t good = duo_tcp(&w, 1)->stats.syncookies_good;
    mr_sock h;

    duo_segment(&w, 1, s, NULL, 0);
    duo_run(&w, 1000);
    if (mr_accept(w.end[1].m, listener, &h, NULL) != 0)
        return NULL;
    assert_int_equal(duo_tcp(&w, 1)->stats.syncookies_good, good + 1);
    return duo_conn(&w, 1, h);
}

static void forget(struct tcp_conn *c)
{
    mr_abort(w.end[1].m, sock_conn_handle(stack_sock(w.end[1].stack), c));
    duo_run(&w, 1000);
    assert_int_equal(duo_tcp(&w, 1)->conns.used, 0);
}

/* The largest entry of what the cookie can say that is not above what was asked. */
static uint32_t at_most(const uint16_t *table, unsigned n, uint32_t v)
{
    uint32_t best = table[0];

    for (unsigned i = 0; i < n; i++)
        if (table[i] <= v)
            best = table[i];
    return best;
}

static void every_combination_of_options_comes_back(void **state)
{
    static const uint16_t mss_known[] = {64, 216, 536, 1220, 1360, 1440, 1460, 8960};
    static const uint16_t mss_asked[] = {0,    1,    64,   100,  216,  536,
                                         1219, 1220, 1400, 1460, 9000, 65495};
    static const uint16_t scale_known[] = {0, 2, 4, 6, 7, 8, 10};
    uint16_t port = 1000;

    (void)state;
    start();
    for (unsigned m = 0; m < ARRAY_LEN(mss_asked); m++)
        for (int scale = -1; scale <= 15; scale++)
            for (unsigned bits = 0; bits < 4; bits++) {
                struct tcp_seg s = syn(port++, 0xfffffff0u + m * 77777 * bits);
                s.has_mss = mss_asked[m];
                s.mss = mss_asked[m];
                s.has_wscale = scale >= 0;
                s.wscale = (uint8_t)max_u32((uint32_t)(scale + 1), 1) - 1;
                s.has_sack_ok = bits & 1;
                s.has_ts = bits >> 1;
                s.ts_val = 99;
                ask(&s);
                struct tcp_seg a = third(&s);
                a.has_ts = syn_ack.has_ts;
                a.ts_val = 100;
                a.ts_ecr = syn_ack.ts_val;
                struct tcp_conn *c = answer(&a);
                assert_non_null(c);
                uint32_t mss = mss_asked[m] ? max_u32(mss_asked[m], 64) : 536;
                assert_int_equal(c->mss_peer, at_most(mss_known, 8, mss));
                assert_int_equal(!!(c->flags & TF_SACK), s.has_sack_ok);
                assert_int_equal(!!(c->flags & TF_WSCALE), scale >= 0);
                assert_int_equal(!!(c->flags & TF_TS), s.has_ts);
                assert_int_equal(tcp_snd_scale(c),
                                 scale < 0 ? 0 : at_most(scale_known, 7, (uint32_t)scale));
                assert_int_equal(tcp_rcv_scale(c), scale < 0 ? 0 : syn_ack.wscale);
                forget(c);
            }
    duo_end(&w);
}

/* 64 to 128 seconds (2^26 us each). */
static void a_cookie_lives_for_two_slots_at_most(void **state)
{
    const uint64_t slot = 1u << 26;

    (void)state;
    for (uint64_t age = 0; age < 4 * slot; age += slot / 4) {
        start();
        struct tcp_seg s = syn(1000, 5);
        ask(&s);
        struct tcp_seg a = third(&s);
        instant made = w.now;
        duo_run(&w, age);
        uint64_t slots = (w.now >> 26) - (made >> 26);
        struct tcp_conn *c = answer(&a);
        if (slots <= 1)
            assert_non_null(c);
        else
            assert_null(c);
        duo_end(&w);
    }
}

static void a_cookie_with_any_bit_changed_is_refused(void **state)
{
    unsigned taken = 0;

    (void)state;
    start();
    for (uint16_t port = 1; port <= 50; port++) {
        struct tcp_seg s = syn(port, port * 1234567u);
        s.has_mss = s.has_wscale = s.has_sack_ok = true;
        s.mss = 1460;
        ask(&s);
        for (unsigned bit = 0; bit < 32; bit++) {
            struct tcp_seg a = third(&s);
            a.ack.v = (a.ack.v - 1) ^ (1u << bit);
            a.ack.v++;
            taken += answer(&a) != NULL;
        }
    }
    assert_int_equal(taken, 0);
    assert_true(duo_tcp(&w, 1)->stats.drop_bad_cookie == 50 * 32);
    duo_end(&w);
}

static void a_cookie_is_good_for_its_own_pair_and_number_only(void **state)
{
    (void)state;
    start();
    struct tcp_seg s = syn(1000, 5);
    ask(&s);
    struct tcp_seg a = third(&s);
    a.sport++;
    assert_null(answer(&a));
    a = third(&s);
    a.seq = seq_add(a.seq, 1);
    assert_null(answer(&a));
    a = third(&s);
    assert_non_null(answer(&a));
    duo_end(&w);
}

static void guessing_at_random_succeeds_one_time_in_sixteen_million(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 3);
    start();
    struct tcp_seg s = syn(1000, 5);
    ask(&s);
    for (unsigned i = 0; i < 50000; i++) {
        struct tcp_seg a = third(&s);
        a.ack = seq_of(rng_u32(&r));
        duo_segment(&w, 1, &a, NULL, 0);
    }
    assert_int_equal(duo_tcp(&w, 1)->conns.used, 0);
    assert_int_equal(duo_tcp(&w, 1)->stats.drop_bad_cookie, 50000);
    duo_end(&w);
}

/* No cookie was sent: nothing can be one, and a stray ACK is answered with a RST. */
static void nobody_looks_for_cookies_that_were_never_sent(void **state)
{
    (void)state;
    start();
    struct tcp_seg s = syn(1000, 5), a = third(&s);
    duo_segment(&w, 1, &a, NULL, 0);
    duo_run(&w, 1000);
    assert_int_equal(syn_ack.flags & TH_RST, TH_RST);
    assert_int_equal(duo_tcp(&w, 1)->stats.drop_bad_cookie, 0);
    duo_end(&w);
}

/* A source route or a TTL must not end up in another peer's packet. */
static void a_cookie_does_not_change_places_with_a_reset_that_waits(void **state)
{
    struct tcp_seg stray = {.sport = 7, .dport = 9, .flags = TH_ACK, .ack = seq_of(1)};
    struct tcp_seg s = syn(1000, 1);

    (void)state;
    start();
    mr_setopt(w.end[1].m, listener, MR_TTL, 33);
    duo_segment(&w, 1, &stray, NULL, 0);
    duo_segment(&w, 1, &s, NULL, 0);
    duo_run(&w, 1000);
    assert_int_equal(ttl_of_syn_ack, 33);
    assert_int_equal(ttl_of_reset, 64);
    duo_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_of_options_comes_back),
        cmocka_unit_test(a_cookie_lives_for_two_slots_at_most),
        cmocka_unit_test(a_cookie_with_any_bit_changed_is_refused),
        cmocka_unit_test(a_cookie_is_good_for_its_own_pair_and_number_only),
        cmocka_unit_test(guessing_at_random_succeeds_one_time_in_sixteen_million),
        cmocka_unit_test(nobody_looks_for_cookies_that_were_never_sent),
        cmocka_unit_test(a_cookie_does_not_change_places_with_a_reset_that_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
