#include "stat/json.h"

void json_init(struct json *j, char *buf, size_t size)
{
    *j = (struct json){0};
    fmt_init(&j->out, buf, size);
}

/* Length of the well formed UTF-8 sequence at s (RFC 3629 4), 0 if there is none. */
static size_t utf8_len(const uint8_t *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (len == 0 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what is past U+10FFFF, show in the second byte. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

/* One character of a string; returns how many bytes of s it was. */
static size_t put_character(struct fmt *f, const char *s, size_t n)
{
    size_t len = utf8_len((const uint8_t *)s, n);

    if (len == 0) {
        fmt_str(f, "\\ufffd", 6);
        return 1;
    }
    if (s[0] == '"' || s[0] == '\\')
        fmt_char(f, '\\');
    if ((uint8_t)s[0] < 0x20 || s[0] == 0x7f)
        fmt_add(f, "\\u%04x", (unsigned)s[0]);
    else
        fmt_str(f, s, len);
    return len;
}

static void put_string(struct fmt *f, const char *s, size_t n)
{
    fmt_char(f, '"');
    while (n > 0) {
        size_t used = put_character(f, s, n);
        s += used;
        n -= used;
    }
    fmt_char(f, '"');
}

static size_t str_len(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

/* The comma and the key that stand before a value. */
static void begin_value(struct json *j, const char *key)
{
    uint32_t bit = UINT32_C(1) << j->depth;
    bool in_object = j->depth > 0 && !(j->is_array & bit);

    MR_ASSERT(in_object == (key != NULL));
    MR_ASSERT(j->depth > 0 || !(j->has_item & bit));
    if (j->has_item & bit)
        fmt_char(&j->out, ',');
    j->has_item |= bit;
    if (key != NULL) {
        put_string(&j->out, key, str_len(key));
        fmt_char(&j->out, ':');
    }
}

static void open_value(struct json *j, const char *key, bool is_array)
{
    begin_value(j, key);
    MR_ASSERT(j->depth + 1 < JSON_DEPTH_MAX);
    j->depth++;

    uint32_t bit = UINT32_C(1) << j->depth;
    j->has_item &= ~bit;
    j->is_array = is_array ? j->is_array | bit : j->is_array & ~bit;
    fmt_char(&j->out, is_array ? '[' : '{');
}

void json_object(struct json *j, const char *key)
{
    open_value(j, key, false);
}

void json_array(struct json *j, const char *key)
{
    open_value(j, key, true);
}

void json_end(struct json *j)
{
    MR_ASSERT(j->depth > 0);
    fmt_char(&j->out, j->is_array >> j->depth & 1 ? ']' : '}');
    j->depth--;
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
    begin_value(j, key);
    fmt_u64(&j->out, v);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
    begin_value(j, key);
    fmt_add(&j->out, "%lld", (long long)v);
}

void json_bool(struct json *j, const char *key, bool v)
{
    begin_value(j, key);
    fmt_add(&j->out, "%s", v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    begin_value(j, key);
    fmt_str(&j->out, "null", 4);
}

void json_raw(struct json *j, const char *key, const char *v, size_t n)
{
    begin_value(j, key);
    fmt_str(&j->out, v, n);
}

void json_str_n(struct json *j, const char *key, const char *v, size_t n)
{
    begin_value(j, key);
    put_string(&j->out, v, n);
}

void json_str(struct json *j, const char *key, const char *v)
{
    json_str_n(j, key, v, str_len(v));
}

size_t json_fini(struct json *j)
{
    MR_ASSERT(j->depth == 0);
    return j->out.cut ? 0 : j->out.len;
}
