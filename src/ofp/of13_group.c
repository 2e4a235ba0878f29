/* OpenFlow 1.3's groups.  OpenFlow 1.3.5, 7.3.4.2 (GROUP_MOD), 7.3.5.6 to 7.3.5.8. */
#include "ofp/of_int.h"

enum { BUCKET_LEN = 16 };

int of13_next_bucket(const uint8_t *p, size_t n, size_t *off, struct ofp_bucket *out)
{
    size_t left = n - *off;

    if (left == 0)
        return 0;
    p += *off;
    size_t len = left >= BUCKET_LEN ? load_be16(p) : 0;
    if (len < BUCKET_LEN || len > left)
        return -OFP_BAD_LEN;
    out->weight = load_be16(p + 2);
    out->watch_port = load_be32(p + 4);
    out->watch_group = load_be32(p + 8);
    enum ofp_err e = ofp13_parse_actions(p + BUCKET_LEN, len - BUCKET_LEN, &out->actions);
    *off += len;
    return e == OFP_OK ? 1 : -(int)e;
}

static enum ofp_err parse_buckets(const uint8_t *p, size_t n, struct ofp_group *out)
{
    size_t off = 0;

    for (out->buckets = 0; out->buckets < OFP_BUCKETS_MAX; out->buckets++) {
        int rc = of13_next_bucket(p, n, &off, &out->bucket[out->buckets]);
        if (rc <= 0)
            return (enum ofp_err) - rc;
    }
    return off == n ? OFP_OK : OFP_TOO_MANY;
}

static void emit_buckets(struct ofp_out *o, const struct ofp_group *g)
{
    for (uint32_t i = 0; i < g->buckets; i++) {
        const struct ofp_bucket *b = &g->bucket[i];
        size_t begin = o->n;
        uint8_t *p = out_take(o, BUCKET_LEN);
        if (p == NULL)
            return;
        store_be16(p + 2, b->weight);
        store_be32(p + 4, b->watch_port);
        store_be32(p + 8, b->watch_group);
        ofp13_emit_actions(o, &b->actions);
        store_be16(p, (uint16_t)(o->n - begin));
    }
}

enum ofp_err of13_parse_group_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_group *out)
{
    const uint8_t *p = m->p;
    uint16_t command = load_be16(p + 8);

    (void)d;
    out->command = (enum ofp_mod_command)command;
    out->type = (enum ofp_group_type)p[10];
    out->id = load_be32(p + 12);
    if (command > OFPMC_DELETE || p[10] > OFPGT_FF)
        return OFP_BAD_FIELD;
    return parse_buckets(p + 16, m->len - 16u, out);
}

size_t of13_emit_group_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_group *g)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_GROUP_MOD, xid);

    if (p == NULL)
        return 0;
    store_be16(p + 8, (uint16_t)g->command);
    p[10] = (uint8_t)g->type;
    store_be32(p + 12, g->id);
    emit_buckets(&o, g);
    return ofp_end(&o);
}

int of13_next_group_desc(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_group *out)
{
    const uint8_t *p;
    uint32_t len;
    int rc = of_next_entry(m, *off, 8, 0, &p, &len);

    (void)d;
    if (rc <= 0)
        return rc;
    if (p[2] > OFPGT_FF)
        return -OFP_BAD_FIELD;
    out->command = OFPMC_ADD;
    out->type = (enum ofp_group_type)p[2];
    out->id = load_be32(p + 4);
    enum ofp_err e = parse_buckets(p + 8, len - 8, out);
    if (e != OFP_OK)
        return -(int)e;
    *off += len;
    return 1;
}

void of13_emit_group_desc(struct ofp_out *o, const struct ofp_group *g)
{
    size_t begin = o->n;
    uint8_t *p = out_take(o, 8);

    if (p == NULL)
        return;
    p[2] = (uint8_t)g->type;
    store_be32(p + 4, g->id);
    emit_buckets(o, g);
    o->bad |= o->n - begin > OFP_MSG_MAX;
    store_be16(p, (uint16_t)(o->n - begin));
}

/* The counters of single buckets, 16 bytes each, are proven and passed over. */
int of13_next_group_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                          struct ofp_group_stats *out)
{
    const uint8_t *p;
    uint32_t len;
    int rc = of_next_entry(m, *off, 40, 0, &p, &len);

    (void)d;
    if (rc <= 0)
        return rc;
    if ((len - 40) % 16 != 0)
        return -OFP_BAD_LEN;
    *out = (struct ofp_group_stats){
        .id = load_be32(p + 4),
        .ref_count = load_be32(p + 8),
        .packets = load_be64(p + 16),
        .bytes = load_be64(p + 24),
        .duration_s = load_be32(p + 32),
        .duration_ns = load_be32(p + 36),
    };
    *off += len;
    return 1;
}

void of13_emit_group_stats(struct ofp_out *o, const struct ofp_group_stats *s)
{
    uint8_t *p = out_take(o, 40);

    if (p == NULL)
        return;
    store_be16(p, 40);
    store_be32(p + 4, s->id);
    store_be32(p + 8, s->ref_count);
    store_be64(p + 16, s->packets);
    store_be64(p + 24, s->bytes);
    store_be32(p + 32, s->duration_s);
    store_be32(p + 36, s->duration_ns);
}
