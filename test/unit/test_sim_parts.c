/* The parts of a simulated world that need no stack: the event queue, drifting clocks, the content
 * oracle, the digest, segmentation in a port, and the watch's eye for what is wrong. */
#include "lib/cmocka_first.h"

#include "base/rng.h"
#include "sim/clock.h"
#include "sim/digest.h"
#include "sim/oracle.h"
#include "sim/port.h"
#include "sim/queue.h"
#include "sim/watch.h"

static uint8_t arena[4 << 20] __attribute__((aligned(4096)));

static struct mem fresh_memory(void)
{
    struct mem m;

    memset(arena, 0, sizeof(arena));
    mem_init(&m, arena, sizeof(arena));
    return m;
}

static void events_come_out_in_order_of_time_and_then_of_adding(void **state)
{
    struct mem m = fresh_memory();
    struct sim_queue q;
    struct sim_event e, last = {0};
    struct rng r;

    (void)state;
    sim_queue_init(&q, &m, 1000);
    rng_init(&r, 1);
    for (uint32_t round = 0; round < 5000; round++) {
        if (q.n < 1000 && rng_below(&r, 2)) {
            sim_queue_add(&q, last.at + rng_below(&r, 10), 0, round);
            continue;
        }
        if (!sim_queue_next(&q, &e))
            continue;
        assert_true(e.at > last.at || (e.at == last.at && (e.order > last.order || !last.order)));
        last = e;
    }
}

static void an_empty_queue_gives_nothing(void **state)
{
    struct mem m = fresh_memory();
    struct sim_queue q;
    struct sim_event e;

    (void)state;
    sim_queue_init(&q, &m, 4);
    assert_false(sim_queue_next(&q, &e));
}

static void a_clock_is_found_at_the_first_moment_it_shows_the_time(void **state)
{
    struct rng r;

    (void)state;
    rng_init(&r, 2);
    for (int i = 0; i < 20000; i++) {
        struct sim_clock c = {rng_u64(&r) >> 20, (int32_t)rng_below(&r, 400001) - 200000};
        instant t = c.offset_us + (rng_u64(&r) >> (20 + rng_below(&r, 30)));
        uint64_t ns = sim_clock_find(&c, t);
        assert_true(sim_clock_read(&c, ns) >= t);
        assert_true(ns == 0 || sim_clock_read(&c, ns - 1) < t);
    }
    assert_true(sim_clock_find(&(struct sim_clock){1, 0}, INSTANT_NEVER) == SIM_NEVER);
}

static void the_oracle_says_the_same_byte_however_it_is_asked(void **state)
{
    struct sim_oracle o = {99};
    uint8_t whole[300], part[300];

    (void)state;
    sim_oracle_fill(&o, 7, 0, whole, sizeof(whole));
    for (size_t from = 0; from < 40; from++)
        for (size_t n = 0; n < 40; n++) {
            sim_oracle_fill(&o, 7, from, part, n);
            assert_memory_equal(part, whole + from, n);
            assert_int_equal(sim_oracle_check(&o, 7, from, whole + from, n), n);
        }
}

static void the_oracle_finds_the_first_wrong_byte(void **state)
{
    struct sim_oracle o = {99};
    uint8_t b[100];

    (void)state;
    for (size_t bad = 0; bad < sizeof(b); bad++) {
        sim_oracle_fill(&o, 3, 5, b, sizeof(b));
        b[bad] ^= 1;
        assert_int_equal(sim_oracle_check(&o, 3, 5, b, sizeof(b)), bad);
    }
    sim_oracle_fill(&o, 3, 5, b, sizeof(b));
    assert_true(sim_oracle_check(&o, 3, 6, b, sizeof(b)) < 4);
    assert_true(sim_oracle_check(&o, 4, 5, b, sizeof(b)) < 4);
}

static void the_digest_sees_every_byte_and_the_order(void **state)
{
    uint8_t b[64] = {0};
    struct sim_digest first = {1}, other;

    (void)state;
    sim_digest_bytes(&first, b, sizeof(b));
    for (size_t i = 0; i < sizeof(b); i++) {
        other.h = 1;
        b[i] ^= 0x40;
        sim_digest_bytes(&other, b, sizeof(b));
        b[i] ^= 0x40;
        assert_true(other.h != first.h);
    }
    other.h = 1;
    sim_digest_bytes(&other, b, sizeof(b) - 1);
    assert_true(other.h != first.h);
}

/* ---- frames ----------------------------------------------------------------------- */

static const struct sim_watch_host host_a = {.mac = {{2, 0x51, 0, 0, 0, 1}}, .mtu = 1500};

struct conversation {
    struct sim_watch watch;
    struct sim_watch_host a, b;
};

