/* OpenFlow 1.3: packets and flows.  OpenFlow 1.3.5, 7.3.4.2, 7.3.7 and 7.4. */
#include "ofp/of_int.h"

enum ofp_err of13_parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_packet_in *out)
{
    const uint8_t *p = m->p;
    struct ofp_match match;
    size_t used;
    enum ofp_err e = ofp13_parse_match(p + 24, m->len - 24u, &match, &used);

    (void)d;
    if (e != OFP_OK)
        return e;
    if (24 + used + 2 > m->len)
        return OFP_BAD_LEN;
    const struct ofp_tlv *port = ofp_match_find(&match, OFPF_IN_PORT);
    *out = (struct ofp_packet_in){
        .buffer_id = load_be32(p + 8),
        .total_len = load_be16(p + 12),
        .in_port = port != NULL ? load_be32(port->value) : OFPP_ANY,
        .reason = p[14],
        .table = p[15],
        .cookie = load_be64(p + 16),
        .frame = p + 24 + used + 2,
        .frame_len = (uint32_t)(m->len - 24u - used - 2u),
    };
    return OFP_OK;
}

size_t of13_emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_packet_in *in)
{
    struct ofp_out o;
    struct ofp_tlv port;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_PACKET_IN, xid);

    if (p == NULL)
        return 0;
    store_be32(p + 8, in->buffer_id);
    store_be16(p + 12, in->total_len);
    p[14] = in->reason;
    p[15] = in->table;
    store_be64(p + 16, in->cookie);
    o.n = 24;
    store_be16(out_take(&o, 4), 1);
    store_be16(p + 26, in->in_port != OFPP_ANY ? 12 : 4);
    if (in->in_port != OFPP_ANY) {
        ofp_tlv_set_u64(&port, OFPF_IN_PORT, in->in_port);
        ofp13_emit_oxm(&o, &port);
    }
    out_take(&o, 4 + 2); /* of the match, and two to align the frame's IP header */
    out_bytes(&o, in->frame, in->frame_len);
    return ofp_end(&o);
}

enum ofp_err of13_parse_flow_removed(enum ofp_dialect d, const struct ofp_msg *m,
                                     struct ofp_flow_removed *out)
{
    const uint8_t *p = m->p;
    size_t used;

    (void)d;
    out->cookie = load_be64(p + 8);
    out->priority = load_be16(p + 16);
    out->reason = p[18];
    out->table = p[19];
    out->duration_s = load_be32(p + 20);
    out->duration_ns = load_be32(p + 24);
    out->idle_timeout = load_be16(p + 28);
    out->hard_timeout = load_be16(p + 30);
    out->packets = load_be64(p + 32);
    out->bytes = load_be64(p + 40);
    enum ofp_err e = ofp13_parse_match(p + 48, m->len - 48u, &out->match, &used);
    return e != OFP_OK || 48 + used == m->len ? e : OFP_BAD_LEN;
}

size_t of13_emit_flow_removed(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              const struct ofp_flow_removed *f)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_FLOW_REMOVED, xid);

    if (p == NULL)
        return 0;
    store_be64(p + 8, f->cookie);
    store_be16(p + 16, f->priority);
    p[18] = f->reason;
    p[19] = f->table;
    store_be32(p + 20, f->duration_s);
    store_be32(p + 24, f->duration_ns);
    store_be16(p + 28, f->idle_timeout);
    store_be16(p + 30, f->hard_timeout);
    store_be64(p + 32, f->packets);
    store_be64(p + 40, f->bytes);
    o.n = 48;
    ofp13_emit_match(&o, &f->match);
    return ofp_end(&o);
}

/* ---- flows ---------------------------------------------------------------------------- */

enum ofp_err of13_parse_flow_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_flow *out)
{
    const uint8_t *p = m->p;
    size_t used;

