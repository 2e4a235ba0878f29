/* Millrace: the public API.
 *
 * THEORY OF OPERATION
 *
 * A context (struct mr) is one core's network: a TCP/IP stack of its own on its
 * own NIC queue, or, with the kernel back end, an epoll set of its own.  One
 * thread uses one context; nothing in it is shared, nothing locks.
 *
 * A program is a struct mr_app: `init` runs once on every core and opens
 * listeners or connections; `event` is given one event at a time, after a burst
 * of packets has been processed, never from inside protocol code.  Every call
 * below may be made from `init`, from `event` and from `fini`, and returns at
 * once: what cannot be done now says MR_EAGAIN and an event tells when to try
 * again.
 *
 * The same program runs on Millrace's own stack, on the kernel's sockets
 * (--dev kernel) and in the simulator; it cannot tell.
 *
 * EVENTS ARE EDGES: MR_EV_READABLE says that something was added (data, end
 * of stream, an error) since the last call that returned MR_EAGAIN; read until
 * MR_EAGAIN or end of stream.  MR_EV_WRITABLE comes after a send that was cut
 * short or refused with MR_EAGAIN, once a good part of the send buffer is free.
 *
 * ZERO COPY.  mr_recv_slices lends slices of the NIC's own buffers; they stay
 * valid until mr_slice_release, also after the socket is closed.  mr_send_give
 * takes a buffer of yours by reference and gives it back through its release
 * callback when every byte is acknowledged (or the connection is gone).
 *
 * ERRORS are negative values of enum mr_err, numerically Linux errno values.
 * A call on a closed or stale handle returns MR_EBADF and does nothing.
 *
 * Units: sizes in bytes, times in microseconds unless a name says otherwise.
 * Thread: the context's own, for every call, unless said otherwise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MR_VERSION "0.1.0"

struct mr; /* one core's context */

/* A socket handle: an index and a generation.  0 is never a socket. */
typedef struct mr_sock {
    uint64_t v;
} mr_sock;

#define MR_SOCK_NONE ((mr_sock){0})

static inline bool mr_sock_eq(mr_sock a, mr_sock b)
{
    return a.v == b.v;
}

enum mr_err {
    MR_OK = 0,
    MR_EINTR = -4,
    MR_EIO = -5,
    MR_EBADF = -9,
    MR_EAGAIN = -11,
    MR_ENOMEM = -12, /* a named limit is reached; see mr_limits */
    MR_EACCES = -13,
    MR_EINVAL = -22,
    MR_EPIPE = -32,
    MR_EMSGSIZE = -90,
    MR_ENOPROTOOPT = -92,
    MR_EOPNOTSUPP = -95,
    MR_EAFNOSUPPORT = -97,
    MR_EADDRINUSE = -98,
    MR_EADDRNOTAVAIL = -99,
    MR_ENETDOWN = -100,
    MR_ENETUNREACH = -101,
    MR_ECONNABORTED = -103,
    MR_ECONNRESET = -104,
    MR_ENOBUFS = -105,
    MR_EISCONN = -106,
    MR_ENOTCONN = -107,
    MR_ETIMEDOUT = -110,
    MR_ECONNREFUSED = -111,
    MR_EHOSTUNREACH = -113,
    MR_EALREADY = -114,
    MR_EINPROGRESS = -115,
};

/* A short English sentence for an error; static storage. */
const char *mr_strerror(int err);

/* ---- addresses -------------------------------------------------------------------- */

/* An address and port.  IPv4 is held as ::ffff:a.b.c.d.  All zero, or
 * ::ffff:0.0.0.0, is "any"; port 0 is "choose". */
struct mr_addr {
    uint8_t ip[16]; /* network order */
    uint16_t port;  /* host order */
};

/* IPv4 from four numbers. */
struct mr_addr mr_addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);

/* Parse "10.0.0.1:80", "10.0.0.1", ":80" or "80".  False if malformed; *out is then untouched. */
bool mr_addr_parse(struct mr_addr *out, const char *text);

#define MR_ADDR_TEXT 54
/* Print as "10.0.0.1:80"; returns buf. */
char *mr_addr_print(const struct mr_addr *a, char buf[MR_ADDR_TEXT]);

/* ---- events ----------------------------------------------------------------------- */

