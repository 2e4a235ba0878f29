/* Listeners: RFC 9293 3.10.7.2, and the accept queue. */
#include "tcp/tcp_int.h"

static struct tcp_listener *listener_at(const struct tcp *t, mem_ref r)
{
    return mem_ptr(t->arena, r);
}

/* The most specific one: with the address, else with any. */
struct tcp_listener *tcp_listener_find(struct tcp *t, uint16_t lidx, uint16_t port)
{
    struct tcp_listener *any = NULL;

    for (struct tcp_listener *l = listener_at(t, t->ports.listener[port]); l;
         l = listener_at(t, l->next)) {
        if (l->lidx == lidx)
            return l;
        if (l->lidx == IP_LIDX_NONE)
            any = l;
    }
    return any;
}

/* Say what this core has at the port, if others are to know. */
static void port_tell(struct tcp *t, uint16_t port)
{
    struct port_cores *others = &t->ip->eth->cores->ports;
    bool listens = false, paused = false;

    for (struct tcp_listener *l = listener_at(t, t->ports.listener[port]); l;
         l = listener_at(t, l->next)) {
        listens |= !l->paused;
        paused |= l->paused;
    }
    port_cores_set_own(others, PORT_TCP, port, listens);
    port_cores_set_own(others, PORT_TCP_PAUSED, port, paused);
}

/* MUST-41, MUST-42: a new listener never touches another record; the same port may be in use by
 * connections. */
int tcp_listen(struct tcp *t, uint16_t lidx, uint16_t port, uint32_t backlog,
               struct tcp_listener **out)
{
    for (struct tcp_listener *l = listener_at(t, t->ports.listener[port]); l;
         l = listener_at(t, l->next))
        if (l->lidx == lidx)
            return MR_EADDRINUSE;
    struct tcp_listener *l = pool_get(&t->listeners);
    if (!l)
        return MR_ENOMEM;
    uint16_t gen = (uint16_t)(l->gen + 1);
    *l = (struct tcp_listener){
        .lidx = lidx,
        .port = port,
        .next = t->ports.listener[port],
        .backlog = backlog,
        .open = true,
        .gen = gen ? gen : 1,
    };
    tcp_inherit_default(t, &l->inherit);
    t->ports.listener[port] = mem_ref_of(t->arena, l);
    flow_ports_changed(&t->ports, port);
    port_tell(t, port);
    *out = l;
    return 0;
}

struct tcp_conn *tcp_accept(struct tcp *t, struct tcp_listener *l)
{
    struct tcp_conn *c = mem_ptr(t->arena, l->accept_head);

    if (!c)
        return NULL;
    l->accept_head = c->accept_next;
    if (!l->accept_head)
        l->accept_tail = MEM_NONE;
    l->accept_n--;
    c->flags &= ~(uint32_t)TF_ACCEPTING;
    c->rcv_tune_ms = c->rcv_tune_seq = 0;
    c->user = l->user;
    /* What happened meanwhile is news now. */
    if (c->events)
        tcp_mark_event(t, c, c->events);
    return c;
}

void tcp_unlisten(struct tcp *t, struct tcp_listener *l, instant now)
{
    mem_ref *link = &t->ports.listener[l->port];
    struct tcp_conn *c;

    while (*link != mem_ref_of(t->arena, l))
        link = &listener_at(t, *link)->next;
    *link = l->next;
    flow_ports_changed(&t->ports, l->port);
    port_tell(t, l->port);
    while (l->syn_head)
        tcp_syn_free(t, mem_ptr(t->arena, l->syn_head));
    while ((c = tcp_accept(t, l)))
        tcp_abort(t, c, now);
    l->open = false;
    if (!l->on_ready)
        pool_put(&t->listeners, l);
}

void tcp_pause(struct tcp *t, struct tcp_listener *l, bool paused)
{
    l->paused = paused;
    port_tell(t, l->port);
}

/* RFC 9293 3.10.7.2: a RST is ignored; an ACK may be a cookie coming back, else it is answered with
 * a RST; a SYN begins. */
