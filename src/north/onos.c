/* ONOS's devices, links, hosts, paths and statistics, in the shapes its users know. */
#include <string.h>

#include "north/serve.h"

void onos_dpid(char out[24], uint64_t dpid)
{
    snprintf(out, 24, "of:%016llx", (unsigned long long)dpid);
}

/* "of:..." of the datapath id at key. */
static json_t *id_of(json_t *o, const char *key)
{
    char text[24];

    onos_dpid(text, dpid_of(o, key));
    return json_string(text);
}

static json_t *digits(uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return json_string(text);
}

/* ---- devices ---- */

static json_t *device(json_t *s)
{
    const char *dialect = jtext(s, "dialect");
    const char *protocol = strcmp(dialect, "OpenFlow 1.0") == 0   ? "OF_10"
                           : strcmp(dialect, "OpenFlow 1.3") == 0 ? "OF_13"
                                                                  : dialect;
    char peer[80], role[16], chassis[24];

    snprintf(peer, sizeof(peer), "%s", jtext(s, "peer"));
    snprintf(role, sizeof(role), "%s", jtext(s, "role"));
    snprintf(chassis, sizeof(chassis), "%llx", (unsigned long long)dpid_of(s, "dpid"));
    if (strcmp(role, "MASTER") != 0 && strcmp(role, "SLAVE") != 0)
        snprintf(role, sizeof(role), "MASTER");
    json_t *notes = json_pack("{s:s,s:s}", "channelId", peer, "protocol", protocol);
    char *colon = strrchr(peer, ':');
    if (colon != NULL)
        *colon = '\0';
    json_object_set_new(notes, "managementAddress", json_string(peer));
    return json_pack("{s:o,s:s,s:b,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "id", id_of(s, "dpid"),
                     "type", "SWITCH", "available", jtrue(s, "connected"), "role", role, "mfr",
                     jtext(s, "manufacturer"), "hw", jtext(s, "hardware"), "sw",
                     jtext(s, "software"), "serial", jtext(s, "serial"), "driver", "millrace",
                     "chassisId", chassis, "annotations", notes);
}

void onos_devices(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_SWITCHES};
    json_t *list = ask_list(c, &q, "switches", true), *out, *s;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, s) json_array_append_new(out, device(s));
    json_decref(list);
    c->out = json_pack("{s:o}", "devices", out);
}

static json_t *port_out(uint64_t dpid, json_t *p)
{
    char id[24];

    onos_dpid(id, dpid);
    return json_pack("{s:s,s:o,s:b,s:s,s:I,s:{s:s,s:s,s:s}}", "element", id, "port",
                     digits(jnum(p, "port")), "isEnabled", jtrue(p, "up"), "type", "copper",
                     "portSpeed", (json_int_t)jnum(p, "speed_kbps") / 1000, "annotations",
                     "adminState", jtrue(p, "admin_up") ? "enabled" : "disabled", "portMac",
                     jtext(p, "mac"), "portName", jtext(p, "name"));
}

static json_t *ports(json_t *s)
{
    json_t *out = json_array(), *p;
    size_t i;

    json_array_foreach(json_object_get(s, "ports"), i, p)
        json_array_append_new(out, port_out(dpid_of(s, "dpid"), p));
    return out;
}

static void serve_device(struct call *c, bool with_ports)
{
    uint64_t dpid;
    json_t *s;

    if (!call_dpid(c, 0, true, &dpid) || (s = ask_of_switch(c, SDN_ASK_SWITCH, dpid)) == NULL)
        return;
    c->out = device(s);
    if (with_ports)
        json_object_set_new(c->out, "ports", ports(s));
    json_decref(s);
}

void onos_device_get(struct call *c)
{
    serve_device(c, false);
}
void onos_device_ports(struct call *c)
{
    serve_device(c, true);
}

void onos_all_ports(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_METRICS};
    json_t *list = ask_list(c, &q, "switches", true), *out, *s, *of;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, s)
    {
        of = ports(s);
        json_array_extend(out, of);
        json_decref(of);
    }
    json_decref(list);
    c->out = json_pack("{s:o}", "ports", out);
}

void onos_port_state(struct call *c)
{
    do_port_state(c, "enabled");
}