enum mr_event_type {
    MR_EV_ACCEPT = 1, /* a listener has connections to accept; accept until MR_EAGAIN */
    MR_EV_CONNECTED,  /* an active open is established */
    MR_EV_READABLE,   /* data, a datagram, or end of stream to read */
    MR_EV_WRITABLE,   /* there is room to send again */
    MR_EV_URGENT,     /* the urgent pointer advanced (RFC 9293 MUST-32) */
    MR_EV_SOFT_ERROR, /* err: trouble that may pass, e.g. MR_EHOSTUNREACH (MUST-47) */
    MR_EV_CLOSED,     /* the last event of a socket.  err 0: both sides finished in order;
                         else why it was aborted (MUST-12).  Unread data may still be read;
                         the handle must still be closed. */
    MR_EV_TIMER,      /* a timer expired */
    MR_EV_LETTER,     /* other cores have posted letters; take them until MR_EAGAIN */
    MR_EV_KNOCK,      /* another thread has called mr_knock */
};

struct mr_event {
    enum mr_event_type type;
    int err;      /* MR_EV_CLOSED, MR_EV_SOFT_ERROR */
    mr_sock sock; /* none for MR_EV_TIMER, MR_EV_LETTER, MR_EV_KNOCK */
    void *user;   /* the socket's (inherited from its listener until set), the timer's, or NULL */
};

/* ---- TCP -------------------------------------------------------------------------- */

struct mr_listen_opts {
    uint32_t backlog; /* connections not yet accepted, on each core; 0: the default, 1024 */
    void *user;       /* user pointer of the listener, inherited by what it accepts */
    bool every_core;  /* open it on every core by this one call: each core's events come to its own
                       * context, with a handle of its own and the same user pointer.  Options set
                       * through *out and its closing hold for all.  Other cores follow within
                       * microseconds; one that has no room or has the port already goes without,
                       * and connections that arrive there are accepted elsewhere */
};

/* Listen on local (port required).  opts may be NULL.
 * MR_EADDRINUSE, MR_EADDRNOTAVAIL, MR_ENOMEM. */
int mr_listen(struct mr *m, const struct mr_addr *local, const struct mr_listen_opts *opts,
              mr_sock *out);

/* Take one established connection; peer may be NULL.  MR_EAGAIN: none waits. */
int mr_accept(struct mr *m, mr_sock listener, mr_sock *out, struct mr_addr *peer);

/* Begin an active open.  local may be NULL, or give an address, a port or both.  MR_EV_CONNECTED or
 * MR_EV_CLOSED follows.  MR_ENETUNREACH, MR_EACCES (broadcast or multicast), MR_EADDRINUSE,
 * MR_EADDRNOTAVAIL (ports exhausted too), MR_ENOMEM. */
int mr_connect(struct mr *m, const struct mr_addr *local, const struct mr_addr *remote, void *user,
               mr_sock *out);

/* Copy up to n bytes out.  >0 bytes; 0 end of stream; MR_EAGAIN nothing now; else the error that
 * ended the connection.  n must not be 0: MR_EINVAL, since 0 means end of stream. */
#define MR_PEEK 1u /* mr_recv: leave the data in the queue */
int64_t mr_recv(struct mr *m, mr_sock s, void *buf, size_t n, unsigned flags);

/* A piece of received data, lent.  Do not change `token`. */
struct mr_slice {
    const uint8_t *ptr;
    uint32_t len;
    void *token;
};

/* Take up to max slices (max > 0) of received data out of the receive queue.  >0: how many slices;
 * 0 end of stream; MR_EAGAIN; else the error.  The bytes count against the receive window until
 * released (the peer is held back by an application that holds slices); past the port's low-water
 * mark slices are copies in the stack's memory, so holding them never starves the NIC. */
int mr_recv_slices(struct mr *m, mr_sock s, struct mr_slice *out, int max);

/* Give a slice back; order does not matter, the socket may be closed already. */
void mr_slice_release(struct mr *m, struct mr_slice *slice);

/* Copy up to n bytes into the send queue; returns how many were taken (may be less than n:
 * MR_EV_WRITABLE follows), or MR_EAGAIN, MR_EPIPE (after shutdown), or the error that ended the
 * connection. */
#define MR_MORE 1u /* more follows at once: do not send a short segment yet */
#define MR_OOB 2u  /* the last byte is urgent (RFC 9293 3.8.5); not for new designs (SHLD-13) */
int64_t mr_send(struct mr *m, mr_sock s, const void *buf, size_t n, unsigned flags);

typedef void (*mr_release_fn)(void *arg, const void *ptr, size_t n);

