#include "buf/buf.h"

static struct sbuf *at(const struct sbuf_pool *p, mem_ref r)
{
    return mem_ptr(p->arena, r);
}

static void append(struct sndq *q, struct sbuf_pool *p, struct sbuf *b)
{
    mem_ref r = mem_ref_of(p->arena, b);

    if (q->tail)
        at(p, q->tail)->next = r;
    else
        q->head = r;
    q->tail = r;
}

static uint32_t fill_chunk(struct sbuf *b, const uint8_t *src, uint32_t n)
{
    uint32_t room = min_u32(n, b->cap - b->len);

    memcpy((uint8_t *)(uintptr_t)b->ptr + b->len, src, room);
    b->len += room;
    return room;
}

uint32_t sndq_append_copy(struct sndq *q, struct sbuf_pool *p, const uint8_t *src, uint32_t n)
{
    uint32_t taken = 0;
    struct sbuf *b = q->tail ? at(p, q->tail) : NULL;

    if (b && b->len < b->cap)
        taken = fill_chunk(b, src, n);
    while (taken < n && (b = sbuf_get(p))) {
        append(q, p, b);
        taken += fill_chunk(b, src + taken, n - taken);
    }
    q->cc += taken;
    return taken;
}

bool sndq_append_given(struct sndq *q, struct sbuf_pool *p, const void *ptr, uint32_t n,
                       void (*release)(void *, const void *, size_t), void *arg)
{
    struct sbuf *b = sbuf_get_given(p, ptr, n, release, arg);

    if (!b)
        return false;
    append(q, p, b);
    q->cc += n;
    return true;
}

/* Drop the first buffer; the cursor moves to the next one. */
static void drop_head(struct sndq *q, struct sbuf_pool *p)
{
    struct sbuf *b = at(p, q->head);
    struct sbuf *next = at(p, b->next);

    if (next) {
        bool ahead = b->cursor && b->cursor_pos >= b->len;
        next->cursor = ahead ? b->cursor : MEM_NONE;
        next->cursor_pos = ahead ? b->cursor_pos - b->len : 0;
    } else {
        q->tail = MEM_NONE;
    }
    q->head = b->next;
    q->head_off = 0;
    sbuf_put(p, b);
}

void sndq_drop(struct sndq *q, struct sbuf_pool *p, uint32_t n)
{
    MR_ASSERT(n <= q->cc);
    if (likely(n == q->cc && q->head == q->tail && q->head)) {
        struct sbuf *b = at(p, q->head);
        *q = (struct sndq){0};
        sbuf_put(p, b);
        return;
    }
    q->cc -= n;
    while (n) {
        struct sbuf *b = at(p, q->head);
        uint32_t left = b->len - q->head_off;
        if (n < left) {
            q->head_off += n;
            return;
        }
        n -= left;
        drop_head(q, p);
    }
    /* An emptied chunk goes back too: an idle connection holds nothing. */
    if (q->cc == 0 && q->head)
        drop_head(q, p);
}

/* The buffer that holds byte pos, counted from the first buffer's start; *pos becomes the offset in
 * it. */
static struct sbuf *seek(struct sndq *q, struct sbuf_pool *p, uint32_t *pos)
{
    struct sbuf *first = at(p, q->head);
    struct sbuf *b = first;
    uint32_t base = 0;

    if (first->cursor && first->cursor_pos <= *pos) {
        b = at(p, first->cursor);
        base = first->cursor_pos;
    }
    while (*pos - base >= b->len && b->next) {
        base += b->len;
        b = at(p, b->next);
    }
    first->cursor = mem_ref_of(p->arena, b);
    first->cursor_pos = base;
    *pos -= base;
    return b;
}

static bool copy_inline(struct pkt *k, const uint8_t *src, uint32_t n)
{
    if (k->nfrags || pkt_tailroom(k) < n)
        return false;
    memcpy(k->data + k->len, src, n);
    k->len += n;
    return true;
}

uint32_t sndq_gather(struct sndq *q, struct sbuf_pool *p, uint32_t off, uint32_t n, struct pkt *k,
                     uint32_t copy_max)
{
    uint32_t pos = off + q->head_off;
    uint32_t done = 0;

    MR_ASSERT(n > 0 && off + n <= q->cc);
    struct sbuf *b = seek(q, p, &pos);
    while (done < n) {
        uint32_t part = min_u32(n - done, b->len - pos);
        const uint8_t *src = b->ptr + pos;
        if (n > copy_max || !copy_inline(k, src, part)) {
            if (k->nfrags == PKT_FRAGS)
                break;
            b->refs++;
            k->frags[k->nfrags++] = (struct pkt_frag){src, part, mem_ref_of(p->arena, b)};
            k->frag_len += part;
        }
        done += part;
        pos = 0;
        b = at(p, b->next);
    }
    return done;
}
