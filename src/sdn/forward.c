/* Packet-ins on the long way: what is new, what is for many, and what goes to another switch.
 *
 * Every switch on a frame's way answers its own packet-in, each core from its own replica.  A frame
 * for a host that is known takes one FLOW_MOD; everything else follows the tree, a PACKET_OUT a
 * switch. */
#include "base/hash.h"
#include "sdn/sdn_int.h"

#define ETHTYPE_LLDP 0x88cc
#define GUARD_BYTES 192u
#define GUARD_US (500 * USEC_PER_MSEC)

/* 01-80-C2-00-00-00 to -0F: never forwarded (IEEE 802.1D, 7.12.6). */
static bool is_link_local(const struct mac_addr *m)
{
    return load_be32(m->b) == 0x0180c200 && m->b[4] == 0 && m->b[5] < 16;
}

static bool is_source(const struct mac_addr *m)
{
    static const struct mac_addr none = {{0}};

    return !mac_is_multicast(m) && !mac_eq(m, &none);
}

/* The same frame for many, a moment ago at the same switch by another port: it has gone around a
 * loop that nobody knows yet (a link between two ports that were thought edges).  To pass it on
 * would be a storm, and where it comes from now says nothing of its host.  What an entry holds is
 * only compared, so one that gave way to another costs no more than a frame that passes. */
static bool has_looped(struct sdn *s, const struct sdn_switch *sw, const struct ofp_packet_in *p,
                       instant now)
{
    const struct sip_key key = {{s->config.secret[0] ^ sw->dpid, s->config.secret[1]}};
    uint64_t h = siphash(&key, p->frame, min_u32(p->frame_len, GUARD_BYTES));
    struct net_guard *g = &s->net->guard[h % NET_GUARDS];

    if (g->hash == h && now - g->at < GUARD_US)
        return g->port != p->in_port;
    *g = (struct net_guard){.hash = h, .at = now, .port = p->in_port};
    return false;
}

/* It may be passed on by more than one port, if it came in by this one. */
static bool takes_many(struct sdn *s, const struct sdn_switch *sw, const struct sdn_port *in)
{
    return in->is == PORT_EDGE || (in->is == PORT_LINK && tree_has(s, sw, in->desc.no));
}

static bool is_for_many(const struct sdn *s, const struct eth_hdr *eth)
{
    return mac_is_multicast(&eth->dst) ||
           net_host_find(s, &eth->dst, eth->has_vlan ? eth->vlan & 0xfff : 0) == NET_NONE;
}

/* The switch need not keep it any longer. */
static void drop(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p)
{
    if (p->buffer_id != OFP_NO_BUFFER)
        say_packet(s, sw, p, NULL, 0);
}

/* One flow for this pair that comes in here, and the frame along with it. */
static void flow_to(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p,
                    const struct eth_hdr *eth, uint32_t out, uint32_t net)
{
    struct ofp_flow f;

    ofp_flow_init(&f);
    f.command = OFPFC_ADD;
    f.idle_timeout = s->config.flow_idle_s;
    f.hard_timeout = s->config.flow_hard_s;
    f.priority = s->config.flow_priority;
    f.buffer_id = p->buffer_id;
    f.cookie = flow_cookie(s, sw, net);
    ofp_match_set_u64(&f.match, OFPF_IN_PORT, p->in_port);
    ofp_match_set(&f.match, OFPF_ETH_DST, eth->dst.b, NULL);
    ofp_match_set(&f.match, OFPF_ETH_SRC, eth->src.b, NULL);
    ofp_match_set_u64(&f.match, OFPF_VLAN_VID, eth->has_vlan ? 0x1000u | (eth->vlan & 0xfff) : 0);
    f.do_.apply.n = 1;
    f.do_.apply.a[0] = (struct ofp_action){.type = OFPA_OUTPUT, .port = out};
    reroute_said(s, sw, net);
    if (!flow_say(s, sw, &f)) {
        s->stats.packet_ins_dropped++;
        return;
    }
    if (p->buffer_id != OFP_NO_BUFFER)
        return;
    if (p->frame_len < p->total_len || !say_packet(s, sw, p, &out, 1))
        s->stats.packet_ins_dropped++;
}

