/* Receive coalescing as hardware does it: a segment that continues the last one in the queue is
 * appended to it. */
#include "sim/port.h"
#include "wire/wire.h"

struct segment {
    uint32_t ip_hlen, tcp_hlen, len; /* bytes; len: payload */
};

/* The headers' lengths of a whole TCP segment, if it is one that may be merged: data, ACK, perhaps
 * PSH, no IP options. */
static bool measure(struct segment *s, const uint8_t *b, uint32_t n)
{
    const uint8_t *ip = b + ETH_HLEN, *tcp = ip + IPV4_HLEN;

    if (n < ETH_HLEN + IPV4_HLEN + TCP_HLEN || load_be16(b + 12) != ETHTYPE_IPV4 || ip[0] != 0x45 ||
        ip[9] != IPPROTO_TCP_ || (load_be16(ip + 6) & 0x3fff) != 0)
        return false;
    s->ip_hlen = IPV4_HLEN;
    s->tcp_hlen = (uint32_t)(tcp[12] >> 4) * 4;
    if (s->tcp_hlen < TCP_HLEN || load_be16(ip + 2) < IPV4_HLEN + s->tcp_hlen ||
        n != ETH_HLEN + (uint32_t)load_be16(ip + 2))
        return false;
    s->len = n - ETH_HLEN - IPV4_HLEN - s->tcp_hlen;
    return s->len > 0 && (tcp[13] & ~TH_PUSH) == TH_ACK;
}

/* The same connection, acknowledgment, window and options; only then is nothing lost. */
static bool is_alike(const uint8_t *a, const uint8_t *b, uint32_t tcp_hlen)
{
    const uint8_t *ta = a + ETH_HLEN + IPV4_HLEN, *tb = b + ETH_HLEN + IPV4_HLEN;

    return memcmp(a, b, ETH_HLEN + 2) == 0 && memcmp(a + 26, b + 26, 8) == 0 &&
           memcmp(ta, tb, 4) == 0 && memcmp(ta + 8, tb + 8, 5) == 0 &&
           memcmp(ta + 14, tb + 14, 2) == 0 &&
           memcmp(ta + TCP_HLEN, tb + TCP_HLEN, tcp_hlen - TCP_HLEN) == 0;
}

bool sim_gro_append(struct pkt *k, const uint8_t *b, uint32_t n, csum_fn csum)
{
    struct segment last, next;
    uint32_t mss;

    if (!k || !(k->flags & PKT_CSUM_OK) || !measure(&last, k->data, k->len) ||
        !measure(&next, b, n) || last.tcp_hlen != next.tcp_hlen || next.len > pkt_tailroom(k))
        return false;
    mss = k->gso_size ? k->gso_size : last.len;
    uint8_t *ip = k->data + ETH_HLEN, *tcp = ip + IPV4_HLEN;
    const uint8_t *more = b + ETH_HLEN + IPV4_HLEN;
    if (!is_alike(k->data, b, last.tcp_hlen) || next.len > mss || last.len % mss != 0 ||
        load_be32(more + 4) != load_be32(tcp + 4) + last.len || tcp[13] & TH_PUSH)
        return false;
    memcpy(k->data + k->len, more + next.tcp_hlen, next.len);
    k->len += next.len;
    k->gso_size = (uint16_t)mss;
    tcp[13] |= more[13];
    store_be16(ip + 2, (uint16_t)(k->len - ETH_HLEN));
    memset(ip + 10, 0, 2);
    uint16_t sum = csum_finish(csum(ip, IPV4_HLEN, 0));
    memcpy(ip + 10, &sum, 2);
    return true;
}
