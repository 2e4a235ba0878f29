#include <string.h>

#include "north/north_int.h"

bool keys_in(json_t *o, const char *where, const char *const *allowed, struct why *w)
{
    const char *key;
    json_t *v;

    if (!json_is_object(o))
        return why_say(w, "%s: not an object", where);
    json_object_foreach(o, key, v)
    {
        size_t i = 0;
        while (allowed[i] != NULL && strcmp(allowed[i], key) != 0)
            i++;
        if (allowed[i] == NULL)
            return why_say(w, "%s: '%.60s' is not known here", where, key);
    }
    return true;
}

/* ---- matches ---- */

static uint64_t proto_of(json_t *o)
{
    json_t *p = json_object_get(o, "ip_proto");
    struct why w;
    uint64_t n = 0;

    if (p == NULL)
        p = json_object_get(o, "nw_proto");
    if (p == NULL || !number_in(p, 255, "", &n, &w))
        return 0;
    return n;
}

static bool is_arp(json_t *o)
{
    json_t *t = json_object_get(o, "eth_type");
    struct why w;
    uint64_t n = 0;

    if (t == NULL)
        t = json_object_get(o, "dl_type");
    return t != NULL && number_in(t, 65535, "", &n, &w) && n == 0x0806;
}

/* OpenFlow 1.0's names mean what the protocol beside them says. */
static enum ofp_field field_of(json_t *o, const char *key)
{
    uint64_t proto = proto_of(o);
    bool src = strcmp(key, "tp_src") == 0;

    if (src || strcmp(key, "tp_dst") == 0) {
        if (proto == 17)
            return src ? OFPF_UDP_SRC : OFPF_UDP_DST;
        if (proto == 132)
            return src ? OFPF_SCTP_SRC : OFPF_SCTP_DST;
        if (proto == 1)
            return src ? OFPF_ICMPV4_TYPE : OFPF_ICMPV4_CODE;
        return src ? OFPF_TCP_SRC : OFPF_TCP_DST;
    }
    if (is_arp(o) && strcmp(key, "nw_src") == 0)
        return OFPF_ARP_SPA;
    if (is_arp(o) && strcmp(key, "nw_dst") == 0)
        return OFPF_ARP_TPA;
    if (is_arp(o) && strcmp(key, "nw_proto") == 0)
        return OFPF_ARP_OP;
    if (strcmp(key, "dl_vlan") == 0)
        return OFPF_VLAN_VID;
    if (strcmp(key, "dl_vlan_pcp") == 0)
        return OFPF_VLAN_PCP;
    return ofp_field_find(key, strlen(key));
}

bool match_in(json_t *o, struct ofp_match *m, struct why *w)
{
    const char *key;
    json_t *v;

    if (!json_is_object(o))
        return why_say(w, "match: not an object");
    json_object_foreach(o, key, v)
    {
        enum ofp_field f = field_of(o, key);
        char where[80];
        snprintf(where, sizeof(where), "match.%.60s", key);
        if (f == OFPF_FIELDS)
            return why_say(w, "%s: no such field", where);
        if (!field_in(f, v, where, m, w))
            return false;
    }
    const char *missing = ofp_match_check(m);
    return missing == NULL || why_say(w, "match: %s", missing);
}

/* ---- actions ---- */

enum takes {
    TAKES_NOTHING,
    TAKES_ID,
    TAKES_ETHERTYPE,
    TAKES_TTL,
    TAKES_PORT,
    TAKES_FIELD,
    TAKES_QUEUE
};

