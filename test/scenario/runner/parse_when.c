/* Times: "0.1", "+0.1", "0.1~0.2", "+0~+0.1", "*", and "0.1...0.3" for calls that wait. */
#include <ctype.h>

#include "parse.h"

static bool take_seconds(struct cursor *c, int64_t *us)
{
    int64_t whole = 0, part = 0, unit = 1000000;
    bool any = false;

    for (; isdigit((unsigned char)*c->at); c->at++, any = true)
        whole = whole * 10 + (*c->at - '0');
    /* "0...1" is a wait, not a fraction. */
    if (*c->at == '.' && c->at[1] != '.') {
        for (c->at++; isdigit((unsigned char)*c->at); c->at++, any = true) {
            unit /= 10;
            part += (*c->at - '0') * unit;
        }
    }
    *us = whole * 1000000 + part;
    return any ? true : cursor_fail(c, "expected a time at '%.24s'", c->at);
}

bool parse_when(struct cursor *c, struct when *out)
{
    *out = (struct when){.kind = TIME_RELATIVE};
    skip_space(c);
    if (take(c, "*")) {
        out->kind = TIME_ANY;
        return true;
    }
    /* A line without a time follows at once. */
    if (*c->at != '+' && *c->at != '.' && !isdigit((unsigned char)*c->at))
        return true;
    if (!take(c, "+"))
        out->kind = TIME_ABSOLUTE;
    if (!take_seconds(c, &out->us))
        return false;
    out->end_us = out->us;
    if (*c->at == '~') {
        c->at++;
        if (take(c, "+") != (out->kind == TIME_RELATIVE))
            return cursor_fail(c, "both ends of a range are relative, or none");
        out->is_range = true;
        if (!take_seconds(c, &out->end_us))
            return false;
    } else if (take(c, "...")) {
        (void)take(c, "+");
        out->blocks = true;
        if (!take_seconds(c, &out->return_us))
            return false;
    }
    if (out->end_us < out->us)
        return cursor_fail(c, "the range ends before it begins");
    return true;
}
