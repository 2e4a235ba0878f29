/* What a socket is ready for.  The rules are those of poll(2) on Linux (net/ipv4/tcp.c's behaviour,
 * man 7 epoll): writable is a third of the buffer, an end is readable. */
#include "sock/sock_int.h"

/* Who finds no room is told when there is some, as who was refused; while memory has run out
 * (TF_WANT_WRITE with an empty queue) free bytes of the buffer's limit mean nothing. */
static bool may_send(const struct sock *s, struct tcp_conn *c)
{
    if (!(c->flags & TF_WANT_WRITE) && tcp_has_room(s->tcp, c))
        return true;
    c->flags |= TF_WANT_WRITE;
    return false;
}

unsigned sock_poll_conn(const struct sock *s, struct tcp_conn *c)
{
    unsigned r = c->rcvq.cc ? MR_CAN_RECV : 0;

    if (c->flags & TF_URG_RCV)
        r |= MR_URGENT_IN;
    if (c->state == TCPS_CLOSED)
        return r | MR_CAN_RECV | MR_RECV_END | MR_SEND_END | MR_OVER | (c->err ? MR_HAS_ERROR : 0u);
    if (c->flags & TF_FIN_RCVD)
        r |= MR_RECV_END | MR_CAN_RECV;
    if (c->flags & TF_FIN_QUEUED)
        r |= r & MR_RECV_END ? MR_SEND_END | MR_OVER : MR_SEND_END;
    else if (c->state >= TCPS_ESTABLISHED && may_send(s, c))
        r |= MR_CAN_SEND;
    return r;
}

static unsigned poll_udp(const struct udp_pcb *u)
{
    return (u->rcvq.n || u->err ? MR_CAN_RECV : 0u) | (u->err ? MR_HAS_ERROR : 0u) |
           (u->sock_bits & SOCK_BIT_WANT_WRITE ? 0u : MR_CAN_SEND);
}

unsigned sock_poll_other(struct sock *s, mr_sock h)
{
    enum sock_kind kind = sock_kind_of(h);
    const struct tcp_listener *l = kind == SOCK_LISTENER ? sock_listener(s, h) : NULL;
    const struct udp_pcb *u = kind == SOCK_UDP ? sock_udp(s, h) : NULL;

    if (l)
        return l->accept_n ? MR_CAN_RECV : 0;
    return u ? poll_udp(u) : MR_OVER;
}