/* Queue n bytes (at most 1 GiB) at ptr without copying, all or nothing.  They must stay as they are
 * until release(arg, ptr, n) is called (never from inside this call; release may be NULL for static
 * data).  0 accepted; MR_EAGAIN if the send buffer is full (MR_EV_WRITABLE follows); as mr_send
 * otherwise. One give larger than the whole send buffer is accepted when the queue is empty. */
int mr_send_give(struct mr *m, mr_sock s, const void *ptr, size_t n, unsigned flags,
                 mr_release_fn release, void *arg);

/* No more will be sent: a FIN follows the data already queued. */
int mr_shutdown(struct mr *m, mr_sock s);

/* Close and give the handle up.  Queued data is still sent, then FIN; unread received data makes it
 * a RST (RFC 9293 SHLD-3); MR_LINGER changes this.  No event follows.  For listeners: resets what
 * was not accepted. */
int mr_close(struct mr *m, mr_sock s);

/* Send RST and give the handle up. */
int mr_abort(struct mr *m, mr_sock s);

/* ---- UDP -------------------------------------------------------------------------- */

/* Open a UDP socket bound to local (NULL: any address, a chosen port). */
int mr_udp_open(struct mr *m, const struct mr_addr *local, void *user, mr_sock *out);

/* Send one datagram (copied, at most 65,507 bytes; fragmented if it must be).  0, MR_EMSGSIZE,
 * MR_EAGAIN (MR_EV_WRITABLE follows), MR_ENETUNREACH, or an ICMP error that came for an earlier
 * datagram to the same peer when connected. */
int mr_sendto(struct mr *m, mr_sock s, const void *buf, size_t n, const struct mr_addr *to);

/* Take one datagram; returns its whole length, which may exceed n (then it was cut).  MR_EAGAIN. */
int64_t mr_recvfrom(struct mr *m, mr_sock s, void *buf, size_t n, struct mr_addr *from);

/* The same without a copy: 0, and the datagram lent in *out; or MR_EAGAIN. */
int mr_recvfrom_slice(struct mr *m, mr_sock s, struct mr_slice *out, struct mr_addr *from);

/* ---- readiness -------------------------------------------------------------------- */

/* What is so now, whatever events have told of it.  A connection that is open and lacks
 * MR_CAN_SEND is told MR_EV_WRITABLE when it has it. */
enum mr_ready {
    MR_CAN_RECV = 1,   /* mr_recv has data, end of stream or an error; mr_recvfrom a datagram or an
                          error; mr_accept a connection */
    MR_CAN_SEND = 2,   /* connected, not shut down, and of the send buffer a third is free (or what
                          MR_SNDLOWAT says) */
    MR_RECV_END = 4,   /* the peer sends no more, and all that it sent has arrived */
    MR_SEND_END = 8,   /* we send no more: mr_shutdown was called */
    MR_OVER = 16,      /* both ways are at their end, or the connection was aborted: the two above
                          are set, too; or the handle is stale */
    MR_HAS_ERROR = 32, /* mr_getopt(MR_ERROR) says what ended the connection, or what ICMP has
                          told about a datagram */
    MR_URGENT_IN = 64, /* there is urgent data that was not read yet */
};
/* Bits of enum mr_ready.  A few loads. */
unsigned mr_poll(struct mr *m, mr_sock s);

/* ---- options and facts ------------------------------------------------------------ */

