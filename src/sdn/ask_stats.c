/* What only the switch knows: flows, groups, meters, tables.  Replies become JSON as they come. */
#include "sdn/ask.h"

/* A question's requests, one after the other, and what their answers are called. */
struct stage {
    enum ofp_stats type;
    const char *key;
};

static const struct stage *stages_of(enum sdn_ask_kind k, unsigned *n)
{
    static const struct stage flows[] = {{OFPMP_FLOW, "flows"}};
    static const struct stage tables[] = {{OFPMP_TABLE, "tables"}};
    static const struct stage groups[] = {{OFPMP_GROUP_DESC, "groups"}, {OFPMP_GROUP, "stats"}};
    static const struct stage meters[] = {{OFPMP_METER_CONFIG, "meters"}, {OFPMP_METER, "stats"}};

    *n = k == SDN_ASK_GROUPS || k == SDN_ASK_METERS ? 2 : 1;
    return k == SDN_ASK_FLOWS    ? flows
           : k == SDN_ASK_TABLES ? tables
           : k == SDN_ASK_GROUPS ? groups
                                 : meters;
}

/* 0; 501: the dialect cannot ask that; 503: no room. */
static unsigned request(struct sdn *s, struct sdn_switch *sw, struct ask_wait *w, uint64_t ticket)
{
    unsigned n_stages;
    const struct stage *st = &stages_of(w->q->kind, &n_stages)[w->stage];
    uint8_t *b = say_begin(s, sw, 2048, true);
    uint32_t xid = xid_next(sw);
    struct ofp_flow all;
    size_t n;

    if (!b)
        return 503;
    ofp_flow_init(&all);
    all.table = OFP_TABLE_ALL;
    n = ofp_emit_multipart_request(sw->dialect, b, 2048, xid, st->type,
                                   w->q->flow ? w->q->flow : &all, OFPP_ANY);
    say_end(s, sw, n, true);
    if (n == 0)
        return 501;
    xid_note(s, sw, xid, XID_ASK, ticket);
    json_array(&w->j, st->key);
    return 0;
}

static void refuse(struct sdn *s, struct ask_wait *w, unsigned status)
{
    ask_refused(s, ask_wait_over(s, w), status,
                status == 501 ? "the switch's protocol has none of these"
                              : "too much is waiting for this switch already");
}

void ask_stats(struct sdn *s, struct sdn_ask *q)
{
    struct sdn_switch *sw = ask_switch_of(s, q);
    uint64_t ticket = sw ? ask_wait(s, q, sw) : 0;
    struct ask_wait *w = ticket != 0 ? ask_waiting(s, ticket) : NULL;
    unsigned status;

    if (!w)
        return;
    json_object(&w->j, NULL);
    ask_json_dpid(&w->j, "dpid", sw->dpid);
    status = request(s, sw, w, ticket);
    if (status != 0)
        refuse(s, w, status);
}

/* ---- replies ---- */

static int flows_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    struct ofp_flow_stats f;
    uint32_t off = 0;
    int more;

    while ((more = ofp_next_flow_stats(d, mp, &off, &f)) > 0 && !j->out.cut) {
        json_object(j, NULL);
        ask_json_flow(j, &f.flow);
        json_u64(j, "duration_s", f.duration_s);
        json_u64(j, "duration_ns", f.duration_ns);
        ask_json_count(j, "packets", f.packets);
        ask_json_count(j, "bytes", f.bytes);
        json_end(j);
    }
    return more;
}

static int tables_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    struct ofp_table_stats t;
    uint32_t off = 0;
    int more;

    while ((more = ofp_next_table_stats(d, mp, &off, &t)) > 0 && !j->out.cut) {
        json_object(j, NULL);
        json_u64(j, "table_id", t.table);
        json_u64(j, "active", t.active);
        ask_json_count(j, "lookups", t.lookups);
        ask_json_count(j, "matched", t.matched);
        if (d == OFP_10) {
            json_u64(j, "max", t.max);
            json_str(j, "name", t.name);
        }
        json_end(j);
    }
    return more;
}

static void bucket_value(struct json *j, const struct ofp_bucket *b)
{
    json_object(j, NULL);
    json_u64(j, "weight", b->weight);
    json_u64(j, "watch_port", b->watch_port);
    json_u64(j, "watch_group", b->watch_group);
    ask_json_actions(j, &b->actions);
    json_end(j);
}

