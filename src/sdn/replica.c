/* The replica's arrays: what is found in them, and how a change writes them. */
#include "base/hash.h"
#include "sdn/sdn_int.h"

/* ---- finding ---- */

static uint32_t *dpid_slot(const struct net *n, uint64_t dpid)
{
    return &n->sw_hash[mix64(dpid) & n->sw_mask];
}

static uint64_t mac_word(const struct mac_addr *m)
{
    return (uint64_t)load_be16(m->b) << 32 | load_be32(m->b + 2);
}

static uint32_t *mac_slot(const struct sdn *s, const struct mac_addr *m)
{
    return &s->net->mac_hash[mix64(mac_word(m) ^ s->config.secret[1]) & s->net->host_mask];
}

static const uint32_t *slot_of_word(const struct sdn *s, uint64_t mac)
{
    return &s->net->mac_hash[mix64(mac ^ s->config.secret[1]) & s->net->host_mask];
}

void net_host_prefetch(const struct sdn *s, uint64_t mac)
{
    prefetch(slot_of_word(s, mac));
}

void net_host_prefetch_next(const struct sdn *s, uint64_t mac)
{
    uint32_t i = *slot_of_word(s, mac);

    if (i)
        prefetch(&s->net->host[i - 1]);
}

static uint32_t *ip_slot(const struct sdn *s, be32 ip)
{
    return &s->net->ip_hash[mix64(ip.raw ^ s->config.secret[2]) & s->net->host_mask];
}

uint32_t net_find(const struct sdn *s, uint64_t dpid)
{
    const struct net *n = s->net;
    uint32_t i = *dpid_slot(n, dpid);

    while (i && n->sw[i - 1].dpid != dpid)
        i = n->sw[i - 1].next;
    return i ? i - 1 : NET_NONE;
}

_Static_assert(offsetof(struct net_host, vlan) == sizeof(struct mac_addr), "one word with it");

uint32_t net_host_find(const struct sdn *s, const struct mac_addr *mac, uint16_t vlan)
{
    const struct net *n = s->net;
    uint32_t i = *mac_slot(s, mac);
    uint64_t want = 0, is;

    /* Both as one word, as they lie in struct net_host. */
    memcpy(&want, mac, sizeof(*mac));
    memcpy((uint8_t *)&want + sizeof(*mac), &vlan, sizeof(vlan));
    for (; i; i = n->host[i - 1].next_mac) {
        memcpy(&is, &n->host[i - 1], sizeof(is));
        if (is == want)
            break;
    }
    return i ? i - 1 : NET_NONE;
}

uint32_t net_host_by_mac(const struct sdn *s, const struct mac_addr *mac)
{
    const struct net *n = s->net;
    uint32_t i = *mac_slot(s, mac);

    while (i && !mac_eq(&n->host[i - 1].mac, mac))
        i = n->host[i - 1].next_mac;
    return i ? i - 1 : NET_NONE;
}

uint32_t net_host_by_ip(const struct sdn *s, be32 ip, uint16_t vlan)
{
    const struct net *n = s->net;
    uint32_t i = ip.raw ? *ip_slot(s, ip) : 0;

    while (i && !(n->host[i - 1].ip.raw == ip.raw && n->host[i - 1].vlan == vlan))
        i = n->host[i - 1].next_ip;
    return i ? i - 1 : NET_NONE;
}

uint32_t net_link_into(const struct sdn *s, uint32_t to, uint32_t to_port)
{
    const struct net *n = s->net;
    uint32_t i = n->sw[to].in;

    while (i != NET_NONE && n->link[i].to_port != to_port)
        i = n->link[i].next_in;
    return i;
}

uint32_t net_link_out(const struct sdn *s, uint32_t from, uint32_t from_port)
{
    const struct net *n = s->net;
    uint32_t i = n->sw[from].out;

    while (i != NET_NONE && n->link[i].from_port != from_port)
        i = n->link[i].next_out;
    return i;
}

struct sdn_switch *net_local(const struct sdn *s, uint32_t net)
{
    const struct net_switch *n;

    if (net == NET_NONE)
        return NULL;
    n = &s->net->sw[net];
    if (!n->known || !n->connected || n->core != s->config.core)
        return NULL;
    struct sdn_switch *sw = sdn_switch_of(s, n->conn);
    return sw && sw->net == net ? sw : NULL;
}

/* ---- switches ---- */

static void dpid_unhash(struct net *n, uint32_t place)
{
    uint32_t *at = dpid_slot(n, n->sw[place].dpid);

    while (*at != place + 1)
        at = &n->sw[*at - 1].next;
    *at = n->sw[place].next;
}

/* The place has no connection of ours any more, or another one. */
static void switch_lost(struct sdn *s, uint32_t place, const struct net_change *c)
{
    struct sdn_switch *sw = net_local(s, place);

    if (!sw)
        return;
    sw->net = NET_NONE;
    sw->accepted = false;
    if (c->known && c->connected)
        session_close(s, sw, "another connection has taken over its datapath id");
}

