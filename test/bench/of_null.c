/* An OpenFlow 1.0 controller that learns nothing: each packet-in is answered by one FLOW_MOD of 80
 * bytes for its destination and its buffer, out of port 2, and what one read brought is answered by
 * one write.  The ceiling of of/throughput and of/latency.  It ends after ten minutes at the
 * latest: with --busy it would keep a processor for ever.
 *
 *   of_null PORT [network options] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <millrace/millrace.h>

#define SLICES 16
#define MESSAGE_MAX 65536u
#define OUT_BYTES (2u << 20)
#define READ_MAX (1u << 20) /* one read brings no more: 16 slices */
#define FLOW_MOD 80u
#define LIFE_US 600000000u

struct conn {
    struct mr *m;
    mr_sock sock;
    size_t cut_n, out_at, out_n;
    uint8_t cut[MESSAGE_MAX];
    uint8_t out[OUT_BYTES];
};

static size_t length_of(const uint8_t *msg)
{
    return (size_t)msg[2] << 8 | msg[3];
}

static void say(struct conn *c, uint8_t type, const uint8_t *xid)
{
    uint8_t *b = c->out + c->out_n;

    memset(b, 0, 8);
    b[0] = 1;
    b[1] = type;
    b[3] = 8;
    memcpy(b + 4, xid, 4);
    c->out_n += 8;
}

/* OpenFlow 1.0.0, 5.3.3: all wildcards but the destination's; one action, output to port 2. */
static void answer(struct conn *c, const uint8_t *msg)
{
    static const uint8_t flow_mod[FLOW_MOD] = {
        [0] = 1,     [1] = 14,    [3] = FLOW_MOD, [9] = 0x3f, [10] = 0xff, [11] = 0xf7,
        [62] = 0x80, [68] = 0xff, [69] = 0xff,    [75] = 8,   [77] = 2};
    static const uint8_t no_buffer[4] = {0xff, 0xff, 0xff, 0xff};
    uint8_t *b = c->out + c->out_n;

    if (memcmp(msg + 8, no_buffer, 4) == 0)
        return;
    memcpy(b, flow_mod, FLOW_MOD);
    memcpy(b + 4, msg + 4, 4);
    memcpy(b + 20, msg + 18, 6);
    memcpy(b + 64, msg + 8, 4);
    c->out_n += FLOW_MOD;
}

/* An answer is never longer than what it answers; a HELLO brings one request more. */
static void take(struct conn *c, const uint8_t *msg, size_t n)
{
    if (msg[1] == 10 && n >= 24)
        answer(c, msg);
    else if (msg[1] == 2)
        say(c, 3, msg + 4);
    else if (msg[1] == 0)
        say(c, 5, msg + 4);
}

static bool input(struct conn *c, const uint8_t *p, size_t n)
{
    while (c->cut_n > 0 && n > 0) {
        size_t want = c->cut_n < 8 ? 8 : length_of(c->cut), part;
        if (want < 8)
            return false;
        part = want - c->cut_n < n ? want - c->cut_n : n;
        memcpy(c->cut + c->cut_n, p, part);
        c->cut_n += part;
        p += part;
        n -= part;
        if (c->cut_n >= 8 && c->cut_n == length_of(c->cut)) {
            take(c, c->cut, c->cut_n);
            c->cut_n = 0;
        }
    }
    while (n >= 8) {
        size_t len = length_of(p);
        if (len < 8)
            return false;
        if (len > n)
            break;
        take(c, p, len);
        p += len;
        n -= len;
    }
    memcpy(c->cut + c->cut_n, p, n);
    c->cut_n += n;
    return true;
}

static void end(struct conn *c)
{
    mr_abort(c->m, c->sock);
    free(c);
}

/* False: the connection takes no more now. */
static bool flush(struct conn *c)
{
    while (c->out_at < c->out_n) {
        int64_t r = mr_send(c->m, c->sock, c->out + c->out_at, c->out_n - c->out_at, 0);
        if (r <= 0)
            return false;
        c->out_at += (size_t)r;
    }
    c->out_at = c->out_n = 0;
    return true;
}

/* What cannot be answered is not read. */
static void go_on(struct conn *c)
{
    struct mr_slice in[SLICES];
    bool good = true;

    while (good && flush(c)) {
        int n = mr_recv_slices(c->m, c->sock, in, SLICES);
        if (n <= 0) {
            if (n != MR_EAGAIN)
                end(c);
            return;
        }
        for (int i = 0; i < n; i++) {
            good = good && in[i].len <= READ_MAX / SLICES && input(c, in[i].ptr, in[i].len);
            mr_slice_release(c->m, &in[i]);
        }
    }
    if (!good)
        end(c);
}

static void accept_all(struct mr *m, mr_sock listener)
{
    static const uint8_t xid[4];
    struct conn *c;
    mr_sock s;

    while (mr_accept(m, listener, &s, NULL) == MR_OK) {
        c = malloc(sizeof(*c));
        if (c == NULL) {
            mr_abort(m, s);
            continue;
        }
        c->m = m;
        c->sock = s;
        c->cut_n = c->out_at = c->out_n = 0;
        mr_set_user(m, s, c);
        mr_setopt(m, s, MR_NODELAY, 1);
        say(c, 0, xid);
        go_on(c);
    }
}

static void event(struct mr *m, void *core, const struct mr_event *ev)
{
    (void)core;
    if (ev->type == MR_EV_TIMER)
        mr_stop(m);
    else if (ev->type == MR_EV_ACCEPT)
        accept_all(m, ev->sock);
    else if (ev->type == MR_EV_CLOSED)
        end(ev->user);
    else if (ev->type == MR_EV_READABLE || ev->type == MR_EV_WRITABLE)
        go_on(ev->user);
}

static int init(struct mr *m, void *arg, void **core)
{
    struct mr_listen_opts opts = {.every_core = true};
    struct mr_addr at = mr_addr4(0, 0, 0, 0, *(uint16_t *)arg);
    mr_sock listener;

    (void)core;
    mr_timer_start(m, LIFE_US, NULL, NULL);
    return mr_core(m) != 0 ? MR_OK : mr_listen(m, &at, &opts, &listener);
}

int main(int argc, char **argv)
{
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
    const struct mr_app app = {.name = "of_null", .arg = &port, .init = init, .event = event};
    struct mr_config c;

    mr_config_init(&c);
    for (int i = 2; i < argc; i++)
        if (mr_config_option(&c, argc, argv, &i) <= 0) {
            fprintf(stderr, "of_null: no option is called %s\n", argv[i]);
            return 2;
        }
    if (port == 0) {
        fputs("usage: of_null PORT [network options]\n", stderr);
        return 2;
    }
    return mr_run(&c, &app) < 0;
}
