/* THEORY OF OPERATION
 *
 * Time stands still until nothing is left to do at it.  Then it moves to the script's next event,
 * or to the stack's next deadline, whichever comes first.  A packet that the stack sends waits
 * until a line of the script expects it; if the script goes on to another kind of event at a later
 * time, the packet was unexpected. */
#include "run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "packet.h"
#include "parse.h"
#include "world.h"

#define TURNS_MAX 10000
#define WAITING_MAX 8
#define HISTORY 14
#define CLIENT_PORT 49152
#define SERVER_PORT 8080

struct waiting {
    const struct event *ev; /* NULL: free */
    struct call_state st;
    int64_t return_us;
};

struct history {
    int64_t us;
    bool out;
    uint32_t len;
    uint8_t *bytes; /* owned */
};

struct run {
    struct script script;
    struct run_options options;
    struct world w;
    struct app app;
    struct flow_maps flows;
    int64_t last_us; /* what relative times count from */
    const struct event *ev;
    struct waiting waiting[WAITING_MAX];
    struct history history[HISTORY];
    unsigned nhistory;
    uint32_t last_isn; /* of the last connection that began, on the wire */
    bool failed;
    struct run_report *report;
};

static char where[300] = "before the script";

const char *run_where(void)
{
    return where;
}

/* ---- messages --------------------------------------------------------------------- */

static void say(struct run *r, const char *how, ...) __attribute__((format(printf, 2, 3)));

static void say(struct run *r, const char *how, ...)
{
    size_t used = strlen(r->report->text);
    va_list args;

    va_start(args, how);
    vsnprintf(r->report->text + used, REPORT_MAX - used, how, args);
    va_end(args);
}

static void remember(struct run *r, bool out, int64_t us, const uint8_t *b, uint32_t n)
{
    struct history *h = &r->history[r->nhistory++ % HISTORY];

    free(h->bytes);
    *h = (struct history){us, out, n, malloc(n)};
    if (h->bytes != NULL)
        memcpy(h->bytes, b, n);
}

static struct flow_map *flow_of_observed(struct run *r, const struct observed *o, bool out)
{
    struct flow_maps *f = &r->flows;

    if (o->spec.proto == SPEC_ICMP)
        return o->spec.quote_proto == SPEC_UDP ? f->udp : f->tcp;
    return out ? flow_get(f, o->spec.proto, o->src, o->sport, o->dst, o->dport)
               : flow_get(f, o->spec.proto, o->dst, o->dport, o->src, o->sport);
}

/* A packet in the script's words.  One that came in is turned round, so that what is subtracted
 * from its numbers is the right side's. */
static void say_packet(struct run *r, const struct history *h)
{
    struct observed o;
    char text[400], why[200];
    struct flow_map *f, turned;

    if (h->bytes == NULL)
        return;
    if (!packet_observe(h->bytes, h->len, &o, why, sizeof(why))) {
        say(r, "  %10.6f %c (%s)\n", (double)h->us / 1e6, h->out ? '>' : '<', why);
        return;
    }
    f = flow_of_observed(r, &o, h->out);
    if (f != NULL) {
        turned = *f;
        if (!h->out) {
            turned.local_off = f->remote_off;
            turned.remote_off = f->local_off;
            turned.has_local = true;
            turned.has_ts = false;
        }
        packet_to_script(&o, &turned);
    }
    packet_print(text, sizeof(text), &o.spec);
    say(r, "  %10.6f %c %s\n", (double)h->us / 1e6, h->out ? '>' : '<', text);
}

