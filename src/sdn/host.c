/* Hosts: what this core sees of them, as reports to the seat.
 *
 * A host is an address (and a VLAN) heard at an edge port.  One that nobody knew is believed also
 * at a port that is still quiet (the first frame of a benchmark's switch comes right behind its
 * features); if the port turns out to be a link the seat forgets it.  Its IP address is learnt from
 * ARP only.
 *
 * A move is believed when the new port has been asked who is there and no switch has answered:
 * else a frame that came through a link which has only just begun to carry anything would put its
 * host behind that link, and traffic for it in a circle.
 *
 * Nothing is kept here for a report that is lost: the host's next packet-in makes another one.
 * Only the first hosts of a new switch are told again until the seat knows them. */
#include "sdn/seat.h"

#define SAY_MS 100u
#define STAY_S 10u
#define EARLY_US 30000000u /* then an early host that the seat does not take is forgotten */
#define VERIFIED_US (1 * USEC_PER_SEC)
#define SCAN 20000u /* places looked at every 200 ms: those not heard for long */

static uint32_t now_ms(instant now)
{
    return (uint32_t)(now / USEC_PER_MSEC);
}

static void report(struct sdn *s, const struct sdn_switch *sw, uint32_t port, bool quiet,
                   const struct mac_addr *mac, uint16_t vlan, be32 ip, instant now)
{
    const struct net_report r = {.kind = REPORT_HOST,
                                 .flag = quiet,
                                 .vlan = vlan,
                                 .dpid = sw->dpid,
                                 .net = sw->net,
                                 .port = port,
                                 .ip = ip,
                                 .mac = *mac};

    net_report(s, &r, now);
}

/* The seat has not said yet which place the switch has: the first few are kept until then. */
static void keep_early(struct sdn_switch *sw, uint32_t port, const struct mac_addr *mac,
                       uint16_t vlan, be32 ip)
{
    if (sw->early < SDN_EARLY)
        sw->early_host[sw->early++] =
            (struct sdn_early){.mac = *mac, .vlan = vlan, .port = port, .ip = ip};
}

/* A host that nobody knew, or that has been here for a while.  One that has just come from
 * somewhere else proves nothing: it may be a frame that has passed a link which nobody knows
 * yet. */
static bool lives(const struct sdn *s, const struct sdn_switch *sw, const struct sdn_port *p,
                  uint32_t i)
{
    const struct net_host *h = &s->net->host[i == NET_NONE ? 0 : i];

    if (i == NET_NONE)
        return true;
    return h->at == sw->net && h->port == p->desc.no &&
           (h->held_s == 0 || s->now_s > h->held_s + STAY_S);
}

void host_seen(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, const struct mac_addr *mac,
               uint16_t vlan, be32 ip, instant now)
{
    bool quiet = p->is == PORT_QUIET;
    uint32_t i;

    if (p->is == PORT_LINK || (quiet && p->was_link))
        return;
    if (sw->net == NET_NONE || !sw->accepted) {
        keep_early(sw, p->desc.no, mac, vlan, ip);
        return;
    }
    i = net_host_find(s, mac, vlan);
    if (!quiet && lives(s, sw, p, i)) {
        p->host_seen = true;
        p->host_at = now;
    }
    if (i == NET_NONE) {
        report(s, sw, p->desc.no, quiet, mac, vlan, ip, now);
        return;
    }
    struct net_host *h = &s->net->host[i];
    bool here = h->at == sw->net && h->port == p->desc.no;
    bool says_ip = ip.raw && ip.raw != h->ip.raw;
    if (here && sw->mac_id) {
        h->seen_s = s->now_s;
        mac_learn(&s->macs, mac_key(mac->b, sw->mac_id), vlan, p->desc.no, s->now_s);
    }
    if (here && !says_ip)
        return;
    if ((!here && quiet) || (h->held_s > s->now_s && (!here || h->ip.raw))) {
        s->stats.hosts_held += !here && !quiet;
        return;
    }
    if (h->said_ms && now_ms(now) - h->said_ms < SAY_MS)
        return;
    if (!here && (p->verified_at == 0 || now - p->verified_at > VERIFIED_US)) {
        if (!p->place[QUEUE_MOVED].in) {
            p->moved = (struct sdn_early){.mac = *mac, .vlan = vlan, .ip = ip};
            discover_verify(s, p, now);
        }
        return;
    }
    h->said_ms = now_ms(now) | 1;
    report(s, sw, p->desc.no, quiet, mac, vlan, ip, now);
}

