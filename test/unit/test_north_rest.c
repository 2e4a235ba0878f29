/* The REST interface on a source that is no controller: routes, manners, tokens, wrong bodies. */
#include "lib/north_world.h"

/* ---- ours ---- */

static void lists_of_all_cores_are_one_list(void **state)
{
    (void)state;
    json_t *j = get("/v1/switches");
    assert_string_equal(at(j, "switches.0.dpid"), "0000000000000001");
    assert_string_equal(at(j, "switches.1.dpid"), "0000000000000002");
    j = get("/v1/hosts");
    assert_int_equal(json_array_size(json_object_get(j, "hosts")), 2);
    assert_string_equal(at(j, "hosts.1.mac"), "02:00:00:00:00:bb");
    j = get("/v1/counters");
    assert_string_equal(at(j, "sum.sdn.packet_ins"), "42");
    assert_string_equal(at(j, "cores.1.sdn.packet_ins"), "21");
    j = get("/v1/topology/");
    assert_string_equal(at(j, "links.0.dst_dpid"), "0000000000000002");
}

static void events_are_sorted_and_say_where_to_go_on(void **state)
{
    (void)state;
    json_t *j = get("/v1/events?since=1.2");
    assert_string_equal(at(j, "events.0.text"), "a");
    assert_string_equal(at(j, "events.1.text"), "b");
    assert_string_equal(at(j, "next"), "3.9");
    http("GET", "/v1/events?since=x", NULL, NULL);
    assert_int_equal(reply->status, 400);
}

static void the_core_that_is_named_is_asked(void **state)
{
    (void)state;
    json_t *j = get("/v1/switches/2");
    assert_string_equal(at(j, "dpid"), "0000000000000002");
    get("/v1/switches/of:0000000000000002/ports");
    http("GET", "/v1/switches/3", NULL, NULL);
    assert_int_equal(reply->status, 404);
    assert_string_equal(at(reply->json, "error"), "no such switch");
    http("GET", "/v1/switches/zebra", NULL, NULL);
    assert_int_equal(reply->status, 400);
}

static void a_flow_reaches_the_core_as_it_was_meant(void **state)
{
    (void)state;
    http("POST", "/v1/switches/1/flows", NULL,
         "{\"priority\":7,\"match\":{\"in_port\":1,\"eth_type\":\"0x0800\",\"ipv4_dst\":\"10.1.0.0/"
         "16\","
         "\"vlan_vid\":9},\"actions\":[{\"type\":\"SET_FIELD\",\"field\":\"eth_src\",\"value\":"
         "\"02:00:00:00:00:01\"},{\"type\":\"OUTPUT\",\"port\":\"CONTROLLER\"},"
         "{\"type\":\"GOTO_TABLE\",\"table_id\":3}]}");
    assert_int_equal(reply->status, 201);
    assert_int_equal(fake.last.kind, SDN_DO_FLOW);
    assert_int_equal(fake.flow.command, OFPFC_ADD);
    assert_int_equal(fake.flow.priority, 7);
    assert_int_equal(fake.flow.match.n, 4);
    assert_int_equal(ofp_tlv_u64(ofp_match_find(&fake.flow.match, OFPF_VLAN_VID)), 0x1009);
    assert_memory_equal(ofp_match_find(&fake.flow.match, OFPF_IPV4_DST)->mask, "\xff\xff\0\0", 4);
    assert_int_equal(fake.flow.do_.apply.n, 2);
    assert_int_equal(fake.flow.do_.apply.a[1].port, OFPP_CONTROLLER);
    assert_true(fake.flow.do_.has_goto);
    assert_int_equal(fake.flow.do_.goto_table, 3);
}

static void what_the_core_says_is_the_answer(void **state)
{
    (void)state;
    fake.status = 502;
    fake.text = "{\"error\":\"the switch refused: FLOW_MOD_FAILED/TABLE_FULL\"}";
    http("POST", "/v1/switches/1/flows", NULL, "{\"match\":{}}");
    assert_int_equal(reply->status, 502);
    assert_string_equal(at(reply->json, "error"), "the switch refused: FLOW_MOD_FAILED/TABLE_FULL");
    fake.status = 202;
    fake.text = NULL;
    http("POST", "/v1/switches/1/flows", NULL, "{\"match\":{}}");
    assert_int_equal(reply->status, 202);
    fake.status = 504;
    http("PUT", "/v1/switches/1/ports/1", NULL, "{\"up\":false}");
    assert_int_equal(reply->status, 504);
    assert_false(fake.last.flag);
}

