/* Two packets compared field by field: what the script does not say is not compared. */
#include <stdlib.h>
#include <string.h>

#include "packet.h"

#define NO(...) (snprintf(why, whylen, __VA_ARGS__), false)

/* a: expected, b: actual */
static bool same_number(const char *name, uint32_t a, uint32_t b, char *why, size_t whylen)
{
    return a == b ? true : NO("%s is %u, expected %u", name, b, a);
}

static bool match_ip(const struct pkt_spec *a, const struct pkt_spec *b, char *why, size_t whylen)
{
    if (a->has_tos && !same_number("tos", a->tos, b->tos, why, whylen))
        return false;
    if (a->has_ttl && !same_number("ttl", a->ttl, b->ttl, why, whylen))
        return false;
    if (a->has_id && !same_number("id", a->id, b->id, why, whylen))
        return false;
    if (a->has_df && !same_number("df", a->df, b->df, why, whylen))
        return false;
    if (a->has_frag != b->has_frag)
        return NO(b->has_frag ? "it is a fragment" : "it is no fragment");
    if (a->has_frag && (!same_number("mf", a->mf, b->mf, why, whylen) ||
                        !same_number("offset", a->frag_off, b->frag_off, why, whylen) ||
                        !same_number("length", a->frag_len, b->frag_len, why, whylen)))
        return false;
    if (a->has_via && a->via != b->via)
        return NO("it is sent to 0x%08x, expected 0x%08x", b->via, a->via);
    if (a->nipopt > 0 && (b->nipopt < a->nipopt ||
                          memcmp(a->ipopt, b->ipopt, (size_t)a->nipopt) != 0))
        return NO("IP options differ");
    return true;
}

static bool same_option(const struct opt_spec *a, const struct opt_spec *b, uint32_t ts_tolerance)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == OPT_TS)
        return (a->any_ecr || a->ecr == b->ecr) &&
               (a->any_value || (uint32_t)abs((int)(a->value - b->value)) <= ts_tolerance);
    if (a->kind == OPT_SACK)
        return a->nblocks == b->nblocks &&
               memcmp(a->start, b->start, sizeof(uint32_t) * (size_t)a->nblocks) == 0 &&
               memcmp(a->end, b->end, sizeof(uint32_t) * (size_t)a->nblocks) == 0;
    if (a->kind == OPT_RAW)
        return a->nraw == b->nraw && memcmp(a->raw, b->raw, (size_t)a->nraw) == 0;
    return a->value == b->value;
}

static bool match_options(const struct pkt_spec *a, const struct pkt_spec *b,
                          uint32_t ts_tolerance, char *why, size_t whylen)
{
    if (a->any_opts)
        return true;
    for (int i = 0; i < a->nopts && i < b->nopts; i++)
        if (!same_option(&a->opts[i], &b->opts[i], ts_tolerance))
            return NO("option %d differs", i + 1);
    if (a->nopts != b->nopts)
        return NO("%d options, expected %d", b->nopts, a->nopts);
    return true;
}

static bool match_tcp(const struct pkt_spec *a, const struct pkt_spec *b, uint32_t ts_tolerance,
                      char *why, size_t whylen)
{
    if (a->flags != b->flags)
        return NO("flags differ");
    if (!same_number("seq", a->seq, b->seq, why, whylen) ||
        !same_number("length", a->len, b->len, why, whylen) ||
        !same_number("ack", a->ack, b->ack, why, whylen))
        return false;
    if (a->has_win && !same_number("win", a->win, b->win, why, whylen))
        return false;
    if (a->has_urg && !same_number("urg", a->urg, b->urg, why, whylen))
        return false;
    return match_options(a, b, ts_tolerance, why, whylen);
}

static bool match_icmp(const struct pkt_spec *a, const struct pkt_spec *b, char *why,
                       size_t whylen)
{
    if (!same_number("ICMP type", a->icmp_type, b->icmp_type, why, whylen) ||
        !same_number("ICMP code", a->icmp_code, b->icmp_code, why, whylen) ||
        !same_number("ICMP id", a->icmp_id, b->icmp_id, why, whylen) ||
        !same_number("ICMP seq", a->icmp_seq, b->icmp_seq, why, whylen) ||
        !same_number("length", a->len, b->len, why, whylen))
        return false;
    if (a->has_mtu && !same_number("mtu", a->mtu, b->mtu, why, whylen))
        return false;
    if (!a->has_quote)
        return true;
    if (!b->has_quote || a->quote_proto != b->quote_proto || a->quote_len != b->quote_len)
        return NO("the quoted packet differs");
    return a->quote_proto != SPEC_TCP ||
           same_number("quoted seq", a->quote_seq, b->quote_seq, why, whylen);
}

bool packet_match(const struct pkt_spec *p, const struct observed *o, uint32_t ts_tolerance,
                  char *why, size_t whylen)
{
    const struct pkt_spec *b = &o->spec;

    if (p->proto != b->proto)
        return NO("protocol is %d, expected %d", b->proto, p->proto);
    if (!match_ip(p, b, why, whylen))
        return false;
    if (p->has_frag && p->frag_off != 0)
        return true;
    switch (p->proto) {
    case SPEC_TCP:
        return match_tcp(p, b, ts_tolerance, why, whylen);
    case SPEC_UDP:
        return same_number("length", p->len, b->len, why, whylen);
    case SPEC_ICMP:
        return match_icmp(p, b, why, whylen);
    }
    return NO("protocol");
}
