/* Flows in ovs-ofctl's words: "priority=10,ip,nw_dst=10.0.0.0/8,actions=output:2". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/of_client.h"

static const struct {
    const char *word;
    int eth_type, ip_proto; /* -1: none */
} shorthands[] = {
    {"ip", 0x0800, -1},   {"ipv4", 0x0800, -1},  {"icmp", 0x0800, 1},   {"tcp", 0x0800, 6},
    {"udp", 0x0800, 17},  {"sctp", 0x0800, 132}, {"arp", 0x0806, -1},   {"rarp", 0x8035, -1},
    {"ip6", 0x86dd, -1},  {"ipv6", 0x86dd, -1},  {"icmp6", 0x86dd, 58}, {"tcp6", 0x86dd, 6},
    {"udp6", 0x86dd, 17}, {"mpls", 0x8847, -1},  {"lldp", 0x88cc, -1},
};

/* What is no match: the member of the body. */
static const char *const members[][2] = {
    {"priority", "priority"},
    {"table", "table_id"},
    {"cookie", "cookie"},
    {"idle_timeout", "idle_timeout"},
    {"hard_timeout", "hard_timeout"},
    {"out_port", "out_port"},
    {"out_group", "out_group"},
    {"flags", "flags"},
};

/* Actions with an argument, and where it goes. */
static const struct {
    const char *word, *type, *key;
} with_argument[] = {
    {"output", "OUTPUT", "port"},
    {"group", "GROUP", "group_id"},
    {"set_queue", "SET_QUEUE", "queue_id"},
    {"push_vlan", "PUSH_VLAN", "ethertype"},
    {"push_mpls", "PUSH_MPLS", "ethertype"},
    {"pop_mpls", "POP_MPLS", "ethertype"},
    {"mod_vlan_vid", "SET_VLAN_VID", "vlan_vid"},
    {"mod_vlan_pcp", "SET_VLAN_PCP", "vlan_pcp"},
    {"mod_dl_src", "SET_DL_SRC", "dl_src"},
    {"mod_dl_dst", "SET_DL_DST", "dl_dst"},
    {"mod_nw_src", "SET_NW_SRC", "nw_src"},
    {"mod_nw_dst", "SET_NW_DST", "nw_dst"},
    {"mod_tp_src", "SET_TP_SRC", "tp_src"},
    {"mod_tp_dst", "SET_TP_DST", "tp_dst"},
    {"mod_nw_ttl", "SET_NW_TTL", "nw_ttl"},
    {"goto_table", "GOTO_TABLE", "table_id"},
    {"meter", "METER", "meter_id"},
    {"write_metadata", "WRITE_METADATA", "metadata"},
};
static const char *const alone[][2] = {
    {"strip_vlan", "POP_VLAN"},       {"pop_vlan", "POP_VLAN"},           {"dec_ttl", "DEC_NW_TTL"},
    {"dec_mpls_ttl", "DEC_MPLS_TTL"}, {"clear_actions", "CLEAR_ACTIONS"},
};
static const char *const ports[] = {"in_port",    "normal", "flood", "all",
                                    "controller", "local",  "table"};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static json_t *fail(char *why, size_t n, const char *what, const char *word)
{
    snprintf(why, n, "%s: %s", what, word);
    return NULL;
}

/* set_field:VALUE->FIELD */
static json_t *set_field(char *argument, char *why, size_t n)
{
    char *arrow = strstr(argument, "->");

    if (arrow == NULL)
        return fail(why, n, "set_field:VALUE->FIELD is wanted", argument);
    *arrow = '\0';
    return json_pack("{s:s,s:s,s:s}", "type", "SET_FIELD", "field", arrow + 2, "value", argument);
}

static json_t *action(char *word, char *why, size_t n)
{
    size_t head = strcspn(word, ":");
    char *argument = word[head] == ':' ? word + head + 1 : NULL;
    char *end;

    word[head] = '\0';
    strtoul(word, &end, 10);
    if (*word != '\0' && *end == '\0')
        return json_pack("{s:s,s:s}", "type", "OUTPUT", "port", word);
    for (size_t i = 0; i < N(ports); i++)
        if (strcasecmp(word, ports[i]) == 0) {
            json_t *o = json_pack("{s:s,s:s}", "type", "OUTPUT", "port", word);
            if (argument != NULL)
                json_object_set_new(o, "max_len", json_string(argument));
            return o;
        }
    for (size_t i = 0; i < N(alone); i++)
        if (strcmp(word, alone[i][0]) == 0)
            return json_pack("{s:s}", "type", alone[i][1]);
    if (strcmp(word, "set_field") == 0 && argument != NULL)
        return set_field(argument, why, n);
    for (size_t i = 0; i < N(with_argument); i++)
        if (strcmp(word, with_argument[i].word) == 0) {
            if (argument == NULL)
                return fail(why, n, "wants an argument", word);
            return json_pack("{s:s,s:s}", "type", with_argument[i].type, with_argument[i].key,
                             argument);
        }
    return fail(why, n, "no such action", word);
}

