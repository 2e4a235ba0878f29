/* millrace-load: load for HTTP and echo servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/load.h"
#include "tools/tool.h"

#define HALF_OPEN_MAX 512u       /* handshakes at once */
#define CONNECT_US_MAX 10000000u /* then the run begins with what is open */
#define REFUSED_US_MAX 2000000u
#define DRAIN_US 1000000u
#define TICK_US 1000000u

static const char name[] = "millrace-load";

/* What a timer is for: its user pointer points here. */
static const char timer_tick, timer_pace, timer_end;

static void go_on(struct load *l);

/* None of them is ever stopped, so none is remembered. */
static bool start_timer(struct load *l, uint64_t delay_us, const char *what)
{
    mr_timer t;

    return mr_timer_start(l->m, delay_us, (void *)(uintptr_t)what, &t) == MR_OK;
}

/* ---- connections */

static void ready_push(struct lconn *c)
{
    struct load *l = c->l;

    if (c->in_ready)
        return;
    c->in_ready = true;
    c->next_ready = NULL;
    *(l->ready_first != NULL ? &l->ready_last->next_ready : &l->ready_first) = c;
    l->ready_last = c;
}

/* Connections that closed while they were ready are passed over here. */
static struct lconn *ready_pop(struct load *l)
{
    while (l->ready_first != NULL) {
        struct lconn *c = l->ready_first;
        l->ready_first = c->next_ready;
        c->in_ready = false;
        if (l->opt->close ? c->state == LCONN_CLOSED
                          : c->state == LCONN_OPEN && c->outstanding < l->opt->depth)
            return c;
    }
    return NULL;
}

/* To be opened again, but not at once: a server that refuses is not helped by haste. */
static void fail_push(struct lconn *c)
{
    if (c->in_failed)
        return;
    c->in_failed = true;
    c->next_failed = c->l->failed;
    c->l->failed = c;
}

static bool open_conn(struct lconn *c)
{
    struct load *l = c->l;
    int err = mr_connect(l->m, NULL, &l->opt->to, c, &c->sock);

    c->tx_off = c->tx_end = c->rx_off = 0;
    c->first = c->outstanding = 0;
    l->opt->mode->reset(c);
    if (err != MR_OK) {
        l->errors[ERR_CONNECT]++;
        l->last_err = err;
        fail_push(c);
        return false;
    }
    c->state = LCONN_CONNECTING;
    l->half_open++;
    return true;
}

/* Open what is to be open from the start, not all at once. */
static void open_more(struct load *l)
{
    while (!l->opt->close && l->opened < l->opt->connections && l->half_open < HALF_OPEN_MAX)
        open_conn(l->all[l->opened++]);
}

static void close_conn(struct lconn *c, bool reset)
{
    struct load *l = c->l;

    if (c->state == LCONN_CLOSED)
        return;
    if (c->state == LCONN_CONNECTING)
        l->half_open--;
    else
        l->open_now--;
    c->state = LCONN_CLOSED;
    l->waiting -= c->outstanding;
    c->outstanding = 0;
    l->opt->mode->reset(c);
    if (reset)
        mr_abort(l->m, c->sock);
    else
        mr_close(l->m, c->sock);
}

/* What a connection that ended does next: at once if it ended well. */
static void reopen(struct lconn *c, bool well)
{
    struct load *l = c->l;

    if (l->phase >= LOAD_DRAIN)
        return;
    if (!well) {
        fail_push(c);
    } else if (l->opt->close) {
        ready_push(c);
    } else {
        open_conn(c);
    }
}

void load_bad(struct lconn *c, enum load_error e)
{
    struct load *l = c->l;

    if (c->state == LCONN_CLOSED)
        return;
    l->errors[e] += e == ERR_CONNECT || c->outstanding == 0 ? 1 : c->outstanding;
    close_conn(c, true);
    reopen(c, false);
}

/* ---- requests */

static void send_on(struct lconn *c)
{
    struct load *l = c->l;

    while (c->tx_off < c->tx_end) {
        size_t at = (size_t)(c->tx_off % l->period);
        size_t n = l->block_n - at < PIECE_BYTES ? l->block_n - at : PIECE_BYTES;
        int64_t r;
        if (n > c->tx_end - c->tx_off)
            n = (size_t)(c->tx_end - c->tx_off);
        if (l->opt->mode == &load_bulk) {
            r = mr_send_give(l->m, c->sock, l->block + at, n, 0, NULL, NULL);
            r = r == MR_OK ? (int64_t)n : r;
        } else {
            r = mr_send(l->m, c->sock, l->block + at, n, 0);
        }
        /* EAGAIN is followed by MR_EV_WRITABLE, anything else by MR_EV_CLOSED. */
        if (r < 0)
            return;
        c->tx_off += (uint64_t)r;
    }
}

