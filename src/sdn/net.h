/* The network as every core knows it: a replica that only changes write.
 *
 * The seat (core 0) decides what is so; each core, the seat too, applies what it decides, so that a
 * path or the tree computed anywhere is computed everywhere.
 *
 *     any core: something was seen --net_report--> seat: decides --net_change--> every core
 *                  (net_apply)
 *
 * The replica is three arrays of places: switches, links, hosts.  A change says what is in a place
 * now, whatever was there.  The seat keeps its places in the order of their last change and for
 * every core how far in that order it has told (seat.c): a core that takes its letters slowly is
 * told less often, never wrongly, and nothing is ever told from the beginning again.  Between two
 * changes a replica may hold what was so at different moments (a link to a switch that is not there
 * yet, a host twice); every reader here survives that.
 *
 * Reports are about states, not events: whoever made one looks some time later whether the replica
 * agrees, and says it again if not (discover.c, host.c, net.c).  So a report may be lost. */
#pragma once

#include "base/addr.h"
#include "mem/mem.h"
#include "time/time.h"

#define NET_NONE UINT32_MAX
#define PATH_FAR 0xffffu

struct sdn;
struct sdn_switch;
struct sdn_port;

struct net_switch {
    uint64_t dpid;
    uint32_t conn; /* sdn_conn on its core */
    uint32_t core; /* where its connection is */
    bool known;    /* the place is taken */
    bool connected;
    bool pof_blind;       /* cannot send packets for us: no LLDP, no PACKET_OUT */
    uint32_t out, in;     /* links that leave it, by port; that come to it.  NET_NONE: none */
    uint32_t hosts;       /* hosts at it, NET_NONE: none */
    uint32_t next;        /* of the same hash */
    instant connected_at; /* by this core's clock: when the replica said so */
};

/* Directed: what leaves `from` at `from_port` arrives at `to`, `to_port`.  Used for forwarding only
 * where its opposite is known too. */
struct net_link {
    uint32_t from, to; /* net indices */
    uint32_t from_port, to_port;
    uint32_t next_out, next_in; /* of the same from; of the same to */
    uint32_t opposite;          /* NET_NONE: not known */
    bool known, fixed;          /* the place is taken; told by the configuration */
    bool tree;                  /* broadcasts take it (tree.c: net_tree first) */
};

struct net_host {
    struct mac_addr mac;
    uint16_t vlan;              /* 0: untagged */
    uint32_t at, port;          /* net index and port of its edge; at NET_NONE: the place is free */
    be32 ip;                    /* 0: unknown; learnt from ARP only */
    uint32_t held_s;            /* before this second no move of it is believed */
    uint32_t seen_s;            /* by this core */
    uint32_t said_ms;           /* when this core last reported it */
    uint32_t next_mac, next_ip; /* of the same hash */
    uint32_t next_at, before_at; /* at the same switch */
};

/* ---- letters ----------------------------------------------------------------------------- */

enum net_report_kind {
    REPORT_CLAIM,     /* conn speaks for dpid */
    REPORT_GONE,      /* it does not any more */
    REPORT_ALIVE,     /* it was asked and has answered */
    REPORT_LINK,      /* net's port hears peer_dpid's peer_port */
    REPORT_NOLINK,    /* net's port hears nobody */
    REPORT_HOST,      /* a host at net's port */
    REPORT_SILENT,    /* it was not heard for host_us */
    REPORT_PORT_DOWN, /* net's port is down: no host is behind it */
    REPORT_KINDS
};
struct net_report {
    uint8_t kind; /* enum net_report_kind */
    bool flag;    /* CLAIM: pof_blind; LINK: fixed; HOST: the port is quiet, nothing moves to it */
    uint16_t vlan;
    uint32_t conn;
    uint64_t dpid, peer_dpid;
    uint32_t net, port, peer_port;
    be32 ip;
    struct mac_addr mac;
    uint8_t pad[2];
};

enum net_change_kind {
    CHANGE_SWITCH, /* what is in place `place` now */
    CHANGE_LINK,
    CHANGE_HOST,
    CHANGE_REFUSE, /* to one core: conn may not serve dpid: another one does */
    CHANGE_PROBE,  /* to one core: is conn still alive?  Another one claims its dpid */
    CHANGE_KINDS
};
struct net_change {
    uint8_t kind;                /* enum net_change_kind */
    bool known, connected, flag; /* the place is taken; switch; pof_blind or fixed */
    uint16_t vlan, core;
    uint32_t place, conn;
    uint64_t dpid;
    uint32_t from, from_port, to, to_port; /* link; host: to and to_port are where it is */
    uint32_t held_s;
    be32 ip;
    struct mac_addr mac;
    uint8_t pad[2];
};

