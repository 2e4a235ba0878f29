#include "sock/sock_int.h"

static void timer_arm(struct sock *s, struct sock_timer *t)
{
    wheel_arm(s->wheel, &t->timer, tick_ceil(s->now) + ticks_of_us(t->due - s->now));
}

int sock_timer_start(struct sock *s, uint64_t delay_us, void *user, mr_timer *out)
{
    struct sock_timer *t = pool_get(&s->timers);

    if (!t) {
        s->stats.timers_full++;
        return MR_ENOMEM;
    }
    uint16_t gen = (uint16_t)(t->gen + 1);
    *t = (struct sock_timer){.user = user, .gen = gen ? gen : 1};
    t->due = s->now + min_u64(delay_us, UINT64_MAX / 2);
    timer_init(&t->timer, TIMER_APP);
    timer_arm(s, t);
    if (out)
        out->v = sock_handle(SOCK_TIMER, t->gen, pool_index(&s->timers, t)).v;
    return 0;
}

/* One that has fired and was not pulled yet is only marked: its news is skipped. */
void sock_timer_stop(struct sock *s, mr_timer h)
{
    uint32_t index = (uint32_t)h.v;

    if (h.v >> 60 != SOCK_TIMER || index >= s->timers.fresh)
        return;
    struct sock_timer *t = pool_at(&s->timers, index);
    if (t->gen != (uint16_t)(h.v >> 32))
        return;
    t->gen++;
    if (t->fired)
        return;
    wheel_disarm(s->wheel, &t->timer);
    pool_put(&s->timers, t);
}

void sock_timer_fired(struct sock *s, struct timer *tm)
{
    struct sock_timer *t = container_of(tm, struct sock_timer, timer);
    mem_ref r = mem_ref_of(s->arena, t);

    if (t->due > s->now) { /* TICKS_MAX was not enough */
        timer_arm(s, t);
        return;
    }
    t->fired = true;
    t->next = MEM_NONE;
    /* The slot's links are free now; the generation says later whether it was stopped. */
    t->timer.expires = t->gen;
    if (s->fired_tail)
        ((struct sock_timer *)mem_ptr(s->arena, s->fired_tail))->next = r;
    else
        s->fired_head = r;
    s->fired_tail = r;
}

static bool timer_event(struct sock *s, struct mr_event *ev)
{
    while (s->fired_head) {
        struct sock_timer *t = mem_ptr(s->arena, s->fired_head);
        bool stopped = t->timer.expires != t->gen;
        s->fired_head = t->next;
        if (!t->next)
            s->fired_tail = MEM_NONE;
        *ev = (struct mr_event){.type = MR_EV_TIMER, .user = t->user};
        t->gen++; /* the handle is of no more use */
        t->fired = false;
        pool_put(&s->timers, t);
        if (!stopped)
            return true;
    }
    return false;
}

static bool listener_event(struct sock *s, struct mr_event *ev)
{
    struct tcp_listener *l = tcp_next_ready_listener(s->tcp);

    if (!l)
        return false;
    *ev = (struct mr_event){
        .type = MR_EV_ACCEPT,
        .sock = sock_handle(SOCK_LISTENER, l->gen, pool_index(&s->tcp->listeners, l)),
        .user = l->user,
    };
    return true;
}

static const enum mr_event_type event_of[] = {
    MR_EV_CONNECTED, MR_EV_READABLE, MR_EV_WRITABLE, MR_EV_URGENT, MR_EV_SOFT_ERROR, MR_EV_CLOSED,
};

static int event_err(const struct sock *s, const struct tcp_conn *c, enum mr_event_type type)
{
    if (type == MR_EV_CLOSED)
        return c->err;
    if (type == MR_EV_SOFT_ERROR && c->cold)
        return tcp_cold(s->tcp, c)->soft_err;
    return 0;
}

/* The connection's first news; if it has more, it goes to the end of the list. */
static bool conn_event(struct sock *s, struct mr_event *ev)
{
    struct tcp_conn *c = tcp_next_ready(s->tcp);

    if (!c)
        return false;
    unsigned bit = lowest_bit(c->events);
    c->events &= (uint8_t)(c->events - 1);
    if (c->events)
        tcp_mark_event(s->tcp, c, c->events);
    *ev = (struct mr_event){
        .type = event_of[bit],
        .err = event_err(s, c, event_of[bit]),
        .sock = sock_conn_handle(s, c),
        .user = c->user,
    };
    return true;
}

static bool udp_event(struct sock *s, struct mr_event *ev)
{
    struct udp_pcb *u = udp_next_ready(s->udp);

    if (!u)
        return false;
    *ev = (struct mr_event){
        .sock = sock_handle(SOCK_UDP, u->generation, pool_index(&s->udp->pcbs, u)),
        .user = u->user,
    };
    if (u->ready & UDP_READABLE) {
        ev->type = MR_EV_READABLE;
        u->ready &= (uint8_t)~UDP_READABLE;
    } else if (u->ready & UDP_WRITABLE) {
        ev->type = MR_EV_WRITABLE;
        u->ready &= (uint8_t)~UDP_WRITABLE;
        if (u->sock_bits & SOCK_BIT_WANT_WRITE)
            s->udp_waiting--;
        u->sock_bits &= ~(uint32_t)SOCK_BIT_WANT_WRITE;
    } else {
        ev->type = MR_EV_SOFT_ERROR;
        ev->err = u->err;
        u->ready = 0;
    }
    if (u->ready)
        udp_mark_ready(s->udp, u, u->ready);
    return true;
}

bool sock_event(struct sock *s, struct mr_event *ev)
{
    return conn_event(s, ev) || listener_event(s, ev) || udp_event(s, ev) || timer_event(s, ev);
}
