/* Stored commands on their way to this core's switches. */
#include "sdn/ask.h"
#include "sdn/store.h"

/* The argument of XID_STORE: whose it is, and its number. */
#define ARG_OP (UINT64_C(1) << 62)   /* a command's; the seat waits */
#define ARG_KEPT (UINT64_C(2) << 62) /* one of those installed on connection */
#define ARG_BARRIER                                                                                \
    (UINT64_C(3) << 62) /* the barrier behind them; the number of the command or 0 */
#define ARG_KIND (UINT64_C(3) << 62)
#define SLOT_SHIFT 56u
#define SEQ_MASK ((UINT64_C(1) << SLOT_SHIFT) - 1)

/* sw->store_next: where sending the kept ones goes on. */
#define SEND_DONE UINT64_MAX
#define SEND_FLOWS (UINT64_C(1) << 63)

static bool parts_of(const uint8_t *b, size_t n, struct ofp_msg *m)
{
    uint32_t need;

    return ofp_frame(OFP_13, OFP_FROM_CONTROLLER, b, n, m, &need) == OFP_OK;
}

static size_t flow_bytes(const struct sdn_switch *sw, const struct ofp_msg *m, uint8_t *b,
                         uint32_t xid, bool drop)
{
    struct ofp_flow f;

    if (ofp_parse_flow_mod(OFP_13, m, &f) != OFP_OK)
        return 0;
    if (drop)
        f.command = OFPFC_DELETE_STRICT;
    return ofp_emit_flow_mod(sw->dialect, b, STORED_BYTES * 2, xid, &f);
}

static size_t group_bytes(const struct sdn_switch *sw, const struct ofp_msg *m, uint8_t *b,
                          uint32_t xid)
{
    struct ofp_group g;

    return ofp_parse_group_mod(OFP_13, m, &g) == OFP_OK
               ? ofp_emit_group_mod(sw->dialect, b, STORED_BYTES * 2, xid, &g)
               : 0;
}

static size_t meter_bytes(const struct sdn_switch *sw, const struct ofp_msg *m, uint8_t *b,
                          uint32_t xid)
{
    struct ofp_meter me;

    return ofp_parse_meter_mod(OFP_13, m, &me) == OFP_OK
               ? ofp_emit_meter_mod(sw->dialect, b, STORED_BYTES * 2, xid, &me)
               : 0;
}

/* Says it in the switch's dialect.  0; 501: that cannot say it; 503: no room now. */
static unsigned say_stored(struct sdn *s, struct sdn_switch *sw, uint8_t kind, const uint8_t *p,
                           size_t n, bool drop, uint64_t arg)
{
    struct ofp_msg m;
    uint8_t *b;
    uint32_t xid;
    size_t len = 0;

    if (!parts_of(p, n, &m) || ofp_is_pof(sw->dialect))
        return 501;
    b = say_begin(s, sw, STORED_BYTES * 2, true);
    if (!b)
        return 503;
    xid = xid_next(sw);
    switch ((enum stored_kind)kind) {
    case STORED_FLOW:
        len = flow_bytes(sw, &m, b, xid, drop);
        break;
    case STORED_GROUP:
        len = group_bytes(sw, &m, b, xid);
        break;
    case STORED_METER:
        len = meter_bytes(sw, &m, b, xid);
        break;
    case STORED_KINDS:
        break;
    }
    say_end(s, sw, len, true);
    if (len == 0)
        return 501;
    if (kind == STORED_FLOW) {
        sw->flow_mods++;
        s->stats.flow_mods++;
    }
    xid_note(s, sw, xid, XID_STORE, arg);
    return 0;
}

static bool say_barrier(struct sdn *s, struct sdn_switch *sw, uint64_t arg)
{
    uint8_t *b = say_begin(s, sw, OFP_HLEN, true);
    uint32_t xid = xid_next(sw);
    size_t n = b ? ofp_emit(sw->dialect, b, OFP_HLEN, OFP_BARRIER_REQUEST, xid, NULL, 0) : 0;

    say_end(s, sw, n, true);
    if (n == 0)
        return false;
    xid_note(s, sw, xid, XID_STORE, arg);
    return true;
}

/* ---- to the seat ---- */

static void note_out(struct sdn *s, const struct store_note *n, bool *written)
{
    *written = letter_write(s, 0, LETTER_STORE, n, NOTE_HEAD + n->n);
}

