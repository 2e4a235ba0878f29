/* The arguments of DPDK's environment. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dpdk/eal.h"

void eal_args_init(struct eal_args *a)
{
    a->n = 0;
    a->used = 0;
    a->v[0] = NULL;
}

static bool begin_word(struct eal_args *a)
{
    if (a->n == EAL_ARGS_MAX)
        return false;
    a->v[a->n++] = a->text + a->used;
    a->v[a->n] = NULL;
    return true;
}

static bool put(struct eal_args *a, char c)
{
    if (a->used == sizeof(a->text))
        return false;
    a->text[a->used++] = c;
    return true;
}

bool eal_args_add(struct eal_args *a, const char *fmt, ...)
{
    size_t room = sizeof(a->text) - a->used;
    va_list ap;

    if (!begin_word(a))
        return false;
    va_start(ap, fmt);
    int n = vsnprintf(a->text + a->used, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room)
        return false;
    a->used += (size_t)n + 1;
    return true;
}

/* One character, quoted or not, at *s; which is moved behind it. */
static bool take(struct eal_args *a, const char **s, char *quote)
{
    char c = *(*s)++;

    if (c == *quote) {
        *quote = '\0';
        return true;
    }
    if (!*quote && (c == '\'' || c == '"')) {
        *quote = c;
        return true;
    }
    if (c == '\\' && *quote != '\'' && **s)
        c = *(*s)++;
    return put(a, c);
}

bool eal_args_split(struct eal_args *a, const char *line)
{
    for (;;) {
        char quote = '\0';
        while (isspace((unsigned char)*line))
            line++;
        if (!*line)
            return true;
        if (!begin_word(a))
            return false;
        while (*line && (quote || !isspace((unsigned char)*line)))
            if (!take(a, &line, &quote))
                return false;
        if (quote || !put(a, '\0'))
            return false;
    }
}

bool eal_args_have(const struct eal_args *a, const char *option)
{
    size_t len = strlen(option);

    for (unsigned i = 0; i < a->n; i++)
        if (strncmp(a->v[i], option, len) == 0 && (a->v[i][len] == '\0' || a->v[i][len] == '='))
            return true;
    return false;
}

bool eal_is_pci(const char *device)
{
    unsigned domain, bus, slot, function;

    if (strncmp(device, "pci:", 4) == 0)
        return true;
    return sscanf(device, "%4x:%2x:%2x.%1x", &domain, &bus, &slot, &function) == 4 ||
           sscanf(device, "%2x:%2x.%1x", &bus, &slot, &function) == 3;
}
