/* sdn: the first hosts of a switch get to the seat although letters are lost.
 *
 *     switch  -----  core 1: far  <--letters-->  core 0: seat */
#include "lib/sdn_world.h"

static const uint8_t told[6] = {0x80, 0, 0, 0, 0, 1};
static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct sdn_world seat, far_away;

static void open_both(void)
{
    struct sdn_config c = world_config();

    c.mode = SDN_NETWORK;
    c.cores = 2;
    world_open(&seat, &c);
    c.core = 1;
    world_open(&far_away, &c);
    far_away.seat = &seat;
}

static void close_both(void)
{
    world_close(&far_away);
    world_close(&seat);
}

static void say_frame_from(struct sdn_line *l, uint32_t buffer, uint32_t port, const uint8_t *dst,
                           const uint8_t *src)
{
    uint8_t frame[64], b[256];
    size_t n;

    a_frame(frame, dst, src);
    n = packet_in_bytes(l->dialect, b, sizeof(b), buffer, port, frame, sizeof(frame));
    assert_int_equal(line_say(l, b, n), n);
}

/* What the switch is told next, flows and packets only. */
static const uint8_t *next_answer(struct sdn_line *l)
{
    const uint8_t *m;

    while ((m = line_next(l)) != NULL)
        if ((m[1] == 14 && load_be16(m + 56) == OFPFC_ADD) ||
            (m[1] == 13 && load_be32(m + 8) != OFP_NO_BUFFER))
            break;
    return m;
}

/* A switch at core 1, and its first host is heard at port 2, right behind FEATURES_REPLY. */
static void open_with_a_host(struct sdn_line *l)
{
    uint8_t b[512];

    open_both();
    line_open(l, &far_away, OFP_10);
    line_say(l, b, hello_bytes(OFP_10, b, sizeof(b)));
    line_say(l, b, features_bytes(OFP_10, 1, 2, b, sizeof(b)));
    say_frame_from(l, OFP_NO_BUFFER, 2, all, told);
}

/* Another sends to it from port 1: a flow, and the frame in that buffer along with it. */
static void is_reached(struct sdn_line *l, uint32_t buffer)
{
    static const uint8_t src[6] = {0, 1, 0, 0, 0, 1};

    say_frame_from(l, buffer, 1, told, src);
    const uint8_t *m = next_answer(l);
    assert_non_null(m);
    assert_int_equal(m[1], 14);
    assert_int_equal(load_be32(m + 64), buffer);
}

/* cbench's host is heard once, right behind FEATURES_REPLY. */
static void the_first_host_is_told_again_until_the_seat_knows_it(void **state)
{
    static struct sdn_line l;
    const struct mac_addr mac = {{0x80, 0, 0, 0, 0, 1}};

    (void)state;
    open_with_a_host(&l);
    world_pump(&far_away); /* the claim, and that it is accepted */
    far_away.mute = true;
    world_pump(&far_away); /* the report is lost */
    assert_int_equal(net_host_find(seat.s, &mac, 0), NET_NONE);
    for (uint32_t i = 1; i < 4; i++)
        is_reached(&l, i);
    far_away.mute = false;
    for (unsigned i = 0; i < 4; i++)
        world_advance(&far_away, 300000);
    assert_int_not_equal(net_host_find(seat.s, &mac, 0), NET_NONE);
    assert_int_not_equal(net_host_find(far_away.s, &mac, 0), NET_NONE);
    assert_int_equal(sdn_switch_find(far_away.s, 1)->early, 0);
    line_close(&l);
    close_both();
}

/* A flow to its own port goes to no switch that could be lost (fuzz_sdn). */
static void hosts_of_a_switch_that_the_seat_does_not_know_yet_reach_each_other(void **state)
{
    static struct sdn_line l;

    (void)state;
    open_with_a_host(&l);
    is_reached(&l, 7);
    line_close(&l);
    close_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_host_is_told_again_until_the_seat_knows_it),
        cmocka_unit_test(hosts_of_a_switch_that_the_seat_does_not_know_yet_reach_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
