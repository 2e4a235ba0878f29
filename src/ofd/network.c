/* The file: YAML's nodes, which know their lines, into links and a program of POF. */
#include "ofd/network_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
bool reader_bad(struct reader *r, const yaml_node_t *at, const char *how, ...)
{
    va_list args;
    int n = snprintf(r->why, r->why_n, "%s:%zu: ", r->path, at ? at->start_mark.line + 1 : 1);

    va_start(args, how);
    if (n > 0 && (size_t)n < r->why_n)
        vsnprintf(r->why + n, r->why_n - (size_t)n, how, args);
    va_end(args);
    return false;
}

/* ---- nodes ---------------------------------------------------------------------------- */

const char *reader_text(const yaml_node_t *n)
{
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

yaml_node_t *reader_node(struct reader *r, int index)
{
    return yaml_document_get_node(&r->doc, index);
}

/* NULL: it has no such member. */
yaml_node_t *reader_member(struct reader *r, const yaml_node_t *map, const char *name)
{
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const char *key = reader_text(reader_node(r, p->key));
        if (key && strcmp(key, name) == 0)
            return reader_node(r, p->value);
    }
    return NULL;
}

/* A mapping with no members but those: "name at fields". */
bool reader_is_map(struct reader *r, const yaml_node_t *n, const char *what, const char *members)
{
    if (n->type != YAML_MAPPING_NODE)
        return reader_bad(r, n, "expected %s: a mapping of %s", what, members);
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = reader_node(r, p->key);
        const char *word = reader_text(key);
        size_t len = word ? strlen(word) : 0;
        const char *at = len ? strstr(members, word) : NULL;
        if (!at || (at > members && at[-1] != ' ') || (at[len] != '\0' && at[len] != ' '))
            return reader_bad(r, key, "%s has no member '%s'; expected %s", what, word ? word : "?",
                              members);
    }
    return true;
}

static bool is_list(struct reader *r, const yaml_node_t *n, const char *what)
{
    return n->type == YAML_SEQUENCE_NODE || reader_bad(r, n, "expected a list of %s", what);
}

bool reader_number(struct reader *r, const yaml_node_t *n, const char *what, uint64_t max,
                   uint64_t *out)
{
    const char *text = reader_text(n);
    char *end = NULL;

    errno = 0;
    *out = text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 0) : 0;
    if (end && *end == '\0' && errno == 0 && *out <= max)
        return true;
    return reader_bad(r, n, "%s: expected a number from 0 to %llu, not '%s'", what,
                      (unsigned long long)max, text ? text : "a list or mapping");
}

/* A member that must be there; NULL: bad was said. */
const char *reader_want_text(struct reader *r, const yaml_node_t *map, const char *name)
{
    yaml_node_t *n = reader_member(r, map, name);
    const char *text = reader_text(n);

    if (!text || !*text)
        reader_bad(r, n ? n : map, "expected '%s: WORD' here", name);
    return text && *text ? text : NULL;
}

bool reader_want_number(struct reader *r, const yaml_node_t *map, const char *name, uint64_t max,
                        uint64_t *out)
{
    yaml_node_t *n = reader_member(r, map, name);

    return n ? reader_number(r, n, name, max, out)
             : reader_bad(r, map, "expected '%s: NUMBER' here", name);
}

bool reader_each(struct reader *r, const yaml_node_t *list, const char *what, reader_item take,
                 const void *arg)
{
    if (!list)
        return true;
    if (!is_list(r, list, what))
        return false;
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
         i++)
        if (!take(r, reader_node(r, *i), arg))
            return false;
    return true;
}

/* What an adder of the program has said. */
bool reader_judged(struct reader *r, const yaml_node_t *n, bool good)
{
    return good || reader_bad(r, n, "%s", r->words);
}

struct fmt *reader_words(struct reader *r)
{
    r->words[0] = '\0';
    fmt_init(&r->fmt, r->words, sizeof(r->words));
    return &r->fmt;
}

/* ---- links ---------------------------------------------------------------------------- */

/* "1/2", "0x0a/2" or "0000000000000001/2": sixteen digits are a datapath id as it is printed. */
static bool take_end(struct reader *r, const yaml_node_t *n, uint64_t *dpid, uint32_t *port)
{
    const char *text = reader_text(n), *slash = text ? strchr(text, '/') : NULL;
    char *end = NULL;

    if (slash) {
        errno = 0;
        *dpid = strtoull(text, &end, slash - text == 16 ? 16 : 0);
        bool good = end == slash && slash > text;
        uint64_t v = strtoull(slash + 1, &end, 10);
        *port = (uint32_t)v;
        if (good && slash[1] && *end == '\0' && errno == 0 && v > 0 && v < OFPP_MAX)
            return true;
    }
    return reader_bad(r, n, "expected an end of a link like 1/2 (datapath id/port), not '%s'",
                      text ? text : "a list or mapping");
}

static bool take_link(struct reader *r, const yaml_node_t *n, const void *arg)
{
    struct network *net = r->net;
    struct sdn_static_link *l = &net->link[net->links];

    (void)arg;
    if (net->links == NETWORK_LINKS_MAX)
        return reader_bad(r, n, "more than %u links", NETWORK_LINKS_MAX);
    if (n->type != YAML_SEQUENCE_NODE ||
        n->data.sequence.items.top - n->data.sequence.items.start != 2)
        return reader_bad(r, n, "expected a link of two ends like [1/2, 2/1]");
    for (unsigned i = 0; i < 2; i++)
        if (!take_end(r, reader_node(r, n->data.sequence.items.start[i]), &l->dpid[i], &l->port[i]))
            return false;
    net->links++;
    return true;
}

/* ---- the file ------------------------------------------------------------------------- */

static bool take_root(struct reader *r)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->doc), *pof;

    if (!root)
        return true; /* nothing is told */
    if (!reader_is_map(r, root, "the file", "links pof"))
        return false;
    pof = reader_member(r, root, "pof");
    return reader_each(r, reader_member(r, root, "links"), "links", take_link, NULL) &&
           (!pof || network_pof_read(r, pof));
}

static bool read_document(struct reader *r, FILE *f)
{
    yaml_parser_t parser;
    bool good;

    if (!yaml_parser_initialize(&parser))
        return reader_bad(r, NULL, "no memory");
    yaml_parser_set_input_file(&parser, f);
    good = yaml_parser_load(&parser, &r->doc);
    if (good) {
        good = take_root(r);
        yaml_document_delete(&r->doc);
    } else {
        snprintf(r->why, r->why_n, "%s:%zu: not YAML: %s", r->path, parser.problem_mark.line + 1,
                 parser.problem ? parser.problem : "it cannot be read");
    }
    yaml_parser_delete(&parser);
    return good;
}

struct network *network_read(const char *path, char *why, size_t n)
{
    struct network *net = os_reserve(sizeof(*net), false);
    struct reader r = {.net = net, .path = path, .why = why, .why_n = n};
    FILE *f = fopen(path, "r");
    bool good = false;

    if (!f || !net) {
        snprintf(why, n, "%s: %s", path, f ? "no memory" : strerror(errno));
    } else {
        good = read_document(&r, f);
    }
    if (f)
        fclose(f);
    if (good)
        return net;
    network_free(net);
    return NULL;
}

void network_into(const struct network *net, struct sdn_config *c)
{
    c->link = net->link;
    c->n_link = net->links;
    c->pof = net->pof ? network_pof_program(net->pof) : NULL;
}

void network_free(struct network *net)
{
    if (!net)
        return;
    network_pof_free(net->pof);
    os_release(net, sizeof(*net));
}
