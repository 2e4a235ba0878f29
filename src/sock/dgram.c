#include "sock/sock_int.h"

int sock_udp_open_with(struct sock *s, const struct mr_addr *local, uint8_t options, void *user,
                       mr_sock *out)
{
    struct ip_addr ip = local ? sock_ip(local) : ip4_of(0, 0, 0, 0);

    if (!sock_family_ok(&ip))
        return MR_EAFNOSUPPORT;
    struct udp_pcb *u = udp_open(s->udp);
    if (!u)
        return MR_ENOMEM;
    u->options = options;
    int err = udp_bind(s->udp, s->ip, u, &ip, local ? local->port : 0);
    if (err) {
        udp_close(s->udp, u);
        return err;
    }
    u->user = user;
    u->sock_bits = 0;
    *out = sock_handle(SOCK_UDP, u->generation, pool_index(&s->udp->pcbs, u));
    return 0;
}

int sock_udp_open(struct sock *s, const struct mr_addr *local, void *user, mr_sock *out)
{
    return sock_udp_open_with(s, local, 0, user, out);
}

int sock_udp_connect(struct sock *s, mr_sock h, const struct mr_addr *to)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    if (!to) {
        udp_disconnect(s->udp, u);
        return 0;
    }
    struct udp_addr a = {sock_ip(to), to->port};
    return sock_family_ok(&a.addr) ? udp_connect(s->udp, s->ip, u, &a) : MR_EAFNOSUPPORT;
}

int sock_udp_option(struct sock *s, mr_sock h, uint8_t option, bool on)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    u->options = (uint8_t)(on ? u->options | option : u->options & ~option);
    return 0;
}

static int send_result(struct sock *s, struct udp_pcb *u, int r)
{
    if (r >= 0)
        return 0;
    if (r != MR_ENOBUFS)
        return r;
    if (!(u->sock_bits & SOCK_BIT_WANT_WRITE)) {
        u->sock_bits |= SOCK_BIT_WANT_WRITE;
        s->udp_waiting++;
    }
    return MR_EAGAIN;
}

int sock_sendto(struct sock *s, mr_sock h, const void *buf, size_t n, const struct mr_addr *to)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    if (u->err) {
        int err = u->err;
        u->err = 0;
        return err;
    }
    if (!to)
        return send_result(s, u, udp_send(s->udp, s->ip, u, buf, n, NULL, s->now));
    struct udp_addr a = {sock_ip(to), to->port};
    if (!sock_family_ok(&a.addr))
        return MR_EAFNOSUPPORT;
    return send_result(s, u, udp_send(s->udp, s->ip, u, buf, n, &a, s->now));
}

static struct pkt *datagram(struct udp_pcb *u, struct mr_addr *from)
{
    struct pkt *p = udp_recv(u);

    if (p && from)
        sock_addr_fill(from, &ip_info(p)->src, udp_info(p)->sport);
    return p;
}

static int nothing(struct udp_pcb *u)
{
    int err = u->err ? u->err : MR_EAGAIN;

    u->err = 0;
    return err;
}

int64_t sock_recvfrom(struct sock *s, mr_sock h, void *buf, size_t n, struct mr_addr *from)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    struct pkt *p = datagram(u, from);
    if (!p)
        return nothing(u);
    int64_t len = p->len;
    memcpy(buf, p->data, min_size(n, p->len));
    pkt_put(p);
    return len;
}

int sock_udp_peek(struct sock *s, mr_sock h, struct sock_dgram *out)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    struct pkt *p = u->rcvq.head;
    if (u->err || !p)
        return nothing(u);
    *out = (struct sock_dgram){
        .data = p->data,
        .len = p->len,
        .tos = ip_info(p)->tos,
        .ttl = ip_info(p)->ttl,
    };
    sock_addr_fill(&out->from, &ip_info(p)->src, udp_info(p)->sport);
    sock_addr_fill(&out->to, &ip_info(p)->dst, udp_info(p)->dport);
    return 0;
}

void sock_udp_drop(struct sock *s, mr_sock h)
{
    struct udp_pcb *u = sock_udp(s, h);
    struct pkt *p = u ? udp_recv(u) : NULL;

    if (p)
        pkt_put(p);
}

int sock_recvfrom_slice(struct sock *s, mr_sock h, struct mr_slice *out, struct mr_addr *from)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    struct pkt *p = datagram(u, from);
    if (!p)
        return nothing(u);
    *(struct sock_hold *)(void *)p->info = (struct sock_hold){MEM_NONE, 0, 0};
    *out = (struct mr_slice){p->data, p->len, p};
    s->stats.slices_lent++;
    return MR_OK;
}

/* Half of the packets are free again: everyone who waits may try. */
void sock_udp_wake(struct sock *s)
{
    if (!s->udp_waiting || pool_available(&s->tcp->tx->descs) < s->tcp->tx->descs.capacity / 2)
        return;
    for (uint32_t i = 0; i < s->udp->pcbs.fresh; i++) {
        struct udp_pcb *u = pool_at(&s->udp->pcbs, i);
        if (u->state != UDP_FREE && (u->sock_bits & SOCK_BIT_WANT_WRITE))
            udp_mark_ready(s->udp, u, UDP_WRITABLE);
    }
}
