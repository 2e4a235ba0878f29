/* Bytes from one side of a pair to the other. */
#include "tools/relay.h"

#define BATCH 16

enum handed { HANDED_ALL, HANDED_NOT, HANDED_NO_MEMORY };

void relay_slice_put(struct relay_slice *s)
{
    mr_slice_release(s->relay->m, &s->slice);
    tool_pool_put(&s->relay->slices, s);
}

static void on_release(void *arg, const void *ptr, size_t n)
{
    (void)ptr;
    (void)n;
    relay_slice_put(arg);
}

static struct relay_side *other(const struct relay_side *s)
{
    return &s->pair->side[s == &s->pair->side[0]];
}

static void count(struct relay *r, const struct relay_side *from, uint64_t n, bool copied)
{
    unsigned way = from == &from->pair->side[1];

    r->count.bytes[way] += n;
    r->count.copied[way] += copied ? n : 0;
}

/* An error that is not for want of room is told by MR_EV_CLOSED too; until then nothing goes. */
static enum handed refused(struct relay *r, int64_t err)
{
    if (err == MR_ENOBUFS || err == MR_ENOMEM)
        return HANDED_NO_MEMORY;
    r->count.blocked += err == MR_EAGAIN;
    return HANDED_NOT;
}

/* Copy what is left of a slice from *off on; *off moves by what was taken. */
static enum handed copy(struct relay *r, struct relay_side *from, const struct mr_slice *s,
                        uint32_t *off)
{
    int64_t n = mr_send(r->m, other(from)->sock, s->ptr + *off, s->len - *off, 0);

    if (n < 0)
        return refused(r, n);
    *off += (uint32_t)n;
    count(r, from, (uint64_t)n, true);
    return *off == s->len ? HANDED_ALL : HANDED_NOT;
}

static enum handed give(struct relay *r, struct relay_side *from, struct relay_slice *s)
{
    uint32_t n = s->slice.len - s->off;
    int err = mr_send_give(r->m, other(from)->sock, s->slice.ptr + s->off, n, 0, on_release, s);

    if (err != MR_OK)
        return refused(r, err);
    count(r, from, n, false);
    return HANDED_ALL;
}

static enum handed hand_over(struct relay *r, struct relay_side *from, struct relay_slice *s)
{
    enum handed h;

    if (s->slice.len - s->off > r->opt->copy_max)
        return give(r, from, s);
    h = copy(r, from, &s->slice, &s->off);
    if (h == HANDED_ALL)
        relay_slice_put(s);
    return h;
}

static enum handed hand_over_waiting(struct relay *r, struct relay_side *from)
{
    while (from->waiting != NULL) {
        struct relay_slice *s = from->waiting, *next = s->next;
        enum handed h = hand_over(r, from, s);
        if (h != HANDED_ALL)
            return h;
        from->waiting = next;
    }
    return HANDED_ALL;
}

/* From got[0] on, off bytes of which have gone: behind what waits.  False: no memory; the rest is
 * given back. */
static bool wait_with(struct relay *r, struct relay_side *from, struct mr_slice *got, int n,
                      uint32_t off)
{
    for (int i = 0; i < n; i++) {
        struct relay_slice *s = tool_pool_get(&r->slices);
        if (s == NULL) {
            for (; i < n; i++)
                mr_slice_release(r->m, &got[i]);
            return false;
        }
        *s = (struct relay_slice){.slice = got[i], .relay = r, .off = off};
        off = 0;
        if (from->waiting == NULL)
            from->waiting = s;
        else
            from->last->next = s;
        from->last = s;
    }
    return true;
}

/* Copy the small ones at the front; the others need an account.  How many are done with. */
static int copy_small(struct relay *r, struct relay_side *from, struct mr_slice *got, int n,
                      uint32_t *off)
{
    int i = 0;

    *off = 0;
    while (i < n && got[i].len <= r->opt->copy_max) {
        if (copy(r, from, &got[i], off) != HANDED_ALL)
            return i;
        *off = 0;
        mr_slice_release(r->m, &got[i++]);
    }
    return i;
}

bool relay_splice(struct relay_side *from)
{
    struct relay *r = from->pair->relay;
    struct relay_side *to = other(from);
    struct mr_slice got[BATCH];
    enum handed h;

    while ((h = hand_over_waiting(r, from)) == HANDED_ALL && !from->ended) {
        int n = mr_recv_slices(r->m, from->sock, got, BATCH), done;
        uint32_t off;
        if (n < 0)
            return true;
        from->ended = n == 0;
        done = copy_small(r, from, got, n, &off);
        if (!wait_with(r, from, got + done, n - done, off))
            return false;
    }
    if (h == HANDED_ALL && !to->shut) {
        to->shut = true;
        mr_shutdown(r->m, to->sock);
    }
    return h != HANDED_NO_MEMORY;
}
