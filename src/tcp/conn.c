/* The life of a connection, and the lists it is on.
 *
 * Lists are singly linked, so an object on one cannot be unlinked early: a connection that has
 * ended while on the output or ready list stays allocated until the list has let it go
 * (conn_try_free). */
#include "tcp/tcp_int.h"

static struct tcp_conn *conn_at(const struct tcp *t, mem_ref r)
{
    return mem_ptr(t->arena, r);
}

struct tcp_conn *tcp_conn_new(struct tcp *t)
{
    struct tcp_conn *c = pool_get(&t->conns);

    if (!c) {
        t->stats.no_conn_memory++;
        return NULL;
    }
    uint16_t gen = (uint16_t)(c->gen + 1);
    memset(c, 0, sizeof(*c));
    c->gen = gen ? gen : 1;
    c->kind = FLOW_CONN;
    timer_init(&c->timer, TIMER_TCP_CONN);
    return c;
}

void tcp_set_state(struct tcp *t, struct tcp_conn *c, enum tcp_state to)
{
    MR_ASSERT(tcp_edge_is_legal((enum tcp_state)c->state, to));
    if (to == TCPS_ESTABLISHED)
        t->stats.established++;
    c->state = (uint8_t)to;
}

void tcp_mark_output(struct tcp *t, struct tcp_conn *c)
{
    if (c->flags & TF_ON_OUTPUT)
        return;
    mem_ref r = mem_ref_of(t->arena, c);
    c->flags |= TF_ON_OUTPUT;
    c->out_next = MEM_NONE;
    if (t->out_tail)
        conn_at(t, t->out_tail)->out_next = r;
    else
        t->out_head = r;
    t->out_tail = r;
}

/* News of a connection nobody has accepted yet waits in its bits; a detached one has nobody to
 * tell. */
void tcp_mark_event(struct tcp *t, struct tcp_conn *c, unsigned events)
{
    if (c->flags & TF_DETACHED)
        return;
    c->events |= (uint8_t)events;
    if (c->flags & (TF_ON_READY | TF_ACCEPTING))
        return;
    mem_ref r = mem_ref_of(t->arena, c);
    c->flags |= TF_ON_READY;
    c->ready_next = MEM_NONE;
    if (t->ready_tail)
        conn_at(t, t->ready_tail)->ready_next = r;
    else
        t->ready_head = r;
    t->ready_tail = r;
}

static void conn_try_free(struct tcp *t, struct tcp_conn *c)
{
    if (c->state == TCPS_CLOSED && (c->flags & TF_DETACHED) &&
        !(c->flags & (TF_ON_OUTPUT | TF_ON_READY)))
        pool_put(&t->conns, c);
}

struct tcp_conn *tcp_next_ready(struct tcp *t)
{
    while (t->ready_head) {
        struct tcp_conn *c = conn_at(t, t->ready_head);
        t->ready_head = c->ready_next;
        if (!t->ready_head)
            t->ready_tail = MEM_NONE;
        c->flags &= ~(uint32_t)TF_ON_READY;
        if (c->events)
            return c;
        conn_try_free(t, c);
    }
    return NULL;
}

void tcp_listener_mark(struct tcp *t, struct tcp_listener *l)
{
    if (l->on_ready)
        return;
    l->on_ready = true;
    l->ready_next = t->ready_listener;
    t->ready_listener = mem_ref_of(t->arena, l);
}

struct tcp_listener *tcp_next_ready_listener(struct tcp *t)
{
    while (t->ready_listener) {
        struct tcp_listener *l = mem_ptr(t->arena, t->ready_listener);
        t->ready_listener = l->ready_next;
        l->on_ready = false;
        if (l->open && l->accept_n)
            return l;
        if (!l->open)
            pool_put(&t->listeners, l);
    }
    return NULL;
}

/* Everything held on behalf of sending; nothing will be sent or resent. */
static void sending_end(struct tcp *t, struct tcp_conn *c)
{
    sndq_clear(&c->sndq, t->sbufs);
    tcp_loss_release(t, c);
    for (unsigned i = 0; i < TCPT_COUNT; i++)
        c->deadline[i] = 0;
    wheel_disarm(t->wheel, &c->timer);
}

