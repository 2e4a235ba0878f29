/* From a packet line to bytes.  Nothing of the stack's own emitters is used here: what they get
 * wrong, this must not get wrong the same way. */
#include <string.h>

#include "packet.h"
#include "wire_bytes.h"

static uint32_t put_option(uint8_t *b, const struct opt_spec *o, const struct flow_map *f)
{
    switch (o->kind) {
    case OPT_EOL:
    case OPT_NOP:
        b[0] = (uint8_t)o->kind;
        return 1;
    case OPT_MSS:
        b[0] = OPT_MSS, b[1] = 4;
        put16(b + 2, (uint16_t)o->value);
        return 4;
    case OPT_WSCALE:
        b[0] = OPT_WSCALE, b[1] = 3, b[2] = (uint8_t)o->value;
        return 3;
    case OPT_SACK_OK:
        b[0] = OPT_SACK_OK, b[1] = 2;
        return 2;
    case OPT_SACK:
        b[0] = OPT_SACK, b[1] = (uint8_t)(2 + 8 * o->nblocks);
        for (int i = 0; i < o->nblocks; i++) {
            put32(b + 2 + 8 * i, o->start[i] + f->local_off);
            put32(b + 6 + 8 * i, o->end[i] + f->local_off);
        }
        return b[1];
    case OPT_TS:
        b[0] = OPT_TS, b[1] = 10;
        put32(b + 2, o->value);
        put32(b + 6, o->ecr != 0 ? o->ecr + f->ts_off : 0);
        return 10;
    default:
        memcpy(b, o->raw, (size_t)o->nraw);
        return (uint32_t)o->nraw;
    }
}

/* Options and zeros up to a whole word; returns the length. */
static uint32_t put_options(uint8_t *b, const struct pkt_spec *p, const struct flow_map *f)
{
    uint8_t scratch[SPEC_OPTS_MAX * SPEC_RAW_MAX];
    uint32_t n = 0;

    for (int i = 0; i < p->nopts; i++)
        n += put_option(scratch + n, &p->opts[i], f);
    while (n % 4 != 0)
        scratch[n++] = 0;
    if (n > 40)
        n = 40;
    memcpy(b, scratch, n);
    return n;
}

static uint32_t build_tcp(uint8_t *b, const struct pkt_spec *p, const struct flow_map *f)
{
    uint32_t hlen = 20 + put_options(b + 20, p, f);
    uint32_t first = p->flags & 0x02 ? p->seq : p->seq - 1; /* a SYN stands in front of its data */

    put16(b, f->rport);
    put16(b + 2, f->lport);
    put32(b + 4, p->seq + f->remote_off);
    put32(b + 8, p->flags & 0x10 ? p->ack + f->local_off : p->ack);
    b[12] = (uint8_t)((p->doff != 0 ? p->doff : hlen / 4) << 4);
    b[13] = (uint8_t)p->flags;
    put16(b + 14, p->win);
    put16(b + 16, 0);
    put16(b + 18, p->urg);
    oracle_fill(b + hlen, p->len, SIDE_REMOTE, first - f->remote_isn);
    return hlen + p->len;
}

static uint32_t build_udp(uint8_t *b, const struct pkt_spec *p, const struct flow_map *f)
{
    put16(b, f->rport);
    put16(b + 2, f->lport);
    put16(b + 4, p->udp_len != 0 ? p->udp_len : (uint16_t)(8 + p->len));
    put16(b + 6, 0);
    oracle_fill(b + 8, p->len, SIDE_REMOTE, 0);
    return 8 + p->len;
}

/* The header and first 8 bytes of a packet that the stack is said to have sent. */
static uint32_t put_quote(uint8_t *b, const struct pkt_spec *p, const struct flow_map *f)
{
    uint32_t hlen = p->quote_proto == SPEC_UDP ? 8 : 20;

    put_ip_header(b, &(struct ip_fields){.total = (uint16_t)(20 + hlen + p->quote_len),
                                         .ttl = 63,
                                         .df = true,
                                         .proto = (uint8_t)p->quote_proto,
                                         .src = f->local_ip,
                                         .dst = f->remote_ip});
    b += 20;
    memset(b, 0, 8);
    put16(b, p->quote_sport != 0 ? p->quote_sport : f->lport);
    put16(b + 2, f->rport);
    if (p->quote_proto == SPEC_UDP)
        put16(b + 4, (uint16_t)(8 + p->quote_len));
    else
        put32(b + 4, p->quote_seq + f->local_off);
    return 28;
}

