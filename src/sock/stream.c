#include "sock/sock_int.h"

#define BACKLOG_DEFAULT 1024u
#define GIVE_MAX ((size_t)1 << 30)

int sock_listen(struct sock *s, const struct mr_addr *local, const struct mr_listen_opts *o,
                mr_sock *out)
{
    struct ip_addr ip = sock_ip(local);
    uint16_t lidx = IP_LIDX_NONE;
    struct tcp_listener *l;

    if (!sock_family_ok(&ip))
        return MR_EAFNOSUPPORT;
    if (local->port == 0)
        return MR_EINVAL;
    if (!ip_is_any(&ip) && (lidx = ip_lidx(s->ip, &ip)) == IP_LIDX_NONE)
        return MR_EADDRNOTAVAIL;
    int err =
        tcp_listen(s->tcp, lidx, local->port, o && o->backlog ? o->backlog : BACKLOG_DEFAULT, &l);
    if (err)
        return err;
    l->user = o ? o->user : NULL;
    *out = sock_handle(SOCK_LISTENER, l->gen, pool_index(&s->tcp->listeners, l));
    return 0;
}

int sock_accept(struct sock *s, mr_sock listener, mr_sock *out, struct mr_addr *peer)
{
    struct tcp_listener *l = sock_listener(s, listener);
    struct tcp_conn *c;

    if (!l)
        return MR_EBADF;
    if (!(c = tcp_accept(s->tcp, l)))
        return MR_EAGAIN;
    *out = sock_conn_handle(s, c);
    if (peer)
        sock_addr_fill(peer, &c->key.raddr, c->key.rport);
    return 0;
}

int sock_connect(struct sock *s, const struct mr_addr *local, const struct mr_addr *remote,
                 void *user, mr_sock *out)
{
    struct ip_addr raddr = sock_ip(remote), laddr = ip4_of(0, 0, 0, 0);
    struct tcp_inherit opts;
    struct tcp_conn *c;

    if (local)
        laddr = sock_ip(local);
    if (!sock_family_ok(&raddr) || !sock_family_ok(&laddr))
        return MR_EAFNOSUPPORT;
    tcp_inherit_default(s->tcp, &opts);
    int err = tcp_connect(s->tcp, &laddr, local ? local->port : 0, &raddr, remote->port, &opts,
                          s->now, &c);
    if (err)
        return err;
    c->user = user;
    *out = sock_conn_handle(s, c);
    return 0;
}

/* What a read finds when there is no data: end of stream, the error that ended the connection, or
 * nothing yet. */
static int no_data(const struct tcp_conn *c)
{
    if (tcp_at_eof(c))
        return 0;
    if (c->state == TCPS_CLOSED)
        return c->err;
    return MR_EAGAIN;
}

/* The urgent mark has been read past. */
static void urgent_passed(struct sock *s, struct tcp_conn *c)
{
    if ((c->flags & TF_URG_RCV) &&
        seq_leq(tcp_cold(s->tcp, c)->rcv_up, seq_sub(c->rcv_nxt, c->rcvq.cc)))
        c->flags &= ~(uint32_t)TF_URG_RCV;
}

int64_t sock_recv(struct sock *s, mr_sock h, void *buf, size_t n, unsigned flags)
{
    struct tcp_conn *c = sock_conn(s, h);

    if (!c)
        return MR_EBADF;
    if (c->rcvq.cc == 0)
        return no_data(c);
    uint32_t got = rcvq_copy(&c->rcvq, buf, (uint32_t)min_size(n, UINT32_MAX / 2), flags & MR_PEEK);
    if (!(flags & MR_PEEK)) {
        urgent_passed(s, c);
        tcp_received(s->tcp, c, s->now);
    }
    return got;
}

int sock_recv_slices(struct sock *s, mr_sock h, struct mr_slice *out, int max)
{
    struct tcp_conn *c = sock_conn(s, h);
    struct pkt *p;
    int n = 0;

    if (!c)
        return MR_EBADF;
    if (c->rcvq.cc == 0)
        return no_data(c);
    while (n < max && (p = rcvq_pop(&c->rcvq))) {
        *(struct sock_hold *)(void *)p->info =
            (struct sock_hold){mem_ref_of(s->arena, c), c->gen, p->len};
        c->rcvq.lent += p->len;
        out[n++] = (struct mr_slice){p->data, p->len, p};
    }
    s->stats.slices_lent += (unsigned)n;
    urgent_passed(s, c);
    return n;
}

