/* The public API on a stack: handles and errors are sock's already, so each call is one line. */
#include "api/native.h"

#include "api/backend.h"
#include "api/everywhere.h"
#include "api/status.h"

#define STATUS_BYTES 65536u

/* Another core's ring is full: look again this soon. */
#define RETRY_US 500u

struct native {
    struct mr mr;
    struct stack *stack; /* borrowed */
    bool stopped;
    struct everywhere everywhere;
    struct post post;
    char status[STATUS_BYTES];
};

static struct everywhere *everywhere_of(struct mr *m)
{
    return &((struct native *)(void *)m)->everywhere;
}

static struct post *post_of(struct mr *m)
{
    return &((struct native *)(void *)m)->post;
}

static struct sock *sock_of(struct mr *m)
{
    return stack_sock(((struct native *)(void *)m)->stack);
}

static int n_listen(struct mr *m, const struct mr_addr *local, const struct mr_listen_opts *o,
                    mr_sock *out)
{
    if (o && o->every_core && m->cores > 1)
        return everywhere_listen(everywhere_of(m), local, o, out);
    return sock_listen(sock_of(m), local, o, out);
}
static int n_accept(struct mr *m, mr_sock l, mr_sock *out, struct mr_addr *peer)
{
    return sock_accept(sock_of(m), l, out, peer);
}
static int n_connect(struct mr *m, const struct mr_addr *local, const struct mr_addr *remote,
                     void *user, mr_sock *out)
{
    return sock_connect(sock_of(m), local, remote, user, out);
}
static int64_t n_recv(struct mr *m, mr_sock h, void *buf, size_t n, unsigned flags)
{
    return sock_recv(sock_of(m), h, buf, n, flags);
}
static int n_recv_slices(struct mr *m, mr_sock h, struct mr_slice *out, int max)
{
    return sock_recv_slices(sock_of(m), h, out, max);
}
static void n_slice_release(struct mr *m, struct mr_slice *slice)
{
    sock_slice_release(sock_of(m), slice);
}
static int64_t n_send(struct mr *m, mr_sock h, const void *buf, size_t n, unsigned flags)
{
    return sock_send(sock_of(m), h, buf, n, flags);
}
static int n_send_give(struct mr *m, mr_sock h, const void *ptr, size_t n, unsigned flags,
                       mr_release_fn release, void *arg)
{
    return sock_send_give(sock_of(m), h, ptr, n, flags, release, arg);
}
static int n_shutdown(struct mr *m, mr_sock h)
{
    return sock_shutdown(sock_of(m), h);
}
static int n_close(struct mr *m, mr_sock h)
{
    everywhere_closed(everywhere_of(m), h);
    return sock_close(sock_of(m), h);
}
static int n_abort(struct mr *m, mr_sock h)
{
    everywhere_closed(everywhere_of(m), h);
    return sock_abort(sock_of(m), h);
}
static int n_udp_open(struct mr *m, const struct mr_addr *local, void *user, mr_sock *out)
{
    return sock_udp_open(sock_of(m), local, user, out);
}
static int n_sendto(struct mr *m, mr_sock h, const void *buf, size_t n, const struct mr_addr *to)
{
    return sock_sendto(sock_of(m), h, buf, n, to);
}
static int64_t n_recvfrom(struct mr *m, mr_sock h, void *buf, size_t n, struct mr_addr *from)
{
    return sock_recvfrom(sock_of(m), h, buf, n, from);
}
static int n_recvfrom_slice(struct mr *m, mr_sock h, struct mr_slice *out, struct mr_addr *from)
{
    return sock_recvfrom_slice(sock_of(m), h, out, from);
}
static unsigned n_poll(struct mr *m, mr_sock h)
{
    return sock_poll(sock_of(m), h);
}
static int n_setopt(struct mr *m, mr_sock h, enum mr_opt opt, int64_t v)
{
    int rc = sock_setopt(sock_of(m), h, opt, v);

    if (rc == 0 && opt != MR_PAUSED)
        everywhere_option(everywhere_of(m), h, opt, v);
    return rc;
}
static int n_getopt(struct mr *m, mr_sock h, enum mr_opt opt, int64_t *v)
{
    return sock_getopt(sock_of(m), h, opt, v);
}
static void n_set_user(struct mr *m, mr_sock h, void *user)
{
    sock_set_user(sock_of(m), h, user);
}
static int n_local_addr(struct mr *m, mr_sock h, struct mr_addr *out)
{
    return sock_local_addr(sock_of(m), h, out);
}
static int n_peer_addr(struct mr *m, mr_sock h, struct mr_addr *out)
{
    return sock_peer_addr(sock_of(m), h, out);
}
static int n_tcp_info(struct mr *m, mr_sock h, struct mr_tcp_info *out)
{
    return sock_tcp_info(sock_of(m), h, out);
}
static uint64_t n_now_us(struct mr *m)
{
    return sock_of(m)->now;
}
static int n_timer_start(struct mr *m, uint64_t delay_us, void *user, mr_timer *out)
{
    return sock_timer_start(sock_of(m), delay_us, user, out);
}
static void n_timer_stop(struct mr *m, mr_timer t)
{
    sock_timer_stop(sock_of(m), t);
}
static int n_post(struct mr *m, unsigned core, const void *buf, size_t n)
{
    return post_send(post_of(m), core, buf, n);
}
static int64_t n_letter(struct mr *m, void *buf, size_t n, unsigned *from)
{
    return post_take(post_of(m), buf, n, from);
}
static void n_knock(struct mr *m)
{
    post_knock(post_of(m));
}
static void n_stop(struct mr *m)
{
    ((struct native *)(void *)m)->stopped = true;
}
static const char *n_status_json(struct mr *m)
{
    struct native *n = (struct native *)(void *)m;

    struct status_source source = {.stack = n->stack, .post = &n->post.stats};

    if (status_print(&source, n->status, sizeof(n->status)) == 0)
        return "{}";
    return n->status;
}

