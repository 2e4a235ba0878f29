#include "cc/cc_int.h"

uint32_t cc_slow_start(struct cc *c, const struct cc_info *i)
{
    uint32_t room = c->ssthresh - c->cwnd;
    uint32_t grow = min_u32(min_u32(i->acked, 2 * i->mss), room);

    c->cwnd += grow;
    return grow == room ? i->acked - grow : 0;
}

static void newreno_init(struct cc *c)
{
    c->acked = 0;
}

/* RFC 5681 3.1: one segment a window of acknowledged bytes. */
static void newreno_ack(struct cc *c, const struct cc_info *i)
{
    uint32_t acked = i->acked;

    if (i->app_limited)
        return;
    if (c->cwnd < c->ssthresh)
        acked = cc_slow_start(c, i);
    c->acked += acked;
    if (c->cwnd >= c->ssthresh && c->acked >= c->cwnd) {
        c->acked -= c->cwnd;
        c->cwnd += min_u32(i->mss, UINT32_MAX / 2 - c->cwnd);
    }
}

/* RFC 5681 eqn. (4). */
uint32_t cc_half_flight(const struct cc_info *i)
{
    return max_u32(i->flight / 2, 2 * i->mss);
}

static void newreno_loss(struct cc *c, const struct cc_info *i)
{
    c->ssthresh = cc_half_flight(i);
    c->cwnd = c->ssthresh;
    c->acked = 0;
}

static void newreno_timeout(struct cc *c, const struct cc_info *i, bool first)
{
    if (first)
        c->ssthresh = cc_half_flight(i);
    c->cwnd = i->mss;
    c->acked = 0;
}

void cc_restart(struct cc *c, const struct cc_info *i, uint32_t initial_window)
{
    (void)i;
    c->cwnd = min_u32(c->cwnd, initial_window);
    c->acked = 0;
}

const struct cc_ops cc_newreno = {"newreno",    newreno_init,    newreno_ack,
                                  newreno_loss, newreno_timeout, cc_restart};

const struct cc_ops *cc_ops(enum cc_kind kind)
{
    return kind == CC_CUBIC ? &cc_cubic : &cc_newreno;
}
