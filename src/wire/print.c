#include "wire/print_int.h"

void addrs_print(struct fmt *f, const struct ipv4_hdr *ip)
{
    fmt_ip4(f, ip->src);
    fmt_str(f, " > ", 3);
    fmt_ip4(f, ip->dst);
    fmt_str(f, ": ", 2);
}

void ports_print(struct fmt *f, const struct ipv4_hdr *ip, unsigned sport, unsigned dport)
{
    fmt_ip4(f, ip->src);
    fmt_add(f, ".%u > ", sport);
    fmt_ip4(f, ip->dst);
    fmt_add(f, ".%u: ", dport);
}

void udp_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n)
{
    struct udp_hdr u;
    enum wire_err e = udp_parse(&u, b, n);

    if (e != WIRE_OK) {
        addrs_print(f, ip);
        fmt_add(f, "UDP, bad %s", wire_err_name(e));
        return;
    }
    ports_print(f, ip, u.sport, u.dport);
    fmt_add(f, "UDP, length %u", u.len - UDP_HLEN);
}

static const char *unreach_name(uint8_t code)
{
    switch (code) {
    case ICMP_UNREACH_NET:
        return "net unreachable";
    case ICMP_UNREACH_HOST:
        return "host unreachable";
    case ICMP_UNREACH_PROTO:
        return "protocol unreachable";
    case ICMP_UNREACH_PORT:
        return "port unreachable";
    case ICMP_UNREACH_NEEDFRAG:
        return "unreachable - need to frag";
    case ICMP_UNREACH_SRCFAIL:
        return "unreachable - source route failed";
    case ICMP_UNREACH_ADMIN:
        return "unreachable - admin prohibited";
    default:
        return "unreachable";
    }
}

static const char *icmp_name(const struct icmp_hdr *h)
{
    switch (h->type) {
    case ICMP_ECHO:
        return "echo request";
    case ICMP_ECHO_REPLY:
        return "echo reply";
    case ICMP_UNREACH:
        return unreach_name(h->code);
    case ICMP_SOURCE_QUENCH:
        return "source quench";
    case ICMP_REDIRECT:
        return "redirect";
    case ICMP_TIME_EXCEEDED:
        return h->code == ICMP_TIME_EXCEEDED_REASS ? "ip reassembly time exceeded"
                                                   : "time exceeded in-transit";
    case ICMP_PARAM_PROBLEM:
        return "parameter problem";
    case ICMP_TIMESTAMP:
        return "time stamp query";
    case ICMP_TIMESTAMP_REPLY:
        return "time stamp reply";
    default:
        return "message";
    }
}

void icmp_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n)
{
    struct icmp_hdr h;
    enum wire_err e = icmp_parse(&h, b, n);

    addrs_print(f, ip);
    if (e != WIRE_OK) {
        fmt_add(f, "ICMP, bad %s", wire_err_name(e));
        return;
    }
    fmt_add(f, "ICMP %s", icmp_name(&h));
    if (h.type == ICMP_ECHO || h.type == ICMP_ECHO_REPLY)
        fmt_add(f, ", id %u, seq %u", h.id, h.seq);
    else if (h.type == ICMP_UNREACH && h.code == ICMP_UNREACH_NEEDFRAG)
        fmt_add(f, " (mtu %u)", h.mtu);
    else if (h.type == ICMP_PARAM_PROBLEM)
        fmt_add(f, " - octet %u", h.pointer);
    else
        fmt_add(f, ", type %u, code %u", h.type, h.code);
    fmt_add(f, ", length %zu", n);
}

/* Only the first fragment has the header of the protocol inside. */
static void fragment_print(struct fmt *f, const struct ipv4_hdr *ip)
{
    addrs_print(f, ip);
    fmt_add(f, "frag id %u, proto %u, offset %u, length %u%s", ip->id, ip->proto, ip->frag_off,
            ip->total_len - ip->hlen, ip->flags & IPV4_MF ? ", more" : "");
}

