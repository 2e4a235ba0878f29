/* sdn, private: what its files share.
 *
 * Files and what each is for (and who calls whom: downwards):
 *
 *   core.c       memory, limits, the verbs; the order in which everything below is asked
 *   session.c    bytes -> messages; batches of packet-ins; control messages
 *   hello.c      versions, handshake, features, ports; pof_hello.c for POF
 *   alive.c      echo, time-outs, reasons to close
 *   role.c       roles and generation ids
 *   xid.c        requests under way: who asked, and what an ERROR or a BARRIER_REPLY means to them
 *   chunk.c      output: say_begin, say_end; control before data; say.c: the usual messages
 *   port.c       a switch's ports, and what each is (new, edge, link)
 *   mac.[ch]     learnt addresses of this core's switches
 *   fast.c       packet-ins on the short way: learn, find, one FLOW_MOD
 *   forward.c    packet-ins on the long way: LLDP, ARP, broadcasts, unknown, remote destinations
 *   net.[ch]     what sessions tell, changes and reports; replica.c: datapaths, links, hosts
 *   path.c tree.c  shortest paths with ECMP; the spanning tree
 *   discover.c lldp.c  probes and what they find
 *   host.c arp.c   hosts, and ARP answered for them
 *   reroute.c    flows that a change of the topology made wrong
 *   seat.[ch]    core 0: the one writer; seat_net.c: what it decides about links and hosts
 *   letter.c     letters: queues out, reading
 *   store.c      what operators have asked for, kept and installed
 *   count.c      port counters, polled; rates
 *   event.c      the last events, for people
 *   ask_*.c      questions answered in JSON
 *   pof_*.c      POF switches, programs */
#pragma once

#include "mem/mem.h"
#include "sdn/mac.h"
#include "sdn/net.h"
#include "sdn/sdn.h"
#include "wire/wire.h"

/* ---- ports -------------------------------------------------------------------------------- */

enum sdn_port_is {
    PORT_QUIET, /* new: neither gives nor takes broadcasts until quiet_until */
    PORT_EDGE,  /* hosts may be behind it */
    PORT_LINK,  /* another switch is behind it */
};

struct sdn_rate {
    struct ofp_port_stats at; /* the last look */
    instant when;             /* 0: none yet */
    uint64_t rx_bps, tx_bps, rx_pps, tx_pps;
};

enum port_queue {
    QUEUE_PROBE,    /* by probe_at */
    QUEUE_QUIET,    /* by quiet_until */
    QUEUE_EXPIRING, /* somebody is heard, by peer_seen */
    QUEUE_UNSAID,   /* the replica may not agree, by said_at */
    QUEUE_MOVED,    /* a host seems to have come here, by moved_at */
    PORT_QUEUES
};

struct sdn_early {
    struct mac_addr mac;
    uint16_t vlan;
    uint32_t port;
    be32 ip;
};

struct sdn_port {
    struct sdn_port *next; /* of its switch, by number */
    struct ofp_port desc;
    enum sdn_port_is is;
    instant quiet_until;
    bool host_seen; /* a host has spoken here since it came up (when: host_at) */
    /* discover.c: what is sent, what is heard */
    struct sdn_switch *owner;
    instant probe_at;        /* of the next one */
    struct port_place {
        struct sdn_port *next, *before;
        bool in;
    } place[PORT_QUEUES]; /* in discover.c's queues */
    bool watched;            /* up, as far as discovery knows */
    bool peer_fixed;         /* told by the configuration */
    bool was_link;           /* since it came up: what comes in is no host's */
    uint64_t peer_dpid;      /* who is heard; peer_port 0: nobody */
    uint32_t peer_port;
    uint64_t peer_nonce;     /* of the last one believed: older ones are replayed */
    instant peer_seen, said_at, host_at; /* host_at: when a host last spoke here */
    struct sdn_early moved;  /* host.c: the first host that seems to have come */
    instant moved_at, verified_at; /* when that is believed; when the last one was */
    bool lost;               /* reroute.c: flows that leave here are wrong */
    /* count.c */
    struct sdn_rate rate;
};

/* ---- switches ------------------------------------------------------------------------------ */

#define SDN_EARLY 2u
#define OWN_PORTS 64u /* so many a switch can always have, whatever others have */
#define SHORT_PORTS 1024u
#define SDN_CONNS_MAX 0xffffu /* sdn_conn: generation << 16 | place in the pool + 1 */
#define XID_BYTES 4096u       /* xid.c: requests under way, a switch */

