#include "sdn/world_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/panic.h"
#include "wire/wire.h"

#define MS UINT64_C(1000)
#define S UINT64_C(1000000)
#define CHAOS_FROM (2 * S)
#define HEAL_AT (7 * S)
#define JUDGE_AT (18 * S)
#define FRAME_BYTES 80u
#define ID_AT_IP 34u
#define ID_AT_ARP 42u
#define WANDER_MAX 400u /* switches passed by any one frame, all copies together */
/* While the last run's flows lie beside this run's (reroute.c leaves them for some seconds, so that
 * forwarding goes on), a frame for one host may circle among both: until the links are found
 * again. */
#define BOTH_RUNS_US (5 * S)
#define WANDER_BOTH 20000u
#define PROTO_TEST 253

void world_fail(struct world *w, const char *how, ...)
{
    va_list a;

    if (w->failed)
        return;
    w->failed = true;
    va_start(a, how);
    vsnprintf(w->why, sizeof(w->why), how, a);
    va_end(a);
}

static void say(const struct world *w, const char *how, ...)
{
    va_list a;

    if (!w->verbose)
        return;
    printf("# %9.6f ", (double)w->now_us / 1e6);
    va_start(a, how);
    vprintf(how, a);
    va_end(a);
    printf("\n");
}

/* ---- events: a heap ------------------------------------------------------------------------ */

