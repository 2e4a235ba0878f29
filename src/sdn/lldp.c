/* Probes of links: IEEE 802.1AB frames with an organisationally specific TLV (9.6) of ours.
 *
 *     dst 01:80:c2:00:00:0e | src port's MAC | 0x88cc
 *     chassis id (7: local)  dpid, 16 hexadecimal digits
 *     port id    (7: local)  port, 8 hexadecimal digits
 *     time to live           120 s
 *     127: 02:4d:52 1        dpid:8 port:4 nonce:8 mac:16
 *     end
 *
 * mac is HMAC-SHA-256 over dpid, port and nonce, its first 16 bytes (RFC 2104, 5).  The nonce is
 * the time of sending: whoever receives it, on whatever core, sees how old it is. */
#include "base/sha256.h"
#include "sdn/sdn_int.h"

#define ETHTYPE_LLDP 0x88cc
#define MAC_BYTES 16u
#define SIGNED_BYTES 20u
enum { TLV_END, TLV_CHASSIS, TLV_PORT, TLV_TTL, TLV_ORG = 127 };
#define SUBTYPE_LOCAL 7

static const uint8_t lldp_to[6] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e};
static const uint8_t org[4] = {0x02, 0x4d, 0x52, 1};

static uint8_t *tlv(uint8_t *p, unsigned type, size_t n)
{
    store_be16(p, (uint16_t)(type << 9 | n));
    return p + 2;
}

static uint8_t *hex(uint8_t *p, uint64_t v, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; v >>= 4)
        p[i] = (uint8_t) "0123456789abcdef"[v & 15];
    return p + digits;
}

static void store_be64(uint8_t *p, uint64_t v)
{
    store_be32(p, (uint32_t)(v >> 32));
    store_be32(p + 4, (uint32_t)v);
}

static uint64_t load_be64(const uint8_t *p)
{
    return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

size_t lldp_emit(uint8_t b[LLDP_LEN], const struct lldp *l, const struct mac_addr *src,
                 const struct hmac_key *key)
{
    uint8_t mac[SHA256_LEN], *p = b, *at;

    memcpy(p, lldp_to, 6);
    memcpy(p + 6, src->b, 6);
    store_be16(p + 12, ETHTYPE_LLDP);
    p = tlv(p + ETH_HLEN, TLV_CHASSIS, 17);
    *p++ = SUBTYPE_LOCAL;
    p = hex(p, l->dpid, 16);
    p = tlv(p, TLV_PORT, 9);
    *p++ = SUBTYPE_LOCAL;
    p = hex(p, l->port, 8);
    p = tlv(p, TLV_TTL, 2);
    store_be16(p, 120);
    p = tlv(p + 2, TLV_ORG, sizeof(org) + SIGNED_BYTES + MAC_BYTES);
    memcpy(p, org, sizeof(org));
    at = p + sizeof(org);
    store_be64(at, l->dpid);
    store_be32(at + 8, l->port);
    store_be64(at + 12, l->nonce);
    hmac_sha256(key, at, SIGNED_BYTES, mac);
    memcpy(at + SIGNED_BYTES, mac, MAC_BYTES);
    p = tlv(at + SIGNED_BYTES + MAC_BYTES, TLV_END, 0);
    MR_ASSERT((size_t)(p - b) == LLDP_LEN);
    return LLDP_LEN;
}

bool lldp_parse(const uint8_t *frame, size_t n, const struct hmac_key *key, struct lldp *out)
{
    size_t at = ETH_HLEN;

    if (n < ETH_HLEN || load_be16(frame + 12) != ETHTYPE_LLDP)
        return false;
    while (at + 2 <= n) {
        unsigned head = load_be16(frame + at), type = head >> 9, len = head & 0x1ff;
        const uint8_t *v = frame + at + 2;
        uint8_t mac[SHA256_LEN];
        at += 2 + len;
        if (type == TLV_END || at > n)
            return false;
        if (type != TLV_ORG || len != sizeof(org) + SIGNED_BYTES + MAC_BYTES ||
            memcmp(v, org, sizeof(org)) != 0)
            continue;
        v += sizeof(org);
        hmac_sha256(key, v, SIGNED_BYTES, mac);
        *out = (struct lldp){
            .dpid = load_be64(v), .port = load_be32(v + 8), .nonce = load_be64(v + 12)};
        return bytes_eq_secret(mac, v + SIGNED_BYTES, MAC_BYTES);
    }
    return false;
}
