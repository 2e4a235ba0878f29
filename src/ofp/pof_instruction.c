/* One block of an instruction, and the entry (FLOW_MOD) that holds them. */
#include "ofp/pof_int.h"

uint32_t pof_actions_max(enum ofp_dialect d)
{
    return d == POF_USTC ? 6 : 4;
}

uint32_t pof_instructions_max(enum ofp_dialect d)
{
    return d == POF_USTC ? 6 : 4;
}

/* ---- operands: USTC's 1.4.0 says in a byte elsewhere whether it is a number or a place ---- */

static void operand_get(const uint8_t *p, bool by_field, bool backward, struct pof_operand *o)
{
    *o = (struct pof_operand){.by_field = by_field, .backward = backward};
    if (by_field)
        pof_match_get(p, &o->at);
    else
        o->number = load_be32(p);
}

static void operand_put(uint8_t *p, const struct pof_operand *o)
{
    if (o->by_field)
        pof_match_put(p, &o->at);
    else
        store_be32(p, o->number);
}

static void jump_get(const uint8_t *p, struct pof_instruction *i)
{
    pof_match_get(p + 8, &i->at);
    operand_get(p + 16, p[0] != 0, false, &i->operand[0]);
    for (uint32_t k = 1; k < 4; k++)
        operand_get(p + 16 + 8 * k, p[2 * k] != 0, p[2 * k - 1] != 0, &i->operand[k]);
}

static void jump_put(uint8_t *p, const struct pof_instruction *i)
{
    p[0] = i->operand[0].by_field;
    pof_match_put(p + 8, &i->at);
    operand_put(p + 16, &i->operand[0]);
    for (uint32_t k = 1; k < 4; k++) {
        p[2 * k - 1] = i->operand[k].backward;
        p[2 * k] = i->operand[k].by_field;
        operand_put(p + 16 + 8 * k, &i->operand[k]);
    }
}

/* ---- single instructions ------------------------------------------------------------- */

static enum ofp_err goto_get(const uint8_t *p, struct pof_instruction *i)
{
    i->table = p[0];
    i->fields = p[1];
    i->packet_offset = load_be16(p + 2);
    if (i->fields > POF_FIELDS_MAX)
        return OFP_BAD_INSTRUCTION;
    for (uint32_t k = 0; k < i->fields; k++)
        pof_match_get(p + 8 + POF_MATCH * k, &i->field[k]);
    return OFP_OK;
}

static bool goto_put(uint8_t *p, const struct pof_instruction *i)
{
    p[0] = i->table;
    p[1] = i->fields;
    store_be16(p + 2, i->packet_offset);
    for (uint32_t k = 0; k < i->fields && k < POF_FIELDS_MAX; k++)
        pof_match_put(p + 8 + POF_MATCH * k, &i->field[k]);
    return i->fields <= POF_FIELDS_MAX;
}

static enum ofp_err metadata_get(enum ofp_dialect d, const uint8_t *p, struct pof_instruction *i)
{
    i->metadata_offset = load_be16(p);
    i->len = load_be16(p + 2);
    if (i->len > (d == POF_USTC ? POF_VALUE_BITS : 32u))
        return OFP_BAD_INSTRUCTION;
    if (d == POF_USTC)
        memcpy(i->value, p + 4, POF_VALUE_BYTES);
    else
        pof_bits_set(i->value, 0, i->len, load_be32(p + 4));
    return OFP_OK;
}

static bool metadata_put(enum ofp_dialect d, uint8_t *p, const struct pof_instruction *i)
{
    store_be16(p, i->metadata_offset);
    store_be16(p + 2, i->len);
    if (i->len > (d == POF_USTC ? POF_VALUE_BITS : 32u))
        return false;
    if (d == POF_USTC)
        memcpy(p + 4, i->value, POF_VALUE_BYTES);
    else
        store_be32(p + 4, (uint32_t)pof_bits_get(i->value, 0, i->len));
    return true;
}

static enum ofp_err apply_get(enum ofp_dialect d, const uint8_t *p, struct pof_instruction *i)
{
    i->actions = p[0];
    if (i->actions > pof_actions_max(d))
        return OFP_BAD_INSTRUCTION;
    for (uint32_t k = 0; k < i->actions; k++) {
        enum ofp_err e = pof_action_get(d, p + 8 + POF_ACTION * k, &i->action[k]);
        if (e != OFP_OK)
            return e;
    }
    return OFP_OK;
}