static bool actions(char *text, json_t *list, char *why, size_t n)
{
    char *save = NULL;

    for (char *w = strtok_r(text, ", ", &save); w != NULL; w = strtok_r(NULL, ", ", &save)) {
        if (strcmp(w, "drop") == 0)
            continue;
        json_t *a = action(w, why, n);
        if (a == NULL)
            return false;
        json_array_append_new(list, a);
    }
    return true;
}

static bool word_in(json_t *flow, json_t *match, char *word, char *why, size_t n)
{
    char *equals = strchr(word, '=');

    for (size_t i = 0; equals == NULL && i < N(shorthands); i++)
        if (strcmp(word, shorthands[i].word) == 0) {
            json_object_set_new(match, "eth_type", json_integer(shorthands[i].eth_type));
            if (shorthands[i].ip_proto >= 0)
                json_object_set_new(match, "ip_proto", json_integer(shorthands[i].ip_proto));
            return true;
        }
    if (equals == NULL) {
        fail(why, n, "no such word", word);
        return false;
    }
    *equals = '\0';
    for (size_t i = 0; i < N(members); i++)
        if (strcmp(word, members[i][0]) == 0) {
            json_object_set_new(flow, members[i][1], json_string(equals + 1));
            return true;
        }
    json_object_set_new(match, word, json_string(equals + 1));
    return true;
}

json_t *of_flow_read(const char *text, char *why, size_t n)
{
    char *copy = strdup(text), *save = NULL, *at;
    json_t *flow, *match, *list;
    bool good = true;

    if (copy == NULL)
        return fail(why, n, "out of memory", text);
    match = json_object();
    list = json_array();
    flow = json_pack("{s:o,s:o}", "match", match, "actions", list);
    at = strstr(copy, "actions=");
    if (at != NULL && (at == copy || strchr(", ", at[-1]) != NULL)) {
        good = actions(at + strlen("actions="), list, why, n);
        *at = '\0';
    }
    for (char *w = strtok_r(copy, ", ", &save); good && w != NULL; w = strtok_r(NULL, ", ", &save))
        good = word_in(flow, match, w, why, n);
    free(copy);
    if (good)
        return flow;
    json_decref(flow);
    return NULL;
}

/* ---- into words ---- */

static void put(char *out, size_t n, const char *before, const char *text)
{
    size_t used = strlen(out);

    if (used + 1 < n)
        snprintf(out + used, n - used, "%s%s", used != 0 ? before : "", text);
}

static const char *scalar(json_t *v, char *buf, size_t n)
{
    if (json_is_string(v))
        snprintf(buf, n, "%s", json_string_value(v));
    else
        snprintf(buf, n, "%lld", (long long)json_integer_value(v));
    return buf;
}

void of_match_print(json_t *match, char *out, size_t n)
{
    const char *key;
    json_t *v;
    char value[128], word[256];

    out[0] = '\0';
    json_object_foreach(match, key, v)
    {
        if (strcmp(key, "eth_type") == 0 && json_is_integer(v))
            snprintf(word, sizeof(word), "eth_type=0x%04llx", (long long)json_integer_value(v));
        else
            snprintf(word, sizeof(word), "%s=%s", key, scalar(v, value, sizeof(value)));
        put(out, n, ",", word);
    }
}

static void action_print(json_t *a, char *word, size_t n)
{
    const char *type = of_text(a, "type"), *key;
    json_t *v;
    char value[128], inside[1024];

    if (strcmp(type, "SET_FIELD") == 0) {
        snprintf(word, n, "set_field:%s->%s",
                 scalar(json_object_get(a, "value"), value, sizeof(value)), of_text(a, "field"));
        return;
    }
    if (strcmp(type, "WRITE_ACTIONS") == 0) {
        of_actions_print(json_object_get(a, "actions"), inside, sizeof(inside));
        snprintf(word, n, "write_actions(%s)", inside);
        return;
    }
    size_t used = 0;
    for (; type[used] != '\0' && used + 1 < n; used++)
        word[used] =
            (char)(type[used] >= 'A' && type[used] <= 'Z' ? type[used] | 0x20 : type[used]);
    word[used] = '\0';
    json_object_foreach(a, key, v) if (strcmp(key, "type") != 0 && strcmp(key, "max_len") != 0)
    {
        used = strlen(word);
        snprintf(word + used, n - used, ":%s", scalar(v, value, sizeof(value)));
    }
}

void of_actions_print(json_t *list, char *out, size_t n)
{
    char word[1200];
    json_t *a;
    size_t i;

    out[0] = '\0';
    json_array_foreach(list, i, a)
    {
        action_print(a, word, sizeof(word));
        put(out, n, ",", word);
    }
    if (out[0] == '\0')
        snprintf(out, n, "drop");
}
