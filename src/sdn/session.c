/* Bytes of a switch become messages, and each message goes to whoever knows it. */
#include "sdn/sdn_int.h"

/* So many malformed messages in so long are no accident. */
#define BAD_MAX 64u
#define BAD_US (10 * USEC_PER_SEC)

enum { OFPET_BAD_REQUEST = 1 };
enum { BRC_BAD_VERSION = 0, BRC_BAD_TYPE = 1, BRC_BAD_EXPERIMENTER = 3, BRC_BAD_LEN = 6 };
enum { BRC_IS_SLAVE = 10 }; /* 1.3 */

void session_bad(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, uint16_t type,
                 uint16_t code)
{
    uint8_t version = sw->dialect == OFP_10 ? OFP_VERSION_10 : OFP_VERSION_13;
    uint8_t *b;

    s->stats.bad_messages++;
    if (s->now >= sw->bad_since + BAD_US) {
        sw->bad = 0;
        sw->bad_since = s->now;
    }
    if (++sw->bad > BAD_MAX) {
        session_abort(s, sw, "too many malformed messages");
        return;
    }
    /* No ERROR about an ERROR: two such ends would never stop.  POF switches do not read them. */
    if (sw->speech != SDN_SPEAKS_OPENFLOW || m->type == 1)
        return;
    b = say_begin(s, sw, 128, true);
    say_end(s, sw,
            b ? ofp_emit_error(version, b, 128, m->xid, type, code, m->p, min_u32(m->len, 64)) : 0,
            true);
}

static uint16_t code_of(enum ofp_err e)
{
    return e == OFP_BAD_VERSION ? BRC_BAD_VERSION : e == OFP_BAD_TYPE ? BRC_BAD_TYPE : BRC_BAD_LEN;
}

/* ---- what messages mean ---- */

static void on_echo(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    enum ofp_dialect d = sw->dialect == OFP_NONE ? POF_HUAWEI : sw->dialect;
    uint8_t *b = say_begin(s, sw, m->len, true);

    say_end(s, sw,
            b ? ofp_emit(d, b, m->len, OFP_ECHO_REPLY, m->xid, m->p + OFP_HLEN, m->len - OFP_HLEN)
              : 0,
            true);
}

static void note_error(struct sdn *s, struct sdn_switch *sw, const struct ofp_error_msg *e)
{
    uint32_t is = (uint32_t)e->type << 16 | e->code;
    char text[96];
    struct fmt f;

    s->stats.errors_in++;
    sw->errors++;
    /* A switch that repeats itself is written down at every doubling. */
    if (is != sw->last_error || is_pow2(sw->errors)) {
        fmt_init(&f, text, sizeof(text));
        ofp_error_print(&f, sw->dialect, e->type, e->code);
        fmt_add(&f, ", %llu errors of this connection", (unsigned long long)sw->errors);
        event_note_some(s, sw, EVENT_ERROR, 0, text);
    }
    sw->last_error = is;
}

static void on_error(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_error_msg e;
    uint64_t arg;

    if (ofp_parse_error(sw->dialect, m, &e) != OFP_OK) {
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_LEN);
        return;
    }
    note_error(s, sw, &e);
    if (sw->dialect == OFP_13 && e.type == OFPET_BAD_REQUEST && e.code == BRC_IS_SLAVE)
        sw->master = false;
    switch (xid_take(sw, m->xid, &arg)) {
    case XID_STORE:
        store_refused(s, sw, arg, &e, s->now);
        break;
    case XID_ASK:
        ask_error(s, sw, arg, &e);
        break;
    case XID_STATS:
        count_refused(sw);
        break;
    case XID_ROLE:
        role_refused(s, sw, arg, &e);
        break;
    case XID_HANDSHAKE:
        hello_refused(s, sw, arg);
        break;
    case XID_POF:
    case XID_SWEEP:
    case XID_FREE:
        break;
    }
}

