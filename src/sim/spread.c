/* The law of a host of many cores, and what its port makes of it. */
#include "sim/sim_int.h"

/* How often in a thousand turns the law changes by the way. */
#define MOVES_OFTEN 3u
#define READ_LATE_US 2000u
#define SETTLED 2u /* rounds */

#define LETTER_HEAD_BYTES (16u + MAIL_HEAD_MAX)

static void draw_key(struct rng *r, uint8_t key[RSS_KEY_BYTES])
{
    switch (rng_below(r, 3)) {
    case 0:
        memcpy(key, rss_key_default, RSS_KEY_BYTES);
        break;
    case 1:
        memcpy(key, rss_key_symmetric, RSS_KEY_BYTES);
        break;
    default:
        for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
            key[i] = (uint8_t)rng_below(r, 256);
        break;
    }
}

/* Entries change places, so every core keeps its share. */
static void shuffle(struct rss *law, struct rng *r)
{
    for (uint32_t i = law->mask; i > 0; i--) {
        uint32_t k = rng_below(r, i + 1);
        uint16_t was = law->table[i];
        law->table[i] = law->table[k];
        law->table[k] = was;
    }
}

void sim_draw_law(struct sim_host *h, struct rng *r, struct mem *m)
{
    uint8_t key[RSS_KEY_BYTES];

    draw_key(r, key);
    h->law = mem_carve(m, sizeof(*h->law), CACHE_LINE);
    h->rounds = SETTLED;
    rss_init(h->law, key, rng_chance(r, 2, 3) ? RSS_ENTRIES : 16u << rng_below(r, 6), h->cores);
    if (rng_chance(r, 1, 2))
        shuffle(h->law, r);
}

/* What a change leaves to whom: cores may have none. */
void sim_law_move(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];
    struct rng *r = &h->law_rng;
    uint32_t in = 1 + rng_below(r, (1u << h->cores) - 1), stay = rng_below(r, 5);

    for (uint32_t e = 0; e <= h->law->mask; e++) {
        uint16_t *core = &h->law->table[e];
        if (in >> *core & 1 && rng_below(r, 4) < stay)
            continue;
        do
            *core = (uint16_t)rng_below(r, h->cores);
        while (!(in >> *core & 1));
    }
    sim_note(w, host, "the law changes");
    h->stale = (uint8_t)((1u << h->cores) - 1);
    h->turned = h->unsettled = 0;
    h->rounds = w->options.settles && !rng_chance(r, 1, 4) ? 0 : SETTLED;
    h->port_stale = true;
    for (unsigned i = 0; i < h->cores; i++)
        sim_core_wake(w, host, i, w->now + rng_below(r, READ_LATE_US) * SIM_NS_PER_USEC);
}

static void port_read(struct sim_host *h)
{
    h->port_stale = false;
    if (h->port->spread == SIM_SPREAD_RSS)
        rss_set_table(&h->port->rss, h->law->table, h->law->mask + 1);
}

void sim_law_read(struct sim_world *w, unsigned host, unsigned core)
{
    struct sim_host *h = &w->host[host];
    struct rng *r = &h->law_rng;

    if (!w->healed && rng_below(r, 1000) < MOVES_OFTEN)
        sim_law_move(w, host);
    if (h->port_stale && (w->healed || rng_chance(r, 1, 6)))
        port_read(h);
    if (h->unsettled >> core & 1) {
        h->unsettled &= (uint8_t)~(1u << core);
        native_law_settled(h->core[core].native, sim_clock_read(&h->clock, w->now));
    }
    if (!(h->stale >> core & 1))
        return;
    if (!w->healed && !rng_chance(r, 1, 3)) {
        sim_core_wake(w, host, core, w->now + rng_below(r, READ_LATE_US) * SIM_NS_PER_USEC);
        return;
    }
    h->stale &= (uint8_t)~(1u << core);
    native_law_changed(h->core[core].native, h->law, sim_clock_read(&h->clock, w->now));
}

/* As posix/janitor_law.c does it: a round in which each has read the table, and one in which each
 * has read all that was written to it before, and has had the answers of its new homes. */
void sim_law_turned(struct sim_world *w, unsigned host, unsigned core)
{
    struct sim_host *h = &w->host[host];
    struct sim_core *c = &h->core[core];
    uint8_t all = (uint8_t)((1u << h->cores) - 1);

    if (h->rounds == SETTLED || h->stale >> core & 1 || mail_waits(&c->mail))
        return;
    if (h->rounds > 0 && !stack_law_is_told(c->stack))
        return;
    h->turned |= (uint8_t)(1u << core);
    if (h->turned != all)
        return;
    h->turned = 0;
    if (++h->rounds == SETTLED) {
        h->unsettled = all;
        sim_note(w, host, "the law is settled");
    }
    for (unsigned i = 0; i < h->cores; i++)
        sim_core_wake(w, host, i, w->now + rng_below(&h->law_rng, READ_LATE_US) * SIM_NS_PER_USEC);
}

void sim_draw_spread(struct sim_host *h, struct rng *r, struct sim_port_config *port,
                     struct rss *other)
{
    uint8_t key[RSS_KEY_BYTES];

    port->queues = h->queues;
    port->seed = rng_u64(r);
    port->rss = h->law;
    port->spread =
        rng_chance(r, 2, 5) ? SIM_SPREAD_RSS : (enum sim_spread)(1 + rng_below(r, SIM_SPREADS - 1));
    if (h->queues < h->cores) {
        /* The law names cores to which the port has no queue; and a full port loses their frames,
         * so one that is always full would let nothing but ARP pass. */
        if (port->spread <= SIM_SPREAD_MOVED)
            port->spread = SIM_SPREAD_STRANGE;
        if (port->tx_slots)
            port->tx_slots = SIM_TX_HELD_MAX;
    }
    if (port->spread != SIM_SPREAD_STRANGE)
        return;
    for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
        key[i] = (uint8_t)rng_below(r, 256);
    rss_init(other, key, 16u << rng_below(r, 6), h->queues);
    port->rss = other;
}

/* What a host sends to itself is not cut into segments before it has arrived. */
static bool talks_to_itself(const struct sim_world *w, unsigned host)
{
    for (uint32_t i = 0; i < w->plan.conns; i++)
        if (w->conn[i].client == host && w->conn[i].server == host)
            return true;
    return false;
}

/* A letter longer than half a ring never fits, so what the port may deliver must; some rings hold
 * hardly more. */
uint32_t sim_draw_ring(const struct sim_world *w, unsigned host, struct rng *r,
                       const struct sim_port_config *port)
{
    bool own = talks_to_itself(w, host);
    uint32_t packet = own ? UINT16_MAX : max_u32(port->mtu, port->coalesce_max);
    uint32_t letter = packet + ETH_HLEN_MAX + LETTER_HEAD_BYTES;

    return (uint32_t)ceil_pow2(2 * letter)
           << (own || rng_chance(r, 1, 3) ? 0 : 2 + rng_below(r, 4));
}