static size_t make(const struct conversation *c, bool from_a, struct tcp_seg s, uint8_t *out)
{
    const struct sim_watch_host *src = from_a ? &c->a : &c->b, *dst = from_a ? &c->b : &c->a;
    struct eth_hdr eth = {.dst = dst->mac, .src = src->mac, .ethertype = ETHTYPE_IPV4};
    uint8_t tcp[TCP_HLEN_MAX];
    uint16_t sum;

    s.sport = from_a ? 1000 : 80;
    s.dport = from_a ? 80 : 1000;
    uint32_t hlen = (uint32_t)tcp_emit(tcp, &s, TCP_ORDER_LINUX);
    struct ipv4_hdr ip = {.src = src->addr,
                          .dst = dst->addr,
                          .total_len = (uint16_t)(IPV4_HLEN + hlen + s.len),
                          .ttl = 64,
                          .proto = IPPROTO_TCP_};
    size_t at = eth_emit(out, &eth);
    at += ipv4_emit(out + at, &ip);
    memcpy(out + at, tcp, hlen);
    memset(out + at + hlen, 'x', s.len);
    sum = csum_finish(csum_add_portable(
        out + at, hlen + s.len, ipv4_pseudo_sum(ip.src, ip.dst, IPPROTO_TCP_, hlen + s.len)));
    memcpy(out + at + 16, &sum, 2);
    return at + hlen + s.len;
}

static const char *say(struct conversation *c, bool from_a, struct tcp_seg s)
{
    uint8_t frame[2048];
    size_t n = make(c, from_a, s, frame);

    sim_watch_sent(&c->watch, from_a ? &c->a : &c->b, frame, (uint32_t)n);
    sim_watch_delivered(&c->watch, frame, (uint32_t)n);
    return c->watch.wrong;
}

/* A connection is open: A has 1000 octets of room, B 500. */
static void open_conversation(struct conversation *c)
{
    struct mem m = fresh_memory();

    c->a = c->b = host_a;
    c->b.mac.b[5] = 2;
    c->a.addr = be32_of(0x0a000001);
    c->b.addr = be32_of(0x0a000002);
    sim_watch_init(&c->watch, &m);
    assert_null(say(c, true, (struct tcp_seg){.flags = TH_SYN, .seq = {100}, .wnd = 1000}));
    assert_null(say(c, false, (struct tcp_seg){.flags = TH_SYN | TH_ACK,
                                               .seq = {0xffffffff},
                                               .ack = {101},
                                               .wnd = 500,
                                               .mss = 400,
                                               .has_mss = true}));
    assert_null(
        say(c, true, (struct tcp_seg){.flags = TH_ACK, .seq = {101}, .ack = {0}, .wnd = 1000}));
}

static struct tcp_seg data(uint32_t seq, uint32_t len, uint32_t ack, uint16_t wnd)
{
    return (struct tcp_seg){.flags = TH_ACK, .seq = {seq}, .ack = {ack}, .wnd = wnd, .len = len};
}

static void the_watch_lets_an_orderly_conversation_pass(void **state)
{
    struct conversation c;

    (void)state;
    open_conversation(&c);
    assert_null(say(&c, true, data(101, 400, 0, 1000)));
    assert_null(say(&c, true, data(101, 400, 0, 1000)));
    assert_null(say(&c, false, data(0, 0, 501, 100)));
    assert_null(say(&c, true, data(501, 100, 0, 1000)));
    assert_null(say(&c, true, data(601, 1, 0, 1000))); /* a probe */
    assert_int_equal(c.watch.probes, 1);
    assert_int_equal(c.watch.retransmitted, 1);
}

static void the_watch_sees_data_beyond_the_window(void **state)
{
    struct conversation c;

    (void)state;
    open_conversation(&c);
    assert_null(say(&c, true, data(101, 400, 0, 1000)));
    assert_non_null(say(&c, true, data(501, 101, 0, 1000)));
}

static void the_watch_sees_a_right_edge_that_goes_back(void **state)
{
    struct conversation c;

    (void)state;
    open_conversation(&c);
    assert_non_null(say(&c, false, data(0, 0, 101, 499)));
    open_conversation(&c);
    assert_non_null(say(&c, true, data(101, 0, 0, 999)));
}

static void the_watch_sees_an_ack_for_what_was_never_sent(void **state)
{
    struct conversation c;

    (void)state;
    open_conversation(&c);
    assert_non_null(say(&c, false, data(0, 0, 102, 1000)));
    open_conversation(&c);
    assert_non_null(say(&c, true, data(101, 0, 1, 1000)));
}

static void the_watch_sees_a_gap_and_a_segment_too_large(void **state)
{
    struct conversation c;

    (void)state;
    open_conversation(&c);
    assert_non_null(say(&c, true, data(102, 10, 0, 1000)));
    open_conversation(&c);
    assert_non_null(say(&c, true, data(101, 401, 0, 1000)));
}

static void the_watch_sees_a_fin_that_moves(void **state)
{
    struct conversation c;
    struct tcp_seg fin = data(101, 10, 0, 1000);

    (void)state;
    open_conversation(&c);
    fin.flags |= TH_FIN;
    assert_null(say(&c, true, fin));
    fin.len = 9;
    assert_non_null(say(&c, true, fin));
}

