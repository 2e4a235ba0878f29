/* Questions and commands about the POF program: protocols, tables, entries. */
#include "sdn/pof_int.h"
#include "stat/json.h"

static void text_put(struct json *j, const char *key,
                     void (*print)(struct fmt *f, const void *a, const struct pof_program *p),
                     const void *a, const struct pof_program *p)
{
    char text[1024];
    struct fmt f;

    fmt_init(&f, text, sizeof(text));
    print(&f, a, p);
    json_str(j, key, text);
}

static void step_text(struct fmt *f, const void *a, const struct pof_program *p)
{
    pof_step_print(f, p, a);
}

static void rule_text(struct fmt *f, const void *a, const struct pof_program *p)
{
    pof_rule_print(f, p, a);
}

static void protocols(struct json *j, const struct pof_program *p)
{
    json_array(j, "protocols");
    for (uint32_t i = 0; i < p->protocols; i++) {
        json_object(j, NULL);
        json_str(j, "name", p->protocol[i].name);
        json_u64(j, "at", p->protocol[i].at);
        json_bool(j, "metadata", p->protocol[i].metadata);
        json_array(j, "fields");
        for (uint32_t k = 0; k < p->fields; k++) {
            if (p->field[k].protocol != i)
                continue;
            json_object(j, NULL);
            json_str(j, "name", p->field[k].name);
            json_u64(j, "offset", (uint64_t)p->field[k].place.offset - p->protocol[i].at);
            json_u64(j, "bits", p->field[k].place.len);
            json_end(j);
        }
        json_end(j);
        json_end(j);
    }
    json_end(j);
}

static void tables(struct json *j, const struct pof_program *p, const struct pof_on *on)
{
    json_array(j, "tables");
    for (uint32_t i = 0; i < p->tables; i++) {
        const struct pof_table_decl *t = &p->table[i];
        char name[2 * POF_WORD];

        json_object(j, NULL);
        json_str(j, "name", t->name);
        json_str(j, "type", pof_table_type_name(t->type));
        json_u64(j, "size", on ? on->table[i].size : t->size);
        json_array(j, "match");
        for (uint32_t k = 0; k < t->fields; k++) {
            const struct pof_field *f = &p->field[t->field[k]];
            fmt_print(name, sizeof(name), "%s.%s", p->protocol[f->protocol].name, f->name);
            json_str(j, NULL, name);
        }
        json_end(j);
        text_put(j, "miss", step_text, &t->miss, p);
        if (on) {
            json_u64(j, "table", on->table[i].global);
            json_u64(j, "there", send_there(on, i));
        }
        json_end(j);
    }
    json_end(j);
}

static void entries(struct json *j, const struct pof_program *p, const struct sdn_switch *sw)
{
    json_array(j, "entries");
    for (uint32_t i = 0; i < p->rules; i++) {
        const struct pof_rule *r = &p->rule[i];

        if (sw && r->dpid != 0 && r->dpid != sw->dpid)
            continue;
        json_object(j, NULL);
        json_u64(j, "id", r->id);
        json_u64(j, "dpid", r->dpid);
        json_str(j, "table", p->table[r->table].name);
        json_u64(j, "priority", r->priority);
        text_put(j, "text", rule_text, r, p);
        json_array(j, "do");
        for (uint32_t k = 0; k < r->steps; k++)
            text_put(j, NULL, step_text, &r->step[k], p);
        json_end(j);
        if (sw) {
            uint32_t slot = slot_find(pof_on(sw), r->table, r->id);
            json_bool(j, "there",
                      slot != POF_NO_SLOT && (pof_on(sw)->slot[slot].flags & SLOT_THERE));
        }
        json_end(j);
    }
    json_end(j);
}

static void show(struct sdn *s, struct sdn_ask *q)
{
    const struct pof_program *p = &s->pof->program;
    struct sdn_switch *sw = q->dpid ? sdn_switch_find(s, q->dpid) : NULL;
    struct json j;

    if (q->dpid && !sw) {
        uint32_t net = net_find(s, q->dpid);
        bool elsewhere =
            net != NET_NONE && s->net->sw[net].connected && s->net->sw[net].core != s->config.core;

        q->core = elsewhere ? s->net->sw[net].core : 0;
        ask_refused(s, q, elsewhere ? 421 : 404, "no such switch is connected");
        return;
    }
    if (sw && !sw->pof) {
        ask_refused(s, q, 501, "it speaks OpenFlow");
        return;
    }
    json_init(&j, q->buf, q->cap);
    json_object(&j, NULL);
    protocols(&j, p);
    tables(&j, p, sw && pof_on(sw)->tables > 0 ? pof_on(sw) : NULL);
    entries(&j, p, sw && pof_on(sw)->tables > 0 ? sw : NULL);
    json_end(&j);
    q->n = json_fini(&j);
    if (q->n == 0)
        ask_refused(s, q, 413, "the answer is too long");
    else
        ask_answered(s, q, 200);
}

static unsigned delete_named(struct sdn *s, const struct pof_rule_words *w, uint32_t *id,
                             struct fmt *why)
{
    const struct pof_program *p = &s->pof->program;
    struct pof_rule r;

    *id = w->id;
    if (w->id != 0)
        return rules_delete(s, w->id, why);
    if (!pof_rule_read(p, &r, w, why))
        return 400;
    for (uint32_t i = 0; i < p->rules; i++) {
        if (!pof_rule_same(p, &p->rule[i], &r))
            continue;
        *id = p->rule[i].id;
        return rules_delete(s, *id, why);
    }
    fmt_add(why, "no such entry");
    return 404;
}

static void command(struct sdn *s, struct sdn_ask *q)
{
    const struct pof_rule_words *w = q->pof_entry;
    struct pof_rule r;
    char text[200];
    struct fmt why;
    struct json j;
    uint32_t id = 0;
    unsigned status;

    fmt_init(&why, text, sizeof(text));
    if (!sdn_is_seat(s)) {
        q->core = 0;
        ask_refused(s, q, 421, "another core's");
        return;
    }
    if (q->kind == SDN_DO_POF_DELETE)
        status = delete_named(s, w, &id, &why);
    else
        status = pof_rule_read(&s->pof->program, &r, w, &why) ? rules_add(s, &r, &id, &why) : 400;
    if (status != 200) {
        ask_refused(s, q, status, text);
        return;
    }
    json_init(&j, q->buf, q->cap);
    json_object(&j, NULL);
    json_u64(&j, "id", id);
    json_end(&j);
    q->n = json_fini(&j);
    ask_answered(s, q, 200);
}

void pof_ask(struct sdn *s, struct sdn_ask *q, instant now)
{
    (void)now;
    if (q->kind == SDN_ASK_POF)
        show(s, q);
    else
        command(s, q);
}