enum sdn_phase {
    PHASE_HELLO,    /* our HELLO is out, theirs is not in */
    PHASE_FEATURES, /* FEATURES_REQUEST is out: packet-ins are answered from FEATURES_REPLY on */
    PHASE_PORTS,    /* 1.3: PORT_DESC; POF: RESOURCE_REPORT, PORT_STATUS */
    PHASE_UP,
    PHASE_CLOSING, /* output leaves, nothing is taken any more */
};

struct chunk; /* chunk.c */
struct xid_slot; /* xid.c */

/* A connection, and from FEATURES_REPLY on the datapath at its other end. */
struct sdn_switch {
    struct sdn_switch *next; /* connected; in the pool: free */
    sdn_conn conn;           /* 0: free */
    uint16_t generation;     /* of the place in the pool */
    enum sdn_phase phase;
    enum sdn_do todo;
    enum sdn_speech speech;
    enum ofp_dialect dialect; /* OFP_NONE before HELLO */
    struct sdn_peer peer;
    uint64_t dpid;
    uint16_t mac_id;  /* its name in the table of addresses; 0: none */
    bool auxiliary;   /* not its main connection: no ports, no net index (1.3.5, 6.3.8) */
    bool probed;      /* an ECHO_REQUEST is out, since echo_sent */
    bool known;       /* session_known was called */
    uint32_t net;     /* its index in the replica; NET_NONE until the seat has said so */
    uint32_t next_xid; /* of what somebody may ask about: bit 31 is clear */
    uint32_t fast_xid; /* of answers on the short way: bit 31 is set */
    bool master, role_known;
    uint64_t generation_id; /* of roles: the highest seen */
    bool blocked;     /* a full output was met: input waits */
    bool accepted;    /* the seat has accepted this connection for its dpid */
    struct ofp_features features;
    struct ofp_desc *desc; /* pool; NULL: none */
    struct sdn_port *ports;
    uint32_t n_ports;
    instant opened, heard, echo_sent, up_since, stats_at;
    instant give_up_at; /* probed: when silence is long enough; closing: when its output is lost */
    uint64_t packet_ins, flow_mods, packet_outs, errors;
    uint32_t notes, notes_s; /* event.c: lines about it, in the second notes_s */
    uint32_t last_error; /* type << 16 | code */
    char why[96];
    /* session.c: a message that is not whole yet */
    uint8_t *partial; /* pool of OFP_MSG_MAX + 1; NULL: none */
    uint32_t partial_n;
    uint32_t bad;      /* malformed messages since bad_since */
    instant bad_since;
    /* chunk.c: lists of chunks, the first is the oldest; and where the next message goes */
    struct out_lane {
        struct chunk *first, *last;
        uint8_t *at, *end; /* in the last one; NULL: none yet */
        uint32_t chunks;
    } control, data;
    struct sdn_switch *ready_next;
    bool is_ready;
    /* port.c: ports that the short way may use, by number; of ports beyond it knows nothing */
    uint64_t short_ports[SHORT_PORTS / 64];
    /* net.c */
    instant claimed_at; /* when the seat was last asked for this dpid; 0: it was not */
    instant asked_at;   /* another one claims it: does this one answer? */
    uint32_t early;     /* host.c: hosts heard before the seat has answered, until it knows them */
    instant early_until;
    struct sdn_early early_host[SDN_EARLY];
    uint16_t flow_conn; /* in its flows' cookies: this connection */
    bool returned;      /* it was connected before in this run */
    /* reroute.c: when flows of earlier connections, of earlier runs go; INSTANT_NEVER: they went */
    instant renew_at, sweep_at;
    uint32_t lost;      /* places in reroute's bits that are set */
    bool flush_all;     /* all flows of ours are to go */
    /* store_send.c: where sending what is kept goes on; the command whose barrier follows it, or
     * 0 */
    uint64_t store_next, store_op;
    void *pof; /* pof_*.c; NULL: none */
    struct xid_slot *xids; /* xid.c; pool */
};

struct sdn {
    struct sdn_config config;
    struct mem mem;
    instant now;
    uint32_t now_s; /* seconds, for what is marked as seen */
    struct sdn_stats stats;
    struct pool switches, ports, partials, descs, xids;
    struct sdn_switch *first; /* connected */
    struct sdn_switch *ready, *ready_last;
    struct mac_table macs;
    instant alive_at, count_at; /* when alive.c and count.c look again */
    struct net *net;
    /* Each file's own state, made by its X_carve. */
    struct chunks *chunks;
    struct letters *letters;
    struct seat *seat; /* NULL but on core 0 */
    struct discover *discover;
    struct store *store;
    struct events *events;
    struct asks *asks;
    struct pof *pof;
    struct fast *fast;
};

