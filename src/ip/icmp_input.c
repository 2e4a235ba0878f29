/* ICMP messages to us (RFC 792, RFC 1122 3.2.2). */
#include "ip/ip_int.h"

#define TIMESTAMP_LEN 20u

static void set_csum(const struct ip *ip, struct pkt *p)
{
    uint16_t csum;

    store_be16(p->data + 2, 0);
    csum = csum_finish(ip->csum(p->data, p->len, 0));
    memcpy(p->data + 2, &csum, sizeof(csum));
}

/* Change the type of the message in p's buffer, and the checksum with it (RFC 1624).  That counts
 * on a field that is not zero (there, 3): where nothing but zeros is left FFFF is right, not 0. */
static void set_type(const struct ip *ip, struct pkt *p, uint8_t type)
{
    uint16_t was, is, csum;

    memcpy(&was, p->data, 2);
    p->data[0] = type;
    memcpy(&is, p->data, 2);
    memcpy(&csum, p->data + 2, 2);
    csum = csum_update16(csum, was, is);
    memcpy(p->data + 2, &csum, 2);
    if (csum == 0)
        set_csum(ip, p);
}

/* Send the packet back where it came from, by the way it came (RFC 1122 3.2.2.6). */
static void turn_around(struct ip *ip, struct pkt *p, instant now)
{
    const struct ip_info *info = ip_info(p);
    struct ip_flow f = {.src = info->dst,
                        .dst = info->src,
                        .proto = IPPROTO_ICMP_,
                        .tos = info->tos & 0xfc,
                        .src_route_n = info->src_route_n};
    uint8_t opt[IPV4_HLEN_MAX - IPV4_HLEN];
    unsigned optlen;

    memcpy(f.src_route, info->src_route, sizeof(f.src_route));
    optlen = option_reply(p->buf + p->l3_off, ip_v4(&info->dst), now, opt);
    p->flags = 0;
    p->gso_size = 0;
    output_with_options(ip, p, &f, opt, optlen, now);
}

static bool may_reply(struct ip *ip, instant now)
{
    uint32_t rate = ip->limits.echo_rate;

    ip_refill(&ip->echo_credit, &ip->echo_credit_at, rate, rate, now);
    if (ip->echo_credit == 0)
        return false;
    ip->echo_credit--;
    return true;
}

static void timestamp_reply(struct pkt *p, instant now)
{
    uint32_t ms = 0x80000000u | (uint32_t)(now / USEC_PER_MSEC & 0x7fffffffu);

    store_be32(p->data + 12, ms);
    store_be32(p->data + 16, ms);
    p->data[0] = ICMP_TIMESTAMP_REPLY;
    p->len = TIMESTAMP_LEN;
}

/* Why a request is not answered, or NULL.  Broadcast requests are not (RFC 1122 3.2.2.6 allows it:
 * "smurf"). */
static uint64_t *judge_request(struct ip *ip, struct pkt *p, const struct icmp_hdr *h, instant now)
{
    if (ip_info(p)->lidx == IP_LIDX_NONE)
        return &ip->stats.drop_icmp_broadcast;
    if (h->code != 0)
        return &ip->stats.drop_icmp_type;
    if (h->type == ICMP_TIMESTAMP && !ip->limits.icmp_timestamp)
        return &ip->stats.drop_icmp_type;
    if (h->type == ICMP_TIMESTAMP && p->len < TIMESTAMP_LEN)
        return &ip->stats.drop_icmp_short;
    return may_reply(ip, now) ? NULL : &ip->stats.drop_icmp_rate;
}

static void input_request(struct ip *ip, struct pkt *p, const struct icmp_hdr *h, instant now)
{
    uint64_t *reason = judge_request(ip, p, h, now);

    if (reason) {
        ip_drop(p, reason);
        return;
    }
    if (h->type == ICMP_ECHO) {
        ip->stats.icmp_echo_replied++;
        set_type(ip, p, ICMP_ECHO_REPLY);
    } else {
        timestamp_reply(p, now);
        set_csum(ip, p);
    }
    turn_around(ip, p, now);
}

static void input_checked(struct ip *ip, struct pkt *p, const struct icmp_hdr *h, instant now)
{
    uint64_t *reason = NULL;

    switch (h->type) {
    case ICMP_ECHO:
    case ICMP_TIMESTAMP:
        input_request(ip, p, h, now);
        return;
    case ICMP_UNREACH:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAM_PROBLEM:
        icmp_input_error(ip, p, h);
        break;
    case ICMP_REDIRECT:
        /* RFC 1122 3.2.2.2 lets a host follow them; anybody on the path could lead us astray. */
        ip->stats.icmp_redirects++;
        break;
    case ICMP_SOURCE_QUENCH:
        /* RFC 6633 3; RFC 9293 MUST-55 */
        ip->stats.icmp_quenches++;
        break;
    default:
        reason = &ip->stats.drop_icmp_type;
        break;
    }
    if (reason)
        ip_drop(p, reason);
    else
        pkt_put(p);
}

void icmp_input(struct ip *ip, struct pkt *p, instant now)
{
    struct icmp_hdr h;

    ip->stats.icmp_received++;
    if (icmp_parse(&h, p->data, p->len) != WIRE_OK)
        ip_drop(p, &ip->stats.drop_icmp_short);
    else if (csum_fold(ip->csum(p->data, p->len, 0)) != 0xffff)
        ip_drop(p, &ip->stats.drop_icmp_csum);
    else
        input_checked(ip, p, &h, now);
}
