/* millrace-of: the controller from the command line. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/of_client.h"

static const char usage[] =
    "usage: millrace-of [options] COMMAND [arguments]\n"
    "Asks a controller (millrace-ofd) by its REST interface.\n"
    "  --url URL          where it is (default $MILLRACE_OF_URL or http://127.0.0.1:8181)\n"
    "  --token WORD       a token; better: $MILLRACE_OF_TOKEN, or\n"
    "  --token-file FILE  the first word of its first line\n"
    "  --json             what the controller says, unchanged\n"
    "  --interval S       watch: seconds between two looks (default 2)\n"
    "commands:\n"
    "  switches  topology  links  hosts  stored  counters  process  events\n"
    "  switch DPID   ports [DPID]   flows [DPID]   groups, meters, tables, macs [DPID]\n"
    "  dump [DPID]              the same as flows\n"
    "  paths A B                between two MAC addresses or two DPIDs\n"
    "  watch                    events, as they come\n"
    "  add-flow DPID FLOW       in ovs-ofctl's words: 'priority=9,ip,nw_dst=10.0.0.0/8,actions=2'\n"
    "  mod-flow DPID FLOW       del-flow DPID FLOW (that one)\n"
    "  del-flows DPID [FLOW]    all that match; without FLOW what operators have asked for\n"
    "  port DPID PORT up|down   role DPID master|slave|equal   disconnect DPID\n"
    "  pof [DPID]               POF: the program; a switch's tables and entries\n"
    "  pof-add DPID JSON        pof-del DPID JSON\n"
    "exit status: 0 done, 1 refused, 2 usage, 3 no controller there\n";

static enum of_exit misused(const char *why, const char *what)
{
    fprintf(stderr, "millrace-of: %s%s; --help tells\n", why, what);
    return OF_USAGE;
}

static bool command(struct of_client *c, const char *verb, const char *path, json_t *body)
{
    json_t *out = of_ask(c, verb, path, body);

    json_decref(body);
    if (out == NULL)
        return false;
    if (c->json)
        json_dumpf(out, stdout, JSON_INDENT(2));
    else
        printf("%s", of_text(out, "status")[0] != '\0' ? of_text(out, "status") : "done");
    printf("\n");
    json_decref(out);
    return true;
}

static bool flow_command(struct of_client *c, const char *what, char **words, int n)
{
    char path[256], why[300] = "";
    bool one = strcmp(what, "del-flow") == 0;
    const char *verb = strcmp(what, "add-flow") == 0   ? "POST"
                       : strcmp(what, "mod-flow") == 0 ? "PUT"
                                                       : "DELETE";
    json_t *flow = NULL;

    snprintf(path, sizeof(path), "/v1/switches/%s/flows", words[0]);
    if (n == 2) {
        flow = of_flow_read(words[1], why, sizeof(why));
        if (flow == NULL) {
            c->status = misused(why, "");
            return false;
        }
    }
    if (one)
        json_object_set_new(flow, "strict", json_true());
    return command(c, verb, path, flow);
}

static bool port_command(struct of_client *c, char **words)
{
    char path[256];
    bool up = strcmp(words[2], "up") == 0;

    if (!up && strcmp(words[2], "down") != 0) {
        c->status = misused("up or down, not ", words[2]);
        return false;
    }
    snprintf(path, sizeof(path), "/v1/switches/%s/ports/%s", words[0], words[1]);
    return command(c, "PUT", path, json_pack("{s:b}", "up", up));
}

static bool pof_command(struct of_client *c, const char *what, char **words)
{
    char path[256];
    json_error_t e;
    json_t *body = json_loads(words[1], 0, &e);

    if (body == NULL) {
        c->status = misused("not JSON: ", e.text);
        return false;
    }
    snprintf(path, sizeof(path), "/v1/pof/%s/entries", words[0]);
    return command(c, strcmp(what, "pof-add") == 0 ? "POST" : "DELETE", path, body);
}

static bool watch(struct of_client *c)
{
    char since[1024] = "", path[1200];

    for (;;) {
        snprintf(path, sizeof(path), "/v1/events?since=%s", since);
        json_t *j = of_ask(c, "GET", path, NULL), *e;
        struct timespec wait = {(time_t)c->every_s,
                                (long)((c->every_s - (double)(time_t)c->every_s) * 1e9)};
        size_t i;
        if (j == NULL)
            return false;
        json_array_foreach(json_object_get(j, "events"), i, e)
        {
            if (c->json)
                json_dumpf(e, stdout, JSON_COMPACT);
            else
                printf("%-11s %s %s%.0llu %s", of_text(e, "kind"), of_text(e, "dpid"),
                       of_number(e, "port") != 0 ? "port " : "", of_number(e, "port"),
                       of_text(e, "text"));
            printf("\n");
        }
        fflush(stdout);
        snprintf(since, sizeof(since), "%s", of_text(j, "next"));
        json_decref(j);
        nanosleep(&wait, NULL);
    }
}

static bool run(struct of_client *c, const char *what, char **words, int n)
{
    bool known, flow = strstr(what, "-flow") != NULL;
    char path[256];
    bool good = of_show(c, strcmp(what, "dump") == 0 ? "flows" : what, words, n, &known);

    if (known)
        return good;
    if (strcmp(what, "watch") == 0 && n == 0)
        return watch(c);
    if (flow && (n == 2 || (n == 1 && strcmp(what, "del-flows") == 0)))
        return flow_command(c, what, words, n);
    if (strcmp(what, "port") == 0 && n == 3)
        return port_command(c, words);
    if ((strcmp(what, "pof-add") == 0 || strcmp(what, "pof-del") == 0) && n == 2)
        return pof_command(c, what, words);
    if (strcmp(what, "role") == 0 && n == 2) {
        snprintf(path, sizeof(path), "/v1/switches/%s/role", words[0]);
        return command(c, "PUT", path, json_pack("{s:s}", "role", words[1]));
    }
    if (strcmp(what, "disconnect") == 0 && n == 1) {
        snprintf(path, sizeof(path), "/v1/switches/%s", words[0]);
        return command(c, "DELETE", path, NULL);
    }
    c->status = misused("no such command, or not with these arguments: ", what);
    return false;
}

static const char *token_of(const char *file)
{
    static char word[256];
    FILE *f = fopen(file, "re");
    int n = f != NULL ? fscanf(f, "%255s", word) : 0;

    /* A token file of the controller's has "ro" or "rw" before the word. */
    if (n == 1 && (strcmp(word, "ro") == 0 || strcmp(word, "rw") == 0))
        n = fscanf(f, "%255s", word);
    if (f != NULL)
        fclose(f);
    return n == 1 ? word : NULL;
}

