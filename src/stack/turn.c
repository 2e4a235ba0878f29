#include "stack/stack_int.h"

/* Loopback rounds a turn: two ends that talk over loopback must not keep the ports waiting. */
#define LOOP_ROUNDS 4u
/* Packets or the queue are used up: when the port has taken some, we go on; look again this soon at
 * the latest. */
#define STALL_RETRY_US 500u

instant stack_clock_set(struct stack *s, instant now)
{
    if (now > s->now)
        s->now = now;
    s->sock.now = s->now;
    return s->now;
}

static void errors_deliver(struct stack *s)
{
    struct ip_error e;

    while (unlikely(ip_has_errors(&s->ip)) && ip_next_error(&s->ip, &e))
        stack_error(s, &e, 0);
}

void stack_ip_burst(struct stack *s, struct burst *packets)
{
    struct ip_result r;

    ip_input(&s->ip, packets, &r, s->now);
    if (r.udp.n)
        udp_input(&s->udp, &s->ip, &r.udp, s->now);
    if (r.tcp.n)
        tcp_input(&s->tcp, &r.tcp, s->now);
    errors_deliver(s);
}

void stack_input(struct stack *s, unsigned netif, struct pkt **frames, unsigned n, instant now)
{
    struct burst in, ipv4;

    MR_ASSERT(n <= BURST_MAX);
    stack_clock_set(s, now);
    in.n = n;
    for (unsigned i = 0; i < n; i++) {
        in.p[i] = frames[i];
        in.p[i]->netif = (uint8_t)netif;
    }
    eth_input(&s->eth, &in, &ipv4, s->now);
    if (ipv4.n)
        stack_ip_burst(s, &ipv4);
}

bool stack_event(struct stack *s, struct mr_event *ev)
{
    return sock_event(&s->sock, ev);
}

static void timer_run(struct stack *s, struct timer *t)
{
    switch ((enum timer_kind)t->kind) {
    case TIMER_NEIGH:
    case TIMER_ARP_PROBE:
        eth_timer(&s->eth, t, s->now);
        break;
    case TIMER_REASS:
    case TIMER_PMTU:
        ip_timer(&s->ip, t, s->now);
        break;
    case TIMER_TCP_CONN:
    case TIMER_TCP_TW:
    case TIMER_TCP_SYN:
        tcp_timer(&s->tcp, t, s->now);
        break;
    case TIMER_APP:
        sock_timer_fired(&s->sock, t);
        break;
    case TIMER_NONE:
    case TIMER_KINDS:
        mr_panic(__FILE__, __LINE__, "a timer nobody owns");
    }
}

void stack_advance(struct stack *s, instant now)
{
    struct timer *t;

    stack_clock_set(s, now);
    wheel_advance(&s->wheel, s->now);
    while ((t = wheel_pop(&s->wheel)))
        timer_run(s, t);
    errors_deliver(s);
}

void stack_output(struct stack *s, instant now)
{
    struct burst loop;

    stack_clock_set(s, now);
    tcp_output(&s->tcp, s->now);
    ip_loop_resume(&s->ip, s->now);
    for (unsigned i = 0; i < LOOP_ROUNDS && ip_loop_burst(&s->ip, &loop); i++) {
        stack_ip_burst(s, &loop);
        tcp_output(&s->tcp, s->now);
    }
    s->stalled = (tcp_has_output(&s->tcp) && !tcp_may_transmit(&s->tcp)) || ip_loop_waits(&s->ip);
    if (home_is_shared(&s->cores.home) && !stack_tell(s))
        s->stalled = true;
    sock_udp_wake(&s->sock);
}

instant stack_deadline(const struct stack *s)
{
    instant at = wheel_deadline(&s->wheel);

    if (s->tcp.ready_head || s->tcp.ready_listener || s->udp.ready_head || s->sock.fired_head)
        return 0;
    if (s->tcp.away_busy)
        at = min_u64(at, s->tcp.away_retry_at);
    if (s->stalled)
        return min_u64(at, s->now + STALL_RETRY_US);
    return tcp_has_output(&s->tcp) ? 0 : at;
}

unsigned stack_tx(struct stack *s, unsigned netif, struct pkt **out, unsigned max)
{
    struct pkt_list *q = &s->eth.txq, keep = {0};
    struct nic *nic = s->eth.netif[netif].nic;
    struct pkt *p;
    unsigned n = 0;

    /* Nearly always one port: the head of the queue is its. With several, the others' frames keep
     * their order. */
    while (n < max && (p = pkt_list_pop(q))) {
        if (likely(s->eth.netif[p->netif].nic == nic))
            out[n++] = p;
        else
            pkt_list_append(&keep, p);
    }
    pkt_list_prepend_all(q, &keep);
    return n;
}

void stack_tx_return(struct stack *s, unsigned netif, struct pkt **frames, unsigned n)
{
    (void)netif;
    while (n-- > 0)
        pkt_list_prepend(&s->eth.txq, frames[n]);
}
