/* setsockopt(2). */
#include "posix/sock_opt.h"

#include <linux/tcp.h>
#include <sys/time.h>

/* Linux doubles what is asked for, for its own overhead, and has a least and a most. */
#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304
#define BUF_ASK_MAX 212992      /* net.core.[rw]mem_max */
#define RCVBUF_GROWS_TO 6291456 /* net.ipv4.tcp_rmem */
#define CLAMP_MIN 1152          /* SOCK_MIN_RCVBUF / 2 */
#define CLAMP_MAX (1 << 30)
#define NOTSENT_MAX (1 << 30)
#define LINGER2_DEFAULT 60
#define LINGER2_MAX 120 /* TCP_FIN_TIMEOUT_MAX */
#define STACK_BUF_MIN 2048
#define USER_TIMEOUT_MAX_MS (24 * 3600 * 1000)

struct setting {
    int fd, level, name;
    const void *value;
    socklen_t n;
};

int64_t opt_for_stack(const struct opt_row *o, int32_t v)
{
    switch (o->slot) {
    case OPT_SNDBUF:
    case OPT_RCVBUF:
        return v / 2 > STACK_BUF_MIN ? v / 2 : STACK_BUF_MIN;
    case OPT_USER_TIMEOUT:
        return v < USER_TIMEOUT_MAX_MS ? v : USER_TIMEOUT_MAX_MS;
    case OPT_TTL:
        return v < 1 ? 64 : v;
    case OPT_NOTSENT_LOWAT: /* the kernel's has no sign: below zero is no limit */
        return v < 0 ? 0 : v < NOTSENT_MAX ? v : NOTSENT_MAX;
    case OPT_WINDOW_CLAMP:
        return v < CLAMP_MAX ? v : CLAMP_MAX;
    default:
        return v;
    }
}

/* ---- into the stack -------------------------------------------------------------------------- */

static bool is_default(const struct opt_row *o, int32_t v)
{
    return o->slot == OPT_MAXSEG && v == 0;
}

static int give_listener(struct px_file *f, const struct opt_row *o, int64_t v)
{
    int rc = 0;

    for (unsigned slot = 0; slot < px_session->slots; slot++) {
        struct px_inst *i = &px_session->inst[slot];
        if (!(atomic_load(&f->listen->open) >> slot & 1))
            continue;
        inst_enter(i);
        int err = mr_setopt(inst_mr(i), f->listen->sock[slot], (enum mr_opt)o->mr, v);
        inst_leave(i);
        rc = err && err != MR_EBADF && err != MR_ENOPROTOOPT ? err : rc;
    }
    return rc;
}

static int give_stack(struct px_file *f, const struct opt_row *o, int32_t value)
{
    struct px_inst *i = file_inst(f);
    int64_t v = opt_for_stack(o, value);
    int rc;

    if (is_default(o, value))
        return 0;
    if (f->kind == PX_LISTENER)
        return give_listener(f, o, v);
    if (!f->sock.v)
        return 0;
    inst_enter(i);
    rc = mr_setopt(inst_mr(i), f->sock, (enum mr_opt)o->mr, v);
    /* One that is over takes anything, and nothing comes of it. */
    if (rc == MR_EBADF || rc == MR_ENOPROTOOPT)
        rc = 0;
    if (o->slot == OPT_CORK || o->slot == OPT_NODELAY || o->slot == OPT_QUICKACK)
        i->unsent = true;
    if (o->slot == OPT_NOTSENT_LOWAT)
        file_refresh(f);
    inst_leave(i);
    return rc;
}

void opts_apply(struct px_file *f, struct mr *m, mr_sock s)
{
    for (unsigned k = 0; f->opts.set && k < opt_rows; k++) {
        const struct opt_row *o = &opt_table[k];
        if (o->mr && o->slot != OPT_NONE && opt_is_set(f, o->slot) && opt_is_for(o, f) &&
            !is_default(o, f->opts.value[o->slot]))
            (void)mr_setopt(m, s, (enum mr_opt)o->mr, opt_for_stack(o, f->opts.value[o->slot]));
    }
    if (f->opts.linger == 0)
        (void)mr_setopt(m, s, MR_LINGER, 0);
}

void opts_inherit(struct px_file *conn, const struct px_file *listener)
{
    conn->opts = listener->opts;
    conn->opts.set &= ~(UINT64_C(1) << OPT_DEFER_ACCEPT);
}

/* ---- by form --------------------------------------------------------------------------------- */