/* One request, due at `due`, on a connection that has room. */
static void issue(struct lconn *c, uint64_t due)
{
    struct load *l = c->l;

    l->sent++;
    if (l->opt->close && !open_conn(c))
        return;
    c->started[(c->first + c->outstanding++) % l->opt->depth] = due;
    c->tx_end += l->request_n;
    l->waiting++;
    if (c->state == LCONN_OPEN) {
        send_on(c);
        if (c->outstanding < l->opt->depth)
            ready_push(c);
    }
}

static uint64_t due_us(const struct load *l)
{
    return l->start_us + l->due * 1000000u / l->opt->rate;
}

static void pace(struct load *l)
{
    uint64_t now = mr_now_us(l->m), due = due_us(l);

    if (l->pacing || due <= now)
        return;
    l->pacing = start_timer(l, due - now, &timer_pace);
}

static bool may_issue(const struct load *l)
{
    return l->phase == LOAD_RUN && (l->opt->count == 0 || l->sent < l->opt->count);
}

/* Give requests to connections that have room: all that are due, or, in a closed
 * loop, as many as there is room for. */
static void go_on(struct load *l)
{
    uint64_t now = mr_now_us(l->m);

    if (l->opt->mode == &load_bulk)
        return;
    while (may_issue(l) && (l->opt->rate == 0 || due_us(l) <= now)) {
        struct lconn *c = ready_pop(l);
        if (c == NULL)
            return;
        issue(c, l->opt->rate == 0 ? now : due_us(l));
        l->due++;
    }
    if (l->opt->rate != 0 && may_issue(l))
        pace(l);
}

static void finish(struct load *l)
{
    if (l->phase == LOAD_OVER)
        return;
    if (l->phase < LOAD_DRAIN)
        l->end_us = mr_now_us(l->m);
    l->phase = LOAD_OVER;
    for (uint32_t i = 0; i < l->opt->connections; i++) {
        l->errors[ERR_UNANSWERED] += l->all[i]->outstanding;
        l->errors[ERR_CONNECT] += l->all[i]->state == LCONN_CONNECTING && !l->opt->close;
        close_conn(l->all[i], l->all[i]->outstanding > 0 || l->opt->mode == &load_bulk);
    }
    if (atomic_fetch_sub(&l->opt->total->running, 1) == 1)
        mr_stop(l->m);
}

static bool any_outstanding(const struct load *l)
{
    bool any = l->waiting > 0;

    if (l->opt->mode == &load_bulk)
        for (uint32_t i = 0; !any && i < l->opt->connections; i++)
            any = l->all[i]->state == LCONN_OPEN && l->all[i]->rx_off < l->all[i]->tx_off;
    return any;
}

/* No more requests; the answers on their way are waited for. */
static void drain(struct load *l)
{
    if (l->phase >= LOAD_DRAIN)
        return;
    l->end_us = mr_now_us(l->m);
    l->phase = LOAD_DRAIN;
    l->phase_end_us = l->end_us + DRAIN_US;
    for (uint32_t i = 0; i < l->opt->connections; i++)
        l->all[i]->tx_end = l->all[i]->outstanding > 0 ? l->all[i]->tx_end : l->all[i]->tx_off;
    if (!any_outstanding(l))
        finish(l);
    else
        start_timer(l, DRAIN_US, &timer_end);
}

void load_done(struct lconn *c)
{
    struct load *l = c->l;
    uint64_t latency;

    MR_ASSERT(c->outstanding > 0);
    latency = mr_now_us(l->m) - c->started[c->first];
    if (++c->first == l->opt->depth)
        c->first = 0;
    c->outstanding--;
    l->waiting--;
    hist_record(&l->all_time, latency);
    hist_record(&l->second, latency);
    l->done++;
    if (l->opt->close || (l->opt->mode == &load_http && !c->keep_alive)) {
        l->errors[ERR_RESET] += c->outstanding;
        close_conn(c, false);
        reopen(c, true);
    } else {
        ready_push(c);
    }
    if (l->opt->count != 0 && l->done + load_error_sum(l) >= l->opt->count)
        drain(l);
}

