/* ONOS's flows, groups and meters. */
#include <string.h>
#include <strings.h>

#include "north/serve.h"

/* A flow's number there: of what makes it the flow it is. */
uint64_t onos_flow_id(uint64_t dpid, json_t *f)
{
    char *match = json_dumps(json_object_get(f, "match"), JSON_SORT_KEYS | JSON_COMPACT);
    uint64_t h = 0xcbf29ce484222325u;
    char head[64];

    snprintf(head, sizeof(head), "%llx %llu %llu ", (unsigned long long)dpid,
             (unsigned long long)jnum(f, "table_id"), (unsigned long long)jnum(f, "priority"));
    for (const char *s = head; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    for (const char *s = match; s != NULL && *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    free(match);
    return h >> 1; /* a signed number there */
}

json_t *onos_flow(uint64_t dpid, json_t *f)
{
    uint64_t idle = jnum(f, "idle_timeout"), hard = jnum(f, "hard_timeout");
    char id[24], device[24], table[24];

    snprintf(id, sizeof(id), "%llu", (unsigned long long)onos_flow_id(dpid, f));
    snprintf(table, sizeof(table), "%llu", (unsigned long long)jnum(f, "table_id"));
    onos_dpid(device, dpid);
    return json_pack("{s:s,s:I,s:I,s:s,s:s,s:I,s:b,s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:o,s:o}", "id", id,
                     "groupId", (json_int_t)0, "priority", (json_int_t)jnum(f, "priority"), "appId",
                     "org.millrace.rest", "deviceId", device, "timeout",
                     (json_int_t)(idle != 0 ? idle : hard), "isPermanent", idle == 0 && hard == 0,
                     "state", "ADDED", "liveType", "UNKNOWN", "life",
                     (json_int_t)jnum(f, "duration_s"), "packets", (json_int_t)jnum(f, "packets"),
                     "bytes", (json_int_t)jnum(f, "bytes"), "tableId", table, "tableName", table,
                     "treatment", onos_treatment(json_object_get(f, "actions")), "selector",
                     onos_selector(json_object_get(f, "match")));
}

typedef json_t *(*one_switch)(struct call *c, uint64_t dpid);

static json_t *flows_of(struct call *c, uint64_t dpid)
{
    json_t *said = ask_of_switch(c, SDN_ASK_FLOWS, dpid), *out, *f;
    size_t i;

    if (said == NULL)
        return NULL;
    out = json_array();
    json_array_foreach(json_object_get(said, "flows"), i, f)
        json_array_append_new(out, onos_flow(dpid, f));
    json_decref(said);
    return out;
}

/* The same of every switch, one after the other; those that cannot answer are left out. */
static void of_all(struct call *c, const char *key, one_switch one)
{
    struct sdn_ask q = {.kind = SDN_ASK_SWITCHES};
    json_t *list = ask_list(c, &q, "switches", true), *out, *s;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, s)
    {
        json_t *of = one(c, dpid_of(s, "dpid"));
        if (of != NULL)
            json_array_extend(out, of);
        json_decref(of);
    }
    json_decref(list);
    json_decref(c->out);
    c->status = 200;
    c->out = json_pack("{s:o}", key, out);
}

static void of_one(struct call *c, const char *key, one_switch one)
{
    uint64_t dpid;
    json_t *list;

    if (call_dpid(c, 0, true, &dpid) && (list = one(c, dpid)) != NULL)
        c->out = json_pack("{s:o}", key, list);
}

void onos_flows(struct call *c)
{
    of_all(c, "flows", flows_of);
}
void onos_flows_of(struct call *c)
{
    of_one(c, "flows", flows_of);
}

/* The flow with that number, as ours; NULL: c is answered. */
static json_t *flow_find(struct call *c, uint64_t *dpid)
{
    json_t *said, *f, *found = NULL;
    uint64_t id;
    size_t i;

    if (!number_read(c->arg[1], &id)) {
        call_fail(c, 400, "path: '%.40s' is no flow's number", c->arg[1]);
        return NULL;
    }
    if (!call_dpid(c, 0, true, dpid) || (said = ask_of_switch(c, SDN_ASK_FLOWS, *dpid)) == NULL)
        return NULL;
    json_array_foreach(json_object_get(said, "flows"), i, f) if (onos_flow_id(*dpid, f) == id)
        found = json_incref(f);
    json_decref(said);
    if (found == NULL)
        call_fail(c, 404, "no flow %llu there", (unsigned long long)id);
    return found;
}

void onos_flow_get(struct call *c)
{
    uint64_t dpid;
    json_t *f = flow_find(c, &dpid);

    if (f != NULL)
        c->out = json_pack("{s:[o]}", "flows", onos_flow(dpid, f));
    json_decref(f);
}

static bool add_one(struct call *c, uint64_t dpid, json_t *body)
{
    struct ofp_flow f;
    struct why w;

    if (!onos_flow_in(body, &f, &w)) {
        call_fail(c, 400, "%s", w.text);
        return false;
    }
    f.command = OFPFC_ADD;
    do_flow(c, dpid, &f, 201);
    return c->status < 300;
}

void onos_flow_add(struct call *c)
{
    uint64_t dpid;

    if (call_dpid(c, 0, true, &dpid))
        add_one(c, dpid, c->body);
}

void onos_flows_add(struct call *c)
{
    json_t *list = json_object_get(c->body, "flows"), *o;
    size_t i;

    if (!json_is_array(list)) {
        call_fail(c, 400, "flows: an array is wanted");
        return;
    }
    json_array_foreach(list, i, o)
    {
        uint64_t dpid;
        if (!dpid_read(jtext(o, "deviceId"), true, &dpid)) {
            call_fail(c, 400, "flows[%zu].deviceId: is no device", i);
            return;
        }
        if (!add_one(c, dpid, o))
            return;
    }
    c->status = 200;
}

void onos_flow_delete(struct call *c)
{
    static const char *const keep[] = {"table_id", "priority", "match"};
    uint64_t dpid;
    json_t *f = flow_find(c, &dpid), *to;
    struct ofp_flow flow;
    struct why w;

    if (f == NULL)
        return;
    to = json_object();
    for (size_t i = 0; i < ARRAY_LEN(keep); i++)
        json_object_set(to, keep[i], json_object_get(f, keep[i]));
    if (flow_in(to, 0, &flow, &w)) {
        flow.command = OFPFC_DELETE_STRICT;
        do_flow(c, dpid, &flow, 204);
    } else {
        call_fail(c, 501, "%s", w.text);
    }
    json_decref(to);
    json_decref(f);
}

/* ---- groups ---- */

/* The member of list whose `key` is id. */
static json_t *with_id(json_t *list, const char *key, uint64_t id)
{
    json_t *o;
    size_t i;

    json_array_foreach(list, i, o) if (jnum(o, key) == id) return o;
    return NULL;
}

static json_t *group_out(uint64_t dpid, json_t *g, json_t *s)
{
    const char *type = jtext(g, "type");
    json_t *buckets = json_array(), *b;
    char id[24], device[24];
    size_t i;

    snprintf(id, sizeof(id), "%llu", (unsigned long long)jnum(g, "group_id"));
    onos_dpid(device, dpid);
    if (strcmp(type, "FF") == 0)
        type = "FAILOVER";
    json_array_foreach(json_object_get(g, "buckets"), i, b)
        json_array_append_new(buckets, json_pack("{s:s,s:o,s:I}", "type", type, "treatment",
                                                 onos_treatment(json_object_get(b, "actions")),
                                                 "weight", (json_int_t)jnum(b, "weight")));
    return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:s,s:s,s:s,s:o}", "id", id, "state", "ADDED",
                     "life", (json_int_t)jnum(s, "duration_s"), "packets",
                     (json_int_t)jnum(s, "packets"), "bytes", (json_int_t)jnum(s, "bytes"),
                     "referenceCount", (json_int_t)jnum(s, "ref_count"), "type", type, "deviceId",
                     device, "appId", "org.millrace.rest", "buckets", buckets);
}

