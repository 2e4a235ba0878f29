/* The messages that ofp.h has structures for. */
#include "ofp/pof_int.h"

uint8_t *pof_begin(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_kind k, uint32_t xid,
                   size_t len)
{
    int type = ofp_is_pof(d) ? ofp_type_of(d, k) : -1;

    if (type < 0 || len > cap)
        return NULL;
    memset(b, 0, len);
    b[0] = OFP_VERSION_13;
    b[1] = (uint8_t)type;
    store_be16(b + 2, (uint16_t)len);
    store_be32(b + 4, xid);
    return b + OFP_HLEN;
}

void pof_text_get(char *to, const uint8_t *from)
{
    uint32_t i = 0;

    for (; i < POF_NAME - 1u && from[i] != 0; i++)
        to[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
    to[i] = 0;
}

void pof_text_put(uint8_t *to, const char *from)
{
    for (uint32_t i = 0; i < POF_NAME - 1u && from[i] != 0; i++)
        to[i] = (uint8_t)from[i];
}

/* ---- features, configuration --------------------------------------------------------- */

static enum ofp_err parse_features(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_features *out)
{
    const uint8_t *p = m->p + OFP_HLEN;
    const uint8_t *n = d == POF_USTC ? p + 6 : p + 4;

    *out = (struct ofp_features){
        .dpid = load_be32(p),
        .ports = load_be16(n),
        .tables = (uint8_t)(load_be16(n + 2) > 255 ? 255 : load_be16(n + 2)),
        .capabilities = load_be32(d == POF_USTC ? p + 12 : p + 8),
    };
    pof_text_get(out->vendor, p + 16);
    pof_text_get(out->firmware, p + 80);
    pof_text_get(out->lookup, p + 144);
    return OFP_OK;
}

static size_t emit_features_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  const struct ofp_features *f, const struct ofp_port *ports,
                                  size_t n_ports)
{
    uint8_t *p = pof_begin(d, b, cap, OFP_FEATURES_REPLY, xid, 216);
    uint8_t *n;

    (void)ports;
    (void)n_ports;
    if (!p)
        return 0;
    n = d == POF_USTC ? p + 6 : p + 4;
    store_be32(p, (uint32_t)f->dpid);
    store_be16(n, (uint16_t)f->ports);
    store_be16(n + 2, f->tables);
    store_be32(d == POF_USTC ? p + 12 : p + 8, f->capabilities);
    pof_text_put(p + 16, f->vendor);
    pof_text_put(p + 80, f->firmware);
    pof_text_put(p + 144, f->lookup);
    return 216;
}

static enum ofp_err parse_config(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_config *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct ofp_config){0};
    if (d == POF_USTC) {
        out->dev_id = load_be32(p);
        p += 4;
    }
    out->flags = load_be16(p);
    out->miss_send_len = load_be16(p + 2);
    return OFP_OK;
}

static size_t emit_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                          const struct ofp_config *c)
{
    uint32_t len = d == POF_USTC ? 16 : 12;
    uint8_t *p = pof_begin(d, b, cap, k, xid, len);

    if (!p)
        return 0;
    if (d == POF_USTC) {
        store_be32(p, c->dev_id);
        p += 4;
    }
    store_be16(p, c->flags);
    store_be16(p + 2, c->miss_send_len);
    return len;
}

/* ---- ports --------------------------------------------------------------------------- */

/* Bits of config and state are OpenFlow 1.3's. */
enum { PORT_DOWN = 1, LINK_DOWN = 1, BLOCKED = 2 };

static void port_get(enum ofp_dialect d, const uint8_t *p, struct ofp_port *out)
{
    *out = (struct ofp_port){
        .no = d == POF_USTC ? load_be16(p + 2) : load_be32(p),
        .pof_slot = d == POF_USTC ? load_be16(p) : 0,
        .pof_dev = load_be32(p + 4),
        .config = load_be32(p + 80),
        .state = load_be32(p + 84),
        .curr = load_be32(p + 88),
        .advertised = load_be32(p + 92),
        .supported = load_be32(p + 96),
        .peer = load_be32(p + 100),
        .curr_kbps = load_be32(p + 104),
        .max_kbps = load_be32(p + 108),
        .pof_enabled = p[112] != 0,
    };
    memcpy(&out->mac, p + 8, sizeof(out->mac));
    pof_text_get(out->name, p + 16);
    out->down = (out->config & PORT_DOWN) != 0;
    out->link_down = (out->state & LINK_DOWN) != 0;
    out->blocked = (out->state & BLOCKED) != 0;
}

