/* Letters between cores: order, wrap, bounds, who is read next, and who is woken. */
#include "lib/cmocka_first.h"

#include "lib/expect_panic.h"
#include "mail/mail.h"

#define CORES 4u
#define RING 1024u
#define RECORD 16u /* what a letter costs beyond its head and body */

struct office {
    void *memory, *pool_memory;
    struct mail core[CORES];
    struct pkt_pool pool;
    struct sbuf_pool sbufs;
};

static void office_open(struct office *o, uint32_t ring)
{
    struct mem m;
    size_t bytes = align_up(mail_bytes(CORES, ring), 4096);

    o->memory = aligned_alloc(4096, bytes);
    memset(o->memory, 0, bytes);
    mail_format(o->memory, CORES, ring);
    for (unsigned c = 0; c < CORES; c++)
        mail_open(&o->core[c], o->memory, c);
    o->pool_memory = aligned_alloc(4096, 1 << 20);
    memset(o->pool_memory, 0, 1 << 20);
    mem_init(&m, o->pool_memory, 1 << 20);
    pkt_pool_init(&o->pool, &m, "test", 4, 70000, 128, NULL);
    sbuf_pool_init(&o->sbufs, &m, 16, 8, 256);
    o->pool.sbufs = &o->sbufs;
}

static void office_close(struct office *o)
{
    free(o->memory);
    free(o->pool_memory);
}

static bool send_number(struct office *o, unsigned from, unsigned to, uint32_t v)
{
    return mail_send(&o->core[from], to, MAIL_PORT, &v, sizeof(v), NULL);
}

/* The number in the next letter; who wrote it. */
static bool read_number(struct office *o, unsigned at, uint32_t *v, unsigned *from)
{
    struct letter l;

    mail_waits(&o->core[at]);
    if (!mail_next(&o->core[at], &l))
        return false;
    assert_int_equal(l.kind, MAIL_PORT);
    assert_int_equal(l.head_len, sizeof(*v));
    assert_int_equal(l.body_len, 0);
    memcpy(v, l.head, sizeof(*v));
    *from = l.from;
    mail_done(&o->core[at], &l);
    return true;
}

static void letters_arrive_in_order(void **state)
{
    struct office o;
    uint32_t v;
    unsigned from;

    (void)state;
    office_open(&o, RING);
    assert_false(mail_waits(&o.core[1]));
    for (uint32_t i = 0; i < 10; i++)
        assert_true(send_number(&o, 0, 1, i));
    assert_true(mail_waits(&o.core[1]));
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(read_number(&o, 1, &v, &from));
        assert_int_equal(v, i);
        assert_int_equal(from, 0);
    }
    assert_false(read_number(&o, 1, &v, &from));
    assert_false(mail_waits(&o.core[1]));
    assert_int_equal(o.core[0].stats.sent, 10);
    assert_int_equal(o.core[1].stats.received, 10);
    office_close(&o);
}

static void a_letter_stays_until_it_is_done(void **state)
{
    struct office o;
    struct letter a, b;

    (void)state;
    office_open(&o, RING);
    send_number(&o, 2, 1, 7);
    mail_waits(&o.core[1]);
    assert_true(mail_next(&o.core[1], &a));
    assert_true(mail_next(&o.core[1], &b));
    assert_ptr_equal(a.head, b.head);
    mail_done(&o.core[1], &a);
    assert_false(mail_next(&o.core[1], &b));
    office_close(&o);
}

/* A packet of `body` bytes that says which one it is. */
static struct pkt *packet(struct office *o, uint32_t body, uint32_t seed)
{
    struct pkt *p = pkt_get(&o->pool);

    for (uint32_t i = 0; i < body; i++)
        p->data[i] = (uint8_t)(seed + i * 7);
    p->len = body;
    return p;
}