static bool fail(struct run *r, const char *how, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct run *r, const char *how, ...)
{
    char why[400];
    va_list args;

    if (r->failed)
        return false;
    r->failed = true;
    va_start(args, how);
    vsnprintf(why, sizeof(why), how, args);
    va_end(args);
    say(r, "%s:%d: %s\n", r->script.path, r->ev != NULL ? r->ev->line : 0, why);
    say(r, "  now %.6f; the line: %s\n", (double)world_us(&r->w) / 1e6,
        r->ev != NULL ? r->ev->text : "(the end)");
    say(r, "  the last packets:\n");
    for (unsigned i = r->nhistory > HISTORY ? r->nhistory - HISTORY : 0; i < r->nhistory; i++)
        say_packet(r, &r->history[i % HISTORY]);
    for (const struct capture *c; (c = world_next_sent(&r->w)) != NULL; world_pop_sent(&r->w)) {
        struct history h = {(int64_t)(c->at - r->w.start), true, c->len, c->bytes};

        say(r, "  and not yet expected:\n");
        say_packet(r, &h);
    }
    return false;
}

/* ---- turns ------------------------------------------------------------------------ */

static bool check_result(struct run *r, const struct call_spec *c, const struct call_result *got)
{
    if (c->any_result)
        return true;
    if (got->value != c->result)
        return fail(r, "%s() = %" PRId64 " %s, expected %" PRId64 " %s", c->name, got->value,
                    got->err != 0 ? errno_text(got->err) : "", c->result,
                    c->result_errno != 0 ? errno_text(c->result_errno) : "");
    if (c->result_errno != 0 && got->err != c->result_errno)
        return fail(r, "%s() failed with %s, expected %s", c->name, errno_text(got->err),
                    errno_text(c->result_errno));
    return true;
}

static void retry_waiting(struct run *r)
{
    for (int i = 0; i < WAITING_MAX && !r->failed; i++) {
        struct waiting *wt = &r->waiting[i];
        const struct event *ev = wt->ev;
        struct call_result res;
        enum call_status s;

        if (ev == NULL)
            continue;
        s = call_try(&r->app, &ev->call, &wt->st, &res);
        if (s == CALL_WAIT)
            continue;
        wt->ev = NULL;
        r->ev = ev;
        if (s == CALL_BAD)
            fail(r, "%s", r->app.why);
        else if (llabs(world_us(&r->w) - wt->return_us) > r->options.tolerance_us)
            fail(r, "%s() returned at %.6f, expected at %.6f", ev->call.name,
                 (double)world_us(&r->w) / 1e6, (double)wt->return_us / 1e6);
        else
            check_result(r, &ev->call, &res);
    }
}

/* Run turns until nothing more happens at this time. */
static bool settle(struct run *r)
{
    struct mr_event ev;

    for (int turn = 0; turn < TURNS_MAX; turn++) {
        bool busy = false;

        native_advance(r->w.native, r->w.now);
        while (native_event(r->w.native, &ev)) {
            busy = true;
            app_event(&r->app, &ev);
        }
        retry_waiting(r);
        if (world_flush(&r->w))
            busy = true;
        if (r->failed)
            return false;
        if (!busy && native_deadline(r->w.native) > r->w.now) {
            stack_check(r->w.stack);
            return true;
        }
    }
    return fail(r, "the stack does not come to rest");
}

/* Let time pass until us, or, with until_sent, until a packet waits. */
static bool pass_time(struct run *r, int64_t us, bool until_sent)
{
    instant to = us <= 0 ? r->w.start : r->w.start + (uint64_t)us;

    while (!(until_sent && world_next_sent(&r->w) != NULL)) {
        instant d = native_deadline(r->w.native);

        if (d > to)
            break;
        if (d > r->w.now)
            r->w.now = d;
        if (!settle(r))
            return false;
    }
    if (until_sent && world_next_sent(&r->w) != NULL)
        return true;
    if (to > r->w.now)
        r->w.now = to;
    return settle(r);
}

/* A packet sent before this time should have been expected by a line before this one. */
static bool check_silence(struct run *r)
{
    const struct capture *c = world_next_sent(&r->w);

    if (c == NULL || c->at >= r->w.now)
        return true;
    return fail(r, "a packet that no line expects was sent at %.6f",
                (double)(c->at - r->w.start) / 1e6);
}

