#include "tcp/tcp_int.h"

void tcp_rexmt_arm(struct tcp *t, struct tcp_conn *c)
{
    c->flags &= ~(uint32_t)TF_PERSIST;
    tcp_timer_set(t, c, TCPT_REXMT, tcp_rto_us(t, c));
}

/* RFC 9293 3.8.6.1: the first probe after one RTO (SHLD-29), then with exponential back-off
 * (SHLD-30). A corked segment waits in the same way, at most 200 ms. */
void tcp_persist_arm(struct tcp *t, struct tcp_conn *c)
{
    uint64_t delay =
        clamp_u32(tcp_rto_us(t, c), t->config.persist_min_us, t->config.persist_max_us);

    if (c->snd_wnd && (c->flags & (TF_CORK | TF_MORE)))
        delay = 200000;
    c->flags |= TF_PERSIST;
    tcp_timer_set(t, c, TCPT_REXMT, delay);
}

static uint32_t or_default(uint32_t own, uint32_t def)
{
    return own ? own : def;
}

/* MUST-26, MUST-27: only after an idle interval, which can be set. */
void tcp_keep_arm(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    uint32_t idle = or_default(cold ? cold->keep_idle_ms : 0, t->config.keep_idle_ms);

    tcp_timer_set(t, c, TCPT_KEEP, (uint64_t)idle * 1000);
}

bool tcp_may_fin_wait_2(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);

    return !cold || cold->linger2_s >= 0;
}

/* However short it is said to be, there is time for a FIN that is lost and comes again (Linux's
 * tcp_fin_time). */
void tcp_fin_wait_2_arm(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    uint64_t us = (uint64_t)t->config.fin_wait_2_ms * 1000;

    if (cold && cold->linger2_s > 0)
        us = max_u64((uint64_t)cold->linger2_s * USEC_PER_SEC, UINT64_C(7) * tcp_rto_us(t, c) / 2);
    tcp_timer_set(t, c, TCPT_KEEP, us);
}

/* RFC 9293 3.8.3: has the segment at snd_una been retransmitted for longer than R2? (MUST-20,
 * MUST-21; SYN: MUST-22, MUST-23, unless the application says how often.)  rcv_time_ms is when the
 * peer was last heard, which for a SYN is the open. */
static bool r2_reached(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    uint32_t silent_ms = t->now_ms - c->rcv_time_ms;

    if ((c->flags & TF_SYN_QUEUED) && cold && cold->syn_retries)
        return max_u32(c->rxtshift, cold->rexmits) >= cold->syn_retries;
    if (c->flags & TF_SYN_QUEUED)
        return silent_ms >= t->config.syn_r2_ms;
    if (cold && cold->user_timeout_ms)
        return false; /* TCPT_USER decides */
    /* A peer that talks on without acknowledging it does not put the end off for ever. */
    return c->rxtshift >= RXTSHIFT_MAX ||
           (c->rxtshift >= t->config.retries_max && silent_ms >= t->config.r2_ms);
}

static void give_up(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);
    int err = cold && cold->soft_err ? cold->soft_err : MR_ETIMEDOUT;

    t->stats.timed_out++;
    if (c->state != TCPS_SYN_SENT)
        tcp_reset_send(t, c);
    tcp_conn_end(t, c, err);
}

static void persist_fired(struct tcp *t, struct tcp_conn *c)
{
    /* An open connection lives on as long as probes are answered (MUST-37); one the application has
     * closed does not hold memory for a peer that never opens its window (CVE-2008-4609,
     * Sockstress). */
    bool orphan = (c->flags & TF_DETACHED) && t->now_ms - c->rcv_time_ms >= t->config.fin_wait_2_ms;
    uint32_t silent_ms = t->now_ms - c->rcv_time_ms;

    if (c->sndq.cc == 0) { /* tcp_wait_memory */
        c->flags &= ~(uint32_t)TF_PERSIST;
        if (c->flags & TF_WANT_WRITE)
            tcp_mark_event(t, c, TCP_EV_WRITABLE);
        c->flags &= ~(uint32_t)TF_WANT_WRITE;
        return;
    }
    if (orphan || (c->rxtshift >= t->config.retries_max && silent_ms >= t->config.r2_ms)) {
        give_up(t, c);
        return;
    }
    if (c->rxtshift < t->config.retries_max && c->snd_wnd == 0)
        c->rxtshift++;
    c->flags |= TF_PROBE;
    tcp_mark_output(t, c);
}

/* The window closed behind data in flight (SHLD-15, SHLD-16, SHLD-17): the peer will not take it
 * now, and is not silent either; probing decides. */
static bool window_shut(const struct tcp_conn *c)
{
    return c->snd_wnd == 0 && c->sndq.cc > 0 && !(c->flags & TF_SYN_QUEUED);
}