static void an_entry_of_pof_is_passed_on_in_words(void **state)
{
    static const char *const bad[] = {"{}",
                                      "{\"table\":1}",
                                      "{\"table\":\"t\",\"match\":[]}",
                                      "{\"table\":\"t\",\"match\":{\"a.b\":1}}",
                                      "{\"table\":\"t\",\"steps\":{}}",
                                      "{\"table\":\"t\",\"steps\":[1]}",
                                      "{\"id\":-1}",
                                      "{\"table\":\"t\",\"more\":1}"};
    (void)state;

    http("POST", "/v1/pof/1/entries", NULL,
         "{\"table\":\"labels\",\"priority\":4,\"match\":{\"label.id\":\"0x11\"},"
         "\"steps\":[\"set label.id 0x22\",\"output 3\"]}");
    assert_int_equal(reply->status, 201);
    assert_string_equal(fake.said, "labels|label.id=0x11|set label.id 0x22");
    assert_int_equal(fake.words.steps, 2);
    assert_int_equal(fake.words.priority, 4);
    http("DELETE", "/v1/pof/1/entries", NULL, "{\"id\":9}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(fake.words.id, 9);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        http("POST", "/v1/pof/1/entries", NULL, bad[i]);
        assert_int_equal(reply->status, 400);
    }
}

/* ---- wrong bodies ---- */

