#include <string.h>
#include <strings.h>

#include "north/serve.h"

/* ---- questions ---- */

static void reply_list(struct call *c, const char *key, json_t *list)
{
    if (list != NULL)
        c->out = json_pack("{s:o}", key, list);
}

static void serve_list(struct call *c, enum sdn_ask_kind k, const char *key, bool all)
{
    struct sdn_ask q = {.kind = k};

    reply_list(c, key, ask_list(c, &q, key, all));
}

void serve_switches(struct call *c)
{
    serve_list(c, SDN_ASK_SWITCHES, "switches", true);
}
void serve_links(struct call *c)
{
    serve_list(c, SDN_ASK_LINKS, "links", false);
}
void serve_hosts(struct call *c)
{
    serve_list(c, SDN_ASK_HOSTS, "hosts", false);
}

static void serve_of_switch(struct call *c, enum sdn_ask_kind k)
{
    uint64_t dpid;

    if (call_dpid(c, 0, true, &dpid))
        call_reply(c, ask_of_switch(c, k, dpid));
}

void serve_switch(struct call *c)
{
    serve_of_switch(c, SDN_ASK_SWITCH);
}
void serve_ports(struct call *c)
{
    serve_of_switch(c, SDN_ASK_PORTS);
}
void serve_flows(struct call *c)
{
    serve_of_switch(c, SDN_ASK_FLOWS);
}
void serve_groups(struct call *c)
{
    serve_of_switch(c, SDN_ASK_GROUPS);
}
void serve_meters(struct call *c)
{
    serve_of_switch(c, SDN_ASK_METERS);
}
void serve_tables(struct call *c)
{
    serve_of_switch(c, SDN_ASK_TABLES);
}

void serve_macs(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_MACS};

    if (call_dpid(c, 0, true, &q.dpid))
        reply_list(c, "macs", ask_list(c, &q, "macs", false));
}

void serve_host(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_HOST};

    if (mac_read(c->arg[0], &q.mac))
        call_reply(c, ask_one(c, 0, &q));
    else
        call_fail(c, 400, "path: '%.40s' is no MAC address", c->arg[0]);
}

/* An end of a path: a host or a switch. */
bool path_ends(struct call *c, struct sdn_ask *q)
{
    char a[32], b[32];

    /* ONOS's hosts have "/VLAN" behind them. */
    snprintf(a, sizeof(a), "%.*s", (int)strcspn(c->arg[0], "/"), c->arg[0]);
    snprintf(b, sizeof(b), "%.*s", (int)strcspn(c->arg[1], "/"), c->arg[1]);
    q->kind = SDN_ASK_PATHS;
    if ((mac_read(a, &q->mac) && mac_read(b, &q->mac2)) ||
        (dpid_read(a, true, &q->dpid) && dpid_read(b, true, &q->dpid2)))
        return true;
    call_fail(c, 400, "path: both ends are MAC addresses, or both datapath ids");
    return false;
}

void serve_paths(struct call *c)
{
    struct sdn_ask q = {0};

    if (path_ends(c, &q))
        call_reply(c, ask_one(c, 0, &q));
}

void serve_stored(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_STORED};
    char text[40];

    if (call_query(c, "dpid", text, sizeof(text)) && !dpid_read(text, true, &q.dpid))
        call_fail(c, 400, "dpid: '%s' is no datapath id", text);
    else
        reply_list(c, "stored", ask_list(c, &q, "stored", false));
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = jnum(*(json_t *const *)a, "at_us"), y = jnum(*(json_t *const *)b, "at_us");

    return x < y ? -1 : x > y;
}

/* Numbers are a core's own, so the place to go on from is one number a core: "17.4". */
static bool since_read(struct call *c, uint64_t *since)
{
    char text[SDN_CORES_MAX * 21];
    char *at = text;

    memset(since, 0, SDN_CORES_MAX * sizeof(*since));
    if (!call_query(c, "since", text, sizeof(text)) || text[0] == '\0')
        return true;
    for (unsigned i = 0; i < c->n->source.cores; i++) {
        char *word = strsep(&at, ".");
        if (word == NULL)
            break;
        if (!number_read(word, &since[i])) {
            call_fail(c, 400, "since: what an earlier answer called \"next\"");
            return false;
        }
    }
    return true;
}

