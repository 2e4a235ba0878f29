/* The program on a switch, and its changes at run time.
 *
 * The seat takes a command, changes its own rules and tells the other cores; a core whose letters
 * were full is told everything anew: CLEAR, each rule, DONE. */
#include "sdn/pof_int.h"

#define ANY_MISS 0u /* a slot's key: what the table does with what no rule matches */

const struct pof_rule *rule_by_id(const struct pof *p, uint32_t id)
{
    for (uint32_t i = 0; i < p->program.rules; i++)
        if (p->program.rule[i].id == id)
            return &p->program.rule[i];
    return NULL;
}

static bool is_for(const struct pof_rule *r, const struct sdn_switch *sw)
{
    return r->dpid == 0 || r->dpid == sw->dpid;
}

static void put(struct sdn *s, struct sdn_switch *sw, const struct pof_rule *r)
{
    struct pof_on *on = pof_on(sw);
    uint32_t slot;

    if (!is_for(r, sw))
        return;
    slot = slot_take(s, on, r->table, r->id);
    if (slot == POF_NO_SLOT)
        event_note(s, EVENT_REFUSED, sw->dpid, 0, "a table of the program is full");
    else
        slot_want(s, on, slot, 1);
}

void rules_begin(struct sdn *s, struct sdn_switch *sw)
{
    const struct pof_program *p = &s->pof->program;
    struct pof_on *on = pof_on(sw);

    for (uint32_t t = 0; t < p->tables; t++) {
        uint32_t slot = slot_take(s, on, t, ANY_MISS);

        if (slot != POF_NO_SLOT && p->table[t].type != POF_LINEAR)
            slot_want(s, on, slot, 1);
    }
    for (uint32_t i = 0; i < p->rules; i++)
        put(s, sw, &p->rule[i]);
}

bool rules_build(struct sdn *s, struct sdn_switch *sw, uint32_t t, const struct pof_slot *slot,
                 struct pof_entry *e)
{
    const struct pof_program *p = &s->pof->program;
    struct pof_rule miss = {.table = (uint8_t)t, .steps = 1, .step = {p->table[t].miss}};
    const struct pof_rule *r =
        slot->key == ANY_MISS ? &miss : rule_by_id(s->pof, (uint32_t)slot->key);

    if (r && pof_rule_build(p, r, sw->dialect, pof_on(sw)->global, e))
        return true;
    if (r)
        event_note(s, EVENT_REFUSED, sw->dpid, 0,
                   "an entry of the program does not fit its dialect");
    return false;
}

/* ---- what is so on this core --------------------------------------------------------- */

static bool takes(const struct sdn_switch *sw)
{
    const struct pof_on *on = pof_on(sw);

    return on && sw->phase == PHASE_UP && on->stage >= STAGE_ENTRIES && on->tables > 0;
}

static void add(struct sdn *s, const struct pof_rule *r)
{
    struct pof *p = s->pof;

    if (p->program.rules == p->program.rules_max)
        return;
    p->program.rule[p->program.rules++] = *r;
    p->next_rule = max_u32(p->next_rule, r->id);
    p->version++;
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        if (!takes(sw))
            continue;
        put(s, sw, r);
        send_more(s, sw);
    }
}

static void delete (struct sdn *s, uint32_t id)
{
    struct pof_program *p = &s->pof->program;
    uint32_t i = 0, table;

    while (i < p->rules && p->rule[i].id != id)
        i++;
    if (i == p->rules)
        return;
    table = p->rule[i].table;
    p->rule[i] = p->rule[--p->rules];
    s->pof->version++;
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        uint32_t slot;

        if (!takes(sw))
            continue;
        slot = slot_find(pof_on(sw), table, id);
        if (slot != POF_NO_SLOT)
            slot_drop(pof_on(sw), slot);
        send_more(s, sw);
    }
}

/* Everything has been told anew: what is left over goes. */
static void sweep(struct sdn *s)
{
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        struct pof_on *on = pof_on(sw);

        if (!takes(sw))
            continue;
        for (uint32_t i = 0; i < on->table[pof_table_s(on)].first; i++)
            if ((on->slot[i].flags & SLOT_WANTED) && slot_table(on, i) < s->pof->program.tables &&
                i < on->table[slot_table(on, i)].first + on->table[slot_table(on, i)].used &&
                on->slot[i].key != ANY_MISS && !rule_by_id(s->pof, (uint32_t)on->slot[i].key))
                slot_drop(on, i);
        send_more(s, sw);
    }
}

