/* Ryu's ofctl_rest: paths, and the shapes of answers, as its users know them. */
#include <string.h>

#include "north/serve.h"

/* {"1": what} */
static void reply_dpid(struct call *c, uint64_t dpid, json_t *what)
{
    char key[24];

    if (what == NULL)
        return;
    snprintf(key, sizeof(key), "%llu", (unsigned long long)dpid);
    json_decref(c->out);
    c->out = json_object();
    json_object_set_new(c->out, key, what);
}

void ryu_switches(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_SWITCHES};
    json_t *list = ask_list(c, &q, "switches", true), *out, *s;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, s) json_array_append_new(out, jint(dpid_of(s, "dpid")));
    json_decref(list);
    c->out = out;
}

void ryu_desc(struct call *c)
{
    uint64_t dpid;
    json_t *s;

    if (!call_dpid(c, 0, false, &dpid) || (s = ask_of_switch(c, SDN_ASK_SWITCH, dpid)) == NULL)
        return;
    reply_dpid(c, dpid,
               json_pack("{s:s,s:s,s:s,s:s,s:s}", "mfr_desc", jtext(s, "manufacturer"), "hw_desc",
                         jtext(s, "hardware"), "sw_desc", jtext(s, "software"), "serial_num",
                         jtext(s, "serial"), "dp_desc", jtext(s, "description")));
    json_decref(s);
}

/* ---- flows ---- */

/* An action as Ryu says it: "OUTPUT:2", "SET_FIELD: {eth_dst:...}". */
static json_t *action_text(json_t *a)
{
    static const char *const keys[] = {"port",   "group_id", "queue_id", "ethertype", "mpls_ttl",
                                       "nw_ttl", "table_id", "meter_id", "metadata"};
    const char *type = jtext(a, "type");
    char text[200];

    if (strcmp(type, "SET_FIELD") == 0) {
        char *v = json_dumps(json_object_get(a, "value"), JSON_ENCODE_ANY);
        size_t n = v != NULL ? strlen(v) : 0;
        bool quoted = n >= 2 && v[0] == '"';
        snprintf(text, sizeof(text), "SET_FIELD: {%s:%.*s}", jtext(a, "field"),
                 (int)(quoted ? n - 2 : n), v != NULL ? v + quoted : "");
        free(v);
        return json_string(text);
    }
    if (strcmp(type, "WRITE_ACTIONS") == 0) {
        json_t *list = json_array(), *one;
        size_t i;
        json_array_foreach(json_object_get(a, "actions"), i, one)
            json_array_append_new(list, action_text(one));
        return json_pack("{s:o}", type, list);
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_t *v = json_object_get(a, keys[i]);
        if (json_is_integer(v))
            snprintf(text, sizeof(text), "%s:%llu", type,
                     (unsigned long long)json_integer_value(v));
        else if (json_is_string(v) && json_object_get(a, "metadata_mask") != NULL)
            snprintf(text, sizeof(text), "%s:%s/%s", type, json_string_value(v),
                     jtext(a, "metadata_mask"));
        else if (json_is_string(v))
            snprintf(text, sizeof(text), "%s:%s", type, json_string_value(v));
        else
            continue;
        return json_string(text);
    }
    return json_string(type);
}

static json_t *actions_text(json_t *list)
{
    json_t *out = json_array(), *a;
    size_t i;

    json_array_foreach(list, i, a) json_array_append_new(out, action_text(a));
    return out;
}

/* Matches have OpenFlow 1.0's names in Ryu's answers, for 1.3 too. */
static json_t *match_names(json_t *match)
{
    static const char *const names[][2] = {
        {"eth_src", "dl_src"},    {"eth_dst", "dl_dst"},  {"eth_type", "dl_type"},
        {"vlan_vid", "dl_vlan"},  {"ipv4_src", "nw_src"}, {"ipv4_dst", "nw_dst"},
        {"ip_proto", "nw_proto"}, {"tcp_src", "tp_src"},  {"tcp_dst", "tp_dst"},
        {"udp_src", "tp_src"},    {"udp_dst", "tp_dst"},
    };
    json_t *out = json_object(), *v;
    const char *key;

    json_object_foreach(match, key, v)
    {
        const char *name = key;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (strcmp(key, names[i][0]) == 0)
                name = names[i][1];
        if (strcmp(key, "vlan_vid") == 0 && json_is_integer(v)) {
            char text[24];
            snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
            json_object_set_new(out, name, json_string(text));
        } else {
            json_object_set(out, name, v);
        }
    }
    return out;
}

