/* Addresses as text. */
#include "api/backend.h"

#define PORT_MAX 65535u

struct mr_addr mr_addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct mr_addr){
        .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d},
        .port = port,
    };
}

/* number reads decimal digits up to max, moves *text past them, and returns
 * false where there is no digit, a leading zero, or more than max. */
static bool number(const char **text, unsigned max, unsigned *out)
{
    const char *p = *text;
    unsigned v = 0;

    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (unsigned)(*p - '0');
        if (v > max)
            return false;
    }
    *text = p;
    *out = v;
    return true;
}

static bool has_dot(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '.')
            return true;
    return false;
}

static bool dotted_quad(const char **text, unsigned part[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *(*text)++ != '.')
            return false;
        if (!number(text, 255, &part[i]))
            return false;
    }
    return true;
}

bool mr_addr_parse(struct mr_addr *out, const char *text)
{
    unsigned part[4] = {0};
    unsigned port = 0;
    bool with_ip = has_dot(text);

    if (with_ip && !dotted_quad(&text, part))
        return false;
    if (*text == ':')
        text++;
    else if (with_ip && *text == '\0')
        goto done;
    else if (with_ip)
        return false;
    if (!number(&text, PORT_MAX, &port) || *text != '\0')
        return false;
done:
    *out = mr_addr4((uint8_t)part[0], (uint8_t)part[1], (uint8_t)part[2], (uint8_t)part[3],
                    (uint16_t)port);
    return true;
}

static char *put_number(char *p, unsigned v, unsigned base)
{
    char digits[10];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static bool is_v4(const struct mr_addr *a)
{
    bool zero = true, mapped = a->ip[10] == 0xff && a->ip[11] == 0xff;

    for (int i = 0; i < 10; i++)
        zero = zero && a->ip[i] == 0;
    if (!mapped && zero)
        for (int i = 10; i < 16; i++)
            zero = zero && a->ip[i] == 0;
    /* All zero is "any" of either family and prints as IPv4's. */
    return zero;
}

/* Eight groups; the longest run of zeros is not shortened. */
static char *put_v6(char *p, const uint8_t ip[16])
{
    *p++ = '[';
    for (int i = 0; i < 16; i += 2) {
        if (i > 0)
            *p++ = ':';
        p = put_number(p, load_be16(ip + i), 16);
    }
    *p++ = ']';
    return p;
}

char *mr_addr_print(const struct mr_addr *a, char buf[MR_ADDR_TEXT])
{
    char *p = buf;

    if (is_v4(a)) {
        for (int i = 12; i < 16; i++) {
            if (i > 12)
                *p++ = '.';
            p = put_number(p, a->ip[i], 10);
        }
    } else {
        p = put_v6(p, a->ip);
    }
    *p++ = ':';
    p = put_number(p, a->port, 10);
    *p = '\0';
    return buf;
}
