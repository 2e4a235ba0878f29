/* Messages once more: read by the codecs into neutral structures, and written again from those.
 * Shared by the unit tests and the fuzz target. */
#pragma once

#include "ofp/ofp.h"
#include "ofp/pof.h"

struct again {
    enum ofp_dialect d;
    enum ofp_from from;
    struct ofp_msg m;
    uint8_t *b; /* borrowed: where it is written */
    size_t cap, n;
    bool failed;
};

/* Each of these writes the message, or as many messages as it had entries; what cannot be read or
 * said leaves `failed`. */
static inline void again_wrote(struct again *a, size_t n)
{
    a->n += n;
    a->failed |= n == 0;
}
#define AGAIN_ARGS(a) (a)->d, (a)->b + (a)->n, (a)->cap - (a)->n, (a)->m.xid

static inline void again_flow_mod(struct again *a)
{
    struct ofp_flow f;
    struct pof_entry e;

    if (ofp_is_pof(a->d)) {
        if (pof_parse_entry(a->d, &a->m, &e) == OFP_OK)
            again_wrote(a, pof_emit_entry(AGAIN_ARGS(a), &e));
        return;
    }
    if (ofp_parse_flow_mod(a->d, &a->m, &f) == OFP_OK)
        again_wrote(a, ofp_emit_flow_mod(AGAIN_ARGS(a), &f));
}

static inline void again_group_mod(struct again *a)
{
    struct ofp_group g;
    struct pof_group p;

    if (ofp_is_pof(a->d)) {
        if (pof_parse_group(a->d, &a->m, &p) == OFP_OK)
            again_wrote(a, pof_emit_group(AGAIN_ARGS(a), &p));
        return;
    }
    if (ofp_parse_group_mod(a->d, &a->m, &g) == OFP_OK)
        again_wrote(a, ofp_emit_group_mod(AGAIN_ARGS(a), &g));
}

static inline void again_meter_mod(struct again *a)
{
    struct ofp_meter t;
    struct pof_meter p;

    if (ofp_is_pof(a->d)) {
        if (pof_parse_meter(a->d, &a->m, &p) == OFP_OK)
            again_wrote(a, pof_emit_meter(AGAIN_ARGS(a), &p));
        return;
    }
    if (ofp_parse_meter_mod(a->d, &a->m, &t) == OFP_OK)
        again_wrote(a, ofp_emit_meter_mod(AGAIN_ARGS(a), &t));
}

static inline void again_packet_out(struct again *a)
{
    struct ofp_packet_out o;
    struct pof_packet_out p;

    if (ofp_is_pof(a->d)) {
        if (pof_parse_out(a->d, &a->m, &p) == OFP_OK)
            again_wrote(a, pof_emit_out(AGAIN_ARGS(a), &p));
        return;
    }
    if (ofp_parse_packet_out(a->d, &a->m, &o) == OFP_OK)
        again_wrote(a, ofp_emit_packet_out(AGAIN_ARGS(a), o.buffer_id, o.in_port, &o.actions,
                                           o.frame, o.frame_len));
}

static inline void again_features(struct again *a)
{
    static struct ofp_port ports[1400];
    struct ofp_features f;
    uint32_t n = 0;

    if (ofp_parse_features(a->d, &a->m, &f) != OFP_OK)
        return;
    while (a->d == OFP_10 && n < f.ports && ofp_features_port(&a->m, n, &ports[n]) == OFP_OK)
        n++;
    again_wrote(a, ofp_emit_features_reply(AGAIN_ARGS(a), &f, ports, n));
}

static inline void again_from_switch(struct again *a)
{
    struct ofp_packet_in in;
    struct ofp_flow_removed r;
    struct ofp_port p;
    enum ofp_port_reason why;

    if (a->m.kind == OFP_PACKET_IN) {
        if (ofp_parse_packet_in(a->d, &a->m, &in) == OFP_OK)
            again_wrote(a, ofp_emit_packet_in(AGAIN_ARGS(a), &in));
    } else if (a->m.kind == OFP_FLOW_REMOVED) {
        if (ofp_parse_flow_removed(a->d, &a->m, &r) == OFP_OK)
            again_wrote(a, ofp_emit_flow_removed(AGAIN_ARGS(a), &r));
    } else if (ofp_parse_port_status(a->d, &a->m, &why, &p) == OFP_OK) {
        again_wrote(a, ofp_emit_port_status(AGAIN_ARGS(a), why, &p));
    }
}