static void on_barrier(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    uint64_t arg;
    enum xid_for who = xid_take(sw, m->xid, &arg);

    if (who == XID_STORE)
        store_confirmed(s, sw, arg, s->now);
    else if (who == XID_ASK)
        ask_barrier(s, sw, arg);
}

static void on_multipart(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_multipart mp;
    enum xid_for who;
    uint64_t arg;

    if (ofp_parse_multipart(sw->dialect, m, &mp) != OFP_OK) {
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_LEN);
        return;
    }
    who = mp.more ? xid_look(sw, m->xid, &arg) : xid_take(sw, m->xid, &arg);
    if (who == XID_HANDSHAKE)
        hello_multipart(s, sw, &mp);
    else if (who == XID_STATS)
        count_multipart(s, sw, &mp, s->now);
    else if (who == XID_SWEEP)
        net_multipart(s, sw, arg, &mp);
    else if (who == XID_ASK)
        ask_multipart(s, sw, arg, m, &mp, s->now);
}

static void note_port(struct sdn *s, struct sdn_switch *sw, const struct ofp_port *p,
                      enum ofp_port_reason reason)
{
    char text[96];
    bool up = !p->down && !p->link_down;

    fmt_print(text, sizeof(text), "%s %s", p->name,
              reason == OFPPR_DELETE ? "removed"
              : up                   ? "up"
                                     : "down");
    event_note_some(s, sw, EVENT_PORT, p->no, text);
}

void session_port(struct sdn *s, struct sdn_switch *sw, enum ofp_port_reason reason,
                  const struct ofp_port *desc)
{
    struct sdn_port *p = port_find(sw, desc->no);
    bool was_up = p && port_is_up(p), tell = sw->phase == PHASE_UP && !sw->auxiliary;

    if (reason == OFPPR_DELETE) {
        if (p && tell) {
            net_port_changed(s, sw, p, reason, s->now);
            note_port(s, sw, &p->desc, reason);
        }
        if (p)
            port_remove(s, sw, p);
        return;
    }
    reason = p ? OFPPR_MODIFY : OFPPR_ADD;
    p = port_put(s, sw, desc);
    if (!p) {
        event_note_some(s, sw, EVENT_REFUSED, desc->no, "the limit of ports is reached");
        return;
    }
    if (tell && (reason == OFPPR_ADD || was_up != port_is_up(p)))
        note_port(s, sw, desc, reason);
    if (tell)
        net_port_changed(s, sw, p, reason, s->now);
}

static void on_port(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    enum ofp_port_reason reason;
    struct ofp_port desc;

    if (ofp_parse_port_status(sw->dialect, m, &reason, &desc) != OFP_OK)
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_LEN);
    else if (sw->phase >= PHASE_PORTS)
        session_port(s, sw, reason, &desc);
}

/* The main connection of an auxiliary one: from the same host, with the same certificate. */
static struct sdn_switch *main_of(const struct sdn *s, const struct sdn_switch *sw)
{
    struct sdn_switch *at = sdn_switch_find(s, sw->dpid);

    if (!at || at->peer.tls != sw->peer.tls ||
        memcmp(&at->peer.ip, &sw->peer.ip, sizeof(sw->peer.ip)) != 0 ||
        memcmp(at->peer.subject, sw->peer.subject, sizeof(sw->peer.subject)) != 0)
        return NULL;
    return at;
}

/* False: no room to answer now. */
static bool on_packet_in(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct sdn_switch *at = sw->auxiliary ? main_of(s, sw) : sw;
    struct ofp_packet_in p;

    if (!at || at->phase < PHASE_PORTS) {
        s->stats.packet_ins++;
        s->stats.packet_ins_dropped++;
        return true;
    }
    if (ofp_parse_packet_in(sw->dialect, m, &p) != OFP_OK) {
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_LEN);
        return true;
    }
    /* An auxiliary connection does not wait for the main one's output. */
    return fast_packet_in(s, at, &p) || at != sw;
}

static void on_flow_removed(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_flow_removed f;

    if (ofp_parse_flow_removed(sw->dialect, m, &f) != OFP_OK)
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_LEN);
    else if (sw->known && !sw->auxiliary)
        net_flow_removed(s, sw, &f);
}

