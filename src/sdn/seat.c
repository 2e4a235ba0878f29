/* The seat: the one writer of what concerns the whole network.
 *
 * What is so is in this core's own replica, written as everybody else's (net_apply).  What others have
 * to be told is kept as an order of places, the last changed at the end:
 *
 *     [switch 3] [link 17] [host 9] [host 4] [switch 1] [host 12]
 *         ^ core 2 was told up to here          ^ core 1           ^ core 3: everything
 *
 * A place that changes moves to the end; so a core that was told nothing of its last three changes
 * hears of one, and the order is never longer than there are places.  Letters are filled from it when
 * they are about to leave (seat_tell): nothing is lost and nothing waits anywhere but here. */
#include "sdn/sdn_int.h"

#define PROBE_US (1 * USEC_PER_SEC)
#define HOLD_MAX_S 16u
#define EVENTS_A_SECOND 50u

struct seat_link {
    uint32_t next, before; /* in the order; NET_NONE: the end */
};
struct seat_switch {
    instant gone_at;  /* when it lost its connection */
    instant claim_at; /* another connection claims it since; 0: none */
    unsigned claim_core;
    sdn_conn claim_conn;
};
struct seat {
    struct seat_link *order; /* of all places: switches, links, hosts */
    uint32_t first, last;
    uint32_t told[SDN_CORES_MAX]; /* the next place to tell a core of; NET_NONE: none */
    struct seat_switch *sw;
    uint8_t *moves;                    /* of hosts: seconds of the next hold */
    uint32_t *free_links, *free_hosts; /* places given back */
    uint32_t n_free_links, n_free_hosts;
    instant look_at;
    uint32_t events_s, events; /* notes of hosts in this second */
};

void seat_carve(struct sdn *s)
{
    const struct sdn_config *c = &s->config;
    size_t places = (size_t)c->switches + c->links + c->hosts;
    struct seat *t = mem_carve(&s->mem, sizeof(*t), CACHE_LINE);
    void *order = mem_carve(&s->mem, places * sizeof(struct seat_link), CACHE_LINE);
    void *sw = mem_carve(&s->mem, c->switches * sizeof(struct seat_switch), CACHE_LINE);
    void *moves = mem_carve(&s->mem, c->hosts, CACHE_LINE);
    void *links = mem_carve(&s->mem, c->links * sizeof(uint32_t), CACHE_LINE);
    void *hosts = mem_carve(&s->mem, (size_t)c->hosts * sizeof(uint32_t), CACHE_LINE);

    s->seat = t;
    if (!t)
        return;
    *t = (struct seat){.order = order,
                       .first = NET_NONE,
                       .last = NET_NONE,
                       .sw = sw,
                       .moves = moves,
                       .free_links = links,
                       .free_hosts = hosts,
                       .look_at = INSTANT_NEVER};
    memset(t->told, 0xff, sizeof(t->told));
}

/* ---- the order of changes ---- */

static uint32_t place_of(const struct sdn *s, const struct net_change *c)
{
    const struct sdn_config *f = &s->config;

    return c->kind == CHANGE_SWITCH ? c->place
           : c->kind == CHANGE_LINK ? f->switches + c->place
                                    : f->switches + f->links + c->place;
}

/* A place is in the order iff it is the first or somebody is before it. */
static void order_to_end(struct sdn *s, uint32_t i)
{
    struct seat *t = s->seat;
    struct seat_link *l = &t->order[i];

    if (t->last != i) {
        for (unsigned c = 1; c < s->config.cores; c++)
            if (t->told[c] == i)
                t->told[c] = l->next;
        if (l->before || t->first == i) { /* it is in it */
            if (t->first == i)
                t->first = l->next;
            else
                t->order[l->before - 1].next = l->next;
            t->order[l->next].before = l->before;
        }
        l->next = NET_NONE;
        l->before = t->last == NET_NONE ? 0 : t->last + 1;
        if (t->last == NET_NONE)
            t->first = i;
        else
            t->order[t->last].next = i;
        t->last = i;
    }
    for (unsigned c = 1; c < s->config.cores; c++)
        if (t->told[c] == NET_NONE)
            t->told[c] = i;
}