void onos_mastership(struct call *c)
{
    uint64_t dpid;
    json_t *s;

    if (!call_dpid(c, 0, true, &dpid) || (s = ask_of_switch(c, SDN_ASK_SWITCH, dpid)) == NULL)
        return;
    const char *role = jtext(s, "role");
    c->out = json_pack("{s:s}", "role", strcmp(role, "SLAVE") == 0 ? "STANDBY" : "MASTER");
    json_decref(s);
}

/* ---- links, hosts, paths ---- */

static json_t *end(json_t *l, const char *dpid, const char *no)
{
    return json_pack("{s:o,s:o}", "port", digits(jnum(l, no)), "device", id_of(l, dpid));
}

static json_t *link_out(json_t *l)
{
    return json_pack("{s:o,s:o,s:s,s:s}", "src", end(l, "src_dpid", "src_port"), "dst",
                     end(l, "dst_dpid", "dst_port"), "type", "DIRECT", "state",
                     jtrue(l, "up") ? "ACTIVE" : "INACTIVE");
}

void onos_links(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_LINKS};
    json_t *list = ask_list(c, &q, "links", false), *out, *l;
    char text[40] = "";
    uint64_t only = 0;
    bool some = call_query(c, "device", text, sizeof(text));
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    if (some && !dpid_read(text, true, &only))
        call_fail(c, 400, "device: '%s' is no device", text);
    else
        json_array_foreach(list, i, l) if (!some || dpid_of(l, "src_dpid") == only ||
                                           dpid_of(l, "dst_dpid") == only)
            json_array_append_new(out, link_out(l));
    json_decref(list);
    if (c->out == NULL)
        c->out = json_pack("{s:O}", "links", out);
    json_decref(out);
}

static void vlan_text(char out[12], json_t *h)
{
    if (jnum(h, "vlan") == 0)
        snprintf(out, 12, "None");
    else
        snprintf(out, 12, "%u", (unsigned)jnum(h, "vlan"));
}

static json_t *host_out(json_t *h)
{
    char vlan[12], id[40];
    json_t *ips = json_array();

    vlan_text(vlan, h);
    snprintf(id, sizeof(id), "%s/%s", jtext(h, "mac"), vlan);
    if (jtext(h, "ip")[0] != '\0')
        json_array_append(ips, json_object_get(h, "ip"));
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:o,s:[{s:o,s:o}]}", "id", id, "mac",
                     jtext(h, "mac"), "vlan", vlan, "innerVlan", "None", "outerTpid", "unknown",
                     "configured", 0, "suspended", 0, "ipAddresses", ips, "locations", "elementId",
                     id_of(h, "dpid"), "port", digits(jnum(h, "port")));
}

void onos_hosts(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_HOSTS};
    json_t *list = ask_list(c, &q, "hosts", false), *out, *h;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, h) json_array_append_new(out, host_out(h));
    json_decref(list);
    c->out = json_pack("{s:o}", "hosts", out);
}

void onos_host(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_HOST};
    char mac[32];
    json_t *h;

    snprintf(mac, sizeof(mac), "%.*s", (int)strcspn(c->arg[0], "/"), c->arg[0]);
    if (!mac_read(mac, &q.mac)) {
        call_fail(c, 400, "path: '%.40s' is no host", c->arg[0]);
        return;
    }
    if ((h = ask_one(c, 0, &q)) == NULL)
        return;
    c->out = host_out(h);
    json_decref(h);
}

void onos_paths(struct call *c)
{
    struct sdn_ask q = {0};
    json_t *said = path_ends(c, &q) ? ask_one(c, 0, &q) : NULL, *out, *p, *l;
    size_t i, k;

    if (said == NULL)
        return;
    out = json_array();
    json_array_foreach(json_object_get(said, "paths"), i, p)
    {
        json_t *links = json_array();
        json_array_foreach(json_object_get(p, "links"), k, l)
            json_array_append_new(links, link_out(l));
        json_array_append_new(
            out, json_pack("{s:f,s:o}", "cost", (double)json_array_size(links), "links", links));
    }
    json_decref(said);
    c->out = json_pack("{s:o}", "paths", out);
}

/* ---- the whole, and its numbers ---- */

