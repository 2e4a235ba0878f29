/* Segments that arrived early.
 *
 * They wait as runs: chains of packets without a gap.  The queue is a list of runs in sequence
 * order, disjoint and not touching. A run's description lies in the info area of its first packet.
 * Searching costs a step a run, and runs are bounded (limits.ooo_runs), so that a sender of single
 * bytes with gaps costs memory and time it has to pay for itself: CVE-2018-5390 (SegmentSmack).
 *
 *     rcv_nxt                          c->ooo
 *        |    gap    [p]->[p]->[p]   gap   [p]->[p]
 *                     run                   run */
#include "tcp/tcp_int.h"

struct run {
    tcp_seq start, end;
    struct pkt *tail;
    struct pkt *next; /* first packet of the next run */
    uint32_t pkts;
    bool fin; /* a FIN has the number `end` */
};

static struct run *run_of(struct pkt *p)
{
    return (struct run *)(void *)p->info;
}

static struct pkt *first_run(const struct tcp_conn *c)
{
    return c->ooo;
}

static void link_after(struct tcp_conn *c, struct pkt *before, struct pkt *p)
{
    if (before)
        run_of(before)->next = p;
    else
        c->ooo = p;
}

static void run_put(struct tcp *t, struct pkt *first)
{
    t->ooo_packets -= run_of(first)->pkts;
    for (struct pkt *p = first, *next; p; p = next) {
        next = p->next;
        pkt_put(p);
    }
}

void tcp_reass_clear(struct tcp *t, struct tcp_conn *c)
{
    for (struct pkt *p = first_run(c), *next; p; p = next) {
        next = run_of(p)->next;
        run_put(t, p);
    }
    c->ooo = NULL;
}

/* The last run that begins at or before seq; NULL: none. *n counts the runs. */
static struct pkt *run_before(const struct tcp_conn *c, tcp_seq seq, uint32_t *n)
{
    struct pkt *before = NULL;

    *n = 0;
    for (struct pkt *p = first_run(c); p; p = run_of(p)->next) {
        if (seq_leq(run_of(p)->start, seq))
            before = p;
        ++*n;
    }
    return before;
}

/* Cut the segment by what lies before it and after it; runs it covers wholly go. False: nothing new
 * is left. */
static bool trim(struct tcp *t, struct tcp_conn *c, struct tcp_in *in, struct pkt *before)
{
    struct tcp_seg *s = in->s;
    struct pkt *after = before ? run_of(before)->next : first_run(c);
    tcp_seq end = seq_add(s->seq, s->len);

    if (before && seq_gt(run_of(before)->end, s->seq)) {
        uint32_t dup = min_u32(seq_diff(run_of(before)->end, s->seq), s->len);
        tcp_dsack_note(t, c, s->seq, seq_add(s->seq, dup));
        pkt_pull(in->p, dup);
        s->seq = seq_add(s->seq, dup);
        s->len -= dup;
    }
    while (after && seq_geq(end, run_of(after)->end) && !run_of(after)->fin) {
        struct pkt *next = run_of(after)->next;
        tcp_dsack_note(t, c, run_of(after)->start, run_of(after)->end);
        run_put(t, after);
        link_after(c, before, next);
        after = next;
    }
    if (after && seq_gt(end, run_of(after)->start)) {
        tcp_dsack_note(t, c, run_of(after)->start, seq_min(end, run_of(after)->end));
        s->len = seq_gt(run_of(after)->start, s->seq) ? seq_diff(run_of(after)->start, s->seq) : 0;
        pkt_trim(in->p, s->len);
        s->flags &= (uint16_t)~TH_FIN;
    }
    return s->len > 0;
}

/* Append `next`'s packets to `run`; they touch. */
static void run_join(struct pkt *run, struct pkt *next)
{
    struct run *a = run_of(run), *b = run_of(next);

    a->tail->next = next;
    a->tail = b->tail;
    a->end = b->end;
    a->next = b->next;
    a->fin = b->fin;
    a->pkts += b->pkts;
}

static void run_insert(struct tcp *t, struct tcp_conn *c, struct pkt *before, struct pkt_list *pkts,
                       const struct tcp_seg *s)
{
    struct pkt *p = pkts->head;

    *run_of(p) = (struct run){
        .start = s->seq,
        .end = seq_add(s->seq, s->len),
        .tail = pkts->tail,
        .next = before ? run_of(before)->next : first_run(c),
        .pkts = pkts->n,
        .fin = s->flags & TH_FIN,
    };
    t->ooo_packets += pkts->n;
    link_after(c, before, p);
    if (run_of(p)->next && seq_eq(run_of(run_of(p)->next)->start, run_of(p)->end))
        run_join(p, run_of(p)->next);
    if (before && seq_eq(run_of(before)->end, s->seq))
        run_join(before, p);
}

