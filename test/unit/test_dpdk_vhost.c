/* DPDK's ports, both ends in this process and without huge pages: vhost in one, virtio_user in the
 * other. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <unistd.h>

#include "base/csum.h"
#include "drv/dev.h"
#include "os/os.h"

#define ARENA ((size_t)64 << 20)
#define SENDING 512u
#define SEND_BUF 4096u
#define PATIENCE_US 3000000u

static char path[64], why[300];

struct end {
    struct mem m;
    struct nic *nic;
    struct pkt_pool pool; /* of what it sends */
};

static struct end vhost, virtio;

static bool open_end(struct end *e, const char *device, const struct dev_config *wanted)
{
    struct dev_config c = *wanted;
    char spec[200];

    snprintf(spec, sizeof(spec), "dpdk:%s=%s", device, path);
    c.eal = "--no-huge";
    mem_init(&e->m, os_reserve(ARENA, false), ARENA);
    const struct dev_kind *kind = dev_find(spec, &c.name, why, sizeof(why));
    assert_non_null(kind);
    size_t bytes = kind->bytes(&c);
    /* A port borrows its name. */
    char *name = strdup(c.name);
    c.name = name;
    e->nic = kind->open(&e->m, &c, why, sizeof(why));
    free(name);
    assert_true(e->m.used <= bytes);
    if (e->nic)
        pkt_pool_init(&e->pool, &e->m, "sending", SENDING, SEND_BUF, PKT_HEADROOM, NULL);
    return e->nic != NULL;
}

static void close_end(struct end *e)
{
    if (e->nic)
        e->nic->ops->close(e->nic);
    os_release(e->m.base, ARENA);
    e->nic = NULL;
}

static void wait_for_link(struct end *e)
{
    uint64_t end = os_now_us() + PATIENCE_US;

    while (!e->nic->ops->link_is_up(e->nic) && os_now_us() < end)
        usleep(1000);
    assert_true(e->nic->ops->link_is_up(e->nic));
}

static void open_both(const struct dev_config *c)
{
    if (!open_end(&vhost, "net_vhost0,iface", c))
        fail_msg("%s", why);
    if (!open_end(&virtio, "net_virtio_user0,path", c))
        fail_msg("%s", why);
    wait_for_link(&vhost);
    for (unsigned i = 0; i < vhost.nic->caps.queues; i++) {
        assert_int_equal(vhost.nic->ops->attach(vhost.nic, i), 0);
        assert_int_equal(virtio.nic->ops->attach(virtio.nic, i), 0);
    }
}

static void close_both(void)
{
    for (unsigned i = 0; i < vhost.nic->caps.queues; i++) {
        vhost.nic->ops->detach(vhost.nic, i);
        virtio.nic->ops->detach(virtio.nic, i);
    }
    close_end(&virtio);
    close_end(&vhost);
}

/* ---- frames ----------------------------------------------------------------------------- */

#define L3 14u
#define L4 34u
#define PAYLOAD 42u

