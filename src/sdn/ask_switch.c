/* Switches, their ports and addresses; events; counters. */
#include "sdn/ask.h"

static void peer_text(char *text, size_t n, const struct sdn_peer *p)
{
    struct fmt f;

    fmt_init(&f, text, n);
    if (ip_is_v4(&p->ip)) {
        fmt_ip4(&f, ip_v4(&p->ip));
    } else {
        fmt_char(&f, '[');
        for (unsigned i = 0; i < 4; i++) {
            uint32_t w = be32_get((be32){p->ip.w[i]});
            fmt_add(&f, "%s%x:%x", i == 0 ? "" : ":", w >> 16, w & 0xffff);
        }
        fmt_char(&f, ']');
    }
    fmt_add(&f, ":%u", p->port);
}

static void port_counters(struct json *j, const struct sdn_rate *r)
{
    const struct ofp_port_stats *a = &r->at;

    ask_json_count(j, "rx_packets", a->rx_packets);
    ask_json_count(j, "tx_packets", a->tx_packets);
    ask_json_count(j, "rx_bytes", a->rx_bytes);
    ask_json_count(j, "tx_bytes", a->tx_bytes);
    ask_json_count(j, "rx_dropped", a->rx_dropped);
    ask_json_count(j, "tx_dropped", a->tx_dropped);
    ask_json_count(j, "rx_errors", a->rx_errors);
    ask_json_count(j, "tx_errors", a->tx_errors);
    ask_json_count(j, "rx_frame_err", a->rx_frame_err);
    ask_json_count(j, "rx_over_err", a->rx_over_err);
    ask_json_count(j, "rx_crc_err", a->rx_crc_err);
    ask_json_count(j, "collisions", a->collisions);
    ask_json_count(j, "duration_s", a->duration_s);
    ask_json_count(j, "duration_ns", a->duration_ns);
    ask_json_count(j, "rx_bps", r->rx_bps);
    ask_json_count(j, "tx_bps", r->tx_bps);
    ask_json_count(j, "rx_pps", r->rx_pps);
    ask_json_count(j, "tx_pps", r->tx_pps);
}

static void port_value(struct json *j, const struct sdn_port *p)
{
    static const char *const is[] = {
        [PORT_QUIET] = "quiet", [PORT_EDGE] = "edge", [PORT_LINK] = "link"};

    json_object(j, NULL);
    json_u64(j, "port", p->desc.no);
    json_str(j, "name", p->desc.name);
    ask_json_mac(j, "mac", &p->desc.mac);
    json_bool(j, "up", !p->desc.down && !p->desc.link_down);
    json_bool(j, "admin_up", !p->desc.down);
    json_bool(j, "link_up", !p->desc.link_down);
    json_str(j, "is", is[p->is]);
    json_u64(j, "config", p->desc.config);
    json_u64(j, "state", p->desc.state);
    json_u64(j, "curr", p->desc.curr);
    json_u64(j, "advertised", p->desc.advertised);
    json_u64(j, "supported", p->desc.supported);
    json_u64(j, "peer", p->desc.peer);
    json_u64(j, "speed_kbps", p->desc.curr_kbps);
    json_u64(j, "max_kbps", p->desc.max_kbps);
    port_counters(j, &p->rate);
    json_end(j);
}

static void ports_member(struct json *j, const struct sdn_switch *sw)
{
    json_array(j, "ports");
    for (const struct sdn_port *p = sw->ports; p; p = p->next)
        port_value(j, p);
    json_end(j);
}

static void desc_members(struct json *j, const struct sdn_switch *sw)
{
    const struct ofp_desc *d = sw->desc;
    bool pof = ofp_is_pof(sw->dialect);

    json_str(j, "manufacturer", d ? d->manufacturer : pof ? sw->features.vendor : "");
    json_str(j, "hardware", d ? d->hardware : pof ? sw->features.lookup : "");
    json_str(j, "software", d ? d->software : pof ? sw->features.firmware : "");
    json_str(j, "serial", d ? d->serial : "");
    json_str(j, "description", d ? d->datapath : "");
}

static void switch_members(struct json *j, const struct sdn *s, const struct sdn_switch *sw)
{
    char peer[64];

    peer_text(peer, sizeof(peer), &sw->peer);
    ask_json_dpid(j, "dpid", sw->dpid);
    json_u64(j, "core", s->config.core);
    json_bool(j, "connected", sw->phase == PHASE_UP && sw->accepted);
    json_str(j, "dialect", ofp_dialect_name(sw->dialect));
    json_str(j, "peer", peer);
    json_bool(j, "tls", sw->peer.tls);
    json_str(j, "subject", sw->peer.subject);
    json_str(j, "role", !sw->role_known ? "EQUAL" : sw->master ? "MASTER" : "SLAVE");
    json_u64(j, "up_s", (s->now - sw->up_since) / USEC_PER_SEC);
    json_u64(j, "n_ports", sw->n_ports);
    json_u64(j, "buffers", sw->features.buffers);
    json_u64(j, "tables", sw->features.tables);
    json_u64(j, "capabilities", sw->features.capabilities);
    desc_members(j, sw);
    json_u64(j, "packet_ins", sw->packet_ins);
    json_u64(j, "flow_mods", sw->flow_mods);
    json_u64(j, "packet_outs", sw->packet_outs);
    json_u64(j, "errors", sw->errors);
}

