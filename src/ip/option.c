/* Options (RFC 791 3.1; RFC 1122 3.2.1.8).  We are a host: nothing is forwarded, so the only
 * source route that may come is one that has reached its end. */
#include "ip/ip_int.h"

/* A route option: kind, length, pointer (from 1), addresses. */
#define ROUTE_DATA 3u
#define ROUTE_POINTER_MIN 4u
/* A timestamp option: kind, length, pointer, overflow and flag, entries. */
#define TS_DATA 4u
#define TS_POINTER_MIN 5u
enum { TS_ONLY = 0, TS_AND_ADDR = 1, TS_PRESPECIFIED = 3 };

static bool route_is_sane(const uint8_t *v, uint8_t len)
{
    return len >= ROUTE_DATA && (len - ROUTE_DATA) % 4 == 0 && v[2] >= ROUTE_POINTER_MIN;
}

/* A reply goes to these: nobody shall make us send to a group, or to ourselves. */
static bool hops_are_hosts(const struct ip *ip, const uint8_t *hops, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        be32 hop;
        memcpy(&hop, hops + (size_t)i * 4, sizeof(hop));
        if (!addr_is_host(hop) || lidx_of(ip, hop) != IP_LIDX_NONE ||
            addr_is_subnet_broadcast(ip, NETIF_LO, hop))
            return false;
    }
    return true;
}

/* RFC 1122 3.2.1.8 (c): a completed route is kept for the transport, in reverse; the last hop is
 * the source itself. */
static void save_route(struct ip *ip, struct ip_rx *rx, const uint8_t *v, uint8_t len)
{
    /* An IP header holds nine addresses at most; said here as well, so that the compiler knows. */
    unsigned n = min_u32((len - ROUTE_DATA) / 4, IP_SRC_ROUTE_MAX - 1);

    for (unsigned i = 0; i < n; i++)
        memcpy(&rx->src_route[i], v + ROUTE_DATA + (size_t)(n - 1 - i) * 4, 4);
    rx->src_route[n] = rx->h.src;
    rx->src_route_n = (uint8_t)(n + 1);
    ip->stats.src_routes_saved++;
}

static bool ts_is_sane(const uint8_t *v, uint8_t len)
{
    return len >= TS_DATA && v[2] >= TS_POINTER_MIN;
}

enum verdict { OPT_OK, OPT_MALFORMED, OPT_ELSEWHERE };

static enum verdict judge_one(struct ip *ip, struct ip_rx *rx, uint8_t kind, const uint8_t *v,
                              uint8_t len)
{
    switch (kind) {
    case IPOPT_LSRR:
    case IPOPT_SSRR:
        /* RFC 1122 3.2.1.8 (c): at most one. */
        if (!route_is_sane(v, len) || rx->src_route_n)
            return OPT_MALFORMED;
        if (v[2] <= len)
            return OPT_ELSEWHERE;
        if (!hops_are_hosts(ip, v + ROUTE_DATA, (len - ROUTE_DATA) / 4))
            return OPT_MALFORMED;
        save_route(ip, rx, v, len);
        return OPT_OK;
    case IPOPT_RR:
        return route_is_sane(v, len) ? OPT_OK : OPT_MALFORMED;
    case IPOPT_TS:
        return ts_is_sane(v, len) ? OPT_OK : OPT_MALFORMED;
    default:
        /* RFC 1122 3.2.1.8, RFC 9293 MUST-50: options not understood are ignored. */
        return OPT_OK;
    }
}

/* RFC 1122 3.2.2.5: tell the sender which byte. */
static bool malformed(struct ip *ip, struct pkt *p, size_t off, instant now)
{
    icmp_error_about(ip, p->data, p->len, p->flags, ICMP_PARAM_PROBLEM, 0,
                     (uint16_t)(IPV4_HLEN + off), now);
    ip_drop(p, &ip->stats.drop_option);
    return false;
}

