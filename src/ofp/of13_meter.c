/* OpenFlow 1.3's meters.  OpenFlow 1.3.5, 7.3.4.4, 7.3.5.9 to 7.3.5.11. */
#include "ofp/of_int.h"

enum { BAND_LEN = 16, BAND_DROP = 1, BAND_DSCP = 2, METER_FLAGS = 15 };

static enum ofp_err parse_bands(const uint8_t *p, size_t n, struct ofp_meter *out)
{
    out->bands = 0;
    for (size_t at = 0, len; at < n; at += len) {
        len = n - at >= BAND_LEN ? load_be16(p + at + 2) : 0;
        if (len < BAND_LEN || len > n - at || len % 8 != 0)
            return OFP_BAD_LEN;
        if (out->bands == OFP_BANDS_MAX)
            return OFP_TOO_MANY;
        uint16_t type = load_be16(p + at);
        if ((type != BAND_DROP && type != BAND_DSCP) || len != BAND_LEN)
            return OFP_BAD_FIELD;
        out->band[out->bands++] = (struct ofp_band){
            .type = type,
            .rate = load_be32(p + at + 4),
            .burst = load_be32(p + at + 8),
            .prec_level = type == BAND_DSCP ? p[at + 12] : 0,
        };
    }
    return OFP_OK;
}

static void emit_bands(struct ofp_out *o, const struct ofp_meter *m)
{
    for (uint32_t i = 0; i < m->bands; i++) {
        const struct ofp_band *b = &m->band[i];
        uint8_t *p = out_take(o, BAND_LEN);
        if (p == NULL)
            return;
        store_be16(p, b->type);
        store_be16(p + 2, BAND_LEN);
        store_be32(p + 4, b->rate);
        store_be32(p + 8, b->burst);
        if (b->type == BAND_DSCP)
            p[12] = b->prec_level;
        o->bad |= b->type != BAND_DROP && b->type != BAND_DSCP;
    }
}

enum ofp_err of13_parse_meter_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_meter *out)
{
    const uint8_t *p = m->p;
    uint16_t command = load_be16(p + 8);

    (void)d;
    out->command = (enum ofp_mod_command)command;
    out->flags = load_be16(p + 10);
    out->id = load_be32(p + 12);
    if (command > OFPMC_DELETE || out->flags > METER_FLAGS)
        return OFP_BAD_FIELD;
    return parse_bands(p + 16, m->len - 16u, out);
}

size_t of13_emit_meter_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_meter *m)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_METER_MOD, xid);

    if (p == NULL)
        return 0;
    store_be16(p + 8, (uint16_t)m->command);
    store_be16(p + 10, m->flags);
    store_be32(p + 12, m->id);
    emit_bands(&o, m);
    return ofp_end(&o);
}

int of13_next_meter_config(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                           struct ofp_meter *out)
{
    const uint8_t *p;
    uint32_t len;
    int rc = of_next_entry(m, *off, 8, 0, &p, &len);

    (void)d;
    if (rc <= 0)
        return rc;
    out->command = OFPMC_ADD;
    out->flags = load_be16(p + 2);
    out->id = load_be32(p + 4);
    enum ofp_err e = parse_bands(p + 8, len - 8, out);
    if (e != OFP_OK)
        return -(int)e;
    *off += len;
    return 1;
}

void of13_emit_meter_config(struct ofp_out *o, const struct ofp_meter *m)
{
    uint8_t *p = out_take(o, 8);

    if (p == NULL)
        return;
    store_be16(p, (uint16_t)(8 + m->bands * BAND_LEN));
    store_be16(p + 2, m->flags);
    store_be32(p + 4, m->id);
    emit_bands(o, m);
}

/* The counters of single bands, 16 bytes each, are proven and passed over. */
int of13_next_meter_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                          struct ofp_meter_stats *out)
{
    const uint8_t *p;
    uint32_t len;
    int rc = of_next_entry(m, *off, 40, 4, &p, &len);

    (void)d;
    if (rc <= 0)
        return rc;
    if ((len - 40) % 16 != 0)
        return -OFP_BAD_LEN;
    *out = (struct ofp_meter_stats){
        .id = load_be32(p),
        .flows = load_be32(p + 12),
        .packets_in = load_be64(p + 16),
        .bytes_in = load_be64(p + 24),
        .duration_s = load_be32(p + 32),
        .duration_ns = load_be32(p + 36),
    };
    *off += len;
    return 1;
}

void of13_emit_meter_stats(struct ofp_out *o, const struct ofp_meter_stats *s)
{
    uint8_t *p = out_take(o, 40);

    if (p == NULL)
        return;
    store_be32(p, s->id);
    store_be16(p + 4, 40);
    store_be32(p + 12, s->flows);
    store_be64(p + 16, s->packets_in);
    store_be64(p + 24, s->bytes_in);
    store_be32(p + 32, s->duration_s);
    store_be32(p + 36, s->duration_ns);
}