static void switch_ours(struct sdn *s, uint32_t place, bool returned, instant now)
{
    struct sdn_switch *sw = sdn_switch_of(s, s->net->sw[place].conn);

    if (!sw || sw->dpid != s->net->sw[place].dpid || sw->net == place)
        return;
    sw->net = place;
    sw->accepted = true;
    sw->returned = returned;
    discover_accepted(s, sw, now);
    host_accepted(s, sw, now);
    if (sw->phase == PHASE_UP)
        reroute_switch_up(s, sw, now);
}

void replica_switch(struct sdn *s, const struct net_change *c, instant now)
{
    struct net *n = s->net;
    struct net_switch *w = &n->sw[c->place];
    bool same_dpid = w->known && c->known && w->dpid == c->dpid;
    bool same_conn =
        same_dpid && w->connected == c->connected && w->conn == c->conn && w->core == c->core;

    if (!same_conn)
        switch_lost(s, c->place, c);
    if (w->known && !same_dpid) {
        dpid_unhash(n, c->place);
        path_forget(s, c->place);
    }
    if (c->known && !same_dpid) {
        w->dpid = c->dpid;
        uint32_t *slot = dpid_slot(n, c->dpid);
        w->next = *slot;
        *slot = c->place + 1;
    }
    n->sw_used = max_u32(n->sw_used, c->place + 1);
    w->known = c->known;
    w->connected = c->known && c->connected;
    w->conn = c->conn;
    w->core = c->core;
    w->pof_blind = c->flag;
    if (same_conn)
        return;
    w->connected_at = now;
    n->topology++;
    reroute_topology_changed(s);
    if (w->connected && w->core == s->config.core)
        switch_ours(s, c->place, same_dpid, now);
}

/* ---- links ---- */

static uint32_t opposite_of(const struct net *n, uint32_t place)
{
    const struct net_link *l = &n->link[place];
    uint32_t i = n->sw[l->to].out;

    for (; i != NET_NONE; i = n->link[i].next_out) {
        const struct net_link *o = &n->link[i];
        if (o->from_port == l->to_port && o->to == l->from && o->to_port == l->from_port &&
            o->opposite == NET_NONE)
            return i;
    }
    return NET_NONE;
}

static void link_remove(struct sdn *s, uint32_t place)
{
    struct net *n = s->net;
    struct net_link *l = &n->link[place];
    uint32_t *out = &n->sw[l->from].out, *in = &n->sw[l->to].in;
    struct net_link old = *l;

    while (*out != place)
        out = &n->link[*out].next_out;
    *out = l->next_out;
    while (*in != place)
        in = &n->link[*in].next_in;
    *in = l->next_in;
    l->known = l->tree = false;
    l->opposite = NET_NONE;
    n->links_n--;
    if (old.opposite == NET_NONE)
        return;
    /* The same link may be told in another place already (it was lost and found). */
    uint32_t twin = opposite_of(n, old.opposite);
    n->link[old.opposite].opposite = twin;
    n->link[old.opposite].tree = false;
    if (twin != NET_NONE)
        n->link[twin].opposite = old.opposite;
    if (old.from == old.to)
        return;
    n->topology++;
    if (twin == NET_NONE)
        path_edge_changed(s, &old, false);
    reroute_topology_changed(s);
}

static void link_add(struct sdn *s, uint32_t place, const struct net_change *c)
{
    struct net *n = s->net;
    struct net_link *l = &n->link[place];
    uint32_t *out = &n->sw[c->from].out;

    *l = (struct net_link){.from = c->from,
                           .to = c->to,
                           .from_port = c->from_port,
                           .to_port = c->to_port,
                           .opposite = NET_NONE,
                           .known = true,
                           .fixed = c->flag};
    while (*out != NET_NONE && n->link[*out].from_port < l->from_port)
        out = &n->link[*out].next_out;
    l->next_out = *out;
    *out = place;
    l->next_in = n->sw[l->to].in;
    n->sw[l->to].in = place;
    n->links_n++;
    l->opposite = opposite_of(n, place);
    if (l->opposite == NET_NONE)
        return;
    n->link[l->opposite].opposite = place;
    if (l->from == l->to)
        return;
    n->topology++;
    path_edge_changed(s, l, true);
    reroute_topology_changed(s);
}

void replica_link(struct sdn *s, const struct net_change *c)
{
    struct net *n = s->net;
    struct net_link *l = &n->link[c->place];

    n->link_used = max_u32(n->link_used, c->place + 1);
    if (l->known && c->known && l->from == c->from && l->from_port == c->from_port &&
        l->to == c->to && l->to_port == c->to_port)
        return;
    if (l->known)
        link_remove(s, c->place);
    if (c->known)
        link_add(s, c->place, c);
}

