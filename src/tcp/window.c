/* The receive window: what to announce, when, and how large the buffer behind it should be. */
#include "tcp/tcp_int.h"

/* Room for data that the application has not taken, or taken and not released. */
uint32_t tcp_rcv_space(const struct tcp_conn *c)
{
    uint32_t used = c->rcvq.cc + c->rcvq.lent;

    return used < c->rcv_buf ? c->rcv_buf - used : 0;
}

/* The window field for the next segment, and the promise it makes. Receiver's SWS avoidance
 * (MUST-39, RFC 9293 3.8.6.2.2): the right edge moves only by a segment or half the buffer; it
 * never moves back (SHLD-14, MUST-34). */
static inline uint16_t announce(struct tcp *t, struct tcp_conn *c, uint32_t wnd, uint32_t buf)
{
    unsigned scale = tcp_rcv_scale(c);
    uint32_t promised = seq_leq(c->rcv_nxt, c->rcv_adv) ? tcp_rcv_wnd(c) : 0;

    if (wnd < buf / 2 && wnd < promised + c->mss)
        wnd = promised;
    wnd = min_u32(max_u32(wnd, promised), 65535u << scale);
    uint32_t field = wnd >> scale;
    /* Rounding down must not take anything back. */
    if ((field << scale) < promised && field < 65535)
        field++;
    c->rcv_adv = seq_max(seq_add(c->rcv_nxt, field << scale), c->rcv_adv);
    if (field == 0)
        t->stats.zero_window_sent++;
    return (uint16_t)field;
}

uint16_t tcp_wnd_announce(struct tcp *t, struct tcp_conn *c)
{
    return announce(t, c, tcp_rcv_space(c), c->rcv_buf);
}

/* The most that may be announced, whatever room there is: but one unit of the scale, or nothing
 * could come. */
static uint32_t bound_of(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_cold *cold = tcp_cold(t, c);

    return cold && cold->window_clamp ? max_u32(cold->window_clamp, 1u << tcp_rcv_scale(c))
                                      : UINT32_MAX;
}

uint16_t tcp_wnd_announce_own(struct tcp *t, struct tcp_conn *c)
{
    uint32_t bound = bound_of(t, c);

    return announce(t, c, min_u32(tcp_rcv_space(c), bound), min_u32(c->rcv_buf, bound));
}

/* Receive buffer auto-tuning: what the application takes in one round trip should be at most half
 * of the buffer, so that the window is never what holds a healthy flow back. A round trip is over
 * when the peer echoes a timestamp sent at its start; without timestamps the smoothed RTT stands
 * in. */
void tcp_rcv_tune(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint32_t len)
{
    if ((c->flags & (TF_RCVBUF_FIXED | TF_ACCEPTING)) || c->rcv_buf >= t->config.rcvbuf_max)
        return;
    uint32_t clock = t->now_ms + c->ts_offset;
    uint32_t seen = s->has_ts ? s->ts_ecr : clock - (c->srtt >> 3) / 1000 - 1;
    if (c->rcv_tune_ms == 0 || seq_geq(seq_of(seen), seq_of(c->rcv_tune_ms))) {
        uint32_t got = seq_diff(c->rcv_nxt, seq_of(c->rcv_tune_seq));
        if (c->rcv_tune_ms && got > c->rcv_buf / 2)
            c->rcv_buf = min_u32(c->rcv_buf * 2, t->config.rcvbuf_max);
        c->rcv_tune_ms = clock ? clock : 1;
        c->rcv_tune_seq = seq_add(c->rcv_nxt, len).v;
    }
}

static inline bool is_worth_telling(const struct tcp_conn *c, uint32_t space, uint32_t promised,
                                    uint32_t buf)
{
    uint32_t gain = min_u32(space, 65535u << tcp_rcv_scale(c)) - min_u32(promised, space);

    return gain >= buf / 2 || (gain >= 2u * c->mss && gain >= buf / 8) ||
           (promised < c->mss && gain >= c->mss);
}

/* RFC 9293 3.8.6.2.2: tell the peer when the window has opened by two segments or half the buffer.
 */
void tcp_received(struct tcp *t, struct tcp_conn *c, instant now)
{
    if (!tcp_may_receive(c))
        return;
    uint32_t space = tcp_rcv_space(c);
    uint32_t promised = seq_leq(c->rcv_nxt, c->rcv_adv) ? tcp_rcv_wnd(c) : 0;
    if (space <= promised)
        return;
    if (!is_worth_telling(c, space, promised, c->rcv_buf))
        return;
    if (unlikely(c->cold)) {
        uint32_t bound = bound_of(t, c);
        if (!is_worth_telling(c, min_u32(space, bound), promised, min_u32(c->rcv_buf, bound)))
            return;
    }
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    t->stats.window_updates_out++;
    tcp_ack_now(t, c);
}