/* RFC 2018 4: the block that holds the newest segment is reported first. */
static void note_recent(struct tcp *t, struct tcp_conn *c, tcp_seq seq)
{
    struct tcp_loss *l = c->flags & TF_SACK ? tcp_loss_get(t, c) : NULL;

    if (!l)
        return;
    memmove(&l->recent[1], &l->recent[0], (TCP_SACK_MAX - 1) * sizeof(l->recent[0]));
    l->recent[0] = (struct tcp_sack){seq, seq};
    if (l->nrecent < TCP_SACK_MAX)
        l->nrecent++;
}

/* A FIN alone, behind a gap: the end of the run before it remembers it, if they touch; otherwise
 * the peer will repeat it. */
static void insert_fin(struct pkt *before, const struct tcp_seg *s)
{
    if (before && (s->flags & TH_FIN) && seq_eq(run_of(before)->end, s->seq) &&
        !run_of(before)->next)
        run_of(before)->fin = true;
}

/* Nothing may follow a FIN that waits. False: nothing of the segment lies before it. */
static bool cut_at_fin(const struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;
    struct pkt *last = first_run(c);

    while (last && run_of(last)->next)
        last = run_of(last)->next;
    if (!last || !run_of(last)->fin || seq_leq(seq_add(s->seq, s->len), run_of(last)->end))
        return true;
    if (seq_geq(s->seq, run_of(last)->end))
        return false;
    s->len = seq_diff(run_of(last)->end, s->seq);
    pkt_trim(in->p, s->len);
    s->flags &= (uint16_t)~TH_FIN;
    return true;
}

void tcp_reass_insert(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct pkt_list pkts;
    uint32_t runs;
    struct pkt *before = run_before(c, in->s->seq, &runs);
    bool in_order = seq_eq(in->s->seq, c->rcv_nxt);

    if (in->s->len == 0) {
        insert_fin(before, in->s);
        tcp_drop(in, &t->stats.ooo_segs);
        return;
    }
    if (!in_order && (runs >= t->limits.ooo_runs || t->ooo_packets >= t->limits.ooo_packets)) {
        tcp_drop(in, &t->stats.drop_ooo_full);
        return;
    }
    if (!cut_at_fin(c, in)) {
        tcp_drop(in, &t->stats.drop_past_fin);
        return;
    }
    if (!trim(t, c, in, before)) {
        tcp_drop(in, &t->stats.dup_segs);
        return;
    }
    struct tcp_seg s = *in->s;
    if (!tcp_payload_keep(t, in, !in_order, &pkts))
        return;
    t->stats.ooo_segs += !in_order;
    run_insert(t, c, before, &pkts, &s);
    note_recent(t, c, s.seq);
}

bool tcp_reass_deliver(struct tcp *t, struct tcp_conn *c)
{
    struct pkt *p = first_run(c);

    if (!p || !seq_eq(run_of(p)->start, c->rcv_nxt))
        return false;
    struct run r = *run_of(p);
    struct pkt_list pkts = {.head = p, .tail = r.tail, .n = r.pkts};
    c->ooo = r.next;
    t->ooo_packets -= r.pkts;
    tcp_data_deliver(t, c, &pkts);
    if (!c->ooo && c->loss)
        tcp_loss(t, c)->nrecent = 0;
    return r.fin;
}

/* The run that covers seq, as a block not yet in out[0..n). */
static unsigned add_block(const struct tcp_conn *c, tcp_seq seq, struct tcp_sack *out,
                          unsigned from, unsigned n)
{
    for (struct pkt *p = first_run(c); p; p = run_of(p)->next) {
        const struct run *r = run_of(p);
        if (!seq_leq(r->start, seq) || !seq_lt(seq, r->end))
            continue;
        for (unsigned i = from; i < n; i++)
            if (seq_eq(out[i].start, r->start))
                return n;
        out[n] = (struct tcp_sack){r->start, r->end};
        return n + 1;
    }
    return n;
}

/* RFC 2018 4 and RFC 2883 4: a duplicate first, then the newest block, then others. */
unsigned tcp_reass_blocks(const struct tcp *t, const struct tcp_conn *c, struct tcp_sack *out,
                          unsigned max)
{
    struct tcp_loss *l = tcp_loss(t, c);
    unsigned n = 0, from = 0;

    if (!l || max == 0)
        return 0;
    if (l->has_dsack) {
        out[n++] = l->dsack;
        from = 1;
    }
    for (unsigned i = 0; i < l->nrecent && n < max; i++)
        n = add_block(c, l->recent[i].start, out, from, n);
    for (struct pkt *p = first_run(c); p && n < max; p = run_of(p)->next)
        n = add_block(c, run_of(p)->start, out, from, n);
    return n;
}
