#include "tcp/tcp_int.h"

/* RFC 6298 2: SRTT and RTTVAR as scaled integers; alpha 1/8, beta 1/4. */
void tcp_rtt_sample(struct tcp *t, struct tcp_conn *c, uint32_t rtt_us)
{
    rtt_us = clamp_u32(rtt_us, 1, t->config.rto_max_us);
    if (c->srtt == 0) {
        c->srtt = rtt_us << 3;
        c->rttvar = rtt_us << 1;
        return;
    }
    int32_t delta = (int32_t)rtt_us - (int32_t)(c->srtt >> 3);
    c->srtt = (uint32_t)((int32_t)c->srtt + delta);
    uint32_t dev = (uint32_t)(delta < 0 ? -delta : delta);
    c->rttvar = c->rttvar - (c->rttvar >> 2) + dev;
    if (c->srtt == 0)
        c->srtt = 1;
}

/* RFC 6298 2.2-2.5 and 5.5: SRTT + max(G, 4 * RTTVAR), bounded, then backed off. */
uint32_t tcp_rto_us(const struct tcp *t, const struct tcp_conn *c)
{
    const uint32_t clock_us = 1u << TICK_SHIFT;
    uint64_t rto = c->rttvar ? c->rttvar : t->config.rto_initial_us;

    if (c->srtt)
        rto = (c->srtt >> 3) + max_u32(clock_us, c->rttvar);
    rto = max_u64(rto, t->config.rto_min_us) << c->rxtshift;
    return (uint32_t)min_u64(rto, t->config.rto_max_us);
}

/* One sample a flight from the segment being timed; Karn (MUST-18): a retransmission ends the
 * timing, and then only the peer's echo of our timestamp can tell (RFC 7323 4.1). */
void tcp_rtt_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    if ((c->flags & TF_RTT_TIMING) && seq_gt(s->ack, c->rtt_seq)) {
        c->flags &= ~(uint32_t)TF_RTT_TIMING;
        tcp_rtt_sample(t, c, (uint32_t)t->now - c->rtt_start_us);
        return;
    }
    if (!(c->flags & TF_TS) || !s->has_ts || s->ts_ecr == 0)
        return;
    if (c->srtt && !c->rxtshift && !tcp_in_recovery(c))
        return;
    uint32_t ms = t->now_ms + c->ts_offset - s->ts_ecr;
    if (ms <= t->config.rto_max_us / 1000)
        tcp_rtt_sample(t, c, ms * 1000);
}
