/* ofp: OpenFlow 1.0, OpenFlow 1.3 and POF as pure functions; stateless.
 *
 * THEORY OF OPERATION
 *
 * A switch speaks one dialect.  The four differ in numbers, offsets and in what they can say, not
 * in what a controller wants to say, so everything above this room works with one set of neutral
 * structures: a flow, a match, an action, a port, a packet-in.  Numbers in them are OpenFlow 1.3's
 * (ports are 32 bits, reserved ones 0xffffff00 and up); the codecs translate.
 *
 *     bytes -> ofp_frame     where a message ends; its kind; its length, by the table of layouts
 *           -> ofp_parse_X   fields, in host order, pointers into the message
 *     ofp_emit_X -> bytes    the whole message; 0: the dialect cannot say it, or no room
 *
 * The table of message layouts (ofp_layout) IS the length checker: for each dialect and type the
 * size of the fixed part, what repeats behind it and in what steps, and who may send it.  Behind
 * ofp_frame nobody proves a fixed part again; what repeats (TLVs, actions, ports, statistics) is
 * walked by iterators that prove each step.
 *
 * parse(emit(x)) == x for all that a dialect can say.  Emitters write every byte of what they
 * return the length of.  Pads are written as 0 and not judged.
 *
 * Sources: OpenFlow Switch Specification 1.0.0 and 1.3.5; POF as measured
 * (shared/reference/pof.md).
 * Thread: any; nothing is kept. */
#pragma once

#include "base/addr.h"
#include "base/fmt.h"
#include "base/types.h"

enum ofp_dialect { OFP_NONE, OFP_10, OFP_13, POF_HUAWEI, POF_USTC, OFP_DIALECTS };
const char *ofp_dialect_name(enum ofp_dialect d); /* "OpenFlow 1.3", "POF (Huawei)" */

static inline bool ofp_is_pof(enum ofp_dialect d)
{
    return d == POF_HUAWEI || d == POF_USTC;
}

#define OFP_HLEN 8u
#define OFP_MSG_MAX 65535u
enum { OFP_VERSION_10 = 1, OFP_VERSION_13 = 4 };

/* ---- framing -------------------------------------------------------------------------- */

/* Kinds of message, whatever number a dialect gives them. */
enum ofp_kind {
    OFP_HELLO,
    OFP_ERROR,
    OFP_ECHO_REQUEST,
    OFP_ECHO_REPLY,
    OFP_EXPERIMENTER,
    OFP_FEATURES_REQUEST,
    OFP_FEATURES_REPLY,
    OFP_GET_CONFIG_REQUEST,
    OFP_GET_CONFIG_REPLY,
    OFP_SET_CONFIG,
    OFP_PACKET_IN,
    OFP_FLOW_REMOVED,
    OFP_PORT_STATUS,
    OFP_PACKET_OUT,
    OFP_FLOW_MOD,
    OFP_GROUP_MOD,
    OFP_PORT_MOD,
    OFP_TABLE_MOD,
    OFP_MULTIPART_REQUEST, /* 1.0: statistics */
    OFP_MULTIPART_REPLY,
    OFP_BARRIER_REQUEST,
    OFP_BARRIER_REPLY,
    OFP_QUEUE_GET_CONFIG_REQUEST,
    OFP_QUEUE_GET_CONFIG_REPLY,
    OFP_ROLE_REQUEST, /* 1.0: Nicira's, a VENDOR message; ofp_frame tells it from others */
    OFP_ROLE_REPLY,
    OFP_GET_ASYNC_REQUEST,
    OFP_GET_ASYNC_REPLY,
    OFP_SET_ASYNC,
    OFP_METER_MOD,
    POF_RESOURCE_REPORT,
    POF_COUNTER_MOD,
    POF_COUNTER_REQUEST,
    POF_COUNTER_REPLY,
    POF_QUERYALL_REQUEST,
    POF_QUERYALL_FIN,
    OFP_KINDS
};
const char *ofp_kind_name(enum ofp_kind k); /* "PACKET_IN" */

