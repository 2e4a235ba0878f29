/* The SACK scoreboard (RFC 2018, 2883, 6675): a sorted array of disjoint ranges above snd_una, of
 * bounded length.  What no longer fits is forgotten, which is safe: SACK is advice. */
#include "tcp/tcp_int.h"

static uint32_t range_len(const struct tcp_sack *r)
{
    return seq_diff(r->end, r->start);
}

static void range_delete(struct tcp_loss *l, unsigned i, unsigned n)
{
    for (unsigned k = i; k < i + n; k++)
        l->sacked -= range_len(&l->range[k]);
    memmove(&l->range[i], &l->range[i + n], (l->nranges - i - n) * sizeof(l->range[0]));
    l->nranges = (uint8_t)(l->nranges - n);
}

/* Merge [start, end) in; true if it told anything new. */
static bool range_insert(struct tcp_loss *l, struct tcp_sack b, uint32_t max)
{
    unsigned i = 0, n = 0;
    uint32_t before = l->sacked;

    while (i < l->nranges && seq_lt(l->range[i].end, b.start))
        i++;
    while (i + n < l->nranges && seq_leq(l->range[i + n].start, b.end)) {
        b.start = seq_min(b.start, l->range[i + n].start);
        b.end = seq_max(b.end, l->range[i + n].end);
        n++;
    }
    if (n == 0 && l->nranges >= max)
        return false;
    range_delete(l, i, n);
    memmove(&l->range[i + 1], &l->range[i], (l->nranges - i) * sizeof(l->range[0]));
    l->range[i] = b;
    l->nranges++;
    l->sacked += range_len(&b);
    return l->sacked != before;
}

/* RFC 2883 4: the first block reports a duplicate if it lies below the ACK, or inside the second
 * block. */
static bool is_dsack(const struct tcp_seg *s)
{
    const struct tcp_sack *b = s->sack;

    if (seq_lt(b[0].start, s->ack))
        return true;
    return s->nsack > 1 && seq_geq(b[0].start, b[1].start) && seq_leq(b[0].end, b[1].end);
}

bool tcp_sack_input(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    struct tcp_loss *l = tcp_loss_get(t, c);
    bool news = false;

    if (is_dsack(s))
        t->stats.dsacks_in++;
    if (!l)
        return false;
    for (unsigned i = 0; i < s->nsack; i++) {
        struct tcp_sack b = s->sack[i];
        /* Blocks below snd_una, above snd_max or inside out are lies or old news: CVE-2019-11477.
         */
        if (!seq_lt(b.start, b.end) || seq_lt(b.start, c->snd_una) || seq_leq(b.end, s->ack) ||
            seq_gt(b.end, c->snd_max))
            continue;
        news |= range_insert(l, b, t->limits.sack_ranges);
    }
    return news;
}

/* snd_una has moved: forget what lies below.  A range that begins at or below snd_una and goes
 * beyond it means that the receiver took a SACK back. */
void tcp_sack_advance(struct tcp_conn *c, struct tcp_loss *l)
{
    while (l->nranges && seq_leq(l->range[0].end, c->snd_una))
        range_delete(l, 0, 1);
    if (l->nranges && seq_lt(l->range[0].start, c->snd_una)) {
        l->sacked -= seq_diff(c->snd_una, l->range[0].start);
        l->range[0].start = c->snd_una;
    }
}

/* RFC 6675 4, IsLost: three ranges, or more than two segments' bytes, above. */
static bool hole_is_lost(const struct tcp_conn *c, const struct tcp_loss *l, unsigned above,
                         uint32_t bytes_above)
{
    return l->nranges - above >= TCP_DUP_THRESH || bytes_above > (TCP_DUP_THRESH - 1) * c->mss;
}

bool tcp_sack_first_lost(const struct tcp_conn *c, const struct tcp_loss *l)
{
    return l->nranges && seq_gt(l->range[0].start, c->snd_una) && hole_is_lost(c, l, 0, l->sacked);
}

/* The part of [a, b) that lies below x. */
static uint32_t below(tcp_seq a, tcp_seq b, tcp_seq x)
{
    if (seq_leq(x, a))
        return 0;
    return seq_diff(seq_min(b, x), a);
}

/* RFC 6675 4, SetPipe: what is not SACKed counts unless lost, and again if retransmitted. */
uint32_t tcp_sack_pipe(const struct tcp_conn *c, const struct tcp_loss *l)
{
    uint32_t pipe = 0, bytes_above = l->sacked;
    tcp_seq at = c->snd_una;

    for (unsigned i = 0; i < l->nranges; i++) {
        const struct tcp_sack *r = &l->range[i];
        if (!hole_is_lost(c, l, i, bytes_above))
            pipe += seq_diff(r->start, at);
        pipe += below(at, r->start, l->high_rxt);
        bytes_above -= range_len(r);
        at = r->end;
    }
    return pipe + seq_diff(c->snd_max, at) + below(at, c->snd_max, l->high_rxt);
}

/* RFC 6675 4, NextSeg (1) and (3): the first hole, from high_rxt on, below the highest SACK; a lost
 * one only if lost_only. */
bool tcp_sack_next(struct tcp_conn *c, struct tcp_loss *l, bool lost_only, tcp_seq *seq,
                   uint32_t *len)
{
    uint32_t bytes_above = l->sacked;
    tcp_seq at = c->snd_una;

    for (unsigned i = 0; i < l->nranges; i++) {
        const struct tcp_sack *r = &l->range[i];
        tcp_seq from = seq_max(at, l->high_rxt);
        if (seq_lt(from, r->start) && (!lost_only || hole_is_lost(c, l, i, bytes_above))) {
            *seq = from;
            *len = min_u32(seq_diff(r->start, from), c->mss);
            return true;
        }
        bytes_above -= range_len(r);
        at = r->end;
    }
    return false;
}

uint32_t tcp_sack_below(const struct tcp_loss *l, tcp_seq seq)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < l->nranges; i++)
        sum += below(l->range[i].start, l->range[i].end, seq);
    return sum;
}

uint32_t tcp_sack_skip(const struct tcp_loss *l, tcp_seq *seq)
{
    for (unsigned i = 0; i < l->nranges; i++) {
        if (seq_lt(*seq, l->range[i].start))
            return seq_diff(l->range[i].start, *seq);
        if (seq_lt(*seq, l->range[i].end))
            *seq = l->range[i].end;
    }
    return UINT32_MAX;
}