/* Actions by the name that Ryu gives them: what is beside "type"; for OpenFlow 1.0's the field. */
static const struct {
    const char *name;
    enum ofp_action_type type;
    enum takes takes;
    const char *key;
    enum ofp_field field;
} action_list[] = {
    {"OUTPUT", OFPA_OUTPUT, TAKES_PORT, "port", OFPF_FIELDS},
    {"GROUP", OFPA_GROUP, TAKES_ID, "group_id", OFPF_FIELDS},
    {"SET_QUEUE", OFPA_SET_QUEUE, TAKES_ID, "queue_id", OFPF_FIELDS},
    {"ENQUEUE", OFPA_SET_QUEUE, TAKES_QUEUE, "queue_id", OFPF_FIELDS},
    {"PUSH_VLAN", OFPA_PUSH_VLAN, TAKES_ETHERTYPE, "ethertype", OFPF_FIELDS},
    {"POP_VLAN", OFPA_POP_VLAN, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"STRIP_VLAN", OFPA_POP_VLAN, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"PUSH_MPLS", OFPA_PUSH_MPLS, TAKES_ETHERTYPE, "ethertype", OFPF_FIELDS},
    {"POP_MPLS", OFPA_POP_MPLS, TAKES_ETHERTYPE, "ethertype", OFPF_FIELDS},
    {"PUSH_PBB", OFPA_PUSH_PBB, TAKES_ETHERTYPE, "ethertype", OFPF_FIELDS},
    {"POP_PBB", OFPA_POP_PBB, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"SET_MPLS_TTL", OFPA_SET_MPLS_TTL, TAKES_TTL, "mpls_ttl", OFPF_FIELDS},
    {"DEC_MPLS_TTL", OFPA_DEC_MPLS_TTL, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"SET_NW_TTL", OFPA_SET_NW_TTL, TAKES_TTL, "nw_ttl", OFPF_FIELDS},
    {"DEC_NW_TTL", OFPA_DEC_NW_TTL, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"COPY_TTL_OUT", OFPA_COPY_TTL_OUT, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"COPY_TTL_IN", OFPA_COPY_TTL_IN, TAKES_NOTHING, NULL, OFPF_FIELDS},
    {"SET_FIELD", OFPA_SET_FIELD, TAKES_FIELD, "value", OFPF_FIELDS},
    {"SET_VLAN_VID", OFPA_SET_FIELD, TAKES_FIELD, "vlan_vid", OFPF_VLAN_VID},
    {"SET_VLAN_PCP", OFPA_SET_FIELD, TAKES_FIELD, "vlan_pcp", OFPF_VLAN_PCP},
    {"SET_DL_SRC", OFPA_SET_FIELD, TAKES_FIELD, "dl_src", OFPF_ETH_SRC},
    {"SET_DL_DST", OFPA_SET_FIELD, TAKES_FIELD, "dl_dst", OFPF_ETH_DST},
    {"SET_NW_SRC", OFPA_SET_FIELD, TAKES_FIELD, "nw_src", OFPF_IPV4_SRC},
    {"SET_NW_DST", OFPA_SET_FIELD, TAKES_FIELD, "nw_dst", OFPF_IPV4_DST},
    {"SET_TP_SRC", OFPA_SET_FIELD, TAKES_FIELD, "tp_src", OFPF_TCP_SRC},
    {"SET_TP_DST", OFPA_SET_FIELD, TAKES_FIELD, "tp_dst", OFPF_TCP_DST},
};

static bool set_field_in(json_t *o, size_t row, const char *where, struct ofp_action *a,
                         struct why *w)
{
    struct ofp_match m = {0};
    enum ofp_field f = action_list[row].field;

    if (f == OFPF_FIELDS) {
        const char *name = jtext(o, "field");
        f = ofp_field_find(name, strlen(name));
        if (f == OFPF_FIELDS)
            return why_say(w, "%s.field: '%.60s' is no field", where, name);
    }
    if (f == OFPF_IN_PORT || !field_in(f, json_object_get(o, action_list[row].key), where, &m, w))
        return f != OFPF_IN_PORT ? false : why_say(w, "%s: in_port cannot be set", where);
    if (m.n != 1 || m.f[0].masked)
        return why_say(w, "%s: takes no mask", where);
    a->field = m.f[0];
    return true;
}

static bool output_in(json_t *o, const char *where, struct ofp_action *a, struct why *w)
{
    json_t *max = json_object_get(o, "max_len");
    uint64_t n = 0xffff;

    if (max != NULL && !number_in(max, 0xffff, "max_len", &n, w))
        return false;
    a->max_len = (uint16_t)n;
    if (!port_in(json_object_get(o, "port"), where, &a->port, w))
        return false;
    return a->port != OFPP_ANY || why_say(w, "%s: there is no output to ANY", where);
}

/* One action; *known false: no action is called that (it may be an instruction). */
static bool action_in(json_t *o, const char *where, struct ofp_action *a, bool *known,
                      struct why *w)
{
    const char *name = jtext(o, "type");
    char at[120];
    size_t i = 0;
    uint64_t n;

