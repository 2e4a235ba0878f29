/* script: what a scenario says, after parsing.
 *
 * THEORY OF OPERATION
 *
 * A scenario is a list of events in packetdrill's script language.  Each has a time and is one of:
 * a packet that the network hands to the stack (<), a packet that the stack must send (>), a
 * system call with its expected result, or an assertion on the connection's state (%{ assert ...
 * }%).
 *
 *     0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 *     +0  bind(3, ..., ...) = 0
 *     +0  listen(3, 1) = 0
 *     +0  < S 0:0(0) win 1000 <mss 1460>
 *     +0  > S. 0:0(0) ack 1 <...>
 *
 * In front of the first event stand --name=value options and knobs in backticks (knobs.h).
 *
 * What differs from the original program: nothing ever runs in real time; a packet that no line
 * expects is always an error; brackets in front of a packet carry more (struct pkt_spec); options
 * may be raw bytes; Python is replaced by a small expression language. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_OPTS_MAX 40
#define SPEC_RAW_MAX 40
#define CALL_ARGS_MAX 8
#define TEXT_MAX 256

/* ---- time ------------------------------------------------------------------------- */

enum time_kind {
    TIME_ABSOLUTE, /* since the script's start */
    TIME_RELATIVE, /* since the event before */
    TIME_ANY,      /* '*': whenever it comes */
};

struct when {
    enum time_kind kind;
    int64_t us;
    int64_t end_us; /* of a range "a~b", else us */
    bool is_range;
    bool blocks;       /* "a...b": a call that starts at a and returns at b */
    int64_t return_us; /* counted from the same point as us */
};

/* ---- packets ---------------------------------------------------------------------- */

enum spec_proto { SPEC_TCP = 6, SPEC_UDP = 17, SPEC_ICMP = 1 };

enum opt_kind {
    OPT_EOL = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACK_OK = 4,
    OPT_SACK = 5,
    OPT_TS = 8,
    OPT_RAW = 256, /* bytes as they are */
};

struct opt_spec {
    int kind;
    uint32_t value, ecr;          /* MSS, WSCALE; TS */
    bool any_value, any_ecr;      /* TS val * ecr * */
    int nblocks;                  /* SACK */
    uint32_t start[4], end[4];
    int nraw;
    uint8_t raw[SPEC_RAW_MAX];
};

/* A packet as a script writes it.  A packet that was captured is turned into the same form, in the
 * script's sequence numbers, so that two of them can be compared and printed. */
struct pkt_spec {
    enum spec_proto proto;

    /* [tos 0x10, ttl 64, id 7, df, mf, frag 0:24, src 1.2.3.4, dst .., sport N, dport N, cut N,
     *  via 1.2.3.4, ipopt 7 4 ..., badip, broadcast] */
    bool has_tos, has_ttl, has_id, has_df, has_mf, has_frag, has_src, has_dst;
    bool has_sport, has_dport, has_via;
    uint8_t tos, ttl;
    uint16_t id;
    bool df, mf;
    uint32_t frag_off, frag_len; /* bytes of the transport segment that this fragment carries */
    uint32_t src, dst;           /* host order; dst is the last one of a source route */
    uint32_t via;                /* of a packet of ours: the address in its IP header */
    uint16_t sport, dport;
    bool has_cut;
    uint32_t cut;                /* hand over only this many bytes of the IP packet */
    uint32_t ip_len;             /* total length to write; 0: the true one */
    uint8_t ip_hlen;             /* header length in words to write; 0: the true one */
    int nipopt;
    uint8_t ipopt[SPEC_RAW_MAX];
    bool bad_ip_csum, bad_csum;
    bool zero_csum;              /* UDP without a checksum */
    bool broadcast;              /* in a link-layer broadcast frame */

    /* TCP */
    uint16_t flags; /* TH_* bits */
    uint32_t seq, len, ack;
    bool has_win;
    uint16_t win;
    bool has_urg;
    uint16_t urg;
    uint8_t doff; /* header length in words to write; 0: the true one */
    bool any_opts;
    int nopts;
    struct opt_spec opts[SPEC_OPTS_MAX];

    /* UDP: len.  udp_len: length field to write; 0: the true one */
    uint16_t udp_len;

    /* ICMP */
    uint8_t icmp_type, icmp_code, icmp_pointer;
    uint16_t icmp_id, icmp_seq;
    bool has_mtu;
    uint16_t mtu;
    bool has_quote;
    enum spec_proto quote_proto;
    uint32_t quote_seq, quote_len;
    uint16_t quote_sport; /* 0: the flow's */
};

/* ---- calls ------------------------------------------------------------------------ */

enum arg_kind {
    ARG_ANY,    /* ... */
    ARG_NUMBER, /* a number, or named constants joined by | */
    ARG_LIST,   /* [n], {a=n, b=n} or [{...}]: values in order */
    ARG_ADDR,   /* {sa_family = AF_INET, sin_port = htons(N), sin_addr = inet_addr("a.b.c.d")} */
    ARG_TEXT,   /* "..." */
};

struct call_arg {
    enum arg_kind kind;
    int64_t number;
    int nlist;
    int64_t list[6];
    uint32_t ip; /* host order */
    uint16_t port;
    char text[32];
};

struct call_spec {
    char name[24];
    int nargs;
    struct call_arg args[CALL_ARGS_MAX];
    bool any_result;
    int64_t result;
    int result_errno; /* positive; 0: none given */
};

/* ---- events ----------------------------------------------------------------------- */

enum event_kind { EVENT_PACKET_IN, EVENT_PACKET_OUT, EVENT_CALL, EVENT_ASSERT };

struct event {
    int line;
    struct when when;
    enum event_kind kind;
    union {
        struct pkt_spec pkt;
        struct call_spec call;
        char assertion[TEXT_MAX];
    };
    char text[TEXT_MAX]; /* the line, for messages */
};

struct setting {
    int line;
    char name[64], value[128];
};

struct script {
    const char *path;
    struct event *events; /* owned; script_free */
    int nevents;
    struct setting *options, *knobs; /* owned */
    int noptions, nknobs;
    char error[512]; /* why parsing failed, with the line */
};

/* Parse text (with its final 0).  On failure, false and s->error. */
bool script_parse(struct script *s, const char *path, const char *text);
void script_free(struct script *s);
