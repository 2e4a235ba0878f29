/* Options of connections, listeners (for what they accept) and UDP endpoints. */
#include "sock/sock_int.h"

#define BUF_MIN 2048
#define BUF_MAX (1 << 30)
#define CLAMP_MIN 1152 /* Linux's SOCK_MIN_RCVBUF / 2 */
#define SYN_WND_MAX 65535u

static bool in_range(int64_t v, int64_t lo, int64_t hi)
{
    return v >= lo && v <= hi;
}

static bool is_setting(enum mr_opt opt)
{
    return opt >= MR_NODELAY && opt <= MR_OPT_LAST && !(opt >= MR_ERROR && opt <= MR_URGENT_LEFT);
}

static bool value_is_valid(enum mr_opt opt, int64_t v)
{
    switch (opt) {
    case MR_NODELAY:
    case MR_CORK:
    case MR_KEEPALIVE:
    case MR_QUICKACK:
    case MR_REUSEADDR:
    case MR_BROADCAST:
    case MR_OOBINLINE:
    case MR_PAUSED:
        return in_range(v, 0, 1);
    case MR_KEEPIDLE:
    case MR_KEEPINTVL:
        return in_range(v, 1, 32767);
    case MR_KEEPCNT:
        return in_range(v, 1, 127);
    case MR_LINGER:
        return in_range(v, -1, 65535);
    case MR_LINGER2:
        return in_range(v, -1, 120);
    case MR_NOTSENT_LOWAT:
        return in_range(v, 0, BUF_MAX);
    case MR_WINDOW_CLAMP:
        return v == 0 || in_range(v, CLAMP_MIN, BUF_MAX);
    case MR_USER_TIMEOUT_MS:
        return in_range(v, 0, 24 * 3600 * 1000);
    case MR_SNDBUF:
    case MR_RCVBUF:
        return in_range(v, BUF_MIN, BUF_MAX);
    case MR_SYN_RETRIES:
        return in_range(v, 0, 127);
    case MR_DEFER_ACCEPT:
        return in_range(v, 0, 32767);
    case MR_MAXSEG:
        return in_range(v, 64, 65495);
    case MR_TTL:
        return in_range(v, 1, 255);
    case MR_TOS:
        return in_range(v, 0, 255);
    case MR_CONGESTION:
        return in_range(v, 0, CC_KINDS - 1);
    case MR_SNDLOWAT:
        return in_range(v, 1, BUF_MAX);
    case MR_ERROR:
    case MR_RCVQ:
    case MR_SNDQ:
    case MR_URGENT_LEFT:
        return false;
    }
    return false;
}

static void flag_set(uint32_t *flags, uint32_t flag, int64_t on)
{
    *flags = on ? *flags | flag : *flags & ~flag;
}

/* The settings that are flags; true if opt was one. */
static bool flag_opt(uint32_t *flags, enum mr_opt opt, int64_t v)
{
    switch (opt) {
    case MR_NODELAY:
        flag_set(flags, TF_NODELAY, v);
        return true;
    case MR_CORK:
        flag_set(flags, TF_CORK, v);
        return true;
    case MR_QUICKACK:
        flag_set(flags, TF_QUICKACK, v);
        return true;
    case MR_REUSEADDR:
        return true;
    default:
        return false;
    }
}

static int cold_opt(struct tcp_cold *cold, enum mr_opt opt, int64_t v)
{
    switch (opt) {
    case MR_KEEPALIVE:
        break; /* the flag is set by the caller; the counters live here */
    case MR_KEEPIDLE:
        cold->keep_idle_ms = (uint32_t)v * 1000;
        break;
    case MR_KEEPINTVL:
        cold->keep_intvl_ms = (uint32_t)v * 1000;
        break;
    case MR_KEEPCNT:
        cold->keep_cnt = (uint32_t)v;
        break;
    case MR_LINGER:
        cold->linger_s = (int32_t)v;
        break;
    case MR_LINGER2:
        cold->linger2_s = (int32_t)v;
        break;
    case MR_NOTSENT_LOWAT:
        cold->notsent_lowat = (uint32_t)v;
        break;
    case MR_WINDOW_CLAMP:
        cold->window_clamp = (uint32_t)v;
        break;
    case MR_USER_TIMEOUT_MS:
        cold->user_timeout_ms = (uint32_t)v;
        break;
    case MR_SYN_RETRIES:
        cold->syn_retries = (uint8_t)v;
        break;
    case MR_MAXSEG:
        cold->maxseg = (uint16_t)v;
        break;
    case MR_SNDLOWAT:
        cold->snd_lowat = (uint32_t)v;
        break;
    default:
        return MR_ENOPROTOOPT;
    }
    return 0;
}

static void congestion_set(struct tcp_conn *c, int64_t v)
{
    c->cc_kind = (uint8_t)v;
    cc_ops((enum cc_kind)v)->init(&c->cc);
}

/* Who says that ACKs may wait for an answer wants no window update instead of one.  A SYN's window
 * is 64 KB at most: in a larger buffer the first bytes that are read would be worth an update.  One
 * that nobody has chosen and that has not grown begins with as much as a SYN can say. */
static void ack_later(const struct sock *s, uint32_t flags, uint32_t *rcv_buf)
{
    if (!(flags & TF_RCVBUF_FIXED) && *rcv_buf == s->tcp->config.rcvbuf)
        *rcv_buf = min_u32(*rcv_buf, SYN_WND_MAX);
}