static bool send_packet(struct office *o, uint32_t head, uint32_t body, uint32_t seed)
{
    uint8_t h[MAIL_HEAD_MAX];
    struct pkt *p = packet(o, body, seed);

    memset(h, (int)seed, sizeof(h));
    bool sent = mail_send(&o->core[0], 1, MAIL_PACKET, head ? h : NULL, head, p);
    pkt_put(p);
    return sent;
}

static void expect_packet(struct office *o, uint32_t head, uint32_t body, uint32_t seed)
{
    struct letter l;

    mail_waits(&o->core[1]);
    assert_true(mail_next(&o->core[1], &l));
    assert_int_equal(l.kind, MAIL_PACKET);
    assert_int_equal(l.head_len, head);
    assert_int_equal(l.body_len, body);
    assert_int_equal((uintptr_t)l.head % 16, 0);
    assert_int_equal((uintptr_t)l.body % 16, 0);
    for (uint32_t i = 0; i < head; i++)
        assert_int_equal(l.head[i], (uint8_t)seed);
    for (uint32_t i = 0; i < body; i++)
        assert_int_equal(l.body[i], (uint8_t)(seed + i * 7));
    mail_done(&o->core[1], &l);
}

/* Every size at every place in the ring: whatever does not fit before its end is written at its
 * start. */
static void every_size_up_to_half_a_ring_passes_wherever_it_begins(void **state)
{
    struct office o;
    uint32_t seed = 0, most = RING / 2 - RECORD;

    (void)state;
    office_open(&o, RING);
    for (uint32_t body = 0; body <= most; body++) {
        for (uint32_t begin = 0; begin < RING / RECORD; begin++) {
            assert_true(send_packet(&o, 0, body, seed));
            expect_packet(&o, 0, body, seed);
            seed++;
            /* The smallest letter there is, to begin elsewhere next time. */
            assert_true(mail_send(&o.core[0], 1, MAIL_PORT, NULL, 0, NULL));
            struct letter l;
            assert_true(mail_waits(&o.core[1]) && mail_next(&o.core[1], &l));
            assert_int_equal(l.head_len + l.body_len, 0);
            mail_done(&o.core[1], &l);
        }
    }
    assert_int_equal(o.core[0].stats.full, 0);
    office_close(&o);
}

static void heads_of_every_size_pass(void **state)
{
    struct office o;

    (void)state;
    office_open(&o, RING);
    for (uint32_t head = 0; head <= MAIL_HEAD_MAX; head++) {
        assert_true(send_packet(&o, head, 100, head));
        expect_packet(&o, head, 100, head);
    }
    assert_int_equal(o.core[0].stats.packets_sent, MAIL_HEAD_MAX + 1);
    assert_int_equal(o.core[1].stats.packets_received, MAIL_HEAD_MAX + 1);
    office_close(&o);
}

static void a_letter_longer_than_half_a_ring_is_refused(void **state)
{
    struct office o;

    (void)state;
    office_open(&o, RING);
    assert_false(send_packet(&o, 0, RING / 2 - RECORD + 1, 1));
    assert_false(send_packet(&o, 0, 60000, 1));
    assert_int_equal(o.core[0].stats.too_long, 2);
    assert_int_equal(o.core[0].stats.full, 0);
    assert_false(mail_waits(&o.core[1]));
    office_close(&o);
}

static void a_whole_datagram_passes_through_a_ring_of_a_quarter_megabyte(void **state)
{
    struct office o;

    (void)state;
    office_open(&o, 1 << 18);
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(send_packet(&o, 8, 65535, i));
        expect_packet(&o, 8, 65535, i);
    }
    office_close(&o);
}

