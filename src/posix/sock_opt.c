/* The socket options: honoured, a hint, or refused.  Nothing else: what is accepted and ignored
 * says why that is no lie. */
#include "posix/sock_opt.h"

#include <linux/in.h>
#include <linux/tcp.h>

#define BOTH (FOR_TCP | FOR_UDP)
#define ROW(l, n, f, k) .level = l, .name = n, .label = #n, .form = FORM_##f, .kinds = k
#define HONOURED(s, m) .how = HOW_HONOURED, .slot = OPT_##s, .mr = m
#define HINT(s, w) .how = HOW_HINT, .slot = OPT_##s, .why = w
#define READ(w) .how = HOW_READ, .slot = OPT_NONE, .err = ENOPROTOOPT, .why = w
#define REFUSED(e, w) .how = HOW_REFUSED, .slot = OPT_NONE, .err = e, .why = w
#define KERNELS(e, w) .how = HOW_KERNELS, .slot = OPT_NONE, .err = e, .why = w
#define V6(w) .how = HOW_V6, .slot = OPT_NONE, .why = w
#define RANGE(a, b) .lo = a, .hi = b
#define SOCKET(n, f, k) ROW(SOL_SOCKET, n, f, k)
#define TCP(n, f) ROW(IPPROTO_TCP, n, f, FOR_TCP)
#define IP(n, f, k) ROW(IPPROTO_IP, n, f, k)
#define IP6(n) ROW(IPPROTO_IPV6, n, OTHER, BOTH)

#define ANCILLARY                                                                                  \
    "what a received packet carries beside its data: no control message of that kind here"
#define MULTICAST "groups are the kernel's, as are their addresses"

