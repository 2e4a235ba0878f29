/* OpenFlow inside ofp: of_x is of both versions, of10_x and of13_x of one. */
#pragma once

#include "ofp/ofp_int.h"

enum { OFP10_PORT_LEN = 48, OFP13_PORT_LEN = 64 };

/* ---- OpenFlow 1.0 --------------------------------------------------------------------- */

/* Ports of 16 bits, reserved ones from 0xff00. */
static inline uint32_t ofp10_port(uint16_t p)
{
    return p >= 0xff00 ? 0xffff0000u | p : p;
}
static inline bool ofp10_port_emit(uint8_t *p, uint32_t no)
{
    store_be16(p, (uint16_t)no);
    return no < 0xff00 || no >= OFPP_MAX;
}
void ofp10_parse_match(const uint8_t *p, struct ofp_match *m); /* 40 bytes */
bool ofp10_emit_match(uint8_t *p, const struct ofp_match *m);  /* false: cannot be said */
/* proto: what the flow matches as ip_proto, so that SET_TP_SRC finds its field; 0: TCP. */
enum ofp_err ofp10_parse_actions(const uint8_t *p, size_t n, uint8_t proto,
                                 struct ofp_actions *out);
void ofp10_emit_actions(struct ofp_out *o, const struct ofp_actions *a);

/* ---- OpenFlow 1.3 --------------------------------------------------------------------- */

/* A match at the beginning of n bytes; *used: with its pad. */
enum ofp_err ofp13_parse_match(const uint8_t *p, size_t n, struct ofp_match *out, size_t *used);
void ofp13_emit_match(struct ofp_out *o, const struct ofp_match *m);
/* One exact field, as in SET_FIELD. */
enum ofp_err ofp13_parse_oxm(const uint8_t *p, size_t n, struct ofp_tlv *out);
void ofp13_emit_oxm(struct ofp_out *o, const struct ofp_tlv *t);
enum ofp_err ofp13_parse_actions(const uint8_t *p, size_t n, struct ofp_actions *out);
void ofp13_emit_actions(struct ofp_out *o, const struct ofp_actions *a);
enum ofp_err ofp13_parse_instructions(const uint8_t *p, size_t n, struct ofp_instructions *out);
void ofp13_emit_instructions(struct ofp_out *o, const struct ofp_instructions *i);

/* The next entry of a reply, of at least `fixed` bytes, which says its own length in the 16 bits at
 * len_at: 1, and *p and *len are set; 0: the end; else what is wrong.  The caller moves its offset
 * when it has read the rest. */
static inline int of_next_entry(const struct ofp_multipart *m, uint32_t off, uint32_t fixed,
                                uint32_t len_at, const uint8_t **p, uint32_t *len)
{
    if (off >= m->body_len)
        return 0;
    *p = m->body + off;
    *len = m->body_len - off >= fixed ? load_be16(*p + len_at) : 0;
    return *len < fixed || *len > m->body_len - off ? -OFP_BAD_LEN : 1;
}

/* ---- messages: what the codecs name ---------------------------------------------------- */

enum ofp_err of_parse_error(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_error_msg *out);
enum ofp_err of_parse_config(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_config *out);
size_t of_emit_config(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_config *c);
enum ofp_err of13_parse_role(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_role_msg *out);
size_t of13_emit_role(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_role_msg *r);
enum ofp_err of10_frame_vendor(enum ofp_from from, struct ofp_msg *m);
enum ofp_err of10_parse_role(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_role_msg *out);
size_t of10_emit_role(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                      const struct ofp_role_msg *r);
enum ofp_err of13_parse_async(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_async *out);
size_t of13_emit_async(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, enum ofp_kind k,
                       const struct ofp_async *a);
enum ofp_err of13_parse_table_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_table_mod *out);
size_t of13_emit_table_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_table_mod *t);
enum ofp_err of_parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m,
                               struct ofp_port_mod *out);
size_t of_emit_port_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                        const struct ofp_port *port, uint32_t config, uint32_t mask);
void of_emit_port(struct ofp_out *o, enum ofp_dialect d, const struct ofp_port *port);
int of13_next_port(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                   struct ofp_port *out);
enum ofp_err of_parse_features(enum ofp_dialect d, const struct ofp_msg *m,
                               struct ofp_features *out);
size_t of_emit_features_reply(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              const struct ofp_features *f, const struct ofp_port *ports,
                              size_t n_ports);
enum ofp_err of_parse_port_status(enum ofp_dialect d, const struct ofp_msg *m,
                                  enum ofp_port_reason *reason, struct ofp_port *out);
