/* The handshake of OpenFlow: versions, features, ports.
 *
 *     HELLO <-> HELLO        the highest version both have (1.3.5, 6.3.1)
 *     FEATURES_REQUEST ->
 *     SET_CONFIG ->
 *            <- FEATURES_REPLY        1.0: has the ports
 *     DESC, 1.3: PORT_DESC ->
 *            <- PORT_DESC, in parts   1.3 */
#include "sdn/sdn_int.h"

#define OURS (1u << OFP_VERSION_10 | 1u << OFP_VERSION_13)
/* What of a packet that it keeps the switch shows us: enough for every header we read, and for our
 * probes whole.  A switch without buffers sends all of it. */
#define MISS_SEND_LEN 192u

enum { OFPET_HELLO_FAILED = 0, OFPHFC_INCOMPATIBLE = 0 };
enum { WAITS_PORTS, WAITS_DESC }; /* arguments of XID_HANDSHAKE */

void hello_begin(struct sdn *s, struct sdn_switch *sw)
{
    uint8_t *b = say_begin(s, sw, 64, true);

    say_end(s, sw, b ? ofp_emit_hello(b, 64, xid_next(sw), OURS) : 0, true);
}

void hello_refuse(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    static const char text[] = "this controller speaks OpenFlow 1.0 and 1.3";
    uint8_t version = m->version < OFP_VERSION_13 ? m->version : OFP_VERSION_13;
    uint8_t *b = say_begin(s, sw, 128, true);

    s->stats.bad_messages++;
    say_end(s, sw,
            b ? ofp_emit_error(version, b, 128, m->xid, OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE,
                               text, sizeof(text) - 1)
              : 0,
            true);
    session_close(s, sw, "no OpenFlow version in common");
}

/* OpenFlow 1.3.5, 6.3.1: the highest version in both bitmaps; without one of theirs the smaller of
 * the two headers' versions, if we have it. */
static enum ofp_dialect choose(uint32_t versions, bool has_bitmap, uint8_t header)
{
    uint8_t v;

    if (has_bitmap) {
        if (versions >> OFP_VERSION_13 & 1)
            return OFP_13;
        return versions >> OFP_VERSION_10 & 1 ? OFP_10 : OFP_NONE;
    }
    v = header < OFP_VERSION_13 ? header : OFP_VERSION_13;
    return v == OFP_VERSION_13 ? OFP_13 : v == OFP_VERSION_10 ? OFP_10 : OFP_NONE;
}

static void say_set_config(struct sdn *s, struct sdn_switch *sw)
{
    const struct ofp_config c = {.miss_send_len = MISS_SEND_LEN};
    uint8_t *b = say_begin(s, sw, 64, true);

    say_end(s, sw, b ? ofp_emit_set_config(sw->dialect, b, 64, xid_next(sw), &c) : 0, true);
}

void hello_message(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_error_msg e;
    uint32_t versions = 0;
    bool has_bitmap = false;

    if (m->kind == OFP_ERROR) {
        bool is = ofp_parse_error(m->version == OFP_VERSION_10 ? OFP_10 : OFP_13, m, &e) == OFP_OK;
        s->stats.errors_in++;
        fmt_print(sw->why, sizeof(sw->why), "it refuses our versions: error %u/%u",
                  is ? e.type : 0u, is ? e.code : 0u);
        session_close(s, sw, sw->why);
        return;
    }
    if (m->kind != OFP_HELLO || ofp_parse_hello(m, &versions, &has_bitmap) != OFP_OK ||
        (sw->dialect = choose(versions, has_bitmap, m->version)) == OFP_NONE) {
        hello_refuse(s, sw, m);
        return;
    }
    sw->phase = PHASE_FEATURES;
    say_plain(s, sw, OFP_FEATURES_REQUEST);
    say_set_config(s, sw);
}

/* ---- features and ports ---- */

static void ask_handshake(struct sdn *s, struct sdn_switch *sw, enum ofp_stats type, uint64_t arg)
{
    uint8_t *b = say_begin(s, sw, 64, true);
    uint32_t xid = xid_next(sw);
    size_t n = b ? ofp_emit_multipart_request(sw->dialect, b, 64, xid, type, NULL, OFPP_ANY) : 0;

    say_end(s, sw, n, true);
    if (n > 0)
        xid_note(s, sw, xid, XID_HANDSHAKE, arg);
}

