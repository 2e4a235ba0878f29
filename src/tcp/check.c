/* Every invariant of every object, for the simulator, the fuzzers, and the unit tests. */
#include "tcp/tcp_int.h"

static void check_sequence(const struct tcp_conn *c)
{
    MR_ASSERT(seq_leq(c->snd_una, c->snd_nxt));
    MR_ASSERT(seq_leq(c->snd_nxt, c->snd_max));
    /* snd_max is never beyond what exists. */
    tcp_seq end = seq_add(tcp_data_end(c), c->flags & TF_FIN_QUEUED ? 1 : 0);
    MR_ASSERT(seq_leq(c->snd_max, end));
    if (c->state > TCPS_SYN_RECEIVED) {
        /* FIN-WAIT-1 may have been entered from SYN-RECEIVED. */
        MR_ASSERT(!(c->flags & TF_SYN_QUEUED) || c->state == TCPS_FIN_WAIT_1);
        MR_ASSERT(seq_leq(c->rcv_nxt, c->rcv_adv));
    }
    if (c->flags & TF_FIN_SENT)
        MR_ASSERT(c->flags & TF_FIN_QUEUED);
}

/* A timer for everything in flight, and for everything that waits with nothing in flight to bring
 * an ACK. */
static void check_timers(const struct tcp_conn *c)
{
    bool timer = tcp_timer_is_set(c, TCPT_REXMT);

    if (tcp_in_flight(c))
        MR_ASSERT(timer || (c->flags & TF_ON_OUTPUT));
    if (c->sndq.cc && !(c->flags & TF_SYN_QUEUED))
        MR_ASSERT(timer || (c->flags & TF_ON_OUTPUT));
    if (c->flags & TF_DELACK)
        MR_ASSERT(tcp_timer_is_set(c, TCPT_DELACK));
    if (c->flags & TF_ACKNOW)
        MR_ASSERT(c->flags & TF_ON_OUTPUT);
    for (unsigned i = 0; i < TCPT_COUNT; i++)
        if (c->deadline[i])
            MR_ASSERT(timer_is_armed(&c->timer) && tick_leq(c->timer.expires, c->deadline[i]));
}

static void check_scoreboard(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_loss *l = tcp_loss(t, c);
    uint32_t sum = 0;
    tcp_seq at = c->snd_una;

    if (!l)
        return;
    for (unsigned i = 0; i < l->nranges; i++) {
        MR_ASSERT(seq_leq(at, l->range[i].start) && seq_lt(l->range[i].start, l->range[i].end));
        at = l->range[i].end;
        sum += seq_diff(l->range[i].end, l->range[i].start);
    }
    MR_ASSERT(seq_leq(at, c->snd_max));
    MR_ASSERT(sum == l->sacked);
}

static void check_rcvq(const struct tcp_conn *c)
{
    uint32_t sum = 0;

    for (const struct pkt *p = rcvq_head(&c->rcvq); p; p = p == c->rcvq.tail ? NULL : p->next)
        sum += p->len;
    MR_ASSERT(sum == c->rcvq.cc);
}

/* The send queue tiles what may be sent: its buffers hold exactly cc bytes. */
static void check_sndq(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t sum = 0;

    for (const struct sbuf *b = mem_ptr(t->arena, c->sndq.head); b;
         b = mem_ptr(t->arena, b->next)) {
        MR_ASSERT(b->refs > 0);
        sum += b->len;
    }
    MR_ASSERT(sum == c->sndq.cc + c->sndq.head_off);
}

static void check_conn(const struct tcp *t, const struct tcp_conn *c)
{
    MR_ASSERT(c->kind == FLOW_CONN);
    check_rcvq(c);
    check_sndq(t, c);
    if (c->state == TCPS_CLOSED) {
        MR_ASSERT(!timer_is_armed(&c->timer) && !c->ooo && !c->loss);
        return;
    }
    MR_ASSERT(flow_find(&t->flows, &c->key, flow_hash(&t->flows, &c->key)) == (const void *)c);
    check_sequence(c);
    check_timers(c);
    check_scoreboard(t, c);
}

/* Free objects are those on the pool's free list; everything linked in the flow table is in use. */
void tcp_check(struct tcp *t)
{
    uint32_t seen = 0;

    for (uint32_t b = 0; b < t->flows.buckets; b++) {
        const struct flow_bucket *k = &t->flows.bucket[b];
        do {
            for (uint32_t i = 0; i < k->n; i++, seen++) {
                const struct flow_node *node = mem_ptr(t->arena, k->node[i]);
                if (node->kind == FLOW_CONN)
                    check_conn(t, (const struct tcp_conn *)(const void *)node);
            }
            k = mem_ptr(t->arena, k->overflow);
        } while (k);
    }
    MR_ASSERT(seen == t->flows.used);
    MR_ASSERT(t->tws.used + t->syns.used + t->conns.used + t->aways.used >= seen);
    uint32_t tws = 0;
    for (const struct tcp_tw *w = mem_ptr(t->arena, t->tw_head); w; w = mem_ptr(t->arena, w->next))
        tws++;
    MR_ASSERT(tws == t->tws.used);
}