size_t of_emit_port_status(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           enum ofp_port_reason reason, const struct ofp_port *port);
enum ofp_err of10_parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_packet_in *out);
size_t of10_emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_packet_in *in);
enum ofp_err of10_parse_flow_removed(enum ofp_dialect d, const struct ofp_msg *m,
                                     struct ofp_flow_removed *out);
size_t of10_emit_flow_removed(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              const struct ofp_flow_removed *f);
enum ofp_err ofp10_parse_flow_actions(const uint8_t *p, size_t n, struct ofp_flow *f);
bool ofp10_can_do(const struct ofp_instructions *i);
enum ofp_err of10_parse_flow_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_flow *out);
size_t of10_emit_flow_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_flow *f);
enum ofp_err of10_parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_packet_out *out);
size_t of10_emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                            const void *frame, size_t n);
size_t of10_emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                  size_t n_ports, const void *frame, size_t n);
enum ofp_err of13_parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_packet_in *out);
size_t of13_emit_packet_in(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_packet_in *in);
enum ofp_err of13_parse_flow_removed(enum ofp_dialect d, const struct ofp_msg *m,
                                     struct ofp_flow_removed *out);
size_t of13_emit_flow_removed(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                              const struct ofp_flow_removed *f);
enum ofp_err of13_parse_flow_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_flow *out);
size_t of13_emit_flow_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct ofp_flow *f);
enum ofp_err of13_parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                   struct ofp_packet_out *out);
size_t of13_emit_packet_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                            uint32_t buffer_id, uint32_t in_port, const struct ofp_actions *a,
                            const void *frame, size_t n);
size_t of13_emit_packet_out_ports(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                  uint32_t buffer_id, uint32_t in_port, const uint32_t *ports,
                                  size_t n_ports, const void *frame, size_t n);
enum ofp_err of10_frame(enum ofp_from from, struct ofp_msg *m);
enum ofp_err of13_frame(enum ofp_from from, struct ofp_msg *m);
enum ofp_err of_parse_multipart(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_multipart *out);
size_t of_emit_multipart_head(enum ofp_dialect d, uint8_t *b, uint32_t xid, enum ofp_stats type,
                              bool more, size_t n);
enum ofp_err of_parse_multipart_request(enum ofp_dialect d, const struct ofp_msg *m,
                                        enum ofp_stats *type, struct ofp_flow *filter,
                                        uint32_t *port);
size_t of_emit_multipart_request(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                                 enum ofp_stats type, const struct ofp_flow *filter, uint32_t port);
int of_next_port_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                       struct ofp_port_stats *out);
int of_next_table_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_table_stats *out);
int of_next_queue_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_queue_stats *out);
enum ofp_err of_parse_desc(enum ofp_dialect d, const struct ofp_multipart *m, struct ofp_desc *out);
enum ofp_err of_parse_aggregate(enum ofp_dialect d, const struct ofp_multipart *m,
                                struct ofp_aggregate_stats *out);
size_t of_emit_stat(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_stats type,
                    const void *entry);
int of_next_flow_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                       struct ofp_flow_stats *out);
void of_emit_flow_stats(struct ofp_out *o, enum ofp_dialect d, const struct ofp_flow_stats *s);
int of13_next_bucket(const uint8_t *p, size_t n, size_t *off, struct ofp_bucket *out);
enum ofp_err of13_parse_group_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_group *out);
size_t of13_emit_group_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_group *g);
int of13_next_group_desc(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_group *out);
void of13_emit_group_desc(struct ofp_out *o, const struct ofp_group *g);
int of13_next_group_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                          struct ofp_group_stats *out);
void of13_emit_group_stats(struct ofp_out *o, const struct ofp_group_stats *s);
enum ofp_err of13_parse_meter_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_meter *out);
size_t of13_emit_meter_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                           const struct ofp_meter *m);
int of13_next_meter_config(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                           struct ofp_meter *out);
void of13_emit_meter_config(struct ofp_out *o, const struct ofp_meter *m);
int of13_next_meter_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                          struct ofp_meter_stats *out);
void of13_emit_meter_stats(struct ofp_out *o, const struct ofp_meter_stats *s);
void of_print_port(struct fmt *f, const struct ofp_port *p);
void of_print_buckets(struct fmt *f, const uint8_t *p, size_t n);
const char *of_group_type_name(uint8_t type);
void of_print_meter(struct fmt *f, const struct ofp_meter *m);
void of_body_print(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m);
void of_print_request(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m);
void of_print_reply(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m);
