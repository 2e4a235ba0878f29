/* The control side of the simulated POF switch. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/pof_switch.h"

enum { SECOND = 1000000 };
enum { HELLO_FAILED, BAD_REQUEST, FLOW_FAILED = 5, GROUP_FAILED, PORT_FAILED, TABLE_FAILED };
enum { METER_FAILED = 12, COUNTER_FAILED = 15 };

/* ---- what it says -------------------------------------------------------------------- */

static uint8_t *out_room(struct pof_switch *w, size_t n)
{
    if (w->out_n + n > w->out_room) {
        w->out_room = (w->out_n + n) * 2;
        w->out = realloc(w->out, w->out_room);
    }
    return w->out + w->out_n;
}

#define SAY(w, call)                                                                               \
    do {                                                                                           \
        uint8_t *at_ = out_room(w, 4096);                                                          \
        size_t n_ = call;                                                                          \
        MR_ASSERT(n_ > 0);                                                                         \
        (w)->out_n += n_;                                                                          \
    } while (0)

void pof_switch_error(struct pof_switch *w, uint32_t xid, uint16_t type, uint16_t code,
                      const char *text)
{
    w->errors++;
    w->error_type = type;
    w->error_code = code;
    if (w->state > POF_SWITCH_HELLO)
        SAY(w, pof_emit_error(w->dialect, at_, 4096, xid, type, code, w->dev, text));
}

void pof_switch_packet_in(struct pof_switch *w, const uint8_t *frame, size_t n, uint32_t in_port,
                          uint8_t reason, uint8_t table, uint64_t cookie)
{
    struct ofp_packet_in in = {
        .buffer_id = OFP_NO_BUFFER,
        .in_port = in_port,
        .total_len = (uint16_t)n,
        .reason = reason,
        .table = table,
        .cookie = cookie,
        .pof_dev = w->dev,
        .frame = frame,
        .frame_len = (uint32_t)n,
    };

    if (w->state != POF_SWITCH_RUN)
        return;
    w->packet_ins++;
    SAY(w, ofp_emit_packet_in(w->dialect, at_, 4096, w->xid++, &in));
}

static void say_features(struct pof_switch *w, uint32_t xid)
{
    struct ofp_features f = {
        .dpid = w->dev,
        .ports = w->ports,
        .tables = (uint8_t)(w->tables[0] + w->tables[1] + w->tables[2] + w->tables[3]),
        .capabilities = 0xf,
        .vendor = "simulated",
        .firmware = "FE",
        .lookup = "LK",
    };

    SAY(w, ofp_emit_features_reply(w->dialect, at_, 4096, xid, &f, NULL, 0));
}

static void say_resources(struct pof_switch *w, uint32_t xid)
{
    struct pof_resources r = {
        .counters = POF_SWITCH_COUNTERS, .meters = POF_SWITCH_METERS, .groups = POF_SWITCH_GROUPS};

    for (uint32_t i = 0; i < POF_TABLE_TYPES; i++)
        r.table[i] = (struct pof_resource){.dev = w->dev,
                                           .type = (uint8_t)i,
                                           .tables = w->tables[i],
                                           .key_bits = POF_KEY_BITS_MAX,
                                           .size = w->table_size};
    SAY(w, ofp_emit_config(w->dialect, at_, 4096, xid, OFP_GET_CONFIG_REPLY, &w->config));
    SAY(w, pof_emit_resources(w->dialect, at_, 4096, xid, &r));
    for (uint32_t i = 0; i < w->ports; i++)
        SAY(w, ofp_emit_port_status(w->dialect, at_, 4096, w->xid++, OFPPR_ADD, &w->port[i]));
}

void pof_switch_link(struct pof_switch *w, uint32_t port, bool up)
{
    struct ofp_port *p = &w->port[port - 1];

    p->state = up ? 4 : 1;
    p->link_down = !up;
    if (w->state == POF_SWITCH_RUN)
        SAY(w, ofp_emit_port_status(w->dialect, at_, 4096, w->xid++, OFPPR_MODIFY, p));
}

