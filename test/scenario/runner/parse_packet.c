/* Packets: "[attributes] S. 0:0(0) ack 1 win 1000 <mss 1460>", "udp (100)", "icmp ..." */
#include <string.h>

#include "parse.h"
#include "wire/wire.h"

/* ---- [attributes] ----------------------------------------------------------------- */

static bool parse_u(struct cursor *c, uint32_t max, uint32_t *out)
{
    if (!expect_u32(c, out))
        return false;
    return *out <= max ? true : cursor_fail(c, "%u is more than %u", *out, max);
}

static bool parse_u8(struct cursor *c, uint8_t *out)
{
    uint32_t v = 0;
    bool ok = parse_u(c, 255, &v);

    *out = (uint8_t)v;
    return ok;
}

static bool parse_u16(struct cursor *c, uint16_t *out)
{
    uint32_t v = 0;
    bool ok = parse_u(c, 65535, &v);

    *out = (uint16_t)v;
    return ok;
}

static bool parse_bytes(struct cursor *c, uint8_t *out, int *n)
{
    int64_t v;

    *n = 0;
    while (take_number(c, &v)) {
        if (v < 0 || v > 255 || *n == SPEC_RAW_MAX)
            return cursor_fail(c, "at most %d bytes, each below 256", SPEC_RAW_MAX);
        out[(*n)++] = (uint8_t)v;
    }
    return *n > 0 ? true : cursor_fail(c, "expected bytes at '%.24s'", c->at);
}

static bool parse_fragment(struct cursor *c, struct pkt_spec *p)
{
    p->has_frag = true;
    return expect_u32(c, &p->frag_off) && expect(c, ":") && expect_u32(c, &p->frag_len);
}

static bool parse_ip_attribute(struct cursor *c, struct pkt_spec *p)
{
    if (take_word(c, "tos"))
        return p->has_tos = true, parse_u8(c, &p->tos);
    if (take_word(c, "ttl"))
        return p->has_ttl = true, parse_u8(c, &p->ttl);
    if (take_word(c, "id"))
        return p->has_id = true, parse_u16(c, &p->id);
    if (take_word(c, "df"))
        return p->has_df = p->df = true;
    if (take_word(c, "nodf"))
        return p->has_df = true;
    if (take_word(c, "mf"))
        return p->has_mf = p->mf = true;
    if (take_word(c, "frag"))
        return parse_fragment(c, p);
    if (take_word(c, "src"))
        return p->has_src = true, expect_ip4(c, &p->src);
    if (take_word(c, "dst"))
        return p->has_dst = true, expect_ip4(c, &p->dst);
    if (take_word(c, "via"))
        return p->has_via = true, expect_ip4(c, &p->via);
    return cursor_fail(c, "unknown packet attribute at '%.24s'", c->at);
}

static bool parse_attribute(struct cursor *c, struct pkt_spec *p)
{
    if (take_word(c, "sport"))
        return p->has_sport = true, parse_u16(c, &p->sport);
    if (take_word(c, "dport"))
        return p->has_dport = true, parse_u16(c, &p->dport);
    if (take_word(c, "cut"))
        return p->has_cut = true, expect_u32(c, &p->cut);
    if (take_word(c, "iplen"))
        return parse_u(c, 65535, &p->ip_len);
    if (take_word(c, "iphlen"))
        return parse_u8(c, &p->ip_hlen);
    if (take_word(c, "ipopt"))
        return parse_bytes(c, p->ipopt, &p->nipopt);
    if (take_word(c, "badip"))
        return p->bad_ip_csum = true;
    if (take_word(c, "broadcast"))
        return p->broadcast = true;
    if (take_word(c, "ect0"))
        return p->has_tos = true, p->tos = 2, true;
    if (take_word(c, "ce"))
        return p->has_tos = true, p->tos = 3, true;
    return parse_ip_attribute(c, p);
}

static bool parse_attributes(struct cursor *c, struct pkt_spec *p)
{
    if (!take(c, "["))
        return true;
    do {
        if (!parse_attribute(c, p))
            return false;
    } while (take(c, ","));
    return expect(c, "]");
}

/* ---- TCP -------------------------------------------------------------------------- */

