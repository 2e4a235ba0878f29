#include "mail/mail.h"

#include <stdatomic.h>

STAT_GROUP(mail_stat_group, "mail", MAIL_STATS);

#define ALIGN 16u
#define RING_MIN 1024u
#define RING_MAX (UINT32_C(1) << 30) /* the counts wrap at twice as much, at least */

/* Written by one core, read by one other; each keeps its copy of the other's count beside its own,
 * so that a ring that is neither full nor empty costs each one line of the other. */
struct mail_ring {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t tail; /* bytes ever written */
    uint32_t head_seen;
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t head; /* bytes ever read */
    uint32_t tail_seen;
    MR_ALIGNED(CACHE_LINE) uint32_t mask; /* size - 1 */
    MR_ALIGNED(CACHE_LINE) uint8_t data[];
};

struct mail_box {
    MR_ALIGNED(CACHE_LINE) _Atomic uint64_t waiting; /* bit c: core c has written */
    _Atomic uint32_t asleep;
};

/* Letters lie whole: one that would wrap is written at the start, and a record without a kind fills
 * what is left at the end. */
struct record {
    uint32_t bytes; /* to the next record */
    uint16_t kind;  /* 0: filler */
    uint16_t head;
    uint32_t body;
    uint32_t spare;
};
_Static_assert(sizeof(struct record) == ALIGN, "what follows is aligned");

static size_t ring_size(uint32_t ring_bytes)
{
    return sizeof(struct mail_ring) + ring_bytes;
}

size_t mail_bytes(unsigned cores, uint32_t ring_bytes)
{
    return cores * sizeof(struct mail_box) + (size_t)cores * cores * ring_size(ring_bytes);
}

static struct mail_box *box_at(uint8_t *memory, unsigned core)
{
    return (struct mail_box *)(void *)(memory + core * sizeof(struct mail_box));
}

/* What the memory was formatted for; lies behind core 0's box. */
struct format {
    uint32_t cores, ring_bytes;
};

static struct format *format_of(uint8_t *memory)
{
    return (struct format *)(void *)(memory + offsetof(struct mail_box, asleep) + 8);
}
_Static_assert(sizeof(struct mail_box) >= offsetof(struct mail_box, asleep) + 16, "room for it");

static struct mail_ring *ring_at(uint8_t *memory, unsigned from, unsigned to)
{
    const struct format *f = format_of(memory);
    size_t at = f->cores * sizeof(struct mail_box) +
                ((size_t)from * f->cores + to) * ring_size(f->ring_bytes);

    return (struct mail_ring *)(void *)(memory + at);
}

void mail_format(void *memory, unsigned cores, uint32_t ring_bytes)
{
    MR_ASSERT(cores >= 1 && cores <= MAIL_CORES_MAX && is_pow2(ring_bytes) &&
              ring_bytes >= RING_MIN && ring_bytes <= RING_MAX);
    *format_of(memory) = (struct format){cores, ring_bytes};
    for (unsigned from = 0; from < cores; from++)
        for (unsigned to = 0; to < cores; to++)
            if (from != to)
                ring_at(memory, from, to)->mask = ring_bytes - 1;
}

void mail_open(struct mail *m, void *memory, unsigned self)
{
    *m = (struct mail){.self = self, .cores = format_of(memory)->cores};
    MR_ASSERT(self < m->cores);
    for (unsigned c = 0; c < m->cores; c++) {
        m->box[c] = box_at(memory, c);
        m->out[c] = ring_at(memory, self, c);
        m->in[c] = ring_at(memory, c, self);
    }
}

/* ---- writing ------------------------------------------------------------------------- */

/* Received packets come as fast as somebody likes to send them: they leave this share of a ring to
 * the letters that cores write of their own accord. */
#define KEEP_SHARE 8u

static bool is_flood(enum mail_kind kind)
{
    return kind == MAIL_PACKET || kind == MAIL_ERROR;
}

/* Where a record of n bytes may be written so that `keep` are left; NULL: nowhere.  A filler is
 * shorter than the record that did not fit there, so half a ring and its filler always fit into an
 * empty one, in which nothing need be left. */
static struct record *place(struct mail_ring *r, uint32_t *tail, uint32_t n, uint32_t keep)
{
    uint32_t size = r->mask + 1, at = *tail & r->mask;
    uint32_t gap = at + n > size ? size - at : 0;

    if (size - (*tail - r->head_seen) < gap + n + keep) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        uint32_t used = *tail - r->head_seen;
        if (used > 0 && size - used < gap + n + keep)
            return NULL;
    }
    if (gap > 0) {
        *(struct record *)(void *)(r->data + at) = (struct record){.bytes = gap};
        *tail += gap;
        at = 0;
    }
    return (struct record *)(void *)(r->data + at);
}

static void tell(struct mail *m, unsigned to)
{
    struct mail_box *box = m->box[to];

    atomic_fetch_or(&box->waiting, UINT64_C(1) << m->self);
    /* Of several writers one wakes. */
    if (atomic_load(&box->asleep) && atomic_exchange(&box->asleep, 0)) {
        m->to_wake |= UINT64_C(1) << to;
        m->stats.wakes++;
    }
}

