/* The parts of millrace-ofload: what is sent, and messages put together and judged whatever
 * comes. */
#include "lib/cmocka_first.h"

#include "base/hash.h"
#include "tools/ofload_check.c"
#include "tools/ofload_count.c"
#include "tools/ofload_probe.c"
#include "tools/ofload_report.c"
#include "tools/ofload_run.c"
#include "tools/ofload_send.c"
#include "tools/ofload_switch.c"

#include "lib/of_answer.h"

static void macs_carry_as_much_of_the_datapath_id_as_is_asked(void **state)
{
    struct ofl_probes p;
    uint8_t b[OFL_PROBE_BYTES], arp[OFL_ARP_BYTES];
    static const uint8_t narrow[12] = {0x80, 0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 5};
    static const uint8_t wide[12] = {0x80, 0, 0, 0, 3, 5, 0, 1, 0, 0, 3, 5};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_true(ofl_probes_init(&p, 0x305, 2, 10, i == 1));
        ofl_probes_format(&p, b, sizeof(b));
        ofl_probe_next(&p, b, 0);
        ofl_probe_next(&p, b, 0);
        assert_memory_equal(b + 18, i ? wide : narrow, 12);
        assert_int_equal(load_be32(b + 8), 2);
        ofl_arp(&p, arp);
        assert_memory_equal(arp + 24, b + 18, 6);
        ofl_probes_fini(&p);
    }
}

static void the_frame_is_a_good_ipv4_packet(void **state)
{
    struct ofl_probes p;
    uint32_t sum = 0;

    (void)state;
    assert_true(ofl_probes_init(&p, 1, 1, 1, false));
    for (unsigned i = 0; i < 20; i += 2)
        sum += load_be16(p.frame + 18 + 14 + i);
    assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
    assert_int_equal(load_be16(p.frame + 18 + 16), 64 - 14);
    ofl_probes_fini(&p);
}

static void a_buffer_that_comes_round_again_unanswered_is_lost(void **state)
{
    struct ofl_probes p;
    uint8_t b[OFL_PROBE_BYTES];

    (void)state;
    assert_true(ofl_probes_init(&p, 1, 100, 10, false));
    for (unsigned i = 0; i < 25; i++)
        ofl_probe_next(&p, b, i);
    assert_int_equal(p.lost, 15);
    assert_int_equal(p.in_flight, 10);
    ofl_probes_fini(&p);
}

/* A stream of answers of several lengths, given in pieces of every length. */
static void messages_cut_anywhere_are_put_together(void **state)
{
    static const uint8_t barrier[8] = {1, OFT_BARRIER_REQUEST, 0, 8};
    static uint8_t stream[4096];
    static struct ofload load;
    static struct ofl_options options;
    struct ofl_switch s = {.l = &load, .state = OFL_READY};
    uint8_t in[OFL_PROBE_BYTES];

    (void)state;
    load.opt = &options;
    s.cut = malloc(OFL_MESSAGE_MAX);
    s.out = malloc(OFL_OUT_BYTES);
    for (size_t piece = 1; piece < 300; piece++) {
        size_t n = 0;
        assert_true(ofl_probes_init(&s.probes, 1, 100, 100, false));
        ofl_probes_format(&s.probes, in, sizeof(in));
        memset(&load, 0, sizeof(load));
        load.opt = &options;
        s.out_at = s.out_n = 0;
        for (unsigned i = 0; i < 30; i++) {
            ofl_probe_next(&s.probes, in, 0);
            n += answer_in(stream + n, in, i % 3 == 0 ? PACKET_OUT : GOOD);
            memcpy(stream + n, barrier, 8);
            n += 8;
        }
        for (size_t at = 0; at < n; at += piece)
            assert_true(ofl_input(&s, stream + at, min_size(piece, n - at)));
        assert_string_equal(load.first_wrong, "");
        assert_int_equal(load.right_flow_mods, 20);
        assert_int_equal(load.right_packet_outs, 10);
        assert_int_equal(s.out_n, 30 * 8);
        assert_int_equal(s.cut_n, 0);
        ofl_probes_fini(&s.probes);
    }
    free(s.cut);
    free(s.out);
}

/* Nothing a controller sends is read past its end, or believed. */
static void any_bytes_are_survived(void **state)
{
    static struct ofload load;
    static struct ofl_options options;
    struct ofl_switch s = {.l = &load, .state = OFL_READY};
    uint64_t seed = 1;

    (void)state;
    s.cut = malloc(OFL_MESSAGE_MAX);
    s.out = malloc(OFL_OUT_BYTES);
    load.opt = &options;
    assert_true(ofl_probes_init(&s.probes, 1, 100, 100, false));
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t probe[OFL_PROBE_BYTES], *b;
        size_t n;
        memcpy(probe, s.probes.frame, sizeof(probe));
        ofl_probe_next(&s.probes, probe, 0);
        seed = mix64(seed + round);
        n = OFL_HEADER + seed % 120;
        b = malloc(n);
        for (size_t i = 0; i < n; i++)
            b[i] = (uint8_t)(mix64(seed + i) >> 32);
        if (n >= FM && (seed >> 40) % 2)
            flow_mod(b, probe);
        b[0] = 1;
        b[1] = (uint8_t)((seed >> 8) % 22);
        store_be16(b + 2, (uint16_t)n);
        s.cut_n = 0;
        ofl_input(&s, b, n);
        free(b);
    }
    ofl_probes_fini(&s.probes);
    free(s.cut);
    free(s.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(macs_carry_as_much_of_the_datapath_id_as_is_asked),
        cmocka_unit_test(the_frame_is_a_good_ipv4_packet),
        cmocka_unit_test(a_buffer_that_comes_round_again_unanswered_is_lost),
        cmocka_unit_test(messages_cut_anywhere_are_put_together),
        cmocka_unit_test(any_bytes_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