void store_tell(struct sdn *s, const struct store_note *n)
{
    bool written;

    if (sdn_is_seat(s)) {
        uint8_t copy[NOTE_HEAD];
        memcpy(copy, n, NOTE_HEAD);
        store_letter(s, 0, copy, NOTE_HEAD, s->now);
        return;
    }
    note_out(s, n, &written);
    if (!written && s->store->wait_n < STORE_RESULTS)
        s->store->wait[s->store->wait_n++] = *n;
}

static void tell_result(struct sdn *s, uint64_t arg, uint64_t dpid, unsigned status,
                        const struct ofp_error_msg *e, enum ofp_dialect d)
{
    struct store_note n = {.what = STORE_RESULT,
                           .slot = (uint8_t)(arg >> SLOT_SHIFT & (STORE_OPS - 1)),
                           .seq = arg & SEQ_MASK,
                           .dpid = dpid,
                           .state = (uint8_t)d,
                           .status = (uint16_t)status};

    if (e) {
        n.err_type = e->type;
        n.err_code = e->code;
    }
    store_tell(s, &n);
}

static void tell_state(struct sdn *s, uint64_t dpid, uint64_t seq, enum stored_state state,
                       const struct ofp_error_msg *e)
{
    struct store_note n = {.what = STORE_STATE, .seq = seq, .dpid = dpid, .state = (uint8_t)state};

    if (e) {
        n.err_type = e->type;
        n.err_code = e->code;
    }
    store_tell(s, &n);
}

/* ---- what is kept, on a connection ---- */

static bool belongs(const struct stored *e, bool flows)
{
    return (e->kind == STORED_FLOW) == flows;
}

/* Sends one; false: no room now. */
static bool send_one(struct sdn *s, struct sdn_switch *sw, struct stored *e)
{
    bool drop = e->state == STATE_DOOMED;
    unsigned status;

    if (e->state == STATE_INSTALLED)
        return true;
    status = say_stored(s, sw, e->kind, e->bytes, e->n, drop, ARG_KEPT | e->seq);
    if (status == 503)
        return false;
    if (status == 501 && !drop)
        e->state = STATE_REFUSED;
    if (drop)
        stored_remove(s, e);
    return true;
}

/* All that is left of the kept ones; true: the barrier is out as well. */
static bool send_kept(struct sdn *s, struct sdn_switch *sw)
{
    for (;;) {
        bool flows = (sw->store_next & SEND_FLOWS) != 0;
        uint64_t from = sw->store_next & ~SEND_FLOWS;
        struct stored *e = stored_first(s->store, sw->dpid), *next;
        for (; e; e = next) {
            next = stored_next(e);
            if (e->seq < from || !belongs(e, flows))
                continue;
            uint64_t seq = e->seq;
            if (!send_one(s, sw, e))
                return false;
            sw->store_next = (sw->store_next & SEND_FLOWS) | (seq + 1);
        }
        if (flows)
            break;
        sw->store_next = SEND_FLOWS;
    }
    if (!say_barrier(s, sw, ARG_BARRIER | sw->store_op))
        return false;
    sw->store_next = SEND_DONE;
    return true;
}

static void send_begin(struct sdn *s, struct sdn_switch *sw, uint64_t op)
{
    bool idle = sw->store_next == SEND_DONE || sw->store_next == 0;

    sw->store_next = 0;
    sw->store_op = op;
    s->store->sending += idle ? 1 : 0;
    if (send_kept(s, sw))
        s->store->sending--;
    else if (sw->store_next == 0)
        sw->store_next = 1; /* 0 would say that nothing is under way */
}

void store_switch_up(struct sdn *s, struct sdn_switch *sw, instant now)
{
    (void)now;
    ask_known(s, sw->dpid, true);
    sw->store_next = SEND_DONE;
    if (!ofp_is_pof(sw->dialect) && stored_first(s->store, sw->dpid)) {
        for (struct stored *e = stored_first(s->store, sw->dpid); e; e = stored_next(e))
            e->state = e->state == STATE_DOOMED ? STATE_DOOMED : STATE_WAITING;
        send_begin(s, sw, 0);
    }
}