static bool dispatch(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    switch (m->kind) {
    case OFP_ERROR:
        on_error(s, sw, m);
        break;
    case OFP_ECHO_REQUEST:
        on_echo(s, sw, m);
        break;
    case OFP_FEATURES_REPLY:
        hello_features(s, sw, m);
        break;
    case OFP_PACKET_IN:
        return on_packet_in(s, sw, m);
    case OFP_FLOW_REMOVED:
        on_flow_removed(s, sw, m);
        break;
    case OFP_PORT_STATUS:
        on_port(s, sw, m);
        break;
    case OFP_MULTIPART_REPLY:
        on_multipart(s, sw, m);
        break;
    case OFP_BARRIER_REPLY:
        on_barrier(s, sw, m);
        break;
    case OFP_ROLE_REPLY:
        role_reply(s, sw, m);
        break;
    case OFP_EXPERIMENTER:
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_EXPERIMENTER);
        break;
    /* Nobody waits for these. */
    case OFP_HELLO:
    case OFP_ECHO_REPLY:
    case OFP_GET_CONFIG_REPLY:
    case OFP_QUEUE_GET_CONFIG_REPLY:
    case OFP_GET_ASYNC_REPLY:
        break;
    /* A controller's, or POF's: ofp_frame lets none of them pass. */
    case OFP_FEATURES_REQUEST:
    case OFP_GET_CONFIG_REQUEST:
    case OFP_SET_CONFIG:
    case OFP_PACKET_OUT:
    case OFP_FLOW_MOD:
    case OFP_GROUP_MOD:
    case OFP_PORT_MOD:
    case OFP_TABLE_MOD:
    case OFP_MULTIPART_REQUEST:
    case OFP_BARRIER_REQUEST:
    case OFP_QUEUE_GET_CONFIG_REQUEST:
    case OFP_ROLE_REQUEST:
    case OFP_GET_ASYNC_REQUEST:
    case OFP_SET_ASYNC:
    case OFP_METER_MOD:
    case POF_RESOURCE_REPORT:
    case POF_COUNTER_MOD:
    case POF_COUNTER_REQUEST:
    case POF_COUNTER_REPLY:
    case POF_QUERYALL_REQUEST:
    case POF_QUERYALL_FIN:
    case OFP_KINDS:
        session_bad(s, sw, m, OFPET_BAD_REQUEST, BRC_BAD_TYPE);
        break;
    }
    return true;
}

/* ---- framing ---- */

static enum ofp_err frame(const struct sdn_switch *sw, const uint8_t *p, size_t n,
                          struct ofp_msg *m, uint32_t *need)
{
    enum ofp_err e;

    *m = (struct ofp_msg){0};
    if (sw->phase == PHASE_HELLO && sw->speech == SDN_SPEAKS_OPENFLOW) {
        e = ofp_frame_hello(p, n, m, need);
        m->p = p;
        return e;
    }
    e = ofp_frame(sw->dialect == OFP_NONE ? POF_HUAWEI : sw->dialect, OFP_FROM_SWITCH, p, n, m,
                  need);
    m->p = p;
    /* It is answered and passed over whole. */
    if (e != OFP_OK && e != OFP_MORE && m->len > n) {
        *need = m->len;
        return OFP_MORE;
    }
    return e;
}

static void on_bad_frame(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m,
                         enum ofp_err e)
{
    if (sw->phase == PHASE_HELLO && sw->speech == SDN_SPEAKS_OPENFLOW) {
        hello_refuse(s, sw, m);
        return;
    }
    session_bad(s, sw, m, OFPET_BAD_REQUEST, code_of(e));
    if (m->len < OFP_HLEN)
        session_close(s, sw, "a message shorter than its header");
}

