#include "sock/sock_int.h"

static int64_t seconds(uint32_t own_ms, uint32_t def_ms)
{
    return (own_ms ? own_ms : def_ms) / 1000;
}

static int64_t urgent_left(const struct sock *s, const struct tcp_conn *c)
{
    tcp_seq read = seq_sub(c->rcv_nxt, c->rcvq.cc);

    if (!(c->flags & TF_URG_RCV))
        return 0;
    tcp_seq up = tcp_cold(s->tcp, c)->rcv_up;
    return seq_gt(up, read) ? seq_diff(up, read) : 0;
}

/* The settings that live in tcp_cold, or their defaults. */
static int cold_getopt(const struct sock *s, const struct tcp_conn *c, enum mr_opt opt, int64_t *v)
{
    const struct tcp_cold *cold = tcp_cold(s->tcp, c);
    const struct tcp_config *cf = &s->tcp->config;

    switch (opt) {
    case MR_KEEPIDLE:
        *v = seconds(cold ? cold->keep_idle_ms : 0, cf->keep_idle_ms);
        return 0;
    case MR_KEEPINTVL:
        *v = seconds(cold ? cold->keep_intvl_ms : 0, cf->keep_intvl_ms);
        return 0;
    case MR_KEEPCNT:
        *v = cold && cold->keep_cnt ? cold->keep_cnt : cf->keep_cnt;
        return 0;
    case MR_LINGER:
        *v = cold ? cold->linger_s : -1;
        return 0;
    case MR_LINGER2:
        *v = cold && cold->linger2_s ? cold->linger2_s : seconds(0, cf->fin_wait_2_ms);
        return 0;
    case MR_NOTSENT_LOWAT:
        *v = cold ? cold->notsent_lowat : 0;
        return 0;
    case MR_WINDOW_CLAMP:
        *v = cold ? cold->window_clamp : 0;
        return 0;
    case MR_USER_TIMEOUT_MS:
        *v = cold ? cold->user_timeout_ms : 0;
        return 0;
    case MR_SYN_RETRIES:
        *v = cold ? cold->syn_retries : 0;
        return 0;
    case MR_SNDLOWAT:
        *v = cold && cold->snd_lowat ? cold->snd_lowat : c->snd_buf / 3;
        return 0;
    default:
        return MR_ENOPROTOOPT;
    }
}

static int64_t error_take(struct sock *s, struct tcp_conn *c)
{
    struct tcp_cold *cold = tcp_cold(s->tcp, c);
    int64_t err = c->err;

    if (c->err) {
        c->err = c->state == TCPS_CLOSED ? c->err : 0;
    } else if (cold) {
        err = cold->soft_err;
        cold->soft_err = 0;
    }
    return err;
}

/* The settings that are flags, of a connection or for those a listener accepts. */
static bool flag_getopt(uint32_t flags, enum mr_opt opt, int64_t *v)
{
    switch (opt) {
    case MR_NODELAY:
        *v = (flags & TF_NODELAY) != 0;
        return true;
    case MR_CORK:
        *v = (flags & TF_CORK) != 0;
        return true;
    case MR_KEEPALIVE:
        *v = (flags & TF_KEEPALIVE) != 0;
        return true;
    case MR_QUICKACK:
        *v = (flags & TF_QUICKACK) != 0;
        return true;
    case MR_REUSEADDR:
    case MR_OOBINLINE:
        *v = 1;
        return true;
    default:
        return false;
    }
}

static int conn_getopt(struct sock *s, struct tcp_conn *c, enum mr_opt opt, int64_t *v)
{
    if (flag_getopt(c->flags, opt, v))
        return 0;
    switch (opt) {
    case MR_SNDBUF:
        *v = c->snd_buf;
        return 0;
    case MR_RCVBUF:
        *v = c->rcv_buf;
        return 0;
    case MR_MAXSEG:
        *v = c->mss;
        return 0;
    case MR_TTL:
        *v = c->ttl;
        return 0;
    case MR_TOS:
        *v = c->tos;
        return 0;
    case MR_CONGESTION:
        *v = c->cc_kind;
        return 0;
    case MR_ERROR:
        *v = error_take(s, c);
        return 0;
    case MR_RCVQ:
        *v = c->rcvq.cc;
        return 0;
    case MR_SNDQ:
        *v = c->sndq.cc;
        return 0;
    case MR_URGENT_LEFT:
        *v = urgent_left(s, c);
        return 0;
    default:
        return cold_getopt(s, c, opt, v);
    }
}

