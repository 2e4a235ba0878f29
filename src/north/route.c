#include <string.h>
#include <strings.h>

#include "north/serve.h"

#define R ACCESS_READ
#define W ACCESS_WRITE

/* Verb, who may, path, what it does, the body's schema, a sentence. */
const struct route routes[] = {
    {VERB_GET, ACCESS_OPEN, "/", serve_page, NULL, "The page"},
    {VERB_GET, R, "/openapi.json", serve_openapi, NULL, "This document"},
    {VERB_GET, R, "/metrics", serve_metrics, NULL, "Counters for Prometheus"},
    /* Ours. */
    {VERB_GET, R, "/v1/process", serve_process, NULL, "The controller itself"},
    {VERB_GET, R, "/v1/topology", serve_topology, NULL, "Switches with ports, links and hosts"},
    {VERB_GET, R, "/v1/switches", serve_switches, NULL, "All switches"},
    {VERB_GET, R, "/v1/switches/{dpid}", serve_switch, NULL, "A switch and its ports"},
    {VERB_DELETE, W, "/v1/switches/{dpid}", do_disconnect, NULL, "Close its connection"},
    {VERB_GET, R, "/v1/switches/{dpid}/ports", serve_ports, NULL, "Ports, counters and rates"},
    {VERB_PUT, W, "/v1/switches/{dpid}/ports/{port}", do_port, "Port", "A port up or down"},
    {VERB_PUT, W, "/v1/switches/{dpid}/role", do_role, "Role", "Ask for a role"},
    {VERB_GET, R, "/v1/switches/{dpid}/flows", serve_flows, NULL, "Flows, as the switch has them"},
    {VERB_POST, W, "/v1/switches/{dpid}/flows", do_flow_add, "Flow", "Add a flow"},
    {VERB_PUT, W, "/v1/switches/{dpid}/flows", do_flow_modify, "Flow", "Modify a flow"},
    {VERB_DELETE, W, "/v1/switches/{dpid}/flows", do_flow_delete, "Flow",
     "Delete flows; without a body those that operators have asked for"},
    {VERB_GET, R, "/v1/switches/{dpid}/groups", serve_groups, NULL, "Groups"},
    {VERB_POST, W, "/v1/switches/{dpid}/groups", do_group_add, "Group", "Add a group"},
    {VERB_PUT, W, "/v1/switches/{dpid}/groups", do_group_modify, "Group", "Modify a group"},
    {VERB_DELETE, W, "/v1/switches/{dpid}/groups/{id}", do_group_delete, NULL, "Delete a group"},
    {VERB_GET, R, "/v1/switches/{dpid}/meters", serve_meters, NULL, "Meters"},
    {VERB_POST, W, "/v1/switches/{dpid}/meters", do_meter_add, "Meter", "Add a meter"},
    {VERB_PUT, W, "/v1/switches/{dpid}/meters", do_meter_modify, "Meter", "Modify a meter"},
    {VERB_DELETE, W, "/v1/switches/{dpid}/meters/{id}", do_meter_delete, NULL, "Delete a meter"},
    {VERB_GET, R, "/v1/switches/{dpid}/tables", serve_tables, NULL, "Tables"},
    {VERB_GET, R, "/v1/switches/{dpid}/macs", serve_macs, NULL, "Learnt addresses"},
    {VERB_GET, R, "/v1/links", serve_links, NULL, "Links"},
    {VERB_GET, R, "/v1/hosts", serve_hosts, NULL, "Hosts"},
    {VERB_GET, R, "/v1/hosts/{mac}", serve_host, NULL, "A host"},
    {VERB_GET, R, "/v1/paths/{from}/{to}", serve_paths, NULL, "Every shortest path"},
    {VERB_GET, R, "/v1/stored", serve_stored, NULL, "What operators have asked for; ?dpid="},
    {VERB_GET, R, "/v1/events", serve_events, NULL, "Events; ?since= the last answer's next"},
    {VERB_GET, R, "/v1/counters", serve_counters, NULL, "Counters, added up and of each core"},
    {VERB_GET, R, "/v1/pof", serve_pof, NULL, "POF: protocols and tables of the program"},
    {VERB_GET, R, "/v1/pof/{dpid}", serve_pof_switch, NULL, "POF: a switch's tables and entries"},
    {VERB_POST, W, "/v1/pof/{dpid}/entries", do_pof_add, "PofEntry", "POF: add an entry"},
    {VERB_DELETE, W, "/v1/pof/{dpid}/entries", do_pof_delete, "PofEntry", "POF: delete an entry"},
    /* ONOS's. */
    {VERB_GET, R, "/onos/v1/devices", onos_devices, NULL, "All switches"},
    {VERB_GET, R, "/onos/v1/devices/ports", onos_all_ports, NULL, "All ports"},
    {VERB_GET, R, "/onos/v1/devices/{id}", onos_device_get, NULL, "A switch"},
    {VERB_GET, R, "/onos/v1/devices/{id}/ports", onos_device_ports, NULL, "A switch's ports"},
    {VERB_POST, W, "/onos/v1/devices/{id}/portstate/{port}", onos_port_state, "OnosPort",
     "A port up or down"},
    {VERB_GET, R, "/onos/v1/mastership/{id}/local", onos_mastership, NULL, "Our role there"},
    {VERB_GET, R, "/onos/v1/links", onos_links, NULL, "Links; ?device="},
    {VERB_GET, R, "/onos/v1/hosts", onos_hosts, NULL, "Hosts"},
    {VERB_GET, R, "/onos/v1/hosts/{mac}", onos_host, NULL, "A host"},
    {VERB_GET, R, "/onos/v1/hosts/{mac}/{vlan}", onos_host, NULL, "A host"},
    {VERB_GET, R, "/onos/v1/paths/{src}/{dst}", onos_paths, NULL, "Every shortest path"},
    {VERB_GET, R, "/onos/v1/topology", onos_topology, NULL, "How many of what"},
    {VERB_GET, R, "/onos/v1/statistics/ports", onos_port_stats, NULL, "Counters of all ports"},
    {VERB_GET, R, "/onos/v1/statistics/ports/{id}", onos_port_stats_of, NULL, "Of a switch"},
    {VERB_GET, R, "/onos/v1/statistics/flows/tables/{id}", onos_table_stats, NULL, "Of its tables"},
    {VERB_GET, R, "/onos/v1/flows", onos_flows, NULL, "Flows of all switches"},
    {VERB_POST, W, "/onos/v1/flows", onos_flows_add, "OnosFlows", "Add flows"},
    {VERB_GET, R, "/onos/v1/flows/{id}", onos_flows_of, NULL, "Flows of a switch"},
    {VERB_POST, W, "/onos/v1/flows/{id}", onos_flow_add, "OnosFlow", "Add a flow"},
    {VERB_GET, R, "/onos/v1/flows/{id}/{flow}", onos_flow_get, NULL, "A flow"},
    {VERB_DELETE, W, "/onos/v1/flows/{id}/{flow}", onos_flow_delete, NULL, "Delete a flow"},
    {VERB_GET, R, "/onos/v1/groups", onos_groups, NULL, "Groups of all switches"},
    {VERB_GET, R, "/onos/v1/groups/{id}", onos_groups_of, NULL, "Groups of a switch"},
    {VERB_POST, W, "/onos/v1/groups/{id}", onos_group_add, "OnosGroup", "Add a group"},
    {VERB_DELETE, W, "/onos/v1/groups/{id}/{group}", do_group_delete_onos, NULL, "Delete a group"},
    {VERB_GET, R, "/onos/v1/meters", onos_meters, NULL, "Meters of all switches"},
    {VERB_GET, R, "/onos/v1/meters/{id}", onos_meters_of, NULL, "Meters of a switch"},
    {VERB_POST, W, "/onos/v1/meters/{id}", onos_meter_add, "OnosMeter", "Add a meter"},
    {VERB_DELETE, W, "/onos/v1/meters/{id}/{meter}", do_meter_delete_onos, NULL, "Delete a meter"},
    /* Ryu's. */
    {VERB_GET, R, "/stats/switches", ryu_switches, NULL, "All datapath ids"},
    {VERB_GET, R, "/stats/desc/{dpid}", ryu_desc, NULL, "What the switch is"},
    {VERB_GET, R, "/stats/flow/{dpid}", ryu_flows, NULL, "Flows"},
    {VERB_POST, R, "/stats/flow/{dpid}", ryu_flows, "RyuFlow", "Flows that match the body"},
    {VERB_GET, R, "/stats/aggregateflow/{dpid}", ryu_aggregate, NULL, "Flows added up"},
    {VERB_POST, R, "/stats/aggregateflow/{dpid}", ryu_aggregate, "RyuFlow", "Those that match"},
    {VERB_GET, R, "/stats/table/{dpid}", ryu_tables, NULL, "Tables"},
    {VERB_GET, R, "/stats/port/{dpid}", ryu_ports, NULL, "Counters of ports"},
    {VERB_GET, R, "/stats/portdesc/{dpid}", ryu_port_desc, NULL, "Ports"},
    {VERB_GET, R, "/stats/group/{dpid}", ryu_groups, NULL, "Counters of groups"},
    {VERB_GET, R, "/stats/groupdesc/{dpid}", ryu_group_desc, NULL, "Groups"},
    {VERB_GET, R, "/stats/meter/{dpid}", ryu_meters, NULL, "Counters of meters"},
    {VERB_GET, R, "/stats/meterconfig/{dpid}", ryu_meter_config, NULL, "Meters"},
    {VERB_GET, R, "/stats/role/{dpid}", ryu_role, NULL, "Our role"},
    {VERB_POST, W, "/stats/role", ryu_set_role, "RyuRole", "Ask for a role"},
    {VERB_POST, W, "/stats/portdesc/modify", ryu_port_modify, "RyuPort", "A port up or down"},
    {VERB_POST, W, "/stats/flowentry/add", ryu_flow_add, "RyuFlow", "Add a flow"},
    {VERB_POST, W, "/stats/flowentry/modify", ryu_flow_modify, "RyuFlow", "Modify flows"},
    {VERB_POST, W, "/stats/flowentry/modify_strict", ryu_flow_modify_strict, "RyuFlow",
     "Modify a flow"},
    {VERB_POST, W, "/stats/flowentry/delete", ryu_flow_delete, "RyuFlow", "Delete flows"},
    {VERB_POST, W, "/stats/flowentry/delete_strict", ryu_flow_delete_strict, "RyuFlow",
     "Delete a flow"},
    {VERB_DELETE, W, "/stats/flowentry/clear/{dpid}", ryu_flow_clear, NULL,
     "Delete the flows that operators have asked for"},
    {VERB_POST, W, "/stats/groupentry/add", ryu_group_add, "Group", "Add a group"},
    {VERB_POST, W, "/stats/groupentry/modify", ryu_group_modify, "Group", "Modify a group"},
    {VERB_POST, W, "/stats/groupentry/delete", ryu_group_delete, "Group", "Delete a group"},
    {VERB_POST, W, "/stats/meterentry/add", ryu_meter_add, "Meter", "Add a meter"},
    {VERB_POST, W, "/stats/meterentry/modify", ryu_meter_modify, "Meter", "Modify a meter"},
    {VERB_POST, W, "/stats/meterentry/delete", ryu_meter_delete, "Meter", "Delete a meter"},
    {VERB_GET, R, "/v1.0/topology/switches", ryu_topology_switches, NULL, "Switches and ports"},
    {VERB_GET, R, "/v1.0/topology/switches/{dpid}", ryu_topology_switch, NULL, "A switch"},
    {VERB_GET, R, "/v1.0/topology/links", ryu_topology_links, NULL, "Links"},
    {VERB_GET, R, "/v1.0/topology/hosts", ryu_topology_hosts, NULL, "Hosts"},
};
const size_t n_routes = ARRAY_LEN(routes);

