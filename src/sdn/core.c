#include "sdn/sdn_int.h"

STAT_GROUP(sdn_stat_group, "sdn", SDN_STATS);

void sdn_config_init(struct sdn_config *c)
{
    *c = (struct sdn_config){
        .mode = SDN_NETWORK,
        .cores = 1,
        .conns = 1024,
        .ports = 16384,
        .macs = 2000000,
        .hosts = 2000000,
        .switches = 4096,
        .links = 16384,
        .stored = 16384,
        .chunks = 2048,
        .conn_chunks = 8,
        .handshake_us = 10 * USEC_PER_SEC,
        .echo_us = 5 * USEC_PER_SEC,
        .lldp_us = 300 * USEC_PER_MSEC,
        .link_us = 900 * USEC_PER_MSEC,
        .quiet_us = 1 * USEC_PER_SEC,
        .stats_us = 5 * USEC_PER_SEC,
        .host_us = 15 * 60 * (uint32_t)USEC_PER_SEC,
        .flow_idle_s = 60,
        .flow_hard_s = 0,
        .flow_priority = 100,
    };
}

static void said(struct sdn *s, struct fmt *f, const char *what, size_t *before)
{
    if (f)
        fmt_add(f, "%-28s %10zu KiB\n", what, (s->mem.used - *before + 1023) / 1024);
    *before = s->mem.used;
}

/* Everything behind struct sdn, in order; measures when s->mem does. */
static void carve(struct sdn *s, struct fmt *f)
{
    const struct sdn_config *c = &s->config;
    size_t before = s->mem.used;

    pool_init(&s->switches, &s->mem, c->conns, sizeof(struct sdn_switch), CACHE_LINE);
    pool_init(&s->descs, &s->mem, c->conns, sizeof(struct ofp_desc), MEM_UNIT);
    said(s, f, "connections", &before);
    pool_init(&s->xids, &s->mem, c->conns, XID_BYTES, CACHE_LINE);
    said(s, f, "requests under way", &before);
    pool_init(&s->partials, &s->mem, c->conns, OFP_MSG_MAX + 1, 4096);
    said(s, f, "messages cut anywhere", &before);
    pool_init(&s->ports, &s->mem, c->ports + OWN_PORTS * c->conns, sizeof(struct sdn_port),
              MEM_UNIT);
    said(s, f, "ports", &before);
    chunks_carve(s);
    said(s, f, "output", &before);
    mac_carve(&s->macs, &s->mem, c->macs, c->secret[0]);
    said(s, f, "learnt addresses", &before);
    letters_carve(s);
    said(s, f, "letters", &before);
    net_carve(s);
    fast_carve(s);
    discover_carve(s);
    said(s, f, "the network's replica", &before);
    if (sdn_is_seat(s))
        seat_carve(s);
    said(s, f, "the seat", &before);
    store_carve(s);
    said(s, f, "operators' flows", &before);
    events_carve(s);
    asks_carve(s);
    said(s, f, "events and questions", &before);
    pof_carve(s);
    said(s, f, "POF", &before);
}

static void limits_check(const struct sdn_config *c)
{
    MR_ASSERT(c->cores > 0 && c->cores <= SDN_CORES_MAX && c->core < c->cores);
    MR_ASSERT(c->conns > 0 && c->conns <= SDN_CONNS_MAX && c->conn_chunks > 0 && c->macs > 0);
}

size_t sdn_bytes(const struct sdn_config *c, struct fmt *f)
{
    struct sdn s = {.config = *c};

    limits_check(c);
    mem_init(&s.mem, NULL, 0);
    mem_carve(&s.mem, sizeof(s), CACHE_LINE);
    carve(&s, f);
    return align_up(s.mem.used, 4096);
}

struct sdn *sdn_init(void *memory, const struct sdn_config *c, instant now)
{
    struct mem m;
    struct sdn *s;

    limits_check(c);
    mem_init(&m, memory, SIZE_MAX);
    s = mem_carve(&m, sizeof(*s), CACHE_LINE);
    s->config = *c;
    s->mem = m;
    s->now = now;
    s->now_s = (uint32_t)(now / USEC_PER_SEC);
    carve(s, NULL);
    s->alive_at = s->count_at = now;
    return s;
}

/* ---- connections ---- */

struct sdn_switch *sdn_switch_of(const struct sdn *s, sdn_conn c)
{
    uint32_t index = (c & SDN_CONNS_MAX) - 1;

