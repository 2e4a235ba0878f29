/* Declaring protocols, tables and rules. */
#include "sdn/pof_program.h"

#include "sdn/pof_words.h"

/* ---- names --------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b, uint32_t n)
{
    uint32_t i = 0;

    while (i < n && a[i] == b[i] && a[i] != 0)
        i++;
    return i == n && a[i] == 0;
}

static bool name_put(char *to, const char *from, struct fmt *why)
{
    uint32_t n = 0;

    for (; from[n] != 0; n++) {
        char c = from[n];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
        if (!ok || n == POF_WORD - 1)
            break;
    }
    if (n == 0 || from[n] != 0) {
        fmt_add(why, "'%.40s' is no name: letters, digits, '_' and '-', at most %u", from,
                POF_WORD - 1);
        return false;
    }
    memset(to, 0, POF_WORD);
    memcpy(to, from, n);
    return true;
}

static int protocol_find(const struct pof_program *p, const char *name, uint32_t n)
{
    for (uint32_t i = 0; i < p->protocols; i++)
        if (same_text(p->protocol[i].name, name, n))
            return (int)i;
    return -1;
}

static int table_find(const struct pof_program *p, const char *name, uint32_t n)
{
    for (uint32_t i = 0; i < p->tables; i++)
        if (same_text(p->table[i].name, name, n))
            return (int)i;
    return -1;
}

static const struct pof_field *field_find(const struct pof_program *p, const struct word *w,
                                          struct fmt *why)
{
    uint32_t dot = 0;

    while (dot < w->n && w->p[dot] != '.')
        dot++;
    int protocol = protocol_find(p, w->p, dot);
    if (protocol >= 0 && dot < w->n) {
        for (uint32_t i = 0; i < p->fields; i++)
            if (p->field[i].protocol == protocol &&
                same_text(p->field[i].name, w->p + dot + 1, w->n - dot - 1))
                return &p->field[i];
    }
    fmt_add(why, "no field is called '%.*s'", (int)w->n, w->p);
    return NULL;
}

static struct word word_whole(const char *text)
{
    struct word w = {text, 0};

    while (text[w.n] != 0)
        w.n++;
    return w;
}

/* ---- protocols ----------------------------------------------------------------------- */

static bool protocol_add(struct pof_program *p, const char *name, uint32_t at, bool metadata,
                         struct fmt *why)
{
    struct pof_protocol *q = &p->protocol[p->protocols];

    if (p->protocols == POF_PROTOCOLS_MAX) {
        fmt_add(why, "more than %u protocols", POF_PROTOCOLS_MAX);
        return false;
    }
    if (at > (metadata ? 128u : 16383u)) {
        fmt_add(why, "protocol '%.40s' begins too far behind: bit %u", name, at);
        return false;
    }
    if (protocol_find(p, name, word_whole(name).n) >= 0) {
        fmt_add(why, "two protocols are called '%.40s'", name);
        return false;
    }
    *q = (struct pof_protocol){.at = (uint16_t)at, .metadata = metadata};
    if (!name_put(q->name, name, why))
        return false;
    p->protocols++;
    return true;
}

bool pof_program_protocol(struct pof_program *p, const char *name, uint32_t at, struct fmt *why)
{
    return protocol_add(p, name, at, false, why);
}

bool pof_program_metadata(struct pof_program *p, const char *name, uint32_t at, struct fmt *why)
{
    if (at < 32) {
        fmt_add(why, "metadata '%.40s': the first 32 bits are the switch's own", name);
        return false;
    }
    return protocol_add(p, name, at, true, why);
}

bool pof_program_field(struct pof_program *p, const char *name, int32_t offset, uint32_t bits,
                       struct fmt *why)
{
    struct pof_protocol *q = &p->protocol[p->protocols - 1];
    struct pof_field *f = &p->field[p->fields];
    uint32_t at, end = q->metadata ? 256 : 16384;