static bool before(const struct world_event *a, const struct world_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static struct world_event *put(struct world *w, uint64_t at, enum world_what what, unsigned a,
                               unsigned b)
{
    size_t i;

    if (w->heap_n == w->heap_cap) {
        w->heap_cap = w->heap_cap * 2 + 256;
        w->heap = realloc(w->heap, w->heap_cap * sizeof(*w->heap));
        MR_ASSERT(w->heap != NULL);
    }
    i = w->heap_n++;
    w->heap[i] =
        (struct world_event){.at_us = at, .order = w->order++, .what = what, .a = a, .b = b};
    while (i > 0 && before(&w->heap[i], &w->heap[(i - 1) / 2])) {
        struct world_event t = w->heap[i];
        w->heap[i] = w->heap[(i - 1) / 2];
        w->heap[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
    return &w->heap[i];
}

static struct world_event take(struct world *w)
{
    struct world_event top = w->heap[0], t;
    size_t i = 0, c;

    w->heap[0] = w->heap[--w->heap_n];
    while ((c = 2 * i + 1) < w->heap_n) {
        c += c + 1 < w->heap_n && before(&w->heap[c + 1], &w->heap[c]);
        if (!before(&w->heap[c], &w->heap[i]))
            break;
        t = w->heap[i];
        w->heap[i] = w->heap[c];
        w->heap[c] = t;
        i = c;
    }
    return top;
}

static void put_frame(struct world *w, uint64_t at, enum world_what what, unsigned a, unsigned b,
                      uint8_t *frame, uint32_t n)
{
    struct world_event *e = put(w, at, what, a, b);

    e->frame = frame;
    e->n = n;
}

/* ---- numbered frames ------------------------------------------------------------------------ */

static uint32_t frame_new(struct world *w)
{
    if (w->frames == w->frames_cap) {
        w->frames_cap = w->frames_cap * 2 + 1024;
        w->frame = realloc(w->frame, w->frames_cap * sizeof(*w->frame));
        MR_ASSERT(w->frame != NULL);
    }
    memset(&w->frame[w->frames], 0, sizeof(w->frame[0]));
    return (uint32_t)w->frames++;
}

/* The number of a frame of ours; 0: it has none. */
static uint32_t frame_id(const struct world *w, const uint8_t *p, uint32_t n)
{
    uint32_t type = n >= FRAME_BYTES ? load_be16(p + 12) : 0, id = 0;

    if (type == ETHTYPE_IPV4)
        id = load_be32(p + ID_AT_IP);
    else if (type == ETHTYPE_ARP)
        id = load_be32(p + ID_AT_ARP);
    return id < w->frames ? id : 0;
}

static uint8_t *frame_make(const struct world_host *from, const uint8_t to[6], uint32_t to_ip,
                           uint32_t id)
{
    static const uint8_t head[] = {0x45, 0, 0, FRAME_BYTES - 14, 0, 0, 0, 0, 64, PROTO_TEST};
    uint8_t *p = calloc(1, FRAME_BYTES);

    MR_ASSERT(p != NULL);
    memcpy(p, to, 6);
    memcpy(p + 6, from->mac, 6);
    store_be16(p + 12, ETHTYPE_IPV4);
    memcpy(p + 14, head, sizeof(head));
    store_be32(p + 26, from->ip);
    store_be32(p + 30, to_ip);
    store_be32(p + ID_AT_IP, id);
    return p;
}

static uint8_t *arp_make(const struct world_host *from, unsigned op, const uint8_t to[6],
                         uint32_t to_ip, uint32_t id)
{
    uint8_t *p = calloc(1, FRAME_BYTES);
    struct arp_pkt a = {.op = (uint16_t)op, .spa = be32_of(from->ip), .tpa = be32_of(to_ip)};

    MR_ASSERT(p != NULL);
    memcpy(a.sha.b, from->mac, 6);
    if (op == ARP_REPLY)
        memcpy(a.tha.b, to, 6);
    memcpy(p, to, 6);
    memcpy(p + 6, from->mac, 6);
    store_be16(p + 12, ETHTYPE_ARP);
    arp_emit(p + 14, &a);
    store_be32(p + ID_AT_ARP, id);
    return p;
}

static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void host_send(struct world *w, unsigned h, uint8_t *frame)
{
    put_frame(w, w->now_us + 5 + rng_below(&w->rng, 50), W_FRAME_SWITCH, w->host[h].sw,
              w->host[h].port, frame, FRAME_BYTES);
}

uint32_t world_ping(struct world *w, unsigned from, unsigned to)
{
    uint32_t id = frame_new(w);

    host_send(w, from, frame_make(&w->host[from], w->host[to].mac, w->host[to].ip, id));
    return id;
}

uint32_t world_broadcast(struct world *w, unsigned from)
{
    uint32_t id = frame_new(w);

    host_send(w, from, frame_make(&w->host[from], all, 0xffffffffu, id));
    return id;
}

static void host_arp(struct world *w, unsigned from, uint32_t for_ip)
{
    host_send(w, from, arp_make(&w->host[from], ARP_REQUEST, all, for_ip, frame_new(w)));
}

static void host_receive(struct world *w, unsigned h, const uint8_t *p, uint32_t n)
{
    const struct world_host *me = &w->host[h];
    uint32_t id = frame_id(w, p, n);
    struct arp_pkt a;

    w->digest = mix64(w->digest ^ w->now_us ^ (uint64_t)id << 32 ^ h);
    if (memcmp(p, all, 6) != 0 && memcmp(p, me->mac, 6) != 0)
        return; /* flooded, and not for us */
    if (id != 0 && w->frame[id].got[h] < 255)
        w->frame[id].got[h]++;
    if (load_be16(p + 12) == ETHTYPE_ARP && arp_parse(&a, p + 14, n - 14) == WIRE_OK &&
        a.op == ARP_REQUEST && be32_get(a.tpa) == me->ip)
        host_send(w, h, arp_make(me, ARP_REPLY, a.sha.b, be32_get(a.spa), 0));
}

/* ---- the controller -------------------- */

static void core_settle(struct world *w, unsigned core);

static void pump_later(struct world *w, unsigned i)
{
    if (w->sw[i].pumping)
        return;
    w->sw[i].pumping = true;
    put(w, w->now_us + 10 + rng_below(&w->rng, 300), W_PUMP, i, 0);
}

static void switch_settle(struct world *w, unsigned i);

static void disconnect(struct world *w, unsigned i)
{
    struct world_switch *s = &w->sw[i];

    if (s->conn != 0) {
        sdn_conn c = s->conn;
        s->conn = 0;
        if (w->sdn[s->core] != NULL)
            sdn_closed(w->sdn[s->core], c, w->now_us);
    }
    s->down.n = 0;
    ofsw_disconnected(&s->sw);
    put(w, w->now_us + 100 * MS + rng_below(&w->rng, 700000), W_CONNECT, i, 0);
}

static struct world_switch *switch_of(struct world *w, unsigned core, sdn_conn c, unsigned *at)
{
    for (unsigned i = 0; i < w->switches; i++)
        if (w->sw[i].core == core && w->sw[i].conn == c) {
            *at = i;
            return &w->sw[i];
        }
    return NULL;
}

/* What core has to say goes on its way. */
static void core_settle(struct world *w, unsigned core)
{
    struct sdn *s = w->sdn[core];
    struct sdn_out out;
    uint64_t at;
    sdn_conn c;

    while ((c = sdn_next_ready(s)) != 0) {
        unsigned i = 0;
        struct world_switch *sw = switch_of(w, core, c, &i);
        while (sdn_output(s, c, &out)) {
            if (sw != NULL) {
                struct ofsw_bytes *b = &sw->down;
                if (b->n + out.n > b->cap) {
                    b->cap = (b->n + out.n) * 2;
                    b->p = realloc(b->p, b->cap);
                    MR_ASSERT(b->p != NULL);
                }
                memcpy(b->p + b->n, out.p, out.n);
                b->n += out.n;
                pump_later(w, i);
            }
            sdn_output_done(s, &out);
        }
        if (sdn_do(s, c) != SDN_DO_NOTHING) {
            say(w, "core %u closes switch %u: %s", core, i, sdn_why(s, c));
            if (sw != NULL)
                disconnect(w, i);
            else
                sdn_closed(s, c, w->now_us);
        }
    }
    at = sdn_deadline(s);
    if (at < w->core_at[core]) {
        w->core_at[core] = at > w->now_us ? at : w->now_us;
        put(w, w->core_at[core], W_CORE, core, 0);
    }
}

static void core_due(struct world *w, unsigned core)
{
    if (w->core_at[core] > w->now_us)
        return; /* it was moved forward meanwhile */
    w->core_at[core] = UINT64_MAX;
    sdn_advance(w->sdn[core], w->now_us);
    core_settle(w, core);
}

static void mail(struct world *w, unsigned core)
{
    uint64_t blocked = rng_u64(&w->rng) & rng_u64(&w->rng);
    struct sdn_letter l;
    unsigned n = 0;

    while (n++ < 20 && sdn_letter_next(w->sdn[core], blocked, &l)) {
        unsigned to = l.to;
        sdn_letter(w->sdn[to], core, l.p, l.n, w->now_us);
        sdn_letter_done(w->sdn[core], to);
        core_settle(w, to);
    }
    core_settle(w, core);
    put(w, w->now_us + 20 + rng_below(&w->rng, 2000), W_MAIL, core, 0);
}

static void controller_start(struct world *w)
{
    /* As a program does: each run has its own. */
    for (unsigned i = 0; i < 4; i++)
        w->config.secret[i] = rng_u64(&w->rng);
    for (unsigned i = 0; i < w->cores; i++) {
        w->config.core = i;
        w->memory[i] = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        MR_ASSERT(w->memory[i] != MAP_FAILED);
        w->sdn[i] = sdn_init(w->memory[i], &w->config, w->now_us);
        w->core_at[i] = UINT64_MAX;
        core_settle(w, i);
    }
}

static void controller_stop(struct world *w)
{
    for (unsigned i = 0; i < w->switches; i++)
        if (w->sw[i].conn != 0)
            disconnect(w, i);
    for (unsigned i = 0; i < w->cores; i++) {
        sdn_check(w->sdn[i]);
        munmap(w->memory[i], w->bytes);
        w->sdn[i] = NULL;
    }
}

static void connect_switch(struct world *w, unsigned i)
{
    struct world_switch *s = &w->sw[i];
    struct sdn_peer peer = {.ip = ip4_of(10, 255, 0, (uint8_t)i), .port = (uint16_t)(30000 + i)};

    if (s->conn != 0 || s->dead)
        return;
    s->core = rng_below(&w->rng, w->cores);
    s->conn = sdn_open(w->sdn[s->core], SDN_SPEAKS_OPENFLOW, &peer, w->now_us);
    if (s->conn == 0) {
        world_fail(w, "switch %u: the controller refuses a connection", i);
        return;
    }
    ofsw_connected(&s->sw, w->now_us);
    core_settle(w, s->core);
    pump_later(w, i);
}

/* Bytes of a control connection, cut anywhere. */
static void pump(struct world *w, unsigned i)
{
    struct world_switch *s = &w->sw[i];
    uint32_t most = rng_chance(&w->rng, 1, 4) ? 1 + rng_below(&w->rng, 20) : 3000;
    size_t n;

    s->pumping = false;
    if (s->conn == 0)
        return;
    n = s->sw.out.n < most ? s->sw.out.n : most;
    if (n > 0) {
        n = sdn_input(w->sdn[s->core], s->conn, s->sw.out.p, n, w->now_us);
        ofsw_bytes_drop(&s->sw.out, n);
        core_settle(w, s->core);
    }
    if (s->conn == 0)
        return;
    n = s->down.n < most ? s->down.n : most;
    if (n > 0) {
        ofsw_input(&s->sw, s->down.p, n, w->now_us);
        ofsw_bytes_drop(&s->down, n);
        switch_settle(w, i);
    }
    if (s->sw.out.n > 0 || s->down.n > 0)
        pump_later(w, i);
}

/* ---- the data network -------------------- */

/* Frames a switch has sent go on their way, what it says to the controller too. */
static void switch_settle(struct world *w, unsigned i)
{
    struct world_switch *s = &w->sw[i];

    for (size_t k = 0; k < s->sw.tx_n; k++) {
        struct ofsw_frame *f = &s->sw.tx[k];
        const struct world_end *e = &s->end[f->port];
        uint64_t at = w->now_us + 5 + rng_below(&w->rng, 100);

        if (e->what == END_HOST) {
            put_frame(w, at, W_FRAME_HOST, e->index, 0, f->p, f->n);
        } else if (e->what == END_LINK && w->link[e->index].up && !w->link[e->index].silent &&
                   rng_below(&w->rng, 1000000) >= w->loss_ppm) {
            const struct world_link *l = &w->link[e->index];
            unsigned other = l->sw[0] == i && l->port[0] == f->port;
            put_frame(w, at, W_FRAME_SWITCH, l->sw[other], l->port[other], f->p, f->n);
        } else {
            free(f->p);
        }
    }
    s->sw.tx_n = 0;
    if (s->sw.out.n > 0 && s->conn != 0)
        pump_later(w, i);
}

static void frame_at_switch(struct world *w, unsigned i, unsigned port, const uint8_t *p,
                            uint32_t n)
{
    uint32_t id = frame_id(w, p, n);

    if (w->sw[i].dead)
        return;
    if (id != 0) {
        struct world_frame *f = &w->frame[id];
        if (f->at[i] < 255)
            f->at[i]++;
        if (w->healed && w->now_us > JUDGE_AT)
            say(w, "frame %u at switch %u port %u", id, i, port);
        bool both = w->restarts > 0 && w->now_us < w->restarted_us + BOTH_RUNS_US;
        if (++f->visits > (both ? WANDER_BOTH : WANDER_MAX))
            world_fail(w, "frame %u wanders: it passed %u switches", id, f->visits);
    }
    ofsw_receive(&w->sw[i].sw, port, p, n, w->now_us);
    switch_settle(w, i);
}

static void link_set(struct world *w, unsigned k, bool up, bool silent)
{
    struct world_link *l = &w->link[k];

    say(w, "link %u (%u.%u - %u.%u) %s%s", k, l->sw[0], l->port[0], l->sw[1], l->port[1],
        up ? "up" : "down", silent ? ", silent" : "");
    l->up = up;
    l->silent = silent;
    for (unsigned e = 0; e < 2; e++) {
        ofsw_link(&w->sw[l->sw[e]].sw, l->port[e], up, w->now_us);
        switch_settle(w, l->sw[e]);
    }
}

static void host_move(struct world *w, unsigned h)
{
    struct world_host *me = &w->host[h];
    unsigned to = rng_below(&w->rng, w->switches), port = 0;

    for (unsigned p = 1; p <= w->sw[to].sw.ports; p++)
        if (w->sw[to].end[p].what == END_NONE)
            port = p;
    if (port == 0)
        return;
    say(w, "host %u moves from %u.%u to %u.%u", h, me->sw, me->port, to, port);
    w->sw[me->sw].end[me->port].what = END_NONE;
    w->sw[to].end[port] = (struct world_end){END_HOST, h};
    me->sw = to;
    me->port = port;
    host_arp(w, h, me->ip); /* it announces itself, as hosts do */
}

/* ---- faults -------------------- */

static void fault(struct world *w)
{
    unsigned i = rng_below(&w->rng, w->switches), k = rng_below(&w->rng, w->links);

    if (w->healed)
        return;
    w->faults++;
    switch (rng_below(&w->rng, 9)) {
    case 0:
    case 1:
        link_set(w, k, !w->link[k].up, false);
        break;
    case 2:
    case 3:
        if (w->link[k].up)
            link_set(w, k, true, !w->link[k].silent);
        break;
    case 4:
        say(w, "switch %u loses its controller", i);
        if (w->sw[i].conn != 0)
            disconnect(w, i);
        break;
    case 5:
        say(w, "switch %u reboots", i);
        if (w->sw[i].conn != 0)
            disconnect(w, i);
        ofsw_reboot(&w->sw[i].sw);
        break;
    case 6:
        if (rng_chance(&w->rng, 1, 3)) {
            say(w, "the controller restarts");
            w->restarts++;
            w->restarted_us = w->now_us;
            controller_stop(w);
            controller_start(w);
        }
        break;
    case 7:
        host_move(w, rng_below(&w->rng, w->hosts));
        break;
    case 8:
        w->loss_ppm = rng_below(&w->rng, 100000);
        break;
    }
    put(w, w->now_us + 20 * MS + rng_below(&w->rng, 600000), W_FAULT, 0, 0);
}

static void heal(struct world *w)
{
    say(w, "everything is healed");
    w->healed = true;
    w->loss_ppm = 0;
    for (unsigned k = 0; k < w->links; k++)
        link_set(w, k, true, false);
}

static void chatter(struct world *w, unsigned h)
{
    unsigned to = rng_below(&w->rng, w->hosts);

    if (w->now_us > HEAL_AT + 2 * S)
        return;
    if (to != h) {
        if (rng_chance(&w->rng, 1, 4))
            host_arp(w, h, w->host[to].ip);
        else
            world_ping(w, h, to);
    }
    put(w, w->now_us + 20 * MS + rng_below(&w->rng, 400000), W_HOST, h, 0);
}

/* ---- running -------------------- */

static void step(struct world *w)
{
    struct world_event e = take(w);

    w->now_us = e.at_us;
    switch (e.what) {
    case W_FRAME_SWITCH:
        frame_at_switch(w, e.a, e.b, e.frame, e.n);
        break;
    case W_FRAME_HOST:
        host_receive(w, e.a, e.frame, e.n);
        break;
    case W_PUMP:
        pump(w, e.a);
        break;
    case W_CORE:
        core_due(w, e.a);
        break;
    case W_MAIL:
        mail(w, e.a);
        break;
    case W_TICK:
        ofsw_advance(&w->sw[e.a].sw, w->now_us);
        switch_settle(w, e.a);
        put(w, w->now_us + 200 * MS, W_TICK, e.a, 0);
        break;
    case W_CONNECT:
        connect_switch(w, e.a);
        break;
    case W_FAULT:
        fault(w);
        break;
    case W_HOST:
        chatter(w, e.a);
        break;
    }
    free(e.frame);
}

void world_run_until(struct world *w, uint64_t until)
{
    while (!w->failed && w->heap_n > 0 && w->heap[0].at_us <= until)
        step(w);
    w->now_us = until;
}

static void begin(struct world *w)
{
    w->now_us = S;
    frame_new(w); /* number 0 is nobody's */
    controller_start(w);
    for (unsigned i = 0; i < w->switches; i++) {
        put(w, w->now_us + rng_below(&w->rng, 300000), W_CONNECT, i, 0);
        put(w, w->now_us + rng_below(&w->rng, 200000), W_TICK, i, 0);
    }
    for (unsigned i = 0; i < w->cores; i++)
        put(w, w->now_us + rng_below(&w->rng, 1000), W_MAIL, i, 0);
    for (unsigned i = 0; i < w->hosts; i++)
        put(w, w->now_us + rng_below(&w->rng, 1000000), W_HOST, i, 0);
    put(w, CHAOS_FROM, W_FAULT, 0, 0);
}

static void end(struct world *w)
{
    for (unsigned i = 0; i < w->cores; i++)
        if (w->sdn[i] != NULL)
            munmap(w->memory[i], w->bytes);
    for (unsigned i = 0; i < w->switches; i++) {
        ofsw_fini(&w->sw[i].sw);
        free(w->sw[i].down.p);
    }
    for (size_t i = 0; i < w->heap_n; i++)
        free(w->heap[i].frame);
    free(w->heap);
    free(w->frame);
}

bool world_run(struct world *w, uint64_t seed, bool verbose)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->verbose = verbose;
    rng_init(&w->rng, seed);
    world_draw(w);
    begin(w);
    world_run_until(w, HEAL_AT);
    if (!w->failed)
        heal(w);
    world_run_until(w, JUDGE_AT);
    if (!w->failed)
        world_judge(w);
    end(w);
    return !w->failed;
}
