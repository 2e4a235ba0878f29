/* OpenFlow's messages for people.  The statistics are in of_print_stats.c. */
#include "ofp/of_int.h"

static void print_error(struct fmt *f, enum ofp_err e)
{
    if (e != OFP_OK)
        fmt_add(f, " ***decode error: %s***", ofp_err_name(e));
}

void of_print_port(struct fmt *f, const struct ofp_port *p)
{
    fmt_char(f, ' ');
    ofp_print_port_no(f, p->no);
    fmt_add(f, "(%s): addr:", p->name);
    fmt_mac(f, &p->mac);
    if (p->down)
        fmt_add(f, " PORT_DOWN");
    if (p->link_down)
        fmt_add(f, " LINK_DOWN");
    if (p->blocked)
        fmt_add(f, " BLOCKED");
    if (p->curr_kbps != 0)
        fmt_add(f, " speed:%u Mbps", p->curr_kbps / 1000);
    fmt_char(f, ';');
}

static void print_features(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_features s;
    struct ofp_port p;

    ofp_parse_features(d, m, &s);
    fmt_add(f, " dpid:%016llx n_tables:%u, n_buffers:%u capabilities:0x%x",
            (unsigned long long)s.dpid, s.tables, s.buffers, s.capabilities);
    if (s.auxiliary != 0)
        fmt_add(f, " auxiliary:%u", s.auxiliary);
    for (uint32_t i = 0; i < s.ports && ofp_features_port(m, i, &p) == OFP_OK; i++)
        of_print_port(f, &p);
}

static void print_packet_in(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    static const char *const why[] = {"no_match", "action", "invalid_ttl"};
    struct ofp_packet_in p;
    enum ofp_err e = ofp_parse_packet_in(d, m, &p);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    if (d == OFP_13)
        fmt_add(f, " table_id=%u cookie=0x%llx", p.table, (unsigned long long)p.cookie);
    fmt_add(f, " total_len=%u in_port=", p.total_len);
    ofp_print_port_no(f, p.in_port);
    fmt_add(f, " (via %s) data_len=%u", p.reason <= OFPR_TTL ? why[p.reason] : "?", p.frame_len);
    if (p.buffer_id == OFP_NO_BUFFER)
        fmt_add(f, " (unbuffered)");
    else
        fmt_add(f, " buffer=0x%08x", p.buffer_id);
}

static void print_packet_out(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_packet_out p;
    enum ofp_err e = ofp_parse_packet_out(d, m, &p);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    fmt_add(f, " in_port=");
    ofp_print_port_no(f, p.in_port);
    fmt_add(f, " actions=");
    ofp_actions_print(f, &p.actions);
    if (p.buffer_id == OFP_NO_BUFFER)
        fmt_add(f, " data_len=%u", p.frame_len);
    else
        fmt_add(f, " buffer=0x%08x", p.buffer_id);
}

static void print_flow_mod(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    static const char *const commands[] = {"ADD", "MOD", "MOD_STRICT", "DEL", "DEL_STRICT"};
    struct ofp_flow s;
    enum ofp_err e = ofp_parse_flow_mod(d, m, &s);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    fmt_add(f, " %s", commands[s.command]);
    if (s.table != 0)
        fmt_add(f, " table:%u", s.table);
    fmt_add(f, " priority=%u,", s.priority);
    ofp_match_print(f, &s.match);
    if (s.cookie != 0 || s.cookie_mask != 0)
        fmt_add(f, " cookie:0x%llx", (unsigned long long)s.cookie);
    if (s.cookie_mask != 0)
        fmt_add(f, "/0x%llx", (unsigned long long)s.cookie_mask);
    if (s.idle_timeout != 0)
        fmt_add(f, " idle:%u", s.idle_timeout);
    if (s.hard_timeout != 0)
        fmt_add(f, " hard:%u", s.hard_timeout);
    if (s.buffer_id != OFP_NO_BUFFER)
        fmt_add(f, " buf:0x%x", s.buffer_id);
    if (s.out_port != OFPP_ANY) {
        fmt_add(f, " out_port:");
        ofp_print_port_no(f, s.out_port);
    }
    if (s.out_group != OFPP_ANY)
        fmt_add(f, " out_group:%u", s.out_group);
    if (s.flags != 0)
        fmt_add(f, " flags:0x%x", s.flags);
    fmt_char(f, ' ');
    ofp_instructions_print(f, &s.do_);
}

