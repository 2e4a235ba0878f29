#include "buf/buf.h"

struct pkt *rcvq_pop(struct rcvq *q)
{
    struct pkt *k = rcvq_head(q);

    if (!k)
        return NULL;
    if (k == q->tail)
        q->tail = NULL;
    else
        q->tail->next = k->next;
    q->cc -= k->len;
    k->next = NULL;
    return k;
}

static uint32_t peek_copy(const struct rcvq *q, uint8_t *dst, uint32_t n)
{
    const struct pkt *k = rcvq_head(q);
    uint32_t done = 0;

    while (k && done < n) {
        uint32_t part = min_u32(n - done, k->len);
        memcpy(dst + done, k->data, part);
        done += part;
        k = k == q->tail ? NULL : k->next;
    }
    return done;
}

uint32_t rcvq_copy(struct rcvq *q, uint8_t *dst, uint32_t n, bool peek)
{
    struct pkt *k;
    uint32_t done = 0;

    if (peek)
        return peek_copy(q, dst, n);
    while (done < n && (k = rcvq_head(q))) {
        uint32_t part = min_u32(n - done, k->len);
        memcpy(dst + done, k->data, part);
        done += part;
        if (part == k->len) {
            pkt_put(rcvq_pop(q));
        } else {
            pkt_pull(k, part);
            q->cc -= part;
        }
    }
    return done;
}

void rcvq_clear(struct rcvq *q)
{
    struct pkt *k;

    while ((k = rcvq_pop(q)))
        pkt_put(k);
}
