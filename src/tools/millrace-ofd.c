/* millrace-ofd: the SDN controller. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofd/network.h"
#include "ofd/ofd.h"
#include "tools/tool.h"

static const char name[] = "millrace-ofd";

static const char usage[] =
    "usage: millrace-ofd [options] [network options]\n"
    "A controller for OpenFlow 1.0, OpenFlow 1.3 and POF switches.\n"
    "  --config FILE            options, one a line, without their dashes: 'mode learn'; the "
    "command\n"
    "                           line comes after it\n"
    "  --listen [ADDR:]PORT     where OpenFlow switches connect; may be given often (default 6653 "
    "and\n"
    "                           6633, unless any listener is named)\n"
    "  --pof-listen [ADDR:]PORT where POF switches connect; may be given often\n"
    "  --pof-dialect D          auto, huawei or ustc (default auto: told by the first answer)\n"
    "  --tls-listen [ADDR:]PORT where OpenFlow switches connect by TLS; may be given often\n"
    "  --tls-cert FILE          our certificate and its chain (PEM)\n"
    "  --tls-key FILE           its key (default: in the same file)\n"
    "  --tls-ca FILE            who signs the certificates of switches, which are then demanded\n"
    "  --mode M                 network: links found, shortest paths (default); learn: each switch "
    "on\n"
    "                           its own; none: only what is asked for\n"
    "  --network FILE           links told instead of found, POF protocols and tables (YAML, "
    "JSON)\n"
    "  --master                 ask switches for the master's role\n"
    "  --rest [ADDR:]PORT|none  where REST, metrics and the web page are (default 127.0.0.1:8181)\n"
    "  --tokens FILE            tokens of the REST interface: 'ro WORD' and 'rw WORD', one a line\n"
    "  --store FILE             flows, groups and meters that were asked for, kept from run to "
    "run\n"
    "  --quiet                  no lines about switches\n"
    "limits (a core unless it says network):\n"
    "  --switches-max N         connections                --ports-max N   ports of all switches\n"
    "  --macs-max N             learnt addresses           --hosts-max N   network: hosts\n"
    "  --datapaths-max N        network: known datapaths   --links-max N   network: directed "
    "links\n"
    "  --stored-max N           network: flows, groups and meters asked for\n"
    "  --chunks-max N           pieces of output, 64 KB each\n"
    "times (seconds) and flows:\n"
    "  --handshake-timeout S  --echo-interval S  --stats-interval S (0: never)  --host-timeout S\n"
    "  --flow-idle S  --flow-hard S  --flow-priority N\n";

#define NAMED_MAX 4u
#define S_MAX 86400u
#define CONFIG_BYTES_MAX (1u << 20)

/* The command line's own units. */
struct words {
    struct mr_addr at[3][NAMED_MAX];
    struct tool_addrs listen, pof_listen, tls_listen;
    const char *config, *mode, *dialect, *network, *rest, *tokens;
    uint32_t handshake_s, echo_s, stats_s, host_s, idle_s, hard_s, priority;
};

struct program {
    struct ofd_config ofd;
    struct words w;
    struct mr_config net;
    char *text;              /* owned: the configuration file, to which options point */
    struct network *network; /* owned */
};

static void words_init(struct program *p)
{
    const struct sdn_config *s = &p->ofd.sdn;

    p->w = (struct words){
        .mode = "network",
        .dialect = "auto",
        .rest = "127.0.0.1:8181",
        .handshake_s = s->handshake_us / 1000000,
        .echo_s = s->echo_us / 1000000,
        .stats_s = s->stats_us / 1000000,
        .host_s = s->host_us / 1000000,
        .idle_s = s->flow_idle_s,
        .hard_s = s->flow_hard_s,
        .priority = s->flow_priority,
    };
    p->w.listen = (struct tool_addrs){.at = p->w.at[0], .max = NAMED_MAX};
    p->w.pof_listen = (struct tool_addrs){.at = p->w.at[1], .max = NAMED_MAX};
    p->w.tls_listen = (struct tool_addrs){.at = p->w.at[2], .max = NAMED_MAX};
}