static json_t *groups_of(struct call *c, uint64_t dpid)
{
    json_t *said = ask_of_switch(c, SDN_ASK_GROUPS, dpid), *out, *g;
    size_t i;

    if (said == NULL)
        return NULL;
    out = json_array();
    json_array_foreach(json_object_get(said, "groups"), i, g) json_array_append_new(
        out, group_out(dpid, g,
                       with_id(json_object_get(said, "stats"), "group_id", jnum(g, "group_id"))));
    json_decref(said);
    return out;
}

void onos_groups(struct call *c)
{
    of_all(c, "groups", groups_of);
}
void onos_groups_of(struct call *c)
{
    of_one(c, "groups", groups_of);
}

void onos_group_add(struct call *c)
{
    struct ofp_group *g = calloc(1, sizeof(*g));
    struct sdn_ask q = {.kind = SDN_DO_GROUP, .group = g};
    struct why w;

    if (g == NULL)
        call_fail(c, 503, "out of memory");
    else if (!onos_group_in(c->body, g, &w))
        call_fail(c, 400, "%s", w.text);
    else if (call_dpid(c, 0, true, &q.dpid))
        ask_command(c, &q, 201);
    free(g);
}

/* ---- meters ---- */

static json_t *meter_out(uint64_t dpid, json_t *m, json_t *s)
{
    json_t *bands = json_array(), *b, *flags = json_object_get(m, "flags"), *flag;
    bool packets = false, burst = false;
    char id[24], device[24];
    size_t i;

    snprintf(id, sizeof(id), "%llu", (unsigned long long)jnum(m, "meter_id"));
    onos_dpid(device, dpid);
    json_array_foreach(flags, i, flag)
    {
        packets = packets || strcmp(json_string_value(flag), "PKTPS") == 0;
        burst = burst || strcmp(json_string_value(flag), "BURST") == 0;
    }
    json_array_foreach(json_object_get(m, "bands"), i, b) json_array_append_new(
        bands,
        json_pack("{s:s,s:I,s:I,s:I}", "type",
                  strcmp(jtext(b, "type"), "DROP") == 0 ? "DROP" : "REMARK", "rate",
                  (json_int_t)jnum(b, "rate"), "burstSize", (json_int_t)jnum(b, "burst_size"),
                  "prec", (json_int_t)jnum(b, "prec_level")));
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:s,s:b,s:s,s:s,s:s,s:o}", "id", id, "life",
                     (json_int_t)jnum(s, "duration_s"), "packets",
                     (json_int_t)jnum(s, "packets_in"), "bytes", (json_int_t)jnum(s, "bytes_in"),
                     "referenceCount", (json_int_t)jnum(s, "flows"), "unit",
                     packets ? "PKTS_PER_SEC" : "KB_PER_SEC", "burst", burst, "deviceId", device,
                     "appId", "org.millrace.rest", "state", "ADDED", "bands", bands);
}

