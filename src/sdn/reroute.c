/* Flows that a change has made wrong.
 *
 * path.c says which next hops of this core's switches are no longer next hops of a destination.
 * Here that becomes deletions: in 1.3 of the flows with that destination's cookie, in 1.0, which
 * has no cookies to choose by, of the flows that leave at the lost port (and what operators have
 * asked for is put back).  Nothing is put in their place: the next packet comes as a packet-in and
 * finds the new way.  Where most destinations are concerned the ports are faster named in 1.3 too.
 *
 * What could not be said for want of room stays marked and is said later.  Deletions take the way
 * of packet-ins' answers, behind them, never past them: an answer from before the change that
 * arrived after the deletion would stay.
 *
 * A switch that comes back brings flows of its earlier connection, and what changed meanwhile
 * nobody could tell it: they are removed as soon as its links are known again.  Flows of an
 * earlier run of the controller go on forwarding until the whole network has been found again;
 * then they are removed too.  While it is found ways get nearer all the time: that takes away flows
 * of this connection only where it has said some, or in 1.0 all that leave at the port would go,
 * with nobody known behind the next switch yet (0.8 s: interop/of_ring).  Meanwhile old ones and
 * new ones, made from what is found so far, may lead one host's frames in a circle: 0.8 s in the
 * worst of 5,000 simulated networks (2268). */
#include "sdn/sdn_int.h"

#define FLOW_BYTES 1024u
#define MOVES 256u
#define BUDGET 4096u /* deletions for moved hosts in one advance */
#define EXACT_MAX 64u
#define RETRY_US (5 * USEC_PER_MSEC)
#define RENEW_US (500 * USEC_PER_MSEC)
#define SETTLE_US (3 * USEC_PER_SEC)
#define SETTLE_MAX_US (30 * USEC_PER_SEC)
#define SWEEP_EVERY_US (250 * USEC_PER_MSEC)

struct moved {
    struct mac_addr mac;
    uint16_t vlan;
};
struct reroute {
    uint64_t *bits; /* of connections, by place in the pool: destinations that have lost a hop */
    uint64_t *said; /* the same: destinations that a flow of this connection leads to */
    uint32_t words; /* of one connection */
    struct moved move[MOVES]; /* hosts */
    uint32_t moves;
    bool pending, pof;
    instant retry_at;   /* INSTANT_NEVER: nothing waits */
    instant changed_at; /* the topology */
    instant sweep_at;   /* when some switch may have to be swept */
};

void reroute_carve(struct sdn *s)
{
    uint32_t words = (s->config.switches + 63) / 64;
    struct reroute *r = mem_carve(&s->mem, sizeof(*r), CACHE_LINE);
    size_t bytes = (size_t)s->config.conns * words * sizeof(uint64_t);
    uint64_t *bits = mem_carve(&s->mem, bytes, CACHE_LINE);
    uint64_t *said = mem_carve(&s->mem, bytes, CACHE_LINE);

    s->net->reroute = r;
    if (r)
        *r = (struct reroute){.bits = bits,
                              .said = said,
                              .words = words,
                              .retry_at = INSTANT_NEVER,
                              .sweep_at = INSTANT_NEVER};
}

/* The words of a connection: in r->bits, in r->said. */
static size_t words_at(const struct sdn *s, const struct sdn_switch *sw)
{
    return (size_t)pool_index(&s->switches, sw) * s->net->reroute->words;
}

static uint64_t *bits_of(const struct sdn *s, const struct sdn_switch *sw)
{
    return s->net->reroute->bits + words_at(s, sw);
}

static bool is_openflow(const struct sdn_switch *sw)
{
    return sw->dialect == OFP_10 || sw->dialect == OFP_13;
}

/* ---- saying it ---- */

bool flow_say(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow *f)
{
    uint8_t *b = say_begin(s, sw, FLOW_BYTES, false);
    size_t n = b ? ofp_emit_flow_mod(sw->dialect, b, FLOW_BYTES, xid_next(sw), f) : 0;

    say_end(s, sw, n, false);
    sw->flow_mods += n > 0;
    s->stats.flow_mods += n > 0;
    return n > 0;
}

