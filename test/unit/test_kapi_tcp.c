/* TCP on the kernel back end keeps the promises of millrace.h. */
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

static void bytes_sent_arrive_in_order(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[64];

    (void)state;
    assert_int_equal(mr_send(w.m, p.client, "hello ", 6, MR_MORE), 6);
    assert_int_equal(mr_send(w.m, p.client, "world", 5, 0), 5);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 11);
    assert_memory_equal(buf, "hello world", 11);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), MR_EAGAIN);
}

static void peeking_leaves_the_data(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    mr_send(w.m, p.client, "abcd", 4, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), MR_PEEK), 4);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 4);
    assert_memory_equal(buf, "abcd", 4);
}

static void readable_comes_again_for_data_after_a_short_read(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    for (int i = 0; i < 3; i++) {
        mr_send(w.m, p.client, "x", 1, 0);
        world_await(&w, p.server, MR_EV_READABLE);
        assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 1);
        assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), MR_EAGAIN);
    }
}

static void data_and_end_of_stream_in_one_edge_are_both_read(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    mr_send(w.m, p.client, "last", 4, 0);
    mr_shutdown(w.m, p.client);
    world_settle(&w);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 4);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 0);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 0);
}

static void end_of_stream_after_a_short_read_brings_an_edge(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    mr_send(w.m, p.client, "last", 4, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 4);
    mr_shutdown(w.m, p.client);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 0);
}

static void closed_comes_once_without_error_when_both_sides_finished(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    mr_send(w.m, p.client, "unread", 6, 0);
    mr_shutdown(w.m, p.client);
    world_settle(&w);
    assert_int_equal(world_count(&w, p.server, MR_EV_CLOSED), 0);
    assert_int_equal(mr_shutdown(w.m, p.server), MR_OK);
    assert_int_equal(world_await(&w, p.server, MR_EV_CLOSED).err, MR_OK);
    assert_int_equal(world_await(&w, p.client, MR_EV_CLOSED).err, MR_OK);
    world_settle(&w);
    assert_int_equal(world_count(&w, p.server, MR_EV_CLOSED), 1);
    assert_int_equal(world_count(&w, p.client, MR_EV_CLOSED), 1);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 6);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 0);
    assert_int_equal(mr_send(w.m, p.server, "x", 1, 0), MR_EPIPE);
    assert_int_equal(mr_close(w.m, p.server), MR_OK);
}

static void a_reset_is_told_once_and_unread_data_stays(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    mr_send(w.m, p.client, "data", 4, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_abort(w.m, p.client), MR_OK);
    assert_int_equal(world_await(&w, p.server, MR_EV_CLOSED).err, MR_ECONNRESET);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 4);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), MR_ECONNRESET);
    assert_int_equal(mr_send(w.m, p.server, "x", 1, 0), MR_ECONNRESET);
    world_settle(&w);
    assert_int_equal(world_count(&w, p.server, MR_EV_CLOSED), 1);
}

static void a_refused_connection_is_an_event(void **state)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7009);
    mr_sock s;

    (void)state;
    assert_int_equal(mr_connect(w.m, NULL, &at, NULL, &s), MR_OK);
    assert_int_equal(world_await(&w, s, MR_EV_CLOSED).err, MR_ECONNREFUSED);
    assert_int_equal(mr_close(w.m, s), MR_OK);
}

static void a_stale_handle_does_nothing(void **state)
{
    struct pair p = world_pair(&w, 7001);
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7001);
    mr_sock again;
    char buf[4];

    (void)state;
    mr_close(w.m, p.client);
    assert_int_equal(mr_connect(w.m, NULL, &at, NULL, &again), MR_OK);
    assert_false(mr_sock_eq(again, p.client));
    assert_int_equal(mr_recv(w.m, p.client, buf, 4, 0), MR_EBADF);
    assert_int_equal(mr_send(w.m, p.client, buf, 4, 0), MR_EBADF);
    assert_int_equal(mr_close(w.m, p.client), MR_EBADF);
    assert_int_equal(mr_close(w.m, MR_SOCK_NONE), MR_EBADF);
    assert_int_equal(mr_recv(w.m, p.listener, buf, 4, 0), MR_EBADF);
}

static void no_event_comes_for_a_closed_socket(void **state)
{
    struct pair p = world_pair(&w, 7001);
    int before;

    (void)state;
    mr_send(w.m, p.client, "x", 1, 0);
    world_settle(&w);
    before = w.n;
    mr_close(w.m, p.server);
    world_settle(&w);
    for (int i = before; i < w.n; i++)
        assert_false(mr_sock_eq(w.log[i].sock, p.server));
}