enum ofp_err {
    OFP_OK,
    OFP_MORE,        /* the message is not whole yet: *need says how many bytes it has */
    OFP_BAD_VERSION, /* not the dialect's version */
    OFP_BAD_TYPE,    /* the dialect has no such type, or only the controller may send it */
    OFP_BAD_LEN,     /* shorter than its fixed part, or what repeats does not divide */
    OFP_BAD_FIELD,   /* a field has a value that cannot be */
    OFP_BAD_MATCH,   /* a match that overruns, repeats a field, or has an impossible length */
    OFP_BAD_ACTION,
    OFP_BAD_INSTRUCTION,
    OFP_TOO_MANY, /* well formed, and more of something than we hold */
};
const char *ofp_err_name(enum ofp_err e);

struct ofp_msg {
    enum ofp_kind kind;
    uint8_t version, type;
    uint16_t len; /* header included */
    uint32_t xid;
    const uint8_t *p; /* the whole message, from its version byte; borrowed */
};

/* What a direction is allowed to say. */
enum ofp_from { OFP_FROM_SWITCH, OFP_FROM_CONTROLLER };

/* The first message of the n bytes at b, its length proven by the layout of its type.  OFP_MORE:
 * *need bytes are wanted in all (at least OFP_HLEN).  Other errors: out->len is the length the
 * header claims if that is >= OFP_HLEN, so that a caller may answer and pass over it; out->xid and
 * type are set when 8 bytes were there. */
enum ofp_err ofp_frame(enum ofp_dialect d, enum ofp_from from, const uint8_t *b, size_t n,
                       struct ofp_msg *out, uint32_t *need);

/* The same before a dialect is known: HELLO and ERROR of any version, nothing else. */
enum ofp_err ofp_frame_hello(const uint8_t *b, size_t n, struct ofp_msg *out, uint32_t *need);

/* One line for people, in ovs-ofctl's manner.  Any message, also one that does not parse. */
void ofp_print(struct fmt *f, enum ofp_dialect d, const uint8_t *b, size_t n);

/* ---- ports ---------------------------------------------------------------------------- */

#define OFPP_MAX 0xffffff00u
#define OFPP_IN_PORT 0xfffffff8u
#define OFPP_TABLE 0xfffffff9u
#define OFPP_NORMAL 0xfffffffau
#define OFPP_FLOOD 0xfffffffbu
#define OFPP_ALL 0xfffffffcu
#define OFPP_CONTROLLER 0xfffffffdu
#define OFPP_LOCAL 0xfffffffeu
#define OFPP_ANY 0xffffffffu /* 1.0: OFPP_NONE */
/* "7", "FLOOD" */
void ofp_print_port_no(struct fmt *f, uint32_t no);
#define OFP_NO_BUFFER 0xffffffffu
#define OFP_PORT_NAME 64u /* bytes with the closing 0 */

struct ofp_port {
    uint32_t no;
    struct mac_addr mac;
    bool down; /* administratively */
    bool link_down;
    bool blocked; /* 1.0's and 1.3's STP or BLOCKED */
    bool pof_enabled;
    uint32_t config, state;                     /* as the dialect has them */
    uint32_t curr, advertised, supported, peer; /* as the dialect has them */
    uint32_t curr_kbps, max_kbps;               /* 0: not said */
    uint32_t pof_dev;                           /* POF: device id and slot */
    uint16_t pof_slot;
    char name[OFP_PORT_NAME]; /* ends in 0; bytes that are no printable ASCII became '?' */
};

/* ---- matches ---------------------------------------------------------------------------- */

/* Fields in OXM's order and numbers (1.3.5, 7.2.3.7); names as in ovs-ofctl and Ryu are in
 * ofp_field_info. */