void store_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    /* One that never was up has said nothing of the datapath that it claimed to be. */
    if (sw->store_next == 0)
        return;
    if (sw->store_next != SEND_DONE)
        s->store->sending--;
    ask_known(s, sw->dpid, false);
    sw->store_next = 0;
    if (!stored_first(s->store, sw->dpid))
        return;
    for (struct stored *e = stored_first(s->store, sw->dpid), *next; e; e = next) {
        next = stored_next(e);
        /* A switch that comes back has none of them. */
        if (e->state == STATE_DOOMED)
            stored_remove(s, e);
        else
            e->state = STATE_WAITING;
    }
    tell_state(s, sw->dpid, 0, STATE_WAITING, NULL);
}

void store_send_advance(struct sdn *s)
{
    struct store *st = s->store;

    while (st->wait_n > 0) {
        bool written;
        note_out(s, &st->wait[0], &written);
        if (!written)
            break;
        st->wait_n--;
        memmove(&st->wait[0], &st->wait[1], st->wait_n * sizeof(st->wait[0]));
    }
    for (struct sdn_switch *sw = s->first; st->sending > 0 && sw; sw = sw->next)
        if (sw->store_next != SEND_DONE && sw->store_next != 0 && sw->phase == PHASE_UP &&
            send_kept(s, sw))
            st->sending--;
}

/* ---- a command ---- */

/* A command of its own: said, and a barrier behind it. */
static unsigned send_command(struct sdn *s, struct sdn_switch *sw, const struct store_note *c,
                             uint64_t arg)
{
    unsigned status = say_stored(s, sw, c->kind, c->bytes, c->n, false, arg);

    if (status == 0 && !say_barrier(s, sw, arg))
        status = 503;
    return status;
}

void store_send(struct sdn *s, const struct store_note *c)
{
    struct sdn_switch *sw = sdn_switch_find(s, c->dpid);
    uint64_t arg = (uint64_t)c->slot << SLOT_SHIFT | c->seq;
    unsigned status = 0;

    if (!store_apply(s, c, sw != NULL)) {
        tell_result(s, arg, c->dpid, 507, NULL, OFP_NONE);
        return;
    }
    if (!sw)
        status = 404;
    else if (ofp_is_pof(sw->dialect))
        status = 501;
    else if (c->command == STORE_CLEAR)
        send_begin(s, sw, arg);
    else
        status = send_command(s, sw, c, ARG_OP | arg);
    if (status != 0)
        tell_result(s, arg, c->dpid, status, NULL, OFP_NONE);
}

void store_confirmed(struct sdn *s, struct sdn_switch *sw, uint64_t arg, instant now)
{
    uint64_t seq = arg & SEQ_MASK;
    struct stored *e;

    (void)now;
    if ((arg & ARG_KIND) == ARG_BARRIER) {
        for (e = stored_first(s->store, sw->dpid); e; e = stored_next(e))
            e->state = e->state == STATE_WAITING ? STATE_INSTALLED : e->state;
        tell_state(s, sw->dpid, 0, STATE_INSTALLED, NULL);
        if (seq != 0)
            tell_result(s, arg, sw->dpid, 200, NULL, sw->dialect);
        return;
    }
    e = stored_find(s->store, sw->dpid, seq);
    if (e && e->state == STATE_WAITING)
        e->state = STATE_INSTALLED;
    if ((arg & ARG_KIND) == ARG_OP)
        tell_result(s, arg, sw->dpid, 200, NULL, sw->dialect);
}

void store_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg,
                   const struct ofp_error_msg *e, instant now)
{
    struct stored *it = stored_find(s->store, sw->dpid, arg & SEQ_MASK);
    char text[64];
    struct fmt f;

    (void)now;
    fmt_init(&f, text, sizeof(text));
    ofp_error_print(&f, sw->dialect, e->type, e->code);
    event_note(s, EVENT_REFUSED, sw->dpid, 0, text);
    if (it) {
        it->state = STATE_REFUSED;
        it->err_type = e->type;
        it->err_code = e->code;
    }
    if ((arg & ARG_KIND) == ARG_OP)
        tell_result(s, arg, sw->dpid, 502, e, sw->dialect);
    else if ((arg & ARG_KIND) == ARG_KEPT)
        tell_state(s, sw->dpid, arg & SEQ_MASK, STATE_REFUSED, e);
}

void store_advance(struct sdn *s, instant now)
{
    (void)now;
    store_send_advance(s);
    if (sdn_is_seat(s))
        store_op_advance(s);
}