static inline bool sdn_is_seat(const struct sdn *s)
{
    return s->config.core == 0;
}

/* core.c */
struct sdn_switch *sdn_switch_of(const struct sdn *s, sdn_conn c);      /* NULL: stale */
struct sdn_switch *sdn_switch_find(const struct sdn *s, uint64_t dpid); /* of this core, up */

/* ---- chunk.c: output ------------------------------------------------------------------------- */

/* Room for one message of at most n bytes to sw, or NULL: its output is full (counted; for data the
 * switch's input then waits).  control: it may pass packet-in answers and has room of its own. */
uint8_t *say_begin(struct sdn *s, struct sdn_switch *sw, size_t n, bool control);
/* The message at the place that say_begin gave has n bytes; 0: there is none after all. */
void say_end(struct sdn *s, struct sdn_switch *sw, size_t n, bool control);
/* The same for several messages of n bytes together, n not 0. */
void say_end_many(struct sdn *s, struct sdn_switch *sw, size_t n, uint32_t messages, bool control);
void chunks_drop(struct sdn *s, struct sdn_switch *sw); /* the connection is gone */
uint32_t chunks_used(const struct sdn *s);
void chunks_check(const struct sdn *s, const struct sdn_switch *sw);

/* Two circles of numbers, so that answers to packet-ins, millions a second, do not wear out those
 * that somebody may ask about. */
static inline uint32_t xid_next(struct sdn_switch *sw)
{
    return sw->next_xid++ & 0x7fffffffu;
}
static inline uint32_t fast_xid_next(struct sdn_switch *sw)
{
    return sw->fast_xid++ | 0x80000000u;
}

/* say.c: the usual messages; true if they went into the output. */
bool say_plain(struct sdn *s, struct sdn_switch *sw, enum ofp_kind k);
bool say_flow(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow *f, uint32_t *xid);
/* frame NULL: by buffer id alone. */
bool say_packet(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p,
                const uint32_t *ports, size_t n_ports);
bool say_frame(struct sdn *s, struct sdn_switch *sw, uint32_t port, const void *frame, size_t n);

/* To the list of sdn_next_ready. */
void ready_mark(struct sdn *s, struct sdn_switch *sw);

/* ---- alive.c --------------------------------------------------------------------------------- */

/* The connection ends: after its output (SDN_DO_CLOSE) or at once.  why: static text or formatted
 * by fmt into sw->why before. */
void session_close(struct sdn *s, struct sdn_switch *sw, const char *why);
void session_abort(struct sdn *s, struct sdn_switch *sw, const char *why);
/* Another connection claims its dpid: if it says nothing soon it is aborted. */
void session_probe(struct sdn *s, struct sdn_switch *sw);
void alive_advance(struct sdn *s);

/* ---- hello.c, session.c, role.c, count.c: a connection's life -------------------------------- */

void hello_begin(struct sdn *s, struct sdn_switch *sw);
/* HELLO or ERROR while a version is being found. */
void hello_message(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m);
/* What came is no HELLO of a version we have: HELLO_FAILED, and the end. */
void hello_refuse(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m);
void hello_features(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m);
void hello_multipart(struct sdn *s, struct sdn_switch *sw, const struct ofp_multipart *mp);
void hello_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg);
/* OpenFlow and POF: sw->features and dpid are set; ports are known.  They tell the rest. */
void session_known(struct sdn *s, struct sdn_switch *sw);
void session_up(struct sdn *s, struct sdn_switch *sw);
/* Something of ours is wrong with m: counted, answered by an ERROR (OpenFlow); too many of them end
 * the connection. */
void session_bad(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, uint16_t type,
                 uint16_t code);
/* A switch says how a port is now. */
void session_port(struct sdn *s, struct sdn_switch *sw, enum ofp_port_reason reason,
                  const struct ofp_port *desc);
void role_reply(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m);
void role_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg,
                  const struct ofp_error_msg *e);
void count_refused(struct sdn_switch *sw);

/* ---- fast.c: packet-ins ---------------------------------------------------------------------- */

/* Packet-ins, whole ones of usual shape: `first` (NULL, 0: none), which lies elsewhere, then those
 * at the beginning of p.  They are answered, or handed to forward_slow.  Returns their bytes,
 * first_n included; 0: there is none, or no room to answer (sw->blocked). */