static inline void again_port_mod(struct again *a)
{
    struct ofp_port_mod p;

    if (ofp_is_pof(a->d) || ofp_parse_port_mod(a->d, &a->m, &p) != OFP_OK)
        return;
    struct ofp_port port = {.no = p.no, .mac = p.mac};
    again_wrote(a, ofp_emit_port_mod(AGAIN_ARGS(a), &port, p.config, p.mask));
}

static inline void again_table_mod(struct again *a)
{
    struct ofp_table_mod t;
    struct pof_table p;

    if (ofp_is_pof(a->d)) {
        if (pof_parse_table_mod(a->d, &a->m, &p) == OFP_OK)
            again_wrote(a, pof_emit_table_mod(AGAIN_ARGS(a), &p));
        return;
    }
    if (ofp_parse_table_mod(a->d, &a->m, &t) == OFP_OK)
        again_wrote(a, ofp_emit_table_mod(AGAIN_ARGS(a), &t));
}

static inline void again_small(struct again *a)
{
    struct ofp_config c;
    struct ofp_role_msg r;
    struct ofp_async s;

    if (a->m.kind == OFP_GET_CONFIG_REPLY || a->m.kind == OFP_SET_CONFIG) {
        if (ofp_parse_config(a->d, &a->m, &c) == OFP_OK)
            again_wrote(a, ofp_emit_config(AGAIN_ARGS(a), a->m.kind, &c));
    } else if (a->m.kind == OFP_ROLE_REQUEST || a->m.kind == OFP_ROLE_REPLY) {
        if (ofp_parse_role(a->d, &a->m, &r) == OFP_OK)
            again_wrote(a, a->m.kind == OFP_ROLE_REQUEST ? ofp_emit_role_request(AGAIN_ARGS(a), &r)
                                                         : ofp_emit_role_reply(AGAIN_ARGS(a), &r));
    } else if (ofp_parse_async(a->d, &a->m, &s) == OFP_OK) {
        again_wrote(a, ofp_emit_async(AGAIN_ARGS(a), a->m.kind, &s));
    }
}

static inline void again_request(struct again *a)
{
    enum ofp_stats type;
    struct ofp_flow filter;
    uint32_t port;

    if (ofp_parse_multipart_request(a->d, &a->m, &type, &filter, &port) == OFP_OK &&
        type != OFPMP_EXPERIMENTER)
        again_wrote(a, ofp_emit_multipart_request(AGAIN_ARGS(a), type, &filter, port));
}

/* The next entry of a reply into the memory at `out`, as the iterators do. */
union again_entry {
    struct ofp_desc desc;
    struct ofp_flow_stats flow;
    struct ofp_aggregate_stats aggregate;
    struct ofp_table_stats table;
    struct ofp_port_stats port;
    struct ofp_queue_stats queue;
    struct ofp_group group;
    struct ofp_group_stats group_stats;
    struct ofp_meter meter;
    struct ofp_meter_stats meter_stats;
    struct ofp_port port_desc;
};

static inline int again_once(enum ofp_err e, const struct ofp_multipart *m, uint32_t *off)
{
    if (*off > 0)
        return 0;
    *off = m->body_len;
    return e == OFP_OK ? 1 : -(int)e;
}

static inline int again_next(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                             union again_entry *out)
{
    switch (m->type) {
    case OFPMP_DESC:
        return again_once(ofp_parse_desc(d, m, &out->desc), m, off);
    case OFPMP_AGGREGATE:
        return again_once(ofp_parse_aggregate(d, m, &out->aggregate), m, off);
    case OFPMP_FLOW:
        return ofp_next_flow_stats(d, m, off, &out->flow);
    case OFPMP_TABLE:
        return ofp_next_table_stats(d, m, off, &out->table);
    case OFPMP_PORT:
        return ofp_next_port_stats(d, m, off, &out->port);
    case OFPMP_QUEUE:
        return ofp_next_queue_stats(d, m, off, &out->queue);
    case OFPMP_GROUP:
        return ofp_next_group_stats(d, m, off, &out->group_stats);
    case OFPMP_GROUP_DESC:
        return ofp_next_group_desc(d, m, off, &out->group);
    case OFPMP_METER:
        return ofp_next_meter_stats(d, m, off, &out->meter_stats);
    case OFPMP_METER_CONFIG:
        return ofp_next_meter_config(d, m, off, &out->meter);
    case OFPMP_PORT_DESC:
        return ofp_next_port(d, m, off, &out->port_desc);
    case OFPMP_GROUP_FEATURES:
    case OFPMP_METER_FEATURES:
    case OFPMP_TABLE_FEATURES:
    case OFPMP_EXPERIMENTER:
    case OFPMP_TYPES:
        break;
    }
    return 0;
}

