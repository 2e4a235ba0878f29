#include "shard/via.h"

/* A frame is out of its packet before the next letter is read, unless the port keeps it. */
#define FRAMES 64u
/* Ethernet and two VLAN tags. */
#define LINK_HEADER_MAX 22u

/* The head of a MAIL_FRAME letter.  Offsets count from the frame's first byte. */
struct frame_letter {
    uint16_t l3_at, l4_at;
    uint8_t flags, netif;
};

static unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    (void)nic;
    (void)queue;
    (void)out;
    (void)max;
    return 0;
}

static unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct via *v = (struct via *)(void *)nic;

    (void)queue;
    for (unsigned i = 0; i < count; i++) {
        uint16_t at = (uint16_t)(p[i]->data - p[i]->buf);
        struct frame_letter head = {
            .l3_at = (uint16_t)(p[i]->l3_off - at),
            .l4_at = (uint16_t)(p[i]->l4_off - at),
            .flags = p[i]->flags,
            .netif = p[i]->netif,
        };
        if (!mail_send(v->mail, v->to, MAIL_FRAME, &head, sizeof(head), p[i])) {
            v->stats.tx_full++;
            return i;
        }
        v->stats.tx_packets++;
        v->stats.tx_bytes += pkt_total(p[i]);
        pkt_put(p[i]);
    }
    return count;
}

static void close_port(struct nic *nic)
{
    (void)nic;
}

static const struct nic_ops via_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .close = close_port,
};

void via_init(struct via *v, const struct nic *port, struct mail *mail, unsigned to)
{
    *v = (struct via){.nic = *port, .mail = mail, .to = to};
    v->nic.ops = &via_ops;
    v->nic.stats = &v->stats;
    v->nic.caps.tso_max = 0;
    v->nic.caps.queues = 1;
}

static uint32_t buf_size(uint32_t mtu)
{
    return (uint32_t)align_up(PKT_HEADROOM + LINK_HEADER_MAX + mtu, CACHE_LINE);
}

size_t via_pool_bytes(uint32_t mtu)
{
    return FRAMES * (sizeof(struct pkt) + (size_t)buf_size(mtu)) + 4096;
}

void via_pool_init(struct pkt_pool *p, struct mem *m, uint32_t mtu)
{
    pkt_pool_init(p, m, "frames of other cores", FRAMES, buf_size(mtu), PKT_HEADROOM, NULL);
}

struct pkt *via_frame(struct pkt_pool *pool, const struct letter *l)
{
    struct pkt *p = pkt_get(pool);
    struct frame_letter head;

    if (!p)
        return NULL;
    memcpy(&head, l->head, sizeof(head));
    MR_ASSERT(l->body_len <= pkt_tailroom(p));
    memcpy(p->data, l->body, l->body_len);
    p->len = l->body_len;
    p->l3_off = (uint16_t)(PKT_HEADROOM + head.l3_at);
    p->l4_off = (uint16_t)(PKT_HEADROOM + head.l4_at);
    p->flags = head.flags;
    p->netif = head.netif;
    return p;
}
