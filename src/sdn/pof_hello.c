/* The handshake of POF, and a POF connection's life.
 *
 *            <- HELLO
 *     HELLO, FEATURES_REQUEST ->
 *            <- FEATURES_REPLY
 *     SET_CONFIG, GET_CONFIG_REQUEST ->
 *            <- GET_CONFIG_REPLY, RESOURCE_REPORT, a PORT_STATUS a port
 *
 * Nothing else may come between ours, or the switch closes the socket.  Where the dialect is
 * configured all four leave at once; where it has to be found FEATURES_REPLY is waited for, since
 * SET_CONFIG is of another length in each. */
#include "sdn/pof_int.h"

#define FEATURES_US (2 * USEC_PER_SEC) /* after that it is taken for Huawei's */
#define PORTS_US (1 * USEC_PER_SEC)    /* after GET_CONFIG_REPLY: so many ports as there are */

static void say_config(struct sdn *s, struct sdn_switch *sw)
{
    const struct ofp_config c = {.miss_send_len = 0xffff, .dev_id = (uint32_t)sw->dpid};
    uint8_t *b = say_begin(s, sw, 64, true);

    say_end(s, sw, b ? ofp_emit_set_config(sw->dialect, b, 64, xid_next(sw), &c) : 0, true);
    say_plain(s, sw, OFP_GET_CONFIG_REQUEST);
    pof_on(sw)->asked_config = true;
}

void pof_opened(struct sdn *s, struct sdn_switch *sw, instant now)
{
    struct pof_on *on = pool_get(&s->pof->switches);

    if (!on) {
        session_abort(s, sw, "the limit of POF switches is reached");
        return;
    }
    memset(on, 0, offsetof(struct pof_on, slot));
    on->queue = on->queue_last = POF_NO_SLOT;
    on->asked_at = now;
    on->config_at = INSTANT_NEVER;
    sw->pof = on;
    sw->phase = PHASE_FEATURES;
    sw->next_xid = 0;
    /* Until it is known: all that is said before SET_CONFIG is the same in both. */
    sw->dialect = sw->speech == SDN_SPEAKS_USTC ? POF_USTC : POF_HUAWEI;
    say_plain(s, sw, OFP_HELLO);
    say_plain(s, sw, OFP_FEATURES_REQUEST);
    if (sw->speech != SDN_SPEAKS_POF)
        say_config(s, sw);
}

void pof_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    if (sw->pof)
        pool_put(&s->pof->switches, sw->pof);
    sw->pof = NULL;
}

/* ---- features ------------------------------------------------------------------------ */

/* pof.md: Huawei has 8:4 capabilities, 12:4 pad; USTC 8:2 table_num, 10:2 pad, 12:4 capabilities.
 * The known capabilities are in the low 16 bits. */
static enum ofp_dialect dialect_of(const struct ofp_msg *m)
{
    const uint8_t *p = m->p + OFP_HLEN;

    if (load_be32(p + 12) != 0 || (load_be16(p + 8) != 0 && load_be16(p + 10) == 0))
        return POF_USTC;
    return POF_HUAWEI;
}

static void on_features(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct pof_on *on = pof_on(sw);

    if (on->has_features)
        return;
    if (sw->speech == SDN_SPEAKS_POF && !on->asked_config)
        sw->dialect = dialect_of(m);
    if (ofp_parse_features(sw->dialect, m, &sw->features) != OFP_OK) {
        session_close(s, sw, "its FEATURES_REPLY is malformed");
        return;
    }
    on->has_features = true;
    sw->dpid = sw->features.dpid;
    session_known(s, sw);
    if (!on->asked_config)
        say_config(s, sw);
}

/* ---- up ------------------------------------------------------------------------------ */

static void up(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);

    session_up(s, sw);
    if (sw->phase != PHASE_UP)
        return;
    if (!send_plan(s, sw)) {
        event_note(s, EVENT_REFUSED, sw->dpid, 0, "it has too few tables for what is asked of it");
        on->stage = STAGE_RUN;
        return;
    }
    on->stage = STAGE_TABLES;
    send_more(s, sw);
}

static void is_up(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);

    if (sw->phase != PHASE_PORTS || on->stage != STAGE_SHAKE || !on->has_config)
        return;
    if ((on->has_resources && on->ports_heard >= sw->features.ports) ||
        s->now >= on->config_at + PORTS_US)
        up(s, sw);
}

/* What is there is counted by the switch; whether a port of ours is enabled is what we last asked
 * for, unless it is new. */
static void on_port(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct pof_on *on = pof_on(sw);
    enum ofp_port_reason reason;
    struct ofp_port desc;
    const struct sdn_port *p;

    if (ofp_parse_port_status(sw->dialect, m, &reason, &desc) != OFP_OK || !on->has_features) {
        s->stats.bad_messages++;
        return;
    }
    p = port_find(sw, desc.no);
    if (reason == OFPPR_MODIFY && p && p->desc.pof_enabled)
        desc.pof_enabled = true;
    session_port(s, sw, reason, &desc);
    on->ports_heard += reason == OFPPR_ADD;
    is_up(s, sw);
    if (on->stage >= STAGE_PORTS) {
        forward_look(s, sw);
        send_more(s, sw);
    }
}