/* ---- events ----------------------------------------------------------------------- */

static bool play_packet_in(struct run *r, const struct event *ev)
{
    static uint8_t bytes[2 * IP_PACKET_MAX];
    const struct pkt_spec *p = &ev->pkt;
    struct flow_map *f;
    uint32_t n;

    if (p->proto == SPEC_ICMP)
        f = p->quote_proto == SPEC_UDP ? r->flows.udp : r->flows.tcp;
    else
        f = flow_of_spec(&r->flows, p, false);
    if (f == NULL)
        return fail(r, "too many flows");
    if (p->proto == SPEC_TCP && (p->flags & TH_SYN) != 0 && !p->bad_csum) {
        f->remote_isn = p->seq;
        f->may_relearn = true;
    }
    n = packet_build(p, f, bytes);
    remember(r, false, world_us(&r->w), bytes, n);
    world_inject(&r->w, bytes, n, p->broadcast);
    return settle(r);
}

static bool check_payload(struct run *r, const struct observed *o, const struct flow_map *f)
{
    const struct pkt_spec *p = &o->spec;
    enum side side = SIDE_LOCAL;
    uint32_t at = 0, good;

    if (p->has_frag || o->payload_len == 0)
        return true;
    if (p->proto == SPEC_TCP) {
        if (!f->has_local)
            return true;
        at = ((p->flags & TH_SYN) != 0 ? p->seq : p->seq - 1) - f->local_isn;
    }
    if (p->proto == SPEC_ICMP)
        side = SIDE_REMOTE; /* an echo's payload is the request's */
    good = oracle_check(o->payload, o->payload_len, side, at);
    return good == o->payload_len ? true : fail(r, "byte %u of the payload is wrong", good);
}

/* The flow that a packet of ours belongs to; a SYN without ACK, or the first datagram to a new
 * peer, makes it the one that lines speak of. */
static struct flow_map *flow_of_sent(struct run *r, const struct pkt_spec *p,
                                     const struct observed *o)
{
    int known = r->flows.n;
    struct flow_map *f = flow_of_observed(r, o, true);

    if (f == NULL)
        return NULL;
    if (o->spec.proto == SPEC_TCP && (o->spec.flags & (TH_SYN | TH_ACK)) == TH_SYN &&
        !p->has_dport && !p->has_sport)
        r->flows.tcp = f;
    if (o->spec.proto == SPEC_UDP && r->flows.n > known && !p->has_dport && !p->has_sport)
        r->flows.udp = f;
    return f;
}

/* What a connection's number has to do with the one before, for assertions. */
static void learn(struct run *r, struct flow_map *f, const struct observed *o,
                  const struct pkt_spec *p)
{
    uint32_t was = f->isn_wire;

    if (!packet_learn(f, o, p))
        return;
    r->app.isn_step = (int32_t)(f->isn_wire - was);
    r->app.isn_apart = llabs((int32_t)(f->isn_wire - r->last_isn));
    r->last_isn = f->isn_wire;
}

static bool compare(struct run *r, const struct pkt_spec *p, const struct capture *c)
{
    struct observed o;
    struct flow_map *f;
    char why[256], text[400];

    if (!packet_observe(c->bytes, c->len, &o, why, sizeof(why)))
        return fail(r, "malformed packet: %s", why);
    f = flow_of_sent(r, p, &o);
    if (f == NULL)
        return fail(r, "too many flows");
    if (o.spec.proto == p->proto && p->proto != SPEC_ICMP && !(p->has_frag && p->frag_off != 0) &&
        flow_of_spec(&r->flows, p, true) != f)
        return fail(r, "the packet belongs to another connection: ports %u > %u", o.sport,
                    o.dport);
    if (p->proto == SPEC_TCP && o.spec.proto == SPEC_TCP)
        learn(r, f, &o, p);
    packet_to_script(&o, f);
    if (!packet_match(p, &o, (uint32_t)(r->options.tolerance_us / 1000) + 1, why, sizeof(why))) {
        packet_print(text, sizeof(text), p);
        fail(r, "%s", why);
        say(r, "  expected            > %s\n", text);
        packet_print(text, sizeof(text), &o.spec);
        say(r, "  actual   %10.6f > %s\n", (double)(c->at - r->w.start) / 1e6, text);
        return false;
    }
    return check_payload(r, &o, f);
}