enum ofp_field {
    OFPF_IN_PORT,
    OFPF_IN_PHY_PORT,
    OFPF_METADATA,
    OFPF_ETH_DST,
    OFPF_ETH_SRC,
    OFPF_ETH_TYPE,
    OFPF_VLAN_VID, /* bit 12 set: a tag is there; value 0 unmasked: no tag */
    OFPF_VLAN_PCP,
    OFPF_IP_DSCP,
    OFPF_IP_ECN,
    OFPF_IP_PROTO,
    OFPF_IPV4_SRC,
    OFPF_IPV4_DST,
    OFPF_TCP_SRC,
    OFPF_TCP_DST,
    OFPF_UDP_SRC,
    OFPF_UDP_DST,
    OFPF_SCTP_SRC,
    OFPF_SCTP_DST,
    OFPF_ICMPV4_TYPE,
    OFPF_ICMPV4_CODE,
    OFPF_ARP_OP,
    OFPF_ARP_SPA,
    OFPF_ARP_TPA,
    OFPF_ARP_SHA,
    OFPF_ARP_THA,
    OFPF_IPV6_SRC,
    OFPF_IPV6_DST,
    OFPF_IPV6_FLABEL,
    OFPF_ICMPV6_TYPE,
    OFPF_ICMPV6_CODE,
    OFPF_IPV6_ND_TARGET,
    OFPF_IPV6_ND_SLL,
    OFPF_IPV6_ND_TLL,
    OFPF_MPLS_LABEL,
    OFPF_MPLS_TC,
    OFPF_MPLS_BOS,
    OFPF_PBB_ISID,
    OFPF_TUNNEL_ID,
    OFPF_IPV6_EXTHDR,
    OFPF_FIELDS
};
struct ofp_field_info {
    const char *name;  /* "eth_dst" */
    const char *alias; /* 1.0's: "dl_dst", or NULL */
    uint8_t bytes;     /* of the value on the wire */
    uint16_t bits;
    bool maskable;
};
const struct ofp_field_info *ofp_field_info(enum ofp_field f); /* static */
/* By name or alias; OFPF_FIELDS if nobody is called that. */
enum ofp_field ofp_field_find(const char *name, size_t n);

#define OFP_VALUE_MAX 16u
#define OFP_VLAN_PRESENT 0x1000u /* in a vlan_vid */
struct ofp_tlv {
    uint8_t field; /* enum ofp_field */
    bool masked;
    uint8_t value[OFP_VALUE_MAX],
        mask[OFP_VALUE_MAX]; /* big-endian, `bytes` of them from index 0 */
};
struct ofp_match {
    uint32_t n;      /* each field at most once */
    uint32_t others; /* fields of classes we do not know, proven in length and left out */
    struct ofp_tlv f[OFPF_FIELDS];
};
void ofp_tlv_set(struct ofp_tlv *t, enum ofp_field f, const void *value, const void *mask);
void ofp_tlv_set_u64(struct ofp_tlv *t, enum ofp_field f, uint64_t v); /* exact, at most 8 bytes */
void ofp_match_set(struct ofp_match *m, enum ofp_field f, const void *value, const void *mask);
void ofp_match_set_u64(struct ofp_match *m, enum ofp_field f, uint64_t v);         /* exact */
const struct ofp_tlv *ofp_match_find(const struct ofp_match *m, enum ofp_field f); /* or NULL */
uint64_t ofp_tlv_u64(const struct ofp_tlv *t);      /* fields of at most 8 bytes */
uint64_t ofp_tlv_mask_u64(const struct ofp_tlv *t); /* ones where there is no mask */
bool ofp_tlv_eq(const struct ofp_tlv *a, const struct ofp_tlv *b);
void ofp_tlv_print(struct fmt *f, const struct ofp_tlv *t); /* the value: "10.0.0.0/8" */
bool ofp_match_eq(const struct ofp_match *a, const struct ofp_match *b); /* order does not matter */
/* The fields it needs beside it are there (1.3.5 Table 11): NULL, or what is missing, in words. */
const char *ofp_match_check(const struct ofp_match *m);
void ofp_match_print(struct fmt *f, const struct ofp_match *m); /* "in_port=1,eth_dst=..." */

/* ---- actions and instructions --------------------------------------------------------------- */

