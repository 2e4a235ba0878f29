#include "sim/port.h"
#include "wire/wire.h"

/* The IP header of piece i: its own length, id and checksum. */
static void set_ip(uint8_t *ip, uint32_t hlen, uint32_t total, uint32_t i, csum_fn csum)
{
    uint16_t sum;

    store_be16(ip + 2, (uint16_t)total);
    store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + i));
    memset(ip + 10, 0, 2);
    sum = csum_finish(csum(ip, hlen, 0));
    memcpy(ip + 10, &sum, 2);
}

/* The TCP header of the piece at off: FIN and PSH only on the last, CWR only on the first. */
static void set_tcp(uint8_t *tcp, uint32_t off, bool last)
{
    store_be32(tcp + 4, load_be32(tcp + 4) + off);
    if (!last)
        tcp[13] &= (uint8_t)~(TH_FIN | TH_PUSH);
    if (off > 0)
        tcp[13] &= (uint8_t)~TH_CWR;
}

static void set_csum(uint8_t *ip, uint8_t *tcp, uint32_t len, csum_fn csum)
{
    be32 src, dst;
    uint16_t sum;

    memcpy(&src, ip + 12, 4);
    memcpy(&dst, ip + 16, 4);
    memset(tcp + 16, 0, 2);
    sum = csum_finish(csum(tcp, len, ipv4_pseudo_sum(src, dst, IPPROTO_TCP_, len)));
    memcpy(tcp + 16, &sum, 2);
}

void sim_tso_cut(const uint8_t *b, uint32_t n, uint32_t mss, csum_fn csum, uint8_t *scratch,
                 const struct sim_port_wire *wire, unsigned host)
{
    uint32_t ip_hlen = (b[ETH_HLEN] & 15u) * 4;
    uint32_t tcp_hlen = (uint32_t)(b[ETH_HLEN + ip_hlen + 12] >> 4) * 4;
    uint32_t hlen = ETH_HLEN + ip_hlen + tcp_hlen;

    MR_ASSERT(load_be16(b + 12) == ETHTYPE_IPV4 && b[ETH_HLEN + 9] == IPPROTO_TCP_ && n > hlen);
    for (uint32_t off = 0, i = 0; off < n - hlen; off += mss, i++) {
        uint32_t part = min_u32(mss, n - hlen - off);
        uint8_t *ip = scratch + ETH_HLEN, *tcp = ip + ip_hlen;
        memcpy(scratch, b, hlen);
        memcpy(scratch + hlen, b + hlen + off, part);
        set_ip(ip, ip_hlen, ip_hlen + tcp_hlen + part, i, csum);
        set_tcp(tcp, off, off + part == n - hlen);
        set_csum(ip, tcp, tcp_hlen + part, csum);
        wire->send(wire->arg, host, scratch, hlen + part);
    }
}
