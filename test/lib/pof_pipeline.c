/* The packet side of the simulated POF switch: tables, instructions and actions by bit offsets. */
#include "lib/pof_switch.h"

enum { BAD_ACTION = 2, BAD_INSTRUCTION = 3, BAD_MATCH = 4, GROUP_FAILED = 6, SOFTWARE = 14 };
enum { PACKET_LEN = 0x1001, METADATA_LEN = 0x1002, NO_TABLE = 0x600c };

/* A packet on its way. */
struct way {
    struct pof_switch *w;
    uint8_t b[POF_FRAME_MAX + 64];
    uint32_t n;      /* all of it */
    uint32_t offset; /* where the instructions count from */
    uint8_t meta[POF_SWITCH_METADATA];
    uint32_t meta_n, in_port;
    const struct pof_entry *entry;
    uint32_t next; /* instruction */
    uint8_t global;
    bool done;
};

static void fail(struct way *y, uint16_t type, uint16_t code, const char *text)
{
    y->done = true;
    pof_switch_error(y->w, y->w->xid++, type, code, text);
}

static uint32_t bits_left(const struct way *y)
{
    return (y->n - y->offset) * 8;
}

/* ---- numbers of at most 32 bits, in the packet or the metadata ----------------------- */

static uint8_t *place(struct way *y, const struct pof_match *m)
{
    bool meta = m->field == POF_METADATA;

    if (m->len > 32) {
        fail(y, BAD_MATCH, 1, "POFBMC_BAD_LEN");
        return NULL;
    }
    if ((uint32_t)m->offset + m->len > (meta ? y->meta_n * 8 : bits_left(y))) {
        fail(y, SOFTWARE, meta ? METADATA_LEN : PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return NULL;
    }
    return meta ? y->meta : y->b + y->offset;
}

static uint32_t number(struct way *y, const struct pof_operand *o)
{
    const uint8_t *p = o->by_field ? place(y, &o->at) : NULL;

    return p ? (uint32_t)pof_bits_get(p, o->at.offset, o->at.len) : o->number;
}

/* ---- actions ------------------------------------------------------------------------- */

static void send(struct way *y, uint32_t port, const uint8_t *p, uint32_t n)
{
    y->w->transmitted++;
    if (y->w->tx)
        y->w->tx(y->w->context, port, p, n);
}

/* Huawei sends from the packet's begin, USTC from where the instructions count; USTC's port 255 is
 * all but the one it came from. */
static void output(struct way *y, const struct pof_action *a)
{
    uint8_t out[POF_SWITCH_METADATA + sizeof(y->b)];
    uint32_t from = y->w->dialect == POF_USTC ? y->offset : 0;
    uint32_t meta = (a->metadata_len + 7u) / 8, port = a->arg;

    if (a->by_field)
        port = number(y, &(struct pof_operand){.by_field = true, .at = a->at}) & 0xffff;
    if (from + a->packet_offset > y->n) {
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return;
    }
    if ((uint32_t)a->metadata_offset + a->metadata_len > y->meta_n * 8) {
        fail(y, SOFTWARE, METADATA_LEN, "POF_METADATA_LEN_ERROR");
        return;
    }
    from += a->packet_offset;
    if (meta + y->n - from > POF_SWITCH_MTU) {
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return;
    }
    memset(out, 0, meta);
    pof_bits_copy(out, 0, y->meta, a->metadata_offset, a->metadata_len);
    memcpy(out + meta, y->b + from, y->n - from);
    if (y->w->dialect == POF_USTC && port == 255) {
        for (uint32_t i = 1; i <= y->w->ports; i++)
            if (i != y->in_port)
                send(y, i, out, meta + y->n - from);
    } else if (port == 0 || port > y->w->ports) {
        fail(y, BAD_ACTION, 4, "POFBAC_BAD_OUT_PORT");
    } else {
        send(y, port, out, meta + y->n - from);
    }
}

static void set_length(struct way *y)
{
    store_be16(y->meta, (uint16_t)y->n);
}

static void add_field(struct way *y, const struct pof_action *a)
{
    uint8_t tail[sizeof(y->b)] = {0};
    uint32_t behind;

    if (a->at.offset > bits_left(y) || y->n + (a->at.len + 7u) / 8 > POF_FRAME_MAX) {
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return;
    }
    behind = bits_left(y) - a->at.offset;
    pof_bits_copy(tail, 0, y->b + y->offset, a->at.offset, behind);
    pof_bits_copy(y->b + y->offset, a->at.offset, a->value, 0, a->at.len);
    pof_bits_copy(y->b + y->offset, (uint32_t)a->at.offset + a->at.len, tail, 0, behind);
    y->n += (a->at.len + 7u) / 8;
    set_length(y);
}

static void delete_field(struct way *y, const struct pof_action *a)
{
    uint32_t at = a->by_field ? a->over : a->at.offset, len = a->at.len, behind;
    uint8_t tail[sizeof(y->b)] = {0};

    if (a->by_field)
        len = number(y, &(struct pof_operand){.by_field = true, .at = a->at});
    if (at + len > bits_left(y)) {
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return;
    }
    behind = bits_left(y) - at - len;
    pof_bits_copy(tail, 0, y->b + y->offset, at + len, behind);
    pof_bits_copy(y->b + y->offset, at, tail, 0, behind);
    y->n = y->offset + (bits_left(y) - len + 7) / 8;
    set_length(y);
}

/* Sums of words as long as the checksum, as RFC 1071's; the field counts as 0. */
static void checksum(struct way *y, const struct pof_action *a)
{
    uint8_t *to = a->by_field & 1 ? y->meta : y->b + y->offset;
    const uint8_t *of = a->by_field & 2 ? y->meta : y->b + y->offset;
    uint32_t len = a->at.len;
    uint64_t sum = 0, limit;

    if (len == 0 || len > 32 || (uint32_t)a->over + a->over_len > bits_left(y) ||
        (uint32_t)a->at.offset + len > bits_left(y)) {
        fail(y, BAD_ACTION, 1, "POFBAC_BAD_LEN");
        return;
    }
    limit = UINT64_C(1) << len;
    pof_bits_set(to, a->at.offset, len, 0);
    for (uint32_t i = 0; i + len <= a->over_len; i += len) {
        sum += limit - 1 - pof_bits_get(of, a->over + i, len);
        if (sum >= limit)
            sum -= limit - 1;
    }
    pof_bits_set(to, a->at.offset, len, sum);
}

static void count(struct way *y, uint32_t id)
{
    if (id != 0 && id < POF_SWITCH_COUNTERS) {
        y->w->counter_there[id] = true;
        y->w->counter[id]++;
    }
}

static void set_field(struct way *y, const struct pof_action *a)
{
    uint8_t v[POF_VALUE_BYTES];

    if ((uint32_t)a->at.offset + a->at.len > bits_left(y)) {
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return;
    }
    for (uint32_t i = 0; i < POF_VALUE_BYTES; i++)
        v[i] = a->value[i] & a->mask[i];
    pof_bits_copy(y->b + y->offset, a->at.offset, v, 0, a->at.len);
}

static void set_from_metadata(struct way *y, const struct pof_action *a)
{
    if ((uint32_t)a->at.offset + a->at.len > bits_left(y) ||
        (uint32_t)a->metadata_offset + a->at.len > y->meta_n * 8)
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
    else
        pof_bits_copy(y->b + y->offset, a->at.offset, y->meta, a->metadata_offset, a->at.len);
}

static void modify_field(struct way *y, const struct pof_action *a)
{
    uint8_t *p = place(y, &a->at);

    if (p)
        pof_bits_set(p, a->at.offset, a->at.len,
                     (uint32_t)pof_bits_get(p, a->at.offset, a->at.len) + a->arg);
}

static void actions(struct way *y, const struct pof_action *a, uint32_t n);

/* Its actions take the place of those that would have followed. */
static void group(struct way *y, uint32_t id)
{
    if (id >= POF_SWITCH_GROUPS || !y->w->group_there[id]) {
        fail(y, GROUP_FAILED, 8, "POFGMFC_UNKNOWN_GROUP");
        return;
    }
    count(y, y->w->group[id].counter);
    actions(y, y->w->group[id].action, y->w->group[id].actions);
}

static void actions(struct way *y, const struct pof_action *a, uint32_t n)
{
    for (; n > 0 && !y->done; n--, a++) {
        switch ((enum pof_action_type)a->type) {
        case POFA_OUTPUT:
            output(y, a);
            break;
        case POFA_SET_FIELD:
            set_field(y, a);
            break;
        case POFA_SET_FIELD_FROM_METADATA:
            set_from_metadata(y, a);
            break;
        case POFA_MODIFY_FIELD:
            modify_field(y, a);
            break;
        case POFA_ADD_FIELD:
            add_field(y, a);
            break;
        case POFA_DELETE_FIELD:
            delete_field(y, a);
            break;
        case POFA_CALCULATE_CHECKSUM:
            checksum(y, a);
            break;
        case POFA_GROUP:
            group(y, a->arg);
            return;
        case POFA_DROP:
            y->done = true;
            break;
        case POFA_PACKET_IN:
            pof_switch_packet_in(y->w, y->b, y->n, y->in_port, (uint8_t)a->arg, y->global,
                                 y->entry ? y->entry->cookie & y->entry->cookie_mask : 0);
            break;
        case POFA_COUNTER:
            count(y, a->arg);
            break;
        case POFA_TYPES:
            fail(y, BAD_ACTION, 0, "POFBAC_BAD_TYPE");
            break;
        }
    }
}

/* ---- tables -------------------------------------------------------------------------- */

static bool matches(const struct way *y, const struct pof_table *t, const struct pof_entry *e)
{
    for (uint32_t i = 0; i < t->fields; i++) {
        const struct pof_match *m = &t->field[i];
        const uint8_t *p = m->field == POF_METADATA ? y->meta : y->b + y->offset;
        uint8_t key[POF_VALUE_BYTES] = {0};

        pof_bits_copy(key, 0, p, m->offset, m->len);
        for (uint32_t k = 0; k < (m->len + 7u) / 8; k++)
            if ((key[k] & e->match[i].mask[k]) != (e->match[i].value[k] & e->match[i].mask[k]))
                return false;
    }
    return true;
}

static struct pof_switch_table *table_of(struct way *y, uint32_t global)
{
    for (uint32_t k = 0; k < POF_TABLE_TYPES; k++) {
        if (global < y->w->tables[k])
            return &y->w->table[k][global];
        global -= y->w->tables[k];
    }
    fail(y, SOFTWARE, NO_TABLE, "POF_BAD_TABLE_ID");
    return NULL;
}

static bool move(struct way *y, uint32_t bytes, bool back)
{
    if (back ? bytes > y->offset : bytes > y->n - y->offset) {
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
        return false;
    }
    y->offset = back ? y->offset - bytes : y->offset + bytes;
    return true;
}

static void enter(struct way *y, const struct pof_entry *e)
{
    y->entry = e;
    y->next = 0;
    count(y, e->counter);
    if (e->instructions == 0)
        y->done = true;
}

/* The key is built by the table's own fields, not by those of the instruction. */
static void goto_table(struct way *y, const struct pof_instruction *i)
{
    struct pof_switch_table *t;
    const struct pof_entry *best = NULL;

    if (!move(y, i->packet_offset, false) || (t = table_of(y, i->table)) == NULL)
        return;
    y->global = i->table;
    if (!t->there) {
        fail(y, BAD_INSTRUCTION, 17, "POFBIC_TABLE_UNEXIST");
        return;
    }
    for (uint32_t k = 0; k < t->t.size; k++)
        if (t->slot[k] && matches(y, &t->t, t->slot[k]) &&
            (!best || t->slot[k]->priority > best->priority))
            best = t->slot[k];
    if (best) {
        enter(y, best);
        return;
    }
    y->w->missed++;
    y->done = true;
    if (y->w->dialect == POF_USTC)
        pof_switch_packet_in(y->w, y->b, y->n, y->in_port, 0, y->global, 0);
}

static void goto_direct(struct way *y, const struct pof_instruction *i)
{
    struct pof_switch_table *t;
    uint32_t index = i->operand[0].by_field ? number(y, &i->operand[0]) : i->arg;

    if (!move(y, i->packet_offset, false) || (t = table_of(y, i->table)) == NULL)
        return;
    y->global = i->table;
    if (!t->there || t->t.type != POF_LINEAR || index >= t->t.size || !t->slot[index])
        fail(y, BAD_ACTION, 18, "POFBIC_ENTRY_UNEXIST");
    else
        enter(y, t->slot[index]);
}

/* ---- instructions -------------------------------------------------------------------- */

static void write_metadata(struct way *y, const struct pof_instruction *i, const uint8_t *from,
                           uint32_t at)
{
    if ((uint32_t)i->metadata_offset + i->len > y->meta_n * 8)
        fail(y, SOFTWARE, METADATA_LEN, "POF_METADATA_LEN_ERROR");
    else if (from == y->b + y->offset && at + i->len > bits_left(y))
        fail(y, SOFTWARE, PACKET_LEN, "POF_PACKET_LEN_ERROR");
    else
        pof_bits_copy(y->meta, i->metadata_offset, from, at, i->len);
}

static void calculate(struct way *y, const struct pof_instruction *i)
{
    uint32_t v, by = number(y, &i->operand[0]);
    uint8_t *p = place(y, &i->at);

    if (!p)
        return;
    v = (uint32_t)pof_bits_get(p, i->at.offset, i->at.len);
    switch (i->arg) {
    case 0:
        v += by;
        break;
    case 1:
        v -= by;
        break;
    case 2:
        v = by < 32 ? v << by : 0;
        break;
    case 3:
        v = by < 32 ? v >> by : 0;
        break;
    case 4:
        v &= by;
        break;
    case 5:
        v |= by;
        break;
    case 6:
        v ^= by;
        break;
    case 7:
        v = ~(v | by);
        break;
    default:
        fail(y, BAD_INSTRUCTION, 0, "POFBIC_UNKNOWN_INST");
        return;
    }
    pof_bits_set(p, i->at.offset, i->at.len, v);
}

static void jump(struct way *y, const struct pof_instruction *i)
{
    uint32_t a = number(y, &(struct pof_operand){.by_field = true, .at = i->at});
    uint32_t b = number(y, &i->operand[0]);
    const struct pof_operand *o = &i->operand[a < b ? 1 : a == b ? 2 : 3];
    uint32_t by = number(y, o), here = y->next - 1;

    if (o->backward ? by > here : by > y->entry->instructions)
        fail(y, BAD_INSTRUCTION, 20, "POFBIC_JUMP_TO_INVALID_INST");
    else
        y->next = o->backward ? here - by : here + by;
}

static void instruction(struct way *y, const struct pof_instruction *i)
{
    switch ((enum pof_instruction_type)i->type) {
    case POFI_GOTO_TABLE:
        goto_table(y, i);
        return;
    case POFI_GOTO_DIRECT_TABLE:
        goto_direct(y, i);
        return;
    case POFI_WRITE_METADATA:
        write_metadata(y, i, i->value, 0);
        break;
    case POFI_WRITE_METADATA_FROM_PACKET:
        write_metadata(y, i, y->b + y->offset, i->packet_offset);
        break;
    case POFI_APPLY_ACTIONS:
        actions(y, i->action, i->actions);
        break;
    case POFI_METER:
        if (i->arg >= POF_SWITCH_METERS || !y->w->meter_there[i->arg])
            fail(y, 12, 3, "POFMMFC_UNKNOWN_METER");
        break;
    case POFI_CONDITIONAL_JUMP:
        jump(y, i);
        break;
    case POFI_CALCULATE_FIELD:
        calculate(y, i);
        break;
    case POFI_MOVE_PACKET_OFFSET:
        move(y, number(y, &i->operand[0]), i->operand[0].backward);
        break;
    }
    if (!y->done && y->next >= y->entry->instructions)
        y->done = true;
}

/* ---- packets ------------------------------------------------------------------------- */

/* Pipelines end: tables may lead to each other in a ring. */
enum { STEPS_MAX = 200 };

void pof_switch_packet(struct pof_switch *w, uint32_t port, const uint8_t *frame, size_t n)
{
    struct way y = {.w = w, .n = (uint32_t)n, .meta_n = POF_SWITCH_METADATA, .in_port = port};
    struct pof_instruction first = {.type = POFI_GOTO_TABLE};

    if (!w->port[port - 1].pof_enabled || n > POF_SWITCH_MTU || !w->table[POF_MM][0].there)
        return;
    w->rx++;
    memcpy(y.b, frame, n);
    set_length(&y);
    y.meta[2] = (uint8_t)port;
    goto_table(&y, &first);
    for (int i = 0; i < STEPS_MAX && !y.done; i++)
        instruction(&y, &y.entry->instruction[y.next++]);
}

void pof_switch_apply(struct pof_switch *w, const struct pof_packet_out *o)
{
    struct way y = {.w = w, .n = o->frame_len, .in_port = o->in_port};

    memcpy(y.b, o->frame, o->frame_len);
    actions(&y, o->action, o->actions);
}