    while (i < ARRAY_LEN(action_list) && strcasecmp(name, action_list[i].name) != 0)
        i++;
    *known = i < ARRAY_LEN(action_list);
    if (!*known)
        return false;
    const char *key = action_list[i].key;
    json_t *v = key != NULL ? json_object_get(o, key) : NULL;
    const char *const keys[] = {"type", key != NULL ? key : "type", "max_len", "field", "port",
                                NULL};

    snprintf(at, sizeof(at), "%s (%s)", where, action_list[i].name);
    if (!keys_in(o, at, keys, w))
        return false;
    if (key != NULL && v == NULL)
        return why_say(w, "%s: '%s' is missing", at, key);
    *a = (struct ofp_action){.type = action_list[i].type};
    switch (action_list[i].takes) {
    case TAKES_NOTHING:
        return true;
    case TAKES_PORT:
        return output_in(o, at, a, w);
    case TAKES_FIELD:
        return set_field_in(o, i, at, a, w);
    case TAKES_QUEUE:
        if (!port_in(json_object_get(o, "port"), at, &a->port, w))
            return false;
        break;
    case TAKES_ID:
    case TAKES_ETHERTYPE:
    case TAKES_TTL:
        break;
    }
    uint64_t max = action_list[i].takes == TAKES_ETHERTYPE ? 0xffff
                   : action_list[i].takes == TAKES_TTL     ? 0xff
                                                           : UINT32_MAX;
    if (!number_in(v, max, at, &n, w))
        return false;
    if (action_list[i].takes == TAKES_ETHERTYPE)
        a->ethertype = (uint16_t)n;
    else if (action_list[i].takes == TAKES_TTL)
        a->ttl = (uint8_t)n;
    else
        a->id = (uint32_t)n;
    return true;
}

static bool actions_in(json_t *list, const char *where, struct ofp_actions *out, struct why *w)
{
    if (!json_is_array(list))
        return why_say(w, "%s: not an array", where);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        char at[100];
        bool known;
        snprintf(at, sizeof(at), "%s[%zu]", where, i);
        if (out->n == OFP_ACTIONS_MAX)
            return why_say(w, "%s: more than %u actions", where, OFP_ACTIONS_MAX);
        if (!action_in(o, at, &out->a[out->n], &known, w))
            return known ? false : why_say(w, "%s: no action '%.60s'", at, jtext(o, "type"));
        out->n++;
    }
    return true;
}

static bool metadata_in(json_t *o, const char *at, struct ofp_instructions *d, struct why *w)
{
    json_t *mask = json_object_get(o, "metadata_mask");

    d->has_metadata = true;
    d->metadata_mask = UINT64_MAX;
    return number_in(json_object_get(o, "metadata"), UINT64_MAX, at, &d->metadata, w) &&
           (mask == NULL || number_in(mask, UINT64_MAX, at, &d->metadata_mask, w));
}

static bool instruction_in(json_t *o, const char *at, struct ofp_instructions *d, struct why *w)
{
    const char *name = jtext(o, "type");
    uint64_t n;

    if (strcasecmp(name, "GOTO_TABLE") == 0) {
        d->has_goto = number_in(json_object_get(o, "table_id"), 254, at, &n, w);
        d->goto_table = d->has_goto ? (uint8_t)n : 0;
        return d->has_goto;
    }
    if (strcasecmp(name, "METER") == 0) {
        d->has_meter = number_in(json_object_get(o, "meter_id"), UINT32_MAX, at, &n, w);
        d->meter = d->has_meter ? (uint32_t)n : 0;
        return d->has_meter;
    }
    if (strcasecmp(name, "WRITE_METADATA") == 0)
        return metadata_in(o, at, d, w);
    if (strcasecmp(name, "WRITE_ACTIONS") == 0)
        return actions_in(json_object_get(o, "actions"), at, &d->write, w);
    if (strcasecmp(name, "APPLY_ACTIONS") == 0)
        return actions_in(json_object_get(o, "actions"), at, &d->apply, w);
    d->clear = strcasecmp(name, "CLEAR_ACTIONS") == 0;
    return d->clear || why_say(w, "%s: no action or instruction '%.60s'", at, name);
}

