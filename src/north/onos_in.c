/* ONOS's selectors and treatments, turned into our matches and actions and back. */
#include <string.h>
#include <strings.h>

#include "north/serve.h"

/* A criterion's type, where its value is, and the field of ours. */
static const struct {
    const char *type, *key, *field;
} criteria[] = {
    {"ETH_TYPE", "ethType", "eth_type"},
    {"ETH_DST", "mac", "eth_dst"},
    {"ETH_SRC", "mac", "eth_src"},
    {"IN_PORT", "port", "in_port"},
    {"IN_PHY_PORT", "port", "in_phy_port"},
    {"METADATA", "metadata", "metadata"},
    {"VLAN_VID", "vlanId", "vlan_vid"},
    {"VLAN_PCP", "priority", "vlan_pcp"},
    {"IP_DSCP", "ipDscp", "ip_dscp"},
    {"IP_ECN", "ipEcn", "ip_ecn"},
    {"IP_PROTO", "protocol", "ip_proto"},
    {"IPV4_SRC", "ip", "ipv4_src"},
    {"IPV4_DST", "ip", "ipv4_dst"},
    {"TCP_SRC", "tcpPort", "tcp_src"},
    {"TCP_DST", "tcpPort", "tcp_dst"},
    {"UDP_SRC", "udpPort", "udp_src"},
    {"UDP_DST", "udpPort", "udp_dst"},
    {"SCTP_SRC", "sctpPort", "sctp_src"},
    {"SCTP_DST", "sctpPort", "sctp_dst"},
    {"ICMPV4_TYPE", "icmpType", "icmpv4_type"},
    {"ICMPV4_CODE", "icmpCode", "icmpv4_code"},
    {"ARP_OP", "arpOp", "arp_op"},
    {"ARP_SPA", "ip", "arp_spa"},
    {"ARP_TPA", "ip", "arp_tpa"},
    {"ARP_SHA", "mac", "arp_sha"},
    {"ARP_THA", "mac", "arp_tha"},
    {"IPV6_SRC", "ip", "ipv6_src"},
    {"IPV6_DST", "ip", "ipv6_dst"},
    {"IPV6_FLABEL", "flowLabel", "ipv6_flabel"},
    {"ICMPV6_TYPE", "icmpv6Type", "icmpv6_type"},
    {"ICMPV6_CODE", "icmpv6Code", "icmpv6_code"},
    {"IPV6_ND_TARGET", "targetAddress", "ipv6_nd_target"},
    {"IPV6_ND_SLL", "mac", "ipv6_nd_sll"},
    {"IPV6_ND_TLL", "mac", "ipv6_nd_tll"},
    {"MPLS_LABEL", "label", "mpls_label"},
    {"MPLS_TC", "tc", "mpls_tc"},
    {"MPLS_BOS", "bos", "mpls_bos"},
    {"TUNNEL_ID", "tunnelId", "tunnel_id"},
    {"IPV6_EXTHDR", "exthdrFlags", "ipv6_exthdr"},
};

/* What sets a field: the instruction's type and subtype. */
static const struct {
    const char *type, *subtype, *key, *field;
} setters[] = {
    {"L2MODIFICATION", "ETH_SRC", "mac", "eth_src"},
    {"L2MODIFICATION", "ETH_DST", "mac", "eth_dst"},
    {"L2MODIFICATION", "VLAN_ID", "vlanId", "vlan_vid"},
    {"L2MODIFICATION", "VLAN_PCP", "vlanPcp", "vlan_pcp"},
    {"L2MODIFICATION", "MPLS_LABEL", "label", "mpls_label"},
    {"L2MODIFICATION", "MPLS_BOS", "bos", "mpls_bos"},
    {"L2MODIFICATION", "TUNNEL_ID", "tunnelId", "tunnel_id"},
    {"L3MODIFICATION", "IPV4_SRC", "ip", "ipv4_src"},
    {"L3MODIFICATION", "IPV4_DST", "ip", "ipv4_dst"},
    {"L3MODIFICATION", "IPV6_SRC", "ip", "ipv6_src"},
    {"L3MODIFICATION", "IPV6_DST", "ip", "ipv6_dst"},
    {"L3MODIFICATION", "IPV6_FLABEL", "flowLabel", "ipv6_flabel"},
    {"L3MODIFICATION", "IP_DSCP", "dscp", "ip_dscp"},
    {"L3MODIFICATION", "ARP_SPA", "ip", "arp_spa"},
    {"L3MODIFICATION", "ARP_SHA", "mac", "arp_sha"},
    {"L4MODIFICATION", "TCP_SRC", "tcpPort", "tcp_src"},
    {"L4MODIFICATION", "TCP_DST", "tcpPort", "tcp_dst"},
    {"L4MODIFICATION", "UDP_SRC", "udpPort", "udp_src"},
    {"L4MODIFICATION", "UDP_DST", "udpPort", "udp_dst"},
};