void tcp_listen_input(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                      struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;

    if (s->flags & TH_RST) {
        tcp_drop(in, &t->stats.drop_rst_no_conn);
    } else if (s->flags & TH_ACK) {
        if (tcp_cookie_input(t, l, k, in))
            return;
        tcp_reset_answer(t, in);
        tcp_drop(in, &t->stats.drop_no_conn);
    } else if (l->paused) {
        tcp_drop(in, &t->stats.drop_paused); /* the peer asks again, and by then another listens */
    } else if ((s->flags & (TH_SYN | TH_FIN)) == TH_SYN) {
        tcp_syn_received(t, l, k, in);
    } else {
        tcp_drop(in, &t->stats.drop_syn_state);
    }
}

static void accept_append(struct tcp *t, struct tcp_listener *l, struct tcp_conn *c)
{
    mem_ref r = mem_ref_of(t->arena, c);

    c->flags |= TF_ACCEPTING;
    c->listener = mem_ref_of(t->arena, l);
    c->accept_next = MEM_NONE;
    if (l->accept_tail)
        ((struct tcp_conn *)mem_ptr(t->arena, l->accept_tail))->accept_next = r;
    else
        l->accept_head = r;
    l->accept_tail = r;
    l->accept_n++;
    tcp_listener_mark(t, l);
}

static void source_route_keep(struct tcp *t, struct tcp_conn *c, const struct tcp_syn *y)
{
    struct tcp_cold *cold = y->src_route_n ? tcp_cold_get(t, c) : NULL;

    if (!cold)
        return;
    cold->src_route_n = y->src_route_n;
    memcpy(cold->src_route, y->src_route, sizeof(cold->src_route));
}

/* A passive open is complete: from the half-open state y (in the table as `was`, or not in it:
 * NULL), make the connection that the segment `in` belongs to. MUST-11: it stays known that this
 * was a passive open: it is in an accept queue. */
struct tcp_conn *tcp_passive_conn(struct tcp *t, struct tcp_listener *l, const struct tcp_syn *y,
                                  struct flow_node *was, const struct tcp_in *in)
{
    struct tcp_conn *c = tcp_conn_new(t);

    if (!c)
        return NULL;
    c->key = y->key;
    if (was) {
        flow_replace(&t->flows, was, (struct flow_node *)(void *)c);
    } else if (!flow_link(&t->flows, (struct flow_node *)(void *)c)) {
        pool_put(&t->conns, c);
        return NULL;
    }
    tcp_conn_setup(t, c, &l->inherit);
    c->flags |= (y->flags & TSYN_TS ? TF_TS : 0) | (y->flags & TSYN_SACK ? TF_SACK : 0) |
                (y->flags & TSYN_WSCALE ? TF_WSCALE : 0);
    if (was ? (y->flags & TSYN_AWAY) != 0 : tcp_passive_away(t, &c->key, in))
        c->flags |= TF_AWAY;
    c->scales = (uint8_t)(y->snd_scale | y->rcv_scale << 4);
    c->mss_peer = y->mss;
    c->ts_recent = y->ts_recent;
    c->ts_offset = y->ts_offset;
    c->rxtshift = y->retries;
    c->tos = l->inherit.tos;
    c->rcv_nxt = c->last_ack_sent = seq_of(y->irs_v + 1);
    c->rcv_adv = seq_add(c->rcv_nxt, tcp_syn_wnd(c->rcv_buf, l->inherit.window_clamp));
    c->snd_una = c->snd_nxt = c->snd_max = seq_of(y->iss_v + 1);
    c->recover = seq_of(y->iss_v);
    c->snd_wl1 = seq_sub(in->s->seq, 1);
    c->snd_wnd = (uint32_t)in->s->wnd << y->snd_scale;
    c->wnd_max = in->s->wnd;
    source_route_keep(t, c, y);
    t->stats.passive_opens++;
    accept_append(t, l, c);
    tcp_established(t, c);
    c->rxtshift = 0;
    if ((y->flags & TSYN_ACKED) && y->sent_us)
        tcp_rtt_sample(t, c, y->sent_us);
    else if (y->flags & TSYN_ACKED)
        return c; /* what has come now the peer may have held back for long */
    else if (y->sent_us && y->retries == 0) /* Karn: MUST-18 */
        tcp_rtt_sample(t, c, ((uint32_t)t->now | 1) - y->sent_us);
    else
        tcp_rtt_ack(t, c, in->s);
    return c;
}