static void print_flow_removed(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    static const char *const why[] = {"idle", "hard", "delete", "group_delete", "meter_delete"};
    struct ofp_flow_removed s;
    enum ofp_err e = ofp_parse_flow_removed(d, m, &s);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    fmt_add(f, " priority=%u,", s.priority);
    ofp_match_print(f, &s.match);
    fmt_add(
        f,
        " reason=%s table_id=%u cookie:0x%llx duration %u.%03us idle%u hard%u pkts%llu bytes%llu",
        s.reason < ARRAY_LEN(why) ? why[s.reason] : "?", s.table, (unsigned long long)s.cookie,
        s.duration_s, s.duration_ns / 1000000, s.idle_timeout, s.hard_timeout,
        (unsigned long long)s.packets, (unsigned long long)s.bytes);
}

static void print_port_status(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    static const char *const why[] = {"ADD", "DEL", "MOD"};
    enum ofp_port_reason reason;
    struct ofp_port p;
    enum ofp_err e = ofp_parse_port_status(d, m, &reason, &p);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    fmt_add(f, " %s:", why[reason]);
    of_print_port(f, &p);
}

static void print_port_mod(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_port_mod p;

    ofp_parse_port_mod(d, m, &p);
    fmt_add(f, " port: ");
    ofp_print_port_no(f, p.no);
    fmt_add(f, ": addr:");
    fmt_mac(f, &p.mac);
    fmt_add(f, " config: 0x%x mask: 0x%x", p.config, p.mask);
}

void of_print_buckets(struct fmt *f, const uint8_t *p, size_t n)
{
    struct ofp_bucket b;
    size_t off = 0;
    int rc;

    while ((rc = of13_next_bucket(p, n, &off, &b)) > 0) {
        fmt_add(f, ",bucket=");
        if (b.weight != 0)
            fmt_add(f, "weight:%u,", b.weight);
        if (b.watch_port != OFPP_ANY && b.watch_port != 0)
            fmt_add(f, "watch_port:%u,", b.watch_port);
        fmt_add(f, "actions=");
        ofp_actions_print(f, &b.actions);
    }
    print_error(f, (enum ofp_err) - rc);
}

const char *of_group_type_name(uint8_t type)
{
    static const char *const names[] = {"all", "select", "indirect", "ff"};

    return type < ARRAY_LEN(names) ? names[type] : "?";
}

static void print_group_mod(struct fmt *f, const struct ofp_msg *m)
{
    static const char *const commands[] = {"ADD", "MOD", "DEL"};
    uint16_t command = load_be16(m->p + 8);

    fmt_add(f, " %s group_id=%u,type=%s", command < ARRAY_LEN(commands) ? commands[command] : "?",
            load_be32(m->p + 12), of_group_type_name(m->p[10]));
    of_print_buckets(f, m->p + 16, m->len - 16u);
}

void of_print_meter(struct fmt *f, const struct ofp_meter *m)
{
    fmt_add(f, " meter=%u%s%s%s%s bands=", m->id, (m->flags & 1) != 0 ? " kbps" : "",
            (m->flags & 2) != 0 ? " pktps" : "", (m->flags & 4) != 0 ? " burst" : "",
            (m->flags & 8) != 0 ? " stats" : "");
    for (uint32_t i = 0; i < m->bands; i++) {
        const struct ofp_band *b = &m->band[i];
        fmt_add(f, " type=%s rate=%u", b->type == 1 ? "drop" : "dscp_remark", b->rate);
        if (b->burst != 0)
            fmt_add(f, " burst_size=%u", b->burst);
        if (b->type == 2)
            fmt_add(f, " prec_level=%u", b->prec_level);
    }
}

static void print_meter_mod(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    static const char *const commands[] = {"ADD", "MOD", "DEL"};
    struct ofp_meter s;
    enum ofp_err e = ofp_parse_meter_mod(d, m, &s);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    fmt_add(f, " %s", commands[s.command]);
    of_print_meter(f, &s);
}