/* Fill the queue until it refuses; what was taken comes back. */
static int64_t send_until_refused(mr_sock s)
{
    static const uint8_t block[65536];
    int64_t sent = 0, r;

    for (int i = 0; i < 100000; i++) {
        r = mr_send(w.m, s, block, sizeof(block), 0);
        if (r == MR_EAGAIN)
            return sent;
        assert_true(r > 0);
        sent += r;
        if (i % 4 == 3)
            world_turn(&w);
    }
    fail_msg("the send queue never filled");
    return 0;
}

static int64_t read_all(mr_sock s)
{
    static uint8_t buf[1 << 18];
    int64_t got = 0, r;

    while ((r = mr_recv(w.m, s, buf, sizeof(buf), 0)) > 0)
        got += r;
    assert_int_equal(r, MR_EAGAIN);
    return got;
}

static void writable_comes_only_after_a_refused_send(void **state)
{
    struct pair p = world_pair(&w, 7001);
    int64_t sent, got = 0;

    (void)state;
    mr_send(w.m, p.client, "x", 1, 0);
    world_settle(&w);
    assert_int_equal(world_count(&w, p.client, MR_EV_WRITABLE), 0);
    sent = send_until_refused(p.client) + 1;
    world_settle(&w);
    assert_int_equal(world_count(&w, p.client, MR_EV_WRITABLE), 0);
    for (int i = 0; i < PATIENCE_TURNS && got < sent; i++) {
        got += read_all(p.server);
        world_turn(&w);
    }
    assert_int_equal(got, sent);
    assert_int_equal(world_count(&w, p.client, MR_EV_WRITABLE), 1);
}

static int released;
static size_t released_bytes;

static void count_release(void *arg, const void *ptr, size_t n)
{
    assert_ptr_equal(arg, &released);
    assert_non_null(ptr);
    released++;
    released_bytes += n;
}

static void a_given_buffer_arrives_and_is_released_once(void **state)
{
    struct pair p = world_pair(&w, 7001);
    static uint8_t big[3 << 20];
    int64_t got = 0;

    (void)state;
    released = 0;
    released_bytes = 0;
    assert_int_equal(mr_send(w.m, p.client, "head", 4, MR_MORE), 4);
    assert_int_equal(mr_send_give(w.m, p.client, big, 1000, 0, count_release, &released), MR_OK);
    assert_int_equal(mr_send_give(w.m, p.client, big, sizeof(big), 0, NULL, NULL), MR_EAGAIN);
    assert_int_equal(released, 0);
    world_await(&w, p.client, MR_EV_WRITABLE);
    assert_int_equal(mr_send_give(w.m, p.client, big, sizeof(big), 0, count_release, &released),
                     MR_OK);
    for (int i = 0; i < PATIENCE_TURNS && got < (int64_t)sizeof(big) + 1004; i++) {
        world_turn(&w);
        got += read_all(p.server);
    }
    assert_int_equal(got, (int64_t)sizeof(big) + 1004);
    world_settle(&w);
    assert_int_equal(released, 2);
    assert_int_equal(released_bytes, sizeof(big) + 1000);
}

static void a_given_buffer_is_released_when_the_connection_is_gone(void **state)
{
    struct pair p = world_pair(&w, 7001);
    static uint8_t big[16 << 20];

    (void)state;
    released = 0;
    assert_int_equal(mr_send_give(w.m, p.client, big, sizeof(big), 0, count_release, &released),
                     MR_OK);
    world_settle(&w);
    assert_int_equal(released, 0);
    mr_abort(w.m, p.server);
    world_await(&w, p.client, MR_EV_CLOSED);
    world_settle(&w);
    assert_int_equal(released, 1);
}

static void closing_still_sends_what_is_queued(void **state)
{
    struct pair p = world_pair(&w, 7001);
    static uint8_t big[16 << 20];
    int64_t got = 0, r = 1;
    uint8_t *buf = malloc(1 << 18);

    (void)state;
    released = 0;
    assert_int_equal(mr_send_give(w.m, p.client, big, sizeof(big), 0, count_release, &released),
                     MR_OK);
    assert_int_equal(mr_close(w.m, p.client), MR_OK);
    assert_int_equal(mr_send(w.m, p.client, "x", 1, 0), MR_EBADF);
    for (int i = 0; i < PATIENCE_TURNS && r != 0; i++) {
        world_turn(&w);
        while ((r = mr_recv(w.m, p.server, buf, 1 << 18, 0)) > 0)
            got += r;
    }
    free(buf);
    assert_int_equal(r, 0);
    assert_int_equal(got, sizeof(big));
    assert_int_equal(released, 1);
}

