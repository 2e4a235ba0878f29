/* From bytes to a packet line, and from the numbers of the wire to the script's. */
#include <string.h>

#include "packet.h"
#include "wire_bytes.h"

#define NO(...) (snprintf(why, whylen, __VA_ARGS__), false)

static bool read_sack(const uint8_t *b, struct opt_spec *o)
{
    o->nblocks = (b[1] - 2) / 8;
    if (o->nblocks < 1 || o->nblocks > 4 || b[1] != 2 + 8 * o->nblocks)
        return false;
    for (int i = 0; i < o->nblocks; i++) {
        o->start[i] = get32(b + 2 + 8 * i);
        o->end[i] = get32(b + 6 + 8 * i);
    }
    return true;
}

/* One option with a length, proven to lie inside. */
static bool read_option(const uint8_t *b, struct opt_spec *o)
{
    static const uint8_t lengths[] = {[OPT_MSS] = 4, [OPT_WSCALE] = 3, [OPT_SACK_OK] = 2,
                                      [OPT_TS] = 10};

    *o = (struct opt_spec){.kind = b[0]};
    if (b[0] == OPT_SACK)
        return read_sack(b, o);
    if (b[0] >= sizeof(lengths) || lengths[b[0]] == 0) {
        o->kind = OPT_RAW;
        o->nraw = b[1];
        memcpy(o->raw, b, b[1]);
        return true;
    }
    if (b[1] != lengths[b[0]])
        return false;
    if (b[0] == OPT_MSS)
        o->value = get16(b + 2);
    else if (b[0] == OPT_WSCALE)
        o->value = b[2];
    else if (b[0] == OPT_TS)
        o->value = get32(b + 2), o->ecr = get32(b + 6);
    return true;
}

/* RFC 9293 MUST-68, MUST-69: lengths are right, what follows EOL is zero. */
static bool read_options(const uint8_t *b, uint32_t n, struct pkt_spec *p, char *why,
                         size_t whylen)
{
    uint32_t i = 0;

    while (i < n) {
        struct opt_spec *o = &p->opts[p->nopts++];

        if (b[i] == OPT_NOP) {
            *o = (struct opt_spec){.kind = OPT_NOP};
            i++;
        } else if (b[i] == OPT_EOL) {
            *o = (struct opt_spec){.kind = OPT_EOL};
            for (i++; i < n; i++)
                if (b[i] != 0)
                    return NO("option padding is not zero");
        } else {
            if (i + 1 >= n || b[i + 1] < 2 || i + b[i + 1] > n || !read_option(b + i, o))
                return NO("TCP option %u is malformed", b[i]);
            i += b[i + 1];
        }
    }
    return true;
}

static bool observe_tcp(const uint8_t *b, uint32_t n, struct observed *o, char *why,
                        size_t whylen)
{
    struct pkt_spec *p = &o->spec;
    uint32_t hlen;

    if (n < 20)
        return NO("TCP header cut short");
    hlen = 4u * (b[12] >> 4);
    if (hlen < 20 || hlen > n)
        return NO("TCP header length %u", hlen);
    if ((b[12] & 0x0f) != 0)
        return NO("reserved bits are set");
    if (inet_sum(b, n, pseudo_sum(o->src, o->dst, 6, n)) != 0)
        return NO("TCP checksum is wrong");
    p->seq = get32(b + 4);
    p->ack = get32(b + 8);
    p->flags = b[13];
    p->win = get16(b + 14);
    p->has_win = true;
    p->urg = get16(b + 18);
    p->has_urg = (p->flags & 0x20) != 0;
    if (!p->has_urg && p->urg != 0)
        return NO("urgent pointer without URG");
    p->len = n - hlen;
    o->payload = b + hlen;
    o->payload_len = p->len;
    return read_options(b + 20, hlen - 20, p, why, whylen);
}

static bool observe_udp(const uint8_t *b, uint32_t n, struct observed *o, char *why,
                        size_t whylen)
{
    if (n < 8)
        return NO("UDP header cut short");
    o->spec.len = get16(b + 4) - 8u;
    if (!o->spec.mf && !o->spec.has_frag) {
        if (get16(b + 4) != n)
            return NO("UDP length %u in %u bytes", get16(b + 4), n);
        if (get16(b + 6) == 0)
            return NO("UDP without a checksum");
        if (inet_sum(b, n, pseudo_sum(o->src, o->dst, 17, n)) != 0)
            return NO("UDP checksum is wrong");
    }
    o->payload = b + 8;
    o->payload_len = n - 8;
    return true;
}

static void observe_quote(const uint8_t *b, uint32_t n, struct pkt_spec *p)
{
    uint32_t hlen = n >= 20 ? 4u * (b[0] & 0x0f) : 0;

    if (hlen < 20 || n < hlen + 8)
        return;
    p->has_quote = true;
    p->quote_proto = b[9] == 17 ? SPEC_UDP : b[9] == 6 ? SPEC_TCP : SPEC_ICMP;
    p->quote_seq = get32(b + hlen + 4);
    p->quote_len = get16(b + 2) - hlen - (p->quote_proto == SPEC_UDP ? 8u : 20u);
}

