/* Commands that ask and show: tables for people, or the controller's JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/of_client.h"

#define TABLE(...)                                                                                 \
    of_table_new((unsigned)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),               \
                 (const char *const[]){__VA_ARGS__})

static const char *amount(double n, const char *unit, char *buf, size_t size)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T"};
    unsigned i = 0;

    while (n >= 1000 && i < 4) {
        n /= 1000;
        i++;
    }
    snprintf(buf, size, i > 0 && n < 100 ? "%.1f %s%s" : "%.0f %s%s", n, prefix[i], unit);
    return buf;
}

static void show_switches(json_t *j)
{
    struct of_table *t = TABLE("DPID", "PROTOCOL", "FROM", "CORE", "ROLE", "PORTS", "PACKET-INS",
                               "FLOW-MODS", "ERRORS", "SOFTWARE");
    json_t *s;
    size_t i;

    json_array_foreach(json_object_get(j, "switches"), i, s)
    {
        of_cell(t, "%s", of_text(s, "dpid"));
        of_cell(t, "%s", of_text(s, "dialect"));
        of_cell(t, "%s%s", of_text(s, "peer"),
                json_is_true(json_object_get(s, "tls")) ? " TLS" : "");
        of_cell(t, "%llu", of_number(s, "core"));
        of_cell(t, "%s", of_text(s, "role"));
        of_cell(t, "%llu", of_number(s, "n_ports"));
        of_cell(t, "%llu", of_number(s, "packet_ins"));
        of_cell(t, "%llu", of_number(s, "flow_mods"));
        of_cell(t, "%llu", of_number(s, "errors"));
        of_cell(t, "%s %s", of_text(s, "hardware"), of_text(s, "software"));
    }
    of_table_print(t);
}

static void show_ports(json_t *j)
{
    struct of_table *t = TABLE("PORT", "NAME", "MAC", "STATE", "IS", "RX", "TX", "RX BYTES",
                               "TX BYTES", "DROPPED", "ERRORS");
    json_t *p;
    size_t i;
    char text[40];

    json_array_foreach(json_object_get(j, "ports"), i, p)
    {
        if (of_number(p, "port") == 0xfffffffeu)
            of_cell(t, "LOCAL");
        else
            of_cell(t, "%llu", of_number(p, "port"));
        of_cell(t, "%s", of_text(p, "name"));
        of_cell(t, "%s", of_text(p, "mac"));
        of_cell(t, "%s",
                json_is_true(json_object_get(p, "up"))         ? "up"
                : json_is_true(json_object_get(p, "admin_up")) ? "no link"
                                                               : "down");
        of_cell(t, "%s", of_text(p, "is"));
        of_cell(t, "%s", amount((double)of_number(p, "rx_bps"), "bit/s", text, sizeof(text)));
        of_cell(t, "%s", amount((double)of_number(p, "tx_bps"), "bit/s", text, sizeof(text)));
        of_cell(t, "%llu", of_number(p, "rx_bytes"));
        of_cell(t, "%llu", of_number(p, "tx_bytes"));
        of_cell(t, "%llu", of_number(p, "rx_dropped") + of_number(p, "tx_dropped"));
        of_cell(t, "%llu", of_number(p, "rx_errors") + of_number(p, "tx_errors"));
    }
    of_table_print(t);
}

static void show_flows(json_t *j)
{
    struct of_table *t = TABLE("TABLE", "PRIO", "PACKETS", "BYTES", "AGE", "MATCH", "ACTIONS");
    char match[1024], actions[2048];
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(j, "flows"), i, f)
    {
        of_match_print(json_object_get(f, "match"), match, sizeof(match));
        of_actions_print(json_object_get(f, "actions"), actions, sizeof(actions));
        of_cell(t, "%llu", of_number(f, "table_id"));
        of_cell(t, "%llu", of_number(f, "priority"));
        of_cell(t, "%llu", of_number(f, "packets"));
        of_cell(t, "%llu", of_number(f, "bytes"));
        of_cell(t, "%llus", of_number(f, "duration_s"));
        of_cell(t, "%s", match[0] != '\0' ? match : "any");
        of_cell(t, "%s", actions);
    }
    of_table_print(t);
}

static void show_links(json_t *j)
{
    struct of_table *t = TABLE("FROM", "PORT", "TO", "PORT", "STATE");
    json_t *l;
    size_t i;

    json_array_foreach(json_object_get(j, "links"), i, l)
    {
        of_cell(t, "%s", of_text(l, "src_dpid"));
        of_cell(t, "%llu", of_number(l, "src_port"));
        of_cell(t, "%s", of_text(l, "dst_dpid"));
        of_cell(t, "%llu", of_number(l, "dst_port"));
        of_cell(t, "%s%s%s", json_is_true(json_object_get(l, "up")) ? "up" : "one way",
                json_is_true(json_object_get(l, "tree")) ? " tree" : "",
                json_is_true(json_object_get(l, "fixed")) ? " told" : "");
    }
    of_table_print(t);
}

static void show_hosts(json_t *j)
{
    struct of_table *t = TABLE("MAC", "VLAN", "IP", "SWITCH", "PORT");
    json_t *h;
    size_t i;

    json_array_foreach(json_object_get(j, "hosts"), i, h)
    {
        of_cell(t, "%s", of_text(h, "mac"));
        of_cell(t, "%llu", of_number(h, "vlan"));
        of_cell(t, "%s", of_text(h, "ip")[0] != '\0' ? of_text(h, "ip") : "-");
        of_cell(t, "%s", of_text(h, "dpid"));
        of_cell(t, "%llu", of_number(h, "port"));
    }
    of_table_print(t);
}

static void show_paths(json_t *j)
{
    json_t *p, *l;
    size_t i, k;

    json_array_foreach(json_object_get(j, "paths"), i, p)
    {
        printf("%llu hops", of_number(p, "cost"));
        json_array_foreach(json_object_get(p, "links"), k, l)
            printf("  %s:%llu -> %s:%llu", of_text(l, "src_dpid"), of_number(l, "src_port"),
                   of_text(l, "dst_dpid"), of_number(l, "dst_port"));
        printf("\n");
    }
}

static void show_stored(json_t *j)
{
    struct of_table *t = TABLE("DPID", "KIND", "STATE", "WHAT");
    char match[1024], actions[1024];
    json_t *s, *f;
    size_t i;

    json_array_foreach(json_object_get(j, "stored"), i, s)
    {
        of_cell(t, "%s", of_text(s, "dpid"));
        of_cell(t, "%s", of_text(s, "kind"));
        of_cell(t, "%s %s", of_text(s, "state"), of_text(s, "error"));
        if ((f = json_object_get(s, "flow")) != NULL) {
            of_match_print(json_object_get(f, "match"), match, sizeof(match));
            of_actions_print(json_object_get(f, "actions"), actions, sizeof(actions));
            of_cell(t, "priority=%llu,%s actions=%s", of_number(f, "priority"), match, actions);
        } else {
            of_cell(t, "%llu", of_number(s, "group_id") + of_number(s, "meter_id"));
        }
    }
    of_table_print(t);
}

static void show_events(json_t *j)
{
    json_t *e;
    size_t i;

    json_array_foreach(json_object_get(j, "events"), i, e)
    {
        printf("%8.1fs ago  %-11s %s", (double)of_number(e, "age_ms") / 1000, of_text(e, "kind"),
               of_text(e, "dpid"));
        if (of_number(e, "port") != 0)
            printf(" port %llu", of_number(e, "port"));
        printf("  %s\n", of_text(e, "text"));
    }
    fflush(stdout);
}

static void show_topology(json_t *j)
{
    show_switches(j);
    printf("\n");
    show_links(j);
    printf("\n");
    show_hosts(j);
}

static void show_counters(json_t *j)
{
    struct of_table *t = TABLE("COUNTER", "VALUE");
    const char *room, *name;
    json_t *of, *v;

    json_object_foreach(json_object_get(j, "sum"), room, of)
        json_object_foreach(of, name, v) if (json_integer_value(v) != 0)
    {
        of_cell(t, "%s.%s", room, name);
        of_cell(t, "%lld", (long long)json_integer_value(v));
    }
    of_table_print(t);
}

static void show_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    printf("\n");
}

/* What is asked, its path with %s for each argument, how it is shown. */
static const struct {
    const char *name;
    int arguments;
    const char *path;
    void (*show)(json_t *j);
} shows[] = {
    {"switches", 0, "/v1/switches", show_switches},
    {"topology", 0, "/v1/topology", show_topology},
    {"links", 0, "/v1/links", show_links},
    {"hosts", 0, "/v1/hosts", show_hosts},
    {"stored", 0, "/v1/stored", show_stored},
    {"events", 0, "/v1/events", show_events},
    {"counters", 0, "/v1/counters", show_counters},
    {"process", 0, "/v1/process", show_json},
    {"pof", 0, "/v1/pof", show_json},
    {"paths", 2, "/v1/paths/%s/%s", show_paths},
    {"switch", 1, "/v1/switches/%s", show_json},
    {"ports", 1, "/v1/switches/%s/ports", show_ports},
    {"flows", 1, "/v1/switches/%s/flows", show_flows},
    {"groups", 1, "/v1/switches/%s/groups", show_json},
    {"meters", 1, "/v1/switches/%s/meters", show_json},
    {"tables", 1, "/v1/switches/%s/tables", show_json},
    {"macs", 1, "/v1/switches/%s/macs", show_json},
    {"pof", 1, "/v1/pof/%s", show_json},
};

