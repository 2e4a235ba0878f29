/* What a switch should have and what it has; the way from one to the other. */
#include "sdn/pof_int.h"

/* A batch leaves as one piece (chunk.c), its ECHO_REQUEST with it. */
#define BATCH_BYTES 1400u
#define FENCE_US (USEC_PER_SEC / 2)
#define SILENT_MAX 3u
#define TRIES_MAX 3u

/* ---- slots --------------------------------------------------------------------------- */

uint32_t slot_table(const struct pof_on *on, uint32_t slot)
{
    uint32_t t = 0;

    while (slot >= on->table[t].first + on->table[t].size)
        t++;
    return t;
}

uint32_t slot_find(const struct pof_on *on, uint32_t t, uint64_t key)
{
    const struct pof_table_on *table = &on->table[t];

    for (uint32_t i = table->first; i < table->first + table->used; i++)
        if ((on->slot[i].flags & SLOT_WANTED) && on->slot[i].key == key)
            return i;
    return POF_NO_SLOT;
}

static void enqueue(struct pof_on *on, uint32_t slot)
{
    struct pof_slot *x = &on->slot[slot];

    if (x->flags & SLOT_QUEUED)
        return;
    x->flags |= SLOT_QUEUED;
    x->next = POF_NO_SLOT;
    if (on->queue == POF_NO_SLOT)
        on->queue = slot;
    else
        on->slot[on->queue_last].next = slot;
    on->queue_last = slot;
}

/* A free one; one that is to be deleted is free when it has been. */
static uint32_t slot_free(struct pof_on *on, struct pof_table_on *table)
{
    for (uint32_t i = table->first; i < table->first + table->used; i++)
        if (on->slot[i].flags == 0)
            return i;
    if (table->used == table->size)
        return POF_NO_SLOT;
    on->slot[table->first + table->used] = (struct pof_slot){0};
    return table->first + table->used++;
}

static uint32_t slot_oldest(const struct pof_on *on, const struct pof_table_on *table)
{
    uint32_t best = POF_NO_SLOT;

    for (uint32_t i = table->first; i < table->first + table->used; i++) {
        const struct pof_slot *x = &on->slot[i];

        if ((x->flags & SLOT_WANTED) && !forward_is_kept(x->key) &&
            (best == POF_NO_SLOT || x->seen < on->slot[best].seen))
            best = i;
    }
    return best;
}

uint32_t slot_take(struct sdn *s, struct pof_on *on, uint32_t t, uint64_t key)
{
    struct pof_table_on *table = &on->table[t];
    uint32_t i = slot_find(on, t, key);

    if (i != POF_NO_SLOT)
        return i;
    i = slot_free(on, table);
    if (i == POF_NO_SLOT && t >= pof_table_s(on))
        i = slot_oldest(on, table);
    if (i == POF_NO_SLOT)
        return i;
    on->slot[i].key = key;
    on->slot[i].arg = 0;
    on->slot[i].tries = 0;
    on->slot[i].seen = s->now_s;
    on->slot[i].flags |= SLOT_WANTED;
    enqueue(on, i);
    return i;
}

void slot_want(struct sdn *s, struct pof_on *on, uint32_t slot, uint64_t arg)
{
    struct pof_slot *x = &on->slot[slot];

    x->seen = s->now_s;
    if (x->arg == arg)
        return;
    x->arg = arg;
    x->tries = 0;
    enqueue(on, slot);
}

void slot_drop(struct pof_on *on, uint32_t slot)
{
    struct pof_slot *x = &on->slot[slot];

    x->flags &= (uint8_t)~SLOT_WANTED;
    if (x->flags & SLOT_THERE)
        enqueue(on, slot);
}

uint32_t send_there(const struct pof_on *on, uint32_t t)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < on->table[t].used; i++)
        n += (on->slot[on->table[t].first + i].flags & SLOT_THERE) != 0;
    return n;
}

/* ---- tables -------------------------------------------------------------------------- */

#define S_SLOTS 1024u
#define D_SLOTS 2048u

static bool table_plan(struct pof_on *on, uint8_t type, uint32_t size, uint8_t count[])
{
    struct pof_table_on *t = &on->table[on->tables];
    const struct pof_resource *r = &on->resources.table[type];
    uint32_t first = on->tables ? t[-1].first + t[-1].size : 0, global = count[type];

    /* A report that says nothing is no reason not to try. */
    if (on->has_resources && count[type] >= r->tables)
        return false;
    if (on->has_resources && r->size > 0)
        size = min_u32(size, r->size);
    if (first + size > POF_SLOTS_MAX)
        size = POF_SLOTS_MAX - first;
    if (size < 2)
        return false;
    for (uint32_t k = 0; k < type; k++)
        global += on->resources.table[k].tables;
    *t = (struct pof_table_on){
        .type = type, .id = count[type]++, .global = (uint8_t)global, .size = size, .first = first};
    on->tables++;
    return true;
}

