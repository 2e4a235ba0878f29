/* millrace-ofload: load for OpenFlow controllers, and whether their answers are right.
 *
 * THEORY OF OPERATION
 *
 * It is N switches that speak OpenFlow 1.0 exactly as those of cbench do: HELLO, FEATURES_REPLY
 * with four ports, at once one ARP from a host behind port 2, and then packet-ins from M hosts
 * behind port 1, all of them to that one host.  A controller that learns answers each with one
 * FLOW_MOD that names the packet's buffer and sends it out of port 2.
 *
 *     connect all --> warm-up loops --> loops (counted) --> drain (answers only) --> report
 *
 * Every packet-in carries a buffer id of its own.  A switch keeps what it has sent by buffer id, so
 * it counts one answer a packet-in, finds answers that come twice or belong to nothing, and holds
 * each to the frame it is for: its match, and where the frame goes.  What cbench would have counted
 * stands beside.  The layouts are written here once more and not taken from the controller's codec:
 * what checks itself proves nothing.
 *
 * How many packet-ins are on their way at a switch is its window: 1 is cbench's latency mode, as
 * many as the send buffer takes its throughput mode.  With a rate, packet-in k is due at start + k
 * / rate whatever the controller does, and its latency counts from then.
 *
 * With several cores each has its share of the switches and does all this by itself; they begin
 * together, and the report is of all. */
#pragma once

#include <stdatomic.h>

#include "base/bits.h"
#include "stat/hist.h"

#include <millrace/millrace.h>

/* ---- OpenFlow 1.0: what is read and written here (specification 1.0.0, section 5) ----- */

enum {
    OFT_HELLO = 0,
    OFT_ERROR = 1,
    OFT_ECHO_REQUEST = 2,
    OFT_ECHO_REPLY = 3,
    OFT_VENDOR = 4,
    OFT_FEATURES_REQUEST = 5,
    OFT_FEATURES_REPLY = 6,
    OFT_GET_CONFIG_REQUEST = 7,
    OFT_GET_CONFIG_REPLY = 8,
    OFT_SET_CONFIG = 9,
    OFT_PACKET_IN = 10,
    OFT_PACKET_OUT = 13,
    OFT_FLOW_MOD = 14,
    OFT_STATS_REQUEST = 16,
    OFT_STATS_REPLY = 17,
    OFT_BARRIER_REQUEST = 18,
    OFT_BARRIER_REPLY = 19,
};
#define OFL_VERSION 1u
#define OFL_HEADER 8u
#define OFL_NO_BUFFER 0xffffffffu
enum { OFP_FLOOD = 0xfffb, OFP_ALL = 0xfffc };
enum { OFC_ADD = 0, OFC_MODIFY_STRICT = 2 };
#define OFL_FLOW_MOD_MIN 72u
#define OFL_PACKET_OUT_MIN 16u

/* ---- ofload_probe.c: what a switch sends, and remembers of it -------------------------- */

#define OFL_PROBE_BYTES 82u
#define OFL_ARP_BYTES 78u
#define OFL_HOSTS_MAX (1u << 22)
#define OFL_BUFFERS 99999u /* cbench's */
#define OFL_HOST_PORT 1u   /* behind which the hosts are that send */
#define OFL_TOLD_PORT 2u   /* behind which the one is that they send to */

struct ofl_probes {
    uint64_t *sent;         /* owned: by buffer id (ofload_probe.c); NULL: blind */
    uint32_t buffers, next; /* ids are 1 to buffers */
    uint32_t hosts, host;
    uint32_t in_flight;
    uint64_t lost; /* their buffer id came round again before they were answered */
    uint8_t mac_low, mac_high;
    uint8_t frame[OFL_PROBE_BYTES]; /* a packet-in; buffer id and source are filled in */
};

/* wide: MACs carry 16 bits of the datapath id and not 8.  buffers 0: blind.  False: no memory. */
bool ofl_probes_init(struct ofl_probes *p, uint64_t dpid, uint32_t hosts, uint32_t buffers,
                     bool wide);
void ofl_probes_fini(struct ofl_probes *p);
/* Into OFL_ARP_BYTES: the packet-in that tells where the hosts' one destination is. */
void ofl_arp(const struct ofl_probes *p, uint8_t *out);
/* Make room hold packet-ins wherever ofl_probe_next will be called with a part of it. */
void ofl_probes_format(const struct ofl_probes *p, uint8_t *room, size_t n);
/* The next one, into a formatted place; sent (or due) now. */
void ofl_probe_next(struct ofl_probes *p, uint8_t *at, uint64_t now_ns);