static bool parse_ts(struct cursor *c, struct opt_spec *o)
{
    o->kind = OPT_TS;
    if (!expect(c, "val"))
        return false;
    o->any_value = take(c, "*");
    if (!o->any_value && !expect_u32(c, &o->value))
        return false;
    if (!expect(c, "ecr"))
        return false;
    o->any_ecr = take(c, "*");
    return o->any_ecr || expect_u32(c, &o->ecr);
}

static bool parse_sack(struct cursor *c, struct opt_spec *o)
{
    int64_t v;

    o->kind = OPT_SACK;
    while (take_number(c, &v)) {
        if (o->nblocks == 4 || v < 0 || v > UINT32_MAX)
            return cursor_fail(c, "bad SACK block");
        o->start[o->nblocks] = (uint32_t)v;
        if (!expect(c, ":") || !expect_u32(c, &o->end[o->nblocks]))
            return false;
        o->nblocks++;
    }
    return o->nblocks > 0 ? true : cursor_fail(c, "SACK without blocks");
}

static bool parse_option(struct cursor *c, struct opt_spec *o)
{
    *o = (struct opt_spec){.kind = OPT_NOP};
    if (take_word(c, "nop"))
        return true;
    if (take_word(c, "eol"))
        return o->kind = OPT_EOL, true;
    if (take_word(c, "mss"))
        return o->kind = OPT_MSS, parse_u(c, 65535, &o->value);
    if (take_word(c, "wscale"))
        return o->kind = OPT_WSCALE, parse_u(c, 255, &o->value);
    if (take_word(c, "sackOK"))
        return o->kind = OPT_SACK_OK, true;
    if (take_word(c, "TS"))
        return parse_ts(c, o);
    if (take_word(c, "sack"))
        return parse_sack(c, o);
    if (take_word(c, "raw"))
        return o->kind = OPT_RAW, parse_bytes(c, o->raw, &o->nraw);
    return cursor_fail(c, "unknown TCP option at '%.24s'", c->at);
}

static bool parse_options(struct cursor *c, struct pkt_spec *p, bool outgoing)
{
    if (!take(c, "<"))
        return true;
    if (take(c, "...")) {
        p->any_opts = true;
        if (!outgoing)
            return cursor_fail(c, "<...> says nothing about a packet to send");
        return expect(c, ">");
    }
    do {
        if (p->nopts == SPEC_OPTS_MAX)
            return cursor_fail(c, "too many options");
        if (!parse_option(c, &p->opts[p->nopts]))
            return false;
        p->nopts++;
    } while (take(c, ","));
    return expect(c, ">");
}

static bool parse_flags(struct cursor *c, uint16_t *flags)
{
    static const char letters[] = "FSRP.UEW";
    const char *start;

    skip_space(c);
    start = c->at;
    if (take(c, "-"))
        return true;
    for (const char *l; *c->at != 0 && (l = strchr(letters, *c->at)) != NULL; c->at++)
        *flags |= (uint16_t)(1u << (l - letters));
    return c->at > start ? true : cursor_fail(c, "expected TCP flags at '%.24s'", c->at);
}

static bool parse_range(struct cursor *c, uint32_t *seq, uint32_t *len)
{
    uint32_t end;

    if (!expect_u32(c, seq) || !expect(c, ":") || !expect_u32(c, &end) || !expect(c, "(") ||
        !expect_u32(c, len) || !expect(c, ")"))
        return false;
    if (*seq + *len != end)
        return cursor_fail(c, "%u:%u(%u) does not add up", *seq, end, *len);
    return true;
}

static bool parse_tcp(struct cursor *c, struct pkt_spec *p, bool outgoing)
{
    p->proto = SPEC_TCP;
    if (!parse_flags(c, &p->flags) || !parse_range(c, &p->seq, &p->len))
        return false;
    if (take_word(c, "ack") && !expect_u32(c, &p->ack))
        return false;
    if (take_word(c, "win")) {
        p->has_win = true;
        if (!parse_u16(c, &p->win))
            return false;
    }
    if (take_word(c, "urg")) {
        p->has_urg = true;
        if (!parse_u16(c, &p->urg))
            return false;
    }
    if (take_word(c, "doff") && !parse_u8(c, &p->doff))
        return false;
    if (!parse_options(c, p, outgoing))
        return false;
    p->bad_csum = take_word(c, "badcsum");
    return true;
}

