/* tcp: RFC 9293 and what has grown around it.
 *
 * THEORY OF OPERATION
 *
 * State lives in four kinds of object, each in a pool of its own:
 *
 *   tcp_listener  LISTEN: an accept queue and what accepted connections inherit
 *   tcp_syn       SYN-RECEIVED after a passive open: 144 bytes, bounded; beyond, SYN cookies
 *   tcp_conn      everything from SYN-SENT to LAST-ACK: 256 bytes, four cache lines
 *   tcp_tw        TIME-WAIT: 64 bytes, on one list in order of expiry
 *
 * What only some connections need lies beside them: tcp_cold (options set away from their defaults,
 * urgent pointers) and tcp_loss (the SACK scoreboard), taken when first needed.  When those pools
 * are used up the connection goes on without: no SACK, default options.
 *
 * Input changes state and marks; it never sends.  A connection with something to send is on the
 * output list; tcp_output takes it from there after the burst, so that ACKs aggregate (RFC 9293
 * MUST-58, MUST-59).  News for the layer above are bits in the connection, which is then on the
 * ready list, pulled by tcp_next_ready.
 *
 * Each connection has one timer in the wheel and an array of deadlines.  The timer fires no later
 * than the earliest deadline; when it fires early (the deadline has moved on since) it is armed
 * again.  Moving a deadline later costs one store.
 *
 *   input.c            a burst: parse, checksum, look up, hand over
 *   segment.c          RFC 9293 3.10.7.4, one function a step
 *   fast.c             the case that is nearly all cases
 *   listen.c syn.c     passive open, the SYN queue
 *   cookie.c           SYN cookies
 *   connect.c          active open, SYN-SENT
 *   options.c          what a SYN negotiates, and what follows
 *   ack.c rtt.c        acknowledgements, RFC 6298
 *   recovery.c sack.c  loss
 *   data.c reass.c     received data, what came early
 *   window.c           the receive window and its buffer
 *   output.c emit.c    what to send next, a segment
 *   reset.c            RST, and answers without a connection
 *   timers.c           retransmission, persist, keepalive, delayed ACK
 *   timewait.c icmp.c  TIME-WAIT, ICMP errors
 *   user.c             the calls of the layer above
 *   away.c             many cores: connections that do not live at home
 *   whose.c law.c      whose a segment is; the law's table changes
 *   conn.c check.c     life and lists, invariants */
#pragma once

#include "buf/buf.h"
#include "cc/cc.h"
#include "flow/choose.h"
#include "ip/ip.h"

/* ---- states: data, not code ---------------------------------------------------------- */

#define TCP_STATES(X)                                                                              \
    X(CLOSED)                                                                                      \
    X(LISTEN)                                                                                      \
    X(SYN_SENT)                                                                                    \
    X(SYN_RECEIVED)                                                                                \
    X(ESTABLISHED)                                                                                 \
    X(CLOSE_WAIT)                                                                                  \
    X(FIN_WAIT_1)                                                                                  \
    X(CLOSING)                                                                                     \
    X(LAST_ACK)                                                                                    \
    X(FIN_WAIT_2)                                                                                  \
    X(TIME_WAIT)

#define TCP_STATE_ENUM(name) TCPS_##name,
enum tcp_state { TCP_STATES(TCP_STATE_ENUM) TCPS_COUNT };
#undef TCP_STATE_ENUM

/* The state's name as in RFC 9293, with '-'. */
const char *tcp_state_name(enum tcp_state s);
/* Whether the edge is in the picture of RFC 9293 3.3.2 (aborts to CLOSED included). */
bool tcp_edge_is_legal(enum tcp_state from, enum tcp_state to);

/* ---- limits and knobs ---------------------------------------------------------------- */

struct tcp_limits {
    uint32_t conns;     /* connections */
    uint32_t time_wait; /* connections in TIME-WAIT; the oldest gives way */
    uint32_t syns;      /* half-open passive connections; beyond: cookies */
    uint32_t listeners;
    uint32_t cold;        /* connections with options of their own or urgent data */
    uint32_t loss;        /* connections with a SACK scoreboard at one time */
    uint32_t ooo_packets; /* packets waiting in all reassembly queues */
    uint32_t ooo_runs;    /* gaps tolerated in one reassembly queue */
    uint32_t away;        /* flows that live on another core than their home, at either; 0: alone */
    uint32_t sack_ranges; /* remembered on one scoreboard, at most TCP_SACK_RANGES */
};
void tcp_limits_default(struct tcp_limits *l);

