/* The scenario runner's own parts: what a script says is what is understood, built and compared. */
#include "lib/cmocka_first.h"

#include "runner/calls.h"
#include "runner/packet.h"
#include "runner/parse.h"
#include "runner/wire_bytes.h"

static struct pkt_spec spec_of(const char *text, bool outgoing)
{
    struct cursor c;
    struct pkt_spec p;

    cursor_init(&c, text);
    if (!parse_packet(&c, &p, outgoing))
        fail_msg("%s: %s", text, c.error);
    return p;
}

static const struct flow_map flow = {
    .proto = SPEC_TCP,
    .local_ip = 0xc0a80001,
    .remote_ip = 0xc0000201,
    .lport = 8080,
    .rport = 49152,
    .has_local = true,
    .local_off = 1000000,
    .remote_off = 0xfffffe00,
    .has_ts = true,
    .ts_off = 77,
};

static void a_packet_printed_is_the_packet_read(void **state)
{
    static const char *const texts[] = {
        "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
        "S. 0:0(0) ack 1 win 1000 <mss 536>",
        ". 1:1461(1460) ack 1 win 257",
        "FP. 1:11(10) ack 99 win 0",
        "R 5:5(0)",
        "- 5:6(1) win 9",
        "P.U 1:3(2) ack 1 win 9 urg 2",
        ". 1:1(0) ack 1 win 9 <nop,nop,sack 1:2 3:4 5:6>",
        ". 1:1(0) ack 1 win 9 <raw 0xfd 0x04 0x01 0x02,eol>",
        "[tos 0x10, ttl 3, df] . 1:1(0) ack 1",
        "udp (1000)",
    };
    char out[400];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pkt_spec p = spec_of(texts[i], false);

        packet_print(out, sizeof(out), &p);
        if (strcmp(texts[i], "FP. 1:11(10) ack 99 win 0") != 0 &&
            strcmp(texts[i], "P.U 1:3(2) ack 1 win 9 urg 2") != 0)
            assert_string_equal(out, texts[i]);
    }
}

static void a_packet_built_is_observed_with_the_same_numbers(void **state)
{
    static uint8_t bytes[IP_PACKET_MAX];
    struct pkt_spec p = spec_of("P. 1:101(100) ack 5 win 9 <nop,nop,TS val 3 ecr 4>", false);
    uint32_t n = packet_build(&p, &flow, bytes);
    struct observed o;
    char why[200] = "";

    (void)state;
    assert_int_equal(n, 20 + 32 + 100);
    if (!packet_observe(bytes, n, &o, why, sizeof(why)))
        fail_msg("%s", why);
    assert_int_equal(o.spec.seq, 1 + flow.remote_off);
    assert_int_equal(o.spec.ack, 5 + flow.local_off);
    assert_int_equal(o.spec.opts[2].ecr, 4 + flow.ts_off);
    assert_int_equal(o.src, flow.remote_ip);
    assert_int_equal(oracle_check(o.payload, 100, SIDE_REMOTE, 0), 100);
}

static void a_wrong_checksum_is_noticed(void **state)
{
    static uint8_t bytes[IP_PACKET_MAX];
    struct pkt_spec p = spec_of("P. 1:101(100) ack 5 win 9 badcsum", false);
    uint32_t n = packet_build(&p, &flow, bytes);
    struct observed o;
    char why[200];

    (void)state;
    assert_false(packet_observe(bytes, n, &o, why, sizeof(why)));
}

static void every_field_that_the_script_names_is_compared(void **state)
{
    static const char *const wanted = "[ttl 64] . 1:11(10) ack 7 win 100 <nop,nop,TS val 5 ecr 6>";
    static const char *const others[] = {
        "[ttl 63] . 1:11(10) ack 7 win 100 <nop,nop,TS val 5 ecr 6>",
        "[ttl 64] P. 1:11(10) ack 7 win 100 <nop,nop,TS val 5 ecr 6>",
        "[ttl 64] . 2:12(10) ack 7 win 100 <nop,nop,TS val 5 ecr 6>",
        "[ttl 64] . 1:12(11) ack 7 win 100 <nop,nop,TS val 5 ecr 6>",
        "[ttl 64] . 1:11(10) ack 8 win 100 <nop,nop,TS val 5 ecr 6>",
        "[ttl 64] . 1:11(10) ack 7 win 101 <nop,nop,TS val 5 ecr 6>",
        "[ttl 64] . 1:11(10) ack 7 win 100 <nop,nop,TS val 5 ecr 7>",
        "[ttl 64] . 1:11(10) ack 7 win 100 <nop,nop,TS val 50 ecr 6>",
        "[ttl 64] . 1:11(10) ack 7 win 100 <TS val 5 ecr 6>",
        "[ttl 64] . 1:11(10) ack 7 win 100",
    };
    struct pkt_spec p = spec_of(wanted, true);
    char why[200];

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct observed o = {.spec = spec_of(others[i], true)};

        assert_false(packet_match(&p, &o, 1, why, sizeof(why)));
    }
    assert_true(packet_match(&p, &(struct observed){.spec = p}, 1, why, sizeof(why)));
}