/* What is behind it is not done before what is in front of it (1.3.5, 6.2). */
static bool barrier_say(struct sdn *s, struct sdn_switch *sw)
{
    uint8_t *b = say_begin(s, sw, OFP_HLEN, false);
    size_t n =
        b ? ofp_emit(sw->dialect, b, OFP_HLEN, OFP_BARRIER_REQUEST, xid_next(sw), NULL, 0) : 0;

    say_end(s, sw, n, false);
    return n > 0;
}

static void deletion(struct ofp_flow *f, const struct sdn *s, const struct sdn_switch *sw)
{
    ofp_flow_init(f);
    f->command = OFPFC_DELETE;
    f->table = OFP_TABLE_ALL;
    if (sw->dialect == OFP_10)
        return;
    f->cookie = s->net->cookie;
    f->cookie_mask = FLOW_OURS_MASK;
}

static bool port_say(struct sdn *s, struct sdn_switch *sw, uint32_t port)
{
    struct ofp_flow f;

    deletion(&f, s, sw);
    f.out_port = port;
    return flow_say(s, sw, &f);
}

static bool all_say(struct sdn *s, struct sdn_switch *sw)
{
    struct ofp_flow f;

    deletion(&f, s, sw);
    return flow_say(s, sw, &f);
}

uint64_t flow_cookie(const struct sdn *s, const struct sdn_switch *sw, uint32_t to)
{
    return s->net->cookie | (uint64_t)sw->flow_conn << 16 | (to & FLOW_TO_MASK);
}

/* ---- what is marked ---- */

static void mark(struct sdn *s)
{
    s->net->reroute->pending = true;
    s->net->reroute->retry_at = s->now;
}

void reroute_said(struct sdn *s, const struct sdn_switch *sw, uint32_t to)
{
    /* To a host of a switch that the seat does not know yet: it goes no further. */
    if (to != NET_NONE)
        s->net->reroute->said[words_at(s, sw) + to / 64] |= UINT64_C(1) << to % 64;
}

bool reroute_has_said(const struct sdn *s, const struct sdn_switch *sw, uint32_t to)
{
    return sw->returned || (s->net->reroute->said[words_at(s, sw) + to / 64] >> to % 64 & 1);
}

void reroute_lost(struct sdn *s, struct sdn_switch *sw, uint32_t to, uint32_t port)
{
    struct sdn_port *p = port_find(sw, port);
    uint64_t *bits = bits_of(s, sw), bit = UINT64_C(1) << to % 64;

    if (!is_openflow(sw) || sw->phase > PHASE_UP)
        return;
    sw->lost += (bits[to / 64] & bit) == 0;
    bits[to / 64] |= bit;
    if (p)
        p->lost = true;
    else
        sw->flush_all = true;
    mark(s);
}

void reroute_port(struct sdn *s, struct sdn_switch *sw, uint32_t port)
{
    if (!is_openflow(sw) || sw->phase > PHASE_UP)
        return;
    if (!port_say(s, sw, port)) {
        sw->flush_all = true;
        mark(s);
    } else if (sw->dialect == OFP_10) {
        store_switch_up(s, sw, s->now);
    }
}

void reroute_host(struct sdn *s, const struct mac_addr *mac, uint16_t vlan, uint32_t at)
{
    struct reroute *r = s->net->reroute;

    mark(s);
    if (r->moves < MOVES) {
        r->move[r->moves++] = (struct moved){.mac = *mac, .vlan = vlan};
        return;
    }
    /* Too many at once: everything towards the switch where it was. */
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
        if (sw->net != NET_NONE)
            reroute_lost(s, sw, at, 0);
}

void reroute_topology_changed(struct sdn *s)
{
    s->net->reroute->changed_at = s->now;
    s->net->reroute->pof = true;
    mark(s);
}

void reroute_switch_up(struct sdn *s, struct sdn_switch *sw, instant now)
{
    struct reroute *r = s->net->reroute;

    if (!is_openflow(sw) || s->config.mode == SDN_NONE)
        return;
    sw->sweep_at = now + SETTLE_US;
    sw->renew_at = sw->returned ? now + RENEW_US : INSTANT_NEVER;
    r->sweep_at = min_u64(r->sweep_at, min_u64(sw->sweep_at, sw->renew_at));
}

