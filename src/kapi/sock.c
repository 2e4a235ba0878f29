/* Handles, slots and the list of news. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kapi/kapi_int.h"

#define NO_SLOT UINT32_MAX
#define QUEUE_CAP_FIRST 256

/* A queue that cannot grow would lose events, and there is no one to tell. */
static void kqueue_grow(struct kqueue *q)
{
    size_t cap = q->cap == 0 ? QUEUE_CAP_FIRST : q->cap * 2;
    uint64_t *v = malloc(cap * sizeof(*v));

    MR_ASSERT(v != NULL);
    for (size_t i = 0; i < q->count; i++)
        v[i] = q->v[(q->head + i) & (q->cap - 1)];
    free(q->v);
    *q = (struct kqueue){.v = v, .count = q->count, .cap = cap};
}

void kqueue_push(struct kqueue *q, uint64_t v)
{
    if (q->count == q->cap)
        kqueue_grow(q);
    q->v[(q->head + q->count++) & (q->cap - 1)] = v;
}

bool kqueue_pop(struct kqueue *q, uint64_t *v)
{
    if (q->count == 0)
        return false;
    *v = q->v[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    return true;
}

mr_sock ksock_handle(const struct kapi *k, const struct ksock *s)
{
    return (mr_sock){(uint64_t)s->gen << 32 | (uint32_t)(s - k->socks + 1)};
}

struct ksock *ksock_any(struct kapi *k, mr_sock h)
{
    uint32_t index = (uint32_t)h.v - 1;
    struct ksock *s;

    if ((uint32_t)h.v == 0 || index >= k->used_socks)
        return NULL;
    s = &k->socks[index];
    return s->kind != KSOCK_FREE && s->gen == h.v >> 32 ? s : NULL;
}

struct ksock *ksock_get(struct kapi *k, mr_sock h, enum ksock_kind kind)
{
    struct ksock *s = ksock_any(k, h);

    if (s == NULL || s->orphan)
        return NULL;
    return kind == KSOCK_FREE || s->kind == kind ? s : NULL;
}

static struct ksock *slot_get(struct kapi *k)
{
    struct ksock *s;

    if (k->free_sock != NO_SLOT) {
        s = &k->socks[k->free_sock];
        k->free_sock = s->next_free;
    } else if (k->used_socks < k->max_socks) {
        s = &k->socks[k->used_socks++];
    } else {
        return NULL;
    }
    k->live_socks++;
    return s;
}

static void slot_put(struct kapi *k, struct ksock *s)
{
    uint32_t gen = s->gen + 1;

    memset(s, 0, sizeof(*s));
    s->gen = gen;
    s->fd = -1;
    s->next_free = k->free_sock;
    k->free_sock = (uint32_t)(s - k->socks);
    k->live_socks--;
}

int ksock_new(struct kapi *k, int fd, enum ksock_kind kind, void *user, struct ksock **out)
{
    struct ksock *s = slot_get(k);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

    if (s == NULL) {
        close(fd);
        return MR_ENOMEM;
    }
    s->fd = fd;
    s->kind = kind;
    s->user = user;
    s->linger_s = -1;
    s->outq_max = KAPI_OUTQ_BYTES;
    ev.data.u64 = ksock_handle(k, s).v;
    if (kind == KSOCK_TCP)
        ev.events |= EPOLLOUT | EPOLLRDHUP | EPOLLPRI;
    else if (kind == KSOCK_UDP)
        ev.events |= EPOLLOUT;
    if (epoll_ctl(k->epfd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        int err = kapi_err(errno);
        close(fd);
        slot_put(k, s);
        return err;
    }
    *out = s;
    return MR_OK;
}

/* A slot and a descriptor came free: listeners that lacked one may go on. */
static void feed_starved(struct kapi *k)
{
    uint64_t h;

    while (kqueue_pop(&k->starved, &h)) {
        struct ksock *l = ksock_any(k, (mr_sock){h});
        if (l == NULL)
            continue;
        l->starved = false;
        ksock_note(k, l, MR_EV_ACCEPT);
    }
}

void ksock_free(struct kapi *k, struct ksock *s)
{
    close(s->fd);
    ksock_drop_queue(k, s);
    slot_put(k, s);
    feed_starved(k);
}

void ksock_note(struct kapi *k, struct ksock *s, enum mr_event_type type)
{
    s->pending |= 1u << type;
    if (s->in_news)
        return;
    s->in_news = true;
    kqueue_push(&k->news, ksock_handle(k, s).v);
}

void ksock_mark_dirty(struct kapi *k, struct ksock *s)
{
    if (s->dirty)
        return;
    s->dirty = true;
    kqueue_push(&k->dirty, ksock_handle(k, s).v);
}

void ksock_fail(struct kapi *k, struct ksock *s, int err)
{
    if (s->err == MR_OK)
        s->err = err == MR_EPIPE ? MR_ECONNRESET : err;
    s->connecting = false;
    ksock_drop_queue(k, s);
    if (s->closed_said)
        return;
    k->count.resets_seen += s->err == MR_ECONNRESET;
    s->closed_said = true;
    if (s->orphan)
        ksock_mark_dirty(k, s);
    else
        ksock_note(k, s, MR_EV_CLOSED);
}

/* EPOLLHUP says that both directions are shut down, but not yet that the peer
 * has acknowledged our FIN; the kernel's state does. */
void ksock_check_finished(struct kapi *k, struct ksock *s)
{
    struct tcp_info info;
    socklen_t n = sizeof(info);

    if (s->closed_said || !s->fin_sent)
        return;
    if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0 || info.tcpi_state != TCP_CLOSE)
        return;
    s->closed_said = true;
    if (!s->orphan)
        ksock_note(k, s, MR_EV_CLOSED);
}

int ksock_pending_error(const struct ksock *s)
{
    int err = 0;
    socklen_t n = sizeof(err);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
        err = errno;
    return err == 0 ? MR_OK : kapi_err(err);
}
