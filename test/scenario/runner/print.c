/* A packet as a script would write it. */
#include <stdarg.h>
#include <string.h>

#include "packet.h"

struct text {
    char *at;
    size_t left;
};

static void add(struct text *t, const char *how, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *how, ...)
{
    va_list args;
    int n;

    va_start(args, how);
    n = vsnprintf(t->at, t->left, how, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= t->left)
        n = (int)(t->left - 1);
    t->at += n;
    t->left -= (size_t)n;
}

static void print_option(struct text *t, const struct opt_spec *o)
{
    switch (o->kind) {
    case OPT_EOL:
        add(t, "eol");
        break;
    case OPT_NOP:
        add(t, "nop");
        break;
    case OPT_MSS:
        add(t, "mss %u", o->value);
        break;
    case OPT_WSCALE:
        add(t, "wscale %u", o->value);
        break;
    case OPT_SACK_OK:
        add(t, "sackOK");
        break;
    case OPT_SACK:
        add(t, "sack");
        for (int i = 0; i < o->nblocks; i++)
            add(t, " %u:%u", o->start[i], o->end[i]);
        break;
    case OPT_TS:
        if (o->any_value)
            add(t, "TS val * ");
        else
            add(t, "TS val %u ", o->value);
        if (o->any_ecr)
            add(t, "ecr *");
        else
            add(t, "ecr %u", o->ecr);
        break;
    default:
        add(t, "raw");
        for (int i = 0; i < o->nraw; i++)
            add(t, " 0x%02x", o->raw[i]);
    }
}

static void print_tcp(struct text *t, const struct pkt_spec *p)
{
    static const char letters[] = "FSRP.UEW";

    for (int i = 0; letters[i] != 0; i++)
        if ((p->flags & 1u << i) != 0)
            add(t, "%c", letters[i]);
    if (p->flags == 0)
        add(t, "-");
    add(t, " %u:%u(%u)", p->seq, p->seq + p->len, p->len);
    if ((p->flags & 0x10) != 0 || p->ack != 0)
        add(t, " ack %u", p->ack);
    if (p->has_win)
        add(t, " win %u", p->win);
    if (p->has_urg)
        add(t, " urg %u", p->urg);
    if (p->any_opts) {
        add(t, " <...>");
    } else if (p->nopts > 0) {
        add(t, " <");
        for (int i = 0; i < p->nopts; i++) {
            add(t, i > 0 ? "," : "");
            print_option(t, &p->opts[i]);
        }
        add(t, ">");
    }
}

static void print_ip(struct text *t, const struct pkt_spec *p)
{
    const char *sep = "";

    if (!p->has_tos && !p->has_ttl && !p->has_df && !p->has_frag)
        return;
    add(t, "[");
    if (p->has_tos)
        add(t, "tos 0x%x", p->tos), sep = ", ";
    if (p->has_ttl)
        add(t, "%sttl %u", sep, p->ttl), sep = ", ";
    if (p->has_df)
        add(t, "%s%s", sep, p->df ? "df" : "nodf"), sep = ", ";
    if (p->has_frag)
        add(t, "%sfrag %u:%u%s", sep, p->frag_off, p->frag_len, p->mf ? ", mf" : "");
    add(t, "] ");
}

static void print_icmp(struct text *t, const struct pkt_spec *p)
{
    add(t, "icmp type %u code %u", p->icmp_type, p->icmp_code);
    if (p->icmp_id != 0 || p->icmp_seq != 0)
        add(t, " id %u seq %u", p->icmp_id, p->icmp_seq);
    if (p->has_mtu)
        add(t, " mtu %u", p->mtu);
    if (p->len > 0)
        add(t, " (%u)", p->len);
    if (p->has_quote && p->quote_proto == SPEC_UDP)
        add(t, " [udp (%u)]", p->quote_len);
    else if (p->has_quote)
        add(t, " [%u:%u(%u)]", p->quote_seq, p->quote_seq + p->quote_len, p->quote_len);
}

void packet_print(char *out, size_t n, const struct pkt_spec *p)
{
    struct text t = {out, n};

    out[0] = 0;
    print_ip(&t, p);
    switch (p->proto) {
    case SPEC_TCP:
        print_tcp(&t, p);
        break;
    case SPEC_UDP:
        add(&t, "udp (%u)", p->len);
        break;
    case SPEC_ICMP:
        print_icmp(&t, p);
        break;
    default:
        add(&t, "IP protocol %d", p->proto);
    }
}