static void a_wrong_body_is_refused_with_where_and_what(void **state)
{
    static const struct {
        const char *body, *error;
    } bad[] = {
        {"", "body: is missing (Flow)"},
        {"[1]", "body: line 1 column 1: an object is wanted"},
        {"{\"match\":", NULL},
        {"{\"match\":{},\"match\":{}}", NULL},
        {"{\"priority\":65536}", "priority: is more than 65535"},
        {"{\"priority\":-1}", "priority: is negative"},
        {"{\"priority\":1.5}", "priority: not a number"},
        {"{\"prio\":1}", "body: 'prio' is not known here"},
        {"{\"match\":[]}", "match: not an object"},
        {"{\"match\":{\"colour\":1}}", "match.colour: no such field"},
        {"{\"match\":{\"eth_dst\":\"02:00:00:00:00\"}}",
         "match.eth_dst: '02:00:00:00:00' is no value of eth_dst (48 bits)"},
        {"{\"match\":{\"eth_type\":65536}}",
         "match.eth_type: '65536' is no value of eth_type (16 bits)"},
        {"{\"match\":{\"eth_type\":\"0x800/0xff00\"}}", "match.eth_type: eth_type takes no mask"},
        {"{\"match\":{\"in_port\":0}}", "match.in_port: there is no port 0"},
        {"{\"match\":{\"eth_dst\":{}}}", "match.eth_dst: neither a number nor a short string"},
        {"{\"actions\":{}}", "actions: not an array"},
        {"{\"actions\":[1]}", "actions[0]: not an object"},
        {"{\"actions\":[{}]}", "actions[0]: no action or instruction ''"},
        {"{\"actions\":[{\"type\":\"FLY\"}]}", "actions[0]: no action or instruction 'FLY'"},
        {"{\"actions\":[{\"type\":\"OUTPUT\"}]}", "actions[0] (OUTPUT): 'port' is missing"},
        {"{\"actions\":[{\"type\":\"OUTPUT\",\"port\":\"x\"}]}",
         "actions[0] (OUTPUT): 'x' is not a number"},
        {"{\"buffer_id\":5}", "buffer_id: a buffer belongs to a packet-in, not to an operator"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        http("POST", "/v1/switches/1/flows", NULL, bad[i].body);
        assert_int_equal(reply->status, 400);
        if (bad[i].error)
            assert_string_equal(at(reply->json, "error"), bad[i].error);
    }
    http("POST", "/v1/switches/1/flows", NULL, "{\"match\":{\"ipv4_dst\":\"10.0.0.1\"}}");
    assert_int_equal(reply->status, 400); /* no eth_type beside it */
    /* No datapath id, and none behind its prefix: one byte beyond the string was looked at. */
    http("POST", "/onos/v1/flows", NULL, "{\"flows\":[{}]}");
    assert_int_equal(reply->status, 400);
    http("POST", "/onos/v1/flows", NULL, "{\"flows\":[{\"deviceId\":\"of:\"}]}");
    assert_int_equal(reply->status, 400);
    assert_int_equal(fake.last.kind, 0);
}

/* Bodies that were right, changed at random places: each is answered, and the next one too. */
static void whatever_the_bytes_of_a_body_are_it_is_answered(void **state)
{
    static const char *const good[][2] = {
        {"/v1/switches/1/flows",
         "{\"priority\":7,\"match\":{\"eth_type\":2048,\"ipv4_dst\":\"10.1.0.0/"
         "16\",\"vlan_vid\":9},"
         "\"actions\":[{\"type\":\"SET_FIELD\",\"field\":\"eth_src\",\"value\":"
         "\"02:00:00:00:00:01\"},{\"type\":\"WRITE_ACTIONS\",\"actions\":[{\"type\":\"OUTPUT\","
         "\"port\":\"ALL\"}]},{\"type\":\"METER\",\"meter_id\":3}]}"},
        {"/onos/v1/flows/of:0000000000000001",
         "{\"treatment\":{\"instructions\":[{\"type\":\"L3MODIFICATION\",\"subtype\":\"IPV4_SRC\","
         "\"ip\":\"10.0.0.1\"}],\"deferred\":[{\"type\":\"OUTPUT\",\"port\":\"2\"}]},\"selector\":"
         "{\"criteria\":[{\"type\":\"ETH_TYPE\",\"ethType\":\"0x800\"},{\"type\":\"IPV6_SRC\","
         "\"ip\":\"fe80::/10\"}]}}"},
        {"/stats/groupentry/add",
         "{\"dpid\":1,\"type\":\"SELECT\",\"group_id\":4,\"buckets\":[{\"weight\":3,\"actions\":"
         "[{\"type\":\"OUTPUT\",\"port\":1}]}]}"},
        {"/onos/v1/meters/1",
         "{\"id\":\"7\",\"unit\":\"KB_PER_SEC\",\"bands\":[{\"type\":\"REMARK\",\"rate\":\"5\"}]}"},
        {"/v1/pof/1/entries", "{\"table\":\"t\",\"match\":{\"a.b\":\"1\"},\"steps\":[\"drop\"]}"},
    };
    static const char some[] = "{}[]\",:0129afx/.-\\ \x01\xff";
    uint32_t draw = 1;
    (void)state;

    for (unsigned i = 0; i < 1500; i++) {
        char body[1024];
        size_t which = i % ARRAY_LEN(good), n = strlen(good[which][1]);
        memcpy(body, good[which][1], n + 1);
        for (unsigned k = 0; k <= i % 4; k++) {
            draw = draw * 1664525u + 1013904223u;
            body[(draw >> 8) % n] = some[(draw >> 24) % (sizeof(some) - 1)];
        }
        if (i % 7 == 0)
            body[(draw >> 4) % n] = '\0'; /* cut there */
        http("POST", good[which][0], NULL, body);
        assert_true(reply->status == 200 || reply->status == 201 || reply->status == 400 ||
                    reply->status == 404);
        assert_true(reply->status < 400 || json_object_get(reply->json, "error") != NULL);
    }
}

static void more_than_the_limit_is_refused(void **state)
{
    size_t n = 2u << 20;
    char *body = malloc(n + 1);

    (void)state;
    memset(body, ' ', n);
    body[n] = '\0';
    http("POST", "/v1/switches/1/flows", NULL, body);
    assert_int_equal(reply->status, 413);
    /* 40 actions. */
    strcpy(body, "{\"actions\":[");
    for (int i = 0; i < 40; i++)
        strcat(body, i ? ",{\"type\":\"OUTPUT\",\"port\":1}" : "{\"type\":\"OUTPUT\",\"port\":1}");
    strcat(body, "]}");
    http("POST", "/v1/switches/1/flows", NULL, body);
    assert_int_equal(reply->status, 400);
    free(body);
}

static void paths_and_verbs_that_are_none_are_refused(void **state)
{
    (void)state;
    http("GET", "/nothing", NULL, NULL);
    assert_int_equal(reply->status, 404);
    http("GET", "/v1/switches/1/flows/%00", NULL, NULL);
    assert_int_equal(reply->status, 404);
    http("POST", "/v1/switches", NULL, "{}");
    assert_int_equal(reply->status, 405);
    http("GET", "/v1/switches/%2", NULL, NULL);
    assert_int_equal(reply->status, 404);
}

/* ---- the manners of others ---- */

static void ryus_users_find_what_they_know(void **state)
{
    (void)state;
    json_t *j = get("/stats/switches");
    assert_string_equal(at(j, "1"), "2");
    j = get("/stats/desc/1");
    assert_string_equal(at(j, "1.hw_desc"), "H");
    j = get("/stats/flow/1");
    assert_string_equal(at(j, "1.0.actions.0"), "OUTPUT:2");
    assert_string_equal(at(j, "1.0.actions.1"), "SET_FIELD: {eth_dst:02:00:00:00:00:09}");
    assert_string_equal(at(j, "1.0.actions.2"), "GOTO_TABLE:1");
    assert_string_equal(at(j, "1.0.match.nw_dst"), "10.0.0.0/255.0.0.0");
    assert_string_equal(at(j, "1.0.match.dl_vlan"), "5");
    assert_string_equal(at(j, "1.0.packet_count"), "10");
    j = get("/stats/aggregateflow/1");
    assert_string_equal(at(j, "1.0.flow_count"), "1");
    j = get("/stats/port/2");
    assert_string_equal(at(j, "2.0.rx_bytes"), "100");
    j = get("/v1.0/topology/links");
    assert_string_equal(at(j, "0.src.port_no"), "00000002");
    assert_string_equal(at(j, "0.src.name"), "s1-eth2");
    j = get("/v1.0/topology/hosts");
    assert_string_equal(at(j, "0.ipv4.0"), "10.0.0.1");
    http("POST", "/stats/flowentry/delete_strict", NULL,
         "{\"dpid\":1,\"priority\":5,\"match\":{\"nw_src\":\"10.0.0.1\",\"dl_type\":2048,\"nw_"
         "proto\":17,"
         "\"tp_dst\":53}}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(fake.flow.command, OFPFC_DELETE_STRICT);
    assert_non_null(ofp_match_find(&fake.flow.match, OFPF_UDP_DST));
    http("POST", "/stats/groupentry/add", NULL,
         "{\"dpid\":1,\"type\":\"SELECT\",\"group_id\":4,\"buckets\":[{\"weight\":3,\"actions\":"
         "[{\"type\":\"OUTPUT\",\"port\":1}]}]}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(fake.group.type, OFPGT_SELECT);
    assert_int_equal(fake.group.bucket[0].weight, 3);
    http("POST", "/stats/meterentry/add", NULL,
         "{\"dpid\":1,\"flags\":\"KBPS\",\"meter_id\":1,\"bands\":[{\"type\":\"DROP\",\"rate\":"
         "1000}]}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(fake.meter.band[0].rate, 1000);
    http("POST", "/stats/role", NULL, "{\"dpid\":1,\"role\":\"MASTER\"}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(fake.last.role, OFP_ROLE_MASTER);
    http("POST", "/stats/flowentry/add", NULL, "{\"match\":{}}");
    assert_string_equal(at(reply->json, "error"), "dpid: is missing");
}

static void onoss_users_find_what_they_know(void **state)
{
    char path[128];
    (void)state;

    json_t *j = get("/onos/v1/devices");
    assert_string_equal(at(j, "devices.0.id"), "of:0000000000000001");
    assert_string_equal(at(j, "devices.0.annotations.managementAddress"), "10.0.0.1");
    j = get("/onos/v1/devices/of:0000000000000001/ports");
    assert_string_equal(at(j, "ports.0.port"), "1");
    assert_string_equal(at(j, "ports.1.isEnabled"), "false");
    j = get("/onos/v1/hosts");
    assert_string_equal(at(j, "hosts.0.id"), "02:00:00:00:00:aa/None");
    assert_string_equal(at(j, "hosts.1.locations.0.elementId"), "of:0000000000000002");
    j = get("/onos/v1/topology");
    assert_string_equal(at(j, "clusters"), "1");
    j = get("/onos/v1/links?device=of:0000000000000001");
    assert_string_equal(at(j, "links.0.src.port"), "2");
    j = get("/onos/v1/flows/of:0000000000000001");
    assert_string_equal(at(j, "flows.0.selector.criteria.1.ethType"), "0x800");
    assert_string_equal(at(j, "flows.0.treatment.instructions.0.port"), "2");
    snprintf(path, sizeof(path), "/onos/v1/flows/of:0000000000000001/%s", at(j, "flows.0.id"));
    http("DELETE", path, NULL, NULL);
    assert_int_equal(reply->status, 204);
    assert_int_equal(fake.flow.command, OFPFC_DELETE_STRICT);
    assert_int_equal(fake.flow.match.n, 4);
    http("POST", "/onos/v1/flows/of:0000000000000001?appId=x", NULL,
         "{\"priority\":40000,\"timeout\":0,\"isPermanent\":true,\"deviceId\":\"of:"
         "0000000000000001\","
         "\"treatment\":{\"instructions\":[{\"type\":\"OUTPUT\",\"port\":\"CONTROLLER\"},"
         "{\"type\":\"L2MODIFICATION\",\"subtype\":\"ETH_SRC\",\"mac\":\"02:00:00:00:00:01\"}]},"
         "\"selector\":{\"criteria\":[{\"type\":\"ETH_TYPE\",\"ethType\":\"0x88cc\"},"
         "{\"type\":\"IN_PORT\",\"port\":\"1\"}]}}");
    assert_int_equal(reply->status, 201);
    assert_int_equal(fake.flow.priority, 40000);
    assert_int_equal(fake.flow.do_.apply.a[1].type, OFPA_SET_FIELD);
    http("POST", "/onos/v1/flows/of:0000000000000001", NULL,
         "{\"selector\":{\"criteria\":[{\"type\":\"SMELL\"}]}}");
    assert_string_equal(at(reply->json, "error"), "selector.criteria[0]: no criterion 'SMELL'");
    http(
        "POST", "/onos/v1/meters/of:0000000000000001", NULL,
        "{\"unit\":\"KB_PER_SEC\",\"burst\":true,\"bands\":[{\"type\":\"REMARK\",\"rate\":\"5201\","
        "\"burstSize\":\"5\",\"prec\":\"1\"}]}");
    assert_int_equal(reply->status, 201);
    assert_int_equal(fake.meter.id, 1);
    assert_int_equal(fake.meter.flags, 5);
    assert_int_equal(fake.meter.band[0].type, 2);
}

static void prometheus_finds_faucets_names(void **state)
{
    (void)state;
    get("/metrics");
    assert_non_null(strstr(reply->text, "\nof_packet_ins{dp_id=\"0x1\",dp_name=\"s1\"} 7\n"));
    assert_non_null(strstr(reply->text, "\nof_flowmsgs_sent{dp_id=\"0x2\",dp_name=\"s2\"} 5\n"));
    assert_non_null(strstr(reply->text, "port_status{dp_id=\"0x1\",dp_name=\"s1\",port=\"2\","
                                        "port_description=\"s1-eth2\"} 0\n"));
    assert_non_null(strstr(reply->text, "\nmillrace_sdn_packet_ins 42\n"));
    assert_non_null(strstr(reply->text, "mfr_desc=\"M\\\"x\""));
    assert_non_null(strstr(reply->text, "\n# TYPE dp_status gauge\n"));
    assert_non_null(strstr(reply->text, "\ndp_status{dp_id=\"0x1\",dp_name=\"s1\"} 1\n"));
    assert_non_null(strstr(reply->text, "\ndp_status{dp_id=\"0x9\","));
    assert_non_null(strstr(reply->text, "\nof_dp_connections{dp_id=\"0x1\",dp_name=\"s1\"} 4\n"));
}

static void the_document_has_every_path_and_no_other(void **state)
{
    json_t *paths = json_incref(json_object_get(get("/openapi.json"), "paths")), *ops, *op;
    const char *path, *verb;
    char shown[200];
    unsigned n = 0;

    (void)state;
    json_object_foreach(paths, path, ops) json_object_foreach(ops, verb, op)
    {
        char upper[8] = "";
        for (int i = 0; verb[i] && i < 7; i++)
            upper[i] = (char)(verb[i] & ~0x20);
        size_t k = 0;
        for (const char *s = path; *s && k < sizeof(shown) - 2; s++) {
            if (*s != '{') {
                shown[k++] = *s;
                continue;
            }
            shown[k++] = '1';
            s += strcspn(s, "}");
        }
        shown[k] = '\0';
        http(upper, shown, NULL, NULL);
        assert_int_not_equal(reply->status, 405);
        n++;
    }
    json_decref(paths);
    assert_true(n > 80);
}

static void the_page_needs_no_token_and_the_rest_does(void **state)
{
    (void)state;
    http("GET", "/", NULL, NULL);
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->text, "text/html"));
    http("GET", "/v1/switches", NULL, NULL);
    assert_int_equal(reply->status, 401);
    assert_non_null(strstr(reply->text, "WWW-Authenticate: Bearer"));
    http("GET", "/v1/switches", "Authorization: Bearer reader-12\r\n", NULL);
    assert_int_equal(reply->status, 401);
    http("GET", "/v1/switches", "Authorization: Bearer reader-123\r\n", NULL);
    assert_int_equal(reply->status, 200);
    http("POST", "/v1/switches/1/flows", "Authorization: Bearer reader-123\r\n", "{\"match\":{}}");
    assert_int_equal(reply->status, 403);
    http("POST", "/v1/switches/1/flows", "Authorization: Bearer writer-456\r\n", "{\"match\":{}}");
    assert_int_equal(reply->status, 201);
    /* onos:reader-123 */
    http("GET", "/onos/v1/devices", "Authorization: Basic b25vczpyZWFkZXItMTIz\r\n", NULL);
    assert_int_equal(reply->status, 200);
}

static void pages_of_other_sites_are_kept_out(void **state)
{
    (void)state;
    http("POST", "/v1/switches/1/flows", "Origin: http://evil.example\r\n", "{\"match\":{}}");
    assert_int_equal(reply->status, 403);
    http("POST", "/v1/switches/1/flows", "Origin: http://127.0.0.1:1\r\n", "{\"match\":{}}");
    assert_int_equal(reply->status, 201);
}

static void without_tokens_only_loopback_may_be_listened_on(void **state)
{
    const struct north_config c = {.listen = "0.0.0.0:0", .source = {.cores = 1}};
    const struct north_config odd = {.listen = "localhost", .source = {.cores = 1}};
    char why[200] = "";

    (void)state;
    assert_null(north_open(&c, why, sizeof(why)));
    assert_non_null(strstr(why, "loopback"));
    assert_null(north_open(&odd, why, sizeof(why)));
}

int main(void)
{
#define PLAIN(f) cmocka_unit_test_setup_teardown(f, open_plain, shut)
    const struct CMUnitTest tests[] = {
        PLAIN(lists_of_all_cores_are_one_list),
        PLAIN(events_are_sorted_and_say_where_to_go_on),
        PLAIN(the_core_that_is_named_is_asked),
        PLAIN(a_flow_reaches_the_core_as_it_was_meant),
        PLAIN(what_the_core_says_is_the_answer),
        PLAIN(an_entry_of_pof_is_passed_on_in_words),
        PLAIN(a_wrong_body_is_refused_with_where_and_what),
        PLAIN(whatever_the_bytes_of_a_body_are_it_is_answered),
        PLAIN(more_than_the_limit_is_refused),
        PLAIN(paths_and_verbs_that_are_none_are_refused),
        PLAIN(ryus_users_find_what_they_know),
        PLAIN(onoss_users_find_what_they_know),
        PLAIN(prometheus_finds_faucets_names),
        PLAIN(the_document_has_every_path_and_no_other),
        PLAIN(pages_of_other_sites_are_kept_out),
        cmocka_unit_test_setup_teardown(the_page_needs_no_token_and_the_rest_does, open_tokens,
                                        shut),
        cmocka_unit_test(without_tokens_only_loopback_may_be_listened_on),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