static int conn_setopt(struct sock *s, struct tcp_conn *c, enum mr_opt opt, int64_t v)
{
    if (opt == MR_QUICKACK && !v)
        ack_later(s, c->flags, &c->rcv_buf);
    if (flag_opt(&c->flags, opt, v)) {
        tcp_option_changed(s->tcp, c, s->now);
        return 0;
    }
    switch (opt) {
    case MR_SNDBUF:
        c->snd_buf = (uint32_t)v;
        c->flags |= TF_SNDBUF_FIXED;
        return 0;
    case MR_RCVBUF:
        c->rcv_buf = (uint32_t)v;
        c->flags |= TF_RCVBUF_FIXED;
        return 0;
    case MR_TTL:
        c->ttl = (uint8_t)v;
        return 0;
    case MR_TOS: /* SHLD-21, SHLD-22 */
        c->tos = (uint8_t)v;
        return 0;
    case MR_CONGESTION:
        congestion_set(c, v);
        return 0;
    case MR_OOBINLINE: /* RFC 6093: urgent data stays in the stream */
        return v ? 0 : MR_EOPNOTSUPP;
    default:
        break;
    }
    struct tcp_cold *cold = tcp_cold_get(s->tcp, c);
    if (!cold)
        return MR_ENOMEM;
    int err = cold_opt(cold, opt, v);
    if (err)
        return err;
    if (opt == MR_KEEPALIVE)
        flag_set(&c->flags, TF_KEEPALIVE, v);
    tcp_option_changed(s->tcp, c, s->now);
    return 0;
}

/* What it passes on. */
static int inherit_setopt(const struct sock *s, struct tcp_inherit *i, enum mr_opt opt, int64_t v)
{
    if (opt == MR_QUICKACK && !v)
        ack_later(s, i->flags, &i->rcv_buf);
    if (flag_opt(&i->flags, opt, v))
        return 0;
    switch (opt) {
    case MR_KEEPALIVE:
        flag_set(&i->flags, TF_KEEPALIVE, v);
        return 0;
    case MR_KEEPIDLE:
        i->keep_idle_ms = (uint32_t)v * 1000;
        return 0;
    case MR_KEEPINTVL:
        i->keep_intvl_ms = (uint32_t)v * 1000;
        return 0;
    case MR_KEEPCNT:
        i->keep_cnt = (uint32_t)v;
        return 0;
    case MR_LINGER:
        i->linger_s = (int32_t)v;
        return 0;
    case MR_LINGER2:
        i->linger2_s = (int32_t)v;
        return 0;
    case MR_NOTSENT_LOWAT:
        i->notsent_lowat = (uint32_t)v;
        return 0;
    case MR_WINDOW_CLAMP:
        i->window_clamp = (uint32_t)v;
        return 0;
    case MR_USER_TIMEOUT_MS:
        i->user_timeout_ms = (uint32_t)v;
        return 0;
    case MR_SNDBUF:
        i->snd_buf = (uint32_t)v;
        i->flags |= TF_SNDBUF_FIXED;
        return 0;
    case MR_RCVBUF:
        i->rcv_buf = (uint32_t)v;
        i->flags |= TF_RCVBUF_FIXED;
        return 0;
    case MR_MAXSEG:
        i->maxseg = (uint16_t)v;
        return 0;
    case MR_TTL:
        i->ttl = (uint8_t)v;
        return 0;
    case MR_TOS:
        i->tos = (uint8_t)v;
        return 0;
    case MR_CONGESTION:
        i->cc_kind = (uint8_t)v;
        return 0;
    case MR_OOBINLINE:
        return v ? 0 : MR_EOPNOTSUPP;
    default:
        return MR_ENOPROTOOPT;
    }
}

static int listener_setopt(struct sock *s, struct tcp_listener *l, enum mr_opt opt, int64_t v)
{
    switch (opt) {
    case MR_PAUSED:
        tcp_pause(s->tcp, l, v);
        return 0;
    case MR_SYN_RETRIES:
        l->syn_retries = (uint8_t)v;
        return 0;
    case MR_DEFER_ACCEPT:
        l->defer = tcp_syn_timeouts((uint32_t)v);
        return 0;
    default:
        return inherit_setopt(s, &l->inherit, opt, v);
    }
}

static int udp_setopt(struct udp_pcb *u, enum mr_opt opt, int64_t v)
{
    switch (opt) {
    case MR_RCVBUF:
        u->rcv_bytes_max = (uint32_t)v;
        return 0;
    case MR_TTL:
        u->ttl = (uint8_t)v;
        return 0;
    case MR_TOS:
        u->tos = (uint8_t)v;
        return 0;
    case MR_BROADCAST:
        u->options = (uint8_t)(v ? u->options | UDP_BROADCAST : u->options & ~UDP_BROADCAST);
        return 0;
    case MR_REUSEADDR:
    case MR_SNDBUF:
        return 0;
    default:
        return MR_ENOPROTOOPT;
    }
}

/* A handle that is no handle any more is told before anything else. */
int sock_setopt(struct sock *s, mr_sock h, enum mr_opt opt, int64_t value)
{
    enum sock_kind kind = sock_kind_of(h);
    struct tcp_conn *c = kind == SOCK_CONN ? sock_conn(s, h) : NULL;
    struct tcp_listener *l = kind == SOCK_LISTENER ? sock_listener(s, h) : NULL;
    struct udp_pcb *u = kind == SOCK_UDP ? sock_udp(s, h) : NULL;

    if (!c && !l && !u)
        return MR_EBADF;
    if (!value_is_valid(opt, value))
        return is_setting(opt) ? MR_EINVAL : MR_ENOPROTOOPT;
    if (c)
        return conn_setopt(s, c, opt, value);
    return l ? listener_setopt(s, l, opt, value) : udp_setopt(u, opt, value);
}