/* A frame for many that a switch has passed on (forward.c). */
#define NET_GUARDS 4096u
struct net_guard {
    uint64_t hash;
    instant at;
    uint32_t port;
};

/* ---- the replica: net.c, replica.c ---------------------------------------------------------- */

struct net {
    struct net_switch *sw;
    struct net_link *link;
    struct net_host *host;
    uint32_t switches, links, hosts;        /* places */
    uint32_t sw_used, link_used, host_used; /* places below these were taken at some time */
    uint32_t *sw_hash, *mac_hash, *ip_hash; /* place + 1 */
    uint32_t sw_mask, host_mask;
    uint32_t hosts_n, links_n; /* taken */
    uint64_t topology;         /* grows with every change of switches or usable links */
    uint64_t cookie;           /* of this run's flows: magic and epoch */
    struct path *path;
    struct reroute *reroute;
    uint32_t *order; /* tree.c */
    uint32_t *queue;
    uint16_t *depth;
    uint64_t tree_at; /* the topology that the tree was made for */
    struct net_guard *guard;
    uint32_t *flood; /* forward.c: ports of a flood */
    uint32_t flood_max;
    /* net.c: what is looked at from time to time */
    instant look_at;
    uint32_t host_cursor;
};

void net_apply(struct sdn *s, const struct net_change *c, instant now);
void net_report(struct sdn *s, const struct net_report *r, instant now); /* to the seat */
/* What net_apply is made of. */
void replica_switch(struct sdn *s, const struct net_change *c, instant now);
void replica_link(struct sdn *s, const struct net_change *c);
void replica_host(struct sdn *s, const struct net_change *c);

uint32_t net_find(const struct sdn *s, uint64_t dpid); /* NET_NONE: unknown */
uint32_t net_host_find(const struct sdn *s, const struct mac_addr *mac, uint16_t vlan);
/* Call from memory what net_host_find of this address (as a number) looks at first. */
void net_host_prefetch(const struct sdn *s, uint64_t mac);
/* And, that being there, what it looks at next. */
void net_host_prefetch_next(const struct sdn *s, uint64_t mac);
/* Any VLAN: the first one. */
uint32_t net_host_by_mac(const struct sdn *s, const struct mac_addr *mac);
uint32_t net_host_by_ip(const struct sdn *s, be32 ip, uint16_t vlan);
uint32_t net_link_into(const struct sdn *s, uint32_t to, uint32_t to_port);
uint32_t net_link_out(const struct sdn *s, uint32_t from, uint32_t from_port);
/* May be used for forwarding: both directions are known. */
static inline bool net_link_is_usable(const struct net_link *l)
{
    return l->known && l->opposite != NET_NONE && l->from != l->to;
}
/* This core's switch in a place, accepted and up or nearly so; NULL: not ours. */
struct sdn_switch *net_local(const struct sdn *s, uint32_t net);
void net_check(const struct sdn *s);

/* ---- flows -------------------------------------------------------------------------------------
 *
 * The cookie of a flow that forwarding installs says whose it is and where it leads:
 *
 *     magic:16 | this run of the controller:16 | this connection of the switch:16 | net index:16 */
#define FLOW_MAGIC UINT64_C(0x4d52)
#define FLOW_MAGIC_MASK (UINT64_C(0xffff) << 48)
#define FLOW_RUN_MASK (UINT64_C(0xffff) << 32)
#define FLOW_CONN_MASK (UINT64_C(0xffff) << 16)
#define FLOW_TO_MASK UINT64_C(0xffff)
#define FLOW_OURS_MASK (FLOW_MAGIC_MASK | FLOW_RUN_MASK)
uint64_t flow_cookie(const struct sdn *s, const struct sdn_switch *sw, uint32_t to);

/* ---- path.c, tree.c ------------------------------------------------------------------------- */

void path_carve(struct sdn *s);
/* Hops from one switch to another; PATH_FAR: there is no way. */
uint32_t path_hops(struct sdn *s, uint32_t from, uint32_t to);
/* The links of all shortest ways that leave `from`, by port; at most max, returns how many. */
uint32_t path_links(struct sdn *s, uint32_t from, uint32_t to, uint32_t *link, uint32_t max);
/* The port towards `to` that a packet with this hash takes, but not_port; 0: there is none. */
uint32_t path_port(struct sdn *s, uint32_t from, uint32_t to, uint64_t hash, uint32_t not_port);
/* What two hosts' packets have in common. */
uint64_t path_hash(const struct sdn *s, const struct mac_addr *src, const struct mac_addr *dst,
                   uint16_t vlan);
