/* The usual messages to a switch. */
#include "sdn/sdn_int.h"

bool say_plain(struct sdn *s, struct sdn_switch *sw, enum ofp_kind k)
{
    uint8_t *b = say_begin(s, sw, OFP_HLEN, true);
    size_t n = b ? ofp_emit(sw->dialect, b, OFP_HLEN, k, xid_next(sw), NULL, 0) : 0;

    say_end(s, sw, n, true);
    return n > 0;
}

/* No flow of ours is longer; in POF they are 2,192 bytes. */
#define FLOW_BYTES 8192u

bool say_flow(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow *f, uint32_t *xid)
{
    uint8_t *b = say_begin(s, sw, FLOW_BYTES, true);
    uint32_t x = xid_next(sw);
    size_t n = b ? ofp_emit_flow_mod(sw->dialect, b, FLOW_BYTES, x, f) : 0;

    say_end(s, sw, n, true);
    if (xid)
        *xid = x;
    if (n == 0)
        return false;
    sw->flow_mods++;
    s->stats.flow_mods++;
    return true;
}

static bool say_out(struct sdn *s, struct sdn_switch *sw, uint32_t buffer_id, uint32_t in_port,
                    const uint32_t *ports, size_t n_ports, const void *frame, size_t n)
{
    size_t cap = n + 16 * n_ports + 3072;
    uint8_t *b = cap <= SDN_CHUNK_BYTES ? say_begin(s, sw, cap, false) : NULL;
    size_t len = b ? ofp_emit_packet_out_ports(sw->dialect, b, cap, fast_xid_next(sw), buffer_id,
                                               in_port, ports, n_ports, frame, n)
                   : 0;

    say_end(s, sw, len, false);
    if (len == 0)
        return false;
    sw->packet_outs++;
    s->stats.packet_outs++;
    return true;
}

bool say_packet(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p,
                const uint32_t *ports, size_t n_ports)
{
    bool whole = p->buffer_id == OFP_NO_BUFFER;

    return say_out(s, sw, p->buffer_id, p->in_port, ports, n_ports, whole ? p->frame : NULL,
                   whole ? p->frame_len : 0);
}

bool say_frame(struct sdn *s, struct sdn_switch *sw, uint32_t port, const void *frame, size_t n)
{
    return say_out(s, sw, OFP_NO_BUFFER, OFPP_CONTROLLER, &port, 1, frame, n);
}