const uint8_t *pof_switch_output(const struct pof_switch *w, size_t *n)
{
    *n = w->out_n;
    return w->out;
}

void pof_switch_output_done(struct pof_switch *w, size_t n)
{
    memmove(w->out, w->out + n, w->out_n - n);
    w->out_n -= n;
}

/* ---- life ---------------------------------------------------------------------------- */

static void table_clear(struct pof_switch_table *t)
{
    for (uint32_t i = 0; t->there && i < t->t.size; i++)
        free(t->slot[i]);
    free(t->slot);
    *t = (struct pof_switch_table){0};
}

static void clear(struct pof_switch *w)
{
    for (uint32_t k = 0; k < POF_TABLE_TYPES; k++)
        for (uint32_t i = 0; i < POF_SWITCH_TABLES; i++)
            table_clear(&w->table[k][i]);
    memset(w->group_there, 0, sizeof(w->group_there));
    memset(w->meter_there, 0, sizeof(w->meter_there));
    memset(w->counter_there, 0, sizeof(w->counter_there));
    memset(w->counter, 0, sizeof(w->counter));
    for (uint32_t i = 0; i < w->ports; i++)
        w->port[i].pof_enabled = false;
}

void pof_switch_init(struct pof_switch *w, enum ofp_dialect d, uint32_t dev, uint32_t ports)
{
    MR_ASSERT(ports <= POF_SWITCH_PORTS);
    *w = (struct pof_switch){
        .dialect = d, .dev = dev, .table_size = 256, .tables = {8, 4, 4, 4}, .ports = ports};
    for (uint32_t i = 0; i < ports; i++) {
        struct ofp_port *p = &w->port[i];

        *p = (struct ofp_port){.no = i + 1, .pof_dev = dev, .state = 4, .supported = UINT32_MAX};
        p->mac = (struct mac_addr){
            {2, 0xaf, (uint8_t)(dev >> 16), (uint8_t)(dev >> 8), (uint8_t)dev, (uint8_t)(i + 1)}};
        snprintf(p->name, sizeof(p->name), "p%u", i + 1);
    }
}

void pof_switch_fini(struct pof_switch *w)
{
    clear(w);
    free(w->socket);
    free(w->out);
    w->socket = w->out = NULL;
}

static void down(struct pof_switch *w)
{
    w->state = POF_SWITCH_DOWN;
    w->connect_at = w->now + 2 * SECOND;
    w->socket_n = w->out_n = 0;
    clear(w);
}

static void close_socket(struct pof_switch *w, const char *why)
{
    w->why = why;
    w->closed++;
    down(w);
}

void pof_switch_disconnected(struct pof_switch *w, instant now)
{
    w->now = now;
    if (w->state != POF_SWITCH_DOWN)
        down(w);
}

void pof_switch_connected(struct pof_switch *w, instant now)
{
    MR_ASSERT(w->state == POF_SWITCH_DOWN);
    w->now = now;
    w->state = POF_SWITCH_HELLO;
    w->why = NULL;
    w->received = w->handled = w->have = 0;
    w->inside = false;
    w->out_n = w->socket_n = 0;
    w->xid = 0;
    SAY(w, ofp_emit(w->dialect, at_, 4096, OFP_HELLO, w->xid++, NULL, 0));
}

/* ---- tables -------------------------------------------------------------------------- */

uint32_t pof_switch_global(const struct pof_switch *w, uint32_t type, uint32_t id)
{
    for (uint32_t i = 0; i < type; i++)
        id += w->tables[i];
    return id;
}

uint32_t pof_switch_entries(const struct pof_switch *w)
{
    uint32_t n = 0;

    for (uint32_t k = 0; k < POF_TABLE_TYPES; k++)
        for (uint32_t i = 0; i < POF_SWITCH_TABLES; i++)
            n += w->table[k][i].used;
    return n;
}

