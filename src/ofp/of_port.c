/* Ports and what a switch is.  OpenFlow 1.0.0, 5.2.1 and 5.3.1; 1.3.5, 7.2.1 and 7.3.1. */
#include "ofp/of_int.h"

enum { CONFIG_DOWN = 1, STATE_LINK_DOWN = 1, STATE10_STP = 3 << 8, STATE13_BLOCKED = 2 };

void ofp_copy_text(char *dst, size_t size, const uint8_t *src, size_t n)
{
    size_t i = 0;

    for (; i < n && i + 1 < size && src[i] != 0; i++)
        dst[i] = src[i] >= ' ' && src[i] < 0x7f ? (char)src[i] : '?';
    dst[i] = '\0';
}

void ofp_put_text(uint8_t *dst, size_t n, const char *src)
{
    for (size_t i = 0; i + 1 < n && src[i] != '\0'; i++)
        dst[i] = (uint8_t)src[i];
}

static void parse_state(struct ofp_port *out, const uint8_t *p)
{
    out->config = load_be32(p);
    out->state = load_be32(p + 4);
    out->curr = load_be32(p + 8);
    out->advertised = load_be32(p + 12);
    out->supported = load_be32(p + 16);
    out->peer = load_be32(p + 20);
    out->down = (out->config & CONFIG_DOWN) != 0;
    out->link_down = (out->state & STATE_LINK_DOWN) != 0;
}

static void parse_port(enum ofp_dialect d, const uint8_t *p, struct ofp_port *out)
{
    *out = (struct ofp_port){0};
    if (d == OFP_10) {
        out->no = ofp10_port(load_be16(p));
        memcpy(out->mac.b, p + 2, 6);
        ofp_copy_text(out->name, sizeof(out->name), p + 8, 16);
        parse_state(out, p + 24);
        out->blocked = (out->state & STATE10_STP) == STATE10_STP;
        return;
    }
    out->no = load_be32(p);
    memcpy(out->mac.b, p + 8, 6);
    ofp_copy_text(out->name, sizeof(out->name), p + 16, 16);
    parse_state(out, p + 32);
    out->blocked = (out->state & STATE13_BLOCKED) != 0;
    out->curr_kbps = load_be32(p + 56);
    out->max_kbps = load_be32(p + 60);
}

static void put_state(uint8_t *p, enum ofp_dialect d, const struct ofp_port *port)
{
    uint32_t blocked = d == OFP_10 ? STATE10_STP : STATE13_BLOCKED;

    store_be32(p, port->config | (port->down ? CONFIG_DOWN : 0));
    store_be32(p + 4, port->state | (port->link_down ? STATE_LINK_DOWN : 0) |
                          (port->blocked ? blocked : 0));
    store_be32(p + 8, port->curr);
    store_be32(p + 12, port->advertised);
    store_be32(p + 16, port->supported);
    store_be32(p + 20, port->peer);
}

void of_emit_port(struct ofp_out *o, enum ofp_dialect d, const struct ofp_port *port)
{
    uint8_t *p = out_take(o, d == OFP_10 ? OFP10_PORT_LEN : OFP13_PORT_LEN);

    if (p == NULL)
        return;
    if (d == OFP_10) {
        o->bad |= !ofp10_port_emit(p, port->no);
        memcpy(p + 2, port->mac.b, 6);
        ofp_put_text(p + 8, 16, port->name);
        put_state(p + 24, d, port);
        return;
    }
    store_be32(p, port->no);
    memcpy(p + 8, port->mac.b, 6);
    ofp_put_text(p + 16, 16, port->name);
    put_state(p + 32, d, port);
    store_be32(p + 56, port->curr_kbps);
    store_be32(p + 60, port->max_kbps);
}

int of13_next_port(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                   struct ofp_port *out)
{
    if (*off >= m->body_len)
        return 0;
    if (m->body_len - *off < OFP13_PORT_LEN)
        return -OFP_BAD_LEN;
    parse_port(d, m->body + *off, out);
    *off += OFP13_PORT_LEN;
    return 1;
}

enum ofp_err of_parse_features(enum ofp_dialect d, const struct ofp_msg *m,
                               struct ofp_features *out)
{
    const uint8_t *p = m->p;

    *out = (struct ofp_features){
        .dpid = load_be64(p + 8),
        .buffers = load_be32(p + 16),
        .tables = p[20],
        .auxiliary = d == OFP_13 ? p[21] : 0,
        .capabilities = load_be32(p + 24),
        .actions = d == OFP_10 ? load_be32(p + 28) : 0,
        .ports = d == OFP_10 ? (m->len - 32u) / OFP10_PORT_LEN : 0,
    };
    return OFP_OK;
}

enum ofp_err ofp_features_port(const struct ofp_msg *m, uint32_t i, struct ofp_port *out)
{
    if (m->version != OFP_VERSION_10 || i >= (m->len - 32u) / OFP10_PORT_LEN)
        return OFP_BAD_LEN;
    parse_port(OFP_10, m->p + 32 + (size_t)i * OFP10_PORT_LEN, out);
    return OFP_OK;
}

size_t of_emit_features_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              const struct ofp_features *f, const struct ofp_port *ports,
                              size_t n_ports)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_FEATURES_REPLY, xid);

    if (p == NULL)
        return 0;
    store_be64(p + 8, f->dpid);
    store_be32(p + 16, f->buffers);
    p[20] = f->tables;
    if (d == OFP_13)
        p[21] = f->auxiliary;
    store_be32(p + 24, f->capabilities);
    if (d == OFP_10)
        store_be32(p + 28, f->actions);
    for (size_t i = 0; d == OFP_10 && i < n_ports; i++)
        of_emit_port(&o, d, &ports[i]);
    return ofp_end(&o);
}

enum ofp_err of_parse_port_status(enum ofp_dialect d, const struct ofp_msg *m,
                                  enum ofp_port_reason *reason, struct ofp_port *out)
{
    uint8_t why = m->p[8];

    *reason = (enum ofp_port_reason)(why <= OFPPR_MODIFY ? why : OFPPR_MODIFY);
    parse_port(d, m->p + 16, out);
    return why <= OFPPR_MODIFY ? OFP_OK : OFP_BAD_FIELD;
}

size_t of_emit_port_status(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           enum ofp_port_reason reason, const struct ofp_port *port)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_PORT_STATUS, xid);

    if (p == NULL)
        return 0;
    p[8] = (uint8_t)reason;
    o.n = 16;
    of_emit_port(&o, d, port);
    return ofp_end(&o);
}