enum mr_opt {
    MR_NODELAY = 1, /* bool: Nagle off (RFC 9293 MUST-17) */
    MR_CORK,        /* bool: send only full segments until cleared (at most 200 ms) */
    MR_KEEPALIVE,   /* bool, default off (MUST-25) */
    MR_KEEPIDLE,    /* seconds idle before the first probe, default 7200 (MUST-28) */
    MR_KEEPINTVL,   /* seconds between probes, default 75 */
    MR_KEEPCNT,     /* unanswered probes before giving up, default 8 */
    MR_LINGER, /* seconds close may take to send what is queued before it resets; 0: reset at once;
                  -1 (default): as long as it takes */
    MR_USER_TIMEOUT_MS, /* sent data may stay unacknowledged this long; 0: the default (RFC 5482,
                           MUST-21) */
    MR_SNDBUF,          /* send buffer, bytes; setting it turns automatic growth off */
    MR_RCVBUF,          /* receive buffer, bytes; likewise */
    MR_MAXSEG,     /* largest segment to send; before connect or listen also the MSS announced */
    MR_TTL,        /* time to live (MUST-49) */
    MR_TOS,        /* DSCP and ECN byte (MUST-48); better set before a connection than during it
                      (SHLD-23), since other values may take other paths and be reordered */
    MR_CONGESTION, /* enum mr_cc */
    MR_QUICKACK,   /* bool: acknowledge at once; false, said: rather with an answer */
    MR_REUSEADDR,  /* bool: accepted for compatibility, always on */
    MR_BROADCAST,  /* bool, UDP: may send to broadcast addresses */
    MR_OOBINLINE,  /* bool, default on: urgent data stays in the stream (RFC 6093) */
    MR_SNDLOWAT,   /* bytes free before MR_EV_WRITABLE */
    MR_PAUSED,     /* bool, listener, this core's only: take no new connections; those half open
                      are completed, and what waits can be accepted.  SYNs go to other cores that
                      listen; if none does they are dropped without an answer */
    /* read only */
    MR_ERROR,       /* the pending error, and clears it */
    MR_RCVQ,        /* bytes ready to read; UDP: the length of the next datagram, 0 also if there
                       is none (mr_poll tells which); listener: connections to accept */
    MR_SNDQ,        /* bytes sent or queued and not yet acknowledged */
    MR_URGENT_LEFT, /* bytes from here to the end of urgent data; 0: none (MUST-33) */
    /* settings again */
    MR_LINGER2, /* seconds, at most 120, that FIN-WAIT-2 may last once the socket is closed; 0: the
                   default, 60; -1: none, what would enter it is reset */
    MR_SYN_RETRIES, /* SYNs sent again before an open ends with MR_ETIMEDOUT, at most 127; of a
                       listener: SYN,ACKs; 0: the default, an open is tried for 180 s (MUST-23) */
    MR_NOTSENT_LOWAT, /* bytes, 0 (default): no limit.  There is room to send only while less than
                         this is queued and not yet sent for the first time; who was refused, or
                         polls, is told of room again when it is less than half */
    MR_WINDOW_CLAMP,  /* bytes, at least 1152; 0 (default): no limit.  No larger window is
                         announced, to a unit of its scale; what was announced before stands */
    MR_DEFER_ACCEPT, /* seconds, at most 32767, listener: a connection comes with its first data or
                        end of stream, or when so long has passed, rounded up to time-outs of a
                        SYN,ACK (1, 3, 7, 15 ...); 0 (default): at once.  SYN cookies remember
                        nobody: what is opened by one comes at once */
};
#define MR_OPT_LAST MR_DEFER_ACCEPT

enum mr_cc { MR_CC_NEWRENO = 0, MR_CC_CUBIC = 1 };

/* MR_ENOPROTOOPT: not for this kind of socket or back end.  MR_EINVAL: out of range. */
int mr_setopt(struct mr *m, mr_sock s, enum mr_opt opt, int64_t value);
int mr_getopt(struct mr *m, mr_sock s, enum mr_opt opt, int64_t *value);

void mr_set_user(struct mr *m, mr_sock s, void *user);
int mr_local_addr(struct mr *m, mr_sock s, struct mr_addr *out);
int mr_peer_addr(struct mr *m, mr_sock s, struct mr_addr *out);

struct mr_tcp_info {
    char state[16]; /* RFC 9293's name, e.g. "ESTABLISHED" */
    uint32_t srtt_us, rttvar_us, rto_us;
    uint32_t snd_cwnd, snd_ssthresh, snd_wnd, rcv_wnd, mss; /* bytes */
    uint32_t sndq, rcvq, in_flight;                         /* bytes */
    uint64_t retransmits;
};
int mr_tcp_info(struct mr *m, mr_sock s, struct mr_tcp_info *out);

/* ---- time ------------------------------------------------------------------------- */

/* The context's clock, microseconds since some fixed point; advances between events, not within
 * one. */
uint64_t mr_now_us(struct mr *m);

typedef struct mr_timer {
    uint64_t v;
} mr_timer;

/* One MR_EV_TIMER with `user` after delay_us.  out may be NULL: it will not be stopped.  MR_ENOMEM.
 */
int mr_timer_start(struct mr *m, uint64_t delay_us, void *user, mr_timer *out);
/* Cancel; a timer that expired already is no error. */
void mr_timer_stop(struct mr *m, mr_timer t);

/* ---- cores ------------------------------------------------------------------------ */

/* Which core's context this is, from 0, and how many there are.  Any thread. */
unsigned mr_core(const struct mr *m);
unsigned mr_cores(const struct mr *m);

/* The longest letter. */
#define MR_LETTER_MAX 16384u