static void ipv4_payload_print(struct fmt *f, const struct ipv4_hdr *ip, const uint8_t *b, size_t n)
{
    if (ip->frag_off != 0) {
        fragment_print(f, ip);
        return;
    }
    switch (ip->proto) {
    case IPPROTO_TCP_:
        tcp_print(f, ip, b, n);
        break;
    case IPPROTO_UDP_:
        udp_print(f, ip, b, n);
        break;
    case IPPROTO_ICMP_:
        icmp_print(f, ip, b, n);
        break;
    default:
        addrs_print(f, ip);
        fmt_add(f, "ip-proto-%u %zu", ip->proto, n);
        break;
    }
}

static void ipv4_add(struct fmt *f, const uint8_t *pkt, size_t len)
{
    struct ipv4_hdr ip;
    enum wire_err e = ipv4_parse(&ip, pkt, len);

    if (e != WIRE_OK) {
        fmt_add(f, "IP, bad %s", wire_err_name(e));
        return;
    }
    ipv4_payload_print(f, &ip, pkt + ip.hlen, ip.total_len - ip.hlen);
}

static void arp_add(struct fmt *f, const uint8_t *b, size_t n)
{
    struct arp_pkt a;
    enum wire_err e = arp_parse(&a, b, n);

    if (e != WIRE_OK) {
        fmt_add(f, "ARP, bad %s", wire_err_name(e));
    } else if (a.op == ARP_REQUEST) {
        fmt_add(f, "Request who-has ");
        fmt_ip4(f, a.tpa);
        fmt_add(f, " tell ");
        fmt_ip4(f, a.spa);
    } else if (a.op == ARP_REPLY) {
        fmt_add(f, "Reply ");
        fmt_ip4(f, a.spa);
        fmt_add(f, " is-at ");
        fmt_mac(f, &a.sha);
    } else {
        fmt_add(f, "ARP, op %u", a.op);
    }
}

static const char *ethertype_name(uint16_t type)
{
    switch (type) {
    case ETHTYPE_IPV4:
        return "IPv4";
    case ETHTYPE_ARP:
        return "ARP";
    case ETHTYPE_VLAN:
        return "802.1Q";
    case ETHTYPE_IPV6:
        return "IPv6";
    default:
        return type < 0x600 ? "802.3" : "Unknown";
    }
}

static void eth_add(struct fmt *f, const struct eth_hdr *h, size_t len)
{
    fmt_mac(f, &h->src);
    fmt_add(f, " > ");
    fmt_mac(f, &h->dst);
    if (h->has_vlan)
        fmt_add(f, ", vlan %u, p %u", h->vlan & 0xfffu, h->vlan >> 13);
    fmt_add(f, ", ethertype %s (0x%04x), length %zu", ethertype_name(h->ethertype), h->ethertype,
            len);
}

size_t frame_print(char *buf, size_t n, const uint8_t *frame, size_t len)
{
    struct eth_hdr h;
    struct fmt f;
    enum wire_err e = eth_parse(&h, frame, len);

    fmt_init(&f, buf, n);
    if (e != WIRE_OK) {
        fmt_add(&f, "Ethernet, bad %s, length %zu", wire_err_name(e), len);
        return f.len;
    }
    eth_add(&f, &h, len);
    if (h.ethertype == ETHTYPE_IPV4 || h.ethertype == ETHTYPE_ARP)
        fmt_add(&f, ": ");
    if (h.ethertype == ETHTYPE_IPV4)
        ipv4_add(&f, frame + h.hlen, len - h.hlen);
    else if (h.ethertype == ETHTYPE_ARP)
        arp_add(&f, frame + h.hlen, len - h.hlen);
    return f.len;
}

size_t ipv4_print(char *buf, size_t n, const uint8_t *pkt, size_t len)
{
    struct fmt f;

    fmt_init(&f, buf, n);
    ipv4_add(&f, pkt, len);
    return f.len;
}
