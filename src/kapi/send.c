/* Sending on TCP: a queue of copied and given pieces, written by sendmsg when
 * the burst of events that filled it has been handled. */
#include <errno.h>

#include "kapi/kapi_int.h"

#define IOV_MAX_HERE 64
#define DIRECT_BYTES_MIN ((size_t)32 << 10) /* copies at least this long skip the queue */

static int may_send(const struct ksock *s)
{
    if (s == NULL)
        return MR_EBADF;
    if (s->err != MR_OK)
        return s->err;
    return s->fin_asked || s->closed_said ? MR_EPIPE : MR_OK;
}

static void enqueue(struct ksock *s, struct kbuf *b)
{
    if (s->out == NULL)
        s->out = b;
    else
        s->out_last->next = b;
    s->out_last = b;
}

static void dequeue(struct kapi *k, struct ksock *s)
{
    struct kbuf *b = s->out;

    s->out = b->next;
    if (s->out == NULL)
        s->out_last = NULL;
    if (b->release != NULL) {
        b->next = k->done;
        k->done = b;
    } else {
        kbuf_put(k, b);
    }
}

void ksock_drop_queue(struct kapi *k, struct ksock *s)
{
    while (s->out != NULL)
        dequeue(k, s);
    s->outq = 0;
}

void kapi_call_releases(struct kapi *k)
{
    while (k->done != NULL) {
        struct kbuf *b = k->done;
        k->done = b->next;
        b->release(b->arg, b->ptr, b->n);
        kbuf_put(k, b);
    }
}

/* copy_in appends up to n bytes and returns how many there was memory for. */
static size_t copy_in(struct kapi *k, struct ksock *s, const uint8_t *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        struct kbuf *b = s->out_last;
        size_t part;
        if (b == NULL || b->class == KBUF_REF || b->n == b->cap) {
            b = kbuf_get(k, n - done > 2048 - sizeof(*b) ? KBUF_LARGE : KBUF_SMALL);
            if (b == NULL)
                break;
            enqueue(s, b);
        }
        part = n - done < b->cap - b->n ? n - done : b->cap - b->n;
        memcpy(b->data + b->n, p + done, part);
        b->n += part;
        done += part;
    }
    s->outq += done;
    return done;
}

static ssize_t write_now(struct kapi *k, struct ksock *s, const void *buf, size_t n, int flags)
{
    ssize_t r = send(s->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL | flags);

    k->count.sends++;
    if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
        s->blocked = true;
        return 0;
    }
    if (r < 0) {
        ksock_fail(k, s, kapi_err(errno));
        return s->err;
    }
    k->count.tx_bytes += (uint64_t)r;
    s->blocked = (size_t)r < n;
    return r;
}

/* The urgent byte cannot wait in a queue of ours: the kernel marks the last
 * byte of the call that carries it. */
static int64_t send_urgent(struct kapi *k, struct ksock *s, const void *buf, size_t n)
{
    ssize_t r;

    ksock_flush(k, s);
    if (s->err != MR_OK)
        return s->err;
    r = s->out == NULL && !s->connecting ? write_now(k, s, buf, n, MSG_OOB) : 0;
    if (r != 0)
        return r;
    s->want_write = true;
    return MR_EAGAIN;
}

int64_t kapi_send(struct mr *m, mr_sock h, const void *buf, size_t n, unsigned flags)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_TCP);
    size_t done = 0, room;
    int err = may_send(s);

    if (err != MR_OK || n == 0)
        return err;
    if (flags & MR_OOB)
        return send_urgent(k, s, buf, n);
    if (n >= DIRECT_BYTES_MIN && s->out == NULL && !s->connecting && !s->blocked) {
        ssize_t r = write_now(k, s, buf, n, flags & MR_MORE ? MSG_MORE : 0);
        if (r < 0)
            return r;
        done = (size_t)r;
    }
    room = s->outq < s->outq_max ? s->outq_max - s->outq : 0;
    done += copy_in(k, s, (const uint8_t *)buf + done, n - done < room ? n - done : room);
    s->more = (flags & MR_MORE) != 0 && done == n;
    if (done < n)
        s->want_write = true;
    if (s->out != NULL && !s->blocked)
        ksock_mark_dirty(k, s);
    return done > 0 ? (int64_t)done : MR_EAGAIN;
}

