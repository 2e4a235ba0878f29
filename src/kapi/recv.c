/* Receiving on TCP. */
#include <errno.h>

#include "kapi/kapi_int.h"

/* A read that returned less than it asked for emptied the kernel's queue, so
 * the next one would only say EAGAIN: save it until an edge comes.  Not so once
 * the peer has finished (its end of stream is still to be read, without another
 * edge) or urgent data was seen (reads stop at the mark). */
static void note_short_read(struct ksock *s)
{
    if (!s->rdhup && !s->oob)
        s->drained = true;
}

static int64_t ended(struct kapi *k, struct ksock *s, ssize_t r)
{
    int err = errno;

    if (r < 0 && (err == EAGAIN || err == EINTR)) {
        return MR_EAGAIN;
    }
    if (s->err != MR_OK)
        return s->err;
    if (r == 0) {
        s->eof = true;
        ksock_check_finished(k, s);
        return 0;
    }
    ksock_fail(k, s, kapi_err(err));
    return s->err;
}

/* What a read returns without asking the kernel; 1: ask it. */
static int may_read(const struct ksock *s, size_t n)
{
    if (n == 0)
        return MR_EINVAL;
    if (s->eof)
        return 0;
    return s->connecting || (s->drained && s->err == MR_OK) ? MR_EAGAIN : 1;
}

int64_t kapi_recv(struct mr *m, mr_sock h, void *buf, size_t n, unsigned flags)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_TCP);
    bool peek = (flags & MR_PEEK) != 0;
    ssize_t r;
    int ask;

    if (s == NULL)
        return MR_EBADF;
    ask = may_read(s, n);
    if (ask <= 0)
        return ask;
    k->count.recvs++;
    r = recv(s->fd, buf, n, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
    if (r <= 0)
        return ended(k, s, r);
    if (!peek) {
        k->count.rx_bytes += (uint64_t)r;
        if ((size_t)r < n)
            note_short_read(s);
    }
    return r;
}

static int64_t recv_one_slice(struct kapi *k, struct ksock *s, struct mr_slice *out)
{
    struct kbuf *b = kbuf_get(k, KBUF_LARGE);
    int64_t r;

    if (b == NULL)
        return MR_EAGAIN;
    r = kapi_recv(&k->base, ksock_handle(k, s), b->data, b->cap, 0);
    if (r <= 0) {
        kbuf_put(k, b);
        return r;
    }
    b->lent_to = ksock_handle(k, s);
    b->lent = (size_t)r;
    s->lent += (size_t)r;
    *out = (struct mr_slice){.ptr = b->data, .len = (uint32_t)r, .token = b};
    return r;
}

int kapi_recv_slices(struct mr *m, mr_sock h, struct mr_slice *out, int max)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_TCP);
    int64_t r = 0;
    int n = 0;

    if (s == NULL)
        return MR_EBADF;
    if (max <= 0)
        return MR_EINVAL;
    while (n < max) {
        if (s->lent >= KAPI_LENT_BYTES_MAX) {
            s->want_read = true;
            r = MR_EAGAIN;
            break;
        }
        r = recv_one_slice(k, s, &out[n]);
        if (r <= 0)
            break;
        n++;
    }
    return n > 0 ? n : (int)r;
}

void kapi_slice_release(struct mr *m, struct mr_slice *slice)
{
    struct kapi *k = kapi_of(m);
    struct kbuf *b = slice->token;
    struct ksock *s = ksock_any(k, b->lent_to);

    if (s != NULL && s->kind == KSOCK_TCP) {
        s->lent -= b->lent;
        if (s->want_read && s->lent < KAPI_LENT_BYTES_MAX / 2) {
            s->want_read = false;
            ksock_note(k, s, MR_EV_READABLE);
        }
    }
    slice->token = NULL;
    kbuf_put(k, b);
}
