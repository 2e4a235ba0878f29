/* OpenFlow's statistics for people. */
#include "ofp/of_int.h"

static const char *stats_name(enum ofp_stats t)
{
    static const char *const names[OFPMP_TYPES] = {
        [OFPMP_DESC] = "DESC",
        [OFPMP_FLOW] = "FLOW",
        [OFPMP_AGGREGATE] = "AGGREGATE",
        [OFPMP_TABLE] = "TABLE",
        [OFPMP_PORT] = "PORT",
        [OFPMP_QUEUE] = "QUEUE",
        [OFPMP_GROUP] = "GROUP",
        [OFPMP_GROUP_DESC] = "GROUP_DESC",
        [OFPMP_GROUP_FEATURES] = "GROUP_FEATURES",
        [OFPMP_METER] = "METER",
        [OFPMP_METER_CONFIG] = "METER_CONFIG",
        [OFPMP_METER_FEATURES] = "METER_FEATURES",
        [OFPMP_TABLE_FEATURES] = "TABLE_FEATURES",
        [OFPMP_PORT_DESC] = "PORT_DESC",
        [OFPMP_EXPERIMENTER] = "EXPERIMENTER",
    };

    return (unsigned)t < OFPMP_TYPES ? names[t] : "?";
}

static void print_end(struct fmt *f, int rc)
{
    if (rc < 0)
        fmt_add(f, " ***decode error: %s***", ofp_err_name((enum ofp_err) - rc));
}

void of_print_request(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    enum ofp_stats type;
    struct ofp_flow filter;
    uint32_t port;
    enum ofp_err e = ofp_parse_multipart_request(d, m, &type, &filter, &port);

    fmt_add(f, " %s", stats_name(type));
    print_end(f, -(int)e);
    if (e != OFP_OK)
        return;
    if (type == OFPMP_FLOW || type == OFPMP_AGGREGATE) {
        fmt_char(f, ' ');
        if (filter.table != OFP_TABLE_ALL)
            fmt_add(f, "table=%u,", filter.table);
        ofp_match_print(f, &filter.match);
    } else if (port != OFPP_ANY) {
        fmt_add(f, " %u", port);
    }
}

static void print_flows(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_flow_stats s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_flow_stats(d, m, &off, &s)) > 0 && !f->cut) {
        fmt_add(f, " cookie=0x%llx, duration=%u.%03us, table=%u, n_packets=%llu, n_bytes=%llu, ",
                (unsigned long long)s.flow.cookie, s.duration_s, s.duration_ns / 1000000,
                s.flow.table, (unsigned long long)s.packets, (unsigned long long)s.bytes);
        if (s.flow.idle_timeout != 0)
            fmt_add(f, "idle_timeout=%u, ", s.flow.idle_timeout);
        if (s.flow.hard_timeout != 0)
            fmt_add(f, "hard_timeout=%u, ", s.flow.hard_timeout);
        fmt_add(f, "priority=%u,", s.flow.priority);
        ofp_match_print(f, &s.flow.match);
        fmt_char(f, ' ');
        ofp_instructions_print(f, &s.flow.do_);
        fmt_char(f, ';');
    }
    print_end(f, rc);
}

static void print_ports(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_port_stats s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_port_stats(d, m, &off, &s)) > 0 && !f->cut) {
        fmt_add(f, " port ");
        ofp_print_port_no(f, s.port);
        fmt_add(f, ": rx pkts=%llu, bytes=%llu, drop=%llu, errs=%llu",
                (unsigned long long)s.rx_packets, (unsigned long long)s.rx_bytes,
                (unsigned long long)s.rx_dropped, (unsigned long long)s.rx_errors);
        fmt_add(f, " tx pkts=%llu, bytes=%llu, drop=%llu, errs=%llu;",
                (unsigned long long)s.tx_packets, (unsigned long long)s.tx_bytes,
                (unsigned long long)s.tx_dropped, (unsigned long long)s.tx_errors);
    }
    print_end(f, rc);
}

static void print_port_desc(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_port p;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_port(d, m, &off, &p)) > 0 && !f->cut)
        of_print_port(f, &p);
    print_end(f, rc);
}

static void print_tables(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_table_stats s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_table_stats(d, m, &off, &s)) > 0 && !f->cut)
        fmt_add(f, " table %u: active=%u, lookup=%llu, matched=%llu;", s.table, s.active,
                (unsigned long long)s.lookups, (unsigned long long)s.matched);
    print_end(f, rc);
}