/* What a listener passes on. */
static int inherit_getopt(const struct sock *s, const struct tcp_inherit *i, enum mr_opt opt,
                          int64_t *v)
{
    const struct tcp_config *cf = &s->tcp->config;

    switch (opt) {
    case MR_KEEPIDLE:
        *v = seconds(i->keep_idle_ms, cf->keep_idle_ms);
        return 0;
    case MR_KEEPINTVL:
        *v = seconds(i->keep_intvl_ms, cf->keep_intvl_ms);
        return 0;
    case MR_KEEPCNT:
        *v = i->keep_cnt ? i->keep_cnt : cf->keep_cnt;
        return 0;
    case MR_LINGER:
        *v = i->linger_s;
        return 0;
    case MR_LINGER2:
        *v = i->linger2_s ? i->linger2_s : seconds(0, cf->fin_wait_2_ms);
        return 0;
    case MR_NOTSENT_LOWAT:
        *v = i->notsent_lowat;
        return 0;
    case MR_WINDOW_CLAMP:
        *v = i->window_clamp;
        return 0;
    case MR_USER_TIMEOUT_MS:
        *v = i->user_timeout_ms;
        return 0;
    case MR_SNDBUF:
        *v = i->snd_buf;
        return 0;
    case MR_RCVBUF:
        *v = i->rcv_buf;
        return 0;
    case MR_MAXSEG:
        *v = i->maxseg;
        return 0;
    case MR_TTL:
        *v = i->ttl;
        return 0;
    case MR_TOS:
        *v = i->tos;
        return 0;
    case MR_CONGESTION:
        *v = i->cc_kind;
        return 0;
    default:
        return MR_ENOPROTOOPT;
    }
}

static int listener_getopt(const struct sock *s, const struct tcp_listener *l, enum mr_opt opt,
                           int64_t *v)
{
    if (flag_getopt(l->inherit.flags, opt, v))
        return 0;
    switch (opt) {
    case MR_ERROR:
        *v = 0;
        return 0;
    case MR_RCVQ:
        *v = l->accept_n;
        return 0;
    case MR_PAUSED:
        *v = l->paused;
        return 0;
    case MR_SYN_RETRIES:
        *v = l->syn_retries;
        return 0;
    case MR_DEFER_ACCEPT:
        *v = tcp_syn_seconds(l->defer);
        return 0;
    default:
        return inherit_getopt(s, &l->inherit, opt, v);
    }
}

static int udp_getopt(struct udp_pcb *u, enum mr_opt opt, int64_t *v)
{
    switch (opt) {
    case MR_RCVBUF:
        *v = u->rcv_bytes_max;
        return 0;
    case MR_TTL:
        *v = u->ttl;
        return 0;
    case MR_TOS:
        *v = u->tos;
        return 0;
    case MR_BROADCAST:
        *v = (u->options & UDP_BROADCAST) != 0;
        return 0;
    case MR_ERROR:
        *v = u->err;
        u->err = 0;
        return 0;
    case MR_RCVQ:
        *v = u->rcvq.head ? u->rcvq.head->len : 0;
        return 0;
    default:
        return MR_ENOPROTOOPT;
    }
}

int sock_getopt(struct sock *s, mr_sock h, enum mr_opt opt, int64_t *value)
{
    if (sock_kind_of(h) == SOCK_CONN) {
        struct tcp_conn *c = sock_conn(s, h);
        return c ? conn_getopt(s, c, opt, value) : MR_EBADF;
    }
    if (sock_kind_of(h) == SOCK_LISTENER) {
        struct tcp_listener *l = sock_listener(s, h);
        return l ? listener_getopt(s, l, opt, value) : MR_EBADF;
    }
    struct udp_pcb *u = sock_udp(s, h);
    return u ? udp_getopt(u, opt, value) : MR_EBADF;
}

void sock_conn_info(const struct sock *s, const struct tcp_conn *c, struct mr_tcp_info *out)
{
    const char *name = tcp_state_name((enum tcp_state)c->state);
    size_t n = 0;

    *out = (struct mr_tcp_info){
        .srtt_us = c->srtt >> 3,
        .rttvar_us = c->rttvar >> 2,
        .rto_us = tcp_rto_us(s->tcp, c),
        .snd_cwnd = c->cc.cwnd,
        .snd_ssthresh = c->cc.ssthresh,
        .snd_wnd = c->snd_wnd,
        .rcv_wnd = tcp_rcv_wnd(c),
        .mss = c->mss,
        .sndq = c->sndq.cc,
        .rcvq = c->rcvq.cc,
        .in_flight = seq_diff(c->snd_max, c->snd_una),
        .retransmits = c->cold ? tcp_cold(s->tcp, c)->rexmits : 0,
    };
    while (name[n] && n < sizeof(out->state) - 1) {
        out->state[n] = name[n];
        n++;
    }
    out->state[n] = 0;
}

int sock_tcp_info(struct sock *s, mr_sock h, struct mr_tcp_info *out)
{
    struct tcp_conn *c = sock_conn(s, h);

    if (!c)
        return MR_EBADF;
    sock_conn_info(s, c, out);
    return 0;
}
