#include "sim/queue.h"

void sim_queue_init(struct sim_queue *q, struct mem *m, uint32_t capacity)
{
    *q = (struct sim_queue){.capacity = capacity};
    q->heap = mem_carve(m, capacity * sizeof(*q->heap), CACHE_LINE);
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_queue_add(struct sim_queue *q, uint64_t at, uint32_t kind, uint32_t arg)
{
    struct sim_event e = {.at = at, .order = q->order++, .kind = kind, .arg = arg};
    uint32_t i = q->n++;

    MR_ASSERT(i < q->capacity);
    while (i > 0 && is_before(&e, &q->heap[(i - 1) / 2])) {
        q->heap[i] = q->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->heap[i] = e;
}

/* Put e where the hole at the top sinks to. */
static void sink(struct sim_queue *q, struct sim_event e)
{
    uint32_t i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= q->n)
            break;
        if (child + 1 < q->n && is_before(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (is_before(&e, &q->heap[child]))
            break;
        q->heap[i] = q->heap[child];
        i = child;
    }
    q->heap[i] = e;
}

bool sim_queue_next(struct sim_queue *q, struct sim_event *out)
{
    if (q->n == 0)
        return false;
    *out = q->heap[0];
    q->n--;
    if (q->n > 0)
        sink(q, q->heap[q->n]);
    return true;
}