static bool port_put(enum ofp_dialect d, uint8_t *p, const struct ofp_port *port)
{
    if (d == POF_USTC) {
        if (port->no > UINT16_MAX)
            return false;
        store_be16(p, port->pof_slot);
        store_be16(p + 2, (uint16_t)port->no);
    } else {
        store_be32(p, port->no);
    }
    store_be32(p + 4, port->pof_dev);
    memcpy(p + 8, &port->mac, sizeof(port->mac));
    pof_text_put(p + 16, port->name);
    store_be32(p + 80, port->config);
    store_be32(p + 84, port->state);
    store_be32(p + 88, port->curr);
    store_be32(p + 92, port->advertised);
    store_be32(p + 96, port->supported);
    store_be32(p + 100, port->peer);
    store_be32(p + 104, port->curr_kbps);
    store_be32(p + 108, port->max_kbps);
    p[112] = port->pof_enabled;
    return true;
}

static enum ofp_err parse_port_status(enum ofp_dialect d, const struct ofp_msg *m,
                                      enum ofp_port_reason *reason, struct ofp_port *out)
{
    if (m->p[OFP_HLEN] > OFPPR_MODIFY)
        return OFP_BAD_FIELD;
    *reason = (enum ofp_port_reason)m->p[OFP_HLEN];
    port_get(d, m->p + OFP_HLEN + 8, out);
    return OFP_OK;
}

static size_t emit_port(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                        enum ofp_kind kind, enum ofp_port_reason reason,
                        const struct ofp_port *port)
{
    uint8_t *p = pof_begin(d, b, cap, kind, xid, 136);

    if (!p || !port_put(d, p + 8, port))
        return 0;
    p[0] = (uint8_t)reason;
    return 136;
}

static size_t emit_port_status(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                               enum ofp_port_reason reason, const struct ofp_port *port)
{
    return emit_port(d, b, cap, xid, OFP_PORT_STATUS, reason, port);
}

/* The layout is PORT_STATUS'; of_enable is what the switch looks at. */
static size_t emit_port_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            const struct ofp_port *port, uint32_t config, uint32_t mask)
{
    struct ofp_port p = *port;

    p.config = (p.config & ~mask) | (config & mask);
    return emit_port(d, b, cap, xid, OFP_PORT_MOD, OFPPR_MODIFY, &p);
}

enum ofp_err pof_parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_port *out)
{
    port_get(d, m->p + OFP_HLEN + 8, out);
    return OFP_OK;
}

static enum ofp_err parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_port_mod *out)
{
    struct ofp_port p;

    port_get(d, m->p + OFP_HLEN + 8, &p);
    *out = (struct ofp_port_mod){.no = p.no,
                                 .config = p.config,
                                 .mask = UINT32_MAX,
                                 .advertise = p.advertised,
                                 .mac = p.mac};
    return OFP_OK;
}

/* ---- packets ------------------------------------------------------------------------- */

static enum ofp_err parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_packet_in *out)
{
    const uint8_t *p = m->p + OFP_HLEN;
    uint32_t there = m->len - OFP_HLEN - 24u;

    *out = (struct ofp_packet_in){
        .buffer_id = load_be32(p),
        .total_len = load_be16(p + 4),
        .reason = p[6],
        .table = p[7],
        .cookie = pof_get64(p + 8),
        .pof_dev = load_be32(p + 16),
        .in_port = d == POF_USTC ? load_be16(p + 22) : OFPP_ANY,
        .frame = p + 24,
    };
    out->frame_len = out->total_len < there ? out->total_len : there;
    return OFP_OK;
}

static size_t emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_packet_in *in)
{
    size_t len = OFP_HLEN + 24 + (size_t)in->frame_len;
    uint8_t *p;

    if (in->frame_len > POF_FRAME_MAX)
        return 0;
    p = pof_begin(d, b, cap, OFP_PACKET_IN, xid, len);
    if (!p)
        return 0;
    store_be32(p, in->buffer_id);
    store_be16(p + 4, in->total_len);
    p[6] = in->reason;
    p[7] = in->table;
    pof_put64(p + 8, in->cookie);
    store_be32(p + 16, in->pof_dev);
    if (d == POF_USTC)
        store_be16(p + 22, (uint16_t)in->in_port);
    memcpy(p + 24, in->frame, in->frame_len);
    return len;
}

enum { OUT_LEN = 2360, OUT_DATA = 304 };

size_t pof_emit_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                    const struct pof_packet_out *out)
{
    uint8_t *p;

    if (d != POF_USTC || out->frame_len > POF_FRAME_MAX || out->actions > POF_ACTIONS_MAX)
        return 0;
    p = pof_begin(d, b, cap, OFP_PACKET_OUT, xid, OUT_LEN);
    if (!p)
        return 0;
    store_be32(p, out->buffer_id);
    store_be32(p + 4, out->in_port);
    p[8] = out->actions;
    store_be32(p + 12, out->frame_len);
    for (uint32_t i = 0; i < out->actions; i++)
        if (!pof_action_put(d, p + 16 + i * POF_ACTION, &out->action[i]))
            return 0;
    memcpy(p + OUT_DATA, out->frame, out->frame_len);
    return OUT_LEN;
}