static bool instructions_in(json_t *list, struct ofp_instructions *d, struct why *w)
{
    if (!json_is_array(list))
        return why_say(w, "actions: not an array");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        char at[40];
        bool known;
        snprintf(at, sizeof(at), "actions[%zu]", i);
        if (!json_is_object(o))
            return why_say(w, "%s: not an object", at);
        if (d->apply.n == OFP_ACTIONS_MAX)
            return why_say(w, "actions: more than %u", OFP_ACTIONS_MAX);
        if (action_in(o, at, &d->apply.a[d->apply.n], &known, w))
            d->apply.n++;
        else if (known || !instruction_in(o, at, d, w))
            return false;
    }
    return true;
}

/* ---- flows ---- */

/* The number at key, if it is there, into *out. */
static bool maybe(json_t *o, const char *key, uint64_t max, uint64_t *out, struct why *w)
{
    json_t *v = json_object_get(o, key);

    return v == NULL || number_in(v, max, key, out, w);
}

static bool flow_numbers(json_t *o, uint16_t def, struct ofp_flow *f, struct why *w)
{
    uint64_t table = 0, priority = def, idle = 0, hard = 0, flags = 0, buffer = OFP_NO_BUFFER;
    json_t *port = json_object_get(o, "out_port");
    uint64_t group = OFPP_ANY;

    if (!maybe(o, "table_id", 255, &table, w) || !maybe(o, "priority", 65535, &priority, w) ||
        !maybe(o, "idle_timeout", 65535, &idle, w) || !maybe(o, "hard_timeout", 65535, &hard, w) ||
        !maybe(o, "flags", 31, &flags, w) || !maybe(o, "buffer_id", UINT32_MAX, &buffer, w) ||
        !maybe(o, "cookie", UINT64_MAX, &f->cookie, w) ||
        !maybe(o, "cookie_mask", UINT64_MAX, &f->cookie_mask, w) ||
        !maybe(o, "out_group", UINT32_MAX, &group, w) ||
        (port != NULL && !port_in(port, "out_port", &f->out_port, w)))
        return false;
    if (buffer != OFP_NO_BUFFER)
        return why_say(w, "buffer_id: a buffer belongs to a packet-in, not to an operator");
    f->table = (uint8_t)table;
    f->priority = (uint16_t)priority;
    f->idle_timeout = (uint16_t)idle;
    f->hard_timeout = (uint16_t)hard;
    f->flags = (uint16_t)flags;
    f->out_group = (uint32_t)group;
    return true;
}

bool flow_in(json_t *o, uint16_t priority, struct ofp_flow *f, struct why *w)
{
    static const char *const keys[] = {"dpid",         "table_id", "priority",  "idle_timeout",
                                       "hard_timeout", "flags",    "buffer_id", "cookie",
                                       "cookie_mask",  "out_port", "out_group", "match",
                                       "actions",      "strict",   NULL};
    json_t *match = json_object_get(o, "match"), *actions = json_object_get(o, "actions");

    ofp_flow_init(f);
    return keys_in(o, "body", keys, w) && flow_numbers(o, priority, f, w) &&
           (match == NULL || match_in(match, &f->match, w)) &&
           (actions == NULL || instructions_in(actions, &f->do_, w));
}

/* ---- groups and meters ---- */

static bool bucket_in(json_t *o, size_t i, enum ofp_group_type type, struct ofp_bucket *b,
                      struct why *w)
{
    static const char *const keys[] = {"weight", "watch_port", "watch_group", "actions", NULL};
    uint64_t weight = type == OFPGT_SELECT ? 1 : 0, port = OFPP_ANY, group = OFPP_ANY;
    json_t *actions = json_object_get(o, "actions");
    char at[40];

    snprintf(at, sizeof(at), "buckets[%zu]", i);
    if (!keys_in(o, at, keys, w) || !maybe(o, "weight", 65535, &weight, w) ||
        !maybe(o, "watch_port", UINT32_MAX, &port, w) ||
        !maybe(o, "watch_group", UINT32_MAX, &group, w))
        return false;
    *b = (struct ofp_bucket){
        .weight = (uint16_t)weight, .watch_port = (uint32_t)port, .watch_group = (uint32_t)group};
    return actions == NULL || actions_in(actions, at, &b->actions, w);
}