void serve_events(struct call *c)
{
    uint64_t since[SDN_CORES_MAX];
    char next[SDN_CORES_MAX * 21] = "";
    size_t used = 0;
    json_t *all, *sorted;

    if (!since_read(c, since))
        return;
    all = json_array();
    sorted = json_array();
    for (unsigned core = 0; core < c->n->source.cores; core++) {
        struct sdn_ask q = {.kind = SDN_ASK_EVENTS, .cursor = since[core]};
        json_t *out = ask_one(c, core, &q);
        if (out == NULL)
            break;
        json_array_extend(all, json_object_get(out, "events"));
        used += (size_t)snprintf(next + used, sizeof(next) - used, "%s%llu", used ? "." : "",
                                 (unsigned long long)jnum(out, "last"));
        json_decref(out);
    }
    size_t n = json_array_size(all);
    json_t **item = calloc(n + 1, sizeof(json_t *));
    for (size_t i = 0; item != NULL && i < n; i++)
        item[i] = json_array_get(all, i);
    if (item != NULL)
        qsort(item, n, sizeof(json_t *), by_time);
    for (size_t i = 0; item != NULL && i < n; i++)
        json_array_append(sorted, item[i]);
    free(item);
    json_decref(all);
    if (c->out == NULL)
        c->out = json_pack("{s:o,s:s}", "events", sorted, "next", next);
    else
        json_decref(sorted);
}

/* Numbers of a are added to those of sum, objects inside likewise. */
static void add_up(json_t *sum, json_t *a)
{
    const char *key;
    json_t *v;

    json_object_foreach(a, key, v)
    {
        json_t *at = json_object_get(sum, key);
        if (at == NULL)
            json_object_set_new(sum, key, json_deep_copy(v));
        else if (json_is_object(v))
            add_up(at, v);
        else if (json_is_integer(v))
            json_integer_set(at, json_integer_value(at) + json_integer_value(v));
    }
}

json_t *counters_sum(struct call *c, json_t *cores)
{
    json_t *sum = json_object();

    for (unsigned core = 0; core < c->n->source.cores; core++) {
        struct sdn_ask q = {.kind = SDN_ASK_COUNTERS};
        json_t *out = ask_one(c, core, &q);
        if (out == NULL) {
            json_decref(sum);
            return NULL;
        }
        add_up(sum, out);
        if (cores != NULL)
            json_array_append(cores, out);
        json_decref(out);
    }
    return sum;
}

void serve_counters(struct call *c)
{
    json_t *cores = json_array(), *sum = counters_sum(c, cores);

    if (sum != NULL)
        c->out = json_pack("{s:o,s:o}", "sum", sum, "cores", cores);
    else
        json_decref(cores);
}

void serve_process(struct call *c)
{
    char text[16384];
    size_t n =
        c->n->source.facts != NULL ? c->n->source.facts(c->n->source.arg, text, sizeof(text)) : 0;

    c->out = n != 0 ? json_loadb(text, n, 0, NULL) : json_object();
}

/* What the page draws, in one answer. */
void serve_topology(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_METRICS};
    json_t *switches = ask_list(c, &q, "switches", true), *links = NULL, *hosts = NULL;

    q.kind = SDN_ASK_LINKS;
    links = switches != NULL ? ask_list(c, &q, "links", false) : NULL;
    q.kind = SDN_ASK_HOSTS;
    hosts = links != NULL ? ask_list(c, &q, "hosts", false) : NULL;
    if (hosts != NULL)
        c->out = json_pack("{s:O,s:O,s:O}", "switches", switches, "links", links, "hosts", hosts);
    json_decref(switches);
    json_decref(links);
    json_decref(hosts);
}

/* ---- commands ---- */

void do_flow(struct call *c, uint64_t dpid, struct ofp_flow *f, unsigned done)
{
    struct sdn_ask q = {.kind = SDN_DO_FLOW, .dpid = dpid, .flow = f};

    ask_command(c, &q, done);
}

static void flow_command(struct call *c, enum ofp_command command, unsigned done)
{
    struct ofp_flow f;
    struct why w;
    uint64_t dpid;

    if (!call_dpid(c, 0, true, &dpid))
        return;
    if (!flow_in(c->body, 32768, &f, &w)) {
        call_fail(c, 400, "%s", w.text);
        return;
    }
    f.command = command;
    if (command == OFPFC_DELETE && json_object_get(c->body, "table_id") == NULL)
        f.table = OFP_TABLE_ALL;
    do_flow(c, dpid, &f, done);
}

void do_flow_add(struct call *c)
{
    flow_command(c, OFPFC_ADD, 201);
}
void do_flow_modify(struct call *c)
{
    bool loose = json_is_false(json_object_get(c->body, "strict"));

    flow_command(c, loose ? OFPFC_MODIFY : OFPFC_MODIFY_STRICT, 200);
}

void do_flow_delete(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_DO_FLOWS_CLEAR};

    if (c->body != NULL)
        flow_command(c, jtrue(c->body, "strict") ? OFPFC_DELETE_STRICT : OFPFC_DELETE, 200);
    else if (call_dpid(c, 0, true, &q.dpid))
        ask_command(c, &q, 200);
}