static bool apply_put(enum ofp_dialect d, uint8_t *p, const struct pof_instruction *i)
{
    if (i->actions > pof_actions_max(d))
        return false;
    p[0] = i->actions;
    for (uint32_t k = 0; k < i->actions; k++)
        if (!pof_action_put(d, p + 8 + POF_ACTION * k, &i->action[k]))
            return false;
    return true;
}

/* USTC has the number 4 bytes further; what stands at Huawei's place is a pad there. */
static void direct_get(enum ofp_dialect d, const uint8_t *p, struct pof_instruction *i)
{
    i->table = p[0];
    i->packet_offset = load_be16(p + 2);
    i->arg = load_be32(p + 4);
    if (d == POF_USTC && (p[1] != 0 || load_be32(p + 8) != 0))
        operand_get(p + 8, p[1] != 0, false, &i->operand[0]);
    if (d == POF_USTC && i->operand[0].number != 0)
        i->arg = i->operand[0].number;
    i->operand[0].number = 0;
}

static bool direct_put(enum ofp_dialect d, uint8_t *p, const struct pof_instruction *i)
{
    p[0] = i->table;
    store_be16(p + 2, i->packet_offset);
    if (i->operand[0].by_field) {
        p[1] = 1;
        pof_match_put(p + 8, &i->operand[0].at);
        return d == POF_USTC;
    }
    store_be32(p + 4, i->arg);
    if (d == POF_USTC)
        store_be32(p + 8, i->arg);
    return true;
}

/* ---- an instruction ------------------------------------------------------------------ */

static enum ofp_err ustc_get(const uint8_t *p, struct pof_instruction *i)
{
    switch (i->type) {
    case POFI_CONDITIONAL_JUMP:
        jump_get(p, i);
        return OFP_OK;
    case POFI_CALCULATE_FIELD:
        i->arg = load_be16(p);
        pof_match_get(p + 8, &i->at);
        operand_get(p + 16, p[2] != 0, false, &i->operand[0]);
        return OFP_OK;
    case POFI_MOVE_PACKET_OFFSET:
        operand_get(p + 8, p[1] != 0, p[0] != 0, &i->operand[0]);
        return OFP_OK;
    default:
        return OFP_BAD_INSTRUCTION;
    }
}

static bool ustc_put(uint8_t *p, const struct pof_instruction *i)
{
    switch (i->type) {
    case POFI_CONDITIONAL_JUMP:
        jump_put(p, i);
        return true;
    case POFI_CALCULATE_FIELD:
        store_be16(p, (uint16_t)i->arg);
        p[2] = i->operand[0].by_field;
        pof_match_put(p + 8, &i->at);
        operand_put(p + 16, &i->operand[0]);
        return i->arg <= UINT16_MAX;
    case POFI_MOVE_PACKET_OFFSET:
        p[0] = i->operand[0].backward;
        p[1] = i->operand[0].by_field;
        operand_put(p + 8, &i->operand[0]);
        return true;
    default:
        return false;
    }
}

enum ofp_err pof_instruction_get(enum ofp_dialect d, const uint8_t *p, struct pof_instruction *i)
{
    *i = (struct pof_instruction){.type = load_be16(p)};
    p += 8;
    switch (i->type) {
    case POFI_GOTO_TABLE:
        return goto_get(p, i);
    case POFI_WRITE_METADATA:
        return metadata_get(d, p, i);
    case POFI_APPLY_ACTIONS:
        return apply_get(d, p, i);
    case POFI_METER:
        i->arg = load_be32(p);
        return OFP_OK;
    case POFI_WRITE_METADATA_FROM_PACKET:
        i->metadata_offset = load_be16(p);
        i->packet_offset = load_be16(p + 2);
        i->len = load_be16(p + 4);
        return OFP_OK;
    case POFI_GOTO_DIRECT_TABLE:
        direct_get(d, p, i);
        return OFP_OK;
    default:
        return d == POF_USTC ? ustc_get(p, i) : OFP_BAD_INSTRUCTION;
    }
}

/* How much of the block is used, its header included. */
static uint32_t used(enum ofp_dialect d, const struct pof_instruction *i)
{
    switch (i->type) {
    case POFI_GOTO_TABLE:
        return 8 + 8 + POF_MATCH * POF_FIELDS_MAX;
    case POFI_APPLY_ACTIONS:
        return 8 + 8 + POF_ACTION * (uint32_t)i->actions;
    case POFI_WRITE_METADATA:
        return d == POF_USTC ? 32 : 16;
    case POFI_GOTO_DIRECT_TABLE:
        return d == POF_USTC ? 24 : 16;
    case POFI_CONDITIONAL_JUMP:
        return 8 + 48;
    case POFI_CALCULATE_FIELD:
        return 8 + 24;
    case POFI_MOVE_PACKET_OFFSET:
        return 8 + 16;
    default:
        return 16;
    }
}