size_t fast_input(struct sdn *s, struct sdn_switch *sw, const uint8_t *first, size_t first_n,
                  const uint8_t *p, size_t n);
/* One of any shape.  False: no room to answer, it must come again. */
bool fast_packet_in(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p);
void fast_carve(struct sdn *s);

/* ---- port.c ---------------------------------------------------------------------------------- */

struct sdn_port *port_find(const struct sdn_switch *sw, uint32_t no); /* or NULL */
static inline bool port_is_up(const struct sdn_port *p)
{
    return !p->desc.down && !p->desc.link_down && p->desc.no < OFPP_MAX;
}
/* The only writer of p->is. */
void port_set_is(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, enum sdn_port_is is);
/* What the switch has said of a port; a new one begins PORT_QUIET (PORT_EDGE in learn mode).  NULL:
 * the limit of ports is reached. */
struct sdn_port *port_put(struct sdn *s, struct sdn_switch *sw, const struct ofp_port *desc);
void port_remove(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p);
void port_remove_all(struct sdn *s, struct sdn_switch *sw);
/* The short way may leave at, or come from, this port. */
static inline bool port_is_short(const struct sdn_switch *sw, uint32_t no)
{
    return no < SHORT_PORTS && (sw->short_ports[no / 64] >> no % 64 & 1) != 0;
}

/* ---- xid.c: requests whose answer somebody waits for ----------------------------------------- */

enum xid_for {
    XID_FREE,
    XID_STORE,
    XID_ASK,
    XID_STATS,
    XID_ROLE,
    XID_HANDSHAKE,
    XID_POF,
    XID_SWEEP, /* reroute.c: flows of an earlier run */
};
/* Remember that xid belongs to `who`; a bounded ring a switch, the oldest gives way. */
void xid_note(struct sdn *s, struct sdn_switch *sw, uint32_t xid, enum xid_for who, uint64_t arg);
/* Whose it was, and forgets it; XID_FREE: nobody's. */
enum xid_for xid_take(struct sdn_switch *sw, uint32_t xid, uint64_t *arg);
/* The same, and keeps it: a reply in parts. */
enum xid_for xid_look(const struct sdn_switch *sw, uint32_t xid, uint64_t *arg);

/* ---- role.c ---------------------------------------------------------------------------------- */

/* Ask the switch for a role; ticket: whose question it is (ask_role, ask_error), or 0.  False: the
 * dialect has no roles, or no room. */
bool role_want(struct sdn *s, struct sdn_switch *sw, enum ofp_role role, uint64_t ticket);

/* ---- what a session tells the rest --------------------------------------------------------------
 *
 * Called by session.c and hello.c in this order of a connection's life. */

/* FEATURES_REPLY is in; packet-ins count from here (OpenFlow and POF: by session_known).  Asks the
 * seat for the datapath's index. */
void net_switch_known(struct sdn *s, struct sdn_switch *sw, instant now);
/* Ports are known and the miss entry (1.3) is on its way; discovery begins.  session_up calls
 * store_switch_up next. */
void net_switch_up(struct sdn *s, struct sdn_switch *sw, instant now);
void net_switch_gone(struct sdn *s, struct sdn_switch *sw, instant now);
/* After port.c has changed it (reason DELETE: just before). */
void net_port_changed(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p,
                      enum ofp_port_reason reason, instant now);
/* A packet-in that the short way did not answer.  The short way answers where both addresses are in
 * s->macs (key: sw->mac_id), the source at the port it came from, the destination at another, and
 * both ports are PORT_EDGE and up.  In network mode only the tracker of hosts writes that table: a
 * host at an edge port of a switch of this core is learnt there, and forgotten when it is
 * elsewhere. (What was learnt of a switch is forgotten with its connection.)  ARP comes here
 * always. */
void forward_slow(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p, instant now);
void net_flow_removed(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow_removed *f);
/* A part of the flows of a 1.0 switch, asked for by XID_SWEEP. */
void net_multipart(struct sdn *s, struct sdn_switch *sw, uint64_t run,
                   const struct ofp_multipart *mp);
void net_advance(struct sdn *s, instant now);
instant net_deadline(const struct sdn *s);

/* store.c: kept by the seat, a copy on every core */
void store_switch_up(struct sdn *s, struct sdn_switch *sw, instant now);
void store_switch_gone(struct sdn *s, struct sdn_switch *sw);
void store_confirmed(struct sdn *s, struct sdn_switch *sw, uint64_t arg, instant now); /* barrier */
void store_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg,
                   const struct ofp_error_msg *e, instant now);
