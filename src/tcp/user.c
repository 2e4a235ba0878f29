/* The calls of the layer above: RFC 9293 3.9.1, 3.10.2 to 3.10.6. */
#include "tcp/tcp_int.h"

static void clock_set(struct tcp *t, instant now)
{
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
}

/* Queued and never sent. */
static uint32_t unsent(const struct tcp_conn *c)
{
    tcp_seq end = tcp_data_end(c);

    return seq_lt(c->snd_max, end) ? seq_diff(end, c->snd_max) : 0;
}

/* As Linux's tcp_stream_memory_free: a segment that has begun may be filled. */
static uint32_t unsent_space(const struct tcp_conn *c, uint32_t lowat)
{
    uint32_t n = unsent(c);

    return n < lowat ? max_u32(lowat - n, c->mss) : 0;
}

uint32_t tcp_snd_space(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);

    if (likely(!cold || !cold->notsent_lowat))
        return tcp_snd_free(c);
    return min_u32(tcp_snd_free(c), unsent_space(c, cold->notsent_lowat));
}

bool tcp_has_room(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    uint32_t want = cold && cold->snd_lowat ? cold->snd_lowat : c->snd_buf / 3;

    if (tcp_snd_free(c) < want && c->sndq.cc)
        return false;
    return likely(!cold || !cold->notsent_lowat) || unsent(c) < (cold->notsent_lowat + 1) / 2;
}

void tcp_writer_wake(struct tcp *t, struct tcp_conn *c)
{
    if ((c->flags & TF_WANT_WRITE) && tcp_has_room(t, c)) {
        c->flags &= ~(uint32_t)TF_WANT_WRITE;
        tcp_mark_event(t, c, TCP_EV_WRITABLE);
    }
}

/* What waits to be sent may be less now.  While memory has run out nothing is queued, and that it
 * is enough again output does not know; nor is an open over because its SYN left. */
void tcp_unsent_wake(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);

    if (cold && cold->notsent_lowat && c->sndq.cc && tcp_is_synchronised(c))
        tcp_writer_wake(t, c);
}

int tcp_may_send(const struct tcp_conn *c)
{
    if (c->state == TCPS_CLOSED)
        return c->err ? c->err : MR_EPIPE;
    return c->flags & TF_FIN_QUEUED ? MR_EPIPE : 0;
}

void tcp_sent(struct tcp *t, struct tcp_conn *c, bool more, bool urgent, instant now)
{
    clock_set(t, now);
    if (more)
        c->flags |= TF_MORE;
    else
        c->flags &= ~(uint32_t)TF_MORE;
    struct tcp_cold *cold = urgent ? tcp_cold_get(t, c) : NULL;
    if (cold) {
        cold->snd_up = tcp_data_end(c);
        c->flags |= TF_URG_SND;
    }
    tcp_mark_output(t, c);
}

#define MEMORY_RETRY_US 50000u

void tcp_wait_memory(struct tcp *t, struct tcp_conn *c, instant now)
{
    clock_set(t, now);
    if (tcp_timer_is_set(c, TCPT_REXMT))
        return;
    c->flags |= TF_PERSIST;
    tcp_timer_set(t, c, TCPT_REXMT, MEMORY_RETRY_US);
}

bool tcp_at_eof(const struct tcp_conn *c)
{
    return (c->flags & TF_FIN_RCVD) && c->rcvq.cc == 0;
}

/* RFC 9293 3.10.4: the FIN follows what is queued. */
static void fin_queue(struct tcp *t, struct tcp_conn *c)
{
    if (c->flags & TF_FIN_QUEUED)
        return;
    c->flags |= TF_FIN_QUEUED;
    c->flags &= ~(uint32_t)(TF_CORK | TF_MORE);
    switch (c->state) {
    case TCPS_SYN_RECEIVED:
        if (c->sndq.cc) /* after the data, when it is established */
            break;
        tcp_set_state(t, c, TCPS_FIN_WAIT_1);
        break;
    case TCPS_ESTABLISHED:
        tcp_set_state(t, c, TCPS_FIN_WAIT_1);
        break;
    case TCPS_CLOSE_WAIT:
        tcp_set_state(t, c, TCPS_LAST_ACK);
        break;
    default: /* SYN-SENT: when it is established */
        break;
    }
    tcp_mark_output(t, c);
}

int tcp_shutdown(struct tcp *t, struct tcp_conn *c, instant now)
{
    clock_set(t, now);
    if (c->state == TCPS_CLOSED)
        return c->err ? c->err : MR_ENOTCONN;
    if (c->state == TCPS_SYN_SENT || c->state == TCPS_SYN_RECEIVED)
        return MR_ENOTCONN;
    fin_queue(t, c);
    return 0;
}

