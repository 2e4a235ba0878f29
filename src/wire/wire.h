/* wire: every header on the wire; stateless.
 *
 * THEORY OF OPERATION
 *
 * Parsing happens once, at the boundary.  X_parse proves every length, reads no byte at or past
 * b + n, and turns the bytes into a struct in host order; whoever holds that struct never checks
 * a length or swaps a byte again.  X_emit is the inverse: parse(emit(x)) == x.  X_print writes
 * one line for people, in the words of tcpdump.
 *
 * Checksums are not verified here: whether the NIC did so is known to the packet, not to the
 * header.  The layers that own a checksum start from ipv4_pseudo_sum.
 *
 * Parsers return WIRE_OK or the reason, which becomes the drop reason.  On failure *out is
 * undefined.  Emitters write every byte of the header they return the length of, so nothing
 * uninitialised goes on the wire; they need no alignment. */
#pragma once

#include "base/addr.h"
#include "base/csum.h"
#include "base/seq.h"
#include "base/types.h"

enum wire_err {
    WIRE_OK,
    WIRE_SHORT,   /* fewer bytes than the header needs */
    WIRE_VERSION, /* not the protocol version we parse */
    WIRE_HLEN,    /* header length field below the minimum or past the packet */
    WIRE_LEN,     /* a total length field disagrees with the bytes there are */
    WIRE_OPTION,  /* an option overruns the header or has an impossible length */
    WIRE_FORMAT,  /* another field has a value the protocol does not allow */
};
const char *wire_err_name(enum wire_err e);

/* ---- Ethernet II and 802.1Q ------------------------------------------------------- */

#define ETH_HLEN 14u
#define ETH_VLAN_HLEN 18u
#define ETH_HLEN_MAX ETH_VLAN_HLEN
enum {
    ETHTYPE_IPV4 = 0x0800,
    ETHTYPE_ARP = 0x0806,
    ETHTYPE_VLAN = 0x8100,
    ETHTYPE_IPV6 = 0x86dd,
};

struct eth_hdr {
    struct mac_addr dst, src;
    uint16_t ethertype; /* of the payload, behind the tag if there is one */
    uint16_t vlan;      /* 802.1Q TCI (PCP, DEI, VID); has_vlan says if there was a tag */
    bool has_vlan;
    uint8_t hlen; /* 14 or 18; set by eth_parse, not read by eth_emit */
};
/* At most one tag is taken off: behind a second one ethertype is ETHTYPE_VLAN.  An IEEE 802.3
 * length in place of the type is returned as it is (below 0x0600). */
enum wire_err eth_parse(struct eth_hdr *out, const uint8_t *b, size_t n);
size_t eth_emit(uint8_t *b, const struct eth_hdr *h); /* room for ETH_HLEN_MAX; returns hlen */

/* ---- ARP over Ethernet, for IPv4 (RFC 826) ----------------------------------------- */

#define ARP_LEN 28u
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };
struct arp_pkt {
    uint16_t op;
    struct mac_addr sha, tha;
    be32 spa, tpa;
};
/* WIRE_FORMAT unless it is IPv4 over Ethernet; op is not judged. */
enum wire_err arp_parse(struct arp_pkt *out, const uint8_t *b, size_t n);
size_t arp_emit(uint8_t *b, const struct arp_pkt *a);

/* ---- IPv4 (RFC 791) ---------------------------------------------------------------- */

#define IPV4_HLEN 20u
#define IPV4_HLEN_MAX 60u
enum { IPPROTO_ICMP_ = 1, IPPROTO_TCP_ = 6, IPPROTO_UDP_ = 17 };
enum { IPV4_DF = 0x4000, IPV4_MF = 0x2000, IPV4_RESERVED = 0x8000 };

struct ipv4_hdr {
    be32 src, dst;
    uint16_t total_len;
    uint16_t id;
    uint16_t flags;     /* IPV4_DF, IPV4_MF, IPV4_RESERVED */
    uint16_t frag_off;  /* bytes, a multiple of 8 */
    uint8_t hlen;       /* bytes, 20..60 */
    uint8_t tos, ttl, proto;
    uint16_t csum;      /* as it lies in memory */
    uint8_t optlen;     /* hlen - 20 */
    const uint8_t *opt; /* borrowed from the packet; NULL if optlen is 0 */
};
/* Proves hlen and total_len against n; bytes past total_len are the caller's to trim.  Options
 * are only delimited: ipv4_opt_next proves them, for those who read them. */
enum wire_err ipv4_parse(struct ipv4_hdr *out, const uint8_t *b, size_t n);
/* Emits the header with its checksum computed; returns its length, 20 + optlen.  optlen is a
 * multiple of 4; hlen and csum are not read.  Room for IPV4_HLEN_MAX at b. */
size_t ipv4_emit(uint8_t *b, const struct ipv4_hdr *h);