    (void)d;
    out->cookie = load_be64(p + 8);
    out->cookie_mask = load_be64(p + 16);
    out->table = p[24];
    out->command = (enum ofp_command)p[25];
    out->idle_timeout = load_be16(p + 26);
    out->hard_timeout = load_be16(p + 28);
    out->priority = load_be16(p + 30);
    out->buffer_id = load_be32(p + 32);
    out->out_port = load_be32(p + 36);
    out->out_group = load_be32(p + 40);
    out->flags = load_be16(p + 44);
    if (p[25] > OFPFC_DELETE_STRICT || out->flags > 31)
        return OFP_BAD_FIELD;
    enum ofp_err e = ofp13_parse_match(p + 48, m->len - 48u, &out->match, &used);
    if (e != OFP_OK)
        return e;
    return ofp13_parse_instructions(p + 48 + used, m->len - 48u - used, &out->do_);
}

size_t of13_emit_flow_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_flow *f)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_FLOW_MOD, xid);

    if (p == NULL)
        return 0;
    store_be64(p + 8, f->cookie);
    store_be64(p + 16, f->cookie_mask);
    p[24] = f->table;
    p[25] = (uint8_t)f->command;
    store_be16(p + 26, f->idle_timeout);
    store_be16(p + 28, f->hard_timeout);
    store_be16(p + 30, f->priority);
    store_be32(p + 32, f->buffer_id);
    store_be32(p + 36, f->out_port);
    store_be32(p + 40, f->out_group);
    store_be16(p + 44, f->flags);
    o.n = 48;
    ofp13_emit_match(&o, &f->match);
    ofp13_emit_instructions(&o, &f->do_);
    return ofp_end(&o);
}

/* ---- packets out ---------------------------------------------------------------------- */

enum ofp_err of13_parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_packet_out *out)
{
    const uint8_t *p = m->p;
    uint32_t actions = load_be16(p + 16);

    (void)d;
    out->buffer_id = load_be32(p + 8);
    out->in_port = load_be32(p + 12);
    if (actions > m->len - 24u)
        return OFP_BAD_LEN;
    out->frame = p + 24 + actions;
    out->frame_len = m->len - 24u - actions;
    return ofp13_parse_actions(p + 24, actions, &out->actions);
}

/* in_port of a packet that came from nowhere is CONTROLLER: switches refuse ANY (7.3.7). */
static uint8_t *begin_packet_out(struct ofp_out *o, uint8_t *b, size_t cap, uint32_t xid,
                                 uint32_t buffer_id, uint32_t in_port)
{
    uint8_t *p = ofp_begin(o, OFP_13, b, cap, OFP_PACKET_OUT, xid);

    if (p == NULL)
        return NULL;
    store_be32(p + 8, buffer_id);
    store_be32(p + 12, in_port == OFPP_ANY ? OFPP_CONTROLLER : in_port);
    return p;
}

size_t of13_emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                            const void *frame, size_t n)
{
    struct ofp_out o;
    uint8_t *p = begin_packet_out(&o, b, cap, xid, buffer_id, in_port);

    (void)d;
    if (p == NULL)
        return 0;
    ofp13_emit_actions(&o, a);
    store_be16(p + 16, (uint16_t)(o.n - 24));
    out_bytes(&o, frame, n);
    return ofp_end(&o);
}

size_t of13_emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                  size_t n_ports, const void *frame, size_t n)
{
    struct ofp_out o;
    uint8_t *p = begin_packet_out(&o, b, cap, xid, buffer_id, in_port);

    (void)d;
    if (p == NULL)
        return 0;
    for (size_t i = 0; i < n_ports; i++) {
        uint8_t *a = out_take(&o, 16);
        if (a == NULL)
            return 0;
        store_be16(a + 2, 16);
        store_be32(a + 4, ports[i]);
        store_be16(a + 8, ports[i] == OFPP_CONTROLLER ? 0xffff : 0);
    }
    store_be16(p + 16, (uint16_t)(o.n - 24));
    out_bytes(&o, frame, n);
    return ofp_end(&o);
}