    if (index >= s->switches.fresh)
        return NULL;
    struct sdn_switch *sw = pool_at(&s->switches, index);
    return sw->conn == c ? sw : NULL;
}

struct sdn_switch *sdn_switch_find(const struct sdn *s, uint64_t dpid)
{
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
        if (sw->phase == PHASE_UP && sw->dpid == dpid && sw->accepted && !sw->auxiliary)
            return sw;
    return NULL;
}

bool sdn_is_new(const struct sdn *s, sdn_conn c)
{
    const struct sdn_switch *sw = sdn_switch_of(s, c);

    return sw && sw->phase < PHASE_UP;
}

const char *sdn_why(const struct sdn *s, sdn_conn c)
{
    const struct sdn_switch *sw = sdn_switch_of(s, c);

    return sw ? sw->why : "";
}

enum sdn_do sdn_do(const struct sdn *s, sdn_conn c)
{
    const struct sdn_switch *sw = sdn_switch_of(s, c);

    return sw ? sw->todo : SDN_DO_NOTHING;
}

void ready_mark(struct sdn *s, struct sdn_switch *sw)
{
    if (sw->is_ready)
        return;
    sw->is_ready = true;
    sw->ready_next = NULL;
    if (s->ready)
        s->ready_last->ready_next = sw;
    else
        s->ready = sw;
    s->ready_last = sw;
}

sdn_conn sdn_next_ready(struct sdn *s)
{
    struct sdn_switch *sw = s->ready;

    if (!sw)
        return 0;
    s->ready = sw->ready_next;
    sw->is_ready = false;
    return sw->conn;
}

bool sdn_who(const struct sdn *s, sdn_conn c, struct sdn_who *out)
{
    const struct sdn_switch *sw = sdn_switch_of(s, c);

    if (!sw || !sw->known)
        return false;
    *out = (struct sdn_who){.dpid = sw->dpid, .dialect = sw->dialect, .ports = sw->n_ports};
    out->up = sw->phase == PHASE_UP && sw->accepted;
    return true;
}

/* ---- time ---- */

void sdn_advance(struct sdn *s, instant now)
{
    MR_ASSERT(now >= s->now);
    s->now = now;
    s->now_s = (uint32_t)(now / USEC_PER_SEC);
    alive_advance(s);
    net_advance(s, now);
    store_advance(s, now);
    ask_advance(s, now);
    pof_advance(s, now);
    count_advance(s, now);
}

static instant earlier(instant a, instant b)
{
    return a < b ? a : b;
}

instant sdn_deadline(const struct sdn *s)
{
    instant t = s->first ? s->alive_at : INSTANT_NEVER;

    t = earlier(t, net_deadline(s));
    t = earlier(t, store_deadline(s));
    t = earlier(t, ask_deadline(s));
    t = earlier(t, pof_deadline(s));
    return earlier(t, count_deadline(s));
}

const struct sdn_stats *sdn_stats(const struct sdn *s)
{
    return &s->stats;
}

static void switch_check(const struct sdn *s, const struct sdn_switch *sw)
{
    uint32_t ports = 0, last = 0;

    MR_ASSERT(sdn_switch_of(s, sw->conn) == sw);
    MR_ASSERT((sw->partial != NULL) == (sw->partial_n > 0));
    MR_ASSERT((sw->mac_id != 0) == (sw->known && !sw->auxiliary));
    for (const struct sdn_port *p = sw->ports; p; p = p->next, ports++) {
        bool edge = port_is_up(p) && p->is == PORT_EDGE && s->config.mode != SDN_NONE;
        MR_ASSERT(ports == 0 || p->desc.no > last);
        MR_ASSERT(port_is_short(sw, p->desc.no) == (edge && p->desc.no < SHORT_PORTS));
        last = p->desc.no;
    }
    MR_ASSERT(ports == sw->n_ports);
    chunks_check(s, sw);
}

void sdn_check(const struct sdn *s)
{
    uint32_t n = 0, ports = 0, partials = 0, ready = 0, marked = 0;

    for (const struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        switch_check(s, sw);
        n++;
        ports += sw->n_ports;
        partials += sw->partial != NULL;
        marked += sw->is_ready;
    }
    for (const struct sdn_switch *sw = s->ready; sw; sw = sw->ready_next) {
        MR_ASSERT(sw->is_ready && (sw->ready_next || sw == s->ready_last));
        ready++;
    }
    MR_ASSERT(ready == marked);
    MR_ASSERT(n == s->switches.used && ports == s->ports.used && partials == s->partials.used);
    mac_check(&s->macs);
}
