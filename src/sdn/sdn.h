/* sdn: the SDN controller of one core; pure.
 *
 * THEORY OF OPERATION
 *
 * Switches connect, and their connections are spread over the cores.  Each core has one struct sdn,
 * which owns the switches that are connected to it and all that belongs to them.  What concerns the
 * whole network (which switch is where, links, hosts, what an operator has asked for) has one
 * writer, the seat, core 0; every core holds a replica of it that the seat's letters change.
 *
 *        switch's bytes --sdn_input--> session -> packet-ins -> forward ---+
 *                                         |                               |
 *        switch's bytes <--sdn_output-- chunks <----- FLOW_MOD, PACKET_OUT +
 *                                         |
 *        other cores <--sdn_letter_next-- news for the seat
 *                                         the seat's changes --sdn_letter--> replica
 *
 *        REST, command line --sdn_ask--> ... --sdn_next_answered--> JSON
 *
 * A packet-in is answered from what its own core has: nothing shared is touched, nobody is asked.
 *
 * Around it somebody has sockets and a clock (room ofd), or a simulated network (test/sdn).  The
 * verbs are the stack's: input, advance, deadline, and what the layer above pulls.
 *
 * LIMITS.  Everything a switch, a host or an operator can make grow has a limit in sdn_config; at
 * the limit it is refused or gives way, counted, and said where somebody can see it.
 *
 * Times are microseconds (instant); `now` never goes back.  Thread: the core's own. */
#pragma once

#include "ofp/ofp.h"
#include "stat/stat.h"
#include "time/time.h"

struct sdn;
struct pof_program; /* sdn/pof_program.h: protocols, tables and entries declared at run time */

#define SDN_CORES_MAX 64u
#define SDN_LETTER_MAX 16384u
/* The longest message to a switch; a chunk of output holds at least one. */
#define SDN_CHUNK_BYTES 65536u

/* How a core forwards. */
enum sdn_mode {
    SDN_NETWORK, /* links are discovered, hosts tracked; shortest paths, trees for broadcast */
    SDN_LEARN,   /* each switch is a learning switch of its own; loops are not seen */
    SDN_NONE,    /* only what an operator asks for */
};

/* What a listener's connections speak. */
enum sdn_speech {
    SDN_SPEAKS_OPENFLOW, /* 1.0 or 1.3, by HELLO */
    SDN_SPEAKS_POF,      /* Huawei's or USTC's, by the layout of FEATURES_REPLY */
    SDN_SPEAKS_HUAWEI,
    SDN_SPEAKS_USTC,
};

/* A link told instead of found: for switches that cannot send LLDP (POF without PACKET_OUT). */
struct sdn_static_link {
    uint64_t dpid[2];
    uint32_t port[2];
};

struct sdn_config {
    enum sdn_mode mode;
    unsigned core, cores;
    /* The same on all cores, another one in every run: keys of hashes and of LLDP, and what tells
     * this run's flows from those of the last. */
    uint64_t secret[4];
    /* Limits, a core unless it says network. */
    uint32_t conns;        /* connections, handshakes included */
    uint32_t ports;        /* of all its switches, beyond 64 that each may have */
    uint32_t macs;         /* learnt addresses of all its switches */
    uint32_t hosts;        /* network: tracked hosts */
    uint32_t switches;     /* network: datapaths known, connected or not */
    uint32_t links;        /* network: directed links */
    uint32_t stored;       /* network: flows, groups and meters that operators have asked for */
    uint32_t chunks;       /* pieces of output of SDN_CHUNK_BYTES, all connections together */
    uint32_t conn_chunks;  /* of one connection; at the limit its input waits */
    /* Times, microseconds. */
    uint32_t handshake_us; /* from accept to FEATURES_REPLY and ports */
    uint32_t echo_us;      /* silence before an ECHO_REQUEST; the same again before giving up */
    uint32_t lldp_us;      /* between two probes of a port */
    uint32_t link_us;      /* a link that was not seen for so long is gone */
    uint32_t quiet_us;     /* a new port neither gives nor takes broadcasts for so long (network) */
    uint32_t stats_us;     /* between two looks at a switch's port counters; 0: never */
    uint32_t host_us;      /* a host not seen for so long is forgotten; 0: never */
    /* Flows that forwarding installs. */
    uint16_t flow_idle_s, flow_hard_s, flow_priority;
    bool master; /* ask for the master's role */
    const struct sdn_static_link *link; /* borrowed for sdn's life */
    uint32_t n_link;
    const struct pof_program *pof; /* borrowed for sdn's life; NULL: forwarding as above only */
};
/* Defaults for n switches; secret, core and cores are the caller's. */
void sdn_config_init(struct sdn_config *c);

