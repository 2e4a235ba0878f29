/* Frames that tell what they must be. */
#include "contract.h"

#define IP_HERE 0x0a4d0002u  /* 10.77.0.2: the port's */
#define IP_THERE 0x0a4d0001u /* 10.77.0.1: the peer's */
#define PORT_HERE 7000u
#define PORT_THERE 20000u
#define AT_IP 14u
#define AT_L4 34u
#define AT_UDP_SUM 40u
#define AT_TCP_SUM 50u
#define MIN_FRAME 60u

uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

static void headers(const struct rig *r, enum way way, uint8_t *f, uint32_t n, uint8_t proto,
                    uint16_t id, uint16_t flow)
{
    bool in = way == TO_PORT;
    struct eth_hdr eth = {
        .dst = in ? r->here : r->there, .src = in ? r->there : r->here, .ethertype = ETHTYPE_IPV4};
    struct ipv4_hdr ip = {.src = be32_of(in ? IP_THERE : IP_HERE),
                          .dst = be32_of(in ? IP_HERE : IP_THERE),
                          .total_len = (uint16_t)(n - AT_IP),
                          .id = id,
                          .flags = IPV4_DF,
                          .ttl = 64,
                          .proto = proto};
    uint16_t far = (uint16_t)(PORT_THERE + flow);

    eth_emit(f, &eth);
    ipv4_emit(f + AT_IP, &ip);
    store_be16(f + AT_L4, in ? far : PORT_HERE);
    store_be16(f + AT_L4 + 2, in ? PORT_HERE : far);
}

static uint64_t pseudo_sum(const uint8_t *f, uint32_t n)
{
    return ipv4_pseudo_sum(be32_of(load_be32(f + AT_IP + 12)), be32_of(load_be32(f + AT_IP + 16)),
                           f[AT_IP + 9], n - AT_L4);
}

static uint32_t field_at(const uint8_t *f)
{
    return f[AT_IP + 9] == IPPROTO_TCP_ ? AT_TCP_SUM : AT_UDP_SUM;
}

static void finish_sum(uint8_t *f, uint32_t n)
{
    uint16_t sum;

    memset(f + field_at(f), 0, 2);
    sum = csum_finish(csum_add_portable(f + AT_L4, n - AT_L4, pseudo_sum(f, n)));
    if (sum == 0 && f[AT_IP + 9] == IPPROTO_UDP_)
        sum = 0xffff;
    memcpy(f + field_at(f), &sum, sizeof(sum));
}

void frame_udp(const struct rig *r, enum way way, uint8_t *f, uint32_t n, uint32_t seq,
               uint16_t flow)
{
    headers(r, way, f, n, IPPROTO_UDP_, (uint16_t)seq, flow);
    store_be16(f + AT_L4 + 4, (uint16_t)(n - AT_L4));
    for (uint32_t i = ETH_IP_UDP; i < n; i++)
        f[i] = (uint8_t)(seq * 7 + i * 13 + (i >> 8));
    if (n >= ETH_IP_UDP + 4)
        store_be32(f + ETH_IP_UDP, seq);
    finish_sum(f, n);
}

void frame_tcp(const struct rig *r, enum way way, uint8_t *f, uint32_t n, uint32_t seq)
{
    headers(r, way, f, n, IPPROTO_TCP_, (uint16_t)seq, 0);
    store_be32(f + AT_L4 + 4, seq);
    store_be32(f + AT_L4 + 8, 0x11223344);
    f[AT_L4 + 12] = 5 << 4;
    f[AT_L4 + 13] = 0x10; /* ACK */
    store_be16(f + AT_L4 + 14, 4096);
    store_be16(f + AT_L4 + 18, 0);
    for (uint32_t i = ETH_IP_TCP; i < n; i++)
        f[i] = (uint8_t)mix(seq + i - ETH_IP_TCP);
    finish_sum(f, n);
}

void frame_make_partial(uint8_t *f, uint32_t n, struct beside *with)
{
    uint16_t sum = csum_fold(pseudo_sum(f, n));

    memcpy(f + field_at(f), &sum, sizeof(sum));
    with->partial = true;
    with->csum_start = AT_L4;
    with->csum_offset = (uint16_t)(field_at(f) - AT_L4);
}

bool frame_is_ours(const struct rig *r, enum way way, const uint8_t *f, uint32_t n)
{
    const struct mac_addr *src = way == TO_PORT ? &r->there : &r->here;

    return n >= ETH_IP_UDP && memcmp(f + 6, src->b, 6) == 0 && load_be16(f + 12) == ETHTYPE_IPV4 &&
           load_be32(f + AT_IP + 12) == (way == TO_PORT ? IP_THERE : IP_HERE);
}

uint32_t frame_seq(const uint8_t *f)
{
    return load_be32(f + ETH_IP_UDP);
}

bool frame_is(const struct rig *r, enum way way, const uint8_t *f, uint32_t got, uint32_t n,
              uint32_t seq, uint16_t flow)
{
    uint8_t expected[2048];

    MR_ASSERT(n <= sizeof(expected));
    frame_udp(r, way, expected, n, seq, flow);
    return (got == n || (n < MIN_FRAME && got > n && got <= MIN_FRAME + 4)) &&
           memcmp(f, expected, n) == 0;
}

bool frame_csum_is_right(const uint8_t *f, uint32_t n, const struct beside *with)
{
    uint32_t len = AT_IP + load_be16(f + AT_IP + 2), at = field_at(f);

    if (len > n || csum_fold(csum_add_portable(f + AT_IP, IPV4_HLEN, 0)) != 0xffff)
        return false;
    if (with->partial) {
        uint16_t sum = csum_fold(pseudo_sum(f, len));
        return memcmp(f + at, &sum, sizeof(sum)) == 0 && with->csum_start == AT_L4 &&
               with->csum_offset == at - AT_L4;
    }
    return csum_fold(csum_add_portable(f + AT_L4, len - AT_L4, pseudo_sum(f, len))) == 0xffff;
}