/* A whole message, or a wrong one.  False: it must come again. */
static bool message(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, enum ofp_err e)
{
    bool done = true;

    if (e != OFP_OK) {
        on_bad_frame(s, sw, m, e);
    } else if (sw->speech != SDN_SPEAKS_OPENFLOW) {
        if (m->kind == OFP_ECHO_REQUEST)
            on_echo(s, sw, m);
        else
            pof_message(s, sw, m, s->now);
    } else if (sw->phase == PHASE_HELLO) {
        hello_message(s, sw, m);
    } else {
        done = dispatch(s, sw, m);
    }
    s->stats.messages_in += done;
    return done;
}

/* Packet-ins are answered in bursts: `first`, then what follows it at p. */
static size_t packet_ins(struct sdn *s, struct sdn_switch *sw, const uint8_t *first, size_t first_n,
                         const uint8_t *p, size_t n)
{
    if (sw->speech != SDN_SPEAKS_OPENFLOW || !sw->known || sw->auxiliary)
        return 0;
    return fast_input(s, sw, first, first_n, p, n);
}

static bool takes(const struct sdn_switch *sw)
{
    return !sw->blocked && sw->phase != PHASE_CLOSING;
}

/* The beginning of a message is kept: as much of the rest as is there joins it.  One that cannot be
 * answered yet gives its last byte back, so that its sender comes again. */
static size_t input_partial(struct sdn *s, struct sdn_switch *sw, const uint8_t *p, size_t n)
{
    struct ofp_msg m;
    uint32_t need;
    enum ofp_err e;
    size_t used = 0, k;

    while ((e = frame(sw, sw->partial, sw->partial_n, &m, &need)) == OFP_MORE) {
        k = need - sw->partial_n < n - used ? need - sw->partial_n : n - used;
        if (k == 0)
            return used;
        memcpy(sw->partial + sw->partial_n, p + used, k);
        sw->partial_n += (uint32_t)k;
        used += k;
    }
    k = e == OFP_OK ? packet_ins(s, sw, sw->partial, sw->partial_n, p + used, n - used) : 0;
    if (k > 0) {
        used += k - sw->partial_n;
    } else if (!message(s, sw, &m, e)) {
        sw->partial_n--;
        return used - 1;
    }
    pool_put(&s->partials, sw->partial);
    sw->partial = NULL;
    sw->partial_n = 0;
    return used;
}

/* One message at p; 0: it is not whole, or cannot be answered now. */
static size_t input_one(struct sdn *s, struct sdn_switch *sw, const uint8_t *p, size_t n)
{
    struct ofp_msg m;
    uint32_t need;
    enum ofp_err e = frame(sw, p, n, &m, &need);

    if (e == OFP_MORE) {
        sw->partial = pool_get(&s->partials);
        MR_ASSERT(sw->partial != NULL); /* one a connection */
        memcpy(sw->partial, p, n);
        sw->partial_n = (uint32_t)n;
        return n;
    }
    if (!message(s, sw, &m, e))
        return 0;
    /* What is no message at all ends the connection: no more than what is here is taken of it. */
    return m.len >= OFP_HLEN && m.len <= n ? m.len : n;
}

size_t sdn_input(struct sdn *s, sdn_conn c, const uint8_t *p, size_t n, instant now)
{
    struct sdn_switch *sw = sdn_switch_of(s, c);
    size_t used = 0, k;

    if (!sw)
        return n;
    if (now > s->now) {
        s->now = now;
        s->now_s = (uint32_t)(now / USEC_PER_SEC);
    }
    sw->heard = s->now;
    if (sw->partial && takes(sw))
        used = input_partial(s, sw, p, n);
    while (used < n && takes(sw)) {
        k = packet_ins(s, sw, NULL, 0, p + used, n - used);
        if (k == 0 && takes(sw)) {
            k = input_one(s, sw, p + used, n - used);
            if (k == 0)
                break;
        }
        used += k;
    }
    s->stats.bytes_in += used;
    return used;
}

bool sdn_takes_input(const struct sdn *s, sdn_conn c)
{
    const struct sdn_switch *sw = sdn_switch_of(s, c);

    return sw && takes(sw);
}