static bool observe_icmp(const uint8_t *b, uint32_t n, struct observed *o, char *why,
                         size_t whylen)
{
    struct pkt_spec *p = &o->spec;

    if (n < 8)
        return NO("ICMP header cut short");
    if (!p->mf && !p->has_frag && inet_sum(b, n, 0) != 0)
        return NO("ICMP checksum is wrong");
    p->icmp_type = b[0];
    p->icmp_code = b[1];
    if (p->icmp_type == 0 || p->icmp_type == 8) {
        p->icmp_id = get16(b + 4);
        p->icmp_seq = get16(b + 6);
        p->len = n - 8;
        o->payload = b + 8;
        o->payload_len = p->len;
        return true;
    }
    p->icmp_pointer = b[4];
    p->mtu = get16(b + 6);
    p->has_mtu = p->icmp_type == 3 && p->icmp_code == 4;
    observe_quote(b + 8, n - 8, p);
    return true;
}

/* Behind a source route (LSRR, SSRR) the last address in it is the destination. */
static uint32_t final_dst(const struct pkt_spec *p)
{
    int n = p->nipopt > 3 ? p->ipopt[1] : 0;

    if (n >= 7 && n <= p->nipopt && (p->ipopt[0] == 131 || p->ipopt[0] == 137) &&
        p->ipopt[2] < n)
        return get32(p->ipopt + n - 4);
    return p->via;
}

static bool observe_transport(const uint8_t *b, uint32_t n, struct observed *o, char *why,
                              size_t whylen)
{
    if (o->spec.has_frag && o->spec.frag_off != 0)
        return true;
    if (o->spec.proto != SPEC_ICMP && n >= 4) {
        o->sport = get16(b);
        o->dport = get16(b + 2);
    }
    switch (o->spec.proto) {
    case SPEC_TCP:
        return observe_tcp(b, n, o, why, whylen);
    case SPEC_UDP:
        return observe_udp(b, n, o, why, whylen);
    case SPEC_ICMP:
        return observe_icmp(b, n, o, why, whylen);
    }
    return NO("protocol %u", o->spec.proto);
}

bool packet_observe(const uint8_t *b, uint32_t n, struct observed *o, char *why, size_t whylen)
{
    struct pkt_spec *p = &o->spec;
    uint32_t hlen;

    memset(o, 0, sizeof(*o));
    if (n < 20 || b[0] >> 4 != 4)
        return NO("not an IPv4 packet");
    hlen = 4u * (b[0] & 0x0f);
    if (hlen < 20 || hlen > n || get16(b + 2) != n)
        return NO("IP lengths: header %u, total %u, frame %u", hlen, get16(b + 2), n);
    if (inet_sum(b, hlen, 0) != 0)
        return NO("IP header checksum is wrong");
    p->tos = b[1];
    p->id = get16(b + 4);
    p->df = (b[6] & 0x40) != 0;
    p->mf = (b[6] & 0x20) != 0;
    p->frag_off = 8u * (get16(b + 6) & 0x1fff);
    p->frag_len = n - hlen;
    p->has_frag = p->mf || p->frag_off != 0;
    p->ttl = b[8];
    p->proto = (enum spec_proto)b[9];
    p->src = o->src = get32(b + 12);
    p->via = get32(b + 16);
    p->nipopt = (int)(hlen - 20);
    memcpy(p->ipopt, b + 20, hlen - 20);
    p->dst = o->dst = final_dst(p);
    return observe_transport(b + hlen, n - hlen, o, why, whylen);
}

void packet_to_script(struct observed *o, const struct flow_map *f)
{
    struct pkt_spec *p = &o->spec;

    if (p->has_quote)
        p->quote_seq -= f->remote_off;
    if (p->proto != SPEC_TCP)
        return;
    /* A RST for a segment without ACK has sequence number 0 (RFC 9293 3.10.7.1). */
    if (f->has_local && !((p->flags & 0x04) != 0 && p->seq == 0))
        p->seq -= f->local_off;
    if ((p->flags & 0x10) != 0)
        p->ack -= f->remote_off;
    for (int i = 0; i < p->nopts; i++) {
        struct opt_spec *opt = &p->opts[i];

        for (int k = 0; opt->kind == OPT_SACK && k < opt->nblocks; k++) {
            opt->start[k] -= f->remote_off;
            opt->end[k] -= f->remote_off;
        }
        if (opt->kind == OPT_TS && f->has_ts)
            opt->value -= f->ts_off;
    }
}

static const struct opt_spec *find_ts(const struct pkt_spec *p)
{
    for (int i = 0; i < p->nopts; i++)
        if (p->opts[i].kind == OPT_TS)
            return &p->opts[i];
    return NULL;
}

bool packet_learn(struct flow_map *f, const struct observed *o, const struct pkt_spec *p)
{
    const struct opt_spec *want = find_ts(p), *have = find_ts(&o->spec);
    bool begins = false;

    if ((o->spec.flags & 0x02) != 0 && (!f->has_local || f->may_relearn)) {
        f->local_off = o->spec.seq - p->seq;
        f->local_isn = p->seq;
        f->has_local = true;
        f->may_relearn = false;
        f->has_ts = false;
        f->isn_wire = o->spec.seq;
        begins = true;
    }
    if (want != NULL && have != NULL && !want->any_value && !f->has_ts) {
        f->ts_off = have->value - want->value;
        f->has_ts = true;
    }
    return begins;
}
