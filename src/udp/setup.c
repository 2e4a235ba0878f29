/* Initialisation, pcbs, the ready list. */
#include "udp/udp_int.h"

STAT_GROUP(udp_stat_group, "udp", UDP_STATS);

const struct udp_limits udp_limits_default = {
    .pcbs = 4096,
    .copies = 4096,
    .copy_size = 2048,
    .rcv_pkts = 1024,
    .rcv_bytes = 1 << 20,
    .port_lo = 32768,
    .port_hi = 60999,
};

void udp_init(struct udp *udp, struct mem *m, const struct udp_limits *limits, uint64_t seed)
{
    uint32_t buckets = (uint32_t)ceil_pow2(limits->pcbs);
    struct rng rng;

    MR_ASSERT(limits->port_lo > 0 && limits->port_lo <= limits->port_hi);
    *udp = (struct udp){.limits = *limits};
    pool_init(&udp->pcbs, m, limits->pcbs, sizeof(struct udp_pcb), CACHE_LINE);
    udp->ports = mem_carve(m, buckets * sizeof(*udp->ports), CACHE_LINE);
    udp->conns = mem_carve(m, buckets * sizeof(*udp->conns), CACHE_LINE);
    udp->port_mask = buckets - 1;
    udp->conn_mask = buckets - 1;
    pkt_pool_init(&udp->copies, m, "udp copies", limits->copies, limits->copy_size, 0, NULL);
    rng_init(&rng, seed);
    udp->key.k[0] = rng_u64(&rng);
    udp->key.k[1] = rng_u64(&rng);
    for (unsigned i = 0; i < NH_WORDS_MAX; i++)
        udp->nh_key.k[i] = rng_u32(&rng);
}

struct udp_pcb *udp_open(struct udp *udp)
{
    struct udp_pcb *pcb = pool_get(&udp->pcbs);

    if (!pcb)
        return NULL;
    *pcb = (struct udp_pcb){
        .state = UDP_CLOSED,
        .laddr = ip4_of(0, 0, 0, 0),
        .raddr = ip4_of(0, 0, 0, 0),
        .rcv_pkts_max = udp->limits.rcv_pkts,
        .rcv_bytes_max = udp->limits.rcv_bytes,
        .generation = ++udp->generations,
    };
    return pcb;
}

static void ready_remove(struct udp *udp, struct udp_pcb *pcb)
{
    if (pcb->ready_prev)
        pcb->ready_prev->ready_next = pcb->ready_next;
    else
        udp->ready_head = pcb->ready_next;
    if (pcb->ready_next)
        pcb->ready_next->ready_prev = pcb->ready_prev;
    else
        udp->ready_tail = pcb->ready_prev;
    pcb->on_ready = false;
}

void udp_mark_ready(struct udp *udp, struct udp_pcb *pcb, uint8_t what)
{
    pcb->ready |= what;
    if (pcb->on_ready)
        return;
    pcb->on_ready = true;
    pcb->ready_next = NULL;
    pcb->ready_prev = udp->ready_tail;
    if (udp->ready_tail)
        udp->ready_tail->ready_next = pcb;
    else
        udp->ready_head = pcb;
    udp->ready_tail = pcb;
}

struct udp_pcb *udp_next_ready(struct udp *udp)
{
    struct udp_pcb *pcb = udp->ready_head;

    if (pcb)
        ready_remove(udp, pcb);
    return pcb;
}

void udp_close(struct udp *udp, struct udp_pcb *pcb)
{
    MR_ASSERT(pcb->state != UDP_FREE);
    if (pcb->state == UDP_CONNECTED)
        conn_unlink(udp, pcb);
    if (pcb->state >= UDP_BOUND) {
        port_unlink(udp, pcb);
        port_tell(udp, pcb->lport);
    }
    if (pcb->on_ready)
        ready_remove(udp, pcb);
    pkt_list_put_all(&pcb->rcvq);
    pcb->state = UDP_FREE;
    pool_put(&udp->pcbs, pcb);
}

struct pkt *udp_recv(struct udp_pcb *pcb)
{
    struct pkt *p = pkt_list_pop(&pcb->rcvq);

    if (p)
        pcb->rcv_bytes -= p->len;
    return p;
}
