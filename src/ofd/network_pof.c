/* The part of the file that is a program of POF: its words go to sdn/pof_program.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofd/network_int.h"
#include "os/os.h"
#include "sdn/pof_program.h"

#define RULES_MAX 4096u

struct network_pof {
    struct pof_program program;
    struct pof_rule rule[RULES_MAX];
};

static struct pof_program *program_of(struct reader *r)
{
    return &r->net->pof->program;
}

/* ---- protocols ------------------------------------------------------------------------ */

static bool take_field(struct reader *r, const yaml_node_t *n, const void *arg)
{
    uint64_t bits, offset = 0;
    const char *name;

    (void)arg;
    if (!reader_is_map(r, n, "a field", "name bits offset") ||
        !(name = reader_want_text(r, n, "name")) || !reader_want_number(r, n, "bits", 65535, &bits))
        return false;
    yaml_node_t *at = reader_member(r, n, "offset");
    if (at && !reader_number(r, at, "offset", 65535, &offset))
        return false;
    return reader_judged(r, n,
                         pof_program_field(program_of(r), name, at ? (int32_t)offset : -1,
                                           (uint32_t)bits, reader_words(r)));
}

/* arg: true: its fields are metadata's. */
static bool take_protocol(struct reader *r, const yaml_node_t *n, const void *arg)
{
    bool metadata = *(const bool *)arg;
    const char *name;
    uint64_t at;

    if (!reader_is_map(r, n, "a protocol", "name at fields") ||
        !(name = reader_want_text(r, n, "name")) || !reader_want_number(r, n, "at", 65535, &at))
        return false;
    bool good = metadata ? pof_program_metadata(program_of(r), name, (uint32_t)at, reader_words(r))
                         : pof_program_protocol(program_of(r), name, (uint32_t)at, reader_words(r));
    return reader_judged(r, n, good) &&
           reader_each(r, reader_member(r, n, "fields"), "fields", take_field, NULL);
}

/* ---- tables --------------------------------------------------------------------------- */

static bool take_key(struct reader *r, const yaml_node_t *n, const void *arg)
{
    const char *field = reader_text(n);

    (void)arg;
    if (!field)
        return reader_bad(r, n, "expected a field like label.id");
    return reader_judged(r, n, pof_program_key(program_of(r), field, reader_words(r)));
}

static bool take_table(struct reader *r, const yaml_node_t *n, const void *arg)
{
    const char *name, *type;
    uint64_t size;

    (void)arg;
    if (!reader_is_map(r, n, "a table", "name type size keys miss") ||
        !(name = reader_want_text(r, n, "name")) || !(type = reader_want_text(r, n, "type")) ||
        !reader_want_number(r, n, "size", UINT32_MAX, &size))
        return false;
    return reader_judged(
               r, n,
               pof_program_table(program_of(r), name, type, (uint32_t)size, reader_words(r))) &&
           reader_each(r, reader_member(r, n, "keys"), "fields", take_key, NULL);
}

/* After all tables: a miss may go to a later one. */
static bool take_miss(struct reader *r, const yaml_node_t *n, const void *arg)
{
    yaml_node_t *miss = reader_member(r, n, "miss");

    (void)arg;
    if (!miss)
        return true;
    if (!reader_text(miss))
        return reader_bad(r, miss, "expected a step like forward, drop or controller");
    return reader_judged(r, miss,
                         pof_program_miss(program_of(r), reader_text(reader_member(r, n, "name")),
                                          reader_text(miss), reader_words(r)));
}

/* ---- rules ---------------------------------------------------------------------------- */

static bool take_step(struct reader *r, const yaml_node_t *n, const void *arg)
{
    struct pof_rule *rule = *(struct pof_rule *const *)arg;
    const char *step = reader_text(n);

    if (!step)
        return reader_bad(r, n, "expected a step like 'output 3'");
    return reader_judged(r, n, pof_rule_step(program_of(r), rule, step, reader_words(r)));
}

static bool take_matches(struct reader *r, const yaml_node_t *n, struct pof_rule *rule)
{
    if (n->type != YAML_MAPPING_NODE)
        return reader_bad(r, n, "expected a match: a mapping of fields to values");
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *value = reader_node(r, p->value);
        const char *field = reader_text(reader_node(r, p->key)), *text = reader_text(value);
        if (!field || !text)
            return reader_bad(r, value, "expected a field and a value like label.id: 0x22");
        if (!reader_judged(r, value,
                           pof_rule_match(program_of(r), rule, field, text, reader_words(r))))
            return false;
    }
    return true;
}

static bool take_dpid(struct reader *r, const yaml_node_t *n, uint64_t *dpid)
{
    const char *text = reader_text(n);
    char *end = NULL;

    errno = 0;
    *dpid = text && *text ? strtoull(text, &end, strlen(text) == 16 ? 16 : 0) : 0;
    return (end && *end == '\0' && errno == 0) ||
           reader_bad(r, n, "switch: expected a datapath id, not '%s'",
                      text ? text : "a list or mapping");
}

static bool take_rule(struct reader *r, const yaml_node_t *n, const void *arg)
{
    struct pof_program *p = program_of(r);
    uint64_t priority, dpid = 0;
    struct pof_rule rule, *into = &rule;
    const char *table;

    (void)arg;
    if (!reader_is_map(r, n, "a rule", "table priority switch match steps") ||
        !(table = reader_want_text(r, n, "table")) ||
        !reader_want_number(r, n, "priority", 65535, &priority))
        return false;
    yaml_node_t *sw = reader_member(r, n, "switch"), *match = reader_member(r, n, "match");
    if (sw && !take_dpid(r, sw, &dpid))
        return false;
    if (!reader_judged(r, n,
                       pof_rule_begin(p, &rule, table, (uint32_t)priority, dpid, reader_words(r))))
        return false;
    if (match && !take_matches(r, match, &rule))
        return false;
    return reader_each(r, reader_member(r, n, "steps"), "steps", take_step, &into) &&
           reader_judged(r, n, pof_rule_check(p, &rule, OFP_NONE, reader_words(r))) &&
           reader_judged(r, n, pof_program_rule(p, &rule, reader_words(r)));
}

/* ---- all of it ------------------------------------------------------------------------ */

bool network_pof_read(struct reader *r, const yaml_node_t *n)
{
    static const bool yes = true, no = false;
    yaml_node_t *tables;

    if (!reader_is_map(r, n, "pof", "metadata protocols tables rules"))
        return false;
    tables = reader_member(r, n, "tables");
    r->net->pof = os_reserve(sizeof(*r->net->pof), false);
    if (!r->net->pof)
        return reader_bad(r, n, "no memory");
    pof_program_init(&r->net->pof->program, r->net->pof->rule, RULES_MAX);
    return reader_each(r, reader_member(r, n, "metadata"), "metadata", take_protocol, &yes) &&
           reader_each(r, reader_member(r, n, "protocols"), "protocols", take_protocol, &no) &&
           reader_each(r, tables, "tables", take_table, NULL) &&
           reader_each(r, tables, "tables", take_miss, NULL) &&
           reader_each(r, reader_member(r, n, "rules"), "rules", take_rule, NULL) &&
           reader_judged(r, n, pof_program_check(program_of(r), reader_words(r)));
}

const struct pof_program *network_pof_program(const struct network_pof *p)
{
    return &p->program;
}

void network_pof_free(struct network_pof *p)
{
    if (p)
        os_release(p, sizeof(*p));
}