static void print_queues(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_queue_stats s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_queue_stats(d, m, &off, &s)) > 0 && !f->cut) {
        fmt_add(f, " port ");
        ofp_print_port_no(f, s.port);
        fmt_add(f, " queue %u: bytes=%llu, pkts=%llu, errors=%llu;", s.queue,
                (unsigned long long)s.tx_bytes, (unsigned long long)s.tx_packets,
                (unsigned long long)s.tx_errors);
    }
    print_end(f, rc);
}

/* A group has room for many buckets, so its description is read a bucket at a time. */
static void print_group_desc(struct fmt *f, const struct ofp_multipart *m)
{
    const uint8_t *p = m->body;

    for (uint32_t off = 0, len; off < m->body_len && !f->cut; off += len) {
        len = m->body_len - off >= 8 ? load_be16(p + off) : 0;
        if (len < 8 || len > m->body_len - off) {
            print_end(f, -OFP_BAD_LEN);
            return;
        }
        fmt_add(f, " group_id=%u,type=%s", load_be32(p + off + 4), of_group_type_name(p[off + 2]));
        of_print_buckets(f, p + off + 8, len - 8);
        fmt_char(f, ';');
    }
}

static void print_groups(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_group_stats s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_group_stats(d, m, &off, &s)) > 0 && !f->cut)
        fmt_add(f, " group_id=%u,duration=%u.%03us,ref_count=%u,packet_count=%llu,byte_count=%llu;",
                s.id, s.duration_s, s.duration_ns / 1000000, s.ref_count,
                (unsigned long long)s.packets, (unsigned long long)s.bytes);
    print_end(f, rc);
}

static void print_meters(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_meter_stats s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_meter_stats(d, m, &off, &s)) > 0 && !f->cut)
        fmt_add(f, " meter:%u flow_count:%u packet_in_count:%llu byte_in_count:%llu;", s.id,
                s.flows, (unsigned long long)s.packets_in, (unsigned long long)s.bytes_in);
    print_end(f, rc);
}

static void print_meter_config(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_meter s;
    uint32_t off = 0;
    int rc;

    while ((rc = ofp_next_meter_config(d, m, &off, &s)) > 0 && !f->cut) {
        of_print_meter(f, &s);
        fmt_char(f, ';');
    }
    print_end(f, rc);
}

static void print_desc(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_desc s;
    enum ofp_err e = ofp_parse_desc(d, m, &s);

    print_end(f, -(int)e);
    if (e == OFP_OK)
        fmt_add(f,
                " Manufacturer: %s; Hardware: %s; Software: %s; Serial Num: %s; DP Description: %s",
                s.manufacturer, s.hardware, s.software, s.serial, s.datapath);
}

static void print_aggregate(struct fmt *f, enum ofp_dialect d, const struct ofp_multipart *m)
{
    struct ofp_aggregate_stats s;
    enum ofp_err e = ofp_parse_aggregate(d, m, &s);

    print_end(f, -(int)e);
    if (e == OFP_OK)
        fmt_add(f, " packet_count=%llu byte_count=%llu flow_count=%u",
                (unsigned long long)s.packets, (unsigned long long)s.bytes, s.flows);
}

void of_print_reply(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_multipart r;

    if (ofp_parse_multipart(d, m, &r) != OFP_OK)
        return;
    fmt_add(f, " %s%s", stats_name(r.type), r.more ? " (more)" : "");
    switch (r.type) {
    case OFPMP_DESC:
        print_desc(f, d, &r);
        break;
    case OFPMP_FLOW:
        print_flows(f, d, &r);
        break;
    case OFPMP_AGGREGATE:
        print_aggregate(f, d, &r);
        break;
    case OFPMP_TABLE:
        print_tables(f, d, &r);
        break;
    case OFPMP_PORT:
        print_ports(f, d, &r);
        break;
    case OFPMP_QUEUE:
        print_queues(f, d, &r);
        break;
    case OFPMP_GROUP:
        print_groups(f, d, &r);
        break;
    case OFPMP_GROUP_DESC:
        print_group_desc(f, &r);
        break;
    case OFPMP_METER:
        print_meters(f, d, &r);
        break;
    case OFPMP_METER_CONFIG:
        print_meter_config(f, d, &r);
        break;
    case OFPMP_PORT_DESC:
        print_port_desc(f, d, &r);
        break;
    case OFPMP_GROUP_FEATURES:
    case OFPMP_METER_FEATURES:
    case OFPMP_TABLE_FEATURES:
    case OFPMP_EXPERIMENTER:
    case OFPMP_TYPES:
        fmt_add(f, " %u bytes", r.body_len);
        break;
    }
}