enum ofp_action_type {
    OFPA_OUTPUT,    /* port, max_len */
    OFPA_GROUP,     /* id */
    OFPA_SET_QUEUE, /* id; 1.0: ENQUEUE, with port */
    OFPA_SET_FIELD, /* field; 1.0: SET_DL_SRC and so on */
    OFPA_PUSH_VLAN, /* ethertype */
    OFPA_POP_VLAN,
    OFPA_PUSH_MPLS,
    OFPA_POP_MPLS,
    OFPA_PUSH_PBB,
    OFPA_POP_PBB,
    OFPA_SET_MPLS_TTL, /* ttl */
    OFPA_DEC_MPLS_TTL,
    OFPA_SET_NW_TTL,
    OFPA_DEC_NW_TTL,
    OFPA_COPY_TTL_OUT,
    OFPA_COPY_TTL_IN,
    OFPA_EXPERIMENTER, /* id, raw: not interpreted */
    OFPA_TYPES
};
struct ofp_action {
    enum ofp_action_type type;
    uint32_t port;      /* output; enqueue */
    uint32_t id;        /* group, queue, experimenter */
    uint16_t max_len;   /* output to the controller */
    uint16_t ethertype; /* push, pop_mpls */
    uint16_t raw_len;
    uint8_t ttl;
    struct ofp_tlv field; /* set_field */
    const uint8_t *raw;   /* experimenter: what follows its id; borrowed from the message */
};
#define OFP_ACTIONS_MAX 32u
struct ofp_actions {
    uint32_t n;
    struct ofp_action a[OFP_ACTIONS_MAX];
};
bool ofp_actions_eq(const struct ofp_actions *a, const struct ofp_actions *b);
void ofp_actions_print(struct fmt *f, const struct ofp_actions *a);

/* What a flow does.  1.0 has `apply` only. */
struct ofp_instructions {
    struct ofp_actions apply, write;
    bool clear;
    bool has_goto, has_meter, has_metadata;
    uint8_t goto_table;
    uint32_t meter;
    uint64_t metadata, metadata_mask;
};
void ofp_instructions_init(struct ofp_instructions *i); /* nothing; actions beyond n stay */
void ofp_instructions_print(struct fmt *f, const struct ofp_instructions *i); /* "actions=..." */

/* ---- flows ------------------------------------------------------------------------------ */

enum ofp_command {
    OFPFC_ADD,
    OFPFC_MODIFY,
    OFPFC_MODIFY_STRICT,
    OFPFC_DELETE,
    OFPFC_DELETE_STRICT
};
enum {
    OFPFF_SEND_FLOW_REM = 1,
    OFPFF_CHECK_OVERLAP = 2,
    OFPFF_RESET_COUNTS = 4,
    OFPFF_NO_PKT_COUNTS = 8,
    OFPFF_NO_BYT_COUNTS = 16,
};
#define OFP_TABLE_ALL 0xffu

struct ofp_flow {
    enum ofp_command command;
    uint8_t table;
    uint16_t idle_timeout, hard_timeout; /* seconds; 0: none */
    uint16_t priority, flags;
    uint32_t buffer_id;
    uint32_t out_port, out_group; /* delete: only what goes there; OFPP_ANY */
    uint64_t cookie, cookie_mask; /* 1.0 has no mask */
    struct ofp_match match;
    struct ofp_instructions do_;
};
/* Everything 0 but buffer_id OFP_NO_BUFFER, out_port and out_group OFPP_ANY. */
void ofp_flow_init(struct ofp_flow *f);

/* An entry of a flow statistics reply. */
struct ofp_flow_stats {
    struct ofp_flow flow;
    uint32_t duration_s, duration_ns;
    uint64_t packets, bytes;
};

/* ---- messages from a switch ----------------------------------------------------------------- */

struct ofp_features {
    uint64_t dpid; /* POF: the device id */
    uint32_t buffers;
    uint8_t tables, auxiliary;
    uint32_t capabilities; /* as the dialect has them */
    uint32_t actions;      /* 1.0 */
    uint32_t ports;        /* 1.0: how many follow (ofp_features_port); POF: how many it has */
    char vendor[64], firmware[64], lookup[64]; /* POF; end in 0 */
};
enum ofp_err ofp_parse_features(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_features *out);
/* The i-th port of a 1.0 FEATURES_REPLY. */
enum ofp_err ofp_features_port(const struct ofp_msg *m, uint32_t i, struct ofp_port *out);