static bool plan(const struct pof_program *p, struct pof_on *on)
{
    uint8_t count[POF_TABLE_TYPES] = {0};

    on->tables = 0;
    for (uint32_t i = 0; i < p->tables; i++) {
        if (!table_plan(on, (uint8_t)p->table[i].type, p->table[i].size, count))
            return false;
        on->global[i] = on->table[i].global;
    }
    if (!table_plan(on, POF_MM, S_SLOTS, count) || !table_plan(on, POF_MM, D_SLOTS, count))
        return false;
    on->global[POF_TABLES_MAX] = on->table[pof_table_s(on)].global;
    return true;
}

bool send_plan(struct sdn *s, struct sdn_switch *sw)
{
    if (plan(&s->pof->program, pof_on(sw)))
        return true;
    pof_on(sw)->tables = 0;
    return false;
}

static void table_decl(const struct pof *p, const struct pof_on *on, uint32_t t,
                       struct pof_table *out)
{
    *out = (struct pof_table){.command = POF_TABLE_ADD};
    if (t < p->program.tables) {
        const struct pof_table_decl *d = &p->program.table[t];

        memcpy(out->name, d->name, POF_WORD);
        out->fields = d->fields;
        for (uint32_t i = 0; i < d->fields; i++)
            out->field[i] = p->program.field[d->field[i]].place;
    } else {
        forward_table(t - pof_table_s(on), out);
    }
    out->id = on->table[t].id;
    out->type = on->table[t].type;
    out->size = on->table[t].size;
    for (uint32_t i = 0; i < out->fields; i++)
        out->key_bits = (uint16_t)(out->key_bits + out->field[i].len);
}

/* ---- messages ------------------------------------------------------------------------ */

static void sent(struct pof_on *on, uint32_t xid, uint32_t slot)
{
    on->sent[on->batch].xid = xid;
    on->sent[on->batch++].slot = slot;
}

/* One TABLE_MOD; bytes, 0: none is left to send. */
static size_t say_table(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);
    struct pof_table t;
    uint32_t xid;
    uint8_t *b;
    size_t n;

    if (on->table_next == on->tables)
        return 0;
    b = say_begin(s, sw, 256, true);
    if (!b)
        return 0;
    table_decl(s->pof, on, on->table_next, &t);
    xid = xid_next(sw);
    n = pof_emit_table_mod(sw->dialect, b, 256, xid, &t);
    say_end(s, sw, n, true);
    sent(on, xid, POF_NO_SLOT);
    on->table[on->table_next++].made = true;
    return n;
}

/* The interface that leads to us must not be forwarded on: its every packet would come to us in a
 * packet, and so on.  A Huawei switch takes its device id from that interface's address. */
static bool is_control(const struct sdn_switch *sw, const struct ofp_port *p)
{
    return sw->dpid >> 24 != 0 && load_be32(p->mac.b + 2) == sw->dpid;
}

static size_t say_port(struct sdn *s, struct sdn_switch *sw)
{
    struct sdn_port *p = sw->ports;
    uint32_t xid;
    uint8_t *b;
    size_t n;

    while (p && (p->desc.pof_enabled || is_control(sw, &p->desc)))
        p = p->next;
    b = p ? say_begin(s, sw, 256, true) : NULL;
    if (!b)
        return 0;
    p->desc.pof_enabled = true;
    xid = xid_next(sw);
    n = ofp_emit_port_mod(sw->dialect, b, 256, xid, &p->desc, 0, 0);
    say_end(s, sw, n, true);
    sent(pof_on(sw), xid, POF_NO_SLOT);
    return n;
}

/* What the first slot of the queue needs. */
static bool entry_make(struct sdn *s, struct sdn_switch *sw, uint32_t slot, struct pof_entry *e)
{
    struct pof_on *on = pof_on(sw);
    struct pof_slot *x = &on->slot[slot];
    uint32_t t = slot_table(on, slot);
    bool is = true;

    if (!(x->flags & SLOT_WANTED))
        *e = (struct pof_entry){.command = POF_ENTRY_DELETE};
    else if (t < pof_table_s(on))
        is = rules_build(s, sw, t, x, e);
    else
        forward_build(s, sw, t, x, e);
    if (!is)
        return false;
    if (x->flags & SLOT_WANTED)
        e->command = x->flags & SLOT_THERE ? POF_ENTRY_MODIFY : POF_ENTRY_ADD;
    e->table = on->table[t].id;
    e->type = on->table[t].type;
    e->index = slot - on->table[t].first;
    return true;
}

