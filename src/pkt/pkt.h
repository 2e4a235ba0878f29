/* pkt: packets, pools of packet buffers, bursts.
 *
 * THEORY OF OPERATION
 *
 * A packet is a descriptor (struct pkt) and a buffer.  Descriptors and buffers are two arrays, so
 * that the buffers may lie wherever the NIC needs them (an AF_XDP umem, huge pages, a shared memory
 * wire) while the descriptors stay in the arena.  A packet always belongs to exactly one owner: a
 * pool, a NIC's queue, a burst, a socket's queue, a slice in the application's hands.  pkt_put
 * returns it to the pool it came from, whoever owned it.
 *
 * Received packets are one contiguous range [data, data + len) in their buffer.  Packets to send
 * may continue in up to PKT_FRAGS fragments that lie in send buffers, borrowed until the packet is
 * put; `owner` is what keeps them alive.
 *
 *   buffer:  | headroom | headers | payload .... | free |
 *                       ^data                    ^data+len
 *
 * Checksum and segmentation offload: PKT_CSUM_PARTIAL says that the L4 checksum field holds the
 * folded pseudo-header sum and that whoever sends the packet must finish it, over [l4_off, end);
 * gso_size > 0 says that the packet is a TCP segment of many MSS to be cut in pieces of that
 * payload.  On receive, PKT_CSUM_OK says that the port has verified the L4 checksum (or that the
 * packet never left the machine's memory); gso_size > 0 on receive says that the port has
 * coalesced. */
#pragma once

#include "base/csum.h"
#include "mem/mem.h"

#define PKT_FRAGS 12u
#define PKT_HEADROOM 128u /* Ethernet+VLAN, IPv6, room for a driver's own header */
#define PKT_INFO_BYTES 192u

enum pkt_flags {
    PKT_CSUM_OK = 0x01,      /* rx: L4 checksum known to be right */
    PKT_CSUM_PARTIAL = 0x02, /* tx: finish the L4 checksum; rx: same-machine sender left it partial
                                (implies CSUM_OK) */
    PKT_BROADCAST = 0x04,    /* link-layer broadcast */
    PKT_MULTICAST = 0x08,    /* link-layer multicast */
    PKT_LOOPBACK = 0x10,     /* never leaves this stack */
    PKT_COPIED = 0x20,       /* rx: payload was moved off the port's buffers */
    PKT_MOVED = 0x40,        /* passed on while its home changes: who cannot take it says nothing */
    PKT_LAST = 0x80,         /* passed on, and no further: nobody else can take it; TCP: to who
                                listens: nobody has the flow */
};

struct pkt_pool;

/* ---- send buffers ----------------------------------------------------------------- */

/* A piece of data to send: a chunk of the stack's own memory that copying calls fill, or a range
 * the application gave.  It lives while its send queue or any packet refers to it. */
struct sbuf {
    const uint8_t *ptr;
    uint32_t len;                                  /* valid bytes */
    uint32_t cap;                                  /* writable bytes of an own chunk; 0: given */
    mem_ref next;                                  /* in its send queue, or on the released list */
    uint32_t refs;                                 /* the queue's plus one for every fragment */
    void (*release)(void *, const void *, size_t); /* of a given range; may be NULL */
    void *arg;
    mem_ref cursor;      /* kept in a queue's first sbuf: where the last gather ended, */
    uint32_t cursor_pos; /* and that sbuf's distance in bytes from the start of this one */
};

struct sbuf_pool {
    struct pool bufs;   /* struct sbuf */
    struct pool chunks; /* chunk_size bytes each */
    uint8_t *arena;     /* base of references */
    uint32_t chunk_size;
    mem_ref released_head, released_tail; /* given ranges to hand back to their owner */
};

void sbuf_pool_init(struct sbuf_pool *p, struct mem *m, uint32_t bufs, uint32_t chunks,
                    uint32_t chunk_size);