/* Memory for it: address space, committed as it is touched; zeroed, aligned to 4096.  A breakdown
 * in words, a line a pool, goes to f where it is not NULL. */
size_t sdn_bytes(const struct sdn_config *c, struct fmt *f);
struct sdn *sdn_init(void *memory, const struct sdn_config *c, instant now);

/* ---- connections ---------------------------------------------------------------------------- */

/* A connection's number: index and generation; 0 is none. */
typedef uint32_t sdn_conn;

struct sdn_peer {
    struct ip_addr ip;
    uint16_t port;
    bool tls;
    char subject[128]; /* of its certificate; "" */
};

/* 0: the limit is reached (counted); close it. */
sdn_conn sdn_open(struct sdn *s, enum sdn_speech speech, const struct sdn_peer *peer, instant now);

/* Who is at its other end, for the log; false before FEATURES_REPLY (and if stale). */
struct sdn_who {
    uint64_t dpid;
    enum ofp_dialect dialect;
    uint32_t ports;
    bool up; /* the handshake is over and the datapath is this connection's */
};
bool sdn_who(const struct sdn *s, sdn_conn c, struct sdn_who *out);

/* Bytes from the switch.  Returns how many were taken: all, unless its output is full (then come
 * again after sdn_output_done) or it is to be closed.  Cut anywhere. */
size_t sdn_input(struct sdn *s, sdn_conn c, const uint8_t *p, size_t n, instant now);

/* The transport is gone, or was closed because of SDN_DO_CLOSE. */
void sdn_closed(struct sdn *s, sdn_conn c, instant now);

/* Still in its handshake: its bytes come before those of others. */
bool sdn_is_new(const struct sdn *s, sdn_conn c);
/* Would take input now. */
bool sdn_takes_input(const struct sdn *s, sdn_conn c);

/* The next connection that has something to send, takes input again, or is to be closed; each is
 * reported once until it has more.  0: none. */
sdn_conn sdn_next_ready(struct sdn *s);

/* What is to be sent next: borrowed from sdn until sdn_output_done.  Control messages come before
 * answers to packet-ins, between whole messages. */
struct sdn_out {
    const uint8_t *p;
    uint32_t n;
    bool alone; /* POF: whole messages; send them in one piece, when all before is acknowledged */
    uint32_t chunk; /* sdn's own */
};
bool sdn_output(struct sdn *s, sdn_conn c, struct sdn_out *out);
/* The transport has let go of it, in any order, also after sdn_closed. */
void sdn_output_done(struct sdn *s, const struct sdn_out *out);

/* What else is to be done with a ready connection. */
enum sdn_do { SDN_DO_NOTHING, SDN_DO_CLOSE /* once its output has been taken */, SDN_DO_ABORT };
enum sdn_do sdn_do(const struct sdn *s, sdn_conn c);
/* Why, for the log; "" if nothing is wrong. */
const char *sdn_why(const struct sdn *s, sdn_conn c);

/* ---- time ------------------------------------------------------------------------------------ */

void sdn_advance(struct sdn *s, instant now);
instant sdn_deadline(const struct sdn *s);

