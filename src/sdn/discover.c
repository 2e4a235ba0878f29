/* Discovery of links.
 *
 * Every port that is up sends signed probes (lldp.c): at once, then every lldp_us.  The core whose
 * switch hears one owns what it means: who is behind this port.  It tells the seat, and again until
 * the replica says the same.
 *
 *            up                 quiet_us, nobody heard
 *      (down) ----> QUIET --------------------------------> EDGE
 *                    |  ^                                    |
 *        a probe is  |  | nothing for link_us                | a probe is heard,
 *        heard       v  |                                    v and no host has spoken here
 *                     LINK <---------------------------------+
 *
 * A port that was a link and hears nothing more stays quiet until it goes down: what comes in there
 * comes from another switch, and to broadcast into it could close a loop.
 *
 * What is believed: signed by us; not older than two rounds of probes; newer than the last one from
 * there; and not at a port where a host lives (host.c), unless the sender's switch has only just
 * connected (it carried frames before we knew it).  A port that hears a good probe and is a host's
 * is quiet while it does: somebody is about to close a loop there, or to pretend one.  While one
 * neighbour is heard in time another one is not believed, so a segment with many switches does not
 * flap. */
#include "base/sha256.h"
#include "sdn/sdn_int.h"

#define HOSTS_LOOKED_AT 256u
#define BATCH 256u /* probes an advance: the rest follow in the next */
#define GRACE_US (1 * USEC_PER_SEC)
#define SAY_US (200 * USEC_PER_MSEC)
#define VERIFY_US (50 * USEC_PER_MSEC)

struct discover {
    struct hmac_key key;
    struct port_list {
        struct sdn_port *first, *last;
    } queue[PORT_QUEUES];
    instant audit_at;
};

void discover_carve(struct sdn *s)
{
    struct discover *d = mem_carve(&s->mem, sizeof(*d), CACHE_LINE);

    s->discover = d;
    if (d)
        hmac_key_init(&d->key, s->config.secret, sizeof(s->config.secret));
}

/* ---- queues ---- */

static void leave(struct sdn *s, struct sdn_port *p, enum port_queue q)
{
    struct port_list *l = &s->discover->queue[q];
    struct port_place *at = &p->place[q];

    if (!at->in)
        return;
    if (at->before)
        at->before->place[q].next = at->next;
    else
        l->first = at->next;
    if (at->next)
        at->next->place[q].before = at->before;
    else
        l->last = at->before;
    *at = (struct port_place){0};
}

static void join(struct sdn *s, struct sdn_port *p, enum port_queue q)
{
    struct port_list *l = &s->discover->queue[q];

    leave(s, p, q);
    p->place[q] = (struct port_place){.before = l->last, .in = true};
    if (l->last)
        l->last->place[q].next = p;
    else
        l->first = p;
    l->last = p;
}

/* ---- what is said ---- */

static bool replica_agrees(const struct sdn *s, const struct sdn_port *p)
{
    const struct net *n = s->net;
    uint32_t i = net_link_into(s, p->owner->net, p->desc.no);

    if (i == NET_NONE)
        return p->peer_port == 0;
    return n->link[i].from_port == p->peer_port && n->sw[n->link[i].from].dpid == p->peer_dpid;
}

static void say(struct sdn *s, struct sdn_port *p, instant now)
{
    const struct sdn_switch *sw = p->owner;

    p->said_at = now;
    join(s, p, QUEUE_UNSAID);
    if (sw->net == NET_NONE || !sw->accepted)
        return;
    const struct net_report r = {.kind = p->peer_port ? REPORT_LINK : REPORT_NOLINK,
                                 .flag = p->peer_fixed,
                                 .dpid = sw->dpid,
                                 .net = sw->net,
                                 .port = p->desc.no,
                                 .peer_dpid = p->peer_dpid,
                                 .peer_port = p->peer_port};
    net_report(s, &r, now);
}

/* Links into ports that are not there any more. */
static void audit(struct sdn *s, const struct sdn_switch *sw, instant now)
{
    const struct net *n = s->net;

    for (uint32_t i = n->sw[sw->net].in, next; i != NET_NONE; i = next) {
        const struct sdn_port *p = port_find(sw, n->link[i].to_port);
        next = n->link[i].next_in;
        if (p && p->watched)
            continue;
        const struct net_report r = {
            .kind = REPORT_NOLINK, .dpid = sw->dpid, .net = sw->net, .port = n->link[i].to_port};
        net_report(s, &r, now);
    }
}

/* ---- who is heard ---- */

static void peer_set(struct sdn *s, struct sdn_port *p, uint64_t dpid, uint32_t port, instant now)
{
    p->peer_dpid = dpid;
    p->peer_port = port;
    p->was_link = true;
    p->host_seen = false;
    leave(s, p, QUEUE_QUIET);
    leave(s, p, QUEUE_MOVED);
    port_set_is(s, p->owner, p, PORT_LINK);
    say(s, p, now);
}

