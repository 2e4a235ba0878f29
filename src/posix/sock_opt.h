/* Private to sock_opt*.c: every option that we know, one row each.  doc/sockets.md is made from the
 * table (script/sockets-doc). */
#pragma once

#include "posix/sock_int.h"

enum opt_form {
    FORM_INT,
    FORM_BOOL,
    FORM_BYTE,    /* an int, or one byte of it: IP_TOS, IP_TTL */
    FORM_TIMEVAL, /* SO_RCVTIMEO */
    FORM_LINGER,
    FORM_NAME, /* TCP_CONGESTION, TCP_ULP */
    FORM_OTHER,
};

enum opt_how {
    HOW_HONOURED,
    HOW_HINT,    /* accepted: it changes nothing that a program could rely on */
    HOW_READ,    /* getsockopt only */
    HOW_REFUSED, /* with err */
    HOW_KERNELS, /* while nothing is decided the socket becomes the kernel's; else refused: err */
    HOW_V6,      /* about packets of IPv6, which are the kernel's: its socket has it */
};

#define FOR_TCP 1u
#define FOR_UDP 2u

struct opt_row {
    int level, name;
    const char *label; /* static, as all below */
    enum opt_form form;
    unsigned kinds; /* FOR_TCP, FOR_UDP */
    enum opt_how how;
    enum opt_slot slot;
    int mr;            /* enum mr_opt; 0: posix's own business */
    int err;           /* of a refusal, positive */
    int32_t lo, hi;    /* of what may be set; both 0: anything */
    int32_t otherwise; /* what getsockopt says of a connection that was accepted, if not set */
    const char *why;
};

extern const struct opt_row opt_table[];
extern const unsigned opt_rows;

/* NULL: not in the table. */
const struct opt_row *opt_find(int level, int name);
static inline bool opt_is_for(const struct opt_row *o, const struct px_file *f)
{
    return o->kinds & (f->type == SOCK_DGRAM ? FOR_UDP : FOR_TCP);
}
static inline bool opt_level_is_known(int level)
{
    return level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_IP ||
           level == IPPROTO_IPV6;
}
#define TIMEOUT_NONE_US 1 /* SO_RCVTIMEO of less than nothing: no wait at all */
/* The value as the stack takes it. */
int64_t opt_for_stack(const struct opt_row *o, int32_t value);