/* An empty chunk of our own, or NULL.  refs is 1. */
struct sbuf *sbuf_get(struct sbuf_pool *p);
/* A range given by the application, or NULL.  refs is 1. */
struct sbuf *sbuf_get_given(struct sbuf_pool *p, const void *ptr, uint32_t n,
                            void (*release)(void *, const void *, size_t), void *arg);
/* Drop one reference.  The last one returns a chunk, or puts a given range on the released list:
 * callbacks are the API's to make, never ours. */
void sbuf_put(struct sbuf_pool *p, struct sbuf *b);
/* Take one given range off the released list; the caller calls release and then sbuf_free. */
struct sbuf *sbuf_pop_released(struct sbuf_pool *p);
void sbuf_free(struct sbuf_pool *p, struct sbuf *b);

/* ---- packets ---------------------------------------------------------------------- */

struct pkt_frag {
    const uint8_t *ptr;
    uint32_t len;
    mem_ref owner; /* struct sbuf holding it alive; MEM_NONE: static */
};

struct pkt {
    uint8_t *data;         /* first valid byte */
    uint32_t len;          /* valid bytes at data */
    uint32_t frag_len;     /* bytes in frags */
    struct pkt *next;      /* link of whichever list owns it */
    struct pkt_pool *pool; /* where it goes back to; static */
    uint8_t *buf;          /* its buffer; the pool's */
    uint32_t hash;         /* rx: NIC's RSS hash if the port has one */
    uint16_t l3_off;       /* from buf: IP header */
    uint16_t l4_off;       /* from buf: transport header */
    uint16_t gso_size;     /* 0: one segment */
    uint16_t vlan;         /* 802.1Q TCI of the frame, if port strips or inserts */
    uint8_t flags;         /* enum pkt_flags */
    uint8_t nfrags;
    uint8_t netif; /* index of the interface it came from or goes to */
    uint8_t hops;  /* cores it was passed on by */
    uint8_t core;  /* where it is to be passed on to */
    uint8_t from;  /* the last of those cores, if hops */
    uint8_t spare[2];
    union {
        struct pkt_frag frags[PKT_FRAGS];
        /* Parsed headers of a received packet, written by the layer that parsed them (struct
         * ip_info, struct tcp_seg …). */
        MR_ALIGNED(16) uint8_t info[PKT_INFO_BYTES];
    };
};
_Static_assert(offsetof(struct pkt, info) == CACHE_LINE, "the descriptor proper is one cache line");

/* A pool of packets with buffers of one size. */
struct pkt_pool {
    struct pool descs;  /* struct pkt */
    uint8_t *bufs;      /* borrowed: capacity * buf_size bytes */
    uint32_t buf_size;  /* bytes a buffer, headroom included */
    uint32_t headroom;  /* bytes in front of data in a fresh packet */
    uint32_t low_water; /* fewer than this many free or with the NIC: holders copy and give back; 0:
                           never */
    uint32_t posted;    /* taken by the driver and waiting inside the NIC to be filled */
    struct sbuf_pool *sbufs; /* borrowed: where fragment owners live; NULL for receive pools */
    const char *name;        /* static */
    /* A port whose buffers are its own (DPDK's mbufs) makes packets of them itself: it sets every
     * field of a descriptor that pkt_get would set, and each packet comes back here instead of to
     * descs.  descs.capacity and descs.used then only count.  NULL: the pool's own buffers. */
    void (*release)(struct pkt_pool *pool, struct pkt *p);
};

/* Descriptors from m; buffers from m too, or from bufs if not NULL (capacity * buf_size bytes,
 * outliving the pool). */
void pkt_pool_init(struct pkt_pool *p, struct mem *m, const char *name, uint32_t capacity,
                   uint32_t buf_size, uint32_t headroom, void *bufs);

/* An empty packet (len 0, data behind the headroom), or NULL (counted by the pool). */
struct pkt *pkt_get(struct pkt_pool *p);

