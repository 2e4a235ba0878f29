/* Replies of statistics whose entries have a fixed size, both ways.
 * OpenFlow 1.0.0, 5.3.5; 1.3.5, 7.3.5. */
#include "ofp/of_int.h"

enum { PORT_WORDS = 12, WILDCARDS10 = (1 << 22) - 1 };

/* The next entry of len bytes; NULL: *rc is 0 at the end, or what is wrong. */
static const uint8_t *next_fixed(const struct ofp_multipart *m, uint32_t *off, uint32_t len,
                                 int *rc)
{
    const uint8_t *p = m->body + *off;

    *rc = *off >= m->body_len ? 0 : m->body_len - *off < len ? -OFP_BAD_LEN : 1;
    if (*rc != 1)
        return NULL;
    *off += len;
    return p;
}

int of_next_port_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                       struct ofp_port_stats *out)
{
    int rc;
    const uint8_t *p = next_fixed(m, off, d == OFP_10 ? 104 : 112, &rc);

    if (p == NULL)
        return rc;
    *out = (struct ofp_port_stats){
        .port = d == OFP_10 ? ofp10_port(load_be16(p)) : load_be32(p),
        .rx_packets = load_be64(p + 8),
        .tx_packets = load_be64(p + 16),
        .rx_bytes = load_be64(p + 24),
        .tx_bytes = load_be64(p + 32),
        .rx_dropped = load_be64(p + 40),
        .tx_dropped = load_be64(p + 48),
        .rx_errors = load_be64(p + 56),
        .tx_errors = load_be64(p + 64),
        .rx_frame_err = load_be64(p + 72),
        .rx_over_err = load_be64(p + 80),
        .rx_crc_err = load_be64(p + 88),
        .collisions = load_be64(p + 96),
        .duration_s = d == OFP_13 ? load_be32(p + 104) : 0,
        .duration_ns = d == OFP_13 ? load_be32(p + 108) : 0,
    };
    return 1;
}

int of_next_table_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_table_stats *out)
{
    int rc;
    const uint8_t *p = next_fixed(m, off, d == OFP_10 ? 64 : 24, &rc);

    if (p == NULL)
        return rc;
    *out = (struct ofp_table_stats){.table = p[0]};
    if (d == OFP_10) {
        ofp_copy_text(out->name, sizeof(out->name), p + 4, 32);
        out->max = load_be32(p + 40);
        p += 40;
    }
    out->active = load_be32(p + 4);
    out->lookups = load_be64(p + 8);
    out->matched = load_be64(p + 16);
    return 1;
}

int of_next_queue_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_queue_stats *out)
{
    int rc;
    const uint8_t *p = next_fixed(m, off, d == OFP_10 ? 32 : 40, &rc);

    if (p == NULL)
        return rc;
    *out = (struct ofp_queue_stats){
        .port = d == OFP_10 ? ofp10_port(load_be16(p)) : load_be32(p),
        .queue = load_be32(p + 4),
        .tx_bytes = load_be64(p + 8),
        .tx_packets = load_be64(p + 16),
        .tx_errors = load_be64(p + 24),
        .duration_s = d == OFP_13 ? load_be32(p + 32) : 0,
        .duration_ns = d == OFP_13 ? load_be32(p + 36) : 0,
    };
    return 1;
}

enum ofp_err of_parse_desc(enum ofp_dialect d, const struct ofp_multipart *m, struct ofp_desc *out)
{
    const uint8_t *p = m->body;

    (void)d;
    if (m->type != OFPMP_DESC || m->body_len != 1056)
        return OFP_BAD_LEN;
    ofp_copy_text(out->manufacturer, sizeof(out->manufacturer), p, 256);
    ofp_copy_text(out->hardware, sizeof(out->hardware), p + 256, 256);
    ofp_copy_text(out->software, sizeof(out->software), p + 512, 256);
    ofp_copy_text(out->serial, sizeof(out->serial), p + 768, 32);
    ofp_copy_text(out->datapath, sizeof(out->datapath), p + 800, 256);
    return OFP_OK;
}

enum ofp_err of_parse_aggregate(enum ofp_dialect d, const struct ofp_multipart *m,
                                struct ofp_aggregate_stats *out)
{
    const uint8_t *p = m->body;

    (void)d;
    if (m->type != OFPMP_AGGREGATE || m->body_len != 24)
        return OFP_BAD_LEN;
    *out = (struct ofp_aggregate_stats){load_be64(p), load_be64(p + 8), load_be32(p + 16)};
    return OFP_OK;
}

/* ---- writing -------------------------------------------------------------------------- */