static void on_error(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_error_msg e;
    char text[96];

    if (ofp_parse_error(sw->dialect, m, &e) != OFP_OK)
        return;
    s->stats.errors_in++;
    sw->errors++;
    sw->last_error = (uint32_t)e.type << 16 | e.code;
    if (is_pow2(sw->errors)) {
        fmt_print(text, sizeof(text), "error %u/%u, %llu of this connection: %.*s", e.type, e.code,
                  (unsigned long long)sw->errors, (int)min_u32(e.data_len, 32),
                  (const char *)e.data);
        event_note(s, EVENT_ERROR, sw->dpid, 0, text);
    }
    send_refused(s, sw, m->xid, &e);
}

static void on_packet_in(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct ofp_packet_in p;

    s->stats.packet_ins++;
    sw->packet_ins++;
    if (pof_on(sw)->stage < STAGE_ENTRIES || ofp_parse_packet_in(sw->dialect, m, &p) != OFP_OK) {
        s->stats.packet_ins_dropped++;
        return;
    }
    forward_packet(s, sw, &p);
    send_more(s, sw);
}

void pof_message(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, instant now)
{
    struct pof_on *on = pof_on(sw);

    if (!on || sw->phase == PHASE_CLOSING)
        return;
    if (m->kind == OFP_FEATURES_REPLY) {
        on_features(s, sw, m);
    } else if (m->kind == OFP_GET_CONFIG_REPLY) {
        on->has_config = true;
        on->config_at = now;
        is_up(s, sw);
    } else if (m->kind == POF_RESOURCE_REPORT) {
        on->has_resources = pof_parse_resources(sw->dialect, m, &on->resources) == OFP_OK;
        is_up(s, sw);
    } else if (m->kind == OFP_PORT_STATUS) {
        on_port(s, sw, m);
    } else if (m->kind == OFP_PACKET_IN) {
        on_packet_in(s, sw, m);
    } else if (m->kind == OFP_ERROR) {
        on_error(s, sw, m);
    } else if (m->kind == OFP_ECHO_REPLY) {
        send_answered(s, sw, m->xid);
    }
}

/* ---- time ---------------------------------------------------------------------------- */

#define LOOK_US (USEC_PER_SEC / 4)

void pof_advance(struct sdn *s, instant now)
{
    rules_advance(s);
    if (s->pof->switches.used == 0)
        return;
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        struct pof_on *on = pof_on(sw);

        if (!on || sw->phase == PHASE_CLOSING || now < on->look_at)
            continue;
        on->look_at = now + LOOK_US;
        if (!on->asked_config && now >= on->asked_at + FEATURES_US)
            say_config(s, sw);
        is_up(s, sw);
        if (on->stage >= STAGE_PORTS)
            forward_look(s, sw);
        send_advance(s, sw);
    }
}

instant pof_deadline(const struct sdn *s)
{
    instant t = INSTANT_NEVER;

    /* Asked every turn: without POF switches nobody is walked. */
    if (s->pof->switches.used == 0)
        return t;
    for (const struct sdn_switch *sw = s->first; sw; sw = sw->next)
        if (sw->pof && sw->phase != PHASE_CLOSING && pof_on(sw)->look_at < t)
            t = pof_on(sw)->look_at;
    return t;
}

void pof_topology_changed(struct sdn *s, struct sdn_switch *sw, instant now)
{
    struct pof_on *on = pof_on(sw);

    (void)now;
    if (!on || on->stage < STAGE_PORTS || on->tables == 0)
        return;
    forward_look(s, sw);
    forward_hosts(s, sw);
    send_more(s, sw);
}

void pof_carve(struct sdn *s)
{
    struct pof *p = mem_carve(&s->mem, sizeof(*p), CACHE_LINE);
    struct pof_rule *rules = mem_carve(&s->mem, POF_RULES_MAX * sizeof(*rules), CACHE_LINE);
    struct pof dry = {0};
    struct pof *at = p ? p : &dry;

    pool_init(&at->switches, &s->mem, min_u32(s->config.conns, POF_SWITCHES_MAX),
              sizeof(struct pof_on), CACHE_LINE);
    s->pof = p;
    if (!p)
        return;
    if (!s->config.pof) {
        pof_program_init(&p->program, rules, POF_RULES_MAX);
        return;
    }
    p->has_program = s->config.pof->tables > 0;
    p->program = *s->config.pof;
    p->program.rule = rules;
    p->program.rules_max = POF_RULES_MAX;
    p->program.rules = min_u32(p->program.rules, POF_RULES_MAX);
    memcpy(rules, s->config.pof->rule, p->program.rules * sizeof(*rules));
    p->next_rule = p->program.rules;
}