/* ---- other cores ----------------------------------------------------------------------------- */

/* The oldest letter that is to go to some core; it stays until sdn_letter_done(to).  to_blocked:
 * bit by core: those that take none at present. */
struct sdn_letter {
    unsigned to;
    const uint8_t *p;
    uint32_t n;
};
bool sdn_letter_next(struct sdn *s, uint64_t to_blocked, struct sdn_letter *out);
void sdn_letter_done(struct sdn *s, unsigned to);
void sdn_letter(struct sdn *s, unsigned from, const uint8_t *p, size_t n, instant now);

/* ---- questions and commands ------------------------------------------------------------------ */

/* Answers are JSON (stat/json.h) in the asker's buffer.  Shapes: doc/rest.md. */
enum sdn_ask_kind {
    SDN_ASK_SWITCHES, /* of this core; ask every core */
    SDN_ASK_SWITCH,   /* dpid; with its ports and their counters and rates */
    SDN_ASK_PORTS,    /* dpid */
    SDN_ASK_FLOWS,    /* dpid: what the switch says; asks it */
    SDN_ASK_GROUPS,   /* dpid: the same */
    SDN_ASK_METERS,
    SDN_ASK_TABLES,
    SDN_ASK_MACS,     /* dpid, cursor: learnt addresses */
    SDN_ASK_LINKS,    /* the replica: any core */
    SDN_ASK_HOSTS,    /* the same; cursor */
    SDN_ASK_HOST,     /* mac */
    SDN_ASK_PATHS,    /* from mac to mac2 (or dpid to dpid2): every shortest path, at most max */
    SDN_ASK_STORED,   /* dpid or 0: what operators have asked for; cursor */
    /* core 0: sdn_store_save's bytes; cursor: the version that the asker has,
     * and that it gets.  304: the same; 413: max bytes are wanted */
    SDN_ASK_STORE_FILE,
    SDN_ASK_EVENTS,   /* of this core, numbers above cursor */
    SDN_ASK_COUNTERS, /* of this core */
    SDN_ASK_METRICS,  /* of this core: switches with their ports; flag: how often each has come */
    SDN_ASK_POF,      /* protocols and tables of the program; with dpid: its tables and entries */
    SDN_DO_FLOW,      /* flow: add, modify, delete; kept, and installed whenever dpid connects */
    SDN_DO_FLOWS_CLEAR, /* dpid: delete what operators have asked for */
    SDN_DO_GROUP,
    SDN_DO_METER,
    SDN_DO_PORT,      /* port up or down: flag */
    SDN_DO_ROLE,      /* role */
    SDN_DO_POF_ADD,   /* pof_entry; of the seat */
    SDN_DO_POF_DELETE,
    SDN_DO_DISCONNECT,
    SDN_ASK_KINDS
};

/* One question: the asker's memory, lent until it comes back from sdn_next_answered. */
struct sdn_ask {
    enum sdn_ask_kind kind;
    uint64_t dpid, dpid2;
    struct mac_addr mac, mac2;
    uint32_t port;
    bool flag;
    enum ofp_role role;
    uint64_t cursor; /* lists: where to go on; in the answer: where the next begins, 0: no more */
    uint32_t max;    /* lists: at most so many; 0: as fit */
    const struct ofp_flow *flow;
    const struct ofp_group *group;
    const struct ofp_meter *meter;
    const void *pof_entry; /* struct pof_rule_words */
    char *buf;             /* the answer's text, cap bytes of room */
    size_t cap, n;
    /* As in HTTP: 200, 202 stored but the switch is not connected, 400, 404, 409, 413, 501 the
     * dialect cannot, 502 the switch refused, 503 a limit, 504 no answer in time; 421: ask
     * `core`. */
    unsigned status;
    unsigned core;
    instant asked; /* sdn's own from here */
    uint64_t ticket;
    struct sdn_ask *next;
    void *owner; /* the asker's */
};
/* Commands (SDN_DO_*) and replicas' questions go to core 0; what names a dpid, else, to its core:
 * any other answers 421. */
