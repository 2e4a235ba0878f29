#include "base/fmt.h"

#include "base/bits.h"

#define DIGITS_MAX 20 /* of 2^64 - 1 */

/* What stands between '%' and the letter. */
struct spec {
    unsigned width;
    unsigned precision; /* UINT32_MAX: none */
    unsigned longs;     /* 0: int, 1: long or size_t, 2: long long */
    bool left, zero;
};

void fmt_init(struct fmt *f, char *buf, size_t size)
{
    MR_ASSERT(size > 0);
    *f = (struct fmt){.buf = buf, .size = size};
    buf[0] = '\0';
}

void fmt_str(struct fmt *f, const char *s, size_t n)
{
    size_t room = f->size - 1 - f->len;

    if (n > room) {
        n = room;
        f->cut = true;
    }
    memcpy(f->buf + f->len, s, n);
    f->len += n;
    f->buf[f->len] = '\0';
}

void fmt_char(struct fmt *f, char c)
{
    fmt_str(f, &c, 1);
}

static void pad(struct fmt *f, char c, size_t n)
{
    while (n-- > 0)
        fmt_char(f, c);
}

/* s between the blanks that bring it to the width asked for. */
static void put_padded(struct fmt *f, const struct spec *spec, const char *s, size_t n)
{
    size_t blanks = spec->width > n ? spec->width - n : 0;

    if (!spec->left)
        pad(f, ' ', blanks);
    fmt_str(f, s, n);
    if (spec->left)
        pad(f, ' ', blanks);
}

static void put_number(struct fmt *f, const struct spec *spec, uint64_t v, unsigned base,
                       bool minus)
{
    char text[DIGITS_MAX + 1];
    size_t i = sizeof(text);

    do {
        text[--i] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);

    size_t digits = sizeof(text) - i;
    if (spec->zero && !spec->left) {
        if (minus)
            fmt_char(f, '-');
        pad(f, '0', spec->width > digits + minus ? spec->width - digits - minus : 0);
        fmt_str(f, text + i, digits);
        return;
    }
    if (minus)
        text[--i] = '-';
    put_padded(f, spec, text + i, sizeof(text) - i);
}

void fmt_u64(struct fmt *f, uint64_t v)
{
    put_number(f, &(struct spec){0}, v, 10, false);
}

void fmt_ip4(struct fmt *f, be32 a)
{
    uint32_t v = be32_get(a);

    fmt_add(f, "%u.%u.%u.%u", v >> 24, v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff);
}

void fmt_mac(struct fmt *f, const struct mac_addr *a)
{
    fmt_add(f, "%02x:%02x:%02x:%02x:%02x:%02x", a->b[0], a->b[1], a->b[2], a->b[3], a->b[4],
            a->b[5]);
}

static unsigned read_number(const char **how)
{
    unsigned v = 0;

    for (; **how >= '0' && **how <= '9'; (*how)++)
        v = v * 10 + (unsigned)(**how - '0');
    return v;
}

/* Reads the spec at *how, which is left on its letter.  star: the precision is an argument. */
static struct spec read_spec(const char **how, bool *star)
{
    struct spec spec = {.precision = UINT32_MAX};

    for (; **how == '0' || **how == '-'; (*how)++) {
        spec.zero |= **how == '0';
        spec.left |= **how == '-';
    }
    spec.width = read_number(how);
    *star = false;
    if (**how == '.') {
        (*how)++;
        *star = **how == '*';
        if (*star)
            (*how)++;
        else
            spec.precision = read_number(how);
    }
    for (; **how == 'l' || **how == 'z'; (*how)++)
        spec.longs++;
    return spec;
}

/* s ends with a 0, or at the precision. */
static void put_string(struct fmt *f, const struct spec *spec, const char *s)
{
    size_t n = 0;

    while (n < spec->precision && s[n] != '\0')
        n++;
    put_padded(f, spec, s, n);
}

static void put_signed(struct fmt *f, const struct spec *spec, long long v)
{
    put_number(f, spec, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
}

/* A va_list is passed on by address only inside a struct: it may be an array type. */
struct args {
    va_list list;
};

static void put_directive(struct fmt *f, const struct spec *spec, char letter, struct args *args)
{
    uint64_t v;
    char c;

    switch (letter) {
    case 's':
        put_string(f, spec, va_arg(args->list, const char *));
        break;
    case 'c':
        c = (char)va_arg(args->list, int);
        put_padded(f, spec, &c, 1);
        break;
    case 'd':
        put_signed(f, spec, spec->longs > 0 ? va_arg(args->list, long long)
                                            : va_arg(args->list, int));
        break;
    case 'u':
    case 'x':
        v = spec->longs > 0 ? va_arg(args->list, unsigned long long)
                            : va_arg(args->list, unsigned);
        put_number(f, spec, v, letter == 'x' ? 16 : 10, false);
        break;
    default:
        MR_ASSERT(letter == '%');
        fmt_char(f, '%');
        break;
    }
}

/* long, size_t and long long are one size, so one va_arg serves them. */
_Static_assert(sizeof(long) == sizeof(long long) && sizeof(size_t) == sizeof(long), "LP64");

void fmt_vadd(struct fmt *f, const char *how, va_list list)
{
    struct args args;

    va_copy(args.list, list);
    while (*how != '\0') {
        size_t plain = 0;
        bool star;

        while (how[plain] != '\0' && how[plain] != '%')
            plain++;
        fmt_str(f, how, plain);
        how += plain;
        if (*how == '\0')
            break;
        how++;
        struct spec spec = read_spec(&how, &star);
        if (star)
            spec.precision = va_arg(args.list, unsigned);
        put_directive(f, &spec, *how++, &args);
    }
    va_end(args.list);
}

void fmt_add(struct fmt *f, const char *how, ...)
{
    va_list args;

    va_start(args, how);
    fmt_vadd(f, how, args);
    va_end(args);
}

size_t fmt_print(char *buf, size_t size, const char *how, ...)
{
    struct fmt f;
    va_list args;

    fmt_init(&f, buf, size);
    va_start(args, how);
    fmt_vadd(&f, how, args);
    va_end(args);
    return f.len;
}