static void decide(struct sdn *s, const struct net_change *c, instant now)
{
    net_apply(s, c, now);
    if (s->config.cores > 1)
        order_to_end(s, place_of(s, c));
}

/* What is in a place, as a change. */
static void change_of(const struct sdn *s, uint32_t i, struct net_change *c)
{
    const struct net *n = s->net;

    *c = (struct net_change){0};
    if (i < n->switches) {
        const struct net_switch *w = &n->sw[i];
        *c = (struct net_change){.kind = CHANGE_SWITCH,
                                 .place = i,
                                 .known = w->known,
                                 .connected = w->connected,
                                 .flag = w->pof_blind,
                                 .dpid = w->dpid,
                                 .conn = w->conn,
                                 .core = (uint16_t)w->core};
    } else if (i < n->switches + n->links) {
        const struct net_link *l = &n->link[i - n->switches];
        *c = (struct net_change){.kind = CHANGE_LINK,
                                 .place = i - n->switches,
                                 .known = l->known,
                                 .flag = l->fixed,
                                 .from = l->from,
                                 .from_port = l->from_port,
                                 .to = l->to,
                                 .to_port = l->to_port};
    } else {
        const struct net_host *h = &n->host[i - n->switches - n->links];
        *c = (struct net_change){.kind = CHANGE_HOST,
                                 .place = i - n->switches - n->links,
                                 .known = h->at != NET_NONE,
                                 .vlan = h->vlan,
                                 .to = h->at,
                                 .to_port = h->port,
                                 .held_s = h->held_s,
                                 .ip = h->ip,
                                 .mac = h->mac};
    }
}

void seat_tell(struct sdn *s, unsigned to)
{
    struct seat *t = s->seat;
    struct net_change c;

    while (t->told[to] != NET_NONE) {
        change_of(s, t->told[to], &c);
        if (!letter_write(s, to, LETTER_NET_CHANGE, &c, sizeof(c)))
            return;
        t->told[to] = t->order[t->told[to]].next;
    }
}

bool seat_has_news(const struct sdn *s, unsigned to)
{
    return s->seat->told[to] != NET_NONE;
}

/* To one core only; it may be lost: whoever asked asks again. */
static void tell_one(struct sdn *s, unsigned to, const struct net_change *c, instant now)
{
    if (to == s->config.core)
        net_apply(s, c, now);
    else
        letter_write(s, to, LETTER_NET_CHANGE, c, sizeof(*c));
}

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

static void link_gone(struct sdn *s, uint32_t place, instant now)
{
    struct net_change c;

    change_of(s, s->net->switches + place, &c);
    link_note(s, &s->net->link[place], false);
    c.known = false;
    decide(s, &c, now);
    s->seat->free_links[s->seat->n_free_links++] = place;
}

static void links_into_gone(struct sdn *s, uint32_t place, instant now)
{
    while (s->net->sw[place].in != NET_NONE)
        link_gone(s, s->net->sw[place].in, now);
}

/* ---- hosts ---- */

static void host_gone(struct sdn *s, uint32_t place, instant now)
{
    struct net_change c;

    change_of(s, s->net->switches + s->net->links + place, &c);
    c.known = false;
    decide(s, &c, now);
    s->seat->free_hosts[s->seat->n_free_hosts++] = place;
}