const struct opt_row opt_table[] = {
    {SOCKET(SO_REUSEADDR, BOOL, BOTH), HONOURED(REUSEADDR, 0), .why = "session-wide"},
    {SOCKET(SO_REUSEPORT, BOOL, BOTH), HONOURED(REUSEPORT, 0), .why = "session-wide"},
    {SOCKET(SO_KEEPALIVE, BOOL, BOTH), HONOURED(KEEPALIVE, MR_KEEPALIVE)},
    {SOCKET(SO_BROADCAST, BOOL, BOTH), HONOURED(BROADCAST, MR_BROADCAST)},
    {SOCKET(SO_SNDBUF, INT, BOTH), HONOURED(SNDBUF, MR_SNDBUF)},
    {SOCKET(SO_RCVBUF, INT, BOTH), HONOURED(RCVBUF, MR_RCVBUF)},
    {SOCKET(SO_SNDBUFFORCE, INT, BOTH), HONOURED(SNDBUF, MR_SNDBUF)},
    {SOCKET(SO_RCVBUFFORCE, INT, BOTH), HONOURED(RCVBUF, MR_RCVBUF)},
    {SOCKET(SO_RCVLOWAT, INT, BOTH), HONOURED(RCVLOWAT, 0), .otherwise = 1},
    {SOCKET(SO_SNDLOWAT, INT, BOTH), READ("Linux has it as a constant, too"), .otherwise = 1},
    {SOCKET(SO_RCVTIMEO_OLD, TIMEVAL, BOTH), HONOURED(NONE, 0)},
    {SOCKET(SO_SNDTIMEO_OLD, TIMEVAL, BOTH), HONOURED(NONE, 0)},
    {SOCKET(SO_LINGER, LINGER, BOTH), HONOURED(NONE, 0)},
    {SOCKET(SO_ERROR, INT, BOTH), READ("")},
    {SOCKET(SO_TYPE, INT, BOTH), READ("")},
    {SOCKET(SO_DOMAIN, INT, BOTH), READ("")},
    {SOCKET(SO_PROTOCOL, INT, BOTH), READ("")},
    {SOCKET(SO_ACCEPTCONN, INT, BOTH), READ("")},
    {SOCKET(SO_COOKIE, OTHER, BOTH), READ("")},
    {SOCKET(SO_OOBINLINE, BOOL, BOTH), HONOURED(OOBINLINE, 0),
     .why = "urgent data always stays in the stream (RFC 6093); MSG_OOB receives nothing"},
    {SOCKET(SO_PRIORITY, INT, BOTH),
     HINT(PRIORITY, "orders a queue of the kernel's; we have none")},
    {SOCKET(SO_MARK, INT, BOTH), KERNELS(EPERM, "marks packets for the kernel's routing")},
    {SOCKET(SO_BINDTODEVICE, OTHER, BOTH), KERNELS(EPERM, "names an interface of the kernel's")},
    {SOCKET(SO_DONTROUTE, BOOL, BOTH), KERNELS(EOPNOTSUPP, "the kernel's routing")},
    {SOCKET(SO_TIMESTAMP_OLD, BOOL, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {SOCKET(SO_TIMESTAMPNS_OLD, BOOL, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {SOCKET(SO_TIMESTAMPING_OLD, OTHER, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {SOCKET(SO_RXQ_OVFL, BOOL, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {SOCKET(SO_INCOMING_CPU, INT, BOTH), HINT(NONE, "steers nothing: flows have homes"),
     .otherwise = -1},
    {SOCKET(SO_INCOMING_NAPI_ID, INT, BOTH), READ("there is no NAPI: 0")},
    {SOCKET(SO_BUSY_POLL, INT, BOTH), HINT(BUSY_POLL, "the session's --spin-us says how long")},
    {SOCKET(SO_PREFER_BUSY_POLL, INT, BOTH), HINT(NONE, "as SO_BUSY_POLL")},
    {SOCKET(SO_BUSY_POLL_BUDGET, INT, BOTH), HINT(NONE, "as SO_BUSY_POLL")},
    {SOCKET(SO_ZEROCOPY, BOOL, BOTH), REFUSED(EOPNOTSUPP, "no completions by an error queue")},
    {SOCKET(SO_TXTIME, OTHER, BOTH), REFUSED(EOPNOTSUPP, "no scheduler for it")},
    {SOCKET(SO_MAX_PACING_RATE, OTHER, BOTH), REFUSED(ENOPROTOOPT, "we do not pace")},
    {SOCKET(SO_PEEK_OFF, INT, BOTH), REFUSED(EOPNOTSUPP, "a peek begins at the first byte")},
    {SOCKET(SO_ATTACH_FILTER, OTHER, BOTH), KERNELS(EPERM, "runs in the kernel")},
    {SOCKET(SO_ATTACH_BPF, OTHER, BOTH), KERNELS(EPERM, "runs in the kernel")},
    {SOCKET(SO_ATTACH_REUSEPORT_CBPF, OTHER, BOTH),
     REFUSED(EPERM, "flows have homes; a program of the kernel's does not see them")},
    {SOCKET(SO_ATTACH_REUSEPORT_EBPF, OTHER, BOTH),
     REFUSED(EPERM, "flows have homes; a program of the kernel's does not see them")},
    {SOCKET(SO_DETACH_FILTER, INT, BOTH), REFUSED(ENOENT, "there is none")},
    {SOCKET(SO_LOCK_FILTER, INT, BOTH), REFUSED(EPERM, "there is none")},

    {TCP(TCP_NODELAY, BOOL), HONOURED(NODELAY, MR_NODELAY)},
    {TCP(TCP_CORK, BOOL), HONOURED(CORK, MR_CORK)},
    {TCP(TCP_MAXSEG, INT), HONOURED(MAXSEG, MR_MAXSEG), RANGE(88, 32767)},
    {TCP(TCP_KEEPIDLE, INT), HONOURED(KEEPIDLE, MR_KEEPIDLE), RANGE(1, 32767), .otherwise = 7200},
    {TCP(TCP_KEEPINTVL, INT), HONOURED(KEEPINTVL, MR_KEEPINTVL), RANGE(1, 32767), .otherwise = 75},
    {TCP(TCP_KEEPCNT, INT), HONOURED(KEEPCNT, MR_KEEPCNT), RANGE(1, 127), .otherwise = 9},
    {TCP(TCP_SYNCNT, INT), HONOURED(SYNCNT, MR_SYN_RETRIES), RANGE(1, 127), .otherwise = 6,
     .why = "unset, an open is tried for 180 s (RFC 9293 MUST-23)"},
    {TCP(TCP_LINGER2, INT), HONOURED(LINGER2, MR_LINGER2), .otherwise = 60},
    {TCP(TCP_DEFER_ACCEPT, INT), HONOURED(DEFER_ACCEPT, MR_DEFER_ACCEPT)},
    {TCP(TCP_WINDOW_CLAMP, INT), HONOURED(WINDOW_CLAMP, MR_WINDOW_CLAMP)},
    {TCP(TCP_INFO, OTHER), READ("as far as we know")},
    {TCP(TCP_QUICKACK, BOOL), HONOURED(QUICKACK, MR_QUICKACK), .otherwise = 1},
    {TCP(TCP_CONGESTION, NAME), HONOURED(CONGESTION, MR_CONGESTION),
     .why = "reno and cubic; ENOENT for others"},
    {TCP(TCP_USER_TIMEOUT, INT), HONOURED(USER_TIMEOUT, MR_USER_TIMEOUT_MS), RANGE(0, INT32_MAX)},
    {TCP(TCP_FASTOPEN, INT),
     HINT(FASTOPEN, "data in a SYN is never acknowledged early, as when the server's half is off "
                    "(Linux's default)")},
    {TCP(TCP_FASTOPEN_CONNECT, BOOL), REFUSED(EOPNOTSUPP, "no data in our SYN")},
    {TCP(TCP_FASTOPEN_KEY, OTHER), REFUSED(EOPNOTSUPP, "no data in our SYN")},
    {TCP(TCP_FASTOPEN_NO_COOKIE, BOOL), REFUSED(EOPNOTSUPP, "no data in our SYN")},
    {TCP(TCP_NOTSENT_LOWAT, INT), HONOURED(NOTSENT_LOWAT, MR_NOTSENT_LOWAT), .otherwise = 0},
    {TCP(TCP_ULP, NAME), REFUSED(ENOENT, "no protocol above: TLS is the program's")},
    {TCP(TCP_MD5SIG, OTHER), REFUSED(ENOPROTOOPT, "no signatures (RFC 2385)")},
    {TCP(TCP_MD5SIG_EXT, OTHER), REFUSED(ENOPROTOOPT, "no signatures (RFC 2385)")},
    {TCP(TCP_REPAIR, INT), REFUSED(EPERM, "for checkpoints of the kernel's connections")},
    {TCP(TCP_THIN_LINEAR_TIMEOUTS, BOOL), REFUSED(ENOPROTOOPT, "not ours")},
    {TCP(TCP_SAVE_SYN, INT), REFUSED(ENOPROTOOPT, "SYNs are not kept")},
    {TCP(TCP_SAVED_SYN, OTHER), REFUSED(ENOPROTOOPT, "SYNs are not kept")},
    {TCP(TCP_TIMESTAMP, INT), REFUSED(ENOPROTOOPT, "for checkpoints")},
    {TCP(TCP_INQ, INT), REFUSED(ENOPROTOOPT, ANCILLARY)},
    {TCP(TCP_TX_DELAY, INT), REFUSED(ENOPROTOOPT, "not ours")},
    {TCP(TCP_ZEROCOPY_RECEIVE, OTHER), REFUSED(EOPNOTSUPP, "pages are not mapped")},

    {IP(IP_TOS, BYTE, BOTH), HONOURED(TOS, MR_TOS), RANGE(0, 255)},
    {IP(IP_TTL, BYTE, BOTH), HONOURED(TTL, MR_TTL), RANGE(-1, 255), .otherwise = 64},
    {IP(IP_FREEBIND, BOOL, BOTH), HINT(FREEBIND, "what is not our address the kernel binds")},
    {IP(IP_TRANSPARENT, BOOL, BOTH), KERNELS(EPERM, "addresses of others: the kernel's routing")},
    {IP(IP_BIND_ADDRESS_NO_PORT, BOOL, BOTH), HONOURED(BIND_NO_PORT, 0)},
    {IP(IP_LOCAL_PORT_RANGE, INT, BOTH), KERNELS(ENOPROTOOPT, "the kernel's choice of ports")},
    {IP(IP_RECVERR, BOOL, BOTH), KERNELS(ENOPROTOOPT, "no error queue; errors come as errors")},
    {IP(IP_MTU_DISCOVER, INT, BOTH), HONOURED(MTU_DISCOVER, 0), RANGE(0, 5), .otherwise = 1,
     .why =
         "UDP: DO and PROBE forbid fragments, others allow them; TCP always finds the path's MTU"},
    {IP(IP_MTU, INT, BOTH), READ("of a connection: the session's")},
    {IP(IP_PKTINFO, BOOL, BOTH), HONOURED(PKTINFO, 0), .why = "interface 0, which is no kernel's"},
    {IP(IP_RECVTTL, BOOL, BOTH), HONOURED(RECVTTL, 0)},
    {IP(IP_RECVTOS, BOOL, BOTH), HONOURED(RECVTOS, 0)},
    {IP(IP_RECVOPTS, BOOL, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {IP(IP_RETOPTS, BOOL, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {IP(IP_RECVORIGDSTADDR, BOOL, BOTH), KERNELS(ENOPROTOOPT, ANCILLARY)},
    {IP(IP_OPTIONS, OTHER, BOTH), REFUSED(ENOPROTOOPT, "our packets have none")},
    {IP(IP_HDRINCL, BOOL, BOTH), REFUSED(ENOPROTOOPT, "for raw sockets")},
    {IP(IP_MINTTL, INT, BOTH), KERNELS(ENOPROTOOPT, "not looked at")},
    {IP(IP_MULTICAST_IF, OTHER, BOTH), V6(MULTICAST)},
    {IP(IP_MULTICAST_TTL, BYTE, BOTH), V6(MULTICAST)},
    {IP(IP_MULTICAST_LOOP, BYTE, BOTH), V6(MULTICAST)},
    {IP(IP_MULTICAST_ALL, INT, BOTH), V6(MULTICAST)},
    {IP(IP_ADD_MEMBERSHIP, OTHER, BOTH), V6(MULTICAST)},
    {IP(IP_DROP_MEMBERSHIP, OTHER, BOTH), V6(MULTICAST)},
    {IP(IP_ADD_SOURCE_MEMBERSHIP, OTHER, BOTH), V6(MULTICAST)},
    {IP(IP_DROP_SOURCE_MEMBERSHIP, OTHER, BOTH), V6(MULTICAST)},
    {IP(IP_UNICAST_IF, INT, BOTH), KERNELS(EPERM, "names an interface of the kernel's")},

    {ROW(IPPROTO_IPV6, IPV6_V6ONLY, BOOL, BOTH), HONOURED(V6ONLY, 0),
     .why = "a socket that is bound with it is the kernel's"},
    {IP6(IPV6_TCLASS), V6("of IPv6 packets; IP_TOS is for those that carry IPv4")},
    {IP6(IPV6_UNICAST_HOPS), V6("of IPv6 packets; IP_TTL is for those that carry IPv4")},
    {IP6(IPV6_MULTICAST_HOPS), V6(MULTICAST)},
    {IP6(IPV6_MULTICAST_IF), V6(MULTICAST)},
    {IP6(IPV6_MULTICAST_LOOP), V6(MULTICAST)},
    {IP6(IPV6_ADD_MEMBERSHIP), V6(MULTICAST)},
    {IP6(IPV6_DROP_MEMBERSHIP), V6(MULTICAST)},
    {IP6(IPV6_MTU_DISCOVER), V6("of IPv6 packets")},
    {IP6(IPV6_RECVERR), V6("of IPv6 packets")},
    {IP6(IPV6_RECVPKTINFO), V6("of IPv6 packets")},
    {IP6(IPV6_RECVHOPLIMIT), V6("of IPv6 packets")},
    {IP6(IPV6_RECVTCLASS), V6("of IPv6 packets")},
    {IP6(IPV6_FREEBIND), V6("what is not our address the kernel binds")},
    {IP6(IPV6_AUTOFLOWLABEL), V6("of IPv6 packets")},
    {IP6(IPV6_TRANSPARENT), KERNELS(EPERM, "addresses of others: the kernel's routing")},
};
const unsigned opt_rows = sizeof(opt_table) / sizeof(opt_table[0]);

const struct opt_row *opt_find(int level, int name)
{
    /* The same thing in a time of 64 bits, which it has here under either name. */
    if (level == SOL_SOCKET && name == SO_RCVTIMEO_NEW)
        name = SO_RCVTIMEO_OLD;
    if (level == SOL_SOCKET && name == SO_SNDTIMEO_NEW)
        name = SO_SNDTIMEO_OLD;
    for (unsigned i = 0; i < opt_rows; i++)
        if (opt_table[i].level == level && opt_table[i].name == name)
            return &opt_table[i];
    return NULL;
}
