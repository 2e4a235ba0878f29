/* The law of a host of many cores, and what its port makes of it. */
#include "sim/sim_int.h"

#define RING_BYTES_MIN 32768u

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
    rss_init(h->law, key, rng_chance(r, 2, 3) ? RSS_ENTRIES : 16u << rng_below(r, 6), h->cores);
    if (rng_chance(r, 1, 2))
        shuffle(h->law, r);
}

void sim_draw_spread(struct sim_host *h, struct rng *r, struct sim_port_config *port,
                     struct rss *other)
{
    uint8_t key[RSS_KEY_BYTES];

    port->queues = h->cores;
    port->seed = rng_u64(r);
    port->rss = h->law;
    port->spread =
        rng_chance(r, 2, 5) ? SIM_SPREAD_RSS : (enum sim_spread)(1 + rng_below(r, SIM_SPREADS - 1));
    if (port->spread != SIM_SPREAD_STRANGE)
        return;
    for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
        key[i] = (uint8_t)rng_below(r, 256);
    rss_init(other, key, 16u << rng_below(r, 6), h->cores);
    port->rss = other;
}

/* A letter longer than half a ring never fits: what the hosts may send to each other must. */
uint32_t sim_draw_ring(struct rng *r, bool tiny)
{
    return RING_BYTES_MIN << rng_below(r, tiny ? 2 : 4);
}
