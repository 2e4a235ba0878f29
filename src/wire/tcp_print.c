#include "wire/print_int.h"

/* tcpdump's letters, in its order; ACK is a point. */
static const struct flag_letter {
    uint16_t flag;
    char letter;
} flag_letters[] = {
    {TH_FIN, 'F'}, {TH_SYN, 'S'}, {TH_RST, 'R'}, {TH_PUSH, 'P'}, {TH_ACK, '.'},
    {TH_URG, 'U'}, {TH_ECE, 'E'}, {TH_CWR, 'W'}, {TH_AE, 'e'},
};

static void flags_print(struct fmt *f, uint16_t flags)
{
    if (flags == 0)
        fmt_add(f, "none");
    for (unsigned i = 0; i < ARRAY_LEN(flag_letters); i++)
        if (flags & flag_letters[i].flag)
            fmt_char(f, flag_letters[i].letter);
}

/* What stands before the next item of a list. */
static const char *comma(bool *later)
{
    const char *before = *later ? "," : "";

    *later = true;
    return before;
}

static void sack_print(struct fmt *f, const struct tcp_seg *s)
{
    fmt_add(f, "sack %u ", s->nsack);
    for (unsigned i = 0; i < s->nsack; i++)
        fmt_add(f, "{%u:%u}", s->sack[i].start.v, s->sack[i].end.v);
}

/* In one order, whatever theirs was: a parsed segment does not remember. */
static void options_print(struct fmt *f, const struct tcp_seg *s)
{
    bool later = false;

    fmt_add(f, ", options [");
    if (s->has_mss)
        fmt_add(f, "%smss %u", comma(&later), s->mss);
    if (s->has_sack_ok)
        fmt_add(f, "%ssackOK", comma(&later));
    if (s->has_ts)
        fmt_add(f, "%sTS val %u ecr %u", comma(&later), s->ts_val, s->ts_ecr);
    if (s->has_wscale)
        fmt_add(f, "%swscale %u", comma(&later), s->wscale);
    if (s->nsack != 0) {
        fmt_add(f, "%s", comma(&later));
        sack_print(f, s);
    }
    fmt_char(f, ']');
}

/* "seq 1:11" for octets 1 to 10, "seq 1" for a segment that only takes a number. */
static void numbers_print(struct fmt *f, const struct tcp_seg *s)
{
    if (s->len != 0)
        fmt_add(f, ", seq %u:%u", s->seq.v, seq_add(s->seq, s->len).v);
    else if (s->flags & (TH_SYN | TH_FIN | TH_RST))
        fmt_add(f, ", seq %u", s->seq.v);
    if (s->flags & TH_ACK)
        fmt_add(f, ", ack %u", s->ack.v);
    fmt_add(f, ", win %u", s->wnd);
    if (s->flags & TH_URG)
        fmt_add(f, ", urg %u", s->urp);
}

void tcp_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n)
{
    struct tcp_seg s;
    enum wire_err e = tcp_parse(&s, b, n);

    if (e != WIRE_OK) {
        addrs_print(f, ip);
        fmt_add(f, "TCP, bad %s", wire_err_name(e));
        return;
    }
    ports_print(f, ip, s.sport, s.dport);
    fmt_add(f, "Flags [");
    flags_print(f, s.flags);
    fmt_char(f, ']');
    numbers_print(f, &s);
    if (s.hlen > TCP_HLEN)
        options_print(f, &s);
    fmt_add(f, ", length %u", s.len);
}
