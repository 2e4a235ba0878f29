/* Prometheus's text format, with Faucet's and gauge's names where they have one. */
#include <string.h>

#include "north/serve.h"

/* More addresses than these are not for a dashboard. */
#define MACS_MAX 10000u

static void family(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: '\', '"' and line ends are escaped. */
static void label(FILE *f, const char *name, const char *v)
{
    fprintf(f, "%s=\"", name);
    for (; *v != '\0'; v++) {
        if (*v == '\n')
            fputs("\\n", f);
        else if (*v == '"' || *v == '\\')
            fprintf(f, "\\%c", *v);
        else
            fputc(*v, f);
    }
    fputc('"', f);
}

static void labels_of(FILE *f, json_t *s)
{
    const char *name = jtext(s, "description");

    fprintf(f, "dp_id=\"0x%llx\",", (unsigned long long)dpid_of(s, "dpid"));
    label(f, "dp_name", name[0] != '\0' && strcmp(name, "None") != 0 ? name : jtext(s, "dpid"));
}

static const struct {
    const char *name, *type, *key, *help;
} of_switch[] = {
    {"of_packet_ins", "counter", "packet_ins", "packet-ins from the datapath"},
    {"of_errors", "counter", "errors", "ERROR messages from the datapath"},
    {"millrace_switch_ports", "gauge", "n_ports", "ports of the datapath"},
};

static const struct {
    const char *name, *type, *key, *help;
} of_port[] = {
    {"port_status", "gauge", "up", "1: the port is up"},
    {"of_port_rx_packets", "counter", "rx_packets", "packets received"},
    {"of_port_tx_packets", "counter", "tx_packets", "packets sent"},
    {"of_port_rx_bytes", "counter", "rx_bytes", "bytes received"},
    {"of_port_tx_bytes", "counter", "tx_bytes", "bytes sent"},
    {"of_port_rx_dropped", "counter", "rx_dropped", "received packets dropped"},
    {"of_port_tx_dropped", "counter", "tx_dropped", "packets to send dropped"},
    {"of_port_rx_errors", "counter", "rx_errors", "receive errors"},
    {"of_port_tx_errors", "counter", "tx_errors", "transmit errors"},
    {"of_port_curr_speed", "gauge", "speed_kbps", "speed, kbit/s"},
    {"millrace_port_rx_bits_per_second", "gauge", "rx_bps", "received, bit/s"},
    {"millrace_port_tx_bits_per_second", "gauge", "tx_bps", "sent, bit/s"},
};

static void value(FILE *f, json_t *v)
{
    if (json_is_boolean(v))
        fprintf(f, "} %d\n", json_is_true(v));
    else
        fprintf(f, "} %lld\n", (long long)json_integer_value(v));
}

static void switch_numbers(FILE *f, json_t *switches)
{
    json_t *s;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(of_switch); k++) {
        family(f, of_switch[k].name, of_switch[k].type, of_switch[k].help);
        json_array_foreach(switches, i, s)
        {
            fprintf(f, "%s{", of_switch[k].name);
            labels_of(f, s);
            value(f, json_object_get(s, of_switch[k].key));
        }
    }
    family(f, "of_flowmsgs_sent", "counter", "FLOW_MODs and PACKET_OUTs to the datapath");
    json_array_foreach(switches, i, s)
    {
        fprintf(f, "of_flowmsgs_sent{");
        labels_of(f, s);
        fprintf(f, "} %llu\n", (unsigned long long)(jnum(s, "flow_mods") + jnum(s, "packet_outs")));
    }
    family(f, "of_dp_desc_stats", "gauge", "the datapath's description");
    json_array_foreach(switches, i, s)
    {
        fprintf(f, "of_dp_desc_stats{");
        labels_of(f, s);
        fputc(',', f);
        label(f, "mfr_desc", jtext(s, "manufacturer"));
        fputc(',', f);
        label(f, "hw_desc", jtext(s, "hardware"));
        fputc(',', f);
        label(f, "sw_desc", jtext(s, "software"));
        fputc(',', f);
        label(f, "serial_num", jtext(s, "serial"));
        fputc(',', f);
        label(f, "dp_desc", jtext(s, "description"));
        fprintf(f, "} %llu\n", (unsigned long long)dpid_of(s, "dpid"));
    }
}

/* Its name, as long as it is connected. */
static json_t *switch_find(json_t *switches, json_t *known)
{
    json_t *s;
    size_t i;

    json_array_foreach(switches, i,
                       s) if (strcmp(jtext(s, "dpid"), jtext(known, "dpid")) == 0) return s;
    return NULL;
}

/* One of each datapath, what every core has counted added up. */
static json_t *known_sum(json_t *list)
{
    json_t *sum = json_object(), *k;
    size_t i;

    json_array_foreach(list, i, k)
    {
        json_t *to = json_object_get(sum, jtext(k, "dpid"));
        if (to == NULL) {
            json_object_set(sum, jtext(k, "dpid"), k);
            continue;
        }
        json_object_set_new(to, "connections",
                            jint(jnum(to, "connections") + jnum(k, "connections")));
        json_object_set_new(to, "disconnections",
                            jint(jnum(to, "disconnections") + jnum(k, "disconnections")));
    }
    return sum;
}