/* Two words of a header with the one that comes first in memory first.  Headers are written by
 * stores of eight bytes from registers: an array of words would be read back, by a longer load than
 * the stores it would wait for. */
static inline uint64_t wire_pair(uint32_t first, uint32_t second)
{
    return first | (uint64_t)second << 32;
}
static inline void wire_put_pair(uint8_t *b, uint32_t first, uint32_t second)
{
    uint64_t pair = wire_pair(first, second);

    memcpy(b, &pair, sizeof(pair));
}

/* The same without options, id as given, for those who send nothing else. */
static inline void ipv4_emit_plain(uint8_t *b, uint32_t total_len, uint8_t tos, uint8_t ttl,
                                   uint8_t proto, uint16_t id, uint16_t frag, be32 src, be32 dst)
{
    uint32_t w0 =
        0x45u | (uint32_t)tos << 8 | (uint32_t)be16_of((uint16_t)total_len).raw << 16;
    uint32_t w1 = (uint32_t)be16_of(id).raw | (uint32_t)be16_of(frag).raw << 16;
    uint32_t w2 = (uint32_t)ttl | (uint32_t)proto << 8;
    uint64_t sum = (uint64_t)w0 + w1 + w2 + src.raw + dst.raw;

    wire_put_pair(b, w0, w1);
    wire_put_pair(b + 8, w2 | (uint32_t)csum_finish(sum) << 16, src.raw);
    memcpy(b + 16, &dst.raw, 4);
}

enum {
    IPOPT_EOL = 0,
    IPOPT_NOP = 1,
    IPOPT_RR = 7,
    IPOPT_TS = 68,
    IPOPT_LSRR = 131,
    IPOPT_SSRR = 137,
};
/* Walk the options (RFC 791 3.1); *off starts at 0.
 *    1  *kind, *val (the whole option from its kind byte) and *len are set, *off is behind it;
 *       NOPs are passed over
 *    0  the end, or an EOL
 *   -1  malformed; *off is the offset of the bad byte from opt (for ICMP parameter problem) */
int ipv4_opt_next(const uint8_t *opt, size_t optlen, size_t *off, uint8_t *kind,
                  const uint8_t **val, uint8_t *len);

/* Unfolded sum of the TCP/UDP pseudo header (RFC 9293 3.1); len is the segment's length. */
static inline uint64_t ipv4_pseudo_sum(be32 src, be32 dst, uint8_t proto, uint32_t len)
{
    return (uint64_t)src.raw + dst.raw + be16_of(proto).raw + be32_of(len).raw;
}

/* ---- ICMP (RFC 792) ---------------------------------------------------------------- */

#define ICMP_HLEN 8u
enum {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACH = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAM_PROBLEM = 12,
    ICMP_TIMESTAMP = 13,
    ICMP_TIMESTAMP_REPLY = 14,
};
enum {
    ICMP_UNREACH_NET = 0,
    ICMP_UNREACH_HOST = 1,
    ICMP_UNREACH_PROTO = 2,
    ICMP_UNREACH_PORT = 3,
    ICMP_UNREACH_NEEDFRAG = 4,
    ICMP_UNREACH_SRCFAIL = 5,
    ICMP_UNREACH_ADMIN = 13,
};
enum {
    ICMP_TIME_EXCEEDED_TTL = 0,
    ICMP_TIME_EXCEEDED_REASS = 1,
};
/* A member that the type and code do not have is 0 after icmp_parse, not read by icmp_emit. */
struct icmp_hdr {
    uint8_t type, code;
    uint16_t csum;    /* as it lies in memory */
    uint16_t id, seq; /* echo and timestamp, both ways */
    uint16_t mtu;     /* unreachable/needfrag (RFC 1191 4); 0 from old routers */
    uint8_t pointer;  /* parameter problem */
};
enum wire_err icmp_parse(struct icmp_hdr *out, const uint8_t *b, size_t n);
size_t icmp_emit(uint8_t *b, const struct icmp_hdr *h); /* checksum field as given in h->csum */

/* ---- UDP (RFC 768) ----------------------------------------------------------------- */

#define UDP_HLEN 8u
struct udp_hdr {
    uint16_t sport, dport;
    uint16_t len;  /* proven >= 8 and <= n */
    uint16_t csum; /* as it lies in memory; 0: none */
};
enum wire_err udp_parse(struct udp_hdr *out, const uint8_t *b, size_t n);
size_t udp_emit(uint8_t *b, const struct udp_hdr *h);

/* ---- TCP (RFC 9293 3.1) ------------------------------------------------------------ */

