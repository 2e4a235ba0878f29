/* The seat: the one writer of what concerns the whole network.
 *
 * What is so is in this core's own replica, written as everybody else's (net_apply).  What others
 * have to be told is kept as an order of places, the last changed at the end:
 *
 *     [switch 3] [link 17] [host 9] [host 4] [switch 1] [host 12]
 *         ^ core 2 was told up to here          ^ core 1           ^ core 3: everything
 *
 * A place that changes moves to the end; so a core that was told nothing of its last three changes
 * hears of one, and the order is never longer than there are places.  Letters are filled from it
 * when they are about to leave (seat_tell): nothing is lost and nothing waits anywhere but here. */
#include "sdn/seat.h"

#define PROBE_US (1 * USEC_PER_SEC)

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

void seat_decide(struct sdn *s, const struct net_change *c, instant now)
{
    net_apply(s, c, now);
    if (s->config.cores > 1)
        order_to_end(s, place_of(s, c));
}

/* What is in a place, as a change. */
void seat_change_of(const struct sdn *s, uint32_t i, struct net_change *c)
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
        seat_change_of(s, t->told[to], &c);
        if (!letter_write(s, to, LETTER_NET_CHANGE, &c, sizeof(c)))
            return;
        t->told[to] = t->order[t->told[to]].next;
    }
}

/* To one core only; it may be lost: whoever asked asks again. */
static void tell_one(struct sdn *s, unsigned to, const struct net_change *c, instant now)
{
    if (to == s->config.core)
        net_apply(s, c, now);
    else
        letter_write(s, to, LETTER_NET_CHANGE, c, sizeof(*c));
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
    seat_links_into_gone(s, best, now);
    while (n->sw[best].out != NET_NONE)
        seat_link_gone(s, n->sw[best].out, now);
    seat_hosts_gone(s, best, 0, now);
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
    seat_decide(s, &c, now);
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
    seat_change_of(s, place, &c);
    c.connected = false;
    seat_decide(s, &c, now);
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
            seat_link_reported(s, r, now);
        return;
    case REPORT_NOLINK:
        i = is_owner(s, from, r) ? net_link_into(s, r->net, r->port) : NET_NONE;
        if (i != NET_NONE)
            seat_link_gone(s, i, now);
        return;
    case REPORT_HOST:
        if (is_owner(s, from, r))
            seat_host_reported(s, r, now);
        return;
    case REPORT_SILENT:
        i = net_host_find(s, &r->mac, r->vlan);
        if (i != NET_NONE && s->net->host[i].at == r->net && is_owner(s, from, r))
            seat_host_gone(s, i, now);
        return;
    case REPORT_PORT_DOWN:
        if (is_owner(s, from, r))
            seat_hosts_gone(s, r->net, r->port, now);
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
            seat_links_into_gone(s, i, now);
        else
            t->look_at = min_u64(t->look_at, w->gone_at + s->config.link_us);
    }
}

instant seat_deadline(const struct sdn *s)
{
    return s->seat->look_at;
}