/* port 0: all of the switch. */
static void hosts_gone(struct sdn *s, uint32_t at, uint32_t port, instant now)
{
    for (uint32_t i = s->net->sw[at].hosts, next; i != NET_NONE; i = next) {
        next = s->net->host[i].next_at;
        if (!port || s->net->host[i].port == port)
            host_gone(s, i, now);
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
    decide(s, &c, now);
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
    change_of(s, s->net->switches + s->net->links + i, &c);
    c.ip = (be32){0};
    decide(s, &c, now);
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
    change_of(s, s->net->switches + s->net->links + place, &c);
    c.to = r->net;
    c.to_port = r->port;
    c.ip = r->ip.raw ? r->ip : c.ip;
    /* To hear an address for the first time is no move. */
    if (moved || h->ip.raw)
        c.held_s = s->now_s + t->moves[place];
    if (r->ip.raw)
        ip_taken(s, r, now);
    decide(s, &c, now);
    if (!moved)
        return;
    s->stats.hosts_moved++;
    host_note(s, r, true);
}

static void host_reported(struct sdn *s, const struct net_report *r, instant now)
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

static void link_reported(struct sdn *s, const struct net_report *r, instant now)
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
        link_gone(s, place, now);
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
    decide(s, &c, now);
    link_note(s, &n->link[place], true);
    hosts_gone(s, r->net, r->port, now);
}

/* ---- switches ---- */

/* A place for a dpid that nobody knows: a fresh one, or that of the switch gone the longest. */
static uint32_t switch_place(struct sdn *s, instant now)
{
    const struct net *n = s->net;
    uint32_t best = NET_NONE;

    if (n->sw_used < n->switches)
        return n->sw_used;
    for (uint32_t i = 0; i < n->switches; i++)
        if (!n->sw[i].connected &&
            (best == NET_NONE || s->seat->sw[i].gone_at < s->seat->sw[best].gone_at))
            best = i;
    if (best == NET_NONE)
        return NET_NONE;
    links_into_gone(s, best, now);
    while (n->sw[best].out != NET_NONE)
        link_gone(s, n->sw[best].out, now);
    hosts_gone(s, best, 0, now);
    return best;
}

static void accept(struct sdn *s, uint32_t place, unsigned core, const struct net_report *r,
                   instant now)
{
    const struct net_change c = {.kind = CHANGE_SWITCH,
                                 .known = true,
                                 .connected = true,
                                 .flag = r->flag,
                                 .place = place,
                                 .dpid = r->dpid,
                                 .conn = r->conn,
                                 .core = (uint16_t)core};

    s->seat->sw[place].claim_at = 0;
    decide(s, &c, now);
}

static void refuse(struct sdn *s, unsigned core, sdn_conn conn, uint64_t dpid, instant now)
{
    const struct net_change c = {.kind = CHANGE_REFUSE, .conn = conn, .dpid = dpid};

    tell_one(s, core, &c, now);
}

static void claimed(struct sdn *s, unsigned from, const struct net_report *r, instant now)
{
    struct seat *t = s->seat;
    uint32_t place = net_find(s, r->dpid);
    struct seat_switch *w;

    if (place == NET_NONE) {
        place = switch_place(s, now);
        if (place == NET_NONE) {
            refuse(s, from, r->conn, r->dpid, now);
            return;
        }
    }
    w = &t->sw[place];
    const struct net_switch *n = &s->net->sw[place];
    if (!n->known || !n->connected || (n->core == from && n->conn == r->conn)) {
        accept(s, place, from, r, now);
        return;
    }
    if (w->claim_at && (w->claim_core != from || w->claim_conn != r->conn)) {
        refuse(s, from, r->conn, r->dpid, now);
        return;
    }
    if (!w->claim_at)
        w->claim_at = now;
    w->claim_core = from;
    w->claim_conn = r->conn;
    t->look_at = min_u64(t->look_at, w->claim_at + PROBE_US);
    const struct net_change c = {.kind = CHANGE_PROBE, .conn = n->conn, .dpid = r->dpid};
    tell_one(s, n->core, &c, now);
}

static void replaced(struct sdn *s, uint32_t place, instant now)
{
    struct seat_switch *w = &s->seat->sw[place];
    const struct net_report r = {
        .conn = w->claim_conn, .dpid = s->net->sw[place].dpid, .flag = s->net->sw[place].pof_blind};

    s->stats.duplicates++;
    accept(s, place, w->claim_core, &r, now);
}