static int32_t doubled(int32_t v, int32_t least, bool forced)
{
    if (!forced && v > BUF_ASK_MAX)
        v = BUF_ASK_MAX;
    if (v > INT32_MAX / 2 || v < 0)
        v = INT32_MAX / 2;
    return v * 2 > least ? v * 2 : least;
}

static int32_t as_linux_keeps(const struct px_file *f, const struct opt_row *o, int32_t v)
{
    int32_t most;

    switch (o->slot) {
    case OPT_SNDBUF:
        return doubled(v, SNDBUF_MIN, o->name == SO_SNDBUFFORCE);
    case OPT_RCVBUF:
        return doubled(v, RCVBUF_MIN, o->name == SO_RCVBUFFORCE);
    case OPT_TOS:
        return f->type == SOCK_STREAM ? v & ~3 : v; /* the ECN bits are TCP's own */
    case OPT_RCVLOWAT: /* tcp_set_rcvlowat: no more than half the buffer */
        most = opt_value(f, OPT_RCVBUF, RCVBUF_GROWS_TO) / 2;
        return v < 0 || v > most ? most : v ? v : 1;
    case OPT_QUICKACK:
        return v & 1;
    case OPT_WINDOW_CLAMP:
        return v == 0 || v >= CLAMP_MIN ? v : CLAMP_MIN;
    case OPT_DEFER_ACCEPT:
        return v < 0 ? 0 : (int32_t)tcp_syn_seconds(tcp_syn_timeouts((uint32_t)v));
    case OPT_LINGER2:
        if (v <= 0)
            return v < 0 ? -1 : LINGER2_DEFAULT;
        return v < LINGER2_MAX ? v : LINGER2_MAX;
    default:
        return o->form == FORM_BOOL ? v != 0 : v;
    }
}

static int read_int(const struct setting *x, const struct opt_row *o, int32_t *v)
{
    uint8_t byte;

    if (x->n >= sizeof(*v)) {
        if (!x->value)
            return -EFAULT;
        memcpy(v, x->value, sizeof(*v));
        return 0;
    }
    *v = 0;
    if (o->level == IPPROTO_IP && x->n == 0)
        return 0; /* do_ip_setsockopt */
    if (o->level != IPPROTO_IP)
        return -EINVAL;
    if (!x->value)
        return -EFAULT;
    memcpy(&byte, x->value, 1); /* ip(7): a byte will do */
    *v = byte;
    return 0;
}

static bool in_range(const struct opt_row *o, int32_t v)
{
    if (o->slot == OPT_MAXSEG && v == 0)
        return true;
    if (o->slot == OPT_TTL && v == 0)
        return false;
    return (o->lo == 0 && o->hi == 0) || (v >= o->lo && v <= o->hi);
}

static int set_int(struct px_file *f, const struct setting *x, const struct opt_row *o)
{
    int32_t v;
    int rc = read_int(x, o, &v);

    if (rc)
        return rc;
    if (!in_range(o, v) || (o->slot == OPT_WINDOW_CLAMP && v == 0 && f->kind != PX_FRESH))
        return -EINVAL;
    if (o->slot == OPT_NONE)
        return 0;
    v = as_linux_keeps(f, o, v);
    rc = o->mr && opt_is_for(o, f) ? give_stack(f, o, v) : 0;
    if (rc)
        return rc;
    f->opts.value[o->slot] = v;
    f->opts.set |= UINT64_C(1) << o->slot;
    if (o->slot == OPT_MTU_DISCOVER && f->kind == PX_DGRAM && f->sock.v) {
        inst_enter(file_inst(f));
        rc = sock_udp_option(inst_sock(file_inst(f)), f->sock, UDP_DF,
                             v == IP_PMTUDISC_DO || v == IP_PMTUDISC_PROBE);
        inst_leave(file_inst(f));
    }
    return rc;
}

/* Linux: a time of 0 is for ever, a negative one is none at all. */
static int set_timeval(struct px_file *f, const struct setting *x, const struct opt_row *o)
{
    struct timeval t;
    int64_t us;

    if (x->n < sizeof(t))
        return -EINVAL;
    if (!x->value)
        return -EFAULT;
    memcpy(&t, x->value, sizeof(t));
    if (t.tv_usec < 0 || t.tv_usec >= 1000000)
        return -EDOM;
    us = t.tv_sec < 0                  ? TIMEOUT_NONE_US
         : t.tv_sec > INT64_C(1) << 40 ? 0
                                       : t.tv_sec * 1000000 + t.tv_usec;
    if (o->name == SO_RCVTIMEO_OLD)
        f->opts.rcvtimeo_us = us;
    else
        f->opts.sndtimeo_us = us;
    return 0;
}