/* ---- ofload_check.c: answers judged ---------------------------------------------------- */

enum ofl_verdict {
    OFL_RIGHT,
    OFL_FLOODED,       /* right, but out of every port: the controller has not learnt */
    OFL_NO_ANSWER,     /* names no buffer, or deletes: nothing to do with a packet-in */
    OFL_BAD_UNKNOWN,   /* a buffer that was never sent */
    OFL_BAD_DUPLICATE, /* answered before */
    OFL_BAD_MATCH,     /* its flow does not hold the packet, or any destination */
    OFL_BAD_PORT,      /* sent to where the destination is not */
    OFL_BAD_FORM,      /* no message of this protocol */
};

struct ofl_judge {
    uint8_t last[80];  /* the last right answer: the next differs in a few bytes */
    bool any, has_src; /* there is one; its match names the source */
};

/* n bytes of a FLOW_MOD or PACKET_OUT, whole.  *sent_ns is set with every verdict up to a wrong
 * match or port that concerns a packet-in, which then is no longer in flight. */
enum ofl_verdict ofl_judge(struct ofl_judge *j, struct ofl_probes *p, const uint8_t *msg, size_t n,
                           uint64_t *sent_ns);
/* How many whole answers at msg are right in the way of the last right one, each for a packet-in
 * that was sent at the same instant, *sent_ns.  The same verdict as ofl_judge's, sooner. */
uint32_t ofl_judge_run(const struct ofl_judge *j, struct ofl_probes *p, const uint8_t *msg,
                       size_t n, uint64_t *sent_ns);
/* Would cbench count it? */
bool ofl_cbench_counts(const uint8_t *msg, size_t n);

/* ---- a switch -------------------------------------------------------------------------- */

#define OFL_CHUNK_PROBES 199u
#define OFL_CHUNK_BYTES ((size_t)OFL_CHUNK_PROBES * OFL_PROBE_BYTES)
#define OFL_CHUNKS 8u
#define OFL_OUT_BYTES 16384u
#define OFL_MESSAGE_MAX 65536u
#define OFL_SEND_BUFFER 65536

enum ofl_error {
    OFL_CONNECT,  /* never made, or never through its handshake */
    OFL_RESET,    /* ended by the controller */
    OFL_PROTOCOL, /* bytes that are no OpenFlow 1.0 */
    OFL_UNKNOWN,  /* as the verdicts */
    OFL_DUPLICATE,
    OFL_MATCH,
    OFL_PORT,
    OFL_UNANSWERED,
    OFL_ERRORS,
};
extern const char *const ofl_error_names[OFL_ERRORS];

enum ofl_state { OFL_CLOSED, OFL_CONNECTING, OFL_SHAKING, OFL_READY, OFL_GIVEN_UP };

struct ofload;

struct ofl_switch {
    struct ofload *l; /* borrowed */
    mr_sock sock;
    enum ofl_state state;
    bool late, given; /* given: chunk `pending` was refused and waits */
    uint64_t dpid, began_ns;
    struct ofl_probes probes;
    struct ofl_judge judge;
    uint64_t answers; /* in loops that count */
    uint64_t owed;    /* with a rate: due and not sent */
    uint64_t nth;     /* with a rate: of this switch, the next packet-in's number */
    uint16_t miss_send_len;
    /* in: a message that came in pieces */
    uint8_t *cut; /* owned */
    size_t cut_n;
    /* out: small things, copied; then chunks, lent to the stack until they are acknowledged */
    uint8_t *out; /* owned: OFL_OUT_BYTES */
    uint32_t out_at, out_n;
    uint8_t *chunks; /* owned: OFL_CHUNKS of them, formatted */
    uint32_t free;   /* bit i: chunk i is ours */
    uint32_t pending, pending_n;
};

/* ---- ofload_switch.c: a switch's end of OpenFlow ---------------------------------------- */

/* The connection is there: HELLO. */
void ofl_hello(struct ofl_switch *s);
/* Received bytes.  False: they are no OpenFlow 1.0. */
bool ofl_input(struct ofl_switch *s, const uint8_t *p, size_t n);
/* Room for n bytes behind what is to be sent, or NULL. */
uint8_t *ofl_out(struct ofl_switch *s, size_t n);