static void closing_with_unread_data_resets(void **state)
{
    struct pair p = world_pair(&w, 7001);

    (void)state;
    mr_send(w.m, p.client, "unread", 6, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    mr_close(w.m, p.server);
    assert_int_equal(world_await(&w, p.client, MR_EV_CLOSED).err, MR_ECONNRESET);
}

static void linger_zero_resets_at_close(void **state)
{
    struct pair p = world_pair(&w, 7001);

    (void)state;
    assert_int_equal(mr_setopt(w.m, p.server, MR_LINGER, 0), MR_OK);
    mr_close(w.m, p.server);
    assert_int_equal(world_await(&w, p.client, MR_EV_CLOSED).err, MR_ECONNRESET);
}

static void linger_resets_when_its_time_is_over(void **state)
{
    struct pair p = world_pair(&w, 7001);
    static uint8_t big[16 << 20];

    (void)state;
    released = 0;
    assert_int_equal(mr_setopt(w.m, p.server, MR_LINGER, 1), MR_OK);
    assert_int_equal(mr_send_give(w.m, p.server, big, sizeof(big), 0, count_release, &released),
                     MR_OK);
    mr_close(w.m, p.server);
    assert_int_equal(world_await(&w, p.client, MR_EV_CLOSED).err, MR_ECONNRESET);
    world_settle(&w);
    assert_int_equal(released, 1);
}

static void slices_hold_the_data_after_the_socket_is_closed(void **state)
{
    struct pair p = world_pair(&w, 7001);
    struct mr_slice sl[4];

    (void)state;
    mr_send(w.m, p.client, "slice", 5, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_recv_slices(w.m, p.server, sl, 4), 1);
    assert_int_equal(mr_recv_slices(w.m, p.server, sl + 1, 3), MR_EAGAIN);
    mr_close(w.m, p.server);
    assert_int_equal(sl[0].len, 5);
    assert_memory_equal(sl[0].ptr, "slice", 5);
    mr_slice_release(w.m, &sl[0]);
}

static void held_slices_hold_the_peer_back(void **state)
{
    struct pair p = world_pair(&w, 7001);
    static struct mr_slice sl[4096];
    static uint8_t big[32 << 20];
    int n = 0, r;

    (void)state;
    assert_int_equal(mr_send_give(w.m, p.client, big, sizeof(big), 0, NULL, NULL), MR_OK);
    for (int i = 0; i < 60; i++) {
        world_turn(&w);
        while (n < 4000 && (r = mr_recv_slices(w.m, p.server, sl + n, 4)) > 0)
            n += r;
    }
    assert_int_equal(mr_recv_slices(w.m, p.server, sl + n, 1), MR_EAGAIN);
    r = world_count(&w, p.server, MR_EV_READABLE);
    while (n > 0)
        mr_slice_release(w.m, &sl[--n]);
    world_turn(&w);
    assert_true(world_count(&w, p.server, MR_EV_READABLE) > r);
    assert_int_equal(mr_recv_slices(w.m, p.server, sl, 1), 1);
    mr_slice_release(w.m, &sl[0]);
}

static void a_listener_passes_its_user_on_until_it_is_set(void **state)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7001);
    int a = 0, b = 0;
    struct mr_listen_opts opts = {.user = &a};
    mr_sock l, c, s;

    (void)state;
    assert_int_equal(mr_listen(w.m, &at, &opts, &l), MR_OK);
    assert_int_equal(mr_connect(w.m, NULL, &at, NULL, &c), MR_OK);
    assert_ptr_equal(world_await(&w, l, MR_EV_ACCEPT).user, &a);
    assert_int_equal(mr_accept(w.m, l, &s, NULL), MR_OK);
    assert_int_equal(mr_accept(w.m, l, &s, NULL), MR_EAGAIN);
    mr_send(w.m, c, "x", 1, 0);
    assert_ptr_equal(world_await(&w, s, MR_EV_READABLE).user, &a);
    mr_set_user(w.m, s, &b);
    mr_send(w.m, c, "x", 1, 0);
    assert_ptr_equal(world_await(&w, s, MR_EV_READABLE).user, &b);
}

static void a_port_in_use_is_refused(void **state)
{
    struct mr_addr at = mr_addr4(0, 0, 0, 0, 7001);
    struct mr_addr foreign = mr_addr4(10, 99, 99, 99, 7001);
    mr_sock a, b;

    (void)state;
    assert_int_equal(mr_listen(w.m, &at, NULL, &a), MR_OK);
    assert_int_equal(mr_listen(w.m, &at, NULL, &b), MR_EADDRINUSE);
    assert_int_equal(mr_listen(w.m, &foreign, NULL, &b), MR_EADDRNOTAVAIL);
    at.port = 0;
    assert_int_equal(mr_listen(w.m, &at, NULL, &b), MR_EINVAL);
}

