/* What we write as others read it: Open vSwitch's ovs-ofctl and Wireshark's dissector. */
#include "lib/cmocka_first.h"

#include <unistd.h>

#include "lib/ofp_random.h"

static const enum ofp_dialect dialects[] = {OFP_10, OFP_13};

/* A folder of our own, gone afterwards. */
static char dir[] = "/tmp/mr_ofp_oracle_XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int drop_dir(void **state)
{
    char cmd[100];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

static bool installed(const char *tool)
{
    char cmd[100];

    snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", tool);
    if (system(cmd) == 0)
        return true;
    print_message("# SKIP: %s is not installed\n", tool);
    return false;
}

/* ---- the messages --------------------------------------------------------------------- */

static uint8_t b[OFP_MSG_MAX];

typedef void say_fn(const uint8_t *b, size_t n, void *to);

/* Open vSwitch knows no PBB and no copying of TTLs, and refuses to change what is not matched. */
static void as_ovs_can(struct ofp_actions *a)
{
    const uint32_t fine = 1u << OFPA_OUTPUT | 1u << OFPA_GROUP | 1u << OFPA_SET_QUEUE |
                          1u << OFPA_SET_FIELD | 1u << OFPA_PUSH_VLAN | 1u << OFPA_PUSH_MPLS;
    uint32_t n = 0;

    for (uint32_t i = 0; i < a->n; i++) {
        if ((fine >> a->a[i].type & 1) != 0)
            a->a[n++] = a->a[i];
    }
    a->n = n;
}

static void rnd_flow_for_ovs(struct rng *r, struct ofp_flow *f, enum ofp_dialect d)
{
    rnd_flow(r, f, d);
    f->do_.write.n = 0; /* a set: an action twice is refused */
    if (d == OFP_13)
        as_ovs_can(&f->do_.apply);
    if (f->command >= OFPFC_DELETE)
        f->buffer_id = OFP_NO_BUFFER;
}

static void each_flow(struct rng *r, enum ofp_dialect d, say_fn *say, void *to)
{
    struct ofp_flow f;
    struct ofp_flow_removed gone = {.packets = 3, .bytes = 4, .priority = 9, .duration_s = 5};

    for (unsigned i = 0; i < 150; i++) {
        rnd_flow_for_ovs(r, &f, d);
        say(b, ofp_emit_flow_mod(d, b, sizeof(b), 1, &f), to);
        gone.match = f.match;
        say(b, ofp_emit_flow_removed(d, b, sizeof(b), 1, &gone), to);
        say(b,
            ofp_emit_multipart_request(d, b, sizeof(b), 1, OFPMP_FLOW,
                                       i % 2 == 0 ? NULL : (f.cookie_mask = 0, &f), OFPP_ANY),
            to);
    }
}

static void each_packet(struct rng *r, enum ofp_dialect d, say_fn *say, void *to)
{
    static const uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    struct ofp_actions a;

    for (unsigned i = 0; i < 50; i++) {
        struct ofp_packet_in in = {.buffer_id = OFP_NO_BUFFER,
                                   .in_port = rnd_port(r),
                                   .total_len = 60,
                                   .frame = frame,
                                   .frame_len = 60};
        say(b, ofp_emit_packet_in(d, b, sizeof(b), 2, &in), to);
        rnd_actions(r, &a, d);
        if (d == OFP_13)
            as_ovs_can(&a);
        say(b, ofp_emit_packet_out(d, b, sizeof(b), 2, OFP_NO_BUFFER, in.in_port, &a, frame, 60),
            to);
    }
}

static void each_switch(struct rng *r, enum ofp_dialect d, say_fn *say, void *to)
{
    struct ofp_features f = {.dpid = 0x1234, .buffers = 256, .tables = 2, .capabilities = 7};
    struct ofp_config c = {.miss_send_len = 128};
    struct ofp_role_msg role = {OFP_ROLE_MASTER, d == OFP_13 ? 77 : 0};
    struct ofp_port p[3];

    for (unsigned i = 0; i < 3; i++)
        rnd_port_of(r, &p[i], d);
    say(b, ofp_emit_features_reply(d, b, sizeof(b), 3, &f, p, 3), to);
    say(b, ofp_emit_port_status(d, b, sizeof(b), 3, OFPPR_ADD, p), to);
    say(b, ofp_emit_port_mod(d, b, sizeof(b), 3, p, 1, 1), to);
    say(b, ofp_emit_set_config(d, b, sizeof(b), 3, &c), to);
    say(b, ofp_emit_config(d, b, sizeof(b), 3, OFP_GET_CONFIG_REPLY, &c), to);
    say(b, ofp_emit_role_request(d, b, sizeof(b), 3, &role), to);
    say(b, ofp_emit_role_reply(d, b, sizeof(b), 3, &role), to);
    say(b, ofp_emit(d, b, sizeof(b), OFP_BARRIER_REQUEST, 3, NULL, 0), to);
    say(b, ofp_emit(d, b, sizeof(b), OFP_ECHO_REPLY, 3, "ping", 4), to);
    say(b, ofp_emit_hello(b, sizeof(b), 3, 1u << 1 | 1u << 4), to);
    if (d == OFP_13)
        say(b, ofp_emit_port_desc_reply(d, b, sizeof(b), 3, p, 3), to);
}

static void each_statistic(struct rng *r, enum ofp_dialect d, say_fn *say, void *to)
{
    static struct ofp_flow_stats flows[20];
    struct ofp_port_stats ports[2] = {{.port = 1, .rx_packets = 5}, {.port = OFPP_LOCAL}};
    struct ofp_table_stats table = {.table = 1, .active = 2, .lookups = 3, .name = "one"};
    struct ofp_queue_stats queue = {.port = 1, .queue = 2, .tx_bytes = 3};
    struct ofp_aggregate_stats sum = {1, 2, 3};
    struct ofp_desc desc = {.manufacturer = "Millrace", .serial = "1"};
    size_t used;

    for (unsigned i = 0; i < 20; i++)
        rnd_flow_for_ovs(r, &flows[i].flow, d);
    say(b, ofp_emit_flow_stats_reply(d, b, sizeof(b), 4, flows, 20, &used), to);
    say(b, ofp_emit_port_stats_reply(d, b, sizeof(b), 4, ports, 2, &used), to);
    say(b, ofp_emit_stats_reply(d, b, sizeof(b), 4, OFPMP_TABLE, &table, 1, &used), to);
    say(b, ofp_emit_stats_reply(d, b, sizeof(b), 4, OFPMP_QUEUE, &queue, 1, &used), to);
    say(b, ofp_emit_stats_reply(d, b, sizeof(b), 4, OFPMP_AGGREGATE, &sum, 1, &used), to);
    say(b, ofp_emit_stats_reply(d, b, sizeof(b), 4, OFPMP_DESC, &desc, 1, &used), to);
    for (unsigned t = 0; t < OFPMP_EXPERIMENTER; t++) {
        size_t n =
            ofp_emit_multipart_request(d, b, sizeof(b), 4, (enum ofp_stats)t, NULL, OFPP_ANY);
        if (n > 0)
            say(b, n, to);
    }
}

static void each_of_1_3(say_fn *say, void *to)
{
    static struct ofp_group g = {.type = OFPGT_SELECT, .id = 5, .buckets = 2};
    struct ofp_meter t = {
        .flags = 13, .id = 3, .bands = 2, .band = {{1, 1000, 50, 0}, {2, 500, 20, 2}}};
    struct ofp_group_stats gs = {.id = 5, .ref_count = 1, .packets = 2};
    struct ofp_meter_stats ms = {.id = 3, .flows = 1, .packets_in = 2};
    struct ofp_table_mod tm = {.table = 3};
    struct ofp_async a = {.packet_in = {7, 0}, .port_status = {7, 7}, .flow_removed = {15, 0}};
    size_t used;

    for (unsigned i = 0; i < 2; i++) {
        g.bucket[i] = (struct ofp_bucket){
            .weight = (uint16_t)(i + 1), .watch_port = OFPP_ANY, .watch_group = OFPP_ANY};
        g.bucket[i].actions.n = 1;
        g.bucket[i].actions.a[0] = (struct ofp_action){.type = OFPA_OUTPUT, .port = i + 1};
    }
    say(b, ofp_emit_group_mod(OFP_13, b, sizeof(b), 5, &g), to);
    say(b, ofp_emit_meter_mod(OFP_13, b, sizeof(b), 5, &t), to);
    say(b, ofp_emit_table_mod(OFP_13, b, sizeof(b), 5, &tm), to);
    say(b, ofp_emit_async(OFP_13, b, sizeof(b), 5, OFP_SET_ASYNC, &a), to);
    say(b, ofp_emit_stats_reply(OFP_13, b, sizeof(b), 5, OFPMP_GROUP, &gs, 1, &used), to);
    say(b, ofp_emit_stats_reply(OFP_13, b, sizeof(b), 5, OFPMP_GROUP_DESC, &g, 1, &used), to);
    say(b, ofp_emit_stats_reply(OFP_13, b, sizeof(b), 5, OFPMP_METER, &ms, 1, &used), to);
    say(b, ofp_emit_stats_reply(OFP_13, b, sizeof(b), 5, OFPMP_METER_CONFIG, &t, 1, &used), to);
}

static void each_message(say_fn *say, void *to)
{
    struct rng r;

    rng_init(&r, 11);
    for (unsigned v = 0; v < 2; v++) {
        each_flow(&r, dialects[v], say, to);
        each_packet(&r, dialects[v], say, to);
        each_switch(&r, dialects[v], say, to);
        each_statistic(&r, dialects[v], say, to);
    }
    each_of_1_3(say, to);
}

struct sink {
    FILE *f;
    unsigned n;
    uint32_t seq;
};

static void say_raw(const uint8_t *msg, size_t n, void *to)
{
    struct sink *s = to;

    assert_true(n > 0);
    assert_int_equal(fwrite(msg, 1, n, s->f), n);
    s->n++;
}

/* ---- the judges ----------------------------------------------------------------------- */

static FILE *ovs_reads(void (*each)(say_fn *say, void *to), struct sink *s)
{
    char path[100], cmd[200];

    snprintf(path, sizeof(path), "%s/ovs.raw", dir);
    s->f = fopen(path, "w");
    assert_non_null(s->f);
    each(say_raw, s);
    fclose(s->f);
    snprintf(cmd, sizeof(cmd), "timeout 30 ovs-ofctl ofp-parse %s 2>&1", path);
    FILE *p = popen(cmd, "r");
    assert_non_null(p);
    return p;
}

static void ovs_ofctl_reads_every_message(void **state)
{
    struct sink s = {0};
    char line[4096];
    unsigned heads = 0, errors = 0;

    (void)state;
    if (!installed("ovs-ofctl"))
        skip();
    FILE *p = ovs_reads(each_message, &s);
    while (fgets(line, sizeof(line), p) != NULL) {
        heads += strstr(line, " (xid=0x") != NULL;
        if (strstr(line, "***") != NULL || strstr(line, "|WARN|") != NULL) {
            errors++;
            print_message("# %s", line);
        }
    }
    pclose(p);
    assert_int_equal(errors, 0);
    assert_int_equal(heads, s.n);
}

/* Every number is another one, so that none can stand in the place of another. */
static void each_with_numbers(say_fn *say, void *to)
{
    static struct ofp_flow_stats fs;
    const struct ofp_port port = {.no = 3,
                                  .mac = {{2, 4, 6, 8, 10, 12}},
                                  .name = "eth3",
                                  .link_down = true,
                                  .curr = 0x40,
                                  .curr_kbps = 7000000,
                                  .max_kbps = 9000000};
    const struct ofp_features feat = {
        .dpid = 0x1122334455667788, .buffers = 99, .tables = 5, .auxiliary = 2, .capabilities = 1};
    struct ofp_flow_removed gone = {.cookie = 0x11,
                                    .priority = 12,
                                    .reason = 1,
                                    .duration_s = 13,
                                    .duration_ns = 14000000,
                                    .idle_timeout = 15,
                                    .packets = 16,
                                    .bytes = 17};
    const struct ofp_port_stats ps = {3, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};
    const struct ofp_packet_in in = {.buffer_id = 0x77,
                                     .in_port = 4,
                                     .total_len = 300,
                                     .reason = OFPR_ACTION,
                                     .table = 6,
                                     .cookie = 0x55,
                                     .frame = (const uint8_t *)"0123456789abcdef",
                                     .frame_len = 14};
    size_t used;

    ofp_match_set_u64(&gone.match, OFPF_IN_PORT, 8);
    ofp_flow_init(&fs.flow);
    fs = (struct ofp_flow_stats){
        .flow = fs.flow, .duration_s = 21, .duration_ns = 22000000, .packets = 23, .bytes = 24};
    fs.flow.priority = 25;
    fs.flow.idle_timeout = 26;
    fs.flow.hard_timeout = 27;
    fs.flow.cookie = 0x28;
    fs.flow.table = 29;
    for (unsigned v = 0; v < 2; v++) {
        enum ofp_dialect d = dialects[v];
        gone.hard_timeout = d == OFP_13 ? 18 : 0;
        gone.table = d == OFP_13 ? 19 : 0;
        say(b, ofp_emit_features_reply(d, b, sizeof(b), 1, &feat, &port, 1), to);
        say(b, ofp_emit_port_status(d, b, sizeof(b), 2, OFPPR_DELETE, &port), to);
        say(b, ofp_emit_packet_in(d, b, sizeof(b), 3, &in), to);
        say(b, ofp_emit_flow_removed(d, b, sizeof(b), 4, &gone), to);
        say(b, ofp_emit_flow_stats_reply(d, b, sizeof(b), 5, &fs, 1, &used), to);
        say(b, ofp_emit_port_stats_reply(d, b, sizeof(b), 6, &ps, 1, &used), to);
    }
}

static void ovs_ofctl_reads_the_numbers_we_meant(void **state)
{
    static const char *const want[] = {
        "dpid:1122334455667788\nn_tables:5, n_buffers:99\ncapabilities: FLOW_STATS\n",
        " 3(eth3): addr:02:04:06:08:0a:0c\n     config:     0\n     state:      LINK_DOWN\n",
        "(xid=0x2): DEL: 3(eth3): addr:02:04:06:08:0a:0c\n",
        "(xid=0x3): total_len=300 in_port=4 (via action) data_len=14 buffer=0x00000077\n",
        "dl_src=36:37:38:39:61:62,dl_dst=30:31:32:33:34:35,dl_type=0x6364",
        "priority=12,in_port=8 reason=hard cookie:0x11 duration13.014s idle15 pkts16 bytes17\n",
        "cookie=0x28, duration=21.022s, table=29, n_packets=23, n_bytes=24, idle_timeout=26, "
        "hard_timeout=27, priority=25 actions=drop\n",
        "port  3: rx pkts=11, bytes=13, drop=15, errs=17, frame=19, over=20, crc=21\n",
        "tx pkts=12, bytes=14, drop=16, errs=18, coll=22\n",
        "(OF1.3) (xid=0x1): dpid:1122334455667788\nn_tables:5, n_buffers:99, auxiliary_id:2\n",
        "(OF1.3) (xid=0x2): DEL: 3(eth3): addr:02:04:06:08:0a:0c\n",
        "speed: 7000 Mbps now, 9000 Mbps max\n",
        "(OF1.3) (xid=0x3): table_id=6 cookie=0x55 total_len=300 in_port=4 (via action) "
        "data_len=14 buffer=0x00000077\n",
        "(OF1.3) (xid=0x4): priority=12,in_port=8 reason=hard table_id=19 cookie:0x11 "
        "duration13.014s idle15 hard18 pkts16 bytes17\n",
        "cookie=0x28, duration=21.022s, table=29, n_packets=23, n_bytes=24, idle_timeout=26, "
        "hard_timeout=27, priority=25 actions=drop\n",
        "port  3: rx pkts=11, bytes=13, drop=15, errs=17, frame=19, over=20, crc=21\n",
        "tx pkts=12, bytes=14, drop=16, errs=18, coll=22\n",
        "duration=23.000000024s\n",
    };
    struct sink s = {0};
    static char all[16384];
    size_t n = 0;

    (void)state;
    if (!installed("ovs-ofctl"))
        skip();
    FILE *p = ovs_reads(each_with_numbers, &s);
    n = fread(all, 1, sizeof(all) - 1, p);
    pclose(p);
    all[n] = '\0';
    const char *at = all;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const char *found = strstr(at, want[i]);
        if (found == NULL)
            print_message("# %s is not in:\n%s", want[i], at);
        assert_non_null(found);
        at = found;
    }
}

