/* A rule as an entry of a dialect: steps packed into blocks. */
#include "sdn/pof_program.h"

/* The instruction that takes the next action, or NULL: no block is left. */
static struct pof_instruction *apply_at(enum ofp_dialect d, struct pof_entry *e)
{
    struct pof_instruction *i = e->instructions ? &e->instruction[e->instructions - 1] : NULL;

    if (i && i->type == POFI_APPLY_ACTIONS && i->actions < pof_actions_max(d))
        return i;
    if (e->instructions == pof_instructions_max(d))
        return NULL;
    i = &e->instruction[e->instructions++];
    i->type = POFI_APPLY_ACTIONS;
    return i;
}

static bool action_put(enum ofp_dialect d, struct pof_entry *e, const struct pof_action *a)
{
    struct pof_instruction *i = apply_at(d, e);

    if (!i || (d == POF_HUAWEI && a->type == POFA_ADD_FIELD && a->at.len > 64))
        return false;
    i->action[i->actions++] = *a;
    return true;
}

static bool step_put(enum ofp_dialect d, const uint8_t *global, struct pof_entry *e,
                     const struct pof_step *s)
{
    struct pof_instruction *i;

    if (s->kind == STEP_ACTION)
        return action_put(d, e, &s->action);
    if (e->instructions == pof_instructions_max(d))
        return false;
    i = &e->instruction[e->instructions++];
    switch (s->kind) {
    case STEP_ACTION:
        break;
    case STEP_GOTO:
        i->type = POFI_GOTO_TABLE;
        i->table = global[s->table == POF_FORWARD ? POF_TABLES_MAX : s->table];
        break;
    case STEP_METER:
        i->type = POFI_METER;
        i->arg = s->action.arg;
        break;
    case STEP_WRITE:
        i->type = POFI_WRITE_METADATA;
        i->metadata_offset = s->action.at.offset;
        i->len = s->action.at.len;
        memcpy(i->value, s->action.value, POF_VALUE_BYTES);
        return d == POF_USTC || i->len <= 32;
    case STEP_COPY:
        i->type = POFI_WRITE_METADATA_FROM_PACKET;
        i->metadata_offset = s->action.metadata_offset;
        i->packet_offset = s->action.at.offset;
        i->len = s->action.at.len;
        break;
    }
    return true;
}

bool pof_rule_build(const struct pof_program *p, const struct pof_rule *r, enum ofp_dialect d,
                    const uint8_t global[POF_TABLES_MAX + 1], struct pof_entry *out)
{
    const struct pof_table_decl *t = &p->table[r->table];

    *out = (struct pof_entry){
        .fields = t->fields, .priority = r->priority, .cookie = r->id, .cookie_mask = UINT64_MAX};
    for (uint32_t i = 0; i < t->fields; i++) {
        out->match[i].at = p->field[t->field[i]].place;
        memcpy(out->match[i].value, r->value[i], POF_VALUE_BYTES);
        memcpy(out->match[i].mask, r->mask[i], POF_VALUE_BYTES);
    }
    for (uint32_t i = 0; i < r->steps; i++)
        if (!step_put(d, global, out, &r->step[i]))
            return false;
    return true;
}

bool pof_rule_check(const struct pof_program *p, const struct pof_rule *r, enum ofp_dialect d,
                    struct fmt *why)
{
    static const uint8_t global[POF_TABLES_MAX + 1];
    struct pof_entry e;

    if (r->table >= p->tables || r->steps > POF_STEPS_MAX) {
        fmt_add(why, "no such table");
        return false;
    }
    if (r->steps == 0) {
        fmt_add(why, "an entry of table '%s' has no steps", p->table[r->table].name);
        return false;
    }
    if ((d != POF_HUAWEI && pof_rule_build(p, r, POF_USTC, global, &e)) ||
        (d != POF_USTC && pof_rule_build(p, r, POF_HUAWEI, global, &e)))
        return true;
    fmt_add(why,
            "an entry of table '%s' does not fit: %u instructions, %u actions in each, "
            "64 bits to insert (USTC: %u, %u, 128)",
            p->table[r->table].name, pof_instructions_max(POF_HUAWEI), pof_actions_max(POF_HUAWEI),
            pof_instructions_max(POF_USTC), pof_actions_max(POF_USTC));
    return false;
}

/* ---- for people ---------------------------------------------------------------------- */

static void hex(struct fmt *f, const uint8_t *v, uint32_t bits)
{
    uint8_t n[POF_VALUE_BYTES] = {0};
    uint32_t i = 0;

    pof_bits_copy(n, POF_VALUE_BITS - bits, v, 0, bits);
    while (i < POF_VALUE_BYTES - 1 && n[i] == 0)
        i++;
    fmt_add(f, "0x%x", n[i]);
    while (++i < POF_VALUE_BYTES)
        fmt_add(f, "%02x", n[i]);
}

