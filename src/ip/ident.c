/* The identification field (RFC 791 3.2, RFC 6864).
 *
 * It matters only for packets that may be fragmented, where it must not repeat within the time a
 * fragment lives, and must not be guessed (RFC 7739: injected fragments; idle scans).  So each pair
 * of hosts counts from a secret point, in one of many counters, by small random steps. */
#include "ip/ip_int.h"

#define STEP_MAX 3u

uint16_t ident_next(struct ip *ip, const struct ip_flow *f)
{
    uint32_t w[3] = {f->src.w[3], f->dst.w[3], f->proto};
    uint64_t h = siphash(&ip->key, w, sizeof(w));
    uint32_t *counter = &ip->id_counters[(h >> 32) % IP_ID_COUNTERS];

    *counter += 1 + rng_below(&ip->rng, STEP_MAX);
    return (uint16_t)(h + *counter);
}