int kapi_send_give(struct mr *m, mr_sock h, const void *ptr, size_t n, unsigned flags,
                   mr_release_fn release, void *arg)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_TCP);
    struct kbuf *b;
    int err = may_send(s);

    if (err != MR_OK)
        return err;
    if (n == 0 || n > MR_GIVE_BYTES_MAX || (flags & MR_OOB))
        return MR_EINVAL;
    if (s->outq > 0 && (s->outq > s->outq_max || n > s->outq_max - s->outq)) {
        s->want_write = true;
        return MR_EAGAIN;
    }
    b = kbuf_get(k, KBUF_REF);
    if (b == NULL)
        return MR_ENOBUFS;
    b->ptr = ptr;
    b->n = n;
    b->release = release;
    b->arg = arg;
    enqueue(s, b);
    s->outq += n;
    s->more = (flags & MR_MORE) != 0;
    if (!s->blocked)
        ksock_mark_dirty(k, s);
    return MR_OK;
}

/* gather points iov at the head of the queue; the flags of sendmsg come back. */
static int gather(const struct ksock *s, struct iovec *iov, size_t *count, size_t *bytes)
{
    const struct kbuf *b = s->out;
    size_t n = 0;

    *bytes = 0;
    for (; b != NULL && n < IOV_MAX_HERE; b = b->next, n++) {
        iov[n] = (struct iovec){.iov_base = (void *)(uintptr_t)(b->ptr + b->off),
                                .iov_len = b->n - b->off};
        *bytes += b->n - b->off;
    }
    *count = n;
    return b != NULL || (s->more && !s->fin_asked && !s->orphan) ? MSG_MORE : 0;
}

static void written(struct kapi *k, struct ksock *s, size_t n)
{
    k->count.tx_bytes += n;
    s->outq -= n;
    while (n > 0) {
        struct kbuf *b = s->out;
        size_t left = b->n - b->off;
        if (n < left) {
            b->off += n;
            return;
        }
        n -= left;
        dequeue(k, s);
    }
}

static void after_flush(struct kapi *k, struct ksock *s)
{
    size_t room = s->outq < s->outq_max ? s->outq_max - s->outq : 0;
    size_t enough = s->lowat > s->outq_max / 3 ? s->lowat : s->outq_max / 3;

    if (s->out == NULL && s->fin_asked && !s->fin_sent) {
        s->fin_sent = true;
        shutdown(s->fd, SHUT_WR);
        ksock_check_finished(k, s);
    }
    if (s->want_write && !s->fin_asked && !s->blocked && room >= enough) {
        s->want_write = false;
        ksock_note(k, s, MR_EV_WRITABLE);
    }
}

void ksock_flush(struct kapi *k, struct ksock *s)
{
    struct iovec iov[IOV_MAX_HERE];
    struct msghdr msg = {.msg_iov = iov};
    size_t bytes;

    while (s->out != NULL && !s->blocked && !s->connecting) {
        int more = gather(s, iov, &msg.msg_iovlen, &bytes);
        ssize_t r = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL | more);
        k->count.sends++;
        if (r < 0 && errno != EAGAIN && errno != EINTR) {
            ksock_fail(k, s, kapi_err(errno));
            return;
        }
        /* Short or refused, the kernel marked the socket to tell when there is room. */
        s->blocked = r < 0 || (size_t)r < bytes;
        if (r > 0)
            written(k, s, (size_t)r);
    }
    if (!s->connecting)
        after_flush(k, s);
}

void ksock_flush_all(struct kapi *k)
{
    uint64_t h;

    for (size_t n = k->dirty.count; n > 0 && kqueue_pop(&k->dirty, &h); n--) {
        struct ksock *s = ksock_any(k, (mr_sock){h});
        if (s == NULL)
            continue;
        s->dirty = false;
        if (s->kind == KSOCK_TCP && !s->closed_said)
            ksock_flush(k, s);
        if (s->orphan)
            ksock_reap(k, s);
    }
}
