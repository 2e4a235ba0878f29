#include "base/hash.h"
#include "sdn/sdn_int.h"

/* How often states are compared with the replica and said again. */
#define LOOK_US (200 * USEC_PER_MSEC)

/* ---- changes and reports ---- */

void net_apply(struct sdn *s, const struct net_change *c, instant now)
{
    struct sdn_switch *sw;

    switch ((enum net_change_kind)c->kind) {
    case CHANGE_SWITCH:
        replica_switch(s, c, now);
        break;
    case CHANGE_LINK:
        replica_link(s, c);
        break;
    case CHANGE_HOST:
        replica_host(s, c);
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

/* ---- memory ---- */

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