/* Wireshark's dissector of 1.0 takes a first action to be there, and in a PACKET_OUT no second. */
static bool is_misread(const uint8_t *msg, size_t n)
{
    if (msg[0] != OFP_VERSION_10)
        return false;
    return (msg[1] == 14 && n == 72) ||
           (msg[1] == 13 &&
            (load_be16(msg + 14) == 0 || load_be16(msg + 14) != load_be16(msg + 18)));
}

/* A packet of a capture: Ethernet, IPv4, TCP to 6653 and the message. */
static void say_packet(const uint8_t *msg, size_t n, void *to)
{
    struct sink *s = to;
    uint8_t h[54] = {[12] = 8,  [14] = 0x45, [22] = 64,   [23] = 6,    [26] = 10,  [29] = 1,
                     [30] = 10, [33] = 2,    [46] = 0x50, [47] = 0x18, [48] = 0x20};
    uint32_t head[4] = {s->n, 0, (uint32_t)(sizeof(h) + n), (uint32_t)(sizeof(h) + n)};

    if (n > 60000 || is_misread(msg, n))
        return;
    store_be16(h + 16, (uint16_t)(sizeof(h) - 14 + n));
    store_be16(h + 34, 40000);
    store_be16(h + 36, 6653);
    store_be32(h + 38, s->seq);
    fwrite(head, sizeof(head), 1, s->f);
    fwrite(h, sizeof(h), 1, s->f);
    fwrite(msg, n, 1, s->f);
    s->seq += (uint32_t)n;
    s->n++;
}

