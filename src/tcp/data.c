/* Received data: RFC 9293 3.10.7.4, sixth to eighth. */
#include "tcp/tcp_int.h"

/* Copy a payload into packets of our own; the port gets its buffer back (DESIGN: zero copy with a
 * bound). */
static bool payload_copy(struct tcp *t, const struct pkt *p, struct pkt_list *out)
{
    uint32_t done = 0;

    while (done < p->len) {
        struct pkt *k = pkt_get(t->copies);
        if (!k) {
            pkt_list_put_all(out);
            return false;
        }
        k->len = min_u32(p->len - done, pkt_tailroom(k));
        memcpy(k->data, p->data + done, k->len);
        k->flags = PKT_COPIED;
        done += k->len;
        pkt_list_append(out, k);
    }
    return true;
}

/* Half of the copies are for what is next in order: what waits behind a gap may wait for ever, and
 * must not keep out what would fill it, here or in another connection. */
static bool may_copy_early(const struct tcp *t)
{
    const struct pool *copies = &t->copies->descs;

    return pool_available(copies) > copies->capacity / 2;
}

bool tcp_payload_keep(struct tcp *t, struct tcp_in *in, bool early, struct pkt_list *out)
{
    struct pkt *p = in->p;

    *out = (struct pkt_list){0};
    if (likely(!pkt_pool_is_low(p->pool))) {
        pkt_list_append(out, p);
        in->p = NULL;
        return true;
    }
    if (early && !may_copy_early(t)) {
        tcp_drop(in, &t->stats.drop_ooo_full);
        return false;
    }
    if (!payload_copy(t, p, out)) {
        tcp_drop(in, &t->stats.drop_rcv_memory);
        return false;
    }
    t->stats.payload_copied++;
    pkt_put(p);
    in->p = NULL;
    return true;
}

/* A small copy joins the last one: a peer that sends single bytes gets no packet for each. */
static bool join_tail(struct tcp_conn *c, struct pkt *p)
{
    struct pkt *tail = c->rcvq.tail;

    if (!(p->flags & PKT_COPIED) || !tail || !(tail->flags & PKT_COPIED) ||
        pkt_tailroom(tail) < p->len)
        return false;
    memcpy(tail->data + tail->len, p->data, p->len);
    tail->len += p->len;
    c->rcvq.cc += p->len;
    pkt_put(p);
    return true;
}

void tcp_data_deliver(struct tcp *t, struct tcp_conn *c, struct pkt_list *pkts)
{
    struct pkt *p;

    while ((p = pkt_list_pop(pkts))) {
        c->rcv_nxt = seq_add(c->rcv_nxt, p->len);
        t->stats.bytes_in += p->len;
        if (!join_tail(c, p))
            rcvq_append(&c->rcvq, p);
    }
    tcp_mark_event(t, c, TCP_EV_READABLE);
}

/* The peer's FIN is next in order: it sends no more.  RFC 9293 3.10.7.4, eighth. */
void tcp_fin_input(struct tcp *t, struct tcp_conn *c)
{
    if (c->flags & TF_FIN_RCVD)
        return;
    c->flags |= TF_FIN_RCVD;
    c->rcv_nxt = seq_add(c->rcv_nxt, 1);
    if (seq_lt(c->rcv_adv, c->rcv_nxt))
        c->rcv_adv = c->rcv_nxt;
    tcp_ack_now(t, c);
    tcp_mark_event(t, c, TCP_EV_READABLE);
    switch (c->state) {
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
        tcp_set_state(t, c, TCPS_CLOSE_WAIT);
        break;
    case TCPS_FIN_WAIT_1:
        /* Our FIN is not acknowledged, or the ACK step had moved on to FIN-WAIT-2. */
        tcp_set_state(t, c, TCPS_CLOSING);
        break;
    case TCPS_FIN_WAIT_2:
        tcp_tw_enter(t, c);
        break;
    default:
        break;
    }
}

/* In order, and nothing waits behind a gap. */
static void data_in_order(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct pkt_list pkts;
    uint32_t len = in->s->len;

    if (len) {
        if (!tcp_payload_keep(t, in, false, &pkts)) {
            in->s->flags &= (uint16_t)~TH_FIN;
            tcp_ack_now(t, c);
            return;
        }
        tcp_rcv_tune(t, c, in->s, len);
        tcp_data_deliver(t, c, &pkts);
        tcp_ack_data(t, c, len);
    }
    if (in->s->flags & TH_FIN)
        tcp_fin_input(t, c);
}

void tcp_data_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    if (!tcp_may_receive(c) || (c->flags & TF_FIN_RCVD)) {
        /* Nothing may follow a FIN; a retransmitted one is acknowledged. */
        tcp_ack_now(t, c);
        tcp_drop(in, &t->stats.drop_past_fin);
        return;
    }
    if (likely(seq_eq(in->s->seq, c->rcv_nxt) && !c->ooo)) {
        data_in_order(t, c, in);
        return;
    }
    /* SHLD-31: held; MAY-13: acknowledged at once, so that the sender can count (RFC 5681 4.2). */
    bool in_order = seq_eq(in->s->seq, c->rcv_nxt);
    tcp_reass_insert(t, c, in);
    bool fin = in_order && tcp_reass_deliver(t, c);
    tcp_ack_now(t, c);
    if (fin)
        tcp_fin_input(t, c);
}

/* RFC 9293 3.8.5, 3.10.7.4 sixth; MUST-30, MUST-32, MUST-33, MUST-62. The data may be of
 * any length (MUST-31): each later pointer moves its end on. A pointer of 0 points at nothing. */
void tcp_urgent_input(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    if (likely(!(s->flags & TH_URG)) || s->urp == 0 || !tcp_may_receive(c))
        return;
    tcp_seq up = seq_add(s->seq, s->urp);
    struct tcp_cold *cold = tcp_cold_get(t, c);
    if (!cold || ((c->flags & TF_URG_RCV) && seq_leq(up, cold->rcv_up)) || seq_leq(up, c->rcv_nxt))
        return;
    cold->rcv_up = up;
    c->flags |= TF_URG_RCV;
    tcp_mark_event(t, c, TCP_EV_URGENT);
}

void tcp_dsack_note(struct tcp *t, struct tcp_conn *c, tcp_seq start, tcp_seq end)
{
    struct tcp_loss *l = c->flags & TF_SACK ? tcp_loss_get(t, c) : NULL;

    if (!l)
        return;
    l->dsack = (struct tcp_sack){start, end};
    l->has_dsack = true;
    tcp_ack_now(t, c);
}
