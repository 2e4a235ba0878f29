/* Entries of flow statistics.  OpenFlow 1.0.0, 5.3.5; 1.3.5, 7.3.5.2. */
#include "ofp/of_int.h"

/* What of a flow an entry does not say. */
static void entry_init(struct ofp_flow *f)
{
    f->command = OFPFC_ADD;
    f->flags = 0;
    f->buffer_id = OFP_NO_BUFFER;
    f->out_port = f->out_group = OFPP_ANY;
    f->cookie_mask = 0;
}

static enum ofp_err parse10(const uint8_t *p, uint32_t len, struct ofp_flow_stats *out)
{
    if (len < 88)
        return OFP_BAD_LEN;
    ofp10_parse_match(p + 4, &out->flow.match);
    out->duration_s = load_be32(p + 44);
    out->duration_ns = load_be32(p + 48);
    out->flow.priority = load_be16(p + 52);
    out->flow.idle_timeout = load_be16(p + 54);
    out->flow.hard_timeout = load_be16(p + 56);
    out->flow.cookie = load_be64(p + 64);
    out->packets = load_be64(p + 72);
    out->bytes = load_be64(p + 80);
    return ofp10_parse_flow_actions(p + 88, len - 88, &out->flow);
}

static enum ofp_err parse13(const uint8_t *p, uint32_t len, struct ofp_flow_stats *out)
{
    size_t used;

    if (len < 56)
        return OFP_BAD_LEN;
    out->duration_s = load_be32(p + 4);
    out->duration_ns = load_be32(p + 8);
    out->flow.priority = load_be16(p + 12);
    out->flow.idle_timeout = load_be16(p + 14);
    out->flow.hard_timeout = load_be16(p + 16);
    out->flow.flags = load_be16(p + 18);
    out->flow.cookie = load_be64(p + 24);
    out->packets = load_be64(p + 32);
    out->bytes = load_be64(p + 40);
    enum ofp_err e = ofp13_parse_match(p + 48, len - 48, &out->flow.match, &used);
    if (e != OFP_OK)
        return e;
    return ofp13_parse_instructions(p + 48 + used, len - 48 - used, &out->flow.do_);
}

int of_next_flow_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                       struct ofp_flow_stats *out)
{
    const uint8_t *p;
    uint32_t len;
    int rc = of_next_entry(m, *off, 8, 0, &p, &len);

    if (rc <= 0)
        return rc;
    entry_init(&out->flow);
    out->flow.table = p[2];
    enum ofp_err e = d == OFP_10 ? parse10(p, len, out) : parse13(p, len, out);
    if (e != OFP_OK)
        return -(int)e;
    *off += len;
    return 1;
}

static void emit10(struct ofp_out *o, const struct ofp_flow_stats *s)
{
    uint8_t *p = out_take(o, 88);

    if (p == NULL)
        return;
    o->bad |= !ofp10_emit_match(p + 4, &s->flow.match) || !ofp10_can_do(&s->flow.do_);
    store_be32(p + 44, s->duration_s);
    store_be32(p + 48, s->duration_ns);
    store_be16(p + 52, s->flow.priority);
    store_be16(p + 54, s->flow.idle_timeout);
    store_be16(p + 56, s->flow.hard_timeout);
    store_be64(p + 64, s->flow.cookie);
    store_be64(p + 72, s->packets);
    store_be64(p + 80, s->bytes);
    ofp10_emit_actions(o, &s->flow.do_.apply);
}

static void emit13(struct ofp_out *o, const struct ofp_flow_stats *s)
{
    uint8_t *p = out_take(o, 48);

    if (p == NULL)
        return;
    store_be32(p + 4, s->duration_s);
    store_be32(p + 8, s->duration_ns);
    store_be16(p + 12, s->flow.priority);
    store_be16(p + 14, s->flow.idle_timeout);
    store_be16(p + 16, s->flow.hard_timeout);
    store_be16(p + 18, s->flow.flags);
    store_be64(p + 24, s->flow.cookie);
    store_be64(p + 32, s->packets);
    store_be64(p + 40, s->bytes);
    ofp13_emit_match(o, &s->flow.match);
    ofp13_emit_instructions(o, &s->flow.do_);
}

void of_emit_flow_stats(struct ofp_out *o, enum ofp_dialect d, const struct ofp_flow_stats *s)
{
    size_t begin = o->n;

    if (d == OFP_10)
        emit10(o, s);
    else
        emit13(o, s);
    if (o->bad || o->n - begin > OFP_MSG_MAX) {
        o->bad = true;
        return;
    }
    store_be16(o->b + begin, (uint16_t)(o->n - begin));
    o->b[begin + 2] = s->flow.table;
}
