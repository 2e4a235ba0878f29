/* Statistics: their heads and requests.  OpenFlow 1.0.0, 5.3.5; 1.3.5, 7.3.5. */
#include "ofp/of_int.h"

/* Bodies: `fixed` bytes, then things of `step` bytes; step 0: nothing more. */
struct body {
    uint16_t fixed, step;
};
struct stats_layout {
    bool known;
    struct body request, reply;
};

static const struct stats_layout layouts10[OFPMP_TYPES] = {
    [OFPMP_DESC] = {true, {0, 0}, {1056, 0}},      [OFPMP_FLOW] = {true, {44, 0}, {0, 8}},
    [OFPMP_AGGREGATE] = {true, {44, 0}, {24, 0}},  [OFPMP_TABLE] = {true, {0, 0}, {0, 64}},
    [OFPMP_PORT] = {true, {8, 0}, {0, 104}},       [OFPMP_QUEUE] = {true, {8, 0}, {0, 32}},
    [OFPMP_EXPERIMENTER] = {true, {4, 1}, {4, 1}},
};
static const struct stats_layout layouts13[OFPMP_TYPES] = {
    [OFPMP_DESC] = {true, {0, 0}, {1056, 0}},
    [OFPMP_FLOW] = {true, {40, 8}, {0, 8}},
    [OFPMP_AGGREGATE] = {true, {40, 8}, {24, 0}},
    [OFPMP_TABLE] = {true, {0, 0}, {0, 24}},
    [OFPMP_PORT] = {true, {8, 0}, {0, 112}},
    [OFPMP_QUEUE] = {true, {8, 0}, {0, 40}},
    [OFPMP_GROUP] = {true, {8, 0}, {0, 8}},
    [OFPMP_GROUP_DESC] = {true, {0, 0}, {0, 8}},
    [OFPMP_GROUP_FEATURES] = {true, {0, 0}, {40, 0}},
    [OFPMP_METER] = {true, {8, 0}, {0, 8}},
    [OFPMP_METER_CONFIG] = {true, {8, 0}, {0, 8}},
    [OFPMP_METER_FEATURES] = {true, {0, 0}, {16, 0}},
    [OFPMP_TABLE_FEATURES] = {true, {0, 8}, {0, 8}},
    [OFPMP_PORT_DESC] = {true, {0, 0}, {0, OFP13_PORT_LEN}},
    [OFPMP_EXPERIMENTER] = {true, {8, 1}, {8, 1}},
};

enum { HEAD10 = 12, HEAD13 = 16, STATS_EXPERIMENTER = 0xffff };

static const struct stats_layout *layout_of(enum ofp_dialect d, enum ofp_stats type)
{
    return d == OFP_10 ? &layouts10[type] : &layouts13[type];
}

static uint32_t head_len(enum ofp_dialect d)
{
    return d == OFP_10 ? HEAD10 : HEAD13;
}

/* Both versions number them alike, and enum ofp_stats does as well. */
static enum ofp_stats type_of(enum ofp_dialect d, uint16_t number)
{
    enum ofp_stats t = number == STATS_EXPERIMENTER ? OFPMP_EXPERIMENTER : (enum ofp_stats)number;

    if (number != STATS_EXPERIMENTER && number >= OFPMP_EXPERIMENTER)
        return OFPMP_TYPES;
    return layout_of(d, t)->known ? t : OFPMP_TYPES;
}

static enum ofp_err frame_stats(enum ofp_dialect d, enum ofp_from from, const struct ofp_msg *m)
{
    enum ofp_stats t = type_of(d, load_be16(m->p + 8));
    uint32_t n = m->len - head_len(d);

    if (t == OFPMP_TYPES)
        return OFP_BAD_FIELD;
    const struct stats_layout *l = layout_of(d, t);
    struct body b = from == OFP_FROM_SWITCH ? l->reply : l->request;
    if (n < b.fixed || (b.step == 0 && n != b.fixed) || (b.step > 1 && (n - b.fixed) % b.step != 0))
        return OFP_BAD_LEN;
    return OFP_OK;
}

enum ofp_err of10_frame(enum ofp_from from, struct ofp_msg *m)
{
    return m->kind == OFP_EXPERIMENTER ? of10_frame_vendor(from, m) : frame_stats(OFP_10, from, m);
}

enum ofp_err of13_frame(enum ofp_from from, struct ofp_msg *m)
{
    return frame_stats(OFP_13, from, m);
}

enum ofp_err of_parse_multipart(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_multipart *out)
{
    *out = (struct ofp_multipart){
        .type = type_of(d, load_be16(m->p + 8)),
        .more = (m->p[11] & 1) != 0,
        .body = m->p + head_len(d),
        .body_len = m->len - head_len(d),
    };
    return out->type == OFPMP_TYPES ? OFP_BAD_FIELD : OFP_OK;
}