static void put_port_no(struct ofp_out *o, enum ofp_dialect d, uint8_t *p, uint32_t no)
{
    if (d == OFP_10)
        o->bad |= !ofp10_port_emit(p, no);
    else
        store_be32(p, no);
}

static void emit_port_stats(struct ofp_out *o, enum ofp_dialect d, const struct ofp_port_stats *s)
{
    const uint64_t word[PORT_WORDS] = {
        s->rx_packets, s->tx_packets, s->rx_bytes,     s->tx_bytes,    s->rx_dropped, s->tx_dropped,
        s->rx_errors,  s->tx_errors,  s->rx_frame_err, s->rx_over_err, s->rx_crc_err, s->collisions,
    };
    uint8_t *p = out_take(o, d == OFP_10 ? 104 : 112);

    if (p == NULL)
        return;
    put_port_no(o, d, p, s->port);
    for (size_t i = 0; i < PORT_WORDS; i++)
        store_be64(p + 8 + 8 * i, word[i]);
    if (d == OFP_13) {
        store_be32(p + 104, s->duration_s);
        store_be32(p + 108, s->duration_ns);
    }
}

static void emit_table_stats(struct ofp_out *o, enum ofp_dialect d, const struct ofp_table_stats *s)
{
    uint8_t *p = out_take(o, d == OFP_10 ? 64 : 24);

    if (p == NULL)
        return;
    p[0] = s->table;
    if (d == OFP_10) {
        ofp_put_text(p + 4, 32, s->name);
        store_be32(p + 36, WILDCARDS10);
        store_be32(p + 40, s->max);
        p += 40;
    }
    store_be32(p + 4, s->active);
    store_be64(p + 8, s->lookups);
    store_be64(p + 16, s->matched);
}

static void emit_queue_stats(struct ofp_out *o, enum ofp_dialect d, const struct ofp_queue_stats *s)
{
    uint8_t *p = out_take(o, d == OFP_10 ? 32 : 40);

    if (p == NULL)
        return;
    put_port_no(o, d, p, s->port);
    store_be32(p + 4, s->queue);
    store_be64(p + 8, s->tx_bytes);
    store_be64(p + 16, s->tx_packets);
    store_be64(p + 24, s->tx_errors);
    if (d == OFP_13) {
        store_be32(p + 32, s->duration_s);
        store_be32(p + 36, s->duration_ns);
    }
}

static void emit_desc(struct ofp_out *o, const struct ofp_desc *s)
{
    uint8_t *p = out_take(o, 1056);

    if (p == NULL)
        return;
    ofp_put_text(p, 256, s->manufacturer);
    ofp_put_text(p + 256, 256, s->hardware);
    ofp_put_text(p + 512, 256, s->software);
    ofp_put_text(p + 768, 32, s->serial);
    ofp_put_text(p + 800, 256, s->datapath);
}

static void emit_aggregate(struct ofp_out *o, const struct ofp_aggregate_stats *s)
{
    uint8_t *p = out_take(o, 24);

    if (p == NULL)
        return;
    store_be64(p, s->packets);
    store_be64(p + 8, s->bytes);
    store_be32(p + 16, s->flows);
}

size_t of_emit_stat(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_stats type,
                    const void *entry)
{
    struct ofp_out o = {.b = b, .cap = cap};

    switch (type) {
    case OFPMP_DESC:
        emit_desc(&o, entry);
        break;
    case OFPMP_FLOW:
        of_emit_flow_stats(&o, d, entry);
        break;
    case OFPMP_AGGREGATE:
        emit_aggregate(&o, entry);
        break;
    case OFPMP_TABLE:
        emit_table_stats(&o, d, entry);
        break;
    case OFPMP_PORT:
        emit_port_stats(&o, d, entry);
        break;
    case OFPMP_QUEUE:
        emit_queue_stats(&o, d, entry);
        break;
    case OFPMP_GROUP:
        of13_emit_group_stats(&o, entry);
        break;
    case OFPMP_GROUP_DESC:
        of13_emit_group_desc(&o, entry);
        break;
    case OFPMP_METER:
        of13_emit_meter_stats(&o, entry);
        break;
    case OFPMP_METER_CONFIG:
        of13_emit_meter_config(&o, entry);
        break;
    case OFPMP_PORT_DESC:
        of_emit_port(&o, d, entry);
        break;
    case OFPMP_GROUP_FEATURES:
    case OFPMP_METER_FEATURES:
    case OFPMP_TABLE_FEATURES:
    case OFPMP_EXPERIMENTER:
    case OFPMP_TYPES:
        o.bad = true;
        break;
    }
    return o.bad ? 0 : o.n;
}
