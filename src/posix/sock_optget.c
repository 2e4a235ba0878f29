/* getsockopt(2). */
#include "posix/sock_opt.h"

#include <linux/tcp.h>
#include <sys/time.h>

struct getting {
    int fd, level, name;
    void *value;
    socklen_t *n;
};

/* As much as fits; the length says how much that was. */
static int give(const struct getting *x, const void *from, size_t n)
{
    if ((int)*x->n < 0)
        return -EINVAL;
    if (*x->n < n)
        n = *x->n;
    if (n && !x->value)
        return -EFAULT;
    memcpy(x->value, from, n);
    *x->n = (socklen_t)n;
    return 0;
}

static int give_int(const struct getting *x, const struct opt_row *o, int32_t v)
{
    uint8_t byte = (uint8_t)v;

    /* do_ip_getsockopt: one byte for who asks for less than an int. */
    if (o->level == IPPROTO_IP && *x->n > 0 && *x->n < sizeof(v) && v >= 0 && v <= 255)
        return give(x, &byte, 1);
    return give(x, &v, sizeof(v));
}

/* ---- what is asked of the socket as it is ---------------------------------------------------- */

static int32_t take_error(struct px_file *f, int fd)
{
    struct px_inst *i = file_inst(f);
    int64_t soft = 0;
    int32_t err;
    socklen_t n = sizeof(err);

    if (f->sock.v && (f->kind == PX_CONN || f->kind == PX_DGRAM)) {
        inst_enter(i);
        err = err_take(f);
        if (!err && (f->state == PX_CONNECTED || f->kind == PX_DGRAM) &&
            mr_getopt(inst_mr(i), f->sock, MR_ERROR, &soft) == 0)
            err = (int32_t)-soft;
        file_refresh(f);
        inst_leave(i);
    } else {
        err = err_take(f);
    }
    if (!err && f->both && sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n))
        err = 0;
    return err;
}

static bool from_stack(struct px_file *f, enum mr_opt opt, int64_t *v)
{
    struct px_inst *i = file_inst(f);
    bool known;

    if (!f->sock.v || f->kind == PX_LISTENER)
        return false;
    inst_enter(i);
    known = mr_getopt(inst_mr(i), f->sock, opt, v) == 0;
    inst_leave(i);
    return known;
}

static int give_congestion(struct px_file *f, const struct getting *x, const struct opt_row *o)
{
    char name[16] = "cubic";
    int64_t v = opt_value(f, o->slot, MR_CC_CUBIC);

    (void)from_stack(f, MR_CONGESTION, &v);
    if (v == MR_CC_NEWRENO)
        memcpy(name, "reno\0", 6);
    return give(x, name, sizeof(name));
}

static int give_cookie(const struct px_file *f, const struct getting *x)
{
    uint64_t cookie = f->fd_is_own ? f->cookie : f->sock.v ^ ((uint64_t)f->slot + 1) << 48;

    if (*x->n < sizeof(cookie))
        return -EINVAL;
    return give(x, &cookie, sizeof(cookie));
}

/* Facts of the socket; false: its value is a setting. */
static bool fact(struct px_file *f, const struct getting *x, int32_t *v)
{
    if (x->level == IPPROTO_TCP && x->name == TCP_MAXSEG) {
        int64_t mss;
        if (f->kind != PX_CONN || !from_stack(f, MR_MAXSEG, &mss))
            return false;
        *v = (int32_t)mss;
        return true;
    }
    if (x->level != SOL_SOCKET)
        return false;
    switch (x->name) {
    case SO_ERROR:
        *v = take_error(f, x->fd);
        return true;
    case SO_TYPE:
        *v = (int32_t)f->type;
        return true;
    case SO_DOMAIN:
        *v = f->family;
        return true;
    case SO_PROTOCOL:
        *v = f->protocol;
        return true;
    case SO_ACCEPTCONN:
        *v = f->kind == PX_LISTENER;
        return true;
    default:
        return false;
    }
}

/* ---- settings -------------------------------------------------------------------------------- */