static void alive(struct sdn *s, unsigned from, const struct net_report *r, instant now)
{
    uint32_t place = net_find(s, r->dpid);

    if (place == NET_NONE)
        return;
    struct seat_switch *w = &s->seat->sw[place];
    const struct net_switch *n = &s->net->sw[place];
    if (!w->claim_at || n->core != from || n->conn != r->conn)
        return;
    w->claim_at = 0;
    refuse(s, w->claim_core, w->claim_conn, r->dpid, now);
}

static void gone(struct sdn *s, unsigned from, const struct net_report *r, instant now)
{
    uint32_t place = net_find(s, r->dpid);
    struct net_change c;

    if (place == NET_NONE)
        return;
    struct seat_switch *w = &s->seat->sw[place];
    const struct net_switch *n = &s->net->sw[place];
    if (w->claim_at && w->claim_core == from && w->claim_conn == r->conn)
        w->claim_at = 0;
    if (!n->connected || n->core != from || n->conn != r->conn)
        return;
    if (w->claim_at) {
        replaced(s, place, now);
        return;
    }
    w->gone_at = now;
    s->seat->look_at = min_u64(s->seat->look_at, now + s->config.link_us);
    change_of(s, place, &c);
    c.connected = false;
    decide(s, &c, now);
}

/* ---- reports, time ---- */

/* What a port of a switch reports counts only from the core that has the switch. */
static bool is_owner(const struct sdn *s, unsigned from, const struct net_report *r)
{
    const struct net *n = s->net;

    return r->net < n->sw_used && n->sw[r->net].known && n->sw[r->net].connected &&
           n->sw[r->net].core == from && n->sw[r->net].dpid == r->dpid;
}

void seat_report(struct sdn *s, unsigned from, const struct net_report *r, instant now)
{
    uint32_t i;

    switch ((enum net_report_kind)r->kind) {
    case REPORT_CLAIM:
        claimed(s, from, r, now);
        return;
    case REPORT_GONE:
        gone(s, from, r, now);
        return;
    case REPORT_ALIVE:
        alive(s, from, r, now);
        return;
    case REPORT_LINK:
        if (is_owner(s, from, r))
            link_reported(s, r, now);
        return;
    case REPORT_NOLINK:
        i = is_owner(s, from, r) ? net_link_into(s, r->net, r->port) : NET_NONE;
        if (i != NET_NONE)
            link_gone(s, i, now);
        return;
    case REPORT_HOST:
        if (is_owner(s, from, r))
            host_reported(s, r, now);
        return;
    case REPORT_SILENT:
        i = net_host_find(s, &r->mac, r->vlan);
        if (i != NET_NONE && s->net->host[i].at == r->net && is_owner(s, from, r))
            host_gone(s, i, now);
        return;
    case REPORT_PORT_DOWN:
        if (is_owner(s, from, r))
            hosts_gone(s, r->net, r->port, now);
        return;
    case REPORT_KINDS:
        break;
    }
    MR_ASSERT(r->kind < REPORT_KINDS);
}

void seat_advance(struct sdn *s, instant now)
{
    struct seat *t = s->seat;

    if (now < t->look_at)
        return;
    t->look_at = INSTANT_NEVER;
    for (uint32_t i = 0; i < s->net->sw_used; i++) {
        struct seat_switch *w = &t->sw[i];
        const struct net_switch *n = &s->net->sw[i];
        if (w->claim_at && now - w->claim_at >= PROBE_US)
            replaced(s, i, now);
        if (w->claim_at)
            t->look_at = min_u64(t->look_at, w->claim_at + PROBE_US);
        if (n->connected || n->in == NET_NONE)
            continue;
        /* For a while it may come back before anybody has to be led around it. */
        if (now - w->gone_at >= s->config.link_us)
            links_into_gone(s, i, now);
        else
            t->look_at = min_u64(t->look_at, w->gone_at + s->config.link_us);
    }
}

instant seat_deadline(const struct sdn *s)
{
    return s->seat->look_at;
}
