/* POF: the program, a switch's tables and entries; entries in words (sdn/pof_program.h). */
#include <string.h>

#include "north/serve.h"
#include "sdn/pof_program.h"

void serve_pof(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_POF};

    call_reply(c, ask_one(c, 0, &q));
}

void serve_pof_switch(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_POF};

    if (call_dpid(c, 0, true, &q.dpid))
        call_reply(c, ask_one(c, 0, &q));
}

static bool words_match(json_t *match, struct pof_rule_words *r, struct why *w)
{
    const char *key;
    json_t *v;

    if (match != NULL && !json_is_object(match))
        return why_say(w, "match: not an object");
    json_object_foreach(match, key, v)
    {
        if (r->matches == POF_FIELDS_MAX)
            return why_say(w, "match: more than %u fields", POF_FIELDS_MAX);
        if (!json_is_string(v))
            return why_say(w, "match.%.40s: a string is wanted (\"17\", \"0x11/0xff\")", key);
        r->match[r->matches].field = key;
        r->match[r->matches++].value = json_string_value(v);
    }
    return true;
}

static bool words_steps(json_t *steps, struct pof_rule_words *r, struct why *w)
{
    json_t *v;
    size_t i;

    if (steps != NULL && !json_is_array(steps))
        return why_say(w, "steps: not an array");
    json_array_foreach(steps, i, v)
    {
        if (r->steps == POF_STEPS_MAX)
            return why_say(w, "steps: more than %u", POF_STEPS_MAX);
        if (!json_is_string(v))
            return why_say(w, "steps[%zu]: a string is wanted (\"output 3\")", i);
        r->step[r->steps++] = json_string_value(v);
    }
    return true;
}

/* The words are borrowed from the body. */
static bool words_read(json_t *o, struct pof_rule_words *r, struct why *w)
{
    static const char *const keys[] = {"id", "table", "priority", "match", "steps", NULL};
    json_t *id = json_object_get(o, "id"), *priority = json_object_get(o, "priority");
    json_t *table = json_object_get(o, "table");
    uint64_t n = 0, level = 0;

    if (!keys_in(o, "body", keys, w) || (id && !number_in(id, UINT32_MAX, "id", &n, w)) ||
        (priority && !number_in(priority, 65535, "priority", &level, w)))
        return false;
    if (table != NULL && !json_is_string(table))
        return why_say(w, "table: a name is wanted");
    r->id = (uint32_t)n;
    r->priority = (uint32_t)level;
    r->table = table != NULL ? json_string_value(table) : NULL;
    if (r->id == 0 && r->table == NULL)
        return why_say(w, "table: is missing");
    return words_match(json_object_get(o, "match"), r, w) &&
           words_steps(json_object_get(o, "steps"), r, w);
}

static void pof_command(struct call *c, enum sdn_ask_kind k, unsigned done)
{
    struct pof_rule_words r = {0};
    struct sdn_ask q = {.kind = k, .pof_entry = &r};
    struct why w;

    if (!call_dpid(c, 0, true, &q.dpid))
        return;
    r.dpid = q.dpid;
    if (c->body == NULL)
        call_fail(c, 400, "body: is missing (PofEntry)");
    else if (words_read(c->body, &r, &w))
        ask_command(c, &q, done);
    else
        call_fail(c, 400, "%s", w.text);
}

void do_pof_add(struct call *c)
{
    pof_command(c, SDN_DO_POF_ADD, 201);
}

void do_pof_delete(struct call *c)
{
    pof_command(c, SDN_DO_POF_DELETE, 200);
}
