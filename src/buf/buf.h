/* buf: the byte queues of a stream socket.
 *
 * THEORY OF OPERATION
 *
 * The send queue is a list of send buffers; its first byte is snd_una.  Sending never removes
 * anything: tcp gathers any range as fragments for a segment, first time or again, and drops bytes
 * from the front when they are acknowledged.
 *
 *     head                                          tail
 *     [######|=======]->[=============]->[====|     ]
 *      ^head_off: dropped   ^cursor: where the last gather ended
 *
 * The cursor makes the next gather O(1) however long the queue; it lives in the first buffer, so
 * that an idle connection's queue is sixteen bytes of zeros.
 *
 * The receive queue is a list of received packets trimmed to in-order payload; taking a slice hands
 * the packet itself to the application. */
#pragma once

#include "pkt/pkt.h"

struct sndq {
    mem_ref head, tail; /* struct sbuf */
    uint32_t head_off;  /* bytes of head already dropped */
    uint32_t cc;        /* bytes in the queue */
};

/* Copy in as much of src as there are chunks for; returns the bytes taken. */
uint32_t sndq_append_copy(struct sndq *q, struct sbuf_pool *p, const uint8_t *src, uint32_t n);

/* Append a given range; false when no descriptor is left (nothing changed). */
bool sndq_append_given(struct sndq *q, struct sbuf_pool *p, const void *ptr, uint32_t n,
                       void (*release)(void *, const void *, size_t), void *arg);

/* Drop n <= cc bytes at the front. */
void sndq_drop(struct sndq *q, struct sbuf_pool *p, uint32_t n);
static inline void sndq_clear(struct sndq *q, struct sbuf_pool *p)
{
    sndq_drop(q, p, q->cc);
}

/* Attach up to n bytes that begin off bytes from the front to k, as fragments that hold their
 * buffers; bytes of a range up to copy_max long are copied behind k's header instead (no reference,
 * one cache line less to touch).  Returns the bytes attached: fewer than n when k's fragments are
 * used up.  off + n <= cc. */
uint32_t sndq_gather(struct sndq *q, struct sbuf_pool *p, uint32_t off, uint32_t n, struct pkt *k,
                     uint32_t copy_max);

/* The same n bytes, at *at, if they lie in the queue's first buffer, which is returned; else
 * NULL. */
static inline struct sbuf *sndq_first(const struct sndq *q, const struct sbuf_pool *p,
                                      uint32_t off, uint32_t n, const uint8_t **at)
{
    struct sbuf *b = mem_ptr(p->arena, q->head);
    uint32_t pos = q->head_off + off;

    if (!b || pos + n > b->len)
        return NULL;
    *at = b->ptr + pos;
    return b;
}

struct rcvq {
    struct pkt *tail; /* circular: tail->next is the head; packets come from any port's pool */
    uint32_t cc;      /* bytes in the queue */
    uint32_t lent;    /* bytes taken as slices and not given back; the owner's account */
};

static inline struct pkt *rcvq_head(const struct rcvq *q)
{
    return q->tail ? q->tail->next : NULL;
}

/* Append k (its data..len is payload, len > 0); the queue owns it. */
static inline void rcvq_append(struct rcvq *q, struct pkt *k)
{
    k->next = k;
    if (q->tail) {
        k->next = q->tail->next;
        q->tail->next = k;
    }
    q->tail = k;
    q->cc += k->len;
}
/* Take the first packet off, or NULL; the caller owns it. */
struct pkt *rcvq_pop(struct rcvq *q);
/* Copy up to n bytes out from the front; drops them (returning emptied packets to their pools)
 * unless peek. */
uint32_t rcvq_copy(struct rcvq *q, uint8_t *dst, uint32_t n, bool peek);
void rcvq_clear(struct rcvq *q);