/* A letter's body: a packet, or bytes. */
struct body {
    const struct pkt *pkt; /* borrowed; NULL: bytes */
    const void *bytes;     /* borrowed */
    uint32_t n;
};

static bool put(struct mail *m, unsigned to, enum mail_kind kind, const void *head, uint32_t n,
                const struct body *b)
{
    uint32_t body_at = (uint32_t)(sizeof(struct record) + align_up(n, ALIGN));
    uint32_t bytes = (uint32_t)align_up(body_at + b->n, ALIGN);

    MR_ASSERT(to < m->cores && to != m->self && n <= MAIL_HEAD_MAX);
    struct mail_ring *r = m->out[to];
    if (bytes > (r->mask + 1) / 2) {
        m->stats.too_long++;
        return false;
    }
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t keep = is_flood(kind) ? (r->mask + 1) / KEEP_SHARE : 0;
    struct record *rec = place(r, &tail, bytes, keep);
    if (!rec) {
        m->stats.full++;
        return false;
    }
    *rec = (struct record){bytes, (uint16_t)kind, (uint16_t)n, b->n, 0};
    if (n)
        memcpy(rec + 1, head, n);
    if (b->pkt)
        pkt_copy_out(b->pkt, (uint8_t *)rec + body_at);
    else if (b->n)
        memcpy((uint8_t *)rec + body_at, b->bytes, b->n);
    atomic_store_explicit(&r->tail, tail + bytes, memory_order_release);
    m->stats.sent++;
    m->stats.packets_sent += kind == MAIL_PACKET;
    tell(m, to);
    return true;
}

bool mail_send(struct mail *m, unsigned to, enum mail_kind kind, const void *head, uint32_t n,
               const struct pkt *p)
{
    const struct body b = {.pkt = p, .n = p ? pkt_total(p) : 0};

    return put(m, to, kind, head, n, &b);
}

bool mail_send_bytes(struct mail *m, unsigned to, enum mail_kind kind, const void *p, uint32_t n)
{
    const struct body b = {.bytes = p, .n = n};

    return put(m, to, kind, NULL, 0, &b);
}

/* ---- reading ------------------------------------------------------------------------- */

bool mail_news(struct mail *m)
{
    struct mail_box *box = m->box[m->self];

    if (likely(!atomic_load_explicit(&box->waiting, memory_order_relaxed)))
        return false;
    m->unread |= atomic_exchange(&box->waiting, 0);
    return true;
}

bool mail_waits(struct mail *m)
{
    return mail_news(m) || m->unread != 0;
}

void mail_look(struct mail *m)
{
    for (unsigned c = 0; c < m->cores; c++)
        if (c != m->self)
            m->unread |= UINT64_C(1) << c;
}

/* The oldest record of a ring, fillers passed over; NULL: none. */
static const struct record *oldest(struct mail_ring *r)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

    for (;;) {
        if (head == r->tail_seen) {
            r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
            if (head == r->tail_seen)
                return NULL;
        }
        const struct record *rec =
            (const struct record *)(const void *)(r->data + (head & r->mask));
        if (rec->kind != 0)
            return rec;
        head += rec->bytes;
        atomic_store_explicit(&r->head, head, memory_order_release);
    }
}

bool mail_next(struct mail *m, struct letter *out)
{
    while (m->unread) {
        /* The next core behind the one that was read last. */
        uint64_t behind = m->unread & ~((UINT64_C(2) << m->last) - 1);
        unsigned from = (unsigned)__builtin_ctzll(behind ? behind : m->unread);
        const struct record *rec = oldest(m->in[from]);
        if (!rec) {
            m->unread &= ~(UINT64_C(1) << from);
            continue;
        }
        const uint8_t *head = (const uint8_t *)(rec + 1);
        m->last = from;
        *out = (struct letter){.from = from,
                               .kind = (enum mail_kind)rec->kind,
                               .head_len = rec->head,
                               .body_len = rec->body,
                               .head = head,
                               .body = head + align_up(rec->head, ALIGN)};
        return true;
    }
    return false;
}

void mail_done(struct mail *m, const struct letter *l)
{
    struct mail_ring *r = m->in[l->from];
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    const struct record *rec = (const struct record *)(const void *)(r->data + (head & r->mask));

    m->stats.received++;
    m->stats.packets_received += l->kind == MAIL_PACKET;
    atomic_store_explicit(&r->head, head + rec->bytes, memory_order_release);
}

/* ---- sleeping ------------------------------------------------------------------------ */

bool mail_asleep_unread(struct mail *m)
{
    struct mail_box *box = m->box[m->self];

    atomic_store(&box->asleep, 1);
    return atomic_load(&box->waiting) == 0;
}

bool mail_asleep(struct mail *m)
{
    return !m->unread && mail_asleep_unread(m);
}

void mail_awake(struct mail *m)
{
    atomic_store(&m->box[m->self]->asleep, 0);
}
