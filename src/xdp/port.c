/* xdp:IFNAME: the port as its callers see it. */
#include <linux/if_xdp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drv/module_side.h"
#include "os/os.h"
#include "xdp/xdp_int.h"

/* ---- what is counted ---------------------------------------------------------------------- */

static void add(struct nic_counter *c, const char *name, uint64_t value)
{
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->value = value;
}

static void sum_statistics(const struct xdp *x, struct xdp_statistics *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (uint32_t i = 0; i < x->iface.queues; i++) {
        struct xdp_statistics s = {0};
        socklen_t size = sizeof(s);
        if (getsockopt(x->sock[i].fd, SOL_XDP, XDP_STATISTICS, &s, &size) < 0)
            continue;
        sum->rx_dropped += s.rx_dropped;
        sum->rx_invalid_descs += s.rx_invalid_descs;
        sum->tx_invalid_descs += s.tx_invalid_descs;
        sum->rx_ring_full += s.rx_ring_full;
        sum->rx_fill_ring_empty_descs += s.rx_fill_ring_empty_descs;
        sum->tx_ring_empty_descs += s.tx_ring_empty_descs;
    }
}

static unsigned counters(struct nic *nic, struct nic_counter *out, unsigned max)
{
    const struct xdp *x = (struct xdp *)(void *)nic;
    struct xdp_statistics s;
    struct nic_counter all[8];

    sum_statistics(x, &s);
    add(&all[0], "xdp_taken", xdp_kernel_count(&x->kernel, XDP_COUNT_TAKEN));
    add(&all[1], "xdp_passed_to_kernel", xdp_kernel_count(&x->kernel, XDP_COUNT_PASSED));
    add(&all[2], "xdp_rx_dropped", s.rx_dropped);
    add(&all[3], "xdp_rx_ring_full", s.rx_ring_full);
    add(&all[4], "xdp_rx_fill_ring_empty", s.rx_fill_ring_empty_descs);
    add(&all[5], "xdp_rx_invalid_descs", s.rx_invalid_descs);
    add(&all[6], "xdp_tx_invalid_descs", s.tx_invalid_descs);
    add(&all[7], "xdp_tx_ring_empty", s.tx_ring_empty_descs);
    max = min_u32(max, ARRAY_LEN(all));
    memcpy(out, all, max * sizeof(all[0]));
    return max;
}

/* ---- what a person should know -------------------------------------------------------------- */

static void say(struct xdp *x, bool slow, const char *text)
{
    char *out = nic_fact_add(&x->nic, slow);

    snprintf(out, sizeof(x->nic.fact[0].text), "%s", text);
}

static void say_how(struct xdp *x)
{
    char text[120];

    if (x->kernel.native)
        snprintf(text, sizeof(text), "native XDP in the driver '%s'", x->iface.driver);
    else
        snprintf(text, sizeof(text), "generic XDP, behind a copy (native: %s)",
                 x->kernel.native_why);
    say(x, !x->kernel.native, text);
    if (x->zero_copy)
        snprintf(text, sizeof(text), "zero-copy");
    else if (x->options.mode == XDP_MODE_COPY)
        snprintf(text, sizeof(text), "copy mode, as asked");
    else
        snprintf(text, sizeof(text), "copy mode: the driver '%s' has no zero-copy",
                 x->iface.driver);
    say(x, !x->zero_copy, text);
    if (x->options.busy_poll_us)
        say(x, false,
            "busy polling; it wants napi_defer_hard_irqs and gro_flush_timeout of the interface");
}

static void say_queues(struct xdp *x, uint32_t wanted)
{
    const char *name = x->iface.name;
    uint32_t queues = x->iface.queues;
    char text[120];

    if (queues < wanted) {
        snprintf(text, sizeof(text), "%u queue%s for %u cores: ethtool -L %s combined %u", queues,
                 queues == 1 ? "" : "s", wanted, name, wanted);
        say(x, true, text);
    } else if (queues > wanted) {
        snprintf(text, sizeof(text), "%u queues of the NIC on %u of ours", queues, wanted);
        say(x, false, text);
    }
    if (x->nic.spread == NIC_SPREAD_UNKNOWN)
        say(x, true,
            "how the NIC spreads frames is unknown: rss=assume if it is by our hash (TCP ports, "
            "Toeplitz)");
    else if (x->nic.spread == NIC_SPREAD_RSS)
        say(x, false, x->options.rss_assume ? "RSS taken for granted" : "RSS as the NIC says");
}