static void quiet_begin(struct sdn *s, struct sdn_port *p, instant now)
{
    p->quiet_until = now + s->config.quiet_us;
    join(s, p, QUEUE_QUIET);
}

static void peer_lost(struct sdn *s, struct sdn_port *p, instant now)
{
    p->peer_port = 0;
    leave(s, p, QUEUE_EXPIRING);
    port_set_is(s, p->owner, p, PORT_QUIET);
    /* Only remembered from an earlier connection: it may have been moved since. */
    if (!p->peer_nonce) {
        p->was_link = false;
        quiet_begin(s, p, now);
    }
    say(s, p, now);
}

/* The replica remembers what this port heard before its switch had to connect again: it counts as
 * heard just now, or everybody would be led around the switch for the time of a probe. */
static void adopt(struct sdn *s, struct sdn_port *p, instant now)
{
    const struct net *n = s->net;
    uint32_t i = net_link_into(s, p->owner->net, p->desc.no);

    if (i == NET_NONE || p->peer_port || p->host_seen)
        return;
    p->peer_nonce = 0;
    p->peer_seen = now;
    peer_set(s, p, n->sw[n->link[i].from].dpid, n->link[i].from_port, now);
    join(s, p, QUEUE_EXPIRING);
}

/* ---- probes ---- */

static void probe(struct sdn *s, struct sdn_port *p, instant now)
{
    const struct lldp l = {.dpid = p->owner->dpid, .port = p->desc.no, .nonce = now};
    uint8_t b[LLDP_LEN];

    /* A little more often than promised: three may be lost before link_us are over. */
    p->probe_at = now + s->config.lldp_us / 8 * 7;
    join(s, p, QUEUE_PROBE);
    if (p->peer_fixed || p->owner->dialect == POF_HUAWEI)
        return;
    lldp_emit(b, &l, &p->desc.mac, &s->discover->key);
    s->stats.lldp_out += say_frame(s, p->owner, p->desc.no, b, sizeof(b));
}

void discover_verify(struct sdn *s, struct sdn_port *p, instant now)
{
    p->moved_at = now + VERIFY_US;
    join(s, p, QUEUE_MOVED);
    probe(s, p, now);
}

/* ---- ports ---- */

static bool find_fixed(const struct sdn *s, struct sdn_port *p)
{
    for (uint32_t i = 0; i < s->config.n_link; i++) {
        const struct sdn_static_link *l = &s->config.link[i];
        for (unsigned end = 0; end < 2; end++) {
            if (l->dpid[end] != p->owner->dpid || l->port[end] != p->desc.no)
                continue;
            p->peer_dpid = l->dpid[1 - end];
            p->peer_port = l->port[1 - end];
            return true;
        }
    }
    return false;
}

void discover_port_up(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, instant now)
{
    if (p->watched)
        return;
    p->watched = true;
    p->owner = sw;
    p->was_link = p->host_seen = p->peer_fixed = false;
    p->peer_port = 0;
    p->peer_nonce = 0;
    p->host_at = p->verified_at = 0;
    if (s->config.mode != SDN_NETWORK) {
        port_set_is(s, sw, p, PORT_EDGE);
        return;
    }
    port_set_is(s, sw, p, PORT_QUIET);
    p->peer_fixed = find_fixed(s, p);
    if (p->peer_fixed) {
        peer_set(s, p, p->peer_dpid, p->peer_port, now);
        return;
    }
    quiet_begin(s, p, now);
    if (sw->net != NET_NONE)
        adopt(s, p, now);
    probe(s, p, now);
}

void discover_port_down(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, bool tell,
                        instant now)
{
    bool had = p->peer_port != 0;

    if (!p->watched)
        return;
    p->watched = false;
    p->peer_port = 0;
    for (enum port_queue q = 0; q < PORT_QUEUES; q++)
        leave(s, p, q);
    port_set_is(s, sw, p, PORT_QUIET);
    if (!tell || !had || sw->net == NET_NONE)
        return;
    /* Once, and not from a queue: the port may be about to go.  If this is lost the audit says
     * it. */
    const struct net_report r = {
        .kind = REPORT_NOLINK, .dpid = sw->dpid, .net = sw->net, .port = p->desc.no};
    net_report(s, &r, now);
}

void discover_accepted(struct sdn *s, struct sdn_switch *sw, instant now)
{
    for (struct sdn_port *p = sw->ports; p; p = p->next) {
        if (!p->watched || s->config.mode != SDN_NETWORK)
            continue;
        if (p->peer_port)
            say(s, p, now);
        else
            adopt(s, p, now);
    }
}

/* ---- what comes in ---- */

