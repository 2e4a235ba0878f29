/* ICMP errors that we send, and those that we are sent. */
#include "ip/ip_int.h"

/* ---- sending ----------------------------------------------------------------------------- */

/* RFC 1122 3.2.2: never about an ICMP error.  Types we do not know may be errors. */
static bool is_icmp_error(const struct ipv4_hdr *h, const uint8_t *l4, size_t n)
{
    if (h->proto != IPPROTO_ICMP_)
        return false;
    if (n == 0)
        return true;
    switch (l4[0]) {
    case ICMP_ECHO:
    case ICMP_ECHO_REPLY:
    case ICMP_TIMESTAMP:
    case ICMP_TIMESTAMP_REPLY:
        return false;
    default:
        return true;
    }
}

/* RFC 1122 3.2.2, RFC 1812 4.3.2.7: may an error about this packet be sent? */
static bool may_complain(const struct ip *ip, const struct ipv4_hdr *h, const uint8_t *quote,
                         size_t n, uint8_t lflags)
{
    bool local = lflags & PKT_LOOPBACK;

    if (lflags & (PKT_BROADCAST | PKT_MULTICAST))
        return false;
    if (lidx_of(ip, h->dst) == IP_LIDX_NONE || h->frag_off != 0)
        return false;
    if (!local && (!addr_is_host(h->src) || addr_is_subnet_broadcast(ip, NETIF_LO, h->src)))
        return false;
    return !is_icmp_error(h, quote + h->hlen, n - h->hlen);
}

/* A bucket of tokens (RFC 1812 4.3.2.8).  What one error costs is random, one on average: nobody
 * can count them to learn which ports answer (CVE-2020-25705). */
static bool may_send_now(struct ip *ip, instant now)
{
    ip_refill(&ip->icmp_credit, &ip->icmp_credit_at, ip->limits.icmp_rate, ip->limits.icmp_burst,
              now);
    if (ip->icmp_credit == 0)
        return false;
    ip->icmp_credit -= min_u32(ip->icmp_credit, rng_below(&ip->rng, 3));
    return true;
}

static void send_error(struct ip *ip, const struct ipv4_hdr *about, const uint8_t *quote, size_t n,
                       struct icmp_hdr *h, instant now)
{
    struct ip_flow f = {.src = ip4_addr(about->dst),
                        .dst = ip4_addr(about->src),
                        .proto = IPPROTO_ICMP_,
                        .tos = about->tos & 0xfc};
    struct pkt *p = pkt_get(ip->eth->txpool);
    uint32_t take;

    if (!p) {
        ip->stats.icmp_not_sent_nobuf++;
        return;
    }
    take = min_u32((uint32_t)n, ICMP_ERROR_MAX - IPV4_HLEN - ICMP_HLEN);
    take = min_u32(take, pkt_tailroom(p) - ICMP_HLEN);
    memcpy(p->data + ICMP_HLEN, quote, take);
    p->len = ICMP_HLEN + take;
    icmp_emit(p->data, h);
    h->csum = csum_finish(ip->csum(p->data, p->len, 0));
    icmp_emit(p->data, h);
    if (ip_output(ip, p, &f, now) == 0)
        ip->stats.icmp_errors_sent++;
}

void icmp_error_about(struct ip *ip, const uint8_t *quote, size_t n, uint8_t lflags, uint8_t type,
                      uint8_t code, uint16_t word, instant now)
{
    struct icmp_hdr h = {.type = type, .code = code};
    struct ipv4_hdr about;
    enum wire_err e = ipv4_parse(&about, quote, n);

    /* A quoted fragment from reassembly may be shorter than it was. */
    if ((e != WIRE_OK && e != WIRE_LEN) || !may_complain(ip, &about, quote, n, lflags)) {
        ip->stats.icmp_not_sent++;
        return;
    }
    if (!may_send_now(ip, now)) {
        ip->stats.icmp_not_sent_rate++;
        return;
    }
    if (type == ICMP_PARAM_PROBLEM)
        h.pointer = (uint8_t)word;
    else
        h.mtu = word;
    send_error(ip, &about, quote, n, &h, now);
}

