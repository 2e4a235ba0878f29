/* Small messages that OpenFlow 1.0 and 1.3 write alike or nearly so. */
#include "ofp/of_int.h"

/* OpenFlow 1.3.5, 7.5.1: elements {type, length, body, pad to 8}; type 1 is the bitmap. */
enum ofp_err ofp_parse_hello(const struct ofp_msg *m, uint32_t *versions, bool *has_bitmap)
{
    *has_bitmap = false;
    *versions = m->version >= 31 ? UINT32_MAX : (2u << m->version) - 1;
    *versions &= ~1u;
    if (m->version < OFP_VERSION_13) /* before 1.3.1 what follows is to be ignored */
        return OFP_OK;
    for (uint32_t at = OFP_HLEN, len; at + 4 <= m->len; at += (len + 7) & ~7u) {
        len = load_be16(m->p + at + 2);
        if (len < 4 || len > m->len - at)
            return OFP_BAD_LEN;
        if (load_be16(m->p + at) != 1 || len < 8)
            continue;
        *versions = load_be32(m->p + at + 4);
        *has_bitmap = true;
    }
    return OFP_OK;
}

enum ofp_err of_parse_error(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_error_msg *out)
{
    (void)d;
    *out = (struct ofp_error_msg){
        .type = load_be16(m->p + 8),
        .code = load_be16(m->p + 10),
        .data = m->p + 12,
        .data_len = m->len - 12u,
    };
    return OFP_OK;
}

enum ofp_err of_parse_config(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_config *out)
{
    (void)d;
    *out = (struct ofp_config){
        .flags = load_be16(m->p + 8),
        .miss_send_len = load_be16(m->p + 10),
    };
    return OFP_OK;
}

size_t of_emit_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_config *c)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, k, xid);

    if (p == NULL)
        return 0;
    store_be16(p + 8, c->flags);
    store_be16(p + 10, c->miss_send_len);
    return ofp_end(&o);
}

/* ---- roles ---------------------------------------------------------------------------- */

/* OpenFlow 1.3.5, 7.3.9. */
enum ofp_err of13_parse_role(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_role_msg *out)
{
    uint32_t role = load_be32(m->p + 8);

    (void)d;
    *out = (struct ofp_role_msg){(enum ofp_role)(role & 3), load_be64(m->p + 16)};
    return role <= OFP_ROLE_SLAVE ? OFP_OK : OFP_BAD_FIELD;
}

size_t of13_emit_role(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_role_msg *r)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, k, xid);

    if (p == NULL)
        return 0;
    store_be32(p + 8, r->role);
    store_be64(p + 16, r->generation);
    return ofp_end(&o);
}

/* Nicira's extension of 1.0: {vendor 0x2320, subtype 10 or 11, role: 0 other, 1 master, 2
 * slave}. */
enum { NX_VENDOR = 0x2320, NX_ROLE_REQUEST = 10, NX_ROLE_REPLY = 11, NX_ROLE_LEN = 20 };

enum ofp_err of10_frame_vendor(enum ofp_from from, struct ofp_msg *m)
{
    uint32_t want = from == OFP_FROM_SWITCH ? NX_ROLE_REPLY : NX_ROLE_REQUEST;

    if (m->len < 16 || load_be32(m->p + 8) != NX_VENDOR || load_be32(m->p + 12) != want)
        return OFP_OK;
    m->kind = from == OFP_FROM_SWITCH ? OFP_ROLE_REPLY : OFP_ROLE_REQUEST;
    return m->len == NX_ROLE_LEN ? OFP_OK : OFP_BAD_LEN;
}

enum ofp_err of10_parse_role(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_role_msg *out)
{
    uint32_t role = load_be32(m->p + 16);

    (void)d;
    *out = (struct ofp_role_msg){(enum ofp_role)((role & 3) + OFP_ROLE_EQUAL), 0};
    return role <= 2 ? OFP_OK : OFP_BAD_FIELD;
}

size_t of10_emit_role(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_role_msg *r)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_EXPERIMENTER, xid);
    uint8_t *body = out_take(&o, NX_ROLE_LEN - 12);

    if (body == NULL || r->role == OFP_ROLE_NOCHANGE)
        return 0;
    store_be32(p + 8, NX_VENDOR);
    store_be32(body, k == OFP_ROLE_REQUEST ? NX_ROLE_REQUEST : NX_ROLE_REPLY);
    store_be32(body + 4, (uint32_t)r->role - OFP_ROLE_EQUAL);
    return ofp_end(&o);
}

/* ---- asynchronous messages, tables and ports ------------------------------------------ */

/* OpenFlow 1.3.5, 7.3.10. */
enum ofp_err of13_parse_async(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_async *out)
{
    (void)d;
    for (unsigned i = 0; i < 2; i++) {
        out->packet_in[i] = load_be32(m->p + 8 + 4 * i);
        out->port_status[i] = load_be32(m->p + 16 + 4 * i);
        out->flow_removed[i] = load_be32(m->p + 24 + 4 * i);
    }
    return OFP_OK;
}

size_t of13_emit_async(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                       const struct ofp_async *a)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, k, xid);

    for (unsigned i = 0; p != NULL && i < 2; i++) {
        store_be32(p + 8 + 4 * i, a->packet_in[i]);
        store_be32(p + 16 + 4 * i, a->port_status[i]);
        store_be32(p + 24 + 4 * i, a->flow_removed[i]);
    }
    return ofp_end(&o);
}

enum ofp_err of13_parse_table_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_table_mod *out)
{
    (void)d;
    *out = (struct ofp_table_mod){m->p[8], load_be32(m->p + 12)};
    return OFP_OK;
}

size_t of13_emit_table_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_table_mod *t)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_TABLE_MOD, xid);

    if (p == NULL)
        return 0;
    p[8] = t->table;
    store_be32(p + 12, t->config);
    return ofp_end(&o);
}

/* OpenFlow 1.0.0, 5.3.4; 1.3.5, 7.3.4.3: {port, MAC, config, mask, advertise}. */
enum ofp_err of_parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m,
                               struct ofp_port_mod *out)
{
    const uint8_t *p = m->p, *rest = p + (d == OFP_10 ? 16 : 24);

    *out = (struct ofp_port_mod){
        .no = d == OFP_10 ? ofp10_port(load_be16(p + 8)) : load_be32(p + 8),
        .config = load_be32(rest),
        .mask = load_be32(rest + 4),
        .advertise = load_be32(rest + 8),
    };
    memcpy(out->mac.b, p + (d == OFP_10 ? 10 : 16), 6);
    return OFP_OK;
}

size_t of_emit_port_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                        const struct ofp_port *port, uint32_t config, uint32_t mask)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_PORT_MOD, xid);

    if (p == NULL)
        return 0;
    if (d == OFP_10)
        o.bad |= !ofp10_port_emit(p + 8, port->no);
    else
        store_be32(p + 8, port->no);
    memcpy(p + (d == OFP_10 ? 10 : 16), port->mac.b, 6);
    store_be32(p + (d == OFP_10 ? 16 : 24), config);
    store_be32(p + (d == OFP_10 ? 20 : 28), mask);
    return ofp_end(&o);
}