static void a_listener_that_lacked_a_slot_is_told_when_one_is_free(void **state)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, 7001);
    mr_sock l, c[2], s, more;

    (void)state;
    kapi_close(w.m);
    world_open(&w, 4);
    assert_int_equal(mr_listen(w.m, &at, NULL, &l), MR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mr_connect(w.m, NULL, &at, NULL, &c[i]), MR_OK);
    world_await(&w, l, MR_EV_ACCEPT);
    world_settle(&w);
    assert_int_equal(mr_accept(w.m, l, &s, NULL), MR_OK);
    assert_int_equal(mr_accept(w.m, l, &more, NULL), MR_ENOMEM);
    assert_int_equal(mr_connect(w.m, NULL, &at, NULL, &more), MR_ENOMEM);
    w.n = 0;
    memset(w.seen, 0, sizeof(w.seen));
    mr_close(w.m, s);
    world_await(&w, l, MR_EV_ACCEPT);
    assert_int_equal(mr_accept(w.m, l, &s, NULL), MR_OK);
}

static void is_read_back(mr_sock s, enum mr_opt opt, int64_t value)
{
    int64_t v = value + 1;

    assert_int_equal(mr_setopt(w.m, s, opt, value), MR_OK);
    assert_int_equal(mr_getopt(w.m, s, opt, &v), MR_OK);
    assert_int_equal(v, value);
}

static void options_are_read_back_and_checked(void **state)
{
    struct mr_addr at = mr_addr4(0, 0, 0, 0, 7002);
    struct pair p = world_pair(&w, 7001);
    int64_t v = 0;
    mr_sock l;

    (void)state;
    is_read_back(p.client, MR_NODELAY, 1);
    is_read_back(p.client, MR_TTL, 7);
    is_read_back(p.client, MR_SNDBUF, 100000);
    is_read_back(p.client, MR_LINGER2, -1);
    assert_int_equal(mr_setopt(w.m, p.client, MR_LINGER2, 121), MR_EINVAL);
    is_read_back(p.client, MR_NOTSENT_LOWAT, 5000);
    is_read_back(p.client, MR_WINDOW_CLAMP, 3000);
    assert_int_equal(mr_setopt(w.m, p.client, MR_TTL, 256), MR_EINVAL);
    assert_int_equal(mr_setopt(w.m, p.client, MR_KEEPCNT, 0), MR_EINVAL);
    is_read_back(p.client, MR_SYN_RETRIES, 3);
    assert_int_equal(mr_setopt(w.m, p.client, MR_SYN_RETRIES, 128), MR_EINVAL);
    assert_int_equal(mr_setopt(w.m, p.client, MR_CONGESTION, 9), MR_EINVAL);
    assert_int_equal(mr_setopt(w.m, p.client, MR_BROADCAST, 1), MR_ENOPROTOOPT);
    assert_int_equal(mr_getopt(w.m, p.client, MR_URGENT_LEFT, &v), MR_ENOPROTOOPT);
    assert_int_equal(mr_setopt(w.m, p.client, (enum mr_opt)99, 1), MR_ENOPROTOOPT);
    assert_int_equal(mr_setopt(w.m, p.client, MR_DEFER_ACCEPT, 2), MR_ENOPROTOOPT);
    assert_int_equal(mr_listen(w.m, &at, NULL, &l), MR_OK);
    assert_int_equal(mr_setopt(w.m, l, MR_DEFER_ACCEPT, 2), MR_OK);
    assert_int_equal(mr_getopt(w.m, l, MR_DEFER_ACCEPT, &v), MR_OK);
    assert_int_equal(v, 3); /* two time-outs */
    mr_send(w.m, p.client, "12345", 5, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_getopt(w.m, p.server, MR_RCVQ, &v), MR_OK);
    assert_int_equal(v, 5);
}

static void urgent_data_is_told_and_stays_in_the_stream(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[16];
    int64_t r, got = 0;

    (void)state;
    mr_send(w.m, p.client, "ab", 2, 0);
    assert_int_equal(mr_send(w.m, p.client, "!", 1, MR_OOB), 1);
    mr_send(w.m, p.client, "cd", 2, 0);
    world_await(&w, p.server, MR_EV_URGENT);
    for (int i = 0; i < PATIENCE_TURNS && got < 5; i++) {
        world_turn(&w);
        while ((r = mr_recv(w.m, p.server, buf + got, sizeof(buf) - (size_t)got, 0)) > 0)
            got += r;
    }
    assert_int_equal(got, 5);
    assert_memory_equal(buf, "ab!cd", 5);
}

