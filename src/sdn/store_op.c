/* The seat's side of stored commands: numbers, letters to every core, answers. */
#include "sdn/ask.h"
#include "sdn/store.h"

#define OP_US (5 * USEC_PER_SEC)
#define AGAIN_US 2000u

static struct store_op *op_at(const struct store *st, uint32_t i)
{
    return &st->op[(st->op_first + i) % STORE_OPS];
}

/* ---- from a question to bytes ---- */

/* Matches in one order and without what masks hide, so that equal ones have equal bytes. */
static void match_order(struct ofp_match *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        for (unsigned k = 0; m->f[i].masked && k < OFP_VALUE_MAX; k++)
            m->f[i].value[k] &= m->f[i].mask[k];
        for (uint32_t k = i; k > 0 && m->f[k - 1].field > m->f[k].field; k--) {
            struct ofp_tlv t = m->f[k];
            m->f[k] = m->f[k - 1];
            m->f[k - 1] = t;
        }
    }
}

static size_t flow_note(const struct sdn_ask *q, struct store_note *n)
{
    static const enum store_command commands[] = {
        [OFPFC_ADD] = STORE_PUT,
        [OFPFC_MODIFY] = STORE_MODIFY,
        [OFPFC_MODIFY_STRICT] = STORE_MODIFY_STRICT,
        [OFPFC_DELETE] = STORE_DELETE,
        [OFPFC_DELETE_STRICT] = STORE_DELETE_STRICT,
    };
    struct ofp_flow f = *q->flow;

    match_order(&f.match);
    n->kind = STORED_FLOW;
    n->command = (uint8_t)commands[f.command];
    /* What ends by itself is not brought back. */
    n->keep = f.command == OFPFC_ADD && f.idle_timeout == 0 && f.hard_timeout == 0;
    return ofp_emit_flow_mod(OFP_13, n->bytes, STORED_BYTES, 0, &f);
}

static uint8_t mod_command(enum ofp_mod_command c)
{
    return c == OFPMC_ADD ? STORE_PUT : c == OFPMC_MODIFY ? STORE_MODIFY : STORE_DELETE;
}

/* False: it is too long. */
static bool note_make(const struct sdn_ask *q, struct store_note *n)
{
    size_t len;

    if (q->kind == SDN_DO_FLOWS_CLEAR) {
        n->kind = STORED_FLOW;
        n->command = STORE_CLEAR;
        return true;
    }
    if (q->kind == SDN_DO_FLOW) {
        len = flow_note(q, n);
    } else if (q->kind == SDN_DO_GROUP) {
        n->kind = STORED_GROUP;
        n->keep = q->group->command != OFPMC_DELETE;
        n->command = mod_command(q->group->command);
        len = ofp_emit_group_mod(OFP_13, n->bytes, STORED_BYTES, 0, q->group);
    } else {
        n->kind = STORED_METER;
        n->keep = q->meter->command != OFPMC_DELETE;
        n->command = mod_command(q->meter->command);
        len = ofp_emit_meter_mod(OFP_13, n->bytes, STORED_BYTES, 0, q->meter);
    }
    n->n = (uint16_t)len;
    return len != 0;
}

/* ---- under way ---- */

static uint64_t all_cores(const struct sdn *s)
{
    return s->config.cores == 64 ? UINT64_MAX : (UINT64_C(1) << s->config.cores) - 1;
}

/* What no core has been told yet, core by core in the order of numbers. */
static void ops_send(struct sdn *s)
{
    struct store *st = s->store;

    for (unsigned core = 1; core < s->config.cores; core++) {
        uint64_t bit = UINT64_C(1) << core;
        for (uint32_t i = 0; i < st->op_n; i++) {
            struct store_op *op = op_at(st, i);
            if (op->sent & bit)
                continue;
            if (!letter_write(s, core, LETTER_STORE, &op->note, NOTE_HEAD + op->note.n))
                break;
            op->sent |= bit;
        }
    }
}

static void ops_free(struct sdn *s)
{
    struct store *st = s->store;

    while (st->op_n > 0) {
        const struct store_op *op = op_at(st, 0);
        if (op->q || op->sent != all_cores(s))
            return;
        st->op_first = (st->op_first + 1) % STORE_OPS;
        st->op_n--;
    }
}

/* The command was refused: what was kept of it goes again, everywhere. */
static void op_drop(struct sdn *s, struct store_op *op)
{
    struct stored *e = stored_find(s->store, op->note.dpid, op->note.seq);

    if (op->note.command == STORE_CLEAR || !op->note.keep)
        return;
    if (e)
        stored_remove(s, e);
    op->note.what = STORE_DROP;
    op->note.n = 0;
    op->sent = 1;
}