static int set_linger(struct px_file *f, const struct setting *x)
{
    static const struct opt_row row = {.mr = MR_LINGER, .slot = OPT_NONE};
    struct linger l;

    if (x->n < sizeof(l))
        return -EINVAL;
    if (!x->value)
        return -EFAULT;
    memcpy(&l, x->value, sizeof(l));
    f->opts.linger = l.l_onoff ? l.l_linger : -1;
    /* With a time it is close that waits; the stack is told of resets only. */
    return f->type == SOCK_STREAM ? give_stack(f, &row, f->opts.linger == 0 ? 0 : -1) : 0;
}

static int set_name(struct px_file *f, const struct setting *x, const struct opt_row *o)
{
    char name[16] = {0};
    int32_t v;
    int rc;

    if (x->n < 1)
        return -EINVAL;
    if (!x->value)
        return -EFAULT;
    memcpy(name, x->value, x->n < sizeof(name) ? x->n : sizeof(name) - 1);
    if (strcmp(name, "cubic") == 0)
        v = MR_CC_CUBIC;
    else if (strcmp(name, "reno") == 0)
        v = MR_CC_NEWRENO;
    else
        return -ENOENT;
    rc = give_stack(f, o, v);
    if (rc)
        return rc;
    f->opts.value[o->slot] = v;
    f->opts.set |= UINT64_C(1) << o->slot;
    return 0;
}

static int set_value(struct px_file *f, const struct setting *x, const struct opt_row *o)
{
    switch (o->form) {
    case FORM_INT:
    case FORM_BOOL:
    case FORM_BYTE:
        return set_int(f, x, o);
    case FORM_TIMEVAL:
        return set_timeval(f, x, o);
    case FORM_LINGER:
        return set_linger(f, x);
    case FORM_NAME:
        return set_name(f, x, o);
    case FORM_OTHER:
        break;
    }
    return 0;
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static bool is_undecided(const struct px_file *f)
{
    return f->fd_is_own && !f->bound &&
           (f->kind == PX_FRESH || (f->kind == PX_DGRAM && !f->sock.v));
}

/* Only the kernel can do it. */
static int set_kernels(struct px_file *f, const struct setting *x, int err)
{
    int rc;

    if (!f->fd_is_own)
        return -err;
    if (!is_undecided(f))
        return -err;
    rc = sys_setsockopt(x->fd, x->level, x->name, x->value, x->n);
    if (rc == 0)
        file_to_kernel(f, PX_WHY_OPTION);
    return rc;
}

static bool is_off(const struct setting *x)
{
    int v;

    if (x->n != sizeof(v) || !x->value)
        return false;
    memcpy(&v, x->value, sizeof(v));
    return v == 0;
}

static int set_known(struct px_file *f, const struct setting *x, const struct opt_row *o)
{
    int rc = 0;

    if (o->form == FORM_NAME && o->how == HOW_HONOURED)
        return set_name(f, x, o); /* the kernel may have one that we have not */
    if (f->fd_is_own)
        rc = sys_setsockopt(x->fd, x->level, x->name, x->value, x->n);
    if (rc)
        return rc;
    return set_value(f, x, o);
}

static int set_file(struct px_file *f, const struct setting *x)
{
    const struct opt_row *o = opt_find(x->level, x->name);

    if (f->kind == PX_EPOLL)
        return PX_PASS;
    if ((int)x->n < 0)
        return -EINVAL;
    if (!o)
        return set_kernels(f, x, ENOPROTOOPT);
    if (x->level == IPPROTO_TCP && f->type != SOCK_STREAM)
        return -ENOPROTOOPT;
    if (x->level == IPPROTO_IPV6 && f->family != AF_INET6)
        return -ENOPROTOOPT;
    if (x->level == SOL_SOCKET && x->n < sizeof(int))
        return -EINVAL; /* sk_setsockopt asks this before anything else */
    switch (o->how) {
    case HOW_HONOURED:
    case HOW_HINT:
        return set_known(f, x, o);
    case HOW_V6:
        return f->fd_is_own ? sys_setsockopt(x->fd, x->level, x->name, x->value, x->n) : 0;
    case HOW_KERNELS:
        return is_off(x) ? 0 : set_kernels(f, x, o->err);
    case HOW_REFUSED:
        return is_off(x) && o->form == FORM_BOOL ? 0 : -o->err;
    case HOW_READ:
        break;
    }
    return -o->err;
}

int px_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    struct setting x = {fd, level, name, value, n};
    struct px_file *f = file_get(fd);

    if (!f)
        return PX_PASS;
    int rc = set_file(f, &x);
    file_put(f);
    return rc;
}