enum tcp_cookies { TCP_COOKIES_OFF, TCP_COOKIES_OVERFLOW, TCP_COOKIES_ALWAYS };

/* Knobs, each with a default; a scenario or a configuration file sets them. */
struct tcp_config {
    enum tcp_opt_order opt_order;
    bool window_scaling, timestamps, sack; /* offered and accepted */
    bool delack;
    enum tcp_cookies cookies;
    enum cc_kind cc;
    uint32_t initial_window_segs; /* RFC 6928: 10 */
    uint32_t sndbuf, sndbuf_max;  /* first size, and the most auto-tuning grows to; bytes */
    uint32_t rcvbuf, rcvbuf_max;
    uint32_t mss_max; /* 0: from the MTU; else never announce more */
    uint32_t rto_initial_us, rto_min_us, rto_max_us;
    uint32_t delack_us; /* < 500 ms (MUST-40) */
    uint32_t persist_min_us, persist_max_us;
    uint32_t msl_ms;
    uint32_t fin_wait_2_ms; /* for a connection the application has closed */
    uint32_t retries_max;   /* R2 in retransmissions (and at least r2_ms) */
    uint32_t r2_ms;         /* SHLD-11: 100 s */
    uint32_t syn_r2_ms;     /* MUST-23: 180 s */
    uint32_t synack_retries;
    uint32_t keep_idle_ms, keep_intvl_ms, keep_cnt;
    uint32_t challenge_interval_ms; /* at most one challenge ACK a connection in this time (RFC 5961
                                       7) */
    uint16_t port_lo, port_hi;      /* for active opens (RFC 6056) */
    uint8_t ttl;
    bool isn_fixed;      /* tests only: ISN = isn_offset */
    uint32_t isn_offset; /* added to every ISN; tests start near the wrap */
    /* Of ISNs and timestamps (RFC 6528, RFC 7323 5.4).  Who gives every run on a machine the same
     * finds its peers' TIME-WAITs willing (RFC 6191).  All zero: the stack's secret. */
    uint64_t isn_secret[3];
};
void tcp_config_default(struct tcp_config *c);

/* ---- counters ------------------------------------------------------------------------ */

#define TCP_STATS(X)                                                                               \
    X(segs_in, "segments received")                                                                \
    X(segs_out, "segments sent")                                                                   \
    X(bytes_in, "payload bytes received in order")                                                 \
    X(bytes_out, "payload bytes sent, retransmissions included")                                   \
    X(fast_path, "segments taken by header prediction")                                            \
    X(active_opens, "connections opened by us")                                                    \
    X(passive_opens, "connections accepted from a SYN")                                            \
    X(established, "connections that reached ESTABLISHED")                                         \
    X(closed, "connections that ended in order")                                                   \
    X(reset_by_peer, "connections ended by a RST received")                                        \
    X(aborted, "connections ended by a RST sent")                                                  \
    X(timed_out, "connections ended because the peer stopped answering")                           \
    X(acks_out, "segments sent without data, SYN, FIN, RST")                                       \
    X(delayed_acks, "ACKs sent by the delayed ACK timer")                                          \
    X(dup_acks_in, "duplicate ACKs received")                                                      \
    X(rexmit_segs, "segments retransmitted")                                                       \
    X(rexmit_bytes, "payload bytes retransmitted")                                                 \
    X(rto_fired, "retransmission time-outs")                                                       \
    X(fast_recoveries, "fast recoveries entered")                                                  \
    X(sack_recoveries, "of these, with SACK")                                                      \
    X(limited_transmits, "new segments sent on the first duplicate ACKs")                          \
    X(dsacks_in, "duplicate SACKs received")                                                       \
    X(dsacks_out, "duplicate SACKs sent")                                                          \
    X(sack_reneged, "peers that took a SACK back")                                                 \
    X(persist_probes, "window probes sent")                                                        \
    X(keep_probes, "keepalive probes sent")                                                        \
    X(ooo_segs, "segments that arrived early and wait")                                            \
    X(dup_segs, "segments that held nothing new")                                                  \
    X(zero_window_sent, "windows of zero announced")                                               \
    X(window_updates_out, "window updates sent")                                                   \
    X(rsts_out, "RSTs sent")                                                                       \
    X(challenge_acks, "challenge ACKs sent (RFC 5961)")                                            \
    X(syncookies_sent, "SYN cookies sent")                                                         \
    X(syncookies_good, "SYN cookies returned and accepted")                                        \
    X(syn_rexmits, "SYN-ACKs retransmitted")                                                       \
    X(time_waits, "connections that entered TIME-WAIT")                                            \
    X(time_wait_reused, "TIME-WAIT connections replaced by a new SYN (RFC 6191)")                  \
    X(time_wait_evicted, "TIME-WAIT connections that gave way before 2 MSL")                       \
    X(pmtu_lowered, "segment sizes lowered by an ICMP message")                                    \
    X(pmtu_blackholes, "segment sizes lowered because large segments vanish")                      \
    X(payload_copied, "packets copied because the port ran low on buffers")                        \
    X(icmp_soft, "ICMP errors noted as soft")                                                      \
    X(icmp_hard, "ICMP errors that ended a connection attempt")                                    \
    X(icmp_ignored, "ICMP errors outside the window or unjustified (RFC 5927)")                    \
    X(tx_stalled, "segments put off: no packet to send them in")                                   \
    X(flows_moved, "connections whose home became another core, or this one")                      \
    X(no_conn_memory, "opens refused: connection table full")                                      \
    X(no_scoreboard, "recoveries without SACK: no scoreboard left")                                \
    TCP_DROPS(X)