static void place_print(struct fmt *f, const struct pof_program *p, const struct pof_match *m)
{
    for (uint32_t i = 0; i < p->fields; i++) {
        const struct pof_match *at = &p->field[i].place;

        if (at->field == m->field && at->offset == m->offset && at->len == m->len) {
            fmt_add(f, "%s.%s", p->protocol[p->field[i].protocol].name, p->field[i].name);
            return;
        }
    }
    pof_match_print(f, m);
}

static void header_print(struct fmt *f, const struct pof_program *p, uint32_t at, uint32_t len)
{
    for (uint32_t i = 0; i < p->protocols; i++) {
        const struct pof_protocol *h = &p->protocol[i];

        if (!h->metadata && h->at == at && h->len == len) {
            fmt_add(f, "%s", h->name);
            return;
        }
    }
    fmt_add(f, "{%u,%u}", at, len);
}

static void action_print(struct fmt *f, const struct pof_program *p, const struct pof_action *a)
{
    struct pof_match meta = {POF_METADATA, a->metadata_offset, a->at.len};

    switch ((enum pof_action_type)a->type) {
    case POFA_SET_FIELD:
        fmt_add(f, "set ");
        place_print(f, p, &a->at);
        fmt_char(f, ' ');
        hex(f, a->value, a->at.len);
        break;
    case POFA_SET_FIELD_FROM_METADATA:
        fmt_add(f, "set ");
        place_print(f, p, &a->at);
        fmt_add(f, " from ");
        place_print(f, p, &meta);
        break;
    case POFA_MODIFY_FIELD:
        fmt_add(f, "add ");
        place_print(f, p, &a->at);
        if (a->arg >> 31)
            fmt_add(f, " -%u", 0u - a->arg);
        else
            fmt_add(f, " %u", a->arg);
        break;
    case POFA_ADD_FIELD:
        fmt_add(f, "insert ");
        header_print(f, p, a->at.offset, a->at.len);
        fmt_char(f, ' ');
        hex(f, a->value, a->at.len);
        break;
    case POFA_DELETE_FIELD:
        fmt_add(f, "remove ");
        header_print(f, p, a->at.offset, a->at.len);
        break;
    case POFA_CALCULATE_CHECKSUM:
        fmt_add(f, "checksum ");
        place_print(f, p, &a->at);
        fmt_add(f, " over ");
        header_print(f, p, a->over, a->over_len);
        break;
    case POFA_DROP:
        fmt_add(f, "drop");
        break;
    case POFA_PACKET_IN:
        fmt_add(f, "controller");
        break;
    case POFA_OUTPUT:
        fmt_add(f, "output %u", a->arg);
        break;
    case POFA_COUNTER:
        fmt_add(f, "count %u", a->arg);
        break;
    case POFA_GROUP:
        fmt_add(f, "group %u", a->arg);
        break;
    case POFA_TYPES:
        break;
    }
}

void pof_step_print(struct fmt *f, const struct pof_program *p, const struct pof_step *s)
{
    struct pof_match meta = {POF_METADATA, s->action.metadata_offset, s->action.at.len};

    switch (s->kind) {
    case STEP_ACTION:
        action_print(f, p, &s->action);
        break;
    case STEP_GOTO:
        if (s->table == POF_FORWARD)
            fmt_add(f, "forward");
        else
            fmt_add(f, "goto %s", p->table[s->table].name);
        break;
    case STEP_METER:
        fmt_add(f, "meter %u", s->action.arg);
        break;
    case STEP_WRITE:
        fmt_add(f, "write ");
        place_print(f, p, &s->action.at);
        fmt_char(f, ' ');
        hex(f, s->action.value, s->action.at.len);
        break;
    case STEP_COPY:
        fmt_add(f, "write ");
        place_print(f, p, &meta);
        fmt_add(f, " from ");
        place_print(f, p, &s->action.at);
        break;
    }
}

void pof_rule_print(struct fmt *f, const struct pof_program *p, const struct pof_rule *r)
{
    const struct pof_table_decl *t = &p->table[r->table];
    const char *between = " ";

    fmt_add(f, "%s priority=%u", t->name, r->priority);
    for (uint32_t i = 0; i < t->fields; i++) {
        const struct pof_match *at = &p->field[t->field[i]].place;
        uint64_t any = 0;

        for (uint32_t k = 0; k < POF_VALUE_BYTES; k++)
            any |= r->mask[i][k];
        if (!any)
            continue;
        fmt_char(f, ' ');
        place_print(f, p, at);
        fmt_char(f, '=');
        hex(f, r->value[i], at->len);
        fmt_char(f, '/');
        hex(f, r->mask[i], at->len);
    }
    for (uint32_t i = 0; i < r->steps; i++, between = ", ") {
        fmt_add(f, i == 0 ? ": " : "%s", between);
        pof_step_print(f, p, &r->step[i]);
    }
}