    if (p->protocols == 0) {
        fmt_add(why, "field '%.40s' belongs to no protocol", name);
        return false;
    }
    if (p->fields == POF_PROGRAM_FIELDS_MAX) {
        fmt_add(why, "more than %u fields", POF_PROGRAM_FIELDS_MAX);
        return false;
    }
    at = offset < 0 ? q->len : (uint32_t)offset;
    if (bits == 0 || bits > POF_VALUE_BITS || at > end || q->at + at + bits > end) {
        fmt_add(why, "field '%s.%.40s' has %u bits at %u: 1 to %u are possible, up to bit %u",
                q->name, name, bits, at, POF_VALUE_BITS, end);
        return false;
    }
    for (uint32_t i = 0; i < p->fields; i++) {
        if (p->field[i].protocol == p->protocols - 1 &&
            same_text(p->field[i].name, name, word_whole(name).n)) {
            fmt_add(why, "two fields are called '%s.%.40s'", q->name, name);
            return false;
        }
    }
    *f = (struct pof_field){.protocol = (uint8_t)(p->protocols - 1)};
    if (!name_put(f->name, name, why))
        return false;
    f->place = (struct pof_match){
        .field = q->metadata ? (uint16_t)POF_METADATA : (uint16_t)(p->fields + 1),
        .offset = (uint16_t)(q->at + at),
        .len = (uint16_t)bits,
    };
    if (at + bits > q->len)
        q->len = (uint16_t)(at + bits);
    p->fields++;
    return true;
}

/* pof.md: metadata at entry is {u16 packet length, u8 in_port, u8 reserved}. */
void pof_program_init(struct pof_program *p, struct pof_rule *room, uint32_t rules_max)
{
    char none[4];
    struct fmt why;

    fmt_init(&why, none, sizeof(none));
    *p = (struct pof_program){.rule = room, .rules_max = rules_max};
    protocol_add(p, "meta", 0, true, &why);
    pof_program_field(p, "len", 0, 16, &why);
    pof_program_field(p, "in_port", 16, 8, &why);
}

/* ---- tables -------------------------------------------------------------------------- */

bool pof_program_table(struct pof_program *p, const char *name, const char *type, uint32_t size,
                       struct fmt *why)
{
    struct pof_table_decl *t = &p->table[p->tables];
    uint32_t k = 0;

    if (p->tables == POF_TABLES_MAX) {
        fmt_add(why, "more than %u tables", POF_TABLES_MAX);
        return false;
    }
    if (table_find(p, name, word_whole(name).n) >= 0) {
        fmt_add(why, "two tables are called '%.40s'", name);
        return false;
    }
    while (k < POF_TABLE_TYPES && !same_text(pof_table_type_name(k), type, word_whole(type).n))
        k++;
    if (k == POF_TABLE_TYPES) {
        fmt_add(why, "table '%.40s': no type is called '%.40s'; MM, LPM, EM or LINEAR", name, type);
        return false;
    }
    if (p->tables == 0 && k != POF_MM) {
        fmt_add(why, "table '%.40s' is the first: it must be of type MM", name);
        return false;
    }
    if (size < 2 || size > 65536) {
        fmt_add(why, "table '%.40s' has %u slots: 2 to 65536 are possible", name, size);
        return false;
    }
    *t = (struct pof_table_decl){.type = (enum pof_table_type)k, .size = size};
    if (!name_put(t->name, name, why))
        return false;
    t->miss = p->tables == 0
                  ? (struct pof_step){.kind = STEP_GOTO, .table = POF_FORWARD}
                  : (struct pof_step){.kind = STEP_ACTION, .action = {.type = POFA_DROP}};
    p->tables++;
    return true;
}

bool pof_program_key(struct pof_program *p, const char *field, struct fmt *why)
{
    struct pof_table_decl *t = &p->table[p->tables - 1];
    struct word w = word_whole(field);
    const struct pof_field *f;

    if (p->tables == 0) {
        fmt_add(why, "'%.40s' belongs to no table", field);
        return false;
    }
    f = field_find(p, &w, why);
    if (!f)
        return false;
    if (t->fields == POF_FIELDS_MAX || t->key_bits + f->place.len > (int)POF_KEY_BITS_MAX) {
        fmt_add(why, "table '%s' matches more than %u fields or %u bits", t->name, POF_FIELDS_MAX,
                POF_KEY_BITS_MAX);
        return false;
    }
    t->field[t->fields++] = (uint16_t)(f - p->field);
    t->key_bits = (uint16_t)(t->key_bits + f->place.len);
    return true;
}

/* ---- steps --------------------------------------------------------------------------- */

static const struct pof_field *packet_field(const struct pof_program *p, const struct word *w,
                                            struct fmt *why)
{
    const struct pof_field *f = field_find(p, w, why);

    if (f && f->place.field == POF_METADATA) {
        fmt_add(why, "'%.*s' is metadata, not in the packet", (int)w->n, w->p);
        return NULL;
    }
    return f;
}