#define ANY_TIME_US (INT64_C(24) * 3600 * 1000000)

static bool play_packet_out(struct run *r, const struct event *ev, int64_t from, int64_t to)
{
    int64_t slack = r->options.tolerance_us, at;
    bool any = ev->when.kind == TIME_ANY;
    const struct capture *c;

    if (!pass_time(r, any ? world_us(&r->w) + ANY_TIME_US : to + slack, true))
        return false;
    c = world_next_sent(&r->w);
    if (c == NULL)
        return fail(r, "the expected packet was not sent");
    at = (int64_t)(c->at - r->w.start);
    remember(r, true, at, c->bytes, c->len);
    if (!compare(r, &ev->pkt, c))
        return false;
    if (!any && (at < from - slack || at > to + slack))
        return fail(r, "sent at %.6f, expected from %.6f to %.6f", (double)at / 1e6,
                    (double)from / 1e6, (double)to / 1e6);
    world_pop_sent(&r->w);
    if (any || ev->when.is_range)
        r->last_us = at;
    return true;
}

static bool start_waiting(struct run *r, const struct event *ev, const struct call_state *st,
                          int64_t return_us)
{
    if (!ev->when.blocks)
        return fail(r, "%s() would wait", ev->call.name);
    for (int i = 0; i < WAITING_MAX; i++) {
        if (r->waiting[i].ev != NULL)
            continue;
        r->waiting[i] = (struct waiting){ev, *st, return_us};
        return settle(r);
    }
    return fail(r, "too many calls wait");
}

static void follow_sockets(struct run *r)
{
    struct app *a = &r->app;

    if (a->connected_now)
        for (int i = 0; i < r->flows.n; i++)
            r->flows.maps[i].may_relearn = true;
    if (a->listened_port != 0) {
        enum spec_proto proto = a->listened_udp ? SPEC_UDP : SPEC_TCP;
        struct flow_map *f = flow_get(&r->flows, proto, r->flows.local_ip, a->listened_port,
                                      r->flows.remote_ip, CLIENT_PORT);

        if (a->listened_udp)
            r->flows.udp = f;
        else
            r->flows.tcp = f;
    }
    a->connected_now = false;
    a->listened_port = 0;
}

static bool play_call(struct run *r, const struct event *ev, int64_t base)
{
    struct call_state st = {0};
    struct call_result res;
    enum call_status s = call_try(&r->app, &ev->call, &st, &res);

    follow_sockets(r);
    if (s == CALL_BAD)
        return fail(r, "%s", r->app.why);
    if (s == CALL_WAIT)
        return start_waiting(r, ev, &st, base + ev->when.return_us);
    if (ev->when.blocks && ev->when.return_us > r->options.tolerance_us + ev->when.us)
        return fail(r, "%s() returned at once", ev->call.name);
    return check_result(r, &ev->call, &res) && settle(r);
}

static bool play(struct run *r, const struct event *ev)
{
    int64_t base = ev->when.kind == TIME_RELATIVE ? r->last_us : 0;
    int64_t at = base + ev->when.us;

    r->ev = ev;
    snprintf(where, sizeof(where), "%s:%d: %s", r->script.path, ev->line, ev->text);
    if (ev->when.kind != TIME_ANY)
        r->last_us = at;
    if (ev->kind == EVENT_PACKET_OUT)
        return play_packet_out(r, ev, at, base + ev->when.end_us);
    if (!pass_time(r, at, false))
        return false;
    /* A call that waited may have moved this. */
    r->ev = ev;
    if (!check_silence(r))
        return false;
    switch (ev->kind) {
    case EVENT_PACKET_IN:
        return play_packet_in(r, ev);
    case EVENT_CALL:
        return play_call(r, ev, base);
    case EVENT_ASSERT:
        return assert_eval(&r->app, ev->assertion) == CALL_DONE || fail(r, "%s", r->app.why);
    case EVENT_PACKET_OUT:
        break;
    }
    return false;
}