static uint64_t hex_of(json_t *o, const char *key)
{
    uint64_t v = 0;

    number_read(jtext(o, key), &v);
    return v;
}

static json_t *flow_entry(json_t *f)
{
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "table_id",
        (json_int_t)jnum(f, "table_id"), "duration_sec", (json_int_t)jnum(f, "duration_s"),
        "duration_nsec", (json_int_t)jnum(f, "duration_ns"), "priority",
        (json_int_t)jnum(f, "priority"), "idle_timeout", (json_int_t)jnum(f, "idle_timeout"),
        "hard_timeout", (json_int_t)jnum(f, "hard_timeout"), "flags", (json_int_t)jnum(f, "flags"),
        "cookie", (json_int_t)hex_of(f, "cookie"), "packet_count", (json_int_t)jnum(f, "packets"),
        "byte_count", (json_int_t)jnum(f, "bytes"), "actions",
        actions_text(json_object_get(f, "actions")), "match",
        match_names(json_object_get(f, "match")));
}

/* The flows of a switch, those that a body asks for; NULL: c is answered. */
static json_t *flows_asked(struct call *c, uint64_t *dpid)
{
    struct ofp_flow f;
    struct sdn_ask q = {.kind = SDN_ASK_FLOWS};
    struct why w;

    if (!call_dpid(c, 0, false, dpid))
        return NULL;
    q.dpid = *dpid;
    if (c->body != NULL) {
        if (!flow_in(c->body, 0, &f, &w)) {
            call_fail(c, 400, "%s", w.text);
            return NULL;
        }
        if (json_object_get(c->body, "table_id") == NULL)
            f.table = OFP_TABLE_ALL;
        q.flow = &f;
    }
    return ask_one(c, 0, &q);
}

void ryu_flows(struct call *c)
{
    uint64_t dpid;
    json_t *said = flows_asked(c, &dpid), *list = json_array(), *f;
    size_t i;

    json_array_foreach(json_object_get(said, "flows"), i, f)
        json_array_append_new(list, flow_entry(f));
    if (said != NULL)
        reply_dpid(c, dpid, json_incref(list));
    json_decref(list);
    json_decref(said);
}

void ryu_aggregate(struct call *c)
{
    uint64_t dpid, packets = 0, bytes = 0;
    json_t *said = flows_asked(c, &dpid), *f, *flows = json_object_get(said, "flows");
    size_t i;

    json_array_foreach(flows, i, f)
    {
        packets += jnum(f, "packets");
        bytes += jnum(f, "bytes");
    }
    if (said != NULL)
        reply_dpid(c, dpid,
                   json_pack("[{s:I,s:I,s:I}]", "packet_count", (json_int_t)packets, "byte_count",
                             (json_int_t)bytes, "flow_count", (json_int_t)json_array_size(flows)));
    json_decref(said);
}

/* ---- lists whose members only change their names ---- */

struct rename {
    const char *ours, *theirs;
};

static json_t *renamed(json_t *list, const struct rename *r, size_t n)
{
    json_t *out = json_array(), *o;
    size_t i;

    json_array_foreach(list, i, o)
    {
        json_t *to = json_object();
        for (size_t k = 0; k < n; k++)
            if (json_object_get(o, r[k].ours) != NULL)
                json_object_set(to, r[k].theirs, json_object_get(o, r[k].ours));
        json_array_append_new(out, to);
    }
    return out;
}