static const struct mr_backend native_backend = {
    .name = "millrace",
    .listen = n_listen,
    .accept = n_accept,
    .connect = n_connect,
    .recv = n_recv,
    .recv_slices = n_recv_slices,
    .slice_release = n_slice_release,
    .send = n_send,
    .send_give = n_send_give,
    .shutdown = n_shutdown,
    .close = n_close,
    .abort = n_abort,
    .udp_open = n_udp_open,
    .sendto = n_sendto,
    .recvfrom = n_recvfrom,
    .recvfrom_slice = n_recvfrom_slice,
    .poll = n_poll,
    .setopt = n_setopt,
    .getopt = n_getopt,
    .set_user = n_set_user,
    .local_addr = n_local_addr,
    .peer_addr = n_peer_addr,
    .tcp_info = n_tcp_info,
    .now_us = n_now_us,
    .timer_start = n_timer_start,
    .timer_stop = n_timer_stop,
    .post = n_post,
    .letter = n_letter,
    .knock = n_knock,
    .stop = n_stop,
    .status_json = n_status_json,
};

size_t native_bytes(void)
{
    return sizeof(struct native);
}

struct native *native_init(void *memory, struct stack *s)
{
    struct native *n = memory;

    n->mr = (struct mr){&native_backend, stack_cores(s)->home.self, stack_cores(s)->home.cores};
    n->stack = s;
    n->stopped = false;
    everywhere_init(&n->everywhere, s);
    native_post_init(n, NULL, (struct post_bell){0});
    return n;
}

void native_post_init(struct native *n, void *memory, struct post_bell bell)
{
    post_init(&n->post, n->mr.core, memory, bell);
}

uint64_t native_take_wakes(struct native *n)
{
    return post_take_wakes(&n->post);
}

bool native_asleep(struct native *n)
{
    return post_asleep(&n->post);
}

void native_awake(struct native *n)
{
    post_awake(&n->post);
}

const struct post_stats *native_post_stats(const struct native *n)
{
    return &n->post.stats;
}

void native_letter(struct native *n, const struct letter *l, instant now)
{
    (void)now;
    everywhere_letter(&n->everywhere, l);
}

void native_law_changed(struct native *n, const struct rss *law, instant now)
{
    stack_set_law(n->stack, law, now);
}

void native_law_settled(struct native *n, instant now)
{
    stack_law_settled(n->stack, now);
}

struct mr *native_mr(struct native *n)
{
    return &n->mr;
}

void native_advance(struct native *n, instant now)
{
    stack_advance(n->stack, now);
    post_look(&n->post);
}

bool native_event(struct native *n, struct mr_event *ev)
{
    return post_event(&n->post, ev) || stack_event(n->stack, ev);
}

/* Callbacks into the application happen here, and only here. */
static void released_return(struct sock *s)
{
    struct sbuf *b;

    while ((b = sbuf_pop_released(s->sbufs))) {
        struct sbuf given = *b;
        sbuf_free(s->sbufs, b);
        s->stats.gives_released++;
        given.release(given.arg, given.ptr, given.len);
    }
}

void native_flush(struct native *n, instant now)
{
    struct sock *s = stack_sock(n->stack);

    if (s->sbufs->released_head)
        released_return(s);
    everywhere_flush(&n->everywhere);
    stack_output(n->stack, now);
}

instant native_deadline(const struct native *n)
{
    if (stack_sock(n->stack)->sbufs->released_head || n->post.due)
        return 0;
    if (n->everywhere.busy)
        return min_u64(stack_deadline(n->stack), stack_now(n->stack) + RETRY_US);
    return stack_deadline(n->stack);
}

bool native_is_stopped(const struct native *n)
{
    return n->stopped;
}
