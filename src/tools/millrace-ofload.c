/* millrace-ofload: load for OpenFlow controllers. */
#include <stdlib.h>

#include "tools/ofload.h"
#include "tools/tool.h"

static const char name[] = "millrace-ofload";

/* As many as the send buffers on the way hold, and fewer than there are buffer ids. */
#define THROUGHPUT_WINDOW 60000u

static int load_init(struct mr *m, void *arg, void **core_state)
{
    struct ofl_options *o = arg;
    struct ofload *l;

    if (mr_core(m) >= o->cores)
        return MR_OK;
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return MR_ENOMEM;
    l->m = m;
    l->core = mr_core(m);
    l->opt = o;
    l->next = o->list;
    o->list = l;
    if (!ofl_make(l)) {
        tool_refuse(name, "not enough memory for %u switches", o->switches);
        return MR_ENOMEM;
    }
    *core_state = l;
    ofl_start(l);
    return MR_OK;
}

static void load_fini(struct mr *m, void *core)
{
    (void)m;
    if (core != NULL)
        ofl_finish(core);
}

static void list_free(struct ofload *l)
{
    while (l != NULL) {
        struct ofload *next = l->next;
        ofl_free(l);
        free(l);
        l = next;
    }
}

static const char usage[] =
    "usage: millrace-ofload --to A.B.C.D:PORT [options] [network options]\n"
    "  Plays OpenFlow 1.0 switches and checks what the controller answers to their packet-ins.\n"
    "  --to A.B.C.D:PORT      the controller\n"
    "  --switches N           default 16\n"
    "  --hosts M              that send, behind each switch (default 100000)\n"
    "  --dpid-first N         datapath id of the first switch (default 1)\n"
    "  --throughput           as many packet-ins on their way as the send buffer takes (default)\n"
    "  --latency              one at a time from each switch\n"
    "  --in-flight K          at most K from each switch\n"
    "  --rate R               open loop: R packet-ins a second over all switches; latency counts\n"
    "                         from when a packet-in was due\n"
    "  --loops N              loops that count (default 4)\n"
    "  --loop-ms N            length of each (default 1000)\n"
    "  --seconds N            the same as --loops N --loop-ms 1000\n"
    "  --warmup N             loops before them that do not count (default 1)\n"
    "  --late N               the last N switches connect when the loops that count begin\n"
    "  --buffers N            buffer ids of a switch (default 99999)\n"
    "  --cbench               with cbench's habits: after each loop 100 ms in which all is read\n"
    "                         and thrown away, 8 bits of the datapath id in the MACs, Nagle on\n"
    "  --wide-macs            with --cbench: 16 bits of the datapath id all the same\n"
    "  --no-check             count as cbench does; no latency\n"
    "  --json                 the report as JSON\n"
    "  --quiet                no line a loop\n"
    "Exit status 1: an answer was wrong or missing.  Floods are counted and are no error.\n";

static int judge_options(struct ofl_options *o)
{
    if (o->to.port == 0)
        return tool_refuse(name, "--to A.B.C.D:PORT is missing");
    if (o->latency + o->throughput + (o->in_flight != 0) + (o->rate != 0) > 1)
        return tool_refuse(name, "one of --latency, --throughput, --in-flight and --rate");
    if (o->rate != 0 && o->cbench)
        return tool_refuse(name, "--rate goes on without --cbench's pauses");
    if (o->late >= o->switches)
        return tool_refuse(name, "--late leaves no switch to begin with");
    if (o->wide_macs && !o->cbench)
        return tool_refuse(name, "--wide-macs is for --cbench; it is so without");
    if (o->in_flight > o->buffers)
        return tool_refuse(name, "--in-flight is more than there are buffers");
    if (o->seconds != 0) {
        o->loops = o->seconds;
        o->loop_ms = 1000;
    }
    o->throughput = !o->latency && o->in_flight == 0 && o->rate == 0;
    if (o->throughput)
        o->in_flight = THROUGHPUT_WINDOW < o->buffers ? THROUGHPUT_WINDOW : o->buffers;
    if (o->latency)
        o->in_flight = 1;
    return TOOL_GO_ON;
}

static int load_main(struct mr_config *c, struct ofl_options *o)
{
    const struct mr_app app = {
        .name = name, .arg = o, .init = load_init, .event = ofl_event, .fini = load_fini};
    struct ofl_total total = {0};
    struct ofload *all;
    int status;

    o->cores = c->cores != 0 ? c->cores : 1;
    if (o->cores > o->switches - o->late)
        o->cores = o->switches - o->late;
    o->total = &total;
    total.running = o->cores;
    status = tool_exit_code(mr_run(c, &app));
    all = o->list;
    for (struct ofload *l = all; l != NULL && l->next != NULL; l = l->next)
        ofl_merge(all, l->next);
    if (all != NULL && status == 0) {
        ofl_report(all);
        if (all->handshakes == 0)
            tool_refuse(name, "no handshake was finished: %s",
                        all->last_err != 0 ? mr_strerror(all->last_err) : "no answer");
        status = ofl_error_sum(all) > 0 || all->handshakes == 0;
    }
    list_free(all);
    return status;
}

int main(int argc, char **argv)
{
    struct ofl_options o = {.switches = 16,
                            .hosts = 100000,
                            .loops = 4,
                            .loop_ms = 1000,
                            .warmup = 1,
                            .buffers = OFL_BUFFERS,
                            .dpid_first = 1};
    const struct tool_opt opts[] = {
        {"--to", TOOL_ADDR, &o.to, 0, 0},
        {"--switches", TOOL_U32, &o.switches, 1, 65536},
        {"--hosts", TOOL_U32, &o.hosts, 1, OFL_HOSTS_MAX},
        {"--dpid-first", TOOL_U64, &o.dpid_first, 1, UINT64_MAX / 2},
        {"--throughput", TOOL_FLAG, &o.throughput, 0, 0},
        {"--latency", TOOL_FLAG, &o.latency, 0, 0},
        {"--in-flight", TOOL_U32, &o.in_flight, 1, 10000000},
        {"--rate", TOOL_U64, &o.rate, 1, 1000000000},
        {"--loops", TOOL_U32, &o.loops, 1, 100000},
        {"--loop-ms", TOOL_U32, &o.loop_ms, 10, 600000},
        {"--seconds", TOOL_U32, &o.seconds, 1, 86400},
        {"--warmup", TOOL_U32, &o.warmup, 0, 1000},
        {"--late", TOOL_U32, &o.late, 0, 65535},
        {"--buffers", TOOL_U32, &o.buffers, 1, 10000000},
        {"--cbench", TOOL_FLAG, &o.cbench, 0, 0},
        {"--wide-macs", TOOL_FLAG, &o.wide_macs, 0, 0},
        {"--no-check", TOOL_FLAG, &o.no_check, 0, 0},
        {"--json", TOOL_FLAG, &o.json, 0, 0},
        {"--quiet", TOOL_FLAG, &o.quiet, 0, 0},
    };
    struct mr_config c;
    int status;

    mr_config_init(&c);
    status = tool_options(&c, argc, argv, opts, sizeof(opts) / sizeof(opts[0]), usage, NULL, NULL);
    if (status == TOOL_GO_ON)
        status = judge_options(&o);
    return status != TOOL_GO_ON ? status : load_main(&c, &o);
}