static void say_facts(struct xdp *x, uint32_t wanted, uint16_t vlan)
{
    char text[120];

    say_how(x);
    say_queues(x, wanted);
    if (x->queue[0].quirk)
        say(x, false, "veth: a checksum left to the peer's hardware is taken for right");
    if (x->queue[0].quirk && !x->kernel.native)
        say(x, true,
            "veth: segments that the peer leaves uncut are lost: ethtool -K PEER tso off gso off");
    if (x->queue[0].may_part) {
        snprintf(text, sizeof(text), "frames above %u bytes come in pieces and are copied together",
                 x->queue[0].chunk - XDP_ROOM);
        say(x, true, text);
    }
    if (vlan && x->iface.strips_vlan) {
        snprintf(text, sizeof(text), "tags may be taken off where we cannot see: ethtool -K %s %s",
                 x->queue[0].quirk ? "PEER" : x->iface.name,
                 x->queue[0].quirk ? "txvlan off" : "rxvlan off");
        say(x, true, text);
    }
}

/* ---- opening ------------------------------------------------------------------------------ */

/* The host's own address is served by port, any other as a whole. */
static bool choose_what_is_ours(const struct xdp *x, const struct dev_config *c,
                                struct xdp_rules *rules, char *why, size_t n)
{
    bool own = xdp_is_own_address(&c->addr);

    *rules = (struct xdp_rules){
        .addr = ip_v4(&c->addr).raw, .vlan = c->vlan & 0xfff, .ports = x->options.has_ports};
    if (!ip_is_v4(&c->addr) || ip_is_any(&c->addr))
        snprintf(why, n, "xdp: an IPv4 address of our own is needed");
    else if (own && !rules->ports)
        snprintf(why, n,
                 "xdp: the address is the host's own: say which ports are ours with port=, or take "
                 "another address");
    else if (!own && rules->ports)
        snprintf(why, n,
                 "xdp: port= is for the host's own address; this one is nobody's, and all ours");
    else if (own && rules->vlan)
        snprintf(why, n, "xdp: ports of the host's own address cannot be taken on a VLAN");
    else
        return true;
    return false;
}

/* The other address that frames are to be sent to; NULL: the interface's own will do. */
static const struct mac_addr *second_mac(struct xdp *x, const struct mac_addr *wanted)
{
    static const struct mac_addr none = {{0}};

    x->nic.mac = x->iface.mac;
    if (mac_eq(wanted, &none) || mac_eq(wanted, &x->iface.mac))
        return NULL;
    x->nic.mac = *wanted;
    return wanted;
}

static bool kernel_open(struct xdp *x, const struct dev_config *c, char *why, size_t n)
{
    struct xdp_load l = {
        .iface = &x->iface, .options = &x->options, .frags = xdp_needs_parts(x->iface.mtu)};

    return choose_what_is_ours(x, c, &l.rules, why, n) && xdp_kernel_load(&x->kernel, &l, why, n) &&
           xdp_kernel_attach(&x->kernel, &l, why, n);
}

static uint32_t frames_of(const struct xdp_wishes *o, const struct dev_config *c)
{
    if (o->frames)
        return o->frames;
    return c->buffers ? c->buffers : XDP_FRAMES_DEFAULT;
}

static void queues_init(struct xdp *x, struct mem *m, uint32_t wanted)
{
    uint32_t n = min_u32(wanted, x->iface.queues), at = 0;

    x->queue = mem_carve(m, n * sizeof(*x->queue), CACHE_LINE);
    x->sock = mem_carve(m, x->iface.queues * sizeof(*x->sock), CACHE_LINE);
    x->nic.stats = mem_carve(m, n * sizeof(*x->nic.stats), CACHE_LINE);
    x->nic.caps = (struct nic_caps){.mtu = x->iface.mtu, .queues = (uint16_t)n};
    for (uint32_t i = 0; i < x->iface.queues; i++)
        x->sock[i].fd = -1;
    for (uint32_t i = 0; i < n; i++) {
        struct xdp_queue *q = &x->queue[i];
        q->port = x;
        q->epoll = -1;
        q->stats = &x->nic.stats[i];
        q->socks = (x->iface.queues - i + n - 1) / n;
        q->sock = &x->sock[at];
        q->quirk = strcmp(x->iface.driver, "veth") == 0;
        at += q->socks;
    }
}

