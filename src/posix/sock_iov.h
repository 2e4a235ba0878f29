/* Private to sock_*.c: a walk along the pieces of a message. */
#pragma once

#include "posix/sock_int.h"

struct walk {
    const struct iovec *v;
    size_t n, off; /* pieces that are left, and how much of the first is done */
};

/* The piece that is next, without empty ones; false: there is none. */
static inline bool walk_piece(struct walk *w, uint8_t **p, size_t *n)
{
    while (w->n && w->v->iov_len == w->off) {
        w->v++;
        w->n--;
        w->off = 0;
    }
    if (!w->n)
        return false;
    *p = (uint8_t *)w->v->iov_base + w->off;
    *n = w->v->iov_len - w->off;
    return true;
}
static inline bool walk_is_last(const struct walk *w)
{
    return w->n == 1;
}

/* Bytes of all pieces, or -EMSGSIZE, -EINVAL, -EFAULT, as the kernel judges them; unused: nothing
 * is written into them. */
static inline ssize_t iov_bytes(const struct msghdr *m, bool unused)
{
    size_t sum = 0;

    if (m->msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    if (m->msg_iovlen && !m->msg_iov)
        return -EFAULT;
    for (size_t i = 0; i < m->msg_iovlen; i++) {
        if (m->msg_iov[i].iov_len > SSIZE_MAX - sum)
            return -EINVAL;
        sum += m->msg_iov[i].iov_len;
        if (m->msg_iov[i].iov_len && !unused && memory_is_bad(m->msg_iov[i].iov_base))
            return -EFAULT;
    }
    return (ssize_t)sum;
}

/* Bytes into the pieces, from the first on; how many fitted. */
static inline size_t iov_scatter(const struct msghdr *m, const uint8_t *from, size_t n)
{
    size_t done = 0;

    for (size_t i = 0; i < m->msg_iovlen && done < n; i++) {
        size_t part = m->msg_iov[i].iov_len < n - done ? m->msg_iov[i].iov_len : n - done;
        memcpy(m->msg_iov[i].iov_base, from + done, part);
        done += part;
    }
    return done;
}
/* Bytes of the pieces, one after the other; at most n. */
static inline size_t iov_gather(const struct msghdr *m, uint8_t *to, size_t n)
{
    size_t done = 0;

    for (size_t i = 0; i < m->msg_iovlen && done < n; i++) {
        size_t part = m->msg_iov[i].iov_len < n - done ? m->msg_iov[i].iov_len : n - done;
        memcpy(to + done, m->msg_iov[i].iov_base, part);
        done += part;
    }
    return done;
}