/* A command line: the true one, or a line of the file. */
static int take_options(struct program *p, int argc, char **argv)
{
    struct words *w = &p->w;
    struct sdn_config *s = &p->ofd.sdn;
    const struct tool_opt opts[] = {
        {"--config", TOOL_TEXT, &w->config, 0, 0},
        {"--listen", TOOL_ADDRS, &w->listen, 0, 0},
        {"--pof-listen", TOOL_ADDRS, &w->pof_listen, 0, 0},
        {"--pof-dialect", TOOL_TEXT, &w->dialect, 0, 0},
        {"--tls-listen", TOOL_ADDRS, &w->tls_listen, 0, 0},
        {"--tls-cert", TOOL_TEXT, &p->ofd.tls.cert, 0, 0},
        {"--tls-key", TOOL_TEXT, &p->ofd.tls.key, 0, 0},
        {"--tls-ca", TOOL_TEXT, &p->ofd.tls.ca, 0, 0},
        {"--mode", TOOL_TEXT, &w->mode, 0, 0},
        {"--network", TOOL_TEXT, &w->network, 0, 0},
        {"--master", TOOL_FLAG, &s->master, 0, 0},
        {"--rest", TOOL_TEXT, &w->rest, 0, 0},
        {"--tokens", TOOL_TEXT, &w->tokens, 0, 0},
        {"--store", TOOL_TEXT, &p->ofd.store, 0, 0},
        {"--quiet", TOOL_FLAG, &p->ofd.quiet, 0, 0},
        {"--switches-max", TOOL_U32, &s->conns, 1, 65535},
        {"--ports-max", TOOL_U32, &s->ports, 1, 16u << 20},
        {"--macs-max", TOOL_U32, &s->macs, 16, 64u << 20},
        {"--hosts-max", TOOL_U32, &s->hosts, 1, 16u << 20},
        {"--datapaths-max", TOOL_U32, &s->switches, 1, 65534},
        {"--links-max", TOOL_U32, &s->links, 1, 1u << 20},
        {"--stored-max", TOOL_U32, &s->stored, 1, 1u << 20},
        {"--chunks-max", TOOL_U32, &s->chunks, 16, 1u << 20},
        {"--handshake-timeout", TOOL_U32, &w->handshake_s, 1, 3600},
        {"--echo-interval", TOOL_U32, &w->echo_s, 1, 3600},
        {"--stats-interval", TOOL_U32, &w->stats_s, 0, 3600},
        {"--host-timeout", TOOL_U32, &w->host_s, 0, 3600},
        {"--flow-idle", TOOL_U32, &w->idle_s, 0, 65535},
        {"--flow-hard", TOOL_U32, &w->hard_s, 0, 65535},
        {"--flow-priority", TOOL_U32, &w->priority, 1, 65535},
    };

    return tool_options(&p->net, argc, argv, opts, sizeof(opts) / sizeof(opts[0]), usage, NULL,
                        NULL);
}

/* ---- the file of options -------------------------------------------------------------- */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = f ? calloc(1, CONFIG_BYTES_MAX) : NULL;
    size_t n = text ? fread(text, 1, CONFIG_BYTES_MAX - 1, f) : 0;

    /* A file that is no text would end where its first zero is. */
    if (f && (ferror(f) || n == CONFIG_BYTES_MAX - 1 || (text && strlen(text) != n))) {
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

/* "name value" -> { "FILE:LINE", "--name", "value" }. */
static int take_line(struct program *p, const char *path, unsigned number, char *line)
{
    char where[300], option[64], *argv[3] = {where, option, NULL};
    char *word = line + strspn(line, " \t\r"), *value;
    size_t n = strcspn(word, " \t\r"), end;

    if (*word == '\0' || *word == '#')
        return TOOL_GO_ON;
    value = word + n + strspn(word + n, " \t\r");
    for (end = strlen(value); end > 0 && strchr(" \t\r", value[end - 1]); end--)
        value[end - 1] = '\0';
    snprintf(where, sizeof(where), "%s: %s:%u", name, path, number);
    if (n == 0 || n > sizeof(option) - 3 || word[0] == '-' || strncmp(word, "config", n) == 0 ||
        strncmp(word, "help", n) == 0 || strncmp(word, "version", n) == 0)
        return tool_refuse(where, "expected an option without its dashes and its value, not '%.*s'",
                           (int)(n < 60 ? n : 60), word);
    snprintf(option, sizeof(option), "--%.*s", (int)n, word);
    argv[2] = value;
    return take_options(p, *value ? 3 : 2, argv);
}

static int take_file(struct program *p, const char *path)
{
    unsigned number = 0;
    char *rest;

    p->text = read_file(path);
    if (!p->text)
        return tool_refuse(name, "--config %s: cannot be read, is no text, or is longer than 1 MB",
                           path);
    rest = p->text;
    while (rest) {
        char *line = strsep(&rest, "\n");
        int status = take_line(p, path, ++number, line);
        if (status != TOOL_GO_ON)
            return status;
    }
    return TOOL_GO_ON;
}

static const char *config_named(int argc, char **argv)
{
    const char *path = NULL;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            path = argv[i] + 9;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[i + 1];
    }
    return path;
}

/* ---- what the words mean -------------------------------------------------------------- */