void host_moved(struct sdn *s, struct sdn_port *p, instant now)
{
    p->verified_at = now;
    if (p->is == PORT_EDGE)
        host_seen(s, p->owner, p, &p->moved.mac, p->moved.vlan, p->moved.ip, now);
}

/* Early hosts are told to the seat, and told again until the replica has them: too many letters may
 * wait, and a benchmark's host never speaks twice (of_load.py with two cores: the told host's
 * report was lost, and each packet-in for it dropped from then on). */
static void early_tell(struct sdn *s, struct sdn_switch *sw, instant now)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < sw->early; i++) {
        const struct sdn_early e = sw->early_host[i];
        const struct sdn_port *p = port_find(sw, e.port);
        if (!p || p->is == PORT_LINK || now > sw->early_until)
            continue;
        report(s, sw, e.port, true, &e.mac, e.vlan, e.ip, now);
        if (net_host_find(s, &e.mac, e.vlan) == NET_NONE)
            sw->early_host[kept++] = e;
    }
    sw->early = kept;
}

void host_accepted(struct sdn *s, struct sdn_switch *sw, instant now)
{
    sw->early_until = now + EARLY_US;
    early_tell(s, sw, now);
}

void host_port_down(struct sdn *s, struct sdn_switch *sw, uint32_t port, instant now)
{
    const struct net_report r = {
        .kind = REPORT_PORT_DOWN, .dpid = sw->dpid, .net = sw->net, .port = port};

    if (sw->net != NET_NONE)
        net_report(s, &r, now);
}

/* The short way has heard it: what it hears it writes down in the table of addresses only. */
static bool was_heard(const struct sdn *s, const struct sdn_switch *sw, struct net_host *h,
                      uint32_t max_s)
{
    uint64_t key = mac_key(h->mac.b, sw->mac_id);
    const struct mac_entry *e =
        sw->mac_id ? mac_lookup(&s->macs, mac_hash(&s->macs, key, h->vlan), key, h->vlan) : NULL;

    if (!e || e->port != h->port || mac_age(e, s->now_s) > max_s)
        return false;
    h->seen_s = s->now_s - mac_age(e, s->now_s);
    return true;
}

static void early_advance(struct sdn *s, instant now)
{
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
        if (sw->early && sw->accepted)
            early_tell(s, sw, now);
}

/* Hosts of this core's switches that were silent for host_us. */
void host_advance(struct sdn *s, instant now)
{
    struct net *n = s->net;
    uint32_t max_s = (uint32_t)(s->config.host_us / USEC_PER_SEC);

    early_advance(s, now);
    if (s->config.host_us == 0)
        return;
    for (uint32_t k = 0; k < SCAN && k < n->host_used; k++) {
        uint32_t place = n->host_cursor;
        struct net_host *h = &n->host[place];
        n->host_cursor = n->host_cursor + 1 < n->host_used ? n->host_cursor + 1 : 0;
        if (h->at == NET_NONE || s->now_s - h->seen_s <= max_s)
            continue;
        const struct sdn_switch *sw = net_local(s, h->at);
        if (!sw && sdn_is_seat(s) && !n->sw[h->at].connected)
            seat_host_gone(s, place, now); /* nobody else would say so */
        if (!sw || was_heard(s, sw, h, max_s))
            continue;
        const struct net_report r = {
            .kind = REPORT_SILENT, .vlan = h->vlan, .dpid = sw->dpid, .net = h->at, .mac = h->mac};
        net_report(s, &r, now);
    }
}