static const struct pof_field *metadata_field(const struct pof_program *p, const struct word *w,
                                              struct fmt *why)
{
    const struct pof_field *f = field_find(p, w, why);

    if (f && f->place.field != POF_METADATA) {
        fmt_add(why, "'%.*s' is in the packet, not metadata", (int)w->n, w->p);
        return NULL;
    }
    return f;
}

static const struct pof_protocol *header(const struct pof_program *p, const struct word *w,
                                         struct fmt *why)
{
    int i = protocol_find(p, w->p, w->n);

    if (i < 0 || p->protocol[i].metadata) {
        fmt_add(why, "no protocol is called '%.*s'", (int)w->n, w->p);
        return NULL;
    }
    return &p->protocol[i];
}

/* set FIELD VALUE, set FIELD from FIELD */
static bool step_set(const struct pof_program *p, const struct word *w, uint32_t n,
                     struct pof_step *s, struct fmt *why)
{
    const struct pof_field *f = packet_field(p, &w[1], why), *m;

    if (!f)
        return false;
    s->action = (struct pof_action){.type = POFA_SET_FIELD, .at = f->place};
    if (n == 3)
        return word_value(&w[2], f->place.len, s->action.value, s->action.mask, why);
    m = metadata_field(p, &w[3], why);
    if (!m)
        return false;
    if (m->place.len != f->place.len) {
        fmt_add(why, "'%s' has %u bits, '%s' has %u", f->name, f->place.len, m->name, m->place.len);
        return false;
    }
    s->action.type = POFA_SET_FIELD_FROM_METADATA;
    s->action.metadata_offset = m->place.offset;
    return true;
}

/* add FIELD NUMBER */
static bool step_add(const struct pof_program *p, const struct word *w, struct pof_step *s,
                     struct fmt *why)
{
    const struct pof_field *f = field_find(p, &w[1], why);
    bool minus = w[2].p[0] == '-';
    struct word number = {w[2].p + minus, w[2].n - minus};
    uint32_t by;

    if (!f)
        return false;
    if (f->place.len > 32) {
        fmt_add(why, "'%s' has %u bits: at most 32 can be added to", f->name, f->place.len);
        return false;
    }
    if (!word_u32(&number, &by)) {
        fmt_add(why, "'%.*s' is no number", (int)w[2].n, w[2].p);
        return false;
    }
    s->action =
        (struct pof_action){.type = POFA_MODIFY_FIELD, .at = f->place, .arg = minus ? 0u - by : by};
    return true;
}

/* insert PROTOCOL VALUE, remove PROTOCOL */
static bool step_header(const struct pof_program *p, const struct word *w, struct pof_step *s,
                        struct fmt *why)
{
    const struct pof_protocol *h = header(p, &w[1], why);
    bool insert = word_is(&w[0], "insert");
    uint8_t mask[POF_VALUE_BYTES];

    if (!h)
        return false;
    if (h->len == 0 || (insert && h->len > POF_VALUE_BITS)) {
        fmt_add(why, "'%s' has %u bits: 1 to %u can be inserted", h->name, h->len, POF_VALUE_BITS);
        return false;
    }
    s->action = (struct pof_action){
        .type = insert ? POFA_ADD_FIELD : POFA_DELETE_FIELD,
        .at = {.offset = h->at, .len = h->len},
    };
    return !insert || word_value(&w[2], h->len, s->action.value, mask, why);
}

/* checksum FIELD over PROTOCOL */
static bool step_checksum(const struct pof_program *p, const struct word *w, struct pof_step *s,
                          struct fmt *why)
{
    const struct pof_field *f = packet_field(p, &w[1], why);
    const struct pof_protocol *h = f ? header(p, &w[3], why) : NULL;

    if (!h)
        return false;
    if (f->place.len > 32 || h->len % f->place.len != 0) {
        fmt_add(why, "'%s' has %u bits, which does not divide the %u of '%s'", f->name,
                f->place.len, h->len, h->name);
        return false;
    }
    s->action = (struct pof_action){
        .type = POFA_CALCULATE_CHECKSUM, .at = f->place, .over = h->at, .over_len = h->len};
    return true;
}

/* write META VALUE, write META from FIELD */
static bool step_write(const struct pof_program *p, const struct word *w, uint32_t n,
                       struct pof_step *s, struct fmt *why)
{
    const struct pof_field *m = metadata_field(p, &w[1], why), *f;