void reroute_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    const struct reroute *r = s->net->reroute;

    memset(bits_of(s, sw), 0, r->words * sizeof(uint64_t));
    memset(r->said + words_at(s, sw), 0, r->words * sizeof(uint64_t));
    sw->lost = 0;
    sw->flush_all = false;
    sw->renew_at = sw->sweep_at = INSTANT_NEVER;
}

/* ---- one switch ---- */

static bool exact_say(struct sdn *s, struct sdn_switch *sw)
{
    const struct reroute *r = s->net->reroute;
    uint64_t *bits = bits_of(s, sw);
    struct ofp_flow f;

    deletion(&f, s, sw);
    f.cookie_mask = FLOW_OURS_MASK | FLOW_TO_MASK;
    for (uint32_t w = 0; w < r->words; w++)
        while (bits[w]) {
            uint32_t to = w * 64 + lowest_bit(bits[w]);
            f.cookie = s->net->cookie | to;
            if (!flow_say(s, sw, &f))
                return false;
            bits[w] &= bits[w] - 1;
            sw->lost--;
        }
    return true;
}

static bool ports_say(struct sdn *s, struct sdn_switch *sw)
{
    const struct reroute *r = s->net->reroute;

    for (struct sdn_port *p = sw->ports; p; p = p->next) {
        if (p->lost && !port_say(s, sw, p->desc.no))
            return false;
        p->lost = false;
    }
    memset(bits_of(s, sw), 0, r->words * sizeof(uint64_t));
    sw->lost = 0;
    return true;
}

static bool switch_flush(struct sdn *s, struct sdn_switch *sw)
{
    bool exact = sw->dialect == OFP_13 && sw->lost <= EXACT_MAX;

    if (sw->lost == 0 && !sw->flush_all)
        return true;
    if (!barrier_say(s, sw))
        return false;
    if (sw->flush_all && !all_say(s, sw))
        return false;
    if (!sw->flush_all && !(exact ? exact_say(s, sw) : ports_say(s, sw)))
        return false;
    memset(bits_of(s, sw), 0, s->net->reroute->words * sizeof(uint64_t));
    for (struct sdn_port *p = sw->ports; p; p = p->next)
        p->lost = false;
    sw->lost = 0;
    sw->flush_all = false;
    s->stats.reroutes++;
    if (sw->dialect == OFP_10)
        store_switch_up(s, sw, s->now);
    return true;
}

/* ---- hosts that moved ---- */

/* What leads to it; and what comes from it, so that it is heard where it is now. */
static void host_say(struct sdn *s, struct sdn_switch *sw, const struct moved *m)
{
    struct ofp_flow f;
    bool all = true;

    for (unsigned i = 0; i < 2; i++) {
        deletion(&f, s, sw);
        ofp_match_set(&f.match, i == 0 ? OFPF_ETH_DST : OFPF_ETH_SRC, m->mac.b, NULL);
        ofp_match_set_u64(&f.match, OFPF_VLAN_VID, m->vlan ? 0x1000u | m->vlan : 0);
        all = all && flow_say(s, sw, &f);
    }
    if (!all) {
        sw->flush_all = true;
        mark(s);
    }
}

static void moves_flush(struct sdn *s)
{
    struct reroute *r = s->net->reroute;
    uint32_t done = 0;

    while (r->moves > 0 && done < BUDGET) {
        const struct moved m = r->move[--r->moves];
        for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
            if (!is_openflow(sw) || sw->phase != PHASE_UP)
                continue;
            host_say(s, sw, &m);
            if (sw->dialect == OFP_10)
                store_switch_up(s, sw, s->now);
            done++;
        }
    }
}

/* ---- flows of earlier runs and connections ---- */

/* Old: of an earlier connection in this run, or of an earlier run. */
static bool is_old(const struct sdn *s, const struct sdn_switch *sw, uint64_t cookie, bool run)
{
    uint64_t differs = cookie ^ flow_cookie(s, sw, 0);

    if (differs & FLOW_MAGIC_MASK)
        return false;
    return run ? (differs & FLOW_RUN_MASK) != 0
               : (differs & FLOW_RUN_MASK) == 0 && (differs & FLOW_CONN_MASK) != 0;
}