static bool is_fresh(const struct sdn *s, const struct sdn_port *p, const struct lldp *l,
                     instant now)
{
    uint64_t round = s->config.lldp_us;
    bool same = p->peer_port == l->port && p->peer_dpid == l->dpid;

    if (l->port == 0 || l->nonce + 2 * round < now || l->nonce > now + round)
        return false;
    if (p->peer_port && same && l->nonce <= p->peer_nonce)
        return false;
    return !p->peer_port || same || !p->peer_nonce || now - p->peer_seen >= round + round / 2;
}

/* Of many it looks at some: a host that repeats our probe must not make us walk through all. */
static bool hosts_live_at(const struct sdn *s, const struct sdn_port *p)
{
    const struct net *n = s->net;
    uint32_t i = p->owner->net == NET_NONE ? NET_NONE : n->sw[p->owner->net].hosts;

    for (uint32_t k = 0; i != NET_NONE && n->host[i].port != p->desc.no; k++) {
        if (k == HOSTS_LOOKED_AT)
            return true;
        i = n->host[i].next_at;
    }
    return i != NET_NONE;
}

static bool is_hosts(const struct sdn *s, struct sdn_port *p, const struct lldp *l)
{
    uint32_t from = net_find(s, l->dpid);

    if (p->host_seen && !hosts_live_at(s, p))
        p->host_seen = false;
    return p->host_seen &&
           (from == NET_NONE || p->host_at > s->net->sw[from].connected_at + GRACE_US);
}

void discover_input(struct sdn *s, struct sdn_switch *sw, uint32_t in_port, const uint8_t *frame,
                    size_t n, instant now)
{
    struct sdn_port *p = port_find(sw, in_port);
    struct lldp l;

    if (!p || !p->watched || p->peer_fixed || s->config.mode != SDN_NETWORK ||
        !lldp_parse(frame, n, &s->discover->key, &l) || !is_fresh(s, p, &l, now)) {
        s->stats.lldp_refused++;
        return;
    }
    if (is_hosts(s, p, &l)) {
        s->stats.lldp_refused++;
        port_set_is(s, sw, p, PORT_QUIET);
        quiet_begin(s, p, now);
        return;
    }
    s->stats.lldp_in++;
    bool news = p->peer_port != l.port || p->peer_dpid != l.dpid;
    p->peer_nonce = l.nonce;
    p->peer_seen = now;
    join(s, p, QUEUE_EXPIRING);
    if (!news)
        return;
    peer_set(s, p, l.dpid, l.port, now);
    /* Let the other side know as soon. */
    probe(s, p, now);
}

/* ---- time ---- */

static struct sdn_port *first_of(const struct sdn *s, enum port_queue q)
{
    return s->discover->queue[q].first;
}

void discover_advance(struct sdn *s, instant now)
{
    struct sdn_port *p;

    while ((p = first_of(s, QUEUE_EXPIRING)) && now - p->peer_seen >= s->config.link_us)
        peer_lost(s, p, now);
    while ((p = first_of(s, QUEUE_QUIET)) && now >= p->quiet_until) {
        leave(s, p, QUEUE_QUIET);
        port_set_is(s, p->owner, p, PORT_EDGE);
    }
    for (unsigned i = 0; i < BATCH && (p = first_of(s, QUEUE_PROBE)) && now >= p->probe_at; i++)
        probe(s, p, now);
    while ((p = first_of(s, QUEUE_MOVED)) && now >= p->moved_at) {
        leave(s, p, QUEUE_MOVED);
        host_moved(s, p, now);
    }
    while ((p = first_of(s, QUEUE_UNSAID)) && now - p->said_at >= SAY_US) {
        leave(s, p, QUEUE_UNSAID);
        if (p->owner->net == NET_NONE || !replica_agrees(s, p))
            say(s, p, now);
    }
    if (now < s->discover->audit_at)
        return;
    s->discover->audit_at = now + SAY_US;
    for (const struct sdn_switch *sw = s->first; sw; sw = sw->next)
        if (sw->accepted && sw->net != NET_NONE && sw->phase == PHASE_UP)
            audit(s, sw, now);
}

instant discover_deadline(const struct sdn *s)
{
    const struct sdn_port *p;
    instant t = s->first ? s->discover->audit_at : INSTANT_NEVER;

    if ((p = first_of(s, QUEUE_EXPIRING)))
        t = min_u64(t, p->peer_seen + s->config.link_us);
    if ((p = first_of(s, QUEUE_QUIET)))
        t = min_u64(t, p->quiet_until);
    if ((p = first_of(s, QUEUE_PROBE)))
        t = min_u64(t, p->probe_at);
    if ((p = first_of(s, QUEUE_MOVED)))
        t = min_u64(t, p->moved_at);
    if ((p = first_of(s, QUEUE_UNSAID)))
        t = min_u64(t, p->said_at + SAY_US);
    return t;
}