/* Calls that still wait must return in time; then nothing may be left over. */
static bool finish(struct run *r)
{
    for (int i = 0; i < WAITING_MAX; i++) {
        const struct waiting *wt = &r->waiting[i];

        if (wt->ev != NULL && !pass_time(r, wt->return_us + r->options.tolerance_us, false))
            return false;
        if (wt->ev != NULL) {
            r->ev = wt->ev;
            return fail(r, "%s() did not return", wt->ev->call.name);
        }
    }
    r->ev = NULL;
    if (world_next_sent(&r->w) != NULL)
        return fail(r, "a packet that no line expects was sent");
    return true;
}

/* Enough for any script; small, because every byte of it is written before a script begins. */
static void limits_set(struct stack_limits *l)
{
    stack_limits_for(l, 256);
    l->tx_packets = 512;
    l->copy_packets = 256;
    l->snd_chunks = 1024;
    l->snd_bufs = 2048;
    l->ip.jumbo = 8;
    l->ip.loop = 64;
    l->udp.copies = 64;
}

static bool start(struct run *r, bool verbose)
{
    struct stack_config config;
    char why[300];

    stack_config_default(&config);
    limits_set(&config.limits);
    run_options_default(&r->options);
    for (int i = 0; i < 4; i++)
        config.secret[i] = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(i + 1);
    if (!knobs_apply(&r->script, &r->options, &config, why, sizeof(why)) ||
        !world_init(&r->w, &r->options, &config, why, sizeof(why)))
        return say(r, "%s\n", why), false;
    r->w.verbose = verbose;
    r->app.m = r->w.m;
    r->app.local = mr_addr4((uint8_t)(r->options.local_ip >> 24),
                            (uint8_t)(r->options.local_ip >> 16),
                            (uint8_t)(r->options.local_ip >> 8), (uint8_t)r->options.local_ip, 0);
    r->app.remote = mr_addr4((uint8_t)(r->options.remote_ip >> 24),
                             (uint8_t)(r->options.remote_ip >> 16),
                             (uint8_t)(r->options.remote_ip >> 8),
                             (uint8_t)r->options.remote_ip, 0);
    r->flows.local_ip = r->options.local_ip;
    r->flows.remote_ip = r->options.remote_ip;
    r->flows.remote_off = r->options.remote_isn;
    r->flows.tcp = flow_get(&r->flows, SPEC_TCP, r->flows.local_ip, SERVER_PORT,
                            r->flows.remote_ip, CLIENT_PORT);
    r->flows.udp = flow_get(&r->flows, SPEC_UDP, r->flows.local_ip, SERVER_PORT,
                            r->flows.remote_ip, CLIENT_PORT);
    return settle(r);
}

void run_script(const char *path, const char *text, bool verbose, struct run_report *out)
{
    struct run *r = calloc(1, sizeof(*r));
    bool ok;

    *out = (struct run_report){0};
    if (r == NULL)
        return;
    r->report = out;
    ok = script_parse(&r->script, path, text);
    if (!ok)
        say(r, "%s\n", r->script.error);
    ok = ok && start(r, verbose);
    for (int i = 0; ok && i < r->script.nevents; i++)
        ok = play(r, &r->script.events[i]);
    out->ok = ok && finish(r);
    for (int i = 0; i < HISTORY; i++)
        free(r->history[i].bytes);
    world_fini(&r->w);
    script_free(&r->script);
    free(r);
}