#define TCP_DROPS(X)                                                                               \
    X(drop_malformed, "dropped: header or options malformed")                                      \
    X(drop_checksum, "dropped: checksum wrong")                                                    \
    X(drop_source, "dropped: source not a unicast address of another endpoint")                    \
    X(drop_broadcast, "dropped: addressed to a broadcast or multicast address")                    \
    X(drop_no_conn, "dropped: no connection or listener (answered with RST)")                      \
    X(drop_rst_no_conn, "dropped: RST for no connection")                                          \
    X(drop_seq, "dropped: outside the receive window (answered with ACK)")                         \
    X(drop_paws, "dropped: timestamp older than the last (RFC 7323 5)")                            \
    X(drop_no_ts, "dropped: no timestamp though negotiated (RFC 7323 3.2)")                        \
    X(drop_no_ack, "dropped: no ACK bit in a synchronised state")                                  \
    X(drop_bad_ack, "dropped: ACK for what was never sent, or too old (RFC 5961 5)")               \
    X(drop_rst_challenged, "dropped: RST inside the window but not at its edge (RFC 5961 3)")      \
    X(drop_syn_challenged, "dropped: SYN in a synchronised state (RFC 5961 4)")                    \
    X(drop_after_close, "dropped: data after the application closed (answered with RST)")          \
    X(drop_ooo_full, "dropped: reassembly queue full")                                             \
    X(drop_rcv_memory, "dropped: no memory to hold the payload")                                   \
    X(drop_syn_flood, "dropped: SYN queue full and cookies off")                                   \
    X(drop_accept_full, "dropped: accept queue full")                                              \
    X(drop_bad_cookie, "dropped: ACK that is no SYN cookie of ours, while they are in use")        \
    X(drop_time_wait_rst, "dropped: RST in TIME-WAIT (RFC 1337)")                                  \
    X(drop_time_wait_old, "dropped: old segment in TIME-WAIT (answered with ACK)")                 \
    X(drop_syn_state, "dropped: not acceptable in SYN-SENT or SYN-RECEIVED")                       \
    X(drop_moved, "dropped: whose it is may not be known here yet: homes moved, or we began")      \
    X(drop_paused, "dropped: SYN for a paused listener, and no other core listens")                \
    X(drop_past_fin, "dropped: data beyond the peer's FIN")                                        \
    X(drop_deferred, "dropped: the last ACK of a handshake, while its data is awaited")

struct tcp_stats {
    STAT_FIELDS(TCP_STATS)
};
extern const struct stat_group tcp_stat_group;

/* ---- objects --------------------------------------------------------------------------- */

enum tcp_timer { TCPT_REXMT, TCPT_DELACK, TCPT_KEEP, TCPT_USER, TCPT_COUNT };