static size_t say_entry(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);
    struct pof_entry e;

    while (on->queue != POF_NO_SLOT) {
        uint32_t slot = on->queue, xid;
        struct pof_slot *x = &on->slot[slot];
        uint8_t *b;
        size_t n;

        if ((x->flags & (SLOT_WANTED | SLOT_THERE)) && entry_make(s, sw, slot, &e)) {
            b = say_begin(s, sw, 2304, true);
            if (!b)
                return 0;
            xid = xid_next(sw);
            n = pof_emit_entry(sw->dialect, b, 2304, xid, &e);
            say_end(s, sw, n, true);
        } else {
            n = 0;
            xid = 0;
        }
        on->queue = x->next;
        x->flags &= (uint8_t)~SLOT_QUEUED;
        if (n == 0) {
            x->flags &= (uint8_t)~SLOT_WANTED;
            continue;
        }
        x->flags = x->flags & SLOT_WANTED ? x->flags | SLOT_THERE : x->flags & (uint8_t)~SLOT_THERE;
        sent(on, xid, slot);
        on->entries_sent++;
        sw->flow_mods++;
        s->stats.flow_mods++;
        return n;
    }
    return 0;
}

static size_t say_next(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);
    size_t n = 0;

    if (on->stage == STAGE_TABLES) {
        n = say_table(s, sw);
        if (n > 0 || on->table_next < on->tables)
            return n;
        on->stage = STAGE_ENTRIES;
        rules_begin(s, sw);
        forward_begin(s, sw);
    }
    if (on->stage == STAGE_ENTRIES) {
        n = say_entry(s, sw);
        if (n > 0 || on->queue != POF_NO_SLOT)
            return n;
        on->stage = STAGE_PORTS;
        forward_look(s, sw);
        forward_hosts(s, sw);
    }
    if (on->stage == STAGE_PORTS || on->stage == STAGE_RUN) {
        n = say_port(s, sw);
        if (n > 0)
            return n;
        on->stage = STAGE_RUN;
        n = on->batch == 0 ? say_entry(s, sw) : 0;
    }
    return n;
}

/* What the largest message that may come next takes. */
static size_t largest(const struct sdn_switch *sw)
{
    const struct pof_on *on = pof_on(sw);

    if (on->stage == STAGE_TABLES && on->table_next < on->tables)
        return 152;
    if (on->stage == STAGE_PORTS)
        return 136;
    return sw->dialect == POF_USTC ? 2192 : 1200;
}

void send_more(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);
    size_t bytes = OFP_HLEN, n;

    if (on->fenced || on->stage == STAGE_SHAKE || on->tables == 0 || sw->phase != PHASE_UP)
        return;
    on->batch = 0;
    while (on->batch == 0 || (bytes + largest(sw) <= BATCH_BYTES && on->batch < POF_BATCH)) {
        n = say_next(s, sw);
        if (n == 0)
            break;
        bytes += n;
    }
    if (on->batch == 0)
        return;
    on->fenced = true;
    on->fence_at = s->now + (on->deaf ? FENCE_US / 10 : FENCE_US);
    on->fence_xid = sw->next_xid & 0x7fffffff;
    if (!on->deaf)
        say_plain(s, sw, OFP_ECHO_REQUEST);
    if (on->fence_at < on->look_at)
        on->look_at = on->fence_at;
}

/* ---- answers ------------------------------------------------------------------------- */

void send_answered(struct sdn *s, struct sdn_switch *sw, uint32_t xid)
{
    struct pof_on *on = pof_on(sw);

    if (!on->fenced || xid != on->fence_xid)
        return;
    on->fenced = false;
    on->silent = 0;
    send_more(s, sw);
}

/* A switch that answers no ECHO_REQUEST is given time instead. */
void send_advance(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);

    if (on->fenced && s->now >= on->fence_at) {
        on->fenced = false;
        on->deaf = on->deaf || ++on->silent >= SILENT_MAX;
    }
    send_more(s, sw);
    if (on->fenced && on->fence_at < on->look_at)
        on->look_at = on->fence_at;
}

/* Errors of type FLOW_MOD_FAILED: 8, the slot is used (or its match is, elsewhere); 9, it is
 * not. */
void send_refused(struct sdn *s, struct sdn_switch *sw, uint32_t xid, const struct ofp_error_msg *e)
{
    struct pof_on *on = pof_on(sw);
    struct pof_slot *x;
    uint32_t i = 0;

    on->refused++;
    while (i < on->batch && on->sent[i].xid != xid)
        i++;
    if (i == on->batch || on->sent[i].slot == POF_NO_SLOT)
        return;
    x = &on->slot[on->sent[i].slot];
    if (e->type == 5 && e->code == 8)
        x->flags |= SLOT_THERE;
    else
        x->flags &= (uint8_t)~SLOT_THERE;
    if (!(x->flags & SLOT_WANTED))
        return;
    if (e->type != 5 || (e->code != 8 && e->code != 9) || ++x->tries > TRIES_MAX) {
        x->flags = 0;
        event_note(s, EVENT_REFUSED, sw->dpid, 0, "an entry was refused for good");
        return;
    }
    enqueue(on, on->sent[i].slot);
}