static void table_mod(struct pof_switch *w, const struct ofp_msg *m)
{
    struct pof_table t;
    struct pof_switch_table *at;

    w->table_mods++;
    if (pof_parse_table_mod(w->dialect, m, &t) != OFP_OK || t.fields > POF_FIELDS_MAX) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 0, "POFTMFC_UNKNOWN");
        return;
    }
    if (t.type >= POF_TABLE_TYPES) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 2, "POFTMFC_BAD_TABLE_TYPE");
        return;
    }
    if (t.id >= w->tables[t.type]) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 3, "POFTMFC_BAD_TABLE_ID");
        return;
    }
    at = &w->table[t.type][t.id];
    if (t.command == POF_TABLE_DELETE) {
        if (!at->there)
            pof_switch_error(w, m->xid, TABLE_FAILED, 5, "POFTMFC_TABLE_UNEXIST");
        else if (at->used > 0)
            pof_switch_error(w, m->xid, TABLE_FAILED, 8, "POFTMFC_TABLE_UNEMPTY");
        else
            table_clear(at);
    } else if (t.command != POF_TABLE_ADD) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 1, "POFTMFC_BAD_COMMAND");
    } else if (at->there) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 4, "POFTMFC_TABLE_EXIST");
    } else if (t.size > w->table_size) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 6, "POFTMFC_BAD_TABLE_SIZE");
    } else if (t.key_bits > POF_KEY_BITS_MAX) {
        pof_switch_error(w, m->xid, TABLE_FAILED, 7, "POFTMFC_BAD_KEY_LEN");
    } else {
        *at = (struct pof_switch_table){
            .there = true, .t = t, .slot = calloc(t.size, sizeof(struct pof_entry *))};
    }
}

/* ---- entries ------------------------------------------------------------------------- */

/* As the switches compare: values under their masks, not the masks. */
static bool is_same(const struct pof_entry *a, const struct pof_entry *b)
{
    if (a->fields != b->fields || a->priority != b->priority)
        return false;
    for (uint32_t i = 0; i < a->fields; i++) {
        const struct pof_matchx *x = &a->match[i], *y = &b->match[i];

        if (memcmp(&x->at, &y->at, sizeof(x->at)) != 0)
            return false;
        for (uint32_t k = 0; k < POF_VALUE_BYTES; k++)
            if ((x->value[k] & x->mask[k]) != (y->value[k] & y->mask[k]))
                return false;
    }
    return true;
}

static bool is_elsewhere(const struct pof_switch_table *t, const struct pof_entry *e)
{
    for (uint32_t i = 0; i < t->t.size; i++)
        if (i != e->index && t->slot[i] && is_same(t->slot[i], e))
            return true;
    return false;
}

static void counter_begin(struct pof_switch *w, uint32_t id)
{
    if (id != 0 && !w->counter_there[id]) {
        w->counter_there[id] = true;
        w->counter[id] = 0;
    }
}

static void entry_put(struct pof_switch *w, uint32_t xid, struct pof_switch_table *t,
                      const struct pof_entry *e)
{
    struct pof_entry **slot = &t->slot[e->index];

    if (e->command == POF_ENTRY_DELETE) {
        if (!*slot) {
            pof_switch_error(w, xid, FLOW_FAILED, 9, "POFFMFC_ENTRY_UNEXIST");
            return;
        }
        free(*slot);
        *slot = NULL;
        t->used--;
        return;
    }
    if (e->command == POF_ENTRY_ADD && *slot) {
        pof_switch_error(w, xid, FLOW_FAILED, 8, "POFFMFC_ENTRY_EXIST");
    } else if (e->command == POF_ENTRY_MODIFY && !*slot) {
        pof_switch_error(w, xid, FLOW_FAILED, 9, "POFFMFC_ENTRY_UNEXIST");
    } else if (is_elsewhere(t, e)) {
        pof_switch_error(w, xid, FLOW_FAILED, 8, "POFFMFC_ENTRY_EXIST");
    } else if (e->counter >= POF_SWITCH_COUNTERS) {
        pof_switch_error(w, xid, COUNTER_FAILED, 1, "POFCMFC_BAD_COUNTER_ID");
    } else {
        if (!*slot) {
            *slot = malloc(sizeof(**slot));
            t->used++;
        }
        **slot = *e;
        counter_begin(w, e->counter);
    }
}

