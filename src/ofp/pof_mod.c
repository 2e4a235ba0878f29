/* Tables, groups, meters, counters, resources: the messages only POF has. */
#include "ofp/pof_int.h"

/* ---- TABLE_MOD ----------------------------------------------------------------------- */

size_t pof_emit_table_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct pof_table *t)
{
    uint8_t *p = pof_begin(d, b, cap, OFP_TABLE_MOD, xid, 152);

    if (!p || t->fields > POF_FIELDS_MAX || t->key_bits > POF_KEY_BITS_MAX)
        return 0;
    p[0] = t->command;
    p[1] = t->id;
    p[2] = t->type;
    p[3] = t->fields;
    store_be32(p + 4, t->size);
    store_be16(p + 8, t->key_bits);
    if (d == POF_USTC)
        store_be16(p + 10, t->slot);
    pof_text_put(p + 16, t->name);
    for (uint32_t i = 0; i < t->fields; i++)
        pof_match_put(p + 80 + POF_MATCH * i, &t->field[i]);
    return 152;
}

enum ofp_err pof_parse_table_mod(enum ofp_dialect d, const struct ofp_msg *m, struct pof_table *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct pof_table){
        .command = p[0],
        .id = p[1],
        .type = p[2],
        .fields = p[3],
        .size = load_be32(p + 4),
        .key_bits = load_be16(p + 8),
        .slot = d == POF_USTC ? load_be16(p + 10) : 0,
    };
    pof_text_get(out->name, p + 16);
    if (out->fields > POF_FIELDS_MAX)
        return OFP_TOO_MANY;
    for (uint32_t i = 0; i < out->fields; i++)
        pof_match_get(p + 80 + POF_MATCH * i, &out->field[i]);
    return OFP_OK;
}

/* ---- GROUP_MOD ----------------------------------------------------------------------- */

size_t pof_emit_group(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                      const struct pof_group *g)
{
    uint8_t *p = pof_begin(d, b, cap, OFP_GROUP_MOD, xid, 216);

    if (!p || g->actions > POF_GROUP_ACTIONS_MAX)
        return 0;
    p[0] = g->command;
    p[1] = g->type;
    p[2] = g->actions;
    store_be32(p + 4, g->id);
    store_be32(p + 8, g->counter);
    if (d == POF_USTC)
        store_be16(p + 12, g->slot);
    for (uint32_t i = 0; i < g->actions; i++)
        if (!pof_action_put(d, p + 16 + POF_ACTION * i, &g->action[i]))
            return 0;
    return 216;
}

enum ofp_err pof_parse_group(enum ofp_dialect d, const struct ofp_msg *m, struct pof_group *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct pof_group){
        .command = p[0],
        .type = p[1],
        .actions = p[2],
        .id = load_be32(p + 4),
        .counter = load_be32(p + 8),
        .slot = d == POF_USTC ? load_be16(p + 12) : 0,
    };
    if (out->actions > POF_GROUP_ACTIONS_MAX)
        return OFP_TOO_MANY;
    for (uint32_t i = 0; i < out->actions; i++) {
        enum ofp_err e = pof_action_get(d, p + 16 + POF_ACTION * i, &out->action[i]);
        if (e != OFP_OK)
            return e;
    }
    return OFP_OK;
}

/* ---- METER_MOD ----------------------------------------------------------------------- */

size_t pof_emit_meter(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                      const struct pof_meter *t)
{
    uint32_t len = d == POF_USTC ? 24 : 16;
    uint8_t *p = pof_begin(d, b, cap, OFP_METER_MOD, xid, len);

    if (!p)
        return 0;
    p[0] = t->command;
    store_be16(p + 2, d == POF_USTC ? t->slot : (uint16_t)t->rate);
    store_be32(p + 4, t->id);
    if (d == POF_USTC)
        store_be32(p + 8, t->rate);
    else if (t->rate > UINT16_MAX)
        return 0;
    return len;
}

enum ofp_err pof_parse_meter(enum ofp_dialect d, const struct ofp_msg *m, struct pof_meter *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct pof_meter){
        .command = p[0],
        .slot = d == POF_USTC ? load_be16(p + 2) : 0,
        .id = load_be32(p + 4),
        .rate = d == POF_USTC ? load_be32(p + 8) : load_be16(p + 2),
    };
    return OFP_OK;
}

/* ---- COUNTER_* ----------------------------------------------------------------------- */

size_t pof_emit_counter(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                        enum ofp_kind kind, const struct pof_counter *c)
{
    uint32_t len = d == POF_USTC ? 32 : 24;
    uint8_t *p;

    if (kind != POF_COUNTER_MOD && kind != POF_COUNTER_REQUEST && kind != POF_COUNTER_REPLY)
        return 0;
    p = pof_begin(d, b, cap, kind, xid, len);
    if (!p)
        return 0;
    p[0] = c->command;
    store_be32(p + 4, c->id);
    pof_put64(p + 8, c->value);
    if (d == POF_USTC) {
        store_be16(p + 2, c->slot);
        pof_put64(p + 16, c->bytes);
    }
    return len;
}

enum ofp_err pof_parse_counter(enum ofp_dialect d, const struct ofp_msg *m, struct pof_counter *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct pof_counter){
        .command = p[0],
        .slot = d == POF_USTC ? load_be16(p + 2) : 0,
        .id = load_be32(p + 4),
        .value = pof_get64(p + 8),
        .bytes = d == POF_USTC ? pof_get64(p + 16) : 0,
    };
    return OFP_OK;
}

/* ---- RESOURCE_REPORT, QUERYALL ------------------------------------------------------- */

size_t pof_emit_resources(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct pof_resources *r)
{
    uint8_t *p = pof_begin(d, b, cap, POF_RESOURCE_REPORT, xid, 88);

    if (!p)
        return 0;
    p[0] = r->type;
    if (d == POF_USTC)
        store_be16(p + 2, r->slot);
    store_be32(p + 4, r->counters);
    store_be32(p + 8, r->meters);
    store_be32(p + 12, r->groups);
    for (uint32_t i = 0; i < POF_TABLE_TYPES; i++) {
        uint8_t *t = p + 16 + 16 * i;

        store_be32(t, r->table[i].dev);
        t[4] = r->table[i].type;
        t[5] = r->table[i].tables;
        store_be16(t + 6, r->table[i].key_bits);
        store_be32(t + 8, r->table[i].size);
    }
    return 88;
}

enum ofp_err pof_parse_resources(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct pof_resources *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct pof_resources){
        .type = p[0],
        .slot = d == POF_USTC ? load_be16(p + 2) : 0,
        .counters = load_be32(p + 4),
        .meters = load_be32(p + 8),
        .groups = load_be32(p + 12),
    };
    for (uint32_t i = 0; i < POF_TABLE_TYPES; i++) {
        const uint8_t *t = p + 16 + 16 * i;

        out->table[i] = (struct pof_resource){
            .dev = load_be32(t),
            .type = t[4],
            .tables = t[5],
            .key_bits = load_be16(t + 6),
            .size = load_be32(t + 8),
        };
    }
    return OFP_OK;
}

size_t pof_emit_queryall(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, uint16_t slot)
{
    uint8_t *p = pof_begin(d, b, cap, POF_QUERYALL_REQUEST, xid, 16);

    if (!p)
        return 0;
    store_be16(p, slot);
    return 16;
}