/* ---- a core's load ----------------------------------------------------------------------- */

enum ofl_phase { OFL_CONNECTS, OFL_RUNS, OFL_DRAINS, OFL_OVER };

struct ofl_options {
    struct mr_addr to;
    bool latency, throughput, cbench, wide_macs, no_check, json, quiet;
    uint32_t switches, hosts, loops, loop_ms, seconds, warmup, in_flight, late, buffers;
    uint64_t rate, dpid_first;
    unsigned cores;                  /* that take part: each has a switch at least */
    uint64_t (*clock)(struct mr *m); /* nanoseconds; NULL: the machine's */
    struct ofload *list;             /* owned: all of them */
    struct ofl_total *total;
};

/* What the cores tell each other. */
struct ofl_total {
    _Atomic uint32_t running; /* the last one stops the program */
    _Atomic uint32_t ready;   /* switches through their handshake, or given up */
    _Atomic uint64_t start_ns, answers;
};

struct ofload {
    struct mr *m;
    const struct ofl_options *opt; /* borrowed */
    struct ofload *next;           /* the program's list */
    enum ofl_phase phase;
    struct ofl_switch *sw;   /* owned: n of them */
    uint32_t core, n, first; /* first: number of sw[0] among all switches */
    uint32_t window;
    uint64_t rate; /* our share */
    uint64_t now_ns, start_ns, edge_ns, loop_ns, pause_ns;
    uint64_t connect_ns; /* when connecting began */
    uint32_t loop;       /* warm-up loops included */
    uint32_t half_open, opened;
    bool discards; /* between two loops of cbench: whatever comes is thrown away */
    bool pacing;   /* the pace timer runs, or there was a knock */
    uint64_t due;  /* with a rate: number of the core's next packet-in */

    uint64_t answers, cbench;         /* of this loop */
    uint64_t *per_loop, *cbench_loop; /* owned: of those before */
    uint64_t told;                    /* answers of the total, when last printed */
    uint64_t run_ns, run_n;           /* answers of one latency, not yet in the histogram */

    uint64_t right_flow_mods, right_packet_outs, floods, others, discarded, peer_errors;
    uint64_t sent, rx_bytes, errors[OFL_ERRORS];
    uint64_t handshake_ns, late_handshake_ns; /* the longest */
    uint32_t handshakes, late_handshakes;
    uint64_t least, most,
        on_time; /* of a switch's answers, and of all but the late; by ofl_finish */
    int last_err;
    char first_wrong[160];
    struct hist latency; /* nanoseconds */
};

/* ---- ofload_send.c: packet-ins go out as the window or the rate allows ------------------- */

void ofl_pump(struct ofl_switch *s);
/* With a rate: what is due goes out, and the next is waited for. */
void ofl_pace(struct ofload *l);
extern const char ofl_timer_pace; /* user pointer of its timer */

/* ---- ofload_count.c: answers come in ------------------------------------------------------ */

/* Answers as they mostly are, at the beginning of p[0..n); how many bytes they take. */
size_t ofl_answers(struct ofl_switch *s, const uint8_t *p, size_t n);
/* A FLOW_MOD or PACKET_OUT. */
void ofl_answer(struct ofl_switch *s, const uint8_t *msg, size_t n);
/* The latencies seen so far are in the histogram. */
void ofl_settle(struct ofload *l);

/* ---- ofload_run.c: connections, loops, the end --------------------------------------------- */

/* m, opt and core are the caller's. */
bool ofl_make(struct ofload *l);
void ofl_free(struct ofload *l);
void ofl_start(struct ofload *l);
void ofl_event(struct mr *m, void *core, const struct mr_event *ev);
/* What is under way ends here. */
void ofl_finish(struct ofload *l);
/* A switch has had its FEATURES_REPLY. */
void ofl_ready(struct ofl_switch *s);

/* ---- ofload_report.c ---------------------------------------------------------------------- */

/* A loop is over. */
void ofl_progress(struct ofload *l);
/* What another core did, too. */
void ofl_merge(struct ofload *to, const struct ofload *from);
void ofl_report(const struct ofload *all);
uint64_t ofl_error_sum(const struct ofload *l);