static json_t *meters_of(struct call *c, uint64_t dpid)
{
    json_t *said = ask_of_switch(c, SDN_ASK_METERS, dpid), *out, *m;
    size_t i;

    if (said == NULL)
        return NULL;
    out = json_array();
    json_array_foreach(json_object_get(said, "meters"), i, m) json_array_append_new(
        out, meter_out(dpid, m,
                       with_id(json_object_get(said, "stats"), "meter_id", jnum(m, "meter_id"))));
    json_decref(said);
    return out;
}

void onos_meters(struct call *c)
{
    of_all(c, "meters", meters_of);
}
void onos_meters_of(struct call *c)
{
    of_one(c, "meters", meters_of);
}

void onos_meter_add(struct call *c)
{
    struct ofp_meter m;
    struct sdn_ask q = {.kind = SDN_DO_METER, .meter = &m};
    struct why w;
    json_t *said, *o;
    size_t i;

    if (!call_dpid(c, 0, true, &q.dpid))
        return;
    if (json_object_get(c->body, "id") == NULL) {
        /* The number is the controller's to choose: the one above all that are in use. */
        uint64_t id = 0;
        if ((said = ask_of_switch(c, SDN_ASK_METERS, q.dpid)) == NULL)
            return;
        json_array_foreach(json_object_get(said, "meters"), i, o) id =
            jnum(o, "meter_id") > id ? jnum(o, "meter_id") : id;
        json_object_set_new(c->body, "id", jint(id + 1));
        json_decref(said);
    }
    if (onos_meter_in(c->body, &m, &w))
        ask_command(c, &q, 201);
    else
        call_fail(c, 400, "%s", w.text);
}
