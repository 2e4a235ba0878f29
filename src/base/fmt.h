/* Text into a bounded buffer, for rooms without stdio.
 *
 * Directives: %s %c %d %u %x %% with the length l, ll or z, a width, the flags '0' and '-', and
 * a precision on %s (".5" or ".*").  Others are our bug and stop the program; the compiler
 * checks the arguments.
 *
 * Output that does not fit is left out from the end, the buffer is always a string, and 'cut'
 * remembers it. */
#pragma once

#include <stdarg.h>

#include "base/addr.h"
#include "base/types.h"

#define FMT_LIKE(f, args) __attribute__((format(printf, f, args)))

/* IPv4 dotted and MAC with colons, with the final 0. */
#define FMT_IP4_SIZE 16
#define FMT_MAC_SIZE 18

struct fmt {
    char *buf; /* borrowed from fmt_init to the last fmt_x */
    size_t size;
    size_t len; /* without the final 0; < size */
    bool cut;
};

/* size > 0. */
void fmt_init(struct fmt *f, char *buf, size_t size);
void fmt_char(struct fmt *f, char c);
void fmt_str(struct fmt *f, const char *s, size_t n);
void fmt_u64(struct fmt *f, uint64_t v);
void fmt_ip4(struct fmt *f, be32 a);
void fmt_mac(struct fmt *f, const struct mac_addr *a);
void fmt_add(struct fmt *f, const char *how, ...) FMT_LIKE(2, 3);
void fmt_vadd(struct fmt *f, const char *how, va_list args) FMT_LIKE(2, 0);

/* All in one; returns the length written. */
size_t fmt_print(char *buf, size_t size, const char *how, ...) FMT_LIKE(3, 4);