size_t of_emit_multipart_head(enum ofp_dialect d, uint8_t *b, uint32_t xid, enum ofp_stats type,
                              bool more, size_t n)
{
    struct ofp_out o;
    uint32_t head = head_len(d);

    if ((unsigned)type >= OFPMP_TYPES || !layout_of(d, type)->known || b == NULL)
        return (unsigned)type < OFPMP_TYPES && layout_of(d, type)->known ? head : 0;
    uint8_t *p = ofp_begin(&o, d, b, head, OFP_MULTIPART_REPLY, xid);
    if (p == NULL)
        return 0;
    store_be16(p + 8, type == OFPMP_EXPERIMENTER ? STATS_EXPERIMENTER : (uint16_t)type);
    store_be16(p + 10, more);
    o.n += n;
    return ofp_end(&o);
}

/* ---- requests ------------------------------------------------------------------------- */

static enum ofp_err parse_filter(enum ofp_dialect d, const uint8_t *p, uint32_t n,
                                 struct ofp_flow *f)
{
    size_t used;

    ofp_flow_init(f);
    if (d == OFP_10) {
        ofp10_parse_match(p, &f->match);
        f->table = p[40];
        f->out_port = ofp10_port(load_be16(p + 42));
        return OFP_OK;
    }
    f->table = p[0];
    f->out_port = load_be32(p + 4);
    f->out_group = load_be32(p + 8);
    f->cookie = load_be64(p + 16);
    f->cookie_mask = load_be64(p + 24);
    enum ofp_err e = ofp13_parse_match(p + 32, n - 32, &f->match, &used);
    return e != OFP_OK || used == n - 32 ? e : OFP_BAD_LEN;
}

enum ofp_err of_parse_multipart_request(enum ofp_dialect d, const struct ofp_msg *m,
                                        enum ofp_stats *type, struct ofp_flow *filter,
                                        uint32_t *port)
{
    const uint8_t *p = m->p + head_len(d);

    *type = type_of(d, load_be16(m->p + 8));
    *port = OFPP_ANY;
    switch (*type) {
    case OFPMP_FLOW:
    case OFPMP_AGGREGATE:
        return parse_filter(d, p, m->len - head_len(d), filter);
    case OFPMP_PORT:
    case OFPMP_QUEUE:
        *port = d == OFP_10 ? ofp10_port(load_be16(p)) : load_be32(p);
        break;
    case OFPMP_GROUP:
        *port = load_be32(p) == OFP_GROUP_ALL ? OFPP_ANY : load_be32(p);
        break;
    case OFPMP_METER:
    case OFPMP_METER_CONFIG:
        *port = load_be32(p);
        break;
    case OFPMP_TYPES:
        return OFP_BAD_FIELD;
    case OFPMP_DESC:
    case OFPMP_TABLE:
    case OFPMP_GROUP_DESC:
    case OFPMP_GROUP_FEATURES:
    case OFPMP_METER_FEATURES:
    case OFPMP_TABLE_FEATURES:
    case OFPMP_PORT_DESC:
    case OFPMP_EXPERIMENTER:
        break;
    }
    return OFP_OK;
}

static void emit_filter(struct ofp_out *o, enum ofp_dialect d, const struct ofp_flow *f)
{
    static const struct ofp_match all;
    const struct ofp_match *m = f != NULL ? &f->match : &all;
    uint32_t out_port = f != NULL ? f->out_port : OFPP_ANY;
    uint8_t *p = out_take(o, d == OFP_10 ? 44 : 32);

    if (p == NULL)
        return;
    if (d == OFP_10) {
        p[40] = f != NULL ? f->table : OFP_TABLE_ALL;
        o->bad |= !ofp10_emit_match(p, m) || !ofp10_port_emit(p + 42, out_port);
        o->bad |= f != NULL && (f->out_group != OFPP_ANY || f->cookie_mask != 0);
        return;
    }
    p[0] = f != NULL ? f->table : OFP_TABLE_ALL;
    store_be32(p + 4, out_port);
    store_be32(p + 8, f != NULL ? f->out_group : OFPP_ANY);
    store_be64(p + 16, f != NULL ? f->cookie : 0);
    store_be64(p + 24, f != NULL ? f->cookie_mask : 0);
    ofp13_emit_match(o, m);
}

static void emit_number(struct ofp_out *o, enum ofp_dialect d, enum ofp_stats type, uint32_t no)
{
    uint8_t *p = out_take(o, 8);

    if (p == NULL)
        return;
    if (type == OFPMP_GROUP && no == OFPP_ANY)
        no = OFP_GROUP_ALL;
    if (d == OFP_10)
        o->bad |= !ofp10_port_emit(p, no);
    else
        store_be32(p, no);
    if (type == OFPMP_QUEUE)
        store_be32(p + 4, UINT32_MAX);
}

/* What carries more than this (an experimenter's, table features to set) nobody here asks for. */
size_t of_emit_multipart_request(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 enum ofp_stats type, const struct ofp_flow *filter, uint32_t port)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_MULTIPART_REQUEST, xid);

    if (p == NULL || (unsigned)type >= OFPMP_EXPERIMENTER || !layout_of(d, type)->known)
        return 0;
    store_be16(p + 8, (uint16_t)type);
    if (type == OFPMP_FLOW || type == OFPMP_AGGREGATE)
        emit_filter(&o, d, filter);
    else if (layout_of(d, type)->request.fixed == 8)
        emit_number(&o, d, type, port);
    return ofp_end(&o);
}
