/* The doors of the emitters, and what all dialects write alike. */
#include "ofp/ofp_int.h"

size_t ofp_emit_flow_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                         const struct ofp_flow *f)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_flow_mod != NULL ? c->emit_flow_mod(d, b, cap, xid, f) : 0;
}

size_t ofp_emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                           const void *frame, size_t n)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_packet_out != NULL
               ? c->emit_packet_out(d, b, cap, xid, buffer_id, in_port, a, frame, n)
               : 0;
}

size_t ofp_emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                 size_t n_ports, const void *frame, size_t n)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_packet_out_ports != NULL
               ? c->emit_packet_out_ports(d, b, cap, xid, buffer_id, in_port, ports, n_ports, frame,
                                          n)
               : 0;
}

size_t ofp_emit_group_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_group *g)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_group_mod != NULL ? c->emit_group_mod(d, b, cap, xid, g) : 0;
}

size_t ofp_emit_meter_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_meter *m)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_meter_mod != NULL ? c->emit_meter_mod(d, b, cap, xid, m) : 0;
}

size_t ofp_emit_port_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                         const struct ofp_port *port, uint32_t config, uint32_t mask)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_port_mod != NULL
               ? c->emit_port_mod(d, b, cap, xid, port, config, mask)
               : 0;
}

size_t ofp_emit_table_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_table_mod *t)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_table_mod != NULL ? c->emit_table_mod(d, b, cap, xid, t) : 0;
}

size_t ofp_emit_multipart_request(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  enum ofp_stats type, const struct ofp_flow *filter, uint32_t port)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_multipart_request != NULL
               ? c->emit_multipart_request(d, b, cap, xid, type, filter, port)
               : 0;
}

size_t ofp_emit_features_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                               const struct ofp_features *f, const struct ofp_port *ports,
                               size_t n_ports)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_features_reply != NULL
               ? c->emit_features_reply(d, b, cap, xid, f, ports, n_ports)
               : 0;
}

size_t ofp_emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_packet_in *p)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_packet_in != NULL ? c->emit_packet_in(d, b, cap, xid, p) : 0;
}

size_t ofp_emit_port_status(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            enum ofp_port_reason reason, const struct ofp_port *p)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_port_status != NULL ? c->emit_port_status(d, b, cap, xid, reason, p)
                                                    : 0;
}

size_t ofp_emit_flow_removed(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_flow_removed *f)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_flow_removed != NULL ? c->emit_flow_removed(d, b, cap, xid, f) : 0;
}

/* ---- what all write alike ------------------------------------------------------------- */

uint8_t *ofp_begin(struct ofp_out *o, enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_kind k,
                   uint32_t xid)
{
    const struct ofp_codec *c = ofp_codec(d);
    int type = ofp_type_of(d, k);

    *o = (struct ofp_out){.b = b, .cap = cap, .bad = type < 0};
    uint8_t *p = type < 0 ? NULL : out_take(o, c->layouts.row[type].fixed);
    if (p == NULL)
        return NULL;
    p[0] = c->layouts.version;
    p[1] = (uint8_t)type;
    store_be32(p + 4, xid);
    return p;
}

size_t ofp_end(struct ofp_out *o)
{
    if (o->bad || o->n > OFP_MSG_MAX)
        return 0;
    store_be16(o->b + 2, (uint16_t)o->n);
    return o->n;
}

size_t ofp_emit(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_kind k, uint32_t xid,
                const void *body, size_t n)
{
    const struct ofp_codec *c = ofp_codec(d);
    struct ofp_out o = {.b = b, .cap = cap};
    int type = ofp_type_of(d, k);

    if (type < 0 || n > OFP_MSG_MAX - OFP_HLEN ||
        !ofp_layout_fits(&c->layouts.row[type], OFP_HLEN + (uint32_t)n))
        return 0;
    uint8_t *p = out_take(&o, OFP_HLEN);
    if (p == NULL)
        return 0;
    p[0] = c->layouts.version;
    p[1] = (uint8_t)type;
    store_be32(p + 4, xid);
    out_bytes(&o, body, n);
    return ofp_end(&o);
}

/* OpenFlow 1.3.5, 7.5.1. */
size_t ofp_emit_hello(uint8_t *b, size_t cap, uint32_t xid, uint32_t versions)
{
    struct ofp_out o = {.b = b, .cap = cap};
    uint8_t *p = out_take(&o, OFP_HLEN + 8);

    if (p == NULL || versions == 0)
        return 0;
    p[0] = (uint8_t)(31 - __builtin_clz(versions));
    store_be32(p + 4, xid);
    store_be16(p + 8, 1);
    store_be16(p + 10, 8);
    store_be32(p + 12, versions);
    return ofp_end(&o);
}

