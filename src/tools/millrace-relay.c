/* millrace-relay: a TCP relay in front of several upstreams. */
#include <string.h>

#include "tools/relay.h"
#include "tools/tool.h"

static const char name[] = "millrace-relay";

static int relay_start(struct mr *m, void *arg, void **core_state)
{
    const struct relay_options *o = arg;
    char text[MR_ADDR_TEXT];
    int err = relay_init(m, arg, core_state);

    if (err != MR_OK)
        tool_refuse(name, "%s: %s", mr_addr_print(&o->listen, text), mr_strerror(err));
    return err;
}

static const char usage[] =
    "usage: millrace-relay --listen ADDR:PORT --upstream ADDR:PORT [options] [network options]\n"
    "Passes connections on to upstreams, and the bytes both ways.\n"
    "  --listen [ADDR:]PORT   where connections are taken\n"
    "  --upstream ADDR:PORT   where they go; once for each upstream, at most 64\n"
    "  --balance HOW          round-robin, least (fewest connections), or hash (the client's\n"
    "                         address decides) (default round-robin)\n"
    "  --connect-timeout S    an upstream must answer in this time (default 5)\n"
    "  --idle-timeout S       a connection may rest so long (default 300)\n"
    "  --down-time S          an upstream that failed is left alone so long (default 5)\n"
    "  --pairs-max N          most connections at once on a core (default: half of --max-conns)\n"
    "  --buffer N             send and receive buffer of each socket, 0: they grow by themselves\n"
    "                         (default 256k)\n";

#define S_MAX 86400u

/* The command line's own units. */
struct words {
    struct tool_addrs upstream;
    const char *balance;
    uint32_t connect_s, idle_s, down_s, pairs_max;
    uint64_t buffer;
};

static bool take_balance(struct relay_options *o, const char *how)
{
    static const char *const hows[] = {"round-robin", "least", "hash"};

    for (unsigned i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        if (strcmp(how, hows[i]) != 0)
            continue;
        o->balance = (enum relay_balance)i;
        return true;
    }
    return false;
}

static bool is_any(const struct mr_addr *a)
{
    static const uint8_t zero[4];

    return memcmp(a->ip + 12, zero, 4) == 0;
}

/* Two sockets a pair, and the listener. */
static uint32_t pairs_for(const struct mr_config *c)
{
    uint32_t sockets = c->max_conns != 0 ? c->max_conns : 65536;

    return sockets > 2 ? (sockets - 1) / 2 : 1;
}

static int take_words(struct relay_options *o, const struct words *w, const struct mr_config *c)
{
    if (o->listen.port == 0)
        return tool_refuse(name, "--listen ADDR:PORT says where connections are taken");
    if (w->upstream.n == 0)
        return tool_refuse(name, "--upstream ADDR:PORT says where they go");
    for (size_t i = 0; i < w->upstream.n; i++)
        if (is_any(&o->upstream[i]))
            return tool_refuse(name, "--upstream wants an address to connect to");
    if (!take_balance(o, w->balance))
        return tool_refuse(name, "--balance wants round-robin, least or hash, not '%s'",
                           w->balance);
    if (w->buffer != 0 && w->buffer < 4096)
        return tool_refuse(name, "--buffer wants 0, or at least 4k");
    o->upstreams = w->upstream.n;
    o->connect_ms = w->connect_s * 1000;
    o->idle_ms = w->idle_s * 1000;
    o->down_ms = w->down_s * 1000;
    o->pairs_max = w->pairs_max != 0 ? w->pairs_max : pairs_for(c);
    o->buffer = (uint32_t)w->buffer;
    return TOOL_GO_ON;
}

int main(int argc, char **argv)
{
    struct relay_options o;
    relay_options_init(&o);
    struct words w = {.upstream = {.at = o.upstream, .max = RELAY_UPSTREAMS_MAX},
                      .balance = "round-robin",
                      .connect_s = o.connect_ms / 1000,
                      .idle_s = o.idle_ms / 1000,
                      .down_s = o.down_ms / 1000,
                      .buffer = o.buffer};
    const struct tool_opt opts[] = {
        {"--listen", TOOL_ADDR, &o.listen, 0, 0},
        {"--upstream", TOOL_ADDRS, &w.upstream, 0, 0},
        {"--balance", TOOL_TEXT, &w.balance, 0, 0},
        {"--connect-timeout", TOOL_U32, &w.connect_s, 1, S_MAX},
        {"--idle-timeout", TOOL_U32, &w.idle_s, 1, S_MAX},
        {"--down-time", TOOL_U32, &w.down_s, 0, S_MAX},
        {"--pairs-max", TOOL_U32, &w.pairs_max, 1, 8000000},
        {"--buffer", TOOL_SIZE, &w.buffer, 0, 1 << 30},
    };
    const struct mr_app app = {
        .name = name,
        .arg = &o,
        .init = relay_start,
        .event = relay_event,
        .fini = relay_fini,
        .status = relay_status,
    };
    struct mr_config c;
    int status;

    mr_config_init(&c);
    status = tool_options(&c, argc, argv, opts, sizeof(opts) / sizeof(opts[0]), usage, NULL, NULL);
    if (status == TOOL_GO_ON)
        status = take_words(&o, &w, &c);
    if (status != TOOL_GO_ON)
        return status;
    status = tool_exit_code(mr_run(&c, &app));
    relay_fini_all(&o);
    return status;
}