static void a_full_ring_refuses_and_counts_and_accepts_again(void **state)
{
    struct office o;
    uint32_t v, sent = 0;
    unsigned from;

    (void)state;
    office_open(&o, RING);
    while (send_number(&o, 0, 1, sent))
        sent++;
    assert_int_equal(sent, RING / (2 * RECORD));
    assert_false(send_number(&o, 0, 1, 99));
    assert_int_equal(o.core[0].stats.full, 2);
    assert_int_equal(o.core[0].stats.sent, sent);
    /* Others' rings are theirs. */
    assert_true(send_number(&o, 2, 3, 1000));
    assert_true(send_number(&o, 0, 3, 1000));
    assert_true(read_number(&o, 1, &v, &from));
    assert_int_equal(v, 0);
    assert_true(send_number(&o, 0, 1, sent));
    assert_false(send_number(&o, 0, 1, 99));
    for (uint32_t i = 1; i <= sent; i++) {
        assert_true(read_number(&o, 1, &v, &from));
        assert_int_equal(v, i);
    }
    assert_false(read_number(&o, 1, &v, &from));
    office_close(&o);
}

static void packets_leave_room_for_what_cores_must_tell_each_other(void **state)
{
    struct office o;
    uint32_t packets = 0, numbers = 0, v;
    unsigned from;

    (void)state;
    office_open(&o, RING);
    while (send_packet(&o, 16, 40, packets))
        packets++;
    while (send_number(&o, 0, 1, numbers))
        numbers++;
    assert_true(numbers >= RING / 8 / (2 * RECORD));
    for (uint32_t i = 0; i < packets; i++)
        expect_packet(&o, 16, 40, i);
    for (uint32_t i = 0; i < numbers; i++) {
        assert_true(read_number(&o, 1, &v, &from));
        assert_int_equal(v, i);
    }
    /* An empty one takes any packet, wherever it was left. */
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(send_packet(&o, 16, RING / 2 - 2 * RECORD, i));
        expect_packet(&o, 16, RING / 2 - 2 * RECORD, i);
        assert_true(send_number(&o, 0, 1, i));
        assert_true(read_number(&o, 1, &v, &from));
    }
    office_close(&o);
}

/* A ring that is never empty, filled by letters of all sizes: fillers and counts hold for as long
 * as anybody looked. */
static void a_ring_that_is_nearly_full_keeps_every_letter_whole(void **state)
{
    struct office o;
    uint32_t first = 0, next = 0, refused = 0, v;
    unsigned from;

    (void)state;
    office_open(&o, RING);
    /* In the ring that lies behind: it stays as it is. */
    assert_true(send_number(&o, 0, 2, 5));
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t size = next * 29 % (RING / 2 - RECORD + 1);
        if (send_packet(&o, 0, size, next)) {
            next++;
            continue;
        }
        refused++;
        assert_true(first < next);
        expect_packet(&o, 0, first * 29 % (RING / 2 - RECORD + 1), first);
        first++;
    }
    assert_true(refused > 1000 && first > 1000);
    assert_true(read_number(&o, 2, &v, &from));
    assert_int_equal(v, 5);
    office_close(&o);
}

/* The counts of bytes are 32 bits wide: more than 4 GiB through one ring. */
static void the_counts_of_a_ring_wrap(void **state)
{
    enum { BODY = 30000 };
    struct office o;
    struct pkt *p;

    (void)state;
    office_open(&o, 1 << 16);
    p = packet(&o, BODY, 3);
    for (uint64_t bytes = 0; bytes < (UINT64_C(9) << 30); bytes += BODY) {
        struct letter l;
        assert_true(mail_send(&o.core[0], 1, MAIL_PACKET, NULL, 0, p));
        assert_true(mail_waits(&o.core[1]) && mail_next(&o.core[1], &l));
        assert_int_equal(l.body_len, BODY);
        assert_int_equal(l.body[BODY - 1], p->data[BODY - 1]);
        mail_done(&o.core[1], &l);
    }
    pkt_put(p);
    office_close(&o);
}