static void op_answer(struct sdn *s, struct store_op *op, unsigned status)
{
    struct sdn_ask *q = op->q;
    char text[160], name[96];
    struct fmt f;

    op->q = NULL;
    if (status == 502) {
        fmt_init(&f, name, sizeof(name));
        ofp_error_print(&f, (enum ofp_dialect)op->dialect, op->err_type, op->err_code);
        fmt_print(text, sizeof(text), "the switch refused: %s", name);
        ask_refused(s, q, 502, text);
    } else if (status == 507) {
        ask_refused(s, q, 503, "the limit of what is kept is reached");
    } else if (status == 501) {
        ask_refused(s, q, 501, "the switch's protocol cannot say that");
    } else if (status == 503) {
        ask_refused(s, q, 503, "too much is waiting for this switch already");
    } else if (status == 504) {
        ask_refused(s, q, 504, "the switch has not confirmed in time");
    } else if (status == 404) {
        ask_refused(s, q, 404, "the switch is not connected, and nothing of this is kept");
    } else {
        fmt_print(text, sizeof(text), "{\"status\":\"%s\",\"kept\":%s}",
                  status == 202 ? "waits for the switch" : "confirmed",
                  op->note.keep ? "true" : "false");
        ask_text(s, q, status, text);
    }
}

/* All cores have said what they have to. */
static void op_settle(struct sdn *s, struct store_op *op)
{
    struct stored *e = stored_find(s->store, op->note.dpid, op->note.seq);
    unsigned status = op->status;

    if (e && status == 200)
        e->state = STATE_INSTALLED;
    if (status == 0)
        status = op->note.keep || op->note.command != STORE_PUT ? 202 : 404;
    op_answer(s, op, status);
    if (status >= 500)
        op_drop(s, op);
}

void store_op_told(struct sdn *s, unsigned from, const struct store_note *n)
{
    struct store_op *op = &s->store->op[n->slot % STORE_OPS];

    if (op->note.seq != n->seq || !op->q || op->note.what != STORE_DO)
        return;
    op->said |= UINT64_C(1) << from;
    if (n->status != 404 && op->status == 0) {
        op->status = n->status;
        op->err_type = n->err_type;
        op->err_code = n->err_code;
        op->dialect = n->state;
    }
    if (op->status != 0 || op->said == all_cores(s)) {
        op_settle(s, op);
        ops_free(s);
    }
}

void store_op_begin(struct sdn *s, struct sdn_ask *q)
{
    struct store *st = s->store;
    struct store_op *op;

    if (st->op_n == STORE_OPS) {
        ask_refused(s, q, 503, "too many commands at a time");
        return;
    }
    op = op_at(st, st->op_n);
    *op = (struct store_op){.q = q, .sent = 1, .until = s->now + OP_US};
    op->note.what = STORE_DO;
    op->note.dpid = q->dpid;
    if (!note_make(q, &op->note)) {
        op->q = NULL;
        ask_refused(s, q, 413, "it is too long to be kept, or OpenFlow 1.3 cannot say it");
        return;
    }
    op->note.seq = st->seq++;
    op->note.slot = (uint8_t)(op - st->op);
    st->op_n++;
    event_note(s, EVENT_COMMAND, q->dpid, 0,
               q->kind == SDN_DO_FLOW    ? "flow"
               : q->kind == SDN_DO_GROUP ? "group"
               : q->kind == SDN_DO_METER ? "meter"
                                         : "flows cleared");
    struct store_note copy = op->note;
    store_send(s, &copy);
    ops_send(s);
    ops_free(s);
}

void store_op_advance(struct sdn *s)
{
    struct store *st = s->store;

    for (uint32_t i = 0; i < st->op_n; i++) {
        struct store_op *op = op_at(st, i);
        if (op->q && s->now >= op->until)
            op_answer(s, op, 504);
    }
    ops_send(s);
    ops_free(s);
}

instant store_deadline(const struct sdn *s)
{
    const struct store *st = s->store;
    instant at = INSTANT_NEVER;

    if (st->wait_n > 0 || st->sending > 0)
        return s->now + AGAIN_US;
    for (uint32_t i = 0; i < st->op_n; i++) {
        const struct store_op *op = op_at(st, i);
        if (op->sent != all_cores(s))
            return s->now + AGAIN_US;
        if (op->q && op->until < at)
            at = op->until;
    }
    return at;
}
