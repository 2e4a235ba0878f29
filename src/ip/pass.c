/* Packets and ICMP errors whose owner is another core: into a letter, and out of one. */
#include "ip/ip_int.h"

#define HELD_US 50000u /* who has not read for so long has stopped: before TCP would know */

/* What a packet's letter begins with. */
struct passed {
    uint16_t gso_size;
    uint8_t netif, flags, hops;
};

/* From its IP header on. */
static bool send_letter(struct ip *ip, const struct pkt *p, unsigned core)
{
    struct passed head = {p->gso_size, p->netif, p->flags, (uint8_t)(p->hops + 1)};

    return mail_send(ip->eth->cores->mail, core, MAIL_PACKET, &head, sizeof(head), p);
}

static void drop_full(struct ip *ip, struct pkt *p)
{
    ip->eth->cores->mail->stats.drop_packet_full++;
    pkt_put(p);
}

/* Nobody need lose what never left the machine, as somebody must whose port brings more than is
 * read: TCP between two cores of ours lost whole windows in a ring, and found out by time-outs.
 * But who has stopped holds up nobody else. */
static void send_or_hold(struct ip *ip, struct pkt *p, unsigned core)
{
    uint64_t bit = UINT64_C(1) << core;

    if (!(ip->held_for & bit) && send_letter(ip, p, core)) {
        ip->stopped &= ~bit;
        ip->held_at = 0;
        pkt_put(p);
    } else if (ip->stopped & bit) {
        drop_full(ip, p);
    } else {
        p->from = (uint8_t)core; /* nobody has sent it to us */
        ip->held_for |= bit;
        pkt_list_append(&ip->held, p);
    }
}

void ip_loop_resume(struct ip *ip, instant now)
{
    struct pkt_list held = ip->held;
    struct pkt *p;

    if (likely(!held.n))
        return;
    if (!ip->held_at)
        ip->held_at = now;
    else if (now - ip->held_at >= HELD_US)
        ip->stopped |= ip->held_for;
    ip->held = (struct pkt_list){0};
    ip->held_for = 0;
    while ((p = pkt_list_pop(&held)))
        send_or_hold(ip, p, p->from);
    if (!ip->held.n)
        ip->held_at = 0;
}

void ip_pass(struct ip *ip, struct pkt *p, unsigned core)
{
    uint8_t *ip_header = p->buf + p->l3_off;

    /* Whoever looked at the packet has only moved its beginning. */
    pkt_push(p, (uint32_t)(p->data - ip_header));
    if ((p->flags & PKT_LOOPBACK) && p->hops == 0) {
        send_or_hold(ip, p, core);
        return;
    }
    if (send_letter(ip, p, core))
        pkt_put(p);
    else
        drop_full(ip, p);
}

struct pkt *ip_passed(struct ip *ip, const struct letter *l, struct pkt_pool *small)
{
    struct passed head;
    bool fits = small->buf_size - PKT_HEADROOM >= l->body_len;
    struct pkt *p = pkt_get(fits ? small : &ip->jumbo);

    if (!p) {
        ip->eth->cores->mail->stats.drop_packet_nobuf++;
        return NULL;
    }
    memcpy(&head, l->head, sizeof(head));
    memcpy(p->data, l->body, l->body_len);
    p->len = l->body_len;
    p->l3_off = (uint16_t)(p->data - p->buf);
    p->gso_size = head.gso_size;
    p->netif = head.netif;
    p->flags = head.flags;
    p->hops = head.hops;
    p->from = (uint8_t)l->from;
    return p;
}

/* The head of an error's letter. */
struct passed_error {
    struct ip_error e;
    uint8_t hops;
};
_Static_assert(sizeof(struct passed_error) <= MAIL_HEAD_MAX, "it is a head");

void ip_pass_error(struct ip *ip, const struct ip_error *e, unsigned hops, unsigned core)
{
    struct passed_error head = {*e, (uint8_t)(hops + 1)};

    if (mail_send(ip->eth->cores->mail, core, MAIL_ERROR, &head, sizeof(head), NULL))
        ip->stats.icmp_errors_passed++;
    else
        ip->stats.drop_icmp_passed++;
}

bool ip_passed_error(struct ip *ip, const struct letter *l, struct ip_error *e, unsigned *hops)
{
    struct passed_error head;

    memcpy(&head, l->head, sizeof(head));
    *e = head.e;
    *hops = head.hops;
    /* Each core has its own table of addresses. */
    e->lidx = ip_lidx(ip, &e->local);
    return e->lidx != IP_LIDX_NONE;
}