/* ---- UDP, ICMP -------------------------------------------------------------------- */

static bool parse_udp(struct cursor *c, struct pkt_spec *p)
{
    p->proto = SPEC_UDP;
    if (!expect(c, "(") || !expect_u32(c, &p->len) || !expect(c, ")"))
        return false;
    if (take_word(c, "udplen") && !parse_u16(c, &p->udp_len))
        return false;
    p->zero_csum = take_word(c, "nocsum");
    p->bad_csum = take_word(c, "badcsum");
    return true;
}

struct icmp_name {
    const char *name;
    uint8_t value;
};

static const struct icmp_name icmp_types[] = {
    {"unreachable", ICMP_UNREACH},
    {"time_exceeded", ICMP_TIME_EXCEEDED},
    {"parameter_problem", ICMP_PARAM_PROBLEM},
    {"source_quench", ICMP_SOURCE_QUENCH},
    {"redirect", ICMP_REDIRECT},
    {"echo_request", ICMP_ECHO},
    {"echo_reply", ICMP_ECHO_REPLY},
};
static const struct icmp_name icmp_codes[] = {
    {"net_unreachable", ICMP_UNREACH_NET},
    {"host_unreachable", ICMP_UNREACH_HOST},
    {"protocol_unreachable", ICMP_UNREACH_PROTO},
    {"port_unreachable", ICMP_UNREACH_PORT},
    {"frag_needed", ICMP_UNREACH_NEEDFRAG},
    {"source_route_failed", ICMP_UNREACH_SRCFAIL},
    {"admin_prohibited", ICMP_UNREACH_ADMIN},
    {"ttl_exceeded", ICMP_TIME_EXCEEDED_TTL},
    {"frag_time_exceeded", ICMP_TIME_EXCEEDED_REASS},
};

static bool take_icmp_name(struct cursor *c, const struct icmp_name *names, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        if (take_word(c, names[i].name))
            return *out = names[i].value, true;
    return false;
}

static bool parse_quote(struct cursor *c, struct pkt_spec *p)
{
    if (!take(c, "["))
        return true;
    p->has_quote = true;
    p->quote_proto = SPEC_TCP;
    if (take_word(c, "udp")) {
        p->quote_proto = SPEC_UDP;
        if (!expect(c, "(") || !expect_u32(c, &p->quote_len) || !expect(c, ")"))
            return false;
    } else if (!parse_range(c, &p->quote_seq, &p->quote_len)) {
        return false;
    }
    if (take_word(c, "sport") && !parse_u16(c, &p->quote_sport))
        return false;
    return expect(c, "]");
}

static bool parse_icmp(struct cursor *c, struct pkt_spec *p)
{
    p->proto = SPEC_ICMP;
    if (!take_icmp_name(c, icmp_types, ARRAY_LEN(icmp_types), &p->icmp_type))
        return cursor_fail(c, "unknown ICMP type at '%.24s'", c->at);
    (void)take_icmp_name(c, icmp_codes, ARRAY_LEN(icmp_codes), &p->icmp_code);
    if (take_word(c, "code") && !parse_u8(c, &p->icmp_code))
        return false;
    if (take_word(c, "id") && !parse_u16(c, &p->icmp_id))
        return false;
    if (take_word(c, "seq") && !parse_u16(c, &p->icmp_seq))
        return false;
    if (take_word(c, "pointer") && !parse_u8(c, &p->icmp_pointer))
        return false;
    if (take_word(c, "mtu")) {
        p->has_mtu = true;
        if (!parse_u16(c, &p->mtu))
            return false;
    }
    if (take(c, "(") && (!expect_u32(c, &p->len) || !expect(c, ")")))
        return false;
    if (!parse_quote(c, p))
        return false;
    p->bad_csum = take_word(c, "badcsum");
    return true;
}

bool parse_packet(struct cursor *c, struct pkt_spec *out, bool outgoing)
{
    bool ok;

    memset(out, 0, sizeof(*out));
    if (!parse_attributes(c, out))
        return false;
    if (take_word(c, "udp"))
        ok = parse_udp(c, out);
    else if (take_word(c, "icmp"))
        ok = parse_icmp(c, out);
    else
        ok = parse_tcp(c, out, outgoing);
    return ok && (at_end(c) || cursor_fail(c, "not understood: '%.24s'", c->at));
}
