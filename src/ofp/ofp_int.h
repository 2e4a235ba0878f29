/* Private to ofp. */
#pragma once

#include "ofp/ofp.h"

/* ---- layouts -------------------------------------------------------------------------- */

/* What stands behind the fixed part. */
enum ofp_rest {
    REST_NONE,
    REST_BYTES, /* anything */
    REST_STEP,  /* things of `step` bytes */
    REST_TLV,   /* things that say their own length, each a multiple of `step` */
};
enum {
    FROM_SWITCH = 1 << OFP_FROM_SWITCH,
    FROM_CONTROLLER = 1 << OFP_FROM_CONTROLLER,
    FROM_BOTH = 3
};

struct ofp_layout {
    uint8_t kind;        /* enum ofp_kind */
    uint8_t from;        /* 0: there is no such type */
    uint8_t rest;        /* enum ofp_rest */
    uint8_t step;        /* 1 where rest is REST_NONE or REST_BYTES */
    bool deeper;         /* the codec's frame() knows more */
    uint16_t fixed, max; /* header included */
};
/* The types of a dialect, indexed by their number. */
struct ofp_layouts {
    const struct ofp_layout *row;
    uint8_t n, version;
};

/* ---- codecs --------------------------------------------------------------------------- */

/* What a dialect can do: the functions of ofp.h of the same names.  NULL: it cannot say that. */
struct ofp_codec {
    struct ofp_layouts layouts;
    uint64_t extra[2]; /* by enum ofp_from: bits of kinds without a type of their own */
    /* Of a whole message, where its layout says `deeper`: what the type alone does not decide
     * (statistics, vendors).  May correct out->kind. */
    enum ofp_err (*frame)(enum ofp_from from, struct ofp_msg *out);
    void (*print)(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m); /* body */

    enum ofp_err (*parse_features)(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_features *out);
    enum ofp_err (*parse_config)(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_config *out);
    enum ofp_err (*parse_packet_in)(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_packet_in *out);
    enum ofp_err (*parse_flow_removed)(enum ofp_dialect d, const struct ofp_msg *m,
                                       struct ofp_flow_removed *out);
    enum ofp_err (*parse_port_status)(enum ofp_dialect d, const struct ofp_msg *m,
                                      enum ofp_port_reason *reason, struct ofp_port *out);
    enum ofp_err (*parse_error)(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_error_msg *out);
    enum ofp_err (*parse_role)(enum ofp_dialect d, const struct ofp_msg *m,
                               struct ofp_role_msg *out);
    enum ofp_err (*parse_flow_mod)(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_flow *out);
    enum ofp_err (*parse_packet_out)(enum ofp_dialect d, const struct ofp_msg *m,
                                     struct ofp_packet_out *out);
    enum ofp_err (*parse_group_mod)(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_group *out);
    enum ofp_err (*parse_meter_mod)(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_meter *out);
    enum ofp_err (*parse_port_mod)(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_port_mod *out);
    enum ofp_err (*parse_table_mod)(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_table_mod *out);
    enum ofp_err (*parse_async)(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_async *out);

