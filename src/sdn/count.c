/* Port counters, asked for every so often, and the rates between two looks. */
#include "sdn/sdn_int.h"

static void poll(struct sdn *s, struct sdn_switch *sw)
{
    uint8_t *b = say_begin(s, sw, 64, true);
    uint32_t xid = xid_next(sw);
    size_t n =
        b ? ofp_emit_multipart_request(sw->dialect, b, 64, xid, OFPMP_PORT, NULL, OFPP_ANY) : 0;

    say_end(s, sw, n, true);
    sw->stats_at = s->now + s->config.stats_us;
    if (n > 0)
        xid_note(s, sw, xid, XID_STATS, 0);
    else
        count_refused(sw);
}

static bool is_polled(const struct sdn *s, const struct sdn_switch *sw)
{
    return s->config.stats_us > 0 && sw->phase == PHASE_UP && !sw->auxiliary &&
           sw->stats_at != INSTANT_NEVER;
}

void count_refused(struct sdn_switch *sw)
{
    sw->stats_at = INSTANT_NEVER;
}

void count_advance(struct sdn *s, instant now)
{
    instant next = INSTANT_NEVER;

    if (now < s->count_at)
        return;
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        if (is_polled(s, sw) && now >= sw->stats_at)
            poll(s, sw);
        if (is_polled(s, sw) && sw->stats_at < next)
            next = sw->stats_at;
    }
    s->count_at = next;
}

instant count_deadline(const struct sdn *s)
{
    return s->count_at;
}

/* A counter the switch does not keep is all ones; one that went back began anew. */
static uint64_t rate(uint64_t now, uint64_t before, instant us)
{
    if (now == UINT64_MAX || before == UINT64_MAX || now < before || us == 0)
        return 0;
    now -= before;
    return now / us * USEC_PER_SEC + now % us * USEC_PER_SEC / us;
}

static void take(struct sdn_rate *r, const struct ofp_port_stats *p, instant now)
{
    instant us = r->when ? now - r->when : 0;

    r->rx_bps = rate(p->rx_bytes, r->at.rx_bytes, us) * 8;
    r->tx_bps = rate(p->tx_bytes, r->at.tx_bytes, us) * 8;
    r->rx_pps = rate(p->rx_packets, r->at.rx_packets, us);
    r->tx_pps = rate(p->tx_packets, r->at.tx_packets, us);
    r->at = *p;
    r->when = now;
}

void count_multipart(struct sdn *s, struct sdn_switch *sw, const struct ofp_multipart *mp,
                     instant now)
{
    struct ofp_port_stats st;
    struct sdn_port *p;
    uint32_t off = 0;

    (void)s;
    if (mp->type != OFPMP_PORT)
        return;
    while (ofp_next_port_stats(sw->dialect, mp, &off, &st) == 1) {
        p = port_find(sw, st.port);
        if (p)
            take(&p->rate, &st, now);
    }
}
