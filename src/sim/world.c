/* The world's loop. */
#include "sim/sim_int.h"

#define FRAMES_MAX 4096u
#define STEPS_MAX 3000000u
#define IDLE_S UINT64_C(100)

void sim_fail(struct sim_world *w, const char *how, ...)
{
    struct fmt f;
    va_list args;

    w->over = true;
    if (w->result.failed)
        return;
    w->result.failed = true;
    fmt_init(&f, w->result.text, sizeof(w->result.text));
    va_start(args, how);
    fmt_vadd(&f, how, args);
    va_end(args);
    sim_note(w, 0, "FAILED: %s", w->result.text);
}

void sim_note(struct sim_world *w, unsigned host, const char *how, ...)
{
    char text[SIM_TEXT_BYTES];
    struct fmt f;
    va_list args;

    if (!w->options.observer.note)
        return;
    fmt_init(&f, text, sizeof(text));
    va_start(args, how);
    fmt_vadd(&f, how, args);
    va_end(args);
    w->options.observer.note(w->options.observer.arg, w->now, host, text);
}

static void gives_init(struct sim_world *w, struct mem *m)
{
    w->give = mem_carve(m, SIM_GIVES * sizeof(*w->give), CACHE_LINE);
    for (uint32_t i = 0; i < SIM_GIVES; i++) {
        w->give[i].world = w;
        w->give[i].n = 0;
        w->give[i].next = i;
    }
    w->give_free = SIM_GIVES;
}

struct sim_world *sim_init(void *memory, size_t bytes, const struct sim_options *o)
{
    struct mem m;
    struct sim_world *w;

    mem_init(&m, memory, bytes);
    w = mem_carve(&m, sizeof(*w), CACHE_LINE);
    memset(w, 0, sizeof(*w));
    w->options = *o;
    w->result.seed = o->seed;
    w->oracle.seed = mix64(o->seed + 1);
    w->digest.h = o->seed;
    rng_init(&w->rng, o->seed);
    sim_draw_plan(w);
    sim_queue_init(&w->queue, &m, 2 * FRAMES_MAX);
    sim_net_init(&w->net, &m, w->plan.hosts, FRAMES_MAX, rng_u64(&w->rng));
    sim_watch_init(&w->watch, &m);
    w->conn = mem_carve(&m, SIM_CONNS_MAX * sizeof(*w->conn), CACHE_LINE);
    w->scratch = mem_carve(&m, SIM_SCRATCH_BYTES, CACHE_LINE);
    gives_init(w, &m);
    sim_draw_conns(w);
    sim_draw_links(w);
    for (unsigned i = 0; i < w->plan.hosts; i++) {
        sim_host_init(w, i, &m);
        w->cores += w->plan.cores[i];
    }
    sim_queue_add(&w->queue, 1, SIM_EV_FAULT, 0);
    sim_queue_add(&w->queue, w->plan.heal_ns, SIM_EV_HEAL, 0);
    w->result.hosts = w->plan.hosts;
    w->result.conns = w->plan.conns;
    return w;
}

/* ---- the end ---------------------------------------------------------------------- */

static bool is_done(const struct sim_world *w)
{
    return w->healed && w->unfinished == 0 && w->open_ends == 0 && w->guests == 0;
}

/* Every plan is carried out: the applications close what is left, and the stacks must empty. */
static void begin_ending(struct sim_world *w)
{
    w->ending = true;
    sim_note(w, 0, "every plan is carried out");
    for (unsigned i = 0; i < w->plan.hosts; i++) {
        for (unsigned k = 0; k < w->host[i].cores; k++)
            sim_app_end(&w->host[i].core[k].app);
        sim_host_wake(w, i, w->now);
    }
}

static const char *leftover(struct sim_world *w, unsigned *host)
{
    *host = 0;
    if (w->held)
        return "slices";
    if (w->gives_out)
        return "given buffers";
    for (; *host < w->plan.hosts; ++*host) {
        const char *what = sim_host_leftover(&w->host[*host]);
        if (what)
            return what;
    }
    return NULL;
}

static void world_end(struct sim_world *w)
{
    for (unsigned i = 0; i < w->plan.hosts; i++) {
        const char *what = sim_host_needless_mail(w, i);
        if (what)
            sim_fail(w, "host %u: %s", i, what);
    }
    w->over = true;
    sim_digest_u64(&w->digest, w->net.stats.sent);
    sim_digest_u64(&w->digest, w->result.conns_whole);
    sim_note(w, 0, "over");
}