struct ofp_config {
    uint16_t flags, miss_send_len;
    uint32_t dev_id; /* USTC */
};
/* GET_CONFIG_REPLY and SET_CONFIG. */
enum ofp_err ofp_parse_config(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_config *out);

enum ofp_reason_in { OFPR_NO_MATCH, OFPR_ACTION, OFPR_TTL };
struct ofp_packet_in {
    uint32_t buffer_id, in_port; /* OFPP_ANY: the dialect does not say (Huawei) */
    uint16_t total_len;
    uint8_t reason, table;
    uint64_t cookie; /* 1.3, POF */
    uint32_t pof_dev;
    const uint8_t *frame; /* borrowed from the message */
    uint32_t frame_len;
};
enum ofp_err ofp_parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_packet_in *out);

struct ofp_flow_removed {
    struct ofp_match match;
    uint64_t cookie;
    uint16_t priority, idle_timeout, hard_timeout;
    uint8_t reason, table; /* 0 idle, 1 hard, 2 delete, 3 group delete */
    uint32_t duration_s, duration_ns;
    uint64_t packets, bytes;
};
enum ofp_err ofp_parse_flow_removed(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_flow_removed *out);

enum ofp_port_reason { OFPPR_ADD, OFPPR_DELETE, OFPPR_MODIFY };
enum ofp_err ofp_parse_port_status(enum ofp_dialect d, const struct ofp_msg *m,
                                   enum ofp_port_reason *reason, struct ofp_port *out);

struct ofp_error_msg {
    uint16_t type, code;
    const uint8_t *data; /* the beginning of what was wrong, or text; borrowed */
    uint32_t data_len;
    uint32_t pof_dev;
};
enum ofp_err ofp_parse_error(enum ofp_dialect d, const struct ofp_msg *m,
                             struct ofp_error_msg *out);
/* "BAD_REQUEST/BAD_TYPE"; "?" with numbers unknown to the dialect. */
const char *ofp_error_type_name(enum ofp_dialect d, uint16_t type);
void ofp_error_print(struct fmt *f, enum ofp_dialect d, uint16_t type, uint16_t code);

enum ofp_role { OFP_ROLE_NOCHANGE, OFP_ROLE_EQUAL, OFP_ROLE_MASTER, OFP_ROLE_SLAVE };
struct ofp_role_msg {
    enum ofp_role role;
    uint64_t generation; /* 1.3; for 1.0 Nicira's extension without one */
};
enum ofp_err ofp_parse_role(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_role_msg *out);

/* Which reasons are reported, as bits; [0] to a master or equal, [1] to a slave (1.3). */
struct ofp_async {
    uint32_t packet_in[2], port_status[2], flow_removed[2];
};
enum ofp_err ofp_parse_async(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_async *out);

/* HELLO: bit v set: version v is offered (its bitmap, 1.3.5 7.5.1; without one, every version up to
 * the header's).  has_bitmap says which. */
enum ofp_err ofp_parse_hello(const struct ofp_msg *m, uint32_t *versions, bool *has_bitmap);

/* ---- statistics (multipart) ------------------------------------------------------------ */

enum ofp_stats {
    OFPMP_DESC,
    OFPMP_FLOW,
    OFPMP_AGGREGATE,
    OFPMP_TABLE,
    OFPMP_PORT,
    OFPMP_QUEUE,
    OFPMP_GROUP,
    OFPMP_GROUP_DESC,
    OFPMP_GROUP_FEATURES,
    OFPMP_METER,
    OFPMP_METER_CONFIG,
    OFPMP_METER_FEATURES,
    OFPMP_TABLE_FEATURES,
    OFPMP_PORT_DESC,
    OFPMP_EXPERIMENTER,
    OFPMP_TYPES
};
struct ofp_multipart {
    enum ofp_stats type;
    bool more;
    const uint8_t *body; /* borrowed */
    uint32_t body_len;
};
enum ofp_err ofp_parse_multipart(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_multipart *out);