/* ---- letters ------------------------------------------------------------------------- */

enum op { OP_ADD, OP_DELETE, OP_CLEAR, OP_DONE };
struct rule_letter {
    uint32_t op, id;
    struct pof_rule rule;
};

static bool tell(struct sdn *s, unsigned to, enum op op, uint32_t id, const struct pof_rule *r)
{
    struct rule_letter l = {.op = op, .id = id};

    if (r)
        l.rule = *r;
    return letter_write(s, to, LETTER_POF, &l, r ? sizeof(l) : offsetof(struct rule_letter, rule));
}

static void tell_all(struct sdn *s, enum op op, uint32_t id, const struct pof_rule *r)
{
    struct pof *p = s->pof;

    for (unsigned to = 1; to < s->config.cores; to++) {
        if (!(p->behind >> to & 1) && tell(s, to, op, id, r))
            continue;
        p->behind |= UINT64_C(1) << to;
        p->told[to] = 0;
    }
}

/* 0: nothing of it yet; n + 1: n rules. */
static void catch_up(struct sdn *s, unsigned to)
{
    struct pof *p = s->pof;

    if (p->told[to] == 0) {
        if (!tell(s, to, OP_CLEAR, 0, NULL))
            return;
        p->told[to] = 1;
    }
    while (p->told[to] <= p->program.rules) {
        if (!tell(s, to, OP_ADD, 0, &p->program.rule[p->told[to] - 1]))
            return;
        p->told[to]++;
    }
    if (tell(s, to, OP_DONE, 0, NULL))
        p->behind &= ~(UINT64_C(1) << to);
}

void rules_advance(struct sdn *s)
{
    for (unsigned to = 1; s->pof->behind && to < s->config.cores; to++)
        if (s->pof->behind >> to & 1)
            catch_up(s, to);
}

void pof_letter(struct sdn *s, const uint8_t *p, size_t n)
{
    struct rule_letter l = {0};

    MR_ASSERT(n <= sizeof(l) && n >= offsetof(struct rule_letter, rule));
    memcpy(&l, p, n);
    switch ((enum op)l.op) {
    case OP_ADD:
        add(s, &l.rule);
        break;
    case OP_DELETE:
        delete (s, l.id);
        break;
    case OP_CLEAR:
        s->pof->program.rules = 0;
        break;
    case OP_DONE:
        sweep(s);
        break;
    }
}

/* ---- commands, on the seat ----------------------------------------------------------- */

unsigned rules_add(struct sdn *s, const struct pof_rule *r, uint32_t *id, struct fmt *why)
{
    struct pof *p = s->pof;
    struct pof_rule mine = *r;
    uint32_t used = 1;

    if (!p->has_program) {
        fmt_add(why, "no POF program is declared");
        return 404;
    }
    if (!pof_rule_check(&p->program, r, OFP_NONE, why))
        return 400;
    for (uint32_t i = 0; i < p->program.rules; i++) {
        if (pof_rule_same(&p->program, &p->program.rule[i], r)) {
            fmt_add(why, "entry %u has the same match and priority", p->program.rule[i].id);
            *id = p->program.rule[i].id;
            return 409;
        }
        used += p->program.rule[i].table == r->table;
    }
    if (p->program.rules == p->program.rules_max || used >= p->program.table[r->table].size) {
        fmt_add(why, "table '%s' is full", p->program.table[r->table].name);
        return 503;
    }
    mine.id = *id = p->next_rule + 1;
    add(s, &mine);
    tell_all(s, OP_ADD, 0, &mine);
    return 200;
}

unsigned rules_delete(struct sdn *s, uint32_t id, struct fmt *why)
{
    if (!rule_by_id(s->pof, id)) {
        fmt_add(why, "no entry %u", id);
        return 404;
    }
    delete (s, id);
    tell_all(s, OP_DELETE, id, NULL);
    return 200;
}
