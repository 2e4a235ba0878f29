/* Small text: tokens, lists, numbers. */
#include "http/http_int.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool http_str_eq(struct http_str a, struct http_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool http_str_ieq(struct http_str a, struct http_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower((uint8_t)a.p[i]) != lower((uint8_t)b.p[i]))
            return false;
    return true;
}

bool http_str_u64(struct http_str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(uint8_t)s.p[i] - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

struct http_str http_trim(struct http_str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* A comma inside a quoted string (an entity tag may hold one) does not separate. */
bool http_list_next(struct http_str *list, struct http_str *item)
{
    while (list->n > 0) {
        bool quoted = false;
        size_t i = 0;
        while (i < list->n && (quoted || list->p[i] != ',')) {
            quoted ^= list->p[i] == '"';
            i++;
        }
        *item = http_trim(http_str_of(list->p, i));
        i += i < list->n;
        list->p += i;
        list->n -= i;
        /* RFC 9110 5.6.1.2: empty elements are ignored. */
        if (item->n > 0)
            return true;
    }
    return false;
}

/* RFC 9110 5.6.2, as one bit a character. */
static const uint64_t token_bits[2] = {
    0x03ff6cfa00000000u, /* ! # $ % & ' * + - . 0-9 */
    0x57ffffffc7fffffeu, /* A-Z ^ _ ` a-z | ~ */
};

bool http_is_token_char(uint8_t c)
{
    return c < 128 && (token_bits[c >> 6] >> (c & 63) & 1) != 0;
}

bool http_is_token(struct http_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is_token_char((uint8_t)s.p[i]))
            return false;
    return s.n > 0;
}
