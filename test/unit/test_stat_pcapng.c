/* Capture files: block by block here, and as Wireshark's own reader sees them. */
#include "lib/cmocka_first.h"

#include <unistd.h>

#include "stat/pcapng.h"

#define FILE_MAX 2048
#define NOON_US UINT64_C(1700000000123456)

/* An ARP request, cut so that it needs padding. */
static const uint8_t arp[42] = {
    255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8,  6, 0, 1, 8, 0, 6,  4, 0,
    1,   2,   0,   0,   0,   0,   1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
};
/* An IPv4 datagram of UDP from port 1 to port 2, with one byte. */
static const uint8_t udp[29] = {
    0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0x66, 0xce, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 9,
    0, 0, 'x',
};

static uint32_t u32_at(const uint8_t *b)
{
    uint32_t v;
    memcpy(&v, b, 4);
    return v;
}

static struct pcapng_packet arp_packet(const struct pcapng_part *parts)
{
    return (struct pcapng_packet){
        .us = NOON_US,
        .dir = PCAPNG_DIR_IN,
        .comment = "dropped: no route",
        .part = parts,
        .parts = 2,
    };
}

static const struct pcapng_part arp_parts[2] = {{arp, 14}, {arp + 14, 28}};
static const struct pcapng_part udp_parts[1] = {{udp, 29}};

/* One of every block; returns the bytes written, 0 where they do not fit. */
static size_t write_file(uint8_t *b, size_t size)
{
    struct pcapng_packet first = arp_packet(arp_parts);
    struct pcapng_packet second = {
        .iface = 1,
        .us = NOON_US + 2000000,
        .orig_len = 1500,
        .dir = PCAPNG_DIR_OUT,
        .part = udp_parts,
        .parts = 1,
    };
    size_t n = 0, block;

    for (int i = 0; i < 6; i++) {
        uint8_t *p = b + n;
        size_t room = size - n;

        switch (i) {
        case 0:
            block = pcapng_section(p, room, "millrace");
            break;
        case 1:
            block = pcapng_interface(p, room, PCAPNG_ETHERNET, 0, "mem0");
            break;
        case 2:
            block = pcapng_interface(p, room, PCAPNG_RAW, 96, NULL);
            break;
        case 3:
            block = pcapng_packet(p, room, &first);
            break;
        case 4:
            block = pcapng_packet(p, room, &second);
            break;
        default:
            block = pcapng_stats(p, room, 0, NOON_US, 7, 5);
            break;
        }
        if (block == 0)
            return 0;
        n += block;
    }
    return n;
}

static void the_lengths_at_both_ends_of_every_block_lead_through_the_file(void **state)
{
    static const uint32_t types[] = {0x0a0d0d0a, 1, 1, 6, 6, 5};
    uint8_t b[FILE_MAX];
    size_t n = write_file(b, sizeof(b)), at = 0;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        uint32_t len = u32_at(b + at + 4);
        assert_int_equal(u32_at(b + at), types[i]);
        assert_int_equal(len % 4, 0);
        assert_true(at + len <= n);
        assert_int_equal(u32_at(b + at + len - 4), len);
        at += len;
    }
    assert_int_equal(at, n);
}

static void a_packet_in_pieces_is_one_packet(void **state)
{
    struct pcapng_packet p = arp_packet(arp_parts);
    uint8_t b[200];

    (void)state;
    assert_true(pcapng_packet(b, sizeof(b), &p) > 0);
    assert_int_equal(u32_at(b + 12), NOON_US >> 32);
    assert_int_equal(u32_at(b + 16), (uint32_t)NOON_US);
    assert_int_equal(u32_at(b + 20), sizeof(arp));
    assert_int_equal(u32_at(b + 24), sizeof(arp));
    assert_memory_equal(b + 28, arp, sizeof(arp));
    assert_int_equal(b[28 + 42] | b[28 + 43], 0);
}

static void a_file_that_does_not_fit_is_reported_and_nothing_past_its_end_is_touched(void **state)
{
    uint8_t whole[FILE_MAX];
    size_t n = write_file(whole, sizeof(whole));

    (void)state;
    for (size_t size = 0; size < n; size++) {
        uint8_t *b = malloc(size);
        assert_int_equal(write_file(b, size), 0);
        free(b);
    }
}

static void check_line(FILE *f, const char *want)
{
    char line[200];

    assert_non_null(fgets(line, sizeof(line), f));
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, want);
}

/* Wireshark's reader finds interfaces, times, directions, comments and packets. */
static void wireshark_reads_what_was_written(void **state)
{
    char name[] = "/tmp/millrace-pcapng-XXXXXX", command[400];
    uint8_t b[FILE_MAX];
    size_t n = write_file(b, sizeof(b));

    (void)state;
    if (system("command -v tshark >/dev/null 2>&1") != 0) {
        print_message("# skipped: tshark is not installed\n");
        skip();
    }
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b, n), n);
    close(fd);
    snprintf(command, sizeof(command),
             "tshark -n -r %s -T fields -E separator=, -e frame.interface_id -e frame.time_epoch"
             " -e frame.len -e frame.cap_len -e frame.packet_flags_direction -e frame.protocols"
             " -e frame.comment 2>/dev/null",
             name);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    check_line(f, "0,1700000000.123456000,42,42,0x00000001,eth:ethertype:arp,dropped: no route");
    check_line(f, "1,1700000002.123456000,1500,29,0x00000002,raw:ip:udp:data,");
    assert_int_equal(fgetc(f), EOF);
    assert_int_equal(pclose(f), 0);
    unlink(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lengths_at_both_ends_of_every_block_lead_through_the_file),
        cmocka_unit_test(a_packet_in_pieces_is_one_packet),
        cmocka_unit_test(
            a_file_that_does_not_fit_is_reported_and_nothing_past_its_end_is_touched),
        cmocka_unit_test(wireshark_reads_what_was_written),
    };
    return cmocka_run_group_tests_name("stat_pcapng", tests, NULL, NULL);
}