/* Other instructions: ours, and what of it is called what. */
static const struct {
    const char *type, *subtype, *ours, *their_key, *our_key;
} plain[] = {
    {"OUTPUT", NULL, "OUTPUT", "port", "port"},
    {"GROUP", NULL, "GROUP", "groupId", "group_id"},
    {"QUEUE", NULL, "SET_QUEUE", "queueId", "queue_id"},
    {"METER", NULL, "METER", "meterId", "meter_id"},
    {"TABLE", NULL, "GOTO_TABLE", "tableId", "table_id"},
    {"METADATA", NULL, "WRITE_METADATA", "metadata", "metadata"},
    {"L2MODIFICATION", "VLAN_PUSH", "PUSH_VLAN", "ethernetType", "ethertype"},
    {"L2MODIFICATION", "VLAN_POP", "POP_VLAN", NULL, NULL},
    {"L2MODIFICATION", "MPLS_PUSH", "PUSH_MPLS", "ethernetType", "ethertype"},
    {"L2MODIFICATION", "MPLS_POP", "POP_MPLS", "ethernetType", "ethertype"},
    {"L2MODIFICATION", "DEC_MPLS_TTL", "DEC_MPLS_TTL", NULL, NULL},
    {"L3MODIFICATION", "DEC_TTL", "DEC_NW_TTL", NULL, NULL},
    {"L3MODIFICATION", "TTL_OUT", "COPY_TTL_OUT", NULL, NULL},
    {"L3MODIFICATION", "TTL_IN", "COPY_TTL_IN", NULL, NULL},
};

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcasecmp(a, b) == 0);
}

/* ---- in ---- */

static bool selector_in(json_t *selector, json_t *match, struct why *w)
{
    json_t *list = json_object_get(selector, "criteria"), *o;
    size_t i;

    if (selector != NULL && !json_is_array(list))
        return why_say(w, "selector.criteria: an array is wanted");
    json_array_foreach(list, i, o)
    {
        const char *type = jtext(o, "type");
        size_t k = 0;
        while (k < ARRAY_LEN(criteria) && !same(criteria[k].type, type))
            k++;
        if (k == ARRAY_LEN(criteria))
            return why_say(w, "selector.criteria[%zu]: no criterion '%.40s'", i, type);
        json_t *v = json_object_get(o, criteria[k].key);
        if (v == NULL)
            return why_say(w, "selector.criteria[%zu] (%s): '%s' is missing", i, type,
                           criteria[k].key);
        if (json_object_get(match, criteria[k].field) != NULL)
            return why_say(w, "selector.criteria[%zu]: %s is there twice", i, type);
        json_object_set(match, criteria[k].field, v);
    }
    return true;
}

/* One instruction, as ours; NULL and why. */
static json_t *instruction_in(json_t *o, const char *at, struct why *w)
{
    const char *type = jtext(o, "type"),
               *subtype = json_string_value(json_object_get(o, "subtype"));

    for (size_t k = 0; k < ARRAY_LEN(setters); k++) {
        if (!same(setters[k].type, type) || !same(setters[k].subtype, subtype))
            continue;
        json_t *v = json_object_get(o, setters[k].key);
        if (v != NULL)
            return json_pack("{s:s,s:s,s:O}", "type", "SET_FIELD", "field", setters[k].field,
                             "value", v);
        why_say(w, "%s: '%s' is missing", at, setters[k].key);
        return NULL;
    }
    for (size_t k = 0; k < ARRAY_LEN(plain); k++) {
        if (!same(plain[k].type, type) ||
            (plain[k].subtype != NULL && !same(plain[k].subtype, subtype)))
            continue;
        json_t *ours = json_pack("{s:s}", "type", plain[k].ours);
        const char *key = plain[k].their_key;
        json_t *v = key != NULL ? json_object_get(o, key) : NULL;
        if (key == NULL)
            return ours;
        if (v == NULL && same(plain[k].ours, "PUSH_VLAN"))
            json_object_set_new(ours, plain[k].our_key, json_string("0x8100"));
        else if (v != NULL)
            json_object_set(ours, plain[k].our_key, v);
        else {
            why_say(w, "%s: '%s' is missing", at, key);
            json_decref(ours);
            return NULL;
        }
        if (json_object_get(o, "metadataMask") != NULL)
            json_object_set(ours, "metadata_mask", json_object_get(o, "metadataMask"));
        return ours;
    }
    why_say(w, "%s: no instruction '%.40s' '%.40s'", at, type, subtype != NULL ? subtype : "");
    return NULL;
}