static bool is_one(const struct sdn_switch *sw)
{
    return sw->phase == PHASE_UP && sw->accepted && !sw->auxiliary;
}

void ask_switches(struct sdn *s, struct sdn_ask *q, bool with_ports)
{
    struct ask_list l;

    ask_list_begin(&l, q, "switches");
    for (const struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        if (!is_one(sw) || !ask_list_wants(&l))
            continue;
        json_object(&l.j, NULL);
        switch_members(&l.j, s, sw);
        if (with_ports)
            ports_member(&l.j, sw);
        json_end(&l.j);
        if (!ask_list_kept(&l))
            break;
    }
    ask_list_end(s, &l);
}

/* More than there are places are not counted: a switch may say any datapath id. */
#define KNOWN_TRIES 16u

void ask_known(struct sdn *s, uint64_t dpid, bool up)
{
    uint32_t mask = s->asks->known_mask;
    uint32_t at = (uint32_t)((dpid * UINT64_C(0x9e3779b97f4a7c15)) >> 40);

    for (uint32_t i = 0; i < KNOWN_TRIES; i++) {
        struct ask_known *k = &s->asks->known[(at + i) & mask];
        if (k->ups == 0 && up)
            k->dpid = dpid;
        else if (k->ups == 0 || k->dpid != dpid)
            continue;
        k->ups += up ? 1 : 0;
        k->downs += up ? 0 : 1;
        return;
    }
}

void ask_datapaths(struct sdn *s, struct sdn_ask *q)
{
    struct ask_list l;

    ask_list_begin(&l, q, "datapaths");
    for (uint32_t i = 0; i <= s->asks->known_mask; i++) {
        const struct ask_known *k = &s->asks->known[i];
        if (k->ups == 0 || !ask_list_wants(&l))
            continue;
        json_object(&l.j, NULL);
        ask_json_dpid(&l.j, "dpid", k->dpid);
        json_u64(&l.j, "connections", k->ups);
        json_u64(&l.j, "disconnections", k->downs);
        json_end(&l.j);
        if (!ask_list_kept(&l))
            break;
    }
    ask_list_end(s, &l);
}

void ask_switch(struct sdn *s, struct sdn_ask *q)
{
    const struct sdn_switch *sw = ask_switch_of(s, q);
    struct json j;

    if (!sw)
        return;
    json_init(&j, q->buf, q->cap);
    json_object(&j, NULL);
    if (q->kind == SDN_ASK_SWITCH)
        switch_members(&j, s, sw);
    else
        ask_json_dpid(&j, "dpid", sw->dpid);
    ports_member(&j, sw);
    json_end(&j);
    ask_json(s, q, &j);
}

void ask_macs(struct sdn *s, struct sdn_ask *q)
{
    const struct sdn_switch *sw = ask_switch_of(s, q);
    struct mac_entry e;
    uint64_t cursor = q->cursor, before = cursor;
    struct ask_list l;

    if (!sw)
        return;
    /* The table's own cursor, not a count: it may be long. */
    q->cursor = 0;
    ask_list_begin(&l, q, "macs");
    while (sw->mac_id != 0 && mac_next(&s->macs, sw->mac_id, &cursor, &e) && ask_list_wants(&l)) {
        struct mac_addr m;
        for (unsigned i = 0; i < 6; i++)
            m.b[i] = (uint8_t)(e.key >> (56 - 8 * i));
        json_object(&l.j, NULL);
        ask_json_mac(&l.j, "mac", &m);
        json_u64(&l.j, "port", e.port);
        json_u64(&l.j, "age_s", mac_age(&e, s->now_s));
        json_end(&l.j);
        if (!ask_list_kept(&l))
            break;
        before = cursor;
    }
    bool more = l.full && l.kept > 0;
    ask_list_end(s, &l);
    q->cursor = more ? before : 0;
}

void ask_events(struct sdn *s, struct sdn_ask *q)
{
    uint64_t last = q->cursor;
    struct ask_list l;

    q->cursor = 0;
    ask_list_begin(&l, q, "events");
    for (const struct event *e = event_after(s, last); e; e = event_after(s, last)) {
        if (!ask_list_wants(&l))
            break;
        json_object(&l.j, NULL);
        json_u64(&l.j, "core", s->config.core);
        json_u64(&l.j, "no", e->no);
        json_u64(&l.j, "at_us", e->when);
        json_u64(&l.j, "age_ms", (s->now - e->when) / 1000);
        json_str(&l.j, "kind", event_kind_name(e->kind));
        ask_json_dpid(&l.j, "dpid", e->dpid);
        if (e->port != 0)
            json_u64(&l.j, "port", e->port);
        json_str(&l.j, "text", e->text);
        json_end(&l.j);
        if (!ask_list_kept(&l))
            break;
        last = e->no;
    }
    json_end(&l.j);
    ask_json_count(&l.j, "last", last);
    json_end(&l.j);
    ask_json(s, q, &l.j);
}

void ask_counters(struct sdn *s, struct sdn_ask *q)
{
    struct json j;

    json_init(&j, q->buf, q->cap);
    json_object(&j, NULL);
    json_object(&j, sdn_stat_group.name);
    for (unsigned i = 0; i < sdn_stat_group.n; i++)
        json_u64(&j, sdn_stat_group.fields[i].name, stat_value(&sdn_stat_group, &s->stats, i));
    json_end(&j);
    json_end(&j);
    ask_json(s, q, &j);
}
