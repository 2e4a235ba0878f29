/* The peer as a port of ours, at the other end. */
#include "contract.h"

#define LARGEST 1700u /* of what fits into one send packet */

static struct pkt *packet_of(struct port *e, const uint8_t *frame, uint32_t n,
                             const struct beside *with)
{
    struct pkt *p =
        n <= LARGEST ? port_packet(e, frame, n) : port_pieces(e, frame, n, ETH_IP_TCP, 1);

    if (with && with->partial) {
        p->flags |= PKT_CSUM_PARTIAL;
        p->l3_off = (uint16_t)(p->data - p->buf + 14);
        p->l4_off = (uint16_t)(p->data - p->buf + with->csum_start);
        p->gso_size = with->gso_size;
    }
    return p;
}

bool end_send(struct rig *r, const uint8_t *frame, uint32_t n, const struct beside *with)
{
    struct port *e = &r->end;

    if (!e->nic)
        return false;
    struct pkt *p = packet_of(e, frame, n, with);
    uint32_t queues = min_u32(e->nic->caps.queues, QUEUES_MAX);
    /* A flow stays on its queue: some ports receive on the queue that it was sent on. */
    unsigned queue = queues > 1 && n > 36 ? mix(load_be16(frame + 34)) % queues : 0;
    bool taken = nic_tx_burst(e->nic, queue, &p, 1) == 1;

    if (!taken)
        pkt_put(p);
    return taken;
}

uint32_t end_recv(struct rig *r, uint8_t *out, uint32_t room, struct beside *with)
{
    struct port *e = &r->end;
    uint32_t queues = e->nic ? min_u32(e->nic->caps.queues, QUEUES_MAX) : 0, n = 0;
    struct pkt *p;

    for (uint32_t i = 0; i < queues && n == 0; i++) {
        if (nic_rx_burst(e->nic, r->end_queue++ % queues, &p, 1) == 0)
            continue;
        n = min_u32(p->len, room);
        memcpy(out, p->data, n);
        *with = (struct beside){.partial = p->flags & PKT_CSUM_PARTIAL, .gso_size = p->gso_size};
        if (with->partial) {
            /* Which field it is, the frame itself says. */
            with->csum_start = ETH_IP_UDP - 8;
            with->csum_offset = out[23] == IPPROTO_TCP_ ? 16 : 6;
        }
        pkt_put(p);
    }
    return n;
}

void end_close(struct rig *r)
{
    if (!r->end.nic)
        return;
    want(r, port_settle(&r->end, PATIENCE_US), "the peer: %s", r->end.why);
    want(r, port_close(&r->end), "the peer: %s", r->end.why);
}
