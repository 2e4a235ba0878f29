/* Ports on one end of a veth pair: the peer is a packet socket on the other. */
#include "rigs.h"

#include <net/if.h>

#define OURS "mrport"
#define PEER "mrpeer"

/* As many queues as the port has: one that takes fewer than there are gets a part of the frames. */
static bool make_pair(unsigned queues, bool offload)
{
    char line[200];

    snprintf(line, sizeof(line),
             "ip link add " OURS " numtxqueues %u numrxqueues %u type veth peer name " PEER
             " numtxqueues %u numrxqueues %u",
             queues, queues, queues, queues);
    if (!net_run(line))
        return false;
    if (!offload)
        sock_no_offload(PEER);
    net_set_up(OURS, true);
    net_set_up(PEER, true);
    return true;
}

static bool open_on_pair(struct rig *r, struct dev_config *c, const char *spec, bool offload)
{
    snprintf(r->ifname, sizeof(r->ifname), PEER);
    if (!make_pair(c->queues, offload)) {
        snprintf(r->port.why, sizeof(r->port.why), "no veth pair");
        return false;
    }
    return port_open(&r->port, spec, c) && sock_open(r);
}

static void close_pair(struct rig *r)
{
    sock_close(r);
    if (if_nametoindex(OURS) != 0)
        net_run("ip link del " OURS);
}

static void pull(struct rig *r, bool down)
{
    net_set_up(r->ifname, !down);
}

static void remove_device(struct rig *r)
{
    want(r, net_run("ip link del " OURS), "ip link del");
}

/* A namespace, and a kind that this build has. */
static const char *start(const char *spec, struct rig *r)
{
    const char *name, *why = net_start();

    if (why)
        return why;
    if (!make_pair(1, true))
        return "may not make a veth pair";
    net_run("ip link del " OURS);
    return dev_find(spec, &name, r->port.why, sizeof(r->port.why)) ? NULL : r->port.why;
}

/* ---- AF_XDP ---------------------------------------------------------------------------- */

#define XDP "xdp:" OURS

static const char *const xdp_bad[] = {"xdp:",    "xdp:no_such_device", "xdp:sixteen_is_toolong",
                                      "xdp:a/b", "xdp:lo,bogus=1",     "xdp:lo,mode=bogus",
                                      NULL};

static const char *xdp_start(struct rig *r)
{
    return start(XDP, r);
}

/* With its checksums finished: a device that leaves them to the receiver is refused or noticed
 * elsewhere. */
static bool xdp_open(struct rig *r, struct dev_config *c)
{
    return open_on_pair(r, c, XDP, false);
}

const struct rig_kind rig_xdp = {.name = "xdp",
                                 .queues = QUEUES_MAX,
                                 .bad = xdp_bad,
                                 .start = xdp_start,
                                 .open = xdp_open,
                                 .close_peer = close_pair,
                                 .send = sock_send,
                                 .recv = sock_recv,
                                 .pull = pull,
                                 .remove = remove_device};

/* ---- AF_PACKET ------------------------------------------------------------------------- */

#define PACKET "packet:" OURS

static const char *const packet_bad[] = {
    "packet:",    "packet:no_such_device", "packet:sixteen_is_toolong",
    "packet:a/b", "packet:lo,bogus=1",     NULL};

static const char *packet_start(struct rig *r)
{
    return start(PACKET, r);
}

static bool packet_open(struct rig *r, struct dev_config *c)
{
    return open_on_pair(r, c, PACKET, true);
}

const struct rig_kind rig_packet = {.name = "packet",
                                    .queues = QUEUES_MAX,
                                    .bad = packet_bad,
                                    .start = packet_start,
                                    .open = packet_open,
                                    .close_peer = close_pair,
                                    .send = sock_send,
                                    .recv = sock_recv,
                                    .pull = pull,
                                    .remove = remove_device};

/* ---- DPDK's AF_PACKET ------------------------------------------------------------------ */

#define DPDK "dpdk:net_af_packet0,iface=" OURS

static const char *const dpdk_bad[] = {"dpdk:net_af_packet1,iface=no_such_device",
                                       "dpdk:net_af_packet2", "dpdk:net_no_such_driver0", NULL};

static const char *dpdk_start(struct rig *r)
{
    return start(DPDK, r);
}

static bool dpdk_open(struct rig *r, struct dev_config *c)
{
    c->eal = "--no-huge";
    return open_on_pair(r, c, DPDK, false);
}

const struct rig_kind rig_dpdk_packet = {.name = "dpdk-af-packet",
                                         .queues = QUEUES_MAX,
                                         .blind = true,
                                         .bad = dpdk_bad,
                                         .start = dpdk_start,
                                         .open = dpdk_open,
                                         .close_peer = close_pair,
                                         .send = sock_send,
                                         .recv = sock_recv,
                                         .pull = pull,
                                         .remove = remove_device};