bool group_in(json_t *o, struct ofp_group *g, struct why *w)
{
    static const char *const keys[] = {"dpid", "type", "group_id", "buckets", NULL};
    static const char *const types[] = {"ALL", "SELECT", "INDIRECT", "FF"};
    json_t *type = json_object_get(o, "type"), *list = json_object_get(o, "buckets");
    json_t *id = json_object_get(o, "group_id");
    uint64_t n = 0;
    size_t t = 0;

    memset(g, 0, sizeof(*g));
    if (!keys_in(o, "body", keys, w))
        return false;
    if (type != NULL && json_is_string(type))
        while (t < 4 && strcasecmp(types[t], json_string_value(type)) != 0)
            t++;
    if (t == 4 || (type != NULL && !json_is_string(type)))
        return why_say(w, "type: one of ALL, SELECT, INDIRECT, FF");
    if (id == NULL)
        return why_say(w, "group_id: is missing");
    if (!number_in(id, UINT32_MAX, "group_id", &n, w))
        return false;
    g->type = (enum ofp_group_type)t;
    g->id = (uint32_t)n;
    if (list != NULL && !json_is_array(list))
        return why_say(w, "buckets: not an array");
    if (json_array_size(list) > OFP_BUCKETS_MAX)
        return why_say(w, "buckets: more than %u", OFP_BUCKETS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!bucket_in(json_array_get(list, i), i, g->type, &g->bucket[g->buckets++], w))
            return false;
    return true;
}

static bool band_in(json_t *o, size_t i, struct ofp_band *b, struct why *w)
{
    static const char *const keys[] = {"type", "rate", "burst_size", "prec_level", NULL};
    uint64_t rate = 0, burst = 0, level = 0;
    const char *type = jtext(o, "type");
    char at[40];

    snprintf(at, sizeof(at), "bands[%zu]", i);
    if (!keys_in(o, at, keys, w) || !maybe(o, "rate", UINT32_MAX, &rate, w) ||
        !maybe(o, "burst_size", UINT32_MAX, &burst, w) || !maybe(o, "prec_level", 255, &level, w))
        return false;
    bool remark = strcasecmp(type, "DSCP_REMARK") == 0;
    if (!remark && strcasecmp(type, "DROP") != 0)
        return why_say(w, "%s.type: one of DROP, DSCP_REMARK", at);
    *b = (struct ofp_band){.type = remark ? 2 : 1,
                           .rate = (uint32_t)rate,
                           .burst = (uint32_t)burst,
                           .prec_level = (uint8_t)level};
    return true;
}

/* "flags": one name, several, or the number. */
static bool meter_flags_in(json_t *v, uint16_t *out, struct why *w)
{
    static const char *const names[] = {"KBPS", "PKTPS", "BURST", "STATS"};
    size_t n = json_is_array(v) ? json_array_size(v) : 1;

    *out = 0;
    if (v == NULL) {
        *out = 1;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
        const char *s = json_string_value(one);
        uint64_t number;
        size_t k = 0;
        while (s != NULL && k < 4 && strcasecmp(names[k], s) != 0)
            k++;
        if (s != NULL && k < 4)
            *out = (uint16_t)(*out | 1u << k);
        else if (s == NULL && number_in(one, 15, "flags", &number, w))
            *out = (uint16_t)(*out | number);
        else
            return why_say(w, "flags: KBPS, PKTPS, BURST, STATS");
    }
    return true;
}

bool meter_in(json_t *o, struct ofp_meter *m, struct why *w)
{
    static const char *const keys[] = {"dpid", "flags", "meter_id", "bands", NULL};
    json_t *list = json_object_get(o, "bands"), *id = json_object_get(o, "meter_id");
    uint64_t n = 0;

    memset(m, 0, sizeof(*m));
    if (!keys_in(o, "body", keys, w))
        return false;
    if (id == NULL)
        return why_say(w, "meter_id: is missing");
    if (!number_in(id, UINT32_MAX, "meter_id", &n, w) ||
        !meter_flags_in(json_object_get(o, "flags"), &m->flags, w))
        return false;
    m->id = (uint32_t)n;
    if (list != NULL && !json_is_array(list))
        return why_say(w, "bands: not an array");
    if (json_array_size(list) > OFP_BANDS_MAX)
        return why_say(w, "bands: more than %u", OFP_BANDS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!band_in(json_array_get(list, i), i, &m->band[m->bands++], w))
            return false;
    return true;
}