#define TCP_HLEN 20u
#define TCP_HLEN_MAX 60u
#define TCP_OPTLEN_MAX 40u
enum {
    TH_FIN = 0x001,
    TH_SYN = 0x002,
    TH_RST = 0x004,
    TH_PUSH = 0x008,
    TH_ACK = 0x010,
    TH_URG = 0x020,
    TH_ECE = 0x040,
    TH_CWR = 0x080,
    TH_AE = 0x100,
};
enum {
    TCPOPT_EOL = 0,
    TCPOPT_NOP = 1,
    TCPOPT_MSS = 2,
    TCPOPT_WSCALE = 3,
    TCPOPT_SACK_OK = 4,
    TCPOPT_SACK = 5,
    TCPOPT_TS = 8,
    TCPOPT_UTO = 28,
    TCPOPT_FASTOPEN = 34,
};
#define TCP_SACK_MAX 4u

struct tcp_sack {
    tcp_seq start, end; /* [start, end) as on the wire: not yet judged */
};

/* A parsed segment.  has_x says whether option x was there; without it its value is 0.  Of sack[]
 * only the first nsack are defined. */
struct tcp_seg {
    tcp_seq seq, ack;
    uint16_t sport, dport;
    uint16_t flags;   /* TH_* */
    uint16_t wnd;     /* unscaled, as on the wire */
    uint16_t urp;     /* urgent pointer */
    uint16_t csum;    /* as it lies in memory */
    uint8_t hlen;     /* bytes, 20..60 */
    uint8_t wscale;   /* option value; may exceed 14 (RFC 7323 2.3: the user clamps) */
    bool has_mss, has_wscale, has_sack_ok, has_ts;
    uint8_t nsack;    /* SACK blocks in sack[] */
    uint16_t mss;
    uint32_t ts_val, ts_ecr;
    uint32_t len;     /* payload bytes; SYN and FIN not counted */
    struct tcp_sack sack[TCP_SACK_MAX];
};

/* Options of a known kind with a wrong length are WIRE_OPTION (RFC 9293 MUST-7); unknown kinds
 * with a well formed length are skipped (MUST-6); everything after EOL is ignored.  The last
 * option of a kind counts.  MSS, WSCALE and SACK_OK are read from any segment (MUST-5); acting
 * on them is the state machine's business.  Reserved bits are ignored. */
enum wire_err tcp_parse(struct tcp_seg *out, const uint8_t *b, size_t n);

/* Option layouts differ between systems, and test suites pin them. */
enum tcp_opt_order {
    TCP_ORDER_LINUX,   /* MSS, SACK_OK, TS, NOP, WSCALE */
    TCP_ORDER_FREEBSD, /* MSS, NOP, WSCALE, SACK_OK, TS */
};
/* Emit header and options (those with has_x, and nsack SACK blocks, as many as fit).  Padding:
 * NOPs in front as the field does, zero after an EOL (MUST-69).  hlen and len are not read, the
 * checksum field is s->csum.  Room for TCP_HLEN_MAX at b.  Returns the header's length. */
size_t tcp_emit(uint8_t *b, const struct tcp_seg *s, enum tcp_opt_order order);

/* NOP NOP TS: how every system lays the option out on an established connection, so that the
 * two values are aligned (RFC 7323 Appendix A). */
#define TCP_NOP_NOP_TS 0x0101080au
#define TCP_NOP_NOP_TS_LEN 12u

/* What tcp_emit would write for a header with no option or only timestamps, the urgent pointer 0
 * and the checksum field 0.  Returns the header's unfolded sum. */
static inline uint64_t tcp_emit_plain(uint8_t *b, const struct tcp_seg *s)
{
    uint32_t hlen = s->has_ts ? TCP_HLEN + TCP_NOP_NOP_TS_LEN : TCP_HLEN;
    uint32_t ports = be32_of((uint32_t)s->sport << 16 | s->dport).raw;
    uint32_t seq = be32_of(s->seq.v).raw, ack = be32_of(s->ack.v).raw;
    uint32_t flags = be32_of((hlen << 10 | s->flags) << 16 | s->wnd).raw;
    uint32_t kind = be32_of(TCP_NOP_NOP_TS).raw;
    uint32_t val = be32_of(s->ts_val).raw, ecr = be32_of(s->ts_ecr).raw;
    uint64_t sum = (uint64_t)ports + seq + ack + flags;

    wire_put_pair(b, ports, seq);
    wire_put_pair(b + 8, ack, flags);
    if (!s->has_ts) {
        memset(b + 16, 0, 4);
        return sum;
    }
    wire_put_pair(b + 16, 0, kind);
    wire_put_pair(b + 24, val, ecr);
    return sum + kind + val + ecr;
}

/* ---- printing ---------------------------------------------------------------------- */

/* One line without newline, cut to n bytes with the final 0: a frame as tcpdump -e would name it.
 * Returns the line's length as written.  Any bytes may be given; n > 0. */
size_t frame_print(char *buf, size_t n, const uint8_t *frame, size_t len);
/* The same from the IPv4 header. */
size_t ipv4_print(char *buf, size_t n, const uint8_t *pkt, size_t len);