/* Flags of a connection. */
enum tcp_flag {
    TF_ACKNOW = 1u << 0,        /* send an ACK at the next output */
    TF_DELACK = 1u << 1,        /* an ACK is owed, the delayed ACK timer runs */
    TF_NODELAY = 1u << 2,       /* Nagle off (MUST-17) */
    TF_CORK = 1u << 3,          /* hold short segments */
    TF_MORE = 1u << 4,          /* the last send said that more follows at once */
    TF_TS = 1u << 5,            /* timestamps negotiated */
    TF_SACK = 1u << 6,          /* SACK negotiated */
    TF_WSCALE = 1u << 7,        /* window scaling negotiated */
    TF_SYN_QUEUED = 1u << 8,    /* our SYN is at snd_una: not yet acknowledged */
    TF_FIN_QUEUED = 1u << 9,    /* the application sends no more: FIN follows the data */
    TF_FIN_SENT = 1u << 10,     /* snd_max covers it */
    TF_FIN_RCVD = 1u << 11,     /* rcv_nxt covers the peer's FIN */
    TF_RECOVERY = 1u << 12,     /* fast recovery, until snd_una reaches recover */
    TF_RTO_RECOVERY = 1u << 13, /* retransmitting after a time-out, until snd_una reaches recover */
    TF_REXMT_ONE = 1u << 14,    /* retransmit the segment at snd_una at the next output */
    TF_PERSIST = 1u << 15,      /* the REXMT deadline is the persist timer's */
    TF_PROBE = 1u << 16,        /* send a window probe at the next output */
    TF_KEEP_PROBE = 1u << 17,   /* send a keepalive probe at the next output */
    TF_KEEPALIVE = 1u << 18,    /* probing is on (MUST-24) */
    TF_RTT_TIMING = 1u << 19,   /* rtt_seq is being timed */
    TF_DETACHED = 1u << 20,     /* the application has closed its handle */
    TF_ON_OUTPUT = 1u << 21,    /* on the output list */
    TF_ON_READY = 1u << 22,     /* on the ready list */
    TF_ACCEPTING = 1u << 23,    /* in its listener's accept queue */
    TF_WANT_WRITE = 1u << 24,   /* a send was refused: say when there is room */
    TF_SNDBUF_FIXED = 1u << 25, /* no auto-tuning */
    TF_RCVBUF_FIXED = 1u << 26,
    TF_APP_LIMITED = 1u << 27, /* the last ACK found the congestion window unused, and cc knows */
    TF_QUICKACK = 1u << 28,
    TF_URG_SND = 1u << 29, /* cold->snd_up is beyond snd_una */
    TF_URG_RCV = 1u << 30, /* cold->rcv_up is ahead of what was read */
};

/* The core of this connection is not its home, and home knows (away.c); no enumerator has this
 * bit. */
#define TF_AWAY (1u << 31)

enum tcp_event {
    TCP_EV_CONNECTED = 1,
    TCP_EV_READABLE = 2,
    TCP_EV_WRITABLE = 4,
    TCP_EV_URGENT = 8,
    TCP_EV_SOFT_ERROR = 16,
    TCP_EV_CLOSED = 32,
};