bool pof_instruction_put(enum ofp_dialect d, uint8_t *p, const struct pof_instruction *i)
{
    store_be16(p, i->type);
    store_be16(p + 2, (uint16_t)used(d, i));
    p += 8;
    switch (i->type) {
    case POFI_GOTO_TABLE:
        return goto_put(p, i);
    case POFI_WRITE_METADATA:
        return metadata_put(d, p, i);
    case POFI_APPLY_ACTIONS:
        return apply_put(d, p, i);
    case POFI_METER:
        store_be32(p, i->arg);
        return true;
    case POFI_WRITE_METADATA_FROM_PACKET:
        store_be16(p, i->metadata_offset);
        store_be16(p + 2, i->packet_offset);
        store_be16(p + 4, i->len);
        return true;
    case POFI_GOTO_DIRECT_TABLE:
        return direct_put(d, p, i);
    default:
        return d == POF_USTC && ustc_put(p, i);
    }
}

/* ---- an entry ------------------------------------------------------------------------ */

size_t pof_emit_entry(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                      const struct pof_entry *e)
{
    uint32_t len = pof_entry_size(d);
    uint8_t *p = pof_begin(d, b, cap, OFP_FLOW_MOD, xid, len);

    if (!p || e->fields > POF_FIELDS_MAX || e->instructions > pof_instructions_max(d))
        return 0;
    p[0] = e->command;
    p[1] = e->fields;
    p[2] = e->instructions;
    store_be32(p + 4, e->counter);
    pof_put64(p + 8, e->cookie);
    pof_put64(p + 16, e->cookie_mask);
    p[24] = e->table;
    p[25] = e->type;
    store_be16(p + 26, e->idle_timeout);
    store_be16(p + 28, e->hard_timeout);
    store_be16(p + 30, e->priority);
    store_be32(p + 32, e->index);
    if (d == POF_USTC)
        store_be16(p + 36, e->slot);
    for (uint32_t k = 0; k < e->fields; k++) {
        uint8_t *x = p + POF_ENTRY_HEAD + POF_MATCHX * k;

        pof_match_put(x, &e->match[k].at);
        memcpy(x + 8, e->match[k].value, POF_VALUE_BYTES);
        memcpy(x + 24, e->match[k].mask, POF_VALUE_BYTES);
    }
    p += POF_ENTRY_HEAD + POF_MATCHX * POF_FIELDS_MAX;
    for (uint32_t k = 0; k < e->instructions; k++)
        if (!pof_instruction_put(d, p + k * pof_instruction_size(d), &e->instruction[k]))
            return 0;
    return len;
}

enum ofp_err pof_parse_entry(enum ofp_dialect d, const struct ofp_msg *m, struct pof_entry *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    if (m->len != pof_entry_size(d))
        return OFP_BAD_LEN;
    *out = (struct pof_entry){
        .command = p[0],
        .fields = p[1],
        .instructions = p[2],
        .counter = load_be32(p + 4),
        .cookie = pof_get64(p + 8),
        .cookie_mask = pof_get64(p + 16),
        .table = p[24],
        .type = p[25],
        .idle_timeout = load_be16(p + 26),
        .hard_timeout = load_be16(p + 28),
        .priority = load_be16(p + 30),
        .index = load_be32(p + 32),
        .slot = d == POF_USTC ? load_be16(p + 36) : 0,
    };
    if (out->fields > POF_FIELDS_MAX || out->instructions > pof_instructions_max(d))
        return OFP_TOO_MANY;
    for (uint32_t k = 0; k < out->fields; k++) {
        const uint8_t *x = p + POF_ENTRY_HEAD + POF_MATCHX * k;

        pof_match_get(x, &out->match[k].at);
        memcpy(out->match[k].value, x + 8, POF_VALUE_BYTES);
        memcpy(out->match[k].mask, x + 24, POF_VALUE_BYTES);
        if (out->match[k].at.len > POF_VALUE_BITS)
            return OFP_BAD_MATCH;
    }
    p += POF_ENTRY_HEAD + POF_MATCHX * POF_FIELDS_MAX;
    for (uint32_t k = 0; k < out->instructions; k++) {
        enum ofp_err e =
            pof_instruction_get(d, p + k * pof_instruction_size(d), &out->instruction[k]);
        if (e != OFP_OK)
            return e;
    }
    return OFP_OK;
}