/* ---- the run */

static void run(struct load *l)
{
    l->phase = LOAD_RUN;
    l->start_us = mr_now_us(l->m);
    for (uint32_t i = 0; i < l->opt->connections; i++) {
        struct lconn *c = l->all[i];
        if (l->opt->close) {
            ready_push(c);
        } else if (l->opt->mode == &load_bulk && c->state == LCONN_OPEN) {
            c->tx_end = l->opt->count != 0 ? l->opt->count : UINT64_MAX;
            send_on(c);
        }
    }
    if (l->opt->duration_ms != 0)
        start_timer(l, l->opt->duration_ms * 1000, &timer_end);
}

static void begin_if_connected(struct load *l)
{
    bool late = mr_now_us(l->m) - l->start_us > CONNECT_US_MAX;

    if (l->phase == LOAD_CONNECT && (l->open_now == l->opt->connections || late))
        run(l);
}

static void time_out_old(struct load *l)
{
    uint64_t now = mr_now_us(l->m), limit = l->opt->timeout_ms * 1000;

    for (uint32_t i = 0; i < l->opt->connections; i++) {
        struct lconn *c = l->all[i];
        if (c->outstanding > 0 && now - c->started[c->first] > limit && now > c->started[c->first])
            load_bad(c, ERR_TIMEOUT);
    }
}

/* No connection was ever made: a refusal is believed soon, silence only later. */
static bool is_hopeless(const struct load *l)
{
    uint64_t waited = mr_now_us(l->m) - l->start_us;

    return l->connects == 0 &&
           waited > (l->errors[ERR_CONNECT] > 0 ? REFUSED_US_MAX : CONNECT_US_MAX);
}

static void tick(struct load *l)
{
    struct lconn *c = l->failed;

    start_timer(l, TICK_US, &timer_tick);
    load_progress(l);
    time_out_old(l);
    c = l->failed;
    l->failed = NULL;
    if (is_hopeless(l)) {
        finish(l);
        return;
    }
    while (c != NULL) {
        struct lconn *next = c->next_failed;
        c->in_failed = false;
        if (c->state == LCONN_CLOSED)
            reopen(c, true);
        c = next;
    }
    begin_if_connected(l);
}

static void on_timer(struct load *l, const char *which)
{
    if (which == &timer_tick) {
        tick(l);
    } else if (which == &timer_pace) {
        l->pacing = false;
    } else if (l->phase == LOAD_RUN) {
        drain(l);
    } else if (l->phase == LOAD_DRAIN && mr_now_us(l->m) >= l->phase_end_us) {
        finish(l);
    }
}

static void on_connected(struct lconn *c)
{
    struct load *l = c->l;

    l->half_open--;
    l->open_now++;
    l->connects++;
    c->state = LCONN_OPEN;
    mr_setopt(l->m, c->sock, MR_NODELAY, 1);
    if (l->phase == LOAD_RUN && l->opt->mode == &load_bulk && c->tx_end == 0)
        c->tx_end = l->opt->count != 0 ? l->opt->count : UINT64_MAX;
    send_on(c);
    if (c->outstanding < l->opt->depth)
        ready_push(c);
    open_more(l);
    begin_if_connected(l);
}

/* The peer finished.  After a complete answer that is its right. */
static void on_end(struct lconn *c)
{
    if (!c->l->opt->mode->end(c)) {
        load_bad(c, ERR_RESET);
    } else if (c->state == LCONN_OPEN) {
        close_conn(c, false);
        reopen(c, true);
    }
}

static void on_readable(struct lconn *c)
{
    struct load *l = c->l;
    struct mr_slice s;
    mr_sock sock = c->sock;

    while (c->state == LCONN_OPEN && mr_sock_eq(sock, c->sock)) {
        int r = mr_recv_slices(l->m, c->sock, &s, 1);
        if (r == 1) {
            l->rx_bytes += s.len;
            l->opt->mode->input(c, s.ptr, s.len);
            mr_slice_release(l->m, &s);
            continue;
        }
        if (r == 0)
            on_end(c);
        return;
    }
}

static void on_closed(struct lconn *c, int err)
{
    c->l->last_err = err;
    load_bad(c, c->state == LCONN_CONNECTING ? ERR_CONNECT : ERR_RESET);
    open_more(c->l);
}