static void holdings_end(struct tcp *t, struct tcp_conn *c)
{
    rcvq_clear(&c->rcvq);
    if (c->cold) {
        pool_put(&t->colds, tcp_cold(t, c));
        c->cold = MEM_NONE;
        c->flags &= ~(uint32_t)(TF_URG_SND | TF_URG_RCV);
    }
}

void tcp_conn_end(struct tcp *t, struct tcp_conn *c, int err)
{
    if (c->state == TCPS_CLOSED)
        return;
    tcp_set_state(t, c, TCPS_CLOSED);
    flow_unlink(&t->flows, (struct flow_node *)(void *)c);
    if (unlikely(c->flags & TF_AWAY)) {
        c->flags &= ~TF_AWAY;
        tcp_away_end(t, &c->key);
    }
    tcp_reass_clear(t, c);
    sending_end(t, c);
    c->flags &=
        ~(uint32_t)(TF_ACKNOW | TF_DELACK | TF_PROBE | TF_KEEP_PROBE | TF_REXMT_ONE | TF_RECOVERY |
                    TF_RTO_RECOVERY | TF_SYN_QUEUED | TF_WANT_WRITE | TF_PERSIST);
    c->err = (int8_t)err;
    if (c->flags & TF_DETACHED)
        tcp_conn_free(t, c);
    else
        tcp_mark_event(t, c, TCP_EV_CLOSED | (c->rcvq.cc ? TCP_EV_READABLE : 0));
}

void tcp_conn_free(struct tcp *t, struct tcp_conn *c)
{
    MR_ASSERT(c->state == TCPS_CLOSED);
    sending_end(t, c);
    holdings_end(t, c);
    c->events = 0;
    c->flags |= TF_DETACHED;
    conn_try_free(t, c);
}

/* Settings a connection starts with: its listener's, or the call's. */
void tcp_conn_setup(struct tcp *t, struct tcp_conn *c, const struct tcp_inherit *i)
{
    c->flags |= i->flags;
    c->rcv_buf = i->rcv_buf;
    c->snd_buf = i->snd_buf;
    c->ttl = i->ttl;
    c->tos = i->tos;
    c->cc_kind = i->cc_kind;
    c->mss = c->mss_peer = TCP_MSS_DEFAULT;
    c->cc.ssthresh = UINT32_MAX;
    tcp_cc(c)->init(&c->cc);
    c->rcv_time_ms = t->now_ms;
    c->rcv_tune_ms = c->rcv_tune_seq = 0;
    tcp_inherit_apply(t, c, i);
}

bool tcp_has_output(const struct tcp *t)
{
    return t->out_head || t->syn_out_head || t->replies.n;
}

void tcp_replies_output(struct tcp *t)
{
    struct pkt *p;

    while ((p = pkt_list_pop(&t->replies))) {
        struct ip_flow f;
        memcpy(&f, p->info, sizeof(f));
        ip_output(t->ip, p, &f, t->now);
    }
}

/* A connection that has sent its share of a turn goes back to the end of the list: the next one
 * gets the next packet. */
void tcp_output(struct tcp *t, instant now)
{
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    if (unlikely(t->away_busy))
        tcp_away_output(t);
    tcp_replies_output(t);
    tcp_syn_output(t);
    mem_ref last = t->out_tail;
    bool more = true;
    while (t->out_head && more) {
        struct tcp_conn *c = conn_at(t, t->out_head);
        more = t->out_head != last;
        t->out_head = c->out_next;
        if (!t->out_head)
            t->out_tail = MEM_NONE;
        c->flags &= ~(uint32_t)TF_ON_OUTPUT;
        if (c->state == TCPS_CLOSED) {
            conn_try_free(t, c);
            continue;
        }
        bool all = tcp_conn_output(t, c);
        if (unlikely((c->flags & TF_WANT_WRITE) && c->cold))
            tcp_unsent_wake(t, c);
        if (!all) {
            tcp_mark_output(t, c);
            if (!tcp_may_transmit(t)) {
                t->stats.tx_stalled++;
                return;
            }
        }
    }
}
