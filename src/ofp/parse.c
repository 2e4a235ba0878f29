/* The doors of the parsers: each opens on the codec of the dialect. */
#include "ofp/ofp_int.h"

enum ofp_err ofp_parse_features(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_features *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_features != NULL ? c->parse_features(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_config(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_config *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_config != NULL ? c->parse_config(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_packet_in(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_packet_in *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_packet_in != NULL ? c->parse_packet_in(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_flow_removed(enum ofp_dialect d, const struct ofp_msg *m,
                                    struct ofp_flow_removed *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_flow_removed != NULL ? c->parse_flow_removed(d, m, out)
                                                      : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_port_status(enum ofp_dialect d, const struct ofp_msg *m,
                                   enum ofp_port_reason *reason, struct ofp_port *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_port_status != NULL ? c->parse_port_status(d, m, reason, out)
                                                     : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_error(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_error_msg *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_error != NULL ? c->parse_error(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_role(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_role_msg *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_role != NULL ? c->parse_role(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_flow_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_flow *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_flow_mod != NULL ? c->parse_flow_mod(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_packet_out(enum ofp_dialect d, const struct ofp_msg *m,
                                  struct ofp_packet_out *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_packet_out != NULL ? c->parse_packet_out(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_group_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_group *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_group_mod != NULL ? c->parse_group_mod(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_meter_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_meter *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_meter_mod != NULL ? c->parse_meter_mod(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                struct ofp_port_mod *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_port_mod != NULL ? c->parse_port_mod(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_table_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_table_mod *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_table_mod != NULL ? c->parse_table_mod(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_async(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_async *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_async != NULL ? c->parse_async(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_multipart(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct ofp_multipart *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_multipart != NULL ? c->parse_multipart(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_multipart_request(enum ofp_dialect d, const struct ofp_msg *m,
                                         enum ofp_stats *type, struct ofp_flow *filter,
                                         uint32_t *port)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_multipart_request != NULL
               ? c->parse_multipart_request(d, m, type, filter, port)
               : OFP_BAD_TYPE;
}

int ofp_next_port(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                  struct ofp_port *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_port != NULL ? c->next_port(d, m, off, out) : -OFP_BAD_TYPE;
}

int ofp_next_flow_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_flow_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_flow_stats != NULL ? c->next_flow_stats(d, m, off, out)
                                                   : -OFP_BAD_TYPE;
}

int ofp_next_port_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_port_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_port_stats != NULL ? c->next_port_stats(d, m, off, out)
                                                   : -OFP_BAD_TYPE;
}

int ofp_next_table_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_table_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_table_stats != NULL ? c->next_table_stats(d, m, off, out)
                                                    : -OFP_BAD_TYPE;
}

int ofp_next_queue_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_queue_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_queue_stats != NULL ? c->next_queue_stats(d, m, off, out)
                                                    : -OFP_BAD_TYPE;
}

int ofp_next_group_desc(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                        struct ofp_group *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_group_desc != NULL ? c->next_group_desc(d, m, off, out)
                                                   : -OFP_BAD_TYPE;
}

int ofp_next_group_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_group_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_group_stats != NULL ? c->next_group_stats(d, m, off, out)
                                                    : -OFP_BAD_TYPE;
}

int ofp_next_meter_config(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                          struct ofp_meter *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_meter_config != NULL ? c->next_meter_config(d, m, off, out)
                                                     : -OFP_BAD_TYPE;
}

int ofp_next_meter_stats(enum ofp_dialect d, const struct ofp_multipart *m, uint32_t *off,
                         struct ofp_meter_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->next_meter_stats != NULL ? c->next_meter_stats(d, m, off, out)
                                                    : -OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_desc(enum ofp_dialect d, const struct ofp_multipart *m, struct ofp_desc *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_desc != NULL ? c->parse_desc(d, m, out) : OFP_BAD_TYPE;
}

enum ofp_err ofp_parse_aggregate(enum ofp_dialect d, const struct ofp_multipart *m,
                                 struct ofp_aggregate_stats *out)
{
    const struct ofp_codec *c = ofp_codec(d);

    return c != NULL && c->parse_aggregate != NULL ? c->parse_aggregate(d, m, out) : OFP_BAD_TYPE;
}
