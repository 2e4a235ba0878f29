/* The network as every core knows it: a replica that only changes write.
 *
 * The seat (core 0) decides what is so and makes changes; each core, the seat too, applies the same
 * changes in the same order, so that a path or the tree computed anywhere is computed everywhere.
 *
 *     any core: something was seen --net_report--> seat: decides --net_change--> every core: net_apply
 *
 * A replica that missed a change (its letters were full) is written anew from the beginning
 * (NET_CHANGE_BEGIN ... NET_CHANGE_END). */
#pragma once

#include "base/addr.h"
#include "mem/mem.h"
#include "time/time.h"

#define NET_NONE UINT32_MAX

struct sdn;

struct net_switch {
    uint64_t dpid;
    uint32_t core; /* where its connection is */
    bool connected;
    bool pof_blind; /* cannot send packets for us: no LLDP, no PACKET_OUT */
    uint32_t first_link; /* index into links, NET_NONE: none */
};

/* Directed: what leaves `from` at `from_port` arrives at `to`, `to_port`.  Used for forwarding only
 * where its opposite is known too. */
struct net_link {
    uint32_t from, to; /* net indices */
    uint32_t from_port, to_port;
    uint32_t next;     /* of the same from */
    bool up, fixed;    /* fixed: told by the configuration */
};

struct net_host {
    struct mac_addr mac;
    uint16_t vlan;
    uint32_t at, port; /* net index and port of its edge */
    be32 ip;           /* 0: unknown; learnt from ARP only */
    uint32_t seen_s;
};

enum net_change_kind {
    NET_CHANGE_BEGIN, /* forget everything: a new copy follows */
    NET_CHANGE_END,
    NET_CHANGE_SWITCH,
    NET_CHANGE_SWITCH_GONE,
    NET_CHANGE_LINK,
    NET_CHANGE_LINK_GONE,
    NET_CHANGE_HOST,
    NET_CHANGE_HOST_GONE,
    NET_CHANGE_ACCEPT, /* to the core that asked: the connection may serve this dpid */
    NET_CHANGE_REFUSE, /* it may not: another one does */
    NET_CHANGE_PROBE,  /* is this connection still alive?  Another claims its dpid */
    NET_CHANGE_PORT,   /* an edge port or no longer: for those who list them */
};
