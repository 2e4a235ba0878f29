/* Opening, turning and closing a context, and the table of its calls. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "kapi/kapi_int.h"
#include "os/os.h"

#define SOCKS_DEFAULT (1u << 18)
#define SOCKS_MAX (1u << 24)
#define EPOLL_BATCH 512
#define NO_SLOT UINT32_MAX
#define BELL 0 /* no socket's handle */

static void read_clock(struct kapi *k)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    k->now_us = (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* One descriptor a connection: take as many as this process may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* Everything that is to be closed again is open or -1. */
static void give_up(struct kapi *k)
{
    close(k->epfd);
    os_close(k->bell);
    if (k->socks != MAP_FAILED)
        munmap(k->socks, k->max_socks * sizeof(struct ksock));
    free(k);
}

struct mr *kapi_open(const struct mr_config *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = BELL};
    struct kapi *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    k->base = (struct mr){&kapi_backend, 0, 1};
    k->max_socks = c->max_conns != 0 ? c->max_conns : SOCKS_DEFAULT;
    if (k->max_socks > SOCKS_MAX)
        k->max_socks = SOCKS_MAX;
    k->free_sock = k->free_timer = NO_SLOT;
    raise_descriptor_limit();
    k->epfd = epoll_create1(EPOLL_CLOEXEC);
    k->bell = os_bell_make();
    k->socks = mmap(NULL, k->max_socks * sizeof(struct ksock), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (k->epfd < 0 || k->bell < 0 || k->socks == MAP_FAILED ||
        epoll_ctl(k->epfd, EPOLL_CTL_ADD, k->bell, &ev) != 0) {
        give_up(k);
        return NULL;
    }
    post_init(&k->post, 0, NULL, (struct post_bell){ktown_ring, k});
    read_clock(k);
    return &k->base;
}

void kapi_join(struct kapi *k, struct ktown *t, unsigned core)
{
    k->base.core = core;
    k->base.cores = t->cores;
    k->town = t;
    post_init(&k->post, core, t->post, (struct post_bell){ktown_ring, k});
}

void kapi_close(struct mr *m)
{
    struct kapi *k = kapi_of(m);

    for (uint32_t i = 0; i < k->used_socks; i++)
        if (k->socks[i].kind != KSOCK_FREE)
            ksock_free(k, &k->socks[i]);
    kapi_call_releases(k);
    kbuf_free_pools(k);
    free(k->news.v);
    free(k->burst.v);
    free(k->dirty.v);
    free(k->starved.v);
    free(k->heap);
    free(k->timers);
    give_up(k);
}

static void socket_event(struct kapi *k, uint64_t handle, uint32_t mask)
{
    struct ksock *s = ksock_any(k, (mr_sock){handle});

    if (s == NULL)
        return;
    switch (s->kind) {
    case KSOCK_LISTENER:
        ksock_note(k, s, MR_EV_ACCEPT);
        break;
    case KSOCK_TCP:
        ksock_tcp_event(k, s, mask);
        break;
    case KSOCK_UDP:
        if (mask & (EPOLLIN | EPOLLERR))
            ksock_note(k, s, MR_EV_READABLE);
        if ((mask & EPOLLOUT) && s->want_write) {
            s->want_write = false;
            ksock_note(k, s, MR_EV_WRITABLE);
        }
        break;
    case KSOCK_FREE:
        break;
    }
}

static int wait_for_news(struct kapi *k, uint64_t wait_us)
{
    struct epoll_event ev[EPOLL_BATCH];
    struct timespec t = {.tv_sec = (time_t)(wait_us / 1000000u),
                         .tv_nsec = (long)(wait_us % 1000000u) * 1000};
    int n = epoll_pwait2(k->epfd, ev, EPOLL_BATCH, &t, NULL);

    read_clock(k);
    if (n < 0)
        return errno == EINTR ? MR_OK : kapi_err(errno);
    for (int i = 0; i < n; i++)
        if (ev[i].data.u64 == BELL)
            ktown_read(k);
        else
            socket_event(k, ev[i].data.u64, ev[i].events);
    return MR_OK;
}

/* What the program has written is told, and what was written to it is looked at. */
static bool ready_to_sleep(struct kapi *k)
{
    uint64_t wakes = post_take_wakes(&k->post);

    if (wakes)
        ktown_ring(k, wakes);
    post_look(&k->post);
    return post_asleep(&k->post);
}

int kapi_turn(struct mr *m, uint64_t max_wait_us)
{
    struct kapi *k = kapi_of(m);
    uint64_t h;
    int err;

    ksock_flush_all(k);
    kapi_call_releases(k);
    k->count.turns++;
    if (k->news.count > 0 || k->burst.count > 0 || k->dirty.count > 0 || k->stop)
        max_wait_us = 0;
    if (k->heap_n > 0 && max_wait_us > 0)
        read_clock(k);
    if (!ready_to_sleep(k))
        max_wait_us = 0;
    err = wait_for_news(k, ktimer_wait_us(k, max_wait_us));
    post_awake(&k->post);
    post_look(&k->post);
    ksock_flush_all(k);
    while (kqueue_pop(&k->news, &h))
        kqueue_push(&k->burst, h);
    return err;
}

static bool socket_news(struct kapi *k, struct mr_event *ev)
{
    while (k->burst.count > 0) {
        mr_sock h = {k->burst.v[k->burst.head]};
        struct ksock *s = ksock_get(k, h, KSOCK_FREE);
        uint64_t gone;
        if (s != NULL && s->pending != 0) {
            int type = __builtin_ctz(s->pending);
            s->pending &= s->pending - 1;
            *ev = (struct mr_event){.type = (enum mr_event_type)type,
                                    .err = type == MR_EV_CLOSED ? s->err : MR_OK,
                                    .sock = h,
                                    .user = s->user};
            return true;
        }
        if (s != NULL)
            s->in_news = false;
        kqueue_pop(&k->burst, &gone);
    }
    return false;
}

static bool timer_news(struct kapi *k, struct mr_event *ev)
{
    struct ktimer_slot t;

    while (ktimer_pop(k, &t)) {
        struct ksock *s;
        if (mr_sock_eq(t.linger, MR_SOCK_NONE)) {
            *ev = (struct mr_event){.type = MR_EV_TIMER, .user = t.user};
            return true;
        }
        s = ksock_any(k, t.linger);
        if (s != NULL)
            ksock_reset(k, s);
    }
    return false;
}

bool kapi_next_event(struct mr *m, struct mr_event *ev)
{
    struct kapi *k = kapi_of(m);
    bool any = post_event(&k->post, ev) || socket_news(k, ev) || timer_news(k, ev);

    k->count.events += any;
    return any;
}

static void kapi_set_user(struct mr *m, mr_sock h, void *user)
{
    struct ksock *s = ksock_get(kapi_of(m), h, KSOCK_FREE);

    if (s != NULL)
        s->user = user;
}

static uint64_t kapi_now_us(struct mr *m)
{
    return kapi_of(m)->now_us;
}

static int kapi_post(struct mr *m, unsigned core, const void *buf, size_t n)
{
    return post_send(&kapi_of(m)->post, core, buf, n);
}

static int64_t kapi_letter(struct mr *m, void *buf, size_t n, unsigned *from)
{
    return post_take(&kapi_of(m)->post, buf, n, from);
}

static void kapi_knock(struct mr *m)
{
    post_knock(&kapi_of(m)->post);
}

static void kapi_stop(struct mr *m)
{
    kapi_of(m)->stop = true;
}

const struct mr_backend kapi_backend = {
    .name = "kernel",
    .listen = kapi_listen,
    .accept = kapi_accept,
    .connect = kapi_connect,
    .recv = kapi_recv,
    .recv_slices = kapi_recv_slices,
    .slice_release = kapi_slice_release,
    .send = kapi_send,
    .send_give = kapi_send_give,
    .shutdown = kapi_shutdown,
    .close = kapi_close_sock,
    .abort = kapi_abort,
    .udp_open = kapi_udp_open,
    .sendto = kapi_sendto,
    .recvfrom = kapi_recvfrom,
    .recvfrom_slice = kapi_recvfrom_slice,
    .poll = kapi_poll,
    .setopt = kapi_setopt,
    .getopt = kapi_getopt,
    .set_user = kapi_set_user,
    .local_addr = kapi_local_addr,
    .peer_addr = kapi_peer_addr,
    .tcp_info = kapi_tcp_info,
    .now_us = kapi_now_us,
    .timer_start = kapi_timer_start,
    .timer_stop = kapi_timer_stop,
    .post = kapi_post,
    .letter = kapi_letter,
    .knock = kapi_knock,
    .stop = kapi_stop,
    .status_json = kapi_status_json,
};
