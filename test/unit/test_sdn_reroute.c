/* sdn: deletions of flows that a change has made wrong, in words that the dialect has. */
#include "lib/sdn_world.h"

/* The FLOW_MODs that a port's flows are deleted by. */
static unsigned deletions(enum ofp_dialect d, struct ofp_flow *out)
{
    struct sdn_config c = world_config();
    struct sdn_world w;
    struct sdn_line l;
    struct sdn_switch *sw;
    const uint8_t *p;
    unsigned n = 0;

    c.mode = SDN_NETWORK;
    world_open(&w, &c);
    line_open(&l, &w, d);
    line_up(&l, 0x77);
    sw = sdn_switch_find(w.s, 0x77);
    assert_non_null(sw);
    reroute_port(w.s, sw, 3);
    world_advance(&w, 10000);
    while ((p = line_next(&l)) != NULL) {
        struct ofp_msg m = {.p = p, .len = load_be16(p + 2)};
        if (p[1] != 14)
            continue;
        assert_int_equal(ofp_parse_flow_mod(d, &m, out), OFP_OK);
        n += out->command == OFPFC_DELETE && out->out_port == 3;
    }
    world_close(&w);
    return n;
}

static void in_1_0_flows_out_of_a_lost_port_are_deleted_whoever_put_them_there(void **state)
{
    struct ofp_flow f;

    (void)state;
    assert_int_equal(deletions(OFP_10, &f), 1);
}

static void in_1_3_only_those_of_our_cookies_are(void **state)
{
    struct ofp_flow f;

    (void)state;
    assert_int_equal(deletions(OFP_13, &f), 1);
    assert_int_equal(f.cookie_mask, FLOW_OURS_MASK);
    assert_int_equal(f.cookie >> 48, FLOW_MAGIC);
}

/* A switch of 1.0 says in which of its tables a flow lies, and nobody can say it back. */
static void in_1_0_a_stale_flow_is_deleted_whatever_table_it_lies_in(void **state)
{
    static struct ofp_flow_stats old;
    struct sdn_config c = world_config();
    struct ofp_flow got = {.command = OFPFC_ADD};
    struct ofp_multipart mp;
    struct sdn_world w;
    struct sdn_line l;
    struct ofp_msg m;
    const uint8_t *p;
    uint8_t b[512];
    uint32_t need;
    size_t used;

    (void)state;
    c.mode = SDN_NETWORK;
    world_open(&w, &c);
    line_open(&l, &w, OFP_10);
    line_up(&l, 0x77);
    while (line_next(&l) != NULL)
        ;
    ofp_flow_init(&old.flow);
    old.flow.table = 1;
    old.flow.cookie = (w.s->net->cookie ^ 1ull << 40) & FLOW_OURS_MASK;
    ofp_match_set_u64(&old.flow.match, OFPF_IN_PORT, 2);
    size_t n = ofp_emit_flow_stats_reply(OFP_10, b, sizeof(b), 1, &old, 1, &used);
    assert_int_equal(ofp_frame(OFP_10, OFP_FROM_SWITCH, b, n, &m, &need), OFP_OK);
    assert_int_equal(ofp_parse_multipart(OFP_10, &m, &mp), OFP_OK);
    net_multipart(w.s, sdn_switch_find(w.s, 0x77), 1, &mp);
    while ((p = line_next(&l)) != NULL) {
        m = (struct ofp_msg){.p = p, .len = load_be16(p + 2)};
        if (p[1] == 14)
            assert_int_equal(ofp_parse_flow_mod(OFP_10, &m, &got), OFP_OK);
    }
    assert_int_equal(got.command, OFPFC_DELETE_STRICT);
    assert_true(ofp_match_eq(&got.match, &old.flow.match));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_1_0_flows_out_of_a_lost_port_are_deleted_whoever_put_them_there),
        cmocka_unit_test(in_1_3_only_those_of_our_cookies_are),
        cmocka_unit_test(in_1_0_a_stale_flow_is_deleted_whatever_table_it_lies_in),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