void tcp_abort(struct tcp *t, struct tcp_conn *c, instant now)
{
    clock_set(t, now);
    c->flags |= TF_DETACHED;
    c->events = 0;
    if (c->state == TCPS_CLOSED) {
        tcp_conn_free(t, c);
        return;
    }
    tcp_reset_send(t, c);
    tcp_conn_end(t, c, MR_ECONNABORTED);
}

/* How long the orphan may take: MR_LINGER, or for ever as long as the peer answers; FIN-WAIT-2 is
 * bounded. */
static void orphan_begin(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    int32_t linger_s = cold ? cold->linger_s : -1;

    c->flags |= TF_DETACHED;
    c->events = 0;
    c->flags &= ~(uint32_t)TF_WANT_WRITE;
    fin_queue(t, c);
    if (linger_s > 0 && c->state != TCPS_FIN_WAIT_2)
        tcp_timer_set(t, c, TCPT_USER, (uint64_t)linger_s * USEC_PER_SEC);
    if (c->state == TCPS_FIN_WAIT_2)
        tcp_fin_wait_2_arm(t, c);
}

/* RFC 9293 3.10.4. Received data that nobody will read makes it a reset (SHLD-3, RFC 2525 2.17). */
void tcp_close(struct tcp *t, struct tcp_conn *c, instant now)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    bool unread = c->rcvq.cc > 0 || c->ooo;

    clock_set(t, now);
    if (c->state == TCPS_CLOSED || c->state == TCPS_SYN_SENT || unread ||
        (cold && cold->linger_s == 0) || (c->state == TCPS_FIN_WAIT_2 && !tcp_may_fin_wait_2(t, c)))
        tcp_abort(t, c, now);
    else
        orphan_begin(t, c);
}

struct tcp_cold *tcp_cold_get(struct tcp *t, struct tcp_conn *c)
{
    if (c->cold)
        return tcp_cold(t, c);
    struct tcp_cold *cold = pool_get(&t->colds);
    if (!cold)
        return NULL;
    memset(cold, 0, sizeof(*cold));
    cold->linger_s = -1;
    c->cold = mem_ref_of(t->arena, cold);
    return cold;
}

/* An option changed that output or timers depend on: do what it now asks for. */
void tcp_option_changed(struct tcp *t, struct tcp_conn *c, instant now)
{
    clock_set(t, now);
    if (c->state == TCPS_CLOSED)
        return;
    if (tcp_is_synchronised(c))
        tcp_mss_set(t, c);
    const struct tcp_cold *cold = tcp_cold(t, c);
    tcp_timer_clear(c, TCPT_USER);
    if (cold && cold->user_timeout_ms && tcp_in_flight(c))
        tcp_timer_set(t, c, TCPT_USER, (uint64_t)cold->user_timeout_ms * 1000);
    if (c->sndq.cc && tcp_is_synchronised(c))
        tcp_writer_wake(t, c);
    if (tcp_is_synchronised(c) && !(c->flags & TF_DETACHED)) {
        if (c->flags & TF_KEEPALIVE)
            tcp_keep_arm(t, c);
        else
            tcp_timer_clear(c, TCPT_KEEP);
    }
    tcp_mark_output(t, c);
}

void tcp_inherit_default(const struct tcp *t, struct tcp_inherit *i)
{
    *i = (struct tcp_inherit){
        .rcv_buf = t->config.rcvbuf,
        .snd_buf = t->config.sndbuf,
        .ttl = t->config.ttl,
        .cc_kind = (uint8_t)t->config.cc,
        .linger_s = -1,
    };
}

/* The settings that live in tcp_cold. */
void tcp_inherit_apply(struct tcp *t, struct tcp_conn *c, const struct tcp_inherit *i)
{
    bool any = i->maxseg || (i->flags & TF_KEEPALIVE) || i->keep_idle_ms || i->keep_intvl_ms ||
               i->keep_cnt || i->user_timeout_ms || i->linger_s >= 0 || i->linger2_s ||
               i->notsent_lowat || i->window_clamp;
    struct tcp_cold *cold = any ? tcp_cold_get(t, c) : NULL;

    if (!cold)
        return;
    cold->maxseg = i->maxseg;
    cold->keep_idle_ms = i->keep_idle_ms;
    cold->keep_intvl_ms = i->keep_intvl_ms;
    cold->keep_cnt = i->keep_cnt;
    cold->user_timeout_ms = i->user_timeout_ms;
    cold->notsent_lowat = i->notsent_lowat;
    cold->window_clamp = i->window_clamp;
    cold->linger_s = i->linger_s;
    cold->linger2_s = i->linger2_s;
}