int main(int argc, char **argv)
{
    struct of_client c = {
        .url = getenv("MILLRACE_OF_URL"), .token = getenv("MILLRACE_OF_TOKEN"), .every_s = 2};
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return OF_DONE;
        }
        if (strcmp(argv[i], "--json") == 0) {
            c.json = true;
            continue;
        }
        if (value == NULL)
            return misused("wants a value: ", argv[i]);
        if (strcmp(argv[i], "--url") == 0)
            c.url = value;
        else if (strcmp(argv[i], "--token") == 0)
            c.token = value;
        else if (strcmp(argv[i], "--token-file") == 0 && (c.token = token_of(value)) == NULL)
            return misused("no token in ", value);
        else if (strcmp(argv[i], "--interval") == 0 && (c.every_s = atof(value)) < 0.05)
            return misused("an interval is at least 0.05 seconds, not ", value);
        else if (strcmp(argv[i], "--token-file") != 0 && strcmp(argv[i], "--interval") != 0)
            return misused("no such option: ", argv[i]);
        i++;
    }
    if (i == argc)
        return misused("no command", "");
    if (c.url == NULL)
        c.url = "http://127.0.0.1:8181";
    curl_global_init(CURL_GLOBAL_DEFAULT);
    run(&c, argv[i], argv + i + 1, argc - i - 1);
    curl_global_cleanup();
    return (int)c.status;
}
