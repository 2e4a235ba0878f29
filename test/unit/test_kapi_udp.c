/* UDP and timers on the kernel back end. */
#define _GNU_SOURCE 1
#include "lib/kapi_world.h"

static struct world w;

static int open_world(void **state)
{
    (void)state;
    world_open(&w, 0);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    kapi_close(w.m);
    return 0;
}

static void a_datagram_arrives_whole_with_its_sender(void **state)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7100), from, own;
    static uint8_t out[65507], in[65507];
    mr_sock a, b;

    (void)state;
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(mr_udp_open(w.m, &at, NULL, &a), MR_OK);
    assert_int_equal(mr_udp_open(w.m, NULL, NULL, &b), MR_OK);
    assert_int_equal(mr_sendto(w.m, b, out, sizeof(out), &at), MR_OK);
    world_await(&w, a, MR_EV_READABLE);
    assert_int_equal(mr_recvfrom(w.m, a, in, sizeof(in), &from), sizeof(out));
    assert_memory_equal(in, out, sizeof(out));
    assert_int_equal(mr_local_addr(w.m, b, &own), MR_OK);
    assert_int_equal(from.port, own.port);
    assert_int_equal(mr_recvfrom(w.m, a, in, sizeof(in), &from), MR_EAGAIN);
    assert_int_equal(mr_sendto(w.m, b, out, 65508, &at), MR_EMSGSIZE);
}

static void a_cut_datagram_tells_its_whole_length(void **state)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7100);
    char in[4] = {0};
    mr_sock a;

    (void)state;
    assert_int_equal(mr_udp_open(w.m, &at, NULL, &a), MR_OK);
    assert_int_equal(mr_sendto(w.m, a, "0123456789", 10, &at), MR_OK);
    world_await(&w, a, MR_EV_READABLE);
    assert_int_equal(mr_recvfrom(w.m, a, in, sizeof(in), NULL), 10);
    assert_memory_equal(in, "0123", 4);
}

static void a_datagram_slice_outlives_the_socket(void **state)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7100), from;
    struct mr_slice sl;
    mr_sock a;

    (void)state;
    assert_int_equal(mr_udp_open(w.m, &at, NULL, &a), MR_OK);
    assert_int_equal(mr_sendto(w.m, a, "", 0, &at), MR_OK);
    assert_int_equal(mr_sendto(w.m, a, "datagram", 8, &at), MR_OK);
    world_await(&w, a, MR_EV_READABLE);
    assert_int_equal(mr_recvfrom_slice(w.m, a, &sl, &from), MR_OK);
    assert_int_equal(sl.len, 0);
    mr_slice_release(w.m, &sl);
    assert_int_equal(mr_recvfrom_slice(w.m, a, &sl, &from), MR_OK);
    assert_int_equal(mr_recvfrom_slice(w.m, a, &sl, &from), MR_EAGAIN);
    mr_close(w.m, a);
    assert_memory_equal(sl.ptr, "datagram", 8);
    mr_slice_release(w.m, &sl);
}

static void tcp_calls_on_a_udp_socket_are_refused(void **state)
{
    mr_sock a;
    char c;

    (void)state;
    assert_int_equal(mr_udp_open(w.m, NULL, NULL, &a), MR_OK);
    assert_int_equal(mr_recv(w.m, a, &c, 1, 0), MR_EBADF);
    assert_int_equal(mr_send(w.m, a, &c, 1, 0), MR_EBADF);
    assert_int_equal(mr_shutdown(w.m, a), MR_EBADF);
    assert_int_equal(mr_setopt(w.m, a, MR_NODELAY, 1), MR_ENOPROTOOPT);
}

/* ---- timers */

static void timers_expire_in_the_order_of_their_deadlines(void **state)
{
    static int tags[64];
    uint64_t start = mr_now_us(w.m);

    (void)state;
    for (int i = 0; i < 64; i++)
        assert_int_equal(
            mr_timer_start(w.m, (uint64_t)((i * 37) % 64) * 500, &tags[(i * 37) % 64], NULL),
            MR_OK);
    while (w.n < 64)
        world_turn(&w);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(w.log[i].type, MR_EV_TIMER);
        assert_ptr_equal(w.log[i].user, &tags[i]);
    }
    assert_true(mr_now_us(w.m) - start >= 63 * 500);
}

static void a_stopped_timer_does_not_expire(void **state)
{
    int early, late;
    mr_timer t;

    (void)state;
    assert_int_equal(mr_timer_start(w.m, 1000, &early, &t), MR_OK);
    assert_int_equal(mr_timer_start(w.m, 2000, &late, NULL), MR_OK);
    mr_timer_stop(w.m, t);
    mr_timer_stop(w.m, t);
    mr_timer_stop(w.m, (mr_timer){0});
    assert_ptr_equal(world_await(&w, MR_SOCK_NONE, MR_EV_TIMER).user, &late);
    assert_int_equal(world_count(&w, MR_SOCK_NONE, MR_EV_TIMER), 1);
}

static void a_timer_restarted_at_once_does_not_stall_the_turn(void **state)
{
    struct mr_event ev;
    int tag, n = 0;

    (void)state;
    assert_int_equal(mr_timer_start(w.m, 0, &tag, NULL), MR_OK);
    for (int turn = 0; turn < 10; turn++) {
        kapi_turn(w.m, TURN_US);
        while (kapi_next_event(w.m, &ev)) {
            n++;
            mr_timer_start(w.m, 0, &tag, NULL);
        }
    }
    assert_true(n >= 1 && n <= 10);
}

static void many_random_timers_expire_in_order_and_none_is_lost(void **state)
{
    static mr_timer t[2000];
    static bool stopped[2000];
    uint64_t x = 88172645463325252u, start = mr_now_us(w.m);
    int armed = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        assert_int_equal(mr_timer_start(w.m, x % 20000, (void *)(uintptr_t)(x % 20000 + 1), &t[i]),
                         MR_OK);
        if (x % 3 == 0) {
            mr_timer_stop(w.m, t[x % (unsigned)(i + 1)]);
            stopped[x % (unsigned)(i + 1)] = true;
        }
    }
    for (int i = 0; i < 2000; i++)
        armed += !stopped[i];
    while (mr_now_us(w.m) < start + 30000)
        world_turn(&w);
    for (int i = 1; i < w.n; i++)
        assert_true((uintptr_t)w.log[i].user >= (uintptr_t)w.log[i - 1].user);
    assert_int_equal(w.n, armed);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_datagram_arrives_whole_with_its_sender),
        IN_WORLD(a_cut_datagram_tells_its_whole_length),
        IN_WORLD(a_datagram_slice_outlives_the_socket),
        IN_WORLD(tcp_calls_on_a_udp_socket_are_refused),
        IN_WORLD(timers_expire_in_the_order_of_their_deadlines),
        IN_WORLD(a_stopped_timer_does_not_expire),
        IN_WORLD(a_timer_restarted_at_once_does_not_stall_the_turn),
        IN_WORLD(many_random_timers_expire_in_order_and_none_is_lost),
    };
    return world_main("kapi_udp", tests, sizeof(tests) / sizeof(tests[0]));
}
