/* millrace-of: what its files share.  All it knows comes from the REST interface. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The status to exit with. */
enum of_exit { OF_DONE, OF_REFUSED, OF_USAGE, OF_UNREACHABLE };

struct of_client {
    const char *url, *token; /* borrowed; token NULL: none */
    bool json;
    double every_s; /* watch, events: seconds between two looks; 0: once */
    enum of_exit status;
};

/* of_http.c: one request; the JSON of the answer (the caller's), or NULL: said on stderr, and
 * c->status is set.  body may be NULL. */
json_t *of_ask(struct of_client *c, const char *verb, const char *path, json_t *body);

/* of_flow.c: a flow in ovs-ofctl's words as the body of a request; NULL, and why. */
json_t *of_flow_read(const char *text, char *why, size_t n);
/* Into such words. */
void of_match_print(json_t *match, char *out, size_t n);
void of_actions_print(json_t *actions, char *out, size_t n);

/* of_table.c: columns that are as wide as they must be. */
struct of_table;
struct of_table *of_table_new(unsigned columns, const char *const *heads);
/* A cell; a row is full after `columns` of them. */
void of_cell(struct of_table *t, const char *how, ...) __attribute__((format(printf, 2, 3)));
void of_table_print(struct of_table *t); /* and frees it */

/* of_show.c: a command that asks and shows. */
bool of_show(struct of_client *c, const char *what, char **words, int n, bool *known);

static inline const char *of_text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL ? s : "";
}
static inline unsigned long long of_number(json_t *o, const char *key)
{
    return (unsigned long long)json_integer_value(json_object_get(o, key));
}