size_t ofp_emit_error(uint8_t version, uint8_t *b, size_t cap, uint32_t xid, uint16_t type,
                      uint16_t code, const void *data, size_t n)
{
    struct ofp_out o = {.b = b, .cap = cap};
    uint8_t *p = out_take(&o, OFP_HLEN + 4);

    if (p == NULL)
        return 0;
    p[0] = version;
    p[1] = 1;
    store_be32(p + 4, xid);
    store_be16(p + 8, type);
    store_be16(p + 10, code);
    out_bytes(&o, data, n < 64 ? n : 64);
    return ofp_end(&o);
}

size_t ofp_emit_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                       const struct ofp_config *c)
{
    const struct ofp_codec *codec = ofp_codec(d);

    return codec != NULL && codec->emit_config != NULL ? codec->emit_config(d, b, cap, xid, k, c)
                                                       : 0;
}

size_t ofp_emit_set_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_config *c)
{
    return ofp_emit_config(d, b, cap, xid, OFP_SET_CONFIG, c);
}

size_t ofp_emit_async(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_async *a)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_async != NULL ? c->emit_async(d, b, cap, xid, k, a) : 0;
}

static size_t emit_role(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                        const struct ofp_role_msg *r)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->emit_role != NULL ? c->emit_role(d, b, cap, xid, k, r) : 0;
}

size_t ofp_emit_role_request(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_role_msg *r)
{
    return emit_role(d, b, cap, xid, OFP_ROLE_REQUEST, r);
}

size_t ofp_emit_role_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_role_msg *r)
{
    return emit_role(d, b, cap, xid, OFP_ROLE_REPLY, r);
}

/* ---- replies of statistics ------------------------------------------------------------ */

static size_t entry_size(enum ofp_stats type)
{
    static const size_t size[OFPMP_TYPES] = {
        [OFPMP_DESC] = sizeof(struct ofp_desc),
        [OFPMP_FLOW] = sizeof(struct ofp_flow_stats),
        [OFPMP_AGGREGATE] = sizeof(struct ofp_aggregate_stats),
        [OFPMP_TABLE] = sizeof(struct ofp_table_stats),
        [OFPMP_PORT] = sizeof(struct ofp_port_stats),
        [OFPMP_QUEUE] = sizeof(struct ofp_queue_stats),
        [OFPMP_GROUP] = sizeof(struct ofp_group_stats),
        [OFPMP_GROUP_DESC] = sizeof(struct ofp_group),
        [OFPMP_METER] = sizeof(struct ofp_meter_stats),
        [OFPMP_METER_CONFIG] = sizeof(struct ofp_meter),
        [OFPMP_PORT_DESC] = sizeof(struct ofp_port),
    };

    return (unsigned)type < OFPMP_TYPES ? size[type] : 0;
}

size_t ofp_emit_stats_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            enum ofp_stats type, const void *entries, size_t n, size_t *used)
{
    const struct ofp_codec *c = ofp_codec(d);
    size_t size = entry_size(type), i = 0;
    size_t end = cap < OFP_MSG_MAX ? cap : OFP_MSG_MAX;

    *used = 0;
    if (c == NULL || c->emit_stat == NULL || size == 0)
        return 0;
    size_t at = c->emit_multipart_head(d, NULL, xid, type, false, 0);
    if (at == 0 || at > end)
        return 0;
    size_t body = at;
    for (; i < n; i++) {
        size_t len = c->emit_stat(d, b + at, end - at, type, (const uint8_t *)entries + i * size);
        if (len == 0)
            break;
        at += len;
    }
    if (i == 0 && n > 0)
        return 0;
    *used = i;
    c->emit_multipart_head(d, b, xid, type, i < n, at - body);
    return at;
}

size_t ofp_emit_port_desc_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                const struct ofp_port *ports, size_t n)
{
    size_t used, len = ofp_emit_stats_reply(d, b, cap, xid, OFPMP_PORT_DESC, ports, n, &used);

    return used == n ? len : 0;
}

size_t ofp_emit_flow_stats_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 const struct ofp_flow_stats *f, size_t n, size_t *used)
{
    return ofp_emit_stats_reply(d, b, cap, xid, OFPMP_FLOW, f, n, used);
}

size_t ofp_emit_port_stats_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 const struct ofp_port_stats *s, size_t n, size_t *used)
{
    return ofp_emit_stats_reply(d, b, cap, xid, OFPMP_PORT, s, n, used);
}