static int groups_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    static const char *const types[] = {"ALL", "SELECT", "INDIRECT", "FF"};
    struct ofp_group g;
    uint32_t off = 0;
    int more;

    while ((more = ofp_next_group_desc(d, mp, &off, &g)) > 0 && !j->out.cut) {
        json_object(j, NULL);
        json_u64(j, "group_id", g.id);
        json_str(j, "type", types[g.type & 3]);
        json_array(j, "buckets");
        for (uint32_t i = 0; i < g.buckets; i++)
            bucket_value(j, &g.bucket[i]);
        json_end(j);
        json_end(j);
    }
    return more;
}

static int group_stats_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    struct ofp_group_stats g;
    uint32_t off = 0;
    int more;

    while ((more = ofp_next_group_stats(d, mp, &off, &g)) > 0 && !j->out.cut) {
        json_object(j, NULL);
        json_u64(j, "group_id", g.id);
        json_u64(j, "ref_count", g.ref_count);
        ask_json_count(j, "packets", g.packets);
        ask_json_count(j, "bytes", g.bytes);
        json_u64(j, "duration_s", g.duration_s);
        json_end(j);
    }
    return more;
}

static void band_value(struct json *j, const struct ofp_band *b)
{
    json_object(j, NULL);
    json_str(j, "type", b->type == 2 ? "DSCP_REMARK" : "DROP");
    json_u64(j, "rate", b->rate);
    json_u64(j, "burst_size", b->burst);
    if (b->type == 2)
        json_u64(j, "prec_level", b->prec_level);
    json_end(j);
}

static int meters_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    static const char *const flags[] = {"KBPS", "PKTPS", "BURST", "STATS"};
    struct ofp_meter m;
    uint32_t off = 0;
    int more;

    while ((more = ofp_next_meter_config(d, mp, &off, &m)) > 0 && !j->out.cut) {
        json_object(j, NULL);
        json_u64(j, "meter_id", m.id);
        json_array(j, "flags");
        for (unsigned i = 0; i < 4; i++)
            if (m.flags >> i & 1)
                json_str(j, NULL, flags[i]);
        json_end(j);
        json_array(j, "bands");
        for (uint32_t i = 0; i < m.bands; i++)
            band_value(j, &m.band[i]);
        json_end(j);
        json_end(j);
    }
    return more;
}

static int meter_stats_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    struct ofp_meter_stats m;
    uint32_t off = 0;
    int more;

    while ((more = ofp_next_meter_stats(d, mp, &off, &m)) > 0 && !j->out.cut) {
        json_object(j, NULL);
        json_u64(j, "meter_id", m.id);
        json_u64(j, "flows", m.flows);
        ask_json_count(j, "packets_in", m.packets_in);
        ask_json_count(j, "bytes_in", m.bytes_in);
        json_u64(j, "duration_s", m.duration_s);
        json_end(j);
    }
    return more;
}

static int reply_in(struct json *j, enum ofp_dialect d, const struct ofp_multipart *mp)
{
    if (mp->type == OFPMP_FLOW)
        return flows_in(j, d, mp);
    if (mp->type == OFPMP_TABLE)
        return tables_in(j, d, mp);
    if (mp->type == OFPMP_GROUP_DESC)
        return groups_in(j, d, mp);
    if (mp->type == OFPMP_GROUP)
        return group_stats_in(j, d, mp);
    return mp->type == OFPMP_METER_CONFIG ? meters_in(j, d, mp) : meter_stats_in(j, d, mp);
}

/* A reply's end: the next request, or the answer. */
static void stage_done(struct sdn *s, struct sdn_switch *sw, struct ask_wait *w, uint64_t ticket)
{
    unsigned n, status;

    json_end(&w->j);
    stages_of(w->q->kind, &n);
    if (++w->stage < n && !w->j.out.cut) {
        status = request(s, sw, w, ticket);
        if (status != 0)
            refuse(s, w, status);
        return;
    }
    struct sdn_ask *q = ask_wait_over(s, w);
    while (w->j.depth > 0)
        json_end(&w->j);
    ask_json(s, q, &w->j);
}

void ask_multipart(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_msg *m,
                   const struct ofp_multipart *mp, instant now)
{
    struct ask_wait *w = ask_waiting(s, arg);
    unsigned n;

    (void)now;
    if (!w || w->conn != sw->conn)
        return;
    if (mp->type != stages_of(w->q->kind, &n)[w->stage].type ||
        reply_in(&w->j, sw->dialect, mp) < 0) {
        struct sdn_ask *q = ask_wait_over(s, w);
        session_bad(s, sw, m, 1, 6); /* BAD_REQUEST, BAD_LEN */
        ask_refused(s, q, 502, "the switch's answer is malformed");
        return;
    }
    if (!mp->more)
        stage_done(s, sw, w, arg);
}