enum ofp_err pof_parse_out(enum ofp_dialect d, const struct ofp_msg *m, struct pof_packet_out *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct pof_packet_out){
        .buffer_id = load_be32(p),
        .in_port = load_be32(p + 4),
        .actions = p[8],
        .frame = p + OUT_DATA,
        .frame_len = load_be32(p + 12),
    };
    if (out->frame_len > POF_FRAME_MAX)
        return OFP_BAD_FIELD;
    if (out->actions > POF_ACTIONS_MAX)
        return OFP_TOO_MANY;
    for (uint32_t i = 0; i < out->actions; i++) {
        enum ofp_err e = pof_action_get(d, p + 16 + i * POF_ACTION, &out->action[i]);
        if (e != OFP_OK)
            return e;
    }
    return OFP_OK;
}

static size_t emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                    uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                    size_t n_ports, const void *frame, size_t n)
{
    struct pof_packet_out out = {
        .buffer_id = buffer_id, .in_port = in_port, .frame = frame, .frame_len = (uint32_t)n};

    if (n_ports > POF_ACTIONS_MAX || n > POF_FRAME_MAX)
        return 0;
    for (size_t i = 0; i < n_ports; i++)
        out.action[out.actions++] = (struct pof_action){.type = POFA_OUTPUT, .arg = ports[i]};
    return pof_emit_out(d, b, cap, xid, &out);
}

static size_t emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                              const void *frame, size_t n)
{
    uint32_t ports[POF_ACTIONS_MAX];

    if (a->n > POF_ACTIONS_MAX)
        return 0;
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->a[i].type != OFPA_OUTPUT)
            return 0;
        ports[i] = a->a[i].port;
    }
    return emit_packet_out_ports(d, b, cap, xid, buffer_id, in_port, ports, a->n, frame, n);
}

static enum ofp_err parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                     struct ofp_packet_out *to)
{
    struct pof_packet_out out;
    enum ofp_err e = pof_parse_out(d, m, &out);

    if (e != OFP_OK)
        return e;
    *to = (struct ofp_packet_out){.buffer_id = out.buffer_id,
                                  .in_port = out.in_port,
                                  .frame = out.frame,
                                  .frame_len = out.frame_len};
    for (uint32_t i = 0; i < out.actions; i++) {
        if (out.action[i].type != POFA_OUTPUT || out.action[i].by_field)
            return OFP_BAD_ACTION;
        to->actions.a[to->actions.n++] =
            (struct ofp_action){.type = OFPA_OUTPUT, .port = out.action[i].arg};
    }
    return OFP_OK;
}

/* ---- errors -------------------------------------------------------------------------- */

static enum ofp_err parse_error(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_error_msg *out)
{
    const uint8_t *p = m->p + OFP_HLEN;

    *out = (struct ofp_error_msg){
        .type = load_be16(p),
        .code = load_be16(p + 2),
        .pof_dev = load_be32(p + 4),
        .data = d == POF_USTC ? p + 16 : p + 8,
    };
    while (out->data_len < POF_ERROR_TEXT && out->data[out->data_len] != 0)
        out->data_len++;
    return OFP_OK;
}

size_t pof_emit_error(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, uint16_t type,
                      uint16_t code, uint32_t dev, const char *text)
{
    uint32_t len = d == POF_USTC ? 280 : 272;
    uint8_t *p = pof_begin(d, b, cap, OFP_ERROR, xid, len);

    if (!p)
        return 0;
    store_be16(p, type);
    store_be16(p + 2, code);
    store_be32(p + 4, dev);
    p += d == POF_USTC ? 16 : 8;
    for (uint32_t i = 0; i < POF_ERROR_TEXT - 1u && text[i] != 0; i++)
        p[i] = (uint8_t)text[i];
    return len;
}

/* ---- the dialects -------------------------------------------------------------------- */

#define FIXED(number, k, who, size)                                                                \
    [number] = {.kind = k, .from = who, .rest = REST_NONE, .step = 1, .fixed = size, .max = size}
#define BYTES(number, k, who, size, most)                                                          \
    [number] = {.kind = k, .from = who, .rest = REST_BYTES, .step = 1, .fixed = size, .max = most}

/* What is the same in both.  Types that a dialect knows by number only, and refuses (ERROR 1/1),
 * are left out: FLOW_REMOVED, MULTIPART, BARRIER, QUEUE_GET_CONFIG, ROLE, ASYNC. */
