#include "sock/sock_int.h"

STAT_GROUP(sock_stat_group, "sock", SOCK_STATS);

const struct sock_limits sock_limits_default = {.timers = 16384};

void sock_init(struct sock *s, struct mem *m, const struct sock_limits *l, struct tcp *tcp,
               struct udp *udp, struct ip *ip, struct wheel *wheel, struct sbuf_pool *sbufs)
{
    s->arena = m->base;
    s->tcp = tcp;
    s->udp = udp;
    s->ip = ip;
    s->wheel = wheel;
    s->sbufs = sbufs;
    pool_init(&s->timers, m, l->timers, sizeof(struct sock_timer), MEM_UNIT);
}

/* The object at a handle's index, if the pool ever handed that index out. */
static void *object_at(struct sock *s, const struct pool *p, mr_sock h, enum sock_kind kind)
{
    uint32_t index = (uint32_t)h.v;

    if (sock_kind_of(h) == kind && index < p->fresh)
        return pool_at(p, index);
    s->stats.bad_handle++;
    return NULL;
}

static bool gen_matches(struct sock *s, mr_sock h, uint32_t gen)
{
    if (((h.v >> 32) & 0xffff) == (gen & 0xffff))
        return true;
    s->stats.bad_handle++;
    return false;
}

struct tcp_conn *sock_conn(struct sock *s, mr_sock h)
{
    struct tcp_conn *c = object_at(s, &s->tcp->conns, h, SOCK_CONN);

    return c && gen_matches(s, h, c->gen) && !(c->flags & TF_DETACHED) ? c : NULL;
}

struct tcp_listener *sock_listener(struct sock *s, mr_sock h)
{
    struct tcp_listener *l = object_at(s, &s->tcp->listeners, h, SOCK_LISTENER);

    return l && gen_matches(s, h, l->gen) && l->open ? l : NULL;
}

struct udp_pcb *sock_udp(struct sock *s, mr_sock h)
{
    struct udp_pcb *u = object_at(s, &s->udp->pcbs, h, SOCK_UDP);

    return u && gen_matches(s, h, u->generation) && u->state != UDP_FREE ? u : NULL;
}

mr_sock sock_conn_handle(const struct sock *s, const struct tcp_conn *c)
{
    return sock_handle(SOCK_CONN, c->gen, pool_index(&s->tcp->conns, c));
}

void sock_set_user(struct sock *s, mr_sock h, void *user)
{
    if (sock_kind_of(h) == SOCK_CONN) {
        struct tcp_conn *c = sock_conn(s, h);
        if (c)
            c->user = user;
    } else if (sock_kind_of(h) == SOCK_LISTENER) {
        struct tcp_listener *l = sock_listener(s, h);
        if (l)
            l->user = user;
    } else {
        struct udp_pcb *u = sock_udp(s, h);
        if (u)
            u->user = user;
    }
}

static int conn_addr(struct sock *s, mr_sock h, bool local, struct mr_addr *out)
{
    struct tcp_conn *c = sock_conn(s, h);

    if (!c)
        return MR_EBADF;
    if (local)
        sock_addr_fill(out, ip_laddr(s->ip, c->key.lidx), c->key.lport);
    else
        sock_addr_fill(out, &c->key.raddr, c->key.rport);
    return 0;
}

static int listener_addr(struct sock *s, mr_sock h, struct mr_addr *out)
{
    struct tcp_listener *l = sock_listener(s, h);
    struct ip_addr any = ip4_of(0, 0, 0, 0);

    if (!l)
        return MR_EBADF;
    sock_addr_fill(out, l->lidx == IP_LIDX_NONE ? &any : ip_laddr(s->ip, l->lidx), l->port);
    return 0;
}

int sock_local_addr(struct sock *s, mr_sock h, struct mr_addr *out)
{
    if (sock_kind_of(h) == SOCK_CONN)
        return conn_addr(s, h, true, out);
    if (sock_kind_of(h) == SOCK_LISTENER)
        return listener_addr(s, h, out);
    struct udp_pcb *u = sock_udp(s, h);
    if (!u)
        return MR_EBADF;
    int port = udp_port(s->udp, u);
    if (port < 0)
        return port;
    sock_addr_fill(out, &u->laddr, (uint16_t)port);
    return 0;
}

int sock_peer_addr(struct sock *s, mr_sock h, struct mr_addr *out)
{
    if (sock_kind_of(h) == SOCK_CONN)
        return conn_addr(s, h, false, out);
    if (sock_kind_of(h) == SOCK_LISTENER)
        return sock_listener(s, h) ? MR_ENOTCONN : MR_EBADF;
    struct udp_pcb *u = sock_udp(s, h);
    if (!u)
        return MR_EBADF;
    if (u->state != UDP_CONNECTED)
        return MR_ENOTCONN;
    sock_addr_fill(out, &u->raddr, u->rport);
    return 0;
}