/* 256 bytes: 64 to find and judge a segment, 64 to acknowledge and send, 128 for the rest. */
struct tcp_conn {
    /* line 0 */
    struct flow_key key;
    uint8_t kind;   /* FLOW_CONN */
    uint8_t state;  /* enum tcp_state; written by tcp_set_state only */
    uint8_t scales; /* snd_scale | rcv_scale << 4 */
    uint8_t dupacks;
    uint32_t flags; /* enum tcp_flag */
    tcp_seq rcv_nxt;
    tcp_seq rcv_adv; /* right edge announced to the peer; never retracts (SHLD-14) */
    tcp_seq last_ack_sent;
    uint32_t ts_recent;
    tcp_seq snd_una, snd_nxt, snd_max;
    uint32_t snd_wnd; /* scaled */
    /* line 1 */
    tcp_seq snd_wl1; /* SND.WL2 is not kept: snd_una, which is never behind it, serves
                        (tcp_wnd_update) */
    struct cc cc;
    struct sndq sndq;
    uint32_t ts_offset; /* added to our timestamps (RFC 7323 5.4) */
    neigh_id nh;
    uint32_t rcv_time_ms; /* when the last acceptable segment came */
    tcp_seq recover;      /* snd_max when recovery began */
    /* line 2 */
    uint32_t srtt;   /* us, times 8; 0: no sample yet */
    uint32_t rttvar; /* us, times 4; without a sample: the RTO to begin with, 0: the default */
    uint32_t rtt_start_us; /* when rtt_seq was sent, low 32 bits */
    tcp_seq rtt_seq;
    struct rcvq rcvq;
    struct pkt *ooo;           /* owned: first run of the reassembly queue */
    void *user;                /* the application's */
    uint32_t rcv_buf, snd_buf; /* bytes */
    uint16_t mss;              /* payload of a full segment to send, options deducted */
    uint16_t mss_peer;         /* the peer's MSS option, or the default */
    uint8_t rxtshift;          /* retransmissions of the segment at snd_una */
    int8_t err;                /* MR_E* that ended it */
    uint8_t events;            /* enum tcp_event, not yet pulled */
    uint8_t cc_kind;
    /* line 3 */
    struct timer timer;
    tick deadline[TCPT_COUNT]; /* 0: off */
    mem_ref out_next, ready_next;
    mem_ref cold, loss;
    uint16_t gen; /* of the handle */
    uint8_t ttl, tos;
    uint16_t challenge_ms; /* low bits of the time of the last challenge ACK */
    uint16_t wnd_max;      /* largest window the peer announced, unscaled */
    union {
        struct {
            mem_ref listener, accept_next; /* while TF_ACCEPTING */
        };
        struct {
            uint32_t rcv_tune_ms, rcv_tune_seq; /* receive buffer auto-tuning */
        };
        uint16_t port_tries; /* SYN-SENT: so many ports were chosen by us; 0: it is the caller's */
    };
};
_Static_assert(sizeof(struct tcp_conn) == 256, "four cache lines");
_Static_assert(offsetof(struct tcp_conn, snd_wl1) == 64, "line 1");
_Static_assert(offsetof(struct tcp_conn, srtt) == 128, "line 2");
_Static_assert(offsetof(struct tcp_conn, timer) == 192, "line 3");

#define TCP_SACK_RANGES 64u

/* Taken when a recovery with SACK begins or data arrives out of order; given back when the
 * connection is whole again. */
struct tcp_loss {
    tcp_seq high_rxt; /* end of what was retransmitted in this recovery (RFC 6675 2) */
    bool rescue_done; /* RFC 6675 4: at most one rescue retransmission a recovery */
    uint8_t nranges;
    uint8_t nrecent; /* receiver: blocks in recent[] */
    bool has_dsack;
    uint32_t sacked;                        /* bytes in ranges */
    struct tcp_sack dsack;                  /* to report once (RFC 2883) */
    struct tcp_sack recent[TCP_SACK_MAX];   /* received blocks, newest first (RFC 2018 4) */
    struct tcp_sack range[TCP_SACK_RANGES]; /* scoreboard: sorted, disjoint, above snd_una */
};

/* Options away from their defaults, and the urgent pointers. */
struct tcp_cold {
    tcp_seq snd_up, rcv_up;                         /* the octet after the urgent data (MUST-62) */
    uint32_t keep_idle_ms, keep_intvl_ms, keep_cnt; /* 0: default */
    uint32_t user_timeout_ms;
    int32_t linger_s;  /* -1: as long as it takes */
    int32_t linger2_s; /* of an orphan's FIN-WAIT-2; 0: default, -1: there is none */
    uint32_t snd_lowat;
    uint32_t notsent_lowat; /* MR_NOTSENT_LOWAT; 0: no limit */
    uint32_t window_clamp;  /* of what we announce; 0: no limit */
    uint16_t maxseg;        /* 0: no limit of the application's */
    int16_t soft_err;
    uint8_t keep_unanswered; /* probes */
    uint8_t src_route_n;
    uint8_t syn_retries; /* 0: syn_r2_ms decides */
    be32 src_route[IP_SRC_ROUTE_MAX];
    uint32_t rexmits;       /* segments retransmitted */
    uint32_t keep_probe_ms; /* when the last probe was sent */
};