static void port_take(struct sdn *s, struct sdn_switch *sw, const struct ofp_port *desc)
{
    if (!port_put(s, sw, desc))
        event_note_some(s, sw, EVENT_REFUSED, desc->no, "the limit of ports is reached");
}

void hello_features(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_port port;

    if (sw->phase != PHASE_FEATURES ||
        ofp_parse_features(sw->dialect, m, &sw->features) != OFP_OK) {
        session_bad(s, sw, m, 1, sw->phase != PHASE_FEATURES ? 1 : 6);
        return;
    }
    sw->dpid = sw->features.dpid;
    sw->auxiliary = sw->dialect == OFP_13 && sw->features.auxiliary != 0;
    session_known(s, sw);
    if (sw->auxiliary) {
        session_up(s, sw);
        return;
    }
    ask_handshake(s, sw, OFPMP_DESC, WAITS_DESC);
    if (sw->dialect == OFP_13) {
        ask_handshake(s, sw, OFPMP_PORT_DESC, WAITS_PORTS);
        return;
    }
    for (uint32_t i = 0; i < sw->features.ports; i++)
        if (ofp_features_port(m, i, &port) == OFP_OK)
            port_take(s, sw, &port);
    session_up(s, sw);
}

void hello_multipart(struct sdn *s, struct sdn_switch *sw, const struct ofp_multipart *mp)
{
    struct ofp_port port;
    uint32_t off = 0;

    if (mp->type == OFPMP_DESC) {
        if (!sw->desc)
            sw->desc = pool_get(&s->descs);
        if (sw->desc && ofp_parse_desc(sw->dialect, mp, sw->desc) != OFP_OK)
            memset(sw->desc, 0, sizeof(*sw->desc));
        return;
    }
    if (mp->type != OFPMP_PORT_DESC || sw->phase != PHASE_PORTS)
        return;
    while (ofp_next_port(sw->dialect, mp, &off, &port) == 1)
        port_take(s, sw, &port);
    if (!mp->more)
        session_up(s, sw);
}

void hello_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg)
{
    if (arg == WAITS_PORTS && sw->phase == PHASE_PORTS)
        session_close(s, sw, "it does not say which ports it has");
}

/* ---- known, up ---- */

void session_known(struct sdn *s, struct sdn_switch *sw)
{
    sw->phase = PHASE_PORTS;
    sw->known = true;
    if (sw->auxiliary)
        return;
    sw->mac_id = mac_id_get(&s->macs);
    net_switch_known(s, sw, s->now);
}

/* Without it a 1.3 switch drops what no flow matches (1.3.5, 5.4). */
static void say_miss(struct sdn *s, struct sdn_switch *sw)
{
    struct ofp_flow f;

    ofp_flow_init(&f);
    f.command = OFPFC_ADD;
    f.do_.apply.n = 1;
    f.do_.apply.a[0] =
        (struct ofp_action){.type = OFPA_OUTPUT, .port = OFPP_CONTROLLER, .max_len = MISS_SEND_LEN};
    say_flow(s, sw, &f, NULL);
}

void session_up(struct sdn *s, struct sdn_switch *sw)
{
    char text[96];

    if (sw->phase == PHASE_CLOSING)
        return;
    sw->phase = PHASE_UP;
    sw->up_since = s->now;
    sw->stats_at = s->now + USEC_PER_SEC;
    s->count_at = s->count_at < sw->stats_at ? s->count_at : sw->stats_at;
    s->stats.handshakes++;
    if (sw->auxiliary)
        return;
    fmt_print(text, sizeof(text), "%s, %u ports", ofp_dialect_name(sw->dialect), sw->n_ports);
    event_note(s, EVENT_SWITCH_UP, sw->dpid, 0, text);
    if (s->config.master)
        role_want(s, sw, OFP_ROLE_MASTER, 0);
    if (sw->dialect == OFP_13 && s->config.mode != SDN_NONE)
        say_miss(s, sw);
    net_switch_up(s, sw, s->now);
    store_switch_up(s, sw, s->now);
}