static void the_watch_sees_a_wrong_checksum_and_a_wrong_length(void **state)
{
    struct conversation c;
    uint8_t frame[2048];

    (void)state;
    for (int what = 0; what < 4; what++) {
        open_conversation(&c);
        size_t n = make(&c, true, data(101, 20, 0, 1000), frame);
        frame[n - 1] ^= what == 0;
        frame[ETH_HLEN + 8] ^= what == 1;
        n += what == 2;
        sim_watch_sent(&c.watch, &c.a, frame, (uint32_t)n);
        assert_true((c.watch.wrong != NULL) == (what < 3));
    }
}

/* ---- segmentation ------------------------------------------------------------------ */

struct cut_test {
    struct conversation c;
    unsigned frames;
    uint32_t bytes;
    bool fin;
};

static void see_piece(void *arg, unsigned host, const uint8_t *b, uint32_t n)
{
    struct cut_test *t = arg;
    struct tcp_seg s;

    assert_int_equal(host, 0);
    assert_false(t->fin);
    sim_watch_sent(&t->c.watch, &t->c.a, b, n);
    assert_null(t->c.watch.wrong);
    assert_int_equal(tcp_parse(&s, b + 34, n - 34), WIRE_OK);
    assert_int_equal(s.seq.v, 101 + t->bytes);
    t->bytes += s.len;
    t->fin = s.flags & TH_FIN;
    t->frames++;
}

static void a_port_cuts_a_large_segment_into_right_small_ones(void **state)
{
    struct cut_test t = {0};
    uint8_t big[2048], scratch[2048];
    struct tcp_seg s = data(101, 490, 0, 1000);

    (void)state;
    open_conversation(&t.c);
    s.flags |= TH_FIN | TH_PUSH;
    s.has_ts = true;
    size_t n = make(&t.c, true, s, big);
    sim_tso_cut(big, (uint32_t)n, 100, csum_add_portable, scratch,
                &(struct sim_port_wire){.send = see_piece, .arg = &t}, 0);
    assert_int_equal(t.frames, 5);
    assert_int_equal(t.bytes, 490);
    assert_true(t.fin);
}

struct merge_test {
    uint8_t bytes[2048];
    struct pkt_pool pool;
    struct pkt k;
    unsigned refused;
};

static void merge_piece(void *arg, unsigned host, const uint8_t *b, uint32_t n)
{
    struct merge_test *t = arg;

    (void)host;
    if (t->k.len == 0) {
        memcpy(t->k.data, b, n);
        t->k.len = n;
    } else {
        t->refused += !sim_gro_append(&t->k, b, n, csum_add_portable);
    }
}

static void a_port_merges_the_pieces_again(void **state)
{
    struct conversation c;
    struct merge_test t = {0};
    uint8_t big[2048], scratch[2048];
    struct tcp_seg s = data(101, 490, 0, 1000);

    (void)state;
    open_conversation(&c);
    s.flags |= TH_PUSH;
    s.has_ts = true;
    size_t n = make(&c, true, s, big);
    t.pool.buf_size = sizeof(t.bytes);
    t.k.pool = &t.pool;
    t.k.data = t.k.buf = t.bytes;
    t.k.flags = PKT_CSUM_OK;
    sim_tso_cut(big, (uint32_t)n, 100, csum_add_portable, scratch,
                &(struct sim_port_wire){.send = merge_piece, .arg = &t}, 0);
    assert_int_equal(t.refused, 0);
    assert_int_equal(t.k.len, n);
    assert_int_equal(t.k.gso_size, 100);
    /* All but the TCP checksum, which is the first piece's. */
    assert_memory_equal(t.bytes, big, 50);
    assert_memory_equal(t.bytes + 52, big + 52, n - 52);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_in_order_of_time_and_then_of_adding),
        cmocka_unit_test(an_empty_queue_gives_nothing),
        cmocka_unit_test(a_clock_is_found_at_the_first_moment_it_shows_the_time),
        cmocka_unit_test(the_oracle_says_the_same_byte_however_it_is_asked),
        cmocka_unit_test(the_oracle_finds_the_first_wrong_byte),
        cmocka_unit_test(the_digest_sees_every_byte_and_the_order),
        cmocka_unit_test(the_watch_lets_an_orderly_conversation_pass),
        cmocka_unit_test(the_watch_sees_data_beyond_the_window),
        cmocka_unit_test(the_watch_sees_a_right_edge_that_goes_back),
        cmocka_unit_test(the_watch_sees_an_ack_for_what_was_never_sent),
        cmocka_unit_test(the_watch_sees_a_gap_and_a_segment_too_large),
        cmocka_unit_test(the_watch_sees_a_fin_that_moves),
        cmocka_unit_test(the_watch_sees_a_wrong_checksum_and_a_wrong_length),
        cmocka_unit_test(a_port_cuts_a_large_segment_into_right_small_ones),
        cmocka_unit_test(a_port_merges_the_pieces_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