static uint32_t build_icmp(uint8_t *b, const struct pkt_spec *p, const struct flow_map *f)
{
    uint32_t n = 8;

    memset(b, 0, 8);
    b[0] = p->icmp_type;
    b[1] = p->icmp_code;
    if (p->has_mtu) {
        put16(b + 6, p->mtu);
    } else if (p->icmp_type == 12) {
        b[4] = p->icmp_pointer;
    } else {
        put16(b + 4, p->icmp_id);
        put16(b + 6, p->icmp_seq);
    }
    if (p->has_quote)
        n += put_quote(b + 8, p, f);
    oracle_fill(b + n, p->len, SIDE_REMOTE, 0);
    return n + p->len;
}

static void put_checksum(uint8_t *l4, uint32_t n, const struct pkt_spec *p,
                         const struct flow_map *f)
{
    static const uint8_t at[] = {[SPEC_TCP] = 16, [SPEC_UDP] = 6, [SPEC_ICMP] = 2};
    uint8_t *field = l4 + at[p->proto];
    uint16_t sum;

    put16(field, 0);
    sum = p->proto == SPEC_ICMP
              ? inet_sum(l4, n, 0)
              : inet_sum(l4, n, pseudo_sum(f->remote_ip, f->local_ip, (uint8_t)p->proto, n));
    if (p->proto == SPEC_UDP && sum == 0)
        sum = 0xffff;
    if (p->bad_csum)
        sum = (uint16_t)(sum ^ 0x5555);
    put16(field, p->zero_csum ? 0 : sum);
}

static uint32_t build_transport(uint8_t *b, const struct pkt_spec *p, const struct flow_map *f)
{
    uint32_t n = 0;

    switch (p->proto) {
    case SPEC_TCP:
        n = build_tcp(b, p, f);
        break;
    case SPEC_UDP:
        n = build_udp(b, p, f);
        break;
    case SPEC_ICMP:
        n = build_icmp(b, p, f);
        break;
    }
    put_checksum(b, n, p, f);
    return n;
}

uint32_t packet_build(const struct pkt_spec *p, const struct flow_map *f, uint8_t *out)
{
    static uint8_t l4[2 * IP_PACKET_MAX];
    uint32_t n = build_transport(l4, p, f);
    uint32_t hlen = 20 + ((uint32_t)p->nipopt + 3) / 4 * 4, total;

    if (p->has_frag) {
        n = p->frag_off < n ? n - p->frag_off : 0;
        if (n > p->frag_len)
            n = p->frag_len;
    }
    total = hlen + n;
    memset(out, 0, hlen);
    memcpy(out + hlen, l4 + (p->has_frag ? p->frag_off : 0), n);
    memcpy(out + 20, p->ipopt, (size_t)p->nipopt);
    put_ip_header(out, &(struct ip_fields){
                           .hlen = p->ip_hlen != 0 ? p->ip_hlen : (uint8_t)(hlen / 4),
                           .csum_words = (uint8_t)(hlen / 4),
                           .tos = p->tos,
                           .total = (uint16_t)(p->ip_len != 0 ? p->ip_len : total),
                           .id = p->id,
                           .df = p->df,
                           .mf = p->mf,
                           .off = (uint16_t)(p->has_frag ? p->frag_off : 0),
                           .ttl = p->has_ttl ? p->ttl : 64,
                           .proto = (uint8_t)p->proto,
                           .src = p->has_src ? p->src : f->remote_ip,
                           .dst = p->has_dst ? p->dst : f->local_ip,
                       });
    if (p->bad_ip_csum)
        out[10] ^= 0x55;
    return p->has_cut && p->cut < total ? p->cut : total;
}
