/* The run: switches connect, loops follow each other by the clock, and an end is made. */
#include <stdlib.h>
#include <time.h>

#include "tools/ofload.h"

#define MS UINT64_C(1000000)
#define TICK_US 5000u
#define HALF_OPEN_MAX 64u
#define CONNECT_NS (10000 * MS) /* then the run begins with what is there */
#define REFUSED_NS (3000 * MS)
#define START_NS (20 * MS) /* from the last handshake to the first loop, for all cores to hear */
#define DISCARD_NS (100 * MS)
#define DRAIN_NS (5000 * MS)
#define SLICES 32

static const char timer_tick;

static void look_at_time(struct ofload *l)
{
    struct timespec t;

    if (l->opt->clock != NULL) {
        l->now_ns = l->opt->clock(l->m);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    l->now_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pump_all(struct ofload *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        ofl_pump(&l->sw[i]);
}

/* ---- connections */

static void open_one(struct ofl_switch *s)
{
    struct ofload *l = s->l;
    int err = mr_connect(l->m, NULL, &l->opt->to, s, &s->sock);

    if (err != MR_OK) {
        l->last_err = err;
        return;
    }
    s->state = OFL_CONNECTING;
    s->began_ns = l->now_ns;
    l->half_open++;
}

static void open_more(struct ofload *l)
{
    bool late_too = l->phase == OFL_RUNS && l->loop >= l->opt->warmup;

    while (l->opened < l->n && l->half_open < HALF_OPEN_MAX && (late_too || !l->sw[l->opened].late))
        open_one(&l->sw[l->opened++]);
}

/* When all switches of all cores are through, or will never be, the first loop begins soon. */
static void ready_one_more(struct ofload *l)
{
    struct ofl_total *t = l->opt->total;
    uint64_t none = 0;

    if (atomic_fetch_add(&t->ready, 1) + 1 == l->opt->switches - l->opt->late)
        atomic_compare_exchange_strong(&t->start_ns, &none, l->now_ns + START_NS);
}

void ofl_ready(struct ofl_switch *s)
{
    struct ofload *l = s->l;
    uint64_t took = l->now_ns - s->began_ns;

    s->state = OFL_READY;
    if (s->late) {
        l->late_handshakes++;
        l->late_handshake_ns = max_u64(l->late_handshake_ns, took);
        return;
    }
    l->handshakes++;
    l->handshake_ns = max_u64(l->handshake_ns, took);
    ready_one_more(l);
}

static void give_up(struct ofl_switch *s, enum ofl_error e)
{
    bool was_ready = s->state == OFL_READY;

    if (s->state == OFL_CONNECTING)
        s->l->half_open--;
    if (s->state != OFL_CLOSED)
        mr_abort(s->l->m, s->sock);
    s->state = OFL_GIVEN_UP;
    s->l->errors[e]++;
    if (!was_ready && !s->late)
        ready_one_more(s->l);
}

/* Refused: a controller that is just being started is asked again for a while. */
static void retry(struct ofl_switch *s)
{
    if (s->state != OFL_CLOSED)
        return;
    if (s->l->now_ns - s->l->connect_ns > REFUSED_NS)
        give_up(s, OFL_CONNECT);
    else
        open_one(s);
}

static void on_connected(struct ofl_switch *s)
{
    struct ofload *l = s->l;

    l->half_open--;
    s->state = OFL_SHAKING;
    mr_setopt(l->m, s->sock, MR_SNDBUF, OFL_SEND_BUFFER);
    if (!l->opt->cbench)
        mr_setopt(l->m, s->sock, MR_NODELAY, 1);
    ofl_hello(s);
    ofl_pump(s);
    open_more(l);
}

static void on_closed(struct ofl_switch *s, int err)
{
    struct ofload *l = s->l;

    l->last_err = err;
    if (s->state != OFL_CONNECTING) {
        give_up(s, OFL_RESET);
        return;
    }
    l->half_open--;
    mr_close(l->m, s->sock);
    s->state = OFL_CLOSED;
}

static void on_readable(struct ofl_switch *s)
{
    struct ofload *l = s->l;
    struct mr_slice in[SLICES];
    bool good = true;

    while (good && (s->state == OFL_SHAKING || s->state == OFL_READY)) {
        int n = mr_recv_slices(l->m, s->sock, in, SLICES);
        if (n <= 0) {
            if (n == 0)
                give_up(s, OFL_RESET);
            break;
        }
        for (int i = 0; i < n; i++) {
            l->rx_bytes += in[i].len;
            good = good && ofl_input(s, in[i].ptr, in[i].len);
            mr_slice_release(l->m, &in[i]);
        }
    }
    if (!good)
        give_up(s, OFL_PROTOCOL);
    ofl_pump(s);
}

/* ---- the loops */

static void drain(struct ofload *l)
{
    l->phase = OFL_DRAINS;
    l->edge_ns = l->now_ns + DRAIN_NS;
}

static void loop_over(struct ofload *l)
{
    l->per_loop[l->loop] = l->answers;
    l->cbench_loop[l->loop] = l->cbench;
    atomic_fetch_add(&l->opt->total->answers, l->answers);
    l->answers = l->cbench = 0;
    ofl_settle(l);
    ofl_progress(l);
}

/* After cbench's pause a switch that sends one at a time sends again, whatever was answered.  In
 * throughput mode what is on its way goes on counting: a controller may be slower than the
 * pause. */
static void end_pause(struct ofload *l)
{
    l->discards = false;
    for (uint32_t i = 0; l->window == 1 && i < l->n; i++)
        l->sw[i].probes.in_flight = 0;
}

/* What began at the last edge is over. */
static void roll(struct ofload *l)
{
    bool last = l->loop + 1 == l->opt->warmup + l->opt->loops;

    if (!l->discards)
        loop_over(l);
    if (last) {
        drain(l);
        return;
    }
    if (l->pause_ns != 0 && !l->discards) {
        l->discards = true;
        l->edge_ns += l->pause_ns;
        return;
    }
    if (l->discards)
        end_pause(l);
    l->loop++;
    l->edge_ns += l->loop_ns;
}

static void begin(struct ofload *l)
{
    l->phase = OFL_RUNS;
    l->start_ns = l->now_ns;
    l->edge_ns = l->start_ns + l->loop_ns;
}

/* True: something has begun or is over. */
static bool advance(struct ofload *l)
{
    uint64_t start = l->opt->total->start_ns;
    bool moved = false;

    if (l->phase == OFL_CONNECTS && start != 0 && l->now_ns >= start) {
        begin(l);
        moved = true;
    }
    for (; l->phase == OFL_RUNS && l->now_ns >= l->edge_ns; moved = true)
        roll(l);
    return moved;
}

static bool any_in_flight(const struct ofload *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->sw[i].state == OFL_READY && l->sw[i].probes.in_flight > 0)
            return true;
    return false;
}

static void end_if_drained(struct ofload *l)
{
    bool patient = !l->opt->cbench && l->now_ns < l->edge_ns;

    if (l->phase == OFL_DRAINS && (!patient || !any_in_flight(l)))
        ofl_finish(l);
}

static void tick_over(struct ofload *l)
{
    uint64_t none = 0;

    mr_timer_start(l->m, TICK_US, (void *)(uintptr_t)&timer_tick, NULL);
    for (uint32_t i = 0; i < l->opened; i++)
        retry(&l->sw[i]);
    open_more(l);
    if (l->phase == OFL_CONNECTS && l->now_ns - l->connect_ns > CONNECT_NS)
        atomic_compare_exchange_strong(&l->opt->total->start_ns, &none, l->now_ns + START_NS);
    if (l->phase == OFL_RUNS && l->handshakes == 0)
        ofl_finish(l);
    else
        pump_all(l);
}

static void on_timer(struct ofload *l, const char *which)
{
    if (which == &timer_tick)
        tick_over(l);
    else
        l->pacing = false;
}

void ofl_event(struct mr *m, void *core, const struct mr_event *ev)
{
    struct ofload *l = core;
    struct ofl_switch *s = ev->user;

    (void)m;
    if (l == NULL || l->phase == OFL_OVER)
        return;
    look_at_time(l);
    if (advance(l))
        pump_all(l);
    switch (ev->type) {
    case MR_EV_CONNECTED:
        on_connected(s);
        break;
    case MR_EV_READABLE:
        on_readable(s);
        break;
    case MR_EV_WRITABLE:
        ofl_pump(s);
        break;
    case MR_EV_CLOSED:
        on_closed(s, ev->err);
        break;
    case MR_EV_TIMER:
        on_timer(l, ev->user);
        break;
    case MR_EV_KNOCK:
        l->pacing = false;
        break;
    case MR_EV_SOFT_ERROR:
        l->last_err = ev->err;
        break;
    case MR_EV_ACCEPT:
    case MR_EV_URGENT:
    case MR_EV_LETTER:
        break;
    }
    ofl_pace(l);
    end_if_drained(l);
}

/* ---- beginning and end */

static bool make_switch(struct ofload *l, uint32_t i)
{
    const struct ofl_options *o = l->opt;
    struct ofl_switch *s = &l->sw[i];

    s->l = l;
    s->dpid = o->dpid_first + l->first + i;
    s->late = l->first + i >= o->switches - o->late;
    s->given = true;
    s->free = (1u << OFL_CHUNKS) - 1;
    s->miss_send_len = 128;
    s->cut = malloc(OFL_MESSAGE_MAX);
    s->out = malloc(OFL_OUT_BYTES);
    s->chunks = malloc(OFL_CHUNKS * OFL_CHUNK_BYTES);
    if (s->cut == NULL || s->out == NULL || s->chunks == NULL ||
        !ofl_probes_init(&s->probes, s->dpid, o->hosts, o->no_check ? 0 : o->buffers,
                         !o->cbench || o->wide_macs))
        return false;
    ofl_probes_format(&s->probes, s->chunks, OFL_CHUNKS * OFL_CHUNK_BYTES);
    return true;
}

/* The share of this core, as even as it goes. */
static void take_share(struct ofload *l)
{
    const struct ofl_options *o = l->opt;
    uint32_t core = l->core, extra = o->switches % o->cores;

    l->n = o->switches / o->cores + (core < extra);
    l->first = core * (o->switches / o->cores) + min_u32(core, extra);
    l->rate = o->rate == 0 ? 0 : max_u64(o->rate * l->n / o->switches, 1);
    l->window = o->in_flight;
    l->loop_ns = o->loop_ms * MS;
    l->pause_ns = o->cbench ? DISCARD_NS : 0;
}

bool ofl_make(struct ofload *l)
{
    size_t loops = l->opt->warmup + l->opt->loops;

    take_share(l);
    hist_init(&l->latency);
    l->sw = calloc(l->n, sizeof(struct ofl_switch));
    l->per_loop = calloc(loops, sizeof(uint64_t));
    l->cbench_loop = calloc(loops, sizeof(uint64_t));
    if (l->sw == NULL || l->per_loop == NULL || l->cbench_loop == NULL)
        return false;
    for (uint32_t i = 0; i < l->n; i++)
        if (!make_switch(l, i))
            return false;
    return true;
}

void ofl_free(struct ofload *l)
{
    for (uint32_t i = 0; l->sw != NULL && i < l->n; i++) {
        ofl_probes_fini(&l->sw[i].probes);
        free(l->sw[i].cut);
        free(l->sw[i].out);
        free(l->sw[i].chunks);
    }
    free(l->sw);
    free(l->per_loop);
    free(l->cbench_loop);
}

void ofl_start(struct ofload *l)
{
    look_at_time(l);
    l->connect_ns = l->now_ns;
    mr_timer_start(l->m, TICK_US, (void *)(uintptr_t)&timer_tick, NULL);
    open_more(l);
}

static void close_switch(struct ofl_switch *s)
{
    struct ofload *l = s->l;

    if (!s->late) {
        l->least = min_u64(l->least, s->answers);
        l->most = max_u64(l->most, s->answers);
        l->on_time += s->answers;
    }
    if (!l->opt->no_check)
        l->errors[OFL_UNANSWERED] +=
            s->probes.lost + (l->opt->cbench || s->state != OFL_READY ? 0 : s->probes.in_flight);
    if (s->state != OFL_READY && s->state != OFL_GIVEN_UP)
        l->errors[OFL_CONNECT]++;
    if (s->state != OFL_CLOSED && s->state != OFL_GIVEN_UP)
        mr_abort(l->m, s->sock);
    s->state = OFL_GIVEN_UP;
}

void ofl_finish(struct ofload *l)
{
    if (l->phase == OFL_OVER)
        return;
    ofl_settle(l);
    l->phase = OFL_OVER;
    l->least = UINT64_MAX;
    for (uint32_t i = 0; i < l->n; i++)
        close_switch(&l->sw[i]);
    if (atomic_fetch_sub(&l->opt->total->running, 1) == 1)
        mr_stop(l->m);
}
