#include "sim/sim_int.h"

void sim_net_init(struct sim_net *n, struct mem *m, unsigned hosts, uint32_t frames, uint64_t seed)
{
    *n = (struct sim_net){.hosts = hosts, .frames = frames};
    n->frame = mem_carve(m, frames * sizeof(*n->frame), CACHE_LINE);
    rng_init(&n->rng, seed);
    for (unsigned i = 0; i < SIM_HOSTS_MAX; i++)
        for (unsigned k = 0; k < SIM_HOSTS_MAX; k++)
            n->link[i][k] = (struct sim_link){.mtu = SIM_MTU_MAX};
}

/* ---- addresses -------------------------------------------------------------------- */

be32 sim_net_addr(const struct sim_net *n, unsigned host)
{
    uint32_t a = n->routed ? 0x0a000002u + ((host + 1) << 8) : 0x0a000001u + host;

    return be32_of(a);
}

be32 sim_net_gateway(const struct sim_net *n, unsigned host)
{
    return be32_of(n->routed ? 0x0a000001u + ((host + 1) << 8) : 0x0a0000feu);
}

struct mac_addr sim_net_mac(unsigned host)
{
    return (struct mac_addr){{0x02, 0x51, 0, 0, 0, (uint8_t)(host + 1)}};
}

unsigned sim_net_host_of(const struct sim_net *n, be32 addr)
{
    for (unsigned i = 0; i < n->hosts; i++)
        if (sim_net_addr(n, i).raw == addr.raw)
            return i;
    return SIM_NET_NONE;
}

/* ---- frames under way -------------------------------------------------------------- */

static struct sim_frame *frame_get(struct sim_net *n)
{
    struct sim_frame *f;

    if (n->free_head) {
        f = &n->frame[n->free_head - 1];
        n->free_head = f->next;
        return f;
    }
    if (n->fresh < n->frames)
        return &n->frame[n->fresh++];
    n->stats.no_frame++;
    return NULL;
}

static void frame_put(struct sim_net *n, struct sim_frame *f)
{
    f->next = n->free_head;
    n->free_head = (uint32_t)(f - n->frame) + 1;
}

/* ---- faults ----------------------------------------------------------------------- */

static bool drawn(struct sim_net *n, uint32_t chance)
{
    return chance > 0 && rng_below(&n->rng, 10000) < chance;
}

static bool is_lost(struct sim_net *n, struct sim_link *l)
{
    if (l->down)
        return true;
    if (l->in_burst)
        l->in_burst = !drawn(n, l->faults.burst_end);
    else
        l->in_burst = drawn(n, l->faults.burst_begin);
    return l->in_burst || drawn(n, l->faults.loss);
}

static bool may_be_damaged(const uint8_t *b, uint32_t n)
{
    return n > ETH_HLEN + IPV4_HLEN && load_be16(b + 12) == ETHTYPE_IPV4 &&
           (load_be16(b + ETH_HLEN + 6) & 0x1fff) == 0;
}

/* Flip one or two bits of one 16-bit word. */
static void damage(struct sim_net *n, struct sim_frame *f)
{
    uint32_t word = rng_below(&n->rng, f->len / 2) * 2;

    for (unsigned flips = 1 + rng_below(&n->rng, 2), last = 16; flips > 0; flips--) {
        unsigned bit = rng_below(&n->rng, 16);
        if (bit != last)
            f->bytes[word + bit / 8] ^= (uint8_t)(1u << bit % 8);
        last = bit;
    }
    f->damaged = true;
    n->stats.damaged++;
}

static void cut(struct sim_net *n, struct sim_frame *f)
{
    f->len = 1 + rng_below(&n->rng, f->len - 1);
    f->damaged = true;
    n->stats.damaged++;
}

/* When the frame comes out at the other end; SIM_NEVER if the link's queue is full. */
static uint64_t arrival(struct sim_net *n, struct sim_link *l, uint64_t now, uint32_t len)
{
    uint64_t start = max_u64(now, l->free_at), at;

    if (l->ns_per_byte && start - now > (uint64_t)l->queue_bytes * l->ns_per_byte)
        return SIM_NEVER;
    l->free_at = start + (uint64_t)len * l->ns_per_byte;
    at = l->free_at + l->delay_ns;
    if (l->faults.jitter_us)
        at += rng_below(&n->rng, l->faults.jitter_us) * SIM_NS_PER_USEC;
    if (drawn(n, l->faults.late)) {
        n->stats.late++;
        return at + rng_below(&n->rng, l->faults.late_us + 1) * SIM_NS_PER_USEC;
    }
    /* Jitter alone does not change the order. */
    l->last_arrival = max_u64(l->last_arrival, at);
    return l->last_arrival;
}

static void put_on_wire(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b,
                        uint32_t len, uint64_t at)
{
    struct sim_net *n = &w->net;
    struct sim_link *l = &n->link[src][dst];
    struct sim_frame *f = frame_get(n);

    if (!f)
        return;
    MR_ASSERT(len <= SIM_FRAME_BYTES && len > 1);
    f->src = (uint8_t)src;
    f->dst = (uint8_t)dst;
    f->len = len;
    f->damaged = f->forged = false;
    memcpy(f->bytes, b, len);
    if (drawn(n, l->faults.damage) && may_be_damaged(b, len))
        damage(n, f);
    if (drawn(n, l->faults.cut))
        cut(n, f);
    sim_queue_add(&w->queue, at, SIM_EV_FRAME, (uint32_t)(f - n->frame));
}