struct tcp_tw {
    struct flow_key key;
    uint8_t kind; /* FLOW_TIME_WAIT */
    uint8_t rcv_scale;
    bool has_ts : 1;
    bool away : 1; /* as TF_AWAY */
    bool past : 1; /* of a stack that is no more (tcp_past_keep); rcv_wnd is what was in flight */
    uint8_t tos;
    tcp_seq snd_nxt, rcv_nxt;
    uint32_t rcv_wnd; /* scaled down, as on the wire */
    uint32_t ts_recent, ts_offset;
    uint32_t challenge_ms;
    tick expires;
    mem_ref next, prev;
};
_Static_assert(sizeof(struct tcp_tw) == 64, "one cache line");

struct tcp_syn {
    struct flow_key key;
    uint8_t kind; /* FLOW_SYN */
    uint8_t snd_scale, rcv_scale;
    uint8_t flags; /* TSYN_* */
    uint32_t iss_v, irs_v;
    uint32_t ts_recent, ts_offset;
    mem_ref listener;
    uint16_t mss; /* the peer's */
    uint16_t wnd; /* the peer's, unscaled */
    struct timer timer;
    mem_ref out_next, next, prev; /* next/prev: the listener's */
    /* First SYN,ACK, low bits; 0: not sent.  TSYN_ACKED: how long its ACK took; 0: not known. */
    uint32_t sent_us;
    bool on_output;
    uint8_t timeouts;
    uint8_t retries; /* of these, for want of an ACK */
    uint8_t src_route_n;
    be32 src_route[IP_SRC_ROUTE_MAX];
};
_Static_assert(sizeof(struct tcp_syn) <= 144, "small enough to have many");

/* A flow that lives away from its home: at home the node that says where, at its core the record of
 * what home knows of it. */
struct tcp_away {
    struct flow_key key;
    uint8_t kind;  /* FLOW_AWAY */
    uint8_t state; /* away.c's */
    uint8_t core;  /* at home: where it lives; there: its home */
    bool over;     /* the flow has ended, home has not answered yet; at home: it has moved on, */
    bool gone;     /* and the home, too, as we have read */
    bool unsent, listed;
    uint8_t how; /* enum tcp_away_how */
    mem_ref next;
    uint32_t asked_ms;
    tcp_seq iss_min; /* at home: what every YES says */
    uint8_t noes;    /* home has said no so often */
    uint16_t ask;    /* there: which of ours it is, the same until it is asked anew */
    uint64_t owed;   /* bit c: core c, which was asked before home moved, must hear the end */
};

/* What a listener passes on to the connections it accepts. */
struct tcp_inherit {
    uint32_t flags; /* TF_NODELAY, TF_CORK, TF_KEEPALIVE, TF_*BUF_FIXED, TF_QUICKACK */
    uint32_t rcv_buf, snd_buf;
    uint16_t maxseg;
    uint8_t ttl, tos, cc_kind;
    uint32_t keep_idle_ms, keep_intvl_ms, keep_cnt;
    uint32_t user_timeout_ms, notsent_lowat, window_clamp;
    int32_t linger_s, linger2_s;
};

struct tcp_listener {
    uint16_t lidx; /* IP_LIDX_NONE: any address */
    uint16_t port;
    mem_ref next; /* chain of the port */
    mem_ref accept_head, accept_tail;
    uint32_t accept_n, backlog;
    uint32_t syns; /* half-open */
    mem_ref syn_head;
    mem_ref ready_next;
    bool on_ready, open;
    bool paused;         /* takes no SYN; port_cores says so to the others */
    uint8_t syn_retries; /* SYN,ACKs; 0: the default */
    uint8_t defer;       /* so many time-outs an ACK without data opens nothing */
    uint16_t gen;
    void *user;
    struct tcp_inherit inherit;
    instant overflow_at; /* when a cookie was last sent; 0: never */
};