static void what_a_socket_is_ready_for_is_told(void **state)
{
    struct pair p = world_pair(&w, 7001);
    char buf[8];

    (void)state;
    assert_int_equal(mr_poll(w.m, p.listener), 0);
    assert_int_equal(mr_poll(w.m, p.server), MR_CAN_SEND);
    mr_send(w.m, p.client, "abcd", 4, 0);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_poll(w.m, p.server), MR_CAN_SEND | MR_CAN_RECV);
    assert_int_equal(mr_recv(w.m, p.server, buf, sizeof(buf), 0), 4);
    assert_int_equal(mr_poll(w.m, p.server), MR_CAN_SEND);
    mr_shutdown(w.m, p.client);
    assert_int_equal(mr_poll(w.m, p.client), MR_SEND_END);
    world_await(&w, p.server, MR_EV_READABLE);
    assert_int_equal(mr_poll(w.m, p.server), MR_CAN_SEND | MR_CAN_RECV | MR_RECV_END);
    mr_shutdown(w.m, p.server);
    assert_int_equal(mr_poll(w.m, p.server) & (MR_OVER | MR_HAS_ERROR), MR_OVER);
    mr_close(w.m, p.client);
    assert_int_equal(mr_poll(w.m, p.client), MR_OVER);
    assert_int_equal(mr_setopt(w.m, p.listener, MR_PAUSED, 1), MR_ENOPROTOOPT);
}

static void facts_of_a_connection_are_told(void **state)
{
    struct pair p = world_pair(&w, 7001);
    struct mr_tcp_info info;
    struct mr_addr a, b;

    (void)state;
    assert_int_equal(mr_tcp_info(w.m, p.client, &info), MR_OK);
    assert_string_equal(info.state, "ESTABLISHED");
    assert_true(info.mss > 500 && info.snd_cwnd >= info.mss);
    assert_int_equal(mr_tcp_info(w.m, p.listener, &info), MR_OK);
    assert_string_equal(info.state, "LISTEN");
    assert_int_equal(mr_local_addr(w.m, p.client, &a), MR_OK);
    assert_int_equal(mr_peer_addr(w.m, p.server, &b), MR_OK);
    assert_memory_equal(a.ip, b.ip, 16);
    assert_int_equal(a.port, b.port);
    assert_int_equal(mr_status_json(w.m)[0], '{');
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(bytes_sent_arrive_in_order),
        IN_WORLD(peeking_leaves_the_data),
        IN_WORLD(readable_comes_again_for_data_after_a_short_read),
        IN_WORLD(data_and_end_of_stream_in_one_edge_are_both_read),
        IN_WORLD(end_of_stream_after_a_short_read_brings_an_edge),
        IN_WORLD(closed_comes_once_without_error_when_both_sides_finished),
        IN_WORLD(a_reset_is_told_once_and_unread_data_stays),
        IN_WORLD(a_refused_connection_is_an_event),
        IN_WORLD(a_stale_handle_does_nothing),
        IN_WORLD(no_event_comes_for_a_closed_socket),
        IN_WORLD(writable_comes_only_after_a_refused_send),
        IN_WORLD(a_given_buffer_arrives_and_is_released_once),
        IN_WORLD(a_given_buffer_is_released_when_the_connection_is_gone),
        IN_WORLD(closing_still_sends_what_is_queued),
        IN_WORLD(closing_with_unread_data_resets),
        IN_WORLD(linger_zero_resets_at_close),
        IN_WORLD(linger_resets_when_its_time_is_over),
        IN_WORLD(slices_hold_the_data_after_the_socket_is_closed),
        IN_WORLD(held_slices_hold_the_peer_back),
        IN_WORLD(a_listener_passes_its_user_on_until_it_is_set),
        IN_WORLD(a_port_in_use_is_refused),
        IN_WORLD(a_listener_that_lacked_a_slot_is_told_when_one_is_free),
        IN_WORLD(options_are_read_back_and_checked),
        IN_WORLD(urgent_data_is_told_and_stays_in_the_stream),
        IN_WORLD(what_a_socket_is_ready_for_is_told),
        IN_WORLD(facts_of_a_connection_are_told),
    };
    return world_main("kapi_tcp", tests, sizeof(tests) / sizeof(tests[0]));
}
