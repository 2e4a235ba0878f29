/* The capture file holds what was on the wire, with the checksums the wire would have had. */
#include "lib/cmocka_first.h"

#include <fcntl.h>
#include <unistd.h>

#include "host/capture.h"
#include "os/os.h"

#define L3 14u
#define L4 34u

/* An IPv4 packet of TCP (or UDP) with the pseudo-header's sum in the checksum field. */
static uint32_t make_frame(uint8_t *f, uint8_t proto, uint32_t payload)
{
    uint32_t l4_len = (proto == 6 ? 20u : 8u) + payload, len = L4 + l4_len;
    uint8_t pseudo[12] = {10, 0, 0, 1, 10, 0, 0, 2, 0, proto};
    uint16_t sum;

    memset(f, 0, len);
    store_be16(f + 12, 0x0800);
    f[L3] = 0x45;
    store_be16(f + L3 + 2, (uint16_t)(20 + l4_len));
    f[L3 + 9] = proto;
    memcpy(f + L3 + 12, pseudo, 8);
    for (uint32_t i = 0; i < payload; i++)
        f[len - 1 - i] = (uint8_t)(i * 7 + 3);
    store_be16(pseudo + 10, (uint16_t)l4_len);
    sum = csum_fold(csum_add_portable(pseudo, 12, 0));
    memcpy(f + L4 + (proto == 6 ? 16 : 6), &sum, 2);
    return len;
}

/* Sum of pseudo-header and segment: all ones when the checksum is right. */
static uint16_t verify(const uint8_t *f, uint8_t proto)
{
    uint32_t l4_len = load_be16(f + L3 + 2) - 20u;
    uint8_t pseudo[12] = {0};

    memcpy(pseudo, f + L3 + 12, 8);
    pseudo[9] = proto;
    store_be16(pseudo + 10, (uint16_t)l4_len);
    return csum_fold(csum_add_portable(f + L4, l4_len, csum_add_portable(pseudo, 12, 0)));
}

static void a_partial_checksum_is_completed_for_tcp_and_udp_of_any_length(void **state)
{
    uint8_t f[2048];

    (void)state;
    for (uint32_t payload = 0; payload < 1461; payload++) {
        uint32_t len = make_frame(f, 6, payload);
        capture_finish_csum(f, len, csum_add_portable);
        assert_int_equal(verify(f, 6), 0xffff);
        len = make_frame(f, 17, payload);
        capture_finish_csum(f, len, csum_add_portable);
        assert_int_equal(verify(f, 17), 0xffff);
    }
}

static void padding_behind_the_packet_is_no_part_of_the_checksum(void **state)
{
    uint8_t f[128] = {0};
    uint32_t len = make_frame(f, 6, 1);

    (void)state;
    memset(f + len, 0x5a, 20);
    capture_finish_csum(f, len + 20, csum_add_portable);
    assert_int_equal(verify(f, 6), 0xffff);
}

static void a_frame_cut_anywhere_is_left_alone_and_not_read_past(void **state)
{
    uint8_t whole[128];
    uint32_t len = make_frame(whole, 6, 10);

    (void)state;
    for (uint32_t n = 0; n < len; n++) {
        uint8_t *f = malloc(n ? n : 1);
        memcpy(f, whole, n);
        capture_finish_csum(f, n, csum_add_portable);
        assert_memory_equal(f, whole, n);
        free(f);
    }
}

static void every_frame_is_in_the_file_when_the_capture_is_closed(void **state)
{
    char path[] = "/tmp/test_host_capture_XXXXXX", why[100];
    struct mem m;
    size_t bytes = 1 << 20;
    struct pkt_pool pool;

    (void)state;
    close(mkstemp(path));
    mem_init(&m, os_reserve(bytes, false), bytes);
    pkt_pool_init(&pool, &m, "test", 16, 2048, PKT_HEADROOM, NULL);
    struct capture_file *f = capture_open(path, "test", "tap0", 1, why, sizeof(why));
    struct capture *c = capture_of(f, 0);
    assert_non_null(c);
    for (unsigned i = 0; i < 3000; i++) {
        struct pkt *p = pkt_get(&pool);
        p->len = make_frame(p->data, 6, 1000);
        p->flags = PKT_CSUM_PARTIAL;
        capture_frame(c, p, i & 1, 1000 + i);
        pkt_put(p);
    }
    assert_int_equal(capture_seen(c), 3000);
    assert_int_equal(capture_lost(c), 0);
    capture_close(f);
    int fd = open(path, O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size > 3000 * (1054 + 32) && size < 3000 * (1054 + 64));
    close(fd);
    unlink(path);
    os_release(m.base, bytes);
}

static void a_file_that_cannot_be_made_is_explained(void **state)
{
    char why[100];

    (void)state;
    assert_null(capture_open("/nowhere/x.pcapng", "test", "tap0", 1, why, sizeof(why)));
    assert_string_equal(why, "--pcap /nowhere/x.pcapng: No such file or directory");
}

static void a_full_disk_ends_the_capture_and_every_frame_lost_is_counted(void **state)
{
    char why[100];
    struct mem m;
    size_t bytes = 1 << 20;
    struct pkt_pool pool;

    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    mem_init(&m, os_reserve(bytes, false), bytes);
    pkt_pool_init(&pool, &m, "test", 4, 2048, PKT_HEADROOM, NULL);
    struct capture_file *f = capture_open("/dev/full", "test", "tap0", 1, why, sizeof(why));
    struct capture *c = capture_of(f, 0);
    assert_non_null(c);
    struct pkt *p = pkt_get(&pool);
    p->len = make_frame(p->data, 17, 100);
    for (unsigned i = 0; i < 10; i++)
        capture_frame(c, p, true, 1);
    capture_flush(c);
    assert_int_equal(capture_lost(c), 10);
    pkt_put(p);
    capture_close(f);
    os_release(m.base, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partial_checksum_is_completed_for_tcp_and_udp_of_any_length),
        cmocka_unit_test(padding_behind_the_packet_is_no_part_of_the_checksum),
        cmocka_unit_test(a_frame_cut_anywhere_is_left_alone_and_not_read_past),
        cmocka_unit_test(every_frame_is_in_the_file_when_the_capture_is_closed),
        cmocka_unit_test(a_file_that_cannot_be_made_is_explained),
        cmocka_unit_test(a_full_disk_ends_the_capture_and_every_frame_lost_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
