/* CUBIC (RFC 9438) in integer arithmetic.
 *
 *     W_cubic(t) = C * (t - K)^3 + W_max        C = 0.4 segments/s^3, beta = 0.7
 *     K = cbrt((W_max - cwnd_epoch) / C)
 *
 * Windows are bytes and times milliseconds, so C in bytes/ms^3 is
 * 0.4 * mss / 10^9. */
#include "cc/cc_int.h"

/* The integer cube root, rounded down: digit by digit, three bits at a time. */
static uint32_t cbrt_u64(uint64_t v)
{
    uint64_t root = 0;

    for (int shift = 63; shift >= 0; shift -= 3) {
        root <<= 1;
        uint64_t step = 3 * root * (root + 1) + 1;
        if ((v >> shift) >= step) {
            v -= step << shift;
            root++;
        }
    }
    return (uint32_t)root;
}

static void cubic_init(struct cc *c)
{
    c->acked = 0;
    c->cubic = (struct cc_cubic){0};
}

/* RFC 9438 4.2: a new epoch of congestion avoidance. */
static void epoch_begin(struct cc *c, const struct cc_info *i)
{
    struct cc_cubic *q = &c->cubic;

    q->epoch_ms = i->now_ms ? i->now_ms : UINT32_MAX; /* a millisecond ago, not ahead */
    q->w_est = c->cwnd;
    c->acked = 0;
    if (q->w_max <= c->cwnd) {
        q->w_max = c->cwnd;
        q->k_ms = 0;
        return;
    }
    /* K^3 = (W_max - cwnd) * 10^9 / (0.4 * mss) */
    uint64_t gap = q->w_max - c->cwnd;
    uint64_t cube = gap > UINT64_MAX / UINT64_C(2500000000) ? UINT64_MAX / i->mss
                                                            : gap * UINT64_C(2500000000) / i->mss;
    q->k_ms = cbrt_u64(cube);
}

/* W_cubic at t_ms after the epoch's start, never below 0 nor above 2^31. */
static uint32_t w_cubic(const struct cc_cubic *q, uint32_t t_ms, uint32_t mss)
{
    bool before = t_ms < q->k_ms;
    uint64_t d = before ? q->k_ms - t_ms : t_ms - q->k_ms;

    d = min_u64(d, 500000); /* eight minutes: beyond any window, and no overflow below */
    uint64_t delta = d * d * d / 1000 * 2 / 5 * mss / 1000000;
    if (before)
        return delta < q->w_max ? q->w_max - (uint32_t)delta : 0;
    return (uint32_t)min_u64(q->w_max + delta, INT32_MAX);
}

/* RFC 9438 4.3: what an AIMD flow with the same average window would have; alpha is
 * 3(1-beta)/(1+beta) = 9/17 until W_max is reached again, then 1.  A window of acknowledged bytes
 * is counted and then worth alpha segments: a quotient an ACK would round to nothing in large
 * windows. */
static void reno_estimate(struct cc *c, const struct cc_info *i)
{
    struct cc_cubic *q = &c->cubic;

    c->acked += q->w_est < q->w_max ? (uint32_t)((uint64_t)i->acked * 9 / 17) : i->acked;
    if (c->acked >= c->cwnd) {
        c->acked -= c->cwnd;
        q->w_est = (uint32_t)min_u64((uint64_t)q->w_est + i->mss, INT32_MAX);
    }
}

static void cubic_ack(struct cc *c, const struct cc_info *i)
{
    struct cc_cubic *q = &c->cubic;

    if (i->app_limited) {
        q->epoch_ms = 0; /* time without a full pipe is not time of growth: 5.8 */
        return;
    }
    if (c->cwnd < c->ssthresh) {
        cc_slow_start(c, i);
        return;
    }
    if (!q->epoch_ms)
        epoch_begin(c, i);
    reno_estimate(c, i);
    /* The target is W_cubic one RTT ahead, within [cwnd, 1.5 cwnd]: 4.2. */
    uint32_t t = i->now_ms - q->epoch_ms + i->srtt_us / 1000;
    uint32_t now = w_cubic(q, i->now_ms - q->epoch_ms, i->mss);
    uint32_t target = clamp_u32(w_cubic(q, t, i->mss), c->cwnd, c->cwnd + c->cwnd / 2);
    if (now < q->w_est) {
        c->cwnd = max_u32(c->cwnd, q->w_est);
        return;
    }
    /* What rounding takes, the next ACK finds in the target again. */
    c->cwnd += (uint32_t)((uint64_t)(target - c->cwnd) * min_u32(i->acked, c->cwnd) / c->cwnd);
    c->cwnd = min_u32(c->cwnd, INT32_MAX);
}

/* RFC 9438 4.6 and 4.7: multiplicative decrease with fast convergence. */
static void decrease(struct cc *c, const struct cc_info *i)
{
    struct cc_cubic *q = &c->cubic;
    uint32_t was = c->cwnd;

    q->w_max = was < q->w_max ? (uint32_t)((uint64_t)was * 85 / 100) : was;
    q->epoch_ms = 0;
    c->ssthresh = max_u32((uint32_t)((uint64_t)min_u32(i->flight, was) * 7 / 10), 2 * i->mss);
    c->acked = 0;
}

static void cubic_loss(struct cc *c, const struct cc_info *i)
{
    decrease(c, i);
    c->cwnd = c->ssthresh;
}

/* RFC 9438 4.8: the next congestion avoidance begins on the plateau: K is 0, W_max its first
 * window. */
static void cubic_timeout(struct cc *c, const struct cc_info *i, bool first)
{
    if (first)
        decrease(c, i);
    c->cubic.w_max = 0;
    c->cubic.epoch_ms = 0;
    c->cwnd = i->mss;
    c->acked = 0;
}

static void cubic_restart(struct cc *c, const struct cc_info *i, uint32_t initial_window)
{
    c->cubic.epoch_ms = 0;
    cc_restart(c, i, initial_window);
}

const struct cc_ops cc_cubic = {"cubic",    cubic_init,    cubic_ack,
                                cubic_loss, cubic_timeout, cubic_restart};