static void ryu_renamed(struct call *c, enum sdn_ask_kind k, const char *key,
                        const struct rename *r, size_t n)
{
    uint64_t dpid;
    json_t *said;

    if (!call_dpid(c, 0, false, &dpid) || (said = ask_of_switch(c, k, dpid)) == NULL)
        return;
    reply_dpid(c, dpid, renamed(json_object_get(said, key), r, n));
    json_decref(said);
}

void ryu_ports(struct call *c)
{
    static const struct rename r[] = {
        {"port", "port_no"},
        {"rx_packets", "rx_packets"},
        {"tx_packets", "tx_packets"},
        {"rx_bytes", "rx_bytes"},
        {"tx_bytes", "tx_bytes"},
        {"rx_dropped", "rx_dropped"},
        {"tx_dropped", "tx_dropped"},
        {"rx_errors", "rx_errors"},
        {"tx_errors", "tx_errors"},
        {"rx_frame_err", "rx_frame_err"},
        {"rx_over_err", "rx_over_err"},
        {"rx_crc_err", "rx_crc_err"},
        {"collisions", "collisions"},
        {"duration_s", "duration_sec"},
        {"duration_ns", "duration_nsec"},
    };

    ryu_renamed(c, SDN_ASK_PORTS, "ports", r, ARRAY_LEN(r));
}

void ryu_port_desc(struct call *c)
{
    static const struct rename r[] = {
        {"port", "port_no"},          {"mac", "hw_addr"},         {"name", "name"},
        {"config", "config"},         {"state", "state"},         {"curr", "curr"},
        {"advertised", "advertised"}, {"supported", "supported"}, {"peer", "peer"},
        {"speed_kbps", "curr_speed"}, {"max_kbps", "max_speed"},
    };

    ryu_renamed(c, SDN_ASK_PORTS, "ports", r, ARRAY_LEN(r));
}

void ryu_tables(struct call *c)
{
    static const struct rename r[] = {
        {"table_id", "table_id"},     {"active", "active_count"}, {"lookups", "lookup_count"},
        {"matched", "matched_count"}, {"max", "max_entries"},     {"name", "name"},
    };

    ryu_renamed(c, SDN_ASK_TABLES, "tables", r, ARRAY_LEN(r));
}

void ryu_groups(struct call *c)
{
    static const struct rename r[] = {
        {"group_id", "group_id"}, {"ref_count", "ref_count"},     {"packets", "packet_count"},
        {"bytes", "byte_count"},  {"duration_s", "duration_sec"},
    };

    ryu_renamed(c, SDN_ASK_GROUPS, "stats", r, ARRAY_LEN(r));
}

void ryu_group_desc(struct call *c)
{
    uint64_t dpid;
    json_t *said, *g, *b;
    size_t i, k;

    if (!call_dpid(c, 0, false, &dpid) || (said = ask_of_switch(c, SDN_ASK_GROUPS, dpid)) == NULL)
        return;
    json_array_foreach(json_object_get(said, "groups"), i, g)
        json_array_foreach(json_object_get(g, "buckets"), k, b)
            json_object_set_new(b, "actions", actions_text(json_object_get(b, "actions")));
    reply_dpid(c, dpid, json_incref(json_object_get(said, "groups")));
    json_decref(said);
}

void ryu_meters(struct call *c)
{
    static const struct rename r[] = {
        {"meter_id", "meter_id"},          {"flows", "flow_count"},
        {"packets_in", "packet_in_count"}, {"bytes_in", "byte_in_count"},
        {"duration_s", "duration_sec"},
    };

    ryu_renamed(c, SDN_ASK_METERS, "stats", r, ARRAY_LEN(r));
}

void ryu_meter_config(struct call *c)
{
    static const struct rename r[] = {
        {"meter_id", "meter_id"},
        {"flags", "flags"},
        {"bands", "bands"},
    };

    ryu_renamed(c, SDN_ASK_METERS, "meters", r, ARRAY_LEN(r));
}

