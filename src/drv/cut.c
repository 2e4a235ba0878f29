#include "drv/cut.h"

#include "wire/wire.h"

#define IPV6_HLEN 40u
#define PROTO_TCP 6
#define PROTO_UDP 17
/* Flags of which each piece has not what the whole had. */
#define LAST_ONLY (TH_FIN | TH_PUSH)

static bool parse_ip(struct cut *c, const uint8_t *b, uint32_t len)
{
    uint16_t type = load_be16(b + 12);

    c->l3 = ETH_HLEN;
    if (type == ETHTYPE_VLAN) {
        type = load_be16(b + 16);
        c->l3 += 4;
    }
    c->v6 = type == ETHTYPE_IPV6;
    if (len < c->l3 + IPV6_HLEN || (type != ETHTYPE_IPV4 && !c->v6))
        return false;
    const uint8_t *ip = b + c->l3;
    c->l4 = c->l3 + (c->v6 ? IPV6_HLEN : (ip[0] & 15u) * 4u);
    c->tcp = ip[c->v6 ? 6 : 9] == PROTO_TCP;
    return c->tcp || ip[c->v6 ? 6 : 9] == PROTO_UDP;
}

bool cut_begin(struct cut *c, struct pkt *whole)
{
    const uint8_t *b = whole->data;

    if (whole->len < ETH_HLEN + IPV4_HLEN || !parse_ip(c, b, whole->len) ||
        whole->len < c->l4 + TCP_HLEN)
        return false;
    c->payload = c->l4 + (c->tcp ? (b[c->l4 + 12] >> 4) * 4u : UDP_HLEN);
    if (c->payload >= whole->len || whole->gso_size == 0)
        return false;
    c->at = c->payload;
    c->pieces = 0;
    c->whole = whole;
    return true;
}

static void set_ip(const struct cut *c, uint8_t *ip, uint32_t len, csum_fn add)
{
    if (c->v6) {
        store_be16(ip + 4, (uint16_t)(len - IPV6_HLEN));
        return;
    }
    store_be16(ip + 2, (uint16_t)len);
    store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + c->pieces));
    store_be16(ip + 10, 0);
    uint16_t sum = csum_finish(add(ip, c->l4 - c->l3, 0));
    memcpy(ip + 10, &sum, sizeof(sum));
}

static void set_transport(const struct cut *c, uint8_t *l4, uint32_t len, bool last)
{
    if (!c->tcp) {
        store_be16(l4 + 4, (uint16_t)len);
        return;
    }
    store_be32(l4 + 4, load_be32(l4 + 4) + (c->at - c->payload));
    if (!last)
        l4[13] &= (uint8_t)~LAST_ONLY;
    if (c->pieces > 0)
        l4[13] &= (uint8_t)~TH_CWR;
}

/* RFC 9293 3.1, RFC 768; RFC 8200 8.1: the sum over a pseudo-header comes first. */
static void set_csum(const struct cut *c, uint8_t *ip, uint32_t len, csum_fn add)
{
    uint8_t *l4 = ip + (c->l4 - c->l3), *field = l4 + (c->tcp ? 16 : 6);
    uint8_t tail[4] = {0, c->tcp ? PROTO_TCP : PROTO_UDP, 0, 0};

    store_be16(tail + 2, (uint16_t)len);
    store_be16(field, 0);
    uint64_t pseudo = add(tail, 4, add(ip + (c->v6 ? 8 : 12), c->v6 ? 32 : 8, 0));
    uint16_t sum = csum_finish(add(l4, len, pseudo));
    /* RFC 768: 0 would say that there is no checksum. */
    if (sum == 0 && !c->tcp)
        sum = 0xffff;
    memcpy(field, &sum, sizeof(sum));
}

struct pkt *cut_next(struct cut *c, csum_fn add)
{
    struct pkt *w = c->whole, *p = pkt_get(w->pool);

    if (!p)
        return NULL;
    uint32_t n = min_u32(w->gso_size, w->len - c->at);
    bool last = c->at + n == w->len;
    memcpy(p->data, w->data, c->payload);
    memcpy(p->data + c->payload, w->data + c->at, n);
    p->len = c->payload + n;
    set_ip(c, p->data + c->l3, p->len - c->l3, add);
    set_transport(c, p->data + c->l4, p->len - c->l4, last);
    set_csum(c, p->data + c->l3, p->len - c->l4, add);
    c->at += n;
    c->pieces++;
    if (last) {
        c->whole = NULL;
        pkt_put(w);
    }
    return p;
}
