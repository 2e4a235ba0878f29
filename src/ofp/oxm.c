/* OpenFlow 1.3's match: a list of OXM TLVs.  OpenFlow 1.3.5, 7.2.3.
 *
 *      0        2        4                    7     8
 *     | type=1 | length | class | field |M| len | value [mask] | ... | pad to 8
 *                        \____ length - 4 bytes of TLVs ______________/        */
#include "ofp/of_int.h"

enum { OXM_BASIC = 0x8000, OXM_EXPERIMENTER = 0xffff };

/* Bits beyond the field's width: none in a value. */
static bool in_width(const struct ofp_field_info *i, const uint8_t *v)
{
    unsigned spare = i->bytes * 8u - i->bits; /* at most 15, at the front */

    if (spare >= 8)
        return v[0] == 0 && v[1] >> (16 - spare) == 0;
    return spare == 0 || v[0] >> (8 - spare) == 0;
}

static void clear_spare(const struct ofp_field_info *i, uint8_t *v)
{
    unsigned spare = i->bytes * 8u - i->bits;

    for (unsigned k = 0; k < spare; k++)
        v[k / 8] &= (uint8_t) ~(0x80u >> k % 8);
}

enum mask_shape { MASK_NONE, MASK_SOME, MASK_ALL };

static enum mask_shape mask_shape(const struct ofp_field_info *i, const uint8_t *mask)
{
    uint8_t full[OFP_VALUE_MAX];
    bool any = false;

    memset(full, 0xff, sizeof(full));
    clear_spare(i, full);
    for (unsigned k = 0; k < i->bytes; k++)
        any |= mask[k] != 0;
    if (!any)
        return MASK_NONE;
    return memcmp(full, mask, i->bytes) == 0 ? MASK_ALL : MASK_SOME;
}

/* One TLV whose length is proven.  A mask of ones is no mask, one of zeros no field (1.3.5,
 * 7.2.3.5); bits of the value that the mask hides are cleared. */
static enum ofp_err oxm_value(const uint8_t *p, struct ofp_tlv *t, bool *wild)
{
    const struct ofp_field_info *i = ofp_field_info((enum ofp_field)(p[2] >> 1));
    bool masked = (p[2] & 1) != 0;

    *wild = false;
    if (p[3] != i->bytes << masked || (masked && !i->maskable))
        return OFP_BAD_MATCH;
    ofp_tlv_set(t, (enum ofp_field)(p[2] >> 1), p + 4, masked ? p + 4 + i->bytes : NULL);
    if (masked) {
        clear_spare(i, t->mask);
        for (unsigned k = 0; k < i->bytes; k++)
            t->value[k] &= t->mask[k];
        enum mask_shape s = mask_shape(i, t->mask);
        *wild = s == MASK_NONE;
        if (s == MASK_ALL) {
            t->masked = false;
            memset(t->mask, 0, sizeof(t->mask));
        }
    }
    return in_width(i, t->value) ? OFP_OK : OFP_BAD_MATCH;
}

static bool is_known(const uint8_t *p)
{
    return load_be16(p) == OXM_BASIC && p[2] >> 1 < OFPF_FIELDS;
}

static enum ofp_err oxm_list(const uint8_t *p, size_t n, struct ofp_match *out)
{
    uint64_t seen = 0;
    bool wild;

    for (size_t at = 0; at < n; at += 4u + p[at + 3]) {
        const uint8_t *t = p + at;
        if (n - at < 4 || n - at - 4 < t[3])
            return OFP_BAD_MATCH;
        if (!is_known(t)) {
            if (load_be16(t) == OXM_EXPERIMENTER && t[3] < 4)
                return OFP_BAD_MATCH;
            out->others++;
            continue;
        }
        if ((seen >> (t[2] >> 1) & 1) != 0)
            return OFP_BAD_MATCH;
        seen |= 1ull << (t[2] >> 1);
        enum ofp_err e = oxm_value(t, &out->f[out->n], &wild);
        if (e != OFP_OK)
            return e;
        out->n += !wild;
    }
    return OFP_OK;
}

enum ofp_err ofp13_parse_match(const uint8_t *p, size_t n, struct ofp_match *out, size_t *used)
{
    out->n = 0;
    out->others = 0;
    if (n < 8)
        return OFP_BAD_MATCH;
    size_t len = load_be16(p + 2);
    *used = (len + 7) & ~(size_t)7;
    if (load_be16(p) != 1 || len < 4 || *used > n)
        return OFP_BAD_MATCH;
    return oxm_list(p + 4, len - 4, out);
}

enum ofp_err ofp13_parse_oxm(const uint8_t *p, size_t n, struct ofp_tlv *out)
{
    bool wild;

    if (n < 4 || n - 4 < p[3] || !is_known(p) || (p[2] & 1) != 0)
        return OFP_BAD_ACTION;
    return oxm_value(p, out, &wild) == OFP_OK ? OFP_OK : OFP_BAD_ACTION;
}

void ofp13_emit_oxm(struct ofp_out *o, const struct ofp_tlv *t)
{
    const struct ofp_field_info *i = ofp_field_info((enum ofp_field)t->field);
    uint8_t *p = out_take(o, 4u + ((size_t)i->bytes << t->masked));

    if (p == NULL || (t->masked && !i->maskable)) {
        o->bad = true;
        return;
    }
    store_be16(p, OXM_BASIC);
    p[2] = (uint8_t)(t->field << 1 | t->masked);
    p[3] = (uint8_t)(i->bytes << t->masked);
    memcpy(p + 4, t->value, i->bytes);
    if (t->masked)
        memcpy(p + 4 + i->bytes, t->mask, i->bytes);
}

void ofp13_emit_match(struct ofp_out *o, const struct ofp_match *m)
{
    size_t begin = o->n;

    out_take(o, 4);
    for (uint32_t i = 0; i < m->n; i++)
        ofp13_emit_oxm(o, &m->f[i]);
    size_t len = o->n - begin;
    out_take(o, (8 - len % 8) % 8);
    if (o->bad)
        return;
    store_be16(o->b + begin, 1);
    store_be16(o->b + begin + 2, (uint16_t)len);
}