static bool instructions_in(json_t *list, const char *where, json_t *actions, struct why *w)
{
    json_t *o;
    size_t i;

    if (list != NULL && !json_is_array(list))
        return why_say(w, "%s: not an array", where);
    json_array_foreach(list, i, o)
    {
        char at[80];
        snprintf(at, sizeof(at), "%s[%zu]", where, i);
        if (same(jtext(o, "type"), "NOACTION") || same(jtext(o, "type"), "DROP"))
            continue;
        json_t *ours = instruction_in(o, at, w);
        if (ours == NULL)
            return false;
        json_array_append_new(actions, ours);
    }
    return true;
}

static bool treatment_in(json_t *t, json_t *actions, struct why *w)
{
    json_t *deferred = json_object_get(t, "deferred");

    if (t != NULL && !json_is_object(t))
        return why_say(w, "treatment: not an object");
    if (jtrue(t, "clearDeferred"))
        json_array_append_new(actions, json_pack("{s:s}", "type", "CLEAR_ACTIONS"));
    if (!instructions_in(json_object_get(t, "instructions"), "treatment.instructions", actions, w))
        return false;
    if (json_array_size(deferred) == 0)
        return true;
    json_t *write = json_pack("{s:s,s:[]}", "type", "WRITE_ACTIONS", "actions");
    json_array_append_new(actions, write);
    return instructions_in(deferred, "treatment.deferred", json_object_get(write, "actions"), w);
}

static void copy_as(json_t *to, const char *ours, json_t *from, const char *theirs)
{
    if (json_object_get(from, theirs) != NULL)
        json_object_set(to, ours, json_object_get(from, theirs));
}

bool onos_flow_in(json_t *o, struct ofp_flow *f, struct why *w)
{
    static const char *const keys[] = {
        "priority", "timeout", "isPermanent", "deviceId", "tableId",     "treatment", "selector",
        "appId",    "id",      "groupId",     "cookie",   "state",       "tableName", "life",
        "packets",  "bytes",   "lastSeen",    "liveType", "hardTimeout", NULL};
    json_t *ours = json_pack("{s:{},s:[]}", "match", "actions");
    bool good = keys_in(o, "body", keys, w) &&
                selector_in(json_object_get(o, "selector"), json_object_get(ours, "match"), w) &&
                treatment_in(json_object_get(o, "treatment"), json_object_get(ours, "actions"), w);

    copy_as(ours, "priority", o, "priority");
    copy_as(ours, "table_id", o, "tableId");
    copy_as(ours, "cookie", o, "cookie");
    copy_as(ours, "hard_timeout", o, "hardTimeout");
    if (!jtrue(o, "isPermanent"))
        copy_as(ours, "idle_timeout", o, "timeout");
    good = good && flow_in(ours, 5, f, w);
    json_decref(ours);
    return good;
}

bool onos_group_in(json_t *o, struct ofp_group *g, struct why *w)
{
    json_t *list = json_object_get(o, "buckets"), *b, *ours, *buckets;
    const char *type = jtext(o, "type");
    bool good = true;
    size_t i;

    if (!json_is_array(list))
        return why_say(w, "buckets: an array is wanted");
    buckets = json_array();
    ours = json_pack("{s:s,s:o}", "type", same(type, "FAILOVER") ? "FF" : type, "buckets", buckets);
    copy_as(ours, "group_id", o, "groupId");
    json_array_foreach(list, i, b)
    {
        json_t *to = json_pack("{s:[]}", "actions");
        json_array_append_new(buckets, to);
        copy_as(to, "weight", b, "weight");
        copy_as(to, "watch_port", b, "watchPort");
        copy_as(to, "watch_group", b, "watchGroup");
        good = good &&
               treatment_in(json_object_get(b, "treatment"), json_object_get(to, "actions"), w);
    }
    good = good && group_in(ours, g, w);
    json_decref(ours);
    return good;
}

