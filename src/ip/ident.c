/* The identification field (RFC 791 3.2, RFC 6864).
 *
 * It matters only for packets that may be fragmented, where it must not repeat within the time a
 * fragment lives, and must not be guessed (RFC 7739: injected fragments; idle scans).  So each pair
 * of hosts counts from a secret point, in one of many counters, by small random steps. */
#include "ip/ip_int.h"

#define STEP_MAX 3u

static uint64_t hash_of(struct ip *ip, const struct ip_flow *f)
{
    const uint32_t pair[3] = {f->src.w[3], f->dst.w[3], f->proto};

    if (memcmp(pair, ip->id_last.pair, sizeof(pair)) != 0) {
        memcpy(ip->id_last.pair, pair, sizeof(pair));
        ip->id_last.hash = siphash(&ip->key, pair, sizeof(pair));
    }
    return ip->id_last.hash;
}

uint16_t ident_next(struct ip *ip, const struct ip_flow *f)
{
    uint64_t h = hash_of(ip, f);
    uint32_t *counter = &ip->id_counters[(h >> 32) % IP_ID_COUNTERS];

    *counter += 1 + rng_below(&ip->rng, STEP_MAX);
    return (uint16_t)(h + *counter);
}