/* A pair of opposite links has become usable, or is not any more (then it is out of the lists). */
void path_edge_changed(struct sdn *s, const struct net_link *l, bool up);
void path_forget(struct sdn *s, uint32_t to);

/* Make the tree that belongs to the replica, if it has changed. */
void net_tree(struct sdn *s);
/* The ports of a switch that a broadcast leaves at, never not_port; at most max. */
uint32_t tree_ports(struct sdn *s, struct sdn_switch *sw, uint32_t not_port, uint32_t *port,
                    uint32_t max);
/* A broadcast may come in by this link port, and leave by it. */
bool tree_has(struct sdn *s, const struct sdn_switch *sw, uint32_t port);

/* ---- reroute.c ------------------------------------------------------------ */

void reroute_carve(struct sdn *s);
/* A FLOW_MOD among the answers to packet-ins, in their order; false: no room. */
struct ofp_flow;
bool flow_say(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow *f);
/* This connection of sw is about to have a flow towards net index `to`, and: it, or an earlier one
 * in this run, may have. */
void reroute_said(struct sdn *s, const struct sdn_switch *sw, uint32_t to);
bool reroute_has_said(const struct sdn *s, const struct sdn_switch *sw, uint32_t to);
/* Flows of sw towards net index `to` that leave at `port` are wrong. */
void reroute_lost(struct sdn *s, struct sdn_switch *sw, uint32_t to, uint32_t port);
/* All flows of ours that leave at a port are wrong: it is down or gone. */
void reroute_port(struct sdn *s, struct sdn_switch *sw, uint32_t port);
/* A host is not at net index `at` any more: flows to it on any switch are wrong. */
void reroute_host(struct sdn *s, const struct mac_addr *mac, uint16_t vlan, uint32_t at);
void reroute_switch_up(struct sdn *s, struct sdn_switch *sw, instant now);
void reroute_switch_gone(struct sdn *s, struct sdn_switch *sw);
void reroute_topology_changed(struct sdn *s);
void reroute_advance(struct sdn *s, instant now);
instant reroute_deadline(const struct sdn *s);

/* ---- discover.c, lldp.c ------------------------------------------------------------ */

#define LLDP_LEN 92u
struct lldp {
    uint64_t dpid;
    uint32_t port;
    uint64_t nonce; /* when it was made, microseconds */
};
struct hmac_key;
size_t lldp_emit(uint8_t b[LLDP_LEN], const struct lldp *l, const struct mac_addr *src,
                 const struct hmac_key *key);
/* False: not one of ours, or not signed with this key. */
bool lldp_parse(const uint8_t *frame, size_t n, const struct hmac_key *key, struct lldp *out);

void discover_port_up(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, instant now);
/* say: the seat has to know; else its switch is gone, and it does. */
void discover_port_down(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, bool say,
                        instant now);
/* The switch has its net index: what its ports have found may be said. */
void discover_accepted(struct sdn *s, struct sdn_switch *sw, instant now);
void discover_input(struct sdn *s, struct sdn_switch *sw, uint32_t in_port, const uint8_t *frame,
                    size_t n, instant now);
/* Ask who is at this port; host_moved is called soon if nobody answers. */
void discover_verify(struct sdn *s, struct sdn_port *p, instant now);
void discover_advance(struct sdn *s, instant now);
instant discover_deadline(const struct sdn *s);

/* ---- host.c, arp.c ------------------------------------------------------------ */

/* A frame with this source came in at p.  ip: from ARP, or 0. */
void host_seen(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, const struct mac_addr *mac,
               uint16_t vlan, be32 ip, instant now);
void host_moved(struct sdn *s, struct sdn_port *p, instant now);
void host_accepted(struct sdn *s, struct sdn_switch *sw, instant now);
void host_port_down(struct sdn *s, struct sdn_switch *sw, uint32_t port, instant now);
void host_advance(struct sdn *s, instant now);
/* Answer an ARP request at sw's in_port; false: nobody known has the address. */
struct arp_pkt;
struct eth_hdr;
bool arp_answer(struct sdn *s, struct sdn_switch *sw, uint32_t in_port, const struct eth_hdr *eth,
                const struct arp_pkt *arp);

/* ---- seat.c: core 0 ------------------------------------------------------------ */

void seat_report(struct sdn *s, unsigned from, const struct net_report *r, instant now);
/* Put the changes that core `to` has not been told into its letters, as they fit. */
void seat_tell(struct sdn *s, unsigned to);
void seat_advance(struct sdn *s, instant now);
instant seat_deadline(const struct sdn *s);