void do_group(struct call *c, uint64_t dpid, enum ofp_mod_command command, unsigned done)
{
    struct ofp_group *g = calloc(1, sizeof(*g));
    struct sdn_ask q = {.kind = SDN_DO_GROUP, .dpid = dpid, .group = g};
    struct why w;

    if (g == NULL || !group_in(c->body, g, &w))
        call_fail(c, g == NULL ? 503 : 400, "%s", g == NULL ? "out of memory" : w.text);
    else {
        g->command = command;
        ask_command(c, &q, done);
    }
    free(g);
}

void do_meter(struct call *c, uint64_t dpid, enum ofp_mod_command command, unsigned done)
{
    struct ofp_meter m;
    struct sdn_ask q = {.kind = SDN_DO_METER, .dpid = dpid, .meter = &m};
    struct why w;

    if (!meter_in(c->body, &m, &w)) {
        call_fail(c, 400, "%s", w.text);
        return;
    }
    m.command = command;
    ask_command(c, &q, done);
}

static void group_command(struct call *c, enum ofp_mod_command command, unsigned done)
{
    uint64_t dpid;

    if (call_dpid(c, 0, true, &dpid))
        do_group(c, dpid, command, done);
}

void do_group_add(struct call *c)
{
    group_command(c, OFPMC_ADD, 201);
}
void do_group_modify(struct call *c)
{
    group_command(c, OFPMC_MODIFY, 200);
}

static void meter_command(struct call *c, enum ofp_mod_command command, unsigned done)
{
    uint64_t dpid;

    if (call_dpid(c, 0, true, &dpid))
        do_meter(c, dpid, command, done);
}

void do_meter_add(struct call *c)
{
    meter_command(c, OFPMC_ADD, 201);
}
void do_meter_modify(struct call *c)
{
    meter_command(c, OFPMC_MODIFY, 200);
}

/* Deletes the group or meter that path argument 1 names. */
static void delete_id(struct call *c, enum sdn_ask_kind k, unsigned done)
{
    struct ofp_group *g = calloc(1, sizeof(*g));
    struct ofp_meter m = {.command = OFPMC_DELETE};
    struct sdn_ask q = {.kind = k, .group = g, .meter = &m};
    uint64_t id;

    if (g == NULL)
        call_fail(c, 503, "out of memory");
    else if (!number_read(c->arg[1], &id) || id > UINT32_MAX)
        call_fail(c, 400, "path: '%.40s' is no number of one", c->arg[1]);
    else if (call_dpid(c, 0, true, &q.dpid)) {
        g->command = OFPMC_DELETE;
        g->id = m.id = (uint32_t)id;
        ask_command(c, &q, done);
    }
    free(g);
}

void do_group_delete(struct call *c)
{
    delete_id(c, SDN_DO_GROUP, 200);
}
void do_meter_delete(struct call *c)
{
    delete_id(c, SDN_DO_METER, 200);
}
void do_group_delete_onos(struct call *c)
{
    delete_id(c, SDN_DO_GROUP, 204);
}
void do_meter_delete_onos(struct call *c)
{
    delete_id(c, SDN_DO_METER, 204);
}

void do_port_state(struct call *c, const char *key)
{
    struct sdn_ask q = {.kind = SDN_DO_PORT};
    json_t *up = json_object_get(c->body, key);
    uint64_t no;

    if (!number_read(c->arg[1], &no) || no == 0 || no > UINT32_MAX)
        call_fail(c, 400, "path: '%.40s' is no port", c->arg[1]);
    else if (!json_is_boolean(up))
        call_fail(c, 400, "%s: true or false", key);
    else if (call_dpid(c, 0, true, &q.dpid)) {
        q.port = (uint32_t)no;
        q.flag = json_is_true(up);
        ask_command(c, &q, 200);
    }
}

void do_port(struct call *c)
{
    do_port_state(c, "up");
}

void do_role_of(struct call *c, uint64_t dpid, json_t *role)
{
    static const char *const names[] = {"NOCHANGE", "EQUAL", "MASTER", "SLAVE"};
    struct sdn_ask q = {.kind = SDN_DO_ROLE, .dpid = dpid};
    const char *s = json_is_string(role) ? json_string_value(role) : "";
    unsigned i = 0;

    while (i < ARRAY_LEN(names) && strcasecmp(names[i], s) != 0)
        i++;
    if (i == ARRAY_LEN(names)) {
        call_fail(c, 400, "role: one of MASTER, SLAVE, EQUAL, NOCHANGE");
        return;
    }
    q.role = (enum ofp_role)i;
    ask_command(c, &q, 200);
}

void do_role(struct call *c)
{
    uint64_t dpid;

    if (call_dpid(c, 0, true, &dpid))
        do_role_of(c, dpid, json_object_get(c->body, "role"));
}

void do_disconnect(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_DO_DISCONNECT};

    if (call_dpid(c, 0, true, &q.dpid))
        ask_command(c, &q, 200);
}