bool option_input(struct ip *ip, struct pkt *p, struct ip_rx *rx, instant now)
{
    const uint8_t *v;
    uint8_t kind, len;
    size_t off = 0;
    int more;

    while ((more = ipv4_opt_next(rx->h.opt, rx->h.optlen, &off, &kind, &v, &len)) > 0) {
        switch (judge_one(ip, rx, kind, v, len)) {
        case OPT_OK:
            break;
        case OPT_MALFORMED:
            return malformed(ip, p, (size_t)(v - rx->h.opt), now);
        case OPT_ELSEWHERE:
            /* RFC 1122 3.3.5: the route goes on, and not through us. */
            icmp_error_about(ip, p->data, p->len, p->flags, ICMP_UNREACH, ICMP_UNREACH_SRCFAIL, 0,
                             now);
            ip_drop(p, &ip->stats.drop_source_route);
            return false;
        }
    }
    return more < 0 ? malformed(ip, p, off, now) : true;
}

/* ---- options of ours -------------------------------------------------------------------- */

static void record_route(uint8_t *v, uint8_t len, be32 our)
{
    uint8_t at = v[2];

    if (at + 3u > len)
        return;
    memcpy(v + at - 1, &our, 4);
    v[2] = (uint8_t)(at + 4);
}

/* RFC 791 3.1: milliseconds, marked as not counted from midnight UT: we know no such clock. */
static void put_time(uint8_t *b, instant now)
{
    store_be32(b, 0x80000000u | (uint32_t)(now / USEC_PER_MSEC & 0x7fffffffu));
}

static void record_time(uint8_t *v, uint8_t len, be32 our, instant now)
{
    uint8_t at = v[2], flag = v[3] & 0xf;
    unsigned need = flag == TS_ONLY ? 4 : 8;

    if (at - 1u + need > len) {
        /* Full: one more in the overflow count, which stops at fifteen. */
        if (at > len && v[3] < 0xf0)
            v[3] = (uint8_t)(v[3] + 0x10);
        return;
    }
    if (flag == TS_PRESPECIFIED && memcmp(v + at - 1, &our, 4) != 0)
        return;
    if (flag != TS_ONLY)
        memcpy(v + at - 1, &our, 4);
    put_time(v + at - 1 + need - 4, now);
    v[2] = (uint8_t)(at + need);
}

/* RFC 1122 3.2.2.6: record route and timestamp come back with our entry; a source route is not
 * echoed but reversed, by the flow.  The header was validated by option_input. */
unsigned option_reply(const uint8_t *header, be32 our, instant now, uint8_t *out)
{
    size_t optlen = (header[0] & 0xfu) * 4u - IPV4_HLEN, off = 0;
    const uint8_t *v;
    uint8_t kind, len;
    unsigned n = 0;

    while (ipv4_opt_next(header + IPV4_HLEN, optlen, &off, &kind, &v, &len) > 0) {
        if (kind != IPOPT_RR && kind != IPOPT_TS)
            continue;
        memcpy(out + n, v, len);
        if (kind == IPOPT_RR)
            record_route(out + n, len, our);
        else
            record_time(out + n, len, our, now);
        n += len;
    }
    while (n % 4)
        out[n++] = IPOPT_EOL;
    return n;
}

unsigned option_source_route(const be32 *hops, unsigned n, uint8_t *out)
{
    unsigned len;

    if (n < 2)
        return 0;
    MR_ASSERT(n <= IP_SRC_ROUTE_MAX);
    len = ROUTE_DATA + (n - 1) * 4;
    out[0] = IPOPT_LSRR;
    out[1] = (uint8_t)len;
    out[2] = ROUTE_POINTER_MIN;
    memcpy(out + ROUTE_DATA, hops + 1, (size_t)(n - 1) * 4);
    out[len] = IPOPT_EOL;
    return len + 1;
}

unsigned option_copied(const uint8_t *opt, unsigned optlen, uint8_t *out)
{
    const uint8_t *v;
    uint8_t kind, len;
    size_t off = 0;
    unsigned n = 0;

    while (ipv4_opt_next(opt, optlen, &off, &kind, &v, &len) > 0) {
        if (!(kind & IPOPT_COPIED))
            continue;
        memmove(out + n, v, len);
        n += len;
    }
    while (n % 4)
        out[n++] = IPOPT_EOL;
    return n;
}
