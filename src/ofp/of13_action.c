/* OpenFlow 1.3's actions and instructions.  OpenFlow 1.3.5, 7.2.4 and 7.2.5. */
#include "ofp/of_int.h"

/* What an action carries behind its type and length. */
enum arg { ARG_NONE, ARG_PORT, ARG_ID, ARG_ETHERTYPE, ARG_TTL, ARG_FIELD, ARG_RAW };

static const struct shape {
    uint16_t number;
    uint8_t len; /* 0: variable, a multiple of 8 */
    uint8_t arg;
} shapes[OFPA_TYPES] = {
    [OFPA_OUTPUT] = {0, 16, ARG_PORT},
    [OFPA_COPY_TTL_OUT] = {11, 8, ARG_NONE},
    [OFPA_COPY_TTL_IN] = {12, 8, ARG_NONE},
    [OFPA_SET_MPLS_TTL] = {15, 8, ARG_TTL},
    [OFPA_DEC_MPLS_TTL] = {16, 8, ARG_NONE},
    [OFPA_PUSH_VLAN] = {17, 8, ARG_ETHERTYPE},
    [OFPA_POP_VLAN] = {18, 8, ARG_NONE},
    [OFPA_PUSH_MPLS] = {19, 8, ARG_ETHERTYPE},
    [OFPA_POP_MPLS] = {20, 8, ARG_ETHERTYPE},
    [OFPA_SET_QUEUE] = {21, 8, ARG_ID},
    [OFPA_GROUP] = {22, 8, ARG_ID},
    [OFPA_SET_NW_TTL] = {23, 8, ARG_TTL},
    [OFPA_DEC_NW_TTL] = {24, 8, ARG_NONE},
    [OFPA_SET_FIELD] = {25, 0, ARG_FIELD},
    [OFPA_PUSH_PBB] = {26, 8, ARG_ETHERTYPE},
    [OFPA_POP_PBB] = {27, 8, ARG_NONE},
    [OFPA_EXPERIMENTER] = {0xffff, 0, ARG_RAW},
};

static enum ofp_action_type type_of(uint16_t number)
{
    unsigned t = 0;

    while (t < OFPA_TYPES && shapes[t].number != number)
        t++;
    return (enum ofp_action_type)t;
}

/* One action whose length is proven to be there. */
static enum ofp_err parse_one(const uint8_t *p, size_t len, struct ofp_action *a)
{
    *a = (struct ofp_action){.type = type_of(load_be16(p))};
    if (a->type == OFPA_TYPES)
        return OFP_BAD_ACTION;
    const struct shape *s = &shapes[a->type];
    if (s->len != 0 && len != s->len)
        return OFP_BAD_ACTION;
    switch ((enum arg)s->arg) {
    case ARG_NONE:
        break;
    case ARG_PORT:
        a->port = load_be32(p + 4);
        a->max_len = load_be16(p + 8);
        break;
    case ARG_ID:
        a->id = load_be32(p + 4);
        break;
    case ARG_ETHERTYPE:
        a->ethertype = load_be16(p + 4);
        break;
    case ARG_TTL:
        a->ttl = p[4];
        break;
    case ARG_FIELD:
        return ofp13_parse_oxm(p + 4, len - 4, &a->field);
    case ARG_RAW:
        a->id = load_be32(p + 4);
        a->raw = p + 8;
        a->raw_len = (uint16_t)(len - 8);
        break;
    }
    return OFP_OK;
}

enum ofp_err ofp13_parse_actions(const uint8_t *p, size_t n, struct ofp_actions *out)
{
    out->n = 0;
    for (size_t at = 0, len; at < n; at += len) {
        if (n - at < 8)
            return OFP_BAD_ACTION;
        len = load_be16(p + at + 2);
        if (len < 8 || len % 8 != 0 || len > n - at)
            return OFP_BAD_ACTION;
        if (out->n == OFP_ACTIONS_MAX)
            return OFP_TOO_MANY;
        enum ofp_err e = parse_one(p + at, len, &out->a[out->n]);
        if (e != OFP_OK)
            return e;
        out->n++;
    }
    return OFP_OK;
}

static void emit_field(struct ofp_out *o, const struct ofp_tlv *t)
{
    size_t begin = o->n;
    uint8_t *p = out_take(o, 4);

    o->bad |= t->masked;
    ofp13_emit_oxm(o, t);
    out_take(o, (8 - (o->n - begin) % 8) % 8);
    if (o->bad)
        return;
    store_be16(p, shapes[OFPA_SET_FIELD].number);
    store_be16(p + 2, (uint16_t)(o->n - begin));
}