/* Send n bytes, 1 to MR_LETTER_MAX, to the program on another core: copied; letters from one core
 * to another arrive in order, each once.  0; MR_EAGAIN: the other core has not read what was posted
 * before (no event tells when it has: try again later); MR_EINVAL: no such core, this very core, or
 * a bad length. */
int mr_post(struct mr *m, unsigned core, const void *buf, size_t n);

/* Take the oldest letter of some core, *from says of which; cores take turns.  >0: its length;
 * MR_EAGAIN: none is left; MR_EMSGSIZE: it is longer than n, and stays. */
int64_t mr_letter(struct mr *m, void *buf, size_t n, unsigned *from);

/* Have MR_EV_KNOCK delivered to this context, soon and at least once after this call: how a thread
 * that is no core says that it has left something for one.  Any thread, from init's return until
 * the program's last fini begins. */
void mr_knock(struct mr *m);

/* ---- programs --------------------------------------------------------------------- */

struct mr_app {
    const char *name;
    void *arg; /* passed through */
    /* Once a core, on the core's own thread, one core after the other: core 1's begins when core
     * 0's has returned.  No core turns before all are through.  <0 stops the program. */
    int (*init)(struct mr *m, void *arg, void **core_state);
    void (*event)(struct mr *m, void *core_state, const struct mr_event *ev);
    void (*fini)(struct mr *m, void *core_state); /* may be NULL; one core after the other, too */
    /* Fill buf with a JSON object for the control socket ("app" member); may be NULL.  Returns its
     * length. */
    size_t (*status)(void *core_state, char *buf, size_t n);
};

#define MR_CORES_MAX 64u
#define MR_SPIN_ALWAYS UINT32_MAX

/* Where and how to run: filled from the command line by mr_options_*, or by hand. */
struct mr_config {
    const char *dev;        /* "kernel", or a device: "tap:IFNAME", "xdp:IFNAME", "dpdk:DEVICE",
                             * "packet:IFNAME", "shm:PATH:0|1" (millrace-dev(7)) */
    const char *eal;        /* further arguments of DPDK's environment, as on a command line; NULL:
                             * none */
    const char *exception;  /* a TAP device to which goes what a port receives that is not ours, and
                             * from which the kernel sends; NULL: what is not ours is dropped */
    struct mr_addr addr;    /* own address (port ignored) */
    unsigned prefix_len;    /* its network */
    struct mr_addr gateway; /* default route; any: none */
    unsigned mtu;           /* 0: the port's */
    unsigned vlan;          /* 0: untagged */
    const char *mac;        /* "02:…", NULL: made from the interface's name */
    const char *pcap;       /* write every packet to this pcapng file; NULL: off */
    const char *control;    /* path of the control socket; NULL: made from the program's name and
                               process; "none": none */
    uint32_t max_conns;     /* sockets at once, 0: the default, 65,536 */
    unsigned spin_us;       /* look for packets this long before sleeping; MR_SPIN_ALWAYS: never
                               sleep */
    enum mr_cc congestion;
    unsigned cores;     /* stacks, each with its thread and its queue; 0: 1; at most MR_CORES_MAX */
    const char *cpus;   /* processors to pin them to, in order: "2", "0-3,8"; NULL: with one core
                         none, else the first that the process may use, one NUMA node after the
                         other */
    bool rss_symmetric; /* ask the port for a hash that is the same in both directions of a flow */
    bool rss_off;       /* ask the port for no hash at all, for tests: what arrives at the wrong
                           core is passed on */
};

void mr_config_init(struct mr_config *c);

/* Try to take argv[*i] (and its value) as one of the network options every program has (--dev,
 * --net, --eal, --exception, --addr, --gateway, --mtu, --vlan, --mac, --pcap, --control,
 * --max-conns, --spin-us, --busy, --cc, --cores, --cpus, --rss-symmetric, --rss-off).
 * 1 taken, *i moved to the last word used; 0 not ours; -1 bad: one line was printed to stderr (exit
 * with status 2). */
int mr_config_option(struct mr_config *c, int argc, char **argv, int *i);
/* The options' help text. */
const char *mr_config_help(void);

/* Run until mr_stop, SIGINT or SIGTERM.  0, or an error after one line on stderr. */
int mr_run(const struct mr_config *c, const struct mr_app *app);

/* Ask the loop to end after this event. */
void mr_stop(struct mr *m);

/* A JSON text of all counters of this context (static until the next call). */
const char *mr_status_json(struct mr *m);

#ifdef __cplusplus
}
#endif
