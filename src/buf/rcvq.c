#include "buf/buf.h"

void rcvq_append(struct rcvq *q, uint8_t *arena, struct pkt *k)
{
    mem_ref r = mem_ref_of(arena, k);

    k->next = NULL;
    if (q->tail)
        ((struct pkt *)mem_ptr(arena, q->tail))->next = k;
    else
        q->head = r;
    q->tail = r;
    q->cc += k->len;
}

struct pkt *rcvq_pop(struct rcvq *q, uint8_t *arena)
{
    struct pkt *k = mem_ptr(arena, q->head);

    if (!k)
        return NULL;
    q->head = mem_ref_of(arena, k->next);
    if (!q->head)
        q->tail = MEM_NONE;
    q->cc -= k->len;
    k->next = NULL;
    return k;
}

uint32_t rcvq_copy(struct rcvq *q, uint8_t *arena, uint8_t *dst, uint32_t n, bool peek)
{
    struct pkt *k = mem_ptr(arena, q->head);
    uint32_t done = 0;

    while (k && done < n) {
        struct pkt *next = k->next;
        uint32_t part = min_u32(n - done, k->len);
        memcpy(dst + done, k->data, part);
        done += part;
        if (!peek && part == k->len) {
            pkt_put(rcvq_pop(q, arena));
        } else if (!peek) {
            pkt_pull(k, part);
            q->cc -= part;
        }
        k = next;
    }
    return done;
}

void rcvq_clear(struct rcvq *q, uint8_t *arena)
{
    struct pkt *k;

    while ((k = rcvq_pop(q, arena)))
        pkt_put(k);
}
