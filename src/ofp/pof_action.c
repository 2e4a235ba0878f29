/* One block of an action: 48 bytes {type, len, 44 of data}. */
#include "ofp/pof_int.h"

void pof_match_get(const uint8_t *p, struct pof_match *m)
{
    *m = (struct pof_match){
        .field = load_be16(p), .offset = load_be16(p + 2), .len = load_be16(p + 4)};
}

void pof_match_put(uint8_t *p, const struct pof_match *m)
{
    store_be16(p, m->field);
    store_be16(p + 2, m->offset);
    store_be16(p + 4, m->len);
}

/* ---- the two dialects' operands ------------------------------------------------------ */

static void output_get(enum ofp_dialect d, const uint8_t *p, struct pof_action *a)
{
    if (d == POF_HUAWEI) {
        a->arg = load_be32(p);
        a->metadata_offset = load_be16(p + 4);
        a->metadata_len = load_be16(p + 6);
        a->packet_offset = load_be16(p + 8);
        return;
    }
    a->by_field = p[0] != 0;
    a->metadata_offset = load_be16(p + 2);
    a->metadata_len = load_be16(p + 4);
    a->packet_offset = load_be16(p + 6);
    if (a->by_field) {
        pof_match_get(p + 8, &a->at);
        return;
    }
    a->slot = load_be16(p + 8);
    a->arg = load_be16(p + 10);
}

static bool output_put(enum ofp_dialect d, uint8_t *p, const struct pof_action *a)
{
    if (d == POF_HUAWEI) {
        store_be32(p, a->arg);
        store_be16(p + 4, a->metadata_offset);
        store_be16(p + 6, a->metadata_len);
        store_be16(p + 8, a->packet_offset);
        return !a->by_field;
    }
    p[0] = a->by_field;
    store_be16(p + 2, a->metadata_offset);
    store_be16(p + 4, a->metadata_len);
    store_be16(p + 6, a->packet_offset);
    if (a->by_field) {
        pof_match_put(p + 8, &a->at);
        return true;
    }
    store_be16(p + 8, a->slot);
    store_be16(p + 10, (uint16_t)a->arg);
    return a->arg <= UINT16_MAX;
}

/* Huawei has the value as a number of 64 bits; USTC as 16 bytes from the left. */
static void add_get(enum ofp_dialect d, const uint8_t *p, struct pof_action *a)
{
    uint32_t bits = load_be32(p + 4);

    a->arg = load_be16(p);
    a->at.offset = load_be16(p + 2);
    a->at.len = (uint16_t)bits;
    if (d == POF_USTC)
        memcpy(a->value, p + 8, POF_VALUE_BYTES);
    else
        pof_bits_set(a->value, 0, bits, pof_get64(p + 8));
}

static bool add_put(enum ofp_dialect d, uint8_t *p, const struct pof_action *a)
{
    store_be16(p, (uint16_t)a->arg);
    store_be16(p + 2, a->at.offset);
    store_be32(p + 4, a->at.len);
    if (a->arg > UINT16_MAX || a->at.len > (d == POF_USTC ? POF_VALUE_BITS : 64u))
        return false;
    if (d == POF_USTC)
        memcpy(p + 8, a->value, POF_VALUE_BYTES);
    else
        pof_put64(p + 8, pof_bits_get(a->value, 0, a->at.len));
    return true;
}

static void delete_get(enum ofp_dialect d, const uint8_t *p, struct pof_action *a)
{
    a->at.offset = load_be16(p);
    if (d == POF_USTC && p[2] != 0) {
        a->by_field = 1;
        pof_match_get(p + 8, &a->at);
        a->over = load_be16(p);
        return;
    }
    a->at.len = load_be16(p + 6);
    if (d == POF_USTC && load_be32(p + 8) != 0)
        a->at.len = load_be16(p + 10);
}

static bool delete_put(enum ofp_dialect d, uint8_t *p, const struct pof_action *a)
{
    if (a->by_field) {
        store_be16(p, a->over);
        p[2] = 1;
        pof_match_put(p + 8, &a->at);
        return d == POF_USTC;
    }
    store_be16(p, a->at.offset);
    store_be32(p + 4, a->at.len);
    if (d == POF_USTC)
        store_be32(p + 8, a->at.len);
    return true;
}

static void checksum_get(enum ofp_dialect d, const uint8_t *p, struct pof_action *a)
{
    if (d == POF_USTC) {
        a->by_field = (uint8_t)((p[0] & 1) | (p[1] & 1) << 1);
        p += 2;
    }
    a->at.offset = load_be16(p);
    a->at.len = load_be16(p + 2);
    a->over = load_be16(p + 4);
    a->over_len = load_be16(p + 6);
}