void sock_slice_release(struct sock *s, struct mr_slice *slice)
{
    struct pkt *p = slice->token;

    if (!p)
        return;
    struct sock_hold hold = *(struct sock_hold *)(void *)p->info;
    struct tcp_conn *c = mem_ptr(s->arena, hold.conn);
    pkt_put(p);
    *slice = (struct mr_slice){0};
    s->stats.slices_back++;
    if (!c || c->gen != hold.gen)
        return;
    c->rcvq.lent -= hold.len;
    tcp_received(s->tcp, c, s->now);
}

/* Cut short or refused. If data is in flight, its ACKs will make room; if not, memory has run out
 * elsewhere: the connection's timer looks again. */
static void want_write(struct sock *s, struct tcp_conn *c, bool starved)
{
    c->flags |= TF_WANT_WRITE;
    if (!starved) {
        s->stats.send_refused++;
        return;
    }
    s->stats.send_starved++;
    if (c->sndq.cc == 0)
        tcp_wait_memory(s->tcp, c, s->now);
}

int64_t sock_send(struct sock *s, mr_sock h, const void *buf, size_t n, unsigned flags)
{
    struct tcp_conn *c = sock_conn(s, h);

    if (!c)
        return MR_EBADF;
    int err = tcp_may_send(c);
    if (err || n == 0)
        return err;
    uint32_t space = (uint32_t)min_size(tcp_snd_space(s->tcp, c), n);
    uint32_t taken = space ? sndq_append_copy(&c->sndq, s->sbufs, buf, space) : 0;
    if (taken < n)
        want_write(s, c, taken < space);
    if (taken == 0)
        return MR_EAGAIN;
    tcp_sent(s->tcp, c, flags & MR_MORE, (flags & MR_OOB) && taken == n, s->now);
    return taken;
}

uint32_t sock_room(struct sock *s, mr_sock h)
{
    struct tcp_conn *c = sock_conn(s, h);
    uint32_t space = c ? tcp_snd_space(s->tcp, c) : 0;

    if (c && space == 0)
        c->flags |= TF_WANT_WRITE;
    return space;
}

int sock_send_give(struct sock *s, mr_sock h, const void *ptr, size_t n, unsigned flags,
                   mr_release_fn release, void *arg)
{
    struct tcp_conn *c = sock_conn(s, h);

    if (!c)
        return MR_EBADF;
    int err = tcp_may_send(c);
    if (err)
        return err;
    if (n == 0 || n > GIVE_MAX)
        return MR_EINVAL;
    if (c->sndq.cc && (n > tcp_snd_free(c) || tcp_snd_space(s->tcp, c) == 0)) {
        want_write(s, c, false);
        return MR_EAGAIN;
    }
    if (!sndq_append_given(&c->sndq, s->sbufs, ptr, (uint32_t)n, release, arg)) {
        want_write(s, c, true);
        return MR_EAGAIN;
    }
    s->stats.gives++;
    tcp_sent(s->tcp, c, flags & MR_MORE, flags & MR_OOB, s->now);
    return 0;
}

int sock_shutdown(struct sock *s, mr_sock h)
{
    struct tcp_conn *c = sock_conn(s, h);

    return c ? tcp_shutdown(s->tcp, c, s->now) : MR_EBADF;
}

static int listener_close(struct sock *s, mr_sock h)
{
    struct tcp_listener *l = sock_listener(s, h);

    if (!l)
        return MR_EBADF;
    tcp_unlisten(s->tcp, l, s->now);
    return 0;
}

static int udp_socket_close(struct sock *s, mr_sock h)
{
    struct udp_pcb *u = sock_udp(s, h);

    if (!u)
        return MR_EBADF;
    if (u->sock_bits & SOCK_BIT_WANT_WRITE)
        s->udp_waiting--;
    u->sock_bits = 0;
    udp_close(s->udp, u);
    return 0;
}

static int other_close(struct sock *s, mr_sock h)
{
    return sock_kind_of(h) == SOCK_LISTENER ? listener_close(s, h) : udp_socket_close(s, h);
}

int sock_close(struct sock *s, mr_sock h)
{
    if (sock_kind_of(h) != SOCK_CONN)
        return other_close(s, h);
    struct tcp_conn *c = sock_conn(s, h);
    if (!c)
        return MR_EBADF;
    tcp_close(s->tcp, c, s->now);
    return 0;
}

int sock_abort(struct sock *s, mr_sock h)
{
    if (sock_kind_of(h) != SOCK_CONN)
        return other_close(s, h);
    struct tcp_conn *c = sock_conn(s, h);
    if (!c)
        return MR_EBADF;
    tcp_abort(s->tcp, c, s->now);
    return 0;
}