static void wireshark_finds_no_message_malformed(void **state)
{
    static const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
    struct sink s = {.seq = 1};
    char path[100], cmd[300], line[1000];
    unsigned lines = 0, bad = 0;

    (void)state;
    if (!installed("tshark"))
        skip();
    snprintf(path, sizeof(path), "%s/of.pcap", dir);
    s.f = fopen(path, "w");
    assert_non_null(s.f);
    fwrite(head, sizeof(head), 1, s.f);
    each_message(say_packet, &s);
    fclose(s.f);
    snprintf(cmd, sizeof(cmd),
             "timeout 50 tshark -n -r %s -d tcp.port==6653,openflow -T fields -e frame.number "
             "-e openflow.version -e _ws.malformed -e _ws.col.Info 2>/dev/null",
             path);
    FILE *p = popen(cmd, "r");
    assert_non_null(p);
    while (fgets(line, sizeof(line), p) != NULL) {
        bool malformed = strstr(line, "alformed") != NULL || strstr(line, "OFPT_") == NULL;
        if (malformed)
            print_message("# %s", line);
        bad += malformed;
        lines++;
    }
    pclose(p);
    assert_int_equal(bad, 0);
    assert_int_equal(lines, s.n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ovs_ofctl_reads_every_message),
        cmocka_unit_test(ovs_ofctl_reads_the_numbers_we_meant),
        cmocka_unit_test(wireshark_finds_no_message_malformed),
    };

    return cmocka_run_group_tests_name("ofp_oracle", tests, make_dir, drop_dir);
}