static void a_fragment_carries_its_part_of_the_segment(void **state)
{
    static uint8_t whole[IP_PACKET_MAX], part[IP_PACKET_MAX];
    struct pkt_spec p = spec_of("udp (100)", false);
    struct pkt_spec f = spec_of("[id 9, frag 24:48, mf] udp (100)", false);
    uint32_t n = packet_build(&p, &flow, whole), m = packet_build(&f, &flow, part);

    (void)state;
    assert_int_equal(n, 20 + 8 + 100);
    assert_int_equal(m, 20 + 48);
    assert_int_equal(get16(part + 6), 0x2000 | 24 / 8);
    assert_memory_equal(whole + 20 + 24, part + 20, 48);
}

static struct when when_of(const char *text)
{
    struct cursor c;
    struct when w;

    cursor_init(&c, text);
    assert_true(parse_when(&c, &w));
    return w;
}

static void times_are_read_in_every_form(void **state)
{
    struct when w;

    (void)state;
    w = when_of("0.25 ");
    assert_int_equal(w.kind, TIME_ABSOLUTE);
    assert_int_equal(w.us, 250000);
    w = when_of("+.000001 ");
    assert_int_equal(w.kind, TIME_RELATIVE);
    assert_int_equal(w.us, 1);
    w = when_of("* ");
    assert_int_equal(w.kind, TIME_ANY);
    w = when_of("+0~+1.5 ");
    assert_true(w.is_range);
    assert_int_equal(w.end_us, 1500000);
    w = when_of("1...2.5 ");
    assert_true(w.blocks);
    assert_int_equal(w.us, 1000000);
    assert_int_equal(w.return_us, 2500000);
}

static void a_script_is_cut_into_its_events(void **state)
{
    static const char text[] = "// a comment\n"
                               "--mtu=1400\n"
                               "`sysctl -q net.ipv4.tcp_sack=0\n timestamps=0`\n"
                               "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3 # end\n"
                               "+0 poll([{fd=3,\n events=POLLIN, revents=POLLIN}], 1, 0) = 1\n"
                               "/* two\n lines */ +0.1 < S 0:0(0) win 1 <mss 1460>\n"
                               "* > S. 0:0(0) ack 1 <...>\n"
                               "+0 read(3, ..., 9) = -1 ECONNRESET (Connection reset by peer)\n"
                               "+0 %{ assert state == ESTABLISHED }%\n";
    struct script s;

    (void)state;
    if (!script_parse(&s, "x.pkt", text))
        fail_msg("%s", s.error);
    assert_int_equal(s.nevents, 6);
    assert_int_equal(s.noptions, 1);
    assert_int_equal(s.nknobs, 2);
    assert_string_equal(s.knobs[1].name, "timestamps");
    assert_int_equal(s.events[0].line, 5);
    assert_int_equal(s.events[1].call.args[0].nlist, 3);
    assert_int_equal(s.events[2].line, 9);
    assert_int_equal(s.events[2].kind, EVENT_PACKET_IN);
    assert_true(s.events[3].pkt.any_opts);
    assert_int_equal(s.events[4].call.result_errno, 104);
    assert_int_equal(s.events[5].kind, EVENT_ASSERT);
    script_free(&s);
}

static void what_is_not_understood_names_its_line(void **state)
{
    static const char *const bad[] = {
        "\n0 < S 0:0(0) <mss 70000>",
        "\n0 < S 0:5(4)",
        "\n0 < Q 0:0(0)",
        "\n0 > S 0:0(0) ack 1 nonsense",
        "\n0 socket(..., SOCK_NONE) = 3",
        "\n0 read(3, ..., 5) = -1 ENONSENSE",
        "\n0~1 < S 0:0(0)",
        "\n* read(3, ..., 1) = 1",
    };
    struct script s;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(script_parse(&s, "x.pkt", bad[i]));
        assert_non_null(strstr(s.error, "x.pkt:2:"));
        script_free(&s);
    }
}

static void a_socket_address_and_a_linger_are_read(void **state)
{
    struct call_spec c;
    struct cursor cur;

    (void)state;
    cursor_init(&cur, "connect(3, {sa_family = AF_INET, sin_port = htons(80), "
                      "sin_addr = inet_addr(\"10.1.2.3\")}, 16) = 0");
    assert_true(parse_call(&cur, &c));
    assert_int_equal(c.args[1].ip, 0x0a010203);
    assert_int_equal(c.args[1].port, 80);
    cursor_init(&cur, "setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0");
    assert_true(parse_call(&cur, &c));
    assert_int_equal(c.args[3].list[0], 1);
    assert_int_equal(c.args[3].list[1], 5);
    assert_int_equal(c.args[2].number, SCN_SO_LINGER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_printed_is_the_packet_read),
        cmocka_unit_test(a_packet_built_is_observed_with_the_same_numbers),
        cmocka_unit_test(a_wrong_checksum_is_noticed),
        cmocka_unit_test(every_field_that_the_script_names_is_compared),
        cmocka_unit_test(a_fragment_carries_its_part_of_the_segment),
        cmocka_unit_test(times_are_read_in_every_form),
        cmocka_unit_test(a_script_is_cut_into_its_events),
        cmocka_unit_test(what_is_not_understood_names_its_line),
        cmocka_unit_test(a_socket_address_and_a_linger_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