void sdn_ask(struct sdn *s, struct sdn_ask *q, instant now);
/* The next one that is answered, or NULL. */
struct sdn_ask *sdn_next_answered(struct sdn *s);

/* ---- what operators have asked for, as a file ------------------------------------------------ */

/* On core 0.  A number that changes whenever what is kept has changed: time to save it. */
uint64_t sdn_store_version(const struct sdn *s);
/* How many bytes it is; written to b if they fit in cap. */
size_t sdn_store_save(const struct sdn *s, uint8_t *b, size_t cap);
/* On every core, before its first connection.  Returns how many were kept, or -1: not such a file
 * (nothing was kept). */
int sdn_store_load(struct sdn *s, const uint8_t *p, size_t n);

/* ---- counters -------------------------------------------------------------------------------- */

#define SDN_STATS(X)                                                                               \
    X(conns_opened, "connections accepted from switches")                                          \
    X(conns_refused, "connections refused: the limit is reached")                                  \
    X(conns_closed, "connections that ended")                                                      \
    X(handshakes, "handshakes completed")                                                          \
    X(handshake_timeouts, "connections closed: the handshake took too long")                       \
    X(echo_timeouts, "connections closed: no answer to an echo request")                           \
    X(duplicates, "connections refused or replaced: the datapath was connected already")           \
    X(messages_in, "messages received from switches")                                              \
    X(messages_out, "messages sent to switches")                                                   \
    X(bytes_in, "bytes received from switches")                                                    \
    X(bytes_out, "bytes sent to switches")                                                         \
    X(bad_messages, "messages that were malformed or not for a controller")                        \
    X(errors_in, "ERROR messages from switches")                                                   \
    X(packet_ins, "packet-ins")                                                                    \
    X(packet_ins_fast, "of those, answered on the short way")                                      \
    X(packet_ins_dropped, "of those, dropped: malformed, or no room for an answer")                \
    X(flow_mods, "FLOW_MODs sent")                                                                 \
    X(packet_outs, "PACKET_OUTs sent")                                                             \
    X(floods, "packet-ins answered by a flood")                                                    \
    X(macs_learnt, "addresses learnt by switches")                                                 \
    X(macs_moved, "addresses that moved to another port of their switch")                          \
    X(macs_evicted, "addresses that gave way to others: the table was full")                       \
    X(lldp_out, "LLDP probes sent")                                                                \
    X(lldp_in, "LLDP probes received and believed")                                                \
    X(lldp_refused, "LLDP frames refused: not ours, forged, replayed, or from a host's port")      \
    X(links_up, "links found")                                                                     \
    X(links_down, "links lost")                                                                    \
    X(hosts_new, "hosts found")                                                                    \
    X(hosts_moved, "hosts that moved")                                                             \
    X(hosts_held, "moves of hosts not believed: too soon after the last")                          \
    X(hosts_full, "hosts not tracked: the limit is reached")                                       \
    X(arp_answered, "ARP requests answered for a host")                                            \
    X(tree_dropped, "broadcasts dropped at a port outside the tree")                               \
    X(no_path, "packets dropped: no path to their destination")                                    \
    X(reroutes, "changes of the topology that moved flows")                                        \
    X(letters_out, "letters to other cores")                                                       \
    X(letters_in, "letters from other cores")                                                      \
    X(letters_full, "news not sent to another core: too many letters wait; sent again later")      \
    X(chunks_full, "messages not sent: no room for output")

struct sdn_stats {
    STAT_FIELDS(SDN_STATS)
};
extern const struct stat_group sdn_stat_group;
const struct sdn_stats *sdn_stats(const struct sdn *s);

/* Assert every invariant; for tests. */
void sdn_check(const struct sdn *s);
