/* Which upstream a connection goes to. */
#include "tools/relay.h"

static bool may_take(const struct relay_balancer *b, unsigned i, uint64_t tried, uint64_t now_us)
{
    return !(tried >> i & 1) && b->up[i].down_until_us <= now_us;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static uint64_t mix_addr(uint64_t x, const struct mr_addr *a, bool port)
{
    for (int i = 0; i < 16; i++)
        x = mix(x ^ a->ip[i]);
    return port ? mix(x ^ a->port) : x;
}

/* Each upstream and the client make a number, and the greatest wins: when an upstream goes away
 * only its own clients move.  No secret is in it, so that all cores agree. */
static uint64_t weight(const struct relay_upstream *u, const struct mr_addr *client)
{
    return mix_addr(mix_addr(1, client, false), &u->addr, true);
}

static bool is_better(const struct relay_balancer *b, unsigned i, unsigned best,
                      const struct mr_addr *client)
{
    if (best == RELAY_NO_UPSTREAM)
        return true;
    switch (b->how) {
    case RELAY_ROUND_ROBIN:
        return false;
    case RELAY_LEAST:
        return b->up[i].now < b->up[best].now;
    case RELAY_HASH:
        return weight(&b->up[i], client) > weight(&b->up[best], client);
    }
    return false;
}

/* A round begins behind the last choice, so that equals take turns. */
unsigned relay_choose(struct relay_balancer *b, const struct mr_addr *client, uint64_t tried,
                      uint64_t now_us)
{
    unsigned best = RELAY_NO_UPSTREAM;

    for (unsigned k = 0; k < b->n; k++) {
        unsigned i = (b->next + k) % b->n;
        if (may_take(b, i, tried, now_us) && is_better(b, i, best, client))
            best = i;
    }
    if (best != RELAY_NO_UPSTREAM)
        b->next = (best + 1) % b->n;
    return best;
}