static void entry_mod(struct pof_switch *w, const struct ofp_msg *m)
{
    static struct pof_entry e;
    enum ofp_err err = pof_parse_entry(w->dialect, m, &e);

    w->entry_mods++;
    if (err != OFP_OK) {
        pof_switch_error(w, m->xid, FLOW_FAILED, 0, ofp_err_name(err));
    } else if (e.command != POF_ENTRY_ADD && e.command != POF_ENTRY_MODIFY &&
               e.command != POF_ENTRY_DELETE) {
        pof_switch_error(w, m->xid, FLOW_FAILED, 6, "POFFMFC_BAD_COMMAND");
    } else if (e.type >= POF_TABLE_TYPES) {
        pof_switch_error(w, m->xid, FLOW_FAILED, 10, "POFFMFC_BAD_TABLE_TYPE");
    } else if (e.table >= w->tables[e.type] || !w->table[e.type][e.table].there) {
        pof_switch_error(w, m->xid, FLOW_FAILED, 2, "POFFMFC_BAD_TABLE_ID");
    } else if (e.index >= w->table[e.type][e.table].t.size) {
        pof_switch_error(w, m->xid, FLOW_FAILED, 11, "POFFMFC_BAD_ENTRY_ID");
    } else {
        entry_put(w, m->xid, &w->table[e.type][e.table], &e);
    }
}

/* ---- groups, meters, counters, ports ------------------------------------------------- */

static void group_mod(struct pof_switch *w, const struct ofp_msg *m)
{
    struct pof_group g;
    bool bad = pof_parse_group(w->dialect, m, &g) != OFP_OK || g.id >= POF_SWITCH_GROUPS;

    if (bad)
        pof_switch_error(w, m->xid, GROUP_FAILED, 1, "POFGMFC_INVALID_GROUP");
    else if (g.command > 2)
        pof_switch_error(w, m->xid, GROUP_FAILED, 11, "POFGMFC_BAD_COMMAND");
    else if (g.command == 0 && w->group_there[g.id])
        pof_switch_error(w, m->xid, GROUP_FAILED, 0, "POFGMFC_GROUP_EXISTS");
    else if (g.command != 0 && !w->group_there[g.id])
        pof_switch_error(w, m->xid, GROUP_FAILED, 8, "POFGMFC_UNKNOWN_GROUP");
    else {
        w->group_there[g.id] = g.command != 2;
        w->group[g.id] = g;
    }
}

static void meter_mod(struct pof_switch *w, const struct ofp_msg *m)
{
    struct pof_meter t;
    bool bad = pof_parse_meter(w->dialect, m, &t) != OFP_OK || t.id >= POF_SWITCH_METERS;

    if (bad)
        pof_switch_error(w, m->xid, METER_FAILED, 2, "POFMMFC_INVALID_METER");
    else if (t.command > 2)
        pof_switch_error(w, m->xid, METER_FAILED, 4, "POFMMFC_BAD_COMMAND");
    else if (t.command == 0 && w->meter_there[t.id])
        pof_switch_error(w, m->xid, METER_FAILED, 1, "POFMMFC_METER_EXISTS");
    else if (t.command != 0 && !w->meter_there[t.id])
        pof_switch_error(w, m->xid, METER_FAILED, 3, "POFMMFC_UNKNOWN_METER");
    else {
        w->meter_there[t.id] = t.command != 2;
        w->meter[t.id] = t;
    }
}

