/* OpenFlow 1.0: packets and flows.  OpenFlow 1.0.0, 5.3.3, 5.3.6 and 5.4. */
#include "ofp/of_int.h"

enum { FLAGS10 = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP };

enum ofp_err of10_parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_packet_in *out)
{
    const uint8_t *p = m->p;

    (void)d;
    *out = (struct ofp_packet_in){
        .buffer_id = load_be32(p + 8),
        .total_len = load_be16(p + 12),
        .in_port = ofp10_port(load_be16(p + 14)),
        .reason = p[16],
        .frame = p + 18,
        .frame_len = m->len - 18u,
    };
    return OFP_OK;
}

size_t of10_emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_packet_in *in)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_PACKET_IN, xid);

    if (p == NULL)
        return 0;
    store_be32(p + 8, in->buffer_id);
    store_be16(p + 12, in->total_len);
    o.bad |= !ofp10_port_emit(p + 14, in->in_port);
    p[16] = in->reason;
    out_bytes(&o, in->frame, in->frame_len);
    return ofp_end(&o);
}

enum ofp_err of10_parse_flow_removed(enum ofp_dialect d, const struct ofp_msg *m,
                                     struct ofp_flow_removed *out)
{
    const uint8_t *p = m->p;

    (void)d;
    ofp10_parse_match(p + 8, &out->match);
    out->cookie = load_be64(p + 48);
    out->priority = load_be16(p + 56);
    out->reason = p[58];
    out->table = 0;
    out->duration_s = load_be32(p + 60);
    out->duration_ns = load_be32(p + 64);
    out->idle_timeout = load_be16(p + 68);
    out->hard_timeout = 0;
    out->packets = load_be64(p + 72);
    out->bytes = load_be64(p + 80);
    return OFP_OK;
}

size_t of10_emit_flow_removed(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              const struct ofp_flow_removed *f)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_FLOW_REMOVED, xid);

    if (p == NULL)
        return 0;
    o.bad |= !ofp10_emit_match(p + 8, &f->match);
    store_be64(p + 48, f->cookie);
    store_be16(p + 56, f->priority);
    p[58] = f->reason;
    store_be32(p + 60, f->duration_s);
    store_be32(p + 64, f->duration_ns);
    store_be16(p + 68, f->idle_timeout);
    store_be64(p + 72, f->packets);
    store_be64(p + 80, f->bytes);
    return ofp_end(&o);
}

/* ---- flows ---------------------------------------------------------------------------- */

static uint8_t match_proto(const struct ofp_match *m)
{
    const struct ofp_tlv *t = ofp_match_find(m, OFPF_IP_PROTO);

    return t != NULL ? t->value[0] : 0;
}

enum ofp_err ofp10_parse_flow_actions(const uint8_t *p, size_t n, struct ofp_flow *f)
{
    ofp_instructions_init(&f->do_);
    return ofp10_parse_actions(p, n, match_proto(&f->match), &f->do_.apply);
}

bool ofp10_can_do(const struct ofp_instructions *i)
{
    return i->write.n == 0 && !i->clear && !i->has_goto && !i->has_meter && !i->has_metadata;
}

enum ofp_err of10_parse_flow_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_flow *out)
{
    const uint8_t *p = m->p;
    uint16_t command = load_be16(p + 56);

    (void)d;
    ofp10_parse_match(p + 8, &out->match);
    out->cookie = load_be64(p + 48);
    out->cookie_mask = 0;
    out->command = (enum ofp_command)command;
    out->table = 0;
    out->idle_timeout = load_be16(p + 58);
    out->hard_timeout = load_be16(p + 60);
    out->priority = load_be16(p + 62);
    out->buffer_id = load_be32(p + 64);
    out->out_port = ofp10_port(load_be16(p + 68));
    out->out_group = OFPP_ANY;
    out->flags = load_be16(p + 70);
    if (command > OFPFC_DELETE_STRICT || (out->flags & ~FLAGS10) != 0)
        return OFP_BAD_FIELD;
    return ofp10_parse_flow_actions(p + 72, m->len - 72u, out);
}

/* A switch of 1.0 has tables nobody can name: 0 and OFP_TABLE_ALL mean all of it. */
size_t of10_emit_flow_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_flow *f)
{
    struct ofp_out o;
    uint8_t *p = ofp_begin(&o, d, b, cap, OFP_FLOW_MOD, xid);

    if (p == NULL)
        return 0;
    o.bad |= !ofp10_emit_match(p + 8, &f->match) || !ofp10_can_do(&f->do_);
    o.bad |= (f->table != 0 && f->table != OFP_TABLE_ALL) || f->out_group != OFPP_ANY;
    o.bad |= f->cookie_mask != 0 || (f->flags & ~FLAGS10) != 0;
    store_be64(p + 48, f->cookie);
    store_be16(p + 56, (uint16_t)f->command);
    store_be16(p + 58, f->idle_timeout);
    store_be16(p + 60, f->hard_timeout);
    store_be16(p + 62, f->priority);
    store_be32(p + 64, f->buffer_id);
    o.bad |= !ofp10_port_emit(p + 68, f->out_port);
    store_be16(p + 70, f->flags);
    ofp10_emit_actions(&o, &f->do_.apply);
    return ofp_end(&o);
}

/* ---- packets out ---------------------------------------------------------------------- */

enum ofp_err of10_parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_packet_out *out)
{
    const uint8_t *p = m->p;
    uint32_t actions = load_be16(p + 14);

    (void)d;
    out->buffer_id = load_be32(p + 8);
    out->in_port = ofp10_port(load_be16(p + 12));
    if (actions > m->len - 16u)
        return OFP_BAD_LEN;
    out->frame = p + 16 + actions;
    out->frame_len = m->len - 16u - actions;
    return ofp10_parse_actions(p + 16, actions, 0, &out->actions);
}

/* in_port of a packet that came from nowhere is NONE (5.3.6). */
static uint8_t *begin_packet_out(struct ofp_out *o, uint8_t *b, size_t cap, uint32_t xid,
                                 uint32_t buffer_id, uint32_t in_port)
{
    uint8_t *p = ofp_begin(o, OFP_10, b, cap, OFP_PACKET_OUT, xid);

    if (p == NULL)
        return NULL;
    store_be32(p + 8, buffer_id);
    o->bad |= !ofp10_port_emit(p + 12, in_port == OFPP_CONTROLLER ? OFPP_ANY : in_port);
    return p;
}

size_t of10_emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                            const void *frame, size_t n)
{
    struct ofp_out o;
    uint8_t *p = begin_packet_out(&o, b, cap, xid, buffer_id, in_port);

    (void)d;
    if (p == NULL)
        return 0;
    ofp10_emit_actions(&o, a);
    store_be16(p + 14, (uint16_t)(o.n - 16));
    out_bytes(&o, frame, n);
    return ofp_end(&o);
}

size_t of10_emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                  size_t n_ports, const void *frame, size_t n)
{
    struct ofp_out o;
    uint8_t *p = begin_packet_out(&o, b, cap, xid, buffer_id, in_port);

    (void)d;
    if (p == NULL)
        return 0;
    for (size_t i = 0; i < n_ports; i++) {
        uint8_t *a = out_take(&o, 8);
        if (a == NULL)
            return 0;
        store_be16(a + 2, 8);
        o.bad |= !ofp10_port_emit(a + 4, ports[i]);
        store_be16(a + 6, ports[i] == OFPP_CONTROLLER ? 0xffff : 0);
    }
    store_be16(p + 14, (uint16_t)(o.n - 16));
    out_bytes(&o, frame, n);
    return ofp_end(&o);
}