struct tcp {
    uint8_t *arena;
    struct ip *ip; /* borrowed, below us */
    struct wheel *wheel;
    struct pkt_pool *tx;     /* packets to send in */
    struct pkt_pool *copies; /* payload moved off a port's buffers */
    struct sbuf_pool *sbufs;
    csum_fn csum;
    instant now; /* of the verb being run */
    uint32_t now_ms;
    struct tcp_config config;
    struct tcp_limits limits;
    struct tcp_stats stats;
    struct flow_table flows;
    struct flow_ports ports;
    struct flow_chooser chooser;
    struct sip_key isn_key, ts_key, cookie_key;
    struct flow_table abroad; /* of struct tcp_away: ours that live here and not at home */
    struct pool conns, tws, syns, listeners, colds, losses, aways;
    mem_ref away_busy;          /* records with something to say to their home, or to hear */
    instant away_unsaid_until;  /* so long a home may not know of one for which we had no record */
    instant away_retry_at;      /* when to look at them again, */
    instant away_walk_at;       /* and not before */
    uint16_t away_asks;         /* so often leave was asked for anew */
    mem_ref out_head, out_tail; /* connections with output */
    mem_ref syn_out_head, syn_out_tail; /* SYN-ACKs to send */
    mem_ref ready_head, ready_tail;     /* connections with news */
    mem_ref ready_listener;             /* listeners with news */
    mem_ref tw_head, tw_tail;
    struct timer tw_timer;
    struct pkt_list replies; /* RSTs and ACKs without a connection, ready for ip */
    uint32_t ooo_packets;
    tcp_seq iss_min; /* while a SYN replaces a TIME-WAIT: its ISN is not below; 0: no bound */
};

void tcp_init(struct tcp *t, struct mem *m, const struct tcp_limits *l, const struct tcp_config *c,
              const uint64_t secret[4]);

/* ---- the stack's side -------------------------------------------------------------------- */

/* Segments whose data is at the TCP header (struct ip_info parsed); consumes them all. */
void tcp_input(struct tcp *t, struct burst *segs, instant now);
/* An ICMP error that quotes one of our segments. */
void tcp_icmp(struct tcp *t, const struct ip_error *e, instant now);
/* With many cores: the one that should hear of the error. */
unsigned tcp_error_core(const struct tcp *t, const struct ip_error *e);
/* A MAIL_AWAY letter. */
void tcp_away_letter(struct tcp *t, const struct letter *l, instant now);
/* The law's table has changed: connections ask at their new homes. */
void tcp_law_changed(struct tcp *t, instant now);
/* Every core has read it, and what the others wrote of it: who waits for leave asks again. */
void tcp_law_settled(struct tcp *t, instant now);
/* What lives here and has a new home is registered there. */
bool tcp_away_is_told(const struct tcp *t);
/* A core has begun anew: what lived there does not, and what it knew of ours it must hear again. */
void tcp_away_reborn(struct tcp *t, unsigned core, instant now);
/* A timer of a kind of ours fired. */
void tcp_timer(struct tcp *t, struct timer *tm, instant now);
/* Send what is marked, while the transmit queue and the packets last. */
void tcp_output(struct tcp *t, instant now);
bool tcp_has_output(const struct tcp *t);
/* There is a packet to send in, and room in the transmit queue. */
bool tcp_may_transmit(const struct tcp *t);

/* ---- the sockets' side -------------------------------------------------------------------- */

/* Add events (enum tcp_event) and put c on the ready list. */
void tcp_mark_event(struct tcp *t, struct tcp_conn *c, unsigned events);
/* The next connection with events; its events are the caller's to clear.  NULL: none. */
struct tcp_conn *tcp_next_ready(struct tcp *t);
/* The next listener that has connections to accept. */
struct tcp_listener *tcp_next_ready_listener(struct tcp *t);

/* Errors are negative MR_E* numbers.  lidx IP_LIDX_NONE: any address. */
int tcp_listen(struct tcp *t, uint16_t lidx, uint16_t port, uint32_t backlog,
               struct tcp_listener **out);
void tcp_unlisten(struct tcp *t, struct tcp_listener *l, instant now);
/* It takes no SYN any more, or again. */
void tcp_pause(struct tcp *t, struct tcp_listener *l, bool paused);
/* Time-outs of a SYN,ACK in so long a time, rounded up, at most 255; and how long so many last. */
uint8_t tcp_syn_timeouts(uint32_t seconds);
uint32_t tcp_syn_seconds(uint8_t timeouts);
/* NULL: none waits. */
struct tcp_conn *tcp_accept(struct tcp *t, struct tcp_listener *l);
int tcp_connect(struct tcp *t, const struct ip_addr *laddr, uint16_t lport,
                const struct ip_addr *raddr, uint16_t rport, const struct tcp_inherit *opts,
                instant now, struct tcp_conn **out);