static void rexmt_fired(struct tcp *t, struct tcp_conn *c)
{
    if (window_shut(c)) {
        c->snd_nxt = c->snd_una;
        c->flags &= ~(uint32_t)(TF_RECOVERY | TF_RTO_RECOVERY | TF_REXMT_ONE | TF_RTT_TIMING);
        c->flags |= TF_PERSIST;
    }
    if (c->flags & TF_PERSIST) {
        persist_fired(t, c);
    } else if (r2_reached(t, c)) {
        give_up(t, c);
    } else {
        tcp_rto_fired(t, c);
    }
}

static void delack_fired(struct tcp *t, struct tcp_conn *c)
{
    if (c->flags & TF_DELACK) {
        c->flags &= ~(uint32_t)TF_DELACK;
        t->stats.delayed_acks++;
        tcp_ack_now(t, c);
    }
}

/* RFC 9293 3.8.4: probes only when nothing is outstanding and nothing was heard (MUST-26); no
 * single unanswered probe ends the connection (MUST-29). */
static void keepalive_fired(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_cold *cold = tcp_cold(t, c);
    uint32_t idle_ms = t->now_ms - c->rcv_time_ms;

    if (!cold || !(c->flags & TF_KEEPALIVE))
        return;
    uint32_t keep_idle = or_default(cold->keep_idle_ms, t->config.keep_idle_ms);
    /* Heard since the last probe: the interval between probes may be longer than keep_idle. */
    if ((int32_t)(c->rcv_time_ms - cold->keep_probe_ms) >= 0)
        cold->keep_unanswered = 0;
    if (idle_ms < keep_idle || tcp_in_flight(c)) {
        cold->keep_unanswered = 0;
        uint32_t wait = idle_ms < keep_idle ? keep_idle - idle_ms : keep_idle;
        tcp_timer_set(t, c, TCPT_KEEP, (uint64_t)wait * 1000);
        return;
    }
    if (cold->keep_unanswered >= or_default(cold->keep_cnt, t->config.keep_cnt)) {
        give_up(t, c);
        return;
    }
    cold->keep_unanswered++;
    cold->keep_probe_ms = t->now_ms;
    c->flags |= TF_KEEP_PROBE;
    tcp_mark_output(t, c);
    tcp_timer_set(t, c, TCPT_KEEP,
                  UINT64_C(1000) * or_default(cold->keep_intvl_ms, t->config.keep_intvl_ms));
}

/* In FIN-WAIT-2 the same deadline bounds how long an orphan waits for the peer's FIN. */
static void keep_fired(struct tcp *t, struct tcp_conn *c)
{
    if (c->state == TCPS_FIN_WAIT_2 && (c->flags & TF_DETACHED)) {
        t->stats.timed_out++;
        tcp_conn_end(t, c, MR_ETIMEDOUT);
    } else {
        keepalive_fired(t, c);
    }
}

/* The user timeout (RFC 5482), or the linger time of a closed connection, is over with data still
 * unacknowledged. */
static void user_fired(struct tcp *t, struct tcp_conn *c)
{
    t->stats.timed_out++;
    tcp_reset_send(t, c);
    tcp_conn_end(t, c, MR_ETIMEDOUT);
}

static bool conn_timer_run(struct tcp *t, struct tcp_conn *c, enum tcp_timer which)
{
    c->deadline[which] = 0;
    switch (which) {
    case TCPT_REXMT:
        rexmt_fired(t, c);
        break;
    case TCPT_DELACK:
        delack_fired(t, c);
        break;
    case TCPT_KEEP:
        keep_fired(t, c);
        break;
    case TCPT_USER:
        user_fired(t, c);
        break;
    case TCPT_COUNT:
        break;
    }
    return c->state != TCPS_CLOSED;
}

/* What is due runs; the timer is armed again for the earliest that is not. */
static void conn_timer(struct tcp *t, struct tcp_conn *c)
{
    tick now = tick_floor(t->now);

    for (unsigned i = 0; i < TCPT_COUNT; i++)
        if (c->deadline[i] && tick_leq(c->deadline[i], now))
            if (!conn_timer_run(t, c, (enum tcp_timer)i))
                return;
    for (unsigned i = 0; i < TCPT_COUNT; i++)
        if (c->deadline[i] &&
            (!timer_is_armed(&c->timer) || tick_lt(c->deadline[i], c->timer.expires)))
            wheel_arm(t->wheel, &c->timer, c->deadline[i]);
}

void tcp_timer(struct tcp *t, struct timer *tm, instant now)
{
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    switch (tm->kind) {
    case TIMER_TCP_CONN:
        conn_timer(t, container_of(tm, struct tcp_conn, timer));
        break;
    case TIMER_TCP_SYN:
        tcp_syn_timer(t, container_of(tm, struct tcp_syn, timer));
        break;
    case TIMER_TCP_TW:
        tcp_tw_timer(t);
        break;
    default:
        mr_panic(__FILE__, __LINE__, "a timer of another room");
    }
}