static void counter_mod(struct pof_switch *w, const struct ofp_msg *m)
{
    struct pof_counter c;
    bool bad =
        pof_parse_counter(w->dialect, m, &c) != OFP_OK || c.id == 0 || c.id >= POF_SWITCH_COUNTERS;

    if (bad) {
        pof_switch_error(w, m->xid, COUNTER_FAILED, 1, "POFCMFC_BAD_COUNTER_ID");
    } else if (m->kind == POF_COUNTER_MOD && c.command == POF_COUNTER_ADD) {
        counter_begin(w, c.id);
    } else if (!w->counter_there[c.id]) {
        pof_switch_error(w, m->xid, COUNTER_FAILED, 3, "POFCMFC_COUNTER_UNEXIST");
    } else if (m->kind == POF_COUNTER_REQUEST) {
        c = (struct pof_counter){.command = 3, .id = c.id, .value = w->counter[c.id]};
        SAY(w, pof_emit_counter(w->dialect, at_, 4096, m->xid, POF_COUNTER_REPLY, &c));
    } else if (c.command == POF_COUNTER_DELETE || c.command == POF_COUNTER_CLEAR) {
        w->counter[c.id] = 0;
        w->counter_there[c.id] = c.command == POF_COUNTER_CLEAR;
    } else {
        pof_switch_error(w, m->xid, COUNTER_FAILED, 2, "POFCMFC_BAD_COMMAND");
    }
}

static void port_mod(struct pof_switch *w, const struct ofp_msg *m)
{
    struct ofp_port p;

    w->port_mods++;
    pof_parse_port_mod(w->dialect, m, &p);
    if (p.no == 0 || p.no > w->ports)
        pof_switch_error(w, m->xid, PORT_FAILED, 1, "POFPMFC_BAD_PORT_ID");
    else
        w->port[p.no - 1].pof_enabled = p.pof_enabled;
}

/* ---- messages ------------------------------------------------------------------------ */

static void running(struct pof_switch *w, const struct ofp_msg *m)
{
    struct pof_packet_out o;

    switch (m->kind) {
    case OFP_ECHO_REPLY:
        break;
    case OFP_ECHO_REQUEST:
        if (!w->drops_control)
            SAY(w, ofp_emit(w->dialect, at_, 4096, OFP_ECHO_REPLY, m->xid, NULL, 0));
        break;
    case OFP_FEATURES_REQUEST:
        say_features(w, m->xid);
        break;
    case OFP_SET_CONFIG:
        ofp_parse_config(w->dialect, m, &w->config);
        break;
    case OFP_GET_CONFIG_REQUEST:
        say_resources(w, m->xid);
        break;
    case OFP_PORT_MOD:
        port_mod(w, m);
        break;
    case OFP_TABLE_MOD:
        table_mod(w, m);
        break;
    case OFP_FLOW_MOD:
        entry_mod(w, m);
        break;
    case OFP_GROUP_MOD:
        group_mod(w, m);
        break;
    case OFP_METER_MOD:
        meter_mod(w, m);
        break;
    case POF_COUNTER_MOD:
    case POF_COUNTER_REQUEST:
        counter_mod(w, m);
        break;
    case OFP_PACKET_OUT:
        w->packet_outs++;
        if (pof_parse_out(w->dialect, m, &o) == OFP_OK)
            pof_switch_apply(w, &o);
        else
            pof_switch_error(w, m->xid, BAD_REQUEST, 12, "POFBRC_BAD_PACKET");
        break;
    default:
        pof_switch_error(w, m->xid, BAD_REQUEST, 1, "POFBRC_BAD_TYPE");
        break;
    }
}

/* One step of the handshake, or anything later.  False: the connection is closed. */
static bool message(struct pof_switch *w, const struct ofp_msg *m)
{
    static const enum ofp_kind wanted[] = {
        [POF_SWITCH_HELLO] = OFP_HELLO,
        [POF_SWITCH_FEATURES] = OFP_FEATURES_REQUEST,
        [POF_SWITCH_CONFIG] = OFP_SET_CONFIG,
        [POF_SWITCH_GET_CONFIG] = OFP_GET_CONFIG_REQUEST,
    };

    w->messages++;
    if (w->state == POF_SWITCH_RUN) {
        running(w, m);
        return true;
    }
    if (m->kind != wanted[w->state]) {
        close_socket(w, "out of order in the handshake");
        return false;
    }
    if (w->state == POF_SWITCH_HELLO)
        clear(w);
    else
        running(w, m);
    w->state++;
    if (w->state == POF_SWITCH_SLEEP)
        w->wake_at = w->now + SECOND;
    return true;
}

/* ---- the way it receives ------------------------------------------------------------- */