/* Too late: say who still has not finished. */
static void out_of_time(struct sim_world *w)
{
    unsigned host;
    const char *what;

    for (uint32_t i = 0; i < w->plan.conns; i++) {
        const struct sim_conn *c = &w->conn[i];
        for (unsigned side = 0; side < 2; side++) {
            const struct sim_end *e = &c->end[side], *peer = &c->end[!side];
            if (e->state == SIM_END_DONE || (side == 1 && !c->twin && e->state == SIM_END_NONE))
                continue;
            sim_fail(w,
                     "conn %u host %u side %u does not finish: state %d sent %llu of %u, received "
                     "%llu of %u, shut %d eof %d; peer state %d shut %d",
                     c->id, e->host, side, (int)e->state, (unsigned long long)e->sent,
                     c->manner[side].total, (unsigned long long)e->rcvd, c->manner[!side].total,
                     e->shut, e->eof, (int)peer->state, peer->shut);
            return;
        }
    }
    what = leftover(w, &host);
    sim_fail(w, "host %u does not give back all of: %s", host, what ? what : "guests");
}

/* ---- steps ------------------------------------------------------------------------ */

static void handle(struct sim_world *w, const struct sim_event *e)
{
    switch ((enum sim_event_kind)e->kind) {
    case SIM_EV_FRAME:
        sim_net_arrive(w, e->arg);
        break;
    case SIM_EV_TXDONE:
        sim_core_txdone(w, e->arg / SIM_CORES_MAX, e->arg % SIM_CORES_MAX);
        break;
    case SIM_EV_FAULT:
        sim_fault_next(w);
        break;
    case SIM_EV_HEAL:
        sim_fault_heal(w);
        break;
    }
}

/* The host whose turn comes first. */
static unsigned next_host(const struct sim_world *w, uint64_t *at)
{
    unsigned first = 0;

    *at = SIM_NEVER;
    for (unsigned i = 0; i < w->plan.hosts; i++) {
        uint64_t next = sim_host_next(&w->host[i]);
        if (next < *at) {
            *at = next;
            first = i;
        }
    }
    return first;
}

/* Empty hosts have nothing to do: they are watched for a while to see that they do nothing. */
static void judge_idle(struct sim_world *w)
{
    if (!w->idle_ns) {
        w->idle_ns = w->now;
        w->idle_turns = w->turns;
        return;
    }
    if (w->now - w->idle_ns < IDLE_S * SIM_NS_PER_SEC)
        return;
    if (w->turns - w->idle_turns > IDLE_S * w->cores)
        sim_fail(w, "idle hosts took %llu turns in %llu s",
                 (unsigned long long)(w->turns - w->idle_turns), (unsigned long long)IDLE_S);
    else
        world_end(w);
}

static void judge_progress(struct sim_world *w)
{
    unsigned host;

    if (w->now > w->plan.bound_ns)
        out_of_time(w);
    else if (w->result.steps > STEPS_MAX)
        sim_fail(w, "the world runs in circles: %u steps", STEPS_MAX);
    else if (!w->ending && is_done(w))
        begin_ending(w);
    else if (w->ending && !leftover(w, &host))
        judge_idle(w);
}

bool sim_step(struct sim_world *w)
{
    uint64_t wake;
    unsigned host = next_host(w, &wake);
    bool has_event = w->queue.n > 0;
    struct sim_event e;

    if (w->over)
        return false;
    if (!has_event && wake == SIM_NEVER) {
        /* Nothing will ever happen again. */
        if (w->idle_ns)
            world_end(w);
        else
            out_of_time(w);
        return false;
    }
    w->result.steps++;
    if (has_event && w->queue.heap[0].at <= wake) {
        sim_queue_next(&w->queue, &e);
        w->now = max_u64(w->now, e.at);
        handle(w, &e);
    } else {
        w->now = max_u64(w->now, wake);
        sim_host_turn(w, host);
        if (!w->over)
            judge_progress(w);
    }
    return !w->over;
}

const struct sim_result *sim_result(struct sim_world *w)
{
    w->result.digest = w->digest.h;
    w->result.ns = w->now;
    w->result.frames = w->net.stats.sent;
    w->result.delivered = w->net.stats.delivered;
    return &w->result;
}

size_t sim_print(const struct sim_world *w, char *buf, size_t n)
{
    const struct sim_plan *p = &w->plan;

    return fmt_print(buf, n,
                     "%u hosts %s, %u cores, %u connections, faults %u%s%s%s%s%s, healed after %u "
                     "ms, %u UDP%s",
                     p->hosts, p->routed ? "routed" : "on one segment", w->cores, p->conns,
                     p->level, p->quits ? " quits" : "", p->toggles ? " toggles" : "",
                     p->tiny ? " tiny" : "", p->shrinks ? " shrinks" : "",
                     p->starves ? " starves" : "", (uint32_t)(p->heal_ns / SIM_NS_PER_MSEC),
                     p->udp_datagrams, p->moves ? ", homes move" : "");
}