void sim_net_carry(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b, uint32_t len)
{
    struct sim_net *n = &w->net;
    struct sim_link *l = &n->link[src][dst];
    uint64_t at;

    if (is_lost(n, l)) {
        n->stats.lost++;
        return;
    }
    at = arrival(n, l, w->now, len);
    if (at == SIM_NEVER) {
        n->stats.queue_full++;
        return;
    }
    put_on_wire(w, src, dst, b, len, at);
    if (drawn(n, l->faults.copy)) {
        n->stats.copied++;
        put_on_wire(w, src, dst, b, len,
                    at + rng_below(&n->rng, l->faults.late_us + 1) * SIM_NS_PER_USEC);
    }
}

void sim_net_forged(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b, uint32_t n)
{
    struct sim_frame *f = frame_get(&w->net);

    if (!f)
        return;
    f->src = (uint8_t)src;
    f->dst = (uint8_t)dst;
    f->len = n;
    f->damaged = false;
    f->forged = true;
    memcpy(f->bytes, b, n);
    sim_queue_add(&w->queue, w->now + 1, SIM_EV_FRAME, (uint32_t)(f - w->net.frame));
}

/* ---- routing ---------------------------------------------------------------------- */

static void forward(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b, uint32_t n)
{
    uint32_t mtu = w->net.link[src][dst].mtu;

    if (n > ETH_HLEN + mtu && load_be16(b + 12) == ETHTYPE_IPV4)
        sim_router_too_big(w, src, dst, b, n, mtu);
    else
        sim_net_carry(w, src, dst, b, n);
}

/* To the host whose address the packet bears, with the router's and that host's Ethernet
 * addresses on it. */
static void route_packet(struct sim_world *w, unsigned src, const uint8_t *b, uint32_t n)
{
    uint8_t copy[SIM_FRAME_BYTES];
    struct ipv4_hdr ip;
    struct mac_addr mac;
    unsigned dst;

    if (ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK)
        return;
    dst = sim_net_host_of(&w->net, ip.dst);
    if (dst == SIM_NET_NONE || dst == src || ip.ttl <= 1)
        return;
    memcpy(copy, b, n);
    mac = sim_net_mac(dst);
    memcpy(copy, mac.b, 6);
    mac = sim_router_mac(dst);
    memcpy(copy + 6, mac.b, 6);
    copy[ETH_HLEN + 8]--;
    uint16_t was, is, field;
    memcpy(&was, b + ETH_HLEN + 8, 2);
    memcpy(&is, copy + ETH_HLEN + 8, 2);
    memcpy(&field, b + ETH_HLEN + 10, 2);
    field = csum_update16(field, was, is);
    memcpy(copy + ETH_HLEN + 10, &field, 2);
    forward(w, src, dst, copy, n);
}

static void bridge(struct sim_world *w, unsigned src, const uint8_t *b, uint32_t n)
{
    struct mac_addr dst;

    memcpy(dst.b, b, 6);
    for (unsigned i = 0; i < w->net.hosts; i++) {
        struct mac_addr mac = sim_net_mac(i);
        if (i != src && (mac_is_multicast(&dst) || mac_eq(&dst, &mac)))
            forward(w, src, i, b, n);
    }
}

void sim_net_send(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n)
{
    struct mac_addr dst;

    w->net.stats.sent++;
    sim_digest_u64(&w->digest, w->now ^ (uint64_t)host << 56);
    sim_digest_bytes(&w->digest, b, n);
    if (w->options.observer.frame)
        w->options.observer.frame(w->options.observer.arg, w->now, host, true, b, n, NULL);
    w->host[host].seen.leaky = sim_host_is_leaky(&w->host[host]);
    w->host[host].seen.ghosts = sim_host_has_ghosts(&w->host[host]);
    sim_watch_sent(&w->watch, &w->host[host].seen, b, n);
    if (w->watch.wrong) {
        sim_fail(w, "host %u: %s: %s", host, w->watch.wrong, w->watch.detail);
        return;
    }
    const char *wrong = sim_ping_judge(w, host, b, n);
    if (wrong)
        sim_fail(w, "host %u: %s", host, wrong);
    sim_judge_reset(w, host, b, n);
    if (!w->net.routed) {
        bridge(w, host, b, n);
        return;
    }
    memcpy(dst.b, b, 6);
    struct mac_addr router = sim_router_mac(host);
    if (load_be16(b + 12) == ETHTYPE_ARP)
        sim_router_arp(w, host, b, n);
    else if (mac_eq(&dst, &router))
        route_packet(w, host, b, n);
    else
        sim_fail(w, "host %u sends a packet to an unknown Ethernet address", host);
}

void sim_net_arrive(struct sim_world *w, uint32_t index)
{
    struct sim_net *n = &w->net;
    struct sim_frame *f = &n->frame[index];
    struct sim_host *h = &w->host[f->dst];
    unsigned queue = sim_port_steer(h->port, f->bytes, f->len);
    bool taken =
        !n->link[f->src][f->dst].down && sim_port_receive(h->port, queue, f->bytes, f->len);

    n->stats.delivered += taken;
    n->stats.nobuf += !taken;
    if (taken && !f->forged)
        sim_watch_delivered(&w->watch, f->bytes, f->len);
    if (w->options.observer.frame)
        w->options.observer.frame(w->options.observer.arg, w->now, f->dst, false, f->bytes, f->len,
                                  !taken       ? "no buffer"
                                  : f->damaged ? "damaged"
                                  : f->forged  ? "forged"
                                               : NULL);
    if (taken)
        sim_core_wake(w, f->dst, queue,
                      w->now + rng_below(&n->rng, h->nap_us + 1) * SIM_NS_PER_USEC);
    frame_put(n, f);
}
