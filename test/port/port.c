/* A port of ours, opened as a program opens it, with pools to send from. */
#include "contract.h"

#include "os/os.h"

#define TX_PACKETS 8192u
#define TX_BYTES 2048u
#define SBUFS 16u
#define OWN_BYTES                                                                                  \
    ((size_t)TX_PACKETS * (sizeof(struct pkt) + TX_BYTES) + (size_t)SBUFS * (SBUF_BYTES + 256) +   \
     65536)

/* The pools first: what open leaves behind in the arena is then the driver's. */
static bool arena_make(struct port *p, size_t driver)
{
    size_t bytes = align_up(OWN_BYTES + driver, 4096);
    void *base = os_reserve(bytes, false);

    *p = (struct port){0};
    if (!base) {
        snprintf(p->why, sizeof(p->why), "no memory for the pools");
        return false;
    }
    mem_init(&p->m, base, bytes);
    pkt_pool_init(&p->tx, &p->m, "tx", TX_PACKETS, TX_BYTES, PKT_HEADROOM, NULL);
    sbuf_pool_init(&p->sbufs, &p->m, SBUFS, SBUFS, SBUF_BYTES);
    p->tx.sbufs = &p->sbufs;
    return true;
}

static void arena_drop(struct port *p)
{
    os_release(p->m.base, p->m.size);
    p->m.base = NULL;
}

bool port_open(struct port *p, const char *spec, struct dev_config *c)
{
    const char *name;
    char text[sizeof(p->why)] = "";
    const struct dev_kind *kind = dev_find(spec, &name, text, sizeof(text));

    *p = (struct port){0};
    c->name = name;
    if (kind && !arena_make(p, kind->bytes(c)))
        return false;
    if (kind) {
        size_t before = p->m.used;
        p->nic = kind->open(&p->m, c, text, sizeof(text));
        if (p->m.used - before > kind->bytes(c))
            fprintf(stderr, "# %s carved more than it said\n", spec);
    }
    snprintf(p->why, sizeof(p->why), "%s", text);
    if (kind && !p->nic)
        arena_drop(p);
    return p->nic != NULL;
}

bool port_open_by(struct port *p, port_open_fn open, struct dev_config *c, void *arg)
{
    if (!arena_make(p, (size_t)16 << 20))
        return false;
    p->nic = open(&p->m, c, arg);
    if (!p->nic)
        arena_drop(p);
    return p->nic != NULL;
}

static unsigned queues_of(const struct port *p)
{
    return min_u32(p->nic->caps.queues, QUEUES_MAX);
}

void port_attach(struct port *p)
{
    for (unsigned q = 0; q < queues_of(p); q++) {
        p->attached[q] = true;
        if (p->nic->ops->attach && p->nic->ops->attach(p->nic, q) != 0)
            fprintf(stderr, "# queue %u: attach failed\n", q);
    }
}

bool port_is_even(struct port *p)
{
    for (unsigned q = 0; q < queues_of(p); q++) {
        const struct pkt_pool *pool = nic_rx_pool(p->nic, q);
        if (pool && pool->descs.used != pool->posted) {
            snprintf(p->why, sizeof(p->why),
                     "queue %u: %u received packets are out and %u are with the port", q,
                     pool->descs.used, pool->posted);
            return false;
        }
    }
    snprintf(p->why, sizeof(p->why), "%u packets and %u send buffers were not given back",
             p->tx.descs.used, p->sbufs.bufs.used);
    return p->tx.descs.used == 0 && p->sbufs.bufs.used == 0;
}

bool port_settle(struct port *p, uint64_t us)
{
    uint64_t until = os_now_us() + us;
    bool even;

    do {
        for (unsigned q = 0; q < queues_of(p); q++) {
            struct pkt *k[BURST_MAX];
            unsigned n = nic_rx_burst(p->nic, q, k, BURST_MAX);
            for (unsigned i = 0; i < n; i++)
                pkt_put(k[i]);
        }
        even = port_is_even(p);
    } while (!even && os_now_us() < until);
    return even;
}

bool port_close(struct port *p)
{
    bool even;

    if (!p->nic)
        return true;
    for (unsigned q = 0; q < queues_of(p); q++)
        if (p->attached[q] && p->nic->ops->detach)
            p->nic->ops->detach(p->nic, q);
    p->nic->ops->close(p->nic);
    p->nic = NULL;
    even = p->tx.descs.used == 0 && p->sbufs.bufs.used == 0;
    if (!even)
        snprintf(p->why, sizeof(p->why),
                 "closed, and %u packets and %u send buffers were not given back", p->tx.descs.used,
                 p->sbufs.bufs.used);
    arena_drop(p);
    return even;
}

struct pkt *port_packet(struct port *p, const uint8_t *frame, uint32_t n)
{
    struct pkt *k = pkt_get(&p->tx);

    MR_ASSERT(k && n <= pkt_tailroom(k));
    memcpy(k->data, frame, n);
    k->len = n;
    return k;
}

struct pkt *port_pieces(struct port *p, const uint8_t *frame, uint32_t n, uint32_t head,
                        unsigned frags)
{
    struct pkt *k = port_packet(p, frame, head);
    struct sbuf *b = sbuf_get(&p->sbufs);
    uint32_t at = 0, rest = n - head;

    MR_ASSERT(b && rest <= SBUF_BYTES && frags <= PKT_FRAGS && rest >= 2 * frags);
    memcpy((uint8_t *)(uintptr_t)b->ptr, frame + head, rest);
    b->len = rest;
    for (unsigned i = 0; i < frags; i++) {
        /* Odd lengths, but for the last. */
        uint32_t len = i + 1 == frags ? rest - at : ((rest - at) / (frags - i)) | 1;
        b->refs++;
        k->frags[k->nfrags++] = (struct pkt_frag){b->ptr + at, len, mem_ref_of(p->sbufs.arena, b)};
        at += len;
    }
    k->frag_len = rest;
    sbuf_put(&p->sbufs, b);
    return k;
}