struct ofp_desc {
    char manufacturer[256], hardware[256], software[256], serial[32], datapath[256];
};
struct ofp_port_stats {
    uint32_t port;
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors,
        tx_errors, rx_frame_err, rx_over_err, rx_crc_err, collisions;
    uint32_t duration_s, duration_ns;
};
struct ofp_table_stats {
    uint8_t table;
    uint32_t active, max; /* max: 1.0 only */
    uint64_t lookups, matched;
    char name[33]; /* 1.0 only */
};
struct ofp_aggregate_stats {
    uint64_t packets, bytes;
    uint32_t flows;
};
struct ofp_queue_stats {
    uint32_t port, queue;
    uint64_t tx_bytes, tx_packets, tx_errors;
    uint32_t duration_s, duration_ns; /* 1.3 */
};

#define OFP_GROUP_ALL 0xfffffffcu
#define OFP_BUCKETS_MAX 32u
struct ofp_bucket {
    uint16_t weight;
    uint32_t watch_port, watch_group;
    struct ofp_actions actions;
};
enum ofp_group_type { OFPGT_ALL, OFPGT_SELECT, OFPGT_INDIRECT, OFPGT_FF };
enum ofp_mod_command { OFPMC_ADD, OFPMC_MODIFY, OFPMC_DELETE };
struct ofp_group {
    enum ofp_mod_command command;
    enum ofp_group_type type;
    uint32_t id; /* OFP_GROUP_ALL: for deletion */
    uint32_t buckets;
    struct ofp_bucket bucket[OFP_BUCKETS_MAX];
};
struct ofp_group_stats {
    uint32_t id, ref_count, duration_s, duration_ns;
    uint64_t packets, bytes;
};

#define OFP_BANDS_MAX 16u
struct ofp_meter {
    enum ofp_mod_command command;
    uint16_t flags; /* 1 kbps, 2 packets/s, 4 burst, 8 stats */
    uint32_t id;
    uint32_t bands;
    struct ofp_band {
        uint16_t type; /* 1 drop, 2 dscp remark */
        uint32_t rate, burst;
        uint8_t prec_level;
    } band[OFP_BANDS_MAX];
};
struct ofp_meter_stats {
    uint32_t id, flows, duration_s, duration_ns;
    uint64_t packets_in, bytes_in;
};

/* Iterators over a reply's body: *off begins at 0; 1: *out is set, *off behind it; 0: the end; else
 * -(enum ofp_err): malformed, stop. */
int ofp_next_port(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                  struct ofp_port *out);
int ofp_next_flow_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_flow_stats *out);
int ofp_next_port_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_port_stats *out);
int ofp_next_table_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_table_stats *out);
int ofp_next_queue_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_queue_stats *out);
int ofp_next_group_desc(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_group *out);
int ofp_next_group_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_group_stats *out);
int ofp_next_meter_config(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                          struct ofp_meter *out);
int ofp_next_meter_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_meter_stats *out);
enum ofp_err ofp_parse_desc(enum ofp_dialect d, const struct ofp_multipart *m,
                            struct ofp_desc *out);
enum ofp_err ofp_parse_aggregate(enum ofp_dialect d, const struct ofp_multipart *m,
                                 struct ofp_aggregate_stats *out);

/* ---- messages to a switch --------------------------------------------------------------
 *
 * Each writes one message of at most cap bytes at b and returns its length; 0: it does not fit or
 * the dialect cannot say it (ofp_can tells which). */

/* The dialect has this kind of message and this direction may send it. */
bool ofp_can(enum ofp_dialect d, enum ofp_from from, enum ofp_kind k);

/* Header only, or a body that is copied: HELLO (1.3: use ofp_emit_hello), ECHO_*, *_REQUEST without
 * arguments, BARRIER_*. */
size_t ofp_emit(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_kind k, uint32_t xid,
                const void *body, size_t n);
/* Our offer: version 4 in the header, a bitmap with 1 and 4 (1.3.5, 6.3.1). */
size_t ofp_emit_hello(uint8_t *b, size_t cap, uint32_t xid, uint32_t versions);
/* data: of the offending message, cut to 64 bytes; for HELLO_FAILED a text. version: of the
 * header. */