bool onos_meter_in(json_t *o, struct ofp_meter *m, struct why *w)
{
    json_t *list = json_object_get(o, "bands"), *b, *ours, *bands, *flags;
    bool good;
    size_t i;

    if (!json_is_array(list))
        return why_say(w, "bands: an array is wanted");
    bands = json_array();
    flags = json_pack("[s]", same(jtext(o, "unit"), "PKTS_PER_SEC") ? "PKTPS" : "KBPS");
    if (jtrue(o, "burst"))
        json_array_append_new(flags, json_string("BURST"));
    ours = json_pack("{s:o,s:o}", "flags", flags, "bands", bands);
    copy_as(ours, "meter_id", o, "id");
    json_array_foreach(list, i, b)
    {
        const char *type = jtext(b, "type");
        json_t *to = json_pack("{s:s}", "type", same(type, "REMARK") ? "DSCP_REMARK" : type);
        json_array_append_new(bands, to);
        copy_as(to, "rate", b, "rate");
        copy_as(to, "burst_size", b, "burstSize");
        copy_as(to, "prec_level", b, "prec");
    }
    good = meter_in(ours, m, w);
    json_decref(ours);
    return good;
}

/* ---- out ---- */

static json_t *text_of(json_t *v, const char *how)
{
    char text[40];

    if (!json_is_integer(v))
        return json_incref(v);
    snprintf(text, sizeof(text), how, (long long)json_integer_value(v));
    return json_string(text);
}

json_t *onos_selector(json_t *match)
{
    json_t *list = json_array(), *v;
    const char *key;

    json_object_foreach(match, key, v)
    {
        size_t k = 0;
        while (k < ARRAY_LEN(criteria) && strcmp(criteria[k].field, key) != 0)
            k++;
        if (k == ARRAY_LEN(criteria))
            continue;
        json_t *value = strcmp(key, "eth_type") == 0 ? text_of(v, "0x%llx") : json_incref(v);
        const char *ip = strcmp(criteria[k].key, "ip") == 0 ? json_string_value(v) : NULL;
        if (ip != NULL && strchr(ip, '/') == NULL) {
            /* Addresses are prefixes there. */
            json_decref(value);
            value = json_sprintf("%s/%s", ip, strchr(ip, ':') != NULL ? "128" : "32");
        }
        json_array_append_new(
            list, json_pack("{s:s,s:o}", "type", criteria[k].type, criteria[k].key, value));
    }
    return json_pack("{s:o}", "criteria", list);
}

static json_t *instruction_out(json_t *a)
{
    const char *type = jtext(a, "type"), *field = jtext(a, "field");

    for (size_t k = 0; k < ARRAY_LEN(setters); k++)
        if (strcmp(type, "SET_FIELD") == 0 && strcmp(setters[k].field, field) == 0)
            return json_pack("{s:s,s:s,s:O}", "type", setters[k].type, "subtype",
                             setters[k].subtype, setters[k].key, json_object_get(a, "value"));
    for (size_t k = 0; k < ARRAY_LEN(plain); k++) {
        if (strcmp(plain[k].ours, type) != 0)
            continue;
        json_t *out = json_pack("{s:s}", "type", plain[k].type);
        if (plain[k].subtype != NULL)
            json_object_set_new(out, "subtype", json_string(plain[k].subtype));
        if (plain[k].their_key != NULL)
            json_object_set_new(out, plain[k].their_key,
                                text_of(json_object_get(a, plain[k].our_key), "%lld"));
        return out;
    }
    return json_pack("{s:s}", "type", type);
}

json_t *onos_treatment(json_t *actions)
{
    json_t *now = json_array(), *deferred = json_array(), *a, *one;
    bool clear = false;
    size_t i, k;

    json_array_foreach(actions, i, a)
    {
        if (strcmp(jtext(a, "type"), "CLEAR_ACTIONS") == 0)
            clear = true;
        else if (strcmp(jtext(a, "type"), "WRITE_ACTIONS") == 0)
            json_array_foreach(json_object_get(a, "actions"), k, one)
                json_array_append_new(deferred, instruction_out(one));
        else
            json_array_append_new(now, instruction_out(a));
    }
    if (json_array_size(now) + json_array_size(deferred) == 0)
        json_array_append_new(now, json_pack("{s:s}", "type", "NOACTION"));
    return json_pack("{s:o,s:b,s:o}", "instructions", now, "clearDeferred", clear, "deferred",
                     deferred);
}