static uint32_t claimed(const struct pof_switch *w)
{
    return load_be16(w->buffer + w->handled + 2);
}

static size_t take(struct pof_switch *w)
{
    size_t n = POF_SWITCH_BUFFER - w->received;

    if (n > w->socket_n)
        n = w->socket_n;
    memcpy(w->buffer + w->received, w->socket, n);
    memmove(w->socket, w->socket + n, w->socket_n - n);
    w->socket_n -= n;
    w->received += (uint32_t)n;
    w->have += (uint32_t)n;
    return n;
}

/* A whole message at `handled`; false: closed. */
static bool handle(struct pof_switch *w)
{
    struct ofp_msg m;
    uint32_t need, len = claimed(w);
    enum ofp_err e;

    if (len < OFP_HLEN || w->handled + len > POF_SWITCH_BUFFER) {
        close_socket(w, "lost in the stream");
        return false;
    }
    e = ofp_frame(w->dialect, OFP_FROM_CONTROLLER, w->buffer + w->handled, len, &m, &need);
    w->handled += len;
    if (e == OFP_OK) {
        if (!message(w, &m))
            return false;
    } else if (w->state != POF_SWITCH_RUN) {
        close_socket(w, "not a message of the handshake");
        return false;
    } else {
        pof_switch_error(w, m.xid, BAD_REQUEST, e == OFP_BAD_LEN ? 6 : 1, ofp_err_name(e));
    }
    if (w->handled == w->received)
        w->handled = w->received = 0;
    return true;
}

/* One step; false: nothing more to do until bytes or time come.  `inside`: it is in the loop that
 * reads until a message is whole, where nothing is moved to the front any more. */
static bool step(struct pof_switch *w)
{
    if (w->state == POF_SWITCH_DOWN || w->state == POF_SWITCH_SLEEP)
        return false;
    if (!w->inside) {
        w->have = w->received - w->handled;
        if (w->have >= OFP_HLEN && w->have >= claimed(w))
            return handle(w);
        if (w->received == POF_SWITCH_BUFFER && w->state == POF_SWITCH_RUN) {
            memmove(w->buffer, w->buffer + w->handled, w->have);
            w->received = w->have;
            w->handled = 0;
        }
        w->inside = true;
    }
    if (w->received == POF_SWITCH_BUFFER) {
        close_socket(w, "a message reached the end of the receive buffer");
        return false;
    }
    if (w->socket_n == 0)
        return false;
    take(w);
    if (w->have < 4) {
        close_socket(w, "a header was cut in front of its length");
        return false;
    }
    if (w->have < claimed(w))
        return true;
    w->inside = false;
    return handle(w);
}

void pof_switch_input(struct pof_switch *w, const uint8_t *p, size_t n, instant now)
{
    w->now = now;
    if (w->state == POF_SWITCH_DOWN)
        return;
    if (w->socket_n + n > w->socket_room) {
        w->socket_room = (w->socket_n + n) * 2;
        w->socket = realloc(w->socket, w->socket_room);
    }
    memcpy(w->socket + w->socket_n, p, n);
    w->socket_n += n;
    while (step(w))
        ;
}

void pof_switch_advance(struct pof_switch *w, instant now)
{
    w->now = now;
    if (w->state == POF_SWITCH_SLEEP && now >= w->wake_at) {
        w->state = POF_SWITCH_RUN;
        w->handshakes++;
        w->echo_at = now;
        while (step(w))
            ;
    }
    if (w->state == POF_SWITCH_RUN && now >= w->echo_at) {
        w->echo_at = now + 2 * SECOND;
        SAY(w, ofp_emit(w->dialect, at_, 4096, OFP_ECHO_REQUEST, w->xid++, NULL, 0));
    }
}

instant pof_switch_deadline(const struct pof_switch *w)
{
    return w->state == POF_SWITCH_DOWN    ? w->connect_at
           : w->state == POF_SWITCH_SLEEP ? w->wake_at
           : w->state == POF_SWITCH_RUN   ? w->echo_at
                                          : INSTANT_NEVER;
}