void store_letter(struct sdn *s, unsigned from, const uint8_t *p, size_t n, instant now);
void store_advance(struct sdn *s, instant now);
instant store_deadline(const struct sdn *s);

/* ask_*.c, count.c */
void ask_multipart(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_msg *m,
                   const struct ofp_multipart *mp, instant now);
void ask_error(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_error_msg *e);
/* The switch's answer to a role_want with this ticket; sw->master is set before. */
void ask_role(struct sdn *s, struct sdn_switch *sw, uint64_t ticket, enum ofp_role role);
/* A BARRIER_REPLY to a request noted with XID_ASK. */
void ask_barrier(struct sdn *s, struct sdn_switch *sw, uint64_t arg);
void ask_switch_gone(struct sdn *s, struct sdn_switch *sw);
void ask_advance(struct sdn *s, instant now);
instant ask_deadline(const struct sdn *s);
void count_multipart(struct sdn *s, struct sdn_switch *sw, const struct ofp_multipart *mp,
                     instant now);
void count_advance(struct sdn *s, instant now); /* polls port counters */
instant count_deadline(const struct sdn *s);

/* pof_*.c */
void pof_opened(struct sdn *s, struct sdn_switch *sw, instant now);
/* Any message of a POF connection but ECHO_REQUEST, which session.c answers. */
void pof_message(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, instant now);
void pof_switch_gone(struct sdn *s, struct sdn_switch *sw);
/* The topology has changed: its entries for tree and paths may be wrong. */
void pof_topology_changed(struct sdn *s, struct sdn_switch *sw, instant now);
void pof_advance(struct sdn *s, instant now);
instant pof_deadline(const struct sdn *s);
/* A host has come, moved or gone. */
void pof_host_changed(struct sdn *s, const struct mac_addr *mac);
void pof_letter(struct sdn *s, const uint8_t *p, size_t n);
/* A question or command of kinds SDN_*_POF*; answers it (ask_answered) now or later. */
void pof_ask(struct sdn *s, struct sdn_ask *q, instant now);

/* Any file that answers a question: status and text are set; it goes back to the asker. */
void ask_answered(struct sdn *s, struct sdn_ask *q, unsigned status);
/* The same with {"error": text}. */
void ask_refused(struct sdn *s, struct sdn_ask *q, unsigned status, const char *text);

/* ---- letter.c: to other cores ---------------------------------------------------------------- */

enum letter_kind {
    LETTER_NET_REPORT = 1, /* to the seat: struct net_report */
    LETTER_NET_CHANGE,     /* from the seat: struct net_change */
    LETTER_STORE,
    LETTER_POF,
    LETTER_KINDS
};
/* Queue a letter: kind, then n bytes.  False: no room now (counted); state that must not be lost is
 * kept by whoever wanted to say it, and said from its advance. */
bool letter_write(struct sdn *s, unsigned to, enum letter_kind k, const void *p, size_t n);

/* ---- event.c --------------------------------------------------------------------------------- */

enum event_kind {
    EVENT_SWITCH_UP,
    EVENT_SWITCH_DOWN,
    EVENT_PORT,
    EVENT_LINK_UP,
    EVENT_LINK_DOWN,
    EVENT_HOST,
    EVENT_HOST_MOVED,
    EVENT_ERROR,
    EVENT_REFUSED,
    EVENT_COMMAND,
};
/* A line for people; text is copied. */
void event_note(struct sdn *s, enum event_kind k, uint64_t dpid, uint32_t port, const char *text);
/* The same about what a switch says as often as it likes: a few a second. */
void event_note_some(struct sdn *s, struct sdn_switch *sw, enum event_kind k, uint32_t port,
                     const char *text);
struct event {
    uint64_t no; /* from 1, one by one */
    instant when;
    enum event_kind kind;
    uint32_t port; /* 0: none */
    uint64_t dpid;
    char text[128];
};
/* The first one with a number above `no` that is still kept, or NULL. */
const struct event *event_after(const struct sdn *s, uint64_t no);
const char *event_kind_name(enum event_kind k); /* "switch_up" */

/* ---- carving: each measures when s->mem does ------------------------------------------------- */

void chunks_carve(struct sdn *s);
void letters_carve(struct sdn *s);
void net_carve(struct sdn *s);
void seat_carve(struct sdn *s);
void discover_carve(struct sdn *s);
void store_carve(struct sdn *s);
void events_carve(struct sdn *s);
void asks_carve(struct sdn *s);
void pof_carve(struct sdn *s);