size_t ofp_emit_error(uint8_t version, uint8_t *b, size_t cap, uint32_t xid, uint16_t type,
                      uint16_t code, const void *data, size_t n);
/* k: OFP_SET_CONFIG or, of a switch, OFP_GET_CONFIG_REPLY. */
size_t ofp_emit_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                       const struct ofp_config *c);
size_t ofp_emit_set_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_config *c);
size_t ofp_emit_flow_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                         const struct ofp_flow *f);
/* in_port: OFPP_ANY or OFPP_CONTROLLER if it came from nowhere; each dialect has its own word. */
size_t ofp_emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                           const void *frame, size_t n);
/* The same with plain outputs to ports[0..n_ports), without an ofp_actions. */
size_t ofp_emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                 size_t n_ports, const void *frame, size_t n);
size_t ofp_emit_group_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_group *g);
size_t ofp_emit_meter_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_meter *m);
/* config and mask: the dialect's bits (1: PORT_DOWN in both). */
size_t ofp_emit_port_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                         const struct ofp_port *port, uint32_t config, uint32_t mask);
struct ofp_table_mod {
    uint8_t table;
    uint32_t config;
};
size_t ofp_emit_table_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_table_mod *t);
/* k: OFP_SET_ASYNC or, of a switch, OFP_GET_ASYNC_REPLY. */
size_t ofp_emit_async(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_async *a);
size_t ofp_emit_role_request(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_role_msg *r);
/* Ask for statistics.  filter: flows and aggregates; NULL: all of them.  port: port and queue
 * statistics, the id of a group or meter; OFPP_ANY: all. */
size_t ofp_emit_multipart_request(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  enum ofp_stats type, const struct ofp_flow *filter,
                                  uint32_t port);

/* ---- the other side, for simulated switches, tests and load generators ----------------- */

size_t ofp_emit_features_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                               const struct ofp_features *f, const struct ofp_port *ports,
                               size_t n_ports);
size_t ofp_emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_packet_in *p);
size_t ofp_emit_port_status(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            enum ofp_port_reason reason, const struct ofp_port *p);
size_t ofp_emit_flow_removed(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_flow_removed *f);
/* A statistics reply with the first entries of n, an array of what the type's iterator or parser
 * gives (OFPMP_FLOW: struct ofp_flow_stats, OFPMP_GROUP_DESC: struct ofp_group ...); *used says how
 * many went in, the rest needs another (more is set then).  0: not even one. */
size_t ofp_emit_stats_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            enum ofp_stats type, const void *entries, size_t n, size_t *used);
/* One reply with all ports (1.3 PORT_DESC); the two others are ofp_emit_stats_reply. */
size_t ofp_emit_port_desc_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                const struct ofp_port *ports, size_t n);
size_t ofp_emit_flow_stats_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 const struct ofp_flow_stats *f, size_t n, size_t *used);
size_t ofp_emit_port_stats_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 const struct ofp_port_stats *s, size_t n, size_t *used);
size_t ofp_emit_role_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_role_msg *r);
enum ofp_err ofp_parse_flow_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_flow *out);
struct ofp_packet_out {
    uint32_t buffer_id, in_port;
    struct ofp_actions actions;
    const uint8_t *frame; /* borrowed */
    uint32_t frame_len;
};
enum ofp_err ofp_parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_packet_out *out);
enum ofp_err ofp_parse_group_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_group *out);
enum ofp_err ofp_parse_meter_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_meter *out);
struct ofp_port_mod {
    uint32_t no, config, mask, advertise; /* as the dialect has them; advertise 0: no change */
    struct mac_addr mac;
};
enum ofp_err ofp_parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_port_mod *out);
enum ofp_err ofp_parse_table_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_table_mod *out);
enum ofp_err ofp_parse_multipart_request(enum ofp_dialect d, const struct ofp_msg *m,
                                         enum ofp_stats *type, struct ofp_flow *filter,
                                         uint32_t *port);
