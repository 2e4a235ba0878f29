#include "parse.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cursor_init(struct cursor *c, const char *text)
{
    c->at = text;
    c->error[0] = 0;
}

bool cursor_fail(struct cursor *c, const char *how, ...)
{
    va_list args;

    if (c->error[0] != 0)
        return false;
    va_start(args, how);
    vsnprintf(c->error, sizeof(c->error), how, args);
    va_end(args);
    return false;
}

void skip_space(struct cursor *c)
{
    while (isspace((unsigned char)*c->at))
        c->at++;
}

bool at_end(struct cursor *c)
{
    skip_space(c);
    return *c->at == 0;
}

bool take(struct cursor *c, const char *text)
{
    size_t n = strlen(text);

    skip_space(c);
    if (strncmp(c->at, text, n) != 0)
        return false;
    c->at += n;
    return true;
}

static bool is_word(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_';
}

bool take_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    skip_space(c);
    if (strncmp(c->at, word, n) != 0 || is_word(c->at[n]))
        return false;
    c->at += n;
    return true;
}

bool expect(struct cursor *c, const char *text)
{
    if (take(c, text))
        return true;
    return cursor_fail(c, "expected '%s' at '%.24s'", text, c->at);
}

bool take_number(struct cursor *c, int64_t *out)
{
    const char *p;
    char *end;

    skip_space(c);
    p = c->at + (*c->at == '-' || *c->at == '+');
    if (!isdigit((unsigned char)*p))
        return false;
    *out = strtoll(c->at, &end, strncmp(p, "0x", 2) == 0 ? 16 : 10);
    c->at = end;
    return true;
}

bool expect_number(struct cursor *c, int64_t *out)
{
    if (take_number(c, out))
        return true;
    return cursor_fail(c, "expected a number at '%.24s'", c->at);
}

bool expect_u32(struct cursor *c, uint32_t *out)
{
    int64_t v;

    if (!expect_number(c, &v))
        return false;
    if (v < 0 || v > UINT32_MAX)
        return cursor_fail(c, "%lld does not fit 32 bits", (long long)v);
    *out = (uint32_t)v;
    return true;
}

bool take_name(struct cursor *c, char *out, size_t n)
{
    size_t len = 0;

    skip_space(c);
    if (!isalpha((unsigned char)*c->at) && *c->at != '_')
        return false;
    while (is_word(c->at[len]))
        len++;
    if (len >= n)
        return cursor_fail(c, "name too long at '%.24s'", c->at);
    memcpy(out, c->at, len);
    out[len] = 0;
    c->at += len;
    return true;
}

bool expect_ip4(struct cursor *c, uint32_t *out)
{
    unsigned a, b, d, e;
    int used = 0;

    skip_space(c);
    if (sscanf(c->at, "%3u.%3u.%3u.%3u%n", &a, &b, &d, &e, &used) != 4 || (a | b | d | e) > 255)
        return cursor_fail(c, "expected an IPv4 address at '%.24s'", c->at);
    c->at += used;
    *out = (uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)d << 8 | (uint32_t)e;
    return true;
}
