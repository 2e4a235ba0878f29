#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/of_client.h"

struct of_table {
    unsigned columns;
    size_t cells, room;
    char **cell; /* owned, and what they point to */
};

static void add(struct of_table *t, const char *text)
{
    if (t->cells == t->room) {
        t->room = t->room != 0 ? 2 * t->room : 256;
        t->cell = realloc(t->cell, t->room * sizeof(*t->cell));
        if (t->cell == NULL)
            abort();
    }
    t->cell[t->cells] = strdup(text);
    if (t->cell[t->cells++] == NULL)
        abort();
}

struct of_table *of_table_new(unsigned columns, const char *const *heads)
{
    struct of_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        abort();
    t->columns = columns;
    for (unsigned i = 0; i < columns; i++)
        add(t, heads[i]);
    return t;
}

void of_cell(struct of_table *t, const char *how, ...)
{
    char text[4096];
    va_list args;

    va_start(args, how);
    vsnprintf(text, sizeof(text), how, args);
    va_end(args);
    /* What a switch calls itself must not move the terminal's cursor. */
    for (char *s = text; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
    add(t, text);
}

void of_table_print(struct of_table *t)
{
    size_t wide[32] = {0};

    for (size_t i = 0; i < t->cells; i++) {
        size_t n = strlen(t->cell[i]), *w = &wide[i % t->columns];
        *w = n > *w ? n : *w;
    }
    for (size_t i = 0; i < t->cells; i++) {
        bool last = i % t->columns == t->columns - 1;
        if (last)
            printf("%s\n", t->cell[i]);
        else
            printf("%-*s  ", (int)wide[i % t->columns], t->cell[i]);
        free(t->cell[i]);
    }
    free(t->cell);
    free(t);
}