static void a_packet_with_fragments_is_copied_whole(void **state)
{
    struct office o;
    uint8_t a[300], b[101];
    struct letter l;

    (void)state;
    office_open(&o, RING);
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    struct pkt *p = packet(&o, 40, 9);
    p->frags[0] = (struct pkt_frag){.ptr = a, .len = sizeof(a)};
    p->frags[1] = (struct pkt_frag){.ptr = b, .len = sizeof(b)};
    p->nfrags = 2;
    p->frag_len = sizeof(a) + sizeof(b);
    assert_true(mail_send(&o.core[0], 1, MAIL_PACKET, NULL, 0, p));
    pkt_put(p);
    assert_int_equal(o.pool.descs.used, 0);
    assert_true(mail_waits(&o.core[1]) && mail_next(&o.core[1], &l));
    assert_int_equal(l.body_len, 441);
    assert_int_equal(l.body[39], (uint8_t)(9 + 39 * 7));
    assert_int_equal(l.body[40], 'a');
    assert_int_equal(l.body[339], 'a');
    assert_int_equal(l.body[340], 'b');
    assert_int_equal(l.body[440], 'b');
    mail_done(&o.core[1], &l);
    office_close(&o);
}

static void writers_are_read_round_and_round(void **state)
{
    static const unsigned expect[] = {1, 2, 3, 1, 2, 3, 1, 3, 3};
    struct office o;
    uint32_t v, seen[CORES] = {0};
    unsigned from;

    (void)state;
    office_open(&o, RING);
    for (uint32_t i = 0; i < 3; i++)
        send_number(&o, 1, 0, i);
    for (uint32_t i = 0; i < 2; i++)
        send_number(&o, 2, 0, i);
    for (uint32_t i = 0; i < 4; i++)
        send_number(&o, 3, 0, i);
    for (unsigned i = 0; i < ARRAY_LEN(expect); i++) {
        assert_true(read_number(&o, 0, &v, &from));
        assert_int_equal(from, expect[i]);
        assert_int_equal(v, seen[from]++);
    }
    assert_false(read_number(&o, 0, &v, &from));
    office_close(&o);
}

static void who_waits_is_not_forgotten_when_another_writes(void **state)
{
    struct office o;
    uint32_t v;
    unsigned from;

    (void)state;
    office_open(&o, RING);
    send_number(&o, 1, 0, 1);
    send_number(&o, 1, 0, 2);
    assert_true(read_number(&o, 0, &v, &from));
    send_number(&o, 2, 0, 1);
    assert_true(read_number(&o, 0, &v, &from));
    assert_true(read_number(&o, 0, &v, &from));
    assert_false(read_number(&o, 0, &v, &from));
    office_close(&o);
}

static void sixty_four_cores_write_to_each_other(void **state)
{
    static struct mail core[MAIL_CORES_MAX];
    size_t bytes = align_up(mail_bytes(MAIL_CORES_MAX, RING), 4096);
    void *memory = aligned_alloc(4096, bytes);
    struct letter l;

    (void)state;
    memset(memory, 0, bytes);
    mail_format(memory, MAIL_CORES_MAX, RING);
    for (unsigned c = 0; c < MAIL_CORES_MAX; c++)
        mail_open(&core[c], memory, c);
    for (unsigned from = 0; from < MAIL_CORES_MAX; from++)
        for (unsigned to = 0; to < MAIL_CORES_MAX; to++)
            if (from != to)
                assert_true(mail_send(&core[from], to, MAIL_ARP, &to, sizeof(to), NULL));
    for (unsigned at = 0; at < MAIL_CORES_MAX; at++) {
        uint64_t seen = UINT64_C(1) << at;
        mail_waits(&core[at]);
        while (mail_next(&core[at], &l)) {
            assert_int_equal(seen >> l.from & 1, 0);
            assert_memory_equal(l.head, &at, sizeof(at));
            seen |= UINT64_C(1) << l.from;
            mail_done(&core[at], &l);
        }
        assert_true(seen == UINT64_MAX);
    }
    free(memory);
}

