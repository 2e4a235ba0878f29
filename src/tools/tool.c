#include "tools/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tool_refuse(const char *name, const char *how, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", name);
    va_start(args, how);
    vfprintf(stderr, how, args);
    va_end(args);
    fputc('\n', stderr);
    return 2;
}

int tool_exit_code(int err)
{
    if (err >= 0)
        return 0;
    return err == MR_EINVAL || err == MR_EACCES || err == MR_ENETDOWN || err == MR_EADDRINUSE ||
                   err == MR_EADDRNOTAVAIL
               ? 2
               : 1;
}

static bool number(const char *text, uint64_t thousand, uint64_t *out)
{
    static const char suffixes[] = "kMG";
    const char *suffix;
    uint64_t v;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (*end != '\0') {
        suffix = strchr(suffixes, *end);
        if (suffix == NULL || end[1] != '\0')
            return false;
        for (long i = 0; i <= suffix - suffixes; i++)
            if (__builtin_mul_overflow(v, thousand, &v))
                return false;
    }
    *out = v;
    return true;
}

static int take_number(const char *prog, const struct tool_opt *o, const char *text)
{
    uint64_t v;

    if (!number(text, o->kind == TOOL_SIZE ? 1024 : 1000, &v) || v < o->min || v > o->max)
        return tool_refuse(prog, "%s wants a number from %llu to %llu, not '%s'", o->name,
                           (unsigned long long)o->min, (unsigned long long)o->max, text);
    if (o->kind == TOOL_U32)
        *(uint32_t *)o->out = (uint32_t)v;
    else
        *(uint64_t *)o->out = v;
    return TOOL_GO_ON;
}

static int take_addr(const char *prog, const struct tool_opt *o, const char *text,
                     struct mr_addr *out)
{
    struct mr_addr a;

    if (!mr_addr_parse(&a, text) || a.port == 0)
        return tool_refuse(prog, "%s wants an address like 10.0.0.1:80, not '%s'", o->name, text);
    *out = a;
    return TOOL_GO_ON;
}

static int take_one_more(const char *prog, const struct tool_opt *o, const char *text)
{
    struct tool_addrs *list = o->out;

    if (list->n == list->max)
        return tool_refuse(prog, "%s may be given at most %zu times", o->name, list->max);
    return take_addr(prog, o, text, &list->at[list->n++]);
}

static int take(const char *prog, const struct tool_opt *o, const char *text)
{
    switch (o->kind) {
    case TOOL_FLAG:
        *(bool *)o->out = true;
        return TOOL_GO_ON;
    case TOOL_TEXT:
        if (text[0] == '\0')
            return tool_refuse(prog, "%s wants a value that is not empty", o->name);
        *(const char **)o->out = text;
        return TOOL_GO_ON;
    case TOOL_ADDR:
        return take_addr(prog, o, text, o->out);
    case TOOL_ADDRS:
        return take_one_more(prog, o, text);
    case TOOL_U32:
    case TOOL_U64:
    case TOOL_SIZE:
        return take_number(prog, o, text);
    }
    return TOOL_GO_ON;
}

/* The option argv[*i] is among opts, or NULL; *value is what follows it. */
static const struct tool_opt *find(const struct tool_opt *opts, size_t n, int argc, char **argv,
                                   int *i, const char **value)
{
    const char *word = argv[*i];

    for (size_t k = 0; k < n; k++) {
        size_t len = strlen(opts[k].name);
        if (strncmp(word, opts[k].name, len) != 0)
            continue;
        if (word[len] == '=' && opts[k].kind != TOOL_FLAG) {
            *value = word + len + 1;
            return &opts[k];
        }
        if (word[len] != '\0')
            continue;
        *value = opts[k].kind == TOOL_FLAG || *i + 1 == argc ? NULL : argv[++*i];
        return &opts[k];
    }
    return NULL;
}

static int take_word(char **argv, int i, const char **words, int max, int *n)
{
    if (argv[i][0] == '-')
        return tool_refuse(argv[0], "no option is called '%s' (--help lists them)", argv[i]);
    if (*n == max)
        return tool_refuse(argv[0], "too many arguments: '%s'", argv[i]);
    words[(*n)++] = argv[i];
    return TOOL_GO_ON;
}

int tool_options(struct mr_config *c, int argc, char **argv, const struct tool_opt *opts, size_t n,
                 const char *usage, const char **words, int *n_words)
{
    int max = words != NULL ? *n_words : 0, count = 0, status = TOOL_GO_ON;

    for (int i = 1; i < argc && status == TOOL_GO_ON; i++) {
        const char *value = NULL;
        const struct tool_opt *o;
        int taken;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s%s", usage, mr_config_help());
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("millrace " MR_VERSION);
            return 0;
        }
        taken = mr_config_option(c, argc, argv, &i);
        if (taken < 0)
            return 2;
        if (taken > 0)
            continue;
        o = find(opts, n, argc, argv, &i, &value);
        if (o == NULL)
            status = take_word(argv, i, words, max, &count);
        else if (value == NULL && o->kind != TOOL_FLAG)
            status = tool_refuse(argv[0], "%s wants a value", o->name);
        else
            status = take(argv[0], o, value);
    }
    if (n_words != NULL)
        *n_words = count;
    return status;
}
