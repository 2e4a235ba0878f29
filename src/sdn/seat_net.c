/* What the seat decides about links and hosts. */
#include "sdn/seat.h"

#define HOLD_MAX_S 16u
#define EVENTS_A_SECOND 50u

/* ---- links ---- */

static void link_note(struct sdn *s, const struct net_link *l, bool up)
{
    const struct net *n = s->net;
    char text[96];

    if (up)
        s->stats.links_up++;
    else
        s->stats.links_down++;
    fmt_print(text, sizeof(text), "link from %016lx port %u %s", n->sw[l->from].dpid, l->from_port,
              up ? "found" : "lost");
    event_note(s, up ? EVENT_LINK_UP : EVENT_LINK_DOWN, n->sw[l->to].dpid, l->to_port, text);
}

void seat_link_gone(struct sdn *s, uint32_t place, instant now)
{
    struct net_change c;

    seat_change_of(s, s->net->switches + place, &c);
    link_note(s, &s->net->link[place], false);
    c.known = false;
    seat_decide(s, &c, now);
    s->seat->free_links[s->seat->n_free_links++] = place;
}

void seat_links_into_gone(struct sdn *s, uint32_t place, instant now)
{
    while (s->net->sw[place].in != NET_NONE)
        seat_link_gone(s, s->net->sw[place].in, now);
}

/* ---- hosts ---- */

void seat_host_gone(struct sdn *s, uint32_t place, instant now)
{
    struct net_change c;

    seat_change_of(s, s->net->switches + s->net->links + place, &c);
    c.known = false;
    seat_decide(s, &c, now);
    s->seat->free_hosts[s->seat->n_free_hosts++] = place;
}

/* port 0: all of the switch. */
void seat_hosts_gone(struct sdn *s, uint32_t at, uint32_t port, instant now)
{
    for (uint32_t i = s->net->sw[at].hosts, next; i != NET_NONE; i = next) {
        next = s->net->host[i].next_at;
        if (!port || s->net->host[i].port == port)
            seat_host_gone(s, i, now);
    }
}

static void host_note(struct sdn *s, const struct net_report *r, bool moved)
{
    struct seat *t = s->seat;
    char text[96];
    struct fmt f;

    if (t->events_s != s->now_s) {
        t->events_s = s->now_s;
        t->events = 0;
    }
    if (t->events++ >= EVENTS_A_SECOND)
        return;
    fmt_init(&f, text, sizeof(text));
    fmt_mac(&f, &r->mac);
    if (r->ip.raw) {
        fmt_char(&f, ' ');
        fmt_ip4(&f, r->ip);
    }
    event_note(s, moved ? EVENT_HOST_MOVED : EVENT_HOST, s->net->sw[r->net].dpid, r->port, text);
}

static void host_new(struct sdn *s, const struct net_report *r, instant now)
{
    struct seat *t = s->seat;
    const struct net *n = s->net;
    uint32_t place = t->n_free_hosts ? t->free_hosts[t->n_free_hosts - 1] : n->host_used;

    if (place >= n->hosts) {
        s->stats.hosts_full++;
        return;
    }
    t->n_free_hosts -= t->n_free_hosts != 0;
    t->moves[place] = 0;
    const struct net_change c = {.kind = CHANGE_HOST,
                                 .known = true,
                                 .place = place,
                                 .mac = r->mac,
                                 .vlan = r->vlan,
                                 .ip = r->ip,
                                 .to = r->net,
                                 .to_port = r->port};
    seat_decide(s, &c, now);
    s->stats.hosts_new++;
    host_note(s, r, false);
}

/* Another address takes an IP address over: nobody else may be asked for it any more. */
static void ip_taken(struct sdn *s, const struct net_report *r, instant now)
{
    uint32_t i = net_host_by_ip(s, r->ip, r->vlan);
    struct net_change c;

    if (i == NET_NONE || mac_eq(&s->net->host[i].mac, &r->mac))
        return;
    seat_change_of(s, s->net->switches + s->net->links + i, &c);
    c.ip = (be32){0};
    seat_decide(s, &c, now);
}

/* A move, or another IP address: believed at once if the last was long ago, and the longer not the
 * more often it happens. */
static void host_changed(struct sdn *s, uint32_t place, const struct net_report *r, instant now)
{
    struct seat *t = s->seat;
    const struct net_host *h = &s->net->host[place];
    bool moved = h->at != r->net || h->port != r->port;
    struct net_change c;

    if (moved && (r->flag || h->held_s > s->now_s)) {
        s->stats.hosts_held++;
        return;
    }
    if (!moved && h->ip.raw && h->held_s > s->now_s)
        return;
    if (h->held_s + HOLD_MAX_S < s->now_s)
        t->moves[place] = 0;
    t->moves[place] = (uint8_t)clamp_u32(2u * t->moves[place], 1, HOLD_MAX_S);
    seat_change_of(s, s->net->switches + s->net->links + place, &c);
    c.to = r->net;
    c.to_port = r->port;
    c.ip = r->ip.raw ? r->ip : c.ip;
    /* To hear an address for the first time is no move. */
    if (moved || h->ip.raw)
        c.held_s = s->now_s + t->moves[place];
    if (r->ip.raw)
        ip_taken(s, r, now);
    seat_decide(s, &c, now);
    if (!moved)
        return;
    s->stats.hosts_moved++;
    host_note(s, r, true);
}

void seat_host_reported(struct sdn *s, const struct net_report *r, instant now)
{
    uint32_t place = net_host_find(s, &r->mac, r->vlan);
    const struct net_host *h = &s->net->host[place == NET_NONE ? 0 : place];

    if (net_link_into(s, r->net, r->port) != NET_NONE)
        return;
    if (place == NET_NONE) {
        if (r->ip.raw)
            ip_taken(s, r, now);
        host_new(s, r, now);
    } else if (h->at != r->net || h->port != r->port || (r->ip.raw && h->ip.raw != r->ip.raw)) {
        host_changed(s, place, r, now);
    }
}

/* ---- links, reported ---- */

void seat_link_reported(struct sdn *s, const struct net_report *r, instant now)
{
    struct seat *t = s->seat;
    const struct net *n = s->net;
    uint32_t from = net_find(s, r->peer_dpid), place = net_link_into(s, r->net, r->port);

    if (from == NET_NONE)
        return;
    if (place != NET_NONE) {
        const struct net_link *l = &n->link[place];
        if (l->from == from && l->from_port == r->peer_port)
            return;
        seat_link_gone(s, place, now);
    }
    place = t->n_free_links ? t->free_links[t->n_free_links - 1] : n->link_used;
    if (place >= n->links)
        return;
    t->n_free_links -= t->n_free_links != 0;
    const struct net_change c = {.kind = CHANGE_LINK,
                                 .known = true,
                                 .flag = r->flag,
                                 .place = place,
                                 .from = from,
                                 .from_port = r->peer_port,
                                 .to = r->net,
                                 .to_port = r->port};
    seat_decide(s, &c, now);
    link_note(s, &n->link[place], true);
    seat_hosts_gone(s, r->net, r->port, now);
}