static void nobody_falls_asleep_before_mail(void **state)
{
    struct office o;
    uint32_t v;
    unsigned from;

    (void)state;
    office_open(&o, RING);
    assert_true(mail_asleep(&o.core[1]));
    mail_awake(&o.core[1]);
    send_number(&o, 0, 1, 1);
    assert_false(mail_asleep(&o.core[1]));
    mail_awake(&o.core[1]);
    assert_int_equal(mail_take_wakes(&o.core[0]), 0);
    /* Taken note of, not yet read. */
    assert_true(mail_waits(&o.core[1]));
    assert_false(mail_asleep(&o.core[1]));
    mail_awake(&o.core[1]);
    assert_true(read_number(&o, 1, &v, &from));
    assert_false(read_number(&o, 1, &v, &from));
    assert_true(mail_asleep(&o.core[1]));
    mail_awake(&o.core[1]);
    office_close(&o);
}

static void of_several_writers_to_a_sleeper_one_wakes_it(void **state)
{
    struct office o;

    (void)state;
    office_open(&o, RING);
    assert_true(mail_asleep(&o.core[1]));
    send_number(&o, 3, 1, 1);
    send_number(&o, 3, 1, 2);
    send_number(&o, 0, 1, 1);
    send_number(&o, 2, 1, 1);
    assert_int_equal(mail_take_wakes(&o.core[3]), 1u << 1);
    assert_int_equal(mail_take_wakes(&o.core[3]), 0);
    assert_int_equal(mail_take_wakes(&o.core[0]), 0);
    assert_int_equal(mail_take_wakes(&o.core[2]), 0);
    assert_int_equal(o.core[3].stats.wakes, 1);
    mail_awake(&o.core[1]);
    assert_true(mail_waits(&o.core[1]));
    office_close(&o);
}

static void who_is_awake_is_not_woken(void **state)
{
    struct office o;

    (void)state;
    office_open(&o, RING);
    assert_true(mail_asleep(&o.core[1]));
    mail_awake(&o.core[1]);
    send_number(&o, 0, 1, 1);
    assert_int_equal(mail_take_wakes(&o.core[0]), 0);
    office_close(&o);
}

static void what_nobody_can_mean_is_a_bug_of_ours(void **state)
{
    struct office o;

    (void)state;
    office_open(&o, RING);
    expect_panic(send_number(&o, 0, CORES, 1));
    expect_panic(send_number(&o, 0, 0, 1));
    expect_panic(mail_open(&o.core[0], o.memory, CORES));
    expect_panic(mail_format(o.memory, CORES, 1000));
    expect_panic(mail_format(o.memory, CORES, 512));
    expect_panic(mail_format(o.memory, CORES, UINT32_C(1) << 31));
    office_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_arrive_in_order),
        cmocka_unit_test(a_letter_stays_until_it_is_done),
        cmocka_unit_test(every_size_up_to_half_a_ring_passes_wherever_it_begins),
        cmocka_unit_test(heads_of_every_size_pass),
        cmocka_unit_test(a_letter_longer_than_half_a_ring_is_refused),
        cmocka_unit_test(a_whole_datagram_passes_through_a_ring_of_a_quarter_megabyte),
        cmocka_unit_test(a_full_ring_refuses_and_counts_and_accepts_again),
        cmocka_unit_test(packets_leave_room_for_what_cores_must_tell_each_other),
        cmocka_unit_test(a_ring_that_is_nearly_full_keeps_every_letter_whole),
        cmocka_unit_test(the_counts_of_a_ring_wrap),
        cmocka_unit_test(a_packet_with_fragments_is_copied_whole),
        cmocka_unit_test(writers_are_read_round_and_round),
        cmocka_unit_test(who_waits_is_not_forgotten_when_another_writes),
        cmocka_unit_test(sixty_four_cores_write_to_each_other),
        cmocka_unit_test(nobody_falls_asleep_before_mail),
        cmocka_unit_test(of_several_writers_to_a_sleeper_one_wakes_it),
        cmocka_unit_test(who_is_awake_is_not_woken),
        cmocka_unit_test(what_nobody_can_mean_is_a_bug_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