/* What differs from ours in some bit of the field: one deletion a bit. */
static bool sweep_13(struct sdn *s, struct sdn_switch *sw, bool run)
{
    uint64_t ours = flow_cookie(s, sw, 0);
    struct ofp_flow f;

    for (unsigned bit = run ? 32 : 16; bit < (run ? 48u : 32u); bit++) {
        uint64_t one = UINT64_C(1) << bit;
        deletion(&f, s, sw);
        f.cookie_mask = (run ? FLOW_MAGIC_MASK : FLOW_OURS_MASK) | one;
        f.cookie = (ours ^ one) & f.cookie_mask;
        if (!flow_say(s, sw, &f))
            return false;
    }
    return true;
}

static bool sweep_10(struct sdn *s, struct sdn_switch *sw, bool run)
{
    uint32_t xid = xid_next(sw);
    uint8_t *b = say_begin(s, sw, FLOW_BYTES, false);
    size_t n =
        b ? ofp_emit_multipart_request(sw->dialect, b, FLOW_BYTES, xid, OFPMP_FLOW, NULL, OFPP_ANY)
          : 0;

    say_end(s, sw, n, false);
    if (n > 0)
        xid_note(s, sw, xid, XID_SWEEP, run);
    return n > 0;
}

void net_multipart(struct sdn *s, struct sdn_switch *sw, uint64_t run,
                   const struct ofp_multipart *mp)
{
    struct ofp_flow_stats e;
    uint32_t off = 0;

    if (mp->type != OFPMP_FLOW)
        return;
    while (ofp_next_flow_stats(sw->dialect, mp, &off, &e) == 1) {
        if (!is_old(s, sw, e.flow.cookie, run != 0))
            continue;
        e.flow.command = OFPFC_DELETE_STRICT;
        if (sw->dialect == OFP_10) /* which says the table, and has no word to ask for it */
            e.flow.table = OFP_TABLE_ALL;
        e.flow.out_port = e.flow.out_group = OFPP_ANY;
        e.flow.buffer_id = OFP_NO_BUFFER;
        if (flow_say(s, sw, &e.flow))
            continue;
        /* No room for all of them: the rest at another time. */
        if (run)
            sw->sweep_at = s->now + SETTLE_US;
        else
            sw->renew_at = s->now + RENEW_US;
        s->net->reroute->sweep_at = s->now + RENEW_US;
        return;
    }
}

static bool sweep_one(struct sdn *s, struct sdn_switch *sw, bool run)
{
    return sw->dialect == OFP_10 ? sweep_10(s, sw, run) : sweep_13(s, sw, run);
}

static void sweep(struct sdn *s, instant now)
{
    struct reroute *r = s->net->reroute;
    instant quiet = r->changed_at + SETTLE_US;

    r->sweep_at = INSTANT_NEVER;
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        if (!is_openflow(sw) || sw->phase != PHASE_UP)
            continue;
        if (now >= sw->renew_at && sweep_one(s, sw, false))
            sw->renew_at = INSTANT_NEVER;
        if (now >= sw->sweep_at && (now >= quiet || now >= sw->sweep_at + SETTLE_MAX_US) &&
            sweep_one(s, sw, true))
            sw->sweep_at = INSTANT_NEVER;
        if (sw->renew_at != INSTANT_NEVER || sw->sweep_at != INSTANT_NEVER)
            r->sweep_at = now + SWEEP_EVERY_US;
    }
}

/* ---- time ---- */

void reroute_advance(struct sdn *s, instant now)
{
    struct reroute *r = s->net->reroute;
    bool all = true;

    if (r->pof) {
        r->pof = false;
        for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
            if (ofp_is_pof(sw->dialect) && sw->phase == PHASE_UP)
                pof_topology_changed(s, sw, now);
    }
    if (r->pending) {
        r->pending = false;
        r->retry_at = INSTANT_NEVER;
        moves_flush(s);
        for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
            if (sw->phase <= PHASE_UP)
                all &= switch_flush(s, sw);
        if (!all || r->pending || r->moves > 0) {
            r->pending = true;
            r->retry_at = now + RETRY_US;
        }
    }
    if (now >= r->sweep_at)
        sweep(s, now);
}

instant reroute_deadline(const struct sdn *s)
{
    const struct reroute *r = s->net->reroute;

    return min_u64(r->retry_at, r->sweep_at);
}