/* Return a packet to its pool and its fragments to their owners. */
void pkt_put(struct pkt *p);

/* Whoever had packets of a receive pool is gone for good, perhaps in the midst of taking one: all
 * of them are free again, but for those that wait in the port (next is the packet itself). */
void pkt_pool_reclaim(struct pkt_pool *p);

static inline uint32_t pkt_total(const struct pkt *p)
{
    return p->len + p->frag_len;
}
static inline uint32_t pkt_index(const struct pkt *p)
{
    return pool_index(&p->pool->descs, p);
}
static inline uint32_t pkt_tailroom(const struct pkt *p)
{
    return (uint32_t)(p->buf + p->pool->buf_size - (p->data + p->len));
}
static inline uint32_t pkt_headroom(const struct pkt *p)
{
    return (uint32_t)(p->data - p->buf);
}
static inline bool pkt_pool_is_low(const struct pkt_pool *p)
{
    return pool_available(&p->descs) + p->posted < p->low_water;
}
/* Grow at the front; the room is our own arithmetic: ASSERT. */
static inline uint8_t *pkt_push(struct pkt *p, uint32_t n)
{
    MR_ASSERT(pkt_headroom(p) >= n);
    p->data -= n;
    p->len += n;
    return p->data;
}
/* Drop n bytes at the front; n <= len. */
static inline void pkt_pull(struct pkt *p, uint32_t n)
{
    MR_ASSERT(n <= p->len);
    p->data += n;
    p->len -= n;
}
/* Cut to n bytes from data; contiguous packets. */
static inline void pkt_trim(struct pkt *p, uint32_t n)
{
    if (n < p->len)
        p->len = n;
}

/* Copy the whole packet, fragments too, to dst (room for pkt_total bytes). */
void pkt_copy_out(const struct pkt *p, uint8_t *dst);

/* Unfolded checksum of [from, end of the packet): from is an offset from data. */
uint64_t pkt_csum(const struct pkt *p, uint32_t from, csum_fn add);

/* Finish a PKT_CSUM_PARTIAL packet in software: field_off is the checksum field's offset from
 * l4_off. */
void pkt_csum_finish(struct pkt *p, uint32_t field_off, csum_fn add);

/* A burst: an array of packets on their way together. */
#define BURST_MAX 64u
struct burst {
    unsigned n;
    struct pkt *p[BURST_MAX];
};
static inline bool burst_add(struct burst *b, struct pkt *p)
{
    if (b->n == BURST_MAX)
        return false;
    b->p[b->n++] = p;
    return true;
}

/* A FIFO of packets linked through `next`. */
struct pkt_list {
    struct pkt *head, *tail;
    uint32_t n;
};
static inline void pkt_list_append(struct pkt_list *l, struct pkt *p)
{
    p->next = NULL;
    if (l->tail)
        l->tail->next = p;
    else
        l->head = p;
    l->tail = p;
    l->n++;
}
static inline struct pkt *pkt_list_pop(struct pkt_list *l)
{
    struct pkt *p = l->head;
    if (p) {
        l->head = p->next;
        if (!l->head)
            l->tail = NULL;
        p->next = NULL;
        l->n--;
    }
    return p;
}
static inline void pkt_list_prepend(struct pkt_list *l, struct pkt *p)
{
    p->next = l->head;
    l->head = p;
    if (!l->tail)
        l->tail = p;
    l->n++;
}
/* Put all of `front` before what is in l; front is then empty. */
static inline void pkt_list_prepend_all(struct pkt_list *l, struct pkt_list *front)
{
    if (!front->head)
        return;
    front->tail->next = l->head;
    l->head = front->head;
    if (!l->tail)
        l->tail = front->tail;
    l->n += front->n;
    *front = (struct pkt_list){0};
}
void pkt_list_put_all(struct pkt_list *l);