static uint8_t byte_of(uint32_t number, uint32_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

/* UDP, numbered in its source port. */
static void fill(uint8_t *f, uint32_t len, uint16_t number)
{
    memset(f, 0, PAYLOAD);
    memset(f, 0x02, 12);
    store_be16(f + 12, 0x0800);
    f[L3] = 0x45;
    store_be16(f + L3 + 2, (uint16_t)(len - L3));
    f[L3 + 8] = 64;
    f[L3 + 9] = 17;
    memcpy(f + L3 + 12, "\x0a\x09\0\x01\x0a\x09\0\x02", 8);
    uint16_t sum = csum_finish(csum_add_portable(f + L3, 20, 0));
    memcpy(f + L3 + 10, &sum, 2);
    store_be16(f + L4, number);
    store_be16(f + L4 + 2, 7);
    store_be16(f + L4 + 4, (uint16_t)(len - L4));
    for (uint32_t i = PAYLOAD; i < len; i++)
        f[i] = byte_of(number, i);
}

static struct pkt *frame(struct end *e, uint32_t len, uint16_t number)
{
    struct pkt *p = pkt_get(&e->pool);

    assert_non_null(p);
    fill(p->data, len, number);
    p->len = len;
    p->l3_off = PKT_HEADROOM + L3;
    p->l4_off = PKT_HEADROOM + L4;
    return p;
}

static uint64_t pseudo_sum(const uint8_t *f, uint32_t len)
{
    uint8_t tail[4] = {0, f[L3 + 9]};

    store_be16(tail + 2, (uint16_t)(len - L4));
    return csum_add_portable(tail, 4, csum_add_portable(f + L3 + 12, 8, 0));
}

/* The sum that a receiver that checks finds: 0 is right. */
static uint16_t check_udp(const uint8_t *f, uint32_t len)
{
    return csum_finish(csum_add_portable(f + L4, len - L4, pseudo_sum(f, len)));
}

/* The next frame at a queue, waited for. */
static struct pkt *next_at(struct end *e, unsigned queue)
{
    uint64_t end = os_now_us() + PATIENCE_US;
    struct pkt *p;

    while (nic_rx_burst(e->nic, queue, &p, 1) == 0)
        if (os_now_us() > end)
            fail_msg("no frame came");
    return p;
}

static void send_all(struct end *e, unsigned queue, struct pkt **p, unsigned n)
{
    uint64_t end = os_now_us() + PATIENCE_US;

    for (unsigned k = 0; k < n; k += nic_tx_burst(e->nic, queue, p + k, n - k))
        if (os_now_us() > end)
            fail_msg("%u of %u frames sent", k, n);
}

static void expect(struct end *e, unsigned queue, uint32_t len, uint16_t number)
{
    struct pkt *p = next_at(e, queue);
    static uint8_t want[SEND_BUF];

    fill(want, len, number);
    assert_int_equal(p->len, len);
    assert_int_equal(p->nfrags, 0);
    assert_memory_equal(p->data, want, len);
    assert_int_equal(p->data - p->buf, pkt_headroom(p));
    pkt_put(p);
}

static void expect_nothing_is_missing(struct end *e)
{
    for (unsigned i = 0; i < e->nic->caps.queues; i++)
        assert_int_equal(nic_rx_pool(e->nic, i)->descs.used, 0);
    assert_int_equal(e->pool.descs.used, 0);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void bursts(struct end *from, struct end *to)
{
    static const uint32_t sizes[] = {60, 64, 256, 257, 700, 1514};
    struct pkt *p[32];

    for (uint16_t round = 0; round < 300; round++) {
        for (uint16_t i = 0; i < 32; i++)
            p[i] = frame(from, sizes[(round + i) % ARRAY_LEN(sizes)], (uint16_t)(round * 32 + i));
        send_all(from, 0, p, 32);
        for (uint16_t i = 0; i < 32; i++)
            expect(to, 0, sizes[(round + i) % ARRAY_LEN(sizes)], (uint16_t)(round * 32 + i));
    }
}

static void frames_of_all_sizes_cross_both_ways_and_nothing_is_kept(void **state)
{
    struct dev_config c = {.queues = 1};

    (void)state;
    open_both(&c);
    bursts(&vhost, &virtio);
    bursts(&virtio, &vhost);
    expect_nothing_is_missing(&vhost);
    expect_nothing_is_missing(&virtio);
    assert_int_equal(vhost.nic->stats[0].rx_packets, 9600);
    assert_int_equal(virtio.nic->stats[0].tx_packets, 9600);
    assert_int_equal(virtio.nic->stats[0].rx_bytes, vhost.nic->stats[0].tx_bytes);
    close_both();
}

static void frags(struct end *from, struct end *to)
{
    static uint8_t whole[SEND_BUF];

    for (uint16_t i = 0; i < 400; i++) {
        struct pkt *p = frame(from, 1400, i);
        memcpy(whole, p->data, p->len);
        p->len = 60;
        p->nfrags = 3;
        p->frags[0] = (struct pkt_frag){whole + 60, 1, MEM_NONE};
        p->frags[1] = (struct pkt_frag){whole + 61, 700, MEM_NONE};
        p->frags[2] = (struct pkt_frag){whole + 761, 1400 - 761, MEM_NONE};
        p->frag_len = 1340;
        send_all(from, 0, &p, 1);
        expect(to, 0, 1400, i);
    }
}

static void a_packet_of_several_pieces_arrives_as_one(void **state)
{
    struct dev_config c = {.queues = 1};

    (void)state;
    open_both(&c);
    frags(&vhost, &virtio);
    frags(&virtio, &vhost);
    expect_nothing_is_missing(&vhost);
    expect_nothing_is_missing(&virtio);
    close_both();
}

#define LARGE 60000u

/* IPv4 and TCP, of many segments, with a payload that can be told. */
static void fill_large(uint8_t *f)
{
    fill(f, 60, 1);
    store_be16(f + L3 + 2, (uint16_t)(LARGE - L3));
    f[L3 + 9] = 6;
    memset(f + L3 + 10, 0, 2);
    uint16_t sum = csum_finish(csum_add_portable(f + L3, 20, 0));
    memcpy(f + L3 + 10, &sum, 2);
    f[L4 + 12] = 0x50;
    for (uint32_t i = L4 + 20; i < LARGE; i++)
        f[i] = byte_of(77, i);
    sum = csum_fold(pseudo_sum(f, LARGE));
    memcpy(f + L4 + 16, &sum, 2);
}

static void a_large_segment_crosses_whole_in_one_buffer(void **state)
{
    struct dev_config c = {.queues = 1};
    static uint8_t whole[LARGE];
    struct pkt *p;

    (void)state;
    assert_true(open_end(&vhost, "net_vhost0,iface", &c));
    assert_true(open_end(&virtio, "net_virtio_user0,path", &c));
    wait_for_link(&vhost);
    assert_true(virtio.nic->caps.tso_max > LARGE);
    assert_true(vhost.nic->caps.rx_coalesces);
    fill_large(whole);
    for (unsigned i = 0; i < 100; i++) {
        p = frame(&virtio, 60, 1);
        memcpy(p->data, whole, L4 + 20);
        p->len = L4 + 20;
        p->nfrags = 2;
        p->frags[0] = (struct pkt_frag){whole + p->len, 16000, MEM_NONE};
        p->frags[1] = (struct pkt_frag){whole + p->len + 16000, LARGE - 16000 - p->len, MEM_NONE};
        p->frag_len = LARGE - p->len;
        p->flags = PKT_CSUM_PARTIAL;
        p->gso_size = 1448;
        send_all(&virtio, 0, &p, 1);
        p = next_at(&vhost, 0);
        assert_int_equal(p->len, LARGE);
        assert_int_equal(p->gso_size, 1448);
        assert_true(p->flags & PKT_CSUM_OK);
        assert_memory_equal(p->data, whole, L4 + 16);
        assert_memory_equal(p->data + L4 + 20, whole + L4 + 20, LARGE - L4 - 20);
        pkt_put(p);
    }
    expect_nothing_is_missing(&virtio);
    close_end(&virtio);
    close_end(&vhost);
}

/* A received packet is sent in the mbuf that it came in. */
static void what_is_received_can_be_sent_on_and_back(void **state)
{
    struct dev_config c = {.queues = 1};
    struct pkt *p;

    (void)state;
    open_both(&c);
    for (uint32_t i = 0; i < 20000; i++) {
        p = frame(&vhost, 300, (uint16_t)i);
        send_all(&vhost, 0, &p, 1);
        p = next_at(&virtio, 0);
        pkt_pull(p, 14);
        pkt_push(p, 14);
        send_all(&virtio, 0, &p, 1);
        p = next_at(&vhost, 0);
        send_all(&vhost, 0, &p, 1);
        expect(&virtio, 0, 300, (uint16_t)i);
    }
    expect_nothing_is_missing(&vhost);
    expect_nothing_is_missing(&virtio);
    close_both();
}

static void four_queues_are_four_ways(void **state)
{
    struct dev_config c = {.queues = 4};

    (void)state;
    open_both(&c);
    assert_int_equal(vhost.nic->caps.queues, 4);
    assert_int_equal(virtio.nic->caps.queues, 4);
    for (uint16_t i = 0; i < 400; i++) {
        struct pkt *p = frame(&vhost, 100, i), *r = frame(&virtio, 1000, i);
        send_all(&vhost, i % 4, &p, 1);
        expect(&virtio, i % 4, 100, i);
        send_all(&virtio, i % 4, &r, 1);
        expect(&vhost, i % 4, 1000, i);
    }
    expect_nothing_is_missing(&vhost);
    expect_nothing_is_missing(&virtio);
    close_both();
}

/* The receiver sees a checksum that is right, or is told that it never left this memory. */
static void partial(struct end *from, struct end *to, bool here)
{
    for (uint16_t i = 1; i < 200; i++) {
        uint32_t len = 100 + i * 3u;
        struct pkt *p = frame(from, len, i);
        uint16_t sum = csum_fold(pseudo_sum(p->data, len));
        memcpy(p->data + L4 + 6, &sum, 2);
        p->flags = PKT_CSUM_PARTIAL;
        send_all(from, 0, &p, 1);
        struct pkt *r = next_at(to, 0);
        assert_int_equal(r->len, len);
        if (!here && r->flags & PKT_CSUM_PARTIAL) {
            assert_true(r->flags & PKT_CSUM_OK);
            assert_int_equal(r->l4_off, pkt_headroom(r) + L4);
        } else {
            assert_int_equal(check_udp(r->data, len), 0);
        }
        pkt_put(r);
    }
}

static void a_checksum_left_to_the_port_is_finished_or_marked(void **state)
{
    struct dev_config c = {.queues = 1};

    (void)state;
    open_both(&c);
    partial(&vhost, &virtio, false);
    partial(&virtio, &vhost, false);
    close_both();
}

static void without_offloads_a_port_finishes_checksums_itself(void **state)
{
    struct dev_config c = {.queues = 1, .no_offload = true};

    (void)state;
    open_both(&c);
    assert_false(vhost.nic->caps.tx_csum);
    assert_false(virtio.nic->caps.tx_csum);
    assert_int_equal(virtio.nic->caps.tso_max, 0);
    partial(&vhost, &virtio, true);
    partial(&virtio, &vhost, true);
    close_both();
}

static void exhaust(struct end *from, struct end *to)
{
    struct pkt_pool *pool = nic_rx_pool(to->nic, 0);
    struct pkt *held[64], *p;
    unsigned n = 0;

    for (uint16_t i = 0; i < 100; i++) {
        p = frame(from, 60, i);
        send_all(from, 0, &p, 1);
    }
    for (uint64_t end = os_now_us() + PATIENCE_US; n < 64 && os_now_us() < end;)
        n += nic_rx_burst(to->nic, 0, held + n, 64 - n);
    assert_int_equal(n, 64);
    assert_int_equal(pool_available(&pool->descs), 0);
    assert_true(pkt_pool_is_low(pool));
    assert_int_equal(nic_rx_burst(to->nic, 0, &p, 1), 0);
    assert_true(to->nic->stats[0].rx_nobuf > 0);
    for (unsigned i = 0; i < 64; i++)
        pkt_put(held[i]);
    assert_false(pkt_pool_is_low(pool));
    for (uint16_t i = 64; i < 100; i++)
        expect(to, 0, 60, i);
}

static void who_holds_every_buffer_gets_no_more_until_he_gives_some_back(void **state)
{
    struct dev_config c = {.queues = 1, .buffers = 64};

    (void)state;
    open_both(&c);
    exhaust(&vhost, &virtio);
    exhaust(&virtio, &vhost);
    expect_nothing_is_missing(&vhost);
    expect_nothing_is_missing(&virtio);
    close_both();
}

static void what_a_full_ring_does_not_take_stays_the_callers(void **state)
{
    struct dev_config c = {.queues = 1};
    struct pkt *p[SENDING];
    unsigned sent = 0;

    (void)state;
    open_both(&c);
    for (uint16_t i = 0; i < SENDING; i++)
        p[i] = frame(&vhost, 600, i);
    for (unsigned more = 1; more > 0; sent += more)
        more = nic_tx_burst(vhost.nic, 0, p + sent, SENDING - sent);
    assert_true(sent > 0 && sent < SENDING);
    assert_true(vhost.nic->stats[0].tx_full > 0);
    assert_int_equal(vhost.pool.descs.used, SENDING - sent);
    for (uint16_t i = 0; i < sent; i++)
        expect(&virtio, 0, 600, i);
    for (unsigned i = sent; i < SENDING; i++) {
        send_all(&vhost, 0, &p[i], 1);
        expect(&virtio, 0, 600, (uint16_t)i);
    }
    expect_nothing_is_missing(&vhost);
    close_both();
}

static bool is_readable(int fd, uint64_t us)
{
    struct os_wait w = {.fd = fd};

    return os_wait(&w, 1, us) == 1;
}

static void sleep_and_wake(struct end *from, struct end *to)
{
    const struct nic_ops *ops = to->nic->ops;
    int fd = ops->wait_fd(to->nic, 0);

    assert_true(fd >= 0);
    for (uint16_t i = 0; i < 10; i++) {
        struct pkt *p = frame(from, 80, i);
        while (ops->wait_prepare(to->nic, 0))
            assert_int_equal(nic_rx_burst(to->nic, 0, &p, 1), 0);
        assert_false(is_readable(fd, 1000));
        send_all(from, 0, &p, 1);
        assert_true(is_readable(fd, PATIENCE_US));
        expect(to, 0, 80, i);
    }
    struct pkt *p = frame(from, 80, 99);
    send_all(from, 0, &p, 1);
    uint64_t end = os_now_us() + PATIENCE_US;
    while (!ops->wait_prepare(to->nic, 0) && os_now_us() < end)
        ;
    expect(to, 0, 80, 99);
}

static void who_sleeps_is_woken_by_a_frame(void **state)
{
    struct dev_config c = {.queues = 1};

    (void)state;
    open_both(&c);
    sleep_and_wake(&vhost, &virtio);
    sleep_and_wake(&virtio, &vhost);
    close_both();
}

static void frames_to_nobody_are_lost_and_counted(void **state)
{
    struct dev_config c = {.queues = 1};
    struct pkt *p;

    (void)state;
    assert_true(open_end(&vhost, "net_vhost0,iface", &c));
    p = frame(&vhost, 500, 1);
    assert_false(vhost.nic->ops->link_is_up(vhost.nic));
    assert_int_equal(nic_tx_burst(vhost.nic, 0, &p, 1), 1);
    assert_int_equal(vhost.nic->stats[0].tx_error, 1);
    assert_int_equal(vhost.pool.descs.used, 0);
    close_end(&vhost);
}

static void the_other_end_may_go_and_come_again(void **state)
{
    struct dev_config c = {.queues = 1};
    struct pkt *p;

    (void)state;
    open_both(&c);
    for (uint16_t round = 0; round < 3; round++) {
        p = frame(&vhost, 200, round);
        send_all(&vhost, 0, &p, 1);
        expect(&virtio, 0, 200, round);
        virtio.nic->ops->detach(virtio.nic, 0);
        close_end(&virtio);
        for (uint64_t end = os_now_us() + PATIENCE_US; os_now_us() < end; usleep(1000))
            if (!vhost.nic->ops->link_is_up(vhost.nic))
                break;
        p = frame(&vhost, 200, round);
        send_all(&vhost, 0, &p, 1);
        assert_int_equal(vhost.nic->stats[0].tx_error, round + 1);
        if (!open_end(&virtio, "net_virtio_user0,path", &c))
            fail_msg("%s", why);
        assert_int_equal(virtio.nic->ops->attach(virtio.nic, 0), 0);
        wait_for_link(&vhost);
    }
    bursts(&vhost, &virtio);
    bursts(&virtio, &vhost);
    close_both();
}

static void expect_refused(const char *device, const char *because)
{
    struct dev_config c = {.queues = 1};
    struct end e;

    assert_false(open_end(&e, device, &c));
    if (!strstr(why, because) || strchr(why, '\n'))
        fail_msg("said: %s", why);
    close_end(&e);
}

static void what_cannot_be_opened_is_refused_with_one_clear_line(void **state)
{
    struct dev_config c = {.queues = 1};

    (void)state;
    expect_refused("net_nonsense0,iface", "net_nonsense0");
    expect_refused("nonsense,iface", "neither a PCI address nor a virtual device");
    expect_refused("0000:99:00.0,x", "PCI");
    expect_refused("net_virtio_user0,path", "net_virtio_user0");
    expect_refused("net_vhost0,nonsense", "net_vhost0");
    assert_true(open_end(&vhost, "net_vhost0,iface", &c));
    expect_refused("net_vhost0,iface", "already open in this program");
    expect_refused("net_vhost1,iface", "another program listens there");
    close_end(&vhost);
}

static void a_socket_that_a_killed_process_left_is_replaced(void **state)
{
    struct dev_config c = {.queues = 1};
    int fd = os_unix_listen(path);

    (void)state;
    assert_true(fd >= 0);
    os_close(fd);
    assert_int_equal(access(path, F_OK), 0);
    open_both(&c);
    close_both();
}

static int can_run(void **state)
{
    const char *name;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/millrace-dpdk-%d.sock", (int)getpid());
    return dev_find("dpdk:net_null0", &name, why, sizeof(why)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_all_sizes_cross_both_ways_and_nothing_is_kept),
        cmocka_unit_test(a_packet_of_several_pieces_arrives_as_one),
        cmocka_unit_test(a_large_segment_crosses_whole_in_one_buffer),
        cmocka_unit_test(what_is_received_can_be_sent_on_and_back),
        cmocka_unit_test(four_queues_are_four_ways),
        cmocka_unit_test(a_checksum_left_to_the_port_is_finished_or_marked),
        cmocka_unit_test(without_offloads_a_port_finishes_checksums_itself),
        cmocka_unit_test(who_holds_every_buffer_gets_no_more_until_he_gives_some_back),
        cmocka_unit_test(what_a_full_ring_does_not_take_stays_the_callers),
        cmocka_unit_test(who_sleeps_is_woken_by_a_frame),
        cmocka_unit_test(the_other_end_may_go_and_come_again),
        cmocka_unit_test(frames_to_nobody_are_lost_and_counted),
        cmocka_unit_test(what_cannot_be_opened_is_refused_with_one_clear_line),
        cmocka_unit_test(a_socket_that_a_killed_process_left_is_replaced),
    };

    if (can_run(NULL) != 0) {
        printf("1..0 # SKIP %s\n", why);
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return rc;
}
