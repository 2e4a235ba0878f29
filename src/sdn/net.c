#include "base/hash.h"
#include "sdn/sdn_int.h"

/* How often states are compared with the replica and said again. */
#define LOOK_US (200 * USEC_PER_MSEC)

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

uint32_t net_host_find(const struct sdn *s, const struct mac_addr *mac, uint16_t vlan)
{
    const struct net *n = s->net;
    uint32_t i = *mac_slot(s, mac);

    while (i && !(mac_eq(&n->host[i - 1].mac, mac) && n->host[i - 1].vlan == vlan))
        i = n->host[i - 1].next_mac;
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

static void apply_switch(struct sdn *s, const struct net_change *c, instant now)
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

static void apply_link(struct sdn *s, const struct net_change *c)
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

static void apply_host(struct sdn *s, const struct net_change *c)
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

static void apply_host_told(struct sdn *s, const struct net_change *c)
{
    const struct net_host *h = &s->net->host[c->place];
    bool was = s->net->host_used > c->place && h->at != NET_NONE;
    struct mac_addr before = was ? h->mac : c->mac;

    apply_host(s, c);
    pof_host_changed(s, &c->mac);
    if (!mac_eq(&before, &c->mac))
        pof_host_changed(s, &before);
}

/* ---- changes and reports ---- */

void net_apply(struct sdn *s, const struct net_change *c, instant now)
{
    struct sdn_switch *sw;

    switch ((enum net_change_kind)c->kind) {
    case CHANGE_SWITCH:
        apply_switch(s, c, now);
        break;
    case CHANGE_LINK:
        apply_link(s, c);
        break;
    case CHANGE_HOST:
        apply_host_told(s, c);
        break;
    case CHANGE_REFUSE:
        sw = sdn_switch_of(s, c->conn);
        if (!sw || sw->dpid != c->dpid || sw->accepted || sw->phase == PHASE_CLOSING)
            break;
        s->stats.duplicates++;
        event_note(s, EVENT_REFUSED, c->dpid, 0,
                   "a second connection with this datapath id: the first one is alive");
        session_close(s, sw, "its datapath id is connected already, and that connection answers");
        break;
    case CHANGE_PROBE:
        sw = sdn_switch_of(s, c->conn);
        if (!sw || sw->dpid != c->dpid || sw->asked_at)
            break;
        sw->asked_at = now;
        session_probe(s, sw);
        break;
    case CHANGE_KINDS:
        MR_ASSERT(c->kind < CHANGE_KINDS);
    }
}

void net_report(struct sdn *s, const struct net_report *r, instant now)
{
    if (sdn_is_seat(s))
        seat_report(s, s->config.core, r, now);
    else
        letter_write(s, 0, LETTER_NET_REPORT, r, sizeof(*r));
}

static void claim(struct sdn *s, struct sdn_switch *sw, instant now)
{
    const struct net_report r = {
        .kind = REPORT_CLAIM,
        .flag = sw->dialect == POF_HUAWEI,
        .conn = sw->conn,
        .dpid = sw->dpid,
    };

    sw->claimed_at = now;
    net_report(s, &r, now);
}

static void gone(struct sdn *s, sdn_conn conn, uint64_t dpid, instant now)
{
    const struct net_report r = {.kind = REPORT_GONE, .conn = conn, .dpid = dpid};

    net_report(s, &r, now);
}

/* ---- what sessions tell ---- */

void net_switch_known(struct sdn *s, struct sdn_switch *sw, instant now)
{
    sw->net = NET_NONE;
    sw->accepted = false;
    sw->asked_at = 0;
    sw->early = 0;
    sw->returned = false;
    sw->renew_at = sw->sweep_at = INSTANT_NEVER;
    sw->flow_conn = (uint16_t)mix64((uint64_t)sw->conn << 32 ^ s->config.core ^ now << 8);
    claim(s, sw, now);
}

void net_switch_up(struct sdn *s, struct sdn_switch *sw, instant now)
{
    for (struct sdn_port *p = sw->ports; p; p = p->next)
        if (port_is_up(p))
            discover_port_up(s, sw, p, now);
    if (sw->accepted)
        reroute_switch_up(s, sw, now);
}

void net_switch_gone(struct sdn *s, struct sdn_switch *sw, instant now)
{
    for (struct sdn_port *p = sw->ports; p; p = p->next)
        discover_port_down(s, sw, p, false, now);
    reroute_switch_gone(s, sw);
    if (sw->claimed_at)
        gone(s, sw->conn, sw->dpid, now);
    sw->net = NET_NONE;
    sw->claimed_at = 0;
}

void net_port_changed(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p,
                      enum ofp_port_reason reason, instant now)
{
    if (reason != OFPPR_DELETE && port_is_up(p)) {
        if (sw->phase == PHASE_UP)
            discover_port_up(s, sw, p, now);
        return;
    }
    if (!p->watched)
        return;
    discover_port_down(s, sw, p, true, now);
    host_port_down(s, sw, p->desc.no, now);
    reroute_port(s, sw, p->desc.no);
    reroute_advance(s, now);
}

void net_flow_removed(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow_removed *f)
{
    /* Forwarding asks for none: a flow's end is nothing it must know. */
    (void)s, (void)sw, (void)f;
}

/* ---- time ---- */

/* What this core has and what the replica says of it. */
static void look(struct sdn *s, instant now)
{
    const struct net *n = s->net;

    for (uint32_t i = 0; i < n->sw_used; i++) {
        const struct net_switch *w = &n->sw[i];
        const struct sdn_switch *sw;
        if (!w->known || !w->connected || w->core != s->config.core)
            continue;
        sw = sdn_switch_of(s, w->conn);
        if (!sw || sw->dpid != w->dpid || !sw->claimed_at)
            gone(s, w->conn, w->dpid, now);
    }
    for (struct sdn_switch *sw = s->first, *next; sw; sw = next) {
        next = sw->next;
        if (sw->claimed_at && !sw->accepted && sw->phase <= PHASE_UP &&
            now - sw->claimed_at >= LOOK_US)
            claim(s, sw, now);
        if (sw->asked_at && sw->heard > sw->asked_at) {
            const struct net_report r = {.kind = REPORT_ALIVE, .conn = sw->conn, .dpid = sw->dpid};
            sw->asked_at = 0;
            net_report(s, &r, now);
        }
    }
}

void net_advance(struct sdn *s, instant now)
{
    if (now >= s->net->look_at) {
        s->net->look_at = now + LOOK_US;
        look(s, now);
        host_advance(s, now);
    }
    discover_advance(s, now);
    if (sdn_is_seat(s))
        seat_advance(s, now);
    reroute_advance(s, now);
}

instant net_deadline(const struct sdn *s)
{
    instant t = s->first || s->net->sw_used ? s->net->look_at : INSTANT_NEVER;

    t = min_u64(t, discover_deadline(s));
    t = min_u64(t, reroute_deadline(s));
    return sdn_is_seat(s) ? min_u64(t, seat_deadline(s)) : t;
}

/* ---- memory, invariants ---- */

void net_carve(struct sdn *s)
{
    const struct sdn_config *c = &s->config;
    struct net *n = mem_carve(&s->mem, sizeof(*n), CACHE_LINE), measured = {0};
    uint32_t sw_slots = (uint32_t)ceil_pow2(c->switches);
    uint32_t host_slots = (uint32_t)ceil_pow2(c->hosts);

    MR_ASSERT(c->switches > 0 && c->switches < PATH_FAR && c->hosts > 0 && c->links > 0);
    s->net = n ? n : &measured;
    n = s->net;
    *n = (struct net){.switches = c->switches,
                      .links = c->links,
                      .hosts = c->hosts,
                      .sw_mask = sw_slots - 1,
                      .host_mask = host_slots - 1,
                      .flood_max = c->ports,
                      .look_at = s->now};
    n->sw = mem_carve(&s->mem, c->switches * sizeof(*n->sw), CACHE_LINE);
    n->link = mem_carve(&s->mem, c->links * sizeof(*n->link), CACHE_LINE);
    n->host = mem_carve(&s->mem, (size_t)c->hosts * sizeof(*n->host), CACHE_LINE);
    n->sw_hash = mem_carve(&s->mem, sw_slots * sizeof(uint32_t), CACHE_LINE);
    n->mac_hash = mem_carve(&s->mem, (size_t)host_slots * sizeof(uint32_t), CACHE_LINE);
    n->ip_hash = mem_carve(&s->mem, (size_t)host_slots * sizeof(uint32_t), CACHE_LINE);
    n->order = mem_carve(&s->mem, c->switches * sizeof(uint32_t), CACHE_LINE);
    n->queue = mem_carve(&s->mem, c->switches * sizeof(uint32_t), CACHE_LINE);
    n->depth = mem_carve(&s->mem, c->switches * sizeof(uint16_t), CACHE_LINE);
    n->guard = mem_carve(&s->mem, NET_GUARDS * sizeof(*n->guard), CACHE_LINE);
    n->flood = mem_carve(&s->mem, (size_t)c->ports * sizeof(uint32_t), CACHE_LINE);
    n->cookie = FLOW_MAGIC << 48 | (mix64(c->secret[3] ^ c->secret[0]) & 0xffff) << 32;
    path_carve(s);
    reroute_carve(s);
    if (mem_is_measuring(&s->mem)) {
        s->net = NULL;
        return;
    }
    for (uint32_t i = 0; i < c->switches; i++)
        n->sw[i].out = n->sw[i].in = n->sw[i].hosts = NET_NONE;
}

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