static bool checksum_put(enum ofp_dialect d, uint8_t *p, const struct pof_action *a)
{
    if (d == POF_USTC) {
        p[0] = a->by_field & 1;
        p[1] = a->by_field >> 1 & 1;
        p += 2;
    }
    store_be16(p, a->at.offset);
    store_be16(p + 2, a->at.len);
    store_be16(p + 4, a->over);
    store_be16(p + 6, a->over_len);
    return d == POF_USTC || a->by_field == 0;
}

/* ---- an action ----------------------------------------------------------------------- */

/* What of the data is used; real switches do not read len, others may. */
static const uint8_t action_data[2][POFA_TYPES] = {
    {
        [POFA_OUTPUT] = 16,
        [POFA_SET_FIELD] = 40,
        [POFA_SET_FIELD_FROM_METADATA] = 16,
        [POFA_MODIFY_FIELD] = 16,
        [POFA_ADD_FIELD] = 16,
        [POFA_DELETE_FIELD] = 8,
        [POFA_CALCULATE_CHECKSUM] = 8,
        [POFA_GROUP] = 8,
        [POFA_DROP] = 8,
        [POFA_PACKET_IN] = 8,
        [POFA_COUNTER] = 8,
    },
    {
        [POFA_OUTPUT] = 16,
        [POFA_SET_FIELD] = 40,
        [POFA_SET_FIELD_FROM_METADATA] = 16,
        [POFA_MODIFY_FIELD] = 16,
        [POFA_ADD_FIELD] = 24,
        [POFA_DELETE_FIELD] = 16,
        [POFA_CALCULATE_CHECKSUM] = 16,
        [POFA_GROUP] = 8,
        [POFA_DROP] = 8,
        [POFA_PACKET_IN] = 8,
        [POFA_COUNTER] = 8,
    },
};

enum ofp_err pof_action_get(enum ofp_dialect d, const uint8_t *p, struct pof_action *a)
{
    *a = (struct pof_action){.type = load_be16(p)};
    p += 4;
    switch (a->type) {
    case POFA_OUTPUT:
        output_get(d, p, a);
        return OFP_OK;
    case POFA_SET_FIELD:
        pof_match_get(p, &a->at);
        memcpy(a->value, p + 8, POF_VALUE_BYTES);
        memcpy(a->mask, p + 24, POF_VALUE_BYTES);
        return a->at.len <= POF_VALUE_BITS ? OFP_OK : OFP_BAD_ACTION;
    case POFA_SET_FIELD_FROM_METADATA:
        pof_match_get(p, &a->at);
        a->metadata_offset = load_be16(p + 8);
        return OFP_OK;
    case POFA_MODIFY_FIELD:
        pof_match_get(p, &a->at);
        a->arg = load_be32(p + 8);
        return OFP_OK;
    case POFA_ADD_FIELD:
        if (load_be32(p + 4) > (d == POF_USTC ? POF_VALUE_BITS : 64u))
            return OFP_BAD_ACTION;
        add_get(d, p, a);
        return OFP_OK;
    case POFA_DELETE_FIELD:
        delete_get(d, p, a);
        return OFP_OK;
    case POFA_CALCULATE_CHECKSUM:
        checksum_get(d, p, a);
        return a->at.len <= 64 ? OFP_OK : OFP_BAD_ACTION;
    case POFA_GROUP:
    case POFA_DROP:
    case POFA_PACKET_IN:
    case POFA_COUNTER:
        a->arg = load_be32(p);
        return OFP_OK;
    default:
        return OFP_BAD_ACTION;
    }
}

bool pof_action_put(enum ofp_dialect d, uint8_t *p, const struct pof_action *a)
{
    if (a->type >= POFA_TYPES)
        return false;
    store_be16(p, a->type);
    store_be16(p + 2, (uint16_t)(4 + action_data[d == POF_USTC][a->type]));
    p += 4;
    switch ((enum pof_action_type)a->type) {
    case POFA_OUTPUT:
        return output_put(d, p, a);
    case POFA_SET_FIELD:
        pof_match_put(p, &a->at);
        memcpy(p + 8, a->value, POF_VALUE_BYTES);
        memcpy(p + 24, a->mask, POF_VALUE_BYTES);
        return a->at.len <= POF_VALUE_BITS;
    case POFA_SET_FIELD_FROM_METADATA:
        pof_match_put(p, &a->at);
        store_be16(p + 8, a->metadata_offset);
        return true;
    case POFA_MODIFY_FIELD:
        pof_match_put(p, &a->at);
        store_be32(p + 8, a->arg);
        return true;
    case POFA_ADD_FIELD:
        return add_put(d, p, a);
    case POFA_DELETE_FIELD:
        return delete_put(d, p, a);
    case POFA_CALCULATE_CHECKSUM:
        return checksum_put(d, p, a) && a->at.len <= 64;
    case POFA_GROUP:
    case POFA_DROP:
    case POFA_PACKET_IN:
    case POFA_COUNTER:
        store_be32(p, a->arg);
        return true;
    case POFA_TYPES:
        break;
    }
    return false;
}