static void check_bulk_end(struct load *l)
{
    bool all = l->opt->count != 0;

    if (l->opt->mode != &load_bulk || l->phase < LOAD_RUN)
        return;
    for (uint32_t i = 0; all && i < l->opt->connections; i++)
        all = l->all[i]->rx_off >= l->opt->count;
    if (all)
        drain(l);
}

/* Timers have other user pointers than sockets. */
static bool is_origins(const struct mr_event *ev)
{
    const struct load_end *end = ev->user;

    return ev->type != MR_EV_TIMER && end != NULL && end->of_origin;
}

static void load_event(struct mr *m, void *core, const struct mr_event *ev)
{
    struct load *l = core;
    struct lconn *c = ev->user;

    (void)m;
    if (is_origins(ev)) {
        load_origin_event(l->origin, ev);
        return;
    }
    if (l->phase == LOAD_OVER)
        return;
    switch (ev->type) {
    case MR_EV_CONNECTED:
        on_connected(c);
        break;
    case MR_EV_READABLE:
        on_readable(c);
        check_bulk_end(l);
        break;
    case MR_EV_WRITABLE:
        send_on(c);
        break;
    case MR_EV_CLOSED:
        on_closed(c, ev->err);
        break;
    case MR_EV_TIMER:
        on_timer(l, ev->user);
        break;
    case MR_EV_SOFT_ERROR:
        l->last_err = ev->err;
        break;
    case MR_EV_ACCEPT:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
    case MR_EV_URGENT:
        break;
    }
    go_on(l);
    if (l->phase == LOAD_DRAIN && !any_outstanding(l))
        finish(l);
}

/* ---- beginning and end */

static int load_init(struct mr *m, void *arg, void **core_state)
{
    struct load_options *o = arg;
    struct load *l;

    if (mr_core(m) >= o->cores)
        return MR_OK;
    l = calloc(1, sizeof(*l));

    if (l == NULL)
        return MR_ENOMEM;
    l->m = m;
    load_take_share(l, o);
    l->next = o->list;
    o->list = l;
    hist_init(&l->all_time);
    hist_init(&l->second);
    if (!load_make_block(l) || !load_make_conns(l)) {
        tool_refuse(name, "not enough memory for %u connections", l->opt->connections);
        return MR_ENOMEM;
    }
    if (o->origin_port != 0) {
        int err = load_origin_open(l);
        if (err != MR_OK) {
            tool_refuse(name, "origin on port %u: %s", o->origin_port, mr_strerror(err));
            return err;
        }
    }
    l->start_us = mr_now_us(m);
    start_timer(l, TICK_US, &timer_tick);
    if (o->close)
        run(l);
    open_more(l);
    go_on(l);
    *core_state = l;
    return MR_OK;
}

static void load_fini(struct mr *m, void *core)
{
    (void)m;
    if (core != NULL)
        finish(core);
}

static void list_free(struct load *l)
{
    while (l != NULL) {
        struct load *next = l->next;
        tool_pool_fini(&l->conns);
        tool_pool_fini(&l->heads);
        load_origin_free(l->origin);
        free(l->all);
        free(l->block);
        free(l->reference);
        free(l);
        l = next;
    }
}

static const char usage[] =
    "usage: millrace-load http|rr|bulk --to A.B.C.D:PORT [options] [network options]\n"
    "  http   GET the same path again and again; every answer must equal the first\n"
    "  rr     request and response of --size bytes with an echo server\n"
    "  bulk   a stream through an echo server, as fast as it goes\n"
    "  --to A.B.C.D:PORT      the server\n"
    "  --path PATH            http: what to get (default /)\n"
    "  --host NAME            http: the Host field (default: the address)\n"
    "  --connections N        default 1\n"
    "  --depth N              requests on their way on a connection, 1 to 256 (default 1)\n"
    "  --rate N               open loop: N requests a second over all connections; latency\n"
    "                         counts from when a request was due (default: closed loop)\n"
    "  --duration-ms N        default 5000; 0: until --count\n"
    "  --count N              stop after N requests (bulk: N bytes a connection)\n"
    "  --size N               rr: bytes a request (default 64)\n"
    "  --timeout-ms N         an answer must be complete in this time (default 5000)\n"
    "  --close                open a connection for every request\n"
    "  --no-verify            http: answers may differ\n"
    "  --origin PORT          serve, too: what a proxy at --to asks of us is answered\n"
    "  --origin-bytes N       ... with so many bytes (default 1k)\n"
    "  --json                 the report as JSON\n"
    "  --quiet                no line every second\n";