static int one_of(const char *option, const char *word, const char *const *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return (int)i;
    tool_refuse(name, "%s does not know '%s' (--help lists what it wants)", option, word);
    return -1;
}

static void add_listeners(struct ofd_config *o, const struct tool_addrs *a, enum sdn_speech speech,
                          bool tls)
{
    for (size_t i = 0; i < a->n; i++)
        o->listener[o->listeners++] =
            (struct ofd_listener){.at = a->at[i], .speech = speech, .tls = tls};
}

static int take_listeners(struct program *p)
{
    static const char *const dialects[] = {"auto", "huawei", "ustc"};
    static const enum sdn_speech speech[] = {SDN_SPEAKS_POF, SDN_SPEAKS_HUAWEI, SDN_SPEAKS_USTC};
    struct words *w = &p->w;
    int d = one_of("--pof-dialect", w->dialect, dialects, 3);

    if (d < 0)
        return 2;
    if (w->listen.n + w->pof_listen.n + w->tls_listen.n == 0) {
        mr_addr_parse(&w->listen.at[w->listen.n++], "6653");
        mr_addr_parse(&w->listen.at[w->listen.n++], "6633");
    }
    add_listeners(&p->ofd, &w->listen, SDN_SPEAKS_OPENFLOW, false);
    add_listeners(&p->ofd, &w->pof_listen, speech[d], false);
    add_listeners(&p->ofd, &w->tls_listen, SDN_SPEAKS_OPENFLOW, true);
    if (w->tls_listen.n > 0 && !p->ofd.tls.cert)
        return tool_refuse(name, "--tls-listen needs --tls-cert FILE");
    if (w->tls_listen.n == 0 && p->ofd.tls.cert)
        return tool_refuse(name, "--tls-cert needs --tls-listen [ADDR:]PORT");
    return TOOL_GO_ON;
}

static int take_words(struct program *p)
{
    static const char *const modes[] = {"network", "learn", "none"};
    static const enum sdn_mode mode[] = {SDN_NETWORK, SDN_LEARN, SDN_NONE};
    struct sdn_config *s = &p->ofd.sdn;
    struct words *w = &p->w;
    int m = one_of("--mode", w->mode, modes, 3);

    if (m < 0)
        return 2;
    s->mode = mode[m];
    s->handshake_us = w->handshake_s * 1000000;
    s->echo_us = w->echo_s * 1000000;
    s->stats_us = w->stats_s * 1000000;
    s->host_us = w->host_s * 1000000;
    s->flow_idle_s = (uint16_t)w->idle_s;
    s->flow_hard_s = (uint16_t)w->hard_s;
    s->flow_priority = (uint16_t)w->priority;
    p->ofd.cores = p->net.cores;
    return take_listeners(p);
}

static int take_network(struct program *p)
{
    char why[400];

    if (!p->w.network)
        return TOOL_GO_ON;
    p->network = network_read(p->w.network, why, sizeof(why));
    if (!p->network)
        return tool_refuse(name, "%s", why);
    network_into(p->network, &p->ofd.sdn);
    return TOOL_GO_ON;
}

/* ---- running -------------------------------------------------------------------------- */

static int run_with_rest(struct program *p, struct ofd *o)
{
    const struct mr_app app = ofd_app(o);
    struct north_config c = {
        .listen = p->w.rest, .token_file = p->w.tokens, .source = ofd_source(o)};
    struct north *north = NULL;
    int rc;

    char why[300];

    if (strcmp(p->w.rest, "none") != 0) {
        north = north_open(&c, why, sizeof(why));
        if (!north)
            return tool_refuse(name, "%s", why);
    }
    rc = mr_run(&p->net, &app);
    ofd_refuse_all(o);
    if (north)
        north_close(north);
    return tool_exit_code(rc);
}

static int run(struct program *p)
{
    char why[300];
    struct ofd *o = ofd_open(&p->ofd, why, sizeof(why));
    int status;

    if (!o)
        return tool_refuse(name, "%s", why);
    status = run_with_rest(p, o);
    ofd_close(o);
    return status;
}

int main(int argc, char **argv)
{
    struct program p = {.ofd = {.name = name}};
    const char *file = config_named(argc, argv);
    int status = TOOL_GO_ON;

    mr_config_init(&p.net);
    sdn_config_init(&p.ofd.sdn);
    words_init(&p);
    if (file)
        status = take_file(&p, file);
    if (status == TOOL_GO_ON)
        status = take_options(&p, argc, argv);
    if (status == TOOL_GO_ON)
        status = take_words(&p);
    if (status == TOOL_GO_ON)
        status = take_network(&p);
    if (status == TOOL_GO_ON)
        status = run(&p);
    network_free(p.network);
    free(p.text);
    return status;
}
