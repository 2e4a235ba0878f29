/* System calls: "setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0" */
#include <string.h>

#include "parse.h"

/* A number, or constants joined by '|'. */
static bool parse_value(struct cursor *c, int64_t *out)
{
    char name[48];
    int64_t v;

    if (take_number(c, out))
        return true;
    *out = 0;
    do {
        if (!take_name(c, name, sizeof(name)))
            return cursor_fail(c, "expected a value at '%.24s'", c->at);
        if (!constant_value(name, &v))
            return cursor_fail(c, "unknown constant '%s'", name);
        *out |= v;
    } while (take(c, "|"));
    return true;
}

static bool list_add(struct cursor *c, struct call_arg *a)
{
    if (a->nlist == (int)(sizeof(a->list) / sizeof(a->list[0])))
        return cursor_fail(c, "list too long");
    return parse_value(c, &a->list[a->nlist++]);
}

/* {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")} */
static bool parse_address(struct cursor *c, struct call_arg *a)
{
    int64_t v;

    a->kind = ARG_ADDR;
    if (!expect(c, "=") || !parse_value(c, &v))
        return false;
    while (take(c, ",")) {
        if (take_word(c, "sin_port")) {
            if (!expect(c, "=") || !expect(c, "htons") || !expect(c, "(") ||
                !expect_number(c, &v) || !expect(c, ")"))
                return false;
            a->port = (uint16_t)v;
        } else {
            if (!expect(c, "sin_addr") || !expect(c, "=") || !expect(c, "inet_addr") ||
                !expect(c, "(") || !expect(c, "\"") || !expect_ip4(c, &a->ip) ||
                !expect(c, "\"") || !expect(c, ")"))
                return false;
        }
    }
    return expect(c, "}");
}

/* {name=value, ...}: the values count, the names are for people. */
static bool parse_struct(struct cursor *c, struct call_arg *a)
{
    char name[24];

    if (take_word(c, "sa_family"))
        return parse_address(c, a);
    a->kind = ARG_LIST;
    do {
        const char *start = c->at;

        if (!take_name(c, name, sizeof(name)) || !take(c, "="))
            c->at = start;
        if (!list_add(c, a))
            return false;
    } while (take(c, ","));
    return expect(c, "}");
}

static bool parse_list(struct cursor *c, struct call_arg *a)
{
    a->kind = ARG_LIST;
    if (take(c, "{"))
        return parse_struct(c, a) && expect(c, "]");
    do {
        if (take(c, "..."))
            a->kind = ARG_ANY;
        else if (!list_add(c, a))
            return false;
    } while (take(c, ","));
    return expect(c, "]");
}

static bool parse_text(struct cursor *c, struct call_arg *a)
{
    size_t n = strcspn(c->at, "\"");

    a->kind = ARG_TEXT;
    if (n >= sizeof(a->text) || c->at[n] != '"')
        return cursor_fail(c, "bad string at '%.24s'", c->at);
    memcpy(a->text, c->at, n);
    a->text[n] = 0;
    c->at += n + 1;
    return true;
}

static bool parse_arg(struct cursor *c, struct call_arg *a)
{
    *a = (struct call_arg){.kind = ARG_ANY};
    if (take(c, "..."))
        return true;
    if (take(c, "["))
        return parse_list(c, a);
    if (take(c, "{"))
        return parse_struct(c, a);
    if (take(c, "\""))
        return parse_text(c, a);
    a->kind = ARG_NUMBER;
    return parse_value(c, &a->number);
}

static bool parse_args(struct cursor *c, struct call_spec *out)
{
    if (take(c, ")"))
        return true;
    do {
        if (out->nargs == CALL_ARGS_MAX)
            return cursor_fail(c, "too many arguments");
        if (!parse_arg(c, &out->args[out->nargs++]))
            return false;
    } while (take(c, ","));
    return expect(c, ")");
}

static bool parse_result(struct cursor *c, struct call_spec *out)
{
    char name[24];

    if (!expect(c, "="))
        return false;
    if (take(c, "...")) {
        out->any_result = true;
        return true;
    }
    if (!parse_value(c, &out->result))
        return false;
    if (take_name(c, name, sizeof(name)) && !errno_value(name, &out->result_errno))
        return cursor_fail(c, "unknown error '%s'", name);
    /* "(Connection reset by peer)" behind an error is for people. */
    if (take(c, "("))
        c->at += strlen(c->at);
    return true;
}

bool parse_call(struct cursor *c, struct call_spec *out)
{
    memset(out, 0, sizeof(*out));
    if (!take_name(c, out->name, sizeof(out->name)))
        return cursor_fail(c, "expected a call at '%.24s'", c->at);
    if (!expect(c, "(") || !parse_args(c, out) || !parse_result(c, out))
        return false;
    return at_end(c) || cursor_fail(c, "not understood: '%.24s'", c->at);
}