static int take_mode(struct load_options *o, const char *word, int words)
{
    static const struct load_mode *const modes[] = {&load_http, &load_rr, &load_bulk};

    for (size_t i = 0; words == 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(word, modes[i]->name) == 0)
            o->mode = modes[i];
    if (o->mode == NULL)
        return tool_refuse(name, "the first argument is http, rr or bulk (--help tells more)");
    if (o->to.port == 0)
        return tool_refuse(name, "--to A.B.C.D:PORT is missing");
    if (o->duration_ms == 0 && o->count == 0)
        return tool_refuse(name, "--duration-ms 0 needs --count");
    if (o->mode == &load_bulk && (o->close || o->rate != 0))
        return tool_refuse(name, "bulk knows no --close and no --rate");
    if (o->close && o->depth != 1)
        return tool_refuse(name, "--close sends one request a connection: no --depth");
    if (o->path[0] != '/' || strpbrk(o->path, " \r\n") != NULL || strlen(o->path) > 800)
        return tool_refuse(name, "--path wants a path that begins with /");
    return TOOL_GO_ON;
}

static int load_main(struct mr_config *c, struct load_options *o)
{
    const struct mr_app app = {
        .name = name, .arg = o, .init = load_init, .event = load_event, .fini = load_fini};
    struct load_total total = {0};
    struct load *all;
    int status;

    o->cores = c->cores;
    if (o->cores > o->connections)
        o->cores = o->connections;
    if (o->rate != 0 && o->cores > o->rate)
        o->cores = (unsigned)o->rate;
    if (o->count != 0 && o->cores > o->count)
        o->cores = (unsigned)o->count;
    o->total = &total;
    total.running = o->cores;
    status = tool_exit_code(mr_run(c, &app));
    all = o->list;
    for (struct load *l = all; l != NULL && l->next != NULL; l = l->next)
        load_merge(all, l->next);
    if (all != NULL && status == 0) {
        load_report(all);
        if (all->connects == 0)
            tool_refuse(name, "no connection was made: %s",
                        all->last_err != 0 ? mr_strerror(all->last_err) : "no answer");
        status = load_error_sum(all) > 0 || all->connects == 0;
    }
    list_free(all);
    return status;
}

int main(int argc, char **argv)
{
    struct load_options o = {.path = "/",
                             .connections = 1,
                             .depth = 1,
                             .size = 64,
                             .duration_ms = 5000,
                             .timeout_ms = 5000,
                             .origin_bytes = 1024};
    const struct tool_opt opts[] = {
        {"--to", TOOL_ADDR, &o.to, 0, 0},
        {"--path", TOOL_TEXT, &o.path, 0, 0},
        {"--host", TOOL_TEXT, &o.host, 0, 0},
        {"--connections", TOOL_U32, &o.connections, 1, 4000000},
        {"--depth", TOOL_U32, &o.depth, 1, DEPTH_MAX},
        {"--rate", TOOL_U64, &o.rate, 1, 100000000},
        {"--duration-ms", TOOL_U64, &o.duration_ms, 0, 86400000},
        {"--count", TOOL_U64, &o.count, 1, UINT64_MAX},
        {"--size", TOOL_SIZE, &o.size, 1, 1 << 30},
        {"--timeout-ms", TOOL_U64, &o.timeout_ms, 1, 86400000},
        {"--close", TOOL_FLAG, &o.close, 0, 0},
        {"--no-verify", TOOL_FLAG, &o.no_verify, 0, 0},
        {"--origin", TOOL_U32, &o.origin_port, 1, 65535},
        {"--origin-bytes", TOOL_SIZE, &o.origin_bytes, 0, 1 << 20},
        {"--json", TOOL_FLAG, &o.json, 0, 0},
        {"--quiet", TOOL_FLAG, &o.quiet, 0, 0},
    };
    const char *word = "";
    char to[MR_ADDR_TEXT];
    struct mr_config c;
    int words = 1, status;

    mr_config_init(&c);
    status =
        tool_options(&c, argc, argv, opts, sizeof(opts) / sizeof(opts[0]), usage, &word, &words);
    if (status == TOOL_GO_ON)
        status = take_mode(&o, word, words);
    if (status != TOOL_GO_ON)
        return status;
    if (o.host == NULL)
        o.host = mr_addr_print(&o.to, to);
    return load_main(&c, &o);
}