const char *verb_name(enum verb v)
{
    static const char *const names[VERBS] = {"GET", "POST", "PUT", "DELETE"};

    return names[v];
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool url_decode(const char *s, size_t n, char *out, size_t cap)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        char ch = s[i];
        if (ch == '%') {
            int high = i + 2 < n ? hex_digit(s[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
            if (low < 0)
                return false;
            ch = (char)(high << 4 | low);
            i += 2;
        }
        if (ch == '\0' || len + 1 >= cap)
            return false;
        out[len++] = ch;
    }
    out[len] = '\0';
    return true;
}

/* Segment by segment; {..} takes any that is not empty. */
static bool path_is(struct call *c, const char *pattern, const char *path)
{
    unsigned args = 0;

    while (*pattern != '\0' && *path != '\0') {
        if (*pattern++ != '/' || *path++ != '/')
            return false;
        size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");
        if (pattern[0] == '{') {
            if (m == 0 || args == ARGS_MAX ||
                !url_decode(path, m, c->arg[args], sizeof(c->arg[args])))
                return false;
            args++;
        } else if (n != m || memcmp(pattern, path, n) != 0) {
            return false;
        }
        pattern += n;
        path += m;
    }
    return *pattern == '\0' && *path == '\0';
}

unsigned route_find(struct call *c, const char *verb, const char *path)
{
    char trimmed[1024];
    size_t n = strlen(path);
    bool other = false;

    /* A '/' at the end says nothing. */
    if (n > 1 && n < sizeof(trimmed) && path[n - 1] == '/') {
        memcpy(trimmed, path, n - 1);
        trimmed[n - 1] = '\0';
        path = trimmed;
    }
    for (size_t i = 0; i < n_routes; i++) {
        if (!path_is(c, routes[i].path, path))
            continue;
        if (strcmp(verb_name(routes[i].verb), verb) == 0) {
            c->route = &routes[i];
            return 0;
        }
        other = true;
    }
    return other ? 405 : 404;
}