void ip_icmp_error(struct ip *ip, const struct pkt *offending, uint8_t type, uint8_t code,
                   uint16_t word, instant now)
{
    const uint8_t *quote = offending->buf + offending->l3_off;
    size_t n = (size_t)(offending->data + offending->len - quote);

    icmp_error_about(ip, quote, n, offending->flags, type, code, word, now);
}

/* ---- receiving ---------------------------------------------------------------------------- */

bool icmp_quote_parse(const struct ip *ip, const uint8_t *q, size_t n, struct ip_error *out)
{
    struct ipv4_hdr h;
    enum wire_err e = ipv4_parse(&h, q, n);
    const uint8_t *l4;

    /* Quotes are cut short, so their total length goes beyond; the rest must be as we sent it. */
    if ((e != WIRE_OK && e != WIRE_LEN) || n < h.hlen + 8u || h.frag_off != 0)
        return false;
    if ((h.proto != IPPROTO_TCP_ && h.proto != IPPROTO_UDP_) || ip4_is_multicast(h.dst))
        return false;
    l4 = q + h.hlen;
    out->lidx = lidx_of(ip, h.src);
    if (out->lidx == IP_LIDX_NONE)
        return false;
    out->local = ip4_addr(h.src);
    out->remote = ip4_addr(h.dst);
    out->proto = h.proto;
    out->lport = load_be16(l4);
    out->rport = load_be16(l4 + 2);
    out->seq = seq_of(h.proto == IPPROTO_TCP_ ? load_be32(l4 + 4) : 0);
    return true;
}

static bool errors_push(struct ip *ip, const struct ip_error *e)
{
    if (ip->errors_tail - ip->errors_head == ip->limits.errors)
        return false;
    ip->errors[ip->errors_tail++ & (ip->limits.errors - 1)] = *e;
    return true;
}

/* RFC 1191 5: an old router does not say; the next plateau below the packet is our guess.  It
 * cannot be more than the packet was (RFC 5927 7.2). */
static bool set_mtu(struct ip_error *e, const struct icmp_hdr *h, const uint8_t *q)
{
    uint32_t total = load_be16(q + 2);

    e->mtu = h->mtu ? h->mtu : pmtu_plateau_below(total);
    return e->mtu < total;
}

void icmp_input_error(struct ip *ip, const struct pkt *p, const struct icmp_hdr *h)
{
    const struct ip_info *info = (const struct ip_info *)(const void *)p->info;
    const uint8_t *q = p->data + ICMP_HLEN;
    struct ip_error e = {.type = h->type, .code = h->code};

    /* RFC 1122 3.2.2: errors come to the address that sent what they quote. */
    if (!icmp_quote_parse(ip, q, p->len - ICMP_HLEN, &e) || e.lidx != info->lidx)
        ip->stats.drop_icmp_quote++;
    else if (h->type == ICMP_UNREACH && h->code == ICMP_UNREACH_NEEDFRAG && !set_mtu(&e, h, q))
        ip->stats.drop_icmp_mtu++;
    else if (!errors_push(ip, &e))
        ip->stats.drop_icmp_full++;
    else
        ip->stats.icmp_errors_queued++;
}

/* A packet whose neighbour never answered is an error like a router's: host unreachable. */
static bool next_failed(struct ip *ip, struct ip_error *out)
{
    struct pkt *p;
    bool found = false;

    while (!found && (p = eth_next_failed(ip->eth))) {
        *out = (struct ip_error){.type = ICMP_UNREACH, .code = ICMP_UNREACH_HOST};
        found = icmp_quote_parse(ip, p->buf + p->l3_off, p->len, out);
        pkt_put(p);
    }
    return found;
}

bool ip_next_error(struct ip *ip, struct ip_error *out)
{
    if (ip->errors_head == ip->errors_tail)
        return ip->eth->failed.n ? next_failed(ip, out) : false;
    *out = ip->errors[ip->errors_head++ & (ip->limits.errors - 1)];
    return true;
}