static int give_timeval(const struct getting *x, int64_t us)
{
    struct timeval t = {us / 1000000, us % 1000000};

    if (us == TIMEOUT_NONE_US)
        t.tv_usec = 0;

    return give(x, &t, sizeof(t));
}

static int give_linger(const struct px_file *f, const struct getting *x)
{
    struct linger l = {f->opts.linger >= 0, f->opts.linger >= 0 ? f->opts.linger : 0};

    return give(x, &l, sizeof(l));
}

static int32_t setting_of(struct px_file *f, const struct opt_row *o)
{
    int64_t v;

    if (o->slot != OPT_NONE && opt_is_set(f, o->slot))
        return f->opts.value[o->slot];
    if ((o->slot == OPT_SNDBUF || o->slot == OPT_RCVBUF) && from_stack(f, (enum mr_opt)o->mr, &v))
        return (int32_t)(v < INT32_MAX ? v : INT32_MAX);
    return o->otherwise;
}

static int give_setting(struct px_file *f, const struct getting *x, const struct opt_row *o)
{
    switch (o->form) {
    case FORM_TIMEVAL:
        return give_timeval(x,
                            o->name == SO_RCVTIMEO_OLD ? f->opts.rcvtimeo_us : f->opts.sndtimeo_us);
    case FORM_LINGER:
        return give_linger(f, x);
    case FORM_INT:
    case FORM_BOOL:
    case FORM_BYTE:
    case FORM_NAME:
    case FORM_OTHER:
        break;
    }
    return give_int(x, o, setting_of(f, o));
}

/* What the kernel's socket was told it still knows, with the kernel's defaults. */
static int get_known(struct px_file *f, const struct getting *x, const struct opt_row *o)
{
    int32_t v;

    if (fact(f, x, &v))
        return give_int(x, o, v);
    if (x->level == SOL_SOCKET && x->name == SO_COOKIE)
        return give_cookie(f, x);
    if (x->level == IPPROTO_TCP && x->name == TCP_INFO)
        return opt_tcp_info(f, x->value, x->n);
    if (x->level == IPPROTO_TCP && x->name == TCP_CONGESTION)
        return give_congestion(f, x, o);
    if (x->level == IPPROTO_IP && x->name == IP_MTU && f->kind == PX_CONN && f->sock.v)
        return give_int(x, o, 1500);
    if (f->fd_is_own)
        return sys_getsockopt(x->fd, x->level, x->name, x->value, x->n);
    if (o->form == FORM_OTHER)
        return -ENOPROTOOPT;
    return give_setting(f, x, o);
}

/* Nothing was ever set: the kernel's socket shows that. */
static int get_refused(const struct px_file *f, const struct getting *x, const struct opt_row *o)
{
    if (f->fd_is_own)
        return sys_getsockopt(x->fd, x->level, x->name, x->value, x->n);
    if (o && (o->form == FORM_BOOL || o->form == FORM_INT))
        return give_int(x, o, o->otherwise);
    return o || opt_level_is_known(x->level) ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static int get_file(struct px_file *f, const struct getting *x)
{
    const struct opt_row *o = opt_find(x->level, x->name);

    if (f->kind == PX_EPOLL)
        return PX_PASS;
    if (!x->n)
        return -EFAULT;
    if ((int)*x->n < 0)
        return -EINVAL;
    if (!o || o->how == HOW_REFUSED || o->how == HOW_KERNELS)
        return get_refused(f, x, o);
    if ((x->level == IPPROTO_TCP && f->type != SOCK_STREAM) ||
        (x->level == IPPROTO_IPV6 && f->family != AF_INET6))
        return x->level == IPPROTO_TCP ? -EOPNOTSUPP : -ENOPROTOOPT;
    return get_known(f, x, o);
}

int px_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
    struct getting x = {fd, level, name, value, n};
    struct px_file *f = file_get(fd);

    if (!f)
        return PX_PASS;
    int rc = get_file(f, &x);
    file_put(f);
    return rc;
}