static void emit_one(struct ofp_out *o, const struct ofp_action *a)
{
    const struct shape *s = &shapes[a->type];

    if (s->arg == ARG_FIELD) {
        emit_field(o, &a->field);
        return;
    }
    uint8_t *p = out_take(o, s->len != 0 ? s->len : 8);
    if (p == NULL)
        return;
    store_be16(p, s->number);
    store_be16(p + 2, (uint16_t)(s->len != 0 ? s->len : 8 + a->raw_len));
    switch ((enum arg)s->arg) {
    case ARG_PORT:
        store_be32(p + 4, a->port);
        store_be16(p + 8, a->max_len);
        break;
    case ARG_ID:
        store_be32(p + 4, a->id);
        break;
    case ARG_ETHERTYPE:
        store_be16(p + 4, a->ethertype);
        break;
    case ARG_TTL:
        p[4] = a->ttl;
        break;
    case ARG_RAW:
        store_be32(p + 4, a->id);
        o->bad |= a->raw_len % 8 != 0;
        out_bytes(o, a->raw, a->raw_len);
        break;
    case ARG_NONE:
    case ARG_FIELD:
        break;
    }
}

void ofp13_emit_actions(struct ofp_out *o, const struct ofp_actions *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        emit_one(o, &a->a[i]);
}

/* ---- instructions --------------------------------------------------------------------- */

enum {
    I_GOTO_TABLE = 1,
    I_WRITE_METADATA,
    I_WRITE_ACTIONS,
    I_APPLY_ACTIONS,
    I_CLEAR_ACTIONS,
    I_METER,
    I_TYPES
};

/* Sizes; of the two with actions, the least. */
static const uint8_t i_lengths[I_TYPES] = {0, 8, 24, 8, 8, 8, 8};

static enum ofp_err parse_instruction(const uint8_t *p, size_t len, unsigned type,
                                      struct ofp_instructions *out)
{
    switch (type) {
    case I_GOTO_TABLE:
        out->has_goto = true;
        out->goto_table = p[4];
        break;
    case I_WRITE_METADATA:
        out->has_metadata = true;
        out->metadata = load_be64(p + 8);
        out->metadata_mask = load_be64(p + 16);
        break;
    case I_WRITE_ACTIONS:
        return ofp13_parse_actions(p + 8, len - 8, &out->write);
    case I_APPLY_ACTIONS:
        return ofp13_parse_actions(p + 8, len - 8, &out->apply);
    case I_CLEAR_ACTIONS:
        out->clear = true;
        break;
    default:
        out->has_meter = true;
        out->meter = load_be32(p + 4);
        break;
    }
    return OFP_OK;
}

enum ofp_err ofp13_parse_instructions(const uint8_t *p, size_t n, struct ofp_instructions *out)
{
    unsigned seen = 0;

    ofp_instructions_init(out);
    for (size_t at = 0, len; at < n; at += len) {
        if (n - at < 8)
            return OFP_BAD_INSTRUCTION;
        unsigned type = load_be16(p + at);
        len = load_be16(p + at + 2);
        if (type == 0 || type >= I_TYPES || (seen >> type & 1) != 0 || len > n - at)
            return OFP_BAD_INSTRUCTION;
        bool actions = type == I_WRITE_ACTIONS || type == I_APPLY_ACTIONS;
        if (len < i_lengths[type] || (!actions && len != i_lengths[type]))
            return OFP_BAD_INSTRUCTION;
        seen |= 1u << type;
        enum ofp_err e = parse_instruction(p + at, len, type, out);
        if (e != OFP_OK)
            return e;
    }
    return OFP_OK;
}

static uint8_t *put_instruction(struct ofp_out *o, unsigned type)
{
    uint8_t *p = out_take(o, i_lengths[type]);

    if (p == NULL)
        return NULL;
    store_be16(p, (uint16_t)type);
    store_be16(p + 2, i_lengths[type]);
    return p;
}

static void put_actions(struct ofp_out *o, unsigned type, const struct ofp_actions *a)
{
    size_t begin = o->n;
    uint8_t *p = put_instruction(o, type);

    ofp13_emit_actions(o, a);
    if (!o->bad)
        store_be16(p + 2, (uint16_t)(o->n - begin));
}

/* In the order in which a switch carries them out (5.9). */
void ofp13_emit_instructions(struct ofp_out *o, const struct ofp_instructions *i)
{
    uint8_t *p;

    if (i->has_meter && (p = put_instruction(o, I_METER)) != NULL)
        store_be32(p + 4, i->meter);
    if (i->apply.n > 0)
        put_actions(o, I_APPLY_ACTIONS, &i->apply);
    if (i->clear)
        put_instruction(o, I_CLEAR_ACTIONS);
    if (i->write.n > 0)
        put_actions(o, I_WRITE_ACTIONS, &i->write);
    if (i->has_metadata && (p = put_instruction(o, I_WRITE_METADATA)) != NULL) {
        store_be64(p + 8, i->metadata);
        store_be64(p + 16, i->metadata_mask);
    }
    if (i->has_goto && (p = put_instruction(o, I_GOTO_TABLE)) != NULL)
        p[4] = i->goto_table;
}