static void known_numbers(FILE *f, json_t *list, json_t *switches)
{
    static const char *const names[][3] = {
        {"of_dp_connections", "connections", "connections from the datapath"},
        {"of_dp_disconnections", "disconnections", "connections that ended"},
        {"dp_status", NULL, "1: the datapath is connected"},
    };
    json_t *sum = known_sum(list), *k;
    const char *dpid;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        family(f, names[i][0], names[i][1] != NULL ? "counter" : "gauge", names[i][2]);
        json_object_foreach(sum, dpid, k)
        {
            json_t *s = switch_find(switches, k);
            fprintf(f, "%s{", names[i][0]);
            labels_of(f, s != NULL ? s : k);
            fprintf(f, "} %llu\n",
                    (unsigned long long)(names[i][1] != NULL ? jnum(k, names[i][1]) : s != NULL));
        }
    }
    json_decref(sum);
}

static void port_numbers(FILE *f, json_t *switches)
{
    json_t *s, *p;
    size_t i, n;

    for (size_t k = 0; k < ARRAY_LEN(of_port); k++) {
        family(f, of_port[k].name, of_port[k].type, of_port[k].help);
        json_array_foreach(switches, i, s) json_array_foreach(json_object_get(s, "ports"), n, p)
        {
            fprintf(f, "%s{", of_port[k].name);
            labels_of(f, s);
            fprintf(f, ",port=\"%llu\",", (unsigned long long)jnum(p, "port"));
            label(f, "port_description", jtext(p, "name"));
            value(f, json_object_get(p, of_port[k].key));
        }
    }
}

static void hosts(FILE *f, json_t *list, json_t *links)
{
    json_t *h;
    size_t i;

    family(f, "learned_macs", "gauge", "a host's address as a number, where it is");
    json_array_foreach(list, i, h)
    {
        struct mac_addr m = {{0}};
        uint64_t v = 0;
        if (i == MACS_MAX)
            break;
        mac_read(jtext(h, "mac"), &m);
        for (unsigned k = 0; k < 6; k++)
            v = v << 8 | m.b[k];
        fprintf(f, "learned_macs{dp_id=\"0x%llx\",", (unsigned long long)dpid_of(h, "dpid"));
        label(f, "dp_name", jtext(h, "dpid"));
        fprintf(f, ",port=\"%llu\",vlan=\"%llu\",n=\"%zu\"} %llu\n",
                (unsigned long long)jnum(h, "port"), (unsigned long long)jnum(h, "vlan"), i,
                (unsigned long long)v);
    }
    family(f, "millrace_hosts", "gauge", "hosts that are known");
    fprintf(f, "millrace_hosts %zu\n", json_array_size(list));
    family(f, "millrace_links", "gauge", "links that are known, each direction for itself");
    fprintf(f, "millrace_links %zu\n", json_array_size(links));
}

/* Every counter of every room: {"room": {"name": number}}. */
static void counters(FILE *f, json_t *sum)
{
    const char *room, *name;
    json_t *of, *v;
    char full[128];

    json_object_foreach(sum, room, of) json_object_foreach(of, name, v)
    {
        const char *help = name;
        for (unsigned i = 0; strcmp(room, sdn_stat_group.name) == 0 && i < sdn_stat_group.n; i++)
            if (strcmp(sdn_stat_group.fields[i].name, name) == 0)
                help = sdn_stat_group.fields[i].help;
        if (!json_is_integer(v))
            continue;
        snprintf(full, sizeof(full), "millrace_%s_%s", room, name);
        family(f, full, "counter", help);
        fprintf(f, "%s %lld\n", full, (long long)json_integer_value(v));
    }
}

void serve_metrics(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_METRICS};
    json_t *switches = ask_list(c, &q, "switches", true), *of_hosts = NULL, *links = NULL;
    json_t *sum = switches != NULL ? counters_sum(c, NULL) : NULL, *known;
    FILE *f = NULL;

    q.flag = true;
    known = sum != NULL ? ask_list(c, &q, "datapaths", true) : NULL;

    q = (struct sdn_ask){.kind = SDN_ASK_HOSTS};
    of_hosts = known != NULL ? ask_list(c, &q, "hosts", false) : NULL;
    q.kind = SDN_ASK_LINKS;
    links = of_hosts != NULL ? ask_list(c, &q, "links", false) : NULL;
    f = links != NULL ? open_memstream(&c->text, &c->text_n) : NULL;
    if (f != NULL) {
        switch_numbers(f, switches);
        known_numbers(f, known, switches);
        port_numbers(f, switches);
        hosts(f, of_hosts, links);
        counters(f, sum);
        fclose(f);
        c->type = "text/plain; version=0.0.4; charset=utf-8";
    }
    json_decref(switches);
    json_decref(sum);
    json_decref(known);
    json_decref(of_hosts);
    json_decref(links);
}