/* ---- hosts ---- */

static void host_unlink(struct sdn *s, uint32_t place)
{
    struct net *n = s->net;
    struct net_host *h = &n->host[place];
    uint32_t *at = mac_slot(s, &h->mac);

    while (*at != place + 1)
        at = &n->host[*at - 1].next_mac;
    *at = h->next_mac;
    if (h->ip.raw) {
        at = ip_slot(s, h->ip);
        while (*at != place + 1)
            at = &n->host[*at - 1].next_ip;
        *at = h->next_ip;
    }
    if (h->before_at != NET_NONE)
        n->host[h->before_at].next_at = h->next_at;
    else
        n->sw[h->at].hosts = h->next_at;
    if (h->next_at != NET_NONE)
        n->host[h->next_at].before_at = h->before_at;
    n->hosts_n--;
}

static void host_link(struct sdn *s, uint32_t place)
{
    struct net *n = s->net;
    struct net_host *h = &n->host[place];
    uint32_t *slot = mac_slot(s, &h->mac), *first = &n->sw[h->at].hosts;

    h->next_mac = *slot;
    *slot = place + 1;
    if (h->ip.raw) {
        slot = ip_slot(s, h->ip);
        h->next_ip = *slot;
        *slot = place + 1;
    }
    h->before_at = NET_NONE;
    h->next_at = *first;
    if (*first != NET_NONE)
        n->host[*first].before_at = place;
    *first = place;
    n->hosts_n++;
}

/* What led to where it was is wrong, and its switch must not believe that it is still there. */
static void host_left(struct sdn *s, const struct net_host *old)
{
    struct sdn_switch *sw = net_local(s, old->at);

    if (sw && sw->mac_id)
        mac_forget(&s->macs, mac_key(old->mac.b, sw->mac_id), old->vlan);
    reroute_host(s, &old->mac, old->vlan, old->at);
}

static void host_apply(struct sdn *s, const struct net_change *c)
{
    struct net *n = s->net;
    struct net_host *h = &n->host[c->place], old = *h;
    bool was = n->host_used > c->place && h->at != NET_NONE;

    if (was)
        host_unlink(s, c->place);
    /* Places need not come in order. */
    while (n->host_used <= c->place)
        n->host[n->host_used++].at = NET_NONE;
    if (was && !(c->known && mac_eq(&old.mac, &c->mac) && old.vlan == c->vlan && old.at == c->to &&
                 old.port == c->to_port))
        host_left(s, &old);
    h->at = NET_NONE;
    if (!c->known)
        return;
    uint32_t other = net_host_find(s, &c->mac, c->vlan);
    if (other != NET_NONE && (n->host[other].at != c->to || n->host[other].port != c->to_port))
        host_left(s, &n->host[other]);
    *h = (struct net_host){.mac = c->mac,
                           .vlan = c->vlan,
                           .at = c->to,
                           .port = c->to_port,
                           .ip = c->ip,
                           .held_s = c->held_s,
                           .seen_s = s->now_s};
    host_link(s, c->place);
    const struct sdn_switch *sw = net_local(s, h->at);
    if (sw && sw->mac_id)
        mac_learn(&s->macs, mac_key(h->mac.b, sw->mac_id), h->vlan, h->port, s->now_s);
}

void replica_host(struct sdn *s, const struct net_change *c)
{
    const struct net_host *h = &s->net->host[c->place];
    bool was = s->net->host_used > c->place && h->at != NET_NONE;
    struct mac_addr before = was ? h->mac : c->mac;

    host_apply(s, c);
    pof_host_changed(s, &c->mac);
    if (!mac_eq(&before, &c->mac))
        pof_host_changed(s, &before);
}

/* ---- invariants ---- */

void net_check(const struct sdn *s)
{
    const struct net *n = s->net;
    uint32_t links = 0, hosts = 0;

    for (uint32_t i = 0; i < n->sw_used; i++) {
        if (n->sw[i].known)
            MR_ASSERT(net_find(s, n->sw[i].dpid) != NET_NONE);
        for (uint32_t l = n->sw[i].out; l != NET_NONE; l = n->link[l].next_out)
            MR_ASSERT(n->link[l].known && n->link[l].from == i);
        for (uint32_t h = n->sw[i].hosts; h != NET_NONE; h = n->host[h].next_at, hosts++)
            MR_ASSERT(n->host[h].at == i);
    }
    for (uint32_t i = 0; i < n->link_used; i++) {
        const struct net_link *l = &n->link[i];
        links += l->known;
        if (!l->known || l->opposite == NET_NONE)
            continue;
        MR_ASSERT(n->link[l->opposite].opposite == i && n->link[l->opposite].from == l->to);
    }
    MR_ASSERT(links == n->links_n && hosts == n->hosts_n);
}