/* Bytes that may be queued now, of the buffer. */
static inline uint32_t tcp_snd_free(const struct tcp_conn *c)
{
    return c->sndq.cc < c->snd_buf ? c->snd_buf - c->sndq.cc : 0;
}
/* And of MR_NOTSENT_LOWAT, too. */
uint32_t tcp_snd_space(const struct tcp *t, const struct tcp_conn *c);
/* Whether it is worth telling: there is as much as MR_SNDLOWAT says, or a third of the buffer, and
 * no more than half of MR_NOTSENT_LOWAT waits. */
bool tcp_has_room(const struct tcp *t, const struct tcp_conn *c);
/* Who was refused, if it is. */
void tcp_writer_wake(struct tcp *t, struct tcp_conn *c);
/* 0: may send; else MR_EPIPE, MR_ENOTCONN, or the connection's error. */
int tcp_may_send(const struct tcp_conn *c);
/* After the caller has appended to c->sndq. more: hold a short last segment; urgent: the last byte
 * is urgent. */
void tcp_sent(struct tcp *t, struct tcp_conn *c, bool more, bool urgent, instant now);
/* The caller could not append anything for want of memory and nothing of c's is in flight:
 * TCP_EV_WRITABLE will come in a while. */
void tcp_wait_memory(struct tcp *t, struct tcp_conn *c, instant now);
/* After the caller has taken bytes out of c->rcvq (and given slices back): the window may open. */
void tcp_received(struct tcp *t, struct tcp_conn *c, instant now);
/* Data, or the end of stream, can be read without waiting. */
bool tcp_at_eof(const struct tcp_conn *c);
int tcp_shutdown(struct tcp *t, struct tcp_conn *c, instant now);
/* The application gives its handle up; c may be gone after this. */
void tcp_close(struct tcp *t, struct tcp_conn *c, instant now);
void tcp_abort(struct tcp *t, struct tcp_conn *c, instant now);

/* A connection of a stack that is no more: what its peer must hear. */
struct tcp_past {
    struct flow_key key;
    tcp_seq snd_una, snd_max, rcv_nxt;
    uint32_t ts_recent;
    bool has_ts, half_open;
};
/* The connections of t, half-open ones too, whose thread may have died in the midst of a change:
 * nothing is believed but that its memory is there.  How many of at most n. */
unsigned tcp_past_list(const struct tcp *t, struct tcp_past *out, unsigned n);
/* From now on whatever its peer sends for it is answered by a RST, for as long as a TIME-WAIT
 * lasts. */
void tcp_past_keep(struct tcp *t, const struct tcp_past *p, instant now);
/* A RST to the peer leaves with the next output; false: there is no room for it now. */
bool tcp_past_reset(struct tcp *t, const struct tcp_past *p);
/* Room for settings of its own; NULL when the pool is used up. */
struct tcp_cold *tcp_cold_get(struct tcp *t, struct tcp_conn *c);
/* An option changed that output or timers depend on. */
void tcp_option_changed(struct tcp *t, struct tcp_conn *c, instant now);
void tcp_inherit_default(const struct tcp *t, struct tcp_inherit *i);
void tcp_inherit_apply(struct tcp *t, struct tcp_conn *c, const struct tcp_inherit *i);

/* ---- facts ------------------------------------------------------------------------------- */

static inline unsigned tcp_snd_scale(const struct tcp_conn *c)
{
    return c->scales & 15u;
}
static inline unsigned tcp_rcv_scale(const struct tcp_conn *c)
{
    return c->scales >> 4;
}
/* The window announced and not yet used by the peer, bytes. */
static inline uint32_t tcp_rcv_wnd(const struct tcp_conn *c)
{
    return seq_diff(c->rcv_adv, c->rcv_nxt);
}
static inline struct tcp_cold *tcp_cold(const struct tcp *t, const struct tcp_conn *c)
{
    return mem_ptr(t->arena, c->cold);
}
static inline struct tcp_loss *tcp_loss(const struct tcp *t, const struct tcp_conn *c)
{
    return mem_ptr(t->arena, c->loss);
}
uint32_t tcp_rto_us(const struct tcp *t, const struct tcp_conn *c);

/* Assert every invariant of every object. */
void tcp_check(struct tcp *t);