static bool ask_and_show(struct of_client *c, const char *path, void (*show)(json_t *j))
{
    json_t *j = of_ask(c, "GET", path, NULL);

    if (j == NULL)
        return false;
    if (c->json)
        show_json(j);
    else
        show(j);
    json_decref(j);
    return true;
}

/* The same of every switch. */
static bool of_every_switch(struct of_client *c, size_t row)
{
    json_t *j = of_ask(c, "GET", "/v1/switches", NULL), *s;
    bool good = j != NULL;
    char path[512];
    size_t i;

    json_array_foreach(json_object_get(j, "switches"), i, s)
    {
        if (!c->json)
            printf("%s\n", of_text(s, "dpid"));
        snprintf(path, sizeof(path), shows[row].path, of_text(s, "dpid"), "");
        good = ask_and_show(c, path, shows[row].show) && good;
    }
    json_decref(j);
    return good;
}

bool of_show(struct of_client *c, const char *what, char **words, int n, bool *known)
{
    char path[512];

    *known = false;
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
        if (strcmp(shows[i].name, what) != 0)
            continue;
        if (shows[i].arguments != n && !(n == 0 && shows[i].arguments == 1))
            continue;
        *known = true;
        if (n == 0 && shows[i].arguments == 1)
            return of_every_switch(c, i);
        snprintf(path, sizeof(path), shows[i].path, n > 0 ? words[0] : "", n > 1 ? words[1] : "");
        return ask_and_show(c, path, shows[i].show);
    }
    return false;
}
