/* Datagrams: each says its size and number, and from which core it is; the rest is the oracle's.
 * They may be lost, doubled and reordered, but never changed. */
#include "sim/sim_int.h"

#define DATAGRAM_MAX 65507u

/* A datagram's name: the core it is from, and its number there. */
#define CORE_SHIFT 24u

static uint64_t stream_of(unsigned host, uint32_t id)
{
    return UINT64_C(1) << 63 | (uint64_t)host << 32 | id;
}

static bool was_sent(const struct sim_world *w, unsigned host, uint32_t id)
{
    const struct sim_host *h = &w->host[host];
    uint32_t core = id >> CORE_SHIFT;

    return core < h->cores && (id & ((1u << CORE_SHIFT) - 1)) <= h->core[core].app.udp.sent;
}

static void fill(const struct sim_world *w, unsigned host, uint32_t id, uint8_t *b, uint32_t n)
{
    sim_oracle_fill(&w->oracle, stream_of(host, id), 0, b, n);
    store_be32(b, n);
    store_be32(b + 4, id);
}

void sim_udp_open(struct sim_app *a)
{
    struct mr_addr local = {.port = SIM_UDP_PORT};

    a->udp = (struct sim_udp){.tag = SIM_TAG_UDP};
    if (a->world->plan.udp_datagrams == 0 || !(a->world->host[a->host].udp >> a->core & 1))
        return;
    int rc = mr_udp_open(a->m, &local, &a->udp, &a->udp.sock);
    if (rc != 0)
        sim_fail(a->world, "host %u: mr_udp_open says %s", a->host, mr_strerror(rc));
    a->udp.open = rc == 0;
    mr_timer_start(a->m, 1 + rng_below(&a->rng, 500000), &a->udp, &a->udp.timer);
}

static uint32_t draw_size(struct rng *r)
{
    switch (rng_below(r, 8)) {
    case 0:
        return SIM_UDP_HELLO + rng_below(r, DATAGRAM_MAX - SIM_UDP_HELLO + 1);
    case 1:
    case 2:
    case 3:
        return SIM_UDP_HELLO + rng_below(r, 8000);
    default:
        return SIM_UDP_HELLO + rng_below(r, 1500);
    }
}

void sim_udp_tick(struct sim_app *a)
{
    struct sim_world *w = a->world;
    struct sim_udp *u = &a->udp;
    unsigned to = rng_below(&a->rng, w->plan.hosts);
    uint32_t n = draw_size(&a->rng);
    /* Now and then to a port where nobody listens: it will be told by ICMP. */
    struct mr_addr addr = {.port = (uint16_t)(SIM_UDP_PORT + sim_app_chance(a, 10))};
    int rc;

    if (!u->open || u->sent >= w->plan.udp_datagrams)
        return;
    addr.ip[10] = addr.ip[11] = 0xff;
    store_be32(addr.ip + 12, be32_get(sim_net_addr(&w->net, to)));
    fill(w, a->host, (uint32_t)a->core << CORE_SHIFT | u->sent, w->scratch, n);
    rc = mr_sendto(a->m, u->sock, w->scratch, n, &addr);
    if (rc != 0 && rc != MR_EAGAIN && rc != MR_ENOMEM && rc != MR_ENOBUFS &&
        rc != MR_EHOSTUNREACH && rc != MR_ECONNREFUSED)
        sim_fail(w, "host %u: mr_sendto of %u bytes says %s", a->host, n, mr_strerror(rc));
    u->sent++;
    u->own |= to == a->host;
    mr_timer_start(a->m, 1 + rng_below(&a->rng, 200000), u, &u->timer);
}

static void judge(struct sim_app *a, const uint8_t *b, uint32_t n, const struct mr_addr *from)
{
    struct sim_world *w = a->world;
    unsigned host = sim_net_host_of(&w->net, be32_of(load_be32(from->ip + 12)));

    a->udp.rcvd++;
    w->result.bytes_checked += n;
    sim_digest_u64(&w->digest, (uint64_t)host << 32 | n);
    if (host == SIM_NET_NONE || from->port != SIM_UDP_PORT) {
        sim_fail(w, "host %u: a datagram from nowhere", a->host);
        return;
    }
    if (n < SIM_UDP_HELLO || load_be32(b) != n || !was_sent(w, host, load_be32(b + 4))) {
        sim_fail(w, "host %u: a datagram from host %u of %u bytes that it never sent", a->host,
                 host, n);
        return;
    }
    uint64_t stream = stream_of(host, load_be32(b + 4));
    size_t good =
        sim_oracle_check(&w->oracle, stream, SIM_UDP_HELLO, b + SIM_UDP_HELLO, n - SIM_UDP_HELLO);
    if (good < n - SIM_UDP_HELLO)
        sim_fail(w, "host %u: byte %u of a datagram from host %u is wrong", a->host,
                 (uint32_t)good + SIM_UDP_HELLO, host);
}

void sim_udp_read(struct sim_app *a)
{
    struct sim_world *w = a->world;
    struct mr_addr from;
    struct mr_slice s;

    while (a->udp.open && !w->over) {
        if (sim_app_chance(a, 50)) {
            int n = mr_recvfrom_slice(a->m, a->udp.sock, &s, &from);
            if (n < 0)
                return;
            judge(a, s.ptr, s.len, &from);
            mr_slice_release(a->m, &s);
            continue;
        }
        size_t room = sim_app_chance(a, 10) ? rng_below(&a->rng, 100) : SIM_SCRATCH_BYTES;
        int64_t n = mr_recvfrom(a->m, a->udp.sock, w->scratch, room, &from);
        if (n < 0)
            return;
        if ((size_t)n <= room)
            judge(a, w->scratch, (uint32_t)n, &from);
    }
}