    if (!m)
        return false;
    if (n == 3) {
        s->kind = STEP_WRITE;
        s->action.at = m->place;
        return word_value(&w[2], m->place.len, s->action.value, s->action.mask, why);
    }
    f = packet_field(p, &w[3], why);
    if (!f)
        return false;
    if (m->place.len != f->place.len) {
        fmt_add(why, "'%s' has %u bits, '%s' has %u", m->name, m->place.len, f->name, f->place.len);
        return false;
    }
    s->kind = STEP_COPY;
    s->action.at = f->place;
    s->action.metadata_offset = m->place.offset;
    return true;
}

/* output N, count N, group N, meter N */
static bool step_number(const struct word *w, struct pof_step *s, struct fmt *why)
{
    s->action.type = word_is(&w[0], "output")  ? POFA_OUTPUT
                     : word_is(&w[0], "count") ? POFA_COUNTER
                                               : POFA_GROUP;
    if (word_is(&w[0], "meter"))
        s->kind = STEP_METER;
    if (word_u32(&w[1], &s->action.arg))
        return true;
    fmt_add(why, "'%.*s' is no number", (int)w[1].n, w[1].p);
    return false;
}

static bool step_goto(const struct pof_program *p, const struct word *w, struct pof_step *s,
                      struct fmt *why)
{
    int t = table_find(p, w[1].p, w[1].n);

    if (t < 0) {
        fmt_add(why, "no table is called '%.*s'", (int)w[1].n, w[1].p);
        return false;
    }
    s->kind = STEP_GOTO;
    s->table = (uint8_t)t;
    return true;
}

static bool step_parse(const struct pof_program *p, const char *text, struct pof_step *s,
                       struct fmt *why)
{
    struct word w[4];
    uint32_t n = words_of(text, w, 4);
    bool from = n == 4 && word_is(&w[2], "from");

    *s = (struct pof_step){.kind = STEP_ACTION};
    if (n == 1 && word_is(&w[0], "forward")) {
        *s = (struct pof_step){.kind = STEP_GOTO, .table = POF_FORWARD};
        return true;
    }
    if (n == 1 && (word_is(&w[0], "drop") || word_is(&w[0], "controller"))) {
        s->action.type = word_is(&w[0], "drop") ? POFA_DROP : POFA_PACKET_IN;
        s->action.arg = s->action.type == POFA_PACKET_IN ? 1 : 0;
        return true;
    }
    if (n == 2 && (word_is(&w[0], "output") || word_is(&w[0], "count") || word_is(&w[0], "group") ||
                   word_is(&w[0], "meter")))
        return step_number(w, s, why);
    if (n == 2 && word_is(&w[0], "goto"))
        return step_goto(p, w, s, why);
    if ((n == 3 || from) && word_is(&w[0], "set"))
        return step_set(p, w, n, s, why);
    if ((n == 3 || from) && word_is(&w[0], "write"))
        return step_write(p, w, n, s, why);
    if (n == 3 && word_is(&w[0], "add"))
        return step_add(p, w, s, why);
    if ((n == 3 && word_is(&w[0], "insert")) || (n == 2 && word_is(&w[0], "remove")))
        return step_header(p, w, s, why);
    if (n == 4 && word_is(&w[0], "checksum") && word_is(&w[2], "over"))
        return step_checksum(p, w, s, why);
    fmt_add(why, "'%.80s' is no step", text);
    return false;
}

/* A step behind which nothing can come. */
static bool is_last(const struct pof_step *s)
{
    return s->kind == STEP_GOTO || (s->kind == STEP_ACTION &&
                                    (s->action.type == POFA_DROP || s->action.type == POFA_GROUP));
}

bool pof_program_miss(struct pof_program *p, const char *table, const char *step, struct fmt *why)
{
    int t = table_find(p, table, word_whole(table).n);
    struct pof_step s;

    if (t < 0) {
        fmt_add(why, "no table is called '%.40s'", table);
        return false;
    }
    if (!step_parse(p, step, &s, why))
        return false;
    if (s.kind == STEP_GOTO && s.table != POF_FORWARD && s.table <= t) {
        fmt_add(why, "table '%.40s': '%.80s' leads back", table, step);
        return false;
    }
    p->table[t].miss = s;
    return true;
}

/* ---- rules --------------------------------------------------------------------------- */