static bool queues_open(struct xdp *x, struct mem *m, const struct dev_config *c, char *why,
                        size_t n)
{
    for (uint32_t i = 0; i < x->nic.caps.queues; i++)
        if (!xdp_queue_open(&x->queue[i], m, frames_of(&x->options, c), why, n) ||
            !xdp_idle_queue_open(&x->queue[i], why, n))
            return false;
    x->nic.caps.rx_buf_size =
        x->queue[0].may_part ? x->iface.mtu + XDP_L2_BYTES : x->queue[0].chunk - XDP_ROOM;
    return true;
}

static void find_spread(struct xdp *x, struct mem *m, const struct rss *steer)
{
    struct rss *r = mem_carve(m, sizeof(*r), CACHE_LINE);

    x->nic.spread = NIC_SPREAD_NONE;
    if (x->nic.caps.queues == 1)
        return;
    x->nic.spread = NIC_SPREAD_UNKNOWN;
    if (x->options.rss_assume && steer)
        *r = *steer;
    else if (!xdp_rss_read(&x->iface, x->nic.caps.queues, r))
        return;
    x->nic.spread = NIC_SPREAD_RSS;
    x->nic.rss = r;
}

static void close_port(struct nic *nic)
{
    struct xdp *x = (struct xdp *)(void *)nic;

    xdp_kernel_close(&x->kernel);
    for (uint32_t i = 0; i < x->nic.caps.queues; i++)
        xdp_queue_close(&x->queue[i]);
    os_close(x->arp);
    os_close(x->links);
    os_close(x->second);
    os_close(x->iface.ask);
}

static bool is_gone(struct nic *nic)
{
    return atomic_load_explicit(&((struct xdp *)(void *)nic)->gone, memory_order_relaxed);
}

static bool link_is_up(struct nic *nic)
{
    return xdp_iface_is_up(&((struct xdp *)(void *)nic)->iface);
}

static struct pkt_pool *rx_pool(struct nic *nic, unsigned queue)
{
    return &((struct xdp *)(void *)nic)->queue[queue].pool;
}

static const struct nic_ops xdp_ops = {
    .rx_burst = xdp_rx_burst,
    .tx_burst = xdp_tx_burst,
    .wait_fd = xdp_wait_fd,
    .wait_prepare = xdp_wait_prepare,
    .close = close_port,
    .rx_pool = rx_pool,
    .is_gone = is_gone,
    .link_is_up = link_is_up,
    .counters = counters,
};

static struct nic *kind_open(struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    struct xdp *x = mem_carve(m, sizeof(*x), CACHE_LINE);

    x->nic.ops = &xdp_ops;
    x->arp = x->links = x->second = x->kernel.link = x->iface.ask = -1;
    if (!xdp_options_read(&x->options, c->name, why, n) ||
        !xdp_iface_open(&x->iface, x->options.ifname, why, n)) {
        close_port(&x->nic);
        return NULL;
    }
    queues_init(x, m, c->queues);
    if (!kernel_open(x, c, why, n) || !xdp_idle_open(x, second_mac(x, &c->mac), why, n) ||
        !queues_open(x, m, c, why, n)) {
        close_port(&x->nic);
        return NULL;
    }
    snprintf(x->nic.name, sizeof(x->nic.name), "%s", x->iface.name);
    find_spread(x, m, c->steer);
    say_facts(x, c->queues, c->vlan);
    return &x->nic;
}

/* The interface is not asked here how many queues it has: room for as many as there may be. */
static size_t kind_bytes(const struct dev_config *c)
{
    struct xdp_wishes o;
    char why[200];

    if (!xdp_options_read(&o, c->name, why, sizeof(why)))
        o.frames = 0;
    return sizeof(struct xdp) + sizeof(struct rss) + 4 * 4096 +
           XDP_NIC_QUEUES_MAX * sizeof(struct xdp_sock) +
           c->queues * xdp_queue_bytes(frames_of(&o, c));
}

static const struct dev_kind kind = {
    .name = "xdp",
    .syntax = "xdp:IFNAME[,mode=auto|zerocopy|copy][,attach=auto|native|generic][,busy-poll=US]"
              "[,port=N[-M]]...[,frames=N][,rss=assume]",
    .bytes = kind_bytes,
    .open = kind_open,
};

DEV_MODULE(kind);