/* How many parts the network falls into: each switch takes the lowest number it can reach. */
static size_t clusters(json_t *switches, json_t *links)
{
    size_t n = json_array_size(switches), count = 0, i;
    size_t *part = calloc(n + 1, sizeof(*part));
    json_t *l;

    for (i = 0; part != NULL && i < n; i++)
        part[i] = i;
    for (bool changed = part != NULL; changed;) {
        changed = false;
        json_array_foreach(links, i, l)
        {
            size_t a = n, b = n;
            for (size_t k = 0; k < n; k++) {
                uint64_t dpid = dpid_of(json_array_get(switches, k), "dpid");
                a = dpid == dpid_of(l, "src_dpid") ? k : a;
                b = dpid == dpid_of(l, "dst_dpid") ? k : b;
            }
            if (a == n || b == n || part[a] == part[b])
                continue;
            part[a] = part[b] = part[a] < part[b] ? part[a] : part[b];
            changed = true;
        }
    }
    for (i = 0; part != NULL && i < n; i++)
        count += part[i] == i;
    free(part);
    return count;
}

void onos_topology(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_SWITCHES};
    json_t *switches = ask_list(c, &q, "switches", true), *links;

    if (switches == NULL)
        return;
    q.kind = SDN_ASK_LINKS;
    links = ask_list(c, &q, "links", false);
    if (links != NULL)
        c->out = json_pack("{s:I,s:I,s:I}", "devices", (json_int_t)json_array_size(switches),
                           "links", (json_int_t)json_array_size(links), "clusters",
                           (json_int_t)clusters(switches, links));
    json_decref(switches);
    json_decref(links);
}

static json_t *port_numbers(json_t *s)
{
    json_t *list = json_array(), *p;
    size_t i;

    json_array_foreach(json_object_get(s, "ports"), i, p) json_array_append_new(
        list,
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "port", (json_int_t)jnum(p, "port"),
                  "packetsReceived", (json_int_t)jnum(p, "rx_packets"), "packetsSent",
                  (json_int_t)jnum(p, "tx_packets"), "bytesReceived",
                  (json_int_t)jnum(p, "rx_bytes"), "bytesSent", (json_int_t)jnum(p, "tx_bytes"),
                  "packetsRxDropped", (json_int_t)jnum(p, "rx_dropped"), "packetsTxDropped",
                  (json_int_t)jnum(p, "tx_dropped"), "packetsRxErrors",
                  (json_int_t)jnum(p, "rx_errors"), "packetsTxErrors",
                  (json_int_t)jnum(p, "tx_errors"), "durationSec",
                  (json_int_t)jnum(p, "duration_s")));
    return json_pack("{s:o,s:o}", "device", id_of(s, "dpid"), "ports", list);
}

void onos_port_stats(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_METRICS};
    json_t *list = ask_list(c, &q, "switches", true), *out, *s;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, s) json_array_append_new(out, port_numbers(s));
    json_decref(list);
    c->out = json_pack("{s:o}", "statistics", out);
}

void onos_port_stats_of(struct call *c)
{
    uint64_t dpid;
    json_t *s;

    if (!call_dpid(c, 0, true, &dpid) || (s = ask_of_switch(c, SDN_ASK_SWITCH, dpid)) == NULL)
        return;
    c->out = json_pack("{s:[o]}", "statistics", port_numbers(s));
    json_decref(s);
}

void onos_table_stats(struct call *c)
{
    uint64_t dpid;
    json_t *said, *t, *list;
    char id[24];
    size_t i;

    if (!call_dpid(c, 0, true, &dpid) || (said = ask_of_switch(c, SDN_ASK_TABLES, dpid)) == NULL)
        return;
    list = json_array();
    json_array_foreach(json_object_get(said, "tables"), i, t) json_array_append_new(
        list,
        json_pack("{s:I,s:I,s:I,s:I}", "tableId", (json_int_t)jnum(t, "table_id"), "activeEntries",
                  (json_int_t)jnum(t, "active"), "packetsLookedUp", (json_int_t)jnum(t, "lookups"),
                  "packetsMatched", (json_int_t)jnum(t, "matched")));
    onos_dpid(id, dpid);
    c->out = json_pack("{s:[{s:s,s:o}]}", "statistics", "device", id, "table", list);
    json_decref(said);
}