void ryu_role(struct call *c)
{
    uint64_t dpid;
    json_t *s;

    if (!call_dpid(c, 0, false, &dpid) || (s = ask_of_switch(c, SDN_ASK_SWITCH, dpid)) == NULL)
        return;
    reply_dpid(c, dpid, json_pack("[{s:s}]", "role", jtext(s, "role")));
    json_decref(s);
}

/* ---- commands ---- */

static bool body_dpid(struct call *c, uint64_t *dpid)
{
    json_t *v = json_object_get(c->body, "dpid");
    struct why w;

    if (v == NULL)
        call_fail(c, 400, "dpid: is missing");
    else if (!number_in(v, UINT64_MAX, "dpid", dpid, &w))
        call_fail(c, 400, "%s", w.text);
    else
        return true;
    return false;
}

static void ryu_flow(struct call *c, enum ofp_command command)
{
    struct ofp_flow f;
    struct why w;
    uint64_t dpid;

    if (!body_dpid(c, &dpid))
        return;
    if (!flow_in(c->body, 0, &f, &w)) {
        call_fail(c, 400, "%s", w.text);
        return;
    }
    f.command = command;
    do_flow(c, dpid, &f, 200);
}

void ryu_flow_add(struct call *c)
{
    ryu_flow(c, OFPFC_ADD);
}
void ryu_flow_modify(struct call *c)
{
    ryu_flow(c, OFPFC_MODIFY);
}
void ryu_flow_modify_strict(struct call *c)
{
    ryu_flow(c, OFPFC_MODIFY_STRICT);
}
void ryu_flow_delete(struct call *c)
{
    ryu_flow(c, OFPFC_DELETE);
}
void ryu_flow_delete_strict(struct call *c)
{
    ryu_flow(c, OFPFC_DELETE_STRICT);
}

void ryu_flow_clear(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_DO_FLOWS_CLEAR};

    if (call_dpid(c, 0, false, &q.dpid))
        ask_command(c, &q, 200);
}

static void ryu_group(struct call *c, enum ofp_mod_command command)
{
    uint64_t dpid;

    if (body_dpid(c, &dpid))
        do_group(c, dpid, command, 200);
}

void ryu_group_add(struct call *c)
{
    ryu_group(c, OFPMC_ADD);
}
void ryu_group_modify(struct call *c)
{
    ryu_group(c, OFPMC_MODIFY);
}
void ryu_group_delete(struct call *c)
{
    ryu_group(c, OFPMC_DELETE);
}

static void ryu_meter(struct call *c, enum ofp_mod_command command)
{
    uint64_t dpid;

    if (body_dpid(c, &dpid))
        do_meter(c, dpid, command, 200);
}

void ryu_meter_add(struct call *c)
{
    ryu_meter(c, OFPMC_ADD);
}
void ryu_meter_modify(struct call *c)
{
    ryu_meter(c, OFPMC_MODIFY);
}
void ryu_meter_delete(struct call *c)
{
    ryu_meter(c, OFPMC_DELETE);
}

void ryu_set_role(struct call *c)
{
    uint64_t dpid;

    if (body_dpid(c, &dpid))
        do_role_of(c, dpid, json_object_get(c->body, "role"));
}

/* {"dpid": 1, "port_no": 1, "config": 1, "mask": 1}: of the bits only PORT_DOWN. */
void ryu_port_modify(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_DO_PORT};
    uint64_t config = 0, mask = 0, no = 0;
    struct why w;

    if (!body_dpid(c, &q.dpid))
        return;
    if (!number_in(json_object_get(c->body, "port_no"), OFPP_MAX, "port_no", &no, &w) ||
        !number_in(json_object_get(c->body, "config"), UINT32_MAX, "config", &config, &w) ||
        !number_in(json_object_get(c->body, "mask"), UINT32_MAX, "mask", &mask, &w)) {
        call_fail(c, 400, "%s", w.text);
    } else if (mask != 1) {
        call_fail(c, 400, "mask: only bit 0 (PORT_DOWN) can be changed");
    } else {
        q.port = (uint32_t)no;
        q.flag = !(config & 1);
        ask_command(c, &q, 200);
    }
}