static void print_role(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    static const char *const names[] = {"nochange", "equal", "master", "slave"};
    struct ofp_role_msg r;
    enum ofp_err e = ofp_parse_role(d, m, &r);

    if (e != OFP_OK) {
        print_error(f, e);
        return;
    }
    fmt_add(f, " role=%s", names[r.role]);
    if (d == OFP_13)
        fmt_add(f, " generation_id=%llu", (unsigned long long)r.generation);
}

static void print_async(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_async a;

    ofp_parse_async(d, m, &a);
    fmt_add(f, " master: packet_in=0x%x port_status=0x%x flow_removed=0x%x", a.packet_in[0],
            a.port_status[0], a.flow_removed[0]);
    fmt_add(f, " slave: packet_in=0x%x port_status=0x%x flow_removed=0x%x", a.packet_in[1],
            a.port_status[1], a.flow_removed[1]);
}

static void print_err_msg(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_error_msg e;

    ofp_parse_error(d, m, &e);
    fmt_char(f, ' ');
    ofp_error_print(f, d, e.type, e.code);
    if (e.data_len > 0)
        fmt_add(f, " data_len=%u", e.data_len);
}

static void print_config(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_config c;

    ofp_parse_config(d, m, &c);
    fmt_add(f, " frags=%u miss_send_len=%u", c.flags, c.miss_send_len);
}

void of_body_print(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    switch (m->kind) {
    case OFP_ERROR:
        print_err_msg(f, d, m);
        break;
    case OFP_ECHO_REQUEST:
    case OFP_ECHO_REPLY:
        fmt_add(f, " %u bytes of payload", m->len - OFP_HLEN);
        break;
    case OFP_EXPERIMENTER:
        if (m->len >= 12) /* POF says nothing of what stands in it */
            fmt_add(f, " vendor=0x%x", load_be32(m->p + 8));
        break;
    case OFP_FEATURES_REPLY:
        print_features(f, d, m);
        break;
    case OFP_GET_CONFIG_REPLY:
    case OFP_SET_CONFIG:
        print_config(f, d, m);
        break;
    case OFP_PACKET_IN:
        print_packet_in(f, d, m);
        break;
    case OFP_FLOW_REMOVED:
        print_flow_removed(f, d, m);
        break;
    case OFP_PORT_STATUS:
        print_port_status(f, d, m);
        break;
    case OFP_PACKET_OUT:
        print_packet_out(f, d, m);
        break;
    case OFP_FLOW_MOD:
        print_flow_mod(f, d, m);
        break;
    case OFP_GROUP_MOD:
        print_group_mod(f, m);
        break;
    case OFP_PORT_MOD:
        print_port_mod(f, d, m);
        break;
    case OFP_TABLE_MOD:
        fmt_add(f, " table_id=%u config=0x%x", m->p[8], load_be32(m->p + 12));
        break;
    case OFP_METER_MOD:
        print_meter_mod(f, d, m);
        break;
    case OFP_MULTIPART_REQUEST:
        of_print_request(f, d, m);
        break;
    case OFP_MULTIPART_REPLY:
        of_print_reply(f, d, m);
        break;
    case OFP_QUEUE_GET_CONFIG_REQUEST:
    case OFP_QUEUE_GET_CONFIG_REPLY:
        fmt_add(f, " port=");
        ofp_print_port_no(f, d == OFP_10 ? ofp10_port(load_be16(m->p + 8)) : load_be32(m->p + 8));
        break;
    case OFP_ROLE_REQUEST:
    case OFP_ROLE_REPLY:
        print_role(f, d, m);
        break;
    case OFP_GET_ASYNC_REPLY:
    case OFP_SET_ASYNC:
        print_async(f, d, m);
        break;
    case OFP_HELLO:
    case OFP_FEATURES_REQUEST:
    case OFP_GET_CONFIG_REQUEST:
    case OFP_BARRIER_REQUEST:
    case OFP_BARRIER_REPLY:
    case OFP_GET_ASYNC_REQUEST:
    case POF_RESOURCE_REPORT:
    case POF_COUNTER_MOD:
    case POF_COUNTER_REQUEST:
    case POF_COUNTER_REPLY:
    case POF_QUERYALL_REQUEST:
    case POF_QUERYALL_FIN:
    case OFP_KINDS:
        break;
    }
}