static inline void again_reply(struct again *a)
{
    static union again_entry entry;
    struct ofp_multipart m;
    uint32_t off = 0;
    size_t used;

    if (ofp_parse_multipart(a->d, &a->m, &m) != OFP_OK)
        return;
    while (!a->failed && again_next(a->d, &m, &off, &entry) > 0)
        again_wrote(a, ofp_emit_stats_reply(AGAIN_ARGS(a), m.type, &entry, 1, &used));
}

static inline void again_pof(struct again *a)
{
    struct pof_counter c;
    struct pof_resources r;

    if (a->m.kind == POF_RESOURCE_REPORT) {
        if (pof_parse_resources(a->d, &a->m, &r) == OFP_OK)
            again_wrote(a, pof_emit_resources(AGAIN_ARGS(a), &r));
    } else if (pof_parse_counter(a->d, &a->m, &c) == OFP_OK) {
        again_wrote(a, pof_emit_counter(AGAIN_ARGS(a), a->m.kind, &c));
    }
}

static inline void again_one(struct again *a)
{
    switch (a->m.kind) {
    case OFP_FEATURES_REPLY:
        again_features(a);
        break;
    case OFP_PACKET_IN:
    case OFP_FLOW_REMOVED:
    case OFP_PORT_STATUS:
        again_from_switch(a);
        break;
    case OFP_PACKET_OUT:
        again_packet_out(a);
        break;
    case OFP_FLOW_MOD:
        again_flow_mod(a);
        break;
    case OFP_GROUP_MOD:
        again_group_mod(a);
        break;
    case OFP_PORT_MOD:
        again_port_mod(a);
        break;
    case OFP_TABLE_MOD:
        again_table_mod(a);
        break;
    case OFP_METER_MOD:
        again_meter_mod(a);
        break;
    case OFP_GET_CONFIG_REPLY:
    case OFP_SET_CONFIG:
    case OFP_ROLE_REQUEST:
    case OFP_ROLE_REPLY:
    case OFP_GET_ASYNC_REPLY:
    case OFP_SET_ASYNC:
        again_small(a);
        break;
    case OFP_MULTIPART_REQUEST:
        again_request(a);
        break;
    case OFP_MULTIPART_REPLY:
        again_reply(a);
        break;
    case POF_RESOURCE_REPORT:
    case POF_COUNTER_MOD:
    case POF_COUNTER_REQUEST:
    case POF_COUNTER_REPLY:
        again_pof(a);
        break;
    case OFP_HELLO:
    case OFP_ERROR:
    case OFP_ECHO_REQUEST:
    case OFP_ECHO_REPLY:
    case OFP_EXPERIMENTER:
    case OFP_FEATURES_REQUEST:
    case OFP_GET_CONFIG_REQUEST:
    case OFP_BARRIER_REQUEST:
    case OFP_BARRIER_REPLY:
    case OFP_GET_ASYNC_REQUEST:
    case OFP_QUEUE_GET_CONFIG_REQUEST:
    case OFP_QUEUE_GET_CONFIG_REPLY:
    case POF_QUERYALL_REQUEST:
    case POF_QUERYALL_FIN:
    case OFP_KINDS:
        again_wrote(a, ofp_emit(a->d, a->b + a->n, a->cap - a->n, a->m.kind, a->m.xid,
                                a->m.p + OFP_HLEN, a->m.len - OFP_HLEN));
        break;
    }
}

/* All messages at the beginning of in[0..n); returns the bytes written. */
static inline size_t ofp_again(enum ofp_dialect d, enum ofp_from from, const uint8_t *in, size_t n,
                               uint8_t *out, size_t cap)
{
    struct again a = {.d = d, .from = from, .b = out, .cap = cap};
    uint32_t need;

    for (size_t at = 0; at < n && !a.failed; at += a.m.len) {
        if (ofp_frame(d, from, in + at, n - at, &a.m, &need) != OFP_OK)
            break;
        again_one(&a);
    }
    return a.failed ? 0 : a.n;
}
