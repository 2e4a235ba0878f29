/* A script's text cut into statements, and each into its event. */
#include "script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

static bool fail(struct script *s, int line, const char *why)
{
    snprintf(s->error, sizeof(s->error), "%s:%d: %s", s->path, line, why);
    return false;
}

/* Blanks comments in place, newlines and strings kept. */
static void strip_comments(char *t)
{
    while (*t != 0) {
        if (*t == '"') {
            for (t++; *t != 0 && *t != '"' && *t != '\n'; t++)
                ;
            t += *t != 0;
        } else if (t[0] == '/' && t[1] == '*') {
            for (; *t != 0 && strncmp(t, "*/", 2) != 0; t++)
                *t = *t == '\n' ? '\n' : ' ';
            for (int i = 0; i < 2 && *t != 0; i++)
                *t++ = ' ';
        } else if (*t == '#' || (t[0] == '/' && t[1] == '/')) {
            while (*t != 0 && *t != '\n')
                *t++ = ' ';
        } else {
            t++;
        }
    }
}

static char *trim(char *s)
{
    size_t n;

    while (isspace((unsigned char)*s))
        s++;
    n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = 0;
    return s;
}

static bool add_setting(struct setting **list, int *n, int line, const char *name,
                        const char *value)
{
    struct setting *grown = realloc(*list, (size_t)(*n + 1) * sizeof(**list));
    struct setting *s;

    if (grown == NULL)
        return false;
    *list = grown;
    s = &grown[(*n)++];
    s->line = line;
    snprintf(s->name, sizeof(s->name), "%s", name);
    snprintf(s->value, sizeof(s->value), "%s", value);
    return true;
}

/* "--name=value" */
static bool parse_option_line(struct script *s, int line, char *text)
{
    char *eq = strchr(text, '=');

    if (eq == NULL)
        return fail(s, line, "an option is --name=value");
    *eq = 0;
    return add_setting(&s->options, &s->noptions, line, trim(text + 2), trim(eq + 1));
}

/* Lines "name=value" or "sysctl -q name=value" between backticks. */
static bool parse_knobs(struct script *s, int line, char *text)
{
    for (char *save = NULL, *l = strtok_r(text, "\n;`", &save); l != NULL;
         l = strtok_r(NULL, "\n;`", &save)) {
        char *eq;

        l = trim(l);
        if (strncmp(l, "sysctl", 6) == 0)
            for (l = trim(l + 6); *l == '-'; l = trim(l))
                l += strcspn(l, " ");
        if (*l == 0)
            continue;
        eq = strchr(l, '=');
        if (eq == NULL)
            return fail(s, line, "a knob is name=value");
        *eq = 0;
        if (!add_setting(&s->knobs, &s->nknobs, line, trim(l), trim(eq + 1)))
            return fail(s, line, "out of memory");
    }
    return true;
}

/* "%{ assert EXPRESSION }%" */
static bool parse_assertion(struct cursor *c, struct event *e)
{
    const char *end = strstr(c->at, "}%");
    size_t n;

    e->kind = EVENT_ASSERT;
    if (!take_word(c, "assert"))
        return cursor_fail(c, "only assert is understood");
    if (end == NULL)
        return cursor_fail(c, "%%{ without }%%");
    n = (size_t)(end - c->at);
    if (n >= sizeof(e->assertion))
        return cursor_fail(c, "assertion too long");
    memcpy(e->assertion, c->at, n);
    e->assertion[n] = 0;
    return true;
}

static bool parse_body(struct cursor *c, struct event *e)
{
    if (take(c, "%{"))
        return parse_assertion(c, e);
    if (take(c, "<")) {
        e->kind = EVENT_PACKET_IN;
        return parse_packet(c, &e->pkt, false);
    }
    if (take(c, ">")) {
        e->kind = EVENT_PACKET_OUT;
        return parse_packet(c, &e->pkt, true);
    }
    e->kind = EVENT_CALL;
    return parse_call(c, &e->call);
}

/* What a time may mean depends on what happens then. */
static bool check_when(struct cursor *c, const struct event *e)
{
    if ((e->when.kind == TIME_ANY || e->when.is_range) && e->kind != EVENT_PACKET_OUT)
        return cursor_fail(c, "only a packet of ours can come at any time");
    if (e->when.blocks && e->kind != EVENT_CALL)
        return cursor_fail(c, "only a call can wait");
    return true;
}

static bool add_event(struct script *s, int line, const char *text)
{
    struct event *grown = realloc(s->events, (size_t)(s->nevents + 1) * sizeof(*grown));
    struct event *e;
    struct cursor c;

    if (grown == NULL)
        return fail(s, line, "out of memory");
    s->events = grown;
    e = &grown[s->nevents++];
    memset(e, 0, sizeof(*e));
    e->line = line;
    snprintf(e->text, sizeof(e->text), "%s", text);
    cursor_init(&c, text);
    if (!parse_when(&c, &e->when) || !parse_body(&c, e) || !check_when(&c, e))
        return fail(s, line, c.error);
    return true;
}

/* The end of the statement that begins at t: a newline outside of brackets and quotes. */
static char *statement_end(char *t)
{
    int depth = 0;

    if (*t == '`') {
        t += strcspn(t + 1, "`") + 1;
        return t + (*t != 0);
    }
    for (; *t != 0 && (*t != '\n' || depth > 0); t++) {
        depth += *t == '(' || *t == '{' || *t == '[';
        depth -= *t == ')' || *t == '}' || *t == ']';
    }
    return t;
}

static bool parse_statement(struct script *s, int line, char *text)
{
    if (text[0] == '-' && text[1] == '-')
        return s->nevents == 0 ? parse_option_line(s, line, text)
                               : fail(s, line, "options stand before the first event");
    if (text[0] == '`')
        return s->nevents == 0 ? parse_knobs(s, line, text)
                               : fail(s, line, "knobs are set before the first event");
    return add_event(s, line, text);
}

static bool parse_statements(struct script *s, char *t)
{
    int line = 1;

    while (*t != 0) {
        char *end, last;
        int lines = 0;
        bool ok;

        for (; isspace((unsigned char)*t); t++)
            line += *t == '\n';
        if (*t == 0)
            break;
        end = statement_end(t);
        /* Counted now: parsing cuts the text. */
        for (char *p = t; p < end; p++)
            lines += *p == '\n';
        last = *end;
        *end = 0;
        ok = parse_statement(s, line, trim(t));
        *end = last;
        if (!ok)
            return false;
        line += lines;
        t = end;
    }
    return true;
}

bool script_parse(struct script *s, const char *path, const char *text)
{
    char *copy = strdup(text);
    bool ok;

    *s = (struct script){.path = path};
    if (copy == NULL)
        return fail(s, 0, "out of memory");
    strip_comments(copy);
    ok = parse_statements(s, copy);
    free(copy);
    if (ok && s->nevents == 0)
        return fail(s, 0, "no event in the script");
    return ok;
}

void script_free(struct script *s)
{
    free(s->events);
    free(s->options);
    free(s->knobs);
    *s = (struct script){0};
}
