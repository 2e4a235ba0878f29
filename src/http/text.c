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

#define IS_ALNUM(c)                                                                                \
    (((c) >= '0' && (c) <= '9') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z'))
#define IS_TOKEN(c)                                                                                \
    (IS_ALNUM(c) || (c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' ||       \
     (c) == '-' || (c) == '.' || ((c) >= '^' && (c) <= '`') || (c) == '|' || (c) == '~')
#define IS_TARGET(c) ((c) > ' ' && (c) < 0x7f && (c) != '#')
#define IS_HOST(c)                                                                                 \
    (IS_ALNUM(c) || (c) == '.' || (c) == '-' || (c) == ':' || (c) == '[' || (c) == ']' ||          \
     (c) == '_' || (c) == '~' || (c) == '%')
#define CLASSES(c)                                                                                 \
    ((IS_TOKEN(c) ? HTTP_C_TOKEN : 0) | (IS_TARGET(c) ? HTTP_C_TARGET : 0) |                       \
     (IS_TARGET(c) && (c) != '?' ? HTTP_C_PATH : 0) | (IS_HOST(c) ? HTTP_C_HOST : 0) |             \
     (((c) >= ' ' && (c) != 0x7f) || (c) == '\t' ? HTTP_C_LINE : 0))
#define FOUR(c) CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)
#define SIXTY_FOUR(c) SIXTEEN(c), SIXTEEN((c) + 16), SIXTEEN((c) + 32), SIXTEEN((c) + 48)

const uint8_t http_classes[256] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};

bool http_is_token(struct http_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is_token_char((uint8_t)s.p[i]))
            return false;
    return s.n > 0;
}
