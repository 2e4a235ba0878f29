/* Ryu's rest_topology. */
#include <string.h>

#include "north/serve.h"

static json_t *number16(uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)v);
    return json_string(text);
}

static json_t *port_of(uint64_t dpid, uint64_t no, const char *mac, const char *name)
{
    char text[16];

    snprintf(text, sizeof(text), "%08x", (unsigned)no);
    return json_pack("{s:o,s:s,s:s,s:s}", "dpid", number16(dpid), "port_no", text, "hw_addr", mac,
                     "name", name);
}

static json_t *a_switch(json_t *s)
{
    json_t *ports = json_array(), *p;
    uint64_t dpid = dpid_of(s, "dpid");
    size_t i;

    json_array_foreach(json_object_get(s, "ports"), i, p) if (jnum(p, "port") < OFPP_MAX)
        json_array_append_new(ports,
                              port_of(dpid, jnum(p, "port"), jtext(p, "mac"), jtext(p, "name")));
    return json_pack("{s:o,s:o}", "dpid", number16(dpid), "ports", ports);
}

/* All switches with their ports, in our shape. */
static json_t *everything(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_METRICS};

    return ask_list(c, &q, "switches", true);
}

void ryu_topology_switches(struct call *c)
{
    json_t *list = everything(c), *out, *s;
    size_t i;

    if (list == NULL)
        return;
    out = json_array();
    json_array_foreach(list, i, s) json_array_append_new(out, a_switch(s));
    json_decref(list);
    c->out = out;
}

void ryu_topology_switch(struct call *c)
{
    uint64_t dpid;
    json_t *s;

    if (!call_dpid(c, 0, true, &dpid) || (s = ask_of_switch(c, SDN_ASK_SWITCH, dpid)) == NULL)
        return;
    c->out = json_pack("[o]", a_switch(s));
    json_decref(s);
}

/* The port's description, wherever its switch is. */
static json_t *port_find(json_t *switches, uint64_t dpid, uint64_t no)
{
    json_t *s, *p;
    size_t i, k;

    json_array_foreach(switches, i, s)
    {
        if (dpid_of(s, "dpid") != dpid)
            continue;
        json_array_foreach(json_object_get(s, "ports"), k,
                           p) if (jnum(p, "port") == no) return port_of(dpid, no, jtext(p, "mac"),
                                                                        jtext(p, "name"));
    }
    return port_of(dpid, no, "", "");
}

void ryu_topology_links(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_LINKS};
    json_t *links = ask_list(c, &q, "links", false), *switches, *l;
    size_t i;

    switches = links != NULL ? everything(c) : NULL;
    if (switches != NULL) {
        c->out = json_array();
        json_array_foreach(links, i, l) json_array_append_new(
            c->out,
            json_pack("{s:o,s:o}", "src",
                      port_find(switches, dpid_of(l, "src_dpid"), jnum(l, "src_port")), "dst",
                      port_find(switches, dpid_of(l, "dst_dpid"), jnum(l, "dst_port"))));
    }
    json_decref(links);
    json_decref(switches);
}

void ryu_topology_hosts(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_HOSTS};
    json_t *hosts = ask_list(c, &q, "hosts", false), *switches, *h;
    size_t i;

    switches = hosts != NULL ? everything(c) : NULL;
    if (switches != NULL) {
        c->out = json_array();
        json_array_foreach(hosts, i, h)
        {
            json_t *ip = json_array();
            if (jtext(h, "ip")[0] != '\0')
                json_array_append(ip, json_object_get(h, "ip"));
            json_array_append_new(
                c->out,
                json_pack("{s:s,s:o,s:[],s:o}", "mac", jtext(h, "mac"), "ipv4", ip, "ipv6", "port",
                          port_find(switches, dpid_of(h, "dpid"), jnum(h, "port"))));
        }
    }
    json_decref(hosts);
    json_decref(switches);
}
