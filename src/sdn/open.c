/* Connections begin and end. */
#include "sdn/sdn_int.h"

/* A handshake that takes longer ends when others find no place. */
#define GIVE_WAY_US (1 * USEC_PER_SEC)

/* Whoever comes next may find a place: many connections that say nothing keep switches away only
 * for a moment. */
static void make_place(struct sdn *s)
{
    struct sdn_switch *oldest = NULL;

    for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
        if (sw->phase < PHASE_PORTS && (!oldest || sw->opened < oldest->opened))
            oldest = sw;
    if (!oldest || s->now < oldest->opened + GIVE_WAY_US)
        return;
    s->stats.handshake_timeouts++;
    session_abort(s, oldest, "the handshake took too long while others waited");
}

sdn_conn sdn_open(struct sdn *s, enum sdn_speech speech, const struct sdn_peer *peer, instant now)
{
    struct sdn_switch *sw = pool_get(&s->switches);
    uint16_t generation;

    s->now = now > s->now ? now : s->now;
    if (!sw) {
        s->stats.conns_refused++;
        if (is_pow2(s->stats.conns_refused))
            event_note(s, EVENT_REFUSED, 0, 0, "the limit of connections is reached");
        make_place(s);
        return 0;
    }
    generation = (uint16_t)(sw->generation + 1);
    *sw = (struct sdn_switch){
        .next = s->first,
        .generation = generation,
        .conn = (uint32_t)generation << 16 | (pool_index(&s->switches, sw) + 1),
        .speech = speech,
        .peer = *peer,
        .net = NET_NONE,
        .next_xid = 1,
        .generation_id = UINT64_MAX,
        .opened = s->now,
        .heard = s->now,
    };
    s->first = sw;
    s->stats.conns_opened++;
    if (s->alive_at > s->now + USEC_PER_SEC / 2)
        s->alive_at = s->now + USEC_PER_SEC / 2;
    if (speech == SDN_SPEAKS_OPENFLOW)
        hello_begin(s, sw);
    else
        pof_opened(s, sw, s->now);
    return sw->conn;
}

static void unlink_all(struct sdn *s, struct sdn_switch *sw)
{
    struct sdn_switch **at = &s->first, *before = NULL;

    while (*at != sw)
        at = &(*at)->next;
    *at = sw->next;
    if (!sw->is_ready)
        return;
    for (at = &s->ready; *at != sw; at = &(*at)->ready_next)
        before = *at;
    *at = sw->ready_next;
    if (s->ready_last == sw)
        s->ready_last = before;
}

/* The others look at it once more, and let go. */
static void tell_gone(struct sdn *s, struct sdn_switch *sw)
{
    sw->phase = PHASE_CLOSING;
    if (sw->known && !sw->auxiliary) {
        net_switch_gone(s, sw, s->now);
        store_switch_gone(s, sw);
    }
    ask_switch_gone(s, sw);
    if (sw->speech != SDN_SPEAKS_OPENFLOW)
        pof_switch_gone(s, sw);
    if (sw->up_since)
        event_note(s, EVENT_SWITCH_DOWN, sw->dpid, 0, sw->why[0] ? sw->why : "it hung up");
}

void sdn_closed(struct sdn *s, sdn_conn c, instant now)
{
    struct sdn_switch *sw = sdn_switch_of(s, c);

    s->now = now > s->now ? now : s->now;
    if (!sw)
        return;
    tell_gone(s, sw);
    unlink_all(s, sw);
    port_remove_all(s, sw);
    chunks_drop(s, sw);
    if (sw->mac_id)
        mac_id_put(&s->macs, sw->mac_id);
    if (sw->partial)
        pool_put(&s->partials, sw->partial);
    if (sw->desc)
        pool_put(&s->descs, sw->desc);
    if (sw->xids)
        pool_put(&s->xids, sw->xids);
    sw->conn = 0;
    pool_put(&s->switches, sw);
    s->stats.conns_closed++;
}