    enum ofp_err (*parse_multipart)(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_multipart *out);
    enum ofp_err (*parse_multipart_request)(enum ofp_dialect d, const struct ofp_msg *m,
                                            enum ofp_stats *type, struct ofp_flow *filter,
                                            uint32_t *port);
    int (*next_port)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                     struct ofp_port *out);
    int (*next_flow_stats)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                           struct ofp_flow_stats *out);
    int (*next_port_stats)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                           struct ofp_port_stats *out);
    int (*next_table_stats)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                            struct ofp_table_stats *out);
    int (*next_queue_stats)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                            struct ofp_queue_stats *out);
    int (*next_group_desc)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                           struct ofp_group *out);
    int (*next_group_stats)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                            struct ofp_group_stats *out);
    int (*next_meter_config)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                             struct ofp_meter *out);
    int (*next_meter_stats)(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                            struct ofp_meter_stats *out);
    enum ofp_err (*parse_desc)(enum ofp_dialect d, const struct ofp_multipart *m,
                               struct ofp_desc *out);
    enum ofp_err (*parse_aggregate)(enum ofp_dialect d, const struct ofp_multipart *m,
                                    struct ofp_aggregate_stats *out);

    size_t (*emit_config)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                          const struct ofp_config *c);
    size_t (*emit_flow_mod)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            const struct ofp_flow *f);
    size_t (*emit_packet_out)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                              const void *frame, size_t n);
    size_t (*emit_packet_out_ports)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                    uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                    size_t n_ports, const void *frame, size_t n);
    size_t (*emit_group_mod)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_group *g);
    size_t (*emit_meter_mod)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_meter *m);
    size_t (*emit_port_mod)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            const struct ofp_port *port, uint32_t config, uint32_t mask);
    size_t (*emit_table_mod)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_table_mod *t);
    size_t (*emit_async)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                         const struct ofp_async *a);
    size_t (*emit_role)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                        const struct ofp_role_msg *r);
    size_t (*emit_multipart_request)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                     enum ofp_stats type, const struct ofp_flow *filter,
                                     uint32_t port);
    size_t (*emit_features_reply)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  const struct ofp_features *f, const struct ofp_port *ports,
                                  size_t n_ports);
    size_t (*emit_packet_in)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                             const struct ofp_packet_in *p);
    size_t (*emit_port_status)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                               enum ofp_port_reason reason, const struct ofp_port *p);
    size_t (*emit_flow_removed)(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                const struct ofp_flow_removed *f);
    /* One entry of a statistics reply at b; 0: it does not fit or cannot be said. */
    size_t (*emit_stat)(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_stats type,
                        const void *entry);
    /* Header and statistics header of a reply whose body of n bytes stands behind them. */
    size_t (*emit_multipart_head)(enum ofp_dialect d, uint8_t *b, uint32_t xid, enum ofp_stats type,
                                  bool more, size_t n);
};
extern const struct ofp_codec ofp10_codec, ofp13_codec, pof_huawei_codec, pof_ustc_codec;
const struct ofp_codec *ofp_codec(enum ofp_dialect d); /* static; NULL: not a dialect */

enum { OFP10_TYPES = 22, OFP13_TYPES = 30 };
extern const struct ofp_layout ofp10_rows[OFP10_TYPES], ofp13_rows[OFP13_TYPES];

static inline bool ofp_layout_fits(const struct ofp_layout *l, uint32_t len)
{
    return len >= l->fixed && len <= l->max && (l->step <= 1 || (len - l->fixed) % l->step == 0);
}

/* ---- writing -------------------------------------------------------------------------- */

/* Where a message is being written.  What does not fit or cannot be said is remembered in `bad`. */
struct ofp_out {
    uint8_t *b; /* borrowed from the caller of the emitter */
    size_t cap, n;
    bool bad;
};

static inline uint64_t load_be64(const void *p)
{
    return (uint64_t)load_be32(p) << 32 | load_be32((const uint8_t *)p + 4);
}
static inline void store_be64(void *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

/* Room for n bytes, cleared; NULL if it is not there. */
static inline uint8_t *out_take(struct ofp_out *o, size_t n)
{
    uint8_t *p = o->b + o->n;

    if (o->bad || o->cap - o->n < n) {
        o->bad = true;
        return NULL;
    }
    memset(p, 0, n);
    o->n += n;
    return p;
}
static inline void out_bytes(struct ofp_out *o, const void *src, size_t n)
{
    if (o->bad || o->cap - o->n < n) {
        o->bad = true;
        return;
    }
    if (n > 0)
        memcpy(o->b + o->n, src, n);
    o->n += n;
}
/* The header and the rest of the fixed part of a message; its length is set by out_end. */
uint8_t *ofp_begin(struct ofp_out *o, enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_kind k,
                   uint32_t xid);
/* The length of the finished message, or 0. */
size_t ofp_end(struct ofp_out *o);

/* The number of a kind in a dialect, or -1. */
int ofp_type_of(enum ofp_dialect d, enum ofp_kind k);

/* Text of a wire: dst ends in 0, what is no printable ASCII becomes '?'; and back into n bytes, 0
 * kept at the end. */
void ofp_copy_text(char *dst, size_t size, const uint8_t *src, size_t n);
void ofp_put_text(uint8_t *dst, size_t n, const char *src);
void ofp_print_ip6(struct fmt *f, const uint8_t *p);
