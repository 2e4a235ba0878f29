/* The words of a POF program: values and steps. */
#include "sdn/pof_words.h"

#include "ofp/pof.h"

/* ---- words --------------------------------------------------------------------------- */

uint32_t words_of(const char *text, struct word *w, uint32_t max)
{
    uint32_t n = 0;

    for (;;) {
        while (*text == ' ' || *text == '\t')
            text++;
        if (*text == 0)
            return n;
        if (n == max)
            return max + 1;
        w[n].p = text;
        while (*text != 0 && *text != ' ' && *text != '\t')
            text++;
        w[n].n = (uint32_t)(text - w[n].p);
        n++;
    }
}

bool word_is(const struct word *w, const char *text)
{
    uint32_t i = 0;

    while (i < w->n && text[i] == w->p[i] && text[i] != 0)
        i++;
    return i == w->n && text[i] == 0;
}

/* ---- numbers of up to 128 bits, from the right --------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* num = num * base + d; false: it does not fit in 128 bits. */
static bool push(uint8_t num[16], uint32_t base, uint32_t d)
{
    for (int i = 15; i >= 0; i--) {
        d += num[i] * base;
        num[i] = (uint8_t)d;
        d >>= 8;
    }
    return d == 0;
}

static bool plain(const char *p, uint32_t n, uint32_t base, uint8_t num[16])
{
    if (n == 0)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        int d = digit(p[i]);
        if (d < 0 || (uint32_t)d >= base || !push(num, base, (uint32_t)d))
            return false;
    }
    return true;
}

/* Bytes with something between: a MAC address, an IPv4 address. */
static bool parts(const char *p, uint32_t n, char between, uint32_t base, uint32_t want,
                  uint8_t num[16])
{
    uint32_t i = 0, got = 0;

    while (got < want) {
        uint32_t v = 0, from = i;

        for (; i < n && digit(p[i]) >= 0 && i - from < 3; i++) {
            if ((uint32_t)digit(p[i]) >= base)
                return false;
            v = v * base + (uint32_t)digit(p[i]);
        }
        if (i == from || v > 255)
            return false;
        push(num, 256, v);
        if (++got < want && (i == n || p[i++] != between))
            return false;
    }
    return i == n;
}

static bool has(const char *p, uint32_t n, char c)
{
    for (uint32_t i = 0; i < n; i++)
        if (p[i] == c)
            return true;
    return false;
}

static bool number(const char *p, uint32_t n, uint8_t num[16])
{
    memset(num, 0, 16);
    if (has(p, n, ':'))
        return parts(p, n, ':', 16, 6, num);
    if (has(p, n, '.'))
        return parts(p, n, '.', 10, 4, num);
    if (n > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
        return plain(p + 2, n - 2, 16, num);
    return plain(p, n, 10, num);
}

bool word_u32(const struct word *w, uint32_t *v)
{
    uint8_t num[16];

    if (!number(w->p, w->n, num) || pof_bits_get(num, 0, 64) != 0 || load_be32(num + 8) != 0)
        return false;
    *v = load_be32(num + 12);
    return true;
}

/* To the left of `to`; false: more bits than there are. */
static bool align(const uint8_t num[16], uint32_t bits, uint8_t to[16])
{
    for (uint32_t i = 0; i < 128 - bits; i++)
        if (num[i / 8] & 0x80u >> (i & 7))
            return false;
    memset(to, 0, 16);
    pof_bits_copy(to, 0, num, 128 - bits, bits);
    return true;
}

static void ones(uint8_t to[16], uint32_t bits)
{
    memset(to, 0, 16);
    for (uint32_t i = 0; i < bits; i++)
        to[i / 8] |= (uint8_t)(0x80u >> (i & 7));
}

bool word_value(const struct word *w, uint32_t bits, uint8_t value[16], uint8_t mask[16],
                struct fmt *why)
{
    uint32_t n = w->n, slash = 0, length;
    uint8_t num[16];

    while (slash < n && w->p[slash] != '/')
        slash++;
    ones(mask, bits);
    if (!number(w->p, slash, num) || !align(num, bits, value)) {
        fmt_add(why, "'%.*s' is no value of %u bits", (int)n, w->p, bits);
        return false;
    }
    if (slash == n)
        return true;
    const struct word m = {w->p + slash + 1, n - slash - 1};
    bool ok;
    if (has(w->p, slash, '.') && !has(m.p, m.n, '.')) {
        ok = word_u32(&m, &length) && length <= bits;
        if (ok)
            ones(mask, length);
    } else {
        ok = number(m.p, m.n, num) && align(num, bits, mask);
    }
    if (!ok)
        fmt_add(why, "'%.*s' is no mask of %u bits", (int)m.n, m.p, bits);
    return ok;
}