static void flood(struct sdn *s, struct sdn_switch *sw, const struct sdn_port *in,
                  const struct ofp_packet_in *p)
{
    struct net *n = s->net;
    uint32_t k = 0;

    if (takes_many(s, sw, in))
        k = tree_ports(s, sw, p->in_port, n->flood, n->flood_max);
    else
        s->stats.tree_dropped++;
    if (k == 0 || (p->buffer_id == OFP_NO_BUFFER && p->frame_len < p->total_len)) {
        drop(s, sw, p);
        return;
    }
    if (say_packet(s, sw, p, n->flood, k))
        s->stats.floods++;
    else
        s->stats.packet_ins_dropped++;
}

/* To a host at a port of this switch. */
static void deliver(struct sdn *s, struct sdn_switch *sw, const struct sdn_port *in,
                    const struct ofp_packet_in *p, const struct eth_hdr *eth, uint32_t port)
{
    const struct sdn_port *out = port_find(sw, port);
    uint16_t vlan = eth->has_vlan ? eth->vlan & 0xfff : 0;

    if (port == p->in_port) {
        drop(s, sw, p);
    } else if (!out || !port_is_up(out) || out->is == PORT_LINK) {
        flood(s, sw, in, p);
    } else {
        if (sw->mac_id)
            mac_learn(&s->macs, mac_key(eth->dst.b, sw->mac_id), vlan, port, s->now_s);
        flow_to(s, sw, p, eth, port, sw->net);
    }
}

/* To a host that was heard here and that the seat does not know yet. */
static bool deliver_early(struct sdn *s, struct sdn_switch *sw, const struct sdn_port *in,
                          const struct ofp_packet_in *p, const struct eth_hdr *eth)
{
    for (uint32_t i = 0; i < sw->early; i++)
        if (mac_eq(&sw->early_host[i].mac, &eth->dst)) {
            deliver(s, sw, in, p, eth, sw->early_host[i].port);
            return true;
        }
    return false;
}

static void forward(struct sdn *s, struct sdn_switch *sw, const struct sdn_port *in,
                    const struct ofp_packet_in *p, const struct eth_hdr *eth)
{
    uint16_t vlan = eth->has_vlan ? eth->vlan & 0xfff : 0;
    uint32_t i = mac_is_multicast(&eth->dst) ? NET_NONE : net_host_find(s, &eth->dst, vlan);
    const struct net_host *h;
    uint32_t out;

    if (i == NET_NONE) {
        if (!deliver_early(s, sw, in, p, eth))
            flood(s, sw, in, p);
        return;
    }
    h = &s->net->host[i];
    if (h->at == sw->net) {
        deliver(s, sw, in, p, eth, h->port);
        return;
    }
    out = path_port(s, sw->net, h->at, path_hash(s, &eth->src, &eth->dst, vlan), p->in_port);
    if (out) {
        flow_to(s, sw, p, eth, out, h->at);
        return;
    }
    s->stats.no_path++;
    drop(s, sw, p);
}

void forward_slow(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p, instant now)
{
    struct sdn_port *in = port_find(sw, p->in_port);
    struct eth_hdr eth;
    struct arp_pkt arp;
    bool is_arp;

    if (s->config.mode != SDN_NETWORK)
        return;
    if (eth_parse(&eth, p->frame, p->frame_len) != WIRE_OK || !in || !in->watched) {
        s->stats.packet_ins_dropped++;
        drop(s, sw, p);
        return;
    }
    if (is_link_local(&eth.dst)) {
        if (eth.ethertype == ETHTYPE_LLDP)
            discover_input(s, sw, p->in_port, p->frame, p->frame_len, now);
        drop(s, sw, p);
        return;
    }
    if (is_for_many(s, &eth) && takes_many(s, sw, in) && has_looped(s, sw, p, now)) {
        s->stats.tree_dropped++;
        drop(s, sw, p);
        return;
    }
    is_arp = eth.ethertype == ETHTYPE_ARP &&
             arp_parse(&arp, p->frame + eth.hlen, p->frame_len - eth.hlen) == WIRE_OK;
    if (is_source(&eth.src)) {
        bool says = is_arp && mac_eq(&arp.sha, &eth.src);
        host_seen(s, sw, in, &eth.src, eth.has_vlan ? eth.vlan & 0xfff : 0,
                  says ? arp.spa : (be32){0}, now);
    }
    if (sw->net == NET_NONE || !sw->accepted) {
        /* The seat has not answered: only what was heard at this switch itself is known. */
        if (!deliver_early(s, sw, in, p, &eth))
            drop(s, sw, p);
        return;
    }
    if (is_arp && in->is != PORT_LINK && mac_is_broadcast(&eth.dst) &&
        arp_answer(s, sw, p->in_port, &eth, &arp))
        drop(s, sw, p);
    else
        forward(s, sw, in, p, &eth);
}