bool pof_rule_begin(const struct pof_program *p, struct pof_rule *r, const char *table,
                    uint32_t priority, uint64_t dpid, struct fmt *why)
{
    int t = table_find(p, table, word_whole(table).n);

    if (t < 0) {
        fmt_add(why, "no table is called '%.40s'", table);
        return false;
    }
    if (priority == 0 || priority > UINT16_MAX) {
        fmt_add(why, "priority %u: 1 to 65535 are possible, 0 is the miss", priority);
        return false;
    }
    *r = (struct pof_rule){.dpid = dpid, .table = (uint8_t)t, .priority = (uint16_t)priority};
    return true;
}

bool pof_rule_match(const struct pof_program *p, struct pof_rule *r, const char *field,
                    const char *value, struct fmt *why)
{
    const struct pof_table_decl *t = &p->table[r->table];
    struct word w = word_whole(field), v = word_whole(value);
    const struct pof_field *f = field_find(p, &w, why);

    if (!f)
        return false;
    for (uint32_t i = 0; i < t->fields; i++)
        if (&p->field[t->field[i]] == f)
            return word_value(&v, f->place.len, r->value[i], r->mask[i], why);
    fmt_add(why, "table '%s' does not match '%.40s'", t->name, field);
    return false;
}

bool pof_rule_step(const struct pof_program *p, struct pof_rule *r, const char *step,
                   struct fmt *why)
{
    struct pof_step s;

    if (r->steps == POF_STEPS_MAX) {
        fmt_add(why, "more than %u steps", POF_STEPS_MAX);
        return false;
    }
    if (!step_parse(p, step, &s, why))
        return false;
    if (r->steps > 0 && is_last(&r->step[r->steps - 1])) {
        fmt_add(why, "'%.80s' comes behind the last step", step);
        return false;
    }
    if (s.kind == STEP_GOTO && s.table != POF_FORWARD && s.table <= r->table) {
        fmt_add(why, "'%.80s' leads back: only to a later table", step);
        return false;
    }
    r->step[r->steps++] = s;
    return true;
}

bool pof_rule_read(const struct pof_program *p, struct pof_rule *r, const struct pof_rule_words *w,
                   struct fmt *why)
{
    bool ok = w->table != NULL;

    if (!ok)
        fmt_add(why, "no table is said");
    ok = ok && pof_rule_begin(p, r, w->table, w->priority, w->dpid, why);
    for (uint32_t i = 0; ok && i < w->matches; i++)
        ok = pof_rule_match(p, r, w->match[i].field, w->match[i].value, why);
    for (uint32_t i = 0; ok && i < w->steps; i++)
        ok = pof_rule_step(p, r, w->step[i], why);
    return ok;
}

bool pof_rule_same(const struct pof_program *p, const struct pof_rule *a, const struct pof_rule *b)
{
    if (a->table != b->table || a->priority != b->priority ||
        (a->dpid != b->dpid && a->dpid != 0 && b->dpid != 0))
        return false;
    for (uint32_t i = 0; i < p->table[a->table].fields; i++)
        for (uint32_t k = 0; k < POF_VALUE_BYTES; k++)
            if ((a->value[i][k] & a->mask[i][k]) != (b->value[i][k] & b->mask[i][k]))
                return false;
    return true;
}

bool pof_program_rule(struct pof_program *p, const struct pof_rule *r, struct fmt *why)
{
    uint32_t used = 1;

    if (p->rules == p->rules_max) {
        fmt_add(why, "more than %u entries", p->rules_max);
        return false;
    }
    if (!pof_rule_check(p, r, OFP_NONE, why))
        return false;
    for (uint32_t i = 0; i < p->rules; i++) {
        if (pof_rule_same(p, &p->rule[i], r)) {
            fmt_add(why, "table '%s' has an entry with the same match and priority already",
                    p->table[r->table].name);
            return false;
        }
        used += p->rule[i].table == r->table;
    }
    if (used >= p->table[r->table].size) {
        fmt_add(why, "table '%s' is full: %u slots, one of them for the miss",
                p->table[r->table].name, p->table[r->table].size);
        return false;
    }
    p->rule[p->rules] = *r;
    p->rule[p->rules].id = p->rules + 1;
    p->rules++;
    return true;
}

bool pof_program_check(const struct pof_program *p, struct fmt *why)
{
    if (p->tables == 0) {
        fmt_add(why, "no table");
        return false;
    }
    for (uint32_t i = 0; i < p->tables; i++) {
        if (p->table[i].fields == 0 && p->table[i].type != POF_LINEAR) {
            fmt_add(why, "table '%s' matches no field", p->table[i].name);
            return false;
        }
    }
    return true;
}