#define SAME_IN_BOTH                                                                               \
    BYTES(0, OFP_HELLO, FROM_BOTH, 8, 2048), BYTES(2, OFP_ECHO_REQUEST, FROM_BOTH, 8, 2048),       \
        BYTES(3, OFP_ECHO_REPLY, FROM_BOTH, 8, 2048),                                              \
        BYTES(4, OFP_EXPERIMENTER, FROM_BOTH, 8, 2048),                                            \
        FIXED(5, OFP_FEATURES_REQUEST, FROM_CONTROLLER, 8),                                        \
        FIXED(6, OFP_FEATURES_REPLY, FROM_SWITCH, 216),                                            \
        FIXED(7, OFP_GET_CONFIG_REQUEST, FROM_CONTROLLER, 8),                                      \
        BYTES(10, OFP_PACKET_IN, FROM_SWITCH, 32, 2080),                                           \
        FIXED(12, OFP_PORT_STATUS, FROM_SWITCH, 136),                                              \
        FIXED(13, POF_RESOURCE_REPORT, FROM_SWITCH, 88),                                           \
        FIXED(17, OFP_PORT_MOD, FROM_CONTROLLER, 136)

static const struct ofp_layout huawei_rows[] = {
    SAME_IN_BOTH,
    FIXED(1, OFP_ERROR, FROM_BOTH, 272),
    FIXED(8, OFP_GET_CONFIG_REPLY, FROM_SWITCH, 12),
    FIXED(9, OFP_SET_CONFIG, FROM_CONTROLLER, 12),
    FIXED(15, OFP_FLOW_MOD, FROM_CONTROLLER, 1200),
    FIXED(16, OFP_GROUP_MOD, FROM_CONTROLLER, 216),
    FIXED(18, OFP_TABLE_MOD, FROM_CONTROLLER, 152),
    FIXED(30, OFP_METER_MOD, FROM_CONTROLLER, 16),
    FIXED(31, POF_COUNTER_MOD, FROM_CONTROLLER, 24),
    FIXED(32, POF_COUNTER_REQUEST, FROM_CONTROLLER, 24),
    FIXED(33, POF_COUNTER_REPLY, FROM_SWITCH, 24),
};

/* A USTC switch answers QUERYALL with what it has, in the messages that made it. */
static const struct ofp_layout ustc_rows[] = {
    SAME_IN_BOTH,
    FIXED(1, OFP_ERROR, FROM_BOTH, 280),
    FIXED(8, OFP_GET_CONFIG_REPLY, FROM_SWITCH, 16),
    FIXED(9, OFP_SET_CONFIG, FROM_CONTROLLER, 16),
    FIXED(14, OFP_PACKET_OUT, FROM_CONTROLLER, OUT_LEN),
    FIXED(15, OFP_FLOW_MOD, FROM_BOTH, 2192),
    FIXED(16, OFP_GROUP_MOD, FROM_BOTH, 216),
    FIXED(18, OFP_TABLE_MOD, FROM_BOTH, 152),
    FIXED(30, OFP_METER_MOD, FROM_BOTH, 24),
    FIXED(31, POF_COUNTER_MOD, FROM_BOTH, 32),
    FIXED(32, POF_COUNTER_REQUEST, FROM_CONTROLLER, 32),
    FIXED(33, POF_COUNTER_REPLY, FROM_SWITCH, 32),
    FIXED(34, POF_QUERYALL_REQUEST, FROM_CONTROLLER, 16),
    BYTES(35, POF_QUERYALL_FIN, FROM_SWITCH, 8, 16),
};

#define BOTH                                                                                       \
    .print = pof_body_print, .parse_features = parse_features, .parse_config = parse_config,       \
    .parse_packet_in = parse_packet_in, .parse_port_status = parse_port_status,                    \
    .parse_error = parse_error, .parse_port_mod = parse_port_mod, .emit_config = emit_config,      \
    .emit_port_mod = emit_port_mod, .emit_features_reply = emit_features_reply,                    \
    .emit_packet_in = emit_packet_in, .emit_port_status = emit_port_status

const struct ofp_codec pof_huawei_codec = {
    .layouts = {huawei_rows, ARRAY_LEN(huawei_rows), OFP_VERSION_13},
    BOTH,
};

const struct ofp_codec pof_ustc_codec = {
    .layouts = {ustc_rows, ARRAY_LEN(ustc_rows), OFP_VERSION_13},
    BOTH,
    .parse_packet_out = parse_packet_out,
    .emit_packet_out = emit_packet_out,
    .emit_packet_out_ports = emit_packet_out_ports,
};
